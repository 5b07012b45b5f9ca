/* What a node knows of its peers: methods `sync_…` of the node handle that name them, relate
 * databases to them and tell of them. Results in JSON go out as texts; the Lua half decodes them.
 */
#include <string.h>
#include "module/core.h"

/* --- peers ------------------------------------------------------------------------------------ */

static int sync_register_peer(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer, *name;

	if (!tlua_read_key_text(L, 2, &peer) || !tlua_read_opt_text(L, 3, &name))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_register_peer(node, peer, name));
}

static int sync_rename_peer(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer, *name;

	if (!tlua_read_key_text(L, 2, &peer) || !tlua_read_opt_text(L, 3, &name))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_rename_peer(node, peer, name));
}

static int sync_update_peer_status(lua_State *L)
{
	static const char *const statuses[] = {"active", "inactive", "blocked", NULL};
	int status = tlua_check_choice(L, 3, NULL, statuses);
	tl_node *node = tlua_check_node(L);
	const char *peer;

	if (!tlua_read_key_text(L, 2, &peer))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_update_peer_status(node, peer, statuses[status]));
}

static int sync_remove_peer(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer;

	if (!tlua_read_key_text(L, 2, &peer))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_remove_peer(node, peer));
}

static int sync_add_peer_address(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_address address;
	const char *peer;

	if (!tlua_read_key_text(L, 2, &peer) || !tlua_read_address(L, 3, &address))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_add_peer_address(node, peer, &address));
}

static int sync_remove_peer_address(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_address address;
	const char *peer;
	bool removed = false;

	if (!tlua_read_key_text(L, 2, &peer) || !tlua_read_address(L, 3, &address) ||
		tl_sync_remove_peer_address(node, peer, &address, &removed) != TL_OK)
		return tlua_fail(L);
	lua_pushboolean(L, removed);
	return 1;
}

static int sync_get_peer_addresses(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer, *type;
	tlua_walk walk;

	if (!tlua_read_key_text(L, 2, &peer) || !tlua_read_opt_text(L, 3, &type))
		return tlua_fail(L);
	tlua_walk_addresses(L, &walk);
	return tlua_walk_end(
		L, &walk, tl_sync_get_peer_addresses(node, peer, type, tlua_visit_address, &walk));
}

/* --- relations -------------------------------------------------------------------------------- */

static bool read_pair(lua_State *L, const char **peer, tl_id *db)
{
	return tlua_read_key_text(L, 2, peer) && tlua_read_id(L, 3, db);
}

static int sync_add_tree_sync(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer;
	tl_id db;

	if (!read_pair(L, &peer, &db))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_add_tree_sync(node, peer, &db));
}

static int sync_remove_tree_sync(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer;
	tl_id db;

	if (!read_pair(L, &peer, &db))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_remove_tree_sync(node, peer, &db));
}

static int sync_is_tree_synced(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer;
	bool synced = false;
	tl_id db;

	if (!read_pair(L, &peer, &db) ||
		tl_sync_is_tree_synced_with_peer(node, peer, &db, &synced) != TL_OK)
		return tlua_fail(L);
	lua_pushboolean(L, synced);
	return 1;
}

/* --- told as JSON ----------------------------------------------------------------------------- */

static int push_json(lua_State *L, int rc, char *json)
{
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_owned(L, json, strlen(json));
	return 1;
}

/* What one peer's call gives. */
static int push_of_peer(lua_State *L, int (*call)(tl_node *node, const char *peer, char **json))
{
	tl_node *node = tlua_check_node(L);
	const char *peer;
	char *json = NULL;
	int rc;

	if (!tlua_read_key_text(L, 2, &peer))
		return tlua_fail(L);
	rc = call(node, peer, &json);
	return push_json(L, rc, json);
}

static int sync_get_peer_info(lua_State *L)
{
	return push_of_peer(L, tl_sync_get_peer_info);
}

static int sync_list_inbound(lua_State *L)
{
	char *json = NULL;
	int rc = tl_sync_list_inbound_peers(tlua_check_node(L), &json);

	return push_json(L, rc, json);
}

static int sync_list_peers(lua_State *L)
{
	char *json = NULL;
	int rc = tl_sync_list_peers(tlua_check_node(L), &json);

	return push_json(L, rc, json);
}

static int sync_get_peer_trees(lua_State *L)
{
	return push_of_peer(L, tl_sync_get_peer_trees);
}

static int sync_get_tree_peers(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	char *json = NULL;
	tl_id db;
	int rc;

	if (!tlua_read_id(L, 2, &db))
		return tlua_fail(L);
	rc = tl_sync_get_tree_peers(node, &db, &json);
	return push_json(L, rc, json);
}

static int sync_bootstrap_requests(lua_State *L)
{
	static const char *const states[] = {"pending", "approved", "rejected", NULL};
	int state = tlua_check_choice(L, 2, "pending", states);
	char *json = NULL;
	int rc = tl_sync_bootstrap_requests(tlua_check_node(L), states[state], &json);

	return push_json(L, rc, json);
}

static int sync_status(lua_State *L)
{
	char *json = NULL;
	int rc = tl_sync_status(tlua_check_node(L), &json);

	return push_json(L, rc, json);
}

static int sync_get_cursor(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer;
	char *json = NULL;
	tl_id db;
	int rc;

	if (!read_pair(L, &peer, &db))
		return tlua_fail(L);
	rc = tl_sync_get_sync_cursor(node, peer, &db, &json);
	return push_json(L, rc, json);
}

static int sync_get_metadata(lua_State *L)
{
	return push_of_peer(L, tl_sync_get_sync_metadata);
}

static int sync_get_history(lua_State *L)
{
	lua_Integer limit = luaL_optinteger(L, 3, 0);
	tl_node *node = tlua_check_node(L);
	const char *peer;
	char *json = NULL;
	int rc;

	luaL_argcheck(L, limit >= 0, 3, "a limit is not negative");
	if (!tlua_read_key_text(L, 2, &peer))
		return tlua_fail(L);
	rc = tl_sync_get_sync_history(node, peer, (size_t)limit, &json);
	return push_json(L, rc, json);
}

static int sync_get_peers_with_state(lua_State *L)
{
	char *json = NULL;
	int rc = tl_sync_get_peers_with_sync_state(tlua_check_node(L), &json);

	return push_json(L, rc, json);
}

static int sync_cleanup_history(lua_State *L)
{
	lua_Integer days = luaL_checkinteger(L, 2);
	uint64_t removed = 0;
	int rc;

	luaL_argcheck(L, days >= 0 && days <= 1000000, 2, "a number of days");
	rc = tl_sync_cleanup_old_history(tlua_check_node(L), (uint32_t)days, &removed);
	lua_pushinteger(L, (lua_Integer)removed);
	return tlua_result(L, rc, 1);
}

static const luaL_Reg methods[] = {{"sync_register_peer", sync_register_peer},
	{"sync_rename_peer", sync_rename_peer},
	{"sync_update_peer_status", sync_update_peer_status},
	{"sync_remove_peer", sync_remove_peer}, {"sync_add_peer_address", sync_add_peer_address},
	{"sync_remove_peer_address", sync_remove_peer_address},
	{"sync_get_peer_addresses", sync_get_peer_addresses},
	{"sync_add_tree_sync", sync_add_tree_sync},
	{"sync_remove_tree_sync", sync_remove_tree_sync},
	{"sync_is_tree_synced_with_peer", sync_is_tree_synced},
	{"sync_get_peer_info", sync_get_peer_info}, {"sync_list_peers", sync_list_peers},
	{"sync_list_inbound", sync_list_inbound}, {"sync_get_peer_trees", sync_get_peer_trees},
	{"sync_get_tree_peers", sync_get_tree_peers},
	{"sync_bootstrap_requests", sync_bootstrap_requests}, {"sync_status", sync_status},
	{"sync_get_sync_cursor", sync_get_cursor}, {"sync_get_sync_metadata", sync_get_metadata},
	{"sync_get_sync_history", sync_get_history},
	{"sync_get_peers_with_sync_state", sync_get_peers_with_state},
	{"sync_cleanup_old_history", sync_cleanup_history}, {NULL, NULL}};

void tlua_open_sync_peers(lua_State *L)
{
	tlua_add_node_methods(L, methods);
}
