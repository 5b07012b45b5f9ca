/* Database handles and views of a database at given tips. */
#include <string.h>
#include "module/core.h"
#include "module/hook.h"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_DATABASE);

	tl_database_free(*handle);
	*handle = NULL;
	return 0;
}

static tl_database *check(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_DATABASE);
}

static int database_root_id(lua_State *L)
{
	tlua_push_id(L, tl_database_root_id(check(L)));
	return 1;
}

static int database_name(lua_State *L)
{
	char *name = NULL;
	size_t len = 0;
	int rc = tl_database_name(check(L), &name, &len);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, name, len);
	return 1;
}

static int database_set_default_auth_key(lua_State *L)
{
	return tlua_ok(L, tl_database_set_default_auth_key(check(L), tlua_check_str(L, 2)));
}

static int database_clear_default_auth_key(lua_State *L)
{
	tl_database_clear_default_auth_key(check(L));
	return 0;
}

static int database_default_auth_key(lua_State *L)
{
	char *name = NULL;
	int rc = tl_database_default_auth_key(check(L), &name);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, name, name ? strlen(name) : 0);
	return 1;
}

/* --- who may do what -------------------------------------------------------------------------- */

static void push_permission(lua_State *L, tl_permission permission)
{
	char text[24];

	tl_permission_format(permission, text);
	lua_pushstring(L, text);
}

static int database_get_sigkey_permission(lua_State *L)
{
	tl_permission permission;
	int rc = tl_database_get_sigkey_permission(check(L), tlua_check_str(L, 2), &permission);

	if (rc != TL_OK)
		return tlua_fail(L);
	push_permission(L, permission);
	return 1;
}

struct sigkey {
	tl_str name;
	tl_permission permission;
};

static int push_sigkey(lua_State *L)
{
	const struct sigkey *sigkey = tlua_walk_item(L);

	lua_createtable(L, 0, 2);
	lua_pushlstring(L, sigkey->name.ptr, sigkey->name.len);
	lua_setfield(L, -2, "name");
	push_permission(L, sigkey->permission);
	lua_setfield(L, -2, "permission");
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_sigkey(void *ud, tl_str name, tl_permission permission)
{
	struct sigkey sigkey = {name, permission};

	return tlua_walk_step(ud, &sigkey);
}

static int database_find_sigkeys(lua_State *L)
{
	tl_database *db = check(L);
	tlua_walk walk;
	tl_key key;

	if (!tlua_read_key(L, 2, &key))
		return tlua_fail(L);
	tlua_walk_begin(L, &walk, push_sigkey);
	return tlua_walk_end(
		L, &walk, tl_database_find_sigkeys(db, tlua_check_str(L, 2), visit_sigkey, &walk));
}

/* --- entries ---------------------------------------------------------------------------------- */

static int database_tips(lua_State *L)
{
	tl_database *db = check(L);
	tlua_walk walk;

	tlua_walk_ids(L, &walk);
	return tlua_walk_end(L, &walk, tl_database_tips(db, tlua_visit_id, &walk));
}

static int database_store_names(lua_State *L)
{
	tl_database *db = check(L);
	tlua_walk walk;

	tlua_walk_names(L, &walk);
	return tlua_walk_end(L, &walk, tl_database_store_names(db, tlua_visit_name, &walk));
}

static int database_has(lua_State *L)
{
	tl_database *db = check(L);
	bool has = false;
	tl_id id;

	if (!tlua_read_id(L, 2, &id) || tl_database_has(db, &id, &has) != TL_OK)
		return tlua_fail(L);
	lua_pushboolean(L, has);
	return 1;
}

static int database_get_entry(lua_State *L)
{
	tl_database *db = check(L);
	tl_entry *entry = NULL;
	void **handle;
	tl_id id;
	int rc;

	if (!tlua_read_id(L, 2, &id))
		return tlua_fail(L);
	handle = tlua_new_entry(L);
	rc = tl_database_get_entry(db, &id, &entry);
	return tlua_opened(L, handle, rc, entry);
}

static int push_info(lua_State *L)
{
	const tl_entry_info *info = tlua_walk_item(L);

	lua_createtable(L, 0, 6);
	tlua_push_id(L, &info->id);
	lua_setfield(L, -2, "id");
	lua_pushinteger(L, (lua_Integer)info->arrival);
	lua_setfield(L, -2, "arrival");
	lua_pushinteger(L, (lua_Integer)info->height);
	lua_setfield(L, -2, "height");
	lua_pushinteger(L, (lua_Integer)info->bytes);
	lua_setfield(L, -2, "size");
	lua_pushboolean(L, info->is_void);
	lua_setfield(L, -2, "is_void");
	lua_createtable(L, (int)info->parent_count, 0);
	for (size_t i = 0; i < info->parent_count; i++) {
		tlua_push_id(L, &info->parents[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_setfield(L, -2, "parents");
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_info(void *ud, const tl_entry_info *info)
{
	return tlua_walk_step(ud, info);
}

/* changes_page(since, limit) -> array of entry records; the Lua half iterates. */
static int database_changes(lua_State *L)
{
	tl_database *db = check(L);
	lua_Integer since = luaL_optinteger(L, 2, 0), limit = luaL_optinteger(L, 3, 0);
	tlua_walk walk;

	luaL_argcheck(L, since >= 0, 2, "an arrival number is not negative");
	luaL_argcheck(L, limit >= 0, 3, "a limit is not negative");
	tlua_walk_begin(L, &walk, push_info);
	return tlua_walk_end(L, &walk,
		tl_database_changes(db, (uint64_t)since, (size_t)limit, visit_info, &walk));
}

static int database_log(lua_State *L)
{
	tl_database *db = check(L);
	lua_Integer limit = luaL_optinteger(L, 2, 0);
	tlua_walk walk;

	luaL_argcheck(L, limit >= 0, 2, "a limit is not negative");
	tlua_walk_begin(L, &walk, push_info);
	return tlua_walk_end(L, &walk, tl_database_log(db, (size_t)limit, visit_info, &walk));
}

static int database_arrival(lua_State *L)
{
	uint64_t arrival = 0;
	int rc = tl_database_arrival(check(L), &arrival);

	lua_pushinteger(L, (lua_Integer)arrival);
	return tlua_result(L, rc, 1);
}

static void set_count(lua_State *L, const char *name, uint64_t count)
{
	lua_pushinteger(L, (lua_Integer)count);
	lua_setfield(L, -2, name);
}

static int database_counts(lua_State *L)
{
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	int rc = tl_database_count(check(L), &counts);

	if (rc != TL_OK)
		return tlua_fail(L);
	lua_createtable(L, 0, 5);
	set_count(L, "entries", counts.entries);
	set_count(L, "void_entries", counts.void_entries);
	set_count(L, "void_bytes", counts.void_bytes);
	set_count(L, "pending", counts.pending);
	set_count(L, "quarantined", counts.quarantined);
	return 1;
}

/* --- export ----------------------------------------------------------------------------------- */

/* The walk's "table" is the function that gets the lines. */
static int push_line(lua_State *L)
{
	const tl_str *bytes = tlua_walk_item(L);

	lua_pushvalue(L, 2);
	lua_pushlstring(L, bytes->ptr, bytes->len);
	lua_call(L, 1, 0);
	return 0;
}

static int visit_export(void *ud, uint64_t arrival, tl_str bytes)
{
	(void)arrival;
	return tlua_walk_step(ud, &bytes);
}

/* export(fn): fn gets the canonical bytes of each entry, in arrival order. */
static int database_export(lua_State *L)
{
	tl_database *db = check(L);
	tlua_walk walk = {.L = L, .push = push_line, .table = 2};
	int rc;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	luaL_checkstack(L, 8, "export");
	rc = tl_database_export(db, visit_export, &walk);
	if (walk.raised)
		return lua_error(L);
	return tlua_ok(L, rc);
}

/* --- history ---------------------------------------------------------------------------------- */

static int push_step(lua_State *L)
{
	const tl_history_step *step = tlua_walk_item(L);

	lua_createtable(L, 0, 5);
	tlua_push_id(L, &step->id);
	lua_setfield(L, -2, "id");
	set_count(L, "height", step->height);
	lua_pushlstring(L, step->author.ptr, step->author.len);
	lua_setfield(L, -2, "author");
	lua_pushboolean(L, step->is_void);
	lua_setfield(L, -2, "is_void");
	tlua_push_raw(L, step->value);
	lua_setfield(L, -2, "value");
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int visit_step(void *ud, const tl_history_step *step)
{
	return tlua_walk_step(ud, step);
}

/* history_of(store, path): the path is split at its dots, or a table of literal components. */
static int database_history_of(lua_State *L)
{
	tl_database *db = check(L);
	tl_str store = tlua_check_str(L, 2);
	tlua_path path;
	tlua_walk walk;

	luaL_checktype(L, 3, LUA_TTABLE);
	path = tlua_check_path(L, 3);
	tlua_walk_begin(L, &walk, push_step);
	return tlua_walk_end(L, &walk,
		tl_database_history_of(db, store, path.components, path.count, visit_step, &walk));
}

/* --- stores, views, transactions -------------------------------------------------------------- */

static int database_doc(lua_State *L)
{
	tl_database *db = check(L);
	tl_str name = tlua_check_str(L, 2);
	void **handle = tlua_new_handle(L, TLUA_DOC_STORE);
	tl_doc_store *store = NULL;
	int rc = tl_database_doc_store(db, name, &store);

	return tlua_opened(L, handle, rc, store);
}

static int database_table(lua_State *L)
{
	tl_database *db = check(L);
	tl_str name = tlua_check_str(L, 2);
	void **handle = tlua_new_handle(L, TLUA_TABLE);
	tl_table *table = NULL;
	int rc = tl_database_table(db, name, &table);

	return tlua_opened(L, handle, rc, table);
}

static int database_settings(lua_State *L)
{
	tl_database *db = check(L);
	void **handle = tlua_new_handle(L, TLUA_SETTINGS);
	tl_settings_store *settings = NULL;
	int rc = tl_database_settings_store(db, &settings);

	return tlua_opened(L, handle, rc, settings);
}

static int database_at(lua_State *L)
{
	tl_database *db = check(L);
	size_t count;
	const tl_id *tips;
	tl_view *view = NULL;
	void **handle;
	int rc;

	if (!tlua_read_ids(L, 2, &tips, &count))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_VIEW);
	rc = tl_database_at(db, tips, count, &view);
	return tlua_opened(L, handle, rc, view);
}

/* new_transaction([tips]) */
static int database_new_transaction(lua_State *L)
{
	tl_database *db = check(L);
	bool present = lua_isnoneornil(L, 2);
	tl_transaction *tx = NULL;
	const tl_id *tips = NULL;
	size_t count = 0;
	void **handle;
	int rc;

	if (!present && !tlua_read_ids(L, 2, &tips, &count))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_TRANSACTION);
	rc = present ? tl_transaction_new(db, &tx)
		     : tl_transaction_new_with_tips(db, tips, count, &tx);
	return tlua_opened(L, handle, rc, tx);
}

/* add_hook{ before_commit =, on_entry_committed = } -> a number that names it for remove_hook */
static int database_add_hook(lua_State *L)
{
	tl_database *db = check(L);
	tl_hook hook = tlua_check_hook(L, 2);
	uint64_t handle = 0;
	int rc = tl_database_add_hook(db, &hook, &handle);

	if (rc != TL_OK)
		hook.drop(hook.ud);
	lua_pushinteger(L, (lua_Integer)handle);
	return tlua_result(L, rc, 1);
}

static int database_remove_hook(lua_State *L)
{
	tl_database_remove_hook(check(L), (uint64_t)luaL_checkinteger(L, 2));
	return 0;
}

static const luaL_Reg methods[] = {{"root_id", database_root_id}, {"get_name", database_name},
	{"set_default_auth_key", database_set_default_auth_key},
	{"clear_default_auth_key", database_clear_default_auth_key},
	{"default_auth_key", database_default_auth_key},
	{"get_sigkey_permission", database_get_sigkey_permission},
	{"find_sigkeys", database_find_sigkeys}, {"get_tips", database_tips},
	{"store_names", database_store_names}, {"has", database_has},
	{"get_entry", database_get_entry}, {"changes_page", database_changes},
	{"log", database_log}, {"arrival", database_arrival}, {"counts", database_counts},
	{"export", database_export}, {"verify", tlua_database_verify},
	{"history_at", database_history_of}, {"doc", database_doc}, {"table", database_table},
	{"settings", database_settings}, {"get_settings", database_settings}, {"at", database_at},
	{"new_transaction", database_new_transaction},
	{"new_transaction_with_tips", database_new_transaction}, {"add_hook", database_add_hook},
	{"remove_hook", database_remove_hook}, {"close", drop}, {NULL, NULL}};

/* --- views ------------------------------------------------------------------------------------ */

static int view_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_VIEW);

	tl_view_free(*handle);
	*handle = NULL;
	return 0;
}

static int view_doc(lua_State *L)
{
	tl_view *view = tlua_check_handle(L, 1, TLUA_VIEW);
	tl_str name = tlua_check_str(L, 2);
	void **handle = tlua_new_handle(L, TLUA_DOC_STORE);
	tl_doc_store *store = NULL;
	int rc = tl_view_doc_store(view, name, &store);

	return tlua_opened(L, handle, rc, store);
}

static int view_table(lua_State *L)
{
	tl_view *view = tlua_check_handle(L, 1, TLUA_VIEW);
	tl_str name = tlua_check_str(L, 2);
	void **handle = tlua_new_handle(L, TLUA_TABLE);
	tl_table *table = NULL;
	int rc = tl_view_table(view, name, &table);

	return tlua_opened(L, handle, rc, table);
}

static int view_settings(lua_State *L)
{
	tl_view *view = tlua_check_handle(L, 1, TLUA_VIEW);
	void **handle = tlua_new_handle(L, TLUA_SETTINGS);
	tl_settings_store *settings = NULL;
	int rc = tl_view_settings_store(view, &settings);

	return tlua_opened(L, handle, rc, settings);
}

static const luaL_Reg view_methods[] = {{"doc", view_doc}, {"table", view_table},
	{"settings", view_settings}, {"get_settings", view_settings}, {"close", view_drop},
	{NULL, NULL}};

void tlua_open_database(lua_State *L)
{
	tlua_new_type(L, TLUA_DATABASE, methods, drop);
	tlua_new_type(L, TLUA_VIEW, view_methods, view_drop);
}
