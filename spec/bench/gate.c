/* Commits through a hook file, beside the same commits without one. Batches take turns, so that a
 * busy moment of the machine hits all of them alike. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <tidelock/script.h>
#include "bench.h"

#define ROUNDS  60
#define COMMITS 40 /* a batch */
#define AT      1000

typedef struct subject {
	const char *part, *text; /* of the hook file; NULL: there is none */
	char dir[SCRATCH_PATH];
	tl_node *node;
	tl_database *db;
	uint64_t next;
	double ratios[ROUNDS], seconds[ROUNDS];
} subject;

static void quiet(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

/* Not beside the store: a folder with scripts is watched. */
static void load(subject *s)
{
	tl_script_options options = TL_SCRIPT_OPTIONS_INIT;
	char folder[SCRATCH_PATH], path[SCRATCH_PATH + 16], name[64];
	tl_script *script = NULL;
	FILE *file;

	snprintf(name, sizeof name, "gates-%s", s->part);
	work_path(folder, name);
	need_that(mkdir(folder, 0700) == 0, "a folder");
	snprintf(path, sizeof path, "%s/hook.lua", folder);
	file = fopen(path, "w");
	need_that(file && fputs(s->text, file) >= 0 && fclose(file) == 0, "a hook file");
	options.log = quiet;
	need(tl_script_load(s->node, TL_SCRIPT_HOOK, path, &options, &script), "a hook");
	tl_script_free(script);
}

static void subject_open(subject *s)
{
	tl_id id;
	const char *from = seed_dir(AT, &id);
	char name[64];

	snprintf(name, sizeof name, "gate-%s", s->part);
	work_path(s->dir, name);
	copy_dir(from, s->dir);
	s->next = AT;
	s->node = open_store(s->dir, TL_DURABILITY_RELAXED);
	s->db = open_db(s->node, &id, KEY_NAME);
	if (s->text)
		load(s);
}

static double batch(subject *s)
{
	double from = now_s();

	for (size_t i = 0; i < COMMITS; i++)
		commit_one(s->db, s->next++);
	return (now_s() - from) / COMMITS;
}

static void subject_close(subject *s)
{
	tl_database_free(s->db);
	tl_node_close(s->node);
	scratch_remove(s->dir);
}

static void print(subject *s, size_t rounds)
{
	bench_line line = line_of("gate");

	line.part = s->part;
	line.at = AT;
	line.per_s = 1 / median(s->seconds, rounds);
	line.ratio = median(s->ratios, rounds);
	line.of = "no_gate";
	line_print(&line);
}

void bench_gate(void)
{
	subject subjects[] = {
		{.part = "none"},
		{.part = "size",
			.text = "return { before_commit = function(ctx)\n"
				"if ctx.size > 65536 or #ctx.stores > 3 then return nil, 'large' "
				"end\n"
				"end }\n"},
		{.part = "changes",
			.text = "return { before_commit = function(ctx)\n"
				"for _, change in ipairs(ctx.changes) do\n"
				"if change.store ~= 'data' or #change.path ~= 1 or change.value == "
				"'x' "
				"then return nil, 'odd' end\n"
				"end\nend }\n"},
	};
	const size_t count = sizeof subjects / sizeof *subjects, rounds = bench_quick ? 3 : ROUNDS;

	for (size_t i = 0; i < count; i++) {
		subject_open(&subjects[i]);
		(void)batch(&subjects[i]);
	}
	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < count; i++)
			subjects[i].seconds[round] = batch(&subjects[i]);
		for (size_t i = 0; i < count; i++)
			subjects[i].ratios[round] =
				subjects[0].seconds[round] / subjects[i].seconds[round];
	}
	for (size_t i = 1; i < count; i++)
		print(&subjects[i], rounds);
	for (size_t i = 0; i < count; i++)
		subject_close(&subjects[i]);
}
