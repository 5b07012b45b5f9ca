#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <tidelock/control.h>
#include <tidelock/entry.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/control_server.h"

#define READ_BYTES 65536

static int connect_to(const char *path, int *out)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = -1, dir, rc = TL_OK;

	dir = tl__control_name(path, address.sun_path, sizeof address.sun_path);
	if (dir >= 0)
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (dir < 0 || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
		rc = tl__fail(TL_E_CONNECTION_FAILED,
			"no running node has %s open (%s); start one there", path, strerror(errno));
	if (dir >= 0)
		close(dir);
	if (rc != TL_OK && fd >= 0) {
		close(fd);
		fd = -1;
	}
	*out = fd;
	return rc;
}

static int send_line(int fd, tl_str line)
{
	while (line.len > 0) {
		ssize_t n = send(fd, line.ptr, line.len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return tl__fail(TL_E_NETWORK, "the running node does not listen: %s",
				strerror(errno));
		if (n > 0) {
			line.ptr += n;
			line.len -= (size_t)n;
		}
	}
	return TL_OK;
}

static int receive_line(int fd, tl__buf *line)
{
	for (;;) {
		char *room = tl__buf_reserve(line, READ_BYTES);
		ssize_t n = room ? read(fd, room, READ_BYTES) : 0;
		bool whole;

		if (!room)
			return TL_E_NOMEM;
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return tl__fail(TL_E_CLOSED,
				"the running node went away before it answered; try again");
		line->len += (size_t)n;
		whole = room[n - 1] == '\n';
		if (whole && line->len - 1 <= TL_CONTROL_MAX_ANSWER)
			return TL_OK;
		if (whole || line->len > TL_CONTROL_MAX_ANSWER)
			return tl__fail(TL_E_TOO_LARGE,
				"the answer is larger than a control answer may be");
	}
}

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
	static const char *const names[] = {"result", "code", "message"};
	tl__arena arena = TL__ARENA_INIT;
	tl_str value = TL__STR_NULL, code = TL__STR_NULL, message = TL__STR_NULL;
	tl__fields f;
	uint32_t seen = 0;
	size_t at;
	int rc;

	tl__fields_open(&f, line, &arena, "control answer", TL_E_BAD_MESSAGE);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 3, &seen, &at)) {
		if (at == 0)
			tl__fields_verbatim(&f, &value);
		else
			tl__fields_text(&f, at == 1 ? &code : &message);
	}
	rc = tl__fields_whole(&f);
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

int tl_control_call(const char *path, const char *request, char **result)
{
	tl_str line = tl__str_z(request);
	tl__buf answer = TL__BUF_INIT;
	int fd = -1, rc;

	*result = NULL;
	if (line.len > TL_CONTROL_MAX_REQUEST || memchr(line.ptr, '\n', line.len))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a control request is one line of at most %u bytes",
			TL_CONTROL_MAX_REQUEST);
	rc = connect_to(path, &fd);
	if (rc != TL_OK)
		return rc;
	rc = send_line(fd, line);
	if (rc == TL_OK)
		rc = send_line(fd, TL__STR("\n"));
	if (rc == TL_OK)
		rc = receive_line(fd, &answer);
	close(fd);
	if (rc == TL_OK)
		rc = read_answer((tl_str){answer.ptr, answer.len - 1}, result);
	tl__buf_free(&answer);
	return rc;
}
