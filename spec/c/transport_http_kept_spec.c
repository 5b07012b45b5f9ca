/* Connections kept from an earlier exchange that are gone when the next one comes. */
#include "http_rig.h"

enum { BODY = 300000, HOLD = 700 };

/* What the server does with the second request on a connection; it answers every first one. */
typedef enum server_fate { RESET, CLOSE, RESET_AT_HEAD, MUTE, LATE, HALF_HEAD } server_fate;

typedef struct server {
	tl_loop *loop;
	tl_watch *watch;
	int fd;
	server_fate fate;
	unsigned connections, requests, bad_bodies;
	struct conn *conns;
	char address[64];
} server;

typedef struct conn {
	server *server;
	struct conn *next;
	tl_watch *watch;
	int fd;
	unsigned answered;
	tl__buf got;
} conn;

static void conn_close(conn *c, bool reset)
{
	struct linger none = {.l_onoff = 1};

	if (c->fd < 0)
		return;
	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
	c->server->loop->unwatch(c->watch);
	close(c->fd);
	c->fd = -1;
}

static void say(const conn *c, const char *text)
{
	CHECK(send(c->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static void answer(conn *c, const char *body)
{
	say(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	c->server->requests++;
	c->answered++;
	for (size_t i = 0; i < BODY; i++)
		if ((uint8_t)body[i] != pattern(i)) {
			c->server->bad_bodies++;
			break;
		}
	tl__buf_clear(&c->got);
}

/* The whole of a second request. */
static void second(conn *c)
{
	switch (c->server->fate) {
	case RESET: conn_close(c, true); return;
	case CLOSE: conn_close(c, false); return;
	case HALF_HEAD:
		say(c, "HTTP/1.1 200 OK\r\nContent-Le");
		conn_close(c, false);
		return;
	default: return; /* silence */
	}
}

static void on_bytes(void *ud, int fd, unsigned events)
{
	conn *c = ud;
	char bytes[65536];
	ssize_t got = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
	const char *body;

	(void)events;
	if (got <= 0) {
		conn_close(c, false);
		return;
	}
	if (c->answered > 0 && c->server->fate == RESET_AT_HEAD) {
		conn_close(c, true);
		return;
	}
	tl__buf_append(&c->got, bytes, (size_t)got);
	body = memmem(c->got.ptr, c->got.len, "\r\n\r\n", 4);
	if (!body || c->got.len - (size_t)(body + 4 - c->got.ptr) < BODY)
		return;
	if (c->answered == 0)
		answer(c, body + 4);
	else
		second(c);
}

static void on_newcomer(void *ud, int fd, unsigned events)
{
	server *s = ud;
	conn *c = calloc(1, sizeof *c);

	(void)events;
	if (!c)
		exit(2);
	c->server = s;
	c->fd = accept(fd, NULL, NULL);
	c->next = s->conns;
	s->conns = c;
	s->connections++;
	if (c->fd < 0 ||
		s->loop->watch(s->loop, c->fd, TL_READABLE, on_bytes, c, &c->watch) != TL_OK)
		exit(2);
}

static void server_open(server *s, rig *g, server_fate fate)
{
	memset(s, 0, sizeof *s);
	s->loop = g->loop;
	s->fate = fate;
	s->fd = listen_mutely(s->address);
	if (s->loop->watch(s->loop, s->fd, TL_READABLE, on_newcomer, s, &s->watch) != TL_OK)
		exit(2);
}

static void server_close(server *s)
{
	for (conn *c = s->conns, *next; c; c = next) {
		next = c->next;
		conn_close(c, false);
		tl__buf_free(&c->got);
		free(c);
	}
	s->loop->unwatch(s->watch);
	close(s->fd);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void rewind_body(void *ud)
{
	((exchange *)ud)->sent = 0;
}

static int ask_of(rig *g, const server *s, exchange *e)
{
	int rc = ex_start(e, g, s->address, "/x");

	if (rc != TL_OK)
		return rc;
	CHECK(rig_turn(g, ex_is_done, e, RIG_GUARD_MS));
	CHECK(e->dones == 1 && e->drops == 1);
	return e->code;
}

static exchange asking(void)
{
	return (exchange){.send_len = BODY, .keep = true, .idle_ms = 300, .rewind = rewind_body};
}

static void a_request_is_sent_once_more_after(server_fate fate)
{
	rig g;
	server s;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	server_open(&s, &g, fate);
	for (unsigned i = 1; i <= 3; i++) {
		exchange e = asking();

		CHECK_OK(ask_of(&g, &s, &e));
		CHECK(e.status == 200 && e.heads == 1 && e.got == 2);
		CHECK(s.requests == i && s.connections == i && s.bad_bodies == 0);
		ex_end(&e);
	}
	server_close(&s);
	rig_close(&g);
}

static void a_connection_that_was_reset(void)
{
	a_request_is_sent_once_more_after(RESET);
}

static void a_connection_that_was_closed(void)
{
	a_request_is_sent_once_more_after(CLOSE);
}

static void a_connection_that_was_reset_in_the_middle_of_the_request(void)
{
	a_request_is_sent_once_more_after(RESET_AT_HEAD);
}

/* A NAT that forgot it: nothing comes, not even an end. */
static void a_connection_that_has_gone_silent(void)
{
	a_request_is_sent_once_more_after(MUTE);
}

static void silence_on_a_kept_connection_costs_five_seconds_at_most(void)
{
	exchange first = asking(), e = asking();
	uint64_t began;
	rig g;
	server s;

	first.idle_ms = e.idle_ms = 30000;
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	server_open(&s, &g, MUTE);
	CHECK_OK(ask_of(&g, &s, &first));
	began = spec_now_ms();
	CHECK_OK(ask_of(&g, &s, &e));
	printf("# silence was given up after %u ms\n", (unsigned)(spec_now_ms() - began));
	CHECK(spec_now_ms() - began < e.idle_ms / 2);
	CHECK(s.connections == 2);
	ex_end(&first);
	ex_end(&e);
	server_close(&s);
	rig_close(&g);
}

/* --- not repeated ----------------------------------------------------------------------------- */

static void what_fails_on_a_new_connection_has_failed(void)
{
	exchange first = asking(), e = asking();
	rig g;
	server s;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	server_open(&s, &g, RESET);
	CHECK_OK(ask_of(&g, &s, &first));
	s.loop->unwatch(s.watch); /* nobody takes newcomers any more: they find silence */
	s.watch = NULL;
	CHECK_CODE(ask_of(&g, &s, &e), TL_E_TIMEOUT);
	CHECK(s.requests == 1);
	ex_end(&first);
	ex_end(&e);
	server_close(&s);
	rig_close(&g);
}

static void a_body_that_can_be_read_once_is_not_sent_twice(void)
{
	exchange first = asking(), e = asking();
	rig g;
	server s;

	e.rewind = NULL;
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	server_open(&s, &g, RESET);
	CHECK_OK(ask_of(&g, &s, &first));
	CHECK_CODE(ask_of(&g, &s, &e), TL_E_CONNECTION_FAILED);
	CHECK(s.requests == 1);
	ex_end(&first);
	ex_end(&e);
	server_close(&s);
	rig_close(&g);
}

static void an_answer_that_broke_off_is_not_asked_for_again(void)
{
	exchange first = asking(), e = asking();
	rig g;
	server s;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	server_open(&s, &g, HALF_HEAD);
	CHECK_OK(ask_of(&g, &s, &first));
	CHECK_CODE(ask_of(&g, &s, &e), TL_E_CONNECTION_FAILED);
	CHECK(s.connections == 1);
	ex_end(&first);
	ex_end(&e);
	server_close(&s);
	rig_close(&g);
}

/* --- held answers ----------------------------------------------------------------------------- */

static void answer_late(void *ud)
{
	server *s = ud;

	for (conn *c = s->conns; c; c = c->next)
		if (c->fd >= 0 && c->got.len > 0)
			answer(c, (const char *)memmem(c->got.ptr, c->got.len, "\r\n\r\n", 4) + 4);
}

static void an_answer_may_be_held_as_long_as_was_agreed(void)
{
	exchange first = asking(), held = asking(), never_comes = asking();
	tl_timer *timer;
	rig g;
	server s;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(g.loop->timer(g.loop, answer_late, &s, &timer) == TL_OK);
	server_open(&s, &g, LATE);
	CHECK_OK(ask_of(&g, &s, &first));
	held.hold_ms = HOLD;
	held.idle_ms = 200;
	g.loop->timer_start(timer, HOLD);
	CHECK_OK(ask_of(&g, &s, &held));
	CHECK(s.connections == 1 && s.requests == 2);
	never_comes.hold_ms = 100;
	never_comes.idle_ms = 100;
	never_comes.rewind = NULL;
	CHECK_CODE(ask_of(&g, &s, &never_comes), TL_E_TIMEOUT);
	g.loop->timer_free(timer);
	ex_end(&first);
	ex_end(&held);
	ex_end(&never_comes);
	server_close(&s);
	rig_close(&g);
}

int main(void)
{
	RUN(a_connection_that_was_reset);
	RUN(a_connection_that_was_closed);
	RUN(a_connection_that_was_reset_in_the_middle_of_the_request);
	RUN(a_connection_that_has_gone_silent);
	RUN(silence_on_a_kept_connection_costs_five_seconds_at_most);
	RUN(what_fails_on_a_new_connection_has_failed);
	RUN(a_body_that_can_be_read_once_is_not_sent_twice);
	RUN(an_answer_that_broke_off_is_not_asked_for_again);
	RUN(an_answer_may_be_held_as_long_as_was_agreed);
	return spec_end();
}
