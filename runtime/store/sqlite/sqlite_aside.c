/* Entries set aside: their rows, who waits for what, and what each sender uses. */
#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "store/sqlite/sqlite.h"

enum { COLUMNS = 10, BYTES = 11, DB_ID = 12 }; /* of TL__SQ_ASIDE */

/* --- writing ---------------------------------------------------------------------------------- */

/* Key of a usage row: a sender, or with NULL all strangers together. */
static int usage_key(tl__sq_conn *conn, tl_str sender)
{
	tl__buf_clear(&conn->key);
	tl__buf_byte(&conn->key, sender.ptr ? 's' : 'x');
	tl__buf_str(&conn->key, sender);
	return tl__buf_status(&conn->key);
}

static int add_usage(
	tl__sq_conn *conn, int64_t verdict, tl_str sender, int64_t count, int64_t bytes)
{
	tl__sq_query q;
	int rc = usage_key(conn, sender);

	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_USAGE_ADD);
	tl__sq_int(&q, verdict);
	tl__sq_blob(&q, tl__buf_view(&conn->key));
	tl__sq_int(&q, count);
	tl__sq_int(&q, bytes);
	rc = tl__sq_run(&q);
	if (rc != TL_OK || count > 0)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_USAGE_DROP);
	tl__sq_int(&q, verdict);
	tl__sq_blob(&q, tl__buf_view(&conn->key));
	return tl__sq_run(&q);
}

static int count(
	tl__sq_conn *conn, int64_t verdict, tl_str sender, bool related, int64_t step, int64_t size)
{
	int rc = add_usage(conn, verdict, sender.ptr ? sender : TL__STR(""), step, step * size);

	if (rc != TL_OK || related)
		return rc;
	return add_usage(conn, verdict, TL__STR_NULL, step, step * size);
}

/* What it waits for, and what it needs. */
static int drop_others(tl__sq_change *change, const tl_id *id)
{
	tl__sq_query q;
	int rc;

	tl__sq_start(&q, change->conn, TL__SQL_WAIT_DROP);
	tl__sq_int(&q, change->db.db);
	tl__sq_id(&q, id);
	rc = tl__sq_run(&q);
	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, change->conn, TL__SQL_NEED_DROP);
	tl__sq_int(&q, change->db.db);
	tl__sq_id(&q, id);
	return tl__sq_run(&q);
}

/* Place and verdict of the row of this id; sequence 0 when there is none. What it used is given
 * back here, while its sender is at hand. */
static int release_old(tl__sq_change *change, const tl_id *id, int64_t *sequence, int64_t *verdict)
{
	tl__sq_query q;
	bool row;
	int rc;

	*sequence = 0;
	tl__sq_start(&q, change->conn, TL__SQL_ASIDE_BY_ID);
	tl__sq_int(&q, 0);
	tl__sq_id(&q, id);
	tl__sq_int(&q, change->db.db);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK || !row)
		return rc;
	rc = tl__sq_row_check(&q, 'A', 0, COLUMNS);
	*sequence = tl__sq_col_int(&q, 0);
	*verdict = tl__sq_col_int(&q, 3);
	if (rc == TL_OK)
		rc = count(change->conn, *verdict, tl__sq_col_blob(&q, 4), tl__sq_col_int(&q, 5),
			-1, tl__sq_col_int(&q, 9));
	tl__sq_end(&q);
	return rc;
}

static int drop_old(tl__sq_change *change, const tl_id *id, int64_t *sequence, int64_t *verdict)
{
	tl__sq_query q;
	int rc = release_old(change, id, sequence, verdict);

	if (rc != TL_OK || *sequence == 0)
		return rc;
	change->db.asides--;
	tl__sq_start(&q, change->conn, TL__SQL_ASIDE_DROP);
	tl__sq_int(&q, *sequence);
	rc = tl__sq_run(&q);
	return rc == TL_OK ? drop_others(change, id) : rc;
}

int tl__sq_aside_drop(tl__sq_change *change, const tl_id *id)
{
	int64_t sequence, verdict;

	return drop_old(change, id, &sequence, &verdict);
}

static int next_sequence(tl__sq_conn *conn, int64_t *sequence)
{
	tl__sq_query q;
	bool row;
	int rc;

	tl__sq_start(&q, conn, TL__SQL_ASIDE_NEXT);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK)
		return rc;
	*sequence = row ? tl__sq_col_int(&q, 0) : 0;
	tl__sq_end(&q);
	return row ? TL_OK : tl__sq_damaged(conn, 'A');
}

static int put_row(tl__sq_change *change, const tl__put_aside *aside, int64_t sequence)
{
	tl__sq_query q;

	tl__sq_start(&q, change->conn, TL__SQL_ASIDE_PUT);
	tl__sq_int(&q, sequence);
	tl__sq_int(&q, change->db.db);
	tl__sq_id(&q, &aside->id);
	tl__sq_int(&q, aside->verdict);
	tl__sq_blob(&q, aside->sender);
	tl__sq_int(&q, aside->related);
	tl__sq_int(&q, aside->reason);
	tl__sq_int(&q, aside->rules);
	tl__sq_int(&q, aside->pinned);
	tl__sq_int(&q, (int64_t)aside->bytes.len);
	tl__sq_sum(&q, 'A');
	tl__sq_blob_free(&q, aside->bytes);
	return tl__sq_run(&q);
}

static int put_waits(tl__sq_change *change, const tl__put_aside *aside)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < aside->waits_count; i++) {
		tl__sq_query q;

		tl__sq_start(&q, change->conn, TL__SQL_WAIT_PUT);
		tl__sq_int(&q, change->db.db);
		tl__sq_id(&q, &aside->id);
		tl__sq_id(&q, &aside->waits_for[i]);
		rc = tl__sq_run(&q);
	}
	return rc;
}

static int put_needs(tl__sq_change *change, const tl__put_aside *aside)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < aside->needs_count; i++) {
		tl__sq_query q;

		tl__sq_start(&q, change->conn, TL__SQL_NEED_PUT);
		tl__sq_id(&q, &aside->needs[i]);
		tl__sq_int(&q, change->db.db);
		tl__sq_id(&q, &aside->id);
		rc = tl__sq_run(&q);
	}
	return rc;
}

int tl__sq_aside_put(tl__sq_change *change, const tl__put_aside *aside)
{
	int64_t n, sequence = 0, verdict = 0;
	int rc = tl__sq_entry_number(change->conn, change->db.db, &aside->id, &n);

	if (rc != TL_OK || n != 0)
		return rc;
	rc = drop_old(change, &aside->id, &sequence, &verdict);
	if (rc == TL_OK && (sequence == 0 || verdict != (int64_t)aside->verdict))
		rc = next_sequence(change->conn, &sequence);
	if (rc == TL_OK)
		rc = put_row(change, aside, sequence);
	if (rc == TL_OK)
		rc = count(change->conn, aside->verdict, aside->sender, aside->related, 1,
			(int64_t)aside->bytes.len);
	if (rc == TL_OK)
		rc = put_waits(change, aside);
	if (rc == TL_OK)
		rc = put_needs(change, aside);
	change->db.asides++;
	return rc;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int show(tl__sq_query *q, const tl_id *db, tl__aside_visit visit, void *ud)
{
	tl__aside_row row = {.verdict = (tl__verdict)tl__sq_col_int(q, 3),
		.related = tl__sq_col_int(q, 5) != 0,
		.reason = (int)tl__sq_col_int(q, 6),
		.rules = (uint32_t)tl__sq_col_int(q, 7),
		.pinned = tl__sq_col_int(q, 8) != 0,
		.sequence = (uint64_t)tl__sq_col_int(q, 0),
		.size = (uint32_t)tl__sq_col_int(q, 9)};
	int rc = tl__sq_row_check(q, 'A', 0, COLUMNS);

	if (rc != TL_OK)
		return rc;
	row.sender = tl__sq_col_blob(q, 4);
	row.bytes = tl__sq_col_blob(q, BYTES);
	if (!tl__sq_col_id(q, 2, &row.id) || (!db && !tl__sq_col_id(q, DB_ID, &row.db)))
		return tl__sq_damaged(q->conn, 'A');
	if (db)
		row.db = *db;
	return visit(ud, &row);
}

static int show_all(tl__sq_query *q, const tl_id *db, tl__aside_visit visit, void *ud)
{
	int rc = TL_OK;

	while (tl__sq_next(q, &rc))
		rc = show(q, db, visit, ud);
	return rc;
}

static int asides(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t id_count,
	unsigned with, tl__aside_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	int64_t number;
	int rc = tl__sq_database(conn, db, &number);

	for (size_t i = 0; rc == TL_OK && number && i < id_count; i++) {
		tl__sq_query q;

		tl__sq_start(&q, conn, TL__SQL_ASIDE_BY_ID);
		tl__sq_int(&q, with & TL__WITH_BYTES);
		tl__sq_id(&q, &ids[i]);
		tl__sq_int(&q, number);
		rc = show_all(&q, db, visit, ud);
	}
	return rc;
}

static int aside_list(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t sequence,
	size_t limit, unsigned with, tl__aside_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t number = 0, before;
	int rc = db ? tl__sq_database(conn, db, &number) : TL_OK;

	if (rc != TL_OK || (db && !number))
		return rc;
	before = tl__sq_clamp(sequence);
	tl__sq_start(&q, conn, db ? TL__SQL_ASIDES_OF : TL__SQL_ASIDES);
	tl__sq_int(&q, with & TL__WITH_BYTES);
	if (db)
		tl__sq_int(&q, number);
	tl__sq_int(&q, verdict);
	tl__sq_int(&q, tl__sq_clamp(sequence));
	tl__sq_int(&q, tl__sq_clamp(limit));
	while (tl__sq_next(&q, &rc)) {
		int64_t at = tl__sq_col_int(&q, 0);

		rc = at > before ? show(&q, db, visit, ud) : tl__sq_damaged(conn, 'A');
		before = at;
	}
	return rc;
}

static int waiters(tl__snapshot *s, const tl_id *id, tl__waiter_visit visit, void *ud)
{
	tl__sq_query q;
	int rc = TL_OK;

	tl__sq_start(&q, tl__sq_conn_of(s), TL__SQL_WAITERS);
	tl__sq_id(&q, id);
	while (tl__sq_next(&q, &rc)) {
		tl_id db, waiter;

		if (!tl__sq_col_id(&q, 0, &db) || !tl__sq_col_id(&q, 1, &waiter))
			rc = tl__sq_damaged(q.conn, 'W');
		else
			rc = visit(ud, &db, &waiter);
	}
	return rc;
}

static int waits(
	tl__snapshot *s, const tl_id *db, const tl_id *pending, tl__id_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t number;
	int rc = tl__sq_database(conn, db, &number);

	if (rc != TL_OK || !number)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_WAITS);
	tl__sq_int(&q, number);
	tl__sq_id(&q, pending);
	while (tl__sq_next(&q, &rc)) {
		tl_id awaited;

		rc = tl__sq_col_id(&q, 0, &awaited) ? visit(ud, &awaited)
						    : tl__sq_damaged(conn, 'W');
	}
	return rc;
}

static int needed(tl__snapshot *s, const tl_id *id, bool *needed)
{
	tl__sq_query q;
	int rc;

	tl__sq_start(&q, tl__sq_conn_of(s), TL__SQL_NEEDED);
	tl__sq_id(&q, id);
	rc = tl__sq_step(&q, needed);
	tl__sq_end(&q);
	return rc;
}

static int aside_usage(
	tl__snapshot *s, tl__verdict verdict, tl_str sender, uint64_t *number, uint64_t *bytes)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	bool row;
	int rc = usage_key(conn, sender);

	*number = *bytes = 0;
	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_USAGE);
	tl__sq_int(&q, verdict);
	tl__sq_blob(&q, tl__buf_view(&conn->key));
	rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row) {
		*number = (uint64_t)tl__sq_col_int(&q, 0);
		*bytes = (uint64_t)tl__sq_col_int(&q, 1);
	}
	tl__sq_end(&q);
	return rc;
}

const tl__aside_reads tl__sq_aside_reads = {.asides = asides,
	.aside_list = aside_list,
	.waiters = waiters,
	.waits = waits,
	.needed = needed,
	.aside_usage = aside_usage};
