/* Going down from tips by number of arrival: parents arrive before their children, so every entry
 * is met after all of its descendants. A joint ends the search: all before it is held. */
#include "work/held.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "model/ids.h"

#define LOOK_UP 64 /* ids asked for at once */

/* --- numbers to be met ------------------------------------------------------------------------ */

static int push(tl__held *h, uint64_t arrival)
{
	size_t i = h->open_count;
	uint64_t *open;

	if (h->open_count == TL__HELD_MAX)
		return TL_OK;
	open = tl__grow(h->open, h->open_count, &h->open_cap, sizeof *open);
	if (!open)
		return TL_E_NOMEM;
	h->open = open;
	h->open_count++;
	for (; i > 0 && h->open[(i - 1) / 2] < arrival; i = (i - 1) / 2)
		h->open[i] = h->open[(i - 1) / 2];
	h->open[i] = arrival;
	return TL_OK;
}

static void drop_largest(tl__held *h)
{
	uint64_t last = h->open[--h->open_count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->open_count) {
		if (child + 1 < h->open_count && h->open[child + 1] > h->open[child])
			child++;
		if (h->open[child] <= last)
			break;
		h->open[i] = h->open[child];
		i = child;
	}
	if (h->open_count > 0)
		h->open[i] = last;
}

static uint64_t pop(tl__held *h)
{
	uint64_t largest = h->open[0];

	while (h->open_count > 0 && h->open[0] == largest)
		drop_largest(h);
	return largest;
}

/* --- the search ------------------------------------------------------------------------------- */

static int meet_later(void *ud, const tl__entry_row *row)
{
	tl__held *h = ud;

	return row->arrival > h->from ? push(h, row->arrival) : TL_OK;
}

static size_t ids_left(const tl__held *h)
{
	return h->ids.len / TL_ID_BYTES - h->at;
}

static int look_up(tl__held *h, tl__snapshot *s, tl__work *work)
{
	const tl_id *ids = (const tl_id *)(const void *)h->ids.ptr + h->at;
	size_t count = ids_left(h) < LOOK_UP ? ids_left(h) : LOOK_UP;

	h->at += count;
	work->rows += count;
	return tl__read_entries(s, &work->db, ids, count, 0, meet_later, h);
}

static int take_parents(void *ud, const tl__entry_row *row)
{
	tl__held *h = ud;

	tl__buf_append(&h->ids, row->parents, row->parent_count * sizeof *row->parents);
	return tl__buf_status(&h->ids);
}

static int note(tl__held *h, uint64_t arrival)
{
	uint64_t *arrivals = tl__grow(h->arrivals, h->count, &h->cap, sizeof *arrivals);

	if (!arrivals)
		return TL_E_NOMEM;
	h->arrivals = arrivals;
	h->arrivals[h->count++] = arrival;
	return TL_OK;
}

/* They were met from the newest down. */
static void end_search(tl__held *h)
{
	for (size_t i = 0; i < h->count / 2; i++) {
		uint64_t kept = h->arrivals[i];

		h->arrivals[i] = h->arrivals[h->count - 1 - i];
		h->arrivals[h->count - 1 - i] = kept;
	}
	tl__buf_free(&h->ids);
	tl__free(h->open);
	h->open = NULL;
	h->open_count = h->open_cap = 0;
	h->found = true;
}

/* Whether all before this arrival is among its ancestors, as far as is noted. */
static int at_joint(tl__held *h, tl__snapshot *s, tl__work *work, uint64_t arrival, bool *joint)
{
	int rc = TL_OK;

	if (!h->has_joint || arrival < h->joint) {
		work->rows++;
		rc = tl__read_joint(s, &work->db, arrival, &h->joint);
	}
	h->has_joint = rc == TL_OK;
	*joint = rc == TL_OK && h->joint == arrival;
	return rc;
}

static int step(tl__held *h, tl__snapshot *s, tl__work *work)
{
	uint64_t arrival;
	bool joint;
	int rc;

	if (ids_left(h) > 0)
		return look_up(h, s, work);
	if (h->open_count == 0 || h->count == TL__HELD_MAX) {
		end_search(h);
		return TL_OK;
	}
	arrival = pop(h);
	rc = at_joint(h, s, work, arrival, &joint);
	if (rc == TL_OK && joint) {
		h->from = arrival;
		end_search(h);
		return TL_OK;
	}
	if (rc == TL_OK)
		rc = note(h, arrival);
	tl__buf_clear(&h->ids);
	h->at = 0;
	work->rows++;
	if (rc == TL_OK)
		rc = tl__read_arrivals(
			s, &work->db, arrival, arrival, 1, TL__WITH_PARENTS, take_parents, h);
	return rc;
}

int tl__held_find(tl__held *held, tl__snapshot *s, tl__work *work)
{
	int rc = TL_OK;

	while (rc == TL_OK && !held->found && !tl__work_spent(work))
		rc = step(held, s, work);
	return rc;
}

int tl__held_begin(tl__held *held, const tl_id *tips, size_t count, uint64_t from)
{
	*held = (tl__held){.from = from, .ids = TL__BUF_INIT};
	tl__buf_append(&held->ids, tips, count * sizeof *tips);
	return tl__buf_status(&held->ids);
}

int tl__held_begin_beside(tl__held *held, const tl_id *tips, size_t count, uint64_t from,
	const tl_id *ours, size_t our_count, uint64_t head)
{
	int rc = tl__held_begin(held, tips, count, from);

	if (rc != TL_OK || count == 0 || count != our_count)
		return rc;
	qsort(held->ids.ptr, count, TL_ID_BYTES, tl__id_compare);
	if (memcmp(held->ids.ptr, ours, count * TL_ID_BYTES) == 0) {
		held->from = head;
		end_search(held);
	}
	return TL_OK;
}

void tl__held_free(tl__held *held)
{
	tl__free(held->arrivals);
	tl__free(held->open);
	tl__buf_free(&held->ids);
	*held = (tl__held){0};
}

/* --- a pass over the rest --------------------------------------------------------------------- */

/* The first arrival held at or behind this one. */
static size_t held_from(const tl__held *h, uint64_t arrival)
{
	size_t low = 0, high = h->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (h->arrivals[middle] < arrival)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool leave_out(tl__pass *p)
{
	const tl__held *h = p->held;
	uint64_t before = p->at;

	if (p->at < h->from)
		p->at = h->from;
	for (size_t i = held_from(h, p->at + 1); i < h->count && h->arrivals[i] == p->at + 1; i++)
		p->at++;
	for (size_t i = 0; i < p->skip_count; i++)
		if (p->skip[i].from <= p->at && p->at < p->skip[i].to)
			p->at = p->skip[i].to;
	return p->at > before;
}

/* Of the arrivals behind `at` that are to be read, the last one of the first run; 0 at the end. */
static uint64_t next_run(tl__pass *p)
{
	const tl__held *h = p->held;
	uint64_t last = p->upto;
	size_t next;

	while (leave_out(p))
		;
	if (p->at >= p->upto) {
		p->at = p->upto;
		return 0;
	}
	next = held_from(h, p->at + 1);
	if (next < h->count && h->arrivals[next] <= last)
		last = h->arrivals[next] - 1;
	for (size_t i = 0; i < p->skip_count; i++)
		if (p->skip[i].from > p->at && p->skip[i].from < last)
			last = p->skip[i].from;
	return last;
}

typedef struct reading {
	tl__pass *pass;
	tl__work *work;
	tl__pass_visit visit;
	void *ud;
	bool stopped;
} reading;

static int on_row(void *ud, const tl__entry_row *row)
{
	reading *r = ud;
	int rc = r->visit(r->ud, row);

	r->work->rows++;
	r->work->bytes += row->bytes.len;
	r->pass->rows++;
	r->stopped = rc == TL__STORE_STOP;
	if (rc != TL_OK)
		return rc;
	r->pass->at = row->arrival;
	return tl__work_spent(r->work) || tl__pass_ended(r->pass) ? TL__STORE_STOP : TL_OK;
}

int tl__pass_on(tl__pass *pass, tl__snapshot *s, tl__work *work, unsigned with,
	tl__pass_visit visit, void *ud, bool *stopped)
{
	reading r = {pass, work, visit, ud, false};
	uint64_t last;
	int rc = TL_OK;

	while (rc == TL_OK && !r.stopped && !tl__work_spent(work) && !tl__pass_ended(pass) &&
		(last = next_run(pass)) > 0) {
		uint64_t before = pass->at;

		rc = tl__read_arrivals(
			s, &work->db, before + 1, last, TL__WORK_SLICE_ROWS, with, on_row, &r);
		if (pass->at == before && !r.stopped)
			pass->at = last; /* there are none */
	}
	*stopped = r.stopped;
	return rc;
}

bool tl__arrivals_hold(const tl__arrivals *ranges, size_t count, uint64_t arrival)
{
	for (size_t i = 0; i < count; i++)
		if (arrival > ranges[i].from && arrival <= ranges[i].to)
			return true;
	return false;
}
