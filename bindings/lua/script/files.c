/* The files that a script asks for, and compiling them. */
#include <string.h>
#include "script/cell_impl.h"

/* --- finding ---------------------------------------------------------------------------------- */

void tlua_find(lua_State *L, tlua_wanted wanted, const char *name, tlua_found *out)
{
	tlua_cell *cell = tlua_cell_of(L);
	int64_t from;
	bool found;

	memset(out, 0, sizeof *out);
	if (!cell->loading)
		luaL_error(L, "files are read while a script is loaded: ask for '%s' at its top",
			name);
	if (cell->files >= TLUA_FILES_MAX)
		luaL_error(L, "a script may have %d files, and '%s' is one more", TLUA_FILES_MAX,
			name);
	if (!cell->find)
		luaL_error(L, "there is no '%s': this script has no files beside it", name);
	from = tlua_aside();
	found = cell->find && cell->find(cell->ud, wanted, name, out);
	tlua_back(L, from);
	if (!found)
		luaL_error(L, "%s", out->problem);
	cell->files += !out->ours;
}

/* --- compiling -------------------------------------------------------------------------------- */

static bool is_utf8(tl_str text)
{
	const char *at = text.ptr, *end = at + text.len;
	uint32_t code;

	while (at < end) {
		size_t len = tlua_utf8_decode(at, end, &code);

		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

void tlua_compile(lua_State *L, const char *name, tl_str text)
{
	if (text.len > TLUA_FILE_MAX)
		luaL_error(L, "%s: a script has at most %d bytes", name, TLUA_FILE_MAX);
	if (text.len > 0 && text.ptr[0] == LUA_SIGNATURE[0])
		luaL_error(L, "%s: this is compiled Lua; a script is text", name);
	tlua_charge(L, text.len);
	if (!is_utf8(text))
		luaL_error(L, "%s: this is no UTF-8", name);
	lua_pushfstring(L, "@%s", name);
	if (luaL_loadbufferx(L, text.ptr, text.len, lua_tostring(L, -1), "t") != LUA_OK)
		lua_error(L);
	lua_remove(L, -2);
}
