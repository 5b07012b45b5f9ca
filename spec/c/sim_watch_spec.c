/* Watches on the virtual network: who can only dial hears of a change at once, nothing is sent
 * twice, and what holds a request never keeps a change back. */
#include "sim_help.h"
#include "sync/out/outbound.h"

#define WATCH "/tidelock/v1/watch"

static tl__sim_peer *hub, *one, *two;
static tl_id db;

/* Nothing but commits and watches makes anybody speak. */
static tl__sim_peer *add_quiet(const char *name)
{
	const tl__sim_config config = {.name = name, .options = {.periodic_ms = TL_NEVER}};

	return add_peer_with(&config);
}

static void dials_in(tl__sim_peer *peer)
{
	CHECK_OK(connect_to(peer, hub));
	CHECK_OK(request_access(peer, hub, &db, tl__sim_name(peer)));
	CHECK_OK(relate(peer, hub, &db));
	CHECK(settle(peer, hub, &db, MINUTE));
}

/* A hub that nobody is related to there, and two that only dial. */
static void hub_and_two(void)
{
	hub = add_quiet("hub");
	one = add_quiet("one");
	two = add_quiet("two");
	db = make_db(hub, "notes");
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	CHECK_OK(grant(hub, &db, "two", (tl_permission){TL_WRITE, 5}));
	dials_in(one);
	dials_in(two);
	tl__sim_run(sim, 5000);
}

static uint64_t watches(const tl__sim_peer *peer)
{
	return tl__sim_requests(sim, peer, hub, WATCH);
}

/* Until it is there; ms it took. */
static uint64_t arrives(tl__sim_peer *peer, const char *text)
{
	uint64_t began = tl__sim_now(sim);

	while (!reads(peer, &db, "k", text) && tl__sim_now(sim) < began + 2 * MINUTE)
		tl__sim_run(sim, 1);
	return tl__sim_now(sim) - began;
}

static void a_change_is_with_whoever_only_dials_after_one_way(void)
{
	uint64_t before, entries;

	hub_and_two();
	before = watches(one);
	entries = tl__sim_entries(sim);
	put(hub, &db, "k", "from the hub");
	CHECK(arrives(one, "from the hub") <= 3);
	tl__sim_run(sim, 1000);
	CHECK(reads(two, &db, "k", "from the hub"));
	CHECK(watches(one) == before + 1);
	CHECK(tl__sim_entries(sim) == entries + 2);
	CHECK(tl__sim_requests(sim, hub, NULL, "") == 0);
}

static void what_one_writes_goes_to_the_other_and_not_back(void)
{
	uint64_t entries, before;

	hub_and_two();
	entries = tl__sim_entries(sim);
	before = watches(one);
	for (int i = 0; i < 20; i++) {
		char text[16];

		snprintf(text, sizeof text, "line %d", i);
		put(i % 3 ? one : two, &db, "k", text);
		CHECK(arrives(i % 3 ? two : one, text) <= 8);
		tl__sim_run(sim, 100);
	}
	/* Each up once and down once. */
	CHECK(tl__sim_entries(sim) == entries + 40);
	CHECK(watches(one) - before <= 7);
}

static void both_at_once_cross_and_nothing_is_sent_twice(void)
{
	uint64_t entries;

	hub_and_two();
	entries = tl__sim_entries(sim);
	for (int i = 0; i < 100; i++) {
		put(one, &db, "a", "x");
		tl__sim_run(sim, tl__sim_below(sim, 4));
		put(two, &db, "b", "y");
		tl__sim_run(sim, tl__sim_below(sim, 30));
	}
	CHECK(settle(one, hub, &db, MINUTE) && settle(two, hub, &db, MINUTE));
	tl__sim_run(sim, MINUTE);
	CHECK(tl__sim_entries(sim) == entries + 400);
}

/* Both watch and both could push. */
static void two_that_reach_each_other_send_each_entry_once(void)
{
	uint64_t entries;

	hub = add_quiet("hub");
	one = add_quiet("one");
	db = make_db(hub, "notes");
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	pair_up(hub, one, &db);
	CHECK(settle(hub, one, &db, MINUTE));
	tl__sim_run(sim, 5000);
	entries = tl__sim_entries(sim);
	for (int i = 0; i < 200; i++) {
		put(tl__sim_chance(sim, 500) ? hub : one, &db, "k", "x");
		tl__sim_run(sim, tl__sim_below(sim, 40));
	}
	CHECK(settle(hub, one, &db, MINUTE));
	tl__sim_run(sim, 10 * MINUTE);
	CHECK(tl__sim_entries(sim) == entries + 200);
}

static void a_quiet_watch_costs_a_request_in_fifty_seconds(void)
{
	uint64_t before;

	hub_and_two();
	before = tl__sim_requests(sim, NULL, NULL, "");
	tl__sim_run(sim, HOUR);
	CHECK(tl__sim_requests(sim, NULL, NULL, "") - before <= 2 * 73);
	CHECK(tl__sim_spins(hub) == 0 && tl__sim_spins(one) == 0);
}

static void holds_that_are_nearly_over_end_together(void)
{
	uint64_t of_one, of_two;

	hub_and_two();
	put(hub, &db, "k", "for both");
	CHECK(arrives(two, "for both") <= 10);
	tl__sim_run(sim, 400);
	put(two, &db, "k", "for the other");
	CHECK(arrives(one, "for the other") <= 20);
	tl__sim_run(sim, 100);
	of_one = watches(one);
	of_two = watches(two);
	for (int i = 0; i < 51000 && watches(two) == of_two; i++)
		tl__sim_run(sim, 1);
	CHECK(watches(two) == of_two + 1);
	tl__sim_run(sim, 10);
	CHECK(watches(one) == of_one + 1);
	tl__sim_run(sim, 48000); /* that was a whole one, and no reason to ask more often */
	CHECK(watches(one) == of_one + 1 && watches(two) == of_two + 1);
}

static void whatever_cuts_the_connection_nothing_is_lost(void)
{
	tl__sim_net net = tl__sim_perfect;
	uint64_t before;

	hub_and_two();
	net.cut_ms = 8000;
	tl__sim_set_net(sim, &net);
	tl__sim_run(sim, 5 * MINUTE);
	before = watches(one);
	tl__sim_run(sim, 10 * MINUTE);
	/* Held for 6.25 s, or 5 and from time to time for longer: less than one in four seconds. */
	CHECK(watches(one) - before >= 60 && watches(one) - before <= 150);
	for (int i = 0; i < 30; i++) {
		char text[16];

		snprintf(text, sizeof text, "line %d", i);
		put(hub, &db, "k", text);
		CHECK(arrives(one, text) <= 3000);
		tl__sim_run(sim, tl__sim_below(sim, 20000));
	}
	/* It is gone: the time rises again. */
	tl__sim_set_net(sim, &tl__sim_perfect);
	tl__sim_run(sim, 20 * MINUTE);
	before = watches(one);
	tl__sim_run(sim, 10 * MINUTE);
	CHECK(watches(one) - before <= 13);
}

/* However often: the hub was reached each time. */
static void a_cut_of_what_is_held_is_no_failed_attempt(void)
{
	tl__sim_net net = tl__sim_perfect;
	const tl__peer *peer;
	uint64_t before;

	hub_and_two();
	peer = tl__sync_find_peer(tl__sim_core(one), tl__sim_key(hub));
	REQUIRE(peer);
	net.cut_ms = 3000;
	tl__sim_set_net(sim, &net);
	before = watches(one);
	for (int i = 0; i < 6000; i++) {
		tl__sim_run(sim, 100);
		REQUIRE(peer->attempts == 0 && peer->state == TL__PEER_CONNECTED);
	}
	CHECK(watches(one) - before >= 5);
	put(hub, &db, "k", "through the cuts");
	/* It rests for retry_max_ms at most, and lets a pull go first. */
	CHECK(arrives(one, "through the cuts") <= 64000 + TL__WATCH_PULLS_MS + 1000);
	tl__sim_kill(hub);
	tl__sim_run(sim, 3 * MINUTE);
	CHECK(peer->attempts > 0 && peer->state == TL__PEER_FAILED);
}

static void a_hub_that_comes_back_is_watched_again(void)
{
	hub_and_two();
	tl__sim_kill(hub);
	tl__sim_run(sim, 3 * MINUTE);
	tl__sim_start(hub);
	give_keys(hub);
	tl__sim_run(sim, 2 * MINUTE);
	put(hub, &db, "k", "again");
	CHECK(arrives(one, "again") <= 3);
	CHECK(arrives(two, "again") <= 3);
}

static void one_that_was_away_hears_what_it_missed(void)
{
	hub_and_two();
	tl__sim_kill(one);
	put(hub, &db, "k", "meanwhile");
	tl__sim_run(sim, MINUTE);
	tl__sim_start(one);
	give_keys(one);
	CHECK(arrives(one, "meanwhile") <= MINUTE);
	put(hub, &db, "k", "now");
	CHECK(arrives(one, "now") <= 100);
}

static void a_revoked_key_hears_nothing_more(void)
{
	uint64_t before;

	hub_and_two();
	CHECK_OK(revoke(hub, &db, "one"));
	put(hub, &db, "k", "not for one");
	CHECK(arrives(two, "not for one") <= 200);
	tl__sim_run(sim, 5 * MINUTE);
	CHECK(!reads(one, &db, "k", "not for one"));
	before = tl__sim_requests(sim, one, NULL, "");
	tl__sim_run(sim, 10 * MINUTE);
	CHECK(tl__sim_requests(sim, one, NULL, "") - before <= 10);
}

/* Nobody tells it that it may read again. */
static void a_key_that_is_reinstated_hears_again(void)
{
	hub_and_two();
	CHECK_OK(revoke(hub, &db, "one"));
	put(one, &db, "k", "not taken");
	tl__sim_run(sim, 30 * MINUTE);
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	put(hub, &db, "k", "for one again");
	CHECK(settle(one, hub, &db, 7 * MINUTE));
}

/* A page goes there once; then it is tried with a single entry. */
static void whoever_takes_nothing_is_not_sent_everything_again(void)
{
	uint64_t entries;

	hub_and_two();
	CHECK_OK(revoke(hub, &db, "one"));
	tl__sim_partition(one, 1);
	for (int i = 0; i < 50; i++)
		put(one, &db, "k", "not taken");
	tl__sim_run(sim, MINUTE);
	tl__sim_heal(sim);
	entries = tl__sim_entries(sim);
	tl__sim_run(sim, 30 * MINUTE);
	CHECK(tl__sim_entries(sim) - entries >= 50 && tl__sim_entries(sim) - entries <= 50 + 25);
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	CHECK(settle(one, hub, &db, 7 * MINUTE));
}

/* It pushes before it watches, and it is behind. */
static void what_was_written_far_from_the_hub_does_not_come_back(void)
{
	uint64_t entries;

	hub_and_two();
	tl__sim_partition(one, 1);
	put(hub, &db, "k", "from the hub");
	for (int i = 0; i < 5; i++)
		put(one, &db, "k", "from one");
	tl__sim_run(sim, 10 * MINUTE);
	entries = tl__sim_entries(sim);
	tl__sim_heal(sim);
	CHECK(settle(one, hub, &db, 2 * MINUTE));
	CHECK(settle(two, hub, &db, 2 * MINUTE));
	CHECK(tl__sim_entries(sim) == entries + 5 + 1 + 5);
}

static void a_long_page_is_pulled(void)
{
	static char text[40000];

	hub_and_two();
	memset(text, 'x', sizeof text - 1);
	for (int i = 0; i < 5; i++) {
		text[0] = (char)('a' + i);
		put(hub, &db, "k", text);
	}
	CHECK(arrives(one, text) <= 200);
	tl__sim_run(sim, 1000);
	put(hub, &db, "k", "short");
	CHECK(arrives(one, "short") <= 100);
}

/* --- what a push tells ------------------------------------------------------------------------ */

/* As if all that it knows offered no watch. */
static void stop_watching(tl__sim_peer *peer)
{
	tl__sync *core = tl__sim_core(peer);

	for (tl__peer *other = core->peers; other; other = other->next) {
		other->watch_offered = false;
		tl__watch_end(core, other);
	}
}

/* What came by push is not gone through again by the next pull. */
static void what_came_by_push_moves_the_place_of_pulls(void)
{
	uint64_t bytes;

	hub = add_peer("hub");
	one = add_peer("one");
	db = make_db(hub, "notes");
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	pair_up(hub, one, &db);
	CHECK(settle(hub, one, &db, MINUTE));
	stop_watching(hub);
	stop_watching(one);
	tl__sim_run(sim, 5000);
	for (int i = 0; i < 300; i++) {
		put(i % 2 ? one : hub, &db, "k", "some text");
		tl__sim_run(sim, 10);
	}
	CHECK(settle(hub, one, &db, MINUTE));
	tl__sim_run(sim, 11 * MINUTE); /* places settle with the first tick */
	bytes = tl__sim_entries(sim);
	tl__sim_run(sim, 11 * MINUTE);
	CHECK(tl__sim_entries(sim) == bytes);
}

/* Nobody watches, nobody asks from time to time: the push says that there is more. */
static void a_push_that_finds_the_peer_ahead_is_followed_by_a_pull(void)
{
	hub = add_quiet("hub");
	one = add_quiet("one");
	db = make_db(hub, "notes");
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	dials_in(one);
	stop_watching(one);
	put(hub, &db, "a", "from the hub");
	tl__sim_run(sim, HOUR);
	CHECK(!reads(one, &db, "a", "from the hub"));
	put(one, &db, "b", "from one");
	tl__sim_run(sim, 100);
	CHECK(reads(hub, &db, "b", "from one"));
	CHECK(reads(one, &db, "a", "from the hub"));
}

static void configure(tl__sim_peer *peer, const tl_pair_options *options)
{
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};
	tl__sim_result result;

	command.key = *tl__sim_key(hub);
	command.db = db;
	command.pair_options = options;
	CHECK_OK(run_command(peer, &command, &result, MINUTE));
}

/* One of many that are watched together ends, and the others go on. */
static void whoever_pauses_is_told_nothing_until_it_goes_on(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;

	hub_and_two();
	options.paused = true;
	configure(one, &options);
	tl__sim_run(sim, 1000);
	put(hub, &db, "k", "while it was paused");
	CHECK(arrives(two, "while it was paused") <= 3);
	tl__sim_run(sim, HOUR);
	CHECK(!reads(one, &db, "k", "while it was paused"));
	configure(one, NULL);
	CHECK(arrives(one, "while it was paused") <= 5000);
	tl__sim_run(sim, 5000);
	put(hub, &db, "k", "afterwards");
	CHECK(arrives(one, "afterwards") <= 3);
}

static void without_on_commit_changes_come_with_the_next_exchange(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	uint64_t before;

	hub_and_two();
	options.on_commit = TL_OFF;
	options.every_ms = 10 * MINUTE;
	configure(one, &options);
	tl__sim_run(sim, 1000);
	before = watches(one);
	put(hub, &db, "k", "later");
	tl__sim_run(sim, 9 * MINUTE);
	CHECK(!reads(one, &db, "k", "later") && watches(one) == before);
	tl__sim_run(sim, MINUTE);
	CHECK(reads(one, &db, "k", "later"));
}

int main(void)
{
	RUN_SIM(what_came_by_push_moves_the_place_of_pulls);
	RUN_SIM(a_push_that_finds_the_peer_ahead_is_followed_by_a_pull);
	RUN_SIM(a_change_is_with_whoever_only_dials_after_one_way);
	RUN_SIM(what_one_writes_goes_to_the_other_and_not_back);
	RUN_SIM(both_at_once_cross_and_nothing_is_sent_twice);
	RUN_SIM(two_that_reach_each_other_send_each_entry_once);
	RUN_SIM(a_quiet_watch_costs_a_request_in_fifty_seconds);
	RUN_SIM(holds_that_are_nearly_over_end_together);
	RUN_SIM(whatever_cuts_the_connection_nothing_is_lost);
	RUN_SIM(a_cut_of_what_is_held_is_no_failed_attempt);
	RUN_SIM(a_hub_that_comes_back_is_watched_again);
	RUN_SIM(one_that_was_away_hears_what_it_missed);
	RUN_SIM(a_revoked_key_hears_nothing_more);
	RUN_SIM(a_key_that_is_reinstated_hears_again);
	RUN_SIM(whoever_takes_nothing_is_not_sent_everything_again);
	RUN_SIM(what_was_written_far_from_the_hub_does_not_come_back);
	RUN_SIM(a_long_page_is_pulled);
	RUN_SIM(whoever_pauses_is_told_nothing_until_it_goes_on);
	RUN_SIM(without_on_commit_changes_come_with_the_next_exchange);
	return spec_end();
}
