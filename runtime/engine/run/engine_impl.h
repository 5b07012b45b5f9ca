/* Inside of the engine. Unless a comment says otherwise everything belongs to the loop's thread. */
#ifndef TL_ENGINE_ENGINE_IMPL_H
#define TL_ENGINE_ENGINE_IMPL_H

#include "base/map.h"
#include "base/sized.h"
#include "engine/run/engine.h"
#include "engine/run/loop.h"
#include "engine/parts/upkeep.h"
#include "engine/run/worker.h"

#define TL__ENGINE_MAX_TRANSPORTS 8
/* One that runs and one that still stops, of each transport: there are never more. */
#define TL__ENGINE_MAX_SERVERS (2 * TL__ENGINE_MAX_TRANSPORTS)
/* Request bodies being received, of all connections together. */
#define TL__ENGINE_MAX_INCOMING_BYTES (64u * 1024 * 1024)

typedef struct tl__outgoing tl__outgoing; /* client.c */
typedef struct tl__inbound tl__inbound;   /* serving.c */
typedef struct tl__pending tl__pending;   /* command.c */

/* A transport and how it serves. */
typedef struct tl__carrier {
	tl_transport *transport;
	tl__engine *engine;
	tl_serve_options serve;
	char *certificate_file, *key_file;
	bool can_serve;
	uint32_t dial_ms, idle_ms, min_bytes_per_s; /* of exchanges; 0 = its defaults */
} tl__carrier;

typedef struct tl__server {
	tl_server *handle; /* NULL: a free slot */
	tl__engine *engine;
	tl__carrier *carrier;
	tl_address address; /* as bound */
	bool stopping;
} tl__server;

/* A request of ours that could not be begun: told to the core before its next action is taken. */
typedef struct tl__failed {
	uint64_t exchange; /* 0: none */
	int code;
	char error[256];
} tl__failed;

struct tl__engine {
	tl_node *node;
	tl_loop *loop;
	tl__inbox *inbox;
	tl__worker *worker;
	pthread_t thread;
	tl__host host; /* the node's, for what it commits by itself */

	tl__sync *sync;
	tl_timer *timer;
	size_t jobs;       /* works on the store worker */
	tl__call *opening; /* waits for that */

	tl__carrier carriers[TL__ENGINE_MAX_TRANSPORTS];
	size_t carrier_count;
	tl__server servers[TL__ENGINE_MAX_SERVERS];
	tl__call *stop_servers; /* waits until all are stopped */
	tl__outgoing *outgoing;
	tl__inbound *inbound;
	tl__map inbound_by_number;
	size_t inbound_bytes;
	tl__failed failed;
	uint64_t numbers; /* last number given to an inbound request or a command */

	tl__pending *pending;
	tl__task abandon_task;

	/* Ending. */
	tl__call *closing;    /* waits for the end */
	uint64_t stop_number; /* of the STOP command */
	tl_timer *patience;

	pthread_mutex_t call_lock;
	pthread_cond_t call_done;

	/* Pinned snapshots that grew old are let go, dead rows taken out: on the store worker. */
	tl_timer *upkeep_timer;
	tl__job upkeep_job;
	tl__upkeep upkeep;
	uint64_t upkeep_rest; /* until the next time; set by the job */

	bool has_thread, has_host;
	bool keeping_up;
	bool pumping;
	bool loaded; /* the core has read what it remembers */
	bool core_stopped;
	bool ended; /* the thread is over: the core is told nothing any more */
	atomic_bool abandon_put;
};

/* --- driver.c --------------------------------------------------------------------------------- */

/* Tells the core and carries out what it wants. */
void tl__engine_tell(tl__engine *engine, const tl__sync_event *event);
/* The engine may be about to end: called whenever something it waits for is over. */
void tl__engine_maybe_end(tl__engine *engine);

/* --- client.c --------------------------------------------------------------------------------- */

/* Carries out SEND: takes action->send.body. */
void tl__client_send(tl__engine *engine, tl__sync_action *action);
void tl__client_cancel(tl__engine *engine, uint64_t exchange);
void tl__client_cancel_all(tl__engine *engine);

/* --- serving.c -------------------------------------------------------------------------------- */

extern const tl_server_calls tl__serving_calls; /* their ud is the tl__server */
/* Carry out the ANSWER… actions: take action->answer.body. */
void tl__serving_answer(tl__engine *engine, tl__sync_action *action);

/* --- servers.c -------------------------------------------------------------------------------- */

/* Tells the core where we can be reached now. */
void tl__servers_tell(tl__engine *engine);
/* Begins to stop all; stop_servers is ended when none is left. */
void tl__servers_stop(tl__engine *engine, uint32_t grace_ms);
bool tl__servers_running(const tl__engine *engine);
/* The core's `foresee`; ud is the engine. */
bool tl__carriers_foresee(void *ud, const tl_address *address, char *out, size_t cap);
/* Whether a transport is new enough to have this member. */
#define TL__HAS(transport, member) ((transport)->size >= TL__SIZED_UP_TO(tl_transport, member))
tl__carrier *tl__engine_carrier(tl__engine *engine, tl_str type); /* NULL: no such transport */
void tl__servers_free(tl__engine *engine);

/* --- command.c -------------------------------------------------------------------------------- */

void tl__command_complete(
	tl__engine *engine, uint64_t op, int code, const char *error, const char *text);
/* Ends all that nobody will complete any more. */
void tl__command_forget(tl__engine *engine);
/* Tells the core of operations that their users ended. */
void tl__command_abandoned(tl__engine *engine);

#endif
