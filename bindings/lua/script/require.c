/* require: modules of the library, and files beside the script. */
#include "script/cell_impl.h"

#include <stdlib.h>
#include <string.h>

/* In the registry: what was required, by name. */
#define LOADED "tidelock.loaded"

static int compile_found(lua_State *L)
{
	const tlua_found *found = lua_touserdata(L, 1);

	tlua_compile(L, found->name, (tl_str){found->text, found->len});
	return 1;
}

/* Pushes its function; the text is released in any case. Returns whether it is one of the
 * library's. */
static bool push_file(lua_State *L, const char *name)
{
	tlua_found found;
	int status;

	lua_pushcfunction(L, compile_found);
	lua_pushlightuserdata(L, &found);
	tlua_find(L, TLUA_MODULE, name, &found);
	status = lua_pcall(L, 1, 1, 0);
	if (!found.ours)
		free(found.text);
	if (status == LUA_ERRMEM && tlua_cell_of(L)->end == TLUA_FINE)
		tlua_stop_full(L);
	if (status != LUA_OK)
		lua_error(L);
	if (found.ours) {
		lua_getfield(L, LUA_REGISTRYINDEX, TLUA_OWN);
		(void)lua_setupvalue(L, -2, 1);
	}
	return found.ours;
}

/* callable(t, fn): calling the table calls the function. For the library's halves alone: scripts
 * have no objects, and a function is no table that is called in turn. */
static int call_inner(lua_State *L)
{
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_replace(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

static int callable(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_createtable(L, 0, 1);
	lua_insert(L, 2);
	lua_pushcclosure(L, call_inner, 1);
	lua_setfield(L, 2, "__call");
	lua_setmetatable(L, 1);
	return 1;
}

/* --- modules in C ----------------------------------------------------------------------------- */

/* nearest(word, names): the nearest of these names (name -> true), when it is near enough. */
static int nearest(lua_State *L)
{
	const char *word = luaL_checkstring(L, 1), *near;

	luaL_checktype(L, 2, LUA_TTABLE);
	near = tlua_nearest(L, word, 2);
	if (near)
		lua_pushstring(L, near);
	else
		lua_pushnil(L);
	return 1;
}

/* Pushes it as `require` gives it; false: pushes nothing. */
static bool push_native(lua_State *L, const char *name)
{
	if (strcmp(name, "tidelock.text") == 0)
		tlua_env_text(L);
	else if (strcmp(name, "tidelock.keyring") == 0)
		lua_pushcfunction(L, tlua_keyring);
	else if (strcmp(name, "tidelock.script.within") == 0)
		lua_pushcfunction(L, tlua_keys_within);
	else if (strcmp(name, "tidelock.script.nearest") == 0)
		lua_pushcfunction(L, nearest);
	else
		return false;
	return true;
}

/* --- require ---------------------------------------------------------------------------------- */

static void load_module(lua_State *L, const char *name)
{
	bool half;

	if (push_native(L, name))
		return;
	half = push_file(L, name);
	lua_pushvalue(L, 1);
	lua_pushcfunction(L, callable);
	lua_settop(L, half ? -1 : -2);
	lua_call(L, half ? 2 : 1, 1);
	if (lua_isnil(L, -1) || (lua_isboolean(L, -1) && !lua_toboolean(L, -1)))
		luaL_error(L, "'%s' returns nothing", name);
	if (half && strcmp(name, "tidelock.policy") == 0)
		tlua_guard(L, "policy."); /* a mistyped preset is what people begin with */
}

/* What is being loaded is known until it is there, or until whoever catches its error
 * (environment.c).
 */
static void begin(lua_State *L, const char *name)
{
	tlua_cell *cell = tlua_cell_of(L);
	char *place = cell->requiring[cell->requires];

	for (unsigned i = 0; i < cell->requires; i++)
		if (strncmp(cell->requiring[i], name, TLUA_WHERE_MAX - 1) == 0)
			luaL_error(L, "'%s' requires itself", name);
	if (cell->requires == TLUA_REQUIRE_DEPTH)
		luaL_error(L, "modules require each other at most %d deep", TLUA_REQUIRE_DEPTH);
	tlua_copy_text(place, TLUA_WHERE_MAX, name);
	cell->requires ++;
}

int tlua_require(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);

	lua_settop(L, 1);
	tlua_charge(L, 10);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
	lua_pushvalue(L, 1);
	if (lua_rawget(L, 2) != LUA_TNIL)
		return 1;
	begin(L, name);
	load_module(L, name);
	tlua_cell_of(L)->requires --;
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -2);
	lua_rawset(L, 2);
	return 1;
}

void tlua_push_half(lua_State *L, const char *name)
{
	lua_pushcfunction(L, tlua_require);
	lua_pushstring(L, name);
	lua_call(L, 1, 1);
}
