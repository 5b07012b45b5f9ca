/* What the halves of the core share: the model of peers, databases and relations, and how both ask
 * for actions. Outbound: contact, call, pull, push, tree_v0, schedule. Inbound: serve_*.c.
 *
 * Everything here belongs to one tl__sync and one thread. Lists are kept in the order things became
 * known and walked in that order (never by map), so that a seed reproduces a run. */
#ifndef TL_SYNC_STATE_H
#define TL_SYNC_STATE_H

#include <stdio.h>
#include "base/map.h"
#include "sync/sync.h"

#define TL__SYNC_ERROR_TEXT     256
#define TL__SYNC_MIN_PAGE_BYTES (64u * 1024)

typedef struct tl__peer tl__peer;
typedef struct tl__pair tl__pair;
typedef struct tl__sync_db tl__sync_db;
typedef struct tl__serve tl__serve;     /* serve.c */
typedef struct tl__call tl__call;       /* call.h */
typedef struct tl__session tl__session; /* session.h */
typedef struct tl__client tl__client;   /* client.c */
typedef struct tl__hold tl__hold;       /* serve_watch.c */
typedef struct tl__served tl__served;   /* served.c */

/* --- peers ------------------------------------------------------------------------------------ */

typedef enum tl__peer_status {
	TL__PEER_ACTIVE = 0,
	TL__PEER_INACTIVE,
	TL__PEER_BLOCKED
} tl__peer_status;

typedef enum tl__peer_protocol {
	TL__PROTOCOL_UNKNOWN = 0,
	TL__PROTOCOL_V0, /* known as a 0.2.0 node: its key proves nothing in v1 */
	TL__PROTOCOL_V1  /* pinned: never spoken to in v0 again */
} tl__peer_protocol;

typedef enum tl__peer_state {
	TL__PEER_DISCONNECTED = 0,
	TL__PEER_CONNECTING,
	TL__PEER_CONNECTED,
	TL__PEER_FAILED
} tl__peer_state;

typedef struct tl__peer_address {
	tl_address address;
	uint32_t number;   /* among all that this peer ever had in this process */
	bool learnt;       /* from its hello, whose next one replaces it; else the owner's */
	bool proven;       /* an answer by the peer's key came from there */
	uint64_t success;  /* rank: larger = more recent; 0 = never in this process */
	uint32_t failures; /* since the last success */
	char last_error[TL__SYNC_ERROR_TEXT];
	char channel[TL__V1_MAX_TEXT + 1]; /* as we last saw the connection; "" = not yet */
	uint64_t page_bytes;               /* largest frame that is tried there; 0 = the default */
	bool page_single;                  /* not even that passed: entry by entry */
	bool page_said;                    /* something in between said that it limits them */
	bool page_sure; /* it was said, or smaller ones passed; else any failure may have been it */
	uint64_t page_cut; /* bytes that did not pass, first */
} tl__peer_address;

/* Requests of ours that one peer holds at once: as many as it holds of one key. */
#define TL__PEER_WATCHES 4

/* Our watch of a peer: one request, held there until one of its databases moves. */
typedef struct tl__peer_watch {
	uint64_t call; /* number; 0 = none is under way */
	uint64_t sent_at;
	uint64_t ingest;         /* work that stores the last answer; 0 = none */
	tl__v1_cursor cursor;    /* behind it */
	uint64_t look;           /* work that compares the tips told */
	bool full;               /* there was no room for all databases that are in none */
	uint32_t hold_ms;        /* that its way bears; 0: not asked yet */
	uint32_t held_ms;        /* asked for last */
	unsigned whole;          /* held to the end, one after the other */
	unsigned failures, cuts; /* one after the other */
	unsigned idle;           /* answers since the last one that brought something */
	uint64_t next_at;        /* not before */
	uint64_t waits_for;      /* since then pulls come first; 0: none does */
} tl__peer_watch;

/* Of the exchanges with one key, as README.md lists it. */
typedef struct tl__sync_metadata {
	bool has;
	int64_t established, last_attempt, last_successful;
	uint64_t ok_count, failed_count, entries, bytes;
	double average_ms;
	uint64_t records; /* of the history, written ever */
} tl__sync_metadata;

struct tl__peer {
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	char *name;      /* the owner's for it; NULL: none */
	char *said_name; /* what it says of itself; NULL: nothing */
	tl__peer_status status;
	tl__peer_protocol protocol;
	tl__peer_state state;
	tl__peer_address addresses[TL__SYNC_MAX_ADDRESSES]; /* stored order */
	size_t address_count;
	uint32_t address_numbers; /* the last one given */
	int64_t first_seen;       /* when it became known: wall, as the others; 0 = never */
	int64_t last_seen, last_success;
	uint64_t came_told; /* monotonic: when the log last said that it came; 0 = not yet */
	uint32_t attempts;  /* since the last success */
	uint32_t fruitless; /* times in a row that what it gave was of no use */
	int last_code;
	char last_error[TL__SYNC_ERROR_TEXT];
	/* Statements by its key. */
	bool epoch_known, incarnation_known;
	uint8_t epoch[TL__V1_EPOCH_BYTES];
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	int64_t clock_offset; /* its clock − ours, ms */
	uint64_t max_body_bytes, max_page_entries;
	uint64_t wait_until; /* monotonic: it asked us to wait with everything */
	bool greeted;        /* v0: it knows us since a handshake of this process */
	tl__sync_metadata metadata;
	unsigned exchanges; /* calls and sessions under way: it may not be freed */
	unsigned sessions;
	bool watch_offered; /* its hello says that it answers watch */
	tl__peer_watch watches[TL__PEER_WATCHES];
	tl_id watched_last; /* the database named last: where not all fit, those behind it are next
			     */
	bool takes_state;   /* its hello says that it knows `state` */
	bool hello_heard;   /* of the process that answers there now */
	uint64_t check;     /* call number of a check or first contact under way */
	bool removed;       /* forgotten; freed when nothing points here any more */
	bool local_changed; /* its local document is to be saved */
	tl__pair *pairs;
	tl__peer *next;
};

/* Arrivals of ours that came from one peer, and so need not be told to it: the last ranges. */
#define TL__CAME_RANGES 8
typedef struct tl__came {
	tl__arrivals ranges[TL__CAME_RANGES]; /* ascending */
	size_t count;
	uint64_t version; /* of this list */
} tl__came;

/* Both may be given NULL. */
void tl__came_add(tl__came *came, uint64_t arrival);
/* The largest m such that all of (at, m] came from there. */
uint64_t tl__came_after(const tl__came *came, uint64_t at);

/* --- databases and relations ------------------------------------------------------------------ */

struct tl__sync_db {
	tl_id id;
	uint64_t arrivals; /* last arrival number heard of */
	bool system;
	struct tl__named *holds; /* lines of watches of others that name it */
	size_t hold_count, hold_cap;
	/* A key of ours that asked for access here. */
	bool has_access;
	tl_key access_key;
	char access_name[TL__V1_MAX_TEXT + 1];
	tl_permission access_permission;
	/* It waits for the owner there, who is asked again. */
	bool access_pending;
	tl_key access_peer;
	char access_request[TL__V1_MAX_CODE + 1]; /* its id there; "" when none was told */
	uint64_t access_next;                     /* monotonic: when it is asked again */
	unsigned access_asked;                    /* times, in this process */
	tl__pair *pairs;
	tl__sync_db *next;
};

typedef struct tl__pair_tag {
	char *text; /* "manual", "rule:<name>", "delegated" */
	struct tl__pair_tag *next;
} tl__pair_tag;

/* A relation: this database is kept in step with this peer. */
struct tl__pair {
	tl__peer *peer;
	tl__sync_db *db;
	tl__pair_tag *tags; /* none: the relation is gone, the pair waits to be freed */
	tl__session *session;
	/* Arrivals of ours that the peer has: all up to `ack`. Up to `offered` they were sent, but
	 * it declined some: not offered again until its epoch, the relation or a tick changes. */
	uint64_t ack, offered;
	/* Places in the peer's order. `sure`: nothing below was declined by us. */
	tl__v1_cursor sure, seen;
	int64_t sure_since; /* wall: when `seen` last started from `sure` */
	/* Scheduling, monotonic. */
	uint64_t next_attempt;   /* when attempts > 0 and not stalled */
	uint64_t wait_until;     /* it asked us to wait with this database */
	uint64_t useless_until;  /* what it gave last was of no use: it does not come before */
	uint64_t not_before;     /* pace of sending on commit */
	uint64_t tried;          /* when the last exchange began */
	uint64_t again_at;       /* pull from `sure` (v0: confirm) then; 0: not wanted */
	uint64_t sure_tried;     /* when a pull last did */
	uint64_t level_at;       /* our arrivals when `level` was found */
	uint64_t pulling_until;  /* it takes our pages: nothing is pushed meanwhile */
	uint64_t confirm_by;     /* v0: `offered` was sent and is asked about then; 0: it was */
	uint64_t received, sent; /* entries, ever */
	uint64_t told_until;     /* the same: its watch was answered, its next one acknowledges */
	uint64_t told_to, told_count; /* what was told then */
	uint64_t told_bytes;
	tl__came came;
	uint64_t progress_entries, progress_bytes; /* of the exchange under way */
	uint64_t progress_left; /* arrivals of the peer still to come, as it last said */
	bool progress_told;     /* it said so */
	/* Cursor record as README.md lists it. */
	int64_t last_sync;
	uint64_t last_count, total_count;
	tl__pair *next_of_peer, *next_of_db, *next;
	uint32_t attempts;  /* failures since the last success */
	unsigned halved;    /* v0: how often the limit of its answers was, since one that fitted */
	uint32_t key_mask;  /* of our keys those that count there, as last read */
	unsigned held;      /* its watches that wait here: they are told, nothing is pushed */
	unsigned ingesting; /* ingests of entries from this peer under way, of either half */
	int last_code;
	tl_id last_entry; /* of the cursor record */
	bool has_cursor_record, has_last_entry;
	bool pull_only; /* only tag is "delegated" */
	bool has_sure, has_seen;
	bool from_sure; /* the next pull starts from `sure` */
	/* Something had no room, or waits for what was not given: from `sure` again when anything
	 * arrives, and with each tick. */
	bool gap;
	uint8_t watch;     /* number of the one that it belongs to, from 1; 0: to none */
	bool watched;      /* and that one, under way, names it */
	bool watch_barred; /* it was absent there: until a pull went well */
	bool stalled;
	bool takes_nothing; /* it refused a push: the next one tries with a single entry */
	bool wanted;        /* one exchange is wanted now, whatever the outbox says */
	bool look_first; /* it was taking pages: what it has is asked before anything is pushed */
	bool untold;     /* v0: it takes pushes and does not say what it holds */
	bool level;      /* both sides held the same tips at the end of the last exchange */
	bool local_changed;
	tl__left_out left; /* v0: what it cannot get; a plan under way has it when `left_lent` */
	bool left_lent;
	char last_error[TL__SYNC_ERROR_TEXT];
};

/* What our policy refused; the same once more is counted. */
typedef struct tl__sync_refusal {
	tl_policy_kind kind;
	bool has_peer, has_db, outbound;
	tl_key peer;
	tl_id db;
	char address[TL__V1_MAX_TEXT + 1];
	char reason[TL__SYNC_ERROR_TEXT];
	int64_t time; /* wall, of the last one */
	uint64_t count;
} tl__sync_refusal;

/* --- the core --------------------------------------------------------------------------------- */

typedef struct tl__sync_key { /* a private key of the node */
	tl_secret secret;
	tl_key key;
} tl__sync_key;

typedef struct tl__sync_save tl__sync_save;       /* save.c */
typedef struct tl__sync_queue tl__sync_queue;     /* action.c */
typedef struct tl__sync_waiter tl__sync_waiter;   /* command.c */
typedef struct tl__sync_contact tl__sync_contact; /* contact.c */
typedef struct tl__sync_ask tl__sync_ask;         /* ask.c */
typedef struct tl__sync_early tl__sync_early;     /* early.c */
typedef struct tl__sync_knock tl__sync_knock;     /* knock.c */

struct tl__sync {
	tl_secret *device; /* in the vault, as the secrets of `keys` */
	tl_key key;        /* its public key */
	char key_text[TL_KEY_TEXT_LEN + 1];
	char *name;
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	uint8_t epoch[TL__V1_EPOCH_BYTES]; /* of this process */
	uint8_t nonce_process[TL__V1_NONCE_PROCESS];
	tl__map nonce_numbers; /* responder -> number of our last request to it */
	tl__random random;
	const tl__log *log;
	tl_sync_options options; /* defaults filled in, switches are 0 or 1; the key list is in
				    `accepted` */
	tl_key *accepted;        /* accept_databases_from */
	size_t accepted_count;
	tl_policy policy;
	uint64_t now; /* monotonic ms, of the event being handled */
	int64_t wall;
	bool loaded, stopping;
	uint64_t load_at; /* the load is tried again; UINT64_MAX: it need not be */
	tl_id own_db;     /* `_sync` */
	tl__sync_key *keys;
	size_t key_count;
	tl_address servers[TL__SYNC_MAX_ADDRESSES];
	size_t server_count;
	struct {
		char type[16];
		bool encrypted;
	} transports[8]; /* types that can be dialled */
	size_t transport_count;
	tl__map peer_map; /* key bytes -> tl__peer */
	tl__peer *peers, *last_peer;
	tl__map db_map; /* id -> tl__sync_db */
	tl__sync_db *dbs, *last_db;
	tl__map pair_map; /* key bytes ‖ id -> tl__pair */
	tl__pair *pairs, *last_pair;
	size_t pair_count;
	uint64_t numbers;   /* the last number given to an exchange, work owner… */
	uint64_t successes; /* rank of addresses */
	unsigned exchanges; /* calls under way */
	unsigned session_count;
	tl__call *call_list;
	tl__session *sessions;
	tl__sync_contact *contacts;
	tl__sync_waiter *waiters;
	tl__sync_ask *asks;
	size_t access_waiting; /* databases whose access request waits for an owner */
	tl__sync_early *early; /* commands that came before the load was done */
	tl__sync_refusal refusals[TL__SYNC_MAX_REFUSALS]; /* of our policy, oldest first */
	size_t refusal_count;
	tl__sync_knock *knocks;
	size_t knock_count;
	uint64_t next_periodic, next_check; /* UINT64_MAX = off */
	tl__sync_save *save;
	tl__sync_queue *queue;
	tl__serve *serve;
};

/* --- looking up (peer.c, pair.c) -------------------------------------------------------------- */

tl__peer *tl__sync_find_peer(const tl__sync *sync, const tl_key *key); /* NULL: not known */
tl__sync_db *tl__sync_find_db(const tl__sync *sync, const tl_id *id);
tl__pair *tl__sync_find_pair(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* The relation's pair when the peer is active, else NULL: what wire/README.md §6 calls a
 * relation. */
tl__pair *tl__sync_related(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* The same when the relation gives to that peer, too. One that only takes lets it carry entries to
 * us, and no more: it is made because somebody cites the database, whoever that is. */
tl__pair *tl__sync_gives(const tl__sync *sync, const tl_key *peer, const tl_id *db);

/* --- changing --------------------------------------------------------------------------------- */

/* A proven peer (signature good) contacted us: its stalled pairs may try again, `last_seen` moves.
 * Does nothing for a key that is no peer. The first time in this process the log tells. */
void tl__sync_heard_from(tl__sync *sync, const tl_key *key, const char *address);
/* The log tells that the peer came, said hello: once in TL__SYNC_CAME_AGAIN_MS. */
void tl__peer_came(tl__sync *sync, tl__peer *peer, const char *address);
/* A key that proved itself inbound and is no peer: kept as a local document, at most
 * TL__SYNC_MAX_KNOCKING (the newcomer is not kept when full) and TL__SYNC_KNOCKING_DAYS. `address`,
 * where it came from, is shown, never dialled. */
void tl__sync_knocked(tl__sync *sync, const tl_key *key, tl_str name, const char *address);
/* The peer holds all of ours up to `upto`, and what it sent itself behind that. NULL is fine. */
void tl__pair_acknowledge(tl__pair *pair, uint64_t upto);
/* The peer's last place in our order proved invalid (its store or ours was rolled back): what it
 * has is unknown. NULL is fine. */
void tl__pair_restart(tl__sync *sync, tl__pair *pair);
/* Around every ingest of entries that this peer sent: while one is under way nothing is pushed to
 * it; afterwards its acknowledged number follows if it was level before. `pair` may be NULL. The
 * database's arrival number and the ENTRIES_RECEIVED event are taken care of. */
void tl__sync_ingest_begins(tl__sync *sync, tl__pair *pair);
void tl__sync_ingest_ends(tl__sync *sync, tl__pair *pair, const tl_key *peer, const tl__work *work);
bool tl__ingest_is_junk(const tl__work_ingest *in); /* more of it is invalid than entered */
/* What it gave was of no use, which is counted; until when it is asked for no more of it. */
uint64_t tl__peer_fruitless(tl__sync *sync, tl__peer *peer);
/* A database we cannot verify without: asks this peer for it, if the policy lets it. */
void tl__sync_want_delegated(tl__sync *sync, const tl_key *peer, const tl_id *db);

/* Our clock as it is told to others: one that stands before 1970 or beyond all reason is brought
 * to the nearest time there is (sync.c). */
int64_t tl__sync_time(const tl__sync *sync);

/* --- looking (status.c) ----------------------------------------------------------------------- */

/* A member of an object in JSON; null without a text, or for the time 0. */
void tl__put_text(tl__buf *out, const char *name, const char *text);
void tl__put_time(tl__buf *out, const char *name, int64_t time);
/* What an exchange of this pair has done and has to do (tidelock/sync.h). */
void tl__pair_put_progress(tl__buf *out, const tl__pair *pair);

/* --- asking for actions (action.c, save.c) ---------------------------------------------------- */

uint64_t tl__sync_number(tl__sync *sync); /* fresh, never 0 */
/* The last of its kind in line. What the action holds is the queue's; dropped when memory runs out
 * (false). */
bool tl__sync_act(tl__sync *sync, tl__sync_action *action);
/* Makes a work whose `done` is called when it was run, with the work (freed afterwards by the
 * caller of done). It is the node's own unless its party is set. NULL when memory ran out. */
tl__work *tl__sync_new_work(tl__sync *sync, tl__work_kind kind, const tl_id *db,
	void (*done)(void *sync, tl__work *work), uint64_t owner);
tl__party tl__sync_party(const tl__peer *peer);
void tl__sync_give_work(tl__sync *sync, tl__work *work);
void tl__sync_tell(tl__sync *sync, tl_event_kind kind, const tl_key *peer, const tl_id *db,
	uint64_t number, const char *text);
void tl__sync_tell_failure(tl__sync *sync, tl_event_kind kind, const tl_key *peer, const tl_id *db,
	int code, const char *error);
/* op 0 does nothing. text, error may be NULL. */
void tl__sync_complete(tl__sync *sync, uint64_t op, int code, const char *error, const char *text);
/* The same with the calling thread's last error. */
void tl__sync_complete_failed(tl__sync *sync, uint64_t op, int code);
/* A local document (`value` ptr NULL removes) or a record of `_sync` to be written soon: both are
 * copied, gathered, and written by one SAVE after TL__SYNC_SAVE_MS, or at once when `op` is not 0:
 * that command completes when it is durable, with `text`. */
#define TL__SYNC_SAVE_MS 200
void tl__sync_put_local(tl__sync *sync, tl_str key, tl_str value);
void tl__sync_put_record(tl__sync *sync, const tl__work_record *record);
void tl__sync_save_now(tl__sync *sync, uint64_t op, const char *text);
/* Calls done(sync, owner, code) once all that was put is durable, which may be at once; or code
 * tells why it is not (this thread's last error). Not called when the core is freed first. */
typedef void (*tl__sync_saved)(tl__sync *sync, uint64_t owner, int code);
void tl__sync_save_then(tl__sync *sync, tl__sync_saved done, uint64_t owner);

/* The policy's answer, or what question->otherwise says. size is filled here. DEFER is only told
 * for TL_POLICY_REQUEST, else it counts as DENY. *reason (may be NULL) as the policy's. What it
 * denies is kept for the status. */
tl_policy_answer tl__sync_ask_policy(
	tl__sync *sync, tl_policy_question *question, const char **reason);
/* JSON array of what the policy refused, newest first. */
void tl__sync_put_refusals(const tl__sync *sync, tl__buf *out);
/* Whether a channel is encrypted: anything but "none". */
bool tl__sync_encrypted(tl_str channel);
/* Whether "host:port" names this machine itself: 127.0.0.0/8, [::1], localhost. */
bool tl__sync_loopback(tl_str host_port);

/* Bytes of entry lines in a page of ours, whoever asks (page_size.c). */
size_t tl__page_most(const tl__sync *sync);

/* --- inbound (serve.c) ------------------------------------------------------------------------ */

int tl__serve_new(tl__sync *sync) TL_MUST_USE; /* sets sync->serve */
void tl__serve_free(tl__sync *sync);
void tl__serve_request(tl__sync *sync, const tl__sync_request *request);
void tl__serve_drained(tl__sync *sync, uint64_t incoming);
void tl__serve_gone(tl__sync *sync, uint64_t incoming);
void tl__serve_peer_left(tl__sync *sync, const tl_key *key); /* no peer any more */
void tl__serve_timer(tl__sync *sync);
/* What others began is over: the node is being closed. */
void tl__served_end(tl__sync *sync);
uint64_t tl__serve_due(const tl__sync *sync); /* UINT64_MAX: none */
/* The database may have moved: watches that wait for it are answered. */
void tl__serve_moved(tl__sync *sync, tl__sync_db *db);
/* What this peer (NULL: everybody) may do has changed: its watches end, and it comes again. */
unsigned tl__serve_watches_of(const tl__sync *sync, const tl_key *peer); /* held now */
/* Who came to us, as JSON: one (false: it did not), all, or the texts of their keys. */
bool tl__sync_put_client(const tl__sync *sync, const tl_key *key, tl__buf *out);
void tl__sync_put_clients(const tl__sync *sync, tl__buf *out);
size_t tl__sync_client_texts(const tl__sync *sync, const char **texts, size_t cap);
/* The texts of those that are no peers and have metadata. */
size_t tl__client_texts_with_state(const tl__sync *sync, const char **texts, size_t cap);
/* What is remembered of exchanges with a key that is no peer; NULL: nothing is. */
const tl__sync_metadata *tl__client_metadata(const tl__sync *sync, const tl_key *key);
int tl__client_load_metadata(tl__sync *sync, const tl_key *key, tl_str document) TL_MUST_USE;
/* It is a peer from now on, which what is remembered goes over to. */
void tl__client_joins(tl__sync *sync, tl__peer *peer);
void tl__serve_end_watches(tl__sync *sync, const tl_key *peer);
/* The owner approved or rejected an access request of another: it counts for no limit any more.
 * `hint` is a sentence where an approval alone gives nothing, because the key was only named; else
 * empty. */
void tl__serve_decided(tl__sync *sync, tl_str id, bool approved, char hint[TL__SYNC_ERROR_TEXT]);
/* A local document of the load that begins with "sync/serve/". */
void tl__serve_loaded(tl__sync *sync, tl_str key, tl_str value);

#endif
