/* Databases: a DAG of signed entries each, named by the id of its root entry, holding stores.
 *
 * Handles come from a node (tidelock/node.h). A database handle and a view may be used from several
 * threads at once; transactions and store handles by one thread at a time. A child keeps its parent
 * alive: views, stores and transactions their database, databases their node; free them in any
 * order.
 *
 * Everything here reads or writes the store at once and may wait for the disk. Once the node is
 * closed every call fails with TL_E_CLOSED.
 *
 * Visitors: called without any lock held, so they may use the library. TL_OK goes on, TL_STOP ends
 * the walk with TL_OK, a negative code ends it and is returned. What they are given lives during
 * the call only. */
#ifndef TIDELOCK_DATABASE_H
#define TIDELOCK_DATABASE_H

#include <tidelock/auth.h>
#include <tidelock/ext.h>
#include <tidelock/stores.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tl_database tl_database;
typedef struct tl_view tl_view;

TL_API tl_database *tl_database_retain(tl_database *db);
TL_API void tl_database_free(tl_database *db); /* gives back one reference; NULL is fine */

/* Id of the root entry. Belongs to the handle. */
TL_API const tl_id *tl_database_root_id(const tl_database *db);
/* The setting `name`; TL_E_KEY_NOT_FOUND without one. *out is yours (tl_free). */
TL_API int tl_database_name(tl_database *db, char **out, size_t *len) TL_MUST_USE;
/* All present settings as a Doc, tombstones included. *out is yours. */
TL_API int tl_database_settings(tl_database *db, tl_value **out) TL_MUST_USE;

/* Private key that new transactions of this handle sign with: its name on the node. Whether it may
 * write is looked at when committing. */
TL_API int tl_database_set_default_auth_key(tl_database *db, tl_str key_name) TL_MUST_USE;
TL_API void tl_database_clear_default_auth_key(tl_database *db);
/* *out is NULL when none is set, else yours (tl_free). */
TL_API int tl_database_default_auth_key(tl_database *db, char **out) TL_MUST_USE;

/* --- who may do what -------------------------------------------------------------------------- */

/* Present permission of the key record of this name ("*": the global record). TL_E_KEY_NOT_FOUND;
 * a revoked record: TL_E_INSUFFICIENT_PERMISSIONS. */
TL_API int tl_database_get_sigkey_permission(
	tl_database *db, tl_str name, tl_permission *out) TL_MUST_USE;
/* Active records under which this public key (text) can sign now, strongest first, the global
 * record ("*") included. Delegated keys are not listed. */
typedef int (*tl_sigkey_visit)(void *ud, tl_str name, tl_permission permission);
TL_API int tl_database_find_sigkeys(
	tl_database *db, tl_str pubkey, tl_sigkey_visit visit, void *ud) TL_MUST_USE;

/* --- entries ---------------------------------------------------------------------------------- */

#define TL_STOP 1
typedef int (*tl_id_visit)(void *ud, const tl_id *id);
typedef int (*tl_name_visit)(void *ud, tl_str name);

/* What is known of an entry without reading it. */
typedef struct tl_entry_info {
	size_t size; /* set it before tl_database_get_info; it stays */
	tl_id id;
	uint64_t arrival; /* local number: 1, 2, 3 … in the order of entering, parents first */
	uint64_t height;  /* 0 for the root */
	uint32_t bytes;
	bool is_void; /* kept for its descendants, contributes nothing (doc/tidelock/trust.md) */
	const tl_id *parents; /* main parents */
	size_t parent_count;
} tl_entry_info;

#define TL_ENTRY_INFO_INIT                                                                         \
	{                                                                                          \
		sizeof(tl_entry_info), {{0}}, 0, 0, 0, false, NULL, 0                              \
	}

typedef int (*tl_info_visit)(void *ud, const tl_entry_info *info);
typedef int (*tl_entry_visit)(void *ud, tl_entry *entry);

/* Tips: entries that nothing builds on yet, ascending. */
TL_API int tl_database_tips(tl_database *db, tl_id_visit visit, void *ud) TL_MUST_USE;
/* Names of all stores any entry carries, ascending; `_root` and `_settings` among them. */
TL_API int tl_database_store_names(tl_database *db, tl_name_visit visit, void *ud) TL_MUST_USE;
/* Whether the entry is part of this database. */
TL_API int tl_database_has(tl_database *db, const tl_id *id, bool *out) TL_MUST_USE;
/* TL_E_ENTRY_NOT_FOUND, also when the entry belongs to another database. *out is yours
 * (tl_entry_free). */
TL_API int tl_database_get_entry(tl_database *db, const tl_id *id, tl_entry **out) TL_MUST_USE;
/* In the order given; one that is missing ends it with TL_E_ENTRY_NOT_FOUND. */
TL_API int tl_database_get_entries(tl_database *db, const tl_id *ids, size_t count,
	tl_entry_visit visit, void *ud) TL_MUST_USE;
/* TL_E_ENTRY_NOT_FOUND. info->parents are yours (tl_free). */
TL_API int tl_database_get_info(tl_database *db, const tl_id *id, tl_entry_info *info) TL_MUST_USE;

/* Change feed: entries with arrival numbers above `since`, ascending, at most `limit` (0: all that
 * are there at the call). Resume with the arrival of the last one seen: nothing is missed, nothing
 * comes twice, also after a restart. TL_E_INDEX_OUT_OF_BOUNDS when `since` is beyond the newest: it
 * was seen in another copy, as one that was restored from a backup. */
TL_API int tl_database_changes(
	tl_database *db, uint64_t since, size_t limit, tl_info_visit visit, void *ud) TL_MUST_USE;
/* The newest `limit` entries (0: all) in ascending (height, id) order, parents before children. */
TL_API int tl_database_log(
	tl_database *db, size_t limit, tl_info_visit visit, void *ud) TL_MUST_USE;
/* Arrival number of the newest entry, the count of entries. */
TL_API int tl_database_arrival(tl_database *db, uint64_t *out) TL_MUST_USE;
/* Canonical bytes of all entries there at the call, in arrival order. Whoever writes them down one
 * a line can give them to tl_node_import; what it says of the lines around them lets it see later
 * whether all are there. */
typedef int (*tl_export_visit)(void *ud, uint64_t arrival, tl_str bytes);
TL_API int tl_database_export(tl_database *db, tl_export_visit visit, void *ud) TL_MUST_USE;

typedef struct tl_database_counts {
	size_t size;      /* set it before tl_database_count; it stays */
	uint64_t entries; /* void ones included */
	uint64_t void_entries;
	uint64_t void_bytes;
	uint64_t pending;     /* wait for something they name */
	uint64_t quarantined; /* judged invalid */
} tl_database_counts;

#define TL_DATABASE_COUNTS_INIT                                                                    \
	{                                                                                          \
		sizeof(tl_database_counts), 0, 0, 0, 0, 0                                          \
	}

TL_API int tl_database_count(tl_database *db, tl_database_counts *out) TL_MUST_USE;

/* Who wrote what at one path of a store, oldest first in (height, id) order: every entry whose
 * delta holds a node there. The components are literal; `value` is what the entry itself wrote (a
 * tombstone for a deletion). Entries that are void or concurrent are shown too. Costs a walk over
 * the entries of the store. */
typedef struct tl_history_step {
	size_t size;
	tl_id id;
	uint64_t height; /* in the store */
	tl_str author;   /* the key's name or public key as the entry shows it */
	bool is_void;
	const tl_value *value;
} tl_history_step;
typedef int (*tl_history_visit)(void *ud, const tl_history_step *step);
TL_API int tl_database_history_of(tl_database *db, tl_str store, const tl_str *components,
	size_t count, tl_history_visit visit, void *ud) TL_MUST_USE;

/* --- checking --------------------------------------------------------------------------------- */

/* How to check; zeroed members are left out. Both calls get `ud` and run on the caller's thread. */
typedef struct tl_verify_options {
	size_t size;
	/* Each finding is one sentence; `entry` is NULL when it concerns no single one, `db` when
	 * it concerns the store as a whole. They and the sentence live during the call. */
	void (*finding)(void *ud, const tl_id *db, const tl_id *entry, tl_str sentence);
	/* Asked at the beginning, at the end, and some ten times a second: entries rechecked so far
	 * and entries there are; `done` only rises. false ends the check with TL_E_CANCELLED. It
	 * may use the library, and the check waits for it. */
	bool (*progress)(void *ud, uint64_t done, uint64_t total);
	void *ud;
} tl_verify_options;

#define TL_VERIFY_OPTIONS_INIT                                                                     \
	{                                                                                          \
		sizeof(tl_verify_options), NULL, NULL, NULL                                        \
	}

/* What a check looked at. */
typedef struct tl_verify_result {
	size_t size; /* set it before the call; it stays */
	uint64_t findings;
	uint64_t entries;     /* rechecked, void ones included */
	uint64_t pending;     /* set aside: they wait for something they name */
	uint64_t quarantined; /* set aside: judged invalid */
} tl_verify_result;

#define TL_VERIFY_RESULT_INIT                                                                      \
	{                                                                                          \
		sizeof(tl_verify_result), 0, 0, 0, 0                                               \
	}

/* Rechecks everything held of this database: bytes against ids, structure, the chain of arrivals,
 * heights, tips, signatures and permissions against the stored verdicts, stores whose data cannot
 * be read, each store's state against a fold of its history; and the file of the store against
 * itself. Entries are checked as of the call; others read and write meanwhile. TL_OK also when
 * there were findings; TL_E_CANCELLED when progress said so, the result then tells how far it came.
 * `options` and `result` may be NULL. Blocks; reads the whole database on the caller's thread and
 * those of the verify pool. */
TL_API int tl_database_verify(
	tl_database *db, const tl_verify_options *options, tl_verify_result *result) TL_MUST_USE;

/* --- stores, read only ------------------------------------------------------------------------ */

/* Stores at the present: each call reads what is there at that moment. Writing through such a
 * handle fails with TL_E_UNSUPPORTED. A name that no entry carries is an empty store. *out is
 * yours. */
TL_API int tl_database_doc_store(tl_database *db, tl_str name, tl_doc_store **out) TL_MUST_USE;
TL_API int tl_database_table(tl_database *db, tl_str name, tl_table **out) TL_MUST_USE;
TL_API int tl_database_settings_store(tl_database *db, tl_settings_store **out) TL_MUST_USE;

/* The database as these entries saw it: they and their ancestors. TL_E_INVALID_TIP when one is not
 * part of the database, TL_E_EMPTY_TIPS_NOT_ALLOWED without any. Reads fold history. *out is yours:
 * tl_view_free. */
TL_API int tl_database_at(
	tl_database *db, const tl_id *tips, size_t count, tl_view **out) TL_MUST_USE;
TL_API int tl_view_doc_store(tl_view *view, tl_str name, tl_doc_store **out) TL_MUST_USE;
TL_API int tl_view_table(tl_view *view, tl_str name, tl_table **out) TL_MUST_USE;
TL_API int tl_view_settings_store(tl_view *view, tl_settings_store **out) TL_MUST_USE;
TL_API void tl_view_free(tl_view *view); /* NULL is fine */

/* --- hooks ------------------------------------------------------------------------------------ */

/* For local commits to this database, by whichever handle of this node: those that are open now and
 * those opened later. The hook stays until it is removed, by any handle of the database, or the
 * node ends; the struct is copied. *handle names it for removal. When this fails, drop is not
 * called. */
TL_API int tl_database_add_hook(tl_database *db, const tl_hook *hook, uint64_t *handle) TL_MUST_USE;
TL_API void tl_database_remove_hook(tl_database *db, uint64_t handle); /* unknown: nothing */

#ifdef __cplusplus
}
#endif
#endif
