/* string: what there is without patterns. */
#include <string.h>
#include "script/cell_impl.h"

/* From an index of Lua's, negative ones from the end, to one that begins at 1. */
static size_t from_start(lua_Integer at, size_t len)
{
	if (at > 0)
		return (size_t)at;
	if (at == 0 || at < -(lua_Integer)len)
		return 1;
	return len + (size_t)at + 1;
}

static size_t from_end(lua_Integer at, size_t len)
{
	if (at > (lua_Integer)len)
		return len;
	if (at >= 0)
		return (size_t)at;
	return at < -(lua_Integer)len ? 0 : len + (size_t)at + 1;
}

static int str_len(lua_State *L)
{
	size_t len;

	luaL_checklstring(L, 1, &len);
	tlua_charge(L, 1);
	lua_pushinteger(L, (lua_Integer)len);
	return 1;
}

static int str_sub(lua_State *L)
{
	size_t len, first, last;
	const char *text = luaL_checklstring(L, 1, &len);

	first = from_start(luaL_checkinteger(L, 2), len);
	last = from_end(luaL_optinteger(L, 3, -1), len);
	if (first > last) {
		lua_pushliteral(L, "");
		return 1;
	}
	tlua_charge_string(L, last - first + 1);
	lua_pushlstring(L, text + first - 1, last - first + 1);
	return 1;
}

static int str_byte(lua_State *L)
{
	size_t len, first, last;
	const char *text = luaL_checklstring(L, 1, &len);
	lua_Integer from = luaL_optinteger(L, 2, 1);

	first = from_start(from, len);
	last = from_end(luaL_optinteger(L, 3, from), len);
	if (first > last)
		return 0;
	tlua_charge(L, last - first + 1);
	if (last - first >= TLUA_RESULTS)
		luaL_error(L, "a function returns at most %d values", TLUA_RESULTS);
	luaL_checkstack(L, (int)(last - first + 1), "bytes");
	for (size_t i = first; i <= last; i++)
		lua_pushinteger(L, (unsigned char)text[i - 1]);
	return (int)(last - first + 1);
}

static int str_char(lua_State *L)
{
	int count = lua_gettop(L);
	char *out;

	tlua_charge(L, (uint64_t)count);
	out = lua_newuserdatauv(L, (size_t)count + 1, 0);
	for (int i = 1; i <= count; i++) {
		lua_Integer code = luaL_checkinteger(L, i);

		luaL_argcheck(L, code >= 0 && code <= 255, i, "value out of range");
		out[i - 1] = (char)code;
	}
	tlua_push_text(L, (tl_str){out, (size_t)count});
	return 1;
}

static int str_rep(lua_State *L)
{
	size_t len, gap, each, total;
	const char *text = luaL_checklstring(L, 1, &len), *between;
	lua_Integer n = luaL_checkinteger(L, 2);
	char *out;

	between = luaL_optlstring(L, 3, "", &gap);
	each = len + gap;
	if (n <= 0 || each == 0) {
		lua_pushliteral(L, "");
		return 1;
	}
	if ((lua_Unsigned)n > SIZE_MAX / 2 / each)
		tlua_stop(L, TLUA_LONG_STRING);
	total = each * (size_t)n - gap;
	tlua_charge(L, (uint64_t)n);
	tlua_charge_string(L, total);
	out = lua_newuserdatauv(L, total + 1, 0);
	for (size_t at = 0; at < total; at += gap) {
		memcpy(out + at, text, len);
		at += len;
		if (at < total)
			memcpy(out + at, between, gap);
	}
	lua_pushlstring(L, out, total);
	return 1;
}

static unsigned char lowered(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static unsigned char raised(unsigned char c)
{
	return c >= 'a' && c <= 'z' ? c & 0xDF : c;
}

/* The text with each byte mapped; backwards where `turn` is set. */
static int mapped(lua_State *L, unsigned char (*map)(unsigned char c), bool turn)
{
	size_t len;
	const unsigned char *text = (const unsigned char *)luaL_checklstring(L, 1, &len);
	unsigned char *out;

	tlua_charge(L, len / 4);
	tlua_charge_string(L, len);
	out = lua_newuserdatauv(L, len + 1, 0);
	for (size_t i = 0; i < len; i++)
		out[turn ? len - 1 - i : i] = map ? map(text[i]) : text[i];
	lua_pushlstring(L, (const char *)out, len);
	return 1;
}

static int str_lower(lua_State *L)
{
	return mapped(L, lowered, false);
}

static int str_upper(lua_State *L)
{
	return mapped(L, raised, false);
}

static int str_reverse(lua_State *L)
{
	return mapped(L, NULL, true);
}

/* Whether Lua would take it for a pattern. */
static bool is_pattern(const char *what, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (what[i] && strchr("^$*+?.([%-", what[i]))
			return true;
	return false;
}

/* Plain text only. Where Lua would take it for a pattern the script has to say that it is none, so
 * that it does the same in plain Lua. */
static int str_find(lua_State *L)
{
	size_t len, what_len, from;
	const char *text = luaL_checklstring(L, 1, &len), *found = NULL;
	const char *what = luaL_checklstring(L, 2, &what_len);

	from = from_start(luaL_optinteger(L, 3, 1), len) - 1;
	tlua_charge_bytes(L, len);
	tlua_charge_bytes(L, what_len);
	if (!lua_toboolean(L, 4) && is_pattern(what, what_len))
		luaL_error(
			L, "patterns are not there: find(text, what, from, true) finds plain text");
	if (from <= len)
		found = memmem(text + from, len - from, what, what_len);
	if (!found) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushinteger(L, found - text + 1);
	lua_pushinteger(L, found - text + (lua_Integer)what_len);
	return 2;
}

void tlua_env_string(lua_State *L)
{
	static const luaL_Reg functions[] = {{"byte", str_byte}, {"char", str_char},
		{"find", str_find}, {"format", tlua_format}, {"len", str_len}, {"lower", str_lower},
		{"rep", str_rep}, {"reverse", str_reverse}, {"sub", str_sub}, {"upper", str_upper},
		{NULL, NULL}};

	lua_createtable(L, 0, 10);
	tlua_fill(L, "string", functions);
}
