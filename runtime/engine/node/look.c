/* The calls of sync.h that look at what the core knows. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/run/servers.h"
#include "engine/node/status.h"

/* A look at the core on the engine's thread; the text is gathered in `out`. */
typedef struct look_call {
	tl__call base; /* first: a call is its look_call */
	int (*look)(tl__engine *engine, struct look_call *call);
	tl_key peer;
	tl_id db;
	const char *type;
	bool flag;
	tl__buf out;
	/* Addresses are copied out, so that the visitor runs on the caller's thread. */
	tl_address addresses[TL__SYNC_MAX_ADDRESSES];
	size_t count;
} look_call;

static void begin_look(tl__engine *engine, tl__call *call)
{
	look_call *look = (look_call *)call;
	int rc = look->look(engine, look);

	if (rc == TL_OK)
		rc = tl__buf_status(&look->out);
	tl__call_end(call, rc, NULL);
}

/* peer, db and json may be NULL where the look does not use them. */
static int look(tl_node *node, look_call *call, const char *peer, const tl_id *db, char **json,
	const char *what)
{
	int rc = TL_OK;

	if (json)
		*json = NULL;
	if (peer)
		rc = tl_key_parse(&call->peer, tl__str_z(peer));
	if (rc != TL_OK)
		return rc;
	if (db)
		call->db = *db;
	call->base.begin = begin_look;
	rc = tl__engine_call(node, &call->base, what);
	if (rc == TL_OK && json)
		rc = tl__json_take(&call->out, json);
	tl__buf_free(&call->out);
	return rc;
}

/* --- peers ------------------------------------------------------------------------------------ */

static int look_peer_info(tl__engine *engine, look_call *call)
{
	return tl__sync_peer_info(engine->sync, &call->peer, &call->out);
}

TL__PUBLIC_OF_NODE(tl_sync_get_peer_info, node && peer && json,
	(tl_node *node, const char *peer, char **json), (node, peer, json))
{
	look_call call = {.look = look_peer_info};

	return look(node, &call, peer, NULL, json, "get_peer_info");
}

static int look_peers(tl__engine *engine, look_call *call)
{
	tl__sync_list_peers(engine->sync, &call->out);
	return TL_OK;
}

static int look_inbound(tl__engine *engine, look_call *call)
{
	tl__sync_list_inbound(engine->sync, &call->out);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(
	tl_sync_list_inbound_peers, node && json, (tl_node *node, char **json), (node, json))
{
	look_call call = {.look = look_inbound};

	return look(node, &call, NULL, NULL, json, "list_inbound_peers");
}

TL__PUBLIC_OF_NODE(tl_sync_list_peers, node && json, (tl_node *node, char **json), (node, json))
{
	look_call call = {.look = look_peers};

	return look(node, &call, NULL, NULL, json, "list_peers");
}

static int keep_address(void *ud, const tl_address *address)
{
	look_call *call = ud;

	if (call->count < TL__SYNC_MAX_ADDRESSES)
		call->addresses[call->count++] = *address;
	return TL_OK;
}

static int look_addresses(tl__engine *engine, look_call *call)
{
	return tl__sync_peer_addresses(engine->sync, &call->peer, call->type, keep_address, call);
}

TL__PUBLIC_OF_NODE(tl_sync_get_peer_addresses, node && peer && visit,
	(tl_node *node, const char *peer, const char *type, tl_address_visit visit, void *ud),
	(node, peer, type, visit, ud))
{
	look_call call = {.look = look_addresses, .type = type};
	int rc = look(node, &call, peer, NULL, NULL, "get_peer_addresses");

	for (size_t i = 0; rc == TL_OK && i < call.count; i++)
		rc = visit(ud, &call.addresses[i]);
	return rc == TL_STOP ? TL_OK : rc;
}

/* --- relations -------------------------------------------------------------------------------- */

static int look_related(tl__engine *engine, look_call *call)
{
	call->flag = tl__sync_is_related(engine->sync, &call->peer, &call->db);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_is_tree_synced_with_peer, node && peer && db && synced,
	(tl_node *node, const char *peer, const tl_id *db, bool *synced), (node, peer, db, synced))
{
	look_call call = {.look = look_related};
	int rc = look(node, &call, peer, db, NULL, "is_tree_synced_with_peer");

	*synced = rc == TL_OK && call.flag;
	return rc;
}

static int look_peer_trees(tl__engine *engine, look_call *call)
{
	return tl__sync_peer_trees(engine->sync, &call->peer, &call->out);
}

TL__PUBLIC_OF_NODE(tl_sync_get_peer_trees, node && peer && json,
	(tl_node *node, const char *peer, char **json), (node, peer, json))
{
	look_call call = {.look = look_peer_trees};

	return look(node, &call, peer, NULL, json, "get_peer_trees");
}

static int look_tree_peers(tl__engine *engine, look_call *call)
{
	tl__sync_tree_peers(engine->sync, &call->db, &call->out);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_get_tree_peers, node && db && json,
	(tl_node *node, const tl_id *db, char **json), (node, db, json))
{
	look_call call = {.look = look_tree_peers};

	return look(node, &call, NULL, db, json, "get_tree_peers");
}

/* --- state ------------------------------------------------------------------------------------ */

static int look_cursor(tl__engine *engine, look_call *call)
{
	tl__sync_cursor_json(engine->sync, &call->peer, &call->db, &call->out);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_get_sync_cursor, node && peer && db && json,
	(tl_node *node, const char *peer, const tl_id *db, char **json), (node, peer, db, json))
{
	look_call call = {.look = look_cursor};

	return look(node, &call, peer, db, json, "get_sync_cursor");
}

static int look_metadata(tl__engine *engine, look_call *call)
{
	tl__sync_metadata_json(engine->sync, &call->peer, &call->out);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_get_sync_metadata, node && peer && json,
	(tl_node *node, const char *peer, char **json), (node, peer, json))
{
	look_call call = {.look = look_metadata};

	return look(node, &call, peer, NULL, json, "get_sync_metadata");
}

static int look_with_state(tl__engine *engine, look_call *call)
{
	tl__sync_peers_with_state(engine->sync, &call->out);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_get_peers_with_sync_state, node && json,
	(tl_node *node, char **json), (node, json))
{
	look_call call = {.look = look_with_state};

	return look(node, &call, NULL, NULL, json, "get_peers_with_sync_state");
}

/* --- status ----------------------------------------------------------------------------------- */

static void put_text(tl__buf *out, const char *text)
{
	tl__json_put_string(out, tl__str_z(text));
}

static void put_servers(const tl__engine *engine, tl__buf *out)
{
	tl_address all[TL__SYNC_MAX_ADDRESSES];
	size_t count = tl__servers_addresses(engine, all, TL__SYNC_MAX_ADDRESSES);
	char text[530];

	tl__buf_text(out, "\"servers\":[");
	for (size_t i = 0; i < count; i++) {
		tl_address_format(&all[i], text);
		tl__buf_text(out, i ? "," : "");
		put_text(out, text);
	}
	tl__buf_text(out, "],\"transports\":[");
	for (size_t i = 0; i < engine->carrier_count; i++) {
		tl__buf_text(out, i ? "," : "");
		put_text(out, engine->carriers[i].transport->type);
	}
	tl__buf_text(out, "]");
}

static int look_status(tl__engine *engine, look_call *call)
{
	tl__buf_text(&call->out, "{");
	tl__sync_status(
		engine->sync, tl__system_clock.monotonic_ms(tl__system_clock.ud), &call->out);
	tl__buf_text(&call->out, ",");
	put_servers(engine, &call->out);
	return TL_OK;
}

TL__PUBLIC_OF_NODE(tl_sync_status, node && json, (tl_node *node, char **json), (node, json))
{
	look_call call = {.look = look_status};
	tl__buf out = TL__BUF_INIT;
	int rc = look(node, &call, NULL, NULL, json, "status");

	if (rc != TL_OK)
		return rc;
	tl__buf_text(&out, *json);
	tl__free(*json);
	*json = NULL;
	tl__buf_text(&out, ",\"databases\":");
	rc = tl__status_databases(node, &out);
	tl__buf_text(&out, "}");
	if (rc == TL_OK)
		rc = tl__json_take(&out, json);
	tl__buf_free(&out);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_tree, node && out, (tl_node *node, tl_database **out), (node, out))
{
	*out = NULL;
	if (!node->engine)
		return tl__fail(TL_E_SYNC_NOT_ENABLED, "this node was opened without sync");
	return tl__database_open(&node->host, &node->sync_db, out);
}
