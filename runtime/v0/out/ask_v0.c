/* What a 0.2.0 peer is asked by commands: which databases it has, and for access to one. */
#include "v0/out/out.h"

#include "base/fail.h"
#include "base/str.h"
#include "sync/out/ask.h"

/* Its handshake lists every database it has, with its number of entries. */
static void listed(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__sync_ask *ask = tl__ask_find(sync, owner);
	const tl__v0_handshake_response *answer = result->own;

	(void)ud;
	if (!ask)
		return;
	ask->call = 0;
	if (result->code != TL_OK) {
		tl__ask_fail(sync, ask, result->code, result->error);
		return;
	}
	for (size_t i = 0; i < answer->tree_count && i < TL__ASK_MAX_LISTED; i++) {
		const tl__v0_tree_info *tree = &answer->trees[i];
		tl_id id;

		if (tl_id_parse(&id, tree->tree_id) != TL_OK)
			continue;
		tl__buf_format(&ask->json, "%s{\"id\":\"%.*s\",\"arrivals\":%llu,\"tips\":null}",
			ask->count++ > 0 ? "," : "", TL__STR_ARG(tree->tree_id),
			(unsigned long long)tree->entry_count);
	}
	tl__buf_text(&ask->json, "]");
	tl__ask_succeed(sync, ask);
}

void tl__v0_list(tl__sync *sync, tl__sync_ask *ask)
{
	tl__call *call = tl__v0_call_new(sync, TL__V0_CALL_HANDSHAKE, ask->peer);

	if (!call) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return;
	}
	call->done = listed;
	tl__ask_start(sync, ask, call);
}

/* --- access ----------------------------------------------------------------------------------- */

static void take_answer(tl__sync *sync, tl__sync_ask *ask, const tl__v0_response *response)
{
	switch (response ? response->kind : TL__V0_RESPONSE_NONE) {
	case TL__V0_RESPONSE_PENDING:
		tl__ask_answered(sync, ask, TL__ACCESS_PENDING, response->request_id);
		break;
	case TL__V0_RESPONSE_BOOTSTRAP:
		tl__ask_answered(sync, ask,
			response->key_approved ? TL__ACCESS_GRANTED : TL__ACCESS_REFUSED,
			TL__STR_NULL);
		break;
	case TL__V0_RESPONSE_ERROR:
		tl__ask_answered(sync, ask, TL__ACCESS_REFUSED, TL__STR_NULL);
		break;
	default:
		tl__ask_fail(sync, ask, TL_E_UNEXPECTED_RESPONSE,
			"the peer answered an access request with something else");
	}
}

static void access_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__sync_ask *ask = tl__ask_find(sync, owner);

	(void)ud;
	if (ask)
		ask->call = 0;
	if (ask && result->code != TL_OK)
		tl__ask_fail(sync, ask, result->code, result->error);
	else if (ask)
		take_answer(
			sync, ask, result->intake ? tl__v0_intake_response(result->intake) : NULL);
	/* The entries that come with a grant are fetched again by the exchange. */
	tl__intake_free(result->intake);
}

void tl__v0_access(tl__sync *sync, tl__sync_ask *ask)
{
	tl__call *call = tl__v0_call_new(sync, TL__V0_CALL_TREE, ask->peer);
	char id[TL_ID_TEXT_LEN + 1], key[TL_KEY_TEXT_LEN + 1];
	tl__v0_sync_tree message = {0};

	if (!call) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return;
	}
	tl_id_format(&ask->db, id);
	tl_key_format(&ask->key, key);
	message.tree_id = tl__str_z(id);
	message.peer_pubkey = tl__str_z(sync->key_text);
	message.requesting_key = tl__str_z(key);
	message.requesting_key_name = tl__str_z(ask->name);
	message.has_permission = true;
	message.permission = ask->permission;
	call->has_db = true;
	call->db = ask->db;
	call->done = access_done;
	tl__v0_write_sync_tree(&call->body, &message);
	tl__ask_start(sync, ask, call);
}
