/* The stamped path map against a plain fold, on random histories: nested Docs, Lists, tombstones,
 * changes of type, several roots of a store, void entries, unreadable data, in many orders of
 * arrival. The fold here knows nothing of paths: it computes heights, sorts and merges Docs.
 *
 * A failure prints its seed; `tree_state_spec SEED` runs that history alone. */
#include "scratch.h"
#include "tree_random.h"
#include "tree/tree.h"

/* One thread: a sanitizer of threads finds nothing here, and takes twenty times as long. */
#ifdef SPEC_THREAD_SANITIZED
enum { HISTORIES = 2000, SQLITE_HISTORIES = 100 };
#else
enum { HISTORIES = 22000, SQLITE_HISTORIES = 400 };
#endif

/* --- comparing -------------------------------------------------------------------------------- */

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

/* --- cleaning --------------------------------------------------------------------------------- */

static size_t rows_dropped;

/* Takes out all dead rows, a few at a time; returns how many there were. */
static size_t clean(history *h, tl__tree *tree)
{
	tl__buf cursor = TL__BUF_INIT;
	size_t dropped, all = 0, rows = 1 + below(h, 8);

	do {
		CHECK_OK(tl__state_clean(
			tree, &h->items[0].id, store_name, rows, &cursor, &dropped));
		all += dropped;
	} while (cursor.len > 0 && spec_case_ok);
	tl__buf_free(&cursor);
	return all;
}

/* --- arriving --------------------------------------------------------------------------------- */

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
		if (below(h, 4) == 0)
			rows_dropped += clean(h, tree);
	}
}

static void run_order(history *h, tl__store *store, const size_t *order, size_t batch)
{
	tl__tree tree;

	REQUIRE(tl__tree_init(&tree, store, NULL, &tl__system_clock, h->random, NULL) == TL_OK);
	arrive(h, &tree, order, batch);
	compare(h, store);
	if (below(h, 2)) {
		rows_dropped += clean(h, &tree);
		CHECK(clean(h, &tree) == 0);
		compare(h, store);
	}
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

/* --- cases ------------------------------------------------------------------------------------ */

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
		one_history(spec_seed(seed));
	CHECK(rows_dropped > HISTORIES);
	printf("%d histories, %zu orders, %zu dead rows\n", HISTORIES, orders_run, rows_dropped);
}

/* One file holds all of them: each history is a database of its own. */
static void the_path_map_is_the_fold_in_sqlite(void)
{
	size_t order[ENTRIES_MAX] = {0};
	char folder[SCRATCH_PATH];
	tl__store *store = NULL;
	history h;

	scratch_make(folder);
	CHECK_OK(tl__store_open_sqlite(&store, folder, TL__DURABLE_RELAXED, NULL));
	for (uint64_t seed = 1; seed <= SQLITE_HISTORIES && spec_case_ok; seed++) {
		make_history(&h, spec_seed(seed));
		random_order(&h, order);
		run_order(&h, store, order, 1 + below(&h, h.count));
		free_history(&h);
		if (!spec_case_ok)
			printf("failed with seed %" PRIu64 " in sqlite\n", h.seed);
	}
	tl__store_close(store);
	scratch_remove(folder);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		spec_case_ok = true;
		one_history(strtoull(argv[1], NULL, 10));
		return !spec_case_ok;
	}
	RUN(the_path_map_is_the_fold);
	RUN(the_path_map_is_the_fold_in_sqlite);
	return spec_end();
}
