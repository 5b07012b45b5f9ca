/* Joints: noted with a batch, and found. */
#include "base/str.h"
#include "store/sqlite/sqlite.h"

int tl__sq_last_joint(tl__sq_conn *conn, int64_t db, uint64_t upto, uint64_t *out)
{
	tl__sq_query q;
	bool row;
	int rc;

	*out = 0;
	tl__sq_start(&q, conn, TL__SQL_JOINT);
	tl__sq_int(&q, tl__sq_n(db, 0));
	tl__sq_int(&q, tl__sq_n(db, upto > TL__SQ_MAX_ARRIVAL ? TL__SQ_MAX_ARRIVAL : upto));
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK || !row)
		return rc;
	rc = tl__sq_row_check(&q, 'J', 0, 1);
	if (rc == TL_OK)
		*out = tl__sq_arrival(tl__sq_col_int(&q, 0));
	tl__sq_end(&q);
	return rc;
}

int tl__sq_put_joint(tl__sq_conn *conn, int64_t db, uint64_t arrival)
{
	tl__sq_query q;

	tl__sq_start(&q, conn, TL__SQL_JOINT_PUT);
	tl__sq_int(&q, tl__sq_n(db, arrival));
	tl__sq_sum(&q, 'J');
	return tl__sq_run(&q);
}

/* Whether the database has one tip. */
static int is_joined(tl__sq_change *change, bool *joined)
{
	tl__sq_query q;
	int64_t scope;
	bool one = false, more = false;
	int rc = tl__sq_scope(change->conn, change->db.db, TL__STR(""), true, &scope);

	*joined = false;
	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, change->conn, TL__SQL_TIPS);
	tl__sq_int(&q, scope);
	rc = tl__sq_step(&q, &one);
	if (rc == TL_OK && one)
		rc = tl__sq_step(&q, &more);
	tl__sq_end(&q);
	*joined = rc == TL_OK && one && !more;
	return rc;
}

int tl__sq_note_joint(tl__sq_change *change)
{
	tl__sq_known *db = &change->db;
	bool joined = false;
	int rc = TL_OK;

	if (!db->has_joint)
		rc = tl__sq_last_joint(change->conn, db->db, TL__SQ_MAX_ARRIVAL, &db->joint);
	db->has_joint = rc == TL_OK;
	if (rc == TL_OK && db->row.arrivals >= db->joint + TL__STORE_JOINT_EVERY)
		rc = is_joined(change, &joined);
	if (rc != TL_OK || !joined)
		return rc;
	db->joint = db->row.arrivals;
	return tl__sq_put_joint(change->conn, db->db, db->joint);
}
