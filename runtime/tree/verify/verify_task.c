/* What the parts of a check share: its caller, who is told and asked, and the judge. */
#include <stdarg.h>
#include <stdio.h>
#include <tidelock/log.h>
#include "base/fail.h"
#include "base/str.h"
#include "tree/verify/verify.h"

#define ASK_EVERY_MS 100

/* --- the caller ------------------------------------------------------------------------------- */

int tl__verify_ask_now(tl__verify_task *task)
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
	return code == TL_OK ? tl__verify_ask_now(task) : code;
}

/* A sentence may hold names that others chose. */
void tl__verify_tell(tl__verify_task *task, const tl_id *db, const tl_id *entry, tl_str sentence)
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
	tl__verify_tell(v->task, &v->db, entry, tl__str_z(text));
}

/* --- the judge -------------------------------------------------------------------------------- */

/* The judge is asked about entries of the snapshot's DAG alone. */
static tl__place nowhere(void *ud, const tl_id *id, tl_entry **entry)
{
	(void)ud;
	(void)id;
	*entry = NULL;
	return TL__PLACE_STORED;
}

void tl__verify_judge_end(tl__verify *v)
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

	tl__verify_judge_end(v);
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
