/* A table of Lua functions as a hook of the core. */
#ifndef TL_LUA_HOOK_H
#define TL_LUA_HOOK_H

#include "core.h"

/* Makes a hook of { before_commit =, on_entry_committed = } at `arg`; raises when it is none. The
 * functions run in the state that made the hook, so only commits made from that state's thread
 * call them. Whoever gets the hook owns hook.ud: give it to the library or call hook.drop. */
tl_hook tlua_check_hook(lua_State *L, int arg);

#endif
