/* Creating databases, and finding those that are there. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/api/handles.h"

/* --- creating --------------------------------------------------------------------------------- */

static bool has_auth(const tl_value *settings)
{
	const tl_value *auth = tl_doc_raw(settings, TL__STR("auth"));

	return auth && tl_value_type(auth) == TL_DOC && tl_doc_count(auth) > 0;
}

/* Makes the key the first admin. */
static int add_first_admin(tl_value *settings, const char *key_text)
{
	tl_str pubkey = {key_text, TL_KEY_TEXT_LEN}, path[] = {TL__STR("auth"), pubkey};
	tl_auth_key key = {pubkey, {TL_ADMIN, 0}, TL_KEY_ACTIVE};
	char *text;
	size_t len;
	int code = tl_doc_put(settings, path[0], tl_value_doc());

	if (code == TL_OK)
		code = tl_auth_key_write(&key, &text, &len);
	if (code != TL_OK)
		return code;
	code = tl_doc_set_at(settings, path, 2, tl_value_text((tl_str){text, len}));
	tl__free(text);
	return code;
}

static int first_settings(tl__host *host, const tl_value *given, tl_str key_name, tl_value **out)
{
	tl_value *settings;
	tl__signing signing;
	int code;

	*out = NULL;
	if (given && tl_value_type(given) != TL_DOC)
		return tl__fail(TL_E_TYPE_MISMATCH, "settings are of type doc, not %s",
			tl_type_name(tl_value_type(given)));
	settings = given ? tl_value_copy(given) : tl_value_doc();
	code = settings ? TL_OK : TL_E_NOMEM;
	if (code == TL_OK && !has_auth(settings)) {
		code = tl__signing_key(&signing, host, key_name);
		if (code == TL_OK)
			code = add_first_admin(settings, signing.key_text);
		tl__signing_free(&signing);
	}
	if (code == TL_OK)
		*out = settings;
	else
		tl_value_free(settings);
	return code;
}

static int build_root(
	tl__host *host, const tl_value *settings, const tl__signing *signing, tl_entry **out)
{
	tl__buf metadata = TL__BUF_INIT;
	tl_entry_builder *builder;
	int code = tl_entry_builder_new(&builder);

	*out = NULL;
	if (code != TL_OK)
		return code;
	tl__buf_text(&metadata, "{\"settings_tips\":[],\"entropy\":");
	tl__json_put_u64(&metadata, tl__random_u64(&host->tree->random));
	tl__buf_byte(&metadata, '}');
	code = tl__buf_status(&metadata);
	if (code == TL_OK)
		code = tl__build_doc(builder, TL__STR(TL__STORE_SETTINGS), settings);
	if (code == TL_OK) {
		tl_entry_builder_metadata(builder, tl__buf_view(&metadata));
		tl_entry_builder_store(builder, TL__STR(TL__STORE_ROOT), TL__STR("\"\""));
		tl__build_key(builder, signing);
		code = tl_entry_builder_finish(builder, &signing->secret, out);
	}
	tl__buf_free(&metadata);
	tl_entry_builder_free(builder);
	return code;
}

static int store_root(
	tl__host *host, const tl_value *settings, const tl__signing *signing, tl_entry *entry)
{
	tl__commit commit = {
		.host = host,
		.db_id = tl_entry_id(entry),
		.entry = entry,
		.settings = settings,
		.author = {signing->key_text, TL_KEY_TEXT_LEN},
	};
	tl__snapshot *s;
	int code = tl__snapshot_open(host->tree->store, &s);

	if (code != TL_OK)
		return code;
	if (host->hooks)
		commit.lists[commit.list_count++] = host->hooks;
	code = tl__plan_new(&commit.plan, host->tree, s, commit.db_id);
	if (code == TL_OK)
		code = tl__commit_entry(&commit);
	tl__plan_free(commit.plan);
	tl__snapshot_close(s);
	return code;
}

static int sign_and_store(tl__host *host, const tl_value *settings, tl_str key_name, tl_id *id)
{
	tl__signing signing = {.record = NULL};
	tl_entry *entry = NULL;
	tl_auth *auth;
	int code = tl_auth_from_settings(&auth, settings);

	if (code != TL_OK)
		return code;
	code = tl__signing_find(&signing, host, key_name, auth);
	if (code == TL_OK)
		code = build_root(host, settings, &signing, &entry);
	if (code == TL_OK)
		code = tl__check_may_write(&signing, entry, NULL);
	if (code == TL_OK)
		code = store_root(host, settings, &signing, entry);
	if (code == TL_OK)
		*id = *tl_entry_id(entry);
	tl_entry_free(entry);
	tl__signing_free(&signing);
	tl_auth_free(auth);
	return code;
}

int tl__database_create(tl__host *host, const tl_value *given, tl_str key_name, tl_database **out)
{
	tl_value *settings;
	tl_id id;
	int code = host->check ? host->check(host->ud) : TL_OK;

	*out = NULL;
	if (code == TL_OK && key_name.len == 0)
		code = tl__fail(TL_E_AUTHENTICATION_REQUIRED,
			"a new database needs the name of the private key that signs it");
	if (code == TL_OK)
		code = first_settings(host, given, key_name, &settings);
	if (code != TL_OK)
		return code;
	code = sign_and_store(host, settings, key_name, &id);
	tl_value_free(settings);
	if (code == TL_OK)
		code = tl__database_new(host, &id, out);
	if (code == TL_OK)
		code = tl_database_set_default_auth_key(*out, key_name);
	if (code != TL_OK) {
		tl_database_free(*out);
		*out = NULL;
	}
	return code;
}

/* --- finding ---------------------------------------------------------------------------------- */

static int no_such_database(const tl_id *root)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(root, text);
	return tl__fail(TL_E_DATABASE_NOT_FOUND, "no database %s is held here", text);
}

int tl__database_open(tl__host *host, const tl_id *root, tl_database **out)
{
	tl__snapshot *s = NULL;
	tl__db_row row;
	int code = host->check ? host->check(host->ud) : TL_OK;

	*out = NULL;
	if (code == TL_OK)
		code = tl__snapshot_open(host->tree->store, &s);
	if (code == TL_OK)
		code = tl__read_database(s, root, &row);
	tl__snapshot_close(s);
	if (code == TL_E_DATABASE_NOT_FOUND || (code == TL_OK && row.arrivals == 0))
		return no_such_database(root);
	return code == TL_OK ? tl__database_new(host, root, out) : code;
}

static int note_database(void *ud, const tl__db_row *row)
{
	return row->arrivals > 0 ? tl__ids_add(ud, &row->db) : TL_OK;
}

static int all_databases(tl__host *host, tl__snapshot **s, tl__ids *out)
{
	int code = host->check ? host->check(host->ud) : TL_OK;

	*s = NULL;
	if (code == TL_OK)
		code = tl__snapshot_open(host->tree->store, s);
	if (code == TL_OK)
		code = tl__read_databases(*s, note_database, out);
	tl__ids_sort(out);
	return code;
}

static int give(tl__ids *ids, int code, tl_id **out, size_t *count)
{
	*out = NULL;
	*count = 0;
	if (code != TL_OK) {
		tl__ids_free(ids);
		return code;
	}
	*out = ids->at;
	*count = ids->count;
	return TL_OK;
}

int tl__database_all(tl__host *host, tl_id **ids, size_t *count)
{
	tl__snapshot *s;
	tl__ids all = {0};
	int code = all_databases(host, &s, &all);

	tl__snapshot_close(s);
	return give(&all, code, ids, count);
}

/* Unreadable settings have no name; only the store's own failures count. */
static int is_named(tl__host *host, tl__snapshot *s, const tl_id *db, tl_str name, bool *named)
{
	tl__settings *settings;
	const tl_value *found;
	int code = tl__settings_now(host->tree, s, db, &settings);

	*named = false;
	if (code == TL_E_BAD_DOC || code == TL_E_BAD_JSON)
		return TL_OK;
	if (code != TL_OK)
		return code;
	found = tl_doc_raw(settings->doc, TL__STR("name"));
	*named = found && tl_value_type(found) == TL_TEXT &&
		 tl__str_eq(tl_value_as_text(found), name);
	tl__settings_release(settings);
	return TL_OK;
}

int tl__database_find(tl__host *host, tl_str name, tl_id **ids, size_t *count)
{
	tl__snapshot *s;
	tl__ids all = {0};
	size_t kept = 0;
	int code = all_databases(host, &s, &all);

	for (size_t i = 0; i < all.count && code == TL_OK; i++) {
		bool named;

		code = is_named(host, s, &all.at[i], name, &named);
		if (code == TL_OK && named)
			all.at[kept++] = all.at[i];
	}
	all.count = kept;
	tl__snapshot_close(s);
	if (code == TL_OK && kept == 0)
		code = tl__fail(
			TL_E_DATABASE_NOT_FOUND, "no database is named `%.*s`", TL__STR_ARG(name));
	return give(&all, code, ids, count);
}
