/* Age of citations: whatever the history, verdicts are those of a walk over all of it, and every
 * row hands on what it should. TL_SPEC_SEED=n runs that one history. */
#include "citation_help.h"

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

int main(void)
{
	RUN_EACH_WAY(verdicts_are_those_of_a_walk);
	return spec_end();
}
