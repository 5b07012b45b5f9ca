/* Walks over rows and members: the same as reading everything, a page at a time. */
#include "tree_help.h"
#include "base/buf.h"

/* --- what a walk gives, and what it should ---------------------------------------------------- */

static void note(tl__buf *out, tl_str key, const tl_value *value)
{
	char *text = NULL;
	size_t len = 0;

	CHECK_OK(tl_value_export(value, &text, &len));
	tl__buf_str(out, key);
	tl__buf_byte(out, '=');
	tl__buf_append(out, text, len);
	tl__buf_byte(out, ';');
	tl_free(text);
}

static int drain(tl_walk *walk, tl__buf *out)
{
	const tl_value *value;
	tl_str key;
	int rc;

	while ((rc = tl_walk_next(walk, &key, &value)) == TL_OK && value)
		note(out, key, value);
	CHECK(key.ptr == NULL && value == NULL);
	tl_walk_free(walk);
	return rc;
}

static bool fits(tl_str key, const tl_walk_options *o)
{
	return tl__str_starts(key, o->prefix) &&
	       (!o->after.ptr || tl__str_compare(key, o->after) > 0);
}

/* The walk over the Doc at `path` against the value read as a whole. */
static bool as_whole(tl_doc_store *d, const char *path, const tl_walk_options *o)
{
	tl__buf walked = TL__BUF_INIT, whole = TL__BUF_INIT;
	tl_walk *walk = NULL;
	tl_value *doc = NULL, *child;
	tl_str key;
	size_t left = o->limit ? o->limit : SIZE_MAX;
	bool equal;

	CHECK_OK(tl_doc_store_walk(d, z(path), o, &walk));
	CHECK_OK(drain(walk, &walked));
	CHECK_OK(*path ? tl_doc_store_get_option(d, z(path), &doc) : tl_doc_store_get_all(d, &doc));
	for (size_t i = 0; doc && tl_value_type(doc) == TL_DOC && tl_doc_at(doc, i, &key, &child);
		i++)
		if (tl_value_type(child) != TL_DELETED && fits(key, o) && left > 0) {
			note(&whole, key, child);
			left--;
		}
	equal = tl__str_eq(tl__buf_view(&walked), tl__buf_view(&whole));
	if (!equal)
		printf("walked %.300s\nwhole  %.300s\n", walked.ptr ? walked.ptr : "",
			whole.ptr ? whole.ptr : "");
	tl_value_free(doc);
	tl__buf_free(&walked);
	tl__buf_free(&whole);
	return equal;
}

static const char *const keys[] = {"a", "aa", "ab", "b", "ba", "b.c", "c", "\x7f", "\xc3\xa9", "z"};
#define KEYS (sizeof keys / sizeof *keys)

static bool all_ways(tl_doc_store *d, const char *path)
{
	static const char *const starts[] = {"", "a", "b", "ba", "x", "\xc3"};
	static const size_t limits[] = {0, 1, 2, 5};
	bool good = true;

	for (size_t p = 0; p < 6; p++)
		for (size_t a = 0; a <= KEYS; a++)
			for (size_t l = 0; l < 4; l++) {
				tl_walk_options o = TL_WALK_OPTIONS_INIT;

				o.prefix = z(starts[p]);
				o.after = a < KEYS ? z(keys[a]) : TL__STR_NULL;
				o.limit = limits[l];
				good = as_whole(d, path, &o) && good;
			}
	return good;
}

/* --- random histories ------------------------------------------------------------------------- */

static tl_value *random_value(const tl__random *random, int depth)
{
	tl_value *value;

	switch (tl__random_below(random, depth > 2 ? 2 : 5)) {
	case 0: return tl_value_int((int64_t)tl__random_below(random, 100));
	case 1: return tl_value_text(z("text"));
	case 2:
		value = tl_value_list();
		CHECK_OK(tl_list_push(value, random_value(random, depth + 1)));
		CHECK_OK(tl_list_push(value, random_value(random, depth + 1)));
		return value;
	default:
		value = tl_value_doc();
		for (uint64_t n = tl__random_below(random, 4); n > 0; n--)
			CHECK_OK(tl_doc_put(value, z(keys[tl__random_below(random, KEYS)]),
				random_value(random, depth + 1)));
		return value;
	}
}

static void change(tl_doc_store *d, const tl__random *random)
{
	tl_str path[2] = {
		z(keys[tl__random_below(random, KEYS)]), z(keys[tl__random_below(random, KEYS)])};
	size_t count = 1 + tl__random_below(random, 2);
	tl_value *value = random_value(random, 0), *at = NULL;
	bool listed = count == 2 && tl_doc_store_get_at_path(d, path, 1, &at) == TL_OK &&
		      tl_value_type(at) == TL_LIST;

	tl_value_free(at);
	count = listed ? 1 : count; /* no path leads through a list */
	if (tl__random_below(random, 3) == 0) {
		tl_value_free(value);
		CHECK_OK(tl_doc_store_delete_at_path(d, path, count, NULL));
	} else {
		CHECK_OK(tl_doc_store_set_at_path(d, path, count, value));
	}
}

static void walks_are_as_reading_everything(void)
{
	tl_database *db = new_database("admin");
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(4));
	id_list tips;

	for (int round = 0; round < 12; round++) {
		tl_transaction *tx = begin(db);
		tl_doc_store *d = doc(tx, "data"), *now;

		for (uint64_t n = tl__random_below(&random, 12); n > 0; n--)
			change(d, &random);
		CHECK(all_ways(d, ""));
		CHECK(all_ways(d, "a"));
		CHECK(all_ways(d, "b.a"));
		tl_doc_store_free(d);
		CHECK_OK(finish(tx, NULL));
		now = present(db, "data");
		CHECK(all_ways(now, ""));
		CHECK(all_ways(now, "b"));
		tl_doc_store_free(now);
		if (round == 6)
			tips_of(db, &tips);
	}
	/* An earlier state, and a transaction that stands on it. */
	tl_view *view = NULL;
	tl_doc_store *then = NULL;
	tl_transaction *tx;

	CHECK_OK(tl_database_at(db, tips.at, tips.count, &view));
	CHECK_OK(tl_view_doc_store(view, z("data"), &then));
	CHECK(all_ways(then, ""));
	CHECK(all_ways(then, "b"));
	tl_doc_store_free(then);
	tl_view_free(view);
	tx = begin_at(db, tips.at, tips.count);
	then = doc(tx, "data");
	for (int n = 0; n < 8; n++)
		change(then, &random);
	CHECK(all_ways(then, ""));
	CHECK(all_ways(then, "a"));
	tl_doc_store_free(then);
	tl_transaction_free(tx);
	tl_database_free(db);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void set_rows(tl_transaction *tx, int from, int to)
{
	tl_table *t = NULL;

	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	for (int i = from; i < to; i++) {
		char key[16], row[32];

		snprintf(key, sizeof key, "k%05d", i);
		snprintf(row, sizeof row, "{\"n\":%d}", i);
		CHECK_OK(tl_table_set(t, z(key), z(row)));
	}
	tl_table_free(t);
}

#define ROWS 5000

static tl_database *with_rows(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;

	for (int from = 0; from < ROWS; from += 1000) {
		tx = begin(db);
		set_rows(tx, from, from + 1000);
		CHECK_OK(finish(tx, NULL));
	}
	return db;
}

static size_t number_of(tl_str key)
{
	return key.ptr ? (size_t)strtol(key.ptr + 1, NULL, 10) : SIZE_MAX;
}

static void pages_join_without_gap_or_repeat(void)
{
	tl_database *db = with_rows();
	tl_transaction *tx = begin(db);
	tl_table *tables[2] = {NULL, NULL};
	const tl_value *row;
	tl_str key;
	uint64_t counted = 0;

	CHECK_OK(tl_database_table(db, z("rows"), &tables[0]));
	set_rows(tx, 2500, 3500); /* staged ones among the others */
	CHECK_OK(tl_transaction_table(tx, z("rows"), &tables[1]));
	for (int i = 0; i < 2; i++) {
		tl_walk *walk = NULL;
		size_t seen = 0;

		CHECK_OK(tl_table_walk(tables[i], NULL, &walk));
		while (tl_walk_next(walk, &key, &row) == TL_OK && row && number_of(key) == seen)
			seen++;
		CHECK(seen == ROWS && !row);
		CHECK_OK(tl_walk_next(walk, &key, &row));
		CHECK(!row);
		tl_walk_free(walk);
		CHECK_OK(tl_table_count(tables[i], &counted));
		CHECK(counted == ROWS);
		tl_table_free(tables[i]);
	}
	tl_transaction_free(tx);
	tl_database_free(db);
}

/* One page lives at a time, however many rows there are. */
static void memory_does_not_grow(void)
{
	tl_database *db = with_rows();
	tl_table *t = NULL;
	tl_walk *walk = NULL;
	const tl_value *row = NULL;
	tl_str key;
	long before, most = 0;

	CHECK_OK(tl_database_table(db, z("rows"), &t));
	before = tl__alloc_balance();
	CHECK_OK(tl_table_walk(t, NULL, &walk));
	while (tl_walk_next(walk, &key, &row) == TL_OK && row)
		most = tl__alloc_balance() - before > most ? tl__alloc_balance() - before : most;
	tl_walk_free(walk);
	CHECK(most < 4 * 512 && tl__alloc_balance() == before);
	tl_table_free(t);
	tl_database_free(db);
}

static int note_row(void *ud, tl_str key, tl_str row)
{
	tl__buf *out = ud;

	tl__buf_str(out, key);
	tl__buf_byte(out, '=');
	tl__buf_str(out, row.ptr ? row : TL__STR("none"));
	tl__buf_byte(out, ';');
	return TL_OK;
}

static bool any_row(void *ud, tl_str key, tl_str row)
{
	(void)ud;
	(void)key;
	return row.ptr != NULL;
}

static void other_values_are_rows_without_json(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "rows");
	tl_table *t = NULL;
	tl_walk *walk = NULL;
	tl__buf out = TL__BUF_INIT;
	tl_str zero[1] = {TL__STR("b\0c")};
	tl_walk_options o = TL_WALK_OPTIONS_INIT;
	uint64_t count = 0;
	char *text = NULL;
	bool there = false;

	CHECK_OK(tl_doc_store_set_int(d, z("a"), 1));
	CHECK_OK(tl_doc_store_set(d, z("m"), tl_value_doc()));
	CHECK_OK(tl_doc_store_set_string(d, z("m.n"), z("1")));
	CHECK_OK(tl_doc_store_set_at_path(d, zero, 1, tl_value_text(z("2"))));
	CHECK_OK(tl_doc_store_set_string(d, z("b"), z("no JSON")));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_OK(tl_database_table(db, z("rows"), &t));
	o.prefix = z("b");
	CHECK_OK(tl_table_walk(t, &o, &walk));
	CHECK_OK(drain(walk, &out));
	CHECK(tl__str_eq(tl__buf_view(&out), TL__STR("b=\"no JSON\";b\0c=\"2\";")));
	tl__buf_clear(&out);
	o.after = z("b");
	CHECK_OK(tl_table_walk(t, &o, &walk));
	CHECK_OK(drain(walk, &out));
	CHECK(tl__str_eq(tl__buf_view(&out), TL__STR("b\0c=\"2\";")));
	CHECK_OK(tl_table_count_with(t, &o, &count));
	CHECK(count == 1);
	CHECK_OK(tl_table_count(t, &count));
	CHECK(count == 4);
	tl__buf_clear(&out);
	CHECK_OK(tl_table_each(t, note_row, &out));
	CHECK(tl__str_eq(tl__buf_view(&out), TL__STR("a=none;b=no JSON;b\0c=2;m=none;")));
	tl__buf_clear(&out);
	CHECK_OK(tl_table_search(t, any_row, note_row, &out));
	CHECK(tl__str_eq(tl__buf_view(&out), TL__STR("a=none;b=none;b\0c=2;m=none;")));
	CHECK_CODE(tl_table_get(t, z("m"), &text, NULL), TL_E_BAD_JSON);
	CHECK(!text);
	CHECK_OK(tl_table_contains(t, z("a"), &there));
	CHECK(there);
	tl__buf_free(&out);
	tl_table_free(t);
	tl_database_free(db);
}

/* --- what is changed meanwhile ---------------------------------------------------------------- */

/* Each row changed, deleted or followed by a new one as it comes. */
static void a_transaction_may_change_under_a_walk(void)
{
	tl_database *db = with_rows();
	tl_transaction *tx = begin(db);
	tl_table *t = NULL;
	tl_walk *walk = NULL;
	const tl_value *row;
	tl_str key;
	size_t seen = 0, added = 0;
	uint64_t count = 0;

	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	CHECK_OK(tl_table_walk(t, NULL, &walk));
	while (tl_walk_next(walk, &key, &row) == TL_OK && row) {
		size_t number = number_of(key);
		char own[16], next[24];

		snprintf(own, sizeof own, "%.*s", TL__STR_ARG(key));
		if (strlen(own) > 6) {
			CHECK(tl__str_eq(tl_value_as_text(row), TL__STR("\"new\"")));
			added++;
			continue;
		}
		CHECK(number == seen || number == seen + 1);
		seen = number + 1;
		if (number % 10 == 0) { /* the next one goes away, and a new one comes */
			snprintf(next, sizeof next, "k%05zu", number + 1);
			CHECK_OK(tl_table_delete(t, z(next), NULL));
			snprintf(next, sizeof next, "k%05zu+", number);
			CHECK_OK(tl_table_set(t, z(next), z("\"new\"")));
			CHECK_OK(tl_table_set(t, z("a behind"), z("1")));
		} else {
			CHECK_OK(tl_table_set(t, z(own), z("\"changed\"")));
		}
		CHECK(number % 10 != 1);
	}
	CHECK(seen == ROWS && added == ROWS / 10);
	CHECK_OK(tl_table_count(t, &count));
	CHECK(count == ROWS + 1);
	tl_walk_free(walk);
	tl_table_free(t);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void commits_do_not_break_a_walk(void)
{
	tl_database *db = with_rows();
	tl_table *t = NULL;
	tl_walk *walk = NULL;
	const tl_value *row;
	tl_str key;
	size_t last = SIZE_MAX, seen = 0;

	CHECK_OK(tl_database_table(db, z("rows"), &t));
	CHECK_OK(tl_table_walk(t, NULL, &walk));
	while (tl_walk_next(walk, &key, &row) == TL_OK && row) {
		CHECK(last == SIZE_MAX || number_of(key) > last);
		last = number_of(key);
		seen++;
		if (last % 500 == 0)
			write_text(db, "rows", "z99999", "1");
	}
	CHECK(seen == ROWS + 1);
	tl_walk_free(walk);
	tl_table_free(t);
	tl_database_free(db);
}

static void a_walk_ends_with_its_transaction(void)
{
	tl_database *db = with_rows();
	tl_transaction *tx = begin(db);
	tl_table *t = NULL;
	tl_walk *walk = NULL, *other = NULL;
	const tl_value *row;
	tl_str key;

	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	CHECK_OK(tl_table_set(t, z("k"), z("1")));
	CHECK_OK(tl_table_walk(t, NULL, &walk));
	CHECK_OK(tl_table_walk(t, NULL, &other));
	tl_table_free(t);
	CHECK_OK(tl_walk_next(walk, &key, &row));
	CHECK_OK(tl_transaction_commit(tx, NULL));
	CHECK_CODE(tl_walk_next(walk, &key, &row), TL_E_ALREADY_COMMITTED);
	CHECK(!row && !key.ptr);
	tl_transaction_free(tx);
	CHECK_CODE(tl_walk_next(other, &key, &row), TL_E_ALREADY_COMMITTED);
	tl_walk_free(walk);
	tl_walk_free(other);
	tl_database_free(db);
}

/* --- options and errors ----------------------------------------------------------------------- */

static void options_of_other_sizes_are_read(void)
{
	struct {
		tl_walk_options known;
		char later[32];
	} newer = {TL_WALK_OPTIONS_INIT, {0}};
	tl_database *db = with_rows();
	tl_table *t = NULL;
	tl_walk *walk = NULL;
	const tl_value *row;
	tl_str key;

	CHECK_OK(tl_database_table(db, z("rows"), &t));
	newer.known.size = sizeof newer;
	newer.known.prefix = z("k00007");
	CHECK_OK(tl_table_walk(t, &newer.known, &walk));
	CHECK_OK(tl_walk_next(walk, &key, &row));
	CHECK(number_of(key) == 7);
	tl_walk_free(walk);
	newer.later[0] = 1; /* set to what we do not know */
	CHECK_CODE(tl_table_walk(t, &newer.known, &walk), TL_E_UNSUPPORTED);
	CHECK(walk == NULL);
	newer.known.size = 0;
	CHECK_CODE(tl_table_walk(t, &newer.known, &walk), TL_E_BAD_ARGUMENT);
	CHECK(walk == NULL);
	CHECK_CODE(tl_walk_next(NULL, &key, &row), TL_E_BAD_ARGUMENT);
	tl_walk_free(NULL);
	tl_table_free(t);
	tl_database_free(db);
}

static void what_is_no_doc_has_no_members(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *list = tl_value_list(), *inner = tl_value_doc();
	tl_walk *walk = NULL;
	tl__buf out = TL__BUF_INIT;

	CHECK_OK(tl_doc_put(inner, z("x"), tl_value_int(1)));
	CHECK_OK(tl_doc_put(inner, z("y"), tl_value_int(2)));
	CHECK_OK(tl_list_push(list, inner));
	CHECK_OK(tl_doc_store_set_list(d, z("list"), list));
	CHECK_OK(tl_doc_store_set_int(d, z("n"), 1));
	CHECK(all_ways(d, "list") && all_ways(d, "n") && all_ways(d, "n.x") && all_ways(d, "none"));
	CHECK(all_ways(d, "list.0") && all_ways(d, "list.1"));
	CHECK_CODE(tl_doc_store_walk(d, z("..."), NULL, &walk), TL_E_BAD_PATH);
	CHECK_OK(tl_doc_store_walk(d, z("list.0"), NULL, &walk));
	CHECK_OK(drain(walk, &out));
	CHECK(tl__str_eq(tl__buf_view(&out), TL__STR("x=1;y=2;")));
	tl__buf_free(&out);
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	tl_database_free(db);
}

static int run_through(tl_table *t)
{
	tl_walk_options o = TL_WALK_OPTIONS_INIT;
	tl_walk *walk = NULL;
	const tl_value *row = NULL;
	tl_str key;
	int rc;

	o.prefix = z("k000");
	o.after = z("k00010");
	rc = tl_table_walk(t, &o, &walk);
	while (rc == TL_OK && (rc = tl_walk_next(walk, &key, &row)) == TL_OK && row)
		;
	tl_walk_free(walk);
	return rc;
}

static void memory_running_out_is_told(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_table *t = NULL;
	bool fired = true;

	set_rows(tx, 0, 60);
	CHECK_OK(finish(tx, NULL));
	tx = begin(db);
	set_rows(tx, 30, 70);
	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	CHECK_OK(run_through(t));
	for (size_t n = 1; fired; n++) {
		long before = tl__alloc_balance();
		int rc;

		tl__alloc_fail_at(n);
		rc = run_through(t);
		fired = tl__alloc_fail_at(0);
		CHECK_CODE(rc, fired ? TL_E_NOMEM : TL_OK);
		CHECK(tl__alloc_balance() <= before + 2); /* buffers of the store may stay */
	}
	tl_table_free(t);
	tl_transaction_free(tx);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(walks_are_as_reading_everything);
	RUN_EACH(pages_join_without_gap_or_repeat);
	RUN_EACH(memory_does_not_grow);
	RUN_EACH(other_values_are_rows_without_json);
	RUN_EACH(a_transaction_may_change_under_a_walk);
	RUN_EACH(commits_do_not_break_a_walk);
	RUN_EACH(a_walk_ends_with_its_transaction);
	RUN_EACH(options_of_other_sizes_are_read);
	RUN_EACH(what_is_no_doc_has_no_members);
	RUN_EACH(memory_running_out_is_told);
	return spec_end();
}
