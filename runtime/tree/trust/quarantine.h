/* What is in quarantine, of all databases: its size, each sender's share and the oldest entries of
 * it at hand. Read once, when an entry first asks for room, then kept beside what is written. */
#ifndef TL_TREE_QUARANTINE_H
#define TL_TREE_QUARANTINE_H

#include <pthread.h>
#include "base/map.h"
#include "tree/tree.h"

typedef struct tl__share tl__share;
typedef struct tl__resident tl__resident;
struct tl__resident {
	tl_id db, id;
	uint32_t size;
	bool marked; /* a void entry cites it: it stays */
	tl__share *share;
	tl__resident *older, *younger; /* of the share */
	uint64_t leaves;               /* the turn in which it does */
};

/* What one sender has there. */
struct tl__share {
	char *sender;
	size_t sender_len;
	uint64_t count, bytes;
	tl__resident *oldest, *youngest;
	tl__share *previous, *next;
	/* In the turn of whoever makes room now: */
	uint64_t turn;
	uint64_t count_now, bytes_now;
	tl__resident *candidate;               /* that goes next */
	bool exhausted;                        /* nothing of it can go */
	size_t first_new, last_new, new_count; /* newcomers: places among the run's asides */
};

struct tl__quarantine {
	pthread_mutex_t lock;
	bool loaded;
	tl__map residents; /* db and id -> tl__resident */
	tl__map senders;   /* -> tl__share */
	tl__share *shares;
	uint64_t count, bytes;
	uint64_t turn;
};

int tl__quarantine_new(tl__quarantine **out) TL_MUST_USE;
void tl__quarantine_free(tl__quarantine *quarantine); /* NULL is fine */
/* After a write of asides or entries to a database, that came out well. */
void tl__quarantine_wrote(tl__tree *tree, const tl__batch *batch);

/* Begins a turn: reads what is there unless it is known, and locks it until the end. */
int tl__quarantine_begin(tl__tree *tree) TL_MUST_USE;
void tl__quarantine_end(tl__tree *tree);
/* Between the two. NULL: not there. */
tl__resident *tl__quarantine_find(const tl__quarantine *q, const tl_id *db, const tl_id *id);
/* The sender's, made when it has none; ready for this turn. NULL: no memory. */
tl__share *tl__quarantine_share(tl__quarantine *q, tl_str sender);
void tl__share_ready(const tl__quarantine *q, tl__share *share);
/* It is looked at last from now on. */
void tl__resident_last(tl__resident *resident);

#endif
