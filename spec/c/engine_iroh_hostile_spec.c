/* What strangers do to a node over Iroh: floods of connections, of streams and of junk, half-open
 * streams, damaged addresses. Each stranger is the plugin alone, without anything of ours around
 * it. Meanwhile a peer that is known and one that comes anew get through. Needs the plugin. */
#define PROTOCOL "tidelock/1"
#include "iroh_help.h"
#include "site_help.h"
#include <arpa/inet.h>
#include <sys/socket.h>

#define STRANGERS         5
#define MORE_THAN_PLACES  1100  /* connections; a node takes 1,024 */
#define HANDSHAKES        64    /* under way at once */
#define STREAMS           256   /* of one connection */
#define PATIENCE_MS       10000 /* until a peer is answered beside them */
#define PATIENT_STREAM_MS 60000

static site hub, friend_of_it;
static struct end strangers[STRANGERS];

static bool site_open_iroh(site *s)
{
	tl_iroh_config config = TL_IROH_CONFIG_INIT;

	memset(s, 0, sizeof *s);
	config.relay_mode = "disabled";
	config.bind = "127.0.0.1:0";
	config.plugin = iroh_path();
	s->node = open_node(NULL, NULL);
	if (s->node && tl_node_device_key(s->node, s->key) == TL_OK &&
		tl_sync_enable_iroh_transport(s->node, &config) == TL_OK &&
		tl_sync_start_server(s->node, "", "iroh") == TL_OK &&
		tl_sync_get_server_address(s->node, &s->at) == TL_OK)
		return true;
	printf("site: %s\n", tl_error_message(tl_last_error()));
	return false;
}

/* Milliseconds until the hub has answered it. */
static int64_t greeted_in(site *who)
{
	int64_t since = now_ms();

	CHECK_OK(greet(who, &hub));
	return now_ms() - since;
}

static void both_are_served(void)
{
	site newcomer;

	CHECK(greeted_in(&friend_of_it) < PATIENCE_MS);
	REQUIRE(site_open_iroh(&newcomer));
	CHECK(greeted_in(&newcomer) < PATIENCE_MS);
	site_close(&newcomer);
}

static bool come(size_t count)
{
	if (!site_open_iroh(&hub) || !site_open_iroh(&friend_of_it))
		return false;
	CHECK_OK(greet(&friend_of_it, &hub));
	for (size_t i = 0; i < count; i++)
		if (!end_open(&strangers[i], SILENT, NULL))
			return false;
	return true;
}

static void leave(size_t count)
{
	for (size_t i = 0; i < count; i++)
		end_free(&strangers[i]);
	site_close(&friend_of_it);
	site_close(&hub);
}

static void a_flood_of_connections_keeps_nobody_out(void)
{
	unsigned taken = 0;

	REQUIRE(come(1));
	for (int i = 0; i < MORE_THAN_PLACES; i++)
		taken += dial(&strangers[0], NULL, hub.at.text) != 0;
	CHECK(taken > 0);
	both_are_served();
	leave(1);
}

static struct sockaddr_in on_loopback(unsigned port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

/* First packets of so many handshakes, each sent once; what comes back is never heard. */
static void begin_handshakes(struct end *from, int sink, const char *sink_address, int count)
{
	const struct sockaddr_in to =
		on_loopback((unsigned)strtoul(strstr(hub.at.text, "127.0.0.1:") + 10, NULL, 10));
	int64_t end = now_ms() + 1500;
	uint8_t packet[2048];
	tl_iroh_id operation;
	ssize_t len;

	for (int i = 0; i < count; i++)
		CHECK(iroh->connect(from->at, sink_address, strlen(sink_address),
			      (const uint8_t *)PROTOCOL, sizeof PROTOCOL - 1, PATIENT_STREAM_MS,
			      &operation) == TL_IROH_OK);
	while (now_ms() < end) {
		turn(from, NULL);
		while ((len = recv(sink, packet, sizeof packet, MSG_DONTWAIT)) > 0)
			(void)sendto(sink, packet, (size_t)len, 0, (const struct sockaddr *)&to,
				sizeof to);
	}
}

/* All handshakes that a node has under way at once are those of somebody who never goes on. */
static void half_open_handshakes_keep_nobody_out(void)
{
	struct sockaddr_in at = on_loopback(0);
	socklen_t size = sizeof at;
	char id[65], address[256];
	size_t id_size = sizeof id;
	int sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	REQUIRE(come(1));
	REQUIRE(sink >= 0 && bind(sink, (struct sockaddr *)&at, size) == 0 &&
		getsockname(sink, (struct sockaddr *)&at, &size) == 0);
	REQUIRE(iroh->convert(hub.at.text, strlen(hub.at.text), TL_IROH_FORM_ID, id, &id_size, NULL,
			0) == TL_IROH_OK);
	snprintf(address, sizeof address,
		"{\"node_id\":\"%s\",\"direct_addresses\":[\"127.0.0.1:%u\"]}", id,
		ntohs(at.sin_port));
	begin_handshakes(&strangers[0], sink, address, 2 * HANDSHAKES);
	both_are_served();
	close(sink);
	leave(1);
}

/* Half a head each, and never more. */
static void half_open_streams_of_many_keep_nobody_out(void)
{
	const tl_iroh_request_options patient = {sizeof patient, 1000, PATIENT_STREAM_MS, 0};
	tl_iroh_id id;

	REQUIRE(come(STRANGERS));
	for (size_t i = 0; i < STRANGERS; i++) {
		tl_iroh_id way = dial(&strangers[i], NULL, hub.at.text);

		REQUIRE(way != 0);
		for (int k = 0; k < STREAMS; k++)
			CHECK(iroh->request(strangers[i].at, way, "\0", 1, 0, &patient, &id) ==
				TL_IROH_OK);
		iroh->flush(strangers[i].at);
	}
	nap(500);
	both_are_served();
	leave(STRANGERS);
}

static bool all_are_through(const struct end *end)
{
	for (size_t i = 0; i < end->stream_count; i++)
		if (!end->streams[i].over && !end->streams[i].ended)
			return false;
	return true;
}

/* Bytes that are no request: each is answered or given up, and the connection goes on. */
static void junk_is_answered_and_harms_nobody(void)
{
	struct end *one = &strangers[0];
	uint8_t bytes[300];
	uint32_t state = 12345;
	tl_iroh_id way;

	REQUIRE(come(1));
	way = dial(one, NULL, hub.at.text);
	REQUIRE(way != 0);
	for (int i = 0; i < STREAMS; i++) {
		size_t length = (size_t)i % sizeof bytes + 1;

		for (size_t k = 0; k < length; k++) {
			state = state * 1664525 + 1013904223;
			bytes[k] = (uint8_t)(state >> 24);
		}
		CHECK(ask(one, way, bytes, length, 0, 100000, 5000) != NULL);
	}
	TURN_UNTIL(one, NULL, all_are_through(one));
	both_are_served();
	leave(1);
}

/* Each address with one character changed, taken away or doubled is refused as one, or is another
 * one. */
static void damaged_addresses_are_refused_or_others(void)
{
	char whole[TL_IROH_MAX_ADDRESS], damaged[TL_IROH_MAX_ADDRESS + 2];
	static const char *const others = "aZ0~{\"\x80";
	unsigned refused = 0, taken = 0;
	tl_op *op = NULL;

	REQUIRE(come(1));
	snprintf(whole, sizeof whole, "%s", strangers[0].address); /* a ticket */
	for (size_t i = 0; whole[i]; i++)
		for (const char *other = others; *other; other++) {
			tl_address at;
			int rc;

			if (*other == whole[i])
				continue;
			snprintf(damaged, sizeof damaged, "%s", whole);
			damaged[i] = *other;
			rc = tl_address_iroh(&at, tl__str_z(damaged));
			CHECK(rc == TL_OK || rc == TL_E_BAD_ADDRESS);
			refused += rc != TL_OK;
			taken += rc == TL_OK;
		}
	CHECK(refused > taken);
	CHECK_CODE(finish(tl_sync_connect_to_peer(hub.node, &hub.at, NULL, &op), &op),
		TL_E_BAD_ADDRESS); /* its own */
	leave(1);
}

int main(void)
{
	const bool is_there = iroh_load();

	RUN_IF(is_there, a_flood_of_connections_keeps_nobody_out);
	RUN_IF(is_there, half_open_handshakes_keep_nobody_out);
	RUN_IF(is_there, half_open_streams_of_many_keep_nobody_out);
	RUN_IF(is_there, junk_is_answered_and_harms_nobody);
	RUN_IF(is_there, damaged_addresses_are_refused_or_others);
	return spec_end();
}
