/* Interned numbers: databases, scopes and entries. A number once given is never taken back or given
 * to another name, so a connection may remember it; what a batch gave and lost is forgotten by
 * whoever undoes the batch. */
#include <endian.h>
#include <string.h>
#include "base/fail.h"
#include "store/sqlite/sqlite.h"

static int remember(tl__sq_conn *conn, int64_t number)
{
	if (conn->numbers.count >= TL__SQ_MAX_INTERNED)
		tl__sq_forget_numbers(conn);
	return tl__map_set(&conn->numbers, tl__buf_view(&conn->key), (void *)(uintptr_t)number);
}

static int64_t remembered(tl__sq_conn *conn)
{
	return (int64_t)(uintptr_t)tl__map_get(&conn->numbers, tl__buf_view(&conn->key));
}

static int start_key(tl__sq_conn *conn, char kind, int64_t db, tl_str name)
{
	tl__buf_clear(&conn->key);
	tl__buf_byte(&conn->key, (uint8_t)kind);
	tl__buf_append(&conn->key, &db, sizeof db);
	tl__buf_str(&conn->key, name);
	return tl__buf_status(&conn->key);
}

static tl_str id_text(const tl_id *id)
{
	return (tl_str){(const char *)id->b, TL_ID_BYTES};
}

int tl__sq_database(tl__sq_conn *conn, const tl_id *db, int64_t *number)
{
	tl__sq_query q;
	bool row;
	int rc = start_key(conn, 'd', 0, id_text(db));

	*number = rc == TL_OK ? remembered(conn) : 0;
	if (rc != TL_OK || *number)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_DATABASE_BY_ID);
	tl__sq_id(&q, db);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK || !row)
		return rc;
	rc = tl__sq_row_check(&q, 'D', 0, 5);
	*number = tl__sq_col_int(&q, 0);
	tl__sq_end(&q);
	return rc == TL_OK ? remember(conn, *number) : rc;
}

static int make_scope(tl__sq_conn *conn, int64_t db, tl_str name, int64_t *number)
{
	tl__sq_query q;
	bool row;
	int rc;

	tl__sq_start(&q, conn, TL__SQL_SCOPE_NEXT);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK)
		return rc;
	*number = row ? tl__sq_col_int(&q, 0) : 1;
	tl__sq_end(&q);
	tl__sq_start(&q, conn, TL__SQL_SCOPE_PUT);
	tl__sq_int(&q, *number);
	tl__sq_int(&q, db);
	tl__sq_blob(&q, name);
	tl__sq_sum(&q, 'S');
	return tl__sq_run(&q);
}

int tl__sq_scope(tl__sq_conn *conn, int64_t db, tl_str name, bool make, int64_t *number)
{
	tl__sq_query q;
	bool row;
	int rc = start_key(conn, 's', db, name);

	*number = rc == TL_OK ? remembered(conn) : 0;
	if (rc != TL_OK || *number)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_SCOPE_BY_NAME);
	tl__sq_int(&q, db);
	tl__sq_blob(&q, name);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK)
		return rc;
	if (row) {
		rc = tl__sq_row_check(&q, 'S', 0, 3);
		*number = tl__sq_col_int(&q, 0);
		tl__sq_end(&q);
	} else if (make) {
		rc = make_scope(conn, db, name, number);
	}
	return rc == TL_OK && *number ? remember(conn, *number) : rc;
}

int tl__sq_scope_of(tl__sq_conn *conn, const tl_id *db, tl_str name, int64_t *number)
{
	int64_t k;
	int rc = tl__sq_database(conn, db, &k);

	*number = 0;
	return rc == TL_OK && k ? tl__sq_scope(conn, k, name, false, number) : rc;
}

int tl__sq_entry_number(tl__sq_conn *conn, int64_t db, const tl_id *id, int64_t *n)
{
	tl__sq_query q;
	bool row;
	int rc;

	*n = 0;
	tl__sq_start(&q, conn, TL__SQL_ENTRY_NUMBER);
	tl__sq_id(&q, id);
	tl__sq_int(&q, db);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK || !row)
		return rc;
	*n = tl__sq_col_int(&q, 0);
	tl__sq_end(&q);
	return TL_OK;
}

/* --- what an entry carries of stores ---------------------------------------------------------- */

void tl__sq_pack(tl__buf *out, const tl__sq_member *member)
{
	uint64_t scope = htole64((uint64_t)member->scope), height = htole64(member->height);
	uint32_t count = htole32(member->parent_count);

	tl__buf_append(out, &scope, sizeof scope);
	tl__buf_append(out, &height, sizeof height);
	tl__buf_append(out, &count, sizeof count);
	tl__buf_byte(out, member->unreadable);
	tl__buf_append(out, member->parents, member->parent_count * sizeof(tl_id));
}

bool tl__sq_unpack(tl_str packed, size_t *at, tl__sq_member *out)
{
	uint64_t scope, height;
	uint32_t count;
	const char *from = packed.ptr + *at;

	if (packed.len - *at < TL__SQ_PACKED_BYTES)
		return false;
	memcpy(&scope, from, sizeof scope);
	memcpy(&height, from + 8, sizeof height);
	memcpy(&count, from + 16, sizeof count);
	count = le32toh(count);
	*at += TL__SQ_PACKED_BYTES;
	if ((packed.len - *at) / sizeof(tl_id) < count)
		return false;
	*out = (tl__sq_member){.scope = (int64_t)le64toh(scope),
		.height = le64toh(height),
		.parent_count = count,
		.unreadable = from[20] != 0,
		.parents = (const tl_id *)(from + TL__SQ_PACKED_BYTES)};
	*at += count * sizeof(tl_id);
	return true;
}
