/* Protocol v0: requests, read whole. */
#include "v0_fixture.h"

/* TL_OK and written again into *again, or the code and *refusal. */
static int read_request(const char *text, tl__buf *again, int *refusal)
{
	tl__v0_request r;
	tl__v0_refusal said = TL__V0_NOT_JSON;
	char *copy = tl__copy_bytes(text, strlen(text));
	int code = tl__v0_request_read(&r, tl__str_z(copy), &said);

	*refusal = code == TL_OK ? 0 : (int)said;
	if (code == TL_OK && again) {
		switch (r.kind) {
		case TL__V0_HANDSHAKE: tl__v0_write_handshake_request(again, &r.handshake); break;
		case TL__V0_SYNC_TREE: tl__v0_write_sync_tree(again, &r.sync_tree); break;
		default: tl__v0_write_send_entries(again, r.entries, r.entry_count); break;
		}
	}
	if (code == TL_OK)
		tl__v0_request_free(&r);
	tl__free(copy);
	return code;
}

static const char *const requests[] = {
	"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"display_name\":null,"
	"\"protocol_version\":0,\"challenge\":[0,255,7],\"listen_addresses\":[]}}",
	"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"display_name\":\"n\\\"\","
	"\"protocol_version\":4294967295,\"challenge\":[],\"listen_addresses\":[{"
	"\"transport_type\":\"http\",\"address\":\"h:1\"}],\"tidelock\":{\"versions\":[1]}}}",
	"{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[],\"peer_pubkey\":null,"
	"\"requesting_key\":null,\"requesting_key_name\":null,\"requested_permission\":null}}",
	"{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[\"a\",\"b\"],\"peer_pubkey\":\"p\","
	"\"requesting_key\":\"k\",\"requesting_key_name\":\"n\",\"requested_permission\":"
	"{\"Write\":10}}}",
	"{\"SendEntries\":[]}",
	"{\"SendEntries\":[" ENTRY("a") "," ENTRY("b") "]}",
};
#define REQUESTS (sizeof requests / sizeof *requests)

static void requests_come_back_as_written(void)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		tl__buf again = TL__BUF_INIT;
		int refusal;

		CHECK_OK(read_request(requests[i], &again, &refusal));
		CHECK(tl__str_eq(tl__buf_view(&again), tl__str_z(requests[i])));
		tl__buf_free(&again);
	}
}

static void truncated_requests_are_not_json(void)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		for (size_t len = 0; len < strlen(requests[i]); len++) {
			char *copy = tl__copy_bytes(requests[i], len);
			int refusal;

			CHECK_CODE(read_request(copy, NULL, &refusal), TL_E_BAD_JSON);
			CHECK(refusal == 400);
			tl__free(copy);
		}
	}
}

static const char *const sync_members[] = {"\"tree_id\":\"t\"", "\"our_tips\":[\"a\"]",
	"\"peer_pubkey\":\"p\"", "\"requesting_key\":\"k\"", "\"requesting_key_name\":null",
	"\"requested_permission\":\"Read\"", "\"unknown\":{\"a\":[{}]}", "\"other\":null"};
#define SYNC_MEMBERS 8

static void members_come_in_any_order(void)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(3));
	size_t order[SYNC_MEMBERS];

	for (int round = 0; round < 200; round++) {
		tl__buf text = TL__BUF_INIT, again = TL__BUF_INIT;
		int refusal;

		shuffle(&random, order, SYNC_MEMBERS);
		join(&text, "{\"SyncTree\":{", sync_members, order, SYNC_MEMBERS, "}}");
		CHECK_OK(read_request(text.ptr, &again, &refusal));
		CHECK(tl__str_eq(tl__buf_view(&again),
			TL__STR("{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[\"a\"],"
				"\"peer_pubkey\":\"p\",\"requesting_key\":\"k\","
				"\"requesting_key_name\":null,"
				"\"requested_permission\":\"Read\"}}")));
		tl__buf_free(&text);
		tl__buf_free(&again);
	}
}

/* Each known member told twice is refused; an unknown one may be. */
static void repeated_members_are_refused(void)
{
	for (size_t twice = 0; twice < SYNC_MEMBERS; twice++) {
		tl__buf text = TL__BUF_INIT;
		int refusal;

		join(&text, "{\"SyncTree\":{", sync_members, NULL, SYNC_MEMBERS, ",");
		tl__buf_format(&text, "%s}}", sync_members[twice]);
		CHECK_CODE(read_request(text.ptr, NULL, &refusal),
			twice < 6 ? TL_E_BAD_MESSAGE : TL_OK);
		CHECK(refusal == (twice < 6 ? 422 : 0));
		tl__buf_free(&text);
	}
}

static void bad_requests_get_their_status(void)
{
	static const struct {
		const char *text;
		int refusal;
	} cases[] = {{"", 400}, {"null", 400}, {"[]", 400}, {"1", 400}, {"{}", 400},
		{"{\"SendEntries\":[]} x", 400}, {"{\"SendEntries\":[],\"SendEntries\":[]}", 400},
		{"{\"SendEntries\":[],\"Handshake\":1}", 400}, {"{\"SendEntries\":[}", 400},
		{"\xef\xbb\xbf{\"SendEntries\":[]}", 400},
		{"{\"SendEntries\":[{\"a\":\"\xff\"}]}", 400}, {"\"Ack\"", 422},
		{"{\"Nothing\":1}", 422}, {"{\"SendEntries\":null}", 422},
		{"{\"SendEntries\":{}}", 422}, {"{\"SendEntries\":[1]}", 422},
		{"{\"SendEntries\":[{},null]}", 422}, {"{\"SyncTree\":{}}", 422},
		{"{\"SyncTree\":{\"tree_id\":\"t\"}}", 422},
		{"{\"SyncTree\":{\"tree_id\":1,\"our_tips\":[]}}", 422},
		{"{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[1]}}", 422},
		{"{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[],\"requested_permission\":\"x\"}"
		 "}",
			422},
		{"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"protocol_version\":-1,"
		 "\"challenge\":[],\"listen_addresses\":[]}}",
			422},
		{"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"protocol_version\":0,"
		 "\"challenge\":[256],\"listen_addresses\":[]}}",
			422},
		{"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"protocol_version\":0,"
		 "\"challenge\":\"AAAA\",\"listen_addresses\":[]}}",
			422}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int refusal;

		CHECK(read_request(cases[i].text, NULL, &refusal) != TL_OK);
		if (refusal != cases[i].refusal)
			printf("%s: %d\n", cases[i].text, refusal);
		CHECK(refusal == cases[i].refusal);
	}
}

static int many(
	const char *before, const char *element, size_t count, const char *after, int *refusal)
{
	tl__buf text = TL__BUF_INIT;
	int code;

	tl__buf_text(&text, before);
	for (size_t i = 0; i < count; i++) {
		if (i)
			tl__buf_byte(&text, ',');
		tl__buf_text(&text, element);
	}
	tl__buf_text(&text, after);
	code = read_request(text.ptr, NULL, refusal);
	tl__buf_free(&text);
	return code;
}

#define CHALLENGE                                                                                  \
	"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"display_name\":null,"          \
	"\"protocol_version\":0,\"challenge\":["
#define SHAKE                                                                                      \
	"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"protocol_version\":0,"         \
	"\"challenge\":[],\"listen_addresses\":["
#define SYNC "{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":["

static void requests_have_limits(void)
{
	static const char address[] = "{\"transport_type\":\"http\",\"address\":\"h:1\"}";
	int refusal;

	CHECK_OK(many(SHAKE, address, TL__V0_MAX_ADDRESSES, "]}}", &refusal));
	CHECK_CODE(many(SHAKE, address, TL__V0_MAX_ADDRESSES + 1, "]}}", &refusal), TL_E_TOO_LARGE);
	CHECK_OK(many(SYNC, "\"t\"", TL__V0_MAX_TIPS, "]}}", &refusal));
	CHECK_CODE(many(SYNC, "\"t\"", TL__V0_MAX_TIPS + 1, "]}}", &refusal), TL_E_TOO_LARGE);
	/* A challenge; a byte string is 4,096 bytes at most. */
	CHECK_OK(many(CHALLENGE, "7", 4096, "],\"listen_addresses\":[]}}", &refusal));
	CHECK_CODE(many(CHALLENGE, "7", 4097, "],\"listen_addresses\":[]}}", &refusal),
		TL_E_TOO_LARGE);
	/* {"SendEntries":[ and ]} are 18 bytes, "{}," 3. */
	CHECK_OK(many(
		"{\"SendEntries\":[", "{}", (TL__V0_MAX_REQUEST_BYTES - 17) / 3, "]}", &refusal));
	CHECK_CODE(many("{\"SendEntries\":[", "{}", (TL__V0_MAX_REQUEST_BYTES - 17) / 3 + 1, "]}",
			   &refusal),
		TL_E_TOO_LARGE);
	CHECK(refusal == 413);
}

/* A handshake of this many bytes. */
static int long_handshake(size_t len, int *refusal)
{
	tl__buf text = TL__BUF_INIT;
	int code;

	tl__buf_text(&text, SHAKE "],\"display_name\":\"");
	while (text.len < len - 3)
		tl__buf_byte(&text, 'n');
	tl__buf_text(&text, "\"}}");
	code = read_request(text.ptr, NULL, refusal);
	tl__buf_free(&text);
	return code;
}

static void handshakes_have_a_limit(void)
{
	int refusal;

	CHECK_OK(long_handshake(TL__V0_MAX_HANDSHAKE, &refusal));
	CHECK_CODE(long_handshake(TL__V0_MAX_HANDSHAKE + 1, &refusal), TL_E_TOO_LARGE);
	CHECK(refusal == 413);
}

static void hostile_requests_do_no_harm(void)
{
	tl__buf text = TL__BUF_INIT;
	int refusal;

	/* 0.2.0 sets no limit to the depth of what it passes over. */
	tl__buf_text(&text, "{\"SyncTree\":{\"tree_id\":\"t\",\"our_tips\":[],\"x\":");
	for (int i = 0; i < 100000; i++)
		tl__buf_byte(&text, '[');
	CHECK_CODE(read_request(text.ptr, NULL, &refusal), TL_E_BAD_JSON);
	tl__buf_clear(&text);
	tl__buf_text(&text, "{\"SendEntries\":[");
	for (int i = 0; i < 1000; i++)
		tl__buf_text(&text, "{\"a\":");
	CHECK_CODE(read_request(text.ptr, NULL, &refusal), TL_E_BAD_JSON);
	tl__buf_free(&text);
}

int main(void)
{
	RUN(requests_come_back_as_written);
	RUN(truncated_requests_are_not_json);
	RUN(members_come_in_any_order);
	RUN(repeated_members_are_refused);
	RUN(bad_requests_get_their_status);
	RUN(requests_have_limits);
	RUN(handshakes_have_a_limit);
	RUN(hostile_requests_do_no_harm);
	return spec_end();
}
