/* Entries as anybody could make them. */
#ifndef SPEC_BENCH_FORGE_H
#define SPEC_BENCH_FORGE_H

#include "bare.h"

/* A line of a page: a child of `parent`, by that key as one of everybody, signed by it or by
 * another one. Its id, by which the next one can stand on it. */
tl_id forge_line(tl__buf *body, const tl_id *db, const tl_id *parent, const bare *by,
	uint64_t number, bool good);

#endif
