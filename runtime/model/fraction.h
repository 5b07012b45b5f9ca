/* The simplest fraction of an interval: the one with the smallest denominator, and of those the
 * smallest numerator. */
#ifndef TL_MODEL_FRACTION_H
#define TL_MODEL_FRACTION_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 tl__wide;

/* An end of an interval of numbers not below 0: whole + rest/denominator. */
typedef struct tl__end {
	tl__wide whole, rest, denominator;
	bool included;
	bool infinite;
} tl__end;

/* p/q in lowest terms in a non-empty interval. False when that needs more than 64 bits for one of
 * the two, and so would any other fraction in the interval. */
bool tl__fraction_simplest(tl__end low, tl__end high, uint64_t *p, uint64_t *q);

#endif
