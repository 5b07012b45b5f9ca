/* Rates on the virtual network: all arrives, no faster than it may, without asking for ever,
 * whoever begins and whoever is held. */
#include "sim_help.h"
#include "sync/in/serve.h"

#define RATE    4096
#define ENTRIES 60

static tl__sim_peer *hub, *one;
static tl_id db;

static void judge(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	(void)ud;
	(void)question;
	verdict->answer = TL_POLICY_USUAL;
	verdict->rate = RATE;
}

static void two(bool by_policy)
{
	tl__sim_config config = {.name = "hub"};

	if (by_policy)
		config.policy = (tl_policy){.size = sizeof(tl_policy), .judge = judge};
	hub = add_peer_with(&config);
	one = add_peer("one");
	db = make_db(hub, "notes");
	CHECK_OK(grant(hub, &db, "one", (tl_permission){TL_WRITE, 5}));
	pair_up(hub, one, &db);
	CHECK(settle(one, hub, &db, MINUTE));
	tl__sim_run(sim, MINUTE);
}

static void write_some(tl__sim_peer *peer, const char *key)
{
	char text[16];

	for (int i = 0; i < ENTRIES; i++) {
		snprintf(text, sizeof text, "%d", i);
		CHECK_OK(put_as(peer, &db, key, "data", "k", text, NULL));
	}
}

static bool is_there(tl__sim *in, void *ud)
{
	(void)in;
	return reads(ud, &db, "k", "59");
}

/* Until `peer` has all; ms it took. */
static uint64_t arrives_at(tl__sim_peer *peer)
{
	uint64_t began = tl__sim_now(sim);

	CHECK(tl__sim_run_until(sim, is_there, peer, 100, 10 * MINUTE));
	return tl__sim_now(sim) - began;
}

static uint64_t requests(void)
{
	return tl__sim_requests(sim, hub, NULL, "") + tl__sim_requests(sim, one, NULL, "");
}

static uint64_t bytes_written(void)
{
	return (uint64_t)ENTRIES * 600; /* each is longer */
}

static void check_pace(uint64_t took, uint64_t asked)
{
	uint64_t least = bytes_written() * 1000 / RATE;

	if (took < least - 2000 || took > 6 * least || asked > 20 * least / 1000 + 40)
		printf("took %llu ms of at least %llu, %llu requests\n", (unsigned long long)took,
			(unsigned long long)least, (unsigned long long)asked);
	CHECK(took >= least - 2000 && took <= 6 * least);
	CHECK(asked <= 20 * least / 1000 + 40);
}

static void a_hub_gives_no_faster_than_its_policy_says(void)
{
	uint64_t before;

	two(true);
	before = requests();
	write_some(hub, "hub");
	check_pace(arrives_at(one), requests() - before);
}

/* What comes in one page is taken, and paid before the next one. */
static void nor_is_it_given_faster(void)
{
	uint64_t before;

	two(true);
	write_some(one, "one");
	(void)arrives_at(hub);
	before = requests();
	CHECK_OK(put_as(one, &db, "one", "data", "k", "0", NULL));
	CHECK_OK(put_as(one, &db, "one", "data", "k", "59", NULL));
	tl__sim_run(sim, 5000);
	CHECK(!tl__sim_same((tl__sim_peer *[]){one, hub}, 2, &db));
	CHECK(settle(one, hub, &db, MINUTE));
	CHECK(requests() - before < 60);
}

static void a_pair_holds_what_it_sends(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;
	tl__sync_command command = {
		.kind = TL__SYNC_CONFIGURE_PAIR, .has_key = true, .has_db = true};
	tl__sim_result result;
	uint64_t before;

	two(false);
	options.rate = RATE;
	command.key = *tl__sim_key(hub);
	command.db = db;
	command.pair_options = &options;
	CHECK_OK(run_command(one, &command, &result, MINUTE));
	before = requests();
	write_some(one, "one");
	check_pace(arrives_at(hub), requests() - before);
	/* And what it is given. */
	tl__sim_run(sim, MINUTE);
	before = requests();
	write_some(hub, "hub");
	CHECK_OK(put_as(hub, &db, "hub", "data", "last", "x", NULL));
	CHECK(settle(one, hub, &db, 10 * MINUTE));
	CHECK(requests() - before < 400);
}

int main(void)
{
	RUN_SIM(a_hub_gives_no_faster_than_its_policy_says);
	RUN_SIM(nor_is_it_given_faster);
	RUN_SIM(a_pair_holds_what_it_sends);
	return spec_end();
}
