/* Values of documents in Lua: docs are tables, lists are handles that keep their positions, null
 * and tombstones are constants (tidelock.null, tidelock.deleted). */
#include <math.h>
#include "module/lib.h"

#define CONSTANT_TYPE "tidelock.constant"

static const char null_constant, deleted_constant;

static int constant_tostring(lua_State *L)
{
	lua_getiuservalue(L, 1, 1);
	return 1;
}

static void push_constant(lua_State *L, const char *which, const char *name)
{
	static const luaL_Reg functions[] = {{"__tostring", constant_tostring}, {NULL, NULL}};

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, which) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_newuserdatauv(L, 1, 1);
	lua_pushstring(L, name);
	lua_setiuservalue(L, -2, 1);
	tlua_push_metatable(L, CONSTANT_TYPE, functions);
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, which);
}

static bool is_constant(lua_State *L, int index, const char *which)
{
	bool equal;

	lua_rawgetp(L, LUA_REGISTRYINDEX, which);
	equal = lua_rawequal(L, index < 0 ? index - 1 : index, -1);
	lua_pop(L, 1);
	return equal;
}

void tlua_push_null(lua_State *L)
{
	push_constant(L, &null_constant, "null");
}

bool tlua_is_null(lua_State *L, int index)
{
	return is_constant(L, index, &null_constant);
}

/* --- to Lua ----------------------------------------------------------------------------------- */

static void push_any(lua_State *L, const tl_value *value, bool raw);

static void push_doc(lua_State *L, const tl_value *doc, bool raw)
{
	tl_str key;
	tl_value *child;

	lua_newtable(L);
	for (size_t i = 0; tl_doc_at(doc, i, &key, &child); i++) {
		if (!raw && tl_value_type(child) == TL_DELETED)
			continue;
		lua_pushlstring(L, key.ptr, key.len);
		push_any(L, child, raw);
		lua_rawset(L, -3);
	}
}

static void push_list(lua_State *L, const tl_value *list)
{
	void **handle = tlua_new_handle(L, TLUA_LIST);

	*handle = tl_value_copy(list);
	if (!*handle)
		luaL_error(L, "%s", tl_error_message(tl_last_error()));
}

static void push_any(lua_State *L, const tl_value *value, bool raw)
{
	tl_str text;

	luaL_checkstack(L, 6, "document is nested too deeply");
	switch (value ? tl_value_type(value) : TL_DELETED) {
	case TL_NULL: push_constant(L, &null_constant, "null"); break;
	case TL_BOOL: lua_pushboolean(L, tl_value_as_bool(value)); break;
	case TL_INT: lua_pushinteger(L, tl_value_as_int(value)); break;
	case TL_TEXT:
		text = tl_value_as_text(value);
		lua_pushlstring(L, text.ptr, text.len);
		break;
	case TL_DOC: push_doc(L, value, raw); break;
	case TL_LIST: push_list(L, value); break;
	case TL_DELETED: push_constant(L, &deleted_constant, "deleted"); break;
	}
}

void tlua_push_value(lua_State *L, const tl_value *value)
{
	push_any(L, value, false);
}

void tlua_push_raw(lua_State *L, const tl_value *value)
{
	push_any(L, value, true);
}

static int push_item(lua_State *L)
{
	tlua_push_value(L, lua_touserdata(L, 1));
	return 1;
}

static int push_raw_item(lua_State *L)
{
	tlua_push_raw(L, lua_touserdata(L, 1));
	return 1;
}

static void release_value(void *item)
{
	tl_value_free(item);
}

void tlua_push_owned_value(lua_State *L, tl_value *value)
{
	if (value)
		tlua_push_released(L, push_item, value, release_value);
	else
		lua_pushnil(L);
}

void tlua_push_owned_raw(lua_State *L, tl_value *value)
{
	if (value)
		tlua_push_released(L, push_raw_item, value, release_value);
	else
		lua_pushnil(L);
}

/* --- from Lua --------------------------------------------------------------------------------- */

/* Values under construction hang on a guard userdata, so that a raise releases them. */
struct guard {
	tl_value *value;
};

#define GUARD_TYPE "tidelock.guard"

static int guard_drop(lua_State *L)
{
	struct guard *guard = lua_touserdata(L, 1);

	tl_value_free(guard->value);
	guard->value = NULL;
	return 0;
}

static struct guard *push_guard(lua_State *L)
{
	static const luaL_Reg functions[] = {{"__gc", guard_drop}, {NULL, NULL}};
	struct guard *guard = lua_newuserdatauv(L, sizeof *guard, 0);

	guard->value = NULL;
	tlua_push_metatable(L, GUARD_TYPE, functions);
	lua_setmetatable(L, -2);
	return guard;
}

static tl_value *from_lua(lua_State *L, int index, const tlua_place *at);

/* Errors of making a value: what the library says, and where. */
static void fail_at(lua_State *L, const tlua_place *at)
{
	tlua_refuse_at(
		L, at, lua_pushfstring(L, "is refused: %s", tl_error_message(tl_last_error())));
}

static tl_value *checked(lua_State *L, tl_value *value, const tlua_place *at)
{
	if (!value)
		fail_at(L, at);
	return value;
}

static tl_value *doc_from_table(lua_State *L, int index, const tlua_place *at)
{
	tlua_place inside = tlua_place_below(L, index, at);
	struct guard *guard;
	tl_value *doc;

	tlua_check_depth(L, index, at, TL_DOC_MAX_NESTING + 1);
	guard = push_guard(L);
	guard->value = checked(L, tl_value_doc(), at);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		if (lua_type(L, -2) != LUA_TSTRING)
			tlua_refuse_at(L, at,
				"has keys that are no strings, as no document has; use "
				"tidelock.list{...} for a list");
		inside.key.ptr = lua_tolstring(L, -2, &inside.key.len);
		if (tl_doc_put(guard->value, inside.key, from_lua(L, lua_gettop(L), &inside)) !=
			TL_OK)
			fail_at(L, &inside);
		lua_pop(L, 1);
	}
	doc = guard->value;
	guard->value = NULL;
	lua_pop(L, 1);
	return doc;
}

/* Raises for a table with holes or named members. */
static void check_sequence(lua_State *L, int index)
{
	size_t items = 0;

	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		if (!lua_isinteger(L, -1))
			luaL_error(L, "a list has items only, and this table has the key '%s'",
				luaL_tolstring(L, -1, NULL));
		items++;
	}
	for (size_t i = 1; i <= items; i++) {
		if (lua_rawgeti(L, index, (lua_Integer)i) == LUA_TNIL)
			luaL_error(L, "a list has no holes, and this table has no item %d", (int)i);
		lua_pop(L, 1);
	}
}

static bool is_array(lua_State *L, int index)
{
	bool same;

	if (!lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, TLUA_ARRAY);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

/* An array of JSON is a list. */
static tl_value *list_from_array(lua_State *L, int index, const tlua_place *at)
{
	tlua_place inside = tlua_place_below(L, index, at);
	struct guard *guard;
	tl_value *list;

	tlua_check_depth(L, index, at, TL_DOC_MAX_NESTING + 1);
	check_sequence(L, index);
	guard = push_guard(L);
	guard->value = checked(L, tl_value_list(), at);
	for (inside.item = 1; lua_rawgeti(L, index, inside.item) != LUA_TNIL; inside.item++) {
		if (tl_list_push(guard->value, from_lua(L, lua_gettop(L), &inside)) != TL_OK)
			fail_at(L, &inside);
		lua_pop(L, 1);
	}
	list = guard->value;
	guard->value = NULL;
	lua_pop(L, 2);
	return list;
}

static tl_value *number_from_lua(lua_State *L, int index, const tlua_place *at)
{
	int exact = 0;
	lua_Integer integer = lua_tointegerx(L, index, &exact);

	if (!exact)
		tlua_refuse_at(L, at, "has a fraction: documents hold whole numbers only");
	return checked(L, tl_value_int(integer), at);
}

static tl_value *object_from_lua(lua_State *L, int index, const tlua_place *at)
{
	void **list = luaL_testudata(L, index, TLUA_LIST);

	if (is_constant(L, index, &null_constant))
		return checked(L, tl_value_null(), at);
	if (is_constant(L, index, &deleted_constant))
		return checked(L, tl_value_deleted(), at);
	if (list && *list)
		return checked(L, tl_value_copy(*list), at);
	tlua_refuse_at(L, at,
		lua_pushfstring(
			L, "is %s, which no document holds", luaL_tolstring(L, index, NULL)));
	return NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by TL_DOC_MAX_NESTING */
static tl_value *from_lua(lua_State *L, int index, const tlua_place *at)
{
	tl_str text;

	luaL_checkstack(L, 10, "document is nested too deeply");
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN: return checked(L, tl_value_bool(lua_toboolean(L, index)), at);
	case LUA_TNUMBER: return number_from_lua(L, index, at);
	case LUA_TSTRING:
		text.ptr = lua_tolstring(L, index, &text.len);
		return checked(L, tl_value_text(text), at);
	case LUA_TTABLE:
		return is_array(L, index) ? list_from_array(L, index, at)
					  : doc_from_table(L, index, at);
	case LUA_TUSERDATA: return object_from_lua(L, index, at);
	case LUA_TNONE: tlua_refuse_at(L, at, "is missing"); break;
	default:
		tlua_refuse_at(L, at,
			lua_pushfstring(L, "is of type %s, which no document holds",
				luaL_typename(L, index)));
	}
	return NULL;
}

tl_value *tlua_check_value(lua_State *L, int arg)
{
	return from_lua(L, lua_absindex(L, arg), NULL);
}

/* --- lists ------------------------------------------------------------------------------------ */

static int list_drop(lua_State *L)
{
	void **handle = luaL_checkudata(L, 1, TLUA_LIST);

	tl_value_free(*handle);
	*handle = NULL;
	return 0;
}

static int list_new(lua_State *L)
{
	void **handle;

	lua_settop(L, 1);
	if (!lua_isnil(L, 1))
		luaL_checktype(L, 1, LUA_TTABLE);
	handle = tlua_new_handle(L, TLUA_LIST);
	*handle = lua_isnil(L, 1) ? checked(L, tl_value_list(), NULL) : list_from_array(L, 1, NULL);
	return 1;
}

/* Positions in Lua count from 1. */
static size_t check_place(lua_State *L, int arg)
{
	lua_Integer at = luaL_checkinteger(L, arg);

	luaL_argcheck(L, at >= 1, arg, "places in a list count from 1");
	return (size_t)at - 1;
}

static int list_push(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST);

	return tlua_ok(L, tl_list_push(list, tlua_check_value(L, 2)));
}

static int list_insert(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST);
	size_t at = check_place(L, 2);

	return tlua_ok(L, tl_list_insert(list, at, tlua_check_value(L, 3)));
}

static int list_set(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST);
	size_t at = check_place(L, 2);

	return tlua_ok(L, tl_list_set(list, at, tlua_check_value(L, 3)));
}

static int list_remove(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST);

	return tlua_ok(L, tl_list_remove(list, check_place(L, 2)));
}

static int list_totable(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST), *item;
	tl_position position;
	lua_Integer count = 0;

	lua_newtable(L);
	for (size_t i = 0; tl_list_raw_at(list, i, &position, &item); i++) {
		if (tl_value_type(item) == TL_DELETED)
			continue;
		tlua_push_value(L, item);
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

static int list_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)tl_list_len(tlua_check_handle(L, 1, TLUA_LIST)));
	return 1;
}

/* list[i] is the item, list.push and the like are methods (upvalue 1). */
static int list_index(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST);
	int exact = 0;
	lua_Integer at = lua_tointegerx(L, 2, &exact);
	tl_value *item;

	if (!exact || lua_type(L, 2) != LUA_TNUMBER) {
		lua_pushvalue(L, 2);
		lua_rawget(L, lua_upvalueindex(1));
		return 1;
	}
	item = at >= 1 ? tl_list_get(list, (size_t)at - 1) : NULL;
	if (item)
		tlua_push_value(L, item);
	else
		lua_pushnil(L);
	return 1;
}

/* (list, place before) -> place, item */
static int list_next(lua_State *L)
{
	tl_value *list = tlua_check_handle(L, 1, TLUA_LIST);
	lua_Integer at = luaL_checkinteger(L, 2);
	tl_value *item = at >= 0 ? tl_list_get(list, (size_t)at) : NULL;

	if (!item)
		return 0;
	lua_pushinteger(L, at + 1);
	tlua_push_value(L, item);
	return 2;
}

static int list_pairs(lua_State *L)
{
	(void)tlua_check_handle(L, 1, TLUA_LIST);
	lua_pushcfunction(L, list_next);
	lua_pushvalue(L, 1);
	lua_pushinteger(L, 0);
	return 3;
}

static int list_equal(lua_State *L)
{
	lua_pushboolean(L, tl_value_equal(tlua_check_handle(L, 1, TLUA_LIST),
				   tlua_check_handle(L, 2, TLUA_LIST)));
	return 1;
}

static const luaL_Reg list_methods[] = {{"push", list_push}, {"insert", list_insert},
	{"set", list_set}, {"remove", list_remove}, {"totable", list_totable}, {NULL, NULL}};

static void new_list_type(lua_State *L)
{
	tlua_new_type(L, TLUA_LIST, list_methods, list_drop);
	luaL_getmetatable(L, TLUA_LIST);
	lua_getfield(L, -1, "__index");
	lua_pushcclosure(L, list_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, list_len);
	lua_setfield(L, -2, "__len");
	lua_pushcfunction(L, list_pairs);
	lua_setfield(L, -2, "__pairs");
	lua_pushcfunction(L, list_equal);
	lua_setfield(L, -2, "__eq");
	lua_pop(L, 1);
}

int tlua_open_values(lua_State *L)
{
	new_list_type(L);
	lua_newtable(L);
	push_constant(L, &null_constant, "null");
	lua_setfield(L, -2, "null");
	push_constant(L, &deleted_constant, "deleted");
	lua_setfield(L, -2, "deleted");
	lua_pushcfunction(L, list_new);
	lua_setfield(L, -2, "list");
	return 1;
}
