#include <poll.h>
#include <sys/ioctl.h>
#include <string.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "transport/http_serving.h"

static void sweep_later(tl_server *server)
{
	tl_loop *loop = server->http->loop;
	uint32_t ms = tl__pace_sweep_ms(server->idle_ms);

	server->sweep_due = loop->now_ms(loop) + ms;
	loop->timer_start(server->sweep, ms);
}

http_source *tl__source_find(const tl_server *server, const char *text)
{
	http_source *at = server->sources;

	while (at && strcmp(at->text, text) != 0)
		at = at->next;
	return at;
}

/* Counts one more connection of it; NULL without memory. */
static http_source *source_enter(tl_server *server, const char *text)
{
	http_source *source = tl__source_find(server, text);

	if (!source) {
		source = tl__alloc_zero(1, sizeof *source);
		if (!source)
			return NULL;
		memcpy(source->text, text, strlen(text) + 1);
		source->next = server->sources;
		server->sources = source;
	}
	source->count++;
	return source;
}

static void source_leave(tl_server *server, http_source *source)
{
	http_source **at = &server->sources;

	if (--source->count > 0)
		return;
	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	tl__free(source);
}

static void open_conn(tl_server *server, struct MHD_Connection *mhd, void **context)
{
	const union MHD_ConnectionInfo *fd =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *peer =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	http_conn *conn = tl__alloc_zero(1, sizeof *conn);
	char source[TL__SOURCE_LEN + 1] = "";
	tl_loop *loop = server->http->loop;

	if (conn && peer && peer->client_addr) {
		tl__address_format(peer->client_addr, conn->remote);
		tl__source_of(tl__str_z(conn->remote), source);
	}
	if (conn)
		conn->source = source_enter(server, source);
	if (conn && !conn->source) {
		tl__free(conn);
		conn = NULL;
	}
	*context = conn; /* without memory its first request is refused */
	if (!conn)
		return;
	conn->server = server;
	conn->mhd = mhd;
	conn->fd = fd ? fd->connect_fd : -1;
	conn->touched_ms = loop->now_ms(loop);
	tl__pace_start(&conn->pace, conn->touched_ms);
	server->conn_count++;
	if (!server->conns && !server->lingers)
		sweep_later(server);
	conn->next = server->conns;
	if (server->conns)
		server->conns->prev = conn;
	server->conns = conn;
}

/* Then there may be bytes of it under way that nobody will read. */
static bool peer_is_open(const http_conn *conn)
{
	struct pollfd end = {.fd = conn->fd, .events = POLLRDHUP};

	return poll(&end, 1, 0) == 0;
}

static void close_conn(http_conn *conn)
{
	tl_server *server = conn->server;

	if (!conn->cut && peer_is_open(conn))
		tl__linger_start(server, conn->fd);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		server->conns = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	source_leave(server, conn->source);
	server->conn_count--;
	server->cut_count -= conn->cut;
	tl__free(conn);
	/* At its limit libmicrohttpd looks for newcomers again only in its next run. */
	server->woken = true;
	if (server->stopping && !server->conns)
		server->http->loop->timer_start(server->end, 0);
}

void tl__conn_notify(void *ud, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	((tl_server *)ud)->achieved = true;
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		open_conn(ud, mhd, context);
	else if (*context)
		close_conn(*context);
}

http_conn *tl__conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* libmicrohttpd learns it from the socket; a request that it does not look at is woken for it. */
void tl__conn_cut(http_conn *conn)
{
	if (conn->cut)
		return;
	conn->cut = true;
	conn->server->cut_count++;
	shutdown(conn->fd, SHUT_RDWR);
	if (conn->in)
		tl__request_wake(conn->in);
}

void tl__conn_touch(http_conn *conn, uint64_t bytes)
{
	conn->touched_ms = tl__conn_now(conn);
	tl__pace_moved(&conn->pace, conn->touched_ms, bytes);
}

bool tl__conn_any_input(const tl_server *server)
{
	for (const http_conn *at = server->conns; at; at = at->next) {
		int bytes = 0;

		if ((!at->in || !at->in->suspended) && ioctl(at->fd, FIONREAD, &bytes) == 0 &&
			bytes > 0)
			return true;
	}
	return false;
}

/* Connections that a sweep asks the system about at a time. */
#define SWEEP_TOGETHER 64

/* Whether the peer has closed and nobody would read what may be left of it. libmicrohttpd does not
 * look at what is suspended, and misses an end that comes together with the last bytes. */
static bool is_gone(const http_conn *conn, short events)
{
	char byte;

	if (events == 0)
		return false;
	if ((events & (POLLHUP | POLLERR)) || (conn->in && conn->in->ended))
		return true;
	return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Each run of libmicrohttpd tries all handshakes that are not done, so they do not stay long. */
#define HANDSHAKE_MS 5000

/* Silence ends a connection whoever is silent: a peer with our defaults has given up by then too,
 * and nothing else would ever end what the application forgot. */
static bool is_late(http_conn *conn, uint64_t now)
{
	const tl_server *server = conn->server;

	if (conn->in && !conn->in->answered && now < conn->in->held_until)
		return false;
	if (now - conn->touched_ms >= server->idle_ms)
		return true;
	if (server->http->tls && !conn->spoke && now - conn->touched_ms >= HANDSHAKE_MS)
		return true;
	return tl__pace_look(&conn->pace, now, server->idle_ms, server->min_rate) != TL__PACE_GOOD;
}

static void look_at(http_conn *conn, short events, bool stalled, uint64_t now)
{
	if (is_gone(conn, events)) {
		tl__conn_cut(conn);
	} else if (!stalled && is_late(conn, now)) {
		tl__log_write(conn->server->http->log, TL_LOG_DEBUG, "http",
			"%s is too slow: connection closed", conn->remote);
		tl__conn_cut(conn);
	}
}

/* Looks at some from `first` on, which costs one call of the system; gives the one behind them. */
static http_conn *look_at_some(http_conn *first, bool stalled, uint64_t now)
{
	http_conn *conns[SWEEP_TOGETHER];
	struct pollfd ends[SWEEP_TOGETHER];
	size_t count = 0;

	for (; first && count < SWEEP_TOGETHER; first = first->next) {
		const tl_incoming *in = first->in;
		bool sends = in && in->answered && (in->ended || in->early);

		if (first->cut)
			continue;
		conns[count] = first;
		/* Sending will tell: what is below 0 is passed over. */
		ends[count++] = (struct pollfd){.fd = sends ? -1 : first->fd, .events = POLLRDHUP};
	}
	if (poll(ends, count, 0) < 0)
		count = 0; /* looked at the next time */
	for (size_t i = 0; i < count; i++)
		look_at(conns[i], ends[i].revents, stalled, now);
	return first;
}

void tl__conn_sweep(void *ud)
{
	tl_server *server = ud;
	tl_loop *loop = server->http->loop;
	uint64_t now = loop->now_ms(loop);
	bool stalled = tl__pace_stalled(server->sweep_due, now, tl__pace_sweep_ms(server->idle_ms));

	tl__linger_sweep(server);
	for (http_conn *at = server->conns; at;)
		at = look_at_some(at, stalled, now);
	if (server->conns || server->lingers)
		sweep_later(server);
}

void tl__http_connections_taken(const tl_server *server, tl_connection_visit visit, void *ud)
{
	http_told told;

	for (const http_conn *at = server->conns; at; at = at->next) {
		if (at->cut || !tl__http_look(at->fd, &told))
			continue;
		told.info.channel = server->channel;
		told.info.streams = at->in != NULL;
		visit(ud, &told.info);
	}
}
