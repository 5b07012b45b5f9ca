/* First contact where eidetica 0.2.0 is spoken, too: the handshake comes first. */
#include "sync/out/outbound.h"
#include "v0_rig.h"

#define HOME "127.0.0.1:9001"

static void a_tidelock_peer_is_met_by_handshake_and_hello(void)
{
	uint64_t op = connect_to(HOME, NULL);

	REQUIRE(sends("/api/v0", HOME));
	answer_handshake(&bob, true);
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

static void a_0_2_0_peer_is_met_by_handshake_alone(void)
{
	meet_v0(&bob, HOME);
	REQUIRE(peer_of(&bob));
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V0);
	CHECK(r.send_count == 0);
}

static void a_handshake_must_be_signed_by_the_key_it_names(void)
{
	uint64_t op = connect_to(HOME, NULL);
	party liar = carol;

	memcpy(liar.text, bob.text, sizeof liar.text);
	answer_handshake(&liar, true);
	CHECK_DONE(op, TL_E_HANDSHAKE_FAILED);
	CHECK(!peer_of(&bob));
}

static void a_pinned_peer_is_not_spoken_to_in_v0_again(void)
{
	uint64_t op;

	met(&bob, HOME);
	op = connect_to(HOME, NULL);
	answer_handshake(&bob, false);
	CHECK_DONE(op, TL_E_DOWNGRADE_REFUSED);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(r.send_count == 0);
}

static void a_known_0_2_0_key_proves_nothing_in_v1(void)
{
	uint64_t op;

	meet_v0(&bob, HOME);
	op = connect_to(HOME, NULL);
	answer_handshake(&bob, true);
	CHECK_DONE(op, TL_OK);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V0);
	op = connect_to(HOME, &bob.key);
	CHECK_DONE(op, TL_E_V0_KEY);
	/* Its owner confirms by removing it and connecting again. */
	CHECK_DONE(peer_command(TL__SYNC_REMOVE_PEER, &bob.key, NULL), TL_OK);
	op = connect_to(HOME, NULL);
	answer_handshake(&bob, true);
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
}

/* A build without 0.2.0 says so, and gets a hello. */
static void a_node_without_0_2_0_is_met_all_the_same(void)
{
	uint64_t op = connect_to(HOME, NULL);
	uint64_t exchange = r.sends[0].send.exchange;

	drop_send(0);
	answer_bytes(exchange, 501, TL__STR("{\"Error\":\"v0_not_spoken: no\"}"));
	answer_hello(&bob);
	answer_hello(&bob);
	CHECK_DONE(op, TL_OK);
	CHECK(peer_of(&bob) && peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(r.events[TL_EVENT_PEER_CONNECTED] == 1);
}

static void refuse_version(void)
{
	tl__v1_refusal refusal = {.code = TL__STR("")};
	tl__buf args = TL__BUF_INIT;
	asked a;

	REQUIRE(take_v1(&a));
	CHECK(!a.header.has_to);
	tl__v1_write_refusal(&args, &refusal);
	answer_v1(&a, &bob, TL__V1_VERSION, tl__buf_view(&args), TL__STR(""));
	tl__buf_free(&args);
	asked_free(&a);
}

/* Where the transport agrees on a protocol, ours is tried first. */
static void a_channel_that_agrees_begins_with_a_hello(void)
{
	uint64_t op;

	r.core->transports[0].agrees = true;
	op = connect_to(HOME, NULL);
	refuse_version();
	answer_handshake(&bob, false);
	CHECK_DONE(op, TL_OK);
	REQUIRE(peer_of(&bob));
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V0 && r.send_count == 0);
}

static void whoever_refuses_both_protocols_is_asked_once_in_each(void)
{
	uint64_t op = connect_to(HOME, NULL);
	uint64_t exchange = r.sends[0].send.exchange;

	drop_send(0);
	answer_bytes(exchange, 501, TL__STR(""));
	refuse_version();
	CHECK_DONE(op, TL_E_PROTOCOL_MISMATCH);
	r.core->transports[0].agrees = true;
	op = connect_to(HOME, NULL);
	refuse_version();
	exchange = r.sends[0].send.exchange;
	drop_send(0);
	answer_bytes(exchange, 501, TL__STR(""));
	CHECK_DONE(op, TL_E_PROTOCOL_MISMATCH);
	CHECK(r.send_count == 0 && !peer_of(&bob));
}

static void so_is_one_that_was_registered(void)
{
	tl_database *db = new_database("alice");
	uint64_t exchange;

	CHECK_DONE(peer_command(TL__SYNC_REGISTER, &bob.key, "Bob"), TL_OK);
	CHECK_DONE(pair_command(TL__SYNC_RELATE, &bob.key, tl_database_root_id(db), NULL), TL_OK);
	CHECK_DONE(address_command(TL__SYNC_ADD_ADDRESS, &bob.key, HOME), TL_OK);
	REQUIRE(sends("/api/v0", HOME));
	exchange = r.sends[0].send.exchange;
	drop_send(0);
	answer_bytes(exchange, 501, TL__STR(""));
	answer_hello(&bob);
	CHECK(peer_of(&bob)->protocol == TL__PROTOCOL_V1);
	CHECK(sends("/tidelock/v1/pull", HOME));
	tl_database_free(db);
}

int main(void)
{
	rig_v0 = tl__v0_spoken();
	RUN_RIG(a_tidelock_peer_is_met_by_handshake_and_hello);
	RUN_RIG(a_0_2_0_peer_is_met_by_handshake_alone);
	RUN_RIG(a_handshake_must_be_signed_by_the_key_it_names);
	RUN_RIG(a_pinned_peer_is_not_spoken_to_in_v0_again);
	RUN_RIG(a_known_0_2_0_key_proves_nothing_in_v1);
	RUN_RIG(a_node_without_0_2_0_is_met_all_the_same);
	RUN_RIG(a_channel_that_agrees_begins_with_a_hello);
	RUN_RIG(whoever_refuses_both_protocols_is_asked_once_in_each);
	RUN_RIG(so_is_one_that_was_registered);
	return spec_end();
}
