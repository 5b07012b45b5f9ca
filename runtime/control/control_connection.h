/* One client of the control socket: reading its request, running its call on a thread of its own,
 * writing the answer. Everything but the call happens on the control thread. */
#ifndef TL_CONTROL_CONNECTION_H
#define TL_CONTROL_CONNECTION_H

#include "control/control_server.h"

typedef enum tl__connection_state {
	TL__CONNECTION_FREE = 0,
	TL__CONNECTION_READING,
	TL__CONNECTION_RUNNING,
	TL__CONNECTION_WRITING
} tl__connection_state;

typedef struct tl__connection {
	tl_node *node;
	int wake; /* an event descriptor, raised when a call is done */
	tl__connection_state state;
	int fd;
	uint64_t since; /* when it came to its state; WRITING: when something was last taken */
	tl__buf line;   /* what was read and not yet answered */
	size_t end;     /* of the request in it */
	tl__buf out;    /* the answer */
	size_t sent;
	pthread_t thread; /* RUNNING */
	tl__control_job job;
	atomic_bool told; /* its client is told how the call goes */
	atomic_bool done;
} tl__connection;

void tl__connection_init(tl__connection *c, tl_node *node, int wake);
/* Takes the client's descriptor. */
void tl__connection_take(tl__connection *c, int fd);
/* Not while its call runs. */
void tl__connection_drop(tl__connection *c);
/* What poll() is to look for (.fd -1: nothing), and what happens when it came back. */
struct pollfd tl__connection_waits(const tl__connection *c);
void tl__connection_look(tl__connection *c, short events);
/* Tells the client how its call goes, when it asked for that. */
void tl__connection_tell(tl__connection *c);
/* Waits for the call under way, writes what can be written of its answer, and drops the client. */
void tl__connection_end(tl__connection *c);

#endif
