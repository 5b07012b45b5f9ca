/* What the files of the HTTP server share. Everything here is the loop's thread.
 *
 * libmicrohttpd runs inside the loop: its epoll descriptor is watched, and after every run it is
 * asked when it wants to run again. Nothing here runs it from within its own callbacks. */
#ifndef TL_TRANSPORT_HTTP_SERVING_H
#define TL_TRANSPORT_HTTP_SERVING_H

#include <microhttpd.h>
#include <sys/socket.h>
#include "base/buf.h"
#include "base/system/source.h"
#include "transport/address.h"
#include "transport/http_impl.h"

/* The rest of a request that was answered early is read and dropped up to this much, so that its
 * sender gets to see the answer; announced bodies up to the small one are always read. */
#define TL__HTTP_DRAIN_BYTES       8388608
#define TL__HTTP_DRAIN_SMALL_BYTES 65536

typedef struct http_conn http_conn;
typedef struct http_linger http_linger;

/* An address (IPv4, or IPv6 /64) that has connections. */
typedef struct http_source {
	struct http_source *next;
	unsigned count;
	char text[TL__SOURCE_LEN + 1];
} http_source;

/* Somebody who connected and has no place yet. */
typedef struct http_newcomer {
	int fd; /* -1: none */
	struct sockaddr_storage address;
	socklen_t len;
} http_newcomer;

/* One TCP connection. */
struct http_conn {
	tl_server *server;
	struct MHD_Connection *mhd;
	int fd;
	tl_incoming *in; /* the request under way; NULL between requests and during headers */
	tl__pace pace;
	uint64_t touched_ms; /* when anything moved last, whoever waits for whom */
	bool cut;            /* shut down by us: whatever comes ends at once */
	bool spoke;          /* it has sent a request's head */
	bool known;          /* by the application, to be kept before others */
	http_source *source; /* what it counts as */
	http_conn *next, *prev;
	char remote[TL__ADDRESS_MAX + 1];
};

/* One request, from its headers to `gone`. */
struct tl_incoming {
	http_conn *conn;
	void *request_ud;
	bool http_1_0;
	bool begun; /* `begin` was called: `gone` must be */

	int64_t announced; /* length of the body, or -1 */
	uint64_t max_body, received, drained;
	bool early;     /* its answer cannot wait for the body */
	bool ended;     /* the body is whole */
	bool paused;    /* the application wants no more for now */
	bool suspended; /* taken out of libmicrohttpd's hands until wake */

	bool answered;       /* by the application or by us */
	bool closes;         /* the connection ends behind the answer */
	uint64_t held_until; /* silence counts for nothing before */
	int status;
	char *content_type;
	tl_body body;
	uint64_t body_given;
	char *ahead; /* read of it before it was asked for; stays as long as the request */
	size_t ahead_len, ahead_given;
};

struct tl_server {
	http *http;
	tl_server *next, **link; /* of those of the transport */
	struct MHD_Daemon *daemon;
	int listen_fd;
	tl_watch *watch;
	tl_timer *turn; /* when libmicrohttpd wants to run */
	uint64_t sweep_due;
	tl_timer *sweep; /* looks for peers that do not move; runs while there are connections */
	tl_timer *end;   /* the grace of a stop */
	tl_server_calls calls;
	void *ud;
	uint32_t idle_ms, min_rate;
	unsigned max_connections, max_per_peer;
	http_conn *conns;
	unsigned conn_count, cut_count; /* with those, without them that are ending */
	http_source *sources;
	tl_watch *newcomers; /* of listen_fd; NULL while none are taken */
	tl_timer *rested;
	http_newcomer waiting;
	uint64_t warned_ms;
	http_linger *lingers;
	bool achieved; /* the last run called any of us */
	unsigned vain_runs;
	bool woken; /* something needs one more run than libmicrohttpd asks for */
	bool stopping;
	void (*stopped)(void *ud);
	void *stopped_ud;
	tl__buf certificate, key;
	char said[256]; /* libmicrohttpd's last complaint */
	char address[TL__ADDRESS_MAX + 1];
	char channel[TL__CHANNEL_LEN + 1];
};

/* http_server.c: */

void tl__server_run(tl_server *server);
/* Connections that libmicrohttpd may have: some more than ours, for those that are being ended. */
unsigned tl__server_most(const tl_server *server);

/* http_server_accept.c: takes newcomers from listen_fd, and closes it at the end. */
int tl__accept_begin(tl_server *server) TL_MUST_USE;
void tl__accept_end(tl_server *server); /* twice is fine */

/* http_server_conn.c: */

/* NULL: it has no connection. */
http_source *tl__source_find(const tl_server *server, const char *text);

void tl__conn_notify(void *ud, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what);
http_conn *tl__conn_of(struct MHD_Connection *mhd);
/* Ends a connection whatever it is doing. */
void tl__conn_cut(http_conn *conn);
void tl__conn_touch(http_conn *conn, uint64_t bytes);
void tl__conn_sweep(void *server);
/* Whether any connection that is not suspended has bytes to read. */
bool tl__conn_any_input(const tl_server *server);
static inline uint64_t tl__conn_now(const http_conn *conn)
{
	tl_loop *loop = conn->server->http->loop;

	return loop->now_ms(loop);
}

/* http_server_linger.c: reads on after an early answer, so that it is not lost to a reset. */

/* Does nothing when there are too many already. Nothing can be sent on `fd` any more. */
void tl__linger_start(tl_server *server, int fd);
void tl__linger_sweep(tl_server *server); /* ends those that took too long */
void tl__linger_end_all(tl_server *server);

/* http_server_check.c: */

typedef struct http_headers {
	unsigned count, hosts, lengths, encodings;
	bool malformed; /* a name that is no token, a control character in a value, a broken line */
	bool chunked;
	bool expect;
	int64_t length; /* of Content-Length, -1 = absent, -2 = no number */
	/* The head as it was received: where it is, and where the text of the last line ended (0:
	 * not known). */
	uintptr_t begin, end, line_end;
	size_t size;
} http_headers;

/* 0, or the status to refuse a request with before its body is read. */
int tl__headers_check(
	struct MHD_Connection *mhd, const char *method, const char *version, http_headers *out);

/* http_server_request.c: */

enum MHD_Result tl__request_access(void *ud, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *bytes, size_t *len, void **context);
void tl__request_completed(void *server, struct MHD_Connection *mhd, void **context,
	enum MHD_RequestTerminationCode why);
void tl__request_suspend(tl_incoming *in);
void tl__request_wake(tl_incoming *in);

/* http_server_answer.c: */

/* Hands the answer of `in` to libmicrohttpd. */
enum MHD_Result tl__answer_queue(tl_incoming *in);
/* An answer of our own without a body, to a request that was not begun. */
enum MHD_Result tl__answer_refuse(http_conn *conn, int status);

#endif
