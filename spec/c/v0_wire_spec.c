/* Protocol v0: answers, read as a stream. */
#include <malloc.h>
#include "base/fail.h"
#include "v0_fixture.h"

typedef struct heard {
	tl__buf entries; /* `root:` or `entry:`, the text and a line feed for each */
	int fail_at;     /* call that fails; 0 = none */
	int calls;
} heard;

static int on_entry(void *ud, tl_str text, bool is_root)
{
	heard *h = ud;

	if (++h->calls == h->fail_at)
		return tl__fail(TL_E_CANCELLED, "enough");
	tl__buf_text(&h->entries, is_root ? "root:" : "entry:");
	tl__buf_str(&h->entries, text);
	tl__buf_byte(&h->entries, '\n');
	return TL_OK;
}

static void describe_handshake(tl__buf *out, const tl__v0_handshake_response *m)
{
	tl__buf_format(out, "%.*s %.*s %.*s v%u %zu %zu %d", TL__STR_ARG(m->device_id),
		TL__STR_ARG(m->public_key), TL__STR_ARG(m->display_name), m->protocol_version,
		m->challenge_response.len, m->new_challenge.len, m->tidelock_v1);
	for (size_t i = 0; i < m->tree_count; i++)
		tl__buf_format(out, " %.*s=%llu", TL__STR_ARG(m->trees[i].tree_id),
			(unsigned long long)m->trees[i].entry_count);
}

/* Everything that was read, as text. */
static void describe(tl__buf *out, const tl__v0_response *r, const heard *h)
{
	tl__buf_format(out, "%d tree=%.*s approved=%d", (int)r->kind, TL__STR_ARG(r->tree_id),
		r->key_approved);
	if (r->has_granted)
		tl__buf_format(out, " granted=%d:%u", (int)r->granted.kind, r->granted.priority);
	tl__buf_format(out,
		" id=%.*s text=%.*s count=%llu entries=%llu tips=", TL__STR_ARG(r->request_id),
		TL__STR_ARG(r->text), (unsigned long long)r->count,
		(unsigned long long)r->entry_count);
	for (size_t i = 0; i < r->tip_count; i++)
		tl__buf_format(out, "%.*s,", TL__STR_ARG(r->their_tips[i]));
	if (r->kind == TL__V0_RESPONSE_HANDSHAKE)
		describe_handshake(out, &r->handshake);
	tl__buf_byte(out, '\n');
	tl__buf_str(out, tl__buf_view(&h->entries));
}

/* Feeds copies of exactly the pieces, so that reading over an edge shows. */
static int feed(tl__v0_reader *reader, tl_str piece)
{
	char *copy = tl__copy_bytes(piece.ptr, piece.len);
	int code = tl__v0_reader_feed(reader, copy, piece.len);

	tl__free(copy);
	return code;
}

/* Reads the text cut at `first` and then every `step` bytes. */
static int read_answer(tl_str text, size_t first, size_t step, tl__buf *out)
{
	heard h = {.fail_at = 0};
	tl__v0_reader *reader;
	size_t at = first;
	int code = tl__v0_reader_new(&reader, on_entry, &h);

	if (code == TL_OK && first > 0)
		code = feed(reader, (tl_str){text.ptr, first});
	for (; code == TL_OK && at < text.len; at += step)
		code = feed(reader,
			(tl_str){text.ptr + at, text.len - at < step ? text.len - at : step});
	if (code == TL_OK)
		code = tl__v0_reader_finish(reader);
	if (code == TL_OK && out)
		describe(out, tl__v0_reader_response(reader), &h);
	tl__v0_reader_free(reader);
	tl__buf_free(&h.entries);
	return code;
}

static const char *const answers[] = {
	"\"Ack\"",
	" {\"Count\" : 18446744073709551615 } ",
	"{\"Error\":\"no\\u00e9\\n\"}",
	"{\"BootstrapPending\":{\"request_id\":\"r\",\"message\":\"m\"}}",
	"{\"Handshake\":{\"device_id\":\"d\",\"public_key\":\"k\",\"display_name\":null,"
	"\"protocol_version\":0,\"challenge_response\":[1,2,3],\"new_challenge\":[255],"
	"\"available_trees\":[{\"tree_id\":\"t\",\"name\":null,\"entry_count\":7,"
	"\"last_modified\":0}],\"tidelock\":{\"versions\":[2,1]},\"x\":{}}}",
	"{\"Incremental\":{\"tree_id\":\"t\",\"their_tips\":[\"a\",\"\\u0062\"],\"missing_entries\""
	":[" ENTRY("1") " , " ENTRY("\\ud83d\\ude00") "]}}",
	"{\"Bootstrap\":{\"tree_id\":\"t\",\"root_entry\":" ENTRY(
		"") ",\"all_entries\":[],\"key_approved\":false,\"granted_permission\":null}}",
	"{\"Bootstrap\":{\"new\":[1,{\"a\":\"b\"}],\"granted_permission\":{\"Admin\":3},"
	"\"key_approved\":true,\"all_entries\":[" ENTRY("2") "," ENTRY(
		"3") "],\"older\":-1.5e9,"
		     "\"root_entry\":" ENTRY("0") ",\"tree_id\":\"\\\"\"}}",
};
#define ANSWERS (sizeof answers / sizeof *answers)

static void answers_read_alike_at_every_cut(void)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		tl_str text = tl__str_z(answers[i]);
		tl__buf whole = TL__BUF_INIT;

		CHECK_OK(read_answer(text, text.len, 1, &whole));
		CHECK(whole.len > 0);
		for (size_t cut = 0; cut < text.len; cut++) {
			for (size_t step = 1; step <= 4; step += 3) {
				tl__buf pieces = TL__BUF_INIT;

				CHECK_OK(read_answer(
					text, cut, step == 1 ? text.len : step, &pieces));
				CHECK(tl__str_eq(tl__buf_view(&pieces), tl__buf_view(&whole)));
				tl__buf_free(&pieces);
			}
		}
		tl__buf_free(&whole);
	}
}

static void answers_mean_what_they_say(void)
{
	tl__buf out = TL__BUF_INIT;

	CHECK_OK(read_answer(tl__str_z(answers[7]), 1, 1, &out));
	CHECK(tl__str_eq(tl__buf_view(&out),
		TL__STR("2 tree=\" approved=1 granted=2:3 id= text= count=0 entries=3 tips=\n"
			"entry:" ENTRY("2") "\nentry:" ENTRY("3") "\nroot:" ENTRY("0") "\n")));
	tl__buf_clear(&out);
	CHECK_OK(read_answer(tl__str_z(answers[4]), 1, 1, &out));
	CHECK(tl__str_eq(
		tl__buf_view(&out), TL__STR("1 tree= approved=0 id= text= count=0 entries=0 tips="
					    "d k  v0 3 1 1 t=7\n")));
	tl__buf_free(&out);
}

static void truncated_answers_do_not_finish(void)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		tl_str text = tl__str_z(answers[i]);
		size_t end = text.len;

		while (end > 0 && text.ptr[end - 1] == ' ')
			end--;
		for (size_t len = 0; len < end; len++) {
			CHECK(read_answer((tl_str){text.ptr, len}, len, 1, NULL) != TL_OK);
			CHECK(read_answer((tl_str){text.ptr, len}, len / 2, 3, NULL) != TL_OK);
		}
	}
}

/* Random damage never crashes, and the cut never decides whether it is noticed. */
static void damaged_answers_do_no_harm(void)
{
	static const char bytes[] = "{}[]\",:\\ue19.-\x01\x80\xff tfn";
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(11));

	for (int round = 0; round < 3000; round++) {
		tl_str from = tl__str_z(answers[tl__random_below(&random, ANSWERS)]);
		char *text = tl__copy_bytes(from.ptr, from.len);
		tl__buf whole = TL__BUF_INIT, pieces = TL__BUF_INIT;
		size_t cut = (size_t)tl__random_below(&random, from.len);
		int code;

		for (uint64_t n = 1 + tl__random_below(&random, 3); n > 0; n--)
			text[tl__random_below(&random, from.len)] =
				bytes[tl__random_below(&random, sizeof bytes - 1)];
		code = read_answer((tl_str){text, from.len}, from.len, 1, &whole);
		CHECK((read_answer((tl_str){text, from.len}, cut, 5, &pieces) == TL_OK) ==
			(code == TL_OK));
		CHECK(tl__str_eq(tl__buf_view(&whole), tl__buf_view(&pieces)));
		tl__buf_free(&whole);
		tl__buf_free(&pieces);
		tl__free(text);
	}
}

static const char *const boot_members[] = {"\"tree_id\":\"t\"", "\"root_entry\":{\"r\":1}",
	"\"all_entries\":[{\"a\":1},{\"b\":2}]", "\"key_approved\":true",
	"\"granted_permission\":{\"Write\":4}", "\"unknown\":[{}]"};
#define BOOT_MEMBERS 6

static void answers_take_members_in_any_order(void)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(5));
	size_t order[BOOT_MEMBERS];

	for (int round = 0; round < 200; round++) {
		tl__buf text = TL__BUF_INIT, out = TL__BUF_INIT;

		shuffle(&random, order, BOOT_MEMBERS);
		join(&text, "{\"Bootstrap\":{", boot_members, order, BOOT_MEMBERS, "}}");
		CHECK_OK(read_answer(tl__buf_view(&text), text.len, 1, &out));
		CHECK(strstr(out.ptr, "2 tree=t approved=1 granted=1:4 id= text= count=0 "
				      "entries=3") == out.ptr);
		CHECK(strstr(out.ptr, "root:{\"r\":1}\n") != NULL);
		CHECK(strstr(out.ptr, "entry:{\"a\":1}\nentry:{\"b\":2}\n") != NULL);
		tl__buf_free(&text);
		tl__buf_free(&out);
	}
}

static void answers_need_their_members_once(void)
{
	for (size_t which = 0; which < BOOT_MEMBERS; which++) {
		size_t order[BOOT_MEMBERS], count = 0;
		tl__buf without = TL__BUF_INIT, twice = TL__BUF_INIT;
		bool optional = which >= 4;

		for (size_t i = 0; i < BOOT_MEMBERS; i++)
			if (i != which)
				order[count++] = i;
		join(&without, "{\"Bootstrap\":{", boot_members, order, count, "}}");
		CHECK_CODE(read_answer(tl__buf_view(&without), without.len, 1, NULL),
			optional ? TL_OK : TL_E_BAD_MESSAGE);
		join(&twice, "{\"Bootstrap\":{", boot_members, NULL, BOOT_MEMBERS, ",");
		tl__buf_format(&twice, "%s}}", boot_members[which]);
		CHECK_CODE(read_answer(tl__buf_view(&twice), twice.len, 1, NULL),
			which == 5 ? TL_OK : TL_E_BAD_MESSAGE);
		tl__buf_free(&without);
		tl__buf_free(&twice);
	}
}

static void hostile_answers_are_refused(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {{"", TL_E_BAD_JSON}, {"null", TL_E_BAD_MESSAGE}, {"1", TL_E_BAD_MESSAGE},
		{"[]", TL_E_BAD_MESSAGE}, {"{}", TL_E_BAD_MESSAGE}, {"\"Nack\"", TL_E_BAD_MESSAGE},
		{"{\"Ack\":1}", TL_E_BAD_MESSAGE}, {"\"Ack\"x", TL_E_BAD_JSON},
		{"{\"Count\":1,\"Count\":2}", TL_E_BAD_MESSAGE},
		{"{\"Count\":-1}", TL_E_BAD_MESSAGE}, {"{\"Count\":\"1\"}", TL_E_BAD_MESSAGE},
		{"{\"Count\":[1]}", TL_E_BAD_MESSAGE}, {"{\"Error\":{}}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":[]}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":null}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":{\"all_entries\":{}}}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":{\"all_entries\":[null]}}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":{\"all_entries\":[[{}]]}}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":{\"root_entry\":[]}}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":{\"tree_id\":{}}}", TL_E_BAD_MESSAGE},
		{"{\"Incremental\":{\"their_tips\":\"x\"}}", TL_E_BAD_MESSAGE},
		{"{\"Incremental\":{\"their_tips\":[1]}}", TL_E_BAD_MESSAGE},
		{"{\"BootstrapPending\":{\"request_id\":\"r\"}}", TL_E_BAD_MESSAGE},
		{"{\"Bootstrap\":{\"all_entries\":[{\"a\":}]}}", TL_E_BAD_JSON}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl_str text = tl__str_z(cases[i].text);

		CHECK_CODE(read_answer(text, text.len, 1, NULL), cases[i].code);
		CHECK_CODE(read_answer(text, 0, 1, NULL), cases[i].code);
	}
}

static void the_callback_ends_the_reading(void)
{
	tl_str text = tl__str_z(answers[7]);

	for (int at = 1; at <= 3; at++) {
		heard h = {.fail_at = at};
		tl__v0_reader *reader;

		REQUIRE(tl__v0_reader_new(&reader, on_entry, &h) == TL_OK);
		CHECK_CODE(tl__v0_reader_feed(reader, text.ptr, text.len), TL_E_CANCELLED);
		CHECK_CODE(tl__v0_reader_feed(reader, " ", 1), TL_E_CANCELLED);
		CHECK_CODE(tl__v0_reader_finish(reader), TL_E_CANCELLED);
		CHECK(h.calls == at);
		tl__v0_reader_free(reader);
		tl__buf_free(&h.entries);
	}
}

/* --- limits and memory ------------------------------------------------------------------------ */

/* begin, then `len` times the byte, then end: fed in pieces of 64 KiB. */
static int read_long(const char *begin, char byte, size_t len, const char *end)
{
	static char piece[65536];
	heard h = {.fail_at = 0};
	tl__v0_reader *reader;
	int code = tl__v0_reader_new(&reader, on_entry, &h);

	memset(piece, byte, sizeof piece);
	if (code == TL_OK)
		code = tl__v0_reader_feed(reader, begin, strlen(begin));
	while (code == TL_OK && len > 0) {
		size_t part = len < sizeof piece ? len : sizeof piece;

		code = tl__v0_reader_feed(reader, piece, part);
		len -= part;
	}
	if (code == TL_OK)
		code = tl__v0_reader_feed(reader, end, strlen(end));
	if (code == TL_OK)
		code = tl__v0_reader_finish(reader);
	tl__v0_reader_free(reader);
	tl__buf_free(&h.entries);
	return code;
}

static void entries_and_members_have_limits(void)
{
	static const char entry[] = "{\"Incremental\":{\"tree_id\":\"\",\"their_tips\":[],"
				    "\"missing_entries\":[{\"a\":\"";

	CHECK_OK(read_long(entry, 'e', TL_ENTRY_MAX_BYTES - 8, "\"}]}}"));
	CHECK_CODE(read_long(entry, 'e', TL_ENTRY_MAX_BYTES - 7, "\"}]}}"), TL_E_TOO_LARGE);
	CHECK_OK(read_long("{\"Error\":\"", 'e', TL__V0_MAX_MEMBER_BYTES, "\"}"));
	CHECK_CODE(read_long("{\"Error\":\"", 'e', TL__V0_MAX_MEMBER_BYTES + 1, "\"}"),
		TL_E_TOO_LARGE);
	CHECK_CODE(read_long("{\"Count\":", '1', TL__V0_MAX_MEMBER_BYTES + 1, "}"), TL_E_TOO_LARGE);
	CHECK_CODE(read_long("{\"", 'k', TL__V0_MAX_MEMBER_BYTES + 1, "\":1}"), TL_E_TOO_LARGE);
	CHECK_CODE(read_long("{\"Bootstrap\":{\"x\":[\"", 'e', TL__V0_MAX_MEMBER_BYTES, "\"]}}"),
		TL_E_TOO_LARGE);
	CHECK_CODE(read_long("{\"Bootstrap\":{\"x\":", '[', 128, ""), TL_E_BAD_JSON);
}

static size_t in_use(void)
{
	return mallinfo2().uordblks;
}

typedef struct counter {
	size_t entries, most, base;
} counter;

static int count_entry(void *ud, tl_str text, bool is_root)
{
	counter *c = ud;

	(void)text;
	(void)is_root;
	if (c->entries++ % 1000 == 0 && in_use() > c->most)
		c->most = in_use();
	return TL_OK;
}

/* A bootstrap of 100 MB needs no more memory than a small one (under a sanitizer the allocator
 * tells nothing and this shows the reading alone). */
static void a_long_answer_needs_little_memory(void)
{
	tl__buf piece = TL__BUF_INIT;
	counter c = {0};
	tl__v0_reader *reader;
	int code;

	for (int i = 0; i < 100; i++)
		tl__buf_format(&piece, ",{\"n\":%d,\"text\":\"%0980d\"}", i, i);
	c.base = c.most = in_use();
	REQUIRE(tl__v0_reader_new(&reader, count_entry, &c) == TL_OK);
	code = feed(reader, TL__STR("{\"Bootstrap\":{\"tree_id\":\"t\",\"root_entry\":{},"
				    "\"all_entries\":[{}"));
	for (int i = 0; code == TL_OK && i < 1000; i++)
		code = tl__v0_reader_feed(reader, piece.ptr, piece.len);
	if (code == TL_OK)
		code = feed(reader, TL__STR("],\"key_approved\":true}}"));
	CHECK_OK(code);
	CHECK_OK(tl__v0_reader_finish(reader));
	CHECK(c.entries == 100002);
	CHECK(c.most - c.base < 64u * 1024);
	tl__v0_reader_free(reader);
	tl__buf_free(&piece);
}

int main(void)
{
	RUN(answers_read_alike_at_every_cut);
	RUN(answers_mean_what_they_say);
	RUN(truncated_answers_do_not_finish);
	RUN(damaged_answers_do_no_harm);
	RUN(answers_take_members_in_any_order);
	RUN(answers_need_their_members_once);
	RUN(hostile_answers_are_refused);
	RUN(the_callback_ends_the_reading);
	RUN(entries_and_members_have_limits);
	RUN(a_long_answer_needs_little_memory);
	return spec_end();
}
