/* Serving: pages for pull, pieces for a v0 answer, the place after a push. Each run reads one
 * snapshot and holds one page. */
#include "base/fail.h"
#include "base/mem.h"
#include "tree/work_serve.h"
#include "wire/v1.h"

#define ID_LINE_BYTES 96 /* room for `{"absent":"…"}` and the like */

/* --- lines ------------------------------------------------------------------------------------ */

struct lines {
	tl__arena *arena;
	tl_str *lines;
	size_t count, cap;
	size_t bytes; /* with a line feed each */
	size_t max_bytes, max_entries;
	bool full; /* the next one did not fit */
};

/* One entry always fits. */
static int add_line(struct lines *lines, tl_str bytes)
{
	void *array = lines->lines;
	tl_str copy;
	int rc;

	if (lines->count > 0 && (lines->count == lines->max_entries ||
					lines->bytes + bytes.len + 1 > lines->max_bytes)) {
		lines->full = true;
		return TL_OK;
	}
	rc = tl__arena_grow(lines->arena, &array, &lines->cap, lines->count, sizeof *lines->lines);
	lines->lines = array;
	if (rc != TL_OK)
		return rc;
	copy = tl__arena_str(lines->arena, bytes);
	if (!copy.ptr)
		return TL_E_NOMEM;
	lines->lines[lines->count++] = copy;
	lines->bytes += bytes.len + 1;
	return TL_OK;
}

/* --- pull: what is wanted ----------------------------------------------------------------------
 */

struct page {
	tl__snapshot *s;
	tl__work *work;
	tl__work_page *page;
	struct lines lines;
	tl__map found; /* wanted ids that we hold, whether or not they fit this page */
	tl__map held;  /* what the requester has */
	uint64_t reached;
};

static int give_entry(void *ud, const tl__entry_row *row)
{
	struct page *p = ud;
	int rc = tl__map_set(&p->found, tl__map_key_id(&row->id), NULL);
	size_t before = p->lines.count;

	if (rc == TL_OK)
		rc = add_line(&p->lines, row->bytes);
	/* Sent once is enough. */
	if (rc == TL_OK && p->lines.count > before)
		rc = tl__map_set(&p->held, tl__map_key_id(&row->id), NULL);
	return rc;
}

static int give_aside(void *ud, const tl__aside_row *row)
{
	struct page *p = ud;
	int rc;

	if (row->verdict != TL__INVALID)
		return TL_OK;
	rc = tl__map_set(&p->found, tl__map_key_id(&row->id), NULL);
	return rc == TL_OK ? add_line(&p->lines, row->bytes) : rc;
}

static int tell_absent(struct page *p)
{
	tl__work_page *page = p->page;

	page->absent = tl__arena_alloc(&p->work->arena, page->want_count, sizeof *page->absent);
	if (!page->absent)
		return TL_E_NOMEM;
	for (size_t i = 0; i < page->want_count; i++)
		if (!tl__map_has(&p->found, tl__map_key_id(&page->want[i])))
			page->absent[page->absent_count++] = page->want[i];
	return TL_OK;
}

static int give_wanted(struct page *p)
{
	tl__work_page *page = p->page;
	int rc;

	if (page->want_count == 0)
		return TL_OK;
	rc = tl__read_entries(
		p->s, &p->work->db, page->want, page->want_count, TL__WITH_BYTES, give_entry, p);
	if (rc == TL_OK)
		rc = tl__read_asides(p->s, &p->work->db, page->want, page->want_count,
			TL__WITH_BYTES, give_aside, p);
	return rc == TL_OK ? tell_absent(p) : rc;
}

/* --- pull: what arrived ------------------------------------------------------------------------
 */

static int give_arrival(void *ud, const tl__entry_row *row)
{
	struct page *p = ud;
	int rc;

	if (!tl__map_has(&p->held, tl__map_key_id(&row->id)) &&
		!tl__arrivals_hold(p->page->skip, p->page->skip_count, row->arrival)) {
		rc = add_line(&p->lines, row->bytes);
		if (rc != TL_OK)
			return rc;
		if (p->lines.full)
			return TL__STORE_STOP;
	}
	p->reached = row->arrival;
	return TL_OK;
}

static int exclude(struct page *p, uint64_t from)
{
	int rc = TL_OK;

	for (size_t i = 0; i < p->page->have_count && rc == TL_OK; i++)
		rc = tl__map_set(&p->held, tl__map_key_id(&p->page->have[i]), NULL);
	if (rc == TL_OK)
		rc = tl__ancestors_behind(
			p->s, &p->work->db, p->page->tips, p->page->tip_count, from, &p->held);
	return rc;
}

static int give_arrivals(struct page *p, uint64_t from, uint64_t upto)
{
	uint64_t last = upto - from > TL__WORK_MAX_SCAN ? from + TL__WORK_MAX_SCAN : upto;

	p->reached = from;
	if (from == upto || p->lines.full)
		return TL_OK;
	return tl__read_arrivals(p->s, &p->work->db, from + 1, last, TL__WORK_MAX_SCAN,
		TL__WITH_BYTES, give_arrival, p);
}

/* --- pull: the answer --------------------------------------------------------------------------
 */

static int check_places(struct page *p, uint64_t *from)
{
	tl__work_page *page = p->page;
	int rc = TL_OK;

	page->cursor_valid = page->seen_valid = true;
	if (page->has_cursor)
		rc = tl__place_valid(p->s, &p->work->db, &page->cursor, &page->cursor_valid);
	if (rc == TL_OK && page->has_seen)
		rc = tl__place_valid(p->s, &p->work->db, &page->seen, &page->seen_valid);
	*from = page->has_cursor && page->cursor_valid ? page->cursor.n : 0;
	return rc;
}

/* Absent ids and tips go into the same body as the entries. */
static void bound_entries(struct page *p)
{
	tl__work_page *page = p->page;
	size_t told = page->our_tip_count < TL__V1_MAX_TIPS ? page->our_tip_count : 0;
	size_t taken = (page->want_count + told) * ID_LINE_BYTES;

	p->lines.max_entries = page->max_entries;
	p->lines.max_bytes = page->max_bytes > taken ? page->max_bytes - taken : 0;
}

static int fill_page(struct page *p, uint64_t upto)
{
	tl__work_page *page = p->page;
	uint64_t from;
	int rc = check_places(p, &from);

	if (rc == TL_OK)
		rc = tl__tips_read(p->s, &p->work->db, &p->work->arena, &page->our_tips,
			&page->our_tip_count, page->tips_hash);
	if (rc != TL_OK)
		return rc;
	bound_entries(p);
	rc = give_wanted(p);
	if (rc == TL_OK && !p->lines.full && from < upto)
		rc = exclude(p, from);
	if (rc == TL_OK)
		rc = give_arrivals(p, from, upto);
	if (rc == TL_OK)
		rc = tl__place_at(p->s, &p->work->db, p->reached, &page->next);
	page->lines = p->lines.lines;
	page->count = p->lines.count;
	/* A large entry travels alone: nothing else fits beside it. */
	page->more = p->lines.full || p->reached < upto || p->lines.bytes > page->max_bytes;
	page->left = upto - p->reached;
	return rc;
}

int tl__page_read(tl__snapshot *s, tl__work *work, tl__work_page *page, uint64_t upto)
{
	struct page p = {.s = s, .work = work, .page = page};
	int rc;

	p.lines.arena = &work->arena;
	tl__map_init(&p.found);
	tl__map_init(&p.held);
	rc = fill_page(&p, upto);
	tl__map_free(&p.held);
	tl__map_free(&p.found);
	return rc;
}

int tl__work_page_run(tl__tree *tree, tl__work *work)
{
	tl__snapshot *s = NULL;
	tl__db_row row;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc == TL_OK)
		rc = tl__read_database(s, &work->db, &row);
	if (rc == TL_OK)
		rc = tl__page_read(s, work, &work->page, row.arrivals);
	tl__snapshot_close(s);
	return rc;
}

/* --- v0: pieces of a tree answer ---------------------------------------------------------------
 */

static int give_piece(void *ud, const tl__entry_row *row)
{
	struct page *p = ud;
	int rc = TL_OK;

	/* A bootstrap has told the root already. */
	if (!p->work->stream.bootstrap || memcmp(&row->id, &p->work->db, sizeof row->id) != 0)
		rc = add_line(&p->lines, row->bytes);
	if (rc == TL_OK && p->lines.full)
		return TL__STORE_STOP;
	p->reached = row->arrival;
	return rc;
}

static int take_root(void *ud, const tl__entry_row *row)
{
	tl__work *work = ud;

	work->stream.root = tl__arena_str(&work->arena, row->bytes);
	work->stream.held = true;
	return work->stream.root.ptr ? TL_OK : TL_E_NOMEM;
}

static int count_row(void *ud, const tl__entry_row *row)
{
	(void)row;
	++*(size_t *)ud;
	return TL_OK;
}

/* Of tips that we lack only what is new above ours is wanted: the other side looks for the place.
 */
static int add_checkpoints(struct page *p, uint64_t head)
{
	tl__work_stream *stream = &p->work->stream;
	size_t held = 0;
	int rc = tl__read_entries(
		p->s, &p->work->db, stream->stop, stream->stop_count, 0, count_row, &held);

	if (rc != TL_OK || held == stream->stop_count)
		return rc;
	return tl__checkpoints_add(p->s, &p->work->db, head, TL__WORK_NEAR_CHECKPOINTS,
		&p->work->arena, &stream->our_tips, &stream->our_tip_count);
}

/* The first piece fixes what the answer holds; later ones go on from the same list. */
static int begin_stream(struct page *p)
{
	tl__work_stream *stream = &p->work->stream;
	tl__db_row row;
	int rc = tl__read_entries(
		p->s, &p->work->db, &p->work->db, 1, TL__WITH_BYTES, take_root, p->work);

	if (rc == TL_E_DATABASE_NOT_FOUND || (rc == TL_OK && !stream->held))
		return TL_OK;
	if (rc == TL_OK)
		rc = tl__read_database(p->s, &p->work->db, &row);
	if (rc == TL_OK)
		rc = tl__tips_read(p->s, &p->work->db, &p->work->arena, &stream->our_tips,
			&stream->our_tip_count, NULL);
	if (rc == TL_OK && !stream->bootstrap)
		rc = tl__lacks(p->s, &p->work->db, stream->our_tips, stream->our_tip_count,
			stream->stop, stream->stop_count, &stream->lacks, &stream->lack_count);
	if (rc == TL_OK && !stream->bootstrap)
		rc = add_checkpoints(p, row.arrivals);
	if (rc == TL_OK)
		stream->upto = stream->bootstrap ? row.arrivals : stream->lack_count;
	return rc;
}

/* `from` counts arrivals in a bootstrap, places in the list else. */
static int give_lacks(struct page *p)
{
	tl__work_stream *stream = &p->work->stream;
	int rc = TL_OK;

	p->reached = stream->from;
	for (uint64_t at = stream->from; at < stream->upto && rc == TL_OK && !p->lines.full; at++) {
		uint64_t arrival = stream->lacks[at];
		uint64_t before = p->lines.count;

		rc = tl__read_arrivals(
			p->s, &p->work->db, arrival, arrival, 1, TL__WITH_BYTES, give_piece, p);
		p->reached = p->lines.count > before || !p->lines.full ? at + 1 : at;
	}
	return rc;
}

static int give_bootstrap(struct page *p)
{
	tl__work_stream *stream = &p->work->stream;

	p->reached = stream->from;
	if (stream->from >= stream->upto)
		return TL_OK;
	return tl__read_arrivals(p->s, &p->work->db, stream->from + 1, stream->upto,
		TL__WORK_MAX_SCAN, TL__WITH_BYTES, give_piece, p);
}

int tl__work_stream_run(tl__tree *tree, tl__work *work)
{
	tl__work_stream *stream = &work->stream;
	struct page p = {.work = work};
	int rc = tl__snapshot_open(tree->store, &p.s);

	tl__arena_free(&stream->piece);
	p.lines = (struct lines){.arena = &stream->piece,
		.max_bytes = stream->max_bytes,
		.max_entries = TL__WORK_MAX_SCAN};
	if (rc == TL_OK && !stream->begun)
		rc = begin_stream(&p);
	stream->begun = true;
	if (rc == TL_OK && stream->held)
		rc = stream->bootstrap ? give_bootstrap(&p) : give_lacks(&p);
	tl__snapshot_close(p.s);
	stream->lines = p.lines.lines;
	stream->count = p.lines.count;
	stream->from = p.reached;
	stream->more = rc == TL_OK && p.reached < stream->upto;
	return rc;
}

void tl__work_stream_clear(tl__work_stream *stream)
{
	tl__arena_free(&stream->piece);
	tl__free(stream->lacks);
	stream->lacks = NULL;
}

/* --- push: the place after it ------------------------------------------------------------------
 */

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
		rc = tl__tips_read(
			s, &work->db, &work->arena, &tips, &ingest->tip_count, ingest->tips_hash);
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
