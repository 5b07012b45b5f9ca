/* Table handles: rows are JSON, as Lua values or (the calls with `_json`) as their texts. */
#include "module/core.h"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_TABLE);

	tl_table_free(*handle);
	*handle = NULL;
	return 0;
}

static tl_table *check(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_TABLE);
}

static int table_name(lua_State *L)
{
	tl_str name = tl_table_name(check(L));

	lua_pushlstring(L, name.ptr, name.len);
	return 1;
}

/* insert_json(row) -> the new key */
static int table_insert_json(lua_State *L)
{
	char key[TL_ROW_KEY_LEN + 1] = "";
	int rc = tl_table_insert(check(L), tlua_check_str(L, 2), key);

	lua_pushstring(L, key);
	return tlua_result(L, rc, 1);
}

static int table_set_json(lua_State *L)
{
	return tlua_ok(L, tl_table_set(check(L), tlua_check_str(L, 2), tlua_check_str(L, 3)));
}

static int table_get_json(lua_State *L)
{
	char *row = NULL;
	size_t len = 0;
	int rc = tl_table_get(check(L), tlua_check_str(L, 2), &row, &len);

	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, row, len);
	return 1;
}

/* insert(row) -> the new key */
static int table_insert(lua_State *L)
{
	(void)check(L);
	lua_settop(L, 2);
	tlua_encode_json(L, 2, "row");
	lua_replace(L, 2);
	return table_insert_json(L);
}

static int table_set(lua_State *L)
{
	(void)check(L);
	lua_settop(L, 3);
	tlua_encode_json(L, 3, "row");
	lua_replace(L, 3);
	return table_set_json(L);
}

static int table_get(lua_State *L)
{
	int count = table_get_json(L);

	return count == 1 ? tlua_decode_json(L, tlua_check_str(L, -1)) : count;
}

static int table_contains(lua_State *L)
{
	bool found = false;
	int rc = tl_table_contains(check(L), tlua_check_str(L, 2), &found);

	lua_pushboolean(L, found);
	return tlua_result(L, rc, 1);
}

static int table_delete(lua_State *L)
{
	bool existed = false;
	int rc = tl_table_delete(check(L), tlua_check_str(L, 2), &existed);

	lua_pushboolean(L, existed);
	return tlua_result(L, rc, 1);
}

static int push_each(lua_State *L, tlua_walk_kind kind)
{
	tl_table *table = check(L);
	bool none;
	tl_walk_options options = tlua_check_walk_options(L, 2, &none);
	void **handle = tlua_new_walk(L);
	tl_walk *walk = NULL;
	int rc = none ? TL_OK : tl_table_walk(table, &options, &walk);

	return tlua_push_walk(L, kind, rc, walk, handle);
}

static int table_each(lua_State *L)
{
	return push_each(L, TLUA_WALK_ROWS);
}

static int table_each_json(lua_State *L)
{
	return push_each(L, TLUA_WALK_TEXTS);
}

static int table_count(lua_State *L)
{
	tl_table *table = check(L);
	bool none;
	tl_walk_options options = tlua_check_walk_options(L, 2, &none);
	uint64_t count = 0;
	int rc = none ? TL_OK : tl_table_count_with(table, &options, &count);

	lua_pushinteger(L, (lua_Integer)count);
	return tlua_result(L, rc, 1);
}

static const luaL_Reg methods[] = {{"name", table_name}, {"insert", table_insert},
	{"set", table_set}, {"get", table_get}, {"insert_json", table_insert_json},
	{"set_json", table_set_json}, {"get_json", table_get_json}, {"contains", table_contains},
	{"delete", table_delete}, {"each", table_each}, {"each_json", table_each_json},
	{"count", table_count}, {"close", drop}, {NULL, NULL}};

void tlua_open_table(lua_State *L)
{
	tlua_new_type(L, TLUA_TABLE, methods, drop);
}
