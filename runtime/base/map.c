#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <tidelock/error.h>
#include "base/mem.h"
#include "base/siphash.h"
#include "base/str.h"

struct tl__map_slot {
	char *key; /* NULL: never used, or removed when `removed` */
	size_t len;
	void *value;
	uint64_t hash;
	bool removed;
};

/* Drawn once a process: maps are made by the dozen for each commit, a system call for each would
 * cost more than the map. */
static uint64_t process_seed[2];
static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static atomic_uint_fast64_t maps_made;

static void draw_seed(void)
{
	/* Without random bytes maps still work; they are only easier to slow down. */
	if (getrandom(process_seed, sizeof process_seed, GRND_NONBLOCK) < 0)
		process_seed[0] = (uint64_t)(uintptr_t)&process_seed;
}

void tl__map_init(tl__map *map)
{
	memset(map, 0, sizeof *map);
	pthread_once(&seed_once, draw_seed);
	map->seed[0] = process_seed[0];
	map->seed[1] =
		process_seed[1] ^ atomic_fetch_add_explicit(&maps_made, 1, memory_order_relaxed);
}

void tl__map_free(tl__map *map)
{
	for (size_t i = 0; i < map->cap; i++)
		tl__free(map->slots[i].key);
	tl__free(map->slots);
	map->slots = NULL;
	map->cap = map->count = map->used = 0;
}

/* The slot holding the key, or the first one where it may be put. The table is never full. */
static tl__map_slot *find(const tl__map *map, tl_str key, uint64_t hash)
{
	tl__map_slot *free_slot = NULL;
	size_t at = (size_t)hash & (map->cap - 1);

	for (;; at = (at + 1) & (map->cap - 1)) {
		tl__map_slot *slot = &map->slots[at];

		if (!slot->key && !slot->removed)
			return free_slot ? free_slot : slot;
		if (!slot->key && !free_slot)
			free_slot = slot;
		if (slot->key && slot->hash == hash &&
			tl__str_eq(key, (tl_str){slot->key, slot->len}))
			return slot;
	}
}

static int resize(tl__map *map)
{
	tl__map bigger = *map;

	bigger.cap = map->cap == 0 ? 16 : map->count * 2 >= map->cap ? map->cap * 2 : map->cap;
	bigger.slots = tl__alloc_zero(bigger.cap, sizeof *bigger.slots);
	if (!bigger.slots)
		return TL_E_NOMEM;
	for (size_t i = 0; i < map->cap; i++) {
		tl__map_slot *slot = &map->slots[i];

		if (slot->key)
			*find(&bigger, (tl_str){slot->key, slot->len}, slot->hash) = *slot;
	}
	bigger.used = map->count;
	tl__free(map->slots);
	*map = bigger;
	return TL_OK;
}

int tl__map_set(tl__map *map, tl_str key, void *value)
{
	uint64_t hash = tl__siphash(map->seed, key.ptr, key.len);
	tl__map_slot *slot;

	if ((map->used + 1) * 4 > map->cap * 3 && resize(map) != TL_OK)
		return TL_E_NOMEM;
	slot = find(map, key, hash);
	if (!slot->key) {
		char *copy = tl__copy_bytes(key.ptr, key.len);

		if (!copy)
			return TL_E_NOMEM;
		if (!slot->removed)
			map->used++;
		*slot = (tl__map_slot){copy, key.len, NULL, hash, false};
		map->count++;
	}
	slot->value = value;
	return TL_OK;
}

static tl__map_slot *lookup(const tl__map *map, tl_str key)
{
	tl__map_slot *slot;

	if (map->count == 0)
		return NULL;
	slot = find(map, key, tl__siphash(map->seed, key.ptr, key.len));
	return slot->key ? slot : NULL;
}

void *tl__map_get(const tl__map *map, tl_str key)
{
	tl__map_slot *slot = lookup(map, key);

	return slot ? slot->value : NULL;
}

bool tl__map_has(const tl__map *map, tl_str key)
{
	return lookup(map, key) != NULL;
}

void *tl__map_remove(tl__map *map, tl_str key)
{
	tl__map_slot *slot = lookup(map, key);
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	tl__free(slot->key);
	*slot = (tl__map_slot){.removed = true};
	map->count--;
	return value;
}

bool tl__map_next(const tl__map *map, size_t *at, tl_str *key, void **value)
{
	while (*at < map->cap) {
		const tl__map_slot *slot = &map->slots[(*at)++];

		if (!slot->key)
			continue;
		*key = (tl_str){slot->key, slot->len};
		*value = slot->value;
		return true;
	}
	return false;
}
