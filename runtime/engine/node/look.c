/* The calls of sync.h that look at what the core knows. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/str.h"
#include "engine/node/visit.h"
#include "engine/run/servers.h"
#include "engine/node/status.h"

typedef enum topic {
	PEER_INFO,
	PEERS,
	PEER_INFOS,
	INBOUND,
	PEER_TREES,
	TREE_PEERS,
	CURSOR,
	METADATA,
	WITH_STATE,
	ADDRESSES,
	RELATED,
	DECISIONS,
	STATUS
} topic;

/* A look at the core on the engine's thread; texts are gathered in `out`. */
typedef struct look_call {
	tl__call base; /* first: a call is its look_call */
	topic topic;
	tl_key peer;
	tl_id db;
	const char *type;
	bool flag;
	tl__buf out;
	/* Addresses are copied out, so that the visitor runs on the caller's thread. */
	tl_address addresses[TL__SYNC_MAX_ADDRESSES];
	size_t count; /* decisions: at most; 0 = all */
} look_call;

static int keep_address(void *ud, const tl_address *address)
{
	look_call *call = ud;

	if (call->count < TL__SYNC_MAX_ADDRESSES)
		call->addresses[call->count++] = *address;
	return TL_OK;
}

static void put_status(const tl__engine *engine, tl__buf *out);

static int ask(const tl__engine *engine, look_call *call)
{
	const tl__sync *sync = engine->sync;
	const tl_key *peer = &call->peer;
	tl__buf *out = &call->out;

	switch (call->topic) {
	case PEER_INFO: return tl__sync_peer_info(sync, peer, out);
	case PEERS: tl__sync_list_peers(sync, out); break;
	case PEER_INFOS: tl__sync_peer_infos(sync, out); break;
	case INBOUND: tl__sync_list_inbound(sync, out); break;
	case PEER_TREES: return tl__sync_peer_trees(sync, peer, out);
	case TREE_PEERS: tl__sync_tree_peers(sync, &call->db, out); break;
	case CURSOR: tl__sync_cursor_json(sync, peer, &call->db, out); break;
	case METADATA: tl__sync_metadata_json(sync, peer, out); break;
	case WITH_STATE: tl__sync_peers_with_state(sync, out); break;
	case ADDRESSES: return tl__sync_peer_addresses(sync, peer, call->type, keep_address, call);
	case RELATED: call->flag = tl__sync_is_related(sync, peer, &call->db); break;
	case DECISIONS: tl__sync_put_decisions(sync, call->count, out); break;
	case STATUS: put_status(engine, out); break;
	}
	return tl__buf_status(out);
}

static void begin_look(tl__engine *engine, tl__call *call)
{
	tl__call_end(call, ask(engine, (look_call *)call), NULL);
}

/* peer and db may be NULL where they are not asked about. The text in `out` is the caller's. */
static int look(tl_node *node, look_call *call, const char *peer, const tl_id *db, const char *what)
{
	int rc = peer ? tl_key_parse(&call->peer, tl__str_z(peer)) : TL_OK;

	if (rc != TL_OK)
		return rc;
	if (db)
		call->db = *db;
	call->base.begin = begin_look;
	return tl__engine_call(node, &call->base, what);
}

static int take_json(tl_node *node, look_call *call, const char *peer, const tl_id *db, char **json,
	const char *what)
{
	int rc = look(node, call, peer, db, what);

	*json = NULL;
	if (rc == TL_OK)
		rc = tl__json_take(&call->out, json);
	tl__buf_free(&call->out);
	return rc;
}

static int look_json(tl_node *node, topic about, const char *peer, const tl_id *db, char **json,
	const char *what)
{
	look_call call = {.topic = about};

	return take_json(node, &call, peer, db, json, what);
}

/* --- peers ------------------------------------------------------------------------------------ */

TL__PUBLIC_OF_NODE(tl_sync_get_peer_info, node && peer && json,
	(tl_node *node, const char *peer, char **json), (node, peer, json))
{
	return look_json(node, PEER_INFO, peer, NULL, json, "get_peer_info");
}

TL__PUBLIC_OF_NODE(tl_sync_decisions, node && json,
	(tl_node *node, size_t limit, char **json), (node, limit, json))
{
	look_call call = {.topic = DECISIONS, .count = limit};

	return take_json(node, &call, NULL, NULL, json, "decisions");
}

TL__PUBLIC_OF_NODE(tl_sync_list_inbound_peers, node && json,
	(tl_node *node, char **json), (node, json))
{
	return look_json(node, INBOUND, NULL, NULL, json, "list_inbound_peers");
}

TL__PUBLIC_OF_NODE(tl_sync_list_peers, node && json,
	(tl_node *node, char **json), (node, json))
{
	return look_json(node, PEERS, NULL, NULL, json, "list_peers");
}

int tl__status_peers(tl_node *node, char **json)
{
	return look_json(node, PEER_INFOS, NULL, NULL, json, "list_peers");
}

TL__PUBLIC_OF_NODE(tl_sync_get_peer_addresses, node && peer && visit,
	(tl_node *node, const char *peer, const char *type, tl_address_visit visit, void *ud),
	(node, peer, type, visit, ud))
{
	look_call call = {.topic = ADDRESSES, .type = type};
	int rc = look(node, &call, peer, NULL, "get_peer_addresses");

	for (size_t i = 0; rc == TL_OK && i < call.count; i++)
		rc = visit(ud, &call.addresses[i]);
	return rc == TL_STOP ? TL_OK : rc;
}

/* --- relations and state ---------------------------------------------------------------------- */

TL__PUBLIC_OF_NODE(tl_sync_is_tree_synced_with_peer, node && peer && db && synced,
	(tl_node *node, const char *peer, const tl_id *db, bool *synced), (node, peer, db, synced))
{
	look_call call = {.topic = RELATED};
	int rc = look(node, &call, peer, db, "is_tree_synced_with_peer");

	*synced = rc == TL_OK && call.flag;
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_get_peer_trees, node && peer && json,
	(tl_node *node, const char *peer, char **json), (node, peer, json))
{
	return look_json(node, PEER_TREES, peer, NULL, json, "get_peer_trees");
}

TL__PUBLIC_OF_NODE(tl_sync_get_tree_peers, node && db && json,
	(tl_node *node, const tl_id *db, char **json), (node, db, json))
{
	return look_json(node, TREE_PEERS, NULL, db, json, "get_tree_peers");
}

TL__PUBLIC_OF_NODE(tl_sync_get_sync_cursor, node && peer && db && json,
	(tl_node *node, const char *peer, const tl_id *db, char **json), (node, peer, db, json))
{
	return look_json(node, CURSOR, peer, db, json, "get_sync_cursor");
}

TL__PUBLIC_OF_NODE(tl_sync_get_sync_metadata, node && peer && json,
	(tl_node *node, const char *peer, char **json), (node, peer, json))
{
	return look_json(node, METADATA, peer, NULL, json, "get_sync_metadata");
}

TL__PUBLIC_OF_NODE(tl_sync_get_peers_with_sync_state, node && json,
	(tl_node *node, char **json), (node, json))
{
	return look_json(node, WITH_STATE, NULL, NULL, json, "get_peers_with_sync_state");
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

typedef struct connections {
	const tl__engine *engine;
	tl__buf *out;
	const char *type;
	bool any;
} connections;

static void put_owner(const connections *c, const tl_connection_info *info)
{
	char text[TL_KEY_TEXT_LEN + 1];
	tl_key key;

	if (!tl__sync_key_at(c->engine->sync, c->type, info, &key)) {
		tl__buf_text(c->out, "null");
		return;
	}
	tl_key_format(&key, text);
	put_text(c->out, text);
}

static void put_connection(void *ud, const tl_connection_info *info)
{
	connections *c = ud;

	tl__buf_text(c->out, c->any ? ",{\"transport\":" : "{\"transport\":");
	c->any = true;
	put_text(c->out, c->type);
	tl__buf_text(c->out, ",\"peer\":");
	put_owner(c, info);
	tl__buf_text(c->out, ",\"remote\":");
	put_text(c->out, info->remote);
	tl__buf_text(c->out, ",\"path\":");
	put_text(c->out, info->path);
	tl__buf_format(c->out,
		",\"dialled\":%s,\"relayed\":%s,\"round_trip_ms\":%llu.%03u,\"sent\":%llu,"
		"\"received\":%llu,\"streams\":%u}",
		info->dialled ? "true" : "false", info->relayed ? "true" : "false",
		(unsigned long long)(info->round_trip_us / 1000),
		(unsigned)(info->round_trip_us % 1000), (unsigned long long)info->sent,
		(unsigned long long)info->received, info->streams);
}

/* A transport may be older than this call. */
static void put_connections(const tl__engine *engine, tl__buf *out)
{
	connections c = {engine, out, NULL, false};

	tl__buf_text(out, ",\"connections\":[");
	for (size_t i = 0; i < engine->carrier_count; i++) {
		tl_transport *transport = engine->carriers[i].transport;

		c.type = transport->type;
		if (TL__HAS(transport, connections) && transport->connections)
			transport->connections(transport, put_connection, &c);
	}
	tl__buf_text(out, "]");
}

static void put_status(const tl__engine *engine, tl__buf *out)
{
	tl__buf_text(out, "{");
	tl__sync_status(engine->sync, tl__system_clock.monotonic_ms(tl__system_clock.ud), out);
	tl__buf_text(out, ",");
	put_servers(engine, out);
	put_connections(engine, out);
}

TL__PUBLIC_OF_NODE(tl_sync_status, node && json, (tl_node *node, char **json), (node, json))
{
	look_call call = {.topic = STATUS};
	int rc = look(node, &call, NULL, NULL, "status");

	*json = NULL;
	tl__buf_text(&call.out, ",\"databases\":");
	if (rc == TL_OK)
		rc = tl__status_databases(node, &call.out);
	tl__buf_text(&call.out, "}");
	if (rc == TL_OK)
		rc = tl__json_take(&call.out, json);
	tl__buf_free(&call.out);
	return rc;
}

TL__PUBLIC_OF_NODE(tl_sync_tree, node && out, (tl_node *node, tl_database **out), (node, out))
{
	*out = NULL;
	if (!node->engine)
		return tl__fail(TL_E_SYNC_NOT_ENABLED, "this node was opened without sync");
	return tl__database_open(&node->host, &node->sync_db, out);
}
