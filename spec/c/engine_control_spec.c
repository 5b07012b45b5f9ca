/* The control socket of a node, and its client. */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/str.h"
#include "check.h"
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
	CHECK(call_gives(dir, "{\"call\":\"status\"}", "\"version\":\"0.1.0\""));
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
	CHECK(call_gives(dir, "{\"call\":\"verify\"}", "{\"findings\":[],\"count\":0}"));
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
	CHECK_CODE(tl_control_call(dir, request, &result), TL_E_INVALID_ARGUMENT);
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

int main(void)
{
	RUN(another_process_talks_to_the_owner);
	RUN(a_request_over_the_limit_is_refused);
	RUN(a_long_path_has_a_control_socket_too);
	RUN(connections_over_the_limit_wait_for_a_place);
	RUN(the_control_socket_shows_peers_and_status);
	return spec_end();
}
