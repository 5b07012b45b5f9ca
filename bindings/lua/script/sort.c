/* table.sort: a merge sort, so that it is stable and a comparison that lies costs nothing more. */
#include "script/cell_impl.h"

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
		tlua_charge_bytes(L, lua_rawlen(L, -1));
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

static void copy(lua_State *L, int from, int to, lua_Integer count)
{
	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, from, i);
		lua_rawseti(L, to, i);
	}
}

/* The table itself changes at the end only: what raises leaves it as it was. */
int tlua_sort(lua_State *L)
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
	copy(L, ITEMS, from, count);
	for (lua_Integer width = 1; width < count; width *= 2) {
		pass(L, from, to, count, width);
		from = to;
		to = from == SCRATCH ? SCRATCH + 1 : SCRATCH;
	}
	copy(L, from, ITEMS, count);
	return 0;
}
