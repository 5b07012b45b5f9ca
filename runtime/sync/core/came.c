/* What came from whom. */
#include <string.h>
#include "sync/core/state.h"

void tl__came_add(tl__came *came, uint64_t arrival)
{
	tl__arrivals *last;

	if (!came || arrival == 0)
		return;
	last = came->count > 0 ? &came->ranges[came->count - 1] : NULL;
	if (last && arrival <= last->to)
		return; /* in order of arrival, so nothing new */
	came->version++;
	if (last && arrival == last->to + 1) {
		last->to = arrival;
		return;
	}
	if (came->count == TL__CAME_RANGES)
		memmove(came->ranges, came->ranges + 1, --came->count * sizeof *came->ranges);
	came->ranges[came->count++] = (tl__arrivals){arrival - 1, arrival};
}

uint64_t tl__came_after(const tl__came *came, uint64_t at)
{
	for (size_t i = 0; came && i < came->count; i++)
		if (came->ranges[i].from <= at && came->ranges[i].to > at)
			at = came->ranges[i].to;
	return at;
}
