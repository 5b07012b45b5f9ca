/* Walks as iterators: for key, row in table:each { prefix = 'a' } do. A walk is a handle below the
 * iterating function, and the value that a generic for closes. */
#include <stdlib.h>
#include "module/core.h"

#define TLUA_WALK "tidelock.walk"

static int drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_WALK);

	tl_walk_free(*handle);
	*handle = NULL;
	return 0;
}

static tl_str option_str(lua_State *L, int arg, const char *name)
{
	tl_str text = {NULL, 0};

	if (!tlua_option(L, arg, name))
		return text;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "option '%s' is a string", name);
	text.ptr = lua_tolstring(L, -1, &text.len); /* lives as long as the option table */
	lua_pop(L, 1);
	return text;
}

tl_walk_options tlua_check_walk_options(lua_State *L, int arg, bool *none)
{
	static const char *const names[] = {"prefix", "after", "limit", NULL};
	tl_walk_options options = TL_WALK_OPTIONS_INIT;

	tlua_check_options(L, arg, names);
	options.prefix = option_str(L, arg, "prefix");
	options.after = option_str(L, arg, "after");
	options.limit = (size_t)tlua_option_count(L, arg, "limit", SIZE_MAX);
	*none = options.limit == 0;
	return options;
}

/* The walk's next key and what `push` makes of its value, which may be several results. */
static int next(lua_State *L, int (*push)(lua_State *L, const tl_value *value))
{
	void **handle = lua_touserdata(L, lua_upvalueindex(1));
	const tl_value *value = NULL;
	tl_str key;

	lua_settop(L, 0);
	if (*handle && tl_walk_next(*handle, &key, &value) != TL_OK) {
		tlua_push_error(L, tl_last_error());
		return lua_error(L);
	}
	if (!value) { /* the end, also when asked again */
		tl_walk_free(*handle);
		*handle = NULL;
		lua_pushnil(L);
		return 1;
	}
	lua_pushlstring(L, key.ptr, key.len);
	return 1 + push(L, value);
}

/* nil and the error: what no text is, is no JSON. */
static int push_other(lua_State *L, const tl_value *row)
{
	tl_str json;

	return tlua_result(L, tl_row_json(row, &json), 0);
}

static int push_row(lua_State *L, const tl_value *row)
{
	if (tl_value_type(row) != TL_TEXT)
		return push_other(L, row);
	return tlua_decode_json(L, tl_value_as_text(row));
}

static int push_text(lua_State *L, const tl_value *row)
{
	tl_str text = tl_value_as_text(row);

	if (tl_value_type(row) != TL_TEXT)
		return push_other(L, row);
	lua_pushlstring(L, text.ptr, text.len);
	return 1;
}

static int push_member(lua_State *L, const tl_value *value)
{
	tlua_push_value(L, value);
	return 1;
}

static int next_row(lua_State *L)
{
	return next(L, push_row);
}

static int next_text(lua_State *L)
{
	return next(L, push_text);
}

static int next_member(lua_State *L)
{
	return next(L, push_member);
}

int tlua_push_walk(lua_State *L, tlua_walk_kind kind, int rc, tl_walk *walk, void **handle)
{
	static const lua_CFunction functions[] = {next_row, next_text, next_member};

	if (rc != TL_OK) {
		tlua_push_error(L, tl_last_error());
		return lua_error(L);
	}
	*handle = walk;
	lua_pushvalue(L, -1);
	lua_pushcclosure(L, functions[kind], 1);
	lua_pushnil(L);
	lua_pushnil(L);
	lua_rotate(L, -4, 3); /* function, nil, nil, the value to close */
	return 4;
}

void **tlua_new_walk(lua_State *L)
{
	return tlua_new_handle(L, TLUA_WALK);
}

void tlua_open_walk(lua_State *L)
{
	static const luaL_Reg methods[] = {{"close", drop}, {NULL, NULL}};

	tlua_new_type(L, TLUA_WALK, methods, drop);
}
