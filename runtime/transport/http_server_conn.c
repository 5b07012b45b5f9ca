#include <errno.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "transport/http_serving.h"

static void open_conn(tl_server *server, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *peer =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	http_conn *conn = tl__alloc_zero(1, sizeof *conn);
	tl_loop *loop = server->http->loop;

	*context = conn; /* without memory its first request is refused */
	if (!conn)
		return;
	conn->server = server;
	conn->mhd = mhd;
	conn->fd = fd ? fd->connect_fd : -1;
	conn->touched_ms = loop->now_ms(loop);
	tl__pace_start(&conn->pace, conn->touched_ms);
	if (peer && peer->client_addr)
		tl__address_format(peer->client_addr, conn->remote);
	if (!server->conns && !server->lingers)
		loop->timer_start(server->sweep, tl__pace_sweep_ms(server->idle_ms));
	conn->next = server->conns;
	if (server->conns)
		server->conns->prev = conn;
	server->conns = conn;
}

static void close_conn(http_conn *conn)
{
	tl_server *server = conn->server;

	if (conn->unread && !conn->cut)
		tl__linger_start(server, conn->fd);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		server->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	tl__free(conn);
	if (server->stopping && !server->conns)
		server->http->loop->timer_start(server->end, 0);
}

void tl__conn_notify(void *ud, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		open_conn(ud, mhd, context);
	else if (*context)
		close_conn(*context);
}

/* libmicrohttpd learns it from the socket; a request that it does not look at is woken for it. */
void tl__conn_cut(http_conn *conn)
{
	if (conn->cut)
		return;
	conn->cut = true;
	shutdown(conn->fd, SHUT_RDWR);
	if (conn->in)
		tl__request_wake(conn->in);
}

void tl__conn_touch(http_conn *conn, uint64_t bytes)
{
	conn->touched_ms = tl__conn_now(conn);
	tl__pace_moved(&conn->pace, conn->touched_ms, bytes);
}

/* Whether the peer has closed and everything it sent was taken. libmicrohttpd does not look at what
 * is suspended, and misses an end that comes together with the last bytes. */
static bool is_gone(const http_conn *conn)
{
	ssize_t got;
	char byte;

	if (conn->in && conn->in->answered)
		return false; /* sending will tell */
	got = recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

/* Silence ends a connection whoever is silent: a peer with our defaults has given up by then too,
 * and nothing else would ever end what the application forgot. */
static bool is_late(http_conn *conn, uint64_t now)
{
	const tl_server *server = conn->server;

	if (now - conn->touched_ms >= server->idle_ms)
		return true;
	return tl__pace_look(&conn->pace, now, server->idle_ms, server->min_rate) != TL__PACE_GOOD;
}

void tl__conn_sweep(void *ud)
{
	tl_server *server = ud;
	tl_loop *loop = server->http->loop;
	uint64_t now = loop->now_ms(loop);

	tl__linger_sweep(server);
	for (http_conn *at = server->conns; at; at = at->next)
		if (!at->cut && is_gone(at)) {
			tl__conn_cut(at);
		} else if (!at->cut && is_late(at, now)) {
			tl__log_write(server->http->log, TL_LOG_DEBUG, "http",
				"%s is too slow: connection closed", at->remote);
			tl__conn_cut(at);
		}
	if (server->conns || server->lingers)
		loop->timer_start(server->sweep, tl__pace_sweep_ms(server->idle_ms));
}
