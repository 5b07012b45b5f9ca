/* Pages of entries, copied out of the store so that what is done with them does not hold it up. */
#ifndef TL_TREE_LINES_H
#define TL_TREE_LINES_H

#include "base/arena.h"
#include "store/store.h"

#define TL__LINES_PAGE_ENTRIES 256
#define TL__LINES_PAGE_BYTES   (4u * 1024 * 1024)

typedef struct tl__line {
	tl_id id;
	uint64_t arrival, height;
	uint8_t chain[32]; /* with TL__WITH_CHAIN, else zeros */
	bool is_void;
	tl_str bytes;
} tl__line;

typedef struct tl__lines {
	tl__arena arena;
	tl__line *at;
	size_t count, cap, bytes;
} tl__lines;

#define TL__LINES_INIT                                                                             \
	(tl__lines)                                                                                \
	{                                                                                          \
		.arena = TL__ARENA_INIT                                                            \
	}

/* A visitor of rows read with TL__WITH_BYTES; `lines` is a tl__lines. Ends a page that is full. */
int tl__lines_note(void *lines, const tl__entry_row *row);
static inline void tl__lines_free(tl__lines *lines)
{
	tl__arena_free(&lines->arena);
}

#endif
