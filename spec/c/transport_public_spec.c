/* The public loop and HTTP transport: an exchange with a server of one's own, as a host does it. */
#include <pthread.h>
#include <tidelock/tidelock.h>
#include "check.h"

typedef struct rig {
	tl_loop *loop;
	tl_transport *http;
	tl_server *server;
	int status, code;
	char got[64], asked[64];
	unsigned posted;
} rig;

/* --- server ----------------------------------------------------------------------------------- */

static ptrdiff_t read_pong(void *ud, void *out, size_t cap)
{
	bool *sent = ud;

	if (*sent || cap < 4)
		return TL_BODY_END;
	*sent = true;
	memcpy(out, "pong", 4);
	return 4;
}

static void on_begin(void *ud, tl_incoming *in, const tl_incoming_head *head, void **request_ud,
	uint64_t *max_body)
{
	static bool sent;
	rig *g = ud;
	const tl_body body = {read_pong, NULL, &sent, 4};

	sent = false;
	*request_ud = NULL;
	*max_body = 16;
	snprintf(g->asked, sizeof g->asked, "%s %s", head->method, head->path);
	g->http->answer(in, 200, "text/plain", &body);
}

static bool on_piece_in(void *request_ud, tl_incoming *in, const void *bytes, size_t len)
{
	(void)request_ud;
	(void)in;
	(void)bytes;
	(void)len;
	return true;
}

static void on_end(void *request_ud, tl_incoming *in)
{
	(void)request_ud;
	(void)in;
}

static void on_gone(void *request_ud)
{
	(void)request_ud;
}

/* --- client ----------------------------------------------------------------------------------- */

static void on_head(void *ud, const tl_response_head *head)
{
	((rig *)ud)->status = head->status;
}

static bool on_piece(void *ud, const void *bytes, size_t len)
{
	rig *g = ud;
	size_t at = strlen(g->got);

	snprintf(g->got + at, sizeof g->got - at, "%.*s", (int)len, (const char *)bytes);
	return true;
}

static void on_stopped(void *ud)
{
	tl_loop_stop(((rig *)ud)->loop);
}

static void on_done(void *ud, int code)
{
	rig *g = ud;

	g->code = code;
	g->http->stop(g->server, 0, on_stopped, g);
}

static int open_rig(rig *g)
{
	static const tl_server_calls calls = {sizeof calls, on_begin, on_piece_in, on_end, on_gone};
	tl_http_options options = TL_HTTP_OPTIONS_INIT;
	int rc;

	memset(g, 0, sizeof *g);
	g->code = TL_E_INTERNAL;
	options.log_level = TL_LOG_OFF;
	rc = tl_loop_new(&g->loop);
	if (rc == TL_OK)
		rc = tl_http_new(&g->http, g->loop, &options);
	if (rc == TL_OK)
		rc = g->http->serve(g->http, "127.0.0.1:0", NULL, &calls, g, &g->server);
	return rc;
}

static void close_rig(rig *g)
{
	if (g->http)
		g->http->free(g->http);
	tl_loop_free(g->loop);
}

static void an_exchange(void)
{
	const tl_response_sink sink = {
		.size = sizeof sink, .head = on_head, .piece = on_piece, .done = on_done};
	tl_response_sink to = sink;
	tl_request request = {.size = sizeof request,
		.path = "/ping",
		.content_type = "text/plain",
		.max_response = 64};
	tl_exchange *exchange;
	bool sent = false;
	rig g;

	REQUIRE(open_rig(&g) == TL_OK);
	to.ud = &g;
	request.address = g.http->server_address(g.server);
	request.body = (tl_body){read_pong, NULL, &sent, 4};
	CHECK_OK(g.http->check_address(g.http, request.address));
	REQUIRE(g.http->send(g.http, &request, &to, &exchange) == TL_OK);
	tl_loop_run(g.loop);
	CHECK(g.code == TL_OK && g.status == 200);
	CHECK(strcmp(g.got, "pong") == 0 && strcmp(g.asked, "POST /ping") == 0);
	close_rig(&g);
}

/* --- the loop alone --------------------------------------------------------------------------- */

static void count(void *ud)
{
	rig *g = ud;

	if (++g->posted == 2)
		tl_loop_stop(g->loop);
}

static void *post_two(void *ud)
{
	rig *g = ud;

	for (int i = 0; i < 2; i++)
		if (g->loop->post(g->loop, count, g) != TL_OK)
			tl_loop_stop(g->loop);
	return NULL;
}

static void posts_from_another_thread(void)
{
	pthread_t thread;
	rig g = {.posted = 0};

	REQUIRE(tl_loop_new(&g.loop) == TL_OK);
	REQUIRE(pthread_create(&thread, NULL, post_two, &g) == 0);
	tl_loop_run(g.loop);
	pthread_join(thread, NULL);
	CHECK(g.posted == 2);
	CHECK_CODE(g.loop->post(g.loop, count, &g), TL_E_CLOSED);
	tl_loop_free(g.loop);
	tl_loop_free(NULL);
}

static void options_begin_with_their_size(void)
{
	tl_http_options options = {.size = 0};
	tl_transport *http = NULL;
	tl_loop *loop;

	REQUIRE(tl_loop_new(&loop) == TL_OK);
	CHECK_CODE(tl_http_new(&http, loop, &options), TL_E_BAD_ARGUMENT);
	CHECK(!http);
	REQUIRE(tl_http_new(&http, loop, NULL) == TL_OK);
	CHECK(strcmp(http->type, "http") == 0);
	http->free(http);
	tl_loop_free(loop);
}

int main(void)
{
	RUN(an_exchange);
	RUN(posts_from_another_thread);
	RUN(options_begin_with_their_size);
	return spec_end();
}
