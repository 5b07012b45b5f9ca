/* The stamped path map against a plain fold, on random histories: nested Docs, Lists, tombstones,
 * changes of type, several roots of a store, void entries, unreadable data, in many orders of
 * arrival. The fold here knows nothing of paths: it computes heights, sorts and merges Docs.
 *
 * A failure prints its seed; `tree_state_spec SEED` runs that history alone. */
#include <tidelock/crypto.h>
#include "check.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "tree/tree.h"

enum { ENTRIES_MAX = 14, HISTORIES = 22000, SQLITE_HISTORIES = 120, ORDERS = 3 };

typedef struct item {
	tl_entry *entry;
	tl_id id;
	bool is_void;
	bool in_store;
	unsigned parents;       /* bits of items */
	unsigned store_parents; /* bits; some may not carry the store */
	uint64_t height, store_height;
	tl_value *delta; /* NULL: unreadable */
} item;

typedef struct history {
	uint64_t seed;
	tl__seeded memory;
	tl__random random;
	item items[ENTRIES_MAX];
	size_t count;
} history;

static size_t below(history *h, size_t bound)
{
	return (size_t)tl__random_below(&h->random, bound);
}

static const tl_str store_name = {"s", 1};

/* --- random deltas
 * -------------------------------------------------------------------------------- */

static tl_value *random_value(history *h, int depth);

static tl_value *random_doc(history *h, int depth)
{
	static const tl_str keys[] = {TL__STR("a"), TL__STR("b"), TL__STR("a\0"), TL__STR(""),
		TL__STR("c.d"), TL__STR("\xc3\xa9")};
	tl_value *doc = tl_value_doc();

	for (size_t i = below(h, depth == 0 ? 4 : 3); i > 0; i--)
		CHECK_OK(tl_doc_put(doc, keys[below(h, below(h, 3) ? 2 : 6)], //
			random_value(h, depth + 1)));
	return doc;
}

static tl_value *random_list(history *h, int depth)
{
	tl_value *list = tl_value_list();

	for (size_t i = below(h, 4); i > 0; i--) {
		tl_position p = {(int64_t)below(h, 5) - 2, 1 + below(h, 3), {0}};

		p.uuid[3] = (uint8_t)below(h, 2);
		CHECK_OK(tl_list_put(list, &p, random_value(h, depth + 1)));
	}
	return list;
}

static tl_value *random_value(history *h, int depth)
{
	char text[16];

	switch (below(h, depth < 4 ? 10 : 5)) {
	case 0: return tl_value_deleted();
	case 1: return tl_value_null();
	case 2: return tl_value_bool(below(h, 2));
	case 3: return tl_value_int((int64_t)below(h, 1000) - 500);
	case 4:
		snprintf(text, sizeof text, "t%zu\n", below(h, 1000));
		return tl_value_text(tl__str_z(text));
	case 5:
	case 6: return random_list(h, depth);
	default: return random_doc(h, depth);
	}
}

/* --- random histories
 * ----------------------------------------------------------------------------- */

static void free_history(history *h)
{
	for (size_t i = 0; i < h->count; i++) {
		tl_entry_release(h->items[i].entry);
		tl_value_free(h->items[i].delta);
	}
}

/* Some of the items so far that pass the filter. */
static unsigned some_of(history *h, bool in_store, size_t wanted)
{
	unsigned bits = 0;

	while (wanted-- > 0) {
		size_t at = below(h, h->count);

		if (below(h, 2))
			at = h->count - 1 - below(h, h->count < 3 ? h->count : 3);
		if (!in_store || h->items[at].in_store)
			bits |= 1u << at;
	}
	return bits;
}

static uint64_t height_over(const history *h, unsigned parents, bool in_store)
{
	uint64_t height = 0;

	for (size_t i = 0; i < h->count; i++) {
		uint64_t own = in_store ? h->items[i].store_height : h->items[i].height;

		if ((parents >> i & 1) && (!in_store || h->items[i].in_store) && own >= height)
			height = own + 1;
	}
	return height;
}

static void id_text(const item *x, char out[TL_ID_TEXT_LEN + 1])
{
	tl_id_format(&x->id, out);
}

static void put_store(history *h, item *x, tl_entry_builder *builder)
{
	static const char *const junk[] = {"", "{}", "{\"data\":[0,0]}",
		"{\"children\":{\"l\":{\"List\":[[{\"numerator\":1,\"denominator\":0,"
		"\"unique_id\":\"6f9619ff-8b86-4d01-b42d-00cf4fc964ff\"},\"Null\"]]}}}"};
	char *text = NULL, id[TL_ID_TEXT_LEN + 1];
	size_t len = 0;

	x->in_store = true;
	if (below(h, 12) == 0) {
		tl_entry_builder_store(builder, store_name, tl__str_z(junk[below(h, 4)]));
	} else {
		x->delta = random_doc(h, 0);
		CHECK_OK(tl_doc_write(x->delta, &text, &len));
		tl_entry_builder_store(builder, store_name, (tl_str){text, len});
		tl_free(text);
	}
	/* One in ten starts the store anew; one in ten names what does not carry it. */
	if (h->count > 0 && below(h, 10) > 0)
		x->store_parents = some_of(h, below(h, 10) > 0, 1 + below(h, 3));
	for (size_t i = 0; i < h->count; i++) {
		id_text(&h->items[i], id);
		if (x->store_parents >> i & 1)
			tl_entry_builder_store_parent(builder, store_name, tl__str_z(id));
	}
	x->store_height = height_over(h, x->store_parents, true);
}

static void add_item(history *h)
{
	item *x = &h->items[h->count];
	char id[TL_ID_TEXT_LEN + 1], metadata[64];
	tl_entry_builder *builder = NULL;

	CHECK_OK(tl_entry_builder_new(&builder));
	snprintf(metadata, sizeof metadata, "%" PRIu64 " %zu", h->seed, h->count);
	tl_entry_builder_metadata(builder, tl__str_z(metadata));
	if (h->count == 0) {
		tl_entry_builder_store(builder, TL__STR("_root"), TL__STR(""));
	} else {
		id_text(&h->items[0], id);
		tl_entry_builder_tree(builder, tl__str_z(id));
		x->parents = some_of(h, false, 1 + below(h, 3));
		for (size_t i = 0; i < h->count; i++) {
			id_text(&h->items[i], id);
			if (x->parents >> i & 1)
				tl_entry_builder_parent(builder, tl__str_z(id));
		}
		x->is_void = below(h, 8) == 0;
		if (below(h, 6) > 0)
			put_store(h, x, builder);
	}
	x->height = height_over(h, x->parents, false);
	CHECK_OK(tl_entry_builder_finish(builder, NULL, &x->entry));
	CHECK_OK(tl_entry_check(x->entry));
	x->id = *tl_entry_id(x->entry);
	tl_entry_builder_free(builder);
	h->count++;
}

static void make_history(history *h, uint64_t seed)
{
	size_t count;

	memset(h, 0, sizeof *h);
	h->seed = seed;
	h->random = tl__random_seeded(&h->memory, seed);
	count = 2 + below(h, seed % 4 == 0 ? 4 : ENTRIES_MAX - 1);
	while (h->count < count)
		add_item(h);
}

/* --- the plain fold
 * ------------------------------------------------------------------------------- */

/* Items of the store behind these, themselves included. */
static unsigned closure(const history *h, unsigned tips)
{
	for (size_t i = h->count; i-- > 0;) {
		if (!(tips >> i & 1))
			continue;
		if (h->items[i].in_store)
			tips |= h->items[i].store_parents;
		else
			tips &= ~(1u << i);
	}
	return tips;
}

static bool is_before(const item *a, const item *b)
{
	if (a->store_height != b->store_height)
		return a->store_height < b->store_height;
	return memcmp(&a->id, &b->id, sizeof a->id) < 0;
}

static tl_value *plain_fold(const history *h, unsigned members)
{
	tl_value *doc = tl_value_doc();

	while (members != 0) {
		size_t first = h->count;

		for (size_t i = 0; i < h->count; i++)
			if ((members >> i & 1) &&
				(first == h->count || is_before(&h->items[i], &h->items[first])))
				first = i;
		members &= ~(1u << first);
		if (h->items[first].delta && !h->items[first].is_void)
			CHECK_OK(tl_doc_merge(doc, h->items[first].delta));
	}
	return doc;
}

/* --- comparing
 * ------------------------------------------------------------------------------------ */

static void expect_same(
	const history *h, const tl_value *got, const tl_value *wanted, const char *what)
{
	char *a = NULL, *b = NULL;
	size_t len;

	if (got && wanted && tl_value_equal(got, wanted))
		return;
	spec_case_ok = false;
	if (got && tl_value_type(got) == TL_DOC)
		CHECK_OK(tl_doc_write(got, &a, &len));
	if (wanted && tl_value_type(wanted) == TL_DOC)
		CHECK_OK(tl_doc_write(wanted, &b, &len));
	printf("seed %" PRIu64 ": %s differs\n  map  %s\n  fold %s\n", h->seed, what,
		a ? a : "(no Doc)", b ? b : "(no Doc)");
	tl_free(a);
	tl_free(b);
}

/* Every path of Docs, and a wrong turn at each. */
static void compare_paths(
	const history *h, tl__snapshot *s, const tl_value *doc, tl_str *path, size_t depth)
{
	tl_value *value, *got = NULL;
	tl_str key;

	for (size_t i = 0; tl_doc_at(doc, i, &key, &value); i++) {
		path[depth] = key;
		CHECK_OK(tl__state_get(s, &h->items[0].id, store_name, path, depth + 1, &got));
		expect_same(h, got, value, "one path");
		tl_value_free(got);
		if (tl_value_type(value) == TL_DOC) {
			compare_paths(h, s, value, path, depth + 1);
			continue;
		}
		path[depth + 1] = TL__STR("a");
		CHECK_OK(tl__state_get(s, &h->items[0].id, store_name, path, depth + 2, &got));
		CHECK(!got);
		tl_value_free(got);
	}
	path[depth] = TL__STR("absent");
	CHECK_OK(tl__state_get(s, &h->items[0].id, store_name, path, depth + 1, &got));
	CHECK(!got);
}

static void compare_fold(const history *h, tl__snapshot *s, unsigned tips)
{
	tl_value *wanted = plain_fold(h, closure(h, tips)), *got = NULL;
	tl_id ids[ENTRIES_MAX];
	size_t count = 0;

	for (size_t i = 0; i < h->count; i++)
		if (tips >> i & 1)
			ids[count++] = h->items[i].id;
	CHECK_OK(tl__state_fold(s, &h->items[0].id, store_name, ids, count, &got));
	expect_same(h, got, wanted, "a fold at tips");
	tl_value_free(got);
	tl_value_free(wanted);
}

typedef struct heights {
	const history *h;
	bool in_store;
	size_t seen;
	const item *last;
} heights;

static int on_height(void *ud, const tl__entry_row *row)
{
	heights *x = ud;
	const item *found = NULL;

	for (size_t i = 0; i < x->h->count; i++)
		if (memcmp(&x->h->items[i].id, &row->id, sizeof row->id) == 0)
			found = &x->h->items[i];
	CHECK(found && row->height == (x->in_store ? found->store_height : found->height));
	CHECK(found && row->verdict == (found->is_void ? TL__VOID : TL__VERIFIED));
	x->seen++;
	return TL_OK;
}

static void compare_heights(const history *h, tl__snapshot *s)
{
	heights tree = {h, false, 0, NULL}, store = {h, true, 0, NULL};
	size_t members = 0;

	for (size_t i = 0; i < h->count; i++)
		members += h->items[i].in_store;
	CHECK_OK(tl__read_by_height(
		s, &h->items[0].id, TL__STR(""), NULL, SIZE_MAX, 0, on_height, &tree));
	CHECK_OK(tl__read_by_height(
		s, &h->items[0].id, store_name, NULL, SIZE_MAX, 0, on_height, &store));
	CHECK(tree.seen == h->count && store.seen == members);
}

static void compare(history *h, tl__store *store)
{
	tl_value *wanted = plain_fold(h, closure(h, (1u << h->count) - 1)), *got = NULL;
	tl_str path[16];
	tl__snapshot *s = NULL;

	CHECK_OK(tl__snapshot_open(store, &s));
	CHECK_OK(tl__state_doc(s, &h->items[0].id, store_name, &got));
	expect_same(h, got, wanted, "the whole state");
	tl_value_free(got);
	compare_paths(h, s, wanted, path, 0);
	compare_fold(h, s, (1u << h->count) - 1);
	compare_fold(h, s, (unsigned)below(h, 1u << h->count));
	compare_heights(h, s);
	tl__snapshot_close(s);
	tl_value_free(wanted);
}

/* --- arriving
 * ------------------------------------------------------------------------------------- */

/* Writes the items in this order, `batch` at a time; now and then something is planned and taken
 * back. */
static void arrive(history *h, tl__tree *tree, const size_t *order, size_t batch)
{
	for (size_t at = 0; at < h->count; at += batch) {
		tl__snapshot *s = NULL;
		tl__plan *plan = NULL;
		tl__batch write;

		CHECK_OK(tl__snapshot_open(tree->store, &s));
		CHECK_OK(tl__plan_new(&plan, tree, s, &h->items[0].id));
		for (size_t i = at; i < h->count && i < at + batch; i++) {
			const item *x = &h->items[order[i]];
			tl__verdict verdict = x->is_void ? TL__VOID : TL__VERIFIED;

			if (below(h, 16) == 0) {
				CHECK_OK(tl__plan_add(
					plan, x->entry, TL__VERIFIED + TL__VOID - verdict));
				tl__plan_undo(plan, 1);
			}
			CHECK_OK(tl__plan_add(plan, x->entry, verdict));
		}
		CHECK_OK(tl__plan_batch(plan, &write));
		CHECK_OK(tl__store_write(tree->store, &write));
		tl__plan_free(plan);
		tl__snapshot_close(s);
	}
}

static void run_order(history *h, tl__store *store, const size_t *order, size_t batch)
{
	tl__tree tree;

	REQUIRE(tl__tree_init(&tree, store, NULL, &tl__system_clock, h->random, NULL) == TL_OK);
	arrive(h, &tree, order, batch);
	compare(h, store);
	tl__tree_free(&tree);
}

static void run_order_in_memory(history *h, const size_t *order, size_t batch)
{
	tl__store *store = NULL;

	REQUIRE(tl__store_open_memory(&store, NULL) == TL_OK);
	run_order(h, store, order, batch);
	tl__store_close(store);
}

static bool is_ready(const history *h, unsigned done, size_t at)
{
	unsigned names = h->items[at].parents | h->items[at].store_parents;

	return !(done >> at & 1) && (names & ~done) == 0;
}

/* All orders with parents first, up to a bound; returns how many were run. */
static size_t every_order(history *h, size_t *order, size_t at, unsigned done, size_t left)
{
	size_t run = 0;

	if (at == h->count) {
		run_order_in_memory(h, order, 1 + below(h, h->count));
		return 1;
	}
	for (size_t i = 0; i < h->count && run < left && spec_case_ok; i++) {
		if (!is_ready(h, done, i))
			continue;
		order[at] = i;
		run += every_order(h, order, at + 1, done | 1u << i, left - run);
	}
	return run;
}

static void random_order(history *h, size_t *order)
{
	unsigned done = 0;

	for (size_t at = 0; at < h->count; at++) {
		size_t pick = below(h, h->count);

		while (!is_ready(h, done, pick))
			pick = (pick + 1) % h->count;
		order[at] = pick;
		done |= 1u << pick;
	}
}

/* --- cases
 * ---------------------------------------------------------------------------------------- */

static size_t orders_run;

static void one_history(uint64_t seed)
{
	size_t order[ENTRIES_MAX] = {0};
	history h;

	make_history(&h, seed);
	if (h.count <= 5) {
		orders_run += every_order(&h, order, 0, 0, 24);
	} else {
		random_order(&h, order);
		run_order_in_memory(&h, order, 1 + below(&h, h.count));
		orders_run++;
	}
	free_history(&h);
	if (!spec_case_ok)
		printf("failed with seed %" PRIu64 "\n", seed);
}

static void the_path_map_is_the_fold(void)
{
	for (uint64_t seed = 1; seed <= HISTORIES && spec_case_ok; seed++)
		one_history(seed);
	printf("%d histories, %zu orders\n", HISTORIES, orders_run);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		spec_case_ok = true;
		one_history(strtoull(argv[1], NULL, 10));
		return !spec_case_ok;
	}
	RUN(the_path_map_is_the_fold);
	return spec_end();
}
