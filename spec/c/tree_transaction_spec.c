/* Transactions: what they stand on, how they end, limits, threads. */
#include <pthread.h>
#include "tree_help.h"
#include "tree/api/handles.h"

/* --- entries ---------------------------------------------------------------------------------- */

static void an_entry_names_tips_and_settings(void)
{
	tl_database *db = new_database("admin");
	tl_id first = write_text(db, "data", "k", "1"), second = write_text(db, "other", "k", "2");
	tl_id third = write_text(db, "data", "k", "3");
	char root[TL_ID_TEXT_LEN + 1], id[TL_ID_TEXT_LEN + 1], expected[256];
	tl_entry *entry;

	tl_id_format(tl_database_root_id(db), root);
	CHECK_OK(tl_database_get_entry(db, &third, &entry));
	CHECK(tl__str_eq(tl_entry_tree(entry), z(root)));
	CHECK(tl_entry_parent_count(entry) == 1);
	tl_id_format(&second, id);
	CHECK(tl__str_eq(tl_entry_parent(entry, 0), z(id)));
	tl_id_format(&first, id);
	CHECK(tl_entry_store_count(entry) == 1);
	CHECK(tl_entry_store_parent_count(entry, 0) == 1);
	CHECK(tl__str_eq(tl_entry_store_parent(entry, 0, 0), z(id)));
	snprintf(expected, sizeof expected, "{\"settings_tips\":[\"%s\"],\"entropy\":null}", root);
	CHECK(tl__str_eq(tl_entry_metadata(entry), z(expected)));
	CHECK(tl__str_eq(tl_entry_key_name(entry), z(key_of("admin"))));
	CHECK(!tl_entry_pubkey(entry).ptr);
	CHECK(atomic_load(&w.committed) == 4); /* the root too */
	tl_entry_free(entry);
	tl_database_free(db);
}

static void an_empty_transaction_joins_tips(void)
{
	tl_database *db = new_database("admin");
	tl_id base = write_text(db, "data", "k", "1"), join;
	id_list tips;
	tl_entry *entry;

	write_text_at(db, &base, 1, "data", "a", "1");
	write_text_at(db, &base, 1, "data", "b", "1");
	CHECK(tips_of(db, &tips) == 2);
	CHECK_OK(finish(begin(db), &join));
	CHECK(tips_of(db, &tips) == 1 && same_id(&tips.at[0], &join));
	CHECK_OK(tl_database_get_entry(db, &join, &entry));
	CHECK(tl_entry_store_count(entry) == 0 && tl_entry_parent_count(entry) == 2);
	tl_entry_free(entry);
	tl_database_free(db);
}

static void opaque_data_is_kept_or_dropped(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d;
	tl_id id;

	CHECK_OK(tl_transaction_set_data(tx, z("y"), z("{\"data\":[0,0]}")));
	CHECK_OK(tl_transaction_set_data(tx, z("empty"), z("")));
	CHECK_OK(tl_transaction_set_data(tx, z("braces"), z("{}")));
	CHECK_OK(tl_transaction_set_data(tx, z("doc"), z("{\"children\":{}}")));
	CHECK_OK(finish(tx, &id));
	CHECK_TEXT(data_of(db, &id, "y"), "{\"data\":[0,0]}");
	CHECK_TEXT(data_of(db, &id, "empty"), "none");
	CHECK_TEXT(data_of(db, &id, "braces"), "none");
	CHECK_TEXT(data_of(db, &id, "doc"), "{\"children\":{}}");
	CHECK_TEXT(now_shows(db, "y", "data"), "absent");
	tx = begin(db);
	d = doc(tx, "y");
	CHECK_OK(tl_transaction_set_data(tx, z("y"), z("x")));
	CHECK_CODE(tl_doc_store_set_int(d, z("k"), 1), TL_E_BAD_ARGUMENT);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tx = begin(db);
	CHECK_CODE(tl_transaction_set_data(tx, z("bad"), (tl_str){"\xff", 1}), TL_E_BAD_ARGUMENT);
	CHECK_CODE(finish(tx, NULL), TL_E_BAD_ARGUMENT);
	tl_database_free(db);
}

/* --- what it stands on ------------------------------------------------------------------------ */

static void the_first_read_pins_a_snapshot(void)
{
	tl_database *db = new_database("admin");
	tl_id before = write_text(db, "data", "k", "1");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	id_list seen = {.count = 0};

	CHECK_TEXT(shows(d, "k"), "\"1\"");
	write_text(db, "data", "k", "2");
	CHECK_TEXT(shows(d, "k"), "\"1\"");
	CHECK_OK(tl_transaction_tips(tx, note_id, &seen));
	CHECK(seen.count == 1 && same_id(&seen.at[0], &before));
	CHECK_TEXT(now_shows(db, "data", "k"), "\"2\"");
	CHECK_OK(tl_doc_store_set_int(d, z("mine"), 1));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK(tips_of(db, &seen) == 2);
	tl_database_free(db);
}

static void an_old_snapshot_goes_on_from_history(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_doc_store *d;
	tl_id before, id;
	tl_entry *entry;
	char text[TL_ID_TEXT_LEN + 1];

	write_text(db, "data", "a.x", "1");
	before = write_text(db, "data", "k", "1");
	tx = begin(db);
	d = doc(tx, "data");
	CHECK_TEXT(shows(d, "k"), "\"1\"");
	atomic_fetch_add(&w.now_ms, TL_SNAPSHOT_MAX_AGE_MS);
	CHECK_TEXT(shows(d, "k"), "\"1\""); /* nothing arrived: the present is what it saw */
	CHECK(!w.host.pinned);
	write_text(db, "data", "k", "2");
	write_text(db, "data", "a.y", "2");
	CHECK_TEXT(shows(d, "k"), "\"1\"");
	CHECK_TEXT(shows(d, "a"), "{\"x\":\"1\"}");
	CHECK_OK(tl_doc_store_set_int(d, z("a.z"), 3));
	CHECK_TEXT(shows(d, "a"), "{\"x\":\"1\",\"z\":3}");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, &id));
	CHECK_OK(tl_database_get_entry(db, &id, &entry));
	tl_id_format(&before, text);
	CHECK(tl_entry_parent_count(entry) == 1 && tl__str_eq(tl_entry_parent(entry, 0), z(text)));
	CHECK(tl_entry_store_parent_count(entry, 0) == 1 &&
		tl__str_eq(tl_entry_store_parent(entry, 0, 0), z(text)));
	tl_entry_free(entry);
	tl_database_free(db);
}

static void the_sweep_closes_old_snapshots(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *idle = begin(db), *young = begin(db);
	tl_doc_store *a = doc(idle, "data"), *b = doc(young, "data");

	CHECK_TEXT(shows(a, "k"), "absent");
	atomic_fetch_add(&w.now_ms, TL_SNAPSHOT_MAX_AGE_MS - 1);
	CHECK_TEXT(shows(b, "k"), "absent");
	tl__host_sweep(&w.host);
	CHECK(idle->snapshot && young->snapshot);
	atomic_fetch_add(&w.now_ms, 1);
	tl__host_sweep(&w.host);
	CHECK(!idle->snapshot && young->snapshot);
	CHECK_TEXT(shows(a, "k"), "absent");
	tl_doc_store_free(a);
	tl_doc_store_free(b);
	tl_transaction_free(idle);
	tl_transaction_free(young);
	tl_database_free(db);
}

static void blind_writes_stand_on_the_tips_at_commit(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	id_list tips;

	CHECK_OK(tl_doc_store_set_int(d, z("blind"), 1));
	write_text(db, "data", "k", "1");
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK(tips_of(db, &tips) == 1);
	tl_database_free(db);
}

static void custom_tips_see_what_these_saw(void)
{
	tl_database *db = new_database("admin");
	tl_id first = write_text(db, "data", "k", "1"), left, right;
	tl_transaction *tx;
	tl_doc_store *d;
	tl_id both[2], id;
	tl_entry *entry;

	write_text(db, "data", "k", "2");
	left = write_text_at(db, &first, 1, "data", "left", "l");
	right = write_text_at(db, &first, 1, "data", "right", "r");
	tx = begin_at(db, &first, 1);
	d = doc(tx, "data");
	CHECK_TEXT(shows_all(d), "{\"k\":\"1\"}");
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	both[0] = right;
	both[1] = left;
	tx = begin_at(db, both, 2);
	d = doc(tx, "data");
	CHECK_TEXT(shows_all(d), "{\"k\":\"1\",\"left\":\"l\",\"right\":\"r\"}");
	/* Written without reading it has the same parents. */
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	id = write_text_at(db, both, 2, "data", "m", "m");
	CHECK_OK(tl_database_get_entry(db, &id, &entry));
	CHECK(tl_entry_parent_count(entry) == 2 && tl_entry_store_parent_count(entry, 0) == 2);
	tl_entry_free(entry);
	CHECK_TEXT(now_shows(db, "data", "k"), "\"2\"");
	tl_database_free(db);
}

static void custom_tips_skip_what_lacks_the_store(void)
{
	tl_database *db = new_database("admin");
	tl_id a = write_text(db, "data", "k", "1"), b = write_text(db, "other", "k", "1");
	tl_id c = write_text_at(db, &b, 1, "data", "c", "1");
	char text[TL_ID_TEXT_LEN + 1];
	tl_entry *entry;

	CHECK_OK(tl_database_get_entry(db, &c, &entry));
	tl_id_format(&a, text);
	CHECK(tl_entry_store_parent_count(entry, 0) == 1 &&
		tl__str_eq(tl_entry_store_parent(entry, 0, 0), z(text)));
	tl_entry_free(entry);
	/* A store those tips never saw begins anew. */
	c = write_text_at(db, &a, 1, "other", "c", "1");
	CHECK_OK(tl_database_get_entry(db, &c, &entry));
	CHECK(tl_entry_store_parent_count(entry, 0) == 0);
	tl_entry_free(entry);
	tl_database_free(db);
}

static void tips_are_checked(void)
{
	tl_database *db = new_database("admin"), *other = new_database("admin");
	tl_transaction *tx;
	tl_id unknown = {{'s'}};
	static tl_id many[TL_WRITE_MAX_PARENTS + 1];

	CHECK_CODE(tl_transaction_new_with_tips(db, NULL, 0, &tx), TL_E_EMPTY_TIPS_NOT_ALLOWED);
	CHECK_CODE(tl_transaction_new_with_tips(db, &unknown, 1, &tx), TL_E_INVALID_TIP);
	CHECK_CODE(tl_transaction_new_with_tips(db, tl_database_root_id(other), 1, &tx),
		TL_E_INVALID_TIP);
	CHECK_CODE(tl_transaction_new_with_tips(db, many, TL_WRITE_MAX_PARENTS + 1, &tx),
		TL_E_TOO_LARGE);
	CHECK(tx == NULL);
	tl_database_free(db);
	tl_database_free(other);
}

static void more_tips_than_an_entry_names(void)
{
	enum { FORKS = 40 };
	tl_database *db = new_database("admin");
	tl_id base = write_text(db, "data", "k", "1"), id;
	tl_entry *entry;
	id_list tips;

	for (int i = 0; i < FORKS; i++) {
		char key[16];

		snprintf(key, sizeof key, "f%d", i);
		write_text_at(db, &base, 1, "data", key, "1");
	}
	CHECK(tips_of(db, &tips) == FORKS);
	id = write_text(db, "data", "join", "1");
	CHECK(tips_of(db, &tips) == 1);
	CHECK_OK(tl_database_get_entry(db, &id, &entry));
	CHECK(tl_entry_parent_count(entry) == FORKS &&
		tl_entry_store_parent_count(entry, 0) == FORKS);
	tl_entry_free(entry);
	tl_database_free(db);
}

/* --- life ------------------------------------------------------------------------------------- */

static void rollback_writes_nothing(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	uint64_t arrival;

	CHECK_OK(tl_doc_store_set_int(d, z("k"), 1));
	CHECK_TEXT(shows(d, "k"), "1");
	tl_transaction_rollback(tx);
	CHECK_CODE(tl_doc_store_set_int(d, z("k"), 1), TL_E_CLOSED);
	CHECK_TEXT(shows(d, "k"), "closed");
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_CLOSED);
	tl_transaction_free(tx);
	tl_doc_store_free(d);
	tx = begin(db);
	d = doc(tx, "data");
	tl_transaction_free(tx);
	CHECK_TEXT(shows(d, "k"), "closed");
	tl_doc_store_free(d);
	CHECK_OK(tl_database_arrival(db, &arrival));
	CHECK(arrival == 1);
	tl_database_free(db);
}

static void setter_errors_stick(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");

	CHECK_CODE(tl_doc_store_set_int(d, z(""), 1), TL_E_BAD_PATH);
	CHECK_CODE(tl_doc_store_set_list(d, z("k"), tl_value_int(1)), TL_E_TYPE_MISMATCH);
	CHECK_OK(tl_doc_store_set_int(d, z("k"), 1));
	CHECK_CODE(tl_doc_store_set_string(d, z("k"), (tl_str){"\xff", 1}), TL_E_BAD_DOC);
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_BAD_PATH);
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_BAD_PATH);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void a_commit_happens_once(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);

	CHECK_OK(tl_transaction_commit(tx, NULL));
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_ALREADY_COMMITTED);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void a_refused_commit_can_be_repeated(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	id_list tips;

	CHECK_OK(tl_doc_store_set_int(d, z("k"), 1));
	CHECK_OK(tl_transaction_set_auth_key(tx, z("stranger")));
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_KEY_NOT_FOUND);
	write_text(db, "data", "meanwhile", "1");
	CHECK_OK(tl_transaction_set_auth_key(tx, z("admin")));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	CHECK(tips_of(db, &tips) == 1);
	CHECK_TEXT(now_shows(db, "data", "k"), "1");
	tl_database_free(db);
}

/* --- limits ----------------------------------------------------------------------------------- */

static void limits_of_an_entry(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	char *large = calloc(1, TL_WRITE_MAX_BYTES + 1), name[32];

	REQUIRE(large != NULL);
	memset(large, 'x', TL_WRITE_MAX_BYTES);
	CHECK_OK(tl_doc_store_set_string(d, z("k"), z(large)));
	tl_doc_store_free(d);
	CHECK_CODE(finish(tx, NULL), TL_E_TOO_LARGE);
	tx = begin(db);
	d = doc(tx, "data");
	large[TL_WRITE_MAX_BYTES - 1000] = '\0';
	CHECK_OK(tl_doc_store_set_string(d, z("k"), z(large)));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, NULL));
	free(large);
	tx = begin(db);
	for (unsigned i = 0; i < TL_WRITE_MAX_STORES; i++) {
		snprintf(name, sizeof name, "s%u", i);
		CHECK_OK(tl_transaction_set_data(tx, z(name), z("{\"children\":{}}")));
	}
	CHECK_OK(tl_transaction_set_data(tx, z("s0"), z("{\"children\":{}}")));
	CHECK_OK(tl_transaction_commit(tx, NULL));
	tl_transaction_free(tx);
	tx = begin(db);
	for (unsigned i = 0; i < TL_WRITE_MAX_STORES; i++) {
		snprintf(name, sizeof name, "s%u", i);
		CHECK_OK(tl_transaction_set_data(tx, z(name), z("{}")));
	}
	CHECK_CODE(tl_transaction_set_data(tx, z("more"), z("x")), TL_E_TOO_LARGE);
	CHECK_CODE(finish(tx, NULL), TL_E_TOO_LARGE);
	tl_database_free(db);
}

/* Many children below a long key: within 1 MiB, and yet nobody would read it. */
static void what_nobody_could_read_is_refused(void)
{
	enum { CHILDREN = 45000 };
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_doc_store *d = doc(tx, "data");
	tl_value *many = tl_value_doc();
	char key[1001];
	uint64_t arrival;

	for (int i = 0; i < CHILDREN; i++) {
		snprintf(key, sizeof key, "%05d", i);
		CHECK_OK(tl_doc_put(many, z(key), tl_value_null()));
	}
	memset(key, 'k', 1000);
	key[1000] = '\0';
	CHECK_OK(tl_doc_store_set(d, z(key), many));
	tl_doc_store_free(d);
	CHECK_CODE(finish(tx, NULL), TL_E_TOO_LARGE);
	CHECK(strstr(tl_error_message(tl_last_error()), "paths staged in store `data`"));
	CHECK_OK(tl_database_arrival(db, &arrival));
	CHECK(arrival == 1);
	tl_database_free(db);
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { THREADS = 4, COMMITS = 25 };

static tl_database *shared;
static atomic_int thread_failures;

static void *write_many(void *ud)
{
	int thread = *(int *)ud;

	for (int i = 0; i < COMMITS; i++) {
		tl_transaction *tx;
		tl_doc_store *d = NULL;
		char key[32];
		tl_value *before = NULL;
		bool good = tl_transaction_new(shared, &tx) == TL_OK &&
			    tl_transaction_doc_store(tx, z("data"), &d) == TL_OK;

		snprintf(key, sizeof key, "t%d.i%d", thread, i);
		if (good && i % 2 == 0) /* some read first and so fork */
			good = tl_doc_store_get_option(d, z("t0"), &before) == TL_OK;
		good = good && tl_doc_store_set_int(d, z(key), i) == TL_OK &&
		       tl_transaction_commit(tx, NULL) == TL_OK;
		tl_value_free(before);
		tl_doc_store_free(d);
		tl_transaction_free(tx);
		atomic_fetch_add(&thread_failures, !good);
	}
	return NULL;
}

static void threads_commit_side_by_side(void)
{
	pthread_t threads[THREADS];
	int numbers[THREADS];
	uint64_t arrival;
	tl_value *all, *part;
	tl_doc_store *d;
	id_list tips;

	shared = new_database("admin");
	atomic_store(&thread_failures, 0);
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		REQUIRE(pthread_create(&threads[i], NULL, write_many, &numbers[i]) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK(atomic_load(&thread_failures) == 0);
	CHECK_OK(tl_database_arrival(shared, &arrival));
	CHECK(arrival == 1 + THREADS * COMMITS);
	CHECK_OK(finish(begin(shared), NULL));
	CHECK(tips_of(shared, &tips) == 1);
	d = present(shared, "data");
	CHECK_OK(tl_doc_store_get_all(d, &all));
	for (int i = 0; i < THREADS; i++) {
		char key[8];

		snprintf(key, sizeof key, "t%d", i);
		part = tl_doc_raw(all, z(key));
		CHECK(part && tl_doc_count(part) == COMMITS);
	}
	tl_value_free(all);
	tl_doc_store_free(d);
	tl_database_free(shared);
}

int main(void)
{
	RUN_EACH(an_entry_names_tips_and_settings);
	RUN_EACH(an_empty_transaction_joins_tips);
	RUN_EACH(opaque_data_is_kept_or_dropped);
	RUN_EACH(the_first_read_pins_a_snapshot);
	RUN_EACH(an_old_snapshot_goes_on_from_history);
	RUN_EACH(the_sweep_closes_old_snapshots);
	RUN_EACH(blind_writes_stand_on_the_tips_at_commit);
	RUN_EACH(custom_tips_see_what_these_saw);
	RUN_EACH(custom_tips_skip_what_lacks_the_store);
	RUN_EACH(tips_are_checked);
	RUN_EACH(more_tips_than_an_entry_names);
	RUN_EACH(rollback_writes_nothing);
	RUN_EACH(setter_errors_stick);
	RUN_EACH(a_commit_happens_once);
	RUN_EACH(a_refused_commit_can_be_repeated);
	RUN_EACH(limits_of_an_entry);
	RUN_EACH(what_nobody_could_read_is_refused);
	RUN_EACH(threads_commit_side_by_side);
	return spec_end();
}
