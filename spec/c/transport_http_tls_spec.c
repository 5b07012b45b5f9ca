/* HTTP over TLS with certificates made by the openssl program: who is trusted, what the channel is
 * called, and that streams, limits and ends are those of plain HTTP. */
#include <sys/wait.h>
#include "http_raw.h"

static char dir[64];

/* A path in the spec's own folder; up to four of them live at a time. */
static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static int next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", dir, name);
	return path;
}

static bool shell(const char *command)
{
	char text[1024];
	int status;

	snprintf(text, sizeof text, "cd %s && { %s; } >/dev/null 2>&1", dir, command);
	status = system(text); // NOLINT(cert-env33-c): a fixed command line
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

#define NEW_KEY "openssl ecparam -name prime256v1 -genkey -noout -out "
#define SIGN                                                                                       \
	"openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -in req.pem "          \
	"-extfile ext -out "

static bool make_certificates(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof dir, "%.40s/tidelock-tls-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) &&
	       shell(NEW_KEY "ca.key && openssl req -x509 -new -key ca.key -days 2 -subj /CN=ca "
			     "-out ca.pem") &&
	       shell(NEW_KEY "server.key && "
			     "openssl req -new -key server.key -subj /CN=server -out req.pem && "
			     "echo subjectAltName=IP:127.0.0.1,DNS:localhost >ext && " SIGN
			     "server.pem") &&
	       shell("echo subjectAltName=DNS:elsewhere.example >ext && " SIGN "elsewhere.pem") &&
	       shell("openssl req -x509 -new -key server.key -days 2 -subj /CN=self "
		     "-addext subjectAltName=IP:127.0.0.1 -out self.pem") &&
	       shell(NEW_KEY "other.key && echo nonsense >broken.pem") &&
	       shell("printf tls: >channel && openssl x509 -in server.pem -outform DER | "
		     "openssl dgst -sha256 -r | cut -c1-64 >>channel");
}

static void remove_certificates(void)
{
	shell("rm -f ./*");
	rmdir(dir);
}

static int open_tls(rig *g, const char *ca, const char *certificate)
{
	tl__http_options options = {.tls = true, .ca_file = in_dir(ca)};
	tl_serve_options serve = {.size = sizeof serve,
		.certificate_file = in_dir(certificate),
		.key_file = in_dir("server.key")};

	return rig_open(g, &options, &serve);
}

static void both_sides_name_the_same_channel(void)
{
	exchange first = {.send_len = 10}, second = {.send_len = 10};
	char want[80] = "", remote[80];
	FILE *file = fopen(in_dir("channel"), "re");
	rig g;

	REQUIRE(file && fgets(want, sizeof want, file));
	fclose(file);
	want[strcspn(want, "\n")] = '\0';
	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	CHECK(strcmp(g.http->type, "https") == 0);
	CHECK_OK(ex_run(&first, &g, "/echo"));
	CHECK(strlen(want) == 68 && strcmp(first.channel, want) == 0);
	CHECK(strcmp(first.early_channel, want) == 0 && strcmp(g.channel, want) == 0);
	snprintf(remote, sizeof remote, "%s", g.remote);
	CHECK_OK(ex_run(&second, &g, "/echo"));
	CHECK(strcmp(g.remote, remote) == 0); /* reused: libcurl shows no certificate now */
	CHECK(strcmp(second.channel, want) == 0 && strcmp(second.early_channel, want) == 0);
	ex_end(&first);
	ex_end(&second);
	rig_close(&g);
}

static int try_once(const char *ca, const char *certificate, const char *host)
{
	exchange e = {.send_len = 10};
	char address[96];
	int code;
	rig g;

	if (open_tls(&g, ca, certificate) != TL_OK)
		return TL_E_INTERNAL;
	snprintf(address, sizeof address, "%s%s", host, strchr(g.address, ':'));
	if (ex_start(&e, &g, address, "/echo") != TL_OK)
		return TL_E_INTERNAL;
	CHECK(rig_turn(&g, ex_is_done, &e, RIG_GUARD_MS));
	CHECK(e.code == TL_OK || (g.begun == 0 && e.sent == 0 && strstr(e.message, address)));
	code = e.code;
	ex_end(&e);
	rig_close(&g);
	return code;
}

static void only_trusted_servers_get_a_request(void)
{
	CHECK_OK(try_once("ca.pem", "server.pem", "127.0.0.1"));
	CHECK_OK(try_once("ca.pem", "server.pem", "localhost"));
	CHECK_OK(try_once("self.pem", "self.pem", "127.0.0.1"));
	CHECK_CODE(try_once("self.pem", "server.pem", "127.0.0.1"), TL_E_TLS);
	CHECK_CODE(try_once("ca.pem", "elsewhere.pem", "127.0.0.1"), TL_E_TLS);
	CHECK_CODE(try_once("ca.pem", "self.pem", "127.0.0.1"), TL_E_TLS);
	CHECK_CODE(try_once("broken.pem", "server.pem", "127.0.0.1"), TL_E_TLS);
	CHECK_CODE(try_once("no-such-file.pem", "server.pem", "127.0.0.1"), TL_E_TLS);
}

static int serve_with(rig *g, const char *certificate, const char *key)
{
	tl_serve_options options = {.size = sizeof options,
		.certificate_file = certificate ? in_dir(certificate) : NULL,
		.key_file = key ? in_dir(key) : NULL};
	tl_server *server = NULL;
	int before = open_descriptors();
	int rc = g->http->serve(g->http, "127.0.0.1:0", &options, &rig_calls, g, &server);

	CHECK((rc == TL_OK) == (server != NULL));
	if (rc != TL_OK)
		CHECK(open_descriptors() == before && tl_error_message(tl_last_error())[0] != '\0');
	if (server)
		g->http->stop(server, 0, NULL, NULL);
	rig_wait(g, 10);
	return rc;
}

static void unusable_files_are_told_at_the_start(void)
{
	rig g;

	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	CHECK_CODE(serve_with(&g, NULL, NULL), TL_E_TLS);
	CHECK_CODE(serve_with(&g, "server.pem", NULL), TL_E_TLS);
	CHECK_CODE(serve_with(&g, NULL, "server.key"), TL_E_TLS);
	CHECK_CODE(serve_with(&g, "no-such-file", "server.key"), TL_E_TLS);
	CHECK_CODE(serve_with(&g, "server.pem", "no-such-file"), TL_E_TLS);
	CHECK_CODE(serve_with(&g, "broken.pem", "server.key"), TL_E_TLS);
	CHECK_CODE(serve_with(&g, "server.pem", "broken.pem"), TL_E_TLS);
	CHECK_CODE(serve_with(&g, "server.pem", "other.key"), TL_E_TLS);
	CHECK(strstr(tl_error_message(tl_last_error()), "does not belong to the certificate"));
	/* A mebibyte is read, and not a byte more. */
	CHECK(shell("head -c 1048576 /dev/zero | tr '\\0' '\\n' > long.pem && "
		    "cat server.pem long.pem | head -c 1048576 > most.pem && "
		    "cat server.pem long.pem | head -c 1048577 > more.pem"));
	CHECK_CODE(serve_with(&g, "more.pem", "server.key"), TL_E_TLS);
	CHECK_OK(serve_with(&g, "most.pem", "server.key"));
	rig_close(&g);
	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	CHECK_OK(serve_with(&g, "server.pem", "server.key"));
	rig_close(&g);
	REQUIRE(rig_open(&g, NULL, NULL) == TL_OK); /* never silently without TLS */
	CHECK_CODE(serve_with(&g, "server.pem", "server.key"), TL_E_TLS);
	rig_close(&g);
}

/* Whatever kinds the two are of; and one that cannot be read without asking somebody. */
static void a_key_must_belong_to_its_certificate(void)
{
	static const char *const kinds[] = {"rsa", "ec", "ed"};
	rig g;

	REQUIRE(shell(
		"openssl genpkey -algorithm RSA -out rsa.key && "
		"openssl genpkey -algorithm RSA -out rsa2.key && "
		"openssl genpkey -algorithm ED25519 -out ed.key && "
		"openssl genpkey -algorithm ED25519 -out ed2.key && " NEW_KEY "ec.key && " NEW_KEY
		"ec2.key && for k in rsa ec ed; do openssl req -x509 -new -key $k.key -days 2 "
		"-subj /CN=$k -out $k.pem || exit 1; done"));
	REQUIRE(shell("openssl pkcs8 -topk8 -in ec.key -passout pass:x -out sealed.key"));
	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	for (size_t c = 0; c < 3; c++)
		for (size_t k = 0; k < 3; k++) {
			char certificate[16], key[16], second[16];

			snprintf(certificate, sizeof certificate, "%s.pem", kinds[c]);
			snprintf(key, sizeof key, "%s.key", kinds[k]);
			snprintf(second, sizeof second, "%s2.key", kinds[k]);
			CHECK_CODE(serve_with(&g, certificate, key), c == k ? TL_OK : TL_E_TLS);
			CHECK_CODE(serve_with(&g, certificate, second), TL_E_TLS);
			CHECK(strstr(tl_error_message(tl_last_error()), "does not belong"));
		}
	CHECK_CODE(serve_with(&g, "ec.pem", "sealed.key"), TL_E_TLS);
	CHECK(strstr(tl_error_message(tl_last_error()), "passphrase"));
	rig_close(&g);
}

/* Nobody may keep a handshake open as long as a request: each costs something all the time. */
static void a_handshake_that_does_not_go_on_ends_soon(void)
{
	raw silent, half;
	rig g;

	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK); /* with 30 s for what is idle */
	REQUIRE(raw_open(&silent, &g) && raw_open(&half, &g));
	raw_send(&half, "\x16\x03\x01", 3);
	CHECK(raw_until_closed(&silent, 15000) && raw_until_closed(&half, RAW_GUARD_MS));
	raw_close(&silent);
	raw_close(&half);
	rig_close(&g);
}

static void plain_and_tls_do_not_mix(void)
{
	exchange tls_to_plain = {.send_len = 10}, plain_to_tls = {.send_len = 10, .idle_ms = 1000};
	rig plain, tls;

	REQUIRE(rig_open(&plain, NULL, NULL) == TL_OK);
	REQUIRE(open_tls(&tls, "ca.pem", "server.pem") == TL_OK);
	REQUIRE(ex_start(&tls_to_plain, &tls, plain.address, "/echo") == TL_OK);
	for (int i = 0; i < 200 && tls_to_plain.dones == 0; i++) {
		rig_wait(&plain, 2);
		rig_wait(&tls, 2);
	}
	CHECK(tls_to_plain.code == TL_E_TLS);
	REQUIRE(ex_start(&plain_to_tls, &plain, tls.address, "/echo") == TL_OK);
	for (int i = 0; i < 400 && plain_to_tls.dones == 0; i++) {
		rig_wait(&plain, 2);
		rig_wait(&tls, 2);
	}
	CHECK(plain_to_tls.dones == 1 && plain_to_tls.code != TL_OK);
	CHECK(plain.begun == 0 && tls.begun == 0);
	ex_end(&tls_to_plain);
	ex_end(&plain_to_tls);
	rig_close(&tls);
	rig_close(&plain);
}

static void streams_work_as_without_tls(void)
{
	exchange both = {.send_len = 10 << 20}, slow = {.pause_each = true, .pause_ms = 1};
	exchange drip = {0}, wait = {.send_len = 300000, .wait_each = true, .no_length = true};
	exchange stuck = {.pause_each = true, .pause_ms = UINT32_MAX};
	rig g;

	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	CHECK_OK(ex_run(&both, &g, "/echo"));
	CHECK(both.got == 10 << 20 && !both.bad_bytes);
	CHECK_OK(ex_run(&slow, &g, "/bytes/3000000"));
	CHECK(slow.got == 3000000 && !slow.bad_bytes);
	CHECK_OK(ex_run(&drip, &g, "/drip/20000"));
	CHECK(drip.got == 20000);
	CHECK_OK(ex_run(&wait, &g, "/slow"));
	CHECK(wait.got == 300000 && !wait.bad_bytes);
	REQUIRE(ex_start(&stuck, &g, g.address, "/bytes/200000000") == TL_OK);
	rig_wait(&g, 200);
	CHECK(stuck.pieces == 1 && stuck.got <= 65536);
	g.http->cancel(stuck.handle);
	CHECK(rig_turn(&g, ex_is_done, &stuck, RIG_GUARD_MS));
	ex_end(&both);
	ex_end(&slow);
	ex_end(&drip);
	ex_end(&wait);
	ex_end(&stuck);
	rig_close(&g);
}

static void statuses_and_failures_are_the_same(void)
{
	exchange early = {.send_len = 3000000}, large = {.send_len = 3000000};
	exchange aborted = {0}, chunked = {0}, missing = {.send_len = 3};
	rig g;

	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	CHECK_OK(ex_run(&early, &g, "/early"));
	CHECK(early.status == 403);
	CHECK_OK(ex_run(&missing, &g, "/nothing"));
	CHECK(missing.status == 404);
	g.max_body = 1000;
	CHECK_OK(ex_run(&large, &g, "/echo"));
	CHECK(large.status == 413);
	CHECK_CODE(ex_run(&aborted, &g, "/abort/100000"), TL_E_NETWORK);
	CHECK_CODE(ex_run(&chunked, &g, "/abortchunks/100000"), TL_E_NETWORK);
	ex_end(&early);
	ex_end(&large);
	ex_end(&aborted);
	ex_end(&chunked);
	ex_end(&missing);
	rig_close(&g);
}

static void waiting_does_not_spin(void)
{
	exchange never_answered = {0}, stuck = {.send_len = 3000000}, mute = {0};
	exchange paused = {.pause_each = true, .pause_ms = UINT32_MAX};
	exchange *all[] = {&never_answered, &stuck, &mute, &paused};
	const char *paths[] = {"/never", "/stuck", "/mute", "/bytes/100000000"};
	raw silent, half;
	uint64_t turns;
	rig g;

	REQUIRE(open_tls(&g, "ca.pem", "server.pem") == TL_OK);
	for (size_t i = 0; i < 4; i++)
		REQUIRE(ex_start(all[i], &g, g.address, paths[i]) == TL_OK);
	REQUIRE(raw_open(&silent, &g) && raw_open(&half, &g));
	raw_say(&half, "\x16\x03\x01");
	rig_wait(&g, 300);
	turns = tl__loop_turns(g.loop);
	rig_wait(&g, 400);
	printf("# %u turns in 400 ms\n", (unsigned)(tl__loop_turns(g.loop) - turns));
	CHECK(tl__loop_turns(g.loop) - turns <= RIG_MOST_TURNS);
	for (size_t i = 0; i < 4; i++) {
		g.http->cancel(all[i]->handle);
		CHECK(rig_turn(&g, ex_is_done, all[i], RIG_GUARD_MS));
		ex_end(all[i]);
	}
	raw_close(&silent);
	raw_close(&half);
	rig_close(&g);
}

static void a_handshake_that_never_ends_is_cut(void)
{
	tl__http_options options = {.tls = true, .ca_file = in_dir("ca.pem")};
	tl_serve_options serve = {.size = sizeof serve,
		.certificate_file = in_dir("server.pem"),
		.key_file = in_dir("server.key"),
		.idle_ms = 200};
	exchange dial = {.dial_ms = 200};
	char address[64];
	int listener = listen_mutely(address);
	raw c;
	rig g;

	REQUIRE(rig_open(&g, &options, &serve) == TL_OK);
	REQUIRE(raw_open(&c, &g));
	raw_say(&c, "\x16\x03\x01");
	CHECK(raw_until_closed(&c, RAW_GUARD_MS));
	raw_close(&c);
	REQUIRE(ex_start(&dial, &g, address, "/x") == TL_OK);
	CHECK(rig_turn(&g, ex_is_done, &dial, RIG_GUARD_MS));
	CHECK(dial.code == TL_E_TIMEOUT && strstr(dial.message, address));
	ex_end(&dial);
	rig_close(&g);
	close(listener);
}

int main(void)
{
	if (!make_certificates()) {
		fprintf(stderr, "cannot make certificates in %s with the openssl program\n", dir);
		return 1;
	}
	RUN(both_sides_name_the_same_channel);
	RUN(only_trusted_servers_get_a_request);
	RUN(unusable_files_are_told_at_the_start);
	RUN(a_key_must_belong_to_its_certificate);
	RUN(a_handshake_that_does_not_go_on_ends_soon);
	RUN(plain_and_tls_do_not_mix);
	RUN(streams_work_as_without_tls);
	RUN(statuses_and_failures_are_the_same);
	RUN(waiting_does_not_spin);
	RUN(a_handshake_that_never_ends_is_cut);
	remove_certificates();
	return spec_end();
}
