/* utf8: char, codepoint, len. Surrogates and what lies beyond U+10FFFF are no characters. */
#include "script/cell_impl.h"

static size_t encode(uint32_t code, char out[4])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000) {
		out[0] = (char)(0xE0 | code >> 12);
		out[1] = (char)(0x80 | (code >> 6 & 0x3F));
		out[2] = (char)(0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char)(0xF0 | code >> 18);
	out[1] = (char)(0x80 | (code >> 12 & 0x3F));
	out[2] = (char)(0x80 | (code >> 6 & 0x3F));
	out[3] = (char)(0x80 | (code & 0x3F));
	return 4;
}

static int utf8_char(lua_State *L)
{
	int count = lua_gettop(L);
	size_t len = 0;
	char *out;

	tlua_charge(L, 2 * (uint64_t)count);
	out = lua_newuserdatauv(L, 4 * (size_t)count + 1, 0);
	for (int i = 1; i <= count; i++) {
		lua_Integer code = luaL_checkinteger(L, i);

		luaL_argcheck(L, code >= 0 && code <= 0x10FFFF && (code < 0xD800 || code >= 0xE000),
			i, "no character has this number");
		len += encode((uint32_t)code, out + len);
	}
	tlua_push_text(L, (tl_str){out, len});
	return 1;
}

/* Where byte `at` of a text is, from the end where it is negative; 0 to len + 1. */
static size_t position(lua_State *L, int arg, lua_Integer otherwise, size_t len)
{
	lua_Integer at = luaL_optinteger(L, arg, otherwise);

	if (at < 0)
		at = at < -(lua_Integer)len ? 0 : (lua_Integer)len + at + 1;
	luaL_argcheck(L, at <= (lua_Integer)len + 1, arg, "out of bounds");
	return (size_t)at;
}

static int utf8_codepoint(lua_State *L)
{
	size_t len, from, to;
	const char *text = luaL_checklstring(L, 1, &len), *at, *last;
	int count = 0;

	from = position(L, 2, 1, len);
	to = position(L, 3, (lua_Integer)from, len);
	luaL_argcheck(L, from >= 1, 2, "out of bounds");
	luaL_argcheck(L, to <= len, 3, "out of bounds");
	at = text + from - 1;
	last = text + to;
	while (at < last) {
		uint32_t code;
		size_t step = tlua_utf8_decode(at, text + len, &code);

		tlua_charge(L, 1);
		if (step == 0)
			luaL_error(L, "this is no UTF-8");
		if (count == TLUA_RESULTS)
			luaL_error(L, "a function returns at most %d values", TLUA_RESULTS);
		luaL_checkstack(L, 1, "characters");
		lua_pushinteger(L, code);
		count++;
		at += step;
	}
	return count;
}

static int utf8_len(lua_State *L)
{
	size_t len, from, to;
	const char *text = luaL_checklstring(L, 1, &len), *at, *end;
	lua_Integer count = 0;
	uint32_t code;

	from = position(L, 2, 1, len);
	to = position(L, 3, -1, len);
	luaL_argcheck(L, from >= 1, 2, "out of bounds");
	tlua_charge(L, 1 + len / 2);
	end = text + (to > len ? len : to);
	for (at = text + from - 1; at < end; count++) {
		size_t step = tlua_utf8_decode(at, text + len, &code);

		if (step == 0) {
			lua_pushnil(L);
			lua_pushinteger(L, at - text + 1);
			return 2;
		}
		at += step;
	}
	lua_pushinteger(L, count);
	return 1;
}

void tlua_env_utf8(lua_State *L)
{
	static const luaL_Reg functions[] = {{"char", utf8_char}, {"codepoint", utf8_codepoint},
		{"len", utf8_len}, {NULL, NULL}};

	lua_createtable(L, 0, 3);
	tlua_fill(L, "utf8", functions);
}
