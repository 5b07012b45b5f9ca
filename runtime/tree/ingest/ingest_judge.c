/* States of the items of a turn: of all at once or, where somebody may come to wait, of a piece at
 * a time.
 *
 * First every entry is judged as if the signatures before it were good; then all signatures are
 * verified at once; then verdicts are taken in order. From the first that proves wrong on, entries
 * are judged again, one by one, with the signatures known by then. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/ingest/ingest_run.h"
#include "tree/trust/signers.h"

static tl__place place_of(void *ud, const tl_id *id, tl_entry **entry)
{
	const tl__item *item = tl__run_find(ud, id);

	*entry = NULL;
	if (item == &tl__mark_pending)
		return TL__PLACE_OPEN;
	if (!tl__item_real(item))
		return TL__PLACE_STORED;
	if (item->state != TL__ITEM_GOOD && (item->state != TL__ITEM_BAD || item->hollow))
		return TL__PLACE_OPEN;
	*entry = item->entry;
	return item->state == TL__ITEM_GOOD ? TL__PLACE_GOOD : TL__PLACE_BAD;
}

/* --- what is missing -------------------------------------------------------------------------- */

/* Keeps the ids, each once, in the arena. */
static int set_waits(tl__run *run, tl__item *item, const tl_id *db, const tl__buf *ids)
{
	size_t count = ids->len / TL_ID_BYTES;
	tl_id *waits = tl__arena_alloc(&run->arena, count + 1, sizeof *waits);

	if (!waits)
		return TL_E_NOMEM;
	if (count > 0)
		memcpy(waits, ids->ptr, ids->len);
	item->waits = waits;
	item->wait_count = tl__ids_unique(waits, count);
	item->waits_db = *db;
	return TL_OK;
}

/* Gathers named ids that are not judged. A hollow one hands on what it lacks. */
static bool gather_waits(const tl__run *run, const tl__item *item, tl__buf *ids)
{
	bool declined = false;

	for (size_t i = 0; i < item->name_count; i++) {
		const tl__item *named = tl__run_find(run, &item->names[i]);

		if (named == &tl__mark_declined || named->state == TL__ITEM_DECLINED)
			declined = true;
		else if (named->hollow)
			tl__buf_append(ids, named->waits, named->wait_count * sizeof *named->waits);
		else if (named == &tl__mark_pending || named == &tl__mark_unknown ||
			 named->state == TL__ITEM_PENDING)
			tl__buf_append(ids, &item->names[i], sizeof item->names[i]);
	}
	return declined;
}

/* Whether the item cannot be judged yet; it has its state then. */
static int check_names(tl__run *run, tl__item *item, bool *held_up)
{
	tl__buf ids = TL__BUF_INIT;
	bool declined = gather_waits(run, item, &ids);
	int code = tl__buf_status(&ids);

	*held_up = declined || ids.len > 0;
	if (code == TL_OK && ids.len > 0)
		code = set_waits(run, item, &run->db, &ids);
	tl__buf_free(&ids);
	if (item->fixed) {
		item->hollow = *held_up;
		*held_up = true;
	} else if (declined) {
		item->state = TL__ITEM_DECLINED;
		item->reason = TL_E_PARENT_DECLINED;
	} else if (*held_up) {
		item->state = TL__ITEM_PENDING;
		item->reason = TL_E_WAITS_FOR_PARENT;
	}
	return code;
}

static int wait_for_cited(tl__run *run, tl__item *item, const tl__cite *waits)
{
	tl__buf ids = TL__BUF_INIT;
	int code;

	tl__buf_append(&ids, waits->tips, waits->count * sizeof *waits->tips);
	code = tl__buf_status(&ids);
	if (code == TL_OK)
		code = set_waits(run, item, &waits->db, &ids);
	tl__buf_free(&ids);
	item->state = TL__ITEM_PENDING;
	item->reason = TL_E_WAITS_FOR_DATABASE;
	return code;
}

/* --- the plan --------------------------------------------------------------------------------- */

int tl__run_plan(tl__run *run, tl__item *item)
{
	size_t at = tl__plan_count(run->plan);
	int code = tl__plan_add(
		run->plan, item->entry, item->state == TL__ITEM_GOOD ? TL__VERIFIED : TL__VOID);

	if (code != TL_OK)
		return code;
	item->planned = true;
	item->planned_at = at;
	return item->state == TL__ITEM_GOOD && item->opinion
		       ? tl__plan_cites(run->plan, item->opinion->cites, item->opinion->cite_count)
		       : TL_OK;
}

/* Puts into the plan, as void ones, the entries named here that are not good, and what those name
 * in turn: settings are looked up through them. */
static int plan_named(tl__run *run, tl__item *from)
{
	tl__buf stack = TL__BUF_INIT;
	int code = TL_OK;

	from->next = 0;
	tl__buf_append(&stack, (const void *)&from, sizeof(tl__item *));
	while ((code = code == TL_OK ? tl__buf_status(&stack) : code) == TL_OK && stack.len > 0) {
		tl__item *top =
			((tl__item **)(void *)stack.ptr)[stack.len / sizeof(tl__item *) - 1];
		tl__item *below = NULL;

		while (top->next < top->name_count && !below) {
			below = tl__run_find(run, &top->names[top->next++]);
			if (!tl__item_real(below) || below->planned)
				below = NULL;
		}
		if (below) {
			below->next = 0;
			tl__buf_append(&stack, (const void *)&below, sizeof(tl__item *));
			continue;
		}
		if (top != from)
			code = tl__run_plan(run, top);
		stack.len -= sizeof(tl__item *);
	}
	tl__buf_free(&stack);
	return code;
}

/* Takes back everything from this item's turn on, as far as the order is judged. */
static void take_back(tl__run *run, size_t from, size_t to)
{
	size_t keep = run->order[from]->planned_before;

	tl__plan_undo(run->plan, tl__plan_count(run->plan) - keep);
	for (size_t i = from; i < to; i++) {
		tl__item *item = run->order[i];

		item->planned = false;
		item->hollow = false;
		if (!item->fixed) {
			item->state = TL__ITEM_OPEN;
			item->wait_count = 0;
		}
	}
	/* Void ones from before may have been planned for later ones. */
	for (size_t i = 0; i < from; i++) {
		tl__item *item = run->order[i];

		if (item->planned && item->planned_at >= keep)
			item->planned = false;
	}
}

/* --- one by one ------------------------------------------------------------------------------- */

static void refuse(tl__item *item, int reason)
{
	item->state = TL__ITEM_BAD;
	item->reason = reason;
}

static int keep_opinion(tl__run *run, tl__item *item, const tl__opinion *opinion)
{
	item->key = opinion->signer.key;
	tl__signers_note(run->tree->signers, item->entry, &item->key);
	memcpy(item->signature, opinion->signature, sizeof item->signature);
	if (opinion->cite_count == 0)
		return TL_OK;
	if (!item->opinion)
		item->opinion = tl__arena_alloc(&run->arena, 1, sizeof *item->opinion);
	if (!item->opinion)
		return TL_E_NOMEM;
	*item->opinion = *opinion;
	return TL_OK;
}

/* Everything but the signature and the age of citations: a good one is only good for now. */
static int judge(tl__run *run, tl__item *item)
{
	tl__opinion opinion;
	bool held_up;
	int code;

	item->planned_before = tl__plan_count(run->plan);
	code = check_names(run, item, &held_up);
	if (code != TL_OK || held_up)
		return code;
	code = plan_named(run, item);
	if (code == TL_OK)
		code = tl__judge_entry(&run->judge, item->entry, &opinion);
	if (code != TL_OK)
		return code;
	if (opinion.standing == TL__WAITS)
		return wait_for_cited(run, item, &opinion.waits);
	if (opinion.standing == TL__NOT_GOOD) {
		refuse(item, opinion.reason);
		return TL_OK;
	}
	if (item->checked && !tl__key_equal(&item->key, &opinion.signer.key))
		item->checked = false;
	item->state = TL__ITEM_GOOD;
	return keep_opinion(run, item, &opinion);
}

/* The rest: what is wrong with it is told by the state. */
static int confirm(tl__run *run, tl__item *item)
{
	bool stale = false;
	int code = TL_OK;

	if (!item->checked) {
		code = tl_entry_verify(item->entry, &item->key);
		if (code == TL_E_NOMEM)
			return code;
		item->checked = true;
		item->genuine = code == TL_OK;
		code = TL_OK;
	}
	if (!item->genuine) {
		refuse(item, TL_E_BAD_SIGNATURE);
		return TL_OK;
	}
	if (item->opinion)
		code = tl__judge_citations(&run->judge, item->entry, item->opinion, &stale);
	if (stale)
		refuse(item, TL_E_INVALID_TIP);
	return code;
}

/* --- signatures ------------------------------------------------------------------------------- */

typedef struct signatures {
	tl__verify_job *jobs;
	tl__item **items;
	size_t count;
} signatures;

static int add_job(signatures *s, tl__item *item)
{
	tl__verify_job *job = &s->jobs[s->count];
	char *message;
	size_t len;
	int code;

	memset(job, 0, sizeof *job);
	job->key = item->key;
	memcpy(job->signature, item->signature, sizeof job->signature);
	code = tl_entry_signing_bytes(item->entry, &message, &len);
	if (code != TL_OK)
		return code;
	job->message = (tl_str){message, len};
	s->items[s->count++] = item;
	return TL_OK;
}

static int verify_all(tl__run *run, size_t from, size_t to)
{
	signatures s = {.jobs = tl__alloc((to - from + 1) * sizeof *s.jobs),
		.items = tl__alloc((to - from + 1) * sizeof(tl__item *))};
	int code = s.jobs && s.items ? TL_OK : TL_E_NOMEM;

	for (size_t i = from; i < to && code == TL_OK; i++)
		if (run->order[i]->state == TL__ITEM_GOOD && !run->order[i]->checked)
			code = add_job(&s, run->order[i]);
	if (code == TL_OK)
		tl__verify_batch(run->tree->pool, s.jobs, s.count);
	for (size_t i = 0; i < s.count; i++) {
		s.items[i]->checked = code == TL_OK;
		s.items[i]->genuine = s.jobs[i].good;
		tl_free((char *)s.jobs[i].message.ptr);
	}
	tl__free(s.jobs);
	tl__free((void *)s.items);
	return code;
}

/* Named entries of the DAG, asked for in one go. */
static int prefetch(tl__run *run)
{
	tl__buf ids = TL__BUF_INIT;
	int code;

	for (size_t i = 0; i < run->order_count; i++)
		for (size_t k = 0; k < run->order[i]->name_count; k++)
			if (tl__run_find(run, &run->order[i]->names[k]) == &tl__mark_in_dag)
				tl__buf_append(&ids, &run->order[i]->names[k], TL_ID_BYTES);
	code = tl__buf_status(&ids);
	if (code == TL_OK && ids.len > 0)
		code = tl__plan_prefetch(
			run->plan, (const tl_id *)(const void *)ids.ptr, ids.len / TL_ID_BYTES);
	tl__buf_free(&ids);
	return code;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* From here on every verdict is final when it is taken. */
static int judge_strictly(tl__run *run, size_t from, size_t to)
{
	int code = TL_OK;

	for (size_t i = from; i < to && code == TL_OK; i++) {
		tl__item *item = run->order[i];

		code = judge(run, item);
		if (code == TL_OK && item->state == TL__ITEM_GOOD && !item->fixed)
			code = confirm(run, item);
		if (code == TL_OK && item->state == TL__ITEM_GOOD)
			code = tl__run_plan(run, item);
	}
	return code;
}

/* Judges some of the order, behind those that are judged. */
static int judge_some(tl__run *run, size_t from, size_t to)
{
	int code = TL_OK;

	for (size_t i = from; i < to && code == TL_OK; i++) {
		code = judge(run, run->order[i]);
		if (code == TL_OK && run->order[i]->state == TL__ITEM_GOOD)
			code = tl__run_plan(run, run->order[i]);
	}
	if (code == TL_OK)
		code = verify_all(run, from, to);
	for (size_t i = from; i < to && code == TL_OK; i++) {
		if (run->order[i]->state != TL__ITEM_GOOD)
			continue;
		code = confirm(run, run->order[i]);
		if (code == TL_OK && run->order[i]->state != TL__ITEM_GOOD) {
			take_back(run, i, to);
			return judge_strictly(run, i, to);
		}
	}
	return code;
}

/* Where a piece that begins here ends. What only comes along, being judged before, counts for
 * nothing: else there would be no progress. */
static size_t piece_end(const tl__run *run, size_t from)
{
	size_t bytes = 0, count = 0, to = from;

	while (to < run->order_count && count < tl__piece_entries(run->take) &&
		bytes < TL__INGEST_PIECE_BYTES) {
		const tl__item *item = run->order[to++];

		count += !item->fixed;
		bytes += item->fixed ? 0 : tl_entry_bytes(item->entry).len;
	}
	return to;
}

/* The rest is for a later turn: lines by the page, the others by their ids. What older rules
 * refused may be what somebody waits for, like what is pending. */
static int leave_rest(tl__run *run, size_t from)
{
	int code = TL_OK;

	for (size_t i = from; i < run->order_count && code == TL_OK; i++) {
		tl__item *item = run->order[i];

		item->left = true;
		if (item->origin != TL__FROM_LINE && !item->fixed)
			code = tl__foreign_add(
				&run->arena, &run->later, &run->db, tl_entry_id(item->entry));
	}
	run->order_count = from;
	run->cut = true;
	return code;
}

int tl__run_judge(tl__run *run)
{
	tl__judge *j = &run->judge;
	int code = tl__plan_new(&run->plan, run->tree, run->snapshot, &run->db);

	j->tree = run->tree;
	j->snapshot = run->snapshot;
	j->db = run->db;
	j->plan = run->plan;
	j->place = place_of;
	j->ud = run;
	if (code == TL_OK)
		code = prefetch(run);
	for (size_t from = 0, to; from < run->order_count && code == TL_OK; from = to) {
		if (from > 0 && tl__others_wait(&run->take->others))
			return leave_rest(run, from);
		to = run->take->others.wait ? piece_end(run, from) : run->order_count;
		code = judge_some(run, from, to);
	}
	return code;
}
