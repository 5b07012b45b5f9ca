#include "crypto/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"

/* Jobs taken at a time: a verification takes some 40 µs, so claims are cheap beside it. */
#define CHUNK 4
/* Smaller batches are not worth waking anyone. */
#define MIN_SHARED 8

/* A batch being worked on; lives on its caller's stack. */
typedef struct batch {
	tl__verify_job *jobs;
	size_t count;
	atomic_size_t next;
	unsigned helpers; /* pool threads inside; under the pool's lock */
	struct batch *older;
} batch;

struct tl__verify_pool {
	pthread_mutex_t lock;
	pthread_cond_t work; /* a batch was added, or the end */
	pthread_cond_t left; /* a helper left a batch */
	batch *newest;
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
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_cond_init(&pool->left, NULL);
	return TL_OK;
}

static void verify(tl__verify_job *job)
{
	job->good =
		tl_verify(&job->key, job->message.ptr, job->message.len, job->signature) == TL_OK;
}

/* Takes chunks until none is left. */
static void work_on(batch *b)
{
	for (;;) {
		size_t from = atomic_fetch_add_explicit(&b->next, CHUNK, memory_order_relaxed);

		if (from >= b->count)
			return;
		for (size_t i = from; i < from + CHUNK && i < b->count; i++)
			verify(&b->jobs[i]);
	}
}

/* A batch with work left, or NULL. Under the lock. */
static batch *find_work(const tl__verify_pool *pool)
{
	for (batch *b = pool->newest; b; b = b->older)
		if (atomic_load_explicit(&b->next, memory_order_relaxed) < b->count)
			return b;
	return NULL;
}

static void *run(void *ud)
{
	tl__verify_pool *pool = ud;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ending) {
		batch *b = find_work(pool);

		if (!b) {
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
		if (pthread_create(&pool->threads[pool->started], NULL, run, pool) != 0) {
			pool->wanted = pool->started;
			return;
		}
		pool->started++;
	}
}

static void remove_batch(tl__verify_pool *pool, const batch *b)
{
	batch **at = &pool->newest;

	while (*at != b)
		at = &(*at)->older;
	*at = b->older;
}

void tl__verify_batch(tl__verify_pool *pool, tl__verify_job *jobs, size_t count)
{
	batch b = {.jobs = jobs, .count = count};

	if (count < MIN_SHARED || pool->wanted == 0) {
		work_on(&b);
		return;
	}
	pthread_mutex_lock(&pool->lock);
	start_threads(pool);
	b.older = pool->newest;
	pool->newest = &b;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	work_on(&b);
	pthread_mutex_lock(&pool->lock);
	remove_batch(pool, &b);
	while (b.helpers > 0)
		pthread_cond_wait(&pool->left, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
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
