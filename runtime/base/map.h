/* Hash map from bytes to a pointer. Keys are copied. Seeded per map, so that input chosen by
 * strangers cannot make it slow. Iteration order is unspecified. */
#ifndef TL_BASE_MAP_H
#define TL_BASE_MAP_H

#include <stdbool.h>
#include <tidelock/types.h>

typedef struct tl__map_slot tl__map_slot;
typedef struct tl__map {
	tl__map_slot *slots;
	size_t cap; /* 0 or a power of two */
	size_t count;
	size_t used; /* count and tombstones */
	uint64_t seed[2];
} tl__map;

void tl__map_init(tl__map *map);
/* Releases the keys and slots; values are the caller's. */
void tl__map_free(tl__map *map);
/* TL_OK or TL_E_NOMEM. Replaces the value of an existing key. */
int tl__map_set(tl__map *map, tl_str key, void *value) TL_MUST_USE;
/* NULL when absent (a stored NULL is told apart with tl__map_has). */
void *tl__map_get(const tl__map *map, tl_str key);
bool tl__map_has(const tl__map *map, tl_str key);
/* Returns the removed value or NULL. */
void *tl__map_remove(tl__map *map, tl_str key);
/* Start with *at = 0; false at the end. Removing the entry just returned is allowed. */
bool tl__map_next(const tl__map *map, size_t *at, tl_str *key, void **value);

static inline tl_str tl__map_key_id(const tl_id *id)
{
	return (tl_str){(const char *)id->b, TL_ID_BYTES};
}

#endif
