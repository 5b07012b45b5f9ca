/* The v1 envelope: exactly one form, every limit over its edge. */
#include "base/mem.h"
#include "v1_fixture.h"

static void frame_lengths_have_edges(void)
{
	uint8_t bytes[5 + 64] = {0, 1, 0, 1};
	size_t need;

	CHECK_CODE(tl__v1_frame_need(bytes, 4, &need), TL_E_TOO_LARGE);
	bytes[3] = 0; /* exactly TL__V1_MAX_HEADER_BYTES */
	CHECK_OK(tl__v1_frame_need(bytes, 4, &need));
	CHECK(need == 4 + TL__V1_MAX_HEADER_BYTES + 1);
	bytes[1] = 0;
	CHECK_CODE(tl__v1_frame_need(bytes, 4, &need), TL_E_TOO_LARGE);
	bytes[0] = 0xff;
	CHECK_CODE(tl__v1_frame_need(bytes, 4, &need), TL_E_TOO_LARGE);
	bytes[0] = 0;
	bytes[3] = 1;
	bytes[5] = TL__V1_MAX_KEYS + 1;
	CHECK_OK(tl__v1_frame_need(bytes, 6, &need));
	CHECK(need == 6 + 64 * (TL__V1_MAX_KEYS + 1));
	bytes[5] = TL__V1_MAX_KEYS + 2;
	CHECK_CODE(tl__v1_frame_need(bytes, 6, &need), TL_E_BAD_MESSAGE);
	bytes[5] = 0;
	CHECK_CODE(tl__v1_frame_need(bytes, 6, &need), TL_E_BAD_MESSAGE);
}

/* args of this many bytes: {"a":"xx…"} */
static void long_args(tl__buf *out, size_t len)
{
	tl__buf_clear(out);
	tl__buf_text(out, "{\"a\":\"");
	while (out->len < len - 2)
		tl__buf_byte(out, 'x');
	tl__buf_text(out, "\"}");
}

static void headers_have_a_longest(void)
{
	tl__buf out = TL__BUF_INIT, args = TL__BUF_INIT;
	tl__v1_request m = plain_request();
	tl__v1_frame frame;
	size_t fixed;

	m.args = TL__STR("{}");
	REQUIRE(tl__v1_request_write(&out, &m, &alice, NULL, 0, TL__STR(""), NULL) == TL_OK);
	REQUIRE(tl__v1_frame_read(&frame, out.ptr, out.len) == TL_OK);
	fixed = frame.header.len - 2;
	long_args(&args, TL__V1_MAX_HEADER_BYTES - fixed);
	m.args = tl__buf_view(&args);
	tl__buf_clear(&out);
	CHECK_OK(tl__v1_request_write(&out, &m, &alice, NULL, 0, TL__STR(""), NULL));
	CHECK_OK(accept_request(tl__buf_view(&out), &bob_key));
	long_args(&args, TL__V1_MAX_HEADER_BYTES - fixed + 1);
	m.args = tl__buf_view(&args);
	tl__buf_clear(&out);
	CHECK_CODE(
		tl__v1_request_write(&out, &m, &alice, NULL, 0, TL__STR(""), NULL), TL_E_TOO_LARGE);
	tl__buf_clear(&out);
	CHECK_CODE(write_plain(&out, TL__V1_MAX_KEYS + 1, NULL), TL_E_TOO_LARGE);
	tl__buf_free(&out);
	tl__buf_free(&args);
}

/* The header of a plain request with one text replaced by another. */
static int read_changed(const char *from, const char *to)
{
	tl__buf out = TL__BUF_INIT, changed = TL__BUF_INIT;
	tl__v1_frame frame;
	tl__v1_request m;
	const char *at;
	int code = write_plain(&out, 1, NULL);

	if (code == TL_OK)
		code = tl__v1_frame_read(&frame, out.ptr, out.len);
	at = code == TL_OK ? memmem(frame.header.ptr, frame.header.len, from, strlen(from)) : NULL;
	if (!at) {
		printf("`%s` is not in the header\n", from);
		tl__buf_free(&out);
		return TL_E_INTERNAL;
	}
	tl__buf_append(&changed, frame.header.ptr, (size_t)(at - frame.header.ptr));
	tl__buf_text(&changed, to);
	at += strlen(from);
	tl__buf_append(&changed, at, (size_t)(frame.header.ptr + frame.header.len - at));
	code = tl__v1_request_read(&m, tl__buf_view(&changed));
	tl__buf_free(&out);
	tl__buf_free(&changed);
	return code;
}

static void headers_have_one_form(void)
{
	static const char *const changes[][2] = {{"{\"to\"", "{ \"to\""}, {"\"to\":", "\"to\": "},
		{"\"from\"", "\"From\""}, {"\"none\",", "\"none\",\"x\":1,"},
		{"\"none\",", "\"none\",\"channel\":\"none\","}, {"\"none\"", "\"n\\u006fne\""},
		{"\"none\"", "\"no\\\\ne\""}, {"\"none\"", "\"no\tne\""}, {"\"none\"", "\"\xff\""},
		{"\"none\"", "null"}, {"1767225600123", "01767225600123"}, {"1767225600123", "-1"},
		{"1767225600123", "1.0"}, {"1767225600123", "1e3"},
		{"1767225600123", "9223372036854775808"}, {"1767225600123", "99999999999999999999"},
		{"1767225600123", ""}, {"a5a5", "A5a5"}, {"a5a5", "a5a"}, {"a5a5", "a5a5a5"},
		{"5a5a", "5a5g"}, {"\"pull\"", "\"\""}, {"\"pull\"", "\"pu ll\""},
		{"sha256:", "sha512:"}, {"\"body_len\":5", "\"body_len\":4194306"},
		{"\"body_len\":5", "\"body_len\":-1"}, {"{\"a\":[1,\"x\"]}", "[]"},
		{"{\"a\":[1,\"x\"]}", "1"}, {"{\"a\":[1,\"x\"]}", "{\"a\":}"},
		{"{\"a\":[1,\"x\"]}", "{}{}"}, {"{\"a\":[1,\"x\"]}}", "{}} "},
		{"\"keys\":[", "\"keys\":[,"}, {"\"keys\":[", "\"keys\":[\"\","}};

	CHECK_OK(read_changed("\"none\"", "\"none\""));
	CHECK_OK(read_changed("\"body_len\":5", "\"body_len\":4194305"));
	CHECK_OK(read_changed("1767225600123", "9223372036854775807"));
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		int code = read_changed(changes[i][0], changes[i][1]);

		if (code != TL_E_BAD_MESSAGE && code != TL_E_TOO_LARGE)
			printf("change %zu: %s -> %s\n", i, changes[i][0], changes[i][1]);
		CHECK(code == TL_E_BAD_MESSAGE || code == TL_E_TOO_LARGE);
	}
}

static void header_texts_have_limits(void)
{
	char text[TL__V1_MAX_TEXT + 4] = "\"";

	memset(text + 1, 'c', TL__V1_MAX_TEXT);
	memcpy(text + 1 + TL__V1_MAX_TEXT, "\"", 2);
	CHECK_OK(read_changed("\"none\"", text));
	memcpy(text + 1 + TL__V1_MAX_TEXT, "c\"", 3);
	CHECK_CODE(read_changed("\"none\"", text), TL_E_TOO_LARGE);
	memset(text + 1, 'm', TL__V1_MAX_CODE);
	memcpy(text + 1 + TL__V1_MAX_CODE, "\"", 2);
	CHECK_OK(read_changed("\"pull\"", text));
	memcpy(text + 1 + TL__V1_MAX_CODE, "m\"", 3);
	CHECK_CODE(read_changed("\"pull\"", text), TL_E_TOO_LARGE);
}

static void a_header_names_at_most_16_keys(void)
{
	tl__buf list = TL__BUF_INIT;
	char text[TL_KEY_TEXT_LEN + 1];

	tl__buf_text(&list, "\"keys\":[");
	for (size_t i = 0; i < TL__V1_MAX_KEYS; i++) {
		tl_key key;

		tl_secret_public(&keys[i + 1], &key);
		tl_key_format(&key, text);
		tl__buf_format(&list, "\"%s\",", text);
		if (i + 2 == TL__V1_MAX_KEYS) /* with the one there: 16 */
			CHECK_OK(read_changed("\"keys\":[", list.ptr));
	}
	CHECK_CODE(read_changed("\"keys\":[", list.ptr), TL_E_TOO_LARGE);
	tl__buf_free(&list);
}

static void methods_have_their_form(void)
{
	static const struct {
		const char *method;
		bool to, epoch, db;
		int code;
	} cases[] = {{"hello", true, true, false, TL_OK}, {"hello", false, false, false, TL_OK},
		{"hello", true, true, true, TL_E_BAD_MESSAGE}, {"list", true, true, false, TL_OK},
		{"list", false, true, false, TL_E_BAD_MESSAGE},
		{"list", true, false, false, TL_E_BAD_MESSAGE},
		{"list", true, true, true, TL_E_BAD_MESSAGE}, {"pull", true, true, true, TL_OK},
		{"pull", true, true, false, TL_E_BAD_MESSAGE}, {"push", true, true, true, TL_OK},
		{"push", true, true, false, TL_E_BAD_MESSAGE},
		{"push", false, true, true, TL_E_BAD_MESSAGE}, {"access", true, true, true, TL_OK},
		{"access", true, false, true, TL_E_BAD_MESSAGE},
		{"watch", true, true, false, TL_OK}, {"watch", true, true, true, TL_E_BAD_MESSAGE},
		{"watch", true, false, false, TL_E_BAD_MESSAGE},
		{"reconcile", true, true, true, TL_E_UNSUPPORTED}};
	tl__v1_frame frame = {.signature_count = 3};
	tl__v1_method method;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl__v1_request m = plain_request();

		m.method = tl__str_z(cases[i].method);
		m.has_to = cases[i].to;
		m.has_epoch = cases[i].epoch;
		m.has_db = cases[i].db;
		m.key_count = 2;
		m.keys[0] = alice_key;
		m.keys[1] = bob_key;
		CHECK_CODE(tl__v1_request_form(&frame, &m, &method), cases[i].code);
		m.keys[1] = alice_key;
		CHECK(tl__v1_request_form(&frame, &m, &method) != TL_OK);
		m.key_count = 1;
		CHECK(tl__v1_request_form(&frame, &m, &method) != TL_OK);
	}
}

static void unsigned_refusals_are_no_frames(void)
{
	for (int i = 0; i < TL__V1_STATUS_COUNT; i++) {
		tl__buf out = TL__BUF_INIT;
		tl__v1_status got = TL__V1_STATUS_COUNT;
		size_t need;

		tl__v1_write_unsigned(&out, (tl__v1_status)i);
		CHECK(tl__v1_read_unsigned(&got, out.ptr, out.len));
		CHECK((int)got == i);
		CHECK_CODE(tl__v1_frame_need(out.ptr, out.len, &need), TL_E_TOO_LARGE);
		for (size_t len = 0; len < out.len; len++) {
			char *copy = tl__copy_bytes(out.ptr, len);

			CHECK(!tl__v1_read_unsigned(&got, copy, len));
			tl__free(copy);
		}
		tl__buf_free(&out);
	}
}

int main(void)
{
	make_keys();
	RUN(frame_lengths_have_edges);
	RUN(headers_have_a_longest);
	RUN(headers_have_one_form);
	RUN(header_texts_have_limits);
	RUN(a_header_names_at_most_16_keys);
	RUN(methods_have_their_form);
	RUN(unsigned_refusals_are_no_frames);
	return spec_end();
}
