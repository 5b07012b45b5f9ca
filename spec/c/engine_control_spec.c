/* The control socket of a node, and its client. */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/str.h"
#include "check.h"
#include "engine/parts/node_impl.h"
#include "site_help.h"

/* --- control ---------------------------------------------------------------------------------- */

static bool call_gives(const char *dir, const char *request, const char *part)
{
	char *result = NULL;
	bool good = tl_control_call(dir, request, &result) == TL_OK && strstr(result, part);

	if (!good)
		printf("%s gave %s (%s)\n", request, result ? result : "nothing",
			result ? "" : tl_error_message(tl_last_error()));
	tl_free(result);
	return good;
}

static void another_process_talks_to_the_owner(void)
{
	char dir[SCRATCH_PATH], file[SCRATCH_PATH + 20];
	tl_node *node;
	tl_database *db;
	char *result = NULL;
	struct stat info;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	db = make_db(node, "n");
	REQUIRE(db != NULL);
	snprintf(file, sizeof file, "%s/control.sock", dir);
	REQUIRE(stat(file, &info) == 0);
	CHECK((info.st_mode & 0777) == 0600);
	CHECK(call_gives(dir, "{\"call\":\"status\"}", "\"version\":\"0.3.0\""));
	CHECK(call_gives(dir, "{\"call\":\"db list\"}", "\"name\":\"n\",\"entries\":1"));
	CHECK(call_gives(dir,
		"{\"call\":\"db set\",\"db\":\"n\",\"store\":\"data\",\"path\":\"a.b\","
		"\"value\":{\"x\":[1,true,null,\"t\"]}}",
		"\"sha256:"));
	CHECK(call_gives(dir,
		"{\"call\":\"db get\",\"db\":\"n\",\"store\":\"data\",\"path\":\"a.b.x.0\"}", "1"));
	CHECK(call_gives(dir, "{\"call\":\"db get\",\"db\":\"n\",\"store\":\"data\"}",
		"{\"a\":{\"b\":{\"x\":[1,true,null,\"t\"]}}}"));
	CHECK(call_gives(dir,
		"{\"call\":\"db set\",\"db\":\"n\",\"store\":\"data\",\"path\":\"a\","
		"\"value\":null}",
		"\"sha256:"));
	CHECK(call_gives(dir, "{\"call\":\"db get\",\"db\":\"n\",\"store\":\"data\"}", "{}"));
	CHECK(call_gives(dir, "{\"call\":\"db create\",\"name\":\"m\",\"key\":\"k\"}", "sha256:"));
	CHECK(call_gives(dir, "{\"call\":\"log\",\"db\":\"n\",\"limit\":1}", "\"height\":2"));
	CHECK(call_gives(dir, "{\"call\":\"db export\",\"db\":\"n\",\"since\":1}",
		"\"next\":3,\"more\":false"));
	CHECK(call_gives(dir, "{\"call\":\"verify\"}",
		"{\"findings\":[],\"count\":0,\"entries\":4,\"pending\":0,"
		"\"quarantined\":0}"));
	CHECK_CODE(
		tl_control_call(dir, "{\"call\":\"peer list\"}", &result), TL_E_SYNC_NOT_ENABLED);
	CHECK_CODE(tl_control_call(dir, "{\"call\":\"dance\"}", &result), TL_E_UNSUPPORTED);
	CHECK_CODE(tl_control_call(dir, "{\"call\":\"log\",\"db\":\"q\"}", &result),
		TL_E_DATABASE_NOT_FOUND);
	for (const char **path = (const char *[]){"", ".", "a..b", ".a", "a.", NULL}; *path;
		path++) {
		char request[160];

		snprintf(request, sizeof request,
			"{\"call\":\"db get\",\"db\":\"n\",\"store\":\"data\",\"path\":\"%s\"}",
			*path);
		CHECK_CODE(tl_control_call(dir, request, &result), TL_E_BAD_PATH);
		snprintf(request, sizeof request,
			"{\"call\":\"db set\",\"db\":\"n\",\"store\":\"data\",\"path\":\"%s\","
			"\"value\":1}",
			*path);
		CHECK_CODE(tl_control_call(dir, request, &result), TL_E_BAD_PATH);
	}
	CHECK_CODE(tl_control_call(dir, "[]", &result), TL_E_BAD_MESSAGE);
	CHECK_CODE(tl_control_call(dir, "{\"call\":\"log\",\"x\":1}", &result), TL_E_BAD_MESSAGE);
	CHECK_CODE(tl_control_call(dir, "rubbish", &result), TL_E_BAD_JSON);
	CHECK(result == NULL);
	tl_database_free(db);
	tl_node_close(node);
	CHECK(stat(file, &info) != 0);
	CHECK_CODE(tl_control_call(dir, "{\"call\":\"status\"}", &result), TL_E_CONNECTION_FAILED);
	scratch_remove(dir);
}

static void a_request_over_the_limit_is_refused(void)
{
	char dir[SCRATCH_PATH];
	size_t len = TL_CONTROL_MAX_REQUEST + 1;
	static char request[TL_CONTROL_MAX_REQUEST + 2];
	char *result = NULL;
	tl_node *node;

	memset(request, ' ', len);
	request[len] = '\0';
	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	CHECK_CODE(tl_control_call(dir, request, &result), TL_E_BAD_ARGUMENT);
	request[len - 1] = '\0'; /* exactly the limit: read, and no JSON */
	CHECK_CODE(tl_control_call(dir, request, &result), TL_E_BAD_JSON);
	tl_node_close(node);
	scratch_remove(dir);
}

static void a_long_path_has_a_control_socket_too(void)
{
	char dir[SCRATCH_PATH], deep[SCRATCH_PATH + 300];
	tl_node *node;

	scratch_make(dir);
	snprintf(deep, sizeof deep, "%s/%0200d", dir, 7);
	node = open_offline(deep);
	REQUIRE(node != NULL);
	CHECK(call_gives(deep, "{\"call\":\"db list\"}", "[]"));
	tl_node_close(node);
	scratch_remove(dir);
}

static void the_control_socket_shows_peers_and_status(void)
{
	char dir[SCRATCH_PATH], *result = NULL;
	site a, b;

	scratch_make(dir);
	REQUIRE(site_open(&a, dir) && site_open(&b, NULL));
	CHECK_OK(greet(&a, &b));
	CHECK_OK(tl_control_call(dir, "{\"call\":\"peer list\"}", &result));
	CHECK(json_has(result, b.key));
	CHECK_OK(tl_control_call(dir, "{\"call\":\"status\"}", &result));
	CHECK(json_has(result, "\"pairs\":[]"));
	site_close(&a);
	site_close(&b);
	scratch_remove(dir);
}

/* A connection that says nothing. */
static int idle_connection(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%.90s/control.sock", dir);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	perror("connect");
	return -1;
}

static void *ask_once(void *ud)
{
	char *result = NULL;
	bool good = tl_control_call(ud, "{\"call\":\"db list\"}", &result) == TL_OK;

	tl_free(result);
	return good ? ud : NULL;
}

static void connections_over_the_limit_wait_for_a_place(void)
{
	char dir[SCRATCH_PATH];
	int fds[TL_CONTROL_MAX_CONNECTIONS];
	pthread_t thread;
	void *good = NULL;
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	for (int i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		REQUIRE((fds[i] = idle_connection(dir)) >= 0);
	REQUIRE(pthread_create(&thread, NULL, ask_once, dir) == 0);
	nap(50);
	CHECK(pthread_tryjoin_np(thread, &good) == EBUSY);
	close(fds[0]);
	REQUIRE(pthread_join(thread, &good) == 0);
	CHECK(good != NULL);
	for (int i = 1; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		close(fds[i]);
	tl_node_close(node);
	scratch_remove(dir);
}

/* --- control socket: requests ----------------------------------------------------------------- */

static int unix_socket(const char *dir, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof address->sun_path, "%.90s/control.sock", dir);
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static bool write_whole(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* A client that does not look at the length itself. */
static void a_line_over_the_limit_is_refused_and_dropped(void)
{
	char dir[SCRATCH_PATH], answer[400] = "", *request;
	size_t len = TL_CONTROL_MAX_REQUEST + 1;
	struct sockaddr_un address;
	tl_node *node;
	ssize_t n;
	int fd;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	fd = unix_socket(dir, &address);
	REQUIRE(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
	request = malloc(len);
	REQUIRE(request != NULL);
	memset(request, ' ', len);
	CHECK(write_whole(fd, request, len));
	n = read(fd, answer, sizeof answer - 1);
	CHECK(n > 0 && strstr(answer, "\"code\":\"too_large\""));
	CHECK(read(fd, answer, sizeof answer) == 0);
	close(fd);
	free(request);
	tl_node_close(node);
	scratch_remove(dir);
}

/* Milliseconds of processor time of this process: what spins takes all that passes. */
static long busy_ms(void)
{
	return (long)(clock() / (CLOCKS_PER_SEC / 1000));
}

static void a_client_waits_until_there_are_descriptors(void)
{
	char dir[SCRATCH_PATH], answer[400];
	struct timespec pause = {.tv_nsec = 500000000};
	struct sockaddr_un address;
	struct rlimit limit, low;
	int filler[40], fd;
	tl_node *node;
	long before;
	ssize_t n;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	for (size_t i = 0; i < 40; i++)
		filler[i] = dup(STDIN_FILENO);
	fd = unix_socket(dir, &address);
	REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = (rlim_t)fd + 1;
	REQUIRE(setrlimit(RLIMIT_NOFILE, &low) == 0);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
	CHECK(write_whole(fd, "{\"call\":\"status\"}\n", 18));
	before = busy_ms();
	nanosleep(&pause, NULL);
	printf("# %ld of 500 ms busy without descriptors\n", busy_ms() - before);
	CHECK(busy_ms() - before < 250);
	REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	n = read(fd, answer, sizeof answer - 1);
	CHECK(n > 0 && memmem(answer, (size_t)n, "\"result\"", 8));
	for (size_t i = 0; i < 40; i++)
		close(filler[i]);
	close(fd);
	tl_node_close(node);
	scratch_remove(dir);
}

/* --- control socket: answers ------------------------------------------------------------------ */

typedef struct fake_owner {
	int listener;
	size_t len; /* of the line it answers with */
} fake_owner;

static void *answer_once(void *ud)
{
	static const char head[] = "{\"result\":\"", tail[] = "\"}\n";
	const fake_owner *f = ud;
	int fd = accept(f->listener, NULL, NULL);
	tl__buf line = TL__BUF_INIT;
	char request[100];

	tl__buf_text(&line, head);
	while (line.len < f->len + 1 - strlen(tail))
		tl__buf_byte(&line, 'x');
	tl__buf_text(&line, tail);
	if (fd >= 0 && read(fd, request, sizeof request) > 0)
		(void)write_whole(fd, line.ptr, line.len);
	close(fd);
	tl__buf_free(&line);
	return NULL;
}

static void a_client_takes_an_answer_up_to_the_limit(void)
{
	const size_t lens[] = {TL_CONTROL_MAX_ANSWER, TL_CONTROL_MAX_ANSWER + 1};
	const int codes[] = {TL_OK, TL_E_TOO_LARGE};
	char dir[SCRATCH_PATH];
	struct sockaddr_un address;
	fake_owner f;

	scratch_make(dir);
	f.listener = unix_socket(dir, &address);
	REQUIRE(bind(f.listener, (struct sockaddr *)&address, sizeof address) == 0);
	REQUIRE(listen(f.listener, 1) == 0);
	for (int i = 0; i < 2; i++) {
		char *result = NULL;
		pthread_t thread;

		f.len = lens[i];
		REQUIRE(pthread_create(&thread, NULL, answer_once, &f) == 0);
		CHECK_CODE(tl_control_call(dir, "{}", &result), codes[i]);
		CHECK(codes[i] == TL_OK ? result && strlen(result) == f.len - 11 : !result);
		tl_free(result);
		pthread_join(thread, NULL);
	}
	close(f.listener);
	scratch_remove(dir);
}

static size_t count_of(const char *text, const char *part)
{
	size_t count = 0;

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		count++;
	return count;
}

static void an_answer_over_the_limit_is_an_error(void)
{
	enum { LEN = 900 * 1024, COUNT = TL_CONTROL_MAX_ANSWER / LEN + 1 };
	static char text[LEN + 1];
	char dir[SCRATCH_PATH], key[20], *result = NULL;
	tl_database *db;
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	db = make_db(node, "n");
	REQUIRE(db != NULL);
	memset(text, 'x', LEN);
	for (int i = 0; i < COUNT; i++) {
		snprintf(key, sizeof key, "k%d", i);
		CHECK_OK(put(db, key, text));
	}
	CHECK_CODE(tl_control_call(
			   dir, "{\"call\":\"db get\",\"db\":\"n\",\"store\":\"data\"}", &result),
		TL_E_TOO_LARGE);
	CHECK(!result);
	CHECK_OK(tl_control_call(dir,
		"{\"call\":\"db get\",\"db\":\"n\",\"store\":\"data\",\"path\":\"k0\"}", &result));
	CHECK(result && strlen(result) == LEN + 2);
	tl_free(result);
	tl_database_free(db);
	tl_node_close(node);
	scratch_remove(dir);
}

static void a_log_shows_a_thousand_entries_at_most(void)
{
	char dir[SCRATCH_PATH], *result = NULL;
	tl_database *db;
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	db = make_db(node, "n");
	REQUIRE(db != NULL);
	for (int i = 0; i < 1001; i++)
		CHECK_OK(put(db, "k", "v"));
	CHECK_OK(tl_control_call(dir, "{\"call\":\"log\",\"db\":\"n\",\"limit\":1001}", &result));
	CHECK(result && count_of(result, "\"height\":") == 1000);
	CHECK(result && strstr(result, "\"height\":1001,") && !strstr(result, "\"height\":1,"));
	tl_free(result);
	tl_database_free(db);
	tl_node_close(node);
	scratch_remove(dir);
}

/* Past all rules: each with a height that its parents do not make. */
#define WRONG 1001
static void write_wrong_entries(tl_node *node, const tl_id *root)
{
	static tl__put_entry puts[WRONG];
	static tl_entry *entries[WRONG];
	tl__batch batch = {.db = *root, .entries = puts, .entry_count = WRONG};
	char text[TL_ID_TEXT_LEN + 1];
	tl_secret secret;

	tl_id_format(root, text);
	CHECK_OK(tl_secret_from_seed(&secret, (const uint8_t[TL_SEED_BYTES]){5}));
	for (size_t i = 0; i < WRONG; i++) {
		tl_entry_builder *b = NULL;
		char metadata[20];

		snprintf(metadata, sizeof metadata, "%zu", i);
		CHECK_OK(tl_entry_builder_new(&b));
		tl_entry_builder_tree(b, tl__str_z(text));
		tl_entry_builder_parent(b, tl__str_z(text));
		tl_entry_builder_metadata(b, tl__str_z(metadata));
		CHECK_OK(tl_entry_builder_finish(b, &secret, &entries[i]));
		tl_entry_builder_free(b);
		puts[i] = (tl__put_entry){.id = *tl_entry_id(entries[i]),
			.bytes = tl_entry_bytes(entries[i]),
			.verdict = TL__VERIFIED,
			.height = 7,
			.parents = root,
			.parent_count = 1,
			.frontier = {(const char *)root->b, TL_ID_BYTES}};
	}
	CHECK_OK(tl__store_write(node->store, &batch));
	for (size_t i = 0; i < WRONG; i++)
		tl_entry_free(entries[i]);
}

static void a_check_shows_a_thousand_findings_and_counts_all(void)
{
	char dir[SCRATCH_PATH], *result = NULL, *count;
	tl_database *db;
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	db = make_db(node, "n");
	REQUIRE(db != NULL);
	write_wrong_entries(node, tl_database_root_id(db));
	CHECK_OK(tl_control_call(dir, "{\"call\":\"verify\"}", &result));
	CHECK(result && count_of(result, "\"text\":") == 1000);
	count = result ? strstr(result, "\"count\":") : NULL;
	CHECK(count && strtoul(count + 8, NULL, 10) >= WRONG);
	tl_free(result);
	tl_database_free(db);
	tl_node_close(node);
	scratch_remove(dir);
}

int main(void)
{
	RUN(another_process_talks_to_the_owner);
	RUN(a_request_over_the_limit_is_refused);
	RUN(a_long_path_has_a_control_socket_too);
	RUN(connections_over_the_limit_wait_for_a_place);
	RUN(the_control_socket_shows_peers_and_status);
	RUN(a_client_waits_until_there_are_descriptors);
	RUN(a_line_over_the_limit_is_refused_and_dropped);
	RUN(a_client_takes_an_answer_up_to_the_limit);
	RUN(an_answer_over_the_limit_is_an_error);
	RUN(a_log_shows_a_thousand_entries_at_most);
	RUN(a_check_shows_a_thousand_findings_and_counts_all);
	return spec_end();
}
