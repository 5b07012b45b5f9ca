/* DocStore: reading, reading and changing at once, limits, and handles that outlive their parents.
 */
#include "tree_help.h"

/* --- reading ---------------------------------------------------------------------------------- */

static void typed_reads(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *value;
	char *text;
	size_t len;
	int64_t number;
	bool flag;

	CHECK_OK(tl_doc_store_set_string(d, z("t"), z("text")));
	CHECK_OK(tl_doc_store_set_int(d, z("i"), -7));
	CHECK_OK(tl_doc_store_set_bool(d, z("b"), true));
	CHECK_OK(tl_doc_store_get_string(d, z("t"), &text, &len));
	CHECK(len == 4 && strcmp(text, "text") == 0);
	tl_free(text);
	CHECK_OK(tl_doc_store_get_int(d, z("i"), &number));
	CHECK(number == -7);
	CHECK_OK(tl_doc_store_get_bool(d, z("b"), &flag));
	CHECK(flag);
	CHECK_CODE(tl_doc_store_get_int(d, z("t"), &number), TL_E_TYPE_MISMATCH);
	CHECK_CODE(tl_doc_store_get_list(d, z("t"), &value), TL_E_TYPE_MISMATCH);
	CHECK_CODE(tl_doc_store_get(d, z("none"), &value), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl_doc_store_get_as(d, z("none"), TL_INT, &value), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl_doc_store_get(d, z("..."), &value), TL_E_BAD_PATH);
	CHECK_OK(tl_doc_store_contains_key(d, z("t"), &flag));
	CHECK(flag);
	CHECK_OK(tl_doc_store_contains_key(d, z("t.x"), &flag));
	CHECK(!flag);
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	tl_database_free(db);
}

static void reads_by_components(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_str dotted[] = {TL__STR("README.md")}, way[] = {TL__STR("t"), TL__STR("x")};
	tl_str gone[] = {TL__STR("gone")};
	tl_value *value;
	bool there;

	CHECK_OK(tl_doc_store_set_at_path(d, dotted, 1, tl_value_int(1)));
	CHECK_OK(tl_doc_store_set_string(d, z("t"), z("v")));
	CHECK_OK(tl_doc_store_delete(d, z("gone"), NULL));
	CHECK_OK(tl_doc_store_get_at_path(d, dotted, 1, &value));
	CHECK_TEXT(json(value), "1");
	tl_value_free(value);
	CHECK_TEXT(shows(d, "README.md"), "absent");
	CHECK_CODE(tl_doc_store_get_at_path(d, way, 2, &value), TL_E_TYPE_MISMATCH);
	CHECK_CODE(tl_doc_store_get_at_path(d, gone, 1, &value), TL_E_KEY_NOT_FOUND);
	CHECK_OK(tl_doc_store_contains_at_path(d, dotted, 1, &there));
	CHECK(there);
	CHECK_OK(tl_doc_store_get_at_path(d, NULL, 0, &value));
	CHECK(tl_doc_count(value) == 3); /* the tombstone too */
	tl_value_free(value);
	CHECK_CODE(tl_doc_store_set_at_path(d, NULL, 0, tl_value_int(1)), TL_E_TYPE_MISMATCH);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static int gather_keys(void *ud, tl_str key, const tl_value *value)
{
	char *text = ud;

	CHECK(tl_value_type(value) != TL_DELETED);
	snprintf(text + strlen(text), 64, "%.*s ", TL__STR_ARG(key));
	return tl__str_eq(key, z("c")) ? TL_STOP : TL_OK;
}

static void each_visits_what_is_visible(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	char keys[256] = "";

	CHECK_OK(tl_doc_store_set_int(d, z("m.b"), 1));
	CHECK_OK(tl_doc_store_set_int(d, z("m.a"), 1));
	CHECK_OK(tl_doc_store_set_int(d, z("m.c"), 1));
	CHECK_OK(tl_doc_store_set_int(d, z("m.d"), 1));
	CHECK_OK(tl_doc_store_delete(d, z("m.b"), NULL));
	CHECK_OK(tl_doc_store_each(d, z("m"), gather_keys, keys));
	CHECK_TEXT(keys, "a c ");
	keys[0] = '\0';
	CHECK_OK(tl_doc_store_each(d, z(""), gather_keys, keys));
	CHECK_TEXT(keys, "m ");
	CHECK_OK(tl_doc_store_each(d, z("m.a"), gather_keys, keys));
	CHECK_OK(tl_doc_store_each(d, z("none"), gather_keys, keys));
	CHECK_TEXT(keys, "m ");
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tl_database_free(db);
}

/* --- read, change, set ------------------------------------------------------------------------ */

static int add_one(void *ud, tl_value **value)
{
	int64_t number = tl_value_as_int(*value) + 1;

	(void)ud;
	tl_value_free(*value);
	*value = tl_value_int(number);
	return *value ? TL_OK : TL_E_NOMEM;
}

static int push_item(void *ud, tl_value **value)
{
	return tl_list_push(*value, tl_value_text(z(ud)));
}

static int refuse(void *ud, tl_value **value)
{
	(void)ud;
	(void)value;
	return TL_E_CANCELLED;
}

static void modify_reads_changes_and_sets(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *value;

	CHECK_OK(tl_doc_store_modify_or_insert(d, z("n"), tl_value_int(10), add_one, NULL));
	CHECK_OK(tl_doc_store_modify_or_insert(d, z("n"), tl_value_int(99), add_one, NULL));
	CHECK_OK(tl_doc_store_modify(d, z("n"), add_one, NULL));
	CHECK_TEXT(shows(d, "n"), "13");
	CHECK_OK(tl_doc_store_modify_or_insert(d, z("l"), tl_value_list(), push_item, "a"));
	CHECK_OK(tl_doc_store_modify(d, z("l"), push_item, "b"));
	CHECK_TEXT(shows(d, "l"), "[\"a\",\"b\"]");
	CHECK_CODE(tl_doc_store_modify(d, z("n"), refuse, NULL), TL_E_CANCELLED);
	CHECK_OK(tl_doc_store_get_or_insert(d, z("g"), tl_value_text(z("new")), &value));
	CHECK_TEXT(json(value), "\"new\"");
	tl_value_free(value);
	CHECK_OK(tl_doc_store_get_or_insert(d, z("g"), tl_value_text(z("other")), &value));
	CHECK_TEXT(json(value), "\"new\"");
	tl_value_free(value);
	CHECK_OK(tl_doc_store_get_or_insert(d, z("g"), tl_value_int(1), NULL));
	CHECK_TEXT(shows(d, "g"), "1");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_CODE(tl_doc_store_modify(d, z("none"), add_one, NULL), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl_doc_store_modify(d, z("l.0"), add_one, NULL), TL_E_TYPE_MISMATCH);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void insert_gives_the_value_before(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *before;

	CHECK_OK(tl_doc_store_insert(d, z("a.b"), tl_value_int(1), &before));
	CHECK(!before);
	CHECK_OK(tl_doc_store_insert(d, z("a.b"), tl_value_int(2), NULL));
	CHECK_OK(tl_doc_store_insert(d, z("a.b"), tl_value_int(3), &before));
	CHECK_TEXT(json(before), "2");
	tl_value_free(before);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void clear_deletes_everything(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;

	write_text(db, "data", "a.x", "1");
	write_text(db, "data", "b", "1");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_int(d, z("c"), 1));
	CHECK_OK(tl_doc_store_clear(d));
	CHECK_TEXT(shows_all(d), "{}");
	CHECK_TEXT(staged(db, tx, d), "{\"children\":{\"a\":\"Deleted\",\"b\":\"Deleted\"}}");
	CHECK_TEXT(now_shows(db, "data", "a.x"), "absent");
	tl_database_free(db);
}

/* The property behind it all: after any change a read inside the transaction equals the read of the
 * present after its commit. */
static void what_is_seen_is_what_is_written(void)
{
	static const char *const paths[] = {"a", "b", "a.x", "a.y", "a.x.p", "b.x", "a.x.q"};
	tl_database *db = new_database("admin");
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(11));

	for (int round = 0; round < 60; round++) {
		tl_transaction *tx = begin(db);
		tl_doc_store *d = doc(tx, "data");
		char inside[8192];

		for (uint64_t n = 1 + tl__random_below(&random, 6); n > 0; n--) {
			tl_str path = z(paths[tl__random_below(&random, 7)]);
			tl_value *value = tl_value_int((int64_t)n);

			switch (tl__random_below(&random, 5)) {
			case 0: value = doc_of("x", doc_of("q", value)); break;
			case 1: value = doc_of("y", value); break;
			default: break;
			}
			switch (tl__random_below(&random, 4)) {
			case 0: CHECK_OK(tl_doc_store_delete(d, path, NULL)); break;
			case 1:
				if (tl_value_type(value) == TL_DOC) {
					CHECK_OK(tl_doc_store_merge(d, path, value));
					value = NULL;
				}
				break;
			default:
				CHECK_OK(tl_doc_store_set(d, path, tl_value_copy(value)));
				CHECK_TEXT(shows(d, path.ptr), json(value));
				break;
			}
			tl_value_free(value);
		}
		snprintf(inside, sizeof inside, "%s", shows_all(d));
		tl_doc_store_free(d);
		CHECK_OK(finish(tx, NULL));
		d = present(db, "data");
		CHECK_TEXT(shows_all(d), inside);
		tl_doc_store_free(d);
	}
	tl_database_free(db);
}

/* --- limits and handles ----------------------------------------------------------------------- */

static void limits_of_names_and_paths(void)
{
	static char name[300], key[1100];
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d;
	tl_str path[] = {{key, TL_WRITE_MAX_PATH}, {key, 1}};

	memset(name, 'n', sizeof name);
	memset(key, 'k', sizeof key);
	CHECK_CODE(tl_transaction_doc_store(tx, (tl_str){name, 256}, &d), TL_E_TOO_LARGE);
	CHECK_CODE(tl_transaction_doc_store(tx, z(""), &d), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_transaction_doc_store(tx, z("_root"), &d), TL_E_BAD_ARGUMENT);
	CHECK_OK(tl_transaction_doc_store(tx, (tl_str){name, 255}, &d));
	CHECK_OK(tl_doc_store_set_at_path(d, path, 1, tl_value_int(1)));
	CHECK_CODE(tl_doc_store_set_at_path(d, path, 2, tl_value_int(1)), TL_E_TOO_LARGE);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	/* Inside a value it is found when committing. */
	tx = begin(db);
	d = doc(tx, "data");
	key[TL_WRITE_MAX_PATH - 1] = '\0';
	CHECK_OK(tl_doc_store_set(d, z("a"), doc_of(key, tl_value_int(1))));
	tl_doc_store_free(d);
	CHECK_CODE(finish(tx, NULL), TL_E_TOO_LARGE);
	tx = begin(db);
	d = doc(tx, "data");
	key[TL_WRITE_MAX_PATH - 2] = '\0';
	CHECK_OK(tl_doc_store_set(d, z("a"), doc_of(key, tl_value_int(1))));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	tl_database_free(db);
}

static void depth_is_bounded(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *deep = tl_value_doc();
	tl_str path[TL_DOC_MAX_NESTING + 2];

	for (int i = 0; i < TL_DOC_MAX_NESTING; i++)
		deep = doc_of("d", deep);
	for (int i = 0; i < TL_DOC_MAX_NESTING + 2; i++)
		path[i] = TL__STR("d");
	CHECK_OK(tl_doc_store_set(d, z("d"), deep));
	tl_doc_store_free(d);
	CHECK_CODE(finish(tx, NULL), TL_E_BAD_DOC);
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_at_path(d, path, TL_DOC_MAX_NESTING + 1, tl_value_int(1)));
	CHECK_OK(finish(tx, NULL));
	tl_doc_store_free(d);
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_CODE(tl_doc_store_set_at_path(d, path, TL_DOC_MAX_NESTING + 2, tl_value_int(1)),
		TL_E_BAD_PATH);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void handles_outlive_their_parents(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data"), *now = present(db, "data");

	CHECK_OK(tl_doc_store_set_int(d, z("k"), 1));
	tl_database_free(db);
	CHECK_OK(tl_transaction_commit(tx, NULL));
	CHECK_CODE(tl_doc_store_set_int(d, z("k"), 2), TL_E_ALREADY_COMMITTED);
	CHECK_TEXT(shows(d, "k"), "already_committed");
	tl_transaction_free(tx);
	tl_doc_store_free(d);
	CHECK_TEXT(shows(now, "k"), "1");
	CHECK_CODE(tl_doc_store_set_int(now, z("k"), 2), TL_E_UNSUPPORTED);
	atomic_store(&w.closed, true);
	CHECK_TEXT(shows(now, "k"), "closed");
	tl_doc_store_free(now);
}

int main(void)
{
	RUN_EACH(typed_reads);
	RUN_EACH(reads_by_components);
	RUN_EACH(each_visits_what_is_visible);
	RUN_EACH(modify_reads_changes_and_sets);
	RUN_EACH(insert_gives_the_value_before);
	RUN_EACH(clear_deletes_everything);
	RUN_EACH(what_is_seen_is_what_is_written);
	RUN_EACH(limits_of_names_and_paths);
	RUN_EACH(depth_is_bounded);
	RUN_EACH(handles_outlive_their_parents);
	return spec_end();
}
