/* What a turn looks at: new lines, what they stand on, what waited for them. */
#include "base/buf.h"
#include "model/ids.h"
#include "tree/ingest/ingest_run.h"

/* --- taking ----------------------------------------------------------------------------------- */

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
	int rc = TL_OK;

	for (size_t i = 0; i < run->page->count && rc == TL_OK; i++)
		if (lines[i].entry && lines[i].declined != TL_OK)
			rc = tl__map_set(&run->by_id, tl__map_key_id(tl_entry_id(lines[i].entry)),
				&tl__mark_declined);
	return rc;
}

/* Marks which of the entries are held already. */
static int look_for_lines(tl__run *run)
{
	const tl__take *take = run->take;
	tl__buf ids = TL__BUF_INIT;
	int rc;

	for (size_t i = 0; i < take->window_count; i++) {
		const tl__line *line = &take->lines[take->window[i]];

		if (line->declined == TL_OK)
			tl__buf_append(&ids, tl_entry_id(line->entry), TL_ID_BYTES);
	}
	rc = tl__buf_status(&ids);
	if (rc == TL_OK)
		rc = tl__run_look_up(run, (const tl_id *)(const void *)ids.ptr,
			ids.len / TL_ID_BYTES, 0, on_own_aside);
	tl__buf_free(&ids);
	return rc;
}

static int add_line(tl__run *run, const tl__line *line)
{
	tl__item *item;
	int rc = tl__run_add(run, line->entry, TL__FROM_LINE, &item);

	if (rc != TL_OK)
		return rc;
	item->key = line->key;
	item->checked = line->checked;
	item->genuine = line->genuine;
	return TL_OK;
}

static int on_taken(void *ud, const tl__aside_row *row)
{
	return tl__run_add_aside(ud, row);
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
	int rc = TL_OK;

	/* What was set aside before is looked at again. */
	if (tl__run_find(run, id) == &tl__mark_pending)
		rc = take_aside(run, id);
	item = tl__run_find(run, id);
	if (rc == TL_OK && (!item || item == &tl__mark_unknown))
		rc = add_line(run, line);
	return rc;
}

int tl__run_take_lines(tl__run *run)
{
	const tl__take *take = run->take;
	int rc = mark_declined(run);

	if (rc == TL_OK)
		rc = look_for_lines(run);
	for (size_t i = 0; i < take->window_count && rc == TL_OK; i++) {
		const tl__line *line = &take->lines[take->window[i]];

		if (line->declined == TL_OK)
			rc = take_line(run, line);
	}
	return rc;
}

/* --- promotion -------------------------------------------------------------------------------- */

typedef struct waiters {
	tl__run *run;
	tl__buf ids;
} waiters;

static int on_waiter(void *ud, const tl_id *db, const tl_id *waiter)
{
	waiters *w = ud;

	if (tl__id_equal(db, &w->run->db) && !tl__item_real(tl__run_find(w->run, waiter)))
		tl__buf_append(&w->ids, waiter, sizeof *waiter);
	return TL_OK;
}

/* Whether all that a pending entry waits for is known or will be judged in this turn. */
static int wait_is_over(tl__run *run, const tl_id *pending, bool *over)
{
	tl__ids waits = {0};
	int rc = tl__read_waits(run->snapshot, &run->db, pending, tl__ids_visit, &waits);

	*over = true;
	if (rc == TL_OK)
		rc = tl__run_find_out(run, waits.at, waits.count);
	if (rc == TL_OK)
		rc = tl__run_order(run);
	for (size_t i = 0; i < waits.count && rc == TL_OK; i++)
		*over = *over && tl__run_find(run, &waits.at[i])->ready;
	tl__ids_free(&waits);
	return rc;
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
	int rc = tl__read_waiters(run->snapshot, tl_entry_id(item->entry), on_waiter, &w);
	const tl_id *ids = (const tl_id *)(const void *)w.ids.ptr;
	size_t count = w.ids.len / TL_ID_BYTES;
	bool over;

	item->awaited = count > 0;
	if (rc == TL_OK)
		rc = tl__buf_status(&w.ids);
	for (size_t i = 0; i < count && rc == TL_OK; i++) {
		if (is_full(run)) {
			rc = tl__foreign_add(&run->arena, &run->later, &run->db, &ids[i]);
			continue;
		}
		rc = wait_is_over(run, &ids[i], &over);
		if (rc == TL_OK && over)
			rc = take_aside(run, &ids[i]);
	}
	tl__buf_free(&w.ids);
	return rc == TL_OK ? tl__run_order(run) : rc;
}

static int on_reason(void *ud, const tl__aside_row *row)
{
	*(bool *)ud = row->verdict == TL__PENDING && row->reason == TL_E_WAITS_FOR_PARENT;
	return TL_OK;
}

int tl__run_take_seed(tl__run *run, const tl_id *id)
{
	bool waits_here = false, over = true;
	int rc = tl__read_asides(run->snapshot, &run->db, id, 1, 0, on_reason, &waits_here);

	if (rc == TL_OK && waits_here)
		rc = wait_is_over(run, id, &over);
	return rc == TL_OK && over ? take_aside(run, id) : rc;
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
	return tl__run_order(run);
}

/* A line may stand on a pending entry that another line sets free: whenever something was taken,
 * order and readiness are found anew. Those that wait for what was judged in an earlier turn were
 * looked at then: what merely comes along with one of them must not call it back, for ever. */
int tl__run_arrange(tl__run *run)
{
	size_t before;
	int rc = TL_OK;

	if (!tl__none_pending(run->tree)) /* what is pending here is counted under the lock */
		rc = tl__read_aside_list(
			run->snapshot, &run->db, TL__PENDING, 0, 1, 0, on_any, &run->has_pending);
	do {
		if (rc == TL_OK)
			rc = order_anew(run);
		before = run->item_count;
		for (size_t i = 0; run->has_pending && i < run->order_count && rc == TL_OK; i++) {
			tl__item *item = run->order[i];

			if (!item->ready || item->expanded || item->fixed)
				continue;
			item->expanded = true;
			rc = take_waiters(run, item);
		}
	} while (rc == TL_OK && run->item_count > before);
	return rc;
}
