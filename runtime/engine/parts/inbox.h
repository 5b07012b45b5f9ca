/* Work handed to the loop's thread without fail: tasks are linked through themselves, so neither
 * memory nor a full queue can lose one. */
#ifndef TL_ENGINE_INBOX_H
#define TL_ENGINE_INBOX_H

#include <stdbool.h>
#include <tidelock/ext.h>

typedef struct tl__task tl__task;
struct tl__task {
	tl__task *next; /* private while put */
	void (*call)(tl__task *task);
};

typedef struct tl__inbox tl__inbox;

/* Before the loop turns, or on its thread. *out is yours: tl__inbox_free. */
int tl__inbox_new(tl__inbox **out, tl_loop *loop) TL_MUST_USE;
/* From any thread: `call` runs on the loop's thread, in the order of putting. The task must live
 * until then and may be freed in its call. false after the closing: the call will not come. */
bool tl__inbox_put(tl__inbox *inbox, tl__task *task);
/* On the loop's thread: runs what was put, and refuses from then on. */
void tl__inbox_close(tl__inbox *inbox);
/* On the loop's thread or when it has ended; after the closing. NULL is fine. */
void tl__inbox_free(tl__inbox *inbox);

#endif
