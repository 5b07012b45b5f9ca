#include "transport/pace.h"

void tl__pace_start(tl__pace *pace, uint64_t now)
{
	*pace = (tl__pace){.moved_ms = now};
}

void tl__pace_moved(tl__pace *pace, uint64_t now, uint64_t bytes)
{
	if (!pace->measuring) {
		pace->measuring = true;
		pace->since_ms = now;
		pace->bytes = 0;
	}
	pace->bytes += bytes;
	pace->moved_ms = now;
}

void tl__pace_hold(tl__pace *pace, uint64_t now)
{
	if (pace->held)
		return;
	pace->held = true;
	pace->held_ms = now;
}

void tl__pace_release(tl__pace *pace, uint64_t now)
{
	if (!pace->held)
		return;
	pace->held = false;
	pace->moved_ms += now - pace->held_ms;
	pace->since_ms += now - pace->held_ms;
}

tl__pace_verdict tl__pace_look(
	tl__pace *pace, uint64_t now, uint32_t idle_ms, uint32_t min_bytes_per_s)
{
	uint64_t window;

	if (pace->held)
		return TL__PACE_GOOD;
	if (now >= pace->moved_ms + idle_ms)
		return TL__PACE_SILENT;
	window = now - pace->since_ms;
	if (!pace->measuring || window < idle_ms)
		return TL__PACE_GOOD;
	if (pace->bytes * 1000 < window * min_bytes_per_s)
		return TL__PACE_SLOW;
	pace->since_ms = now;
	pace->bytes = 0;
	return TL__PACE_GOOD;
}

uint32_t tl__pace_sweep_ms(uint32_t idle_ms)
{
	uint32_t ms = idle_ms / 4;

	if (ms > TL__PACE_SWEEP_MAX)
		return TL__PACE_SWEEP_MAX;
	return ms < TL__PACE_SWEEP_MIN ? TL__PACE_SWEEP_MIN : ms;
}

bool tl__pace_stalled(uint64_t due_ms, uint64_t now, uint32_t sweep_ms)
{
	return now > due_ms + sweep_ms;
}
