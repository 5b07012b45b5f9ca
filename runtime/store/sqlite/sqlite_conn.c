/* Connections: how they are set up, the pool of readers, and what SQLite's errors mean. */
#include <errno.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

/* Our code and what to do for a result of SQLite. */
static int meaning(int rc, const char **advice)
{
	switch (rc & 0xff) {
	case SQLITE_NOMEM: *advice = "close what is not needed and try again"; return TL_E_NOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		*advice = "another program is writing to it; close that and try again";
		return TL_E_BUSY;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		*advice = "make the directory and the files in it writable";
		return TL_E_STORE_READ_ONLY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_ERROR: /* our statements are always the same: the schema is not ours */
	case SQLITE_SCHEMA:
	case SQLITE_FORMAT:
		*advice = "the file is damaged; restore a backup, or import an export";
		return TL_E_STORE_DAMAGED;
	case SQLITE_FULL: *advice = "the disk is full; make room and try again"; return TL_E_IO;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
	case SQLITE_NOLFS:
		*advice = "see that the disk works and the files are there";
		return TL_E_IO;
	case SQLITE_TOOBIG: *advice = "the value is too large"; return TL_E_TOO_LARGE;
	default: *advice = "this is a fault of the program"; return TL_E_INTERNAL;
	}
}

int tl__sq_fail(tl__sq_conn *conn, int rc, const char *doing)
{
	const char *advice = "";
	int code, extended = conn && conn->db ? sqlite3_extended_errcode(conn->db) : rc;
	/* a failure that did not go through the connection has no message there */
	bool told = (extended & 0xff) == (rc & 0xff) && conn && conn->db;

	if (rc == SQLITE_IOERR_NOMEM || (told && extended == SQLITE_IOERR_NOMEM))
		rc = SQLITE_NOMEM;
	code = meaning(rc, &advice);
	if (told && rc == SQLITE_CANTOPEN && sqlite3_system_errno(conn->db) == EACCES) {
		code = TL_E_STORE_READ_ONLY;
		advice = "no permission; run this as the user the files belong to, or make them "
			 "readable and writable for this one";
	}
	return tl__fail(code, "cannot %s %s: %s; %s", doing, conn ? conn->file : "the store",
		told ? sqlite3_errmsg(conn->db) : sqlite3_errstr(rc), advice);
}

int tl__sq_exec(tl__sq_conn *conn, const char *sql, const char *doing)
{
	int rc = sqlite3_exec(conn->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? TL_OK : tl__sq_fail(conn, rc, doing);
}

static int set_up(tl__sq_conn *conn, const tl__sqlite *store, int cache_kib)
{
	char sql[512];

	sqlite3_extended_result_codes(conn->db, 1);
	sqlite3_busy_timeout(conn->db, TL__SQ_BUSY_MS);
	sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	sqlite3_db_config(conn->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	sqlite3_db_config(conn->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	sqlite3_db_config(conn->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
	sqlite3_snprintf(sizeof sql, sql,
		"PRAGMA cache_size = -%d; PRAGMA synchronous = %s; PRAGMA temp_store = MEMORY; "
		"PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d; "
		"PRAGMA cell_size_check = ON; PRAGMA secure_delete = FAST",
		cache_kib, store->durability == TL__DURABLE_FULL ? "FULL" : "NORMAL",
		TL__SQ_LOG_MAX_FILE);
	return tl__sq_exec(conn, sql, "open");
}

int tl__sq_conn_open(tl__sq_conn **out, const tl__sqlite *store, int cache_kib)
{
	tl__sq_conn *conn = tl__alloc_zero(1, sizeof *conn);
	int rc;

	*out = NULL;
	if (!conn)
		return TL_E_NOMEM;
	tl__map_init(&conn->numbers);
	conn->file = store->file;
	conn->sum_key = store->sum_key;
	rc = tl__sq_open_place(&conn->db, store->place);
	if (rc != SQLITE_OK)
		rc = tl__sq_fail(conn, rc, "open");
	else
		rc = tl__sq_still_there(store); /* what was opened is the store's own file */
	if (rc == TL_OK)
		rc = set_up(conn, store, cache_kib);
	if (rc != TL_OK) {
		tl__sq_conn_close(conn);
		return rc;
	}
	*out = conn;
	return TL_OK;
}

void tl__sq_conn_close(tl__sq_conn *conn)
{
	if (!conn)
		return;
	for (size_t i = 0; i < TL__SQL_COUNT; i++)
		sqlite3_finalize(conn->stmts[i]);
	sqlite3_close(conn->db);
	tl__map_free(&conn->numbers);
	tl__buf_free(&conn->key);
	tl__buf_free(&conn->order);
	tl__buf_free(&conn->sum);
	tl__free(conn);
}

void tl__sq_forget_numbers(tl__sq_conn *conn)
{
	tl__map_free(&conn->numbers);
	tl__map_init(&conn->numbers);
}

/* With the lock held: an idle reader, or NULL; then *open_warm says which one to open. */
static tl__sq_conn *take_idle(tl__sqlite *store, bool warm, bool *open_warm)
{
	tl__sq_conn *conn = NULL;

	*open_warm = warm && !store->has_warm;
	if (*open_warm)
		return NULL;
	if (warm && store->warm) {
		conn = store->warm;
		store->warm = NULL;
	} else if (store->idle) {
		conn = store->idle;
		store->idle = conn->next;
		store->idle_count--;
	}
	return conn;
}

int tl__sq_reader_take(tl__sqlite *store, bool warm, tl__sq_conn **out)
{
	bool open_warm;
	int rc;

	pthread_mutex_lock(&store->pool_lock);
	*out = take_idle(store, warm, &open_warm);
	store->has_warm |= open_warm;
	pthread_mutex_unlock(&store->pool_lock);
	if (*out)
		return TL_OK;
	rc = tl__sq_conn_open(
		out, store, open_warm ? TL__SQ_WARM_CACHE_KIB : TL__SQ_READ_CACHE_KIB);
	if (rc == TL_OK) {
		(*out)->warm = open_warm;
	} else if (open_warm) {
		pthread_mutex_lock(&store->pool_lock);
		store->has_warm = false;
		pthread_mutex_unlock(&store->pool_lock);
	}
	return rc;
}

void tl__sq_reader_give(tl__sqlite *store, tl__sq_conn *conn)
{
	bool keep;

	pthread_mutex_lock(&store->pool_lock);
	keep = conn->warm || store->idle_count < TL__SQ_IDLE_READERS;
	if (conn->warm) {
		store->warm = conn;
	} else if (keep) {
		conn->next = store->idle;
		store->idle = conn;
		store->idle_count++;
	}
	pthread_mutex_unlock(&store->pool_lock);
	if (!keep)
		tl__sq_conn_close(conn);
}

void tl__sq_reader_drop(tl__sqlite *store, tl__sq_conn *conn)
{
	if (conn && conn->warm) {
		pthread_mutex_lock(&store->pool_lock);
		store->has_warm = false;
		pthread_mutex_unlock(&store->pool_lock);
	}
	tl__sq_conn_close(conn);
}
