/* tidelock in the Lua state of a host.
 *
 * The Lua module and the host use one copy of the library, so a host in C that has a Lua 5.4 state
 * can open a node itself and give it to its scripts. It links the module beside the library
 * (pkg-config tidelock-lua) and opens it with luaL_requiref(L, "tidelock", luaopen_tidelock, 0), or
 * leaves that to `require 'tidelock'`; both need Lua's standard libraries and luv in the state. */
#ifndef TIDELOCK_LUA_H
#define TIDELOCK_LUA_H

#include <lua.h>
#include <tidelock/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What `require 'tidelock'` gives. */
TL_API int luaopen_tidelock(lua_State *L);

/* Pushes a handle to a node of the host, with everything that one of tl.open has. A node that was
 * pushed before gives the same handle, as long as Lua still has it.
 *
 * The node stays the host's. The handle holds a reference to it (tl_node_retain) until it is closed
 * or collected; neither closes the node, and only the host does: from then on calls of scripts give
 * the error `closed`. The node's servers do not keep tl.run going.
 *
 * Host and scripts may call the node at the same time, from different threads; the Lua state itself
 * belongs to one thread at a time as ever. Operations are told to whoever waits for them, whether
 * the host dispatches (tl_node_run) or the script's loop does. Events are taken from one queue:
 * either the host reads them or its scripts. Hooks of scripts are called for commits on the thread
 * that made them; a commit of another thread that before_commit must be asked about is refused
 * (TL_E_HOOK_FAILED).
 *
 * Raises as Lua's own API does when memory runs out or the module cannot be loaded, so call it
 * where that is caught. For a node that is NULL: TL_E_BAD_ARGUMENT, and nil is pushed. */
TL_API int tlua_push_node(lua_State *L, tl_node *node);

#ifdef __cplusplus
}
#endif
#endif
