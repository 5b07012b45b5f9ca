/* Texts that people give: what cannot be what it is meant for is an error that is returned, another
 * type one that is raised. */
#include <string.h>
#include "module/lib.h"

static tl_str string_at(lua_State *L, int arg)
{
	tl_str text;

	luaL_checktype(L, arg, LUA_TSTRING);
	text.ptr = lua_tolstring(L, arg, &text.len);
	return text;
}

/* The C side would take the text for the part before the zero byte. */
static bool whole(tl_str text)
{
	if (!memchr(text.ptr, 0, text.len))
		return true;
	(void)tl_error_set(TL_E_BAD_ARGUMENT,
		"a name, path or address here holds a zero byte, which none can hold");
	return false;
}

bool tlua_read_text(lua_State *L, int arg, const char **out)
{
	tl_str text = tlua_check_str(L, arg);

	*out = text.ptr;
	return whole(text);
}

bool tlua_read_opt_text(lua_State *L, int arg, const char **out)
{
	*out = NULL;
	return lua_isnoneornil(L, arg) || tlua_read_text(L, arg, out);
}

bool tlua_read_id(lua_State *L, int arg, tl_id *out)
{
	return tl_id_parse(out, string_at(L, arg)) == TL_OK;
}

bool tlua_read_key(lua_State *L, int arg, tl_key *out)
{
	return tl_key_parse(out, string_at(L, arg)) == TL_OK;
}

bool tlua_read_key_text(lua_State *L, int arg, const char **out)
{
	tl_str text = string_at(L, arg);
	tl_key unused;

	*out = text.ptr;
	return tl_key_parse(&unused, text) == TL_OK;
}

bool tlua_read_permission(lua_State *L, int arg, tl_permission *out)
{
	return tl_permission_parse(out, string_at(L, arg)) == TL_OK;
}

bool tlua_read_address(lua_State *L, int arg, tl_address *out)
{
	return tl_address_parse(out, string_at(L, arg)) == TL_OK;
}

void *tlua_new_array(lua_State *L, int arg, size_t item, size_t *count)
{
	lua_Integer len = luaL_len(L, arg);

	if (len < 0 || (lua_Unsigned)len >= SIZE_MAX / item)
		luaL_error(L, "a list of %I items was given, which there cannot be", len);
	*count = (size_t)len;
	return lua_newuserdatauv(L, (*count + 1) * item, 0);
}

bool tlua_read_ids(lua_State *L, int arg, const tl_id **out, size_t *count)
{
	size_t len;
	tl_id *ids;
	bool good = true;

	luaL_checktype(L, arg, LUA_TTABLE);
	ids = tlua_new_array(L, arg, sizeof *ids, &len);
	for (size_t i = 0; good && i < len; i++) {
		lua_geti(L, arg, (lua_Integer)i + 1);
		good = tlua_read_id(L, lua_gettop(L), &ids[i]);
		lua_pop(L, 1);
	}
	*out = ids;
	*count = len;
	return good;
}

bool tlua_read_seed(lua_State *L, int arg, uint8_t out[TL_SEED_BYTES])
{
	tl_str text = string_at(L, arg);

	if (text.len != TL_SEED_BYTES)
		return tl_seed_parse(out, text) == TL_OK;
	memcpy(out, text.ptr, TL_SEED_BYTES);
	return true;
}

void tlua_wipe(void *secret, size_t len)
{
	volatile uint8_t *bytes = secret;

	while (len > 0)
		bytes[--len] = 0;
}

int tlua_check_choice(lua_State *L, int arg, const char *otherwise, const char *const *choices)
{
	size_t len = 0;
	const char *text = luaL_optlstring(L, arg, otherwise, &len);

	if (text && strlen(text) != len)
		luaL_argerror(L, arg, "a zero byte is in none of the choices");
	return luaL_checkoption(L, arg, otherwise, choices);
}

/* --- options ---------------------------------------------------------------------------------- */

bool tlua_option_bytes(lua_State *L, int arg, const char *name, tl_str *out)
{
	*out = (tl_str){NULL, 0};
	if (!tlua_option(L, arg, name))
		return false;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "option '%s' is a string", name);
	out->ptr = lua_tolstring(L, -1, &out->len);
	lua_pop(L, 1);
	return true;
}

bool tlua_option_text(lua_State *L, int arg, const char *name, const char **out)
{
	tl_str text;
	bool given = tlua_option_bytes(L, arg, name, &text);

	*out = text.ptr;
	return !given || whole(text);
}

int tlua_option_choice(
	lua_State *L, int arg, const char *name, const char *const *choices, int otherwise)
{
	tl_str text;

	if (!tlua_option_bytes(L, arg, name, &text))
		return otherwise;
	for (int i = 0; choices[i]; i++)
		if (strlen(choices[i]) == text.len && memcmp(choices[i], text.ptr, text.len) == 0)
			return i;
	return luaL_error(L, "option '%s' cannot be '%s'", name, text.ptr);
}
