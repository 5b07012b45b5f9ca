/* Checkpoints: ids of ours for a 0.2.0 node, which walks from its tips down the parents until it
 * meets an id that was named, and sends all that it passed. */
#include <string.h>
#include "v0/work/works.h"

typedef struct id_list {
	tl__arena *arena;
	tl_id *ids;
	size_t count, cap, most;
} id_list;

static int add_row(void *ud, const tl__entry_row *row)
{
	id_list *list = ud;
	void *array = list->ids;
	int rc;

	if (list->count >= list->most)
		return TL__STORE_STOP;
	rc = tl__arena_grow(list->arena, &array, &list->cap, list->count, sizeof row->id);
	list->ids = array;
	if (rc == TL_OK)
		list->ids[list->count++] = row->id;
	return rc;
}

int tl__checkpoints_add(tl__snapshot *s, const tl_id *db, uint64_t head, uint64_t near,
	tl__arena *arena, tl_id **ids, size_t *count)
{
	id_list list = {.arena = arena, .most = TL__V0_ANCESTORS};
	uint64_t back = near < head ? near : head - 1;
	tl_id *all;
	int rc = TL_OK;

	if (head < 2)
		return TL_OK;
	if (back > 0)
		rc = tl__read_arrivals(s, db, head - back, head - 1, back, 0, add_row, &list);
	for (back = back > 0 ? 2 * back : 1; rc == TL_OK && back < head; back *= 2)
		rc = tl__read_arrivals(s, db, head - back, head - back, 1, 0, add_row, &list);
	if (rc != TL_OK || list.count == 0)
		return rc;
	all = tl__arena_alloc(arena, *count + list.count, sizeof *all);
	if (!all)
		return TL_E_NOMEM;
	if (*count > 0)
		memcpy(all, *ids, *count * sizeof *all);
	memcpy(all + *count, list.ids, list.count * sizeof *all);
	*ids = all;
	*count += list.count;
	return TL_OK;
}

/* --- our tips with them ------------------------------------------------------------------------- */

static int read_tips(tl__snapshot *s, tl__work *work, tl__v0_tips *out)
{
	size_t most = TL__V0_MAX_TIPS - TL__V0_ANCESTORS;
	tl__db_row row;
	int rc = tl__db_read_or_none(s, &work->db, &row, &out->held);

	if (rc == TL_OK)
		rc = tl__tips_read(s, work, &out->ids, &out->count, NULL);
	if (rc != TL_OK || !out->held)
		return rc;
	if (out->count > most)
		out->count = most;
	return tl__checkpoints_add(
		s, &work->db, row.arrivals, 0, &work->arena, &out->ids, &out->count);
}

static int run(tl__tree *tree, tl__work *work)
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc != TL_OK)
		return rc;
	rc = read_tips(s, work, work->other.own);
	tl__snapshot_close(s);
	return rc;
}

const tl__work_way tl__v0_tips_work = {.run = run};
