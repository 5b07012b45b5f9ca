/* Reads within a store of a database: members, tips, names, frontiers, state. */
#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "store/sqlite/sqlite.h"

/* Shows what the entry under the query carries of a scope, if it does. */
static int show_member(
	tl__sq_query *q, int64_t scope, const tl_id *id, tl__member_visit visit, void *ud)
{
	tl_str packed = tl__sq_col_blob(q, TL__E_STORES);
	tl__sq_member member;
	size_t at = 0;
	int rc = tl__sq_row_check(q, 'E', 0, TL__E_SUM);

	if (rc != TL_OK)
		return rc;
	while (tl__sq_unpack(packed, &at, &member)) {
		tl__member_row row = {.id = *id,
			.height = member.height,
			.verdict = (tl__verdict)tl__sq_col_int(q, TL__E_VERDICT),
			.unreadable = member.unreadable,
			.parents = member.parents,
			.parent_count = member.parent_count};

		if (member.scope == scope)
			return visit(ud, &row);
	}
	return TL_OK;
}

static int members(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *ids, size_t count,
	tl__member_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	int64_t number, scope = 0;
	int rc = tl__sq_database(conn, db, &number);

	if (rc == TL_OK && number)
		rc = tl__sq_scope(conn, number, store, false, &scope);
	for (size_t i = 0; rc == TL_OK && scope && i < count; i++) {
		tl__sq_query q;
		bool row;

		tl__sq_start(&q, conn, TL__SQL_ENTRY_BY_ID);
		tl__sq_int(&q, 0);
		tl__sq_id(&q, &ids[i]);
		tl__sq_int(&q, number);
		rc = tl__sq_step(&q, &row);
		if (rc == TL_OK && row)
			rc = show_member(&q, scope, &ids[i], visit, ud);
		tl__sq_end(&q);
	}
	return rc;
}

static int tips(tl__snapshot *s, const tl_id *db, tl_str store, tl__id_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t scope;
	int rc = tl__sq_scope_of(conn, db, store, &scope);

	if (rc == TL_OK)
		rc = tl__sq_order_begin(conn, TL__STR(""));
	if (rc != TL_OK || !scope)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_TIPS);
	tl__sq_int(&q, scope);
	while (tl__sq_next(&q, &rc)) {
		tl_id id;

		rc = tl__sq_row_check(&q, 'T', 0, 2);
		if (rc == TL_OK)
			rc = tl__sq_order(conn, 'T', tl__sq_col_blob(&q, 1), false);
		if (rc == TL_OK)
			rc = tl__sq_col_id(&q, 1, &id) ? visit(ud, &id) : tl__sq_damaged(conn, 'T');
	}
	return rc;
}

static int store_names(tl__snapshot *s, const tl_id *db, tl__name_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t number;
	int rc = tl__sq_database(conn, db, &number);

	if (rc == TL_OK)
		rc = tl__sq_order_begin(conn, TL__STR(""));
	if (rc != TL_OK || !number)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_SCOPES);
	tl__sq_int(&q, number);
	while (tl__sq_next(&q, &rc)) {
		tl_str name;

		rc = tl__sq_row_check(&q, 'S', 0, 3);
		name = tl__sq_col_blob(&q, 2);
		if (rc == TL_OK && name.len > 0) /* the empty name is the database itself */
			rc = tl__sq_order(conn, 'S', name, false);
		if (rc == TL_OK && name.len > 0)
			rc = visit(ud, tl__store_called(name));
	}
	return rc;
}

static int frontier(
	tl__snapshot *s, const tl_id *db, uint64_t frontier, tl__id_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	tl__sq_query q;
	int64_t number;
	tl_str ids;
	bool found;
	int rc = tl__sq_database(conn, db, &number);

	if (rc != TL_OK || !number)
		return rc;
	rc = tl__sq_interned_ids(&q, conn, number, frontier, &found, &ids);
	for (size_t at = 0; rc == TL_OK && at + TL_ID_BYTES <= ids.len; at += TL_ID_BYTES) {
		tl_id id;

		memcpy(id.b, ids.ptr + at, TL_ID_BYTES);
		rc = visit(ud, &id);
	}
	tl__sq_end(&q);
	return rc;
}

/* --- state ------------------------------------------------------------------------------------ */

static int show_state(tl__sq_query *q, tl_str path, tl__state_visit visit, void *ud)
{
	tl__state_row row = {.path = path,
		.kind = (tl__stamp_kind)tl__sq_col_int(q, 2),
		.stamp.height = (uint64_t)tl__sq_col_int(q, 3),
		.value = tl__sq_col_blob(q, 5)};
	int rc = tl__sq_row_check(q, 'V', 0, 6);

	if (rc == TL_OK && !tl__sq_col_id(q, 4, &row.stamp.id))
		rc = tl__sq_damaged(q->conn, 'V');
	return rc == TL_OK ? visit(ud, &row) : rc;
}

static int state(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *paths, size_t count,
	tl__state_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	int64_t scope;
	int rc = tl__sq_scope_of(conn, db, store, &scope);

	for (size_t i = 0; rc == TL_OK && scope && i < count; i++) {
		tl__sq_query q;

		tl__sq_start(&q, conn, TL__SQL_STATE_AT);
		tl__sq_int(&q, scope);
		tl__sq_blob(&q, paths[i]);
		while (tl__sq_next(&q, &rc))
			rc = show_state(&q, tl__sq_col_blob(&q, 1), visit, ud);
	}
	return rc;
}

/* Shows rows from where the query starts while their path has the prefix. Once the limit is reached
 * `last` holds the last path, whose rows stay together. */
static int show_range(tl__sq_query *q, tl_str prefix, size_t limit, tl__buf *last,
	tl__state_visit visit, void *ud)
{
	size_t shown = 0;
	int64_t kind = -1; /* of the row before */
	int rc = TL_OK;

	while (limit > 0 && tl__sq_next(q, &rc)) {
		tl_str path = tl__sq_col_blob(q, 1);

		if (!tl__str_starts(path, prefix) ||
			(shown >= limit && !tl__str_eq(path, tl__buf_view(last))))
			break;
		rc = tl__sq_order(q->conn, 'V', path, tl__sq_col_int(q, 2) > kind);
		kind = tl__sq_col_int(q, 2);
		if (rc == TL_OK && ++shown == limit) {
			tl__buf_str(last, path);
			rc = tl__buf_status(last);
		}
		if (rc == TL_OK)
			rc = show_state(q, path, visit, ud);
	}
	tl__sq_end(q);
	return rc;
}

static int state_range(tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix, tl_str after,
	size_t limit, tl__state_visit visit, void *ud)
{
	tl__sq_conn *conn = tl__sq_conn_of(s);
	bool from_after = after.len > 0 && tl__str_compare(after, prefix) >= 0;
	tl__buf last = TL__BUF_INIT;
	tl__sq_query q;
	int64_t scope;
	int rc = tl__sq_scope_of(conn, db, store, &scope);

	if (rc != TL_OK || !scope)
		return rc;
	tl__buf_clear(&conn->key);
	tl__buf_str(&conn->key, from_after ? after : prefix);
	if (from_after)
		tl__buf_byte(&conn->key, 0); /* the next path there can be */
	rc = tl__buf_status(&conn->key);
	if (rc == TL_OK)
		rc = tl__sq_order_begin(conn, tl__buf_view(&conn->key));
	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, conn, TL__SQL_STATE_FROM);
	tl__sq_int(&q, scope);
	tl__sq_blob(&q, tl__buf_view(&conn->key));
	rc = show_range(&q, prefix, limit, &last, visit, ud);
	tl__buf_free(&last);
	return rc;
}

const tl__scope_reads tl__sq_scope_reads = {.members = members,
	.tips = tips,
	.store_names = store_names,
	.frontier = frontier,
	.state = state,
	.state_range = state_range};
