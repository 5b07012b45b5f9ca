/* Inside of a node, for the files of this folder. */
#ifndef TL_ENGINE_NODE_IMPL_H
#define TL_ENGINE_NODE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include <tidelock/sync.h>
#include "engine/parts/commits.h"
#include "engine/parts/facts.h"
#include "engine/parts/hub.h"
#include "engine/parts/keys.h"
#include "tree/api/database.h"

#define TL__INCARNATION_BYTES 16

/* Local documents of a node. */
#define TL__LOCAL_INCARNATION "node/incarnation"

typedef struct tl__engine tl__engine;
typedef struct tl__control tl__control;

struct tl_node {
	atomic_size_t refs; /* of its opening, of hosts, calls and database handles */
	atomic_bool closed; /* its closing has begun */
	unsigned forks;     /* tl__fork_count of its opening */
	unsigned visits;    /* calls under way; of visit.c, like the next */
	tl_node *next_open;
	/* The rest is made at the opening, and never changes. */
	tl_log_sink user_log;
	void *user_log_ud;
	pthread_mutex_t log_lock; /* one call of the sink at a time */
	tl__log log;
	tl__log_seldom log_seldom;
	char *path; /* NULL: in memory */
	char *name;
	tl__store *store;
	tl__verify_pool *pool;
	tl__keys *keys;
	tl__tree tree;
	tl__hooks hooks;
	tl__host host;
	bool has_tree, has_hooks, has_host;
	tl__hub *hub;
	uint8_t incarnation[TL__INCARNATION_BYTES];
	tl__facts facts;
	tl_id sync_db; /* `_sync`, once it was made */
	bool has_sync_db;
	tl__commits commits; /* what the engine is to hear of */
	tl__engine *engine;  /* NULL without sync, and after the closing */
	tl__control
		*control; /* of who stands above: NULL, or `control_end` ends it at the closing */
	void (*control_end)(tl__control *control);
	_Atomic(const struct tl_control_calls *) host_calls; /* NULL: there are none */
};

/* tl_node_open without the control socket. */
int tl__node_open(tl_node **out, const tl_node_config *config) TL_MUST_USE;

void tl__node_release(tl_node *node);
/* TL_E_CLOSED once the node's closing has begun. */
int tl__node_check(const tl_node *node) TL_MUST_USE;

/* Reads the incarnation, or makes one: a store that was copied or restored gets another, so that
 * peers notice that its arrivals may not be those they know. */
int tl__node_load_incarnation(tl_node *node) TL_MUST_USE;
/* Learns the id of `_sync` if there is one. */
int tl__node_load_sync_db(tl_node *node) TL_MUST_USE;
typedef ptrdiff_t tl__import_read(void *ud, void *out, size_t cap);
/* How far an import has come; `read` may look at it. */
typedef struct tl__import_state {
	uint64_t lines; /* with entries */
	bool counted;   /* a line came that closes an export, and fits */
} tl__import_state;
/* tl_node_import, which see. `state` starts zeroed. */
int tl__node_import(tl_node *node, tl__import_read *read, void *ud, tl__import_state *state,
	tl_id *root, uint64_t *entered) TL_MUST_USE;
/* Tells the node's users: a line of the log, and an event (as tl__hub_tell). Any thread. */
void tl__node_tell(tl_node *node, const tl_event *event, const char *text);
/* Watches what becomes visible: events, and what the engine is to hear of. */
int tl__node_watch_commits(tl_node *node) TL_MUST_USE;

#endif
