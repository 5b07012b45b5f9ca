/* Staging: what a transaction must write so that a read afterwards gives what was asked for.
 *
 * A delta is merged over history, so replacing a Doc needs tombstones for what shall vanish, and a
 * staged tombstone must not be lost when something is written below it. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/api/handles.h"

/* --- replacement ------------------------------------------------------------------------------ */

static bool visible(const tl_value *value)
{
	return value && tl_value_type(value) != TL_DELETED;
}

/* What must be merged over `old` (NULL: absent) so that the result reads as `value`. */
static tl_value *replacement(const tl_value *old, const tl_value *value);

/* One key or position of either side; false when putting failed. */
static tl_value *replace_child(const tl_value *old, const tl_value *value)
{
	return value ? replacement(old, value) : tl_value_deleted();
}

static bool replace_members(tl_value *out, const tl_value *old, const tl_value *value)
{
	size_t a = 0, b = 0;
	tl_str old_key = TL__STR_NULL, key = TL__STR_NULL;
	tl_value *old_child = NULL, *child = NULL;

	for (;;) {
		bool has_old = tl_doc_at(old, a, &old_key, &old_child);
		bool has_new = tl_doc_at(value, b, &key, &child);
		int order;

		if (!has_old && !has_new)
			return true;
		order = !has_new ? -1 : !has_old ? 1 : tl__str_compare(old_key, key);
		a += order <= 0;
		b += order >= 0;
		if (order < 0 && !visible(old_child))
			continue;
		if (tl_doc_put(out, order < 0 ? old_key : key,
			    replace_child(order <= 0 ? old_child : NULL,
				    order >= 0 ? child : NULL)) != TL_OK)
			return false;
	}
}

static bool replace_items(tl_value *out, const tl_value *old, const tl_value *value)
{
	size_t a = 0, b = 0;
	tl_position old_at = {0}, at = {0};
	tl_value *old_item = NULL, *item = NULL;

	for (;;) {
		bool has_old = tl_list_raw_at(old, a, &old_at, &old_item);
		bool has_new = tl_list_raw_at(value, b, &at, &item);
		int order;

		if (!has_old && !has_new)
			return true;
		order = !has_new ? -1 : !has_old ? 1 : tl_position_compare(&old_at, &at);
		a += order <= 0;
		b += order >= 0;
		if (order < 0 && !visible(old_item))
			continue;
		if (tl_list_put(out, order < 0 ? &old_at : &at,
			    replace_child(order <= 0 ? old_item : NULL,
				    order >= 0 ? item : NULL)) != TL_OK)
			return false;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest, which setters and readers bound */
static tl_value *replacement(const tl_value *old, const tl_value *value)
{
	tl_type type = tl_value_type(value);
	tl_value *out;
	bool good;

	if (!old || tl_value_type(old) != type || (type != TL_DOC && type != TL_LIST))
		return tl_value_copy(value);
	out = type == TL_DOC ? tl_value_doc() : tl_value_list();
	if (!out)
		return NULL;
	good = type == TL_DOC ? replace_members(out, old, value) : replace_items(out, old, value);
	if (good)
		return out;
	tl_value_free(out);
	return NULL;
}

/* --- placing ---------------------------------------------------------------------------------- */

/* What hides everything in history at this place: NULL history gives an empty Doc. */
static int hide_history(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	tl_value *old = NULL, *empty = tl_value_doc();
	int code = empty ? tl__bound_history(bound, components, count, &old) : TL_E_NOMEM;

	*out = NULL;
	if (code == TL_OK) {
		*out = replacement(old, empty);
		code = *out ? TL_OK : TL_E_NOMEM;
	}
	tl_value_free(old);
	tl_value_free(empty);
	return code;
}

/* The staged Doc that will hold the last component. */
static int descend(tl__bound *bound, tl_value **at, const tl_str *components, size_t count)
{
	int code = TL_OK;

	for (size_t i = 0; i + 1 < count && code == TL_OK; i++) {
		tl_value *child = tl_doc_raw(*at, components[i]);

		if (!child || tl_value_type(child) != TL_DOC) {
			tl_value *fresh = NULL;

			if (!child)
				fresh = tl_value_doc();
			else
				code = hide_history(bound, components, i + 1, &fresh);
			if (code == TL_OK)
				code = tl_doc_put(*at, components[i], fresh);
			child = tl_doc_raw(*at, components[i]);
		}
		*at = child;
	}
	return code;
}

/* Merges `value` into a staged node that is no container of its kind, or one that is. */
static tl_value *merge_staged(const tl_value *old, const tl_value *own, const tl_value *value);

static bool merge_members(
	tl_value *out, const tl_value *old, const tl_value *own, const tl_value *value)
{
	bool old_is_doc = old && tl_value_type(old) == TL_DOC;
	tl_str key;
	tl_value *child;

	for (size_t i = 0; tl_doc_at(value, i, &key, &child); i++) {
		const tl_value *old_child = old_is_doc ? tl_doc_raw(old, key) : NULL;

		if (tl_doc_put(out, key, merge_staged(old_child, tl_doc_raw(own, key), child)) !=
			TL_OK)
			return false;
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static tl_value *merge_staged(const tl_value *old, const tl_value *own, const tl_value *value)
{
	tl_type type = tl_value_type(value);
	tl_value *out;
	bool good;

	if (!own)
		return tl_value_copy(value);
	if (tl_value_type(own) != type || (type != TL_DOC && type != TL_LIST))
		return replacement(old, value);
	out = tl_value_copy(own);
	if (!out)
		return NULL;
	good = type == TL_DOC ? merge_members(out, old, own, value)
			      : tl__value_merge(&out, value) == TL_OK;
	if (good)
		return out;
	tl_value_free(out);
	return NULL;
}

/* What to stage at the full path. Takes over `value`. */
static int staged_form(tl__bound *bound, const tl_str *components, size_t count,
	const tl_value *own, tl__put how, tl_value **value)
{
	tl_type type = tl_value_type(*value);
	tl_value *old, *form;
	int code;

	if ((type != TL_DOC && type != TL_LIST) || (how == TL__PUT_MERGE && !own))
		return TL_OK;
	code = tl__bound_history(bound, components, count, &old);
	if (code != TL_OK)
		return code;
	form = how == TL__PUT_REPLACE ? replacement(old, *value) : merge_staged(old, own, *value);
	tl_value_free(old);
	if (!form)
		return TL_E_NOMEM;
	tl_value_free(*value);
	*value = form;
	return TL_OK;
}

static int put_root(tl__bound *bound, tl__staged *staged, tl_value **value, tl__put how)
{
	int code;

	if (tl_value_type(*value) != TL_DOC)
		return tl__fail(TL_E_TYPE_MISMATCH, "a store as a whole can only be a Doc");
	code = staged_form(bound, NULL, 0, staged->doc, how, value);
	if (code != TL_OK)
		return code;
	tl_value_free(staged->doc);
	staged->doc = *value;
	*value = NULL;
	return TL_OK;
}

static int put_value(
	tl__bound *bound, const tl_str *components, size_t count, tl_value **value, tl__put how)
{
	tl__staged *staged;
	tl_value *at;
	int code = tl__transaction_stage(bound->tx, bound->name, &staged);

	if (code != TL_OK)
		return code;
	if (staged->data)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"store `%.*s` has opaque data staged; a typed store cannot change it",
			TL__STR_ARG(bound->name));
	if (count == 0)
		return put_root(bound, staged, value, how);
	if (!staged->doc && !(staged->doc = tl_value_doc()))
		return TL_E_NOMEM;
	at = staged->doc;
	code = descend(bound, &at, components, count);
	if (code == TL_OK)
		code = staged_form(bound, components, count, tl_doc_raw(at, components[count - 1]),
			how, value);
	if (code == TL_OK) {
		code = tl_doc_put(at, components[count - 1], *value);
		*value = NULL;
	}
	return code;
}

static int check_path(const tl_str *components, size_t count)
{
	size_t len = count;

	if (count > TL__PATH_MAX_COMPONENTS)
		return tl__fail(TL_E_BAD_PATH, "a path has at most %d components, this one %zu",
			TL__PATH_MAX_COMPONENTS, count);
	for (size_t i = 0; i < count; i++)
		len += components[i].len;
	if (len > TL_WRITE_MAX_PATH + 1)
		return tl__fail(TL_E_TOO_LARGE, "a path has at most %u bytes, this one %zu",
			TL_WRITE_MAX_PATH, len - 1);
	return TL_OK;
}

int tl__bound_writable(tl__bound *bound)
{
	int code;

	if (bound->tx)
		return tl__transaction_changeable(bound->tx);
	code = tl__bound_check(bound);
	if (code != TL_OK)
		return code;
	return tl__fail(TL_E_UNSUPPORTED,
		"this store is read only; open it from a transaction to change it");
}

int tl__bound_fail(tl__bound *bound, int code)
{
	if (!bound->tx || bound->tx->state != TL__TX_OPEN || bound->tx->committing)
		return code;
	return tl__transaction_stick(bound->tx, code);
}

int tl__no_value(void)
{
	int code = tl_error_code(tl_last_error());

	return code != TL_OK ? code : tl__fail(TL_E_BAD_ARGUMENT, "the value is missing");
}

int tl__bound_put(
	tl__bound *bound, const tl_str *components, size_t count, tl_value *value, tl__put how)
{
	int code = value ? tl__bound_writable(bound) : tl__no_value();

	if (code == TL_OK)
		code = check_path(components, count);
	if (code == TL_OK)
		code = tl__bound_refuse_list(bound, components, count);
	if (code == TL_OK) {
		bound->tx->changes++;
		code = put_value(bound, components, count, &value, how);
	}
	tl_value_free(value);
	return tl__bound_fail(bound, code);
}

/* --- paths ------------------------------------------------------------------------------------ */

int tl__path_split(tl__path *path, tl_str text)
{
	size_t at = 0;

	path->count = 0;
	if (!text.ptr && text.len > 0)
		return tl__fail(TL_E_BAD_ARGUMENT, "the path has a length and no characters");
	while (at < text.len) {
		size_t len = 0;

		while (at + len < text.len && text.ptr[at + len] != '.')
			len++;
		if (len > 0 && path->count == TL__PATH_MAX_COMPONENTS)
			return tl__fail(TL_E_BAD_PATH, "a path has at most %d components",
				TL__PATH_MAX_COMPONENTS);
		if (len > 0)
			path->at[path->count++] = (tl_str){text.ptr + at, len};
		at += len + 1;
	}
	if (path->count == 0)
		return tl__fail(
			TL_E_BAD_PATH, "`%.*s` is no path: it has no component", TL__STR_ARG(text));
	return TL_OK;
}
