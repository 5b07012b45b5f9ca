/* Received entries taken in: parse, hash, verify, permission, state; and a store checked anew. */
#include <stdio.h>
#include "bench.h"

static ptrdiff_t read_file(void *ud, void *out, size_t cap)
{
	return (ptrdiff_t)fread(out, 1, cap, ud);
}

static double ingest_once(const char *dir, const char *lines, size_t n)
{
	tl_node *node = open_store(dir, TL_DURABILITY_FULL);
	FILE *file = fopen(lines, "re");
	uint64_t entered = 0;
	double start = now_s(), end;
	tl_id root;

	need_that(file != NULL, "a file of entries");
	need(tl_node_import(node, read_file, file, &root, &entered), "ingest");
	end = now_s();
	need_that(entered == n + SETUP, "taking in every entry");
	fclose(file);
	tl_node_close(node);
	if (dir)
		scratch_remove(dir);
	return (double)entered / (end - start);
}

static void ingest(const char *name, const char *dir)
{
	size_t n = bench_quick ? 1000 : 10000;
	const char *lines = seed_lines(n);
	bench_line line = line_of(name);
	double per_s[REPEATS], ratio[REPEATS];

	for (size_t i = 0; i < REPEATS; i++) {
		per_s[i] = ingest_once(dir, lines, n);
		ratio[i] = per_s[i] / yardstick("verify2");
	}
	line.n = (int64_t)n;
	line.per_s = median(per_s, REPEATS);
	line.ratio = median(ratio, REPEATS);
	line.of = "verify2";
	line_print(&line);
}

void bench_ingest_memory(void)
{
	ingest("ingest_memory", NULL);
}

void bench_ingest_sqlite(void)
{
	char dir[SCRATCH_PATH];

	work_path(dir, "ingest");
	ingest("ingest_sqlite", dir);
}

/* Of a database that another process wrote, everything: the file, its entries, their state. */
static double verify_once(const char *dir, const tl_id *id, size_t n)
{
	tl_node *node = open_store(dir, TL_DURABILITY_FULL);
	tl_database *db = open_db(node, id, NULL);
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	double start = now_s(), end;

	need(tl_database_verify(db, NULL, &result), "verifying");
	end = now_s();
	need_that(result.findings == 0, "verifying without a finding");
	tl_database_free(db);
	tl_node_close(node);
	return (double)(n + SETUP) / (end - start);
}

void bench_verify_store(void)
{
	size_t n = bench_quick ? 1000 : 10000;
	const char *lines = seed_lines(n);
	bench_line line = line_of("verify_store");
	double per_s[REPEATS], ratio[REPEATS];
	char dir[SCRATCH_PATH];
	tl_id id;

	for (size_t i = 0; i < REPEATS; i++) {
		double ingested;

		work_path(dir, "ingest");
		ingested = ingest_once(dir, lines, n);
		work_path(dir, "verify");
		copy_dir(seed_dir(n, &id), dir);
		per_s[i] = verify_once(dir, &id, n);
		ratio[i] = per_s[i] / ingested;
		scratch_remove(dir);
	}
	line.n = (int64_t)n;
	line.per_s = median(per_s, REPEATS);
	line.ratio = median(ratio, REPEATS);
	line.of = "ingest_sqlite";
	line_print(&line);
}
