/* What a turn looks at: new lines, what they stand on, what waited for them. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "model/entry_impl.h"
#include "tree/ingest/ingest_run.h"

#define ASKED_AT_ONCE 64 /* ids, before somebody who waits is seen */

tl__item tl__mark_in_dag = {.ready = true};
tl__item tl__mark_pending;
tl__item tl__mark_unknown;
tl__item tl__mark_declined;

int tl__run_init(tl__run *run, tl__take *take)
{
	memset(run, 0, sizeof *run);
	run->tree = take->tree;
	run->db = take->db;
	run->take = take;
	run->page = take->page;
	run->arena = TL__ARENA_INIT;
	tl__map_init(&run->by_id);
	tl__judge_init(&run->judge);
	return tl__snapshot_open(take->tree->store, &run->snapshot);
}

void tl__run_free(tl__run *run)
{
	for (size_t i = 0; i < run->item_count; i++)
		tl_entry_free(run->items[i]->entry);
	tl__judge_free(&run->judge);
	tl__plan_free(run->plan);
	tl__snapshot_close(run->snapshot);
	tl__map_free(&run->by_id);
	tl__arena_free(&run->arena);
}

tl__item *tl__run_find(const tl__run *run, const tl_id *id)
{
	return tl__map_get(&run->by_id, tl__map_key_id(id));
}

int tl__foreign_add(tl__arena *arena, tl__foreign_list *list, const tl_id *db, const tl_id *id)
{
	void *array = list->at;

	if (tl__arena_grow(arena, &array, &list->cap, list->count, sizeof *list->at) != TL_OK)
		return TL_E_NOMEM;
	list->at = array;
	list->at[list->count++] = (tl__foreign){*db, *id};
	return TL_OK;
}

/* --- items --------------------------------------------------------------------------------------
 */

/* Ids cited by all steps. Those of this database come first in the order too; a list with a tip
 * that is no id makes the entry bad anyway. */
static int gather_tips(tl__run *run, tl__item *item)
{
	for (size_t step = 0; step < tl_entry_step_count(item->entry); step++) {
		tl_id *tips, *all;
		size_t count;
		int code = tl__judge_tips(item->entry, step, &run->arena, &tips, &count);

		if (code == TL_E_INVALID_TIP)
			continue;
		all = code == TL_OK ? tl__arena_alloc(
					      &run->arena, item->tip_count + count + 1, sizeof *all)
				    : NULL;
		if (!all)
			return TL_E_NOMEM;
		if (item->tip_count > 0)
			memcpy(all, item->tips, item->tip_count * sizeof *all);
		memcpy(all + item->tip_count, tips, count * sizeof *all);
		item->tips = all;
		item->tip_count += count;
	}
	return TL_OK;
}

static int add_item(tl__run *run, tl_entry *entry, tl__origin origin, tl__item **out)
{
	tl__item *item = tl__arena_alloc(&run->arena, 1, sizeof *item);
	void *array = (void *)run->items;
	int code = item ? tl__arena_grow(&run->arena, &array, &run->item_cap, run->item_count,
				  sizeof(tl__item *))
			: TL_E_NOMEM;

	if (code == TL_OK) {
		run->items = (tl__item **)array;
		code = tl__map_set(&run->by_id, tl__map_key_id(tl_entry_id(entry)), item);
	}
	if (code != TL_OK)
		return code;
	item->entry = tl_entry_retain(entry);
	run->items[run->item_count++] = item;
	item->origin = origin;
	item->names = tl__entry_names(entry, &item->name_count);
	if (run->page) {
		item->sender = run->page->sender;
		item->related = run->page->related;
	}
	*out = item;
	return gather_tips(run, item);
}

/* An entry set aside becomes an item. Bytes that cannot be read any more are dropped: what was set
 * aside can be asked for again. */
static int add_aside(tl__run *run, const tl__aside_row *row)
{
	tl_entry *entry;
	tl__item *item = NULL;
	int code = tl_entry_parse(&entry, row->bytes, TL_ENTRY_CANONICAL);

	if (code == TL_OK && memcmp(tl_entry_id(entry), &row->id, sizeof row->id) != 0) {
		tl_entry_free(entry);
		entry = NULL;
		code = TL_E_BAD_ENTRY;
	}
	if (code == TL_E_NOMEM)
		return code;
	if (code != TL_OK) {
		tl__log_about(run->tree->log, TL_LOG_WARNING, "trust", TL__STR(""),
			"an entry that was set aside is damaged and was dropped");
		code = tl__map_set(&run->by_id, tl__map_key_id(&row->id), &tl__mark_unknown);
		return code == TL_OK ? tl__run_drop(run, &row->id) : code;
	}
	code = add_item(run, entry,
		row->verdict == TL__INVALID ? TL__FROM_QUARANTINE : TL__FROM_PENDING, &item);
	tl_entry_free(entry);
	if (code != TL_OK)
		return code;
	item->sender = tl__arena_str(&run->arena, row->sender);
	item->related = row->related;
	item->reason = row->reason;
	if (row->verdict == TL__INVALID && row->rules == TL__RULES_VERSION) {
		item->fixed = true;
		item->state = TL__ITEM_BAD;
	}
	return item->sender.ptr ? TL_OK : TL_E_NOMEM;
}

/* --- ids ----------------------------------------------------------------------------------------
 */

static int on_entry(void *ud, const tl__entry_row *row)
{
	tl__run *run = ud;

	return tl__map_set(&run->by_id, tl__map_key_id(&row->id), &tl__mark_in_dag);
}

static int on_aside(void *ud, const tl__aside_row *row)
{
	tl__run *run = ud;

	if (tl__run_find(run, &row->id))
		return TL_OK;
	if (row->verdict == TL__PENDING)
		return tl__map_set(&run->by_id, tl__map_key_id(&row->id), &tl__mark_pending);
	return add_aside(run, row);
}

/* Nothing is judged yet: less can be looked at instead. */
static bool interrupted(const tl__run *run)
{
	return !run->take->brief && tl__others_wait(&run->take->others);
}

/* Which of them are in the DAG, and which aside. */
static int look_up(
	tl__run *run, const tl_id *ids, size_t count, unsigned with, tl__aside_visit on_set_aside)
{
	int code = TL_OK;

	for (size_t at = 0, n; at < count && code == TL_OK; at += n) {
		n = count - at < ASKED_AT_ONCE ? count - at : ASKED_AT_ONCE;
		if (interrupted(run))
			return TL__RUN_INTERRUPTED;
		code = tl__read_entries(run->snapshot, &run->db, ids + at, n, 0, on_entry, run);
		if (code == TL_OK)
			code = tl__read_asides(
				run->snapshot, &run->db, ids + at, n, with, on_set_aside, run);
	}
	return code;
}

/* Makes sure that something is known of each id; what is in quarantine becomes an item. */
static int find_out(tl__run *run, const tl_id *ids, size_t count)
{
	tl__buf unknown = TL__BUF_INIT;
	const tl_id *asked;
	size_t n;
	int code;

	for (size_t i = 0; i < count; i++)
		if (!tl__run_find(run, &ids[i]))
			tl__buf_append(&unknown, &ids[i], sizeof ids[i]);
	code = tl__buf_status(&unknown);
	asked = (const tl_id *)(const void *)unknown.ptr;
	n = unknown.len / TL_ID_BYTES;
	if (code == TL_OK)
		code = look_up(run, asked, n, TL__WITH_BYTES, on_aside);
	for (size_t i = 0; i < n && code == TL_OK; i++)
		if (!tl__run_find(run, &asked[i]))
			code = tl__map_set(
				&run->by_id, tl__map_key_id(&asked[i]), &tl__mark_unknown);
	tl__buf_free(&unknown);
	return code;
}

/* Finds out about all that the items name and cite, and what that names in turn. */
static int resolve(tl__run *run)
{
	tl__buf ids = TL__BUF_INIT;
	int code = TL_OK;

	while (code == TL_OK && run->resolved < run->item_count) {
		tl__buf_clear(&ids);
		for (; run->resolved < run->item_count; run->resolved++) {
			const tl__item *item = run->items[run->resolved];

			tl__buf_append(&ids, item->names, item->name_count * sizeof *item->names);
			tl__buf_append(&ids, item->tips, item->tip_count * sizeof *item->tips);
		}
		code = tl__buf_status(&ids);
		if (code == TL_OK)
			code = find_out(
				run, (const tl_id *)(const void *)ids.ptr, ids.len / TL_ID_BYTES);
	}
	tl__buf_free(&ids);
	return code;
}

/* --- order --------------------------------------------------------------------------------------
 */

static const tl_id *dependency(const tl__item *item, size_t at)
{
	return at < item->name_count ? &item->names[at] : &item->tips[at - item->name_count];
}

static void set_ready(const tl__run *run, tl__item *item)
{
	item->ready = true;
	for (size_t i = 0; i < item->name_count && item->ready; i++)
		item->ready = tl__run_find(run, &item->names[i])->ready;
}

static int append_order(tl__run *run, tl__item *item)
{
	void *array = (void *)run->order;

	if (tl__arena_grow(&run->arena, &array, &run->order_cap, run->order_count,
		    sizeof(tl__item *)) != TL_OK)
		return TL_E_NOMEM;
	run->order = (tl__item **)array;
	run->order[run->order_count++] = item;
	item->ordered = true;
	set_ready(run, item);
	return TL_OK;
}

/* Orders the item behind all it depends on, without recursion. Hashes make no cycles. */
static int put_in_order(tl__run *run, tl__item *from)
{
	tl__buf stack = TL__BUF_INIT;
	int code = TL_OK;

	if (from->ordered)
		return TL_OK;
	tl__buf_append(&stack, (const void *)&from, sizeof(tl__item *));
	while ((code = code == TL_OK ? tl__buf_status(&stack) : code) == TL_OK && stack.len > 0) {
		tl__item *top =
			((tl__item **)(void *)stack.ptr)[stack.len / sizeof(tl__item *) - 1];
		tl__item *below = NULL;

		while (top->next < top->name_count + top->tip_count && !below) {
			below = tl__run_find(run, dependency(top, top->next++));
			if (!tl__item_real(below) || below->ordered)
				below = NULL;
		}
		if (below) {
			tl__buf_append(&stack, (const void *)&below, sizeof(tl__item *));
		} else {
			code = append_order(run, top);
			stack.len -= sizeof(tl__item *);
		}
	}
	tl__buf_free(&stack);
	return code;
}

static int order_all(tl__run *run)
{
	int code = resolve(run);

	for (; run->arranged < run->item_count && code == TL_OK; run->arranged++)
		code = put_in_order(run, run->items[run->arranged]);
	return code;
}

/* --- taking -------------------------------------------------------------------------------------
 */

static int on_own_aside(void *ud, const tl__aside_row *row)
{
	tl__run *run = ud;

	return tl__run_find(run, &row->id)
		       ? TL_OK
		       : tl__map_set(&run->by_id, tl__map_key_id(&row->id), &tl__mark_pending);
}

/* Marks the lines that were declined, whichever turn they belong to. */
static int mark_declined(tl__run *run)
{
	const tl__line *lines = run->take->lines;
	int code = TL_OK;

	for (size_t i = 0; i < run->page->count && code == TL_OK; i++)
		if (lines[i].entry && lines[i].declined != TL_OK)
			code = tl__map_set(&run->by_id, tl__map_key_id(tl_entry_id(lines[i].entry)),
				&tl__mark_declined);
	return code;
}

/* Marks which of the entries are held already. */
static int look_for_lines(tl__run *run)
{
	const tl__take *take = run->take;
	tl__buf ids = TL__BUF_INIT;
	int code;

	for (size_t i = 0; i < take->window_count; i++) {
		const tl__line *line = &take->lines[take->window[i]];

		if (line->declined == TL_OK)
			tl__buf_append(&ids, tl_entry_id(line->entry), TL_ID_BYTES);
	}
	code = tl__buf_status(&ids);
	if (code == TL_OK)
		code = look_up(run, (const tl_id *)(const void *)ids.ptr, ids.len / TL_ID_BYTES, 0,
			on_own_aside);
	tl__buf_free(&ids);
	return code;
}

static int add_line(tl__run *run, const tl__line *line)
{
	tl__item *item;
	int code = add_item(run, line->entry, TL__FROM_LINE, &item);

	if (code != TL_OK)
		return code;
	item->key = line->key;
	item->checked = line->checked;
	item->genuine = line->genuine;
	return TL_OK;
}

static int on_taken(void *ud, const tl__aside_row *row)
{
	return add_aside(ud, row);
}

/* Whatever it waits for. */
static int take_aside(tl__run *run, const tl_id *id)
{
	if (tl__item_real(tl__run_find(run, id)))
		return TL_OK;
	return tl__read_asides(run->snapshot, &run->db, id, 1, TL__WITH_BYTES, on_taken, run);
}

static int take_line(tl__run *run, const tl__line *line)
{
	const tl_id *id = tl_entry_id(line->entry);
	const tl__item *item;
	int code = TL_OK;

	/* What was set aside before is looked at again. */
	if (tl__run_find(run, id) == &tl__mark_pending)
		code = take_aside(run, id);
	item = tl__run_find(run, id);
	if (code == TL_OK && (!item || item == &tl__mark_unknown))
		code = add_line(run, line);
	return code;
}

int tl__run_take_lines(tl__run *run)
{
	const tl__take *take = run->take;
	int code = mark_declined(run);

	if (code == TL_OK)
		code = look_for_lines(run);
	for (size_t i = 0; i < take->window_count && code == TL_OK; i++) {
		const tl__line *line = &take->lines[take->window[i]];

		if (line->declined == TL_OK)
			code = take_line(run, line);
	}
	return code;
}

/* --- promotion ----------------------------------------------------------------------------------
 */

typedef struct waiters {
	tl__run *run;
	tl__buf ids;
} waiters;

static int on_waiter(void *ud, const tl_id *db, const tl_id *waiter)
{
	waiters *w = ud;

	if (memcmp(db, &w->run->db, sizeof *db) == 0 &&
		!tl__item_real(tl__run_find(w->run, waiter)))
		tl__buf_append(&w->ids, waiter, sizeof *waiter);
	return TL_OK;
}

static int on_wait(void *ud, const tl_id *id)
{
	tl__buf_append(ud, id, sizeof *id);
	return TL_OK;
}

/* Whether all that a pending entry waits for is known or will be judged in this turn. */
static int wait_is_over(tl__run *run, const tl_id *pending, bool *over)
{
	tl__buf waits = TL__BUF_INIT;
	const tl_id *ids;
	size_t count;
	int code = tl__read_waits(run->snapshot, &run->db, pending, on_wait, &waits);

	*over = true;
	if (code == TL_OK)
		code = tl__buf_status(&waits);
	ids = (const tl_id *)(const void *)waits.ptr;
	count = waits.len / TL_ID_BYTES;
	if (code == TL_OK)
		code = find_out(run, ids, count);
	if (code == TL_OK)
		code = order_all(run);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		*over = *over && tl__run_find(run, &ids[i])->ready;
	tl__buf_free(&waits);
	return code;
}

/* Somebody waits, and what is here is enough for a piece: the rest gets turns of its own. */
static bool is_full(const tl__run *run)
{
	return run->item_count >= tl__piece_entries(run->take) &&
	       tl__others_wait(&run->take->others);
}

/* Takes those that wait for this one and for nothing else. */
static int take_waiters(tl__run *run, tl__item *item)
{
	waiters w = {run, TL__BUF_INIT};
	int code = tl__read_waiters(run->snapshot, tl_entry_id(item->entry), on_waiter, &w);
	const tl_id *ids = (const tl_id *)(const void *)w.ids.ptr;
	size_t count = w.ids.len / TL_ID_BYTES;
	bool over;

	item->awaited = count > 0;
	if (code == TL_OK)
		code = tl__buf_status(&w.ids);
	for (size_t i = 0; i < count && code == TL_OK; i++) {
		if (is_full(run)) {
			code = tl__foreign_add(&run->arena, &run->later, &run->db, &ids[i]);
			continue;
		}
		code = wait_is_over(run, &ids[i], &over);
		if (code == TL_OK && over)
			code = take_aside(run, &ids[i]);
	}
	tl__buf_free(&w.ids);
	return code == TL_OK ? order_all(run) : code;
}

static int on_reason(void *ud, const tl__aside_row *row)
{
	*(bool *)ud = row->verdict == TL__PENDING && row->reason == TL_E_WAITS_FOR_PARENT;
	return TL_OK;
}

int tl__run_take_seed(tl__run *run, const tl_id *id)
{
	bool waits_here = false, over = true;
	int code = tl__read_asides(run->snapshot, &run->db, id, 1, 0, on_reason, &waits_here);

	if (code == TL_OK && waits_here)
		code = wait_is_over(run, id, &over);
	return code == TL_OK && over ? take_aside(run, id) : code;
}

static int on_any(void *ud, const tl__aside_row *row)
{
	(void)row;
	*(bool *)ud = true;
	return TL__STORE_STOP;
}

/* Everything in order, parents first. */
static int order_anew(tl__run *run)
{
	run->order_count = run->arranged = 0;
	for (size_t i = 0; i < run->item_count; i++) {
		run->items[i]->ordered = run->items[i]->ready = false;
		run->items[i]->next = 0;
	}
	return order_all(run);
}

/* A line may stand on a pending entry that another line sets free: whenever something was taken,
 * order and readiness are found anew. */
int tl__run_arrange(tl__run *run)
{
	size_t before;
	int code = TL_OK;

	if (!tl__none_pending(run->tree)) /* what is pending here is counted under the lock */
		code = tl__read_aside_list(
			run->snapshot, &run->db, TL__PENDING, 0, 1, 0, on_any, &run->has_pending);
	do {
		if (code == TL_OK)
			code = order_anew(run);
		before = run->item_count;
		for (size_t i = 0; run->has_pending && i < run->order_count && code == TL_OK; i++) {
			tl__item *item = run->order[i];

			if (!item->ready || item->expanded)
				continue;
			item->expanded = true;
			code = take_waiters(run, item);
		}
	} while (code == TL_OK && run->item_count > before);
	return code;
}
