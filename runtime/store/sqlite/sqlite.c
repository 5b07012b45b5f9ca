/* The store in SQLite: opening, closing, snapshots. */
#include "store/sqlite/sqlite.h"

#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/system/descriptors.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

/* --- snapshots: a read transaction on a connection of its own --------------------------------- */

static int run(tl__sq_conn *conn, tl__sql which)
{
	tl__sq_query q;

	tl__sq_start(&q, conn, which);
	return tl__sq_run(&q);
}

/* Counts the open ones; tells whether none is left. */
static bool count_reading(tl__sqlite *store, int step)
{
	bool none;

	pthread_mutex_lock(&store->pool_lock);
	store->reading = (size_t)((ptrdiff_t)store->reading + step);
	none = store->reading == 0;
	pthread_mutex_unlock(&store->pool_lock);
	return none;
}

static int snapshot_open(tl__store *base, bool warm, tl__snapshot **out)
{
	tl__sqlite *store = (tl__sqlite *)base;
	tl__sq_snapshot *s = tl__alloc_zero(1, sizeof *s);
	int rc;

	if (!s)
		return TL_E_NOMEM;
	rc = tl__sq_reader_take(store, warm, &s->conn);
	if (rc == TL_OK)
		rc = run(s->conn, TL__SQL_READ);
	if (rc == TL_OK)
		rc = run(s->conn, TL__SQL_DATA_VERSION); /* the first read fixes the moment */
	if (rc != TL_OK) {
		tl__sq_reader_drop(store, s->conn);
		tl__free(s);
		return rc;
	}
	count_reading(store, 1);
	*out = &s->base;
	return TL_OK;
}

static void snapshot_close(tl__snapshot *snapshot)
{
	tl__sq_snapshot *s = (tl__sq_snapshot *)snapshot;
	tl__sqlite *store = (tl__sqlite *)snapshot->store;
	/* A failure may have ended it already. */
	bool ended =
		sqlite3_get_autocommit(s->conn->db) != 0 || run(s->conn, TL__SQL_ROLLBACK) == TL_OK;

	if (count_reading(store, -1) && ended)
		tl__sq_log_trim_behind_reader(store, s->conn);
	if (ended)
		tl__sq_reader_give(store, s->conn);
	else
		tl__sq_reader_drop(store, s->conn);
	tl__free(s);
}

/* --- opening and closing ---------------------------------------------------------------------- */

static void close_store(tl__store *base)
{
	tl__sqlite *store = (tl__sqlite *)base;

	tl__sq_log_end(store);
	while (store->idle) {
		tl__sq_conn *conn = store->idle;

		store->idle = conn->next;
		tl__sq_conn_close(conn);
	}
	tl__sq_conn_close(store->warm);
	tl__sq_conn_close(store->writer); /* the last one out empties the log */
	tl__sq_unlock(store);
	tl__error_drop(store->broken_error);
	pthread_mutex_destroy(&store->pool_lock);
	tl__buf_free(&store->frontier.ids);
	tl__buf_free(&store->cited.ids);
	tl__free(store->recent);
	tl__free(store->folder);
	tl__free(store->place);
	tl__free(store->file);
	tl__free(store);
}

static int directory(tl__store *base)
{
	return ((tl__sqlite *)base)->folder_fd;
}

static const tl__backend sqlite_backend = {
	.begin = tl__sq_begin,
	.apply = tl__sq_apply,
	.commit = tl__sq_commit,
	.close = close_store,
	.snapshot_open = snapshot_open,
	.snapshot_close = snapshot_close,
	.reads = {&tl__sq_entry_reads, &tl__sq_scope_reads, &tl__sq_aside_reads},
	.local = tl__sq_local,
	.locals = tl__sq_locals,
	.key = tl__sq_key,
	.key_names = tl__sq_key_names,
	.check = tl__sq_check,
	.backup = tl__sq_backup,
	.directory = directory,
};

static int note_log(void *ud, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	atomic_store(&((tl__sqlite *)ud)->log.pages, pages);
	return SQLITE_OK;
}

/* Everything that can be released, readied; nothing opened. NULL when memory ran out. */
static tl__sqlite *new_store(const char *path, tl__durability durability, const tl__log *log)
{
	tl__sqlite *store = tl__alloc_zero(1, sizeof *store);
	size_t len = strlen(path);

	if (!store)
		return NULL;
	store->folder_fd = store->lock_fd = -1;
	store->durability = durability;
	store->folder = tl__copy_bytes(path, len);
	store->file = tl__alloc(len + sizeof "/" TL__SQ_FILE);
	store->recent = tl__alloc_zero(TL__SQ_RECENT, sizeof *store->recent);
	if (!store->folder || !store->file || !store->recent ||
		tl__store_base_init(&store->base, &sqlite_backend, log) != TL_OK) {
		tl__free(store->recent);
		tl__free(store->file);
		tl__free(store->folder);
		tl__free(store);
		return NULL;
	}
	snprintf(store->file, len + sizeof "/" TL__SQ_FILE, "%s/" TL__SQ_FILE, path);
	pthread_mutex_init(&store->pool_lock, NULL);
	tl__sq_log_init(&store->log);
	return store;
}

static int open_all(tl__sqlite *store)
{
	int rc = tl_crypto_init();

	if (rc == TL_OK)
		rc = tl__descriptors_guard();
	if (rc == TL_OK)
		rc = tl__sq_lock(store);
	if (rc == TL_OK)
		rc = tl__sq_conn_open(&store->writer, store, TL__SQ_WRITE_CACHE_KIB);
	if (rc == TL_OK)
		rc = tl__sq_schema(store, store->writer);
	if (rc == TL_OK)
		sqlite3_wal_hook(store->writer->db, note_log, store);
	return rc;
}

int tl__store_open_sqlite(
	tl__store **out, const char *path, tl__durability durability, const tl__log *log)
{
	tl__sqlite *store;
	int rc;

	*out = NULL;
	if (!path || !*path)
		return tl__fail(TL_E_BAD_ARGUMENT, "a store needs the path of a directory");
	store = new_store(path, durability, log);
	if (!store)
		return TL_E_NOMEM;
	rc = open_all(store);
	if (rc != TL_OK) {
		tl__store_close(&store->base);
		return rc;
	}
	*out = &store->base;
	return TL_OK;
}
