/* Ids, public keys and citations: equal, in order, in lists. */
#ifndef TL_MODEL_IDS_H
#define TL_MODEL_IDS_H

#include <stdbool.h>
#include <string.h>
#include <tidelock/types.h>
#include "base/buf.h"

static inline bool tl__id_equal(const tl_id *a, const tl_id *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool tl__key_equal(const tl_key *a, const tl_key *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Order of two ids, also as their texts have it; for qsort and bsearch. */
int tl__id_compare(const void *a, const void *b);
/* Puts them in ascending order, each once; how many are left. */
size_t tl__ids_unique(tl_id *ids, size_t count);

/* That a good entry cites `tip` of the delegated database `db`. With an id of zeros for `db`: all
 * that is handed on by what the entry `tip` names (tree/history/citations.c). With an id of which
 * each bit is turned round: for that database nothing of this matters, for the citations of it that
 * are beside are newer. */
typedef struct tl__citation {
	tl_id db, tip;
} tl__citation;

#define TL__CITATIONS_MAX 32 /* handed on one by one, but for an entry's own: a row of 2 KB */

static inline bool tl__id_is_zero(const tl_id *id)
{
	static const tl_id zero;

	return tl__id_equal(id, &zero);
}

/* Puts them in ascending order, each once; how many are left. */
size_t tl__citations_unique(tl__citation *at, size_t count);
/* Each bit turned round. */
tl_id tl__id_turned(const tl_id *id);
/* Makes of what the names of the entry `id` hand on, in any order, what it hands on itself: its own
 * citations, which are put in order, instead of others of the same databases. More than `most`
 * others become one that stands for them, and so do several such where there are own ones. Both
 * buffers are of tl__citation. */
int tl__citations_hand_on(tl__buf *all, tl__buf *own, const tl_id *id, size_t most) TL_MUST_USE;

/* A list that grows; zeroed it is empty. */
typedef struct tl__ids {
	tl_id *at;
	size_t count, cap;
} tl__ids;

int tl__ids_add(tl__ids *ids, const tl_id *id) TL_MUST_USE;
int tl__ids_add_all(tl__ids *ids, const tl_id *at, size_t count) TL_MUST_USE;
void tl__ids_sort(tl__ids *ids); /* ascending, each once */
bool tl__ids_equal(const tl__ids *a, const tl__ids *b);
void tl__ids_free(tl__ids *ids); /* the list is as new */
/* A visitor of ids that adds to the tl__ids in ud. */
int tl__ids_visit(void *ud, const tl_id *id);

#endif
