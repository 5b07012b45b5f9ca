/* A bare client of protocol v1: a key, what it knows of a hub, requests as bytes, connections. No
 * store, no thread; what it says is made by runtime/wire. */
#ifndef SPEC_BENCH_BARE_H
#define SPEC_BENCH_BARE_H

#include <netinet/in.h>
#include "base/buf.h"
#include "bench.h"
#include "wire/v1.h"

typedef struct bare {
	tl_secret secret;
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	uint8_t process[TL__V1_NONCE_PROCESS];
	uint64_t number; /* of requests */
} bare;

typedef struct bare_hub {
	struct sockaddr_in at;
	tl_key key;
	uint8_t epoch[TL__V1_EPOCH_BYTES];
} bare_hub;

void bare_new(bare *b);
/* A hello that is not signed for anybody: whose key and which epoch it is. */
void bare_meet(bare_hub *hub, const tl_address *at);

typedef struct bare_ask {
	const char *method;
	const tl_id *db; /* NULL: none */
	tl_str args, body;
	const bare *provers; /* keys that are proven beside the device key */
	size_t prover_count;
} bare_ask;

/* Appends a whole POST; what is wanted of it is asked of the buffer. */
void bare_write(tl__buf *out, bare *who, const bare_hub *hub, const bare_ask *ask);
/* The same around any bytes. */
void bare_post(tl__buf *out, const char *path, const char *type, tl_str body);

/* One connection, one request at a time. */
typedef struct bare_line {
	int fd; /* -1: none */
	tl__buf in;
	size_t taken; /* of `in`, by the answer told last */
} bare_line;

#define BARE_LINE_INIT ((bare_line){-1, TL__BUF_INIT, 0})

/* `source` is a numeric address of ours to dial from, NULL any. Non-blocking once it stands. */
void bare_dial(bare_line *line, const bare_hub *hub, const char *source);
void bare_close(bare_line *line);
/* All of it; false: the connection is gone. */
bool bare_send(bare_line *line, tl_str bytes);

typedef struct bare_answer {
	int status;
	tl_str body; /* a view, until the next call with this line; without HTTP's chunks only */
	bool closes;
} bare_answer;

typedef enum bare_state { BARE_WAITS, BARE_WHOLE, BARE_GONE } bare_state;

/* Reads what is there, without waiting. */
bare_state bare_take(bare_line *line, bare_answer *out);
/* The same, waiting; ends the program when the connection does, or after a minute. */
void bare_await(bare_line *line, bare_answer *out);

/* An answer of the hub, signed by its key; ends the program when it is none. */
typedef struct bare_heard {
	tl__v1_response header;
	tl_str body;
} bare_heard;
void bare_hear(bare_heard *out, const bare_hub *hub, tl_str frame);
/* Its two halves. */
void bare_read(bare_heard *out, tl_str frame);
void bare_verify(const bare_hub *hub, tl_str frame);

#endif
