/* One exchange with a 0.2.0 peer: SyncTree for what it has, SendEntries (send_v0.c) for what it
 * lacks, and SyncTree again, because its Ack says nothing about the entries' fate. Such a node
 * stores an entry for every SyncTree: behind commits it is asked once it is quiet, or from time to
 * time. */
#include "v0/out/out.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

/* Where the limit of answers ends up that do not end. */
#define MIN_ANSWER_BYTES (16u * 1024 * 1024)

static void ask(tl__sync *sync, tl__session *session);

static void finish(tl__sync *sync, tl__session *session, uint64_t head)
{
	tl__pair *pair = session->pair;

	if (session->unsettled == TL__SETTLED && head > pair->ack)
		pair->ack = head;
	if (!session->offer_again && head > pair->offered)
		pair->offered = head;
	if (pair->confirm_by > 0)
		pair->confirm_by = pair->again_at = 0;
	pair->local_changed = true;
	pair->level = tl__v0_of(session)->told && session->unsettled == TL__SETTLED &&
		      session->declined == 0;
	pair->level_at = head;
	tl__session_finish(sync, session);
}

/* --- SyncTree --------------------------------------------------------------------------------- */

static void tree_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

static void write_tree(tl__sync *sync, const tl__session *session, const tl__v0_tips *in,
	tl__arena *arena, tl__buf *out)
{
	const tl__sync_db *db = session->pair->db;
	size_t count = tl__v0_of(session)->whole || !in->held ? 0 : in->count;
	char(*texts)[TL_ID_TEXT_LEN + 1] = tl__arena_alloc(arena, count + 1, sizeof *texts);
	tl_str *tips = tl__arena_alloc(arena, count + 1, sizeof *tips);
	tl__v0_sync_tree message = {0};
	char id[TL_ID_TEXT_LEN + 1], key[TL_KEY_TEXT_LEN + 1];

	if (!texts || !tips) {
		out->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		tl_id_format(&in->ids[i], texts[i]);
		tips[i] = tl__str_z(texts[i]);
	}
	tl_id_format(&db->id, id);
	message.tree_id = tl__str_z(id);
	message.our_tips = tips;
	message.tip_count = count;
	message.peer_pubkey = tl__str_z(sync->key_text);
	if (db->has_access) {
		tl_key_format(&db->access_key, key);
		message.requesting_key = tl__str_z(key);
		message.requesting_key_name = tl__str_z(db->access_name);
		message.has_permission = true;
		message.permission = db->access_permission;
	}
	tl__v0_write_sync_tree(out, &message);
}

static uint64_t most_bytes(const tl__sync *sync, const tl__pair *pair)
{
	uint64_t most = sync->options.max_response_bytes;
	uint64_t halved = pair->halved < 64 ? most >> pair->halved : 0;

	if (halved < MIN_ANSWER_BYTES)
		halved = MIN_ANSWER_BYTES;
	return halved < most ? halved : most;
}

static void tips_done(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_worked(sync, work);
	const tl__v0_tips *tips;
	tl__call *call;

	if (!session)
		return; /* and the work is gone */
	tips = work->other.own;
	tl__v0_of(session)->held = tips->held;
	call = tl__session_call(sync, session, TL__STEP_V0_ASK,
		tl__v0_call_new(sync, TL__V0_CALL_TREE, session->peer));
	if (call) {
		call->done = tree_done;
		tl__v0_call_bound(call, most_bytes(sync, session->pair));
		write_tree(sync, session, tips, &work->arena, &call->body);
		tl__session_send(sync, session, call);
	}
	tl__work_free(work);
}

static void ask(tl__sync *sync, tl__session *session)
{
	tl__work *work =
		tl__session_work(sync, session, TL__STEP_V0_TIPS, TL__WORK_OTHER, tips_done);

	if (!work)
		return;
	if (tl__work_begin_other(work, &tl__v0_tips_work, sizeof(tl__v0_tips))) {
		tl__session_give(sync, session, work);
		return;
	}
	tl__work_free(work);
	tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
}

/* --- its answer ------------------------------------------------------------------------------- */

static int check_tree_id(const tl__session *session, const tl__v0_response *response)
{
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(&session->pair->db->id, id);
	if (tl__str_eq(response->tree_id, tl__str_z(id)))
		return TL_OK;
	return tl__fail(TL_E_WRONG_ROOT, "the peer answered about another database than asked for");
}

static int check_answer(const tl__session *session, const tl__intake *intake)
{
	const tl__v0_response *response = tl__v0_intake_response(intake);
	tl_id root;
	int rc;

	switch (response->kind) {
	case TL__V0_RESPONSE_BOOTSTRAP:
		rc = check_tree_id(session, response);
		if (rc == TL_OK && (!tl__v0_intake_root(intake, &root) ||
					   !tl__id_equal(&root, &session->pair->db->id)))
			rc = tl__fail(TL_E_WRONG_ROOT,
				"the root entry given is not the one of the database asked for");
		return rc;
	case TL__V0_RESPONSE_INCREMENTAL: return check_tree_id(session, response);
	case TL__V0_RESPONSE_PENDING:
		return tl__fail(TL_E_BOOTSTRAP_PENDING,
			"access waits for the peer's approval (request %.*s)",
			TL__STR_ARG(response->request_id));
	case TL__V0_RESPONSE_ERROR:
		return tl__fail(TL_E_SYNC_PROTOCOL_ERROR, "the peer answered with an error: %.*s",
			(int)(response->text.len > 160 ? 160 : response->text.len),
			response->text.ptr ? response->text.ptr : "");
	default:
		return tl__fail(TL_E_UNEXPECTED_RESPONSE,
			"the peer answered a request for entries with something else");
	}
}

/* What it says it has: whatever of it we hold need not be sent. */
static int keep_tips(tl__session *session, const tl__v0_response *response)
{
	size_t count =
		response->tip_count > TL__V0_MAX_TIPS ? TL__V0_MAX_TIPS : response->tip_count;
	tl_id tip;
	int rc = TL_OK;

	session->theirs.count = 0;
	for (size_t i = 0; rc == TL_OK && i < count; i++)
		if (tl_id_parse(&tip, response->their_tips[i]) == TL_OK)
			rc = tl__ids_add(&session->theirs, &tip);
	return rc;
}

static void untold(tl__sync *sync, tl__session *session)
{
	session->pair->untold = true;
	tl__session_unsettled(session);
	if (session->declined_code == TL_OK) {
		session->declined_code = TL_E_NOT_AVAILABLE;
		snprintf(session->error, sizeof session->error,
			"the peer is sent what is new here but does not say what it holds: its "
			"user has to enable sync for this database there");
	}
	finish(sync, session, tl__v0_of(session)->from);
}

/* It refuses also because it lacks the database, which nobody can tell: what was not offered yet is
 * offered once, and its tips are asked for again. */
static bool offer_blindly(tl__sync *sync, tl__session *session, const tl__intake *intake)
{
	if (tl__v0_intake_response(intake)->kind != TL__V0_RESPONSE_ERROR ||
		!tl__v0_of(session)->held || !(session->pair->does & TL__PUSHES))
		return false;
	if (tl__v0_of(session)->aim == TL__V0_AIM_BLIND || tl__v0_of(session)->sends > 0) {
		untold(sync, session);
	} else {
		tl__v0_of(session)->aim = TL__V0_AIM_BLIND;
		tl__send_v0_plan(sync, session);
	}
	return true;
}

/* The first answer after a time without: everything since the last acknowledged is looked at. */
static void it_tells(tl__session *session)
{
	tl__pair *pair = session->pair;

	if (tl__v0_of(session)->sends > 0 || (pair->confirm_by > 0 && !pair->untold))
		tl__v0_of(session)->aim = TL__V0_AIM_CONFIRM;
	if (pair->untold)
		session->unsettled = TL__SETTLED;
	pair->untold = false;
}

static void stored(void *ud, tl__work *work);

/* One that does not end is spooled again at each attempt: half of it, and less often. */
static void too_long(tl__sync *sync, tl__session *session, const char *error)
{
	tl__pair *pair = session->pair;
	char text[TL__SYNC_ERROR_TEXT];

	snprintf(text, sizeof text,
		"%.120s (%llu bytes); until an answer fits, half as many are read at each attempt",
		error, (unsigned long long)most_bytes(sync, pair));
	if (pair->halved < UINT32_MAX && most_bytes(sync, pair) > MIN_ANSWER_BYTES)
		pair->halved++;
	pair->useless_until = tl__peer_fruitless(sync, session->peer);
	tl__session_fail(sync, session, TL_E_TOO_LARGE, text);
}

static void tree_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__session *session = tl__session_back(sync, owner, result);
	tl__work *work;
	int rc;

	(void)ud;
	if (session && result->code == TL_E_TOO_LARGE) {
		too_long(sync, session, result->error);
		return;
	}
	if (session && result->code != TL_OK) {
		tl__session_fail(sync, session, result->code, result->error);
		return;
	}
	if (!session || !result->intake) {
		tl__intake_free(result->intake);
		if (session)
			tl__session_fail(sync, session, TL_E_NETWORK, "the answer was lost");
		return;
	}
	if (offer_blindly(sync, session, result->intake)) {
		tl__intake_free(result->intake);
		return;
	}
	rc = check_answer(session, result->intake);
	if (rc == TL_OK)
		rc = keep_tips(session, tl__v0_intake_response(result->intake));
	work = rc == TL_OK
		       ? tl__session_work(sync, session, TL__STEP_V0_STORE, TL__WORK_INGEST, stored)
		       : NULL;
	if (!work) {
		if (rc != TL_OK)
			tl__session_fail(sync, session, rc, NULL);
		tl__intake_free(result->intake);
		return;
	}
	session->gain = (tl__gain){.doubted = session->peer->fruitless > 0};
	session->pair->halved = 0;
	work->ingest.intake = result->intake;
	work->ingest.page.db = session->pair->db->id;
	work->ingest.page.form = TL_ENTRY_FOREIGN;
	work->ingest.page.sender = tl__arena_str(&work->arena, tl__str_z(session->peer->text));
	work->ingest.page.related = true;
	work->ingest.page.accept_unknown = true;
	tl__session_give(sync, session, work);
}

/* A bootstrap tells no tips: without them everything it gave would be pushed back. */
static void ask_after_all(tl__sync *sync, tl__session *session)
{
	if (!tl__v0_of(session)->retold) {
		tl__v0_of(session)->retold = true;
		ask(sync, session);
		return;
	}
	tl__session_unsettled(session);
	finish(sync, session, tl__v0_of(session)->from);
}

static void stored(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_worked(sync, work);
	bool whole, rootless, useless;
	size_t missing;

	if (!session)
		return;
	tl__session_ingested(sync, session, work);
	useless = tl__gain_page(&session->gain, &work->ingest) != TL_OK;
	if (work->ingest.more && !useless) {
		tl__ingest_result_free(&work->ingest.result);
		memset(&work->ingest.result, 0, sizeof work->ingest.result);
		tl__session_give(sync, session, work);
		return;
	}
	whole = tl__v0_intake_response(work->ingest.intake)->kind == TL__V0_RESPONSE_BOOTSTRAP;
	missing = work->ingest.result.missing_count;
	rootless = !tl__v0_of(session)->held && work->ingest.after == 0;
	tl__work_free(work);
	/* A single entry cannot be asked for: the whole database is, once. */
	tl__v0_of(session)->whole = false;
	if (missing > 0 && !whole && tl__v0_of(session)->rounds++ == 0) {
		tl__v0_of(session)->whole = true;
		ask(sync, session);
		return;
	}
	if (useless) {
		tl__session_fruitless(sync, session, NULL);
		return;
	}
	if (rootless) {
		tl__session_fail(sync, session, TL_E_WRONG_ROOT,
			"the peer answered without the root of the database, and nothing can be "
			"kept without it");
		return;
	}
	tl__v0_of(session)->told = true;
	it_tells(session);
	if (!(session->pair->does & TL__PUSHES))
		tl__session_finish(sync, session);
	else if (whole && tl__v0_of(session)->held)
		ask_after_all(sync, session);
	else
		tl__send_v0_plan(sync, session);
}

/* --- begin ------------------------------------------------------------------------------------ */

static void sent(tl__sync *sync, tl__session *session, tl__v0_sent how, uint64_t head)
{
	switch (how) {
	case TL__V0_OFFERED: finish(sync, session, head); break;
	case TL__V0_UNTOLD: untold(sync, session); break;
	case TL__V0_ASK: ask(sync, session); break;
	}
}

void tl__v0_exchange_begin(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;
	bool late = pair->confirm_by > 0 && sync->now >= pair->confirm_by;
	bool push;

	session->v0 = tl__alloc_zero(1, sizeof(tl__v0_exchange));
	if (!session->v0) {
		tl__session_fail(sync, session, TL_E_NOMEM, "out of memory");
		return;
	}
	tl__v0_of(session)->sent = sent;
	tl__left_out_begin(pair);
	push = tl__pair_dirty(pair) && (pair->ack > 0 || pair->untold) && !pair->stalled;
	tl__v0_of(session)->from = pair->offered > pair->ack ? pair->offered : pair->ack;
	if (pair->offered > pair->ack && pair->confirm_by == 0)
		session->unsettled = TL__UNSETTLED_BEFORE;
	tl__v0_of(session)->confirm_later = push && !session->wanted && !late;
	if (push)
		tl__send_v0_plan(sync, session);
	else
		ask(sync, session);
}
