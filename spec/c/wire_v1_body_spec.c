/* The bodies of v1: lines of the right kinds, in order, as many as may be. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "wire/v1.h"

static tl_id id_of(uint32_t number)
{
	tl_id id = {{'s'}};

	for (int i = 0; i < 4; i++)
		id.b[1 + i] = (uint8_t)(number >> (24 - 8 * i));
	return id;
}

static void put(tl__buf *body, tl__v1_line_kind kind, uint32_t number)
{
	tl_id id = id_of(number);

	tl__v1_write_id(body, kind, &id);
}

/* An entry line of `len` bytes with its line feed. */
static void put_entry(tl__buf *body, size_t len)
{
	size_t end = body->len + len;

	tl__buf_text(body, "{\"tree\":\"");
	while (body->len < end - 3)
		tl__buf_byte(body, 'e');
	tl__buf_text(body, "\"}\n");
}

/* Walks to the end; the number of lines in *lines. */
static int walk(tl__v1_body_form form, const tl__buf *bytes, const tl__v1_tips *tips, size_t *lines)
{
	tl__v1_body body;
	bool end = false;
	int code = tl__v1_body_open(&body, form, tl__buf_view(bytes), tips);

	*lines = 0;
	while (code == TL_OK && !end) {
		tl__v1_line line;

		code = tl__v1_body_next(&body, &line, &end);
		*lines += code == TL_OK && !end;
	}
	return code;
}

static int walk_text(tl__v1_body_form form, const char *text)
{
	tl__buf bytes = TL__BUF_INIT;
	size_t lines;
	int code;

	tl__buf_text(&bytes, text);
	code = walk(form, &bytes, NULL, &lines);
	tl__buf_free(&bytes);
	return code;
}

/* --- lines ------------------------------------------------------------------------------------ */

static bool same_line(const tl__v1_line *a, const tl__v1_line *b)
{
	return a->kind == b->kind && tl__str_eq(a->entry, b->entry) && a->has_id == b->has_id &&
	       memcmp(&a->id, &b->id, sizeof a->id) == 0 && a->fate == b->fate &&
	       tl__str_eq(a->code, b->code) && a->waits_count == b->waits_count &&
	       memcmp(a->waits_for, b->waits_for, sizeof a->waits_for) == 0 &&
	       a->arrivals == b->arrivals && a->tip_count == b->tip_count &&
	       memcmp(a->tips, b->tips, sizeof a->tips) == 0;
}

#define LINES 17
static void make_lines(tl__v1_line lines[LINES])
{
	size_t n = 0;

	memset(lines, 0, LINES * sizeof *lines);
	for (size_t i = 0; i < LINES; i++) {
		lines[i].has_id = true;
		lines[i].id = id_of((uint32_t)i + 1);
		lines[i].code = TL__STR("");
	}
	lines[n++].kind = TL__V1_LINE_TIP;
	lines[n++].kind = TL__V1_LINE_HAVE;
	lines[n++].kind = TL__V1_LINE_WANT;
	lines[n++].kind = TL__V1_LINE_ABSENT;
	for (int fate = 0; fate < TL__V1_FATE_COUNT; fate++) {
		lines[n].kind = TL__V1_LINE_FATE;
		lines[n].fate = (tl__v1_fate)fate;
		if (fate == TL__V1_FATE_INVALID || fate == TL__V1_FATE_DECLINED)
			lines[n].code = TL__STR("bad_signature");
		if (fate == TL__V1_FATE_PENDING) {
			lines[n].waits_count = TL__V1_MAX_WAITS;
			for (uint32_t i = 0; i < TL__V1_MAX_WAITS; i++)
				lines[n].waits_for[i] = id_of(i);
		}
		n++;
	}
	lines[n] = lines[n - 1]; /* declined, of a line that was no entry */
	lines[n].has_id = false;
	lines[n++].id = (tl_id){{0}};
	lines[n++].kind = TL__V1_LINE_DATABASE;
	lines[n].kind = TL__V1_LINE_DATABASE;
	lines[n].arrivals = UINT64_MAX;
	lines[n].tip_count = 1000;
	for (uint32_t i = 0; i < TL__V1_MAX_LIST_TIPS; i++)
		lines[n].tips[i] = id_of(i);
	n++;
	lines[n].kind = TL__V1_LINE_ENTRY;
	lines[n].has_id = false;
	lines[n].id = (tl_id){{0}};
	lines[n++].entry = TL__STR("{\"tree\":{}}");
	lines[n++].kind = TL__V1_LINE_WATCH;
	lines[n].kind = TL__V1_LINE_WATCH;
	lines[n].has_cursor = true;
	lines[n].cursor.n = 17;
	lines[n++].cursor.c[15] = 0xff;
	lines[n].kind = TL__V1_LINE_MOVED;
	lines[n++].arrivals = 18;
	if (n != LINES)
		exit(2);
}

static void lines_come_back_as_written(void)
{
	tl__v1_line lines[LINES], got;

	make_lines(lines);
	for (size_t i = 0; i < LINES; i++) {
		tl__buf out = TL__BUF_INIT;
		tl_str rest, text;

		tl__v1_write_line(&out, &lines[i]);
		rest = tl__buf_view(&out);
		REQUIRE(tl__v1_next_line(&rest, &text) && rest.len == 0);
		CHECK(text.len + 1 == out.len && out.ptr[text.len] == '\n');
		CHECK_OK(tl__v1_read_line(&got, text));
		CHECK(same_line(&got, &lines[i]));
		for (size_t len = 0; len < text.len; len++) {
			char *copy = tl__copy_bytes(text.ptr, len);
			int code = tl__v1_read_line(&got, (tl_str){copy, len});

			/* An entry's text is judged where it is stored. */
			CHECK(code == TL_E_BAD_MESSAGE || got.kind == TL__V1_LINE_ENTRY);
			tl__free(copy);
		}
		tl__buf_free(&out);
	}
}

static void altered_lines_have_no_second_form(void)
{
	static const char marks[] = " \"\\{}[]:,0129afnu\x01\xff-";
	tl__v1_line lines[LINES], got;

	make_lines(lines);
	for (size_t i = 0; i < LINES; i++) {
		tl__buf out = TL__BUF_INIT;

		tl__v1_write_line(&out, &lines[i]);
		for (size_t at = 0; at + 1 < out.len; at++) {
			char kept = out.ptr[at];

			for (size_t m = 0; m < sizeof marks - 1; m++) {
				tl__buf again = TL__BUF_INIT;

				out.ptr[at] = marks[m];
				if (tl__v1_read_line(&got, (tl_str){out.ptr, out.len - 1}) ==
					TL_OK) {
					tl__v1_write_line(&again, &got);
					CHECK(tl__str_eq(tl__buf_view(&again), tl__buf_view(&out)));
				}
				tl__buf_free(&again);
			}
			out.ptr[at] = kept;
		}
		tl__buf_free(&out);
	}
}

#define ID(digit)                                                                                  \
	"\"sha256:000000000000000000000000000000000000000000000000000000000000000" digit "\""

static void lines_that_are_none(void)
{
	static const char *const texts[] = {"", "x", "{}", "[]", "{\"tip\":null}", "{\"tip\":\"\"}",
		"{\"tip\":" ID("1") "} ", "{\"tip\":" ID("1") ",\"x\":1}", "{\"tree\":{}",
		"{\"fate\":\"good\",\"id\":" ID("1") "}", "{\"fate\":\"verified\",\"id\":null}",
		"{\"fate\":\"pending\",\"id\":" ID("1") "}",
		"{\"fate\":\"invalid\",\"id\":" ID("1") "}",
		"{\"fate\":\"declined\",\"id\":null,\"code\":\"\"}",
		"{\"fate\":\"void\",\"id\":" ID("1") ",\"code\":\"x\"}",
		"{\"database\":" ID("1") ",\"arrivals\":1,\"tip_count\":1,\"tips\":[]}",
		"{\"database\":" ID("1") ",\"arrivals\":1,\"tip_count\":0,\"tips\":[" ID("1") "]}",
		"{\"database\":" ID("1") ",\"arrivals\":-1,\"tip_count\":0,\"tips\":[]}"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		tl__v1_line line;
		int code = tl__v1_read_line(&line, tl__str_z(texts[i]));

		/* What begins like an entry is one until it is judged. */
		if (line.kind == TL__V1_LINE_ENTRY)
			CHECK(i == 8);
		else
			CHECK_CODE(code, TL_E_BAD_MESSAGE);
	}
}

static void pending_names_the_first_ids_only(void)
{
	tl__buf text = TL__BUF_INIT;
	tl__v1_line line;

	tl__buf_text(&text, "{\"fate\":\"pending\",\"id\":" ID("1") ",\"waits_for\":[");
	for (size_t i = 0; i <= TL__V1_MAX_WAITS; i++)
		tl__buf_text(&text, i ? "," ID("2") : ID("2"));
	tl__buf_text(&text, "]}");
	CHECK_CODE(tl__v1_read_line(&line, tl__buf_view(&text)), TL_E_TOO_LARGE);
	tl__buf_free(&text);
}

/* --- order ------------------------------------------------------------------------------------ */

static void bodies_take_their_kinds_alone(void)
{
	static const unsigned may[TL__V1_BODY_FORM_COUNT] = {0, 1u << TL__V1_LINE_DATABASE,
		1u << TL__V1_LINE_TIP | 1u << TL__V1_LINE_HAVE | 1u << TL__V1_LINE_WANT,
		1u << TL__V1_LINE_TIP | 1u << TL__V1_LINE_ABSENT | 1u << TL__V1_LINE_ENTRY,
		1u << TL__V1_LINE_ENTRY, 1u << TL__V1_LINE_FATE, 1u << TL__V1_LINE_WATCH,
		1u << TL__V1_LINE_TIP | 1u << TL__V1_LINE_ABSENT | 1u << TL__V1_LINE_ENTRY |
			1u << TL__V1_LINE_MOVED};
	tl__v1_line lines[LINES];
	tl__v1_tips one = {.count = 1};

	make_lines(lines);
	for (int form = 0; form < TL__V1_BODY_FORM_COUNT; form++) {
		tl__buf empty = TL__BUF_INIT;
		size_t count;

		CHECK_OK(walk((tl__v1_body_form)form, &empty, NULL, &count));
		for (size_t i = 0; i < LINES; i++) {
			tl__buf body = TL__BUF_INIT;
			bool tip = lines[i].kind == TL__V1_LINE_TIP;

			tl__v1_write_line(&body, &lines[i]);
			CHECK_CODE(walk((tl__v1_body_form)form, &body, tip ? &one : NULL, &count),
				may[form] & (1u << lines[i].kind) ? TL_OK : TL_E_BAD_MESSAGE);
			tl__buf_free(&body);
		}
	}
}

static void lines_come_in_order(void)
{
	static const struct {
		tl__v1_body_form form;
		tl__v1_line_kind first, second;
	} pairs[] = {{TL__V1_BODY_PULL, TL__V1_LINE_TIP, TL__V1_LINE_HAVE},
		{TL__V1_BODY_PULL, TL__V1_LINE_HAVE, TL__V1_LINE_WANT},
		{TL__V1_BODY_PAGE, TL__V1_LINE_TIP, TL__V1_LINE_ABSENT}};
	tl__v1_tips one = {.count = 1};
	size_t count;

	for (size_t i = 0; i < 3; i++) {
		const tl__v1_tips *tips = pairs[i].first == TL__V1_LINE_TIP ? &one : NULL;
		tl__buf right = TL__BUF_INIT, wrong = TL__BUF_INIT, twice = TL__BUF_INIT;
		tl__buf down = TL__BUF_INIT;

		put(&right, pairs[i].first, 9);
		put(&right, pairs[i].second, 1);
		put(&right, pairs[i].second, 2);
		CHECK_OK(walk(pairs[i].form, &right, tips, &count));
		CHECK(count == 3);
		put(&wrong, pairs[i].second, 1);
		put(&wrong, pairs[i].first, 9);
		CHECK_CODE(walk(pairs[i].form, &wrong, tips, &count), TL_E_BAD_MESSAGE);
		put(&twice, pairs[i].second, 1);
		put(&twice, pairs[i].second, 1);
		CHECK_CODE(walk(pairs[i].form, &twice, NULL, &count), TL_E_BAD_MESSAGE);
		put(&down, pairs[i].second, 2);
		put(&down, pairs[i].second, 1);
		CHECK_CODE(walk(pairs[i].form, &down, NULL, &count), TL_E_BAD_MESSAGE);
		tl__buf_free(&right);
		tl__buf_free(&wrong);
		tl__buf_free(&twice);
		tl__buf_free(&down);
	}
}

static void bodies_are_closed(void)
{
	CHECK_OK(walk_text(TL__V1_BODY_PUSH, "{\"tree\":1}\n"));
	CHECK_CODE(walk_text(TL__V1_BODY_PUSH, "{\"tree\":1}"), TL_E_BAD_MESSAGE);
	CHECK_CODE(walk_text(TL__V1_BODY_PUSH, "{\"tree\":1}\n\n"), TL_E_BAD_MESSAGE);
	CHECK_CODE(walk_text(TL__V1_BODY_PUSH, "\n"), TL_E_BAD_MESSAGE);
	CHECK_CODE(walk_text(TL__V1_BODY_PUSH, "{\"tree\":1}\r\nx\n"), TL_E_BAD_MESSAGE);
	CHECK_CODE(walk_text(TL__V1_BODY_EMPTY, "\n"), TL_E_BAD_MESSAGE);
}

static void tips_number_what_was_told(void)
{
	tl__v1_tips tips = {.count = 2};
	tl__buf body = TL__BUF_INIT;
	size_t count;

	put(&body, TL__V1_LINE_TIP, 1);
	CHECK_CODE(walk(TL__V1_BODY_PAGE, &body, &tips, &count), TL_E_BAD_MESSAGE);
	CHECK_CODE(walk(TL__V1_BODY_PAGE, &body, NULL, &count), TL_E_BAD_MESSAGE);
	put(&body, TL__V1_LINE_TIP, 2);
	CHECK_OK(walk(TL__V1_BODY_PAGE, &body, &tips, &count));
	put(&body, TL__V1_LINE_TIP, 3);
	CHECK_CODE(walk(TL__V1_BODY_PAGE, &body, &tips, &count), TL_E_BAD_MESSAGE);
	tips.hashed = true;
	tips.count = TL__V1_MAX_TIPS + 1;
	CHECK_CODE(walk(TL__V1_BODY_PAGE, &body, &tips, &count), TL_E_BAD_MESSAGE);
	tl__buf_clear(&body);
	CHECK_OK(walk(TL__V1_BODY_PAGE, &body, &tips, &count));
	tl__buf_free(&body);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void every_kind_has_a_limit(void)
{
	static const struct {
		tl__v1_body_form form;
		tl__v1_line_kind kind;
		size_t limit;
	} cases[] = {{TL__V1_BODY_PULL, TL__V1_LINE_TIP, TL__V1_MAX_TIPS},
		{TL__V1_BODY_PULL, TL__V1_LINE_HAVE, TL__V1_MAX_HAVE},
		{TL__V1_BODY_PULL, TL__V1_LINE_WANT, TL__V1_MAX_WANT},
		{TL__V1_BODY_PAGE, TL__V1_LINE_ABSENT, TL__V1_MAX_WANT},
		{TL__V1_BODY_PUSH, TL__V1_LINE_ENTRY, TL__V1_MAX_PAGE_ENTRIES},
		{TL__V1_BODY_FATES, TL__V1_LINE_FATE, TL__V1_MAX_PAGE_ENTRIES}};

	for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
		tl__v1_tips tips = {.count = cases[c].kind == TL__V1_LINE_TIP ? cases[c].limit : 0};
		tl__buf body = TL__BUF_INIT;
		size_t count;

		for (size_t i = 0; i <= cases[c].limit; i++) {
			tl__v1_line line = {.kind = cases[c].kind,
				.has_id = true,
				.entry = TL__STR("{\"tree\":1}")};

			if (i == cases[c].limit) {
				CHECK_OK(walk(cases[c].form, &body, &tips, &count));
				CHECK(count == cases[c].limit);
			}
			line.id = id_of((uint32_t)i);
			tl__v1_write_line(&body, &line);
		}
		CHECK_CODE(walk(cases[c].form, &body, &tips, &count), TL_E_TOO_LARGE);
		tl__buf_free(&body);
	}
}

/* The fates of a full page fit a body even when each line says as much as it can. */
static void the_longest_fates_fit(void)
{
	tl__v1_line line = {.kind = TL__V1_LINE_FATE,
		.has_id = true,
		.fate = TL__V1_FATE_PENDING,
		.waits_count = TL__V1_MAX_WAITS};
	tl__buf body = TL__BUF_INIT;
	size_t count;

	line.id = id_of(1);
	for (uint32_t i = 0; i < TL__V1_MAX_WAITS; i++)
		line.waits_for[i] = id_of(i);
	for (size_t i = 0; i < TL__V1_MAX_PAGE_ENTRIES; i++)
		tl__v1_write_line(&body, &line);
	CHECK(body.len <= TL__V1_MAX_BODY_BYTES);
	CHECK_OK(walk(TL__V1_BODY_FATES, &body, NULL, &count));
	tl__buf_free(&body);
}

static void a_large_body_is_one_entry(void)
{
	tl__buf body = TL__BUF_INIT;
	tl__v1_tips one = {.count = 1};
	size_t count;

	put_entry(&body, TL__V1_MAX_BODY_BYTES - 100);
	put_entry(&body, 100);
	CHECK(body.len == TL__V1_MAX_BODY_BYTES);
	CHECK_OK(walk(TL__V1_BODY_PUSH, &body, NULL, &count));
	tl__buf_clear(&body);
	put_entry(&body, TL__V1_MAX_BODY_BYTES - 100);
	put_entry(&body, 101);
	CHECK_CODE(walk(TL__V1_BODY_PUSH, &body, NULL, &count), TL_E_TOO_LARGE);
	tl__buf_clear(&body);
	put_entry(&body, TL__V1_MAX_LARGE_BODY);
	CHECK_OK(walk(TL__V1_BODY_PUSH, &body, NULL, &count));
	CHECK_OK(walk(TL__V1_BODY_PAGE, &body, NULL, &count));
	CHECK_CODE(walk(TL__V1_BODY_PULL, &body, NULL, &count), TL_E_TOO_LARGE);
	CHECK_CODE(walk(TL__V1_BODY_EMPTY, &body, NULL, &count), TL_E_TOO_LARGE);
	tl__buf_clear(&body);
	put(&body, TL__V1_LINE_TIP, 1);
	put_entry(&body, TL__V1_MAX_BODY_BYTES);
	CHECK_CODE(walk(TL__V1_BODY_PAGE, &body, &one, &count), TL_E_TOO_LARGE);
	tl__buf_clear(&body);
	put_entry(&body, TL__V1_MAX_LARGE_BODY + 1);
	CHECK_CODE(walk(TL__V1_BODY_PUSH, &body, NULL, &count), TL_E_TOO_LARGE);
	tl__buf_free(&body);
}

int main(void)
{
	RUN(lines_come_back_as_written);
	RUN(altered_lines_have_no_second_form);
	RUN(lines_that_are_none);
	RUN(pending_names_the_first_ids_only);
	RUN(bodies_take_their_kinds_alone);
	RUN(lines_come_in_order);
	RUN(bodies_are_closed);
	RUN(tips_number_what_was_told);
	RUN(every_kind_has_a_limit);
	RUN(the_longest_fates_fit);
	RUN(a_large_body_is_one_entry);
	return spec_end();
}
