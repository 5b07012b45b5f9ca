#include "engine/worker.h"

#include <pthread.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/thread.h"
#include "engine/inside.h"

struct tl__worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work;
	tl__task *first, **end; /* jobs that wait; under the lock, as is `ending` */
	bool ending;
	tl__inbox *inbox;
};

static tl__job *next_job(tl__worker *worker)
{
	tl__task *task;

	pthread_mutex_lock(&worker->lock);
	while (!worker->first && !worker->ending)
		pthread_cond_wait(&worker->work, &worker->lock);
	task = worker->first;
	if (task) {
		worker->first = task->next;
		if (!worker->first)
			worker->end = &worker->first;
	}
	pthread_mutex_unlock(&worker->lock);
	return (tl__job *)task; /* its first member */
}

static void *run(void *ud)
{
	tl__worker *worker = ud;
	tl__job *job;

	tl__inside_set(true);
	while ((job = next_job(worker)) != NULL) {
		job->work(job);
		/* The inbox is closed only after this thread has ended. */
		(void)tl__inbox_put(worker->inbox, &job->task);
	}
	return NULL;
}

int tl__worker_new(tl__worker **out, tl__inbox *inbox)
{
	tl__worker *worker = tl__alloc_zero(1, sizeof *worker);
	int rc;

	*out = NULL;
	if (!worker)
		return TL_E_NOMEM;
	worker->inbox = inbox;
	worker->end = &worker->first;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->work, NULL);
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
	job->task.next = NULL;
	pthread_mutex_lock(&worker->lock);
	*worker->end = &job->task;
	worker->end = &job->task.next;
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
