/* Places in our order, and the tips that are ours. */
#include <string.h>
#include "base/fail.h"
#include "tree/history/tips_cache.h"
#include "work/work_serve.h"
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

static int read_tips(tl__snapshot *s, tl__work *work, uint64_t arrivals, tl__tips *out)
{
	struct id_list list = {.arena = &work->arena};
	int rc = tl__read_tips(s, &work->db, TL__STR(""), add_id, &list);

	*out = (tl__tips){list.ids, list.count, {0}};
	if (rc != TL_OK)
		return rc;
	tl__v1_tips_hash(out->ids, out->count, out->sha256);
	tl__tips_cache_put(work->tree->tips, &work->db, arrivals, out);
	return TL_OK;
}

int tl__tips_read(tl__snapshot *s, tl__work *work, tl_id **ids, size_t *count, uint8_t sha256[32])
{
	tl__tips tips = {NULL, 0, {0}};
	bool kept = false;
	tl__db_row row = {.arrivals = 0};
	int rc = tl__read_database(s, &work->db, &row);

	if (rc == TL_OK)
		rc = tl__tips_cache_get(
			work->tree->tips, &work->db, row.arrivals, &work->arena, &tips, &kept);
	else if (rc == TL_E_DATABASE_NOT_FOUND)
		rc = TL_OK;
	if (rc == TL_OK && !kept)
		rc = read_tips(s, work, row.arrivals, &tips);
	if (rc != TL_OK)
		return rc;
	*ids = tips.ids;
	*count = tips.count;
	if (sha256)
		memcpy(sha256, tips.sha256, sizeof tips.sha256);
	return TL_OK;
}
