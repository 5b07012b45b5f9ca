/* What a backend implements behind store.h. Private to runtime/store.
 *
 * A walk returns what ended it: TL_OK at its end, or whatever the visitor returned
 * (TL__STORE_STOP included; the dispatcher turns that into TL_OK). */
#ifndef TL_STORE_BACKEND_H
#define TL_STORE_BACKEND_H

#include <pthread.h>
#include "base/system/env.h"
#include "base/map.h"
#include "store/store.h"

/* One write waiting for its turn, on the stack of the thread that waits. */
typedef struct tl__write {
	tl__batch *batch; /* or NULL: remove the state of `clear_name` in `clear_db` */
	const tl_id *clear_db;
	tl_str clear_name;
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
	/* A turn is begin, any number of apply and clear_state, commit: by one thread at a time.
	 * Each apply is atomic: an error leaves nothing of that batch and does not touch the
	 * others. commit is the durability point; its error means that nothing of the turn took
	 * effect. After a failed begin nothing else is called. */
	int (*begin)(tl__store *store);
	int (*apply)(tl__store *store, tl__batch *batch);
	int (*clear_state)(tl__store *store, const tl_id *db, tl_str name);
	int (*commit)(tl__store *store);
	void (*close)(tl__store *store);
	int (*snapshot_open)(tl__store *store, bool warm, tl__snapshot **out);
	void (*snapshot_close)(tl__snapshot *s);
	int (*databases)(tl__snapshot *s, tl__db_visit visit, void *ud);
	int (*database)(tl__snapshot *s, const tl_id *db, tl__db_row *out);
	int (*entries)(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
		unsigned with, tl__entry_visit visit, void *ud);
	int (*arrivals)(tl__snapshot *s, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
		unsigned with, tl__entry_visit visit, void *ud);
	int (*by_height)(tl__snapshot *s, const tl_id *db, tl_str store, const tl__stamp *after,
		size_t limit, unsigned with, tl__entry_visit visit, void *ud);
	int (*joint)(tl__snapshot *s, const tl_id *db, uint64_t upto, uint64_t *out);
	int (*children)(
		tl__snapshot *s, const tl_id *db, const tl_id *id, tl__entry_visit visit, void *ud);
	int (*members)(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *ids,
		size_t count, tl__member_visit visit, void *ud);
	int (*tips)(tl__snapshot *s, const tl_id *db, tl_str store, tl__id_visit visit, void *ud);
	int (*store_names)(tl__snapshot *s, const tl_id *db, tl__name_visit visit, void *ud);
	int (*frontier)(
		tl__snapshot *s, const tl_id *db, uint64_t frontier, tl__id_visit visit, void *ud);
	int (*state)(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *paths,
		size_t count, tl__state_visit visit, void *ud);
	int (*state_range)(tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix,
		tl_str after, size_t limit, tl__state_visit visit, void *ud);
	int (*asides)(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
		unsigned with, tl__aside_visit visit, void *ud);
	int (*aside_list)(tl__snapshot *s, const tl_id *db, tl__verdict verdict, uint64_t sequence,
		size_t limit, unsigned with, tl__aside_visit visit, void *ud);
	int (*waiters)(tl__snapshot *s, const tl_id *id, tl__waiter_visit visit, void *ud);
	int (*waits)(tl__snapshot *s, const tl_id *db, const tl_id *pending, tl__id_visit visit,
		void *ud);
	int (*needed)(tl__snapshot *s, const tl_id *id, bool *needed);
	int (*aside_usage)(tl__snapshot *s, tl__verdict verdict, tl_str sender, uint64_t *count,
		uint64_t *bytes);
	int (*local)(tl__store *store, tl_str key, char **value, size_t *len);
	int (*locals)(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud);
	int (*key)(tl__store *store, tl_str name, char **value, size_t *len);
	int (*key_names)(tl__store *store, tl__name_visit visit, void *ud);
	int (*changes)(tl__store *store, uint64_t *counter);
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

/* First member of each backend's snapshot; the dispatcher fills it. */
struct tl__snapshot {
	tl__store *store;
};

/* Readies the common part; undone by tl__store_base_free (for a failed open; tl__store_close does
 * it before the backend's close). TL_OK or TL_E_NOMEM. */
int tl__store_base_init(
	tl__store *store, const tl__backend *backend, const tl__log *log) TL_MUST_USE;
void tl__store_base_free(tl__store *store);

/* Chain hash of an arrival: SHA-256(previous || id). */
void tl__chain_next(uint8_t chain[32], const tl_id *id);

#endif
