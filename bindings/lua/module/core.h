/* What the files of the module tidelock.core share: handle types, paths, walks. */
#ifndef TL_LUA_CORE_H
#define TL_LUA_CORE_H

#include "module/lib.h"

#define TLUA_NODE        "tidelock.node"
#define TLUA_DATABASE    "tidelock.database"
#define TLUA_VIEW        "tidelock.view"
#define TLUA_TRANSACTION "tidelock.transaction"
#define TLUA_DOC_STORE   "tidelock.doc_store"
#define TLUA_TABLE       "tidelock.table"
#define TLUA_SETTINGS    "tidelock.settings_store"
#define TLUA_OP          "tidelock.op"

/* Each registers its handle types; core.c calls all of them. */
void tlua_open_doc_store(lua_State *L);
void tlua_open_table(lua_State *L);
void tlua_open_walk(lua_State *L);
void tlua_open_settings(lua_State *L);
void tlua_open_transaction(lua_State *L);
void tlua_open_database(lua_State *L);
void tlua_open_op(lua_State *L);
int tlua_bell(lua_State *L); /* op.c: a function of the module */
void tlua_open_node(lua_State *L);
int tlua_node_store(lua_State *L); /* store.c: a method of nodes */
/* control(path, request [, { timeout =, cancel_fd =, input_fd =, progress = fn }]) -> the answer's
 * JSON text. progress(done, total) is called in between. */
int tlua_control(lua_State *L);
/* verify.c: methods verify([{ progress = function(done, total) -> boolean? }]) */
int tlua_database_verify(lua_State *L);
int tlua_node_verify(lua_State *L);
/* They add the sync functions to the node's methods. */
void tlua_open_sync(lua_State *L);
void tlua_open_sync_peers(lua_State *L);
/* node.c: more methods of nodes. */
void tlua_add_node_methods(lua_State *L, const luaL_Reg *methods);

/* The open node at argument 1. */
static inline tl_node *tlua_check_node(lua_State *L)
{
	return tlua_check_handle(L, 1, TLUA_NODE);
}

/* Like tlua_ok for calls that write by path: a way through a list, or a value of another type than
 * the call takes, is a mistake in the script and raises. */
int tlua_written(lua_State *L, int rc);

/* --- paths ------------------------------------------------------------------------------------ */

/* A string is a path split at its dots, a table of strings literal components. */
typedef struct tlua_path {
	bool literal;
	tl_str text;
	const tl_str *components; /* live in a userdata that tlua_check_path pushed */
	size_t count;
} tlua_path;

tlua_path tlua_check_path(lua_State *L, int arg);

/* store_path.c: steps of a path of derived state. nil is no step, a string is split at its dots;
 * what is returned lives in a userdata that the call pushes, and its strings in the value at `arg`.
 */
const tl_store_part *tlua_check_parts(lua_State *L, int arg, size_t *count);
void tlua_push_part(lua_State *L, const tl_store_part *part);
void tlua_push_hex(lua_State *L, const uint8_t *bytes, size_t len);

/* --- iterators (walk.c) ----------------------------------------------------------------------- */

typedef enum tlua_walk_kind { TLUA_WALK_ROWS, TLUA_WALK_TEXTS, TLUA_WALK_MEMBERS } tlua_walk_kind;

/* { prefix =, after =, limit = } at `arg`, borrowed from there; *none: a limit of 0. */
tl_walk_options tlua_check_walk_options(lua_State *L, int arg, bool *none);
/* Pushes a handle for a walk, born closed: as it is it iterates over nothing. */
void **tlua_new_walk(lua_State *L);
/* Takes over the walk, or raises the error of making it. The handle is on top; pushes what a
 * generic for takes and returns how many. */
int tlua_push_walk(lua_State *L, tlua_walk_kind kind, int rc, tl_walk *walk, void **handle);

/* --- walks ------------------------------------------------------------------------------------ */

/* Collects what a visitor of the library is given into a table. Raising out of a visitor would
 * skip the library's clean-up, so each step runs protected. */
typedef struct tlua_walk {
	lua_State *L;
	lua_CFunction push; /* gets (item, table, count) and stores into the table */
	const void *item;   /* what `push` reads with tlua_walk_item */
	int table;
	lua_Integer count;
	bool raised; /* an error value lies on top of the stack */
} tlua_walk;

/* Pushes the result table and readies the walk. */
void tlua_walk_begin(lua_State *L, tlua_walk *walk, lua_CFunction push);
/* For visitors: TL_OK, or TL_E_CANCELLED after a raise. */
int tlua_walk_step(tlua_walk *walk, const void *item);
/* After the library returned: raises again what was raised; else the table or nil, error. */
int tlua_walk_end(lua_State *L, tlua_walk *walk, int rc);
const void *tlua_walk_item(lua_State *L);

/* Ready-made visitors: ud is the walk. */
int tlua_visit_id(void *ud, const tl_id *id);
int tlua_visit_name(void *ud, tl_str name);
int tlua_visit_address(void *ud, const tl_address *address);
void tlua_walk_ids(lua_State *L, tlua_walk *walk);
void tlua_walk_names(lua_State *L, tlua_walk *walk);
void tlua_walk_addresses(lua_State *L, tlua_walk *walk); /* as texts */
void tlua_push_address(lua_State *L, const tl_address *address);

#endif
