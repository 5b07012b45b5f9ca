/* Which databases of a watch are ahead of the place told, with a page of the first.
 */
#include <string.h>
#include "model/ids.h"
#include "tree/api/fresh.h"
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

/* --- without the store ------------------------------------------------------------------------ */

static bool is_just_behind(const tl__work_watched *line, const tl__fresh *fresh)
{
	return line->has_cursor && !line->checks && line->cursor.n + 1 == fresh->arrival &&
	       !tl__arrivals_hold(line->skip, line->skip_count, fresh->arrival) &&
	       tl__id_equal(&line->db, &fresh->db);
}

static void fill_page(tl__work_page *page, const tl__fresh *fresh, tl_str *line, tl_id *tip)
{
	*line = (tl_str){fresh->bytes, fresh->len};
	*tip = fresh->id;
	page->lines = line;
	page->our_tips = tip;
	page->count = page->our_tip_count = 1;
	tl__v1_tips_hash(tip, 1, page->tips_hash);
	page->next.n = fresh->arrival;
	memcpy(page->next.c, fresh->chain, sizeof page->next.c);
}

bool tl__work_watch_fresh(tl__work *work, const tl__fresh *fresh)
{
	tl__work_watch *watch = &work->watch;
	tl_str *line = tl__arena_alloc(&work->arena, 1, sizeof *line);
	tl_id *tip = tl__arena_alloc(&work->arena, 1, sizeof *tip);
	bool good = line && tip && !fresh->rights->system && watch->count > 0 &&
		    (watch->shared || watch->count == 1) && fresh->len < watch->page.max_bytes;

	for (size_t i = 0; good && i < watch->count; i++) {
		tl__work_watched *to = &watch->lines[i];

		good = is_just_behind(to, fresh) &&
		       tl__work_rights_fill(fresh->rights, to->keys, to->key_count, &work->arena,
			       &to->rights) == TL_OK;
	}
	if (!good)
		return false;
	for (size_t i = 0; i < watch->count; i++) {
		watch->lines[i].arrivals = fresh->arrival;
		watch->lines[i].valid = true;
	}
	watch->paged = 0;
	work->db = fresh->db;
	fill_page(&watch->page, fresh, line, tip);
	return true;
}
