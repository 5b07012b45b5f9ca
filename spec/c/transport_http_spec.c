/* The HTTP client against our own server: whole exchanges, streams, limits, cancelling, reuse. */
#include "http_rig.h"

static void an_exchange_brings_head_body_and_done(void)
{
	exchange e = {.text = "{\"a\":1}", .send_len = 7, .keep = true};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK(strcmp(g.http->type, "http") == 0);
	CHECK_OK(ex_run(&e, &g, "/echo"));
	CHECK(e.status == 200 && e.heads == 1 && strcmp(e.type, "application/octet-stream") == 0);
	CHECK(e.body.len == 7 && memcmp(e.body.ptr, "{\"a\":1}", 7) == 0);
	CHECK(strcmp(e.channel, "none") == 0 && strcmp(e.early_channel, "none") == 0);
	CHECK(strcmp(g.method, "POST") == 0 && strcmp(g.path, "/echo") == 0);
	CHECK(strcmp(g.type, "application/json") == 0 && strcmp(g.channel, "none") == 0);
	CHECK(g.body_length == 7 && strncmp(g.remote, "127.0.0.1:", 10) == 0);
	ex_end(&e);
	rig_close(&g);
}

typedef struct seen {
	unsigned dialled, taken;
} seen;

static void see(void *ud, const tl_connection_info *info)
{
	seen *s = ud;

	*(info->dialled ? &s->dialled : &s->taken) += 1;
	CHECK(strncmp(info->remote, "127.0.0.1:", 10) == 0 && strcmp(info->channel, "none") == 0);
	CHECK(!info->relayed && info->round_trip_us > 0 && info->streams == 0);
	CHECK(info->sent > 0 && info->received > 0);
}

static void connections_tell_how_they_stand(void)
{
	exchange e = {.text = "{}", .send_len = 2};
	char channel[64] = "";
	seen s = {0};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	g.http->connections(g.http, see, &s);
	CHECK(s.dialled == 0 && s.taken == 0);
	CHECK(g.http->foresee(g.http, g.address, channel, sizeof channel));
	CHECK_OK(ex_run(&e, &g, "/echo"));
	CHECK(strcmp(channel, e.channel) == 0);
	/* Kept, at both ends. */
	g.http->connections(g.http, see, &s);
	CHECK(s.dialled == 1 && s.taken == 1);
	ex_end(&e);
	rig_close(&g);
}

static void the_request_has_exactly_the_headers_of_v0(void)
{
	exchange e = {.text = "{}", .send_len = 2};
	char got[1024] = "", want[512];
	const char *answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
	char target[64];
	int listener = listen_mutely(target), fd;
	size_t at = 0;
	ssize_t n;
	rig g;

	setenv("http_proxy", "http://127.0.0.1:9", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:9", 1);
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(ex_start(&e, &g, target, "/api/v0") == TL_OK);
	REQUIRE(rig_until_readable(&g, listener));
	fd = accept(listener, NULL, NULL);
	REQUIRE(fd >= 0);
	while (!strstr(got, "\r\n\r\n{}") && rig_until_readable(&g, fd) &&
		(n = recv(fd, got + at, sizeof got - at - 1, 0)) > 0)
		at += (size_t)n;
	CHECK(send(fd, answer, strlen(answer), 0) == (ssize_t)strlen(answer));
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_OK && e.status == 200 && e.type[0] == '\0');
	snprintf(want, sizeof want,
		"POST /api/v0 HTTP/1.1\r\nHost: %s\r\ncontent-type: application/json\r\n"
		"accept: */*\r\nContent-Length: 2\r\n\r\n{}",
		target);
	CHECK(strcmp(got, want) == 0);
	if (strcmp(got, want) != 0)
		printf("%s\n", got);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	close(fd);
	ex_end(&e);
	rig_close(&g);
	close(listener);
}

enum { BIG = 10 << 20 };

static void big_bodies_stream_both_ways(void)
{
	exchange up = {.send_len = BIG, .keep = true}, down = {0}, both = {.send_len = BIG};
	exchange chunked = {.send_len = BIG, .no_length = true};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&up, &g, "/count"));
	CHECK(up.body.len == 8 && memcmp(up.body.ptr, "10485760", 8) == 0);
	CHECK_OK(ex_run(&down, &g, "/bytes/10485760"));
	CHECK(down.got == BIG && !down.bad_bytes);
	CHECK_OK(ex_run(&both, &g, "/echo"));
	CHECK(both.got == BIG && !both.bad_bytes);
	CHECK_OK(ex_run(&chunked, &g, "/echo"));
	CHECK(chunked.got == BIG && !chunked.bad_bytes && g.body_length == -1);
	ex_end(&up);
	ex_end(&down);
	ex_end(&both);
	ex_end(&chunked);
	rig_close(&g);
}

static void a_body_without_length_arrives_in_chunks(void)
{
	exchange e = {0}, empty = {0}, drip = {0};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&e, &g, "/chunks/1000000"));
	CHECK(e.got == 1000000 && !e.bad_bytes);
	CHECK_OK(ex_run(&empty, &g, "/chunks/0"));
	CHECK(empty.got == 0 && empty.status == 200);
	CHECK_OK(ex_run(&drip, &g, "/drip/20000"));
	CHECK(drip.got == 20000 && !drip.bad_bytes && drip.pieces >= 10);
	ex_end(&e);
	ex_end(&empty);
	ex_end(&drip);
	rig_close(&g);
}

static void a_body_that_waits_is_asked_again_when_ready(void)
{
	exchange e = {.send_len = 300000, .wait_each = true};
	exchange open_end = {.send_len = 300000, .wait_each = true, .no_length = true};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&e, &g, "/echo"));
	CHECK(e.got == 300000 && !e.bad_bytes);
	CHECK_OK(ex_run(&open_end, &g, "/echo"));
	CHECK(open_end.got == 300000 && !open_end.bad_bytes);
	ex_end(&e);
	ex_end(&open_end);
	rig_close(&g);
}

static void a_slow_application_gets_all_of_it(void)
{
	exchange e = {.send_len = 2000000};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&e, &g, "/slow"));
	CHECK(e.got == 2000000 && !e.bad_bytes);
	ex_end(&e);
	rig_close(&g);
}

/* A reader that pauses after every piece must not make anyone hold the rest. */
static void a_slow_reader_holds_the_sender_back(void)
{
	exchange e = {.pause_each = true, .pause_ms = 1};
	exchange stuck = {.pause_each = true, .pause_ms = UINT32_MAX};
	uint64_t got;
	long before;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&e, &g, "/bytes/10485760"));
	CHECK(e.got == BIG && !e.bad_bytes);
	before = peak_kib();
	REQUIRE(ex_start(&stuck, &g, g.address, "/bytes/268435456") == TL_OK);
	rig_wait(&g, 300);
	got = stuck.got;
	CHECK(stuck.pieces == 1 && got <= 65536 && stuck.dones == 0);
	CHECK(peak_kib() - before < 16 * 1024);
	g.http->cancel(stuck.handle);
	CHECK(rig_turn(&g, ex_is_done, &stuck, RIG_GUARD_MS));
	CHECK(stuck.code == TL_E_CANCELLED && stuck.got == got);
	ex_end(&e);
	ex_end(&stuck);
	rig_close(&g);
}

static void done_waits_for_a_paused_sink(void)
{
	exchange e = {.pause_each = true, .pause_ms = UINT32_MAX};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(ex_start(&e, &g, g.address, "/bytes/10") == TL_OK);
	rig_wait(&g, 50);
	CHECK(e.got == 10 && e.dones == 0);
	g.http->resume(e.handle);
	e.paused = false;
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_OK);
	ex_end(&e);
	rig_close(&g);
}

/* --- limits and failures ---------------------------------------------------------------------- */

static void an_answer_over_the_limit_fails(void)
{
	exchange exact = {.max_response = 5000}, announced = {.max_response = 4999};
	exchange chunked = {.max_response = 4999}, chunked_exact = {.max_response = 5000};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_OK(ex_run(&exact, &g, "/bytes/5000"));
	CHECK(exact.got == 5000);
	CHECK_CODE(ex_run(&announced, &g, "/bytes/5000"), TL_E_TOO_LARGE);
	CHECK(announced.got == 0 && announced.heads == 0);
	CHECK(strstr(announced.message, g.address) && strstr(announced.message, "4999"));
	CHECK_CODE(ex_run(&chunked, &g, "/chunks/5000"), TL_E_TOO_LARGE);
	CHECK(chunked.got <= 4999 && strstr(chunked.message, "4999"));
	CHECK_OK(ex_run(&chunked_exact, &g, "/chunks/5000"));
	ex_end(&exact);
	ex_end(&announced);
	ex_end(&chunked);
	ex_end(&chunked_exact);
	rig_close(&g);
}

static void an_answer_that_fails_midway_is_an_error(void)
{
	exchange known = {0}, chunked = {0}, after = {0};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_CODE(ex_run(&known, &g, "/abort/100000"), TL_E_NETWORK);
	CHECK(known.heads == 1 && known.got <= 100000 && strstr(known.message, g.address));
	CHECK_CODE(ex_run(&chunked, &g, "/abortchunks/100000"), TL_E_NETWORK);
	CHECK(chunked.heads == 1 && !chunked.bad_bytes);
	CHECK_OK(ex_run(&after, &g, "/bytes/10"));
	ex_end(&known);
	ex_end(&chunked);
	ex_end(&after);
	rig_close(&g);
}

static void a_body_that_fails_or_lies_ends_the_exchange(void)
{
	exchange aborts = {.send_len = 200000, .abort_body = true};
	exchange lies = {.send_len = 1000, .short_by = 1};
	exchange open_end = {.send_len = 200000, .abort_body = true, .no_length = true};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_CODE(ex_run(&aborts, &g, "/echo"), TL_E_IO);
	CHECK_CODE(ex_run(&lies, &g, "/echo"), TL_E_IO);
	CHECK_CODE(ex_run(&open_end, &g, "/echo"), TL_E_IO);
	check_all_gone(&g);
	CHECK(g.ended == 0);
	ex_end(&aborts);
	ex_end(&lies);
	ex_end(&open_end);
	rig_close(&g);
}

static void statuses_are_told_as_they_are(void)
{
	exchange missing = {0}, early = {.send_len = 4}, type = {.send_len = 4};
	exchange early_big = {.send_len = 3000000}, midway = {.send_len = 300000};
	exchange large = {.send_len = 100001}, fits = {.send_len = 100000};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	g.max_body = 100000;
	CHECK_OK(ex_run(&missing, &g, "/nothing"));
	CHECK(missing.status == 404 && missing.got == 0 && missing.type[0] == '\0');
	CHECK_OK(ex_run(&early, &g, "/early"));
	CHECK(early.status == 403);
	CHECK_OK(ex_run(&type, &g, "/type"));
	CHECK(type.status == 200);
	CHECK_OK(ex_run(&large, &g, "/echo"));
	CHECK(large.status == 413);
	CHECK_OK(ex_run(&fits, &g, "/echo"));
	CHECK(fits.status == 200);
	g.max_body = 64 << 20;
	CHECK_OK(ex_run(&early_big, &g, "/early"));
	CHECK(early_big.status == 403);
	CHECK_OK(ex_run(&midway, &g, "/midway"));
	CHECK(midway.status == 409);
	ex_end(&missing);
	ex_end(&early);
	ex_end(&type);
	ex_end(&early_big);
	ex_end(&midway);
	ex_end(&large);
	ex_end(&fits);
	rig_close(&g);
}

static void nobody_there_is_connection_failed(void)
{
	exchange refused = {0}, unknown = {0};
	char address[512];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	snprintf(address, sizeof address, "%s", g.address);
	CHECK(rig_stop(&g, 0));
	CHECK_OK(ex_start(&refused, &g, address, "/echo"));
	CHECK(rig_turn(&g, ex_is_done, &refused, RIG_GUARD_MS));
	CHECK(refused.code == TL_E_CONNECTION_FAILED && strstr(refused.message, address));
	CHECK_OK(ex_start(&unknown, &g, "no-such-host.invalid:80", "/echo"));
	CHECK(rig_turn(&g, ex_is_done, &unknown, RIG_GUARD_MS));
	CHECK(unknown.code == TL_E_CONNECTION_FAILED &&
		strstr(unknown.message, "no-such-host.invalid"));
	ex_end(&refused);
	ex_end(&unknown);
	rig_close(&g);
}

static void a_bad_request_is_refused_and_its_body_dropped(void)
{
	exchange scheme = {0}, path = {0}, space = {0};
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	CHECK_CODE(ex_start(&scheme, &g, "http://127.0.0.1:1", "/x"), TL_E_BAD_ADDRESS);
	CHECK(scheme.drops == 1 && scheme.dones == 0);
	CHECK_CODE(ex_start(&path, &g, g.address, "x"), TL_E_BAD_ARGUMENT);
	CHECK_CODE(ex_start(&space, &g, g.address, "/x HTTP/1.1\r\nx: y"), TL_E_BAD_ARGUMENT);
	CHECK(path.drops == 1 && space.drops == 1);
	CHECK_CODE(g.http->check_address(g.http, "127.0.0.1:0"), TL_E_BAD_ADDRESS);
	CHECK_OK(g.http->check_address(g.http, "127.0.0.1:1"));
	ex_end(&scheme);
	ex_end(&path);
	ex_end(&space);
	rig_close(&g);
}

int main(void)
{
	RUN(an_exchange_brings_head_body_and_done);
	RUN(connections_tell_how_they_stand);
	RUN(the_request_has_exactly_the_headers_of_v0);
	RUN(big_bodies_stream_both_ways);
	RUN(a_body_without_length_arrives_in_chunks);
	RUN(a_body_that_waits_is_asked_again_when_ready);
	RUN(a_slow_application_gets_all_of_it);
	RUN(a_slow_reader_holds_the_sender_back);
	RUN(done_waits_for_a_paused_sink);
	RUN(an_answer_over_the_limit_fails);
	RUN(an_answer_that_fails_midway_is_an_error);
	RUN(a_body_that_fails_or_lies_ends_the_exchange);
	RUN(statuses_are_told_as_they_are);
	RUN(nobody_there_is_connection_failed);
	RUN(a_bad_request_is_refused_and_its_body_dropped);
	return spec_end();
}
