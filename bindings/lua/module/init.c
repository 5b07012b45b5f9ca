/* Finds every module of the library: C ones by their openers, Lua ones in the embedded strings. */
#include <string.h>
#include "module/halves.h"
#include "module/lib.h"

static const luaL_Reg openers[] = {{"tidelock.core", luaopen_tidelock_core},
	{"tidelock.crypto", luaopen_tidelock_crypto}, {"tidelock.entry", luaopen_tidelock_entry},
	{"tidelock.doc", luaopen_tidelock_doc}, {"tidelock.json", luaopen_tidelock_json},
	{"tidelock.log_core", luaopen_tidelock_log_core},
	{"tidelock.script_core", luaopen_tidelock_script_core},
	{"tidelock.store", luaopen_tidelock_store},
	{"tidelock.transport_core", luaopen_tidelock_transport_core}, {NULL, NULL}};

/* A preload function: its upvalue is the half. */
static int open_half(lua_State *L)
{
	const struct tlua_half *half = lua_touserdata(L, lua_upvalueindex(1));

	lua_pushfstring(L, "@tidelock:%s", half->module);
	if (luaL_loadbufferx(L, half->text, half->len, lua_tostring(L, -1), "t") != LUA_OK)
		return lua_error(L);
	lua_pushvalue(L, 1);
	lua_call(L, 1, 1);
	return 1;
}

/* Makes every module findable by require without a path. */
static void preload_all(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	for (const luaL_Reg *opener = openers; opener->name; opener++) {
		lua_pushcfunction(L, opener->func);
		lua_setfield(L, -2, opener->name);
	}
	for (const struct tlua_half *half = tlua_halves; half->module; half++) {
		lua_pushlightuserdata(L, (void *)(uintptr_t)half);
		lua_pushcclosure(L, open_half, 1);
		/* "tidelock.init" is what `require 'tidelock'` gives; luaopen_tidelock calls it. */
		lua_setfield(L, -2, half->module);
	}
	lua_pop(L, 1);
}

/* Opens a module whose face is its Lua half. */
static int require_half(lua_State *L, const char *half)
{
	preload_all(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_getfield(L, -1, half);
	lua_pushstring(L, half);
	lua_call(L, 1, 1);
	return 1;
}

int luaopen_tidelock(lua_State *L)
{
	preload_all(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "tidelock.init");
	lua_call(L, 1, 1);
	return 1;
}

int luaopen_tidelock_transport(lua_State *L)
{
	return require_half(L, "tidelock.transport");
}

int luaopen_tidelock_log(lua_State *L)
{
	return require_half(L, "tidelock.log");
}

int luaopen_tidelock_loop(lua_State *L)
{
	return require_half(L, "tidelock.loop");
}

int luaopen_tidelock_policy(lua_State *L)
{
	return require_half(L, "tidelock.policy");
}

int luaopen_tidelock_rule(lua_State *L)
{
	return require_half(L, "tidelock.rule");
}

int luaopen_tidelock_keyring(lua_State *L)
{
	return require_half(L, "tidelock.keyring");
}

int luaopen_tidelock_text(lua_State *L)
{
	return require_half(L, "tidelock.text");
}
