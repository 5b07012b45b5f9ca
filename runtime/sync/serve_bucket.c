/* Token buckets: how many requests a source or a key may make. */
#include "sync/serve.h"

struct bucket {
	double tokens;
	uint64_t at; /* monotonic ms */
	uint32_t burst, per_second;
};

static void refill(struct bucket *bucket, uint64_t now)
{
	bucket->tokens += (double)(now - bucket->at) * bucket->per_second / 1000.0;
	if (bucket->tokens > bucket->burst)
		bucket->tokens = bucket->burst;
	bucket->at = now;
}

/* Full buckets remember nothing, so they can go. */
static void sweep(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *value;

	while (tl__map_next(&sync->serve->buckets, &at, &key, &value)) {
		struct bucket *bucket = value;

		refill(bucket, sync->now);
		if (bucket->tokens < bucket->burst)
			continue;
		tl__map_remove(&sync->serve->buckets, key);
		tl__free(bucket);
	}
}

static struct bucket *new_bucket(tl__sync *sync, tl_str name, uint32_t burst, uint32_t per_second)
{
	struct bucket *bucket;

	if (sync->serve->buckets.count >= TL__SERVE_MAX_BUCKETS)
		sweep(sync);
	if (sync->serve->buckets.count >= TL__SERVE_MAX_BUCKETS)
		return NULL;
	bucket = tl__alloc(sizeof *bucket);
	if (!bucket)
		return NULL;
	*bucket = (struct bucket){burst, sync->now, burst, per_second};
	if (tl__map_set(&sync->serve->buckets, name, bucket) != TL_OK) {
		tl__free(bucket);
		return NULL;
	}
	return bucket;
}

bool tl__serve_take(tl__sync *sync, tl_str name, uint32_t burst, uint32_t per_second)
{
	struct bucket *bucket = tl__map_get(&sync->serve->buckets, name);

	if (!bucket)
		bucket = new_bucket(sync, name, burst, per_second);
	if (!bucket)
		return false;
	refill(bucket, sync->now);
	if (bucket->tokens < 1)
		return false;
	bucket->tokens -= 1;
	return true;
}

void tl__serve_buckets_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *bucket;

	while (tl__map_next(&sync->serve->buckets, &at, &key, &bucket))
		tl__free(bucket);
	tl__map_free(&sync->serve->buckets);
}
