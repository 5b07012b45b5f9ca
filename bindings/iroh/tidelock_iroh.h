/* The Iroh plugin: endpoints that reach each other by key.
 *
 * A shared library of its own, loaded with dlopen(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) and never
 * unloaded. It exports one name, TL_IROH_SYMBOL, a function that gives the table of its calls. A
 * table whose `abi` is another than TL_IROH_ABI must not be used any further.
 *
 * An endpoint owns one thread. Calls only note what is to be done and return; what comes of it is
 * told by events, which next() hands out in batches. When the first event of a batch is there,
 * `wake` is called, once until next() has found nothing more. So a turn of the host is: woken →
 * next() until it gives 0, with calls in between → flush().
 *
 * Unless a comment says otherwise:
 * - All calls of one endpoint come from one thread, its host's. None blocks.
 * - What is passed in is copied before the call returns.
 * - A result is TL_IROH_OK or one of the negative codes below.
 * - Ids are never 0. One whose object is gone gives TL_IROH_UNKNOWN_ID, never another object.
 * - Times are milliseconds, lengths bytes, texts UTF-8.
 * - After fork() the child may not use the endpoints of its parent: calls give TL_IROH_STATE. */
#ifndef TIDELOCK_IROH_H
#define TIDELOCK_IROH_H

#include <stddef.h>
#include <stdint.h>

#define TL_IROH_ABI    1u
#define TL_IROH_SYMBOL "tl_iroh_plugin"

/* Limits of what is passed in; over them TL_IROH_BAD_ARGUMENT, for addresses TL_IROH_BAD_ADDRESS.
 */
#define TL_IROH_MAX_ADDRESS 4096u /* bytes of an address in any form */
#define TL_IROH_MAX_DIRECT  32u   /* direct addresses in one */
#define TL_IROH_MAX_ALPN    255u  /* bytes of a protocol name, at least 1 */
#define TL_IROH_MAX_ALPNS   16u   /* protocols that an endpoint serves */
#define TL_IROH_MAX_RELAYS  16u
#define TL_IROH_MAX_TOKEN   4096u  /* bytes of a relay's token */
#define TL_IROH_MAX_REASON  256u   /* bytes said when closing */
#define TL_IROH_PIECE       65536u /* bytes of one DATA event at most */

typedef struct tl_iroh tl_iroh;
typedef uint64_t tl_iroh_id;

enum tl_iroh_code {
	TL_IROH_OK = 0,
	TL_IROH_BAD_ARGUMENT = -1,
	TL_IROH_STATE = -2, /* not bound yet, closing, broken by a panic, or in a forked child */
	TL_IROH_UNKNOWN_ID = -3, /* never was, or its object is gone */
	TL_IROH_NO_SPACE = -4,   /* the buffer is too small; the length needed is told */
	TL_IROH_CANCELLED = -5,
	TL_IROH_TIMEOUT = -6,
	TL_IROH_BAD_ADDRESS = -7, /* no ticket, id, JSON or iroh:// address */
	TL_IROH_NO_ADDRESS = -8,  /* an id alone, and no lookup knows where it is */
	TL_IROH_OWN_ID = -9,      /* the endpoint itself was to be dialled */
	TL_IROH_ALPN = -10,       /* the other side does not offer this protocol */
	TL_IROH_CONNECT = -11,    /* the other side refused, or no connection for another reason */
	TL_IROH_LOST = -12,       /* the connection broke */
	TL_IROH_CLOSED = -13,    /* the other side closed it (`peer_code`), or it was closed here */
	TL_IROH_RESET = -14,     /* the other side gave up this stream (`peer_code`) */
	TL_IROH_TOO_LARGE = -15, /* the body is longer than was allowed */
	TL_IROH_BIND = -16,      /* no socket at the address asked for */
	TL_IROH_PANIC = -17,     /* the plugin failed inside; only close and free are left */
	TL_IROH_LIMIT = -18,     /* a limit of this endpoint's options */
	TL_IROH_RELAY_REFUSED = -19,    /* a relay did not take its token */
	TL_IROH_RELAY_UNREACHABLE = -20 /* no relay answered */
};

/* What a stream is reset with, so that the other side knows why. */
enum tl_iroh_reset {
	TL_IROH_RESET_SLOW = 408,     /* the body did not move */
	TL_IROH_RESET_LARGE = 413,    /* the body is too long */
	TL_IROH_RESET_GONE = 499,     /* the host gave up */
	TL_IROH_RESET_FAULT = 500,    /* the plugin failed inside */
	TL_IROH_RESET_NO_ANSWER = 504 /* the host did not answer in time */
};

/* --- options ---------------------------------------------------------------------------------- */

typedef struct tl_iroh_bytes {
	const uint8_t *bytes;
	size_t length;
} tl_iroh_bytes;

enum tl_iroh_relay_mode {
	TL_IROH_RELAY_DISABLED = 0,
	TL_IROH_RELAY_DEFAULT = 1, /* those of n0 */
	TL_IROH_RELAY_STAGING = 2, /* those that n0 tests with */
	TL_IROH_RELAY_LIST = 3
};

/* How ids become addresses. With NONE and no relays nothing is published or asked anywhere. */
enum tl_iroh_lookup { TL_IROH_LOOKUP_NONE = 0, TL_IROH_LOOKUP_N0 = 1, TL_IROH_LOOKUP_MDNS = 2 };

typedef struct tl_iroh_relay {
	const char *url; /* https:// or http:// */
	/* Of address discovery; 0 = none. With a port at which nothing listens being online takes
	 * three seconds. */
	uint32_t quic_port;
	uint32_t reserved;   /* 0 */
	tl_iroh_bytes token; /* empty = none. In no error and no log; the plugin wipes its copy,
				iroh keeps one as long as the endpoint lives. */
	/* DER of a root certificate, beside the usual ones; empty = none. Of a relay's own
	 * certificate only when that does not claim to be an authority's (CA:FALSE). */
	tl_iroh_bytes root;
} tl_iroh_relay;

/* Zero or NULL chooses what stands in brackets. */
typedef struct tl_iroh_options {
	size_t size;                /* of this struct */
	const uint8_t *secret_key;  /* 32 bytes [a new random one] */
	const tl_iroh_bytes *alpns; /* protocols that are served, best first [none: only dials] */
	size_t alpn_count;
	/* "127.0.0.1:0", "[::1]:0": the only socket [every address of both families]. */
	const char *bind;
	uint32_t relay_mode;         /* tl_iroh_relay_mode */
	uint32_t lookup;             /* tl_iroh_lookup */
	const tl_iroh_relay *relays; /* with TL_IROH_RELAY_LIST */
	size_t relay_count;
	/* From any thread of the plugin until free() has returned. It may only ring a bell. */
	void (*wake)(void *ud);
	void *ud;
	uint32_t max_connections; /* [1,024] taken; over it newcomers are refused before any work */
	uint32_t max_handshakes;  /* [64] under way at once; over it the same */
	/* [1,024] requests of others in work; over it they wait unread, and whose other side lets
	 * us wait for a second loses its place */
	uint32_t max_streams;
	uint32_t max_streams_per_connection; /* [256] that the other side may have open */
	uint32_t max_events;    /* [4,096] not handed out; over it bodies are read on later */
	uint32_t stream_window; /* [1 MiB] bytes of a body that wait here, each way */
	uint32_t handshake_ms;  /* [10,000] for one that others began */
	uint32_t
		idle_ms; /* [10,000, at least 6,000] without a sign of life: a connection is lost */
	uint32_t stream_ms; /* [30,000] in which a stream may stand still, whoever is to move it */
	uint32_t path_ms;   /* [4,000] without a sign of life: another path is taken */
} tl_iroh_options;

typedef struct tl_iroh_request_options {
	size_t size;
	uint64_t
		max_answer; /* bytes; over it the stream ends with TL_IROH_TOO_LARGE. 0 = nothing */
	uint32_t stream_ms; /* as in tl_iroh_options [the endpoint's] */
	uint32_t hold_ms;   /* how much longer the answer may be held back on purpose */
} tl_iroh_request_options;

/* --- events ----------------------------------------------------------------------------------- */

enum tl_iroh_event_kind {
	/* Final events of an operation, told once whatever happens; `code` says how it ended. */
	TL_IROH_EVENT_BOUND = 1,     /* of open(), operation 0: the endpoint can be used */
	TL_IROH_EVENT_ONLINE = 2,    /* of online() */
	TL_IROH_EVENT_CONNECTED = 3, /* of connect(): `connection`, `peer` when TL_IROH_OK */
	TL_IROH_EVENT_CLOSED = 4,    /* of close(): the last event of an endpoint */
	/* Of connections. */
	TL_IROH_EVENT_ACCEPTED = 5,     /* another one dialled: `peer`, its protocol as `bytes` */
	TL_IROH_EVENT_DISCONNECTED = 6, /* final: it is gone; its streams have ended */
	TL_IROH_EVENT_PATH =
		7, /* the way changed: flags RELAYED, UPGRADED, FELL_BACK; `bytes`: where to */
	/* Of streams. */
	TL_IROH_EVENT_REQUEST =
		8, /* a new stream of the other side, and the first piece of its body */
	TL_IROH_EVENT_DATA = 9,      /* a piece of a body, never more than TL_IROH_PIECE */
	TL_IROH_EVENT_WRITABLE = 10, /* write() takes something again */
	TL_IROH_EVENT_ENDED =
		11, /* final: the stream failed; `code`, `peer_code`, a text as `bytes` */
	/* Of the endpoint. */
	TL_IROH_EVENT_ADDRESS = 12, /* the own address changed: ask address() */
	TL_IROH_EVENT_BROKEN = 13 /* a panic was caught; everything open ends with TL_IROH_PANIC */
};

enum tl_iroh_event_flag {
	TL_IROH_FLAG_FIN = 1, /* REQUEST, DATA: the other side's body is complete */
	TL_IROH_FLAG_OVER =
		2, /* with FIN: ours is too, so the stream has ended and its id is gone */
	TL_IROH_FLAG_DIALLED = 4, /* CONNECTED, ACCEPTED: we dialled */
	/* CONNECTED, ACCEPTED: the one to keep when both dial at once, for both sides the same one:
	 * that which the smaller id dialled. */
	TL_IROH_FLAG_PREFERRED = 8,
	TL_IROH_FLAG_RELAYED = 16,  /* PATH: by a relay now */
	TL_IROH_FLAG_UPGRADED = 32, /* PATH: from a relay to a direct way */
	TL_IROH_FLAG_FELL_BACK = 64 /* PATH: from a direct way to a relay */
};

/* Lives, with what it points to, until the next call of next() or free(). */
typedef struct tl_iroh_event {
	uint32_t kind;
	int32_t code;
	uint32_t flags;
	uint32_t reserved;
	tl_iroh_id operation;
	tl_iroh_id connection;
	tl_iroh_id stream;
	uint64_t
		peer_code; /* what the other side gave as its reason, a number of its application */
	uint8_t peer[32];  /* CONNECTED, ACCEPTED: the other side's id, proven by the handshake */
	const uint8_t *bytes; /* a piece, or a text (one line, no secrets) that says why */
	size_t length;
} tl_iroh_event;

/* How a connection stands now. */
typedef struct tl_iroh_connection_info {
	size_t size;
	uint32_t relayed;        /* 1: the chosen path leads over a relay */
	uint32_t paths;          /* open ones; 0: none is chosen yet */
	uint64_t round_trip_us;  /* of the chosen path */
	uint64_t sent, received; /* bytes of datagrams, all paths since it began */
	uint64_t lost_packets;
	char path[256]; /* the chosen one, "203.0.113.9:51000" or a relay's URL; ends with a zero */
} tl_iroh_connection_info;

enum tl_iroh_address_form {
	TL_IROH_FORM_JSON = 0, /* {"node_id":…,"direct_addresses":[…],"relay_url":…}; holds all */
	TL_IROH_FORM_TICKET = 1, /* endpoint…; holds all */
	TL_IROH_FORM_URI = 2,    /* iroh://id@relay, iroh://id: no direct addresses */
	TL_IROH_FORM_ID = 3      /* 64 hexadecimal digits */
};

/* --- calls ------------------------------------------------------------------------------------ */

/* Texts come out with a zero behind them. `*length` is the buffer's size before, the text's length
 * after; when it does not fit (TL_IROH_NO_SPACE) the size needed. `error` (may be NULL) gets a line
 * that says what is wrong, at most `error_size` with the zero. */
typedef struct tl_iroh_calls {
	uint32_t abi;        /* TL_IROH_ABI */
	uint32_t size;       /* of this table */
	const char *version; /* of the plugin and of iroh, for people */

	/* A new endpoint. Binding goes on behind the call and ends with BOUND; with another code
	 * than TL_IROH_OK there only free() is left. *out is yours: free(). */
	int (*open)(const tl_iroh_options *options, tl_iroh **out, char *error, size_t error_size);
	/* Takes at most `capacity` events. Fewer: none is left, and `wake` will be called for the
	 * next. */
	size_t (*next)(tl_iroh *endpoint, tl_iroh_event *events, size_t capacity);
	/* Begins what request(), write(), taken() and reset() have noted: once a turn. */
	void (*flush)(tl_iroh *endpoint);
	/* Closes all connections with `code` and `reason`, then ends with CLOSED, after `ms` at the
	 * latest. Streams and operations under way end before. *out: the operation's id. */
	int (*close)(tl_iroh *endpoint, uint64_t code, const char *reason, size_t length,
		uint32_t ms, tl_iroh_id *out);
	/* Ends the endpoint; no wake comes after. Blocks until its thread has ended, at most a
	 * second. Without a close() before others learn of it only by their own idle time. NULL is
	 * fine. */
	void (*free)(tl_iroh *endpoint);

	/* The endpoint's id, its public key. At any time. */
	int (*id)(tl_iroh *endpoint, uint8_t out[32]);
	/* How others reach it now (tl_iroh_address_form). */
	int (*address)(tl_iroh *endpoint, uint32_t form, char *out, size_t *length);
	/* Reads an address of any form and writes it in `form`. No endpoint, any thread. */
	int (*convert)(const char *text, size_t text_length, uint32_t form, char *out,
		size_t *length, char *error, size_t error_size);
	/* Ends with ONLINE once a relay knows us. */
	int (*online)(tl_iroh *endpoint, uint32_t ms, tl_iroh_id *out);
	/* Dials; ends with CONNECTED, after `ms` (> 0) at the latest. `lookup` of the options finds
	 * what the address does not say. */
	int (*connect)(tl_iroh *endpoint, const char *address, size_t address_length,
		const uint8_t *alpn, size_t alpn_length, uint32_t ms, tl_iroh_id *out);
	/* Ends an operation with TL_IROH_CANCELLED. Not close(). */
	int (*cancel)(tl_iroh *endpoint, tl_iroh_id operation);
	/* Takes connections of others (1, as at first), or refuses them (0). */
	int (*accept)(tl_iroh *endpoint, int on);

	/* Ends with DISCONNECTED. What was not yet sent is lost. */
	int (*connection_close)(tl_iroh *endpoint, tl_iroh_id connection, uint64_t code,
		const char *reason, size_t length);
	int (*connection_info)(
		tl_iroh *endpoint, tl_iroh_id connection, tl_iroh_connection_info *out);

	/* Opens a stream with the first `length` bytes of its body, which must fit the window.
	 * `finish`: that is all of it. */
	int (*request)(tl_iroh *endpoint, tl_iroh_id connection, const void *bytes, size_t length,
		int finish, const tl_iroh_request_options *options, tl_iroh_id *out);
	/* More of our body, or of the answer. Takes what fits the window and returns how much; less
	 * than `length`: WRITABLE comes when there is room again. `finish` counts once everything
	 * was taken. TL_IROH_RESET: the other side wants no more of our body, but its answer may
	 * still come. A stream whose two bodies are complete is over: its id is gone, nothing more
	 * is told of it, and what is still to be sent is sent. */
	ptrdiff_t (*write)(
		tl_iroh *endpoint, tl_iroh_id stream, const void *bytes, size_t length, int finish);
	/* `length` bytes of its pieces are done with, so as many more may come. Without it at most
	 * the window comes: that is how a body is paused. */
	int (*taken)(tl_iroh *endpoint, tl_iroh_id stream, size_t length);
	/* Gives the stream up: the other side gets `code`, the id is gone, no event comes. */
	int (*reset)(tl_iroh *endpoint, tl_iroh_id stream, uint64_t code);
	/* The host will answer within `ms` more: until then nobody is slow. */
	int (*hold)(tl_iroh *endpoint, tl_iroh_id stream, uint32_t ms);

	/* Iroh's own figures, as OpenMetrics text. */
	int (*metrics)(tl_iroh *endpoint, char *out, size_t *length);
	/* For specifications: panics in this call (0), in an operation (1), in a task of its own
	 * (2), while holding the lock of the events (3). */
	int (*panic)(tl_iroh *endpoint, uint32_t where);
} tl_iroh_calls;

/* What TL_IROH_SYMBOL names. The table lives as long as the process. Any thread. */
typedef const tl_iroh_calls *(*tl_iroh_plugin_call)(void);

#endif
