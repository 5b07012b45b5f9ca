/* Ingest: pages of received lines, and what follows from them in other databases. */
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/trust/quarantine.h"
#include "tree/history/dag.h"
#include "tree/ingest/ingest_run.h"

/* What is to be looked at when a turn is over: pending entries whose wait may have ended. */
typedef struct followup {
	tl__arena arena;
	tl__foreign_list list;
} followup;

/* --- may the page come in? ----------------------------------------------------------------------
 */

static int on_aside_root(void *ud, const tl__aside_row *row)
{
	(void)row;
	*(bool *)ud = true;
	return TL_OK;
}

/* System databases of others are never taken. */
static bool brings_root(const tl__ingest_page *page, const tl__line *lines)
{
	for (size_t i = 0; i < page->count; i++)
		if (lines[i].entry && lines[i].declined == TL_OK &&
			tl_entry_is_root(lines[i].entry) && !tl__root_is_system(lines[i].entry))
			return true;
	return false;
}

/* A database is known when its root is; a new one comes with its root, if the caller wants it. */
static int check_database(const tl__run *run, tl__line *lines)
{
	const tl__ingest_page *page = run->page;
	bool known = run->before > 0; /* the root arrives first */
	int code = TL_OK;

	if (!known && page->accept_unknown)
		code = tl__read_asides(
			run->snapshot, &run->db, &run->db, 1, 0, on_aside_root, &known);
	if (code != TL_OK || known || (page->accept_unknown && brings_root(page, lines)))
		return code;
	for (size_t i = 0; i < page->count; i++)
		if (lines[i].declined == TL_OK)
			lines[i].declined = TL_E_UNKNOWN_DATABASE;
	return TL_OK;
}

static int read_before(tl__run *run)
{
	tl__db_row row = {0};
	int code = tl__read_database(run->snapshot, &run->db, &row);

	run->before = row.arrivals;
	return code == TL_E_DATABASE_NOT_FOUND ? TL_OK : code;
}

/* --- after the turn -----------------------------------------------------------------------------
 */

typedef struct waiter_search {
	followup *after;
	const tl_id *db; /* of the turn: its own waiters were seen to */
} waiter_search;

static int on_waiter(void *ud, const tl_id *db, const tl_id *waiter)
{
	const waiter_search *w = ud;

	if (memcmp(db, w->db, sizeof *db) == 0)
		return TL_OK;
	return tl__foreign_add(&w->after->arena, &w->after->list, db, waiter);
}

static int on_found(void *ud, const tl__entry_row *row)
{
	(void)row;
	*(bool *)ud = true;
	return TL__STORE_STOP;
}

static int on_judged(void *ud, const tl__aside_row *row)
{
	if (row->verdict == TL__INVALID)
		*(bool *)ud = true;
	return TL_OK;
}

/* What it cites may have come in while the turn looked elsewhere. */
static int look_again(const tl__run *run, tl__snapshot *s, const tl__item *item, followup *after)
{
	bool found = false;
	int code;

	if (item->state != TL__ITEM_PENDING || item->wait_count == 0 ||
		memcmp(&item->waits_db, &run->db, sizeof run->db) == 0)
		return TL_OK;
	code = tl__read_entries(
		s, &item->waits_db, item->waits, item->wait_count, 0, on_found, &found);
	if (code == TL_OK && !found)
		code = tl__read_asides(
			s, &item->waits_db, item->waits, item->wait_count, 0, on_judged, &found);
	return code == TL_OK && found ? tl__foreign_add(&after->arena, &after->list, &run->db,
						tl_entry_id(item->entry))
				      : code;
}

static int on_any(void *ud, const tl__aside_row *row)
{
	(void)row;
	*(bool *)ud = true;
	return TL__STORE_STOP;
}

static int is_any_pending(tl__snapshot *s, tl__tree *tree, uint64_t pendings, bool *any)
{
	int code = tl__read_aside_list(s, NULL, TL__PENDING, 0, 1, 0, on_any, any);

	if (code == TL_OK && !*any)
		atomic_store(&tree->none_pending, pendings);
	return code;
}

/* Pending entries of other databases that cite what this turn judged. One that is set aside after
 * this look finds what it cites by itself (look_again): it is counted before that. */
static int find_followups(tl__run *run, followup *after)
{
	waiter_search w = {after, &run->db};
	uint64_t pendings = atomic_load(&run->tree->pendings);
	tl__snapshot *s;
	bool any = false;
	int code;

	if (tl__none_pending(run->tree))
		return TL_OK;
	code = tl__snapshot_open(run->tree->store, &s);
	if (code == TL_OK)
		code = is_any_pending(s, run->tree, pendings, &any);
	for (size_t i = 0; any && i < run->order_count && code == TL_OK; i++) {
		const tl__item *item = run->order[i];

		if (item->enters || (item->state == TL__ITEM_BAD && !item->fixed))
			code = tl__read_waiters(s, tl_entry_id(item->entry), on_waiter, &w);
		else
			code = look_again(run, s, item, after);
	}
	tl__snapshot_close(s);
	return code;
}

/* --- rows of other databases --------------------------------------------------------------------
 */

typedef struct pinner {
	tl__arena arena;
	tl__put_aside row;
	bool found;
} pinner;

static int on_row_to_pin(void *ud, const tl__aside_row *row)
{
	pinner *p = ud;

	if (row->verdict != TL__INVALID || row->pinned)
		return TL_OK;
	p->row = (tl__put_aside){.id = row->id,
		.bytes = tl__arena_str(&p->arena, row->bytes),
		.verdict = row->verdict,
		.sender = tl__arena_str(&p->arena, row->sender),
		.related = row->related,
		.reason = row->reason,
		.rules = row->rules,
		.pinned = true};
	p->found = p->row.bytes.ptr && p->row.sender.ptr;
	return p->found ? TL_OK : TL_E_NOMEM;
}

static int write_asides(tl__tree *tree, tl__batch *batch)
{
	int code = tl__store_write(tree->store, batch);

	if (code == TL_OK)
		tl__quarantine_wrote(tree, batch);
	return code;
}

static int pin(tl__tree *tree, const tl__foreign *what)
{
	pinner p = {.arena = TL__ARENA_INIT};
	tl__batch batch = {.db = what->db, .asides = &p.row, .aside_count = 1};
	tl__snapshot *s;
	int code;

	tl__tree_lock(tree, &what->db, TL__WRITES_INGEST);
	code = tl__snapshot_open(tree->store, &s);
	if (code == TL_OK)
		code = tl__read_asides(
			s, &what->db, &what->id, 1, TL__WITH_BYTES, on_row_to_pin, &p);
	tl__snapshot_close(s);
	if (code == TL_OK && p.found)
		code = write_asides(tree, &batch);
	tl__tree_unlock(tree, &what->db);
	tl__arena_free(&p.arena);
	return code;
}

static int by_database(const void *a, const void *b)
{
	return memcmp(&((const tl__foreign *)a)->db, &((const tl__foreign *)b)->db, sizeof(tl_id));
}

/* One write for each database. */
static int drop_all(tl__tree *tree, tl__foreign_list *list)
{
	tl__buf ids = TL__BUF_INIT;
	int code = TL_OK;

	if (list->count > 1)
		qsort(list->at, list->count, sizeof *list->at, by_database);
	for (size_t i = 0, n; i < list->count && code == TL_OK; i += n) {
		tl__batch batch = {.db = list->at[i].db};

		tl__buf_clear(&ids);
		for (n = 0; i + n < list->count && by_database(&list->at[i], &list->at[i + n]) == 0;
			n++)
			tl__buf_append(&ids, &list->at[i + n].id, TL_ID_BYTES);
		batch.drop_asides = (const tl_id *)(const void *)ids.ptr;
		batch.drop_aside_count = n;
		code = tl__buf_status(&ids);
		if (code == TL_OK)
			code = write_asides(tree, &batch);
	}
	tl__buf_free(&ids);
	return code;
}

/* Without the lock: none of this changes what the turn decided. */
static int tidy_up(tl__run *run)
{
	int code = TL_OK;

	for (size_t i = 0; i < run->pin.count && code == TL_OK; i++)
		code = pin(run->tree, &run->pin.at[i]);
	return code == TL_OK ? drop_all(run->tree, &run->evict) : code;
}

/* --- turns --------------------------------------------------------------------------------------
 */

static int take_in(tl__run *run, tl__line *lines, const tl_id *seeds, size_t seed_count)
{
	int code = run->page ? check_database(run, lines) : TL_OK;

	if (code == TL_OK && run->page)
		code = tl__run_take_lines(run, lines, run->page->count);
	for (size_t i = 0; i < seed_count && code == TL_OK; i++)
		code = tl__run_take_aside(run, &seeds[i]);
	if (code == TL_OK)
		code = tl__run_arrange(run);
	if (code == TL_OK)
		code = tl__run_judge(run);
	return code == TL_OK ? tl__run_write(run) : code;
}

/* What follows a turn can be done later: it never makes the turn fail. */
static void follow_up(tl__run *run, followup *after)
{
	int code = tidy_up(run);

	if (code == TL_OK)
		code = find_followups(run, after);
	if (code == TL_OK)
		return;
	atomic_store(&run->tree->resumed, false);
	tl__log_about(run->tree->log, TL_LOG_WARNING, "trust", TL__STR(""),
		"entries set aside are looked at again with the next page: %s",
		tl_error_message(tl_last_error()));
}

/* One database's lock is held from the snapshot to the end of the write. */
static int turn(tl__run *run, tl__tree *tree, const tl_id *db, const tl__ingest_page *page,
	tl__line *lines, const tl_id *seeds, size_t seed_count)
{
	int code;

	tl__tree_lock(tree, db, TL__WRITES_INGEST);
	code = tl__run_init(run, tree, db, page);
	if (code == TL_OK && page)
		code = read_before(run);
	if (code == TL_OK)
		code = take_in(run, lines, seeds, seed_count);
	tl__tree_unlock(tree, db);
	if (code == TL_OK && run->entered > 0 && tree->listener.committed)
		tree->listener.committed(tree->listener.ud, db, run->last_arrival);
	return code;
}

/* Takes all of one database off the list. */
static int take_group(followup *after, tl_id *db, tl__buf *ids)
{
	size_t kept = 0;

	*db = after->list.at[after->list.count - 1].db;
	for (size_t i = 0; i < after->list.count; i++) {
		if (memcmp(&after->list.at[i].db, db, sizeof *db) == 0)
			tl__buf_append(ids, &after->list.at[i].id, TL_ID_BYTES);
		else
			after->list.at[kept++] = after->list.at[i];
	}
	after->list.count = kept;
	return tl__buf_status(ids);
}

static int promote(tl__tree *tree, followup *after)
{
	int code = TL_OK;

	while (code == TL_OK && after->list.count > 0) {
		tl__buf ids = TL__BUF_INIT;
		tl__run run;
		tl_id db;

		code = take_group(after, &db, &ids);
		if (code == TL_OK) {
			code = turn(&run, tree, &db, NULL, NULL,
				(const tl_id *)(const void *)ids.ptr, ids.len / TL_ID_BYTES);
			if (code == TL_OK)
				follow_up(&run, after);
			tl__run_free(&run);
		}
		tl__buf_free(&ids);
	}
	return code;
}

/* --- pages --------------------------------------------------------------------------------------
 */

static void promote_others(tl__tree *tree, followup *after)
{
	if (promote(tree, after) == TL_OK)
		return;
	atomic_store(&tree->resumed, false);
	tl__log_about(tree->log, TL_LOG_WARNING, "trust", TL__STR(""),
		"entries set aside are looked at again with the next page: %s",
		tl_error_message(tl_last_error()));
}

static int ingest(
	tl__tree *tree, const tl__ingest_page *page, tl__line *lines, tl__ingest_result *out)
{
	followup after = {.arena = TL__ARENA_INIT};
	tl__run run;
	int code = turn(&run, tree, &page->db, page, lines, NULL, 0);

	if (code == TL_OK)
		code = tl__run_report(&run, lines, out);
	if (code == TL_OK)
		follow_up(&run, &after);
	tl__run_free(&run);
	if (code == TL_OK)
		promote_others(tree, &after);
	tl__arena_free(&after.arena);
	return code;
}

/* As this page was, the next one may well be. */
static void note_use(tl__tree *tree, const tl__ingest_page *page, const tl__ingest_result *r)
{
	size_t entered = 0;

	for (size_t i = 0; i < page->count; i++)
		entered +=
			r->fates[i].kind == TL__FATE_VERIFIED || r->fates[i].kind == TL__FATE_VOID;
	if (page->count > 0)
		atomic_store(&tree->fruitless, entered < page->count / 2);
}

int tl__ingest(tl__tree *tree, const tl__ingest_page *page, tl__ingest_result *out)
{
	tl__prepared *own = NULL;
	tl__line *lines = NULL;
	int code = TL_OK;

	memset(out, 0, sizeof *out);
	if (!atomic_load(&tree->resumed))
		code = tl__ingest_resume(tree);
	if (code == TL_OK) {
		out->fates = tl__alloc_zero(page->count + 1, sizeof *out->fates);
		code = out->fates ? TL_OK : TL_E_NOMEM;
	}
	if (code == TL_OK && !page->prepared)
		code = tl__prepared_now(&own, tree, page);
	if (code == TL_OK)
		code = tl__prepared_lines(own ? own : page->prepared, &lines);
	if (code == TL_OK)
		code = ingest(tree, page, lines, out);
	if (code == TL_OK)
		note_use(tree, page, out);
	tl__prepared_free(own);
	if (code != TL_OK)
		tl__ingest_result_free(out);
	return code;
}

void tl__ingest_result_free(tl__ingest_result *result)
{
	tl__free(result->fates);
	tl__free(result->missing);
	tl__free(result->missing_databases);
	memset(result, 0, sizeof *result);
}

/* --- resuming -----------------------------------------------------------------------------------
 */

typedef struct resumption {
	followup *after;
	tl_id db;
} resumption;

static int on_database(void *ud, const tl__db_row *row)
{
	tl__buf_append(ud, &row->db, sizeof row->db);
	return TL_OK;
}

static int on_set_aside(void *ud, const tl__aside_row *row)
{
	const resumption *r = ud;

	if (row->verdict == TL__PENDING ? row->reason != TL_E_WAITS_FOR_DATABASE
					: row->rules == TL__RULES_VERSION)
		return TL_OK;
	return tl__foreign_add(&r->after->arena, &r->after->list, &r->db, &row->id);
}

static int find_set_aside(tl__tree *tree, followup *after)
{
	tl__buf dbs = TL__BUF_INIT;
	tl__snapshot *s;
	resumption r = {.after = after};
	int code = tl__snapshot_open(tree->store, &s);

	if (code == TL_OK)
		code = tl__read_databases(s, on_database, &dbs);
	if (code == TL_OK)
		code = tl__buf_status(&dbs);
	for (size_t at = 0; code == TL_OK && at < dbs.len; at += TL_ID_BYTES) {
		memcpy(&r.db, dbs.ptr + at, sizeof r.db);
		code = tl__read_aside_list(s, &r.db, TL__PENDING, 0, SIZE_MAX, 0, on_set_aside, &r);
		if (code == TL_OK)
			code = tl__read_aside_list(
				s, &r.db, TL__INVALID, 0, SIZE_MAX, 0, on_set_aside, &r);
	}
	tl__snapshot_close(s);
	tl__buf_free(&dbs);
	return code;
}

int tl__ingest_resume(tl__tree *tree)
{
	followup after = {.arena = TL__ARENA_INIT};
	int code;

	atomic_store(&tree->resumed, true);
	code = find_set_aside(tree, &after);
	if (code == TL_OK)
		code = promote(tree, &after);
	if (code != TL_OK)
		atomic_store(&tree->resumed, false);
	tl__arena_free(&after.arena);
	return code;
}
