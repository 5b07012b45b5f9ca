/* Table: rows of JSON text under literal keys. */
#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "tree/api/handles.h"

int tl__table_new(tl_table **out, tl_transaction *tx, tl_view *view, tl_database *db, tl_str name)
{
	tl_table *table = tl__alloc_zero(1, sizeof *table);
	int code = table ? tl__bound_init(&table->bound, tx, view, db, name) : TL_E_NOMEM;

	*out = code == TL_OK ? table : NULL;
	if (code != TL_OK)
		tl__free(table);
	return code;
}

void tl_table_free(tl_table *table)
{
	if (!table)
		return;
	tl__bound_free(&table->bound);
	tl__free(table);
}

tl_str tl_table_name(const tl_table *table)
{
	if (!table)
		return TL__STR_NULL;
	return table->bound.name;
}

static int check_row(tl_str row)
{
	int code = tl__json_check(row);

	if (code != TL_OK && code != TL_E_NOMEM)
		code = tl__fail_cause(code, "the row is not one JSON value");
	return code;
}

TL__PUBLIC(tl_table_set, table, (tl_table *table, tl_str key, tl_str row), (table, key, row))
{
	int code = tl__bound_writable(&table->bound);

	if (code == TL_OK && key.len == 0)
		code = tl__fail(TL_E_BAD_ARGUMENT, "a row needs a key");
	if (code == TL_OK)
		code = check_row(row);
	if (code != TL_OK)
		return tl__bound_fail(&table->bound, code);
	return tl__bound_put(&table->bound, &key, 1, tl_value_text(row), TL__PUT_REPLACE);
}

TL__PUBLIC(tl_table_insert, table && key,
	(tl_table *table, tl_str row, char key[TL_ROW_KEY_LEN + 1]), (table, row, key))
{
	int code = tl__bound_writable(&table->bound);

	key[0] = '\0';
	if (code != TL_OK)
		return code;
	tl__random_uuid(&table->bound.tx->db->host->tree->random, key);
	return tl_table_set(table, tl__str_z(key), row);
}

TL__PUBLIC(tl_row_json, row && json, (const tl_value *row, tl_str *json), (row, json))
{
	tl_str text = tl_value_as_text(row);
	int code = TL_OK;

	*json = TL__STR_NULL;
	if (tl_value_type(row) != TL_TEXT)
		code = tl__fail(TL_E_BAD_JSON, "the row is no text with JSON, but of type %s",
			tl_type_name(tl_value_type(row)));
	else
		code = check_row(text);
	if (code == TL_OK)
		*json = text;
	return code;
}

/* What stands under the key, or NULL. */
static int look_up(tl_table *table, tl_str key, tl_value **out)
{
	int code = tl__bound_value(&table->bound, &key, 1, out);

	if (code == TL_OK && tl_value_type(*out) == TL_DELETED) {
		tl_value_free(*out);
		*out = NULL;
	}
	return code;
}

TL__PUBLIC(tl_table_get, table && out,
	(tl_table *table, tl_str key, char **out, size_t *len), (table, key, out, len))
{
	tl_value *value;
	tl_str row;
	int code = look_up(table, key, &value);

	*out = NULL;
	if (code != TL_OK)
		return code;
	if (!value)
		return tl__fail(TL_E_KEY_NOT_FOUND, "table `%.*s` has no row `%.*s`",
			TL__STR_ARG(table->bound.name), TL__STR_ARG(key));
	code = tl_row_json(value, &row);
	if (code == TL_OK && !(*out = tl__copy_bytes(row.ptr, row.len)))
		code = TL_E_NOMEM;
	if (len)
		*len = row.len;
	tl_value_free(value);
	return code;
}

TL__PUBLIC(tl_table_contains, table && out,
	(tl_table *table, tl_str key, bool *out), (table, key, out))
{
	tl_value *value;
	int code = look_up(table, key, &value);

	*out = code == TL_OK && value;
	tl_value_free(value);
	return code;
}

TL__PUBLIC(tl_table_delete, table,
	(tl_table *table, tl_str key, bool *existed), (table, key, existed))
{
	bool there = false;
	int code = tl__bound_writable(&table->bound);

	if (code == TL_OK)
		code = tl_table_contains(table, key, &there);
	if (existed)
		*existed = there;
	if (code != TL_OK)
		return tl__bound_fail(&table->bound, code);
	if (!there)
		return TL_OK;
	return tl__bound_put(&table->bound, &key, 1, tl_value_deleted(), TL__PUT_REPLACE);
}

/* Those that are no JSON are shown, too. */
TL__PUBLIC(tl_table_search, table && match && visit,
	(tl_table *table, tl_row_match match, tl_row_visit visit, void *ud),
	(table, match, visit, ud))
{
	const tl_value *value = NULL;
	tl_walk *walk = NULL;
	tl_str key, row;
	int code = tl_table_walk(table, NULL, &walk);

	while (code == TL_OK && (code = tl_walk_next(walk, &key, &value)) == TL_OK && value) {
		code = tl_row_json(value, &row);
		if (code == TL_E_NOMEM)
			break;
		if (code != TL_OK || match(ud, key, row))
			code = visit(ud, key, row);
	}
	tl_walk_free(walk);
	return code == TL_STOP ? TL_OK : code;
}
