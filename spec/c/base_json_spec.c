/* Strict JSON: tokens, limits, and that pieces make no difference. */
#include "check.h"
#include "base/json/json.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"

static const char *const accepted[] = {"{}", "[]", "null", " true ", "\"\"", "-0", "0", "1.5e+3",
	"{\"a\":[1,2,{\"b\":null}],\"c\":\"x\"}", "\"\\u0041\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
	"\"\\ud83d\\ude00 \xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"", "\"\\u0000\"", "[1 , 2 ]",
	"{\"a\" : 1}", "\"long text without any escape at all, over eight bytes\"",
	"\"\\uD83D\\uDE00\\uabCD\"", "\"\x7f\"", "\t\r\n [\r\n] ", "1E5", "0e-0", "-1.25", "[[[]]]",
	"{\"\":{\"\":\"\"}}", "[true,false,null,0,-1,\"\"]", "{\"a\":1,\"a\":2}", "false\n",
	"123456789012345678901234567890.5e99999"};

static const char *const refused[] = {"", " ", "{", "[", "[1,]", "{,}", "{\"a\"}", "{\"a\":}",
	"{\"a\":1,}", "[1 2]", "01", "1.", ".5", "-", "1e", "+1", "nul", "nulll", "True", "NaN",
	"\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800x\"",
	"\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\x01\"", "\"\n\"", "\"\xff\"",
	"\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x80\"",
	"\xef\xbb\xbf{}", "{} {}", "{}x", "[}", "{]", "'a'", "{a:1}", "[1}", "\"\\",
	"\"\\ud800\\ud800\"", "\"\\ud800\\", "-01", "00", "1.e5", "1e+", "1-2", "--1", "1.2.3",
	"0x10", "truefalse", "true false", "fals", "undefined", "Infinity", "]", "}", ",", ":",
	"[,1]", "[1,,2]", "{\"a\":1:2}", "{1:2}", "{\"a\",1}", "[1]]", "\"a\"\"b\"", "\"\\U0041\"",
	"\"\xc3\\u00a9\"", "\"\\u00c3\xa9\"", "\x0c[]", "\xc2\xa0[]", "// c\n1", "[1]/**/",
	"{\"a\" 1}", "\"tab\tinside\"", "nullnullnullnullnull"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The next piece in memory of its own, so that a reader looking at an earlier one is caught. */
static void feed_copy(tl__json_reader *r, tl_str text, size_t *at, size_t step, char **memory)
{
	size_t part = text.len - *at < step ? text.len - *at : step;

	free(*memory);
	*memory = NULL;
	if (part == 0) {
		tl__json_finish(r);
		return;
	}
	*memory = malloc(part);
	if (!*memory)
		abort();
	memcpy(*memory, text.ptr + *at, part);
	tl__json_feed(r, *memory, part);
	*at += part;
}

static bool has_text(tl__json_token token)
{
	return token == TL__JSON_KEY || token == TL__JSON_STRING || token == TL__JSON_NUMBER;
}

/* All tokens as lines of text, with their depth and offset, and the sentence of an error. */
static tl__json_token dump(tl__json_reader *r, tl__buf *out, tl_str text, size_t step)
{
	tl__json_token token;
	char *memory = NULL;
	size_t at = 0;

	for (;;) {
		token = tl__json_next(r);
		if (token == TL__JSON_MORE) {
			feed_copy(r, text, &at, step, &memory);
			continue;
		}
		tl__buf_format(out, "%d:", (int)token);
		if (has_text(token))
			tl__buf_str(out, r->text);
		tl__buf_format(out, "@%u/%" PRIu64 "\n", r->depth, r->offset);
		if (token == TL__JSON_ERROR || token == TL__JSON_END)
			break;
	}
	if (token == TL__JSON_ERROR)
		tl__buf_text(out, tl_error_message(tl_last_error()));
	free(memory);
	return token;
}

static bool good(const char *text)
{
	tl__json_reader r;
	tl__json_token token;

	tl__json_whole(&r, tl__str_z(text), TL__JSON_MAX_DEPTH);
	do
		token = tl__json_next(&r);
	while (token > TL__JSON_MORE && token != TL__JSON_END);
	tl__json_free(&r);
	return token == TL__JSON_END;
}

static void reads_what_is_json(void)
{
	for (size_t i = 0; i < COUNT(accepted); i++) {
		if (!good(accepted[i]))
			printf("refused: %s\n", accepted[i]);
		CHECK(good(accepted[i]));
	}
}

static void refuses_what_is_not(void)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		if (good(refused[i]))
			printf("accepted: %s\n", refused[i]);
		CHECK(!good(refused[i]));
	}
}

static tl__json_token dump_in_steps(tl__buf *out, tl_str text, size_t step)
{
	tl__json_reader r;
	tl__json_token last;

	tl__json_init(&r, TL__JSON_MAX_DEPTH);
	last = dump(&r, out, text, step);
	tl__json_free(&r);
	return last;
}

static void same_in_pieces(tl_str text)
{
	tl__buf whole = TL__BUF_INIT, part = TL__BUF_INIT;

	dump_in_steps(&whole, text, SIZE_MAX);
	for (size_t step = 1; step < 10; step++) {
		tl__buf_clear(&part);
		dump_in_steps(&part, text, step);
		CHECK(tl__str_eq(tl__buf_view(&whole), tl__buf_view(&part)));
	}
	tl__buf_free(&part);
	tl__buf_free(&whole);
}

static void pieces_make_no_difference(void)
{
	for (size_t i = 0; i < COUNT(accepted); i++)
		same_in_pieces(tl__str_z(accepted[i]));
	for (size_t i = 0; i < COUNT(refused); i++)
		same_in_pieces(tl__str_z(refused[i]));
}

static void pieces_make_no_difference_to_damage(void)
{
	static const char bytes[] = "{}[]\",:\\u0dD8cCbnt1e-.\x01\x80\xc3\xff ";
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(21));
	char text[128];

	for (int round = 0; round < 1500; round++) {
		const char *from = accepted[tl__random_below(&random, COUNT(accepted))];
		size_t len = strlen(from);

		memcpy(text, from, len + 1);
		for (uint64_t n = 1 + tl__random_below(&random, 3); n > 0; n--)
			text[tl__random_below(&random, len)] =
				bytes[tl__random_below(&random, sizeof bytes - 1)];
		same_in_pieces((tl_str){text, len});
	}
}

static void a_whole_document_gives_the_same(void)
{
	for (size_t i = 0; i < COUNT(accepted); i++) {
		tl__buf pieces = TL__BUF_INIT, whole = TL__BUF_INIT;
		tl__json_reader r;

		dump_in_steps(&pieces, tl__str_z(accepted[i]), 1);
		tl__json_whole(&r, tl__str_z(accepted[i]), TL__JSON_MAX_DEPTH);
		dump(&r, &whole, TL__STR_NULL, 1);
		CHECK(tl__str_eq(tl__buf_view(&pieces), tl__buf_view(&whole)));
		tl__json_free(&r);
		tl__buf_free(&whole);
		tl__buf_free(&pieces);
	}
}

static bool fails_with(const char *text, const char *sentence)
{
	if (good(text))
		return false;
	if (!strstr(tl_error_message(tl_last_error()), sentence))
		printf("%s: %s\n", text, tl_error_message(tl_last_error()));
	return strstr(tl_error_message(tl_last_error()), sentence) != NULL;
}

static void errors_name_the_byte(void)
{
	CHECK(fails_with("[1,2 3]", "byte 5: a comma"));
	CHECK(fails_with("{\"a\" 1}", "byte 5: a colon"));
	CHECK(fails_with("\xef\xbb\xbf{}", "byte 0: a value"));
	CHECK(fails_with("\"ab\x01\"", "byte 3: a raw control"));
	CHECK(fails_with("{} {}", "byte 3: data after"));
	CHECK(fails_with("\"\\ud800\\u0041\"", "byte 12: a lone surrogate"));
	CHECK(fails_with("\"\\ud800\"", "byte 7: a lone surrogate"));
	CHECK(fails_with("[1", "byte 2: it ends too early"));
}

static void an_error_stays(void)
{
	tl__json_reader r;

	tl__json_whole(&r, TL__STR("[x]"), 8);
	CHECK(tl__json_next(&r) == TL__JSON_ARRAY);
	for (int i = 0; i < 3; i++) {
		CHECK(tl__json_next(&r) == TL__JSON_ERROR);
		CHECK(tl_error_code(tl_last_error()) == TL_E_BAD_JSON);
	}
	CHECK_CODE(tl__json_skip(&r), TL_E_BAD_JSON);
	tl__json_free(&r);
}

static void the_end_stays(void)
{
	tl__json_reader r;

	tl__json_init(&r, 8);
	CHECK(tl__json_next(&r) == TL__JSON_MORE);
	CHECK(tl__json_next(&r) == TL__JSON_MORE);
	tl__json_feed(&r, NULL, 0);
	CHECK(tl__json_next(&r) == TL__JSON_MORE);
	tl__json_feed(&r, "7", 1);
	CHECK(tl__json_next(&r) == TL__JSON_MORE);
	tl__json_feed(&r, NULL, 0);
	CHECK(tl__json_next(&r) == TL__JSON_MORE);
	tl__json_finish(&r);
	CHECK(tl__json_next(&r) == TL__JSON_NUMBER && r.offset == 1);
	CHECK(tl__json_next(&r) == TL__JSON_END);
	CHECK(tl__json_next(&r) == TL__JSON_END);
	tl__json_free(&r);
	tl__json_whole(&r, TL__STR_NULL, 8);
	CHECK(tl__json_next(&r) == TL__JSON_ERROR);
	tl__json_free(&r);
}

static void text_is_not_copied_without_need(void)
{
	tl__json_reader r;
	const char *document = "[\"plain\",\"es\\u0063aped\"]";

	tl__json_whole(&r, tl__str_z(document), 8);
	CHECK(tl__json_next(&r) == TL__JSON_ARRAY);
	CHECK(tl__json_next(&r) == TL__JSON_STRING);
	CHECK(r.text.ptr == document + 2);
	CHECK(tl__json_next(&r) == TL__JSON_STRING);
	CHECK(tl__str_eq(r.text, TL__STR("escaped")));
	tl__json_free(&r);
}

static void depth_is_limited(void)
{
	char text[400];

	memset(text, '[', 128);
	memset(text + 128, ']', 128);
	text[256] = '\0';
	CHECK(!good(text));
	CHECK(tl_error_code(tl_last_error()) == TL_E_BAD_JSON);
	text[255] = '\0';
	CHECK(good(text + 1));
}

static void a_lower_depth_can_be_asked_for(void)
{
	tl__json_reader r;

	tl__json_whole(&r, TL__STR("[{\"a\":[]}]"), 2);
	CHECK(tl__json_next(&r) == TL__JSON_ARRAY);
	CHECK(tl__json_next(&r) == TL__JSON_OBJECT && r.depth == 2);
	CHECK(tl__json_next(&r) == TL__JSON_KEY);
	CHECK(tl__json_next(&r) == TL__JSON_ERROR);
	tl__json_free(&r);
	tl__json_whole(&r, TL__STR("[]"), 0);
	CHECK(tl__json_next(&r) == TL__JSON_ERROR);
	tl__json_free(&r);
	tl__json_whole(&r, TL__STR("1"), 0);
	CHECK(tl__json_next(&r) == TL__JSON_NUMBER);
	tl__json_free(&r);
}

static void skipping_is_not_limited_in_depth(void)
{
	enum { LEVELS = 5000 };
	tl__json_reader r;
	tl__buf text = TL__BUF_INIT;

	tl__buf_text(&text, "{\"x\":");
	for (int i = 0; i < LEVELS; i++)
		tl__buf_text(&text, i % 2 ? "[" : "{\"a\":");
	tl__buf_text(&text, "1");
	for (int i = LEVELS - 1; i >= 0; i--)
		tl__buf_text(&text, i % 2 ? "]" : "}");
	tl__buf_text(&text, ",\"y\":2}");
	tl__json_whole(&r, tl__buf_view(&text), TL__JSON_MAX_DEPTH);
	CHECK(tl__json_next(&r) == TL__JSON_OBJECT);
	CHECK(tl__json_next(&r) == TL__JSON_KEY);
	CHECK_OK(tl__json_skip(&r));
	CHECK(tl__json_next(&r) == TL__JSON_KEY);
	CHECK(tl__str_eq(r.text, TL__STR("y")));
	CHECK_OK(tl__json_skip(&r));
	CHECK(tl__json_next(&r) == TL__JSON_OBJECT_END);
	CHECK(tl__json_next(&r) == TL__JSON_END);
	tl__json_free(&r);
	tl__buf_free(&text);
}

static void long_texts_are_refused(void)
{
	tl__json_reader r;

	tl__json_whole(&r, TL__STR("[\"12345\",\"123456\"]"), 8);
	r.max_text = 5;
	CHECK(tl__json_next(&r) == TL__JSON_ARRAY);
	CHECK(tl__json_next(&r) == TL__JSON_STRING);
	CHECK(tl__json_next(&r) == TL__JSON_ERROR);
	CHECK(tl_error_code(tl_last_error()) == TL_E_TOO_LARGE);
	CHECK(tl__json_next(&r) == TL__JSON_ERROR);
	tl__json_free(&r);
}

static void long_texts_are_refused_in_pieces(void)
{
	static const char *const long_texts[] = {
		"\"123456", "123456", "\"\\n23456", "\"\\u0031\\u0031\\u0031111"};

	for (size_t i = 0; i < COUNT(long_texts); i++) {
		tl__buf out = TL__BUF_INIT;
		tl__json_reader r;

		tl__json_init(&r, 8);
		r.max_text = 5;
		CHECK(dump(&r, &out, tl__str_z(long_texts[i]), 1) == TL__JSON_ERROR);
		CHECK(tl_error_code(tl_last_error()) == TL_E_TOO_LARGE);
		CHECK(r.scratch.cap <= 64);
		tl__json_free(&r);
		tl__buf_free(&out);
	}
}

static void an_endless_word_is_refused_at_once(void)
{
	tl__json_reader r;

	tl__json_init(&r, 8);
	for (int i = 0; i < 6; i++) {
		CHECK(r.code == TL_OK);
		tl__json_feed(&r, "n", 1);
		tl__json_next(&r);
	}
	CHECK(tl__json_next(&r) == TL__JSON_ERROR);
	tl__json_free(&r);
}

static int skip_first(const char *document)
{
	tl__json_reader r;
	int code;

	tl__json_whole(&r, tl__str_z(document), 8);
	if (tl__json_next(&r) != TL__JSON_OBJECT || tl__json_next(&r) != TL__JSON_KEY)
		return TL_E_INTERNAL;
	code = tl__json_skip(&r);
	tl__json_free(&r);
	return code;
}

static void what_is_skipped_is_checked_too(void)
{
	CHECK_OK(skip_first("{\"a\":1}"));
	CHECK_OK(skip_first("{\"a\":[1,{\"b\":\"\\ud83d\\ude00\"},[]]}"));
	CHECK_CODE(skip_first("{\"a\":[1,{\"b\":\"\\ud83d\"},[]]}"), TL_E_BAD_JSON);
	CHECK_CODE(skip_first("{\"a\":[01]}"), TL_E_BAD_JSON);
	CHECK_CODE(skip_first("{\"a\":[1}"), TL_E_BAD_JSON);
	CHECK_CODE(skip_first("{\"a\":[\"\xff\"]}"), TL_E_BAD_JSON);
	CHECK_CODE(skip_first("{\"a\":[1"), TL_E_BAD_JSON);
	CHECK_CODE(skip_first("{\"a\":}"), TL_E_BAD_JSON);
}

/* Each allocation in turn fails once: the reader says so, or needed none. */
static void memory_running_out_is_told(void)
{
	static const char document[] =
		"{\"k\\u0065y\":[\"a rather long text that must be gathered\",1234]}";
	bool fired = true;

	for (size_t n = 1; fired; n++) {
		tl__json_reader r;
		tl__json_token token = TL__JSON_MORE;

		tl__json_init(&r, 8);
		tl__alloc_fail_at(n);
		for (size_t i = 0; i <= sizeof document - 1 && token != TL__JSON_ERROR; i++) {
			tl__json_feed(&r, document + i, i < sizeof document - 1);
			if (i == sizeof document - 1)
				tl__json_finish(&r);
			do
				token = tl__json_next(&r);
			while (token > TL__JSON_MORE && token != TL__JSON_END);
		}
		fired = tl__alloc_fail_at(0);
		CHECK(token == (fired ? TL__JSON_ERROR : TL__JSON_END));
		CHECK(!fired || tl_error_code(tl_last_error()) == TL_E_NOMEM);
		tl__json_free(&r);
	}
}

static void integers_are_exact(void)
{
	uint64_t u = 0;
	int64_t i = 0;

	CHECK_OK(tl__json_u64(TL__STR("18446744073709551615"), &u));
	CHECK(u == UINT64_MAX);
	CHECK_CODE(tl__json_u64(TL__STR("18446744073709551616"), &u), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_u64(TL__STR("-1"), &u), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_u64(TL__STR("1.0"), &u), TL_E_BAD_JSON);
	CHECK_OK(tl__json_i64(TL__STR("-9223372036854775808"), &i));
	CHECK(i == INT64_MIN);
	CHECK_CODE(tl__json_i64(TL__STR("9223372036854775808"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR("-0"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR("1e3"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR("-9223372036854775809"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR("99999999999999999999999"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR("-"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR("007"), &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_i64(TL__STR_NULL, &i), TL_E_BAD_JSON);
	CHECK_CODE(tl__json_u64(TL__STR(""), &u), TL_E_BAD_JSON);
	CHECK_OK(tl__json_u64(TL__STR("0"), &u));
	CHECK_OK(tl__json_i64(TL__STR("-7"), &i));
	CHECK(u == 0 && i == -7);
}

static uint32_t random_character(const tl__random *random)
{
	static const uint32_t below[] = {0x20, 0x80, 0x800, 0x10000, 0x110000};
	uint32_t c =
		(uint32_t)tl__random_below(random, below[tl__random_below(random, COUNT(below))]);

	return c >= 0xd800 && c < 0xe000 ? '"' : c;
}

static void strings_come_back_as_written(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(7));

	for (int round = 0; round < 3000; round++) {
		tl__buf raw = TL__BUF_INIT, text = TL__BUF_INIT, expected = TL__BUF_INIT;
		tl__buf read = TL__BUF_INIT;

		for (uint64_t n = tl__random_below(&random, 64); n > 0; n--) {
			char bytes[4];

			tl__buf_append(
				&raw, bytes, tl__utf8_write(random_character(&random), bytes));
		}
		tl__json_put_string(&text, tl__buf_view(&raw));
		tl__buf_format(&expected, "%d:", TL__JSON_STRING);
		tl__buf_str(&expected, tl__buf_view(&raw));
		dump_in_steps(&read, tl__buf_view(&text), 1 + tl__random_below(&random, 40));
		CHECK(tl__str_starts(tl__buf_view(&read), tl__buf_view(&expected)));
		tl__buf_free(&raw);
		tl__buf_free(&text);
		tl__buf_free(&expected);
		tl__buf_free(&read);
	}
}

static void writes_the_canonical_escapes(void)
{
	tl__buf text = TL__BUF_INIT;

	tl__json_put_string(&text, TL__STR("q \" b \\ s / \b\f\n\r\t \x01\x1f\x7f \xc3\xa9"));
	tl__json_put_i64(&text, INT64_MIN);
	CHECK(tl__str_eq(tl__buf_view(&text),
		TL__STR("\"q \\\" b \\\\ s / \\b\\f\\n\\r\\t \\u0001\\u001f\x7f \xc3\xa9\""
			"-9223372036854775808")));
	tl__buf_free(&text);
}

int main(void)
{
	RUN(reads_what_is_json);
	RUN(refuses_what_is_not);
	RUN(pieces_make_no_difference);
	RUN(pieces_make_no_difference_to_damage);
	RUN(a_whole_document_gives_the_same);
	RUN(errors_name_the_byte);
	RUN(an_error_stays);
	RUN(the_end_stays);
	RUN(text_is_not_copied_without_need);
	RUN(depth_is_limited);
	RUN(a_lower_depth_can_be_asked_for);
	RUN(skipping_is_not_limited_in_depth);
	RUN(long_texts_are_refused);
	RUN(long_texts_are_refused_in_pieces);
	RUN(an_endless_word_is_refused_at_once);
	RUN(what_is_skipped_is_checked_too);
	RUN(memory_running_out_is_told);
	RUN(integers_are_exact);
	RUN(strings_come_back_as_written);
	RUN(writes_the_canonical_escapes);
	return spec_end();
}
