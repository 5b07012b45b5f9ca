/* What other threads give the engine to do: its inbox and its worker. */
#include <sched.h>
#include <stdatomic.h>
#include "base/mem.h"
#include "check.h"
#include "engine/parts/commits.h"
#include "engine/run/loop.h"
#include "engine/run/worker.h"

typedef struct counted {
	tl__job job;
	int *done, *worked;
	int order;
	tl_loop *loop;
} counted;

static void work(tl__job *job)
{
	counted *c = (counted *)job;

	if (*c->worked == c->order)
		++*c->worked;
}

static void told(tl__task *task)
{
	counted *c = (counted *)task;

	if (*c->done == c->order)
		++*c->done;
	if (c->loop)
		tl__loop_stop(c->loop);
}

enum { JOBS = 100 };

static void jobs_are_done_and_told_in_order(void)
{
	tl_loop *loop = NULL;
	tl__inbox *inbox = NULL;
	tl__worker *worker = NULL;
	counted jobs[JOBS];
	int done = 0, worked = 0;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	REQUIRE(tl__worker_new(&worker, inbox) == TL_OK);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (counted){{.task.call = told, .work = work}, &done, &worked, i,
			i == JOBS - 1 ? loop : NULL};
		tl__worker_do(worker, &jobs[i].job);
	}
	tl__loop_run(loop);
	CHECK(worked == JOBS);
	CHECK(done == JOBS);
	tl__worker_free(worker);
	tl__inbox_close(inbox);
	CHECK(!tl__inbox_put(inbox, &jobs[0].job.task));
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

/* A job in slices: what it and another one did, in order. */
typedef struct sliced {
	tl__job job;
	const char *name;
	int slices; /* left; negative: without end */
	char *log;
	atomic_int *begun;
	tl_loop *loop;
} sliced;

static void work_slice(tl__job *job)
{
	sliced *one = (sliced *)job;

	size_t len = strlen(one->log);

	if (len < 32)
		snprintf(one->log + len, 2, "%s", one->name);
	if (one->slices > 0)
		one->slices--;
	job->again = one->slices != 0;
	atomic_fetch_add(one->begun, 1);
}

static void end_slices(tl__task *task)
{
	sliced *one = (sliced *)task;

	if (one->loop)
		tl__loop_stop(one->loop);
}

static void a_job_in_slices_lets_others_have_their_turn(void)
{
	tl_loop *loop = NULL;
	tl__inbox *inbox = NULL;
	tl__worker *worker = NULL;
	char log[64] = "";
	atomic_int begun = 0;
	sliced hold = {{.task.call = end_slices, .work = work_slice}, "", 1, log, &begun, NULL};
	sliced jobs[3];

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	REQUIRE(tl__worker_new(&worker, inbox) == TL_OK);
	for (int i = 0; i < 3; i++)
		jobs[i] = (sliced){{.task.call = end_slices, .work = work_slice},
			(const char *[]){"a", "b", "c"}[i], i == 0 ? 4 : 1, log, &begun,
			i == 0 ? loop : NULL};
	tl__worker_do(worker, &hold.job);
	for (int i = 0; i < 3; i++)
		tl__worker_do(worker, &jobs[i].job);
	tl__loop_run(loop);
	CHECK(strlen(log) == 6);
	CHECK(log[strlen(log) - 1] == 'a' && strchr(log, 'b') < strrchr(log, 'a') &&
		strchr(log, 'c') < strrchr(log, 'a'));
	CHECK(!jobs[0].job.again);
	tl__worker_free(worker);
	tl__inbox_close(inbox);
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

/* One without end is told all the same when the worker is to end. */
static void a_hurried_worker_waits_for_no_further_slice(void)
{
	tl_loop *loop = NULL;
	tl__inbox *inbox = NULL;
	tl__worker *worker = NULL;
	char log[64] = "";
	atomic_int begun = 0;
	sliced job = {{.task.call = end_slices, .work = work_slice}, "a", -1, log, &begun, NULL};

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	REQUIRE(tl__worker_new(&worker, inbox) == TL_OK);
	job.loop = loop;
	tl__worker_do(worker, &job.job);
	while (atomic_load(&begun) < 3)
		sched_yield();
	tl__worker_hurry(worker);
	tl__loop_run(loop);
	CHECK(job.job.again);
	tl__worker_free(worker);
	tl__inbox_close(inbox);
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

static void the_worker_ends_after_its_queue_and_the_inbox_tells_the_rest(void)
{
	tl_loop *loop = NULL;
	tl__inbox *inbox = NULL;
	tl__worker *worker = NULL;
	counted jobs[JOBS];
	int done = 0, worked = 0;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	REQUIRE(tl__worker_new(&worker, inbox) == TL_OK);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (counted){{.task.call = told, .work = work}, &done, &worked, i, NULL};
		tl__worker_do(worker, &jobs[i].job);
	}
	tl__worker_free(worker);
	CHECK(worked == JOBS);
	CHECK(done == 0);
	tl__inbox_close(inbox);
	CHECK(done == JOBS);
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

static unsigned commit_calls;

static void count_commits(tl__task *task)
{
	(void)task;
	commit_calls++;
}

/* Between the last turn of the loop and the end somebody commits. */
static void a_commit_told_at_the_very_end_harms_nobody(void)
{
	const tl__commit commit = {.arrival = 1};
	tl__commits commits;
	tl__inbox *inbox = NULL;
	tl__commit *at = NULL;
	tl_loop *loop = NULL;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	tl__commits_init(&commits);
	tl__commits_attach(&commits, inbox, count_commits);
	CHECK(tl__commits_note(&commits, &commit));
	tl__commits_attach(&commits, NULL, NULL);
	CHECK(tl__commits_note(&commits, &commit));
	tl__inbox_close(inbox);
	CHECK(commit_calls == 1);
	CHECK(tl__commits_take(&commits, &at) == 0);
	tl__free(at);
	tl__commits_free(&commits);
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

static tl__commit commit_of(uint8_t number, uint64_t arrival)
{
	const tl_id db = {{number}};
	tl__fresh *fresh = tl__alloc_zero(1, sizeof *fresh);

	CHECK(fresh != NULL);
	return (tl__commit){.db = db, .arrival = arrival, .fresh = fresh};
}

/* What is to be read anyway is not kept at hand. */
static void only_a_single_commit_brings_its_entry(void)
{
	tl__commits commits;
	tl__inbox *inbox = NULL;
	tl__commit *at = NULL, commit;
	tl_loop *loop = NULL;
	size_t count, fresh = 0;

	REQUIRE(tl__loop_new(&loop) == TL_OK);
	REQUIRE(tl__inbox_new(&inbox, loop) == TL_OK);
	tl__commits_init(&commits);
	commit = commit_of(1, 1);
	CHECK(tl__commits_note(&commits, &commit)); /* nobody listens yet */
	tl__commits_attach(&commits, inbox, count_commits);
	for (uint8_t i = 0; i <= TL__COMMITS_MAX_FRESH; i++) {
		commit = commit_of(i, 1);
		CHECK(tl__commits_note(&commits, &commit));
	}
	commit = commit_of(0, 2);
	CHECK(tl__commits_note(&commits, &commit));
	count = tl__commits_take(&commits, &at);
	CHECK(count == TL__COMMITS_MAX_FRESH + 1);
	CHECK(at[0].arrival == 2 && !at[0].fresh && at[1].fresh);
	for (size_t i = 0; i < count; i++)
		fresh += at[i].fresh != NULL;
	CHECK(fresh == TL__COMMITS_MAX_FRESH - 1);
	tl__commits_drop(at, count);
	tl__commits_attach(&commits, NULL, NULL);
	tl__inbox_close(inbox);
	tl__commits_free(&commits);
	tl__inbox_free(inbox);
	tl__loop_free(loop);
}

int main(void)
{
	RUN(jobs_are_done_and_told_in_order);
	RUN(a_job_in_slices_lets_others_have_their_turn);
	RUN(a_hurried_worker_waits_for_no_further_slice);
	RUN(the_worker_ends_after_its_queue_and_the_inbox_tells_the_rest);
	RUN(a_commit_told_at_the_very_end_harms_nobody);
	RUN(only_a_single_commit_brings_its_entry);
	return spec_end();
}
