/* What the files of the HTTP transport share. */
#ifndef TL_TRANSPORT_HTTP_IMPL_H
#define TL_TRANSPORT_HTTP_IMPL_H

#include <curl/curl.h>
#include "transport/address.h"
#include "transport/certificate.h"
#include "transport/http.h"
#include "transport/pace.h"

/* The certificate seen on one open TLS connection: libcurl tells it only to the exchange that made
 * the connection, and later exchanges on it need it too. */
typedef struct http_seen {
	char local[64]; /* our end of the connection: "ip:port" */
	char channel[TL__CHANNEL_LEN + 1];
} http_seen;

typedef struct http_client {
	CURLM *multi;
	tl_timer *timer;   /* when libcurl wants to be called */
	tl_timer *kick;    /* what must not happen inside libcurl's callbacks */
	tl_timer *sweep;   /* looks for peers that do not move */
	uint32_t sweep_ms; /* 0 = not running */
	uint64_t sweep_due;
	tl_exchange *all; /* every exchange, linked both ways */
	tl_exchange *todo_first, *todo_last;
	http_seen *seen;
	size_t seen_count, seen_cap;
	int *sockets; /* that are open */
	size_t socket_count, socket_cap;
} http_client;

typedef struct http {
	tl_transport base;
	tl_loop *loop;
	unsigned forks; /* tl__fork_count of its making */
	const tl__log *log;
	tl__log own_log; /* of tl_http_new, which is given no log to keep */
	bool tls;
	char *ca_file;
	char *proxy;
	http_client client;
	tl_server *servers;
} http;

static inline http *tl__http_of(tl_transport *transport)
{
	return (http *)transport;
}

/* http_client.c: the members of tl_transport. */
int tl__http_send(tl_transport *transport, const tl_request *request, const tl_response_sink *sink,
	tl_exchange **out) TL_MUST_USE;
void tl__http_resume(tl_exchange *exchange);
void tl__http_body_ready(tl_exchange *exchange);
void tl__http_cancel(tl_exchange *exchange);
const char *tl__http_channel(tl_exchange *exchange);

/* http_client_loop.c: libcurl's multi interface in the loop. `free` ends what is left. */
int tl__http_client_init(http *h) TL_MUST_USE;
void tl__http_client_free(http *h);

/* http_client_seen.c: how connections stand, dialled ones and (http_server_conn.c) taken ones. */
typedef struct http_told {
	tl_connection_info info; /* its texts are those below, and the channel's owner's */
	char remote[TL__ADDRESS_MAX + 1];
} http_told;
/* What the system says of a connection; false: it is none. */
bool tl__http_look(int fd, http_told *out);
void tl__http_connections(tl_transport *transport, tl_connection_visit visit, void *ud);
const tl_server *tl__server_next(const tl_server *server); /* of the same transport */
void tl__http_connections_taken(const tl_server *server, tl_connection_visit visit, void *ud);

/* http_server.c: the members of tl_transport. */
int tl__http_serve(tl_transport *transport, const char *bind, const tl_serve_options *options,
	const tl_server_calls *calls, void *ud, tl_server **out) TL_MUST_USE;
const char *tl__http_server_address(tl_server *server);
void tl__http_stop(tl_server *server, uint32_t grace_ms, void (*stopped)(void *ud), void *ud);

/* http_server_answer.c: the members of tl_transport. */
void tl__http_answer(tl_incoming *in, int status, const char *content_type, const tl_body *body);
void tl__http_answer_ready(tl_incoming *in);
void tl__http_incoming_resume(tl_incoming *in);
void tl__http_close_after(tl_incoming *in);
void tl__http_hold(tl_incoming *in, uint32_t ms);
void tl__http_keep(tl_incoming *in);

#endif
