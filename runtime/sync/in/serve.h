/* What the files of the inbound half share: a request under way, and how it is answered. */
#ifndef TL_SYNC_SERVE_H
#define TL_SYNC_SERVE_H

#include <strings.h>
#include "base/fail.h"
#include "base/heap.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/system/source.h"
#include "base/str.h"
#include "sync/core/core.h"

/* Limits. */
#define TL__SERVE_REMOTE_BURST      4000 /* requests of one source at once */
#define TL__SERVE_REMOTE_PER_S      2000
#define TL__SERVE_KNOWN_BURST       40000 /* of a source where peers are, of several perhaps */
#define TL__SERVE_KNOWN_PER_S       20000
#define TL__SERVE_PEER_BURST        12000 /* of the device key of a peer */
#define TL__SERVE_PEER_PER_S        6000
#define TL__SERVE_KEY_BURST         400 /* of the device key of a stranger */
#define TL__SERVE_KEY_PER_S         100
#define TL__SERVE_STRANGERS_BURST   4000 /* of all strangers together */
#define TL__SERVE_STRANGERS_PER_S   1000
#define TL__SERVE_PROOFS_BURST      1600 /* proofs of strangers that are verified */
#define TL__SERVE_PROOFS_PER_S      400
#define TL__SERVE_PROOF_BYTES       (16u * 1024) /* hashing so many counts as one */
#define TL__SERVE_HASHED_BYTES      (16u * 1024) /* of a body on the loop's thread */
#define TL__SERVE_PROOFS_AT_ONCE    2            /* of a peer of ours, there too */
#define TL__SERVE_WISHES_BURST      100          /* access requests of strangers */
#define TL__SERVE_WISHES_PER_S      10
#define TL__SERVE_SOURCE_WISH_BURST 20 /* of them from one source */
#define TL__SERVE_SOURCE_WISH_PER_S 1
#define TL__SERVE_PEER_AT_ONCE      64    /* requests of a peer under way, watches apart */
#define TL__SERVE_STRANGER_AT_ONCE  16    /* of a stranger's key, or a source without a key */
#define TL__SERVE_STRANGERS_AT_ONCE 256   /* of all strangers, of TL__SYNC_MAX_INCOMING */
#define TL__SERVE_JUNK_MS           250   /* that no page is taken behind one that was junk */
#define TL__SERVE_JUNK_DOUBLES      8     /* doubled each time, so often */
#define TL__SERVE_MAX_BUCKETS       10000 /* of strangers, and as many of peers */
#define TL__SERVE_MAX_STRANGERS     10000 /* whose nonces are kept */
#define TL__SERVE_MAX_KEY_REQUESTS  10    /* access requests of one key */
#define TL__SERVE_MAX_REQUESTS      1000  /* in all, by peers and by keys that the settings name */
#define TL__SERVE_UNKNOWN_REQUESTS  100   /* beside them: by other keys that were proven */
#define TL__SERVE_MAX_CLAIMS        100   /* beside them: for keys that were only named (v0) */
#define TL__SERVE_MAX_DECIDED       1000  /* of both, remembered */
#define TL__SERVE_MAX_SHARES        1000  /* open ones, and those remembered when they ended */
#define TL__SERVE_SHARE_KEPT_MS     (INT64_C(30) * 24 * 3600 * 1000) /* behind their end */
#define TL__SERVE_REQUEST_MS        (INT64_C(30) * 24 * 3600 * 1000)
#define TL__SERVE_EXPIRE_MS         (3600 * 1000) /* between two looks for rows of ended ones */
#define TL__SERVE_EXPIRE_ROWS       100           /* taken away in one work */
#define TL__SERVE_PULLING_MS        2000          /* nothing is pushed to whoever takes pages */
#define TL__SERVE_PULLED_MS         200           /* behind the last one */
#define TL__SERVE_BACK_MS           1000          /* nor so soon to whoever came back */
#define TL__SERVE_MAX_WATCHES       4096          /* of others, held */
#define TL__SERVE_STRANGER_WATCHES  1024          /* of them by keys that are no peers */
#define TL__SERVE_KEY_WATCHES       4             /* of one device key */
#define TL__SERVE_WATCHER_MS        60000         /* remembered behind its last watch */
#define TL__SERVE_LOOK_TOGETHER     64            /* of them that share a look */
#define TL__SERVE_WATCHER_DBS       16            /* it carried entries to, remembered */
#define TL__SERVE_TOLD_MS           2000          /* nothing is pushed behind an answered watch */
#define TL__SERVE_LIST_PEER         1000          /* databases in one answer to `list` */
#define TL__SERVE_LIST_STRANGER     64          /* and in a handshake of 0.2.0, which has no next */
#define TL__SERVE_READ_BYTES        (8u * 1024) /* of a v0 request, on the loop's thread */
#define TL__SERVE_PIECE_BYTES       (256u * 1024) /* of a streamed v0 answer */

#define TL__SERVED_QUIET_MS 1000  /* an exchange that another began is over then … */
#define TL__SERVED_MOST_MS  10000 /* … or after so long */
#define TL__SERVED_MOST     1024  /* at once; over that the oldest is over */
#define TL__SERVED_PER_S    100   /* of them written down: with so many each rests in between */

/* --- a request under way ---------------------------------------------------------------------- */

/* How a request is answered where it does not matter what it asks. */
typedef struct tl__serve_way {
	void (*internal)(tl__sync *sync, tl__incoming *in); /* something failed here */
	void (*busy)(tl__sync *sync, tl__incoming *in);     /* too many of its party at once */
	/* The last piece was used up; NULL: its answers have none. */
	void (*drained)(tl__sync *sync, tl__incoming *in);
	void (*clear)(tl__incoming *in); /* what lies outside of its arena; NULL: nothing does */
} tl__serve_way;

struct tl__incoming {
	const tl__serve_way *way;
	uint64_t number;          /* the driver's */
	tl__arena arena;          /* everything below lives here */
	const char *address;      /* where it comes from: "type:text" */
	tl_str transport, remote; /* the parts of that */
	tl_str channel;
	unsigned works; /* under way; the request is freed once there are none and it is done */
	bool done;      /* answered, or the requester is gone */
	struct tl__asker *asker; /* counted there as long as it is under way; NULL: not */
	tl__party_rank rank;     /* among these */
	/* v1 */
	tl_key from;
	tl_key proven[TL__V1_MAX_KEYS + 1]; /* `from` first */
	size_t proven_count;
	bool anonymous;      /* "to": null: nothing is recorded of it */
	bool put_off;        /* the policy has no time: a refusal says so */
	uint64_t rate, page; /* of its verdict on `connect` */
	tl__v1_method method;
	uint8_t re[32];
	tl_str args, body;
	bool has_db;
	tl_id db;
	struct tl__shown *shown; /* keys whose proofs are to be looked at */
	tl__v1_pull pull;
	tl__v1_push push;
	bool reads; /* push: who sends it may read the database, too */
	tl__v1_access access;
	tl__v1_tips tips;
	tl__hold *hold;      /* watch: while it is held */
	tl__pair *pair;      /* looked up again where it is used: relations come and go */
	char request_id[37]; /* of the access request that it is told of once that is durable */
	/* Of ways that prove no key: */
	bool unproven;
	tl_str claimed_key; /* what it says of itself; ptr NULL: nothing */
	void *own;          /* of its way */
};

typedef struct tl__serve_rate {
	uint32_t burst, per_second;
} tl__serve_rate;

/* Who takes from a bucket together: those who say that they are no peers, and those who name the
 * key of one from where none has been before, until their signature is checked. */
typedef enum tl__serve_share {
	TL__SHARE_STRANGERS,
	TL__SHARE_CLAIMS,
	TL__SHARE_PROOFS, /* what strangers let us verify */
	TL__SHARE_WISHES, /* their access requests */
	TL__SHARES
} tl__serve_share;

typedef struct tl__bucket_list {
	struct tl__bucket *oldest, *newest;
	size_t count;
} tl__bucket_list;

struct tl__serve {
	tl__map incoming; /* number -> tl__incoming */
	/* serve_admit.c */
	tl__map askers; /* name of a party -> struct tl__asker */
	size_t under_way[TL__PARTY_RANKS];
	/* served.c */
	tl__map served;                        /* key bytes ‖ id -> tl__served */
	tl__served *served_list, *served_last; /* the latter only where there is one */
	uint64_t next_served; /* monotonic: when one of them may be over; UINT64_MAX: none is */
	/* serve_nonce.c */
	tl__map senders;                    /* key -> which of its requests came */
	struct tl__sender *oldest, *newest; /* strangers */
	size_t strangers;
	/* serve_bucket.c */
	tl__map buckets;
	tl__bucket_list known_buckets, stranger_buckets;
	struct tl__share {
		double tokens;
		uint64_t at;
	} shares[TL__SHARES];
	/* serve_watch.h */
	tl__hold *holds;
	size_t hold_count, stranger_holds;
	tl__map watchers; /* key -> struct tl__watcher */
	tl__heap hold_dues, watcher_dues;
	const struct tl__fresh *fresh; /* during its event: answers looks */
	struct tl__answered {
		tl__work *first; /* such looks, by their `next` */
		size_t room;     /* for so many more readers */
	} answered[2];           /* [true]: of strangers, whose turn is behind peers */
	/* serve_access.c */
	tl__map access;       /* request id -> tl__access_row */
	tl__map offers;       /* key bytes -> tl__share_row */
	uint64_t next_expiry; /* monotonic: when the rows in `_sync` are looked at */
	bool expiring;        /* a work does so */
};

tl__incoming *tl__serve_find(tl__sync *sync, uint64_t number); /* NULL: gone */
/* Hands out a work of this request; `done` finds it again by work->owner. false: answered with
 * internal. */
tl__work *tl__serve_work(tl__sync *sync, tl__incoming *in, tl__work_kind kind,
	void (*done)(void *sync, tl__work *work));
/* Takes a work back: its request, or NULL when that is gone (the work is freed then, too). */
tl__incoming *tl__serve_worked(tl__sync *sync, tl__work *work);
/* The same where it went well: else the request is answered with that, and NULL too. */
tl__incoming *tl__serve_well(tl__sync *sync, tl__work *work);
/* The same for one of several requests that a work is for; it stays the caller's. */
tl__incoming *tl__serve_returned(tl__sync *sync, uint64_t number);
void tl__serve_internal(tl__sync *sync, tl__incoming *in, const tl__work *work);
/* The whole answer; takes the body over, ends the request. */
void tl__serve_answer(tl__sync *sync, tl__incoming *in, int status, const char *content_type,
	tl__buf *body, bool close);
/* Whether it is, as far as it was checked, a good request of a peer that may talk to us. */
bool tl__serve_is_of_peer(const tl__sync *sync, const tl__incoming *in);
void tl__serve_text(tl__sync *sync, tl__incoming *in, int status, const char *text);
/* The request is over; it is freed when its works are back. */
void tl__serve_end(tl__sync *sync, tl__incoming *in);

/* --- serve_admit.c ---------------------------------------------------------------------------- */

/* On whose behalf. */
tl__party tl__serve_party(const tl__sync *sync, const tl__incoming *in);
/* Before its first work: whether there is room for one more request of whoever asks, who is told
 * `busy` if not. */
bool tl__serve_admit(tl__sync *sync, tl__incoming *in);
/* Says where it comes from, in this memory; false without any: then nothing has changed. */
bool tl__incoming_from(
	tl__incoming *in, tl__arena *memory, tl_str transport, tl_str remote) TL_MUST_USE;
void tl__serve_leave(tl__sync *sync, tl__incoming *in); /* it is under way no longer */
void tl__serve_askers_free(tl__sync *sync);

/* --- serve_bucket.c --------------------------------------------------------------------------- */

static inline tl_str tl__serve_key_name(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

/* Takes one token; false: too many. The name is a source (base/system/source.h) or the bytes of a
 * key. */
bool tl__serve_take(tl__sync *sync, tl_str name, tl__serve_rate rate);
bool tl__serve_take_share(tl__sync *sync, tl__serve_share share);
void tl__serve_shares_fill(tl__sync *sync); /* at the beginning */
/* A peer's key, or a peer proved itself from this source: it does not share with strangers from now
 * on. */
void tl__serve_known(tl__sync *sync, tl_str name);
bool tl__serve_is_source_known(const tl__sync *sync, tl_str name);
/* What became of a page that came by push from this key, or v0 source. More invalid than new: no
 * other one is taken for a while, which doubles each time. */
void tl__serve_gave(tl__sync *sync, tl_str name, const tl__work_ingest *in);
uint32_t tl__serve_shut_ms(const tl__sync *sync, tl_str name); /* 0: it may push */
void tl__serve_buckets_free(tl__sync *sync);

/* --- serve_nonce.c ---------------------------------------------------------------------------- */

/* Whether this request came before, or so old a one that it cannot be told. */
bool tl__serve_is_replay(const tl__sync *sync, const tl__v1_request *request);
/* Keeps that it came. TL_OK, or TL_E_BUSY when too many strangers came of late. */
int tl__serve_keep_nonce(tl__sync *sync, const tl__v1_request *request) TL_MUST_USE;
void tl__serve_nonces_expire(tl__sync *sync);
uint64_t tl__serve_nonces_due(const tl__sync *sync);
void tl__serve_nonces_free(tl__sync *sync);

/* --- served.c --------------------------------------------------------------------------------- */

/* The key was given so many entries; or gave those of an ingest, whatever became of them. */
void tl__served_gave(
	tl__sync *sync, const tl_key *key, const tl_id *db, uint64_t entries, uint64_t bytes);
void tl__served_took(tl__sync *sync, const tl_key *key, const tl__work *work);
uint64_t tl__lines_bytes(const tl__work_page *page);
void tl__served_timer(tl__sync *sync);
void tl__served_free(tl__sync *sync);

/* --- serve_v1.c ------------------------------------------------------------------------------- */

void tl__serve_v1(tl__sync *sync, tl__incoming *in, const tl__sync_request *request);
/* Its proofs and its body were looked at: in->proven. */
void tl__serve_proven(tl__sync *sync, tl__incoming *in);
/* A signed answer. `body` may be NULL. */
void tl__serve_v1_answer(
	tl__sync *sync, tl__incoming *in, tl__v1_status status, tl_str args, tl_str body);
void tl__serve_v1_refuse(tl__sync *sync, tl__incoming *in, tl__v1_status status, const char *code);
void tl__serve_v1_busy(tl__sync *sync, tl__incoming *in, const char *code, uint32_t wait_ms);

/* serve_proofs.c: looks at them, then tl__serve_proven or a refusal. */
void tl__serve_shown(tl__sync *sync, tl__incoming *in, const tl__v1_frame *frame,
	const tl__v1_request *request, tl_str body);

/* --- serve_methods.c, serve_pull.c, serve_push.c ---------------------------------------------- */

void tl__serve_method(tl__sync *sync, tl__incoming *in);
void tl__serve_pull(tl__sync *sync, tl__incoming *in);
void tl__serve_push(tl__sync *sync, tl__incoming *in);
/* serve_watch.c, serve_hold.c, serve_watcher.c */
void tl__serve_watch(tl__sync *sync, tl__incoming *in);
/* Not held any more. NULL is fine. */
void tl__serve_watch_drop(tl__sync *sync, tl__hold *hold);
void tl__serve_watches_timer(tl__sync *sync);
uint64_t tl__serve_watches_due(const tl__sync *sync);
void tl__serve_watches_free(tl__sync *sync);
/* What is remembered of entries that this key, without a relation, carried to us; NULL: nothing. */
tl__came *tl__serve_came(tl__sync *sync, const tl_key *from, const tl__sync_db *db);
/* The requester of a pull was given all of db up to `n`. */
void tl__serve_watch_given(tl__sync *sync, const tl_key *from, const tl_id *db, uint64_t n);
/* A database that the proven keys may not read is answered exactly like one that we lack. */
void tl__serve_not_available(tl__sync *sync, tl__incoming *in);
void tl__serve_bad_request(tl__sync *sync, tl__incoming *in);
/* Held, and none of the system's. */
bool tl__serve_is_available(const tl__sync *sync, const tl__work_rights *rights, const tl_id *db);
/* Answers for a work that failed; the work stays the caller's. */
void tl__serve_fail_work(tl__sync *sync, tl__incoming *in, tl__work *work);
/* Held, none of the system's, and the proven keys may read it: in->db. */
bool tl__serve_is_readable(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights);
/* Asks which rights the proven keys have in in->db, then goes on. */
void tl__serve_ask_rights(
	tl__sync *sync, tl__incoming *in, void (*done)(void *sync, tl__work *work));
/* Answers ok; frees both. */
void tl__serve_answer_args(tl__sync *sync, tl__incoming *in, tl__buf *args, tl__buf *body);
/* Whether it is a place of this store at all; the number and chain are looked up by the work. */
bool tl__serve_is_ours(const tl__sync *sync, const tl__v1_cursor *cursor);
tl__work_place tl__serve_place_of(const tl__v1_cursor *cursor);
tl__v1_cursor tl__serve_cursor_of(const tl__sync *sync, const tl__work_place *place);
/* The peer says how far it has got in our order: our acknowledged number of this relation. */
void tl__serve_heard_seen(tl__sync *sync, tl__incoming *in, const tl__v1_cursor *seen, bool valid);

/* --- serve_access.c --------------------------------------------------------------------------- */

typedef struct tl__access_wish {
	tl_key key;
	tl_str name; /* checked: not empty, not "*", no dot */
	tl_permission permission;
	tl_id db;
	tl_str transport, remote; /* where it was asked from: shown, never dialled */
	bool proven;              /* by the key itself; in v0 anyone may name any key */
	bool known; /* a peer asks, or one whose key the settings name: it keeps its place */
} tl__access_wish;

/* Keeps an access request for the owner; the same wish again gives the same id, with which it is to
 * be answered once tl__sync_save_then says that it is durable, as the event waits for that.
 * TL_E_NOT_PERMITTED: it was decided, and nothing is given. TL_E_BUSY: too many. Known ones, other
 * proven ones and claims have rooms apart, and claims never take those of the key that they name.
 * Where the room of strangers is full, the oldest of the source that has most of them goes. */
int tl__serve_keep_wish(tl__sync *sync, const tl__access_wish *wish, char id[37]) TL_MUST_USE;
bool tl__serve_wish_name_valid(tl_str name);
void tl__serve_access_free(tl__sync *sync);
/* Forgets what is too old, and has its rows in `_sync` taken away, some at a time: at start, and
 * hourly while requests wait. Rows are looked for apart from what is remembered here, so that none
 * stays whatever a crash has lost. */
void tl__serve_access_expire(tl__sync *sync);
uint64_t tl__serve_access_due(const tl__sync *sync);

/* --- serve_shares.c, serve_redeem.c: one-time tokens -------------------------------------------- */

/* A share, as it is remembered: never the token, only the key whose private half that stands for.
 */
typedef struct tl__share_row {
	tl_key key;
	char id[TL_SHARE_ID_LEN + 1];
	tl_id db;
	tl_permission permission;
	int64_t made, expires, used_at;   /* wall ms */
	tl_key maker;                     /* who gives, when it is used … */
	char signer[TL__V1_MAX_TEXT + 1]; /* … and how the private key is called */
	/* Taken by this key: from then on by no other, whatever becomes of it. `given`: it has the
	 * record, and asking again makes none. */
	bool used, given;
	tl_key used_by;
	uint64_t number, op; /* while it is being made or taken back: nobody's meanwhile */
} tl__share_row;

tl__share_row *tl__share_find(const tl__sync *sync, const tl_key *key); /* NULL: none such */
bool tl__share_is_over(const tl__sync *sync, const tl__share_row *row); /* its time is */
void tl__share_put_local(tl__sync *sync, const tl__share_row *row);
void tl__share_make(tl__sync *sync, const tl__sync_command *command);
void tl__share_revoke(tl__sync *sync, const tl__sync_command *command);
void tl__share_loaded(tl__sync *sync, tl_str key, tl_str document);
void tl__shares_free(tl__sync *sync);
/* An access request with a token, by a key that has not got what it asks for; `key`: which of the
 * proven ones it is for. */
void tl__serve_redeem(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights, size_t key);
/* The same by one that has got all of it: it may be what the share gave, and a crash kept from
 * being noted. */
void tl__serve_held(tl__sync *sync, const tl__incoming *in);
/* Of whoever shows none that counts, whatever is held here; too many of them come from one source.
 */
void tl__serve_no_share(tl__sync *sync, tl__incoming *in);

/* --- serve_policy.c --------------------------------------------------------------------------- */

/* Decisions of wire/README.md §6 for this request; `rights` of the keys in in->proven order (v0:
 * the claimed key, if any). */
bool tl__serve_may_read(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights);
bool tl__serve_may_write(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights);
bool tl__serve_may_create(tl__sync *sync, tl__incoming *in);
bool tl__serve_may_connect(tl__sync *sync, tl__incoming *in);
bool tl__serve_may_list(tl__sync *sync, tl__incoming *in, const tl__work_db *db);
bool tl__serve_may_ask(tl__sync *sync, tl__incoming *in, const tl__work_rights *rights,
	const tl__access_wish *wish);
/* The verdict on `connect` holds also who was not known when it was given. */
void tl__serve_hold_rate(tl__sync *sync, const tl__incoming *in);
/* By rates nothing passes for now: it was told when to come again. */
bool tl__serve_owes(tl__sync *sync, tl__incoming *in);
size_t tl__serve_page(const tl__sync *sync, const tl__incoming *in, size_t bytes);
void tl__serve_spend(tl__sync *sync, const tl__incoming *in, uint64_t bytes);
/* Whether somebody keeps this database in step with anybody: v0 peers prove nothing. */
bool tl__serve_any_relation(const tl__sync *sync, const tl_id *db);

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
/* The same; where `fresh` (may be NULL) is all that a watch waits for it is told without a look at
 * the store. */
void tl__serve_committed(tl__sync *sync, tl__sync_db *db, const struct tl__fresh *fresh);
/* What this peer (NULL: everybody) may do has changed: its watches end, and it comes again. */
unsigned tl__serve_watches_of(const tl__sync *sync, const tl_key *peer); /* held now */
void tl__serve_end_watches(tl__sync *sync, const tl_key *peer);
/* The owner approved or rejected an access request of another: it counts for no limit any more.
 * `hint` is a sentence where an approval alone gives nothing, because the key was only named; else
 * empty. */
void tl__serve_decided(tl__sync *sync, tl_str id, bool approved, char hint[TL__SYNC_ERROR_TEXT]);
/* A local document of the load that begins with "sync/serve/". */
void tl__serve_loaded(tl__sync *sync, tl_str key, tl_str value);

/* What the model tells the inbound half. */
extern const tl__sync_inbound tl__inbound_half;

#endif
