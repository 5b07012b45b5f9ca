/* What a turn knows: entries as items, marks for other ids, and an order in which parents come
 * first. Whatever an item names or cites is found out about before it is put in order, so that
 * judging never meets an id of which nothing is known. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "model/ids.h"
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

/* --- items ------------------------------------------------------------------------------------ */

/* Ids cited by all steps. Those of this database come first in the order too; a list with a tip
 * that is no id makes the entry bad anyway. */
static int gather_tips(tl__run *run, tl__item *item)
{
	for (size_t step = 0; step < tl_entry_step_count(item->entry); step++)
		if (tl__judge_add_tips(item->entry, step, &run->arena, &item->tips,
			    &item->tip_count) == TL_E_NOMEM)
			return TL_E_NOMEM;
	return TL_OK;
}

int tl__run_add(tl__run *run, tl_entry *entry, tl__origin origin, tl__item **out)
{
	tl__item *item = tl__arena_alloc(&run->arena, 1, sizeof *item);
	void *array = (void *)run->items;
	int rc = item ? tl__arena_grow(&run->arena, &array, &run->item_cap, run->item_count,
				sizeof(tl__item *))
		      : TL_E_NOMEM;

	if (rc == TL_OK) {
		run->items = (tl__item **)array;
		rc = tl__map_set(&run->by_id, tl__map_key_id(tl_entry_id(entry)), item);
	}
	if (rc != TL_OK)
		return rc;
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

int tl__run_add_aside(tl__run *run, const tl__aside_row *row)
{
	tl_entry *entry;
	tl__item *item = NULL;
	int rc = tl_entry_parse(&entry, row->bytes, TL_ENTRY_CANONICAL);

	if (rc == TL_OK && !tl__id_equal(tl_entry_id(entry), &row->id)) {
		tl_entry_free(entry);
		entry = NULL;
		rc = TL_E_BAD_ENTRY;
	}
	if (rc == TL_E_NOMEM)
		return rc;
	if (rc != TL_OK) {
		tl__log_about(run->tree->log, TL_LOG_WARNING, "trust", TL__STR(""),
			"an entry that was set aside is damaged and was dropped");
		rc = tl__map_set(&run->by_id, tl__map_key_id(&row->id), &tl__mark_unknown);
		return rc == TL_OK ? tl__run_drop(run, &row->id) : rc;
	}
	rc = tl__run_add(run, entry,
		row->verdict == TL__INVALID ? TL__FROM_QUARANTINE : TL__FROM_PENDING, &item);
	tl_entry_free(entry);
	if (rc != TL_OK)
		return rc;
	item->sender = tl__arena_str(&run->arena, row->sender);
	item->related = row->related;
	item->reason = row->reason;
	if (row->verdict == TL__INVALID && row->rules == TL__RULES_VERSION) {
		item->fixed = true;
		item->state = TL__ITEM_BAD;
	}
	return item->sender.ptr ? TL_OK : TL_E_NOMEM;
}

/* --- ids -------------------------------------------------------------------------------------- */

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
	return tl__run_add_aside(run, row);
}

/* Nothing is judged yet: less can be looked at instead. */
static bool interrupted(const tl__run *run)
{
	return !run->take->brief && tl__others_wait(&run->take->others);
}

int tl__run_look_up(
	tl__run *run, const tl_id *ids, size_t count, unsigned with, tl__aside_visit on_set_aside)
{
	int rc = TL_OK;

	for (size_t at = 0, n; at < count && rc == TL_OK; at += n) {
		n = count - at < ASKED_AT_ONCE ? count - at : ASKED_AT_ONCE;
		if (interrupted(run))
			return TL__RUN_INTERRUPTED;
		rc = tl__read_entries(run->snapshot, &run->db, ids + at, n, 0, on_entry, run);
		if (rc == TL_OK)
			rc = tl__read_asides(
				run->snapshot, &run->db, ids + at, n, with, on_set_aside, run);
	}
	return rc;
}

int tl__run_find_out(tl__run *run, const tl_id *ids, size_t count)
{
	tl__buf unknown = TL__BUF_INIT;
	const tl_id *asked;
	size_t n;
	int rc;

	for (size_t i = 0; i < count; i++)
		if (!tl__run_find(run, &ids[i]))
			tl__buf_append(&unknown, &ids[i], sizeof ids[i]);
	rc = tl__buf_status(&unknown);
	asked = (const tl_id *)(const void *)unknown.ptr;
	n = unknown.len / TL_ID_BYTES;
	if (rc == TL_OK)
		rc = tl__run_look_up(run, asked, n, TL__WITH_BYTES, on_aside);
	for (size_t i = 0; i < n && rc == TL_OK; i++)
		if (!tl__run_find(run, &asked[i]))
			rc = tl__map_set(&run->by_id, tl__map_key_id(&asked[i]), &tl__mark_unknown);
	tl__buf_free(&unknown);
	return rc;
}

/* Finds out about all that the items name and cite, and what that names in turn. */
static int resolve(tl__run *run)
{
	tl__buf ids = TL__BUF_INIT;
	int rc = TL_OK;

	while (rc == TL_OK && run->resolved < run->item_count) {
		tl__buf_clear(&ids);
		for (; run->resolved < run->item_count; run->resolved++) {
			const tl__item *item = run->items[run->resolved];

			tl__buf_append(&ids, item->names, item->name_count * sizeof *item->names);
			tl__buf_append(&ids, item->tips, item->tip_count * sizeof *item->tips);
		}
		rc = tl__buf_status(&ids);
		if (rc == TL_OK)
			rc = tl__run_find_out(
				run, (const tl_id *)(const void *)ids.ptr, ids.len / TL_ID_BYTES);
	}
	tl__buf_free(&ids);
	return rc;
}

/* --- order ------------------------------------------------------------------------------------ */

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
	int rc = TL_OK;

	if (from->ordered)
		return TL_OK;
	tl__buf_append(&stack, (const void *)&from, sizeof(tl__item *));
	while ((rc = rc == TL_OK ? tl__buf_status(&stack) : rc) == TL_OK && stack.len > 0) {
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
			rc = append_order(run, top);
			stack.len -= sizeof(tl__item *);
		}
	}
	tl__buf_free(&stack);
	return rc;
}

int tl__run_order(tl__run *run)
{
	int rc = resolve(run);

	for (; run->arranged < run->item_count && rc == TL_OK; run->arranged++)
		rc = put_in_order(run, run->items[run->arranged]);
	return rc;
}
