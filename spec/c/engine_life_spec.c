/* Nodes in the course of time: flushing, waiting, events, operations, closing, policies, access
 * requests, leaks. */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include "check.h"
#include "duo_help.h"
#include "engine/run/engine_impl.h"

/* --- waiting, events, operations -------------------------------------------------------------- */

static void flush_and_wait_say_when_it_is_done(void)
{
	duo d;
	tl_op *op = NULL;
	char *json = NULL;

	REQUIRE(duo_open(&d, false, NULL));
	for (int i = 0; i < 10; i++)
		CHECK_OK(put(d.db, "n", "x"));
	CHECK_OK(finish(tl_sync_flush(d.a.node, 60000, &op), &op));
	CHECK(entries_of(d.a.node, &d.id) == entries_of(d.b.node, &d.id));
	CHECK_OK(put(d.db, "n", "y"));
	CHECK_OK(finish(tl_sync_wait_until_synced(d.a.node, d.b.key, &d.id, 60000, &op), &op));
	CHECK(holds(d.b.node, &d.id, "n", "y"));
	CHECK_OK(tl_sync_get_sync_metadata(d.a.node, d.b.key, &json));
	CHECK(json_has(json, "\"successful_sync_count\":"));
	CHECK_OK(tl_sync_get_sync_cursor(d.a.node, d.b.key, &d.id, &json));
	CHECK(json_has(json, "\"total_synced_count\":"));
	CHECK_OK(tl_sync_get_peers_with_sync_state(d.a.node, &json));
	CHECK(json_has(json, d.b.key));
	CHECK_OK(tl_sync_status(d.a.node, &json));
	CHECK(strstr(json, "\"transports\":[\"http\",\"https\"]") != NULL);
	CHECK(strstr(json, d.a.at.text) != NULL);
	CHECK(strstr(json, "\"databases\":[{\"id\":\"sha256:") != NULL);
	CHECK(json_has(json, "\"pairs\":[{"));
	/* Neither reaches the other. */
	CHECK_OK(tl_sync_remove_peer_address(d.b.node, d.a.key, &d.a.at, NULL));
	CHECK_OK(tl_sync_stop_server(d.b.node));
	CHECK_OK(put(d.db, "n", "z"));
	CHECK_CODE(finish(tl_sync_flush(d.a.node, 300, &op), &op), TL_E_TIMEOUT);
	CHECK_CODE(finish(tl_sync_wait_until_synced(d.a.node, d.b.key, &d.id, 100, &op), &op),
		TL_E_TIMEOUT);
	duo_close(&d);
}

/* The program's signals are its own: one that all its threads block waits, and ends nobody. */
static void our_threads_take_no_signals(void)
{
	const struct timespec at_once = {0, 0};
	sigset_t set, before;
	duo d;

	REQUIRE(duo_open(&d, false, NULL));
	for (int i = 0; i < 10; i++)
		CHECK_OK(put(d.db, "n", "x"));
	CHECK_OK(exchange(&d.a, &d.b, &d.id));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	nap(50);
	CHECK_OK(put(d.db, "n", "y"));
	CHECK_OK(exchange(&d.a, &d.b, &d.id));
	CHECK(sigtimedwait(&set, NULL, &at_once) == SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	duo_close(&d);
}

static void history_is_written_and_cleaned(void)
{
	duo d;
	char *json = NULL;
	uint64_t removed = 1;

	REQUIRE(duo_open(&d, false, NULL));
	CHECK_OK(exchange(&d.a, &d.b, &d.id));
	CHECK(WAIT_FOR(tl_sync_get_sync_history(d.a.node, d.b.key, 1, &json) == TL_OK &&
		       (json[1] == '{' || (tl_free(json), false))));
	CHECK(json_has(json, "\"success\":true"));
	CHECK_OK(tl_sync_cleanup_old_history(d.a.node, 1, &removed));
	CHECK(removed == 0);
	nap(20);
	CHECK_OK(tl_sync_cleanup_old_history(d.a.node, 0, &removed));
	CHECK(removed > 0);
	duo_close(&d);
}

static bool event_comes(tl_node *node, tl_event_kind kind, tl_event *out)
{
	int64_t end = now_ms() + SITE_WAIT_MS;

	while (now_ms() < end) {
		if (tl_next_event(node, out) == 0)
			nap(5);
		else if (out->kind == kind)
			return true;
	}
	return false;
}

static void events_tell_what_happens(void)
{
	duo d;
	tl_event event = TL_EVENT_INIT;

	REQUIRE(duo_open(&d, false, NULL));
	(void)tl_node_fd(d.a.node);
	(void)tl_node_fd(d.b.node);
	CHECK_OK(put(d.db, "x", "y"));
	CHECK(event_comes(d.a.node, TL_EVENT_ENTRY_COMMITTED, &event));
	CHECK(event_comes(d.a.node, TL_EVENT_SYNC_FINISHED, &event));
	CHECK(event.has_peer && event.has_db && event.time_ms > 0);
	CHECK(event_comes(d.b.node, TL_EVENT_ENTRIES_RECEIVED, &event));
	CHECK(event.number == 1 && memcmp(&event.db, &d.id, sizeof d.id) == 0);
	CHECK_OK(tl_sync_remove_peer_address(d.b.node, d.a.key, &d.a.at, NULL));
	CHECK_OK(tl_sync_stop_server(d.b.node));
	CHECK(event_comes(d.b.node, TL_EVENT_SERVER_STOPPED, &event));
	CHECK(strcmp(event.text + strlen("http:"), d.b.at.text) == 0);
	CHECK_OK(put(d.db, "x", "z"));
	CHECK(event_comes(d.a.node, TL_EVENT_SYNC_FAILED, &event));
	CHECK(strlen(event.text) > 0 && event.code == TL_E_CONNECTION_FAILED);
	duo_close(&d);
}

/* A listener that accepts and never answers. */
static int silent_listener(tl_address *at)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[40];

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(fd, 16) != 0 || getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return -1;
	snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
	return tl_address_http(at, tl__str_z(text)) == TL_OK ? fd : -1;
}

static void count_callback(void *ud, tl_op *op)
{
	(void)op;
	++*(int *)ud;
}

static void an_operation_is_cancelled_or_times_out(void)
{
	site a;
	tl_address silent;
	int fd = silent_listener(&silent), calls = 0;
	tl_op *op = NULL;

	REQUIRE(fd >= 0 && site_open(&a, NULL));
	REQUIRE(tl_sync_connect_to_peer(a.node, &silent, NULL, &op) == TL_OK);
	tl_op_then(op, count_callback, &calls);
	CHECK_CODE(tl_op_wait(op, 50), TL_E_TIMEOUT);
	CHECK(calls == 1);
	tl_op_free(op);
	REQUIRE(tl_sync_connect_to_peer(a.node, &silent, NULL, &op) == TL_OK);
	nap(20);
	tl_op_then(op, count_callback, &calls);
	tl_op_cancel(op);
	CHECK_CODE(tl_op_wait(op, 0), TL_E_CANCELLED);
	CHECK(calls == 2);
	tl_op_free(op);
	REQUIRE(tl_sync_connect_to_peer(a.node, &silent, NULL, NULL) == TL_OK);
	site_close(&a);
	close(fd);
}

static void closing_does_not_wait_for_a_hanging_peer(void)
{
	duo d;
	tl_address silent;
	int fd = silent_listener(&silent), calls = 0;
	tl_op *op = NULL;
	int64_t start;

	REQUIRE(fd >= 0 && duo_open(&d, false, NULL));
	CHECK_OK(tl_sync_connect_to_peer(d.a.node, &silent, NULL, &op));
	tl_op_then(op, count_callback, &calls);
	nap(30);
	tl_database_free(d.db);
	d.db = NULL;
	start = now_ms();
	tl_node_close(d.a.node);
	d.a.node = NULL;
	CHECK(now_ms() - start < 20000); /* the flush takes five seconds, the peer for ever */
	CHECK(calls == 1);
	CHECK_CODE(tl_op_result(op), TL_E_CANCELLED);
	tl_op_free(op);
	duo_close(&d);
	close(fd);
}

static void closing_flushes_what_was_just_written(void)
{
	duo d;

	REQUIRE(duo_open(&d, false, NULL));
	for (int i = 0; i < 50; i++)
		CHECK_OK(put(d.db, "n", "x"));
	CHECK_OK(put(d.db, "last", "word"));
	tl_database_free(d.db);
	d.db = NULL;
	tl_node_close(d.a.node);
	d.a.node = NULL;
	CHECK(holds(d.b.node, &d.id, "last", "word"));
	duo_close(&d);
}

/* --- transports of one's own ------------------------------------------------------------------ */

typedef struct own {
	tl_transport base; /* first: a transport is its own */
	char type[16];
	int *freed;
} own;

static int accept_any(tl_transport *transport, const char *address)
{
	(void)transport;
	(void)address;
	return TL_OK;
}

static void free_own(tl_transport *transport)
{
	++*((own *)transport)->freed;
}

static int make_own(void *ud, tl_loop *loop, tl_transport **out)
{
	(void)loop;
	*out = ud;
	return TL_OK;
}

static void transports_of_ones_own_are_bounded_and_freed_once(void)
{
	tl_node *node = open_node(NULL, NULL);
	own all[TL__ENGINE_MAX_TRANSPORTS + 1];
	int freed = 0;

	REQUIRE(node != NULL);
	for (int i = 0; i <= TL__ENGINE_MAX_TRANSPORTS; i++) {
		all[i] = (own){
			{.size = sizeof all[i].base, .check_address = accept_any, .free = free_own},
			"", &freed};
		snprintf(all[i].type, sizeof all[i].type, "own%d", i);
		all[i].base.type = all[i].type;
	}
	for (int i = 0; i < TL__ENGINE_MAX_TRANSPORTS; i++)
		CHECK_OK(tl_sync_add_transport(node, make_own, &all[i]));
	CHECK(freed == 0);
	CHECK_CODE(tl_sync_add_transport(node, make_own, &all[TL__ENGINE_MAX_TRANSPORTS]),
		TL_E_TOO_LARGE);
	CHECK(freed == 1);
	tl_node_close(node);
	CHECK(freed == TL__ENGINE_MAX_TRANSPORTS + 1);
}

static void one_connection(tl_transport *transport, tl_connection_visit visit, void *ud)
{
	const tl_connection_info info = {.size = sizeof info,
		.remote = "somebody",
		.channel = "own:1:2",
		.path = "https://relay.example.org/",
		.relayed = true,
		.round_trip_us = 1500};

	(void)transport;
	visit(ud, &info);
}

/* It says at once that its way has changed. */
static void what_a_transport_tells_of_connections_is_shown(void)
{
	tl_node *node = open_node(NULL, NULL);
	tl_event event = {.size = sizeof event};
	char *json = NULL;
	int freed = 0;
	own one = {{.size = sizeof one.base,
			   .check_address = accept_any,
			   .free = free_own,
			   .connections = one_connection,
			   .tell_paths = one_connection},
		"own", &freed};

	REQUIRE(node != NULL);
	one.base.type = one.type;
	(void)tl_node_fd(node);
	CHECK_OK(tl_sync_add_transport(node, make_own, &one));
	CHECK(event_comes(node, TL_EVENT_PEER_PATH, &event));
	CHECK(!event.has_peer && strcmp(event.text, "relayed https://relay.example.org/") == 0);
	CHECK_OK(tl_sync_status(node, &json));
	CHECK(json && strstr(json, "{\"transport\":\"own\",\"peer\":null,\"remote\":\"somebody\","
				   "\"path\":\"https://relay.example.org/\",\"dialled\":false,"
				   "\"relayed\":true,\"round_trip_ms\":1.500,"));
	tl_free(json);
	tl_node_close(node);
	CHECK(freed == 1);
}

static void too_small_a_largest_body_is_refused(void)
{
	tl_node *node = open_node(NULL, NULL);
	int freed = 0;
	own one = {{.size = sizeof one.base,
			   .check_address = accept_any,
			   .free = free_own,
			   .max_body = TL_TRANSPORT_LEAST_BODY - 1},
		"own", &freed};

	REQUIRE(node != NULL);
	one.base.type = one.type;
	CHECK_CODE(tl_sync_add_transport(node, make_own, &one), TL_E_BAD_ARGUMENT);
	CHECK(freed == 1);
	one.base.max_body++;
	CHECK_OK(tl_sync_add_transport(node, make_own, &one));
	tl_node_close(node);
	CHECK(freed == 2);
}

/* --- options, policy -------------------------------------------------------------------------- */

static tl_policy_answer deny_all(void *ud, const tl_policy_question *question, const char **reason)
{
	(void)question;
	*reason = "nobody today";
	++*(int *)ud;
	return TL_POLICY_DENY;
}

static void a_policy_stands_before_the_defaults(void)
{
	duo d;
	int asked = 0;
	const tl_policy policy = {.size = sizeof policy, .decide = deny_all, .ud = &asked};
	tl_database *mine;

	REQUIRE(duo_open(&d, false, NULL));
	mine = writer(d.b.node, &d.id, "b");
	REQUIRE(mine != NULL);
	/* What a asked before it had a policy may be answered after. */
	CHECK_OK(exchange(&d.a, &d.b, &d.id));
	CHECK_OK(tl_sync_set_policy(d.a.node, &policy));
	CHECK_OK(put(mine, "from", "b"));
	CHECK(exchange(&d.b, &d.a, &d.id) != TL_OK);
	CHECK(asked > 0);
	CHECK(!holds(d.a.node, &d.id, "from", "b"));
	CHECK_OK(tl_sync_set_policy(d.a.node, NULL));
	CHECK_OK(exchange(&d.b, &d.a, &d.id));
	CHECK(holds(d.a.node, &d.id, "from", "b"));
	tl_database_free(mine);
	duo_close(&d);
}

typedef struct counted {
	int asked, dropped;
} counted;

static void judge_none(void *ud, const tl_policy_question *question, tl_policy_verdict *verdict)
{
	((counted *)ud)->asked++;
	verdict->answer = question->kind == TL_POLICY_DIAL ? TL_POLICY_DENY : TL_POLICY_PASS;
	snprintf(verdict->reason, sizeof verdict->reason, "not from here");
	snprintf(verdict->where, sizeof verdict->where, "spec:1");
}

static void count_drop(void *ud)
{
	((counted *)ud)->dropped++;
}

static void a_policy_may_come_with_the_configuration(void)
{
	counted count = {0, 0};
	tl_policy policy = TL_POLICY_INIT;
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_address nobody;
	tl_node *node = NULL;
	char *json = NULL;
	tl_op *op = NULL;

	policy.judge = judge_none;
	policy.drop = count_drop;
	policy.ud = &count;
	config.policy = &policy;
	config.log_level = TL_LOG_OFF;
	REQUIRE(tl_node_open(&node, &config) == TL_OK);
	policy.judge = NULL; /* it was copied */
	CHECK_OK(tl_sync_enable_http_transport(node, NULL));
	CHECK_OK(tl_address_http(&nobody, TL__STR("127.0.0.1:9")));
	CHECK_OK(tl_sync_connect_to_peer(node, &nobody, NULL, &op));
	CHECK_CODE(tl_op_wait(op, 10000), TL_E_REFUSED);
	tl_op_free(op);
	CHECK_OK(tl_sync_decisions(node, 1, &json));
	CHECK(json && strstr(json, "\"kind\":\"dial\"") &&
		strstr(json, "\"reason\":\"not from here\"") &&
		strstr(json, "\"where\":\"spec:1\""));
	tl_free(json);
	CHECK(count.asked == 1 && count.dropped == 0);
	tl_node_close(node);
	CHECK(count.dropped == 1);
}

/* Whatever keeps a node from being opened: the policy stays the caller's. */
static void a_node_that_is_not_opened_calls_nothing_of_its_policy(void)
{
	counted count = {0, 0};
	tl_policy policy = TL_POLICY_INIT;
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	policy.judge = judge_none;
	policy.drop = count_drop;
	policy.ud = &count;
	config.policy = &policy;
	config.without_sync = true;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_SYNC_NOT_ENABLED);
	CHECK(!node);
	config.without_sync = false;
	policy.size = 8;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	CHECK(!node && count.asked == 0 && count.dropped == 0);
}

static void options_that_cannot_be_are_refused(void)
{
	tl_sync_options options = quick();
	const char *bad[] = {"not a key"};
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;

	options.accept_databases_from = bad;
	options.accept_databases_from_count = 1;
	config.sync = &options;
	CHECK(tl_node_open(&node, &config) != TL_OK);
	CHECK(node == NULL);
	options.accept_databases_from = NULL;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	config = (tl_node_config)TL_NODE_CONFIG_INIT;
	config.log_level = (tl_log_level)77;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	config = (tl_node_config)TL_NODE_CONFIG_INIT;
	config.passphrase_len = 5;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	config.passphrase = "";
	config.passphrase_len = 0;
	CHECK_CODE(tl_node_open(&node, &config), TL_E_BAD_ARGUMENT);
	node = open_node(NULL, NULL);
	REQUIRE(node != NULL);
	options = quick();
	options.commit_gap_ms = 5;
	CHECK_OK(tl_sync_configure(node, &options));
	options.size = 0;
	CHECK_CODE(tl_sync_configure(node, &options), TL_E_BAD_ARGUMENT);
	tl_node_close(node);
}

/* --- leaks ------------------------------------------------------------------------------------ */

static void nothing_is_left_open(void)
{
	duo d;
	int fds, threads;

	REQUIRE(duo_open(&d, true, NULL));
	duo_close(&d);
	fds = count_entries("/proc/self/fd");
	threads = count_threads();
	for (int i = 0; i < 3; i++) {
		REQUIRE(duo_open(&d, true, NULL));
		duo_close(&d);
	}
	CHECK(count_entries("/proc/self/fd") == fds);
	CHECK(threads_ended(threads));
}

int main(void)
{
	RUN(flush_and_wait_say_when_it_is_done);
	RUN(our_threads_take_no_signals);
	RUN(history_is_written_and_cleaned);
	RUN(events_tell_what_happens);
	RUN(an_operation_is_cancelled_or_times_out);
	RUN(closing_does_not_wait_for_a_hanging_peer);
	RUN(closing_flushes_what_was_just_written);
	RUN(transports_of_ones_own_are_bounded_and_freed_once);
	RUN(what_a_transport_tells_of_connections_is_shown);
	RUN(too_small_a_largest_body_is_refused);
	RUN(a_policy_stands_before_the_defaults);
	RUN(a_policy_may_come_with_the_configuration);
	RUN(a_node_that_is_not_opened_calls_nothing_of_its_policy);
	RUN(options_that_cannot_be_are_refused);
	RUN(nothing_is_left_open);
	return spec_end();
}
