/* Borrowed strings, UTF-8, growing buffers, and who a remote address counts as. */
#include "check.h"
#include "base/buf.h"
#include <tidelock/log.h>
#include "base/system/env.h"
#include "base/mem.h"
#include "base/system/source.h"
#include "base/str.h"

static void text_order_is_bytes_then_length(void)
{
	CHECK(tl__str_compare(TL__STR("a"), TL__STR("b")) < 0);
	CHECK(tl__str_compare(TL__STR("a"), TL__STR("aa")) < 0);
	CHECK(tl__str_compare(TL__STR("\x7f"), TL__STR("\xc3\xa9")) < 0);
	CHECK(tl__str_compare(TL__STR(""), TL__STR("")) == 0);
	CHECK(tl__str_compare(TL__STR_NULL, TL__STR("")) == 0);
	CHECK(tl__str_compare(TL__STR("b"), TL__STR("ab")) > 0);
	CHECK(tl__str_compare(TL__STR("a\0b"), TL__STR("a\0c")) < 0);
}

static void prefixes(void)
{
	CHECK(tl__str_starts(TL__STR("sha256:ab"), TL__STR("sha256:")));
	CHECK(tl__str_starts(TL__STR("x"), TL__STR("")));
	CHECK(tl__str_starts(TL__STR_NULL, TL__STR_NULL));
	CHECK(!tl__str_starts(TL__STR("sha"), TL__STR("sha256:")));
	CHECK(!tl__str_starts(TL__STR("Sha256:"), TL__STR("sha256:")));
}

/* The definition, written without regard to speed. */
static size_t plain_sequence(const uint8_t *b, size_t len)
{
	size_t need = b[0] < 0x80 ? 1 : b[0] < 0xc0 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t c = need == 2 ? b[0] & 0x1fu : need == 3 ? b[0] & 0x0fu : b[0] & 0x07u;

	if (need == 1)
		return 1;
	if (need == 0 || need > len || b[0] > 0xf7)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3fu);
	}
	return c < least[need] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? 0 : need;
}

static bool plain_valid(tl_str text)
{
	size_t at = 0, step = 1;

	while (at < text.len && step > 0) {
		step = plain_sequence((const uint8_t *)text.ptr + at, text.len - at);
		at += step;
	}
	return step > 0;
}

static void utf8_of_every_code_point(void)
{
	for (uint32_t c = 0; c <= 0x10ffff; c++) {
		char bytes[4];
		tl_str text = {bytes, tl__utf8_write(c, bytes)};
		bool surrogate = c >= 0xd800 && c < 0xe000;

		REQUIRE(tl__utf8_valid(text) == !surrogate);
		REQUIRE(plain_valid(text) == !surrogate);
	}
}

static void utf8_of_every_short_sequence(void)
{
	static const uint8_t tails[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
	const size_t n = sizeof tails;

	for (unsigned lead = 0; lead < 256; lead++) {
		for (size_t pick = 0; pick < n * n * n; pick++) {
			char b[4] = {(char)lead, (char)tails[pick % n], (char)tails[pick / n % n],
				(char)tails[pick / n / n]};

			for (size_t len = 0; len <= 4; len++)
				REQUIRE(tl__utf8_valid((tl_str){b, len}) ==
					plain_valid((tl_str){b, len}));
		}
	}
}

static void utf8_damage_at_every_place(void)
{
	char text[64];

	for (size_t len = 1; len <= sizeof text; len++) {
		memset(text, 'x', len);
		CHECK(tl__utf8_valid((tl_str){text, len}));
		for (size_t at = 0; at < len; at++) {
			text[at] = (char)0x80;
			CHECK(!tl__utf8_valid((tl_str){text, len}));
			text[at] = 'x';
		}
	}
	CHECK(tl__utf8_valid(TL__STR_NULL));
}

/* --- buffers --- */

static void a_buffer_grows_and_stays_closed(void)
{
	tl__buf buf = TL__BUF_INIT;
	size_t len = 0;
	char *taken;

	CHECK(tl__buf_view(&buf).len == 0 && tl__buf_view(&buf).ptr != NULL);
	tl__buf_text(&buf, "one ");
	tl__buf_byte(&buf, 'x');
	tl__buf_str(&buf, TL__STR(" two "));
	tl__buf_str(&buf, TL__STR_NULL);
	tl__buf_format(&buf, "%05d|%s", 42, "three");
	CHECK(tl__str_eq(tl__buf_view(&buf), TL__STR("one x two 00042|three")));
	CHECK(buf.ptr[buf.len] == '\0');
	for (int i = 0; i < 10000; i++)
		tl__buf_format(&buf, "%d,", i);
	CHECK_OK(tl__buf_status(&buf));
	CHECK(strlen(buf.ptr) == buf.len);
	taken = tl__buf_take(&buf, &len);
	CHECK(taken && len == 48890 + 21 && buf.ptr == NULL);
	tl__free(taken);
}

static void an_empty_buffer_can_be_taken(void)
{
	tl__buf buf = TL__BUF_INIT;
	size_t len = 9;
	char *taken = tl__buf_take(&buf, &len);

	CHECK(taken && len == 0 && taken[0] == '\0');
	tl__free(taken);
}

static void clearing_keeps_the_memory(void)
{
	tl__buf buf = TL__BUF_INIT;
	char *memory;

	tl__buf_clear(&buf);
	tl__buf_text(&buf, "secret");
	memory = buf.ptr;
	tl__buf_clear(&buf);
	CHECK(buf.len == 0 && buf.ptr == memory && memory[0] == '\0');
	tl__buf_wipe(&buf);
	CHECK(buf.ptr == NULL && buf.cap == 0);
	tl__buf_wipe(&buf);
}

static void reserve_hands_out_room(void)
{
	tl__buf buf = TL__BUF_INIT;
	char *room;

	tl__buf_text(&buf, "ab");
	room = tl__buf_reserve(&buf, 1000);
	REQUIRE(room);
	memset(room, 'c', 1000);
	buf.len += 1000;
	tl__buf_byte(&buf, 'd');
	CHECK(buf.len == 1003 && buf.ptr[1002] == 'd' && buf.ptr[1003] == '\0');
	CHECK(tl__buf_reserve(&buf, SIZE_MAX - 10) == NULL);
	CHECK_CODE(tl__buf_status(&buf), TL_E_NOMEM);
	tl__buf_free(&buf);
}

static void a_failure_sticks_until_cleared(void)
{
	tl__buf buf = TL__BUF_INIT;
	size_t len;

	tl__buf_text(&buf, "kept");
	tl__alloc_fail_at(1);
	tl__buf_format(&buf, "%1000d", 1);
	tl__alloc_fail_at(0);
	tl__buf_text(&buf, "!");
	CHECK(tl__str_eq(tl__buf_view(&buf), TL__STR("kept")));
	CHECK_CODE(tl__buf_status(&buf), TL_E_NOMEM);
	tl__buf_clear(&buf);
	tl__buf_text(&buf, "again");
	CHECK_OK(tl__buf_status(&buf));
	tl__alloc_fail_at(1);
	tl__buf_format(&buf, "%1000d", 1);
	tl__alloc_fail_at(0);
	CHECK(tl__buf_take(&buf, &len) == NULL && buf.ptr == NULL && !buf.failed);
	CHECK(tl_error_code(tl_last_error()) == TL_E_NOMEM);
}

static bool counts_as(const char *remote, const char *wanted)
{
	char source[TL__SOURCE_LEN + 1];

	tl__source_of(tl__str_z(remote), source);
	if (strcmp(source, wanted) != 0)
		printf("%s counts as %s\n", remote, source);
	return strcmp(source, wanted) == 0;
}

static void who_a_remote_counts_as(void)
{
	char text[TL__SOURCE_LEN + 10], wanted[TL__SOURCE_LEN + 1];

	CHECK(counts_as("203.0.113.9:51000", "203.0.113.9"));
	CHECK(counts_as("[2001:db8:1:2:3:4:5:6]:51000", "2001:db8:1:2::/64"));
	CHECK(counts_as("[2001:db8:1:2::7]:52000", "2001:db8:1:2::/64"));
	CHECK(counts_as("[2001:db8:1:3::7]:52000", "2001:db8:1:3::/64"));
	CHECK(counts_as("[::ffff:203.0.113.9]:51000", "203.0.113.9"));
	CHECK(counts_as("[::1]:80", "::/64"));
	/* Transports of another kind say it their way. */
	CHECK(counts_as("a-node-id", "a-node-id"));
	CHECK(counts_as("[not an address]:80", "not an address"));
	CHECK(counts_as("", "") && counts_as(":", "") && counts_as("[", "[") &&
		counts_as("[]:1", ""));
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	memset(wanted, 'x', sizeof wanted - 1);
	wanted[sizeof wanted - 1] = '\0';
	CHECK(counts_as(text, wanted));
}

static void copies_to_show_are_whole_characters(void)
{
	char out[9];

	tl__text_copy(out, sizeof out, TL__STR("a\0b\x1b[1m\xff"));
	CHECK(strcmp(out, "a\\u0000b") == 0);
	tl__text_copy(out, sizeof out, TL__STR("abcdef\xe2\x82\xac"));
	CHECK(strcmp(out, "abcdef") == 0); /* no part of a character or escape */
	tl__text_copy(out, sizeof out, TL__STR("abcde\xe2\x82\xac"));
	CHECK(strcmp(out, "abcde\xe2\x82\xac") == 0);
	tl__text_copy(out, sizeof out, TL__STR(""));
	CHECK(out[0] == '\0');
}

/* --- what is shown --- */

static bool shown_as(tl_str text, const char *expected)
{
	char out[200];

	return tl_text_escape(text, out, sizeof out) == strlen(expected) &&
	       strcmp(out, expected) == 0;
}

static void what_is_not_seen_is_shown_escaped(void)
{
	CHECK(shown_as(TL__STR(""), ""));
	CHECK(shown_as(TL__STR("a \xc3\xa9 \xe6\xb5\xb7 \xf0\x9f\x8c\x8a \\ \""),
		"a \xc3\xa9 \xe6\xb5\xb7 \xf0\x9f\x8c\x8a \\ \""));
	CHECK(shown_as(TL__STR("a\nb\r\tc\0d\x1b[31m\x07\x7f"),
		"a\\nb\\r\\tc\\u0000d\\u001b[31m\\u0007\\u007f"));
	CHECK(shown_as(TL__STR("\xc2\x9b\xc2\x85"), "\\u009b\\u0085"));
	CHECK(shown_as(TL__STR("\xe2\x80\xa8\xe2\x80\xa9"), "\\u2028\\u2029"));
	CHECK(shown_as(TL__STR("\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f\xd8\x9c"),
		"\\u202e\\u2066\\u200f\\u061c"));
	CHECK(shown_as(TL__STR("\xe2\x80\x8b\xef\xbb\xbf"), "\\u200b\\ufeff"));
	/* What joins letters and pictures is text. */
	CHECK(shown_as(
		TL__STR("\xe2\x80\x8c\xe2\x80\x8d\xc2\xa0"), "\xe2\x80\x8c\xe2\x80\x8d\xc2\xa0"));
	CHECK(shown_as(TL__STR("\xff"
			       "a\xc3\xed\xa0\x80"),
		"\\xffa\\xc3\\xed\\xa0\\x80"));
}

static void every_control_character_is_escaped(void)
{
	for (uint32_t c = 0; c < 0xa0; c++) {
		char text[4], out[16];
		size_t len = tl__utf8_write(c, text);
		bool control = c < 0x20 || c >= 0x7f;

		CHECK(tl_text_escape((tl_str){text, len}, out, sizeof out) == strlen(out));
		CHECK((out[0] == '\\' && strlen(out) > 1) == control);
	}
}

static void a_shown_text_is_cut_between_characters(void)
{
	const tl_str text = TL__STR("ab\n\xc3\xa9");
	char out[8];

	CHECK(tl_text_escape(text, NULL, 0) == 6);
	for (size_t cap = 1; cap <= sizeof out; cap++) {
		static const char *const cut[] = {"", "a", "ab", "ab", "ab\\n", "ab\\n"};

		CHECK(tl_text_escape(text, out, cap) == 6);
		CHECK(strcmp(out, cap <= 6 ? cut[cap - 1] : "ab\\n\xc3\xa9") == 0);
	}
}

int main(void)
{
	RUN(text_order_is_bytes_then_length);
	RUN(prefixes);
	RUN(utf8_of_every_code_point);
	RUN(utf8_of_every_short_sequence);
	RUN(utf8_damage_at_every_place);
	RUN(a_buffer_grows_and_stays_closed);
	RUN(an_empty_buffer_can_be_taken);
	RUN(clearing_keeps_the_memory);
	RUN(reserve_hands_out_room);
	RUN(a_failure_sticks_until_cleared);
	RUN(who_a_remote_counts_as);
	RUN(copies_to_show_are_whole_characters);
	RUN(what_is_not_seen_is_shown_escaped);
	RUN(every_control_character_is_escaped);
	RUN(a_shown_text_is_cut_between_characters);
	return spec_end();
}
