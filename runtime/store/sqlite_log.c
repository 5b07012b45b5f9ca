/* Copying the log back into the file. A thread of its own does it, because it waits for the disk
 * twice each time: commits go on meanwhile, and the log starts anew at the first commit that finds
 * all of it copied. */
#include <signal.h>
#include "base/fail.h"
#include "store/sqlite.h"

/* Whether all there was is copied, and more was committed meanwhile. */
static bool copy(tl__sqlite *store, tl__sq_conn *conn, int mode)
{
	int length = 0, copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(conn->db, NULL, mode, &length, &copied);

	if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED)
		tl__log_write(store->base.log, TL_LOG_WARNING, "store",
			"cannot copy the log of %s into it: %s", store->file,
			sqlite3_errmsg(conn->db));
	return rc == SQLITE_OK && copied == length && atomic_load(&store->log.pages) > length;
}

/* Until everything is copied, since only then the log starts anew; or a reader keeps it from that,
 * or commits are too fast to catch up with. */
static void catch_up(tl__sqlite *store, tl__sq_conn *conn)
{
	for (int i = 0; i < TL__SQ_LOG_TRIES; i++)
		if (!copy(store, conn, SQLITE_CHECKPOINT_PASSIVE))
			return;
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

/* At the first need: most stores never have one. Signals are for the program's own threads. */
static bool start(tl__sqlite *store)
{
	tl__sq_log *log = &store->log;
	sigset_t all, before;

	if (log->started)
		return true;
	if (!log->conn && tl__sq_conn_open(&log->conn, store, TL__SQ_WATCH_CACHE_KIB) != TL_OK)
		return false;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	log->started = pthread_create(&log->thread, NULL, run, store) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
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

	if (pages < log->tried)
		log->tried = 0; /* it has started anew */
	if (pages < log->tried + TL__SQ_LOG_STEP_PAGES)
		return;
	log->tried = pages;
	if (pages < TL__SQ_LOG_LIMIT_PAGES)
		ask_for_copy(store);
	else
		start_anew(store);
}

void tl__sq_log_trim_behind_reader(tl__sqlite *store, tl__sq_conn *conn)
{
	if (atomic_load(&store->log.pages) >= TL__SQ_LOG_LIMIT_PAGES)
		copy(store, conn, SQLITE_CHECKPOINT_PASSIVE);
}
