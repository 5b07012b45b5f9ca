#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <tidelock/control.h>
#include <tidelock/entry.h>
#include "base/arena.h"
#include "base/system/descriptors.h"
#include "base/system/env.h"
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"
#include "base/str.h"
#include "control/control_server.h"

#define READ_BYTES 65536
/* A node whose queue is full is asked again after this long; nothing tells when there is room. */
#define CONNECT_AGAIN_MS 10
/* A node that works at the call says so once a second, and gets this long at least. */
#define WORKING_PATIENCE_MS 2000

typedef struct call {
	const char *path;
	tl_control_options options;
	uint64_t heard; /* when the node last said or took something */
	int fd;
	bool taken; /* the node has begun to work at it */
	tl__buf line;
} call;

/* --- waiting ---------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
	return tl__system_clock.monotonic_ms(NULL);
}

static uint64_t patience_ms(const call *c)
{
	uint32_t given = c->options.timeout_ms;

	if (given == TL_NEVER)
		return UINT64_MAX;
	return c->taken && given < WORKING_PATIENCE_MS ? WORKING_PATIENCE_MS : given;
}

static int fail_silent(const call *c)
{
	return tl__fail(TL_E_TIMEOUT,
		"the process that has %s open has said nothing for %u ms%s; see whether it is "
		"stopped or has too much to do",
		c->path, (unsigned)patience_ms(c),
		c->taken ? ", after it began with the request" : "");
}

/* Until the descriptor (-1: none) is ready, or `most_ms` (-1: no limit) are over. */
static int wait_ready(const call *c, int fd, short events, int most_ms)
{
	struct pollfd fds[2] = {
		{.fd = fd, .events = events}, {.fd = c->options.cancel_fd, .events = POLLIN}};
	uint64_t silent = now_ms() - c->heard, patience = patience_ms(c), left;
	int rc;

	if (silent >= patience)
		return fail_silent(c);
	left = patience - silent;
	if (patience != UINT64_MAX && (most_ms < 0 || (uint64_t)most_ms > left))
		most_ms = left > INT32_MAX ? INT32_MAX : (int)left;
	rc = poll(fds, 2, most_ms);
	if (rc < 0 && errno != EINTR)
		return tl__fail(TL_E_IO, "cannot wait for the running node: %s", strerror(errno));
	if (rc > 0 && fds[1].revents)
		return tl__fail(TL_E_CANCELLED, "the call was cancelled");
	return TL_OK;
}

/* --- sending ---------------------------------------------------------------------------------- */

static int fail_absent(const call *c)
{
	if (errno == EACCES)
		return tl__fail(TL_E_CONNECTION_FAILED,
			"no permission to talk to a node that has %s open (%s); run this as the "
			"user "
			"the directory belongs to",
			c->path, strerror(errno));
	return tl__fail(TL_E_CONNECTION_FAILED, "no running node has %s open (%s); start one there",
		c->path, strerror(errno));
}

/* It ended; `taken` says whether it can have done anything. */
static int fail_ended(const call *c)
{
	if (c->taken)
		return tl__fail(TL_E_CLOSED,
			"the running node ended before it answered; see what it has done");
	return tl__fail(TL_E_CONNECTION_FAILED,
		"the node that has %s open ended before it took the request; try again", c->path);
}

static int connect_named(call *c, const struct sockaddr_un *address)
{
	int rc = TL_OK;

	while (connect(c->fd, (const struct sockaddr *)address, sizeof *address) != 0) {
		if (errno != EAGAIN && errno != EINTR)
			return fail_absent(c);
		rc = wait_ready(c, -1, 0, CONNECT_AGAIN_MS);
		if (rc != TL_OK)
			return rc;
	}
	return TL_OK;
}

static int connect_to(call *c)
{
	struct sockaddr_un address;
	int dir = open(c->path, O_PATH | O_DIRECTORY | O_CLOEXEC), rc;

	if (dir >= 0 && tl__control_name(dir, c->path, &address) == 0)
		c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = c->fd >= 0 ? connect_named(c, &address) : fail_absent(c);
	if (dir >= 0)
		close(dir);
	return rc;
}

/* Sends some of it; the first bytes carry the descriptor. */
static ssize_t send_some(const call *c, tl_str text, bool carries)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.room = {0}};
	struct iovec part = {.iov_base = (char *)(uintptr_t)text.ptr, .iov_len = text.len};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (carries) {
		struct cmsghdr *head = &control.head;

		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &c->options.input_fd, sizeof(int));
		message.msg_control = control.room;
		message.msg_controllen = sizeof control.room;
	}
	return sendmsg(c->fd, &message, MSG_NOSIGNAL);
}

static int send_text(call *c, tl_str text)
{
	bool carries = c->options.input_fd >= 0;

	while (text.len > 0) {
		ssize_t n = send_some(c, text, carries);
		int rc = TL_OK;

		if (n > 0) {
			text.ptr += n;
			text.len -= (size_t)n;
			carries = false;
			c->heard = now_ms();
		} else if (errno == EAGAIN || errno == EINTR) {
			rc = wait_ready(c, c->fd, POLLOUT, -1);
		} else if (errno == EPIPE || errno == ECONNRESET) {
			return TL_OK; /* what it still said can be read */
		} else {
			rc = tl__fail(TL_E_NETWORK, "cannot send to the running node: %s",
				strerror(errno));
		}
		if (rc != TL_OK)
			return rc;
	}
	return TL_OK;
}

/* The request as it goes out: with a member that asks to be told when the node begins with it, and
 * that it still works. */
static int write_request(tl__buf *out, tl_str request)
{
	size_t at = 0;

	if (request.len > TL_CONTROL_MAX_REQUEST || memchr(request.ptr, '\n', request.len))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a control request is one line of at most %u bytes",
			TL_CONTROL_MAX_REQUEST);
	while (at < request.len && strchr(" \t\r", request.ptr[at]))
		at++;
	if (at < request.len && request.ptr[at] == '{') {
		size_t next = ++at;

		while (next < request.len && strchr(" \t\r", request.ptr[next]))
			next++;
		tl__buf_text(out, "{\"progress\":true");
		tl__buf_text(out, next < request.len && request.ptr[next] == '}' ? "" : ",");
	} else {
		at = 0; /* the node says what is wrong with it */
	}
	tl__buf_append(out, request.ptr + at, request.len - at);
	tl__buf_byte(out, '\n');
	return tl__buf_status(out);
}

/* --- receiving -------------------------------------------------------------------------------- */

static int code_of(tl_str name)
{
#define CODE_OF(symbol, number, text)                                                              \
	if (tl__str_eq(name, TL__STR(text)))                                                       \
		return TL_E_##symbol;
	TL_ERROR_CODES(CODE_OF)
#undef CODE_OF
	return TL_E_INTERNAL;
}

static int read_answer(tl_str line, char **result)
{
	tl__arena arena = TL__ARENA_INIT;
	tl_str value = TL__STR_NULL, code = TL__STR_NULL, message = TL__STR_NULL;
	const tl__field members[] = {{"result", TL__FIELD_VERBATIM, &value, false},
		{"code", TL__FIELD_TEXT, &code, false},
		{"message", TL__FIELD_TEXT, &message, false}};
	int rc = TL__FIELDS_READ(line, &arena, "control answer", TL_E_BAD_MESSAGE, members);

	if (rc == TL_OK && code.ptr)
		rc = tl__fail(code_of(code), "%.*s", TL__STR_ARG(message));
	if (rc == TL_OK && !value.ptr)
		rc = tl__fail(TL_E_BAD_MESSAGE, "the control answer has no result");
	if (rc == TL_OK) {
		*result = tl__copy_bytes(value.ptr, value.len);
		rc = *result ? TL_OK : TL_E_NOMEM;
	}
	tl__arena_free(&arena);
	return rc;
}

/* {"progress":{"done":N,"total":N}} */
static int read_progress(const call *c, tl_str line)
{
	uint64_t done = 0, total = 0;
	tl_str inner = TL__STR_NULL;
	const tl__field outer[] = {{"progress", TL__FIELD_VERBATIM, &inner, true}};
	const tl__field members[] = {
		{"done", TL__FIELD_U64, &done, false}, {"total", TL__FIELD_U64, &total, false}};
	tl__arena arena = TL__ARENA_INIT;
	int rc = TL__FIELDS_READ(line, &arena, "control progress", TL_E_BAD_MESSAGE, outer);

	if (rc == TL_OK)
		rc = TL__FIELDS_READ(inner, &arena, "control progress", TL_E_BAD_MESSAGE, members);
	tl__arena_free(&arena);
	if (rc == TL_OK && c->options.progress && !c->options.progress(c->options.ud, done, total))
		rc = tl__fail(TL_E_CANCELLED, "the call was cancelled");
	return rc;
}

/* Reads more of the line; *whole once its end is there. */
static int receive_some(call *c, bool *whole)
{
	char *room = tl__buf_reserve(&c->line, READ_BYTES);
	ssize_t n = room ? read(c->fd, room, READ_BYTES) : 0;

	if (!room)
		return TL_E_NOMEM;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return wait_ready(c, c->fd, POLLIN, -1);
	if (n <= 0)
		return fail_ended(c);
	c->heard = now_ms();
	c->line.len += (size_t)n;
	*whole = memchr(room, '\n', (size_t)n) != NULL;
	if (!*whole && c->line.len > TL_CONTROL_MAX_ANSWER)
		return tl__fail(
			TL_E_TOO_LARGE, "the answer is larger than a control answer may be");
	return TL_OK;
}

/* What is said of the call's progress, until the answer. */
static int receive_answer(call *c, char **result)
{
	static const tl_str mark = TL__STR("{\"progress\":");

	for (;;) {
		char *end = c->line.len ? memchr(c->line.ptr, '\n', c->line.len) : NULL;
		bool whole = end != NULL;
		tl_str line;
		int rc = TL_OK;

		while (!whole && rc == TL_OK)
			rc = receive_some(c, &whole);
		if (rc != TL_OK)
			return rc;
		end = memchr(c->line.ptr, '\n', c->line.len);
		line = (tl_str){c->line.ptr, (size_t)(end - c->line.ptr)};
		if (line.len > TL_CONTROL_MAX_ANSWER)
			return tl__fail(TL_E_TOO_LARGE,
				"the answer is larger than a control answer may be");
		if (line.len < mark.len || memcmp(line.ptr, mark.ptr, mark.len) != 0)
			return read_answer(line, result);
		c->taken = true;
		rc = read_progress(c, line);
		if (rc != TL_OK)
			return rc;
		c->line.len -= line.len + 1;
		memmove(c->line.ptr, end + 1, c->line.len);
	}
}

/* --- public ----------------------------------------------------------------------------------- */

static int read_options(tl_control_options *out, const tl_control_options *given)
{
	int rc = TL_OK;

	*out = (tl_control_options)TL_CONTROL_OPTIONS_INIT;
	if (given)
		rc = tl__sized_read(out, given, tl_control_options, ud);
	if (out->timeout_ms == 0)
		out->timeout_ms = TL_CONTROL_TIMEOUT_MS;
	return rc;
}

TL__PUBLIC(tl_control_call_with, path && request && result,
	(const char *path, const char *request, const tl_control_options *options, char **result),
	(path, request, options, result))
{
	call c = {.path = path, .fd = -1, .line = TL__BUF_INIT, .heard = now_ms()};
	tl__buf text = TL__BUF_INIT;
	int rc = read_options(&c.options, options);

	*result = NULL;
	if (rc == TL_OK)
		rc = tl__descriptors_guard();
	if (rc == TL_OK)
		rc = write_request(&text, tl__str_z(request));
	if (rc == TL_OK)
		rc = connect_to(&c);
	if (rc == TL_OK)
		rc = send_text(&c, tl__buf_view(&text));
	if (rc == TL_OK)
		rc = receive_answer(&c, result);
	if (c.fd >= 0)
		close(c.fd);
	tl__buf_free(&c.line);
	tl__buf_free(&text);
	return rc;
}

TL__PUBLIC(tl_control_call, path && request && result,
	(const char *path, const char *request, char **result), (path, request, result))
{
	return tl_control_call_with(path, request, NULL, result);
}
