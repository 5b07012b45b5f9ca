/* What the application asks for. */
#include "sync/in/serve.h"
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "crypto/vault.h"

static tl__peer *peer_or_fail(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = command->has_key ? tl__sync_find_peer(sync, &command->key) : NULL;

	if (!peer) {
		(void)tl__fail(TL_E_PEER_NOT_FOUND,
			"no such peer is known; connect to it or register it first");
		tl__sync_complete_failed(sync, command->op, TL_E_PEER_NOT_FOUND);
	}
	return peer;
}

/* --- exchanges -------------------------------------------------------------------------------- */

static void do_sync_pair(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);

	if (peer)
		tl__wait_pair(sync, command->op, peer, command->has_db ? &command->db : NULL);
}

static void do_wait(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);
	tl__pair *pair = peer ? tl__sync_find_pair(sync, &peer->key, &command->db) : NULL;

	if (peer && !pair) {
		(void)tl__fail(TL_E_UNKNOWN_DATABASE,
			"this database is not kept in step with that peer; add the relation first");
		tl__sync_complete_failed(sync, command->op, TL_E_UNKNOWN_DATABASE);
	}
	if (pair)
		tl__wait_level(sync, command->op, pair, command->timeout_ms);
}

static void do_discover(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);

	if (peer)
		tl__ask_discover(sync, command->op, peer);
}

/* --- peers ------------------------------------------------------------------------------------ */

static void do_register(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer;
	int rc = TL_OK;

	if (tl__sync_find_peer(sync, &command->key))
		rc = tl__fail(TL_E_PEER_ALREADY_EXISTS, "this peer is registered already");
	else if (tl__key_equal(&command->key, &sync->key))
		rc = tl__fail(TL_E_BAD_ARGUMENT, "that is this node's own key");
	peer = rc == TL_OK ? tl__peer_new(&command->key, command->name) : NULL;
	if (rc == TL_OK)
		rc = peer ? tl__peer_enlist(sync, peer) : TL_E_NOMEM;
	if (rc != TL_OK) {
		tl__peer_free(peer);
		tl__sync_complete_failed(sync, command->op, rc);
		return;
	}
	tl__knock_drop(sync, &peer->key);
	tl__peer_save(sync, peer);
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_rename(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);

	if (!peer)
		return;
	if (tl__peer_set_name(peer, command->name) != TL_OK) {
		tl__sync_complete_failed(sync, command->op, TL_E_NOMEM);
		return;
	}
	tl__peer_save(sync, peer);
	tl__sync_tell(sync, TL_EVENT_PEER_CHANGED, &peer->key, NULL, 0, NULL);
	tl__sync_save_now(sync, command->op, NULL);
}

/* A stranger can be blocked: that makes it a peer, if only to be refused. */
static tl__peer *peer_to_block(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = NULL;

	if (!tl__sync_find_peer(sync, &command->key) &&
		tl__str_eq(command->name, TL__STR("blocked")) &&
		!tl__key_equal(&command->key, &sync->key)) {
		peer = tl__peer_new(&command->key, TL__STR_NULL);
		if (!peer || tl__peer_enlist(sync, peer) != TL_OK) {
			tl__peer_free(peer);
			tl__sync_complete_failed(sync, command->op, TL_E_NOMEM);
			return NULL;
		}
		tl__knock_drop(sync, &peer->key);
	}
	return peer_or_fail(sync, command);
}

static void do_set_status(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_to_block(sync, command);
	tl__peer_status status;

	if (!peer)
		return;
	if (!tl__peer_status_parse(&status, command->name)) {
		(void)tl__fail(TL_E_BAD_ARGUMENT,
			"\"%.*s\" is no status: use active, inactive or blocked",
			TL__STR_ARG(command->name));
		tl__sync_complete_failed(sync, command->op, TL_E_BAD_ARGUMENT);
		return;
	}
	peer->status = status;
	tl__peer_changed(sync, peer);
	tl__serve_end_watches(sync, &peer->key);
	tl__watch_end(sync, peer);
	if (status == TL__PEER_ACTIVE) {
		tl__peer_wake(sync, peer);
	} else {
		tl__sessions_cancel(
			sync, peer, "the peer's status was changed during the exchange");
		tl__waiters_peer_rests(sync, peer);
	}
	tl__peer_save(sync, peer);
	tl__sync_tell(sync, TL_EVENT_PEER_CHANGED, &peer->key, NULL, 0, NULL);
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_remove_peer(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);

	if (!peer)
		return;
	tl__peer_forget(sync, peer);
	tl__serve_end_watches(sync, &peer->key);
	tl__watch_end(sync, peer);
	while (peer->pairs) {
		tl_id db = peer->pairs->db->id;

		tl__pair_unrelate(sync, peer->pairs, TL__STR_NULL);
		tl__pair_save_relation(sync, &db);
	}
	tl__peer_remove(sync, peer);
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_add_address(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);
	int rc;

	if (!peer)
		return;
	rc = tl__peer_add_address(peer, command->address, NULL);
	tl__peer_changed(sync, peer);
	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, command->op, rc);
		return;
	}
	tl__peer_wake(sync, peer);
	tl__peer_save(sync, peer);
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_remove_address(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);
	int at;

	if (!peer)
		return;
	at = tl__peer_address_at(peer, command->address);
	if (at >= 0) {
		tl__peer_drop_address(peer, (size_t)at);
		tl__peer_changed(sync, peer);
		tl__watch_end(sync, peer); /* it may be held there */
		tl__peer_save(sync, peer);
	}
	tl__sync_save_now(sync, command->op, at >= 0 ? "true" : "false");
}

/* --- relations -------------------------------------------------------------------------------- */

static void do_relate(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);
	tl_str tag = command->name.len > 0 ? command->name : TL__STR("manual");
	int rc;

	if (!peer)
		return;
	if (tl__id_equal(&command->db, &sync->own_db))
		rc = tl__fail(TL_E_BAD_ARGUMENT, "the database `_sync` is never synchronised");
	else
		rc = tl__relations_check_tag(sync, &peer->key, &command->db, tag, false);
	if (rc == TL_OK)
		rc = tl__pair_relate(sync, peer, &command->db, tag, NULL);
	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, command->op, rc);
		return;
	}
	tl__pair_save_relation(sync, &command->db);
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_unrelate(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);
	tl__pair *pair = peer ? tl__sync_find_pair(sync, &peer->key, &command->db) : NULL;

	if (!peer)
		return;
	if (pair) {
		tl__pair_unrelate(sync, pair, command->name);
		tl__pair_save_relation(sync, &command->db);
	}
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_unrelate_tag(tl__sync *sync, const tl__sync_command *command)
{
	for (tl__pair *pair = sync->pairs; pair;) {
		tl__pair *next = pair->next;
		tl_id db = pair->db->id;

		if (tl__pair_has_tag(pair, command->name)) {
			tl__pair_unrelate(sync, pair, command->name);
			tl__pair_save_relation(sync, &db);
		}
		pair = next;
	}
	tl__sync_save_now(sync, command->op, NULL);
}

static void do_configure_pair(tl__sync *sync, const tl__sync_command *command)
{
	tl__peer *peer = peer_or_fail(sync, command);
	int rc = command->pair_options ? tl__pair_options_check(command->pair_options) : TL_OK;

	if (!peer)
		return;
	if (rc == TL_OK)
		rc = tl__pair_configure(sync, peer, &command->db, command->pair_options);
	if (rc == TL_OK)
		tl__sync_save_now(sync, command->op, NULL);
	else
		tl__sync_complete_failed(sync, command->op, rc);
}

/* --- access requests -------------------------------------------------------------------------- */

static void do_decide(tl__sync *sync, const tl__sync_command *command)
{
	char hint[TL__SYNC_ERROR_TEXT];

	tl__serve_decided(sync, command->name, command->approved, hint);
	tl__sync_save_now(sync, command->op, hint);
}

/* --- the rest --------------------------------------------------------------------------------- */

/* Something that decides what is declined has changed: everything is looked at again. */
static void look_again(tl__sync *sync)
{
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		tl__pair_changed(sync, pair);
		pair->offered = pair->ack;
		pair->from_sure = true;
	}
	tl__serve_end_watches(sync, NULL);
	tl__watches_end(sync);
}

static void do_configure(tl__sync *sync, const tl__sync_command *command)
{
	int rc = tl__sync_set_options(sync, command->options);

	if (rc != TL_OK) {
		tl__sync_complete_failed(sync, command->op, rc);
		return;
	}
	tl__schedule_timers(sync);
	look_again(sync);
	tl__sync_complete(sync, command->op, TL_OK, NULL, NULL);
}

static void do_set_policy(tl__sync *sync, const tl__sync_command *command)
{
	tl_policy old = sync->policy;

	memset(&sync->policy, 0, sizeof sync->policy);
	if (command->policy)
		sync->policy = *command->policy;
	tl__rates_forget(sync);
	if (old.drop)
		old.drop(old.ud);
	/* Watches of both sides are asked about again. */
	tl__serve_end_watches(sync, NULL);
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		tl__watch_end(sync, peer);
	look_again(sync);
	tl__sync_complete(sync, command->op, TL_OK, NULL, NULL);
}

static void do_set_keys(tl__sync *sync, const tl__sync_command *command)
{
	size_t count = command->secret_count;
	tl__sync_key *keys = count > 0 ? tl__vault_alloc(count * sizeof *keys) : NULL;

	if (!keys && count > 0) {
		tl__sync_complete_failed(sync, command->op, TL_E_NOMEM);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		keys[i].secret = command->secrets[i];
		tl_secret_public(&keys[i].secret, &keys[i].key);
	}
	tl__sync_wipe_keys(sync);
	sync->keys = keys;
	sync->key_count = count;
	/* Which of them count where is read anew. */
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next)
		pair->key_mask = 0;
	tl__watches_end(sync);
	tl__sync_complete(sync, command->op, TL_OK, NULL, NULL);
}

static void do_cancel(tl__sync *sync, const tl__sync_command *command)
{
	if (!tl__waiters_cancel(sync, command->number))
		tl__ask_cancel(sync, command->number);
	tl__sync_complete(sync, command->op, TL_OK, NULL, NULL);
}

static void do_stop(tl__sync *sync, const tl__sync_command *command)
{
	sync->stopping = true;
	tl__rests_save(sync);
	tl__served_end(sync);
	tl__serve_end_watches(sync, NULL);
	tl__watches_end(sync);
	tl__sessions_cancel(sync, NULL, "the node is being closed");
	tl__sync_save_now(sync, command->op, NULL);
}

void tl__sync_command_do(tl__sync *sync, const tl__sync_command *command)
{
	static void (*const calls[])(tl__sync *, const tl__sync_command *) = {
		[TL__SYNC_CONNECT] = tl__ask_connect,
		[TL__SYNC_SYNC_PAIR] = do_sync_pair,
		[TL__SYNC_SYNC_WITH] = tl__ask_connect,
		[TL__SYNC_DISCOVER] = do_discover,
		[TL__SYNC_ACCESS] = tl__ask_access,
		[TL__SYNC_JOIN] = tl__ask_join,
		[TL__SYNC_WAIT] = do_wait,
		[TL__SYNC_REGISTER] = do_register,
		[TL__SYNC_RENAME] = do_rename,
		[TL__SYNC_SET_STATUS] = do_set_status,
		[TL__SYNC_REMOVE_PEER] = do_remove_peer,
		[TL__SYNC_ADD_ADDRESS] = do_add_address,
		[TL__SYNC_REMOVE_ADDRESS] = do_remove_address,
		[TL__SYNC_RELATE] = do_relate,
		[TL__SYNC_UNRELATE] = do_unrelate,
		[TL__SYNC_UNRELATE_TAG] = do_unrelate_tag,
		[TL__SYNC_CONFIGURE_PAIR] = do_configure_pair,
		[TL__SYNC_RELATIONS] = tl__relations_begin,
		[TL__SYNC_RELATIONS_SLICE] = tl__relations_slice,
		[TL__SYNC_RELATIONS_END] = tl__relations_end,
		[TL__SYNC_DECIDE] = do_decide,
		[TL__SYNC_SHARE] = tl__share_make,
		[TL__SYNC_UNSHARE] = tl__share_revoke,
		[TL__SYNC_CONFIGURE] = do_configure,
		[TL__SYNC_SET_POLICY] = do_set_policy,
		[TL__SYNC_SET_KEYS] = do_set_keys,
		[TL__SYNC_CANCEL] = do_cancel,
		[TL__SYNC_STOP] = do_stop,
	};

	if (sync->stopping && command->kind != TL__SYNC_STOP && command->kind != TL__SYNC_CANCEL) {
		(void)tl__fail(TL_E_CLOSED, "the node is being closed");
		tl__sync_complete_failed(sync, command->op, TL_E_CLOSED);
	} else if (command->kind == TL__SYNC_FLUSH) {
		tl__wait_flush(sync, command->op, command->timeout_ms, command->send_only);
	} else {
		calls[command->kind](sync, command);
	}
}
