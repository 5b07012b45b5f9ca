/* Messages of eidetica 0.2.0 while memory runs out: alloc_failure_spec.c has the rest. */
#include "survive_help.h"
#include "v0/wire/v0.h"

static int read_v0_requests(tl__buf *out)
{
	/* One literal a text: parentheses tell the compiler that it is meant. */
	static const char *const texts[] = {
		("{\"Handshake\":{\"device_id\":\"\\u0064\",\"public_key\":\"k\",\"display_name\":"
		 "\"\\n\",\"protocol_version\":0,\"challenge\":[1,2],\"listen_addresses\":[{"
		 "\"transport_type\":\"http\",\"address\":\"\\u0068\"}],\"tidelock\":{"
		 "\"v\\u0065rsions\":"
		 "[1]}}}"),
		("{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[\"a\",\"\\u0062\",\"c\"],"
		 "\"requested_permission\":{\"Wr\\u0069te\":3}}}"),
		"{\"SendEntries\":[{\"a\":1},{\"b\":[[]]},{},{},{},{},{},{},{},{}]}"};

	for (size_t i = 0; i < 3; i++) {
		tl__v0_request r;
		tl__v0_refusal refusal;
		int code = tl__v0_request_read(&r, tl__str_z(texts[i]), &refusal);

		if (code != TL_OK)
			return code;
		if (r.kind == TL__V0_HANDSHAKE)
			tl__v0_write_handshake_request(out, &r.handshake);
		else if (r.kind == TL__V0_SYNC_TREE)
			tl__v0_write_sync_tree(out, &r.sync_tree);
		else
			tl__v0_write_send_entries(out, r.entries, r.entry_count);
		tl__v0_request_free(&r);
	}
	return tl__buf_status(out);
}

static int add_entry(void *ud, tl_str text, bool is_root)
{
	tl__buf *out = ud;

	tl__buf_byte(out, is_root ? '!' : '.');
	tl__buf_str(out, text);
	return tl__buf_status(out);
}

static int read_v0_answer(tl__buf *out, const char *text)
{
	tl__v0_reader *reader;
	int code = tl__v0_reader_new(&reader, add_entry, out);

	for (size_t i = 0; code == TL_OK && text[i]; i++)
		code = tl__v0_reader_feed(reader, text + i, 1);
	if (code == TL_OK)
		code = tl__v0_reader_finish(reader);
	if (code == TL_OK) {
		const tl__v0_response *r = tl__v0_reader_response(reader);

		tl__buf_format(out, "%d %zu %zu %d %zu\n", (int)r->kind, r->tree_id.len,
			r->tip_count, r->has_granted, r->handshake.tree_count);
	}
	tl__v0_reader_free(reader);
	return code == TL_OK ? tl__buf_status(out) : code;
}

static int read_v0_answers(tl__buf *out)
{
	int code = read_v0_answer(out,
		"{\"Bootstrap\":{\"tree_id\":\"\\u0074\",\"root_entry\":{\"a\":\"a long text of an "
		"entry\"},\"all_entries\":[{\"b\":1}],\"key_approved\":true,\"granted_permission\":"
		"{\"\\u0041dmin\":1},\"x\":{}}}");

	if (code == TL_OK)
		code = read_v0_answer(out,
			"{\"Incremental\":{\"tree_id\":\"t\",\"their_tips\":[\"a\","
			"\"b\"],\"missing_entries\":[]}}");
	if (code == TL_OK)
		code = read_v0_answer(out,
			"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"display_name\":"
			"null,"
			"\"protocol_version\":0,\"challenge_response\":[1],\"new_challenge\":[2],"
			"\"available_trees\":[{\"tree_id\":\"t\",\"name\":null,\"entry_count\":1,"
			"\"last_modified\":0}],\"tidelock\":{\"versions\":[1]}}}");
	return code == TL_OK ? read_v0_answer(out, "{\"Error\":\"\\u00e9\"}") : code;
}

SURVIVES(read_v0_requests, 10)
SURVIVES(read_v0_answers, 20)

int main(void)
{
	RUN(read_v0_requests_survives);
	RUN(read_v0_answers_survives);
	return spec_end();
}
