/* Importing files that were damaged, altered or cut: what is verified stays, the rest is told. */
#include <stdio.h>
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
	return spec_end();
}
