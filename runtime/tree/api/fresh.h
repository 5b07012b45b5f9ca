/* An entry of ours that just became visible, as whoever waits for it would read it back: so that it
 * can be passed on without a look at the store. Only what leaves no doubt has one. */
#ifndef TL_TREE_FRESH_H
#define TL_TREE_FRESH_H

#include "tree/trust/rights.h"

#define TL__FRESH_MAX_BYTES (60u * 1024)

typedef struct tl__fresh {
	tl_id db, id, parent; /* the only one */
	uint64_t arrival;
	uint8_t chain[32];
	tl__rights *rights; /* as they were with this arrival */
	size_t len;
	char bytes[]; /* canonical */
} tl__fresh;

/* Of a batch that was written and told to tl__rights_wrote. NULL where there is a doubt: it is
 * not one good entry with one parent, is long, or may have changed rights, or these are not at
 * hand; or memory is short. */
tl__fresh *tl__fresh_new(tl__tree *tree, const tl__batch *batch);
void tl__fresh_free(tl__fresh *fresh); /* NULL is fine */

#endif
