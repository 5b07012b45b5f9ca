/* Where the lines of a Lua state go. */
#ifndef TL_LUA_LOG_H
#define TL_LUA_LOG_H

#include "module/lib.h"

/* For the options of whatever logs: log = tlua_log_sink, log_ud = tlua_log_of(L). Ask for it before
 * the handle of what logs is made: it is finalised after all that were made later. */
void *tlua_log_of(lua_State *L);
void tlua_log_sink(void *ud, tl_log_level level, const char *part, const char *text);
/* The level of what has none of its own. */
tl_log_level tlua_log_level(lua_State *L);

#endif
