/* How a watch is looked at and answered. A work reads the rights and one page; what it found is
 * told only if it still fits what happened meanwhile. Many that wait at one place share a work. */
#include "sync/in/serve_watch.h"
#include "tree/api/fresh.h"

#include <string.h>

/* --- answering -------------------------------------------------------------------------------- */

typedef struct telling {
	tl__v1_watched args;
	const tl__work_page *page;
	bool outdated; /* the page that was read is not told, or not yet */
	tl__buf absent, moved;
} telling;

static void write_page(tl__buf *body, telling *t)
{
	const tl__work_page *page = t->page;

	t->args.tips.count = page->our_tip_count;
	t->args.tips.hashed = page->our_tip_count > TL__V1_MAX_TIPS;
	memcpy(t->args.tips.sha256, page->tips_hash, sizeof t->args.tips.sha256);
	for (size_t i = 0; i < page->our_tip_count && !t->args.tips.hashed; i++)
		tl__v1_write_id(body, TL__V1_LINE_TIP, &page->our_tips[i]);
}

static void answer(tl__sync *sync, tl__incoming *in, telling *t)
{
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	if (t->page)
		write_page(&body, t);
	tl__buf_str(&body, tl__buf_view(&t->absent));
	for (size_t i = 0; t->page && i < t->page->count; i++)
		tl__v1_write_entry(&body, t->page->lines[i]);
	tl__buf_str(&body, tl__buf_view(&t->moved));
	if (tl__buf_status(&t->absent) != TL_OK || tl__buf_status(&t->moved) != TL_OK)
		body.failed = true;
	tl__v1_write_watched(&args, &t->args);
	tl__serve_answer_args(sync, in, &args, &body);
}

/* The next watch acknowledges; until then nothing of it is pushed. `page` NULL: only that it
 * moved. */
static void note_told(
	tl__sync *sync, const tl__incoming *in, const tl_id *db, const tl__work_page *page)
{
	tl__pair *pair = tl__sync_change_pair(sync, &in->from, db);

	if (!pair && page) /* nobody notes that it arrives */
		tl__served_gave(sync, &in->from, db, page->count, tl__lines_bytes(page));
	if (!pair)
		return;
	pair->told_until = sync->now + TL__SERVE_TOLD_MS;
	pair->told_to = page ? page->next.n : 0;
	pair->told_count = page ? page->count : 0;
	pair->told_bytes = page ? tl__lines_bytes(page) : 0;
}

/* What it owes, it waits for: then that is looked at again. */
static void rest(tl__sync *sync, tl__hold *hold, const tl_id *db)
{
	uint64_t free_at = tl__rate_free_at(
		sync, &hold->in->from, tl__sync_related(sync, &hold->in->from, db));

	if (hold->watcher->not_before < free_at)
		hold->watcher->not_before = free_at;
}

/* What was told has arrived there: that was an exchange. */
static void note_arrived(tl__sync *sync, const tl__incoming *in, uint64_t upto)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);

	if (!pair || pair->told_to == 0 || upto < pair->told_to)
		return;
	tl__pair_changed(sync, pair);
	pair->told_to = pair->told_until = 0;
	tl__served_gave(sync, &in->from, &in->db, pair->told_count, pair->told_bytes);
}

static void tell_moved(tl__sync *sync, tl__incoming *in, telling *t, const tl__work_watched *line)
{
	const tl__v1_line moved = {.kind = TL__V1_LINE_MOVED,
		.has_id = true,
		.id = line->db,
		.arrivals = line->arrivals};

	tl__v1_write_line(&t->moved, &moved);
	note_told(sync, in, &line->db, NULL);
}

static bool page_fits(const tl__work_page *page)
{
	return !page->more && page->our_tip_count <= TL__V1_MAX_TIPS;
}

/* What is to be told of one database. */
static void judge(
	tl__sync *sync, tl__hold *hold, const tl__work_watch *work, size_t index, telling *t)
{
	const tl__work_watched *line = &work->lines[index];
	tl__hold_line *held = line->line == TL__NO_LINE ? NULL : &hold->lines[line->line];
	tl__incoming *in = hold->in;
	const tl__v1_cursor place = {.n = line->cursor.n};
	bool is_paged = work->shared ? work->paged != SIZE_MAX : index == work->paged;

	in->db = line->db;
	if (!tl__serve_is_readable(sync, in, &line->rights)) {
		tl__v1_write_id(&t->absent, TL__V1_LINE_ABSENT, &line->db);
		return;
	}
	if (line->checks)
		tl__serve_heard_seen(sync, in, &place, line->valid);
	if (line->checks && line->valid)
		note_arrived(sync, in, place.n);
	if (!line->valid || !held) {
		tell_moved(sync, in, t, line);
		return;
	}
	tl__db_arrived(sync, held->db, line->arrivals);
	if (line->arrivals <= held->at || (is_paged && t->outdated))
		return;
	if (!is_paged || !page_fits(&work->page)) {
		tell_moved(sync, in, t, line);
	} else if (work->page.count == 0) {
		held->at = work->page.next.n; /* all of it came from there */
		tl__pair_acknowledge(
			sync, tl__sync_find_pair(sync, &in->from, &line->db), held->at);
	} else {
		t->page = &work->page;
		t->args.has_page = true;
		t->args.db = line->db;
		t->args.cursor = tl__serve_cursor_of(sync, &work->page.next);
		note_told(sync, in, &line->db, t->page);
	}
}

/* --- looking ---------------------------------------------------------------------------------- */

static bool is_ahead(tl__sync *sync, tl__hold *hold, tl__hold_line *line)
{
	const tl__came *came = tl__watcher_came(sync, &hold->in->from, line->db);

	line->at = tl__came_after(came, line->at);
	return line->db->arrivals > line->at;
}

static bool any_ahead(tl__sync *sync, tl__hold *hold)
{
	for (size_t i = 0; i < hold->count; i++)
		if (is_ahead(sync, hold, &hold->lines[i]))
			return true;
	return false;
}

/* Entries of the requester itself may have come while the page was read. */
static bool is_outdated(
	tl__sync *sync, const tl__hold *hold, const tl__work_watch *work, size_t index)
{
	const tl__work_watched *line = &work->lines[index];
	const tl__sync_db *db = tl__sync_find_db(sync, &line->db);
	const tl__came *came = db ? tl__watcher_came(sync, &hold->in->from, db) : NULL;
	uint64_t last = came && came->count > 0 ? came->ranges[came->count - 1].to : 0;

	return work->paged < work->count && last > line->cursor.n && last <= work->page.next.n &&
	       !tl__arrivals_hold(line->skip, line->skip_count, last);
}

/* The page ends with what the database had when its tips were read. */
static void note_joined(tl__sync *sync, const tl__work_watch *work)
{
	const tl__work_page *page = &work->page;
	tl__sync_db *db = work->paged < work->count
				  ? tl__sync_find_db(sync, &work->lines[work->paged].db)
				  : NULL;

	if (!db || page->our_tip_count != 1 || page->left > 0 || page->next.n < db->joined_at)
		return;
	db->joined_at = page->next.n;
	db->joined_tip = page->our_tips[0];
}

/* Lines [from, to) are of this hold, `paged` the one that there may be a page for. */
static void conclude(
	tl__sync *sync, tl__hold *hold, tl__work *work, size_t paged, size_t from, size_t to)
{
	telling t = {.absent = TL__BUF_INIT, .moved = TL__BUF_INIT};
	tl__incoming *in = hold->in;

	hold->looking = false;
	if (work->code != TL_OK) {
		tl__serve_fail_work(sync, in, work);
	} else {
		note_joined(sync, &work->watch);
		if (paged < work->watch.count)
			rest(sync, hold, &work->watch.lines[paged].db);
		t.outdated = is_outdated(sync, hold, &work->watch, paged) ||
			     sync->now < hold->watcher->not_before;
		for (size_t i = from; i < to; i++)
			judge(sync, hold, &work->watch, i, &t);
		if (t.page) {
			hold->watcher->not_before = sync->now + sync->options.commit_gap_ms;
			in->db = t.args.db;
			tl__serve_spend(sync, in, tl__lines_bytes(t.page));
		}
		if (t.page || t.absent.len > 0 || t.moved.len > 0 || hold->ends)
			answer(sync, in, &t);
		else if (any_ahead(sync, hold))
			tl__hold_wake(sync, hold);
	}
	tl__buf_free(&t.absent);
	tl__buf_free(&t.moved);
}

static void looked(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_worked(sync, work);
	const tl__work_watch *watch = &work->watch;

	if (!in)
		return;
	conclude(sync, in->hold, work, watch->paged < watch->count ? watch->paged : 0, 0,
		watch->count);
	tl__work_free(work);
}

static void looked_together(void *core, tl__work *work)
{
	tl__sync *sync = core;

	for (size_t i = 0; i < work->watch.count; i++) {
		tl__incoming *in = tl__serve_returned(sync, work->watch.lines[i].reader);

		if (in)
			conclude(sync, in->hold, work, i, i, i + 1);
	}
	tl__work_free(work);
}

tl__work_watched *tl__look_add_named(const tl__hold *hold, tl__work *work, const tl_id *db)
{
	tl__work_watched *to = &work->watch.lines[work->watch.count++];

	to->db = *db;
	to->keys = hold->in->proven; /* the request outlives its works */
	to->key_count = hold->in->proven_count;
	to->reader = hold->in->number;
	to->line = TL__NO_LINE;
	to->has_cursor = true;
	return to;
}

bool tl__look_add_line(tl__sync *sync, tl__hold *hold, tl__work *work, size_t index)
{
	const tl__hold_line *line = &hold->lines[index];
	tl__work_watched *to = tl__look_add_named(hold, work, &line->db->id);
	const tl__came *came = tl__watcher_came(sync, &hold->in->from, line->db);
	tl__arrivals *skip = NULL;

	work->watch.page.max_bytes = tl__rate_page(sync, &hold->in->from,
		tl__sync_related(sync, &hold->in->from, &line->db->id), work->watch.page.max_bytes);
	to->line = index;
	to->cursor.n = line->at;
	if (!came || came->count == 0)
		return true;
	skip = tl__arena_alloc(&work->arena, came->count, sizeof *skip);
	if (!skip)
		return false;
	memcpy(skip, came->ranges, came->count * sizeof *skip);
	to->skip = skip;
	to->skip_count = came->count;
	return true;
}

/* What a fresh entry answers is taken back behind the walk over those who wait. Signing takes a
 * while, and nothing is sent meanwhile: where very many wait most of them come by the store. */
static void give(tl__sync *sync, const tl__hold *hold, tl__work *work)
{
	struct tl__answered *answered = &sync->serve->answered[hold->stranger];

	if (!sync->serve->fresh || work->watch.count > answered->room ||
		!tl__work_watch_fresh(work, sync->serve->fresh)) {
		tl__sync_give_work(sync, work);
		return;
	}
	answered->room -= work->watch.count;
	work->next = answered->first;
	answered->first = work;
}

void tl__look_give(tl__sync *sync, tl__hold *hold, tl__work *work)
{
	hold->looking = true;
	give(sync, hold, work);
}

void tl__look_drop(tl__hold *hold, tl__work *work)
{
	hold->in->works--;
	tl__work_free(work);
}

tl__work *tl__look_new(tl__sync *sync, tl__hold *hold, size_t room)
{
	tl__incoming *in = hold->in;
	tl__work *work = tl__serve_work(sync, in, TL__WORK_WATCH, looked);

	if (!work)
		return NULL;
	work->watch.lines = tl__arena_alloc(&work->arena, room, sizeof *work->watch.lines);
	work->watch.paged = SIZE_MAX;
	work->watch.page.max_bytes = TL__V1_MAX_WATCH_BYTES;
	work->watch.page.max_entries = TL__V1_MAX_PAGE_ENTRIES;
	if (work->watch.lines)
		return work;
	tl__look_drop(hold, work);
	tl__serve_internal(sync, in, NULL);
	return NULL;
}

/* What moved: rights and a page. */
static void look(tl__sync *sync, tl__hold *hold)
{
	tl__work *work = tl__look_new(sync, hold, hold->count);
	bool good = true;

	if (!work)
		return;
	for (size_t i = 0; good && i < hold->count; i++)
		if (is_ahead(sync, hold, &hold->lines[i]))
			good = tl__look_add_line(sync, hold, work, i);
	if (!good || work->watch.count == 0) {
		tl__look_drop(hold, work);
		if (!good)
			tl__serve_internal(sync, hold->in, NULL);
		return;
	}
	tl__look_give(sync, hold, work);
}

/* Many wait for the same page: one work is for all of them. */
typedef struct together {
	tl__hold *holds[TL__SERVE_LOOK_TOGETHER];
	size_t count;
} together;

static void look_together(tl__sync *sync, together *group)
{
	size_t count = group->count;
	tl__work *work = count > 1 ? tl__look_new(sync, group->holds[0], count) : NULL;

	group->count = 0;
	if (!work) { /* where memory was short the first one has its answer */
		for (size_t i = count > 1; i < count; i++)
			look(sync, group->holds[i]);
		return;
	}
	work->done = looked_together;
	work->watch.shared = true;
	for (size_t i = 0; i < count; i++) {
		tl__hold *hold = group->holds[i];

		(void)tl__look_add_line(
			sync, hold, work, 0); /* without ranges it needs no memory */
		hold->in->works += i > 0;
		hold->looking = true;
	}
	give(sync, group->holds[0], work);
}

/* Nothing is to be left out for it, and nothing else to be told. */
static bool is_plain(tl__sync *sync, const tl__hold *hold)
{
	const tl__came *came = tl__watcher_came(sync, &hold->in->from, hold->lines[0].db);

	return hold->count == 1 && !hold->looking && sync->now >= hold->watcher->not_before &&
	       (!came || came->count == 0);
}

static void join(tl__sync *sync, together *group, tl__hold *hold)
{
	if (group->count == TL__SERVE_LOOK_TOGETHER ||
		(group->count > 0 && group->holds[0]->lines[0].at != hold->lines[0].at))
		look_together(sync, group);
	hold->waits = false;
	group->holds[group->count++] = hold;
}

void tl__hold_wake(tl__sync *sync, tl__hold *hold)
{
	if (hold->looking)
		return; /* it looks again behind that */
	hold->waits = sync->now < hold->watcher->not_before;
	if (hold->waits)
		tl__hold_due(sync, hold,
			hold->until < hold->watcher->not_before ? hold->until
								: hold->watcher->not_before);
	else
		look(sync, hold);
}

void tl__serve_moved(tl__sync *sync, tl__sync_db *db)
{
	together groups[2] = {{.count = 0}}; /* strangers apart: their turn is another */

	for (size_t i = db->hold_count; i-- > 0;) {
		tl__hold *hold = db->holds[i].hold;

		if (!is_ahead(sync, hold, &hold->lines[db->holds[i].line]))
			continue;
		if (is_plain(sync, hold))
			join(sync, &groups[hold->stranger], hold);
		else
			tl__hold_wake(sync, hold);
		if (i > db->hold_count)
			i = db->hold_count; /* some ended */
	}
	look_together(sync, &groups[0]);
	look_together(sync, &groups[1]);
}

/* Whether after it the fresh entry is the only tip: it stands on what was. */
static bool is_joined(tl__sync_db *db, const tl__fresh *fresh)
{
	if (!fresh || fresh->arrival != db->arrivals || db->joined_at + 1 != fresh->arrival ||
		!tl__id_equal(&db->joined_tip, &fresh->parent))
		return false;
	db->joined_at = fresh->arrival;
	db->joined_tip = fresh->id;
	return true;
}

static void conclude_answered(tl__sync *sync, struct tl__answered *answered)
{
	while (answered->first) {
		tl__work *work = answered->first;

		answered->first = work->next;
		work->done(sync, work);
	}
}

void tl__serve_committed(tl__sync *sync, tl__sync_db *db, const tl__fresh *fresh)
{
	tl__serve *serve = sync->serve;

	serve->fresh = is_joined(db, fresh) ? fresh : NULL;
	serve->answered[false].room = serve->answered[true].room = TL__SERVE_LOOK_TOGETHER;
	tl__serve_moved(sync, db);
	serve->fresh = NULL;
	conclude_answered(sync, &serve->answered[false]);
	conclude_answered(sync, &serve->answered[true]);
}

/* --- ends ------------------------------------------------------------------------------------- */

void tl__hold_end(tl__sync *sync, tl__hold *hold)
{
	telling t = {.absent = TL__BUF_INIT, .moved = TL__BUF_INIT};

	if (hold->looking)
		hold->ends = true;
	else
		answer(sync, hold->in, &t);
}

void tl__hold_end_quiet(tl__sync *sync, tl__hold *hold)
{
	for (size_t i = 0; i < hold->count; i++)
		note_told(sync, hold->in, &hold->lines[i].db->id, NULL);
	tl__hold_end(sync, hold);
}
