/* Newcomers: taken from the listening socket by ourselves, because libmicrohttpd neither waits when
 * descriptors are out nor knows who is to make room when all places are taken. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/system/scarce.h"
#include "transport/http_serving.h"

#define TAKE_MOST 64 /* in one turn */
#define WARN_MS   60000

static void on_newcomers(void *ud, int fd, unsigned events);

/* --- waiting ---------------------------------------------------------------------------------- */

/* The next ones stay in the system's queue meanwhile. */
static void rest(tl_server *server)
{
	tl_loop *loop = server->http->loop;

	loop->unwatch(server->newcomers);
	server->newcomers = NULL;
	loop->timer_start(server->rested, TL__SCARCE_REST_MS);
}

static bool take(tl_server *server, const http_newcomer *newcomer);

static void on_rested(void *ud)
{
	tl_server *server = ud;
	tl_loop *loop = server->http->loop;

	if (server->waiting.fd >= 0) {
		if (!take(server, &server->waiting)) {
			loop->timer_start(server->rested, TL__SCARCE_REST_MS);
			return;
		}
		server->waiting.fd = -1;
		tl__server_run(server);
	}
	if (loop->watch(loop, server->listen_fd, TL_READABLE, on_newcomers, server,
		    &server->newcomers) != TL_OK)
		loop->timer_start(server->rested, TL__SCARCE_REST_MS);
}

static void warn(tl_server *server, int error)
{
	tl_loop *loop = server->http->loop;
	uint64_t now = loop->now_ms(loop);

	if (server->warned_ms != 0 && now - server->warned_ms < WARN_MS)
		return;
	server->warned_ms = now;
	tl__log_write(server->http->log, TL_LOG_WARNING, "http",
		"%s takes no connections for now: %s; is the limit of open files high enough?",
		server->address, strerror(error));
}

/* --- room ------------------------------------------------------------------------------------- */

/* In the order in which they go. */
typedef enum worth { SILENT, IDLE_OF_MANY, AT_WORK_OF_MANY, IDLE, STAYS } worth;

/* Nobody makes room for a source that has more itself, and a request under way ends only for one
 * that has much less. */
static worth worth_of(const http_conn *conn, unsigned newcomer_has)
{
	unsigned has = conn->source->count;
	bool many = has >= 2 * (newcomer_has + 1);

	if (conn->cut || conn->known || has < newcomer_has)
		return STAYS;
	if (!conn->spoke)
		return SILENT;
	if (conn->in)
		return many ? AT_WORK_OF_MANY : STAYS;
	return many ? IDLE_OF_MANY : IDLE;
}

/* Of two that are alike the one further down the list, which is the older one. */
static bool is_better(const http_conn *a, const http_conn *b)
{
	if (a->source->count != b->source->count)
		return a->source->count > b->source->count;
	return a->touched_ms <= b->touched_ms;
}

/* The first in that order, of the source that has most. NULL: all stay. */
static http_conn *who_goes(const tl_server *server, unsigned newcomer_has)
{
	http_conn *best = NULL;
	worth least = STAYS;

	for (http_conn *at = server->conns; at; at = at->next) {
		worth its = worth_of(at, newcomer_has);

		if (its < least || (best && its == least && is_better(at, best))) {
			best = at;
			least = its;
		}
	}
	return best;
}

/* False: it has to wait. */
static bool make_room(tl_server *server, const char *source)
{
	const http_source *known = tl__source_find(server, source);
	http_conn *goes;

	if (server->conn_count - server->cut_count < server->max_connections)
		return true;
	goes = who_goes(server, known ? known->count : 0);
	if (goes)
		tl__conn_cut(goes);
	return goes != NULL && server->conn_count < tl__server_most(server);
}

/* --- taking ----------------------------------------------------------------------------------- */

static bool has_share(const tl_server *server, const char *source)
{
	const http_source *known = tl__source_find(server, source);

	return !known || known->count < server->max_per_peer;
}

/* False: there is no room for it, it stays the caller's. */
static bool take(tl_server *server, const http_newcomer *newcomer)
{
	const struct sockaddr *address = (const struct sockaddr *)&newcomer->address;
	char remote[TL__ADDRESS_MAX + 1], source[TL__SOURCE_LEN + 1];

	tl__address_format(address, remote);
	tl__source_of(tl__str_z(remote), source);
	if (!has_share(server, source)) {
		close(newcomer->fd);
		return true;
	}
	if (!make_room(server, source))
		return false;
	/* It closes the descriptor when it fails. */
	(void)MHD_add_connection(server->daemon, newcomer->fd, address, newcomer->len);
	return true;
}

static void on_newcomers(void *ud, int fd, unsigned events)
{
	tl_server *server = ud;

	(void)events;
	for (int i = 0; i < TAKE_MOST; i++) {
		http_newcomer who = {.len = sizeof who.address};

		who.fd = accept4(fd, (struct sockaddr *)&who.address, &who.len,
			SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (who.fd < 0 && tl__scarce(errno)) {
			warn(server, errno);
			rest(server);
			break;
		}
		if (who.fd < 0 && errno != EINTR && errno != ECONNABORTED)
			break;
		if (who.fd >= 0 && !take(server, &who)) {
			server->waiting = who;
			rest(server);
			break;
		}
	}
	tl__server_run(server);
}

/* --- life ------------------------------------------------------------------------------------- */

int tl__accept_begin(tl_server *server)
{
	tl_loop *loop = server->http->loop;
	int rc = loop->timer(loop, on_rested, server, &server->rested);

	if (rc == TL_OK)
		rc = loop->watch(loop, server->listen_fd, TL_READABLE, on_newcomers, server,
			&server->newcomers);
	return rc;
}

void tl__accept_end(tl_server *server)
{
	tl_loop *loop = server->http->loop;

	loop->unwatch(server->newcomers);
	loop->timer_free(server->rested);
	server->newcomers = NULL;
	server->rested = NULL;
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->waiting.fd >= 0)
		close(server->waiting.fd);
	server->listen_fd = server->waiting.fd = -1;
}
