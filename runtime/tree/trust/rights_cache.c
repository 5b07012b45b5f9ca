/* The rights that are kept, and the index from keys to databases. */
#include <pthread.h>
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "tree/trust/rights.h"
#include "tree/history/sorted_ids.h"

/* A database that the store holds. */
typedef struct known {
	tl_id db;
	tl__rights *rights; /* NULL: not looked at since it changed, or not kept */
	bool indexed;       /* `rights` is counted, and in the index; else it is the large one */
	bool looked;        /* since it changed: what follows is true */
	bool held, system;
	uint64_t generation;
	bool waits;
	struct known *next; /* that waits to be looked at */
} known;

struct tl__rights_cache {
	pthread_mutex_t mutex;
	tl__map dbs;         /* id -> known */
	tl__map keys;        /* key -> ids of what is indexed */
	tl__sorted_ids open; /* public ones */
	size_t bytes;
	known *large; /* the one that is kept beyond the bound */
	known *first, **end;
	bool all_held;
	uint64_t lost; /* changes that found no memory */
};

int tl__rights_cache_new(tl__rights_cache **out)
{
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	pthread_mutex_init(&(*out)->mutex, NULL);
	tl__map_init(&(*out)->dbs);
	tl__map_init(&(*out)->keys);
	(*out)->end = &(*out)->first;
	return TL_OK;
}

static void free_list(tl__sorted_ids *list)
{
	tl__free(list->at);
	tl__free(list);
}

void tl__rights_cache_free(tl__rights_cache *cache)
{
	size_t at = 0;
	tl_str key;
	void *value;

	if (!cache)
		return;
	while (tl__map_next(&cache->dbs, &at, &key, &value)) {
		tl__rights_release(((known *)value)->rights);
		tl__free(value);
	}
	at = 0;
	while (tl__map_next(&cache->keys, &at, &key, &value))
		free_list(value);
	tl__map_free(&cache->dbs);
	tl__map_free(&cache->keys);
	tl__free(cache->open.at);
	pthread_mutex_destroy(&cache->mutex);
	tl__free(cache);
}

/* --- index ------------------------------------------------------------------------------------ */

static tl_str key_name(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

static bool index_key(tl__rights_cache *cache, const tl_key *key, const tl_id *db)
{
	tl__sorted_ids *list = tl__map_get(&cache->keys, key_name(key));

	if (list)
		return tl__sorted_ids_add(list, db);
	list = tl__alloc_zero(1, sizeof *list);
	if (list && tl__sorted_ids_add(list, db) &&
		tl__map_set(&cache->keys, key_name(key), list) == TL_OK)
		return true;
	if (list)
		free_list(list);
	return false;
}

static void unindex_key(tl__rights_cache *cache, const tl_key *key, const tl_id *db)
{
	tl__sorted_ids *list = tl__map_get(&cache->keys, key_name(key));

	if (!list)
		return;
	tl__sorted_ids_remove(list, db);
	if (list->count > 0)
		return;
	tl__map_remove(&cache->keys, key_name(key));
	free_list(list);
}

/* --- what is kept of one ---------------------------------------------------------------------- */

/* The first `count` of its keys. */
static void unindex(
	tl__rights_cache *cache, const known *db, const tl__rights *rights, size_t count)
{
	for (size_t i = 0; i < count; i++)
		unindex_key(cache, &rights->keys[i].key, &db->db);
}

static void drop_rights(tl__rights_cache *cache, known *db)
{
	tl__rights *rights = db->rights;

	if (!rights)
		return;
	if (db->indexed) {
		cache->bytes -= rights->bytes;
		unindex(cache, db, rights, rights->count);
	}
	if (cache->large == db)
		cache->large = NULL;
	db->rights = NULL;
	db->indexed = false;
	tl__rights_release(rights);
}

/* Under the keys that may read. */
static int index_rights(tl__rights_cache *cache, const known *db, const tl__rights *rights)
{
	size_t count = 0;

	while (count < rights->count &&
		(!tl__right_reads(&rights->keys[count]) ||
			index_key(cache, &rights->keys[count].key, &db->db)))
		count++;
	if (count == rights->count &&
		(!rights->is_public || tl__sorted_ids_add(&cache->open, &db->db)))
		return TL_OK;
	unindex(cache, db, rights, count);
	return TL_E_NOMEM;
}

/* Beyond the bound the newest one is kept, in no index but that of public ones. */
static int take_large(tl__rights_cache *cache, known *db, const tl__rights *rights)
{
	if (rights->is_public && !rights->system && !tl__sorted_ids_add(&cache->open, &db->db))
		return TL_E_NOMEM;
	if (cache->large)
		drop_rights(cache, cache->large);
	cache->large = db;
	return TL_OK;
}

static int take(tl__rights_cache *cache, known *db, tl__rights *rights)
{
	bool fits = cache->bytes + rights->bytes <= TL__RIGHTS_MAX_BYTES;
	int rc = TL_OK;

	if (!fits)
		rc = take_large(cache, db, rights);
	else if (!rights->system)
		rc = index_rights(cache, db, rights);
	if (rc != TL_OK)
		return rc;
	if (fits)
		cache->bytes += rights->bytes;
	db->looked = db->held = true;
	db->system = rights->system;
	db->indexed = fits;
	db->rights = rights;
	atomic_fetch_add(&rights->readers, 1);
	return TL_OK;
}

/* --- databases -------------------------------------------------------------------------------- */

static known *find(const tl__rights_cache *cache, const tl_id *db)
{
	return tl__map_get(&cache->dbs, tl__map_key_id(db));
}

static void wait_for_look(tl__rights_cache *cache, known *db)
{
	if (db->waits)
		return;
	db->waits = true;
	db->next = NULL;
	*cache->end = db;
	cache->end = &db->next;
}

/* NULL when memory ran out: all are asked for again then. */
static known *find_or_add(tl__rights_cache *cache, const tl_id *id)
{
	known *db = find(cache, id);

	if (db)
		return db;
	db = tl__alloc_zero(1, sizeof *db);
	if (db && tl__map_set(&cache->dbs, tl__map_key_id(id), db) == TL_OK) {
		db->db = *id;
		return db;
	}
	tl__free(db);
	cache->lost++;
	cache->all_held = false;
	return NULL;
}

static void change(tl__rights_cache *cache, const tl_id *id)
{
	known *db = find_or_add(cache, id);

	if (!db)
		return;
	db->generation++;
	drop_rights(cache, db);
	tl__sorted_ids_remove(&cache->open, id);
	db->looked = db->held = false;
	wait_for_look(cache, db);
}

/* A root makes a database known; only what carries settings changes who may do what. */
static bool is_about_rights(const tl__put_entry *entry, const tl_id *db)
{
	if (tl__id_equal(&entry->id, db))
		return true;
	for (size_t i = 0; i < entry->store_count; i++)
		if (tl__str_eq(entry->stores[i].name, TL__STR(TL__STORE_SETTINGS)))
			return true;
	return false;
}

void tl__rights_wrote(tl__tree *tree, const tl__batch *batch)
{
	size_t at = 0;

	while (at < batch->entry_count && !is_about_rights(&batch->entries[at], &batch->db))
		at++;
	if (at == batch->entry_count)
		return;
	pthread_mutex_lock(&tree->rights->mutex);
	change(tree->rights, &batch->db);
	pthread_mutex_unlock(&tree->rights->mutex);
}

tl__rights *tl__rights_kept(tl__rights_cache *cache, const tl_id *id, uint64_t *generation)
{
	tl__rights *rights;
	known *db;

	pthread_mutex_lock(&cache->mutex);
	db = find(cache, id);
	*generation = cache->lost + (db ? db->generation : 0);
	rights = db ? db->rights : NULL;
	if (rights)
		atomic_fetch_add(&rights->readers, 1);
	pthread_mutex_unlock(&cache->mutex);
	return rights;
}

int tl__rights_keep(
	tl__rights_cache *cache, const tl_id *id, uint64_t generation, tl__rights *rights)
{
	known *db;
	int rc;

	pthread_mutex_lock(&cache->mutex);
	db = find_or_add(cache, id);
	rc = db ? TL_OK : TL_E_NOMEM;
	if (db && !db->rights && cache->lost + db->generation == generation)
		rc = take(cache, db, rights);
	pthread_mutex_unlock(&cache->mutex);
	return rc;
}

/* --- looking at what waits -------------------------------------------------------------------- */

void tl__rights_held(tl__tree *tree, const tl_id *id)
{
	known *db;

	pthread_mutex_lock(&tree->rights->mutex);
	db = find_or_add(tree->rights, id);
	if (db && !db->looked)
		wait_for_look(tree->rights, db);
	pthread_mutex_unlock(&tree->rights->mutex);
}

void tl__rights_all_held(tl__tree *tree, bool all)
{
	pthread_mutex_lock(&tree->rights->mutex);
	tree->rights->all_held = all;
	pthread_mutex_unlock(&tree->rights->mutex);
}

static int on_database(void *ud, const tl__db_row *row)
{
	tl__rights_held(ud, &row->db);
	return TL_OK;
}

/* What is written meanwhile tells of itself. */
static int find_all(tl__tree *tree)
{
	tl__snapshot *s = NULL;
	int rc;

	tl__rights_all_held(tree, true);
	rc = tl__snapshot_open(tree->store, &s);
	if (rc == TL_OK)
		rc = tl__read_databases(s, on_database, tree);
	tl__snapshot_close(s);
	if (rc != TL_OK)
		tl__rights_all_held(tree, false);
	return rc;
}

/* The next that waits; false when there is none. */
static bool next_waiting(tl__rights_cache *cache, tl_id *id, uint64_t *generation)
{
	known *db;

	pthread_mutex_lock(&cache->mutex);
	db = cache->first;
	if (db) {
		cache->first = db->next;
		if (!cache->first)
			cache->end = &cache->first;
		db->waits = false;
		*id = db->db;
		*generation = cache->lost + db->generation;
	}
	pthread_mutex_unlock(&cache->mutex);
	return db != NULL;
}

static int look_at(tl__tree *tree, const tl_id *id, uint64_t generation)
{
	tl__rights *rights = NULL;
	int rc = tl__rights_compute(tree, id, &rights);

	if (rc == TL_OK && rights)
		rc = tl__rights_keep(tree->rights, id, generation, rights);
	tl__rights_release(rights);
	if (rc != TL_OK)
		tl__rights_held(tree, id); /* it waits again */
	return rc;
}

int tl__rights_settle(tl__tree *tree, bool *more)
{
	tl__rights_cache *cache = tree->rights;
	uint64_t generation;
	tl_id id;
	int rc = TL_OK;

	pthread_mutex_lock(&cache->mutex);
	*more = !cache->all_held;
	pthread_mutex_unlock(&cache->mutex);
	if (*more)
		rc = find_all(tree);
	for (size_t i = 0; rc == TL_OK && i < TL__RIGHTS_SLICE; i++) {
		*more = next_waiting(cache, &id, &generation);
		if (!*more)
			break;
		rc = look_at(tree, &id, generation);
	}
	return rc;
}

/* --- list ------------------------------------------------------------------------------------- */

bool tl__rights_name_key(tl__tree *tree, const tl_key *key)
{
	bool named;

	pthread_mutex_lock(&tree->rights->mutex);
	named = tl__map_has(&tree->rights->keys, key_name(key));
	pthread_mutex_unlock(&tree->rights->mutex);
	return named;
}

void tl__rights_list(
	tl__tree *tree, const tl__rights_query *query, tl_id *out, size_t *count, bool *more)
{
	tl__rights_cache *cache = tree->rights;
	const tl__sorted_ids named = {(tl_id *)(uintptr_t)query->named, query->named_count, 0};
	tl__sorted_merge m = {.count = 0};
	tl_id id;

	*count = 0;
	*more = false;
	pthread_mutex_lock(&cache->mutex);
	tl__sorted_merge_add(&m, &cache->open, query->after);
	tl__sorted_merge_add(&m, &named, query->after);
	for (size_t i = 0; i < query->key_count && i < TL__RIGHTS_MAX_KEYS; i++)
		tl__sorted_merge_add(
			&m, tl__map_get(&cache->keys, key_name(&query->keys[i])), query->after);
	while (!*more && tl__sorted_merge_next(&m, &id)) {
		const known *db = find(cache, &id);

		if (!db || !db->held || db->system)
			continue;
		*more = *count == query->max;
		if (!*more)
			out[(*count)++] = id;
	}
	pthread_mutex_unlock(&cache->mutex);
}

/* What was written meanwhile is not kept from before it: the snapshot comes after the look. */
int tl__rights_now(tl__tree *tree, const tl_id *db, tl__rights **out)
{
	uint64_t generation;
	int rc;

	*out = tl__rights_kept(tree->rights, db, &generation);
	if (*out)
		return TL_OK;
	rc = tl__rights_compute(tree, db, out);
	if (*out)
		tl__rights_keep(tree->rights, db, generation, *out);
	return rc;
}
