/* Verify pool: many signatures at once, on a few lazily started threads; and whatever else is to be
 * done with many things one by one. */
#ifndef TL_CRYPTO_POOL_H
#define TL_CRYPTO_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <tidelock/crypto.h>

#define TL__VERIFY_POOL_MAX_THREADS 4

typedef struct tl__verify_pool tl__verify_pool;

typedef struct tl__verify_job {
	tl_key key;
	tl_str message; /* must stay valid until the batch returns */
	uint8_t signature[TL_SIGNATURE_BYTES];
	bool good; /* result */
} tl__verify_job;

/* Threads 0 = number of cores, at most TL__VERIFY_POOL_MAX_THREADS; the caller's thread works too,
 * so 1 starts none. Threads start at the first batch that is worth it. */
int tl__verify_pool_new(tl__verify_pool **out, unsigned threads) TL_MUST_USE;
/* Joins the threads. No batch may be running. NULL is fine. */
void tl__verify_pool_free(tl__verify_pool *pool);

/* Something to be done for each of `count` indices, by any of the threads, in any order. Yours, and
 * in its place from tl__pool_start to tl__pool_finish. */
typedef struct tl__pool_batch {
	void (*run)(void *ud, size_t index);
	void *ud;
	size_t count;
	/* private */
	atomic_size_t next;
	bool queued;
	unsigned helpers; /* pool threads inside */
	struct tl__pool_batch *newer;
} tl__pool_batch;

/* The threads begin with it, once what was started before is done. Never blocks, never fails: with
 * few indices or without threads all of it is left to tl__pool_finish. */
void tl__pool_start(tl__verify_pool *pool, tl__pool_batch *batch);
/* Does a few of those that nobody has begun; false: there are none. */
bool tl__pool_some(tl__pool_batch *batch);
/* Does what nobody has begun, waits for what others have. May be called again. */
void tl__pool_finish(tl__verify_pool *pool, tl__pool_batch *batch);
/* The same, but what nobody has begun is not done. */
void tl__pool_abandon(tl__verify_pool *pool, tl__pool_batch *batch);

/* Something to be done once, by itself, by one of the threads, after the batches that are there.
 * Yours, and in its place until run is called, which may free it. false: there are no threads, it
 * is not done. */
typedef struct tl__pool_job {
	void (*run)(struct tl__pool_job *job);
	struct tl__pool_job *next; /* private */
} tl__pool_job;
bool tl__pool_hand(tl__verify_pool *pool, tl__pool_job *job);
/* Waits until all that was handed over is done, and `run` has returned. */
void tl__pool_settle(tl__verify_pool *pool);

/* Fills `good` of each job; returns when all are done. Several threads may call at once. Never
 * fails: without threads the caller does all the work itself. */
void tl__verify_batch(tl__verify_pool *pool, tl__verify_job *jobs, size_t count);

#endif
