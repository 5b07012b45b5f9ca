/* Scripts that decide, for the files that open and close nodes. */
#ifndef TL_LUA_HANDLE_H
#define TL_LUA_HANDLE_H

#include <tidelock/script.h>
#include "module/core.h"

/* The type of handles of scripts. */
void tlua_open_script(lua_State *L);
/* A method of nodes: load_script(kind, file, shadow) */
int tlua_node_load_script(lua_State *L);
/* The control socket of the node answers calls about its scripts. */
int tlua_answer_about_scripts(tl_node *node);
/* Files that are at work before anything else is asked of a node. */
typedef struct tlua_opened_with {
	const char *policy, *rules; /* NULL: none */
	const char *hooks[TL_SCRIPT_HOOKS_MAX];
	size_t hook_count;
} tlua_opened_with;

/* `policy`, `rules` and `hooks` of a table of options, which keeps the texts. False with the last
 * error set for a text that holds a zero byte; raises for what is no text. */
bool tlua_option_scripts(lua_State *L, int options, tlua_opened_with *out);
/* Opens a node with them. On an error *node may be open, and is to be closed. */
int tlua_open_with(
	lua_State *L, tl_node_config *config, const tlua_opened_with *scripts, tl_node **node);

#endif
