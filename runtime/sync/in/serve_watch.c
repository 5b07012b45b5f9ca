/* Watches of others: held until something that they name moves. No thread and little memory: the
 * places told, and what wakes it. */
#include <stddef.h>
#include <string.h>
#include "sync/core/core.h"
#include "sync/in/serve.h"

typedef struct hold_line {
	tl__sync_db *db;
	uint64_t at;  /* it has got everything up to here */
	size_t place; /* among those that name the database */
} hold_line;

/* Of a database that is not known here: it is told of at once, and nothing of it is held. */
#define NO_LINE SIZE_MAX

/* A line that names a database. */
struct tl__named {
	tl__hold *hold;
	size_t line;
};

/* One who watches; remembered for a while behind its last watch. */
typedef struct tl__watcher {
	tl_key key;
	unsigned held;
	tl__heap_node due;   /* when it is forgotten; UINT64_MAX while something is held */
	uint64_t not_before; /* pace of pages, as of pushes */
	struct own {
		const tl__sync_db *db;
		tl__came came;
	} * own; /* of databases without a relation, else the relation has it */
	size_t own_count;
} tl__watcher;

struct tl__hold {
	tl__incoming *in;
	tl__watcher *watcher;
	tl__hold *next, **link;
	uint64_t until;
	uint32_t early; /* it may end so long before */
	tl__heap_node due;
	bool stranger;
	bool looking; /* a work looks at it */
	bool waits;   /* for its watcher's pace */
	bool ends;    /* at the next occasion, with whatever there is to tell */
	size_t count;
	hold_line lines[];
};

static tl_str map_key(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

static bool same_key(const tl_key *a, const tl_key *b)
{
	return memcmp(a->b, b->b, TL_KEY_BYTES) == 0;
}

/* Of holds and watchers that are in their heaps, which never fails. */
static void hold_due(tl__sync *sync, tl__hold *hold, uint64_t at)
{
	(void)!tl__heap_set(&sync->serve->hold_dues, &hold->due, at);
}

static void watcher_due(tl__sync *sync, tl__watcher *watcher, uint64_t at)
{
	(void)!tl__heap_set(&sync->serve->watcher_dues, &watcher->due, at);
}

/* --- who watches ------------------------------------------------------------------------------ */

static tl__watcher *find_watcher(tl__sync *sync, const tl_key *key)
{
	return tl__map_get(&sync->serve->watchers, map_key(key));
}

unsigned tl__serve_watches_of(const tl__sync *sync, const tl_key *peer)
{
	const tl__watcher *watcher = tl__map_get(&sync->serve->watchers, map_key(peer));

	return watcher ? watcher->held : 0;
}

static tl__watcher *watcher_for(tl__sync *sync, const tl_key *key)
{
	tl__watcher *watcher = find_watcher(sync, key);

	if (watcher)
		return watcher;
	if (sync->serve->watchers.count >= 2 * (size_t)TL__SERVE_MAX_WATCHES)
		return NULL;
	watcher = tl__alloc_zero(1, sizeof *watcher);
	if (!watcher)
		return NULL;
	if (tl__heap_set(&sync->serve->watcher_dues, &watcher->due, UINT64_MAX) != TL_OK ||
		tl__map_set(&sync->serve->watchers, map_key(key), watcher) != TL_OK) {
		tl__heap_remove(&sync->serve->watcher_dues, &watcher->due);
		tl__free(watcher);
		return NULL;
	}
	watcher->key = *key;
	return watcher;
}

static void free_watcher(tl__watcher *watcher)
{
	tl__free(watcher->own);
	tl__free(watcher);
}

static tl__came *own_of(tl__watcher *watcher, const tl__sync_db *db, bool make)
{
	struct own *bigger;

	for (size_t i = 0; i < watcher->own_count; i++)
		if (watcher->own[i].db == db)
			return &watcher->own[i].came;
	if (!make || watcher->own_count == TL__SERVE_WATCHER_DBS)
		return NULL;
	bigger = tl__resize(watcher->own, watcher->own_count + 1, sizeof *bigger);
	if (!bigger)
		return NULL;
	watcher->own = bigger;
	bigger[watcher->own_count] = (struct own){.db = db};
	return &bigger[watcher->own_count++].came;
}

static void keep_for_now(tl__sync *sync, tl__watcher *watcher)
{
	if (watcher->held > 0)
		return;
	watcher_due(sync, watcher, sync->now + TL__SERVE_WATCHER_MS);
}

static const tl__came *came_of(tl__sync *sync, const tl_key *from, const tl__sync_db *db)
{
	const tl__pair *pair = tl__sync_find_pair(sync, from, &db->id);
	tl__watcher *watcher = pair ? NULL : find_watcher(sync, from);

	if (pair)
		return &pair->came;
	return watcher ? own_of(watcher, db, false) : NULL;
}

/* Whoever comes back brings what it wrote meanwhile before it watches again. It takes no place that
 * a watch may need. */
tl__came *tl__serve_came(tl__sync *sync, const tl_key *from, const tl__sync_db *db)
{
	tl__watcher *watcher = sync->serve->watchers.count < TL__SERVE_MAX_WATCHES
				       ? watcher_for(sync, from)
				       : find_watcher(sync, from);

	if (!watcher)
		return NULL;
	keep_for_now(sync, watcher);
	return own_of(watcher, db, true);
}

/* --- holding ---------------------------------------------------------------------------------- */

/* The line behind the last one. */
static bool list_hold(tl__sync_db *db, tl__hold *hold)
{
	struct tl__named *bigger =
		tl__grow(db->holds, db->hold_count, &db->hold_cap, sizeof *bigger);

	if (!bigger)
		return false;
	db->holds = bigger;
	hold->lines[hold->count].place = db->hold_count;
	db->holds[db->hold_count++] = (struct tl__named){hold, hold->count};
	return true;
}

static void unlist_hold(const hold_line *line)
{
	const struct tl__named *last = &line->db->holds[--line->db->hold_count];

	line->db->holds[line->place] = *last;
	last->hold->lines[last->line].place = line->place;
}

static void count_held(tl__sync *sync, const tl__hold *hold, const hold_line *line, bool begins)
{
	tl__pair *pair = tl__sync_find_pair(sync, &hold->in->from, &line->db->id);

	if (!pair)
		return;
	if (begins)
		pair->held++;
	else if (pair->held > 0)
		pair->held--;
}

void tl__serve_watch_drop(tl__sync *sync, tl__hold *hold)
{
	tl__serve *serve = sync->serve;

	if (!hold)
		return;
	for (size_t i = 0; i < hold->count; i++) {
		unlist_hold(&hold->lines[i]);
		count_held(sync, hold, &hold->lines[i], false);
	}
	*hold->link = hold->next;
	if (hold->next)
		hold->next->link = hold->link;
	serve->hold_count--;
	serve->stranger_holds -= hold->stranger;
	hold->in->hold = NULL;
	tl__heap_remove(&serve->hold_dues, &hold->due);
	hold->watcher->held--;
	keep_for_now(sync, hold->watcher);
	tl__free(hold);
}

static void enlist(tl__sync *sync, tl__hold *hold, tl__watcher *watcher, bool stranger)
{
	tl__serve *serve = sync->serve;

	hold->watcher = watcher;
	hold->stranger = stranger;
	watcher->held++;
	watcher_due(sync, watcher, UINT64_MAX);
	hold->next = serve->holds;
	hold->link = &serve->holds;
	if (hold->next)
		hold->next->link = &hold->next;
	serve->holds = hold;
	serve->hold_count++;
	serve->stranger_holds += stranger;
	hold->in->hold = hold;
}

/* NULL: no room. */
static tl__hold *new_hold(tl__sync *sync, tl__incoming *in, size_t count)
{
	const tl__serve *serve = sync->serve;
	bool stranger = tl__sync_find_peer(sync, &in->from) == NULL;
	tl__watcher *watcher;
	tl__hold *hold;

	if (serve->hold_count >= TL__SERVE_MAX_WATCHES ||
		(stranger && serve->stranger_holds >= TL__SERVE_STRANGER_WATCHES))
		return NULL;
	watcher = watcher_for(sync, &in->from);
	if (!watcher || watcher->held >= TL__SERVE_KEY_WATCHES)
		return NULL;
	hold = tl__alloc_zero(1, sizeof *hold + count * sizeof *hold->lines);
	if (!hold || tl__heap_set(&sync->serve->hold_dues, &hold->due, UINT64_MAX) != TL_OK) {
		tl__free(hold);
		return NULL;
	}
	hold->in = in;
	enlist(sync, hold, watcher, stranger);
	return hold;
}

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
	tl__pair *pair = tl__sync_find_pair(sync, &in->from, db);

	if (!pair && page) /* nobody notes that it arrives */
		tl__served_gave(sync, &in->from, db, page->count, tl__lines_bytes(page));
	if (!pair)
		return;
	pair->told_until = sync->now + TL__SERVE_TOLD_MS;
	pair->told_to = page ? page->next.n : 0;
	pair->told_count = page ? page->count : 0;
	pair->told_bytes = page ? tl__lines_bytes(page) : 0;
}

/* What was told has arrived there: that was an exchange. */
static void note_arrived(tl__sync *sync, const tl__incoming *in, uint64_t upto)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);

	if (!pair || pair->told_to == 0 || upto < pair->told_to)
		return;
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
	hold_line *held = line->line == NO_LINE ? NULL : &hold->lines[line->line];
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
	if (line->arrivals > held->db->arrivals)
		held->db->arrivals = line->arrivals;
	if (line->arrivals <= held->at || (is_paged && t->outdated))
		return;
	if (!is_paged || !page_fits(&work->page)) {
		tell_moved(sync, in, t, line);
	} else if (work->page.count == 0) {
		held->at = work->page.next.n; /* all of it came from there */
		tl__pair_acknowledge(tl__sync_find_pair(sync, &in->from, &line->db), held->at);
	} else {
		t->page = &work->page;
		t->args.has_page = true;
		t->args.db = line->db;
		t->args.cursor = tl__serve_cursor_of(sync, &work->page.next);
		note_told(sync, in, &line->db, t->page);
	}
}

/* --- looking ---------------------------------------------------------------------------------- */

static void wake(tl__sync *sync, tl__hold *hold);

static bool is_ahead(tl__sync *sync, tl__hold *hold, hold_line *line)
{
	const tl__came *came = came_of(sync, &hold->in->from, line->db);

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
	const tl__came *came = db ? came_of(sync, &hold->in->from, db) : NULL;
	uint64_t last = came && came->count > 0 ? came->ranges[came->count - 1].to : 0;

	return work->paged < work->count && last > line->cursor.n && last <= work->page.next.n &&
	       !tl__arrivals_hold(line->skip, line->skip_count, last);
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
		t.outdated = is_outdated(sync, hold, &work->watch, paged) ||
			     sync->now < hold->watcher->not_before;
		for (size_t i = from; i < to; i++)
			judge(sync, hold, &work->watch, i, &t);
		if (t.page)
			hold->watcher->not_before = sync->now + sync->options.commit_gap_ms;
		if (t.page || t.absent.len > 0 || t.moved.len > 0 || hold->ends)
			answer(sync, in, &t);
		else if (any_ahead(sync, hold))
			wake(sync, hold);
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

static tl__work_watched *add_named(const tl__hold *hold, tl__work *work, const tl_id *db)
{
	tl__work_watched *to = &work->watch.lines[work->watch.count++];

	to->db = *db;
	to->keys = hold->in->proven; /* the request outlives its works */
	to->key_count = hold->in->proven_count;
	to->reader = hold->in->number;
	to->line = NO_LINE;
	to->has_cursor = true;
	return to;
}

static bool add_line(tl__sync *sync, tl__hold *hold, tl__work *work, size_t index)
{
	const hold_line *line = &hold->lines[index];
	tl__work_watched *to = add_named(hold, work, &line->db->id);
	const tl__came *came = came_of(sync, &hold->in->from, line->db);
	tl__arrivals *skip = NULL;

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

/* With room for so many databases. NULL: answered. */
static tl__work *new_look(tl__sync *sync, tl__hold *hold, size_t room)
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
	in->works--;
	tl__work_free(work);
	tl__serve_internal(sync, in, NULL);
	return NULL;
}

/* What moved: rights and a page. */
static void look(tl__sync *sync, tl__hold *hold)
{
	tl__work *work = new_look(sync, hold, hold->count);
	bool good = true;

	if (!work)
		return;
	for (size_t i = 0; good && i < hold->count; i++)
		if (is_ahead(sync, hold, &hold->lines[i]))
			good = add_line(sync, hold, work, i);
	if (!good || work->watch.count == 0) {
		hold->in->works--;
		tl__work_free(work);
		if (!good)
			tl__serve_internal(sync, hold->in, NULL);
		return;
	}
	hold->looking = true;
	tl__sync_give_work(sync, work);
}

/* Many wait for the same page: one work is for all of them. */
typedef struct together {
	tl__hold *holds[TL__SERVE_LOOK_TOGETHER];
	size_t count;
} together;

static void look_together(tl__sync *sync, together *group)
{
	size_t count = group->count;
	tl__work *work = count > 1 ? new_look(sync, group->holds[0], count) : NULL;

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

		(void)add_line(sync, hold, work, 0); /* without ranges it needs no memory */
		hold->in->works += i > 0;
		hold->looking = true;
	}
	tl__sync_give_work(sync, work);
}

/* Nothing is to be left out for it, and nothing else to be told. */
static bool is_plain(tl__sync *sync, const tl__hold *hold)
{
	const tl__came *came = came_of(sync, &hold->in->from, hold->lines[0].db);

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

static void wake(tl__sync *sync, tl__hold *hold)
{
	if (hold->looking)
		return; /* it looks again behind that */
	hold->waits = sync->now < hold->watcher->not_before;
	if (hold->waits)
		hold_due(sync, hold,
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
			wake(sync, hold);
		if (i > db->hold_count)
			i = db->hold_count; /* some ended */
	}
	look_together(sync, &groups[0]);
	look_together(sync, &groups[1]);
}

void tl__serve_watch_given(tl__sync *sync, const tl_key *from, const tl_id *id, uint64_t n)
{
	tl__sync_db *db = tl__sync_find_db(sync, id);

	for (size_t i = 0; db && i < db->hold_count; i++) {
		tl__hold *hold = db->holds[i].hold;
		hold_line *line = &hold->lines[db->holds[i].line];

		if (same_key(&hold->in->from, from) && line->at < n)
			line->at = n;
	}
}

/* --- a request -------------------------------------------------------------------------------- */

static int count_lines(const tl__incoming *in, size_t *count)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_WATCH, in->body, NULL);

	*count = 0;
	while (rc == TL_OK && (rc = tl__v1_body_next(&body, &line, &end)) == TL_OK && !end)
		++*count;
	return rc;
}

/* Holds what is known here; whoever may read nothing leaves nothing. */
static bool take_line(tl__sync *sync, tl__hold *hold, tl__work *work, const tl__v1_line *line)
{
	hold_line *held = &hold->lines[hold->count];

	held->db = tl__sync_find_db(sync, &line->id);
	held->at = line->has_cursor ? line->cursor.n : 0;
	if (!held->db) {
		(void)add_named(hold, work, &line->id);
		return true;
	}
	if (!list_hold(held->db, hold))
		return false;
	hold->count++;
	count_held(sync, hold, held, true);
	return add_line(sync, hold, work, hold->count - 1);
}

/* Places, and in the work what is to be checked of them. */
static bool take_lines(tl__sync *sync, tl__hold *hold, tl__work *work)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false, good;

	good = tl__v1_body_open(&body, TL__V1_BODY_WATCH, hold->in->body, NULL) == TL_OK;
	while (good && tl__v1_body_next(&body, &line, &end) == TL_OK && !end) {
		tl__work_watched *to = &work->watch.lines[work->watch.count];

		good = take_line(sync, hold, work, &line);
		to->checks = true;
		to->cursor = tl__serve_place_of(&line.cursor);
		/* A place of another store is none of ours. */
		if (line.has_cursor && !tl__serve_is_ours(sync, &line.cursor))
			to->cursor.n = UINT64_MAX;
	}
	return good;
}

/* What was read of the request is not kept while it is held. */
static bool let_go(tl__incoming *in)
{
	tl__arena kept = TL__ARENA_INIT;
	tl_str channel = tl__arena_str(&kept, in->channel);

	if (!channel.ptr || !tl__incoming_from(in, &kept, in->transport, in->remote)) {
		tl__arena_free(&kept);
		return false;
	}
	tl__arena_free(&in->arena);
	in->arena = kept;
	in->channel = channel;
	in->args = in->body = TL__STR("");
	return true;
}

static void tell_driver(tl__sync *sync, const tl__incoming *in, uint64_t hold_ms)
{
	tl__sync_action action = {.kind = TL__SYNC_HOLD};

	action.answer.incoming = in->number;
	action.answer.body = TL__BUF_INIT;
	action.answer.hold_ms = (uint32_t)hold_ms;
	action.answer.known = tl__serve_is_of_peer(sync, in);
	(void)tl__sync_act(sync, &action); /* without memory it counts as silent, and is cut */
}

static void hold_it(tl__sync *sync, tl__incoming *in, size_t count, uint64_t hold_ms)
{
	tl__hold *hold = new_hold(sync, in, count);
	tl__work *work;

	if (!hold) {
		tl__serve_v1_refuse(sync, in, TL__V1_BUSY, "no_room");
		return;
	}
	tl__serve_leave(sync, in); /* watches have limits of their own */
	hold->until = sync->now + hold_ms;
	hold->early = (uint32_t)(hold_ms / TL__V1_HOLD_EARLY);
	hold_due(sync, hold, hold->until);
	work = new_look(sync, hold, count);
	if (!work)
		return;
	if (!take_lines(sync, hold, work) || !let_go(in)) {
		in->works--;
		tl__work_free(work);
		tl__serve_internal(sync, in, NULL);
		return;
	}
	hold->looking = true;
	tl__sync_give_work(sync, work);
	tell_driver(sync, in, hold_ms);
}

void tl__serve_watch(tl__sync *sync, tl__incoming *in)
{
	tl__v1_watch watch;
	size_t count;

	if (tl__v1_read_watch(&watch, in->args) != TL_OK || count_lines(in, &count) != TL_OK ||
		count == 0)
		tl__serve_bad_request(sync, in);
	else
		hold_it(sync, in, count, watch.hold_ms);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void end_empty(tl__sync *sync, tl__hold *hold)
{
	telling t = {.absent = TL__BUF_INIT, .moved = TL__BUF_INIT};

	if (hold->looking)
		hold->ends = true;
	else
		answer(sync, hold->in, &t);
}

/* Its time is over: it comes again at once, and is told what happens meanwhile. */
static void end_quiet(tl__sync *sync, tl__hold *hold)
{
	for (size_t i = 0; i < hold->count; i++)
		note_told(sync, hold->in, &hold->lines[i].db->id, NULL);
	end_empty(sync, hold);
}

void tl__serve_end_watches(tl__sync *sync, const tl_key *peer)
{
	for (tl__hold *hold = sync->serve->holds, *next; hold; hold = next) {
		next = hold->next;
		if (!peer || same_key(&hold->in->from, peer))
			end_empty(sync, hold);
	}
}

static void forget_watchers(tl__sync *sync)
{
	tl__heap_node *node;

	while ((node = tl__heap_first(&sync->serve->watcher_dues)) && node->at <= sync->now) {
		tl__watcher *watcher = (tl__watcher *)((char *)node - offsetof(tl__watcher, due));

		tl__heap_remove(&sync->serve->watcher_dues, node);
		(void)tl__map_remove(&sync->serve->watchers, map_key(&watcher->key));
		free_watcher(watcher);
	}
}

static tl__hold *first_due(tl__sync *sync)
{
	tl__heap_node *node = tl__heap_first(&sync->serve->hold_dues);

	return node ? (tl__hold *)((char *)node - offsetof(tl__hold, due)) : NULL;
}

static void end_hold(tl__sync *sync, tl__hold *hold)
{
	hold_due(sync, hold, UINT64_MAX); /* what looks at it ends it */
	end_quiet(sync, hold);
}

/* Whose watcher may be told again, and what is over. Those that are nearly over end with them: what
 * it takes to answer one is mostly what it takes to answer several. */
void tl__serve_watches_timer(tl__sync *sync)
{
	tl__hold *hold;
	bool any = false;

	while ((hold = first_due(sync)) && hold->due.at <= sync->now) {
		if (sync->now >= hold->until) {
			end_hold(sync, hold);
			any = true;
			continue;
		}
		hold_due(sync, hold, hold->until);
		if (hold->waits)
			wake(sync, hold);
	}
	while (any && (hold = first_due(sync)) && hold->due.at == hold->until &&
		sync->now + hold->early >= hold->until)
		end_hold(sync, hold);
	forget_watchers(sync);
}

uint64_t tl__serve_watches_due(const tl__sync *sync)
{
	const tl__heap_node *hold = tl__heap_first(&sync->serve->hold_dues);
	const tl__heap_node *watcher = tl__heap_first(&sync->serve->watcher_dues);
	uint64_t due = hold ? hold->at : UINT64_MAX;

	return watcher && watcher->at < due ? watcher->at : due;
}

void tl__serve_watches_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *watcher;

	while (sync->serve->holds) {
		tl__hold *hold = sync->serve->holds;

		sync->serve->holds = hold->next;
		tl__free(hold);
	}
	while (tl__map_next(&sync->serve->watchers, &at, &key, &watcher))
		free_watcher(watcher);
	tl__map_free(&sync->serve->watchers);
	tl__heap_free(&sync->serve->hold_dues);
	tl__heap_free(&sync->serve->watcher_dues);
}
