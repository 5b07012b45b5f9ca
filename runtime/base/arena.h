/* Memory for things that die together: allocate piece by piece, release all at once. */
#ifndef TL_BASE_ARENA_H
#define TL_BASE_ARENA_H

#include <tidelock/types.h>

typedef struct tl__arena_block tl__arena_block;
typedef struct tl__arena {
	tl__arena_block *last;
} tl__arena;

#define TL__ARENA_INIT ((tl__arena){NULL})

/* Zeroed and aligned for any type; NULL with the last error set when memory ran out. */
void *tl__arena_alloc(tl__arena *arena, size_t count, size_t size);
/* A copy closed by a NUL that len does not count; ptr NULL when memory ran out. A text whose ptr is
 * NULL stays NULL. */
tl_str tl__arena_str(tl__arena *arena, tl_str text);
/* Makes room for one more element of an array that grows by doubling: *array and *cap are updated,
 * old memory stays in the arena. TL_OK or TL_E_NOMEM. */
int tl__arena_grow(
	tl__arena *arena, void **array, size_t *cap, size_t count, size_t size) TL_MUST_USE;
void tl__arena_free(tl__arena *arena); /* the arena is as new */

#endif
