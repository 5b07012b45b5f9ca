/* Exchanges that others begin: what a key gave or took of one database, request by request, until
 * it is quiet for a second. They are written down then, as ours are. */
#include <string.h>
#include "sync/core/core.h"
#include "sync/in/serve.h"

#define KEY_BYTES (TL_KEY_BYTES + TL_ID_BYTES)

struct tl__served {
	char name[KEY_BYTES]; /* in the map */
	tl_key key;
	tl_id db;
	uint64_t began, last; /* monotonic */
	tl__sync_outcome outcome;
	tl__served *next;
};

static tl_str name_of(const tl__served *served)
{
	return (tl_str){served->name, sizeof served->name};
}

/* Oldest first. */
static void enlist(tl__serve *serve, tl__served *served)
{
	tl__served **end = &serve->served_list;

	while (*end)
		end = &(*end)->next;
	*end = served;
}

static void end_first(tl__sync *sync)
{
	tl__served *served = sync->serve->served_list;

	sync->serve->served_list = served->next;
	(void)tl__map_remove(&sync->serve->served, name_of(served));
	served->outcome.milliseconds = served->last - served->began;
	tl__record_served(sync, &served->key, &served->db, &served->outcome);
	tl__sync_tell(sync, TL_EVENT_SYNC_FINISHED, &served->key, &served->db,
		served->outcome.entries, NULL);
	tl__free(served);
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
	served->began = sync->now;
	served->outcome.started = sync->wall;
	enlist(sync->serve, served);
	if (sync->serve->next_served > sync->now + TL__SERVED_QUIET_MS)
		sync->serve->next_served = sync->now + TL__SERVED_QUIET_MS;
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
	if (served)
		served->last = sync->now;
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

static uint64_t ends_at(const tl__served *served)
{
	uint64_t quiet = served->last + TL__SERVED_QUIET_MS;
	uint64_t most = served->began + TL__SERVED_MOST_MS;

	return quiet < most ? quiet : most;
}

void tl__served_timer(tl__sync *sync)
{
	tl__served *rest = NULL, **end = &rest;

	if (sync->now < sync->serve->next_served)
		return;
	sync->serve->next_served = UINT64_MAX;
	while (sync->serve->served_list) {
		tl__served *served = sync->serve->served_list;
		uint64_t at = ends_at(served);

		if (at <= sync->now) {
			end_first(sync);
			continue;
		}
		if (at < sync->serve->next_served)
			sync->serve->next_served = at;
		sync->serve->served_list = served->next;
		served->next = NULL;
		*end = served;
		end = &served->next;
	}
	sync->serve->served_list = rest;
}

void tl__served_end(tl__sync *sync)
{
	while (sync->serve->served_list)
		end_first(sync);
	sync->serve->next_served = UINT64_MAX;
}

void tl__served_free(tl__sync *sync)
{
	while (sync->serve->served_list) {
		tl__served *served = sync->serve->served_list;

		sync->serve->served_list = served->next;
		tl__free(served);
	}
	tl__map_free(&sync->serve->served);
}
