/* Rows of a Table: written, read back one by one and as a walk, and how soon the first of many
 * comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

#define ROWS     10000
#define MANY     100000
#define A_COMMIT 1000 /* rows of one transaction */
#define ROUNDS   3
#define FIRSTS   500

typedef struct rows {
	char dir[SCRATCH_PATH];
	tl_node *node;
	tl_database *db;
	tl_table *table;
} rows;

static tl_str text(const char *zero_terminated)
{
	return (tl_str){zero_terminated, strlen(zero_terminated)};
}

static void rows_open(rows *r, const char *name)
{
	tl_value *settings = tl_value_doc();
	char key[TL_KEY_TEXT_LEN + 1];

	work_path(r->dir, name);
	r->node = open_store(r->dir, TL_DURABILITY_RELAXED);
	need_that(settings != NULL, "memory");
	need(tl_node_add_private_key(r->node, KEY_NAME, NULL, key), "a key");
	need(tl_node_new_database(r->node, settings, KEY_NAME, &r->db), "a database");
	need(tl_database_table(r->db, text("rows"), &r->table), "a table");
	tl_value_free(settings);
}

static void rows_close(rows *r)
{
	tl_table_free(r->table);
	tl_database_free(r->db);
	tl_node_close(r->node);
	scratch_remove(r->dir);
}

static void row_key(char out[32], size_t number)
{
	snprintf(out, 32, "row%07zu", number);
}

static void write_rows(rows *r, size_t from, size_t to)
{
	char key[32], row[160];
	tl_transaction *tx = NULL;
	tl_table *table = NULL;

	need(tl_transaction_new(r->db, &tx), "a transaction");
	need(tl_transaction_table(tx, text("rows"), &table), "a table");
	for (size_t i = from; i < to; i++) {
		row_key(key, i);
		snprintf(row, sizeof row,
			"{\"active\":true,\"id\":%zu,\"name\":\"Number "
			"%zu\",\"score\":%zu.5,\"tags\":["
			"\"a\",\"b\"],\"text\":\"%032zu\"}",
			i, i, i % 100, i);
		need(tl_table_set(table, text(key), text(row)), "a row");
	}
	need(tl_transaction_commit(tx, NULL), "a commit");
	tl_table_free(table);
	tl_transaction_free(tx);
}

static void write_all(rows *r, size_t count)
{
	for (size_t from = 0; from < count; from += A_COMMIT)
		write_rows(r, from, from + A_COMMIT);
}

static void read_all(rows *r, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char key[32], *row = NULL;
		size_t len = 0;

		row_key(key, i);
		need(tl_table_get(r->table, text(key), &row, &len), "a row");
		tl_free(row);
	}
}

static void walk_all(rows *r, size_t count)
{
	const tl_value *row = NULL;
	tl_walk *walk = NULL;
	tl_str key;
	size_t seen = 0;

	need(tl_table_walk(r->table, NULL, &walk), "a walk");
	for (;; seen++) {
		need(tl_walk_next(walk, &key, &row), "a row");
		if (!row)
			break;
	}
	need_that(seen == count, "every row once");
	tl_walk_free(walk);
}

static double timed(void (*work)(rows *r, size_t count), rows *r)
{
	double begin = now_s();

	work(r, ROWS);
	return (now_s() - begin) / ROWS;
}

/* The ratio is one of times: 2 is twice as long as the yardstick. */
static void print_part(const char *part, double *seconds, double *sticks)
{
	bench_line line = line_of("rows");
	double ratios[ROUNDS];

	for (size_t i = 0; i < ROUNDS; i++)
		ratios[i] = seconds[i] / sticks[i];
	line.part = part;
	line.n = ROWS;
	line.per_s = 1 / median(seconds, ROUNDS);
	line.ratio = median(ratios, ROUNDS);
	line.of = "point_read";
	line_print(&line);
}

static void bench_parts(void)
{
	static const struct {
		const char *name;
		void (*work)(rows *r, size_t count);
	} parts[] = {{"write", write_all}, {"read", read_all}, {"walk", walk_all}};
	double seconds[3][ROUNDS], sticks[ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		char name[32];
		rows r;

		snprintf(name, sizeof name, "rows-%zu", round);
		rows_open(&r, name);
		sticks[round] = 1 / yardstick("point_read");
		for (size_t i = 0; i < 3; i++)
			seconds[i][round] = timed(parts[i].work, &r);
		rows_close(&r);
	}
	for (size_t i = 0; i < 3; i++)
		print_part(parts[i].name, seconds[i], sticks);
}

static void first_row(rows *r)
{
	const tl_value *row = NULL;
	tl_walk *walk = NULL;
	tl_str key;

	need(tl_table_walk(r->table, NULL, &walk), "a walk");
	need(tl_walk_next(walk, &key, &row), "a row");
	need_that(row != NULL, "a first row");
	tl_walk_free(walk);
}

static void bench_first(void)
{
	size_t many = bench_quick ? ROWS : MANY;
	double *times = calloc(FIRSTS, sizeof *times), sum = 0, stick;
	bench_line line = line_of("rows");
	rows r;

	need_that(times != NULL, "memory");
	rows_open(&r, "rows-many");
	write_all(&r, many);
	stick = 1 / yardstick("point_read");
	for (size_t i = 0; i < FIRSTS; i++) {
		double begin = now_s();

		first_row(&r);
		times[i] = now_s() - begin;
		sum += times[i];
	}
	line.part = "first";
	line.keys = (int64_t)many;
	line.per_s = FIRSTS / sum;
	line_times(&line, times, FIRSTS);
	line.ratio = line.median_ms / 1e3 / stick;
	line.of = "point_read";
	line_print(&line);
	rows_close(&r);
	free(times);
}

void bench_rows(void)
{
	bench_parts();
	bench_first();
}
