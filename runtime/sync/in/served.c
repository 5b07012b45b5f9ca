/* Exchanges that others begin: what a key gave or took of one database, request by request, until
 * it is quiet for a second. They are written down then, as ours are. Where many take part each is
 * written down more rarely, or every commit would write for everybody who is told of it. */
#include <string.h>
#include "sync/core/core.h"
#include "sync/in/serve.h"

#define KEY_BYTES (TL_KEY_BYTES + TL_ID_BYTES)

struct tl__served {
	char name[KEY_BYTES]; /* in the map */
	tl_key key;
	tl_id db;
	uint64_t began, last;     /* monotonic */
	uint64_t rests;           /* it is not written down before: it was a moment ago */
	tl__sync_outcome outcome; /* no entries: nothing since then */
	tl__served *next;
};

static tl_str name_of(const tl__served *served)
{
	return (tl_str){served->name, sizeof served->name};
}

static void enlist(tl__serve *serve, tl__served *served)
{
	served->next = NULL;
	*(serve->served_list ? &serve->served_last->next : &serve->served_list) = served;
	serve->served_last = served;
}

static tl__served *unlist_first(tl__serve *serve)
{
	tl__served *served = serve->served_list;

	serve->served_list = served->next;
	return served;
}

static void wake_at(tl__serve *serve, uint64_t at)
{
	if (at < serve->next_served)
		serve->next_served = at;
}

static void write_down(tl__sync *sync, tl__served *served)
{
	const tl__sync_outcome none = {0};

	served->outcome.milliseconds = served->last - served->began;
	tl__record_served(sync, &served->key, &served->db, &served->outcome);
	tl__sync_tell(sync, TL_EVENT_SYNC_FINISHED, &served->key, &served->db,
		served->outcome.entries, NULL);
	served->outcome = none;
	served->rests = sync->now + sync->serve->served.count * 1000 / TL__SERVED_PER_S;
}

/* Of those that are in no list. */
static void forget(tl__serve *serve, tl__served *served)
{
	(void)tl__map_remove(&serve->served, name_of(served));
	tl__free(served);
}

static void end_first(tl__sync *sync)
{
	tl__served *served = unlist_first(sync->serve);

	if (served->outcome.entries > 0)
		write_down(sync, served);
	forget(sync->serve, served);
}

/* NULL: no memory. */
static tl__served *begin(tl__sync *sync, const tl_key *key, const tl_id *db)
{
	tl__served *served = tl__alloc_zero(1, sizeof *served);

	if (!served)
		return NULL;
	memcpy(served->name, key->b, TL_KEY_BYTES);
	memcpy(served->name + TL_KEY_BYTES, db->b, TL_ID_BYTES);
	if (tl__map_set(&sync->serve->served, name_of(served), served) != TL_OK) {
		tl__free(served);
		return NULL;
	}
	served->key = *key;
	served->db = *db;
	enlist(sync->serve, served);
	if (sync->serve->served.count > TL__SERVED_MOST)
		end_first(sync);
	return served;
}

static tl__served *served_for(tl__sync *sync, const tl_key *key, const tl_id *db)
{
	char name[KEY_BYTES];
	tl__served *served;

	memcpy(name, key->b, TL_KEY_BYTES);
	memcpy(name + TL_KEY_BYTES, db->b, TL_ID_BYTES);
	served = tl__map_get(&sync->serve->served, (tl_str){name, sizeof name});
	if (!served)
		served = begin(sync, key, db);
	if (!served)
		return NULL;
	served->last = sync->now;
	if (served->outcome.entries == 0) {
		served->began = sync->now;
		served->outcome.started = sync->wall;
		wake_at(sync->serve, sync->now + TL__SERVED_QUIET_MS);
	}
	return served;
}

uint64_t tl__lines_bytes(const tl__work_page *page)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < page->count; i++)
		bytes += page->lines[i].len;
	return bytes;
}

void tl__served_gave(
	tl__sync *sync, const tl_key *key, const tl_id *db, uint64_t entries, uint64_t bytes)
{
	tl__pair *pair = tl__sync_find_pair(sync, key, db);
	tl__served *served = entries > 0 ? served_for(sync, key, db) : NULL;

	if (pair)
		pair->sent += entries;
	if (!served)
		return;
	served->outcome.entries += entries;
	served->outcome.bytes += bytes;
}

void tl__served_took(tl__sync *sync, const tl_key *key, const tl__work *work)
{
	tl__pair *pair = tl__sync_find_pair(sync, key, &work->db);
	tl__served *served = work->code == TL_OK && work->ingest.result.entered > 0
				     ? served_for(sync, key, &work->db)
				     : NULL;

	if (!served)
		return;
	if (pair)
		pair->received += work->ingest.result.entered;
	tl__outcome_took(&served->outcome, &work->ingest);
}

/* When it is to be written down, or has rested. */
static uint64_t ends_at(const tl__served *served)
{
	uint64_t quiet = served->last + TL__SERVED_QUIET_MS;
	uint64_t most = served->began + TL__SERVED_MOST_MS;

	if (served->outcome.entries == 0)
		return served->rests;
	quiet = quiet > served->rests ? quiet : served->rests;
	return quiet < most ? quiet : most;
}

/* A rest shorter than the quiet that is waited for changes nothing. */
static bool has_rested(const tl__sync *sync, const tl__served *served)
{
	return served->rests <= sync->now + TL__SERVED_QUIET_MS;
}

void tl__served_timer(tl__sync *sync)
{
	tl__serve *serve = sync->serve;
	tl__served *served = serve->served_list, *next;

	if (sync->now < serve->next_served)
		return;
	serve->next_served = UINT64_MAX;
	serve->served_list = NULL;
	for (; served; served = next) {
		next = served->next;
		if (served->outcome.entries > 0 && ends_at(served) <= sync->now)
			write_down(sync, served);
		if (served->outcome.entries == 0 && has_rested(sync, served)) {
			forget(serve, served);
		} else {
			wake_at(serve, ends_at(served));
			enlist(serve, served);
		}
	}
}

void tl__served_end(tl__sync *sync)
{
	while (sync->serve->served_list)
		end_first(sync);
	sync->serve->next_served = UINT64_MAX;
}

void tl__served_free(tl__sync *sync)
{
	while (sync->serve->served_list)
		tl__free(unlist_first(sync->serve));
	tl__map_free(&sync->serve->served);
}
