/* v1 pull: pages by cursor until the responder has no more, then the end check. The next page is
 * asked for while the last one is being stored. */
#include "sync/out/session.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"

#define MAX_INGESTS 3 /* pages waiting to be stored */

static void ask(tl__sync *sync, tl__session *session);
static void go_on(tl__sync *sync, tl__session *session);

/* --- what we hold ----------------------------------------------------------------------------- */

static void tips_done(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_worked(sync, work);
	const tl__work_tips *in;
	int rc = TL_OK;

	if (!session)
		return;
	in = &work->tips;
	session->pull.held = in->held;
	session->pair->key_mask = in->key_mask;
	session->pull.tips_told.count = in->tip_count;
	session->pull.tips_told.hashed = in->tip_count > TL__V1_MAX_TIPS;
	memcpy(session->pull.tips_told.sha256, in->tips_hash, sizeof in->tips_hash);
	session->pull.tips.count = 0; /* of a pull before this one */
	if (!session->pull.tips_told.hashed)
		rc = tl__ids_add_all(&session->pull.tips, in->ids, in->id_count);
	tl__work_free(work);
	if (rc != TL_OK)
		tl__session_fail(sync, session, rc, NULL);
	else if (tl__session_go(sync, session, TL__STEP_PAGES))
		ask(sync, session);
}

/* What was declined before may be good by now: it is read once more, across exchanges that a rate
 * ends behind each page. */
static void begin_at(tl__session *session)
{
	tl__pair *pair = session->pair;
	tl__session_pull *pull = &session->pull;
	bool goes_on = pair->has_reread && pair->has_seen && !pull->from_sure &&
		       tl__v1_is_before(&pair->reread, &pair->seen);

	pull->has_cursor = goes_on || (pull->from_sure ? pair->has_sure : pair->has_seen);
	pull->cursor = goes_on ? pair->reread : pull->from_sure ? pair->sure : pair->seen;
	pull->rereads = goes_on || (pull->from_sure && pair->has_seen);
	pair->has_reread = false;
}

void tl__pull_start(tl__sync *sync, tl__session *session, tl__pull_reason reason)
{
	tl__pair *pair = session->pair;
	tl__work *work;

	/* A time still to come was noted before the clock was set back. */
	bool long_ago = sync->wall < pair->sure_since ||
			sync->wall - pair->sure_since > TL__SYNC_SURE_AGAIN_MS;

	session->pull.reason = reason;
	session->gain = (tl__gain){.doubted = session->peer->fruitless > 0};
	if (long_ago || pair->from_sure) {
		session->pull.from_sure = true;
		pair->from_sure = false;
		pair->sure_tried = sync->now;
		pair->sure_since = sync->wall;
	}
	begin_at(session);
	/* `sure` follows only when this exchange covers everything above it. */
	if (!pair->has_seen || tl__pair_is_sure(pair))
		session->pull.from_sure = true;
	work = tl__session_work(sync, session, TL__STEP_TIPS, TL__WORK_TIPS, tips_done);
	if (!work)
		return;
	work->tips.max_tips = TL__V1_MAX_TIPS;
	work->tips.keys = tl__session_keys(sync, work, &work->tips.key_count);
	tl__session_give(sync, session, work);
}

/* --- asking for a page ------------------------------------------------------------------------ */

static void page_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

/* Once, what was given from `sure` on is of no use again: `seen` is behind it. */
static bool may_skip(const tl__session *session)
{
	const tl__pair *pair = session->pair;

	return session->pull.rereads && session->pull.skip != TL__SKIP_DONE && pair->has_seen &&
	       session->pull.has_cursor && session->step == TL__STEP_PAGES &&
	       tl__v1_is_before(&session->pull.cursor, &pair->seen);
}

static void skip(tl__session *session)
{
	if (session->pull.skip != TL__SKIP_NEXT)
		return;
	session->pull.skip = TL__SKIP_NOT;
	if (!may_skip(session))
		return;
	session->pull.skip = TL__SKIP_DONE;
	session->pull.gap = true;
	session->pull.cursor = session->pair->seen;
	session->gain = (tl__gain){.known = session->gain.known};
}

/* What was pushed just before need not come back: a commit since hides that behind its tip. */
static void write_have(tl__session *session, tl__buf *body)
{
	size_t count = session->push.took ? session->push.ids.count : 0;

	tl__ids_sort(&session->push.ids);
	for (size_t i = 0; i < count && i < TL__V1_MAX_HAVE; i++)
		tl__v1_write_id(body, TL__V1_LINE_HAVE, &session->push.ids.at[i]);
}

static void ask(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	tl__v1_pull pull = {0};
	tl__call *call;

	/* What is being stored may lack something, which is asked for before it rests. */
	if (session->ingests > 0 && tl__session_is_to_rest(sync, session))
		return;
	if (session->pull.wants.count == 0 && tl__session_rests(sync, session))
		return;
	call = tl__session_call(
		sync, session, session->step, tl__call_new(sync, &tl__call_v1, session->peer));
	if (!call)
		return;
	skip(session);
	call->method = TL__V1_PULL;
	call->done = page_done;
	/* Which of our keys opens what is not held cannot be known: the one that asked, or all. */
	tl__call_prove(sync, call, pair->db,
		session->pull.held || pair->db->has_access ? pair->key_mask : UINT32_MAX);
	pull.has_cursor = session->pull.has_cursor;
	pull.cursor = session->pull.cursor;
	pull.has_seen = pair->has_seen;
	pull.seen = pair->seen;
	pull.budget =
		tl__rate_page(sync, &session->peer->key, pair, tl__page_bytes(sync, session->peer));
	pull.tips = session->pull.tips_told;
	pull.state = session->peer->takes_state;
	tl__v1_write_pull(&call->args, &pull);
	for (size_t i = 0; !pull.tips.hashed && i < session->pull.tips.count; i++)
		tl__v1_write_id(&call->body, TL__V1_LINE_TIP, &session->pull.tips.at[i]);
	write_have(session, &call->body);
	tl__ids_sort(&session->pull.wants);
	for (size_t i = 0; i < session->pull.wants.count; i++)
		tl__v1_write_id(&call->body, TL__V1_LINE_WANT, &session->pull.wants.at[i]);
	session->pull.wanted_count = session->pull.wants.count;
	session->pull.wants.count = 0;
	session->pull.page_smallest = pull.budget == 1;
	tl__session_send(sync, session, call);
}

/* --- a page ----------------------------------------------------------------------------------- */

static void stored(void *ud, tl__work *work);

/* What was wanted there is asked for in the next exchange. */
static void ask_smaller(tl__sync *sync, tl__session *session)
{
	session->pull.gap = session->pull.gap || session->pull.wanted_count > 0;
	ask(sync, session);
}

/* A peer that gives nothing may still take: it may lack the database. The refusal is kept, as what
 * the exchange ends with unless it gives after that. */
static void refused(tl__sync *sync, tl__session *session, const tl__call_result *result)
{
	bool lacking =
		result->status == TL__V1_NOT_AVAILABLE || result->status == TL__V1_NOT_PERMITTED;

	if (tl__page_again(session, result, !session->pull.page_smallest)) {
		ask_smaller(sync, session);
		return;
	}
	if (!lacking || !session->pull.held || !(session->pair->does & TL__PUSHES) ||
		session->ingests > 0 || session->pull.reason == TL__PULL_AGAIN) {
		tl__session_refused(sync, session, result);
		return;
	}
	session->pull.refused_code = result->code;
	tl__text_copy(session->pull.refused_error, sizeof session->pull.refused_error,
		tl__str_z(result->error));
	tl__push_start(sync, session);
}

static void page_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__session *session = tl__session_back(sync, owner, result);
	tl__work *work;
	bool more;
	int rc;

	(void)ud;
	if (!session)
		return;
	if (result->code != TL_OK) {
		refused(sync, session, result);
		return;
	}
	session->pull.wanted_count = 0;
	work = tl__session_work(sync, session, session->step, TL__WORK_INGEST, stored);
	if (!work)
		return;
	rc = tl__pull_take(sync, session, work, result, &more);
	if (rc != TL_OK) {
		tl__work_free(work);
		if (rc == TL_E_NOMEM)
			tl__session_fail(sync, session, rc, NULL);
		else
			tl__session_fruitless(sync, session, NULL);
		return;
	}
	if (tl__session_go(sync, session, more ? TL__STEP_PAGES : TL__STEP_NAMED))
		go_on(sync, session);
}

/* --- stored ----------------------------------------------------------------------------------- */

static int add_want(tl__session *session, const tl_id *id)
{
	if (session->pull.wants.count >= TL__V1_MAX_WANT ||
		session->asked.count >= TL__SYNC_MAX_ASIDE) {
		session->pull.gap = true;
		return TL_OK;
	}
	if (!tl__session_note(session, id))
		return TL_OK;
	return tl__ids_add(&session->pull.wants, id);
}

static void stored(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_worked(sync, work);
	int rc = TL_OK;

	if (!session)
		return;
	tl__session_ingested(sync, session, work);
	for (size_t i = 0; rc == TL_OK && i < work->ingest.result.missing_count; i++)
		rc = add_want(session, &work->ingest.result.missing[i]);
	/* What else is asked for by name ends by itself. */
	if (rc == TL_OK && tl__gain_page(&session->gain, &work->ingest) != TL_OK &&
		session->step == TL__STEP_PAGES) {
		if (may_skip(session))
			session->pull.skip = TL__SKIP_NEXT;
		else
			rc = TL_E_SYNC_PROTOCOL_ERROR;
	}
	tl__work_free(work);
	if (rc == TL_E_SYNC_PROTOCOL_ERROR)
		tl__session_fruitless(sync, session, NULL);
	else if (rc != TL_OK)
		tl__session_fail(sync, session, rc, NULL);
	else
		go_on(sync, session);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void finish(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;

	if (!session->pull.held && session->declined == 0 && pair->db->arrivals == 0) {
		tl__session_fail(sync, session, TL_E_WRONG_ROOT,
			"the peer answered without the root entry of the database, which nothing "
			"can "
			"be kept without");
		return;
	}
	if (session->pull.has_cursor) {
		pair->has_seen = true;
		pair->seen = session->pull.cursor;
		pair->gap = session->pull.gap || (pair->gap && !session->pull.from_sure);
		if (session->declined == 0 && session->pull.from_sure && !session->pull.gap) {
			pair->has_sure = true;
			pair->sure = session->pull.cursor;
		}
		tl__pair_save_cursors(sync, pair);
	}
	session->pull.done = true;
	tl__push_start(sync, session);
}

/* A tip that nobody gives: its word counts for nothing, the next exchange starts anew. */
static void lying(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;

	pair->has_seen = pair->has_sure = false;
	tl__pair_save_cursors(sync, pair);
	session->pull.has_cursor = false;
	tl__session_fruitless(
		sync, session, "the peer names entries as its newest that it does not give");
}

static void checked(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_worked(sync, work);
	bool lacking = false;
	int rc = TL_OK;

	if (!session)
		return;
	for (size_t i = 0; rc == TL_OK && i < work->lookup.count; i++) {
		const tl_id *id = &work->lookup.ids[i];

		if (work->lookup.found[i] != TL__FOUND_NOT)
			continue;
		/* What was declined or asked for already stays away for a reason. */
		lacking = lacking || !tl__map_has(&session->asked, tl__map_key_id(id));
		if (session->declined == 0 && tl__map_has(&session->asked, tl__map_key_id(id)))
			rc = TL_E_SYNC_PROTOCOL_ERROR;
		else
			rc = add_want(session, id);
	}
	session->pull.differs = !work->lookup.same_tips;
	tl__work_free(work);
	if (rc == TL_E_SYNC_PROTOCOL_ERROR ||
		(lacking && session->pull.rounds >= TL__SYNC_MAX_ROUNDS))
		lying(sync, session);
	else if (rc != TL_OK)
		tl__session_fail(sync, session, rc, NULL);
	else if (session->pull.wants.count == 0)
		finish(sync, session);
	else if (tl__session_go(sync, session, TL__STEP_NAMED))
		go_on(sync, session);
}

/* Every tip of the answer must be in our DAG or set aside. */
static void end_check(tl__sync *sync, tl__session *session)
{
	tl__work *work;

	if (session->theirs.count == 0) {
		finish(sync, session);
		return;
	}
	work = tl__session_work(sync, session, TL__STEP_CHECK, TL__WORK_LOOKUP, checked);
	if (work && tl__session_copy_ids(sync, session, work, &session->theirs, &work->lookup.ids,
			    &work->lookup.count))
		tl__session_give(sync, session, work);
}

/* Pages that are stored while the next one is asked for: none where it may well be junk. */
static unsigned most_ahead(const tl__session *session)
{
	return session->gain.doubted || session->gain.idle > 0 ? 1 : MAX_INGESTS;
}

/* Called whenever something came back. */
static void go_on(tl__sync *sync, tl__session *session)
{
	if (!tl__session_runs(session) || session->call != 0 || session->works > 0)
		return;
	if (session->step == TL__STEP_PAGES) {
		if (session->ingests < most_ahead(session))
			ask(sync, session);
		return;
	}
	if (session->ingests > 0)
		return;
	if (session->pull.wants.count > 0 && session->pull.rounds < TL__SYNC_MAX_ROUNDS) {
		session->pull.rounds++;
		ask(sync, session);
		return;
	}
	/* Its entries wait for more than one exchange asks for. */
	session->pull.gap = session->pull.gap || session->pull.wants.count > 0;
	session->pull.wants.count = 0;
	end_check(sync, session);
}
