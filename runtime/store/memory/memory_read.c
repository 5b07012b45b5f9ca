/* Reads of a snapshot in memory. An unknown database or store is an empty one. */
#include <string.h>
#include "base/fail.h"
#include "base/map.h"
#include "base/str.h"
#include "store/memory/memory.h"

/* Number of a store's scope; false when there is none. */
static bool scope_of(tl__snapshot *s, const tl_id *db, tl_str name, uint32_t *scope)
{
	tl__m_db found;

	tl__m_key_start(s);
	return tl__m_find_db(tl__m_view_of(s), db, &found) &&
	       tl__m_find_scope(tl__m_view_of(s), tl__m_key_of(s), found.number, name, scope);
}

/* --- databases -------------------------------------------------------------------------------- */

static bool is_held(const tl__m_db *db)
{
	return db->row.arrivals > 0 || db->asides > 0;
}

static int databases(tl__snapshot *s, tl__db_visit visit, void *ud)
{
	tl__rows_walk walk;
	int rc = TL_OK;

	tl__rows_seek(&walk, tl__m_view_of(s)->roots[TL__T_DATABASE], TL__STR(""), TL__STR(""));
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));) {
		tl__m_db db;

		tl__m_split(row, &db, sizeof db);
		if (is_held(&db))
			rc = visit(ud, &db.row);
	}
	return rc;
}

static int database(tl__snapshot *s, const tl_id *db, tl__db_row *out)
{
	tl__m_db found;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found) || !is_held(&found))
		return tl__fail(TL_E_DATABASE_NOT_FOUND, "this database is not in the store");
	*out = found.row;
	return TL_OK;
}

/* --- entries ---------------------------------------------------------------------------------- */

static int show_entry(const tl__row *row, uint64_t arrival, const uint64_t *height, unsigned with,
	tl__entry_visit visit, void *ud)
{
	tl__m_entry entry;
	tl_str rest = tl__m_split(row, &entry, sizeof entry);
	size_t parents_len = entry.parent_count * sizeof(tl_id);
	tl__entry_row out = {.id = entry.id,
		.arrival = arrival,
		.height = height ? *height : entry.height,
		.verdict = entry.verdict,
		.frontier = entry.frontier,
		.cited = with & TL__WITH_CITED ? entry.cited : 0,
		.size = entry.size,
		.bytes = TL__STR("")};

	if (with & TL__WITH_BYTES)
		out.bytes = (tl_str){rest.ptr + parents_len, entry.size};
	if (with & TL__WITH_PARENTS) {
		out.parents = (const tl_id *)rest.ptr;
		out.parent_count = entry.parent_count;
	}
	if (with & TL__WITH_CHAIN)
		memcpy(out.chain, entry.chain, sizeof out.chain);
	return visit(ud, &out);
}

/* Whether ids[at] comes for the first time. */
static bool is_first(tl__map *seen, const tl_id *ids, size_t at, int *rc)
{
	tl_str key = tl__map_key_id(&ids[at]);

	if (tl__map_has(seen, key))
		return false;
	*rc = tl__map_set(seen, key, NULL);
	return *rc == TL_OK;
}

static int entries(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count, unsigned with,
	tl__entry_visit visit, void *ud)
{
	tl__m_db found;
	tl__map seen;
	int rc = TL_OK;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__m_key_start(s);
	tl__map_init(&seen);
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		const tl__row *row;
		uint64_t arrival;

		if (count > 1 && !is_first(&seen, ids, i, &rc))
			continue;
		row = tl__m_entry_row(
			tl__m_view_of(s), tl__m_key_of(s), found.number, &ids[i], &arrival);
		if (row)
			rc = show_entry(row, arrival, NULL, with, visit, ud);
		else
			rc = tl__buf_status(tl__m_key_of(s));
	}
	tl__map_free(&seen);
	return rc;
}

static int arrivals(tl__snapshot *s, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
	unsigned with, tl__entry_visit visit, void *ud)
{
	tl__m_db found;
	tl__rows_walk walk;
	int rc;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__k_long(tl__k_number(tl__m_key_start(s), found.number), from);
	rc = tl__m_seek(s, TL__T_ENTRY, 4, &walk);
	for (; rc == TL_OK && limit > 0; limit--) {
		const tl__row *row = tl__rows_next(&walk);
		uint64_t arrival = row ? tl__k_read_long(tl__row_key(row), 4) : 0;

		if (!row || arrival > to)
			break;
		rc = show_entry(row, arrival, NULL, with, visit, ud);
	}
	return rc;
}

static int joint(tl__snapshot *s, const tl_id *db, uint64_t upto, uint64_t *out)
{
	tl__m_db found;
	tl__rows_walk walk;
	const tl__row *row = NULL;
	int rc;

	*out = 0;
	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__k_long(tl__k_number(tl__m_key_start(s), found.number), UINT64_MAX - upto);
	rc = tl__m_seek(s, TL__T_JOINT, 4, &walk);
	if (rc == TL_OK)
		row = tl__rows_next(&walk);
	if (row)
		*out = UINT64_MAX - tl__k_read_long(tl__row_key(row), 4);
	return rc;
}

static const tl__row *entry_at(tl__snapshot *s, uint32_t db, uint64_t arrival)
{
	tl__k_long(tl__k_number(tl__m_key_start(s), db), arrival);
	return tl__m_get(s, TL__T_ENTRY);
}

static int by_height(tl__snapshot *s, const tl_id *db, tl_str store, const tl__stamp *after,
	size_t limit, unsigned with, tl__entry_visit visit, void *ud)
{
	tl__m_db found;
	tl__rows_walk walk;
	char prefix[4];
	uint32_t scope;
	int rc;

	tl__m_key_start(s);
	if (!tl__m_find_db(tl__m_view_of(s), db, &found) ||
		!tl__m_find_scope(tl__m_view_of(s), tl__m_key_of(s), found.number, store, &scope))
		return tl__buf_status(tl__m_key_of(s));
	tl__k_number(tl__m_key_start(s), scope);
	if (after) /* the byte makes it greater than the row itself */
		tl__buf_byte(tl__k_id(tl__k_long(tl__m_key_of(s), after->height), &after->id), 0);
	rc = tl__m_seek(s, TL__T_ORDER, 4, &walk);
	if (rc != TL_OK)
		return rc;
	memcpy(prefix, tl__m_key_of(s)->ptr, sizeof prefix);
	walk.prefix = (tl_str){prefix, sizeof prefix};
	for (; rc == TL_OK && limit > 0; limit--) {
		const tl__row *row = tl__rows_next(&walk), *entry;
		uint64_t height, arrival;

		if (!row)
			break;
		height = tl__k_read_long(tl__row_key(row), 4);
		tl__m_split(row, &arrival, sizeof arrival);
		entry = entry_at(s, found.number, arrival);
		rc = entry ? show_entry(entry, arrival, &height, with, visit, ud)
			   : tl__buf_status(tl__m_key_of(s));
	}
	return rc;
}

static int children(
	tl__snapshot *s, const tl_id *db, const tl_id *id, tl__entry_visit visit, void *ud)
{
	char prefix[4 + TL_ID_BYTES];
	tl__m_db found;
	tl__rows_walk walk;
	int rc;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__k_id(tl__k_number(tl__m_key_start(s), found.number), id);
	rc = tl__m_seek(s, TL__T_CHILD, sizeof prefix, &walk);
	if (rc != TL_OK)
		return rc;
	memcpy(prefix, tl__m_key_of(s)->ptr, sizeof prefix);
	walk.prefix = (tl_str){prefix, sizeof prefix};
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));) {
		uint64_t arrival = tl__k_read_long(tl__row_key(row), sizeof prefix);
		const tl__row *entry = entry_at(s, found.number, arrival);

		rc = entry ? show_entry(entry, arrival, NULL, 0, visit, ud)
			   : tl__buf_status(tl__m_key_of(s));
	}
	return rc;
}

/* --- stores ----------------------------------------------------------------------------------- */

static int members(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *ids, size_t count,
	tl__member_visit visit, void *ud)
{
	uint32_t scope;
	int rc = TL_OK;

	if (!scope_of(s, db, store, &scope))
		return tl__buf_status(tl__m_key_of(s));
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		tl__member_row out = {.id = ids[i]};
		const tl__row *row;
		tl__m_member member;

		tl__k_id(tl__k_number(tl__m_key_start(s), scope), &ids[i]);
		row = tl__m_get(s, TL__T_MEMBER);
		if (!row) {
			rc = tl__buf_status(tl__m_key_of(s));
			continue;
		}
		out.parents = (const tl_id *)tl__m_split(row, &member, sizeof member).ptr;
		out.parent_count = member.parent_count;
		out.height = member.height;
		out.verdict = member.verdict;
		out.unreadable = member.unreadable;
		rc = visit(ud, &out);
	}
	return rc;
}

static int tips(tl__snapshot *s, const tl_id *db, tl_str store, tl__id_visit visit, void *ud)
{
	tl__rows_walk walk;
	uint32_t scope;
	int rc;

	if (!scope_of(s, db, store, &scope))
		return tl__buf_status(tl__m_key_of(s));
	tl__k_number(tl__m_key_start(s), scope);
	rc = tl__m_seek(s, TL__T_TIP, 4, &walk);
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));) {
		tl_id id;

		memcpy(id.b, row->data + 4, TL_ID_BYTES);
		rc = visit(ud, &id);
	}
	return rc;
}

static int store_names(tl__snapshot *s, const tl_id *db, tl__name_visit visit, void *ud)
{
	tl__m_db found;
	tl__rows_walk walk;
	int rc;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__k_number(tl__m_key_start(s), found.number);
	rc = tl__m_seek(s, TL__T_SCOPE, 4, &walk);
	for (const tl__row *row; rc == TL_OK && (row = tl__rows_next(&walk));)
		if (row->key_len > 4) /* the empty name is the database itself */
			rc = visit(ud, tl__store_called((tl_str){row->data + 4, row->key_len - 4}));
	return rc;
}

static int frontier(
	tl__snapshot *s, const tl_id *db, uint64_t frontier, tl__id_visit visit, void *ud)
{
	tl__m_db found;
	const tl__row *row;
	tl_str ids;
	int rc;

	if (!tl__m_find_db(tl__m_view_of(s), db, &found))
		return TL_OK;
	tl__k_long(tl__k_number(tl__m_key_start(s), found.number), frontier);
	row = tl__m_get(s, TL__T_FRONTIER_IDS);
	rc = tl__buf_status(tl__m_key_of(s));
	if (!row || rc != TL_OK)
		return rc;
	ids = tl__row_value(row);
	for (size_t at = 0; rc == TL_OK && at + TL_ID_BYTES <= ids.len; at += TL_ID_BYTES) {
		tl_id id;

		memcpy(id.b, ids.ptr + at, TL_ID_BYTES);
		rc = visit(ud, &id);
	}
	return rc;
}

/* --- state ------------------------------------------------------------------------------------ */

static int show_state(const tl__row *row, size_t *shown, tl__state_visit visit, void *ud)
{
	tl__m_stamps state;
	tl_str value = tl__m_split(row, &state, sizeof state);
	int rc = TL_OK;

	for (int kind = TL__STAMP_DOC; rc == TL_OK && kind <= TL__STAMP_LEAF; kind++) {
		tl__state_row out = {.path = {row->data + 4, row->key_len - 4},
			.kind = (tl__stamp_kind)kind,
			.stamp = state.stamps[kind],
			.value = kind == TL__STAMP_LEAF ? value : TL__STR("")};

		if (!state.has[kind])
			continue;
		(*shown)++;
		rc = visit(ud, &out);
	}
	return rc;
}

static int state(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *paths, size_t count,
	tl__state_visit visit, void *ud)
{
	uint32_t scope;
	size_t shown = 0;
	int rc = TL_OK;

	if (!scope_of(s, db, store, &scope))
		return tl__buf_status(tl__m_key_of(s));
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		const tl__row *row;

		tl__k_str(tl__k_number(tl__m_key_start(s), scope), paths[i]);
		row = tl__m_get(s, TL__T_STATE);
		rc = tl__buf_status(tl__m_key_of(s));
		if (row && rc == TL_OK)
			rc = show_state(row, &shown, visit, ud);
	}
	return rc;
}

static int state_range(tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix, tl_str after,
	size_t limit, tl__state_visit visit, void *ud)
{
	tl__rows_walk walk;
	uint32_t scope;
	size_t shown = 0;
	int rc;

	if (!scope_of(s, db, store, &scope))
		return tl__buf_status(tl__m_key_of(s));
	tl__k_str(tl__k_number(tl__m_key_start(s), scope), prefix);
	if (after.len > 0 && tl__str_compare(after, prefix) >= 0) {
		tl__k_str(tl__k_number(tl__m_key_start(s), scope), after);
		tl__buf_byte(tl__m_key_of(s), 0);
	}
	/* `from` is at or beyond the prefix; when it does not begin with it, nothing follows */
	if (tl__m_key_of(s)->len < 4 + prefix.len ||
		(prefix.len && memcmp(tl__m_key_of(s)->ptr + 4, prefix.ptr, prefix.len) != 0))
		return tl__buf_status(tl__m_key_of(s));
	rc = tl__m_seek(s, TL__T_STATE, 4 + prefix.len, &walk);
	for (const tl__row *row; rc == TL_OK && shown < limit && (row = tl__rows_next(&walk));)
		rc = show_state(row, &shown, visit, ud);
	return rc;
}

const tl__entry_reads tl__m_entry_reads = {.databases = databases,
	.database = database,
	.entries = entries,
	.arrivals = arrivals,
	.by_height = by_height,
	.joint = joint,
	.children = children};

const tl__scope_reads tl__m_scope_reads = {.members = members,
	.tips = tips,
	.store_names = store_names,
	.frontier = frontier,
	.state = state,
	.state_range = state_range};
