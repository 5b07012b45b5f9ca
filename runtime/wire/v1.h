/* Protocol v1 between two tidelock peers: envelope and bodies. Pure: bytes <-> structs, and the
 * signatures over them. Normative text: runtime/wire/README.md. */
#ifndef TL_WIRE_V1_H
#define TL_WIRE_V1_H

#include <string.h>
#include <tidelock/auth.h>
#include "base/arena.h"
#include "base/buf.h"

#define TL__V1_PATH_PREFIX      "/tidelock/v1/"
#define TL__V1_CONTENT_TYPE     "application/tidelock"
#define TL__V1_MAX_HEADER_BYTES 65536
#define TL__V1_MAX_KEYS         16
#define TL__V1_MAX_BODY_BYTES   (1024u * 1024)
/* A body over TL__V1_MAX_BODY_BYTES is one entry line and nothing else. */
#define TL__V1_MAX_LARGE_BODY   (TL_ENTRY_MAX_BYTES + 1)
#define TL__V1_MAX_PAGE_ENTRIES 1000
#define TL__V1_MAX_WANT         1000
#define TL__V1_MAX_HAVE         4096
#define TL__V1_MAX_TIPS         4096
#define TL__V1_MAX_TEXT         255 /* bytes of a name, an address or a channel */
#define TL__V1_MAX_ADDRESSES    16
#define TL__V1_MAX_FEATURES     16
#define TL__V1_CODE_BLOCKED     "peer_blocked" /* with not_permitted: nothing is served to it */
#define TL__V1_CODE_RATE        "rate"         /* with busy: what passed before is paid by time */
#define TL__V1_MAX_CODE         64             /* bytes of a code, an address type or a feature */
#define TL__V1_MAX_WAITS        8              /* so that the fates of a full page fit a body */
#define TL__V1_MAX_LIST_TIPS    16
#define TL__V1_MAX_WATCH_LINES  256 /* databases of one watch */
#define TL__V1_MAX_HOLD_MS      55000
#define TL__V1_HOLD_EARLY       64 /* a hold may end this part of its time before its end */
#define TL__V1_MAX_WATCH_BYTES  (64u * 1024)    /* of the entries in its answer */
#define TL__V1_FEATURE_WATCH    "watch"         /* in hello: it answers watch */
#define TL__V1_FEATURE_STATE    "state"         /* it takes and answers `state` in pull and push */
#define TL__V1_FEATURE_SHARE    "share"         /* it takes `share` in access */
#define TL__V1_CODE_NO_SHARE    "unknown_share" /* with not_available */
#define TL__V1_CODE_EXPIRED     "share_expired" /* this and the next: access refused */
#define TL__V1_CODE_USED        "share_used"
#define TL__V1_NONCE_BYTES      16
#define TL__V1_EPOCH_BYTES      16
#define TL__V1_CLOCK_SKEW_MS    60000
#define TL__V1_NONCE_KEPT_MS    120000      /* by the monotonic clock */
#define TL__V1_NONCE_PROCESS    8           /* bytes that name the process; its number follows */
#define TL__V1_NONCE_PROCESSES  4           /* of one key that are told apart */
#define TL__V1_NONCE_WINDOW     1024        /* numbers below the highest that may still come */
#define TL__V1_OFFSET_TRUST_MS  10000       /* slower round trips do not set a clock offset */
#define TL__V1_MAX_TIME         (1LL << 53) /* of a time or an offset that anybody is believed */

/* X(symbol, name) */
#define TL__V1_STATUSES(X)                                                                         \
	X(OK, "ok")                                                                                \
	X(BAD_REQUEST, "bad_request")                                                              \
	X(WRONG_RECIPIENT, "wrong_recipient")                                                      \
	X(VERSION, "version")                                                                      \
	X(UNKNOWN_METHOD, "unknown_method")                                                        \
	X(CLOCK_SKEW, "clock_skew")                                                                \
	X(STALE_EPOCH, "stale_epoch")                                                              \
	X(REPLAYED, "replayed")                                                                    \
	X(BUSY, "busy")                                                                            \
	X(TOO_LARGE, "too_large")                                                                  \
	X(NOT_AVAILABLE, "not_available")                                                          \
	X(NOT_PERMITTED, "not_permitted")                                                          \
	X(DECLINED, "declined")                                                                    \
	X(KEY_MISMATCH, "key_mismatch")                                                            \
	X(CHANNEL_MISMATCH, "channel_mismatch")                                                    \
	X(V0_KEY, "v0_key")                                                                        \
	X(DOWNGRADE_REFUSED, "downgrade_refused")                                                  \
	X(INTERNAL, "internal")

typedef enum tl__v1_status {
#define TL__V1_STATUS_ENUM(symbol, name) TL__V1_##symbol,
	TL__V1_STATUSES(TL__V1_STATUS_ENUM)
#undef TL__V1_STATUS_ENUM
		TL__V1_STATUS_COUNT
} tl__v1_status;

const char *tl__v1_status_name(tl__v1_status status);
int tl__v1_status_parse(tl__v1_status *out, tl_str name) TL_MUST_USE; /* TL_E_BAD_MESSAGE */

typedef enum tl__v1_method {
	TL__V1_HELLO,
	TL__V1_LIST,
	TL__V1_PULL,
	TL__V1_PUSH,
	TL__V1_ACCESS,
	TL__V1_WATCH,
	TL__V1_METHOD_COUNT
} tl__v1_method;

const char *tl__v1_method_name(tl__v1_method method);
int tl__v1_method_parse(tl__v1_method *out, tl_str name) TL_MUST_USE;

/* Request header, members in this order on the wire:
 * to from method db time nonce epoch channel keys body_len body_sha256 args */
typedef struct tl__v1_request {
	bool has_to; /* hello may have "to": null */
	tl_key to;
	tl_key from;
	tl_str method; /* name as received: the path must equal it; may be none we know */
	bool has_db;
	tl_id db;
	int64_t time; /* Unix ms */
	uint8_t nonce[TL__V1_NONCE_BYTES];
	bool has_epoch;
	uint8_t epoch[TL__V1_EPOCH_BYTES]; /* responder's, as last heard; null only in hello */
	tl_str channel;
	tl_key keys[TL__V1_MAX_KEYS];
	size_t key_count;
	uint64_t body_len;
	uint8_t body_sha256[32];
	tl_str args; /* JSON object text, verbatim */
} tl__v1_request;

/* Response header: re status time epoch channel body_len body_sha256 args */
typedef struct tl__v1_response {
	uint8_t re[32];
	tl__v1_status status;
	int64_t time;
	uint8_t epoch[TL__V1_EPOCH_BYTES];
	tl_str channel;
	uint64_t body_len;
	uint8_t body_sha256[32];
	tl_str args;
} tl__v1_response;

/* A frame up to its body: u32 header length, header, signatures. Views into the caller's bytes. */
typedef struct tl__v1_frame {
	tl_str header;
	size_t signature_count; /* 1 device signature, then one a proof */
	const uint8_t *signatures;
	size_t size; /* bytes before the body */
} tl__v1_frame;

/* How many bytes the frame needs, judged from the first `len`: TL_OK with *need > len when more are
 * to come, *need <= len when all are there; TL_E_BAD_MESSAGE / TL_E_TOO_LARGE when it is none. */
int tl__v1_frame_need(const void *bytes, size_t len, size_t *need) TL_MUST_USE;
/* All of the frame's bytes must be there. */
int tl__v1_frame_read(tl__v1_frame *out, const void *bytes, size_t len) TL_MUST_USE;

/* Header texts are strict: exactly the members, each once, compact. Views into `header`, so texts
 * with escapes are refused (no member needs any, but args, which is taken verbatim). */
int tl__v1_request_read(tl__v1_request *out, tl_str header) TL_MUST_USE;
int tl__v1_response_read(tl__v1_response *out, tl_str header) TL_MUST_USE;

/* Builds frame and body. body_len and body_sha256 are filled from `body`; proofs are made with
 * `secrets`, whose public keys become `keys`. *re (may be NULL) is the hash a response must carry.
 */
int tl__v1_request_write(tl__buf *out, tl__v1_request *message, const tl_secret *device,
	const tl_secret *const *secrets, size_t secret_count, tl_str body,
	uint8_t re[32]) TL_MUST_USE;
int tl__v1_response_write(
	tl__buf *out, tl__v1_response *message, const tl_secret *device, tl_str body) TL_MUST_USE;

/* TL_OK or TL_E_BAD_SIGNATURE. */
int tl__v1_verify_request(const tl__v1_frame *frame, const tl_key *from) TL_MUST_USE;
int tl__v1_verify_proof(const tl__v1_frame *frame, size_t index, const tl_key *key) TL_MUST_USE;
int tl__v1_verify_response(const tl__v1_frame *frame, const tl_key *by) TL_MUST_USE;
/* SHA-256 of the request's device-signed message, for `re`. */
int tl__v1_request_hash(const tl__v1_frame *frame, uint8_t re[32]) TL_MUST_USE;

/* Nonces (v1_nonce.c): which process of the requester, and the number of the request. */
void tl__v1_nonce_write(uint8_t out[TL__V1_NONCE_BYTES],
	const uint8_t process[TL__V1_NONCE_PROCESS], uint64_t number);
uint64_t tl__v1_nonce_number(const uint8_t nonce[TL__V1_NONCE_BYTES]);

/* What a request of this method must look like beyond its members: `to` and `epoch` null only in
 * hello, `db` null exactly in hello and list, as many proofs as keys, no key twice.
 * TL_E_BAD_MESSAGE, or TL_E_UNSUPPORTED when the method is none that we know. */
int tl__v1_request_form(const tl__v1_frame *frame, const tl__v1_request *request,
	tl__v1_method *method) TL_MUST_USE;

/* A refusal before the device signature is checked: fixed bytes, unsigned, no frame (its header
 * length is 0). Proves nothing: for logs only. */
void tl__v1_write_unsigned(tl__buf *out, tl__v1_status status);
/* Whether these bytes are one. */
bool tl__v1_read_unsigned(tl__v1_status *out, const void *bytes, size_t len);

/* --- args ------------------------------------------------------------------------------------- */

/* Writers append one compact object; callers ask tl__buf_status. Readers take exactly that form:
 * the members in their order, nothing else (TL_E_BAD_MESSAGE; TL_E_TOO_LARGE over a limit named
 * above). Texts without escapes are views into `args`, others are copied into `memory`. */

/* Place in a responder's arrival order: valid only if all three match there. */
#define TL__V1_INCARNATION_BYTES 16
typedef struct tl__v1_cursor {
	uint8_t incarnation[TL__V1_INCARNATION_BYTES]; /* of the store */
	uint64_t n;                                    /* arrival number; 0 = before the first */
	uint8_t c[16];                                 /* first bytes of chain_n */
} tl__v1_cursor;

/* Places of one and the same store can be compared. */
static inline bool tl__v1_same_store(const tl__v1_cursor *a, const tl__v1_cursor *b)
{
	return memcmp(a->incarnation, b->incarnation, sizeof a->incarnation) == 0;
}

static inline bool tl__v1_is_before(const tl__v1_cursor *a, const tl__v1_cursor *b)
{
	return a->n < b->n && tl__v1_same_store(a, b);
}

/* The tips of one snapshot. Listed ones are lines of the body, ascending. More than TL__V1_MAX_TIPS
 * are told as count and hash only. */
typedef struct tl__v1_tips {
	uint64_t count;
	bool hashed; /* not listed */
	uint8_t sha256[32];
} tl__v1_tips;

/* SHA-256 of the ascending list, each id as its TL_ID_BYTES bytes. */
void tl__v1_tips_hash(const tl_id *ids, size_t count, uint8_t sha256[32]);

/* hello, both ways: statements by the sender's key, not facts. */
typedef struct tl__v1_hello {
	tl_key key;  /* the sender's device key: `from` of a request, the signer of an answer */
	tl_str name; /* of the node; may be empty */
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	struct {
		tl_str type, address;
	} addresses[TL__V1_MAX_ADDRESSES]; /* where it listens */
	size_t address_count;
	uint64_t max_body_bytes;              /* it takes at least one entry, whatever this says */
	uint64_t max_page_entries;            /* at least 1 */
	tl_str features[TL__V1_MAX_FEATURES]; /* names; unknown ones are passed over */
	size_t feature_count;
} tl__v1_hello;

void tl__v1_write_hello(tl__buf *args, const tl__v1_hello *hello);
int tl__v1_read_hello(tl__v1_hello *out, tl_str args, tl__arena *memory) TL_MUST_USE;

/* list: the databases that the proven keys may read, ascending, page by page. */
typedef struct tl__v1_list {
	bool has_after;
	tl_id after; /* go on behind this one */
} tl__v1_list;

void tl__v1_write_list(tl__buf *args, const tl__v1_list *list);
int tl__v1_read_list(tl__v1_list *out, tl_str args) TL_MUST_USE;
/* Its answer: only whether more follow behind the last line. */
void tl__v1_write_listing(tl__buf *args, bool more);
int tl__v1_read_listing(bool *more, tl_str args) TL_MUST_USE;

typedef struct tl__v1_pull {
	bool has_cursor;
	tl__v1_cursor cursor; /* in the responder's order: where to go on; none = from 0 */
	bool has_seen;
	tl__v1_cursor seen; /* in the responder's order: how far the requester has got. Valid: the
			       responder's acknowledged number; not valid: that restarts at 0 */
	uint64_t budget;    /* bytes of entry lines wanted; at least one entry comes all the same */
	tl__v1_tips tips;   /* of the requester; none when it lacks the root */
	bool state;         /* the answer tells how much is left (TL__V1_FEATURE_STATE) */
} tl__v1_pull;

void tl__v1_write_pull(tl__buf *args, const tl__v1_pull *pull);
int tl__v1_read_pull(tl__v1_pull *out, tl_str args) TL_MUST_USE;

/* Answer to pull. */
typedef struct tl__v1_page {
	tl__v1_cursor
		cursor;    /* where the next pull goes on; always there, also with an empty page */
	bool more;         /* scan or budget ended first: ask again at once */
	bool seen_valid;   /* the request's `seen` was valid (true when it had none) */
	bool cursor_valid; /* the request's `cursor` was valid (true when it had none); if not, this
			      page starts from 0 */
	bool has_tips;     /* always at more = false; same snapshot as the cursor */
	tl__v1_tips tips;
	bool has_left; /* exactly when the request said `state` */
	uint64_t left; /* arrivals behind the cursor */
} tl__v1_page;

void tl__v1_write_page(tl__buf *args, const tl__v1_page *page);
int tl__v1_read_page(tl__v1_page *out, tl_str args) TL_MUST_USE;

typedef struct tl__v1_push {
	bool has_seen;
	tl__v1_cursor seen; /* as in pull: the sender's cursor on the responder */
	/* Everything of the sender's order in (from, to] is in this push or held by the responder
	 * already: whose place is `from` or behind it moves to `to`. Only with `state`. */
	bool has_place;
	uint64_t from;
	tl__v1_cursor to;
	bool state; /* the answer tells where the responder stands */
} tl__v1_push;

void tl__v1_write_push(tl__buf *args, const tl__v1_push *push);
int tl__v1_read_push(tl__v1_push *out, tl_str args) TL_MUST_USE;

/* Answer to push. The cursor moves from `seen` (none: 0) to the largest m such that every arrival
 * in (n, m] was contained in this push. */
typedef struct tl__v1_fates {
	bool seen_valid;
	bool has_cursor; /* false when `seen` was not valid */
	tl__v1_cursor cursor;
	/* Where the responder stands behind this push: exactly when the request said `state`. */
	bool has_state;
	uint64_t arrivals, tip_count;
	uint8_t tips_sha256[32];
} tl__v1_fates;

void tl__v1_write_fates(tl__buf *args, const tl__v1_fates *fates);
int tl__v1_read_fates(tl__v1_fates *out, tl_str args) TL_MUST_USE;

typedef struct tl__v1_access {
	tl_key key;  /* must be among the proven keys: the caller checks */
	tl_str name; /* for the key record; not empty, not "*", no dot, <= TL__V1_MAX_TEXT */
	tl_permission permission;
	bool has_share; /* only to whoever's hello has the feature */
	tl_key share;   /* of the token of a share: among the proven keys, too */
} tl__v1_access;

void tl__v1_write_access(tl__buf *args, const tl__v1_access *access);
int tl__v1_read_access(tl__v1_access *out, tl_str args, tl__arena *memory) TL_MUST_USE;

typedef enum tl__v1_access_result {
	TL__V1_ACCESS_GRANTED,
	TL__V1_ACCESS_PENDING,
	TL__V1_ACCESS_REFUSED
} tl__v1_access_result;

typedef struct tl__v1_access_answer {
	tl__v1_access_result result;
	tl_permission permission; /* of granted: what the key has now */
	tl_str request_id;        /* of pending: [A-Za-z0-9_-], <= TL__V1_MAX_CODE */
	tl_str code;              /* of refused: why */
} tl__v1_access_answer;

void tl__v1_write_access_answer(tl__buf *args, const tl__v1_access_answer *answer);
int tl__v1_read_access_answer(tl__v1_access_answer *out, tl_str args) TL_MUST_USE;

/* watch: lines `watch` name the databases, each with the requester's place in the responder's
 * order, which acknowledges as `seen` does. */
typedef struct tl__v1_watch {
	uint64_t hold_ms; /* at most so long without an answer; <= TL__V1_MAX_HOLD_MS */
} tl__v1_watch;

void tl__v1_write_watch(tl__buf *args, const tl__v1_watch *watch);
int tl__v1_read_watch(tl__v1_watch *out, tl_str args) TL_MUST_USE;

/* Its answer: a page of one database (all behind the place told, at most TL__V1_MAX_WATCH_BYTES),
 * or none. Lines `absent` name databases that may not be read, `moved` others that are ahead. */
typedef struct tl__v1_watched {
	bool has_page;
	tl_id db;
	tl__v1_cursor cursor;
	tl__v1_tips tips; /* same snapshot as the cursor */
} tl__v1_watched;

void tl__v1_write_watched(tl__buf *args, const tl__v1_watched *watched);
int tl__v1_read_watched(tl__v1_watched *out, tl_str args) TL_MUST_USE;

/* Args of every answer whose status is not ok; its body is empty. Time and epoch of the refuser are
 * in the signed header. */
typedef struct tl__v1_refusal {
	tl_str code;      /* more than the status says; empty = nothing */
	uint64_t wait_ms; /* do not ask again before; 0 = nothing said */
} tl__v1_refusal;

void tl__v1_write_refusal(tl__buf *args, const tl__v1_refusal *refusal);
int tl__v1_read_refusal(tl__v1_refusal *out, tl_str args) TL_MUST_USE;

/* --- bodies ----------------------------------------------------------------------------------- */

/* A body is lines, each closed by a line feed. An entry line holds canonical bytes and begins with
 * `{"tree"`; the others are objects whose first member names the kind. */
typedef enum tl__v1_line_kind {
	TL__V1_LINE_TIP,
	TL__V1_LINE_HAVE,   /* the requester holds this one (its ancestors are not implied) */
	TL__V1_LINE_WANT,   /* the requester asks for this one, whatever the cursor */
	TL__V1_LINE_ABSENT, /* answer to a want: the responder has none */
	TL__V1_LINE_ENTRY,
	TL__V1_LINE_FATE,
	TL__V1_LINE_DATABASE,
	TL__V1_LINE_WATCH, /* a database to be watched, and the place */
	TL__V1_LINE_MOVED, /* it is ahead of the place */
	TL__V1_LINE_COUNT
} tl__v1_line_kind;

/* Of a pushed entry. */
typedef enum tl__v1_fate {
	TL__V1_FATE_VERIFIED,
	TL__V1_FATE_VOID,
	TL__V1_FATE_KNOWN,
	TL__V1_FATE_PENDING,
	TL__V1_FATE_INVALID,
	TL__V1_FATE_DECLINED,
	TL__V1_FATE_COUNT
} tl__v1_fate;

typedef struct tl__v1_line {
	tl__v1_line_kind kind;
	tl_str entry; /* an entry line's text */
	bool has_id;  /* always true but in fates of lines that were no entry */
	tl_id id;     /* of the other kinds */
	tl__v1_fate fate;
	tl_str code;                       /* of invalid and declined: an error name */
	tl_id waits_for[TL__V1_MAX_WAITS]; /* of pending: the first ones */
	size_t waits_count;
	uint64_t arrivals; /* of database and moved: its arrival number */
	uint64_t tip_count;
	tl_id tips[TL__V1_MAX_LIST_TIPS]; /* of database: the first ones, as many as there are */
	bool has_cursor;                  /* of watch: none = nothing is held yet */
	tl__v1_cursor cursor;
} tl__v1_line;

void tl__v1_write_line(tl__buf *body, const tl__v1_line *line);
/* Short forms. */
void tl__v1_write_id(tl__buf *body, tl__v1_line_kind kind, const tl_id *id);
void tl__v1_write_entry(tl__buf *body, tl_str canonical);

/* Takes the next line off *body (ptr and len move); false at the end. A rest without a line feed is
 * a line too; tl__v1_body_next refuses it. */
bool tl__v1_next_line(tl_str *body, tl_str *line);
/* Reads one line of any kind, without its line feed. Entry texts are not looked into. */
int tl__v1_read_line(tl__v1_line *out, tl_str line) TL_MUST_USE;

/* Which lines a body may hold, in this order. */
typedef enum tl__v1_body_form {
	TL__V1_BODY_EMPTY, /* hello, list request, access, refusals */
	TL__V1_BODY_LIST,  /* answer to list: databases, ascending */
	TL__V1_BODY_PULL,  /* tips, have, want, each ascending */
	TL__V1_BODY_PAGE,  /* tips, absent, each ascending; entries: wanted ones, then by arrival */
	TL__V1_BODY_PUSH,  /* entries, parents first */
	TL__V1_BODY_FATES, /* one for each line of the push, in its order */
	TL__V1_BODY_WATCH, /* databases to be watched, ascending */
	TL__V1_BODY_WATCHED, /* tips, absent, each ascending; entries; moved, ascending */
	TL__V1_BODY_FORM_COUNT
} tl__v1_body_form;

/* A walk over a body; private but for `count`. */
typedef struct tl__v1_body {
	tl_str rest;
	tl__v1_body_form form;
	bool large; /* over TL__V1_MAX_BODY_BYTES: one entry */
	uint64_t tips_told;
	tl__v1_line_kind last_kind;
	tl_id last_id;
	size_t count[TL__V1_LINE_COUNT]; /* lines told so far of each kind */
} tl__v1_body;

/* `tips` as the args tell them; NULL when they tell none. TL_E_TOO_LARGE when the body is longer
 * than such a body may be. The bytes must outlive the walk; nothing to release. */
int tl__v1_body_open(
	tl__v1_body *out, tl__v1_body_form form, tl_str bytes, const tl__v1_tips *tips) TL_MUST_USE;
/* The next line, checked: kind, order, limits (TL_E_BAD_MESSAGE, TL_E_TOO_LARGE); *end at the end,
 * where the number of tips must be the one told. */
int tl__v1_body_next(tl__v1_body *body, tl__v1_line *line, bool *end) TL_MUST_USE;

#endif
