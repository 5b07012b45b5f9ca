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

/* --- the file --------------------------------------------------------------------------------- */

static void store_finding(void *ud, tl_str sentence)
{
	tl__verify_tell(ud, NULL, NULL, sentence);
}

static bool go_on(void *ud)
{
	return tl__verify_ask(ud) == TL_OK;
}

/* --- one database ----------------------------------------------------------------------------- */

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
	tl__verify_judge_end(v);
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
		code = tl__verify_ask_now(task);
	if (code == TL_OK)
		code = tl__store_check(task->host->tree->store, store_finding, go_on, task);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = check_database(task, &dbs[i], true, &verdicts);
	if (code == TL_OK && task->total < task->result.entries)
		task->total = task->result.entries; /* more arrived meanwhile */
	return code == TL_OK ? tl__verify_ask_now(task) : code;
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
