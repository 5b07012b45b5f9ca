/* What the files of the line `hostile` share: a hub with what strangers can make it look at, the
 * strangers, and attacks. */
#ifndef SPEC_BENCH_HOSTILE_H
#define SPEC_BENCH_HOSTILE_H

#include "hub.h"

#define STRANGERS 64
#define SOURCES   16 /* addresses that they come from */

typedef struct hostile {
	hub hub;
	tl_id db;   /* public, what the hub and its known peer keep in step */
	tl_id old;  /* an entry of it, not far from the end */
	tl_id head; /* its tip when the hub was started */
	tl_id many; /* with many tips, public */
	tl_id wall; /* where everybody may write */
	bare strangers[STRANGERS];
	bare unknown[TL__V1_MAX_KEYS]; /* keys that no settings name */
} hostile;

/* --- what they find (hostile_site.c) ---------------------------------------------------------- */

/* More databases in a directory with the seed of h->db. */
void site_furnish(hostile *h, const char *dir);
void site_certificate(char dir[SCRATCH_PATH]);

/* --- a known peer (hostile_probe.c) ----------------------------------------------------------- */

#define PROBES_PER_S 50.0
#define PROBE_MOST   1000 /* of one phase */

typedef struct probe {
	bare who;
	bare_line line;
	tl_str *entries;
	size_t count, next;
	double begun; /* of the one under way; 0: none */
	double due;
	unsigned lives;
	double seconds[PROBE_MOST]; /* until the hub said that it has the entry */
	size_t taken;
} probe;

/* Has `count` entries that stand behind the seed's. */
void probe_make(probe *p, size_t n, size_t count);
/* Does what is due. What goes wrong is tried again until the entry is there: that is its time. */
void probe_step(probe *p, const hub *h);
void probe_free(probe *p);

/* --- attacks (hostile_kinds.c) ---------------------------------------------------------------- */

/* Something that strangers do, for a while. */
typedef struct attack attack;
struct attack {
	const char *name;
	/* Makes what is needed for so long; what `step`, called often, and `end` get. */
	void *(*begin)(hostile *h, const attack *a, double seconds);
	void (*step)(void *ud, double since_begin); /* NULL: it goes by itself */
	size_t (*end)(void *ud);                    /* how much was done */
	double per_s;                               /* tried */
	/* Whole request number `i`, where it is done by requests. */
	void (*write)(hostile *h, size_t i, tl__buf *out);
	void (*prepare)(hostile *h); /* once, before all of it; NULL: nothing */
};

extern const attack attacks[];
extern const size_t attack_count;
/* Those of 0.2.0 (v0_hostile.c); none in a build without it (without_v0.c). */
extern const attack v0_attacks[];
extern const size_t v0_attack_count;

/* Requests made beforehand, one at a time on each of a few connections (hostile_flood.c). */
void *flood_begin(hostile *h, const attack *a, double seconds);
void flood_step(void *flood, double since_begin);
size_t flood_end(void *flood); /* how many were sent */

/* Connections that say nothing (hostile_silent.c). */
void *silence_begin(hostile *h, const attack *a, double seconds);
void *silence_begin_tls(hostile *h, const attack *a, double seconds);
void silence_step(void *silence, double since_begin);
size_t silence_end(void *silence); /* how many there were */

/* A peer whose answers are junk (hostile_junk.c). */
void *junk_begin_forged(hostile *h, const attack *a, double seconds);
void *junk_begin_repeated(hostile *h, const attack *a, double seconds);
size_t junk_end(void *junk); /* how many pages the hub took */

#endif
