/* A host that hands a struct of every kind to the library and takes one of every kind from it.
 * Built against the headers of another version than the library's: older ones, or later ones, of
 * which every struct ends in a member `later` (HOST_LATER) that the library cannot know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/tidelock.h>

static int failures;

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			failures++;                                                                \
			printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,                 \
				tl_error_message(tl_last_error()));                                \
		}                                                                                  \
	} while (0)

/* A call is refused as long as the struct has something set that the library does not know. */
#ifdef HOST_LATER
#define CHECK_LATER(object, call)                                                                  \
	do {                                                                                       \
		(object).later = 1;                                                                \
		CHECK((call) == TL_E_UNSUPPORTED);                                                 \
		(object).later = 0;                                                                \
	} while (0)
#define CHECK_FILLED(object) CHECK((object).size == sizeof(object) && (object).later == 0)
#else
#define CHECK_LATER(object, call) (void)(object)
#define CHECK_FILLED(object)      CHECK((object).size == sizeof(object))
#endif

/* And as long as its size is none it ever had. */
#define CHECK_SIZE(object, call)                                                                   \
	do {                                                                                       \
		size_t right = (object).size;                                                      \
		(object).size = 0;                                                                 \
		CHECK((call) == TL_E_BAD_ARGUMENT);                                                \
		(object).size = sizeof(size_t);                                                    \
		CHECK((call) == TL_E_BAD_ARGUMENT);                                                \
		(object).size = (size_t)-1;                                                        \
		CHECK((call) == TL_E_BAD_ARGUMENT);                                                \
		(object).size = right;                                                             \
	} while (0)

#define CHECK_GIVEN(object, call)                                                                  \
	do {                                                                                       \
		CHECK_SIZE(object, call);                                                          \
		CHECK_LATER(object, call);                                                         \
	} while (0)

/* --- a store by itself ------------------------------------------------------------------------ */

static void a_store(void)
{
	tl_store_config config = TL_STORE_CONFIG_INIT;
	tl_store *store = NULL;

	CHECK_GIVEN(config, tl_store_open(&store, &config));
	CHECK(tl_store_open(&store, &config) == TL_OK);
	tl_store_close(store);
}

/* --- a node ----------------------------------------------------------------------------------- */

static void be_silent(void *ud, tl_log_level level, const char *part, const char *text)
{
	(void)ud;
	(void)level;
	(void)part;
	(void)text;
}

static tl_node *open_node(void)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_sync_options sync = TL_SYNC_OPTIONS_INIT;
	tl_node *node = NULL;

	config.name = "host";
	config.log = be_silent;
	CHECK_GIVEN(config, tl_node_open(&node, &config));
	sync.periodic_ms = TL_NEVER;
	sync.on_commit = TL_OFF;
	config.sync = &sync;
	CHECK_GIVEN(sync, tl_node_open(&node, &config));
	CHECK(tl_node_open(&node, &config) == TL_OK);
	if (!node)
		exit(1);
	CHECK_GIVEN(sync, tl_sync_configure(node, &sync));
	CHECK(tl_sync_configure(node, &sync) == TL_OK);
	return node;
}

static int before_commit(void *ud, const tl_hook_context *context)
{
	++*(int *)ud;
	CHECK(context->size >= offsetof(tl_hook_context, database) + sizeof(void *));
	CHECK(context->entry_bytes == tl_entry_bytes(context->entry).len);
	return TL_OK;
}

static tl_database *make_database(tl_node *node)
{
	tl_database *db = NULL;
	tl_hook hook = TL_HOOK_INIT;
	tl_transaction *tx = NULL;
	tl_doc_store *store = NULL;
	uint64_t handle = 0;
	int calls = 0;

	hook.before_commit = before_commit;
	hook.ud = &calls;
	CHECK(tl_node_add_private_key(node, "me", NULL, NULL) == TL_OK);
	CHECK(tl_node_new_database(node, NULL, "me", &db) == TL_OK);
	if (!db)
		exit(1);
	CHECK_GIVEN(hook, tl_database_add_hook(db, &hook, &handle));
	CHECK_GIVEN(hook, tl_node_add_hook(node, &hook, &handle));
	CHECK(tl_node_add_hook(node, &hook, &handle) == TL_OK);
	CHECK(tl_transaction_new(db, &tx) == TL_OK);
	CHECK_GIVEN(hook, tl_transaction_add_hook(tx, &hook));
	CHECK(tl_transaction_doc_store(tx, (tl_str){"data", 4}, &store) == TL_OK);
	CHECK(tl_doc_store_set_int(store, (tl_str){"x", 1}, 1) == TL_OK);
	CHECK(tl_transaction_commit(tx, NULL) == TL_OK);
	CHECK(calls == 1);
	tl_node_remove_hook(node, handle);
	tl_doc_store_free(store);
	tl_transaction_free(tx);
	return db;
}

static int note_info(void *ud, const tl_entry_info *info)
{
	CHECK(info->size >= offsetof(tl_entry_info, parent_count) + sizeof info->parent_count);
	CHECK(info->bytes > 0 && info->arrival == ++*(uint64_t *)ud);
	return TL_OK;
}

static int note_step(void *ud, const tl_history_step *step)
{
	++*(int *)ud;
	CHECK(step->size >= offsetof(tl_history_step, value) + sizeof(void *));
	CHECK(tl_value_as_int(step->value) == 1);
	return TL_OK;
}

static void what_a_database_tells(tl_database *db)
{
	tl_database_counts counts = TL_DATABASE_COUNTS_INIT;
	tl_entry_info info = TL_ENTRY_INFO_INIT;
	const tl_str x = {"x", 1};
	uint64_t seen = 0;
	int steps = 0;

	CHECK_SIZE(counts, tl_database_count(db, &counts));
	memset((char *)&counts + sizeof counts.size, 0xff, sizeof counts - sizeof counts.size);
	CHECK(tl_database_count(db, &counts) == TL_OK);
	CHECK(counts.entries == 2 && counts.quarantined == 0);
	CHECK_FILLED(counts);
	CHECK_SIZE(info, tl_database_get_info(db, tl_database_root_id(db), &info));
	memset((char *)&info + sizeof info.size, 0xff, sizeof info - sizeof info.size);
	CHECK(tl_database_get_info(db, tl_database_root_id(db), &info) == TL_OK);
	CHECK(info.arrival == 1 && info.bytes > 0 && info.parent_count == 0);
	CHECK_FILLED(info);
	tl_free((void *)info.parents);
	CHECK(tl_database_changes(db, 0, 0, note_info, &seen) == TL_OK && seen == 2);
	CHECK(tl_database_history_of(db, (tl_str){"data", 4}, &x, 1, note_step, &steps) == TL_OK);
	CHECK(steps == 1);
}

static int note_database(void *ud, const tl_store_database *database)
{
	++*(int *)ud;
	CHECK(database->size >=
		offsetof(tl_store_database, quarantined) + sizeof database->quarantined);
	return TL_OK;
}

static int note_entry(void *ud, const tl_store_entry *entry)
{
	++*(int *)ud;
	CHECK(entry->size >= offsetof(tl_store_entry, reason) + sizeof entry->reason);
	return TL_OK;
}

static int note_row(void *ud, const tl_store_state_row *row)
{
	++*(int *)ud;
	CHECK(row->size >= offsetof(tl_store_state_row, value) + sizeof row->value);
	return TL_OK;
}

static void what_a_backend_tells(tl_node *node, const tl_id *db)
{
	tl_store_database found = TL_STORE_DATABASE_INIT;
	tl_store *store = NULL;
	int databases = 0, entries = 0, rows = 0;

	CHECK(tl_node_store(node, &store) == TL_OK);
	CHECK_SIZE(found, tl_store_find(store, db, &found));
	memset((char *)&found + sizeof found.size, 0xff, sizeof found - sizeof found.size);
	CHECK(tl_store_find(store, db, &found) == TL_OK && found.arrivals == 2);
	CHECK_FILLED(found);
	CHECK(tl_store_databases(store, note_database, &databases) == TL_OK && databases > 0);
	CHECK(tl_store_arrivals(store, db, 1, 2, 9, note_entry, &entries) == TL_OK && entries == 2);
	CHECK(tl_store_state(store, db, (tl_str){"data", 4}, NULL, 0, note_row, &rows) == TL_OK);
	CHECK(rows > 0);
	tl_store_close(store);
}

static void what_events_tell(tl_node *node)
{
	tl_event event = TL_EVENT_INIT;

	CHECK_SIZE(event, tl_next_event(node, &event));
	memset((char *)&event + sizeof event.size, 0xff, sizeof event - sizeof event.size);
	CHECK(tl_next_event(node, &event) == 1);
	CHECK(event.kind == TL_EVENT_ENTRY_COMMITTED && event.has_db && !event.has_peer);
	CHECK(event.text[0] == '\0');
	CHECK_FILLED(event);
}

/* --- two nodes -------------------------------------------------------------------------------- */

static tl_policy_answer decide(void *ud, const tl_policy_question *question, const char **reason)
{
	(void)reason;
	CHECK(question->size >=
		offsetof(tl_policy_question, otherwise) + sizeof question->otherwise);
	++*(int *)ud;
	return TL_POLICY_PASS;
}

static void a_contact(tl_node *server, tl_node *client)
{
	tl_http_config http = TL_HTTP_CONFIG_INIT;
	tl_policy policy = TL_POLICY_INIT;
	tl_address address;
	tl_op *op = NULL;
	int asked = 0;

	CHECK_GIVEN(http, tl_sync_enable_http_transport(server, &http));
	http.max_connections = 4;
	CHECK(tl_sync_enable_http_transport(server, &http) == TL_OK);
	CHECK(tl_sync_enable_http_transport(client, NULL) == TL_OK);
	policy.decide = decide;
	policy.ud = &asked;
	CHECK_GIVEN(policy, tl_sync_set_policy(server, &policy));
	CHECK(tl_sync_set_policy(server, &policy) == TL_OK);
	CHECK(tl_sync_start_server(server, "127.0.0.1:0", NULL) == TL_OK);
	CHECK(tl_sync_get_server_address(server, &address) == TL_OK);
	CHECK(tl_sync_connect_to_peer(client, &address, NULL, &op) == TL_OK);
	CHECK(tl_op_wait(op, 10000) == TL_OK);
	CHECK(asked > 0);
	tl_op_free(op);
	CHECK(tl_sync_set_policy(server, NULL) == TL_OK);
}

/* --- a transport of its own use --------------------------------------------------------------- */

typedef struct rig {
	tl_loop *loop;
	tl_transport *http;
	tl_server *server;
	int status, code;
} rig;

static ptrdiff_t read_nothing(void *ud, void *out, size_t cap)
{
	(void)ud;
	(void)out;
	(void)cap;
	return TL_BODY_END;
}

static void on_begin(void *ud, tl_incoming *in, const tl_incoming_head *head, void **request_ud,
	uint64_t *max_body)
{
	const tl_body body = {read_nothing, NULL, NULL, 0};
	rig *g = ud;

	CHECK(head->size >= offsetof(tl_incoming_head, method) + sizeof head->method);
	CHECK(strcmp(head->path, "/ping") == 0);
	*request_ud = NULL;
	*max_body = 16;
	g->http->answer(in, 204, "text/plain", &body);
}

static bool on_piece(void *ud, tl_incoming *in, const void *bytes, size_t len)
{
	(void)ud;
	(void)in;
	(void)bytes;
	(void)len;
	return true;
}

static void on_end(void *ud, tl_incoming *in)
{
	(void)ud;
	(void)in;
}

static void on_gone(void *ud)
{
	(void)ud;
}

static void on_head(void *ud, const tl_response_head *head)
{
	CHECK(head->size >= offsetof(tl_response_head, channel) + sizeof head->channel);
	((rig *)ud)->status = head->status;
}

static bool on_answer(void *ud, const void *bytes, size_t len)
{
	(void)ud;
	(void)bytes;
	(void)len;
	return true;
}

static void on_stopped(void *ud)
{
	tl_loop_stop(((rig *)ud)->loop);
}

static void on_done(void *ud, int code)
{
	rig *g = ud;

	g->code = code;
	g->http->stop(g->server, 0, on_stopped, g);
}

static void an_exchange(void)
{
	tl_server_calls calls;
	tl_serve_options serve = TL_SERVE_OPTIONS_INIT;
	tl_http_options options = TL_HTTP_OPTIONS_INIT;
	tl_request request = TL_REQUEST_INIT;
	tl_response_sink sink;
	tl_exchange *exchange = NULL;
	rig g = {NULL, NULL, NULL, 0, 1};

	memset(&calls, 0, sizeof calls);
	calls.size = sizeof calls;
	calls.begin = on_begin;
	calls.piece = on_piece;
	calls.end = on_end;
	calls.gone = on_gone;
	CHECK(tl_loop_new(&g.loop) == TL_OK);
	options.log_level = TL_LOG_OFF;
	CHECK_GIVEN(options, tl_http_new(&g.http, g.loop, &options));
	CHECK(tl_http_new(&g.http, g.loop, &options) == TL_OK);
#define SERVE g.http->serve(g.http, "127.0.0.1:0", &serve, &calls, &g, &g.server)
	CHECK_GIVEN(serve, SERVE);
	CHECK_GIVEN(calls, SERVE);
	CHECK(SERVE == TL_OK);
	request.address = g.http->server_address(g.server);
	request.path = "/ping";
	request.content_type = "text/plain";
	request.body.read = read_nothing;
	request.max_response = 64;
	memset(&sink, 0, sizeof sink);
	sink.size = sizeof sink;
	sink.head = on_head;
	sink.piece = on_answer;
	sink.done = on_done;
	sink.ud = &g;
#define SEND g.http->send(g.http, &request, &sink, &exchange)
	CHECK_GIVEN(request, SEND);
	CHECK_GIVEN(sink, SEND);
	CHECK(SEND == TL_OK);
	tl_loop_run(g.loop);
	CHECK(g.code == TL_OK && g.status == 204);
	g.http->free(g.http);
	tl_loop_free(g.loop);
}

int main(void)
{
	tl_node *node, *other;
	tl_database *db;

	a_store();
	an_exchange();
	node = open_node();
	(void)tl_node_fd(node);
	db = make_database(node);
	what_a_database_tells(db);
	what_a_backend_tells(node, tl_database_root_id(db));
	what_events_tell(node);
	other = open_node();
	a_contact(node, other);
	tl_database_free(db);
	tl_node_close(other);
	tl_node_close(node);
	printf("built for %d.%d, run with %s: %d failures\n", TL_VERSION_MAJOR, TL_VERSION_MINOR,
		tl_version(), failures);
	return failures != 0;
}
