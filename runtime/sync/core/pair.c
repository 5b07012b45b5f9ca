/* Databases and relations: one pair for each database that is kept in step with a peer. */
#include "sync/core/core.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

tl__pair_name tl__pair_name_of(const tl_key *peer, const tl_id *db)
{
	tl__pair_name name;

	memcpy(name.b, peer->b, TL_KEY_BYTES);
	memcpy(name.b + TL_KEY_BYTES, db->b, TL_ID_BYTES);
	return name;
}

tl__sync_local_key tl__peer_local_key(const char *kind, const tl__peer *peer)
{
	tl__sync_local_key out;

	snprintf(out.text, sizeof out.text, "%s/%s", kind, peer->text);
	return out;
}

tl__sync_local_key tl__pair_key(const char *kind, const tl__peer *peer, const tl_id *db)
{
	tl__sync_local_key out;
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(db, id);
	snprintf(out.text, sizeof out.text, "%s/%s/%s", kind, peer->text, id);
	return out;
}

/* --- databases -------------------------------------------------------------------------------- */

tl__sync_db *tl__sync_find_db(const tl__sync *sync, const tl_id *id)
{
	return tl__map_get(&sync->db_map, tl__map_key_id(id));
}

tl__sync_db *tl__sync_db_for(tl__sync *sync, const tl_id *id)
{
	tl__sync_db *db = tl__sync_find_db(sync, id);

	if (db)
		return db;
	db = tl__alloc_zero(1, sizeof *db);
	if (!db || tl__map_set(&sync->db_map, tl__map_key_id(id), db) != TL_OK) {
		tl__free(db);
		return NULL;
	}
	db->id = *id;
	if (sync->last_db)
		sync->last_db->next = db;
	else
		sync->dbs = db;
	sync->last_db = db;
	return db;
}

/* --- relations -------------------------------------------------------------------------------- */

tl__pair *tl__sync_find_pair(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair_name name = tl__pair_name_of(peer, db);

	return tl__map_get(&sync->pair_map, tl__pair_name_str(&name));
}

tl__pair *tl__sync_change_pair(tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_find_pair(sync, peer, db);

	if (pair)
		tl__pair_changed(sync, pair);
	return pair;
}

tl__pair *tl__sync_related(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_find_pair(sync, peer, db);

	return pair && pair->peer->status == TL__PEER_ACTIVE ? pair : NULL;
}

tl__pair_tag *tl__pair_find_tag(const tl__pair *pair, tl_str text)
{
	tl__pair_tag *tag = pair->tags;

	while (tag && !tl__str_eq(text, tl__str_z(tag->text)))
		tag = tag->next;
	return tag;
}

bool tl__pair_has_tag(const tl__pair *pair, tl_str tag)
{
	return tl__pair_find_tag(pair, tag) != NULL;
}

bool tl__pair_is_stored(const tl__pair *pair)
{
	for (const tl__pair_tag *tag = pair->tags; tag; tag = tag->next)
		if (!tag->set)
			return true;
	return false;
}

tl__pair *tl__sync_gives(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_related(sync, peer, db);

	return pair && (pair->gives & TL__PUSHES) ? pair : NULL;
}

tl__pair *tl__sync_takes(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_related(sync, peer, db);

	return pair && (pair->gives & TL__PULLS) ? pair : NULL;
}

/* Takes the options over. */
static int add_tag(tl__sync *sync, tl__pair *pair, const tl__pair_as *as)
{
	tl__pair_tag *tag = tl__alloc_zero(1, sizeof *tag), **end = &pair->tags;

	if (!tag)
		return TL_E_NOMEM;
	tag->text = tl__copy_bytes(as->tag.ptr, as->tag.len);
	if (!tag->text) {
		tl__free(tag);
		return TL_E_NOMEM;
	}
	tag->set = as->set;
	tag->run = as->run;
	tag->options = as->options;
	while (*end)
		end = &(*end)->next;
	*end = tag;
	tl__pair_judge(sync, pair);
	return TL_OK;
}

static void free_tag(tl__pair_tag *tag)
{
	tl__pair_options_free(tag->options);
	tl__free(tag->text);
	tl__free(tag);
}

void tl__pair_free(tl__pair *pair)
{
	while (pair->tags) {
		tl__pair_tag *t = pair->tags;

		pair->tags = t->next;
		free_tag(t);
	}
	tl__map_free(&pair->left.ids);
	tl__free(pair);
}

static int enlist(tl__sync *sync, tl__pair *pair)
{
	tl__pair_name name = tl__pair_name_of(&pair->peer->key, &pair->db->id);
	tl__pair **end;

	if (tl__pair_expect(sync, pair) != TL_OK)
		return TL_E_NOMEM;
	if (tl__map_set(&sync->pair_map, tl__pair_name_str(&name), pair) != TL_OK) {
		tl__pair_unlist(sync, pair);
		return TL_E_NOMEM;
	}
	end = pair->peer->last_pair ? &pair->peer->last_pair->next_of_peer : &pair->peer->pairs;
	*end = pair->peer->last_pair = pair;
	end = pair->db->last_pair ? &pair->db->last_pair->next_of_db : &pair->db->pairs;
	*end = pair->db->last_pair = pair;
	if (sync->last_pair)
		sync->last_pair->next = pair;
	else
		sync->pairs = pair;
	pair->before = sync->last_pair;
	sync->last_pair = pair;
	sync->pair_count++;
	return TL_OK;
}

/* Another tag of a pair that there is. */
static int relate_also(tl__sync *sync, tl__pair *pair, const tl__pair_as *as)
{
	int rc = add_tag(sync, pair, as);

	if (rc != TL_OK)
		return rc;
	tl__pair_changed(sync, pair);
	pair->local_changed = true;
	pair->offered = pair->ack;
	pair->from_sure = pair->wanted = true;
	return TL_OK;
}

/* Without a place to remember there is nothing to be stored yet. */
static int relate_anew(
	tl__sync *sync, tl__peer *peer, const tl_id *id, const tl__pair_as *as, tl__pair **out)
{
	tl__sync_db *db = tl__sync_db_for(sync, id);
	tl__pair *pair = db ? tl__alloc_zero(1, sizeof *pair) : NULL;
	int rc;

	if (!pair)
		return TL_E_NOMEM;
	tl__map_init(&pair->left.ids);
	pair->peer = peer;
	pair->db = db;
	pair->wanted = true;
	pair->local_changed = !as->set;
	rc = add_tag(sync, pair, as);
	if (rc == TL_OK)
		rc = enlist(sync, pair);
	if (rc != TL_OK) {
		if (pair->tags)
			pair->tags->options = NULL; /* they stay the caller's */
		tl__pair_free(pair);
		return rc;
	}
	tl__rest_over(sync, pair);
	tl__pair_changed(sync, pair);
	sync->in->rights_changed(sync, &peer->key); /* it comes again with others */
	*out = pair;
	return TL_OK;
}

int tl__pair_relate_as(
	tl__sync *sync, tl__peer *peer, const tl_id *id, const tl__pair_as *as, tl__pair **out)
{
	tl__pair *pair = tl__sync_find_pair(sync, &peer->key, id);
	int rc = TL_OK;

	if (peer->removed)
		return tl__fail(TL_E_PEER_NOT_FOUND, "the peer was removed meanwhile");
	if (!pair)
		rc = relate_anew(sync, peer, id, as, &pair);
	else if (!tl__pair_has_tag(pair, as->tag))
		rc = relate_also(sync, pair, as);
	if (rc == TL_OK && out)
		*out = pair;
	return rc;
}

int tl__pair_relate(tl__sync *sync, tl__peer *peer, const tl_id *id, tl_str tag, tl__pair **out)
{
	return tl__pair_relate_as(sync, peer, id, &(tl__pair_as){.tag = tag}, out);
}

static void unlink_of_peer(tl__pair *pair)
{
	tl__peer *peer = pair->peer;
	tl__pair *before = NULL;

	for (tl__pair *p = peer->pairs; p != pair; p = p->next_of_peer)
		before = p;
	*(before ? &before->next_of_peer : &peer->pairs) = pair->next_of_peer;
	if (peer->last_pair == pair)
		peer->last_pair = before;
}

static void unlink_of_db(tl__pair *pair)
{
	tl__sync_db *db = pair->db;
	tl__pair *before = NULL;

	for (tl__pair *p = db->pairs; p != pair; p = p->next_of_db)
		before = p;
	*(before ? &before->next_of_db : &db->pairs) = pair->next_of_db;
	if (db->last_pair == pair)
		db->last_pair = before;
}

static void unlink_pair(tl__sync *sync, tl__pair *pair)
{
	tl__pair_name name = tl__pair_name_of(&pair->peer->key, &pair->db->id);

	tl__map_remove(&sync->pair_map, tl__pair_name_str(&name));
	tl__pair_unlist(sync, pair);
	unlink_of_peer(pair);
	unlink_of_db(pair);
	*(pair->before ? &pair->before->next : &sync->pairs) = pair->next;
	*(pair->next ? &pair->next->before : &sync->last_pair) = pair->before;
	sync->pair_count--;
}

/* Those taken away are freed by the caller: their options may be the
 * ones in force. */
static tl__pair_tag *take_tags(tl__pair *pair, tl_str text)
{
	tl__pair_tag **at = &pair->tags, *taken = NULL;

	while (*at) {
		tl__pair_tag *tag = *at;

		if (text.ptr && !tl__str_eq(text, tl__str_z(tag->text))) {
			at = &tag->next;
			continue;
		}
		*at = tag->next;
		tag->next = taken;
		taken = tag;
	}
	return taken;
}

static void free_tags(tl__pair_tag *tags)
{
	while (tags) {
		tl__pair_tag *tag = tags;

		tags = tag->next;
		free_tag(tag);
	}
}

/* Nothing was written of one that a set made and that never got anywhere. */
static bool left_nothing(const tl__pair *pair)
{
	return pair->ack == 0 && !pair->has_seen && pair->tried == 0 && pair->attempts == 0;
}

/* What a set made keeps its places, in case that it comes again. */
static void end_pair(tl__sync *sync, tl__pair *pair, bool of_set)
{
	bool keeps = of_set && (pair->ack > 0 || pair->has_seen) && tl__rest_begin(sync, pair);

	if (!keeps && !(of_set && left_nothing(pair)))
		tl__pair_forget_places(sync, pair->peer, &pair->db->id);
	sync->in->rights_changed(sync, &pair->peer->key);
	sync->out->pair_goes(sync, pair);
	unlink_pair(sync, pair);
	tl__pair_free(pair);
}

void tl__pair_unrelate(tl__sync *sync, tl__pair *pair, tl_str tag)
{
	tl__pair_tag *taken = take_tags(pair, tag);

	if (pair->tags) {
		tl__pair_judge(sync, pair);
		tl__pair_changed(sync, pair);
		pair->local_changed = true;
		pair->offered = pair->ack;
		pair->from_sure = true;
	} else {
		end_pair(sync, pair, tag.ptr && taken && taken->set);
	}
	free_tags(taken);
}

/* --- what happens to it ----------------------------------------------------------------------- */

bool tl__pair_dirty(const tl__pair *pair)
{
	uint64_t told = pair->offered > pair->ack ? pair->offered : pair->ack;

	return (pair->does & TL__PUSHES) && pair->db->arrivals > told;
}

bool tl__pair_is_sure(const tl__pair *pair)
{
	const tl__v1_cursor *a = &pair->sure, *b = &pair->seen;

	return pair->has_sure && pair->has_seen && a->n == b->n &&
	       memcmp(a->c, b->c, sizeof a->c) == 0 && tl__v1_same_store(a, b);
}

void tl__pair_acknowledge(tl__sync *sync, tl__pair *pair, uint64_t upto)
{
	uint64_t before;

	if (!pair)
		return;
	tl__pair_changed(sync, pair);
	before = pair->ack;
	if (upto > pair->ack)
		pair->ack = upto;
	pair->ack = tl__came_after(&pair->came, pair->ack);
	if (pair->offered < pair->ack)
		pair->offered = pair->ack;
	if (pair->ack != before)
		pair->local_changed = true;
}

void tl__pair_restart(tl__sync *sync, tl__pair *pair)
{
	if (!pair)
		return;
	tl__pair_changed(sync, pair);
	pair->ack = pair->offered = 0;
	pair->came.count = 0;
	pair->level = false;
	pair->local_changed = true;
}

uint64_t tl__pair_waits_until(const tl__pair *pair)
{
	uint64_t told = pair->peer->wait_until > pair->wait_until ? pair->peer->wait_until
								  : pair->wait_until;

	return told > pair->useless_until ? told : pair->useless_until;
}

bool tl__sync_is_refusal(int code)
{
	return code == TL_E_NOT_AVAILABLE || code == TL_E_NOT_PERMITTED || code == TL_E_DECLINED ||
	       code == TL_E_REFUSED || code == TL_E_PEER_BLOCKED || code == TL_E_V0_KEY ||
	       code == TL_E_CLEARTEXT_REFUSED;
}
