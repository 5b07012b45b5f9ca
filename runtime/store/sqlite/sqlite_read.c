/* Reads of databases and entries. An unknown database or store is an empty one. */
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/str.h"
#include "model/ids.h"
#include "store/sqlite/sqlite.h"

/* --- databases -------------------------------------------------------------------------------- */

/* Arrivals and chain of a database are those of its last entry. */
static int load_last(tl__sq_conn *conn, int64_t db, tl__db_row *out)
{
	tl__sq_query q;
	tl_str chain;
	bool row;
	int rc;

	tl__sq_start(&q, conn, TL__SQL_ENTRY_LAST);
	tl__sq_int(&q, 0);
	tl__sq_int(&q, tl__sq_n(db, 0));
	tl__sq_int(&q, tl__sq_n(db, TL__SQ_MAX_ARRIVAL));
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK || !row)
		return rc;
	rc = tl__sq_row_check(&q, 'E', 0, TL__E_SUM);
	chain = tl__sq_col_blob(&q, TL__E_CHAIN);
	if (rc == TL_OK && chain.len != sizeof out->chain)
		rc = tl__sq_damaged(conn, 'E');
	if (rc == TL_OK) {
		out->arrivals = tl__sq_arrival(tl__sq_col_int(&q, TL__E_N));
		memcpy(out->chain, chain.ptr, sizeof out->chain);
	}
	tl__sq_end(&q);
	return rc;
}

/* The row of table database under the query. */
static int load_row(tl__sq_query *q, tl__sq_known *out)
{
	int rc = tl__sq_row_check(q, 'D', 0, 5);

	*out = (tl__sq_known){.db = 0};
	if (rc != TL_OK)
		return rc;
	if (!tl__sq_col_id(q, 1, &out->row.db))
		return tl__sq_damaged(q->conn, 'D');
	out->db = tl__sq_col_int(q, 0);
	out->row.void_count = (uint64_t)tl__sq_col_int(q, 2);
	out->row.void_bytes = (uint64_t)tl__sq_col_int(q, 3);
	out->asides = out->stored_asides = tl__sq_col_int(q, 4);
	out->stored = out->row;
	return load_last(q->conn, out->db, &out->row);
}

int tl__sq_load_database(tl__sq_conn *conn, const tl_id *db, tl__sq_known *out)
{
	tl__sq_query q;
	bool row;
	int rc;

	*out = (tl__sq_known){.db = 0};
	tl__sq_start(&q, conn, TL__SQL_DATABASE_BY_ID);
	tl__sq_id(&q, db);
	rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row)
		rc = load_row(&q, out);
	tl__sq_end(&q);
	return rc;
}

static bool is_held(const tl__sq_known *db)
{
	return db->row.arrivals > 0 || db->asides > 0;
}

static int databases(tl__snapshot *s, tl__db_visit visit, void *ud)
{
	tl__sq_query q;
	int rc = TL_OK;

	tl__sq_start(&q, tl__sq_conn_of(s), TL__SQL_DATABASES);
	while (tl__sq_next(&q, &rc)) {
		tl__sq_known db;

		rc = load_row(&q, &db);
		if (rc == TL_OK && is_held(&db))
			rc = visit(ud, &db.row);
	}
	return rc;
}

static int database(tl__snapshot *s, const tl_id *db, tl__db_row *out)
{
	tl__sq_known known;
	int rc = tl__sq_load_database(tl__sq_conn_of(s), db, &known);

	if (rc != TL_OK)
		return rc;
	if (!is_held(&known))
		return tl__fail(TL_E_DATABASE_NOT_FOUND, "this database is not in the store");
	*out = known.row;
	return TL_OK;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Entry bytes are what everything is derived from and what peers are given: never unchecked. */
static int check_bytes(tl__sq_query *q, const tl__entry_row *row)
{
	tl_id id = row->id;

	if (row->id.b[0] == 's')
		tl_id_of(&id, row->bytes.ptr, row->bytes.len);
	if (row->bytes.len == row->size && tl__id_equal(&id, &row->id))
		return TL_OK;
	return tl__fail(TL_E_STORE_DAMAGED,
		"entry %" PRIu64 " of a database in %s has bytes that do not match its id: the "
		"file was damaged; run `verify`, or restore a backup",
		row->arrival, q->conn->file);
}

/* Shows the entry under the query; `height` replaces its own when it is not NULL. */
static int show(
	tl__sq_query *q, unsigned with, const uint64_t *height, tl__entry_visit visit, void *ud)
{
	tl_str parents = tl__sq_col_blob(q, TL__E_PARENTS), chain = tl__sq_col_blob(q, TL__E_CHAIN);
	tl__entry_row row = {.arrival = tl__sq_arrival(tl__sq_col_int(q, TL__E_N)),
		.height = height ? *height : (uint64_t)tl__sq_col_int(q, TL__E_HEIGHT),
		.verdict = (tl__verdict)tl__sq_col_int(q, TL__E_VERDICT),
		.frontier = (uint64_t)tl__sq_col_int(q, TL__E_FRONTIER),
		.size = (uint32_t)tl__sq_col_int(q, TL__E_SIZE),
		.bytes = TL__STR("")};
	int rc = tl__sq_row_check(q, 'E', 0, TL__E_SUM);

	if (rc != TL_OK)
		return rc;
	if (!tl__sq_col_id(q, TL__E_ID, &row.id) || chain.len != sizeof row.chain)
		return tl__sq_damaged(q->conn, 'E');
	if (with & TL__WITH_CHAIN)
		memcpy(row.chain, chain.ptr, sizeof row.chain);
	if (with & TL__WITH_PARENTS) {
		row.parents = (const tl_id *)parents.ptr;
		row.parent_count = parents.len / TL_ID_BYTES;
	}
	if (with & TL__WITH_BYTES) {
		row.bytes = tl__sq_col_blob(q, TL__E_BYTES);
		rc = check_bytes(q, &row);
	}
	if (rc == TL_OK && with & TL__WITH_CITED)
		rc = tl__sq_cited(q->conn, tl__sq_col_int(q, TL__E_N), &row.cited);
	return rc == TL_OK ? visit(ud, &row) : rc;
}

static int show_all(tl__sq_query *q, unsigned with, tl__entry_visit visit, void *ud)
{
	int rc = TL_OK;

	while (tl__sq_next(q, &rc))
		rc = show(q, with, NULL, visit, ud);
	return rc;
}

/* Whether ids[at] comes for the first time. */
static bool is_first(tl__map *shown, const tl_id *ids, size_t at, int *rc)
{
	tl_str key = tl__map_key_id(&ids[at]);

	if (tl__map_has(shown, key))
		return false;
	*rc = tl__map_set(shown, key, NULL);
	return *rc == TL_OK;
}

static int entries(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count, unsigned with,
	tl__entry_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__map shown;
	int64_t number;
	int rc = tl__sq_database(conn, db, &number);

	if (rc != TL_OK || !number)
		return rc;
	tl__map_init(&shown);
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		tl__sq_query q;

		if (count > 1 && !is_first(&shown, ids, i, &rc))
			continue;
		tl__sq_start(&q, conn, TL__SQL_ENTRY_BY_ID);
		tl__sq_int(&q, with & TL__WITH_BYTES);
		tl__sq_id(&q, &ids[i]);
		tl__sq_int(&q, number);
		rc = show_all(&q, with, visit, ud);
	}
	tl__map_free(&shown);
	return rc;
}

static int arrivals(tl__snapshot *s, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
	unsigned with, tl__entry_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t number, before;
	int rc = tl__sq_database(conn, db, &number);

	if (rc != TL_OK || !number || from > TL__SQ_MAX_ARRIVAL)
		return rc;
	before = tl__sq_n(number, from) - 1;
	tl__sq_start(&q, conn, TL__SQL_ENTRIES_BY_N);
	tl__sq_int(&q, with & TL__WITH_BYTES);
	tl__sq_int(&q, tl__sq_n(number, from));
	tl__sq_int(&q, tl__sq_n(number, to > TL__SQ_MAX_ARRIVAL ? TL__SQ_MAX_ARRIVAL : to));
	tl__sq_int(&q, tl__sq_clamp(limit));
	while (tl__sq_next(&q, &rc)) {
		int64_t n = tl__sq_col_int(&q, TL__E_N);

		rc = n > before ? show(&q, with, NULL, visit, ud) : tl__sq_damaged(conn, 'E');
		before = n;
	}
	return rc;
}

static int check_place(tl__sq_query *q, int64_t height)
{
	tl__sq_sortable place;
	tl_id id;

	if (!tl__sq_col_id(q, TL__E_COUNT + 2, &id))
		return tl__sq_damaged(q->conn, 'P');
	place = tl__sq_sortable_of(height, &id);
	return tl__sq_order(q->conn, 'P', tl__sq_sort_key(&place), false);
}

static int by_height(tl__snapshot *s, const tl_id *db, tl_str store, const tl__stamp *after,
	size_t limit, unsigned with, tl__entry_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	tl__sq_sortable place = tl__sq_sortable_of(
		after ? tl__sq_clamp(after->height) : -1, after ? &after->id : NULL);
	int64_t scope;
	int rc = tl__sq_scope_of(conn, db, store, &scope);

	if (rc == TL_OK)
		rc = tl__sq_order_begin(conn, tl__sq_sort_key(&place));
	if (rc != TL_OK || !scope)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_ENTRIES_BY_HEIGHT);
	tl__sq_int(&q, with & TL__WITH_BYTES);
	tl__sq_int(&q, scope);
	tl__sq_int(&q, after ? tl__sq_clamp(after->height) : -1);
	tl__sq_blob(&q, after ? (tl_str){(const char *)after->id.b, TL_ID_BYTES} : TL__STR(""));
	tl__sq_int(&q, tl__sq_clamp(limit));
	while (tl__sq_next(&q, &rc)) {
		uint64_t height = (uint64_t)tl__sq_col_int(&q, TL__E_COUNT + 1);

		rc = tl__sq_row_check(&q, 'P', TL__E_COUNT, 4);
		if (rc == TL_OK)
			rc = check_place(&q, (int64_t)height);
		if (rc == TL_OK)
			rc = show(&q, with, &height, visit, ud);
	}
	return rc;
}

static int children(
	tl__snapshot *s, const tl_id *db, const tl_id *id, tl__entry_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t number, parent = 0;
	int rc = tl__sq_database(conn, db, &number);

	if (rc == TL_OK && number)
		rc = tl__sq_entry_number(conn, number, id, &parent);
	if (rc != TL_OK || !parent)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_CHILDREN);
	tl__sq_int(&q, 0);
	tl__sq_int(&q, parent);
	while (tl__sq_next(&q, &rc)) {
		rc = tl__sq_row_check(&q, 'C', TL__E_COUNT, 2);
		if (rc == TL_OK)
			rc = show(&q, 0, NULL, visit, ud);
	}
	return rc;
}

static int joint(tl__snapshot *s, const tl_id *db, uint64_t upto, uint64_t *out)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	int64_t number;
	int rc = tl__sq_database(conn, db, &number);

	*out = 0;
	return rc == TL_OK && number ? tl__sq_last_joint(conn, number, upto, out) : rc;
}

const tl__entry_reads tl__sq_entry_reads = {.databases = databases,
	.database = database,
	.entries = entries,
	.arrivals = arrivals,
	.by_height = by_height,
	.joint = joint,
	.children = children};
