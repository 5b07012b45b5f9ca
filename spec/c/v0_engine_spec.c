/* Nodes against 0.2.0 peers, honest and hostile, over real sockets. */
#include "check.h"
#include "engine/run/engine_impl.h"
#include "site_help.h"
#include "v0_host.h"

/* Fetches the database of a host with this trick; the node's code. */
static int fetch_from(host *h, site *s, const tl_sync_options *options)
{
	fake_peer peer = {0};
	tl_op *op = NULL;
	int rc;

	if (!site_open_at(s, NULL, options, NULL) || !fake_start(&peer, answer_v0, h))
		return TL_E_INTERNAL;
	rc = finish(tl_sync_sync_with_peer(s->node, &peer.at, &h->chain.root, &op), &op);
	fake_stop(&peer);
	return rc;
}

/* --- honest ----------------------------------------------------------------------------------- */

static void a_v0_peer_is_known_as_one_and_keeps_in_step(void)
{
	host h = {.trick = HONEST, .seed = 1};
	fake_peer peer = {0};
	site s;
	tl_op *op = NULL;
	tl_database *db = NULL;
	char *json = NULL;

	REQUIRE(chain_make(&h.chain, 40, 5) && site_open(&s, NULL));
	REQUIRE(fake_start(&peer, answer_v0, &h));
	REQUIRE(tl_sync_sync_with_peer(s.node, &peer.at, &h.chain.root, &op) == TL_OK);
	CHECK_OK(tl_op_wait(op, SITE_WAIT_MS));
	CHECK(strcmp(tl_op_text(op), peer.key) == 0);
	tl_op_free(op);
	CHECK(holds(s.node, &h.chain.root, "n", "39"));
	CHECK_OK(tl_sync_get_peer_info(s.node, peer.key, &json));
	CHECK(json_has(json, "\"protocol\":\"v0\""));
	CHECK_OK(tl_node_add_private_key(s.node, "k", (const uint8_t[TL_SEED_BYTES]){5}, NULL));
	db = writer(s.node, &h.chain.root, "k");
	REQUIRE(db != NULL);
	CHECK_OK(put(db, "mine", "too"));
	CHECK(WAIT_FOR(atomic_load(&h.pushed) >= 1)); /* on commit */
	CHECK_OK(finish(tl_sync_sync_tree_with_peer(s.node, peer.key, &h.chain.root, &op), &op));
	CHECK(entries_of(s.node, &h.chain.root) == 41);
	tl_database_free(db);
	site_close(&s);
	fake_stop(&peer);
	chain_free(&h.chain);
}

#ifdef SPEC_ADDRESS_SANITIZED
enum { MANY = 5000 };
#elif defined(SPEC_THREAD_SANITIZED)
enum { MANY = 3000 };
#else
enum { MANY = 20000 };
#endif

static void an_unpaged_answer_in_random_order_is_taken_whole(void)
{
	host h = {.trick = HONEST, .seed = 7};
	site s;
	char last[20];

	REQUIRE(chain_make(&h.chain, MANY, 5));
	CHECK_OK(fetch_from(&h, &s, NULL));
	CHECK(entries_of(s.node, &h.chain.root) == MANY);
	snprintf(last, sizeof last, "%d", MANY - 1);
	CHECK(holds(s.node, &h.chain.root, "n", last));
	site_close(&s);
	chain_free(&h.chain);
}

/* --- hostile ---------------------------------------------------------------------------------- */

static void nothing_comes_of_an_answer_that_is_none(void)
{
	static const struct {
		trick trick;
		int code;
	} cases[] = {
		{OTHER_ROOT, TL_E_WRONG_ROOT},
		{CUT_SHORT, TL_E_NETWORK},
		{NOT_CLOSED, TL_E_NETWORK},
		{SAYS_ERROR, TL_E_SYNC_PROTOCOL_ERROR},
		{SAYS_ACK, TL_E_UNEXPECTED_RESPONSE},
		{BAD_CHALLENGE, TL_E_HANDSHAKE_FAILED},
		{OTHER_VERSION, TL_E_PROTOCOL_MISMATCH},
		{STATUS_500, TL_E_NETWORK},
		{NO_JSON, TL_E_NETWORK},
	};
	host h = {.seed = 3};
	site s;

	REQUIRE(chain_make(&h.chain, 30, 5) && chain_make(&h.other, 30, 6));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int rc;

		h.trick = cases[i].trick;
		rc = fetch_from(&h, &s, NULL);
		if (rc != cases[i].code)
			printf("case %zu: %s, %s\n", i, tl_error_name(rc),
				tl_error_message(tl_last_error()));
		CHECK(rc == cases[i].code);
		CHECK(entries_of(s.node, &h.chain.root) == 0);
		CHECK(entries_of(s.node, &h.other.root) == 0);
		site_close(&s);
	}
	chain_free(&h.chain);
	chain_free(&h.other);
}

static void an_answer_over_the_limit_is_not_taken(void)
{
	host h = {.trick = HONEST};
	tl_sync_options options = quick();
	site s;

	options.max_response_bytes = 10000;
	REQUIRE(chain_make(&h.chain, 200, 5));
	CHECK_CODE(fetch_from(&h, &s, &options), TL_E_TOO_LARGE);
	CHECK(entries_of(s.node, &h.chain.root) == 0);
	site_close(&s);
	chain_free(&h.chain);
}

static void a_forged_entry_stays_out_and_the_rest_comes_in(void)
{
	host h = {.trick = FORGED, .seed = 11};
	chain stranger = {0};
	site s;

	REQUIRE(chain_make(&h.chain, 20, 5));
	stranger = h.chain; /* the same names, another key */
	REQUIRE(tl_secret_from_seed(&stranger.secret, (const uint8_t[TL_SEED_BYTES]){99}) == TL_OK);
	h.forged = chain_entry(&stranger, h.chain.at[19], 666, false);
	REQUIRE(h.forged != NULL);
	CHECK_OK(fetch_from(&h, &s, NULL));
	CHECK(entries_of(s.node, &h.chain.root) == 20);
	CHECK(holds(s.node, &h.chain.root, "n", "19"));
	site_close(&s);
	tl_entry_free(h.forged);
	chain_free(&h.chain);
}

/* --- as a server ------------------------------------------------------------------------------ */

static int said_bytes(const site *s, tl_str request)
{
	tl__buf got = TL__BUF_INIT;
	int status = http_say(&s->at, request, &got, NULL);

	tl__buf_free(&got);
	return status;
}

static int said(const site *s, const char *request)
{
	return said_bytes(s, tl__str_z(request));
}

static void statuses_are_those_of_a_v0_server(void)
{
	static const struct {
		int status;
		const char *request;
	} cases[] = {
		{404, "POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n"},
		{404, "POST /api/v0/ HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n"},
		{404, "GET /API/V0 HTTP/1.0\r\nHost: x\r\n\r\n"},
		{405, "GET /api/v0 HTTP/1.0\r\nHost: x\r\n\r\n"},
		{405, "DELETE /api/v0 HTTP/1.0\r\nHost: x\r\n\r\n"},
		{415, "POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"},
		{415, "POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: text/json\r\n"
		      "Content-Length: 2\r\n\r\n{}"},
		{400, "POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
		      "Content-Length: 0\r\n\r\n"},
		{400, "POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: Application/JSON; "
		      "charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"},
		{400, "POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: application/x+json\r\n"
		      "Content-Length: 3\r\n\r\n{}x"},
		{422, "POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
		      "Content-Length: 9\r\n\r\n{\"Foo\":1}"},
		{422, "POST /api/v0?a=b HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
		      "Content-Length: 15\r\n\r\n{\"SyncTree\":{}}"},
		{400, "POST /tidelock/v1/dance HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n"},
	};
	site s;

	REQUIRE(site_open(&s, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status = said(&s, cases[i].request);

		if (status != cases[i].status)
			printf("case %zu: %d\n", i, status);
		CHECK(status == cases[i].status);
	}
	site_close(&s);
}

static void a_body_over_the_limit_gets_413(void)
{
	tl__buf request = TL__BUF_INIT, got = TL__BUF_INIT;
	size_t limits[] = {TL__V0_MAX_REQUEST_BYTES, TL__V0_MAX_REQUEST_BYTES + 1};
	const int statuses[] = {400, 413};
	site s;

	REQUIRE(site_open(&s, NULL));
	for (int i = 0; i < 2; i++) {
		tl__buf_clear(&request);
		tl__buf_clear(&got);
		tl__buf_format(&request,
			"POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n",
			limits[i]);
		for (size_t n = 0; n < limits[i]; n++)
			tl__buf_byte(&request, ' ');
		CHECK(http_say(&s.at, tl__buf_view(&request), &got, NULL) == statuses[i]);
	}
	tl__buf_free(&request);
	tl__buf_free(&got);
	site_close(&s);
}

/* Bodies that are never finished are held in memory: all of them together have a bound. */
static void request_bodies_have_a_bound_together(void)
{
	enum { CONNECTIONS = TL__ENGINE_MAX_INCOMING_BYTES / TL__V0_MAX_REQUEST_BYTES + 2 };
	static char bytes[TL__V0_MAX_REQUEST_BYTES - 1];
	struct sockaddr_in address = {.sin_family = AF_INET};
	tl__buf request = TL__BUF_INIT;
	char head[200], answer[16] = "";
	int fds[CONNECTIONS], refused = 0;
	site s;

	REQUIRE(site_open(&s, NULL));
	memset(bytes, ' ', sizeof bytes);
	snprintf(head, sizeof head,
		"POST /api/v0 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		sizeof bytes + 1);
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	address.sin_port = htons((uint16_t)strtol(strrchr(s.at.text, ':') + 1, NULL, 10));
	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		REQUIRE(fds[i] >= 0 &&
			connect(fds[i], (struct sockaddr *)&address, sizeof address) == 0);
		fake_write(fds[i], tl__str_z(head));
		fake_write(fds[i], (tl_str){bytes, sizeof bytes});
	}
	nap(100); /* until the last piece is read */
	for (int i = CONNECTIONS - 1; i >= 0; i--) {
		fake_write(fds[i], TL__STR(" "));
		CHECK(WAIT_FOR(recv(fds[i], answer, sizeof answer - 1, MSG_DONTWAIT) > 0));
		refused += strncmp(answer, "HTTP/1.1 503", 12) == 0;
	}
	CHECK(refused >= 1);
	for (int i = 0; i < CONNECTIONS; i++)
		close(fds[i]);
	/* What they held is given back: a large body finds room again. */
	tl__buf_format(&request,
		"POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		sizeof bytes);
	tl__buf_append(&request, bytes, sizeof bytes);
	CHECK(WAIT_FOR(said_bytes(&s, tl__buf_view(&request)) == 400));
	tl__buf_free(&request);
	site_close(&s);
}

typedef struct received {
	size_t count;
	bool root_first, ordered;
	tl_id last;
} received;

/* The chain must come parents first. */
static int take_entry(void *ud, tl_str text, bool is_root)
{
	received *r = ud;
	tl_entry *entry = NULL;
	char parent[TL_ID_TEXT_LEN + 1];
	int rc = tl_entry_parse(&entry, text, TL_ENTRY_CANONICAL);

	if (rc != TL_OK)
		return rc;
	if (r->count == 0)
		r->root_first = is_root;
	tl_id_format(&r->last, parent);
	if (r->count > 0 && (tl_entry_parent_count(entry) != 1 ||
				    !tl__str_eq(tl_entry_parent(entry, 0), tl__str_z(parent))))
		r->ordered = false;
	r->last = *tl_entry_id(entry);
	r->count++;
	tl_entry_free(entry);
	return TL_OK;
}

/* Asks for the tree; the kind of answer, its entries in *r. */
static tl__v0_response_kind ask_tree(
	const site *s, const char *id, const char *tip, const char *claim, received *r)
{
	tl_str tips[1] = {tl__str_z(tip)};
	tl__v0_sync_tree tree = {.tree_id = tl__str_z(id),
		.our_tips = tips,
		.tip_count = tip ? 1 : 0,
		.requesting_key = tl__str_z(claim),
		.requesting_key_name = TL__STR_NULL};
	tl__buf request = TL__BUF_INIT, got = TL__BUF_INIT;
	tl__v0_reader *reader = NULL;
	tl__v0_response_kind kind = TL__V0_RESPONSE_NONE;
	tl_str body = TL__STR_NULL;

	*r = (received){.ordered = true};
	tl__v0_write_sync_tree(&request, &tree);
	if (v0_post(&s->at, tl__buf_view(&request), &got, &body) == 200 &&
		tl__v0_reader_new(&reader, take_entry, r) == TL_OK &&
		tl__v0_reader_feed(reader, body.ptr, body.len) == TL_OK &&
		tl__v0_reader_finish(reader) == TL_OK)
		kind = tl__v0_reader_response(reader)->kind;
	else
		printf("answer: %.200s\n", got.ptr ? got.ptr : "nothing");
	tl__v0_reader_free(reader);
	tl__buf_free(&request);
	tl__buf_free(&got);
	return kind;
}

enum { SERVED = 3000 };

static void a_public_database_is_served_as_a_stream_parents_first(void)
{
	site s;
	tl_database *db;
	char id[TL_ID_TEXT_LEN + 1], tip[TL_ID_TEXT_LEN + 1], value[600];
	received r;

	REQUIRE(site_open(&s, NULL));
	db = make_db(s.node, "open");
	REQUIRE(db != NULL);
	tl_id_format(tl_database_root_id(db), id);
	CHECK(ask_tree(&s, id, NULL, NULL, &r) == TL__V0_RESPONSE_ERROR); /* not yet public */
	CHECK(r.count == 0);
	CHECK_OK(make_public(db));
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < SERVED; i++)
		REQUIRE(put(db, "x", value) == TL_OK); /* some 4 MiB: several pieces */
	CHECK(ask_tree(&s, id, NULL, NULL, &r) == TL__V0_RESPONSE_BOOTSTRAP);
	CHECK(r.count == SERVED + 2 && r.root_first && r.ordered);
	tl_id_format(&r.last, tip);
	CHECK_OK(put(db, "x", "one more"));
	CHECK(ask_tree(&s, id, tip, NULL, &r) == TL__V0_RESPONSE_INCREMENTAL);
	CHECK(r.count == 1);
	tl_database_free(db);
	site_close(&s);
}

static void a_claimed_key_opens_nothing_unless_told_so(void)
{
	tl_sync_options options = quick();
	site s, lax;
	tl_database *db, *other;
	char key[TL_KEY_TEXT_LEN + 1], id[TL_ID_TEXT_LEN + 1];
	received r;

	options.v0_claims = true;
	REQUIRE(site_open(&s, NULL) && site_open_at(&lax, NULL, &options, NULL));
	db = make_db(s.node, "closed");
	other = make_db(lax.node, "closed");
	REQUIRE(db != NULL && other != NULL);
	CHECK_OK(tl_node_get_public_key(s.node, "k", key));
	tl_id_format(tl_database_root_id(db), id);
	CHECK(ask_tree(&s, id, NULL, key, &r) == TL__V0_RESPONSE_ERROR);
	CHECK(ask_tree(&s, id, id, NULL, &r) == TL__V0_RESPONSE_ERROR);
	tl_id_format(tl_database_root_id(other), id);
	CHECK(ask_tree(&lax, id, NULL, key, &r) == TL__V0_RESPONSE_BOOTSTRAP);
	CHECK(r.count == 1);
	tl_database_free(other);
	tl_database_free(db);
	site_close(&lax);
	site_close(&s);
}

static int read_line(void *ud, tl_str line)
{
	tl__buf *out = ud;

	tl__buf_str(out, line);
	tl__buf_byte(out, '\n');
	return TL_OK;
}

/* Hands out a buffer that was filled before. */
typedef struct source {
	tl__buf bytes;
	size_t at;
} source;

static ptrdiff_t read_source(void *ud, void *out, size_t cap)
{
	source *s = ud;
	size_t n = s->bytes.len - s->at < cap ? s->bytes.len - s->at : cap;

	memcpy(out, s->bytes.ptr + s->at, n);
	s->at += n;
	return (ptrdiff_t)n;
}

static bool pushed(const site *s, const tl_str *lines, size_t count, const char *answer)
{
	tl__buf request = TL__BUF_INIT, got = TL__BUF_INIT;
	tl_str body = TL__STR_NULL;
	bool same;

	tl__v0_write_send_entries(&request, lines, count);
	same = v0_post(&s->at, tl__buf_view(&request), &got, &body) == 200 &&
	       tl__str_eq(body, tl__str_z(answer));
	if (!same)
		printf("answer: %.*s\n", TL__STR_ARG(body));
	tl__buf_free(&request);
	tl__buf_free(&got);
	return same;
}

static void pushed_entries_count_only_when_they_verify(void)
{
	chain c = {0}, stranger;
	source root = {TL__BUF_INIT, 0};
	site s;
	tl_entry *forged;
	tl_str lines[5];

	REQUIRE(chain_make(&c, 4, 5) && site_open(&s, NULL));
	for (size_t i = 0; i < 4; i++)
		lines[i] = tl_entry_bytes(c.at[i]);
	/* An unknown database is not taken from just anybody. */
	CHECK(pushed(&s, lines, 4, "{\"Count\":0}"));
	CHECK(entries_of(s.node, &c.root) == 0);
	/* Held, but neither public nor related: nobody may carry entries of it. */
	CHECK_OK(read_line(&root.bytes, lines[0]));
	CHECK_OK(tl_node_import(s.node, read_source, &root, NULL, NULL));
	CHECK(pushed(&s, lines, 4, "{\"Count\":0}"));
	CHECK(entries_of(s.node, &c.root) == 1);
	/* With a relation: those that verify; the known root counts too, as with 0.2.0. */
	CHECK_OK(tl_sync_register_peer(s.node, c.key, "somebody"));
	CHECK_OK(tl_sync_add_tree_sync(s.node, c.key, &c.root));
	stranger = c;
	REQUIRE(tl_secret_from_seed(&stranger.secret, (const uint8_t[TL_SEED_BYTES]){77}) == TL_OK);
	forged = chain_entry(&stranger, c.at[3], 1, false);
	REQUIRE(forged != NULL);
	lines[4] = tl_entry_bytes(forged);
	CHECK(pushed(&s, lines, 5, "{\"Count\":4}"));
	CHECK(WAIT_FOR(entries_of(s.node, &c.root) == 4));
	CHECK(pushed(&s, &lines[4], 1, "\"Ack\""));
	CHECK(entries_of(s.node, &c.root) == 4);
	tl_entry_free(forged);
	tl__buf_free(&root.bytes);
	site_close(&s);
	chain_free(&c);
}

int main(void)
{
	RUN(a_v0_peer_is_known_as_one_and_keeps_in_step);
	RUN(an_unpaged_answer_in_random_order_is_taken_whole);
	RUN(nothing_comes_of_an_answer_that_is_none);
	RUN(an_answer_over_the_limit_is_not_taken);
	RUN(a_forged_entry_stays_out_and_the_rest_comes_in);
	RUN(statuses_are_those_of_a_v0_server);
	RUN(a_body_over_the_limit_gets_413);
	RUN(request_bodies_have_a_bound_together);
	RUN(a_public_database_is_served_as_a_stream_parents_first);
	RUN(a_claimed_key_opens_nothing_unless_told_so);
	RUN(pushed_entries_count_only_when_they_verify);
	return spec_end();
}
