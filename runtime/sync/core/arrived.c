/* What an ingest brought, whichever half began it. */
#include <string.h>
#include "base/str.h"
#include "sync/core/core.h"

#define AGAIN_PACE_MS 1000 /* between pulls from `sure` because something arrived */

/* At a pace: pages may arrive one after the other for a long time. */
static void look_again(tl__sync *sync, tl__pair *pair)
{
	uint64_t at = pair->sure_tried + AGAIN_PACE_MS;

	tl__pair_changed(sync, pair);
	if (pair->again_at == 0)
		pair->again_at = at > sync->now ? at : sync->now;
}

static void gap_again(tl__sync *sync, tl__pair *pair, const tl__pair *by)
{
	if (pair != by && tl__pair_has_gap(sync, pair))
		look_again(sync, pair);
}

/* Something arrived by another pair: there may be room now, or what entries wait for. */
static void gaps_again(tl__sync *sync, const tl__pair *by)
{
	for (tl__link *link = sync->gap_pairs.first; link; link = link->next)
		gap_again(sync, (tl__pair *)((char *)link - offsetof(tl__pair, gaps)), by);
	for (tl__link *link = sync->changed_pairs.first; link; link = link->next)
		gap_again(sync, tl__changed_pair(link), by);
}

bool tl__pair_has_gap(const tl__sync *sync, const tl__pair *pair)
{
	return pair->gap || sync->out->lacks(pair);
}

void tl__sync_ingest_begins(tl__sync *sync, tl__pair *pair)
{
	if (!pair)
		return;
	tl__pair_changed(sync, pair);
	pair->ingesting++;
}

/* What it sent need not be told to it. */
static void note_came(tl__sync *sync, tl__pair *pair, const tl_key *peer, const tl__work *work)
{
	const tl__work_ingest *in = &work->ingest;
	tl__sync_db *db = in->result.entered > 0 ? tl__sync_find_db(sync, &work->db) : NULL;
	tl__came *came = pair ? &pair->came : peer && db ? sync->in->came(sync, peer, db) : NULL;

	for (size_t i = 0; came && in->result.fates && i < in->page.count; i++)
		if (in->result.fates[i].arrival > in->before)
			tl__came_add(came, in->result.fates[i].arrival);
	tl__pair_acknowledge(sync, pair, 0);
}

/* Places that were stored with a page after the relation had ended: works of a peer and our own
 * take turns. */
static void unstore(tl__sync *sync, const tl__work *work)
{
	const tl__ingest_page *page = &work->ingest.page;
	tl_key peer;

	memcpy(peer.b, work->party.name, sizeof peer.b);
	if (tl__sync_find_pair(sync, &peer, &work->db) || tl__rests_hold(sync, &peer, &work->db))
		return;
	for (size_t i = 0; i < page->local_count; i++)
		tl__sync_put_local(sync, page->locals[i].key, TL__STR_NULL);
}

/* Nobody else tells that. */
static void arrived(tl__sync *sync, const tl__work *work)
{
	uint64_t after = work->ingest.after;
	tl__sync_db *db = after > 0 ? tl__sync_db_for(sync, &work->db) : NULL;

	if (!db)
		return;
	tl__db_arrived(sync, db, after);
	sync->in->moved(sync, db);
}

/* Whether what is known of the way to it, from when it was reached last, is encrypted. */
static bool is_way_encrypted(const tl__peer *peer)
{
	const tl__peer_address *last = NULL;

	for (size_t i = 0; i < peer->address_count; i++)
		if (!last || peer->addresses[i].success > last->success)
			last = &peer->addresses[i];
	return last && tl__sync_encrypted(tl__str_z(last->channel));
}

/* A database we cannot verify without: asks this peer for it, if the policy lets it. */
static void want_delegated(tl__sync *sync, const tl_key *key, const tl_id *db)
{
	tl__peer *peer = tl__sync_find_peer(sync, key);
	tl_policy_question question = {.kind = TL_POLICY_DELEGATED, .peer = key, .db = db};
	tl_policy_verdict verdict;
	tl__pair *pair;

	if (!peer || tl__sync_find_pair(sync, key, db))
		return;
	question.outbound = true;
	question.otherwise = true;
	question.protocol = tl__peer_is_v0(peer) ? 0 : 1;
	question.encrypted = is_way_encrypted(peer);
	if (tl__sync_ask_policy(sync, &question, &verdict) != TL_POLICY_ALLOW)
		return;
	if (tl__pair_relate(sync, peer, db, TL__STR("delegated"), &pair) == TL_OK)
		tl__pair_save_relation(sync, db);
}

void tl__sync_ingest_ends(tl__sync *sync, tl__pair *pair, const tl_key *peer, const tl__work *work)
{
	const tl__work_ingest *in = &work->ingest;

	if (pair)
		tl__pair_changed(sync, pair);
	if (pair && pair->ingesting > 0)
		pair->ingesting--;
	unstore(sync, work);
	if (work->code != TL_OK) {
		arrived(sync, work); /* it may have failed behind that */
		return;
	}
	for (size_t i = 0; peer && i < in->result.missing_database_count; i++)
		want_delegated(sync, peer, &in->result.missing_databases[i]);
	/* What made room is unknown again: `seen` no longer vouches for it. */
	for (tl__pair *p = in->result.evicted > 0 ? sync->pairs : NULL; p; p = p->next)
		p->from_sure = true;
	if (in->result.entered > 0) {
		gaps_again(sync, pair);
		tl__sync_tell(
			sync, TL_EVENT_ENTRIES_RECEIVED, peer, &work->db, in->result.entered, NULL);
	}
	if (in->after > 0)
		(void)tl__sync_db_for(sync, &work->db);
	note_came(sync, pair, peer, work);
	arrived(sync, work);
	if (!pair || in->after <= in->before)
		return;
	/* Nobody else wrote meanwhile and it was level: it stays level. */
	if (in->after - in->before == in->result.entered) {
		if (pair->ack == in->before)
			pair->ack = in->after;
		if (pair->offered == in->before)
			pair->offered = in->after;
		pair->local_changed = true;
	}
}
