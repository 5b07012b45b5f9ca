/* Addresses of a peer: told and the owner's, which is tried first, which not at all. */
#include "sync_contact_help.h"

/* --- addresses -------------------------------------------------------------------------------- */

static void addresses_are_tried_one_after_the_other(void)
{
	tl_database *db = pull_under_way();

	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "127.0.0.1:9002"), TL_OK);
	answer_failure(TL_E_CONNECTION_FAILED);
	/* Nobody has proved that one: hello comes first. */
	CHECK(sends("/tidelock/v1/hello", "127.0.0.1:9002"));
	answer_hello(&bob);
	CHECK(sends("/tidelock/v1/pull", "127.0.0.1:9002"));
	CHECK(peer_of(&bob)->addresses[1].proven);
	CHECK(peer_of(&bob)->addresses[0].failures == 1);
	answer_failure(TL_E_CONNECTION_FAILED);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, tl_database_root_id(db))->attempts == 1);
	CHECK(r.events[TL_EVENT_PEER_UNREACHABLE] == 1);
	tl_database_free(db);
}

static void the_address_that_worked_last_comes_first(void)
{
	tl_database *db = pull_under_way();
	const tl_id *root = tl_database_root_id(db);

	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "127.0.0.1:9002"), TL_OK);
	answer_failure(TL_E_CONNECTION_FAILED);
	answer_hello(&bob);
	answer_failure(TL_E_CONNECTION_FAILED);
	peer_of(&bob)->addresses[1].success = 99;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, root, NULL);
	CHECK(sends("/tidelock/v1/pull", "127.0.0.1:9002"));
	tl_database_free(db);
}

static void bob_says_hello(void)
{
	uint64_t op = connect_to(HOME, &bob.key);

	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
}

static bool has_address(const char *host_port)
{
	tl_address address = http(host_port);

	return tl__peer_address_at(peer_of(&bob), &address) >= 0;
}

static void told_addresses_are_replaced_beside_those_of_the_owner(void)
{
	static char texts[TL__V1_MAX_ADDRESSES][32];

	for (size_t i = 0; i < TL__V1_MAX_ADDRESSES; i++) {
		snprintf(texts[i], sizeof texts[i], "10.0.0.1:%zu", 7000 + i);
		r.told[i][0] = "http";
		r.told[i][1] = texts[i];
	}
	r.told_count = TL__V1_MAX_ADDRESSES;
	bob_says_hello();
	CHECK(peer_of(&bob)->address_count == TL__SYNC_MAX_ADDRESSES);
	CHECK(has_address(HOME) && has_address(texts[0]));
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "127.0.0.1:9100"), TL_OK);
	CHECK(has_address(HOME) && has_address("127.0.0.1:9100"));
	r.told_count = 1;
	r.told[0][1] = "10.0.0.1:9200";
	bob_says_hello();
	CHECK(peer_of(&bob)->address_count == 3);
	CHECK(has_address(HOME) && has_address("127.0.0.1:9100") && has_address("10.0.0.1:9200"));
	/* Told again by the owner it is his. */
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "10.0.0.1:9200"), TL_OK);
	r.told_count = 0;
	bob_says_hello();
	CHECK(peer_of(&bob)->address_count == 3);
}

static void told_addresses_are_known_as_such_after_a_restart(void)
{
	r.told_count = 1;
	r.told[0][0] = "http";
	r.told[0][1] = "10.0.0.1:9300";
	bob_says_hello();
	rig_pass(1000);
	rig_stop();
	REQUIRE(rig_start(NULL));
	CHECK(has_address(HOME) && has_address("10.0.0.1:9300"));
	r.told_count = 1;
	r.told[0][0] = "http";
	r.told[0][1] = "10.0.0.1:9400";
	bob_says_hello();
	CHECK(peer_of(&bob)->address_count == 2);
	CHECK(has_address(HOME) && has_address("10.0.0.1:9400"));
}

static void only_what_reads_back_as_it_was_told_is_an_address(void)
{
	static const char *const bad[][2] = {{"x", "80"}, {"http", "80"},
		{"http", "https:1.2.3.4:5"}, {"https", "a b:1"}, {"http", "//1.2.3.4:5"},
		{"http", "0.0.0.0:80"}, {"http", "[::]:80"}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		r.told_count = 1;
		r.told[0][0] = bad[i][0];
		r.told[0][1] = bad[i][1];
		bob_says_hello();
		if (peer_of(&bob)->address_count != 1) {
			printf("taken: %s %s\n", bad[i][0], bad[i][1]);
			FAIL_CASE("this is no address that could be told");
		}
	}
}

static void an_unproven_address_of_somebody_else_learns_nothing(void)
{
	tl_database *db = pull_under_way();

	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, "127.0.0.1:9002"), TL_OK);
	answer_failure(TL_E_CONNECTION_FAILED);
	answer_hello(&carol);
	CHECK(r.send_count == 0);
	CHECK(!peer_of(&bob)->addresses[1].proven);
	tl_database_free(db);
}

static void cleartext_beyond_this_machine_is_refused_when_asked(void)
{
	tl_sync_options options = TL_SYNC_OPTIONS_INIT;
	tl__sync_command command = {.kind = TL__SYNC_CONFIGURE, .options = &options};
	uint64_t op;

	options.require_encryption = true;
	CHECK_DONE(rig_command(command), TL_OK);
	op = connect_to("192.0.2.7:80", NULL);
	CHECK_DONE(op, TL_E_CLEARTEXT_REFUSED);
	op = connect_to("127.example.org:80", NULL);
	CHECK_DONE(op, TL_E_CLEARTEXT_REFUSED);
	CHECK(r.send_count == 0);
	(void)connect_to("127.0.0.1:80", NULL);
	CHECK(r.send_count == 1);
}

static tl_policy_answer deny_dial(void *ud, const tl_policy_question *question, const char **reason)
{
	(void)ud;
	*reason = "not in my house";
	return question->kind == TL_POLICY_DIAL ? TL_POLICY_DENY : TL_POLICY_PASS;
}

static void the_policy_is_asked_before_dialling(void)
{
	tl_policy policy = {.size = sizeof policy, .decide = deny_dial};
	tl__sync_command command = {.kind = TL__SYNC_SET_POLICY, .policy = &policy};
	uint64_t op;

	CHECK_DONE(rig_command(command), TL_OK);
	op = connect_to(HOME, NULL);
	CHECK_DONE(op, TL_E_REFUSED);
	CHECK_TEXT(rig_error(op), "not in my house");
	CHECK(r.sent == 0);
}

static void a_transport_must_be_enabled(void)
{
	tl_address address;
	tl__sync_command command = {.kind = TL__SYNC_CONNECT, .address = &address};

	CHECK_OK(tl_address_https(&address, z("127.0.0.1:1")));
	CHECK_DONE(rig_command(command), TL_E_UNSUPPORTED_TRANSPORT);
}

static void a_connect_can_be_cancelled(void)
{
	uint64_t op = connect_to(HOME, NULL);
	tl__sync_command command = {.kind = TL__SYNC_CANCEL, .number = op};

	CHECK_DONE(rig_command(command), TL_OK);
	CHECK_DONE(op, TL_E_CANCELLED);
	CHECK(r.cancelled == r.sends[0].send.exchange);
	answer_failure(TL_E_CANCELLED);
	CHECK(r.core->call_list == NULL);
}

/* Whoever is at the address becomes no peer by that. */
static void a_question_for_access_that_is_cancelled_meets_nobody(void)
{
	tl__sync_command command = {.kind = TL__SYNC_ACCESS, .has_db = true, .name = z("laptop")};
	tl_address address = http(HOME);
	tl_secret secret;
	uint64_t op;

	CHECK_OK(secret_of(NULL, z("laptop"), &secret));
	command.address = &address;
	command.secrets = &secret;
	command.secret_count = 1;
	op = rig_command(command);
	command = (tl__sync_command){.kind = TL__SYNC_CANCEL, .number = op};
	CHECK_DONE(rig_command(command), TL_OK);
	CHECK_DONE(op, TL_E_CANCELLED);
	answer_hello(&bob);
	CHECK(!peer_of(&bob) && !r.core->contacts && !r.core->call_list && r.send_count == 0);
}

/* Nor does what it answers count for one that was registered anew. */
static void a_peer_that_is_removed_while_it_is_asked_leaves_nothing(void)
{
	tl_database *db = new_database("alice");
	const tl_id *root = tl_database_root_id(db);

	for (int again = 0; again < 2; again++) {
		CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "Bob"), TL_OK);
		CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, root, NULL), TL_OK);
		CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, HOME), TL_OK);
		CHECK(sends("/tidelock/v1/hello", HOME) && r.core->contacts);
		CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_OK);
		if (again)
			CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "Bob"), TL_OK);
		answer_hello(&bob);
		CHECK(!r.core->contacts && r.send_count == 0);
	}
	CHECK(peer_of(&bob) && peer_of(&bob)->protocol == TL__PROTOCOL_UNKNOWN);
	tl_database_free(db);
}

static void knocking_peers_are_bounded(void)
{
	for (unsigned i = 0; i < TL__SYNC_MAX_KNOCKING + 5; i++) {
		tl_key key = {{(uint8_t)i, (uint8_t)(i >> 8), 7}};

		tl__sync_knocked(r.core, &key, TL__STR("x"), "http:1.2.3.4:5");
	}
	CHECK(r.core->knock_count == TL__SYNC_MAX_KNOCKING);
	/* A week later they are gone. */
	r.core->wall += (int64_t)8 * 24 * 3600 * 1000;
	tl__sync_knocked(r.core, &bob.key, TL__STR("x"), "http:1.2.3.4:5");
	CHECK(r.core->knock_count == 1);
	r.wall = r.core->wall;
	rig_pass(1000);
	CHECK(strstr(local("sync/knock", &bob, NULL), "1.2.3.4:5"));
	CHECK(!peer_of(&bob));
	CHECK(record("peers", bob.text, "pubkey")[0] == 0);
	meet(&bob, HOME);
	CHECK(r.core->knock_count == 0);
}

int main(void)
{
	RUN_RIG(told_addresses_are_replaced_beside_those_of_the_owner);
	RUN_RIG(told_addresses_are_known_as_such_after_a_restart);
	RUN_RIG(only_what_reads_back_as_it_was_told_is_an_address);
	RUN_RIG(addresses_are_tried_one_after_the_other);
	RUN_RIG(the_address_that_worked_last_comes_first);
	RUN_RIG(an_unproven_address_of_somebody_else_learns_nothing);
	RUN_RIG(cleartext_beyond_this_machine_is_refused_when_asked);
	RUN_RIG(the_policy_is_asked_before_dialling);
	RUN_RIG(a_transport_must_be_enabled);
	RUN_RIG(a_connect_can_be_cancelled);
	RUN_RIG(a_question_for_access_that_is_cancelled_meets_nobody);
	RUN_RIG(a_peer_that_is_removed_while_it_is_asked_leaves_nothing);
	RUN_RIG(knocking_peers_are_bounded);
	return spec_end();
}
