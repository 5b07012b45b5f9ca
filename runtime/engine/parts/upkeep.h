/* Upkeep of the store in the background: dead state rows are taken out, a slice at a time, so that
 * neither commits nor what peers wait for stand behind it. */
#ifndef TL_ENGINE_UPKEEP_H
#define TL_ENGINE_UPKEEP_H

#include "base/map.h"
#include "tree/tree.h"

/* Rows looked at in one go, and how long a slice takes no further go. */
#define TL__UPKEEP_ROWS     256
#define TL__UPKEEP_SLICE_MS 2
/* After a slice the store rests so many times as long as the slice took. */
#define TL__UPKEEP_REST_FACTOR 128
#define TL__UPKEEP_REST_MIN_MS 50
#define TL__UPKEEP_REST_MAX_MS 10000

/* Goes through the databases in turns; a database that did not change since its last turn is passed
 * over. Belongs to one thread at a time. */
typedef struct tl__upkeep {
	tl__tree *tree;
	tl__map done; /* database -> arrivals when its last turn began, as a number */
	/* Where it is. */
	tl_id db;
	uint64_t arrivals;
	bool in_db; /* in the middle of `db`; else behind it */
	bool begun; /* behind any database at all */
	bool in_store;
	tl__buf scope;    /* of the store it is in, or of the last one */
	tl__buf cursor;   /* within it */
	uint64_t dropped; /* rows taken out so far */
} tl__upkeep;

void tl__upkeep_init(tl__upkeep *upkeep, tl__tree *tree);
void tl__upkeep_free(tl__upkeep *upkeep);
/* One slice; blocks on the store. False when a round is through: nothing is to be done until
 * something changes. What cannot be read or written is logged and left until its database changes;
 * reads and `verify` report the damage itself. */
bool tl__upkeep_slice(tl__upkeep *upkeep);
/* How long to rest after a slice that took so long, in ms. */
uint64_t tl__upkeep_rest(uint64_t spent_ms);

#endif
