/* v1 pull: pages, and the cursors that pull and push exchange. */
#include <string.h>
#include "sync/core/core.h"
#include "sync/in/serve.h"

/* --- cursors ---------------------------------------------------------------------------------- */

bool tl__serve_is_ours(const tl__sync *sync, const tl__v1_cursor *cursor)
{
	return memcmp(cursor->incarnation, sync->incarnation, sizeof sync->incarnation) == 0;
}

tl__work_place tl__serve_place_of(const tl__v1_cursor *cursor)
{
	tl__work_place place = {.n = cursor->n};

	memcpy(place.c, cursor->c, sizeof place.c);
	return place;
}

tl__v1_cursor tl__serve_cursor_of(const tl__sync *sync, const tl__work_place *place)
{
	tl__v1_cursor cursor = {.n = place->n};

	memcpy(cursor.incarnation, sync->incarnation, sizeof cursor.incarnation);
	memcpy(cursor.c, place->c, sizeof cursor.c);
	return cursor;
}

void tl__serve_heard_seen(tl__sync *sync, tl__incoming *in, const tl__v1_cursor *seen, bool valid)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);

	tl__client_at(sync, &in->from, &in->db, valid ? seen->n : 0);
	if (!pair)
		return;
	if (!valid) {
		tl__pair_restart(sync, pair);
	} else if (seen->n > pair->ack) {
		tl__pair_acknowledge(sync, pair, seen->n);
		tl__pair_save(sync, pair);
	}
}

/* --- pull ------------------------------------------------------------------------------------- */

struct id_room {
	tl_id *ids;
	size_t count;
};

static int add_id(tl__incoming *in, struct id_room *room, size_t limit, const tl_id *id)
{
	if (!room->ids) /* a body bounds how many there are; lines are at least this long */
		room->ids = tl__arena_alloc(&in->arena,
			in->body.len / TL_ID_TEXT_LEN + 1 < limit
				? in->body.len / TL_ID_TEXT_LEN + 1
				: limit,
			sizeof *room->ids);
	if (!room->ids)
		return TL_E_NOMEM;
	room->ids[room->count++] = *id;
	return TL_OK;
}

struct pull_lines {
	struct id_room tips, have, want;
};

static int read_pull_lines(tl__incoming *in, struct pull_lines *lines)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_PULL, in->body, &in->pull.tips);

	while (rc == TL_OK) {
		rc = tl__v1_body_next(&body, &line, &end);
		if (rc != TL_OK || end)
			break;
		if (line.kind == TL__V1_LINE_TIP)
			rc = add_id(in, &lines->tips, TL__V1_MAX_TIPS, &line.id);
		else if (line.kind == TL__V1_LINE_HAVE)
			rc = add_id(in, &lines->have, TL__V1_MAX_HAVE, &line.id);
		else
			rc = add_id(in, &lines->want, TL__V1_MAX_WANT, &line.id);
	}
	return rc;
}

static void write_tips(tl__buf *body, tl__v1_page *page, const tl__work_page *work)
{
	page->has_tips = true;
	page->tips.count = work->our_tip_count;
	page->tips.hashed = work->our_tip_count > TL__V1_MAX_TIPS;
	memcpy(page->tips.sha256, work->tips_hash, sizeof page->tips.sha256);
	for (size_t i = 0; i < work->our_tip_count && !page->tips.hashed; i++)
		tl__v1_write_id(body, TL__V1_LINE_TIP, &work->our_tips[i]);
}

/* A peer that takes pages gets everything so: pushing the same beside it would send all twice. It
 * is held back a little behind each page, and then asks first what it has got; behind the last one
 * it watches, which acknowledges. */
static void hold_pushes(tl__sync *sync, const tl__incoming *in, bool more)
{
	tl__pair *pair = tl__sync_related(sync, &in->from, &in->db);

	if (!pair)
		return;
	tl__pair_changed(sync, pair);
	if (!more && !pair->look_first) {
		if (pair->peer->watch_offered)
			pair->told_until = sync->now + TL__SERVE_TOLD_MS;
		return;
	}
	pair->look_first = true;
	pair->pulling_until = sync->now + (more ? TL__SERVE_PULLING_MS : TL__SERVE_PULLED_MS);
}

static void answer_page(tl__sync *sync, tl__incoming *in, tl__work_page *work)
{
	tl__v1_page page = {.more = work->more, .cursor = tl__serve_cursor_of(sync, &work->next)};
	tl__buf args = TL__BUF_INIT, body = TL__BUF_INIT;

	page.cursor_valid = work->cursor_valid &&
			    (!in->pull.has_cursor || tl__serve_is_ours(sync, &in->pull.cursor));
	page.seen_valid =
		work->seen_valid && (!in->pull.has_seen || tl__serve_is_ours(sync, &in->pull.seen));
	if (in->pull.has_seen)
		tl__serve_heard_seen(sync, in, &in->pull.seen, page.seen_valid);
	hold_pushes(sync, in, work->more);
	tl__serve_spend(sync, in, tl__lines_bytes(work));
	tl__served_gave(sync, &in->from, &in->db, work->count, tl__lines_bytes(work));
	tl__serve_watch_given(sync, &in->from, &in->db, work->next.n);
	page.has_left = in->pull.state;
	page.left = work->left;
	if (!work->more)
		write_tips(&body, &page, work);
	/* A large entry travels alone; what is absent is told when it is asked for again. */
	for (size_t i = 0; i < work->absent_count &&
			   (!work->count || work->lines[0].len < TL__V1_MAX_BODY_BYTES);
		i++)
		tl__v1_write_id(&body, TL__V1_LINE_ABSENT, &work->absent[i]);
	for (size_t i = 0; i < work->count; i++)
		tl__v1_write_entry(&body, work->lines[i]);
	tl__v1_write_page(&args, &page);
	tl__serve_answer_args(sync, in, &args, &body);
}

static void paged(void *core, tl__work *work)
{
	tl__incoming *in = tl__serve_well(core, work);

	if (!in)
		return;
	answer_page(core, in, &work->page);
	tl__work_free(work);
}

static void ask_page(tl__sync *sync, tl__incoming *in)
{
	struct pull_lines lines = {0};
	size_t most = tl__serve_page(sync, in, tl__page_most(sync));
	tl__work *work;

	if (read_pull_lines(in, &lines) != TL_OK) {
		tl__serve_bad_request(sync, in);
		return;
	}
	work = tl__serve_work(sync, in, TL__WORK_PAGE, paged);
	if (!work)
		return;
	work->page = (tl__work_page){.tips = lines.tips.ids,
		.tip_count = lines.tips.count,
		.have = lines.have.ids,
		.have_count = lines.have.count,
		.want = lines.want.ids,
		.want_count = lines.want.count,
		.has_cursor = in->pull.has_cursor && tl__serve_is_ours(sync, &in->pull.cursor),
		.cursor = tl__serve_place_of(&in->pull.cursor),
		.has_seen = in->pull.has_seen && tl__serve_is_ours(sync, &in->pull.seen),
		.seen = tl__serve_place_of(&in->pull.seen),
		.max_bytes = in->pull.budget < most ? (size_t)in->pull.budget : most,
		.max_entries = TL__V1_MAX_PAGE_ENTRIES};
	tl__sync_give_work(sync, work);
}

static void pull_allowed(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__incoming *in = tl__serve_well(sync, work);

	if (!in)
		return;
	if (!tl__serve_is_readable(sync, in, &work->access.rights)) {
		tl__serve_not_available(sync, in);
	} else if (!tl__serve_owes(sync, in)) {
		tl__client_at(sync, &in->from, &in->db, 0);
		ask_page(sync, in);
	}
	tl__work_free(work);
}

void tl__serve_pull(tl__sync *sync, tl__incoming *in)
{
	if (tl__v1_read_pull(&in->pull, in->args) != TL_OK)
		tl__serve_bad_request(sync, in);
	else
		tl__serve_ask_rights(sync, in, pull_allowed);
}
