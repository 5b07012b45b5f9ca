/* Database handles: making them, their default key, single entries. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "tree/api/handles.h"

/* --- life ------------------------------------------------------------------------------------- */

int tl__database_new(tl__host *host, const tl_id *id, tl_database **out)
{
	tl_database *db = tl__alloc_zero(1, sizeof *db);

	*out = NULL;
	if (!db)
		return TL_E_NOMEM;
	if (pthread_mutex_init(&db->mutex, NULL) != 0) {
		tl__free(db);
		return tl__fail(TL_E_NOMEM, "the system gives no more locks");
	}
	atomic_init(&db->owners, 1);
	db->host = host;
	db->id = *id;
	if (host->retain)
		host->retain(host->ud);
	*out = db;
	return TL_OK;
}

tl_database *tl_database_retain(tl_database *db)
{
	if (!db)
		return NULL;
	atomic_fetch_add(&db->owners, 1);
	return db;
}

void tl_database_free(tl_database *db)
{
	tl__host *host;

	if (!db || tl__database_inherited(db) || atomic_fetch_sub(&db->owners, 1) != 1)
		return;
	host = db->host;
	pthread_mutex_destroy(&db->mutex);
	tl__free(db->key_name);
	tl__free(db);
	if (host->release)
		host->release(host->ud);
}

bool tl__database_inherited(const tl_database *db)
{
	return tl__store_inherited(db->host->tree->store);
}

int tl__database_check(const tl_database *db)
{
	int code = tl__store_own(db->host->tree->store);

	return code == TL_OK && db->host->check ? db->host->check(db->host->ud) : code;
}

int tl__database_snapshot(const tl_database *db, tl__snapshot **out)
{
	int code = tl__database_check(db);

	*out = NULL;
	return code == TL_OK ? tl__snapshot_open_warm(db->host->tree->store, out) : code;
}

const tl_id *tl_database_root_id(const tl_database *db)
{
	if (!db)
		return NULL;
	return &db->id;
}

/* --- default key ------------------------------------------------------------------------------ */

static void swap_key(tl_database *db, char *name)
{
	char *old;

	pthread_mutex_lock(&db->mutex);
	old = db->key_name;
	db->key_name = name;
	pthread_mutex_unlock(&db->mutex);
	tl__free(old);
}

TL__PUBLIC(tl_database_set_default_auth_key, db, (tl_database *db, tl_str key_name), (db, key_name))
{
	int code = tl__store_own(db->host->tree->store);
	char *copy;

	if (code != TL_OK)
		return code;
	if (key_name.len == 0)
		return tl__fail(TL_E_BAD_ARGUMENT, "the name of a private key is missing");
	copy = tl__copy_bytes(key_name.ptr, key_name.len);
	if (!copy)
		return TL_E_NOMEM;
	swap_key(db, copy);
	return TL_OK;
}

void tl_database_clear_default_auth_key(tl_database *db)
{
	if (db && !tl__database_inherited(db))
		swap_key(db, NULL);
}

TL__PUBLIC(tl_database_default_auth_key, db && out, (tl_database *db, char **out), (db, out))
{
	int code = tl__store_own(db->host->tree->store);

	*out = NULL;
	if (code != TL_OK)
		return code;
	pthread_mutex_lock(&db->mutex);
	if (db->key_name) {
		*out = tl__copy_bytes(db->key_name, strlen(db->key_name));
		code = *out ? TL_OK : TL_E_NOMEM;
	}
	pthread_mutex_unlock(&db->mutex);
	return code;
}

/* --- hooks ------------------------------------------------------------------------------------ */

TL__PUBLIC(tl_database_add_hook, db && hook,
	(tl_database *db, const tl_hook *hook, uint64_t *handle), (db, hook, handle))
{
	int code = tl__database_check(db);

	if (code != TL_OK)
		return code;
	if (!db->host->hooks)
		return tl__fail(TL_E_UNSUPPORTED, "commits to this database call no hooks");
	return tl__hooks_add(db->host->hooks, &db->id, hook, handle);
}

void tl_database_remove_hook(tl_database *db, uint64_t handle)
{
	if (db && db->host->hooks && !tl__database_inherited(db))
		tl__hooks_remove(db->host->hooks, &db->id, handle);
}

/* --- settings --------------------------------------------------------------------------------- */

static int settings_now(tl_database *db, tl__settings **out)
{
	tl__snapshot *s;
	int code = tl__database_snapshot(db, &s);

	*out = NULL;
	if (code == TL_OK)
		code = tl__settings_now(db->host->tree, s, &db->id, out);
	tl__snapshot_close(s);
	return code;
}

TL__PUBLIC(tl_database_settings, db && out, (tl_database *db, tl_value **out), (db, out))
{
	tl__settings *settings;
	int code = settings_now(db, &settings);

	*out = NULL;
	if (code != TL_OK)
		return code;
	*out = tl_value_copy(settings->doc);
	tl__settings_release(settings);
	return *out ? TL_OK : TL_E_NOMEM;
}

TL__PUBLIC(tl_database_name, db && out, (tl_database *db, char **out, size_t *len), (db, out, len))
{
	tl_settings_store *settings;
	int code = tl_database_settings_store(db, &settings);

	*out = NULL;
	if (code == TL_OK)
		code = tl_settings_store_get_name(settings, out, len);
	tl_settings_store_free(settings);
	return code;
}

TL__PUBLIC(tl_database_get_sigkey_permission, db && out,
	(tl_database *db, tl_str name, tl_permission *out), (db, name, out))
{
	tl__settings *settings;
	const tl_auth_key *key;
	int code = settings_now(db, &settings);

	if (code != TL_OK)
		return code;
	key = tl_auth_find_key(settings->auth, name);
	if (!key)
		code = tl__fail(TL_E_KEY_NOT_FOUND, "the database has no key named `%.*s`",
			TL__STR_ARG(name));
	else if (key->status != TL_KEY_ACTIVE)
		code = tl__fail(TL_E_INSUFFICIENT_PERMISSIONS, "the key `%.*s` is revoked",
			TL__STR_ARG(name));
	else
		*out = key->permission;
	tl__settings_release(settings);
	return code;
}

typedef struct found_key {
	tl_str name;
	tl_permission permission;
} found_key;

/* Strongest first, then by name. */
static void sort_found(found_key *found, size_t count)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = i; j > 0 && tl_permission_compare(found[j].permission,
						    found[j - 1].permission) > 0;
			j--) {
			found_key moved = found[j];

			found[j] = found[j - 1];
			found[j - 1] = moved;
		}
}

TL__PUBLIC(tl_database_find_sigkeys, db && visit,
	(tl_database *db, tl_str pubkey, tl_sigkey_visit visit, void *ud), (db, pubkey, visit, ud))
{
	tl__settings *settings;
	const tl_auth_key *key = NULL;
	found_key *found;
	tl_str name = TL__STR_NULL;
	size_t count = 0;
	int code = settings_now(db, &settings);

	if (code != TL_OK)
		return code;
	found = tl__alloc_zero(tl_auth_key_count(settings->auth) + 1, sizeof *found);
	if (!found)
		code = TL_E_NOMEM;
	for (size_t i = 0; found && tl_auth_key_at(settings->auth, i, &name, &key); i++)
		if (key->status == TL_KEY_ACTIVE &&
			(tl__str_eq(key->pubkey, pubkey) || key == tl_auth_global(settings->auth)))
			found[count++] = (found_key){name, key->permission};
	sort_found(found, count);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		code = visit(ud, found[i].name, found[i].permission);
	tl__free(found);
	tl__settings_release(settings);
	return code == TL_STOP ? TL_OK : code;
}

/* --- stores ----------------------------------------------------------------------------------- */

TL__PUBLIC(tl_database_doc_store, db && out,
	(tl_database *db, tl_str name, tl_doc_store **out), (db, name, out))
{
	return tl__doc_store_new(out, NULL, NULL, db, name);
}

TL__PUBLIC(tl_database_table, db && out,
	(tl_database *db, tl_str name, tl_table **out), (db, name, out))
{
	return tl__table_new(out, NULL, NULL, db, name);
}

TL__PUBLIC(tl_database_settings_store, db && out,
	(tl_database *db, tl_settings_store **out), (db, out))
{
	return tl__settings_store_new(out, NULL, NULL, db);
}

/* --- views ------------------------------------------------------------------------------------ */

TL__PUBLIC(tl_database_at, db && out,
	(tl_database *db, const tl_id *tips, size_t count, tl_view **out), (db, tips, count, out))
{
	tl_view *view = tl__alloc_zero(1, sizeof *view);
	tl__snapshot *s = NULL;
	int code;

	*out = NULL;
	if (!view)
		return TL_E_NOMEM;
	if (pthread_mutex_init(&view->mutex, NULL) != 0) {
		tl__free(view);
		return tl__fail(TL_E_NOMEM, "the system gives no more locks");
	}
	atomic_init(&view->owners, 1);
	view->db = tl_database_retain(db);
	tl__basis_init(&view->basis);
	code = tl__database_snapshot(db, &s);
	if (code == TL_OK)
		code = tl__basis_take_given(&view->basis, s, &db->id, tips, count, true);
	tl__snapshot_close(s);
	if (code == TL_OK)
		*out = view;
	else
		tl_view_free(view);
	return code;
}

void tl_view_free(tl_view *view)
{
	if (!view || tl__database_inherited(view->db) || atomic_fetch_sub(&view->owners, 1) != 1)
		return;
	tl__basis_free(&view->basis);
	pthread_mutex_destroy(&view->mutex);
	tl_database_free(view->db);
	tl__free(view);
}

TL__PUBLIC(tl_view_doc_store, view && out,
	(tl_view *view, tl_str name, tl_doc_store **out), (view, name, out))
{
	return tl__doc_store_new(out, NULL, view, NULL, name);
}

TL__PUBLIC(tl_view_table, view && out,
	(tl_view *view, tl_str name, tl_table **out), (view, name, out))
{
	return tl__table_new(out, NULL, view, NULL, name);
}

TL__PUBLIC(tl_view_settings_store, view && out,
	(tl_view *view, tl_settings_store **out), (view, out))
{
	return tl__settings_store_new(out, NULL, view, NULL);
}
