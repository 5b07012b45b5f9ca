/* The plan: entries on their way into the DAG, with everything the store derives from them. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "model/entry_impl.h"
#include "tree/history/dag.h"

_Static_assert((int)TL__NODE_DOC == (int)TL__STAMP_DOC &&
		       (int)TL__NODE_LIST == (int)TL__STAMP_LIST &&
		       (int)TL__NODE_LEAF == (int)TL__STAMP_LEAF,
	"kinds of nodes and of stamps are the same numbers");

typedef struct planned {
	tl_entry *entry; /* retained */
	size_t raises;   /* how many there were before it */
} planned;

struct tl__plan {
	tl__tree *tree;
	tl__dag dag;
	planned *items;
	size_t item_cap;
	tl__put_entry *puts;
	size_t put_cap;
	size_t count; /* of both */
	tl__raise *raises;
	size_t raise_count, raise_cap;
};

int tl__plan_new(tl__plan **out, tl__tree *tree, tl__snapshot *s, const tl_id *db)
{
	tl__plan *plan = tl__alloc_zero(1, sizeof *plan);
	int code = plan ? tl__dag_init(&plan->dag, s, db) : TL_E_NOMEM;

	*out = NULL;
	if (code == TL_OK) {
		plan->tree = tree;
		*out = plan;
	} else {
		tl__plan_free(plan);
	}
	return code;
}

void tl__plan_on_recent(tl__plan *plan)
{
	plan->dag.recent = plan->tree->recent;
}

void tl__plan_free(tl__plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++)
		tl_entry_free(plan->items[i].entry);
	tl__dag_free(&plan->dag);
	tl__free(plan);
}

size_t tl__plan_count(const tl__plan *plan)
{
	return plan->count;
}

int tl__plan_prefetch(tl__plan *plan, const tl_id *ids, size_t count)
{
	return tl__dag_load(&plan->dag, ids, count);
}

int tl__plan_carries(tl__plan *plan, tl_str store, const tl_id *id, bool *carries)
{
	tl__dag_store *members;
	int code = tl__dag_store_of(&plan->dag, store, &members);

	*carries = false;
	if (code == TL_OK)
		code = tl__dag_load_members(&plan->dag, members, id, 1);
	if (code == TL_OK)
		*carries = tl__dag_member_of(members, id) != NULL;
	return code;
}

/* --- settings --------------------------------------------------------------------------------- */

/* A root brings the settings it is judged by. */
static int own_settings(const tl_entry *entry, tl__settings **out)
{
	ptrdiff_t at = tl_entry_find_store(entry, TL__STR(TL__STORE_SETTINGS));
	tl_value *doc = NULL;
	int code = TL_OK;

	if (at >= 0)
		code = tl_doc_parse(&doc, tl_entry_store_data(entry, (size_t)at));
	if (code == TL_E_NOMEM)
		return code;
	if (!doc && !(doc = tl_value_doc()))
		return TL_E_NOMEM;
	return tl__settings_make(doc, out);
}

int tl__plan_settings(tl__plan *plan, tl_entry *entry, tl__settings **out)
{
	const tl_id *parents = tl__entry_parents(entry);
	size_t count = tl_entry_parent_count(entry);

	*out = NULL;
	if (tl_entry_is_root(entry))
		return own_settings(entry, out);
	return tl__plan_settings_at(plan, parents, count, out);
}

int tl__plan_settings_at(tl__plan *plan, const tl_id *ids, size_t count, tl__settings **out)
{
	tl__dag_set *set;
	int code = tl__dag_need(&plan->dag, ids, count);

	*out = NULL;
	if (code == TL_OK)
		code = tl__dag_frontier(&plan->dag, ids, count, &set);
	if (code == TL_OK)
		code = tl__settings_of_set(plan->tree, &plan->dag, set, out);
	return code;
}

/* --- raises ----------------------------------------------------------------------------------- */

typedef struct raiser {
	tl__plan *plan;
	tl_str store;
	tl__stamp stamp;
} raiser;

static int raise_node(void *ud, tl_str path, tl__node_kind kind, tl_str value)
{
	const raiser *r = ud;
	tl__plan *plan = r->plan;
	void *array = plan->raises;
	tl__raise *raise;

	if (tl__arena_grow(&plan->dag.arena, &array, &plan->raise_cap, plan->raise_count,
		    sizeof *raise) != TL_OK)
		return TL_E_NOMEM;
	plan->raises = array;
	raise = &plan->raises[plan->raise_count];
	*raise = (tl__raise){.store = r->store,
		.path = tl__arena_str(&plan->dag.arena, path),
		.kind = (tl__stamp_kind)kind,
		.stamp = r->stamp,
		.value = tl__arena_str(&plan->dag.arena, value)};
	if (!raise->path.ptr || !raise->value.ptr)
		return TL_E_NOMEM;
	plan->raise_count++;
	return TL_OK;
}

/* Data that is no Doc raises nothing; it is stored and forwarded all the same. */
static int raise_delta(
	tl__plan *plan, const tl__put_store *put, tl_str data, const tl_id *id, bool *unreadable)
{
	raiser r = {plan, put->name, {put->height, *id}};
	size_t before = plan->raise_count;
	tl_value *doc = NULL;
	int code = tl_doc_parse(&doc, data);

	if (code == TL_OK)
		code = tl__doc_walk(doc, raise_node, &r);
	tl_value_free(doc);
	*unreadable = code != TL_OK && code != TL_E_NOMEM;
	if (*unreadable)
		plan->raise_count = before;
	return *unreadable ? TL_OK : code;
}

/* --- stores ----------------------------------------------------------------------------------- */

/* 0 without a parent that carries the store, else one more than the highest. */
static int store_height(
	tl__dag *dag, tl__dag_store *store, const tl_id *parents, size_t count, uint64_t *out)
{
	int code = tl__dag_need(dag, parents, count);

	*out = 0;
	if (code == TL_OK)
		code = tl__dag_load_members(dag, store, parents, count);
	for (size_t i = 0; code == TL_OK && i < count; i++) {
		const tl__dag_member *member = tl__dag_member_of(store, &parents[i]);

		if (member && member->stamp.height >= *out)
			*out = member->stamp.height + 1;
	}
	return code;
}

static int remember_member(
	tl__dag *dag, tl__dag_store *store, const tl__put_store *put, const tl__dag_member *model)
{
	tl__dag_member *member = tl__arena_alloc(&dag->arena, 1, sizeof *member);

	if (!member)
		return TL_E_NOMEM;
	*member = *model;
	member->there = true;
	member->unreadable = put->unreadable;
	member->stamp.height = put->height;
	member->parents = put->parents;
	member->parent_count = put->parent_count;
	return tl__map_set(&store->members, tl__map_key_id(&model->stamp.id), member);
}

static int add_store(
	tl__plan *plan, tl_entry *entry, size_t at, const tl__dag_member *model, tl__put_store *put)
{
	tl__dag_store *store;
	int code;

	put->name = tl_entry_store_name(entry, at);
	put->parents = tl__entry_store_parents(entry, at);
	put->parent_count = tl_entry_store_parent_count(entry, at);
	code = tl__dag_store_of(&plan->dag, put->name, &store);
	if (code == TL_OK)
		code = store_height(
			&plan->dag, store, put->parents, put->parent_count, &put->height);
	if (code == TL_OK && model->verdict == TL__VERIFIED &&
		!tl__str_eq(put->name, TL__STR(TL__STORE_ROOT)))
		code = raise_delta(plan, put, tl_entry_store_data(entry, at), &model->stamp.id,
			&put->unreadable);
	if (code == TL_OK)
		code = remember_member(&plan->dag, store, put, model);
	return code;
}

/* --- entries ---------------------------------------------------------------------------------- */

static int tree_height(tl__dag *dag, const tl_id *parents, size_t count, uint64_t *out)
{
	int code = tl__dag_need(dag, parents, count);

	*out = 0;
	for (size_t i = 0; code == TL_OK && i < count; i++) {
		const tl__dag_node *node = tl__dag_node_of(dag, &parents[i]);

		if (node->height >= *out)
			*out = node->height + 1;
	}
	return code;
}

static int add_node(tl__plan *plan, tl__put_entry *put, tl__dag_set *frontier)
{
	tl__dag_node *node = tl__map_get(&plan->dag.nodes, tl__map_key_id(&put->id));
	int code = TL_OK;

	if (!node) {
		node = tl__arena_alloc(&plan->dag.arena, 1, sizeof *node);
		code = node ? tl__map_set(&plan->dag.nodes, tl__map_key_id(&put->id), node)
			    : TL_E_NOMEM;
	}
	if (code == TL_OK)
		*node = (tl__dag_node){.there = true,
			.verdict = put->verdict,
			.order = plan->count + 1,
			.height = put->height,
			.at = frontier};
	return code;
}

/* Takes the entry's traces out of the view. */
static void forget(tl__plan *plan, const tl_entry *entry)
{
	tl_str id = tl__map_key_id(tl_entry_id(entry));
	tl__dag_node *node = tl__map_get(&plan->dag.nodes, id);

	if (node)
		*node = (tl__dag_node){.there = false};
	for (size_t i = 0; i < tl_entry_store_count(entry); i++) {
		tl__dag_store *store =
			tl__map_get(&plan->dag.stores, tl_entry_store_name(entry, i));

		if (store)
			tl__map_remove(&store->members, id);
	}
}

static int add_stores(tl__plan *plan, tl_entry *entry, tl__put_entry *put)
{
	tl__dag_member model = {.verdict = put->verdict,
		.stamp = {0, put->id},
		.entry = entry,
		.order = plan->count + 1};
	tl__put_store *stores = tl__arena_alloc(&plan->dag.arena, put->store_count, sizeof *stores);
	int code = stores ? TL_OK : TL_E_NOMEM;

	for (size_t i = 0; code == TL_OK && i < put->store_count; i++)
		code = add_store(plan, entry, i, &model, &stores[i]);
	put->stores = stores;
	return code;
}

/* --- citations -------------------------------------------------------------------------------- */

static int own_citations(const tl__cite *cites, size_t count, tl__buf *out)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < cites[i].count; k++) {
			tl__citation own = {cites[i].db, cites[i].tips[k]};

			tl__buf_append(out, &own, sizeof own);
		}
	return tl__buf_status(out);
}

static int hand_on(tl__plan *plan, const tl_entry *entry, const tl__cite *cites, size_t count,
	tl__dag_cited **out)
{
	size_t most = plan->tree->citations_max, name_count;
	const tl_id *names = tl__entry_names(entry, &name_count);
	tl__buf own = TL__BUF_INIT;
	int code = own_citations(cites, count, &own);

	if (code == TL_OK)
		code = tl__dag_need(&plan->dag, names, name_count);
	if (code == TL_OK)
		code = tl__dag_hand_on(&plan->dag, tl_entry_id(entry), names, name_count, &own,
			most ? most : TL__CITATIONS_MAX, out);
	tl__buf_free(&own);
	return code;
}

static void note_cited(tl__plan *plan, tl__put_entry *put, tl__dag_cited *cited)
{
	tl__dag_node_of(&plan->dag, &put->id)->cited = cited;
	put->cited = (tl_str){(const char *)cited->at, cited->count * sizeof *cited->at};
}

int tl__plan_cites(tl__plan *plan, const tl__cite *cites, size_t count)
{
	tl__dag_cited *cited;
	int code = hand_on(plan, plan->items[plan->count - 1].entry, cites, count, &cited);

	if (code == TL_OK)
		note_cited(plan, &plan->puts[plan->count - 1], cited);
	return code;
}

int tl__plan_cited_at(
	tl__plan *plan, const tl_id *ids, size_t count, const tl__citation **at, size_t *cited)
{
	tl__dag_cited *found;
	int code = tl__dag_need(&plan->dag, ids, count);

	if (code == TL_OK)
		code = tl__dag_cited_of(&plan->dag, ids, count, &found);
	*at = code == TL_OK ? found->at : NULL;
	*cited = code == TL_OK ? found->count : 0;
	return code;
}

int tl__plan_cited_is(
	tl__plan *plan, const tl_entry *entry, const tl__cite *cites, size_t count, bool *is)
{
	tl__dag_cited *stored, *due;
	int code = tl__dag_need(&plan->dag, tl_entry_id(entry), 1);

	if (code == TL_OK)
		code = tl__dag_cited_of(&plan->dag, tl_entry_id(entry), 1, &stored);
	if (code == TL_OK)
		code = hand_on(plan, entry, cites, count, &due);
	*is = code == TL_OK && stored == due;
	return code == TL_E_ENTRY_NOT_FOUND ? TL_OK : code;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int add(tl__plan *plan, tl_entry *entry, tl__put_entry *put)
{
	tl__dag_set *frontier;
	tl__dag_cited *cited;
	int code = tree_height(&plan->dag, put->parents, put->parent_count, &put->height);

	if (code == TL_OK)
		code = tl__dag_frontier(&plan->dag, put->parents, put->parent_count, &frontier);
	if (code == TL_OK) {
		put->frontier = (tl_str){
			(const char *)frontier->ids, frontier->count * sizeof *frontier->ids};
		code = add_node(plan, put, frontier);
	}
	if (code == TL_OK)
		code = hand_on(plan, entry, NULL, 0, &cited);
	if (code == TL_OK) {
		note_cited(plan, put, cited);
		code = add_stores(plan, entry, put);
	}
	return code;
}

static int make_room(tl__plan *plan)
{
	void *items = plan->items, *puts = plan->puts;
	int code = tl__arena_grow(
		&plan->dag.arena, &items, &plan->item_cap, plan->count, sizeof *plan->items);

	plan->items = items;
	if (code == TL_OK)
		code = tl__arena_grow(
			&plan->dag.arena, &puts, &plan->put_cap, plan->count, sizeof *plan->puts);
	plan->puts = puts;
	return code;
}

int tl__plan_add(tl__plan *plan, tl_entry *entry, tl__verdict verdict)
{
	tl__put_entry put = {.id = *tl_entry_id(entry),
		.bytes = tl_entry_bytes(entry),
		.verdict = verdict,
		.parents = tl__entry_parents(entry),
		.parent_count = tl_entry_parent_count(entry),
		.store_count = tl_entry_store_count(entry)};
	size_t raises = plan->raise_count;
	int code;

	if (tl__dag_node_of(&plan->dag, &put.id))
		return tl__fail(TL_E_ALREADY_EXISTS, "an entry enters the DAG once");
	code = make_room(plan);
	if (code == TL_OK)
		code = add(plan, entry, &put);
	if (code != TL_OK) {
		plan->raise_count = raises;
		forget(plan, entry);
		return code;
	}
	plan->items[plan->count] = (planned){tl_entry_retain(entry), raises};
	plan->puts[plan->count] = put;
	plan->count++;
	return TL_OK;
}

/* Settings made of entries that are no longer there. */
static void forget_settings(tl__plan *plan)
{
	size_t at = 0;
	tl_str key;
	void *value;

	while (tl__map_next(&plan->dag.sets, &at, &key, &value)) {
		tl__dag_set *set = value;

		if (set->newest <= plan->count)
			continue;
		tl__settings_release(set->settings);
		set->settings = NULL;
		set->newest = 0;
	}
}

void tl__plan_undo(tl__plan *plan, size_t count)
{
	while (count-- > 0 && plan->count > 0) {
		const planned *item = &plan->items[--plan->count];

		plan->raise_count = item->raises;
		forget(plan, item->entry);
		tl_entry_free(item->entry);
	}
	forget_settings(plan);
}

int tl__plan_batch(tl__plan *plan, tl__batch *batch)
{
	*batch = (tl__batch){.db = plan->dag.db,
		.entries = plan->puts,
		.entry_count = plan->count,
		.raises = plan->raises,
		.raise_count = plan->raise_count};
	return TL_OK;
}
