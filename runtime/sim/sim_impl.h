/* Inside of the simulator. */
#ifndef TL_SIM_SIM_IMPL_H
#define TL_SIM_SIM_IMPL_H

#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "sim/sim.h"
#include "sync/in/receipt.h"

#define TL__SIM_STORY_LINES 4096
#define TL__SIM_LINE        160
#define TL__SIM_PORT        ":1"

/* Something that will happen. What it is about lies behind it: it is the first member there. */
typedef struct tl__sim_item tl__sim_item;
struct tl__sim_item {
	uint64_t at, order;
	void (*happen)(tl__sim_item *item); /* frees it */
	void (*drop)(tl__sim_item *item);   /* the simulation ends first */
};

typedef struct tl__sim_flight tl__sim_flight; /* net.c */

typedef struct tl__sim_link tl__sim_link; /* carried.c */

typedef struct tl__sim_waiting { /* for a command */
	uint64_t op;
	tl__sim_result *result;
	struct tl__sim_waiting *next;
} tl__sim_waiting;

typedef struct tl__sim_commit { /* told to the core soon */
	tl_id db;
	uint64_t arrival;
	bool local;
	struct tl__fresh *fresh;
} tl__sim_commit;

struct tl__sim_peer {
	tl__sim *sim;
	tl__sim_peer *next;
	char name[64];
	char *folder;
	tl_sync_options options;
	tl_policy policy;
	int64_t skew_ms;
	bool v0_only, hanging;
	bool mute[TL__SIM_WAYS]; /* nothing passes there */
	unsigned group;
	tl_secret device;
	tl_key key;
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	/* The process: gone while dead. `life` counts them, so that what belonged to an earlier one
	 * is told apart. */
	unsigned life;
	tl__store *store; /* memory: outlives the process */
	tl__tree tree;
	tl__host host;
	tl__sync *core;
	tl__clock clock;
	tl__log log;
	tl__seeded tree_seed, core_seed;
	uint64_t incoming, ops;   /* last numbers given */
	uint64_t run_at, told_at; /* of the last work */
	tl__sim_commit *commits;
	size_t commit_count, commit_cap;
	bool in_work;
	tl__sim_waiting *waiting;
	uint64_t timer_at; /* when it was told the last time; UINT64_MAX: not yet */
	uint64_t spins;
	uint64_t events[TL__EVENT_KINDS];
};

typedef struct tl__sim_actor { /* a scripted peer */
	struct tl__sim_actor *next;
	char address[72];
	tl__sim_script script;
	void *ud;
} tl__sim_actor;

typedef struct tl__sim_count { /* requests by who, whom and path */
	struct tl__sim_count *next;
	const tl__sim_peer *from, *to;
	char path[40];
	uint64_t count;
} tl__sim_count;

struct tl__sim {
	uint64_t now, order;
	tl__seeded seed;
	tl__random random;
	tl__sim_net net;
	tl__verify_pool *pool;
	tl__sim_item **items; /* a heap: the earliest first */
	size_t item_count, item_cap;
	tl__sim_peer *peers;
	tl__sim_actor *actors;
	tl__sim_flight *flights;
	tl__sim_count *counts;
	uint64_t bytes, entries;
	tl__sim_link *links;
	uint64_t repeats, needless; /* entries that set out again; though nothing had broken */
	uint64_t breaks;
	char (*story)[TL__SIM_LINE];
	uint64_t story_lines;
	int code;
	tl_error *error; /* of `code` */
	size_t fail_at;  /* allocations of the cores until one fails; 0: none does */
	bool failed;
};

/* --- sim.c ------------------------------------------------------------------------------------ */

/* Stops the simulation with the thread's last error. */
void tl__sim_broken(tl__sim *sim, int code);
/* A zeroed item that happens at `at`; the caller fills what lies behind it. NULL: broken. */
void *tl__sim_plan(tl__sim *sim, size_t size, uint64_t at, void (*happen)(tl__sim_item *item),
	void (*drop)(tl__sim_item *item));
/* Uniform between both ends. */
uint64_t tl__sim_between(tl__sim *sim, uint32_t least, uint32_t most);

/* What is allocated between them is a core's (tl__sim_fail_alloc). */
void tl__sim_core_begins(const tl__sim *sim);
void tl__sim_core_ends(tl__sim *sim);

/* --- peer.c, drive.c -------------------------------------------------------------------------- */

void tl__sim_tell(tl__sim_peer *peer, const tl__sync_event *event);
void tl__sim_peer_free(tl__sim_peer *peer);
void tl__sim_forget_commits(tl__sim_peer *peer);
void tl__sim_note_commit(void *peer, const tl_id *db, uint64_t arrival, struct tl__fresh *fresh);
void tl__sim_forget_waiting(tl__sim_peer *peer);

/* --- net.c, flight.c -------------------------------------------------------------------------- */

/* Carry out actions of the core; the body of SEND and of the answers is taken. */
void tl__sim_send(tl__sim_peer *from, tl__sync_action *action);
void tl__sim_cancel(tl__sim_peer *from, uint64_t exchange);
void tl__sim_answer_with(tl__sim_peer *by, tl__sync_action *action);
/* The process of this peer is gone. */
void tl__sim_cut(tl__sim_peer *peer);
void tl__sim_flights_free(tl__sim *sim);

/* --- story.c ---------------------------------------------------------------------------------- */

void tl__sim_count_request(
	tl__sim *sim, const tl__sim_peer *from, const tl__sim_peer *to, const char *path);
/* What an answer says, in a few words. */
void tl__sim_describe(const char *path, int status, tl_str body, char out[80]);

/* --- carried.c -------------------------------------------------------------------------------- */

/* Counts what sets out, a request or an answer or a piece of one. */
void tl__sim_set_out(const tl__sim_flight *flight, const tl__buf *body);
/* It does not end well, so that one side may not know what the other has. */
void tl__sim_flight_broke(tl__sim_flight *flight);
/* The process of this peer is gone, and what it had not saved. */
void tl__sim_peer_broke(const tl__sim_peer *peer);
void tl__sim_links_free(tl__sim *sim);

#endif
