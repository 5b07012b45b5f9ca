/* The public JSON reader and writer: what goes in comes out, and nothing else goes in. */
#include <float.h>
#include <math.h>
#include <tidelock/tidelock.h>
#include "check.h"
#include "comma_help.h"
#include "base/buf.h"
#include "base/system/env.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/str.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* The document written again from its tokens, its numbers from their values. */
static int again(const char *ptr, size_t len, unsigned indent, char **out, size_t *out_len)
{
	tl_json_reader *reader = NULL;
	tl_json_writer *writer = NULL;
	tl_json_token token = TL_JSON_NULL;
	tl_str text = TL__STR_NULL;
	int rc = tl_json_reader_new(&reader, (tl_str){ptr, len});

	*out = NULL;
	if (rc == TL_OK)
		rc = tl_json_writer_new(&writer, indent);
	while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK &&
		token != TL_JSON_END) {
		switch (token) {
		case TL_JSON_OBJECT: rc = tl_json_put_object(writer); break;
		case TL_JSON_ARRAY: rc = tl_json_put_array(writer); break;
		case TL_JSON_KEY: rc = tl_json_put_key(writer, tl_json_text(reader)); break;
		case TL_JSON_STRING: rc = tl_json_put_string(writer, tl_json_text(reader)); break;
		case TL_JSON_INT: rc = tl_json_put_int(writer, tl_json_int(reader)); break;
		case TL_JSON_FLOAT: rc = tl_json_put_float(writer, tl_json_float(reader)); break;
		case TL_JSON_NULL: rc = tl_json_put_null(writer); break;
		case TL_JSON_TRUE:
		case TL_JSON_FALSE: rc = tl_json_put_bool(writer, token == TL_JSON_TRUE); break;
		default: rc = tl_json_put_end(writer); break;
		}
	}
	if (rc == TL_OK)
		rc = tl_json_writer_text(writer, &text);
	if (rc == TL_OK && !(*out = tl__copy_bytes(text.ptr, text.len)))
		rc = TL_E_NOMEM;
	*out_len = text.len;
	tl_json_writer_free(writer);
	tl_json_reader_free(reader);
	return rc;
}

static bool becomes(const char *from, const char *to)
{
	size_t len = 0;
	char *text;
	int rc = again(from, strlen(from), 0, &text, &len);
	bool equal = rc == TL_OK && len == strlen(to) && memcmp(text, to, len) == 0;

	if (!equal)
		printf("%s became %s (%s)\n", from, text ? text : "nothing",
			rc == TL_OK ? "" : tl_error_message(tl_last_error()));
	tl_free(text);
	return equal;
}

static void documents_come_back(void)
{
	static const char *const same[] = {"{}", "[]", "null", "false", "true", "\"\"", "0", "-1",
		"9223372036854775807", "-9223372036854775808", "9007199254740993", "[[],{},[{}]]",
		"{\"a\":null,\"b\":[null,false],\"c\":{\"d\":{}}}", "\"a\\u0000b\"",
		"\"C:\\\\u0000\"", "\"\\u001f\\n\\t\\\"/\x7f\xc3\xa9\xf0\x9f\x98\x80\"", "1.0",
		"-0.0", "{\"\":0,\"\\u0000\":1,\"\\u0000\\u0000\":2}"};

	for (size_t i = 0; i < COUNT(same); i++)
		CHECK(becomes(same[i], same[i]));
	CHECK(becomes(" { \"a\" : [ 1 , 2.50 ] } ", "{\"a\":[1,2.5]}"));
	CHECK(becomes("\"\\/\\u00e9\\ud83d\\ude00\"", "\"/\xc3\xa9\xf0\x9f\x98\x80\""));
	CHECK(becomes("[1e3,1E+2,-0,0e9,1e-400,10000000000000000000000.0]",
		"[1000.0,100.0,-0.0,0.0,0.0,1.0e22]"));
}

static void what_is_no_json_is_refused(void)
{
	static const char *const bad[] = {"", "01", "-01", "1e400", "-1e400", "[1e309]", "1 2",
		"{}x", "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2,\"a\":1}", "{\"a\":1,\"\\u0061\":2}",
		"[{\"x\":{\"k\":1,\"k\":2}}]", "9223372036854775808", "-9223372036854775809",
		"18446744073709551615", "123456789012345678901234567890", "\"\\ud800\"", "\"\xff\"",
		"nul", "NaN", "Infinity", "1.", ".5", "+1", "0x1", "'a'", "[1,]", "{\"a\":}",
		"\"\x01\"", "\xef\xbb\xbf{}", "[", "{\"a\"", "// 1"};
	char *text;
	size_t len;

	for (size_t i = 0; i < COUNT(bad); i++) {
		int rc = again(bad[i], strlen(bad[i]), 0, &text, &len);

		if (rc != TL_E_BAD_JSON)
			printf("%s gave %s\n", bad[i], tl_error_name(rc));
		CHECK(rc == TL_E_BAD_JSON && !text);
		CHECK_CODE(tl__json_check(tl__str_z(bad[i])), TL_E_BAD_JSON);
	}
	CHECK_CODE(again("1\0", 2, 0, &text, &len), TL_E_BAD_JSON);
}

static void a_repeated_member_is_found_wherever_it_stands(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(11));

	for (int round = 0; round < 500; round++) {
		size_t count = 2 + tl__random_below(&random, 60);
		size_t again_at = tl__random_below(&random, count - 1);
		tl__buf text = TL__BUF_INIT;

		for (size_t i = 0; i < count; i++)
			tl__buf_format(&text, "%s\"k%zu\":{\"k0\":[]}", i ? "," : "{",
				(round % 2 && i == count - 1 ? again_at : i) * 37 % 101);
		tl__buf_text(&text, "}");
		CHECK_CODE(tl__json_check(tl__buf_view(&text)), round % 2 ? TL_E_BAD_JSON : TL_OK);
		tl__buf_free(&text);
	}
}

/* --- numbers ---------------------------------------------------------------------------------- */

static double bits(uint64_t pattern)
{
	double value;

	memcpy(&value, &pattern, sizeof value);
	return value;
}

static size_t digits_of(const char *text)
{
	size_t count = 0, zeros = 0;
	bool begun = false;

	for (; *text && *text != 'e'; text++) {
		if (*text < '0' || *text > '9')
			continue;
		begun = begun || *text != '0';
		zeros = *text == '0' ? zeros + 1 : 0;
		count += begun;
	}
	return zeros < count ? count - zeros : 1;
}

static void write_float(double value, char out[64])
{
	tl__buf text = TL__BUF_INIT;

	tl__json_put_double(&text, value);
	snprintf(out, 64, "%s", text.ptr);
	tl__buf_free(&text);
}

static bool reads_back(double value)
{
	double back = 0;
	char text[64], shorter[64];
	size_t digits;

	write_float(value, text);
	digits = digits_of(text);
	if (tl__json_double(tl__str_z(text), &back) != TL_OK || back != value ||
		!signbit(back) != !signbit(value) || !strchr(text, '.') || digits > 17)
		return false;
	/* No correctly rounded text with fewer digits reads back. */
	if (value != 0 && digits > 1) {
		snprintf(shorter, sizeof shorter, "%.*e", (int)digits - 2, value);
		if (tl__json_double(tl__str_z(shorter), &back) == TL_OK && back == value)
			return false;
	}
	return true;
}

static void floats_are_written_short_and_exact(void)
{
	static const struct {
		double value;
		const char *text;
	} known[] = {{0.1, "0.1"}, {0.1 + 0.2, "0.30000000000000004"}, {1, "1.0"},
		{1e15, "1000000000000000.0"}, {1e16, "1.0e16"}, {1e22, "1.0e22"},
		{5e-324, "5.0e-324"}, {-0.5, "-0.5"}, {DBL_MAX, "1.7976931348623157e308"},
		{DBL_MIN, "2.2250738585072014e-308"}, {3.141592653589793, "3.141592653589793"},
		{123456789012345.5, "123456789012345.5"},
		{9007199254740993.0, "9007199254740992.0"}, {0.00001, "0.00001"},
		{0.000001, "1.0e-6"}, {1.5e-7, "1.5e-7"}, {100, "100.0"},
		{5.684341886080802e-14, "5.684341886080802e-14"}, /* a power of two */
		{9.5367431640625e-07, "9.5367431640625e-7"}, {-0.0, "-0.0"}};
	char text[64];

	for (size_t i = 0; i < COUNT(known); i++) {
		write_float(known[i].value, text);
		if (strcmp(text, known[i].text) != 0)
			printf("%.17g was written %s\n", known[i].value, text);
		CHECK(strcmp(text, known[i].text) == 0);
		CHECK(reads_back(known[i].value));
	}
}

static void every_double_reads_back(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(3));

	for (int round = 0; round < 20000; round++) {
		uint64_t pattern = tl__random_below(&random, UINT64_MAX);
		double value = bits(pattern);

		if (round % 4 == 0) /* powers of two, subnormal ones too */
			value = ldexp(1, (int)(pattern % 2098) - 1074);
		else if (round % 4 == 1) /* decimals */
			value = (double)(pattern % 100000) / 1000;
		if (!isfinite(value))
			continue;
		if (!reads_back(value))
			printf("%.17g does not read back\n", value);
		CHECK(reads_back(value));
	}
}

static void long_numbers_are_read(void)
{
	char text[4000];
	double value = 0;

	memset(text, '0', sizeof text);
	memcpy(text, "1.", 2);
	text[sizeof text - 1] = '\0';
	CHECK_OK(tl__json_double(tl__str_z(text), &value));
	CHECK(value == 1);
	memcpy(text, "0.", 2);
	memcpy(text + sizeof text - 7, "25e3990", 7);
	CHECK_OK(tl__json_double((tl_str){text, sizeof text}, &value));
	CHECK(value == 0.25 || value == 0.025 || value == 2.5);
	CHECK_OK(tl__json_double(TL__STR("0e99999999999999999999"), &value));
	CHECK(value == 0);
	CHECK_OK(tl__json_double(TL__STR("1e-99999999999999999999"), &value));
	CHECK(value == 0);
	CHECK_CODE(tl__json_double(TL__STR("1e99999999999999999999"), &value), TL_E_BAD_JSON);
}

static void the_locale_changes_nothing(void)
{
	static const char text[] = "[1.5,-0.25,1.0e300,1000.0,1234567.875]";

	comma_begin();
	CHECK(becomes(text, text));
	CHECK_CODE(tl__json_check(TL__STR("1,5")), TL_E_BAD_JSON);
	comma_end();
}

/* --- the writer ------------------------------------------------------------------------------- */

static void an_indented_text_reads_the_same(void)
{
	const char *from = "{\"a\":[1,{}],\"b\":[],\"c\":{\"d\":\"e\"}}";
	size_t len = 0;
	char *text;

	CHECK_OK(again(from, strlen(from), 2, &text, &len));
	CHECK(strcmp(text,
		      "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": [],\n  \"c\": {\n    \"d\": "
		      "\"e\"\n  }\n}") == 0);
	CHECK(becomes(text, from));
	tl_free(text);
}

static void texts_are_put_in_as_they_are(void)
{
	tl_json_writer *w;
	tl_str text;

	CHECK_OK(tl_json_writer_new(&w, 0));
	CHECK_OK(tl_json_put_array(w));
	CHECK_OK(tl_json_put_json(w, TL__STR(" {\"a\": 1.50, \"b\": [ ]} ")));
	CHECK_OK(tl_json_put_json(w, TL__STR("2")));
	CHECK_OK(tl_json_put_end(w));
	CHECK_OK(tl_json_writer_text(w, &text));
	CHECK(tl__str_eq(text, TL__STR("[{\"a\":1.50,\"b\":[]},2]")) && text.ptr[text.len] == '\0');
	CHECK_CODE(tl_json_put_null(w), TL_E_BAD_ARGUMENT);
	tl_json_writer_free(w);
	CHECK_OK(tl_json_writer_new(&w, 0));
	CHECK_CODE(tl_json_put_json(w, TL__STR("[1")), TL_E_BAD_JSON);
	CHECK_CODE(tl_json_writer_text(w, &text), TL_E_BAD_JSON);
	tl_json_writer_free(w);
}

static void put_wrongly(int step, tl_json_writer *w)
{
	switch (step) {
	case 0: CHECK_CODE(tl_json_put_end(w), TL_E_BAD_ARGUMENT); break;
	case 1: CHECK_CODE(tl_json_put_key(w, TL__STR("a")), TL_E_BAD_ARGUMENT); break;
	case 2:
		CHECK_OK(tl_json_put_object(w));
		CHECK_CODE(tl_json_put_int(w, 1), TL_E_BAD_ARGUMENT);
		break;
	case 3:
		CHECK_OK(tl_json_put_object(w));
		CHECK_OK(tl_json_put_key(w, TL__STR("a")));
		CHECK_CODE(tl_json_put_end(w), TL_E_BAD_ARGUMENT);
		break;
	case 4:
		CHECK_OK(tl_json_put_null(w));
		CHECK_CODE(tl_json_put_null(w), TL_E_BAD_ARGUMENT);
		break;
	case 5: CHECK_CODE(tl_json_put_float(w, NAN), TL_E_BAD_ARGUMENT); break;
	case 6: CHECK_CODE(tl_json_put_float(w, -INFINITY), TL_E_BAD_ARGUMENT); break;
	case 7: CHECK_CODE(tl_json_put_string(w, TL__STR("\xff")), TL_E_BAD_ARGUMENT); break;
	case 8:
		CHECK_OK(tl_json_put_object(w));
		CHECK_CODE(tl_json_put_key(w, TL__STR("\xc0\x80")), TL_E_BAD_ARGUMENT);
		break;
	default:
		for (int i = 0; i < TL_JSON_MAX_DEPTH; i++)
			CHECK_OK(tl_json_put_array(w));
		CHECK_CODE(tl_json_put_array(w), TL_E_TOO_LARGE);
		break;
	}
}

static void misuse_spoils_the_writer(void)
{
	for (int step = 0; step < 10; step++) {
		tl_json_writer *w;
		tl_str text;
		int code;

		CHECK_OK(tl_json_writer_new(&w, 0));
		put_wrongly(step, w);
		code = step == 9 ? TL_E_TOO_LARGE : TL_E_BAD_ARGUMENT;
		CHECK_CODE(tl_json_put_null(w), code);
		CHECK_CODE(tl_json_writer_text(w, &text), code);
		CHECK(text.len == 0);
		tl_json_writer_free(w);
	}
}

static void what_is_missing_is_an_error(void)
{
	tl_json_token token;
	tl_json_writer *w = NULL;
	tl_str text;

	CHECK_CODE(tl_json_writer_new(&w, 17), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_put_null(NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_put_end(NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_put_key(NULL, TL__STR("a")), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_put_json(NULL, TL__STR("1")), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_writer_text(NULL, &text), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_next(NULL, &token), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_json_skip(NULL), TL_E_BAD_ARGUMENT);
	CHECK(tl_json_text(NULL).len == 0 && tl_json_int(NULL) == 0 && tl_json_float(NULL) == 0);
	tl_json_reader_free(NULL);
	tl_json_writer_free(NULL);
}

/* --- the reader ------------------------------------------------------------------------------- */

static void values_can_be_passed_over(void)
{
	const char *text = "{\"a\":[1,{\"b\":[2]}],\"c\":3,\"d\":{\"e\":1,\"e\":2}}";
	tl_json_reader *r;
	tl_json_token token = TL_JSON_END;

	CHECK_OK(tl_json_reader_new(&r, tl__str_z(text)));
	CHECK_OK(tl_json_next(r, &token));
	CHECK_OK(tl_json_next(r, &token));
	CHECK_OK(tl_json_skip(r));
	CHECK_OK(tl_json_next(r, &token));
	CHECK(token == TL_JSON_KEY && tl__str_eq(tl_json_text(r), TL__STR("c")));
	CHECK_OK(tl_json_next(r, &token));
	CHECK(token == TL_JSON_INT && tl_json_int(r) == 3 && tl_json_float(r) == 3);
	CHECK_OK(tl_json_next(r, &token));
	CHECK_CODE(tl_json_skip(r), TL_E_BAD_JSON);
	CHECK_CODE(tl_json_next(r, &token), TL_E_BAD_JSON);
	CHECK(token == TL_JSON_END && tl_json_text(r).len == 0);
	tl_json_reader_free(r);
}

/* --- random documents ------------------------------------------------------------------------- */

static void put_random_text(tl_json_writer *w, const tl__random *random, bool key, int number)
{
	static const uint32_t below[] = {0x20, 0x80, 0x800, 0x10000, 0x110000};
	tl__buf text = TL__BUF_INIT;

	if (key) /* each once */
		tl__buf_format(&text, "%d ", number);
	for (uint64_t n = tl__random_below(random, 12); n > 0; n--) {
		uint32_t c = (uint32_t)tl__random_below(
			random, below[tl__random_below(random, COUNT(below))]);
		char bytes[4];

		tl__buf_append(
			&text, bytes, tl__utf8_write(c >= 0xd800 && c < 0xe000 ? '\\' : c, bytes));
	}
	CHECK_OK(key ? tl_json_put_key(w, tl__buf_view(&text))
		     : tl_json_put_string(w, tl__buf_view(&text)));
	tl__buf_free(&text);
}

static void put_random(tl_json_writer *w, const tl__random *random, int depth)
{
	uint64_t pattern = tl__random_below(random, UINT64_MAX);
	uint64_t kind = tl__random_below(random, depth > 6 ? 6 : 8);

	switch (kind) {
	case 0: CHECK_OK(tl_json_put_null(w)); return;
	case 1: CHECK_OK(tl_json_put_bool(w, pattern & 1)); return;
	case 2: CHECK_OK(tl_json_put_int(w, (int64_t)pattern)); return;
	case 3: CHECK_OK(tl_json_put_int(w, (int64_t)(pattern % 100) - 50)); return;
	case 4:
		CHECK_OK(tl_json_put_float(w, isfinite(bits(pattern)) ? bits(pattern) : 0.5));
		return;
	case 5: put_random_text(w, random, false, 0); return;
	default: break;
	}
	CHECK_OK(kind == 6 ? tl_json_put_object(w) : tl_json_put_array(w));
	for (int n = (int)tl__random_below(random, 7); n > 0; n--) {
		if (kind == 6)
			put_random_text(w, random, true, (n * 5) % 7);
		put_random(w, random, depth + 1);
	}
	CHECK_OK(tl_json_put_end(w));
}

static void random_documents_come_back(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(77));

	for (int round = 0; round < 2000; round++) {
		tl_json_writer *w;
		tl_str text;
		char *copy;
		size_t len;

		CHECK_OK(tl_json_writer_new(&w, (unsigned)(round % 3)));
		put_random(w, &random, 0);
		CHECK_OK(tl_json_writer_text(w, &text));
		CHECK_OK(again(text.ptr, text.len, (unsigned)(round % 3), &copy, &len));
		CHECK(copy && tl__str_eq(text, (tl_str){copy, len}));
		tl_free(copy);
		tl_json_writer_free(w);
	}
}

/* A damaged document is refused, or what it says comes back: never another. */
static void damage_is_refused_or_read_as_it_stands(void)
{
	static const char bytes[] = "{}[]\",:\\u0dD8cbnt1e-+.9\x01\x80\xc3\xff ";
	static const char from[] =
		"{\"a\":[1,-2.5e3,null],\"b\\u0041\":{\"c\":\"x\\n\"},\"d\":true}";
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(5));
	size_t taken = 0;

	for (int round = 0; round < 30000; round++) {
		char text[sizeof from], *copy, *twice;
		size_t len, twice_len;
		int rc;

		memcpy(text, from, sizeof from);
		for (uint64_t n = 1 + tl__random_below(&random, 3); n > 0; n--)
			text[tl__random_below(&random, sizeof from - 1)] =
				bytes[tl__random_below(&random, sizeof bytes - 1)];
		rc = again(text, sizeof from - 1, 0, &copy, &len);
		CHECK(rc == TL_OK || rc == TL_E_BAD_JSON);
		CHECK(rc == tl__json_check((tl_str){text, sizeof from - 1}));
		if (rc != TL_OK)
			continue;
		taken++;
		CHECK_OK(again(copy, len, 0, &twice, &twice_len));
		CHECK(len == twice_len && memcmp(copy, twice, len) == 0);
		tl_free(twice);
		tl_free(copy);
	}
	CHECK(taken > 0);
}

static void memory_running_out_is_told(void)
{
	static const char document[] = "{\"k\\u0065y\":[1.5,\"text\",{\"\\n\":1,\"b\":2}],\"z\":1}";
	bool fired = true;

	for (size_t n = 1; fired; n++) {
		char *text = NULL;
		size_t len;
		long before = tl__alloc_balance();
		int rc;

		tl__alloc_fail_at(n);
		rc = again(document, sizeof document - 1, 2, &text, &len);
		fired = tl__alloc_fail_at(0);
		CHECK_CODE(rc, fired ? TL_E_NOMEM : TL_OK);
		tl_free(text);
		CHECK(tl__alloc_balance() == before);
	}
}

int main(void)
{
	RUN(documents_come_back);
	RUN(what_is_no_json_is_refused);
	RUN(a_repeated_member_is_found_wherever_it_stands);
	RUN(floats_are_written_short_and_exact);
	RUN(every_double_reads_back);
	RUN(long_numbers_are_read);
	RUN(the_locale_changes_nothing);
	RUN(an_indented_text_reads_the_same);
	RUN(texts_are_put_in_as_they_are);
	RUN(misuse_spoils_the_writer);
	RUN(what_is_missing_is_an_error);
	RUN(values_can_be_passed_over);
	RUN(random_documents_come_back);
	RUN(damage_is_refused_or_read_as_it_stands);
	RUN(memory_running_out_is_told);
	return spec_end();
}
