/* Rechecking databases: the task as a whole, and its caller. */
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <tidelock/log.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"
#include "base/str.h"
#include "tree/verify/verify.h"

#define ASK_EVERY_MS 100

/* --- the caller ------------------------------------------------------------------------------- */

static int ask_now(tl__verify_task *task)
{
	const tl_verify_options *options = &task->options;

	if (!options->progress || options->progress(options->ud, task->result.entries, task->total))
		return TL_OK;
	return tl__fail(TL_E_CANCELLED, "the check was stopped after %llu of %llu entries",
		(unsigned long long)task->result.entries, (unsigned long long)task->total);
}

int tl__verify_ask(tl__verify_task *task)
{
	const tl__clock *clock = task->host->tree->clock;
	uint64_t now = clock->monotonic_ms(clock->ud);

	int code = TL_OK;

	if (now < task->asked_at + ASK_EVERY_MS)
		return TL_OK;
	task->asked_at = now;
	if (task->host->check)
		code = task->host->check(task->host->ud);
	return code == TL_OK ? ask_now(task) : code;
}

/* A sentence may hold names that others chose. */
static void report(tl__verify_task *task, const tl_id *db, const tl_id *entry, tl_str sentence)
{
	char text[512];

	tl_text_escape(sentence, text, sizeof text);
	task->result.findings++;
	if (task->options.finding)
		task->options.finding(task->options.ud, db, entry, tl__str_z(text));
}

void tl__verify_report(tl__verify *v, const tl_id *entry, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	report(v->task, &v->db, entry, tl__str_z(text));
}

/* --- the file --------------------------------------------------------------------------------- */

static void store_finding(void *ud, tl_str sentence)
{
	report(ud, NULL, NULL, sentence);
}

static bool go_on(void *ud)
{
	return tl__verify_ask(ud) == TL_OK;
}

/* --- one database ----------------------------------------------------------------------------- */

/* The judge is asked about entries of the snapshot's DAG alone. */
static tl__place nowhere(void *ud, const tl_id *id, tl_entry **entry)
{
	(void)ud;
	(void)id;
	*entry = NULL;
	return TL__PLACE_STORED;
}

static void end_judge(tl__verify *v)
{
	if (!v->judge.plan)
		return;
	tl__judge_free(&v->judge);
	tl__plan_free(v->judge.plan);
	v->judge.plan = NULL;
}

int tl__verify_judge_anew(tl__verify *v)
{
	tl__plan *plan;
	int code;

	end_judge(v);
	code = tl__plan_new(&plan, v->tree, v->snapshot, &v->db);
	if (code != TL_OK)
		return code;
	v->judge = (tl__judge){.tree = v->tree,
		.snapshot = v->snapshot,
		.db = v->db,
		.plan = plan,
		.place = nowhere};
	tl__judge_init(&v->judge);
	return TL_OK;
}

static int count_asides(tl__verify *v)
{
	tl_verify_result *result = &v->task->result;
	uint64_t pending, quarantined;
	int code = tl__aside_count(v->snapshot, &v->db, TL__PENDING, &pending);

	if (code == TL_OK)
		code = tl__aside_count(v->snapshot, &v->db, TL__INVALID, &quarantined);
	if (code != TL_OK)
		return code;
	result->pending += pending;
	result->quarantined += quarantined;
	return TL_OK;
}

static void begin(tl__verify *v)
{
	tl__map_init(&v->stores);
	tl__map_init(&v->known);
	tl__map_init(&v->members);
}

static void end(tl__verify *v)
{
	end_judge(v);
	tl__snapshot_close(v->snapshot);
	tl__verify_forget(v);
	tl__map_free(&v->stores);
	tl__number_set_free(&v->open);
	tl__arena_free(&v->raises.arena);
	tl__arena_free(&v->arena);
}

/* Over a snapshot of its own. */
static int check_database(tl__verify_task *task, const tl_id *db, bool derived, uint64_t *verdicts)
{
	tl__verify v = {.task = task, .tree = task->host->tree, .db = *db, .derived = derived};
	int code = tl__snapshot_open(task->host->tree->store, &v.snapshot);

	begin(&v);
	if (code == TL_OK)
		code = tl__verify_entries(&v);
	if (code == TL_OK && derived)
		code = tl__verify_derived(&v);
	if (code == TL_OK)
		code = count_asides(&v);
	*verdicts = v.verdicts;
	end(&v);
	return code;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int count_entries(tl__verify_task *task, const tl_id *dbs, size_t count)
{
	tl__snapshot *s;
	int code = tl__snapshot_open(task->host->tree->store, &s);

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl__db_row row;

		code = tl__read_database(s, &dbs[i], &row);
		if (code == TL_OK)
			task->total += row.arrivals;
	}
	tl__snapshot_close(s);
	return code;
}

static int run(tl__verify_task *task, const tl_id *dbs, size_t count)
{
	uint64_t verdicts;
	int code = count_entries(task, dbs, count);

	if (code == TL_OK)
		code = ask_now(task);
	if (code == TL_OK)
		code = tl__store_check(task->host->tree->store, store_finding, go_on, task);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = check_database(task, &dbs[i], true, &verdicts);
	if (code == TL_OK && task->total < task->result.entries)
		task->total = task->result.entries; /* more arrived meanwhile */
	return code == TL_OK ? ask_now(task) : code;
}

static int take_options(tl__verify_task *task, const tl_verify_options *options)
{
	return options ? tl__sized_read(&task->options, options, tl_verify_options, ud) : TL_OK;
}

int tl__verify_databases(tl__host *host, const tl_id *dbs, size_t count,
	const tl_verify_options *options, tl_verify_result *result)
{
	tl__verify_task task = {.host = host};
	int code = take_options(&task, options);

	if (code == TL_OK && result)
		code = tl__sized_check(result, tl_verify_result, quarantined);
	if (code != TL_OK)
		return code;
	code = run(&task, dbs, count);
	if (result)
		tl__sized_fill(result, &task.result, tl_verify_result);
	return code;
}

TL__PUBLIC(tl_database_verify, db,
	(tl_database *db, const tl_verify_options *options, tl_verify_result *result),
	(db, options, result))
{
	int code = tl__database_check(db);

	if (code != TL_OK)
		return code;
	tl_database_retain(db); /* progress may free the caller's handle */
	code = tl__verify_databases(db->host, &db->id, 1, options, result);
	tl_database_free(db);
	return code;
}

int tl__verify_verdicts(tl__host *host, const tl_id *db, uint64_t *differing)
{
	tl__verify_task task = {.host = host};

	return check_database(&task, db, false, differing);
}
