/* What the files of the bench share: measuring, the lines printed, databases of standard entries,
 * processes. A step that fails ends the program with a sentence; figures are never made up. */
#ifndef SPEC_BENCH_H
#define SPEC_BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <tidelock/tidelock.h>
#include "scratch.h"

#define REPEATS 3

/* --- lines (measure.c) ------------------------------------------------------------------------ */

/* A member that is negative (or NULL) is not printed. */
typedef struct bench_line {
	const char *bench, *part;
	int64_t at, n, keys, writers;
	double per_s, median_ms, p99_ms, ratio;
	const char *of;
	int64_t bytes, round_trips;
	double client_mib, server_mib;
	/* of hubs */
	int64_t clients;
	double all_ms, kib_each, core; /* core: percent of one */
	double loop_us, worker_us, pool_us;
	double quiet_p99_ms;
} bench_line;

bench_line line_of(const char *bench);
void line_print(const bench_line *line);

double now_s(void); /* monotonic */
void nap_ms(long ms);
/* Sorts the values. `part` 0.5 is the median. */
double quantile(double *values, size_t count, double part);
double median(double *values, size_t count);
/* Sets median_ms and p99_ms from seconds. */
void line_times(bench_line *line, double *seconds, size_t count);
/* What was asked for on the command line or all; quick runs use small databases. */
extern bool bench_quick;

/* Ends the program with a sentence. */
_Noreturn void give_up(const char *what, const char *why);
/* The same unless the code is TL_OK (the condition holds). */
static inline void need(int code, const char *what)
{
	if (code != TL_OK)
		give_up(what, tl_error_message(tl_last_error()));
}

static inline void need_that(bool condition, const char *what)
{
	if (!condition)
		give_up(what, "did not happen");
}

/* --- yardsticks (yardstick.c, raw_http.c) ----------------------------------------------------- */

/* Operations a second, measured now; the first time its line is printed. Names: verify verify2 sign
 * fdatasync point_read raw_http. */
double yardstick(const char *name);
bool is_yardstick(const char *name);
double measure_raw_http(void);

/* --- databases (seed.c) ----------------------------------------------------------------------- */

/* Everything the bench writes is below this; removed at the end. */
const char *work_dir(void);
void work_remove(void);
/* A new path below it. */
void work_path(char out[SCRATCH_PATH], const char *name);
void copy_dir(const char *from, const char *to);

/* Opens a node in a directory (NULL: memory). */
tl_node *open_store(const char *dir, tl_durability durability); /* without sync */
tl_node *open_peer(const char *dir);                            /* relaxed, with HTTP */
const char *iroh_path(void);
/* Whether there is a plugin; else stderr says that `line` is left out. */
bool iroh_is_there(const char *line);
void enable_iroh(tl_node *node); /* on loopback, without relays */
tl_database *open_db(tl_node *node, const tl_id *id, const char *key_name); /* key may be NULL */

#define KEY_NAME "writer"
#define STORE    "data"
#define SETUP    2 /* entries before the standard ones: root, public reading */

/* Commits one standard entry: key number `key`, a value of 100 bytes. */
void commit_one(tl_database *db, uint64_t key);

/* Written by the key of that name; only its own. */
tl_database *new_db(tl_node *node);
void open_to_everybody(tl_database *db, tl_permission permission);

/* A directory with a node that wrote a database of `n` standard entries, each with a key of its
 * own, readable by everybody. Made once a run; never open it, copy it. */
const char *seed_dir(size_t n, tl_id *id);
/* The directory of another node with the same entries. */
const char *twin_dir(size_t n, tl_id *id);
/* Their canonical bytes, one a line. The file is made once. */
const char *seed_lines(size_t n);
uint64_t arrivals(tl_database *db);

/* --- bytes at the sockets of this process (wire.c) -------------------------------------------- */

typedef struct wire_count {
	uint64_t bytes;       /* sent and received on connections that this process opened */
	uint64_t round_trips; /* requests: turns from receiving to sending there */
	uint64_t connections;
} wire_count;
/* From now on requests of ours for a watch end before they are sent, or not any more: peers then
 * push, as they do where nothing is watched. */
void wire_refuse_watches(bool refuse);
void wire_reset(void);
wire_count wire_read(void);

/* --- a peer that speaks v0 only (relay.c) ----------------------------------------------------- */

/* Passes one handshake on to `server` and takes the offer of v1 out of the answer, so that whoever
 * dials it takes the server for a peer of version 0.2.0. */
typedef struct relay relay;
relay *relay_start(const tl_address *server, tl_address *at);
void relay_stop(relay *relay);

/* --- processes (process.c) -------------------------------------------------------------------- */

typedef struct child {
	pid_t pid;
	int in, out; /* its standard input and output */
} child;

/* This program again, in the role of its arguments (closed by NULL). */
child child_start(const char *const *arguments);
/* Next line of its output without the newline; ends the program when there is none. */
void child_line(child *c, char *out, size_t size);
/* Closes its input and waits; ends the program when it failed. */
void child_end(child *c);
/* Peak resident memory of this process in MiB. */
double peak_mib(void);

/* --- what processes use (threads.c) ----------------------------------------------------------- */

/* Seconds that threads ran: the sync loop's, the store worker's, the verify pool's, all. */
typedef struct cpu_use {
	double loop, worker, pool, all;
} cpu_use;
cpu_use cpu_of(pid_t pid);
cpu_use cpu_between(cpu_use before, cpu_use after);
/* KiB: "VmRSS" now, "VmHWM" at most. */
double memory_of(pid_t pid, const char *what);

/* --- subjects --------------------------------------------------------------------------------- */

void bench_ingest_memory(void);
void bench_ingest_sqlite(void);
void bench_verify_store(void);
void bench_commit(void);
void bench_commit_full(void);
void bench_get(void);
void bench_rows(void);
void bench_bootstrap_http(void);
void bench_bootstrap_iroh(void);
void bench_bootstrap_v0(void);
void bench_increment(void);
void bench_propagation(void);
void bench_propagation_iroh(void);
void bench_pairs(void);
void bench_watch(void);
void bench_watch_iroh(void);
void bench_iroh_idle(void);
void bench_flush(void);
void bench_hostile(void);
void bench_policy(void);
void bench_gate(void);
void bench_reload(void);

/* Roles of child processes: exit status. */
int role_server(const char *dir, const char *protocol);
int role_hub(const char *dir, const char *db, const char *tls_dir);
int role_client(const char *dir, const char *address, const char *db, const char *protocol);

#endif
