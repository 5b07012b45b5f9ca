/* Synchronisation: transports, peers, relations, exchanges.
 *
 * Peers are named by their key text, databases by their id. Order of arguments is always (node,
 * peer, database, rest). Calls that return a `tl_op` start something and return at once; *op may be
 * NULL to let it run unobserved. Every other call blocks at most for the local store. `*json`
 * results are yours (tl_free). All fail with TL_E_SYNC_NOT_ENABLED when the node was opened without
 * sync. */
#ifndef TIDELOCK_SYNC_H
#define TIDELOCK_SYNC_H

#include <tidelock/node.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- addresses -------------------------------------------------------------------------------- */

/* An address is a type ("http", "https", "iroh") and a text. The one-line form is "type:text", for
 * example "http:192.168.1.7:8080"; "http://host:port" is read too, and "host:port" means http; a
 * port is from 1 to 65535. An Iroh address is a ticket ("endpoint…"), an endpoint id,
 * iroh://id@relay, or JSON {"node_id","direct_addresses","relay_url"}, each with or without "iroh:"
 * before it; its form is looked at here, the rest when it is added or dialled. Types of transports
 * of one's own are read as they stand. TL_E_BAD_ADDRESS says what is wrong. Every call below that
 * dials or adds an address refuses one of a type that is neither built in nor of an added transport
 * (unsupported_transport), and a text that its transport does not take (bad_address). The struct
 * never grows. */
typedef struct tl_address {
	char type[16];
	char text[512];
} tl_address;

TL_API int tl_address_parse(tl_address *out, tl_str text) TL_MUST_USE;
TL_API int tl_address_http(tl_address *out, tl_str host_port) TL_MUST_USE;
TL_API int tl_address_https(tl_address *out, tl_str host_port) TL_MUST_USE;
TL_API int tl_address_iroh(tl_address *out, tl_str text) TL_MUST_USE;
/* The one-line form; `out` has room for 530. */
TL_API void tl_address_format(const tl_address *address, char out[530]);

/* --- transports and servers ------------------------------------------------------------------- */

typedef struct tl_http_config {
	size_t size;
	const char *certificate_file; /* PEM, with key_file: the server speaks TLS (type "https") */
	const char *key_file;
	const char *ca_file; /* PEM trusted when dialling https; NULL: the system's */
	const char *proxy;   /* NULL: none; the environment is never asked */
	uint32_t max_connections;
	uint32_t max_connections_per_address;       /* all of an IPv6 /64 together */
	uint32_t idle_ms, dial_ms, min_bytes_per_s; /* 0 = defaults 30,000, 10,000, 1,024 */
} tl_http_config;

#define TL_HTTP_CONFIG_INIT                                                                        \
	{                                                                                          \
		sizeof(tl_http_config), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0                      \
	}

/* Enables dialling http and https, and serving the one that `config` (may be NULL) describes.
 * TL_E_SERVER_ALREADY_RUNNING when enabled twice. */
TL_API int tl_sync_enable_http_transport(tl_node *node, const tl_http_config *config) TL_MUST_USE;
/* A relay of one's own. Never grows. */
typedef struct tl_iroh_relay_config {
	const char *url;       /* https:// or http:// */
	uint32_t quic_port;    /* of address discovery; 0: none */
	const char *token;     /* NULL: none. In no error and no log */
	const char *root_file; /* DER of a root certificate of its own; NULL: the usual ones */
} tl_iroh_relay_config;

typedef struct tl_iroh_config {
	size_t size;
	/* "default" (NULL: those of n0), "disabled", "staging", or "list": those that follow. */
	const char *relay_mode;
	const tl_iroh_relay_config *relays; /* at most 16 */
	size_t relay_count;
	/* How endpoint ids become addresses, and whether ours is published: "none" (NULL), "n0" (in
	 * the DNS of n0), "mdns" (on the local network). With no relays and none nothing is asked
	 * anywhere. */
	const char *lookup;
	const char *bind;          /* "127.0.0.1:0": the only socket; NULL: every address */
	const char *plugin;        /* path of its library; NULL: beside this one, or the system's */
	uint32_t idle_ms, dial_ms; /* 0 = defaults 30,000, 10,000 */
} tl_iroh_config;

#define TL_IROH_CONFIG_INIT                                                                        \
	{                                                                                          \
		sizeof(tl_iroh_config), NULL, NULL, 0, NULL, NULL, NULL, 0, 0                      \
	}

/* Enables dialling and serving by key, over the Iroh plugin (`make iroh`). The endpoint's key is
 * kept with the node's keys and stays. Its sockets are open from now on; others are answered once a
 * server is started. TL_E_UNSUPPORTED_TRANSPORT names the places where no plugin was found;
 * TL_E_SERVER_ALREADY_RUNNING when enabled twice; TL_E_SERVER_BIND. Blocks some milliseconds. */
TL_API int tl_sync_enable_iroh_transport(tl_node *node, const tl_iroh_config *config) TL_MUST_USE;
/* Adds a transport of one's own; the node frees it. Its calls come on the engine's thread. `make`
 * is called once, on that thread, with the engine's loop. */
TL_API int tl_sync_add_transport(tl_node *node,
	int (*make)(void *ud, tl_loop *loop, tl_transport **out), void *ud) TL_MUST_USE;
/* Starts a server. `bind` is "ip:port" (port 0 = chosen; Iroh has its sockets already and passes it
 * over); `transport` NULL: the first enabled.
 * TL_E_NO_TRANSPORT_ENABLED, TL_E_SERVER_ALREADY_RUNNING, TL_E_SERVER_BIND. Blocks until it
 * listens. */
TL_API int tl_sync_start_server(tl_node *node, const char *bind, const char *transport) TL_MUST_USE;
/* Stops every server; they can be started again. TL_E_SERVER_NOT_RUNNING. */
TL_API int tl_sync_stop_server(tl_node *node) TL_MUST_USE;
TL_API bool tl_sync_is_server_running(tl_node *node);
/* Where the first server can be dialled, never at "0.0.0.0"; TL_E_SERVER_NOT_RUNNING. */
TL_API int tl_sync_get_server_address(tl_node *node, tl_address *out) TL_MUST_USE;
typedef int (*tl_address_visit)(void *ud, const tl_address *address);
TL_API int tl_sync_get_server_addresses(
	tl_node *node, tl_address_visit visit, void *ud) TL_MUST_USE;

/* --- peers ------------------------------------------------------------------------------------ */

/* Dials the address, proves keys (both ways between tidelock peers), registers the peer as active
 * with that address. `key` (NULL: any) pins: another key gives TL_E_KEY_MISMATCH. The operation's
 * text is the peer's key text. */
TL_API int tl_sync_connect_to_peer(
	tl_node *node, const tl_address *address, const char *key, tl_op **op) TL_MUST_USE;
/* Registers a peer without contact; TL_E_PEER_ALREADY_EXISTS. `name` is the owner's for it and may
 * be NULL. */
TL_API int tl_sync_register_peer(tl_node *node, const char *peer, const char *name) TL_MUST_USE;
/* Another name of the owner's for it; NULL: none. What the peer says of itself never changes it.
 * TL_E_PEER_NOT_FOUND. */
TL_API int tl_sync_rename_peer(tl_node *node, const char *peer, const char *name) TL_MUST_USE;
/* status: "active", "inactive", "blocked"; binds in both directions. A key that is no peer can be
 * blocked, which registers it; else TL_E_PEER_NOT_FOUND. */
TL_API int tl_sync_update_peer_status(
	tl_node *node, const char *peer, const char *status) TL_MUST_USE;
/* JSON of the record:
 * {"pubkey","display_name","said_name","first_seen","last_seen","status","addresses",
 * "connection_state","last_successful_sync","connection_attempts","fruitless","last_error"} with
 * status in lower case, "protocol" ("v0","v1",null), "watches" of ours that it holds, and
 * "inbound", what is known of its coming to us (null: it did not). "fruitless" counts how often,
 * one after the other, what it gave was of no use. The display name is the owner's, the said name
 * what the peer calls itself; what is not known, and times of what never was, are null.
 * TL_E_PEER_NOT_FOUND. */
TL_API int tl_sync_get_peer_info(tl_node *node, const char *peer, char **json) TL_MUST_USE;
/* JSON array of key texts, ascending; blocked ones included. */
TL_API int tl_sync_list_peers(tl_node *node, char **json) TL_MUST_USE;
/* The same of those that came to us and proved their key since the node was opened, registered or
 * not; the last 1,000. */
TL_API int tl_sync_list_inbound_peers(tl_node *node, char **json) TL_MUST_USE;
/* Forgets the peer, its addresses and relations. */
TL_API int tl_sync_remove_peer(tl_node *node, const char *peer) TL_MUST_USE;
/* At most 16 addresses a peer (TL_E_TOO_LARGE). */
TL_API int tl_sync_add_peer_address(
	tl_node *node, const char *peer, const tl_address *address) TL_MUST_USE;
/* *removed (may be NULL) says whether it was there. */
TL_API int tl_sync_remove_peer_address(
	tl_node *node, const char *peer, const tl_address *address, bool *removed) TL_MUST_USE;
/* type NULL: all. */
TL_API int tl_sync_get_peer_addresses(tl_node *node, const char *peer, const char *type,
	tl_address_visit visit, void *ud) TL_MUST_USE;

/* --- relations -------------------------------------------------------------------------------- */

/* From now on this database is kept in step with this peer. The database need not be held yet: it
 * is then fetched. TL_E_PEER_NOT_FOUND. Idempotent. */
TL_API int tl_sync_add_tree_sync(tl_node *node, const char *peer, const tl_id *db) TL_MUST_USE;
TL_API int tl_sync_remove_tree_sync(tl_node *node, const char *peer, const tl_id *db) TL_MUST_USE;
TL_API int tl_sync_is_tree_synced_with_peer(
	tl_node *node, const char *peer, const tl_id *db, bool *synced) TL_MUST_USE;
/* JSON arrays, ascending. */
TL_API int tl_sync_get_peer_trees(tl_node *node, const char *peer, char **json) TL_MUST_USE;
TL_API int tl_sync_get_tree_peers(tl_node *node, const tl_id *db, char **json) TL_MUST_USE;

/* How a database is kept in step with a peer (tidelock/ext.h), by hand: it is stored, outlives the
 * relation and wins over what sets of relations say. NULL takes it away. There need be no such
 * relation yet. TL_E_PEER_NOT_FOUND; TL_E_BAD_ARGUMENT for options that cannot be; TL_E_TOO_LARGE
 * for more than 10,000 pairs. Since 0.3. */
TL_API int tl_sync_configure_pair(tl_node *node, const char *peer, const tl_id *db,
	const tl_pair_options *options) TL_MUST_USE;
/* From now on these are all the relations of `tag`, which somebody worked out: those that are new
 * begin, those that are not named end, and nothing is touched that does not differ. Of several with
 * one peer and database the first counts. Relations of other tags, and those made by hand, stay; a
 * pair with any of them is kept in step. They are not stored: a process that sets none has none.
 * How far they had got is, for 30 days after they went.
 *
 * At most 10,000 (TL_E_TOO_LARGE). `tag` is 1 to 64 bytes, not "manual" or "delegated". All is
 * checked before anything is changed: TL_E_PEER_NOT_FOUND, TL_E_BAD_ARGUMENT; peers that are
 * removed meanwhile are passed over. Blocks while the engine takes them over, 500 at a time;
 * TL_E_BUSY when another thread sets relations meanwhile: then part of these is in place. *touched
 * (may be NULL) counts what began, ended, or is kept in step otherwise. Since 0.3. */
TL_API int tl_sync_set_relations(tl_node *node, const char *tag, const tl_relation *relations,
	size_t count, uint64_t *touched) TL_MUST_USE;

/* --- facts ------------------------------------------------------------------------------------ */

/* What the program knows of the world and those that decide want to look at ("metered"). `value` is
 * JSON, kept as it is until it is set again; NULL takes the fact away. Where it differs the event
 * fact_changed tells. Nothing here depends on a fact, and none is stored. At most 100, with name
 * and value of 1 KiB together (TL_E_TOO_LARGE); TL_E_BAD_JSON. Never blocks. Since 0.3. */
TL_API int tl_sync_set_fact(tl_node *node, const char *name, const char *value) TL_MUST_USE;
/* JSON object of all facts, by name. Since 0.3. */
TL_API int tl_sync_get_facts(tl_node *node, char **json) TL_MUST_USE;

/* --- exchanges -------------------------------------------------------------------------------- */

/* One exchange both ways with a known peer, now; db NULL: all its databases. Where a rate of either
 * side holds it, it takes as long as that does: tl_op_wait takes a time, tl_op_cancel ends it. The
 * operation's text is JSON {"received":N,"sent":N}. */
TL_API int tl_sync_sync_tree_with_peer(
	tl_node *node, const char *peer, const tl_id *db, tl_op **op) TL_MUST_USE;
/* Connects to an address and fetches or syncs a database, adding the relation; the operation's
 * text is the peer's key text. */
TL_API int tl_sync_sync_with_peer(
	tl_node *node, const tl_address *address, const tl_id *db, tl_op **op) TL_MUST_USE;
/* The same, proving the private key of this name (NULL: as above). Without it all keys of the node
 * are proven while the database is not held, at most 16, and one that the peer knows is enough.
 * From then on exchanges of this database prove it. TL_E_KEY_NOT_FOUND: the node has no key of this
 * name. */
TL_API int tl_sync_sync_with_peer_as(tl_node *node, const tl_address *address, const tl_id *db,
	const char *key_name, tl_op **op) TL_MUST_USE;
/* Sends everything that is due and asks each peer that can be reached for what it has: then both
 * sides hold what either held when it began. Tries at once and then every second; TL_E_TIMEOUT,
 * when the time is over (timeout_ms 0: never), names what is left. A peer that took all since then,
 * was level with us, and is gone when it is asked (two connections fail) is not waited for. */
TL_API int tl_sync_flush(tl_node *node, uint32_t timeout_ms, tl_op **op) TL_MUST_USE;
/* The same, but only sends. */
TL_API int tl_sync_flush_outbox(tl_node *node, uint32_t timeout_ms, tl_op **op) TL_MUST_USE;
/* Done when both sides hold the same tips. Ends with the reason when the peer, or a policy,
 * refuses: TL_E_NOT_AVAILABLE, TL_E_NOT_PERMITTED, TL_E_PEER_BLOCKED, TL_E_REFUSED… */
TL_API int tl_sync_wait_until_synced(tl_node *node, const char *peer, const tl_id *db,
	uint32_t timeout_ms, tl_op **op) TL_MUST_USE;
/* Changes options at run time; a field of 0 or NULL keeps what is set. */
TL_API int tl_sync_configure(tl_node *node, const tl_sync_options *options) TL_MUST_USE;
/* Databases the other side offers: JSON array of {"id","arrivals","tips"}. */
TL_API int tl_sync_discover_peer_trees(tl_node *node, const char *peer, tl_op **op) TL_MUST_USE;

/* --- access requests -------------------------------------------------------------------------- */

/* Asks the peer at `address` for a permission ("write:10") for our named key. The operation's text
 * is JSON {"status":"granted"|"pending"|"refused","request_id":ID|null}. Asking again gives the
 * same request, whatever became of it. While it is pending a tidelock peer is asked again in the
 * background: the event access_granted or access_refused tells when its owner has decided. What is
 * granted is kept in step with that peer from then on. */
TL_API int tl_sync_request_database_access(tl_node *node, const tl_address *address,
	const tl_id *db, const char *key_name, const char *permission, tl_op **op) TL_MUST_USE;
/* JSON array of {"request_id","tree_id","requesting_pubkey","requesting_key_name",
 * "requested_permission" ("write:10"),"timestamp","status","decided_by" (a key's
 * name),"decided_at", "peer_address" ("http:…": where it was asked
 * from),"present":{"name","permission","status"}}, the last being what the key may do there
 * already; what is not there is null. state: "pending", "approved", "rejected". */
TL_API int tl_sync_bootstrap_requests(tl_node *node, const char *state, char **json) TL_MUST_USE;
/* Signed by the named key, which must be Admin of that database. What a 0.2.0 node asked for is
 * given over a relation with it, or with the option v0_claims: it proves no key, and the log warns
 * where neither is there. TL_E_REQUEST_NOT_FOUND, TL_E_INVALID_REQUEST_STATE,
 * TL_E_INSUFFICIENT_PERMISSIONS, TL_E_KEY_NAME_CONFLICT. */
TL_API int tl_sync_approve_bootstrap_request(
	tl_node *node, const char *request_id, const char *key_name) TL_MUST_USE;
/* The same under another record name than the one that was asked for (NULL: that one): two guests
 * may both call their key the same. *hint (may be NULL) is what the log warns of, to be shown to
 * the owner, or NULL; yours (tl_free). TL_E_BAD_ARGUMENT: no key may have this name. */
TL_API int tl_sync_approve_bootstrap_request_as(tl_node *node, const char *request_id,
	const char *key_name, const char *record_name, char **hint) TL_MUST_USE;
TL_API int tl_sync_reject_bootstrap_request(
	tl_node *node, const char *request_id, const char *key_name) TL_MUST_USE;

/* --- shares ------------------------------------------------------------------------------------ */

#define TL_SHARE_ID_LEN         16
#define TL_SHARE_MAX_TEXT       2000 /* characters */
#define TL_SHARE_MAX_EXPIRES_MS (UINT64_C(30) * 24 * 3600 * 1000)

typedef struct tl_share_options {
	size_t size;
	const char *permission; /* NULL: "read" */
	/* Private key that gives it, when the share is used; NULL: the first that may now. */
	const char *key;
	uint64_t expires_ms; /* from now; 0 = a day */
	/* Where this node can be reached, at most 16; none: where its servers listen. */
	const tl_address *addresses;
	size_t address_count;
} tl_share_options;

#define TL_SHARE_OPTIONS_INIT                                                                      \
	{                                                                                          \
		sizeof(tl_share_options), NULL, NULL, 0, NULL, 0                                   \
	}

/* Never grows. */
typedef struct tl_share {
	char id[TL_SHARE_ID_LEN + 1]; /* as it is listed and revoked by */
	/* One word, tidelock://share/…: addresses, this node's key, the database, and a token that
	 * opens it once. Whoever sees it first may use it: wipe it when it is shown. */
	char text[TL_SHARE_MAX_TEXT + 1];
} tl_share;

/* Makes a text with which one other node may join the database: an access request with its token
 * is granted without asking. The node keeps no token, only what tells it again; durable before this
 * returns. It gives what its key may give when it is used, and nothing more. options may be NULL.
 * TL_E_SERVER_NOT_RUNNING without addresses; TL_E_BAD_ADDRESS; TL_E_INSUFFICIENT_PERMISSIONS: no
 * such key;
 * TL_E_DATABASE_NOT_FOUND; TL_E_TOO_LARGE: 1,000 are open; TL_E_BAD_ARGUMENT. Since 0.3. */
TL_API int tl_sync_share(
	tl_node *node, const tl_id *db, const tl_share_options *options, tl_share *out) TL_MUST_USE;
/* JSON array of {"id","db","permission","key" (its name),"made","expires","state" ("open", "used",
 * "expired"),"used_by" (a key),"used_at"}, oldest first; what is not there is null. Ended ones are
 * listed for 30 days, as long as there is room. Since 0.3. */
TL_API int tl_sync_shares(tl_node *node, char **json) TL_MUST_USE;
/* Nobody can use it from now on. TL_E_SHARE_NOT_FOUND; TL_E_SHARE_USED: somebody has. Since 0.3. */
TL_API int tl_sync_revoke_share(tl_node *node, const char *id) TL_MUST_USE;
/* Connects to the node that made this text, gets access for the private key of this name (NULL: the
 * node's first one; without any one called "default" is made), adds the relation and fetches. The
 * operation's text is the id of the database. Who has that access already goes on, and no share is
 * used up. At once TL_E_BAD_SHARE, TL_E_UNSUPPORTED (of a later version), TL_E_KEY_NOT_FOUND; by
 * the operation TL_E_SHARE_NOT_FOUND (or taken back), TL_E_SHARE_USED, TL_E_SHARE_EXPIRED,
 * TL_E_OWN_SHARE, TL_E_NOT_PERMITTED, TL_E_UNSUPPORTED (that node knows no shares), and those of
 * connecting. Since 0.3. */
TL_API int tl_sync_join(
	tl_node *node, const char *text, const char *key_name, tl_op **op) TL_MUST_USE;

/* --- state ------------------------------------------------------------------------------------ */

/* JSON: {"peers":[…],"pairs":[{"peer","db","state","dirty","attempts","next_attempt_ms",
 * "last_error","last_code","acknowledged","arrivals","received","sent","to_send","watched",
 * "watches_us","progress":{"entries","bytes","left","left_bytes","to_send","to_send_bytes"},
 * "options":{"direction","on_commit","every_ms","priority","rate","paused","reason","rule","by"},
 * "tags"}],"servers":[…],"transports":[…],
 * "connections":[{"transport","peer","remote","path","dialled","relayed","round_trip_ms","sent","received",
 * "streams"}],"databases":[{"id","name","entries","tips","pending","quarantined","void"}],
 * "refusals":[{"kind","outbound","peer","db","address","reason","where","time","count"}],
 * "inbound":[{"pubkey","said_name",
 * "status","remote","first_seen","last_seen","connected","watches","databases":[{"id",
 * "acknowledged","arrivals"}]}]}. Refusals are our policy's, newest first; inbound is who came to
 * us, how many watches of it are held here and how far it is. Progress is of the exchange under
 * way, or of the last one: what moved, what is to come (null where the peer did not say) and to be
 * sent; bytes to come are reckoned by those that moved (null where none did). The event
 * sync_progress has the same each second. "watched": changes there are told to us as they come,
 * "watches_us": ours are told so. Options are those in force: "by" is "hand", "set" (of a set of
 * relations) or null, "every_ms" a number, "never", or null for the node's. Connections are
 * those of transports that know theirs (HTTP, Iroh): "peer" is whose it is, null where nobody is
 * known there, "remote" the other end's address or endpoint id, "path" where it leads now,
 * "relayed" whether that is somebody else's machine; the event peer_path tells when that
 * changes. The state of a pair is "idle", "due", "syncing", "waiting" (for another attempt),
 * "refused" (by the peer or a policy: last_code says how), "stalled", "paused", "no_address",
 * "no_transport" (none for an address of its peer is enabled yet: nothing is tried), or the status
 * of its peer when that is not active. */
TL_API int tl_sync_status(tl_node *node, char **json) TL_MUST_USE;
/* JSON, written by the engine after every exchange, whoever began it; with zeroes, and times null,
 * when there was none. What others begin counts when it moved something, once it has been quiet for
 * a second; metadata and history are also there for keys that only came to us. */
TL_API int tl_sync_get_sync_cursor(
	tl_node *node, const char *peer, const tl_id *db, char **json) TL_MUST_USE;
TL_API int tl_sync_get_sync_metadata(tl_node *node, const char *peer, char **json) TL_MUST_USE;
/* Newest first; limit 0: all that are kept. */
TL_API int tl_sync_get_sync_history(
	tl_node *node, const char *peer, size_t limit, char **json) TL_MUST_USE;
TL_API int tl_sync_get_peers_with_sync_state(tl_node *node, char **json) TL_MUST_USE;
/* Removes history older than `days`; *removed (may be NULL) says how many. */
TL_API int tl_sync_cleanup_old_history(tl_node *node, uint32_t days, uint64_t *removed) TL_MUST_USE;
/* The `_sync` database, readable by DocStore. *out is yours. */
TL_API int tl_sync_tree(tl_node *node, tl_database **out) TL_MUST_USE;

/* Puts a policy before the usual rights (tidelock/ext.h) in place of the one that is there, between
 * two decisions; NULL takes it away. Watches of both sides end and are asked about anew, and what
 * was declined is offered again. On an error the old one stays. Blocks until the engine has it. */
TL_API int tl_sync_set_policy(tl_node *node, const tl_policy *policy) TL_MUST_USE;
/* What the policy decided last, newest first: limit 0, or more than 1,000: the last 1,000. JSON
 * array of {"time","now","kind","peer","db","keys","transport","protocol","outbound","related",
 * "granted","encrypted","usual","address","claimed_key","db_name","name","said_name","permission",
 * "key_name","reason","where","answer","allowed"}: the question as it was asked ("usual": what the
 * usual rights say; "now": seconds since 1970), the policy's answer ("grant", "deny", "usual",
 * "busy", null: no opinion) with its reason and place, and what became of it. For the owner: the
 * other side learns a code. Since 0.3. */
TL_API int tl_sync_decisions(tl_node *node, size_t limit, char **json) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
