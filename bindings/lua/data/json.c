/* tidelock.json: JSON as tables, by the rules of tidelock/json.h. What decode gives, encode writes
 * again: null is tidelock.null, an array is marked so that it stays one when it is empty. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "module/lib.h"

#define READER_TYPE "tidelock.json.reader"
#define WRITER_TYPE "tidelock.json.writer"

#define INDENT 2 /* spaces a level of what is pretty */

/* The table on top is written as an array again, also when it is empty. */
static void mark_array(lua_State *L)
{
	static const luaL_Reg functions[] = {{NULL, NULL}};

	tlua_push_metatable(L, TLUA_ARRAY, functions);
	lua_setmetatable(L, -2);
}

/* A handle born closed, so that a raise releases what it holds. */
static void **push_holder(lua_State *L, const char *type, lua_CFunction drop)
{
	const luaL_Reg functions[] = {{"__gc", drop}, {NULL, NULL}};

	tlua_push_metatable(L, type, functions);
	lua_pop(L, 1);
	return tlua_new_handle(L, type);
}

static int drop_reader(lua_State *L)
{
	void **holder = lua_touserdata(L, 1);

	tl_json_reader_free(*holder);
	*holder = NULL;
	return 0;
}

static int drop_writer(lua_State *L)
{
	void **holder = lua_touserdata(L, 1);

	tl_json_writer_free(*holder);
	*holder = NULL;
	return 0;
}

/* --- decode ----------------------------------------------------------------------------------- */

typedef struct decoding {
	tl_json_reader *reader;
	bool records; /* members that are null are left out */
} decoding;

static int push_value(lua_State *L, const decoding *d, tl_json_token token);

static void push_text(lua_State *L, const decoding *d)
{
	tl_str text = tl_json_text(d->reader);

	lua_pushlstring(L, text.ptr, text.len);
}

static int push_object(lua_State *L, const decoding *d)
{
	tl_json_token token;
	int rc;

	lua_newtable(L);
	while ((rc = tl_json_next(d->reader, &token)) == TL_OK && token != TL_JSON_OBJECT_END) {
		push_text(L, d);
		rc = tl_json_next(d->reader, &token);
		if (rc != TL_OK)
			return rc;
		if (token == TL_JSON_NULL && d->records)
			lua_pushnil(L);
		else if ((rc = push_value(L, d, token)) != TL_OK)
			return rc;
		lua_rawset(L, -3);
	}
	return rc;
}

static int push_array(lua_State *L, const decoding *d)
{
	lua_Integer count = 0;
	tl_json_token token;
	int rc;

	lua_newtable(L);
	mark_array(L);
	while ((rc = tl_json_next(d->reader, &token)) == TL_OK && token != TL_JSON_ARRAY_END) {
		rc = push_value(L, d, token);
		if (rc != TL_OK)
			return rc;
		lua_rawseti(L, -2, ++count);
	}
	return rc;
}

/* Leaves anything on the stack when it fails. */
/* NOLINTNEXTLINE(misc-no-recursion): bounded by TL_JSON_MAX_DEPTH */
static int push_value(lua_State *L, const decoding *d, tl_json_token token)
{
	luaL_checkstack(L, 6, "JSON is nested too deeply");
	switch (token) {
	case TL_JSON_OBJECT: return push_object(L, d);
	case TL_JSON_ARRAY: return push_array(L, d);
	case TL_JSON_INT: lua_pushinteger(L, tl_json_int(d->reader)); return TL_OK;
	case TL_JSON_FLOAT: lua_pushnumber(L, tl_json_float(d->reader)); return TL_OK;
	case TL_JSON_STRING: push_text(L, d); return TL_OK;
	case TL_JSON_NULL: tlua_push_null(L); return TL_OK;
	default: lua_pushboolean(L, token == TL_JSON_TRUE); return TL_OK;
	}
}

static int decode(lua_State *L, tl_str text, bool records)
{
	int below = lua_gettop(L);
	void **holder = push_holder(L, READER_TYPE, drop_reader);
	decoding d = {.records = records};
	tl_json_token token = TL_JSON_END;
	int rc = tl_json_reader_new(&d.reader, text);

	*holder = d.reader;
	if (rc == TL_OK)
		rc = tl_json_next(d.reader, &token);
	if (rc == TL_OK)
		rc = push_value(L, &d, token);
	if (rc == TL_OK)
		rc = tl_json_next(d.reader, &token);
	tl_json_reader_free(d.reader);
	*holder = NULL;
	if (rc == TL_OK) {
		lua_remove(L, below + 1);
		return 1;
	}
	lua_settop(L, below);
	return tlua_fail(L);
}

int tlua_decode_json(lua_State *L, tl_str text)
{
	return decode(L, text, false);
}

int tlua_decode_record(lua_State *L, tl_str text)
{
	return decode(L, text, true);
}

/* A text, not what Lua would turn into one. */
static int json_decode(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TSTRING);
	return decode(L, tlua_check_str(L, 1), false);
}

/* --- encode --------------------------------------------------------------------------- */

static void put(lua_State *L, tl_json_writer *writer, int index, const tlua_place *at);

/* The writer's calls fail for want of memory, and for texts. */
static void must(lua_State *L, const tlua_place *at, int rc)
{
	if (rc == TL_E_NOMEM)
		luaL_error(L, "not enough memory");
	if (rc != TL_OK)
		tlua_refuse_at(L, at,
			"is a text that is not UTF-8, which JSON has not: write bytes as base64");
}

typedef struct shape {
	bool marked; /* as an array */
	size_t named, items;
	lua_Integer last; /* greatest item */
} shape;

static void look_at_key(lua_State *L, shape *s, const tlua_place *at)
{
	int whole = 0;
	lua_Integer item = 0;

	if (lua_type(L, -1) == LUA_TSTRING) {
		s->named++;
		return;
	}
	if (lua_type(L, -1) == LUA_TNUMBER)
		item = lua_tointegerx(L, -1, &whole);
	if (!whole || item < 1)
		tlua_refuse_at(L, at,
			lua_pushfstring(L, "has the key %s: a table is a sequence or has text keys",
				luaL_tolstring(L, -1, NULL)));
	s->items++;
	if (item > s->last)
		s->last = item;
}

static void refuse_mixture(lua_State *L, int index, const shape *s, const tlua_place *at)
{
	lua_Integer item = 1;

	if (s->named > 0)
		tlua_refuse_at(L, at,
			s->items > 0 ? "has items and named members: a table is a sequence or has "
				       "text keys"
				     : "is an array with named members");
	while (lua_rawgeti(L, index, item) != LUA_TNIL) {
		lua_pop(L, 1);
		item++;
	}
	lua_pushfstring(L,
		"is a sequence without item %I: tidelock.null stands for nothing, and "
		"table.remove closes the gap",
		(LUAI_UACINT)item);
	tlua_refuse_at(L, at, lua_tostring(L, -1));
}

/* What the table is; raises for what is neither a sequence nor a table of text keys. */
static shape shape_of(lua_State *L, int index, const tlua_place *at)
{
	shape s = {.marked = false};

	if (lua_getmetatable(L, index)) {
		luaL_getmetatable(L, TLUA_ARRAY);
		s.marked = lua_rawequal(L, -1, -2);
		lua_pop(L, 2);
	}
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		look_at_key(L, &s, at);
	}
	if ((s.named > 0 && (s.items > 0 || s.marked)) || (size_t)s.last != s.items)
		refuse_mixture(L, index, &s, at);
	return s;
}

static void put_items(lua_State *L, tl_json_writer *writer, int index, const tlua_place *at)
{
	tlua_place inside = tlua_place_below(L, index, at);

	inside.item = 1;
	must(L, at, tl_json_put_array(writer));
	for (; lua_rawgeti(L, index, inside.item) != LUA_TNIL; inside.item++) {
		put(L, writer, lua_gettop(L), &inside);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static int by_bytes(const void *a, const void *b)
{
	const tl_str *x = a, *y = b;
	int order = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

	return order != 0 ? order : x->len < y->len ? -1 : x->len > y->len;
}

/* Ascending by their bytes, in a userdata that is pushed: the same table gives the same text, in
 * every locale. The table keeps the keys alive. */
static const tl_str *push_keys(lua_State *L, int index, size_t count)
{
	tl_str *keys = lua_newuserdatauv(L, (count + 1) * sizeof *keys, 0);
	size_t at = 0;

	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pop(L, 1);
		keys[at].ptr = lua_tolstring(L, -1, &keys[at].len);
		at++;
	}
	qsort(keys, count, sizeof *keys, by_bytes);
	return keys;
}

static void put_members(
	lua_State *L, tl_json_writer *writer, int index, size_t count, const tlua_place *at)
{
	tlua_place inside = tlua_place_below(L, index, at);
	const tl_str *keys = push_keys(L, index, count);

	must(L, at, tl_json_put_object(writer));
	for (size_t i = 0; i < count; i++) {
		inside.key = keys[i];
		if (tl_json_put_key(writer, keys[i]) != TL_OK)
			tlua_refuse_at(
				L, &inside, "has a key that is not UTF-8, which JSON has not");
		lua_pushlstring(L, keys[i].ptr, keys[i].len);
		lua_rawget(L, index);
		put(L, writer, lua_gettop(L), &inside);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void put_table(lua_State *L, tl_json_writer *writer, int index, const tlua_place *at)
{
	shape s;

	tlua_check_depth(L, index, at, TL_JSON_MAX_DEPTH);
	s = shape_of(L, index, at);
	if (s.marked || s.items > 0)
		put_items(L, writer, index, at);
	else
		put_members(L, writer, index, s.named, at);
	must(L, at, tl_json_put_end(writer));
}

static void put_number(lua_State *L, tl_json_writer *writer, int index, const tlua_place *at)
{
	lua_Number number;

	if (lua_isinteger(L, index)) {
		must(L, at, tl_json_put_int(writer, lua_tointeger(L, index)));
		return;
	}
	number = lua_tonumber(L, index);
	if (!isfinite(number))
		tlua_refuse_at(L, at,
			isnan(number) ? "is NaN, which JSON has not"
				      : "is infinite, which JSON has not");
	must(L, at, tl_json_put_float(writer, number));
}

/* Lists are written by the library; nothing raises while their text is held. */
static void put_list(
	lua_State *L, tl_json_writer *writer, const tl_value *list, const tlua_place *at)
{
	char *text = NULL;
	size_t len = 0;
	int rc = tl_value_export(list, &text, &len);

	if (rc == TL_OK)
		rc = tl_json_put_json(writer, (tl_str){text, len});
	tl_free(text);
	if (rc == TL_E_TOO_LARGE)
		tlua_refuse_at(L, at, "is nested too deeply");
	must(L, at, rc);
}

static void put_object(lua_State *L, tl_json_writer *writer, int index, const tlua_place *at)
{
	void **list = luaL_testudata(L, index, TLUA_LIST);

	if (tlua_is_null(L, index))
		must(L, at, tl_json_put_null(writer));
	else if (list && *list)
		put_list(L, writer, *list, at);
	else
		tlua_refuse_at(L, at,
			lua_pushfstring(
				L, "is %s, which JSON has not", luaL_tolstring(L, index, NULL)));
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by TL_JSON_MAX_DEPTH */
static void put(lua_State *L, tl_json_writer *writer, int index, const tlua_place *at)
{
	tl_str text;

	luaL_checkstack(L, 12, "JSON is nested too deeply");
	switch (lua_type(L, index)) {
	case LUA_TBOOLEAN: must(L, at, tl_json_put_bool(writer, lua_toboolean(L, index))); return;
	case LUA_TNUMBER: put_number(L, writer, index, at); return;
	case LUA_TSTRING:
		text.ptr = lua_tolstring(L, index, &text.len);
		must(L, at, tl_json_put_string(writer, text));
		return;
	case LUA_TTABLE: put_table(L, writer, index, at); return;
	case LUA_TUSERDATA: put_object(L, writer, index, at); return;
	case LUA_TNIL: tlua_refuse_at(L, at, "is nil: JSON's null is tidelock.null"); return;
	default:
		tlua_refuse_at(L, at,
			lua_pushfstring(
				L, "is of type %s, which JSON has not", luaL_typename(L, index)));
	}
}

static void encode(lua_State *L, int index, unsigned indent, const tlua_place *at)
{
	void **holder = push_holder(L, WRITER_TYPE, drop_writer);
	tl_json_writer *writer = NULL;
	tl_str text;

	must(L, at, tl_json_writer_new(&writer, indent));
	*holder = writer;
	put(L, writer, index, at);
	must(L, at, tl_json_writer_text(writer, &text));
	lua_pushlstring(L, text.ptr, text.len);
	*holder = NULL;
	tl_json_writer_free(writer);
	lua_remove(L, -2);
}

void tlua_encode_json(lua_State *L, int index, const char *name)
{
	tlua_place at = {.key = {name, strlen(name)}};

	encode(L, lua_absindex(L, index), 0, &at);
}

static int json_encode(lua_State *L)
{
	static const char *const options[] = {"pretty", NULL};

	luaL_checkany(L, 1);
	tlua_check_options(L, 2, options);
	encode(L, 1, tlua_option_bool(L, 2, "pretty", false) ? INDENT : 0, NULL);
	return 1;
}

/* Marks a table as an array, so that an empty one is written as []. */
static int json_array(lua_State *L)
{
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_newtable(L);
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	mark_array(L);
	return 1;
}

static const luaL_Reg functions[] = {
	{"decode", json_decode}, {"encode", json_encode}, {"array", json_array}, {NULL, NULL}};

int luaopen_tidelock_json(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}
