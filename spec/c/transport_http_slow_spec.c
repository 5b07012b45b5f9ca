/* Time as a weapon: requests that trickle or stall, readers that stop, clients that vanish. */
#include "http_raw.h"

/* --- shapes ----------------------------------------------------------------------------------- */

#define HEAD "POST /echo HTTP/1.1\r\n"

/* --- time ------------------------------------------------------------------------------------- */

/* Says one byte each `every_ms` until the server closes; how long that took. */
static uint64_t trickle(rig *g, const char *first, const char *rest, uint64_t every_ms)
{
	uint64_t began = spec_now_ms();
	size_t len = strlen(rest);
	raw c;

	if (!raw_open(&c, g))
		return 0;
	raw_say(&c, first);
	for (size_t i = 0; !c.closed && spec_now_ms() - began < RAW_GUARD_MS; i++) {
		raw_send(&c, &rest[i % len], 1);
		raw_until_closed(&c, every_ms);
	}
	CHECK(c.closed && raw_answers(&c) == 0);
	raw_close(&c);
	return spec_now_ms() - began;
}

static void slow_senders_are_cut(void)
{
	tl_serve_options options = {.size = sizeof options, .idle_ms = 300};
	uint64_t head, body, silent, hello;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	head = trickle(&g, HEAD, "x: y\r\n", 20);
	CHECK(head >= 290);
	body = trickle(&g, HEAD "Host: x\r\nContent-Length: 100000\r\n\r\n", "abc", 20);
	CHECK(body >= 290);
	silent = trickle(&g, HEAD "Host: x\r\nContent-Length: 10\r\n\r\n", "a", 1000);
	hello = trickle(&g, "", "\r\n", 20);
	printf("# cut after %u (head), %u (body), %u (silent), %u (nothing) ms\n", (unsigned)head,
		(unsigned)body, (unsigned)silent, (unsigned)hello);
	CHECK(g.begun == 2);
	check_all_gone(&g);
	rig_close(&g);
}

/* One that keeps a pace above the minimum is not cut, however long it takes. */
static void steady_senders_are_not_cut(void)
{
	char hundred[101];
	tl_serve_options options = {.size = sizeof options, .idle_ms = 200, .min_bytes_per_s = 100};
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	memset(hundred, 'x', 100);
	hundred[100] = '\0';
	raw_say(&c, HEAD "Host: x\r\nContent-Length: 4000\r\n\r\n");
	for (int i = 0; i < 40; i++) {
		raw_say(&c, hundred);
		raw_until_closed(&c, 20);
	}
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 200);
	raw_close(&c);
	rig_close(&g);
}

/* A process that was stopped for a while does not blame its peers. */
static void a_stalled_server_cuts_nobody(void)
{
	tl_serve_options options = {.size = sizeof options, .idle_ms = 200};
	exchange e = {.send_len = 10, .idle_ms = 200, .never_ends = true, .no_length = true};
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, HEAD "Host: x\r\nContent-Length: 3\r\n\r\n");
	REQUIRE(ex_start(&e, &g, g.address, "/bytes/10") == TL_OK);
	CHECK(rig_until_begun(&g, 2));
	e.never_ends = false;
	e.waiting = true; /* its body is ready when the time comes */
	nanosleep(&(struct timespec){0, 400000000}, NULL);
	CHECK(send(c.fd, "abc", 3, MSG_NOSIGNAL) == 3);
	ex_tick(&e);
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 200);
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS) && e.code == TL_OK);
	ex_end(&e);
	raw_close(&c);
	rig_close(&g);
}

static void idle_connections_are_closed(void)
{
	tl_serve_options options = {.size = sizeof options, .idle_ms = 200};
	raw silent, kept;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	REQUIRE(raw_open(&silent, &g) && raw_open(&kept, &g));
	raw_say(&kept, HEAD "Host: x\r\nContent-Length: 3\r\n\r\nabc");
	CHECK(raw_until_answers(&kept, 1, RAW_GUARD_MS) == 1);
	CHECK(raw_until_closed(&silent, RAW_GUARD_MS) && !silent.reset &&
		raw_answers(&silent) == 0);
	CHECK(raw_until_closed(&kept, RAW_GUARD_MS) && !kept.reset && raw_answers(&kept) == 1);
	raw_close(&silent);
	raw_close(&kept);
	rig_close(&g);
}

/* Neither libmicrohttpd nor anyone else looks at these: only our own timer does. */
static void suspended_requests_are_cut_too(void)
{
	tl_serve_options options = {.size = sizeof options, .idle_ms = 200};
	static const char *const paths[] = {"/never", "/stuck", "/mute"};
	char text[128];
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	for (size_t i = 0; i < 3; i++) {
		raw c;

		snprintf(text, sizeof text,
			"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", paths[i]);
		REQUIRE(raw_open(&c, &g));
		raw_say(&c, text);
		CHECK(raw_until_closed(&c, RAW_GUARD_MS));
		raw_close(&c);
	}
	check_all_gone(&g);
	CHECK(g.begun == 3);
	rig_close(&g);
}

static void readers_that_stop_are_cut(void)
{
	tl_serve_options options = {.size = sizeof options, .idle_ms = 300};
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /bytes/100000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	check_all_gone(&g);
	CHECK(g.begun == 1 && g.dropped == 1);
	raw_close(&c);
	rig_close(&g);
}

static void clients_that_vanish_are_noticed(void)
{
	static const char *const texts[] = {
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc",
		"POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"POST /stuck HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
		"POST /bytes/100000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"POST /drip/100000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		raw c;

		REQUIRE(raw_open(&c, &g));
		raw_say(&c, texts[i]);
		CHECK(rig_until_begun(&g, (unsigned)i + 1));
		raw_close(&c);
	}
	check_all_gone(&g); /* long before anything is late */
	CHECK(g.begun == 5);
	rig_close(&g);
}

/* The end comes together with the last bytes, midway in a body that nobody wants any more. */
static void clients_that_give_up_an_answered_request_are_noticed(void)
{
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < 20; i++) {
		raw c;

		REQUIRE(raw_open(&c, &g));
		raw_say(&c, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
		raw_close(&c);
	}
	check_all_gone(&g); /* long before anything is late */
	rig_close(&g);
}

static void waiting_for_slow_clients_does_not_spin(void)
{
	raw body, head, early, reader;
	uint64_t turns;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&body, &g) && raw_open(&head, &g) && raw_open(&early, &g) &&
		raw_open(&reader, &g));
	raw_say(&body, HEAD "Host: x\r\nContent-Length: 1000000\r\n\r\nabc");
	raw_say(&head, HEAD "Host: x\r\nCont");
	raw_say(&early, "POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc");
	raw_say(&reader, "POST /bytes/100000000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	rig_wait(&g, 100);
	turns = tl__loop_turns(g.loop);
	rig_wait(&g, 400);
	CHECK(tl__loop_turns(g.loop) - turns <= RIG_MOST_TURNS);
	printf("# %u turns in 400 ms\n", (unsigned)(tl__loop_turns(g.loop) - turns));
	raw_close(&body);
	raw_close(&head);
	raw_close(&early);
	raw_close(&reader);
	rig_close(&g);
}

int main(void)
{
	RUN(slow_senders_are_cut);
	RUN(steady_senders_are_not_cut);
	RUN(a_stalled_server_cuts_nobody);
	RUN(idle_connections_are_closed);
	RUN(suspended_requests_are_cut_too);
	RUN(readers_that_stop_are_cut);
	RUN(clients_that_vanish_are_noticed);
	RUN(clients_that_give_up_an_answered_request_are_noticed);
	RUN(waiting_for_slow_clients_does_not_spin);
	return spec_end();
}
