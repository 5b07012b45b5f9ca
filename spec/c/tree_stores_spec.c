/* DocStore: what it stages, byte for byte where that is determined, and what a read gives
 * afterwards. */
#include "tree_help.h"

#define NESTED_ABC                                                                                 \
	"{\"children\":{\"a\":{\"Doc\":{\"children\":{\"b\":{\"Doc\":{\"children\":"               \
	"{\"c\":{\"Text\":\"v\"}}}}}}}}}"

/* --- what a fresh transaction stages ---------------------------------------------------------- */

static void stages_plain_values(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");

	CHECK_OK(tl_doc_store_set_string(d, z("k"), z("v")));
	CHECK_TEXT(staged(db, tx, d), "{\"children\":{\"k\":{\"Text\":\"v\"}}}");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_int(d, z("k"), 5));
	CHECK_OK(tl_doc_store_set_bool(d, z("b"), true));
	CHECK_OK(tl_doc_store_set(d, z("n"), tl_value_null()));
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"b\":{\"Bool\":true},\"k\":{\"Int\":5},\"n\":\"Null\"}}");
	tl_database_free(db);
}

static void stages_paths(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_str literal[] = {TL__STR("a.b"), TL__STR("c")};

	CHECK_OK(tl_doc_store_set_string(d, z("a.b.c"), z("v")));
	CHECK_TEXT(staged(db, tx, d), NESTED_ABC);
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set(d, z(".a..b.c."), tl_value_text(z("v"))));
	CHECK_TEXT(staged(db, tx, d), NESTED_ABC);
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_at_path(d, literal, 2, tl_value_int(1)));
	CHECK_OK(tl_doc_store_insert(d, z("x.y"), tl_value_int(2), NULL));
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"a.b\":{\"Doc\":{\"children\":{\"c\":{\"Int\":1}}}},"
		"\"x.y\":{\"Int\":2}}}");
	tl_database_free(db);
}

static void stages_deletions(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_str path[] = {TL__STR("a"), TL__STR("b")};

	CHECK_OK(tl_doc_store_delete(d, z("k"), NULL));
	CHECK_TEXT(staged(db, tx, d), "{\"children\":{\"k\":\"Deleted\"}}");
	/* Nothing visible: nothing staged, so the store is not in the entry. */
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_delete(d, z("a.b"), NULL));
	CHECK_TEXT(staged(db, tx, d), "none");
	write_text(db, "data", "a.b", "v");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_delete(d, z("a.b"), NULL));
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"a\":{\"Doc\":{\"children\":{\"b\":\"Deleted\"}}}}}");
	CHECK_TEXT(now_shows(db, "data", "a.b"), "absent");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_at_path(d, path, 2, tl_value_deleted()));
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"a\":{\"Doc\":{\"children\":{\"b\":\"Deleted\"}}}}}");
	tl_database_free(db);
}

static void stages_lists(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *list = tl_value_list();
	tl_position a = {0, 1, {0x6f}}, b = {1, 1, {0x6f}};

	CHECK_OK(tl_list_put(list, &a, tl_value_text(z("x"))));
	CHECK_OK(tl_list_put(list, &b, tl_value_text(z("y"))));
	CHECK_OK(tl_doc_store_set_list(d, z("l"), list));
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"l\":{\"List\":["
		"[{\"numerator\":0,\"denominator\":1,\"unique_id\":"
		"\"6f000000-0000-0000-0000-000000000000\"},{\"Text\":\"x\"}],"
		"[{\"numerator\":1,\"denominator\":1,\"unique_id\":"
		"\"6f000000-0000-0000-0000-000000000000\"},{\"Text\":\"y\"}]]}}}");
	tl_database_free(db);
}

static void stages_docs(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");

	CHECK_OK(tl_doc_store_set_node(d, z("d"), tl_value_doc()));
	CHECK_TEXT(staged(db, tx, d), "{\"children\":{\"d\":{\"Doc\":{\"children\":{}}}}}");
	tx = begin(db);
	d = doc(tx, "fresh");
	CHECK_OK(tl_doc_store_set_string(d, z("gone"), z("v")));
	CHECK_OK(tl_doc_store_set_at_path(d, NULL, 0, doc_of("k", tl_value_int(1))));
	CHECK_TEXT(staged(db, tx, d), "{\"children\":{\"k\":{\"Int\":1}}}");
	tl_database_free(db);
}

/* --- what users expect and 0.2.0 does not do -------------------------------------------------- */

static void a_staged_tombstone_is_seen(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;
	bool existed = false;

	write_text(db, "data", "k", "old");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_TEXT(shows(d, "k"), "\"old\"");
	CHECK_OK(tl_doc_store_delete(d, z("k"), &existed));
	CHECK(existed);
	CHECK_TEXT(shows(d, "k"), "absent");
	CHECK_OK(tl_doc_store_delete(d, z("k"), &existed));
	CHECK(!existed);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	CHECK_TEXT(now_shows(db, "data", "k"), "\"old\"");
	tl_database_free(db);
}

static void staged_parts_do_not_hide_siblings(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;

	write_text(db, "data", "a.b", "1");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_string(d, z("a.c"), z("2")));
	CHECK_TEXT(shows(d, "a"), "{\"b\":\"1\",\"c\":\"2\"}");
	CHECK_TEXT(shows(d, "a.b"), "\"1\"");
	CHECK_TEXT(shows_all(d), "{\"a\":{\"b\":\"1\",\"c\":\"2\"}}");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"b\":\"1\",\"c\":\"2\"}");
	tl_database_free(db);
}

static void set_replaces_what_is_visible(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;

	write_text(db, "data", "a.old", "1");
	write_text(db, "data", "a.deep.x", "1");
	write_text(db, "data", "a.deep.y", "1");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set(d, z("a"),
		parse_doc("{\"children\":{\"deep\":{\"Doc\":"
			  "{\"children\":{\"y\":{\"Int\":2}}}}}}")));
	CHECK_TEXT(shows(d, "a"), "{\"deep\":{\"y\":2}}");
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"a\":{\"Doc\":{\"children\":{\"deep\":{\"Doc\":{\"children\":"
		"{\"x\":\"Deleted\",\"y\":{\"Int\":2}}}},\"old\":\"Deleted\"}}}}}");
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"deep\":{\"y\":2}}");
	/* Once more over tombstones: nothing is deleted twice. */
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set(d, z("a"), tl_value_doc()));
	CHECK_TEXT(staged(db, tx, d),
		"{\"children\":{\"a\":{\"Doc\":{\"children\":{\"deep\":\"Deleted\"}}}}}");
	CHECK_TEXT(now_shows(db, "data", "a"), "{}");
	tl_database_free(db);
}

static void merge_keeps_the_rest(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;

	write_text(db, "data", "a.old", "1");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_merge(d, z("a"), doc_of("new", tl_value_int(2))));
	CHECK_OK(tl_doc_store_merge(d, z("a"), doc_of("more", tl_value_int(3))));
	CHECK_TEXT(shows(d, "a"), "{\"more\":3,\"new\":2,\"old\":\"1\"}");
	CHECK_CODE(tl_doc_store_merge(d, z("a"), tl_value_int(1)), TL_E_TYPE_MISMATCH);
	tl_doc_store_free(d);
	CHECK_CODE(finish(tx, NULL), TL_E_TYPE_MISMATCH);
	tl_database_free(db);
}

static void deletion_survives_writing_below(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;

	write_text(db, "data", "a.x", "1");
	write_text(db, "data", "a.y", "1");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_delete(d, z("a"), NULL));
	CHECK_OK(tl_doc_store_set_int(d, z("a.z"), 2));
	CHECK_TEXT(shows(d, "a"), "{\"z\":2}");
	CHECK_OK(tl_doc_store_delete(d, z("b"), NULL));
	CHECK_OK(tl_doc_store_merge(d, z("b"), doc_of("m", tl_value_int(1))));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"z\":2}");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_delete(d, z("a"), NULL));
	CHECK_OK(tl_doc_store_merge(d, z("a"), doc_of("w", tl_value_int(3))));
	CHECK_TEXT(shows(d, "a"), "{\"w\":3}");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"w\":3}");
	tl_database_free(db);
}

static void a_list_replaced_forgets_its_items(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *list = tl_value_list();

	CHECK_OK(tl_list_push(list, tl_value_text(z("x"))));
	CHECK_OK(tl_list_push(list, tl_value_text(z("y"))));
	CHECK_OK(tl_list_push(list, doc_of("in", tl_value_int(1))));
	CHECK_OK(tl_doc_store_set_list(d, z("l"), list));
	CHECK_TEXT(shows(d, "l.2.in"), "1");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "l.1"), "\"y\"");
	CHECK_TEXT(now_shows(db, "data", "l.+2.in"), "1");
	CHECK_TEXT(now_shows(db, "data", "l.3"), "absent");

	/* Read, removed one, set whole: positions stay and the removed one is a tombstone. */
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_get_list(d, z("l"), &list));
	CHECK_OK(tl_list_remove(list, 0));
	CHECK_OK(tl_doc_store_set_list(d, z("l"), list));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "l"), "[\"y\",{\"in\":1}]");

	/* An entirely new list. */
	tx = begin(db);
	d = doc(tx, "data");
	list = tl_value_list();
	CHECK_OK(tl_list_push(list, tl_value_text(z("new"))));
	CHECK_OK(tl_doc_store_set_list(d, z("l"), list));
	CHECK_TEXT(shows(d, "l"), "[\"new\"]");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "l"), "[\"new\"]");
	tl_database_free(db);
}

/* Not called: the path is refused before. */
static int change_nothing(void *ud, tl_value **value)
{
	(void)ud;
	(void)value;
	return TL_E_INTERNAL;
}

/* Every call that writes by path, on a way that leads through the list `l`. */
static int write_through(tl_doc_store *d, int call)
{
	tl_str item[] = {z("l"), z("0")}, below[] = {z("l"), z("0"), z("x")};

	switch (call) {
	case 0: return tl_doc_store_set(d, z("l.0"), tl_value_int(1));
	case 1: return tl_doc_store_set_string(d, z("l.0"), z("text"));
	case 2: return tl_doc_store_set_list(d, z("l.a"), tl_value_list());
	case 3: return tl_doc_store_set_node(d, z("l.0"), tl_value_doc());
	case 4: return tl_doc_store_set_at_path(d, item, 2, tl_value_int(1));
	case 5: return tl_doc_store_set_at_path(d, below, 3, tl_value_int(1));
	case 6: return tl_doc_store_merge(d, z("l.7"), tl_value_doc());
	case 7: return tl_doc_store_merge_at_path(d, item, 2, tl_value_doc());
	case 8: return tl_doc_store_delete(d, z("l.0"), NULL);
	case 9: return tl_doc_store_delete_at_path(d, item, 2, NULL);
	case 10: return tl_doc_store_get_or_insert(d, z("l.0"), tl_value_int(1), NULL);
	case 11: return tl_doc_store_get_or_insert(d, z("l.7"), tl_value_int(1), NULL);
	case 12: return tl_doc_store_modify(d, z("l.0"), change_nothing, NULL);
	case 13:
		return tl_doc_store_modify_or_insert(
			d, z("l.7"), tl_value_int(1), change_nothing, NULL);
	default: return TL_STOP;
	}
}

static void refuses_each_way_through(tl_database *db, bool staged)
{
	for (int call = 0;; call++) {
		tl_transaction *tx = begin(db);
		tl_doc_store *d = doc(tx, "data");
		tl_value *list = tl_value_list();
		int code;

		CHECK_OK(tl_list_push(list, tl_value_text(z("x"))));
		if (staged)
			CHECK_OK(tl_doc_store_set_list(d, z("l"), list));
		else
			tl_value_free(list);
		code = write_through(d, call);
		if (code != TL_STOP) {
			CHECK_CODE(code, TL_E_TYPE_MISMATCH);
			CHECK(strstr(tl_error_message(tl_last_error()), "get the list") != NULL);
			CHECK_TEXT(shows(d, "l"), "[\"x\"]");
		}
		tl_doc_store_free(d);
		if (code == TL_STOP) {
			CHECK_OK(finish(tx, NULL));
			return;
		}
		CHECK_CODE(finish(tx, NULL), TL_E_TYPE_MISMATCH);
	}
}

static void items_of_lists_are_not_written_by_path(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;

	refuses_each_way_through(db, true);  /* ends by committing the list */
	refuses_each_way_through(db, false); /* which stands in history now */
	/* A list that is gone, or replaced in this transaction, is on nobody's way. */
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_node(d, z("l"), tl_value_doc()));
	CHECK_OK(tl_doc_store_set_int(d, z("l.0"), 1));
	CHECK_TEXT(shows(d, "l"), "{\"0\":1}");
	CHECK_OK(tl_doc_store_delete(d, z("l"), NULL));
	CHECK_OK(tl_doc_store_set_int(d, z("l.0.b"), 2));
	CHECK_TEXT(shows(d, "l"), "{\"0\":{\"b\":2}}");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "l"), "{\"0\":{\"b\":2}}");
	tl_database_free(db);
}

static void scalars_give_way_to_docs(void)
{
	tl_database *db = new_database("admin");

	write_text(db, "data", "a.x", "1");
	write_text(db, "data", "a", "scalar");
	CHECK_TEXT(now_shows(db, "data", "a.x"), "absent");
	write_text(db, "data", "a.y", "2");
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"y\":\"2\"}");
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(stages_plain_values);
	RUN_EACH(stages_paths);
	RUN_EACH(stages_deletions);
	RUN_EACH(stages_lists);
	RUN_EACH(stages_docs);
	RUN_EACH(a_staged_tombstone_is_seen);
	RUN_EACH(staged_parts_do_not_hide_siblings);
	RUN_EACH(set_replaces_what_is_visible);
	RUN_EACH(merge_keeps_the_rest);
	RUN_EACH(deletion_survives_writing_below);
	RUN_EACH(a_list_replaced_forgets_its_items);
	RUN_EACH(items_of_lists_are_not_written_by_path);
	RUN_EACH(scalars_give_way_to_docs);
	return spec_end();
}
