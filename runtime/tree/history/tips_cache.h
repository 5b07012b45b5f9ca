/* Tips of databases that have many, by arrival number: what stands there never changes, so a
 * request reads and hashes none of them again until something arrived. */
#ifndef TL_TREE_TIPS_CACHE_H
#define TL_TREE_TIPS_CACHE_H

#include <stdbool.h>
#include <tidelock/types.h>
#include "base/arena.h"

#define TL__TIPS_CACHE_FROM  64 /* fewer are read as fast */
#define TL__TIPS_CACHE_COUNT 16 /* databases */
#define TL__TIPS_CACHE_BYTES (8u * 1024 * 1024)

typedef struct tl__tips {
	tl_id *ids; /* ascending */
	size_t count;
	uint8_t sha256[32]; /* tl__v1_tips_hash */
} tl__tips;

typedef struct tl__tips_cache tl__tips_cache;
int tl__tips_cache_new(tl__tips_cache **out) TL_MUST_USE;
void tl__tips_cache_free(tl__tips_cache *cache); /* NULL is fine */
/* Those after `arrivals`, in the arena; *found false when they are not kept. TL_OK or TL_E_NOMEM.
 */
int tl__tips_cache_get(tl__tips_cache *cache, const tl_id *db, uint64_t arrivals, tl__arena *arena,
	tl__tips *out, bool *found) TL_MUST_USE;
/* Copies them; best effort. */
void tl__tips_cache_put(
	tl__tips_cache *cache, const tl_id *db, uint64_t arrivals, const tl__tips *tips);

#endif
