/* The core of synchronisation: a function of (event, now) -> actions.
 *
 * It knows no sockets, threads, clocks or stores. A driver (the engine, the simulator) tells it
 * what happened with tl__sync_handle and then takes every action with tl__sync_next until there is
 * none; between two events it calls tl__sync_due to learn when the next TL__SYNC_TIMER is wanted.
 *
 *	event ──▶ tl__sync_handle ──▶ tl__sync_next* ──▶ SEND, ANSWER…, WORK, EVENT, COMPLETE
 *
 * One thread at a time. Nothing here blocks; signing and verifying envelopes is done inside. */
#ifndef TL_SYNC_SYNC_H
#define TL_SYNC_SYNC_H

#include <tidelock/ext.h>
#include <tidelock/sync.h>
#include "base/buf.h"
#include "base/system/env.h"
#include "base/system/log.h"
#include "work/work.h"
#include "wire/v1.h"

typedef struct tl__sync tl__sync;
typedef struct tl__v0 tl__v0; /* v0.h */

/* Limits. */
#define TL__SYNC_MAX_ADDRESSES      16    /* of a peer */
#define TL__SYNC_MAX_EXCHANGES      64    /* requests of ours under way */
#define TL__SYNC_MAX_PEER_EXCHANGES 4     /* of them with one peer */
#define TL__SYNC_MAX_INCOMING       1024  /* requests of others under way */
#define TL__SYNC_CAME_AGAIN_MS      60000 /* between two lines that say that a peer came */
#define TL__SYNC_MAX_RESPONDERS     10000 /* whose requests of ours are counted */
#define TL__SYNC_MAX_REFUSALS       64    /* of our policy, shown */
#define TL__SYNC_MAX_DECISIONS      1000  /* of it, remembered */
#define TL__SYNC_MAX_RELATIONS      10000 /* of a set; pairs configured by hand */
#define TL__SYNC_RELATION_SLICE     500   /* of a set, in one event */
#define TL__SYNC_MAX_RESTS          10000 /* relations of sets that are gone, remembered */
#define TL__SYNC_REST_DAYS          30
#define TL__SYNC_MAX_KNOCKING       1000 /* peers that only knocked */
#define TL__SYNC_KNOCKING_DAYS      7
#define TL__SYNC_MAX_EMPTY_PAGES    1000 /* in a row: each stands for many arrivals we hold */
#define TL__SYNC_MAX_IDLE_PAGES     2    /* in a row: of lines that are no use */
#define TL__SYNC_MAX_HISTORY        1000 /* exchanges remembered of a peer */
#define TL__SYNC_MAX_FRAME                                                                         \
	(4 + TL__V1_MAX_HEADER_BYTES + 1 + 17 * TL_SIGNATURE_BYTES + TL__V1_MAX_LARGE_BODY)

typedef struct tl__sync_config {
	const tl_secret *device; /* copied, wiped at the end */
	const char *name;        /* of the node; copied */
	/* Of the store: 16 bytes, new with every copy of it. */
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	tl__random random;       /* epoch, nonces, challenges, retry times; for real: secure */
	const tl__log *log;      /* borrowed */
	tl_sync_options options; /* copied; 0 = default as in node.h */
	tl_policy policy;        /* all zero: the usual rights alone. `drop` is the core's */
	/* As in tl_transport, of whichever transport the address has; NULL: nothing is known. */
	bool (*foresee)(void *ud, const tl_address *address, char *out, size_t cap);
	void *foresee_ud;
	const tl__v0 *v0; /* NULL: eidetica 0.2.0 is not spoken */
} tl__sync_config;

/* For the config: NULL in a build without runtime/v0. */
const tl__v0 *tl__v0_spoken(void);

/* Hands out WORK (load) at once. *out is yours. Errors: TL_E_NOMEM, TL_E_BAD_ARGUMENT (a key in
 * accept_databases_from that is none). */
int tl__sync_new(tl__sync **out, const tl__sync_config *config) TL_MUST_USE;
/* Commands not completed are forgotten: complete them yourself. Works, intakes and actions that the
 * driver holds are still the driver's. NULL is fine. */
void tl__sync_free(tl__sync *sync);

/* --- commands --------------------------------------------------------------------------------- */

typedef enum tl__sync_command_kind {
	/* Exchanges: complete when they are over. */
	TL__SYNC_CONNECT,   /* address, has_key+key: pin. text = key text */
	TL__SYNC_SYNC_PAIR, /* key, has_db+db or all. text = {"received":N,"sent":N} */
	TL__SYNC_SYNC_WITH, /* address, db, has_key+key: pin; or secrets[0] and name: the key of
			       ours that is proven. text = key text */
	TL__SYNC_DISCOVER,  /* key. text = JSON array of {"id","arrivals","tips"} */
	TL__SYNC_ACCESS,    /* address, db, secrets[0], name, permission. text = JSON */
	TL__SYNC_JOIN,      /* db, permission, key, addresses, name, secrets: of ours, of the
			       token. text = id of the database */
	TL__SYNC_FLUSH,     /* timeout_ms; 0 = no limit. send_only. Timeout names what is left */
	TL__SYNC_WAIT,      /* key, db, timeout_ms: until both sides hold the same tips */
	/* Changes: complete when they are stored. */
	TL__SYNC_REGISTER,       /* key, name */
	TL__SYNC_RENAME,         /* key, name; empty: none */
	TL__SYNC_SET_STATUS,     /* key, name = "active" "inactive" "blocked" */
	TL__SYNC_REMOVE_PEER,    /* key */
	TL__SYNC_ADD_ADDRESS,    /* key, address */
	TL__SYNC_REMOVE_ADDRESS, /* key, address. text = "true" or "false": it was there */
	TL__SYNC_RELATE,         /* key, db, name = tag: "manual" or "rule:<name>" */
	TL__SYNC_UNRELATE,       /* key, db, name = tag; ptr NULL: every tag */
	TL__SYNC_UNRELATE_TAG,   /* name = tag: everywhere */
	TL__SYNC_CONFIGURE_PAIR, /* key, db, pair_options (NULL: none by hand) */
	/* All relations of a tag: begin with all of them, then each slice of at most
	 * TL__SYNC_RELATION_SLICE, then the end until its text is no "more". */
	TL__SYNC_RELATIONS,       /* name = tag, relations. text = number of this set */
	TL__SYNC_RELATIONS_SLICE, /* number, relations */
	TL__SYNC_RELATIONS_END,   /* number. text = how many were touched, or "more" */
	TL__SYNC_DECIDE,     /* name = id of an access request, approved. text = what its owner is
				to know of an approval; "" when nothing */
	TL__SYNC_SHARE,      /* db, permission, share, name: of the private key that gives */
	TL__SYNC_UNSHARE,    /* name = id of the share */
	TL__SYNC_CONFIGURE,  /* options: fields of 0 or NULL keep what is set */
	TL__SYNC_SET_POLICY, /* policy (NULL: none); declined things are offered again */
	TL__SYNC_SET_KEYS,   /* secrets: private keys of the node (proofs in requests) */
	TL__SYNC_CANCEL,     /* cancels the command whose op is `number` (it completes first) */
	TL__SYNC_STOP /* no new exchange from now on, those under way are cancelled, everything is
			 saved; complete = the driver may free the core */
} tl__sync_command_kind;

typedef struct tl__sync_relation {
	tl_key peer;
	tl_id db;
	const tl_pair_options *options; /* NULL: all zero */
} tl__sync_relation;

/* A share to be made. */
typedef struct tl__sync_share {
	tl_key key;   /* whose private half the token stands for */
	tl_key maker; /* of the private key that gives */
	uint64_t expires_ms;
} tl__sync_share;

/* Everything is borrowed during tl__sync_handle. */
typedef struct tl__sync_command {
	tl__sync_command_kind kind;
	uint64_t op; /* the driver's, told by COMPLETE exactly once; 0 = nobody waits */
	bool has_key, has_db;
	tl_key key; /* the peer */
	tl_id db;
	const tl_address *address;
	tl_str name;
	tl_permission permission;
	const tl_secret *secrets;
	const tl_str *secret_names;
	size_t secret_count;
	uint32_t timeout_ms;
	bool send_only; /* flush: nobody is asked what he has */
	bool approved;  /* decide; else it is rejected */
	uint64_t number;
	const tl_sync_options *options;
	const tl_policy *policy;
	const tl_pair_options *pair_options;
	const tl__sync_relation *relations;
	size_t relation_count;
	const tl__sync_share *share;
	const tl_address *addresses; /* join: where it may be, to be tried in this order */
	size_t address_count;
} tl__sync_command;

/* --- events ----------------------------------------------------------------------------------- */

typedef enum tl__sync_event_kind {
	TL__SYNC_COMMAND,
	TL__SYNC_COMMITTED, /* something became visible (the tree's listener) */
	TL__SYNC_ANSWERED,  /* an exchange of ours is over, well or not; once for each SEND */
	TL__SYNC_PROGRESS,  /* optional: a tree answer is arriving */
	TL__SYNC_WORKED,    /* a work was run */
	TL__SYNC_REQUEST,   /* somebody's whole request */
	TL__SYNC_DRAINED,   /* the last piece of a streamed answer was taken by the transport */
	TL__SYNC_GONE,      /* the requester is gone before its answer was complete */
	TL__SYNC_SERVERS,   /* where we can be reached now */
	TL__SYNC_TRANSPORT, /* addresses of this type can be dialled from now on */
	TL__SYNC_TIMER      /* tl__sync_due has come */
} tl__sync_event_kind;

typedef struct tl__sync_committed {
	tl_id db;
	uint64_t arrival; /* the newest */
	bool local;       /* a transaction of ours, not an ingest (for pace only; may be unsure) */
	const struct tl__fresh *fresh; /* all that it is about, borrowed until tl__sync_go_on is
					  over; NULL: it is to be read */
} tl__sync_committed;

typedef struct tl__sync_answered {
	uint64_t exchange;
	int code; /* TL_OK: the response is complete. Else why there is none (as transport.done) */
	tl_str error;   /* sentence of a failure; borrowed */
	int status;     /* HTTP status; 200 for transports without */
	tl_str channel; /* as this side saw the connection; empty when there was none. Borrowed */
	tl_str body;    /* without an intake: the bytes. Borrowed */
	uint64_t sent, received; /* bytes of bodies that were moving when it failed; 0 = unknown */
	/* Of a SEND with an intake: finished (else why not is `code`). The core's from now on. NULL
	 * when code is not TL_OK or status is not 200. */
	tl__intake *intake;
} tl__sync_answered;

typedef struct tl__sync_request {
	uint64_t incoming;   /* the driver's number, told in ANSWER… */
	tl_str path;         /* "/api/v0", "/tidelock/v1/pull" */
	tl_str content_type; /* ptr NULL: none */
	tl_str remote;       /* "203.0.113.9:51000" */
	tl_str channel;      /* as this side sees the connection */
	tl_str transport;    /* type: "http", "https", "iroh" */
	tl_str body;         /* whole */
} tl__sync_request;

typedef struct tl__sync_event {
	tl__sync_event_kind kind;
	union {
		tl__sync_command command;
		tl__sync_committed committed;
		tl__sync_answered answered;
		struct {
			uint64_t exchange, entries, bytes;
		} progress;
		tl__work *work; /* WORKED: the core's again */
		tl__sync_request request;
		uint64_t incoming; /* DRAINED, GONE */
		struct {
			const tl_address *addresses; /* of all running servers; none: all stopped */
			size_t count;
		} servers;
		struct {
			tl_str type; /* borrowed */
			/* As in tl_transport. */
			bool encrypted, agrees, proves_ends;
			uint64_t max_body;
		} transport;
	};
} tl__sync_event;

/* Longest body that is worth receiving on this path; over it the driver answers 413 (v0) or ends
 * the connection. 0: no such path (404). */
uint64_t tl__sync_max_request(tl_str path);

/* now_mono_ms never goes back; now_wall_ms is Unix time. Never fails: what goes wrong inside
 * becomes an action. Memory running out is logged and costs at worst an exchange. */
void tl__sync_handle(
	tl__sync *sync, const tl__sync_event *event, uint64_t now_mono_ms, int64_t now_wall_ms);
/* Its two halves: what follows from the event itself, and whatever can start now. A driver may
 * carry out the actions of the first before the second, which signs requests. */
void tl__sync_take(
	tl__sync *sync, const tl__sync_event *event, uint64_t now_mono_ms, int64_t now_wall_ms);
void tl__sync_go_on(tl__sync *sync);
/* For those who test, behind an event: what changed in it without being looked at once more, which
 * is a wake-up lost, or that an exchange took a step that does not follow; NULL: nothing. */
const char *tl__sync_overlooked(const tl__sync *sync);

/* --- actions ---------------------------------------------------------------------------------- */

typedef enum tl__sync_action_kind {
	TL__SYNC_SEND,
	TL__SYNC_CANCEL_SEND, /* exchange: end it; ANSWERED with TL_E_CANCELLED still comes */
	TL__SYNC_HOLD,        /* incoming, hold_ms: the answer may take so long, nobody is silent */
	TL__SYNC_ANSWER,      /* incoming: the whole answer */
	TL__SYNC_ANSWER_BEGIN, /* incoming: a streamed answer begins; its first piece may follow */
	TL__SYNC_ANSWER_PIECE, /* incoming: the next bytes; the core sends no other before DRAINED
				*/
	TL__SYNC_ANSWER_END,   /* incoming: complete (ok) or, failed midway, to be cut off (!ok) */
	TL__SYNC_WORK,
	TL__SYNC_EVENT,   /* for the node's event queue */
	TL__SYNC_COMPLETE /* a command is over */
} tl__sync_action_kind;

/* How many kinds of events there are. */
#define TL__EVENT_ONE(symbol, number, name) +1
enum { TL__EVENT_KINDS = 0 TL_EVENT_KINDS(TL__EVENT_ONE) };
#undef TL__EVENT_ONE

/* Texts live until the next call of tl__sync_next or tl__sync_handle; `body` and `work` are the
 * driver's from now on (tl__buf_free, tl__work_free). */
typedef struct tl__sync_action {
	tl__sync_action_kind kind;
	union {
		struct {
			uint64_t exchange; /* the core's number */
			tl_address address;
			char path[40];
			const char *content_type;
			tl__buf body;
			/* Status 200: open one of these and feed it, with max_bytes = limit. NULL:
			 * collect at most `limit` bytes (over it: TL_E_TOO_LARGE). */
			const tl__intake_way *intake;
			uint64_t limit;
			uint32_t hold_ms; /* the answer may be held so long: no silence */
			tl_id db;         /* of an intake */
		} send;
		uint64_t exchange; /* CANCEL_SEND */
		struct {
			uint64_t incoming;
			int status;
			const char *content_type; /* NULL: none */
			tl__buf body;
			bool ok;          /* ANSWER_END */
			uint32_t hold_ms; /* HOLD */
			bool close;       /* and close the connection */
			bool known; /* also HOLD: a peer of ours asked, its connection is to be kept
				     */
		} answer;
		tl__work *work;
		tl_event event;
		struct {
			uint64_t op;
			int code;
			const char *error; /* sentence; "" when TL_OK */
			const char *text;  /* what it produced; "" when nothing */
		} complete;
	};
} tl__sync_action;

/* Takes the next action; false when there is none. */
bool tl__sync_next(tl__sync *sync, tl__sync_action *out);
/* Releases what an action that is not carried out holds. */
void tl__sync_action_drop(tl__sync_action *action);

/* Monotonic time at which TIMER is wanted; UINT64_MAX: none. May lie in the past. */
uint64_t tl__sync_due(const tl__sync *sync);

/* --- looking ---------------------------------------------------------------------------------- */

/* JSON texts as tidelock/sync.h describes them; appended to `out` (ask tl__buf_status). */
int tl__sync_peer_info(const tl__sync *sync, const tl_key *peer, tl__buf *out) TL_MUST_USE;
void tl__sync_list_peers(const tl__sync *sync, tl__buf *out);
void tl__sync_peer_infos(const tl__sync *sync, tl__buf *out);   /* of each of these */
void tl__sync_list_inbound(const tl__sync *sync, tl__buf *out); /* who came to us */
/* Whose connection this is, of a transport of this type; false: nobody's that we know. */
bool tl__sync_key_at(
	const tl__sync *sync, const char *type, const tl_connection_info *connection, tl_key *out);
/* Calls `visit` for each address in stored order; type NULL: all. TL_E_PEER_NOT_FOUND, or the code
 * that visit returned. */
int tl__sync_peer_addresses(const tl__sync *sync, const tl_key *peer, const char *type,
	tl_address_visit visit, void *ud) TL_MUST_USE;
int tl__sync_peer_trees(const tl__sync *sync, const tl_key *peer, tl__buf *out) TL_MUST_USE;
void tl__sync_tree_peers(const tl__sync *sync, const tl_id *db, tl__buf *out);
bool tl__sync_is_related(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* JSON array of the shares made here, oldest first (tidelock/sync.h). */
void tl__sync_put_shares(const tl__sync *sync, int64_t now_wall_ms, tl__buf *out);
/* The last decisions of the policy, newest first; limit 0: all that are kept. */
void tl__sync_put_decisions(const tl__sync *sync, size_t limit, tl__buf *out);
/* Members `"peers":[…],"pairs":[…]` of the status, without braces around. */
void tl__sync_status(const tl__sync *sync, uint64_t now_mono_ms, tl__buf *out);
/* Cursor and metadata in the form of 0.2.0 (core/README.md, "Stored records"); a fresh default when
 * there was no exchange. */
void tl__sync_cursor_json(const tl__sync *sync, const tl_key *peer, const tl_id *db, tl__buf *out);
void tl__sync_metadata_json(const tl__sync *sync, const tl_key *peer, tl__buf *out);
/* Keys of peers that have a cursor or metadata: JSON array, ascending. */
void tl__sync_peers_with_state(const tl__sync *sync, tl__buf *out);
/* History is read from the store: local documents with this prefix, their values being the records
 * (unordered: sort by "started_at"). `out` has room for 80. */
void tl__sync_history_prefix(const tl_key *peer, char out[80]);
/* The id of the `_sync` database; false before the load is done. */
bool tl__sync_own_db(const tl__sync *sync, tl_id *out);

#endif
