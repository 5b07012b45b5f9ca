/* Whoever writes first becomes leader and applies everything waiting. */
#include "store/store.h"

#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "store/backend.h"

int tl__store_base_init(tl__store *store, const tl__backend *backend, const tl__log *log)
{
	store->backend = backend;
	store->log = log;
	store->clock = &tl__system_clock;
	store->forks = tl__fork_count();
	if (tl__fork_watch() != TL_OK)
		return TL_E_NOMEM;
	if (pthread_mutex_init(&store->lock, NULL) != 0)
		return tl__fail(TL_E_NOMEM, "no memory for the store's lock");
	if (pthread_cond_init(&store->turn, NULL) != 0) {
		pthread_mutex_destroy(&store->lock);
		return tl__fail(TL_E_NOMEM, "no memory for the store's queue");
	}
	tl__map_init(&store->newest);
	return TL_OK;
}

void tl__store_base_free(tl__store *store)
{
	tl__map_free(&store->newest);
	pthread_cond_destroy(&store->turn);
	pthread_mutex_destroy(&store->lock);
}

void tl__chain_next(uint8_t chain[32], const tl_id *id)
{
	uint8_t both[32 + TL_ID_BYTES];

	memcpy(both, chain, 32);
	memcpy(both + 32, id->b, TL_ID_BYTES);
	tl_sha256(both, sizeof both, chain);
}

/* --- the queue -------------------------------------------------------------------------------- */

static void push(tl__write_queue *queue, tl__write *write)
{
	if (queue->last)
		queue->last->next = write;
	else
		queue->first = write;
	queue->last = write;
}

static tl__write *pop(tl__write_queue *queue)
{
	tl__write *write = queue->first;

	if (!write)
		return NULL;
	queue->first = write->next;
	if (!queue->first)
		queue->last = NULL;
	write->next = NULL;
	return write;
}

static uint64_t now_ms(const tl__store *store)
{
	return store->clock->monotonic_ms(store->clock->ud);
}

/* A turn is for local commits or for the others, so that neither waits longer than a turn of the
 * other kind: a local commit does not become durable only behind a page of received entries. */
typedef struct turn {
	bool local;
	bool started;
	uint64_t deadline;
} turn;

static turn next_turn(tl__store *store)
{
	turn next = {.deadline = now_ms(store) + TL__STORE_TURN_MS};

	pthread_mutex_lock(&store->lock);
	next.local = store->local.first && !(store->last_was_local && store->other.first);
	store->last_was_local = next.local;
	pthread_mutex_unlock(&store->lock);
	return next;
}

/* The first write of its kind in any case; more while there is time and, for the others, while no
 * local commit waits. NULL ends the turn. */
static tl__write *next_write(tl__store *store, turn *now)
{
	bool late = now_ms(store) >= now->deadline;
	tl__write *write = NULL;

	pthread_mutex_lock(&store->lock);
	if (!now->started || (!late && (now->local || !store->local.first)))
		write = pop(now->local ? &store->local : &store->other);
	pthread_mutex_unlock(&store->lock);
	now->started = true;
	return write;
}

static void set_result(tl__write *write, int result)
{
	write->result = result;
	if (result != TL_OK && !write->error)
		write->error = tl__error_keep();
}

static void run(tl__store *store, tl__write *write)
{
	set_result(write, store->backend->apply(store, write->batch));
}

static void forget_arrivals(tl__batch *batch)
{
	for (size_t i = 0; batch && i < batch->entry_count; i++)
		batch->entries[i].arrival = 0;
}

/* Under the lock. */
static void note_newest(tl__store *store, const tl__batch *batch)
{
	tl_str key = tl__map_key_id(&batch->db);
	uint64_t newest = 0;

	for (size_t i = 0; i < batch->entry_count; i++)
		if (batch->entries[i].arrival > newest)
			newest = batch->entries[i].arrival;
	if (newest == 0)
		return;
	if (store->newest.count >= TL__STORE_MAX_NEWEST) {
		tl__map_free(&store->newest);
		tl__map_init(&store->newest);
	}
	if (tl__map_set(&store->newest, key, (void *)(uintptr_t)newest) != TL_OK)
		(void)tl__map_remove(&store->newest, key);
}

uint64_t tl__store_newest(tl__store *store, const tl_id *db)
{
	uint64_t newest;

	pthread_mutex_lock(&store->lock);
	newest = (uint64_t)(uintptr_t)tl__map_get(&store->newest, tl__map_key_id(db));
	pthread_mutex_unlock(&store->lock);
	return newest;
}

/* Hands out the results. What was applied and could not be made durable has failed too. */
static void finish(tl__store *store, tl__write *done, int commit_result)
{
	for (tl__write *write = done; write; write = write->next) {
		if (write->result == TL_OK)
			set_result(write, commit_result);
		if (write->result != TL_OK)
			forget_arrivals(write->batch);
	}
	pthread_mutex_lock(&store->lock);
	while (done) {
		tl__write *write = done;

		done = write->next; /* its memory is gone once its thread sees `done` */
		if (write->result == TL_OK && write->batch)
			note_newest(store, write->batch);
		write->done = true;
	}
	store->leading = false;
	pthread_cond_broadcast(&store->turn);
	pthread_mutex_unlock(&store->lock);
}

/* The caller has set `leading`, and something waits. */
static void lead(tl__store *store)
{
	turn now = next_turn(store);
	tl__write_queue done = {NULL, NULL};
	int begun = store->backend->begin(store);
	int result = begun;

	for (tl__write *write; (write = next_write(store, &now));) {
		if (begun == TL_OK)
			run(store, write);
		push(&done, write);
	}
	if (begun == TL_OK)
		result = store->backend->commit(store);
	finish(store, done.first, result);
}

static int enqueue(tl__store *store, tl__write *write, bool local)
{
	pthread_mutex_lock(&store->lock);
	push(local ? &store->local : &store->other, write);
	while (!write->done) {
		if (store->leading) {
			pthread_cond_wait(&store->turn, &store->lock);
			continue;
		}
		store->leading = true;
		pthread_mutex_unlock(&store->lock);
		lead(store);
		pthread_mutex_lock(&store->lock);
	}
	pthread_mutex_unlock(&store->lock);
	return write->result;
}

/* Makes the error of another thread this thread's own. */
static int raise_result(tl__write *write)
{
	int result = write->result;

	return tl__error_restore(write->error, result);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int check_entries(const tl__batch *batch)
{
	static const tl_id none;
	bool needs_db = batch->entry_count || batch->raise_count || batch->drop_count ||
			batch->aside_count || batch->drop_aside_count;

	if (needs_db && tl__id_equal(&batch->db, &none))
		return tl__fail(TL_E_BAD_ARGUMENT, "a batch with entries names no database");
	for (size_t i = 0; i < batch->entry_count; i++)
		if (batch->entries[i].verdict != TL__VERIFIED &&
			batch->entries[i].verdict != TL__VOID)
			return tl__fail(
				TL_E_BAD_ARGUMENT, "only verified and void entries enter the DAG");
	for (size_t i = 0; i < batch->aside_count; i++)
		if (batch->asides[i].verdict != TL__INVALID &&
			batch->asides[i].verdict != TL__PENDING)
			return tl__fail(TL_E_BAD_ARGUMENT,
				"only invalid and pending entries are set aside");
	return TL_OK;
}

/* Heights fit signed numbers, so that every backend can compare them. */
static int check_height(uint64_t height)
{
	if (height > INT64_MAX)
		return tl__fail(TL_E_BAD_ARGUMENT, "a height is beyond 2^63 - 1");
	return TL_OK;
}

static int check_heights(const tl__put_entry *entry)
{
	int rc = check_height(entry->height);

	for (size_t i = 0; rc == TL_OK && i < entry->store_count; i++)
		rc = check_height(entry->stores[i].height);
	return rc;
}

static int check_stamps(const tl__raise *stamps, size_t count)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		if (stamps[i].path.len == 0 || stamps[i].kind > TL__STAMP_LEAF)
			return tl__fail(TL_E_BAD_ARGUMENT, "a stamp needs a path and a known kind");
		rc = check_height(stamps[i].stamp.height);
	}
	return rc;
}

static int check_batch(const tl__batch *batch)
{
	int rc = check_stamps(batch->raises, batch->raise_count);

	if (rc == TL_OK)
		rc = check_stamps(batch->drops, batch->drop_count);
	for (size_t i = 0; rc == TL_OK && i < batch->entry_count; i++)
		rc = check_heights(&batch->entries[i]);
	if (rc != TL_OK)
		return rc;
	for (size_t i = 0; i < batch->local_count; i++)
		if (batch->locals[i].value.ptr &&
			batch->locals[i].value.len > TL__STORE_MAX_LOCAL_BYTES)
			return tl__fail(TL_E_TOO_LARGE,
				"local document \"%.*s\" has %zu bytes, at most %u are kept",
				TL__STR_ARG(batch->locals[i].key), batch->locals[i].value.len,
				TL__STORE_MAX_LOCAL_BYTES);
	return check_entries(batch);
}

int tl__store_write(tl__store *store, tl__batch *batch)
{
	tl__write write = {.batch = batch};

	forget_arrivals(batch);
	batch->error = NULL;
	batch->result = tl__store_own(store);
	if (batch->result == TL_OK)
		batch->result = check_batch(batch);
	if (batch->result != TL_OK)
		return batch->result;
	batch->result = enqueue(store, &write, batch->local_commit);
	return raise_result(&write);
}

/* --- snapshots -------------------------------------------------------------------------------- */

static void count_snapshot(tl__store *store, int step)
{
	pthread_mutex_lock(&store->lock);
	store->snapshots = (size_t)((ptrdiff_t)store->snapshots + step);
	pthread_mutex_unlock(&store->lock);
}

static int open_snapshot(tl__store *store, bool warm, tl__snapshot **out)
{
	bool full;
	int rc = tl__store_own(store);

	*out = NULL;
	if (rc != TL_OK)
		return rc;
	pthread_mutex_lock(&store->lock);
	full = store->snapshots >= TL__STORE_MAX_SNAPSHOTS;
	store->snapshots += !full;
	pthread_mutex_unlock(&store->lock);
	if (full)
		return tl__fail(TL_E_BUSY,
			"%d snapshots are open, which is the most; close transactions and "
			"cursors that are done",
			TL__STORE_MAX_SNAPSHOTS);
	rc = store->backend->snapshot_open(store, warm, out);
	if (rc != TL_OK) {
		count_snapshot(store, -1);
		return rc;
	}
	(*out)->store = store;
	(*out)->reads = &store->backend->reads;
	return TL_OK;
}

int tl__snapshot_open(tl__store *store, tl__snapshot **out)
{
	return open_snapshot(store, false, out);
}

int tl__snapshot_open_warm(tl__store *store, tl__snapshot **out)
{
	return open_snapshot(store, true, out);
}

/* The last error stays what it was: closing is often what follows a failure. */
void tl__snapshot_close(tl__snapshot *snapshot)
{
	tl__errors errors;
	tl__store *store;

	if (!snapshot || tl__store_inherited(snapshot->store))
		return;
	tl__errors_begin(&errors);
	store = snapshot->store;
	store->backend->snapshot_close(snapshot);
	count_snapshot(store, -1);
	(void)tl__errors_end(&errors, TL_OK);
}

/* --- at the present, and upkeep ----------------------------------------------------------------- */

int tl__read_local(tl__store *store, tl_str key, char **value, size_t *len)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->local(store, key, value, len) : rc;
}

int tl__read_locals(tl__store *store, tl_str prefix, tl__local_visit visit, void *ud)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? tl__walked(store->backend->locals(store, prefix, visit, ud)) : rc;
}

int tl__read_key(tl__store *store, tl_str name, char **value, size_t *len)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->key(store, name, value, len) : rc;
}

int tl__read_key_names(tl__store *store, tl__name_visit visit, void *ud)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? tl__walked(store->backend->key_names(store, visit, ud)) : rc;
}

int tl__store_check(tl__store *store, tl__finding finding, tl__go_on go_on, void *ud)
{
	int rc = tl__store_own(store);

	return rc == TL_OK ? store->backend->check(store, finding, go_on, ud) : rc;
}

int tl__store_backup(tl__store *store, const char *file, tl__copied copied, void *ud)
{
	int rc = tl__store_own(store);

	if (rc != TL_OK)
		return rc;
	if (!store->backend->backup)
		return tl__fail(TL_E_UNSUPPORTED,
			"a store in memory has no backup; export its databases instead");
	return store->backend->backup(store, file, copied, ud);
}

int tl__store_directory(tl__store *store)
{
	return store->backend->directory ? store->backend->directory(store) : -1;
}

int tl__store_own(const tl__store *store)
{
	return tl__fork_check(store->forks);
}

bool tl__store_inherited(const tl__store *store)
{
	return tl__fork_inherited(store->forks);
}

/* In a forked child the store's threads are missing, and what closing writes is not the child's to
 * write: its memory is left alone. */
void tl__store_close(tl__store *store)
{
	tl__errors errors;

	if (!store || tl__store_inherited(store))
		return;
	tl__errors_begin(&errors);
	tl__store_base_free(store);
	store->backend->close(store);
	(void)tl__errors_end(&errors, TL_OK);
}
