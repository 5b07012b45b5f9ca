/* Peers on the virtual network: what keeping in step costs, and how long it takes. */
#include "sim_help.h"

static tl__sim_peer *a, *b;
static tl_id db;

/* Two peers that hold the same, with nothing left to do. */
static void two_in_step(void)
{
	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	tl__sim_run(sim, 5000);
}

static uint64_t requests(void)
{
	return tl__sim_requests(sim, NULL, NULL, "");
}

static uint64_t requests_for(const char *path)
{
	return tl__sim_requests(sim, NULL, NULL, path);
}

/* --- the simulator ---------------------------------------------------------------------------- */

static uint64_t play(uint64_t seed, tl__buf *digest)
{
	tl__sim_net net = {.latency_min_ms = 1,
		.latency_max_ms = 300,
		.loss = 100,
		.duplicate = 100,
		.replay_ms = 5000,
		.dial_ms = 10000,
		.idle_ms = 30000,
		.work_max_ms = 20};
	uint64_t bytes;

	CHECK_OK(tl__sim_new(&sim, seed));
	two_in_step();
	tl__sim_set_net(sim, &net);
	for (int i = 0; i < 10; i++) {
		put(tl__sim_chance(sim, 500) ? a : b, &db, "k", "v");
		tl__sim_run(sim, tl__sim_below(sim, 3000));
	}
	tl__sim_run(sim, 10 * MINUTE);
	tl__sim_digest(a, &db, digest);
	bytes = tl__sim_bytes(sim) + requests();
	CHECK_OK(tl__sim_status(sim));
	tl__sim_free(sim);
	sim = NULL;
	return bytes;
}

static void the_same_seed_gives_the_same_run(void)
{
	tl__buf first = TL__BUF_INIT, second = TL__BUF_INIT, third = TL__BUF_INIT;
	tl__sim *outer = sim;
	uint64_t bytes = play(7, &first);

	CHECK(play(7, &second) == bytes);
	CHECK(tl__str_eq(tl__buf_view(&first), tl__buf_view(&second)));
	CHECK(play(8, &third) != bytes);
	CHECK(!tl__str_eq(tl__buf_view(&first), tl__buf_view(&third)));
	tl__buf_free(&first);
	tl__buf_free(&second);
	tl__buf_free(&third);
	sim = outer;
}

/* --- two peers -------------------------------------------------------------------------------- */

static void two_peers_meet_and_keep_step(void)
{
	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	put(a, &db, "first", "by a");
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(b, &db, "first", "by a"));
	put(b, &db, "second", "by b");
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(a, &db, "second", "by b"));
}

static void one_new_entry_costs_one_round_trip(void)
{
	uint64_t before;

	two_in_step();
	for (int i = 0; i < 300; i++)
		put(a, &db, "k", "many");
	CHECK(settle(a, b, &db, MINUTE));
	tl__sim_run(sim, 5000);
	before = requests();
	put(a, &db, "k", "new");
	tl__sim_run(sim, 1000);
	CHECK(reads(b, &db, "k", "new"));
	CHECK(requests() == before + 1);
	before = requests();
	put(b, &db, "k", "newer");
	tl__sim_run(sim, 1000);
	CHECK(reads(a, &db, "k", "newer"));
	CHECK(requests() == before + 1);
}

static void a_commit_is_there_after_one_way(void)
{
	uint64_t before;

	two_in_step();
	before = tl__sim_now(sim);
	put(a, &db, "k", "new");
	while (!reads(b, &db, "k", "new") && tl__sim_now(sim) < before + 1000)
		tl__sim_run(sim, 1);
	CHECK(tl__sim_now(sim) - before <= 3);
}

static void a_burst_of_commits_goes_together(void)
{
	uint64_t before, began, duration;

	two_in_step();
	before = requests();
	began = tl__sim_now(sim);
	for (int i = 0; i < 1000; i++) {
		put(a, &db, "k", "x");
		tl__sim_run(sim, (uint64_t)(i % 3));
	}
	duration = tl__sim_now(sim) - began;
	CHECK(settle(a, b, &db, MINUTE));
	printf("1000 commits in %" PRIu64 " ms: %" PRIu64 " exchanges\n", duration,
		requests() - before);
	CHECK(requests() - before <= 2 + duration / 20);
}

static int add_size(void *ud, const tl__entry_row *row)
{
	*(uint64_t *)ud += row->size;
	return TL_OK;
}

static uint64_t payload(tl__sim_peer *peer)
{
	tl__snapshot *s = NULL;
	uint64_t size = 0;

	CHECK_OK(tl__snapshot_open(tl__sim_host(peer)->tree->store, &s));
	CHECK_OK(tl__read_arrivals(s, &db, 1, UINT64_MAX, SIZE_MAX, 0, add_size, &size));
	tl__snapshot_close(s);
	return size;
}

/* Both sides keep the relation: what the newcomer takes is not pushed beside it. */
static void a_bootstrap_moves_everything_once(void)
{
	uint64_t bytes;

	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	for (int i = 0; i < 6000; i++)
		put(a, &db, "k", "some text of some length, as people write it");
	pair_up(a, b, &db);
	CHECK(settle(a, b, &db, MINUTE));
	tl__sim_run(sim, MINUTE);
	bytes = tl__sim_bytes(sim);
	printf("%" PRIu64 " bytes moved for %" PRIu64 "\n", bytes, payload(a));
	CHECK(bytes <= payload(a) + payload(a) / 10);
}

static void both_at_once_meet_in_the_middle(void)
{
	two_in_step();
	for (int i = 0; i < 20; i++) {
		put(a, &db, "a", "x");
		put(b, &db, "b", "y");
	}
	CHECK(settle(a, b, &db, MINUTE));
	CHECK(reads(a, &db, "b", "y") && reads(b, &db, "a", "x"));
}

static void quiet_peers_say_little(void)
{
	uint64_t all, watches;

	two_in_step();
	all = requests();
	watches = requests_for("/tidelock/v1/watch");
	tl__sim_run(sim, HOUR);
	watches = requests_for("/tidelock/v1/watch") - watches;
	all = requests() - all - watches;
	/* Each asks the other every five minutes, and has a request held there all the time. */
	CHECK(all >= 20 && all <= 30);
	CHECK(watches >= 2 * 70 && watches <= 2 * 73);
	CHECK(tl__sim_spins(a) == 0 && tl__sim_spins(b) == 0);
}

/* --- one that does not answer ----------------------------------------------------------------- */

static void one_hanging_peer_delays_nobody(void)
{
	tl__sim_peer *c;
	uint64_t began;

	two_in_step();
	c = add_peer("p2");
	pair_up(a, c, &db);
	CHECK(settle(a, c, &db, MINUTE));
	CHECK_OK(change(b, TL__SYNC_UNRELATE, a, &db, "manual")); /* b never calls */
	tl__sim_set_hanging(b, true);
	for (int i = 0; i < 3; i++) {
		char text[16];

		snprintf(text, sizeof text, "v%d", i);
		began = tl__sim_now(sim);
		put(a, &db, "k", text);
		CHECK(settle(a, c, &db, 100));
		CHECK(tl__sim_now(sim) - began <= 40);
		tl__sim_run(sim, 7000);
	}
	CHECK(!reads(b, &db, "k", "v2"));
	tl__sim_set_hanging(b, false);
	CHECK(settle(a, b, &db, 10 * MINUTE));
}

/* Delays are uniform in [1/2, 1] · min(2^n, 64) s; after ten the pair stalls. */
static void retries_come_at_their_times(void)
{
	uint64_t last, count = 0, longest = 2000, at[16] = {0};

	two_in_step();
	tl__sim_kill(b);
	put(a, &db, "k", "lost");
	last = requests_for("/tidelock/v1/push");
	for (uint64_t t = 0; t < 4 * MINUTE && count < 16; t += 10) {
		tl__sim_run(sim, 10);
		if (requests_for("/tidelock/v1/push") == last)
			continue;
		last = requests_for("/tidelock/v1/push");
		at[count++] = tl__sim_now(sim);
	}
	CHECK(count >= 5);
	for (size_t i = 1; i < count && i < 6; i++) {
		uint64_t waited = at[i] - at[i - 1];

		if (waited + 30 < longest / 2 || waited > longest + 30)
			printf("attempt %zu after %" PRIu64 " ms, at most %" PRIu64 "\n", i, waited,
				longest);
		CHECK(waited + 30 >= longest / 2 && waited <= longest + 30);
		longest = longest * 2 > 64000 ? 64000 : longest * 2;
	}
	tl__sim_run(sim, 30 * MINUTE);
	CHECK(tl__sim_events(a, TL_EVENT_SYNC_STALLED) >= 1);
	/* Inbound contact wakes it. */
	tl__sim_start(b);
	give_keys(b);
	CHECK(settle(a, b, &db, 2 * MINUTE));
}

static void a_stalled_pair_is_tried_at_the_tick(void)
{
	uint64_t before;

	two_in_step();
	CHECK_OK(change(b, TL__SYNC_UNRELATE, a, &db, "manual")); /* b never calls */
	tl__sim_kill(b);
	put(a, &db, "k", "lost");
	tl__sim_run(sim, HOUR);
	CHECK(tl__sim_events(a, TL_EVENT_SYNC_STALLED) >= 1);
	before = requests();
	tl__sim_run(sim, 20 * MINUTE);
	/* Every five minutes one attempt, and a sign of life asked for every minute. */
	CHECK(requests() - before >= 4 && requests() - before <= 30);
	tl__sim_start(b);
	CHECK(settle(a, b, &db, 6 * MINUTE));
}

/* One attempt for each second in which something is written. */
static void a_commit_wakes_a_pair_that_gave_up(void)
{
	uint64_t before;

	two_in_step();
	CHECK_OK(change(b, TL__SYNC_UNRELATE, a, &db, "manual")); /* b never calls */
	tl__sim_kill(b);
	put(a, &db, "k", "lost");
	tl__sim_run(sim, HOUR);
	before = tl__sim_events(a, TL_EVENT_SYNC_FAILED);
	for (int i = 0; i < 50; i++) {
		put(a, &db, "k", "more");
		tl__sim_run(sim, 20);
	}
	tl__sim_run(sim, 5000);
	before = tl__sim_events(a, TL_EVENT_SYNC_FAILED) - before;
	CHECK(before >= 1 && before <= 3);
	tl__sim_start(b);
	put(a, &db, "k", "last");
	CHECK(settle(a, b, &db, 5000));
}

/* Each hears of the other by its question, and refuses it. */
static void two_that_lack_the_same_database_ask_each_other_seldom(void)
{
	uint64_t before;

	two_in_step();
	memset(db.b + 1, 7, sizeof db.b - 1);
	CHECK_OK(relate(a, b, &db));
	CHECK_OK(relate(b, a, &db));
	tl__sim_run(sim, 20 * MINUTE);
	before = requests_for("/tidelock/v1/pull");
	tl__sim_run(sim, 60 * MINUTE);
	CHECK(requests_for("/tidelock/v1/pull") - before < 150);
}

static bool state_is(tl__sim_peer *peer, const char *state)
{
	tl__buf status = TL__BUF_INIT;
	char text[40];
	bool is;

	snprintf(text, sizeof text, "\"state\":\"%s\"", state);
	tl__sync_status(tl__sim_core(peer), tl__sim_now(sim), &status);
	tl__buf_byte(&status, 0);
	is = tl__buf_status(&status) == TL_OK && strstr(status.ptr, text) != NULL;
	tl__buf_free(&status);
	return is;
}

/* It says so and is not due; whoever dials us and watches is told all the same. */
static void a_peer_without_an_address_is_waited_for(void)
{
	tl__sync_command command = {.kind = TL__SYNC_REGISTER, .has_key = true};
	tl__sim_result result;

	a = add_peer("p0");
	b = add_peer("p1");
	db = make_db(a, "notes");
	command.key = *tl__sim_key(b);
	CHECK_OK(run_command(a, &command, &result, MINUTE));
	CHECK_OK(relate(a, b, &db));
	put(a, &db, "k", "v");
	tl__sim_run(sim, MINUTE);
	CHECK(state_is(a, "no_address"));
	CHECK(requests() == 0 && tl__sim_spins(a) == 0);
	command = (tl__sync_command){.kind = TL__SYNC_FLUSH, .timeout_ms = 3000};
	CHECK(run_command(a, &command, &result, MINUTE) == TL_E_TIMEOUT);
}

/* --- clocks ----------------------------------------------------------------------------------- */

static void clocks_may_differ_and_jump(void)
{
	two_in_step();
	tl__sim_set_skew(b, 3600000);
	put(a, &db, "k", "one");
	CHECK(settle(a, b, &db, 10 * MINUTE));
	tl__sim_set_skew(b, -86400000);
	put(b, &db, "k", "two");
	CHECK(settle(a, b, &db, 10 * MINUTE));
	tl__sim_set_skew(a, 500000);
	put(a, &db, "k", "three");
	CHECK(settle(a, b, &db, 10 * MINUTE));
}

int main(void)
{
	RUN_SIM(the_same_seed_gives_the_same_run);
	RUN_SIM(two_peers_meet_and_keep_step);
	RUN_SIM(one_new_entry_costs_one_round_trip);
	RUN_SIM(a_commit_is_there_after_one_way);
	RUN_SIM(a_burst_of_commits_goes_together);
	RUN_SIM(a_bootstrap_moves_everything_once);
	RUN_SIM(both_at_once_meet_in_the_middle);
	RUN_SIM(quiet_peers_say_little);
	RUN_SIM(one_hanging_peer_delays_nobody);
	RUN_SIM(retries_come_at_their_times);
	RUN_SIM(a_stalled_pair_is_tried_at_the_tick);
	RUN_SIM(a_commit_wakes_a_pair_that_gave_up);
	RUN_SIM(two_that_lack_the_same_database_ask_each_other_seldom);
	RUN_SIM(a_peer_without_an_address_is_waited_for);
	RUN_SIM(clocks_may_differ_and_jump);
	return spec_end();
}
