/* Settings by frontier, for all threads of a tree. What is here cannot become wrong: a frontier
 * says exactly which entries its settings are made of. */
#include <pthread.h>
#include <string.h>
#include "base/mem.h"
#include "model/value.h"
#include "tree/history/dag.h"

typedef struct slot {
	tl_str key; /* owned: database, then the ids */
	tl__settings *settings;
	size_t bytes;
	uint64_t used;
} slot;

struct tl__settings_cache {
	pthread_mutex_t mutex;
	tl__map map; /* key -> slot */
	slot *slots[TL__SETTINGS_CACHE_COUNT];
	size_t count;
	size_t bytes;
	uint64_t clock;
};

int tl__settings_cache_new(tl__settings_cache **out)
{
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	pthread_mutex_init(&(*out)->mutex, NULL);
	tl__map_init(&(*out)->map);
	return TL_OK;
}

static void free_slot(slot *gone)
{
	tl__settings_release(gone->settings);
	tl__free((char *)(uintptr_t)gone->key.ptr);
	tl__free(gone);
}

void tl__settings_cache_free(tl__settings_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < cache->count; i++)
		free_slot(cache->slots[i]);
	tl__map_free(&cache->map);
	pthread_mutex_destroy(&cache->mutex);
	tl__free(cache);
}

/* ptr NULL when memory ran out. */
static tl_str key_of(const tl_id *db, const tl__dag_set *set)
{
	size_t len = (1 + set->count) * sizeof *db;
	char *key = tl__alloc(len);

	if (key) {
		memcpy(key, db, sizeof *db);
		memcpy(key + sizeof *db, set->ids, set->count * sizeof *db);
	}
	return (tl_str){key, len};
}

tl__settings *tl__settings_cache_get(
	tl__settings_cache *cache, const tl_id *db, const tl__dag_set *set)
{
	tl_str key = key_of(db, set);
	tl__settings *settings = NULL;
	slot *found;

	if (!key.ptr)
		return NULL;
	pthread_mutex_lock(&cache->mutex);
	found = tl__map_get(&cache->map, key);
	if (found) {
		found->used = ++cache->clock;
		settings = tl__settings_retain(found->settings);
	}
	pthread_mutex_unlock(&cache->mutex);
	tl__free((char *)(uintptr_t)key.ptr);
	return settings;
}

/* --- bounds ----------------------------------------------------------------------------------- */

static size_t estimate(const tl_value *value)
{
	size_t bytes = sizeof *value;

	if (value->type == TL_TEXT)
		bytes += value->as.text.len;
	for (size_t i = 0; i < value->count; i++) {
		if (value->type == TL_DOC)
			bytes += sizeof(tl__member) + value->as.members[i].key.len +
				 estimate(value->as.members[i].value);
		else
			bytes += sizeof(tl__item) + estimate(value->as.items[i].value);
	}
	return bytes;
}

static void evict_oldest(tl__settings_cache *cache)
{
	size_t oldest = 0;
	slot *gone;

	for (size_t i = 1; i < cache->count; i++)
		if (cache->slots[i]->used < cache->slots[oldest]->used)
			oldest = i;
	gone = cache->slots[oldest];
	cache->slots[oldest] = cache->slots[--cache->count];
	cache->bytes -= gone->bytes;
	tl__map_remove(&cache->map, gone->key);
	free_slot(gone);
}

/* The newest always stays, however large. */
static void keep(tl__settings_cache *cache, slot *added)
{
	while (cache->count > 0 && (cache->count == TL__SETTINGS_CACHE_COUNT ||
					   cache->bytes + added->bytes > TL__SETTINGS_CACHE_BYTES))
		evict_oldest(cache);
	added->used = ++cache->clock;
	cache->slots[cache->count++] = added;
	cache->bytes += added->bytes;
}

void tl__settings_cache_put(
	tl__settings_cache *cache, const tl_id *db, const tl__dag_set *set, tl__settings *settings)
{
	slot *added = tl__alloc_zero(1, sizeof *added);
	bool kept;

	if (!added)
		return;
	added->key = key_of(db, set);
	added->settings = tl__settings_retain(settings);
	added->bytes = estimate(settings->doc);
	pthread_mutex_lock(&cache->mutex);
	kept = added->key.ptr && !tl__map_has(&cache->map, added->key) &&
	       tl__map_set(&cache->map, added->key, added) == TL_OK;
	if (kept)
		keep(cache, added);
	pthread_mutex_unlock(&cache->mutex);
	if (!kept)
		free_slot(added);
}
