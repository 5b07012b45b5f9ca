/* Files of older versions of the schema. */
#include <string.h>
#include "base/fail.h"
#include "store/sqlite/sqlite.h"

const char tl__sq_schema_2[] =
	"CREATE TABLE joint(n INTEGER PRIMARY KEY NOT NULL, sum INTEGER NOT NULL);";

/* What was set aside before says nothing of what it needs, which is a saving only: what is evicted
 * is asked for again. */
const char tl__sq_schema_3[] =
	"CREATE TABLE need(needed BLOB NOT NULL, db INTEGER NOT NULL, pending BLOB NOT NULL, "
	"PRIMARY KEY(needed, db, pending)) WITHOUT ROWID;"
	"CREATE INDEX need_of ON need(db, pending);";

const char tl__sq_schema_4[] = "CREATE TABLE cited(n INTEGER PRIMARY KEY NOT NULL, "
			       "frontier INTEGER NOT NULL, sum INTEGER NOT NULL);";

/* --- 2: joints -------------------------------------------------------------------------------- */

/* The tips after each arrival of one database. */
typedef struct tips {
	int64_t db;
	tl__map ids;
	uint64_t joint;
} tips;

static int add_entry(tl__sq_conn *conn, tips *t, tl__sq_query *q)
{
	uint64_t arrival = tl__sq_arrival(tl__sq_col_int(q, 0));
	tl_str parents = tl__sq_col_blob(q, 2);
	int rc;

	for (size_t at = 0; at + TL_ID_BYTES <= parents.len; at += TL_ID_BYTES)
		(void)tl__map_remove(&t->ids, (tl_str){parents.ptr + at, TL_ID_BYTES});
	rc = tl__map_set(&t->ids, tl__sq_col_blob(q, 1), NULL);
	if (rc != TL_OK || t->ids.count > 1 || arrival < t->joint + TL__STORE_JOINT_EVERY)
		return rc;
	t->joint = arrival;
	return tl__sq_put_joint(conn, t->db, arrival);
}

static int join_database(tl__sq_conn *conn, sqlite3_stmt *entries, int64_t db)
{
	tl__sq_query q = {.conn = conn, .stmt = entries, .rc = SQLITE_OK};
	tips t = {.db = db};
	int rc = TL_OK;

	tl__map_init(&t.ids);
	tl__sq_int(&q, tl__sq_n(db, 0));
	tl__sq_int(&q, tl__sq_n(db, TL__SQ_MAX_ARRIVAL));
	while (tl__sq_next(&q, &rc))
		rc = add_entry(conn, &t, &q);
	tl__map_free(&t.ids);
	return rc;
}

static int last_database(tl__sq_conn *conn, int64_t *last)
{
	tl__sq_query q;
	bool row;
	int rc;

	*last = 0;
	tl__sq_start(&q, conn, TL__SQL_DATABASE_NEXT);
	rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row)
		*last = tl__sq_col_int(&q, 0) - 1;
	tl__sq_end(&q);
	return rc;
}

static int join_all(tl__sq_conn *conn)
{
	sqlite3_stmt *entries = NULL;
	int64_t last;
	int rc = last_database(conn, &last);

	if (rc != TL_OK)
		return rc;
	rc = sqlite3_prepare_v2(conn->db,
		"SELECT n, id, parents FROM entry WHERE n BETWEEN ?1 AND ?2 ORDER BY n", -1,
		&entries, NULL);
	rc = rc == SQLITE_OK ? TL_OK : tl__sq_fail(conn, rc, "upgrade");
	for (int64_t db = 1; db <= last && rc == TL_OK; db++)
		rc = join_database(conn, entries, db);
	sqlite3_finalize(entries);
	return rc;
}

/* --- all -------------------------------------------------------------------------------------- */

static int upgrade(tl__sqlite *store, tl__sq_conn *conn, int64_t version)
{
	char sql[64];
	int rc = TL_OK;

	if (version < 2)
		rc = tl__sq_exec(conn, tl__sq_schema_2, "upgrade");
	if (rc == TL_OK && version < 2)
		rc = join_all(conn);
	if (rc == TL_OK && version < 3)
		rc = tl__sq_exec(conn, tl__sq_schema_3, "upgrade");
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, tl__sq_schema_4, "upgrade");
	if (rc == TL_OK)
		rc = tl__sq_upgrade_cited(store, conn);
	sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version = %d", TL__SQ_VERSION);
	return rc == TL_OK ? tl__sq_exec(conn, sql, "upgrade") : rc;
}

int tl__sq_upgrade(tl__sqlite *store, tl__sq_conn *conn, int64_t version)
{
	int rc = tl__sq_exec(conn, "BEGIN IMMEDIATE", "upgrade");

	tl__log_write(store->base.log, TL_LOG_INFO, "store",
		"%s is of schema %" PRId64 " and is brought to %d", store->file, version,
		TL__SQ_VERSION);
	if (rc == TL_OK)
		rc = upgrade(store, conn, version);
	if (rc == TL_OK)
		rc = tl__sq_exec(conn, "COMMIT", "upgrade");
	if (rc != TL_OK && sqlite3_get_autocommit(conn->db) == 0)
		sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}
