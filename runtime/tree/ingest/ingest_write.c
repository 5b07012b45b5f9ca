/* What a turn writes: one batch with everything that enters the DAG and everything set aside. */
#include <string.h>
#include "base/buf.h"
#include "base/str.h"
#include "tree/ingest/ingest_run.h"
#include "tree/trust/quarantine.h"
#include "tree/trust/rights.h"

/* A good entry draws in everything it stands on. */
static void find_entering(tl__run *run)
{
	for (size_t i = run->order_count; i-- > 0;) {
		tl__item *item = run->order[i];

		item->enters = item->enters || item->state == TL__ITEM_GOOD;
		for (size_t k = 0; item->enters && k < item->name_count; k++) {
			tl__item *named = tl__run_find(run, &item->names[k]);

			if (tl__item_real(named))
				named->enters = true;
		}
	}
}

/* The plan as it is judged by may hold entries that enter nothing: then it is made anew. */
static int settle_plan(tl__run *run)
{
	bool exact = true;
	int code;

	for (size_t i = 0; i < run->order_count; i++)
		exact = exact && run->order[i]->planned == run->order[i]->enters;
	if (exact)
		return TL_OK;
	tl__plan_free(run->plan);
	run->plan = NULL;
	code = tl__plan_new(&run->plan, run->tree, run->snapshot, &run->db);
	run->judge.plan = run->plan;
	for (size_t i = 0; i < run->order_count && code == TL_OK; i++) {
		run->order[i]->planned = false;
		if (run->order[i]->enters)
			code = tl__run_plan(run, run->order[i]);
	}
	return code;
}

/* A void entry stays void only as long as the quarantined one it cites can be had: others must be
 * able to fetch that to judge it. */
static int find_pins(tl__run *run)
{
	int code = TL_OK;

	for (size_t i = 0; i < run->order_count && code == TL_OK; i++) {
		const tl__item *item = run->order[i];
		tl__opinion opinion;

		if (!item->enters || item->state == TL__ITEM_GOOD || item->tip_count == 0)
			continue;
		code = tl__judge_entry(&run->judge, item->entry, &opinion);
		for (size_t k = 0; code == TL_OK && k < opinion.refused.count; k++)
			code = tl__foreign_add(&run->arena, &run->pin, &opinion.refused.db,
				&opinion.refused.tips[k]);
	}
	return code;
}

static void note_arrivals(tl__run *run, const tl__batch *batch)
{
	for (size_t i = 0; i < batch->entry_count; i++) {
		tl__item *item = tl__run_find(run, &batch->entries[i].id);

		if (!tl__item_real(item) || batch->entries[i].arrival == 0)
			continue;
		item->arrival = batch->entries[i].arrival;
		run->entered++;
		if (item->arrival > run->last_arrival)
			run->last_arrival = item->arrival;
	}
}

static bool sets_pending(const tl__batch *batch)
{
	for (size_t i = 0; i < batch->aside_count; i++)
		if (batch->asides[i].verdict == TL__PENDING)
			return true;
	return false;
}

int tl__run_write(tl__run *run)
{
	tl__batch batch;
	int code;

	find_entering(run);
	code = tl__run_set_aside(run);
	if (code == TL_OK)
		code = settle_plan(run);
	if (code == TL_OK)
		code = find_pins(run);
	if (code == TL_OK)
		code = tl__plan_batch(run->plan, &batch);
	if (code != TL_OK)
		return code;
	batch.db = run->db;
	batch.asides = run->asides;
	batch.aside_count = run->aside_count;
	batch.drop_asides = run->drops;
	batch.drop_aside_count = run->drop_count;
	if (run->page && run->take->last && !run->cut) {
		batch.locals = run->page->locals;
		batch.local_count = run->page->local_count;
	}
	if (batch.entry_count + batch.aside_count + batch.drop_aside_count + batch.local_count == 0)
		return TL_OK;
	code = tl__store_write(run->tree->store, &batch);
	if (sets_pending(&batch))
		atomic_fetch_add(&run->tree->pendings, 1);
	tl__rights_wrote(run->tree, &batch);
	if (code == TL_OK) {
		tl__quarantine_wrote(run->tree, &batch);
		note_arrivals(run, &batch);
	}
	return code;
}
