/* print and log: lines for whoever opened the cell. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "script/cell_impl.h"

#define LINE_UNITS 100

static int64_t second_now(void)
{
	struct timespec now = {0, 0};

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

static void tell_left_out(tlua_cell *cell, const char *where)
{
	char text[64];
	int len = snprintf(text, sizeof text, "%u lines were left out", cell->left_out);

	cell->left_out = 0;
	cell->say(cell->ud, TL_LOG_WARNING, where, (tl_str){text, (size_t)len});
}

static void say(lua_State *L, tl_log_level level, tl_str text)
{
	tlua_cell *cell = tlua_cell_of(L);
	int64_t second = second_now();
	char where[TLUA_WHERE_MAX];

	if (!cell->say)
		return;
	tlua_caller(L, where);
	if (second != cell->second) {
		cell->second = second;
		cell->lines = 0;
		if (cell->left_out > 0)
			tell_left_out(cell, where);
	}
	if (cell->lines++ < TLUA_LINES_MAX)
		cell->say(cell->ud, level, where, text);
	else
		cell->left_out++;
}

/* The arguments as one text, on top of the stack. */
static tl_str joined(lua_State *L, const char *between)
{
	int count = lua_gettop(L);
	size_t len = 0, sum = 0;
	tl_str text;

	tlua_charge(L, LINE_UNITS + (uint64_t)count);
	for (int i = 1; i <= count; i++) {
		(void)tlua_show(L, i, &len);
		sum += len + 1;
	}
	tlua_charge_string(L, sum);
	luaL_checkstack(L, 2 * count + 1, "line");
	lua_pushliteral(L, "");
	for (int i = 1; i <= count; i++) {
		if (i > 1)
			lua_pushstring(L, between);
		lua_pushvalue(L, i);
	}
	lua_concat(L, count > 0 ? 2 * count : 1);
	text.ptr = lua_tolstring(L, -1, &text.len);
	return text;
}

int tlua_print(lua_State *L)
{
	say(L, TL_LOG_INFO, joined(L, "\t"));
	return 0;
}

static int log_line(lua_State *L)
{
	tl_log_level level = (tl_log_level)lua_tointeger(L, lua_upvalueindex(1));

	luaL_checkany(L, 1);
	say(L, level, joined(L, " "));
	return 0;
}

void tlua_env_log(lua_State *L)
{
	static const luaL_Reg none[] = {{NULL, NULL}};
	static const char *const names[] = {"debug", "info", "warning", "error"};

	lua_createtable(L, 0, 4);
	for (int level = TL_LOG_DEBUG; level <= TL_LOG_ERROR; level++) {
		lua_pushinteger(L, level);
		lua_pushcclosure(L, log_line, 1);
		lua_setfield(L, -2, names[level]);
	}
	tlua_fill(L, "log", none);
}
