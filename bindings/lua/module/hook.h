/* A table of Lua functions as a hook of the core. */
#ifndef TL_LUA_HOOK_H
#define TL_LUA_HOOK_H

#include "module/core.h"

/* Readies this state for hooks; once. */
void tlua_open_hooks(lua_State *L);

/* Makes a hook of { before_commit =, on_entry_committed = } at `arg`; raises when it is none. Its
 * functions answer true, or nil and a text that says why, and raise nothing
 * (lua/tidelock/hooks.lua). They run in this state on this thread: before_commit refuses commits of
 * other threads, and on_entry_committed fails there. Once the state is closed they are not called
 * any more. Whoever gets the hook owns hook.ud: give it to the library or call hook.drop. */
tl_hook tlua_check_hook(lua_State *L, int arg);

#endif
