/* The last error is that of the last call that failed: calls that succeed leave none of their own,
 * whatever failed inside them, and calls that fail leave the one they return. */
#include "check.h"
#include "duo_help.h"

/* Checks that a call succeeds and leaves the last error as it was. */
#define QUIET(call)                                                                                \
	do {                                                                                       \
		int quiet_rc;                                                                      \
		(void)tl_error_set(TL_E_REFUSED, "an earlier one");                                \
		quiet_rc = (call);                                                                 \
		if (quiet_rc < 0 || tl_error_code(tl_last_error()) != TL_E_REFUSED) {              \
			spec_case_ok = false;                                                      \
			printf("%s:%d: %s gave %s and left %s: %s\n", __FILE__, __LINE__, #call,   \
				tl_error_name(quiet_rc),                                           \
				tl_error_name(tl_error_code(tl_last_error())),                     \
				tl_error_message(tl_last_error()));                                \
		}                                                                                  \
	} while (0)

/* Checks that a call fails with this code and says so. */
#define LOUD(call, expected)                                                                       \
	do {                                                                                       \
		(void)tl_error_set(TL_E_REFUSED, "an earlier one");                                \
		CHECK_CODE(call, expected);                                                        \
		CHECK(tl_error_code(tl_last_error()) == (expected));                               \
	} while (0)

static const tl_str data = {"data", 4}, rows = {"rows", 4}, x = {"x", 1}, absent = {"absent", 6};

static int go_on_id(void *ud, const tl_id *id)
{
	(void)ud;
	(void)id;
	return TL_OK;
}

static int go_on_name(void *ud, tl_str name)
{
	(void)ud;
	(void)name;
	return TL_OK;
}

static int go_on_info(void *ud, const tl_entry_info *info)
{
	(void)ud;
	(void)info;
	return TL_OK;
}

static int go_on_sigkey(void *ud, tl_str name, tl_permission permission)
{
	(void)ud;
	(void)name;
	(void)permission;
	return TL_OK;
}

static int go_on_step(void *ud, const tl_history_step *step)
{
	(void)ud;
	(void)step;
	return TL_OK;
}

static int go_on_row(void *ud, tl_str key, tl_str row)
{
	(void)ud;
	(void)key;
	(void)row;
	return TL_OK;
}

static bool no_match(void *ud, tl_str key, tl_str row)
{
	(void)ud;
	(void)key;
	(void)row;
	return false;
}

/* --- transactions ----------------------------------------------------------------------------- */

/* Looks for something that is not there, and goes on. */
static int fail_inside(void *ud, const tl_hook_context *context)
{
	tl_entry *entry = NULL;
	const tl_id none = {{'s'}};

	if (context->database) {
		LOUD(tl_database_get_entry(context->database, &none, &entry), TL_E_ENTRY_NOT_FOUND);
		++*(unsigned *)ud;
	}
	return TL_OK;
}

static void commits(tl_node *node, tl_database *db)
{
	tl_hook hook = TL_HOOK_INIT;
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	tl_table *table = NULL;
	tl_settings_store *settings = NULL;
	unsigned calls = 0;
	uint64_t handle = 0;
	bool there;
	char key[TL_ROW_KEY_LEN + 1];

	hook.before_commit = hook.on_entry_committed = fail_inside;
	hook.ud = &calls;
	QUIET(tl_node_add_hook(node, &hook, &handle));
	QUIET(tl_transaction_new(db, &tx));
	QUIET(tl_transaction_doc_store(tx, data, &store));
	QUIET(tl_transaction_table(tx, rows, &table));
	QUIET(tl_transaction_get_settings(tx, &settings));
	QUIET(tl_doc_store_set_string(store, x, x));
	QUIET(tl_doc_store_delete(store, absent, &there));
	QUIET(tl_doc_store_get_or_insert(store, absent, tl_value_int(1), NULL));
	QUIET(tl_doc_store_insert(store, TL__STR("new"), tl_value_int(1), NULL));
	QUIET(tl_doc_store_merge(store, TL__STR("doc"), tl_value_doc()));
	QUIET(tl_table_insert(table, TL__STR("{}"), key));
	QUIET(tl_table_delete(table, absent, &there));
	QUIET(tl_settings_store_set_name(settings, x));
	QUIET(tl_settings_store_add_auth_key(settings, TL__STR("new"),
		TL__STR("ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
		(tl_permission){TL_WRITE, 5}));
	QUIET(tl_transaction_commit(tx, NULL));
	CHECK(calls == 2);
	LOUD(tl_transaction_commit(tx, NULL), TL_E_ALREADY_COMMITTED);
	tl_node_remove_hook(node, handle);
	tl_doc_store_free(store);
	tl_table_free(table);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
}

/* --- reading ---------------------------------------------------------------------------------- */

static void stores(tl_database *db)
{
	tl_doc_store *store = NULL;
	tl_table *table = NULL;
	tl_settings_store *settings = NULL;
	tl_value *value = NULL;
	tl_auth *auth = NULL;
	bool there;

	QUIET(tl_database_doc_store(db, data, &store));
	QUIET(tl_database_table(db, rows, &table));
	QUIET(tl_database_settings_store(db, &settings));
	QUIET(tl_doc_store_get_option(store, TL__STR("no.such.path"), &value));
	CHECK(value == NULL);
	QUIET(tl_doc_store_contains_key(store, TL__STR("no.such.path"), &there));
	QUIET(tl_doc_store_contains_at_path(store, &x, 1, &there));
	QUIET(tl_doc_store_get_all(store, &value));
	tl_value_free(value);
	QUIET(tl_table_contains(table, absent, &there));
	QUIET(tl_table_each(table, go_on_row, NULL));
	QUIET(tl_table_search(table, no_match, go_on_row, NULL));
	QUIET(tl_settings_store_get_auth(settings, &auth));
	tl_auth_free(auth);
	LOUD(tl_doc_store_get(store, TL__STR("no.such.path"), &value), TL_E_KEY_NOT_FOUND);
	LOUD(tl_doc_store_set_int(store, x, 1), TL_E_UNSUPPORTED);
	tl_doc_store_free(store);
	tl_table_free(table);
	tl_settings_store_free(settings);
}

static void databases(tl_database *db)
{
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	tl_verify_result result = TL_VERIFY_RESULT_INIT;
	tl_value *settings = NULL;
	tl_permission permission;
	const tl_id none = {{'s'}};
	uint64_t arrival;
	bool there;

	QUIET(tl_database_has(db, &none, &there));
	CHECK(!there);
	QUIET(tl_database_tips(db, go_on_id, NULL));
	QUIET(tl_database_store_names(db, go_on_name, NULL));
	QUIET(tl_database_settings(db, &settings));
	tl_value_free(settings);
	QUIET(tl_database_count(db, &counts));
	QUIET(tl_database_arrival(db, &arrival));
	QUIET(tl_database_changes(db, 0, 0, go_on_info, NULL));
	QUIET(tl_database_log(db, 3, go_on_info, NULL));
	QUIET(tl_database_find_sigkeys(db, absent, go_on_sigkey, NULL));
	QUIET(tl_database_history_of(db, data, &x, 1, go_on_step, NULL));
	QUIET(tl_database_verify(db, NULL, &result));
	LOUD(tl_database_get_sigkey_permission(db, absent, &permission), TL_E_KEY_NOT_FOUND);
}

static void entries(tl_database *db)
{
	tl_entry *entry = NULL, *again = NULL;
	tl_value *value = NULL;
	tl_str text;
	char foreign[8192];

	QUIET(tl_database_get_entry(db, tl_database_root_id(db), &entry));
	text = tl_entry_bytes(entry);
	snprintf(foreign, sizeof foreign, " %.*s", TL__STR_ARG(text));
	QUIET(tl_entry_parse(&again, tl__str_z(foreign), TL_ENTRY_FOREIGN));
	CHECK(again && memcmp(tl_entry_id(entry), tl_entry_id(again), sizeof(tl_id)) == 0);
	QUIET(tl_entry_check(entry));
	tl_entry_free(entry);
	tl_entry_free(again);
	QUIET(tl_doc_parse(&value, TL__STR("{\"children\":{}}")));
	tl_value_free(value);
	QUIET(tl_value_parse_json(&value, TL__STR("[1,{}]")));
	tl_value_free(value);
	LOUD(tl_value_parse_json(&value, TL__STR("[1")), TL_E_BAD_JSON);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static void nodes(tl_node *node)
{
	tl_database *db = NULL;
	char key[TL_KEY_TEXT_LEN + 1];
	const tl_id none = {{'s'}};

	QUIET(tl_node_add_private_key(node, "another", NULL, key));
	QUIET(tl_node_list_private_keys(node, go_on_name, NULL));
	QUIET(tl_node_remove_private_key(node, "another"));
	QUIET(tl_node_new_database(node, NULL, "k", &db));
	tl_database_free(db);
	QUIET(tl_node_all_databases(node, true, go_on_id, NULL));
	LOUD(tl_node_load_database(node, &none, &db), TL_E_DATABASE_NOT_FOUND);
	LOUD(tl_node_find_database(node, "absent", &db), TL_E_DATABASE_NOT_FOUND);
	LOUD(tl_node_get_public_key(node, "absent", key), TL_E_KEY_NOT_FOUND);
}

static void opening(void)
{
	char dir[SCRATCH_PATH];
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL, *second = NULL;

	scratch_make(dir);
	config.path = dir;
	config.log_level = TL_LOG_OFF;
	QUIET(tl_node_open(&node, &config));
	LOUD(tl_node_open(&second, &config), TL_E_ALREADY_OPEN);
	(void)tl_error_set(TL_E_REFUSED, "an earlier one");
	tl_node_close(node);
	CHECK(tl_error_code(tl_last_error()) == TL_E_REFUSED);
	QUIET(tl_node_open(&node, &config));
	tl_node_close_within(node, 0);
	scratch_remove(dir);
}

static void sync_calls(duo *d)
{
	tl_node *node = d->a.node;
	tl_event event = TL_EVENT_INIT;
	tl_database *db = NULL;
	bool there;
	char *json = NULL;
	tl_op *op = NULL;

#define QUIET_JSON(call)                                                                           \
	do {                                                                                       \
		QUIET(call);                                                                       \
		tl_free(json);                                                                     \
	} while (0)
	QUIET_JSON(tl_sync_status(node, &json));
	QUIET_JSON(tl_sync_list_peers(node, &json));
	QUIET_JSON(tl_sync_get_peer_info(node, d->b.key, &json));
	QUIET_JSON(tl_sync_get_sync_cursor(node, d->b.key, &d->id, &json));
	QUIET_JSON(tl_sync_get_sync_metadata(node, d->b.key, &json));
	QUIET_JSON(tl_sync_get_sync_history(node, d->b.key, 0, &json));
	QUIET_JSON(tl_sync_bootstrap_requests(node, "pending", &json));
	QUIET(tl_sync_is_tree_synced_with_peer(node, d->b.key, &d->id, &there));
	QUIET(tl_sync_tree(node, &db));
	tl_database_free(db);
	QUIET(put(d->db, "more", "text"));
	QUIET(tl_sync_flush(node, 5000, &op));
	QUIET(tl_op_wait(op, 0));
	tl_op_free(op);
	QUIET(tl_sync_wait_until_synced(node, d->b.key, &d->id, 60000, &op));
	QUIET(tl_op_wait(op, 0));
	(void)tl_error_set(TL_E_REFUSED, "an earlier one");
	tl_op_cancel(op);
	CHECK(tl_error_code(tl_last_error()) == TL_E_REFUSED);
	tl_op_free(op);
	QUIET(tl_next_event(node, &event));
	QUIET(tl_sync_stop_server(node));
	LOUD(tl_sync_stop_server(node), TL_E_SERVER_NOT_RUNNING);
	(void)tl_error_set(TL_E_REFUSED, "an earlier one");
	CHECK(!tl_sync_is_server_running(node));
	CHECK(tl_error_code(tl_last_error()) == TL_E_REFUSED);
}

/* --- cases ------------------------------------------------------------------------------------ */

static void calls_that_succeed_leave_the_last_error_alone(void)
{
	duo d;

	REQUIRE(duo_open(&d, false, NULL));
	commits(d.a.node, d.db);
	stores(d.db);
	databases(d.db);
	entries(d.db);
	nodes(d.a.node);
	sync_calls(&d);
	duo_close(&d);
	opening();
}

static int refuse_without_a_word(void *ud, const tl_id *id)
{
	(void)ud;
	(void)id;
	return TL_E_DECLINED;
}

static int refuse_with_a_reason(void *ud, const tl_id *id)
{
	(void)ud;
	(void)id;
	return tl_error_set(TL_E_DECLINED, "enough seen");
}

static void a_visitors_code_is_the_last_error(void)
{
	tl_node *node = open_node(NULL, NULL);
	tl_database *db = make_db(node, "x");

	LOUD(tl_database_tips(db, refuse_without_a_word, NULL), TL_E_DECLINED);
	LOUD(tl_database_tips(db, refuse_with_a_reason, NULL), TL_E_DECLINED);
	CHECK(strcmp(tl_error_message(tl_last_error()), "enough seen") == 0);
	tl_database_free(db);
	tl_node_close(node);
}

int main(void)
{
	RUN(calls_that_succeed_leave_the_last_error_alone);
	RUN(a_visitors_code_is_the_last_error);
	return spec_end();
}
