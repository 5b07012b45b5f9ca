/* Node handles: keys, databases, hooks, events, operations. What waits is in the Lua half. */
#include <string.h>
#include "module/core.h"
#include "module/hook.h"
#include "module/options.h"
#include "host/handle.h"
#include "host/scripts.h"

/* Scripts of the node have lines to tell until their thread has ended. */
static void close_node(tl_node *node, uint64_t flush_ms)
{
	(void)tl_node_retain(node);
	tl_node_close_within(node, flush_ms < UINT32_MAX ? (uint32_t)flush_ms : UINT32_MAX);
	if (node)
		tlua_scripts_join(node);
	tl_node_free(node);
}

/* Closes the node, except one that a host has pushed: that one is given back. */
static int let_go(lua_State *L, uint64_t flush_ms)
{
	void **handle = luaL_checkudata(L, 1, TLUA_NODE);
	tl_node *node = *handle;

	*handle = NULL;
	if (lua_getiuservalue(L, 1, 1) == LUA_TBOOLEAN)
		tl_node_free(node);
	else
		close_node(node, flush_ms);
	return 0;
}

/* A finaliser never waits; closing with a flush is node:close(). */
static int drop(lua_State *L)
{
	return let_go(L, 0);
}

static int core_open(lua_State *L)
{
	tl_node_config config;
	tl_sync_options sync;
	tlua_opened_with scripts = {.policy = NULL};
	tl_node *node = NULL;
	void **handle;
	int rc, count;

	if (!tlua_node_config(L, 1, &config, &sync) || !tlua_option_scripts(L, 1, &scripts))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_NODE);
	rc = tlua_open_with(L, &config, &scripts, &node);
	if (rc == TL_OK)
		rc = tlua_answer_about_scripts(node);
	count = tlua_opened(L, handle, rc, node);
	if (rc != TL_OK && node) {
		*handle = NULL;
		close_node(node, 0);
	}
	return count;
}

/* close([flush]) waits for the flush; closing twice is fine. */
static int node_close(lua_State *L)
{
	luaL_checkudata(L, 1, TLUA_NODE);
	return let_go(L, lua_isnoneornil(L, 2) ? 5000 : tlua_check_duration(L, 2));
}

static int node_closing(lua_State *L)
{
	lua_settop(L, 1);
	return node_close(L);
}

/* --- keys ------------------------------------------------------------------------------------- */

static int push_key_text(lua_State *L, int rc, const char *text)
{
	if (rc != TL_OK)
		return tlua_fail(L);
	lua_pushstring(L, text);
	return 1;
}

static int node_device_key(lua_State *L)
{
	char key[TL_KEY_TEXT_LEN + 1];
	int rc = tl_node_device_key(tlua_check_node(L), key);

	return push_key_text(L, rc, key);
}

/* import_private_key(name, seed) -> public key */
static int node_import_private_key(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	char key[TL_KEY_TEXT_LEN + 1];
	uint8_t seed[TL_SEED_BYTES];
	const char *name;
	int rc;

	if (!tlua_read_text(L, 2, &name) || !tlua_read_seed(L, 3, seed))
		return tlua_fail(L);
	rc = tl_node_add_private_key(node, name, seed, key);
	tlua_wipe(seed, sizeof seed);
	return push_key_text(L, rc, key);
}

/* add_private_key(name [, seed]) -> public key */
static int node_add_private_key(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	char key[TL_KEY_TEXT_LEN + 1];
	const char *name;

	if (!lua_isnoneornil(L, 3))
		return node_import_private_key(L);
	if (!tlua_read_text(L, 2, &name))
		return tlua_fail(L);
	return push_key_text(L, tl_node_add_private_key(node, name, NULL, key), key);
}

static int node_get_public_key(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	char key[TL_KEY_TEXT_LEN + 1];
	const char *name;

	if (!tlua_read_text(L, 2, &name))
		return tlua_fail(L);
	return push_key_text(L, tl_node_get_public_key(node, name, key), key);
}

/* export_private_key(name) -> its 32 bytes */
static int node_export_private_key(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	uint8_t seed[TL_SEED_BYTES];
	const char *name;

	if (!tlua_read_text(L, 2, &name) || tl_node_export_private_key(node, name, seed) != TL_OK)
		return tlua_fail(L);
	lua_pushlstring(L, (const char *)seed, sizeof seed);
	tlua_wipe(seed, sizeof seed);
	return 1;
}

/* export_private_key_text(name) -> the same for people, as import_private_key reads it */
static int node_export_private_key_text(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	uint8_t seed[TL_SEED_BYTES];
	char text[TL_SEED_TEXT_LEN + 1];
	const char *name;

	if (!tlua_read_text(L, 2, &name) || tl_node_export_private_key(node, name, seed) != TL_OK)
		return tlua_fail(L);
	tl_seed_format(seed, text);
	tlua_wipe(seed, sizeof seed);
	lua_pushlstring(L, text, TL_SEED_TEXT_LEN);
	tlua_wipe(text, sizeof text);
	return 1;
}

static int node_remove_private_key(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *name;

	if (!tlua_read_text(L, 2, &name))
		return tlua_fail(L);
	return tlua_ok(L, tl_node_remove_private_key(node, name));
}

static int node_list_private_keys(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tlua_walk walk;

	tlua_walk_names(L, &walk);
	return tlua_walk_end(L, &walk, tl_node_list_private_keys(node, tlua_visit_name, &walk));
}

/* --- databases -------------------------------------------------------------------------------- */

/* new_database(settings, key_name) */
static int node_new_database(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *key_name;
	tl_value *settings = NULL;
	tl_database *db = NULL;
	void **handle;
	int rc;

	if (!tlua_read_text(L, 3, &key_name))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_DATABASE);
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TTABLE);
		settings = tlua_check_value(L, 2);
	}
	rc = tl_node_new_database(node, settings, key_name, &db);
	tl_value_free(settings);
	return tlua_opened(L, handle, rc, db);
}

static int node_load_database(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_database *db = NULL;
	void **handle;
	tl_id root;
	int rc;

	if (!tlua_read_id(L, 2, &root))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_DATABASE);
	rc = tl_node_load_database(node, &root, &db);
	return tlua_opened(L, handle, rc, db);
}

static int node_find_database(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_database *db = NULL;
	const char *name;
	void **handle;
	int rc;

	if (!tlua_read_text(L, 2, &name))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_DATABASE);
	rc = tl_node_find_database(node, name, &db);
	return tlua_opened(L, handle, rc, db);
}

/* all_databases([with_system]) -> array of root ids */
static int node_all_databases(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	bool with_system = lua_toboolean(L, 2);
	tlua_walk walk;

	tlua_walk_ids(L, &walk);
	return tlua_walk_end(
		L, &walk, tl_node_all_databases(node, with_system, tlua_visit_id, &walk));
}

/* Reads pieces from a Lua function: protected, since a raise may not pass through the library. */
struct import {
	lua_State *L;
	bool raised;
	const char *rest;
	size_t rest_len;
};

static ptrdiff_t next_piece(struct import *import)
{
	lua_State *L = import->L;

	lua_settop(L, 2); /* forget the piece before */
	lua_pushvalue(L, 2);
	if (lua_pcall(L, 0, 1, 0) != LUA_OK) {
		import->raised = true;
		return -1;
	}
	if (lua_isnil(L, -1))
		return 0;
	import->rest = lua_tolstring(L, -1, &import->rest_len);
	return import->rest ? 1 : -1;
}

static ptrdiff_t read_import(void *ud, void *out, size_t cap)
{
	struct import *import = ud;
	size_t len;

	while (import->rest_len == 0) {
		ptrdiff_t more = next_piece(import);

		if (more <= 0)
			return more;
	}
	len = import->rest_len < cap ? import->rest_len : cap;
	memcpy(out, import->rest, len);
	import->rest += len;
	import->rest_len -= len;
	return (ptrdiff_t)len;
}

/* import(fn): fn returns the next piece of text, nil at the end -> root id, entries entered */
static int node_import(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	struct import import = {L, false, NULL, 0};
	tl_id root;
	uint64_t entered = 0;
	int rc;

	luaL_checktype(L, 2, LUA_TFUNCTION);
	luaL_checkstack(L, 8, "import");
	rc = tl_node_import(node, read_import, &import, &root, &entered);
	if (import.raised)
		return lua_error(L);
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_id(L, &root);
	lua_pushinteger(L, (lua_Integer)entered);
	return 2;
}

static int node_backup(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *file;

	if (!tlua_read_text(L, 2, &file))
		return tlua_fail(L);
	return tlua_ok(L, tl_node_backup(node, file));
}

static int node_add_hook(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_hook hook = tlua_check_hook(L, 2);
	uint64_t handle = 0;
	int rc = tl_node_add_hook(node, &hook, &handle);

	if (rc != TL_OK)
		hook.drop(hook.ud);
	lua_pushinteger(L, (lua_Integer)handle);
	return tlua_result(L, rc, 1);
}

static int node_remove_hook(lua_State *L)
{
	tl_node_remove_hook(tlua_check_node(L), (uint64_t)luaL_checkinteger(L, 2));
	return 0;
}

/* --- events ----------------------------------------------------------------------------------- */

static void push_event(lua_State *L, const tl_event *event)
{
	lua_createtable(L, 0, 7);
	lua_pushstring(L, tl_event_name(event->kind));
	lua_setfield(L, -2, "kind");
	lua_pushinteger(L, (lua_Integer)event->number);
	lua_setfield(L, -2, "number");
	lua_pushinteger(L, (lua_Integer)event->time_ms);
	lua_setfield(L, -2, "time_ms");
	lua_pushstring(L, event->text);
	lua_setfield(L, -2, "text");
	if (event->code != TL_OK) {
		lua_pushstring(L, tl_error_name(event->code));
		lua_setfield(L, -2, "code");
	}
	if (event->has_peer) {
		tlua_push_key(L, &event->peer);
		lua_setfield(L, -2, "peer");
	}
	if (event->has_db) {
		tlua_push_id(L, &event->db);
		lua_setfield(L, -2, "db");
	}
	if (event->has_entry) {
		tlua_push_id(L, &event->entry);
		lua_setfield(L, -2, "entry");
	}
}

/* next_event() -> event or nil; never waits */
static int node_next_event(lua_State *L)
{
	tl_event event = TL_EVENT_INIT;
	int rc = tl_next_event(tlua_check_node(L), &event);

	if (rc < 0)
		return tlua_fail(L);
	if (rc == 0)
		return 0;
	push_event(L, &event);
	return 1;
}

static int node_fd(lua_State *L)
{
	int fd = tl_node_fd(tlua_check_node(L));

	if (fd < 0)
		return tlua_fail(L);
	lua_pushinteger(L, fd);
	return 1;
}

static int node_dispatch(lua_State *L)
{
	tl_node_dispatch(tlua_check_node(L));
	return 0;
}

static const luaL_Reg methods[] = {{"close", node_close}, {"device_key", node_device_key},
	{"add_private_key", node_add_private_key}, {"import_private_key", node_import_private_key},
	{"get_public_key", node_get_public_key}, {"export_private_key", node_export_private_key},
	{"export_private_key_text", node_export_private_key_text},
	{"remove_private_key", node_remove_private_key},
	{"list_private_keys", node_list_private_keys}, {"new_database", node_new_database},
	{"load_database", node_load_database}, {"find_database", node_find_database},
	{"all_databases", node_all_databases}, {"import", node_import}, {"backup", node_backup},
	{"verify", tlua_node_verify}, {"store", tlua_node_store},
	{"load_script", tlua_node_load_script}, {"add_hook", node_add_hook},
	{"remove_hook", node_remove_hook}, {"next_event", node_next_event}, {"fd", node_fd},
	{"dispatch", node_dispatch}, {NULL, NULL}};

void tlua_open_node(lua_State *L)
{
	tlua_new_type(L, TLUA_NODE, methods, drop);
	luaL_getmetatable(L, TLUA_NODE);
	lua_pushcfunction(L, node_closing);
	lua_setfield(L, -2, "__close");
	/* open lives beside the methods; the Lua half makes tidelock.open of it. */
	lua_getfield(L, -1, "__index");
	lua_pushcfunction(L, core_open);
	lua_setfield(L, -2, "open_node");
	lua_pop(L, 2);
}

void tlua_add_node_methods(lua_State *L, const luaL_Reg *more)
{
	luaL_getmetatable(L, TLUA_NODE);
	lua_getfield(L, -1, "__index");
	luaL_setfuncs(L, more, 0);
	lua_pop(L, 2);
}
