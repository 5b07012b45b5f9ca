#include "module/misuse.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define NAME_PREFIX "tidelock"

/* --- who called what -------------------------------------------------------------------------- */

/* Levels on the stack. `called` is the method as users know it: the function that runs, or the
 * Lua half that it belongs to. `caller` is the first function of theirs, -1 when there is none. */
typedef struct call {
	int called, caller;
} call;

static call find_call(lua_State *L)
{
	call found = {0, -1};
	lua_Debug ar;

	for (int level = 1; found.caller < 0 && lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "S", &ar);
		if (strncmp(ar.source, "@tidelock:", 10) == 0)
			found.called = level;
		else if (strcmp(ar.what, "C") != 0)
			found.caller = level;
	}
	return found;
}

/* (table, function) on top: pushes the key under which the table has it; false: pushes nothing. */
static bool find_key(lua_State *L, int table, int function)
{
	lua_pushnil(L);
	while (lua_next(L, table)) {
		bool same = lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, function);

		lua_pop(L, 1);
		if (same)
			return true;
	}
	return false;
}

/* Searches the tables in `index` whose names are the library's: modules, or the methods of types.
 */
static bool find_in(lua_State *L, int index, int function, const char *field)
{
	lua_pushnil(L);
	while (lua_next(L, index)) {
		bool ours = lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1) &&
			    strncmp(lua_tostring(L, -2), NAME_PREFIX, strlen(NAME_PREFIX)) == 0;

		if (ours && field) {
			lua_pushstring(L, field);
			lua_rawget(L, -2);
			lua_replace(L, -2);
			ours = lua_istable(L, -1);
		}
		if (ours && find_key(L, lua_gettop(L), function))
			return true;
		lua_pop(L, 1);
	}
	return false;
}

/* The name that the library has for the function at a level, for calls that do not show one, as by
 * pcall. It is on top of the stack. */
static const char *search_name(lua_State *L, lua_Debug *ar, bool *method)
{
	int function;

	luaL_checkstack(L, 12, "name");
	lua_getinfo(L, "f", ar);
	function = lua_gettop(L);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (find_in(L, lua_gettop(L), function, NULL)) {
		lua_pushliteral(L, "__index"); /* a module that is a class */
		lua_rawget(L, -3);
		*method = lua_rawequal(L, -1, -3);
		lua_pop(L, 1);
		return lua_tostring(L, -1);
	}
	lua_settop(L, function);
	lua_pushvalue(L, LUA_REGISTRYINDEX);
	*method = find_in(L, lua_gettop(L), function, "__index");
	return *method ? lua_tostring(L, -1) : "?";
}

static const char *name_of(lua_State *L, int level, bool *method)
{
	lua_Debug ar;

	*method = false;
	if (!lua_getstack(L, level, &ar))
		return "?";
	lua_getinfo(L, "n", &ar);
	*method = ar.name && strcmp(ar.namewhat, "method") == 0;
	return ar.name ? ar.name : search_name(L, &ar, method);
}

static bool same_value(lua_State *L, int arg)
{
	return lua_rawequal(L, -1, arg) || (lua_isnil(L, -1) && lua_isnoneornil(L, arg));
}

/* Which argument of the called method the argument `arg` of this function is; 0: none of them, but
 * made of one. */
static int argument_of(lua_State *L, int called, int arg)
{
	lua_Debug ar;
	int found = 0;

	if (called == 0 || !lua_getstack(L, called, &ar))
		return arg;
	lua_getinfo(L, "u", &ar);
	for (int i = 0; i <= ar.nparams && !found; i++) {
		int at = i == 0 ? arg : i; /* mostly it is the same */

		if (at > ar.nparams || !lua_getlocal(L, &ar, at))
			continue;
		found = same_value(L, arg) ? at : 0;
		lua_pop(L, 1);
	}
	return found;
}

/* --- raising ---------------------------------------------------------------------------------- */

static int raise(lua_State *L, const char *format, va_list args)
{
	call found = find_call(L);

	if (found.caller >= 0)
		luaL_where(L, found.caller);
	else
		lua_pushliteral(L, "");
	lua_pushvfstring(L, format, args);
	lua_concat(L, 2);
	return lua_error(L);
}

int tlua_misuse(lua_State *L, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)raise(L, format, args);
	va_end(args);
	return 0; /* not reached */
}

/* `shown` counts the object of a method. */
static int raise_argument(lua_State *L, int called, int shown, const char *why)
{
	bool method;
	const char *name = name_of(L, called, &method);

	if (shown == 0)
		return tlua_misuse(L, "bad argument to '%s' (%s)", name, why);
	if (method && shown == 1)
		return tlua_misuse(L, "calling '%s' on bad self (%s)", name, why);
	return tlua_misuse(L, "bad argument #%d to '%s' (%s)", shown - method, name, why);
}

int tlua_misuse_argument(lua_State *L, int arg, const char *why)
{
	call found = find_call(L);

	luaL_checkstack(L, 4, "argument");
	return raise_argument(L, found.called, argument_of(L, found.called, arg), why);
}

int tlua_misuse_of(lua_State *L, int shown, const char *why)
{
	return raise_argument(L, find_call(L).called, shown, why);
}

int tlua_misuse_type(lua_State *L, int arg, const char *expected)
{
	const char *given;

	if (luaL_getmetafield(L, arg, "__name") == LUA_TSTRING)
		given = lua_tostring(L, -1);
	else
		given = lua_islightuserdata(L, arg) ? "light userdata" : luaL_typename(L, arg);
	return tlua_misuse_argument(
		L, arg, lua_pushfstring(L, "%s expected, got %s", expected, given));
}

/* --- checks ----------------------------------------------------------------------------------- */

const char *tlua_check_lstring(lua_State *L, int arg, size_t *len)
{
	const char *text = lua_tolstring(L, arg, len);

	if (!text)
		tlua_misuse_type(L, arg, lua_typename(L, LUA_TSTRING));
	return text;
}

const char *tlua_opt_lstring(lua_State *L, int arg, const char *otherwise, size_t *len)
{
	if (!lua_isnoneornil(L, arg))
		return tlua_check_lstring(L, arg, len);
	if (len)
		*len = otherwise ? strlen(otherwise) : 0;
	return otherwise;
}

lua_Integer tlua_check_integer(lua_State *L, int arg)
{
	int whole;
	lua_Integer value = lua_tointegerx(L, arg, &whole);

	if (!whole && lua_isnumber(L, arg))
		tlua_misuse_argument(L, arg, "number has no integer representation");
	else if (!whole)
		tlua_misuse_type(L, arg, lua_typename(L, LUA_TNUMBER));
	return value;
}

lua_Integer tlua_opt_integer(lua_State *L, int arg, lua_Integer otherwise)
{
	return lua_isnoneornil(L, arg) ? otherwise : tlua_check_integer(L, arg);
}

static const char *push_choice(lua_State *L, const char *name, const char *const names[])
{
	lua_pushfstring(L, "'%s' is none of", name);
	for (int i = 0; names[i]; i++) {
		lua_pushfstring(L, "%s '%s'", i > 0 ? "," : "", names[i]);
		lua_concat(L, 2);
	}
	return lua_tostring(L, -1);
}

int tlua_check_option(lua_State *L, int arg, const char *otherwise, const char *const names[])
{
	const char *name = otherwise ? tlua_opt_lstring(L, arg, otherwise, NULL)
				     : tlua_check_lstring(L, arg, NULL);

	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return tlua_misuse_argument(L, arg, push_choice(L, name, names));
}

void tlua_check_type(lua_State *L, int arg, int type)
{
	if (lua_type(L, arg) != type)
		tlua_misuse_type(L, arg, lua_typename(L, type));
}

void tlua_check_any(lua_State *L, int arg)
{
	if (lua_isnone(L, arg))
		tlua_misuse_argument(L, arg, "value expected");
}

void *tlua_check_udata(lua_State *L, int arg, const char *type)
{
	void *data = luaL_testudata(L, arg, type);

	if (!data)
		tlua_misuse_type(L, arg, type);
	return data;
}
