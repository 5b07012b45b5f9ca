/* The store worker: one thread that does everything that may wait for the disk, so that the loop
 * never does. Parties take turns there (turns.h). */
#ifndef TL_ENGINE_WORKER_H
#define TL_ENGINE_WORKER_H

#include "engine/parts/inbox.h"
#include "engine/run/turns.h"

typedef struct tl__job tl__job;
struct tl__job {
	tl__task task;              /* task.call: told on the loop's thread when the work is done */
	void (*work)(tl__job *job); /* on the worker's thread */
	void (*prepare)(tl__job *job); /* NULL: nothing is. When it becomes the next of its party;
					  never blocks; either thread */
	tl__turn turn;                 /* turn.party: on whose behalf */
	bool keeps_place;              /* until it is done, the others of its party wait */
	bool again;    /* set by `work`: it is not done, and is called once more in its next turn */
	bool prepared; /* private */
};

typedef struct tl__worker tl__worker;

/* Starts the thread. *out is yours: tl__worker_free. */
int tl__worker_new(tl__worker **out, tl__inbox *inbox) TL_MUST_USE;
/* On the loop's thread; jobs of one party are done in order. The job must live until task.call, and
 * may be freed there. */
void tl__worker_do(tl__worker *worker, tl__job *job);
/* Within `work`: whether it is to end soon, because others wait or all is to end. */
bool tl__worker_others_wait(tl__worker *worker, const tl__job *job);
/* From now on a job that is not done is told all the same, with `again` set. */
void tl__worker_hurry(tl__worker *worker);
/* Ends the thread after the jobs that wait; what they tell comes with the closing of the inbox.
 * NULL is fine. */
void tl__worker_free(tl__worker *worker);

#endif
