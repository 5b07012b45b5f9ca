/* What the handle types share: paths and walks. */
#include "module/core.h"

int tlua_written(lua_State *L, int rc)
{
	if (rc == TL_E_TYPE_MISMATCH)
		return luaL_error(L, "%s", tl_error_message(tl_last_error()));
	return tlua_ok(L, rc);
}

/* --- paths ------------------------------------------------------------------------------------ */

static const tl_str *check_components(lua_State *L, int arg, size_t *count)
{
	size_t len;
	tl_str *components = tlua_new_array(L, arg, sizeof *components, &len);

	for (size_t i = 0; i < len; i++) {
		if (lua_geti(L, arg, (lua_Integer)i + 1) != LUA_TSTRING)
			luaL_argerror(L, arg, "a path is a string or a table of strings");
		/* The table keeps the string alive. */
		components[i].ptr = lua_tolstring(L, -1, &components[i].len);
		lua_pop(L, 1);
	}
	*count = len;
	return components;
}

tlua_path tlua_check_path(lua_State *L, int arg)
{
	tlua_path path = {false, {NULL, 0}, NULL, 0};

	path.literal = lua_istable(L, arg);
	if (path.literal)
		path.components = check_components(L, arg, &path.count);
	else
		path.text = tlua_check_str(L, arg);
	return path;
}

/* --- walks ------------------------------------------------------------------------------------ */

void tlua_walk_begin(lua_State *L, tlua_walk *walk, lua_CFunction push)
{
	*walk = (tlua_walk){.L = L, .push = push};
	lua_newtable(L);
	walk->table = lua_gettop(L);
	luaL_checkstack(L, 8, "walk");
}

int tlua_walk_step(tlua_walk *walk, const void *item)
{
	lua_State *L = walk->L;

	walk->item = item;
	walk->count++;
	lua_pushcfunction(L, walk->push);
	lua_pushlightuserdata(L, walk);
	lua_pushvalue(L, walk->table);
	lua_pushinteger(L, walk->count);
	if (lua_pcall(L, 3, 0, 0) == LUA_OK)
		return TL_OK;
	walk->raised = true;
	return TL_E_CANCELLED;
}

int tlua_walk_end(lua_State *L, tlua_walk *walk, int rc)
{
	if (walk->raised)
		return lua_error(L);
	lua_settop(L, walk->table);
	return tlua_result(L, rc, 1);
}

const void *tlua_walk_item(lua_State *L)
{
	return ((const tlua_walk *)lua_touserdata(L, 1))->item;
}

static int push_id(lua_State *L)
{
	tlua_push_id(L, tlua_walk_item(L));
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

static int push_name(lua_State *L)
{
	const tl_str *name = tlua_walk_item(L);

	lua_pushlstring(L, name->ptr, name->len);
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

void tlua_push_address(lua_State *L, const tl_address *address)
{
	char text[530];

	tl_address_format(address, text);
	lua_pushstring(L, text);
}

static int push_address(lua_State *L)
{
	tlua_push_address(L, tlua_walk_item(L));
	lua_rawseti(L, 2, lua_tointeger(L, 3));
	return 0;
}

int tlua_visit_id(void *ud, const tl_id *id)
{
	return tlua_walk_step(ud, id);
}

int tlua_visit_name(void *ud, tl_str name)
{
	return tlua_walk_step(ud, &name);
}

int tlua_visit_address(void *ud, const tl_address *address)
{
	return tlua_walk_step(ud, address);
}

void tlua_walk_ids(lua_State *L, tlua_walk *walk)
{
	tlua_walk_begin(L, walk, push_id);
}

void tlua_walk_names(lua_State *L, tlua_walk *walk)
{
	tlua_walk_begin(L, walk, push_name);
}

void tlua_walk_addresses(lua_State *L, tlua_walk *walk)
{
	tlua_walk_begin(L, walk, push_address);
}
