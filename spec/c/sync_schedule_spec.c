/* Who is due when: retry, stalled, ticks, flush, wait, several peers. */
#include "sync_schedule_help.h"

/* --- retry ------------------------------------------------------------------------------------ */

static void retries_come_after_half_to_all_of_two_to_the_n_seconds(void)
{
	relate(&bob, HOME);
	for (unsigned n = 1; n <= 9; n++) {
		uint64_t most = n > 6 ? 64000 : 1000ull << n, wait;

		answer_failure(TL_E_CONNECTION_FAILED);
		REQUIRE(pair()->attempts == n);
		wait = pair()->next_attempt - r.now;
		CHECK(wait >= most / 2 && wait <= most);
		/* The connection check may say hello meanwhile. */
		while (r.send_count == 0 || sends("/tidelock/v1/hello", NULL)) {
			if (r.send_count > 0)
				answer_failure(TL_E_CONNECTION_FAILED);
			rig_pass(pair()->next_attempt > r.now ? pair()->next_attempt - r.now : 1);
		}
		CHECK(sends("/tidelock/v1/pull", NULL));
	}
	done();
}

static void delays_differ(void)
{
	uint64_t first;

	relate(&bob, HOME);
	answer_failure(TL_E_CONNECTION_FAILED);
	first = pair()->next_attempt - r.now;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	pair()->attempts = 0;
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(pair()->attempts == 1);
	CHECK(pair()->next_attempt - r.now != first);
	done();
}

static void a_success_forgets_the_failures(void)
{
	relate(&bob, HOME);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(pair()->last_code == TL_E_CONNECTION_FAILED);
	rig_pass(2100);
	answer_page(&bob, &(page_answer){.n = 0});
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL);
	CHECK(pair()->attempts == 0 && pair()->last_code == TL_OK);
	CHECK(peer_of(&bob)->state == TL__PEER_CONNECTED);
	done();
}

static void after_the_last_attempt_a_pair_is_stalled(void)
{
	stall();
	rig_pass(3600000);
	CHECK(r.send_count == 0);
	CHECK(strstr(local("sync/pair", &bob, &root), "\"stalled\":true"));
	/* Also a commit does not wake it. */
	(void)write_text(db, "data", "n", "x");
	tick();
	rig_pass(1000);
	CHECK(r.send_count == 0);
	done();
}

static void attempts_may_be_unlimited(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

	options.max_attempts = TL_NEVER;
	options.retry_max_ms = 1000;
	options.periodic_ms = TL_NEVER;
	CHECK_DONE(rig_command(command), TL_OK);
	relate(&bob, HOME);
	fail_all(30000);
	CHECK(!pair()->stalled && pair()->attempts > 25);
	done();
}

/* Each exchange sends something before the way breaks. */
static void a_way_on_which_something_moves_is_not_given_up(void)
{
	in_step();
	r.stands = 100; /* so it is asked what it has */
	for (int i = 0; i < 12; i++) {
		(void)write_text(db, "data", "n", "x");
		rig_pass(3000);
		if (sends("/tidelock/v1/pull", NULL))
			answer_page(&bob, &(page_answer){.n = 0});
		CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
		REQUIRE(sends("/tidelock/v1/pull", NULL));
		answer_failure(TL_E_NETWORK);
		CHECK(pair()->attempts == 1 && !pair()->stalled);
	}
	done();
}

static void a_stalled_pair_leaves_by_a_command(void)
{
	stall();
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	CHECK(r.send_count == 1);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(pair()->stalled); /* it was one attempt */
	done();
}

static void a_stalled_pair_leaves_by_contact_of_the_peer(void)
{
	stall();
	tl__sync_heard_from(r.core, &bob.key, "http:1.2.3.4:5");
	tick();
	CHECK(!pair()->stalled && r.send_count == 1);
	done();
}

static void a_stalled_pair_leaves_by_a_new_address(void)
{
	stall();
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "127.0.0.1:9002"), TL_OK);
	CHECK(!pair()->stalled && r.send_count == 1);
	done();
}

static void a_stalled_pair_leaves_by_a_change_of_status(void)
{
	stall();
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "inactive"), TL_OK);
	CHECK(r.send_count == 0);
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "active"), TL_OK);
	CHECK(!pair()->stalled && r.send_count == 1);
	done();
}

static void a_stalled_pair_gets_one_attempt_at_the_periodic_tick(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

	stall();
	options.periodic_ms = 10000;
	CHECK_DONE(rig_command(command), TL_OK);
	rig_pass(10000);
	CHECK(r.send_count == 1);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(pair()->stalled);
	rig_pass(9000);
	CHECK(r.send_count == 0);
	done();
}

/* --- ticks ------------------------------------------------------------------------------------ */

static void the_periodic_exchange_comes_by_itself(void)
{
	in_step();
	rig_pass(299000);
	CHECK(r.send_count == 0);
	rig_pass(1000);
	CHECK(sends("/tidelock/v1/pull", NULL));
	done();
}

static void ticks_can_be_off(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

	options.periodic_ms = options.connection_check_ms = TL_NEVER;
	in_step();
	CHECK_DONE(rig_command(command), TL_OK);
	rig_pass(10000000);
	CHECK(r.send_count == 0);
	CHECK(tl__sync_due(r.core) == UINT64_MAX);
	done();
}

static void an_unreachable_peer_is_asked_for_a_sign_of_life(void)
{
	stall();
	{
		tl_sync_options options = TL_SYNC_OPTIONS_INIT;
		tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

		options.connection_check_ms = 60000;
		CHECK_DONE(rig_command(command), TL_OK);
	}
	rig_pass(60000);
	REQUIRE(sends("/tidelock/v1/hello", NULL));
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(pair()->stalled);
	rig_pass(60000);
	answer_hello(&bob);
	CHECK(!pair()->stalled);
	CHECK(sends("/tidelock/v1/pull", NULL));
	done();
}

static void nothing_is_sent_on_commit_when_that_is_off(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

	options.on_commit = TL_OFF;
	in_step();
	CHECK_DONE(rig_command(command), TL_OK);
	(void)write_text(db, "data", "n", "x");
	tick();
	rig_pass(1000);
	CHECK(r.send_count == 0 && tl__pair_dirty(pair()));
	(void)rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 1000});
	CHECK(r.send_count == 1);
	done();
}

static void sending_on_commit_is_switched_off_and_on(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};

	in_step();
	options.on_commit = TL_OFF;
	CHECK_DONE(rig_command(command), TL_OK);
	options.on_commit = 0; /* keeps what is set */
	CHECK_DONE(rig_command(command), TL_OK);
	(void)write_text(db, "data", "n", "x");
	tick();
	rig_pass(1000);
	CHECK(r.send_count == 0);
	options.on_commit = TL_ON;
	CHECK_DONE(rig_command(command), TL_OK);
	tick();
	CHECK(r.send_count == 1);
	done();
}

static void every_switch_goes_both_ways(void)
{
	static const size_t at[] = {offsetof(tl_sync_options, on_commit),
		offsetof(tl_sync_options, v0_claims), offsetof(tl_sync_options, require_encryption),
		offsetof(tl_sync_options, allow_tls_proxy)};

	in_step();
	for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
		tl_sync_options options = TL_SYNC_OPTIONS_INIT;
		tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};
		uint8_t *given = (uint8_t *)&options + at[i];
		const uint8_t *now = (const uint8_t *)&r.core->options + at[i];
		static const uint8_t values[] = {TL_ON, 0, TL_OFF, 0, TL_ON};
		static const uint8_t then[] = {1, 1, 0, 0, 1};

		for (size_t k = 0; k < sizeof values; k++) {
			*given = values[k];
			CHECK_DONE(rig_command(command), TL_OK);
			CHECK(*now == then[k]);
		}
		*given = TL_OFF + 1;
		CHECK_DONE(rig_command(command), TL_E_BAD_ARGUMENT);
	}
	done();
}

/* --- before a transport is enabled ------------------------------------------------------------ */

static bool pair_is(const char *state)
{
	tl__buf out = TL__BUF_INIT;
	char text[40];
	bool is;

	snprintf(text, sizeof text, "\"state\":\"%s\"", state);
	tl__sync_status(r.core, r.now, &out);
	is = out.ptr && strstr(out.ptr, text);
	tl__buf_free(&out);
	return is;
}

/* A process that begins where the last one left something to send. */
static void nothing_is_tried_before_a_transport_is_enabled(void)
{
	tl__sync_event wire = {.kind = TL__SYNC_TRANSPORT, .transport.type = TL__STR("wire")};
	tl__sync_event http = {.kind = TL__SYNC_TRANSPORT, .transport.type = TL__STR("http")};
	char before[4096];

	in_step();
	snprintf(before, sizeof before, "%s", local("sync/metadata", &bob, NULL));
	rig_stop();
	r.no_transport = true;
	REQUIRE(rig_start(NULL));
	(void)write_text(db, "data", "n", "x");
	rig_pass(3600000); /* with many a tick */
	CHECK(pair_is("no_transport"));
	CHECK_DONE(
		pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL), TL_E_NO_TRANSPORT_ENABLED);
	rig_event(&wire); /* which is none for the address of bob */
	CHECK_DONE(pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL),
		TL_E_UNSUPPORTED_TRANSPORT);
	rig_pass(3600000);
	CHECK(r.send_count == 0 && pair_is("no_transport"));
	CHECK(pair()->attempts == 0 && pair()->last_code == TL_OK);
	CHECK(r.events[TL_EVENT_SYNC_FAILED] == 0 && r.events[TL_EVENT_PEER_UNREACHABLE] == 0);
	CHECK(strcmp(before, local("sync/metadata", &bob, NULL)) == 0);
	rig_event(&http);
	rig_pass(50);
	CHECK(r.send_count == 1);
	drop_send(0);
	done();
}

/* --- several peers ---------------------------------------------------------------------------- */

/* Brings the newest request to the front. */
static void newest_first(void)
{
	tl__sync_action newest = r.sends[r.send_count - 1];

	memmove(&r.sends[1], &r.sends[0], (r.send_count - 1) * sizeof *r.sends);
	r.sends[0] = newest;
}

static void a_hanging_peer_delays_nobody(void)
{
	meet(&carol, "127.0.0.1:9002");
	relate(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &carol.key, &root, NULL), TL_OK);
	/* Bob's pull stays without an answer. */
	REQUIRE(r.send_count == 2);
	newest_first();
	CHECK(sends("/tidelock/v1/pull", "127.0.0.1:9002"));
	answer_page(&carol, &(page_answer){.n = 0});
	REQUIRE(r.send_count == 2);
	newest_first();
	CHECK(answer_push(&carol, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
	CHECK(pair_of(&carol, &root)->ack == 1);
	CHECK(r.send_count == 1 && pair()->session);
	done();
}

/* A plan may see a commit before the core is told of it: who else is to have it must not wait. */
static void what_an_exchange_learns_first_makes_others_dirty(void)
{
	tl__sync *core;

	in_step();
	meet(&carol, "127.0.0.1:9002");
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &carol.key, &root, NULL), TL_OK);
	answer_page(&carol, &(page_answer){.n = 0});
	(void)answer_push(&carol, TL__V1_FATE_VERIFIED, 1, NULL);
	rig_pass(1000);
	CHECK(r.send_count == 0 && !tl__pair_dirty(pair_of(&carol, &root)));
	core = r.core;
	r.core = NULL;
	(void)write_text(db, "data", "n", "x");
	r.core = core;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(r.send_count == 2 && pair_of(&carol, &root)->session);
	done();
}

static void exchanges_with_one_peer_are_bounded(void)
{
	tl_id ids[TL__SYNC_MAX_PEER_EXCHANGES + 3];

	meet(&bob, HOME);
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		tl_id_of(&ids[i], &i, sizeof i);
		CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &ids[i], NULL), TL_OK);
	}
	CHECK(r.send_count == TL__SYNC_MAX_PEER_EXCHANGES);
	/* Each that ends makes room for another. */
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(r.send_count == TL__SYNC_MAX_PEER_EXCHANGES);
}

static void exchanges_in_all_are_bounded(void)
{
	for (unsigned i = 0; i < TL__SYNC_MAX_EXCHANGES / TL__SYNC_MAX_PEER_EXCHANGES + 3; i++) {
		party p;
		char home[32];

		make_party(&p, (uint8_t)(20 + i));
		snprintf(home, sizeof home, "127.0.0.1:%u", 1000 + i);
		CHECK_OK(tl__peer_enlist(r.core, tl__peer_new(&p.key, TL__STR_NULL)));
		peer_of(&p)->protocol = TL__PROTOCOL_V1;
		peer_of(&p)->epoch_known = true;
		{
			tl_address address = http(home);
			size_t index;

			CHECK_OK(tl__peer_add_address(peer_of(&p), &address, &index));
			peer_of(&p)->addresses[index].proven = true;
		}
		for (unsigned k = 0; k < TL__SYNC_MAX_PEER_EXCHANGES; k++) {
			tl_id id;

			tl_id_of(&id, &k, sizeof k);
			CHECK_OK(tl__pair_relate(r.core, peer_of(&p), &id, z("manual"), NULL));
		}
	}
	tick();
	CHECK(r.send_count == TL__SYNC_MAX_EXCHANGES);
}

static void neither_blocked_nor_inactive_peers_are_spoken_to(void)
{
	static const struct {
		const char *status;
		int code;
	} cases[] = {{"blocked", TL_E_PEER_BLOCKED}, {"inactive", TL_E_REFUSED}};

	in_step();
	for (size_t i = 0; i < 2; i++) {
		CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, cases[i].status), TL_OK);
		(void)write_text(db, "data", "n", "x");
		tick();
		rig_pass(700000);
		CHECK(r.send_count == 0);
		CHECK_DONE(pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL), cases[i].code);
		CHECK_DONE(peer_command(TL__SYNC_DISCOVER, &bob.key, NULL), cases[i].code);
		CHECK(!tl__sync_related(r.core, &bob.key, &root));
	}
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "sleepy"), TL_E_BAD_ARGUMENT);
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "active"), TL_OK);
	CHECK(r.send_count == 1);
	done();
}

static void blocking_ends_the_exchange_under_way(void)
{
	relate(&bob, HOME);
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "blocked"), TL_OK);
	CHECK(r.cancelled == r.sends[0].send.exchange);
	answer_failure(TL_E_CANCELLED);
	CHECK(!r.core->sessions && !r.core->call_list);
	done();
}

static void a_busy_peer_is_left_alone_as_long_as_it_says(void)
{
	tl__v1_refusal refusal = {.wait_ms = 5000};
	tl__buf args = TL__BUF_INIT;
	asked a;

	relate(&bob, HOME);
	REQUIRE(take_v1(&a));
	refusal.code = TL__STR("");
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(&a, &bob, TL__V1_BUSY, tl__buf_view(&args), TL__STR(""));
	rig_pass(4900);
	CHECK(r.send_count == 0);
	rig_pass(200);
	CHECK(r.send_count == 1);
	tl__buf_free(&args);
	asked_free(&a);
	done();
}

/* --- ingest from the peer --------------------------------------------------------------------- */

static void while_its_entries_are_stored_nothing_is_pushed_to_it(void)
{
	in_step();
	tl__sync_ingest_begins(r.core, pair());
	(void)write_text(db, "data", "n", "x"); /* stands for what it sent */
	tick();
	CHECK(r.send_count == 0);
	{
		tl__work *work;

		CHECK_OK(tl__work_new(&work, TL__WORK_INGEST, &root));
		work->ingest.before = 1;
		work->ingest.after = 2;
		work->ingest.result.entered = 1;
		tl__sync_ingest_ends(r.core, pair(), &bob.key, work);
		tl__work_free(work);
	}
	tick();
	CHECK(pair()->ack == 2 && r.send_count == 0);
	done();
}

static void what_others_wrote_meanwhile_is_still_to_be_sent(void)
{
	in_step();
	tl__sync_ingest_begins(r.core, pair());
	(void)write_text(db, "data", "n", "x");
	(void)write_text(db, "data", "n", "y");
	{
		tl__work *work;

		CHECK_OK(tl__work_new(&work, TL__WORK_INGEST, &root));
		work->ingest.before = 1;
		work->ingest.after = 3;
		work->ingest.result.entered = 1;
		tl__sync_ingest_ends(r.core, pair(), &bob.key, work);
		tl__work_free(work);
	}
	tick();
	CHECK(pair()->ack == 1 && r.send_count == 1);
	done();
}

/* --- the end ---------------------------------------------------------------------------------- */

static void stop_ends_everything_and_saves(void)
{
	uint64_t op, late;

	relate(&bob, HOME);
	op = rig_command((tl__sync_command){.kind = TL__SYNC_STOP});
	CHECK_DONE(op, TL_OK);
	CHECK(r.cancelled == r.sends[0].send.exchange);
	CHECK(strstr(local("sync/pair", &bob, &root), "\"manual\""));
	late = connect_to(HOME, NULL);
	CHECK_DONE(late, TL_E_CLOSED);
	done();
}

static void commands_before_the_load_are_refused(void)
{
	uint64_t op;

	rig_stop();
	r.hold_works = true;
	CHECK(rig_start(NULL));
	op = peer_command(TL__SYNC_REGISTER, &bob.key, "Bob");
	CHECK_DONE(op, TL_E_BUSY);
	rig_release_works();
	CHECK(!peer_of(&bob));
	op = peer_command(TL__SYNC_REGISTER, &bob.key, "Bob");
	CHECK_DONE(op, TL_OK);
	CHECK(peer_of(&bob));
}

static void a_status_is_valid_json(void)
{
	tl__buf out = TL__BUF_INIT;
	tl__json_reader reader;
	tl__json_token token;

	relate(&bob, HOME);
	answer_failure(TL_E_CONNECTION_FAILED);
	tl__buf_text(&out, "{");
	tl__sync_status(r.core, r.now, &out);
	tl__buf_text(&out, "}");
	CHECK(strstr(out.ptr, "\"state\":\"waiting\""));
	tl__json_whole(&reader, tl__buf_view(&out), 20);
	while ((token = tl__json_next(&reader)) > TL__JSON_MORE && token != TL__JSON_END)
		;
	CHECK(token == TL__JSON_END);
	tl__json_free(&reader);
	tl__buf_clear(&out);
	tl__sync_list_peers(r.core, &out);
	CHECK(strstr(out.ptr, bob.text));
	tl__buf_free(&out);
	done();
}

int main(void)
{
	RUN_RIG(retries_come_after_half_to_all_of_two_to_the_n_seconds);
	RUN_RIG(delays_differ);
	RUN_RIG(a_success_forgets_the_failures);
	RUN_RIG(after_the_last_attempt_a_pair_is_stalled);
	RUN_RIG(attempts_may_be_unlimited);
	RUN_RIG(a_way_on_which_something_moves_is_not_given_up);
	RUN_RIG(a_stalled_pair_leaves_by_a_command);
	RUN_RIG(a_stalled_pair_leaves_by_contact_of_the_peer);
	RUN_RIG(a_stalled_pair_leaves_by_a_new_address);
	RUN_RIG(a_stalled_pair_leaves_by_a_change_of_status);
	RUN_RIG(a_stalled_pair_gets_one_attempt_at_the_periodic_tick);
	RUN_RIG(the_periodic_exchange_comes_by_itself);
	RUN_RIG(ticks_can_be_off);
	RUN_RIG(an_unreachable_peer_is_asked_for_a_sign_of_life);
	RUN_RIG(nothing_is_sent_on_commit_when_that_is_off);
	RUN_RIG(sending_on_commit_is_switched_off_and_on);
	RUN_RIG(every_switch_goes_both_ways);
	RUN_RIG(nothing_is_tried_before_a_transport_is_enabled);
	RUN_RIG(a_hanging_peer_delays_nobody);
	RUN_RIG(what_an_exchange_learns_first_makes_others_dirty);
	RUN_RIG(exchanges_with_one_peer_are_bounded);
	RUN_RIG(exchanges_in_all_are_bounded);
	RUN_RIG(neither_blocked_nor_inactive_peers_are_spoken_to);
	RUN_RIG(blocking_ends_the_exchange_under_way);
	RUN_RIG(a_busy_peer_is_left_alone_as_long_as_it_says);
	RUN_RIG(while_its_entries_are_stored_nothing_is_pushed_to_it);
	RUN_RIG(what_others_wrote_meanwhile_is_still_to_be_sent);
	RUN_RIG(stop_ends_everything_and_saves);
	RUN_RIG(commands_before_the_load_are_refused);
	RUN_RIG(a_status_is_valid_json);
	return spec_end();
}
