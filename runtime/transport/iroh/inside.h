/* What the files of the Iroh transport share. Everything here is the loop's thread. */
#ifndef TL_TRANSPORT_IROH_INSIDE_H
#define TL_TRANSPORT_IROH_INSIDE_H

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "transport/iroh/frame.h"
#include "transport/iroh/iroh.h"

#define TL__IROH_ALPN_V1 "tidelock/1"
#define TL__IROH_ALPN_V0 "eidetica/v0" /* of 0.2.0, where all requests have one path */
#define TL__IROH_PATH_V0 "/api/v0"

#define TL__IROH_ID_BYTES    32
#define TL__IROH_ID_TEXT     64  /* its hexadecimal digits */
#define TL__IROH_CHANNEL_LEN 134 /* "iroh:" dialler ":" acceptor */
/* With what a request is given up that no server is there for. */
#define TL__IROH_RESET_CLOSED 503

typedef struct iroh iroh;
typedef struct iroh_connection iroh_connection;
typedef struct iroh_stream iroh_stream;

/* Who waits for a dialling to end. */
typedef struct iroh_waiter {
	struct iroh_waiter *next;
	/* NULL: there is none, and the last error of this thread says why. */
	void (*dialled)(struct iroh_waiter *waiter, iroh_connection *connection);
} iroh_waiter;

/* What an exchange and an incoming do with their stream. */
typedef struct iroh_stream_calls {
	/* A piece of the other side's body, from within a turn. */
	void (*deliver)(iroh_stream *stream, const uint8_t *bytes, size_t len);
	/* The plugin has ended it. */
	void (*ended)(iroh_stream *stream, const tl_iroh_event *event);
	/* It cannot go on here, with the last error of this thread. */
	void (*fail)(iroh_stream *stream, int code);
	/* What is to be done, outside of all calls of the application. */
	void (*settle)(iroh_stream *stream);
} iroh_stream_calls;

/* One connection, from its dialling or arrival on. */
struct iroh_connection {
	iroh_connection *next, **link;
	iroh *iroh;
	tl_iroh_id id;   /* 0: it is being dialled */
	tl_iroh_id dial; /* the operation that dials; 0: none */
	char *address;   /* as it was dialled; NULL: by the other side */
	uint8_t peer[TL__IROH_ID_BYTES];
	char peer_text[TL__IROH_ID_TEXT + 1];
	char channel[TL__IROH_CHANNEL_LEN + 1];
	bool v1; /* the protocol's name: ours, else that of eidetica 0.2.0 */
	bool dialled;
	bool preferred;       /* of two with the same peer the one to keep */
	bool gone;            /* nothing more can be begun on it */
	bool known;           /* its other end is known to the application */
	bool used;            /* something was asked on it already */
	unsigned streams;     /* under way */
	uint64_t idle_since;  /* while there are none */
	iroh_waiter *waiting; /* for the dialling to end */
};

/* A request and its answer. An exchange or an incoming begins with one. */
struct iroh_stream {
	tl__link todo; /* first: what is in the list of things to do is a stream */
	iroh *iroh;
	iroh_connection *connection; /* NULL: none yet, or none any more */
	tl_iroh_id id;               /* 0: the plugin has none for it */
	const iroh_stream_calls *calls;
	size_t (*head_need)(const uint8_t *head, size_t len); /* of its other side's heads */

	/* Our body: of the request, or of the answer. */
	tl_body body;
	uint64_t given; /* bytes read of it */
	bool writing;   /* its head has gone */
	bool last;      /* all of it was read */
	bool finished;  /* and the plugin has it, or... */
	bool refused;   /* ...it takes no more: an event, or the answer, tells why */
	bool blocked;   /* until the plugin has room */
	tl__buf rest;   /* read, and the plugin had no room */
	size_t rest_at;

	/* Theirs. */
	uint8_t head[TL__FRAME_MAX_HEAD];
	size_t head_len;
	bool head_done;
	bool fin;     /* the plugin has told its end */
	bool paused;  /* the application wants no more for now */
	tl__buf held; /* what came meanwhile: at most a window */
	size_t held_at;
};

struct iroh {
	tl_transport base;
	const tl_iroh_calls *calls;
	tl_iroh *endpoint;
	tl_loop *loop; /* NULL: not attached yet */
	const tl__log *log;
	unsigned forks; /* tl__fork_count of its making */
	int bell;
	tl_watch *watch;
	tl_timer *kick;  /* what must not happen inside a call of the application */
	tl_timer *sweep; /* looks for connections that nobody needs */
	bool sweeping;
	bool busy; /* inside of a turn: its end sees to what is to be done */
	bool broken;
	tl__list todo;
	tl__map streams; /* by id */
	iroh_connection *connections;
	unsigned connection_count; /* with those that are being dialled */
	unsigned max_taken;
	tl_server *server;                /* NULL: none */
	unsigned exchanges;               /* not done yet */
	tl_connection_visit path_changed; /* NULL: nobody wants to know */
	void *path_ud;
	uint32_t relay_mode;
	tl_iroh_id going_online; /* the operation; 0: none */
	char offline[200];       /* why no relay knows us; "" = one does, or none is used */
	char id_text[TL__IROH_ID_TEXT + 1];
	uint8_t scratch[TL_IROH_PIECE];
};

static inline iroh *tl__iroh_of(tl_transport *transport)
{
	return (iroh *)transport;
}

static inline uint64_t tl__iroh_now(const iroh *h)
{
	return h->loop->now_ms(h->loop);
}

/* --- queue.c ---------------------------------------------------------------------------------- */

/* Comes back to it outside of the application's calls. */
void tl__iroh_queue(iroh_stream *stream);
/* Sees to it that a turn ends soon. */
void tl__iroh_kick(iroh *h);

/* --- failure.c -------------------------------------------------------------------------------- */

/* The plugin's code as one of ours, with its text, which may be empty. Returns the code. */
int tl__iroh_fail(int code, uint64_t peer_code, const void *text, size_t len);

/* --- connection.c ----------------------------------------------------------------------------- */

void tl__iroh_write_id(const uint8_t id[TL__IROH_ID_BYTES], char out[TL__IROH_ID_TEXT + 1]);
/* Of a connection between these two ids. */
void tl__iroh_write_channel(
	char out[TL__IROH_CHANNEL_LEN + 1], const char *dialler, const char *acceptor);
/* One over which a request can go out at once; NULL: none. */
iroh_connection *tl__iroh_connection_find(
	const iroh *h, const uint8_t peer[TL__IROH_ID_BYTES], bool v1);
/* One that is being dialled at this address: there already, or new. NULL: it failed. */
iroh_connection *tl__iroh_connection_dial(iroh *h, const char *address, bool v1, uint32_t ms);
void tl__iroh_connection_unwait(iroh_connection *connection, const iroh_waiter *waiter);
iroh_connection *tl__iroh_connection_at(const iroh *h, tl_iroh_id id); /* NULL: none */
void tl__iroh_connection_use(iroh_connection *connection);             /* one stream more */
void tl__iroh_connection_unuse(iroh_connection *connection);           /* one less */
/* The members of tl_transport. */
void tl__iroh_tell_paths(tl_transport *transport, tl_connection_visit changed, void *ud);
void tl__iroh_connections(tl_transport *transport, tl_connection_visit visit, void *ud);
/* Events of the plugin. */
void tl__iroh_connection_dialled(iroh *h, const tl_iroh_event *event);
void tl__iroh_connection_accepted(iroh *h, const tl_iroh_event *event);
void tl__iroh_connection_lost(iroh *h, const tl_iroh_event *event);
void tl__iroh_connection_moved(iroh *h, const tl_iroh_event *event);
/* Asks once more whether a relay knows us, unless that is being asked. */
void tl__iroh_go_online(iroh *h);
void tl__iroh_connection_sweep(void *h);
/* Releases all; the endpoint is closed. */
void tl__iroh_connections_free(iroh *h);

/* --- stream.c --------------------------------------------------------------------------------- */

/* The plugin's stream is this one from now on. TL_E_NOMEM: it was given up. */
int tl__iroh_stream_enter(
	iroh_stream *stream, iroh_connection *connection, tl_iroh_id id) TL_MUST_USE;
/* The plugin knows nothing of it any more. */
void tl__iroh_stream_leave(iroh_stream *stream);
/* Gives it up, if the plugin has one for it. */
void tl__iroh_stream_reset(iroh_stream *stream, uint64_t code);
/* Reads the first bytes of our body behind `at` bytes of head in the scratch; the length of both.
 * TL_BODY_ABORT when the body failed. */
ptrdiff_t tl__iroh_stream_first(iroh_stream *stream, size_t at);
/* Gives the plugin `len` bytes, of the scratch or of a head. TL_E_NOMEM. */
int tl__iroh_stream_write(iroh_stream *stream, const void *bytes, size_t len) TL_MUST_USE;
/* Gives it what the body has, until one of them has no more. TL_E_NOMEM, TL_E_CANCELLED when the
 * body failed. */
int tl__iroh_stream_pump(iroh_stream *stream) TL_MUST_USE;
/* Takes what of `bytes` belongs to the head; how many bytes that were. */
size_t tl__iroh_stream_feed_head(iroh_stream *stream, const uint8_t *bytes, size_t len);
/* A piece of theirs: to `deliver`, or held while the application pauses. TL_E_NOMEM. */
int tl__iroh_stream_take(iroh_stream *stream, const tl_iroh_event *event) TL_MUST_USE;
/* Delivers what is held until the application pauses again. */
void tl__iroh_stream_release(iroh_stream *stream);
/* Whether all of theirs has been delivered. */
bool tl__iroh_stream_is_read(const iroh_stream *stream);
/* Drops the body and what is held; the struct is its owner's. */
void tl__iroh_stream_free(iroh_stream *stream);

/* --- client.c: the members of tl_transport ------------------------------------------------------ */

int tl__iroh_send(tl_transport *transport, const tl_request *request, const tl_response_sink *sink,
	tl_exchange **out) TL_MUST_USE;
void tl__iroh_resume(tl_exchange *exchange);
void tl__iroh_body_ready(tl_exchange *exchange);
void tl__iroh_cancel(tl_exchange *exchange);
const char *tl__iroh_channel(tl_exchange *exchange);
bool tl__iroh_foresee(tl_transport *transport, const char *address, char *out, size_t cap);

/* --- server.c: the same of what others ask ------------------------------------------------------ */

int tl__iroh_serve(tl_transport *transport, const char *bind, const tl_serve_options *options,
	const tl_server_calls *calls, void *ud, tl_server **out) TL_MUST_USE;
const char *tl__iroh_server_address(tl_server *server);
void tl__iroh_stop(tl_server *server, uint32_t grace_ms, void (*stopped)(void *ud), void *ud);
void tl__iroh_answer(tl_incoming *in, int status, const char *content_type, const tl_body *body);
void tl__iroh_answer_ready(tl_incoming *in);
void tl__iroh_incoming_resume(tl_incoming *in);
void tl__iroh_hold(tl_incoming *in, uint32_t ms);
void tl__iroh_keep(tl_incoming *in);

void tl__iroh_incoming_request(iroh *h, const tl_iroh_event *event);
/* The endpoint's address is another one now. */
void tl__iroh_server_moved(const iroh *h);
/* At the end of a turn: a server whose requests are gone has stopped. */
void tl__iroh_server_settle(iroh *h);

#endif
