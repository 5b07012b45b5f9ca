/* Joining by a share: its node is looked for at the addresses that the text names, its key being
 * known; then access is asked for with a proof of the token, and what was granted is fetched. */
#include "sync/out/ask.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "crypto/vault.h"

/* --- the answer ------------------------------------------------------------------------------- */

static void refused(tl__sync *sync, tl__sync_ask *ask, tl_str code)
{
	if (tl__str_eq(code, TL__STR(TL__V1_CODE_USED)))
		tl__ask_fail(sync, ask, TL_E_SHARE_USED,
			"this share was used already, it opens nothing more: ask for another one");
	else if (tl__str_eq(code, TL__STR(TL__V1_CODE_EXPIRED)))
		tl__ask_fail(sync, ask, TL_E_SHARE_EXPIRED,
			"this share has expired: ask for another one");
	else
		tl__ask_fail(sync, ask, TL_E_NOT_PERMITTED,
			"its node does not give what this share says: who made it may not give "
			"that any more, a policy there refuses, or this node's key was revoked");
}

/* It is a member now: the operation is over when the database is here. */
static void joined(tl__sync *sync, tl__sync_ask *ask)
{
	char id[TL_ID_TEXT_LEN + 1];
	tl__pair *pair;

	tl__ask_remember(sync, ask, TL__ACCESS_GRANTED, TL__STR_NULL);
	pair = tl__sync_find_pair(sync, &ask->peer->key, &ask->db);
	tl_id_format(&ask->db, id);
	if (!pair) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return;
	}
	tl__wait_exchange(sync, ask->op, pair, id);
	tl__ask_drop(sync, ask);
}

static void answered(tl__sync *sync, tl__sync_ask *ask, const tl__call_result *result)
{
	tl__v1_access_answer got;

	if (result->code == TL_E_NOT_AVAILABLE)
		tl__ask_fail(sync, ask, TL_E_SHARE_NOT_FOUND,
			"its node knows nothing of this share: it was taken back, ended long ago, "
			"or "
			"the database is not there any more");
	else if (result->code != TL_OK)
		tl__ask_fail(sync, ask, result->code, result->error);
	else if (tl__v1_read_access_answer(&got, result->args) != TL_OK ||
		 got.result == TL__V1_ACCESS_PENDING)
		tl__ask_fail(sync, ask, TL_E_SYNC_PROTOCOL_ERROR,
			"the answer to a share is none that there can be");
	else if (got.result == TL__V1_ACCESS_REFUSED)
		refused(sync, ask, got.code);
	else
		joined(sync, ask);
}

/* --- its node --------------------------------------------------------------------------------- */

/* The others are its owner's word as well; what has no room is left out. */
static void keep_addresses(tl__sync *sync, const tl__join *join, tl__peer *peer)
{
	for (size_t i = 0; i < join->count; i++)
		if (tl__peer_add_address(peer, &join->addresses[i], NULL) != TL_OK)
			break;
	tl__peer_changed(sync, peer);
	tl__peer_save(sync, peer);
}

static void try_next(tl__sync *sync, tl__sync_ask *ask, int code, const char *error);

static void contacted(
	tl__sync *sync, tl__sync_ask *ask, int code, const char *error, tl__peer *peer)
{
	if (!peer) {
		try_next(sync, ask, code, error);
		return;
	}
	ask->peer = peer;
	keep_addresses(sync, ask->join, peer);
	if (peer->takes_shares)
		tl__ask_v1(sync, ask);
	else
		tl__ask_fail(sync, ask, TL_E_UNSUPPORTED,
			"the node that answers there knows no shares: its tidelock is too old");
}

static void try_next(tl__sync *sync, tl__sync_ask *ask, int code, const char *error)
{
	tl__join *join = ask->join;

	if (join->next == join->count)
		tl__ask_fail(sync, ask, code, error);
	else
		tl__contact_start(
			sync, &join->addresses[join->next++], &join->node, contacted, ask);
}

/* --- begin ------------------------------------------------------------------------------------ */

static int check(const tl__sync *sync, const tl__sync_command *command)
{
	if (tl__key_equal(&command->key, &sync->key))
		return tl__fail(TL_E_OWN_SHARE,
			"this node made that share itself: give its text to another one");
	if (command->name.len == 0 || command->name.len > TL__V1_MAX_TEXT)
		return tl__fail(TL_E_BAD_ARGUMENT, "the key needs a name of at most %d bytes",
			TL__V1_MAX_TEXT);
	return TL_OK;
}

static tl__join *new_join(const tl__sync_command *command)
{
	tl__join *join = tl__vault_alloc(sizeof *join);

	if (!join)
		return NULL;
	join->node = command->key;
	join->token = command->secrets[1];
	join->answered = answered;
	for (size_t i = 0; i < command->address_count && i < TL__SYNC_MAX_ADDRESSES; i++)
		join->addresses[join->count++] = command->addresses[i];
	return join;
}

/* As a path in the settings a dot would mean something else. */
static void take_name(tl__sync_ask *ask, tl_str name)
{
	memcpy(ask->name, name.ptr, name.len);
	for (char *c = ask->name; *c; c++)
		*c = (char)(*c == '.' || *c == '*' ? '-' : *c);
}

void tl__ask_join(tl__sync *sync, const tl__sync_command *command)
{
	int rc = check(sync, command);
	tl__sync_ask *ask;

	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, command->op, rc);
		return;
	}
	ask = tl__ask_new_access(sync, command->op, &command->secrets[0]);
	if (!ask)
		return;
	ask->db = command->db;
	tl_secret_public(ask->secret, &ask->key);
	ask->permission = command->permission;
	take_name(ask, command->name);
	ask->join = new_join(command);
	if (ask->join)
		try_next(sync, ask, TL_E_BAD_SHARE, "the share names no address");
	else
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
}
