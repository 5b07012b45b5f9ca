#include <stdio.h>
#include <string.h>
#include "module/lib.h"

#define ERROR_TYPE "tidelock.error"

/* --- results ---------------------------------------------------------------------------------- */

/* "code: message", and the causes below it. */
static int error_tostring(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	lua_getfield(L, 1, "code");
	luaL_tolstring(L, 2, NULL);
	lua_getfield(L, 1, "message");
	luaL_tolstring(L, 4, NULL);
	lua_pushfstring(L, "%s: %s", lua_tostring(L, 3), lua_tostring(L, 5));
	if (lua_getfield(L, 1, "cause") == LUA_TNIL) {
		lua_pop(L, 1);
		return 1;
	}
	luaL_tolstring(L, 7, NULL);
	lua_pushfstring(L, "%s\n  because %s", lua_tostring(L, 6), lua_tostring(L, 8));
	return 1;
}

/* 'text' .. err and err .. 'text' */
static int error_concat(lua_State *L)
{
	for (int i = 1; i <= 2; i++) {
		if (!lua_isstring(L, i) && luaL_getmetafield(L, i, "__tostring") == LUA_TNIL)
			return luaL_error(
				L, "attempt to concatenate a %s value", luaL_typename(L, i));
	}
	luaL_tolstring(L, 1, NULL);
	luaL_tolstring(L, 2, NULL);
	lua_concat(L, 2);
	return 1;
}

/* The predicates come from the Lua half (lua/tidelock/error.lua). */
void tlua_push_error_type(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"__tostring", error_tostring}, {"__concat", error_concat}, {NULL, NULL}};

	tlua_push_metatable(L, ERROR_TYPE, functions);
	if (lua_getfield(L, -1, "__index") == LUA_TNIL) {
		lua_newtable(L);
		lua_setfield(L, -3, "__index");
	}
	lua_pop(L, 1);
}

void tlua_push_error(lua_State *L, const tl_error *error)
{
	luaL_checkstack(L, 6, "error");
	lua_createtable(L, 0, 4);
	lua_pushstring(L, tl_error_name(tl_error_code(error)));
	lua_setfield(L, -2, "code");
	lua_pushstring(L, tl_error_message(error));
	lua_setfield(L, -2, "message");
	lua_pushstring(L, tl_error_where(error));
	lua_setfield(L, -2, "where");
	if (tl_error_cause(error)) {
		tlua_push_error(L, tl_error_cause(error));
		lua_setfield(L, -2, "cause");
	}
	tlua_push_error_type(L);
	lua_setmetatable(L, -2);
}

int tlua_fail(lua_State *L)
{
	lua_pushnil(L);
	tlua_push_error(L, tl_last_error());
	return 2;
}

int tlua_result(lua_State *L, int rc, int count)
{
	return rc == TL_OK ? count : tlua_fail(L);
}

int tlua_ok(lua_State *L, int rc)
{
	if (rc != TL_OK)
		return tlua_fail(L);
	lua_pushboolean(L, true);
	return 1;
}

void tlua_push_released(lua_State *L, lua_CFunction push, void *item, void (*release)(void *item))
{
	int rc;

	lua_pushcfunction(L, push);
	lua_pushlightuserdata(L, item);
	rc = lua_pcall(L, 1, 1, 0);
	release(item);
	if (rc != LUA_OK)
		lua_error(L);
}

static int push_text(lua_State *L)
{
	const tl_str *text = lua_touserdata(L, 1);

	lua_pushlstring(L, text->ptr, text->len);
	return 1;
}

static void release_text(void *item)
{
	tl_free((char *)(uintptr_t)((tl_str *)item)->ptr);
}

void tlua_push_owned(lua_State *L, char *text, size_t len)
{
	tl_str owned = {text, len};

	if (text)
		tlua_push_released(L, push_text, &owned, release_text);
	else
		lua_pushnil(L);
}

/* --- arguments -------------------------------------------------------------------------------- */

tl_str tlua_check_str(lua_State *L, int arg)
{
	tl_str text;

	text.ptr = luaL_checklstring(L, arg, &text.len);
	return text;
}

tl_str tlua_opt_str(lua_State *L, int arg)
{
	return lua_isnoneornil(L, arg) ? (tl_str){NULL, 0} : tlua_check_str(L, arg);
}

void tlua_push_id(lua_State *L, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	lua_pushlstring(L, text, TL_ID_TEXT_LEN);
}

void tlua_push_key(lua_State *L, const tl_key *key)
{
	char text[TL_KEY_TEXT_LEN + 1];

	tl_key_format(key, text);
	lua_pushlstring(L, text, TL_KEY_TEXT_LEN);
}

struct unit {
	const char *name;
	double factor;
};

#define MEASURE_MAX 9e15 /* fits an integer exactly */

#define MEASURE_DIGITS 18 /* more would not change the result */

/* Digits, perhaps with a point and more digits; the same in every locale. Moves *text behind them;
 * negative when there are none. */
static double decimal(const char **text)
{
	const char *at = *text;
	uint64_t digits = 0, unit = 1;
	int count = 0;
	bool behind = false;

	for (; (*at >= '0' && *at <= '9') || (*at == '.' && !behind && count > 0); at++) {
		if (*at == '.') {
			behind = true;
			continue;
		}
		if (count++ >= MEASURE_DIGITS && behind)
			continue;
		if (count > MEASURE_DIGITS)
			return -1;
		digits = digits * 10 + (uint64_t)(*at - '0');
		unit *= behind ? 10 : 1;
	}
	*text = at;
	return count > 0 && at[-1] != '.' ? (double)digits / (double)unit : -1;
}

/* What is at `index`: a number, in units of `plain`, or a text with one of these units. False when
 * it is neither, negative, or too large. */
static bool measured(lua_State *L, int index, const struct unit *units, double plain, double *out)
{
	*out = -1;
	if (lua_type(L, index) == LUA_TNUMBER) {
		*out = lua_tonumber(L, index) * plain;
	} else if (lua_type(L, index) == LUA_TSTRING) {
		const char *unit = lua_tostring(L, index);
		double number = decimal(&unit);
		bool whole = strlen(unit) ==
			     lua_rawlen(L, index) - (size_t)(unit - lua_tostring(L, index));

		for (; whole && number >= 0 && units->name && *out < 0; units++)
			if (strcmp(units->name, unit) == 0)
				*out = number * units->factor;
	}
	return *out >= 0 && *out <= MEASURE_MAX;
}

#define NO_DURATION "a duration is a number of seconds or a text like '10m'"
#define NO_SIZE     "a size is a number of bytes or a text like '4MiB'"

static bool duration(lua_State *L, int index, uint64_t *ms)
{
	static const struct unit units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000},
		{"h", 3600000}, {"d", 86400000}, {NULL, 0}};
	double number;
	bool good = measured(L, index, units, 1000, &number);

	*ms = good ? (uint64_t)(number + 0.5) : 0;
	return good;
}

static bool size(lua_State *L, int index, uint64_t *bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};
	double number;
	bool good = measured(L, index, units, 1, &number);

	*bytes = good ? (uint64_t)number : 0;
	return good;
}

uint64_t tlua_check_duration(lua_State *L, int arg)
{
	uint64_t ms;

	luaL_argcheck(L, duration(L, arg, &ms), arg, NO_DURATION);
	return ms;
}

uint64_t tlua_check_size(lua_State *L, int arg)
{
	uint64_t bytes;

	luaL_argcheck(L, size(L, arg, &bytes), arg, NO_SIZE);
	return bytes;
}

/* --- options ---------------------------------------------------------------------------------- */

static void check_option_name(lua_State *L, int arg, const char *const *names)
{
	size_t best = TLUA_NAME_MAX, len;
	const char *nearest = NULL, *name = lua_tolstring(L, -2, &len);

	luaL_argcheck(L, strlen(name) == len, arg, "an option's name holds a zero byte");

	for (; *names; names++) {
		size_t d = tlua_distance(name, *names);

		if (d == 0)
			return;
		if (d < best) {
			best = d;
			nearest = *names;
		}
	}
	luaL_argerror(L, arg,
		nearest ? lua_pushfstring(
				  L, "unknown option '%s', did you mean '%s'?", name, nearest)
			: lua_pushfstring(L, "unknown option '%s'", name));
}

void tlua_check_options(lua_State *L, int arg, const char *const *names)
{
	if (lua_isnoneornil(L, arg))
		return;
	luaL_checktype(L, arg, LUA_TTABLE);
	lua_pushnil(L);
	while (lua_next(L, arg)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			luaL_argerror(L, arg, "option names are strings");
		check_option_name(L, arg, names);
		lua_pop(L, 1);
	}
}

bool tlua_option(lua_State *L, int arg, const char *name)
{
	if (!lua_istable(L, arg))
		return false;
	if (lua_getfield(L, arg, name) != LUA_TNIL)
		return true;
	lua_pop(L, 1);
	return false;
}

bool tlua_option_bool(lua_State *L, int arg, const char *name, bool otherwise)
{
	bool value;

	if (!tlua_option(L, arg, name))
		return otherwise;
	if (!lua_isboolean(L, -1))
		luaL_error(L, "option '%s' is true or false", name);
	value = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return value;
}

uint64_t tlua_option_duration(lua_State *L, int arg, const char *name, uint64_t otherwise)
{
	uint64_t value;

	if (!tlua_option(L, arg, name))
		return otherwise;
	if (!duration(L, -1, &value))
		luaL_error(L, "option '%s': " NO_DURATION, name);
	lua_pop(L, 1);
	return value;
}

uint64_t tlua_option_size(lua_State *L, int arg, const char *name, uint64_t otherwise)
{
	uint64_t value;

	if (!tlua_option(L, arg, name))
		return otherwise;
	if (!size(L, -1, &value))
		luaL_error(L, "option '%s': " NO_SIZE, name);
	lua_pop(L, 1);
	return value;
}

uint64_t tlua_option_count(lua_State *L, int arg, const char *name, uint64_t otherwise)
{
	lua_Integer value;
	int whole;

	if (!tlua_option(L, arg, name))
		return otherwise;
	value = lua_tointegerx(L, -1, &whole);
	if (!whole || value < 0)
		luaL_error(L, "option '%s' is a whole number, not below 0", name);
	lua_pop(L, 1);
	return (uint64_t)value;
}

/* --- handles ---------------------------------------------------------------------------------- */

void **tlua_new_handle(lua_State *L, const char *type)
{
	void **handle = lua_newuserdatauv(L, sizeof(void *), 1);

	*handle = NULL;
	luaL_setmetatable(L, type);
	return handle;
}

int tlua_opened(lua_State *L, void **handle, int rc, void *resource)
{
	*handle = resource;
	return tlua_result(L, rc, 1);
}

void tlua_push_metatable(lua_State *L, const char *type, const luaL_Reg *functions)
{
	if (luaL_getmetatable(L, type) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	luaL_setfuncs(L, functions, 0);
	lua_pushstring(L, type);
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, type);
}

void *tlua_check_handle(lua_State *L, int arg, const char *type)
{
	void **handle = luaL_checkudata(L, arg, type);

	if (!*handle)
		luaL_argerror(L, arg, lua_pushfstring(L, "this %s is closed", type));
	return *handle;
}

static int handle_tostring(lua_State *L)
{
	void **handle = lua_touserdata(L, 1);

	luaL_getmetafield(L, 1, "__name");
	lua_pushfstring(L, handle && *handle ? "%s (%p)" : "%s (closed)", lua_tostring(L, -1),
		handle ? *handle : NULL);
	return 1;
}

void tlua_new_type(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction drop)
{
	luaL_newmetatable(L, type);
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, handle_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushcfunction(L, drop);
	lua_setfield(L, -2, "__gc");
	lua_pushcfunction(L, drop);
	lua_setfield(L, -2, "__close");
	lua_pop(L, 1);
}
