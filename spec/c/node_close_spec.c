/* Closing a node while others use it: from other threads, from callbacks, more than once. */
#include <pthread.h>
#include <stdatomic.h>
#include "check.h"
#include "duo_help.h"

enum { WRITERS = 8, READERS = 3, RUNNERS = 2 };

typedef struct crowd {
	tl_node *node;
	tl_id id;
	atomic_bool refused; /* somebody was told that the node is closed */
	atomic_uint writes, strange;
	pthread_t threads[WRITERS + READERS + RUNNERS];
	unsigned count;
} crowd;

/* A call that began after somebody was refused must be refused too. */
static bool go_on(crowd *c, bool late, int rc)
{
	if (rc == TL_E_CLOSED) {
		atomic_store(&c->refused, true);
		return false;
	}
	if (rc < 0 || late) {
		atomic_fetch_add(&c->strange, 1);
		printf("%s, %s: %s\n", late ? "late" : "in time", tl_error_name(rc),
			tl_error_message(tl_last_error()));
	}
	return rc >= 0;
}

static void *keep_writing(void *ud)
{
	crowd *c = ud;
	tl_database *db = NULL;
	bool late;
	int rc;

	if (tl_node_load_database(c->node, &c->id, &db) != TL_OK ||
		tl_database_set_default_auth_key(db, TL__STR("k")) != TL_OK) {
		atomic_fetch_add(&c->strange, 1);
		return NULL;
	}
	do {
		late = atomic_load(&c->refused);
		rc = put(db, "x", "y");
		atomic_fetch_add(&c->writes, rc == TL_OK);
	} while (go_on(c, late, rc));
	CHECK_CODE(tl_database_arrival(db, &(uint64_t){0}), TL_E_CLOSED);
	tl_database_free(db);
	return NULL;
}

static int count_id(void *ud, const tl_id *id)
{
	(void)id;
	++*(unsigned *)ud;
	return TL_OK;
}

static int ask(tl_node *node, unsigned turn)
{
	tl_event event = TL_EVENT_INIT;
	unsigned ids = 0;
	char *json = NULL;
	int rc;

	switch (turn % 4) {
	case 0: return tl_next_event(node, &event);
	case 1: return tl_node_all_databases(node, true, count_id, &ids);
	case 2:
		rc = tl_sync_status(node, &json);
		tl_free(json);
		return rc;
	default: return tl_sync_flush(node, 1, NULL);
	}
}

static void *keep_reading(void *ud)
{
	crowd *c = ud;
	bool late;
	int rc;

	for (unsigned turn = 0;; turn++) {
		late = atomic_load(&c->refused);
		rc = ask(c->node, turn);
		tl_node_dispatch(c->node);
		if (!go_on(c, late, rc))
			break;
	}
	return NULL;
}

static void *keep_running(void *ud)
{
	crowd *c = ud;
	int first = tl_node_run(c->node);

	/* On a busy machine this thread may come when the node is closed already. */
	CHECK(first == TL_OK || first == TL_E_CLOSED);
	CHECK_CODE(tl_node_run(c->node), TL_E_CLOSED);
	return NULL;
}

static void start(crowd *c, void *(*call)(void *), unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		c->count += pthread_create(&c->threads[c->count], NULL, call, c) == 0;
}

static void join(crowd *c)
{
	for (unsigned i = 0; i < c->count; i++)
		pthread_join(c->threads[i], NULL);
}

/* What the peer holds comes in meanwhile, and what is written goes out. */
static void others_use_it_meanwhile(void)
{
	crowd c = {0}, peer = {0};
	duo d;

	REQUIRE(duo_open(&d, true, NULL));
	CHECK_OK(tl_node_add_private_key(d.b.node, "k", (const uint8_t[TL_SEED_BYTES]){5}, NULL));
	c.node = d.a.node;
	peer.node = d.b.node;
	c.id = peer.id = d.id;
	(void)tl_node_fd(c.node);
	start(&c, keep_writing, WRITERS);
	start(&c, keep_reading, READERS);
	start(&c, keep_running, RUNNERS);
	start(&peer, keep_writing, 1);
	while (atomic_load(&c.writes) < 50 && atomic_load(&c.strange) == 0)
		nap(10);
	tl_node_close_within(c.node, 200);
	d.a.node = NULL;
	CHECK_CODE(put(d.db, "x", "z"), TL_E_CLOSED);
	join(&c);
	CHECK(atomic_load(&c.strange) == 0);
	CHECK(atomic_load(&c.refused) && c.count == WRITERS + READERS + RUNNERS);
	tl_node_close_within(peer.node, 0);
	d.b.node = NULL;
	join(&peer);
	CHECK(atomic_load(&peer.strange) == 0);
	duo_close(&d);
}

/* --- from callbacks --------------------------------------------------------------------------- */

typedef struct closer {
	tl_node *node;
	unsigned calls;
	int after; /* what a call said behind the closing */
} closer;

static void close_now(closer *c)
{
	char key[TL_KEY_TEXT_LEN + 1];

	c->calls++;
	tl_node_close_within(c->node, 0);
	c->after = tl_node_device_key(c->node, key);
}

static void close_from_operation(void *ud, tl_op *op)
{
	(void)op;
	close_now(ud);
}

static void an_operations_callback_closes(void)
{
	closer c = {.node = open_node(NULL, NULL)};
	tl_op *op = NULL;

	REQUIRE(c.node != NULL);
	CHECK_OK(tl_sync_flush(c.node, 60000, &op));
	tl_op_then(op, close_from_operation, &c);
	CHECK_OK(tl_node_run(c.node));
	CHECK(c.calls == 1 && c.after == TL_E_CLOSED);
	CHECK_OK(tl_op_result(op));
	tl_op_free(op);
	c = (closer){.node = open_node(NULL, NULL)};
	CHECK_OK(tl_sync_flush(c.node, 60000, &op));
	tl_op_then(op, close_from_operation, &c);
	CHECK_OK(tl_op_wait(op, 0));
	CHECK(c.calls == 1 && c.after == TL_E_CLOSED);
	tl_op_free(op);
}

static void free_and_close(void *ud, tl_op *op)
{
	tl_op_free(op);
	close_now(ud);
}

static void run_node(tl_node *node, tl_op *op)
{
	(void)op;
	CHECK_OK(tl_node_run(node));
}

static void dispatch_node(tl_node *node, tl_op *op)
{
	WAIT_FOR(tl_op_done(op));
	tl_node_dispatch(node);
}

static void wait_for_it(tl_node *node, tl_op *op)
{
	(void)node;
	CHECK_OK(tl_op_wait(op, 0));
}

/* Nothing else refers to the operation or the node then; whatever called back still returns. */
static void an_operation_is_freed_in_its_callback_that_closes(void)
{
	static void (*const ways[])(tl_node *, tl_op *) = {run_node, dispatch_node, wait_for_it};
	int fds = count_entries("/proc/self/fd"), threads = count_threads();

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		closer c = {.node = open_node(NULL, NULL)};
		tl_op *op = NULL;

		REQUIRE(c.node != NULL);
		CHECK_OK(tl_sync_flush(c.node, 60000, &op));
		tl_op_then(op, free_and_close, &c);
		ways[i](c.node, op);
		CHECK(c.calls == 1 && c.after == TL_E_CLOSED);
		CHECK(count_entries("/proc/self/fd") == fds);
		CHECK(threads_ended(threads));
	}
}

static int close_from_hook(void *ud, const tl_hook_context *context)
{
	(void)context;
	close_now(ud);
	return TL_OK;
}

/* The commit was under way: it ends as usual. */
static void a_hook_closes(void)
{
	closer c = {.node = open_node(NULL, NULL)};
	tl_database *db = make_db(c.node, "x");
	tl_hook hook = TL_HOOK_INIT;

	REQUIRE(db != NULL);
	hook.on_entry_committed = close_from_hook;
	hook.ud = &c;
	CHECK_OK(tl_node_add_hook(c.node, &hook, NULL));
	CHECK_OK(put(db, "a", "b"));
	CHECK(c.calls == 1 && c.after == TL_E_CLOSED);
	CHECK_CODE(put(db, "a", "c"), TL_E_CLOSED);
	tl_database_free(db);
}

static int close_from_visitor(void *ud, const tl_id *id)
{
	(void)id;
	close_now(ud);
	return TL_OK;
}

static void a_visitor_closes(void)
{
	closer c = {.node = open_node(NULL, NULL)};

	tl_database_free(make_db(c.node, "x"));
	CHECK_OK(tl_node_all_databases(c.node, false, close_from_visitor, &c));
	CHECK(c.calls == 1 && c.after == TL_E_CLOSED);
}

/* --- operations ------------------------------------------------------------------------------- */

static void count_call(void *ud, tl_op *op)
{
	(void)op;
	++*(unsigned *)ud;
}

static void operations_that_are_not_done_end(void)
{
	duo d;
	tl_op *op = NULL;
	unsigned calls = 0;

	REQUIRE(duo_open(&d, false, NULL));
	CHECK_OK(tl_sync_stop_server(d.b.node));
	CHECK_OK(put(d.db, "x", "y"));
	CHECK_OK(tl_sync_wait_until_synced(d.a.node, d.b.key, &d.id, 60000, &op));
	tl_op_then(op, count_call, &calls);
	tl_node_close_within(d.a.node, 0);
	d.a.node = NULL;
	CHECK(calls == 1 && tl_op_done(op));
	CHECK_CODE(tl_op_result(op), TL_E_CLOSED);
	CHECK_CODE(tl_op_wait(op, 0), TL_E_CLOSED);
	tl_op_free(op);
	duo_close(&d);
}

/* --- handles ---------------------------------------------------------------------------------- */

static void *close_too(void *node)
{
	tl_node_close_within(node, 0);
	return NULL;
}

static void closing_twice_does_nothing(void)
{
	tl_node *node = open_node(NULL, NULL);
	pthread_t threads[4];

	REQUIRE(node != NULL);
	for (size_t i = 0; i < 4; i++)
		REQUIRE(pthread_create(&threads[i], NULL, close_too, node) == 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	tl_node_close(node);
	tl_node_close(NULL);
}

static void a_reference_keeps_the_handle_but_not_the_node(void)
{
	tl_node *node = open_node(NULL, NULL), *other;
	char key[TL_KEY_TEXT_LEN + 1];

	REQUIRE(node != NULL);
	CHECK(tl_node_retain(node) == node);
	CHECK(tl_node_retain(NULL) == NULL);
	tl_node_close(node);
	other = open_node(NULL, NULL);
	CHECK(other != node);
	CHECK_CODE(tl_node_device_key(node, key), TL_E_CLOSED);
	CHECK_CODE(tl_node_run(node), TL_E_CLOSED);
	CHECK_CODE(tl_node_fd(node), TL_E_CLOSED);
	tl_node_stop(node);
	tl_node_dispatch(node);
	tl_node_close(node);
	tl_node_free(node);
	tl_node_free(NULL);
	CHECK_OK(tl_node_device_key(other, key));
	tl_node_close(other);
}

int main(void)
{
	RUN(others_use_it_meanwhile);
	RUN(an_operations_callback_closes);
	RUN(an_operation_is_freed_in_its_callback_that_closes);
	RUN(a_hook_closes);
	RUN(a_visitor_closes);
	RUN(operations_that_are_not_done_end);
	RUN(closing_twice_does_nothing);
	RUN(a_reference_keeps_the_handle_but_not_the_node);
	return spec_end();
}
