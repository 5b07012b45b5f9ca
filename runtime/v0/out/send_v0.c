/* SendEntries of an exchange with a 0.2.0 peer: what it lacks, some at a time. Its Ack says that a
 * message arrived and nothing about the entries, so that what a commit brought there is asked about
 * later, by tree_v0.c. */
#include "v0/out/out.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

/* Room for the message around the entries. */
#define MAX_SEND_BYTES (TL__V0_MAX_REQUEST_BYTES - 1024)
/* A 0.2.0 server ends an Iroh stream over 1 MiB without a word. */
#define MAX_STREAM_BYTES (1024 * 1024 - 1024)
#define MAX_SENDS        10000 /* messages in one exchange */
/* What commits brought there is asked about after so long without another, at the latest after … */
#define QUIET_MS   1000
#define CONFIRM_MS 10000

static void planned(void *ud, tl__work *work);

static void go_on(tl__sync *sync, tl__session *session, tl__v0_sent what, uint64_t head)
{
	tl__v0_of(session)->sent(sync, session, what, head);
}

void tl__send_v0_plan(tl__sync *sync, tl__session *session)
{
	/* Confirming looks at everything since the last acknowledged one. */
	bool confirms = tl__v0_of(session)->told && session->unsettled != TL__UNSETTLED_BEFORE;
	tl__work *work = tl__session_plan(sync, session, TL__STEP_V0_PLAN,
		confirms ? session->pair->ack : tl__v0_of(session)->from, planned);
	tl__work_plan *to;

	if (!work)
		return;
	to = &work->plan;
	to->max_entry_bytes =
		session->pair->peer->address_count > 0 &&
				strcmp(session->pair->peer->addresses[0].address.type, "iroh") == 0
			? MAX_STREAM_BYTES
			: MAX_SEND_BYTES;
	to->max_entries = SIZE_MAX;
	tl__left_out_lend(session->pair, to);
	tl__session_give(sync, session, work);
}

static void sent(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

static void send_entries(tl__sync *sync, tl__session *session, const tl__work_plan *in)
{
	tl__call *call = tl__session_call(sync, session, TL__STEP_V0_SEND,
		tl__v0_call_new(sync, TL__V0_CALL_SEND, session->peer));

	if (!call)
		return;
	call->done = sent;
	tl__v0_write_send_entries(&call->body, in->lines, in->count);
	tl__v0_of(session)->count = in->count;
	tl__v0_of(session)->to = in->to;
	tl__v0_of(session)->more = in->more;
	session->has_last = true;
	session->last = in->ids[in->count - 1];
	tl__v0_of(session)->sends++;
	tl__session_send(sync, session, call);
}

/* After the tips have been asked for again, whatever is left was not kept there. */
static void not_kept(tl__sync *sync, tl__session *session, uint64_t head)
{
	tl__session_unsettled(session);
	session->declined_code = TL_E_DECLINED;
	snprintf(session->error, sizeof session->error,
		"the peer did not keep entries that were sent to it");
	go_on(sync, session, TL__V0_OFFERED, head);
}

static void planned(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__session *session = tl__session_planned(sync, work);
	tl__work_plan *in;
	tl__v0_aim aim;

	if (!session)
		return;
	in = &work->plan;
	aim = tl__v0_of(session)->aim;
	tl__left_out_return(session, in);
	if (in->count == 0 && in->more && in->to > tl__v0_of(session)->from) {
		tl__v0_of(session)->from = in->to;
		tl__send_v0_plan(sync, session);
	} else if (in->count == 0 && aim == TL__V0_AIM_BLIND && tl__v0_of(session)->sends == 0) {
		go_on(sync, session, TL__V0_UNTOLD, 0);
	} else if (in->count == 0 && tl__v0_of(session)->told) {
		go_on(sync, session, TL__V0_OFFERED, in->head);
	} else if (in->count == 0) {
		go_on(sync, session, TL__V0_ASK, 0);
	} else if (aim == TL__V0_AIM_CONFIRM && in->arrivals[0] > tl__v0_of(session)->from) {
		go_on(sync, session, TL__V0_OFFERED,
			tl__v0_of(session)->from); /* committed meanwhile */
	} else if (aim == TL__V0_AIM_CONFIRM) {
		not_kept(sync, session, tl__v0_of(session)->from);
	} else if (tl__v0_of(session)->sends >= MAX_SENDS) {
		tl__session_fail(sync, session, TL_E_TOO_LARGE, "too much for one exchange");
	} else {
		send_entries(sync, session, in);
	}
	tl__work_free(work);
}

/* Ack and Count say that the message arrived, nothing about the entries. */
static int check_ack(tl_str document)
{
	tl__v0_reader *reader;
	tl__v0_response_kind kind = TL__V0_RESPONSE_NONE;
	int rc = tl__v0_read_plain(&reader, document);

	if (rc == TL_OK)
		kind = tl__v0_reader_response(reader)->kind;
	if (rc == TL_OK && kind == TL__V0_RESPONSE_ERROR)
		rc = tl__fail(TL_E_SYNC_PROTOCOL_ERROR, "the peer refused what was sent");
	else if (rc == TL_OK && kind != TL__V0_RESPONSE_ACK && kind != TL__V0_RESPONSE_COUNT)
		rc = tl__fail(TL_E_UNEXPECTED_RESPONSE, "the peer answered a push with something "
							"else");
	tl__v0_reader_free(reader);
	return rc;
}

static void leave_unconfirmed(tl__sync *sync, tl__session *session)
{
	tl__pair *pair = session->pair;

	pair->offered = tl__v0_of(session)->from;
	if (pair->confirm_by == 0)
		pair->confirm_by = sync->now + CONFIRM_MS;
	pair->again_at = sync->now + QUIET_MS;
	if (pair->again_at > pair->confirm_by)
		pair->again_at = pair->confirm_by;
	tl__session_finish(sync, session);
}

static void sent(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__session *session = tl__session_back(sync, owner, result);
	int rc;

	(void)ud;
	if (!session)
		return;
	if (result->code != TL_OK) {
		if (tl__page_again(session, result, tl__v0_of(session)->count > 1))
			tl__send_v0_plan(sync, session);
		else
			tl__session_fail(sync, session, result->code, result->error);
		return;
	}
	rc = check_ack(result->body);
	if (rc != TL_OK) {
		tl__session_fail(sync, session, rc, NULL);
		return;
	}
	session->sent += tl__v0_of(session)->count;
	session->pair->progress_entries = session->received + session->sent;
	tl__v0_of(session)->from = tl__v0_of(session)->to;
	if (tl__v0_of(session)->more) {
		tl__v0_of(session)->told = false; /* go on behind this page */
		tl__send_v0_plan(sync, session);
	} else if (tl__v0_of(session)->confirm_later) {
		leave_unconfirmed(sync, session);
	} else {
		go_on(sync, session, TL__V0_ASK, 0);
	}
}
