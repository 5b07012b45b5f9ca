/* DocStore: changing. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "tree/api/handles.h"

/* Takes over `value` (NULL: memory ran out making it). */
static int put(tl_doc_store *store, tl_str text, tl_value *value, tl__put how)
{
	tl__path path;
	int code = value ? tl__bound_writable(&store->bound) : tl__no_value();

	if (code == TL_OK)
		code = tl__path_split(&path, text);
	if (code == TL_OK)
		return tl__bound_put(&store->bound, path.at, path.count, value, how);
	tl_value_free(value);
	return tl__bound_fail(&store->bound, code);
}

/* The same for a value that must be of one type. */
static int put_typed(tl_doc_store *store, tl_str path, tl_type type, tl_value *value, tl__put how)
{
	int code;

	if (!value || tl_value_type(value) == type)
		return put(store, path, value, how);
	code = tl__bound_writable(&store->bound);
	if (code == TL_OK)
		code = tl__fail(TL_E_TYPE_MISMATCH, "`%.*s` needs a value of type %s, not %s",
			TL__STR_ARG(path), tl_type_name(type), tl_type_name(tl_value_type(value)));
	tl_value_free(value);
	return tl__bound_fail(&store->bound, code);
}

TL__PUBLIC_TAKING(tl_doc_store_set, value, store,
	(tl_doc_store *store, tl_str path, tl_value *value), (store, path, value))
{
	return put(store, path, value, TL__PUT_REPLACE);
}

TL__PUBLIC(tl_doc_store_set_string, store,
	(tl_doc_store *store, tl_str path, tl_str text), (store, path, text))
{
	return put(store, path, tl_value_text(text), TL__PUT_REPLACE);
}

TL__PUBLIC(tl_doc_store_set_int, store,
	(tl_doc_store *store, tl_str path, int64_t value), (store, path, value))
{
	return put(store, path, tl_value_int(value), TL__PUT_REPLACE);
}

TL__PUBLIC(tl_doc_store_set_bool, store,
	(tl_doc_store *store, tl_str path, bool value), (store, path, value))
{
	return put(store, path, tl_value_bool(value), TL__PUT_REPLACE);
}

TL__PUBLIC_TAKING(tl_doc_store_set_list, list, store,
	(tl_doc_store *store, tl_str path, tl_value *list), (store, path, list))
{
	return put_typed(store, path, TL_LIST, list, TL__PUT_REPLACE);
}

TL__PUBLIC_TAKING(tl_doc_store_set_node, doc, store,
	(tl_doc_store *store, tl_str path, tl_value *doc), (store, path, doc))
{
	return put_typed(store, path, TL_DOC, doc, TL__PUT_REPLACE);
}

TL__PUBLIC_TAKING(tl_doc_store_set_at_path, value, store,
	(tl_doc_store *store, const tl_str *components, size_t count, tl_value *value),
	(store, components, count, value))
{
	return tl__bound_put(&store->bound, components, count, value, TL__PUT_REPLACE);
}

TL__PUBLIC_TAKING(tl_doc_store_insert, value, store,
	(tl_doc_store *store, tl_str key, tl_value *value, tl_value **previous),
	(store, key, value, previous))
{
	int code = TL_OK;

	if (previous) {
		*previous = NULL;
		code = tl__bound_value(&store->bound, &key, 1, previous);
		if (*previous && tl_value_type(*previous) == TL_DELETED) {
			tl_value_free(*previous);
			*previous = NULL;
		}
	}
	if (code == TL_OK)
		return tl_doc_store_set_at_path(store, &key, 1, value);
	tl_value_free(value);
	return tl__bound_fail(&store->bound, code);
}

TL__PUBLIC_TAKING(tl_doc_store_merge, doc, store,
	(tl_doc_store *store, tl_str path, tl_value *doc), (store, path, doc))
{
	return put_typed(store, path, TL_DOC, doc, TL__PUT_MERGE);
}

TL__PUBLIC_TAKING(tl_doc_store_merge_at_path, doc, store,
	(tl_doc_store *store, const tl_str *components, size_t count, tl_value *doc),
	(store, components, count, doc))
{
	int code;

	if (!doc || tl_value_type(doc) == TL_DOC)
		return tl__bound_put(&store->bound, components, count, doc, TL__PUT_MERGE);
	code = tl__bound_writable(&store->bound);
	if (code == TL_OK)
		code = tl__fail(TL_E_TYPE_MISMATCH, "only values of type doc are merged, not %s",
			tl_type_name(tl_value_type(doc)));
	tl_value_free(doc);
	return tl__bound_fail(&store->bound, code);
}

/* --- deleting --------------------------------------------------------------------------------- */

TL__PUBLIC(tl_doc_store_delete_at_path, store,
	(tl_doc_store *store, const tl_str *components, size_t count, bool *existed),
	(store, components, count, existed))
{
	bool there = false;
	int code = tl__bound_writable(&store->bound);

	if (code == TL_OK && count == 0)
		code = tl__fail(TL_E_BAD_PATH, "a path needs at least one component");
	if (code == TL_OK)
		code = tl__bound_refuse_list(&store->bound, components, count);
	if (code == TL_OK && (existed || count > 1))
		code = tl_doc_store_contains_at_path(store, components, count, &there);
	if (existed)
		*existed = there;
	if (code != TL_OK)
		return tl__bound_fail(&store->bound, code);
	if (count > 1 && !there)
		return TL_OK;
	return tl__bound_put(&store->bound, components, count, tl_value_deleted(), TL__PUT_REPLACE);
}

TL__PUBLIC(tl_doc_store_delete, store,
	(tl_doc_store *store, tl_str text, bool *existed), (store, text, existed))
{
	tl__path path;
	int code = tl__bound_writable(&store->bound);

	if (code == TL_OK)
		code = tl__path_split(&path, text);
	if (code == TL_OK)
		return tl_doc_store_delete_at_path(store, path.at, path.count, existed);
	if (existed)
		*existed = false;
	return tl__bound_fail(&store->bound, code);
}

TL__PUBLIC(tl_doc_store_clear, store, (tl_doc_store *store), (store))
{
	return tl__bound_put(&store->bound, NULL, 0, tl_value_doc(), TL__PUT_REPLACE);
}

/* --- reading and changing --------------------------------------------------------------------- */

/* The visible value, or NULL. */
static int get_visible(tl_doc_store *store, tl_str text, tl_value **out)
{
	tl__path path;
	int code = tl__path_split(&path, text);

	*out = NULL;
	if (code == TL_OK)
		code = tl__bound_refuse_list(&store->bound, path.at, path.count);
	if (code == TL_OK)
		code = tl__bound_value(&store->bound, path.at, path.count, out);
	if (*out && tl_value_type(*out) == TL_DELETED) {
		tl_value_free(*out);
		*out = NULL;
	}
	return code;
}

/* The visible value if it is of that type, else NULL. */
static int get_typed(tl_doc_store *store, tl_str path, tl_type type, tl_value **out)
{
	int code = get_visible(store, path, out);

	if (*out && tl_value_type(*out) != type) {
		tl_value_free(*out);
		*out = NULL;
	}
	return code;
}

TL__PUBLIC_TAKING(tl_doc_store_get_or_insert, value, store,
	(tl_doc_store *store, tl_str path, tl_value *value, tl_value **out),
	(store, path, value, out))
{
	tl_value *there = NULL, *copy = NULL;
	int code = value ? tl__bound_writable(&store->bound) : tl__no_value();

	if (out)
		*out = NULL;
	if (code == TL_OK)
		code = get_typed(store, path, tl_value_type(value), &there);
	if (code == TL_OK && !there && out && !(copy = tl_value_copy(value)))
		code = TL_E_NOMEM;
	if (code != TL_OK || there)
		tl_value_free(value);
	else
		code = tl_doc_store_set(store, path, value);
	if (code == TL_OK && out) {
		*out = there ? there : copy;
		return TL_OK;
	}
	tl_value_free(there);
	tl_value_free(copy);
	return code == TL_OK ? TL_OK : tl__bound_fail(&store->bound, code);
}

/* Takes over `value`. */
static int change_and_set(
	tl_doc_store *store, tl_str path, tl_value *value, tl_value_change change, void *ud)
{
	int code = change(ud, &value);

	if (code == TL_OK)
		return tl_doc_store_set(store, path, value);
	tl_value_free(value);
	return code;
}

TL__PUBLIC(tl_doc_store_modify, store && change,
	(tl_doc_store *store, tl_str path, tl_value_change change, void *ud),
	(store, path, change, ud))
{
	tl_value *value = NULL;
	int code = tl__bound_writable(&store->bound);

	if (code == TL_OK)
		code = get_visible(store, path, &value);
	if (code == TL_OK && !value)
		code = tl__fail(TL_E_KEY_NOT_FOUND, "store `%.*s` has no `%.*s` to change",
			TL__STR_ARG(store->bound.name), TL__STR_ARG(path));
	if (code == TL_OK)
		return change_and_set(store, path, value, change, ud);
	tl_value_free(value);
	return tl__bound_fail(&store->bound, code);
}

TL__PUBLIC_TAKING(tl_doc_store_modify_or_insert, initial, store && change,
	(tl_doc_store *store, tl_str path, tl_value *initial, tl_value_change change, void *ud),
	(store, path, initial, change, ud))
{
	tl_value *value = NULL;
	int code = initial ? tl__bound_writable(&store->bound) : tl__no_value();

	if (code == TL_OK)
		code = get_typed(store, path, tl_value_type(initial), &value);
	if (code == TL_OK && !value) {
		value = initial;
		initial = NULL;
	}
	tl_value_free(initial);
	if (code != TL_OK)
		return tl__bound_fail(&store->bound, code);
	return change_and_set(store, path, value, change, ud);
}
