/* By continued fractions: when no integer lies in the interval, its ends share the whole part; that
 * is taken off, and the interval of the reciprocals looked at. */
#include "model/fraction.h"

#include <stddef.h>

#define TERMS_MAX 200 /* of a continued fraction: each two steps halve a 128-bit number */

/* From the last term up: whole + 1/(next + 1/...). False when that is no 64-bit fraction. */
static bool evaluate(const tl__wide *terms, size_t count, uint64_t *p, uint64_t *q)
{
	tl__wide n = terms[count - 1], d = 1;

	if (n > UINT64_MAX)
		return false;
	for (size_t i = count - 1; i-- > 0;) {
		tl__wide up;

		if (terms[i] > UINT64_MAX)
			return false;
		up = terms[i] * n + d;
		if (up > UINT64_MAX)
			return false;
		d = n;
		n = up;
	}
	*p = (uint64_t)n;
	*q = (uint64_t)d;
	return true;
}

/* 1 over what is left of `e` above `whole`, an integer at most one below it. */
static tl__end turned(const tl__end *e, tl__wide whole)
{
	tl__wide part = e->whole > whole ? e->denominator : e->rest;

	if (part == 0)
		return (tl__end){.infinite = true};
	return (tl__end){e->denominator / part, e->denominator % part, part, e->included, false};
}

bool tl__fraction_simplest(tl__end low, tl__end high, uint64_t *p, uint64_t *q)
{
	tl__wide terms[TERMS_MAX];
	size_t count = 0;

	while (count < TERMS_MAX) {
		tl__wide least = low.whole + !(low.included && low.rest == 0);
		tl__end next;

		if (high.infinite || least < high.whole ||
			(least == high.whole && (high.rest > 0 || high.included))) {
			terms[count++] = least;
			return evaluate(terms, count, p, q);
		}
		terms[count++] = low.whole;
		next = turned(&high, low.whole);
		high = turned(&low, low.whole);
		low = next;
	}
	return false;
}
