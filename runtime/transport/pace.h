/* Is the other side still moving? No fixed total: an end for silence and an end for trickling. */
#ifndef TL_TRANSPORT_PACE_H
#define TL_TRANSPORT_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define TL__PACE_IDLE_MS   30000 /* default of every idle_ms */
#define TL__PACE_MIN_RATE  1024  /* default of every min_bytes_per_s */
#define TL__PACE_SWEEP_MAX 1000  /* ms between two looks at most */
#define TL__PACE_SWEEP_MIN 10

typedef struct tl__pace {
	uint64_t moved_ms; /* when something moved last */
	uint64_t since_ms; /* begin of the window the rate is measured over */
	uint64_t bytes;    /* in that window */
	uint64_t held_ms;  /* since when it is held */
	bool measuring, held;
} tl__pace;

typedef enum tl__pace_verdict { TL__PACE_GOOD, TL__PACE_SILENT, TL__PACE_SLOW } tl__pace_verdict;

/* A phase begins: silence is limited from now on, the rate from its first byte on. Ends a hold. */
void tl__pace_start(tl__pace *pace, uint64_t now);
void tl__pace_moved(tl__pace *pace, uint64_t now, uint64_t bytes);

/* Between the two we are the ones that wait, which is not held against the other side. Repeated
 * calls are fine. */
void tl__pace_hold(tl__pace *pace, uint64_t now);
void tl__pace_release(tl__pace *pace, uint64_t now);

/* Judges, and begins the next window when one is full (a window is idle_ms long). */
tl__pace_verdict tl__pace_look(
	tl__pace *pace, uint64_t now, uint32_t idle_ms, uint32_t min_bytes_per_s);

/* How often to look for this limit, in ms. */
uint32_t tl__pace_sweep_ms(uint32_t idle_ms);

/* Whether a look that was due at due_ms comes so late that it was us who stood still (a busy
 * machine, a stopped process): what peers sent meanwhile is still unread, so this look judges
 * nobody. */
bool tl__pace_stalled(uint64_t due_ms, uint64_t now, uint32_t sweep_ms);

#endif
