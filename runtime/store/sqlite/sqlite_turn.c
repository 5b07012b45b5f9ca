/* A turn is one transaction of SQLite. The first batch in it needs no savepoint: while nothing else
 * is in the transaction, undoing the batch is undoing the transaction. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "store/sqlite/sqlite.h"

static int run(tl__sqlite *store, tl__sql which)
{
	tl__sq_query q;

	tl__sq_start(&q, store->writer, which);
	return tl__sq_run(&q);
}

/* What is remembered may have been undone, or another process may have written. */
static void forget(tl__sqlite *store)
{
	tl__sq_forget_numbers(store->writer);
	memset(store->recent, 0, TL__SQ_RECENT * sizeof *store->recent);
	store->known.db = 0;
	store->frontier.number = store->cited.number = 0;
}

/* Number of changes to the file, as of the transaction that has begun or ended; our own count. */
static uint32_t version_of(const tl__sqlite *store)
{
	uint32_t version = 0;

	sqlite3_file_control(store->writer->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
	return version;
}

static bool in_transaction(const tl__sqlite *store)
{
	return sqlite3_get_autocommit(store->writer->db) == 0;
}

int tl__sq_begin(tl__store *base)
{
	tl__sqlite *store = (tl__sqlite *)base;
	int rc = tl__sq_still_there(store); /* what nobody finds again is not acknowledged */

	if (rc == TL_OK)
		rc = run(store, TL__SQL_BEGIN);
	store->applied = 0;
	store->broken = TL_OK;
	if (rc != TL_OK)
		return rc;
	if (version_of(store) != store->seen_version)
		forget(store);
	store->seen_version = version_of(store);
	return TL_OK;
}

/* Nothing more can be done in this turn; what failed is kept for every batch of it. */
static void break_turn(tl__sqlite *store, int code)
{
	if (in_transaction(store))
		sqlite3_exec(store->writer->db, "ROLLBACK", NULL, NULL, NULL);
	tl__error_drop(store->broken_error);
	store->broken_error = tl__error_keep();
	store->broken = code;
}

static int raise_broken(const tl__sqlite *store)
{
	return tl__error_raise(store->broken_error, store->broken);
}

static int take_back(tl__sqlite *store, bool first)
{
	int rc = TL_OK;

	if (!in_transaction(store)) { /* SQLite has undone more than the batch */
		if (first)
			rc = run(store, TL__SQL_BEGIN);
	} else if (first) {
		rc = run(store, TL__SQL_ROLLBACK);
		if (rc == TL_OK)
			rc = run(store, TL__SQL_BEGIN);
	} else {
		rc = run(store, TL__SQL_MARK_UNDO);
		if (rc == TL_OK)
			rc = run(store, TL__SQL_MARK_KEEP);
	}
	return rc;
}

/* Undoes the batch that just failed and leaves the turn ready for the next; its error stays. */
static void undo_batch(tl__sqlite *store, int code)
{
	tl__errors errors;
	int rc;

	forget(store);
	tl__errors_begin(&errors);
	rc = take_back(store, store->applied == 0);
	if (rc != TL_OK)
		break_turn(store, rc);
	(void)tl__errors_end(&errors, TL_OK);
	if (rc == TL_OK && !in_transaction(store))
		break_turn(store, code);
}

int tl__sq_apply(tl__store *base, tl__batch *batch)
{
	tl__sqlite *store = (tl__sqlite *)base;
	bool first = store->applied == 0;
	int rc;

	if (store->broken != TL_OK)
		return raise_broken(store);
	rc = first ? TL_OK : run(store, TL__SQL_MARK);
	if (rc == TL_OK)
		rc = tl__sq_write_batch(store, batch);
	if (rc == TL_OK && !first)
		rc = run(store, TL__SQL_MARK_KEEP);
	if (rc == TL_OK)
		store->applied++;
	else
		undo_batch(store, rc);
	return rc;
}

int tl__sq_commit(tl__store *base)
{
	tl__sqlite *store = (tl__sqlite *)base;
	int rc;

	if (store->broken != TL_OK)
		return raise_broken(store);
	rc = run(store, TL__SQL_COMMIT);
	if (rc != TL_OK) {
		forget(store);
		break_turn(store, rc);
		return raise_broken(store);
	}
	store->seen_version = version_of(store);
	tl__sq_log_trim(store);
	return TL_OK;
}
