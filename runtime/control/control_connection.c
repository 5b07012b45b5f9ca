#include "control/control_connection.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <tidelock/control.h>
#include "base/system/env.h"
#include "base/fail.h"
#include "base/system/thread.h"
#include "engine/node/visit.h"

/* An answer that makes no progress for so long is given up. */
#define WRITE_PATIENCE_MS 5000
#define READ_BYTES        65536

static uint64_t now_ms(void)
{
	return tl__system_clock.monotonic_ms(NULL);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void wake(const tl__connection *c)
{
	const uint64_t one = 1;

	/* It is readable already when it takes no more. */
	(void)!write(c->wake, &one, sizeof one);
}

static void enter(tl__connection *c, tl__connection_state next)
{
	c->state = next;
	c->since = now_ms();
}

void tl__connection_init(tl__connection *c, tl_node *node, int wake_fd)
{
	c->node = node;
	c->wake = wake_fd;
	c->fd = c->job.input = -1;
}

void tl__connection_take(tl__connection *c, int fd)
{
	c->fd = fd;
	c->sent = 0;
	enter(c, TL__CONNECTION_READING);
}

void tl__connection_drop(tl__connection *c)
{
	close_fd(&c->fd);
	close_fd(&c->job.input);
	tl__buf_wipe(&c->line); /* shares pass here */
	tl__buf_wipe(&c->out);
	c->state = TL__CONNECTION_FREE;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* Takes no part of a line when there is no room for it: the client has not read the last ones. */
static void tell(tl__connection *c)
{
	char text[96];
	int len = snprintf(text, sizeof text, "{\"progress\":{\"done\":%llu,\"total\":%llu}}\n",
		(unsigned long long)atomic_load(&c->job.done),
		(unsigned long long)atomic_load(&c->job.total));

	if (send(c->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
		atomic_store(&c->job.cancelled, true);
}

/* On the call's thread, before it does anything: a client that heard nothing knows that nothing
 * was done. */
static void begin_to_tell(void *ud)
{
	tl__connection *c = ud;

	tell(c);
	atomic_store(&c->told, true);
}

static void *run_call(void *ud)
{
	tl__connection *c = ud;

	tl__visit_belong(c->node);
	tl__control_answer(c->node, (tl_str){c->line.ptr, c->end}, &c->job, &c->out);
	atomic_store(&c->done, true);
	wake(c);
	return NULL;
}

static void put_failure(tl__connection *c, int code, const char *message)
{
	tl__buf_clear(&c->out);
	tl__buf_format(
		&c->out, "{\"code\":\"%s\",\"message\":\"%s\"}\n", tl_error_name(code), message);
	enter(c, TL__CONNECTION_WRITING);
}

static void start_call(tl__connection *c, size_t end)
{
	c->end = end;
	c->job.taken = begin_to_tell;
	c->job.ud = c;
	atomic_store(&c->job.done, 0);
	atomic_store(&c->job.total, 0);
	atomic_store(&c->job.cancelled, false);
	atomic_store(&c->told, false);
	atomic_store(&c->done, false);
	if (tl__thread_start(&c->thread, "tl-call", run_call, c) == 0)
		enter(c, TL__CONNECTION_RUNNING);
	else
		put_failure(c, TL_E_IO, "there is no thread left for the call; try again");
}

/* The call is done: its answer goes out, and what was read behind its request stays. */
static void end_call(tl__connection *c)
{
	pthread_join(c->thread, NULL);
	close_fd(&c->job.input);
	if (atomic_load(&c->told) && atomic_load(&c->job.total) > 0)
		tell(c); /* how it ended, also of a call that was short */
	if (tl__buf_status(&c->out) != TL_OK)
		put_failure(c, TL_E_NOMEM, "not enough memory for the answer");
	enter(c, TL__CONNECTION_WRITING);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Keeps one descriptor that came along. */
static void keep_input(tl__connection *c, struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
		head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		close_fd(&c->job.input);
		memcpy(&c->job.input, CMSG_DATA(head), sizeof(int));
	}
}

static ssize_t receive(tl__connection *c, char *room)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))]; /* the system closes what is more */
	} control;
	struct iovec part = {.iov_base = room, .iov_len = READ_BYTES};
	struct msghdr message = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof control.room};
	ssize_t n = recvmsg(c->fd, &message, MSG_CMSG_CLOEXEC);

	if (n >= 0)
		keep_input(c, &message);
	return n;
}

/* Starts the call when its request is there. What follows one that is too long is not read. */
static void look_for_request(tl__connection *c)
{
	char *end = c->line.len ? memchr(c->line.ptr, '\n', c->line.len) : NULL;
	size_t len = end ? (size_t)(end - c->line.ptr) : c->line.len;

	if (len > TL_CONTROL_MAX_REQUEST) {
		put_failure(c, TL_E_TOO_LARGE, "a request is one line of at most 1 MiB");
		c->end = SIZE_MAX;
	} else if (end) {
		start_call(c, len);
	}
}

static void read_some(tl__connection *c)
{
	char *room = tl__buf_reserve(&c->line, READ_BYTES);
	ssize_t n = room ? receive(c, room) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		tl__connection_drop(c);
		return;
	}
	c->line.len += (size_t)n;
	look_for_request(c);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void finish_answer(tl__connection *c)
{
	if (c->end == SIZE_MAX) {
		tl__connection_drop(c);
		return;
	}
	tl__buf_wipe(&c->out);
	c->sent = 0;
	c->line.len -= c->end + 1;
	memmove(c->line.ptr, c->line.ptr + c->end + 1, c->line.len);
	explicit_bzero(c->line.ptr + c->line.len, c->end + 1);
	enter(c, TL__CONNECTION_READING);
	look_for_request(c);
}

static void write_some(tl__connection *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.ptr + c->sent, c->out.len - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (now_ms() - c->since > WRITE_PATIENCE_MS)
				tl__connection_drop(c);
			return;
		}
		if (n < 0) {
			tl__connection_drop(c);
			return;
		}
		c->sent += (size_t)n;
		c->since = now_ms();
	}
	finish_answer(c);
}

/* --- for the control thread ------------------------------------------------------------------- */

struct pollfd tl__connection_waits(const tl__connection *c)
{
	struct pollfd p = {.fd = c->fd};

	if (c->state == TL__CONNECTION_READING)
		p.events = POLLIN;
	else if (c->state == TL__CONNECTION_WRITING)
		p.events = POLLOUT;
	else if (atomic_load(&c->job.cancelled))
		p.fd = -1; /* that the client is gone is known */
	return p;
}

void tl__connection_look(tl__connection *c, short events)
{
	if (c->state == TL__CONNECTION_READING && events)
		read_some(c);
	else if (c->state == TL__CONNECTION_WRITING)
		write_some(c);
	else if (c->state == TL__CONNECTION_RUNNING && events) /* nobody waits any more */
		atomic_store(&c->job.cancelled, true);
	if (c->state == TL__CONNECTION_RUNNING && atomic_load(&c->done))
		end_call(c);
}

void tl__connection_tell(tl__connection *c)
{
	if (c->state == TL__CONNECTION_RUNNING && atomic_load(&c->told) &&
		!atomic_load(&c->job.cancelled))
		tell(c);
}

void tl__connection_end(tl__connection *c)
{
	if (c->state == TL__CONNECTION_RUNNING) {
		end_call(c);
		c->line.len = c->end + 1; /* no other call begins */
		write_some(c);
	}
	tl__connection_drop(c);
}
