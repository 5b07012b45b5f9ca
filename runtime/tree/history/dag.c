/* Loading of nodes and members, and walks. */
#include "tree/history/dag.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "tree/history/recent.h"

int tl__dag_init(tl__dag *dag, tl__snapshot *s, const tl_id *db)
{
	memset(dag, 0, sizeof *dag);
	dag->snapshot = s;
	dag->db = *db;
	tl__map_init(&dag->nodes);
	tl__map_init(&dag->stores);
	tl__map_init(&dag->sets);
	tl__map_init(&dag->numbers);
	tl__map_init(&dag->cited);
	tl__map_init(&dag->cited_numbers);
	return tl__dag_store_of(dag, TL__STR(TL__STORE_SETTINGS), &dag->settings);
}

void tl__dag_free(tl__dag *dag)
{
	size_t at = 0;
	tl_str key;
	void *value;

	while (tl__map_next(&dag->stores, &at, &key, &value))
		tl__map_free(&((tl__dag_store *)value)->members);
	for (at = 0; tl__map_next(&dag->sets, &at, &key, &value);)
		tl__settings_release(((tl__dag_set *)value)->settings);
	tl__map_free(&dag->nodes);
	tl__map_free(&dag->stores);
	tl__map_free(&dag->sets);
	tl__map_free(&dag->numbers);
	tl__map_free(&dag->cited);
	tl__map_free(&dag->cited_numbers);
	tl__arena_free(&dag->arena);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static int remember_node(tl__dag *dag, const tl_id *id, const tl__entry_row *row)
{
	tl__dag_node *node = tl__arena_alloc(&dag->arena, 1, sizeof *node);

	if (!node)
		return TL_E_NOMEM;
	if (row) {
		node->there = true;
		node->verdict = row->verdict;
		node->height = row->height;
		node->frontier = row->frontier;
		node->cited_number = row->cited;
	}
	return tl__map_set(&dag->nodes, tl__map_key_id(id), node);
}

tl__dag_node *tl__dag_node_of(const tl__dag *dag, const tl_id *id)
{
	tl__dag_node *node = tl__map_get(&dag->nodes, tl__map_key_id(id));

	return node && node->there ? node : NULL;
}

/* --- members ---------------------------------------------------------------------------------- */

int tl__dag_store_of(tl__dag *dag, tl_str name, tl__dag_store **out)
{
	*out = tl__map_get(&dag->stores, name);
	if (*out)
		return TL_OK;
	*out = tl__arena_alloc(&dag->arena, 1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	tl__map_init(&(*out)->members);
	(*out)->name = tl__arena_str(&dag->arena, name);
	return (*out)->name.ptr ? tl__map_set(&dag->stores, name, *out) : TL_E_NOMEM;
}

typedef struct member_reader {
	tl__dag *dag;
	tl__dag_store *store;
} member_reader;

static int remember_member(member_reader *r, const tl_id *id, const tl__member_row *row)
{
	tl__arena *arena = &r->dag->arena;
	tl__dag_member *member = tl__arena_alloc(arena, 1, sizeof *member);
	tl_id *parents = NULL;

	if (!member)
		return TL_E_NOMEM;
	if (row) {
		parents = tl__arena_alloc(arena, row->parent_count, sizeof *parents);
		if (!parents)
			return TL_E_NOMEM;
		if (row->parent_count)
			memcpy(parents, row->parents, row->parent_count * sizeof *parents);
		*member = (tl__dag_member){.there = true,
			.unreadable = row->unreadable,
			.verdict = row->verdict,
			.stamp = {row->height, row->id},
			.parents = parents,
			.parent_count = row->parent_count};
	}
	return tl__map_set(&r->store->members, tl__map_key_id(id), member);
}

tl__dag_member *tl__dag_member_of(const tl__dag_store *store, const tl_id *id)
{
	tl__dag_member *member = tl__map_get(&store->members, tl__map_key_id(id));

	return member && member->there ? member : NULL;
}

/* --- sets ------------------------------------------------------------------------------------- */

/* ids are ascending and differ. */
static int intern(tl__dag *dag, const tl_id *ids, size_t count, tl__dag_set **out)
{
	tl_str key = {(const char *)ids, count * sizeof *ids};
	tl_str copy;

	*out = tl__map_get(&dag->sets, key);
	if (*out)
		return TL_OK;
	copy = tl__arena_str(&dag->arena, count > 0 ? key : TL__STR(""));
	*out = tl__arena_alloc(&dag->arena, 1, sizeof **out);
	if (!*out || !copy.ptr)
		return TL_E_NOMEM;
	(*out)->ids = (const tl_id *)(const void *)copy.ptr;
	(*out)->count = count;
	if (count < 2)
		(*out)->reduced = *out;
	return tl__map_set(&dag->sets, key, *out);
}

int tl__dag_set_of(tl__dag *dag, const tl_id *ids, size_t count, tl__dag_set **out)
{
	tl_id *sorted;
	int code;

	if (count < 2)
		return intern(dag, ids, count, out);
	sorted = tl__alloc(count * sizeof *sorted);
	if (!sorted)
		return TL_E_NOMEM;
	memcpy(sorted, ids, count * sizeof *sorted);
	code = intern(dag, sorted, tl__ids_unique(sorted, count), out);
	tl__free(sorted);
	return code;
}

int tl__dag_cited_from(tl__dag *dag, const tl__citation *at, size_t count, tl__dag_cited **out)
{
	tl_str key = {count > 0 ? (const char *)at : "", count * sizeof *at};
	tl_str copy;

	*out = tl__map_get(&dag->cited, key);
	if (*out)
		return TL_OK;
	copy = tl__arena_str(&dag->arena, key);
	*out = tl__arena_alloc(&dag->arena, 1, sizeof **out);
	if (!*out || !copy.ptr)
		return TL_E_NOMEM;
	(*out)->at = (const tl__citation *)(const void *)copy.ptr;
	(*out)->count = count;
	return tl__map_set(&dag->cited, key, *out);
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Of a good entry of the snapshot without `_settings`. */
static int know(tl__dag *dag, const tl__put_entry *put)
{
	member_reader settings = {dag, dag->settings};
	tl__dag_node *node = tl__arena_alloc(&dag->arena, 1, sizeof *node);
	tl__dag_set *set;
	tl__dag_cited *cited;
	int code = node ? tl__dag_set_of(dag, (const tl_id *)(const void *)put->frontier.ptr,
				  put->frontier.len / TL_ID_BYTES, &set)
			: TL_E_NOMEM;

	if (code == TL_OK)
		code = tl__dag_cited_from(dag, (const tl__citation *)(const void *)put->cited.ptr,
			put->cited.len / sizeof(tl__citation), &cited);

	for (size_t i = 0; code == TL_OK && i < put->store_count; i++) {
		const tl__put_store *part = &put->stores[i];
		const tl__member_row row = {put->id, part->height, put->verdict, part->unreadable,
			part->parents, part->parent_count};
		member_reader r = {.dag = dag};

		code = tl__dag_store_of(dag, part->name, &r.store);
		if (code == TL_OK)
			code = remember_member(&r, &put->id, &row);
	}
	if (code == TL_OK)
		code = remember_member(&settings, &put->id, NULL);
	if (code != TL_OK)
		return code;
	set->reduced = set; /* as stored */
	*node = (tl__dag_node){.there = true,
		.verdict = put->verdict,
		.height = put->height,
		.at = set,
		.after = set,
		.cited = cited};
	return tl__map_set(&dag->nodes, tl__map_key_id(&put->id), node);
}

static int recall(tl__dag *dag, const tl_id *id)
{
	tl__put_entry put;
	bool found;
	int code;

	if (tl__map_has(&dag->nodes, tl__map_key_id(id)))
		return TL_OK;
	code = tl__recent_get(dag->recent, &dag->db, id, &dag->arena, &put, &found);
	return code == TL_OK && found ? know(dag, &put) : code;
}

/* The ids that the map does not know and that are not of the plan, in memory of the caller's;
 * *count is updated. *out is NULL when there are none. */
static int unknown_ids(
	tl__dag *dag, const tl__map *map, const tl_id *ids, size_t *count, tl_id **out)
{
	size_t found = 0;
	int code = TL_OK;

	*out = NULL;
	for (size_t i = 0; i < *count; i++) {
		const tl__dag_node *node;

		if (dag->recent)
			code = recall(dag, &ids[i]);
		if (code != TL_OK)
			return code;
		if (tl__map_has(map, tl__map_key_id(&ids[i])))
			continue;
		node = map == &dag->nodes ? NULL : tl__dag_node_of(dag, &ids[i]);
		if (node && node->order > 0)
			continue; /* planned: all its memberships are remembered */
		if (!*out && !(*out = tl__alloc((*count - i) * sizeof **out)))
			return TL_E_NOMEM;
		(*out)[found++] = ids[i];
	}
	*count = found;
	return TL_OK;
}

static int on_entry(void *ud, const tl__entry_row *row)
{
	return remember_node(ud, &row->id, row);
}

int tl__dag_load(tl__dag *dag, const tl_id *ids, size_t count)
{
	tl_id *unknown;
	int code = unknown_ids(dag, &dag->nodes, ids, &count, &unknown);

	if (code == TL_OK && count > 0)
		code = tl__read_entries(
			dag->snapshot, &dag->db, unknown, count, TL__WITH_CITED, on_entry, dag);
	for (size_t i = 0; code == TL_OK && i < count; i++)
		if (!tl__map_has(&dag->nodes, tl__map_key_id(&unknown[i])))
			code = remember_node(dag, &unknown[i], NULL);
	tl__free(unknown);
	return code;
}

int tl__dag_need(tl__dag *dag, const tl_id *ids, size_t count)
{
	char text[TL_ID_TEXT_LEN + 1];
	int code = tl__dag_load(dag, ids, count);

	for (size_t i = 0; code == TL_OK && i < count; i++) {
		if (tl__dag_node_of(dag, &ids[i]))
			continue;
		tl_id_format(&ids[i], text);
		code = tl__fail(TL_E_ENTRY_NOT_FOUND, "the database holds no entry %s", text);
	}
	return code;
}

static int on_member(void *ud, const tl__member_row *row)
{
	return remember_member(ud, &row->id, row);
}

int tl__dag_load_members(tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count)
{
	member_reader r = {dag, store};
	tl_id *unknown;
	int code = unknown_ids(dag, &store->members, ids, &count, &unknown);

	if (code == TL_OK && count > 0)
		code = tl__read_members(
			dag->snapshot, &dag->db, store->name, unknown, count, on_member, &r);
	for (size_t i = 0; code == TL_OK && i < count; i++)
		if (!tl__map_has(&store->members, tl__map_key_id(&unknown[i])))
			code = remember_member(&r, &unknown[i], NULL);
	tl__free(unknown);
	return code;
}

/* --- walks ------------------------------------------------------------------------------------ */

/* Sees one generation; the parents to see next go to `next`. */
static int see(tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count,
	tl__dag_seen seen, void *ud, tl__buf *next)
{
	int code = tl__dag_load_members(dag, store, ids, count);

	for (size_t i = 0; code == TL_OK && i < count; i++) {
		tl__dag_member *member = tl__dag_member_of(store, &ids[i]);

		if (!member || member->walk == dag->walk)
			continue;
		member->walk = dag->walk;
		code = seen ? seen(ud, member) : TL_OK;
		if (code == TL_OK)
			tl__buf_append(next, member->parents,
				member->parent_count * sizeof *member->parents);
		if (code == TL__STORE_STOP)
			code = TL_OK;
	}
	return code == TL_OK ? tl__buf_status(next) : code;
}

int tl__dag_walk(tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count,
	tl__dag_seen seen, void *ud)
{
	tl__buf now = TL__BUF_INIT, next = TL__BUF_INIT;
	int code;

	dag->walk++;
	code = see(dag, store, ids, count, seen, ud, &next);
	while (code == TL_OK && next.len > 0) {
		tl__buf swap = now;

		now = next;
		next = swap;
		tl__buf_clear(&next);
		code = see(dag, store, (const tl_id *)(const void *)now.ptr, now.len / TL_ID_BYTES,
			seen, ud, &next);
	}
	tl__buf_free(&now);
	tl__buf_free(&next);
	return code;
}
