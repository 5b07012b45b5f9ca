/* Rows of what is kept outside the DAG, and the bounds of pending ones. */
#include <string.h>
#include "base/buf.h"
#include "base/str.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/ingest/ingest_run.h"

/* What it names and cites, of whatever database: nothing of it in quarantine goes while the entry
 * is pending. */
static int gather_needs(tl__run *run, const tl__item *item, tl__put_aside *row)
{
	size_t count = item->name_count + item->tip_count;
	tl_id *needs = tl__arena_alloc(&run->arena, count + 1, sizeof *needs);

	if (!needs)
		return TL_E_NOMEM;
	if (item->name_count > 0)
		memcpy(needs, item->names, item->name_count * sizeof *needs);
	if (item->tip_count > 0)
		memcpy(needs + item->name_count, item->tips, item->tip_count * sizeof *needs);
	row->needs = needs;
	row->needs_count = count;
	return TL_OK;
}

static int put_row(tl__run *run, const tl__item *item, tl__verdict verdict)
{
	void *array = run->asides;
	tl__put_aside *row;

	if (tl__arena_grow(&run->arena, &array, &run->aside_cap, run->aside_count,
		    sizeof *run->asides) != TL_OK)
		return TL_E_NOMEM;
	run->asides = array;
	row = &run->asides[run->aside_count++];
	*row = (tl__put_aside){.id = *tl_entry_id(item->entry),
		.bytes = tl_entry_bytes(item->entry),
		.verdict = verdict,
		.sender = item->sender,
		.related = item->related,
		.reason = item->reason,
		.rules = TL__RULES_VERSION,
		.waits_for = verdict == TL__PENDING ? item->waits : NULL,
		.waits_count = verdict == TL__PENDING ? item->wait_count : 0};
	return verdict == TL__PENDING ? gather_needs(run, item, row) : TL_OK;
}

/* --- pending ---------------------------------------------------------------------------------- */

/* What the sender of the page, and strangers together, have pending. */
typedef struct usage {
	uint64_t count, bytes, stranger_bytes;
} usage;

static int read_usage(const tl__run *run, usage *out)
{
	uint64_t strangers;
	int code = tl__read_aside_usage(
		run->snapshot, TL__PENDING, run->page->sender, &out->count, &out->bytes);

	if (code == TL_OK)
		code = tl__read_aside_usage(
			run->snapshot, TL__PENDING, TL__STR_NULL, &strangers, &out->stranger_bytes);
	return code;
}

static uint64_t limit(uint64_t set, uint64_t otherwise)
{
	return set ? set : otherwise;
}

static bool has_room(const tl__run *run, const usage *u, size_t bytes)
{
	const tl__aside_limits *l = &run->tree->limits;

	if (u->count + 1 > limit(l->pending_entries, TL__PENDING_MAX_ENTRIES) ||
		u->bytes + bytes > limit(l->pending_bytes, TL__PENDING_MAX_BYTES))
		return false;
	return run->page->related ||
	       u->stranger_bytes + bytes <=
		       limit(l->stranger_bytes, TL__PENDING_MAX_STRANGER_BYTES);
}

static bool stands_on_declined(const tl__run *run, const tl__item *item)
{
	for (size_t i = 0; i < item->name_count; i++)
		if (tl__run_find(run, &item->names[i])->state == TL__ITEM_DECLINED)
			return true;
	return false;
}

static void decline(tl__item *item, int reason)
{
	item->state = TL__ITEM_DECLINED;
	item->reason = reason;
}

/* When there is no room the newcomer is declined, never an old one dropped. */
static int put_newcomer(tl__run *run, tl__item *item, usage *u)
{
	size_t bytes = tl_entry_bytes(item->entry).len;

	if (stands_on_declined(run, item)) {
		decline(item, TL_E_PARENT_DECLINED);
		return TL_OK;
	}
	if (!has_room(run, u, bytes)) {
		decline(item, TL_E_SET_ASIDE_FULL);
		return TL_OK;
	}
	u->count++;
	u->bytes += bytes;
	u->stranger_bytes += run->page->related ? 0 : bytes;
	return put_row(run, item, TL__PENDING);
}

/* One that goes on waiting is written again when it waits for something else now. */
static int put_waiting(tl__run *run, const tl__item *item)
{
	tl__ids before = {0};
	int code = tl__read_waits(
		run->snapshot, &run->db, tl_entry_id(item->entry), tl__ids_visit, &before);

	tl__ids_sort(&before);
	if (code == TL_OK && !tl__ids_equal(&before, &(tl__ids){item->waits, item->wait_count, 0}))
		code = put_row(run, item, TL__PENDING);
	tl__ids_free(&before);
	return code;
}

static int put_pending(tl__run *run)
{
	usage u = {0};
	bool known = false;
	int code = TL_OK;

	for (size_t i = 0; i < run->order_count && code == TL_OK; i++) {
		tl__item *item = run->order[i];

		if (item->state != TL__ITEM_PENDING)
			continue;
		if (item->origin != TL__FROM_LINE) {
			code = put_waiting(run, item);
			continue;
		}
		if (!known)
			code = read_usage(run, &u);
		known = true;
		if (code == TL_OK)
			code = put_newcomer(run, item, &u);
	}
	return code;
}

/* --- all -------------------------------------------------------------------------------------- */

int tl__run_set_aside(tl__run *run)
{
	size_t quarantined;
	int code = put_pending(run);

	quarantined = run->aside_count;
	for (size_t i = 0; i < run->order_count && code == TL_OK; i++) {
		const tl__item *item = run->order[i];

		if (item->state == TL__ITEM_BAD && !item->enters && !item->fixed)
			code = put_row(run, item, TL__INVALID);
	}
	if (code == TL_OK && run->aside_count > quarantined)
		code = tl__run_make_room(run, quarantined);
	return code;
}
