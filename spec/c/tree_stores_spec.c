/* DocStore, Table and SettingsStore: what they stage, byte for byte where that is determined, and
 * what a read gives afterwards. */
#include "tree_help.h"

/* Commits, frees the store handle, and gives what the entry carries for it. */
static const char *staged(tl_database *db, tl_transaction *tx, tl_doc_store *d)
{
	char name[64];
	tl_id id;

	snprintf(name, sizeof name, "%.*s", TL__STR_ARG(tl_doc_store_name(d)));
	tl_doc_store_free(d);
	if (finish(tx, &id) != TL_OK)
		return tl_error_name(tl_error_code(tl_last_error()));
	return data_of(db, &id, name);
}

static tl_value *pair(const char *key, tl_value *value)
{
	tl_value *d = tl_value_doc();

	CHECK_OK(tl_doc_put(d, z(key), value));
	return d;
}

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
	CHECK_OK(tl_doc_store_set_at_path(d, NULL, 0, pair("k", tl_value_int(1))));
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
	CHECK_OK(tl_doc_store_merge(d, z("a"), pair("new", tl_value_int(2))));
	CHECK_OK(tl_doc_store_merge(d, z("a"), pair("more", tl_value_int(3))));
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
	CHECK_OK(tl_doc_store_merge(d, z("b"), pair("m", tl_value_int(1))));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"z\":2}");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_delete(d, z("a"), NULL));
	CHECK_OK(tl_doc_store_merge(d, z("a"), pair("w", tl_value_int(3))));
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
	CHECK_OK(tl_list_push(list, pair("in", tl_value_int(1))));
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

static int add_one(void *ud, tl_value **value);

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
	case 12: return tl_doc_store_modify(d, z("l.0"), add_one, NULL);
	case 13: return tl_doc_store_modify_or_insert(d, z("l.7"), tl_value_int(1), add_one, NULL);
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
			case 0: value = pair("x", pair("q", value)); break;
			case 1: value = pair("y", value); break;
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

/* --- Table ------------------------------------------------------------------------------------ */

typedef struct rows {
	char text[512];
	size_t count;
} rows;

static int note_row(void *ud, tl_str key, tl_str row)
{
	rows *all = ud;

	(void)key;
	all->count++;
	snprintf(all->text + strlen(all->text), 64, "%.*s;", TL__STR_ARG(row));
	return TL_OK;
}

static bool is_old(void *ud, tl_str key, tl_str row)
{
	(void)ud;
	(void)key;
	return memmem(row.ptr, row.len, "old", 3) != NULL;
}

static void a_table_holds_rows(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_table *t, *now;
	char key[TL_ROW_KEY_LEN + 1], expected[256], *row;
	rows all = {"", 0};
	bool there;
	tl_id id;
	size_t len;

	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	CHECK_OK(tl_table_insert(t, z("{\"name\":\"Ann\",\"age\":3}"), key));
	CHECK(strlen(key) == 36 && key[14] == '4');
	CHECK_OK(tl_table_get(t, z(key), &row, &len));
	CHECK_TEXT(row, "{\"name\":\"Ann\",\"age\":3}");
	tl_free(row);
	tl_table_free(t);
	CHECK_OK(finish(tx, &id));
	snprintf(expected, sizeof expected,
		"{\"children\":{\"%s\":{\"Text\":\"{\\\"name\\\":\\\"Ann\\\",\\\"age\\\":3}\"}}}",
		key);
	CHECK_TEXT(data_of(db, &id, "rows"), expected);

	tx = begin(db);
	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	CHECK_OK(tl_table_set(t, z("a.b"), z("\"old\"")));
	CHECK_OK(tl_table_set(t, z("a.c"), z("\"old too\"")));
	CHECK_OK(tl_table_set(t, z(key), z("7")));
	CHECK_OK(tl_table_delete(t, z("a.b"), &there));
	CHECK(there);
	CHECK_OK(tl_table_delete(t, z("a.b"), &there));
	CHECK(!there);
	CHECK_OK(tl_table_contains(t, z("a.b"), &there));
	CHECK(!there);
	CHECK_CODE(tl_table_get(t, z("a.b"), &row, &len), TL_E_KEY_NOT_FOUND);
	CHECK_OK(tl_table_search(t, is_old, note_row, &all));
	CHECK_TEXT(all.text, "\"old too\";");
	tl_table_free(t);
	CHECK_OK(finish(tx, NULL));
	CHECK_OK(tl_database_table(db, z("rows"), &now));
	all = (rows){"", 0};
	CHECK_OK(tl_table_each(now, note_row, &all));
	CHECK(all.count == 2);
	CHECK_CODE(tl_table_set(now, z("k"), z("1")), TL_E_UNSUPPORTED);
	tl_table_free(now);
	tl_database_free(db);
}

static void rows_are_json(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_table *t;
	rows all = {"", 0};
	char *row;
	size_t len;

	tx = begin(db);
	CHECK_OK(tl_transaction_table(tx, z("rows"), &t));
	CHECK_CODE(tl_table_set(t, z("k"), z("{broken")), TL_E_BAD_JSON);
	tl_table_free(t);
	CHECK_CODE(finish(tx, NULL), TL_E_BAD_JSON);
	/* Another writer left something else. */
	write_text(db, "rows", "k", "{broken");
	CHECK_OK(tl_database_table(db, z("rows"), &t));
	CHECK_CODE(tl_table_get(t, z("k"), &row, &len), TL_E_BAD_JSON);
	/* It harms no other row: the search hands it over without its text, and goes on. */
	write_text(db, "rows", "l", "\"old\"");
	write_text(db, "rows", "m", "1e400");
	CHECK_OK(tl_table_search(t, is_old, note_row, &all));
	CHECK_TEXT(all.text, ";\"old\";;");
	all = (rows){"", 0};
	CHECK_OK(tl_table_each(t, note_row, &all));
	CHECK_TEXT(all.text, "{broken;\"old\";1e400;");
	tl_table_free(t);
	tl_database_free(db);
}

/* --- SettingsStore ---------------------------------------------------------------------------- */

static tl_settings_store *settings_of(tl_transaction *tx)
{
	tl_settings_store *settings = NULL;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	return settings;
}

static void settings_stage_only_what_changes(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = settings_of(tx);
	char expected[512], *name;
	size_t len;
	tl_id id;

	CHECK_CODE(tl_database_name(db, &name, &len), TL_E_KEY_NOT_FOUND);
	CHECK_OK(tl_settings_store_set_name(settings, z("notes")));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, &id));
	CHECK_TEXT(data_of(db, &id, "_settings"), "{\"children\":{\"name\":{\"Text\":\"notes\"}}}");
	CHECK_OK(tl_database_name(db, &name, &len));
	CHECK_TEXT(name, "notes");
	tl_free(name);
	id = add_key(db, "writer", (tl_permission){TL_WRITE, 10});
	snprintf(expected, sizeof expected,
		"{\"children\":{\"auth\":{\"Doc\":{\"children\":{\"%s\":{\"Text\":"
		"\"{\\\"pubkey\\\":\\\"%s\\\",\\\"permissions\\\":{\\\"Write\\\":10},"
		"\\\"status\\\":\\\"Active\\\"}\"}}}}}}",
		key_of("writer"), key_of("writer"));
	CHECK_TEXT(data_of(db, &id, "_settings"), expected);
	tl_database_free(db);
}

static int count_keys(void *ud, tl_str name, const tl_auth_key *key)
{
	(void)name;
	(void)key;
	++*(size_t *)ud;
	return TL_OK;
}

static void settings_hold_key_records(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = settings_of(tx);
	tl_permission write = {TL_WRITE, 1}, read = {TL_READ, 0};
	tl_auth_key key;
	tl_auth *auth;
	size_t count = 0;

	CHECK_OK(tl_settings_store_add_auth_key(settings, z("bob"), z(key_of("bob")), write));
	CHECK_OK(tl_settings_store_get_auth_key(settings, z("bob"), &key));
	CHECK(tl__str_eq(key.pubkey, z(key_of("bob"))) && key.status == TL_KEY_ACTIVE);
	CHECK_OK(tl_settings_store_set_auth_key(
		settings, z("bob"), z(key_of("bob")), read, TL_KEY_ACTIVE));
	CHECK_OK(tl_settings_store_revoke_auth_key(settings, z("bob")));
	CHECK_OK(tl_settings_store_get_auth_key(settings, z("bob"), &key));
	CHECK(key.status == TL_KEY_REVOKED && key.permission.kind == TL_READ);
	CHECK_OK(tl_settings_store_set_global(settings, read, TL_KEY_ACTIVE));
	CHECK_OK(tl_settings_store_list_auth_keys(settings, count_keys, &count));
	CHECK(count == 3);
	CHECK_OK(tl_settings_store_get_auth(settings, &auth));
	CHECK(tl_auth_global(auth) != NULL);
	tl_auth_free(auth);
	CHECK_OK(tl_settings_store_revoke_auth_key(settings, z("*")));
	CHECK_OK(tl_settings_store_remove_auth_record(settings, z("bob")));
	CHECK_CODE(tl_settings_store_get_auth_key(settings, z("bob"), &key), TL_E_KEY_NOT_FOUND);
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
	tl_database_free(db);
}

static void settings_refuse_bad_names(void)
{
	static const struct {
		const char *name, *pubkey;
		int code;
	} bad[] = {{"a.b", NULL, TL_E_BAD_ARGUMENT}, {"", NULL, TL_E_BAD_ARGUMENT},
		{"*", NULL, TL_E_BAD_ARGUMENT}, {"bob", "*", TL_E_BAD_ARGUMENT},
		{"bob", "ed25519:short", TL_E_BAD_KEY}};
	tl_database *db = new_database("admin");
	tl_permission read = {TL_READ, 0};

	for (size_t i = 0; i < 5; i++) {
		tl_transaction *tx = begin(db);
		tl_settings_store *settings = settings_of(tx);
		tl_str pubkey = z(bad[i].pubkey ? bad[i].pubkey : key_of("bob"));

		CHECK_CODE(tl_settings_store_add_auth_key(settings, z(bad[i].name), pubkey, read),
			bad[i].code);
		CHECK_CODE(tl_settings_store_set_auth_key(
				   settings, z(bad[i].name), pubkey, read, TL_KEY_ACTIVE),
			bad[i].code);
		tl_settings_store_free(settings);
		CHECK_CODE(finish(tx, NULL), bad[i].code);
	}
	tl_database_free(db);
}

static void settings_refuse_conflicts(void)
{
	tl_database *db = new_database("admin");
	tl_permission read = {TL_READ, 0};
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = settings_of(tx);

	CHECK_OK(tl_settings_store_add_auth_key(settings, z("bob"), z(key_of("bob")), read));
	CHECK_CODE(tl_settings_store_add_auth_key(settings, z("bob"), z(key_of("bob")), read),
		TL_E_ALREADY_EXISTS);
	CHECK_CODE(tl_settings_store_set_auth_key(
			   settings, z("bob"), z(key_of("eve")), read, TL_KEY_ACTIVE),
		TL_E_KEY_NAME_CONFLICT);
	CHECK_CODE(tl_settings_store_revoke_auth_key(settings, z("none")), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl_settings_store_remove_auth_record(settings, z("none")), TL_E_KEY_NOT_FOUND);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void settings_hold_delegated_trees(void)
{
	tl_database *db = new_database("admin"), *team = new_database("team");
	tl_transaction *tx = begin(db);
	tl_settings_store *settings = settings_of(tx);
	tl_permission write = {TL_WRITE, 10}, read = {TL_READ, 0};
	const tl_id *root = tl_database_root_id(team);
	char text[TL_ID_TEXT_LEN + 1], expected[512];
	tl_id id;

	CHECK_OK(tl_settings_store_add_delegated_tree(
		settings, z("team"), root, root, 1, write, NULL));
	CHECK_OK(tl_settings_store_add_delegated_tree(
		settings, z("team"), root, root, 1, write, &read));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, &id));
	tl_id_format(root, text);
	snprintf(expected, sizeof expected,
		"{\"children\":{\"auth\":{\"Doc\":{\"children\":{\"team\":{\"Text\":"
		"\"{\\\"permission-bounds\\\":{\\\"max\\\":{\\\"Write\\\":10},\\\"min\\\":"
		"\\\"Read\\\"},\\\"tree\\\":{\\\"root\\\":\\\"%s\\\",\\\"tips\\\":[\\\"%s\\\"]}}"
		"\"}}}}}}",
		text, text);
	CHECK_TEXT(data_of(db, &id, "_settings"), expected);
	tx = begin(db);
	settings = settings_of(tx);
	CHECK_CODE(tl_settings_store_add_delegated_tree(
			   settings, z("team"), tl_database_root_id(db), NULL, 0, write, NULL),
		TL_E_KEY_NAME_CONFLICT);
	CHECK_CODE(tl_settings_store_set_auth_key(
			   settings, z("team"), z(key_of("bob")), read, TL_KEY_ACTIVE),
		TL_E_KEY_NAME_CONFLICT);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	tl_database_free(team);
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
	CHECK_OK(tl_doc_store_set(d, z("a"), pair(key, tl_value_int(1))));
	tl_doc_store_free(d);
	CHECK_CODE(finish(tx, NULL), TL_E_TOO_LARGE);
	tx = begin(db);
	d = doc(tx, "data");
	key[TL_WRITE_MAX_PATH - 2] = '\0';
	CHECK_OK(tl_doc_store_set(d, z("a"), pair(key, tl_value_int(1))));
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
		deep = pair("d", deep);
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
	RUN_EACH(typed_reads);
	RUN_EACH(reads_by_components);
	RUN_EACH(each_visits_what_is_visible);
	RUN_EACH(modify_reads_changes_and_sets);
	RUN_EACH(insert_gives_the_value_before);
	RUN_EACH(clear_deletes_everything);
	RUN_EACH(what_is_seen_is_what_is_written);
	RUN_EACH(a_table_holds_rows);
	RUN_EACH(rows_are_json);
	RUN_EACH(settings_stage_only_what_changes);
	RUN_EACH(settings_hold_key_records);
	RUN_EACH(settings_refuse_bad_names);
	RUN_EACH(settings_refuse_conflicts);
	RUN_EACH(settings_hold_delegated_trees);
	RUN_EACH(limits_of_names_and_paths);
	RUN_EACH(depth_is_bounded);
	RUN_EACH(handles_outlive_their_parents);
	return spec_end();
}
