/* The Iroh plugin through its C ABI: real endpoints on loopback, relays and lookup off. */
#include "iroh_help.h"
#include "iroh_pair_help.h"

#define MANY (MOST_STREAMS / 2)

static void a_request_is_answered_both_ways(void)
{
	REQUIRE(open_both(ECHO, NULL));
	struct stream *asked = ask(&client, way, "hello", 5, 0, 100, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over && asked->received == 5 &&
		asked->sum == sum_of(0, (const uint8_t *)"hello", 5));

	/* The one that was dialled asks on the same connection. */
	const tl_iroh_event *accepted = kept(&server, TL_IROH_EVENT_ACCEPTED);
	REQUIRE(accepted);
	uint8_t id[32];
	CHECK(iroh->id(client.at, id) == TL_IROH_OK && memcmp(id, accepted->peer, 32) == 0);
	server.manner = SILENT;
	client.manner = ECHO;
	asked = ask(&server, accepted->connection, "", 0, 0, 100, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over && asked->received == 0);
	free_both();
}

static void both_sides_prefer_the_same_connection(void)
{
	REQUIRE(open_both(ECHO, NULL));
	TURN_UNTIL(&client, &server, kept(&server, TL_IROH_EVENT_ACCEPTED));
	const tl_iroh_event *dialled = kept(&client, TL_IROH_EVENT_CONNECTED);
	const tl_iroh_event *accepted = kept(&server, TL_IROH_EVENT_ACCEPTED);
	REQUIRE(dialled && accepted);
	CHECK(dialled->flags & TL_IROH_FLAG_DIALLED);
	CHECK(!(accepted->flags & TL_IROH_FLAG_DIALLED));
	CHECK((dialled->flags & TL_IROH_FLAG_PREFERRED) ==
		(accepted->flags & TL_IROH_FLAG_PREFERRED));
	CHECK(!!(dialled->flags & TL_IROH_FLAG_PREFERRED) ==
		(memcmp(accepted->peer, dialled->peer, 32) < 0));
	free_both();
}

static void many_requests_share_a_connection(void)
{
	REQUIRE(open_both(ECHO, NULL));
	for (int i = 0; i < MANY; i++)
		REQUIRE(ask(&client, way, "0123456789", 10, 0, 10, 0));
	TURN_UNTIL(&client, &server, all_through(&client));
	for (size_t i = 0; i < client.stream_count; i++)
		CHECK(client.streams[i].over && client.streams[i].received == 10);
	/* Batches: far fewer bells than requests. */
	CHECK(server.wakes < MANY && client.wakes < MANY);
	free_both();
}

static void a_bell_rings_once_until_it_is_answered(void)
{
	REQUIRE(open_both(ECHO, NULL));
	end_drain(&server);
	server.wakes = 0;
	/* While the server sleeps, one after the other. */
	for (int i = 0; i < 5; i++) {
		REQUIRE(ask(&client, way, "x", 1, 0, 10, 0));
		for (int j = 0; j < 4; j++)
			turn(&client, NULL);
	}
	end_drain(&server);
	CHECK(server.wakes == 1 && server.stream_count == 5);
	TURN_UNTIL(&client, &server, all_through(&client));
	free_both();
}

static void an_answer_may_be_held_as_long_as_was_asked(void)
{
	REQUIRE(open_both(SILENT, NULL));
	client.hold_ms = 60000;
	struct stream *patient = ask(&client, way, "x", 1, 0, 100, 500);
	client.hold_ms = 0;
	struct stream *impatient = ask(&client, way, "x", 1, 0, 100, 500);
	REQUIRE(patient && impatient);
	TURN_UNTIL(&client, &server, is_through(impatient) && server.stream_count == 2);
	CHECK(impatient->code == TL_IROH_TIMEOUT && !is_through(patient));
	CHECK(iroh->write(server.at, server.streams[0].id, "late", 4, 1) == 4);
	TURN_UNTIL(&client, &server, is_through(patient));
	CHECK(patient->over && patient->received == 4);
	free_both();
}

static void long_bodies_stream_both_ways(void)
{
	const uint64_t length = 24u << 20;

	REQUIRE(open_both(ECHO, NULL));
	struct stream *asked = ask(&client, way, "", 0, length, UINT64_MAX, 0);
	REQUIRE(asked);
	client.manner = SILENT; /* takes what comes */
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over && asked->received == length);
	CHECK(asked->sum == asked->taken_back);
	CHECK(client.writables > 0);
	free_both();
}

static void who_does_not_take_gets_no_more_than_the_window(void)
{
	tl_iroh_options options = {.size = sizeof(options), .stream_window = 128 << 10};
	const uint64_t length = 8u << 20;

	REQUIRE(open_both(CLOGGED, &options));
	struct stream *asked = ask(&client, way, "", 0, length, 100, 0);
	REQUIRE(asked);
	uint64_t until = clock_ms() + 500;
	while (clock_ms() < until)
		turn(&client, &server);
	CHECK(server.stream_count == 1 && server.streams[0].received == options.stream_window);
	CHECK(asked->left > 0 && !is_through(asked));

	/* It goes on where it was when something is taken. */
	server.manner = SILENT;
	CHECK(iroh->taken(server.at, server.streams[0].id, options.stream_window) == TL_IROH_OK);
	TURN_UNTIL(&client, &server, server.streams[0].fin);
	CHECK(server.streams[0].received == length && server.streams[0].sum == asked->taken_back);
	CHECK(iroh->write(server.at, server.streams[0].id, "x", 1, 1) == 1);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over && asked->received == 1);
	free_both();
}

static void a_peer_that_stops_reading_ends_by_its_deadline(void)
{
	REQUIRE(open_both(CLOGGED, NULL));
	struct stream *asked = ask(&client, way, "", 0, 64u << 20, 100, 700);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->ended && asked->code == TL_IROH_TIMEOUT);
	TURN_UNTIL(&client, &server, server.streams[0].ended);
	CHECK(server.streams[0].code == TL_IROH_RESET &&
		server.streams[0].peer_code == TL_IROH_RESET_SLOW);
	free_both();
}

static void without_an_answer_both_ends_are_told(void)
{
	tl_iroh_options options = {.size = sizeof(options), .stream_ms = 1500};

	REQUIRE(open_both(SILENT, &options));
	struct stream *asked = ask(&client, way, "x", 1, 0, 100, 0);
	struct stream *held = ask(&client, way, "x", 1, 0, 100, 0);
	REQUIRE(asked && held);
	TURN_UNTIL(&client, &server, server.stream_count == 2);
	CHECK(iroh->hold(server.at, server.streams[1].id, 60000) == TL_IROH_OK);
	/* Either may hear of it first. */
	TURN_UNTIL(&client, &server, is_through(asked) && server.streams[0].ended);
	CHECK(asked->code == TL_IROH_RESET && asked->peer_code == TL_IROH_RESET_NO_ANSWER);
	CHECK(server.streams[0].code == TL_IROH_TIMEOUT);
	/* The other is held, and answered. */
	CHECK(!is_through(held));
	CHECK(iroh->write(server.at, server.streams[1].id, "late", 4, 1) == 4);
	TURN_UNTIL(&client, &server, is_through(held));
	CHECK(held->over && held->received == 4);
	free_both();
}

static void bodies_over_the_limit_are_refused(void)
{
	REQUIRE(open_both(ECHO, NULL));
	struct stream *asked = ask(&client, way, "0123456789", 10, 0, 9, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->ended && asked->code == TL_IROH_TOO_LARGE);
	asked = ask(&client, way, "0123456789", 10, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over && asked->received == 10);

	server.manner = REJECTING;
	asked = ask(&client, way, "x", 1, 4u << 20, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->ended && asked->code == TL_IROH_RESET && asked->peer_code == 42);
	free_both();
}

static void an_early_answer_counts(void)
{
	REQUIRE(open_both(EARLY, NULL));
	struct stream *asked = ask(&client, way, "x", 1, 8u << 20, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, asked->fin);
	CHECK(asked->received == 5 && !asked->ended);
	CHECK(iroh->reset(client.at, asked->id, TL_IROH_RESET_GONE) == TL_IROH_OK);
	CHECK(iroh->reset(client.at, asked->id, TL_IROH_RESET_GONE) == TL_IROH_UNKNOWN_ID);
	TURN_UNTIL(&client, &server, server.streams[0].ended);
	free_both();
}

static void a_given_up_request_is_told_to_the_other_side(void)
{
	REQUIRE(open_both(SILENT, NULL));
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, server.stream_count == 1);
	CHECK(iroh->reset(client.at, asked->id, TL_IROH_RESET_GONE) == TL_IROH_OK);
	TURN_UNTIL(&client, &server, server.streams[0].ended);
	CHECK(server.streams[0].peer_code == TL_IROH_RESET_GONE);
	CHECK(iroh->write(server.at, server.streams[0].id, "x", 1, 1) == TL_IROH_UNKNOWN_ID);
	CHECK(iroh->taken(server.at, server.streams[0].id, 1) == TL_IROH_UNKNOWN_ID);
	CHECK(iroh->hold(server.at, server.streams[0].id, 1) == TL_IROH_UNKNOWN_ID);
	free_both();
}

static void a_close_in_the_middle_ends_everything(void)
{
	REQUIRE(open_both(SILENT, NULL));
	struct stream *first = ask(&client, way, "x", 1, 0, 10, 0);
	struct stream *second = ask(&client, way, "x", 1, 32u << 20, 10, 0);
	REQUIRE(first && second);
	TURN_UNTIL(&client, &server, server.stream_count == 2);
	const tl_iroh_event *accepted = kept(&server, TL_IROH_EVENT_ACCEPTED);
	REQUIRE(accepted);
	CHECK(iroh->connection_close(server.at, accepted->connection, 77, "enough", 6) == 0);
	TURN_UNTIL(&client, &server, kept(&client, TL_IROH_EVENT_DISCONNECTED));
	TURN_UNTIL(&client, &server, kept(&server, TL_IROH_EVENT_DISCONNECTED));
	const tl_iroh_event *gone = kept(&client, TL_IROH_EVENT_DISCONNECTED);
	REQUIRE(gone);
	CHECK(gone->code == TL_IROH_CLOSED && gone->peer_code == 77 && gone->connection == way);
	CHECK(first->ended && first->code == TL_IROH_CLOSED && first->peer_code == 77);
	CHECK(second->ended && all_through(&server));
	tl_iroh_id id = 0;
	tl_iroh_request_options options = {sizeof(options), 1, 0, 0};
	CHECK(iroh->request(client.at, way, "x", 1, 1, &options, &id) == TL_IROH_UNKNOWN_ID);
	CHECK(iroh->connection_close(client.at, way, 0, NULL, 0) == TL_IROH_UNKNOWN_ID);
	/* And another one is made. */
	server.manner = ECHO;
	way = dial(&client, &server, server.address);
	REQUIRE(way != 0);
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over);
	free_both();
}

static void an_endpoint_closes_with_streams_open(void)
{
	tl_iroh_id closing = 0;

	REQUIRE(open_both(SILENT, NULL));
	for (int i = 0; i < 100; i++)
		REQUIRE(ask(&client, way, "x", 1, 0, 10, 0));
	TURN_UNTIL(&client, &server, server.stream_count == 100);
	CHECK(iroh->close(server.at, 5, "bye", 3, 5000, &closing) == TL_IROH_OK && closing);
	CHECK(iroh->close(server.at, 5, "bye", 3, 5000, &closing) == TL_IROH_STATE);
	TURN_UNTIL(&client, &server, kept(&server, TL_IROH_EVENT_CLOSED));
	CHECK(all_through(&server));
	CHECK(server.kept[server.kept_count - 1].kind == TL_IROH_EVENT_CLOSED);
	CHECK(server.kept[server.kept_count - 1].operation == closing);
	TURN_UNTIL(&client, &server, all_through(&client));
	/* The connection's end, not that each of its streams was given up. */
	for (size_t i = 0; i < client.stream_count; i++)
		CHECK(client.streams[i].code == TL_IROH_CLOSED && client.streams[i].peer_code == 5);
	/* Freed without a close, streams open or not. */
	free_both();
	REQUIRE(open_both(SILENT, NULL));
	REQUIRE(ask(&client, way, "x", 1, 32u << 20, 10, 0));
	free_both();
}

int main(void)
{
	const bool is_there = iroh_load();

	RUN_IF(is_there, a_request_is_answered_both_ways);
	RUN_IF(is_there, both_sides_prefer_the_same_connection);
	RUN_IF(is_there, many_requests_share_a_connection);
	RUN_IF(is_there, a_bell_rings_once_until_it_is_answered);
	RUN_IF(is_there, an_answer_may_be_held_as_long_as_was_asked);
	RUN_IF(is_there, long_bodies_stream_both_ways);
	RUN_IF(is_there, who_does_not_take_gets_no_more_than_the_window);
	RUN_IF(is_there, a_peer_that_stops_reading_ends_by_its_deadline);
	RUN_IF(is_there, without_an_answer_both_ends_are_told);
	RUN_IF(is_there, bodies_over_the_limit_are_refused);
	RUN_IF(is_there, an_early_answer_counts);
	RUN_IF(is_there, a_given_up_request_is_told_to_the_other_side);
	RUN_IF(is_there, a_close_in_the_middle_ends_everything);
	RUN_IF(is_there, an_endpoint_closes_with_streams_open);
	return spec_end();
}
