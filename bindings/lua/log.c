/* tidelock.log: lines of a script, in the form of the library's own. */
#include <string.h>
#include "lib.h"

static const tl_log_level levels[] = {TL_LOG_DEBUG, TL_LOG_INFO, TL_LOG_WARNING, TL_LOG_ERROR};

static int log_line(lua_State *L)
{
	tl_str text = tlua_check_str(L, 1);

	tl_log_print((tl_log_level)lua_tointeger(L, lua_upvalueindex(1)), "script", text);
	return 0;
}

int luaopen_tidelock_log(lua_State *L)
{
	lua_newtable(L);
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		lua_pushinteger(L, levels[i]);
		lua_pushcclosure(L, log_line, 1);
		lua_setfield(L, -2, tl_log_level_name(levels[i]));
	}
	return 1;
}
