/* How an exchange ends: done, failed, of no use, or put off, because the peer has no time, a rate
 * is used up or it was paused. What it got counts, and the next one goes on there. */
#include "sync/out/session.h"

#include <string.h>
#include "base/str.h"

/* --- what becomes of its pair -------------------------------------------------------------------- */

/* An Ack of 0.2.0 says nothing about what was sent, which may be the same each time. */
static bool moved(const tl__session *session)
{
	return session->received > 0 || (session->sent > 0 && !tl__peer_is_v0(session->peer));
}

static bool network_failure(int code)
{
	return code == TL_E_CONNECTION_FAILED || code == TL_E_NETWORK || code == TL_E_TIMEOUT ||
	       code == TL_E_TLS || code == TL_E_KEY_MISMATCH || code == TL_E_CHANNEL_MISMATCH ||
	       code == TL_E_NO_TRANSPORT_ENABLED || code == TL_E_UNSUPPORTED_TRANSPORT;
}

/* What was given is stored as far as it is worth it: the next time it goes on behind that. */
static void keep_place(tl__sync *sync, tl__pair *pair, const tl__v1_cursor *place)
{
	bool same = pair->has_seen && tl__v1_same_store(&pair->seen, place);

	pair->gap = true;
	if (pair->db->arrivals == 0 || (same && pair->seen.n >= place->n))
		return;
	pair->has_seen = true;
	pair->seen = *place;
	tl__pair_save_cursors(sync, pair);
}

static void note_gain(tl__sync *sync, tl__session *session)
{
	if (session->ending == TL__ENDING_FRUITLESS && session->pull.has_cursor)
		keep_place(sync, session->pair, &session->pull.cursor);
	if (session->received == 0 || session->code != TL_OK)
		return;
	session->peer->fruitless = 0;
	for (size_t i = 0; i < TL__PEER_WATCHES; i++)
		session->peer->watches[i].idle = 0;
}

/* It goes on later, behind the last page. */
static void keep_cursor(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	const tl__v1_cursor *to = &session->pull.cursor;
	bool same = pair->has_seen && tl__v1_same_store(&pair->seen, to);

	if (!tl__session_pulls(session) || !session->pull.has_cursor || pair->db->arrivals == 0)
		return;
	/* What was wanted is asked for in another exchange. */
	session->pull.gap = session->pull.gap || session->pull.wants.count > 0 ||
			    session->pull.wanted_count > 0;
	pair->gap = pair->gap || session->pull.gap;
	if (pair->has_seen && !same)
		return;
	if (!pair->has_seen || pair->seen.n < to->n) {
		pair->has_seen = true;
		pair->seen = *to;
	}
	if (session->pull.from_sure && session->declined == 0 && !session->pull.gap) {
		pair->has_sure = true;
		pair->sure = *to;
		pair->from_sure = pair->from_sure || to->n < pair->seen.n;
	} else if (session->pull.rereads && to->n < pair->seen.n) {
		pair->has_reread = true;
		pair->reread = *to;
	}
	tl__pair_save_cursors(sync, pair);
}

/* What moved before counts; the rest comes when the peer has time. */
static void put_off(tl__sync *sync, tl__session *session, tl__sync_outcome *outcome)
{
	outcome->code = TL_OK;
	if (outcome->entries > 0)
		tl__record_exchange(sync, session->pair, outcome);
	keep_cursor(sync, session);
	tl__schedule_put_off(sync, session->pair, session->code, session->error);
	if (session->ending == TL__ENDING_RESTS) {
		session->pair->asked = session->pair->asked || session->ordered;
		return;
	}
	session->pair->asked = false;
	tl__waiters_session(sync, session->pair, session->code, session->error, session);
}

static void conclude(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	tl__sync_outcome outcome = {0};
	const char *error = session->code == TL_OK ? NULL : session->error;

	outcome.started = session->started_wall;
	outcome.milliseconds = sync->now - session->started;
	outcome.entries = session->received + session->sent;
	outcome.bytes = session->bytes;
	outcome.code = session->code;
	outcome.error = session->error;
	outcome.has_entry = session->has_last;
	outcome.entry = session->last;
	pair->received += session->received;
	pair->sent += session->sent;
	note_gain(sync, session);
	if (session->ending >= TL__ENDING_BUSY) {
		put_off(sync, session, &outcome);
		return;
	}
	tl__record_exchange(sync, pair, &outcome);
	if (session->code == TL_OK) {
		tl__schedule_succeeded(sync, pair);
		pair->watch_barred = pair->watch_barred && !session->pull.done;
		if (session->unsettled != TL__SETTLED && session->declined_code != TL_OK) {
			pair->last_code = session->declined_code;
			tl__text_copy(pair->last_error, sizeof pair->last_error,
				tl__str_z(session->error));
		}
		tl__sync_tell(sync, TL_EVENT_SYNC_FINISHED, &pair->peer->key, &pair->db->id,
			outcome.entries, NULL);
	} else {
		tl__page_unsure(pair->peer);
		if (network_failure(session->code)) {
			tl__peer_failed(sync, pair->peer, session->code, error);
			/* A way on which something still moves is not given up. */
			if (moved(session))
				pair->attempts = 0;
		}
		tl__schedule_failed(sync, pair, session->code, error);
	}
	tl__waiters_session(sync, pair, session->code, error, session);
}

/* --- the end ------------------------------------------------------------------------------------- */

static void unlink_session(tl__sync *sync, tl__session *session)
{
	tl__session **at = &sync->sessions;

	while (*at && *at != session)
		at = &(*at)->next;
	if (*at)
		*at = session->next;
	session->peer->exchanges--;
	session->peer->sessions--;
	sync->session_count--;
	if (session->pair) {
		tl__pair_changed(sync, session->pair);
		session->pair->session = NULL;
	}
	tl__peer_release(sync, session->peer);
}

static void end(tl__sync *sync, tl__session *session)
{
	if (!tl__session_go(sync, session, TL__STEP_OVER))
		return;
	if (session->pair)
		conclude(sync, session);
	unlink_session(sync, session);
	tl__session_free(session);
}

void tl__session_settle(tl__sync *sync, tl__session *session)
{
	if (session->step == TL__STEP_ENDING && session->call == 0 && session->works == 0 &&
		session->ingests == 0)
		end(sync, session);
}

void tl__session_finish(tl__sync *sync, tl__session *session)
{
	end(sync, session);
}

static void fail(
	tl__sync *sync, tl__session *session, tl__ending ending, int code, const char *error)
{
	if (tl__session_runs(session) && tl__session_go(sync, session, TL__STEP_ENDING)) {
		const tl_error *last = tl_last_error();

		session->ending = ending;
		session->code = code;
		if (!error)
			error = last ? tl_error_message(last) : tl_error_name(code);
		tl__text_copy(session->error, sizeof session->error, tl__str_z(error));
		if (session->call) {
			tl__call_cancel(sync, session->call);
			session->call = 0;
		}
	}
	tl__session_settle(sync, session);
}

void tl__session_fail(tl__sync *sync, tl__session *session, int code, const char *error)
{
	fail(sync, session, TL__ENDING_FAILED, code, error);
}

void tl__session_refused(tl__sync *sync, tl__session *session, const tl__call_result *result)
{
	tl__ending ending = result->rated     ? TL__ENDING_RESTS
			    : result->put_off ? TL__ENDING_BUSY
					      : TL__ENDING_FAILED;
	char text[TL__SYNC_ERROR_TEXT];

	if (session->sent > 0)
		snprintf(text, sizeof text, "%.200s; %llu entries were sent all the same",
			result->error, (unsigned long long)session->sent);
	else if (result->code == TL_E_NOT_AVAILABLE)
		snprintf(text, sizeof text,
			"%.80s; it is not there or our keys may not read it: ask with "
			"request_database_access, or have our key in its accept_databases_from",
			result->error);
	else
		tl__text_copy(text, sizeof text, tl__str_z(result->error));
	fail(sync, session, ending, result->code, text);
}

void tl__sessions_cancel(tl__sync *sync, const tl__peer *peer, const char *error)
{
	for (tl__session *session = sync->sessions; session;) {
		tl__session *next = session->next;

		if ((!peer || session->peer == peer) && tl__session_runs(session))
			tl__session_fail(sync, session, TL_E_CANCELLED, error);
		session = next;
	}
}

/* The pair is about to go: nothing may come back to it. */
void tl__session_cancel(tl__sync *sync, tl__session *session, int code, const char *error)
{
	tl__pair *pair = session->pair;

	tl__waiters_session(sync, pair, code, error, session);
	pair->session = NULL;
	session->pair = NULL;
	tl__session_fail(sync, session, code, error);
}

void tl__session_fruitless(tl__sync *sync, tl__session *session, const char *error)
{
	if (session->pair && tl__session_runs(session))
		session->pair->useless_until = tl__peer_fruitless(sync, session->peer);
	fail(sync, session, TL__ENDING_FRUITLESS, TL_E_SYNC_PROTOCOL_ERROR, error);
}

/* --- rests --------------------------------------------------------------------------------------- */

static bool is_paused(const tl__session *session)
{
	return session->pair->options->paused && !session->ordered;
}

/* Its direction is another meanwhile: the next one goes there. */
static bool is_turned(const tl__session *session)
{
	return !(session->pair->does & (tl__session_pulls(session) ? TL__PULLS : TL__PUSHES));
}

bool tl__session_is_to_rest(const tl__sync *sync, const tl__session *session)
{
	return is_paused(session) || is_turned(session) ||
	       tl__rate_free_at(sync, &session->peer->key, session->pair) > sync->now;
}

bool tl__session_rests(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	uint64_t free_at = tl__rate_free_at(sync, &session->peer->key, pair);
	const char *why = is_paused(session)   ? "it is paused"
			  : is_turned(session) ? "its direction was changed"
					       : "its rate is used up for now";

	if (!tl__session_is_to_rest(sync, session))
		return false;
	if (pair->wait_until < free_at)
		pair->wait_until = free_at;
	fail(sync, session, TL__ENDING_RESTS, TL_E_BUSY, why);
	return true;
}
