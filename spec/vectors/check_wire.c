/* Sections recorded from live exchanges. */
#include <stdlib.h>
#include <string.h>
#include <tidelock/doc.h>
#include <tidelock/entry.h>
#include "check.h"
#include "wire/v0.h"

/* Start of the body, or ptr NULL when there is no blank line. */
static tl_str body_of(tl_str message)
{
	const char *at = message.ptr ? memmem(message.ptr, message.len, "\r\n\r\n", 4) : NULL;

	if (!at)
		return TL__STR_NULL;
	return (tl_str){at + 4, message.len - (size_t)(at + 4 - message.ptr)};
}

static int status_of(tl_str response)
{
	return response.len > 12 ? (int)strtol(response.ptr + 9, NULL, 10) : 0;
}

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

/* How a request must be answered: the status 0.2.0 gave. */
static void check_request(check *c, tl_str body, int status)
{
	tl__v0_request request;
	tl__v0_refusal refusal = TL__V0_NOT_JSON;
	tl__buf again = TL__BUF_INIT;
	int code = tl__v0_request_read(&request, body, &refusal);
	bool live = tl__str_starts(node_text(c->item, "name"), TL__STR("live"));

	if (code != TL_OK) {
		/* Members as arrays of all values: 0.2.0's parser takes them and never writes them.
		 */
		if (status == 200 && code == TL_E_BAD_MESSAGE &&
			memmem(body.ptr, body.len, "\":[\"", 4))
			differs(c, "structures written as arrays are refused");
		else if ((int)refusal != status)
			wrong(c, "answered %d, 0.2.0 answered %d (%s)", (int)refusal, status,
				tl_error_message(tl_last_error()));
		return;
	}
	if (status != 200) {
		tl_entry *entry = NULL;

		/* Entries are read when they are stored; the whole request is refused all the same.
		 */
		if (status == 422 && request.kind == TL__V0_SEND_ENTRIES && request.entry_count > 0)
			expect(c,
				tl_entry_parse(&entry, request.entries[0], TL_ENTRY_FOREIGN) !=
					TL_OK,
				"an entry that 0.2.0 does not read");
		else
			wrong(c, "read although 0.2.0 answered %d", status);
		tl_entry_release(entry);
	} else if (live) {
		/* What a live client wrote, we write byte for byte. */
		write_request(&again, &request);
		expect_text(c, tl__buf_view(&again), body, "written again");
	}
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
	tl_str body = body_of(request), answer = body_of(response);
	int status = status_of(response);
	/* What concerns HTTP itself is shown by the specification of the transport. */
	bool about_json = status == 200 || status == 400 || status == 422;

	(void)section;
	if (!body.ptr || !about_json || is_cut(request) ||
		memmem(request.ptr, request.len, "chunked", 7) ||
		memmem(request.ptr, request.len, "HTTP/1.1\r\n\r\n", 12) ||
		memmem(body.ptr, body.len, "POST /", 6)) {
		differs(c, "about HTTP itself: asserted where the transport is");
		return;
	}
	check_request(c, body, status);
	if (status != 200 || is_cut(response) || answer.len == 0 ||
		tl__str_starts(answer, TL__STR("HTTP/")))
		return;
	check_response(c, answer, answer.len);
	check_response(c, answer, 1);
	check_response(c, answer, 7);
}

/* Stored documents of the sync database: we read them, and what we write reads the same. */
void check_sync_record(check *c, const node *section)
{
	tl_str content = node_text(c->item, "content");
	tl_value *doc = NULL;
	tl_entry *entry = NULL;
	char *text = NULL;
	size_t len = 0;

	(void)section;
	if (tl__str_eq(node_text(c->item, "store"), TL__STR("entry"))) {
		expect(c, tl_entry_parse(&entry, content, TL_ENTRY_CANONICAL) == TL_OK, "entry");
		if (entry)
			expect(c, tl_entry_check(entry) == TL_OK, "structure");
		tl_entry_release(entry);
		return;
	}
	if (tl_doc_parse(&doc, content) != TL_OK || tl_doc_write(doc, &text, &len) != TL_OK)
		wrong(c, "not read: %s", tl_error_message(tl_last_error()));
	else
		expect_json(c, (tl_str){text, len}, content, "written again");
	tl_free(text);
	tl_value_free(doc);
}
