/* Sending: what a peer lacks, as a page, slice by slice. What it may hold is fixed by the first. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "tree/api/fresh.h"
#include "work/held.h"
#include "work/work_serve.h"

#define WANTED_AT_ONCE 64

struct tl__planning {
	tl__work *work;
	tl__held held;
	tl__pass pass;
	size_t bytes, line_cap, id_cap, arrival_cap;
	bool full;
	/* Arrivals of the wanted ids: looked up all, then read in order. */
	uint64_t *wanted;
	size_t wanted_count, want_at, give_at;
};

/* --- lines ------------------------------------------------------------------------------------ */

static int grow(tl__planning *p, size_t count)
{
	tl__work_plan *out = &p->work->plan;
	tl__arena *arena = &p->work->arena;
	void *lines = out->lines, *ids = out->ids, *arrivals = out->arrivals;
	int rc = tl__arena_grow(arena, &lines, &p->line_cap, count, sizeof *out->lines);

	if (rc == TL_OK)
		rc = tl__arena_grow(arena, &ids, &p->id_cap, count, sizeof *out->ids);
	if (rc == TL_OK)
		rc = tl__arena_grow(arena, &arrivals, &p->arrival_cap, count, sizeof(uint64_t));
	out->lines = lines;
	out->ids = ids;
	out->arrivals = arrivals;
	return rc;
}

/* Adds the entry to the page; `full` when it has to wait for the next one. */
static int add_line(tl__planning *p, const tl__entry_row *row)
{
	tl__work_plan *out = &p->work->plan;
	size_t need = row->bytes.len + 1;
	int rc;

	if (out->count > 0 &&
		(p->bytes + need > out->max_bytes || out->count >= out->max_entries)) {
		p->full = true;
		return TL__STORE_STOP;
	}
	rc = grow(p, out->count);
	if (rc != TL_OK)
		return rc;
	out->lines[out->count] = tl__arena_str(&p->work->arena, row->bytes);
	if (!out->lines[out->count].ptr)
		return TL_E_NOMEM;
	out->ids[out->count] = row->id;
	out->arrivals[out->count++] = row->arrival;
	p->bytes += need;
	return TL_OK;
}

/* Too large, or on top of what is left out. */
static bool cannot_be_sent(const tl__work_plan *plan, const tl__entry_row *row)
{
	const tl__map *left = &plan->left.ids;

	if (plan->max_entry_bytes == 0)
		return false;
	if (row->bytes.len + 1 > plan->max_entry_bytes || left->count >= TL__WORK_MAX_LEFT)
		return true;
	for (size_t i = 0; i < row->parent_count; i++)
		if (tl__map_has(left, tl__map_key_id(&row->parents[i])))
			return true;
	return false;
}

static int leave_out(tl__left_out *left, const tl__entry_row *row)
{
	if (left->first == 0)
		left->first = row->arrival;
	if (left->ids.count >= TL__WORK_MAX_LEFT)
		return TL_OK;
	return tl__map_set(&left->ids, tl__map_key_id(&row->id), left);
}

static int take_arrival(void *ud, const tl__entry_row *row)
{
	tl__planning *p = ud;
	tl__work_plan *out = &p->work->plan;

	return cannot_be_sent(out, row) ? leave_out(&out->left, row) : add_line(p, row);
}

/* --- what is wanted --------------------------------------------------------------------------- */

static int take_wanted(void *ud, const tl__entry_row *row)
{
	tl__planning *p = ud;

	p->wanted[p->wanted_count++] = row->arrival;
	return TL_OK;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* They come in no particular order. */
static int look_up_some(tl__snapshot *s, tl__planning *p)
{
	const tl__work_plan *in = &p->work->plan;
	size_t count = in->want_count - p->want_at;
	int rc;

	if (count > WANTED_AT_ONCE)
		count = WANTED_AT_ONCE;
	rc = tl__read_entries(s, &p->work->db, in->want + p->want_at, count, 0, take_wanted, p);
	p->want_at += count;
	p->work->rows += count;
	if (rc == TL_OK && p->want_at == in->want_count && p->wanted_count > 1)
		qsort(p->wanted, p->wanted_count, sizeof *p->wanted, compare_numbers);
	return rc;
}

static int give_wanted(tl__snapshot *s, tl__planning *p)
{
	const tl__work_plan *in = &p->work->plan;
	int rc = TL_OK;

	while (rc == TL_OK && p->want_at < in->want_count && !tl__work_spent(p->work))
		rc = look_up_some(s, p);
	while (rc == TL_OK && p->give_at < p->wanted_count && !p->full &&
		!tl__work_spent(p->work)) {
		uint64_t arrival = p->wanted[p->give_at++];
		size_t before = p->bytes;

		/* One named twice comes once. */
		if (p->give_at > 1 && p->wanted[p->give_at - 2] == arrival)
			continue;
		rc = tl__read_arrivals(s, &p->work->db, arrival, arrival, 1,
			TL__WITH_BYTES | TL__WITH_PARENTS, take_arrival, p);
		p->work->rows++;
		p->work->bytes += p->bytes - before;
	}
	return rc;
}

static bool wanted_done(const tl__planning *p)
{
	return p->full || (p->want_at == p->work->plan.want_count && p->give_at == p->wanted_count);
}

/* --- what is behind --------------------------------------------------------------------------- */

static bool behind_done(const tl__planning *p)
{
	return p->full || tl__pass_ended(&p->pass);
}

static int give_behind(tl__snapshot *s, tl__planning *p)
{
	bool stopped;
	int rc = behind_done(p) ? TL_OK : tl__held_find(&p->held, s, p->work);

	if (rc != TL_OK || !p->held.found || behind_done(p))
		return rc;
	return tl__pass_on(
		&p->pass, s, p->work, TL__WITH_BYTES | TL__WITH_PARENTS, take_arrival, p, &stopped);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int begin_behind(tl__snapshot *s, tl__planning *p)
{
	tl__work_plan *in = &p->work->plan;
	uint64_t from = in->by_tips ? 0 : in->from;
	tl_id *tips;
	size_t count;
	int rc = tl__tips_read(s, p->work, &tips, &count, NULL);

	p->pass = (tl__pass){.at = from,
		.upto = in->head > from ? in->head : from,
		.held = &p->held,
		/* By tips there is one page and no place to go on from. */
		.max_rows = in->by_tips ? SIZE_MAX : TL__WORK_MAX_SCAN,
		.skip = in->by_tips ? NULL : in->skip,
		.skip_count = in->by_tips ? 0 : in->skip_count};
	return rc == TL_OK ? tl__held_begin_beside(&p->held, in->theirs, in->their_count, from,
				     tips, count, in->head)
			   : rc;
}

static int begin(tl__snapshot *s, tl__work *work)
{
	tl__work_plan *in = &work->plan;
	tl__planning *p = tl__arena_alloc(&work->arena, 1, sizeof *p);
	tl__db_row row;
	int rc;

	if (!p)
		return TL_E_NOMEM;
	p->work = work;
	in->planning = p;
	in->to = in->from;
	rc = tl__db_read_or_none(s, &work->db, &row, &in->held);
	in->head = row.arrivals;
	if (rc == TL_OK && in->want_count == 0)
		return begin_behind(s, p);
	p->wanted = tl__arena_alloc(&work->arena, in->want_count + 1, sizeof *p->wanted);
	return rc == TL_OK && !p->wanted ? TL_E_NOMEM : rc;
}

static int end(tl__tree *tree, tl__snapshot *s, tl__planning *p)
{
	tl__work_plan *out = &p->work->plan;
	int rc = TL_OK;

	if (out->want_count == 0 && out->by_tips) {
		out->more = p->full;
	} else if (out->want_count == 0) {
		out->to = p->pass.at;
		out->more = out->to < out->head;
		rc = out->head > out->from ? tl__place_at(s, &p->work->db, out->to, &out->place)
					   : TL_OK;
	}
	if (rc == TL_OK && out->count > 0)
		rc = tl__key_mask(tree, p->work, out->keys, out->key_count, &out->key_mask);
	return rc;
}

static int slice(tl__tree *tree, tl__snapshot *s, tl__work *work)
{
	tl__work_plan *in = &work->plan;
	int rc = in->planning ? TL_OK : begin(s, work);

	if (rc == TL_OK)
		rc = in->want_count > 0 ? give_wanted(s, in->planning)
					: give_behind(s, in->planning);
	if (rc != TL_OK)
		return rc;
	work->again = in->want_count > 0 ? !wanted_done(in->planning) : !behind_done(in->planning);
	return work->again ? TL_OK : end(tree, s, in->planning);
}

int tl__work_plan_run(tl__tree *tree, tl__work *work)
{
	tl__snapshot *s = NULL;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc == TL_OK)
		rc = slice(tree, s, work);
	tl__snapshot_close(s);
	return rc;
}

static bool is_next(const tl__work *work, const tl__fresh *fresh)
{
	const tl__work_plan *in = &work->plan;

	return !in->by_tips && in->want_count == 0 && in->max_entry_bytes == 0 &&
	       in->from + 1 == fresh->arrival && tl__id_equal(&work->db, &fresh->db) &&
	       !tl__arrivals_hold(in->skip, in->skip_count, fresh->arrival);
}

static int fill_rights(tl__work *work, const tl__fresh *fresh)
{
	tl__work_plan *in = &work->plan;
	tl__work_rights rights;
	int rc =
		tl__work_rights_fill(fresh->rights, in->keys, in->key_count, &work->arena, &rights);

	in->key_mask = rc == TL_OK ? tl__rights_mask(&rights) : 0;
	return rc;
}

bool tl__work_plan_fresh(tl__work *work, const tl__fresh *fresh)
{
	tl__work_plan *out = &work->plan;
	tl_str *line = tl__arena_alloc(&work->arena, 1, sizeof *line);
	tl_id *id = tl__arena_alloc(&work->arena, 1, sizeof *id);
	uint64_t *arrival = tl__arena_alloc(&work->arena, 1, sizeof *arrival);

	if (!line || !id || !arrival || !is_next(work, fresh) || fill_rights(work, fresh) != TL_OK)
		return false;
	*line = (tl_str){fresh->bytes, fresh->len};
	*id = fresh->id;
	*arrival = out->to = out->head = out->place.n = fresh->arrival;
	memcpy(out->place.c, fresh->chain, sizeof out->place.c);
	out->lines = line;
	out->ids = id;
	out->arrivals = arrival;
	out->count = 1;
	out->held = true;
	return true;
}

void tl__work_plan_clear(tl__work_plan *plan)
{
	tl__map_free(&plan->left.ids);
	if (plan->planning)
		tl__held_free(&plan->planning->held);
}
