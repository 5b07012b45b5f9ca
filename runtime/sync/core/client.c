/* Who comes to us: every key that proved itself inbound, whether it is a registered peer or not.
 * For the eyes of the owner; nothing is decided by it, and nothing of it outlives the process but
 * what is remembered of exchanges with those that are no peers (record.c). */
#include <string.h>
#include "base/json/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "sync/core/core.h"

#define CLIENT_DBS 16 /* databases shown of one: the last that it came about */
#define LOOKED_AT  16 /* of those heard of longest ago, for one that gives way */

typedef struct client_db {
	tl_id id;
	uint64_t acknowledged; /* our arrivals that it says it has */
	uint64_t heard;        /* monotonic */
} client_db;

struct tl__client {
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	char *said_name;
	char remote[TL__V1_MAX_TEXT + 1];
	int64_t first_seen, last_seen; /* wall */
	uint64_t heard;                /* monotonic, of the last request */
	bool came;                     /* since the node was opened; else only remembered */
	bool connected;                /* told so */
	tl__sync_metadata metadata;    /* while it is no peer */
	tl__limits limits;             /* the same */
	client_db dbs[CLIENT_DBS];
	size_t db_count;
	tl__client *prev, *next;
};

static tl_str map_key(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

static tl__client *find(const tl__sync *sync, const tl_key *key)
{
	return tl__map_get(&sync->clients.map, map_key(key));
}

static bool is_here(const tl__sync *sync, const tl__client *client)
{
	return sync->now - client->heard < TL__SYNC_CLIENT_GONE_MS ||
	       sync->in->watches_of(sync, &client->key) > 0;
}

static void free_client(tl__client *client)
{
	tl__free(client->said_name);
	tl__free(client);
}

static void unlink_client(tl__clients *clients, tl__client *client)
{
	*(client->prev ? &client->prev->next : &clients->first) = client->next;
	*(client->next ? &client->next->prev : &clients->last) = client->prev;
}

static void link_first(tl__clients *clients, tl__client *client)
{
	client->prev = NULL;
	client->next = clients->first;
	*(client->next ? &client->next->prev : &clients->last) = client;
	clients->first = client;
}

static void tell_gone(tl__sync *sync, tl__client *client)
{
	client->connected = false;
	tl__sync_tell(sync, TL_EVENT_PEER_DISCONNECTED, &client->key, NULL, 0, client->remote);
}

/* For one that comes: nothing is known of it any more. */
static void displace(tl__sync *sync, tl__client *client)
{
	if (client->connected)
		tell_gone(sync, client);
	tl__record_forget(sync, client->text, &client->metadata, TL__SYNC_CLIENT_HISTORY);
	unlink_client(&sync->clients, client);
	tl__map_remove(&sync->clients.map, map_key(&client->key));
	free_client(client);
}

/* Whoever was not heard of for longest gives way, strangers before peers: false where only peers
 * are to be seen and a stranger comes. */
static bool make_room(tl__sync *sync, bool for_peer)
{
	tl__clients *clients = &sync->clients;

	for (int i = 0; i < LOOKED_AT; i++) {
		tl__client *client = clients->last;

		if (!tl__sync_find_peer(sync, &client->key)) {
			displace(sync, client);
			return true;
		}
		unlink_client(clients, client);
		link_first(clients, client);
	}
	if (for_peer)
		displace(sync, clients->last);
	return for_peer;
}

static tl__client *client_for(tl__sync *sync, const tl_key *key)
{
	tl__client *client = find(sync, key);

	if (client)
		return client;
	if (sync->clients.map.count >= TL__SYNC_MAX_CLIENTS &&
		!make_room(sync, tl__sync_find_peer(sync, key) != NULL))
		return NULL;
	client = tl__alloc_zero(1, sizeof *client);
	if (!client || tl__map_set(&sync->clients.map, map_key(key), client) != TL_OK) {
		tl__free(client);
		return NULL;
	}
	client->key = *key;
	tl_key_format(key, client->text);
	link_first(&sync->clients, client);
	return client;
}

/* --- what is heard of it ---------------------------------------------------------------------- */

void tl__client_heard(tl__sync *sync, const tl_key *key, const char *address)
{
	tl__client *client = client_for(sync, key);
	const tl__peer *peer = tl__sync_find_peer(sync, key);

	if (!client)
		return;
	unlink_client(&sync->clients, client);
	link_first(&sync->clients, client);
	if (!client->came)
		client->first_seen = sync->wall;
	client->came = true;
	client->heard = sync->now;
	client->last_seen = sync->wall;
	tl__text_copy(client->remote, sizeof client->remote, tl__str_z(address));
	if (client->connected)
		return;
	client->connected = true;
	if (sync->clients.next_look == UINT64_MAX)
		sync->clients.next_look = sync->now + TL__SYNC_CLIENT_LOOK_MS;
	/* One that we reached was told of then. */
	if (!peer || peer->state != TL__PEER_CONNECTED)
		tl__sync_tell(sync, TL_EVENT_PEER_CONNECTED, key, NULL, 0, client->remote);
}

/* An address is what was dialled; a channel names its ends, unless it is none. */
static bool leads_there(
	const tl__peer_address *at, const char *type, const tl_connection_info *connection)
{
	if (strcmp(at->address.type, type) != 0)
		return false;
	if (strcmp(at->address.text, connection->remote) == 0)
		return true;
	return at->channel[0] && strcmp(at->channel, "none") != 0 &&
	       strcmp(at->channel, connection->channel) == 0;
}

static bool is_from(const tl__client *client, const char *type, const char *remote)
{
	size_t len = strlen(type);

	return strncmp(client->remote, type, len) == 0 && client->remote[len] == ':' &&
	       strcmp(client->remote + len + 1, remote) == 0;
}

bool tl__sync_key_at(
	const tl__sync *sync, const char *type, const tl_connection_info *connection, tl_key *out)
{
	for (const tl__peer *peer = sync->peers; peer && connection->dialled; peer = peer->next)
		for (size_t i = 0; i < peer->address_count; i++)
			if (leads_there(&peer->addresses[i], type, connection)) {
				*out = peer->key;
				return true;
			}
	for (const tl__client *client = sync->clients.first; client; client = client->next)
		if (is_from(client, type, connection->remote)) {
			*out = client->key;
			return true;
		}
	return false;
}

tl__limits *tl__client_limits(const tl__sync *sync, const tl_key *key)
{
	tl__client *client = find(sync, key);

	return client ? &client->limits : NULL;
}

void tl__clients_unlimited(tl__sync *sync)
{
	for (tl__client *client = sync->clients.first; client; client = client->next)
		client->limits = (tl__limits){0};
}

const char *tl__client_said_name(const tl__sync *sync, const tl_key *key)
{
	const tl__client *client = find(sync, key);

	return client ? client->said_name : NULL;
}

void tl__client_said(tl__sync *sync, const tl_key *key, tl_str name)
{
	tl__client *client = find(sync, key);

	if (client && name.len > 0)
		(void)!tl__name_set(&client->said_name, name);
}

/* The one heard of longest ago gives way. */
static client_db *db_of(tl__client *client, const tl_id *id)
{
	client_db *oldest = &client->dbs[0];

	for (size_t i = 0; i < client->db_count; i++) {
		if (tl__id_equal(&client->dbs[i].id, id))
			return &client->dbs[i];
		if (client->dbs[i].heard < oldest->heard)
			oldest = &client->dbs[i];
	}
	if (client->db_count < CLIENT_DBS)
		oldest = &client->dbs[client->db_count++];
	*oldest = (client_db){.id = *id};
	return oldest;
}

void tl__client_at(tl__sync *sync, const tl_key *key, const tl_id *db, uint64_t acknowledged)
{
	tl__client *client = find(sync, key);
	client_db *to = client ? db_of(client, db) : NULL;

	if (!to)
		return;
	to->heard = sync->now;
	if (acknowledged > to->acknowledged)
		to->acknowledged = acknowledged;
}

void tl__clients_timer(tl__sync *sync)
{
	bool any = false;

	if (sync->now < sync->clients.next_look)
		return;
	for (tl__client *client = sync->clients.first; client; client = client->next) {
		if (!client->connected)
			continue;
		if (is_here(sync, client))
			any = true;
		else
			tell_gone(sync, client);
	}
	sync->clients.next_look = any ? sync->now + TL__SYNC_CLIENT_LOOK_MS : UINT64_MAX;
}

void tl__clients_init(tl__clients *clients)
{
	tl__map_init(&clients->map);
	clients->next_look = UINT64_MAX;
}

void tl__clients_free(tl__sync *sync)
{
	while (sync->clients.first) {
		tl__client *client = sync->clients.first;

		sync->clients.first = client->next;
		free_client(client);
	}
	tl__map_free(&sync->clients.map);
}

/* --- what is remembered of exchanges ---------------------------------------------------------- */

const tl__sync_metadata *tl__client_metadata(const tl__sync *sync, const tl_key *key)
{
	const tl__client *client = find(sync, key);

	return client && client->metadata.has ? &client->metadata : NULL;
}

tl__sync_metadata *tl__client_count(tl__sync *sync, const tl_key *key)
{
	tl__client *client = client_for(sync, key);

	return client ? &client->metadata : NULL;
}

int tl__client_load_metadata(tl__sync *sync, const tl_key *key, tl_str document)
{
	tl__client *client = client_for(sync, key);
	int rc;

	if (!client)
		return TL_E_NOMEM;
	rc = tl__record_load_metadata(&client->metadata, document);
	client->metadata.records = client->metadata.ok_count + client->metadata.failed_count;
	return rc;
}

void tl__client_joins(tl__sync *sync, tl__peer *peer)
{
	tl__client *client = find(sync, &peer->key);

	if (!client || !client->metadata.has || peer->metadata.has)
		return;
	peer->metadata = client->metadata;
	peer->local_changed = true;
	tl__peer_changed(sync, peer);
	client->metadata = (tl__sync_metadata){0};
}

size_t tl__client_texts_with_state(const tl__sync *sync, const char **texts, size_t cap)
{
	size_t count = 0;

	for (const tl__client *client = sync->clients.first; client && count < cap;
		client = client->next)
		if (client->metadata.has)
			texts[count++] = client->text;
	return count;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void put_db(tl__buf *out, const tl__sync *sync, const client_db *at)
{
	const tl__sync_db *db = tl__sync_find_db(sync, &at->id);
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(&at->id, id);
	tl__buf_format(out, "{\"id\":\"%s\",\"acknowledged\":%llu,\"arrivals\":%llu}", id,
		(unsigned long long)at->acknowledged, (unsigned long long)(db ? db->arrivals : 0));
}

static void put_client(tl__buf *out, const tl__sync *sync, const tl__client *client)
{
	const tl__peer *peer = tl__sync_find_peer(sync, &client->key);

	tl__buf_format(out, "{\"pubkey\":\"%s\"", client->text);
	tl__buf_text(out, ",");
	tl__put_text(out, "said_name", client->said_name);
	tl__buf_text(out, ",");
	tl__put_text(out, "status", peer ? tl__peer_status_name(peer->status) : NULL);
	tl__buf_text(out, ",");
	tl__put_text(out, "remote", client->remote);
	tl__buf_text(out, ",");
	tl__put_time(out, "first_seen", client->first_seen);
	tl__buf_text(out, ",");
	tl__put_time(out, "last_seen", client->last_seen);
	tl__buf_format(out, ",\"connected\":%s,\"watches\":%u,\"databases\":[",
		client->connected ? "true" : "false", sync->in->watches_of(sync, &client->key));
	for (size_t i = 0; i < client->db_count; i++) {
		tl__buf_text(out, i > 0 ? "," : "");
		put_db(out, sync, &client->dbs[i]);
	}
	tl__buf_text(out, "]}");
}

bool tl__sync_put_client(const tl__sync *sync, const tl_key *key, tl__buf *out)
{
	const tl__client *client = find(sync, key);

	if (client && client->came)
		put_client(out, sync, client);
	return client && client->came;
}

void tl__sync_put_clients(const tl__sync *sync, tl__buf *out)
{
	bool any = false;

	tl__buf_text(out, "[");
	for (const tl__client *client = sync->clients.first; client; client = client->next) {
		if (!client->came)
			continue;
		tl__buf_text(out, any ? "," : "");
		put_client(out, sync, client);
		any = true;
	}
	tl__buf_text(out, "]");
}

size_t tl__sync_client_texts(const tl__sync *sync, const char **texts, size_t cap)
{
	size_t count = 0;

	for (const tl__client *client = sync->clients.first; client && count < cap;
		client = client->next)
		if (client->came)
			texts[count++] = client->text;
	return count;
}
