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

/* Of the options at 4. */
static uint32_t every_of(lua_State *L)
{
	bool never = tlua_option(L, 4, "every") && lua_type(L, -1) == LUA_TSTRING &&
		     strcmp(lua_tostring(L, -1), "never") == 0;
	uint64_t ms = never ? TL_NEVER : tlua_option_duration(L, 4, "every", 0);

	luaL_argcheck(L, never || ms < TL_NEVER, 4, "`every` is at most '49d', or 'never'");
	return (uint32_t)ms;
}

static uint8_t priority_of(lua_State *L)
{
	uint64_t priority = tlua_option_count(L, 4, "priority", 0);

	luaL_argcheck(L, priority <= 9, 4, "`priority` is a whole number from 0 to 9");
	return (uint8_t)priority;
}

/* configure_pair(peer, db[, options]) */
static int sync_configure_pair(lua_State *L)
{
	static const char *const names[] = {
		"direction", "every", "rate", "on_commit", "priority", "paused", "reason", NULL};
	static const char *const directions[] = {"both", "pull", "push", NULL};
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	bool by_hand = !lua_isnoneornil(L, 4);
	tl_node *node = tlua_check_node(L);
	const char *peer;
	tl_id db;

	if (!read_pair(L, &peer, &db))
		return tlua_fail(L);
	if (by_hand) {
		luaL_checktype(L, 4, LUA_TTABLE);
		tlua_check_options(L, 4, names);
		options.direction =
			(tl_direction)tlua_option_choice(L, 4, "direction", directions, 0);
		options.every_ms = every_of(L);
		options.rate = tlua_option_size(L, 4, "rate", 0);
		if (tlua_option(L, 4, "on_commit"))
			options.on_commit = lua_toboolean(L, -1) ? TL_ON : TL_OFF;
		options.priority = priority_of(L);
		options.paused = tlua_option_bool(L, 4, "paused", false);
		if (!tlua_option_text(L, 4, "reason", &options.reason))
			return tlua_fail(L);
	}
	return tlua_ok(L, tl_sync_configure_pair(node, peer, &db, by_hand ? &options : NULL));
}

/* --- facts ------------------------------------------------------------------------------------ */

/* set_fact(name, json); without one it goes */
static int sync_set_fact(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *name, *json;

	if (!tlua_read_text(L, 2, &name) || !tlua_read_opt_text(L, 3, &json))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_set_fact(node, name, json));
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

static int sync_get_facts(lua_State *L)
{
	char *json = NULL;
	int rc = tl_sync_get_facts(tlua_check_node(L), &json);

	return push_json(L, rc, json);
}

static int sync_shares(lua_State *L)
{
	char *json = NULL;
	int rc = tl_sync_shares(tlua_check_node(L), &json);

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
	{"sync_configure_pair", sync_configure_pair}, {"sync_set_fact", sync_set_fact},
	{"sync_get_facts", sync_get_facts}, {"sync_get_peer_info", sync_get_peer_info},
	{"sync_list_peers", sync_list_peers}, {"sync_list_inbound", sync_list_inbound},
	{"sync_get_peer_trees", sync_get_peer_trees}, {"sync_get_tree_peers", sync_get_tree_peers},
	{"sync_bootstrap_requests", sync_bootstrap_requests}, {"sync_shares", sync_shares},
	{"sync_status", sync_status}, {"sync_get_sync_cursor", sync_get_cursor},
	{"sync_get_sync_metadata", sync_get_metadata}, {"sync_get_sync_history", sync_get_history},
	{"sync_get_peers_with_sync_state", sync_get_peers_with_state},
	{"sync_cleanup_old_history", sync_cleanup_history}, {NULL, NULL}};

void tlua_open_sync_peers(lua_State *L)
{
	tlua_add_node_methods(L, methods);
}
