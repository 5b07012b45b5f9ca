/* What is to be written: gathered, then handed out as one work. A newer value of a local document
 * or of a record's path replaces the one that waits. What could not be gathered or written is
 * gathered again from the peers and pairs themselves. */
#include "sync/core/core.h"

#include <string.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

#define AGAIN_MS 10000 /* after a failure, unless a command wants it at once */

/* Somebody who waits until it is written: a command, or `done`. */
typedef struct waiting {
	tl__sync_saved done; /* NULL: a command */
	uint64_t owner;      /* its op */
	char *text;
	struct waiting *next;
} waiting;

typedef struct batch {
	tl__arena arena;
	tl__put_local *locals;
	size_t local_count, local_cap;
	tl__map local_at; /* key -> index + 1 */
	tl__work_record *records;
	size_t record_count, record_cap;
	tl__map record_at;
	waiting *waiters;
} batch;

struct tl__sync_save {
	batch *open;  /* gathering; NULL: nothing waits */
	bool now;     /* somebody waits for it */
	bool lost;    /* something is missing there, or was not written */
	bool missing; /* of what is gathered; peers and pairs can be asked again, the rest can not
		       */
	uint64_t due;
	batch *writing;
	uint64_t writing_owner;
};

int tl__sync_save_new(tl__sync *sync)
{
	sync->save = tl__alloc_zero(1, sizeof *sync->save);
	return sync->save ? TL_OK : TL_E_NOMEM;
}

static void drop_waiters(batch *b)
{
	while (b->waiters) {
		waiting *wait = b->waiters;

		b->waiters = wait->next;
		tl__free(wait->text);
		tl__free(wait);
	}
}

static void free_batch(batch *b)
{
	if (!b)
		return;
	drop_waiters(b);
	tl__map_free(&b->local_at);
	tl__map_free(&b->record_at);
	tl__arena_free(&b->arena);
	tl__free(b);
}

void tl__sync_save_free(tl__sync *sync)
{
	if (!sync->save)
		return;
	free_batch(sync->save->open);
	free_batch(sync->save->writing);
	tl__free(sync->save);
	sync->save = NULL;
}

static batch *open_batch(tl__sync *sync)
{
	tl__sync_save *save = sync->save;

	if (save->open)
		return save->open;
	save->open = tl__alloc_zero(1, sizeof *save->open);
	if (!save->open) {
		tl__sync_put_lost(sync);
		return NULL;
	}
	tl__map_init(&save->open->local_at);
	tl__map_init(&save->open->record_at);
	save->due = sync->now + (save->lost ? AGAIN_MS : TL__SYNC_SAVE_MS);
	return save->open;
}

void tl__sync_put_lost(tl__sync *sync)
{
	if (!sync->save->lost)
		tl__log_write(sync->log, TL_LOG_ERROR, "sync",
			"out of memory: what was learnt is stored later");
	sync->save->lost = sync->save->missing = true;
}

/* Index of the element to fill; (size_t)-1 when memory ran out. */
static size_t place(
	batch *b, tl__map *at, tl_str key, void **array, size_t *cap, size_t *count, size_t size)
{
	uintptr_t known = (uintptr_t)tl__map_get(at, key);

	if (known > 0)
		return (size_t)known - 1;
	if (tl__arena_grow(&b->arena, array, cap, *count, size) != TL_OK ||
		tl__map_set(at, key, (void *)(uintptr_t)(*count + 1)) != TL_OK)
		return (size_t)-1;
	return (*count)++;
}

void tl__sync_put_local(tl__sync *sync, tl_str key, tl_str value)
{
	batch *b = open_batch(sync);
	tl__put_local copy;
	size_t index;

	if (!b)
		return;
	copy.key = tl__arena_str(&b->arena, key);
	copy.value = tl__arena_str(&b->arena, value);
	/* A value that could not be copied must not look like one to be removed. */
	index = !copy.key.ptr || (value.ptr && !copy.value.ptr)
			? (size_t)-1
			: place(b, &b->local_at, key, (void **)&b->locals, &b->local_cap,
				  &b->local_count, sizeof *b->locals);
	if (index == (size_t)-1)
		tl__sync_put_lost(sync);
	else
		b->locals[index] = copy;
}

void tl__sync_put_text(tl__sync *sync, tl_str key, tl__buf *value)
{
	if (tl__buf_status(value) == TL_OK)
		tl__sync_put_local(sync, key, tl__buf_view(value));
	else
		tl__sync_put_lost(sync);
	tl__buf_free(value);
}

/* false: memory ran out. */
static bool copy_record(tl__arena *arena, tl__work_record *copy, const tl__work_record *record)
{
	bool good = true;

	*copy = *record;
	for (size_t i = 0; i < record->path_len; i++) {
		copy->path[i] = tl__arena_str(arena, record->path[i]);
		good = good && copy->path[i].ptr;
	}
	copy->text = tl__arena_str(arena, record->text);
	return good && (copy->text.ptr || !record->text.ptr);
}

void tl__sync_put_record(tl__sync *sync, const tl__work_record *record)
{
	batch *b = open_batch(sync);
	tl__buf key = TL__BUF_INIT;
	tl__work_record copy;
	size_t index = (size_t)-1;

	if (!b)
		return;
	tl__buf_text(&key, record->store);
	for (size_t i = 0; i < record->path_len; i++) {
		tl__buf_byte(&key, 0);
		tl__buf_str(&key, record->path[i]);
	}
	if (tl__buf_status(&key) == TL_OK && copy_record(&b->arena, &copy, record))
		index = place(b, &b->record_at, tl__buf_view(&key), (void **)&b->records,
			&b->record_cap, &b->record_count, sizeof *b->records);
	tl__buf_free(&key);
	if (index == (size_t)-1)
		tl__sync_put_lost(sync);
	else
		b->records[index] = copy;
}

static void tell_waiters(tl__sync *sync, batch *b, int code)
{
	for (const waiting *wait = b->waiters; wait; wait = wait->next) {
		if (wait->done)
			wait->done(sync, wait->owner, code);
		else if (code == TL_OK)
			tl__sync_complete(sync, wait->owner, TL_OK, NULL, wait->text);
		else
			tl__sync_complete_failed(sync, wait->owner, code);
	}
	drop_waiters(b);
}

/* Whatever is not stored is among it. What was to be removed is not, and is removed when that is
 * asked for again. */
static void gather_everything(tl__sync *sync)
{
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		tl__peer_save(sync, peer);
	for (const tl__sync_db *db = sync->dbs; db; db = db->next)
		if (db->pairs)
			tl__pair_save_relation(sync, &db->id);
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		pair->local_changed = true;
		tl__pair_changed(sync, pair);
	}
}

static tl__pair *unsaved_pair(const tl__sync *sync)
{
	tl__link *link = sync->unsaved_pairs.first;

	return link ? (tl__pair *)((char *)link - offsetof(tl__pair, unsaved)) : NULL;
}

static tl__peer *unsaved_peer(const tl__sync *sync)
{
	tl__link *link = sync->unsaved_peers.first;

	return link ? (tl__peer *)((char *)link - offsetof(tl__peer, unsaved)) : NULL;
}

/* Whether anything is to be written; those looked at in vain are off the list. */
static bool any_unsaved(tl__sync *sync)
{
	const tl__pair *pair;
	const tl__peer *peer;

	while ((pair = unsaved_pair(sync)) && !pair->local_changed)
		tl__list_take(&sync->unsaved_pairs);
	while ((peer = unsaved_peer(sync)) && !peer->local_changed)
		tl__list_take(&sync->unsaved_peers);
	return pair || peer;
}

/* Pairs whose counters moved since the last time. */
static void gather(tl__sync *sync)
{
	if (sync->save->lost) {
		sync->save->lost = false;
		gather_everything(sync);
	}
	for (tl__pair *pair; (pair = unsaved_pair(sync)); tl__list_take(&sync->unsaved_pairs))
		if (pair->local_changed)
			tl__pair_save(sync, pair);
	for (tl__peer *peer; (peer = unsaved_peer(sync)); tl__list_take(&sync->unsaved_peers))
		if (peer->local_changed) {
			peer->local_changed = false;
			tl__peer_save_local(sync, peer);
		}
}

static void saved(void *ud, tl__work *work);

static void write_batch(tl__sync *sync)
{
	tl__sync_save *save = sync->save;
	tl__work *work;
	batch *b;

	if (save->writing || !sync->loaded)
		return;
	gather(sync);
	b = save->open;
	if (!b)
		return;
	save->now = false;
	work = tl__sync_new_work(sync, TL__WORK_SAVE, NULL, saved, tl__sync_number(sync));
	if (!work || save->missing)
		tell_waiters(sync, b, tl__fail(TL_E_NOMEM, "no memory to store it; try again"));
	save->missing = false;
	if (!work) {
		save->due = sync->now + AGAIN_MS;
		return;
	}
	save->open = NULL;
	work->save.locals = b->locals;
	work->save.local_count = b->local_count;
	work->save.records = b->records;
	work->save.record_count = b->record_count;
	work->save.sync_db = sync->own_db;
	/* The work keeps its texts even if the core goes first. */
	work->arena = b->arena;
	b->arena = TL__ARENA_INIT;
	save->writing = b;
	save->writing_owner = work->owner;
	tl__sync_give_work(sync, work);
}

static void saved(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	tl__sync_save *save = sync->save;
	batch *b = save->writing;
	int code = work->code;

	if (code != TL_OK) {
		(void)tl__error_raise(work->error, code);
		tl__log_write(sync->log, TL_LOG_ERROR, "sync", "cannot store what was learnt: %s",
			tl_error_message(tl_last_error()));
		save->lost = true;
	}
	save->writing = NULL;
	if (b)
		tell_waiters(sync, b, code);
	free_batch(b);
	tl__work_free(work);
	if (save->now)
		write_batch(sync);
}

/* false: memory ran out. */
static bool wait_for(batch *b, tl__sync_saved done, uint64_t owner, const char *text)
{
	waiting *wait = tl__alloc_zero(1, sizeof *wait);
	waiting **end = &b->waiters;

	if (wait && text)
		wait->text = tl__copy_bytes(text, strlen(text));
	if (!wait || (text && !wait->text)) {
		tl__free(wait);
		return false;
	}
	wait->done = done;
	wait->owner = owner;
	while (*end)
		end = &(*end)->next;
	*end = wait;
	return true;
}

void tl__sync_save_now(tl__sync *sync, uint64_t op, const char *text)
{
	batch *b = open_batch(sync);

	if (!b || (op && !wait_for(b, NULL, op, text))) {
		tl__sync_complete_failed(sync, op, TL_E_NOMEM);
		return;
	}
	sync->save->now = true;
	write_batch(sync);
}

void tl__sync_save_then(tl__sync *sync, tl__sync_saved done, uint64_t owner)
{
	tl__sync_save *save = sync->save;
	batch *b = save->open ? save->open : save->writing;

	if (save->lost || (b && !wait_for(b, done, owner, NULL))) {
		done(sync, owner, tl__fail(TL_E_NOMEM, "no memory to store it; try again"));
	} else if (!b) {
		done(sync, owner, TL_OK);
	} else if (save->open) {
		save->now = true;
		write_batch(sync);
	}
}

void tl__sync_save_timer(tl__sync *sync)
{
	if (!sync->save->open && (sync->save->lost || any_unsaved(sync)))
		(void)open_batch(sync);
	if (sync->save->now || (sync->save->open && sync->now >= sync->save->due))
		write_batch(sync);
}

uint64_t tl__sync_save_due(const tl__sync *sync)
{
	if (!sync->save->open || sync->save->writing || !sync->loaded)
		return UINT64_MAX;
	return sync->save->due;
}
