/* Interned lists of ids: settings frontiers, and the citations that entries hand on. */
#include <string.h>
#include <tidelock/crypto.h>
#include "base/str.h"
#include "store/sqlite/sqlite.h"

static int find(tl__sq_conn *conn, int64_t db, tl_str ids, int64_t *number)
{
	uint8_t digest[32];
	tl_str hash = {(const char *)digest, sizeof digest};
	tl__sq_query q;
	bool row;
	int rc;

	tl_sha256(ids.ptr ? ids.ptr : "", ids.len, digest);
	tl__sq_start(&q, conn, TL__SQL_FRONTIER_BY_HASH);
	tl__sq_int(&q, db);
	tl__sq_blob(&q, hash);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK)
		return rc;
	if (row) {
		*number = tl__sq_col_int(&q, 0);
		tl__sq_end(&q);
		return TL_OK;
	}
	tl__sq_start(&q, conn, TL__SQL_FRONTIER_PUT);
	tl__sq_int(&q, db);
	tl__sq_blob(&q, hash);
	tl__sq_blob(&q, ids);
	rc = tl__sq_run(&q);
	*number = sqlite3_last_insert_rowid(conn->db);
	return rc;
}

int tl__sq_intern(tl__sq_conn *conn, tl__sq_interned *last, int64_t db, tl_str ids, int64_t *number)
{
	int rc;

	*number = last->number;
	if (*number != 0 && last->db == db && tl__str_eq(ids, tl__buf_view(&last->ids)))
		return TL_OK;
	rc = find(conn, db, ids, number);
	if (rc != TL_OK)
		return rc;
	tl__buf_clear(&last->ids);
	tl__buf_str(&last->ids, ids);
	last->db = db;
	last->number = last->ids.failed ? 0 : *number;
	return TL_OK;
}

int tl__sq_interned_ids(
	tl__sq_query *q, tl__sq_conn *conn, int64_t db, uint64_t number, bool *found, tl_str *ids)
{
	uint8_t digest[32];
	int rc;

	*ids = TL__STR("");
	tl__sq_start(q, conn, TL__SQL_FRONTIER);
	tl__sq_int(q, tl__sq_clamp(number));
	tl__sq_int(q, db);
	rc = tl__sq_step(q, found);
	if (rc != TL_OK || !*found)
		return rc;
	*ids = tl__sq_col_blob(q, 1);
	tl_sha256(ids->ptr, ids->len, digest);
	if (!tl__str_eq(tl__sq_col_blob(q, 0), (tl_str){(const char *)digest, sizeof digest})) {
		tl__sq_end(q);
		return tl__sq_damaged(conn, 'F');
	}
	return TL_OK;
}

int tl__sq_put_cited(tl__sq_conn *conn, int64_t n, int64_t interned)
{
	tl__sq_query q;

	tl__sq_start(&q, conn, TL__SQL_CITED_PUT);
	tl__sq_int(&q, n);
	tl__sq_int(&q, interned);
	tl__sq_sum(&q, 'M');
	return tl__sq_run(&q);
}

int tl__sq_cited(tl__sq_conn *conn, int64_t n, uint64_t *interned)
{
	tl__sq_query q;
	bool row;
	int rc;

	*interned = 0;
	tl__sq_start(&q, conn, TL__SQL_CITED);
	tl__sq_int(&q, n);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK || !row)
		return rc;
	rc = tl__sq_row_check(&q, 'M', 0, 2);
	if (rc == TL_OK)
		*interned = (uint64_t)tl__sq_col_int(&q, 1);
	tl__sq_end(&q);
	return rc;
}
