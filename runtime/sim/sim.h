/* Many peers in one thread, with virtual time and a virtual network: the cores of sync/ driven as
 * the engine drives them, but reproducible from a seed.
 *
 * Each peer is a real store, tree and sync core. Nothing happens by itself: tl__sim_run moves the
 * virtual clock from one event to the next. The same seed and the same calls give the same run.
 *
 * One thread; nothing blocks but the stores. What fails inside (memory, a store that does not open)
 * stops the simulation for good: ask tl__sim_status at the end. */

#ifndef TL_SIM_SIM_H
#define TL_SIM_SIM_H

#include <stdio.h>
#include "sync/sync.h"

typedef struct tl__sim tl__sim;
typedef struct tl__sim_peer tl__sim_peer;

/* --- network ---------------------------------------------------------------------------------- */

/* How messages travel, for every pair of peers. Chances are in 1/1000 and each message (a request,
 * an answer, a piece of one) has its own latency, so that messages overtake each other. */
typedef struct tl__sim_net {
	uint32_t latency_min_ms, latency_max_ms; /* one way */
	uint32_t loss;      /* of a request or an answer: the requester gives up after idle_ms */
	uint32_t duplicate; /* a request comes once more, up to replay_ms later */
	uint32_t replay_ms;
	uint32_t dial_ms; /* nobody can be reached: known after that */
	uint32_t idle_ms; /* nothing comes: given up after that */
	uint32_t cut_ms; /* something in between cuts what is silent for so long; 0: nothing does */
	uint32_t work_min_ms, work_max_ms; /* a store work takes so long, and so long to be told */
} tl__sim_net;

/* 1..1 ms, no losses, dial 10 s, idle 30 s, works at once. */
extern const tl__sim_net tl__sim_perfect;

/* --- the simulation --------------------------------------------------------------------------- */

/* *out is yours. TL_OK or TL_E_NOMEM. */
int tl__sim_new(tl__sim **out, uint64_t seed) TL_MUST_USE;
void tl__sim_free(tl__sim *sim); /* with all peers; NULL is fine */
void tl__sim_set_net(tl__sim *sim, const tl__sim_net *net);
/* TL_OK, or the code of the failure that stopped it, which becomes this thread's last error. */
int tl__sim_status(const tl__sim *sim) TL_MUST_USE;
uint64_t tl__sim_now(const tl__sim *sim); /* virtual ms since the start */
/* For choices of the specification itself, so that one seed fixes them too. */
uint64_t tl__sim_below(tl__sim *sim, uint64_t bound);
bool tl__sim_chance(tl__sim *sim, uint32_t per_mille);

/* Runs everything that is due within the next `ms`. */
void tl__sim_run(tl__sim *sim, uint64_t ms);
/* Runs until `done` says so, asked every `step_ms` (0: after each event); false after `ms`. */
bool tl__sim_run_until(tl__sim *sim, bool (*done)(tl__sim *sim, void *ud), void *ud,
	uint64_t step_ms, uint64_t ms);

/* --- peers ------------------------------------------------------------------------------------ */

typedef struct tl__sim_config {
	const char *name;   /* its device key is made from it; copied */
	const char *folder; /* data directory for SQLite; NULL: in memory. Borrowed */
	tl_sync_options options;
	tl_policy policy;
	int64_t skew_ms; /* its wall clock − the true one */
	/* Behaves towards others as a 0.2.0 node does: no path but /api/v0, no offer of v1. */
	bool v0_only;
} tl__sim_config;

/* Its core runs from now on; it listens at the address "http:NAME:1". The peer belongs to the
 * simulation. NULL: see tl__sim_status. */
tl__sim_peer *tl__sim_add(tl__sim *sim, const tl__sim_config *config);
const char *tl__sim_name(const tl__sim_peer *peer);
/* It listens at another address too, "http:NAME:2", which it does not tell of. */
#define TL__SIM_WAYS 2
void tl__sim_address_by(const tl__sim_peer *peer, unsigned way, tl_address *out); /* 0: the first */
const tl_key *tl__sim_key(const tl__sim_peer *peer);
void tl__sim_address(const tl__sim_peer *peer, tl_address *out);
tl__sync *tl__sim_core(tl__sim_peer *peer);                            /* NULL while it is dead */
tl__host *tl__sim_host(tl__sim_peer *peer);                            /* NULL while it is dead */
uint64_t tl__sim_events(const tl__sim_peer *peer, tl_event_kind kind); /* told so far */
/* Times its core wanted a timer that had just come and brought nothing: a busy loop, in the engine.
 */
uint64_t tl__sim_spins(const tl__sim_peer *peer);

/* The end of the process, at any moment: what the core had not saved is lost, requests under way
 * break, a SQLite store is closed (its folder may be copied or replaced meanwhile). No handle of a
 * database may be open. */
void tl__sim_kill(tl__sim_peer *peer);
/* A new process over the same store. */
void tl__sim_start(tl__sim_peer *peer);
int64_t tl__sim_wall(const tl__sim_peer *peer); /* its wall clock */
void tl__sim_set_skew(tl__sim_peer *peer, int64_t skew_ms);
/* The next process finds another incarnation of the store, as after opening a copy. */
void tl__sim_set_incarnation(tl__sim_peer *peer, uint8_t fill);
/* Peers of different groups do not reach each other (0 at the start). Messages under way between
 * them are lost. */
void tl__sim_partition(tl__sim_peer *peer, unsigned group);
void tl__sim_heal(tl__sim *sim);
/* From now on it behaves as a 0.2.0 node does, or no more. */
void tl__sim_set_v0_only(tl__sim_peer *peer, bool v0_only);
/* Nothing passes by one of its addresses, as if somebody had cut the way without a word. */
void tl__sim_set_mute(tl__sim_peer *peer, unsigned way, bool mute);
/* It takes requests and never answers: they hang. */
void tl__sim_set_hanging(tl__sim_peer *peer, bool hanging);

/* Key names for tl__sim_host: every name has a private key, the same on every peer; the device
 * key's name gives the peer's own. */
int tl__sim_secret(const char *name, tl_secret *out) TL_MUST_USE;
int tl__sim_public(const char *name, tl_key *out) TL_MUST_USE;

/* --- commands --------------------------------------------------------------------------------- */

typedef struct tl__sim_result {
	bool complete;
	int code;
	char error[256];
	char text[4096]; /* cut */
} tl__sim_result;

/* Gives the core a command (its op is set here) and runs the simulation until it is complete, at
 * most `ms` (0: does not wait). `result` (NULL: nobody looks) must live as long as the command. */
void tl__sim_command(
	tl__sim_peer *peer, tl__sync_command *command, tl__sim_result *result, uint64_t ms);

/* --- memory that runs out --------------------------------------------------------------------- */

/* The n-th allocation from now on that a core, its store work or an arriving answer makes fails,
 * and only that one (0: off); those of the simulator itself do not count. Returns whether the one
 * armed before has failed. */
bool tl__sim_fail_alloc(tl__sim *sim, size_t n);

/* --- strangers -------------------------------------------------------------------------------- */

/* An answer, whole. */
typedef struct tl__sim_answer {
	bool answered; /* false: none within the time, or it was cut off */
	int status;
	char content_type[80]; /* empty: none */
	tl__buf body;          /* yours: tl__buf_free */
	bool closes;           /* the connection is closed after it */
} tl__sim_answer;

/* A request of somebody who is no peer of the simulation, as it would come from the transport; runs
 * the simulation until it is answered, at most `ms`. `incoming` of the request is set here; a path
 * or length that no driver takes is answered with 404 or 413 as a driver does. */
void tl__sim_ask(
	tl__sim_peer *peer, const tl__sync_request *request, tl__sim_answer *answer, uint64_t ms);

/* What a scripted peer does with a request. Fill `answer`: answered false = it hangs. */
typedef void (*tl__sim_script)(void *ud, const tl__sync_request *request, tl__sim_answer *answer);

/* Answers at "http:NAME:1" by script: a liar, a relic, a black hole. */
void tl__sim_add_script(tl__sim *sim, const char *name, tl__sim_script script, void *ud);

/* --- looking ---------------------------------------------------------------------------------- */

/* Requests that left `from` for `to` (NULL: any), whose path begins with `path`. */
uint64_t tl__sim_requests(
	const tl__sim *sim, const tl__sim_peer *from, const tl__sim_peer *to, const char *path);
/* Bytes of request and answer bodies that were sent so far. */
uint64_t tl__sim_bytes(const tl__sim *sim);
/* Entries in them, of v1: one that is sent twice counts twice. */
uint64_t tl__sim_entries(const tl__sim *sim);
/* Of these, those that set out between the same two peers, either way, though they had before. */
uint64_t tl__sim_repeats(const tl__sim *sim);
/* And of those, the ones that went again though nothing had broken between the two since. */
uint64_t tl__sim_needless(const tl__sim *sim);
/* What broke: a request or answer was lost, cut or refused, a process at one end was killed. */
uint64_t tl__sim_breaks(const tl__sim *sim);

/* Everything replicas must agree on: entries in (height, id) order with height, verdict and the
 * hash of their bytes, tips, and every store's state as one Doc text; one line each, appended to
 * `out`. A database that is not held gives one line. */
void tl__sim_digest(tl__sim_peer *peer, const tl_id *db, tl__buf *out);
/* Whether all these (living) peers hold the same. */
bool tl__sim_same(tl__sim_peer *const *peers, size_t count, const tl_id *db);

/* The last things that happened, oldest first, one a line: time, who, whom, what, how it went. */
void tl__sim_story(const tl__sim *sim, FILE *to, size_t lines);
/* Adds a line of the specification's own. */
void tl__sim_note(tl__sim *sim, const char *format, ...) TL_FORMAT(2, 3);

#endif
