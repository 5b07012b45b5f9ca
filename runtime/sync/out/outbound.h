/* What the files of the outbound half share. */
#ifndef TL_SYNC_OUTBOUND_H
#define TL_SYNC_OUTBOUND_H

#include "sync/core/core.h"
#include "sync/v0.h"

#define TL__SYNC_WAIT_PACE_MS    100  /* between exchanges that a waiting command asks for */
#define TL__SYNC_WAIT_RETRY_MS   1000 /* the same, after one that failed */
#define TL__SYNC_STALLED_PACE_MS 1000 /* between attempts of a pair that gave up, at commits */
#define TL__SYNC_REFUSED_PACE_MS                                                                   \
	(5 * 60 * 1000) /* and of one that gave up because it was refused */

/* --- call.c: one request to a peer ------------------------------------------------------------ */

/* How a call speaks. */
typedef struct tl__call_way {
	unsigned protocol; /* as the policy is told: 0 or 1 */
	/* Whether first words are put before it at this address: then call->greeting is set. */
	bool (*needs_greeting)(const tl__call *call);
	/* Fills path, content type, limit, intake and body; the body is the caller's. */
	int (*write)(tl__sync *sync, tl__call *call, tl__sync_action *send);
	/* An answer came; an intake in it is the receiver's. */
	void (*answered)(tl__sync *sync, tl__call *call, const tl__sync_answered *answered);
	bool (*carries_pages)(const tl__call *call);
	/* What is under way are first words, put before it or for their own sake. */
	bool (*is_greeting)(const tl__call *call);
} tl__call_way;

extern const tl__call_way tl__call_v1; /* call_answer.c */

typedef struct tl__call_result {
	int code;          /* TL_OK: the peer's answer, verified as far as the protocol lets it */
	const char *error; /* sentence */
	tl__v1_status status; /* v1 refusals: which; TL__V1_OK otherwise */
	bool put_off;         /* busy: what it was about waits as long as the peer says */
	bool rated;           /* and that by its rate: it goes on */
	tl_str args, body;
	tl__intake *intake; /* the receiver's from now on */
	/* Of first words: who answers, and whether it speaks tidelock's protocol. */
	tl_key key;
	const uint8_t *epoch; /* of its process; NULL in v0 */
	tl_str name;
	bool tidelock;
	const void *own;    /* what else there is, of its way */
	tl_address address; /* that answered */
	char channel[TL__V1_MAX_TEXT + 1];
	uint64_t bytes;   /* both ways */
	bool cut;         /* failed where less might have passed */
	uint64_t wait_ms; /* v1 refusals: not before */
} tl__call_result;

typedef void (*tl__call_done)(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

struct tl__call {
	/* Filled by the caller. `body` is the call's from tl__call_start on. */
	const tl__call_way *way;
	void *own;      /* of its way; freed with the call. NULL: none */
	tl__peer *peer; /* stays alive while the call is under way */
	bool unnamed;   /* hello: to whoever answers; the peer stands for nobody yet */
	bool fixed;     /* this address and no other */
	tl_address address;
	tl__v1_method method;
	bool has_db;
	tl_id db;
	tl__buf args, body;
	tl_key keys[TL__V1_MAX_KEYS]; /* proofs */
	size_t key_count;
	tl__call_done done; /* exactly once, never from within tl__call_start */
	void *ud;
	uint64_t owner;
	uint32_t hold_ms; /* watch: the answer may take so long */
	/* More proofs, by keys that need not be the node's; their owner's, whose they are as long
	 * as the call lives. NULL: none. */
	const tl_secret *extra[2];
	/* Private. */
	uint64_t number, exchange;
	bool greeting; /* the request under way is a hello or handshake put before */
	uint32_t tried[2 * TL__SYNC_MAX_ADDRESSES]; /* numbers: the list may change meanwhile */
	size_t tried_count;
	char channel[TL__V1_MAX_TEXT + 1];
	bool cut;
	bool streams;           /* the request under way has an intake */
	uint64_t request_bytes; /* of it */
	bool epoch_again, clock_again, channel_again, replay_again;
	uint8_t re[32];
	uint64_t sent_at;
	int64_t sent_wall;
	int code; /* of the last address that failed */
	char error[TL__SYNC_ERROR_TEXT];
	uint64_t bytes;
	/* race.c, monotonic and numbers of calls. */
	uint64_t look_at;     /* whether anybody answers at its address is asked then */
	uint64_t here, there; /* that is being asked; 0: it is not */
	uint64_t move_at;     /* it goes to `other` then; 0: nobody has answered there */
	tl_address other;
	tl__call *next;
};

/* NULL when memory ran out. */
tl__call *tl__call_new(tl__sync *sync, const tl__call_way *way, tl__peer *peer);
/* A hello; peer NULL: to whoever answers. Its result has key, name and tidelock. */
tl__call *tl__call_hello(tl__sync *sync, tl__peer *peer);
/* Starts it; the call frees itself after `done`. A failure to start is told by `done` too, with the
 * next event (or timer). */
void tl__call_start(tl__sync *sync, tl__call *call);
void tl__call_free(tl__call *call); /* one that was not started */
/* `done` comes no more; the exchange is cancelled. */
void tl__call_cancel(tl__sync *sync, uint64_t number);
void tl__call_answered(tl__sync *sync, const tl__sync_answered *answered);
/* Tells failures that arose while starting. */
void tl__calls_fail(tl__sync *sync);
bool tl__calls_failed(const tl__sync *sync); /* there are some */
void tl__calls_free(tl__sync *sync);
/* NULL: no transport for this address is enabled. */
const struct tl__sync_transport *tl__transport_of(const tl__sync *sync, const tl_address *address);
/* Whether it has an address whose transport is enabled; without one nothing is tried. */
bool tl__peer_has_way(const tl__sync *sync, const tl__peer *peer);
int tl__sync_no_transport(const tl__sync *sync); /* the error of having none for an address */
/* Fills proofs: those of our keys whose bit is set, and the key that asked for access there. */
void tl__call_prove(tl__sync *sync, tl__call *call, const tl__sync_db *db, uint32_t key_mask);

/* race.c: a request without an answer goes by another address. */
#define TL__RACE_BESIDE_MS 300   /* without an answer: the other address is tried beside it */
#define TL__RACE_AGAIN_MS  2000  /* and again so long after somebody answered here */
#define TL__RACE_HELD_MS   15000 /* the same where the peer holds its answer on purpose */

void tl__race_run(tl__sync *sync);
uint64_t tl__race_due(const tl__sync *sync); /* monotonic; UINT64_MAX: nothing waits */

/* page_size.c: what fits the way to a peer. */

/* Bytes of entry lines for the next page; one entry goes whatever this is. */
size_t tl__page_bytes(const tl__sync *sync, const tl__peer *peer);
/* So many bytes of a call did not pass; `said`: HTTP status 413 told so. Calls without pages are
 * passed over. */
void tl__page_cut(tl__sync *sync, tl__call *call, uint64_t bytes, bool said);
void tl__page_passed(tl__sync *sync, const tl__call *call);
/* Nothing passed at all: what was not said need not have been a limit. */
void tl__page_unsure(tl__peer *peer);
/* Another process answers there: what was cut off may have been the end of the one before. */
void tl__page_other_process(tl__peer *peer);
/* Whether to try a smaller page; `divisible`: the one that failed was more than one entry. */
bool tl__page_again(tl__session *session, const tl__call_result *result, bool divisible);

/* v1_answer.c: the checks of a v1 answer. */
typedef struct tl__v1_answer {
	tl__v1_response header;
	tl_str body;
} tl__v1_answer;
/* TL_OK: it answers this call's request, by its peer's key. Else why it counts for nothing. */
int tl__call_read_v1(const tl__sync *sync, tl__call *call, const tl__sync_answered *answered,
	tl__v1_answer *out) TL_MUST_USE;
int tl__call_status_code(tl__v1_status status);

/* What the peer's hello says goes into its record; `index` is the address dialled. */
int tl__hello_read(
	tl__sync *sync, tl__peer *peer, tl_str args, const uint8_t epoch[16]) TL_MUST_USE;

/* Which process answers there, as it signs with each answer. */
void tl__peer_take_epoch(tl__sync *sync, tl__peer *peer, const uint8_t epoch[16]);

/* What the model tells the outbound half. */
extern const tl__sync_outbound tl__outbound_half;

/* --- contact.c: who is this peer? --------------------------------------------------------------- */

/* The peer is known and registered (code TL_OK), or not (peer NULL). */
typedef void (*tl__contact_done)(
	tl__sync *sync, tl__sync_ask *ask, int code, const char *error, tl__peer *peer);
/* Proves who is at this address; pin: who it must be, or NULL. `done` comes once, unless the
 * contact is dropped; from within where it fails at once. One at a time for each ask. */
void tl__contact_start(tl__sync *sync, const tl_address *address, const tl_key *pin,
	tl__contact_done done, tl__sync_ask *ask);
void tl__contact_drop(tl__sync *sync, const tl__sync_ask *ask); /* if there is one */
/* A registered peer is asked, at any of its addresses. Its answer says by which protocol it is
 * spoken to, and ends waits; without one the relations of a peer whose protocol is not known have
 * failed. */
void tl__contact_peer(tl__sync *sync, tl__peer *peer);
void tl__contacts_free(tl__sync *sync);

/* --- watch.c, watch_answer.c: requests held by peers ------------------------------------------ */

#define TL__WATCH_HOLD_MS      50000
#define TL__WATCH_MIN_HOLD_MS  5000
#define TL__WATCH_FULL_TO_RISE 10   /* held to the end before the hold time doubles */
#define TL__WATCH_CUTS         4    /* one after the other, asked again at once */
#define TL__WATCH_AGAIN_MS     1000 /* behind an answer that tells nothing before its time */
#define TL__WATCH_CHANGE_MS    50   /* between two that name other databases */
#define TL__WATCH_MAX_IDLE     8    /* answers that bring nothing, one after the other; then … */
#define TL__WATCH_IDLE_MS      100  /* … between them */
#define TL__WATCH_PULLS_MS     2000 /* that a watch waits for pulls of the same peer */

void tl__watch_run(tl__sync *sync); /* of the peers that changed or are due */
/* Counts, with its peer, what watches have to do with it; and whether that is so already. */
void tl__watch_count(tl__pair *pair);
void tl__watch_uncount(tl__pair *pair); /* it goes */
bool tl__watch_counted(const tl__pair *pair);
unsigned tl__watches_held(const tl__peer *peer); /* requests of ours, held there now */
uint64_t tl__watch_due(const tl__sync *sync, const tl__peer *peer);
void tl__watch_end(tl__sync *sync, tl__peer *peer); /* its calls are cancelled */
/* One that waits because of a rate need not any more. */
void tl__watch_sooner(tl__sync *sync, tl__peer *peer);
uint8_t tl__watch_number(const tl__peer *peer, const tl__peer_watch *watch); /* as pairs name it */
/* None of its databases is named any more. */
void tl__watch_unname(tl__sync *sync, tl__peer *peer, const tl__peer_watch *watch);
/* Whether its peer is to tell of changes as they come. */
bool tl__watch_is_wanted(const tl__pair *pair);
bool tl__watch_is_pulled(const tl__pair *pair);
/* Whether what it lacks is told by a watch: one that is held, or is to be asked again as soon as
 * what it told is stored. */
bool tl__watch_tells(const tl__pair *pair);
void tl__watch_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);
void tl__watches_end(tl__sync *sync);

/* --- schedule.c ------------------------------------------------------------------------------- */

void tl__schedule_ticks(tl__sync *sync);
void tl__schedule_failed(tl__sync *sync, tl__pair *pair, int code, const char *error);
/* The peer was busy and says how long: no attempt has failed, the same is wanted then. */
/* The time of its own `every_ms` has come, or has not. */
void tl__schedule_own_tick(tl__sync *sync, tl__pair *pair);
void tl__schedule_put_off(tl__sync *sync, tl__pair *pair, int code, const char *error);
void tl__schedule_succeeded(tl__sync *sync, tl__pair *pair);
void tl__schedule_timers(tl__sync *sync); /* periodic and connection check, from now on */

/* --- due.c ------------------------------------------------------------------------------------ */

void tl__due_run(
	tl__sync *sync); /* starts exchanges of those who are due, as far as there is room */
void tl__due_judge(tl__sync *sync);          /* last of each event: what changed in it */
uint64_t tl__due_next(const tl__sync *sync); /* also of ticks and watches */

/* --- command.c, wait.c ------------------------------------------------------------------------ */

void tl__sync_command_do(tl__sync *sync, const tl__sync_command *command);
/* A pair's exchange is over; called before the pair may be freed. */
void tl__waiters_session(
	tl__sync *sync, tl__pair *pair, int code, const char *error, const tl__session *session);
/* Both sides hold the same, found without an exchange. */
void tl__waiters_level(tl__sync *sync, tl__pair *pair);
void tl__waiters_pair_gone(tl__sync *sync, const tl__pair *pair);
/* It is not spoken to any more, whether there is an exchange or it waits for one. */
void tl__waiters_peer_rests(tl__sync *sync, const tl__peer *peer);
void tl__waiters_run(tl__sync *sync);
uint64_t tl__waiters_due(const tl__sync *sync);
/* It is paused: a flush passes it over. */
void tl__waiters_pair_rests(tl__sync *sync, const tl__pair *pair);
bool tl__waiters_cancel(tl__sync *sync, uint64_t op);
void tl__waiters_free(tl__sync *sync);
void tl__wait_pair(tl__sync *sync, uint64_t op, tl__peer *peer, const tl_id *db);
/* One exchange of this pair, completing with `text` (or the counts when NULL). */
void tl__wait_exchange(tl__sync *sync, uint64_t op, tl__pair *pair, const char *text);
/* All that is dirty is sent; unless `send_only`, each peer is asked what it has, too. */
void tl__wait_flush(tl__sync *sync, uint64_t op, uint32_t timeout_ms, bool send_only);
/* Somebody waits for this pair: failures in a row are of his making. */
bool tl__waiters_wait_for(const tl__sync *sync, const tl__pair *pair);
void tl__wait_level(tl__sync *sync, uint64_t op, tl__pair *pair, uint32_t timeout_ms);
/* ask.c, connect.c, ask_access.c, join.c */
void tl__ask_connect(tl__sync *sync, const tl__sync_command *command);
void tl__ask_discover(tl__sync *sync, uint64_t op, tl__peer *peer);
void tl__ask_access(tl__sync *sync, const tl__sync_command *command);
void tl__ask_join(tl__sync *sync, const tl__sync_command *command);
/* Requests about this database prove this key of ours from now on, which stays so. */
void tl__access_use(tl__sync *sync, tl__sync_db *db, const tl_key *key, const char *name);
void tl__sync_set_waiting(tl__sync *sync, tl__sync_db *db, bool waits);
/* Requests that wait for an owner are repeated, at a pace. */
void tl__asks_again(tl__sync *sync);
uint64_t tl__asks_due(const tl__sync *sync); /* monotonic; UINT64_MAX: none waits */
void tl__ask_cancel(tl__sync *sync, uint64_t op);
void tl__asks_free(tl__sync *sync);

/* --- load.c, sync.c --------------------------------------------------------------------------- */

void tl__sync_load(tl__sync *sync); /* hands out the load; sets `loaded` when it is back */
/* Fields of 0 or NULL keep what is set. */
int tl__sync_set_options(tl__sync *sync, const tl_sync_options *options) TL_MUST_USE;
void tl__sync_default_options(tl_sync_options *to);
void tl__sync_wipe_keys(tl__sync *sync);

#endif
