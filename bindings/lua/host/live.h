/* A loaded version of a policy script: what the engine asks, beside a shadow that it asks as well.
 * Made on the script thread, asked on the engine's, closed on the script thread again. */
#ifndef TL_LUA_LIVE_H
#define TL_LUA_LIVE_H

#include <pthread.h>
#include <tidelock/ext.h>
#include <tidelock/script.h>
#include "host/policy.h"

#define TLUA_UNITS_STEPS 32 /* powers of two */

/* Counts of a script, through all its versions. */
typedef struct tlua_tally {
	void (*log)(void *ud, tl_log_level level, const char *line);
	void *log_ud;
	pthread_mutex_t lock;             /* of what follows */
	uint64_t calls, failed, differed; /* the newest failure is at (failed - 1) % KEPT */
	uint64_t units[TLUA_UNITS_STEPS];
	struct tlua_failed {
		tlua_failure failure;
		int64_t time_ms;
	} failures[TLUA_FAILURES_KEPT];
	char first[TLUA_TEXT_MAX], last[TLUA_TEXT_MAX]; /* where a shadow differed */
	struct tlua_difference *differences; /* TL_SCRIPT_DIFFERENCES_MAX, from the first one on */
	size_t difference_count;
} tlua_tally;

/* Of a shadow, for questions of one kind by one peer. */
typedef struct tlua_difference {
	tlua_kind kind;
	char peer[TL_KEY_TEXT_LEN + 1]; /* "": it has proven no key */
	uint64_t count;
	char first[TLUA_TEXT_MAX], last[TLUA_TEXT_MAX];
} tlua_difference;

/* Units of which a part of all calls, in hundredths, took no more. */
uint64_t tlua_tally_part(const tlua_tally *tally, unsigned hundredths);
/* Counts the call that this cell has just ended. */
void tlua_tally_note(tlua_tally *tally, tlua_cell *cell, bool failed);

typedef struct tlua_live tlua_live;

/* Takes the policy over. `tally` outlives it; `dropped` is called with it on whatever thread lets
 * it go last, and closes it (tlua_live_close) on another. */
tlua_live *tlua_live_new(tlua_policy *policy, tlua_tally *tally,
	void (*dropped)(void *ud, tlua_live *live), void *ud);
void tlua_live_close(tlua_live *live);
void *tlua_live_owner(const tlua_live *live);     /* the ud */
tlua_live *tlua_live_next(const tlua_live *live); /* in a list of whoever has it */
void tlua_live_chain(tlua_live *live, tlua_live *next);
void tlua_live_release(tlua_live *live); /* NULL is fine */

/* What the core gets: these two, each of which may be NULL, held until it is dropped; `gone` is
 * called then, if it is not NULL. It frees itself with the policy's drop. */
typedef struct tlua_seat tlua_seat;
typedef struct tlua_seated {
	tlua_live *active, *shadow;
	bool denies; /* everything: the policy does not load */
	void (*gone)(void *ud, tlua_seat *seat);
	void *ud;
} tlua_seated;

/* NULL without memory. */
tlua_seat *tlua_seat_new(const tlua_seated *who, tl_policy *out);
/* For a node that is being opened: nobody is in it yet, and whoever asks waits for that, some
 * seconds at most, and is denied then. */
tlua_seat *tlua_seat_empty(tl_policy *out);
/* Those who are in it are asked from now on. */
void tlua_seat_fill(tlua_seat *seat, const tlua_seated *who);

#endif
