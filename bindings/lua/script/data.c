/* Plain data as bytes: what goes into a cell and comes out of it, and nothing else. */
#include <stdlib.h>
#include <string.h>
#include "script/cell_impl.h"

enum {
	NIL = 'n',
	FALSE = 'f',
	TRUE = 't',
	INTEGER = 'i',
	FLOAT = 'd',
	TEXT = 's',
	TABLE = '{',
	END = '}'
};

/* Where a table stands that is being taken. */
typedef struct place {
	const struct place *above;
	const void *table;
	unsigned depth;
} place;

/* --- taking ----------------------------------------------------------------------------------- */

static void append(lua_State *L, tlua_data *out, const void *bytes, size_t len)
{
	if (len == 0)
		return;
	if (out->charged)
		tlua_charge_bytes(L, len);
	if (len > TLUA_DATA_MAX - out->len)
		luaL_error(L, "plain data has at most %d bytes", TLUA_DATA_MAX);
	if (out->len + len > out->cap) {
		size_t cap = out->cap * 2 > out->len + len ? out->cap * 2 : out->len + len + 64;
		char *more = realloc(out->bytes, cap);

		if (!more)
			luaL_error(L, "not enough memory");
		else
			out->bytes = more;
		out->cap = cap;
	}
	memcpy(out->bytes + out->len, bytes, len);
	out->len += len;
}

static void append_tag(lua_State *L, tlua_data *out, char tag)
{
	append(L, out, &tag, 1);
}

static void take_text(lua_State *L, int index, tlua_data *out)
{
	size_t len;
	const char *text = lua_tolstring(L, index, &len);

	out->zeros = out->zeros || memchr(text, 0, len);
	append_tag(L, out, TEXT);
	append(L, out, &len, sizeof len);
	append(L, out, text, len);
}

static void take_number(lua_State *L, int index, tlua_data *out)
{
	lua_Integer integer = lua_tointeger(L, index);
	lua_Number number = lua_tonumber(L, index);

	append_tag(L, out, lua_isinteger(L, index) ? INTEGER : FLOAT);
	if (lua_isinteger(L, index))
		append(L, out, &integer, sizeof integer);
	else
		append(L, out, &number, sizeof number);
}

static void take_value(lua_State *L, int index, tlua_data *out, const place *above);

static void take_table(lua_State *L, int index, tlua_data *out, const place *above)
{
	place here = {above, lua_topointer(L, index), above ? above->depth + 1 : 1};

	if (here.depth > TLUA_DEPTH_MAX)
		luaL_error(L, "plain data has at most %d levels", TLUA_DEPTH_MAX);
	for (const place *p = above; p; p = p->above)
		if (p->table == here.table)
			luaL_error(L, "plain data holds no table that contains itself");
	if (lua_getmetatable(L, index))
		luaL_error(L, "plain data holds no objects, and this is one");
	luaL_checkstack(L, 8, "plain data");
	append_tag(L, out, TABLE);
	lua_pushnil(L);
	while (lua_next(L, index)) {
		take_value(L, lua_gettop(L) - 1, out, &here);
		take_value(L, lua_gettop(L), out, &here);
		lua_pop(L, 1);
	}
	append_tag(L, out, END);
}

static void take_value(lua_State *L, int index, tlua_data *out, const place *above)
{
	int type = lua_type(L, index);

	if (type == LUA_TNIL)
		append_tag(L, out, NIL);
	else if (type == LUA_TBOOLEAN)
		append_tag(L, out, lua_toboolean(L, index) ? TRUE : FALSE);
	else if (type == LUA_TNUMBER)
		take_number(L, index, out);
	else if (type == LUA_TSTRING)
		take_text(L, index, out);
	else if (type == LUA_TTABLE)
		take_table(L, index, out, above);
	else
		luaL_error(L, "plain data holds no %s", lua_typename(L, type));
}

void tlua_data_take(lua_State *L, int index, tlua_data *out)
{
	take_value(L, lua_absindex(L, index), out, NULL);
}

/* --- pushing ---------------------------------------------------------------------------------- */

static const char *push_value(lua_State *L, const char *at);

/* Behind the opening tag. */
static const char *push_table(lua_State *L, const char *at)
{
	luaL_checkstack(L, 4, "plain data");
	lua_newtable(L);
	while (*at != END) {
		at = push_value(L, at);
		at = push_value(L, at);
		lua_rawset(L, -3);
	}
	return at + 1;
}

static const char *push_text(lua_State *L, const char *at)
{
	size_t len;

	memcpy(&len, at, sizeof len);
	lua_pushlstring(L, at + sizeof len, len);
	return at + sizeof len + len;
}

static const char *push_value(lua_State *L, const char *at)
{
	lua_Integer integer;
	lua_Number number;

	switch (*at++) {
	case FALSE: lua_pushboolean(L, false); return at;
	case TRUE: lua_pushboolean(L, true); return at;
	case INTEGER:
		memcpy(&integer, at, sizeof integer);
		lua_pushinteger(L, integer);
		return at + sizeof integer;
	case FLOAT:
		memcpy(&number, at, sizeof number);
		lua_pushnumber(L, number);
		return at + sizeof number;
	case TEXT: return push_text(L, at);
	case TABLE: return push_table(L, at);
	default: lua_pushnil(L); return at;
	}
}

int tlua_data_push(lua_State *L, const tlua_data *data)
{
	const char *at = data->bytes, *end = at + data->len;
	int count = 0;

	for (; at < end; count++) {
		luaL_checkstack(L, 4, "plain data");
		at = push_value(L, at);
	}
	return count;
}

void tlua_data_drop(tlua_data *data)
{
	free(data->bytes);
	*data = (tlua_data){0};
}

/* --- as arguments and results ----------------------------------------------------------------- */

int tlua_exchange_push(lua_State *L, void *ud)
{
	const tlua_exchange *exchange = ud;

	tlua_charge_bytes(L, exchange->arguments->len);
	if (exchange->arguments->zeros)
		tlua_heed_zeros(L);
	return tlua_data_push(L, exchange->arguments);
}

void tlua_exchange_take(lua_State *L, void *ud)
{
	const tlua_exchange *exchange = ud;
	int count = lua_gettop(L);

	exchange->results->charged = true;
	for (int i = 1; i <= count; i++)
		tlua_data_take(L, i, exchange->results);
}
