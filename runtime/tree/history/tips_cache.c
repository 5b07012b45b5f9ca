#include "tree/history/tips_cache.h"

#include <pthread.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "model/ids.h"

typedef struct slot {
	tl_id db;
	uint64_t arrivals;
	tl__tips tips;
	uint64_t used;
} slot;

struct tl__tips_cache {
	pthread_mutex_t mutex;
	slot slots[TL__TIPS_CACHE_COUNT];
	size_t count;
	size_t bytes;
	uint64_t clock;
};

int tl__tips_cache_new(tl__tips_cache **out)
{
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	pthread_mutex_init(&(*out)->mutex, NULL);
	return TL_OK;
}

void tl__tips_cache_free(tl__tips_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->count; i++)
		tl__free(cache->slots[i].tips.ids);
	pthread_mutex_destroy(&cache->mutex);
	tl__free(cache);
}

static slot *find(tl__tips_cache *cache, const tl_id *db)
{
	for (size_t i = 0; i < cache->count; i++)
		if (tl__id_equal(&cache->slots[i].db, db))
			return &cache->slots[i];
	return NULL;
}

int tl__tips_cache_get(tl__tips_cache *cache, const tl_id *db, uint64_t arrivals, tl__arena *arena,
	tl__tips *out, bool *found)
{
	int rc = TL_OK;
	slot *at;

	pthread_mutex_lock(&cache->mutex);
	at = find(cache, db);
	*found = at && at->arrivals == arrivals;
	if (*found) {
		at->used = ++cache->clock;
		*out = at->tips;
		out->ids = tl__arena_alloc(arena, out->count, sizeof *out->ids);
		if (out->ids)
			memcpy(out->ids, at->tips.ids, out->count * sizeof *out->ids);
		else
			rc = TL_E_NOMEM;
	}
	pthread_mutex_unlock(&cache->mutex);
	return rc;
}

static void drop(tl__tips_cache *cache, slot *at)
{
	cache->bytes -= at->tips.count * sizeof *at->tips.ids;
	tl__free(at->tips.ids);
	*at = cache->slots[--cache->count];
}

static slot *oldest(tl__tips_cache *cache)
{
	slot *first = &cache->slots[0];

	for (size_t i = 1; i < cache->count; i++)
		if (cache->slots[i].used < first->used)
			first = &cache->slots[i];
	return first;
}

/* Takes over copy->ids. */
static void keep(tl__tips_cache *cache, const slot *copy)
{
	size_t bytes = copy->tips.count * sizeof *copy->tips.ids;
	slot *same = find(cache, &copy->db);

	if (same)
		drop(cache, same);
	while (cache->count == TL__TIPS_CACHE_COUNT ||
		(cache->count > 0 && cache->bytes + bytes > TL__TIPS_CACHE_BYTES))
		drop(cache, oldest(cache));
	cache->slots[cache->count] = *copy;
	cache->slots[cache->count++].used = ++cache->clock;
	cache->bytes += bytes;
}

void tl__tips_cache_put(
	tl__tips_cache *cache, const tl_id *db, uint64_t arrivals, const tl__tips *tips)
{
	slot copy = {*db, arrivals, *tips, 0};

	if (tips->count < TL__TIPS_CACHE_FROM ||
		tips->count > TL__TIPS_CACHE_BYTES / sizeof *tips->ids)
		return;
	copy.tips.ids = tl__alloc(tips->count * sizeof *tips->ids);
	if (!copy.tips.ids)
		return;
	memcpy(copy.tips.ids, tips->ids, tips->count * sizeof *tips->ids);
	pthread_mutex_lock(&cache->mutex);
	keep(cache, &copy);
	pthread_mutex_unlock(&cache->mutex);
}
