/* An answer of 0.2.0 is not in pages, and in any order: the spool puts it into one that enters. */
#include "trust_fixture.h"
#include "v0/spool/spool_impl.h"

static bool next_page(world *w, tl__spool *spool, const tl_id *db, bool *end, size_t *entered)
{
	tl__spool_page page;
	tl__ingest_result r;
	tl__ingest_page in = {.db = *db, .sender = PEER, .related = true, .accept_unknown = true};

	do {
		if (tl__spool_next(spool, &page) != TL_OK)
			return false;
		in.lines = page.lines;
		in.count = page.count;
		if (page.count == 0)
			break;
		if (tl__ingest(&w->tree, &in, &r) != TL_OK)
			return false;
		*entered += r.entered;
		tl__ingest_result_free(&r);
	} while (!page.end);
	*end = page.end;
	return true;
}

static void an_unpaged_answer_in_random_order_goes_through_the_spool(void)
{
	enum { COUNT = 20000, MEMORY = 256 * 1024 };
	tl_entry **all = tl__alloc_zero(COUNT, sizeof(tl_entry *));
	tl__spool *spool = NULL;
	tl__spool_usage usage;
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(77));
	signer a = signer_of(1);
	world w;
	tl_id db;
	bool end = false;
	size_t entered = 0;
	char note[64];
	int refused;

	REQUIRE(all && world_open(&w));
	for (size_t i = 0; i < COUNT; i++) {
		size_t back = i > 0 ? 1 + tl__random_below(&random, i < 4 ? i : 4) : 0;

		snprintf(note, sizeof note, "key%zu=%zu", i % 500, i);
		all[i] = i == 0 ? make_root(&a, NULL)
				: make_note(all[0], all[i - back], i > back ? all[i - back] : NULL,
					  &a, note);
		REQUIRE(all[i] != NULL);
	}
	db = *tl_entry_id(all[0]);
	for (size_t i = COUNT; i > 1; i--) {
		size_t j = tl__random_below(&random, i);
		tl_entry *entry = all[i - 1];

		all[i - 1] = all[j];
		all[j] = entry;
	}
	REQUIRE(tl__spool_new(&spool, &(tl__spool_options){.db = db,
					      .memory_bytes = MEMORY,
					      .held = tl__spool_held,
					      .ud = &w.tree}) == TL_OK);
	for (size_t i = 0; i < COUNT; i++) {
		CHECK_OK(tl__spool_add(spool, tl_entry_bytes(all[i]), TL_ENTRY_FOREIGN, &refused));
		if (i % 2000 == 0)
			CHECK(next_page(&w, spool, &db, &end, &entered));
		usage = spool->usage;
		CHECK(usage.memory_bytes <= MEMORY);
	}
	CHECK(usage.file_bytes > MEMORY);
	tl__spool_finish(spool);
	CHECK(next_page(&w, spool, &db, &end, &entered));
	CHECK(end && entered == COUNT);
	CHECK(aside_count(&w, TL__PENDING, PEER) == 0);
	tl__spool_free(spool);
	for (size_t i = 0; i < COUNT; i++)
		tl_entry_free(all[i]);
	tl__free(all);
	world_close(&w);
}

int main(void)
{
	RUN(an_unpaged_answer_in_random_order_goes_through_the_spool);
	return spec_end();
}
