/* The life of an exchange: time limits, cancelling, connections reused, many at once, no spinning.
 */
#include "http_rig.h"

/* --- time ------------------------------------------------------------------------------------- */

static void silence_ends_an_exchange(void)
{
	exchange e = {.idle_ms = 100};
	exchange mute = {.idle_ms = 100};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_CODE(ex_run(&e, &g, "/never"), TL_E_TIMEOUT);
	CHECK(strstr(e.message, g.address) && strstr(e.message, "100 ms"));
	CHECK_CODE(ex_run(&mute, &g, "/mute"), TL_E_TIMEOUT);
	CHECK(mute.heads <= 1);
	ex_end(&e);
	ex_end(&mute);
	rig_close(&g);
}

static void a_trickle_ends_an_exchange(void)
{
	exchange slow = {.idle_ms = 150, .min_rate = 100000000}, good = {.idle_ms = 150};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_CODE(ex_run(&slow, &g, "/drip/1000000"), TL_E_TIMEOUT);
	CHECK(slow.got > 0 && strstr(slow.message, "slower"));
	CHECK_OK(ex_run(&good, &g, "/drip/100000"));
	ex_end(&slow);
	ex_end(&good);
	rig_close(&g);
}

static void our_own_pauses_are_not_its_fault(void)
{
	exchange e = {.idle_ms = 60, .pause_each = true, .pause_ms = 150};
	exchange body = {.idle_ms = 60, .send_len = 10, .never_ends = true, .no_length = true};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&e, &g, "/bytes/30000"));
	CHECK(e.got == 30000);
	REQUIRE(ex_start(&body, &g, g.address, "/echo") == TL_OK);
	rig_wait(&g, 200);
	CHECK(body.dones == 0);
	g.http->cancel(body.handle);
	CHECK(rig_turn(&g, ex_is_done, &body, RIG_GUARD_MS));
	ex_end(&e);
	ex_end(&body);
	rig_close(&g);
}

/* --- cancelling ------------------------------------------------------------------------------- */

static void cancel_after(rig *g, const char *path, exchange *e, uint64_t ms)
{
	REQUIRE(ex_start(e, g, g->address, path) == TL_OK);
	if (ms > 0)
		rig_wait(g, ms);
	CHECK(e->dones == 0);
	g->http->cancel(e->handle);
	g->http->cancel(e->handle);
	CHECK(e->dones == 0); /* not from within */
	CHECK(rig_turn(g, ex_is_done, e, RIG_GUARD_MS));
	rig_wait(g, 5);
	CHECK(e->dones == 1 && e->drops == 1 && e->code == TL_E_CANCELLED);
	ex_end(e);
}

static void an_exchange_can_be_cancelled_at_every_stage(void)
{
	exchange at_once = {0},
		 during_body = {.send_len = 10, .never_ends = true, .no_length = true};
	exchange before_head = {0}, paused = {.pause_each = true, .pause_ms = UINT32_MAX};
	exchange within = {.cancel_at = 20000};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	cancel_after(&g, "/echo", &at_once, 0);
	cancel_after(&g, "/echo", &during_body, 30);
	cancel_after(&g, "/never", &before_head, 30);
	cancel_after(&g, "/bytes/1000000", &paused, 30);
	CHECK_CODE(ex_run(&within, &g, "/bytes/1000000"), TL_E_CANCELLED);
	CHECK(within.got >= 20000 && within.got <= 20000 + 65536);
	check_all_gone(&g);
	ex_end(&within);
	rig_close(&g);
}

static void free_ends_what_is_under_way(void)
{
	exchange e = {0}, fresh = {0};
	char address[64];
	int listener = listen_mutely(address);
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK(rig_stop(&g, 0));
	REQUIRE(ex_start(&e, &g, address, "/x") == TL_OK);
	rig_wait(&g, 20);
	REQUIRE(ex_start(&fresh, &g, address, "/x") == TL_OK);
	CHECK(e.dones == 0);
	g.http->free(g.http);
	g.http = NULL;
	CHECK(e.dones == 1 && e.drops == 1 && e.code == TL_E_CANCELLED);
	CHECK(fresh.dones == 1 && fresh.drops == 1 && fresh.code == TL_E_CANCELLED);
	ex_end(&e);
	ex_end(&fresh);
	rig_close(&g);
	close(listener);
}

/* --- connections ------------------------------------------------------------------------------ */

static void connections_are_reused(void)
{
	char first[80];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int i = 0; i < 50; i++) {
		exchange e = {.send_len = 100};

		CHECK_OK(ex_run(&e, &g, i % 10 == 7 ? "/nothing" : "/echo"));
		if (i == 0)
			snprintf(first, sizeof first, "%s", g.remote);
		CHECK(strcmp(first, g.remote) == 0); /* the same connection */
		ex_end(&e);
	}
	rig_close(&g);
}

enum { MANY = 100 };

static bool all_done(void *ud)
{
	exchange *e = ud;

	for (int i = 0; i < MANY; i++)
		if (e[i].dones == 0)
			return false;
	return true;
}

static void a_hundred_exchanges_run_side_by_side(void)
{
	static exchange e[MANY];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	memset(e, 0, sizeof e);
	for (int i = 0; i < MANY; i++) {
		e[i].send_len = (uint64_t)i * 1000;
		e[i].no_length = i % 3 == 0;
		e[i].wait_each = i % 5 == 0;
		e[i].pause_each = i % 7 == 0;
		REQUIRE(ex_start(&e[i], &g, g.address, i % 2 ? "/echo" : "/slow") == TL_OK);
	}
	CHECK(rig_turn(&g, all_done, e, RIG_GUARD_MS));
	for (int i = 0; i < MANY; i++) {
		CHECK(e[i].code == TL_OK && e[i].got == (uint64_t)i * 1000 && !e[i].bad_bytes);
		CHECK(e[i].dones == 1 && e[i].drops == 1);
		ex_end(&e[i]);
	}
	CHECK(g.begun == MANY && g.ended == MANY);
	rig_close(&g);
}

/* --- connections of ours ---------------------------------------------------------------------- */

static void cancel_all(rig *g, exchange *e, int count)
{
	for (int i = 0; i < count; i++)
		if (e[i].dones == 0)
			g->http->cancel(e[i].handle);
	for (int i = 0; i < count; i++) {
		CHECK(rig_turn(g, ex_is_done, &e[i], RIG_GUARD_MS));
		ex_end(&e[i]);
	}
}

static void a_host_gets_32_connections_of_ours(void)
{
	enum { MOST = 32, OVER = 3 };
	exchange e[MOST + OVER];
	rig g;

	memset(e, 0, sizeof e);
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int i = 0; i < MOST + OVER; i++)
		REQUIRE(ex_start(&e[i], &g, g.address, "/never") == TL_OK);
	rig_wait(&g, 200);
	CHECK(g.begun == MOST); /* the others wait */
	for (int i = 0; i < OVER; i++)
		g.http->cancel(e[i].handle);
	rig_wait(&g, 200);
	CHECK(g.begun == MOST + OVER);
	cancel_all(&g, e, MOST + OVER);
	rig_close(&g);
}

/* Hosts that take connections and say nothing. */
static void all_hosts_get_256_connections_of_ours(void)
{
	enum { HOSTS = 9, EACH = 30, MOST = 256, BATCH = 6 };
	exchange e[HOSTS * EACH];
	int fds[HOSTS], taken[HOSTS * EACH], count = 0;
	char address[HOSTS][64];
	rig g;

	memset(e, 0, sizeof e);
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int h = 0; h < HOSTS; h++) {
		fds[h] = listen_mutely(address[h]);
		REQUIRE(fcntl(fds[h], F_SETFL, O_NONBLOCK) == 0);
	}
	for (int i = 0; i < HOSTS * EACH; i++) {
		REQUIRE(ex_start(&e[i], &g, address[i % HOSTS], "/x") == TL_OK);
		if (i % (HOSTS * BATCH) < HOSTS * BATCH - 1 && i < HOSTS * EACH - 1)
			continue;
		rig_wait(&g, 50); /* no more at once than a listener keeps waiting */
		for (int h = 0; h < HOSTS; h++)
			for (int fd; (fd = accept(fds[h], NULL, NULL)) >= 0;)
				taken[count++] = fd;
	}
	CHECK(count == MOST);
	cancel_all(&g, e, HOSTS * EACH);
	for (int i = 0; i < count; i++)
		close(taken[i]);
	for (int h = 0; h < HOSTS; h++)
		close(fds[h]);
	rig_close(&g);
}

static void one_hanging_peer_delays_nobody(void)
{
	exchange hang[8], e = {.send_len = 10};
	rig g;

	memset(hang, 0, sizeof hang);
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int i = 0; i < 8; i++)
		REQUIRE(ex_start(&hang[i], &g, g.address, "/never") == TL_OK);
	CHECK_OK(ex_run(&e, &g, "/echo"));
	for (int i = 0; i < 8; i++) {
		CHECK(hang[i].dones == 0);
		g.http->cancel(hang[i].handle);
		CHECK(rig_turn(&g, ex_is_done, &hang[i], RIG_GUARD_MS));
		ex_end(&hang[i]);
	}
	ex_end(&e);
	rig_close(&g);
}

/* --- no spinning ------------------------------------------------------------------------------ */

static uint64_t turns_in(rig *g, uint64_t ms)
{
	uint64_t before = tl__loop_turns(g->loop);

	rig_wait(g, ms);
	return tl__loop_turns(g->loop) - before;
}

/* rig_wait itself costs a few turns: one at its begin, one for its guard. */
static void waiting_does_not_spin(void)
{
	exchange paused = {.pause_each = true, .pause_ms = UINT32_MAX}, never_answered = {0};
	exchange stuck = {.send_len = 3000000}, mute = {0};
	exchange waits = {.send_len = 10, .never_ends = true, .no_length = true};
	exchange *all[] = {&paused, &never_answered, &stuck, &mute, &waits};
	const char *paths[] = {"/bytes/100000000", "/never", "/stuck", "/mute", "/echo"};
	uint64_t turns;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK(turns_in(&g, 100) <= RIG_MOST_TURNS / 4);
	for (size_t i = 0; i < 5; i++)
		REQUIRE(ex_start(all[i], &g, g.address, paths[i]) == TL_OK);
	rig_wait(&g, 200);
	turns = turns_in(&g, 400);
	printf("# %u turns in 400 ms with five waiting exchanges\n", (unsigned)turns);
	CHECK(turns <= RIG_MOST_TURNS);
	for (size_t i = 0; i < 5; i++) {
		CHECK(all[i]->dones == 0);
		g.http->cancel(all[i]->handle);
		CHECK(rig_turn(&g, ex_is_done, all[i], RIG_GUARD_MS));
		ex_end(all[i]);
	}
	rig_close(&g);
}

static void a_proxy_is_used_only_when_told(void)
{
	tl__http_options options = {0};
	exchange e = {.send_len = 2, .text = "{}"};
	char address[64], proxy[80], got[256] = "";
	int listener = listen_mutely(address), fd;
	rig g;

	snprintf(proxy, sizeof proxy, "http://%s", address);
	options.proxy = proxy;
	REQUIRE(rig_open(&g, &options, NULL) == TL_OK);
	REQUIRE(ex_start(&e, &g, "peer.example:8080", "/api/v0") == TL_OK);
	REQUIRE(rig_until_readable(&g, listener));
	fd = accept(listener, NULL, NULL);
	CHECK(fd >= 0 && rig_until_readable(&g, fd) && recv(fd, got, sizeof got - 1, 0) > 0);
	CHECK(strncmp(got, "POST http://peer.example:8080/api/v0 HTTP/1.1\r\n", 47) == 0);
	close(fd);
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_E_CONNECTION_FAILED);
	ex_end(&e);
	rig_close(&g);
	close(listener);
}

/* --- figures ---------------------------------------------------------------------------------- */

static void figures(void)
{
	uint64_t began;
	exchange down = {0};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	began = spec_now_ms();
	for (int i = 0; i < 1000; i++) {
		exchange e = {.send_len = 1024};

		CHECK_OK(ex_run(&e, &g, "/echo"));
		ex_end(&e);
	}
	printf("# 1,000 exchanges of 1 KiB one after the other: %u ms\n",
		(unsigned)(spec_now_ms() - began));
	began = spec_now_ms();
	CHECK_OK(ex_run(&down, &g, "/bytes/67108864"));
	printf("# 64 MiB down: %u ms\n", (unsigned)(spec_now_ms() - began));
	ex_end(&down);
	rig_close(&g);
}

/* Each allocation in turn fails once: no crash, no leak, and `done` comes whenever send worked. */
static void no_allocation_failure_harms_it(void)
{
	bool fired = true;

	for (size_t n = 1; fired && n < 400; n++) {
		exchange e = {.send_len = 1000, .idle_ms = 500};
		rig g;
		int rc;

		REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
		REQUIRE(g.loop->timer(g.loop, ex_tick, &e, &e.timer) == TL_OK);
		g.loop->timer_start(e.timer, 3000);
		tl__alloc_fail_at(n);
		rc = ex_start(&e, &g, g.address, "/echo");
		for (uint64_t end = spec_now_ms() + 2500;
			rc == TL_OK && e.dones == 0 && spec_now_ms() < end;)
			tl__loop_turn(g.loop, true);
		fired = tl__alloc_fail_at(0);
		CHECK(e.drops == 1 && e.dones == (rc == TL_OK ? 1 : 0));
		CHECK(rc == TL_OK || rc == TL_E_NOMEM);
		CHECK(fired || e.got == 1000);
		ex_end(&e);
		rig_close(&g);
	}
}

static void making_a_transport_or_a_server_may_fail(void)
{
	tl__http_options options = {.ca_file = "x", .proxy = "http://127.0.0.1:1"};
	bool fired = true;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t n = 1; fired; n++) {
		tl_transport *http = NULL;
		tl_server *server = NULL;
		int before = open_descriptors(), rc;

		tl__alloc_fail_at(n);
		rc = tl__http_new(&http, g.loop, &options, NULL);
		if (rc == TL_OK)
			rc = http->serve(http, "127.0.0.1:0", NULL, &rig_calls, &g, &server);
		fired = tl__alloc_fail_at(0);
		CHECK(rc == (fired ? TL_E_NOMEM : TL_OK));
		if (server)
			http->stop(server, 0, rig_count_stop, &g);
		rig_wait(&g, 2);
		if (http)
			http->free(http);
		rig_wait(&g, 2);
		CHECK(open_descriptors() == before);
	}
	rig_close(&g);
}

int main(void)
{
	RUN(silence_ends_an_exchange);
	RUN(a_trickle_ends_an_exchange);
	RUN(our_own_pauses_are_not_its_fault);
	RUN(an_exchange_can_be_cancelled_at_every_stage);
	RUN(free_ends_what_is_under_way);
	RUN(connections_are_reused);
	RUN(a_hundred_exchanges_run_side_by_side);
	RUN(a_host_gets_32_connections_of_ours);
	RUN(all_hosts_get_256_connections_of_ours);
	RUN(one_hanging_peer_delays_nobody);
	RUN(waiting_does_not_spin);
	RUN(a_proxy_is_used_only_when_told);
	RUN(figures);
	RUN(no_allocation_failure_harms_it);
	RUN(making_a_transport_or_a_server_may_fail);
	return spec_end();
}
