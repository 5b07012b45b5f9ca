/* Who watches, remembered for a while behind its last watch: how many are held of it, its pace, and
 * what came from it of databases without a relation. Few, so that no stranger fills memory. */
#include "sync/in/serve_watch.h"

#include <stddef.h>
#include <string.h>

static tl_str map_key(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

/* It is in its heap, which never fails. */
static void watcher_due(tl__sync *sync, tl__watcher *watcher, uint64_t at)
{
	(void)!tl__heap_set(&sync->serve->watcher_dues, &watcher->due, at);
}

static tl__watcher *find_watcher(tl__sync *sync, const tl_key *key)
{
	return tl__map_get(&sync->serve->watchers, map_key(key));
}

unsigned tl__serve_watches_of(const tl__sync *sync, const tl_key *peer)
{
	const tl__watcher *watcher = tl__map_get(&sync->serve->watchers, map_key(peer));

	return watcher ? watcher->held : 0;
}

tl__watcher *tl__watcher_for(tl__sync *sync, const tl_key *key)
{
	tl__watcher *watcher = find_watcher(sync, key);

	if (watcher)
		return watcher;
	if (sync->serve->watchers.count >= 2 * (size_t)TL__SERVE_MAX_WATCHES)
		return NULL;
	watcher = tl__alloc_zero(1, sizeof *watcher);
	if (!watcher)
		return NULL;
	if (tl__heap_set(&sync->serve->watcher_dues, &watcher->due, UINT64_MAX) != TL_OK ||
		tl__map_set(&sync->serve->watchers, map_key(key), watcher) != TL_OK) {
		tl__heap_remove(&sync->serve->watcher_dues, &watcher->due);
		tl__free(watcher);
		return NULL;
	}
	watcher->key = *key;
	return watcher;
}

static void free_watcher(tl__watcher *watcher)
{
	tl__free(watcher->own);
	tl__free(watcher);
}

static tl__came *own_of(tl__watcher *watcher, const tl__sync_db *db, bool make)
{
	struct own *bigger;

	for (size_t i = 0; i < watcher->own_count; i++)
		if (watcher->own[i].db == db)
			return &watcher->own[i].came;
	if (!make || watcher->own_count == TL__SERVE_WATCHER_DBS)
		return NULL;
	bigger = tl__resize(watcher->own, watcher->own_count + 1, sizeof *bigger);
	if (!bigger)
		return NULL;
	watcher->own = bigger;
	bigger[watcher->own_count] = (struct own){.db = db};
	return &bigger[watcher->own_count++].came;
}

static void keep(tl__sync *sync, tl__watcher *watcher)
{
	if (watcher->held > 0)
		return;
	watcher_due(sync, watcher, sync->now + TL__SERVE_WATCHER_MS);
}

const tl__came *tl__watcher_came(tl__sync *sync, const tl_key *from, const tl__sync_db *db)
{
	const tl__pair *pair = tl__sync_find_pair(sync, from, &db->id);
	tl__watcher *watcher = pair ? NULL : find_watcher(sync, from);

	if (pair)
		return &pair->came;
	return watcher ? own_of(watcher, db, false) : NULL;
}

/* Whoever comes back brings what it wrote meanwhile before it watches again. It takes no place that
 * a watch may need. */
tl__came *tl__serve_came(tl__sync *sync, const tl_key *from, const tl__sync_db *db)
{
	tl__watcher *watcher = sync->serve->watchers.count < TL__SERVE_MAX_WATCHES
				       ? tl__watcher_for(sync, from)
				       : find_watcher(sync, from);

	if (!watcher)
		return NULL;
	keep(sync, watcher);
	return own_of(watcher, db, true);
}

void tl__watcher_began(tl__sync *sync, tl__watcher *watcher)
{
	watcher->held++;
	watcher_due(sync, watcher, UINT64_MAX);
}

void tl__watcher_ended(tl__sync *sync, tl__watcher *watcher)
{
	watcher->held--;
	keep(sync, watcher);
}

void tl__watchers_forget(tl__sync *sync)
{
	tl__heap_node *node;

	while ((node = tl__heap_first(&sync->serve->watcher_dues)) && node->at <= sync->now) {
		tl__watcher *watcher = (tl__watcher *)((char *)node - offsetof(tl__watcher, due));

		tl__heap_remove(&sync->serve->watcher_dues, node);
		(void)tl__map_remove(&sync->serve->watchers, map_key(&watcher->key));
		free_watcher(watcher);
	}
}

void tl__watchers_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *watcher;

	while (tl__map_next(&sync->serve->watchers, &at, &key, &watcher))
		free_watcher(watcher);
	tl__map_free(&sync->serve->watchers);
	tl__heap_free(&sync->serve->watcher_dues);
}
