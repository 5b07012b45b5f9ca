/* What a backend implements behind store.h. Private to runtime/store.
 *
 * A walk returns what ended it: TL_OK at its end, or whatever the visitor returned
 * (TL__STORE_STOP included, which store.h turns into TL_OK). */
#ifndef TL_STORE_BACKEND_H
#define TL_STORE_BACKEND_H

#include <pthread.h>
#include "base/system/env.h"
#include "base/map.h"
#include "store/store.h"

/* One write waiting for its turn, on the stack of the thread that waits. */
typedef struct tl__write {
	tl__batch *batch;
	int result;
	tl_error *error; /* kept, or NULL */
	bool done;
	struct tl__write *next;
} tl__write;

typedef struct tl__write_queue {
	tl__write *first;
	tl__write *last;
} tl__write_queue;

typedef struct tl__backend {
	/* A turn is begin, any number of apply, commit: by one thread at a time.
	 * Each apply is atomic: an error leaves nothing of that batch and does not touch the
	 * others. commit is the durability point; its error means that nothing of the turn took
	 * effect. After a failed begin nothing else is called. */
	int (*begin)(tl__store *store);
	int (*apply)(tl__store *store, tl__batch *batch);
	int (*commit)(tl__store *store);
	void (*close)(tl__store *store);
	int (*snapshot_open)(tl__store *store, bool warm, tl__snapshot **out);
	void (*snapshot_close)(tl__snapshot *s);
	tl__reads reads;
	int (*local)(tl__store *store, tl_str key, char **value, size_t *len);
	int (*locals)(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud);
	int (*key)(tl__store *store, tl_str name, char **value, size_t *len);
	int (*key_names)(tl__store *store, tl__name_visit visit, void *ud);
	int (*check)(tl__store *store, tl__finding finding, tl__go_on go_on, void *ud);
	int (*directory)(tl__store *store); /* NULL: none */
	/* may be NULL */
	int (*backup)(tl__store *store, const char *file, tl__copied copied, void *ud);
} tl__backend;

/* First member of each backend's store. */
struct tl__store {
	const tl__backend *backend;
	const tl__log *log; /* borrowed; may be NULL */
	const tl__clock *clock;
	pthread_mutex_t lock;
	pthread_cond_t turn; /* a turn has ended */
	tl__write_queue local, other;
	bool leading; /* somebody has the turn */
	bool last_was_local;
	size_t snapshots;
	tl__map newest; /* database -> its newest arrival, of those written lately */
	unsigned forks; /* tl__fork_count of its opening */
};

/* Readies the common part; undone by tl__store_base_free (for a failed open; tl__store_close does
 * it before the backend's close). TL_OK or TL_E_NOMEM. */
int tl__store_base_init(
	tl__store *store, const tl__backend *backend, const tl__log *log) TL_MUST_USE;
void tl__store_base_free(tl__store *store);

/* Chain hash of an arrival: SHA-256(previous || id). */
void tl__chain_next(uint8_t chain[32], const tl_id *id);

#endif
