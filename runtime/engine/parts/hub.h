/* What a node tells its users: done operations and events, and the descriptor that says so. It
 * outlives the node while an operation's handle does. Every function: any thread. */
#ifndef TL_ENGINE_HUB_H
#define TL_ENGINE_HUB_H

#include <tidelock/node.h>

#define TL__EVENTS_MAX    10000
#define TL__LISTENERS_MAX 16

typedef struct tl__hub tl__hub;

/* *out is yours: tl__hub_release. TL_E_IO when the system gives no descriptors. */
int tl__hub_new(tl__hub **out) TL_MUST_USE;
void tl__hub_release(tl__hub *hub); /* NULL is fine */

/* --- operations ------------------------------------------------------------------------------- */

/* An operation with one reference for the engine and, `held`, one for the user. NULL with the last
 * error set when memory ran out. */
tl_op *tl__op_new(tl__hub *hub, bool held);
/* Ends it, once: later calls do nothing. With a code other than TL_OK the calling thread's last
 * error becomes the operation's. `text` is copied; NULL: "". Gives up the engine's reference. NULL
 * is fine. */
void tl__op_finish(tl_op *op, int code, const char *text);
/* Called under the hub's lock, from any thread, when a user ends an operation that the engine still
 * works on; must only wake someone. NULL when nobody is to be woken any more. */
void tl__hub_on_abandon(tl__hub *hub, void (*call)(void *ud), void *ud);

/* Runs callbacks of done operations. */
void tl__hub_dispatch(tl__hub *hub);
/* Dispatches until tl__hub_stop. */
int tl__hub_run(tl__hub *hub) TL_MUST_USE;
void tl__hub_stop(tl__hub *hub); /* also in a signal handler */
/* Ends tl__hub_run on every thread, and for good. */
void tl__hub_end(tl__hub *hub);

/* --- events ----------------------------------------------------------------------------------- */

/* Copies the event; `text` NULL: "", else cut at what tl_event holds. Nothing is kept before the
 * first tl__hub_next_event or tl__hub_fd. Whatever cannot be kept is counted in the overflow event.
 */
void tl__hub_tell(tl__hub *hub, const tl_event *event, const char *text);
int tl__hub_next_event(tl__hub *hub, tl_event *out);
int tl__hub_fd(tl__hub *hub);

int tl__hub_listen(tl__hub *hub, const tl_listener *listener, uint64_t *handle) TL_MUST_USE;
void tl__hub_unlisten(tl__hub *hub, uint64_t handle);
/* Drops all of them: nobody tells any more. */
void tl__hub_unlisten_all(tl__hub *hub);

#endif
