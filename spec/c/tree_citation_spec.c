/* Age of citations: whatever the history, verdicts are those of a walk over all of it, and every
 * row hands on what it should. TL_SPEC_SEED=n runs that one history. */
#include "citation_help.h"
#include "store/backend.h"

typedef struct tally {
	size_t good, stale, behind_void;
} tally;

static void count_made(tally *t)
{
	const history *h = &u.of[SELF];

	for (size_t i = 0; i < h->count; i++) {
		t->good += h->at[i].citing && h->at[i].good;
		t->stale += h->at[i].wanted == TL_E_INVALID_TIP;
		for (size_t k = 0; k < i && h->at[i].citing && h->at[i].good; k++)
			t->behind_void += h->at[i].above[k] && !h->at[k].good;
	}
}

static bool run_one(uint64_t seed, tally *t)
{
	static const size_t limits[] = {0, 1, 2, 5};
	world w;
	bool good = universe_make(seed) && world_open(&w);

	if (!good)
		return false;
	w.tree.citations_max = limits[seed % 4];
	count_made(t);
	good = feed_all(&w, seed % 3 == 0 ? 1 : 30) && rows_are_right(&w);
	world_close(&w);
	universe_free();
	if (!good)
		printf("TL_SPEC_SEED=%llu\n", (unsigned long long)seed);
	return good;
}

static void verdicts_are_those_of_a_walk(void)
{
	const char *only = getenv("TL_SPEC_SEED");
	uint64_t first = only ? strtoull(only, NULL, 10) : 1, last = only ? first : 24;
	tally t = {0};

	for (uint64_t seed = first; seed <= last; seed++)
		CHECK(run_one(seed, &t));
	CHECK(only || (t.good > 100 && t.stale > 50 && t.behind_void > 50));
}

/* --- what is looked at ------------------------------------------------------------------------ */

static int (*plain_entries)(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
	unsigned with, tl__entry_visit visit, void *ud);
static size_t reads;

static int count_entries(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
	unsigned with, tl__entry_visit visit, void *ud)
{
	reads += count;
	return plain_entries(s, db, ids, count, with, visit, ud);
}

/* An entry on `parent` that cites the root of this database. */
static tl_entry *make_citing(const tl_entry *parent, size_t db, size_t number)
{
	static const char *const names[] = {"self", "one", "two", "three"};
	draft d = {.root = u.of[SELF].at[0].entry,
		.parents = {parent},
		.parent_count = 1,
		.by = &u.phone,
		.steps = {names[db], "phone"},
		.step_count = 2,
		.cited = {{u.of[db].at[0].entry}}};
	char note[32];

	snprintf(note, sizeof note, "k=%zu", number);
	d.notes = note;
	return make(&d);
}

/* Three databases in turns, where one citation is too many beside an entry's own: whatever entries
 * hand on stands for more and more, of which only the last is to be seen. */
static void the_way_up_ends_at_the_nearest_citation(void)
{
	world w;
	const tl_entry *parent;
	size_t early = 0, late = 0;
	tl__backend counting;
	tl__entry_reads entry;
	const tl__backend *plain;

	REQUIRE(universe_make(1) && world_open(&w));
	w.tree.citations_max = 1;
	plain = w.store->backend;
	counting = *plain;
	entry = *plain->reads.entry;
	plain_entries = entry.entries;
	entry.entries = count_entries;
	counting.reads.entry = &entry;
	w.store->backend = &counting;
	for (size_t db = DATABASES; db-- > 0;)
		CHECK(feed_page(&w, &u.of[db], 0, db == SELF ? 2 : 1));
	parent = u.of[SELF].at[1].entry;
	for (size_t i = 0; i < 90; i++) {
		tl_entry *citing = make_citing(parent, 1 + i % 3, i);

		reads = 0;
		CHECK_VERIFIED(feed_one(&w, u.of[SELF].at[0].entry, citing));
		early = i == 9 ? reads : early;
		late = i == 87 ? reads : late;
		if (i > 0)
			tl_entry_free((tl_entry *)parent);
		parent = citing;
	}
	CHECK(early > 0 && early == late);
	tl_entry_free((tl_entry *)parent);
	w.store->backend = plain;
	world_close(&w);
	universe_free();
}

int main(void)
{
	RUN(the_way_up_ends_at_the_nearest_citation);
	RUN_EACH_WAY(verdicts_are_those_of_a_walk);
	return spec_end();
}
