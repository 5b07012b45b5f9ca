/* What a peer holds of a database, going by tips that it named, and a pass over the rest. Both go
 * on from slice to slice of a work. */
#ifndef TL_TREE_HELD_H
#define TL_TREE_HELD_H

#include "base/buf.h"
#include "work/work.h"

/* With more of them the search is given up quietly: what is not found is sent though it is known,
 * which does no harm. */
#define TL__HELD_MAX 100000

/* Tips and their ancestors as numbers of arrival. Zeroed and freed it is empty. */
typedef struct tl__held {
	uint64_t from;      /* everything up to here is held, or was not asked about */
	uint64_t *arrivals; /* held behind it: `count`, ascending */
	size_t count, cap;
	bool found; /* false: the search goes on */
	/* private */
	tl__buf ids; /* whose arrivals are looked up next, from the one `at` */
	size_t at;
	bool has_joint;
	uint64_t joint; /* the last one up to what was met; when has_joint */
	uint64_t *open; /* to be met: the largest first; may hold one several times */
	size_t open_count, open_cap;
} tl__held;

/* Of what arrived behind `from`. TL_OK or TL_E_NOMEM. */
int tl__held_begin(tl__held *held, const tl_id *tips, size_t count, uint64_t from) TL_MUST_USE;
/* The same when the tips may be exactly ours, whose last arrival is `head`: then all is held. */
int tl__held_begin_beside(tl__held *held, const tl_id *tips, size_t count, uint64_t from,
	const tl_id *ours, size_t our_count, uint64_t head) TL_MUST_USE;
/* Searches until it is found or the slice of the work is spent. */
int tl__held_find(tl__held *held, tl__snapshot *s, tl__work *work) TL_MUST_USE;
void tl__held_free(tl__held *held);

/* Over arrivals (at, upto] without those that are held or skipped. */
typedef struct tl__pass {
	uint64_t at, upto;
	const tl__held *held;
	const tl__arrivals *skip; /* ascending */
	size_t skip_count;
	size_t rows, max_rows; /* read in all, and when it is enough */
} tl__pass;

/* An entry was read: TL_OK when it was taken, TL__STORE_STOP to end the pass before it. */
typedef int (*tl__pass_visit)(void *ud, const tl__entry_row *row);
/* Whether nothing more is to be read. */
static inline bool tl__pass_ended(const tl__pass *pass)
{
	return pass->at >= pass->upto || pass->rows >= pass->max_rows;
}
/* Goes on until the end, a stop, or the slice of the work is spent. *stopped: by the visitor. */
int tl__pass_on(tl__pass *pass, tl__snapshot *s, tl__work *work, unsigned with,
	tl__pass_visit visit, void *ud, bool *stopped) TL_MUST_USE;

#endif
