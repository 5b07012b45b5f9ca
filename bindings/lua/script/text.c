/* text: what scripts want of names, in one look each. */
#include <string.h>
#include "script/cell_impl.h"

static int text_glob(lua_State *L)
{
	tl_str pattern, name;

	pattern.ptr = luaL_checklstring(L, 1, &pattern.len);
	name.ptr = luaL_checklstring(L, 2, &name.len);
	tlua_charge_bytes(L, (pattern.len + 1) * (name.len + 1));
	lua_pushboolean(L, tlua_glob(pattern, name));
	return 1;
}

/* --- pieces ----------------------------------------------------------------------------------- */

static int text_split(lua_State *L)
{
	size_t len, gap;
	const char *at = luaL_checklstring(L, 1, &len), *end = at + len;
	const char *between = luaL_checklstring(L, 2, &gap), *found;
	lua_Integer count = 0;

	luaL_argcheck(L, gap > 0, 2, "what stands between the pieces is not empty");
	tlua_charge_bytes(L, len);
	lua_settop(L, 2);
	lua_newtable(L);
	do {
		found = memmem(at, (size_t)(end - at), between, gap);
		tlua_charge(L, 2);
		tlua_charge_string(L, (size_t)((found ? found : end) - at));
		lua_pushlstring(L, at, (size_t)((found ? found : end) - at));
		lua_rawseti(L, 3, ++count);
		at = found + (found ? gap : 0);
	} while (found);
	return 1;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int text_trim(lua_State *L)
{
	size_t len;
	const char *at = luaL_checklstring(L, 1, &len), *end = at + len;

	tlua_charge_string(L, len);
	while (at < end && is_space(*at))
		at++;
	while (at < end && is_space(end[-1]))
		end--;
	lua_pushlstring(L, at, (size_t)(end - at));
	return 1;
}

/* Whether the second text stands in the first, so many bytes before the first's end. */
static int stands(lua_State *L, bool at_end)
{
	size_t len, part_len;
	const char *text = luaL_checklstring(L, 1, &len);
	const char *part = luaL_checklstring(L, 2, &part_len);

	tlua_charge_bytes(L, part_len);
	lua_pushboolean(L, part_len <= len && memcmp(at_end ? text + len - part_len : text, part,
						      part_len) == 0);
	return 1;
}

static int text_starts(lua_State *L)
{
	return stands(L, false);
}

static int text_ends(lua_State *L)
{
	return stands(L, true);
}

void tlua_env_text(lua_State *L)
{
	static const luaL_Reg functions[] = {{"ends", text_ends}, {"glob", text_glob},
		{"split", text_split}, {"starts", text_starts}, {"trim", text_trim}, {NULL, NULL}};

	lua_createtable(L, 0, 5);
	tlua_fill(L, "text", functions);
}
