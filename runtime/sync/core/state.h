/* What both halves stand on, as data: peers, databases and relations, the core itself, and what it
 * tells its halves. The functions are in core.h, the halves in sync/out and sync/in.
 *
 * Everything here belongs to one tl__sync and one thread. Lists are kept in the order things became
 * known and walked in that order (never by map), so that a seed reproduces a run. */
#ifndef TL_SYNC_STATE_H
#define TL_SYNC_STATE_H

#include <stdio.h>
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "sync/sync.h"

#define TL__SYNC_ERROR_TEXT     256
#define TL__SYNC_MIN_PAGE_BYTES (64u * 1024)

typedef struct tl__peer tl__peer;
typedef struct tl__pair tl__pair;
typedef struct tl__sync_db tl__sync_db;
typedef struct tl__serve tl__serve;       /* serve.c */
typedef struct tl__call tl__call;         /* call.h */
typedef struct tl__session tl__session;   /* session.h */
typedef struct tl__client tl__client;     /* client.c */
typedef struct tl__incoming tl__incoming; /* serve.h */
typedef struct tl__hold tl__hold;         /* serve_watch.h */
typedef struct tl__served tl__served;     /* served.c */
typedef struct tl__decision tl__decision; /* trace.c */

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

/* Whoever is due and finds no place stands in line: by priority, and before all those who waited
 * for TL__LINE_MS. */
#define TL__LINES   11
#define TL__LINE_MS 30000

/* What its pairs are due by, besides what is their own. */
typedef struct tl__peer_facts {
	bool reachable; /* active, and it has an address that can be dialled */
	bool asked;     /* which protocol it speaks is being asked */
	uint64_t wait_until;
} tl__peer_facts;

/* By the policy's verdicts (rate.c). */
typedef struct tl__limits {
	uint64_t rate, page; /* bytes a second, bytes; 0: none */
	uint64_t free_at;    /* monotonic: when what it took is paid */
	uint64_t owes_by;    /* the rate that this was reckoned with */
} tl__limits;

struct tl__peer {
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	char *name;      /* the owner's for it; NULL: none */
	char *said_name; /* what it says of itself; NULL: nothing */
	tl__peer_status status;
	tl__peer_protocol protocol;
	tl__peer_state state;
	tl__peer_address *addresses; /* stored order */
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
	bool takes_shares;  /* its hello says that it knows `share` */
	bool takes_state;   /* the same of `state` */
	bool hello_heard;   /* of the process that answers there now */
	uint64_t check;     /* number of the contact that asks it; 0: none */
	bool removed;       /* forgotten; freed when nothing points here any more */
	bool local_changed; /* its local document is to be saved */
	tl__pair *pairs, *last_pair;
	tl__peer *next;
	/* Who is due (changed.c, out/due.c). */
	tl__link changed, unsaved, ready;
	tl__heap_node due;               /* when its watches are looked at */
	tl__list ready_pairs[TL__LINES]; /* due, but there was no place yet */
	uint8_t line;                    /* in which it is ready: of its best pair */
	tl__peer_facts facts;            /* as its pairs were judged by */
	tl__limits limits;
	unsigned stalled;                       /* pairs that gave up, as counted last */
	unsigned pulls;                         /* pairs that pull or are about to */
	unsigned unnamed[TL__PEER_WATCHES + 1]; /* pairs that no watch names, by that which is to */
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
	/* The only tip there was after this arrival; 0: not known. */
	uint64_t joined_at;
	tl_id joined_tip;
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
	tl__pair *pairs, *last_pair;
	tl__sync_db *next;
};

/* How it is kept in step, with texts of its own. */
typedef struct tl__pair_options {
	tl_direction direction;
	uint32_t every_ms;
	uint64_t rate;
	uint8_t on_commit, priority;
	bool paused;
	char *reason, *rule; /* NULL: none */
} tl__pair_options;

enum { TL__PULLS = 1, TL__PUSHES = 2 };

typedef struct tl__pair_tag {
	char *text;   /* "manual", "delegated", or of a set of relations (relations.c) */
	bool set;     /* of a set: not stored */
	uint64_t run; /* of a set: the one that named it last */
	tl__pair_options *options; /* of a set; NULL: all zero */
	struct tl__pair_tag *next;
} tl__pair_tag;

/* Places of a relation of a set that is gone, as long as they are kept. */
typedef struct tl__rest {
	tl_key peer;
	tl_id db;
	uint64_t ack;
	tl__v1_cursor sure, seen;
	bool has_sure, has_seen;
	int64_t since; /* wall: when it went */
	bool saved;    /* its document says so */
} tl__rest;

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
	tl__v1_cursor reread; /* where reading from `sure` to `seen` was broken off */
	int64_t sure_since;   /* wall: when `seen` last started from `sure` */
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
	/* What is in force: by hand, else of the first tag that has some. Never NULL. */
	const tl__pair_options *options;
	uint64_t tick_at;     /* of its own `every_ms`; 0: none */
	uint64_t ready_since; /* in line */
	uint64_t free_at;     /* when what it moved is paid, by the rate of its options */
	tl__pair *next_of_peer, *next_of_db, *before, *next;
	uint32_t attempts;  /* failures since the last success */
	unsigned halved;    /* v0: how often the limit of its answers was, since one that fitted */
	uint32_t key_mask;  /* of our keys those that count there, as last read */
	unsigned held;      /* its watches that wait here: they are told, nothing is pushed */
	unsigned ingesting; /* ingests of entries from this peer under way, of either half */
	int last_code;
	tl_id last_entry; /* of the cursor record */
	bool has_cursor_record, has_last_entry;
	uint8_t gives; /* by its tags: TL__PULLS lets the peer carry to us, TL__PUSHES read */
	uint8_t does;  /* what we start of these */
	bool asked;    /* by a command that names it: also while it is paused */
	bool has_sure, has_seen, has_reread;
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
	/* Who is due (changed.c, out/due.c). */
	tl__link changed, unsaved, ready, gaps;
	tl__heap_node due;   /* when it wants an exchange; UINT64_MAX: never, or it is ready */
	uint8_t line;        /* in which it is ready */
	uint8_t unnamed;     /* counted among those of its peer; 0: in none, else that + 1 */
	bool pulls, gave_up; /* the same */
	char last_error[TL__SYNC_ERROR_TEXT];
};

/* What our policy refused; the same once more is counted. */
typedef struct tl__sync_refusal {
	tl_policy_kind kind;
	bool has_peer, has_db, outbound;
	tl_key peer;
	tl_id db;
	char address[TL__V1_MAX_TEXT + 1];
	char reason[TL_POLICY_REASON_BYTES + 1], where[TL_POLICY_WHERE_BYTES + 1];
	int64_t time; /* wall, of the last one */
	uint64_t count;
} tl__sync_refusal;

/* What it decided last (trace.c). */
typedef struct tl__trace {
	tl__decision **at; /* a ring; NULL: there was none yet */
	size_t next;
} tl__trace;

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
typedef struct tl__sync_knock tl__sync_knock;     /* knock.c */

/* What the halves are told of what happens in the model below them. */
typedef struct tl__sync_outbound {
	/* The relation was taken away: the pair is freed behind this. */
	void (*pair_goes)(tl__sync *sync, tl__pair *pair);
	/* Other options are in force. */
	void (*pair_reshaped)(tl__sync *sync, tl__pair *pair);
	/* An exchange of it runs that found no room, or too much missing. */
	bool (*lacks)(const tl__pair *pair);
} tl__sync_outbound;

typedef struct tl__sync_inbound {
	/* What this peer (NULL: everybody) may do has changed. */
	void (*rights_changed)(tl__sync *sync, const tl_key *peer);
	void (*peer_left)(tl__sync *sync, const tl_key *peer); /* it is none any more */
	/* The database may have moved. */
	void (*moved)(tl__sync *sync, tl__sync_db *db);
	/* Where arrivals that came from this key are noted while it is no peer; NULL: nowhere. */
	tl__came *(*came)(tl__sync *sync, const tl_key *from, const tl__sync_db *db);
	unsigned (*watches_of)(const tl__sync *sync, const tl_key *peer); /* held now */
} tl__sync_inbound;

typedef struct tl__clients {      /* client.c */
	tl__map map;              /* key -> tl__client */
	tl__client *first, *last; /* the one heard of last first */
	uint64_t next_look;       /* monotonic; UINT64_MAX: nobody is here */
} tl__clients;

struct tl__sync {
	const tl__sync_outbound *out;
	const tl__sync_inbound *in;
	const tl__v0 *v0;  /* NULL: not spoken */
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
	bool (*foresee)(void *ud, const tl_address *address, char *out, size_t cap);
	void *foresee_ud;
	const struct tl__fresh *fresh; /* all that its event made visible, until it is over */
	uint64_t now;                  /* monotonic ms, of the event being handled */
	int64_t wall;
	bool loaded, stopping;
	uint64_t load_at; /* the load is tried again; UINT64_MAX: it need not be */
	tl_id own_db;     /* `_sync` */
	tl__sync_key *keys;
	size_t key_count;
	tl_address servers[TL__SYNC_MAX_ADDRESSES];
	size_t server_count;
	struct tl__sync_transport {
		char type[16];
		bool encrypted, agrees, proves_ends;
		uint64_t max_body; /* 0: any */
	} transports[8];           /* types that can be dialled */
	size_t transport_count;
	tl__map peer_map; /* key bytes -> tl__peer */
	tl__peer *peers, *last_peer;
	tl__map db_map; /* id -> tl__sync_db */
	tl__sync_db *dbs, *last_db;
	tl__map pair_map; /* key bytes ‖ id -> tl__pair */
	tl__pair *pairs, *last_pair;
	size_t pair_count;
	tl__map by_hand;           /* the same -> tl__pair_options: there may be no such pair yet */
	tl__map rests;             /* the same -> tl__rest */
	uint64_t relation_run;     /* number of the last set of relations, ever */
	tl__pair_tag relation_set; /* its tag while it is being carried out; text NULL: none is */
	size_t relation_changes;
	/* To be looked at once more before the event is over, and before it is saved. */
	tl__list changed_pairs, changed_peers, unsaved_pairs, unsaved_peers;
	tl__list gap_pairs;              /* that were found to have one */
	tl__list ready_peers[TL__LINES]; /* with a pair that is due and waits for a place */
	uint64_t line_look;              /* when it is looked who has waited too long */
	tl__heap pair_dues, peer_dues;
	uint64_t numbers;   /* the last number given to an exchange, work owner… */
	uint64_t successes; /* rank of addresses */
	unsigned exchanges; /* calls under way */
	unsigned session_count;
	bool misstep; /* one was to go where no way leads: a fault of ours */
	tl__call *call_list;
	uint64_t race_look; /* monotonic: when it is looked which calls find no answer */
	tl__session *sessions;
	tl__sync_contact *contacts;
	tl__sync_waiter *waiters;
	tl__sync_ask *asks;
	size_t access_waiting; /* databases whose access request waits for an owner */
	tl__sync_refusal refusals[TL__SYNC_MAX_REFUSALS]; /* of our policy, oldest first */
	size_t refusal_count;
	tl__trace trace;
	tl__sync_knock *knocks;
	size_t knock_count;
	uint64_t next_periodic, next_check; /* UINT64_MAX = off */
	tl__sync_save *save;
	tl__sync_queue *queue;
	tl__clients clients;
	tl__serve *serve;
};

#endif
