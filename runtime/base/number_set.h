/* Set of numbers below UINT64_MAX: 8 bytes a slot, between a quarter and three quarters of them
 * used. For many numbers that nobody chose. */
#ifndef TL_BASE_NUMBER_SET_H
#define TL_BASE_NUMBER_SET_H

#include <stdbool.h>
#include <tidelock/types.h>

/* Zeroed it is empty. */
typedef struct tl__number_set {
	uint64_t *slots; /* number + 1; 0 is free */
	size_t cap;      /* 0 or a power of two */
	size_t count;
} tl__number_set;

/* TL_OK or TL_E_NOMEM. One that is there already stays. */
int tl__number_set_add(tl__number_set *set, uint64_t number) TL_MUST_USE;
/* Whether it was there. */
bool tl__number_set_remove(tl__number_set *set, uint64_t number);
void tl__number_set_free(tl__number_set *set); /* the set is as new */

#endif
