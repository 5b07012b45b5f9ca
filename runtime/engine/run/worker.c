#include "engine/run/worker.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/system/thread.h"
#include "engine/parts/inside.h"

struct tl__worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	tl__turns turns; /* jobs that wait; under the lock, as are the next two */
	bool ending, hurried;
	tl__inbox *inbox;
};

static tl__job *job_of(tl__turn *turn)
{
	return turn ? (tl__job *)((char *)turn - offsetof(tl__job, turn)) : NULL;
}

static void prepare(tl__job *job)
{
	if (!job || !job->prepare || job->prepared)
		return;
	job->prepared = true;
	job->prepare(job);
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Under the lock. At the end nobody rests. */
static tl__turn *take(tl__worker *worker, tl__turn **next, uint64_t *rest_until)
{
	bool ends = worker->ending || worker->hurried;

	*rest_until = tl__turns_rest(&worker->turns, ends ? UINT64_MAX : now_us());
	return tl__turns_take(&worker->turns, next);
}

static void wait_until(tl__worker *worker, uint64_t us)
{
	const struct timespec at = {
		.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

	if (us > 0)
		(void)pthread_cond_timedwait(&worker->work, &worker->lock, &at);
	else
		pthread_cond_wait(&worker->work, &worker->lock);
}

static tl__job *next_job(tl__worker *worker)
{
	tl__turn *turn, *next;
	uint64_t rest_until;

	pthread_mutex_lock(&worker->lock);
	while (!(turn = take(worker, &next, &rest_until)) && !worker->ending)
		wait_until(worker, rest_until);
	pthread_mutex_unlock(&worker->lock);
	/* Only this thread takes jobs: it is still there. */
	prepare(job_of(next));
	return job_of(turn);
}

static bool put(tl__worker *worker, tl__job *job)
{
	bool taken;

	pthread_mutex_lock(&worker->lock);
	taken = !job->again || !worker->hurried;
	if (taken) {
		if (job->again && job->keeps_place)
			tl__turns_put_first(&worker->turns, &job->turn);
		else
			tl__turns_put(&worker->turns, &job->turn);
		pthread_cond_signal(&worker->work);
	}
	pthread_mutex_unlock(&worker->lock);
	return taken;
}

static void run_job(tl__worker *worker, tl__job *job)
{
	const tl__party party = job->turn.party;
	uint64_t began = now_us(), ended;

	job->again = false;
	job->work(job);
	ended = now_us();
	pthread_mutex_lock(&worker->lock);
	tl__turns_ran(&worker->turns, &party, ended, ended - began);
	pthread_mutex_unlock(&worker->lock);
}

static void *run(void *ud)
{
	tl__worker *worker = ud;
	tl__job *job;

	tl__inside_set(true);
	while ((job = next_job(worker)) != NULL) {
		run_job(worker, job);
		if (job->again && put(worker, job))
			continue;
		/* The inbox is closed only after this thread has ended. */
		(void)tl__inbox_put(worker->inbox, &job->task);
	}
	return NULL;
}

int tl__worker_new(tl__worker **out, tl__inbox *inbox)
{
	tl__worker *worker = tl__alloc_zero(1, sizeof *worker);
	pthread_condattr_t attr;
	int rc;

	*out = NULL;
	if (!worker)
		return TL_E_NOMEM;
	worker->inbox = inbox;
	tl__turns_init(&worker->turns);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->work, &attr);
	pthread_condattr_destroy(&attr);
	rc = tl__thread_start(&worker->thread, "tl-store", run, worker);
	if (rc != 0) {
		pthread_cond_destroy(&worker->work);
		pthread_mutex_destroy(&worker->lock);
		tl__free(worker);
		return tl__fail(TL_E_IO, "cannot start the store worker: %s", strerror(rc));
	}
	*out = worker;
	return TL_OK;
}

void tl__worker_do(tl__worker *worker, tl__job *job)
{
	bool next;

	job->again = job->prepared = false;
	/* Jobs that were begun return to their lines without us: this one is prepared once. */
	pthread_mutex_lock(&worker->lock);
	next = !tl__turns_waits(&worker->turns, &job->turn.party);
	pthread_mutex_unlock(&worker->lock);
	if (next)
		prepare(job);
	(void)put(worker, job); /* a new one always */
}

bool tl__worker_others_wait(tl__worker *worker, const tl__job *job)
{
	bool wait;

	pthread_mutex_lock(&worker->lock);
	wait = worker->hurried || tl__turns_others(&worker->turns, &job->turn.party);
	pthread_mutex_unlock(&worker->lock);
	return wait;
}

void tl__worker_hurry(tl__worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->hurried = true;
	pthread_cond_signal(&worker->work);
	pthread_mutex_unlock(&worker->lock);
}

void tl__worker_free(tl__worker *worker)
{
	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->ending = true;
	pthread_cond_signal(&worker->work);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	pthread_cond_destroy(&worker->work);
	pthread_mutex_destroy(&worker->lock);
	tl__free(worker);
}
