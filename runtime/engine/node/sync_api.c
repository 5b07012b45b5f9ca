/* The calls of sync.h that change something or start an exchange. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/run/servers.h"

#define STOP_GRACE_MS 2000

/* Reads a peer's key text. */
static int with_peer(tl__sync_command *command, const char *peer)
{
	command->has_key = true;
	return tl_key_parse(&command->key, tl__str_z(peer));
}

static void with_db(tl__sync_command *command, const tl_id *db)
{
	command->has_db = db != NULL;
	if (db)
		command->db = *db;
}

/* --- transports and servers ------------------------------------------------------------------- */

typedef struct http_call {
	tl__call base; /* first: a call is its http_call */
	const tl_http_config *config;
} http_call;

static void begin_http(tl__engine *engine, tl__call *call)
{
	tl__call_end(call, tl__carriers_enable_http(engine, ((http_call *)call)->config), NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_enable_http_transport, node,
	(tl_node *node, const tl_http_config *config), (node, config))
{
	tl_http_config full = TL_HTTP_CONFIG_INIT;
	http_call call = {.base.begin = begin_http, .config = &full};

	int rc = TL_OK;

	if (config)
		rc = tl__sized_read(&full, config, tl_http_config, min_bytes_per_s);
	return rc == TL_OK ? tl__engine_call(node, &call.base, "enable_http_transport") : rc;
}

typedef struct transport_call {
	tl__call base;
	int (*make)(void *ud, tl_loop *loop, tl_transport **out);
	void *ud;
} transport_call;

static void begin_transport(tl__engine *engine, tl__call *call)
{
	const transport_call *add = (transport_call *)call;
	tl__carrier carrier = {.can_serve = true, .serve.size = sizeof carrier.serve};
	int rc = add->make(add->ud, engine->loop, &carrier.transport);

	/* One that is too small has no `free` to be called. */
	if (rc == TL_OK)
		rc = tl__sized_check(carrier.transport, tl_transport, close_after);
	if (rc == TL_OK) {
		rc = tl__carriers_add(engine, &carrier);
		if (rc != TL_OK)
			carrier.transport->free(carrier.transport);
	}
	tl__call_end(call, rc, NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_add_transport, node && make,
	(tl_node *node, int (*make)(void *ud, tl_loop *loop, tl_transport **out), void *ud),
	(node, make, ud))
{
	transport_call call = {.base.begin = begin_transport, .make = make, .ud = ud};

	return tl__engine_call(node, &call.base, "add_transport");
}

typedef struct start_call {
	tl__call base;
	const char *bind, *transport;
} start_call;

static void begin_start(tl__engine *engine, tl__call *call)
{
	const start_call *start = (start_call *)call;

	tl__call_end(call, tl__servers_start(engine, start->bind, start->transport), NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_start_server, node && bind,
	(tl_node *node, const char *bind, const char *transport), (node, bind, transport))
{
	start_call call = {.base.begin = begin_start, .bind = bind, .transport = transport};

	return tl__engine_call(node, &call.base, "start_server");
}

static void begin_stop(tl__engine *engine, tl__call *call)
{
	tl_address first;
	int rc = tl__servers_first(engine, &first);

	if (rc == TL_OK && engine->stop_servers)
		rc = tl__fail(TL_E_BUSY, "the servers are being stopped already");
	if (rc != TL_OK) {
		tl__call_end(call, rc, NULL);
		return;
	}
	engine->stop_servers = call;
	tl__servers_stop(engine, STOP_GRACE_MS);
}

TL__PUBLIC_OF_NODE(tl_sync_stop_server, node, (tl_node *node), (node))
{
	tl__call call = {.begin = begin_stop};

	return tl__engine_call(node, &call, "stop_server");
}

typedef struct addresses_call {
	tl__call base;
	tl_address addresses[TL__SYNC_MAX_ADDRESSES];
	size_t count;
} addresses_call;

static void begin_first(tl__engine *engine, tl__call *call)
{
	tl__call_end(call, tl__servers_first(engine, ((addresses_call *)call)->addresses), NULL);
}

TL__PUBLIC_OF_NODE(tl_sync_get_server_address, node && out,
	(tl_node *node, tl_address *out), (node, out))
{
	addresses_call call = {.base.begin = begin_first};
	int rc = tl__engine_call(node, &call.base, "get_server_address");

	if (rc == TL_OK)
		*out = call.addresses[0];
	return rc;
}

bool tl_sync_is_server_running(tl_node *node)
{
	tl__errors errors;
	tl_address unused;
	int rc;

	tl__errors_begin(&errors);
	rc = tl_sync_get_server_address(node, &unused);
	(void)tl__errors_end(&errors, TL_OK);
	return rc == TL_OK;
}

static void begin_addresses(tl__engine *engine, tl__call *call)
{
	addresses_call *all = (addresses_call *)call;

	all->count = tl__servers_addresses(engine, all->addresses, TL__SYNC_MAX_ADDRESSES);
	tl__call_end(call, TL_OK, NULL);
}

static int visit_addresses(const addresses_call *all, tl_address_visit visit, void *ud)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < all->count; i++)
		rc = visit(ud, &all->addresses[i]);
	return rc == TL_STOP ? TL_OK : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_get_server_addresses, node && visit,
	(tl_node *node, tl_address_visit visit, void *ud), (node, visit, ud))
{
	addresses_call call = {.base.begin = begin_addresses};
	int rc = tl__engine_call(node, &call.base, "get_server_addresses");

	return rc == TL_OK ? visit_addresses(&call, visit, ud) : rc;
}

/* --- peers ------------------------------------------------------------------------------------ */

TL__PUBLIC_OF_NODE(tl_sync_connect_to_peer, node && address,
	(tl_node *node, const tl_address *address, const char *key, tl_op **op),
	(node, address, key, op))
{
	tl__sync_command command = {.kind = TL__SYNC_CONNECT, .address = address};
	int rc = key ? with_peer(&command, key) : TL_OK;

	return rc == TL_OK ? tl__command_start(node, &command, "connect_to_peer", op) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_register_peer, node && peer,
	(tl_node *node, const char *peer, const char *name), (node, peer, name))
{
	tl__sync_command command = {.kind = TL__SYNC_REGISTER, .name = tl__str_z(name)};
	int rc = with_peer(&command, peer);

	return rc == TL_OK ? tl__command_run(node, &command, "register_peer", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_rename_peer, node && peer,
	(tl_node *node, const char *peer, const char *name), (node, peer, name))
{
	tl__sync_command command = {.kind = TL__SYNC_RENAME, .name = tl__str_z(name)};
	int rc = with_peer(&command, peer);

	return rc == TL_OK ? tl__command_run(node, &command, "rename_peer", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_update_peer_status, node && peer && status,
	(tl_node *node, const char *peer, const char *status), (node, peer, status))
{
	tl__sync_command command = {.kind = TL__SYNC_SET_STATUS, .name = tl__str_z(status)};
	int rc = with_peer(&command, peer);

	return rc == TL_OK ? tl__command_run(node, &command, "update_peer_status", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_remove_peer, node && peer,
	(tl_node *node, const char *peer), (node, peer))
{
	tl__sync_command command = {.kind = TL__SYNC_REMOVE_PEER};
	int rc = with_peer(&command, peer);

	return rc == TL_OK ? tl__command_run(node, &command, "remove_peer", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_add_peer_address, node && peer && address,
	(tl_node *node, const char *peer, const tl_address *address), (node, peer, address))
{
	tl__sync_command command = {.kind = TL__SYNC_ADD_ADDRESS, .address = address};
	int rc = with_peer(&command, peer);

	return rc == TL_OK ? tl__command_run(node, &command, "add_peer_address", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_remove_peer_address, node && peer && address,
	(tl_node *node, const char *peer, const tl_address *address, bool *removed),
	(node, peer, address, removed))
{
	tl__sync_command command = {.kind = TL__SYNC_REMOVE_ADDRESS, .address = address};
	char *text = NULL;
	int rc = with_peer(&command, peer);

	if (rc == TL_OK)
		rc = tl__command_run(node, &command, "remove_peer_address", &text);
	if (rc == TL_OK && removed)
		*removed = text && strcmp(text, "true") == 0;
	tl__free(text);
	return rc;
}

/* --- relations -------------------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_sync_add_tree_sync, node && peer && db,
	(tl_node *node, const char *peer, const tl_id *db), (node, peer, db))
{
	tl__sync_command command = {.kind = TL__SYNC_RELATE, .name = TL__STR("manual")};
	int rc = with_peer(&command, peer);

	with_db(&command, db);
	return rc == TL_OK ? tl__command_run(node, &command, "add_tree_sync", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_remove_tree_sync, node && peer && db,
	(tl_node *node, const char *peer, const tl_id *db), (node, peer, db))
{
	tl__sync_command command = {.kind = TL__SYNC_UNRELATE};
	int rc = with_peer(&command, peer);

	with_db(&command, db);
	return rc == TL_OK ? tl__command_run(node, &command, "remove_tree_sync", NULL) : rc;
}

/* --- exchanges -------------------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_sync_sync_tree_with_peer, node && peer,
	(tl_node *node, const char *peer, const tl_id *db, tl_op **op), (node, peer, db, op))
{
	tl__sync_command command = {.kind = TL__SYNC_SYNC_PAIR};
	int rc = with_peer(&command, peer);

	with_db(&command, db);
	return rc == TL_OK ? tl__command_start(node, &command, "sync_tree_with_peer", op) : rc;
}

static int sync_with_peer(
	tl_node *node, const tl_address *address, const tl_id *db, const char *key_name, tl_op **op)
{
	tl_secret secret;
	tl__sync_command command = {.kind = TL__SYNC_SYNC_WITH, .address = address};
	int rc = TL_OK;

	with_db(&command, db);
	if (key_name && node->engine) {
		command.name = tl__str_z(key_name);
		command.secrets = &secret;
		command.secret_names = &command.name;
		command.secret_count = 1;
		rc = tl__keys_secret(node->keys, command.name, &secret);
	}
	if (rc != TL_OK)
		return rc;
	rc = tl__command_start(node, &command, "sync_with_peer", op);
	if (key_name)
		tl_secret_wipe(&secret);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_sync_with_peer, node && address && db,
	(tl_node *node, const tl_address *address, const tl_id *db, tl_op **op),
	(node, address, db, op))
{
	return sync_with_peer(node, address, db, NULL, op);
}

TL__PUBLIC_OF_NODE(tl_sync_sync_with_peer_as, node && address && db,
	(tl_node *node, const tl_address *address, const tl_id *db, const char *key_name,
		tl_op **op), (node, address, db, key_name, op))
{
	return sync_with_peer(node, address, db, key_name, op);
}

TL__PUBLIC_OF_NODE(tl_sync_flush, node,
	(tl_node *node, uint32_t timeout_ms, tl_op **op), (node, timeout_ms, op))
{
	const tl__sync_command command = {.kind = TL__SYNC_FLUSH, .timeout_ms = timeout_ms};

	return tl__command_start(node, &command, "flush", op);
}

TL__PUBLIC_OF_NODE(tl_sync_flush_outbox, node,
	(tl_node *node, uint32_t timeout_ms, tl_op **op), (node, timeout_ms, op))
{
	const tl__sync_command command = {
		.kind = TL__SYNC_FLUSH, .timeout_ms = timeout_ms, .send_only = true};

	return tl__command_start(node, &command, "flush", op);
}

TL__PUBLIC_OF_NODE(tl_sync_wait_until_synced, node && peer && db,
	(tl_node *node, const char *peer, const tl_id *db, uint32_t timeout_ms, tl_op **op),
	(node, peer, db, timeout_ms, op))
{
	tl__sync_command command = {.kind = TL__SYNC_WAIT, .timeout_ms = timeout_ms};
	int rc = with_peer(&command, peer);

	with_db(&command, db);
	return rc == TL_OK ? tl__command_start(node, &command, "wait_until_synced", op) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_discover_peer_trees, node && peer,
	(tl_node *node, const char *peer, tl_op **op), (node, peer, op))
{
	tl__sync_command command = {.kind = TL__SYNC_DISCOVER};
	int rc = with_peer(&command, peer);

	return rc == TL_OK ? tl__command_start(node, &command, "discover_peer_trees", op) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_configure, node && options,
	(tl_node *node, const tl_sync_options *options), (node, options))
{
	tl_sync_options full = TL_SYNC_OPTIONS_INIT;
	const tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &full};

	int rc = tl__sized_read(&full, options, tl_sync_options, accept_databases_from_count);

	return rc == TL_OK ? tl__command_run(node, &command, "configure", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_set_policy, node,
	(tl_node *node, const tl_policy *policy), (node, policy))
{
	tl_policy full = TL_POLICY_INIT;
	const tl__sync_command command = {
		.kind = TL__SYNC_SET_POLICY, .policy = policy ? &full : NULL};
	int rc = policy ? tl__sized_read(&full, policy, tl_policy, ud) : TL_OK;

	return rc == TL_OK ? tl__command_run(node, &command, "set_policy", NULL) : rc;
}

TL__PUBLIC_OF_NODE(tl_sync_request_database_access, node && address && db && key_name && permission,
	(tl_node *node, const tl_address *address, const tl_id *db, const char *key_name,
		const char *permission, tl_op **op), (node, address, db, key_name, permission, op))
{
	tl_secret secret;
	tl__sync_command command = {
		.kind = TL__SYNC_ACCESS,
		.address = address,
		.name = tl__str_z(key_name),
		.secrets = &secret,
		.secret_names = &command.name,
		.secret_count = 1,
	};
	int rc = tl_permission_parse(&command.permission, tl__str_z(permission));

	if (rc == TL_OK)
		rc = tl__keys_secret(node->keys, tl__str_z(key_name), &secret);
	if (rc != TL_OK)
		return rc;
	with_db(&command, db);
	rc = tl__command_start(node, &command, "request_database_access", op);
	tl_secret_wipe(&secret);
	return rc;
}
