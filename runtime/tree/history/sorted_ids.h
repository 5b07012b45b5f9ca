/* Ids in ascending order, each once; several such lists gone through as one. */
#ifndef TL_TREE_SORTED_IDS_H
#define TL_TREE_SORTED_IDS_H

#include <stdbool.h>
#include <tidelock/types.h>

#define TL__SORTED_MERGE_LISTS 19

/* Zeroed it is empty; `at` is released by its owner (tl__free). */
typedef struct tl__sorted_ids {
	tl_id *at;
	size_t count, cap;
} tl__sorted_ids;

bool tl__sorted_ids_add(tl__sorted_ids *list, const tl_id *id); /* false: no memory */
void tl__sorted_ids_remove(tl__sorted_ids *list, const tl_id *id);

/* Zeroed it has no lists; those it was given stay as they are meanwhile. */
typedef struct tl__sorted_merge {
	struct tl__sorted_reading {
		const tl__sorted_ids *list;
		size_t at;
	} lists[TL__SORTED_MERGE_LISTS];
	size_t count;
} tl__sorted_merge;

/* From behind `after` on (NULL: from the start). A list that is NULL is none. */
void tl__sorted_merge_add(tl__sorted_merge *merge, const tl__sorted_ids *list, const tl_id *after);
/* The next id, once; false at the end. */
bool tl__sorted_merge_next(tl__sorted_merge *merge, tl_id *out);

#endif
