/* One exchange of one pair: how it begins, what it has in flight. session_end.c has how it ends. */
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

void tl__session_free(tl__session *session)
{
	tl__ids_free(&session->theirs);
	tl__ids_free(&session->pull.tips);
	tl__ids_free(&session->pull.wants);
	tl__ids_free(&session->push.wants);
	tl__ids_free(&session->push.ids);
	tl__free(session->push.arrivals);
	tl__map_free(&session->asked);
	tl__free(session->v0);
	tl__free(session);
}

/* NULL: it is over. */
static tl__session *find(tl__sync *sync, uint64_t number)
{
	tl__session *session = sync->sessions;

	while (session && session->number != number)
		session = session->next;
	/* Nobody looks for it but to go on with it. */
	if (session && session->pair)
		tl__pair_changed(sync, session->pair);
	return session;
}

/* Where it is not spoken, every attempt says so. */
static void exchange_v0(tl__sync *sync, tl__session *session)
{
	if (sync->v0)
		sync->v0->exchange(sync, session);
	else
		tl__session_fail(sync, session, tl__fail_v0(), NULL);
}

int tl__session_start(tl__sync *sync, tl__pair *pair)
{
	tl__session *session = tl__alloc_zero(1, sizeof *session);
	bool outbox_only;

	if (!session)
		return TL_E_NOMEM;
	if (pair->again_at > 0 && pair->again_at <= sync->now) {
		pair->again_at = 0;
		pair->from_sure = pair->wanted = true;
	}
	outbox_only = !(pair->does & TL__PULLS) || (!pair->wanted && !pair->look_first &&
							   tl__pair_dirty(pair) && pair->has_seen);
	tl__map_init(&session->asked);
	session->number = tl__sync_number(sync);
	session->pair = pair;
	session->peer = pair->peer;
	session->started = session->told = sync->now;
	session->started_wall = sync->wall;
	session->next = sync->sessions;
	sync->sessions = session;
	pair->peer->exchanges++;
	pair->peer->sessions++;
	sync->session_count++;
	pair->session = session;
	session->wanted = pair->wanted;
	session->ordered = pair->asked;
	pair->wanted = pair->look_first = pair->asked = false;
	pair->progress_entries = pair->progress_bytes = pair->progress_left = 0;
	pair->progress_told = false;
	pair->tried = sync->now;
	pair->not_before = sync->now + sync->options.commit_gap_ms;
	if (tl__peer_is_v0(pair->peer))
		exchange_v0(sync, session);
	else if (outbox_only)
		tl__push_start(sync, session);
	else
		tl__pull_start(sync, session, TL__PULL_FIRST);
	return TL_OK;
}

void tl__sessions_free(tl__sync *sync)
{
	while (sync->sessions) {
		tl__session *session = sync->sessions;

		sync->sessions = session->next;
		session->peer->exchanges--;
		if (session->peer->removed && session->peer->exchanges == 0)
			tl__peer_free(session->peer);
		tl__session_free(session);
	}
}

/* --- while it runs ---------------------------------------------------------------------------- */

void tl__sessions_tell(tl__sync *sync)
{
	for (tl__session *session = sync->sessions; session; session = session->next) {
		tl__buf text = TL__BUF_INIT;

		if (!session->pair || sync->now < session->told + TL__SYNC_PROGRESS_MS)
			continue;
		session->told = sync->now;
		tl__pair_put_progress(&text, session->pair);
		tl__buf_byte(&text, 0);
		if (tl__buf_status(&text) == TL_OK)
			tl__sync_tell(sync, TL_EVENT_SYNC_PROGRESS, &session->peer->key,
				&session->pair->db->id, session->pair->progress_entries, text.ptr);
		tl__buf_free(&text);
	}
}

uint64_t tl__sessions_due(const tl__sync *sync)
{
	uint64_t least = UINT64_MAX;

	for (const tl__session *session = sync->sessions; session; session = session->next)
		if (session->pair && session->told + TL__SYNC_PROGRESS_MS < least)
			least = session->told + TL__SYNC_PROGRESS_MS;
	return least;
}

/* --- what is in flight ------------------------------------------------------------------------ */

tl__work *tl__session_work(tl__sync *sync, tl__session *session, tl__step step, tl__work_kind kind,
	void (*done)(void *sync, tl__work *work))
{
	tl__work *work;

	if (!tl__session_go(sync, session, step))
		return NULL;
	work = tl__sync_new_work(sync, kind, &session->pair->db->id, done, session->number);
	if (work)
		work->party = tl__sync_party(session->peer);
	else
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
	return work;
}

bool tl__session_copy_ids(tl__sync *sync, tl__session *session, tl__work *work, const tl__ids *from,
	const tl_id **to, size_t *count)
{
	tl_id *copy = tl__arena_alloc(&work->arena, from->count + 1, sizeof *copy);

	if (!copy) {
		tl__work_free(work);
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
		return false;
	}
	if (from->count > 0)
		memcpy(copy, from->at, from->count * sizeof *copy);
	*to = copy;
	*count = from->count;
	return true;
}

tl__work *tl__session_plan(tl__sync *sync, tl__session *session, tl__step step, uint64_t from,
	void (*done)(void *sync, tl__work *work))
{
	tl__work *work = tl__session_work(sync, session, step, TL__WORK_PLAN, done);

	if (!work)
		return NULL;
	work->plan.from = from;
	work->plan.max_bytes = tl__page_bytes(sync, session->peer);
	return tl__session_copy_ids(sync, session, work, &session->theirs, &work->plan.theirs,
		       &work->plan.their_count)
		       ? work
		       : NULL;
}

tl__session *tl__session_planned(tl__sync *sync, tl__work *work)
{
	tl__session *session = tl__session_worked(sync, work);

	if (session)
		tl__db_arrived(sync, session->pair->db, work->plan.head);
	return session;
}

void tl__session_give(tl__sync *sync, tl__session *session, tl__work *work)
{
	if (work->kind == TL__WORK_INGEST) {
		session->ingests++;
		tl__sync_ingest_begins(sync, session->pair);
	} else {
		session->works++;
	}
	tl__sync_give_work(sync, work);
}

void tl__session_take(tl__sync *sync, tl__session *session, tl__work *work)
{
	session->works++;
	work->done(sync, work);
}

/* It counts, though nobody asks any more for what it lacks. */
static void stored_at_the_end(tl__sync *sync, tl__session *session, const tl__work *work)
{
	tl__session_ingested(sync, session, work);
	session->pull.gap = session->pull.gap || work->ingest.result.missing_count > 0;
}

tl__session *tl__session_worked(tl__sync *sync, tl__work *work)
{
	tl__session *session = find(sync, work->owner);

	if (!session) {
		tl__work_free(work);
		return NULL;
	}
	if (work->kind == TL__WORK_INGEST) {
		session->ingests--;
		tl__sync_ingest_ends(sync, session->pair, &session->peer->key, work);
	} else {
		session->works--;
	}
	if (!tl__session_runs(session) || work->code != TL_OK) {
		int code = work->code;

		if (code == TL_OK && work->kind == TL__WORK_INGEST && session->pair)
			stored_at_the_end(sync, session, work);

		/* The place behind it was not stored. */
		if (code != TL_OK && work->kind == TL__WORK_INGEST)
			session->pull.has_cursor = false;
		(void)tl__error_raise(work->error, code);
		tl__work_free(work);
		if (!tl__session_runs(session))
			tl__session_settle(sync, session);
		else
			tl__session_fail(sync, session, code, NULL);
		return NULL;
	}
	return session;
}

tl__call *tl__session_call(tl__sync *sync, tl__session *session, tl__step step, tl__call *call)
{
	if (!call) {
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
		return NULL;
	}
	if (!tl__session_go(sync, session, step)) {
		tl__call_free(call);
		return NULL;
	}
	call->has_db = true;
	call->db = session->pair->db->id;
	call->owner = session->number;
	return call;
}

void tl__session_send(tl__sync *sync, tl__session *session, tl__call *call)
{
	if (tl__buf_status(&call->args) != TL_OK || tl__buf_status(&call->body) != TL_OK) {
		tl__call_free(call);
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
		return;
	}
	session->call = call->number;
	tl__call_start(sync, call);
}

tl__session *tl__session_back(tl__sync *sync, uint64_t owner, const tl__call_result *result)
{
	tl__session *session = find(sync, owner);

	if (!session)
		return NULL;
	session->call = 0;
	session->bytes += result->bytes;
	if (session->pair)
		session->pair->progress_bytes = session->bytes;
	if (tl__session_runs(session))
		return session;
	tl__session_settle(sync, session);
	return NULL;
}

/* --- small helpers ---------------------------------------------------------------------------- */

bool tl__session_note(tl__session *session, const tl_id *id)
{
	tl_str key = tl__map_key_id(id);

	if (tl__map_has(&session->asked, key) || session->asked.count >= TL__SYNC_MAX_ASIDE)
		return false;
	return tl__map_set(&session->asked, key, session) == TL_OK;
}

void tl__session_unsettled(tl__session *session)
{
	if (session->unsettled == TL__SETTLED)
		session->unsettled = TL__UNSETTLED;
}

const tl_key *tl__session_keys(tl__sync *sync, tl__work *work, size_t *count)
{
	size_t n = sync->key_count > 32 ? 32 : sync->key_count;
	tl_key *keys = tl__arena_alloc(&work->arena, n > 0 ? n : 1, sizeof *keys);

	*count = keys ? n : 0;
	for (size_t i = 0; i < *count; i++)
		keys[i] = sync->keys[i].key;
	return keys;
}

void tl__session_ingested(tl__sync *sync, tl__session *session, const tl__work *work)
{
	const tl__work_ingest *in = &work->ingest;
	uint64_t newest = 0;

	(void)sync;
	session->received += in->result.entered;
	session->pair->progress_entries = session->received;
	session->declined += in->fates[TL__FATE_DECLINED];
	if (session->declined_code == TL_OK)
		session->declined_code = in->declined_code;
	for (size_t i = 0; in->result.fates && i < in->page.count; i++) {
		const tl__fate *fate = &in->result.fates[i];

		if (fate->kind == TL__FATE_DECLINED && fate->has_id)
			(void)tl__session_note(session, &fate->id);
		if (fate->kind == TL__FATE_DECLINED && fate->code == TL_E_SET_ASIDE_FULL)
			session->pull.gap = true;
		if (fate->has_id && fate->arrival > newest) {
			newest = fate->arrival;
			session->has_last = true;
			session->last = fate->id;
		}
	}
}

void tl__peer_offer_again(tl__sync *sync, tl__peer *peer)
{
	tl__peer_pairs_changed(sync, peer);
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer) {
		pair->offered = pair->ack;
		if (pair->session)
			pair->session->offer_again = true;
	}
}

static void pair_goes(tl__sync *sync, tl__pair *pair)
{
	if (pair->session)
		tl__session_cancel(sync, pair->session, TL_E_CANCELLED,
			"the relation was taken away during the exchange");
	if (pair->watched)
		tl__watch_end(sync, pair->peer);
	tl__watch_uncount(pair);
	if (pair->watch > 0) /* there is room again */
		pair->peer->watches[pair->watch - 1].full = false;
	tl__peer_changed(sync, pair->peer);
	tl__waiters_pair_gone(sync, pair);
}

/* A watch of ours that names it ends: the next one names others. */
static void pair_reshaped(tl__sync *sync, tl__pair *pair)
{
	tl__watch_sooner(sync, pair->peer);
	if (pair->watched && !tl__watch_is_wanted(pair))
		tl__watch_end(sync, pair->peer);
	if (pair->options->paused)
		tl__waiters_pair_rests(sync, pair);
	if (pair->line < pair->options->priority)
		tl__pair_leave_line(pair); /* it stands in another one when it is judged */
}

static bool lacks(const tl__pair *pair)
{
	return pair->session && pair->session->pull.gap;
}

const tl__sync_outbound tl__outbound_half = {
	.pair_goes = pair_goes, .pair_reshaped = pair_reshaped, .lacks = lacks};
