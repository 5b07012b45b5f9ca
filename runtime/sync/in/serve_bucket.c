/* Token buckets: how many requests a source, a key, or all strangers together may make. A newcomer
 * takes the place of whoever was heard of longest ago; peers, and where they come from, have places
 * of their own. Who sends what is invalid waits for longer each time. */
#include "sync/in/serve.h"

struct tl__bucket {
	double tokens;
	uint64_t at; /* monotonic ms */
	bool known;
	unsigned junk; /* pages of it, one after the other */
	uint64_t shut_until;
	struct tl__bucket *prev, *next; /* the one asked longest ago first */
	size_t name_len;
	char name[];
};

static const tl__serve_rate share_rates[TL__SHARES] = {
	[TL__SHARE_STRANGERS] = {TL__SERVE_STRANGERS_BURST, TL__SERVE_STRANGERS_PER_S},
	[TL__SHARE_CLAIMS] = {TL__SERVE_STRANGERS_BURST, TL__SERVE_STRANGERS_PER_S},
	[TL__SHARE_WISHES] = {TL__SERVE_WISHES_BURST, TL__SERVE_WISHES_PER_S},
	[TL__SHARE_PROOFS] = {TL__SERVE_PROOFS_BURST, TL__SERVE_PROOFS_PER_S},
};

static bool take(double *tokens, uint64_t *at, uint64_t now, tl__serve_rate rate)
{
	*tokens += (double)(now - *at) * rate.per_second / 1000.0;
	if (*tokens > rate.burst)
		*tokens = rate.burst;
	*at = now;
	if (*tokens < 1)
		return false;
	*tokens -= 1;
	return true;
}

/* --- places ----------------------------------------------------------------------------------- */

static tl__bucket_list *list_of(tl__sync *sync, bool known)
{
	return known ? &sync->serve->known_buckets : &sync->serve->stranger_buckets;
}

static void unlink_bucket(tl__sync *sync, struct tl__bucket *bucket)
{
	tl__bucket_list *list = list_of(sync, bucket->known);

	*(bucket->prev ? &bucket->prev->next : &list->oldest) = bucket->next;
	*(bucket->next ? &bucket->next->prev : &list->newest) = bucket->prev;
	list->count--;
}

static void link_bucket(tl__sync *sync, struct tl__bucket *bucket)
{
	tl__bucket_list *list = list_of(sync, bucket->known);

	bucket->next = NULL;
	bucket->prev = list->newest;
	*(list->newest ? &list->newest->next : &list->oldest) = bucket;
	list->newest = bucket;
	list->count++;
}

static void make_room(tl__sync *sync, bool known)
{
	tl__bucket_list *list = list_of(sync, known);

	while (list->count >= TL__SERVE_MAX_BUCKETS) {
		struct tl__bucket *bucket = list->oldest;

		unlink_bucket(sync, bucket);
		tl__map_remove(&sync->serve->buckets, (tl_str){bucket->name, bucket->name_len});
		tl__free(bucket);
	}
}

static struct tl__bucket *new_bucket(tl__sync *sync, tl_str name, tl__serve_rate rate)
{
	struct tl__bucket *bucket;

	make_room(sync, false);
	bucket = tl__alloc_zero(1, sizeof *bucket + name.len);
	if (!bucket)
		return NULL;
	bucket->tokens = rate.burst;
	bucket->at = sync->now;
	bucket->name_len = name.len;
	for (size_t i = 0; i < name.len; i++)
		bucket->name[i] = name.ptr[i];
	if (tl__map_set(&sync->serve->buckets, name, bucket) != TL_OK) {
		tl__free(bucket);
		return NULL;
	}
	link_bucket(sync, bucket);
	return bucket;
}

/* --- taking ----------------------------------------------------------------------------------- */

bool tl__serve_take(tl__sync *sync, tl_str name, tl__serve_rate rate)
{
	struct tl__bucket *bucket = tl__map_get(&sync->serve->buckets, name);

	if (!bucket)
		bucket = new_bucket(sync, name, rate);
	if (!bucket)
		return false;
	unlink_bucket(sync, bucket);
	link_bucket(sync, bucket);
	return take(&bucket->tokens, &bucket->at, sync->now, rate);
}

bool tl__serve_take_share(tl__sync *sync, tl__serve_share share)
{
	struct tl__share *bucket = &sync->serve->shares[share];

	return take(&bucket->tokens, &bucket->at, sync->now, share_rates[share]);
}

void tl__serve_shares_fill(tl__sync *sync)
{
	for (size_t i = 0; i < TL__SHARES; i++)
		sync->serve->shares[i].tokens = share_rates[i].burst;
}

void tl__serve_known(tl__sync *sync, tl_str name)
{
	struct tl__bucket *bucket = tl__map_get(&sync->serve->buckets, name);

	if (!bucket || bucket->known)
		return;
	unlink_bucket(sync, bucket);
	make_room(sync, true);
	bucket->known = true;
	link_bucket(sync, bucket);
}

bool tl__serve_is_source_known(const tl__sync *sync, tl_str name)
{
	const struct tl__bucket *bucket = tl__map_get(&sync->serve->buckets, name);

	return bucket && bucket->known;
}

/* --- what is sent ----------------------------------------------------------------------------- */

void tl__serve_gave(tl__sync *sync, tl_str name, const tl__work_ingest *in)
{
	struct tl__bucket *bucket = tl__map_get(&sync->serve->buckets, name);

	if (!bucket)
		return;
	if (!tl__ingest_is_junk(in)) {
		bucket->junk = in->result.entered > 0 ? 0 : bucket->junk;
		return;
	}
	bucket->shut_until = sync->now + ((uint64_t)TL__SERVE_JUNK_MS << bucket->junk);
	if (bucket->junk < TL__SERVE_JUNK_DOUBLES)
		bucket->junk++;
}

uint32_t tl__serve_shut_ms(const tl__sync *sync, tl_str name)
{
	const struct tl__bucket *bucket = tl__map_get(&sync->serve->buckets, name);

	return bucket && bucket->shut_until > sync->now ? (uint32_t)(bucket->shut_until - sync->now)
							: 0;
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
