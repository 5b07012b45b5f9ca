/* Who signs an entry we write, and what that key may do.
 *
 * Receivers judge an entry by its own ancestry alone. A writer is held to more: a key revoked or
 * weakened at present signs nothing on older tips, and nobody hands out more than they have. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/api/handles.h"

#define GLOBAL TL__STR("*")

/* --- the key and its record ------------------------------------------------------------------- */

/* Why no record lets this key sign. */
static int explain(const tl_auth *auth, tl_str key_text)
{
	const tl_auth_key *key = NULL;
	tl_str name = TL__STR_NULL;

	if (tl_auth_key_count(auth) == 0)
		return tl__fail(TL_E_NO_AUTH_CONFIGURATION,
			"the settings of the database know no key, so nobody can write");
	for (size_t i = 0; tl_auth_key_at(auth, i, &name, &key); i++)
		if (tl__str_eq(key->pubkey, key_text))
			return tl__fail(TL_E_SIGNATURE_VERIFICATION_FAILED,
				"the signing key is revoked (record `%.*s`); an admin can make it "
				"active again",
				TL__STR_ARG(name));
	return tl__fail(TL_E_KEY_NOT_FOUND,
		"the settings do not know the signing key %.*s; an admin can add it",
		TL__STR_ARG(key_text));
}

static int find_record(tl__signing *out, tl_str key_name, const tl_auth *auth)
{
	tl_str key_text = {out->key_text, TL_KEY_TEXT_LEN}, name;
	const tl_auth_key *same;

	if (tl_auth_best(auth, key_text, &out->permission, &name) != TL_OK)
		return explain(auth, key_text);
	/* Of equally strong records the one named like the private key. */
	same = tl_auth_find_key(auth, key_name);
	if (same && same->status == TL_KEY_ACTIVE && tl__str_eq(same->pubkey, key_text) &&
		tl_permission_compare(same->permission, out->permission) == 0)
		name = key_name;
	out->record = tl__copy_bytes(name.ptr, name.len);
	return out->record ? TL_OK : TL_E_NOMEM;
}

int tl__signing_key(tl__signing *out, tl__host *host, tl_str key_name)
{
	int code;

	memset(out, 0, sizeof *out);
	code = host->secret(host->ud, key_name, &out->secret);
	if (code != TL_OK)
		return code;
	tl_secret_public(&out->secret, &out->key);
	tl_key_format(&out->key, out->key_text);
	return TL_OK;
}

int tl__signing_find(tl__signing *out, tl__host *host, tl_str key_name, const tl_auth *auth)
{
	int code = tl__signing_key(out, host, key_name);

	if (code == TL_OK)
		code = find_record(out, key_name, auth);
	if (code != TL_OK)
		tl__signing_free(out);
	return code;
}

void tl__signing_free(tl__signing *signing)
{
	tl_secret_wipe(&signing->secret);
	tl__free(signing->record);
	signing->record = NULL;
}

/* --- what it may do --------------------------------------------------------------------------- */

static int refuse_weak(const tl__signing *signing, const tl_entry *entry, const char *when)
{
	char has[24];

	tl_permission_format(signing->permission, has);
	if (tl_entry_find_store(entry, TL__STR(TL__STORE_SETTINGS)) >= 0)
		return tl__fail(TL_E_INSUFFICIENT_PERMISSIONS,
			"changing settings needs admin; the key `%s` %s %s", signing->record, when,
			has);
	return tl__fail(TL_E_INSUFFICIENT_PERMISSIONS,
		"writing needs write or admin; the key `%s` %s %s", signing->record, when, has);
}

int tl__check_may_write(const tl__signing *signing, const tl_entry *entry, const tl_auth *now)
{
	const tl_auth_key *key;
	tl__signing present = *signing;

	if (!tl_auth_may_write(signing->permission, entry))
		return refuse_weak(signing, entry, "has");
	if (!now)
		return TL_OK;
	key = tl_auth_find_key(now, tl__str_z(signing->record));
	if (!key || key->status != TL_KEY_ACTIVE ||
		!tl__str_eq(key->pubkey, strcmp(signing->record, "*") == 0
						 ? GLOBAL
						 : (tl_str){signing->key_text, TL_KEY_TEXT_LEN}))
		return tl__fail(TL_E_SIGNATURE_VERIFICATION_FAILED,
			"the key `%s` has been revoked meanwhile and signs nothing on older tips",
			signing->record);
	present.permission = key->permission;
	return tl_auth_may_write(key->permission, entry)
		       ? TL_OK
		       : refuse_weak(&present, entry, "has meanwhile only");
}

/* Permission that a record gives: of a key, or the most of a delegated tree. */
static int record_permission(const tl_value *record, bool *is_record, tl_permission *out)
{
	tl_value *doc = tl_value_doc();
	const tl_auth_key *key;
	const tl_auth_tree *tree;
	tl_auth *auth = NULL;
	int code = doc ? tl_doc_put(doc, TL__STR("r"), tl_value_copy(record)) : TL_E_NOMEM;

	*is_record = false;
	if (code == TL_OK)
		code = tl_auth_from_doc(&auth, doc);
	if (code == TL_OK) {
		key = tl_auth_find_key(auth, TL__STR("r"));
		tree = tl_auth_find_tree(auth, TL__STR("r"));
		*is_record = key || tree;
		if (*is_record)
			*out = key ? key->permission : tree->max;
	}
	tl_auth_free(auth);
	tl_value_free(doc);
	return code;
}

static int check_record(const tl__signing *signing, tl_str name, const tl_value *record)
{
	tl_permission permission = {TL_READ, 0};
	char wanted[24], has[24];
	bool is_record = false;
	int code = TL_OK;

	if (record && tl_value_type(record) == TL_TEXT)
		code = record_permission(record, &is_record, &permission);
	if (code != TL_OK || !is_record ||
		tl_permission_compare(permission, signing->permission) <= 0)
		return code;
	tl_permission_format(permission, wanted);
	tl_permission_format(signing->permission, has);
	return tl__fail(TL_E_INSUFFICIENT_PERMISSIONS,
		"`%.*s` has or would get %s, which is above the %s of the key `%s` that signs",
		TL__STR_ARG(name), wanted, has, signing->record);
}

/* Records below one Doc; names with dots reach into nested ones. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as values nest */
static int check_records(const tl__signing *signing, const tl_value *old, const tl_value *staged)
{
	int code = TL_OK;
	tl_value *value;
	tl_str name;

	for (size_t i = 0; code == TL_OK && tl_doc_at(staged, i, &name, &value); i++) {
		const tl_value *before =
			old && tl_value_type(old) == TL_DOC ? tl_doc_raw(old, name) : NULL;

		if (before && tl_value_equal(before, value))
			continue;
		if (tl_value_type(value) == TL_DOC)
			code = check_records(signing, before, value);
		else
			code = check_record(signing, name, value);
		if (code == TL_OK && before && tl_value_type(before) == TL_DOC &&
			tl_value_type(value) != TL_DOC)
			code = check_records(signing, NULL, before);
		else if (code == TL_OK)
			code = check_record(signing, name, before);
	}
	return code;
}

int tl__check_settings_change(
	const tl__signing *signing, const tl_value *before, const tl_value *staged)
{
	const tl_value *old = tl_doc_raw(before, TL__STR("auth"));
	const tl_value *auth = tl_doc_raw(staged, TL__STR("auth"));

	if (!auth)
		return TL_OK;
	if (tl_value_type(auth) != TL_DOC)
		return tl__fail(TL_E_CORRUPTED_AUTH_CONFIGURATION,
			"`auth` in the settings must stay a doc; after this nobody could write");
	return check_records(signing, old, auth);
}
