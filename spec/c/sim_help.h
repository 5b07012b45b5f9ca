/* What the specifications on the simulator share: peers p0, p1…, each with a key of its name, and
 * databases that know some of these keys. */
#ifndef SPEC_SIM_HELP_H
#define SPEC_SIM_HELP_H

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "sim/sim.h"

#define MINUTE ((uint64_t)60 * 1000)
#define HOUR   (60 * MINUTE)

static tl__sim *sim;

static inline tl_str z(const char *text)
{
	return tl__str_z(text);
}

/* Begins a case; false: it has failed. */
static inline bool sim_begin(uint64_t seed)
{
	CHECK_OK(tl__sim_new(&sim, seed));
	return sim != NULL;
}

/* Ends it; when a check failed, what happened is told. */
static inline void sim_end(void)
{
	CHECK_OK(tl__sim_status(sim));
	if (!spec_case_ok)
		tl__sim_story(sim, stdout, 60);
	tl__sim_free(sim);
	sim = NULL;
}

/* Runs a case in a fresh simulation. */
#define RUN_SIM(function)                                                                          \
	do {                                                                                       \
		spec_case_ok = true;                                                               \
		if (sim_begin(1)) {                                                                \
			function();                                                                \
			sim_end();                                                                 \
		}                                                                                  \
		spec_case_ok ? spec_passed++ : spec_failed++;                                      \
		printf("%s %s\n", spec_case_ok ? "ok" : "FAILED", #function);                      \
	} while (0)

/* --- peers ------------------------------------------------------------------------------------ */

/* The core signs proofs with the key of the peer's name. */
static inline void give_keys(tl__sim_peer *peer)
{
	tl__sync_command command = {.kind = TL__SYNC_SET_KEYS, .secret_count = 1};
	tl_secret secret;
	tl_str name = z(tl__sim_name(peer));

	CHECK_OK(tl__sim_secret(tl__sim_name(peer), &secret));
	command.secrets = &secret;
	command.secret_names = &name;
	tl__sim_command(peer, &command, NULL, 0);
}

static inline tl__sim_peer *add_peer_with(const tl__sim_config *config)
{
	tl__sim_peer *peer = tl__sim_add(sim, config);

	CHECK_OK(tl__sim_status(sim));
	if (peer)
		give_keys(peer);
	return peer;
}

static inline tl__sim_peer *add_peer(const char *name)
{
	const tl__sim_config config = {.name = name};

	return add_peer_with(&config);
}

static inline void restart(tl__sim_peer *peer)
{
	tl__sim_kill(peer);
	tl__sim_start(peer);
	give_keys(peer);
}

/* --- commands --------------------------------------------------------------------------------- */

static inline int run_command(
	tl__sim_peer *peer, tl__sync_command *command, tl__sim_result *result, uint64_t ms)
{
	tl__sim_command(peer, command, result, ms);
	if (!result->complete) {
		/* What is not complete must not write here later. */
		tl__sync_command cancel = {.kind = TL__SYNC_CANCEL, .number = command->op};

		tl__sim_command(peer, &cancel, NULL, 0);
		tl__sim_run(sim, 1);
		return TL_E_TIMEOUT;
	}
	return result->code == TL_OK ? TL_OK : tl__fail(result->code, "%s", result->error);
}

static inline int connect_to(tl__sim_peer *from, tl__sim_peer *to)
{
	tl__sync_command command = {.kind = TL__SYNC_CONNECT};
	tl__sim_result result;
	tl_address address;

	tl__sim_address(to, &address);
	command.address = &address;
	return run_command(from, &command, &result, MINUTE);
}

static inline int change(tl__sim_peer *peer, tl__sync_command_kind kind, const tl__sim_peer *other,
	const tl_id *db, const char *name)
{
	tl__sync_command command = {.kind = kind, .has_key = true, .key = *tl__sim_key(other)};
	tl__sim_result result;

	command.has_db = db != NULL;
	if (db)
		command.db = *db;
	command.name = name ? z(name) : TL__STR_NULL;
	return run_command(peer, &command, &result, MINUTE);
}

static inline int relate(tl__sim_peer *peer, const tl__sim_peer *other, const tl_id *db)
{
	return change(peer, TL__SYNC_RELATE, other, db, "manual");
}

/* Both know each other and keep the database in step. */
static inline void pair_up(tl__sim_peer *a, tl__sim_peer *b, const tl_id *db)
{
	CHECK_OK(connect_to(a, b));
	CHECK_OK(connect_to(b, a));
	CHECK_OK(relate(a, b, db));
	CHECK_OK(relate(b, a, db));
}

static inline int sync_pair(
	tl__sim_peer *peer, const tl__sim_peer *other, const tl_id *db, tl__sim_result *result)
{
	tl__sync_command command = {.kind = TL__SYNC_SYNC_PAIR, .has_key = true, .has_db = true};

	command.key = *tl__sim_key(other);
	command.db = *db;
	return run_command(peer, &command, result, HOUR);
}

/* --- databases -------------------------------------------------------------------------------- */

static inline void key_text(const char *name, char out[TL_KEY_TEXT_LEN + 1])
{
	tl_key key;

	CHECK_OK(tl__sim_public(name, &key));
	tl_key_format(&key, out);
}

static inline int stage_key(tl_settings_store *settings, const char *name, tl_permission permission)
{
	char text[TL_KEY_TEXT_LEN + 1];

	key_text(name, text);
	return tl_settings_store_set_auth_key(
		settings, TL__STR_NULL, z(text), permission, TL_KEY_ACTIVE);
}

/* A transaction signed with this key. NULL: a check has failed. */
static inline tl_transaction *begin(tl__sim_peer *peer, const tl_id *db, const char *key)
{
	tl_database *handle = NULL;
	tl_transaction *tx = NULL;

	CHECK_OK(tl__database_open(tl__sim_host(peer), db, &handle));
	if (!handle)
		return NULL;
	CHECK_OK(tl_transaction_new(handle, &tx));
	tl_database_free(handle);
	if (tx)
		CHECK_OK(tl_transaction_set_auth_key(tx, z(key)));
	return tx;
}

static inline int finish(tl_transaction *tx, tl_id *id)
{
	int code = tl_transaction_commit(tx, id);
	tl_error *kept = code == TL_OK ? NULL : tl__error_keep();

	tl_transaction_free(tx);
	return tl__error_restore(kept, code);
}

/* Grants a key; signed by the peer's own. */
static inline int grant(
	tl__sim_peer *peer, const tl_id *db, const char *name, tl_permission permission)
{
	tl_transaction *tx = begin(peer, db, tl__sim_name(peer));
	tl_settings_store *settings = NULL;
	int code = tx ? tl_transaction_get_settings(tx, &settings) : TL_E_INTERNAL;

	if (code == TL_OK)
		code = stage_key(settings, name, permission);
	tl_settings_store_free(settings);
	return tx ? finish(tx, NULL) : code;
}

/* Takes a key's rights away; signed by the peer's own. */
static inline int revoke(tl__sim_peer *peer, const tl_id *db, const char *name)
{
	tl_transaction *tx = begin(peer, db, tl__sim_name(peer));
	tl_settings_store *settings = NULL;
	char key[TL_KEY_TEXT_LEN + 1];
	int code = tx ? tl_transaction_get_settings(tx, &settings) : TL_E_INTERNAL;

	key_text(name, key);
	if (code == TL_OK)
		code = tl_settings_store_revoke_auth_key(settings, z(key));
	tl_settings_store_free(settings);
	return tx ? finish(tx, NULL) : code;
}

static inline int set_public(tl__sim_peer *peer, const tl_id *db, tl_permission permission)
{
	tl_transaction *tx = begin(peer, db, tl__sim_name(peer));
	tl_settings_store *settings = NULL;
	int code = tx ? tl_transaction_get_settings(tx, &settings) : TL_E_INTERNAL;

	if (code == TL_OK)
		code = tl_settings_store_set_global(settings, permission, TL_KEY_ACTIVE);
	tl_settings_store_free(settings);
	return tx ? finish(tx, NULL) : code;
}

/* A database of this peer, whose key is its admin. */
static inline tl_id make_db(tl__sim_peer *peer, const char *name)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	tl_id id = {{0}};

	CHECK_OK(tl_doc_put(settings, TL__STR("name"), tl_value_text(z(name))));
	CHECK_OK(tl__database_create(tl__sim_host(peer), settings, z(tl__sim_name(peer)), &db));
	if (db)
		id = *tl_database_root_id(db);
	tl_database_free(db);
	tl_value_free(settings);
	return id;
}

static inline int put_as(tl__sim_peer *peer, const tl_id *db, const char *key, const char *store,
	const char *path, const char *text, tl_id *id)
{
	tl_transaction *tx = begin(peer, db, key);
	tl_doc_store *doc = NULL;
	int code = tx ? tl_transaction_doc_store(tx, z(store), &doc) : TL_E_INTERNAL;

	if (code == TL_OK)
		code = tl_doc_store_set_string(doc, z(path), z(text));
	tl_doc_store_free(doc);
	return tx ? finish(tx, id) : code;
}

static inline tl_id put(tl__sim_peer *peer, const tl_id *db, const char *path, const char *text)
{
	tl_id id = {{0}};

	CHECK_OK(put_as(peer, db, tl__sim_name(peer), "data", path, text, &id));
	return id;
}

/* Whether this peer shows that text. */
static inline bool reads(tl__sim_peer *peer, const tl_id *db, const char *path, const char *text)
{
	tl_database *handle = NULL;
	tl_doc_store *doc = NULL;
	char *out = NULL;
	bool same = tl__database_open(tl__sim_host(peer), db, &handle) == TL_OK &&
		    tl_database_doc_store(handle, TL__STR("data"), &doc) == TL_OK &&
		    tl_doc_store_get_string(doc, z(path), &out, NULL) == TL_OK &&
		    strcmp(out, text) == 0;

	tl_free(out);
	tl_doc_store_free(doc);
	tl_database_free(handle);
	return same;
}

static inline bool holds(tl__sim_peer *peer, const tl_id *db)
{
	tl_database *handle = NULL;
	bool held = tl__database_open(tl__sim_host(peer), db, &handle) == TL_OK;

	tl_database_free(handle);
	return held;
}

static inline uint64_t arrivals(tl__sim_peer *peer, const tl_id *db)
{
	tl_database *handle = NULL;
	uint64_t n = 0;

	if (tl__database_open(tl__sim_host(peer), db, &handle) == TL_OK)
		CHECK_OK(tl_database_arrival(handle, &n));
	tl_database_free(handle);
	return n;
}

/* Asks the other for access with the private key of this name. */
static inline int request_access_for(tl__sim_peer *peer, tl__sim_peer *other, const tl_id *db,
	const char *key, tl_permission permission, tl__sim_result *result)
{
	tl__sync_command command = {.kind = TL__SYNC_ACCESS, .has_db = true};
	tl_secret secret;
	tl_address address;

	CHECK_OK(tl__sim_secret(key, &secret));
	tl__sim_address(other, &address);
	command.address = &address;
	command.db = *db;
	command.secrets = &secret;
	command.secret_count = 1;
	command.name = z(key);
	command.permission = permission;
	return run_command(peer, &command, result, MINUTE);
}

static inline int request_access(
	tl__sim_peer *peer, tl__sim_peer *other, const tl_id *db, const char *key)
{
	tl__sim_result result;

	return request_access_for(peer, other, db, key, (tl_permission){TL_READ, 0}, &result);
}

/* --- waiting ---------------------------------------------------------------------------------- */

typedef struct alike {
	tl__sim_peer *const *peers;
	size_t count;
	const tl_id *dbs;
	size_t db_count;
} alike;

static inline bool are_alike(tl__sim *of, void *ud)
{
	const alike *a = ud;

	(void)of;
	/* Cheap at first: as many entries everywhere. */
	for (size_t i = 0; i < a->db_count; i++)
		for (size_t p = 1; p < a->count; p++)
			if (arrivals(a->peers[p], &a->dbs[i]) != arrivals(a->peers[0], &a->dbs[i]))
				return false;
	for (size_t i = 0; i < a->db_count; i++)
		if (!tl__sim_same(a->peers, a->count, &a->dbs[i]))
			return false;
	return true;
}

/* Runs until two peers hold the same. */
static inline bool settle(tl__sim_peer *a, tl__sim_peer *b, const tl_id *db, uint64_t ms)
{
	tl__sim_peer *peers[] = {a, b};
	alike wanted = {peers, 2, db, 1};

	return tl__sim_run_until(sim, are_alike, &wanted, 10, ms);
}

#endif
