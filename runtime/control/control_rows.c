/* Control calls on rows of Tables, as JSON. */
#include <tidelock/json.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "control/control_request.h"

#define LIST_ROWS  1000
#define LIST_BYTES (1024u * 1024)

static int open_table(
	tl_node *node, const tl__control_request *r, tl_database **db, tl_table **table)
{
	int rc = tl__control_need(r->store, "store");

	*table = NULL;
	*db = NULL;
	if (rc == TL_OK)
		rc = tl__control_open_db(node, r, db);
	return rc == TL_OK ? tl_database_table(*db, r->store, table) : rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A row that somebody wrote as something else than JSON is told as its text, or as its type. */
static int put_row(tl__buf *out, tl_str key, const tl_value *row)
{
	tl_str json;
	int rc = tl_row_json(row, &json);

	if (rc == TL_E_NOMEM)
		return rc;
	tl__buf_text(out, "{\"key\":");
	tl__json_put_string(out, key);
	if (rc == TL_OK) {
		tl__buf_text(out, ",\"row\":");
		tl__buf_str(out, json);
	} else if (tl_value_type(row) == TL_TEXT) {
		tl__buf_text(out, ",\"error\":\"bad_json\",\"text\":");
		tl__json_put_string(out, tl_value_as_text(row));
	} else {
		tl__buf_format(out, ",\"error\":\"bad_json\",\"type\":\"%s\"",
			tl_type_name(tl_value_type(row)));
	}
	tl__buf_text(out, "}");
	return TL_OK;
}

/* A page of rows behind `after`; the next one begins behind `next`, null at the end. */
int tl__control_row_list(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_walk_options options = TL_WALK_OPTIONS_INIT;
	tl_database *db;
	tl_table *table;
	tl_walk *walk = NULL;
	const tl_value *row = NULL;
	tl_str key = TL__STR_NULL;
	size_t limit = r->limit > 0 && r->limit < LIST_ROWS ? (size_t)r->limit : LIST_ROWS;
	size_t begin = out->len, count = 0;
	int rc = open_table(node, r, &db, &table);

	options.after = r->after;
	if (rc == TL_OK)
		rc = tl_table_walk(table, &options, &walk);
	tl__buf_text(out, "{\"rows\":[");
	while (rc == TL_OK && count < limit && out->len - begin < LIST_BYTES) {
		rc = tl_walk_next(walk, &key, &row);
		if (rc != TL_OK || !row)
			break;
		tl__buf_text(out, count++ > 0 ? "," : "");
		rc = put_row(out, key, row);
	}
	tl__buf_text(out, "],\"next\":");
	if (rc == TL_OK && row)
		tl__json_put_string(out, key);
	else
		tl__buf_text(out, "null");
	tl__buf_text(out, "}");
	tl_walk_free(walk);
	tl_table_free(table);
	tl_database_free(db);
	return rc;
}

int tl__control_row_get(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	tl_database *db;
	tl_table *table;
	char *row = NULL;
	size_t len = 0;
	int rc = open_table(node, r, &db, &table);

	if (rc == TL_OK)
		rc = tl__control_need(r->row, "row");
	if (rc == TL_OK)
		rc = tl_table_get(table, r->row, &row, &len);
	if (rc == TL_OK)
		tl__buf_append(out, row, len);
	tl_free(row);
	tl_table_free(table);
	tl_database_free(db);
	return rc;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* A table in a new transaction, signed as the request says. All are yours, also on failure. */
typedef struct writing {
	tl_database *db;
	tl_transaction *tx;
	tl_table *table;
} writing;

static int begin_writing(tl_node *node, const tl__control_request *r, writing *w)
{
	int rc = tl__control_need(r->store, "store");

	*w = (writing){NULL, NULL, NULL};
	if (rc == TL_OK)
		rc = tl__control_open_db(node, r, &w->db);
	if (rc == TL_OK)
		rc = tl__control_choose_key(node, r, w->db);
	if (rc == TL_OK)
		rc = tl_transaction_new(w->db, &w->tx);
	return rc == TL_OK ? tl_transaction_table(w->tx, r->store, &w->table) : rc;
}

static int end_writing(writing *w, int rc, tl_id *id)
{
	if (rc == TL_OK)
		rc = tl_transaction_commit(w->tx, id);
	tl_table_free(w->table);
	tl_transaction_free(w->tx);
	tl_database_free(w->db);
	return rc;
}

/* Under a new key without `row`. */
int tl__control_row_set(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	writing w;
	char key[TL_ROW_KEY_LEN + 1] = "";
	tl_id id;
	int rc = begin_writing(node, r, &w);

	if (rc == TL_OK)
		rc = tl__control_need(r->value, "value");
	if (rc == TL_OK)
		rc = r->row.ptr ? tl_table_set(w.table, r->row, r->value)
				: tl_table_insert(w.table, r->value, key);
	rc = end_writing(&w, rc, &id);
	if (rc != TL_OK)
		return rc;
	tl__buf_text(out, "{\"key\":");
	tl__json_put_string(out, r->row.ptr ? r->row : tl__str_z(key));
	tl__buf_text(out, ",\"entry\":");
	tl__control_put_id(out, &id);
	tl__buf_text(out, "}");
	return TL_OK;
}

int tl__control_row_delete(tl_node *node, const tl__control_request *r, tl__buf *out)
{
	writing w;
	bool existed = false;
	tl_id id;
	int rc = begin_writing(node, r, &w);

	if (rc == TL_OK)
		rc = tl__control_need(r->row, "row");
	if (rc == TL_OK)
		rc = tl_table_delete(w.table, r->row, &existed);
	if (rc == TL_OK && !existed)
		rc = tl__fail(TL_E_KEY_NOT_FOUND, "there is no row \"%.*s\"", TL__STR_ARG(r->row));
	rc = end_writing(&w, rc, &id);
	if (rc == TL_OK)
		tl__control_put_id(out, &id);
	return rc;
}
