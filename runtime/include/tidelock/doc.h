/* Documents: the mergeable values that stores hold.
 *
 * A value is null, bool, int (64 bits), text, doc (string keys), list (ordered by position) or a
 * tombstone. Values form trees: a container owns its children. Format and merge rules:
 * doc/tidelock/model.md. Nothing here blocks. */
#ifndef TIDELOCK_DOC_H
#define TIDELOCK_DOC_H

#include <stdbool.h>
#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Containers below the root that one value may nest: what 0.2.0 reads back. */
#define TL_DOC_MAX_NESTING 41

typedef struct tl_value tl_value;

typedef enum tl_type {
	TL_NULL = 0,
	TL_BOOL = 1,
	TL_INT = 2,
	TL_TEXT = 3,
	TL_DOC = 4,
	TL_LIST = 5,
	TL_DELETED = 6
} tl_type;

/* Place of an item in a list: a fraction and a UUID that breaks ties. Compared as numbers. Never
 * grows: the format of documents fixes it. */
typedef struct tl_position {
	int64_t numerator;
	uint64_t denominator;
	uint8_t uuid[16];
} tl_position;

/* Constructors: the result is yours (tl_value_free) until put into a container. NULL with the last
 * error set when memory ran out or the text is not UTF-8. */
TL_API tl_value *tl_value_null(void);
TL_API tl_value *tl_value_bool(bool value);
TL_API tl_value *tl_value_int(int64_t value);
TL_API tl_value *tl_value_text(tl_str text);
TL_API tl_value *tl_value_doc(void);
TL_API tl_value *tl_value_list(void);
TL_API tl_value *tl_value_deleted(void);
TL_API tl_value *tl_value_copy(const tl_value *value);
TL_API void tl_value_free(tl_value *value); /* NULL is fine */

TL_API tl_type tl_value_type(const tl_value *value);
TL_API const char *tl_type_name(tl_type type); /* "null" ... "deleted" */
/* Of a value of another type: false, 0, a text whose ptr is NULL. */
TL_API bool tl_value_as_bool(const tl_value *value);
TL_API int64_t tl_value_as_int(const tl_value *value);
TL_API tl_str tl_value_as_text(const tl_value *value);
/* Deep equality; list positions compare as numbers, as in merging. */
TL_API bool tl_value_equal(const tl_value *a, const tl_value *b);

/* Doc as a plain map, keys literal, tombstones visible. Children belong to the doc. */
TL_API size_t tl_doc_count(const tl_value *doc); /* all keys, tombstones too */
/* In ascending key order; false past the end. */
TL_API bool tl_doc_at(const tl_value *doc, size_t index, tl_str *key, tl_value **value);
TL_API tl_value *tl_doc_raw(const tl_value *doc, tl_str key); /* NULL when absent */
/* Takes ownership of `value` in every case, also on failure; replaces what is there. */
TL_API int tl_doc_put(tl_value *doc, tl_str key, tl_value *value) TL_MUST_USE;

/* Doc with the path rules of 0.2.0: a dot in `path` separates components, empty ones vanish.
 * Tombstones read as absent. */
TL_API tl_value *tl_doc_get(const tl_value *doc, tl_str path);
/* Takes ownership of `value`. Without components: TL_E_BAD_PATH. What is no Doc on the way, a List
 * too, is replaced by one; a DocStore (tidelock/stores.h) refuses to do that to a List. */
TL_API int tl_doc_set(tl_value *doc, tl_str path, tl_value *value) TL_MUST_USE;
/* Literal components (each may hold dots); intermediates that are no Doc become Docs. */
TL_API int tl_doc_set_at(
	tl_value *doc, const tl_str *components, size_t count, tl_value *value) TL_MUST_USE;
/* Stages a tombstone at the literal components, creating intermediates. */
TL_API int tl_doc_delete_at(tl_value *doc, const tl_str *components, size_t count) TL_MUST_USE;

/* List: `tl_list_len`, `get`, `set`, `insert` and `remove` count visible items; raw access sees
 * tombstones too. Values given are owned from then on, also on failure. */
TL_API size_t tl_list_len(const tl_value *list);
TL_API size_t tl_list_raw_len(const tl_value *list);
TL_API bool tl_list_raw_at(
	const tl_value *list, size_t index, tl_position *position, tl_value **value);
TL_API tl_value *tl_list_get(const tl_value *list, size_t index);
/* Behind every item; TL_E_POSITION_EXHAUSTED when the last stands at the end of the numbers. */
TL_API int tl_list_push(tl_value *list, tl_value *value) TL_MUST_USE;
/* TL_E_INDEX_OUT_OF_BOUNDS; TL_E_POSITION_EXHAUSTED when no position is left there: no fraction of
 * 64 bits lies between, or, of two items of one fraction, no UUID. */
TL_API int tl_list_insert(tl_value *list, size_t index, tl_value *value) TL_MUST_USE;
TL_API int tl_list_set(tl_value *list, size_t index, tl_value *value) TL_MUST_USE;
TL_API int tl_list_remove(tl_value *list, size_t index) TL_MUST_USE; /* leaves a tombstone */
/* At exactly this position, replacing an equal one (its first representation is kept). */
TL_API int tl_list_put(tl_value *list, const tl_position *position, tl_value *value) TL_MUST_USE;
TL_API int tl_position_compare(const tl_position *a, const tl_position *b);

/* Merges `later` into `base` in place (doc/tidelock/model.md); `later` is only read.
 * Deterministic. TL_E_NOMEM leaves `base` usable but half merged. Both must be Docs. */
TL_API int tl_doc_merge(tl_value *base, const tl_value *later) TL_MUST_USE;

/* Reads what 0.2.0 reads as a Doc; TL_E_BAD_JSON or TL_E_BAD_DOC. *out is yours. */
TL_API int tl_doc_parse(tl_value **out, tl_str text) TL_MUST_USE;
/* Doc text with keys in ascending order. *out is yours (tl_free); closed by a NUL. */
TL_API int tl_doc_write(const tl_value *doc, char **out, size_t *len) TL_MUST_USE;
/* Plain JSON for people: no tombstones, lists as arrays, properly escaped. *out is yours. */
TL_API int tl_value_export(const tl_value *value, char **out, size_t *len) TL_MUST_USE;
/* Reads plain JSON, by the rules of tidelock/json.h, such as calls like tl_sync_status return:
 * objects become Docs, arrays Lists. A value has no floats: a number with a fraction or exponent
 * becomes the Text it is written as (tl_json_reader tells the two apart). TL_E_BAD_JSON;
 * TL_E_TOO_LARGE for more than TL_DOC_MAX_NESTING levels. *out is yours. Walk it with tl_doc_raw,
 * tl_doc_at, tl_list_get, or by path:
 *
 *     tl_value *status = NULL, *pairs = NULL, *error = NULL;
 *     char *json = NULL;
 *     int rc = tl_sync_status(node, &json);
 *
 *     if (rc == TL_OK)
 *         rc = tl_value_parse_json(&status, (tl_str){json, strlen(json)});
 *     if (rc == TL_OK)
 *         pairs = tl_doc_raw(status, (tl_str){"pairs", 5});
 *     for (size_t i = 0; pairs && i < tl_list_len(pairs); i++) {
 *         error = tl_doc_raw(tl_list_get(pairs, i), (tl_str){"last_error", 10});
 *         if (error && tl_value_type(error) == TL_TEXT)
 *             warn(tl_value_as_text(error));
 *     }
 *     tl_value_free(status);
 *     tl_free(json); */
TL_API int tl_value_parse_json(tl_value **out, tl_str document) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
