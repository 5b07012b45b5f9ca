#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "transport/http_serving.h"

#define LINGER_MS  2000
#define LINGER_MAX 64

/* Closing a socket with unread bytes resets it, and the reset makes the other side lose an answer
 * it has not read yet. So a copy of the descriptor reads on for a short while. */
struct http_linger {
	tl_server *server;
	tl_watch *watch;
	int fd;
	uint64_t until_ms;
	uint64_t bytes;
	http_linger *next;
};

static void end(http_linger *linger)
{
	http_linger **at = &linger->server->lingers;

	while (*at != linger)
		at = &(*at)->next;
	*at = linger->next;
	linger->server->http->loop->unwatch(linger->watch);
	close(linger->fd);
	tl__free(linger);
}

static void on_bytes(void *ud, int fd, unsigned events)
{
	static _Thread_local char dropped[65536];
	http_linger *linger = ud;
	ssize_t got = recv(fd, dropped, sizeof dropped, MSG_DONTWAIT);

	(void)events;
	if (got > 0)
		linger->bytes += (uint64_t)got;
	if (got <= 0 || linger->bytes > TL__HTTP_DRAIN_BYTES)
		end(linger);
}

static bool is_full(const tl_server *server)
{
	unsigned count = 0;

	for (const http_linger *at = server->lingers; at; at = at->next)
		count++;
	return count >= LINGER_MAX;
}

void tl__linger_start(tl_server *server, int fd)
{
	tl_loop *loop = server->http->loop;
	http_linger *linger;

	if (server->stopping || is_full(server))
		return;
	linger = tl__alloc_zero(1, sizeof *linger);
	if (!linger)
		return;
	linger->server = server;
	linger->until_ms = loop->now_ms(loop) + LINGER_MS;
	linger->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (linger->fd < 0) {
		tl__free(linger);
		return;
	}
	shutdown(linger->fd, SHUT_WR);
	linger->next = server->lingers;
	server->lingers = linger;
	if (loop->watch(loop, linger->fd, TL_READABLE, on_bytes, linger, &linger->watch) != TL_OK)
		end(linger);
}

void tl__linger_sweep(tl_server *server)
{
	uint64_t now = server->http->loop->now_ms(server->http->loop);
	http_linger *next;

	for (http_linger *at = server->lingers; at; at = next) {
		next = at->next;
		if (now >= at->until_ms)
			end(at);
	}
}

void tl__linger_end_all(tl_server *server)
{
	while (server->lingers)
		end(server->lingers);
}
