/* Commits: who may, and hooks. */
#include "tree_help.h"
#include "tree/api/handles.h"

static const char *error_of(int code)
{
	return tl_error_name(code);
}

/* Commits one key signed by a key of that name, on given tips or (count 0) the present. */
static int write_as(tl_database *db, const char *key, const tl_id *tips, size_t count)
{
	tl_transaction *tx = count > 0 ? begin_at(db, tips, count) : begin(db);
	tl_doc_store *d = doc(tx, "data");

	CHECK_OK(tl_transaction_set_auth_key(tx, z(key)));
	CHECK_OK(tl_doc_store_set_string(d, z("by"), z(key)));
	tl_doc_store_free(d);
	return finish(tx, NULL);
}

static int rename_as(tl_database *db, const char *key, const tl_id *tips, size_t count)
{
	tl_transaction *tx = count > 0 ? begin_at(db, tips, count) : begin(db);
	tl_settings_store *settings;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_transaction_set_auth_key(tx, z(key)));
	CHECK_OK(tl_settings_store_set_name(settings, z(key)));
	tl_settings_store_free(settings);
	return finish(tx, NULL);
}

/* --- who may ---------------------------------------------------------------------------------- */

static void permissions_bind_writers(void)
{
	tl_database *db = new_database("admin");

	add_key(db, "reader", (tl_permission){TL_READ, 0});
	add_key(db, "writer", (tl_permission){TL_WRITE, 10});
	CHECK_CODE(write_as(db, "reader", NULL, 0), TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_OK(write_as(db, "writer", NULL, 0));
	CHECK_CODE(rename_as(db, "writer", NULL, 0), TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_CODE(write_as(db, "stranger", NULL, 0), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(write_as(db, "missing", NULL, 0), TL_E_SIGNING_KEY_NOT_FOUND);
	CHECK_OK(rename_as(db, "admin", NULL, 0));
	tl_database_clear_default_auth_key(db);
	CHECK_CODE(finish(begin(db), NULL), TL_E_AUTHENTICATION_REQUIRED);
	tl_database_free(db);
}

/* 0.2.0 refuses a writer who only looked at the settings; here the entry counts. */
static void reading_settings_needs_no_admin(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx;
	tl_settings_store *settings;
	char *name;
	size_t len;

	add_key(db, "writer", (tl_permission){TL_WRITE, 10});
	tx = begin(db);
	CHECK_OK(tl_transaction_set_auth_key(tx, z("writer")));
	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_CODE(tl_settings_store_get_name(settings, &name, &len), TL_E_KEY_NOT_FOUND);
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
	tl_database_free(db);
}

static int set_key(tl_database *db, const char *signer, const char *key, tl_permission permission,
	tl_key_status status)
{
	tl_transaction *tx = begin(db);
	tl_settings_store *settings;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_transaction_set_auth_key(tx, z(signer)));
	CHECK_OK(tl_settings_store_set_auth_key(
		settings, TL__STR_NULL, z(key_of(key)), permission, status));
	tl_settings_store_free(settings);
	return finish(tx, NULL);
}

static void a_revoked_key_signs_nothing(void)
{
	tl_database *db = new_database("admin");
	tl_permission write = {TL_WRITE, 10}, admin = {TL_ADMIN, 5};
	tl_id granted;

	CHECK_OK(set_key(db, "admin", "demoted", admin, TL_KEY_ACTIVE));
	granted = add_key(db, "bob", write);
	CHECK_OK(write_as(db, "bob", NULL, 0));
	CHECK_OK(set_key(db, "admin", "bob", write, TL_KEY_REVOKED));
	CHECK_OK(set_key(db, "admin", "demoted", write, TL_KEY_ACTIVE));
	CHECK_CODE(write_as(db, "bob", NULL, 0), TL_E_SIGNATURE_VERIFICATION_FAILED);
	/* Nor on tips where it was still good (hole H12). */
	CHECK_CODE(write_as(db, "bob", &granted, 1), TL_E_SIGNATURE_VERIFICATION_FAILED);
	CHECK_CODE(rename_as(db, "demoted", &granted, 1), TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_OK(write_as(db, "demoted", &granted, 1));
	CHECK_OK(set_key(db, "admin", "bob", write, TL_KEY_ACTIVE));
	CHECK_OK(write_as(db, "bob", NULL, 0));
	tl_database_free(db);
}

static void custom_tips_have_their_own_keys(void)
{
	tl_database *db = new_database("admin");
	tl_id root = *tl_database_root_id(db);

	add_key(db, "late", (tl_permission){TL_WRITE, 0});
	CHECK_OK(write_as(db, "late", NULL, 0));
	CHECK_CODE(write_as(db, "late", &root, 1), TL_E_KEY_NOT_FOUND);
	tl_database_free(db);
}

/* Holes H13 and H14. */
static void nobody_hands_out_more_than_they_have(void)
{
	tl_database *db = new_database("admin"), *team = new_database("team");
	tl_permission weak = {TL_ADMIN, 100}, strong = {TL_ADMIN, 99}, equal = {TL_ADMIN, 100};
	tl_transaction *tx;
	tl_settings_store *settings;

	CHECK_OK(set_key(db, "admin", "weak", weak, TL_KEY_ACTIVE));
	CHECK_CODE(
		set_key(db, "weak", "bob", strong, TL_KEY_ACTIVE), TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_OK(set_key(db, "weak", "bob", equal, TL_KEY_ACTIVE));
	CHECK_CODE(set_key(db, "weak", "admin", (tl_permission){TL_READ, 0}, TL_KEY_ACTIVE),
		TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_CODE(set_key(db, "weak", "admin", (tl_permission){TL_ADMIN, 0}, TL_KEY_REVOKED),
		TL_E_INSUFFICIENT_PERMISSIONS);
	tx = begin(db);
	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_transaction_set_auth_key(tx, z("weak")));
	CHECK_OK(tl_settings_store_add_delegated_tree(
		settings, z("team"), tl_database_root_id(team), NULL, 0, strong, NULL));
	tl_settings_store_free(settings);
	CHECK_CODE(finish(tx, NULL), TL_E_INSUFFICIENT_PERMISSIONS);
	/* Through the plain Doc, deeper down and by deletion too. */
	tx = begin(db);
	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_transaction_set_auth_key(tx, z("weak")));
	CHECK_OK(tl_doc_store_set_string(tl_settings_store_doc(settings), z("auth.a.b"),
		z("{\"pubkey\":\"*\",\"permissions\":{\"Admin\":0},\"status\":\"Active\"}")));
	tl_settings_store_free(settings);
	CHECK_CODE(finish(tx, NULL), TL_E_INSUFFICIENT_PERMISSIONS);
	tx = begin(db);
	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_transaction_set_auth_key(tx, z("weak")));
	CHECK_OK(tl_settings_store_remove_auth_record(settings, z(key_of("admin"))));
	tl_settings_store_free(settings);
	CHECK_CODE(finish(tx, NULL), TL_E_INSUFFICIENT_PERMISSIONS);
	tl_database_free(team);
	tl_database_free(db);
}

static void auth_stays_a_doc(void)
{
	static const char *const bad[] = {"{\"children\":{\"auth\":\"Deleted\"}}",
		"{\"children\":{\"auth\":{\"Text\":\"x\"}}}"};
	tl_database *db = new_database("admin");

	for (size_t i = 0; i < 2; i++) {
		tl_transaction *tx = begin(db);

		CHECK_OK(tl_transaction_set_data(tx, z("_settings"), z(bad[i])));
		CHECK_CODE(finish(tx, NULL), TL_E_CORRUPTED_AUTH_CONFIGURATION);
	}
	tl_transaction *tx = begin(db);
	CHECK_OK(tl_transaction_set_data(tx, z("_settings"), z("junk")));
	CHECK_CODE(finish(tx, NULL), TL_E_BAD_JSON);
	CHECK_OK(write_as(db, "admin", NULL, 0));
	tl_database_free(db);
}

static void the_global_record_lets_everybody_in(void)
{
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	tl_settings_store *settings;
	tl_entry *entry;
	tl_id id;

	CHECK_OK(tl_transaction_get_settings(tx, &settings));
	CHECK_OK(tl_settings_store_set_global(
		settings, (tl_permission){TL_WRITE, 9}, TL_KEY_ACTIVE));
	tl_settings_store_free(settings);
	CHECK_OK(finish(tx, NULL));
	tx = begin(db);
	CHECK_OK(tl_transaction_set_auth_key(tx, z("anybody")));
	CHECK_OK(finish(tx, &id));
	CHECK_OK(tl_database_get_entry(db, &id, &entry));
	CHECK(tl__str_eq(tl_entry_key_name(entry), z("*")));
	CHECK(tl__str_eq(tl_entry_pubkey(entry), z(key_of("anybody"))));
	tl_entry_free(entry);
	CHECK_CODE(rename_as(db, "anybody", NULL, 0), TL_E_INSUFFICIENT_PERMISSIONS);
	CHECK_OK(rename_as(db, "admin", NULL, 0));
	tl_database_free(db);
}

/* --- hooks ------------------------------------------------------------------------------------ */

typedef struct seen {
	char order[128];
	const char *name;
	int before, after;
	tl_id entry, tree;
	size_t size, stores;
	bool is_root, has_database;
	char author[TL_KEY_TEXT_LEN + 1];
	int drops;
} seen;

static char order[256];

static void note(seen *s, const char *moment)
{
	snprintf(order + strlen(order), sizeof order - strlen(order), "%s%s ", s->name, moment);
}

static int before(void *ud, const tl_hook_context *context)
{
	seen *s = ud;

	note(s, "<");
	s->entry = *tl_entry_id(context->entry);
	s->tree = *context->tree_id;
	s->size = context->entry_bytes;
	s->stores = context->store_count;
	s->is_root = context->is_root_entry;
	s->has_database = context->database != NULL;
	snprintf(s->author, sizeof s->author, "%.*s", TL__STR_ARG(context->author));
	CHECK(context->store_count == 0 || context->stores[0].len > 0);
	if (s->before != TL_OK)
		return tl_error_set(s->before, "not today");
	return TL_OK;
}

static int after(void *ud, const tl_hook_context *context)
{
	seen *s = ud;

	note(s, ">");
	CHECK(same_id(&s->entry, tl_entry_id(context->entry)));
	return s->after;
}

static void drop(void *ud)
{
	((seen *)ud)->drops++;
}

static tl_hook hook_of(seen *s)
{
	return (tl_hook){sizeof(tl_hook), before, after, drop, s, false};
}

static void hooks_run_in_order(void)
{
	seen node = {.name = "node"}, base = {.name = "db"}, own = {.name = "tx"};
	tl_hook on_node = hook_of(&node), on_db = hook_of(&base), on_tx = hook_of(&own);
	tl_database *db;
	tl_transaction *tx;
	uint64_t node_handle, handle;
	tl_doc_store *d;
	tl_id id;

	CHECK_OK(tl__hooks_add(&w.hooks, NULL, &on_node, &node_handle));
	db = new_database("admin");
	CHECK(node.is_root && !node.has_database && node.stores == 2);
	CHECK(same_id(&node.tree, tl_database_root_id(db)));
	order[0] = '\0';
	CHECK_OK(tl_database_add_hook(db, &on_db, &handle));
	base.after = TL_E_IO; /* told to the log, nothing else */
	tx = begin(db);
	CHECK_OK(tl_transaction_add_hook(tx, &on_tx));
	d = doc(tx, "data");
	CHECK_OK(tl_doc_store_set_int(d, z("k"), 1));
	tl_doc_store_free(d);
	CHECK_OK(finish(tx, &id));
	CHECK_TEXT(order, "node< db< tx< node> db> tx> ");
	CHECK(atomic_load(&w.log_lines) == 1);
	CHECK(same_id(&own.entry, &id) && own.has_database && !own.is_root && own.stores == 1);
	CHECK_TEXT(own.author, key_of("admin"));
	CHECK(own.size > 300 && own.drops == 1 && base.drops == 0);
	tl_database_remove_hook(db, handle);
	CHECK(base.drops == 1);
	tl__hooks_remove(&w.hooks, NULL, node_handle);
	CHECK(node.drops == 1);
	order[0] = '\0';
	write_text(db, "data", "k", "2");
	CHECK_TEXT(order, "");
	tl_database_free(db);
}

static void a_hook_may_refuse(void)
{
	seen first = {.name = "a", .before = TL_E_TOO_LARGE}, second = {.name = "b"};
	tl_hook a = hook_of(&first), b = hook_of(&second);
	tl_database *db = new_database("admin");
	tl_transaction *tx = begin(db);
	uint64_t handle, other, arrival;
	int code;

	CHECK_OK(tl_database_add_hook(db, &a, &handle));
	CHECK_OK(tl_database_add_hook(db, &b, &other));
	order[0] = '\0';
	code = tl_transaction_commit(tx, NULL);
	CHECK_TEXT(error_of(code), "hook_failed");
	CHECK_TEXT(tl_error_message(tl_error_cause(tl_last_error())), "not today");
	CHECK(tl_error_code(tl_error_cause(tl_last_error())) == TL_E_TOO_LARGE);
	CHECK_TEXT(order, "a< ");
	CHECK_OK(tl_database_arrival(db, &arrival));
	CHECK(arrival == 1);
	first.before = TL_OK;
	CHECK_OK(tl_transaction_commit(tx, NULL));
	tl_transaction_free(tx);
	tl_database_remove_hook(db, handle);
	tl_database_remove_hook(db, other);
	tl_database_free(db);
	CHECK(first.drops == 1 && second.drops == 1);
	a.size = 8;
	db = new_database("admin");
	CHECK_CODE(tl_database_add_hook(db, &a, &handle), TL_E_BAD_ARGUMENT);
	tl_database_free(db);
}

static int commit_another(void *ud, const tl_hook_context *context)
{
	int *depth = ud;

	if ((*depth)++ == 0)
		write_text(context->database, "log", "last", "1");
	return TL_OK;
}

static void a_hook_may_commit(void)
{
	tl_database *db = new_database("admin");
	int depth = 0;
	tl_hook hook = {sizeof hook, NULL, commit_another, NULL, &depth, false};
	uint64_t handle;

	CHECK_OK(tl_database_add_hook(db, &hook, &handle));
	write_text(db, "data", "k", "1");
	CHECK(depth == 2);
	CHECK_TEXT(now_shows(db, "log", "last"), "\"1\"");
	tl_database_remove_hook(db, handle);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(permissions_bind_writers);
	RUN_EACH(reading_settings_needs_no_admin);
	RUN_EACH(a_revoked_key_signs_nothing);
	RUN_EACH(custom_tips_have_their_own_keys);
	RUN_EACH(nobody_hands_out_more_than_they_have);
	RUN_EACH(auth_stays_a_doc);
	RUN_EACH(the_global_record_lets_everybody_in);
	RUN_EACH(hooks_run_in_order);
	RUN_EACH(a_hook_may_refuse);
	RUN_EACH(a_hook_may_commit);
	return spec_end();
}
