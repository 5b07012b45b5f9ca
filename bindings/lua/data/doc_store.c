/* DocStore handles. Keys are paths: a string is split at its dots, a table is taken literally. */
#include "module/core.h"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_DOC_STORE);

	tl_doc_store_free(*handle);
	*handle = NULL;
	return 0;
}

static tl_doc_store *check(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_DOC_STORE);
}

static int store_name(lua_State *L)
{
	tl_str name = tl_doc_store_name(check(L));

	lua_pushlstring(L, name.ptr, name.len);
	return 1;
}

/* --- reading ---------------------------------------------------------------------------------- */

static int push_read(lua_State *L, int rc, tl_value *value)
{
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned_value(L, value);
	return 1;
}

static int read_path(lua_State *L, const tlua_path *path, tl_value **out)
{
	return path->literal
		       ? tl_doc_store_get_at_path(check(L), path->components, path->count, out)
		       : tl_doc_store_get(check(L), path->text, out);
}

static int store_get(lua_State *L)
{
	tlua_path path = tlua_check_path(L, 2);
	tl_value *value = NULL;
	int rc = read_path(L, &path, &value);

	return push_read(L, rc, value);
}

/* Absent values are nil without an error. */
static int store_get_option(lua_State *L)
{
	tlua_path path = tlua_check_path(L, 2);
	tl_value *value = NULL;
	int rc = path.literal ? read_path(L, &path, &value)
			      : tl_doc_store_get_option(check(L), path.text, &value);

	if (rc == TL_E_KEY_NOT_FOUND)
		rc = TL_OK;
	return push_read(L, rc, value);
}

static const char *const type_names[] = {
	"null", "bool", "int", "text", "doc", "list", "deleted", NULL};

static int store_get_as(lua_State *L)
{
	tl_str path = tlua_check_str(L, 2);
	tl_type type = (tl_type)tlua_check_choice(L, 3, NULL, type_names);
	tl_value *value = NULL;
	int rc = tl_doc_store_get_as(check(L), path, type, &value);

	return push_read(L, rc, value);
}

static int get_typed(lua_State *L, tl_type type)
{
	tl_value *value = NULL;
	int rc = tl_doc_store_get_as(check(L), tlua_check_str(L, 2), type, &value);

	return push_read(L, rc, value);
}

static int store_get_string(lua_State *L)
{
	return get_typed(L, TL_TEXT);
}

static int store_get_int(lua_State *L)
{
	return get_typed(L, TL_INT);
}

static int store_get_bool(lua_State *L)
{
	return get_typed(L, TL_BOOL);
}

static int store_get_list(lua_State *L)
{
	return get_typed(L, TL_LIST);
}

static int store_get_node(lua_State *L)
{
	return get_typed(L, TL_DOC);
}

static int store_get_all(lua_State *L)
{
	tl_value *value = NULL;
	int rc = tl_doc_store_get_all(check(L), &value);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned_raw(L, value);
	return 1;
}

static int store_contains(lua_State *L)
{
	tlua_path path = tlua_check_path(L, 2);
	bool found = false;
	int rc = path.literal ? tl_doc_store_contains_at_path(
					check(L), path.components, path.count, &found)
			      : tl_doc_store_contains_key(check(L), path.text, &found);

	lua_pushboolean(L, found);
	return tlua_result(L, rc, 1);
}

/* each([path [, options]]): the visible children of the Doc there. */
static int store_each(lua_State *L)
{
	tl_str path = lua_isnoneornil(L, 2) ? (tl_str){"", 0} : tlua_check_str(L, 2);
	tl_doc_store *store = check(L);
	bool none;
	tl_walk_options options = tlua_check_walk_options(L, 3, &none);
	void **handle = tlua_new_walk(L);
	tl_walk *walk = NULL;
	int rc = none ? TL_OK : tl_doc_store_walk(store, path, &options, &walk);

	return tlua_push_walk(L, TLUA_WALK_MEMBERS, rc, walk, handle);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int store_set(lua_State *L)
{
	tl_doc_store *store = check(L);
	tlua_path path = tlua_check_path(L, 2);
	tl_value *value = tlua_check_value(L, 3);

	return tlua_written(L,
		path.literal ? tl_doc_store_set_at_path(store, path.components, path.count, value)
			     : tl_doc_store_set(store, path.text, value));
}

static int store_set_string(lua_State *L)
{
	return tlua_written(
		L, tl_doc_store_set_string(check(L), tlua_check_str(L, 2), tlua_check_str(L, 3)));
}

static int store_set_list(lua_State *L)
{
	tl_doc_store *store = check(L);
	tl_str path = tlua_check_str(L, 2);

	luaL_checkudata(L, 3, TLUA_LIST);
	return tlua_written(L, tl_doc_store_set_list(store, path, tlua_check_value(L, 3)));
}

static int store_set_node(lua_State *L)
{
	tl_doc_store *store = check(L);
	tl_str path = tlua_check_str(L, 2);

	luaL_checktype(L, 3, LUA_TTABLE);
	return tlua_written(L, tl_doc_store_set_node(store, path, tlua_check_value(L, 3)));
}

/* insert(key, value) -> the visible value replaced, or nil; the key is literal. */
static int store_insert(lua_State *L)
{
	tl_doc_store *store = check(L);
	tl_str key = tlua_check_str(L, 2);
	tl_value *previous = NULL;
	int rc = tl_doc_store_insert(store, key, tlua_check_value(L, 3), &previous);

	return push_read(L, rc, previous);
}

static int store_merge(lua_State *L)
{
	tl_doc_store *store = check(L);
	tlua_path path = tlua_check_path(L, 2);
	tl_value *doc;

	luaL_checktype(L, 3, LUA_TTABLE);
	doc = tlua_check_value(L, 3);
	return tlua_written(L,
		path.literal ? tl_doc_store_merge_at_path(store, path.components, path.count, doc)
			     : tl_doc_store_merge(store, path.text, doc));
}

/* delete(path) -> whether a value was visible. */
static int store_delete(lua_State *L)
{
	tlua_path path = tlua_check_path(L, 2);
	bool existed = false;
	int rc = path.literal ? tl_doc_store_delete_at_path(
					check(L), path.components, path.count, &existed)
			      : tl_doc_store_delete(check(L), path.text, &existed);

	if (rc != TL_OK)
		return tlua_written(L, rc);
	lua_pushboolean(L, existed);
	return 1;
}

static int store_clear(lua_State *L)
{
	return tlua_ok(L, tl_doc_store_clear(check(L)));
}

static int store_get_or_insert(lua_State *L)
{
	tl_doc_store *store = check(L);
	tl_str path = tlua_check_str(L, 2);
	tl_value *out = NULL;
	int rc = tl_doc_store_get_or_insert(store, path, tlua_check_value(L, 3), &out);

	if (rc != TL_OK)
		return tlua_written(L, rc);
	return push_read(L, rc, out);
}

static const luaL_Reg methods[] = {{"name", store_name}, {"get", store_get},
	{"get_value", store_get}, {"get_result", store_get}, {"get_path", store_get},
	{"get_at_path", store_get}, {"get_option", store_get_option},
	{"get_path_option", store_get_option}, {"get_as", store_get_as},
	{"get_path_as", store_get_as}, {"get_string", store_get_string}, {"get_int", store_get_int},
	{"get_bool", store_get_bool}, {"get_list", store_get_list}, {"get_node", store_get_node},
	{"get_all", store_get_all}, {"contains_key", store_contains},
	{"contains_path", store_contains}, {"each", store_each}, {"set", store_set},
	{"set_value", store_set}, {"set_path", store_set}, {"set_at_path", store_set},
	{"set_string", store_set_string}, {"set_list", store_set_list},
	{"set_node", store_set_node}, {"insert", store_insert}, {"set_result", store_insert},
	{"merge", store_merge}, {"delete", store_delete}, {"clear", store_clear},
	{"get_or_insert", store_get_or_insert}, {"get_or_insert_path", store_get_or_insert},
	{"close", drop}, {NULL, NULL}};

void tlua_open_doc_store(lua_State *L)
{
	tlua_new_type(L, TLUA_DOC_STORE, methods, drop);
}
