/* Watches of others, as the files about them share them: who watches (serve_watcher.c), what is
 * held (serve_hold.c), how it is looked at and answered (serve_look.c), how it begins and ends
 * (serve_watch.c). */
#ifndef TL_SYNC_SERVE_WATCH_H
#define TL_SYNC_SERVE_WATCH_H

#include "sync/in/serve.h"

typedef struct tl__hold_line {
	tl__sync_db *db;
	uint64_t at;  /* it has got everything up to here */
	size_t place; /* among those that name the database */
} tl__hold_line;

/* Of a database that is not known here: it is told of at once, and nothing of it is held. */
#define TL__NO_LINE SIZE_MAX

/* A line that names a database. */
struct tl__named {
	tl__hold *hold;
	size_t line;
};

/* One who watches; remembered for a while behind its last watch. */
typedef struct tl__watcher {
	tl_key key;
	unsigned held;
	tl__heap_node due;   /* when it is forgotten; UINT64_MAX while something is held */
	uint64_t not_before; /* pace of pages, as of pushes */
	struct own {
		const tl__sync_db *db;
		tl__came came;
	} * own; /* of databases without a relation, else the relation has it */
	size_t own_count;
} tl__watcher;

struct tl__hold {
	tl__incoming *in;
	tl__watcher *watcher;
	tl__hold *next, **link;
	uint64_t until;
	uint32_t early; /* it may end so long before */
	tl__heap_node due;
	bool stranger;
	bool looking; /* a work looks at it */
	bool waits;   /* for its watcher's pace */
	bool ends;    /* at the next occasion, with whatever there is to tell */
	size_t count;
	tl__hold_line lines[];
};

/* --- serve_watcher.c -------------------------------------------------------------------------- */

/* NULL: no room, or no memory. */
tl__watcher *tl__watcher_for(tl__sync *sync, const tl_key *key);
void tl__watcher_began(tl__sync *sync, tl__watcher *watcher); /* one more is held */
void tl__watcher_ended(tl__sync *sync, tl__watcher *watcher); /* one less */
/* What came of db from this key, which is neither told nor pushed to it; NULL: nothing. */
const tl__came *tl__watcher_came(tl__sync *sync, const tl_key *from, const tl__sync_db *db);
void tl__watchers_forget(tl__sync *sync); /* who has not watched for long */
void tl__watchers_free(tl__sync *sync);

/* --- serve_hold.c ----------------------------------------------------------------------------- */

/* Of this request, without a line yet, with room for so many. NULL: no room. */
tl__hold *tl__hold_new(tl__sync *sync, tl__incoming *in, size_t count);
/* One more line: a database, and up to where the watcher has it. false: no memory. */
bool tl__hold_add(tl__sync *sync, tl__hold *hold, tl__sync_db *db, uint64_t at) TL_MUST_USE;
void tl__hold_due(tl__sync *sync, tl__hold *hold, uint64_t at);
tl__hold *tl__hold_first_due(tl__sync *sync); /* NULL: none is held */

/* --- serve_look.c ----------------------------------------------------------------------------- */

/* A look with room for so many databases. NULL: answered. */
tl__work *tl__look_new(tl__sync *sync, tl__hold *hold, size_t room);
/* A database that the watch names, held or not; and a line of it. false: no memory. */
tl__work_watched *tl__look_add_named(const tl__hold *hold, tl__work *work, const tl_id *db);
bool tl__look_add_line(tl__sync *sync, tl__hold *hold, tl__work *work, size_t index);
void tl__look_give(tl__sync *sync, tl__hold *hold, tl__work *work);
void tl__look_drop(tl__hold *hold, tl__work *work);
/* Looks at it, once its watcher's pace allows that. */
void tl__hold_wake(tl__sync *sync, tl__hold *hold);
/* Its time is over: it comes again at once, and is told what happens meanwhile. */
void tl__hold_end_quiet(tl__sync *sync, tl__hold *hold);
/* Answers, with whatever a look that is under way finds, or with nothing. */
void tl__hold_end(tl__sync *sync, tl__hold *hold);

#endif
