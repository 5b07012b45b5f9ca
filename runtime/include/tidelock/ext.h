/* Extension contracts: what a transport gets (a loop) and what it must offer, and hooks.
 *
 * Every struct that may grow begins with its `size`: whoever makes one sets it, whoever gets one
 * reads nothing beyond it. The library refuses one that is too small (TL_E_BAD_ARGUMENT), and one
 * with something set that it does not know (TL_E_UNSUPPORTED). Unless a comment says otherwise,
 * everything happens on the loop's thread and nothing blocks. */
#ifndef TIDELOCK_EXT_H
#define TIDELOCK_EXT_H

#include <stdbool.h>
#include <tidelock/entry.h>
#include <tidelock/error.h>
#include <tidelock/log.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- loop ------------------------------------------------------------------------------------- */

typedef struct tl_loop tl_loop;
typedef struct tl_watch tl_watch;
typedef struct tl_timer tl_timer;

enum { TL_READABLE = 1, TL_WRITABLE = 2 };

typedef void (*tl_watch_call)(void *ud, int fd, unsigned events);
typedef void (*tl_timer_call)(void *ud);
typedef void (*tl_post_call)(void *ud);

struct tl_loop {
	size_t size;
	/* Watches a descriptor, level-triggered. Errors and hang-ups are told as readable and
	 * writable. The descriptor must stay open until unwatch. */
	int (*watch)(tl_loop *loop, int fd, unsigned events, tl_watch_call call, void *ud,
		tl_watch **out);
	int (*rewatch)(tl_watch *watch, unsigned events);
	void (*unwatch)(tl_watch *watch); /* no call comes after; NULL is fine */
	/* A timer, not running. */
	int (*timer)(tl_loop *loop, tl_timer_call call, void *ud, tl_timer **out);
	void (*timer_start)(tl_timer *timer, uint64_t after_ms); /* once; restarts a running one */
	void (*timer_stop)(tl_timer *timer);
	void (*timer_free)(tl_timer *timer); /* no call comes after; NULL is fine */
	/* Runs `call` on the loop's thread, in order. From any thread. TL_E_CLOSED when the loop
	 * ends. */
	int (*post)(tl_loop *loop, tl_post_call call, void *ud);
	uint64_t (*now_ms)(tl_loop *loop); /* monotonic, as of this turn */
};

/* --- bodies ----------------------------------------------------------------------------------- */

/* Results of a body's read, beside the number of bytes (> 0). */
enum {
	TL_BODY_END = 0,
	TL_BODY_WAIT = -1, /* nothing yet: the reader pauses until resumed */
	TL_BODY_ABORT = -2 /* failed midway: the transport ends with an error, never well-formed */
};

/* Where a request or answer takes its body from. Never grows: it stands in other structs. */
typedef struct tl_body {
	/* Fills at most `cap` bytes. */
	ptrdiff_t (*read)(void *ud, void *out, size_t cap);
	/* Called exactly once, when the body is no longer needed. May be NULL. */
	void (*drop)(void *ud);
	void *ud;
	int64_t length; /* in bytes, or -1 when unknown */
} tl_body;

/* --- client side ------------------------------------------------------------------------------ */

typedef struct tl_transport tl_transport;
typedef struct tl_exchange tl_exchange;

typedef struct tl_request {
	size_t size;
	const char *address; /* of this transport's type */
	const char *path;    /* "/api/v0", "/tidelock/v1/pull" */
	const char *content_type;
	tl_body body;
	uint64_t max_response; /* bytes; over it the exchange fails with TL_E_TOO_LARGE */
	/* Deadline: time without progress and minimum rate, never a fixed total. 0 = the default.
	 */
	uint32_t dial_ms, idle_ms, min_bytes_per_s;
	/* Begins the body again. A request that dies on a connection kept from an earlier one, or
	 * finds no answer there for some seconds, is sent once more on a new connection, so the
	 * other side may see it twice. NULL: only when nothing of the body has been read. */
	void (*rewind)(void *body_ud);
	/* How long the other side may keep its answer back on purpose, once it has the request: its
	 * silence counts from then on. 0 = not at all. */
	uint32_t hold_ms;
} tl_request;

#define TL_REQUEST_INIT                                                                            \
	{                                                                                          \
		sizeof(tl_request), NULL, NULL, NULL, {NULL, NULL, NULL, 0}, 0, 0, 0, 0, NULL, 0   \
	}

typedef struct tl_response_head {
	size_t size;
	int status;          /* as HTTP's; 200 for transports without statuses */
	tl_str content_type; /* ptr NULL when not given */
	tl_str channel;      /* "none", "tls:...", "iroh:..." as this side sees it */
} tl_response_head;

/* Calls of one exchange: head, then pieces, then done exactly once (also after a failure or cancel;
 * nothing comes after it). */
typedef struct tl_response_sink {
	size_t size;
	void (*head)(void *ud, const tl_response_head *head);
	/* false = take no more for now: the transport keeps this piece's rest unread; the piece
	 * itself counts as taken. tl_transport.resume goes on. */
	bool (*piece)(void *ud, const void *bytes, size_t len);
	/* TL_OK when the response is complete (and not while the sink is paused), else the code of
	 * the calling thread's last error. */
	void (*done)(void *ud, int code);
	void *ud;
} tl_response_sink;

/* --- server side ------------------------------------------------------------------------------ */

typedef struct tl_server tl_server;
typedef struct tl_incoming tl_incoming;

typedef struct tl_incoming_head {
	size_t size;
	const char *path;
	tl_str content_type; /* ptr NULL when not given */
	int64_t body_length; /* announced, or -1 */
	const char *remote;  /* "203.0.113.9:51000"; never dialled, only shown and limited */
	const char *channel; /* as this side sees it */
	const char *method;  /* "POST"; as HTTP's, "POST" for transports without methods */
} tl_incoming_head;

/* Calls for each incoming request. `begin` looks at the head and returns the request's own ud in
 * *request_ud and the largest body it wants; it may answer at once. Then pieces, `end` when the
 * body is whole, `gone` exactly once at the very end, whatever happened. An answer is given by
 * tl_transport.answer, once, at `begin` or any later moment before `gone`. */
typedef struct tl_server_calls {
	size_t size;
	void (*begin)(void *ud, tl_incoming *in, const tl_incoming_head *head, void **request_ud,
		uint64_t *max_body);
	/* false pauses reading until tl_transport.incoming_resume. */
	bool (*piece)(void *request_ud, tl_incoming *in, const void *bytes, size_t len);
	void (*end)(void *request_ud, tl_incoming *in);
	void (*gone)(void *request_ud);
	/* The server's address is another one now. May be NULL. */
	void (*moved)(void *ud);
} tl_server_calls;

typedef struct tl_serve_options {
	size_t size;
	/* PEM, its own certificate first. A transport with TLS ("https") needs both, one without
	 * refuses them (TL_E_TLS). */
	const char *certificate_file;
	const char *key_file;
	unsigned max_connections;          /* 0 = 1,024 */
	unsigned max_connections_per_peer; /* 0 = 64; a peer is an IPv4 address or an IPv6 /64 */
	uint32_t idle_ms;                  /* 0 = 30,000 */
	uint32_t min_bytes_per_s;          /* 0 = 1,024 */
} tl_serve_options;

#define TL_SERVE_OPTIONS_INIT                                                                      \
	{                                                                                          \
		sizeof(tl_serve_options), NULL, NULL, 0, 0, 0, 0                                   \
	}

/* --- transport -------------------------------------------------------------------------------- */

/* How a connection stands. Texts live during the call that tells of it. */
typedef struct tl_connection_info {
	size_t size;
	const char *remote;  /* who is at the other end, as in tl_incoming_head */
	const char *channel; /* as this side sees it */
	const char *path; /* where it leads now: "203.0.113.9:51000", a relay's URL; "" = unknown */
	bool dialled;     /* by us */
	bool relayed;     /* over somebody else's machine */
	unsigned streams; /* requests under way, both ways */
	uint64_t round_trip_us;
	uint64_t sent, received; /* bytes on the wire */
} tl_connection_info;

typedef void (*tl_connection_visit)(void *ud, const tl_connection_info *info);

struct tl_transport {
	size_t size;
	const char *type; /* of the addresses it dials: "http", "https", "iroh", "sim" */

	/* TL_OK when the text is an address of this transport, else TL_E_BAD_ADDRESS. Any thread.
	 */
	int (*check_address)(tl_transport *transport, const char *address);
	/* Starts an exchange; copies what it needs of `request` except the body's ud. On an error
	 * return no call will come, and the body has been dropped. */
	int (*send)(tl_transport *transport, const tl_request *request,
		const tl_response_sink *sink, tl_exchange **out);
	void (*resume)(tl_exchange *exchange);
	void (*body_ready)(tl_exchange *exchange); /* after the request's body said TL_BODY_WAIT */
	void (*cancel)(
		tl_exchange *exchange); /* `done` comes with TL_E_CANCELLED, not from within */

	int (*serve)(tl_transport *transport, const char *bind, const tl_serve_options *options,
		const tl_server_calls *calls, void *ud, tl_server **out);
	/* The address others dial, e.g. "127.0.0.1:40231". Belongs to the server. */
	const char *(*server_address)(tl_server *server);
	/* Stops taking connections at once, answers under way get up to grace_ms; `stopped` comes
	 * once. */
	void (*stop)(tl_server *server, uint32_t grace_ms, void (*stopped)(void *ud), void *ud);
	/* Copies content_type; takes the body (it is dropped, whatever happens). At most once, and
	 * never after `gone`: then there is no incoming any more. */
	void (*answer)(tl_incoming *in, int status, const char *content_type, const tl_body *body);
	void (*answer_ready)(tl_incoming *in); /* after the answer's body said TL_BODY_WAIT */
	void (*incoming_resume)(tl_incoming *in);

	/* Every exchange must be done and every server stopped. */
	void (*free)(tl_transport *transport);

	/* How this side sees the connection of an exchange, as in tl_response_head. Known from the
	 * first read of the request's body on, so that a body can name it; before that NULL.
	 * Belongs to the exchange. */
	const char *(*channel)(tl_exchange *exchange);
	/* The connection ends behind the answer, which is still to be given: the requester is not
	 * trusted with another request on it. NULL: a transport without such connections. */
	void (*close_after)(tl_incoming *in);
	/* The answer is held and may take `ms`: until then nobody is silent. NULL: a transport that
	 * never gives up a request that is whole. */
	void (*hold)(tl_incoming *in, uint32_t ms);
	/* The requester is known: its connection is kept before those of others where places are
	 * short. NULL: a transport that does not choose. */
	void (*keep)(tl_incoming *in);
	/* Every connection that it makes is encrypted: what policies are told before one is there.
	 */
	bool encrypted;
	/* The two sides agree on a protocol before anything is said: a peer that does not speak the
	 * one of the path asked for is told at once, by TL_E_V0_NOT_SPOKEN (/api/v0) or
	 * TL_E_PROTOCOL_MISMATCH (others). So strangers are asked in tidelock's own first. */
	bool agrees;
	/* Tells of the connections that are open now, both ways, whatever the application has to do
	 * with them. What is not known of one is 0 or "". NULL: a transport that cannot. */
	void (*connections)(tl_transport *transport, tl_connection_visit visit, void *ud);
	/* Bytes of the largest body that it carries, of a request or an answer; 0: it has no limit
	 * of its own, else at least TL_TRANSPORT_LEAST_BODY. Pages are made to fit; what cannot be
	 * made smaller `send` refuses, or ends its exchange, with TL_E_TOO_LARGE. */
	uint64_t max_body;
	/* The channel that a request to this address would have now, as far as that is known before
	 * it is sent: requests are signed for their channel, and are made anew when it turns out to
	 * be another one. At most `cap` bytes with the zero; false: it is not known. NULL: it never
	 * is, and what was seen last is taken, or "none". */
	bool (*foresee)(tl_transport *transport, const char *address, char *out, size_t cap);
	/* Its handshake proves a key at each end, and `channel` names both of them: whoever signs
	 * for that channel is at its end, and nobody can pass that on. So whoever answers for the
	 * first time is believed at once; else it is asked once more, by name. */
	bool proves_ends;
	/* From now on `changed` is called when a connection goes from a relay over to a direct way,
	 * or back. Once, before it is used; NULL: ways do not change. */
	void (*tell_paths)(tl_transport *transport, tl_connection_visit changed, void *ud);
};

#define TL_TRANSPORT_LEAST_BODY 65536

/* --- policy ----------------------------------------------------------------------------------- */

/* What a peer policy is asked. Scripts call the last one "fetch", the others as they are here. */
typedef enum tl_policy_kind {
	TL_POLICY_CONNECT = 0,  /* may this peer talk to us at all */
	TL_POLICY_DIAL = 1,     /* may this address be dialled */
	TL_POLICY_LIST = 2,     /* may it learn that this database exists */
	TL_POLICY_READ = 3,     /* may it read this database */
	TL_POLICY_WRITE = 4,    /* may it carry entries of this database to us */
	TL_POLICY_CREATE = 5,   /* may it give us this database, which we do not know */
	TL_POLICY_REQUEST = 6,  /* may it ask for access to this database */
	TL_POLICY_DELEGATED = 7 /* may a database cited by delegation be fetched from it */
} tl_policy_kind;

/* Texts are borrowed for the call; ptr NULL: there is none. */
typedef struct tl_policy_question {
	size_t size;
	tl_policy_kind kind;
	const tl_key *peer; /* device key, proven; NULL when the peer proved none (v0) */
	const tl_key *keys; /* further keys it proved for this request */
	size_t key_count;
	tl_str claimed_key;  /* v0: what it says of itself, unproven; ptr NULL when nothing */
	const tl_id *db;     /* NULL when not about one */
	const char *address; /* where it comes from, or what is to be dialled: "type:text" */
	unsigned protocol;   /* 0 or 1 */
	bool outbound;       /* we are the ones who ask */
	bool related;        /* a relation that gives it, with the proven device key */
	bool granted;        /* a proven key (or the public record) has the permission needed now */
	bool encrypted;      /* the channel is, or will be */
	bool otherwise;      /* what the usual rights answer */
	/* Since 0.3. */
	tl_str db_name;    /* of its settings now: its admins chose it. None while it is not held */
	tl_str peer_name;  /* the owner's for the peer */
	tl_str said_name;  /* what the peer calls itself: believe nothing of it */
	tl_str transport;  /* "http": the type of the address */
	tl_str permission; /* REQUEST: what is asked for, "write:10" */
	tl_str key_name;   /* REQUEST: the record's name that is asked for */
	int64_t time_ms;   /* now, Unix */
} tl_policy_question;

typedef enum tl_policy_answer {
	TL_POLICY_PASS = 0,  /* no opinion: the usual rights decide */
	TL_POLICY_ALLOW = 1, /* more than usual; "grant" */
	TL_POLICY_DENY = 2,
	TL_POLICY_DEFER =
		3, /* as PASS for access requests, which the owner decides; else a denial */
	TL_POLICY_USUAL = 4, /* the usual rights decide, and that is meant. Since 0.3 */
	/* There is no time to decide: whoever asks is to come again in a second ("busy"); where we
	 * ask ourselves, a denial. Since 0.3 */
	TL_POLICY_BUSY = 5
} tl_policy_answer;

#define TL_POLICY_REASON_BYTES 200
#define TL_POLICY_WHERE_BYTES  127

/* What a policy answers. The library makes it, all zero but its size: write nothing beyond that.
 * Texts end with a zero; what is no UTF-8 is shown escaped. Since 0.3. */
typedef struct tl_policy_verdict {
	size_t size;
	tl_policy_answer answer;
	/* Hold this peer, in whatever database, until the next verdict about it; 0: not at all. It
	 * gets entries by pages, each at most a second's worth and at most `page` bytes, though an
	 * entry that is larger goes alone; what it sends is taken as it comes. Each page makes a
	 * debt: until time has paid it whoever asks is told to wait. Peers on 0.2.0 have no pages,
	 * and no way to be told. What `connect` says is for all that follows; a question about a
	 * database may say something else. */
	uint64_t rate;                           /* bytes a second */
	uint64_t page;                           /* bytes */
	char reason[TL_POLICY_REASON_BYTES + 1]; /* for the owner: the other side learns a code */
	char where[TL_POLICY_WHERE_BYTES + 1];   /* what of the policy decided: "policy.lua:7" */
} tl_policy_verdict;

/* Stands before the usual rights. Blocked peers and system databases are refused before it is
 * asked. Copied by its size when it is given (tl_node_config, tl_sync_set_policy); where that fails
 * nothing of it is called, ever.
 *
 * `judge` and `decide` run on the engine's thread, one question at a time, and must not block:
 * nobody is answered meanwhile. They may not use the node. `drop` runs there too (or on the thread
 * that closes the node), once and behind the last question: it may hand `ud` over to another
 * thread, which frees it. */
typedef struct tl_policy {
	size_t size;
	/* Asked where `judge` is NULL. *reason (may stay NULL) lives until the next call. */
	tl_policy_answer (*decide)(
		void *ud, const tl_policy_question *question, const char **reason);
	void (*drop)(void *ud); /* when it is replaced or the node closes; may be NULL */
	void *ud;
	/* Since 0.3. */
	void (*judge)(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict);
} tl_policy;

#define TL_POLICY_INIT                                                                             \
	{                                                                                          \
		sizeof(tl_policy), NULL, NULL, NULL, NULL                                          \
	}

/* --- pairs ------------------------------------------------------------------------------------ */

typedef enum tl_direction {
	TL_DIRECTION_BOTH = 0,
	TL_DIRECTION_PULL = 1, /* the peer may carry entries to us, and we fetch them */
	/* The peer may list and read, and we send. One on 0.2.0 is asked all the same: nothing
	 * else tells what it holds. */
	TL_DIRECTION_PUSH = 2
} tl_direction;

/* How a database is kept in step with a peer: what this node starts. What the peer may start is up
 * to rights and policy. All zero: as any pair. Since 0.3. */
typedef struct tl_pair_options {
	size_t size;
	tl_direction direction;
	/* Between exchanges, at least TL_PAIR_MIN_EVERY_MS; 0 = as the node's periodic_ms; TL_NEVER
	 * = off. */
	uint32_t every_ms;
	uint64_t rate; /* bytes a second, by pages of a second's worth at most; 0 = no limit */
	/* TL_ON or TL_OFF: whether commits are sent as they come, and the peer is asked to tell of
	 * its own; else both come with the next exchange. 0 = commits as the node's on_commit says,
	 * and the peer is asked. */
	uint8_t on_commit;
	uint8_t priority; /* 0 to 9: 9 goes first where not all can go; who waits 30 s goes before
			   */
	bool paused;      /* nothing is started, but for a command */
	/* For the owner's eyes, at most 200 bytes of UTF-8 each, copied; NULL: none. */
	const char *reason; /* why it is paused */
	const char *rule;   /* what shaped it */
} tl_pair_options;

#define TL_PAIR_OPTIONS_INIT                                                                       \
	{                                                                                          \
		sizeof(tl_pair_options), TL_DIRECTION_BOTH, 0, 0, 0, 0, false, NULL, NULL          \
	}

#define TL_PAIR_TEXT_BYTES   200
#define TL_PAIR_MIN_EVERY_MS 1000

/* One of a list of relations. Never grows. Since 0.3. */
typedef struct tl_relation {
	const char *peer;               /* key text of a registered peer */
	tl_id db;                       /* need not be held yet: it is then fetched */
	const tl_pair_options *options; /* NULL: all zero */
} tl_relation;

/* --- hooks ------------------------------------------------------------------------------------ */

struct tl_database;

/* What a hook sees of a commit. Borrowed: valid during the call only (retain the entry to keep it).
 */
typedef struct tl_hook_context {
	size_t size;
	tl_entry *entry;      /* built and signed */
	const tl_id *tree_id; /* the database; for a new one the id it gets */
	bool is_root_entry;
	size_t entry_bytes;
	const tl_str *stores; /* names, ascending */
	size_t store_count;
	tl_str author; /* public key text of the signer */
	/* The handle that commits; NULL before a root entry is stored. */
	struct tl_database *database;
	/* Of the database before the entry, of a new one as it will be; at most 255 bytes; ptr
	 * NULL: none. Since 0.3. */
	tl_str db_name;
	/* One of those that the library keeps for itself, as `_sync`. Since 0.3. */
	bool is_system;
} tl_hook_context;

/* Moments of a local commit. Members may be NULL. Called on the thread that commits, outside every
 * lock of the library: a hook may use the library, also commit (to another transaction; beware of
 * endless recursion). The transaction that commits can be read, not changed; rolling it back
 * before the commit refuses that, and freeing it is put off until it has committed. Hooks of the
 * node run first, then those of the database, then those of the transaction; within each in the
 * order they were added. Commits come from any thread: the control socket and the approval of
 * access requests commit too. A hook that can only be asked on some threads refuses on the others
 * in before_commit. */
typedef struct tl_hook {
	size_t size;
	/* Before anything is stored. TL_OK lets it pass; a code refuses the commit, which then
	 * fails with TL_E_HOOK_FAILED whose cause is the hook's last error (set one with
	 * tl_error_set, or leave it). The first refusal ends the round. */
	int (*before_commit)(void *ud, const tl_hook_context *context);
	/* After it is durable and before commit returns. All hooks run; a code is logged with the
	 * last error, and the commit stands. */
	int (*on_entry_committed)(void *ud, const tl_hook_context *context);
	/* Once, when the hook was removed, or its owner is over (a node that was closed, a
	 * transaction that is gone), and no call is under way. A commit that a closed node's hooks
	 * can no longer be asked about fails with TL_E_CLOSED. */
	void (*drop)(void *ud);
	void *ud;
	/* Of a node: called as well where the node itself commits, as when somebody comes with a
	 * share. That is on a thread for which the engine waits: such a hook reads, and neither
	 * commits nor waits for the node. Since 0.3. */
	bool of_node;
} tl_hook;

#define TL_HOOK_INIT                                                                               \
	{                                                                                          \
		sizeof(tl_hook), NULL, NULL, NULL, NULL, false                                     \
	}

#ifdef __cplusplus
}
#endif
#endif
