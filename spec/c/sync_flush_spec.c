/* Flush, and waiting for a peer: what they look at, what holds them up, how they end. */
#include "sync_schedule_help.h"

/* --- flush and wait --------------------------------------------------------------------------- */

static void flush_with_nothing_to_send_is_done_at_once(void)
{
	in_step();
	CHECK_DONE(
		rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .send_only = true}), TL_OK);
	CHECK(r.send_count == 0);
	done();
}

static void flush_asks_for_what_the_peer_has_too(void)
{
	uint64_t op;

	in_step();
	op = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 5000});
	CHECK(!rig_result(op) && r.send_count == 1);
	answer_page(&bob, &(page_answer){.n = 1, .tips = tl_database_root_id(db), .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	done();
}

/* A push is under way whose answer says where the peer stands. */
static uint64_t flush_behind_a_push(void)
{
	uint64_t op;

	in_step();
	(void)write_text(db, "data", "n", "x");
	tick();
	CHECK(sends("/tidelock/v1/push", NULL));
	op = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 5000});
	CHECK(r.send_count == 1 && !rig_result(op));
	return op;
}

/* Its answer may be as old as the push: it says nothing of what the peer has when the flush begins.
 */
static void flush_looks_behind_a_push_that_began_before_it(void)
{
	uint64_t op = flush_behind_a_push();
	id_list tips;

	r.stands = 2; /* level, then */
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	CHECK(!rig_result(op) && sends("/tidelock/v1/pull", NULL));
	REQUIRE(tips_of(db, &tips) == 1);
	answer_page(&bob, &(page_answer){.n = 3, .tips = &tips.at[0], .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	CHECK(pair()->seen.n == 3 && r.send_count == 0);
	done();
}

static void flush_looks_where_the_answer_says_that_the_peer_is_ahead(void)
{
	uint64_t op = flush_behind_a_push();
	id_list tips;

	r.stands = 3; /* somebody else wrote there */
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	CHECK(!rig_result(op));
	REQUIRE(tips_of(db, &tips) == 1);
	for (int i = 0; i < 2; i++) /* of the exchange under way, and of the one it asked for */
		if (r.send_count > 0)
			answer_page(
				&bob, &(page_answer){.n = 3, .tips = &tips.at[0], .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	CHECK(pair()->seen.n == 3 && r.send_count == 0);
	done();
}

/* What was told before the flush began says nothing of what came since. */
static void an_earlier_answer_is_not_what_flush_looks_for(void)
{
	id_list tips;
	uint64_t op;

	in_step();
	r.stands = 2;
	(void)write_text(db, "data", "n", "x");
	tick();
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	rig_pass(50);
	CHECK(r.send_count == 0 && pair()->level);
	op = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 5000});
	CHECK(!rig_result(op));
	REQUIRE(tips_of(db, &tips) == 1);
	answer_page(&bob, &(page_answer){.n = 2, .tips = &tips.at[0], .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	done();
}

/* It took all, said that both are level, and ended before it could be looked at. */
static void a_peer_that_took_all_and_ended_holds_no_flush_up(void)
{
	uint64_t op = flush_behind_a_push();

	r.stands = 2;
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	CHECK(!rig_result(op) && sends("/tidelock/v1/pull", NULL));
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(!rig_result(op)); /* one connection may break */
	rig_pass(1000);
	tick();
	REQUIRE(r.send_count == 1);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK_DONE(op, TL_OK);
	done();
}

static void a_peer_that_is_there_but_does_not_answer_holds_a_flush_up(void)
{
	uint64_t op = flush_behind_a_push();

	r.stands = 2;
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	for (int i = 0; i < 3; i++) {
		REQUIRE(r.send_count == 1);
		answer_failure(TL_E_TIMEOUT);
		rig_pass(1000);
		tick();
	}
	CHECK(!rig_result(op));
	done();
}

static void a_peer_that_was_ahead_and_ended_holds_a_flush_up(void)
{
	uint64_t op = flush_behind_a_push();

	r.stands = 3;
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	for (int i = 0; i < 3; i++) {
		REQUIRE(r.send_count == 1);
		answer_failure(TL_E_CONNECTION_FAILED);
		CHECK(!rig_result(op));
		rig_pass(1000);
		tick();
	}
	rig_pass(2000);
	CHECK_DONE(op, TL_E_TIMEOUT);
	CHECK(strstr(rig_error(op), "1 are still to be asked for") &&
		strstr(rig_error(op), "sha256:"));
	done();
}

static void flush_tries_every_second(void)
{
	uint64_t op;

	in_step();
	(void)write_text(db, "data", "n", "x");
	op = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 60000});
	for (int i = 0; i < 20; i++) {
		CHECK(r.send_count == 1);
		answer_failure(TL_E_CONNECTION_FAILED);
		rig_pass(1000);
		tick();
	}
	/* He who waits makes nobody give up. */
	CHECK(!rig_result(op) && !pair()->stalled && pair()->attempts == 1);
	done();
}

/* There is something to send, and nobody tries any more but for it. */
static void no_flush_is_done_over_a_pair_that_gave_up(bool send_only)
{
	uint64_t op;

	stall();
	op = rig_command((tl__sync_command){
		.kind = TL__SYNC_FLUSH, .timeout_ms = 2500, .send_only = send_only});
	for (int i = 0; i < 2; i++) {
		CHECK(!rig_result(op));
		REQUIRE(r.send_count == 1);
		answer_failure(TL_E_CONNECTION_FAILED);
		rig_pass(1000);
		tick();
	}
	rig_pass(1000);
	CHECK_DONE(op, TL_E_TIMEOUT);
	CHECK(strstr(rig_error(op), "sha256:"));
	done();
}

static void flush_looks_over_a_pair_that_gave_up(void)
{
	no_flush_is_done_over_a_pair_that_gave_up(false);
}

static void flush_sends_over_a_pair_that_gave_up(void)
{
	no_flush_is_done_over_a_pair_that_gave_up(true);
}

static void flush_waits_for_what_is_under_way(void)
{
	uint64_t op;

	in_step();
	(void)write_text(db, "data", "n", "x");
	tick();
	op = rig_command(
		(tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 5000, .send_only = true});
	CHECK(!rig_result(op));
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	if (r.send_count > 0) { /* the one it asked for itself */
		answer_page(&bob, &(page_answer){.n = 2});
		if (r.send_count > 0)
			(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	}
	CHECK_DONE(op, TL_OK);
	done();
}

static void flush_says_what_is_left_when_time_is_over(void)
{
	uint64_t op;

	in_step();
	(void)write_text(db, "data", "n", "x");
	tick();
	op = rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 5000});
	fail_all(4900);
	CHECK(!rig_result(op));
	rig_pass(200);
	CHECK_DONE(op, TL_E_TIMEOUT);
	CHECK(strstr(rig_error(op), "sha256:"));
	done();
}

static void flush_does_not_wait_out_a_delay(void)
{
	in_step();
	(void)write_text(db, "data", "n", "x");
	tick();
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(r.send_count == 0);
	(void)rig_command((tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 5000});
	CHECK(r.send_count == 1);
	done();
}

static void waiting_ends_when_both_hold_the_same_tips(void)
{
	id_list tips;
	uint64_t op;

	in_step();
	{
		tl__sync_command command = {.kind = TL__SYNC_WAIT,
			.has_key = true,
			.key = bob.key,
			.has_db = true,
			.db = root,
			.timeout_ms = 5000};
		op = rig_command(command);
	}
	REQUIRE(tips_of(db, &tips) == 1);
	(void)write_text(db, "data", "n", "x");
	answer_page(&bob, &(page_answer){.n = 1, .tips = &tips.at[0], .tip_count = 1});
	/* A commit came in between: it is pushed, and then they are level. */
	CHECK(!rig_result(op));
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 2, NULL);
	CHECK_DONE(op, TL_OK);
	done();
}

static void waiting_ends_with_its_time(void)
{
	uint64_t op;
	tl__sync_command command = {.kind = TL__SYNC_WAIT, .has_key = true, .has_db = true};

	in_step();
	command.key = bob.key;
	command.db = root;
	command.timeout_ms = 3000;
	op = rig_command(command);
	fail_all(2900);
	CHECK(!rig_result(op));
	rig_pass(200);
	CHECK_DONE(op, TL_E_TIMEOUT);
	CHECK(strstr(rig_error(op), "no connection"));
	command.db.b[5] ^= 1;
	CHECK_DONE(rig_command(command), TL_E_UNKNOWN_DATABASE);
	done();
}

static void an_exchange_command_tells_what_moved(void)
{
	uint64_t op;

	relate(&bob, HOME);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, NULL, NULL);
	answer_page(&bob, &(page_answer){.n = 0});
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL);
	/* The exchange that was under way does not count: it may have missed what came since. */
	CHECK(!rig_result(op));
	answer_page(&bob, &(page_answer){.n = 1, .tips = &root, .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	REQUIRE(rig_result(op));
	CHECK_TEXT(rig_text(op), "{\"received\":0,\"sent\":0}");
	CHECK_DONE(pair_command(TL__SYNC_SYNC_PAIR, &carol.key, NULL, NULL), TL_E_PEER_NOT_FOUND);
	done();
}

int main(void)
{
	RUN_RIG(flush_with_nothing_to_send_is_done_at_once);
	RUN_RIG(flush_asks_for_what_the_peer_has_too);
	RUN_RIG(flush_looks_behind_a_push_that_began_before_it);
	RUN_RIG(flush_looks_where_the_answer_says_that_the_peer_is_ahead);
	RUN_RIG(an_earlier_answer_is_not_what_flush_looks_for);
	RUN_RIG(a_peer_that_took_all_and_ended_holds_no_flush_up);
	RUN_RIG(a_peer_that_is_there_but_does_not_answer_holds_a_flush_up);
	RUN_RIG(a_peer_that_was_ahead_and_ended_holds_a_flush_up);
	RUN_RIG(flush_tries_every_second);
	RUN_RIG(flush_looks_over_a_pair_that_gave_up);
	RUN_RIG(flush_sends_over_a_pair_that_gave_up);
	RUN_RIG(flush_waits_for_what_is_under_way);
	RUN_RIG(flush_says_what_is_left_when_time_is_over);
	RUN_RIG(flush_does_not_wait_out_a_delay);
	RUN_RIG(waiting_ends_when_both_hold_the_same_tips);
	RUN_RIG(waiting_ends_with_its_time);
	RUN_RIG(an_exchange_command_tells_what_moved);
	return spec_end();
}
