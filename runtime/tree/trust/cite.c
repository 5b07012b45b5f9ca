/* Age of citations: an entry may not rest on an older state of a delegated database than its good
 * ancestors do, else a revocation there could be undone by whoever it hit.
 *
 * What its ancestors cite is handed on by what it names (tree/history/citations.c). Of the
 * ancestors of the tips themselves only those are looked at that lie behind the last joint. */
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

/* Ids of one database, ascending. */
typedef struct cited_set {
	tl_id *ids;
	size_t count;
} cited_set;

/* --- what is cited above ---------------------------------------------------------------------- */

/* What good ancestors cite of one database. */
typedef struct above {
	tl__judge *judge;
	const tl_id *db;
	tl__buf tips;
	tl__buf behind; /* ids of entries that stand for what those they name hand on */
	tl__map met;    /* of those, all that were ever behind or need not be seen */
} above;

static int take_one(above *a, const tl__citation *at)
{
	tl_str key = tl__map_key_id(&at->tip);

	if (tl__id_equal(&at->db, a->db))
		tl__buf_append(&a->tips, &at->tip, sizeof at->tip);
	if (!tl__id_is_zero(&at->db) || tl__map_has(&a->met, key))
		return TL_OK;
	tl__buf_append(&a->behind, &at->tip, sizeof at->tip);
	return tl__map_set(&a->met, key, a);
}

/* What citations that are here are newer than need not be seen: so the way ends where the nearest
 * are, however often others were put together. */
static int take(above *a, const tl_id *names, size_t count)
{
	const tl__citation *at;
	tl_id passed = tl__id_turned(a->db);
	size_t cited;
	int code = tl__plan_cited_at(a->judge->plan, names, count, &at, &cited);

	for (size_t i = 0; i < cited && code == TL_OK; i++)
		if (tl__id_equal(&at[i].db, &passed))
			code = tl__map_set(&a->met, tl__map_key_id(&at[i].tip), a);
	for (size_t i = 0; i < cited && code == TL_OK; i++)
		code = take_one(a, &at[i]);
	return code;
}

static int append_names(tl__buf *out, const tl_entry *entry)
{
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);

	if (count > 0)
		tl__buf_append(out, names, count * sizeof *names);
	return tl__buf_status(out);
}

static int on_row(void *ud, const tl__entry_row *row)
{
	tl_entry *entry = NULL;
	int code = tl_entry_parse(&entry, row->bytes, TL_ENTRY_CANONICAL);

	if (code != TL_OK && code != TL_E_NOMEM)
		code = tl__fail(
			TL_E_STORE_DAMAGED, "a stored entry cannot be read any more; run verify");
	if (code == TL_OK)
		code = append_names(ud, entry);
	tl_entry_free(entry);
	return code;
}

static int take_behind(above *a, const tl_id *id)
{
	tl__judge *j = a->judge;
	tl__buf names = TL__BUF_INIT;
	tl_entry *entry = NULL;
	int code;

	(void)j->place(j->ud, id, &entry);
	code = entry ? append_names(&names, entry)
		     : tl__read_entries(j->snapshot, &j->db, id, 1, TL__WITH_BYTES, on_row, &names);
	if (code == TL_OK)
		code = take(a, (const tl_id *)(const void *)names.ptr, names.len / TL_ID_BYTES);
	tl__buf_free(&names);
	return code;
}

/* The ids, each once, are of the judge. */
static int find_above(tl__judge *j, const tl_entry *entry, const tl_id *db, cited_set *out)
{
	above a = {.judge = j, .db = db, .tips = TL__BUF_INIT, .behind = TL__BUF_INIT};
	size_t count;
	const tl_id *names = tl__entry_names(entry, &count);
	int code;

	tl__map_init(&a.met);
	code = take(&a, names, count);
	while ((code = code == TL_OK ? tl__buf_status(&a.behind) : code) == TL_OK &&
		a.behind.len > 0) {
		tl_id id;

		a.behind.len -= sizeof id;
		memcpy(&id, a.behind.ptr + a.behind.len, sizeof id);
		code = take_behind(&a, &id);
	}
	if (code == TL_OK)
		code = tl__buf_status(&a.tips);
	out->count = code == TL_OK ? a.tips.len / TL_ID_BYTES : 0;
	out->ids = tl__arena_alloc(&j->arena, out->count + 1, sizeof *out->ids);
	if (code == TL_OK && !out->ids)
		code = TL_E_NOMEM;
	if (code == TL_OK && out->count > 0) {
		memcpy(out->ids, a.tips.ptr, a.tips.len);
		out->count = tl__ids_unique(out->ids, out->count);
	}
	tl__map_free(&a.met);
	tl__buf_free(&a.tips);
	tl__buf_free(&a.behind);
	return code;
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Ids looked for among the ancestors of tips. */
typedef struct hunt {
	tl__judge *judge;
	const tl_id *db;
	tl__map wanted; /* id -> arrival while not found; of a planned one 0 */
	tl__map visited;
	uint64_t lowest;      /* height of the lowest one wanted */
	uint64_t floor;       /* all that arrived up to here are ancestors of something visited */
	uint64_t joint, upto; /* from the one to the other there is no further joint */
	tl__buf next;
	tl__buf met; /* arrivals of this generation */
} hunt;

static int on_wanted(void *ud, const tl__entry_row *row)
{
	hunt *h = ud;
	tl_str key = tl__map_key_id(&row->id);

	if (!tl__map_has(&h->wanted, key))
		return TL_OK;
	if (row->height < h->lowest)
		h->lowest = row->height;
	return tl__map_set(&h->wanted, key, (void *)(uintptr_t)row->arrival);
}

static int go_on(hunt *h, const tl_id *id, const tl_id *parents, size_t count)
{
	(void)tl__map_remove(&h->wanted, tl__map_key_id(id));
	if (count > 0)
		tl__buf_append(&h->next, parents, count * sizeof *parents);
	return tl__buf_status(&h->next);
}

static int on_ancestor(void *ud, const tl__entry_row *row)
{
	hunt *h = ud;
	bool deeper = row->height > h->lowest && row->arrival > h->floor;

	tl__buf_append(&h->met, &row->arrival, sizeof row->arrival);
	return go_on(h, &row->id, row->parents, deeper ? row->parent_count : 0);
}

/* All that arrived up to this joint are found. */
static int take_joint(hunt *h, uint64_t joint)
{
	tl__buf found = TL__BUF_INIT;
	size_t at = 0;
	tl_str key;
	void *arrival;
	int code;

	h->floor = joint > h->floor ? joint : h->floor;
	while (tl__map_next(&h->wanted, &at, &key, &arrival))
		if ((uintptr_t)arrival != 0 && (uintptr_t)arrival <= joint)
			tl__buf_append(&found, key.ptr, TL_ID_BYTES);
	code = tl__buf_status(&found);
	for (at = 0; code == TL_OK && at < found.len; at += TL_ID_BYTES)
		(void)tl__map_remove(&h->wanted, (tl_str){found.ptr + at, TL_ID_BYTES});
	tl__buf_free(&found);
	return code;
}

/* A joint has all that arrived before it among its ancestors: see tl__read_joint. */
static int look_for_joints(hunt *h)
{
	const uint64_t *met = (const uint64_t *)(const void *)h->met.ptr;
	int code = tl__buf_status(&h->met);

	for (size_t i = 0; code == TL_OK && i < h->met.len / sizeof *met; i++) {
		if (met[i] <= h->floor)
			continue;
		if (met[i] < h->joint || met[i] > h->upto) {
			code = tl__read_joint(h->judge->snapshot, h->db, met[i], &h->joint);
			h->upto = met[i];
		}
		if (code == TL_OK && met[i] == h->joint)
			code = take_joint(h, h->joint);
	}
	tl__buf_clear(&h->met);
	return code;
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
	return code == TL_OK ? look_for_joints(h) : code;
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
	return tl__read_entries(h->judge->snapshot, h->db, set->ids, set->count, 0, on_wanted, h);
}

/* Whether all of the set are tips or ancestors of tips, over main parents: through those the
 * settings at the tips are seen. */
static int covers(tl__judge *j, const tl__cite *cite, const cited_set *set, bool *all)
{
	hunt h = {.judge = j, .db = &cite->db, .next = TL__BUF_INIT, .met = TL__BUF_INIT};
	tl__buf now = TL__BUF_INIT;
	int code = TL_OK;

	tl__map_init(&h.wanted);
	tl__map_init(&h.visited);
	for (size_t i = 0; i < set->count && code == TL_OK; i++)
		code = tl__map_set(&h.wanted, tl__map_key_id(&set->ids[i]), NULL);
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
	tl__buf_free(&h.met);
	tl__buf_free(&now);
	return code;
}

int tl__judge_citations(tl__judge *j, tl_entry *entry, const tl__opinion *opinion, bool *stale)
{
	int code = TL_OK;

	*stale = false;
	for (size_t i = 0; i < opinion->cite_count && code == TL_OK && !*stale; i++) {
		cited_set set;
		bool all = true;

		code = find_above(j, entry, &opinion->cites[i].db, &set);
		if (code == TL_OK && set.count > 0)
			code = covers(j, &opinion->cites[i], &set, &all);
		*stale = !all;
	}
	return code;
}
