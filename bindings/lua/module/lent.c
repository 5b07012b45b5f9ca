/* A node of a host, lent to its scripts: one handle for each, which gives the node back when it is
 * closed. Apart from node.c, because it opens the whole module, which is built on the handles. */
#include "module/core.h"
#include "tidelock/lua.h"

static const char lent_key; /* of the table in the registry: a node's address -> its handle, weak */

static void push_lent(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lent_key) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &lent_key);
}

/* A handle that a script has closed is no use any more. */
static bool is_open(lua_State *L)
{
	void **handle = lua_touserdata(L, -1);

	return handle && *handle;
}

int tlua_push_node(lua_State *L, tl_node *node)
{
	void **handle;

	luaL_checkstack(L, 8, "a node");
	if (!node) {
		lua_pushnil(L);
		return tl_error_set(TL_E_BAD_ARGUMENT, "tlua_push_node was called without a node");
	}
	luaL_requiref(L, "tidelock", luaopen_tidelock, false);
	push_lent(L);
	lua_rawgetp(L, -1, node);
	if (!is_open(L)) {
		lua_pop(L, 1);
		handle = tlua_new_handle(L, TLUA_NODE);
		lua_pushboolean(L, true);
		lua_setiuservalue(L, -2, 1);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, -3, node);
		*handle = tl_node_retain(node);
	}
	lua_replace(L, -3);
	lua_pop(L, 1);
	return TL_OK;
}
