/* tidelock.core: what the Lua half (lua/tidelock/) builds the public modules on. */
#include "module/core.h"
#include "module/hook.h"
#include "host/handle.h"

/* methods(type) -> the method table of a handle type, so that the Lua half can add to it. */
static int core_methods(lua_State *L)
{
	if (luaL_getmetatable(L, luaL_checkstring(L, 1)) != LUA_TTABLE)
		return luaL_argerror(L, 1, "no such type");
	lua_getfield(L, -1, "__index");
	return 1;
}

static int core_version(lua_State *L)
{
	lua_pushstring(L, tl_version());
	return 1;
}

static int core_duration(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)tlua_check_duration(L, 1));
	return 1;
}

static int core_size(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)tlua_check_size(L, 1));
	return 1;
}

/* distance(a, b) -> how many letters two short names differ in */
static int core_distance(lua_State *L)
{
	lua_pushinteger(
		L, (lua_Integer)tlua_distance(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
	return 1;
}

/* escape(text) -> the text, fit for a terminal */
static int core_escape(lua_State *L)
{
	tl_str text = tlua_check_str(L, 1);
	size_t len = tl_text_escape(text, NULL, 0);
	luaL_Buffer buffer;

	tl_text_escape(text, luaL_buffinitsize(L, &buffer, len + 1), len + 1);
	luaL_pushresultsize(&buffer, len);
	return 1;
}

/* record(text, error) -> the table, or nil and the error */
static int core_record(lua_State *L)
{
	if (lua_isnil(L, 1))
		return lua_gettop(L);
	return tlua_decode_record(L, tlua_check_str(L, 1));
}

/* misuse(text): blames whoever called the Lua half */
static int core_misuse(lua_State *L)
{
	return luaL_error(L, "%s", luaL_checkstring(L, 1));
}

/* bad_argument(number, text): the same, of an argument of the method that was called; self counts
 */
static int core_bad_argument(lua_State *L)
{
	return tlua_misuse_of(L, (int)luaL_checkinteger(L, 1), luaL_checkstring(L, 2));
}

static const luaL_Reg functions[] = {{"misuse", core_misuse}, {"bad_argument", core_bad_argument},
	{"control", tlua_control}, {"bell", tlua_bell}, {"escape", core_escape},
	{"distance", core_distance}, {"record", core_record}, {"methods", core_methods},
	{"version", core_version}, {"duration", core_duration}, {"size", core_size}, {NULL, NULL}};

int luaopen_tidelock_core(lua_State *L)
{
	luaL_requiref(L, "tidelock.entry", luaopen_tidelock_entry, false);
	luaL_requiref(L, "tidelock.store", luaopen_tidelock_store, false);
	tlua_open_doc_store(L);
	tlua_open_table(L);
	tlua_open_walk(L);
	tlua_open_settings(L);
	tlua_open_transaction(L);
	tlua_open_database(L);
	tlua_open_hooks(L);
	tlua_open_op(L);
	tlua_open_node(L);
	tlua_open_sync(L);
	tlua_open_sync_peers(L);
	tlua_open_script(L);
	tlua_push_error_type(L);
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	lua_pushliteral(L, TL_BACKUP_PARTIAL);
	lua_setfield(L, -2, "backup_partial");
	lua_newtable(L);
#define SET_KIND(symbol, number, name)                                                             \
	lua_pushboolean(L, true);                                                                  \
	lua_setfield(L, -2, name);
	TL_EVENT_KINDS(SET_KIND)
#undef SET_KIND
	lua_setfield(L, -2, "event_kinds");
	return 1;
}
