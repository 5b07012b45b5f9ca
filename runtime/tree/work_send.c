/* Sending: what we hold, what a peer named that we hold, and what it lacks. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/work_serve.h"
#include "wire/v1.h"

/* Which of our keys hold an Active record there. */
static int key_mask(tl__tree *tree, tl__snapshot *s, tl__work *work, const tl_key *keys,
	size_t count, uint32_t *mask)
{
	tl__work_rights rights = {0};
	int rc;

	*mask = 0;
	if (count == 0)
		return TL_OK;
	rc = tl__work_rights_of(tree, s, &work->db, keys, count, &work->arena, &rights);
	for (size_t i = 0; rc == TL_OK && i < rights.key_count && i < 32; i++)
		if (rights.keys[i].active)
			*mask |= 1u << i;
	return rc;
}

static int read_db(tl__snapshot *s, const tl_id *db, tl__db_row *row, bool *held)
{
	int rc = tl__read_database(s, db, row);

	if (rc == TL_E_DATABASE_NOT_FOUND) {
		memset(row, 0, sizeof *row);
		rc = TL_OK;
	}
	*held = row->arrivals > 0;
	return rc;
}

/* --- tips ------------------------------------------------------------------------------------- */

static int read_our_tips(tl__tree *tree, tl__snapshot *s, tl__work *work)
{
	tl__work_tips *out = &work->tips;
	tl__db_row row;
	int rc = read_db(s, &work->db, &row, &out->held);

	out->arrivals = row.arrivals;
	if (rc == TL_OK)
		rc = tl__tips_read(
			s, &work->db, &work->arena, &out->ids, &out->tip_count, out->tips_hash);
	if (rc != TL_OK || !out->held)
		return rc;
	out->id_count = out->tip_count;
	if (out->id_count > out->max_tips)
		out->id_count = out->with_ancestors ? out->max_tips : 0;
	if (out->with_ancestors)
		rc = tl__checkpoints_add(
			s, &work->db, row.arrivals, 0, &work->arena, &out->ids, &out->id_count);
	if (rc == TL_OK)
		rc = key_mask(tree, s, work, out->keys, out->key_count, &out->key_mask);
	return rc;
}

int tl__work_tips_run(tl__tree *tree, tl__work *work)
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc != TL_OK)
		return rc;
	rc = read_our_tips(tree, s, work);
	tl__snapshot_close(s);
	return rc;
}

/* --- lookup ----------------------------------------------------------------------------------- */

static void mark(tl__work_lookup *out, const tl_id *id, tl__work_found found)
{
	for (size_t i = 0; i < out->count; i++)
		if (memcmp(out->ids[i].b, id->b, TL_ID_BYTES) == 0)
			out->found[i] = found;
}

static int mark_entry(void *ud, const tl__entry_row *row)
{
	mark(ud, &row->id, TL__FOUND_DAG);
	return TL_OK;
}

static int mark_aside(void *ud, const tl__aside_row *row)
{
	mark(ud, &row->id, row->verdict == TL__PENDING ? TL__FOUND_PENDING : TL__FOUND_QUARANTINE);
	return TL_OK;
}

static int look_up(tl__snapshot *s, tl__work *work)
{
	tl__work_lookup *out = &work->lookup;
	uint8_t ours[32], given[32];
	tl__db_row row;
	bool held;
	tl_id *tips;
	size_t count;
	int rc = read_db(s, &work->db, &row, &held);

	out->arrivals = row.arrivals;
	if (rc == TL_OK)
		rc = tl__read_asides(s, &work->db, out->ids, out->count, 0, mark_aside, out);
	if (rc == TL_OK)
		rc = tl__read_entries(s, &work->db, out->ids, out->count, 0, mark_entry, out);
	if (rc == TL_OK)
		rc = tl__tips_read(s, &work->db, &work->arena, &tips, &count, ours);
	if (rc != TL_OK)
		return rc;
	/* Both lists are ascending. */
	tl__v1_tips_hash(out->ids, out->count, given);
	out->same_tips = count == out->count && memcmp(ours, given, sizeof ours) == 0;
	return TL_OK;
}

int tl__work_lookup_run(tl__tree *tree, tl__work *work)
{
	tl__work_lookup *out = &work->lookup;
	tl__snapshot *s;
	int rc;

	out->found = tl__arena_alloc(&work->arena, out->count + 1, sizeof *out->found);
	if (!out->found)
		return TL_E_NOMEM;
	rc = tl__snapshot_open(tree->store, &s);
	if (rc != TL_OK)
		return rc;
	rc = look_up(s, work);
	tl__snapshot_close(s);
	return rc;
}

/* --- plan ------------------------------------------------------------------------------------- */

typedef struct planning {
	tl__work *work;
	tl__map held; /* what the peer is known to hold above `from` */
	size_t bytes, line_cap, id_cap, arrival_cap;
	bool full;
} planning;

static int grow(planning *p, size_t count)
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
static int add_line(planning *p, const tl__entry_row *row)
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
	planning *p = ud;
	int rc = TL_OK;

	if (tl__map_has(&p->held, tl__map_key_id(&row->id)) ||
		tl__arrivals_hold(p->work->plan.skip, p->work->plan.skip_count, row->arrival))
		rc = TL_OK;
	else if (cannot_be_sent(&p->work->plan, row))
		rc = leave_out(&p->work->plan.left, row);
	else
		rc = add_line(p, row);
	if (rc == TL_OK)
		p->work->plan.to = row->arrival;
	return rc;
}

static int plan_range(tl__snapshot *s, planning *p)
{
	tl__work_plan *out = &p->work->plan;
	const tl_id *db = &p->work->db;
	int rc;

	out->to = out->from;
	if (out->from >= out->head)
		return TL_OK;
	rc = tl__ancestors_behind(s, db, out->theirs, out->their_count, out->from, &p->held);
	if (rc == TL_OK)
		rc = tl__read_arrivals(s, db, out->from + 1, out->head, TL__WORK_MAX_SCAN,
			TL__WITH_BYTES | TL__WITH_PARENTS, take_arrival, p);
	if (rc == TL_OK)
		rc = tl__place_at(s, db, out->to, &out->place);
	out->more = rc == TL_OK && out->to < out->head;
	return rc;
}

/* Exactly the arrivals that are reachable from our tips and not from theirs. */
static int plan_by_tips(tl__snapshot *s, planning *p)
{
	tl__work_plan *out = &p->work->plan;
	uint64_t *arrivals = NULL;
	size_t count = 0, tip_count;
	tl_id *tips;
	int rc = tl__tips_read(s, &p->work->db, &p->work->arena, &tips, &tip_count, NULL);

	if (rc == TL_OK)
		rc = tl__lacks(s, &p->work->db, tips, tip_count, out->theirs, out->their_count,
			&arrivals, &count);
	for (size_t i = 0; rc == TL_OK && !p->full && i < count; i++)
		rc = tl__read_arrivals(s, &p->work->db, arrivals[i], arrivals[i], 1, TL__WITH_BYTES,
			take_arrival, p);
	out->to = out->from;
	out->more = p->full;
	tl__free(arrivals);
	return rc;
}

/* Fills in arrival numbers of the wanted ids, which come in no particular order. */
typedef struct wanted {
	uint64_t *arrivals;
	size_t count;
} wanted;

static int take_wanted(void *ud, const tl__entry_row *row)
{
	wanted *to = ud;

	to->arrivals[to->count++] = row->arrival;
	return TL_OK;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int plan_wanted(tl__snapshot *s, planning *p)
{
	tl__work_plan *out = &p->work->plan;
	wanted found = {0};
	int rc;

	out->to = out->from;
	found.arrivals = tl__arena_alloc(&p->work->arena, out->want_count, sizeof *found.arrivals);
	if (!found.arrivals)
		return TL_E_NOMEM;
	rc = tl__read_entries(s, &p->work->db, out->want, out->want_count, 0, take_wanted, &found);
	if (rc != TL_OK)
		return rc;
	qsort(found.arrivals, found.count, sizeof *found.arrivals, compare_numbers);
	for (size_t i = 0; rc == TL_OK && !p->full && i < found.count; i++)
		rc = tl__read_arrivals(s, &p->work->db, found.arrivals[i], found.arrivals[i], 1,
			TL__WITH_BYTES | TL__WITH_PARENTS, take_arrival, p);
	out->to = out->from;
	return rc;
}

static int make_plan(tl__tree *tree, tl__snapshot *s, planning *p)
{
	tl__work_plan *out = &p->work->plan;
	tl__db_row row;
	int rc = read_db(s, &p->work->db, &row, &out->held);

	out->head = row.arrivals;
	if (rc != TL_OK)
		return rc;
	if (out->want_count > 0)
		rc = plan_wanted(s, p);
	else if (out->by_tips)
		rc = plan_by_tips(s, p);
	else
		rc = plan_range(s, p);
	if (rc == TL_OK && out->count > 0)
		rc = key_mask(tree, s, p->work, out->keys, out->key_count, &out->key_mask);
	return rc;
}

int tl__work_plan_run(tl__tree *tree, tl__work *work)
{
	planning p = {.work = work};
	tl__snapshot *s;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc != TL_OK)
		return rc;
	tl__map_init(&p.held);
	rc = make_plan(tree, s, &p);
	tl__map_free(&p.held);
	tl__snapshot_close(s);
	return rc;
}
