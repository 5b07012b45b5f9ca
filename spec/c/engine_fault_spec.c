/* What must not be believed: a responder that lies, answers that were altered, stores that were
 * rolled back. And TLS, end to end. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/system/env.h"
#include "base/mem.h"
#include "chain_help.h"
#include "check.h"
#include "fake_peer.h"
#include "site_help.h"
#include "sync/sync.h"
#include "wire/v1.h"

/* --- a v1 peer that lies ---------------------------------------------------------------------- */

typedef enum lie {
	NO_LIE,
	TIP_NOBODY_HAS,  /* a tip that is never sent */
	ROOT_IS_THE_TIP, /* tips of an older state than what is sent */
	CURSOR_RUNS_ON,  /* always more, never a new entry */
	ANOTHER_SIGNER,
	ANOTHER_REQUEST, /* `re` of something else */
	ALTERED          /* one byte of the body */
} lie;

typedef struct liar {
	chain chain;
	lie lie;
	tl__seeded seeded;
	atomic_int pulls;
} liar;

static void put_page(liar *l, const tl__v1_request *request, tl__buf *args, tl__buf *body)
{
	tl_id nobody = {{'s', 0xee}};
	const tl_id *last = tl_entry_id(l->chain.at[l->chain.count - 1]);
	const tl_id *tips[2] = {last, NULL};
	size_t tip_count = 1;
	tl__v1_page page = {.seen_valid = true, .cursor_valid = true, .has_tips = true};
	tl__v1_pull pull;

	if (l->lie == TIP_NOBODY_HAS) {
		bool before = memcmp(&nobody, last, sizeof nobody) < 0;

		tips[0] = before ? &nobody : last;
		tips[1] = before ? last : &nobody;
		tip_count = 2;
	}
	if (l->lie == ROOT_IS_THE_TIP)
		tips[0] = &l->chain.root;
	page.cursor.n = l->chain.count;
	page.tips.count = tip_count;
	if (l->lie == CURSOR_RUNS_ON) {
		page.more = true;
		page.has_tips = false;
		page.cursor.n = (uint64_t)atomic_load(&l->pulls);
		tip_count = 0;
	}
	tl__v1_write_page(args, &page);
	for (size_t i = 0; i < tip_count; i++)
		tl__v1_write_id(body, TL__V1_LINE_TIP, tips[i]);
	if (tl__v1_read_pull(&pull, request->args) != TL_OK)
		return;
	if (l->lie == TIP_NOBODY_HAS && atomic_load(&l->pulls) > 1) {
		tl__v1_write_id(body, TL__V1_LINE_ABSENT, &nobody);
		return;
	}
	if (!pull.has_cursor)
		for (size_t i = 0; i < l->chain.count; i++)
			tl__v1_write_entry(body, tl_entry_bytes(l->chain.at[i]));
}

static void write_answer(fake_peer *peer, liar *l, const tl__v1_frame *frame,
	const tl__v1_request *request, tl__v1_status status, tl__buf *args, tl__buf *body,
	tl__buf *out)
{
	tl_secret other;
	tl__v1_response response = {.status = status,
		.time = tl__system_clock.wall_ms(tl__system_clock.ud),
		.channel = TL__STR("none"),
		.args = tl__buf_view(args)};
	bool is_pull = tl__str_eq(request->method, TL__STR("pull"));

	if (tl__v1_request_hash(frame, response.re) != TL_OK || tl_secret_new(&other) != TL_OK)
		return;
	response.re[0] ^= is_pull && l->lie == ANOTHER_REQUEST;
	if (tl__v1_response_write(out, &response,
		    is_pull && l->lie == ANOTHER_SIGNER ? &other : &peer->secret,
		    tl__buf_view(body)) != TL_OK)
		printf("answer: %s\n", tl_error_message(tl_last_error()));
	if (is_pull && l->lie == ALTERED)
		out->ptr[out->len - 3] ^= 1;
}

static int answer_v1(fake_peer *peer, tl_str path, tl_str body, tl__buf *out, size_t *announced)
{
	liar *l = peer->ud;
	tl__v1_frame frame;
	tl__v1_request request;
	tl__buf args = TL__BUF_INIT, lines = TL__BUF_INIT;
	tl__v1_status status = TL__V1_OK;

	(void)path;
	(void)announced;
	if (tl__v1_frame_read(&frame, body.ptr, body.len) != TL_OK ||
		tl__v1_request_read(&request, frame.header) != TL_OK)
		return 400;
	if (tl__str_eq(request.method, TL__STR("hello"))) {
		tl__v1_hello hello = {.name = TL__STR("liar"),
			.max_body_bytes = TL__V1_MAX_BODY_BYTES,
			.max_page_entries = 1000};

		tl_secret_public(&peer->secret, &hello.key);
		tl__v1_write_hello(&args, &hello);
	} else if (tl__str_eq(request.method, TL__STR("pull"))) {
		atomic_fetch_add(&l->pulls, 1);
		put_page(l, &request, &args, &lines);
	} else {
		const tl__v1_refusal refusal = {.code = TL__STR("")};

		status = TL__V1_NOT_PERMITTED;
		tl__v1_write_refusal(&args, &refusal);
	}
	write_answer(peer, l, &frame, &request, status, &args, &lines, out);
	tl__buf_free(&args);
	tl__buf_free(&lines);
	return 200;
}

/* One exchange with a liar; the node's code. */
static int pull_from(liar *l, site *s, fake_peer *peer)
{
	tl_op *op = NULL;
	int rc;

	atomic_store(&l->pulls, 0);
	if (!site_open(s, NULL) || !fake_start(peer, answer_v1, l))
		return TL_E_INTERNAL;
	rc = finish(tl_sync_connect_to_peer(s->node, &peer->at, peer->key, &op), &op);
	if (rc == TL_OK)
		rc = tl_sync_add_tree_sync(s->node, peer->key, &l->chain.root);
	if (rc == TL_OK)
		rc = finish(
			tl_sync_sync_tree_with_peer(s->node, peer->key, &l->chain.root, &op), &op);
	return rc;
}

static void an_honest_v1_peer_of_this_spec_is_believed(void)
{
	liar l = {.lie = NO_LIE};
	fake_peer peer = {0};
	site s;

	REQUIRE(chain_make(&l.chain, 20, 5));
	CHECK_OK(pull_from(&l, &s, &peer));
	CHECK(entries_of(s.node, &l.chain.root) == 20);
	fake_stop(&peer);
	site_close(&s);
	chain_free(&l.chain);
}

static void lies_about_tips_and_cursors_lose_nothing_and_end(void)
{
	static const lie lies[] = {TIP_NOBODY_HAS, ROOT_IS_THE_TIP, CURSOR_RUNS_ON};
	liar l = {0};
	fake_peer peer = {0};
	site s;

	REQUIRE(chain_make(&l.chain, 20, 5));
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		int rc;

		l.lie = lies[i];
		rc = pull_from(&l, &s, &peer);
		/* What was sent and verifies is kept, whatever else was said. */
		CHECK(l.lie == CURSOR_RUNS_ON || entries_of(s.node, &l.chain.root) == 20);
		CHECK(l.lie == ROOT_IS_THE_TIP || rc != TL_OK);
		CHECK(atomic_load(&l.pulls) <= TL__SYNC_MAX_EMPTY_PAGES + 2);
		fake_stop(&peer);
		site_close(&s);
	}
	chain_free(&l.chain);
}

static void answers_that_are_not_the_peers_are_thrown_away(void)
{
	static const lie lies[] = {ANOTHER_SIGNER, ANOTHER_REQUEST, ALTERED};
	liar l = {0};
	fake_peer peer = {0};
	site s;

	REQUIRE(chain_make(&l.chain, 20, 5));
	for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
		l.lie = lies[i];
		CHECK(pull_from(&l, &s, &peer) != TL_OK);
		CHECK(entries_of(s.node, &l.chain.root) == 0);
		fake_stop(&peer);
		site_close(&s);
	}
	chain_free(&l.chain);
}

/* --- requests that are none ------------------------------------------------------------------- */

/* Posts a body and reads until the answer is there or the connection ends; whether it ended. */
static bool post_raw(const site *s, const char *path, const char *body, char *out, size_t cap)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	struct timeval most = {.tv_sec = 1};
	char request_text[512];
	size_t len = 0;
	ssize_t got = -1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	out[0] = '\0';
	to.sin_port = htons((uint16_t)strtoul(strrchr(s->at.text, ':') + 1, NULL, 10));
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	snprintf(request_text, sizeof request_text,
		"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/%s\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		path, strstr(path, "v0") ? "json" : "tidelock", strlen(body), body);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most) == 0 &&
		connect(fd, (struct sockaddr *)&to, sizeof to) == 0 &&
		send(fd, request_text, strlen(request_text), MSG_NOSIGNAL) > 0)
		while (len + 1 < cap && (got = recv(fd, out + len, cap - 1 - len, 0)) > 0)
			len += (size_t)got;
	out[len] = '\0';
	if (fd >= 0)
		close(fd);
	return got == 0;
}

/* What nobody signed is refused, and the connection with it; a mistake in v0 is only answered. */
static void who_sends_nonsense_loses_the_connection(void)
{
	char answer[4096];
	site s;

	REQUIRE(site_open(&s, NULL));
	CHECK(post_raw(&s, "/tidelock/v1/hello", "nonsense", answer, sizeof answer));
	CHECK(strncmp(answer, "HTTP/1.1 400", 12) == 0);
	CHECK(!post_raw(&s, "/api/v0", "{}", answer, sizeof answer));
	CHECK(strncmp(answer, "HTTP/1.1 ", 9) == 0);
	CHECK(!post_raw(&s, "/nowhere", "{}", answer, sizeof answer));
	CHECK(strncmp(answer, "HTTP/1.1 404", 12) == 0);
	site_close(&s);
}

/* --- rolled-back stores ----------------------------------------------------------------------- */

static bool run(const char *command)
{
	int status = system(command); // NOLINT(cert-env33-c): a fixed command line

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Over the files that are there, so that the store's file stays the same one. */
static bool copy_dir(const char *from, const char *to)
{
	char command[4 * SCRATCH_PATH + 120];

	snprintf(command, sizeof command,
		"rm -f '%s'/tidelock.db-wal '%s'/tidelock.db-shm && cp '%s'/tidelock.db* '%s'/", to,
		to, from, to);
	return run(command);
}

typedef struct pair {
	site a, b;
	char dir_a[SCRATCH_PATH], dir_b[SCRATCH_PATH], kept[SCRATCH_PATH];
	tl_id id;
} pair;

static bool pair_open(pair *p)
{
	tl_database *db;
	char key[TL_KEY_TEXT_LEN + 1];
	bool good;

	scratch_make(p->dir_a);
	scratch_make(p->dir_b);
	scratch_make(p->kept);
	if (!site_open(&p->a, p->dir_a) || !site_open(&p->b, p->dir_b))
		return false;
	db = make_db(p->a.node, "kept");
	if (!db)
		return false;
	p->id = *tl_database_root_id(db);
	good = tl_node_add_private_key(p->b.node, "b", NULL, key) == TL_OK &&
	       grant(db, key, (tl_permission){TL_WRITE, 10}) == TL_OK &&
	       put(db, "early", "1") == TL_OK && greet(&p->a, &p->b) == TL_OK &&
	       tl_sync_add_tree_sync(p->a.node, p->b.key, &p->id) == TL_OK &&
	       fetch(&p->b, &p->a, &p->id) == TL_OK && exchange(&p->a, &p->b, &p->id) == TL_OK;
	tl_database_free(db);
	if (!good)
		printf("pair: %s\n", tl_error_message(tl_last_error()));
	return good;
}

static void pair_close(pair *p)
{
	site_close(&p->a);
	site_close(&p->b);
	scratch_remove(p->dir_a);
	scratch_remove(p->dir_b);
	scratch_remove(p->kept);
}

static bool reopen(site *s, const char *dir)
{
	tl_address at = s->at;

	return site_open_at(s, dir, NULL, at.text);
}

static int put_as(site *s, const tl_id *id, const char *key_name, const char *key, const char *text)
{
	tl_database *db = writer(s->node, id, key_name);
	int rc = db ? put(db, key, text) : TL_E_INTERNAL;

	tl_database_free(db);
	return rc;
}

static bool equal(const pair *p)
{
	return entries_of(p->a.node, &p->id) == entries_of(p->b.node, &p->id);
}

static bool both_hold(const pair *p, const char *key, const char *text)
{
	return holds(p->a.node, &p->id, key, text) && holds(p->b.node, &p->id, key, text);
}

/* `who` goes back to an earlier copy of its store, writes something else, and both meet again. */
static void roll_back(bool roll_a)
{
	pair p;
	site *rolled = roll_a ? &p.a : &p.b;
	const char *dir, *key = roll_a ? "k" : "b";

	REQUIRE(pair_open(&p));
	dir = roll_a ? p.dir_a : p.dir_b;
	site_close(rolled);
	REQUIRE(copy_dir(dir, p.kept));
	REQUIRE(reopen(rolled, dir));
	for (int i = 0; i < 5; i++)
		CHECK_OK(put_as(rolled, &p.id, key, "lost", "and found"));
	CHECK_OK(exchange(&p.a, &p.b, &p.id));
	CHECK(WAIT_FOR(equal(&p)));
	site_close(rolled);
	REQUIRE(copy_dir(p.kept, dir));
	REQUIRE(reopen(rolled, dir));
	CHECK(!holds(rolled->node, &p.id, "lost", "and found"));
	CHECK_OK(put_as(rolled, &p.id, key, "new", "after the copy"));
	CHECK_OK(exchange(&p.a, &p.b, &p.id));
	CHECK_OK(exchange(&p.b, &p.a, &p.id));
	CHECK(WAIT_FOR(both_hold(&p, "lost", "and found")));
	CHECK(WAIT_FOR(both_hold(&p, "new", "after the copy")));
	CHECK(WAIT_FOR(equal(&p)));
	pair_close(&p);
}

static void a_store_rolled_back_on_the_owners_side_is_noticed(void)
{
	roll_back(true);
}

static void a_store_rolled_back_on_the_other_side_is_noticed(void)
{
	roll_back(false);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static bool make_certificate(
	const char *dir, char cert[SCRATCH_PATH + 20], char key[SCRATCH_PATH + 20])
{
	char command[4 * SCRATCH_PATH];

	snprintf(cert, SCRATCH_PATH + 20, "%s/cert.pem", dir);
	snprintf(key, SCRATCH_PATH + 20, "%s/key.pem", dir);
	snprintf(command, sizeof command,
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
		"-subj /CN=self -addext subjectAltName=IP:127.0.0.1 -keyout '%s' -out '%s' "
		">/dev/null 2>&1",
		key, cert);
	return run(command);
}

static bool tls_site(site *s, const char *cert, const char *key, const char *ca, bool strict)
{
	tl_http_config http = TL_HTTP_CONFIG_INIT;
	tl_sync_options options = quick();

	memset(s, 0, sizeof *s);
	options.require_encryption = strict;
	s->node = open_node(NULL, &options);
	http.certificate_file = cert;
	http.key_file = key;
	http.ca_file = ca;
	return s->node && tl_node_device_key(s->node, s->key) == TL_OK &&
	       tl_sync_enable_http_transport(s->node, &http) == TL_OK &&
	       tl_sync_start_server(s->node, "127.0.0.1:0", NULL) == TL_OK &&
	       tl_sync_get_server_address(s->node, &s->at) == TL_OK;
}

static void two_nodes_keep_in_step_over_tls(void)
{
	char dir[SCRATCH_PATH], cert[SCRATCH_PATH + 20], key[SCRATCH_PATH + 20];
	site a, b, blind;
	tl_database *db;
	tl_id id;

	scratch_make(dir);
	REQUIRE(make_certificate(dir, cert, key));
	REQUIRE(tls_site(&a, cert, key, cert, true) && tls_site(&b, cert, key, cert, true));
	REQUIRE(tls_site(&blind, cert, key, NULL, false)); /* trusts the system's list alone */
	CHECK(strcmp(a.at.type, "https") == 0);
	db = make_db(a.node, "secret");
	REQUIRE(db != NULL);
	id = *tl_database_root_id(db);
	CHECK_OK(greet(&a, &b));
	CHECK_OK(tl_sync_add_tree_sync(a.node, b.key, &id));
	CHECK_OK(fetch(&b, &a, &id));
	CHECK_OK(put(db, "over", "tls"));
	CHECK(WAIT_FOR(holds(b.node, &id, "over", "tls")));
	CHECK_CODE(greet(&blind, &a), TL_E_TLS);
	tl_database_free(db);
	site_close(&blind);
	site_close(&b);
	site_close(&a);
	scratch_remove(dir);
}

static int note_plain(void *ud, const tl_address *address)
{
	if (strcmp(address->type, "http") == 0)
		*(tl_address *)ud = *address;
	return TL_OK;
}

static void plain_and_tls_are_served_by_one_node(void)
{
	char dir[SCRATCH_PATH], cert[SCRATCH_PATH + 20], key[SCRATCH_PATH + 20];
	site both, over_tls, plain;

	scratch_make(dir);
	REQUIRE(make_certificate(dir, cert, key));
	REQUIRE(tls_site(&both, cert, key, cert, false));
	REQUIRE(tls_site(&over_tls, cert, key, cert, false) && site_open(&plain, NULL));
	CHECK_OK(tl_sync_start_server(both.node, "127.0.0.1:0", "http"));
	CHECK(strcmp(both.at.type, "https") == 0);
	CHECK_OK(greet(&over_tls, &both));
	CHECK_OK(tl_sync_get_server_addresses(both.node, note_plain, &both.at));
	CHECK(strcmp(both.at.type, "http") == 0);
	CHECK_OK(greet(&plain, &both));
	site_close(&plain);
	site_close(&over_tls);
	site_close(&both);
	scratch_remove(dir);
}

static void tls_files_that_are_none_are_refused(void)
{
	tl_node *node = open_node(NULL, NULL);
	tl_http_config http = TL_HTTP_CONFIG_INIT;

	REQUIRE(node != NULL);
	http.certificate_file = "/nonexistent/cert.pem";
	CHECK_CODE(tl_sync_enable_http_transport(node, &http), TL_E_BAD_ARGUMENT);
	http.key_file = "/nonexistent/key.pem";
	if (tl_sync_enable_http_transport(node, &http) == TL_OK)
		CHECK(tl_sync_start_server(node, "127.0.0.1:0", NULL) != TL_OK);
	tl_node_close(node);
}

int main(void)
{
	RUN(an_honest_v1_peer_of_this_spec_is_believed);
	RUN(lies_about_tips_and_cursors_lose_nothing_and_end);
	RUN(answers_that_are_not_the_peers_are_thrown_away);
	RUN(who_sends_nonsense_loses_the_connection);
	RUN(a_store_rolled_back_on_the_owners_side_is_noticed);
	RUN(a_store_rolled_back_on_the_other_side_is_noticed);
	RUN(two_nodes_keep_in_step_over_tls);
	RUN(plain_and_tls_are_served_by_one_node);
	RUN(tls_files_that_are_none_are_refused);
	return spec_end();
}
