/* A hub with a file, those who only dial it and some who are dialled too, by seed, with periodic
 * exchanges off: kills, losses, cuts by something in between, clocks that jump, keys that are
 * revoked and come back. Whatever happened, afterwards all hold the same without anybody asking for
 * it. On a good network nothing travels twice between two; what broke may cost a repeat, counted.
 *
 *	TL_SIM_SEEDS=N   how many seeds (20)
 *	TL_SIM_SEED=N    only that one, with its whole story */
#include <inttypes.h>
#include "sim_help.h"

#define CLIENTS 4
#define YEAR    (365 * 24 * HOUR)

static tl__sim_peer *peers[CLIENTS + 1]; /* the hub first */
static bool revoked[CLIENTS + 1];
static tl_id db;
static uint64_t sent, repeats, needless, breaks; /* in all seeds */

static void set_up(void)
{
	static const char *const names[] = {"hub", "one", "two", "three", "four"};

	for (size_t i = 0; i <= CLIENTS; i++) {
		const tl__sim_config config = {
			.name = names[i], .options = {.periodic_ms = TL_NEVER}};

		peers[i] = add_peer_with(&config);
		revoked[i] = false;
	}
	db = make_db(peers[0], "notes");
	for (size_t i = 1; i <= CLIENTS; i++) {
		CHECK_OK(grant(peers[0], &db, names[i], (tl_permission){TL_WRITE, 5}));
		CHECK_OK(connect_to(peers[i], peers[0]));
		CHECK_OK(request_access(peers[i], peers[0], &db, names[i]));
		CHECK_OK(relate(peers[i], peers[0], &db));
		if (tl__sim_chance(sim, 250))
			pair_up(peers[0], peers[i], &db);
		CHECK(settle(peers[i], peers[0], &db, MINUTE));
	}
	tl__sim_run(sim, 5000);
}

/* Whoever was revoked may know that, and not yet that it is over. */
static void write_one(size_t i)
{
	const char *name = tl__sim_name(peers[i]);
	int rc = put_as(peers[i], &db, name, "data", "k", name, NULL);

	if (rc != TL_OK && !(i > 0 && rc == TL_E_SIGNATURE_VERIFICATION_FAILED))
		CHECK_OK(rc);
}

static void write_some(void)
{
	size_t who = tl__sim_below(sim, CLIENTS + 1);
	uint64_t count = 1 + tl__sim_below(sim, 5);

	for (uint64_t i = 0; tl__sim_core(peers[who]) && i < count; i++) {
		write_one(who);
		tl__sim_run(sim, tl__sim_below(sim, 60));
	}
}

static void start(size_t i)
{
	if (tl__sim_core(peers[i]))
		return;
	tl__sim_start(peers[i]);
	give_keys(peers[i]);
}

static void kill_or_start(void)
{
	size_t who = tl__sim_below(sim, CLIENTS + 1);

	if (tl__sim_core(peers[who]))
		tl__sim_kill(peers[who]);
	else
		start(who);
}

static void revoke_or_reinstate(size_t i)
{
	const char *name = tl__sim_name(peers[i]);

	if (!tl__sim_core(peers[0]))
		return;
	tl__sim_note(sim, "%s is %s", name, revoked[i] ? "reinstated" : "revoked");
	if (revoked[i])
		CHECK_OK(grant(peers[0], &db, name, (tl_permission){TL_WRITE, 5}));
	else
		CHECK_OK(revoke(peers[0], &db, name));
	revoked[i] = !revoked[i];
}

/* Mostly some minutes, at times to another age. */
static void jump_clock(void)
{
	uint64_t far = tl__sim_chance(sim, 250) ? 60 * YEAR : 10 * MINUTE;
	int64_t skew = (int64_t)tl__sim_below(sim, far) - (int64_t)(far / 2);

	tl__sim_set_skew(peers[tl__sim_below(sim, CLIENTS + 1)], skew);
}

static void change_net(void)
{
	tl__sim_net net = tl__sim_perfect;

	net.latency_max_ms = 1 + (uint32_t)tl__sim_below(sim, 200);
	net.loss = (uint32_t)tl__sim_below(sim, 100);
	net.duplicate = (uint32_t)tl__sim_below(sim, 100);
	net.replay_ms = (uint32_t)tl__sim_below(sim, 200000);
	net.cut_ms = tl__sim_chance(sim, 500) ? 3000 + (uint32_t)tl__sim_below(sim, 30000) : 0;
	net.work_max_ms = (uint32_t)tl__sim_below(sim, 20);
	tl__sim_set_net(sim, &net);
}

static void trouble(void)
{
	for (int step = 0; step < 60; step++) {
		uint64_t what = tl__sim_below(sim, 20);

		if (what < 12)
			write_some();
		else if (what < 16)
			kill_or_start();
		else if (what < 17)
			jump_clock();
		else if (what < 18)
			revoke_or_reinstate(1 + tl__sim_below(sim, CLIENTS));
		else
			change_net();
		tl__sim_run(sim, tl__sim_below(sim, 10000));
	}
}

/* All live, may read and write, and the network is good. */
static void calm(void)
{
	tl__sim_note(sim, "the end begins");
	tl__sim_set_net(sim, &tl__sim_perfect);
	for (size_t i = 0; i <= CLIENTS; i++)
		start(i);
	for (size_t i = 1; i <= CLIENTS; i++)
		if (revoked[i])
			revoke_or_reinstate(i);
	tl__sim_run(sim, 7 * MINUTE);
}

/* On a good network each entry goes over each of the four lines once. */
static void write_in_calm(void)
{
	uint64_t entries = tl__sim_entries(sim), again = tl__sim_repeats(sim), written = 50;

	for (size_t i = 0; i < written; i++) {
		put(peers[i % (CLIENTS + 1)], &db, "k", "calm");
		tl__sim_run(sim, tl__sim_below(sim, 100));
	}
	tl__sim_run(sim, 10000);
	CHECK(tl__sim_same(peers, CLIENTS + 1, &db));
	CHECK(tl__sim_entries(sim) - entries == CLIENTS * written);
	CHECK(tl__sim_repeats(sim) == again);
}

static void a_hub_and_whoever_dials_it(void)
{
	set_up();
	trouble();
	calm();
	CHECK(tl__sim_same(peers, CLIENTS + 1, &db));
	write_in_calm();
	for (size_t i = 0; i <= CLIENTS; i++)
		CHECK(tl__sim_spins(peers[i]) == 0);
	sent += tl__sim_entries(sim);
	repeats += tl__sim_repeats(sim);
	needless += tl__sim_needless(sim);
	breaks += tl__sim_breaks(sim);
}

static void what_breaks_costs_less_than_an_entry(void)
{
	CHECK(repeats < breaks);
}

/* Where both sides begin at once they may cross. */
static void next_to_nothing_goes_again_for_no_reason(void)
{
	CHECK(needless * 200 <= sent);
}

static void run_seed(uint64_t seed, bool tell)
{
	spec_case_ok = true;
	if (sim_begin(seed)) {
		a_hub_and_whoever_dials_it();
		if (tell)
			tl__sim_story(sim, stdout, 4000);
		sim_end();
	}
	spec_case_ok ? spec_passed++ : spec_failed++;
	if (!spec_case_ok)
		printf("FAILED seed %" PRIu64 "; TL_SIM_SEED=%" PRIu64 " tells all of it\n", seed,
			seed);
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

int main(void)
{
	uint64_t seeds = number_of("TL_SIM_SEEDS", 20), only = number_of("TL_SIM_SEED", 0);

	if (only > 0)
		run_seed(only, true);
	for (uint64_t seed = 1; only == 0 && seed <= seeds; seed++)
		run_seed(seed, false);
	printf("%" PRIu64 " entries sent, of them %" PRIu64 " again because of %" PRIu64
	       " things that broke, %" PRIu64 " for no reason\n",
		sent, repeats - needless, breaks, needless);
	if (only == 0 && seeds >= 10) {
		RUN(what_breaks_costs_less_than_an_entry);
		RUN(next_to_nothing_goes_again_for_no_reason);
	}
	return spec_end();
}
