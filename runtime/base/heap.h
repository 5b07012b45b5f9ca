/* Things that are due at some time, the next one at hand: a binary heap of nodes that lie in them.
 */
#ifndef TL_BASE_HEAP_H
#define TL_BASE_HEAP_H

#include <tidelock/types.h>

/* All zero: in no heap. */
typedef struct tl__heap_node {
	uint64_t at;
	size_t place; /* 1 is the first; 0: in no heap */
} tl__heap_node;

/* All zero: empty. */
typedef struct tl__heap {
	tl__heap_node **nodes;
	size_t count, cap;
} tl__heap;

/* Puts it in, or moves it to another time. TL_OK or TL_E_NOMEM; never fails for one that is in. */
int tl__heap_set(tl__heap *heap, tl__heap_node *node, uint64_t at) TL_MUST_USE;
void tl__heap_remove(tl__heap *heap, tl__heap_node *node); /* one that is in none is fine */
/* The one with the least time; NULL when it is empty. */
tl__heap_node *tl__heap_first(const tl__heap *heap);
/* Releases what it needed; the nodes are the caller's. */
void tl__heap_free(tl__heap *heap);

#endif
