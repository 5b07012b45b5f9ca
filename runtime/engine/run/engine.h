/* The background engine of a node: a thread with the loop, the store worker, and the driver that
 * runs the pure core of sync/ in the real world. */
#ifndef TL_ENGINE_ENGINE_H
#define TL_ENGINE_ENGINE_H

#include "engine/parts/node_impl.h"
#include "sync/sync.h"

/* Starts it and waits until the core has loaded what it remembers. Sets node->engine. */
int tl__engine_open(tl_node *node, const tl_sync_options *options) TL_MUST_USE;
/* Sends what is due, for at most flush_ms. Nothing to do without engine. */
void tl__engine_flush(tl_node *node, uint32_t flush_ms);
/* Ends exchanges and servers, finishes what nobody will finish any more with TL_E_CLOSED, ends the
 * threads. Sets node->engine to NULL; no call may be under way. Nothing to do without engine. */
void tl__engine_close(tl_node *node);

/* --- calls: the calling thread waits ---------------------------------------------------------- */

/* One call on the engine's thread, usually on its caller's stack. `begin` runs there and sees to it
 * that tl__call_end comes, at once or later. */
typedef struct tl__call {
	tl__task task;
	void (*begin)(tl__engine *engine, struct tl__call *call);
	tl__engine *engine;
	bool done; /* under the engine's lock, as are the next ones */
	int code;
	tl_error *error;
	char *text; /* result; the caller's after the call */
} tl__call;

/* Runs the call and returns its code. TL_E_SYNC_NOT_ENABLED, TL_E_WOULD_BLOCK, TL_E_CLOSED. */
int tl__engine_call(tl_node *node, tl__call *call, const char *what) TL_MUST_USE;
/* On the engine's thread, once a call; with a code other than TL_OK the last error is passed on.
 * `text` (may be NULL) is copied. */
void tl__call_end(tl__call *call, int code, const char *text);

/* --- commands of the core --------------------------------------------------------------------- */

/* Gives the core a command and waits for its completion. *text (may be NULL) receives what it
 * produced and is yours (tl__free); NULL on failure. */
int tl__command_run(
	tl_node *node, const tl__sync_command *command, const char *what, char **text) TL_MUST_USE;
/* The same without waiting: *op (may be NULL) becomes the operation. Copies what it needs; secrets
 * are wiped afterwards. */
int tl__command_start(
	tl_node *node, const tl__sync_command *command, const char *what, tl_op **op) TL_MUST_USE;

/* Tells the core the node's private keys as they are now. */
int tl__engine_keys_changed(tl_node *node) TL_MUST_USE;

#endif
