/* Clock and random source as vtables, so that pure parts and the simulator never ask the system. */
#ifndef TL_BASE_ENV_H
#define TL_BASE_ENV_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct tl__clock {
	uint64_t (*monotonic_ms)(void *ud); /* never goes back; origin unspecified */
	int64_t (*wall_ms)(void *ud);       /* Unix time */
	void *ud;
} tl__clock;

typedef struct tl__random {
	void (*fill)(void *ud, void *out, size_t len);
	void *ud;
} tl__random;

extern const tl__clock tl__system_clock;

/* A deterministic source for specs and the simulator (not for keys): same seed, same bytes. */
typedef struct tl__seeded {
	uint64_t state[4];
} tl__seeded;
tl__random tl__random_seeded(tl__seeded *memory, uint64_t seed);

uint64_t tl__random_u64(const tl__random *random);
/* Uniform in [0, bound); bound 0 gives 0. */
uint64_t tl__random_below(const tl__random *random, uint64_t bound);
/* UUID v4 in hyphenated lower case; out holds 37 bytes with the NUL. */
void tl__random_uuid(const tl__random *random, char out[37]);

/* RFC 3339 in UTC with milliseconds and offset, "2026-01-31T10:00:00.123+00:00"; 30 bytes with NUL.
 */
void tl__time_format(int64_t wall_ms, char out[30]);
/* Reads the same and any number of fraction digits (cut to ms), "Z" or "+hh:mm". */
int tl__time_parse(const char *text, size_t len, int64_t *wall_ms);

#endif
