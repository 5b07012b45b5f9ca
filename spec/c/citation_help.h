/* Databases that cite each other at random, with the verdicts that a walk over all of them gives.
 */
#ifndef SPEC_CITATION_HELP_H
#define SPEC_CITATION_HELP_H

#include "model/entry_impl.h"
#include "trust_fixture.h"

#define MAX_ENTRIES 160
#define DATABASES   4 /* `main` first; it delegates to all, itself among them */
#define SELF        0

typedef struct member {
	tl_entry *entry;
	bool good;
	bool behind[MAX_ENTRIES]; /* itself and what it reaches over main parents */
	bool above[MAX_ENTRIES];  /* the same over all that it names */
	/* What it cites, by place in the databases. */
	bool cites[DATABASES][MAX_ENTRIES];
	bool citing;
	int wanted; /* TL_OK or why it is not good */
} member;

typedef struct history {
	member at[MAX_ENTRIES];
	size_t count;
} history;

typedef struct universe {
	tl__seeded seeded;
	tl__random random;
	signer a, phone;
	history of[DATABASES];
} universe;

static universe u; /* the one of the case at hand */

static inline size_t below(size_t bound)
{
	return (size_t)tl__random_below(&u.random, bound);
}

static inline bool one_in(size_t n)
{
	return below(n) == 0;
}

/* --- making histories ------------------------------------------------------------------------- */

static inline void unite(bool *into, const bool *from)
{
	for (size_t i = 0; i < MAX_ENTRIES; i++)
		into[i] = into[i] || from[i];
}

/* By a walk over everything: whether a good ancestor cites what is not behind these tips. */
static inline bool is_stale(const history *h, const member *m)
{
	for (size_t db = 0; db < DATABASES; db++) {
		bool reached[MAX_ENTRIES] = {false}, cited = false;

		for (size_t t = 0; t < MAX_ENTRIES; t++)
			if (m->cites[db][t]) {
				unite(reached, u.of[db].at[t].behind);
				cited = true;
			}
		for (size_t i = 0; cited && i < h->count; i++) {
			if (!m->above[i] || !h->at[i].good)
				continue;
			for (size_t t = 0; t < MAX_ENTRIES; t++)
				if (h->at[i].cites[db][t] && !reached[t])
					return true;
		}
	}
	return false;
}

/* Mostly one of the last, sometimes any, from `first` on. */
static inline size_t pick(const history *h, size_t first)
{
	size_t there = h->count - first, span = one_in(5) || there < 6 ? there : 6;

	return h->count - 1 - below(span);
}

static inline size_t pick_several(
	const history *h, size_t first, size_t most, const tl_entry **out, bool *picked)
{
	size_t count = 0, wanted = 1 + (one_in(3) ? below(most) : 0);

	for (size_t tries = 0; tries < 20 && count < wanted; tries++) {
		size_t i = pick(h, first);

		if (picked[i])
			continue;
		picked[i] = true;
		out[count++] = h->at[i].entry;
	}
	return count;
}

/* All tips: what comes of it may become a joint. */
static inline size_t pick_tips(const history *h, const tl_entry **out, bool *picked)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count && count < DRAFT_MAX; i++) {
		picked[i] = true;
		for (size_t k = i + 1; k < h->count && picked[i]; k++)
			picked[i] = !h->at[k].behind[i];
		if (picked[i])
			out[count++] = h->at[i].entry;
	}
	return count;
}

/* Tips of one step; of `main` only good ones, for others are never right. */
static inline void cite(member *m, draft *d, size_t step, size_t db)
{
	const history *h = &u.of[db];
	size_t count = 0, wanted = 1 + below(2);

	for (size_t tries = 0; tries < 20 && count < wanted; tries++) {
		size_t i = pick(h, 0);

		if (m->cites[db][i] || !h->at[i].good)
			continue;
		m->cites[db][i] = true;
		d->cited[step][count++] = h->at[i].entry;
	}
}

static inline void delegate(member *m, draft *d)
{
	static const char *const names[] = {"self", "one", "two", "three"};
	size_t db = below(DATABASES);

	m->citing = true;
	d->by = &u.phone;
	d->steps[0] = names[db];
	cite(m, d, 0, db);
	d->step_count = 2;
	if (db == 1 && one_in(2)) { /* which delegates in turn */
		d->steps[1] = "two";
		cite(m, d, 1, 2);
		d->step_count = 3;
	}
	d->steps[d->step_count - 1] = "phone";
}

static inline void add_reached(history *h, member *m, const bool *main, const bool *notes)
{
	for (size_t i = 0; i < h->count; i++) {
		if (main[i])
			unite(m->behind, h->at[i].behind);
		if (main[i] || notes[i])
			unite(m->above, h->at[i].above);
	}
}

static inline bool add_note(history *h, size_t first, size_t width, bool may_cite)
{
	member *m = &h->at[h->count];
	bool main[MAX_ENTRIES] = {false}, notes[MAX_ENTRIES] = {false};
	draft d = {.root = h->at[0].entry, .by = &u.a};
	char note[32];

	memset(m, 0, sizeof *m);
	snprintf(note, sizeof note, "k%zu=%zu", below(5), h->count);
	d.notes = note;
	d.parent_count = width > 0 ? pick_several(h, first, width, d.parents, main)
				   : pick_tips(h, d.parents, main);
	if (one_in(4) && h->count > first + 1)
		d.notes_parent_count = pick_several(h, first + 1, 3, d.notes_parents, notes);
	add_reached(h, m, main, notes);
	if (may_cite && one_in(2))
		delegate(m, &d);
	d.forged = may_cite && one_in(12);
	if (d.forged)
		m->wanted = TL_E_BAD_SIGNATURE;
	else if (m->citing && is_stale(h, m))
		m->wanted = TL_E_INVALID_TIP;
	m->entry = make(&d);
	m->good = m->wanted == TL_OK;
	m->behind[h->count] = m->above[h->count] = true;
	h->count++;
	return m->entry != NULL;
}

static inline bool add_settings(history *h, tl_value *settings)
{
	member *m = &h->at[h->count];
	draft d = {.by = &u.a, .settings = settings};
	bool first[MAX_ENTRIES] = {true};

	memset(m, 0, sizeof *m);
	if (h->count > 0) {
		d.root = d.parents[0] = d.settings_parents[0] = h->at[0].entry;
		d.parent_count = d.settings_parent_count = 1;
		add_reached(h, m, first, first);
	}
	m->entry = make(&d);
	m->good = true;
	m->behind[h->count] = m->above[h->count] = true;
	h->count++;
	tl_value_free(settings);
	return m->entry != NULL;
}

static inline tl_value *first_settings(void)
{
	tl_value *settings = tl_value_doc();

	if (settings && put_key(settings, u.a.text, u.a.text, admin(0), TL_KEY_ACTIVE) &&
		put_key(settings, "phone", u.phone.text, writing(2), TL_KEY_ACTIVE))
		return settings;
	tl_value_free(settings);
	return NULL;
}

/* With forks that are joined soon, so that there are joints. */
static inline bool make_cited(size_t db, size_t count)
{
	history *h = &u.of[db];
	tl_value *settings = first_settings();
	char number[16];

	snprintf(number, sizeof number, "%zu", db);
	if (!settings || !put_text(settings, "number", tl__str_z(number)) ||
		(db == 1 && !put_tree(settings, "two", u.of[2].at[0].entry, "{\"Write\":9}")))
		return false;
	if (!add_settings(h, settings))
		return false;
	while (h->count < count)
		if (!add_note(h, 0, one_in(3) ? 3 : 0, false))
			return false;
	return true;
}

static inline bool make_main(size_t count, size_t width)
{
	history *h = &u.of[SELF];
	tl_value *settings = first_settings(), *more = tl_value_doc();

	if (!settings || !more || !add_settings(h, settings) ||
		!put_tree(more, "self", h->at[0].entry, "{\"Write\":9}") ||
		!put_tree(more, "one", u.of[1].at[0].entry, "{\"Write\":9}") ||
		!put_tree(more, "two", u.of[2].at[0].entry, "{\"Write\":9}") ||
		!put_tree(more, "three", u.of[3].at[0].entry, "{\"Write\":9}") ||
		!add_settings(h, more))
		return false;
	while (h->count < count)
		if (!add_note(h, 1, width, true))
			return false;
	return true;
}

static inline bool universe_make(uint64_t seed)
{
	memset(&u, 0, sizeof u);
	u.random = tl__random_seeded(&u.seeded, seed);
	u.a = signer_of(1);
	u.phone = signer_of(5);
	return make_cited(2, 140) && make_cited(1, 100) && make_cited(3, 20) &&
	       make_main(60 + below(90), 2 + below(6));
}

static inline void universe_free(void)
{
	for (size_t db = 0; db < DATABASES; db++)
		for (size_t i = 0; i < u.of[db].count; i++)
			tl_entry_free(u.of[db].at[i].entry);
}

/* --- feeding ---------------------------------------------------------------------------------- */

static inline bool is_as_wanted(const member *m, const tl__fate *fate)
{
	if (m->good)
		return fate->kind == TL__FATE_VERIFIED;
	return (fate->kind == TL__FATE_INVALID || fate->kind == TL__FATE_VOID) &&
	       fate->code == m->wanted;
}

static inline bool feed_page(world *w, history *h, size_t from, size_t count)
{
	tl_entry *page[MAX_ENTRIES];
	tl__ingest_result r;
	bool good = true;

	for (size_t i = 0; i < count; i++)
		page[i] = h->at[from + i].entry;
	if (feed_as(w, h->at[0].entry, page, count, (feeding){.stranger = false}, &r) != TL_OK)
		return false;
	for (size_t i = 0; good && i < count; i++) {
		good = is_as_wanted(&h->at[from + i], &r.fates[i]);
		if (!good)
			printf("entry %zu became %d (%s), by a walk it is %s\n", from + i,
				(int)r.fates[i].kind, tl_error_name(r.fates[i].code),
				tl_error_name(h->at[from + i].wanted));
	}
	tl__ingest_result_free(&r);
	return good;
}

static inline bool feed_all(world *w, size_t most)
{
	bool good = true;

	for (size_t db = DATABASES; good && db-- > 0;)
		for (size_t at = 0, count; good && at < u.of[db].count; at += count) {
			count = 1 + below(most);
			if (count > u.of[db].count - at)
				count = u.of[db].count - at;
			good = feed_page(w, &u.of[db], at, count);
		}
	return good;
}

/* --- looking at rows -------------------------------------------------------------------------- */

static inline size_t cites_of(
	const member *m, tl__cite cites[DATABASES], tl_id (*tips)[MAX_ENTRIES])
{
	size_t count = 0;

	for (size_t db = 0; m->good && db < DATABASES; db++) {
		tl__cite *at = &cites[count];

		*at = (tl__cite){*tl_entry_id(u.of[db].at[0].entry), tips[count], 0};
		for (size_t t = 0; t < MAX_ENTRIES; t++)
			if (m->cites[db][t])
				at->tips[at->count++] = *tl_entry_id(u.of[db].at[t].entry);
		count += at->count > 0;
	}
	return count;
}

static inline bool rows_are_right(world *w)
{
	const history *h = &u.of[SELF];
	tl__snapshot *s = NULL;
	tl__plan *plan = NULL;
	bool right = tl__snapshot_open(w->store, &s) == TL_OK &&
		     tl__plan_new(&plan, &w->tree, s, tl_entry_id(h->at[0].entry)) == TL_OK;

	for (size_t i = 0; right && i < h->count; i++) {
		static tl_id tips[DATABASES][MAX_ENTRIES];
		tl__cite cites[DATABASES];
		bool same = false;
		size_t count = cites_of(&h->at[i], cites, tips);

		if (look_for(w, h->at[0].entry, h->at[i].entry).arrival > 0)
			right = tl__plan_cited_is(plan, h->at[i].entry, cites, count, &same) ==
					TL_OK &&
				same;
		if (!right)
			printf("the row of entry %zu hands on something else\n", i);
	}
	tl__plan_free(plan);
	tl__snapshot_close(s);
	return right;
}

#endif
