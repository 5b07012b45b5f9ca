/* A backend by itself (tl_store): what is held, without trust, merging or synchronisation. The
 * stores of a database (DocStore, Table, SettingsStore) are in tidelock/stores.h.
 *
 * For tools that look into a data directory, and for programs that need local documents only. It
 * judges nothing: it shows what was stored and the verdict stored with it. Entries are written
 * through databases (database.h), never here.
 *
 * Threads: any function from any thread; they block for the disk. A data directory belongs to one
 * process and, in it, to one opener: a node and a store cannot hold the same one.
 *
 * Visitors: what they are given is borrowed and valid during the call only, and they must not call
 * the store they visit. TL_OK goes on, TL_STOP ends the walk with TL_OK, any other code ends it and
 * is returned. A walk sees one moment of the store; writers do not disturb it. */
#ifndef TIDELOCK_BACKEND_H
#define TIDELOCK_BACKEND_H

#include <stdbool.h>
#include <tidelock/database.h>
#include <tidelock/doc.h>
#include <tidelock/error.h>
#include <tidelock/log.h>
#include <tidelock/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- opening ---------------------------------------------------------------------------------- */

typedef struct tl_store tl_store;

typedef struct tl_store_config {
	size_t size;
	const char *path; /* data directory, created when missing; NULL: everything in memory */
	bool relaxed;     /* what was written survives SIGKILL, but perhaps not power loss */
	tl_log_sink log;  /* NULL: stderr */
	void *log_ud;
	tl_log_level log_level;
} tl_store_config;

#define TL_STORE_CONFIG_INIT                                                                       \
	{                                                                                          \
		sizeof(tl_store_config), NULL, false, NULL, NULL, TL_LOG_WARNING                   \
	}

/* *out is yours: tl_store_close; NULL on failure. Errors: TL_E_ALREADY_OPEN, TL_E_STORE_LOCKED
 * (another process, named), TL_E_STORE_DAMAGED, TL_E_STORE_NEWER, TL_E_STORE_READ_ONLY, TL_E_IO. */
TL_API int tl_store_open(tl_store **out, const tl_store_config *config) TL_MUST_USE;
/* The store of an open node, for reading only: writes fail with TL_E_STORE_READ_ONLY. It can be
 * used beside the node, from any thread, and keeps the node's store open, also past the node's
 * closing, until it is closed itself. *out is yours: tl_store_close. TL_E_CLOSED of a closed node.
 */
TL_API int tl_node_store(tl_node *node, tl_store **out) TL_MUST_USE;
/* No call may be running. NULL is fine. */
TL_API void tl_store_close(tl_store *store);

/* --- databases -------------------------------------------------------------------------------- */

typedef struct tl_store_database {
	size_t size; /* set it before tl_store_find; it stays */
	tl_id id;
	uint64_t arrivals; /* entries in the DAG: the last arrival number; 0 when all are aside */
	uint8_t chain[32]; /* hash over the ids in order of arrival; zero at 0 */
	uint64_t void_count, void_bytes; /* of those, the ones that contribute nothing */
	uint64_t pending, quarantined;   /* set aside, outside the DAG */
} tl_store_database;

#define TL_STORE_DATABASE_INIT                                                                     \
	{                                                                                          \
		sizeof(tl_store_database), {{0}}, 0, {0}, 0, 0, 0, 0                               \
	}

typedef int (*tl_store_database_visit)(void *ud, const tl_store_database *database);

/* System databases too, in no particular order. Counting what is set aside walks it. */
TL_API int tl_store_databases(tl_store *store, tl_store_database_visit visit, void *ud) TL_MUST_USE;
/* TL_E_DATABASE_NOT_FOUND when nothing of it is held. */
TL_API int tl_store_find(tl_store *store, const tl_id *db, tl_store_database *out) TL_MUST_USE;

/* --- entries ---------------------------------------------------------------------------------- */

typedef enum tl_store_verdict {
	TL_STORE_VERIFIED = 0,
	TL_STORE_VOID = 1,    /* in the DAG, contributes nothing */
	TL_STORE_INVALID = 2, /* in quarantine */
	TL_STORE_PENDING = 3  /* waits for something that it names */
} tl_store_verdict;

/* "verified" "void" "invalid" "pending"; "unknown" for a number that is none. Static storage. */
TL_API const char *tl_store_verdict_name(tl_store_verdict verdict);

typedef struct tl_store_entry {
	size_t size;
	tl_id id;
	uint64_t arrival; /* from 1; 0 of one set aside */
	uint64_t height;  /* 0 of one set aside */
	tl_store_verdict verdict;
	tl_str bytes;         /* canonical */
	const tl_id *parents; /* main parents, as stored; none of one set aside */
	size_t parent_count;
	tl_str sender; /* of one set aside: who sent it; ptr NULL otherwise */
	int reason;    /* of one set aside: the error code that says why; otherwise TL_OK */
} tl_store_entry;
typedef int (*tl_store_entry_visit)(void *ud, const tl_store_entry *entry);

/* Those of the ids that are held, in the DAG or aside, each once, in no particular order. */
TL_API int tl_store_entries(tl_store *store, const tl_id *db, const tl_id *ids, size_t count,
	tl_store_entry_visit visit, void *ud) TL_MUST_USE;
/* Arrivals from..to (inclusive), ascending, at most `limit`; `from` above `to` is nothing. */
TL_API int tl_store_arrivals(tl_store *store, const tl_id *db, uint64_t from, uint64_t to,
	size_t limit, tl_store_entry_visit visit, void *ud) TL_MUST_USE;
/* What is set aside with this verdict (TL_STORE_INVALID or TL_STORE_PENDING), oldest first. */
TL_API int tl_store_aside(tl_store *store, const tl_id *db, tl_store_verdict verdict,
	tl_store_entry_visit visit, void *ud) TL_MUST_USE;

/* Tips in ascending order: of the store called `name`, or of the database when it is empty. */
TL_API int tl_store_tips(
	tl_store *store, const tl_id *db, tl_str name, tl_id_visit visit, void *ud) TL_MUST_USE;
/* Names of the stores that any entry carries, ascending. */
TL_API int tl_store_names(
	tl_store *store, const tl_id *db, tl_name_visit visit, void *ud) TL_MUST_USE;

/* --- state ------------------------------------------------------------------------------------ */

/* One step of a path: a key of a Doc, or an item of a List by its position. Never grows: it comes
 * in arrays. */
typedef struct tl_store_part {
	bool item;
	tl_str key;           /* unless item */
	tl_position position; /* of an item, in lowest terms */
} tl_store_part;

typedef enum tl_store_state_kind {
	TL_STORE_DOC = 0,  /* there was a Doc here */
	TL_STORE_LIST = 1, /* there was a List here */
	TL_STORE_LEAF = 2  /* a value or a tombstone */
} tl_store_state_kind;

/* A row of derived state: which entry wrote last, with this kind, at this path. Of the rows of one
 * path the one with the greatest (height, id) is what is there. */
typedef struct tl_store_state_row {
	size_t size;
	const tl_store_part *parts; /* at least one */
	size_t part_count;
	tl_store_state_kind kind;
	uint64_t height; /* of the writing entry in this store */
	tl_id id;        /* the writing entry */
	tl_str value;    /* JSON of a leaf; empty otherwise */
} tl_store_state_row;
typedef int (*tl_store_state_visit)(void *ud, const tl_store_state_row *row);

/* Rows at and below the path `prefix` (count 0: all) of the store `name`, a container before what
 * it contains, keys ascending. TL_E_BAD_PATH when a position of the prefix has denominator 0. */
TL_API int tl_store_state(tl_store *store, const tl_id *db, tl_str name,
	const tl_store_part *prefix, size_t count, tl_store_state_visit visit,
	void *ud) TL_MUST_USE;

/* --- local documents -------------------------------------------------------------------------- */

/* Small values under a name that stay on this device. In a node's data directory the names beside
 * your own are the engine's: look at them, but leave them alone. */
#define TL_STORE_MAX_LOCAL_BYTES (1024u * 1024)

/* *value is yours (tl_free). TL_E_NOT_FOUND. */
TL_API int tl_store_local_get(tl_store *store, tl_str key, char **value, size_t *len) TL_MUST_USE;
/* Durable when it returns. TL_E_TOO_LARGE over TL_STORE_MAX_LOCAL_BYTES. */
TL_API int tl_store_local_put(tl_store *store, tl_str key, tl_str value) TL_MUST_USE;
/* Fine when there is none. */
TL_API int tl_store_local_remove(tl_store *store, tl_str key) TL_MUST_USE;
typedef int (*tl_store_local_visit)(void *ud, tl_str key, tl_str value);
/* Those whose name begins with `prefix`, ascending. */
TL_API int tl_store_locals(
	tl_store *store, tl_str prefix, tl_store_local_visit visit, void *ud) TL_MUST_USE;

/* --- upkeep ----------------------------------------------------------------------------------- */

/* Checks the backend's own integrity and every checksum; each finding is a sentence. TL_OK also
 * when there were findings. Reads everything. `go_on` (may be NULL) is asked now and then, on the
 * same thread, and must not use the store: false ends the check with TL_E_CANCELLED. */
typedef void (*tl_store_finding)(void *ud, tl_str sentence);
typedef bool (*tl_store_go_on)(void *ud);
TL_API int tl_store_check(
	tl_store *store, tl_store_finding finding, tl_store_go_on go_on, void *ud) TL_MUST_USE;
/* A consistent copy into a new file. TL_E_UNSUPPORTED of a store in memory. */
TL_API int tl_store_backup(tl_store *store, const char *file) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
