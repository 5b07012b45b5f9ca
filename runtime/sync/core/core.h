/* What stands below both halves: the model of peers, databases and relations, what is stored of it,
 * and how both halves ask for actions. */
#ifndef TL_SYNC_CORE_H
#define TL_SYNC_CORE_H

#include "sync/core/state.h"

#define TL__SYNC_MAX_CLIENTS    1000  /* keys that came to us, shown */
#define TL__SYNC_CLIENT_HISTORY 100   /* exchanges remembered of one that is no peer */
#define TL__SYNC_CLIENT_GONE_MS 90000 /* without a request or a held watch */
#define TL__SYNC_CLIENT_LOOK_MS 5000  /* between two looks who has gone */

/* --- looking up (peer.c, pair.c) -------------------------------------------------------------- */

tl__peer *tl__sync_find_peer(const tl__sync *sync, const tl_key *key); /* NULL: not known */
tl__sync_db *tl__sync_find_db(const tl__sync *sync, const tl_id *id);
tl__pair *tl__sync_find_pair(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* The same for one who is about to change it. */
tl__pair *tl__sync_change_pair(tl__sync *sync, const tl_key *peer, const tl_id *db);
/* The relation's pair when the peer is active, else NULL: what wire/README.md §6 calls a
 * relation. */
tl__pair *tl__sync_related(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* The same when the relation lets that peer list and read. One that is there because somebody cites
 * the database, whoever that is, never does. */
tl__pair *tl__sync_gives(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* The same when it lets that peer carry entries to us. */
tl__pair *tl__sync_takes(const tl__sync *sync, const tl_key *peer, const tl_id *db);

/* --- what changed (changed.c) ----------------------------------------------------------------- */

/* To be said by whoever changes it, before or after, within one event. */
void tl__pair_changed(tl__sync *sync, tl__pair *pair);
void tl__peer_changed(tl__sync *sync, tl__peer *peer);       /* itself, or its watches */
void tl__peer_pairs_changed(tl__sync *sync, tl__peer *peer); /* and all its pairs */
/* It holds all up to `arrival`: whoever learns it first says so, and its pairs are dirty. */
void tl__db_arrived(tl__sync *sync, tl__sync_db *db, uint64_t arrival);
tl__peer *tl__changed_peer(tl__link *link);
tl__pair *tl__changed_pair(tl__link *link);
/* From now on it is in its heap. TL_OK or TL_E_NOMEM. */
int tl__pair_expect(tl__sync *sync, tl__pair *pair) TL_MUST_USE;
int tl__peer_expect(tl__sync *sync, tl__peer *peer) TL_MUST_USE;
void tl__pair_unlist(tl__sync *sync, tl__pair *pair); /* out of everything: it goes */
void tl__pair_leave_line(tl__pair *pair);             /* it is not ready any more, or never was */
void tl__peer_unlist(tl__sync *sync, tl__peer *peer);

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
void tl__pair_acknowledge(tl__sync *sync, tl__pair *pair, uint64_t upto);
/* The peer's last place in our order proved invalid (its store or ours was rolled back): what it
 * has is unknown. NULL is fine. */
void tl__pair_restart(tl__sync *sync, tl__pair *pair);
bool tl__pair_has_gap(const tl__sync *sync, const tl__pair *pair); /* or its exchange has */
/* Around every ingest of entries that this peer sent: while one is under way nothing is pushed to
 * it; afterwards its acknowledged number follows if it was level before. `pair` may be NULL. The
 * database's arrival number and the ENTRIES_RECEIVED event are taken care of. */
void tl__sync_ingest_begins(tl__sync *sync, tl__pair *pair);
void tl__sync_ingest_ends(tl__sync *sync, tl__pair *pair, const tl_key *peer, const tl__work *work);
bool tl__ingest_is_junk(const tl__work_ingest *in); /* more of it is invalid than entered */
/* What it gave was of no use, which is counted; until when it is asked for no more of it. */
uint64_t tl__peer_fruitless(tl__sync *sync, tl__peer *peer);

/* Our clock as it is told to others: one that stands before 1970 or beyond all reason is brought
 * to the nearest time there is (action.c). */
int64_t tl__sync_time(const tl__sync *sync);

/* --- looking (show.c) ----------------------------------------------------------------------- */

/* A member of an object in JSON; null without a text, or for the time 0. */
void tl__put_text(tl__buf *out, const char *name, const char *text);
void tl__put_time(tl__buf *out, const char *name, int64_t time);
/* What an exchange of this pair has done and has to do (tidelock/sync.h). */
void tl__pair_put_progress(tl__buf *out, const tl__pair *pair);
uint64_t tl__pair_to_send(const tl__pair *pair); /* entries */

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
/* The same with what was written into a buffer, which is freed. */
void tl__sync_put_text(tl__sync *sync, tl_str key, tl__buf *value);
void tl__sync_put_record(tl__sync *sync, const tl__work_record *record);
void tl__sync_save_now(tl__sync *sync, uint64_t op, const char *text);
/* Calls done(sync, owner, code) once all that was put is durable, which may be at once; or code
 * tells why it is not (this thread's last error). Not called when the core is freed first. */
typedef void (*tl__sync_saved)(tl__sync *sync, uint64_t owner, int code);
void tl__sync_save_then(tl__sync *sync, tl__sync_saved done, uint64_t owner);

/* Asks the policy what its asker filled in: size, names, transport and time are filled here.
 * TL_POLICY_ALLOW, TL_POLICY_DENY, or TL_POLICY_BUSY where nobody was there to decide and we are
 * not the ones who ask. The verdict is the policy's, with texts fit to be shown; what it denies is
 * kept for the status. */
tl_policy_answer tl__sync_ask_policy(
	tl__sync *sync, tl_policy_question *question, tl_policy_verdict *verdict);
bool tl__sync_has_policy(const tl__sync *sync);
/* JSON array of what the policy refused, newest first. */
void tl__sync_put_refusals(const tl__sync *sync, tl__buf *out);
/* trace.c */
const char *tl__policy_kind_name(tl_policy_kind kind); /* as scripts call it */
void tl__trace_keep(tl__sync *sync, const tl_policy_question *question,
	const tl_policy_verdict *verdict, bool allowed);
void tl__trace_free(tl__sync *sync);
/* Whether a channel is encrypted: anything but "none". */
bool tl__sync_encrypted(tl_str channel);
/* Whether "host:port" names this machine itself: 127.0.0.0/8, [::1], localhost. */
bool tl__sync_loopback(tl_str host_port);

/* Room in a page for frame, header and signatures around the entries. */
#define TL__PAGE_ROOM 8192u
/* Bytes of entry lines in a page of ours, whoever asks. */
static inline size_t tl__page_most(const tl__sync *sync)
{
	return sync->options.max_page_bytes - TL__PAGE_ROOM;
}

/* --- action.c, save.c, load.c ----------------------------------------------------------------- */

int tl__sync_queue_new(tl__sync *sync) TL_MUST_USE;
void tl__sync_queue_free(tl__sync *sync);
/* Before each event: what an event asks for must not be lost when memory runs out. */
void tl__sync_queue_fill(tl__sync *sync);
int tl__sync_save_new(tl__sync *sync) TL_MUST_USE;
void tl__sync_save_free(tl__sync *sync);
/* Something that was to be put could not even be formed: memory ran out. */
void tl__sync_put_lost(tl__sync *sync);
/* Writes what has been gathered when its time has come. */
void tl__sync_save_timer(tl__sync *sync);
uint64_t tl__sync_save_due(const tl__sync *sync);
/* knock.c */
int tl__knock_load(tl__sync *sync, tl_str key, tl_str document) TL_MUST_USE;
void tl__knock_drop(tl__sync *sync, const tl_key *key); /* it is a peer now */
void tl__knocks_free(tl__sync *sync);

/* nonce.c: a new name for this process, under which it counts; then each request has the next
 * number of its responder. `to` NULL: whoever answers. */
void tl__nonce_begin(tl__sync *sync);
int tl__nonce_next(tl__sync *sync, const tl_key *to, uint8_t nonce[TL__V1_NONCE_BYTES]) TL_MUST_USE;

/* --- peer.c ----------------------------------------------------------------------------------- */

/* A peer that is in no list yet: first contact. NULL when memory ran out. */
tl__peer *tl__peer_new(const tl_key *key, tl_str name);
void tl__peer_free(tl__peer *peer); /* NULL is fine */
/* Makes it known. On failure it stays the caller's. */
int tl__peer_enlist(tl__sync *sync, tl__peer *peer) TL_MUST_USE;
/* Out of the lists; its pairs are dropped. Freed once no exchange is about it. */
void tl__peer_remove(tl__sync *sync, tl__peer *peer);
void tl__peer_release(tl__sync *sync, tl__peer *peer); /* after an exchange of a removed peer */
/* Of its owner here, and of itself; empty: none. */
/* A name is kept as it is; one that would not be a text (no UTF-8, a NUL) as its escaped form; an
 * empty one as NULL. TL_OK or TL_E_NOMEM, then *to is as it was. */
int tl__name_set(char **to, tl_str name) TL_MUST_USE;
int tl__peer_set_name(tl__peer *peer, tl_str name) TL_MUST_USE;
int tl__peer_set_said_name(tl__peer *peer, tl_str name) TL_MUST_USE;
const char *tl__peer_status_name(tl__peer_status status);
bool tl__peer_status_parse(tl__peer_status *out, tl_str name);
const char *tl__peer_protocol_name(tl__peer_protocol protocol); /* NULL: unknown */
static inline bool tl__peer_is_v0(const tl__peer *peer)
{
	return peer->protocol == TL__PROTOCOL_V0;
}
int tl__fail_v0(void); /* sets the error of what needs eidetica 0.2.0 in a build without it */
/* Index of an address or -1. */
int tl__peer_address_at(const tl__peer *peer, const tl_address *address);
/* Index of the address, which is the owner's from now on; added when it is new. It takes the place
 * of a learnt one when the peer has 16, TL_E_TOO_LARGE when all are the owner's. */
int tl__peer_add_address(tl__peer *peer, const tl_address *address, size_t *index) TL_MUST_USE;
/* What the peer's hello told, instead of what an earlier one did, as far as there is room beside
 * the owner's. Whether anything changed. */
bool tl__peer_learn_addresses(tl__peer *peer, const tl_address *told, size_t count);
void tl__peer_drop_address(tl__peer *peer, size_t index);
/* Stores the record in `_sync` and the local document. */
void tl__peer_save(tl__sync *sync, tl__peer *peer);
void tl__peer_save_local(tl__sync *sync, const tl__peer *peer);
void tl__peer_forget(tl__sync *sync, const tl__peer *peer); /* removes both */
int tl__peer_load_local(tl__sync *sync, tl__peer *peer, tl_str document) TL_MUST_USE;
void tl__peer_failed(tl__sync *sync, tl__peer *peer, int code, const char *error);
void tl__peer_succeeded(tl__sync *sync, tl__peer *peer, const tl_address *address);
/* Something changed that makes another attempt worth it: stalled pairs leave that state, waits are
 * over. */
void tl__peer_wake(tl__sync *sync, tl__peer *peer);

/* --- pair.c ----------------------------------------------------------------------------------- */

tl__sync_db *tl__sync_db_for(tl__sync *sync, const tl_id *id); /* made when new; NULL: no memory */
/* The relation gets this tag; made when it is new. */
int tl__pair_relate(
	tl__sync *sync, tl__peer *peer, const tl_id *db, tl_str tag, tl__pair **out) TL_MUST_USE;
typedef struct tl__pair_as {
	tl_str tag;
	bool set;
	uint64_t run;
	tl__pair_options *options; /* taken over where the tag is new and nothing failed */
} tl__pair_as;
int tl__pair_relate_as(tl__sync *sync, tl__peer *peer, const tl_id *db, const tl__pair_as *as,
	tl__pair **out) TL_MUST_USE;
/* Takes a tag away (ptr NULL: all). The pair goes when none is left; where that was of a set, its
 * places are kept for TL__SYNC_REST_DAYS. */
void tl__pair_unrelate(tl__sync *sync, tl__pair *pair, tl_str tag);
void tl__pair_free(tl__pair *pair);
tl__pair_tag *tl__pair_find_tag(const tl__pair *pair, tl_str text); /* NULL: it has none such */
bool tl__pair_has_tag(const tl__pair *pair, tl_str tag);
bool tl__pair_is_stored(const tl__pair *pair); /* it has a tag that is of no set */
bool tl__pair_dirty(const tl__pair *pair);
bool tl__pair_is_sure(const tl__pair *pair);        /* nothing up to `seen` was declined */
void tl__pair_save(tl__sync *sync, tl__pair *pair); /* its local document */
/* The relation in `_sync`. */
void tl__pair_save_relation(tl__sync *sync, const tl_id *db);
int tl__pair_load_local(tl__sync *sync, tl__pair *pair, tl_str document) TL_MUST_USE;
int tl__pair_load_cursors(tl__pair *pair, tl_str document) TL_MUST_USE;
/* Keys of local documents. */
typedef struct tl__sync_local_key {
	char text[192];
} tl__sync_local_key;
tl__sync_local_key tl__peer_local_key(const char *kind, const tl__peer *peer);
tl__sync_local_key tl__pair_key(const char *kind, const tl__peer *peer, const tl_id *db);
/* What maps call a pair: peer and database. */
typedef struct tl__pair_name {
	char b[TL_KEY_BYTES + TL_ID_BYTES];
} tl__pair_name;
tl__pair_name tl__pair_name_of(const tl_key *peer, const tl_id *db);
static inline tl_str tl__pair_name_str(const tl__pair_name *name)
{
	return (tl_str){name->b, sizeof name->b};
}
void tl__pair_forget_places(tl__sync *sync, const tl__peer *peer, const tl_id *db);
/* The document of the places in the peer's order. */
void tl__pair_write_cursors(tl__buf *out, bool has_sure, const tl__v1_cursor *sure, bool has_seen,
	const tl__v1_cursor *seen, int64_t since);
void tl__pair_save_cursors(tl__sync *sync, tl__pair *pair);

/* --- pair_record.c: relations of sets that are gone --------------------------------------------- */

/* Its places stay, it goes; false: without memory, or with too many of them. */
bool tl__rest_begin(tl__sync *sync, const tl__pair *pair);
void tl__rest_over(tl__sync *sync, tl__pair *pair); /* it is there again, and gets them */
bool tl__rests_hold(const tl__sync *sync, const tl_key *peer, const tl_id *db);
/* Documents of a pair that is not there. */
int tl__rest_load(tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str document) TL_MUST_USE;
int tl__rest_load_cursors(
	tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str document) TL_MUST_USE;
void tl__rests_forget_old(tl__sync *sync);
void tl__rests_forget(tl__sync *sync, const tl__peer *peer); /* it goes, too */
/* The node closes: from when on they are kept is written down. */
void tl__rests_save(tl__sync *sync);
void tl__rests_free(tl__sync *sync);

/* --- pair_options.c --------------------------------------------------------------------------- */

int tl__pair_options_check(const tl_pair_options *given) TL_MUST_USE;
tl__pair_options *tl__pair_options_new(const tl_pair_options *given); /* NULL: no memory */
void tl__pair_options_free(tl__pair_options *options);                /* NULL is fine */
bool tl__pair_options_same(const tl__pair_options *has, const tl_pair_options *given);
/* Tags or options are others: what is in force, and what follows. Options that were must live until
 * then. */
void tl__pair_judge(tl__sync *sync, tl__pair *pair);
/* It is paused, and no command asks for it by name. */
bool tl__pair_rests(const tl__pair *pair);
/* Commits are to be sent as they come. */
bool tl__pair_on_commit(const tl__sync *sync, const tl__pair *pair);
void tl__pair_put_options(const tl__sync *sync, const tl__pair *pair, tl__buf *out);
/* By hand: NULL takes them away. There need be no such pair. */
int tl__pair_configure(
	tl__sync *sync, tl__peer *peer, const tl_id *db, const tl_pair_options *given) TL_MUST_USE;
int tl__pair_options_load(
	tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str document) TL_MUST_USE;
void tl__pair_options_forget(tl__sync *sync, const tl__peer *peer);
void tl__pair_options_free_all(tl__sync *sync);

/* --- rate.c ----------------------------------------------------------------------------------- */

/* What a verdict about this peer says holds it. */
void tl__rate_hold(
	tl__sync *sync, const tl_policy_question *question, const tl_policy_verdict *verdict);
void tl__rates_forget(tl__sync *sync); /* there is another policy */
/* Of a page that may have so many bytes, those that it may have by rates. Pairs may be NULL. */
size_t tl__rate_page(const tl__sync *sync, const tl_key *key, const tl__pair *pair, size_t bytes);
/* So much moved, in whichever direction. */
void tl__rate_spend(tl__sync *sync, const tl_key *key, tl__pair *pair, uint64_t bytes);
/* Monotonic: not before then; what lies behind is paid. */
uint64_t tl__rate_free_at(const tl__sync *sync, const tl_key *key, const tl__pair *pair);

/* --- relations.c ------------------------------------------------------------------------------ */

void tl__relations_begin(tl__sync *sync, const tl__sync_command *command);
void tl__relations_slice(tl__sync *sync, const tl__sync_command *command);
void tl__relations_end(tl__sync *sync, const tl__sync_command *command);
/* A tag of one relation is stored or a set's, never both: TL_E_BAD_ARGUMENT when it is the other.
 */
int tl__relations_check_tag(
	const tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str text, bool set);

/* --- record.c: README.md, Stored records ------------------------------------------------------ */

typedef struct tl__sync_outcome {
	int64_t started; /* wall */
	uint64_t milliseconds, entries, bytes;
	int code;
	const char *error;
	bool has_entry;
	tl_id entry; /* the newest that moved */
} tl__sync_outcome;

void tl__record_exchange(tl__sync *sync, tl__pair *pair, const tl__sync_outcome *outcome);
/* One that the other side began; it need be neither a peer nor related. */
void tl__record_served(
	tl__sync *sync, const tl_key *key, const tl_id *db, const tl__sync_outcome *outcome);
/* Adds what a page brought. */
void tl__outcome_took(tl__sync_outcome *outcome, const tl__work_ingest *in);
/* Metadata and history of a key, of which `kept` records stay, are removed. */
void tl__record_forget(
	tl__sync *sync, const char *key, const tl__sync_metadata *metadata, unsigned kept);
int tl__record_load_cursor(tl__pair *pair, tl_str document) TL_MUST_USE;
int tl__record_load_metadata(tl__sync_metadata *out, tl_str document) TL_MUST_USE;

/* Whether this is how a peer, or a policy, says no: trying again changes nothing by itself. */
bool tl__sync_is_refusal(int code);
uint64_t tl__pair_waits_until(const tl__pair *pair); /* monotonic; 0 or past: it need not */

/* "0.0.0.0:…" and "[::]:…" are places to listen at, nowhere to dial. */
bool tl__address_is_wildcard(const tl_address *address);
/* hello.c */
void tl__hello_write(tl__sync *sync, tl__buf *args);
/* What a proven peer says of itself goes into its record; its addresses count as unproven until it
 * answers there. True: its addresses are others now, to be stored. Either half. */
bool tl__hello_heard(tl__sync *sync, tl__peer *peer, const tl__v1_hello *hello);

/* What the pages of an exchange brought since the last one that entered. */
typedef struct tl__gain {
	unsigned idle, barren; /* pages: of no use, declined by us */
	uint64_t lines, invalid, waiting, declined, no_room;
	uint64_t known; /* ever */
	bool doubted;   /* what the peer gave last was of no use: the first such page is enough */
} tl__gain;

/* gain.c: after each page that was stored. TL_OK; TL_E_SYNC_PROTOCOL_ERROR: so many in a row were
 * of no use that the exchange is to end. */
int tl__gain_page(tl__gain *gain, const tl__work_ingest *in) TL_MUST_USE;

/* --- client.c --------------------------------------------------------------------------------- */

/* A proven request came; then what its hello says, and how far it says it is. Unknown keys are
 * passed over by the latter two. */
void tl__client_heard(tl__sync *sync, const tl_key *key, const char *address);
void tl__client_said(tl__sync *sync, const tl_key *key, tl_str name);
tl__limits *tl__client_limits(const tl__sync *sync, const tl_key *key); /* NULL: nobody came */
void tl__clients_unlimited(tl__sync *sync);
const char *tl__client_said_name(const tl__sync *sync, const tl_key *key); /* NULL: nothing */
void tl__client_at(tl__sync *sync, const tl_key *key, const tl_id *db, uint64_t acknowledged);
void tl__clients_timer(tl__sync *sync); /* tells who has gone */
/* For counting; NULL: no memory. */
tl__sync_metadata *tl__client_count(tl__sync *sync, const tl_key *key);
void tl__clients_init(tl__clients *clients);
void tl__clients_free(tl__sync *sync);

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

#endif
