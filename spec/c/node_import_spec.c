/* Importing files that were damaged, altered or cut: what is verified stays, the rest is told. */
#include <stdio.h>
#include <tidelock/crypto.h>
#include <tidelock/node.h>
#include "base/str.h"
#include "check.h"
#include "node_help.h"

enum { LINES = 8, ROOM = 1 << 16 };

typedef struct file {
	char text[ROOM];
	size_t len, at;
	size_t starts[LINES + 1]; /* of the lines as exported */
	size_t count;
} file;

static int add_line(void *ud, uint64_t arrival, tl_str bytes)
{
	file *f = ud;

	(void)arrival;
	f->starts[f->count++] = f->len;
	memcpy(f->text + f->len, bytes.ptr, bytes.len);
	f->len += bytes.len;
	f->text[f->len++] = '\n';
	f->starts[f->count] = f->len;
	return TL_OK;
}

static ptrdiff_t read_file(void *ud, void *out, size_t cap)
{
	file *f = ud;
	size_t n = f->len - f->at < cap ? f->len - f->at : cap;

	memcpy(out, f->text + f->at, n);
	f->at += n;
	return (ptrdiff_t)n;
}

/* A history of LINES entries, one on top of the other. */
static void make_file(file *f)
{
	tl_node *node = open_offline(NULL);
	tl_database *db = node ? make_db(node, "n") : NULL;

	memset(f, 0, sizeof *f);
	for (int i = 1; db && i < LINES; i++)
		CHECK_OK(put(db, "key", i % 2 ? "odd" : "even"));
	CHECK_OK(db ? tl_database_export(db, add_line, f) : TL_E_INTERNAL);
	CHECK(f->count == LINES);
	tl_database_free(db);
	tl_node_close(node);
}

static void cut(file *f, size_t from, size_t to)
{
	memmove(f->text + from, f->text + to, f->len - to);
	f->len -= to - from;
}

static void insert(file *f, size_t at, const char *text)
{
	memmove(f->text + at + strlen(text), f->text + at, f->len - at);
	memcpy(f->text + at, text, strlen(text));
	f->len += strlen(text);
}

/* As db export writes it: an empty line before the entries, their count behind them. */
static void make_export(file *f)
{
	uint8_t sum[32] = {0}, digest[32];
	char end[128];
	int at;

	make_file(f);
	at = snprintf(end, 64, "{\"entries\":%zu,\"sha256\":\"", f->count);
	for (size_t n = 0; n < f->count; n++) {
		tl_sha256(f->text + f->starts[n], f->starts[n + 1] - f->starts[n] - 1, digest);
		for (size_t b = 0; b < sizeof sum; b++)
			sum[b] ^= digest[b];
	}
	for (size_t b = 0; b < sizeof sum; b++)
		at += snprintf(end + at, 3, "%02x", sum[b]);
	snprintf(end + at, 4, "\"}\n");
	insert(f, f->len, end);
	insert(f, 0, "\n");
	for (size_t n = 0; n <= f->count; n++)
		f->starts[n]++;
}

static uint64_t held(tl_node *node, const tl_id *root)
{
	tl_database *db = NULL;
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;

	if (tl_node_load_database(node, root, &db) == TL_OK)
		CHECK_OK(tl_database_count(db, &counts));
	tl_database_free(db);
	return counts.entries;
}

/* Imports into a new node, which must fail at `line` with `entered` entries kept. Afterwards the
 * whole file completes it. */
static void fails(file *bad, size_t line, uint64_t entered, int code)
{
	tl_node *node = open_offline(NULL);
	char start[32], end[64];
	uint64_t count = 99;
	tl_id root = {{0}};
	const char *message;
	int rc;

	REQUIRE(node != NULL);
	rc = tl_node_import(node, read_file, bad, &root, &count);
	message = tl_error_message(tl_last_error());
	snprintf(start, sizeof start, "line %zu is bad: ", line);
	snprintf(end, sizeof end, "; %llu entries entered and are kept",
		(unsigned long long)entered);
	CHECK_CODE(rc, code);
	CHECK(strncmp(message, start, strlen(start)) == 0);
	CHECK(strstr(message, end) != NULL);
	if (strncmp(message, start, strlen(start)) != 0 || !strstr(message, end))
		fprintf(stderr, "%s (expected line %zu, %llu entered)\n", message, line,
			(unsigned long long)entered);
	CHECK(count == entered);
	CHECK(entered == 0 || held(node, &root) == entered);
	tl_node_close(node);
}

static void an_altered_line_is_found(void)
{
	static file f;

	for (size_t line = 2; line <= LINES; line++) {
		char *value;

		make_file(&f);
		value = strstr(f.text + f.starts[line - 1], line % 2 ? "even" : "odd");
		REQUIRE(value != NULL);
		value[0] = 'E';
		fails(&f, line, line - 1, TL_E_BAD_SIGNATURE);
	}
}

static void a_missing_line_is_found(void)
{
	static file f;

	for (size_t line = 2; line < LINES; line++) {
		make_file(&f);
		cut(&f, f.starts[line - 1], f.starts[line]);
		fails(&f, line, line - 1, TL_E_WAITS_FOR_PARENT);
	}
	make_file(&f);
	cut(&f, 0, f.starts[1]);
	fails(&f, 1, 0, TL_E_BAD_ENTRY);
}

static void a_file_that_is_cut_inside_a_line_is_found(void)
{
	static file f;

	for (size_t left = 1; left < 40; left++) {
		make_file(&f);
		f.len = f.starts[LINES - 1] + left;
		fails(&f, LINES, LINES - 1, TL_E_BAD_JSON);
	}
	make_file(&f);
	f.len = f.starts[1] / 2;
	fails(&f, 1, 0, TL_E_BAD_JSON);
}

static void garbage_is_found_wherever_it_stands(void)
{
	static file f;

	make_file(&f);
	insert(&f, f.len, "garbage\n");
	fails(&f, LINES + 1, LINES, TL_E_BAD_JSON);
	make_file(&f);
	insert(&f, f.len, "\n\n{\"a\":1}");
	fails(&f, LINES + 3, LINES, TL_E_NOT_CANONICAL); /* empty lines count */
	make_file(&f);
	insert(&f, f.starts[3], "\xff\xfe\n");
	fails(&f, 4, LINES, TL_E_BAD_JSON); /* lines of the same page entered all the same */
	make_file(&f);
	insert(&f, f.starts[2], " ");
	fails(&f, 3, 2, TL_E_NOT_CANONICAL);
}

static void the_first_bad_line_is_named(void)
{
	static file f;
	char *value;

	make_file(&f);
	insert(&f, f.len, "garbage\n");
	value = strstr(f.text + f.starts[4], "odd");
	REQUIRE(value != NULL);
	value[0] = 'O';
	fails(&f, 6, 5, TL_E_BAD_SIGNATURE);
}

static void an_entry_of_another_database_is_found(void)
{
	static file f, other;

	make_file(&f);
	make_file(&other);
	insert(&f, f.len, "");
	memcpy(f.text + f.len, other.text + other.starts[1], other.starts[2] - other.starts[1]);
	f.len += other.starts[2] - other.starts[1];
	fails(&f, LINES + 1, LINES, TL_E_FOREIGN_ENTRY);
}

static void lines_may_come_in_another_order(void)
{
	static file f, mixed;
	tl_node *node = open_offline(NULL);
	uint64_t entered = 0;
	tl_id root;

	REQUIRE(node != NULL);
	make_file(&f);
	mixed = f;
	mixed.len = f.starts[1];
	for (size_t line = LINES - 1; line > 0; line--) {
		size_t len = f.starts[line + 1] - f.starts[line];

		memcpy(mixed.text + mixed.len, f.text + f.starts[line], len);
		mixed.len += len;
	}
	CHECK_OK(tl_node_import(node, read_file, &mixed, &root, &entered));
	CHECK(entered == LINES && held(node, &root) == LINES);
	tl_node_close(node);
}

static void what_was_kept_is_completed_by_the_whole_file(void)
{
	static file f, bad;
	tl_node *node = open_offline(NULL);
	uint64_t entered = 0;
	tl_id root;

	REQUIRE(node != NULL);
	make_file(&f);
	bad = f;
	cut(&bad, bad.starts[3], bad.starts[4]);
	CHECK_CODE(tl_node_import(node, read_file, &bad, &root, &entered), TL_E_WAITS_FOR_PARENT);
	CHECK(entered == 3);
	CHECK_OK(tl_node_import(node, read_file, &f, &root, &entered));
	CHECK(entered == LINES - 3 && held(node, &root) == LINES);
	tl_node_close(node);
}

/* Copies line `from` behind line `behind`, as they are counted without the empty first one. */
static void copy_line(file *f, size_t from, size_t behind)
{
	static char line[ROOM];
	size_t len = f->starts[from] - f->starts[from - 1];

	memcpy(line, f->text + f->starts[from - 1], len);
	line[len] = '\0';
	insert(f, f->starts[behind], line);
}

static bool said(const char *text)
{
	return strstr(tl_error_message(tl_last_error()), text) != NULL;
}

static void a_count_that_does_not_fit_is_found(void)
{
	static file f;

	make_export(&f); /* the last entry, which nothing builds on */
	cut(&f, f.starts[LINES - 1], f.starts[LINES]);
	fails(&f, LINES + 1, LINES - 1, TL_E_BAD_ENTRY);
	CHECK(said("counts 8 entries, and 7 came before it"));
	make_export(&f); /* an empty line does not stand for it */
	cut(&f, f.starts[LINES - 1], f.starts[LINES] - 1);
	fails(&f, LINES + 2, LINES - 1, TL_E_BAD_ENTRY);
	make_export(&f);
	copy_line(&f, 3, LINES);
	fails(&f, LINES + 3, LINES, TL_E_BAD_ENTRY);
	CHECK(said("counts 8 entries, and 9 came before it"));
	make_export(&f); /* another line instead of it */
	copy_line(&f, 3, LINES);
	cut(&f, f.starts[LINES - 1], f.starts[LINES]);
	fails(&f, LINES + 2, LINES - 1, TL_E_BAD_ENTRY);
	CHECK(said("is not as it was exported"));
}

static void a_line_before_a_count_that_does_not_fit_is_named_first(void)
{
	static file f;

	make_export(&f);
	cut(&f, f.starts[3], f.starts[4]);
	fails(&f, 5, 3, TL_E_WAITS_FOR_PARENT);
}

static void a_damaged_count_is_found(void)
{
	static file whole, f;
	size_t begin, end; /* of what tells it from an entry; without its line end */

	make_export(&whole);
	begin = whole.starts[LINES] + strlen("{\"entries\":");
	end = whole.len - 1;
	for (size_t left = begin; left < end; left++) {
		f = whole;
		f.len = left;
		fails(&f, LINES + 2, LINES, TL_E_BAD_ENTRY);
	}
	for (size_t at = begin; at < end; at++) {
		f = whole;
		f.text[at] ^= 1;
		fails(&f, LINES + 2, LINES, TL_E_BAD_ENTRY);
	}
	f = whole;
	memcpy(f.text + end, "\0more\n", 6);
	f.len = end + 6;
	fails(&f, LINES + 2, LINES, TL_E_BAD_ENTRY);
	f = whole;
	f.text[begin - 4] ^= 1;
	fails(&f, LINES + 2, LINES, TL_E_NOT_CANONICAL);
}

static void imports_whole(file *f)
{
	tl_node *node = open_offline(NULL);
	uint64_t entered = 0;
	tl_id root;

	REQUIRE(node != NULL);
	CHECK_OK(tl_node_import(node, read_file, f, &root, &entered));
	CHECK(entered == LINES && held(node, &root) == LINES);
	tl_node_close(node);
}

static void exports_with_a_count_may_follow_each_other(void)
{
	static file f;
	size_t len;

	make_export(&f);
	len = f.len;
	memcpy(f.text + len, f.text, len);
	f.len += len;
	imports_whole(&f);
	f.at = 0;
	f.len--; /* a line end that is missing */
	imports_whole(&f);
}

static void older_exports_enter_without_a_count(void)
{
	static file f;

	make_file(&f);
	imports_whole(&f);
	make_file(&f);
	insert(&f, f.len, "\n");
	insert(&f, 0, "\n");
	imports_whole(&f);
}

/* A source of empty lines. */
static ptrdiff_t read_gaps(void *ud, void *out, size_t cap)
{
	size_t *left = ud, n = *left < cap ? *left : cap;

	memset(out, '\n', n);
	*left -= n;
	return (ptrdiff_t)n;
}

static void any_number_of_empty_lines_comes_to_an_end(void)
{
	tl_node *node = open_offline(NULL);
	size_t left = 5 << 20;
	uint64_t entered = 1;

	REQUIRE(node != NULL);
	CHECK_CODE(tl_node_import(node, read_gaps, &left, NULL, &entered), TL_E_BAD_ENTRY);
	CHECK(said("no entries to import") && entered == 0 && left == 0);
	tl_node_close(node);
}

int main(void)
{
	RUN(an_altered_line_is_found);
	RUN(a_missing_line_is_found);
	RUN(a_file_that_is_cut_inside_a_line_is_found);
	RUN(garbage_is_found_wherever_it_stands);
	RUN(the_first_bad_line_is_named);
	RUN(an_entry_of_another_database_is_found);
	RUN(lines_may_come_in_another_order);
	RUN(what_was_kept_is_completed_by_the_whole_file);
	RUN(a_count_that_does_not_fit_is_found);
	RUN(a_line_before_a_count_that_does_not_fit_is_named_first);
	RUN(a_damaged_count_is_found);
	RUN(exports_with_a_count_may_follow_each_other);
	RUN(older_exports_enter_without_a_count);
	RUN(any_number_of_empty_lines_comes_to_an_end);
	return spec_end();
}
