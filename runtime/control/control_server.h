/* The control socket of a node: a thread that reads and writes for all connections, and one for
 * each call that is under way. */
#ifndef TL_CONTROL_SERVER_H
#define TL_CONTROL_SERVER_H

#include "base/buf.h"
#include "engine/parts/node_impl.h"

#define TL__CONTROL_FILE "control.sock"

/* Listens in the node's data directory. *out is yours. */
int tl__control_open(tl__control **out, tl_node *node) TL_MUST_USE;
/* Ends the threads and removes the socket. Calls that can be stopped are; other calls under way and
 * those in the queue are answered first, for up to TL__CONTROL_DRAIN_MS. NULL is fine. */
void tl__control_close(tl__control *control);

#define TL__CONTROL_DRAIN_MS 1000

/* The name of `control.sock` in a directory for connect and bind, through its descriptor and so
 * whatever the length of its path; without /proc it is made of `path`. -1 with errno set. */
struct sockaddr_un;
int tl__control_name(int directory, const char *path, struct sockaddr_un *out);

/* A call under way, between the thread that runs it and the one that talks to its client. */
typedef struct tl__control_job {
	void (*taken)(void *ud); /* the client asks to be told how it goes, and it begins */
	void *ud;
	int input; /* came with the request; -1: none */
	atomic_uint_fast64_t done, total;
	atomic_bool cancelled;
} tl__control_job;

/* How far it has come; false: it is to end with TL_E_CANCELLED. `job` is a tl__control_job. */
bool tl__control_progress(void *job, uint64_t done, uint64_t total);

/* One call: reads the request's line, runs it, appends the answer's line (with its end). */
void tl__control_answer(tl_node *node, tl_str request, tl__control_job *job, tl__buf *out);

/* Calls that move a whole database or store: entries from the job's input; a backup to an absolute
 * path (control_move.c). */
int tl__control_import(tl_node *node, tl__control_job *job, tl__buf *out);
int tl__control_backup(tl_node *node, tl_str file, tl__control_job *job, tl__buf *out);

#endif
