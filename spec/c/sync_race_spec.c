/* A request that finds no answer: the peer's other address is tried beside it. */
#include "sync_contact_help.h"

#define OTHER "127.0.0.1:9002"
#define THIRD "127.0.0.1:9003"
#define HELLO "/tidelock/v1/hello"
#define PULL  "/tidelock/v1/pull"
#define PUSH  "/tidelock/v1/push"

/* Brings the oldest request to this path and address to the front; false: there is none. */
static bool bring(const char *path, const char *address)
{
	for (size_t i = 0; i < r.send_count; i++) {
		tl__sync_action found = r.sends[i];

		if (strcmp(found.send.path, path) != 0 ||
			strcmp(found.send.address.text, address) != 0)
			continue;
		memmove(&r.sends[1], &r.sends[0], i * sizeof *r.sends);
		r.sends[0] = found;
		return true;
	}
	return false;
}

static bool hello_answered_at(const char *address)
{
	if (!bring(HELLO, address))
		return false;
	answer_hello(&bob);
	return true;
}

/* What was cancelled ends, as a driver sees to; nothing else may be under way. */
static void all_else_was_cancelled(void)
{
	while (r.send_count > 0)
		answer_failure(TL_E_CANCELLED);
	CHECK(r.core->call_list == NULL);
	CHECK(r.core->exchanges == 0);
	CHECK(tl__race_due(r.core) == UINT64_MAX || tl__race_due(r.core) >= r.now);
}

static const tl__peer_address *address_at(const char *text)
{
	tl_address address = http(text);
	int at = tl__peer_address_at(peer_of(&bob), &address);

	return at < 0 ? NULL : &peer_of(&bob)->addresses[at];
}

/* A pull waits at HOME, and the peer has another address. */
static tl_database *pull_with_another_way(void)
{
	tl_database *db = new_database("alice");

	meet(&bob, HOME);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, OTHER), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(db), NULL), TL_OK);
	CHECK(sends(PULL, HOME) && r.send_count == 1);
	return db;
}

/* And what is to be pushed behind it, by the same way. */
static void finish_pull(const char *address)
{
	const page_answer level = {.n = 1};

	CHECK(bring(PULL, address));
	answer_page(&bob, &level);
	CHECK(bring(PUSH, address));
	(void)answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL);
}

static void the_other_way_is_tried_beside_a_silent_one(void)
{
	tl_database *db = pull_with_another_way();
	uint64_t silent = r.sends[0].send.exchange;

	rig_pass(TL__RACE_BESIDE_MS - 1);
	CHECK(r.send_count == 1);
	rig_pass(1);
	CHECK(r.send_count == 3);
	CHECK(hello_answered_at(OTHER));
	/* The first one has as long again. */
	CHECK(!bring(PULL, OTHER));
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(bring(PULL, OTHER));
	CHECK(r.cancelled != 0);
	CHECK(address_at(HOME)->failures > 0 && address_at(HOME)->success == 0);
	CHECK(address_at(OTHER)->success > 0 && address_at(OTHER)->proven);
	finish_pull(OTHER);
	/* An answer that was on its way counts for nothing. */
	CHECK(bring(PULL, HOME) && r.sends[0].send.exchange == silent);
	answer_failure(TL_E_CANCELLED);
	CHECK(bring(HELLO, HOME));
	answer_failure(TL_E_CANCELLED);
	CHECK(pair_of(&bob, tl_database_root_id(db))->attempts == 0);
	tl_database_free(db);
}

static void a_slow_one_keeps_its_request(void)
{
	tl_database *db = pull_with_another_way();

	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(hello_answered_at(OTHER));
	CHECK(hello_answered_at(HOME));
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(r.send_count == 1 && sends(PULL, HOME));
	/* It is asked again: somebody who was slow may be gone. */
	rig_pass(TL__RACE_AGAIN_MS);
	CHECK(r.send_count == 3);
	finish_pull(HOME);
	all_else_was_cancelled();
	CHECK(address_at(HOME)->failures == 0 &&
		address_at(HOME)->success > address_at(OTHER)->success);
	tl_database_free(db);
}

static void who_answers_first_here_ends_the_race(void)
{
	tl_database *db = pull_with_another_way();

	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(hello_answered_at(HOME));
	CHECK(bring(HELLO, OTHER) && r.cancelled == r.sends[0].send.exchange);
	answer_failure(TL_E_CANCELLED);
	CHECK(r.send_count == 1);
	/* It comes too late. */
	finish_pull(HOME);
	all_else_was_cancelled();
	tl_database_free(db);
}

static void without_another_answer_it_waits(void)
{
	tl_database *db = pull_with_another_way();

	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(bring(HELLO, OTHER));
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(bring(PULL, HOME) && bring(HELLO, HOME) && r.send_count == 2);
	/* Whether the other one is back is asked again. */
	rig_pass(TL__RACE_AGAIN_MS);
	CHECK(hello_answered_at(OTHER));
	rig_pass(TL__RACE_BESIDE_MS);
	finish_pull(OTHER);
	all_else_was_cancelled();
	tl_database_free(db);
}

static void a_dead_one_is_left_when_it_says_so(void)
{
	tl_database *db = pull_with_another_way();

	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(bring(PULL, HOME));
	answer_failure(TL_E_CONNECTION_FAILED);
	/* The hello of the race is not waited for. */
	CHECK(bring(HELLO, HOME));
	answer_failure(TL_E_CANCELLED);
	CHECK(bring(HELLO, OTHER));
	answer_failure(TL_E_CANCELLED);
	CHECK(hello_answered_at(OTHER));
	finish_pull(OTHER);
	all_else_was_cancelled();
	tl_database_free(db);
}

static void who_has_answered_there_is_taken_when_this_one_fails_to(void)
{
	tl_database *db = pull_with_another_way();

	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(hello_answered_at(OTHER));
	CHECK(bring(HELLO, HOME));
	answer_failure(TL_E_TIMEOUT);
	CHECK(bring(PULL, OTHER));
	finish_pull(OTHER);
	all_else_was_cancelled();
	tl_database_free(db);
}

static void first_words_need_no_other_sign(void)
{
	tl_database *db = new_database("alice");

	meet(&bob, HOME);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, OTHER), TL_OK);
	peer_of(&bob)->hello_heard = false;
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(db), NULL), TL_OK);
	CHECK(sends(HELLO, HOME) && r.send_count == 1);
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(r.send_count == 2);
	CHECK(hello_answered_at(OTHER));
	CHECK(bring(PULL, OTHER));
	finish_pull(OTHER);
	all_else_was_cancelled();
	tl_database_free(db);
}

/* Two dead ones, and a third that lives. */
static void one_silent_address_after_the_other(void)
{
	tl_database *db = pull_with_another_way();

	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, THIRD), TL_OK);
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(bring(HELLO, OTHER) && !bring(HELLO, THIRD));
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(hello_answered_at(THIRD));
	/* What was asked at the second goes to the third, and by its word so does the pull. */
	CHECK(hello_answered_at(THIRD));
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(bring(PULL, THIRD));
	finish_pull(THIRD);
	all_else_was_cancelled();
	tl_database_free(db);
}

static void all_that_wait_at_a_dead_address_leave_it(void)
{
	tl_database *first = pull_with_another_way(), *second = new_database("alice");

	CHECK_DONE(
		pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(second), NULL), TL_OK);
	CHECK(r.send_count == 2);
	rig_pass(TL__RACE_BESIDE_MS);
	/* One speaks for both. */
	CHECK(r.send_count == 4);
	CHECK(hello_answered_at(OTHER));
	rig_pass(TL__RACE_BESIDE_MS);
	finish_pull(OTHER);
	finish_pull(OTHER);
	all_else_was_cancelled();
	tl_database_free(first);
	tl_database_free(second);
}

static void a_held_request_is_left_in_peace_for_longer(void)
{
	tl_database *db = pull_with_another_way();

	finish_pull(HOME);
	peer_of(&bob)->watch_offered = true;
	tl__peer_changed(r.core, peer_of(&bob));
	rig_pass(100);
	CHECK(sends("/tidelock/v1/watch", HOME) && r.send_count == 1);
	rig_pass(TL__RACE_HELD_MS - 200);
	CHECK(r.send_count == 1);
	rig_pass(200);
	CHECK(r.send_count == 3);
	CHECK(hello_answered_at(OTHER));
	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(bring("/tidelock/v1/watch", OTHER));
	tl_database_free(db);
}

static void a_single_address_is_no_race(void)
{
	tl_database *db = pull_under_way();

	CHECK(tl__race_due(r.core) == UINT64_MAX);
	rig_pass(5000);
	CHECK(r.send_count == 1);
	tl_database_free(db);
}

static void whoever_goes_takes_all_of_it_along(void)
{
	tl_database *db = pull_with_another_way();
	tl__sync_command remove = {.kind = TL__SYNC_REMOVE_PEER, .has_key = true, .key = bob.key};

	rig_pass(TL__RACE_BESIDE_MS);
	CHECK(r.send_count == 3);
	CHECK_DONE(rig_command(remove), TL_OK);
	all_else_was_cancelled();
	tl_database_free(db);
}

int main(void)
{
	RUN_RIG(the_other_way_is_tried_beside_a_silent_one);
	RUN_RIG(a_slow_one_keeps_its_request);
	RUN_RIG(who_answers_first_here_ends_the_race);
	RUN_RIG(without_another_answer_it_waits);
	RUN_RIG(a_dead_one_is_left_when_it_says_so);
	RUN_RIG(who_has_answered_there_is_taken_when_this_one_fails_to);
	RUN_RIG(first_words_need_no_other_sign);
	RUN_RIG(one_silent_address_after_the_other);
	RUN_RIG(all_that_wait_at_a_dead_address_leave_it);
	RUN_RIG(a_held_request_is_left_in_peace_for_longer);
	RUN_RIG(a_single_address_is_no_race);
	RUN_RIG(whoever_goes_takes_all_of_it_along);
	return spec_end();
}
