/* The files that a script asks for, and compiling them. */
#include <string.h>
#include "script/cell_impl.h"

#define PIECE 256 /* bytes */

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
	cell->files += !out->ours; /* also what is not there: looking takes time */
	if (!found)
		luaL_error(L, "%s", out->problem);
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

/* Whether literals may make zero bytes: one stands there, or one is written as \0, \x00 or \u{0}.
 */
static bool may_hold_zeros(tl_str text)
{
	static const char *const ways[] = {"\\0", "\\x00", "\\u{0"};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (memmem(text.ptr, text.len, ways[i], strlen(ways[i])))
			return true;
	return text.len > 0 && memchr(text.ptr, 0, text.len);
}

static bool starts(tl_str text, const char *with)
{
	return text.len >= strlen(with) && memcmp(text.ptr, with, strlen(with)) == 0;
}

/* Without a mark of the byte order and a first line for the shell, as files of Lua may have. The
 * line's end stays, so that lines keep their numbers. */
static tl_str script_of(tl_str text)
{
	const char *end = text.ptr + text.len, *at = text.ptr;

	if (starts(text, "\xEF\xBB\xBF"))
		at += 3;
	if (at < end && *at == '#') {
		const char *line = memchr(at, '\n', (size_t)(end - at));

		at = line ? line : end;
	}
	return (tl_str){at, (size_t)(end - at)};
}

/* The compiler takes as long as its text is long for some words, as each `or` of many, so it gets
 * a few of them at a time. */
static const char *next_piece(lua_State *L, void *ud, size_t *size)
{
	tl_str *left = ud;
	const char *piece = left->ptr;

	tlua_look(L);
	*size = left->len < PIECE ? left->len : PIECE;
	left->ptr += *size;
	left->len -= *size;
	return *size > 0 ? piece : NULL;
}

void tlua_compile(lua_State *L, const char *name, tl_str text)
{
	tl_str left = script_of(text);
	int status;

	if (text.len > TLUA_FILE_MAX)
		luaL_error(L, "%s: a script has at most %d bytes", name, TLUA_FILE_MAX);
	if (left.len > 0 && left.ptr[0] == LUA_SIGNATURE[0])
		luaL_error(L, "%s: this is compiled Lua; a script is text", name);
	tlua_charge(L, text.len);
	if (!is_utf8(text))
		luaL_error(L, "%s: this is no UTF-8", name);
	if (may_hold_zeros(text))
		tlua_heed_zeros(L);
	lua_pushfstring(L, "@%s", name);
	status = lua_load(L, next_piece, &left, lua_tostring(L, -1), "t");
	if (status == LUA_ERRMEM && tlua_cell_of(L)->end == TLUA_FINE)
		tlua_stop_full(L);
	if (status != LUA_OK)
		lua_error(L);
	lua_remove(L, -2);
}
