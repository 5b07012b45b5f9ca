/* Copying the log back into the file. A thread of its own does it, because it waits for the disk:
 * commits go on meanwhile. The log starts anew once all of it is copied and no reader needs it,
 * which while entries pour in is the case at no moment: then a commit, when the thread has left it
 * little, copies the rest. */
#include "base/fail.h"
#include "base/system/thread.h"
#include "store/sqlite/sqlite.h"

/* What a copy brought to the file reaches the disk here, or the commit that copies the rest would
 * wait for all of it. */
static int sync_file(tl__sq_conn *conn)
{
	sqlite3_file *file = NULL;
	int rc = sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_FILE_POINTER, (void *)&file);

	if (rc == SQLITE_OK && file && file->pMethods)
		rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
	return rc;
}

/* What the disk did not take is not written again, and nobody could tell later: the log, which has
 * it all, is kept until the store is opened anew. */
static void keep_log(tl__sqlite *store, const char *why)
{
	if (!atomic_exchange(&store->log.faulty, true))
		tl__log_write(store->base.log, TL_LOG_WARNING, "store",
			"the disk of %s does not take what is written (%s): its log is kept and "
			"grows; look at the disk, then open the store anew",
			store->file, why);
}

static bool copy(tl__sqlite *store, tl__sq_conn *conn, int mode)
{
	int length = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(conn->db, NULL, mode, &length, &copied);

	if (rc == SQLITE_IOERR_FSYNC)
		keep_log(store, sqlite3_errmsg(conn->db));
	else if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
		tl__log_write(store->base.log, TL_LOG_WARNING, "store",
			"cannot copy the log of %s into it: %s", store->file,
			sqlite3_errmsg(conn->db));
	if (rc == SQLITE_OK)
		atomic_store(&store->log.copied, copied);
	return rc == SQLITE_OK;
}

static int left(const tl__sq_log *log)
{
	int pages = atomic_load(&log->pages), copied = atomic_load(&log->copied);

	return copied > pages ? pages : pages - copied; /* more: of the log before this one */
}

/* Until nothing is left, for then the next commit starts anew without waiting; or a reader keeps it
 * from that, or commits are too fast. */
static void catch_up(tl__sqlite *store, tl__sq_conn *conn)
{
	tl__sq_log *log = &store->log;
	int before, rc;

	for (int i = 0; i < TL__SQ_LOG_TRIES; i++) {
		before = left(log);
		if (!copy(store, conn, SQLITE_CHECKPOINT_PASSIVE))
			return;
		rc = sync_file(conn);
		if (rc != SQLITE_OK)
			keep_log(store, sqlite3_errstr(rc));
		if (rc != SQLITE_OK || left(log) == 0 || left(log) >= before)
			return;
	}
}

/* --- the thread ------------------------------------------------------------------------------- */

static void *run(void *ud)
{
	tl__sqlite *store = ud;
	tl__sq_log *log = &store->log;

	pthread_mutex_lock(&log->lock);
	while (!log->ending) {
		if (!log->wanted) {
			pthread_cond_wait(&log->changed, &log->lock);
			continue;
		}
		log->copying = true;
		pthread_mutex_unlock(&log->lock);
		catch_up(store, log->conn);
		pthread_mutex_lock(&log->lock);
		log->copying = log->wanted = false;
		pthread_cond_broadcast(&log->changed);
	}
	pthread_mutex_unlock(&log->lock);
	return NULL;
}

/* At the first need: most stores never have one. */
static bool start(tl__sqlite *store)
{
	tl__sq_log *log = &store->log;

	if (log->started)
		return true;
	if (!log->conn && tl__sq_conn_open(&log->conn, store, TL__SQ_LOG_CACHE_KIB) != TL_OK)
		return false;
	log->started = tl__thread_start(&log->thread, "tl-log", run, store) == 0;
	return log->started;
}

void tl__sq_log_init(tl__sq_log *log)
{
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->changed, NULL);
}

void tl__sq_log_end(tl__sqlite *store)
{
	tl__sq_log *log = &store->log;

	pthread_mutex_lock(&log->lock);
	log->ending = true;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
	if (log->started)
		pthread_join(log->thread, NULL);
	tl__sq_conn_close(log->conn);
	if (atomic_load(&log->faulty))
		sqlite3_db_config(
			store->writer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
	pthread_cond_destroy(&log->changed);
	pthread_mutex_destroy(&log->lock);
}

/* --- after a commit --------------------------------------------------------------------------- */

/* A thread that cannot be started is done without. */
static void ask_for_copy(tl__sqlite *store)
{
	tl__sq_log *log = &store->log;

	if (!start(store)) {
		copy(store, store->writer, SQLITE_CHECKPOINT_PASSIVE);
		return;
	}
	pthread_mutex_lock(&log->lock);
	log->wanted = true;
	pthread_cond_broadcast(&log->changed);
	pthread_mutex_unlock(&log->lock);
}

static void wait_for_copy(tl__sq_log *log)
{
	pthread_mutex_lock(&log->lock);
	while (log->copying)
		pthread_cond_wait(&log->changed, &log->lock);
	pthread_mutex_unlock(&log->lock);
}

/* The commit itself copies the rest and waits a little for readers. */
static void start_anew(tl__sqlite *store)
{
	wait_for_copy(&store->log);
	sqlite3_busy_timeout(store->writer->db, TL__SQ_LOG_WAIT_MS);
	copy(store, store->writer, SQLITE_CHECKPOINT_RESTART);
	sqlite3_busy_timeout(store->writer->db, TL__SQ_BUSY_MS);
}

void tl__sq_log_trim(tl__sqlite *store)
{
	tl__sq_log *log = &store->log;
	int pages = atomic_load(&log->pages);
	bool enough = pages >= TL__SQ_LOG_ENOUGH_PAGES;

	if (pages <= log->last) { /* it has started anew */
		log->tried = 0;
		atomic_store(&log->copied, 0);
	}
	log->last = pages;
	if (atomic_load(&log->faulty) ||
		pages < log->tried + (enough ? TL__SQ_LOG_REST_PAGES : TL__SQ_LOG_STEP_PAGES))
		return;
	log->tried = pages;
	if (pages >= TL__SQ_LOG_LIMIT_PAGES || (enough && left(log) <= TL__SQ_LOG_REST_PAGES))
		start_anew(store);
	else
		ask_for_copy(store);
}

void tl__sq_log_trim_behind_reader(tl__sqlite *store, tl__sq_conn *conn)
{
	if (atomic_load(&store->log.pages) >= TL__SQ_LOG_LIMIT_PAGES &&
		!atomic_load(&store->log.faulty))
		copy(store, conn, SQLITE_CHECKPOINT_PASSIVE);
}
