/* How many connections the HTTP server keeps, of whom, and what becomes of those beyond. */
#include <sys/resource.h>
#include "http_raw.h"

#define ASK "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"

static void connections_are_limited_in_all(void)
{
	tl_serve_options options = {.size = sizeof options, .max_connections = 3};
	raw c[4];
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	for (int i = 0; i < 4; i++) {
		REQUIRE(raw_open(&c[i], &g));
		raw_say(&c[i],
			i < 3 ? "POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
			      : ASK);
		rig_wait(&g, 20);
	}
	CHECK(raw_until_answers(&c[3], 1, 300) == 0 && g.begun == 3 && !c[3].closed);
	raw_close(&c[0]);
	CHECK(raw_until_answers(&c[3], 1, RAW_GUARD_MS) == 1); /* it was only waiting */
	for (int i = 1; i < 4; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

static void connections_are_limited_per_peer(void)
{
	tl_serve_options options = {.size = sizeof options, .max_connections_per_peer = 2};
	raw c[3];
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	for (int i = 0; i < 3; i++) {
		REQUIRE(raw_open(&c[i], &g));
		raw_say(&c[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
		raw_until_answers(&c[i], 1, 300);
	}
	CHECK(raw_answers(&c[0]) == 1 && raw_answers(&c[1]) == 1);
	CHECK(raw_until_closed(&c[2], RAW_GUARD_MS) && raw_answers(&c[2]) == 0);
	for (int i = 0; i < 3; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

static void another_address_is_another_peer(void)
{
	tl_serve_options options = {.size = sizeof options, .max_connections_per_peer = 1};
	static const char *const from[] = {"127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.2"};
	raw c[4], again;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	for (int i = 0; i < 4; i++) {
		REQUIRE(raw_open_from(&c[i], &g, from[i]));
		raw_say(&c[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
		raw_until_answers(&c[i], 1, 300);
	}
	CHECK(raw_answers(&c[0]) == 1 && raw_answers(&c[1]) == 1);
	CHECK(raw_until_closed(&c[2], RAW_GUARD_MS) && raw_until_closed(&c[3], RAW_GUARD_MS));
	/* One that ended makes room. */
	raw_close(&c[0]);
	rig_wait(&g, 50);
	REQUIRE(raw_open_from(&again, &g, from[0]));
	raw_say(&again, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	CHECK(raw_until_answers(&again, 1, RAW_GUARD_MS) == 1);
	raw_close(&again);
	for (int i = 1; i < 4; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

static void the_default_per_peer_is_64(void)
{
	enum { LIMIT = 64 };
	raw c[LIMIT + 1];
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int i = 0; i <= LIMIT; i++)
		REQUIRE(raw_open(&c[i], &g));
	rig_wait(&g, 50);
	for (int i = 0; i <= LIMIT; i++)
		raw_take(&c[i]);
	CHECK(!c[LIMIT - 1].closed && c[LIMIT].closed);
	for (int i = 0; i <= LIMIT; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

/* Four addresses have all places, each with its full share, and do this with them. */
static void make_room_among(const char *what)
{
	enum { SOURCES = 4, SHARE = 5, PLACES = SOURCES * SHARE };
	tl_serve_options options = {.size = sizeof options,
		.max_connections = PLACES,
		.max_connections_per_peer = SHARE};
	raw c[PLACES], other[3];
	char source[INET_ADDRSTRLEN];
	int closed = 0;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	for (int i = 0; i < PLACES; i++) {
		snprintf(source, sizeof source, "127.0.2.%d", 1 + i % SOURCES);
		REQUIRE(raw_open_from(&c[i], &g, source));
		raw_say(&c[i], what);
		rig_wait(&g, 5);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(source, sizeof source, "127.0.3.%d", 1 + i);
		REQUIRE(raw_open_from(&other[i], &g, source));
		raw_say(&other[i], ASK);
		CHECK(raw_until_answers(&other[i], 1, RAW_GUARD_MS) == 1);
		CHECK(!other[0].closed);
	}
	for (int i = 0; i < PLACES; i++) {
		raw_take(&c[i]);
		closed += c[i].closed;
		raw_close(&c[i]);
	}
	if (closed != 3)
		printf("%d were closed\n", closed);
	CHECK(closed == 3);
	for (int i = 0; i < 3; i++)
		raw_close(&other[i]);
	rig_close(&g);
}

static void silent_connections_make_room(void)
{
	make_room_among("");
}

static void half_open_connections_make_room(void)
{
	make_room_among("POST /echo HTTP/1.1\r\nHo");
}

static void idle_connections_make_room(void)
{
	make_room_among(ASK);
}

static void connections_that_never_end_their_requests_make_room(void)
{
	make_room_among("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx");
}

/* Strangers from anywhere take each other's places, never that of somebody known. */
static void known_requesters_keep_their_places(void)
{
	tl_serve_options options = {.size = sizeof options, .max_connections = 3};
	raw known, other[8];
	char source[INET_ADDRSTRLEN];
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	REQUIRE(raw_open(&known, &g));
	raw_say(&known, "POST /kept HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	CHECK(raw_until_answers(&known, 1, RAW_GUARD_MS) == 1);
	for (int i = 0; i < 8; i++) {
		snprintf(source, sizeof source, "127.0.3.%d", 1 + i);
		REQUIRE(raw_open_from(&other[i], &g, source));
		raw_say(&other[i], ASK);
		CHECK(raw_until_answers(&other[i], 1, RAW_GUARD_MS) == 1);
	}
	raw_say(&known, ASK);
	CHECK(raw_until_answers(&known, 2, RAW_GUARD_MS) == 2);
	raw_close(&known);
	for (int i = 0; i < 8; i++)
		raw_close(&other[i]);
	rig_close(&g);
}

/* Equal shares: nobody at work has to go for somebody else. */
static void a_newcomer_waits_where_everybody_works(void)
{
	enum { PLACES = 6 };
	tl_serve_options options = {.size = sizeof options, .max_connections = PLACES};
	raw c[PLACES + 1];
	char source[INET_ADDRSTRLEN];
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	for (int i = 0; i <= PLACES; i++) {
		snprintf(source, sizeof source, "127.0.2.%d", 1 + i);
		REQUIRE(raw_open_from(&c[i], &g, source));
		raw_say(&c[i],
			i < PLACES ? "POST /never HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
				   : ASK);
		rig_wait(&g, 10);
	}
	CHECK(raw_until_answers(&c[PLACES], 1, 300) == 0 && !c[PLACES].closed);
	for (int i = 0; i < PLACES; i++) {
		raw_take(&c[i]);
		CHECK(!c[i].closed);
	}
	raw_close(&c[0]);
	CHECK(raw_until_answers(&c[PLACES], 1, RAW_GUARD_MS) == 1);
	for (int i = 1; i <= PLACES; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

/* From addresses enough that none of them has too many. */
static void the_default_in_all_is_1024(void)
{
	enum { LIMIT = 1024, EACH = 60, NEEDED = 2 * LIMIT + 100 };
	raw c[LIMIT + 1];
	struct rlimit descriptors, before;
	char source[INET_ADDRSTRLEN];
	int closed = 0;
	rig g;

	REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
	descriptors = before;
	if (descriptors.rlim_cur < NEEDED)
		descriptors.rlim_cur = NEEDED;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &descriptors) ==
		0); /* `ulimit -Hn` must be 2,148 or more */
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int i = 0; i <= LIMIT; i++) {
		snprintf(source, sizeof source, "127.0.1.%d", 1 + i / EACH);
		REQUIRE(raw_open_from(&c[i], &g, source));
		if (i < LIMIT - 1)
			continue;
		raw_say(&c[i], ASK);
		CHECK(raw_until_answers(&c[i], 1, RAW_GUARD_MS) == 1);
	}
	for (int i = 0; i <= LIMIT; i++) {
		raw_take(&c[i]);
		closed += c[i].closed;
	}
	CHECK(closed == 1 && c[0].closed); /* the last one has its place */
	for (int i = 0; i <= LIMIT; i++)
		raw_close(&c[i]);
	rig_close(&g);
	(void)setrlimit(RLIMIT_NOFILE, &before);
}

/* Not even one connection of the server's own could end then. */
static void the_first_connection_waits_for_a_descriptor(void)
{
	struct rlimit limit, low;
	uint64_t turns;
	raw c;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = (rlim_t)c.fd + 1;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
	raw_say(&c, ASK);
	rig_wait(&g, 50);
	turns = tl__loop_turns(g.loop);
	rig_wait(&g, 400);
	turns = tl__loop_turns(g.loop) - turns;
	printf("# %u turns in 400 ms without a first descriptor\n", (unsigned)turns);
	CHECK(turns <= RIG_MOST_TURNS && g.begun == 0);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(raw_until_answers(&c, 1, RAW_GUARD_MS) == 1);
	raw_close(&c);
	rig_close(&g);
}

/* Without descriptors the server waits for one to come free, and does not spin meanwhile. */
static void running_out_of_descriptors_is_survived(void)
{
	enum { CLIENTS = 6 };
	struct rlimit limit, low;
	raw c[CLIENTS];
	uint64_t turns;
	size_t answered = 0;
	rig g;

	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK);
	for (int i = 0; i < CLIENTS; i++)
		REQUIRE(raw_open(&c[i], &g));
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = (rlim_t)c[CLIENTS - 1].fd + 3;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
	for (int i = 0; i < CLIENTS; i++)
		raw_say(&c[i], "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
	rig_wait(&g, 50);
	turns = tl__loop_turns(g.loop);
	rig_wait(&g, 300);
	printf("# %u turns in 300 ms without descriptors\n",
		(unsigned)(tl__loop_turns(g.loop) - turns));
	CHECK(tl__loop_turns(g.loop) - turns <= RIG_MOST_TURNS);
	for (int i = 0; i < CLIENTS; i++) {
		raw_take(&c[i]);
		answered += raw_answers(&c[i]);
	}
	CHECK(answered > 0 && answered < CLIENTS);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int i = 0; i < CLIENTS; i++)
		if (raw_answers(&c[i]) == 1)
			shutdown(c[i].fd, SHUT_RDWR);
	for (int i = 0; i < CLIENTS; i++)
		CHECK(raw_until_answers(&c[i], 1, RAW_GUARD_MS) == 1);
	for (int i = 0; i < CLIENTS; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

/* Clients that stay after an early answer keep neither descriptors nor anyone busy. */
static void lingering_is_bounded(void)
{
	enum { CLIENTS = 80, MOST = 64 };
	tl_serve_options options = {.size = sizeof options, .max_connections_per_peer = 200};
	raw c[CLIENTS];
	int before;
	rig g;

	REQUIRE(rig_open(&g, NULL, &options) == TL_OK);
	before = open_descriptors();
	for (int i = 0; i < CLIENTS; i++) {
		REQUIRE(raw_open(&c[i], &g));
		raw_say(&c[i],
			"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\nx");
	}
	for (int i = 0; i < CLIENTS; i++)
		CHECK(raw_until_answers(&c[i], 1, RAW_GUARD_MS) == 1 && raw_status(&c[i]) == 403);
	CHECK(open_descriptors() - before <= CLIENTS + MOST);
	rig_wait(&g, 3500);
	CHECK(open_descriptors() - before == CLIENTS);
	for (int i = 0; i < CLIENTS; i++)
		raw_close(&c[i]);
	rig_close(&g);
}

int main(void)
{
	RUN(connections_are_limited_in_all);
	RUN(connections_are_limited_per_peer);
	RUN(another_address_is_another_peer);
	RUN(the_default_per_peer_is_64);
	RUN(the_default_in_all_is_1024);
	RUN(silent_connections_make_room);
	RUN(half_open_connections_make_room);
	RUN(idle_connections_make_room);
	RUN(connections_that_never_end_their_requests_make_room);
	RUN(known_requesters_keep_their_places);
	RUN(a_newcomer_waits_where_everybody_works);
	RUN(the_first_connection_waits_for_a_descriptor);
	RUN(running_out_of_descriptors_is_survived);
	RUN(lingering_is_bounded);
	return spec_end();
}
