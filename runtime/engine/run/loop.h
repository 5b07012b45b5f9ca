/* The loop of ext.h over libuv: one thread turns it, any thread may post to it or stop it. */
#ifndef TL_ENGINE_LOOP_H
#define TL_ENGINE_LOOP_H

#include <tidelock/ext.h>

/* A loop that does not turn yet. *out is yours: tl__loop_free. TL_E_NOMEM, or TL_E_IO when the
 * system gives no descriptors. */
int tl__loop_new(tl_loop **out) TL_MUST_USE;

/* Turns the loop on this thread until it is stopped; at once when it was stopped before. Everything
 * that post() took before the stop is run before it returns. Blocks SIGPIPE for this thread, since
 * peers close sockets at any time. May be called once. */
void tl__loop_run(tl_loop *loop);

/* Ends tl__loop_run. post() gives TL_E_CLOSED from now on. Any thread, any number of times. */
void tl__loop_stop(tl_loop *loop);

/* For a loop inside another one, as tl_loop_fd, tl_loop_timeout and tl_loop_turn tell. */
int tl__loop_fd(const tl_loop *loop);
int tl__loop_timeout(tl_loop *loop, int *ms);
int tl__loop_turn(tl_loop *loop, bool wait);

/* How many turns there were: an idle loop has none. Any thread. */
uint64_t tl__loop_turns(const tl_loop *loop);

/* After tl__loop_run has returned and when no other thread can post any more. Whatever is still
 * watched or timed is closed without a call, and posts not yet run are forgotten (there are none
 * after tl__loop_run). NULL is fine. */
void tl__loop_free(tl_loop *loop);

#endif
