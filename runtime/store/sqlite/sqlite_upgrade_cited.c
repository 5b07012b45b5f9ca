/* What entries hand on of citations, for files of older versions: as tree/history/citations.c has
 * it for entries that enter. */
#include <string.h>
#include <tidelock/entry.h>
#include "model/ids.h"
#include "store/sqlite/sqlite.h"

/* A walk over all entries, parents first. */
typedef struct walk {
	tl__sqlite *store;
	tl__sq_conn *conn;
	int64_t db;    /* of the entry at hand */
	bool any;      /* something is handed on in this database */
	tl__buf names; /* numbers of what those hand on that the entry names, each once */
	tl__buf own;   /* tl__citation */
	tl__buf all;   /* tl__citation */
} walk;

/* --- its own ---------------------------------------------------------------------------------- */

static int add_tip(walk *w, tl_str text)
{
	tl__citation own;
	tl__sq_query q;
	bool row;
	int rc = tl_id_parse(&own.tip, text);

	if (rc != TL_OK)
		return rc == TL_E_NOMEM ? rc : TL_OK;
	tl__sq_start(&q, w->conn, TL__SQL_HOLDER);
	tl__sq_id(&q, &own.tip);
	rc = tl__sq_step(&q, &row);
	if (rc == TL_OK && row && tl__sq_col_id(&q, 0, &own.db))
		tl__buf_append(&w->own, &own, sizeof own);
	tl__sq_end(&q);
	return rc;
}

/* Of a good entry. All that it cites is held. One that cannot be read cites nothing here: the store
 * is to be opened for `verify`, which tells of it. */
static int find_own(walk *w, tl_str bytes)
{
	tl_entry *entry = NULL;
	int rc;

	if (!memmem(bytes.ptr, bytes.len, "\"tips\":[", 8))
		return TL_OK;
	rc = tl_entry_parse(&entry, bytes, TL_ENTRY_CANONICAL);
	if (rc != TL_OK)
		return rc == TL_E_NOMEM ? rc : TL_OK;
	for (size_t i = 0; rc == TL_OK && i < tl_entry_step_count(entry); i++) {
		ptrdiff_t count = tl_entry_step_tip_count(entry, i);

		for (ptrdiff_t k = 0; rc == TL_OK && k < count; k++)
			rc = add_tip(w, tl_entry_step_tip(entry, i, (size_t)k));
	}
	tl_entry_free(entry);
	return rc;
}

/* --- of those it names ------------------------------------------------------------------------ */

static int add_name(walk *w, const tl_id *id)
{
	const uint64_t *known = (const uint64_t *)(const void *)w->names.ptr;
	uint64_t interned = 0;
	int64_t n;
	int rc = tl__sq_entry_number(w->conn, w->db, id, &n);

	if (rc == TL_OK && n != 0)
		rc = tl__sq_cited(w->conn, n, &interned);
	for (size_t i = 0; i < w->names.len / sizeof *known; i++)
		if (known[i] == interned)
			return rc;
	if (rc == TL_OK && interned != 0)
		tl__buf_append(&w->names, &interned, sizeof interned);
	return rc == TL_OK ? tl__buf_status(&w->names) : rc;
}

static int add_names(walk *w, tl_str ids)
{
	int rc = TL_OK;

	for (size_t at = 0; rc == TL_OK && at + TL_ID_BYTES <= ids.len; at += TL_ID_BYTES)
		rc = add_name(w, (const tl_id *)(const void *)(ids.ptr + at));
	return rc;
}

static int find_names(walk *w, tl_str parents, tl_str stores)
{
	tl__sq_member member;
	size_t at = 0;
	int rc = add_names(w, parents);

	while (rc == TL_OK && tl__sq_unpack(stores, &at, &member))
		rc = add_names(w, (tl_str){(const char *)member.parents,
					  member.parent_count * sizeof(tl_id)});
	return rc;
}

/* --- together --------------------------------------------------------------------------------- */

static int add_interned(walk *w, uint64_t interned)
{
	tl__sq_query q;
	tl_str ids;
	bool found;
	int rc = tl__sq_interned_ids(&q, w->conn, w->db, interned, &found, &ids);

	if (rc == TL_OK)
		tl__buf_str(&w->all, ids);
	tl__sq_end(&q);
	return rc;
}

static int unite(walk *w, const tl_id *id, int64_t *interned)
{
	const uint64_t *names = (const uint64_t *)(const void *)w->names.ptr;
	int rc = TL_OK;

	tl__buf_clear(&w->all);
	for (size_t i = 0; rc == TL_OK && i < w->names.len / sizeof *names; i++)
		rc = add_interned(w, names[i]);
	if (rc == TL_OK)
		rc = tl__buf_status(&w->all);
	if (rc == TL_OK)
		rc = tl__citations_hand_on(&w->all, &w->own, id, TL__CITATIONS_MAX);
	return rc == TL_OK ? tl__sq_intern(w->conn, &w->store->cited, w->db, tl__buf_view(&w->all),
				     interned)
			   : rc;
}

static int on_entry(walk *w, tl__sq_query *q)
{
	int64_t n = tl__sq_col_int(q, 0), interned = 0;
	size_t names;
	tl_id id;
	int rc = TL_OK;

	w->any = w->any && w->db == n >> 40;
	w->db = n >> 40;
	tl__buf_clear(&w->own);
	tl__buf_clear(&w->names);
	if (!tl__sq_col_id(q, 1, &id))
		return tl__sq_damaged(w->conn, 'E');
	if (tl__sq_col_int(q, 2) == TL__VERIFIED)
		rc = find_own(w, tl__sq_col_blob(q, 5));
	if (rc == TL_OK)
		rc = tl__buf_status(&w->own);
	if (rc == TL_OK && w->any)
		rc = find_names(w, tl__sq_col_blob(q, 3), tl__sq_col_blob(q, 4));
	names = w->names.len / sizeof(uint64_t);
	if (rc != TL_OK || w->own.len + names == 0)
		return rc;
	w->any = true;
	if (w->own.len == 0 && names == 1)
		memcpy(&interned, w->names.ptr, sizeof interned);
	else
		rc = unite(w, &id, &interned);
	return rc == TL_OK ? tl__sq_put_cited(w->conn, n, interned) : rc;
}

int tl__sq_upgrade_cited(tl__sqlite *store, tl__sq_conn *conn)
{
	walk w = {.store = store, .conn = conn};
	sqlite3_stmt *entries = NULL;
	tl__sq_query q;
	int rc = sqlite3_prepare_v2(conn->db,
		"SELECT n, id, verdict, parents, stores, bytes FROM entry ORDER BY n", -1, &entries,
		NULL);

	rc = rc == SQLITE_OK ? TL_OK : tl__sq_fail(conn, rc, "upgrade");
	q = (tl__sq_query){.conn = conn, .stmt = entries, .rc = SQLITE_OK};
	while (tl__sq_next(&q, &rc))
		rc = on_entry(&w, &q);
	sqlite3_finalize(entries);
	tl__buf_free(&w.names);
	tl__buf_free(&w.own);
	tl__buf_free(&w.all);
	store->cited.number = 0;
	return rc;
}
