/* Which databases of a watch are ahead of the place told, with a page of the first.
 */
#include "tree/trust/rights.h"
#include "work/work_serve.h"

/* Rights that nobody asked for since they changed take long to look at: some in a slice, so that
 * they are at hand when all are read at once. */
static int look_up_rights(tl__tree *tree, tl__work *work)
{
	tl__work_watch *watch = &work->watch;
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < TL__RIGHTS_SLICE && watch->looked_up < watch->count;
		i++) {
		tl__rights *rights = NULL;

		rc = tl__rights_now(tree, &watch->lines[watch->looked_up++].db, &rights);
		tl__rights_release(rights);
	}
	work->again = rc == TL_OK && watch->looked_up < watch->count;
	return rc;
}

/* Before the snapshot, so that it holds what they tell. */
static int read_rights(tl__tree *tree, tl__work *work)
{
	tl__work_watch *watch = &work->watch;
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < watch->count; i++) {
		tl__work_watched *line = &watch->lines[i];

		rc = tl__work_rights_of(
			tree, &line->db, line->keys, line->key_count, &work->arena, &line->rights);
	}
	return rc;
}

static int look_at(tl__snapshot *s, tl__work_watched *line)
{
	tl__db_row row;
	int rc;

	if (!line->rights.held)
		return TL_OK;
	rc = tl__read_database(s, &line->db, &row);
	line->arrivals = rc == TL_OK ? row.arrivals : 0;
	line->valid = true;
	if (rc == TL_OK && line->has_cursor && line->checks)
		rc = tl__place_valid(s, &line->db, &line->cursor, &line->valid);
	return rc;
}

static int begin_page(tl__snapshot *s, tl__work *work, const tl__work_watched *line)
{
	tl__work_page *page = &work->watch.page;
	int rc = TL_OK;

	page->has_cursor = line->has_cursor;
	page->cursor = line->cursor;
	page->skip = line->skip;
	page->skip_count = line->skip_count;
	/* Of a place that was valid before only the number is kept. */
	if (line->has_cursor && !line->checks)
		rc = tl__place_at(s, &line->db, line->cursor.n, &page->cursor);
	work->db = line->db;
	return rc;
}

static int look_at_all(tl__snapshot *s, tl__work *work)
{
	tl__work_watch *watch = &work->watch;
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < watch->count; i++) {
		tl__work_watched *line = &watch->lines[i];

		rc = look_at(s, line);
		if (rc == TL_OK && watch->paged == SIZE_MAX && line->rights.held && line->valid &&
			!line->rights.system && line->arrivals > line->cursor.n)
			watch->paged = i;
	}
	return rc == TL_OK && watch->paged != SIZE_MAX
		       ? begin_page(s, work, &watch->lines[watch->paged])
		       : rc;
}

int tl__work_watch_run(tl__tree *tree, tl__work *work)
{
	tl__work_watch *watch = &work->watch;
	tl__snapshot *s = NULL;
	int rc = watch->paged == SIZE_MAX ? look_up_rights(tree, work) : TL_OK;

	if (rc != TL_OK || work->again)
		return rc;
	if (watch->paged == SIZE_MAX)
		rc = read_rights(tree, work);
	if (rc == TL_OK)
		rc = tl__snapshot_open(tree->store, &s);
	if (rc == TL_OK && watch->paged == SIZE_MAX)
		rc = look_at_all(s, work);
	if (rc == TL_OK && watch->paged != SIZE_MAX)
		rc = tl__page_slice(s, work, &watch->page, watch->lines[watch->paged].arrivals);
	tl__snapshot_close(s);
	return rc;
}
