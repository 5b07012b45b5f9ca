#include "tree/history/place.h"

#include <string.h>
#include "base/fail.h"
#include "model/ids.h"

int tl__stamp_compare(const tl__stamp *a, const tl__stamp *b)
{
	if (a->height != b->height)
		return a->height < b->height ? -1 : 1;
	return tl__id_compare(&a->id, &b->id);
}

void tl__place_clear(tl__place *place)
{
	memset(place->has, 0, sizeof place->has);
	tl__buf_clear(&place->value);
}

int tl__place_note(tl__place *place, const tl__state_row *row)
{
	if ((unsigned)row->kind > TL__STAMP_LEAF)
		return tl__fail(TL_E_STORE_DAMAGED, "a row of state is of no known kind");
	place->has[row->kind] = true;
	place->stamps[row->kind] = row->stamp;
	if (row->kind == TL__STAMP_LEAF)
		tl__buf_str(&place->value, row->value);
	return tl__buf_status(&place->value);
}

bool tl__place_is_dead(const tl__place *place, int kind, const tl__floor *floor)
{
	return place->has[kind] && floor->any &&
	       tl__stamp_compare(&place->stamps[kind], &floor->stamp) <= 0;
}

int tl__place_standing(const tl__place *place, const tl__floor *floor)
{
	int newest = -1;

	for (int kind = 0; kind < 3; kind++)
		if (place->has[kind] && (newest < 0 || tl__stamp_compare(&place->stamps[kind],
							       &place->stamps[newest]) > 0))
			newest = kind;
	return newest >= 0 && tl__place_is_dead(place, newest, floor) ? -1 : newest;
}

tl__floor tl__place_floor(const tl__place *place, int kind, tl__floor floor)
{
	for (int other = 0; other < 3; other++) {
		if (other == kind || !place->has[other] || tl__place_is_dead(place, other, &floor))
			continue;
		floor.any = true;
		floor.stamp = place->stamps[other];
	}
	return floor;
}
