/* table: raw, as there are no metatables. */
#include <stdint.h>
#include <string.h>
#include "script/cell_impl.h"

static lua_Integer length_of(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	return (lua_Integer)lua_rawlen(L, 1);
}

/* --- concat ----------------------------------------------------------------------------------- */

/* Pushes t[i] as a text. */
static const char *item_text(lua_State *L, lua_Integer i, size_t *len)
{
	int type = lua_rawgeti(L, 1, i);

	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		luaL_error(
			L, "table.concat: item %I is a %s", (LUAI_UACINT)i, lua_typename(L, type));
	return lua_tolstring(L, -1, len);
}

static size_t joined_length(lua_State *L, lua_Integer from, lua_Integer to, size_t gap)
{
	size_t sum = 0, len;

	for (lua_Integer i = from; i <= to; i++) {
		tlua_charge(L, 1);
		(void)item_text(L, i, &len);
		lua_pop(L, 1);
		sum += len + (i < to ? gap : 0);
		tlua_charge_string(L, len + gap);
		if (sum > tlua_cell_of(L)->string)
			tlua_stop(L, TLUA_LONG_STRING);
		if (i == INT64_MAX)
			break;
	}
	return sum;
}

static int tab_concat(lua_State *L)
{
	lua_Integer count = length_of(L), from, to;
	size_t gap, len, sum, at = 0;
	const char *between = luaL_optlstring(L, 2, "", &gap);
	char *out;

	from = luaL_optinteger(L, 3, 1);
	to = luaL_optinteger(L, 4, count);
	sum = joined_length(L, from, to, gap);
	out = lua_newuserdatauv(L, sum + 1, 0);
	for (lua_Integer i = from; i <= to; i++) {
		const char *text = item_text(L, i, &len);

		memcpy(out + at, text, len);
		at += len;
		if (i < to)
			memcpy(out + at, between, gap);
		at += i < to ? gap : 0;
		lua_pop(L, 1);
		if (i == INT64_MAX)
			break;
	}
	lua_pushlstring(L, out, sum);
	return 1;
}

/* --- insert, remove --------------------------------------------------------------------------- */

static int tab_insert(lua_State *L)
{
	lua_Integer end = length_of(L) + 1, at = end;
	int count = lua_gettop(L);

	if (count == 3) {
		at = luaL_checkinteger(L, 2);
		luaL_argcheck(L, at >= 1 && at <= end, 2, "position out of bounds");
		tlua_charge(L, (uint64_t)(end - at));
		for (lua_Integer i = end; i > at; i--) {
			lua_rawgeti(L, 1, i - 1);
			lua_rawseti(L, 1, i);
		}
	} else if (count != 2) {
		luaL_error(L, "wrong number of arguments to 'insert'");
	}
	tlua_charge(L, 1);
	lua_settop(L, count);
	lua_rawseti(L, 1, at);
	return 0;
}

static int tab_remove(lua_State *L)
{
	lua_Integer count = length_of(L), at = luaL_optinteger(L, 2, count);

	tlua_charge(L, 1);
	if (!lua_isnoneornil(L, 2))
		luaL_argcheck(L, (at >= 1 && at <= count + 1) || (count == 0 && at == 0), 2,
			"position out of bounds");
	tlua_charge(L, (uint64_t)(at < count ? count - at : 0));
	lua_rawgeti(L, 1, at);
	for (; at < count; at++) {
		lua_rawgeti(L, 1, at + 1);
		lua_rawseti(L, 1, at);
	}
	lua_pushnil(L);
	lua_rawseti(L, 1, at);
	return 1;
}

/* --- pack, unpack ----------------------------------------------------------------------------- */

static int tab_pack(lua_State *L)
{
	int count = lua_gettop(L);

	tlua_charge(L, 1 + (uint64_t)count);
	lua_createtable(L, count, 1);
	lua_insert(L, 1);
	for (int i = count; i > 0; i--)
		lua_rawseti(L, 1, i);
	lua_pushinteger(L, count);
	lua_setfield(L, 1, "n");
	return 1;
}

static int tab_unpack(lua_State *L)
{
	lua_Integer from, to, count = length_of(L);

	from = luaL_optinteger(L, 2, 1);
	to = luaL_optinteger(L, 3, count);
	if (from > to)
		return 0;
	if ((lua_Unsigned)to - (lua_Unsigned)from >= TLUA_RESULTS)
		luaL_error(L, "a function returns at most %d values", TLUA_RESULTS);
	tlua_charge(L, (uint64_t)(to - from) + 1);
	luaL_checkstack(L, (int)(to - from) + 1, "unpack");
	for (count = 0; count <= to - from; count++)
		lua_rawgeti(L, 1, from + count);
	return (int)count;
}

/* --- sort: a merge sort, so that it is stable and a comparison that lies costs nothing more ------ */

/* Stack: the table, what compares (or nil), and two tables that take turns in holding the items. */
#define ITEMS   1
#define BEFORE  2
#define SCRATCH 3

static bool compares(int a, int b)
{
	return a == b && (a == LUA_TNUMBER || a == LUA_TSTRING);
}

/* Whether the item on top comes before the one below it. */
static bool before(lua_State *L)
{
	bool less;

	if (!lua_isnil(L, BEFORE)) {
		lua_pushvalue(L, BEFORE);
		lua_pushvalue(L, -2);
		lua_pushvalue(L, -4);
		lua_call(L, 2, 1);
		less = lua_toboolean(L, -1);
		lua_pop(L, 1);
		return less;
	}
	if (!compares(lua_type(L, -1), lua_type(L, -2)))
		luaL_error(L, "attempt to compare a %s with a %s", luaL_typename(L, -1),
			luaL_typename(L, -2));
	if (lua_type(L, -1) == LUA_TSTRING)
		tlua_charge_compared(L, lua_rawlen(L, -1));
	return lua_compare(L, -1, -2, LUA_OPLT);
}

/* from[first, middle) and from[middle, end) into `to`. */
static void merge(
	lua_State *L, int from, int to, lua_Integer first, lua_Integer middle, lua_Integer end)
{
	lua_Integer left = first, right = middle;

	for (lua_Integer at = first; at < end; at++) {
		bool take_right = left == middle;

		if (left < middle && right < end) {
			lua_rawgeti(L, from, left);
			lua_rawgeti(L, from, right);
			take_right = before(L);
			lua_pop(L, 2);
		}
		lua_rawgeti(L, from, take_right ? right++ : left++);
		lua_rawseti(L, to, at);
	}
}

/* One pass over runs of `width` items. */
static void pass(lua_State *L, int from, int to, lua_Integer count, lua_Integer width)
{
	for (lua_Integer first = 1; first <= count; first += 2 * width) {
		lua_Integer middle = first + width <= count + 1 ? first + width : count + 1;
		lua_Integer end = first + 2 * width <= count + 1 ? first + 2 * width : count + 1;

		merge(L, from, to, first, middle, end);
	}
}

static void copy_items(lua_State *L, int from, int to, lua_Integer count)
{
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, from, i);
		lua_rawseti(L, to, i);
	}
}

/* The table itself changes at the end only: what raises leaves it as it was. */
static int tab_sort(lua_State *L)
{
	lua_Integer count;
	int from = SCRATCH, to = SCRATCH + 1;

	luaL_checktype(L, ITEMS, LUA_TTABLE);
	if (!lua_isnoneornil(L, BEFORE))
		luaL_checktype(L, BEFORE, LUA_TFUNCTION);
	lua_settop(L, BEFORE);
	count = (lua_Integer)lua_rawlen(L, ITEMS);
	tlua_charge(L, (uint64_t)count * 2 + 5);
	for (lua_Integer width = 1; width < count; width *= 2)
		tlua_charge(L, (uint64_t)count);
	lua_createtable(L, (int)count, 0);
	lua_createtable(L, (int)count, 0);
	copy_items(L, ITEMS, from, count);
	for (lua_Integer width = 1; width < count; width *= 2) {
		pass(L, from, to, count, width);
		from = to;
		to = from == SCRATCH ? SCRATCH + 1 : SCRATCH;
	}
	copy_items(L, from, ITEMS, count);
	return 0;
}

void tlua_env_table(lua_State *L)
{
	static const luaL_Reg functions[] = {{"concat", tab_concat}, {"insert", tab_insert},
		{"pack", tab_pack}, {"remove", tab_remove}, {"sort", tab_sort},
		{"unpack", tab_unpack}, {NULL, NULL}};

	lua_createtable(L, 0, 6);
	tlua_fill(L, "table", functions);
}
