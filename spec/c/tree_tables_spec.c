/* Table and SettingsStore: what they stage and what a read gives afterwards. */
#include "tree_help.h"

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

int main(void)
{
	RUN_EACH(a_table_holds_rows);
	RUN_EACH(rows_are_json);
	RUN_EACH(settings_stage_only_what_changes);
	RUN_EACH(settings_hold_key_records);
	RUN_EACH(settings_refuse_bad_names);
	RUN_EACH(settings_refuse_conflicts);
	RUN_EACH(settings_hold_delegated_trees);
	return spec_end();
}
