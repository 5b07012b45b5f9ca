/* SettingsStore handles. Permissions are texts: 'read', 'write:10', 'admin:0'. */
#include "module/core.h"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_SETTINGS);

	tl_settings_store_free(*handle);
	*handle = NULL;
	return 0;
}

static tl_settings_store *check(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_SETTINGS);
}

static int settings_get_name(lua_State *L)
{
	char *name = NULL;
	size_t len = 0;
	int rc = tl_settings_store_get_name(check(L), &name, &len);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, name, len);
	return 1;
}

static int settings_set_name(lua_State *L)
{
	return tlua_ok(L, tl_settings_store_set_name(check(L), tlua_check_str(L, 2)));
}

/* get(path): any other setting. */
static int settings_get(lua_State *L)
{
	tlua_path path = tlua_check_path(L, 2);
	tl_doc_store *doc = tl_settings_store_doc(check(L));
	tl_value *value = NULL;
	int rc = path.literal ? tl_doc_store_get_at_path(doc, path.components, path.count, &value)
			      : tl_doc_store_get(doc, path.text, &value);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned_value(L, value);
	return 1;
}

static int settings_set(lua_State *L)
{
	tlua_path path = tlua_check_path(L, 2);
	tl_doc_store *doc = tl_settings_store_doc(check(L));
	tl_value *value = tlua_check_value(L, 3);

	return tlua_written(
		L, path.literal ? tl_doc_store_set_at_path(doc, path.components, path.count, value)
				: tl_doc_store_set(doc, path.text, value));
}

static int settings_get_all(lua_State *L)
{
	tl_value *value = NULL;
	int rc = tl_doc_store_get_all(tl_settings_store_doc(check(L)), &value);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned_raw(L, value);
	return 1;
}

/* --- key records ------------------------------------------------------------------------------ */

static void push_key(lua_State *L, const tl_auth_key *key)
{
	char permission[24];

	tl_permission_format(key->permission, permission);
	lua_createtable(L, 0, 3);
	lua_pushlstring(L, key->pubkey.ptr, key->pubkey.len);
	lua_setfield(L, -2, "pubkey");
	lua_pushstring(L, permission);
	lua_setfield(L, -2, "permission");
	lua_pushstring(L, key->status == TL_KEY_ACTIVE ? "active" : "revoked");
	lua_setfield(L, -2, "status");
}

static int settings_get_auth_key(lua_State *L)
{
	tl_auth_key key;
	int rc = tl_settings_store_get_auth_key(check(L), tlua_check_str(L, 2), &key);

	if (rc != TL_OK)
		return tlua_fail(L);
	push_key(L, &key);
	return 1;
}

struct named_key {
	tl_str name;
	const tl_auth_key *key;
};

static int push_named_key(lua_State *L)
{
	const struct named_key *item = tlua_walk_item(L);

	push_key(L, item->key);
	lua_pushlstring(L, item->name.ptr, item->name.len);
	lua_setfield(L, -2, "name");
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_key(void *ud, tl_str name, const tl_auth_key *key)
{
	struct named_key item = {name, key};

	return tlua_walk_step(ud, &item);
}

static int settings_list_auth_keys(lua_State *L)
{
	tl_settings_store *settings = check(L);
	tlua_walk walk;

	tlua_walk_begin(L, &walk, push_named_key);
	return tlua_walk_end(
		L, &walk, tl_settings_store_list_auth_keys(settings, visit_key, &walk));
}

/* add_auth_key(pubkey, permission [, name]) */
static int settings_add_auth_key(lua_State *L)
{
	tl_settings_store *settings = check(L);
	tl_permission permission;

	if (!tlua_read_permission(L, 3, &permission))
		return tlua_fail(L);
	return tlua_ok(L, tl_settings_store_add_auth_key(
				  settings, tlua_opt_str(L, 4), tlua_check_str(L, 2), permission));
}

/* set_auth_key(pubkey, permission [, name [, 'active' | 'revoked']]) */
static int settings_set_auth_key(lua_State *L)
{
	static const char *const statuses[] = {"active", "revoked", NULL};
	tl_key_status status = (tl_key_status)tlua_check_choice(L, 5, "active", statuses);
	tl_settings_store *settings = check(L);
	tl_permission permission;

	if (!tlua_read_permission(L, 3, &permission))
		return tlua_fail(L);
	return tlua_ok(L, tl_settings_store_set_auth_key(settings, tlua_opt_str(L, 4),
				  tlua_check_str(L, 2), permission, status));
}

static int settings_revoke_auth_key(lua_State *L)
{
	return tlua_ok(L, tl_settings_store_revoke_auth_key(check(L), tlua_check_str(L, 2)));
}

static int settings_remove_auth_record(lua_State *L)
{
	return tlua_ok(L, tl_settings_store_remove_auth_record(check(L), tlua_check_str(L, 2)));
}

/* set_global(permission [, status]) */
static int settings_set_global(lua_State *L)
{
	static const char *const statuses[] = {"active", "revoked", NULL};
	tl_key_status status = (tl_key_status)tlua_check_choice(L, 3, "active", statuses);
	tl_settings_store *settings = check(L);
	tl_permission permission;

	if (!tlua_read_permission(L, 2, &permission))
		return tlua_fail(L);
	return tlua_ok(L, tl_settings_store_set_global(settings, permission, status));
}

/* add_delegated_tree(name, root, max [, { min =, tips = }]) */
static int settings_add_delegated_tree(lua_State *L)
{
	static const char *const options[] = {"min", "tips", NULL};
	tl_settings_store *settings = check(L);
	tl_str name = tlua_check_str(L, 2);
	tl_permission max, min;
	const tl_id *tips = NULL;
	size_t tip_count = 0;
	bool has_min, good;
	tl_id root;

	tlua_check_options(L, 5, options);
	good = tlua_read_id(L, 3, &root) && tlua_read_permission(L, 4, &max);
	has_min = good && tlua_option(L, 5, "min");
	if (has_min)
		good = tlua_read_permission(L, lua_gettop(L), &min);
	if (good && tlua_option(L, 5, "tips"))
		good = tlua_read_ids(L, lua_gettop(L), &tips, &tip_count);
	if (!good)
		return tlua_fail(L);
	return tlua_ok(L, tl_settings_store_add_delegated_tree(settings, name, &root, tips,
				  tip_count, max, has_min ? &min : NULL));
}

static const luaL_Reg methods[] = {{"get_name", settings_get_name}, {"set_name", settings_set_name},
	{"get", settings_get}, {"set", settings_set}, {"get_all", settings_get_all},
	{"get_auth_key", settings_get_auth_key}, {"list_auth_keys", settings_list_auth_keys},
	{"add_auth_key", settings_add_auth_key}, {"set_auth_key", settings_set_auth_key},
	{"revoke_auth_key", settings_revoke_auth_key},
	{"remove_auth_record", settings_remove_auth_record}, {"set_global", settings_set_global},
	{"add_delegated_tree", settings_add_delegated_tree}, {"close", drop}, {NULL, NULL}};

void tlua_open_settings(lua_State *L)
{
	tlua_new_type(L, TLUA_SETTINGS, methods, drop);
}
