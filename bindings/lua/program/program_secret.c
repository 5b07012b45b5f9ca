#include "program/program_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "module/options.h"
#include "program/program_signals.h"

static void wipe(char *bytes, size_t len)
{
	volatile char *at = bytes;

	for (size_t i = 0; i < len; i++)
		at[i] = 0;
}

void program_secret_take(lua_State *L)
{
	char *text = getenv(PROGRAM_PASSPHRASE);

	if (!text)
		return;
	if (*text)
		tlua_keep_passphrase(L, (tl_str){text, strlen(text)});
	wipe(text, strlen(text));
	unsetenv(PROGRAM_PASSPHRASE);
}

/* Everything up to the end; one more byte than a passphrase may have tells that it is too long. */
static ssize_t read_all(int fd, char out[PASSPHRASE_MAX + 3])
{
	size_t len = 0;

	while (len < PASSPHRASE_MAX + 3) {
		ssize_t n = read(fd, out + len, PASSPHRASE_MAX + 3 - len);

		if (n < 0 && errno == EINTR && program_signals_first() == 0)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* A text file ends with a line end, which is no part of it. */
static size_t without_line_end(const char *text, size_t len)
{
	if (len > 0 && text[len - 1] == '\n')
		len -= len > 1 && text[len - 2] == '\r' ? 2 : 1;
	return len;
}

static int fail(lua_State *L, const char *name, const char *why)
{
	lua_pushnil(L);
	lua_pushfstring(L, "cannot read the passphrase from %s: %s", name, why);
	return 2;
}

/* Closes the descriptor. */
static int keep_from(lua_State *L, int fd, const char *name)
{
	char text[PASSPHRASE_MAX + 3];
	ssize_t got = read_all(fd, text);
	int error = errno;
	size_t len = got > 0 ? without_line_end(text, (size_t)got) : 0;

	close(fd);
	if (got >= 0 && len > 0 && len <= PASSPHRASE_MAX)
		tlua_keep_passphrase(L, (tl_str){text, len});
	wipe(text, sizeof text);
	if (got < 0)
		return fail(L, name, strerror(error));
	if (len == 0)
		return fail(L, name, "it is empty");
	if (len > PASSPHRASE_MAX)
		return fail(L, name, "it is longer than 4096 bytes");
	lua_pushboolean(L, true);
	return 1;
}

/* passphrase_file(path) -> true, or nil and why not */
static int secret_file(lua_State *L)
{
	const char *path = luaL_checkstring(L, 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? fail(L, path, strerror(errno)) : keep_from(L, fd, path);
}

/* Of the process's start: those opened since are closed when another program is started. */
static bool is_inherited(lua_Integer number)
{
	int flags = number < 0 || number > INT32_MAX ? -1 : fcntl((int)number, F_GETFD);

	return flags >= 0 && (flags & FD_CLOEXEC) == 0;
}

/* passphrase_fd(descriptor) -> true, or nil and why not. It is closed; a standard one is then
 * /dev/null. */
static int secret_fd(lua_State *L)
{
	lua_Integer number = luaL_checkinteger(L, 1);
	const char *name = lua_pushfstring(L, "descriptor %I", number);
	int fd = is_inherited(number) ? fcntl((int)number, F_DUPFD_CLOEXEC, 3) : -1;
	int empty;

	if (fd < 0)
		return fail(L, name, "it is not open");
	empty = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (number <= STDERR_FILENO && empty >= 0)
		dup2(empty, (int)number);
	else
		close((int)number);
	if (empty >= 0)
		close(empty);
	return keep_from(L, fd, name);
}

void program_secret_open(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{"passphrase_file", secret_file}, {"passphrase_fd", secret_fd}, {NULL, NULL}};

	luaL_setfuncs(L, functions, 0);
}
