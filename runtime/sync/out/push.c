/* v1 push: pages of what the peer lacks, the fate of each entry, what its pending ones wait for. */
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

/* --- planning --------------------------------------------------------------------------------- */

/* Without memory some of it is sent back, which does no harm. */
static void copy_came(tl__work *work, const tl__pair *pair)
{
	size_t count = pair->came.count;
	tl__arrivals *skip = tl__arena_alloc(&work->arena, count > 0 ? count : 1, sizeof *skip);

	if (!skip)
		return;
	memcpy(skip, pair->came.ranges, count * sizeof *skip);
	work->plan.skip = skip;
	work->plan.skip_count = count;
}

static void planned(void *ud, tl__work *work);

static void give_plan(tl__sync *sync, tl__session *session, bool by_tips)
{
	tl__work *work =
		tl__session_plan(sync, session, TL__STEP_PLAN, session->push.from, planned);
	tl__session_push *push = &session->push;
	tl__work_plan *to;

	if (!work)
		return;
	to = &work->plan;
	if (!tl__session_copy_ids(sync, session, work, &push->wants, &to->want, &to->want_count))
		return;
	to->by_tips = by_tips;
	to->max_bytes = tl__rate_page(sync, &session->peer->key, session->pair, to->max_bytes);
	to->max_entries = session->pair->takes_nothing ? 1 : session->peer->max_page_entries;
	to->keys = tl__session_keys(sync, work, &to->key_count);
	copy_came(work, session->pair);
	push->kind = by_tips              ? TL__PLAN_BY_TIPS
		     : to->want_count > 0 ? TL__PLAN_NAMED
					  : TL__PLAN_NEXT;
	push->wanted_count = push->wants.count;
	push->wants.count = 0;
	if (sync->fresh && tl__work_plan_fresh(work, sync->fresh))
		tl__session_take(sync, session, work);
	else
		tl__session_give(sync, session, work);
}

void tl__push_start(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;

	if (!(pair->does & TL__PUSHES)) {
		pair->level = session->pull.done && session->declined == 0 && !session->pull.gap;
		tl__session_finish(sync, session);
		return;
	}
	session->push.from = pair->offered > pair->ack ? pair->offered : pair->ack;
	session->push.open_from = UINT64_MAX;
	session->unsettled = pair->offered > pair->ack ? TL__UNSETTLED_BEFORE : TL__SETTLED;
	session->push.wants.count = 0;
	give_plan(sync, session, false);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* Acknowledged is what lies below the first entry without a final fate. */
static void acknowledge(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	uint64_t upto = session->push.from;

	if (session->push.open_from != UINT64_MAX && session->push.open_from - 1 < upto)
		upto = session->push.open_from - 1;
	if (session->unsettled == TL__UNSETTLED_BEFORE)
		return;
	tl__pair_acknowledge(sync, pair, upto);
}

/* It would not let us read. What it took may have changed that: it had not held the database. */
static void end_refused(tl__sync *sync, tl__session *session)
{
	const tl__call_result refusal = {
		.code = session->pull.refused_code, .error = session->pull.refused_error};

	if (session->push.took && session->pull.reason != TL__PULL_AGAIN) {
		tl__pull_start(sync, session, TL__PULL_AGAIN);
		return;
	}
	tl__session_refused(sync, session, &refusal);
}

static void finish(tl__sync *sync, tl__session *session)
{
	tl__stand stand = session->push.stand;
	tl__pair *pair = session->pair;

	/* What was pending has got what it waited for. */
	if (session->unsettled == TL__SETTLED)
		session->push.open_from = UINT64_MAX;
	acknowledge(sync, session);
	if (!session->offer_again && pair->offered < session->push.from)
		pair->offered = session->push.from;
	pair->level = (session->pull.done || stand == TL__STAND_OURS || !(pair->does & TL__PULLS) ||
			      (stand == TL__STAND_EVEN && tl__pair_is_sure(pair))) &&
		      session->unsettled == TL__SETTLED && session->declined == 0 &&
		      !session->pull.gap;
	pair->level_at = session->push.from;
	/* Where all that it holds came in this exchange, there is nothing to read. */
	if (session->pull.refused_code != TL_OK && !session->pull.done && stand != TL__STAND_OURS)
		end_refused(sync, session);
	else
		tl__session_finish(sync, session);
}

/* Both sides named their tips, everything is acknowledged, all of theirs is here, and still they
 * differ: what it was given is gone there. */
static bool suspicious(const tl__session *session)
{
	return session->pull.done && session->pull.differs && session->unsettled == TL__SETTLED &&
	       session->declined == 0 && !session->pull.gap &&
	       session->push.kind != TL__PLAN_BY_TIPS;
}

static void nothing_left(tl__sync *sync, tl__session *session)
{
	if (suspicious(session) && session->sent == 0) {
		give_plan(sync, session, true);
		return;
	}
	finish(sync, session);
}

/* --- a page ----------------------------------------------------------------------------------- */

static void fates_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

static int remember(tl__session *session, const tl__work_plan *in)
{
	tl__session_push *push = &session->push;

	push->ids.count = 0;
	tl__free(push->arrivals);
	push->arrivals = tl__alloc(in->count * sizeof *in->arrivals);
	if (!push->arrivals)
		return TL_E_NOMEM;
	memcpy(push->arrivals, in->arrivals, in->count * sizeof *in->arrivals);
	push->to = in->to;
	push->more = in->more;
	return tl__ids_add_all(&push->ids, in->ids, in->count);
}

/* Where the peer's place in our order may go when it takes this page. */
static void tell_place(const tl__sync *sync, tl__v1_push *push, const tl__work_plan *in)
{
	push->has_place = push->state && !in->by_tips && in->want_count == 0;
	if (!push->has_place)
		return;
	push->from = in->from;
	push->to.n = in->place.n;
	memcpy(push->to.incarnation, sync->incarnation, sizeof push->to.incarnation);
	memcpy(push->to.c, in->place.c, sizeof push->to.c);
}

static void send_page(tl__sync *sync, tl__session *session, const tl__work_plan *in)
{
	const tl__pair *pair = session->pair; /* without a call the session is gone */
	tl__call *call = tl__session_call(
		sync, session, TL__STEP_FATES, tl__call_new(sync, &tl__call_v1, session->peer));
	tl__v1_push push = {0};

	if (!call)
		return;
	call->method = TL__V1_PUSH;
	call->done = fates_done;
	tl__call_prove(sync, call, pair->db, in->key_mask);
	session->pair->key_mask = in->key_mask;
	push.has_seen = pair->has_seen;
	push.seen = pair->seen;
	push.state = session->peer->takes_state;
	tell_place(sync, &push, in);
	tl__v1_write_push(&call->args, &push);
	for (size_t i = 0; i < in->count; i++)
		tl__v1_write_entry(&call->body, in->lines[i]);
	tl__rate_spend(sync, &session->peer->key, session->pair, call->body.len);
	tl__session_send(sync, session, call);
}

/* It is pulling, or was just given what there is; unless somebody waits until it is sent. */
static bool takes_by_itself(const tl__sync *sync, const tl__session *session)
{
	const tl__pair *pair = session->pair;

	return pair->pulling_until > sync->now ||
	       (pair->told_until > sync->now && session->pull.refused_code == TL_OK &&
		       !tl__waiters_wait_for(sync, pair));
}

/* What is left afterwards is pushed. Who could not be read is about to hold the database: then it
 * is read. */
static void put_off(const tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;

	if (pair->pulling_until > sync->now)
		pair->look_first = true;
	if (session->pull.refused_code == TL_OK)
		return;
	session->pull.refused_code = TL_OK;
	pair->wanted = true;
}

static void planned(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_planned(sync, work);
	tl__work_plan *in;
	bool named;

	if (!session)
		return;
	in = &work->plan;
	named = session->push.kind == TL__PLAN_NAMED;
	if (in->count == 0) {
		bool more = in->more && !in->by_tips && in->to > session->push.from;

		if (named)
			tl__session_unsettled(session); /* nobody here has what it waits for */
		else if (!in->by_tips && in->to > session->push.from)
			session->push.from = in->to;
		tl__work_free(work);
		if (more)
			give_plan(sync, session, false);
		else
			nothing_left(sync, session);
		return;
	}
	if (named && in->count < in->want_count)
		tl__session_unsettled(session);
	if (takes_by_itself(sync, session)) {
		put_off(sync, session);
		tl__work_free(work);
		finish(sync, session);
		return;
	}
	/* What it waits for goes with what waits, which would be sent again else. */
	if (!named && tl__session_rests(sync, session)) {
		tl__work_free(work);
		return;
	}
	if (remember(session, in) != TL_OK)
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
	else
		send_page(sync, session, in);
	tl__work_free(work);
}

/* --- fates ------------------------------------------------------------------------------------ */

static void take_place(tl__session *session, const tl__v1_fates *fates)
{
	tl__pair *pair = session->pair;
	bool sure = !pair->has_seen || (pair->has_sure && pair->sure.n == pair->seen.n);

	if (!fates->has_cursor || (pair->has_seen && fates->cursor.n < pair->seen.n))
		return;
	pair->has_seen = true;
	pair->seen = fates->cursor;
	if (sure) {
		pair->has_sure = true;
		pair->sure = fates->cursor;
	}
}

static int want(tl__session *session, const tl_id *id)
{
	if (session->push.wants.count >= TL__V1_MAX_WANT || !tl__session_note(session, id)) {
		tl__session_unsettled(session);
		return TL_OK;
	}
	return tl__ids_add(&session->push.wants, id);
}

static void stays_open(tl__session *session, size_t index)
{
	if (session->push.arrivals[index] < session->push.open_from)
		session->push.open_from = session->push.arrivals[index];
}

static int take_fate(tl__session *session, const tl__v1_line *line, size_t index)
{
	char text[sizeof session->error];
	int rc = TL_OK;

	switch (line->fate) {
	case TL__V1_FATE_DECLINED:
		stays_open(session, index);
		tl__session_unsettled(session);
		session->declined_code = TL_E_DECLINED;
		snprintf(text, sizeof text, "the peer declined entries: %.*s",
			TL__STR_ARG(line->code));
		tl__text_copy(session->error, sizeof session->error, tl__str_z(text));
		return TL_OK;
	case TL__V1_FATE_PENDING:
		stays_open(session, index);
		/* Without a word what for it cannot be helped. */
		if (line->waits_count == 0)
			tl__session_unsettled(session);
		for (size_t i = 0; rc == TL_OK && i < line->waits_count; i++)
			rc = want(session, &line->waits_for[i]);
		return rc;
	default:
		session->sent += line->fate != TL__V1_FATE_KNOWN;
		session->has_last = true;
		session->last = session->push.ids.at[index];
		return TL_OK;
	}
}

static int read_fates(tl__session *session, const tl__call_result *result)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	size_t index = 0;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_FATES, result->body, NULL);

	while (rc == TL_OK && (rc = tl__v1_body_next(&body, &line, &end)) == TL_OK && !end) {
		if (index >= session->push.ids.count ||
			(line.has_id && !tl__id_equal(&line.id, &session->push.ids.at[index])))
			return tl__fail(TL_E_SYNC_PROTOCOL_ERROR,
				"the peer tells fates of other entries than were sent");
		rc = take_fate(session, &line, index++);
	}
	if (rc == TL_OK && index != session->push.ids.count)
		return tl__fail(
			TL_E_SYNC_PROTOCOL_ERROR, "the peer does not tell every entry's fate");
	return rc;
}

static bool may_look(const tl__session *session)
{
	return (session->pair->does & TL__PULLS) && !session->pull.done &&
	       session->pull.reason < TL__PULL_LOOK;
}

/* What it has is asked for in the same exchange; then we come back here. */
static void look(tl__sync *sync, tl__session *session)
{
	tl__pull_start(sync, session, TL__PULL_LOOK);
}

static void page_settled(tl__sync *sync, tl__session *session)
{
	bool named = session->push.kind == TL__PLAN_NAMED;
	tl__pair *pair = session->pair;

	if (session->push.kind == TL__PLAN_BY_TIPS) {
		/* It had lost entries: look again with its tips of then. */
		pair->wanted = pair->wanted || session->sent > 0;
		finish(sync, session);
		return;
	}
	if (!named) {
		session->push.from = session->push.to;
		acknowledge(sync, session);
	}
	if (session->push.wants.count > 0 || session->push.more || named)
		give_plan(sync, session, false);
	else if (session->push.stand == TL__STAND_AHEAD && may_look(session) &&
		 !tl__watch_tells(pair))
		look(sync, session);
	else
		finish(sync, session);
}

/* It takes nothing from us. One that may only read, and was stopped before it noted how far it had
 * got, holds nothing but what the peer has: look, before calling it a failure. */
static void refused(tl__sync *sync, tl__session *session, const tl__call_result *result)
{
	if (result->status == TL__V1_NOT_PERMITTED && may_look(session)) {
		look(sync, session);
	} else if (tl__page_again(session, result, session->push.ids.count > 1)) {
		session->push.wants.count = session->push.wanted_count;
		give_plan(sync, session, session->push.kind == TL__PLAN_BY_TIPS);
	} else {
		session->pair->takes_nothing = tl__sync_is_refusal(result->code);
		tl__session_refused(sync, session, result);
	}
}

static tl__stand stand_of(const tl__session *session, const tl__v1_fates *fates)
{
	if (!fates->has_state)
		return TL__STAND_UNTOLD;
	if (fates->arrivals > session->pair->seen.n)
		return TL__STAND_AHEAD;
	return fates->arrivals == session->sent ? TL__STAND_OURS : TL__STAND_EVEN;
}

static void fates_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__session *session = tl__session_back(sync, owner, result);
	tl__v1_fates fates;
	int rc;

	(void)ud;
	if (!session)
		return;
	if (result->code != TL_OK) {
		refused(sync, session, result);
		return;
	}
	rc = tl__v1_read_fates(&fates, result->args);
	if (rc == TL_OK && !fates.seen_valid) {
		/* Its store was rolled back: next time from the start. */
		tl__pair_restart(sync, session->pair);
		session->pair->has_seen = session->pair->has_sure = false;
		session->pair->wanted = true;
		tl__pair_save_cursors(sync, session->pair);
		tl__session_finish(sync, session);
		return;
	}
	if (rc == TL_OK)
		rc = read_fates(session, result);
	if (rc != TL_OK) {
		tl__session_fail(
			sync, session, rc == TL_E_NOMEM ? rc : TL_E_SYNC_PROTOCOL_ERROR, NULL);
		return;
	}
	session->push.took = true;
	session->pair->takes_nothing = false;
	take_place(session, &fates);
	session->push.stand = stand_of(session, &fates);
	tl__pair_save_cursors(sync, session->pair);
	session->pair->progress_entries = session->received + session->sent;
	page_settled(sync, session);
}
