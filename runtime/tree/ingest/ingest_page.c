/* A page of received lines, in one turn or, where somebody waits, in several. */
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "model/ids.h"
#include "tree/ingest/ingest_run.h"

struct tl__ingesting {
	tl__tree *tree;
	const tl__ingest_page *page; /* of this piece: the caller's */
	tl__ingest_result *out;
	bool resuming; /* what a crash left comes first */
	tl__resumption resumption;
	tl__followup after;  /* of turns that are over */
	tl__prepared *own;   /* when the page was not prepared */
	tl__line *lines;     /* NULL: they are being read */
	size_t *order;       /* of the lines, those that are done at the front */
	size_t count, done;  /* of these */
	size_t *first;       /* of each line: the same one where it comes first */
	bool admitted, over; /* over: the page's last turn is */
	unsigned turns;
	uint64_t untold;            /* arrival that the listener has not heard of; 0: none */
	tl__buf missing, databases; /* ids */
};

/* --- beginning and end ------------------------------------------------------------------------ */

static int begin(
	tl__tree *tree, const tl__ingest_page *page, tl__ingest_result *result, tl__ingesting **out)
{
	tl__ingesting *in = tl__alloc_zero(1, sizeof *in);

	memset(result, 0, sizeof *result);
	*out = in;
	if (!in)
		return TL_E_NOMEM;
	in->tree = tree;
	in->resuming = !atomic_exchange(&tree->resumed, true);
	result->fates = tl__alloc_zero(page->count + 1, sizeof *result->fates);
	in->order = tl__alloc_zero(page->count + 1, sizeof *in->order);
	in->first = tl__alloc_zero(page->count + 1, sizeof *in->first);
	return result->fates && in->order && in->first ? TL_OK : TL_E_NOMEM;
}

void tl__ingesting_free(tl__ingesting *in)
{
	if (!in)
		return;
	if (in->resuming || in->after.list.count > 0)
		atomic_store(&in->tree->resumed, false);
	tl__resumption_free(&in->resumption);
	tl__followup_free(&in->after);
	tl__prepared_free(in->own);
	tl__free(in->order);
	tl__free(in->first);
	tl__buf_free(&in->missing);
	tl__buf_free(&in->databases);
	tl__free(in);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* A few lines; what the pool's threads do meanwhile is not waited for before the end. */
static int read_some(tl__ingesting *in)
{
	const tl__ingest_page *page = in->page;
	tl__prepared *prepared = page->prepared ? page->prepared : in->own;
	int code = TL_OK;

	if (!prepared) {
		code = tl__prepared_now(&in->own, in->tree, page);
		prepared = in->own;
	}
	if (code == TL_OK && page->others.wait && tl__prepared_some(prepared))
		return TL_OK;
	if (code == TL_OK)
		code = tl__prepared_lines(prepared, &in->lines);
	if (code == TL_OK)
		code = tl__lines_order(in->lines, page->count, in->order, &in->count, in->first);
	return code;
}

/* --- turns ------------------------------------------------------------------------------------ */

static bool may_change(tl__fate_kind kind)
{
	return kind == TL__FATE_PENDING || kind == TL__FATE_INVALID;
}

/* A later turn may have taken in what was set aside. */
static void renew_fates(void *ud, tl__run *run)
{
	tl__ingesting *in = ud;

	in->out->evicted += run->evicted;
	if (!tl__id_equal(&run->db, &in->page->db))
		return;
	in->out->entered += run->entered;
	if (run->entered > 0)
		in->out->after = run->last_arrival;
	for (size_t i = 0; i < in->done; i++) {
		tl__fate *fate = &in->out->fates[in->order[i]];
		const tl__item *item = may_change(fate->kind) ? tl__run_find(run, &fate->id) : NULL;

		if (tl__item_real(item) && !item->left && item->state != TL__ITEM_OPEN)
			*fate = tl__run_fate(run, &in->lines[in->order[i]]);
	}
}

static bool is_left(const tl__run *run, const tl__line *line)
{
	const tl__item *item = tl__run_find(run, tl_entry_id(line->entry));

	return tl__item_real(item) && item->left;
}

/* Of the window those that are done come to its front; how many they are. What was declined is
 * remembered, for what stands on it. */
static size_t take_fates(tl__ingesting *in, const tl__run *run, size_t count)
{
	size_t *window = in->order + in->done, done = 0;

	for (size_t i = 0; i < count; i++) {
		size_t at = window[i];
		tl__line *line = &in->lines[at];
		const tl__item *item = tl__run_find(run, tl_entry_id(line->entry));

		if (is_left(run, line)) {
			/* What was verified is not verified again. */
			line->key = item->key;
			line->checked = item->checked;
			line->genuine = item->genuine;
			continue;
		}
		in->out->fates[at] = tl__run_fate(run, line);
		if (in->out->fates[at].kind == TL__FATE_DECLINED)
			line->declined = in->out->fates[at].code;
		memmove(window + done + 1, window + done, (i - done) * sizeof *window);
		window[done++] = at;
	}
	return done;
}

static size_t window_size(const tl__ingesting *in, const tl__take *take)
{
	size_t left = in->count - in->done, count = 0, bytes = 0;

	if (!take->brief)
		return left;
	while (count < left && count < tl__piece_entries(take) && bytes < TL__INGEST_PIECE_BYTES)
		bytes += tl_entry_bytes(in->lines[in->order[in->done + count++]].entry).len;
	return count;
}

static int take_window(tl__ingesting *in, tl__run *run, tl__take *take)
{
	int code;

	take->window_count = window_size(in, take);
	take->last = in->done + take->window_count == in->count;
	take->quiet = in->page->told && in->turns == 0 && take->last;
	code = tl__run_turn(run, take);
	in->admitted = take->admitted;
	if (code == TL_OK && take->quiet && run->entered > 0)
		in->untold = run->last_arrival;
	return code;
}

static int end_turn(tl__ingesting *in, tl__run *run, size_t count)
{
	size_t *window = in->order + in->done, done;

	if (in->turns == 0)
		in->out->before = in->out->after = run->before;
	renew_fates(in, run);
	done = take_fates(in, run, count);
	in->done += done;
	in->over = in->done == in->count && !run->cut;
	in->turns++;
	return tl__run_missing(run, in->out->fates, window, done, &in->missing, &in->databases);
}

static int take_turn(tl__ingesting *in)
{
	tl__run run = {.tree = NULL};
	tl__take take = {.tree = in->tree,
		.db = in->page->db,
		.page = in->page,
		.lines = in->lines,
		.window = in->order + in->done,
		.admitted = in->admitted,
		.others = in->page->others,
		.brief = tl__others_wait(&in->page->others)};
	int code = take_window(in, &run, &take);

	if (code == TL__RUN_INTERRUPTED) {
		tl__run_free(&run);
		take.brief = true;
		code = take_window(in, &run, &take);
	}
	if (code == TL_OK)
		code = end_turn(in, &run, take.window_count);
	if (code == TL_OK)
		tl__run_follow(&run, &in->after);
	tl__run_free(&run);
	return code;
}

/* --- what is told ----------------------------------------------------------------------------- */

static int on_entry(void *ud, const tl__entry_row *row)
{
	return tl__map_set(ud, tl__map_key_id(&row->id), NULL);
}

static int on_aside(void *ud, const tl__aside_row *row)
{
	return tl__map_set(ud, tl__map_key_id(&row->id), NULL);
}

/* What one turn missed another may have brought. */
static int drop_held(tl__ingesting *in, tl__snapshot *s, tl__map *ids)
{
	tl_id *missing = (tl_id *)(void *)in->missing.ptr;
	size_t count = in->missing.len / TL_ID_BYTES, kept = 0;
	const tl_id *db = &in->page->db;
	int code = tl__read_entries(s, db, missing, count, 0, on_entry, ids);

	if (code == TL_OK)
		code = tl__read_asides(s, db, missing, count, 0, on_aside, ids);
	for (size_t i = 0; i < count && code == TL_OK; i++) {
		if (tl__map_has(ids, tl__map_key_id(&missing[i])))
			continue;
		missing[kept++] = missing[i];
		code = tl__map_set(ids, tl__map_key_id(&missing[i]), NULL);
	}
	in->missing.len = kept * TL_ID_BYTES;
	return code;
}

static int settle_missing(tl__ingesting *in)
{
	tl__snapshot *s;
	tl__map ids;
	int code;

	if (in->turns < 2 || in->missing.len == 0)
		return TL_OK;
	tl__map_init(&ids);
	code = tl__snapshot_open(in->tree->store, &s);
	if (code == TL_OK)
		code = drop_held(in, s, &ids);
	tl__snapshot_close(s);
	tl__map_free(&ids);
	return code;
}

static tl_id *take_ids(tl__buf *list, size_t *count)
{
	*count = list->len / TL_ID_BYTES;
	return *count > 0 ? (tl_id *)(void *)tl__buf_take(list, &(size_t){0}) : NULL;
}

/* As this page was, the next one may well be. */
static void note_use(const tl__ingesting *in)
{
	size_t entered = 0, count = in->page->count;

	for (size_t i = 0; i < count; i++)
		entered += in->out->fates[i].kind == TL__FATE_VERIFIED ||
			   in->out->fates[i].kind == TL__FATE_VOID;
	if (count > 0)
		atomic_store(&in->tree->fruitless, entered < count / 2);
}

static int end(tl__ingesting *in)
{
	tl__ingest_result *out = in->out;
	int code = settle_missing(in);

	if (code != TL_OK)
		return code;
	for (size_t i = 0; i < in->page->count; i++)
		if (in->first[i] != i)
			out->fates[i] = out->fates[in->first[i]];
		else if (!out->fates[i].has_id)
			out->fates[i] = tl__run_fate(NULL, &in->lines[i]);
	out->missing = take_ids(&in->missing, &out->missing_count);
	out->missing_databases = take_ids(&in->databases, &out->missing_database_count);
	note_use(in);
	return TL_OK;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static int resume(tl__ingesting *in)
{
	bool done;
	int code = tl__resume_step(in->tree, &in->resumption, &in->after, &done);

	in->resuming = code != TL_OK || !done;
	return code;
}

static int step(tl__ingesting *in)
{
	if (in->after.list.count > 0) {
		tl__followup_step(in->tree, &in->after, in->page->others,
			in->resuming ? NULL : renew_fates, in);
		return TL_OK;
	}
	if (in->resuming)
		return resume(in);
	return in->lines ? take_turn(in) : read_some(in);
}

static bool is_done(const tl__ingesting *in)
{
	return in->over && in->after.list.count == 0;
}

static int run_piece(tl__ingesting *in)
{
	int code;

	do
		code = step(in);
	while (code == TL_OK && !is_done(in) && !tl__others_wait(&in->page->others));
	return code == TL_OK && is_done(in) ? end(in) : code;
}

int tl__ingest_piece(
	tl__tree *tree, const tl__ingest_page *page, tl__ingesting **state, tl__ingest_result *out)
{
	tl__ingesting *in = *state;
	int code = in ? TL_OK : begin(tree, page, out, &in);

	*state = NULL;
	if (code == TL_OK) {
		in->page = page;
		in->out = out;
		code = run_piece(in);
	}
	if (code == TL_OK && !is_done(in)) {
		*state = in;
		return TL_OK;
	}
	if (code != TL_OK && in && in->untold > 0 && tree->listener.committed)
		tree->listener.committed(tree->listener.ud, &page->db, in->untold, NULL);
	tl__ingesting_free(in);
	if (code != TL_OK)
		tl__ingest_result_free(out);
	return code;
}

int tl__ingest(tl__tree *tree, const tl__ingest_page *page, tl__ingest_result *out)
{
	tl__ingesting *state = NULL;
	int code;

	do
		code = tl__ingest_piece(tree, page, &state, out);
	while (code == TL_OK && state);
	return code;
}

void tl__ingest_result_free(tl__ingest_result *result)
{
	tl__free(result->fates);
	tl__free(result->missing);
	tl__free(result->missing_databases);
	memset(result, 0, sizeof *result);
}
