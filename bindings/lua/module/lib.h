/* What the binding files share: checked arguments, results, option tables, error objects.
 *
 * Misuse raises; everything the world can cause returns nil and an error object. */
#ifndef TL_LUA_LIB_H
#define TL_LUA_LIB_H

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <tidelock/lua.h>
#include <tidelock/tidelock.h>
#include "script/words.h"
#include "module/misuse.h"

/* --- results ---------------------------------------------------------------------------------- */

/* Pushes an error object made of the thread's last error (or of `error`). */
void tlua_push_error(lua_State *L, const tl_error *error);
/* Pushes the metatable of error objects, made at the first call. */
void tlua_push_error_type(lua_State *L);
/* Pushes nil and the error object of the thread's last error; returns 2. */
int tlua_fail(lua_State *L);
/* rc TL_OK: leaves what was pushed on top and returns `count`; else tlua_fail. */
int tlua_result(lua_State *L, int rc, int count);
/* rc TL_OK: pushes true and returns 1; else tlua_fail. */
int tlua_ok(lua_State *L, int rc);
/* Pushes what `push` makes of `item`, which it gets as a light userdata, and releases the item,
 * also when pushing raises. */
void tlua_push_released(lua_State *L, lua_CFunction push, void *item, void (*release)(void *item));
/* Pushes a text of the library and releases it; nil for NULL. */
void tlua_push_owned(lua_State *L, char *text, size_t len);

/* --- arguments: each raises on misuse --------------------------------------------------------- */

/* Any bytes, zero bytes too. For what the library takes as a C string: tlua_read_text. */
tl_str tlua_check_str(lua_State *L, int arg);
tl_str tlua_opt_str(lua_State *L, int arg); /* ptr NULL when nil */
/* luaL_checkoption without the cut at a zero byte. */
int tlua_check_choice(lua_State *L, int arg, const char *otherwise, const char *const *choices);
void tlua_push_id(lua_State *L, const tl_id *id);
void tlua_push_key(lua_State *L, const tl_key *key);

/* Milliseconds from a number of seconds or "250ms", "10s", "5m", "1h", "2d". */
uint64_t tlua_check_duration(lua_State *L, int arg);
/* Bytes from a number or "512", "64KiB", "4MiB", "1GiB". */
uint64_t tlua_check_size(lua_State *L, int arg);

/* Option tables: nil is an empty one. Every key must be among `names` (closed by NULL); an unknown
 * one raises and names the nearest. */
void tlua_check_options(lua_State *L, int arg, const char *const *names);
/* Pushes options[name]; false (nothing pushed) when it is nil. */
bool tlua_option(lua_State *L, int arg, const char *name);
bool tlua_option_bool(lua_State *L, int arg, const char *name, bool otherwise);
/* Any bytes; false and ptr NULL when absent. They live as long as the option table. */
bool tlua_option_bytes(lua_State *L, int arg, const char *name, tl_str *out);
/* The index of one of the choices (closed by NULL); another text raises. */
int tlua_option_choice(
	lua_State *L, int arg, const char *name, const char *const *choices, int otherwise);
uint64_t tlua_option_duration(lua_State *L, int arg, const char *name, uint64_t otherwise);
uint64_t tlua_option_size(lua_State *L, int arg, const char *name, uint64_t otherwise);
uint64_t tlua_option_count(lua_State *L, int arg, const char *name, uint64_t otherwise);

/* --- texts of people (text.c) ----------------------------------------------------------------- */

/* False when the text is not what is needed; the thread's last error says why, and the caller gives
 * tlua_fail. A value of another type raises. */

/* Without a zero byte: names, paths, bound addresses. bad_argument. */
bool tlua_read_text(lua_State *L, int arg, const char **out);
bool tlua_read_opt_text(lua_State *L, int arg, const char **out); /* NULL when nil */
bool tlua_option_text(lua_State *L, int arg, const char *name, const char **out); /* the same */
bool tlua_read_id(lua_State *L, int arg, tl_id *out);                             /* bad_id */
/* Room for as many items as the list at `arg` says that it has, and one more, in a userdata that
 * the call pushes. Raises where there can be no such list: its metatable may say anything. */
void *tlua_new_array(lua_State *L, int arg, size_t item, size_t *count);
/* An array of them, in a userdata that the call pushes. */
bool tlua_read_ids(lua_State *L, int arg, const tl_id **out, size_t *count);
bool tlua_read_key(lua_State *L, int arg, tl_key *out);               /* bad_key */
bool tlua_read_key_text(lua_State *L, int arg, const char **out);     /* the same, as it stands */
bool tlua_read_permission(lua_State *L, int arg, tl_permission *out); /* bad_argument */
bool tlua_read_address(lua_State *L, int arg, tl_address *out);       /* bad_address */
/* 32 bytes or their text form; wipe them (tlua_wipe). bad_key. */
bool tlua_read_seed(lua_State *L, int arg, uint8_t out[TL_SEED_BYTES]);
void tlua_wipe(void *secret, size_t len);

/* --- handles ---------------------------------------------------------------------------------- */

/* A userdata with room for one pointer, born closed (NULL), with `type` as its metatable. Set the
 * pointer after the resource was acquired. */
void **tlua_new_handle(lua_State *L, const char *type);
/* After the call that acquires: opens the handle, which is on top; rc other than TL_OK: nil, error.
 */
int tlua_opened(lua_State *L, void **handle, int rc, void *resource);
/* Pushes the metatable of this name; the first time it is made of these functions (closed by NULL).
 * Nobody sees it before it is whole. */
void tlua_push_metatable(lua_State *L, const char *type, const luaL_Reg *functions);
/* The open handle's pointer; raises when it is of another type or closed. */
void *tlua_check_handle(lua_State *L, int arg, const char *type);
/* Like luaL_newmetatable with __index = methods, __name, __tostring and `drop` as __gc and __close.
 * Leaves nothing on the stack. */
void tlua_new_type(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction drop);

/* --- where in a table (place.c) --------------------------------------------------------------- */

/* Where a value stands that is being walked; NULL is the outermost one. Each place knows the one
 * above and lives on the C stack. */
typedef struct tlua_place {
	const struct tlua_place *above;
	const void *table; /* that it is in */
	tl_str key;        /* ptr NULL: an item */
	lua_Integer item;
	unsigned depth;
} tlua_place;

/* A place in the table at `index`, which stands at `above`; set its key or item. */
tlua_place tlua_place_below(lua_State *L, int index, const tlua_place *above);
/* Raises "rows.tags[3] is a function": the place, then `what`. */
int tlua_refuse_at(lua_State *L, const tlua_place *at, const char *what);
/* Raises when the table at `index` would be a level too many, or contains itself. */
void tlua_check_depth(lua_State *L, int index, const tlua_place *at, unsigned limit);

/* --- values (value.c) ------------------------------------------------------------------------- */

#define TLUA_LIST "tidelock.list"
/* Metatable of tables that are arrays also when they are empty (tidelock.json). */
#define TLUA_ARRAY "tidelock.json.array"

/* Pushes a value: docs as tables, lists as list handles, null and a tombstone as their constants.
 * Tombstones inside a doc read as absent; the raw form shows them. */
void tlua_push_value(lua_State *L, const tl_value *value);
void tlua_push_raw(lua_State *L, const tl_value *value);
/* The same for one of the caller's own, which is released; nil for NULL. */
void tlua_push_owned_value(lua_State *L, tl_value *value);
void tlua_push_owned_raw(lua_State *L, tl_value *value);
/* The constant tidelock.null. */
void tlua_push_null(lua_State *L);
bool tlua_is_null(lua_State *L, int index);
/* Makes a value of what is at `arg`: nil raises; a table with string keys (or empty) is a Doc, a
 * list handle a List; a mixed table, a float with a fraction, invalid UTF-8 raise, nested too, and
 * the error says where. Yours. */
tl_value *tlua_check_value(lua_State *L, int arg);
int tlua_open_values(lua_State *L); /* pushes a table: null, deleted, list */

/* --- JSON (json.c) ---------------------------------------------------------------------------- */

/* Pushes what the text says and returns 1; or nil and an error, 2. The text must not move while Lua
 * allocates: one on the stack, or of the library. */
int tlua_decode_json(lua_State *L, tl_str text);
/* The same for records of the library, of which a script wants absent members to be nil. */
int tlua_decode_record(lua_State *L, tl_str text);
/* Pushes the text of the value; raises for what JSON cannot hold, and says where below `name`. */
void tlua_encode_json(lua_State *L, int index, const char *name);

/* --- shared types ----------------------------------------------------------------------------- */

/* Pushes an entry handle (entry.c); the entry is retained. tidelock.entry must be loaded. */
void tlua_push_entry(lua_State *L, tl_entry *entry);
/* A handle to open with an entry of the caller's own. */
void **tlua_new_entry(lua_State *L);
/* An open secret of tidelock.crypto (crypto.c). */
const tl_secret *tlua_check_secret(lua_State *L, int arg);

/* --- modules ---------------------------------------------------------------------------------- */

TL_API int luaopen_tidelock_crypto(lua_State *L);
TL_API int luaopen_tidelock_entry(lua_State *L);
TL_API int luaopen_tidelock_doc(lua_State *L);
TL_API int luaopen_tidelock_json(lua_State *L);
TL_API int luaopen_tidelock_log(lua_State *L);
TL_API int luaopen_tidelock_store(lua_State *L);
TL_API int luaopen_tidelock_transport(lua_State *L);
TL_API int luaopen_tidelock_loop(lua_State *L);
TL_API int luaopen_tidelock_policy(lua_State *L);
TL_API int luaopen_tidelock_rule(lua_State *L);
TL_API int luaopen_tidelock_keyring(lua_State *L);
TL_API int luaopen_tidelock_text(lua_State *L);
TL_API int luaopen_tidelock_script_core(lua_State *L);    /* cells, for the program */
TL_API int luaopen_tidelock_log_core(lua_State *L);       /* below tidelock.log */
TL_API int luaopen_tidelock_transport_core(lua_State *L); /* below tidelock.transport */
TL_API int luaopen_tidelock_core(
	lua_State *L); /* node, databases, sync: what lua/tidelock/ builds on */

#endif
