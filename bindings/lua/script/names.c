/* How values are shown, and names that are not there. */
#include <string.h>
#include "script/cell_impl.h"
#include "script/distance.h"

/* --- values as texts -------------------------------------------------------------------------- */

const char *tlua_show(lua_State *L, int index, size_t *len)
{
	int type = lua_type(L, index);

	index = lua_absindex(L, index);
	if (type == LUA_TBOOLEAN)
		lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
	else if (type == LUA_TNIL)
		lua_pushliteral(L, "nil");
	else if (type != LUA_TSTRING && type != LUA_TNUMBER)
		lua_pushfstring(L, "(a %s)", lua_typename(L, type));
	if (lua_gettop(L) > index && type != LUA_TSTRING && type != LUA_TNUMBER)
		lua_replace(L, index);
	return lua_tolstring(L, index, len); /* a number becomes its text */
}

/* --- names that are not there ----------------------------------------------------------------- */

const char *tlua_nearest(lua_State *L, const char *word, int names)
{
	size_t len = strlen(word), least = (len / 2 > 2 ? len / 2 : 2) + 1;
	const char *best = NULL;

	least = len < least ? len : least;
	names = lua_absindex(L, names);
	lua_pushnil(L);
	while (lua_next(L, names)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
		size_t distance;

		lua_pop(L, 1);
		tlua_charge(L, 20);
		if (!name)
			continue;
		distance = tlua_distance(word, name);
		if (distance < least || (distance == least && best && strcmp(name, best) < 0)) {
			least = distance;
			best = name;
		}
	}
	return best;
}

void tlua_raise_unknown(lua_State *L, const char *what, const char *key, int names)
{
	const char *near = tlua_nearest(L, key, names);

	if (near)
		luaL_error(L, "there is no %s%s here; did you mean %s?", what, key, near);
	luaL_error(L, "there is no %s%s here", what, key);
}

/* __index of a table of names; the first upvalue is what they belong to ("string."). */
static int on_unknown(lua_State *L)
{
	const char *what = lua_tostring(L, lua_upvalueindex(1));
	char key[64];

	lua_settop(L, 2);
	tlua_copy_text(key, sizeof key, tlua_show(L, 2, NULL));
	tlua_raise_unknown(L, what, key, 1);
	return 0;
}

/* Scripts cannot reach the metatable. */
void tlua_guard(lua_State *L, const char *what)
{
	lua_createtable(L, 0, 1);
	lua_pushstring(L, what);
	lua_pushcclosure(L, on_unknown, 1);
	lua_setfield(L, -2, "__index");
	lua_setmetatable(L, -2);
}

void tlua_fill(lua_State *L, const char *module, const luaL_Reg *functions)
{
	luaL_setfuncs(L, functions, 0);
	lua_pushfstring(L, "%s.", module);
	lua_insert(L, -2);
	tlua_guard(L, lua_tostring(L, -2));
	lua_remove(L, -2);
}
