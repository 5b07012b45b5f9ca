/* The globals of a cell, and the functions of Lua's base library that there are. */
#include "script/cell_impl.h"

#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

static int env_tostring(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_settop(L, 1);
	tlua_charge(L, 2);
	tlua_show(L, 1, NULL);
	return 1;
}

/* The value of a digit in a base up to 36; 36: none. */
static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 36;
}

static const char *skip_space(const char *at, const char *end)
{
	while (at < end && *at && strchr(" \f\n\r\t\v", *at))
		at++;
	return at;
}

/* Wraps around, as Lua's. */
static int number_in_base(lua_State *L, const char *at, size_t len, int base)
{
	const char *end = at + len;
	lua_Unsigned value = 0;
	bool minus;

	at = skip_space(at, end);
	minus = at < end && *at == '-';
	at += minus;
	if (at == end || digit_of(*at) >= base)
		return 0;
	for (; at < end && digit_of(*at) < base; at++)
		value = value * (lua_Unsigned)base + (lua_Unsigned)digit_of(*at);
	if (skip_space(at, end) != end)
		return 0;
	lua_pushinteger(L, (lua_Integer)(minus ? 0 - value : value));
	return 1;
}

static int env_tonumber(lua_State *L)
{
	size_t len = 0;
	const char *text;
	lua_Integer base;
	int done = 0;

	luaL_checkany(L, 1);
	if (lua_isnoneornil(L, 2) && lua_type(L, 1) != LUA_TSTRING) {
		tlua_charge(L, 1);
		lua_settop(L, 1);
		if (lua_type(L, 1) != LUA_TNUMBER)
			lua_pushnil(L);
		return 1;
	}
	base = luaL_optinteger(L, 2, 0);
	luaL_checktype(L, 1, LUA_TSTRING);
	luaL_argcheck(
		L, lua_isnoneornil(L, 2) || (base >= 2 && base <= 36), 2, "base out of range");
	text = lua_tolstring(L, 1, &len);
	tlua_charge_bytes(L, len);
	if (!lua_isnoneornil(L, 2))
		done = number_in_base(L, text, len, (int)base);
	else
		done = lua_stringtonumber(L, text) == len + 1;
	if (!done)
		lua_pushnil(L);
	return 1;
}

static int env_type(lua_State *L)
{
	luaL_checkany(L, 1);
	tlua_charge(L, 1);
	lua_pushstring(L, luaL_typename(L, 1));
	return 1;
}

static int env_select(lua_State *L)
{
	int count = lua_gettop(L);
	lua_Integer n;

	tlua_charge(L, (uint64_t)count);
	if (lua_type(L, 1) == LUA_TSTRING && lua_tostring(L, 1)[0] == '#') {
		lua_pushinteger(L, count - 1);
		return 1;
	}
	n = luaL_checkinteger(L, 1);
	if (n < 0)
		n = count + n;
	else if (n > count)
		n = count;
	luaL_argcheck(L, n >= 1, 1, "index out of range");
	return count - (int)n;
}

/* --- errors ----------------------------------------------------------------------------------- */

static int env_assert(lua_State *L)
{
	int count = lua_gettop(L);

	luaL_checkany(L, 1);
	tlua_charge(L, (uint64_t)count);
	if (lua_toboolean(L, 1))
		return count;
	if (count == 1)
		return luaL_error(L, "assertion failed!");
	lua_settop(L, 2);
	return lua_error(L);
}

static int env_error(lua_State *L)
{
	lua_Integer level = luaL_optinteger(L, 2, 1);

	lua_settop(L, 1);
	tlua_charge(L, 10);
	if (lua_type(L, 1) == LUA_TSTRING && level > 0 && level < 200) {
		tlua_charge_string(L, lua_rawlen(L, 1));
		luaL_where(L, (int)level);
		lua_pushvalue(L, 1);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* What a limit has ended is not to be caught, and neither is the want of memory: what was half done
 * then would be gone on with. */
static int env_pcall(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);
	unsigned requires = cell->requires;
	int status;

	luaL_checkany(L, 1);
	tlua_charge(L, 10 + (uint64_t)lua_gettop(L));
	lua_pushboolean(L, true);
	lua_insert(L, 1);
	status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	if (cell->end != TLUA_FINE)
		tlua_stop(L, cell->end);
	if (status == LUA_ERRMEM)
		tlua_stop_full(L);
	if (status == LUA_OK)
		return lua_gettop(L);
	cell->requires = requires;
	lua_pushboolean(L, false);
	lua_insert(L, -2);
	return 2;
}

/* --- the globals ------------------------------------------------------------------------------ */

static void set_me(lua_State *L, const tlua_cell_options *options)
{
	lua_createtable(L, 0, 2);
	if (options->me_name.ptr) {
		tlua_push_text(L, options->me_name);
		lua_setfield(L, -2, "name");
	}
	if (options->me_key.ptr) {
		tlua_push_text(L, options->me_key);
		lua_setfield(L, -2, "key");
	}
	lua_setfield(L, -2, "me");
}

/* Pushes what the table at -1 holds, once more, and the tables in it as well down to `deep`. */
static void push_copy(lua_State *L, int deep)
{
	int from = lua_gettop(L);

	lua_newtable(L);
	lua_pushnil(L);
	while (lua_next(L, from)) {
		if (deep > 0 && lua_istable(L, -1)) {
			push_copy(L, deep - 1);
			lua_remove(L, -2);
		}
		lua_pushvalue(L, -2);
		lua_insert(L, -2);
		lua_rawset(L, from + 1);
	}
	if (lua_getmetatable(L, from)) /* its guard */
		lua_setmetatable(L, -2);
}

/* The environment as it is before the script runs, for the library's halves: what a script gives to
 * its globals, or puts into `string`, is its own affair. */
static void keep_own(lua_State *L)
{
	push_copy(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, TLUA_OWN);
}

/* s:find(…) */
static void set_string_methods(lua_State *L)
{
	lua_pushliteral(L, "");
	lua_createtable(L, 0, 1);
	lua_getfield(L, LUA_REGISTRYINDEX, TLUA_OWN);
	lua_getfield(L, -1, "string");
	lua_remove(L, -2);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

void tlua_env_environment(lua_State *L, const tlua_cell_options *options)
{
	static const luaL_Reg functions[] = {{"assert", env_assert}, {"error", env_error},
		{"ipairs", tlua_ipairs}, {"next", tlua_next}, {"pairs", tlua_pairs},
		{"pcall", env_pcall}, {"print", tlua_print}, {"require", tlua_require},
		{"select", env_select}, {"tonumber", env_tonumber}, {"tostring", env_tostring},
		{"type", env_type}, {NULL, NULL}};
	static const struct {
		const char *name;
		void (*open)(lua_State *L);
	} modules[] = {{"string", tlua_env_string}, {"table", tlua_env_table},
		{"math", tlua_env_math}, {"utf8", tlua_env_utf8}, {"text", tlua_env_text},
		{"log", tlua_env_log}};

	lua_pushglobaltable(L);
	luaL_setfuncs(L, functions, 0);
	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
		modules[i].open(L);
		lua_setfield(L, -2, modules[i].name);
	}
	set_me(L, options);
	keep_own(L);
	set_string_methods(L);
	tlua_guard(L, "");
	lua_pop(L, 1);
}
