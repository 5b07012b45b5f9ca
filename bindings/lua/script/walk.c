/* Walking over tables in an order that is the same in every process: numbers, then strings by their
 * bytes. */
#include "script/cell_impl.h"

#include <string.h>

typedef struct key {
	const char *text; /* NULL: a number. It lives in the table that is walked */
	size_t len;
	lua_Number number;
	lua_Integer integer; /* of those that are whole */
	bool whole;
	lua_Integer at; /* where it lies among the keys that were collected */
} key;

/* --- order ------------------------------------------------------------------------------------ */

/* Whole numbers that differ may be the same float. */
static int compare_numbers(const key *a, const key *b)
{
	if (a->whole && b->whole)
		return (a->integer > b->integer) - (a->integer < b->integer);
	return (a->number > b->number) - (a->number < b->number);
}

static int compare(const key *a, const key *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order;

	if (!a->text || !b->text)
		return !a->text && !b->text ? compare_numbers(a, b)
					    : (a->text != NULL) - (b->text != NULL);
	order = memcmp(a->text, b->text, len);
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* The key on top of the stack. */
static key read_key(lua_State *L, lua_Integer at)
{
	key k = {.at = at};
	int whole = 0;

	if (lua_type(L, -1) == LUA_TSTRING) {
		k.text = lua_tolstring(L, -1, &k.len);
	} else if (lua_type(L, -1) == LUA_TNUMBER) {
		k.number = lua_tonumber(L, -1);
		k.integer = lua_tointegerx(L, -1, &whole);
		k.whole = whole;
	} else {
		luaL_error(L, "a table with a key that is a %s has no order to be walked in",
			luaL_typename(L, -1));
	}
	return k;
}

static void sift(key *keys, size_t from, size_t count)
{
	key moved = keys[from];
	size_t child;

	while ((child = 2 * from + 1) < count) {
		if (child + 1 < count && compare(&keys[child], &keys[child + 1]) < 0)
			child++;
		if (compare(&moved, &keys[child]) >= 0)
			break;
		keys[from] = keys[child];
		from = child;
	}
	keys[from] = moved;
}

/* In place and n·log n whatever the order was. */
static void heap_sort(key *keys, size_t count)
{
	for (size_t i = count / 2; i > 0; i--)
		sift(keys, i - 1, count);
	for (size_t last = count; last > 1; last--) {
		key top = keys[0];

		keys[0] = keys[last - 1];
		keys[last - 1] = top;
		sift(keys, 0, last - 1);
	}
}

/* --- collecting ------------------------------------------------------------------------------- */

static uint64_t log2_of(size_t count)
{
	uint64_t log = 1;

	while (count >>= 1)
		log++;
	return log;
}

/* Pushes the keys of the table at 1 as they come, and returns how many; *sorted tells whether they
 * came in order. */
static size_t collect(lua_State *L, bool *sorted)
{
	lua_Integer count = 0;
	key before = {0}, now;

	*sorted = true;
	tlua_charge_unknown(L);
	lua_createtable(L, (int)lua_rawlen(L, 1), 0);
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		tlua_charge(L, 2);
		lua_pop(L, 1);
		now = read_key(L, count);
		if (count > 0 && compare(&before, &now) > 0)
			*sorted = false;
		before = now;
		lua_pushvalue(L, -1);
		lua_rawseti(L, 2, ++count);
	}
	return (size_t)count;
}

/* Replaces the keys at 2 by the same in order. */
static void sort_keys(lua_State *L, size_t count)
{
	key *keys;

	tlua_charge(L, count * log2_of(count));
	keys = lua_newuserdatauv(L, count * sizeof *keys, 0);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, 2, (lua_Integer)i + 1);
		keys[i] = read_key(L, (lua_Integer)i);
		lua_pop(L, 1);
	}
	heap_sort(keys, count);
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_rawgeti(L, 2, keys[i].at + 1);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	lua_replace(L, 2);
	lua_pop(L, 1);
}

/* --- pairs, next, ipairs ---------------------------------------------------------------------- */

/* Upvalues: the keys, and how many were walked. Keys that are gone by now are passed over. */
static int step(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));

	luaL_checktype(L, 1, LUA_TTABLE); /* a script may call it with anything */
	lua_settop(L, 1);
	do {
		tlua_charge(L, 1);
		if (lua_rawgeti(L, lua_upvalueindex(1), ++at) == LUA_TNIL)
			return 1;
		lua_pushvalue(L, -1);
	} while (lua_rawget(L, 1) == LUA_TNIL && (lua_settop(L, 1), true));
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(2));
	return 2;
}

int tlua_pairs(lua_State *L)
{
	bool sorted;
	size_t count;

	lua_settop(L, 1);
	tlua_charge(L, 5);
	if (!tlua_spread_lazy(L))
		luaL_checktype(L, 1, LUA_TTABLE);
	count = collect(L, &sorted);
	if (!sorted)
		sort_keys(L, count);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, step, 2);
	lua_pushvalue(L, 1);
	return 2;
}

/* Only the first key of all: what follows one without a walk depends on addresses. */
int tlua_next(lua_State *L)
{
	key least = {0}, now;
	bool any = false;

	if (!lua_isnoneornil(L, 2))
		luaL_error(L, "next(t) gives the first key only; walk over a table with pairs");
	lua_settop(L, 1);
	if (!tlua_spread_lazy(L))
		luaL_checktype(L, 1, LUA_TTABLE);
	tlua_charge_unknown(L);
	lua_pushnil(L); /* the least key so far, at 2 */
	lua_pushnil(L);
	while (lua_next(L, 1)) {
		tlua_charge(L, 1);
		lua_pop(L, 1);
		now = read_key(L, 0);
		if (any && compare(&now, &least) >= 0)
			continue;
		any = true;
		least = now;
		lua_pushvalue(L, -1);
		lua_replace(L, 2);
	}
	if (!any)
		return 1;
	lua_pushvalue(L, 2);
	lua_rawget(L, 1);
	return 2;
}

static int ipairs_step(lua_State *L)
{
	lua_Integer i = luaL_checkinteger(L, 2);

	luaL_checktype(L, 1, LUA_TTABLE);
	i = (lua_Integer)((lua_Unsigned)i + 1);
	tlua_charge(L, 1);
	lua_pushinteger(L, i);
	return lua_rawgeti(L, 1, i) == LUA_TNIL ? 1 : 2;
}

int tlua_ipairs(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	tlua_charge(L, 1);
	lua_pushcfunction(L, ipairs_step);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}
