/* Settings at places of the DAG: on random histories against their definition, with verdicts taken
 * back; and their cache. A failure prints its seed; `tree_settings_spec SEED` starts there. */
#include "tree_history.h"

enum { HISTORIES = 4000 };

static uint64_t first_seed;

static unsigned some_of(const history *h, size_t wanted)
{
	unsigned bits = 0;

	while (wanted-- > 0)
		bits |= 1u << (below(2) ? below(h->count)
					: h->count - 1 - below(h->count < 3 ? h->count : 3));
	return bits;
}

static void make_history(history *h)
{
	static const char *const keys[] = {"a", "b", "c"};
	size_t count = 3 + below(ENTRIES_MAX - 2);

	memset(h, 0, sizeof *h);
	h->number = tl__random_u64(&source);
	add_settings(h, 0, 0, "a", 0);
	while (h->count < count) {
		unsigned parents = some_of(h, 1 + below(3));
		item *x;

		if (below(3))
			x = add_settings(h, parents, below(8) ? some_of(h, 1 + below(3)) : 0,
				keys[below(3)], (int64_t)h->count);
		else
			x = add_plain(h, parents);
		x->is_void = below(4) == 0;
	}
}

/* --- the definition --------------------------------------------------------------------------- */

static unsigned ancestors(const history *h, unsigned of, bool in_settings)
{
	for (size_t i = h->count; i-- > 0;) {
		if (!(of >> i & 1))
			continue;
		of |= in_settings ? h->items[i].settings_parents : h->items[i].parents;
		if (in_settings && !h->items[i].has_settings)
			of &= ~(1u << i);
	}
	return of;
}

static unsigned good_settings(const history *h, unsigned of)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->items[i].is_void || !h->items[i].has_settings)
			of &= ~(1u << i);
	return of;
}

/* Good settings entries behind these main parents that none of the others has as an ancestor. */
static unsigned frontier_by_definition(const history *h, unsigned parents)
{
	unsigned all = good_settings(h, ancestors(h, parents, false)), left = all;

	for (size_t i = 0; i < h->count; i++)
		if (all >> i & 1)
			left &= ~(ancestors(h, h->items[i].settings_parents, true) & ~(1u << i));
	return left;
}

static bool is_before(const item *a, const item *b)
{
	if (a->settings_height != b->settings_height)
		return a->settings_height < b->settings_height;
	return memcmp(&a->id, &b->id, sizeof a->id) < 0;
}

static tl_value *settings_by_definition(const history *h, unsigned parents)
{
	unsigned left = good_settings(
		h, ancestors(h, good_settings(h, ancestors(h, parents, false)), true));
	tl_value *doc = tl_value_doc();

	while (left != 0) {
		size_t first = ENTRIES_MAX;

		for (size_t i = 0; i < h->count; i++)
			if ((left >> i & 1) &&
				(first == ENTRIES_MAX || is_before(&h->items[i], &h->items[first])))
				first = i;
		left &= ~(1u << first);
		CHECK_OK(tl_doc_merge(doc, h->items[first].delta));
	}
	return doc;
}

/* --- comparing -------------------------------------------------------------------------------- */

static size_t ids_of(const history *h, unsigned bits, tl_id *ids)
{
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++)
		if (bits >> i & 1)
			ids[count++] = h->items[i].id;
	return count;
}

static void expect_settings(const history *h, tl__settings *got, unsigned parents)
{
	tl_value *wanted = settings_by_definition(h, parents);

	CHECK(got && tl_value_equal(got->doc, wanted));
	tl__settings_release(got);
	tl_value_free(wanted);
}

static void expect_frontier(const history *h, const tl__dag_set *got, unsigned parents)
{
	unsigned wanted = frontier_by_definition(h, parents), found = 0;

	for (size_t i = 0; i < h->count; i++)
		for (size_t k = 0; k < got->count; k++)
			if (memcmp(&h->items[i].id, &got->ids[k], sizeof *got->ids) == 0)
				found |= 1u << i;
	CHECK(found == wanted);
	for (size_t k = 1; k < got->count; k++)
		CHECK(memcmp(&got->ids[k - 1], &got->ids[k], sizeof *got->ids) < 0);
}

static void compare_stored(const history *h, unsigned parents)
{
	tl_id ids[ENTRIES_MAX];
	size_t count = ids_of(h, parents, ids);
	tl__snapshot *s = NULL;
	tl__settings *settings = NULL;
	tl__dag_set *frontier = NULL;
	tl__dag dag;

	CHECK_OK(tl__snapshot_open(store, &s));
	CHECK_OK(tl__dag_init(&dag, s, &h->items[0].id));
	CHECK_OK(tl__dag_need(&dag, ids, count));
	CHECK_OK(tl__dag_frontier(&dag, ids, count, &frontier));
	expect_frontier(h, frontier, parents);
	CHECK_OK(tl__settings_of_set(&tree, &dag, frontier, &settings));
	expect_settings(h, settings, parents);
	tl__dag_free(&dag);
	CHECK_OK(tl__settings_of_parents(&tree, s, &h->items[0].id, ids, count, &settings));
	expect_settings(h, settings, parents);
	CHECK_OK(tl__settings_now(&tree, s, &h->items[0].id, &settings));
	expect_settings(h, settings, (1u << h->count) - 1);
	tl__snapshot_close(s);
}

/* Adds the items, asking for the settings of each first; some verdicts are first assumed to be
 * good, then taken back together with what was built on them. */
static void plan_all(const history *h, tl__plan *plan, size_t from, size_t to)
{
	history assumed = *h;

	for (size_t i = from; i < to; i++) {
		tl__settings *settings = NULL;
		size_t more = 0;

		for (size_t k = i; h->items[i].is_void && below(2) && k < to && k < i + 3; k++) {
			assumed.items[k].is_void = false;
			CHECK_OK(tl__plan_settings(plan, h->items[k].entry, &settings));
			if (k > 0)
				expect_settings(&assumed, settings, h->items[k].parents);
			else
				tl__settings_release(settings);
			CHECK_OK(tl__plan_add(plan, h->items[k].entry, TL__VERIFIED));
			more++;
		}
		tl__plan_undo(plan, more);
		memcpy(assumed.items, h->items, sizeof assumed.items);
		if (i > 0) {
			CHECK_OK(tl__plan_settings(plan, h->items[i].entry, &settings));
			expect_settings(h, settings, h->items[i].parents);
		}
		CHECK_OK(tl__plan_add(
			plan, h->items[i].entry, h->items[i].is_void ? TL__VOID : TL__VERIFIED));
	}
}

static void store_items(const history *h, size_t from, size_t to)
{
	tl__snapshot *s = NULL;
	tl__plan *plan = NULL;
	tl__batch batch;

	CHECK_OK(tl__snapshot_open(store, &s));
	CHECK_OK(tl__plan_new(&plan, &tree, s, &h->items[0].id));
	plan_all(h, plan, from, to);
	CHECK(tl__plan_count(plan) == to - from);
	CHECK_OK(tl__plan_batch(plan, &batch));
	CHECK_OK(tl__store_write(store, &batch));
	tl__plan_free(plan);
	tl__snapshot_close(s);
}

static void settings_are_those_of_the_definition(void)
{
	open_all();
	for (int round = 0; round < HISTORIES && spec_case_ok; round++) {
		history h;
		size_t half;

		source = tl__random_seeded(&seeded, first_seed + (uint64_t)round);
		make_history(&h);
		half = 1 + below(h.count);
		store_items(&h, 0, half);
		if (half < h.count)
			store_items(&h, half, h.count);
		for (int i = 0; i < 3; i++)
			compare_stored(&h, some_of(&h, 1 + below(3)));
		free_history(&h);
		if (!spec_case_ok)
			printf("failed with seed %" PRIu64 "\n", first_seed + (uint64_t)round);
	}
	close_all();
}

/* --- single cases ----------------------------------------------------------------------------- */

/* A forged entry may not erase what a good one said: its own settings count for nothing, and naming
 * it hides nothing that it names. */
static void a_void_entry_hides_no_revocation(void)
{
	fixture f;
	tl__settings *settings = NULL;
	item *after;

	set_up(&f);
	add_settings(&f.h, 1, 1, "revoked", 1);
	add_settings(&f.h, 2, 3, "revoked", 0)->is_void = true; /* names both */
	after = add_settings(&f.h, 4, 4, "name", 2);            /* built on the forged one */
	for (size_t i = 0; i < 3; i++)
		CHECK_OK(tl__plan_add(f.plan, f.h.items[i].entry,
			f.h.items[i].is_void ? TL__VOID : TL__VERIFIED));
	CHECK_OK(tl__plan_settings(f.plan, after->entry, &settings));
	REQUIRE(settings);
	CHECK(tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("revoked"))) == 1);
	CHECK(tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("name"))) == 1);
	tl__settings_release(settings);
	CHECK_OK(tl__plan_add(f.plan, after->entry, TL__VERIFIED));
	write_plan(&f);
	CHECK_OK(tl__settings_now(&tree, f.s, &f.h.items[0].id, &settings));
	CHECK(tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("revoked"))) == 1);
	CHECK(tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("name"))) == 2);
	tl__settings_release(settings);
	tear_down(&f);
}

static void a_root_brings_its_own_settings(void)
{
	fixture f;
	tl__settings *settings = NULL;
	tl_entry_builder *builder;
	history raw = {.number = 5};

	set_up(&f);
	CHECK_OK(tl__plan_settings(f.plan, f.h.items[0].entry, &settings));
	CHECK(tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("name"))) == 1);
	tl__settings_release(settings);
	/* None, or unreadable ones, are empty. */
	for (int i = 0; i < 2; i++) {
		builder = builder_for(&raw, 0);
		if (i == 1)
			tl_entry_builder_store(
				builder, TL__STR(TL__STORE_SETTINGS), TL__STR("{\"children\":1}"));
		add_item(&raw, 0, builder);
		CHECK_OK(tl__plan_settings(f.plan, raw.items[0].entry, &settings));
		CHECK(tl_doc_count(settings->doc) == 0);
		tl__settings_release(settings);
		free_history(&raw);
	}
	tear_down(&f);
}

/* --- cache ------------------------------------------------------------------------------------ */

static tl__settings *settings_of_size(size_t bytes)
{
	tl_value *doc = tl_value_doc();
	char *text = tl__alloc(bytes + 1);
	tl__settings *settings = NULL;

	memset(text, 'x', bytes);
	CHECK_OK(tl_doc_put(doc, TL__STR("k"), tl_value_text((tl_str){text, bytes})));
	CHECK_OK(tl__settings_make(doc, &settings));
	tl__free(text);
	return settings;
}

/* How many of `count` settings of that size are kept; the newest always is. */
static size_t kept_of(size_t count, size_t bytes)
{
	tl__settings_cache *cache = NULL;
	tl_id db = {{'s'}}, id = {{'s'}};
	tl__dag_set set = {.ids = &id, .count = 1};
	size_t kept = 0;

	CHECK_OK(tl__settings_cache_new(&cache));
	for (size_t i = 0; i < count; i++) {
		tl__settings *settings = settings_of_size(bytes);

		memcpy(&id.b[1], &i, sizeof i);
		tl__settings_cache_put(cache, &db, &set, settings);
		tl__settings_release(settings);
	}
	for (size_t i = 0; i < count; i++) {
		tl__settings *settings;

		memcpy(&id.b[1], &i, sizeof i);
		settings = tl__settings_cache_get(cache, &db, &set);
		kept += settings != NULL;
		CHECK(settings || i + 1 < count);
		tl__settings_release(settings);
	}
	tl__settings_cache_free(cache);
	return kept;
}

static void the_cache_is_bounded(void)
{
	CHECK(kept_of(TL__SETTINGS_CACHE_COUNT, 10) == TL__SETTINGS_CACHE_COUNT);
	CHECK(kept_of(TL__SETTINGS_CACHE_COUNT + 20, 10) == TL__SETTINGS_CACHE_COUNT);
	CHECK(kept_of(20, TL__SETTINGS_CACHE_BYTES / 8) == 7);
	CHECK(kept_of(3, TL__SETTINGS_CACHE_BYTES + 1) == 1);
}

/* A chain of settings is folded on from what is remembered, also beyond what the cache holds. */
static void a_long_chain_of_settings(void)
{
	fixture f;
	tl__settings *settings = NULL;
	item last;

	set_up(&f);
	CHECK_OK(tl__plan_add(f.plan, f.h.items[0].entry, TL__VERIFIED));
	for (int64_t i = 0; i < 600; i++) {
		item *x =
			add_settings(&f.h, f.h.count == 1 ? 1 : 2, f.h.count == 1 ? 1 : 2, "n", i);

		CHECK_OK(tl__plan_settings(f.plan, x->entry, &settings));
		CHECK(tl_doc_count(settings->doc) == 1 + (i > 0));
		CHECK(i == 0 || tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("n"))) == i - 1);
		tl__settings_release(settings);
		CHECK_OK(tl__plan_add(f.plan, x->entry, TL__VERIFIED));
		if (i % 100 == 99)
			write_plan(&f);
		/* Keep the root and the newest. */
		if (f.h.count == 3) {
			last = f.h.items[2];
			tl_entry_free(f.h.items[1].entry);
			tl_value_free(f.h.items[1].delta);
			f.h.items[1] = last;
			f.h.count = 2;
			f.h.number++;
		}
	}
	tl__tree_free(&tree);
	CHECK_OK(tl__tree_init(&tree, store, NULL, &tl__system_clock, source, NULL));
	CHECK_OK(tl__settings_now(&tree, f.s, &f.h.items[0].id, &settings));
	CHECK(tl_value_as_int(tl_doc_raw(settings->doc, TL__STR("n"))) == 599);
	tl__settings_release(settings);
	tear_down(&f);
}

int main(int argc, char **argv)
{
	source = tl__random_seeded(&seeded, spec_seed(20));
	first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : tl__random_u64(&source);
	RUN(settings_are_those_of_the_definition);
	RUN(a_void_entry_hides_no_revocation);
	RUN(a_root_brings_its_own_settings);
	RUN(the_cache_is_bounded);
	RUN(a_long_chain_of_settings);
	return spec_end();
}
