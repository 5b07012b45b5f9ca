/* Verify pool: many signatures at once, on a few lazily started threads. */
#ifndef TL_CRYPTO_POOL_H
#define TL_CRYPTO_POOL_H

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
/* Fills `good` of each job; returns when all are done. Several threads may call at once. Never
 * fails: without threads the caller does all the work itself. */
void tl__verify_batch(tl__verify_pool *pool, tl__verify_job *jobs, size_t count);

#endif
