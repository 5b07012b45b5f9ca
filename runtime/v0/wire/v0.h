/* The protocol of eidetica 0.2.0: one request document, one response document, JSON. Pure: bytes
 * <-> structs. Format: runtime/v0/wire/README.md. Requests are bounded and read whole; responses
 * are read as a stream, entry by entry, because a bootstrap answer holds a whole database. */
#ifndef TL_WIRE_V0_H
#define TL_WIRE_V0_H

#include <tidelock/auth.h>
#include "base/json/json.h"
#include "wire/v0_path.h"

#define TL__V0_VERSION         0
#define TL__V0_CHALLENGE_BYTES 32
#define TL__V0_MAX_HANDSHAKE   (64u * 1024)
#define TL__V0_MAX_TIPS        4096
#define TL__V0_MAX_ADDRESSES   16
/* Longest member of an answer that is no entry: a list of tips or of trees. */
#define TL__V0_MAX_MEMBER_BYTES (4u * 1024 * 1024)

typedef struct tl__v0_address {
	tl_str type;
	tl_str address;
} tl__v0_address;

typedef struct tl__v0_handshake_request {
	tl_str device_id;
	tl_str public_key;
	tl_str display_name; /* ptr NULL = null */
	uint32_t protocol_version;
	tl_str challenge; /* raw bytes */
	tl__v0_address *listen_addresses;
	size_t address_count;
	bool tidelock_v1; /* the extra member `"tidelock":{"versions":[1]}` is there */
} tl__v0_handshake_request;

typedef struct tl__v0_tree_info {
	tl_str tree_id;
	uint64_t entry_count;
} tl__v0_tree_info;

typedef struct tl__v0_handshake_response {
	tl_str device_id;
	tl_str public_key;
	tl_str display_name;
	uint32_t protocol_version;
	tl_str challenge_response; /* raw bytes */
	tl_str new_challenge;      /* raw bytes */
	tl__v0_tree_info *trees;
	size_t tree_count;
	bool tidelock_v1;
} tl__v0_handshake_response;

typedef struct tl__v0_sync_tree {
	tl_str tree_id;
	tl_str *our_tips;
	size_t tip_count;
	tl_str peer_pubkey; /* ptr NULL = null, as in the next ones */
	tl_str requesting_key;
	tl_str requesting_key_name;
	bool has_permission;
	tl_permission permission;
} tl__v0_sync_tree;

typedef enum tl__v0_request_kind {
	TL__V0_HANDSHAKE,
	TL__V0_SYNC_TREE,
	TL__V0_SEND_ENTRIES
} tl__v0_request_kind;

/* A request as read; everything belongs to it and lives until tl__v0_request_free. */
typedef struct tl__v0_request {
	tl__v0_request_kind kind;
	tl__v0_handshake_request handshake;
	tl__v0_sync_tree sync_tree;
	tl_str *entries; /* SendEntries: the text of each entry as received */
	size_t entry_count;
	void *memory; /* private */
} tl__v0_request;

/* How a request that cannot be read is answered over HTTP, as 0.2.0 does. */
typedef enum tl__v0_refusal {
	TL__V0_NOT_JSON =
		400, /* not JSON, truncated, trailing data; also null, {} and two variants */
	TL__V0_TOO_LONG = 413, /* over TL__V0_MAX_REQUEST_BYTES, or a handshake over its limit */
	TL__V0_WRONG_SHAPE = 422
} tl__v0_refusal;

/* TL_OK, or TL_E_BAD_JSON / TL_E_BAD_MESSAGE / TL_E_TOO_LARGE (a named limit) / TL_E_NOMEM;
 * *refusal then holds the HTTP status. Entries are not looked into beyond being JSON objects. */
int tl__v0_request_read(tl__v0_request *out, tl_str document, tl__v0_refusal *refusal) TL_MUST_USE;
void tl__v0_request_free(tl__v0_request *request);

/* Writers append one document. */
void tl__v0_write_handshake_request(tl__buf *out, const tl__v0_handshake_request *message);
void tl__v0_write_handshake_response(tl__buf *out, const tl__v0_handshake_response *message);
void tl__v0_write_sync_tree(tl__buf *out, const tl__v0_sync_tree *message);
/* entries: canonical bytes. */
void tl__v0_write_send_entries(tl__buf *out, const tl_str *entries, size_t count);
void tl__v0_write_ack(tl__buf *out);
void tl__v0_write_count(tl__buf *out, uint64_t count);
void tl__v0_write_error(tl__buf *out, tl_str text);
void tl__v0_write_pending(tl__buf *out, tl_str request_id, tl_str message);
/* Answers that are streamed: begin, then each entry, then the end. */
void tl__v0_begin_bootstrap(tl__buf *out, tl_str tree_id, tl_str root_entry);
void tl__v0_stream_entry(tl__buf *out, tl_str entry, bool first);
void tl__v0_end_bootstrap(tl__buf *out, bool key_approved, const tl_permission *granted);
void tl__v0_begin_incremental(tl__buf *out, tl_str tree_id, const tl_str *their_tips, size_t count);
void tl__v0_end_incremental(tl__buf *out);

/* --- reading a response as a stream ----------------------------------------------------------- */

typedef enum tl__v0_response_kind {
	TL__V0_RESPONSE_NONE = 0, /* not known yet */
	TL__V0_RESPONSE_HANDSHAKE,
	TL__V0_RESPONSE_BOOTSTRAP,
	TL__V0_RESPONSE_INCREMENTAL,
	TL__V0_RESPONSE_PENDING,
	TL__V0_RESPONSE_ACK,
	TL__V0_RESPONSE_COUNT,
	TL__V0_RESPONSE_ERROR
} tl__v0_response_kind;

/* Everything but the entries; complete at the end. Texts belong to the reader. */
typedef struct tl__v0_response {
	tl__v0_response_kind kind;
	tl__v0_handshake_response handshake;
	tl_str tree_id;
	tl_str *their_tips;
	size_t tip_count;
	bool key_approved;
	bool has_granted;
	tl_permission granted;
	tl_str request_id;
	tl_str text; /* message or error */
	uint64_t count;
	uint64_t entry_count; /* entries told so far, the root included */
} tl__v0_response;

typedef struct tl__v0_reader tl__v0_reader;

/* Called for each entry in the order received; `is_root` for the root_entry of a bootstrap. The
 * text lives during the call only. A code other than TL_OK ends the reading with it. */
typedef int (*tl__v0_entry_call)(void *ud, tl_str text, bool is_root);

int tl__v0_reader_new(tl__v0_reader **out, tl__v0_entry_call entry, void *ud) TL_MUST_USE;
void tl__v0_reader_free(tl__v0_reader *reader); /* NULL is fine */
/* Members may come in any order; unknown ones are passed over. Errors as tl__v0_request_read's. An
 * entry over TL_ENTRY_MAX_BYTES is TL_E_TOO_LARGE. */
int tl__v0_reader_feed(tl__v0_reader *reader, const void *bytes, size_t len) TL_MUST_USE;
/* The document must be complete. */
int tl__v0_reader_finish(tl__v0_reader *reader) TL_MUST_USE;
const tl__v0_response *tl__v0_reader_response(const tl__v0_reader *reader);

#endif
