#include "base/number_set.h"

#include <tidelock/error.h>
#include "base/mem.h"

static size_t home(const tl__number_set *set, uint64_t number)
{
	number *= UINT64_C(0x9e3779b97f4a7c15);
	number ^= number >> 32;
	return (size_t)number & (set->cap - 1);
}

/* The slot of the number, or the free one where it would be. */
static size_t slot_of(const tl__number_set *set, uint64_t number)
{
	size_t at = home(set, number);

	while (set->slots[at] != 0 && set->slots[at] != number + 1)
		at = (at + 1) & (set->cap - 1);
	return at;
}

static int resize(tl__number_set *set, size_t cap)
{
	tl__number_set bigger = {tl__alloc_zero(cap, sizeof *bigger.slots), cap, set->count};

	if (!bigger.slots)
		return TL_E_NOMEM;
	for (size_t i = 0; i < set->cap; i++)
		if (set->slots[i] != 0)
			bigger.slots[slot_of(&bigger, set->slots[i] - 1)] = set->slots[i];
	tl__free(set->slots);
	*set = bigger;
	return TL_OK;
}

int tl__number_set_add(tl__number_set *set, uint64_t number)
{
	size_t at;

	if ((set->count + 1) * 4 > set->cap * 3) {
		int code = resize(set, set->cap ? set->cap * 2 : 64);

		if (code != TL_OK)
			return code;
	}
	at = slot_of(set, number);
	set->count += set->slots[at] == 0;
	set->slots[at] = number + 1;
	return TL_OK;
}

/* What follows without a gap moves up where its home allows it. */
static void close_gap(tl__number_set *set, size_t gap)
{
	size_t mask = set->cap - 1;

	for (size_t at = (gap + 1) & mask; set->slots[at] != 0; at = (at + 1) & mask) {
		size_t from = home(set, set->slots[at] - 1);

		if (((at - from) & mask) < ((at - gap) & mask))
			continue;
		set->slots[gap] = set->slots[at];
		gap = at;
	}
	set->slots[gap] = 0;
}

bool tl__number_set_remove(tl__number_set *set, uint64_t number)
{
	size_t at;

	if (set->count == 0)
		return false;
	at = slot_of(set, number);
	if (set->slots[at] == 0)
		return false;
	close_gap(set, at);
	set->count--;
	return true;
}

void tl__number_set_free(tl__number_set *set)
{
	tl__free(set->slots);
	*set = (tl__number_set){NULL, 0, 0};
}
