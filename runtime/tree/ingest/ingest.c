/* Turns of ingest: some lines of a page, or what was set aside; and what follows from one in other
 * databases. */
#include <stdlib.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "tree/trust/quarantine.h"
#include "tree/history/dag.h"
#include "tree/ingest/ingest_run.h"

/* --- may the page come in? -------------------------------------------------------------------- */

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
static int check_database(const tl__run *run)
{
	const tl__ingest_page *page = run->page;
	tl__line *lines = run->take->lines;
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

/* --- after the turn --------------------------------------------------------------------------- */

typedef struct waiter_search {
	tl__followup *after;
	const tl_id *db; /* of the turn: its own waiters were seen to */
} waiter_search;

static int on_waiter(void *ud, const tl_id *db, const tl_id *waiter)
{
	const waiter_search *w = ud;

	if (tl__id_equal(db, w->db))
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
static int look_again(
	const tl__run *run, tl__snapshot *s, const tl__item *item, tl__followup *after)
{
	bool found = false;
	int code;

	if (item->state != TL__ITEM_PENDING || item->wait_count == 0 ||
		tl__id_equal(&item->waits_db, &run->db))
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
static int find_followups(tl__run *run, tl__followup *after)
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

/* --- rows of other databases ------------------------------------------------------------------ */

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
	return tl__id_compare(&((const tl__foreign *)a)->db, &((const tl__foreign *)b)->db);
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

/* --- turns ------------------------------------------------------------------------------------ */

static int take_in(tl__run *run)
{
	tl__take *take = run->take;
	int code = run->page && !take->admitted ? check_database(run) : TL_OK;

	take->admitted = code == TL_OK;
	if (code == TL_OK && run->page)
		code = tl__run_take_lines(run);
	for (size_t i = 0; i < take->seed_count && code == TL_OK; i++)
		code = tl__run_take_seed(run, &take->seeds[i]);
	if (code == TL_OK)
		code = tl__run_arrange(run);
	if (code == TL_OK)
		code = tl__run_judge(run);
	return code == TL_OK ? tl__run_write(run) : code;
}

static int try_turn(tl__run *run, tl__take *take)
{
	int code = tl__run_init(run, take);

	if (code == TL_OK && take->page)
		code = read_before(run);
	return code == TL_OK ? take_in(run) : code;
}

int tl__run_turn(tl__run *run, tl__take *take)
{
	tl__tree *tree = take->tree;
	int code;

	tl__tree_lock(tree, &take->db, TL__WRITES_INGEST);
	code = try_turn(run, take);
	if (code == TL__RUN_CROWDED) {
		tl__run_free(run);
		take->widened = true;
		code = try_turn(run, take);
	}
	tl__tree_unlock(tree, &take->db);
	if (code == TL_OK && run->entered > 0 && !take->quiet && tree->listener.committed)
		tree->listener.committed(tree->listener.ud, &take->db, run->last_arrival, NULL);
	return code;
}

/* --- what follows ----------------------------------------------------------------------------- */

static void put_off(tl__tree *tree)
{
	atomic_store(&tree->resumed, false);
	tl__log_about(tree->log, TL_LOG_WARNING, "trust", TL__STR(""),
		"entries set aside are looked at again with the next page: %s",
		tl_error_message(tl_last_error()));
}

void tl__run_follow(tl__run *run, tl__followup *after)
{
	int code = tidy_up(run);

	for (size_t i = 0; i < run->later.count && code == TL_OK; i++)
		code = tl__foreign_add(
			&after->arena, &after->list, &run->later.at[i].db, &run->later.at[i].id);
	if (code == TL_OK)
		code = find_followups(run, after);
	if (code != TL_OK)
		put_off(run->tree);
}

/* Takes all of one database off the list. */
static int take_group(tl__followup *after, tl_id *db, tl__buf *ids)
{
	size_t kept = 0;

	*db = after->list.at[after->list.count - 1].db;
	for (size_t i = 0; i < after->list.count; i++) {
		if (tl__id_equal(&after->list.at[i].db, db))
			tl__buf_append(ids, &after->list.at[i].id, TL_ID_BYTES);
		else
			after->list.at[kept++] = after->list.at[i];
	}
	after->list.count = kept;
	return tl__buf_status(ids);
}

/* What is too much for one turn is left for others. */
static int follow_some(tl__run *run, tl__take *take, size_t count, tl__followup *after)
{
	const tl_id *ids = take->seeds;
	size_t most = tl__piece_entries(take);
	int code;

	take->seed_count = take->brief && count > most ? most : count;
	code = tl__run_turn(run, take);
	for (size_t i = take->seed_count; i < count && code == TL_OK; i++)
		code = tl__foreign_add(&after->arena, &after->list, &take->db, &ids[i]);
	if (code == TL_OK)
		tl__run_follow(run, after);
	return code;
}

static int follow(tl__followup *after, tl__take *take, tl__run_told told, void *ud)
{
	tl__buf ids = TL__BUF_INIT;
	tl__run run = {.tree = NULL};
	int code = take_group(after, &take->db, &ids);

	take->seeds = (const tl_id *)(const void *)ids.ptr;
	if (code == TL_OK)
		code = follow_some(&run, take, ids.len / TL_ID_BYTES, after);
	if (code == TL__RUN_INTERRUPTED) {
		tl__run_free(&run);
		take->brief = true;
		code = follow_some(&run, take, ids.len / TL_ID_BYTES, after);
	}
	if (code == TL_OK && told)
		told(ud, &run);
	tl__run_free(&run);
	tl__buf_free(&ids);
	return code;
}

void tl__followup_step(
	tl__tree *tree, tl__followup *after, tl__others others, tl__run_told told, void *ud)
{
	tl__take take = {.tree = tree, .others = others, .brief = tl__others_wait(&others)};

	if (follow(after, &take, told, ud) != TL_OK) {
		put_off(tree);
		after->list.count = 0;
	}
	if (after->list.count == 0)
		tl__followup_free(after);
}

void tl__followup_free(tl__followup *after)
{
	tl__arena_free(&after->arena);
	*after = (tl__followup){.arena = TL__ARENA_INIT};
}
