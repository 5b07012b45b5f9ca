/* Stores: named parts of a database, and how to read and change them.
 *
 * A DocStore is one Doc, a Table a Doc of rows, the SettingsStore the Doc `_settings`. A handle is
 * bound to a transaction (reads and stages), or to the present or a view of a database (reads
 * only). It keeps that alive; free it in any order. Used by one thread at a time.
 *
 * Paths. A `path` is a text split at its dots, empty components dropped ("a..b." is "a.b"); one
 * without components is TL_E_BAD_PATH. The calls ending in `_at_path` take an array of literal
 * components, in which a dot is a character like any other. Reading by path counts the visible
 * items of a List by a decimal component ("items.0"). Writing by path goes through Docs: a scalar
 * on its way is replaced by one, a List is not (TL_E_TYPE_MISMATCH): get the List, change it
 * (tl_list_set, _insert, _remove) and set it as a whole, or use tl_doc_store_modify.
 *
 * Reads see what the transaction staged merged over what it stands on: a staged deletion hides,
 * staged parts do not hide their siblings. A deleted value reads as absent.
 *
 * Values given are taken over in every case, also on failure; values returned are yours
 * (tl_value_free). Setters are sticky: see tidelock/transaction.h. */
#ifndef TIDELOCK_STORES_H
#define TIDELOCK_STORES_H

#include <tidelock/auth.h>
#include <tidelock/doc.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- DocStore --------------------------------------------------------------------------------- */

typedef struct tl_doc_store tl_doc_store;

TL_API void tl_doc_store_free(tl_doc_store *store);         /* NULL is fine */
TL_API tl_str tl_doc_store_name(const tl_doc_store *store); /* belongs to the store */

/* TL_E_KEY_NOT_FOUND when absent. */
TL_API int tl_doc_store_get(tl_doc_store *store, tl_str path, tl_value **out) TL_MUST_USE;
/* The same, but an absent value is *out NULL and TL_OK. */
TL_API int tl_doc_store_get_option(tl_doc_store *store, tl_str path, tl_value **out) TL_MUST_USE;
/* Of this type, else TL_E_TYPE_MISMATCH. */
TL_API int tl_doc_store_get_as(
	tl_doc_store *store, tl_str path, tl_type type, tl_value **out) TL_MUST_USE;
/* *out is yours (tl_free), closed by a NUL; len may be NULL. */
TL_API int tl_doc_store_get_string(
	tl_doc_store *store, tl_str path, char **out, size_t *len) TL_MUST_USE;
TL_API int tl_doc_store_get_int(tl_doc_store *store, tl_str path, int64_t *out) TL_MUST_USE;
TL_API int tl_doc_store_get_bool(tl_doc_store *store, tl_str path, bool *out) TL_MUST_USE;
TL_API int tl_doc_store_get_list(tl_doc_store *store, tl_str path, tl_value **out) TL_MUST_USE;
TL_API int tl_doc_store_get_node(tl_doc_store *store, tl_str path, tl_value **out) TL_MUST_USE;
/* The whole Doc, tombstones included. */
TL_API int tl_doc_store_get_all(tl_doc_store *store, tl_value **out) TL_MUST_USE;
/* No components: the whole Doc. TL_E_KEY_NOT_FOUND, or TL_E_TYPE_MISMATCH when something on the way
 * is no Doc. */
TL_API int tl_doc_store_get_at_path(
	tl_doc_store *store, const tl_str *components, size_t count, tl_value **out) TL_MUST_USE;
TL_API int tl_doc_store_contains_key(tl_doc_store *store, tl_str path, bool *out) TL_MUST_USE;
TL_API int tl_doc_store_contains_at_path(
	tl_doc_store *store, const tl_str *components, size_t count, bool *out) TL_MUST_USE;

/* Visible children of the Doc at `path` ("": of the store) in ascending key order; a path without a
 * Doc has none. What it sees of changes made meanwhile is told at tl_walk. See tidelock/database.h
 * for what visitors may do. */
typedef int (*tl_member_visit)(void *ud, tl_str key, const tl_value *value);
TL_API int tl_doc_store_each(
	tl_doc_store *store, tl_str path, tl_member_visit visit, void *ud) TL_MUST_USE;

/* Replaces what is visible there: afterwards a read gives exactly this value. A Doc over a Doc
 * stages tombstones for visible keys left out, a List over a List for visible items left out. */
TL_API int tl_doc_store_set(tl_doc_store *store, tl_str path, tl_value *value);
TL_API int tl_doc_store_set_string(tl_doc_store *store, tl_str path, tl_str text);
TL_API int tl_doc_store_set_int(tl_doc_store *store, tl_str path, int64_t value);
TL_API int tl_doc_store_set_bool(tl_doc_store *store, tl_str path, bool value);
/* TL_E_TYPE_MISMATCH when it is no List, or no Doc. */
TL_API int tl_doc_store_set_list(tl_doc_store *store, tl_str path, tl_value *list);
TL_API int tl_doc_store_set_node(tl_doc_store *store, tl_str path, tl_value *doc);
/* No components: replaces the whole store, which needs a Doc (TL_E_TYPE_MISMATCH). A tombstone
 * deletes. */
TL_API int tl_doc_store_set_at_path(
	tl_doc_store *store, const tl_str *components, size_t count, tl_value *value);
/* Under the literal key, dots included. *previous (may be NULL) receives the visible value replaced
 * or NULL, and is yours. */
TL_API int tl_doc_store_insert(
	tl_doc_store *store, tl_str key, tl_value *value, tl_value **previous);
/* Merges a Doc into what is there (TL_E_TYPE_MISMATCH for another type): keys left out stay. */
TL_API int tl_doc_store_merge(tl_doc_store *store, tl_str path, tl_value *doc);
TL_API int tl_doc_store_merge_at_path(
	tl_doc_store *store, const tl_str *components, size_t count, tl_value *doc);

/* Deletes. A top-level key gets a tombstone also when nothing is visible there; deeper down nothing
 * visible means nothing to do. *existed (may be NULL, which for a top-level key saves a read) tells
 * whether a value was visible.
 */
TL_API int tl_doc_store_delete(tl_doc_store *store, tl_str path, bool *existed);
TL_API int tl_doc_store_delete_at_path(
	tl_doc_store *store, const tl_str *components, size_t count, bool *existed);
/* Deletes everything visible. */
TL_API int tl_doc_store_clear(tl_doc_store *store);

/* The value there if it has the type of `value`, else sets it. *out (may be NULL) receives what is
 * there afterwards. */
TL_API int tl_doc_store_get_or_insert(
	tl_doc_store *store, tl_str path, tl_value *value, tl_value **out);
/* Read, change, set. `change` gets the visible value, may alter it or put another in its place
 * (freeing the old one), and returns TL_OK, or a code that is returned without anything staged. A
 * List keeps its positions. TL_E_KEY_NOT_FOUND when absent. */
typedef int (*tl_value_change)(void *ud, tl_value **value);
TL_API int tl_doc_store_modify(tl_doc_store *store, tl_str path, tl_value_change change, void *ud);
/* The same; starts from `initial` when absent or of another type than that. */
TL_API int tl_doc_store_modify_or_insert(
	tl_doc_store *store, tl_str path, tl_value *initial, tl_value_change change, void *ud);

/* --- Table ------------------------------------------------------------------------------------ */

/* Rows are JSON texts under literal keys; a row is replaced as a whole, never merged field by
 * field. Another writer may leave something else under a key: no JSON, or a value that is no Text.
 * That is a row as well: it is there, counted and can be replaced or deleted, and reading it as
 * JSON is TL_E_BAD_JSON. */
typedef struct tl_table tl_table;

#define TL_ROW_KEY_LEN 36

TL_API void tl_table_free(tl_table *table); /* NULL is fine */
TL_API tl_str tl_table_name(const tl_table *table);

/* The JSON of a row that a walk gave, a view into it; TL_E_BAD_JSON when it is none: *json has ptr
 * NULL, and the last error says why. Since 0.3. */
TL_API int tl_row_json(const tl_value *row, tl_str *json) TL_MUST_USE;

/* Under a new UUID (v4), written to `key`. TL_E_BAD_JSON unless the row is one JSON value. */
TL_API int tl_table_insert(tl_table *table, tl_str row, char key[TL_ROW_KEY_LEN + 1]);
TL_API int tl_table_set(tl_table *table, tl_str key, tl_str row); /* creates or replaces */
/* TL_E_KEY_NOT_FOUND; TL_E_BAD_JSON when another writer left something that is no JSON text. *out
 * is yours (tl_free). */
TL_API int tl_table_get(tl_table *table, tl_str key, char **out, size_t *len) TL_MUST_USE;
TL_API int tl_table_contains(tl_table *table, tl_str key, bool *out) TL_MUST_USE;
/* *existed (may be NULL) tells whether there was a row; without one nothing is staged. */
TL_API int tl_table_delete(tl_table *table, tl_str key, bool *existed);
/* All rows in ascending key order, as other writers left them: look whether they are JSON. Of a
 * value that is no Text `row` has ptr NULL. What it sees of changes made meanwhile is told at
 * tl_walk. */
typedef int (*tl_row_visit)(void *ud, tl_str key, tl_str row);
TL_API int tl_table_each(tl_table *table, tl_row_visit visit, void *ud) TL_MUST_USE;
/* How many there are, those that are no JSON included. Reads them all, a page at a time. */
TL_API int tl_table_count(tl_table *table, uint64_t *out) TL_MUST_USE;
/* Those that `match` says true to. Of a row that is no JSON it is not asked: the visitor gets its
 * key with a row whose ptr is NULL, and the last error says why. */
typedef bool (*tl_row_match)(void *ud, tl_str key, tl_str row);
TL_API int tl_table_search(
	tl_table *table, tl_row_match match, tl_row_visit visit, void *ud) TL_MUST_USE;

/* --- walks ------------------------------------------------------------------------------------ */

/* The rows of a Table, or the visible children of a Doc, one after the other in ascending key
 * order. They are read in pages, so the first one of many comes at once, and memory does not grow.
 *
 *     tl_walk_options options = TL_WALK_OPTIONS_INIT;
 *     const tl_value *row = NULL;
 *     tl_walk *walk = NULL;
 *     tl_str key;
 *     int rc;
 *
 *     options.prefix = (tl_str){"2024-", 5};
 *     rc = tl_table_walk(table, &options, &walk);
 *     while (rc == TL_OK && (rc = tl_walk_next(walk, &key, &row)) == TL_OK && row)
 *         show(key, tl_value_as_text(row));
 *     tl_walk_free(walk);
 *
 * Of a row that is no Text the text's ptr is NULL; tl_row_json also looks whether it is JSON.
 * What a walk sees of changes: over a transaction the transaction as it is at each step, what the
 * loop itself stages included: a row that is set or deleted ahead comes or stays away, one behind
 * is not shown again. Over the present what is there when its page is read: every row that was
 * there all the time comes exactly once, one written meanwhile may come or not. A view never
 * changes. For one state throughout, walk over a view or a transaction. */
typedef struct tl_walk tl_walk;

typedef struct tl_walk_options {
	size_t size;   /* sizeof(tl_walk_options) */
	tl_str prefix; /* keys that begin with it; empty: all */
	tl_str after;  /* keys after this one, which need not be there; ptr NULL: from the first */
	size_t limit;  /* how many at most; 0: all */
} tl_walk_options;
#define TL_WALK_OPTIONS_INIT                                                                       \
	{                                                                                          \
		sizeof(tl_walk_options), {NULL, 0}, {NULL, 0}, 0                                   \
	}

/* Options may be NULL and are copied. The walk keeps what the handle is bound to alive, not the
 * handle. *out is yours (tl_walk_free). */
TL_API int tl_table_walk(
	tl_table *table, const tl_walk_options *options, tl_walk **out) TL_MUST_USE;
/* How many rows a walk with these options would give. Since 0.3. */
TL_API int tl_table_count_with(
	tl_table *table, const tl_walk_options *options, uint64_t *out) TL_MUST_USE;
/* Of the Doc at `path` ("": of the store); without a Doc there it has nothing. TL_E_BAD_PATH. */
TL_API int tl_doc_store_walk(tl_doc_store *store, tl_str path, const tl_walk_options *options,
	tl_walk **out) TL_MUST_USE;
/* The next one; *value NULL at the end. Both belong to the walk and live until its
 * next call. May wait for the disk. */
TL_API int tl_walk_next(tl_walk *walk, tl_str *key, const tl_value **value) TL_MUST_USE;
TL_API void tl_walk_free(tl_walk *walk); /* NULL is fine */

/* --- SettingsStore ---------------------------------------------------------------------------- */

typedef struct tl_settings_store tl_settings_store;

TL_API void tl_settings_store_free(tl_settings_store *settings); /* NULL is fine */

/* TL_E_KEY_NOT_FOUND without a name. *out is yours (tl_free). */
TL_API int tl_settings_store_get_name(
	tl_settings_store *settings, char **out, size_t *len) TL_MUST_USE;
TL_API int tl_settings_store_set_name(tl_settings_store *settings, tl_str name);

/* Any other setting, as in a DocStore on `_settings`: borrowed, lives as long as `settings`. Key
 * records are better changed by the calls below, which check them. */
TL_API tl_doc_store *tl_settings_store_doc(tl_settings_store *settings);

/* The key records as seen by the transaction. *out is yours (tl_auth_free). */
TL_API int tl_settings_store_get_auth(tl_settings_store *settings, tl_auth **out) TL_MUST_USE;
/* TL_E_KEY_NOT_FOUND. Texts in *out are valid until the next call on `settings`. */
TL_API int tl_settings_store_get_auth_key(
	tl_settings_store *settings, tl_str name, tl_auth_key *out) TL_MUST_USE;
/* Top-level key records in ascending name order, revoked ones too. */
typedef int (*tl_auth_key_visit)(void *ud, tl_str name, const tl_auth_key *key);
TL_API int tl_settings_store_list_auth_keys(
	tl_settings_store *settings, tl_auth_key_visit visit, void *ud) TL_MUST_USE;

/* Each stages only the record it changes. A name with ptr NULL is the public key's text, which is
 * the best name. Refused with TL_E_BAD_ARGUMENT: an empty name, one with a dot, "*" as the name
 * of a key or the public key of another name; with TL_E_BAD_KEY: a text that is no public key.
 * Committing needs Admin, and no key may be raised above the permission of the one who signs. */

/* TL_E_ALREADY_EXISTS when the name has a record. */
TL_API int tl_settings_store_add_auth_key(
	tl_settings_store *settings, tl_str name, tl_str pubkey, tl_permission permission);
/* Adds or updates; also makes a revoked key active again. TL_E_KEY_NAME_CONFLICT when the name
 * holds another public key. */
TL_API int tl_settings_store_set_auth_key(tl_settings_store *settings, tl_str name, tl_str pubkey,
	tl_permission permission, tl_key_status status);
/* TL_E_KEY_NOT_FOUND. Works for the global record ("*") too. */
TL_API int tl_settings_store_revoke_auth_key(tl_settings_store *settings, tl_str name);
/* The global record: grants `permission` to every key. */
TL_API int tl_settings_store_set_global(
	tl_settings_store *settings, tl_permission permission, tl_key_status status);
/* Keys of another database may act here, within these bounds (min may be NULL). The tips are
 * informational; they may be none. Name as above, but never NULL. TL_E_KEY_NAME_CONFLICT when the
 * name holds a key record or another root. */
TL_API int tl_settings_store_add_delegated_tree(tl_settings_store *settings, tl_str name,
	const tl_id *root, const tl_id *tips, size_t tip_count, tl_permission max,
	const tl_permission *min);
/* Deletes a record of either kind. TL_E_KEY_NOT_FOUND. */
TL_API int tl_settings_store_remove_auth_record(tl_settings_store *settings, tl_str name);

#ifdef __cplusplus
}
#endif
#endif
