/* v1 pull: pages by cursor until the responder has no more, then the end check. The next page is
 * asked for while the last one is being stored. */
#include "sync/out/outbound.h"

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

	if (!session)
		return;
	in = &work->tips;
	session->held = in->held;
	session->key_mask = session->pair->key_mask = in->key_mask;
	session->tips_told.count = in->tip_count;
	session->tips_told.hashed = in->tip_count > TL__V1_MAX_TIPS;
	memcpy(session->tips_told.sha256, in->tips_hash, sizeof in->tips_hash);
	tl__free(session->tips); /* of a pull before this one */
	session->tips = NULL;
	session->tip_count = 0;
	if (!session->tips_told.hashed && in->id_count > 0) {
		session->tips = tl__alloc(in->id_count * sizeof *session->tips);
		if (!session->tips) {
			tl__work_free(work);
			tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
			return;
		}
		memcpy(session->tips, in->ids, in->id_count * sizeof *session->tips);
		session->tip_count = in->id_count;
	}
	tl__work_free(work);
	ask(sync, session);
}

void tl__pull_start(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	tl__work *work;

	/* A time still to come was noted before the clock was set back. */
	bool long_ago = sync->wall < pair->sure_since ||
			sync->wall - pair->sure_since > TL__SYNC_SURE_AGAIN_MS;

	session->pulling = true;
	session->gain = (tl__gain){.doubted = session->peer->fruitless > 0};
	if (long_ago || pair->from_sure) {
		session->from_sure = true;
		pair->from_sure = false;
		pair->sure_tried = sync->now;
		pair->sure_since = sync->wall;
	}
	session->has_cursor = session->from_sure ? pair->has_sure : pair->has_seen;
	session->cursor = session->from_sure ? pair->sure : pair->seen;
	/* `sure` follows only when this exchange covers everything above it. */
	if (!pair->has_seen || tl__pair_is_sure(pair))
		session->from_sure = true;
	work = tl__session_work(sync, session, TL__WORK_TIPS, tips_done);
	if (!work)
		return;
	work->tips.max_tips = TL__V1_MAX_TIPS;
	work->tips.keys = tl__session_keys(sync, work, &work->tips.key_count);
	tl__session_give(sync, session, work);
}

/* --- asking for a page ------------------------------------------------------------------------ */

static void page_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

static int compare_ids(const void *a, const void *b)
{
	return memcmp(((const tl_id *)a)->b, ((const tl_id *)b)->b, TL_ID_BYTES);
}

/* Once, what was given from `sure` on is of no use again: `seen` is behind it. */
static bool may_skip(const tl__session *session)
{
	const tl__pair *pair = session->pair;

	return session->from_sure && !session->skipped && pair->has_seen && session->has_cursor &&
	       !session->answered_all && session->cursor.n < pair->seen.n &&
	       memcmp(session->cursor.incarnation, pair->seen.incarnation,
		       sizeof pair->seen.incarnation) == 0;
}

static void skip(tl__session *session)
{
	if (!session->skips)
		return;
	session->skips = false;
	if (!may_skip(session))
		return;
	session->skipped = session->gap = true;
	session->cursor = session->pair->seen;
	session->gain = (tl__gain){.known = session->gain.known};
}

/* What was pushed just before need not come back: a commit since hides that behind its tip. */
static void write_have(tl__session *session, tl__buf *body)
{
	size_t count = session->took ? session->plan_count : 0;

	if (count > 1)
		qsort(session->plan_ids, count, sizeof *session->plan_ids, compare_ids);
	for (size_t i = 0; i < count && i < TL__V1_MAX_HAVE; i++)
		tl__v1_write_id(body, TL__V1_LINE_HAVE, &session->plan_ids[i]);
}

static void ask(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	tl__v1_pull pull = {0};
	tl__call *call;

	/* What is being stored may lack something, which is asked for before it rests. */
	if (session->ingests > 0 && tl__session_is_to_rest(sync, session))
		return;
	if (session->want_count == 0 && tl__session_rests(sync, session))
		return;
	call = tl__session_call(sync, session, tl__call_new(sync, &tl__call_v1, session->peer));
	if (!call)
		return;
	skip(session);
	call->method = TL__V1_PULL;
	call->done = page_done;
	/* Which of our keys opens what is not held cannot be known: the one that asked, or all. */
	tl__call_prove(sync, call, pair->db,
		session->held || pair->db->has_access ? session->key_mask : UINT32_MAX);
	pull.has_cursor = session->has_cursor;
	pull.cursor = session->cursor;
	pull.has_seen = pair->has_seen;
	pull.seen = pair->seen;
	pull.budget =
		tl__rate_page(sync, &session->peer->key, pair, tl__page_bytes(sync, session->peer));
	pull.tips = session->tips_told;
	pull.state = session->peer->takes_state;
	tl__v1_write_pull(&call->args, &pull);
	for (size_t i = 0; !pull.tips.hashed && i < session->tip_count; i++)
		tl__v1_write_id(&call->body, TL__V1_LINE_TIP, &session->tips[i]);
	write_have(session, &call->body);
	if (session->want_count > 1)
		qsort(session->wants, session->want_count, sizeof *session->wants, compare_ids);
	for (size_t i = 0; i < session->want_count; i++)
		tl__v1_write_id(&call->body, TL__V1_LINE_WANT, &session->wants[i]);
	session->wanted_count = session->want_count;
	session->want_count = 0;
	session->page_smallest = pull.budget == 1;
	tl__session_send(sync, session, call);
}

/* --- a page ----------------------------------------------------------------------------------- */

static void stored(void *ud, tl__work *work);

/* What was wanted there is asked for in the next exchange. */
static void ask_smaller(tl__sync *sync, tl__session *session)
{
	session->gap = session->gap || session->wanted_count > 0;
	ask(sync, session);
}

/* A peer that gives nothing may still take: it may lack the database. The refusal is kept, as what
 * the exchange ends with unless it gives after that. */
static void refused(tl__sync *sync, tl__session *session, const tl__call_result *result)
{
	bool lacking =
		result->status == TL__V1_NOT_AVAILABLE || result->status == TL__V1_NOT_PERMITTED;

	if (tl__page_again(session, result, !session->page_smallest)) {
		ask_smaller(sync, session);
		return;
	}
	if (!lacking || !session->held || !(session->pair->does & TL__PUSHES) ||
		session->ingests > 0 || session->reread) {
		tl__session_refused(sync, session, result->code, result->error);
		return;
	}
	session->refused_code = result->code;
	tl__text_copy(
		session->refused_error, sizeof session->refused_error, tl__str_z(result->error));
	session->pulling = false;
	tl__push_start(sync, session);
}

static void page_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__session *session = tl__session_back(sync, owner, result);
	tl__work *work;
	int rc;

	(void)ud;
	if (!session)
		return;
	if (result->code != TL_OK) {
		refused(sync, session, result);
		return;
	}
	session->wanted_count = 0;
	work = tl__session_work(sync, session, TL__WORK_INGEST, stored);
	if (!work)
		return;
	rc = tl__pull_take(sync, session, work, result);
	if (rc != TL_OK) {
		tl__work_free(work);
		if (rc == TL_E_NOMEM)
			tl__session_fail(sync, session, rc, NULL);
		else
			tl__session_fruitless(sync, session, NULL);
		return;
	}
	go_on(sync, session);
}

/* --- stored ----------------------------------------------------------------------------------- */

static int add_want(tl__session *session, const tl_id *id)
{
	tl_id *bigger;

	if (session->want_count >= TL__V1_MAX_WANT || session->asked.count >= TL__SYNC_MAX_ASIDE) {
		session->gap = true;
		return TL_OK;
	}
	if (!tl__session_note(session, id))
		return TL_OK;
	bigger = tl__resize(session->wants, session->want_count + 1, sizeof *bigger);
	if (!bigger)
		return TL_E_NOMEM;
	session->wants = bigger;
	session->wants[session->want_count++] = *id;
	return TL_OK;
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
		!session->answered_all) {
		session->skips = may_skip(session);
		rc = session->skips ? TL_OK : TL_E_SYNC_PROTOCOL_ERROR;
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

	if (!session->held && session->declined == 0 && pair->db->arrivals == 0) {
		tl__session_fail(sync, session, TL_E_WRONG_ROOT,
			"the peer answered without the root entry of the database, which nothing "
			"can "
			"be kept without");
		return;
	}
	if (session->has_cursor) {
		pair->has_seen = true;
		pair->seen = session->cursor;
		pair->gap = session->gap || (pair->gap && !session->from_sure);
		if (session->declined == 0 && session->from_sure && !session->gap) {
			pair->has_sure = true;
			pair->sure = session->cursor;
		}
		tl__pair_save_cursors(sync, pair);
	}
	session->pulling = false;
	session->pulled = true;
	tl__push_start(sync, session);
}

/* A tip that nobody gives: its word counts for nothing, the next exchange starts anew. */
static void lying(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;

	pair->has_seen = pair->has_sure = false;
	tl__pair_save_cursors(sync, pair);
	session->has_cursor = false;
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
	session->same_tips = work->lookup.same_tips;
	tl__work_free(work);
	if (rc == TL_E_SYNC_PROTOCOL_ERROR || (lacking && session->rounds >= TL__SYNC_MAX_ROUNDS))
		lying(sync, session);
	else if (rc != TL_OK)
		tl__session_fail(sync, session, rc, NULL);
	else if (session->want_count > 0)
		go_on(sync, session);
	else
		finish(sync, session);
}

/* Every tip of the answer must be in our DAG or set aside. */
static void end_check(tl__sync *sync, tl__session *session)
{
	tl__work *work;
	tl_id *ids;

	if (!session->theirs_known || session->their_count == 0) {
		finish(sync, session);
		return;
	}
	work = tl__session_work(sync, session, TL__WORK_LOOKUP, checked);
	if (!work)
		return;
	ids = tl__arena_alloc(&work->arena, session->their_count, sizeof *ids);
	if (!ids) {
		tl__work_free(work);
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
		return;
	}
	memcpy(ids, session->theirs, session->their_count * sizeof *ids);
	work->lookup.ids = ids;
	work->lookup.count = session->their_count;
	tl__session_give(sync, session, work);
}

/* Called whenever something came back. */
/* Pages that are stored while the next one is asked for: none where it may well be junk. */
static unsigned most_ahead(const tl__session *session)
{
	return session->gain.doubted || session->gain.idle > 0 ? 1 : MAX_INGESTS;
}

static void go_on(tl__sync *sync, tl__session *session)
{
	if (session->failing || session->call != 0 || session->works > 0)
		return;
	if (!session->answered_all) {
		if (session->ingests < most_ahead(session))
			ask(sync, session);
		return;
	}
	if (session->ingests > 0)
		return;
	if (session->want_count > 0 && session->rounds < TL__SYNC_MAX_ROUNDS) {
		session->rounds++;
		ask(sync, session);
		return;
	}
	/* Its entries wait for more than one exchange asks for. */
	session->gap = session->gap || session->want_count > 0;
	session->want_count = 0;
	end_check(sync, session);
}
