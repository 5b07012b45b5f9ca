/* Bounds of the engine: servers, requests that cannot be begun, names, access requests. */
#include <pthread.h>
#include "base/fail.h"
#include "base/str.h"
#include "check.h"
#include "engine/run/engine_impl.h"
#include "engine/parts/node_impl.h"
#include "site_help.h"

/* --- transports that fail, or take their time ------------------------------------------------- */

#define PEERS 300

typedef struct own {
	tl_transport base; /* first: a transport is its own */
	char type[16];
	tl_loop *loop;
	_Atomic bool hold; /* a server that was stopped goes on stopping */
	struct stopping {
		void (*stopped)(void *ud);
		void *ud;
	} stopping[4];
	size_t count;
} own;

static _Atomic unsigned dialled[PEERS];

static int accept_any(tl_transport *transport, const char *address)
{
	(void)transport;
	(void)address;
	return TL_OK;
}

static int send_never(tl_transport *transport, const tl_request *request,
	const tl_response_sink *sink, tl_exchange **out)
{
	unsigned long at = strtoul(request->address, NULL, 10);

	(void)transport;
	(void)sink;
	(void)out;
	if (at < PEERS)
		dialled[at]++;
	request->body.drop(request->body.ud);
	return tl__fail(TL_E_CONNECTION_FAILED, "this transport never connects");
}

static int serve_any(tl_transport *transport, const char *bind, const tl_serve_options *options,
	const tl_server_calls *calls, void *ud, tl_server **out)
{
	(void)bind;
	(void)options;
	(void)calls;
	(void)ud;
	*out = (tl_server *)transport;
	return TL_OK;
}

static const char *address_any(tl_server *server)
{
	(void)server;
	return "here";
}

static void end_stopping(void *ud)
{
	own *o = ud;
	size_t count = o->count;

	o->count = 0;
	for (size_t i = 0; i < count; i++)
		o->stopping[i].stopped(o->stopping[i].ud);
}

static void stop_later(tl_server *server, uint32_t grace_ms, void (*stopped)(void *ud), void *ud)
{
	own *o = (own *)server;

	(void)grace_ms;
	o->stopping[o->count++] = (struct stopping){stopped, ud};
	if (!o->hold)
		(void)!o->loop->post(o->loop, end_stopping, o);
}

static void free_none(tl_transport *transport)
{
	(void)transport;
}

static int make_own(void *ud, tl_loop *loop, tl_transport **out)
{
	own *o = ud;

	o->loop = loop;
	*out = &o->base;
	return TL_OK;
}

static own *own_init(own *o, int number)
{
	*o = (own){.base = {.size = sizeof o->base,
			   .check_address = accept_any,
			   .send = send_never,
			   .serve = serve_any,
			   .server_address = address_any,
			   .stop = stop_later,
			   .free = free_none}};
	snprintf(o->type, sizeof o->type, "own%d", number);
	o->base.type = o->type;
	return o;
}

/* --- requests that cannot be begun ------------------------------------------------------------ */

static bool all_dialled(unsigned times)
{
	for (int i = 0; i < PEERS; i++)
		if (dialled[i] < times)
			return false;
	return true;
}

/* All peers are due at the same tick, and none of their requests can be begun: each failure is
 * told, so each is tried again at the next. */
static void requests_that_cannot_be_begun_are_all_told(void)
{
	tl_sync_options options = quick();
	tl_address address = {.type = "own0"};
	tl_id db = {{7}};
	tl_node *node;
	own o;

	/* All dial at each tick; sanitizers make that slow. */
	options.periodic_ms = SPEC_SANITIZED ? 3000 : 100;
	options.retry_max_ms = 64000;
	node = open_node(NULL, &options);
	REQUIRE(node != NULL);
	CHECK_OK(tl_sync_add_transport(node, make_own, own_init(&o, 0)));
	for (int i = 0; i < PEERS; i++) {
		uint8_t seed[TL_SEED_BYTES] = {(uint8_t)i, (uint8_t)(i >> 8), 9};
		char text[TL_KEY_TEXT_LEN + 1];
		tl_secret secret;
		tl_key key;

		CHECK_OK(tl_secret_from_seed(&secret, seed));
		tl_secret_public(&secret, &key);
		tl_key_format(&key, text);
		snprintf(address.text, sizeof address.text, "%d", i);
		CHECK_OK(tl_sync_register_peer(node, text, NULL));
		CHECK_OK(tl_sync_add_peer_address(node, text, &address));
		CHECK_OK(tl_sync_add_tree_sync(node, text, &db));
	}
	CHECK(WAIT_FOR(all_dialled(5)));
	tl_node_close_within(node, 0);
}

/* --- servers ---------------------------------------------------------------------------------- */

static void *stop_servers(void *ud)
{
	return tl_sync_stop_server(ud) == TL_OK ? ud : NULL;
}

static void start_all(tl_node *node, own *all, int code)
{
	for (int i = 0; i < TL__ENGINE_MAX_TRANSPORTS; i++)
		CHECK_CODE(tl_sync_start_server(node, "x", all[i].type), code);
}

static int count_one(void *ud, const tl_address *address)
{
	(void)address;
	++*(int *)ud;
	return TL_OK;
}

/* As many as there can be: one of each transport runs while its last one is still stopping. */
static void servers_stop_and_start_up_to_their_bound(void)
{
	own all[TL__ENGINE_MAX_TRANSPORTS];
	tl_node *node = open_node(NULL, NULL);
	pthread_t thread;
	void *stopped = NULL;
	int running = 0;

	REQUIRE(node != NULL);
	for (int i = 0; i < TL__ENGINE_MAX_TRANSPORTS; i++) {
		CHECK_OK(tl_sync_add_transport(node, make_own, own_init(&all[i], i)));
		all[i].hold = true;
	}
	start_all(node, all, TL_OK);
	REQUIRE(pthread_create(&thread, NULL, stop_servers, node) == 0);
	CHECK(WAIT_FOR(!tl_sync_is_server_running(node)));
	start_all(node, all, TL_OK);
	start_all(node, all, TL_E_SERVER_ALREADY_RUNNING); /* and no third one */
	CHECK_CODE(tl_sync_stop_server(node), TL_E_BUSY);
	CHECK(pthread_tryjoin_np(thread, &stopped) != 0);
	for (int i = 0; i < TL__ENGINE_MAX_TRANSPORTS; i++) {
		all[i].hold = false;
		CHECK_OK(all[i].loop->post(all[i].loop, end_stopping, &all[i]));
	}
	REQUIRE(pthread_join(thread, &stopped) == 0);
	CHECK(stopped == node);
	CHECK_OK(tl_sync_get_server_addresses(node, count_one, &running));
	CHECK(running == TL__ENGINE_MAX_TRANSPORTS);
	CHECK_OK(tl_sync_stop_server(node));
	CHECK(!tl_sync_is_server_running(node));
	tl_node_close_within(node, 0);
}

/* --- names and access requests ---------------------------------------------------------------- */

static void a_node_has_a_longest_name(void)
{
	tl_node_config config = offline(NULL);
	char name[257];
	tl_node *node = NULL;

	memset(name, 'n', sizeof name);
	name[256] = '\0';
	config.name = name;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	CHECK(!node);
	name[255] = '\0';
	CHECK_OK(tl_node_open(&node, &config));
	tl_node_close(node);
}

#define DAY_MS (INT64_C(24) * 3600 * 1000)

static void write_request(tl_node *node, const char *id, int64_t age_ms)
{
	tl_database *db = NULL;
	tl_transaction *tx = NULL;
	tl_table *table = NULL;
	char key[TL_KEY_TEXT_LEN + 1], root[TL_ID_TEXT_LEN + 1], time[30], row[600];
	tl_id wanted = {{1}};

	CHECK_OK(tl_node_device_key(node, key));
	tl_id_format(&wanted, root);
	tl__time_format(tl__system_clock.wall_ms(tl__system_clock.ud) - age_ms, time);
	snprintf(row, sizeof row,
		"{\"tree_id\":\"%s\",\"requesting_pubkey\":\"%s\",\"requesting_key_name\":\"k\","
		"\"requested_permission\":\"Read\",\"timestamp\":\"%s\",\"status\":\"Pending\","
		"\"peer_address\":{\"transport_type\":\"http\",\"address\":\"h:1\"}}",
		root, key, time);
	CHECK_OK(tl__database_open(&node->engine->host, &node->sync_db, &db));
	CHECK_OK(tl_transaction_new(db, &tx));
	CHECK_OK(tl_transaction_set_auth_key(tx, TL__STR(TL__DEVICE_KEY_NAME)));
	CHECK_OK(tl_transaction_table(tx, TL__STR("bootstrap_requests"), &table));
	CHECK_OK(tl_table_set(table, tl__str_z(id), tl__str_z(row)));
	CHECK_OK(tl_transaction_commit(tx, NULL));
	tl_table_free(table);
	tl_transaction_free(tx);
	tl_database_free(db);
}

static void a_request_can_be_decided_for_thirty_days(void)
{
	static const char young[] = "00000000-0000-4000-8000-000000000001";
	static const char old[] = "00000000-0000-4000-8000-000000000002";
	tl_node *node = open_node(NULL, NULL);
	char *json = NULL;

	REQUIRE(node != NULL);
	write_request(node, young, 30 * DAY_MS - 60000);
	write_request(node, old, 30 * DAY_MS + 60000);
	CHECK_OK(tl_sync_bootstrap_requests(node, "pending", &json));
	CHECK(json && strstr(json, young) && !strstr(json, old));
	tl_free(json);
	CHECK_CODE(tl_sync_reject_bootstrap_request(node, old, "k"), TL_E_REQUEST_NOT_FOUND);
	/* The young one is found; the key that is to decide is not. */
	CHECK_CODE(tl_sync_reject_bootstrap_request(node, young, "k"), TL_E_KEY_NOT_FOUND);
	tl_node_close_within(node, 0);
}

int main(void)
{
	RUN(requests_that_cannot_be_begun_are_all_told);
	RUN(servers_stop_and_start_up_to_their_bound);
	RUN(a_node_has_a_longest_name);
	RUN(a_request_can_be_decided_for_thirty_days);
	return spec_end();
}
