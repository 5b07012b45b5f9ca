/* SettingsStore: the Doc `_settings`, its name and its key records. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "tree/api/handles.h"

#define AUTH   TL__STR("auth")
#define GLOBAL TL__STR("*")

struct tl_settings_store {
	tl_doc_store *doc;
	tl_auth *auth; /* what the last get_auth_key points into */
};

int tl__settings_store_new(
	tl_settings_store **out, tl_transaction *tx, tl_view *view, tl_database *db)
{
	tl_settings_store *settings = tl__alloc_zero(1, sizeof *settings);
	int code = settings ? tl__doc_store_new(
				      &settings->doc, tx, view, db, TL__STR(TL__STORE_SETTINGS))
			    : TL_E_NOMEM;

	*out = code == TL_OK ? settings : NULL;
	if (code != TL_OK)
		tl__free(settings);
	return code;
}

void tl_settings_store_free(tl_settings_store *settings)
{
	if (!settings)
		return;
	tl_auth_free(settings->auth);
	tl_doc_store_free(settings->doc);
	tl__free(settings);
}

tl_doc_store *tl_settings_store_doc(tl_settings_store *settings)
{
	if (!settings)
		return NULL;
	return settings->doc;
}

TL__PUBLIC(tl_settings_store_get_name, settings && out,
	(tl_settings_store *settings, char **out, size_t *len), (settings, out, len))
{
	return tl_doc_store_get_string(settings->doc, TL__STR("name"), out, len);
}

TL__PUBLIC(tl_settings_store_set_name, settings,
	(tl_settings_store *settings, tl_str name), (settings, name))
{
	return tl_doc_store_set_string(settings->doc, TL__STR("name"), name);
}

/* --- reading records -------------------------------------------------------------------------- */

TL__PUBLIC(tl_settings_store_get_auth, settings && out,
	(tl_settings_store *settings, tl_auth **out), (settings, out))
{
	tl_str components[] = {AUTH};
	tl_value *auth;
	int code = tl__bound_value(&settings->doc->bound, components, 1, &auth);

	*out = NULL;
	if (code != TL_OK)
		return code;
	code = tl_auth_from_doc(out, auth && tl_value_type(auth) == TL_DOC ? auth : NULL);
	tl_value_free(auth);
	return code;
}

/* Only this record, read without the others: an empty auth when it is absent. */
static int read_record(tl_settings_store *settings, tl_str name, tl_auth **out, bool *there)
{
	tl_str components[] = {AUTH, name};
	tl_value *record, *doc = tl_value_doc();
	int code =
		doc ? tl__bound_value(&settings->doc->bound, components, 2, &record) : TL_E_NOMEM;

	*out = NULL;
	*there = false;
	if (code == TL_OK && record) {
		*there = tl_value_type(record) != TL_DELETED;
		code = tl_doc_put(doc, name, record);
	}
	if (code == TL_OK)
		code = tl_auth_from_doc(out, doc);
	tl_value_free(doc);
	return code;
}

static int no_such_key(tl_str name)
{
	return tl__fail(
		TL_E_KEY_NOT_FOUND, "the settings have no record named `%.*s`", TL__STR_ARG(name));
}

TL__PUBLIC(tl_settings_store_get_auth_key, settings && out,
	(tl_settings_store *settings, tl_str name, tl_auth_key *out), (settings, name, out))
{
	const tl_auth_key *key;
	tl_auth *auth;
	bool there;
	int code = read_record(settings, name, &auth, &there);

	if (code != TL_OK)
		return code;
	tl_auth_free(settings->auth);
	settings->auth = auth;
	key = tl_auth_find_key(auth, name);
	if (!key)
		return no_such_key(name);
	*out = *key;
	return TL_OK;
}

TL__PUBLIC(tl_settings_store_list_auth_keys, settings && visit,
	(tl_settings_store *settings, tl_auth_key_visit visit, void *ud), (settings, visit, ud))
{
	const tl_auth_key *key = NULL;
	tl_str name = TL__STR_NULL;
	tl_auth *auth;
	int code = tl_settings_store_get_auth(settings, &auth);

	if (code != TL_OK)
		return code;
	for (size_t i = 0; code == TL_OK && tl_auth_key_at(auth, i, &name, &key); i++)
		code = visit(ud, name, key);
	tl_auth_free(auth);
	return code == TL_STOP ? TL_OK : code;
}

/* --- writing records -------------------------------------------------------------------------- */

static int check_name(tl_str name)
{
	if (name.len == 0)
		return tl__fail(TL_E_BAD_ARGUMENT, "a key record needs a name");
	if (memchr(name.ptr, '.', name.len))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"`%.*s` has a dot, which 0.2.0 would read as a path; name the record "
			"without",
			TL__STR_ARG(name));
	return TL_OK;
}

/* `*` is the global record and nothing else. */
static int check_key_name(tl_str name, tl_str pubkey)
{
	tl_key key;
	int code = check_name(name);

	if (code != TL_OK)
		return code;
	if (tl__str_eq(name, GLOBAL) || tl__str_eq(pubkey, GLOBAL))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"`*` stands for every key: use the call for the global record");
	return tl_key_parse(&key, pubkey);
}

static int fail(tl_settings_store *settings, int code)
{
	return tl__bound_fail(&settings->doc->bound, code);
}

/* Takes over `text`. */
static int put_record(tl_settings_store *settings, tl_str name, char *text, size_t len)
{
	tl_str components[] = {AUTH, name};
	int code = tl_doc_store_set_at_path(
		settings->doc, components, 2, tl_value_text((tl_str){text, len}));

	tl__free(text);
	return code;
}

static int put_key(tl_settings_store *settings, tl_str name, const tl_auth_key *key)
{
	char *text;
	size_t len;
	int code = tl_auth_key_write(key, &text, &len);

	return code == TL_OK ? put_record(settings, name, text, len) : fail(settings, code);
}

/* What there is under the name; writable or an error. */
static int prepare(tl_settings_store *settings, tl_str name, tl_auth **auth, bool *there)
{
	int code = tl__bound_writable(&settings->doc->bound);

	*auth = NULL;
	return code == TL_OK ? read_record(settings, name, auth, there) : code;
}

static int refuse_other_key(const tl_auth *auth, tl_str name, tl_str pubkey)
{
	const tl_auth_key *old = tl_auth_find_key(auth, name);

	if ((!old || tl__str_eq(old->pubkey, pubkey)) && !tl_auth_find_tree(auth, name))
		return TL_OK;
	return tl__fail(TL_E_KEY_NAME_CONFLICT,
		"the name `%.*s` belongs to another record; choose another name",
		TL__STR_ARG(name));
}

TL__PUBLIC(tl_settings_store_add_auth_key, settings,
	(tl_settings_store *settings, tl_str name, tl_str pubkey, tl_permission permission),
	(settings, name, pubkey, permission))
{
	tl_auth_key key = {pubkey, permission, TL_KEY_ACTIVE};
	tl_auth *auth = NULL;
	bool there = false;
	int code;

	if (!name.ptr)
		name = pubkey;
	code = tl__bound_writable(&settings->doc->bound);
	if (code == TL_OK)
		code = check_key_name(name, pubkey);
	if (code == TL_OK)
		code = prepare(settings, name, &auth, &there);
	if (code == TL_OK && there)
		code = tl__fail(TL_E_ALREADY_EXISTS,
			"the settings have a record named `%.*s` already", TL__STR_ARG(name));
	tl_auth_free(auth);
	return code == TL_OK ? put_key(settings, name, &key) : fail(settings, code);
}

TL__PUBLIC(tl_settings_store_set_auth_key, settings,
	(tl_settings_store *settings, tl_str name, tl_str pubkey, tl_permission permission,
		tl_key_status status), (settings, name, pubkey, permission, status))
{
	tl_auth_key key = {pubkey, permission, status};
	tl_auth *auth = NULL;
	bool there;
	int code;

	if (!name.ptr)
		name = pubkey;
	code = tl__bound_writable(&settings->doc->bound);
	if (code == TL_OK)
		code = check_key_name(name, pubkey);
	if (code == TL_OK)
		code = prepare(settings, name, &auth, &there);
	if (code == TL_OK)
		code = refuse_other_key(auth, name, pubkey);
	tl_auth_free(auth);
	return code == TL_OK ? put_key(settings, name, &key) : fail(settings, code);
}

TL__PUBLIC(tl_settings_store_revoke_auth_key, settings,
	(tl_settings_store *settings, tl_str name), (settings, name))
{
	const tl_auth_key *found;
	tl_auth_key key;
	tl_auth *auth = NULL;
	bool there;
	int code = prepare(settings, name, &auth, &there);

	found = code == TL_OK ? tl_auth_find_key(auth, name) : NULL;
	if (code == TL_OK && !found)
		code = no_such_key(name);
	if (code == TL_OK && found) {
		key = *found;
		key.status = TL_KEY_REVOKED;
		code = put_key(settings, name, &key);
	} else {
		code = fail(settings, code);
	}
	tl_auth_free(auth);
	return code;
}

TL__PUBLIC(tl_settings_store_set_global, settings,
	(tl_settings_store *settings, tl_permission permission, tl_key_status status),
	(settings, permission, status))
{
	tl_auth_key key = {GLOBAL, permission, status};
	int code = tl__bound_writable(&settings->doc->bound);

	return code == TL_OK ? put_key(settings, GLOBAL, &key) : fail(settings, code);
}

static void write_tree(tl__buf *text, const tl_id *root, const tl_id *tips, size_t tip_count,
	tl_permission max, const tl_permission *min)
{
	char permission[24], id[TL_ID_TEXT_LEN + 1];

	tl_permission_to_json(max, permission);
	tl__buf_format(text, "{\"permission-bounds\":{\"max\":%s,\"min\":", permission);
	if (min)
		tl_permission_to_json(*min, permission);
	tl_id_format(root, id);
	tl__buf_format(
		text, "%s},\"tree\":{\"root\":\"%s\",\"tips\":[", min ? permission : "null", id);
	for (size_t i = 0; i < tip_count; i++) {
		tl_id_format(&tips[i], id);
		tl__buf_format(text, "%s\"%s\"", i ? "," : "", id);
	}
	tl__buf_text(text, "]}}");
}

static int refuse_other_tree(const tl_auth *auth, tl_str name, const tl_id *root)
{
	const tl_auth_tree *old = tl_auth_find_tree(auth, name);
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(root, id);
	if ((!old || tl__str_eq(old->root, tl__str_z(id))) && !tl_auth_find_key(auth, name))
		return TL_OK;
	return tl__fail(TL_E_KEY_NAME_CONFLICT,
		"the name `%.*s` belongs to another record; choose another name",
		TL__STR_ARG(name));
}

TL__PUBLIC(tl_settings_store_add_delegated_tree, settings && root,
	(tl_settings_store *settings, tl_str name, const tl_id *root, const tl_id *tips,
		size_t tip_count, tl_permission max, const tl_permission *min),
	(settings, name, root, tips, tip_count, max, min))
{
	tl__buf text = TL__BUF_INIT;
	tl_auth *auth = NULL;
	char *written = NULL;
	size_t len = 0;
	bool there;
	int code = check_name(name);

	if (code == TL_OK && tl__str_eq(name, GLOBAL))
		code = tl__fail(TL_E_BAD_ARGUMENT, "`*` names the global record only");
	if (code == TL_OK &&
		((unsigned)max.kind > TL_ADMIN || (min && (unsigned)min->kind > TL_ADMIN)))
		code = tl__fail(TL_E_BAD_ARGUMENT, "a permission is read, write or admin");
	if (code == TL_OK)
		code = prepare(settings, name, &auth, &there);
	if (code == TL_OK)
		code = refuse_other_tree(auth, name, root);
	tl_auth_free(auth);
	if (code == TL_OK) {
		write_tree(&text, root, tips, tip_count, max, min);
		written = tl__buf_take(&text, &len);
		code = written ? TL_OK : TL_E_NOMEM;
	}
	tl__buf_free(&text);
	return code == TL_OK ? put_record(settings, name, written, len) : fail(settings, code);
}

TL__PUBLIC(tl_settings_store_remove_auth_record, settings,
	(tl_settings_store *settings, tl_str name), (settings, name))
{
	tl_str components[] = {AUTH, name};
	tl_auth *auth = NULL;
	bool there = false;
	int code = prepare(settings, name, &auth, &there);

	tl_auth_free(auth);
	if (code == TL_OK && !there)
		code = no_such_key(name);
	if (code != TL_OK)
		return fail(settings, code);
	return tl_doc_store_delete_at_path(settings->doc, components, 2, NULL);
}
