/* What was committed last, by id. An entry stands in the slot that its id names; whatever stood
 * there goes. */
#include "tree/history/recent.h"

#include <pthread.h>
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"

typedef struct slot {
	tl__arena arena; /* of what `put` points to; it has no bytes */
	tl_id db;
	tl__put_entry put;
} slot;

struct tl__recent {
	pthread_mutex_t mutex;
	slot slots[TL__RECENT_COUNT];
};

int tl__recent_new(tl__recent **out)
{
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	pthread_mutex_init(&(*out)->mutex, NULL);
	return TL_OK;
}

void tl__recent_free(tl__recent *recent)
{
	if (!recent)
		return;
	for (size_t i = 0; i < TL__RECENT_COUNT; i++)
		tl__arena_free(&recent->slots[i].arena);
	pthread_mutex_destroy(&recent->mutex);
	tl__free(recent);
}

static slot *slot_of(tl__recent *recent, const tl_id *id)
{
	return &recent->slots[id->b[TL_ID_BYTES - 1] % TL__RECENT_COUNT];
}

static bool is_kept(tl__recent *recent, const tl_id *db, const tl_id *id)
{
	const slot *at = slot_of(recent, id);

	return at->arena.last && tl__id_equal(&at->put.id, id) && tl__id_equal(&at->db, db);
}

static bool is_worth(const tl__put_entry *put)
{
	bool worth = put->verdict == TL__VERIFIED && put->store_count <= TL__RECENT_MAX_STORES;

	for (size_t i = 0; worth && i < put->store_count; i++)
		worth = !tl__str_eq(put->stores[i].name, TL__STR(TL__STORE_SETTINGS));
	return worth;
}

static const tl_id *copy_ids(tl__arena *arena, const tl_id *ids, size_t count)
{
	tl_id *copy = tl__arena_alloc(arena, count, sizeof *ids);

	if (copy && count > 0)
		memcpy(copy, ids, count * sizeof *ids);
	return copy;
}

/* What `from` points to, but its bytes and parents. */
static int copy(tl__arena *arena, const tl__put_entry *from, tl__put_entry *to)
{
	tl__put_store *stores = tl__arena_alloc(arena, from->store_count, sizeof *stores);
	bool good = stores != NULL;

	*to = *from;
	to->bytes = TL__STR("");
	to->parents = NULL;
	to->parent_count = 0;
	to->frontier = tl__arena_str(arena, from->frontier);
	to->cited = tl__arena_str(arena, from->cited.ptr ? from->cited : TL__STR(""));
	to->stores = stores;
	for (size_t i = 0; good && i < from->store_count; i++) {
		stores[i] = from->stores[i];
		stores[i].name = tl__arena_str(arena, from->stores[i].name);
		stores[i].parents =
			copy_ids(arena, from->stores[i].parents, from->stores[i].parent_count);
		good = stores[i].name.ptr && stores[i].parents;
	}
	return good && to->frontier.ptr && to->cited.ptr ? TL_OK : TL_E_NOMEM;
}

void tl__recent_note(tl__recent *recent, const tl_id *db, const tl__put_entry *put)
{
	slot *at = slot_of(recent, &put->id);

	if (!is_worth(put))
		return;
	pthread_mutex_lock(&recent->mutex);
	tl__arena_free(&at->arena);
	at->db = *db;
	if (copy(&at->arena, put, &at->put) != TL_OK)
		tl__arena_free(&at->arena);
	pthread_mutex_unlock(&recent->mutex);
}

bool tl__recent_has(tl__recent *recent, const tl_id *db, const tl_id *ids, size_t count)
{
	bool all = true;

	pthread_mutex_lock(&recent->mutex);
	for (size_t i = 0; all && i < count; i++)
		all = is_kept(recent, db, &ids[i]);
	pthread_mutex_unlock(&recent->mutex);
	return all;
}

int tl__recent_get(tl__recent *recent, const tl_id *db, const tl_id *id, tl__arena *arena,
	tl__put_entry *out, bool *found)
{
	int rc = TL_OK;

	pthread_mutex_lock(&recent->mutex);
	*found = is_kept(recent, db, id);
	if (*found)
		rc = copy(arena, &slot_of(recent, id)->put, out);
	pthread_mutex_unlock(&recent->mutex);
	return rc;
}
