/* First contact, and what makes an answer count. */
#include "sync_contact_help.h"

static void a_peer_is_met_by_a_hello_to_nobody_and_one_to_it(void)
{
	uint64_t op = connect_to(HOME, NULL);

	REQUIRE(sends("/tidelock/v1/hello", HOME));
	answer_hello(&bob);
	CHECK(rig_result(op) == NULL);
	CHECK(sends("/tidelock/v1/hello", HOME));
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
	CHECK_TEXT(rig_text(op), bob.text);
	CHECK(r.events[TL_EVENT_PEER_CONNECTED] == 1);
	REQUIRE(peer_of(&bob));
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(peer_of(&bob)->addresses[0].proven);
	CHECK_TEXT(record("peers", bob.text, "status"), "active");
	CHECK_TEXT(record("peers", bob.text, "addresses"),
		"[{\"transport_type\":\"http\",\"address\":\"" HOME "\"}]");
	CHECK(strstr(local("sync/peer", &bob, NULL), "\"protocol\":\"v1\""));
}

/* What signs for such a channel is at its end. */
static void a_channel_that_proves_its_ends_needs_one_hello(void)
{
	uint64_t op;

	r.core->transports[0].agrees = r.core->transports[0].proves_ends = true;
	op = connect_to(HOME, NULL);
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
	CHECK(r.sent == 1 && r.send_count == 0);
	REQUIRE(peer_of(&bob));
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1 && peer_of(&bob)->hello_heard);
	CHECK(peer_of(&bob)->epoch_known &&
		memcmp(peer_of(&bob)->epoch, bob.epoch, sizeof bob.epoch) == 0);
	CHECK(peer_of(&bob)->addresses[0].proven);
}

static bool foresee(void *ud, const tl_address *address, char *out, size_t cap)
{
	CHECK(strcmp(address->text, HOME) == 0);
	snprintf(out, cap, "%s", (const char *)ud);
	return true;
}

/* Not for the last one that was seen there. */
static void requests_are_signed_for_the_channel_to_come(void)
{
	char channel[] = "known before";
	asked a;

	r.core->foresee = foresee;
	r.core->foresee_ud = channel;
	(void)connect_to(HOME, NULL);
	REQUIRE(take_v1(&a));
	CHECK(tl__str_eq(a.header.channel, TL__STR("known before")));
	asked_free(&a);
}

static void pages_fit_the_largest_body_of_a_transport(void)
{
	size_t usual;

	meet(&bob, HOME);
	usual = tl__page_bytes(r.core, peer_of(&bob));
	r.core->transports[0].max_body = TL_TRANSPORT_LEAST_BODY;
	CHECK(usual > TL_TRANSPORT_LEAST_BODY);
	CHECK(tl__page_bytes(r.core, peer_of(&bob)) == TL_TRANSPORT_LEAST_BODY - TL__PAGE_ROOM);
}

/* --- without eidetica 0.2.0 ------------------------------------------------------------------- */

/* Whoever answers a hello to nobody may have another clock, or see another connection. */
static void a_hello_to_nobody_is_repeated_better(void)
{
	uint64_t op = connect_to(HOME, NULL);
	asked a;

	REQUIRE(take_v1(&a));
	CHECK(!a.header.has_to);
	refuse_v1(&a, &bob, TL__V1_CLOCK_SKEW);
	asked_free(&a);
	answer_hello(&bob);
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
	CHECK(r.events[TL_EVENT_PEER_CONNECTED] == 1 && peer_of(&bob));
}

static void whoever_signs_for_another_is_not_met(void)
{
	uint64_t op = connect_to(HOME, NULL);
	tl__buf args = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	hello_args(&args, &bob);
	answer_v1(&a, &carol, TL__V1_OK, tl__buf_view(&args), TL__STR(""));
	CHECK_DONE(op, TL_E_KEY_MISMATCH);
	CHECK(!peer_of(&bob) && !peer_of(&carol));
	tl__buf_free(&args);
	asked_free(&a);
}

static void what_speaks_0_2_0_alone_is_told_so(void)
{
	uint64_t op = connect_to(HOME, NULL);
	const uint64_t exchange = r.sends[0].send.exchange;

	drop_send(0);
	answer_bytes(exchange, 404, TL__STR(""));
	CHECK_DONE(op, TL_E_V0_NOT_SPOKEN);
	CHECK(!peer_of(&bob) && r.send_count == 0);
}

/* It was met by another build. */
static void exchanges_with_a_known_0_2_0_peer_fail_saying_why(void)
{
	tl_database *db = new_database("alice");
	const tl_id *root = tl_database_root_id(db);
	uint64_t op;

	meet(&bob, HOME);
	peer_of(&bob)->protocol = TL__PROTOCOL_V0;
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, root, NULL), TL_OK);
	op = pair_command(TL__SYNC_SYNC_PAIR, &bob.key, root, NULL);
	rig_pass(2000); /* it waits for the next attempt */
	CHECK_DONE(op, TL_E_V0_NOT_SPOKEN);
	CHECK(pair_of(&bob, root)->last_code == TL_E_V0_NOT_SPOKEN);
	CHECK(strstr(pair_of(&bob, root)->last_error, "0.2.0"));
	CHECK_DONE(peer_command(TL__SYNC_DISCOVER, &bob.key, NULL), TL_E_V0_NOT_SPOKEN);
	CHECK(r.send_count == 0);
	tl_database_free(db);
}

static void a_request_of_0_2_0_is_refused_saying_why(void)
{
	tl__sync_event event = {.kind = TL__SYNC_REQUEST};
	tl__buf *body = &r.answers[0].answer.body;

	event.request = (tl__sync_request){.incoming = 1,
		.path = TL__STR(TL__V0_PATH),
		.content_type = TL__STR(TL__V0_CONTENT_TYPE),
		.remote = TL__STR("192.0.2.1:5000"),
		.channel = TL__STR("none"),
		.transport = TL__STR("http"),
		.body = TL__STR("{\"SendEntries\":[]}")};
	rig_event(&event);
	REQUIRE(r.answer_count == 1);
	CHECK(r.answers[0].answer.status == 501);
	CHECK(tl__str_starts(tl__buf_view(body), TL__STR("{\"Error\":\"v0_not_spoken: ")));
}

/* --- pinned keys ------------------------------------------------------------------------------ */

static void a_pinned_key_gets_hello_directly(void)
{
	uint64_t op = connect_to(HOME, &bob.key);

	CHECK(sends("/tidelock/v1/hello", HOME));
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
}

static void another_key_than_the_pinned_one_ends_it(void)
{
	uint64_t op = connect_to(HOME, &bob.key);

	answer_hello(&carol);
	CHECK_DONE(op, TL_E_KEY_MISMATCH);
	CHECK(r.send_count == 0);
	CHECK(!peer_of(&bob) && !peer_of(&carol));
}

static void a_node_with_another_key_refuses_unsigned(void)
{
	uint64_t op = connect_to(HOME, &bob.key);
	tl__buf out = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	tl__v1_write_unsigned(&out, TL__V1_WRONG_RECIPIENT);
	answer_bytes(a.exchange, 400, tl__buf_view(&out));
	CHECK_DONE(op, TL_E_KEY_MISMATCH);
	CHECK(!peer_of(&bob) && r.send_count == 0);
	tl__buf_free(&out);
	asked_free(&a);
}

static void ourselves_and_blocked_peers_are_not_connected_to(void)
{
	party self;
	uint64_t op;

	make_party(&self, 9);
	CHECK_OK(secret_of(NULL, z(TL__DEVICE_KEY_NAME), &self.secret));
	tl_secret_public(&self.secret, &self.key);
	tl_key_format(&self.key, self.text);
	op = connect_to(HOME, NULL);
	answer_hello(&self);
	CHECK_DONE(op, TL_E_BAD_ARGUMENT);
	meet(&bob, HOME);
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "blocked"), TL_OK);
	op = connect_to(HOME, NULL);
	answer_hello(&bob);
	CHECK_DONE(op, TL_E_PEER_BLOCKED);
	CHECK(r.send_count == 0);
}

static void a_registered_peer_is_got_acquainted_with_when_needed(void)
{
	tl_database *db = new_database("alice");

	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "Bob"), TL_OK);
	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "Bob"), TL_E_PEER_ALREADY_EXISTS);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(db), NULL), TL_OK);
	CHECK(r.send_count == 0);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, HOME), TL_OK);
	answer_hello(&bob);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(sends("/tidelock/v1/pull", HOME));
	tl_database_free(db);
}

static void an_acquaintance_with_another_key_is_none(void)
{
	tl_database *db = new_database("alice");
	const tl_id *root = tl_database_root_id(db);

	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "Bob"), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, root, NULL), TL_OK);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, HOME), TL_OK);
	answer_hello(&carol);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_UNKNOWN);
	CHECK(pair_of(&bob, root)->attempts == 1);
	CHECK(pair_of(&bob, root)->last_code == TL_E_KEY_MISMATCH);
	CHECK(r.send_count == 0);
	tl_database_free(db);
}

/* --- answers that count for nothing ----------------------------------------------------------- */

static void failed_for_nothing(tl_database *db)
{
	const tl__pair *pair = pair_of(&bob, tl_database_root_id(db));

	CHECK(pair->attempts == 1);
	CHECK(!pair->has_seen && !pair->has_sure && pair->ack == 0);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(peer_of(&bob)->clock_offset == 0);
	CHECK(memcmp(peer_of(&bob)->epoch, bob.epoch, 16) == 0);
	tl_database_free(db);
}

static void plain_page(tl__buf *args)
{
	tl__v1_page page = {.cursor_valid = true, .seen_valid = true, .has_tips = true};

	page.cursor = place(&bob, 5);
	tl__v1_tips_hash(NULL, 0, page.tips.sha256);
	tl__v1_write_page(args, &page);
}

static void an_answer_by_another_key_is_ignored(void)
{
	tl_database *db = pull_under_way();
	tl__buf args = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	plain_page(&args);
	answer_v1(&a, &carol, TL__V1_OK, tl__buf_view(&args), TL__STR(""));
	failed_for_nothing(db);
	tl__buf_free(&args);
	asked_free(&a);
}

static void an_answer_to_another_request_is_ignored(void)
{
	tl_database *db = pull_under_way();
	tl__buf args = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	plain_page(&args);
	a.re[0] ^= 1;
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&args), TL__STR(""));
	failed_for_nothing(db);
	tl__buf_free(&args);
	asked_free(&a);
}

/* Each changed bit of the frame makes it worthless: in header, signature and body. */
static void an_altered_answer_is_ignored(void)
{
	tl_database *db = pull_under_way();
	tl__buf args = TL__BUF_INIT, out = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	plain_page(&args);
	make_response(&out, &a, &bob, TL__V1_OK, tl__buf_view(&args), TL__STR("{\"tip\":1}\n"));
	out.ptr[out.len - 2] ^= 1;
	answer_bytes(a.exchange, 200, tl__buf_view(&out));
	failed_for_nothing(db);
	tl__buf_free(&args);
	tl__buf_free(&out);
	asked_free(&a);
}

static void an_unsigned_refusal_changes_nothing(void)
{
	tl_database *db = pull_under_way();
	tl__buf out = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	tl__v1_write_unsigned(&out, TL__V1_STALE_EPOCH);
	answer_bytes(a.exchange, 400, tl__buf_view(&out));
	CHECK(r.send_count == 0);
	failed_for_nothing(db);
	tl__buf_free(&out);
	asked_free(&a);
}

static void an_answer_seen_over_another_channel_is_ignored(void)
{
	tl_database *db = pull_under_way();
	tl__v1_response response = {.status = TL__V1_OK};
	tl__buf args = TL__BUF_INIT, out = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	plain_page(&args);
	response.channel = TL__STR("tls:0000");
	memcpy(response.re, a.re, 32);
	memcpy(response.epoch, bob.epoch, 16);
	response.args = tl__buf_view(&args);
	CHECK_OK(tl__v1_response_write(&out, &response, &bob.secret, TL__STR("")));
	answer_bytes(a.exchange, 200, tl__buf_view(&out));
	CHECK(pair_of(&bob, tl_database_root_id(db))->last_code == TL_E_CHANNEL_MISMATCH);
	failed_for_nothing(db);
	tl__buf_free(&args);
	tl__buf_free(&out);
	asked_free(&a);
}

/* --- answers that tell how to do better ------------------------------------------------------- */

static void a_stale_epoch_is_repeated_once(void)
{
	tl_database *db = pull_under_way();
	asked a;

	REQUIRE(take_v1(&a));
	CHECK(memcmp(a.header.epoch, bob.epoch, 16) == 0);
	asked_free(&a);
	bob.epoch[0] ^= 1; /* bob was started again */
	refuse_v1(&a, &bob, TL__V1_STALE_EPOCH);
	REQUIRE(sends("/tidelock/v1/pull", HOME));
	REQUIRE(take_v1(&a));
	CHECK(memcmp(a.header.epoch, bob.epoch, 16) == 0);
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_STALE_EPOCH);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, tl_database_root_id(db))->attempts == 1);
	tl_database_free(db);
}

static void a_wrong_clock_is_corrected_towards_that_peer(void)
{
	tl_database *db = pull_under_way();
	asked a;

	REQUIRE(take_v1(&a));
	CHECK(a.header.time == r.wall);
	asked_free(&a);
	r.wall += 3600000; /* so bob's answer carries a time an hour ahead */
	refuse_v1(&a, &bob, TL__V1_CLOCK_SKEW);
	r.wall -= 3600000;
	REQUIRE(take_v1(&a));
	CHECK(peer_of(&bob)->clock_offset == 3600000);
	asked_free(&a);
	tl_database_free(db);
}

/* Bob refuses with the time that he has, which is not ours. */
static void refuse_at(const asked *to, tl__v1_status status, int64_t bobs)
{
	tl__v1_refusal refusal = {.code = TL__STR("")};
	tl__buf args = TL__BUF_INIT, out = TL__BUF_INIT;
	int64_t ours = r.wall;

	tl__v1_write_refusal(&args, &refusal);
	r.wall = bobs;
	make_response(&out, to, &bob, status, tl__buf_view(&args), TL__STR(""));
	r.wall = ours;
	answer_bytes(to->exchange, 200, tl__buf_view(&out));
	tl__buf_free(&args);
	tl__buf_free(&out);
}

/* What is told of the time of day never leaves what is a time. */
static void an_absurd_clock_is_not_taken_over(void)
{
	tl_database *db = pull_under_way();
	asked a;

	REQUIRE(take_v1(&a));
	refuse_at(&a, TL__V1_CLOCK_SKEW, INT64_MAX);
	CHECK(peer_of(&bob)->clock_offset == 0);
	CHECK(pair_of(&bob, tl_database_root_id(db))->last_code == TL_E_CLOCK_SKEW);
	asked_free(&a);
	tl_database_free(db);
}

/* The next request as the clock then is; bob refuses it with his own, and gets the right time. */
static void corrected(tl_database *db, int64_t ours, int64_t bobs)
{
	asked a;

	r.wall = ours;
	(void)pair_command(TL__SYNC_SYNC_PAIR, &bob.key, tl_database_root_id(db), NULL);
	REQUIRE(take_v1(&a));
	CHECK(a.header.time >= 0 && a.header.time <= TL__V1_MAX_TIME);
	refuse_at(&a, TL__V1_CLOCK_SKEW, bobs);
	asked_free(&a);
	REQUIRE(take_v1(&a));
	CHECK(a.header.time == bobs);
	refuse_at(&a, TL__V1_INTERNAL, bobs);
	asked_free(&a);
}

static void a_clock_that_was_set_needs_no_restart(void)
{
	static const int64_t clocks[] = {START_WALL + 3 * 86400000LL, START_WALL, 0, -5000,
		START_WALL, INT64_MAX, INT64_MIN, START_WALL};
	tl_database *db = pull_under_way();
	asked a;

	REQUIRE(take_v1(&a));
	refuse_v1(&a, &bob, TL__V1_INTERNAL);
	asked_free(&a);
	for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
		corrected(db, clocks[i], START_WALL + 7200000);
	r.wall = START_WALL;
	tl_database_free(db);
}

static void a_slow_answer_sets_no_clock(void)
{
	tl_database *db = pull_under_way();
	asked a;

	REQUIRE(take_v1(&a));
	r.now += TL__V1_OFFSET_TRUST_MS + 1;
	r.wall += TL__V1_OFFSET_TRUST_MS + 1;
	asked_free(&a);
	refuse_v1(&a, &bob, TL__V1_CLOCK_SKEW);
	CHECK(peer_of(&bob)->clock_offset == 0);
	CHECK(r.send_count == 0);
	CHECK(pair_of(&bob, tl_database_root_id(db))->last_code == TL_E_CLOCK_SKEW);
	tl_database_free(db);
}

/* --- strangers -------------------------------------------------------------------------------- */

static void refuse_first_word(tl__v1_status status)
{
	tl__v1_refusal refusal = {.code = TL__STR("no_room"), .wait_ms = 1000};
	tl__buf args = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(&a, &bob, status, tl__buf_view(&args), TL__STR(""));
	tl__buf_free(&args);
	asked_free(&a);
}

static void meet_after_all(void)
{
	uint64_t op;

	rig_pass(20000);
	op = connect_to(HOME, &bob.key);
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
	rig_pass(20000);
}

/* Its record is freed with the contact: nothing may remember it. */
static void a_stranger_that_is_busy_leaves_nothing(void)
{
	uint64_t op = connect_to(HOME, &bob.key);

	refuse_first_word(TL__V1_BUSY);
	CHECK_DONE(op, TL_E_BUSY);
	CHECK(!peer_of(&bob));
	meet_after_all();
}

static void a_stranger_that_starts_anew_meanwhile_leaves_nothing(void)
{
	uint64_t op = connect_to(HOME, &bob.key);

	refuse_first_word(TL__V1_CLOCK_SKEW);
	bob.epoch[0]++;
	refuse_first_word(TL__V1_NOT_PERMITTED);
	CHECK(rig_result(op) && !peer_of(&bob));
	meet_after_all();
}

static void access_granted_by_a_peer_that_was_removed_relates_nothing(void)
{
	tl__v1_access_answer answer = {.result = TL__V1_ACCESS_GRANTED};
	tl__sync_command command = {.kind = TL__SYNC_ACCESS, .has_db = true, .has_key = true};
	tl_address address = http(HOME);
	tl__buf args = TL__BUF_INIT;
	tl_secret secret;
	asked a;

	meet(&bob, HOME);
	CHECK_OK(secret_of(NULL, z("laptop"), &secret));
	command.address = &address;
	tl_id_of(&command.db, "x", 1);
	command.name = z("laptop");
	command.secrets = &secret;
	command.secret_count = 1;
	command.key = bob.key;
	command.permission = (tl_permission){TL_WRITE, 10};
	(void)rig_command(command);
	answer_hello(&bob);
	REQUIRE(sends("/tidelock/v1/access", NULL) && take_v1(&a));
	CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_OK);
	tl__v1_write_access_answer(&args, &answer);
	answer_v1(&a, &bob, TL__V1_OK, tl__buf_view(&args), TL__STR(""));
	tl__buf_free(&args);
	asked_free(&a);
	rig_pass(5000);
	CHECK(!r.core->pairs);
}

/* What its successor is, a block above all, stays stored. */
static void a_late_hello_of_a_removed_peer_stores_nothing(void)
{
	meet(&bob, HOME);
	peer_of(&bob)->hello_heard = false; /* as when its process is another */
	(void)peer_command(TL__SYNC_DISCOVER, &bob.key, NULL);
	CHECK(sends("/tidelock/v1/hello", NULL));
	CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_OK);
	CHECK_DONE(peer_command(TL__SYNC_SET_STATUS, &bob.key, "blocked"), TL_OK);
	CHECK_TEXT(record("peers", bob.text, "status"), "blocked");
	r.told[0][0] = "http";
	r.told[0][1] = "192.0.2.7:9001";
	r.told_count = 1;
	answer_hello(&bob);
	rig_pass(20000);
	CHECK_TEXT(record("peers", bob.text, "status"), "blocked");
}

int main(void)
{
	RUN_RIG(a_late_hello_of_a_removed_peer_stores_nothing);
	RUN_RIG(a_stranger_that_is_busy_leaves_nothing);
	RUN_RIG(a_stranger_that_starts_anew_meanwhile_leaves_nothing);
	RUN_RIG(access_granted_by_a_peer_that_was_removed_relates_nothing);
	RUN_RIG(a_peer_is_met_by_a_hello_to_nobody_and_one_to_it);
	RUN_RIG(a_channel_that_proves_its_ends_needs_one_hello);
	RUN_RIG(requests_are_signed_for_the_channel_to_come);
	RUN_RIG(pages_fit_the_largest_body_of_a_transport);
	RUN_RIG(a_hello_to_nobody_is_repeated_better);
	RUN_RIG(whoever_signs_for_another_is_not_met);
	RUN_RIG(what_speaks_0_2_0_alone_is_told_so);
	RUN_RIG(exchanges_with_a_known_0_2_0_peer_fail_saying_why);
	RUN_RIG(a_request_of_0_2_0_is_refused_saying_why);
	RUN_RIG(a_pinned_key_gets_hello_directly);
	RUN_RIG(another_key_than_the_pinned_one_ends_it);
	RUN_RIG(a_node_with_another_key_refuses_unsigned);
	RUN_RIG(ourselves_and_blocked_peers_are_not_connected_to);
	RUN_RIG(a_registered_peer_is_got_acquainted_with_when_needed);
	RUN_RIG(an_acquaintance_with_another_key_is_none);
	RUN_RIG(an_answer_by_another_key_is_ignored);
	RUN_RIG(an_answer_to_another_request_is_ignored);
	RUN_RIG(an_altered_answer_is_ignored);
	RUN_RIG(an_unsigned_refusal_changes_nothing);
	RUN_RIG(an_answer_seen_over_another_channel_is_ignored);
	RUN_RIG(a_stale_epoch_is_repeated_once);
	RUN_RIG(a_wrong_clock_is_corrected_towards_that_peer);
	RUN_RIG(an_absurd_clock_is_not_taken_over);
	RUN_RIG(a_clock_that_was_set_needs_no_restart);
	RUN_RIG(a_slow_answer_sets_no_clock);
	return spec_end();
}
