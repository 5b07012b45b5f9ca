/* How values are shown, and names that are not there. */
#include <string.h>
#include "script/cell_impl.h"
#include "script/words.h"

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

tlua_near tlua_near_to(const char *word)
{
	size_t len = strlen(word), least = (len / 2 > 2 ? len / 2 : 2) + 1;

	return (tlua_near){word, NULL, len < least ? len : least};
}

void tlua_near_try(lua_State *L, tlua_near *near, const char *name)
{
	size_t distance;

	tlua_charge(L, 20);
	distance = tlua_distance(near->word, name);
	if (distance < near->least ||
		(distance == near->least && near->best && strcmp(name, near->best) < 0)) {
		near->least = distance;
		near->best = name;
	}
}

static tlua_near nearest(lua_State *L, const char *word, int names)
{
	tlua_near near = tlua_near_to(word);

	names = lua_absindex(L, names);
	lua_pushnil(L);
	while (lua_next(L, names)) {
		const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;

		lua_pop(L, 1);
		if (name)
			tlua_near_try(L, &near, name);
	}
	return near;
}

const char *tlua_nearest(lua_State *L, const char *word, int names)
{
	return nearest(L, word, names).best;
}

void tlua_raise_near(lua_State *L, const char *what, const tlua_near *near)
{
	if (near->best)
		luaL_error(
			L, "there is no %s%s here; did you mean %s?", what, near->word, near->best);
	luaL_error(L, "there is no %s%s here", what, near->word);
}

void tlua_raise_unknown(lua_State *L, const char *what, const char *key, int names)
{
	tlua_near near = nearest(L, key, names);

	tlua_raise_near(L, what, &near);
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
