/* Connecting: who is at an address is met, and where a database is named, kept in step with. */
#include "sync/out/ask.h"

#include "base/str.h"

/* What was asked for becomes an exchange of the pair. */
static void relate(tl__sync *sync, tl__sync_ask *ask, tl__peer *peer)
{
	tl__pair *pair;
	int rc = tl__pair_relate(sync, peer, &ask->db, TL__STR("manual"), &pair);

	if (rc != TL_OK) {
		tl__ask_fail(sync, ask, rc, NULL);
		return;
	}
	if (ask->has_key)
		tl__access_use(sync, pair->db, &ask->key, ask->name);
	tl__pair_save_relation(sync, &ask->db);
	tl__wait_exchange(sync, ask->op, pair, peer->text);
	tl__ask_drop(sync, ask);
}

static void connected(
	tl__sync *sync, tl__sync_ask *ask, int code, const char *error, tl__peer *peer)
{
	if (!peer) {
		tl__ask_fail(sync, ask, code, error);
	} else if (ask->has_db) {
		relate(sync, ask, peer);
	} else {
		tl__sync_save_now(sync, ask->op, peer->text);
		tl__ask_drop(sync, ask);
	}
}

void tl__ask_connect(tl__sync *sync, const tl__sync_command *command)
{
	tl__sync_ask *ask = tl__ask_new(sync, command->op);

	if (!ask)
		return;
	ask->has_db = command->kind == TL__SYNC_SYNC_WITH;
	ask->db = command->db;
	ask->has_key = command->secret_count > 0;
	if (ask->has_key)
		tl_secret_public(&command->secrets[0], &ask->key);
	tl__text_copy(ask->name, sizeof ask->name, command->name);
	tl__contact_start(
		sync, command->address, command->has_key ? &command->key : NULL, connected, ask);
}
