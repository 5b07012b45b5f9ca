/* Protocol v1 between two tidelock peers: envelope and bodies. Pure: bytes <-> structs, and the
 * signatures over them. Normative text: runtime/wire/README.md. */
#ifndef TL_WIRE_V1_H
#define TL_WIRE_V1_H

#include <tidelock/auth.h>
#include "base/buf.h"

#define TL__V1_PATH_PREFIX      "/tidelock/v1/"
#define TL__V1_CONTENT_TYPE     "application/tidelock"
#define TL__V1_MAX_HEADER_BYTES 65536
#define TL__V1_MAX_KEYS         16
#define TL__V1_MAX_BODY_BYTES   (1024u * 1024)
#define TL__V1_MAX_PAGE_ENTRIES 1000
#define TL__V1_MAX_WANT         1000
#define TL__V1_MAX_TIPS         4096
#define TL__V1_NONCE_BYTES      16
#define TL__V1_EPOCH_BYTES      16
#define TL__V1_CLOCK_SKEW_MS    60000

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
	const tl_secret *secrets, size_t secret_count, tl_str body, uint8_t re[32]) TL_MUST_USE;
int tl__v1_response_write(
	tl__buf *out, tl__v1_response *message, const tl_secret *device, tl_str body) TL_MUST_USE;

/* TL_OK or TL_E_BAD_SIGNATURE. */
int tl__v1_verify_request(const tl__v1_frame *frame, const tl_key *from) TL_MUST_USE;
int tl__v1_verify_proof(const tl__v1_frame *frame, size_t index, const tl_key *key) TL_MUST_USE;
int tl__v1_verify_response(const tl__v1_frame *frame, const tl_key *by) TL_MUST_USE;
/* SHA-256 of the request's device-signed message, for `re`. */
int tl__v1_request_hash(const tl__v1_frame *frame, uint8_t re[32]) TL_MUST_USE;

/* --- args and bodies -------------------------------------------------------------------------- */

/* Place in a responder's arrival order. */
#define TL__V1_INCARNATION_BYTES 16
typedef struct tl__v1_cursor {
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	uint64_t n;
	uint8_t c[16]; /* first bytes of chain_n */
} tl__v1_cursor;

typedef struct tl__v1_hello {
	tl_str name;
	uint8_t incarnation[TL__V1_INCARNATION_BYTES];
	struct {
		tl_str type, address;
	} addresses[16];
	size_t address_count;
	uint64_t max_page_bytes;
	tl_str features; /* JSON array text, verbatim */
} tl__v1_hello;

void tl__v1_write_hello(tl__buf *args, const tl__v1_hello *hello);
int tl__v1_read_hello(tl__v1_hello *out, tl_str args, tl__buf *memory) TL_MUST_USE;

typedef struct tl__v1_pull {
	bool has_cursor;
	tl__v1_cursor cursor; /* where to go on in the responder's order */
	bool has_seen;
	tl__v1_cursor seen; /* our last cursor as seen by the responder */
	uint64_t budget;    /* bytes */
	uint64_t tip_count; /* of the requester */
	bool has_tips_hash; /* more than TL__V1_MAX_TIPS: not listed, hashed */
	uint8_t tips_hash[32];
} tl__v1_pull;

void tl__v1_write_pull(tl__buf *args, const tl__v1_pull *pull);
int tl__v1_read_pull(tl__v1_pull *out, tl_str args) TL_MUST_USE;

typedef struct tl__v1_page {
	bool has_cursor; /* always in an answer to pull; optional in push */
	tl__v1_cursor cursor;
	bool more;
	uint64_t tip_count;
	bool has_tips_hash;
	uint8_t tips_hash[32];
	bool seen_valid; /* answer: the requester's `seen` was valid */
} tl__v1_page;

void tl__v1_write_page(tl__buf *args, const tl__v1_page *page);
int tl__v1_read_page(tl__v1_page *out, tl_str args) TL_MUST_USE;

/* Body lines, each closed by a line feed. An entry line begins with `{"tree"`, others are objects
 * with one of the members tip, have, want, absent, fate, database. */
typedef enum tl__v1_line_kind {
	TL__V1_LINE_ENTRY,
	TL__V1_LINE_TIP,
	TL__V1_LINE_HAVE,
	TL__V1_LINE_WANT,
	TL__V1_LINE_ABSENT,
	TL__V1_LINE_FATE,
	TL__V1_LINE_DATABASE
} tl__v1_line_kind;

typedef struct tl__v1_line {
	tl__v1_line_kind kind;
	tl_str entry;        /* text of an entry line */
	tl_id id;            /* of the others */
	tl_str fate;         /* verified void known pending invalid declined */
	tl_str code;         /* of invalid and declined; empty otherwise */
	tl_id waits_for[16]; /* of pending: the first ones */
	size_t waits_count;
	uint64_t arrivals; /* of database */
	tl_id tips[16];    /* of database: the first ones */
	size_t tip_count;
} tl__v1_line;

void tl__v1_write_line(tl__buf *body, const tl__v1_line *line);
/* Takes the next line off *body (ptr and len move); false at the end. */
bool tl__v1_next_line(tl_str *body, tl_str *line);
int tl__v1_read_line(tl__v1_line *out, tl_str line) TL_MUST_USE;

typedef struct tl__v1_access {
	tl_key key; /* must be among the proven keys */
	tl_str name;
	tl_permission permission;
} tl__v1_access;

void tl__v1_write_access(tl__buf *args, const tl__v1_access *access);
int tl__v1_read_access(tl__v1_access *out, tl_str args, tl__buf *memory) TL_MUST_USE;

#endif
