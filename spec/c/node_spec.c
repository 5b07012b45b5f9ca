/* Nodes without sync: opening and closing, keys, databases, import, backup, events, several nodes
 * in one process. */
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "engine/parts/node_impl.h"
#include "node_help.h"
#include "scratch.h"

/* --- opening ---------------------------------------------------------------------------------- */

static void a_node_keeps_its_identity_and_data(void)
{
	char dir[SCRATCH_PATH], key[TL_KEY_TEXT_LEN + 1], again[TL_KEY_TEXT_LEN + 1];
	tl_node *node;
	tl_database *db;
	tl_id id;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	CHECK_OK(tl_node_device_key(node, key));
	db = make_db(node, "notes");
	REQUIRE(db != NULL);
	id = *tl_database_root_id(db);
	CHECK_OK(put(db, "greeting", "hello"));
	tl_database_free(db);
	tl_node_close(node);

	node = open_offline(dir);
	REQUIRE(node != NULL);
	CHECK_OK(tl_node_device_key(node, again));
	CHECK(strcmp(key, again) == 0);
	REQUIRE(tl_node_find_database(node, "notes", &db) == TL_OK);
	CHECK(memcmp(&id, tl_database_root_id(db), sizeof id) == 0);
	CHECK(reads(db, "greeting", "hello"));
	tl_database_free(db);
	CHECK_CODE(tl_node_find_database(node, "nothing", &db), TL_E_DATABASE_NOT_FOUND);
	tl_node_close(node);
	scratch_remove(dir);
}

static void a_failed_open_says_why(void)
{
	char dir[SCRATCH_PATH], file[SCRATCH_PATH + 20];
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = (tl_node *)&config, *second = NULL;
	FILE *f;

	config.size = 0;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	CHECK(node == NULL);
	CHECK(tl_error_code(tl_last_error()) == TL_E_BAD_ARGUMENT);
	scratch_make(dir);
	snprintf(file, sizeof file, "%s/plain", dir);
	f = fopen(file, "w");
	REQUIRE(f != NULL);
	fclose(f);
	config = offline(file);
	CHECK_CODE(tl_node_open(&node, &config), TL_E_IO);
	CHECK(strlen(tl_error_message(tl_last_error())) > 0);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	config = offline(dir);
	CHECK_CODE(tl_node_open(&second, &config), TL_E_ALREADY_OPEN);
	CHECK(second == NULL);
	tl_node_close(node);
	tl_node_close(NULL);
	scratch_remove(dir);
}

/* --- rules of trust --------------------------------------------------------------------------- */

static int put_local(const char *dir, const char *value)
{
	tl__put_local put = {.key = TL__STR(TL__LOCAL_RULES), .value = {value, 0}};
	tl__batch batch = {.locals = &put, .local_count = 1};
	tl__store *store = NULL;
	int rc = tl__store_open_sqlite(&store, dir, TL__DURABLE_RELAXED, NULL);

	if (value)
		put.value.len = strlen(value);
	if (rc == TL_OK)
		rc = tl__store_write(store, &batch);
	tl__store_close(store);
	return rc;
}

static bool rules_are(const tl_node *node, uint32_t version)
{
	char *value = NULL, wanted[16];
	size_t len = 0;
	bool same;

	snprintf(wanted, sizeof wanted, "%u", (unsigned)version);
	same = tl__read_local(node->store, TL__STR(TL__LOCAL_RULES), &value, &len) == TL_OK &&
	       tl__str_eq((tl_str){value, len}, tl__str_z(wanted));
	tl__free(value);
	return same;
}

/* Adds an entry that is good under a verdict that is not its own. */
static int add_misjudged(tl_node *node, const tl_id *db)
{
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;
	tl__snapshot *s = NULL;
	tl__plan *plan = NULL;
	char root[TL_ID_TEXT_LEN + 1], key[TL_KEY_TEXT_LEN + 1];
	tl_secret secret;
	tl_key pub;
	tl__batch batch;
	int rc = tl__keys_secret(node->keys, TL__STR("k"), &secret);

	tl_secret_public(&secret, &pub);
	tl_key_format(&pub, key);
	tl_id_format(db, root);
	if (rc == TL_OK)
		rc = tl_entry_builder_new(&b);
	tl_entry_builder_tree(b, tl__str_z(root));
	tl_entry_builder_parent(b, tl__str_z(root));
	tl_entry_builder_store(b, TL__STR("data"), TL__STR("{\"children\":{}}"));
	tl_entry_builder_key(b, tl__str_z(key), TL__STR_NULL);
	if (rc == TL_OK)
		rc = tl_entry_builder_finish(b, &secret, &entry);
	if (rc == TL_OK)
		rc = tl__snapshot_open(node->store, &s);
	if (rc == TL_OK)
		rc = tl__plan_new(&plan, &node->tree, s, db);
	if (rc == TL_OK)
		rc = tl__plan_add(plan, entry, TL__VOID);
	if (rc == TL_OK)
		rc = tl__plan_batch(plan, &batch);
	if (rc == TL_OK)
		rc = tl__store_write(node->store, &batch);
	tl__plan_free(plan);
	tl__snapshot_close(s);
	tl_entry_free(entry);
	tl_entry_builder_free(b);
	return rc;
}

static void older_verdicts_are_judged_again(void)
{
	char dir[SCRATCH_PATH];
	tl_node_config config;
	tl_database *db;
	tl_node *node;
	tl_id id;

	scratch_make(dir);
	config = offline(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL && rules_are(node, TL__RULES_VERSION));
	db = make_db(node, "judged");
	REQUIRE(db != NULL && put(db, "a", "b") == TL_OK);
	id = *tl_database_root_id(db);
	/* All as it would be judged now. */
	CHECK_OK(tl__rules_check(&node->host, TL__RULES_VERSION + 1));
	CHECK(rules_are(node, TL__RULES_VERSION + 1));
	tl_database_free(db);
	tl_node_close(node);
	/* Judged by rules to come. */
	CHECK_CODE(tl_node_open(&node, &config), TL_E_STORE_NEWER);
	CHECK(node == NULL && strlen(tl_error_message(tl_last_error())) > 0);
	REQUIRE(put_local(dir, "nonsense") == TL_OK);
	CHECK_CODE(tl_node_open(&node, &config), TL_E_STORE_DAMAGED);
	/* A store from before it was noted. */
	REQUIRE(put_local(dir, NULL) == TL_OK);
	node = open_offline(dir);
	REQUIRE(node != NULL && rules_are(node, TL__RULES_VERSION));
	CHECK_OK(add_misjudged(node, &id));
	tl_node_close(node);
	/* One verdict would be another. */
	REQUIRE(put_local(dir, "0") == TL_OK);
	CHECK_CODE(tl_node_open(&node, &config), TL_E_UNSUPPORTED);
	CHECK(strstr(tl_error_message(tl_last_error()), "1 of its entries") != NULL);
	scratch_remove(dir);
}

/* Another key would be another peer to everybody. */
static void a_lost_device_key_is_not_replaced(void)
{
	char dir[SCRATCH_PATH];
	const tl__put_key gone = {.name = TL__STR(TL__DEVICE_KEY)};
	tl__batch batch = {.keys = &gone, .key_count = 1};
	tl_node_config config;
	tl__store *store = NULL;
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	tl_node_close(node);
	REQUIRE(tl__store_open_sqlite(&store, dir, TL__DURABLE_RELAXED, NULL) == TL_OK);
	CHECK_OK(tl__store_write(store, &batch));
	tl__store_close(store);
	config = offline(dir);
	CHECK_CODE(tl_node_open(&node, &config), TL_E_STORE_DAMAGED);
	CHECK(strstr(tl_error_message(tl_last_error()), TL__DEVICE_KEY) != NULL);
	scratch_remove(dir);
}

static void a_sealed_node_needs_its_passphrase(void)
{
	char dir[SCRATCH_PATH], key[TL_KEY_TEXT_LEN + 1], again[TL_KEY_TEXT_LEN + 1];
	tl_node_config config;
	tl_node *node = NULL;

	scratch_make(dir);
	config = offline(dir);
	config.passphrase = "correct horse";
	config.passphrase_len = strlen(config.passphrase);
	REQUIRE(tl_node_open(&node, &config) == TL_OK);
	CHECK_OK(tl_node_device_key(node, key));
	tl_node_close(node);
	config.passphrase = "wrong horse!!";
	CHECK_CODE(tl_node_open(&node, &config), TL_E_WRONG_PASSPHRASE);
	config.passphrase = NULL;
	config.passphrase_len = 0;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_WRONG_PASSPHRASE);
	CHECK(node == NULL);
	config.passphrase = "correct horse";
	config.passphrase_len = strlen(config.passphrase);
	REQUIRE(tl_node_open(&node, &config) == TL_OK);
	CHECK_OK(tl_node_device_key(node, again));
	CHECK(strcmp(key, again) == 0);
	tl_node_close(node);
	scratch_remove(dir);
}

static void sync_calls_say_that_it_is_off(void)
{
	tl_node *node = open_offline(NULL);
	tl_address address;
	char *json = NULL;
	tl_op *op = NULL;
	tl_id id = {{0}};

	REQUIRE(node != NULL);
	CHECK_CODE(tl_sync_list_peers(node, &json), TL_E_SYNC_NOT_ENABLED);
	CHECK_CODE(tl_sync_enable_http_transport(node, NULL), TL_E_SYNC_NOT_ENABLED);
	CHECK_CODE(tl_sync_start_server(node, "127.0.0.1:0", NULL), TL_E_SYNC_NOT_ENABLED);
	CHECK_CODE(tl_sync_flush(node, 10, &op), TL_E_SYNC_NOT_ENABLED);
	CHECK_OK(tl_address_http(&address, TL__STR("127.0.0.1:9")));
	CHECK_CODE(tl_sync_sync_with_peer(node, &address, &id, &op), TL_E_SYNC_NOT_ENABLED);
	CHECK_CODE(tl_sync_bootstrap_requests(node, "pending", &json), TL_E_SYNC_NOT_ENABLED);
	CHECK(!tl_sync_is_server_running(node));
	CHECK(op == NULL && json == NULL);
	tl_node_close(node);
}

static int keep_id(void *ud, const tl_id *id)
{
	*(tl_id *)ud = *id;
	return TL_STOP;
}

/* --- life of handles -------------------------------------------------------------------------- */

static void handles_outlive_their_node_and_fail_with_closed(void)
{
	char dir[SCRATCH_PATH];
	tl_node *node, *again;
	tl_database *db;
	tl_transaction *tx = NULL;
	tl_node_config config;
	tl_id tip;

	scratch_make(dir);
	config = offline(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	db = make_db(node, "a");
	REQUIRE(db != NULL);
	REQUIRE(tl_transaction_new(db, &tx) == TL_OK);
	tl_node_close(node);
	CHECK_CODE(tl_database_tips(db, keep_id, &tip), TL_E_CLOSED);
	CHECK_CODE(put(db, "x", "y"), TL_E_CLOSED);
	CHECK_CODE(tl_transaction_commit(tx, NULL), TL_E_CLOSED);
	/* The store is still open, because handles are. */
	CHECK_CODE(tl_node_open(&again, &config), TL_E_ALREADY_OPEN);
	tl_transaction_free(tx);
	tl_database_free(db);
	again = open_offline(dir);
	CHECK(again != NULL);
	tl_node_close(again);
	scratch_remove(dir);
}

static void several_nodes_live_side_by_side(void)
{
	tl_node *a = open_offline(NULL), *b = open_offline(NULL);
	char key_a[TL_KEY_TEXT_LEN + 1], key_b[TL_KEY_TEXT_LEN + 1];
	tl_database *db, *found = NULL;

	REQUIRE(a != NULL && b != NULL);
	CHECK_OK(tl_node_device_key(a, key_a));
	CHECK_OK(tl_node_device_key(b, key_b));
	CHECK(strcmp(key_a, key_b) != 0);
	db = make_db(a, "only in a");
	REQUIRE(db != NULL);
	CHECK_CODE(
		tl_node_load_database(b, tl_database_root_id(db), &found), TL_E_DATABASE_NOT_FOUND);
	tl_node_close(b);
	CHECK_OK(put(db, "x", "y"));
	tl_database_free(db);
	tl_node_close(a);
}

/* --- keys ------------------------------------------------------------------------------------- */

static int join(void *ud, tl_str name)
{
	char *out = ud;

	out += strlen(out);
	memcpy(out, name.ptr, name.len);
	memcpy(out + name.len, " ", 2);
	return TL_OK;
}

static void keys_come_and_go(void)
{
	tl_node *node = open_offline(NULL);
	char a[TL_KEY_TEXT_LEN + 1], b[TL_KEY_TEXT_LEN + 1], names[100] = "";
	uint8_t seed[TL_SEED_BYTES];

	REQUIRE(node != NULL);
	CHECK_OK(tl_node_add_private_key(node, "one", NULL, a));
	CHECK_OK(tl_node_add_private_key(node, "two", NULL, NULL));
	CHECK_CODE(tl_node_add_private_key(node, "one", NULL, b), TL_E_ALREADY_EXISTS);
	CHECK_OK(tl_node_export_private_key(node, "one", seed));
	CHECK_OK(tl_node_add_private_key(node, "copy", seed, b));
	CHECK(strcmp(a, b) == 0);
	CHECK_OK(tl_node_list_private_keys(node, join, names));
	CHECK(strcmp(names, "copy one two ") == 0);
	CHECK_OK(tl_node_remove_private_key(node, "one"));
	CHECK_CODE(tl_node_get_public_key(node, "one", a), TL_E_KEY_NOT_FOUND);
	CHECK_OK(tl_node_get_public_key(node, "copy", a));
	tl_node_close(node);
}

static void a_missing_key_cannot_sign(void)
{
	tl_node *node = open_offline(NULL);
	tl_database *db = NULL;

	REQUIRE(node != NULL);
	CHECK_CODE(tl_node_new_database(node, NULL, "nobody", &db), TL_E_SIGNING_KEY_NOT_FOUND);
	CHECK(db == NULL);
	tl_node_close(node);
}

/* --- events and hooks ------------------------------------------------------------------------- */

static int count_hook(void *ud, const tl_hook_context *context)
{
	(void)context;
	++*(int *)ud;
	return TL_OK;
}

static void commits_are_told_as_events_and_to_hooks(void)
{
	tl_node *node = open_offline(NULL);
	int calls = 0;
	const tl_hook hook = {.size = sizeof hook, .on_entry_committed = count_hook, .ud = &calls};
	uint64_t handle = 0;
	tl_database *db;
	tl_event event = TL_EVENT_INIT;
	tl_id tip;

	REQUIRE(node != NULL);
	db = make_db(node, "a");
	REQUIRE(db != NULL);
	CHECK(tl_next_event(node, &event) == 0); /* from here on they are kept */
	CHECK_OK(tl_node_add_hook(node, &hook, &handle));
	CHECK_OK(put(db, "x", "y"));
	CHECK(calls == 1);
	CHECK(tl_next_event(node, &event) == 1);
	CHECK(event.kind == TL_EVENT_ENTRY_COMMITTED && event.has_db && event.has_entry);
	CHECK(memcmp(&event.db, tl_database_root_id(db), sizeof event.db) == 0);
	CHECK(event.number == 2); /* the root was the first arrival */
	CHECK_OK(tl_database_tips(db, keep_id, &tip));
	CHECK(memcmp(&event.entry, &tip, sizeof tip) == 0);
	CHECK(event.time_ms > 0);
	tl_node_remove_hook(node, handle);
	CHECK_OK(put(db, "x", "z"));
	CHECK(calls == 1);
	tl_database_free(db);
	tl_node_close(node);
}

/* --- leaks ------------------------------------------------------------------------------------ */

static void nothing_is_left_open(void)
{
	char dir[SCRATCH_PATH];
	int fds, threads;
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	tl_node_close(node);
	fds = count_entries("/proc/self/fd");
	threads = count_threads();
	for (int i = 0; i < 5; i++) {
		node = open_offline(dir);
		REQUIRE(node != NULL);
		tl_node_close(node);
	}
	CHECK(count_entries("/proc/self/fd") == fds);
	CHECK(threads_ended(threads));
	scratch_remove(dir);
}

/* --- memory ----------------------------------------------------------------------------------- */

enum { MAX_ALLOCATIONS = 2000 };

/* Every allocation of an opening fails in turn: the opening fails with it, or does without. */
static void an_opening_without_memory_fails_cleanly(void)
{
	tl_node_config config = offline(NULL);
	size_t n = 0;
	int fired = 1;

	config.log_level = TL_LOG_OFF;
	for (int sync = 0; sync < 2; sync++) {
		config.without_sync = sync == 0;
		for (n = 1, fired = 1; fired && n < MAX_ALLOCATIONS; n++) {
			tl_node *node = NULL;
			int rc;

			(void)tl__alloc_fail_at(n);
			rc = tl_node_open(&node, &config);
			fired = tl__alloc_fail_at(0);
			CHECK(rc == TL_OK || (fired && node == NULL));
			tl_node_close_within(node, 0);
		}
		CHECK(!fired && n > 10);
	}
}

/* --- hooks of the configuration --------------------------------------------------------------- */

typedef struct asked {
	int asked, drops;
	bool refuses;
} asked;

static int count_asked(void *ud, const tl_hook_context *context)
{
	asked *a = ud;

	a->asked++;
	CHECK(!context->is_system && context->db_name.ptr && context->is_root_entry);
	return a->refuses ? tl_error_set(TL_E_TOO_LARGE, "not yet") : TL_OK;
}

static void count_drop(void *ud)
{
	((asked *)ud)->drops++;
}

static void hooks_are_given_with_the_configuration(void)
{
	asked first = {0}, second = {.refuses = true};
	tl_hook a = {sizeof a, count_asked, NULL, count_drop, &first, false};
	tl_hook b = {sizeof b, count_asked, NULL, count_drop, &second, false};
	const tl_hook *list[] = {&a, &b};
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	tl_node *node = NULL;
	char key[TL_KEY_TEXT_LEN + 1];

	config.without_sync = true;
	config.hooks = list;
	config.hook_count = 2;
	list[1] = NULL;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	list[1] = &b;
	b.size = 1;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	config.hooks = NULL;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	CHECK(first.drops == 0 && second.drops == 0);
	b.size = sizeof b;
	config.hooks = list;
	REQUIRE(tl_node_open(&node, &config) == TL_OK);
	CHECK_OK(tl_node_add_private_key(node, "me", NULL, key));
	CHECK_OK(tl_doc_put(settings, (tl_str){"name", 4}, tl_value_text((tl_str){"n", 1})));
	CHECK_CODE(tl_node_new_database(node, settings, "me", &db), TL_E_HOOK_FAILED);
	second.refuses = false;
	CHECK_OK(tl_node_new_database(node, settings, "me", &db));
	CHECK(first.asked == 2 && second.asked == 2 && first.drops == 0);
	tl_node_close(node);
	CHECK(first.drops == 1 && second.drops == 1); /* with the node, whoever holds a handle */
	tl_database_free(db);
	tl_value_free(settings);
}

int main(void)
{
	RUN(a_node_keeps_its_identity_and_data);
	RUN(a_failed_open_says_why);
	RUN(older_verdicts_are_judged_again);
	RUN(a_lost_device_key_is_not_replaced);
	RUN(a_sealed_node_needs_its_passphrase);
	RUN(sync_calls_say_that_it_is_off);
	RUN(handles_outlive_their_node_and_fail_with_closed);
	RUN(several_nodes_live_side_by_side);
	RUN(keys_come_and_go);
	RUN(a_missing_key_cannot_sign);
	RUN(commits_are_told_as_events_and_to_hooks);
	RUN(hooks_are_given_with_the_configuration);
	RUN(an_opening_without_memory_fails_cleanly);
	RUN(nothing_is_left_open);
	return spec_end();
}
