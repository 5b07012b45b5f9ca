/* A hub with a file and those who only dial it, by seed, with periodic exchanges off: kills,
 *losses, cuts by something in between. Whatever happened, afterwards all hold the same without
 *anybody asking for it, and on a good network nothing travels twice.
 *
 *	TL_SIM_SEEDS=N   how many seeds (20)
 *	TL_SIM_SEED=N    only that one */
#include <inttypes.h>
#include "sim_help.h"

#define CLIENTS 4

static tl__sim_peer *peers[CLIENTS + 1]; /* the hub first */
static tl_id db;

static void set_up(void)
{
	static const char *const names[] = {"hub", "one", "two", "three", "four"};

	for (size_t i = 0; i <= CLIENTS; i++) {
		const tl__sim_config config = {
			.name = names[i], .options = {.periodic_ms = TL_NEVER}};

		peers[i] = add_peer_with(&config);
	}
	db = make_db(peers[0], "notes");
	for (size_t i = 1; i <= CLIENTS; i++) {
		CHECK_OK(grant(peers[0], &db, names[i], (tl_permission){TL_WRITE, 5}));
		CHECK_OK(connect_to(peers[i], peers[0]));
		CHECK_OK(request_access(peers[i], peers[0], &db, names[i]));
		CHECK_OK(relate(peers[i], peers[0], &db));
		CHECK(settle(peers[i], peers[0], &db, MINUTE));
	}
	tl__sim_run(sim, 5000);
}

static void write_some(void)
{
	tl__sim_peer *peer = peers[tl__sim_below(sim, CLIENTS + 1)];
	uint64_t count = 1 + tl__sim_below(sim, 5);

	for (uint64_t i = 0; tl__sim_core(peer) && i < count; i++) {
		put(peer, &db, "k", tl__sim_name(peer));
		tl__sim_run(sim, tl__sim_below(sim, 60));
	}
}

static void kill_or_start(void)
{
	tl__sim_peer *peer = peers[tl__sim_below(sim, CLIENTS + 1)];

	if (tl__sim_core(peer)) {
		tl__sim_kill(peer);
	} else {
		tl__sim_start(peer);
		give_keys(peer);
	}
}

static void change_net(void)
{
	tl__sim_net net = tl__sim_perfect;

	net.latency_max_ms = 1 + (uint32_t)tl__sim_below(sim, 200);
	net.loss = (uint32_t)tl__sim_below(sim, 100);
	net.cut_ms = tl__sim_chance(sim, 500) ? 3000 + (uint32_t)tl__sim_below(sim, 30000) : 0;
	net.work_max_ms = (uint32_t)tl__sim_below(sim, 20);
	tl__sim_set_net(sim, &net);
}

static void trouble(void)
{
	for (int step = 0; step < 60; step++) {
		uint64_t what = tl__sim_below(sim, 10);

		if (what < 7)
			write_some();
		else if (what < 9)
			kill_or_start();
		else
			change_net();
		tl__sim_run(sim, tl__sim_below(sim, 10000));
	}
}

/* All live, and the network is good. */
static void calm(void)
{
	tl__sim_set_net(sim, &tl__sim_perfect);
	for (size_t i = 0; i <= CLIENTS; i++)
		if (!tl__sim_core(peers[i])) {
			tl__sim_start(peers[i]);
			give_keys(peers[i]);
		}
	tl__sim_run(sim, 5 * MINUTE);
}

static void a_hub_and_whoever_dials_it(void)
{
	uint64_t entries, written = 0;

	set_up();
	trouble();
	calm();
	CHECK(tl__sim_same(peers, CLIENTS + 1, &db));
	entries = tl__sim_entries(sim);
	for (size_t i = 0; i < 50; i++, written++) {
		put(peers[i % (CLIENTS + 1)], &db, "k", "calm");
		tl__sim_run(sim, tl__sim_below(sim, 100));
	}
	tl__sim_run(sim, 10000);
	CHECK(tl__sim_same(peers, CLIENTS + 1, &db));
	/* Over each of the four lines once. */
	CHECK(tl__sim_entries(sim) - entries == CLIENTS * written);
	for (size_t i = 0; i <= CLIENTS; i++)
		CHECK(tl__sim_spins(peers[i]) == 0);
}

static void run_seed(uint64_t seed)
{
	spec_case_ok = true;
	if (sim_begin(seed)) {
		a_hub_and_whoever_dials_it();
		sim_end();
	}
	spec_case_ok ? spec_passed++ : spec_failed++;
	if (!spec_case_ok)
		printf("FAILED seed %" PRIu64 "; TL_SIM_SEED=%" PRIu64 " is this one alone\n", seed,
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
		run_seed(only);
	for (uint64_t seed = 1; only == 0 && seed <= seeds; seed++)
		run_seed(seed);
	return spec_end();
}
