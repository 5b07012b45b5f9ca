/* Walks over the main-parent DAG for the serving works. Parents arrive before their children, so
 * going down by arrival number meets every entry after all of its descendants. */
#include "base/fail.h"
#include "base/mem.h"
#include "tree/work_serve.h"
#include "wire/v1.h"

/* --- places ----------------------------------------------------------------------------------- */

struct place_read {
	tl__work_place *place;
	bool found;
};

static int take_place(void *ud, const tl__entry_row *row)
{
	struct place_read *read = ud;

	read->place->n = row->arrival;
	memcpy(read->place->c, row->chain, sizeof read->place->c);
	read->found = true;
	return TL__STORE_STOP;
}

int tl__place_at(tl__snapshot *s, const tl_id *db, uint64_t n, tl__work_place *out)
{
	struct place_read read = {out, n == 0};
	int rc = TL_OK;

	*out = (tl__work_place){0};
	if (n > 0)
		rc = tl__read_arrivals(s, db, n, n, 1, TL__WITH_CHAIN, take_place, &read);
	if (rc == TL_OK && !read.found)
		rc = tl__fail(TL_E_NOT_FOUND, "there is no arrival %llu", (unsigned long long)n);
	return rc;
}

int tl__place_valid(tl__snapshot *s, const tl_id *db, const tl__work_place *place, bool *valid)
{
	tl__work_place ours;
	int rc = tl__place_at(s, db, place->n, &ours);

	*valid = rc == TL_OK && memcmp(ours.c, place->c, sizeof ours.c) == 0;
	return rc == TL_E_NOT_FOUND ? TL_OK : rc;
}

/* --- tips ------------------------------------------------------------------------------------- */

struct id_list {
	tl__arena *arena;
	tl_id *ids;
	size_t count, cap;
};

static int add_id(void *ud, const tl_id *id)
{
	struct id_list *list = ud;
	void *array = list->ids;
	int rc = tl__arena_grow(list->arena, &array, &list->cap, list->count, sizeof *id);

	list->ids = array;
	if (rc == TL_OK)
		list->ids[list->count++] = *id;
	return rc;
}

int tl__tips_read(tl__snapshot *s, const tl_id *db, tl__arena *arena, tl_id **ids, size_t *count,
	uint8_t sha256[32])
{
	struct id_list list = {.arena = arena};
	int rc = tl__read_tips(s, db, TL__STR(""), add_id, &list);

	if (rc != TL_OK)
		return rc;
	*ids = list.ids;
	*count = list.count;
	if (sha256)
		tl__v1_tips_hash(list.ids, list.count, sha256);
	return TL_OK;
}

/* --- ancestors behind a place ----------------------------------------------------------------- */

#define STEP 256 /* ids asked for at once */

struct climb {
	tl__map *held;
	uint64_t from;
	tl_id *queue; /* grown by doubling */
	size_t count, cap;
};

static int push_id(struct climb *climb, const tl_id *id)
{
	if (climb->count == climb->cap) {
		size_t cap = climb->cap ? climb->cap * 2 : STEP;
		tl_id *queue = tl__resize(climb->queue, cap, sizeof *queue);

		if (!queue)
			return TL_E_NOMEM;
		climb->queue = queue;
		climb->cap = cap;
	}
	climb->queue[climb->count++] = *id;
	return TL_OK;
}

static int meet(void *ud, const tl__entry_row *row)
{
	struct climb *climb = ud;
	int rc;

	if (row->arrival <= climb->from || tl__map_has(climb->held, tl__map_key_id(&row->id)))
		return TL_OK;
	rc = tl__map_set(climb->held, tl__map_key_id(&row->id), NULL);
	for (size_t i = 0; i < row->parent_count && rc == TL_OK; i++)
		if (!tl__map_has(climb->held, tl__map_key_id(&row->parents[i])))
			rc = push_id(climb, &row->parents[i]);
	return rc;
}

int tl__ancestors_behind(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
	uint64_t from, tl__map *held)
{
	struct climb climb = {.held = held, .from = from};
	size_t at = 0;
	int rc = TL_OK;

	for (size_t i = 0; i < count && rc == TL_OK; i++)
		rc = push_id(&climb, &ids[i]);
	while (rc == TL_OK && at < climb.count && held->count < TL__WORK_MAX_FILTER) {
		tl_id step[STEP];
		size_t n = climb.count - at < STEP ? climb.count - at : STEP;

		memcpy(step, climb.queue + at, n * sizeof *step);
		at += n;
		rc = tl__read_entries(s, db, step, n, TL__WITH_PARENTS, meet, &climb);
	}
	tl__free(climb.queue);
	return rc;
}

/* --- what the other side lacks ---------------------------------------------------------------- */

struct met {
	uint64_t arrival;
	tl_id id;
	bool theirs;
};

struct slot {
	struct met *met;
};

struct difference {
	tl__map met;       /* id -> struct met */
	struct slot *heap; /* largest arrival first */
	size_t count, cap;
	size_t open; /* of them: not theirs */
	bool theirs; /* what is being added */
	tl__arena arena;
	uint64_t *lacks;
	size_t lack_count, lack_cap;
};

static void swap(struct slot *a, struct slot *b)
{
	struct slot kept = *a;

	*a = *b;
	*b = kept;
}

static int heap_push(struct difference *d, struct met *met)
{
	if (d->count == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 64;
		struct slot *heap = tl__resize(d->heap, cap, sizeof *heap);

		if (!heap)
			return TL_E_NOMEM;
		d->heap = heap;
		d->cap = cap;
	}
	d->heap[d->count].met = met;
	for (size_t i = d->count++;
		i > 0 && d->heap[(i - 1) / 2].met->arrival < d->heap[i].met->arrival;
		i = (i - 1) / 2)
		swap(&d->heap[(i - 1) / 2], &d->heap[i]);
	return TL_OK;
}

static struct met *heap_pop(struct difference *d)
{
	struct met *top = d->heap[0].met;
	size_t i = 0;

	d->heap[0] = d->heap[--d->count];
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= d->count)
			break;
		if (child + 1 < d->count &&
			d->heap[child + 1].met->arrival > d->heap[child].met->arrival)
			child++;
		if (d->heap[i].met->arrival >= d->heap[child].met->arrival)
			break;
		swap(&d->heap[i], &d->heap[child]);
		i = child;
	}
	return top;
}

static int add_met(void *ud, const tl__entry_row *row)
{
	struct difference *d = ud;
	struct met *met = tl__map_get(&d->met, tl__map_key_id(&row->id));
	int rc;

	if (met) {
		if (d->theirs && !met->theirs)
			d->open--;
		met->theirs |= d->theirs;
		return TL_OK;
	}
	met = tl__arena_alloc(&d->arena, 1, sizeof *met);
	if (!met)
		return TL_E_NOMEM;
	*met = (struct met){row->arrival, row->id, d->theirs};
	rc = tl__map_set(&d->met, tl__map_key_id(&row->id), met);
	if (rc == TL_OK)
		rc = heap_push(d, met);
	if (rc == TL_OK && !met->theirs)
		d->open++;
	return rc;
}

static int add_all(struct difference *d, tl__snapshot *s, const tl_id *db, const tl_id *ids,
	size_t count, bool theirs)
{
	d->theirs = theirs;
	return count ? tl__read_entries(s, db, ids, count, 0, add_met, d) : TL_OK;
}

static int note_lack(struct difference *d, uint64_t arrival)
{
	if (d->lack_count == d->lack_cap) {
		size_t cap = d->lack_cap ? d->lack_cap * 2 : 256;
		uint64_t *lacks = tl__resize(d->lacks, cap, sizeof *lacks);

		if (!lacks)
			return TL_E_NOMEM;
		d->lacks = lacks;
		d->lack_cap = cap;
	}
	d->lacks[d->lack_count++] = arrival;
	return TL_OK;
}

struct parents {
	tl_id *ids;
	size_t count;
};

static int take_parents(void *ud, const tl__entry_row *row)
{
	struct parents *parents = ud;

	parents->ids = (tl_id *)(void *)tl__copy_bytes(
		(const char *)row->parents, row->parent_count * sizeof *row->parents);
	parents->count = row->parent_count;
	return parents->ids ? TL_OK : TL_E_NOMEM;
}

static int step_down(struct difference *d, tl__snapshot *s, const tl_id *db)
{
	struct met *met = heap_pop(d);
	struct parents parents = {NULL, 0};
	int rc = TL_OK;

	if (!met->theirs) {
		d->open--;
		rc = note_lack(d, met->arrival);
	}
	if (rc == TL_OK)
		rc = tl__read_entries(s, db, &met->id, 1, TL__WITH_PARENTS, take_parents, &parents);
	if (rc == TL_OK)
		rc = add_all(d, s, db, parents.ids, parents.count, met->theirs);
	tl__free(parents.ids);
	return rc;
}

static void reverse(uint64_t *numbers, size_t count)
{
	for (size_t i = 0; i < count / 2; i++) {
		uint64_t kept = numbers[i];

		numbers[i] = numbers[count - 1 - i];
		numbers[count - 1 - i] = kept;
	}
}

int tl__lacks(tl__snapshot *s, const tl_id *db, const tl_id *ours, size_t our_count,
	const tl_id *theirs, size_t their_count, uint64_t **out, size_t *count)
{
	struct difference d = {.arena = TL__ARENA_INIT};
	int rc;

	tl__map_init(&d.met);
	rc = add_all(&d, s, db, theirs, their_count, true);
	if (rc == TL_OK)
		rc = add_all(&d, s, db, ours, our_count, false);
	while (rc == TL_OK && d.open > 0)
		rc = step_down(&d, s, db);
	if (rc == TL_OK) {
		/* Met from the newest down. */
		reverse(d.lacks, d.lack_count);
		*out = d.lacks;
		*count = d.lack_count;
		d.lacks = NULL;
	}
	tl__free(d.lacks);
	tl__free(d.heap);
	tl__map_free(&d.met);
	tl__arena_free(&d.arena);
	return rc;
}
