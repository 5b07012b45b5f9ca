/* Where in a table something stands, for errors: "rows.tags[3] is a function". */
#include <stdio.h>
#include "module/lib.h"

#define SHOWN_KEY 80 /* bytes of a key in an error */

tlua_place tlua_place_below(lua_State *L, int index, const tlua_place *above)
{
	return (tlua_place){.above = above,
		.table = lua_topointer(L, index),
		.depth = above ? above->depth + 1 : 1};
}

static bool is_name(tl_str key)
{
	for (size_t i = 0; i < key.len; i++) {
		char c = key.ptr[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return key.len > 0 && key.len <= SHOWN_KEY;
}

static void add_key(luaL_Buffer *out, tl_str key, bool first)
{
	size_t len = key.len < SHOWN_KEY ? key.len : SHOWN_KEY;

	if (is_name(key)) {
		luaL_addstring(out, first ? "" : ".");
		luaL_addlstring(out, key.ptr, key.len);
		return;
	}
	luaL_addstring(out, "[\"");
	for (size_t i = 0; i < len; i++)
		luaL_addchar(out, key.ptr[i] >= ' ' && key.ptr[i] < 0x7f ? key.ptr[i] : '?');
	luaL_addstring(out, len < key.len ? "...\"]" : "\"]");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as what is walked, which tlua_check_depth bounds */
static void add_place(luaL_Buffer *out, const tlua_place *at)
{
	char item[32];

	if (at->above)
		add_place(out, at->above);
	if (at->key.ptr) {
		add_key(out, at->key, !at->above);
		return;
	}
	snprintf(item, sizeof item, "[%lld]", (long long)at->item);
	luaL_addstring(out, item);
}

int tlua_refuse_at(lua_State *L, const tlua_place *at, const char *what)
{
	luaL_Buffer where;

	lua_pushstring(L, what);
	luaL_buffinit(L, &where);
	if (at)
		add_place(&where, at);
	else
		luaL_addstring(&where, "the value");
	luaL_pushresult(&where);
	return luaL_error(L, "%s %s", lua_tostring(L, -1), lua_tostring(L, -2));
}

void tlua_check_depth(lua_State *L, int index, const tlua_place *at, unsigned limit)
{
	const void *table = lua_topointer(L, index);

	if (!at || at->depth < limit)
		return;
	for (const tlua_place *above = at; above; above = above->above)
		if (above->table == table)
			tlua_refuse_at(L, at, "contains itself");
	lua_pushfstring(L, "is nested too deeply: there are at most %d levels", (int)limit);
	tlua_refuse_at(L, at, lua_tostring(L, -1));
}
