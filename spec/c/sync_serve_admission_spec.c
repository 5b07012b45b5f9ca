/* Who gets in: requests seen before, buckets, the channel, the policy. */
#include "serve_help.h"

static tl_id notes; /* a database that alice's key may write */

static void with_notes(const tl__sim_config *config)
{
	begin_serve(config);
	notes = make_db(bob, "notes");
	CHECK_OK(grant(bob, &notes, "alice", (tl_permission){TL_WRITE, 5}));
}

/* A request of alice's, told by its process and number. */
static tl__v1_request numbered(const char *process, uint64_t number)
{
	tl__v1_request m = request_of("pull", &notes, PULL_ARGS);

	tl__v1_nonce_write(m.nonce, (const uint8_t *)process, number);
	return m;
}

static bool is_new(const tl__v1_request *m)
{
	return !tl__serve_is_replay(core_of(bob), m);
}

/* Each number counts once, in whatever order they come, if not too late. */
static void nonces_are_told_by_their_numbers(void)
{
	static const uint64_t numbers[] = {5, 3, 4, 1, 1024, 1025, 2, 1026, 5000, 4999, 3977,
		1 << 30, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - TL__V1_NONCE_WINDOW + 1, 9};
	static const bool news[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};

	with_notes(NULL);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		tl__v1_request m = numbered("process1", numbers[i]);

		CHECK(is_new(&m) == news[i]);
		if (news[i])
			CHECK_OK(tl__serve_keep_nonce(core_of(bob), &m));
		CHECK(!is_new(&m));
	}
}

/* However often a peer asks, and as long as it does. */
static void a_peer_is_never_short_of_nonces(void)
{
	with_notes(NULL);
	for (uint64_t i = 1; i <= 200000; i++) {
		tl__v1_request m = numbered("process1", i ^ 1);

		CHECK(is_new(&m));
		CHECK_OK(tl__serve_keep_nonce(core_of(bob), &m));
	}
	CHECK(core_of(bob)->serve->senders.count == 1);
}

/* More processes than are told apart: each new one is heard, and nothing old counts again. */
static void a_new_process_makes_the_oldest_go(void)
{
	enum { PROCESSES = TL__V1_NONCE_PROCESSES + 3 };
	tl__v1_request told[PROCESSES];

	with_notes(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		char name[9];

		snprintf(name, sizeof name, "process%c", 'a' + i);
		told[i] = numbered(name, 7);
		CHECK(is_new(&told[i]));
		CHECK_OK(tl__serve_keep_nonce(core_of(bob), &told[i]));
		for (int k = 0; k <= i; k++)
			CHECK(!is_new(&told[k]));
		tl__sim_run(sim, 10);
	}
	/* One that had to go and speaks again is heard again. */
	told[0] = numbered("processa", 8);
	CHECK(is_new(&told[0]));
}

/* Strangers have so many places, and peers their own. */
static void strangers_leave_room_for_peers(void)
{
	tl__v1_request m;
	tl__sync_command command = {.kind = TL__SYNC_REGISTER, .has_key = true};
	tl__sim_result result;

	with_notes(NULL);
	for (uint32_t i = 0; i < TL__SERVE_MAX_STRANGERS; i++) {
		m = numbered("process1", 1);
		memcpy(m.from.b, &i, sizeof i);
		CHECK_OK(tl__serve_keep_nonce(core_of(bob), &m));
	}
	m = numbered("process1", 1);
	CHECK_CODE(tl__serve_keep_nonce(core_of(bob), &m), TL_E_BUSY);
	CHECK_SIGNED(say(&m), BUSY);
	command.key = alice_key;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	m = numbered("process1", 1);
	CHECK_SIGNED(say(&m), OK);
	tl__sim_run(sim, TL__V1_NONCE_KEPT_MS + 1);
	m = numbered("process1", 2);
	CHECK_SIGNED(say(&m), OK);
	CHECK(core_of(bob)->serve->senders.count == 1);
	/* Who is no peer any more is a stranger, whose nonces are still told. */
	command.kind = TL__SYNC_REMOVE_PEER;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	CHECK(!is_new(&m) && core_of(bob)->serve->strangers == 1);
	tl__sim_run(sim, TL__V1_NONCE_KEPT_MS + 1);
	CHECK(core_of(bob)->serve->senders.count == 0);
}

static void buckets_give_and_take(void)
{
	static const tl__serve_rate rate = {100, 10};
	tl__sync *core;
	unsigned taken = 0;

	begin_serve(NULL);
	core = core_of(bob);
	while (taken < 20000 && tl__serve_take(core, TL__STR("host"), rate))
		taken++;
	CHECK(taken == 100);
	CHECK(!tl__serve_take(core, TL__STR("host"), rate));
	CHECK(tl__serve_take(core, TL__STR("other"), rate));
	core->now += 500; /* five come back */
	for (int i = 0; i < 5; i++)
		CHECK(tl__serve_take(core, TL__STR("host"), rate));
	CHECK(!tl__serve_take(core, TL__STR("host"), rate));
	core->now += 3600000;
	for (taken = 0; taken < 200 && tl__serve_take(core, TL__STR("host"), rate);)
		taken++;
	CHECK(taken == 100);
}

static void a_key_may_not_ask_too_often(void)
{
	tl__v1_request m;
	heard h;

	with_notes(NULL);
	empty_bucket((tl_str){(const char *)alice_key.b, TL_KEY_BYTES}, TL__SERVE_KEY_BURST,
		TL__SERVE_KEY_PER_S);
	m = request_of("pull", &notes, PULL_ARGS);
	h = say(&m);
	CHECK(h.is_signed && h.status == TL__V1_BUSY);
	CHECK(strstr(h.raw.ptr + 5, "\"wait_ms\":1000"));
	heard_free(&h);
	tl__sim_run(sim, 1000);
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say(&m), OK);
}

static void another_channel_is_told_and_closed(void)
{
	static const voice tls = {REMOTE, "tls:00ff"};
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;
	heard h;

	with_notes(NULL);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	h = say_bytes_from(&tls, "pull", tl__buf_view(&frame));
	CHECK(h.is_signed && h.status == TL__V1_CHANNEL_MISMATCH && h.closes);
	CHECK(tl__str_eq(h.header.channel, TL__STR("tls:00ff")));
	heard_free(&h);
	CHECK_SIGNED(say_bytes("pull", tl__buf_view(&frame)), OK); /* the nonce is not used up */
	tl__buf_free(&frame);
}

static void a_tls_proxy_may_be_allowed(void)
{
	static const voice tls = {REMOTE, "tls:00ff"};
	const tl__sim_config config = {.name = "bob", .options.allow_tls_proxy = true};
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;

	with_notes(&config);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	CHECK_SIGNED(say_bytes_from(&tls, "pull", tl__buf_view(&frame)), OK);
	tl__buf_free(&frame);
}

static void cleartext_can_be_refused(void)
{
	static const voice near = {"127.0.0.1:4000", "none"};
	const tl__sim_config config = {.name = "bob", .options.require_encryption = true};
	tl__v1_request m;
	tl__buf frame = TL__BUF_INIT;

	with_notes(&config);
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say(&m), NOT_PERMITTED);
	m = request_of("pull", &notes, PULL_ARGS);
	write_frame(&frame, &m, NULL, 0, TL__STR(""));
	CHECK_SIGNED(say_bytes_from(&near, "pull", tl__buf_view(&frame)), OK);
	tl__buf_free(&frame);
}

static void a_key_of_the_old_protocol_proves_nothing(void)
{
	tl__v1_request m;
	tl__sync_command command = {.kind = TL__SYNC_REGISTER, .has_key = true};
	tl__sim_result result;

	with_notes(NULL);
	command.key = alice_key;
	CHECK_OK(run_command(bob, &command, &result, MINUTE));
	tl__sync_find_peer(core_of(bob), &alice_key)->protocol = TL__PROTOCOL_V0;
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say(&m), V0_KEY);
	CHECK_SIGNED(say_hello(&alice_key, true), V0_KEY);
}

static tl_policy_answer nobody(void *ud, const tl_policy_question *question, const char **reason)
{
	(void)ud;
	(void)reason;
	CHECK(strncmp(question->address, "http:", 5) == 0 && strlen(question->address) > 5);
	return question->kind == TL_POLICY_CONNECT ? TL_POLICY_DENY : TL_POLICY_PASS;
}

static void the_policy_may_refuse_everybody(void)
{
	tl__sim_config config = {.name = "bob"};
	tl__v1_request m;

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = nobody};
	with_notes(&config);
	m = request_of("pull", &notes, PULL_ARGS);
	CHECK_SIGNED(say(&m), NOT_PERMITTED);
	CHECK_SIGNED(say_hello(&alice_key, true), NOT_PERMITTED);
}

/* Neither is the old protocol spoken then. */
static void so_is_the_old_protocol(void)
{
	tl__sim_config clear = {.name = "bob", .options.require_encryption = true};

	begin_serve(&clear);
	CHECK(v0_says("{\"SendEntries\":[]}", "refused"));
}

static void nor_over_the_old_protocol(void)
{
	tl__sim_config config = {.name = "bob"};

	config.policy = (tl_policy){.size = sizeof(tl_policy), .decide = nobody};
	begin_serve(&config);
	CHECK(v0_says("{\"SendEntries\":[]}", "refused"));
}

int main(void)
{
	RUN_SIM(nonces_are_told_by_their_numbers);
	RUN_SIM(a_peer_is_never_short_of_nonces);
	RUN_SIM(a_new_process_makes_the_oldest_go);
	RUN_SIM(strangers_leave_room_for_peers);
	RUN_SIM(buckets_give_and_take);
	RUN_SIM(a_key_may_not_ask_too_often);
	RUN_SIM(another_channel_is_told_and_closed);
	RUN_SIM(a_tls_proxy_may_be_allowed);
	RUN_SIM(cleartext_can_be_refused);
	RUN_SIM(a_key_of_the_old_protocol_proves_nothing);
	RUN_SIM(the_policy_may_refuse_everybody);
	RUN_V0(RUN_SIM, so_is_the_old_protocol);
	RUN_V0(RUN_SIM, nor_over_the_old_protocol);
	return spec_end();
}
