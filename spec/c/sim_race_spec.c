/* Peers that are reached by two ways, of which one or the other is cut without a word. */
#include "sim_help.h"
#include "sync/core/core.h"

#define BY_DEFAULT 0
#define BESIDE     1

static tl__sim_peer *a, *b;
static tl_id db;

static void add_way(tl__sim_peer *peer, const tl__sim_peer *to)
{
	tl__sync_command command = {.kind = TL__SYNC_ADD_ADDRESS, .has_key = true};
	tl__sim_result result;
	tl_address address;

	tl__sim_address_by(to, BESIDE, &address);
	command.key = *tl__sim_key(to);
	command.address = &address;
	CHECK_OK(run_command(peer, &command, &result, MINUTE));
}

/* Both know both ways to the other. Pages are small. */
static void two_ways(void)
{
	tl__sim_config config = {.name = "p0", .options = TL_SYNC_OPTIONS_INIT};

	config.options.max_page_bytes = TL__SYNC_MIN_PAGE_BYTES;
	a = add_peer_with(&config);
	config.name = "p1";
	b = add_peer_with(&config);
	db = make_db(a, "notes");
	CHECK_OK(grant(a, &db, "p1", (tl_permission){TL_WRITE, 5}));
	CHECK_OK(connect_to(a, b));
	CHECK_OK(connect_to(b, a));
	add_way(a, b);
	add_way(b, a);
}

static void commit_on(tl__sim_peer *peer, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char text[24];

		snprintf(text, sizeof text, "%u", i);
		put(peer, &db, tl__sim_name(peer), text);
	}
}

static bool are_level(tl__sim *s, void *ud)
{
	tl__sim_peer *both[] = {a, b};

	(void)s;
	(void)ud;
	return holds(b, &db) && arrivals(a, &db) == arrivals(b, &db) && tl__sim_same(both, 2, &db);
}

static bool has_some(tl__sim *s, void *ud)
{
	(void)s;
	(void)ud;
	return holds(b, &db) && arrivals(b, &db) > 200;
}

/* What a race began is over: only what is held may be under way. */
static bool nothing_is_left(const tl__sync *core)
{
	for (const tl__peer *peer = core->peers; peer; peer = peer->next)
		if (peer->sessions > 0)
			return false;
	return core->exchanges <= TL__PEER_WATCHES;
}

static void a_transfer_goes_on_by_the_other_way(void)
{
	uint64_t cut, entries;

	two_ways();
	commit_on(a, 1200);
	CHECK_OK(relate(a, b, &db));
	CHECK_OK(relate(b, a, &db));
	CHECK(tl__sim_run_until(sim, has_some, NULL, 0, MINUTE));
	CHECK(arrivals(b, &db) < 1000);
	/* Both ends are cut off by the way that was in use. */
	tl__sim_set_mute(a, BY_DEFAULT, true);
	tl__sim_set_mute(b, BY_DEFAULT, true);
	cut = tl__sim_now(sim);
	CHECK(tl__sim_run_until(sim, are_level, NULL, 10, MINUTE));
	CHECK(tl__sim_now(sim) - cut < 5000);
	/* What had arrived did not come again: at most the page that was on its way. */
	entries = tl__sim_entries(sim);
	CHECK(entries <= 1202 + 2 * TL__SYNC_MIN_PAGE_BYTES / 300);
	CHECK(tl__sim_needless(sim) == 0);
	tl__sim_run(sim, MINUTE);
	CHECK(nothing_is_left(tl__sim_core(a)) && nothing_is_left(tl__sim_core(b)));
}

static void a_commit_finds_the_way_that_is_left(void)
{
	uint64_t cut;

	two_ways();
	pair_up(a, b, &db);
	CHECK(tl__sim_run_until(sim, are_level, NULL, 10, MINUTE));
	tl__sim_run(sim, MINUTE);
	/* Nobody notices: requests are held there and here. */
	tl__sim_set_mute(a, BY_DEFAULT, true);
	tl__sim_set_mute(b, BY_DEFAULT, true);
	cut = tl__sim_now(sim);
	commit_on(a, 1);
	CHECK(tl__sim_run_until(sim, are_level, NULL, 10, MINUTE));
	printf("level after %llu ms\n", (unsigned long long)(tl__sim_now(sim) - cut));
	CHECK(tl__sim_now(sim) - cut <= 20000);
}

/* One of the two ways of each always passes. */
static void whichever_way_passes(void)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		CHECK_OK(tl__sim_status(sim));
		tl__sim_free(sim);
		CHECK_OK(tl__sim_new(&sim, seed));
		two_ways();
		pair_up(a, b, &db);
		for (unsigned step = 0; step < 40; step++) {
			tl__sim_peer *who = tl__sim_chance(sim, 500) ? a : b;
			unsigned way = (unsigned)tl__sim_below(sim, TL__SIM_WAYS);

			tl__sim_set_mute(who, way, true);
			tl__sim_set_mute(who, 1 - way, false);
			if (holds(b, &db))
				commit_on(tl__sim_chance(sim, 500) ? a : b, 1);
			tl__sim_run(sim, tl__sim_below(sim, 20000));
		}
		CHECK(tl__sim_run_until(sim, are_level, NULL, 100, 5 * MINUTE));
		CHECK(tl__sim_needless(sim) == 0);
		tl__sim_run(sim, 2 * MINUTE);
		CHECK(nothing_is_left(tl__sim_core(a)) && nothing_is_left(tl__sim_core(b)));
		CHECK(tl__sim_spins(a) == 0 && tl__sim_spins(b) == 0);
		if (!spec_case_ok) {
			printf("seed %llu\n", (unsigned long long)seed);
			return;
		}
	}
}

int main(void)
{
	RUN_SIM(a_transfer_goes_on_by_the_other_way);
	RUN_SIM(a_commit_finds_the_way_that_is_left);
	RUN_SIM(whichever_way_passes);
	return spec_end();
}
