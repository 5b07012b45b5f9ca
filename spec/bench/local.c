/* Commits and reads of one node. Sizes take turns, so that a busy moment of the machine hits all of
 * them alike. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench.h"

#define ROUNDS  5
#define COMMITS 200 /* a round */
#define READS   4000
#define SIZES   4

#define FULL_COMMITS 200 /* a round, of all writers together */
#define FULL_WRITERS 8   /* at the most */
#define FULL_AT      1000

typedef struct subject {
	size_t n;
	char dir[SCRATCH_PATH];
	tl_node *node;
	tl_database *db;
	tl_doc_store *store;
	uint64_t next; /* number of the next key to write */
	double rounds[ROUNDS], ratios[ROUNDS];
	double *times; /* of every single call, in seconds */
	size_t count;
} subject;

static void subject_open(subject *s, size_t n, size_t calls)
{
	tl_id id;
	char name[64];
	const char *from = seed_dir(n, &id);

	snprintf(name, sizeof name, "local-%zu", n);
	work_path(s->dir, name);
	copy_dir(from, s->dir);
	s->n = s->next = n;
	s->node = open_store(s->dir, TL_DURABILITY_RELAXED);
	s->db = open_db(s->node, &id, KEY_NAME);
	need(tl_database_doc_store(s->db, (tl_str){STORE, strlen(STORE)}, &s->store), "a store");
	s->times = calloc(calls * ROUNDS, sizeof *s->times);
	need_that(s->times != NULL, "memory");
}

static void subject_close(subject *s)
{
	free(s->times);
	tl_doc_store_free(s->store);
	tl_database_free(s->db);
	tl_node_close(s->node);
	scratch_remove(s->dir);
}

static void commit_call(subject *s)
{
	commit_one(s->db, s->next++);
}

static void get_call(subject *s)
{
	char name[32], *out = NULL;
	size_t len = 0;
	uint32_t key;

	tl_random_bytes(&key, sizeof key);
	snprintf(name, sizeof name, "key%07u", key % (uint32_t)s->n);
	need(tl_doc_store_get_string(s->store, (tl_str){name, strlen(name)}, &out, &len), "a read");
	need_that(len == 100, "the value written");
	tl_free(out);
}

static void warm_up(subject *s, void (*call)(subject *s), size_t calls)
{
	for (size_t i = 0; i < calls / 10; i++)
		call(s);
}

/* One round: seconds a call. */
static void round_of(subject *s, size_t round, void (*call)(subject *s), size_t calls)
{
	double begin = now_s(), start = begin;

	for (size_t i = 0; i < calls; i++) {
		double end;

		call(s);
		end = now_s();
		s->times[s->count++] = end - start;
		start = end;
	}
	s->rounds[round] = (start - begin) / (double)calls;
}

static void measure(
	subject *subjects, size_t count, void (*call)(subject *s), size_t calls, const char *of)
{
	for (size_t i = 0; i < count; i++)
		warm_up(&subjects[i], call, calls);
	for (size_t round = 0; round < ROUNDS; round++) {
		double stick = 1 / yardstick(of);

		for (size_t i = 0; i < count; i++) {
			round_of(&subjects[i], round, call, calls);
			subjects[i].ratios[round] = subjects[i].rounds[round] / stick;
		}
	}
}

/* A commit's ratio is one of speeds, a read's one of times: as the bars are. */
void bench_commit(void)
{
	static const size_t sizes[SIZES] = {0, 1000, 10000, 100000};
	size_t count = bench_quick ? 2 : SIZES;
	subject subjects[SIZES] = {0};

	for (size_t i = 0; i < count; i++)
		subject_open(&subjects[i], sizes[i], COMMITS);
	measure(subjects, count, commit_call, COMMITS, "sign");
	for (size_t i = 0; i < count; i++) {
		bench_line line = line_of("commit");

		line.at = (int64_t)sizes[i];
		line.per_s = 1 / median(subjects[i].rounds, ROUNDS);
		line_times(&line, subjects[i].times, subjects[i].count);
		line.ratio = 1 / median(subjects[i].ratios, ROUNDS);
		line.of = "sign";
		line_print(&line);
		subject_close(&subjects[i]);
	}
}

/* --- with full durability, by several threads -------------------------------------------------- */

typedef struct writer {
	tl_database *db; /* a handle of its own */
	uint64_t next;
	size_t count;
	pthread_t thread;
} writer;

static void *write_all(void *ud)
{
	writer *w = ud;

	for (size_t i = 0; i < w->count; i++)
		commit_one(w->db, w->next++);
	return NULL;
}

/* Commits a second of all of them together. */
static double full_round(writer *writers, size_t count)
{
	double start = now_s();

	for (size_t i = 0; i < count; i++) {
		writers[i].count = FULL_COMMITS / count;
		need_that(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]) == 0,
			"a writer");
	}
	for (size_t i = 0; i < count; i++)
		pthread_join(writers[i].thread, NULL);
	return FULL_COMMITS / (now_s() - start);
}

static void full_line(writer *writers, size_t count)
{
	double per_s[ROUNDS], ratios[ROUNDS];
	bench_line line = line_of("commit_full");

	for (size_t round = 0; round < ROUNDS; round++) {
		double stick = yardstick("fdatasync");

		per_s[round] = full_round(writers, count);
		ratios[round] = per_s[round] / stick;
	}
	line.writers = (int64_t)count;
	line.per_s = median(per_s, ROUNDS);
	line.ratio = median(ratios, ROUNDS);
	line.of = "fdatasync";
	line_print(&line);
}

void bench_commit_full(void)
{
	writer writers[FULL_WRITERS] = {0};
	char dir[SCRATCH_PATH];
	tl_node *node;
	tl_id id;
	const char *from = seed_dir(FULL_AT, &id);

	work_path(dir, "full");
	copy_dir(from, dir);
	node = open_store(dir, TL_DURABILITY_FULL);
	for (size_t i = 0; i < FULL_WRITERS; i++) {
		writers[i].db = open_db(node, &id, KEY_NAME);
		writers[i].next = FULL_AT + UINT64_C(100000) * i;
	}
	full_line(writers, 1);
	full_line(writers, FULL_WRITERS);
	for (size_t i = 0; i < FULL_WRITERS; i++)
		tl_database_free(writers[i].db);
	tl_node_close(node);
	scratch_remove(dir);
}

void bench_get(void)
{
	const size_t sizes[2] = {1000, bench_quick ? 2000 : 100000};
	subject subjects[2] = {0};

	for (size_t i = 0; i < 2; i++)
		subject_open(&subjects[i], sizes[i], READS);
	measure(subjects, 2, get_call, READS, "point_read");
	for (size_t i = 0; i < 2; i++) {
		bench_line line = line_of("get");

		line.keys = (int64_t)sizes[i];
		line.per_s = 1 / median(subjects[i].rounds, ROUNDS);
		line_times(&line, subjects[i].times, subjects[i].count);
		line.ratio = median(subjects[i].ratios, ROUNDS);
		line.of = "point_read";
		line_print(&line);
		subject_close(&subjects[i]);
	}
}
