/* tidelock.json: JSON for people and scripts (cJSON). Whole numbers are exact up to 2^53; texts
 * with NUL characters, which cJSON would cut, are refused. Entries and documents have their own
 * readers. */
#include <math.h>
#include <string.h>
#include <cjson/cJSON.h>
#include "lib.h"

#define DEPTH_MAX 100
#define WHOLE_MAX 9007199254740992.0 /* 2^53 */

#define ARRAY_TYPE "tidelock.json.array"

static void push_json(lua_State *L, const cJSON *item, int depth);

/* The table on top is written as an array again, also when it is empty. */
static void mark_array(lua_State *L)
{
	luaL_newmetatable(L, ARRAY_TYPE);
	lua_setmetatable(L, -2);
}

static void push_members(lua_State *L, const cJSON *item, int depth)
{
	lua_Integer at = 0;

	lua_newtable(L);
	if (cJSON_IsArray(item))
		mark_array(L);
	for (const cJSON *child = item->child; child; child = child->next) {
		/* A hole would cut the array short. */
		if (cJSON_IsArray(item) && cJSON_IsNull(child))
			tlua_push_null(L);
		else
			push_json(L, child, depth + 1);
		if (cJSON_IsArray(item))
			lua_rawseti(L, -2, ++at);
		else
			lua_setfield(L, -2, child->string);
	}
}

static void push_json(lua_State *L, const cJSON *item, int depth)
{
	luaL_checkstack(L, 4, "JSON is nested too deeply");
	if (cJSON_IsBool(item))
		lua_pushboolean(L, cJSON_IsTrue(item));
	else if (cJSON_IsNumber(item) && item->valuedouble == floor(item->valuedouble) &&
		 fabs(item->valuedouble) <= WHOLE_MAX)
		lua_pushinteger(L, (lua_Integer)item->valuedouble);
	else if (cJSON_IsNumber(item))
		lua_pushnumber(L, item->valuedouble);
	else if (cJSON_IsString(item))
		lua_pushstring(L, item->valuestring);
	else if (cJSON_IsNull(item))
		lua_pushnil(L);
	else
		push_members(L, item, depth);
}

static int push_whole(lua_State *L)
{
	push_json(L, lua_touserdata(L, 1), 0);
	return 1;
}

static int json_decode(lua_State *L)
{
	tl_str text = tlua_check_str(L, 1);
	const char *end = NULL;
	cJSON *item = memchr(text.ptr, 0, text.len) || strstr(text.ptr, "\\u0000")
			      ? NULL
			      : cJSON_ParseWithLengthOpts(text.ptr, text.len + 1, &end, true);
	int rc;

	if (!item) {
		lua_pushnil(L);
		lua_pushfstring(L, "no JSON at byte %d", end ? (int)(end - text.ptr) + 1 : 1);
		return 2;
	}
	/* Pushing may raise (memory); the tree must go all the same. */
	lua_pushcfunction(L, push_whole);
	lua_pushlightuserdata(L, item);
	rc = lua_pcall(L, 1, 1, 0);
	cJSON_Delete(item);
	return rc == LUA_OK ? 1 : lua_error(L);
}

/* --- encode ----------------------------------------------------------------------------------- */

static cJSON *to_json(lua_State *L, int index, int depth);

/* Items under construction hang on the parent at once, and the root on a guard, so that a raise
 * releases everything. */
static void add_member(lua_State *L, cJSON *object, const char *key, cJSON *item)
{
	if (!item || !cJSON_AddItemToObject(object, key, item)) {
		cJSON_Delete(item);
		luaL_error(L, "not enough memory");
	}
}

static bool is_array(lua_State *L, int index)
{
	bool marked = false;

	if (lua_getmetatable(L, index)) {
		luaL_getmetatable(L, ARRAY_TYPE);
		marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	return marked || lua_rawlen(L, index) > 0;
}

static void fill_array(lua_State *L, cJSON *array, int index, int depth)
{
	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, index); i++) {
		cJSON *item;

		lua_rawgeti(L, index, i);
		item = to_json(L, lua_gettop(L), depth + 1);
		if (!item || !cJSON_AddItemToArray(array, item)) {
			cJSON_Delete(item);
			luaL_error(L, "not enough memory");
		}
		lua_pop(L, 1);
	}
}

/* Keys in ascending order: the same table gives the same text. */
static void push_sorted_keys(lua_State *L, int index)
{
	lua_Integer count = 0;

	lua_newtable(L);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "JSON objects have string keys");
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, ++count);
	}
	lua_getglobal(L, "table");
	lua_getfield(L, -1, "sort");
	lua_remove(L, -2);
	lua_pushvalue(L, -2);
	lua_call(L, 1, 0);
}

static void fill_object(lua_State *L, cJSON *object, int index, int depth)
{
	int keys;

	push_sorted_keys(L, index);
	keys = lua_gettop(L);
	for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, keys); i++) {
		lua_rawgeti(L, keys, i);
		lua_pushvalue(L, -1);
		lua_rawget(L, index);
		add_member(L, object, lua_tostring(L, -2), to_json(L, lua_gettop(L), depth + 1));
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
}

struct guard {
	cJSON *item;
};

static int guard_drop(lua_State *L)
{
	struct guard *guard = lua_touserdata(L, 1);

	cJSON_Delete(guard->item);
	guard->item = NULL;
	return 0;
}

static struct guard *push_guard(lua_State *L)
{
	struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);

	guard->item = NULL;
	if (luaL_newmetatable(L, "tidelock.json.guard")) {
		lua_pushcfunction(L, guard_drop);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	return guard;
}

static cJSON *table_to_json(lua_State *L, int index, int depth)
{
	bool array = is_array(L, index);
	struct guard *guard = push_guard(L);
	cJSON *item;

	guard->item = array ? cJSON_CreateArray() : cJSON_CreateObject();
	if (!guard->item)
		luaL_error(L, "not enough memory");
	array ? fill_array(L, guard->item, index, depth)
	      : fill_object(L, guard->item, index, depth);
	item = guard->item;
	guard->item = NULL;
	lua_pop(L, 1);
	return item;
}

/* cJSON prints whole numbers above 10^15 otherwise than written, so numbers go in as texts. */
static cJSON *number_to_json(lua_State *L, int index)
{
	lua_Number number = lua_tonumber(L, index);
	cJSON *item;

	if (!isfinite(number))
		luaL_error(L, "JSON has no %s", luaL_tolstring(L, index, NULL));
	item = cJSON_CreateRaw(luaL_tolstring(L, index, NULL));
	lua_pop(L, 1);
	return item;
}

static cJSON *text_to_json(lua_State *L, int index)
{
	tl_str text = tlua_check_str(L, index);

	if (memchr(text.ptr, 0, text.len))
		luaL_error(L, "texts with NUL characters cannot be written as JSON here");
	return cJSON_CreateString(text.ptr);
}

static cJSON *to_json(lua_State *L, int index, int depth)
{
	if (depth > DEPTH_MAX)
		luaL_error(L, "JSON nests at most %d levels", DEPTH_MAX);
	luaL_checkstack(L, 10, "JSON is nested too deeply");
	switch (lua_type(L, index)) {
	case LUA_TNIL: return cJSON_CreateNull();
	case LUA_TBOOLEAN: return cJSON_CreateBool(lua_toboolean(L, index));
	case LUA_TNUMBER: return number_to_json(L, index);
	case LUA_TSTRING: return text_to_json(L, index);
	case LUA_TTABLE: return table_to_json(L, index, depth);
	case LUA_TUSERDATA:
		if (tlua_is_null(L, index))
			return cJSON_CreateNull();
		/* fall through */
	default: luaL_error(L, "a %s cannot be written as JSON", luaL_typename(L, index));
	}
	return NULL;
}

static int json_encode(lua_State *L)
{
	static const char *const options[] = {"pretty", NULL};
	struct guard *guard;
	char *text;

	luaL_checkany(L, 1);
	tlua_check_options(L, 2, options);
	guard = push_guard(L);
	guard->item = to_json(L, 1, 0);
	text = guard->item ? tlua_option_bool(L, 2, "pretty", false)
				     ? cJSON_Print(guard->item)
				     : cJSON_PrintUnformatted(guard->item)
			   : NULL;
	if (!text)
		return luaL_error(L, "not enough memory");
	lua_pushstring(L, text);
	cJSON_free(text);
	return 1;
}

/* Marks a table as an array, so that an empty one is written as []. */
static int json_array(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	mark_array(L);
	return 1;
}

static const luaL_Reg functions[] = {
	{"decode", json_decode}, {"encode", json_encode}, {"array", json_array}, {NULL, NULL}};

int luaopen_tidelock_json(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
