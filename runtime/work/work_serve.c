/* Serving: pages for pull, the place after a push. A page is filled slice by slice, each over a
 * snapshot of its own; what it may hold is fixed by the first. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "work/held.h"
#include "work/work_serve.h"
#include "wire/v1.h"

#define ID_LINE_BYTES 96 /* room for `{"absent":"…"}` and the like */

/* --- lines ------------------------------------------------------------------------------------ */

int tl__piece_add(tl__piece *piece, tl_str bytes)
{
	void *array = piece->lines;
	tl_str copy;
	int rc;

	if (piece->count > 0 && (piece->count == piece->max_entries ||
					piece->bytes + bytes.len + 1 > piece->max_bytes)) {
		piece->full = true;
		return TL_OK;
	}
	rc = tl__arena_grow(piece->arena, &array, &piece->cap, piece->count, sizeof *piece->lines);
	piece->lines = array;
	if (rc != TL_OK)
		return rc;
	copy = tl__arena_str(piece->arena, bytes);
	if (!copy.ptr)
		return TL_E_NOMEM;
	piece->lines[piece->count++] = copy;
	piece->bytes += bytes.len + 1;
	return TL_OK;
}

/* --- pull: what is wanted --------------------------------------------------------------------- */

#define WANTED_AT_ONCE 64

struct tl__paging {
	tl__piece lines;
	tl__map found; /* wanted ids that we hold, whether or not they fit this page */
	tl__map sent;  /* by name: what the requester has or is given */
	size_t want_at;
	uint64_t from;
	tl__held held;
	tl__pass pass;
};

struct page {
	tl__snapshot *s;
	tl__work *work;
	tl__work_page *page;
	struct tl__paging *state;
};

static int give_entry(void *ud, const tl__entry_row *row)
{
	struct page *p = ud;
	size_t before = p->state->lines.count;
	int rc = tl__map_set(&p->state->found, tl__map_key_id(&row->id), NULL);

	p->work->bytes += row->bytes.len;
	if (rc == TL_OK && !p->state->lines.full)
		rc = tl__piece_add(&p->state->lines, row->bytes);
	/* Sent once is enough. */
	if (rc == TL_OK && p->state->lines.count > before)
		rc = tl__map_set(&p->state->sent, tl__map_key_id(&row->id), NULL);
	return rc;
}

static int give_aside(void *ud, const tl__aside_row *row)
{
	struct page *p = ud;
	int rc;

	if (row->verdict != TL__INVALID)
		return TL_OK;
	p->work->bytes += row->bytes.len;
	rc = tl__map_set(&p->state->found, tl__map_key_id(&row->id), NULL);
	return rc == TL_OK && !p->state->lines.full ? tl__piece_add(&p->state->lines, row->bytes)
						    : rc;
}

static int tell_absent(struct page *p)
{
	tl__work_page *page = p->page;

	page->absent = tl__arena_alloc(&p->work->arena, page->want_count + 1, sizeof *page->absent);
	if (!page->absent)
		return TL_E_NOMEM;
	for (size_t i = 0; i < page->want_count; i++)
		if (!tl__map_has(&p->state->found, tl__map_key_id(&page->want[i])))
			page->absent[page->absent_count++] = page->want[i];
	return TL_OK;
}

/* Of what does not fit any more it is only told that it is held. */
static int give_some_wanted(struct page *p)
{
	struct tl__paging *state = p->state;
	const tl_id *ids = p->page->want + state->want_at;
	size_t count = p->page->want_count - state->want_at;
	unsigned with = state->lines.full ? 0 : TL__WITH_BYTES;
	int rc;

	if (count > WANTED_AT_ONCE)
		count = WANTED_AT_ONCE;
	state->want_at += count;
	p->work->rows += count;
	rc = tl__read_entries(p->s, &p->work->db, ids, count, with, give_entry, p);
	return rc == TL_OK ? tl__read_asides(p->s, &p->work->db, ids, count, with, give_aside, p)
			   : rc;
}

static int give_wanted(struct page *p)
{
	int rc = TL_OK;

	while (rc == TL_OK && p->state->want_at < p->page->want_count && !tl__work_spent(p->work))
		rc = give_some_wanted(p);
	return rc;
}

/* --- pull: what arrived ----------------------------------------------------------------------- */

static int give_arrival(void *ud, const tl__entry_row *row)
{
	struct tl__paging *state = ((struct page *)ud)->state;
	int rc;

	if (tl__map_has(&state->sent, tl__map_key_id(&row->id)))
		return TL_OK;
	rc = tl__piece_add(&state->lines, row->bytes);
	return rc == TL_OK && state->lines.full ? TL__STORE_STOP : rc;
}

static bool looked_enough(const struct tl__paging *state)
{
	return state->lines.full || tl__pass_ended(&state->pass);
}

static int give_arrivals(struct page *p)
{
	struct tl__paging *state = p->state;
	bool stopped;
	int rc = TL_OK;

	if (!looked_enough(state))
		rc = tl__held_find(&state->held, p->s, p->work);
	if (rc != TL_OK || !state->held.found || looked_enough(state))
		return rc;
	return tl__pass_on(&state->pass, p->s, p->work, TL__WITH_BYTES, give_arrival, p, &stopped);
}

/* --- pull: the answer ------------------------------------------------------------------------- */

static int check_places(struct page *p)
{
	tl__work_page *page = p->page;
	int rc = TL_OK;

	page->cursor_valid = page->seen_valid = true;
	if (page->has_cursor)
		rc = tl__place_valid(p->s, &p->work->db, &page->cursor, &page->cursor_valid);
	if (rc == TL_OK && page->has_seen)
		rc = tl__place_valid(p->s, &p->work->db, &page->seen, &page->seen_valid);
	p->state->from = page->has_cursor && page->cursor_valid ? page->cursor.n : 0;
	return rc;
}

/* Absent ids and tips go into the same body as the entries. */
static void bound_entries(struct page *p)
{
	tl__work_page *page = p->page;
	tl__piece *lines = &p->state->lines;
	size_t told = page->our_tip_count < TL__V1_MAX_TIPS ? page->our_tip_count : 0;
	size_t taken = (page->want_count + told) * ID_LINE_BYTES;

	lines->max_entries = page->max_entries;
	lines->max_bytes = page->max_bytes > taken ? page->max_bytes - taken : 0;
}

static int exclude(struct page *p, uint64_t upto)
{
	struct tl__paging *state = p->state;
	tl__work_page *page = p->page;
	int rc = TL_OK;

	for (size_t i = 0; i < page->have_count && rc == TL_OK; i++)
		rc = tl__map_set(&state->sent, tl__map_key_id(&page->have[i]), NULL);
	state->pass = (tl__pass){.at = state->from,
		.upto = upto > state->from ? upto : state->from,
		.held = &state->held,
		.max_rows = TL__WORK_MAX_SCAN,
		.skip = page->skip,
		.skip_count = page->skip_count};
	return rc == TL_OK ? tl__held_begin_beside(&state->held, page->tips, page->tip_count,
				     state->from, page->our_tips, page->our_tip_count, upto)
			   : rc;
}

static int begin_page(struct page *p, uint64_t upto)
{
	tl__work_page *page = p->page;
	int rc;

	page->paging = p->state = tl__arena_alloc(&p->work->arena, 1, sizeof *p->state);
	if (!p->state)
		return TL_E_NOMEM;
	tl__map_init(&p->state->found);
	tl__map_init(&p->state->sent);
	p->state->lines.arena = &p->work->arena;
	rc = check_places(p);
	if (rc == TL_OK)
		rc = tl__tips_read(
			p->s, p->work, &page->our_tips, &page->our_tip_count, page->tips_hash);
	bound_entries(p);
	return rc == TL_OK ? exclude(p, upto) : rc;
}

static int end_page(struct page *p)
{
	tl__work_page *page = p->page;
	const struct tl__paging *state = p->state;
	int rc = tl__place_at(p->s, &p->work->db, state->pass.at, &page->next);

	page->lines = state->lines.lines;
	page->count = state->lines.count;
	page->left = state->pass.upto - state->pass.at;
	/* A large entry travels alone: nothing else fits beside it. */
	page->more = state->lines.full || page->left > 0 || state->lines.bytes > page->max_bytes;
	return rc == TL_OK && page->want_count > 0 ? tell_absent(p) : rc;
}

int tl__page_slice(tl__snapshot *s, tl__work *work, tl__work_page *page, uint64_t upto)
{
	struct page p = {.s = s, .work = work, .page = page, .state = page->paging};
	int rc = p.state ? TL_OK : begin_page(&p, upto);

	if (rc == TL_OK)
		rc = give_wanted(&p);
	if (rc == TL_OK && p.state->want_at == page->want_count)
		rc = give_arrivals(&p);
	if (rc != TL_OK)
		return rc;
	work->again = p.state->want_at < page->want_count || !looked_enough(p.state);
	return work->again ? TL_OK : end_page(&p);
}

void tl__work_page_clear(tl__work_page *page)
{
	if (!page->paging)
		return;
	tl__map_free(&page->paging->found);
	tl__map_free(&page->paging->sent);
	tl__held_free(&page->paging->held);
}

int tl__work_page_run(tl__tree *tree, tl__work *work)
{
	tl__snapshot *s = NULL;
	tl__db_row row;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc == TL_OK)
		rc = tl__read_database(s, &work->db, &row);
	if (rc == TL_OK)
		rc = tl__page_slice(s, work, &work->page, row.arrivals);
	tl__snapshot_close(s);
	return rc;
}

/* --- push: the place after it ----------------------------------------------------------------- */

struct since {
	const tl__map *pushed;
	uint64_t reached;
};

static int count_pushed(void *ud, const tl__entry_row *row)
{
	struct since *since = ud;

	if (!tl__map_has(since->pushed, tl__map_key_id(&row->id)))
		return TL__STORE_STOP;
	since->reached = row->arrival;
	return TL_OK;
}

static int follow(tl__snapshot *s, tl__work *work, const tl__map *pushed, uint64_t upto)
{
	tl__work_ingest *ingest = &work->ingest;
	struct since since = {pushed, ingest->since.n};
	int rc = tl__place_valid(s, &work->db, &ingest->since, &ingest->since_valid);

	if (rc != TL_OK || !ingest->since_valid)
		return rc;
	if (ingest->since.n < upto)
		rc = tl__read_arrivals(s, &work->db, ingest->since.n + 1, upto,
			ingest->page.count + 1, 0, count_pushed, &since);
	return rc == TL_OK ? tl__place_at(s, &work->db, since.reached, &ingest->cursor) : rc;
}

static int map_pushed(const tl__work_ingest *ingest, tl__map *pushed)
{
	int rc = TL_OK;

	for (size_t i = 0; i < ingest->page.count && rc == TL_OK; i++)
		if (ingest->result.fates[i].has_id)
			rc = tl__map_set(pushed, tl__map_key_id(&ingest->result.fates[i].id), NULL);
	return rc;
}

int tl__work_since(tl__tree *tree, tl__work *work)
{
	tl__work_ingest *ingest = &work->ingest;
	tl__snapshot *s = NULL;
	tl__map pushed;
	tl_id *tips;
	tl__db_row row;
	int rc = tl__snapshot_open(tree->store, &s);

	tl__map_init(&pushed);
	if (rc == TL_OK)
		rc = tl__read_database(s, &work->db, &row);
	if (rc == TL_OK)
		rc = map_pushed(ingest, &pushed);
	if (rc == TL_OK)
		ingest->head = row.arrivals;
	if (rc == TL_OK)
		rc = follow(s, work, &pushed, row.arrivals);
	if (rc == TL_OK)
		rc = tl__tips_read(s, work, &tips, &ingest->tip_count, ingest->tips_hash);
	tl__map_free(&pushed);
	tl__snapshot_close(s);
	/* Nothing of the page made the database known: there is no place in it yet. */
	if (rc == TL_E_DATABASE_NOT_FOUND) {
		ingest->since_valid = ingest->since.n == 0;
		ingest->cursor = (tl__work_place){0};
		rc = TL_OK;
	}
	return rc;
}
