/* Objects whose fields are made when the script reads them. */
#include "script/cell_impl.h"

#include <stdio.h>

/* In the registry, under the address of the array of names: the metatable. Its __index has two
 * upvalues: name -> index, and the values that were made, by index + 1; which of these are of this
 * call is the cell's to know. */

static void raise_unknown(lua_State *L, const tlua_lazy *lazy)
{
	char what[64], key[64];

	snprintf(what, sizeof what, "field in %s called ", lazy->what);
	tlua_copy_text(key, sizeof key, tlua_show(L, 2, NULL));
	tlua_raise_unknown(L, what, key, lua_upvalueindex(1));
}

void *tlua_check_lazy(lua_State *L, int index)
{
	const tlua_cell *cell = tlua_cell_of(L);

	if (lua_type(L, index) != LUA_TUSERDATA)
		luaL_error(L, "this is called with a colon, on the object that it belongs to");
	if (lua_touserdata(L, index) != cell->lazy_object)
		luaL_error(L, "this was valid during its call only: keep the fields that you need");
	return cell->lazy->ud;
}

static int on_read(lua_State *L)
{
	tlua_cell *cell = tlua_cell_of(L);
	lua_Integer index;

	tlua_charge(L, 4);
	(void)tlua_check_lazy(L, 1);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNUMBER)
		raise_unknown(L, cell->lazy);
	index = lua_tointeger(L, -1);
	if (cell->lazy_made & UINT64_C(1) << index) {
		lua_rawgeti(L, lua_upvalueindex(2), index + 1);
		return 1;
	}
	lua_settop(L, 2);
	cell->lazy->push(L, cell->lazy->ud, (size_t)index);
	lua_pushvalue(L, -1);
	lua_rawseti(L, lua_upvalueindex(2), index + 1);
	cell->lazy_made |= UINT64_C(1) << index;
	return 1;
}

static void make_metatable(lua_State *L, const tlua_lazy *lazy)
{
	lua_Integer count = 0;

	lua_createtable(L, 0, 1);
	lua_newtable(L);
	for (; lazy->names[count]; count++) {
		lua_pushinteger(L, count);
		lua_setfield(L, -2, lazy->names[count]);
	}
	lua_createtable(L, (int)count, 0);
	lua_pushcclosure(L, on_read, 2);
	lua_setfield(L, -2, "__index");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, (const void *)lazy->names);
}

void tlua_push_lazy(lua_State *L, const tlua_lazy *lazy)
{
	tlua_cell *cell = tlua_cell_of(L);

	cell->lazy_object = lua_newuserdatauv(L, 0, 0);
	cell->lazy = lazy;
	cell->lazy_made = 0;
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, (const void *)lazy->names) == LUA_TNIL) {
		lua_pop(L, 1);
		make_metatable(L, lazy);
	}
	lua_setmetatable(L, -2);
}

bool tlua_spread_lazy(lua_State *L)
{
	const tlua_cell *cell = tlua_cell_of(L);

	if (!cell->lazy || lua_touserdata(L, 1) != cell->lazy_object)
		return false;
	lua_newtable(L);
	for (const char *const *name = cell->lazy->names; *name; name++) {
		lua_getfield(L, 1, *name);
		lua_setfield(L, -2, *name);
	}
	lua_replace(L, 1);
	return true;
}
