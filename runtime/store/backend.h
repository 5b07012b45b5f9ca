/* What a backend implements behind store.h. Private to runtime/store. */
#ifndef TL_STORE_BACKEND_H
#define TL_STORE_BACKEND_H

#include "store/store.h"

typedef struct tl__backend {
	size_t size;
	const char *name;
	/* Applies the batches in order, each atomically, with one durability point at the end;
	 * fills each batch's result and entries' arrivals. Returns an error only if none took
	 * effect. Called by one thread at a time. */
	int (*apply)(tl__store *store, tl__batch **batches, size_t count);
	void (*close)(tl__store *store);
	int (*snapshot_open)(tl__store *store, tl__snapshot **out);
	void (*snapshot_close)(tl__snapshot *s);
	int (*databases)(tl__snapshot *s, tl__db_visit visit, void *ud);
	int (*database)(tl__snapshot *s, const tl_id *db, tl__db_row *out);
	int (*entries)(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
		unsigned with, tl__entry_visit visit, void *ud);
	int (*arrivals)(tl__snapshot *s, const tl_id *db, uint64_t from, uint64_t to, size_t limit,
		unsigned with, tl__entry_visit visit, void *ud);
	int (*by_height)(tl__snapshot *s, const tl_id *db, tl_str store, const tl__stamp *after,
		size_t limit, unsigned with, tl__entry_visit visit, void *ud);
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
	int (*aside_usage)(tl__snapshot *s, tl__verdict verdict, tl_str sender, uint64_t *count,
		uint64_t *bytes);
	int (*local)(tl__store *store, tl_str key, char **value, size_t *len);
	int (*locals)(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud);
	int (*key)(tl__store *store, tl_str name, char **value, size_t *len);
	int (*key_names)(tl__store *store, tl__name_visit visit, void *ud);
	int (*changes)(tl__store *store, uint64_t *counter);
	int (*check)(tl__store *store, tl__finding finding, void *ud);
	int (*clear_state)(tl__store *store, const tl_id *db, tl_str name);
	int (*backup)(tl__store *store, const char *file);
} tl__backend;

#endif
