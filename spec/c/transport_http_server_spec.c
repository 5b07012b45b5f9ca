/* The HTTP server as seen by clients of every kind: methods, paths, pipelining, HTTP/1.0, answers
 * before and during the body, binding, stopping and starting again. */
#include "http_raw.h"

static void methods_and_paths_get_their_status(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK(raw_ask(&g, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 404);
	CHECK(raw_ask(&g, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n") == 404);
	CHECK(raw_ask(&g, "POST /ech%6f HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 404);
	CHECK(raw_ask(&g, "POST /echo/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 404);
	CHECK(raw_ask(&g, "POST /Echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 404);
	CHECK(raw_ask(&g, "POST /echo?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") ==
		200);
	CHECK(raw_ask(&g, "POST http://y/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") ==
		200);
	CHECK(strcmp(g.path, "/echo") == 0);
	CHECK(raw_ask(&g, "POST http://y HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 404);
	CHECK(raw_ask(&g, "POST /type HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == 415);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "PUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
	raw_until_answers(&c, 1, RAW_GUARD_MS);
	CHECK(raw_status(&c) == 405 && strstr(raw_text(&c), "\r\nallow: POST\r\n"));
	CHECK(strcmp(g.method, "PUT") == 0 && g.ended == 2);
	raw_close(&c);
	rig_close(&g);
}

static void other_methods_on_known_paths_are_405(void)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE"};
	char text[128];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < 6; i++) {
		raw c;

		snprintf(text, sizeof text, "%s /echo HTTP/1.1\r\nHost: x\r\n\r\n", methods[i]);
		REQUIRE(raw_open(&c, &g));
		raw_say(&c, text);
		raw_until_answers(&c, 1, RAW_GUARD_MS);
		CHECK(raw_status(&c) == 405 && strstr(raw_text(&c), "\r\nallow: POST\r\n"));
		raw_close(&c);
	}
	check_all_gone(&g);
	CHECK(g.begun == 6 && g.ended == 0);
	rig_close(&g);
}

/* Requests in one packet, answered in order on one connection; it ends behind a chunked one. */
static void pipelined_requests_are_answered_in_order(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
		    "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nlost"
		    "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nthree"
		    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "2\r\nfo\r\n2\r\nur\r\n0\r\n\r\n");
	CHECK(raw_until_answers(&c, 4, RAW_GUARD_MS) == 4);
	rig_wait(&g, 20);
	raw_take(&c);
	CHECK(raw_until_closed(&c, RAW_GUARD_MS) && g.begun == 4 && g.ended == 3);
	CHECK(strstr(raw_text(&c), "one") < strstr(raw_text(&c), "404"));
	CHECK(strstr(raw_text(&c), "404") < strstr(raw_text(&c), "three"));
	CHECK(strstr(raw_text(&c), "four") && !strstr(raw_text(&c), "lost"));
	raw_close(&c);
	rig_close(&g);
}

/* The application can say that nothing more is taken from this requester. */
static void the_connection_ends_behind_a_last_answer(void)
{
	static const char *const later =
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
		"later";
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /last HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nend");
	raw_say(&c, later);
	CHECK(raw_until_closed(&c, RAW_GUARD_MS) && !c.reset);
	CHECK(raw_answers(&c) == 1 && raw_status(&c) == 200 && g.begun == 1);
	CHECK(strstr(raw_text(&c), "end") && !strstr(raw_text(&c), "later"));
	raw_close(&c);
	rig_close(&g);
}

/* Else the connection would end without an answer, and whoever asks would ask again. */
static void a_content_type_that_is_no_line_is_answered_as_a_failure(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /badtype HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 500);
	CHECK(!strstr(raw_text(&c), "x: y") && g.begun == 1);
	raw_close(&c);
	rig_close(&g);
}

static void requests_may_come_in_single_bytes(void)
{
	const char *text = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	for (const char *at = text; *at; at++)
		raw_send(&c, at, 1);
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 200);
	raw_until_closed(&c, 20);
	CHECK(strcmp(strstr(raw_text(&c), "\r\n\r\n") + 4, "abc") == 0);
	raw_close(&c);
	rig_close(&g);
}

static void expect_100_is_answered_when_the_body_is_wanted(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
		    "Expect: 100-continue\r\n\r\n");
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 100);
	raw_say(&c, "abc");
	CHECK(raw_until_answers(&c, 2, RAW_GUARD_MS) == 2 && strstr(raw_text(&c), "200 OK"));
	raw_close(&c);
	CHECK(raw_ask(&g, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
			  "Expect: 100-continue\r\n\r\n") == 404);
	g.max_body = 2;
	CHECK(raw_ask(&g, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
			  "Expect: 100-continue\r\n\r\n") == 413);
	rig_close(&g);
}

static void http_1_0_gets_plain_answers(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /echo HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc");
	CHECK(raw_until_closed(&c, RAW_GUARD_MS) && !c.reset && raw_status(&c) == 200);
	CHECK(strcmp(strstr(raw_text(&c), "\r\n\r\n") + 4, "abc") == 0);
	raw_close(&c);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /chunks/10 HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
	CHECK(raw_until_closed(&c, RAW_GUARD_MS) && !c.reset && raw_status(&c) == 200);
	CHECK(c.got.ptr + c.got.len - strstr(raw_text(&c), "\r\n\r\n") == 4 + 10); /* no chunks */
	raw_close(&c);
	rig_close(&g);
}

static void an_aborted_answer_never_looks_whole(void)
{
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /abortchunks/1000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	CHECK(raw_until_closed(&c, RAW_GUARD_MS));
	CHECK(!(c.got.len >= 5 && memcmp(c.got.ptr + c.got.len - 5, "0\r\n\r\n", 5) == 0));
	raw_close(&c);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /abort/1000 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	CHECK(raw_until_closed(&c, RAW_GUARD_MS) && c.got.len < 2000);
	raw_close(&c);
	/* Without chunks and length only a reset tells. */
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /abortchunks/1000 HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
	CHECK(raw_until_closed(&c, RAW_GUARD_MS) && c.reset);
	raw_close(&c);
	rig_close(&g);
}

/* The sender is in the middle of 3 MB when the answer comes: it must get to see it. */
static void an_answer_before_or_during_the_body_arrives(void)
{
	static char body[3000000];
	static const char *const heads[] = {
		"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n",
		"POST /midway HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n",
		"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n",
	};
	static const int statuses[] = {403, 409, 403};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < 3; i++) {
		raw c;

		REQUIRE(raw_open(&c, &g));
		raw_say(&c, heads[i]);
		raw_send(&c, body, i == 2 ? 3 : sizeof body);
		CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == statuses[i]);
		CHECK(!c.reset);
		raw_close(&c);
	}
	CHECK(g.ended == 0);
	rig_close(&g);
}

static void bodies_over_the_limit_are_413(void)
{
	static char body[2000000];
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	g.max_body = 1000000;
	memset(body, 'x', sizeof body);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n");
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 413);
	raw_close(&c);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000001\r\n\r\n");
	raw_send(&c, body, 1000001);
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 413 && !c.reset);
	raw_close(&c);
	CHECK(g.taken == 0);
	/* Chunked: known only once it is over. */
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "1e8480\r\n");
	raw_send(&c, body, sizeof body);
	raw_say(&c, "\r\n0\r\n\r\n");
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1 && raw_status(&c) == 413 && !c.reset);
	CHECK(g.taken <= 1000000 && g.ended == 0);
	raw_close(&c);
	CHECK(raw_ask(&g, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc") == 200);
	rig_close(&g);
}

/* The application pauses: the kernel's buffers fill, nobody else's do. */
static void a_slow_application_holds_the_sender_back(void)
{
	exchange e = {.send_len = 256U << 20};
	long before;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	g.max_body = 512U << 20;
	before = peak_kib();
	REQUIRE(ex_start(&e, &g, g.address, "/stuck") == TL_OK);
	rig_wait(&g, 300);
	CHECK(g.taken > 0 && g.taken <= 65536 && e.sent < 32U << 20);
	CHECK(peak_kib() - before < 16 * 1024);
	g.http->cancel(e.handle);
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
	ex_end(&e);
	rig_close(&g);
}

/* --- binding ---------------------------------------------------------------------------------- */

static void only_ip_and_port_can_be_bound(void)
{
	static const char *const bad[] = {"localhost:1", "127.0.0.1", "127.0.0.1:", ":80", "",
		"http://127.0.0.1:1", "127.0.0.1:65536", "127.0.0.1:1/", "[::1]", "::1:80",
		"127.0.0.1:01", "127.0.0.1:-1", " 127.0.0.1:1", "*:80", "256.0.0.1:80"};
	tl_server *server;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CHECK_CODE(g.http->serve(g.http, bad[i], NULL, &rig_calls, &g, &server),
			TL_E_SERVER_BIND);
		CHECK(server == NULL);
	}
	CHECK_CODE(g.http->serve(g.http, g.address, NULL, &rig_calls, &g, &server),
		TL_E_SERVER_BIND); /* in use */
	CHECK(strstr(tl_error_message(tl_last_error()), g.address));
	CHECK_CODE(g.http->serve(g.http, "192.0.2.1:0", NULL, &rig_calls, &g, &server),
		TL_E_SERVER_BIND); /* not ours */
	rig_close(&g);
}

static void the_real_address_is_reported(void)
{
	tl_server *any = NULL, *six = NULL;
	const char *text;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK(strncmp(g.address, "127.0.0.1:", 10) == 0 && strcmp(g.address + 10, "0") != 0);
	CHECK_OK(g.http->serve(g.http, "0.0.0.0:0", NULL, &rig_calls, &g, &any));
	text = any ? g.http->server_address(any) : "";
	CHECK(strncmp(text, "0.0.0.0:", 8) == 0 && strtol(text + 8, NULL, 10) > 0);
	if (g.http->serve(g.http, "[::1]:0", NULL, &rig_calls, &g, &six) == TL_OK) {
		exchange e = {.send_len = 5};

		text = g.http->server_address(six);
		CHECK(strncmp(text, "[::1]:", 6) == 0 && strtol(text + 6, NULL, 10) > 0);
		CHECK_OK(ex_start(&e, &g, text, "/echo"));
		CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
		CHECK(e.code == TL_OK && e.got == 5 && strncmp(g.remote, "[::1]:", 6) == 0);
		ex_end(&e);
		g.http->stop(six, 0, NULL, NULL);
	} else {
		printf("# no IPv6 here: %s\n", tl_error_message(tl_last_error()));
	}
	if (any)
		g.http->stop(any, 0, NULL, NULL);
	rig_wait(&g, 20);
	rig_close(&g);
}

/* --- stopping --------------------------------------------------------------------------------- */

static void stop_lets_answers_under_way_finish(void)
{
	exchange e = {0};
	raw idle, late;
	char address[512];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	snprintf(address, sizeof address, "%s", g.address);
	REQUIRE(raw_open(&idle, &g));
	rig_wait(&g, 10);
	REQUIRE(ex_start(&e, &g, g.address, "/drip/20000") == TL_OK);
	rig_wait(&g, 30);
	CHECK(e.heads == 1 && e.dones == 0);
	CHECK(rig_stop(&g, 10000));
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_OK && e.got == 20000 && !e.bad_bytes);
	raw_take(&idle);
	CHECK(idle.closed);
	CHECK(!raw_open(&late, &g)); /* nobody listens */
	close(late.fd);
	raw_close(&idle);
	ex_end(&e);
	rig_close(&g);
}

static void stop_ends_what_outlives_the_grace(void)
{
	exchange never_answered = {0}, stuck = {.send_len = 3000000}, mute = {0}, big = {0};
	exchange *all[] = {&never_answered, &stuck, &mute, &big};
	const char *paths[] = {"/never", "/stuck", "/mute", "/bytes/100000000"};
	uint64_t began;
	rig g;

	big.pause_each = true;
	big.pause_ms = UINT32_MAX;
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (size_t i = 0; i < 4; i++)
		REQUIRE(ex_start(all[i], &g, g.address, paths[i]) == TL_OK);
	rig_wait(&g, 50);
	began = spec_now_ms();
	CHECK(rig_stop(&g, 100));
	CHECK(spec_now_ms() - began >= 100);
	CHECK(g.gone == 4 && g.stopped == 1);
	big.pause_each = big.paused = false;
	if (big.dones == 0)
		g.http->resume(big.handle);
	for (size_t i = 0; i < 4; i++) {
		CHECK(rig_turn(&g, ex_is_done, all[i], RIG_GUARD_MS));
		CHECK(all[i]->code == TL_E_CONNECTION_FAILED || all[i]->code == TL_E_NETWORK);
		ex_end(all[i]);
	}
	rig_close(&g);
}

static void a_stopped_server_can_start_again_at_the_same_address(void)
{
	char address[512];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	snprintf(address, sizeof address, "%s", g.address);
	for (int i = 0; i < 3; i++) {
		exchange e = {.send_len = 10};

		CHECK_OK(ex_run(&e, &g, "/echo"));
		CHECK(e.got == 10);
		ex_end(&e);
		CHECK(rig_stop(&g, 1000));
		CHECK_OK(g.http->serve(g.http, address, NULL, &rig_calls, &g, &g.server));
	}
	rig_close(&g);
}

static void stop_during_many_exchanges_ends_each_of_them_once(void)
{
	enum { MANY = 30 };
	static exchange e[MANY];
	rig g;

	for (unsigned ms = 0; ms < 12; ms += 3) {
		REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
		memset(e, 0, sizeof e);
		for (int i = 0; i < MANY; i++) {
			e[i].send_len = 50000;
			REQUIRE(ex_start(&e[i], &g, g.address, i % 2 ? "/slow" : "/echo") == TL_OK);
		}
		if (ms)
			rig_wait(&g, ms);
		CHECK(rig_stop(&g, ms % 2 ? 500 : 0));
		for (int i = 0; i < MANY; i++) {
			CHECK(rig_turn(&g, ex_is_done, &e[i], RIG_GUARD_MS));
			CHECK(e[i].dones == 1 && e[i].drops == 1);
			ex_end(&e[i]);
		}
		rig_close(&g);
	}
}

int main(void)
{
	RUN(methods_and_paths_get_their_status);
	RUN(other_methods_on_known_paths_are_405);
	RUN(pipelined_requests_are_answered_in_order);
	RUN(the_connection_ends_behind_a_last_answer);
	RUN(a_content_type_that_is_no_line_is_answered_as_a_failure);
	RUN(requests_may_come_in_single_bytes);
	RUN(expect_100_is_answered_when_the_body_is_wanted);
	RUN(http_1_0_gets_plain_answers);
	RUN(an_aborted_answer_never_looks_whole);
	RUN(an_answer_before_or_during_the_body_arrives);
	RUN(bodies_over_the_limit_are_413);
	RUN(a_slow_application_holds_the_sender_back);
	RUN(only_ip_and_port_can_be_bound);
	RUN(the_real_address_is_reported);
	RUN(stop_lets_answers_under_way_finish);
	RUN(stop_ends_what_outlives_the_grace);
	RUN(a_stopped_server_can_start_again_at_the_same_address);
	RUN(stop_during_many_exchanges_ends_each_of_them_once);
	return spec_end();
}
