/* A listening server: socket, libmicrohttpd's daemon in the loop, and its end. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <tidelock/crypto.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/mem.h"
#include "base/sized.h"
#include "transport/http_serving.h"

#define MAX_CONNECTIONS          1024
#define MAX_CONNECTIONS_PER_PEER 64
/* libmicrohttpd's memory for one connection. It must hold the largest head that we take and what
 * the library makes of it; larger heads it refuses itself with 431. It writes all of it anew for
 * each request, so a connection that waits has it, too. */
#define CONNECTION_BYTES ((size_t)TL__HTTP_MAX_REQUEST_BYTES + 4096)
#define MAX_PEM_BYTES    1048576

/* --- libmicrohttpd in the loop ---------------------------------------------------------------- */

static void on_epoll(void *ud, int fd, unsigned events)
{
	tl_server *server = ud;

	(void)fd;
	(void)events;
	server->vain_runs = 0;
	tl__server_run(server);
}

static void on_turn(void *ud)
{
	tl__server_run(ud);
}

__attribute__((format(printf, 2, 0))) static void on_complaint(
	void *ud, const char *format, va_list args)
{
	tl_server *server = ud;

	vsnprintf(server->said, sizeof server->said, format, args);
	server->said[strcspn(server->said, "\r\n")] = '\0';
	tl__log_write(server->http->log, TL_LOG_DEBUG, "http", "%s", server->said);
}

/* %2F in a path is not a slash: nothing is decoded. */
static size_t keep_escapes(void *ud, struct MHD_Connection *mhd, char *text)
{
	(void)ud;
	(void)mhd;
	return strlen(text);
}

/* --- start ------------------------------------------------------------------------------------ */

static int bind_failed(const char *text, const char *what)
{
	return tl__fail(TL_E_SERVER_BIND, "cannot %s %.300s: %s", what, text, strerror(errno));
}

static int listen_on(tl_server *server, const char *text)
{
	struct sockaddr_storage address;
	socklen_t len;
	int one = 1, zero = 0;

	if (tl__address_bindable(text, &address, &len) != TL_OK)
		return tl__fail_cause(TL_E_SERVER_BIND, "the server cannot listen on \"%.300s\"",
			text ? text : "");
	server->listen_fd =
		socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (server->listen_fd < 0)
		return bind_failed(text, "make a socket for");
	setsockopt(server->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (address.ss_family == AF_INET6)
		setsockopt(server->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
	if (bind(server->listen_fd, (struct sockaddr *)&address, len) != 0)
		return bind_failed(text, "listen on");
	if (listen(server->listen_fd, SOMAXCONN) != 0)
		return bind_failed(text, "listen on");
	len = sizeof address;
	if (getsockname(server->listen_fd, (struct sockaddr *)&address, &len) != 0)
		return bind_failed(text, "tell the address of");
	tl__address_format((struct sockaddr *)&address, server->address);
	return TL_OK;
}

static int read_pem(const char *path, tl__buf *out)
{
	FILE *file = fopen(path, "re");
	char *at = file ? tl__buf_reserve(out, MAX_PEM_BYTES + 1) : NULL;
	size_t got;

	if (!file)
		return tl__fail(TL_E_TLS, "cannot read %s: %s", path, strerror(errno));
	if (!at) {
		fclose(file);
		return tl__buf_status(out);
	}
	got = fread(at, 1, MAX_PEM_BYTES + 1, file);
	if (ferror(file) || got > MAX_PEM_BYTES) {
		fclose(file);
		return tl__fail(TL_E_TLS, "%s cannot be read, or is longer than %d bytes", path,
			MAX_PEM_BYTES);
	}
	fclose(file);
	at[got] = '\0';
	out->len = got;
	return TL_OK;
}

static int load_tls(tl_server *server, const tl_serve_options *options)
{
	int rc;

	memcpy(server->channel, "none", sizeof "none");
	if (!server->http->tls && options && (options->certificate_file || options->key_file))
		return tl__fail(TL_E_TLS, "the http transport takes no certificate: serve https");
	if (!server->http->tls)
		return TL_OK;
	if (!options || !options->certificate_file || !options->key_file)
		return tl__fail(
			TL_E_TLS, "a server for https needs a certificate file and a key file");
	rc = read_pem(options->certificate_file, &server->certificate);
	if (rc == TL_OK)
		rc = read_pem(options->key_file, &server->key);
	if (rc == TL_OK)
		rc = tl__certificate_channel(server->certificate.ptr, server->channel);
	if (rc == TL_OK)
		rc = tl_tls_key_check(
			tl__buf_view(&server->certificate), tl__buf_view(&server->key));
	return rc;
}

static int start_daemon(tl_server *server)
{
	bool tls = server->http->tls;
	struct MHD_OptionItem with_tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate.ptr},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, server->key.ptr},
		{MHD_OPTION_END, 0, NULL},
	};
	struct MHD_OptionItem without[] = {{MHD_OPTION_END, 0, NULL}};

	server->daemon = MHD_start_daemon(
		MHD_USE_ERROR_LOG | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
			MHD_USE_NO_LISTEN_SOCKET | (tls ? (unsigned)MHD_USE_TLS : 0U),
		0, NULL, NULL, tl__request_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_complaint,
		server, MHD_OPTION_NOTIFY_CONNECTION, tl__conn_notify, server,
		MHD_OPTION_NOTIFY_COMPLETED, tl__request_completed, server,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server, MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_CONNECTION_LIMIT, tl__server_most(server),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
		0U, MHD_OPTION_ARRAY, tls ? with_tls : without, MHD_OPTION_END);
	if (!server->daemon)
		return tl__fail(tls ? TL_E_TLS : TL_E_SERVER_BIND,
			"the server on %s does not start: %s", server->address,
			server->said[0] ? server->said : "no reason given");
	return TL_OK;
}

static int enter_loop(tl_server *server)
{
	tl_loop *loop = server->http->loop;
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int rc;

	if (!info)
		return tl__fail(TL_E_INTERNAL, "this libmicrohttpd has no epoll");
	rc = loop->watch(loop, info->epoll_fd, TL_READABLE, on_epoll, server, &server->watch);
	return rc == TL_OK ? tl__accept_begin(server) : rc;
}

static void link_server(tl_server *server)
{
	http *h = server->http;

	server->next = h->servers;
	server->link = &h->servers;
	if (server->next)
		server->next->link = &server->next;
	h->servers = server;
}

static void unlink_server(tl_server *server)
{
	*server->link = server->next;
	if (server->next)
		server->next->link = server->link;
}

const tl_server *tl__server_next(const tl_server *server)
{
	return server->next;
}

static void free_server(tl_server *server)
{
	tl_loop *loop = server->http->loop;

	unlink_server(server);
	loop->unwatch(server->watch); /* before its descriptor is closed */
	tl__accept_end(server);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	tl__linger_end_all(server);
	loop->timer_free(server->turn);
	loop->timer_free(server->sweep);
	loop->timer_free(server->end);
	tl__buf_free(&server->certificate);
	tl__buf_wipe(&server->key);
	tl__free(server);
}

static void take_options(tl_server *server, const tl_serve_options *o)
{
	server->idle_ms = o->idle_ms ? o->idle_ms : TL__PACE_IDLE_MS;
	server->min_rate = o->min_bytes_per_s ? o->min_bytes_per_s : TL__PACE_MIN_RATE;
	server->max_connections = o->max_connections ? o->max_connections : MAX_CONNECTIONS;
	server->max_per_peer = o->max_connections_per_peer ? o->max_connections_per_peer
							   : MAX_CONNECTIONS_PER_PEER;
}

static void on_end(void *ud);

static int start(tl_server *server, const char *bind, const tl_serve_options *options)
{
	tl_loop *loop = server->http->loop;
	int rc = load_tls(server, options);

	if (rc == TL_OK)
		rc = listen_on(server, bind);
	if (rc == TL_OK)
		rc = loop->timer(loop, on_turn, server, &server->turn);
	if (rc == TL_OK)
		rc = loop->timer(loop, tl__conn_sweep, server, &server->sweep);
	if (rc == TL_OK)
		rc = loop->timer(loop, on_end, server, &server->end);
	if (rc == TL_OK)
		rc = start_daemon(server);
	if (rc == TL_OK)
		rc = enter_loop(server);
	return rc;
}

int tl__http_serve(tl_transport *transport, const char *bind, const tl_serve_options *options,
	const tl_server_calls *calls, void *ud, tl_server **out)
{
	tl_serve_options full = TL_SERVE_OPTIONS_INIT;
	tl_server *server;
	int rc = TL_OK;

	*out = NULL;
	if (options)
		rc = tl__sized_read(&full, options, tl_serve_options, min_bytes_per_s);
	if (rc != TL_OK)
		return rc;
	server = tl__alloc_zero(1, sizeof *server);
	if (!server)
		return TL_E_NOMEM;
	server->http = tl__http_of(transport);
	link_server(server);
	server->listen_fd = server->waiting.fd = -1;
	server->ud = ud;
	take_options(server, &full);
	rc = tl__sized_read(&server->calls, calls, tl_server_calls, gone);
	if (rc == TL_OK)
		rc = start(server, bind, &full);
	if (rc != TL_OK) {
		free_server(server);
		return rc;
	}
	*out = server;
	return TL_OK;
}

const char *tl__http_server_address(tl_server *server)
{
	return server->address;
}

/* --- end -------------------------------------------------------------------------------------- */

static void cut_all(tl_server *server)
{
	for (http_conn *at = server->conns; at; at = at->next)
		tl__conn_cut(at);
}

/* The grace is over, or nobody is left. */
static void on_end(void *ud)
{
	tl_server *server = ud;
	void (*stopped)(void *ud) = server->stopped;
	void *stopped_ud = server->stopped_ud;

	cut_all(server);
	/* libmicrohttpd does not stop with suspended connections; a run lets it see them woken. */
	MHD_run(server->daemon);
	free_server(server);
	if (stopped)
		stopped(stopped_ud);
}

void tl__http_stop(tl_server *server, uint32_t grace_ms, void (*stopped)(void *ud), void *ud)
{
	if (server->stopping || tl__fork_inherited(server->http->forks))
		return;
	server->stopping = true;
	server->stopped = stopped;
	server->stopped_ud = ud;
	tl__accept_end(server);
	for (http_conn *at = server->conns; at; at = at->next)
		if (!at->in)
			tl__conn_cut(at);
	server->http->loop->timer_start(server->end, server->conns ? grace_ms : 0);
}
