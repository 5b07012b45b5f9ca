/* A request's way through libmicrohttpd's access handler: called once with the headers, once for
 * each piece of the body, once more at its end, and again whenever it was woken there. */
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "transport/http_serving.h"

void tl__request_suspend(tl_incoming *in)
{
	if (in->suspended)
		return;
	in->suspended = true;
	tl__pace_hold(&in->conn->pace, tl__conn_now(in->conn));
	MHD_suspend_connection(in->conn->mhd);
}

/* libmicrohttpd sees it in its next run, and nothing else would cause one. */
void tl__request_wake(tl_incoming *in)
{
	tl_server *server = in->conn->server;

	if (!in->suspended)
		return;
	in->suspended = false;
	in->conn->touched_ms = tl__conn_now(in->conn);
	tl__pace_release(&in->conn->pace, in->conn->touched_ms);
	MHD_resume_connection(in->conn->mhd);
	server->woken = true;
	server->http->loop->timer_start(server->turn, 0);
}

/* --- the headers ------------------------------------------------------------------------------ */

/* "http://host/path" means /path. */
static const char *path_of(const char *url)
{
	const char *rest = NULL;

	if (strncasecmp(url, "http://", 7) == 0)
		rest = url + 7;
	else if (strncasecmp(url, "https://", 8) == 0)
		rest = url + 8;
	if (!rest)
		return url;
	rest = strchr(rest, '/');
	return rest ? rest : "/";
}

static void answer_ourselves(tl_incoming *in, int status)
{
	in->answered = true;
	in->status = status;
}

static void begin(tl_incoming *in, const char *url, const char *method)
{
	tl_server *server = in->conn->server;
	const char *type =
		MHD_lookup_connection_value(in->conn->mhd, MHD_HEADER_KIND, "Content-Type");
	tl_incoming_head head = {
		.size = sizeof head,
		.path = path_of(url),
		.content_type = {type, type ? strlen(type) : 0},
		.body_length = in->announced,
		.remote = in->conn->remote,
		.channel = server->channel,
		.method = method,
	};

	in->begun = true;
	server->calls.begin(server->ud, in, &head, &in->request_ud, &in->max_body);
	if (!in->answered && strcmp(method, "POST") != 0)
		answer_ourselves(in, 405);
	if (!in->answered && in->announced > 0 && (uint64_t)in->announced > in->max_body)
		answer_ourselves(in, 413);
}

static tl_incoming *new_incoming(http_conn *conn, const char *version, const http_headers *headers)
{
	tl_incoming *in = tl__alloc_zero(1, sizeof *in);

	if (!in)
		return NULL;
	in->conn = conn;
	in->http_1_0 = strcmp(version, "HTTP/1.1") != 0;
	in->announced = headers->chunked ? -1 : headers->length < 0 ? 0 : headers->length;
	in->early = in->announced < 0 || in->announced > TL__HTTP_DRAIN_SMALL_BYTES ||
		    (headers->expect && in->announced > 0);
	conn->in = in;
	conn->spoke = true;
	conn->touched_ms = tl__conn_now(conn);
	tl__pace_start(&conn->pace, conn->touched_ms);
	return in;
}

static enum MHD_Result first_call(struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, void **context)
{
	http_conn *conn = tl__conn_of(mhd);
	http_headers headers;
	tl_incoming *in;
	int status;

	if (!conn || conn->cut)
		return MHD_NO;
	status = tl__headers_check(mhd, method, version, &headers);
	if (status != 0)
		return tl__answer_refuse(conn, status);
	in = new_incoming(conn, version, &headers);
	if (!in)
		return MHD_NO;
	*context = in;
	begin(in, url, method);
	return in->answered && in->early ? tl__answer_queue(in) : MHD_YES;
}

/* --- the body --------------------------------------------------------------------------------- */

static enum MHD_Result take(tl_incoming *in, const char *bytes, size_t len)
{
	const tl_server_calls *calls = &in->conn->server->calls;

	tl__conn_touch(in->conn, len);
	if (!in->answered && len > in->max_body - in->received)
		answer_ourselves(in, 413);
	if (in->answered) {
		in->drained += len;
		return in->drained > TL__HTTP_DRAIN_BYTES ? MHD_NO : MHD_YES;
	}
	in->received += len;
	in->paused = false;
	if (!calls->piece(in->request_ud, in, bytes, len))
		in->paused = true;
	if (in->paused && !in->answered)
		tl__request_suspend(in);
	return MHD_YES;
}

static enum MHD_Result finish(tl_incoming *in)
{
	const tl_server_calls *calls = &in->conn->server->calls;

	if (!in->ended) {
		in->ended = true;
		if (!in->answered)
			calls->end(in->request_ud, in);
	}
	if (in->answered)
		return tl__answer_queue(in);
	tl__request_suspend(in);
	return MHD_YES;
}

enum MHD_Result tl__request_access(void *ud, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *bytes, size_t *len, void **context)
{
	tl_server *server = ud;
	tl_incoming *in = *context;
	size_t got = *len;

	server->achieved = true;
	if (!in)
		return first_call(mhd, url, method, version, context);
	if (in->conn->cut)
		return MHD_NO;
	if (got == 0)
		return finish(in);
	*len = 0;
	return take(in, bytes, got);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void between_requests(http_conn *conn)
{
	conn->in = NULL;
	conn->touched_ms = tl__conn_now(conn);
	tl__pace_start(&conn->pace, conn->touched_ms);
	if (conn->server->stopping)
		tl__conn_cut(conn);
}

static void free_incoming(tl_incoming *in)
{
	if (in->body.drop)
		in->body.drop(in->body.ud);
	tl__free(in->ahead);
	tl__free(in->content_type);
	tl__free(in);
}

void tl__request_completed(
	void *ud, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode why)
{
	tl_server *server = ud;
	tl_incoming *in = *context;
	http_conn *conn = tl__conn_of(mhd);

	(void)why;
	server->achieved = true;
	*context = NULL;
	if (conn)
		between_requests(conn);
	if (!in)
		return;
	if (in->begun)
		server->calls.gone(in->request_ud);
	free_incoming(in);
}
