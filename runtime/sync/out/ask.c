/* What is asked of addresses and peers: how that begins and ends; and which databases a peer
 * offers. The other questions: connect.c, ask_access.c, join.c. */
#include "sync/out/ask.h"

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/vault.h"

tl__sync_ask *tl__ask_new(tl__sync *sync, uint64_t op)
{
	tl__sync_ask *ask = tl__alloc_zero(1, sizeof *ask);

	if (!ask) {
		tl__sync_complete_failed(sync, op, TL_E_NOMEM);
		return NULL;
	}
	ask->number = tl__sync_number(sync);
	ask->op = op;
	ask->next = sync->asks;
	sync->asks = ask;
	return ask;
}

void tl__ask_drop(tl__sync *sync, tl__sync_ask *ask)
{
	tl__sync_ask **at = &sync->asks;

	while (*at && *at != ask)
		at = &(*at)->next;
	if (*at)
		*at = ask->next;
	tl__buf_free(&ask->json);
	tl__vault_free(ask->secret, sizeof *ask->secret);
	tl__vault_free(ask->join, sizeof *ask->join);
	tl__free(ask);
}

tl__sync_ask *tl__ask_find(tl__sync *sync, uint64_t number)
{
	tl__sync_ask *ask = sync->asks;

	while (ask && ask->number != number)
		ask = ask->next;
	return ask;
}

void tl__ask_fail(tl__sync *sync, tl__sync_ask *ask, int code, const char *error)
{
	if (error)
		tl__sync_complete(sync, ask->op, code, error, NULL);
	else
		tl__sync_complete_failed(sync, ask->op, code);
	tl__ask_drop(sync, ask);
}

void tl__ask_succeed(tl__sync *sync, tl__sync_ask *ask)
{
	if (tl__buf_status(&ask->json) != TL_OK)
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
	else {
		tl__sync_complete(sync, ask->op, TL_OK, NULL, ask->json.ptr);
		tl__ask_drop(sync, ask);
	}
}

void tl__ask_cancel(tl__sync *sync, uint64_t op)
{
	tl__sync_ask *ask = sync->asks;

	while (ask && ask->op != op)
		ask = ask->next;
	if (!ask)
		return;
	tl__contact_drop(sync, ask);
	if (ask->call)
		tl__call_cancel(sync, ask->call);
	tl__ask_fail(sync, ask, TL_E_CANCELLED, "cancelled");
}

void tl__asks_free(tl__sync *sync)
{
	while (sync->asks)
		tl__ask_drop(sync, sync->asks);
}

void tl__ask_start(tl__sync *sync, tl__sync_ask *ask, tl__call *call)
{
	call->owner = ask->number;
	ask->call = call->number;
	tl__call_start(sync, call);
}

/* --- discover --------------------------------------------------------------------------------- */

static void list(tl__sync *sync, tl__sync_ask *ask, const tl_id *after);

static int add_databases(tl__sync_ask *ask, tl_str bytes, tl_id *last)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_LIST, bytes, NULL);

	while (rc == TL_OK && (rc = tl__v1_body_next(&body, &line, &end)) == TL_OK && !end) {
		char id[TL_ID_TEXT_LEN + 1];

		tl_id_format(&line.id, id);
		tl__buf_format(&ask->json, "%s{\"id\":\"%s\",\"arrivals\":%llu,\"tips\":%llu}",
			ask->count++ > 0 ? "," : "", id, (unsigned long long)line.arrivals,
			(unsigned long long)line.tip_count);
		*last = line.id;
	}
	return rc;
}

static void listed(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__sync_ask *ask = tl__ask_find(sync, owner);
	bool more = false;
	size_t before;
	tl_id last;
	int rc;

	(void)ud;
	if (!ask)
		return;
	ask->call = 0;
	if (result->code != TL_OK) {
		tl__ask_fail(sync, ask, result->code, result->error);
		return;
	}
	before = ask->count;
	rc = tl__v1_read_listing(&more, result->args);
	if (rc == TL_OK)
		rc = add_databases(ask, result->body, &last);
	if (rc != TL_OK) {
		tl__ask_fail(sync, ask, TL_E_SYNC_PROTOCOL_ERROR, NULL);
		return;
	}
	if (more && ask->count > before && ask->count < TL__ASK_MAX_LISTED) {
		list(sync, ask, &last);
		return;
	}
	tl__buf_text(&ask->json, "]");
	tl__ask_succeed(sync, ask);
}

static void list(tl__sync *sync, tl__sync_ask *ask, const tl_id *after)
{
	tl__call *call = tl__call_new(sync, &tl__call_v1, ask->peer);
	tl__v1_list args = {0};

	if (!call) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return;
	}
	if (after) {
		args.has_after = true;
		args.after = *after;
	}
	call->method = TL__V1_LIST;
	call->done = listed;
	tl__v1_write_list(&call->args, &args);
	/* Every key counts here: which database it opens is the question. */
	tl__call_prove(sync, call, NULL, UINT32_MAX);
	tl__ask_start(sync, ask, call);
}

void tl__ask_discover(tl__sync *sync, uint64_t op, tl__peer *peer)
{
	tl__sync_ask *ask;

	if (peer->status != TL__PEER_ACTIVE) {
		(void)tl__fail(peer->status == TL__PEER_BLOCKED ? TL_E_PEER_BLOCKED : TL_E_REFUSED,
			"the peer is %s; make it active to talk to it",
			tl__peer_status_name(peer->status));
		tl__sync_complete_failed(sync, op, tl_error_code(tl_last_error()));
		return;
	}
	ask = tl__ask_new(sync, op);
	if (!ask)
		return;
	ask->peer = peer;
	tl__buf_text(&ask->json, "[");
	if (!tl__peer_is_v0(peer))
		list(sync, ask, NULL);
	else if (sync->v0)
		sync->v0->list(sync, ask);
	else
		tl__ask_fail(sync, ask, tl__fail_v0(), NULL);
}
