/* What became visible in the store, noted on the thread that wrote it and told to the core on the
 * loop's: for each database only the newest arrival. */
#ifndef TL_ENGINE_COMMITS_H
#define TL_ENGINE_COMMITS_H

#include <pthread.h>
#include <stdbool.h>
#include <tidelock/types.h>
#include "engine/parts/inbox.h"
#include "tree/api/fresh.h"

#define TL__COMMITS_MAX_FRESH 64 /* databases whose new entry is at hand; the rest is read */

typedef struct tl__commit {
	tl_id db;
	uint64_t arrival;
	bool local;
	tl__fresh *fresh; /* the only thing that became visible; NULL: it has to be read */
} tl__commit;

typedef struct tl__commits {
	pthread_mutex_t lock;
	tl__task task;
	tl__commit *at;
	size_t count, cap;
	bool put;         /* the task is in the inbox */
	tl__inbox *inbox; /* NULL: nobody listens */
} tl__commits;

void tl__commits_init(tl__commits *commits);
void tl__commits_free(tl__commits *commits);
/* From now on `task` runs on the loop's thread when there is something to take; inbox NULL: nothing
 * is noted any more. */
void tl__commits_attach(tl__commits *commits, tl__inbox *inbox, void (*task)(tl__task *task));
/* Any thread; takes `fresh` over. false when memory ran out: the commit is not noted. */
bool tl__commits_note(tl__commits *commits, const tl__commit *commit);
/* Takes all; *at is yours (tl__commits_drop). */
size_t tl__commits_take(tl__commits *commits, tl__commit **at);
void tl__commits_drop(tl__commit *at, size_t count);

#endif
