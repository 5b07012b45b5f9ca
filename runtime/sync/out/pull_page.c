/* A page of a pull is taken apart: whether the peer gets anywhere, what its places and tips say,
 * and the lines and our place behind them, which are written in one batch. */
#include "sync/out/session.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_ahead(const tl__v1_cursor *a, const tl__v1_cursor *b)
{
	return a->n > b->n || !tl__v1_same_store(a, b);
}

typedef struct page {
	tl__v1_page args;
	tl_str *lines;
	size_t count;
	tl_id *tips;
	size_t tip_count;
} page;

static int read_lines(page *out, const tl__call_result *result, tl__arena *arena)
{
	size_t line_cap = 0, tip_cap = 0;
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_body_open(
		&body, TL__V1_BODY_PAGE, result->body, out->args.has_tips ? &out->args.tips : NULL);

	while (rc == TL_OK && (rc = tl__v1_body_next(&body, &line, &end)) == TL_OK && !end) {
		if (line.kind == TL__V1_LINE_ENTRY) {
			rc = tl__arena_grow(arena, (void **)&out->lines, &line_cap, out->count,
				sizeof *out->lines);
			if (rc == TL_OK)
				out->lines[out->count++] = tl__arena_str(arena, line.entry);
		} else if (line.kind == TL__V1_LINE_TIP) {
			rc = tl__arena_grow(arena, (void **)&out->tips, &tip_cap, out->tip_count,
				sizeof *out->tips);
			if (rc == TL_OK)
				out->tips[out->tip_count++] = line.id;
		}
	}
	return rc;
}

/* A responder must get somewhere, or it could keep us for ever. */
static int check_progress(tl__session *session, const page *p)
{
	session->pull.empty_pages = p->count == 0 ? session->pull.empty_pages + 1 : 0;
	if (p->args.more && session->pull.empty_pages > TL__SYNC_MAX_EMPTY_PAGES)
		return tl__fail(TL_E_SYNC_PROTOCOL_ERROR,
			"the peer says again and again that there is more and gives nothing");
	if (p->args.more && session->pull.has_cursor && p->args.cursor_valid && p->count == 0 &&
		!is_ahead(&p->args.cursor, &session->pull.cursor))
		return tl__fail(
			TL_E_SYNC_PROTOCOL_ERROR, "the peer says there is more and gives nothing");
	if (!p->args.more && !p->args.has_tips)
		return tl__fail(TL_E_SYNC_PROTOCOL_ERROR, "the peer's last page tells no tips");
	return TL_OK;
}

static int keep_tips(tl__session *session, const page *p)
{
	bool same;

	if (!p->args.has_tips)
		return TL_OK;
	same = p->args.tips.count == session->pull.tips_told.count &&
	       memcmp(p->args.tips.sha256, session->pull.tips_told.sha256, 32) == 0;
	session->pull.differs = !p->args.tips.hashed && !same;
	session->theirs.count = 0;
	return tl__ids_add_all(&session->theirs, p->tips, p->tip_count);
}

/* The peer's store, or our memory of it, was rolled back: what it holds of ours is unknown, and our
 * place in its order too. */
static void judge_cursors(tl__sync *sync, tl__session *session, const page *p)
{
	tl__pair *pair = session->pair;

	if (p->args.cursor_valid && p->args.seen_valid)
		return;
	tl__log_about(sync->log, TL_LOG_WARNING, "sync", tl__str_z(pair->peer->text),
		"the store of %s was rolled back: exchanging from the start", pair->peer->text);
	tl__pair_restart(sync, pair);
	pair->has_seen = pair->has_sure = false;
	session->pull.from_sure = true;
}

/* The page and our place behind it are written together: `seen` moves now, `sure` when it turns out
 * that nothing was declined. */
static int write_cursor(const tl__pair *pair, const tl__v1_cursor *cursor, tl__work *work)
{
	tl__sync_local_key key = tl__pair_key("sync/pull", pair->peer, &pair->db->id);
	tl__put_local *local = tl__arena_alloc(&work->arena, 1, sizeof *local);
	tl__buf text = TL__BUF_INIT;
	int rc;

	if (!local)
		return TL_E_NOMEM;
	tl__pair_write_cursors(&text, pair->has_sure, &pair->sure, true, cursor, pair->sure_since);
	rc = tl__buf_status(&text);
	if (rc == TL_OK) {
		local->key = tl__arena_str(&work->arena, tl__str_z(key.text));
		local->value = tl__arena_str(&work->arena, tl__buf_view(&text));
		work->ingest.page.locals = local;
		work->ingest.page.local_count = 1;
	}
	tl__buf_free(&text);
	return rc;
}

int tl__pull_store(tl__pair *pair, const tl__v1_cursor *cursor, tl__work *work, const tl_str *lines,
	size_t count)
{
	tl__ingest_page *to = &work->ingest.page;

	to->db = pair->db->id;
	to->lines = lines;
	to->count = count;
	to->form = TL_ENTRY_CANONICAL;
	to->sender = tl__arena_str(&work->arena, tl__str_z(pair->peer->text));
	to->related = true;
	to->accept_unknown = true; /* the relation asks for it */
	return write_cursor(pair, cursor, work);
}

int tl__pull_take(tl__sync *sync, tl__session *session, tl__work *work,
	const tl__call_result *result, bool *more)
{
	page p = {0};
	int rc = tl__v1_read_page(&p.args, result->args);

	if (rc == TL_OK)
		rc = read_lines(&p, result, &work->arena);
	if (rc == TL_OK)
		rc = check_progress(session, &p);
	if (rc == TL_OK)
		rc = keep_tips(session, &p);
	if (rc != TL_OK)
		return rc;
	*more = p.args.more;
	judge_cursors(sync, session, &p);
	session->pull.has_cursor = true;
	session->pull.cursor = p.args.cursor;
	session->pair->progress_left = p.args.has_left ? p.args.left : 0;
	session->pair->progress_told = p.args.has_left || !p.args.more;
	if (p.count > 0)
		tl__rate_spend(sync, &session->peer->key, session->pair, result->body.len);
	if (p.count > 0)
		rc = tl__pull_store(session->pair, &session->pull.cursor, work, p.lines, p.count);
	if (p.count > 0 && rc == TL_OK)
		tl__session_give(sync, session, work);
	if (p.count > 0)
		return rc;
	tl__work_free(work);
	return TL_OK;
}
