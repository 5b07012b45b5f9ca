/* Paths of derived state as Lua tables, for tidelock.store. */
#include <string.h>
#include "module/core.h"

void tlua_push_hex(lua_State *L, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	luaL_Buffer buffer;

	luaL_buffinit(L, &buffer);
	for (size_t i = 0; i < len; i++) {
		luaL_addchar(&buffer, digits[bytes[i] >> 4]);
		luaL_addchar(&buffer, digits[bytes[i] & 15]);
	}
	luaL_pushresult(&buffer);
}

/* A key is a string; an item of a list a table of its position. */
void tlua_push_part(lua_State *L, const tl_store_part *part)
{
	if (!part->item) {
		lua_pushlstring(L, part->key.ptr, part->key.len);
		return;
	}
	lua_createtable(L, 0, 3);
	lua_pushinteger(L, part->position.numerator);
	lua_setfield(L, -2, "numerator");
	lua_pushinteger(L, (lua_Integer)part->position.denominator);
	lua_setfield(L, -2, "denominator");
	tlua_push_hex(L, part->position.uuid, sizeof part->position.uuid);
	lua_setfield(L, -2, "uuid");
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_uuid(lua_State *L, int index, uint8_t uuid[16])
{
	size_t len = 0;
	const char *text = lua_tolstring(L, index, &len);

	if (!text || len != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		uuid[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static lua_Integer part_number(lua_State *L, int arg, const char *name)
{
	lua_Integer number;
	int is_number;

	lua_getfield(L, -1, name);
	number = lua_tointegerx(L, -1, &is_number);
	luaL_argcheck(L, is_number, arg, "a position has a numerator and a denominator");
	lua_pop(L, 1);
	return number;
}

/* The part on top of the stack; the table at `arg` keeps its string alive. */
static tl_store_part check_part(lua_State *L, int arg)
{
	tl_store_part part = {.item = lua_istable(L, -1)};

	if (!part.item) {
		luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, arg,
			"a step of a path is a string or a position");
		part.key.ptr = lua_tolstring(L, -1, &part.key.len);
		return part;
	}
	part.position.numerator = part_number(L, arg, "numerator");
	part.position.denominator = (uint64_t)part_number(L, arg, "denominator");
	lua_getfield(L, -1, "uuid");
	luaL_argcheck(L, read_uuid(L, -1, part.position.uuid), arg,
		"a position's uuid has 32 hex digits");
	lua_pop(L, 1);
	return part;
}

/* "a.b" as a table of its keys in place of the string at `arg`. */
static void split(lua_State *L, int arg)
{
	size_t len;
	const char *at = lua_tolstring(L, arg, &len), *end = at + len, *dot;
	lua_Integer count = 0;

	lua_newtable(L);
	while ((dot = memchr(at, '.', (size_t)(end - at)))) {
		lua_pushlstring(L, at, (size_t)(dot - at));
		lua_rawseti(L, -2, ++count);
		at = dot + 1;
	}
	lua_pushlstring(L, at, (size_t)(end - at));
	lua_rawseti(L, -2, ++count);
	lua_replace(L, arg);
}

const tl_store_part *tlua_check_parts(lua_State *L, int arg, size_t *count)
{
	tl_store_part *parts;

	*count = 0;
	if (lua_isnoneornil(L, arg))
		return NULL;
	if (lua_type(L, arg) == LUA_TSTRING)
		split(L, arg);
	luaL_checktype(L, arg, LUA_TTABLE);
	*count = (size_t)lua_rawlen(L, arg);
	parts = lua_newuserdatauv(L, (*count + 1) * sizeof *parts, 0);
	for (size_t i = 0; i < *count; i++) {
		lua_rawgeti(L, arg, (lua_Integer)i + 1);
		parts[i] = check_part(L, arg);
		lua_pop(L, 1);
	}
	return parts;
}
