/* Real peers with more than one address: whichever works is used. */
#include "duo_help.h"
#include "forwarder.h"
#include "iroh_path.h"

static duo d;

static int add_http(tl_node *node, const char *peer, const char *host_port)
{
	tl_address address;

	CHECK_OK(tl_address_http(&address, tl__str_z(host_port)));
	return tl_sync_add_peer_address(node, peer, &address);
}

static uint64_t count_of(tl_node *node)
{
	return entries_of(node, &d.id);
}

/* `b` holds no watch of `a`: what is committed there is sent. */
static void without_watch(void)
{
	tl_pair_options options = TL_PAIR_OPTIONS_INIT;

	options.on_commit = TL_OFF;
	CHECK_OK(tl_sync_configure_pair(d.b.node, d.a.key, &d.id, &options));
}

static bool is_level(void)
{
	return count_of(d.a.node) > 0 && count_of(d.a.node) == count_of(d.b.node);
}

/* It was not its own deadline that ended a request, but an answer by another address. */
static bool was_left(tl_node *node, const char *peer)
{
	char *json = NULL;
	bool left = tl_sync_get_peer_info(node, peer, &json) == TL_OK &&
		    strstr(json, "while the peer answers at") != NULL;

	if (!left)
		printf("%s\n", json ? json : "no such peer");
	tl_free(json);
	return left;
}

static void commit_many(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char text[400];

		memset(text, 'x', sizeof text - 1);
		snprintf(text, sizeof text, "%u", i);
		text[strlen(text)] = ' ';
		text[sizeof text - 1] = 0;
		CHECK_OK(put(d.db, "n", text));
	}
}

/* Nobody answers at a listener of this kind; the system connects all the same. */
static int black_hole(char out[40])
{
	struct sockaddr_in at = forwarder_at(0);
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 16) != 0 ||
		getsockname(fd, (struct sockaddr *)&at, &len) != 0)
		return -1;
	snprintf(out, 40, "127.0.0.1:%d", ntohs(at.sin_port));
	return fd;
}

static void a_black_hole_before_the_address_that_works(void)
{
	char hole[40];
	int fd = black_hole(hole);
	site c;

	REQUIRE(fd >= 0 && duo_open(&d, false, NULL));
	REQUIRE(site_open(&c, NULL));
	CHECK_OK(make_public(d.db));
	/* By key alone, and the hole is what it was told first. */
	CHECK_OK(tl_sync_register_peer(c.node, d.a.key, NULL));
	CHECK_OK(add_http(c.node, d.a.key, hole));
	CHECK_OK(add_http(c.node, d.a.key, d.a.at.text));
	CHECK_OK(tl_sync_add_tree_sync(c.node, d.a.key, &d.id));
	CHECK(WAIT_FOR(count_of(c.node) == count_of(d.a.node)));
	CHECK(was_left(c.node, d.a.key));
	site_close(&c);
	duo_close(&d);
	close(fd);
}

/* The way in use is cut without a word in the middle of a page. */
static void a_transfer_goes_on_by_the_other_address(void)
{
	tl_sync_options options = quick();
	forwarder way;
	site c;

	options.max_page_bytes = 131072;
	REQUIRE(duo_open(&d, false, &options));
	commit_many(1500);
	CHECK_OK(make_public(d.db));
	REQUIRE(site_open_at(&c, NULL, &options, NULL));
	REQUIRE(forwarder_start(&way, d.a.at.text));
	way.mute_after = 400000;
	CHECK_OK(tl_sync_register_peer(c.node, d.a.key, NULL));
	CHECK_OK(add_http(c.node, d.a.key, way.address));
	CHECK_OK(add_http(c.node, d.a.key, d.a.at.text));
	CHECK_OK(tl_sync_add_tree_sync(c.node, d.a.key, &d.id));
	CHECK(WAIT_FOR(way.mute));
	CHECK(WAIT_FOR(count_of(c.node) == count_of(d.a.node)));
	CHECK(was_left(c.node, d.a.key));
	site_close(&c);
	forwarder_stop(&way);
	duo_close(&d);
}

/* A kept connection, over which all went well for a while. */
static void a_commit_leaves_a_mute_connection(void)
{
	forwarder way;
	tl_address first;

	REQUIRE(duo_open(&d, false, NULL));
	without_watch();
	REQUIRE(forwarder_start(&way, d.b.at.text));
	CHECK_OK(add_http(d.a.node, d.b.key, way.address));
	CHECK_OK(tl_address_http(&first, tl__str_z(d.b.at.text)));
	CHECK_OK(tl_sync_remove_peer_address(d.a.node, d.b.key, &first, NULL));
	CHECK_OK(put(d.db, "by", "the way"));
	CHECK(WAIT_FOR(is_level()));
	CHECK(way.passed > 0);
	/* From now on there is another one, which has never been used. */
	CHECK_OK(add_http(d.a.node, d.b.key, d.b.at.text));
	way.mute = true;
	CHECK_OK(put(d.db, "by", "the other"));
	CHECK(WAIT_FOR(is_level()));
	CHECK(was_left(d.a.node, d.b.key));
	duo_close(&d);
	forwarder_stop(&way);
}

static int iroh_here(tl_node *node)
{
	tl_iroh_config config = TL_IROH_CONFIG_INIT;

	config.plugin = iroh_path();
	config.relay_mode = "disabled";
	config.bind = "127.0.0.1:0";
	return tl_sync_enable_iroh_transport(node, &config);
}

static int note_iroh(void *ud, const tl_address *address)
{
	if (strcmp(address->type, "iroh") == 0)
		*(tl_address *)ud = *address;
	return TL_OK;
}

static tl_address iroh_address(tl_node *node)
{
	tl_address found = {{0}, {0}};

	CHECK_OK(tl_sync_get_server_addresses(node, note_iroh, &found));
	return found;
}

/* HTTP is lost, Iroh goes on, and the other way round. */
static void http_and_iroh_stand_in_for_each_other(void)
{
	forwarder way;
	tl_address by_iroh, plain;

	REQUIRE(duo_open(&d, false, NULL));
	without_watch();
	CHECK_OK(iroh_here(d.a.node));
	CHECK_OK(iroh_here(d.b.node));
	CHECK_OK(tl_sync_start_server(d.b.node, "", "iroh"));
	by_iroh = iroh_address(d.b.node);
	REQUIRE(by_iroh.text[0] && forwarder_start(&way, d.b.at.text));
	CHECK_OK(add_http(d.a.node, d.b.key, way.address));
	CHECK_OK(tl_address_http(&plain, tl__str_z(d.b.at.text)));
	CHECK_OK(tl_sync_remove_peer_address(d.a.node, d.b.key, &plain, NULL));
	CHECK_OK(put(d.db, "by", "http"));
	CHECK(WAIT_FOR(is_level()));
	CHECK_OK(tl_sync_add_peer_address(d.a.node, d.b.key, &by_iroh));
	way.mute = true;
	CHECK_OK(put(d.db, "by", "iroh"));
	CHECK(WAIT_FOR(is_level()));
	CHECK(was_left(d.a.node, d.b.key));
	/* And back: the node serves HTTP alone from now on. */
	CHECK_OK(tl_sync_stop_server(d.b.node));
	CHECK_OK(tl_sync_start_server(d.b.node, plain.text, "http"));
	way.mute = false;
	CHECK_OK(put(d.db, "by", "http again"));
	CHECK(WAIT_FOR(is_level()));
	duo_close(&d);
	forwarder_stop(&way);
}

int main(void)
{
	RUN(a_black_hole_before_the_address_that_works);
	RUN(a_transfer_goes_on_by_the_other_address);
	RUN(a_commit_leaves_a_mute_connection);
	RUN_IF(iroh_is_there(), http_and_iroh_stand_in_for_each_other);
	return spec_end();
}
