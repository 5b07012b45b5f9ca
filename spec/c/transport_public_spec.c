/* The public loop and HTTP transport: an exchange with a server of one's own, as a host does it. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <tidelock/tidelock.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

typedef struct rig {
	tl_loop *loop;
	tl_transport *http;
	tl_server *server;
	int status, code;
	bool stopped;
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
	((rig *)ud)->stopped = true;
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
	static const tl_server_calls calls = {
		sizeof calls, on_begin, on_piece_in, on_end, on_gone, NULL};
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

/* Turns the loop until the server has stopped. */
static void exchange_through(void (*turn_all)(rig *g))
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
	turn_all(&g);
	CHECK(g.stopped && g.code == TL_OK && g.status == 200);
	CHECK(strcmp(g.got, "pong") == 0 && strcmp(g.asked, "POST /ping") == 0);
	close_rig(&g);
}

static void run_it(rig *g)
{
	tl_loop_run(g->loop);
}

static int timeout(tl_loop *loop)
{
	int ms = 0;

	CHECK_OK(tl_loop_timeout(loop, &ms));
	return ms;
}

/* Only when the loop says so. */
static void turn_it(rig *g)
{
	while (!g->stopped) {
		struct pollfd fd = {tl_loop_fd(g->loop), POLLIN, 0};

		REQUIRE(poll(&fd, 1, timeout(g->loop)) >= 0);
		REQUIRE(tl_loop_turn(g->loop, false) == TL_OK);
	}
}

static void wait_in_it(rig *g)
{
	while (!g->stopped)
		REQUIRE(tl_loop_turn(g->loop, true) == TL_OK);
}

static void an_exchange(void)
{
	exchange_through(run_it);
}

static void an_exchange_inside_another_loop(void)
{
	exchange_through(turn_it);
	exchange_through(wait_in_it);
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

typedef struct told {
	char order[8];
	unsigned count;
	tl_loop *loop;
} told;

static void on_readable(void *ud, int fd, unsigned events)
{
	told *t = ud;
	char byte;

	(void)events;
	CHECK(read(fd, &byte, 1) == 1);
	t->order[t->count++] = 'd';
	CHECK(raise(SIGPIPE) == 0);
}

static void on_time(void *ud)
{
	told *t = ud;

	t->order[t->count++] = 't';
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* However long ago the last turn was. */
static void a_turn_is_due_when_there_is_something(void)
{
	told t = {.order = ""};
	tl_watch *watch;
	tl_timer *timer;
	sigset_t mask;
	int pipes[2];

	REQUIRE(pipe(pipes) == 0 && tl_loop_new(&t.loop) == TL_OK);
	REQUIRE(t.loop->watch(t.loop, pipes[0], TL_READABLE, on_readable, &t, &watch) == TL_OK);
	REQUIRE(t.loop->timer(t.loop, on_time, &t, &timer) == TL_OK);
	CHECK(timeout(t.loop) == 0); /* the watch needs a turn */
	REQUIRE(tl_loop_turn(t.loop, false) == TL_OK);
	CHECK(timeout(t.loop) == -1);
	sleep_ms(30);
	t.loop->timer_start(timer, 20); /* from now on, not from the last turn */
	CHECK(timeout(t.loop) > 10 && timeout(t.loop) <= 20);
	sleep_ms(40);
	CHECK(timeout(t.loop) == 0);
	REQUIRE(tl_loop_turn(t.loop, false) == TL_OK);
	CHECK(strcmp(t.order, "t") == 0 && timeout(t.loop) == -1);
	REQUIRE(write(pipes[1], "x", 1) == 1);
	REQUIRE(tl_loop_turn(t.loop, false) == TL_OK);
	CHECK(strcmp(t.order, "td") == 0);
	/* The signal of a socket that its peer has closed ends nobody. */
	REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
	CHECK(!sigismember(&mask, SIGPIPE));
	t.loop->timer_free(timer);
	t.loop->unwatch(watch);
	tl_loop_free(t.loop);
	CHECK(close(pipes[0]) == 0 && close(pipes[1]) == 0);
}

static void no_loop_is_refused(void)
{
	int ms;

	CHECK_CODE(tl_loop_fd(NULL), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_loop_timeout(NULL, &ms), TL_E_BAD_ARGUMENT);
	CHECK_CODE(tl_loop_turn(NULL, false), TL_E_BAD_ARGUMENT);
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
	RUN(a_turn_is_due_when_there_is_something); /* before SIGPIPE is blocked by tl_loop_run */
	RUN(an_exchange);
	RUN(an_exchange_inside_another_loop);
	RUN(no_loop_is_refused);
	RUN(posts_from_another_thread);
	RUN(options_begin_with_their_size);
	return spec_end();
}
