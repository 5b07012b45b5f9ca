/* Synchronisation calls: methods `sync_…` of the node handle, which the Lua half turns into the
 * methods of node:sync(). Here: how this node is reached, what it starts, which pushes an
 * operation, and what its owner decides. About its peers: sync_peers.c. */
#include <string.h>
#include "module/core.h"
#include "module/options.h"

/* --- addresses: functions, fallible ----------------------------------------------------------- */

static int push_read(lua_State *L, int rc, const tl_address *address)
{
	if (rc != TL_OK)
		return tlua_fail(L);
	tlua_push_address(L, address);
	return 1;
}

/* Of the types that a node can have; a transport of the host's own has addresses of its own, which
 * the calls that take one read. */
static int address_parse(lua_State *L)
{
	static const char *const types[] = {"http", "https", "iroh", NULL};
	tl_address address;

	if (!tlua_read_address(L, 1, &address))
		return tlua_fail(L);
	for (size_t i = 0; types[i]; i++)
		if (strcmp(types[i], address.type) == 0)
			return push_read(L, TL_OK, &address);
	return tlua_ok(L, tl_error_set(TL_E_UNSUPPORTED_TRANSPORT,
				  "there is no transport of this type: an address is host:port, "
				  "http:host:port, https:host:port or one of Iroh"));
}

static int address_http(lua_State *L)
{
	tl_address address;
	int rc = tl_address_http(&address, tlua_check_str(L, 1));

	return push_read(L, rc, &address);
}

static int address_https(lua_State *L)
{
	tl_address address;
	int rc = tl_address_https(&address, tlua_check_str(L, 1));

	return push_read(L, rc, &address);
}

static int address_iroh(lua_State *L)
{
	tl_address address;
	int rc = tl_address_iroh(&address, tlua_check_str(L, 1));

	return push_read(L, rc, &address);
}

/* --- transports and servers ------------------------------------------------------------------- */

static int sync_enable_http(lua_State *L)
{
	static const char *const names[] = {"certificate", "key", "ca", "proxy", "max_connections",
		"max_connections_per_address", "idle", "dial", "min_rate", NULL};
	tl_http_config config = TL_HTTP_CONFIG_INIT;
	tl_node *node = tlua_check_node(L);

	tlua_check_options(L, 2, names);
	if (!tlua_option_text(L, 2, "certificate", &config.certificate_file) ||
		!tlua_option_text(L, 2, "key", &config.key_file) ||
		!tlua_option_text(L, 2, "ca", &config.ca_file) ||
		!tlua_option_text(L, 2, "proxy", &config.proxy))
		return tlua_fail(L);
	config.max_connections = (uint32_t)tlua_option_count(L, 2, "max_connections", 0);
	config.max_connections_per_address =
		(uint32_t)tlua_option_count(L, 2, "max_connections_per_address", 0);
	config.idle_ms = (uint32_t)tlua_option_duration(L, 2, "idle", 0);
	config.dial_ms = (uint32_t)tlua_option_duration(L, 2, "dial", 0);
	config.min_bytes_per_s = (uint32_t)tlua_option_size(L, 2, "min_rate", 0);
	return tlua_ok(L, tl_sync_enable_http_transport(node, &config));
}

/* One relay, the table on top; its texts stay in it. */
static bool read_relay(lua_State *L, tl_iroh_relay_config *out)
{
	static const char *const names[] = {"url", "quic_port", "auth_token", "root", NULL};
	int at = lua_gettop(L);

	tlua_check_options(L, at, names);
	out->quic_port = (uint32_t)tlua_option_count(L, at, "quic_port", 0);
	return tlua_option_text(L, at, "url", &out->url) &&
	       tlua_option_text(L, at, "auth_token", &out->token) &&
	       tlua_option_text(L, at, "root", &out->root_file);
}

/* `relay_mode` is a name, or the list of relays itself. Their array lies in a userdata, left on the
 * stack. */
static bool read_relays(lua_State *L, int arg, tl_iroh_config *config)
{
	tl_iroh_relay_config *relays;
	size_t count;

	if (!tlua_option(L, arg, "relay_mode"))
		return true;
	if (!lua_istable(L, -1)) {
		lua_pop(L, 1);
		return tlua_option_text(L, arg, "relay_mode", &config->relay_mode);
	}
	relays = tlua_new_array(L, -1, sizeof *relays, &count);
	memset(relays, 0, (count + 1) * sizeof *relays);
	for (size_t i = 0; i < count; i++) {
		if (lua_geti(L, -2, (lua_Integer)i + 1) != LUA_TTABLE)
			luaL_error(L, "option 'relay_mode' is a name, or a list of { url = }");
		if (!read_relay(L, &relays[i]))
			return false;
		lua_settop(L, lua_gettop(L) - 1);
	}
	config->relay_mode = "list";
	config->relays = relays;
	config->relay_count = count;
	return true;
}

static int sync_enable_iroh(lua_State *L)
{
	static const char *const names[] = {
		"relay_mode", "lookup", "bind", "plugin", "idle", "dial", NULL};
	tl_iroh_config config = TL_IROH_CONFIG_INIT;
	tl_node *node = tlua_check_node(L);

	tlua_check_options(L, 2, names);
	config.idle_ms = (uint32_t)tlua_option_duration(L, 2, "idle", 0);
	config.dial_ms = (uint32_t)tlua_option_duration(L, 2, "dial", 0);
	if (!tlua_option_text(L, 2, "lookup", &config.lookup) ||
		!tlua_option_text(L, 2, "bind", &config.bind) ||
		!tlua_option_text(L, 2, "plugin", &config.plugin) || !read_relays(L, 2, &config))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_enable_iroh_transport(node, &config));
}

static int sync_start_server(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *bind, *transport;

	if (!tlua_read_text(L, 2, &bind) || !tlua_read_opt_text(L, 3, &transport))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_start_server(node, bind, transport));
}

static int sync_stop_server(lua_State *L)
{
	return tlua_ok(L, tl_sync_stop_server(tlua_check_node(L)));
}

static int sync_is_server_running(lua_State *L)
{
	lua_pushboolean(L, tl_sync_is_server_running(tlua_check_node(L)));
	return 1;
}

static int sync_get_server_address(lua_State *L)
{
	tl_address address;

	if (tl_sync_get_server_address(tlua_check_node(L), &address) != TL_OK)
		return tlua_fail(L);
	tlua_push_address(L, &address);
	return 1;
}

static int sync_get_server_addresses(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tlua_walk walk;

	tlua_walk_addresses(L, &walk);
	return tlua_walk_end(
		L, &walk, tl_sync_get_server_addresses(node, tlua_visit_address, &walk));
}

/* --- what starts something -------------------------------------------------------------------- */

/* start_connect(address [, key]) */
static int sync_connect(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	tl_address address;
	const char *key = NULL;
	tl_op *op = NULL;
	void **handle;
	int rc;

	if (!tlua_read_address(L, 2, &address) ||
		(!lua_isnoneornil(L, 3) && !tlua_read_key_text(L, 3, &key)))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_connect_to_peer(node, &address, key, &op);
	return tlua_opened(L, handle, rc, op);
}

static int sync_tree_with_peer(lua_State *L)
{
	bool all = lua_isnoneornil(L, 3);
	tl_node *node = tlua_check_node(L);
	const char *peer;
	tl_op *op = NULL;
	void **handle;
	tl_id db;
	int rc;

	if (!tlua_read_key_text(L, 2, &peer) || (!all && !tlua_read_id(L, 3, &db)))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_sync_tree_with_peer(node, peer, all ? NULL : &db, &op);
	return tlua_opened(L, handle, rc, op);
}

static int sync_with_peer(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *key_name;
	tl_address address;
	tl_op *op = NULL;
	void **handle;
	tl_id db;
	int rc;

	if (!tlua_read_address(L, 2, &address) || !tlua_read_id(L, 3, &db) ||
		!tlua_read_opt_text(L, 4, &key_name))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_sync_with_peer_as(node, &address, &db, key_name, &op);
	return tlua_opened(L, handle, rc, op);
}

static uint32_t check_ms(lua_State *L, int arg, uint32_t otherwise)
{
	uint64_t ms = lua_isnoneornil(L, arg) ? otherwise : tlua_check_duration(L, arg);

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX - 1;
}

static int sync_flush(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	uint32_t timeout = check_ms(L, 2, 5000);
	void **handle = tlua_new_handle(L, TLUA_OP);
	tl_op *op = NULL;
	int rc = lua_toboolean(L, 3) ? tl_sync_flush_outbox(node, timeout, &op)
				     : tl_sync_flush(node, timeout, &op);

	return tlua_opened(L, handle, rc, op);
}

static int sync_wait_until_synced(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	uint32_t timeout = check_ms(L, 4, 30000);
	const char *peer;
	tl_op *op = NULL;
	void **handle;
	tl_id db;
	int rc;

	if (!tlua_read_key_text(L, 2, &peer) || !tlua_read_id(L, 3, &db))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_wait_until_synced(node, peer, &db, timeout, &op);
	return tlua_opened(L, handle, rc, op);
}

static int sync_discover(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *peer;
	tl_op *op = NULL;
	void **handle;
	int rc;

	if (!tlua_read_key_text(L, 2, &peer))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_discover_peer_trees(node, peer, &op);
	return tlua_opened(L, handle, rc, op);
}

/* start_request_access(address, db, key_name, permission) */
static int sync_request_access(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *key_name, *permission;
	tl_address address;
	tl_op *op = NULL;
	void **handle;
	tl_id db;
	int rc;

	if (!tlua_read_address(L, 2, &address) || !tlua_read_id(L, 3, &db) ||
		!tlua_read_text(L, 4, &key_name) || !tlua_read_text(L, 5, &permission))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_request_database_access(node, &address, &db, key_name, permission, &op);
	return tlua_opened(L, handle, rc, op);
}

static int sync_configure(lua_State *L)
{
	static const char *const names[] = {TLUA_SYNC_OPTIONS, NULL};
	tl_node *node = tlua_check_node(L);
	tl_sync_options options;

	luaL_checktype(L, 2, LUA_TTABLE);
	tlua_check_options(L, 2, names);
	if (!tlua_sync_options(L, 2, &options))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_configure(node, &options));
}

/* --- access requests -------------------------------------------------------------------------- */

static int sync_approve(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *id, *key_name, *record_name;
	char *hint = NULL;
	int rc;

	if (!tlua_read_text(L, 2, &id) || !tlua_read_text(L, 3, &key_name) ||
		!tlua_read_opt_text(L, 4, &record_name))
		return tlua_fail(L);
	rc = tl_sync_approve_bootstrap_request_as(node, id, key_name, record_name, &hint);
	if (rc != TL_OK)
		return tlua_fail(L);
	lua_pushboolean(L, true);
	if (!hint)
		return 1;
	tlua_push_owned(L, hint, strlen(hint));
	return 2;
}

static int sync_reject(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *id, *key_name;

	if (!tlua_read_text(L, 2, &id) || !tlua_read_text(L, 3, &key_name))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_reject_bootstrap_request(node, id, key_name));
}

/* --- shares ------------------------------------------------------------------------------------ */

/* The array lives in a userdata, left on the stack. */
static bool share_addresses(lua_State *L, int arg, tl_share_options *options)
{
	tl_address *addresses;
	size_t count;

	if (!tlua_option(L, arg, "addresses"))
		return true;
	if (!lua_istable(L, -1))
		luaL_error(L, "option 'addresses' is a list of addresses");
	addresses = tlua_new_array(L, -1, sizeof *addresses, &count);
	for (size_t i = 0; i < count; i++) {
		lua_geti(L, -2, (lua_Integer)i + 1);
		if (!tlua_read_address(L, lua_gettop(L), &addresses[i]))
			return false;
		lua_pop(L, 1);
	}
	options->addresses = addresses;
	options->address_count = count;
	return true;
}

/* share(db [, { permission =, key =, expires =, addresses = }]) -> text, id */
static int sync_share(lua_State *L)
{
	static const char *const names[] = {"permission", "key", "expires", "addresses", NULL};
	tl_share_options options = TL_SHARE_OPTIONS_INIT;
	tl_node *node = tlua_check_node(L);
	tl_share share;
	tl_id db;
	int rc;

	if (!lua_isnoneornil(L, 3))
		tlua_check_options(L, 3, names);
	if (!tlua_read_id(L, 2, &db) ||
		!tlua_option_text(L, 3, "permission", &options.permission) ||
		!tlua_option_text(L, 3, "key", &options.key) || !share_addresses(L, 3, &options))
		return tlua_fail(L);
	options.expires_ms = tlua_option_duration(L, 3, "expires", UINT64_MAX);
	if (options.expires_ms == 0)
		return luaL_error(L, "option 'expires': it would let nobody in");
	if (options.expires_ms == UINT64_MAX)
		options.expires_ms = 0; /* the library's */
	rc = tl_sync_share(node, &db, &options, &share);
	if (rc != TL_OK)
		return tlua_fail(L);
	lua_pushstring(L, share.text);
	lua_pushstring(L, share.id);
	explicit_bzero(share.text, sizeof share.text);
	return 2;
}

static int sync_revoke_share(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *id;

	if (!tlua_read_text(L, 2, &id))
		return tlua_fail(L);
	return tlua_ok(L, tl_sync_revoke_share(node, id));
}

/* start_join(text, key_name or nil) */
static int sync_join(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	const char *text, *key_name = NULL;
	tl_op *op = NULL;
	void **handle;
	int rc;

	if (!tlua_read_text(L, 2, &text) || !tlua_read_opt_text(L, 3, &key_name))
		return tlua_fail(L);
	handle = tlua_new_handle(L, TLUA_OP);
	rc = tl_sync_join(node, text, key_name, &op);
	return tlua_opened(L, handle, rc, op);
}

static int sync_tree(lua_State *L)
{
	tl_node *node = tlua_check_node(L);
	void **handle = tlua_new_handle(L, TLUA_DATABASE);
	tl_database *db = NULL;
	int rc = tl_sync_tree(node, &db);

	return tlua_opened(L, handle, rc, db);
}

static const luaL_Reg methods[] = {{"sync_address_parse", address_parse},
	{"sync_address_http", address_http}, {"sync_address_https", address_https},
	{"sync_address_iroh", address_iroh}, {"sync_enable_http", sync_enable_http},
	{"sync_enable_iroh", sync_enable_iroh}, {"sync_start_server", sync_start_server},
	{"sync_stop_server", sync_stop_server}, {"sync_is_server_running", sync_is_server_running},
	{"sync_get_server_address", sync_get_server_address},
	{"sync_get_server_addresses", sync_get_server_addresses},
	{"sync_start_connect", sync_connect}, {"sync_start_tree", sync_tree_with_peer},
	{"sync_start_with_peer", sync_with_peer}, {"sync_start_flush", sync_flush},
	{"sync_start_wait", sync_wait_until_synced}, {"sync_start_discover", sync_discover},
	{"sync_start_request_access", sync_request_access}, {"sync_configure", sync_configure},
	{"sync_share", sync_share}, {"sync_revoke_share", sync_revoke_share},
	{"sync_start_join", sync_join}, {"sync_approve", sync_approve},
	{"sync_reject", sync_reject}, {"sync_tree", sync_tree}, {NULL, NULL}};

void tlua_open_sync(lua_State *L)
{
	tlua_add_node_methods(L, methods);
}
