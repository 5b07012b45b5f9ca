/* Settings frontiers: which entries carrying `_settings` speak at a place of the DAG. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "tree/history/dag.h"

/* --- reducing --------------------------------------------------------------------------------- */

/* Members of a set that may still be ancestors of others. */
typedef struct candidates {
	tl__dag_member **at;
	size_t count;
	uint64_t lowest, highest; /* heights */
} candidates;

static int gather(tl__dag *dag, const tl__dag_set *set, candidates *c)
{
	int code = tl__dag_load_members(dag, dag->settings, set->ids, set->count);

	for (size_t i = 0; code == TL_OK && i < set->count; i++) {
		c->at[i] = tl__dag_member_of(dag->settings, &set->ids[i]);
		if (!c->at[i])
			code = tl__fail(TL_E_ENTRY_NOT_FOUND, "an entry of a settings frontier is "
							      "not there or carries no settings");
	}
	c->count = set->count;
	return code;
}

/* Leaves out those that the last walk met. */
static void drop_met(const tl__dag *dag, candidates *c)
{
	size_t kept = 0;

	c->lowest = UINT64_MAX;
	c->highest = 0;
	for (size_t i = 0; i < c->count; i++) {
		tl__dag_member *member = c->at[i];

		if (member->walk == dag->walk)
			continue;
		c->at[kept++] = member;
		if (member->stamp.height < c->lowest)
			c->lowest = member->stamp.height;
		if (member->stamp.height > c->highest)
			c->highest = member->stamp.height;
	}
	c->count = kept;
}

/* Mostly the newest entry names all the others: no walk then. */
static void drop_named(tl__dag *dag, candidates *c)
{
	dag->walk++;
	for (size_t i = 0; i < c->count; i++) {
		for (size_t k = 0; k < c->at[i]->parent_count; k++) {
			tl__dag_member *named =
				tl__dag_member_of(dag->settings, &c->at[i]->parents[k]);

			if (named)
				named->walk = dag->walk;
		}
	}
	drop_met(dag, c);
}

static int not_below(void *ud, tl__dag_member *member)
{
	return member->stamp.height > *(const uint64_t *)ud ? TL_OK : TL__STORE_STOP;
}

static int drop_ancestors(tl__dag *dag, candidates *c)
{
	uint64_t lowest = c->lowest;
	tl__buf parents = TL__BUF_INIT;
	int code;

	for (size_t i = 0; i < c->count; i++)
		if (c->at[i]->stamp.height > lowest)
			tl__buf_append(&parents, c->at[i]->parents,
				c->at[i]->parent_count * sizeof *c->at[i]->parents);
	code = tl__buf_status(&parents);
	if (code == TL_OK)
		code = tl__dag_walk(dag, dag->settings, (const tl_id *)(const void *)parents.ptr,
			parents.len / TL_ID_BYTES, not_below, &lowest);
	if (code == TL_OK)
		drop_met(dag, c);
	tl__buf_free(&parents);
	return code;
}

int tl__dag_reduce(tl__dag *dag, tl__dag_set *set, tl__dag_set **out)
{
	candidates c = {0};
	tl_id *ids = NULL;
	int code = TL_OK;

	*out = set->reduced;
	if (set->reduced)
		return TL_OK;
	c.at = tl__alloc(set->count * sizeof(tl__dag_member *));
	ids = tl__alloc(set->count * sizeof *ids);
	code = c.at && ids ? gather(dag, set, &c) : TL_E_NOMEM;
	if (code == TL_OK) {
		drop_named(dag, &c);
		if (c.lowest < c.highest)
			code = drop_ancestors(dag, &c);
	}
	for (size_t i = 0; code == TL_OK && i < c.count; i++)
		ids[i] = c.at[i]->stamp.id;
	if (code == TL_OK)
		code = tl__dag_set_of(dag, ids, c.count, out);
	if (code == TL_OK)
		set->reduced = (*out)->reduced = *out;
	tl__free(ids);
	tl__free((void *)c.at);
	return code;
}

/* --- frontiers -------------------------------------------------------------------------------- */

/* The frontier a stored entry carries. */
static int load_frontier(tl__dag *dag, tl__dag_node *node)
{
	tl_str number = {(const char *)&node->frontier, sizeof node->frontier};
	tl__ids ids = {0};
	int code;

	node->at = tl__map_get(&dag->numbers, number);
	if (node->at)
		return TL_OK;
	code = tl__read_frontier(dag->snapshot, &dag->db, node->frontier, tl__ids_visit, &ids);
	if (code == TL_OK)
		code = tl__dag_set_of(dag, ids.at, ids.count, &node->at);
	if (code == TL_OK) {
		node->at->reduced = node->at;
		code = tl__map_set(&dag->numbers, number, node->at);
	}
	tl__ids_free(&ids);
	return code;
}

/* The set and one more id, reduced. */
static int with_id(tl__dag *dag, const tl__dag_set *set, const tl_id *id, tl__dag_set **out)
{
	tl_id *ids = tl__alloc((set->count + 1) * sizeof *ids);
	tl__dag_set *both;
	int code;

	if (!ids)
		return TL_E_NOMEM;
	memcpy(ids, set->ids, set->count * sizeof *ids);
	ids[set->count] = *id;
	code = tl__dag_set_of(dag, ids, set->count + 1, &both);
	if (code == TL_OK)
		code = tl__dag_reduce(dag, both, out);
	tl__free(ids);
	return code;
}

/* What an entry hands to its children: its frontier, and itself when it is good and carries
 * settings. A void entry hands on what it got. */
static int find_after(tl__dag *dag, const tl_id *id, tl__dag_node *node)
{
	tl__dag_set *set;
	int code = TL_OK;

	if (node->after)
		return code;
	if (!node->at)
		code = load_frontier(dag, node);
	if (code != TL_OK)
		return code;
	set = node->at;
	if (node->verdict == TL__VERIFIED) {
		code = tl__dag_load_members(dag, dag->settings, id, 1);
		if (code == TL_OK && tl__dag_member_of(dag->settings, id))
			code = with_id(dag, node->at, id, &set);
	}
	if (code == TL_OK)
		node->after = set;
	return code;
}

/* Appends what the parents hand on, each different set once; returns how many there were. */
static size_t gather_sets(
	tl__dag *dag, const tl_id *parents, size_t count, tl__dag_set **last, tl__buf *ids)
{
	size_t different = 0;

	dag->walk++;
	for (size_t i = 0; i < count; i++) {
		tl__dag_set *set = tl__dag_node_of(dag, &parents[i])->after;

		if (set->walk == dag->walk)
			continue;
		set->walk = dag->walk;
		different++;
		*last = set;
		tl__buf_append(ids, set->ids, set->count * sizeof *set->ids);
	}
	return different;
}

int tl__dag_frontier(tl__dag *dag, const tl_id *parents, size_t count, tl__dag_set **out)
{
	tl__buf ids = TL__BUF_INIT;
	tl__dag_set *all = NULL;
	int code = TL_OK;

	for (size_t i = 0; code == TL_OK && i < count; i++)
		code = find_after(dag, &parents[i], tl__dag_node_of(dag, &parents[i]));
	if (code == TL_OK && gather_sets(dag, parents, count, &all, &ids) != 1)
		code = tl__buf_status(&ids) != TL_OK
			       ? TL_E_NOMEM
			       : tl__dag_set_of(dag, (const tl_id *)(const void *)ids.ptr,
					 ids.len / TL_ID_BYTES, &all);
	if (code == TL_OK)
		code = tl__dag_reduce(dag, all, out);
	tl__buf_free(&ids);
	return code;
}
