/* Asking a peer for access to a database. Its owner may decide much later: what was asked is
 * remembered, and asked again at a pace by a peer that keeps one request for that. */
#include "sync/out/ask.h"

#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "crypto/vault.h"

#define ASK_AGAIN_MS      2000 /* between questions whether the owner has decided */
#define ASK_AGAIN_LAST_MS 60000
#define FIRST_ASKS        30 /* at that pace; then it slows down */

static const char *const status_names[] = {"granted", "pending", "refused"};

/* --- the answer is remembered ----------------------------------------------------------------- */

/* For a minute nearly at once, for the owner may sit there; then up to a minute apart. */
static uint64_t again_after(unsigned asked)
{
	unsigned doublings = asked < FIRST_ASKS ? 0 : asked - FIRST_ASKS + 1;

	return doublings >= 5 ? ASK_AGAIN_LAST_MS : (uint64_t)ASK_AGAIN_MS << doublings;
}

/* 0.2.0 would keep another request each time. */
static bool may_ask_again(const tl__sync_ask *ask)
{
	return ask->peer->protocol == TL__PROTOCOL_V1;
}

/* What was granted is kept in step from now on. */
static void take_granted(tl__sync *sync, const tl__sync_ask *ask)
{
	tl__pair *pair;

	if (tl__pair_relate(sync, ask->peer, &ask->db, TL__STR("manual"), &pair) != TL_OK)
		return;
	tl__pair_changed(sync, pair);
	pair->wanted = true;
	pair->next_attempt = sync->now;
	tl__pair_save_relation(sync, &ask->db);
}

/* The owner's word, when it comes later than the question. */
static void note_status(tl__sync *sync, const tl__sync_ask *ask, tl__sync_db *db,
	tl__access_status status, tl_str request_id)
{
	static const tl_event_kind kinds[] = {[TL__ACCESS_GRANTED] = TL_EVENT_ACCESS_GRANTED,
		[TL__ACCESS_REFUSED] = TL_EVENT_ACCESS_REFUSED};
	bool waited = db->access_pending;

	if (request_id.len > 0)
		tl__text_copy(db->access_request, sizeof db->access_request, request_id);
	else if (!tl__key_equal(&db->access_key, &ask->key))
		db->access_request[0] = 0;
	if (!waited)
		db->access_asked = 0;
	tl__sync_set_waiting(sync, db, status == TL__ACCESS_PENDING && may_ask_again(ask));
	db->access_peer = ask->peer->key;
	if (status == TL__ACCESS_PENDING) {
		db->access_next = sync->now + again_after(db->access_asked);
		return;
	}
	if (status == TL__ACCESS_GRANTED)
		take_granted(sync, ask);
	if (waited)
		tl__sync_tell(
			sync, kinds[status], &ask->peer->key, &ask->db, 0, db->access_request);
}

static void save(tl__sync *sync, const tl__sync_db *db)
{
	char key[TL_KEY_TEXT_LEN + 1], id[TL_ID_TEXT_LEN + 1], permission[24], local[96];
	tl__buf out = TL__BUF_INIT;

	tl_key_format(&db->access_key, key);
	tl_id_format(&db->id, id);
	tl_permission_format(db->access_permission, permission);
	tl__buf_format(&out, "{\"key\":\"%s\",\"name\":", key);
	tl__json_put_string(&out, tl__str_z(db->access_name));
	tl__buf_format(&out, ",\"permission\":\"%s\"", permission);
	tl__buf_text(&out, ",\"request\":");
	tl__json_put_string(&out, tl__str_z(db->access_request));
	if (db->access_pending) {
		tl_key_format(&db->access_peer, key);
		tl__buf_format(&out, ",\"peer\":\"%s\"", key);
	}
	tl__buf_text(&out, "}");
	snprintf(local, sizeof local, "sync/access/%s", id);
	tl__sync_put_text(sync, tl__str_z(local), &out);
}

/* Remembered: from now on requests about this database are made with that key. */
void tl__ask_remember(
	tl__sync *sync, const tl__sync_ask *ask, tl__access_status status, tl_str request_id)
{
	tl__sync_db *db = tl__sync_db_for(sync, &ask->db);

	/* One that is refused at once changes nothing of what is known. */
	if (!db || (status == TL__ACCESS_REFUSED && !db->access_pending))
		return;
	db->has_access = true;
	note_status(sync, ask, db, status, request_id);
	db->access_key = ask->key;
	db->access_permission = ask->permission;
	snprintf(db->access_name, sizeof db->access_name, "%s", ask->name);
	save(sync, db);
}

void tl__access_use(tl__sync *sync, tl__sync_db *db, const tl_key *key, const char *name)
{
	if (db->has_access && tl__key_equal(&db->access_key, key))
		return;
	/* Another one that waits for an owner waits no more: the last word counts. */
	tl__sync_set_waiting(sync, db, false);
	db->access_request[0] = 0;
	db->has_access = true;
	db->access_key = *key;
	db->access_permission = (tl_permission){TL_READ, 0};
	snprintf(db->access_name, sizeof db->access_name, "%s", name);
	save(sync, db);
}

/* --- asking ----------------------------------------------------------------------------------- */

tl__sync_ask *tl__ask_new_access(tl__sync *sync, uint64_t op, const tl_secret *secret)
{
	tl__sync_ask *ask = tl__ask_new(sync, op);

	if (!ask)
		return NULL;
	ask->secret = tl__vault_alloc(sizeof *ask->secret);
	if (!ask->secret) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return NULL;
	}
	*ask->secret = *secret;
	return ask;
}

void tl__ask_answered(
	tl__sync *sync, tl__sync_ask *ask, tl__access_status status, tl_str request_id)
{
	const tl__sync_db *db;

	tl__ask_remember(sync, ask, status, request_id);
	db = tl__sync_find_db(sync, &ask->db);
	tl__buf_format(&ask->json, "{\"status\":\"%s\",\"request_id\":", status_names[status]);
	if (db && db->access_request[0])
		tl__json_put_string(&ask->json, tl__str_z(db->access_request));
	else
		tl__buf_text(&ask->json, "null");
	tl__buf_text(&ask->json, "}");
	if (tl__buf_status(&ask->json) != TL_OK) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return;
	}
	tl__sync_save_now(sync, ask->op, ask->json.ptr);
	tl__ask_drop(sync, ask);
}

static void access_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__sync_ask *ask = tl__ask_find(sync, owner);
	tl__v1_access_answer got;

	(void)ud;
	if (!ask)
		return;
	ask->call = 0;
	if (ask->join)
		ask->join->answered(sync, ask, result);
	else if (result->code != TL_OK)
		tl__ask_fail(sync, ask, result->code, result->error);
	else if (tl__v1_read_access_answer(&got, result->args) != TL_OK)
		tl__ask_fail(sync, ask, TL_E_SYNC_PROTOCOL_ERROR, NULL);
	else
		tl__ask_answered(sync, ask,
			got.result == TL__V1_ACCESS_GRANTED   ? TL__ACCESS_GRANTED
			: got.result == TL__V1_ACCESS_PENDING ? TL__ACCESS_PENDING
							      : TL__ACCESS_REFUSED,
			got.result == TL__V1_ACCESS_PENDING ? got.request_id : TL__STR_NULL);
}

void tl__ask_v1(tl__sync *sync, tl__sync_ask *ask)
{
	tl__call *call = tl__call_new(sync, &tl__call_v1, ask->peer);
	tl__v1_access args = {0};

	if (!call) {
		tl__ask_fail(sync, ask, TL_E_NOMEM, NULL);
		return;
	}
	args.key = ask->key;
	args.name = tl__str_z(ask->name);
	args.permission = ask->permission;
	call->method = TL__V1_ACCESS;
	call->has_db = true;
	call->db = ask->db;
	call->done = access_done;
	call->extra[0] = ask->secret;
	args.has_share = ask->join != NULL;
	if (ask->join) {
		tl_secret_public(&ask->join->token, &args.share);
		call->extra[1] = &ask->join->token;
	}
	tl__v1_write_access(&call->args, &args);
	tl__ask_start(sync, ask, call);
}

static void contacted(
	tl__sync *sync, tl__sync_ask *ask, int code, const char *error, tl__peer *peer)
{
	if (!peer) {
		tl__ask_fail(sync, ask, code, error);
		return;
	}
	ask->peer = peer;
	if (!tl__peer_is_v0(peer))
		tl__ask_v1(sync, ask);
	else if (sync->v0)
		sync->v0->access(sync, ask);
	else
		tl__ask_fail(sync, ask, tl__fail_v0(), NULL);
}

void tl__ask_access(tl__sync *sync, const tl__sync_command *command)
{
	tl__sync_ask *ask;

	if (command->name.len == 0 || command->name.len > TL__V1_MAX_TEXT ||
		memchr(command->name.ptr, '.', command->name.len) ||
		tl__str_eq(command->name, TL__STR("*")) || command->secret_count != 1) {
		(void)tl__fail(
			TL_E_BAD_ARGUMENT, "a key name is not empty, not \"*\" and holds no dot");
		tl__sync_complete_failed(sync, command->op, TL_E_BAD_ARGUMENT);
		return;
	}
	ask = tl__ask_new_access(sync, command->op, &command->secrets[0]);
	if (!ask)
		return;
	ask->db = command->db;
	tl_secret_public(ask->secret, &ask->key);
	ask->permission = command->permission;
	memcpy(ask->name, command->name.ptr, command->name.len);
	tl__contact_start(
		sync, command->address, command->has_key ? &command->key : NULL, contacted, ask);
}

/* --- has the owner decided? ------------------------------------------------------------------- */

static const tl_secret *secret_of(const tl__sync *sync, const tl_key *key)
{
	for (size_t i = 0; i < sync->key_count; i++)
		if (tl__key_equal(&sync->keys[i].key, key))
			return &sync->keys[i].secret;
	return NULL;
}

static void ask_again(tl__sync *sync, tl__sync_db *db, tl__peer *peer, const tl_secret *secret)
{
	tl__sync_ask *ask = tl__ask_new_access(sync, 0, secret);

	if (!ask)
		return;
	ask->peer = peer;
	ask->db = db->id;
	ask->key = db->access_key;
	ask->permission = db->access_permission;
	snprintf(ask->name, sizeof ask->name, "%s", db->access_name);
	tl__ask_v1(sync, ask);
}

void tl__sync_set_waiting(tl__sync *sync, tl__sync_db *db, bool waits)
{
	if (waits != db->access_pending)
		sync->access_waiting += waits ? 1 : (size_t)-1;
	db->access_pending = waits;
}

void tl__asks_again(tl__sync *sync)
{
	bool any = sync->access_waiting > 0 && !sync->stopping;

	for (tl__sync_db *db = any ? sync->dbs : NULL; db; db = db->next) {
		tl__peer *peer;
		const tl_secret *secret;

		if (!db->access_pending || sync->now < db->access_next)
			continue;
		db->access_next = sync->now + again_after(db->access_asked++);
		peer = tl__sync_find_peer(sync, &db->access_peer);
		secret = secret_of(sync, &db->access_key);
		if (peer && secret && peer->status == TL__PEER_ACTIVE &&
			tl__peer_has_way(sync, peer))
			ask_again(sync, db, peer, secret);
	}
}

uint64_t tl__asks_due(const tl__sync *sync)
{
	bool any = sync->access_waiting > 0 && !sync->stopping && sync->loaded;
	uint64_t least = UINT64_MAX;

	for (const tl__sync_db *db = any ? sync->dbs : NULL; db; db = db->next)
		if (db->access_pending && db->access_next < least)
			least = db->access_next;
	return least;
}
