/* The Iroh transport: whole exchanges, streams, limits, one connection a peer, and what goes wrong.
 */
#include "iroh_rig.h"

enum { BIG = 10 << 20 };

static void an_exchange_brings_head_body_and_done(void)
{
	exchange e = {.text = "{\"a\":1}", .send_len = 7, .keep = true};
	char want[TL__IROH_CHANNEL_LEN + 1], foreseen[TL__IROH_CHANNEL_LEN + 1];
	const char *near, *far;
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK(d.near.http->foresee(d.near.http, d.near.address, foreseen, sizeof foreseen));
	near = tl__iroh_of(d.near.http)->id_text;
	far = tl__iroh_of(d.far.http)->id_text;
	snprintf(want, sizeof want, "iroh:%s:%s", near, far);
	CHECK(strcmp(d.near.http->type, "iroh") == 0 && d.near.http->encrypted);
	CHECK_OK(ex_run(&e, &d.near, "/echo"));
	CHECK(e.status == 200 && e.heads == 1 && strcmp(e.type, "application/octet-stream") == 0);
	CHECK(e.body.len == 7 && memcmp(e.body.ptr, "{\"a\":1}", 7) == 0);
	CHECK(strcmp(foreseen, want) == 0);
	/* The other side asks over this one too. */
	CHECK(d.far.http->foresee(d.far.http, near, foreseen, sizeof foreseen));
	CHECK(strcmp(foreseen, want) == 0);
	CHECK(strcmp(e.channel, want) == 0 && strcmp(e.early_channel, want) == 0);
	CHECK(strcmp(d.far.channel, want) == 0 && strcmp(d.far.remote, near) == 0);
	CHECK(strcmp(d.far.method, "POST") == 0 && strcmp(d.far.path, "/echo") == 0);
	CHECK(strcmp(d.far.type, "application/json") == 0 && d.far.body_length == -1);
	ex_end(&e);
	duo_close(&d);
}

static void bodies_of_every_shape_arrive(void)
{
	static const struct {
		exchange e;
		const char *path;
		uint64_t got;
	} cases[] = {
		{{.send_len = BIG}, "/echo", BIG},
		{{.send_len = BIG, .no_length = true}, "/echo", BIG},
		{{.send_len = 300000, .wait_each = true}, "/echo", 300000},
		{{.send_len = 300000, .wait_each = true, .no_length = true}, "/echo", 300000},
		{{.send_len = 2000000}, "/slow", 2000000},
		{{0}, "/bytes/10485760", BIG},
		{{0}, "/chunks/1000000", 1000000},
		{{0}, "/chunks/0", 0},
		{{0}, "/drip/20000", 20000},
		{{0}, "/echo", 0},
		{{.pause_each = true, .pause_ms = 1}, "/bytes/3000000", 3000000},
	};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		exchange e = cases[i].e;

		CHECK_OK(ex_run(&e, &d.near, cases[i].path));
		CHECK(e.status == 200 && e.got == cases[i].got && !e.bad_bytes);
		ex_end(&e);
	}
	CHECK(connections_of(&d.near) == 1 && connections_of(&d.far) == 1);
	duo_close(&d);
}

static void a_reader_that_pauses_holds_the_sender_back(void)
{
	exchange up = {.send_len = 64 << 20};
	exchange down = {.pause_each = true, .pause_ms = UINT32_MAX};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_start(&up, &d.near, d.near.address, "/stuck"));
	CHECK_OK(ex_start(&down, &d.near, d.near.address, "/bytes/67108864"));
	rig_wait(&d.near, 500);
	CHECK(up.sent > 0 && up.sent < 6 << 20);
	CHECK(down.pieces == 1 && down.got < 1 << 20);
	d.near.http->cancel(up.handle);
	d.near.http->cancel(down.handle);
	CHECK(rig_turn(&d.near, ex_is_done, &up, RIG_GUARD_MS));
	CHECK(rig_turn(&d.near, ex_is_done, &down, RIG_GUARD_MS));
	CHECK(up.code == TL_E_CANCELLED && down.code == TL_E_CANCELLED);
	CHECK(up.drops == 1);
	check_all_gone(&d.far);
	ex_end(&up);
	ex_end(&down);
	duo_close(&d);
}

static void limits_hold_both_ways(void)
{
	exchange up = {.send_len = 1001}, down = {.max_response = 1000};
	exchange just = {.send_len = 1000, .max_response = 1000};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	d.far.max_body = 1000;
	CHECK_OK(ex_run(&up, &d.near, "/echo"));
	CHECK(up.status == 413);
	CHECK_CODE(ex_run(&down, &d.near, "/bytes/1001"), TL_E_TOO_LARGE);
	CHECK_OK(ex_run(&just, &d.near, "/echo"));
	CHECK(just.status == 200 && just.got == 1000);
	ex_end(&up);
	ex_end(&down);
	ex_end(&just);
	duo_close(&d);
}

static void a_body_that_fails_midway_is_never_whole(void)
{
	static const char *const paths[] = {"/abort/100000", "/abortchunks/100000"};
	exchange own = {.send_len = 300000, .abort_body = true};
	exchange cut = {.send_len = 1000, .short_by = 1};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	for (size_t i = 0; i < 2; i++) {
		exchange e = {0};

		CHECK_CODE(ex_run(&e, &d.near, paths[i]), TL_E_NETWORK);
		ex_end(&e);
	}
	CHECK_CODE(ex_run(&own, &d.near, "/echo"), TL_E_CANCELLED);
	CHECK_CODE(ex_run(&cut, &d.near, "/echo"), TL_E_CANCELLED);
	check_all_gone(&d.far);
	CHECK(d.far.ended == 2); /* those of the answers that failed */
	ex_end(&own);
	ex_end(&cut);
	duo_close(&d);
}

static void an_answer_may_come_before_the_body_is_whole(void)
{
	exchange early = {.send_len = BIG}, midway = {.send_len = BIG}, none = {0}, bad = {0};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_run(&early, &d.near, "/early"));
	CHECK_OK(ex_run(&midway, &d.near, "/midway"));
	CHECK_OK(ex_run(&none, &d.near, "/elsewhere"));
	CHECK_OK(ex_run(&bad, &d.near, "/badtype"));
	CHECK(early.status == 403 && midway.status == 409 && none.status == 404);
	CHECK(bad.status == 500 && bad.got == 0 && bad.type[0] == '\0');
	check_all_gone(&d.far);
	ex_end(&early);
	ex_end(&midway);
	ex_end(&none);
	ex_end(&bad);
	duo_close(&d);
}

static void silence_ends_an_exchange_unless_it_is_held(void)
{
	exchange mute = {.send_len = 10, .idle_ms = 300}, held = {.send_len = 10, .idle_ms = 300};
	duo d = {0};

	held.hold_ms = 60000;
	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_start(&held, &d.near, d.near.address, "/never"));
	CHECK_CODE(ex_run(&mute, &d.near, "/never"), TL_E_TIMEOUT);
	rig_wait(&d.near, 500);
	CHECK(held.dones == 0);
	d.near.http->cancel(held.handle);
	CHECK(rig_turn(&d.near, ex_is_done, &held, RIG_GUARD_MS));
	check_all_gone(&d.far);
	ex_end(&mute);
	ex_end(&held);
	duo_close(&d);
}

enum { MANY = 64 };

static bool all_done(void *ud)
{
	const exchange *all = ud;

	for (size_t i = 0; i < MANY; i++)
		if (all[i].dones == 0)
			return false;
	return true;
}

static void many_at_once_share_a_connection(void)
{
	static exchange all[MANY];
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	for (size_t i = 0; i < MANY; i++) {
		all[i] = (exchange){.send_len = 1000 * i};
		CHECK_OK(ex_start(&all[i], &d.near, d.near.address, "/echo"));
	}
	CHECK(rig_turn(&d.near, all_done, all, RIG_GUARD_MS));
	for (size_t i = 0; i < MANY; i++) {
		CHECK(all[i].code == TL_OK && all[i].got == 1000 * i && !all[i].bad_bytes);
		ex_end(&all[i]);
	}
	CHECK(connections_of(&d.near) == 1 && connections_of(&d.far) == 1);
	duo_close(&d);
}

static bool both_have_one(void *ud)
{
	const duo *d = ud;

	return connections_of(&d->near) == 1 && connections_of(&d->far) == 1;
}

static bool turn_until(duo *d, bool (*done)(void *ud))
{
	uint64_t until = spec_now_ms() + RIG_GUARD_MS;

	while (!done(d) && spec_now_ms() < until)
		rig_wait(&d->near, 20);
	return done(d);
}

/* Whichever of the two ids is the smaller one. */
static void when_both_dial_at_once_one_connection_is_kept(bool turned)
{
	exchange there = {.send_len = 10}, back = {.send_len = 10}, later = {.send_len = 10};
	const iroh_connection *kept, *same;
	duo d = {.keyed = true};

	d.keys[0][0] = turned ? 1 : 2;
	d.keys[1][0] = turned ? 2 : 1;
	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(rig_serve(&d.near, NULL));
	CHECK_OK(ex_start(&there, &d.near, d.far.address, "/echo"));
	CHECK_OK(ex_start(&back, &d.far, d.near.address, "/echo"));
	CHECK(rig_turn(&d.near, ex_is_done, &there, RIG_GUARD_MS));
	CHECK(rig_turn(&d.far, ex_is_done, &back, RIG_GUARD_MS));
	CHECK(there.code == TL_OK && back.code == TL_OK);
	CHECK(turn_until(&d, both_have_one));
	kept = tl__iroh_of(d.near.http)->connections;
	same = tl__iroh_of(d.far.http)->connections;
	CHECK(kept && same && strcmp(kept->channel, same->channel) == 0);
	CHECK_OK(ex_start(&later, &d.far, d.near.address, "/echo"));
	CHECK(rig_turn(&d.far, ex_is_done, &later, RIG_GUARD_MS));
	CHECK(later.code == TL_OK && both_have_one(&d));
	ex_end(&there);
	ex_end(&back);
	ex_end(&later);
	duo_close(&d);
}

static void of_two_connections_one_is_kept(void)
{
	when_both_dial_at_once_one_connection_is_kept(false);
	when_both_dial_at_once_one_connection_is_kept(true);
}

static void streams_of_0_2_0_have_no_heads(void)
{
	exchange e = {.send_len = 3000}, more = {.send_len = 2000};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_run(&e, &d.near, "/api/v0"));
	CHECK(e.status == 200 && e.got == 3000 && !e.bad_bytes);
	CHECK(strcmp(d.far.path, "/api/v0") == 0 && strcmp(d.far.type, "application/json") == 0);
	/* No status either: what is refused ends without a byte. */
	d.far.max_body = 1000;
	CHECK_OK(ex_run(&more, &d.near, "/api/v0"));
	CHECK(more.status == 200 && more.got == 0);
	ex_end(&e);
	ex_end(&more);
	duo_close(&d);
}

/* --- what goes wrong -------------------------------------------------------------------------- */

static void addresses_are_checked_before_anything_is_dialled(void)
{
	char own[700], cut[512], far[512], bare[100];
	size_t len = sizeof bare;
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	snprintf(far, sizeof far, "%s", d.far.address);
	snprintf(cut, sizeof cut, "%s", far);
	cut[strlen(cut) - 1] = '\0';
	snprintf(own, sizeof own, "{\"node_id\":\"%s\",\"direct_addresses\":[\"127.0.0.1:1\"]}",
		tl__iroh_of(d.near.http)->id_text);
	const char *const bad[] = {"", "x", "127.0.0.1:80", cut, "endpointaaaa", "iroh://",
		"{\"node_id\":\"12\"}", "{}", "zz58ff88"};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		exchange e = {.send_len = 10};

		CHECK_CODE(d.near.http->check_address(d.near.http, bad[i]), TL_E_BAD_ADDRESS);
		CHECK_CODE(ex_start(&e, &d.near, bad[i], "/echo"), TL_E_BAD_ADDRESS);
		CHECK(e.drops == 1 && e.dones == 0);
		ex_end(&e);
	}
	exchange e = {.send_len = 10};

	CHECK_CODE(ex_start(&e, &d.near, own, "/echo"), TL_E_BAD_ADDRESS);
	ex_end(&e);
	/* Every form of it leads to the same peer. */
	CHECK(tl__iroh_of(d.near.http)
			->calls->convert(far, strlen(far), TL_IROH_FORM_ID, bare, &len, NULL, 0) ==
		TL_IROH_OK);
	CHECK_OK(d.near.http->check_address(d.near.http, far));
	CHECK_OK(d.near.http->check_address(d.near.http, bare));
	duo_close(&d);
}

static void a_dead_address_ends_by_our_own_deadline(void)
{
	exchange dead = {.send_len = 10, .dial_ms = 400}, bare = {.send_len = 10, .dial_ms = 400};
	char address[512];
	uint64_t before;
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	snprintf(address, sizeof address,
		"{\"node_id\":\"%s\",\"direct_addresses\":[\"127.0.0.1:9\"]}",
		tl__iroh_of(d.far.http)->id_text);
	before = spec_now_ms();
	CHECK_OK(ex_start(&dead, &d.near, address, "/echo"));
	CHECK(rig_turn(&d.near, ex_is_done, &dead, RIG_GUARD_MS));
	CHECK(dead.code == TL_E_TIMEOUT && spec_now_ms() - before < 8000);
	CHECK(strstr(dead.message, "no direct path") && strstr(dead.message, "names no relay"));
	CHECK_OK(ex_start(&bare, &d.near, tl__iroh_of(d.far.http)->id_text, "/echo"));
	CHECK(rig_turn(&d.near, ex_is_done, &bare, RIG_GUARD_MS));
	CHECK(bare.code == TL_E_CONNECTION_FAILED || bare.code == TL_E_TIMEOUT);
	CHECK(connections_of(&d.near) == 0);
	ex_end(&dead);
	ex_end(&bare);
	duo_close(&d);
}

static void who_serves_no_more_is_told_from_one_who_is_silent(void)
{
	exchange before = {.send_len = 10}, after = {.send_len = 10}, again = {.send_len = 10};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_run(&before, &d.near, "/echo"));
	CHECK(rig_stop(&d.far, 100));
	CHECK_CODE(ex_run(&after, &d.near, "/echo"), TL_E_CONNECTION_FAILED);
	CHECK_OK(rig_serve(&d.far, NULL));
	CHECK_OK(ex_run(&again, &d.near, "/echo"));
	ex_end(&before);
	ex_end(&after);
	ex_end(&again);
	duo_close(&d);
}

static void a_stop_gives_requests_under_way_some_time(void)
{
	exchange slow = {.send_len = 200000}, never = {.send_len = 10};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_start(&slow, &d.near, d.near.address, "/slow"));
	CHECK_OK(ex_start(&never, &d.near, d.near.address, "/never"));
	CHECK(rig_until_begun(&d.far, 2));
	CHECK(rig_stop(&d.far, 2000));
	CHECK(rig_turn(&d.near, ex_is_done, &never, RIG_GUARD_MS));
	CHECK(slow.dones == 1 && slow.code == TL_OK && slow.got == 200000);
	CHECK(never.code == TL_E_NETWORK);
	ex_end(&slow);
	ex_end(&never);
	duo_close(&d);
}

static void begin_body_again(void *ud)
{
	((exchange *)ud)->sent = 0;
}

/* What was asked on a connection of before is asked once more over a new one. */
static void a_connection_that_was_closed_meanwhile_is_made_anew(void)
{
	exchange first = {.send_len = 10}, second = {.send_len = 10, .rewind = begin_body_again};
	iroh_connection *c;
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_run(&first, &d.near, "/echo"));
	c = tl__iroh_of(d.far.http)->connections;
	REQUIRE(c);
	CHECK(tl__iroh_of(d.far.http)
			->calls->connection_close(
				tl__iroh_of(d.far.http)->endpoint, c->id, 0, "", 0) == TL_IROH_OK);
	CHECK_OK(ex_run(&second, &d.near, "/echo"));
	CHECK(second.got == 10 && !second.bad_bytes);
	ex_end(&first);
	ex_end(&second);
	duo_close(&d);
}

static void a_peer_that_leaves_ends_what_it_was_asked(void)
{
	exchange e = {.send_len = 10}, after = {.send_len = 10, .dial_ms = 300};
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_start(&e, &d.near, d.near.address, "/never"));
	CHECK(rig_until_begun(&d.far, 1));
	duo_end_one(&d.far);
	CHECK(rig_turn(&d.near, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_E_NETWORK);
	CHECK_OK(ex_start(&after, &d.near, d.near.address, "/echo"));
	CHECK(rig_turn(&d.near, ex_is_done, &after, RIG_GUARD_MS));
	CHECK(after.code == TL_E_TIMEOUT || after.code == TL_E_CONNECTION_FAILED);
	ex_end(&e);
	ex_end(&after);
	duo_close(&d);
}

static void a_plugin_that_fails_inside_ends_what_is_open(void)
{
	exchange e = {.send_len = 10}, after = {.send_len = 10};
	iroh *h;
	duo d = {0};

	REQUIRE(duo_open(&d) == TL_OK);
	h = tl__iroh_of(d.near.http);
	CHECK_OK(ex_start(&e, &d.near, d.near.address, "/never"));
	CHECK(rig_until_begun(&d.far, 1));
	(void)h->calls->panic(h->endpoint, 1);
	CHECK(rig_turn(&d.near, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_E_INTERNAL && h->broken);
	CHECK_CODE(ex_start(&after, &d.near, d.near.address, "/echo"), TL_E_INTERNAL);
	ex_end(&e);
	ex_end(&after);
	duo_close(&d);
}

enum { CROWD = 12 };

/* Strangers that come and stay do not keep a peer out that the application knows. */
static void places_are_kept_for_those_who_are_known(void)
{
	static rig crowd[CROWD];
	exchange first = {.send_len = 10}, again = {.send_len = 10};
	duo d = {.max_connections = 8};

	REQUIRE(duo_open(&d) == TL_OK);
	CHECK_OK(ex_run(&first, &d.near, "/kept"));
	for (size_t i = 0; i < CROWD; i++) {
		exchange e = {.send_len = 10};

		REQUIRE(rig_iroh(&crowd[i], d.near.loop, NULL, 0) == TL_OK);
		snprintf(crowd[i].address, sizeof crowd[i].address, "%s", d.far.address);
		CHECK_OK(ex_run(&e, &crowd[i], "/echo"));
		ex_end(&e);
		rig_wait(&d.near, 20);
		CHECK(connections_of(&d.far) <= 8);
	}
	CHECK_OK(ex_run(&again, &d.near, "/echo"));
	CHECK(tl__iroh_of(d.near.http)->connections && connections_of(&d.near) == 1);
	CHECK(tl__iroh_of(d.far.http)->connections != NULL);
	for (size_t i = 0; i < CROWD; i++)
		duo_end_one(&crowd[i]);
	ex_end(&first);
	ex_end(&again);
	duo_close(&d);
}

int main(void)
{
	bool there = iroh_is_there();

	RUN_IF(there, an_exchange_brings_head_body_and_done);
	RUN_IF(there, bodies_of_every_shape_arrive);
	RUN_IF(there, a_reader_that_pauses_holds_the_sender_back);
	RUN_IF(there, limits_hold_both_ways);
	RUN_IF(there, a_body_that_fails_midway_is_never_whole);
	RUN_IF(there, an_answer_may_come_before_the_body_is_whole);
	RUN_IF(there, silence_ends_an_exchange_unless_it_is_held);
	RUN_IF(there, many_at_once_share_a_connection);
	RUN_IF(there, of_two_connections_one_is_kept);
	RUN_IF(there, streams_of_0_2_0_have_no_heads);
	RUN_IF(there, addresses_are_checked_before_anything_is_dialled);
	RUN_IF(there, a_dead_address_ends_by_our_own_deadline);
	RUN_IF(there, who_serves_no_more_is_told_from_one_who_is_silent);
	RUN_IF(there, a_stop_gives_requests_under_way_some_time);
	RUN_IF(there, a_connection_that_was_closed_meanwhile_is_made_anew);
	RUN_IF(there, a_peer_that_leaves_ends_what_it_was_asked);
	RUN_IF(there, places_are_kept_for_those_who_are_known);
	RUN_IF(there, a_plugin_that_fails_inside_ends_what_is_open);
	return spec_end();
}
