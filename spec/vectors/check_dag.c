/* Sections about histories: every question is asked of a store that the entries came into through
 * the plan.
 *
 * State is the plain fold over all ancestors (section `linear`). 0.2.0 folds from a common ancestor
 * it finds by a search; where that ancestor lies on every way back from the entries that it joins,
 * both are the same and must be. Only where some entries have no such ancestor may they differ. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/doc.h>
#include "base/buf.h"
#include "history.h"

/* --- structure -------------------------------------------------------------------------------- */

typedef struct listing {
	graph *g;
	bool in_store;
	tl__buf names; /* "A,B,C" */
} listing;

static int list_id(void *ud, const tl_id *id)
{
	listing *l = ud;
	const member *m = find_member(l->g, id);

	if (l->names.len)
		tl__buf_byte(&l->names, ',');
	tl__buf_str(&l->names, m ? m->name : TL__STR("?"));
	return TL_OK;
}

static int list_entry(void *ud, const tl__entry_row *row)
{
	const listing *l = ud;
	member *m = find_member(l->g, &row->id);

	if (m && l->in_store)
		m->store_height = row->height;
	else if (m)
		m->height = row->height;
	return list_id(ud, &row->id);
}

static bool is_among(tl_str text, const node *answers)
{
	for (size_t i = 0; i < answers->count; i++)
		if (tl__str_eq(text, answers->children[i].text))
			return true;
	return false;
}

static const node *answers_of(const graph *g, const char *name)
{
	return node_get(node_get(g->item, "parents_first"), name);
}

static void expect_among(graph *g, listing *l, const char *name)
{
	if (!is_among(tl__buf_view(&l->names), answers_of(g, name)))
		wrong(g->c, "%s: %.*s", name, TL__STR_ARG(tl__buf_view(&l->names)));
	tl__buf_free(&l->names);
}

static void check_listing(graph *g, bool in_store)
{
	listing l = {g, in_store, TL__BUF_INIT};
	tl_str store = in_store ? g->store_name : TL__STR("");

	expect(g->c,
		tl__read_by_height(g->s, &g->tree_id, store, NULL, SIZE_MAX, 0, list_entry, &l) ==
			TL_OK,
		"listing");
	expect_among(g, &l, in_store ? "store_order" : "tree_order");
}

static int by_text(const void *a, const void *b)
{
	return tl__str_compare(*(const tl_str *)a, *(const tl_str *)b);
}

/* The names of a list in ascending order. */
static tl_str sorted_names(check *c, tl_str list)
{
	tl_str *names = tl__arena_alloc(&c->arena, list.len + 1, sizeof *names);
	size_t count = 0;
	tl__buf out = TL__BUF_INIT;
	tl_str sorted;

	for (size_t at = 0, end; at < list.len; at = end + 1) {
		for (end = at; end < list.len && list.ptr[end] != ',';)
			end++;
		names[count++] = (tl_str){list.ptr + at, end - at};
	}
	qsort(names, count, sizeof *names, by_text);
	for (size_t i = 0; i < count; i++)
		tl__buf_format(&out, i ? ",%.*s" : "%.*s", TL__STR_ARG(names[i]));
	sorted = tl__arena_str(&c->arena, tl__buf_view(&out));
	tl__buf_free(&out);
	return sorted;
}

static void check_tips(graph *g, bool in_store)
{
	listing l = {g, in_store, TL__BUF_INIT};
	const char *name = in_store ? "store_tips" : "tips";
	const node *answers = answers_of(g, name);
	bool found = false;
	tl_str got;

	expect(g->c,
		tl__read_tips(g->s, &g->tree_id, in_store ? g->store_name : TL__STR(""), list_id,
			&l) == TL_OK,
		"tips");
	got = sorted_names(g->c, tl__buf_view(&l.names));
	for (size_t i = 0; i < answers->count; i++)
		found = found || tl__str_eq(got, sorted_names(g->c, answers->children[i].text));
	if (!found)
		wrong(g->c, "%s: %.*s", name, TL__STR_ARG(got));
	tl__buf_free(&l.names);
}

static void check_heights(graph *g, bool in_store)
{
	const node *answers = answers_of(g, in_store ? "store_heights" : "heights");
	tl__buf text = TL__BUF_INIT;
	bool found = false;
	tl_str got;

	tl__buf_byte(&text, '{');
	for (size_t i = 0; i < g->count; i++) {
		const member *m = &g->members[i];

		if (in_store && !m->in_store)
			continue;
		tl__buf_format(&text, text.len > 1 ? ",\"%.*s\":%llu" : "\"%.*s\":%llu",
			TL__STR_ARG(m->name),
			(unsigned long long)(in_store ? m->store_height : m->height));
	}
	tl__buf_byte(&text, '}');
	got = text_sorted(&g->c->arena, tl__buf_view(&text));
	for (size_t i = 0; i < answers->count; i++)
		found = found ||
			tl__str_eq(got, text_sorted(&g->c->arena, answers->children[i].text));
	if (!found)
		wrong(g->c, "%s: %.*s", in_store ? "store heights" : "heights", TL__STR_ARG(got));
	tl__buf_free(&text);
}

/* Store parents in (height, id) order, as the entry's row has them. */
static int check_parents(void *ud, const tl__member_row *row)
{
	graph *g = ud;
	const member *m = find_member(g, &row->id), *last = NULL;
	const node *wanted = NULL, *all = answers_of(g, "sorted_store_parents");
	size_t named = 0;

	for (size_t i = 0; m && i < all->count; i++)
		if (tl__str_eq(all->children[i].name, m->name))
			wanted = &all->children[i];
	expect(g->c, wanted && wanted->count == row->parent_count, "number of store parents");
	for (size_t i = 0; wanted && i < wanted->count; i++) {
		for (size_t k = 0; k < row->parent_count; k++) {
			const member *p = find_member(g, &row->parents[k]);

			if (!p || !tl__str_eq(p->name, wanted->children[i].text))
				continue;
			named++;
			expect(g->c,
				!last || last->store_height < p->store_height ||
					(last->store_height == p->store_height &&
						memcmp(&last->id, &p->id, sizeof p->id) < 0),
				"order of store parents");
			last = p;
		}
	}
	expect(g->c, named == row->parent_count, "store parents");
	return TL_OK;
}

/* --- state ------------------------------------------------------------------------------------ */

/* Members of the store behind these ones, themselves included. */
static bool *closure(const graph *g, const bool *from)
{
	bool *in = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));

	for (size_t i = g->count; i-- > 0;) {
		in[i] = g->members[i].in_store && (in[i] || from[i]);
		for (size_t k = 0; in[i] && k < i; k++)
			in[k] = in[k] || g->members[i].store_parents[k];
	}
	return in;
}

static tl_str data_of(const graph *g, const member *m)
{
	ptrdiff_t at = tl_entry_find_store(m->entry, g->store_name);

	return tl_entry_store_data(m->entry, (size_t)at);
}

/* The plain fold: our answer, computed without the store's path map. Unreadable data adds nothing.
 */
static tl_value *plain_fold(graph *g, const bool *members)
{
	bool *left = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));
	tl_value *doc = tl_value_doc(), *delta;

	memcpy(left, members, g->count * sizeof(bool));
	for (;;) {
		const member *first = NULL;

		for (size_t i = 0; i < g->count; i++) {
			const member *m = &g->members[i];

			if (left[i] &&
				(!first || m->store_height < first->store_height ||
					(m->store_height == first->store_height &&
						memcmp(&m->id, &first->id, sizeof m->id) < 0)))
				first = m;
		}
		if (!first)
			return doc;
		left[first - g->members] = false;
		if (tl_doc_parse(&delta, data_of(g, first)) == TL_OK)
			expect(g->c, tl_doc_merge(doc, delta) == TL_OK, "merge");
		tl_value_free(delta);
	}
}

static bool all_readable(const graph *g, const bool *members)
{
	tl_value *delta;

	for (size_t i = 0; i < g->count; i++) {
		if (members[i] && tl_doc_parse(&delta, data_of(g, &g->members[i])) != TL_OK)
			return false;
		if (members[i])
			tl_value_free(delta);
	}
	return true;
}

/* Whether a way from the entry to a root of the store avoids `through`. */
static bool avoids(const graph *g, size_t from, size_t through)
{
	bool *met = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));

	met[from] = true;
	for (size_t i = from + 1; i-- > 0;) {
		bool root = true;

		if (!met[i] || i == through)
			continue;
		for (size_t k = 0; k < i; k++) {
			met[k] = met[k] || g->members[i].store_parents[k];
			root = root && !g->members[i].store_parents[k];
		}
		if (root)
			return true;
	}
	return false;
}

/* Whether these entries have a newest common ancestor that lies on every way back from them. */
static bool is_joined(const graph *g, const bool *set)
{
	bool *common = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));
	bool *one = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));
	size_t newest = g->count;

	memset(common, true, g->count * sizeof(bool));
	for (size_t i = 0; i < g->count; i++) {
		const bool *behind;

		memset(one, 0, g->count * sizeof(bool));
		one[i] = true;
		behind = closure(g, one);
		for (size_t k = 0; set[i] && k < g->count; k++)
			common[k] = common[k] && behind[k];
	}
	for (size_t i = 0; i < g->count; i++)
		if (common[i])
			newest = i;
	for (size_t i = 0; newest < g->count && i < g->count; i++)
		if (set[i] && avoids(g, i, newest))
			return false;
	return newest < g->count;
}

static size_t size_of(const graph *g, const bool *set)
{
	size_t count = 0;

	for (size_t i = 0; i < g->count; i++)
		count += set[i];
	return count;
}

/* Whether 0.2.0 must fold to the same state as we do. */
static bool must_agree(const graph *g, const bool *tips)
{
	const bool *in = closure(g, tips);

	if (size_of(g, tips) > 1 && !is_joined(g, tips))
		return false;
	for (size_t i = 0; i < g->count; i++)
		if (in[i] && size_of(g, g->members[i].store_parents) > 1 &&
			!is_joined(g, g->members[i].store_parents))
			return false;
	return true;
}

static bool is_state_among(const tl_value *state, const node *answers)
{
	bool found = false;

	for (size_t i = 0; i < answers->count && !found; i++) {
		tl_value *answer = NULL;

		/* Else it is an error that 0.2.0 gave. */
		if (tl_doc_parse(&answer, answers->children[i].text) == TL_OK)
			found = tl_value_equal(answer, state);
		tl_value_free(answer);
	}
	return found;
}

/* `state` is what the store gave (freed here). */
static void check_state(graph *g, tl_value *state, const bool *tips, const node *answers)
{
	tl_value *wanted = plain_fold(g, closure(g, tips));

	if (!state || !tl_value_equal(state, wanted))
		wrong(g->c, "the state is not the fold over all ancestors");
	else if (is_state_among(state, answers))
		;
	else if (!all_readable(g, closure(g, tips)))
		differs(g->c,
			"data that is no Doc makes a store unreadable in 0.2.0; with us it adds "
			"nothing");
	else if (must_agree(g, tips))
		wrong(g->c, "another state than 0.2.0's, though every merge has one base");
	else
		differs(g->c,
			"without a common ancestor on every way back 0.2.0 applies older values "
			"again; ours is the fold over all ancestors by (store height, id)");
	tl_value_free(wanted);
	tl_value_free(state);
}

/* --- sections --------------------------------------------------------------------------------- */

static bool *tips_of(graph *g)
{
	bool *tips = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));

	for (size_t i = 0; i < g->count; i++)
		tips[i] = g->members[i].in_store;
	for (size_t i = 0; i < g->count; i++)
		for (size_t k = 0; k < g->count; k++)
			if (g->members[i].in_store && g->members[i].store_parents[k])
				tips[k] = false;
	return tips;
}

static tl_value *state_now(graph *g)
{
	tl_value *state = NULL;

	expect(g->c, tl__state_doc(g->s, &g->tree_id, g->store_name, &state) == TL_OK, "state");
	return state;
}

static tl_value *state_at(graph *g, size_t at)
{
	tl_value *state = NULL;

	expect(g->c,
		tl__state_fold(g->s, &g->tree_id, g->store_name, &g->members[at].id, 1, &state) ==
			TL_OK,
		"state at an entry");
	return state;
}

static void ask_all(graph *g)
{
	const node *at_entry = answers_of(g, "state_at_entry");

	check_listing(g, false);
	check_listing(g, true);
	check_heights(g, false);
	check_heights(g, true);
	check_tips(g, false);
	check_tips(g, true);
	for (size_t i = 0; i < g->count; i++)
		if (g->members[i].in_store)
			expect(g->c,
				tl__read_members(g->s, &g->tree_id, g->store_name,
					&g->members[i].id, 1, check_parents, g) == TL_OK,
				"a member of the store");
	check_state(g, state_now(g), tips_of(g), answers_of(g, "states"));
	for (size_t i = 0; i < g->count; i++) {
		bool *only = tl__arena_alloc(&g->c->arena, g->count, sizeof(bool));
		char name[64];

		only[i] = true;
		snprintf(name, sizeof name, "%.*s", TL__STR_ARG(g->members[i].name));
		if (g->members[i].in_store)
			check_state(g, state_at(g, i), only, node_get(at_entry, name));
	}
}

void check_dag(check *c, const node *section)
{
	graph g;

	(void)section;
	if (read_graph(&g, c, c->item))
		with_orders(&g, ask_all);
	free_graph(&g);
}

static void expect_state(graph *g, tl_value *state, tl_str wanted, const char *what)
{
	tl_value *doc = NULL;

	if (tl_doc_parse(&doc, wanted) != TL_OK || !state || !tl_value_equal(state, doc))
		wrong(g->c, "%s is not %.*s", what, TL__STR_ARG(wanted));
	tl_value_free(doc);
	tl_value_free(state);
}

static void ask_linear(graph *g)
{
	const node *states = node_get(g->c->item, "state_at_entry");
	const node *tips = node_get(g->c->item, "tips");
	const bool *ours = tips_of(g);
	size_t named = 0;

	for (size_t i = 0; i < g->count; i++)
		for (size_t k = 0; k < tips->count; k++)
			named += ours[i] && tl__str_eq(tips->children[k].text, g->members[i].name);
	expect(g->c, named == tips->count && named == size_of(g, ours), "tips");
	expect_state(g, state_now(g), node_text(g->c->item, "state"), "the state");
	for (size_t i = 0; i < states->count; i++) {
		size_t at = 0;

		while (at < g->count && !tl__str_eq(g->members[at].name, states->children[i].name))
			at++;
		if (at == g->count)
			wrong(g->c, "no entry %.*s", TL__STR_ARG(states->children[i].name));
		else
			expect_state(g, state_at(g, at), states->children[i].text,
				"the state at an entry");
	}
}

/* The entries are those of the `dag` item of the same name. */
void check_linear(check *c, const node *section)
{
	const node *dags = vector_section("dag"), *item = NULL;
	graph g;

	(void)section;
	for (size_t i = 0; i < dags->count; i++)
		if (tl__str_eq(node_text(&dags->children[i], "name"), node_text(c->item, "name")))
			item = &dags->children[i];
	if (!item) {
		wrong(c, "the file has no dag item of this name");
		return;
	}
	if (read_graph(&g, c, item))
		with_orders(&g, ask_linear);
	free_graph(&g);
}
