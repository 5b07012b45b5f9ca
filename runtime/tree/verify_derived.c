/* Rechecking a database: what is derived from its entries. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/verify.h"

/* Of a scope: a store's, or the database's where it is empty. */
static int compare_tips(tl__verify *v, tl_str scope, tl__ids *expected)
{
	tl__ids stored = {0};
	tl_str store = tl__store_called(scope);
	int code = tl__read_tips(v->snapshot, &v->db, scope, tl__ids_visit, &stored);

	tl__ids_sort(expected);
	tl__ids_sort(&stored);
	if (code == TL_OK && !tl__ids_equal(expected, &stored))
		tl__verify_report(v, NULL,
			"the stored tips of %s%.*s%s are not those of the entries (%zu and %zu)",
			scope.len > 0 ? "store `" : "the database", TL__STR_ARG(store),
			scope.len > 0 ? "`" : "", stored.count, expected->count);
	tl__ids_free(&stored);
	return code;
}

/* Those never named, of the map whose keys begin with `prefix` and end with an id. */
static int unnamed(const tl__map *map, tl_str prefix, tl__ids *out)
{
	size_t at = 0;
	int code = TL_OK;
	tl_str key;
	void *value;

	while (code == TL_OK && tl__map_next(map, &at, &key, &value)) {
		tl_id id;

		if (key.len != prefix.len + TL_ID_BYTES || !tl__str_starts(key, prefix) ||
			((const tl__seen *)value)->named)
			continue;
		memcpy(id.b, key.ptr + prefix.len, TL_ID_BYTES);
		code = tl__ids_add(out, &id);
	}
	return code;
}

static int compare_state(tl__verify *v, tl_str store, const tl__ids *tips)
{
	tl_value *state = NULL, *folded = NULL;
	int code = tl__state_doc(v->snapshot, &v->db, store, &state);

	if (code == TL_OK)
		code = tl__state_fold(v->snapshot, &v->db, store, tips->at, tips->count, &folded);
	if (code == TL_OK && !tl_value_equal(state, folded))
		tl__verify_report(v, NULL,
			"the stored state of store `%.*s` is not the fold of its history",
			TL__STR_ARG(store));
	if (code == TL_E_STORE_DAMAGED) {
		tl__verify_report(v, NULL, "store `%.*s` cannot be read: %s", TL__STR_ARG(store),
			tl_error_message(tl_last_error()));
		code = TL_OK;
	}
	tl_value_free(state);
	tl_value_free(folded);
	return code;
}

static int check_store(tl__verify *v, tl_str store)
{
	tl__buf prefix = TL__BUF_INIT;
	tl__ids tips = {0};
	int code;

	tl__buf_str(&prefix, store);
	tl__buf_byte(&prefix, 0xff);
	code = tl__buf_status(&prefix);
	if (code == TL_OK)
		code = unnamed(&v->members, tl__buf_view(&prefix), &tips);
	if (code == TL_OK)
		code = compare_tips(v, tl__store_scope(store), &tips);
	if (code == TL_OK && !tl__str_eq(store, TL__STR(TL__STORE_ROOT)))
		code = compare_state(v, store, &tips);
	tl__buf_free(&prefix);
	tl__ids_free(&tips);
	return code;
}

int tl__verify_derived(tl__verify *v)
{
	tl__ids tips = {0};
	size_t at = 0;
	tl_str name;
	void *unused;
	int code = unnamed(&v->entries, TL__STR(""), &tips);

	if (code == TL_OK)
		code = compare_tips(v, TL__STR(""), &tips);
	tl__ids_free(&tips);
	while (code == TL_OK && tl__map_next(&v->stores, &at, &name, &unused))
		code = check_store(v, name);
	return code;
}
