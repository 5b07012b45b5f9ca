#include "crypto/pool.h"

#include <pthread.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/system/thread.h"

/* Indices taken at a time: a verification takes some 40 µs, so claims are cheap beside it. */
#define CHUNK 4
/* Smaller batches are not worth waking anyone. */
#define MIN_SHARED 8

struct tl__verify_pool {
	pthread_mutex_t lock;
	pthread_cond_t work;    /* a batch was added, or the end */
	pthread_cond_t left;    /* a helper left a batch, or a job is done */
	tl__pool_batch *oldest; /* under the lock, as is all of a batch but `next` */
	tl__pool_job *first, **end;
	unsigned jobs; /* under way */
	pthread_t threads[TL__VERIFY_POOL_MAX_THREADS];
	unsigned wanted; /* threads beside the caller's */
	unsigned started;
	bool ending;
};

int tl__verify_pool_new(tl__verify_pool **out, unsigned threads)
{
	tl__verify_pool *pool = tl__alloc_zero(1, sizeof *pool);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	*out = pool;
	if (!pool)
		return TL_E_NOMEM;
	if (threads == 0)
		threads = cores > 0 ? (unsigned)cores : 1;
	if (threads > TL__VERIFY_POOL_MAX_THREADS)
		threads = TL__VERIFY_POOL_MAX_THREADS;
	pool->wanted = threads - 1;
	pool->end = &pool->first;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->left, NULL);
	return TL_OK;
}

bool tl__pool_some(tl__pool_batch *b)
{
	size_t from = atomic_fetch_add_explicit(&b->next, CHUNK, memory_order_relaxed);

	for (size_t i = from; i < from + CHUNK && i < b->count; i++)
		b->run(b->ud, i);
	return from < b->count;
}

/* Takes chunks until none is left. */
static void work_on(tl__pool_batch *b)
{
	while (tl__pool_some(b))
		;
}

/* A batch with work left, or NULL. Under the lock. */
static tl__pool_batch *find_work(const tl__verify_pool *pool)
{
	for (tl__pool_batch *b = pool->oldest; b; b = b->newer)
		if (atomic_load_explicit(&b->next, memory_order_relaxed) < b->count)
			return b;
	return NULL;
}

static tl__pool_job *next_job(tl__verify_pool *pool)
{
	tl__pool_job *job = pool->first;

	if (job)
		pool->first = job->next;
	if (!pool->first)
		pool->end = &pool->first;
	return job;
}

/* Under the lock, which is let go meanwhile. false: there is nothing to do. */
static bool do_job(tl__verify_pool *pool)
{
	tl__pool_job *job = next_job(pool);

	if (!job)
		return false;
	pool->jobs++;
	pthread_mutex_unlock(&pool->lock);
	job->run(job);
	pthread_mutex_lock(&pool->lock);
	pool->jobs--;
	pthread_cond_broadcast(&pool->left);
	return true;
}

static void *run(void *ud)
{
	tl__verify_pool *pool = ud;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending) {
		tl__pool_batch *b = find_work(pool);

		if (!b) {
			if (!do_job(pool))
				pthread_cond_wait(&pool->work, &pool->lock);
			continue;
		}
		b->helpers++;
		pthread_mutex_unlock(&pool->lock);
		work_on(b);
		pthread_mutex_lock(&pool->lock);
		b->helpers--;
		pthread_cond_broadcast(&pool->left);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Under the lock. A thread that cannot be started is done without. */
static void start_threads(tl__verify_pool *pool)
{
	while (pool->started < pool->wanted) {
		if (tl__thread_start(&pool->threads[pool->started], "tl-pool", run, pool) != 0) {
			pool->wanted = pool->started;
			return;
		}
		pool->started++;
	}
}

static tl__pool_batch **place_of(tl__verify_pool *pool, const tl__pool_batch *b)
{
	tl__pool_batch **at = &pool->oldest;

	while (*at != b)
		at = &(*at)->newer;
	return at;
}

void tl__pool_start(tl__verify_pool *pool, tl__pool_batch *batch)
{
	atomic_store(&batch->next, 0);
	batch->newer = NULL;
	batch->helpers = 0;
	batch->queued = false;
	if (batch->count < MIN_SHARED)
		return;
	pthread_mutex_lock(&pool->lock);
	start_threads(pool);
	if (pool->started > 0) {
		*place_of(pool, NULL) = batch;
		batch->queued = true;
		pthread_cond_broadcast(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
}

void tl__pool_finish(tl__verify_pool *pool, tl__pool_batch *batch)
{
	work_on(batch);
	if (!batch->queued)
		return;
	pthread_mutex_lock(&pool->lock);
	*place_of(pool, batch) = batch->newer;
	while (batch->helpers > 0)
		pthread_cond_wait(&pool->left, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	batch->queued = false;
}

void tl__pool_abandon(tl__verify_pool *pool, tl__pool_batch *batch)
{
	atomic_store(&batch->next, batch->count);
	tl__pool_finish(pool, batch);
}

bool tl__pool_hand(tl__verify_pool *pool, tl__pool_job *job)
{
	bool handed;

	job->next = NULL;
	pthread_mutex_lock(&pool->lock);
	start_threads(pool);
	handed = pool->started > 0;
	if (handed) {
		*pool->end = job;
		pool->end = &job->next;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
	return handed;
}

void tl__pool_settle(tl__verify_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->first || pool->jobs > 0)
		pthread_cond_wait(&pool->left, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

static void verify(void *ud, size_t index)
{
	tl__verify_job *job = (tl__verify_job *)ud + index;

	job->good =
		tl_verify(&job->key, job->message.ptr, job->message.len, job->signature) == TL_OK;
}

void tl__verify_batch(tl__verify_pool *pool, tl__verify_job *jobs, size_t count)
{
	tl__pool_batch batch = {.run = verify, .ud = jobs, .count = count};

	tl__pool_start(pool, &batch);
	tl__pool_finish(pool, &batch);
}

void tl__verify_pool_free(tl__verify_pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	pthread_cond_destroy(&pool->left);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	tl__free(pool);
}
