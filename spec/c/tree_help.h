/* What the specs of databases, transactions and stores share: a host as a node would be one, on
 * each backend, with keys made from their names and a clock that is set by hand. */
#ifndef SPEC_TREE_HELP_H
#define SPEC_TREE_HELP_H

#include <ftw.h>
#include <stdatomic.h>
#include <unistd.h>
#include "check.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/api/database.h"
#include "tree/api/fresh.h"

typedef struct world {
	char folder[256]; /* empty: in memory */
	tl__store *store;
	tl__verify_pool *pool;
	tl__tree tree;
	tl__hooks hooks;
	tl__host host;
	tl__clock clock;
	tl__seeded seeded;
	tl__log log;
	atomic_uint_fast64_t now_ms;
	atomic_int handles; /* retained and not released */
	atomic_bool closed;
	atomic_uint_fast64_t committed; /* calls of the listener */
	atomic_uint log_lines;
} world;

static world w;
static const char *backend; /* "memory" or "sqlite" */

static inline tl_str z(const char *text)
{
	return tl__str_z(text);
}

/* --- the host --------------------------------------------------------------------------------- */

/* Every name has a key, but those that begin with "missing". */
static inline int secret_of(void *ud, tl_str name, tl_secret *out)
{
	uint8_t seed[32];

	(void)ud;
	if (tl__str_starts(name, z("missing")))
		return tl__fail(TL_E_SIGNING_KEY_NOT_FOUND, "no key `%.*s`", TL__STR_ARG(name));
	tl_sha256(name.ptr, name.len, seed);
	return tl_secret_from_seed(out, seed);
}

/* Public key text of a name; four at a time. */
static inline const char *key_of(const char *name)
{
	static char texts[4][TL_KEY_TEXT_LEN + 1];
	static unsigned next;
	tl_secret secret;
	tl_key key;
	char *text = texts[next++ % 4];

	if (secret_of(NULL, z(name), &secret) != TL_OK)
		return "";
	tl_secret_public(&secret, &key);
	tl_key_format(&key, text);
	return text;
}

static inline int world_check(void *ud)
{
	(void)ud;
	return atomic_load(&w.closed) ? tl__fail(TL_E_CLOSED, "the node is closed") : TL_OK;
}

static inline void world_retain(void *ud)
{
	(void)ud;
	atomic_fetch_add(&w.handles, 1);
}

static inline void world_release(void *ud)
{
	(void)ud;
	atomic_fetch_sub(&w.handles, 1);
}

static inline uint64_t world_now(void *ud)
{
	(void)ud;
	return atomic_load(&w.now_ms);
}

static inline int64_t world_wall(void *ud)
{
	(void)ud;
	return 0;
}

static inline void world_committed(
	void *ud, const tl_id *db, uint64_t arrival, struct tl__fresh *fresh)
{
	(void)ud;
	tl__fresh_free(fresh);
	(void)db;
	if (arrival > 0)
		atomic_fetch_add(&w.committed, 1);
}

static inline void world_log(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)part;
	(void)text;
	if (level >= TL_LOG_WARNING)
		atomic_fetch_add(&w.log_lines, 1);
}

static inline int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
	(void)info;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline bool open_store(void)
{
	const char *top = getenv("TMPDIR");

	w.folder[0] = '\0';
	if (strcmp(backend, "memory") == 0)
		return tl__store_open_memory(&w.store, &w.log) == TL_OK;
	snprintf(w.folder, sizeof w.folder, "%s/tidelock-tree-XXXXXX", top && *top ? top : "/tmp");
	return mkdtemp(w.folder) &&
	       tl__store_open_sqlite(&w.store, w.folder, TL__DURABLE_RELAXED, &w.log) == TL_OK;
}

static inline bool world_open(void)
{
	memset(&w, 0, sizeof w);
	w.clock = (tl__clock){world_now, world_wall, NULL};
	w.log = (tl__log){world_log, NULL, TL_LOG_WARNING, NULL};
	if (!open_store() || tl__verify_pool_new(&w.pool, 2) != TL_OK ||
		tl__tree_init(&w.tree, w.store, w.pool, &w.clock, tl__random_seeded(&w.seeded, 7),
			&w.log) != TL_OK ||
		tl__hooks_init(&w.hooks) != TL_OK)
		return false;
	w.tree.listener = (tl__tree_listener){world_committed, NULL};
	w.host = (tl__host){.tree = &w.tree,
		.hooks = &w.hooks,
		.secret = secret_of,
		.check = world_check,
		.retain = world_retain,
		.release = world_release};
	return tl__host_init(&w.host) == TL_OK;
}

/* Every case gives back all its handles. */
static inline void world_close(void)
{
	CHECK(atomic_load(&w.handles) == 0);
	tl__host_free(&w.host);
	tl__hooks_free(&w.hooks);
	tl__tree_free(&w.tree);
	tl__verify_pool_free(w.pool);
	tl__store_close(w.store);
	if (w.folder[0])
		nftw(w.folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Runs a case on each backend, in a fresh world. */
#define RUN_EACH(function)                                                                         \
	do {                                                                                       \
		static const char *const names[] = {"memory", "sqlite"};                           \
		for (size_t run = 0; run < sizeof names / sizeof names[0]; run++) {                \
			backend = names[run];                                                      \
			spec_case_ok = true;                                                       \
			if (world_open()) {                                                        \
				function();                                                        \
				world_close();                                                     \
			} else {                                                                   \
				spec_case_ok = false;                                              \
				printf("no world: %s\n", tl_error_message(tl_last_error()));       \
			}                                                                          \
			spec_case_ok ? spec_passed++ : spec_failed++;                              \
			printf("%s %s %s\n", spec_case_ok ? "ok" : "FAILED", #function, backend);  \
		}                                                                                  \
	} while (0)

/* --- shorthand -------------------------------------------------------------------------------- */

static inline tl_database *new_database(const char *key)
{
	tl_database *db = NULL;

	CHECK_OK(tl__database_create(&w.host, NULL, z(key), &db));
	return db;
}

static inline tl_transaction *begin(tl_database *db)
{
	tl_transaction *tx = NULL;

	CHECK_OK(tl_transaction_new(db, &tx));
	return tx;
}

static inline tl_transaction *begin_at(tl_database *db, const tl_id *tips, size_t count)
{
	tl_transaction *tx = NULL;

	CHECK_OK(tl_transaction_new_with_tips(db, tips, count, &tx));
	return tx;
}

static inline tl_doc_store *doc(tl_transaction *tx, const char *name)
{
	tl_doc_store *store = NULL;

	CHECK_OK(tl_transaction_doc_store(tx, z(name), &store));
	return store;
}

static inline tl_doc_store *present(tl_database *db, const char *name)
{
	tl_doc_store *store = NULL;

	CHECK_OK(tl_database_doc_store(db, z(name), &store));
	return store;
}

/* Commits and frees. */
static inline int finish(tl_transaction *tx, tl_id *id)
{
	int code = tl_transaction_commit(tx, id);
	tl_error *kept = code == TL_OK ? NULL : tl__error_keep();

	tl_transaction_free(tx);
	return tl__error_restore(kept, code);
}

/* One text under one path, as an entry of its own. */
static inline tl_id write_text(
	tl_database *db, const char *store, const char *path, const char *text)
{
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, store);
	tl_id id = {{0}};

	CHECK_OK(tl_doc_store_set_string(d, z(path), z(text)));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, &id));
	return id;
}

static inline tl_id write_text_at(tl_database *db, const tl_id *tips, size_t count,
	const char *store, const char *path, const char *text)
{
	tl_transaction *tx = begin_at(db, tips, count);
	tl_doc_store *d = doc(tx, store);
	tl_id id = {{0}};

	CHECK_OK(tl_doc_store_set_string(d, z(path), z(text)));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, &id));
	return id;
}

/* A Doc from its text. */
static inline tl_value *parse_doc(const char *text)
{
	tl_value *value = NULL;

	CHECK_OK(tl_doc_parse(&value, z(text)));
	return value;
}

/* Plain JSON of a value; NULL gives "absent". Two at a time. */
static inline const char *json(const tl_value *value)
{
	static char texts[2][8192];
	static unsigned next;
	char *out, *text = texts[next++ % 2];
	size_t len;

	if (!value)
		return "absent";
	if (tl_value_export(value, &out, &len) != TL_OK)
		return "error";
	snprintf(text, sizeof texts[0], "%s", out);
	tl_free(out);
	return text;
}

#define CHECK_TEXT(actual, expected)                                                               \
	do {                                                                                       \
		const char *spec_text = (actual);                                                  \
		if (strcmp(spec_text, (expected)) != 0) {                                          \
			spec_case_ok = false;                                                      \
			printf("%s:%d: got %s, expected %s\n", __FILE__, __LINE__, spec_text,      \
				(expected));                                                       \
		}                                                                                  \
	} while (0)

/* What a path shows as plain JSON: "absent" without a value, else the error's name. */
static inline const char *shows(tl_doc_store *store, const char *path)
{
	tl_value *value;
	const char *text;
	int code = tl_doc_store_get_option(store, z(path), &value);

	if (code != TL_OK)
		return tl_error_name(code);
	text = json(value);
	tl_value_free(value);
	return text;
}

static inline const char *shows_all(tl_doc_store *store)
{
	tl_value *value;
	const char *text;
	int code = tl_doc_store_get_all(store, &value);

	if (code != TL_OK)
		return tl_error_name(code);
	text = json(value);
	tl_value_free(value);
	return text;
}

static inline const char *now_shows(tl_database *db, const char *store, const char *path)
{
	tl_doc_store *d = present(db, store);
	const char *text = shows(d, path);

	tl_doc_store_free(d);
	return text;
}

/* What an entry carries for a store; "none" when it does not carry it. One at a time. */
static inline const char *data_of(tl_database *db, const tl_id *id, const char *store)
{
	static char text[16384];
	tl_entry *entry;
	tl_str data;
	ptrdiff_t at;

	if (tl_database_get_entry(db, id, &entry) != TL_OK)
		return "no entry";
	at = tl_entry_find_store(entry, z(store));
	data = at < 0 ? TL__STR("none") : tl_entry_store_data(entry, (size_t)at);
	snprintf(text, sizeof text, "%.*s", TL__STR_ARG(data));
	tl_entry_free(entry);
	return text;
}

typedef struct id_list {
	tl_id at[256];
	size_t count;
} id_list;

static inline int note_id(void *ud, const tl_id *id)
{
	id_list *list = ud;

	if (list->count == 256)
		return TL_STOP;
	list->at[list->count++] = *id;
	return TL_OK;
}

static inline bool same_id(const tl_id *a, const tl_id *b)
{
	return memcmp(a->b, b->b, TL_ID_BYTES) == 0;
}

static inline size_t tips_of(tl_database *db, id_list *list)
{
	list->count = 0;
	CHECK_OK(tl_database_tips(db, note_id, list));
	return list->count;
}

/* Adds a key record; signs with the database's default key. */
static inline tl_id add_key(tl_database *db, const char *key, tl_permission permission)
{
	tl_transaction *tx = begin(db);
	tl_settings_store *settings;
	tl_id id = {{0}};

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_set_auth_key(
		settings, TL__STR_NULL, z(key_of(key)), permission, TL_KEY_ACTIVE));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, &id));
	return id;
}

/* Commits, frees the store handle, and gives what the entry carries for it. */
static inline const char *staged(tl_database *db, tl_transaction *tx, tl_doc_store *d)
{
	char name[64];
	tl_id id;

	snprintf(name, sizeof name, "%.*s", TL__STR_ARG(tl_doc_store_name(d)));
	tl_doc_store_free(d);
	if (finish(tx, &id) != TL_OK)
		return tl_error_name(tl_error_code(tl_last_error()));
	return data_of(db, &id, name);
}

static inline tl_value *doc_of(const char *key, tl_value *value)
{
	tl_value *d = tl_value_doc();

	CHECK_OK(tl_doc_put(d, z(key), value));
	return d;
}

#endif
