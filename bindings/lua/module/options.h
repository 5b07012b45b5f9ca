/* Option tables of tidelock.open and sync:configure. */
#ifndef TL_LUA_OPTIONS_H
#define TL_LUA_OPTIONS_H

#include "module/lib.h"

#define TLUA_SYNC_OPTIONS                                                                          \
	"periodic", "connection_check", "commit_gap", "retry_max", "max_attempts",                 \
		"max_response_bytes", "on_commit", "v0_claims", "require_encryption",              \
		"allow_tls_proxy", "accept_databases_from", "max_page_bytes"

/* Both raise on misuse, and are false when a text is not what it should be (the thread's last error
 * says why). Texts in the result live as long as the table at `arg` and what the call leaves on the
 * stack. */
bool tlua_sync_options(lua_State *L, int arg, tl_sync_options *options);
/* The result points at *sync. */
bool tlua_node_config(lua_State *L, int arg, tl_node_config *config, tl_sync_options *sync);

/* The passphrase of nodes with a path that are given none: kept until the state is closed, then
 * wiped (passphrase.c). */
void tlua_keep_passphrase(lua_State *L, tl_str text);
tl_str tlua_kept_passphrase(lua_State *L); /* ptr NULL: none. Borrowed. */

#endif
