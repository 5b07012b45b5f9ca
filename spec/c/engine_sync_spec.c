/* Two and more nodes in one process, over real HTTP on loopback: contact, databases, servers,
 * peers. */
#include "check.h"
#include "duo_help.h"

/* --- first contact ---------------------------------------------------------------------------- */

static void connecting_proves_keys_and_registers_the_peer(void)
{
	site a, b;
	tl_op *op = NULL;
	char *json = NULL;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	REQUIRE(tl_sync_connect_to_peer(a.node, &b.at, NULL, &op) == TL_OK);
	CHECK_OK(tl_op_wait(op, SITE_WAIT_MS));
	CHECK(strcmp(tl_op_text(op), b.key) == 0);
	tl_op_free(op);
	CHECK_OK(tl_sync_get_peer_info(a.node, b.key, &json));
	CHECK(strstr(json, "\"status\":\"active\"") != NULL);
	CHECK(strstr(json, "\"protocol\":\"v1\"") != NULL);
	CHECK(json_has(json, b.at.text));
	CHECK_OK(tl_sync_list_peers(a.node, &json));
	CHECK(json_has(json, b.key));
	site_close(&a);
	site_close(&b);
}

static void a_pinned_key_must_be_the_one_found(void)
{
	site a, b, c;
	tl_op *op = NULL;
	char *json = NULL;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL) && site_open(&c, NULL));
	CHECK_CODE(
		finish(tl_sync_connect_to_peer(a.node, &b.at, c.key, &op), &op), TL_E_KEY_MISMATCH);
	CHECK_CODE(tl_sync_get_peer_info(a.node, b.key, &json), TL_E_PEER_NOT_FOUND);
	CHECK_OK(finish(tl_sync_connect_to_peer(a.node, &b.at, b.key, &op), &op));
	site_close(&a);
	site_close(&b);
	site_close(&c);
}

static void an_address_without_a_server_fails_clearly(void)
{
	site a, b;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	REQUIRE(tl_sync_stop_server(b.node) == TL_OK);
	CHECK_CODE(greet(&a, &b), TL_E_CONNECTION_FAILED);
	snprintf(b.at.type, sizeof b.at.type, "smoke");
	CHECK_CODE(greet(&a, &b), TL_E_UNSUPPORTED_TRANSPORT);
	site_close(&a);
	site_close(&b);
}

static void without_transport_nothing_is_dialled_or_served(void)
{
	tl_node *node = open_node(NULL, NULL);
	tl_address address;
	tl_op *op = NULL;

	REQUIRE(node != NULL);
	CHECK_OK(tl_address_http(&address, TL__STR("127.0.0.1:1")));
	CHECK_CODE(finish(tl_sync_connect_to_peer(node, &address, NULL, &op), &op),
		TL_E_NO_TRANSPORT_ENABLED);
	CHECK_CODE(tl_sync_start_server(node, "127.0.0.1:0", NULL), TL_E_NO_TRANSPORT_ENABLED);
	CHECK_CODE(tl_sync_stop_server(node), TL_E_SERVER_NOT_RUNNING);
	CHECK_CODE(tl_sync_get_server_address(node, &address), TL_E_SERVER_NOT_RUNNING);
	tl_node_close(node);
}

/* --- databases -------------------------------------------------------------------------------- */

static void both_ways(bool on_disk)
{
	duo d;
	tl_database *mine = NULL;

	REQUIRE(duo_open(&d, on_disk, NULL));
	CHECK(holds(d.b.node, &d.id, "from", "a"));
	CHECK_OK(put(d.db, "later", "pushed")); /* on commit, to b */
	CHECK(WAIT_FOR(holds(d.b.node, &d.id, "later", "pushed")));
	mine = writer(d.b.node, &d.id, "b");
	if (mine) {
		CHECK_OK(put(mine, "back", "from b"));
		CHECK(WAIT_FOR(holds(d.a.node, &d.id, "back", "from b")));
	}
	CHECK(entries_of(d.a.node, &d.id) == entries_of(d.b.node, &d.id));
	tl_database_free(mine);
	duo_close(&d);
}

static void a_database_goes_both_ways_in_memory(void)
{
	both_ways(false);
}

static void a_database_goes_both_ways_on_disk(void)
{
	both_ways(true);
}

static void a_database_is_pulled_by_a_relation_alone(void)
{
	site a, b;
	tl_database *db;
	tl_id id;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	db = make_db(a.node, "wanted");
	REQUIRE(db != NULL);
	id = *tl_database_root_id(db);
	CHECK_OK(greet(&a, &b));
	CHECK_OK(greet(&b, &a));
	CHECK_OK(tl_sync_add_tree_sync(a.node, b.key, &id));
	CHECK_OK(tl_sync_add_tree_sync(b.node, a.key, &id));
	CHECK(WAIT_FOR(entries_of(b.node, &id) == 1));
	tl_database_free(db);
	site_close(&a);
	site_close(&b);
}

static void an_unknown_database_is_refused_unless_its_owner_is_accepted(void)
{
	tl_sync_options options = quick();
	site a, b, c;
	tl_database *db;
	const char *accepted[1];
	tl_id id;

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	accepted[0] = a.key;
	options.accept_databases_from = accepted;
	options.accept_databases_from_count = 1;
	REQUIRE(site_open_at(&c, NULL, &options, NULL));
	db = make_db(a.node, "gift");
	REQUIRE(db != NULL);
	id = *tl_database_root_id(db);
	CHECK_OK(greet(&a, &b));
	CHECK_OK(greet(&a, &c));
	CHECK_OK(tl_sync_add_tree_sync(a.node, b.key, &id));
	CHECK_OK(tl_sync_add_tree_sync(a.node, c.key, &id));
	CHECK(WAIT_FOR(entries_of(c.node, &id) == 1));
	CHECK_CODE(exchange(&a, &b, &id), TL_E_NOT_AVAILABLE);
	CHECK(strstr(tl_error_message(tl_last_error()), "unknown_database") != NULL);
	CHECK(entries_of(b.node, &id) == 0);
	tl_database_free(db);
	site_close(&a);
	site_close(&b);
	site_close(&c);
}

static void a_database_that_is_not_shared_looks_like_one_that_is_not_there(void)
{
	site a, b;
	tl_database *db;
	tl_id nowhere = {{'s', 1, 2, 3}};

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	db = make_db(a.node, "private");
	REQUIRE(db != NULL);
	CHECK_CODE(fetch(&b, &a, tl_database_root_id(db)), TL_E_NOT_AVAILABLE);
	CHECK_CODE(fetch(&b, &a, &nowhere), TL_E_NOT_AVAILABLE);
	CHECK_OK(make_public(db));
	CHECK_OK(fetch(&b, &a, tl_database_root_id(db)));
	CHECK(entries_of(b.node, tl_database_root_id(db)) == 2);
	tl_database_free(db);
	site_close(&a);
	site_close(&b);
}

static void periodic_sync_brings_what_was_not_pushed(void)
{
	tl_sync_options options = quick();
	duo d;

	options.periodic_ms = 100;
	options.on_commit = TL_OFF;
	REQUIRE(duo_open(&d, false, &options));
	CHECK_OK(put(d.db, "slow", "but sure"));
	CHECK(WAIT_FOR(holds(d.b.node, &d.id, "slow", "but sure")));
	duo_close(&d);
}

static void several_peers_get_every_commit(void)
{
	enum { PEERS = 4 };
	site hub, peers[PEERS];
	tl_database *db;
	tl_id id;

	REQUIRE(site_open(&hub, NULL));
	db = make_db(hub.node, "wide");
	REQUIRE(db != NULL);
	id = *tl_database_root_id(db);
	for (int i = 0; i < PEERS; i++) {
		REQUIRE(site_open(&peers[i], NULL));
		CHECK_OK(greet(&peers[i], &hub));
		CHECK_OK(greet(&hub, &peers[i]));
		CHECK_OK(tl_sync_add_tree_sync(hub.node, peers[i].key, &id));
		CHECK_OK(fetch(&peers[i], &hub, &id));
	}
	for (int i = 0; i < 20; i++)
		CHECK_OK(put(db, "n", "x"));
	for (int i = 0; i < PEERS; i++)
		CHECK(WAIT_FOR(entries_of(peers[i].node, &id) == 21));
	tl_database_free(db);
	for (int i = 0; i < PEERS; i++)
		site_close(&peers[i]);
	site_close(&hub);
}

/* --- servers ---------------------------------------------------------------------------------- */

static void a_server_stops_and_starts_again_and_the_outbox_is_sent(void)
{
	duo d;

	REQUIRE(duo_open(&d, false, NULL));
	CHECK(tl_sync_is_server_running(d.b.node));
	CHECK_CODE(
		tl_sync_start_server(d.b.node, "127.0.0.1:0", NULL), TL_E_SERVER_ALREADY_RUNNING);
	/* Neither reaches the other: b has no way to us. */
	CHECK_OK(tl_sync_remove_peer_address(d.b.node, d.a.key, &d.a.at, NULL));
	CHECK_OK(tl_sync_stop_server(d.b.node));
	CHECK(!tl_sync_is_server_running(d.b.node));
	CHECK_CODE(tl_sync_stop_server(d.b.node), TL_E_SERVER_NOT_RUNNING);
	CHECK_OK(put(d.db, "while", "away"));
	nap(50);
	CHECK(!holds(d.b.node, &d.id, "while", "away"));
	CHECK_OK(tl_sync_start_server(d.b.node, d.b.at.text, NULL));
	CHECK(WAIT_FOR(holds(d.b.node, &d.id, "while", "away")));
	duo_close(&d);
}

static void a_bind_that_cannot_be_says_so(void)
{
	site a;
	tl_node *b = open_node(NULL, NULL);

	REQUIRE(site_open(&a, NULL) && b != NULL);
	CHECK_OK(tl_sync_enable_http_transport(b, NULL));
	CHECK_CODE(tl_sync_enable_http_transport(b, NULL), TL_E_SERVER_ALREADY_RUNNING);
	CHECK_CODE(tl_sync_start_server(b, a.at.text, NULL), TL_E_SERVER_BIND);
	CHECK_CODE(tl_sync_start_server(b, "localhost:80", NULL), TL_E_SERVER_BIND);
	CHECK_CODE(tl_sync_start_server(b, "127.0.0.1:0", "https"), TL_E_NO_TRANSPORT_ENABLED);
	CHECK_CODE(tl_sync_start_server(b, "127.0.0.1:0", "none"), TL_E_NO_TRANSPORT_ENABLED);
	tl_node_close(b);
	site_close(&a);
}

static int refuse_wildcard(void *ud, const tl_address *address)
{
	++*(int *)ud;
	CHECK(strncmp(address->text, "0.0.0.0:", 8) != 0);
	return TL_OK;
}

static void a_wildcard_bind_is_advertised_by_its_interfaces(void)
{
	site a;
	int count = 0;

	REQUIRE(site_open_at(&a, NULL, NULL, "0.0.0.0:0"));
	CHECK(strncmp(a.at.text, "0.0.0.0:", 8) != 0);
	CHECK_OK(tl_sync_get_server_addresses(a.node, refuse_wildcard, &count));
	CHECK(count >= 1);
	site_close(&a);
}

/* --- peers ------------------------------------------------------------------------------------ */

static void a_blocked_peer_neither_gets_nor_gives(void)
{
	duo d;
	tl_database *mine;

	REQUIRE(duo_open(&d, false, NULL));
	CHECK_OK(tl_sync_update_peer_status(d.a.node, d.b.key, "blocked"));
	CHECK_OK(put(d.db, "secret", "x"));
	mine = writer(d.b.node, &d.id, "b");
	REQUIRE(mine != NULL);
	CHECK_OK(put(mine, "mine", "y"));
	CHECK(exchange(&d.b, &d.a, &d.id) != TL_OK);
	CHECK_CODE(exchange(&d.a, &d.b, &d.id), TL_E_PEER_BLOCKED);
	nap(100);
	CHECK(!holds(d.b.node, &d.id, "secret", "x"));
	CHECK(!holds(d.a.node, &d.id, "mine", "y"));
	CHECK_OK(tl_sync_update_peer_status(d.a.node, d.b.key, "active"));
	CHECK_OK(exchange(&d.a, &d.b, &d.id));
	CHECK(holds(d.b.node, &d.id, "secret", "x"));
	CHECK(holds(d.a.node, &d.id, "mine", "y"));
	CHECK_CODE(tl_sync_update_peer_status(d.a.node, d.b.key, "asleep"), TL_E_BAD_ARGUMENT);
	tl_database_free(mine);
	duo_close(&d);
}

static int count_address(void *ud, const tl_address *address)
{
	(void)address;
	++*(int *)ud;
	return TL_OK;
}

static void peers_and_addresses_are_kept_in_order(void)
{
	site a, b;
	tl_address address;
	char text[40], *json = NULL;
	bool removed = false, related = true;
	int count = 0;
	tl_id id = {{'s', 9}};

	REQUIRE(site_open(&a, NULL) && site_open(&b, NULL));
	CHECK_CODE(tl_sync_add_tree_sync(a.node, b.key, &id), TL_E_PEER_NOT_FOUND);
	CHECK_OK(tl_sync_register_peer(a.node, b.key, "laptop"));
	CHECK_CODE(tl_sync_register_peer(a.node, b.key, "laptop"), TL_E_PEER_ALREADY_EXISTS);
	CHECK_CODE(tl_sync_register_peer(a.node, "ed25519:short", NULL), TL_E_BAD_KEY);
	for (int i = 1; i <= 16; i++) {
		snprintf(text, sizeof text, "127.0.0.1:%d", i);
		CHECK_OK(tl_address_http(&address, tl__str_z(text)));
		CHECK_OK(tl_sync_add_peer_address(a.node, b.key, &address));
	}
	CHECK_OK(tl_address_http(&address, TL__STR("127.0.0.1:17")));
	CHECK_CODE(tl_sync_add_peer_address(a.node, b.key, &address), TL_E_TOO_LARGE);
	CHECK_OK(tl_sync_remove_peer_address(a.node, b.key, &address, &removed));
	CHECK(!removed);
	CHECK_OK(tl_address_http(&address, TL__STR("127.0.0.1:3")));
	CHECK_OK(tl_sync_remove_peer_address(a.node, b.key, &address, &removed));
	CHECK(removed);
	CHECK_OK(tl_sync_get_peer_addresses(a.node, b.key, "http", count_address, &count));
	CHECK(count == 15);
	count = 0;
	CHECK_OK(tl_sync_get_peer_addresses(a.node, b.key, "https", count_address, &count));
	CHECK(count == 0);
	CHECK_OK(tl_sync_add_tree_sync(a.node, b.key, &id));
	CHECK_OK(tl_sync_is_tree_synced_with_peer(a.node, b.key, &id, &related));
	CHECK(related);
	CHECK_OK(tl_sync_get_peer_trees(a.node, b.key, &json));
	CHECK(json_has(json, "sha256:09"));
	CHECK_OK(tl_sync_get_tree_peers(a.node, &id, &json));
	CHECK(json_has(json, b.key));
	CHECK_OK(tl_sync_remove_tree_sync(a.node, b.key, &id));
	CHECK_OK(tl_sync_is_tree_synced_with_peer(a.node, b.key, &id, &related));
	CHECK(!related);
	CHECK_OK(tl_sync_remove_peer(a.node, b.key));
	CHECK_CODE(tl_sync_get_peer_info(a.node, b.key, &json), TL_E_PEER_NOT_FOUND);
	site_close(&a);
	site_close(&b);
}

static void reopening_finds_peers_and_relations_again(void)
{
	duo d;
	char *json = NULL;
	bool related = false;

	REQUIRE(duo_open(&d, true, NULL));
	tl_database_free(d.db);
	d.db = NULL;
	tl_node_close(d.a.node);
	REQUIRE(site_open_at(&d.a, d.dir_a, NULL, d.a.at.text));
	CHECK_OK(tl_sync_get_peer_info(d.a.node, d.b.key, &json));
	CHECK(json_has(json, d.b.at.text));
	CHECK_OK(tl_sync_is_tree_synced_with_peer(d.a.node, d.b.key, &d.id, &related));
	CHECK(related);
	d.db = writer(d.a.node, &d.id, "k");
	REQUIRE(d.db != NULL);
	CHECK_OK(put(d.db, "after", "the restart"));
	CHECK(WAIT_FOR(holds(d.b.node, &d.id, "after", "the restart")));
	duo_close(&d);
}

static int count_db(void *ud, const tl_id *id)
{
	(void)id;
	++*(int *)ud;
	return TL_OK;
}

static void sync_keeps_its_records_in_one_hidden_database(void)
{
	char dir[SCRATCH_PATH], *json = NULL;
	site a, b;
	tl_database *db = NULL;
	tl_doc_store *peers = NULL;
	tl_id first;
	int shown = 0, all = 0;
	uint64_t before;

	scratch_make(dir);
	REQUIRE(site_open(&a, dir) && site_open(&b, NULL));
	CHECK_OK(greet(&a, &b));
	REQUIRE(tl_sync_tree(a.node, &db) == TL_OK);
	first = *tl_database_root_id(db);
	REQUIRE(tl_database_doc_store(db, TL__STR("peers"), &peers) == TL_OK);
	CHECK(tl_doc_store_get_string(peers, tl__str_z("x"), &json, NULL) != TL_OK);
	tl_doc_store_free(peers);
	tl_database_free(db);
	CHECK_OK(tl_node_all_databases(a.node, false, count_db, &shown));
	CHECK_OK(tl_node_all_databases(a.node, true, count_db, &all));
	CHECK(shown == 0 && all == 1);
	tl_node_close(a.node);
	REQUIRE(site_open(&a, dir));
	REQUIRE(tl_sync_tree(a.node, &db) == TL_OK);
	CHECK(memcmp(&first, tl_database_root_id(db), sizeof first) == 0);
	tl_database_free(db);
	before = entries_of(a.node, &first);
	CHECK_OK(greet(&a, &b)); /* nothing new: nothing is committed */
	tl_node_close(a.node);
	REQUIRE(site_open(&a, dir));
	CHECK(entries_of(a.node, &first) <= before + 1);
	site_close(&a);
	site_close(&b);
	scratch_remove(dir);
}

int main(void)
{
	RUN(connecting_proves_keys_and_registers_the_peer);
	RUN(a_pinned_key_must_be_the_one_found);
	RUN(an_address_without_a_server_fails_clearly);
	RUN(without_transport_nothing_is_dialled_or_served);
	RUN(a_database_goes_both_ways_in_memory);
	RUN(a_database_goes_both_ways_on_disk);
	RUN(a_database_is_pulled_by_a_relation_alone);
	RUN(an_unknown_database_is_refused_unless_its_owner_is_accepted);
	RUN(a_database_that_is_not_shared_looks_like_one_that_is_not_there);
	RUN(periodic_sync_brings_what_was_not_pushed);
	RUN(several_peers_get_every_commit);
	RUN(a_server_stops_and_starts_again_and_the_outbox_is_sent);
	RUN(a_bind_that_cannot_be_says_so);
	RUN(a_wildcard_bind_is_advertised_by_its_interfaces);
	RUN(a_blocked_peer_neither_gets_nor_gives);
	RUN(peers_and_addresses_are_kept_in_order);
	RUN(reopening_finds_peers_and_relations_again);
	RUN(sync_keeps_its_records_in_one_hidden_database);
	return spec_end();
}
