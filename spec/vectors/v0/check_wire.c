/* Sections recorded from live exchanges. */
#include <string.h>
#include <tidelock/doc.h>
#include <tidelock/entry.h>
#include "play.h"

static bool is_cut(tl_str text)
{
	return text.ptr && text.len >= 3 && memmem(text.ptr, text.len, "\xe2\x80\xa6", 3) != NULL;
}

static void write_request(tl__buf *out, const tl__v0_request *r)
{
	switch (r->kind) {
	case TL__V0_HANDSHAKE: tl__v0_write_handshake_request(out, &r->handshake); break;
	case TL__V0_SYNC_TREE: tl__v0_write_sync_tree(out, &r->sync_tree); break;
	default: tl__v0_write_send_entries(out, r->entries, r->entry_count); break;
	}
}

/* A request that 0.2.0 took. What its own client wrote (only that one says what it accepts), we
 * write byte for byte. */
static void check_request(check *c, tl_str body, bool by_client)
{
	tl__v0_request request;
	tl__v0_refusal refusal = TL__V0_NOT_JSON;
	tl__buf again = TL__BUF_INIT;

	if (tl__v0_request_read(&request, body, &refusal) != TL_OK) {
		expect(c, !by_client, "what a live client wrote is read");
		return;
	}
	write_request(&again, &request);
	if (by_client)
		expect_text(c, tl__buf_view(&again), body, "written again");
	tl__buf_free(&again);
	tl__v0_request_free(&request);
}

typedef struct heard {
	tl__buf entries; /* as they would be streamed again */
	tl_str root;
	tl__arena *arena;
	bool first;
} heard;

static int on_entry(void *ud, tl_str text, bool is_root)
{
	heard *h = ud;

	if (is_root) {
		h->root = tl__arena_str(h->arena, text);
	} else {
		tl__v0_stream_entry(&h->entries, text, h->first);
		h->first = false;
	}
	return TL_OK;
}

static void write_response(tl__buf *out, const tl__v0_response *r, const heard *h)
{
	switch (r->kind) {
	case TL__V0_RESPONSE_HANDSHAKE: tl__v0_write_handshake_response(out, &r->handshake); break;
	case TL__V0_RESPONSE_BOOTSTRAP:
		tl__v0_begin_bootstrap(out, r->tree_id, h->root);
		tl__buf_str(out, tl__buf_view(&h->entries));
		tl__v0_end_bootstrap(out, r->key_approved, r->has_granted ? &r->granted : NULL);
		break;
	case TL__V0_RESPONSE_INCREMENTAL:
		tl__v0_begin_incremental(out, r->tree_id, r->their_tips, r->tip_count);
		tl__buf_str(out, tl__buf_view(&h->entries));
		tl__v0_end_incremental(out);
		break;
	case TL__V0_RESPONSE_PENDING: tl__v0_write_pending(out, r->request_id, r->text); break;
	case TL__V0_RESPONSE_COUNT: tl__v0_write_count(out, r->count); break;
	case TL__V0_RESPONSE_ERROR: tl__v0_write_error(out, r->text); break;
	default: tl__v0_write_ack(out); break;
	}
}

/* Read in pieces of that size and written again: the same bytes. */
static void check_response(check *c, tl_str body, size_t step)
{
	heard h = {.arena = &c->arena, .first = true};
	tl__v0_reader *reader = NULL;
	tl__buf again = TL__BUF_INIT;
	int code = tl__v0_reader_new(&reader, on_entry, &h);

	for (size_t at = 0; at < body.len && code == TL_OK; at += step)
		code = tl__v0_reader_feed(
			reader, body.ptr + at, body.len - at < step ? body.len - at : step);
	if (code == TL_OK)
		code = tl__v0_reader_finish(reader);
	if (code != TL_OK) {
		wrong(c, "answer not read in pieces of %zu: %s", step,
			tl_error_message(tl_last_error()));
	} else {
		write_response(&again, tl__v0_reader_response(reader), &h);
		expect_text(c, tl__buf_view(&again), body, "answer written again");
	}
	tl__buf_free(&again);
	tl__buf_free(&h.entries);
	tl__v0_reader_free(reader);
}

void check_wire(check *c, const node *section)
{
	tl_str request = bytes_of(c, "request"), response = bytes_of(c, "response");
	tl_str body = http_body(request), answer = http_body(response);
	bool plain = http_status(response) == 200 && !is_cut(request) && !is_cut(response) &&
		     http_complete(request, false) == 1 && http_complete(response, false) == 1 &&
		     !http_header(request, "transfer-encoding").ptr;

	/* What the texts are: read, and written again. */
	if (plain && body.ptr) {
		check_request(c, body, http_header(request, "accept").ptr != NULL);
		check_response(c, answer, answer.len);
		check_response(c, answer, 1);
		check_response(c, answer, 7);
	}
	check_served(c, section);
	check_replayed(c, section);
}
