/* One statement from binding to reset, and the checksums of rows. */
#include <endian.h>
#include <string.h>
#include "base/fail.h"
#include "base/siphash.h"
#include "base/str.h"
#include "store/sqlite/sqlite.h"

static const char *const texts[] = {
#define SQL_TEXT(name, text) text,
	TL__SQL_LIST(SQL_TEXT)
#undef SQL_TEXT
};

/* --- checksums -------------------------------------------------------------------------------- */

static void note_int(tl__sq_conn *conn, int64_t value)
{
	char b[9] = {'i'};

	uint64_t little = htole64((uint64_t)value);

	memcpy(b + 1, &little, sizeof little);
	tl__buf_append(&conn->sum, b, sizeof b);
}

static void note_blob(tl__sq_conn *conn, tl_str bytes)
{
	uint64_t len = htole64(bytes.len);
	char b[9] = {'b'};

	memcpy(b + 1, &len, sizeof len);
	tl__buf_append(&conn->sum, b, sizeof b);
	tl__buf_str(&conn->sum, bytes);
}

static int64_t sum_end(tl__sq_conn *conn, char table)
{
	tl__buf_byte(&conn->sum, (uint8_t)table);
	return (int64_t)tl__siphash(conn->sum_key, conn->sum.ptr, conn->sum.len);
}

/* Says it with the table's name. */
int tl__sq_damaged(tl__sq_conn *conn, char table)
{
	static const char letters[] = "DSECPTVALKFWJM";
	static const char *const names[] = {"database", "scope", "entry", "child", "place", "tip",
		"state", "aside", "local", "secret", "frontier", "wait", "joint", "cited"};
	const char *at = strchr(letters, table);

	return tl__fail(TL_E_STORE_DAMAGED,
		"a row of table %s in %s does not match its checksum: the file was damaged; run "
		"`verify`, or restore a backup",
		at && *at ? names[at - letters] : "?", conn->file);
}

int tl__sq_row_check(tl__sq_query *q, char table, int first, int count)
{
	tl__sq_conn *conn = q->conn;
	int64_t sum;

	tl__buf_clear(&conn->sum); /* an earlier failure is none of this one */
	for (int i = first; i < first + count; i++) {
		int type = sqlite3_column_type(q->stmt, i);

		if (type == SQLITE_INTEGER)
			note_int(conn, sqlite3_column_int64(q->stmt, i));
		else if (type == SQLITE_BLOB)
			note_blob(conn, tl__sq_col_blob(q, i));
		else
			return tl__sq_damaged(conn, table);
	}
	sum = sum_end(conn, table);
	if (conn->sum.failed) {
		tl__buf_clear(&conn->sum); /* a reader goes on later */
		return tl__fail(TL_E_NOMEM, "no memory to check a row");
	}
	if (sum != sqlite3_column_int64(q->stmt, first + count))
		return tl__sq_damaged(conn, table);
	return TL_OK;
}

/* --- order ------------------------------------------------------------------------------------ */

tl__sq_sortable tl__sq_sortable_of(int64_t number, const tl_id *id)
{
	tl__sq_sortable key = {.len = 8};
	uint64_t n = (uint64_t)number ^ (uint64_t)1 << 63;

	for (int i = 0; i < 8; i++)
		key.b[i] = (uint8_t)(n >> (56 - 8 * i));
	if (id) {
		memcpy(key.b + 8, id->b, TL_ID_BYTES);
		key.len += TL_ID_BYTES;
	}
	return key;
}

int tl__sq_order_begin(tl__sq_conn *conn, tl_str key)
{
	tl__buf_clear(&conn->order);
	tl__buf_str(&conn->order, key);
	return tl__buf_status(&conn->order);
}

int tl__sq_order(tl__sq_conn *conn, char table, tl_str key, bool same)
{
	int order = tl__str_compare(key, tl__buf_view(&conn->order));

	if (order < 0 || (order == 0 && !same))
		return tl__sq_damaged(conn, table);
	return order == 0 ? TL_OK : tl__sq_order_begin(conn, key);
}

/* --- binding ---------------------------------------------------------------------------------- */

static void keep_first(tl__sq_query *q, int rc)
{
	if (q->rc == SQLITE_OK)
		q->rc = rc;
}

void tl__sq_start(tl__sq_query *q, tl__sq_conn *conn, tl__sql which)
{
	sqlite3_stmt **stmt = &conn->stmts[which];

	*q = (tl__sq_query){.conn = conn, .rc = SQLITE_OK};
	tl__buf_clear(&conn->sum); /* an earlier failure is none of this one */
	if (!*stmt)
		q->rc = sqlite3_prepare_v3(
			conn->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	q->stmt = *stmt;
}

void tl__sq_int(tl__sq_query *q, int64_t value)
{
	if (q->rc != SQLITE_OK)
		return;
	keep_first(q, sqlite3_bind_int64(q->stmt, ++q->last, value));
	note_int(q->conn, value);
}

void tl__sq_blob_free(tl__sq_query *q, tl_str bytes)
{
	if (q->rc == SQLITE_OK)
		keep_first(q, sqlite3_bind_blob64(q->stmt, ++q->last, bytes.len ? bytes.ptr : "",
				      bytes.len, SQLITE_STATIC));
}

void tl__sq_blob(tl__sq_query *q, tl_str bytes)
{
	tl__sq_blob_free(q, bytes);
	note_blob(q->conn, bytes);
}

void tl__sq_id(tl__sq_query *q, const tl_id *id)
{
	tl__sq_blob(q, (tl_str){(const char *)id->b, TL_ID_BYTES});
}

void tl__sq_sum(tl__sq_query *q, char table)
{
	int64_t sum = sum_end(q->conn, table);

	if (q->rc != SQLITE_OK)
		return;
	keep_first(q, q->conn->sum.failed ? SQLITE_NOMEM : SQLITE_OK);
	keep_first(q, sqlite3_bind_int64(q->stmt, ++q->last, sum));
	if (q->conn->sum.failed)
		tl__buf_clear(&q->conn->sum);
}

/* --- running ---------------------------------------------------------------------------------- */

int tl__sq_step(tl__sq_query *q, bool *row)
{
	int rc = q->rc;

	*row = false;
	if (rc == SQLITE_OK)
		rc = sqlite3_step(q->stmt);
	if (rc == SQLITE_ROW) {
		*row = true;
		return TL_OK;
	}
	if (rc != SQLITE_DONE)
		rc = tl__sq_fail(q->conn, rc, "work with");
	else
		rc = TL_OK;
	tl__sq_end(q);
	return rc;
}

bool tl__sq_next(tl__sq_query *q, int *rc)
{
	bool row = false;

	if (*rc == TL_OK)
		*rc = tl__sq_step(q, &row);
	else
		tl__sq_end(q);
	return row;
}

int tl__sq_run(tl__sq_query *q)
{
	int rc = TL_OK;

	while (tl__sq_next(q, &rc))
		;
	return rc;
}

void tl__sq_end(tl__sq_query *q)
{
	if (!q->stmt)
		return;
	sqlite3_reset(q->stmt); /* its result is that of the last step, told already */
	q->stmt = NULL;
	q->rc = SQLITE_MISUSE;
}

/* --- columns ---------------------------------------------------------------------------------- */

int64_t tl__sq_col_int(tl__sq_query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

tl_str tl__sq_col_blob(tl__sq_query *q, int column)
{
	const char *ptr = sqlite3_column_blob(q->stmt, column);
	int len = sqlite3_column_bytes(q->stmt, column);

	return (tl_str){ptr ? ptr : "", ptr && len > 0 ? (size_t)len : 0};
}

bool tl__sq_col_id(tl__sq_query *q, int column, tl_id *out)
{
	tl_str bytes = tl__sq_col_blob(q, column);

	if (bytes.len != TL_ID_BYTES)
		return false;
	memcpy(out->b, bytes.ptr, TL_ID_BYTES);
	return true;
}
