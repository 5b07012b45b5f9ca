/* What keys may do in one database: from its root and its settings. */
#include "tree/trust/rights.h"

#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "crypto/key.h"
#include "model/ids.h"
#include "tree/history/dag.h"

/* --- root ------------------------------------------------------------------------------------- */

struct root_read {
	bool found;
	bool system;
};

bool tl__is_system_name(tl_str name)
{
	static const char *const names[] = {"_users", "_databases", "_instance", "_sync"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (tl__str_eq(name, tl__str_z(names[i])))
			return true;
	return tl__str_starts(name, TL__STR("_user_"));
}

bool tl__root_is_system(const tl_entry *root)
{
	ptrdiff_t store = tl_entry_find_store(root, TL__STR(TL__STORE_SETTINGS));
	tl_value *settings = NULL, *name;
	bool system = false;

	if (store < 0 || tl_doc_parse(&settings, tl_entry_store_data(root, (size_t)store)) != TL_OK)
		return false;
	name = tl_doc_raw(settings, TL__STR("name"));
	if (name && tl_value_type(name) == TL_TEXT)
		system = tl__is_system_name(tl_value_as_text(name));
	tl_value_free(settings);
	return system;
}

static int look_at_root(void *ud, const tl__entry_row *row)
{
	struct root_read *read = ud;
	tl_entry *root = NULL;
	int rc = tl_entry_parse(&root, row->bytes, TL_ENTRY_CANONICAL);

	if (rc != TL_OK)
		return tl__fail_cause(TL_E_STORE_DAMAGED,
			"the root of a database cannot be read; run `tidelock verify`");
	read->found = true;
	read->system = tl__root_is_system(root);
	tl_entry_free(root);
	return TL_OK;
}

/* --- keys ------------------------------------------------------------------------------------- */

bool tl__right_reads(const tl__right *right)
{
	return !tl__str_eq(right->name, TL__STR(TL__DEVICE_KEY_NAME));
}

/* By key, then the better record to act under first: named ones before the device's own, which
 * never grants reading, then the stronger permission, then the name. */
static int by_key(const void *a, const void *b)
{
	const tl__right *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof x->key);

	if (order == 0 && tl__right_reads(x) != tl__right_reads(y))
		order = tl__right_reads(x) ? -1 : 1;
	if (order == 0)
		order = tl_permission_compare(y->permission, x->permission);
	return order != 0 ? order : tl__str_compare(x->name, y->name);
}

static bool read_record(const tl_auth_key *record, tl_str name, tl__right *out)
{
	char text[TL_KEY_TEXT_LEN + 1];

	if (record->status != TL_KEY_ACTIVE || tl__key_decode(&out->key, record->pubkey) != TL_OK)
		return false;
	tl_key_format(&out->key, text);
	out->permission = record->permission;
	out->name = name;
	return tl__str_eq(record->pubkey, tl__str_z(text));
}

/* Names are copied once it is known which stay. */
static int sort_keys(tl__rights *rights, tl__right *keys, size_t count)
{
	size_t kept = 0;

	qsort(keys, count, sizeof *keys, by_key);
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && tl__key_equal(&keys[kept - 1].key, &keys[i].key))
			continue;
		keys[kept] = keys[i];
		keys[kept].name = tl__arena_str(&rights->arena, keys[i].name);
		if (!keys[kept].name.ptr)
			return TL_E_NOMEM;
		rights->bytes += sizeof *keys + sizeof(tl_id) + keys[kept++].name.len;
	}
	rights->keys = keys;
	rights->count = kept;
	return TL_OK;
}

static int read_auth(tl__rights *rights, const tl_auth *auth)
{
	const tl_auth_key *global = tl_auth_global(auth), *record;
	size_t all = tl_auth_key_count(auth), count = 0;
	tl__right *keys = tl__arena_alloc(&rights->arena, all, sizeof *keys);
	tl_str name;

	if (!keys)
		return TL_E_NOMEM;
	rights->is_public = global != NULL;
	if (global)
		rights->public_permission = global->permission;
	for (size_t i = 0; tl_auth_key_at(auth, i, &name, &record); i++)
		if (read_record(record, name, &keys[count]))
			count++;
	return sort_keys(rights, keys, count);
}

const tl__right *tl__rights_of_key(const tl__rights *rights, const tl_key *key)
{
	size_t low = 0, high = rights->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = memcmp(&rights->keys[middle].key, key, sizeof *key);

		if (order == 0)
			return &rights->keys[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* --- one database ----------------------------------------------------------------------------- */

void tl__rights_release(tl__rights *rights)
{
	if (!rights || atomic_fetch_sub(&rights->readers, 1) > 1)
		return;
	tl__arena_free(&rights->arena);
	tl__free(rights);
}

tl_str tl__settings_name(const tl_value *settings)
{
	const tl_value *value = tl_doc_raw(settings, TL__STR("name"));
	tl_str name =
		value && tl_value_type(value) == TL_TEXT ? tl_value_as_text(value) : TL__STR_NULL;

	if (name.len > TL__RIGHTS_NAME_BYTES)
		for (name.len = TL__RIGHTS_NAME_BYTES;
			name.len > 0 && ((unsigned char)name.ptr[name.len] & 0xC0) == 0x80;)
			name.len--;
	return name;
}

static int read_name(tl__rights *rights, const tl_value *settings)
{
	tl_str name = tl__settings_name(settings);

	if (!name.ptr)
		return TL_OK;
	rights->name = tl__arena_str(&rights->arena, name);
	rights->bytes += rights->name.len;
	return rights->name.ptr ? TL_OK : TL_E_NOMEM;
}

static int read_settings(tl__tree *tree, tl__snapshot *s, const tl_id *db, tl__rights *rights)
{
	tl__settings *settings = NULL;
	int rc = tl__settings_now(tree, s, db, &settings);

	if (rc == TL_OK)
		rc = read_auth(rights, settings->auth);
	if (rc == TL_OK)
		rc = read_name(rights, settings->doc);
	tl__settings_release(settings);
	return rc;
}

static int compute(tl__tree *tree, tl__snapshot *s, const tl_id *db, tl__rights **out)
{
	struct root_read root = {0};
	tl__rights *rights;
	int rc = tl__read_entries(s, db, db, 1, TL__WITH_BYTES, look_at_root, &root);

	if (rc == TL_E_DATABASE_NOT_FOUND)
		return TL_OK;
	if (rc != TL_OK || !root.found)
		return rc;
	rights = tl__alloc_zero(1, sizeof *rights);
	if (!rights)
		return TL_E_NOMEM;
	rights->arena = TL__ARENA_INIT;
	rights->system = root.system;
	rights->bytes = sizeof *rights;
	atomic_init(&rights->readers, 1);
	rc = read_settings(tree, s, db, rights);
	if (rc == TL_OK)
		*out = rights;
	else
		tl__rights_release(rights);
	return rc;
}

int tl__rights_compute(tl__tree *tree, const tl_id *db, tl__rights **out)
{
	tl__snapshot *s = NULL;
	int rc = tl__snapshot_open(tree->store, &s);

	*out = NULL;
	if (rc == TL_OK)
		rc = compute(tree, s, db, out);
	tl__snapshot_close(s);
	return rc;
}
