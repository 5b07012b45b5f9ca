/* Tables whose fields are made when the script reads them. */
#include "script/cell_impl.h"

#include <stdio.h>

/* In the registry: the metatable, under the address of the array of names. */

/* The upvalue maps a name to its index. */
static int on_read(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);
	lua_Integer index;

	tlua_charge(L, 4);
	if (lua_topointer(L, 1) != cell->lazy_table)
		luaL_error(L, "this was valid during its call only: keep the fields that you need");
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNUMBER) {
		char what[64], key[64];

		snprintf(what, sizeof what, "field in %s called ", cell->lazy->what);
		tlua_copy_text(key, sizeof key, tlua_show(L, 2, NULL));
		tlua_raise_unknown(L, what, key, lua_upvalueindex(1));
	}
	index = lua_tointeger(L, -1);
	lua_settop(L, 2);
	cell->lazy->push(L, cell->lazy->ud, (size_t)index);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, 1);
	return 1;
}

static void make_metatable(lua_State *L, const tlua_lazy *lazy)
{
	lua_createtable(L, 0, 1);
	lua_newtable(L);
	for (lua_Integer i = 0; lazy->names[i]; i++) {
		lua_pushinteger(L, i);
		lua_setfield(L, -2, lazy->names[i]);
	}
	lua_pushcclosure(L, on_read, 1);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, (const void *)lazy->names);
}

void tlua_push_lazy(lua_State *L, const tlua_lazy *lazy)
{
	tlua_cell *cell = tlua_cell_of(L);

	lua_createtable(L, 0, 8);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, (const void *)lazy->names) == LUA_TNIL) {
		lua_pop(L, 1);
		make_metatable(L, lazy);
	}
	lua_setmetatable(L, -2);
	cell->lazy = lazy;
	cell->lazy_table = lua_topointer(L, -1);
}
