/* Histories of vectors: read, and written to a memory store in several orders of arrival, parents
 * first. The entries are unsigned, so they enter beneath the trust checks. */
#include "history.h"

#include <string.h>
#include <tidelock/crypto.h>
#include "base/system/env.h"

enum { ORDERS = 6 };

/* --- reading the vector ----------------------------------------------------------------------- */

member *find_member(const graph *g, const tl_id *id)
{
	for (size_t i = 0; i < g->count; i++)
		if (memcmp(&g->members[i].id, id, sizeof *id) == 0)
			return &g->members[i];
	return NULL;
}

static member *find_text(const graph *g, tl_str text)
{
	tl_id id;

	return tl_id_parse(&id, text) == TL_OK ? find_member(g, &id) : NULL;
}

static void link_parents(graph *g, member *m)
{
	ptrdiff_t at = tl_entry_find_store(m->entry, g->store_name);
	size_t count = at < 0 ? 0 : tl_entry_store_parent_count(m->entry, (size_t)at);

	m->in_store = at >= 0;
	for (size_t i = 0; i < tl_entry_parent_count(m->entry); i++) {
		const member *p = find_text(g, tl_entry_parent(m->entry, i));

		if (p)
			m->parents[p - g->members] = true;
		expect(g->c, p != NULL, "parents come first");
	}
	for (size_t i = 0; i < count; i++) {
		const member *p = find_text(g, tl_entry_store_parent(m->entry, (size_t)at, i));

		if (p)
			m->store_parents[p - g->members] = p->in_store;
		expect(g->c, p != NULL, "store parents come first");
	}
}

bool read_graph(graph *g, check *c, const node *item)
{
	const node *list = node_get(item, "entries_in_topological_order");

	memset(g, 0, sizeof *g);
	g->c = c;
	g->item = item;
	g->store_name = node_text(item, "store");
	expect(c, tl_id_parse(&g->tree_id, node_text(item, "tree")) == TL_OK, "tree is an id");
	g->members = tl__arena_alloc(&c->arena, list->count, sizeof *g->members);
	for (size_t i = 0; i < list->count && !c->failed; i++) {
		member *m = &g->members[g->count];
		tl_str json = node_text(&list->children[i], "json");

		m->name = node_text(&list->children[i], "name");
		m->parents = tl__arena_alloc(&c->arena, list->count, sizeof(bool));
		m->store_parents = tl__arena_alloc(&c->arena, list->count, sizeof(bool));
		if (tl_entry_parse(&m->entry, json, TL_ENTRY_CANONICAL) != TL_OK ||
			tl_entry_check(m->entry) != TL_OK) {
			wrong(c, "an entry is not read: %s", tl_error_message(tl_last_error()));
			break;
		}
		m->id = *tl_entry_id(m->entry);
		link_parents(g, m);
		g->count++;
	}
	return !c->failed;
}

void free_graph(graph *g)
{
	for (size_t i = 0; i < g->count; i++)
		tl_entry_free(g->members[i].entry);
}

/* --- arriving --------------------------------------------------------------------------------- */

static bool is_ready(const graph *g, const bool *done, size_t at)
{
	for (size_t i = 0; i < g->count; i++)
		if (!done[i] && (g->members[at].parents[i] || g->members[at].store_parents[i]))
			return false;
	return !done[at];
}

/* The order of the vector first, then others with parents first. */
static size_t next_to_arrive(const graph *g, const bool *done, const tl__random *random, int round)
{
	size_t at = round == 0 ? 0 : (size_t)tl__random_below(random, g->count);

	while (!is_ready(g, done, at))
		at = (at + 1) % g->count;
	return at;
}

/* One batch, or one for each entry in every second order. */
static bool arrive(graph *g, tl__tree *tree, const tl__random *random, int round)
{
	bool *done = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));
	size_t left = g->count;
	int code = TL_OK;

	while (left > 0 && code == TL_OK) {
		size_t share = round % 2 ? 1 : left;
		tl__snapshot *s = NULL;
		tl__plan *plan = NULL;
		tl__batch batch;

		code = tl__snapshot_open(g->store, &s);
		if (code == TL_OK)
			code = tl__plan_new(&plan, tree, s, &g->tree_id);
		for (size_t i = 0; i < share && code == TL_OK; i++) {
			size_t at = next_to_arrive(g, done, random, round);

			code = tl__plan_add(plan, g->members[at].entry, TL__VERIFIED);
			done[at] = true;
			left--;
		}
		if (code == TL_OK)
			code = tl__plan_batch(plan, &batch);
		if (code == TL_OK)
			code = tl__store_write(g->store, &batch);
		tl__plan_free(plan);
		tl__snapshot_close(s);
	}
	if (code != TL_OK)
		wrong(g->c, "not stored: %s", tl_error_message(tl_last_error()));
	return code == TL_OK;
}

void with_orders(graph *g, void (*ask)(graph *g))
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, 7);
	tl__tree tree;

	for (int round = 0; round < ORDERS && !g->c->failed; round++) {
		if (tl__store_open_memory(&g->store, NULL) != TL_OK ||
			tl__tree_init(&tree, g->store, NULL, &tl__system_clock, random, NULL) !=
				TL_OK) {
			wrong(g->c, "no store");
			return;
		}
		if (arrive(g, &tree, &random, round) &&
			tl__snapshot_open(g->store, &g->s) == TL_OK) {
			ask(g);
			tl__snapshot_close(g->s);
		}
		tl__tree_free(&tree);
		tl__store_close(g->store);
	}
}
