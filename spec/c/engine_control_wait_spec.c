/* Waiting at the control socket: of clients for a node that is silent, full, busy or ends, and of a
 * node for clients. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "check.h"
#include "engine/parts/node_impl.h"
#include "site_help.h"

#define STATUS "{\"call\":\"status\"}"
#define LIST   "{\"call\":\"db list\"}"

static char dir[SCRATCH_PATH];

/* --- a node that is not one of ours ----------------------------------------------------------- */

typedef struct fake_node {
	int listener;
	const char *says; /* to whoever asks, before it ends; NULL: nothing, and it goes on */
	bool stays;       /* it goes on also after that */
	pthread_t thread;
} fake_node;

static void *be_asked(void *ud)
{
	const fake_node *f = ud;
	int fd = accept(f->listener, NULL, NULL);
	char request[100];

	if (fd >= 0 && read(fd, request, sizeof request) > 0 && f->says)
		(void)!write(fd, f->says, strlen(f->says));
	if (!f->says || f->stays)
		(void)!read(fd, request, sizeof request); /* until the client goes away */
	close(fd);
	return NULL;
}

static bool fake_start(fake_node *f, const char *says)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	scratch_make(dir);
	f->says = says;
	snprintf(address.sun_path, sizeof address.sun_path, "%.90s/control.sock", dir);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(f->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
	       listen(f->listener, 1) == 0 && pthread_create(&f->thread, NULL, be_asked, f) == 0;
}

static void fake_stop(fake_node *f)
{
	pthread_join(f->thread, NULL);
	close(f->listener);
	scratch_remove(dir);
}

static int call_within(uint32_t timeout_ms, int cancel_fd, const char *request)
{
	tl_control_options options = TL_CONTROL_OPTIONS_INIT;
	char *result = NULL;
	int rc;

	options.timeout_ms = timeout_ms;
	options.cancel_fd = cancel_fd;
	rc = tl_control_call_with(dir, request, &options, &result);
	CHECK((rc == TL_OK) == (result != NULL));
	tl_free(result);
	return rc;
}

static void a_silent_node_is_given_up(void)
{
	fake_node f = {0};

	REQUIRE(fake_start(&f, NULL));
	CHECK_CODE(call_within(50, -1, STATUS), TL_E_TIMEOUT);
	CHECK(strstr(tl_error_message(tl_last_error()), "has said nothing for 50 ms"));
	fake_stop(&f);
}

static void a_node_that_works_gets_time_to_say_so(void)
{
	fake_node f = {.stays = true};

	REQUIRE(fake_start(&f, "{\"progress\":{\"done\":0,\"total\":0}}\n"));
	CHECK_CODE(call_within(2500, -1, STATUS), TL_E_TIMEOUT);
	CHECK(strstr(tl_error_message(tl_last_error()), "nothing for 2500 ms, after it began"));
	fake_stop(&f);
	REQUIRE(fake_start(&f, "{\"progress\":{\"done\":0,\"total\":0}}\n"));
	CHECK_CODE(call_within(50, -1, STATUS), TL_E_TIMEOUT);
	CHECK(strstr(tl_error_message(tl_last_error()), "nothing for 2000 ms, after it began"));
	fake_stop(&f);
}

static void waiting_can_be_cancelled(void)
{
	fake_node f = {0};
	int ends[2];

	REQUIRE(fake_start(&f, NULL));
	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	CHECK_CODE(call_within(50, ends[0], STATUS), TL_E_TIMEOUT);
	fake_stop(&f);
	REQUIRE(fake_start(&f, NULL));
	CHECK(write(ends[1], "x", 1) == 1);
	CHECK_CODE(call_within(TL_NEVER, ends[0], STATUS), TL_E_CANCELLED);
	fake_stop(&f);
	close(ends[0]);
	close(ends[1]);
}

static void it_is_known_whether_a_request_was_taken(void)
{
	static const struct {
		const char *says;
		int code;
	} cases[] = {{"", TL_E_CONNECTION_FAILED},
		{"{\"progress\":{\"done\":0,\"total\":0}}\n", TL_E_CLOSED},
		{"{\"progress\":{\"done\":0,\"total\":0}}\n{\"res", TL_E_CLOSED},
		{"{\"progress\":{\"done\":1,\"total\":2}}\n{\"result\":7}\n", TL_OK},
		{"{\"progress\":7}\n{\"result\":7}\n", TL_E_BAD_MESSAGE}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		fake_node f = {0};

		REQUIRE(fake_start(&f, cases[i].says));
		CHECK_CODE(call_within(10000, -1, STATUS), cases[i].code);
		fake_stop(&f);
	}
}

static bool note_progress(void *ud, uint64_t done, uint64_t total)
{
	uint64_t *seen = ud;

	seen[0] = done;
	seen[1] = total;
	return done < 3;
}

static void progress_is_told_and_may_end_the_call(void)
{
	tl_control_options options = TL_CONTROL_OPTIONS_INIT;
	uint64_t seen[2] = {0, 0};
	char *result = NULL;
	fake_node f = {0};

	options.progress = note_progress;
	options.ud = seen;
	REQUIRE(fake_start(&f, "{\"progress\":{\"done\":1,\"total\":9}}\n{\"result\":7}\n"));
	CHECK_OK(tl_control_call_with(dir, STATUS, &options, &result));
	CHECK(seen[0] == 1 && seen[1] == 9 && result && strcmp(result, "7") == 0);
	tl_free(result);
	result = NULL;
	fake_stop(&f);
	REQUIRE(fake_start(&f, "{\"progress\":{\"done\":3,\"total\":9}}\n{\"result\":7}\n"));
	CHECK_CODE(tl_control_call_with(dir, STATUS, &options, &result), TL_E_CANCELLED);
	CHECK(!result);
	fake_stop(&f);
}

static void options_without_a_size_are_refused(void)
{
	tl_control_options options = {0};
	char *result = NULL;

	CHECK_CODE(tl_control_call_with("x", STATUS, &options, &result), TL_E_BAD_ARGUMENT);
}

/* --- a node and its clients ------------------------------------------------------------------- */

static int connect_idle(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%.90s/control.sock", dir);
	return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? fd : -1;
}

static void clients_that_say_nothing_make_room(void)
{
	int fds[TL_CONTROL_MAX_CONNECTIONS];
	tl_node *node;
	char byte;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	for (int i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		REQUIRE((fds[i] = connect_idle()) >= 0);
	CHECK_OK(call_within(20000, -1, LIST));
	CHECK(read(fds[0], &byte, 1) == 0);
	for (int i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		close(fds[i]);
	tl_node_close(node);
	scratch_remove(dir);
}

typedef struct asker {
	pthread_t thread;
	const char *request;
	int input_fd;
	uint32_t timeout_ms;
	int rc;
} asker;

static void *ask(void *ud)
{
	asker *a = ud;
	tl_control_options options = TL_CONTROL_OPTIONS_INIT;
	char *result = NULL;

	options.timeout_ms = a->timeout_ms;
	options.input_fd = a->input_fd;
	a->rc = tl_control_call_with(dir, a->request, &options, &result);
	tl_free(result);
	return NULL;
}

static bool start_asker(asker *a, const char *request, int input_fd, uint32_t timeout_ms)
{
	*a = (asker){.request = request, .input_fd = input_fd, .timeout_ms = timeout_ms};
	return pthread_create(&a->thread, NULL, ask, a) == 0;
}

static void many_clients_are_all_answered(void)
{
	enum { COUNT = 60 };
	static asker askers[COUNT];
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	for (int i = 0; i < COUNT; i++)
		REQUIRE(start_asker(&askers[i], LIST, -1, 60000));
	for (int i = 0; i < COUNT; i++) {
		pthread_join(askers[i].thread, NULL);
		CHECK_CODE(askers[i].rc, TL_OK);
	}
	tl_node_close(node);
	scratch_remove(dir);
}

/* An import whose source gives nothing lasts. */
static void a_long_call_holds_up_nobody_and_ends_with_the_node(void)
{
	int ends[2];
	tl_node *node;
	asker a;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	REQUIRE(start_asker(&a, "{\"call\":\"db import\"}", ends[0], 60000));
	nap(50);
	for (int i = 0; i < 3; i++)
		CHECK_OK(call_within(20000, -1, LIST));
	CHECK(pthread_tryjoin_np(a.thread, NULL) == EBUSY);
	tl_node_close(node);
	pthread_join(a.thread, NULL);
	CHECK_CODE(a.rc, TL_E_CLOSED);
	close(ends[0]);
	close(ends[1]);
	scratch_remove(dir);
}

/* What became of the descriptor that went along: the node gives it back. */
static void a_call_whose_client_goes_away_is_cancelled(void)
{
	int ends[2], cancel[2];
	tl_control_options options = TL_CONTROL_OPTIONS_INIT;
	char *result = NULL;
	tl_node *node;
	int waited = 0;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	REQUIRE(pipe2(ends, O_CLOEXEC) == 0 && pipe2(cancel, O_CLOEXEC) == 0);
	options.input_fd = ends[0];
	options.cancel_fd = cancel[0];
	options.timeout_ms = 300; /* it says that it works meanwhile */
	CHECK(write(cancel[1], "x", 1) == 1);
	CHECK_CODE(tl_control_call_with(dir, "{\"call\":\"db import\"}", &options, &result),
		TL_E_CANCELLED);
	close(ends[0]);
	/* Without readers a write is refused. */
	while (write(ends[1], "\n", 1) == 1 && waited++ < 1000)
		nap(10);
	CHECK(waited < 1000);
	close(ends[1]);
	close(cancel[0]);
	close(cancel[1]);
	tl_node_close(node);
	scratch_remove(dir);
}

static void a_long_call_is_not_taken_for_silence(void)
{
	int ends[2];
	tl_node *node;
	asker a;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
	REQUIRE(start_asker(&a, "{\"call\":\"db import\"}", ends[0], 2000));
	nap(3000);
	close(ends[1]);
	pthread_join(a.thread, NULL);
	CHECK_CODE(a.rc, TL_E_BAD_ENTRY); /* there was none */
	close(ends[0]);
	tl_node_close(node);
	scratch_remove(dir);
}

static void a_node_that_closes_answers_who_is_in_the_queue(void)
{
	enum { COUNT = TL_CONTROL_MAX_CONNECTIONS + 20 };
	char answer[200];
	int fds[COUNT];
	tl_node *node;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	for (int i = 0; i < COUNT; i++) {
		REQUIRE((fds[i] = connect_idle()) >= 0);
		REQUIRE(write(fds[i], LIST "\n", strlen(LIST) + 1) == (ssize_t)strlen(LIST) + 1);
	}
	tl_node_close(node);
	for (int i = 0; i < COUNT; i++) {
		ssize_t n = read(fds[i], answer, sizeof answer);

		CHECK(n > 0 && memcmp(answer, "{\"result\":[]}\n", (size_t)n) == 0);
		close(fds[i]);
	}
	scratch_remove(dir);
}

/* The rest of what a client has sent is not begun. */
static void a_node_that_closes_begins_no_further_calls(void)
{
	enum { COUNT = 20000 };
	static char requests[COUNT * sizeof LIST]; /* a line end for each zero */
	tl_node *node;
	int fd;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	for (int i = 0; i < COUNT; i++)
		memcpy(requests + (size_t)i * sizeof LIST, LIST "\n", sizeof LIST);
	REQUIRE((fd = connect_idle()) >= 0);
	REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECK(write(fd, requests, sizeof requests) > 0);
	tl_node_close(node);
	close(fd);
	scratch_remove(dir);
}

/* One that does not come to an end with its request keeps no node from closing. */
static void an_unfinished_request_does_not_keep_a_node_open(void)
{
	tl_node *node;
	int fd;

	scratch_make(dir);
	node = open_offline(dir);
	REQUIRE(node != NULL);
	REQUIRE((fd = connect_idle()) >= 0);
	CHECK(write(fd, "{\"call\":", 8) == 8);
	tl_node_close(node);
	close(fd);
	node = open_offline(dir);
	CHECK(node != NULL);
	tl_node_close(node);
	scratch_remove(dir);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	RUN(a_silent_node_is_given_up);
	RUN(a_node_that_works_gets_time_to_say_so);
	RUN(waiting_can_be_cancelled);
	RUN(it_is_known_whether_a_request_was_taken);
	RUN(progress_is_told_and_may_end_the_call);
	RUN(options_without_a_size_are_refused);
	RUN(clients_that_say_nothing_make_room);
	RUN(many_clients_are_all_answered);
	RUN(a_long_call_holds_up_nobody_and_ends_with_the_node);
	RUN(a_call_whose_client_goes_away_is_cancelled);
	RUN(a_long_call_is_not_taken_for_silence);
	RUN(a_node_that_closes_answers_who_is_in_the_queue);
	RUN(a_node_that_closes_begins_no_further_calls);
	RUN(an_unfinished_request_does_not_keep_a_node_open);
	return spec_end();
}
