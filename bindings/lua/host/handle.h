/* Scripts that decide, for the files that open and close nodes. */
#ifndef TL_LUA_HANDLE_H
#define TL_LUA_HANDLE_H

#include "module/core.h"

/* The type of handles of scripts. */
void tlua_open_script(lua_State *L);
/* A method of nodes: load_script('policy', file, shadow) */
int tlua_node_load_script(lua_State *L);
/* The control socket of the node answers calls about its scripts. */
int tlua_answer_about_scripts(tl_node *node);
/* Opens a node with the policy of this file, which holds from the first question on. On an error
 * *node may be open, and is to be closed. */
int tlua_open_with_policy(lua_State *L, tl_node_config *config, const char *policy, tl_node **node);

#endif
