/* A side that is refused hears of it: operation, waiting, history, state, event. */
#include "sync/out/outbound.h"
#include "sync_rig.h"

#define HOME "127.0.0.1:9001"

static tl_database *db;
static tl_id root;

/* Bob holds the three entries that we hold. */
static void in_step(void)
{
	db = new_database("alice");
	root = *tl_database_root_id(db);
	(void)write_text(db, "data", "n", "x");
	(void)write_text(db, "data", "n", "y");
	meet(&bob, HOME);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, &root, NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 3, NULL) == 3);
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->ack == 3);
	rig_pass(300);
}

static void end(void)
{
	tl_database_free(db);
}

/* Bob refuses the oldest request, which goes to this method. */
static void refuse(const char *path, tl__v1_status status)
{
	asked a;

	CHECK(sends(path, NULL));
	REQUIRE(take_v1(&a));
	refuse_v1(&a, &bob, status);
	asked_free(&a);
}

static bool status_says(const char *text)
{
	tl__buf out = TL__BUF_INIT;
	bool says;

	tl__sync_status(r.core, r.now, &out);
	says = out.ptr && strstr(out.ptr, text);
	if (!says)
		printf("status: %s\n", out.ptr ? out.ptr : "");
	tl__buf_free(&out);
	return says;
}

static void check_refused(int code)
{
	CHECK(pair_of(&bob, &root)->last_code == code);
	CHECK(pair_of(&bob, &root)->attempts == 1 && !pair_of(&bob, &root)->level);
	CHECK(r.events[TL_EVENT_SYNC_FAILED] == 1);
	CHECK(status_says("\"state\":\"refused\""));
}

static void whoever_may_read_no_more_is_told(void)
{
	static const tl__v1_status ways[] = {TL__V1_NOT_AVAILABLE, TL__V1_NOT_PERMITTED};
	static const int codes[] = {TL_E_NOT_AVAILABLE, TL_E_NOT_PERMITTED};
	unsigned finished;
	uint64_t op;

	in_step();
	finished = r.events[TL_EVENT_SYNC_FINISHED];
	for (size_t i = 0; i < 2; i++) {
		pair_of(&bob, &root)->attempts = r.events[TL_EVENT_SYNC_FAILED] = 0;
		op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
		refuse("/tidelock/v1/pull", ways[i]);
		CHECK_DONE(op, codes[i]);
		CHECK(strstr(rig_error(op), "refused"));
		check_refused(codes[i]);
	}
	CHECK(r.events[TL_EVENT_SYNC_FINISHED] == finished);
	rig_pass(300);
	CHECK(strstr(local("sync/metadata", &bob, NULL), "\"failed_sync_count\":2"));
	end();
}

static void whoever_waits_gets_the_reason(void)
{
	tl__sync_command command = {.kind = TL__SYNC_WAIT, .has_key = true, .has_db = true};
	uint64_t op;

	in_step();
	command.key = bob.key;
	command.db = root;
	command.timeout_ms = 60000;
	op = rig_command(command);
	refuse("/tidelock/v1/pull", TL__V1_NOT_AVAILABLE);
	CHECK_DONE(op, TL_E_NOT_AVAILABLE);
	end();
}

static void what_may_be_pushed_is_pushed_and_said(void)
{
	uint64_t op;

	in_step();
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	(void)write_text(db, "data", "n", "z");
	refuse("/tidelock/v1/pull", TL__V1_NOT_AVAILABLE);
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 1);
	CHECK(rig_result(op) == NULL);
	/* It may have lacked the database until now. */
	refuse("/tidelock/v1/pull", TL__V1_NOT_AVAILABLE);
	CHECK_DONE(op, TL_E_NOT_AVAILABLE);
	CHECK(strstr(rig_error(op), "1 entries were sent"));
	CHECK(r.send_count == 0 && pair_of(&bob, &root)->ack == 4);
	check_refused(TL_E_NOT_AVAILABLE);
	end();
}

static void one_that_lacked_it_and_got_it_is_no_failure(void)
{
	id_list tips;
	uint64_t op;

	in_step();
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	(void)write_text(db, "data", "n", "z");
	CHECK(tips_of(db, &tips) == 1);
	refuse("/tidelock/v1/pull", TL__V1_NOT_AVAILABLE);
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 4, NULL) == 1);
	answer_page(&bob, &(page_answer){.n = 4, .tips = tips.at, .tip_count = 1});
	CHECK_DONE(op, TL_OK);
	CHECK(pair_of(&bob, &root)->attempts == 0 && pair_of(&bob, &root)->last_code == TL_OK);
	end();
}

static void whoever_is_blocked_is_told_so(void)
{
	tl__v1_refusal refusal = {.code = TL__STR("peer_blocked")};
	tl__buf args = TL__BUF_INIT;
	uint64_t op;
	asked a;

	in_step();
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v1(&a));
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(&a, &bob, TL__V1_NOT_PERMITTED, tl__buf_view(&args), TL__STR(""));
	CHECK_DONE(op, TL_E_PEER_BLOCKED);
	check_refused(TL_E_PEER_BLOCKED);
	CHECK(peer_of(&bob)->state != TL__PEER_FAILED);
	tl__buf_free(&args);
	asked_free(&a);
	end();
}

static tl_policy_answer no_dialling(void *ud, const tl_policy_question *q, const char **reason)
{
	(void)ud;
	*reason = "not on this network";
	return q->kind == TL_POLICY_DIAL ? TL_POLICY_DENY : TL_POLICY_PASS;
}

static void what_our_policy_refuses_says_why(void)
{
	tl_policy policy = {.size = sizeof policy, .decide = no_dialling};
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY, .policy = &policy};
	uint64_t op;

	in_step();
	CHECK_DONE(rig_command(command), TL_OK);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	rig_pass(1);
	CHECK_DONE(op, TL_E_REFUSED);
	CHECK(strstr(rig_error(op), "not on this network"));
	check_refused(TL_E_REFUSED);
	CHECK(status_says("not on this network"));
	CHECK(status_says(
		"\"refusals\":[{\"kind\":\"dial\",\"outbound\":true,\"peer\":\"ed25519:"));
	CHECK(status_says("\"address\":\"http:" HOME "\",\"reason\":\"not on this network\""));
	end();
}

static unsigned asked_about[2];

static tl_policy_answer note_encryption(void *ud, const tl_policy_question *q, const char **reason)
{
	(void)ud;
	(void)reason;
	if (q->kind == TL_POLICY_DIAL)
		asked_about[q->encrypted]++;
	return TL_POLICY_DENY;
}

/* Also on this machine, and for whatever transport there is. */
static void dialling_is_asked_about_with_the_truth(void)
{
	static const char *const addresses[] = {
		"http:127.0.0.1:1", "http:192.0.2.1:1", "wire:a", "https:127.0.0.1:1", "radio:b"};
	static const bool encrypted[] = {false, false, false, true, true};
	tl_policy policy = {.size = sizeof policy, .decide = note_encryption};
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY, .policy = &policy};
	tl__sync_event wire = {.kind = TL__SYNC_TRANSPORT, .transport = {.type = TL__STR("wire")}},
		       https = {.kind = TL__SYNC_TRANSPORT,
			       .transport = {.type = TL__STR("https"), .encrypted = true}},
		       radio = {.kind = TL__SYNC_TRANSPORT,
			       .transport = {.type = TL__STR("radio"), .encrypted = true}};

	rig_event(&wire);
	rig_event(&https);
	rig_event(&radio);
	CHECK_DONE(rig_command(command), TL_OK);
	command = (tl__sync_command){.kind = TL__SYNC_CONNECT};
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
		unsigned before = asked_about[encrypted[i]];
		tl_address address;

		CHECK_OK(tl_address_parse(&address, z(addresses[i])));
		command.address = &address;
		CHECK_DONE(rig_command(command), TL_E_REFUSED);
		CHECK(asked_about[encrypted[i]] == before + 1);
	}
}

static void what_the_policy_refused_is_kept_and_counted(void)
{
	tl_policy policy = {.size = sizeof policy, .decide = no_dialling};
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY, .policy = &policy};
	char text[40];

	CHECK_DONE(rig_command(command), TL_OK);
	(void)connect_to("10.0.0.1:1", NULL);
	(void)connect_to("10.0.0.1:1", NULL);
	CHECK(status_says("\"count\":2"));
	for (unsigned i = 2; i < 2 + 2 * TL__SYNC_MAX_REFUSALS; i++) {
		snprintf(text, sizeof text, "10.0.0.%u:1", i);
		(void)connect_to(text, NULL);
	}
	CHECK(r.core->refusal_count == TL__SYNC_MAX_REFUSALS);
	CHECK(status_says("\"refusals\":[{\"kind\":\"dial\",\"outbound\":true,\"peer\":null,"
			  "\"db\":null,\"address\":\"http:10.0.0.129:1\""));
}

/* Bob has no time for this database just now. */
static void a_busy_peer_is_no_failure_and_stops_one_database(void)
{
	tl__v1_refusal refusal = {.wait_ms = 5000};
	tl_database *second;
	tl__buf args = TL__BUF_INIT;
	asked a;

	in_step();
	second = new_database("alice");
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, &root, NULL);
	REQUIRE(take_v1(&a));
	refusal.code = TL__STR("");
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(&a, &bob, TL__V1_BUSY, tl__buf_view(&args), TL__STR(""));
	asked_free(&a);
	CHECK(pair_of(&bob, &root)->attempts == 0 && r.events[TL_EVENT_SYNC_FAILED] == 0);
	CHECK(status_says("\"state\":\"waiting\"") && status_says("\"next_attempt_ms\":5000"));
	CHECK_DONE(
		pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(second), NULL), TL_OK);
	answer_page(&bob, &(page_answer){.n = 0});
	CHECK(answer_push(&bob, TL__V1_FATE_VERIFIED, 1, NULL) == 1);
	rig_pass(4900);
	CHECK(r.send_count == 0);
	rig_pass(200);
	CHECK(sends("/tidelock/v1/pull", NULL));
	tl__buf_free(&args);
	tl_database_free(second);
	end();
}

int main(void)
{
	RUN_RIG(whoever_may_read_no_more_is_told);
	RUN_RIG(whoever_waits_gets_the_reason);
	RUN_RIG(what_may_be_pushed_is_pushed_and_said);
	RUN_RIG(one_that_lacked_it_and_got_it_is_no_failure);
	RUN_RIG(whoever_is_blocked_is_told_so);
	RUN_RIG(what_our_policy_refuses_says_why);
	RUN_RIG(dialling_is_asked_about_with_the_truth);
	RUN_RIG(what_the_policy_refused_is_kept_and_counted);
	RUN_RIG(a_busy_peer_is_no_failure_and_stops_one_database);
	return spec_end();
}
