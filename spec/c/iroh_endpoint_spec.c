/* An endpoint of the Iroh plugin: addresses, limits, options, what breaks it and what does not. */
#include "iroh_help.h"
#include <sys/wait.h>
#include "iroh_pair_help.h"

static int dial_code(struct end *end, const char *address, size_t length, const char *protocol)
{
	tl_iroh_id operation;

	return iroh->connect(end->at, address, length, (const uint8_t *)protocol, strlen(protocol),
		1000, &operation);
}

static void what_cannot_be_dialled_says_why(void)
{
	tl_iroh_id operation = 0;

	REQUIRE(open_both(ECHO, NULL));
	size_t length = strlen(server.address);
	CHECK(dial_code(&client, server.address, length - 9, PROTOCOL) == TL_IROH_BAD_ADDRESS);
	CHECK(dial_code(&client, "", 0, PROTOCOL) == TL_IROH_BAD_ADDRESS);
	CHECK(dial_code(&client, "\xff\xfe", 2, PROTOCOL) == TL_IROH_BAD_ADDRESS);
	CHECK(dial_code(&client, server.address, length, "") == TL_IROH_BAD_ARGUMENT);

	CHECK(dial(&client, NULL, client.address) == 0);
	CHECK(client.kept[client.kept_count - 1].code == TL_IROH_OWN_ID);

	/* An id alone, with no lookup. */
	char id[65];
	size_t size = sizeof(id);
	char error[100] = "";
	CHECK(iroh->convert(server.address, length, TL_IROH_FORM_ID, id, &size, error,
		      sizeof(error)) == TL_IROH_OK &&
		size == 64);
	end_free(&client);
	REQUIRE(end_open(&client, SILENT, NULL));
	CHECK(dial(&client, NULL, id) == 0);
	CHECK(client.kept[client.kept_count - 1].code == TL_IROH_NO_ADDRESS);

	/* A protocol that is not served. */
	client.kept_count = 0;
	CHECK(iroh->connect(client.at, server.address, length, (const uint8_t *)"other", 5, 5000,
		      &operation) == TL_IROH_OK);
	TURN_UNTIL(&client, &server, kept(&client, TL_IROH_EVENT_CONNECTED));
	const tl_iroh_event *connected = kept(&client, TL_IROH_EVENT_CONNECTED);
	CHECK(connected && connected->code == TL_IROH_ALPN && connected->operation == operation);
	free_both();
}

static void a_dead_address_takes_its_deadline_and_can_be_cancelled(void)
{
	char address[200], id[65];
	size_t size = sizeof(id);
	tl_iroh_id first = 0, second = 0;

	REQUIRE(open_both(ECHO, NULL));
	REQUIRE(iroh->convert(server.address, strlen(server.address), TL_IROH_FORM_ID, id, &size,
			NULL, 0) == TL_IROH_OK);
	/* Of somebody else, where nobody listens: port 9 of loopback. */
	id[0] = '0';
	end_free(&server);
	for (int last = 0; last < 10; last++) {
		id[63] = (char)('0' + last);
		snprintf(address, sizeof(address),
			"{\"node_id\":\"%s\",\"direct_addresses\":[\"127.0.0.1:9\"]}", id);
		if (dial_code(&client, address, strlen(address), PROTOCOL) == TL_IROH_OK)
			break;
	}
	client.kept_count = 0;
	CHECK(iroh->connect(client.at, address, strlen(address), (const uint8_t *)"p", 1, 400,
		      &first) == TL_IROH_OK);
	CHECK(iroh->connect(client.at, address, strlen(address), (const uint8_t *)"p", 1, 60000,
		      &second) == TL_IROH_OK);
	CHECK(iroh->cancel(client.at, second) == TL_IROH_OK);
	CHECK(iroh->cancel(client.at, second) == TL_IROH_UNKNOWN_ID);
	TURN_UNTIL(&client, NULL, client.kept_count >= 3);
	for (size_t i = 0; i < client.kept_count; i++)
		CHECK(client.kept[i].code ==
			(client.kept[i].operation == second ? TL_IROH_CANCELLED : TL_IROH_TIMEOUT));
	end_free(&client);
}

static void limits_of_connections_and_streams_hold(void)
{
	tl_iroh_options options = {.size = sizeof(options), .max_connections = 1, .max_streams = 4};
	struct end third;

	REQUIRE(open_both(ECHO, &options));
	REQUIRE(end_open(&third, SILENT, NULL));
	CHECK(dial(&third, &server, server.address) == 0);
	CHECK(third.kept[third.kept_count - 1].code == TL_IROH_CONNECT);
	/* Four in work at once, and still all are answered. */
	for (int i = 0; i < 64; i++)
		REQUIRE(ask(&client, way, "0123456789", 10, 0, 10, 0));
	TURN_UNTIL(&client, &server, all_through(&client));
	for (size_t i = 0; i < client.stream_count; i++)
		CHECK(client.streams[i].over);

	/* Its place is free again once it is gone. */
	end_free(&client);
	REQUIRE(end_open(&client, SILENT, NULL));
	uint64_t until = clock_ms() + IROH_WAIT_MS;
	way = 0;
	while (way == 0 && clock_ms() < until)
		way = dial(&client, &server, server.address);
	CHECK(way != 0);
	CHECK(iroh->accept(server.at, 0) == TL_IROH_OK);
	CHECK(dial(&third, &server, server.address) == 0);
	end_free(&third);
	free_both();
}

static void half_open_streams_do_not_make_it_deaf(void)
{
	tl_iroh_options options = {.size = sizeof(options), .max_streams = 4, .stream_ms = 400};

	REQUIRE(open_both(ECHO, &options));
	/* Four that begin a body and never go on. */
	tl_iroh_request_options patient = {sizeof(patient), 10, 60000, 0};
	tl_iroh_id id;
	for (int i = 0; i < 4; i++) {
		REQUIRE(iroh->request(client.at, way, "x", 1, 0, &patient, &id) == TL_IROH_OK);
		REQUIRE(stream_new(&client, id));
	}
	TURN_UNTIL(&client, &server, server.stream_count == 4);
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 10000);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over);
	CHECK(client.streams[0].ended && client.streams[0].peer_code == TL_IROH_RESET_SLOW);
	free_both();
}

/* Long before their deadline, since somebody waits for their places. */
static void streams_that_dawdle_lose_the_places_that_are_wanted(void)
{
	tl_iroh_options options = {.size = sizeof(options), .max_streams = 2};
	struct stream *quiet, *whole, *asked;
	uint64_t since;

	REQUIRE(open_both(SILENT, &options));
	client.hold_ms = 60000;
	whole = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(whole);
	TURN_UNTIL(&client, &server, server.stream_count == 1);
	tl_iroh_request_options patient = {sizeof(patient), 10, 60000, 0};
	tl_iroh_id id;
	REQUIRE(iroh->request(client.at, way, "x", 1, 0, &patient, &id) == TL_IROH_OK);
	quiet = stream_new(&client, id);
	REQUIRE(quiet);
	TURN_UNTIL(&client, &server, server.stream_count == 2);
	since = clock_ms();
	server.manner = ECHO;
	asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over && clock_ms() - since < 10000);
	CHECK(quiet->ended && quiet->peer_code == TL_IROH_RESET_SLOW);
	CHECK(!whole->ended); /* it is the server's turn there */
	free_both();
}

static void idle_connections_take_no_places_of_requests(void)
{
	tl_iroh_options options = {.size = sizeof(options), .max_streams = 2};
	struct end others[4];

	REQUIRE(open_both(ECHO, &options));
	for (int i = 0; i < 4; i++) {
		REQUIRE(end_open(&others[i], SILENT, NULL));
		CHECK(dial(&others[i], &server, server.address) != 0);
	}
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over);
	for (int i = 0; i < 4; i++)
		end_free(&others[i]);
	free_both();
}

static void a_connection_tells_how_it_stands(void)
{
	tl_iroh_connection_info info = {.size = sizeof(info)};

	REQUIRE(open_both(ECHO, NULL));
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked) && kept(&client, TL_IROH_EVENT_PATH));
	REQUIRE(iroh->connection_info(client.at, way, &info) == TL_IROH_OK);
	CHECK(info.relayed == 0 && info.paths >= 1 && info.round_trip_us > 0);
	CHECK(info.sent > 0 && info.received > 0);
	CHECK(strncmp(info.path, "127.0.0.1:", 10) == 0);
	CHECK(kept(&client, TL_IROH_EVENT_PATH)->flags == 0);
	info.size = 1;
	CHECK(iroh->connection_info(client.at, way, &info) == TL_IROH_BAD_ARGUMENT);

	char text[1 << 16];
	size_t length = 10;
	CHECK(iroh->metrics(client.at, text, &length) == TL_IROH_NO_SPACE && length > 10);
	length = sizeof(text);
	CHECK(iroh->metrics(client.at, text, &length) == TL_IROH_OK && strlen(text) == length);
	CHECK(strstr(text, "# TYPE"));
	free_both();
}

static void addresses_change_their_form_and_come_back(void)
{
	char json[TL_IROH_MAX_ADDRESS], back[TL_IROH_MAX_ADDRESS], error[100] = "";
	size_t length = sizeof(json), back_length = sizeof(back);

	REQUIRE(end_open(&server, ECHO, NULL));
	CHECK(iroh->address(server.at, TL_IROH_FORM_JSON, json, &length) == TL_IROH_OK);
	CHECK(strstr(json, "\"node_id\"") && strstr(json, "\"127.0.0.1:"));
	CHECK(!strstr(json, "[::]")); /* the bind address is the only one */
	CHECK(iroh->convert(json, length, TL_IROH_FORM_TICKET, back, &back_length, error,
		      sizeof(error)) == TL_IROH_OK);
	CHECK(strcmp(back, server.address) == 0);
	back_length = 5;
	CHECK(iroh->convert(json, length, TL_IROH_FORM_URI, back, &back_length, error,
		      sizeof(error)) == TL_IROH_NO_SPACE &&
		back_length == 8 + 64);
	CHECK(iroh->convert("nothing", 7, TL_IROH_FORM_URI, back, &back_length, error,
		      sizeof(error)) == TL_IROH_BAD_ADDRESS &&
		strlen(error) > 10);
	end_free(&server);
}

static int open_code(tl_iroh_options *options, char *error)
{
	tl_iroh *at = NULL;
	int code = iroh->open(options, &at, error, 200);

	iroh->free(at);
	return code;
}

static void wrong_options_are_refused(void)
{
	struct end end = {.bell = -1};
	tl_iroh_options good = {
		.size = sizeof(good), .bind = "127.0.0.1:0", .wake = end_rings, .ud = &end};
	const char secret[] = "SECRET-TOKEN\r\nX: y";
	tl_iroh_relay relay = {.url = "https://relay.invalid",
		.token = {(const uint8_t *)secret, sizeof(secret) - 1}};
	tl_iroh_options bad;
	char error[200] = "";

	CHECK(iroh->open(NULL, NULL, error, sizeof(error)) == TL_IROH_BAD_ARGUMENT);
#define BAD(member, value)                                                                         \
	do {                                                                                       \
		bad = good;                                                                        \
		bad.member = value;                                                                \
		error[0] = 0;                                                                      \
		CHECK(open_code(&bad, error) == TL_IROH_BAD_ARGUMENT);                             \
		CHECK(error[0] != 0);                                                              \
	} while (0)
	BAD(size, 8);
	BAD(wake, NULL);
	BAD(bind, "localhost");
	BAD(bind, "\xff");
	BAD(lookup, 3);
	BAD(relay_mode, 9);
	BAD(relay_mode, TL_IROH_RELAY_LIST);
	BAD(alpn_count, 1);
	BAD(idle_ms, 100);
	BAD(stream_window, 0xffffffffu);
	good.relay_mode = TL_IROH_RELAY_LIST;
	good.relays = &relay;
	BAD(relay_count, 1);
	CHECK(!strstr(error, "SECRET"));
	relay.token.length = 12;
	relay.url = "relay.invalid";
	BAD(relay_count, 1);
	relay.url = "https://user:SECRET@relay.invalid";
	BAD(relay_count, 1);
	CHECK(!strstr(error, "SECRET"));
	relay.url = "https://relay.invalid";
	relay.quic_port = 65536;
	BAD(relay_count, 1);
	relay.quic_port = 0;
	good.relay_count = 1;
	BAD(relay_mode, TL_IROH_RELAY_DISABLED);

	/* An address that this machine does not have is no misuse. */
	tl_iroh_options elsewhere = {
		.size = sizeof(elsewhere), .bind = "192.0.2.1:0", .wake = end_rings, .ud = &server};
	memset(&server, 0, sizeof(server));
	server.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	REQUIRE(iroh->open(&elsewhere, &server.at, error, sizeof(error)) == TL_IROH_OK);
	TURN_UNTIL(&server, NULL, kept(&server, TL_IROH_EVENT_BOUND));
	CHECK(kept(&server, TL_IROH_EVENT_BOUND)->code == TL_IROH_BIND);
	tl_iroh_id id;
	CHECK(iroh->online(server.at, 10, &id) == TL_IROH_STATE);
	end_free(&server);
}

static void no_relay_answers_says_so(void)
{
	/* A port of loopback at which nobody listens. */
	tl_iroh_relay relay = {.url = "http://127.0.0.1:9"};
	tl_iroh_options options = {.size = sizeof(options),
		.relay_mode = TL_IROH_RELAY_LIST,
		.relays = &relay,
		.relay_count = 1};
	tl_iroh_id operation = 0;

	REQUIRE(end_open(&server, ECHO, &options));
	CHECK(iroh->online(server.at, 1500, &operation) == TL_IROH_OK);
	TURN_UNTIL(&server, NULL, kept(&server, TL_IROH_EVENT_ONLINE));
	const tl_iroh_event *online = kept(&server, TL_IROH_EVENT_ONLINE);
	CHECK(online && online->operation == operation);
	CHECK(online && online->code == TL_IROH_RELAY_UNREACHABLE);
	end_free(&server);
}

static void a_key_is_the_same_endpoint_each_time(void)
{
	uint8_t key[32], first[32], second[32];
	tl_iroh_options options = {.size = sizeof(options), .secret_key = key};

	memset(key, 9, sizeof(key));
	REQUIRE(end_open(&server, ECHO, &options));
	CHECK(iroh->id(server.at, first) == TL_IROH_OK);
	end_free(&server);
	REQUIRE(end_open(&server, ECHO, &options));
	CHECK(iroh->id(server.at, second) == TL_IROH_OK && memcmp(first, second, 32) == 0);
	end_free(&server);
	options.secret_key = NULL;
	REQUIRE(end_open(&server, ECHO, &options));
	CHECK(iroh->id(server.at, second) == TL_IROH_OK && memcmp(first, second, 32) != 0);
	end_free(&server);
}

/* Everything open ends, other calls are refused, closing works, and the process goes on. */
static void check_broken(uint32_t where)
{
	tl_iroh_id closing;

	REQUIRE(open_both(ECHO, NULL));
	client.manner = SILENT;
	server.manner = SILENT;
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	int code = iroh->panic(client.at, where);
	CHECK(code == (where == 1 ? TL_IROH_OK : TL_IROH_PANIC));
	TURN_UNTIL(&client, &server, kept(&client, TL_IROH_EVENT_BROKEN));
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->ended && asked->code == TL_IROH_PANIC);
	const tl_iroh_event *broken = kept(&client, TL_IROH_EVENT_BROKEN);
	CHECK(broken && broken->code == TL_IROH_PANIC);
	CHECK(!strchr(client.last_text, '\n') && !strstr(client.last_text, "src/"));
	tl_iroh_request_options options = {sizeof(options), 1, 0, 0};
	CHECK(iroh->request(client.at, way, "x", 1, 1, &options, &closing) == TL_IROH_STATE);
	CHECK(iroh->close(client.at, 0, NULL, 0, 5000, &closing) == TL_IROH_OK);
	TURN_UNTIL(&client, &server, kept(&client, TL_IROH_EVENT_CLOSED));
	free_both();
}

static void a_panic_breaks_one_endpoint_and_nothing_else(void)
{
	check_broken(0);
	check_broken(1);
	check_broken(3);
	/* One in a task that nobody waits for changes nothing. */
	REQUIRE(open_both(ECHO, NULL));
	CHECK(iroh->panic(client.at, 2) == TL_IROH_OK);
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over);
	free_both();
}

static void a_forked_child_is_refused_and_harms_nobody(void)
{
	REQUIRE(open_both(ECHO, NULL));
	pid_t child = fork();
	if (child == 0) {
		tl_iroh_id id;
		bool refused = iroh->online(client.at, 1, &id) == TL_IROH_STATE;
		iroh->free(client.at);
		_exit(refused ? 0 : 1);
	}
	int status = -1;
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
	struct stream *asked = ask(&client, way, "x", 1, 0, 10, 0);
	REQUIRE(asked);
	TURN_UNTIL(&client, &server, is_through(asked));
	CHECK(asked->over);
	free_both();
}

static void nothing_is_no_argument(void)
{
	tl_iroh_event event;
	size_t length = 0;
	char text[10];
	uint8_t id[32];

	CHECK(iroh->id(NULL, id) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->next(NULL, &event, 1) == 0);
	CHECK(iroh->address(NULL, 0, text, &length) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->write(NULL, 1, "", 0, 0) == TL_IROH_BAD_ARGUMENT);
	iroh->flush(NULL);
	iroh->free(NULL);
	REQUIRE(open_both(ECHO, NULL));
	CHECK(iroh->id(client.at, NULL) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->next(client.at, NULL, 1) == 0);
	CHECK(iroh->address(client.at, 99, text, &length) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->address(client.at, 0, text, NULL) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->request(client.at, way, NULL, 5, 1, NULL, NULL) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->request(client.at, way, "x", 1, 1, NULL, NULL) == TL_IROH_BAD_ARGUMENT);
	CHECK(iroh->write(client.at, 12345, "x", 1, 1) == TL_IROH_UNKNOWN_ID);
	CHECK(iroh->connection_close(client.at, 0, 0, NULL, 0) == TL_IROH_UNKNOWN_ID);
	CHECK(iroh->panic(client.at, 9) == TL_IROH_BAD_ARGUMENT);
	free_both();
}

int main(void)
{
	const bool is_there = iroh_load();

	RUN_IF(is_there, what_cannot_be_dialled_says_why);
	RUN_IF(is_there, a_dead_address_takes_its_deadline_and_can_be_cancelled);
	RUN_IF(is_there, limits_of_connections_and_streams_hold);
	RUN_IF(is_there, half_open_streams_do_not_make_it_deaf);
	RUN_IF(is_there, streams_that_dawdle_lose_the_places_that_are_wanted);
	RUN_IF(is_there, idle_connections_take_no_places_of_requests);
	RUN_IF(is_there, a_connection_tells_how_it_stands);
	RUN_IF(is_there, addresses_change_their_form_and_come_back);
	RUN_IF(is_there, wrong_options_are_refused);
	RUN_IF(is_there, no_relay_answers_says_so);
	RUN_IF(is_there, a_key_is_the_same_endpoint_each_time);
	RUN_IF(is_there, a_panic_breaks_one_endpoint_and_nothing_else);
	RUN_IF(is_there, a_forked_child_is_refused_and_harms_nobody);
	RUN_IF(is_there, nothing_is_no_argument);
	return spec_end();
}
