/* DocStore: reading. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "tree/api/handles.h"

int tl__doc_store_new(
	tl_doc_store **out, tl_transaction *tx, tl_view *view, tl_database *db, tl_str name)
{
	tl_doc_store *store = tl__alloc_zero(1, sizeof *store);
	int code = store ? tl__bound_init(&store->bound, tx, view, db, name) : TL_E_NOMEM;

	*out = code == TL_OK ? store : NULL;
	if (code != TL_OK)
		tl__free(store);
	return code;
}

void tl_doc_store_free(tl_doc_store *store)
{
	if (!store)
		return;
	tl__bound_free(&store->bound);
	tl__free(store);
}

tl_str tl_doc_store_name(const tl_doc_store *store)
{
	if (!store)
		return TL__STR_NULL;
	return store->bound.name;
}

/* --- by path ---------------------------------------------------------------------------------- */

static bool is_index(tl_str text, tl_str *digits)
{
	if (text.len > 1 && text.ptr[0] == '+')
		text = (tl_str){text.ptr + 1, text.len - 1};
	*digits = text;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
	return text.len > 0;
}

/* The visible item, or NULL. */
static const tl_value *item(const tl_value *list, tl_str digits)
{
	size_t index = 0, len = tl_list_len(list);

	for (size_t i = 0; i < digits.len; i++) {
		index = index * 10 + (size_t)(digits.ptr[i] - '0');
		if (index >= len)
			return NULL;
	}
	return tl_list_get(list, index);
}

/* Goes on below a List, as tl_doc_get does. */
static const tl_value *walk_items(const tl_value *at, const tl_str *components, size_t count)
{
	for (size_t i = 0; at && i < count; i++) {
		tl_str digits;

		if (tl_value_type(at) == TL_DOC)
			at = tl_doc_raw(at, components[i]);
		else if (tl_value_type(at) == TL_LIST && is_index(components[i], &digits))
			at = item(at, digits);
		else
			at = NULL;
		if (at && tl_value_type(at) == TL_DELETED)
			at = NULL;
	}
	return at;
}

int tl__bound_through_list(tl__bound *bound, const tl__path *path, tl_value **out)
{
	tl_str digits;
	int code = TL_OK;

	*out = NULL;
	for (size_t i = 1; i < path->count && code == TL_OK; i++) {
		const tl_value *found;
		tl_value *list;

		if (!is_index(path->at[i], &digits))
			continue;
		code = tl__bound_value(bound, path->at, i, &list);
		if (code != TL_OK || !list)
			return code;
		if (tl_value_type(list) != TL_LIST) {
			tl_value_free(list);
			continue;
		}
		found = walk_items(list, path->at + i, path->count - i);
		*out = found ? tl_value_copy(found) : NULL;
		code = found && !*out ? TL_E_NOMEM : TL_OK;
		tl_value_free(list);
		return code;
	}
	return code;
}

TL__PUBLIC(tl_doc_store_get_option, store && out,
	(tl_doc_store *store, tl_str text, tl_value **out), (store, text, out))
{
	tl__path path;
	int code = tl__path_split(&path, text);

	*out = NULL;
	if (code == TL_OK)
		code = tl__bound_value(&store->bound, path.at, path.count, out);
	if (code != TL_OK)
		return code;
	if (*out && tl_value_type(*out) != TL_DELETED)
		return TL_OK;
	tl_value_free(*out);
	*out = NULL;
	return tl__bound_through_list(&store->bound, &path, out);
}

TL__PUBLIC(tl_doc_store_get, store && out,
	(tl_doc_store *store, tl_str path, tl_value **out), (store, path, out))
{
	int code = tl_doc_store_get_option(store, path, out);

	if (code == TL_OK && !*out)
		return tl__fail(TL_E_KEY_NOT_FOUND, "store `%.*s` has no `%.*s`",
			TL__STR_ARG(store->bound.name), TL__STR_ARG(path));
	return code;
}

TL__PUBLIC(tl_doc_store_get_as, store && out,
	(tl_doc_store *store, tl_str path, tl_type type, tl_value **out), (store, path, type, out))
{
	int code = tl_doc_store_get(store, path, out);

	if (code != TL_OK || tl_value_type(*out) == type)
		return code;
	code = tl__fail(TL_E_TYPE_MISMATCH, "`%.*s` in store `%.*s` is of type %s, not %s",
		TL__STR_ARG(path), TL__STR_ARG(store->bound.name),
		tl_type_name(tl_value_type(*out)), tl_type_name(type));
	tl_value_free(*out);
	*out = NULL;
	return code;
}

TL__PUBLIC(tl_doc_store_get_string, store && out,
	(tl_doc_store *store, tl_str path, char **out, size_t *len), (store, path, out, len))
{
	tl_value *value;
	tl_str text;
	int code = tl_doc_store_get_as(store, path, TL_TEXT, &value);

	*out = NULL;
	if (code != TL_OK)
		return code;
	text = tl_value_as_text(value);
	*out = tl__copy_bytes(text.ptr, text.len);
	if (len)
		*len = text.len;
	tl_value_free(value);
	return *out ? TL_OK : TL_E_NOMEM;
}

TL__PUBLIC(tl_doc_store_get_int, store && out,
	(tl_doc_store *store, tl_str path, int64_t *out), (store, path, out))
{
	tl_value *value;
	int code = tl_doc_store_get_as(store, path, TL_INT, &value);

	if (code == TL_OK)
		*out = tl_value_as_int(value);
	tl_value_free(value);
	return code;
}

TL__PUBLIC(tl_doc_store_get_bool, store && out,
	(tl_doc_store *store, tl_str path, bool *out), (store, path, out))
{
	tl_value *value;
	int code = tl_doc_store_get_as(store, path, TL_BOOL, &value);

	if (code == TL_OK)
		*out = tl_value_as_bool(value);
	tl_value_free(value);
	return code;
}

TL__PUBLIC(tl_doc_store_get_list, store && out,
	(tl_doc_store *store, tl_str path, tl_value **out), (store, path, out))
{
	return tl_doc_store_get_as(store, path, TL_LIST, out);
}

TL__PUBLIC(tl_doc_store_get_node, store && out,
	(tl_doc_store *store, tl_str path, tl_value **out), (store, path, out))
{
	return tl_doc_store_get_as(store, path, TL_DOC, out);
}

TL__PUBLIC(tl_doc_store_contains_key, store && out,
	(tl_doc_store *store, tl_str path, bool *out), (store, path, out))
{
	tl_value *value;
	int code = tl_doc_store_get_option(store, path, &value);

	*out = code == TL_OK && value;
	tl_value_free(value);
	return code;
}

/* --- by components ---------------------------------------------------------------------------- */

TL__PUBLIC(tl_doc_store_get_all, store && out, (tl_doc_store *store, tl_value **out), (store, out))
{
	return tl_doc_store_get_at_path(store, NULL, 0, out);
}

/* Visible value or NULL. */
static int look_at(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	int code = tl__bound_value(bound, components, count, out);

	if (code == TL_OK && *out && tl_value_type(*out) == TL_DELETED) {
		tl_value_free(*out);
		*out = NULL;
	}
	if (code == TL_OK && !*out && count == 0)
		*out = tl_value_doc();
	return code == TL_OK && count == 0 && !*out ? TL_E_NOMEM : code;
}

/* Why nothing is there: the nearest value on the way that is no Doc, or nothing at all. */
static int explain_absence(tl_doc_store *store, const tl_str *components, size_t count)
{
	int code = TL_OK;

	for (size_t i = count; i-- > 1 && code == TL_OK;) {
		tl_value *value;
		tl_type type = TL_DOC;

		code = look_at(&store->bound, components, i, &value);
		if (code != TL_OK)
			return code;
		if (!value)
			continue;
		type = tl_value_type(value);
		tl_value_free(value);
		if (type == TL_DOC)
			break;
		return tl__fail(TL_E_TYPE_MISMATCH, "`%.*s` in store `%.*s` is of type %s, not doc",
			TL__STR_ARG(components[i - 1]), TL__STR_ARG(store->bound.name),
			tl_type_name(type));
	}
	return tl__fail(TL_E_KEY_NOT_FOUND, "store `%.*s` has no `%.*s` there",
		TL__STR_ARG(store->bound.name), TL__STR_ARG(components[count - 1]));
}

TL__PUBLIC(tl_doc_store_get_at_path, store && out,
	(tl_doc_store *store, const tl_str *components, size_t count, tl_value **out),
	(store, components, count, out))
{
	int code = look_at(&store->bound, components, count, out);

	return code == TL_OK && !*out ? explain_absence(store, components, count) : code;
}

TL__PUBLIC(tl_doc_store_contains_at_path, store && out,
	(tl_doc_store *store, const tl_str *components, size_t count, bool *out),
	(store, components, count, out))
{
	tl_value *value;
	int code = look_at(&store->bound, components, count, &value);

	*out = code == TL_OK && value;
	tl_value_free(value);
	return code;
}
