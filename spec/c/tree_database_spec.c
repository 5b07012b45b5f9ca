/* Databases: creating, finding, entries, walks, views, history, verify. */
#include <time.h>
#include "tree_foreign.h"
#include "tree/api/handles.h"
#include "verify_help.h"

/* --- creating and finding --------------------------------------------------------------------- */

static void the_root_entry_is_as_in_0_2_0(void)
{
	tl_value *settings = parse_doc("{\"children\":{\"name\":{\"Text\":\"my_db\"}}}");
	char expected[512];
	tl_database *db;
	tl_entry *entry;
	tl_str metadata;

	CHECK_OK(tl__database_create(&w.host, settings, z("admin"), &db));
	tl_value_free(settings);
	CHECK_OK(tl_database_get_entry(db, tl_database_root_id(db), &entry));
	CHECK(tl_entry_is_root(entry) && tl_entry_tree(entry).len == 0);
	CHECK(tl_entry_store_count(entry) == 2 && tl_entry_parent_count(entry) == 0);
	CHECK(tl__str_eq(tl_entry_store_name(entry, 0), z("_root")));
	CHECK(tl__str_eq(tl_entry_store_data(entry, 0), z("\"\"")));
	snprintf(expected, sizeof expected,
		"{\"children\":{\"auth\":{\"Doc\":{\"children\":{\"%s\":{\"Text\":"
		"\"{\\\"pubkey\\\":\\\"%s\\\",\\\"permissions\\\":{\\\"Admin\\\":0},"
		"\\\"status\\\":\\\"Active\\\"}\"}}}},\"name\":{\"Text\":\"my_db\"}}}",
		key_of("admin"), key_of("admin"));
	CHECK_TEXT(data_of(db, tl_database_root_id(db), "_settings"), expected);
	metadata = tl_entry_metadata(entry);
	CHECK(tl__str_starts(metadata, z("{\"settings_tips\":[],\"entropy\":")));
	CHECK(metadata.ptr[metadata.len - 1] == '}');
	tl_entry_free(entry);
	tl_database_free(db);
}

static void equal_settings_make_different_databases(void)
{
	tl_database *a = new_database("admin"), *b = new_database("admin");

	CHECK(!same_id(tl_database_root_id(a), tl_database_root_id(b)));
	tl_database_free(a);
	tl_database_free(b);
}

static void given_auth_is_used_as_it_is(void)
{
	static const char *const shape =
		"{\"children\":{\"auth\":{\"Doc\":{\"children\":{\"boss\":{\"Text\":"
		"\"{\\\"pubkey\\\":\\\"%s\\\",\\\"permissions\\\":{\\\"%s\\\":0},"
		"\\\"status\\\":\\\"%s\\\"}\"}}}}}}";
	static const struct {
		const char *permission, *status, *key;
		int code;
	} tries[] = {{"Admin", "Active", "boss", TL_OK},
		{"Write", "Active", "boss", TL_E_INSUFFICIENT_PERMISSIONS},
		{"Admin", "Revoked", "boss", TL_E_SIGNATURE_VERIFICATION_FAILED},
		{"Admin", "Active", "other", TL_E_KEY_NOT_FOUND}};

	for (size_t i = 0; i < 4; i++) {
		char text[512];
		tl_value *settings;
		tl_database *db;
		tl_entry *entry;

		snprintf(text, sizeof text, shape, key_of("boss"), tries[i].permission,
			tries[i].status);
		settings = parse_doc(text);
		CHECK_CODE(tl__database_create(&w.host, settings, z(tries[i].key), &db),
			tries[i].code);
		tl_value_free(settings);
		if (!db)
			continue;
		CHECK_OK(tl_database_get_entry(db, tl_database_root_id(db), &entry));
		CHECK(tl__str_eq(tl_entry_key_name(entry), z("boss")));
		tl_entry_free(entry);
		tl_database_free(db);
	}
}

static void creation_is_refused_with_reasons(void)
{
	tl_value *scalar = tl_value_int(1);
	tl_value *tombstones = parse_doc(
		"{\"children\":{\"auth\":{\"Doc\":{\"children\":{\"gone\":\"Deleted\"}}}}}");
	tl_database *db;
	tl_id *ids;
	size_t count;

	CHECK_CODE(tl__database_create(&w.host, NULL, z(""), &db), TL_E_AUTHENTICATION_REQUIRED);
	CHECK_CODE(
		tl__database_create(&w.host, NULL, z("missing"), &db), TL_E_SIGNING_KEY_NOT_FOUND);
	CHECK_CODE(tl__database_create(&w.host, scalar, z("admin"), &db), TL_E_TYPE_MISMATCH);
	CHECK_CODE(tl__database_create(&w.host, tombstones, z("admin"), &db),
		TL_E_NO_AUTH_CONFIGURATION);
	CHECK_OK(tl__database_all(&w.host, &ids, &count));
	CHECK(count == 0);
	tl_free(ids);
	tl_value_free(scalar);
	tl_value_free(tombstones);
}

static tl_database *named(const char *name)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;

	CHECK_OK(tl_doc_put(settings, z("name"), tl_value_text(z(name))));
	CHECK_OK(tl__database_create(&w.host, settings, z("admin"), &db));
	tl_value_free(settings);
	return db;
}

static void databases_are_found(void)
{
	tl_database *a = named("notes"), *b = named("notes"), *c = named("Notes"), *again;
	tl_id unknown = {{'s'}}, *ids;
	size_t count;
	char *name;

	CHECK_OK(tl__database_all(&w.host, &ids, &count));
	CHECK(count == 3 && memcmp(&ids[0], &ids[1], sizeof ids[0]) < 0);
	tl_free(ids);
	CHECK_OK(tl__database_find(&w.host, z("notes"), &ids, &count));
	CHECK(count == 2);
	tl_free(ids);
	CHECK_CODE(tl__database_find(&w.host, z("none"), &ids, &count), TL_E_DATABASE_NOT_FOUND);
	CHECK_CODE(tl__database_open(&w.host, &unknown, &again), TL_E_DATABASE_NOT_FOUND);
	CHECK(again == NULL);
	CHECK_OK(tl__database_open(&w.host, tl_database_root_id(c), &again));
	CHECK_OK(tl_database_name(again, &name, NULL));
	CHECK_TEXT(name, "Notes");
	tl_free(name);
	CHECK_CODE(finish(begin(again), NULL), TL_E_AUTHENTICATION_REQUIRED);
	CHECK_OK(tl_database_set_default_auth_key(again, z("admin")));
	CHECK_OK(tl_database_default_auth_key(again, &name));
	CHECK_TEXT(name, "admin");
	tl_free(name);
	CHECK_OK(finish(begin(again), NULL));
	tl_database_free(again);
	tl_database_free(a);
	tl_database_free(b);
	tl_database_free(c);
}

static void a_closed_node_refuses_everything(void)
{
	tl_database *db = new_database("admin"), *other;
	tl_transaction *tx = begin(db), *late;
	bool has;

	atomic_store(&w.closed, true);
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_CLOSED);
	CHECK_CODE(tl_transaction_new(db, &late), TL_E_CLOSED);
	CHECK_CODE(tl_database_has(db, tl_database_root_id(db), &has), TL_E_CLOSED);
	CHECK_CODE(tl__database_create(&w.host, NULL, z("admin"), &other), TL_E_CLOSED);
	CHECK_CODE(tl__database_open(&w.host, tl_database_root_id(db), &other), TL_E_CLOSED);
	tl_transaction_free(tx);
	tl_database_free(db);
}

/* --- permissions ------------------------------------------------------------------------------ */

static int note_sigkey(void *ud, tl_str name, tl_permission permission)
{
	char *text = ud, shown[24];

	tl_permission_format(permission, shown);
	snprintf(text + strlen(text), 100, "%.*s=%s;", tl__str_eq(name, z("*")) ? 1 : 3, name.ptr,
		shown);
	return TL_OK;
}

static void keys_are_looked_up(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_settings_store *settings;
	tl_permission permission;
	char found[512] = "";

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_add_auth_key(
		settings, z("one"), z(key_of("bob")), (tl_permission){TL_WRITE, 10}));
	CHECK_OK(tl_settings_store_add_auth_key(
		settings, z("two"), z(key_of("bob")), (tl_permission){TL_ADMIN, 1}));
	CHECK_OK(tl_settings_store_set_auth_key(settings, z("old"), z(key_of("bob")),
		(tl_permission){TL_ADMIN, 0}, TL_KEY_REVOKED));
	CHECK_OK(
		tl_settings_store_set_global(settings, (tl_permission){TL_READ, 0}, TL_KEY_ACTIVE));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
	CHECK_OK(tl_database_find_sigkeys(db, z(key_of("bob")), note_sigkey, found));
	CHECK_TEXT(found, "two=admin:1;one=write:10;*=read;");
	found[0] = '\0';
	CHECK_OK(tl_database_find_sigkeys(db, z(key_of("eve")), note_sigkey, found));
	CHECK_TEXT(found, "*=read;");
	CHECK_OK(tl_database_get_sigkey_permission(db, z("one"), &permission));
	CHECK(permission.kind == TL_WRITE && permission.priority == 10);
	CHECK_OK(tl_database_get_sigkey_permission(db, z("*"), &permission));
	CHECK(permission.kind == TL_READ);
	CHECK_CODE(
		tl_database_get_sigkey_permission(db, z("none"), &permission), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(tl_database_get_sigkey_permission(db, z("old"), &permission),
		TL_E_INSUFFICIENT_PERMISSIONS);
	/* The strongest record signs, the one named like the private key among equals. */
	tx = begin(db);
	CHECK_OK(tl_transaction_set_auth_key(tx, z("bob")));
	tl_id id;
	CHECK_OK(finish(tx, &id));
	tl_entry *entry;
	CHECK_OK(tl_database_get_entry(db, &id, &entry));
	CHECK(tl__str_eq(tl_entry_key_name(entry), z("two")));
	tl_entry_free(entry);
	tl_database_free(db);
}

/* --- void entries ----------------------------------------------------------------------------- */

/* A forged entry that a good one names as a store parent only: it stays a tip, and we build on what
 * lies below it. */
static void nothing_builds_on_a_void_tip(void)
{
	tl_database *db = new_database("admin");
	tl_id root = *tl_database_root_id(db), mine, tip;
	tl_entry *forged = foreign_entry(db, "stranger", &root, NULL, DATA("forged"));
	tl_entry *good = foreign_entry(db, "admin", &root, tl_entry_id(forged), DATA("good"));
	tl_str lines[] = {tl_entry_bytes(forged), tl_entry_bytes(good)};
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	tl_transaction *tx;
	tl_entry *entry;
	id_list tips;
	uint64_t findings;
	char text[TL_ID_TEXT_LEN + 1];

	ingest_lines(&root, lines, 1);
	CHECK_OK(tl_database_count(db, &counts));
	CHECK(counts.entries == 1 && counts.quarantined == 1);
	ingest_lines(&root, lines, 2);
	CHECK_OK(tl_database_count(db, &counts));
	CHECK(counts.entries == 3 && counts.void_entries == 1 && counts.quarantined == 0);
	CHECK(tips_of(db, &tips) == 2);
	mine = write_text(db, "data", "mine", "1");
	CHECK_OK(tl_database_get_entry(db, &mine, &entry));
	tl_id_format(tl_entry_id(good), text);
	CHECK(tl_entry_parent_count(entry) == 1 && tl__str_eq(tl_entry_parent(entry, 0), z(text)));
	tl_entry_free(entry);
	tl_doc_store *d = present(db, "data");
	CHECK_TEXT(shows_all(d), "{\"good\":1,\"mine\":\"1\"}");
	tl_doc_store_free(d);
	tip = *tl_entry_id(forged);
	CHECK_CODE(tl_transaction_new_with_tips(db, &tip, 1, &tx), TL_E_INVALID_TIP);
	/* A pinned one that outlives its snapshot reads the same. */
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_TEXT(shows_all(d), "{\"good\":1,\"mine\":\"1\"}");
	write_text(db, "data", "later", "1");
	atomic_fetch_add(&w.now_ms, TL_SNAPSHOT_MAX_AGE_MS);
	CHECK_TEXT(shows_all(d), "{\"good\":1,\"mine\":\"1\"}");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK_OK(find_all(db, NULL, &findings));
	CHECK(findings == 0);
	tl_entry_free(forged);
	tl_entry_free(good);
	tl_database_free(db);
}

/* Good entries that only a void tip names are not lost. */
static void what_lies_below_a_void_tip_is_kept(void)
{
	tl_database *db = new_database("admin");
	tl_id root = *tl_database_root_id(db), below, mine;
	tl_entry *forged, *good, *entry;
	tl_str lines[2];
	char text[TL_ID_TEXT_LEN + 1];

	below = write_text(db, "data", "below", "1");
	forged = foreign_entry(db, "stranger", &below, NULL, DATA("forged"));
	good = foreign_entry(db, "admin", &root, tl_entry_id(forged), DATA("good"));
	lines[0] = tl_entry_bytes(forged);
	lines[1] = tl_entry_bytes(good);
	ingest_lines(&root, lines, 2);
	mine = write_text(db, "data", "mine", "1");
	CHECK_OK(tl_database_get_entry(db, &mine, &entry));
	CHECK(tl_entry_parent_count(entry) == 2);
	tl_id_format(&below, text);
	CHECK(tl__str_eq(tl_entry_parent(entry, 0), z(text)) ||
		tl__str_eq(tl_entry_parent(entry, 1), z(text)));
	tl_entry_free(entry);
	/* Now something good stands on it, and it is named no more. */
	mine = write_text(db, "data", "mine", "2");
	CHECK_OK(tl_database_get_entry(db, &mine, &entry));
	CHECK(tl_entry_parent_count(entry) == 1);
	tl_entry_free(entry);
	tl_entry_free(forged);
	tl_entry_free(good);
	tl_database_free(db);
}

/* --- cost ------------------------------------------------------------------------------------- */

/* Of this process: what others do on the machine does not count. */
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Fastest of several runs of 100 commits: noise only slows down. */
static double commit_time(tl_database *db)
{
	double best = 1e9;

	for (int run = 0; run < 5; run++) {
		double start = seconds();

		for (int i = 0; i < 100; i++)
			write_text(db, "data", "k", "v");
		if (seconds() - start < best)
			best = seconds() - start;
	}
	return best;
}

/* A commit costs its delta: a walk over history would be ten times dearer here. */
static void commits_do_not_slow_down(void)
{
	tl_database *db = new_database("admin");
	double early, late;

	commit_time(db);
	early = commit_time(db);
	for (int i = 0; i < 5000; i++)
		write_text(db, "data", "k", "v");
	late = commit_time(db);
	if (late > early * 3)
		printf("100 commits took %.1f ms at 1,000 and %.1f ms at 6,000 entries\n",
			early * 1e3, late * 1e3);
	CHECK(late <= early * 3);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(the_root_entry_is_as_in_0_2_0);
	RUN_EACH(equal_settings_make_different_databases);
	RUN_EACH(given_auth_is_used_as_it_is);
	RUN_EACH(creation_is_refused_with_reasons);
	RUN_EACH(databases_are_found);
	RUN_EACH(a_closed_node_refuses_everything);
	RUN_EACH(keys_are_looked_up);
	RUN_EACH(nothing_builds_on_a_void_tip);
	RUN_EACH(what_lies_below_a_void_tip_is_kept);
	RUN_EACH(commits_do_not_slow_down);
	return spec_end();
}
