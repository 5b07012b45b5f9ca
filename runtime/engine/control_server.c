#include "engine/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <tidelock/control.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/thread.h"

/* An answer that makes no progress for so long is given up: others wait behind it. */
#define WRITE_PATIENCE_MS 5000
#define READ_BYTES        65536

typedef struct connection {
	int fd; /* -1: free */
	tl__buf line;
} connection;

struct tl__control {
	tl_node *node;
	pthread_t thread;
	int dir, listener, stop;
	connection at[TL_CONTROL_MAX_CONNECTIONS];
};

int tl__control_name(const char *path, char *out, size_t cap)
{
	int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir >= 0)
		snprintf(out, cap, "/proc/self/fd/%d/" TL__CONTROL_FILE, dir);
	return dir;
}

/* --- connections ------------------------------------------------------------------------------ */

static void drop(connection *c)
{
	close(c->fd);
	c->fd = -1;
	tl__buf_free(&c->line);
}

/* The socket's directory lets nobody else in; this is the second lock. */
static bool is_allowed(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == geteuid() || who.uid == 0);
}

static void accept_one(tl__control *control)
{
	int fd = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t i = 0;

	if (fd < 0)
		return;
	while (i < TL_CONTROL_MAX_CONNECTIONS && control->at[i].fd >= 0)
		i++;
	if (i == TL_CONTROL_MAX_CONNECTIONS || !is_allowed(fd)) {
		close(fd);
		return;
	}
	control->at[i].fd = fd;
}

static bool write_all(int fd, tl_str text)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	while (text.len > 0) {
		ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

		if (n > 0) {
			text.ptr += n;
			text.len -= (size_t)n;
		} else if ((errno != EAGAIN && errno != EINTR) ||
			   poll(&p, 1, WRITE_PATIENCE_MS) == 0) {
			return false;
		}
	}
	return true;
}

static bool answer(tl__control *control, connection *c, size_t end)
{
	tl__buf out = TL__BUF_INIT;
	bool written;

	tl__control_answer(control->node, (tl_str){c->line.ptr, end}, &out);
	written = tl__buf_status(&out) == TL_OK && write_all(c->fd, tl__buf_view(&out));
	tl__buf_free(&out);
	c->line.len -= end + 1;
	memmove(c->line.ptr, c->line.ptr + end + 1, c->line.len);
	return written;
}

/* What it sends on is not read. */
static bool refuse(const connection *c)
{
	tl__buf out = TL__BUF_INIT;

	tl__buf_format(&out,
		"{\"code\":\"%s\",\"message\":\"a request is one line of at most %u bytes\"}\n",
		tl_error_name(TL_E_TOO_LARGE), TL_CONTROL_MAX_REQUEST);
	if (tl__buf_status(&out) == TL_OK)
		(void)write_all(c->fd, tl__buf_view(&out));
	tl__buf_free(&out);
	return false;
}

/* false: the connection is to be dropped. */
static bool serve(tl__control *control, connection *c)
{
	char *room = tl__buf_reserve(&c->line, READ_BYTES);
	ssize_t n = room ? read(c->fd, room, READ_BYTES) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	c->line.len += (size_t)n;
	for (;;) {
		char *end = memchr(c->line.ptr, '\n', c->line.len);

		if ((end ? (size_t)(end - c->line.ptr) : c->line.len) > TL_CONTROL_MAX_REQUEST)
			return refuse(c);
		if (!end)
			return true;
		if (!answer(control, c, (size_t)(end - c->line.ptr)))
			return false;
	}
}

static void *run(void *ud)
{
	tl__control *control = ud;
	struct pollfd fds[TL_CONTROL_MAX_CONNECTIONS + 2];

	for (;;) {
		bool full = true;

		fds[0] = (struct pollfd){.fd = control->stop, .events = POLLIN};
		for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++) {
			fds[i + 2] = (struct pollfd){.fd = control->at[i].fd, .events = POLLIN};
			full = full && control->at[i].fd >= 0;
		}
		/* With all places taken the next caller waits in the system's queue. */
		fds[1] = (struct pollfd){.fd = full ? -1 : control->listener, .events = POLLIN};
		if (poll(fds, TL_CONTROL_MAX_CONNECTIONS + 2, -1) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			accept_one(control);
		for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
			if (fds[i + 2].revents && control->at[i].fd == fds[i + 2].fd &&
				!serve(control, &control->at[i]))
				drop(&control->at[i]);
	}
}

/* --- life ------------------------------------------------------------------------------------- */

static int bind_socket(tl__control *control)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	control->listener = fd;
	if (fd < 0)
		return -1;
	control->dir =
		tl__control_name(control->node->path, address.sun_path, sizeof address.sun_path);
	if (control->dir < 0)
		return -1;
	/* The directory is ours alone (the store holds its lock): what lies there is left over. */
	unlinkat(control->dir, TL__CONTROL_FILE, 0);
	if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return -1;
	return fchmodat(control->dir, TL__CONTROL_FILE, 0600, 0) == 0 &&
			       listen(fd, TL_CONTROL_MAX_CONNECTIONS) == 0
		       ? 0
		       : -1;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void control_free(tl__control *control)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		if (control->at[i].fd >= 0)
			drop(&control->at[i]);
	close_fd(control->listener);
	close_fd(control->stop);
	if (control->dir >= 0)
		unlinkat(control->dir, TL__CONTROL_FILE, 0);
	close_fd(control->dir);
	tl__free(control);
}

int tl__control_open(tl__control **out, tl_node *node)
{
	tl__control *control = tl__alloc_zero(1, sizeof *control);
	int rc;

	*out = NULL;
	if (!control)
		return TL_E_NOMEM;
	control->node = node;
	control->dir = control->listener = -1;
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		control->at[i].fd = -1;
	control->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->stop < 0 || bind_socket(control) != 0) {
		rc = tl__fail(TL_E_IO, "cannot listen on " TL__CONTROL_FILE " in %s: %s",
			node->path, strerror(errno));
		control_free(control);
		return rc;
	}
	rc = tl__thread_start(&control->thread, run, control);
	if (rc != 0) {
		control_free(control);
		return tl__fail(TL_E_IO, "cannot start the control thread: %s", strerror(rc));
	}
	*out = control;
	return TL_OK;
}

void tl__control_close(tl__control *control)
{
	const uint64_t one = 1;

	if (!control)
		return;
	if (write(control->stop, &one, sizeof one) == (ssize_t)sizeof one)
		pthread_join(control->thread, NULL);
	control_free(control);
}
