/* Age of citations: an entry may not rest on an older state of a delegated database than its good
 * ancestors do, else a revocation there could be undone by whoever it hit.
 *
 * The nearest citing ancestors on each way up are enough: each was good itself, so what it cites is
 * no older than what is cited above it. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "model/ids.h"
#include "model/entry_impl.h"
#include "tree/trust/judge.h"

int tl__judge_add_tips(
	const tl_entry *entry, size_t step, tl__arena *arena, tl_id **tips, size_t *count)
{
	ptrdiff_t given = tl_entry_step_tip_count(entry, step);
	size_t n = given > 0 ? (size_t)given : 0;
	tl_id *all = tl__arena_alloc(arena, *count + n + 1, sizeof *all), *added;

	if (!all)
		return TL_E_NOMEM;
	if (*count > 0)
		memcpy(all, *tips, *count * sizeof *all);
	added = all + *count;
	for (size_t i = 0; i < n; i++)
		if (tl_id_parse(&added[i], tl_entry_step_tip(entry, step, i)) != TL_OK)
			return tl__fail_cause(
				TL_E_INVALID_TIP, "a tip cited by a delegation step is no id");
	*tips = all;
	*count += tl__ids_unique(added, n);
	return TL_OK;
}

/* Ids that the nearest citing entries at or above an entry cite, ascending. */
typedef struct cited_set {
	tl_id *ids;
	size_t count;
} cited_set;

/* An entry of the judged database, seen from one delegated database. */
typedef struct seen {
	const tl_id *names; /* to go on with; none behind a citing entry */
	size_t count, next;
	tl_id *tips; /* cited for whatever database, until they are sorted out */
	size_t tip_count;
	const cited_set *set; /* NULL: not yet known */
} seen;

struct tl__cited_db {
	tl_id db;
	tl__map nodes; /* id -> seen */
	tl__cited_db *next;
};

static const cited_set nothing = {NULL, 0};

void tl__judge_forget_citations(tl__judge *judge)
{
	for (tl__cited_db *at = judge->cited, *next; at; at = next) {
		next = at->next;
		tl__map_free(&at->nodes);
		tl__free(at);
	}
	judge->cited = NULL;
}

static int cited_db_of(tl__judge *j, const tl_id *db, tl__cited_db **out)
{
	tl__cited_db *at = j->cited;

	while (at && !tl__id_equal(&at->db, db))
		at = at->next;
	if (!at) {
		at = tl__alloc_zero(1, sizeof *at);
		if (!at)
			return TL_E_NOMEM;
		at->db = *db;
		tl__map_init(&at->nodes);
		at->next = j->cited;
		j->cited = at;
	}
	*out = at;
	return TL_OK;
}

/* --- going up --------------------------------------------------------------------------------- */

typedef struct climb {
	tl__judge *judge;
	tl__cited_db *of;
	tl__buf found; /* seen * of this generation */
	tl__buf next;  /* ids of the one above */
} climb;

/* All tips of all steps, of whatever database. */
static int gather_tips(tl__judge *j, const tl_entry *entry, seen *s)
{
	int rc = TL_OK;

	for (size_t step = 0; step < tl_entry_step_count(entry) && rc == TL_OK; step++)
		rc = tl__judge_add_tips(entry, step, &j->arena, &s->tips, &s->tip_count);
	return rc == TL_E_NOMEM ? rc : TL_OK;
}

static int see(climb *c, const tl_entry *entry, bool good)
{
	tl__judge *j = c->judge;
	seen *s = tl__arena_alloc(&j->arena, 1, sizeof *s);
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);
	tl_id *copy = s ? tl__arena_alloc(&j->arena, count + 1, sizeof *copy) : NULL;

	if (!copy)
		return TL_E_NOMEM;
	s->count = count;
	if (s->count > 0)
		memcpy(copy, names, s->count * sizeof *copy);
	s->names = copy;
	if (good && gather_tips(j, entry, s) != TL_OK)
		return TL_E_NOMEM;
	tl__buf_append(&c->found, (const void *)&s, sizeof(seen *));
	return tl__map_set(&c->of->nodes, tl__map_key_id(tl_entry_id(entry)), s);
}

static int on_row(void *ud, const tl__entry_row *row)
{
	tl_entry *entry;
	int code = tl_entry_parse(&entry, row->bytes, TL_ENTRY_CANONICAL);

	if (code == TL_OK && !tl__id_equal(tl_entry_id(entry), &row->id))
		code = TL_E_BAD_ENTRY;
	if (code != TL_OK && code != TL_E_NOMEM)
		code = tl__fail(
			TL_E_STORE_DAMAGED, "a stored entry cannot be read any more; run verify");
	if (code == TL_OK)
		code = see(ud, entry, row->verdict == TL__VERIFIED);
	tl_entry_free(entry);
	return code;
}

/* Sees those of the ids that were not seen before. */
static int see_all(climb *c, const tl_id *ids, size_t count)
{
	tl__judge *j = c->judge;
	tl__buf stored = TL__BUF_INIT;
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl_entry *entry = NULL;
		tl__place place;

		if (tl__map_has(&c->of->nodes, tl__map_key_id(&ids[i])))
			continue;
		place = j->place(j->ud, &ids[i], &entry);
		if (place == TL__PLACE_STORED)
			tl__buf_append(&stored, &ids[i], sizeof ids[i]);
		else if (entry)
			code = see(c, entry, place == TL__PLACE_GOOD);
	}
	if (code == TL_OK)
		code = tl__buf_status(&stored);
	if (code == TL_OK && stored.len > 0)
		code = tl__read_entries(j->snapshot, &j->db,
			(const tl_id *)(const void *)stored.ptr, stored.len / TL_ID_BYTES,
			TL__WITH_BYTES, on_row, c);
	tl__buf_free(&stored);
	return code == TL_OK ? tl__buf_status(&c->found) : code;
}

/* Which ids are of the delegated database. */
static int keep_id(void *ud, const tl__entry_row *row)
{
	return tl__map_set(ud, tl__map_key_id(&row->id), ud);
}

static int find_members(climb *c, seen *const *found, size_t count, tl__map *members)
{
	tl__judge *j = c->judge;
	int code = TL_OK;
	tl_entry *entry;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		if (found[i]->tip_count == 0)
			continue;
		code = tl__read_entries(j->snapshot, &c->of->db, found[i]->tips,
			found[i]->tip_count, 0, keep_id, members);
		if (!tl__id_equal(&c->of->db, &j->db))
			continue;
		for (size_t k = 0; code == TL_OK && k < found[i]->tip_count; k++)
			if (j->place(j->ud, &found[i]->tips[k], &entry) == TL__PLACE_GOOD)
				code = tl__map_set(
					members, tl__map_key_id(&found[i]->tips[k]), members);
	}
	return code;
}

static int make_set(tl__judge *j, tl_id *ids, size_t count, const cited_set **out)
{
	cited_set *set = tl__arena_alloc(&j->arena, 1, sizeof *set);

	if (!set)
		return TL_E_NOMEM;
	*set = (cited_set){ids, tl__ids_unique(ids, count)};
	*out = set;
	return TL_OK;
}

/* A citing entry ends the way; from the others it goes on. */
static int sort_out(climb *c)
{
	seen *const *found = (seen *const *)(void *)c->found.ptr;
	size_t count = c->found.len / sizeof(seen *);
	tl__map members;
	int code;

	tl__map_init(&members);
	code = find_members(c, found, count, &members);
	for (size_t i = 0; i < count && code == TL_OK; i++) {
		seen *s = found[i];
		size_t kept = 0;

		for (size_t k = 0; k < s->tip_count; k++)
			if (tl__map_has(&members, tl__map_key_id(&s->tips[k])))
				s->tips[kept++] = s->tips[k];
		if (kept > 0) {
			s->count = 0;
			code = make_set(c->judge, s->tips, kept, &s->set);
		} else {
			tl__buf_append(&c->next, s->names, s->count * sizeof *s->names);
		}
	}
	tl__map_free(&members);
	tl__buf_clear(&c->found);
	return code == TL_OK ? tl__buf_status(&c->next) : code;
}

/* Sees everything at and above the ids, up to citing entries. */
static int climb_from(tl__judge *j, tl__cited_db *of, const tl_id *ids, size_t count)
{
	climb c = {j, of, TL__BUF_INIT, TL__BUF_INIT};
	tl__buf now = TL__BUF_INIT;
	int code = see_all(&c, ids, count);

	if (code == TL_OK)
		code = sort_out(&c);
	while (code == TL_OK && c.next.len > 0) {
		tl__buf swap = now;

		now = c.next;
		c.next = swap;
		tl__buf_clear(&c.next);
		code = see_all(&c, (const tl_id *)(const void *)now.ptr, now.len / TL_ID_BYTES);
		if (code == TL_OK)
			code = sort_out(&c);
	}
	tl__buf_free(&now);
	tl__buf_free(&c.next);
	tl__buf_free(&c.found);
	return code;
}

/* --- coming down ------------------------------------------------------------------------------ */

static seen *node_of(const tl__cited_db *of, const tl_id *id)
{
	return tl__map_get(&of->nodes, tl__map_key_id(id));
}

/* The union of what the named ones have, shared when they have the same. */
static int unite(tl__judge *j, const tl__cited_db *of, const tl_id *names, size_t count,
	const cited_set **out)
{
	const cited_set *one = &nothing;
	bool same = true;
	size_t total = 0, at = 0;
	tl_id *ids;

	for (size_t i = 0; i < count; i++) {
		const seen *s = node_of(of, &names[i]);

		if (!s || !s->set || s->set->count == 0)
			continue;
		same = same && (one == &nothing || one == s->set);
		one = s->set;
		total += s->set->count;
	}
	*out = one;
	if (same)
		return TL_OK;
	ids = tl__arena_alloc(&j->arena, total, sizeof *ids);
	if (!ids)
		return TL_E_NOMEM;
	for (size_t i = 0; i < count; i++) {
		const seen *s = node_of(of, &names[i]);

		if (!s || !s->set || s->set->count == 0)
			continue;
		memcpy(ids + at, s->set->ids, s->set->count * sizeof *ids);
		at += s->set->count;
	}
	return make_set(j, ids, total, out);
}

/* Gives the node and all above it their sets, without recursion. */
static int settle(tl__judge *j, tl__cited_db *of, seen *from)
{
	tl__buf stack = TL__BUF_INIT;
	int code;

	tl__buf_append(&stack, (const void *)&from, sizeof(seen *));
	code = tl__buf_status(&stack);
	while (code == TL_OK && stack.len > 0) {
		seen *top = ((seen **)(void *)stack.ptr)[stack.len / sizeof(seen *) - 1];
		seen *above = NULL;

		while (!top->set && top->next < top->count && (!above || above->set))
			above = node_of(of, &top->names[top->next++]);
		if (above && !above->set) {
			tl__buf_append(&stack, (const void *)&above, sizeof(seen *));
			code = tl__buf_status(&stack);
			continue;
		}
		if (!top->set)
			code = unite(j, of, top->names, top->count, &top->set);
		stack.len -= sizeof(seen *);
	}
	tl__buf_free(&stack);
	return code;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Ids looked for among the ancestors of tips. */
typedef struct hunt {
	tl__judge *judge;
	const tl_id *db;
	tl__map wanted; /* id -> itself while not found */
	tl__map visited;
	uint64_t lowest; /* height of the lowest one wanted */
	tl__buf next;
} hunt;

static int on_height(void *ud, const tl__entry_row *row)
{
	hunt *h = ud;

	if (row->height < h->lowest)
		h->lowest = row->height;
	return TL_OK;
}

static int go_on(hunt *h, const tl_id *id, const tl_id *parents, size_t count)
{
	(void)tl__map_remove(&h->wanted, tl__map_key_id(id));
	tl__buf_append(&h->next, parents, count * sizeof *parents);
	return tl__buf_status(&h->next);
}

static int on_ancestor(void *ud, const tl__entry_row *row)
{
	hunt *h = ud;
	bool deeper = row->height > h->lowest;

	return go_on(h, &row->id, row->parents, deeper ? row->parent_count : 0);
}

static int step_up(hunt *h, const tl_id *ids, size_t count)
{
	bool own = tl__id_equal(h->db, &h->judge->db);
	tl__buf stored = TL__BUF_INIT;
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl_entry *entry = NULL;

		if (tl__map_has(&h->visited, tl__map_key_id(&ids[i])))
			continue;
		code = tl__map_set(&h->visited, tl__map_key_id(&ids[i]), h);
		if (own)
			(void)h->judge->place(h->judge->ud, &ids[i], &entry);
		if (code == TL_OK && entry)
			code = go_on(
				h, &ids[i], tl__entry_parents(entry), tl_entry_parent_count(entry));
		else
			tl__buf_append(&stored, &ids[i], sizeof ids[i]);
	}
	if (code == TL_OK)
		code = tl__buf_status(&stored);
	if (code == TL_OK && stored.len > 0)
		code = tl__read_entries(h->judge->snapshot, h->db,
			(const tl_id *)(const void *)stored.ptr, stored.len / TL_ID_BYTES,
			TL__WITH_PARENTS, on_ancestor, h);
	tl__buf_free(&stored);
	return code;
}

/* Planned ones have no height yet: then nothing is cut short. */
static int find_lowest(hunt *h, const cited_set *set)
{
	tl_entry *entry;

	h->lowest = UINT64_MAX;
	if (tl__id_equal(h->db, &h->judge->db))
		for (size_t i = 0; i < set->count; i++)
			if (h->judge->place(h->judge->ud, &set->ids[i], &entry) != TL__PLACE_STORED)
				h->lowest = 0;
	return tl__read_entries(h->judge->snapshot, h->db, set->ids, set->count, 0, on_height, h);
}

/* Whether all of the set are tips or ancestors of tips, over main parents: through those the
 * settings at the tips are seen. */
static int covers(tl__judge *j, const tl__cite *cite, const cited_set *set, bool *all)
{
	hunt h = {.judge = j, .db = &cite->db, .next = TL__BUF_INIT};
	tl__buf now = TL__BUF_INIT;
	int code = TL_OK;

	tl__map_init(&h.wanted);
	tl__map_init(&h.visited);
	for (size_t i = 0; i < set->count && code == TL_OK; i++)
		code = tl__map_set(&h.wanted, tl__map_key_id(&set->ids[i]), &h);
	for (size_t i = 0; i < cite->count; i++)
		(void)tl__map_remove(&h.wanted, tl__map_key_id(&cite->tips[i]));
	if (code == TL_OK && h.wanted.count > 0) {
		code = find_lowest(&h, set);
		tl__buf_append(&h.next, cite->tips, cite->count * sizeof *cite->tips);
	}
	while (code == TL_OK && h.wanted.count > 0 && h.next.len > 0) {
		tl__buf swap = now;

		now = h.next;
		h.next = swap;
		tl__buf_clear(&h.next);
		code = step_up(&h, (const tl_id *)(const void *)now.ptr, now.len / TL_ID_BYTES);
	}
	*all = h.wanted.count == 0;
	tl__map_free(&h.wanted);
	tl__map_free(&h.visited);
	tl__buf_free(&h.next);
	tl__buf_free(&now);
	return code;
}

static int check_cite(tl__judge *j, const tl_entry *entry, const tl__cite *cite, bool *stale)
{
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);
	const cited_set *set = &nothing;
	tl__cited_db *of;
	bool all = true;
	int code = cited_db_of(j, &cite->db, &of);

	if (code == TL_OK)
		code = climb_from(j, of, names, count);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		if (node_of(of, &names[i]))
			code = settle(j, of, node_of(of, &names[i]));
	if (code == TL_OK)
		code = unite(j, of, names, count, &set);
	if (code == TL_OK && set->count > 0)
		code = covers(j, cite, set, &all);
	*stale = !all;
	return code;
}

int tl__judge_citations(tl__judge *j, tl_entry *entry, const tl__opinion *opinion, bool *stale)
{
	int code = TL_OK;

	*stale = false;
	for (size_t i = 0; i < opinion->cite_count && code == TL_OK && !*stale; i++)
		code = check_cite(j, entry, &opinion->cites[i], stale);
	return code;
}
