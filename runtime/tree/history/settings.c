/* Settings at a place of the DAG. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "model/doc_path.h"
#include "tree/history/dag.h"

/* --- at a frontier ---------------------------------------------------------------------------- */

static bool has_planned(const tl__dag *dag, const tl__dag_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		const tl__dag_node *node = tl__dag_node_of(dag, &set->ids[i]);

		if (node && node->order > 0)
			return true;
	}
	return false;
}

/* What was folded before, here or by anybody. */
static tl__settings *remembered(tl__tree *tree, tl__dag *dag, tl__dag_set *set)
{
	if (!set->settings && !has_planned(dag, set))
		set->settings = tl__settings_cache_get(tree->settings, &dag->db, set);
	return set->settings;
}

static int good_only(void *ud, tl__dag_member *member)
{
	if (member->verdict != TL__VERIFIED)
		return TL_OK;
	tl__buf_append(ud, &member->stamp.id, sizeof member->stamp.id);
	return TL__STORE_STOP;
}

/* The good entries nearest to these in the `_settings` DAG: themselves, and those above void ones.
 */
static int good_frontier(tl__dag *dag, const tl_id *from, size_t count, tl__dag_set **out)
{
	tl__buf ids = TL__BUF_INIT;
	tl__dag_set *set = NULL;
	int code = tl__dag_walk(dag, dag->settings, from, count, good_only, &ids);

	if (code == TL_OK)
		code = tl__buf_status(&ids);
	if (code == TL_OK)
		code = tl__dag_set_of(
			dag, (const tl_id *)(const void *)ids.ptr, ids.len / TL_ID_BYTES, &set);
	if (code == TL_OK)
		code = tl__dag_reduce(dag, set, out);
	tl__buf_free(&ids);
	return code;
}

/* An entry comes after all its ancestors in the order of folding. So the settings at a frontier of
 * one entry are those below it and its delta: go down to something remembered, then up again. */
static int go_down(tl__tree *tree, tl__dag *dag, tl__dag_set **set, tl__buf *chain)
{
	int code = TL_OK;

	while (code == TL_OK && (*set)->count == 1 && !remembered(tree, dag, *set)) {
		tl__dag_member *member;

		code = tl__dag_load_members(dag, dag->settings, (*set)->ids, 1);
		if (code != TL_OK)
			break;
		member = tl__dag_member_of(dag->settings, (*set)->ids);
		if (!member)
			return tl__fail(TL_E_ENTRY_NOT_FOUND, "an entry of a settings frontier is "
							      "not there or carries no settings");
		tl__buf_append(chain, (const void *)&member, sizeof(tl__dag_member *));
		code = tl__buf_status(chain);
		if (code == TL_OK)
			code = good_frontier(dag, member->parents, member->parent_count, set);
	}
	return code;
}

static int start_from(
	tl__tree *tree, tl__dag *dag, tl__dag_set *set, tl_value **doc, size_t *newest)
{
	const tl__settings *known = remembered(tree, dag, set);

	if (!known)
		return tl__dag_fold(dag, dag->settings, set->ids, set->count, doc, newest);
	*newest = set->newest;
	*doc = tl_value_copy(known->doc);
	return *doc ? TL_OK : TL_E_NOMEM;
}

static int fold(tl__tree *tree, tl__dag *dag, tl__dag_set *set, tl_value **doc, size_t *newest)
{
	tl__buf chain = TL__BUF_INIT;
	int code = go_down(tree, dag, &set, &chain);
	tl__dag_member **members = (tl__dag_member **)(void *)chain.ptr;
	size_t count = chain.len / sizeof(tl__dag_member *);

	if (code == TL_OK)
		code = start_from(tree, dag, set, doc, newest);
	while (code == TL_OK && count-- > 0) {
		code = tl__dag_merge(dag, dag->settings, members[count], *doc);
		if (members[count]->order > *newest)
			*newest = members[count]->order;
	}
	if (code == TL_OK)
		tl__value_reduce(*doc);
	tl__buf_free(&chain);
	return code;
}

int tl__settings_of_set(tl__tree *tree, tl__dag *dag, tl__dag_set *set, tl__settings **out)
{
	tl_value *doc = NULL;
	size_t newest = 0;
	int code = TL_OK;

	*out = NULL;
	if (!remembered(tree, dag, set)) {
		code = fold(tree, dag, set, &doc, &newest);
		/* Only lack of memory hides it the first time and not the second. */
		tl__settings_release(set->settings);
		set->settings = NULL;
		if (code == TL_OK)
			code = tl__settings_make(doc, &set->settings);
		else
			tl_value_free(doc);
		if (code != TL_OK)
			return code;
		set->newest = newest;
		if (!has_planned(dag, set))
			tl__settings_cache_put(tree->settings, &dag->db, set, set->settings);
	}
	*out = tl__settings_retain(set->settings);
	return TL_OK;
}

/* --- for everybody ---------------------------------------------------------------------------- */

int tl__settings_of_parents(tl__tree *tree, tl__snapshot *s, const tl_id *db, const tl_id *parents,
	size_t count, tl__settings **out)
{
	tl__dag_set *set;
	tl__dag dag;
	int code = tl__dag_init(&dag, s, db);

	*out = NULL;
	if (code == TL_OK)
		code = tl__dag_need(&dag, parents, count);
	if (code == TL_OK)
		code = tl__dag_frontier(&dag, parents, count, &set);
	if (code == TL_OK)
		code = tl__settings_of_set(tree, &dag, set, out);
	tl__dag_free(&dag);
	return code;
}

/* Every good entry that carries settings is behind the database's tips. So the good ones nearest to
 * the tips of `_settings` are the frontier of the present, however many tips the database has. */
int tl__settings_now(tl__tree *tree, tl__snapshot *s, const tl_id *db, tl__settings **out)
{
	tl__ids tips = {0};
	tl__dag_set *set;
	tl__dag dag;
	int code = tl__dag_init(&dag, s, db);

	*out = NULL;
	if (code == TL_OK)
		code = tl__read_tips(s, db, TL__STR(TL__STORE_SETTINGS), tl__ids_visit, &tips);
	if (code == TL_OK)
		code = good_frontier(&dag, tips.at, tips.count, &set);
	if (code == TL_OK)
		code = tl__settings_of_set(tree, &dag, set, out);
	tl__ids_free(&tips);
	tl__dag_free(&dag);
	return code;
}
