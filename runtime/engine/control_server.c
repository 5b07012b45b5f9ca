#include "engine/control_server.h"
#include "engine/visit.h"

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
#include "base/env.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/thread.h"

/* An answer that makes no progress for so long is given up. */
#define WRITE_PATIENCE_MS 5000
/* A connection may be without a request for so long while others wait for its place. */
#define IDLE_PATIENCE_MS 2000
/* The same while the node closes. */
#define LAST_PATIENCE_MS 100
/* How often clients are told how their calls go. */
#define TELL_MS    200
#define READ_BYTES 65536
#define QUEUE      128

typedef enum state { FREE = 0, READING, RUNNING, WRITING } state;

typedef struct connection {
	tl__control *control;
	state state;
	int fd;
	uint64_t since; /* when it came to its state; WRITING: when something was last taken */
	tl__buf line;   /* what was read and not yet answered */
	size_t end;     /* of the request in it */
	tl__buf out;    /* the answer */
	size_t sent;
	pthread_t thread; /* RUNNING */
	tl__control_job job;
	atomic_bool told; /* its client is told how the call goes */
	atomic_bool done;
} connection;

struct tl__control {
	tl_node *node;
	pthread_t thread;
	int dir; /* the store's */
	int listener;
	ino_t inode; /* of the socket's name; 0: not made */
	int wake;    /* a call is done, or everything is to end */
	atomic_bool closing;
	connection at[TL_CONTROL_MAX_CONNECTIONS];
};

int tl__control_name(int directory, const char *path, struct sockaddr_un *out)
{
	int len;

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(out->sun_path, sizeof out->sun_path, "/proc/self/fd/%d", directory);
	if (access(out->sun_path, F_OK) == 0)
		len = snprintf(out->sun_path, sizeof out->sun_path,
			"/proc/self/fd/%d/" TL__CONTROL_FILE, directory);
	else
		len = snprintf(out->sun_path, sizeof out->sun_path, "%s/" TL__CONTROL_FILE, path);
	if (len >= 0 && (size_t)len < sizeof out->sun_path)
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

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

static void wake(const tl__control *control)
{
	const uint64_t one = 1;

	/* It is readable already when it takes no more. */
	(void)!write(control->wake, &one, sizeof one);
}

static void enter(connection *c, state next)
{
	c->state = next;
	c->since = now_ms();
}

static void drop(connection *c)
{
	close_fd(&c->fd);
	close_fd(&c->job.input);
	tl__buf_free(&c->line);
	tl__buf_free(&c->out);
	c->state = FREE;
}

/* --- calls ------------------------------------------------------------------------------------ */

bool tl__control_progress(void *job, uint64_t done, uint64_t total)
{
	tl__control_job *j = job;

	atomic_store(&j->done, done);
	atomic_store(&j->total, total);
	return !atomic_load(&j->cancelled);
}

/* Takes no part of a line when there is no room for it: the client has not read the last ones. */
static void tell(connection *c)
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
	connection *c = ud;

	tell(c);
	atomic_store(&c->told, true);
}

static void *run_call(void *ud)
{
	connection *c = ud;

	tl__visit_belong(c->control->node);
	tl__control_answer(c->control->node, (tl_str){c->line.ptr, c->end}, &c->job, &c->out);
	atomic_store(&c->done, true);
	wake(c->control);
	return NULL;
}

static void put_failure(connection *c, int code, const char *message)
{
	tl__buf_clear(&c->out);
	tl__buf_format(
		&c->out, "{\"code\":\"%s\",\"message\":\"%s\"}\n", tl_error_name(code), message);
	enter(c, WRITING);
}

static void start_call(connection *c, size_t end)
{
	c->end = end;
	c->job.taken = begin_to_tell;
	c->job.ud = c;
	atomic_store(&c->job.done, 0);
	atomic_store(&c->job.total, 0);
	atomic_store(&c->job.cancelled, false);
	atomic_store(&c->told, false);
	atomic_store(&c->done, false);
	if (tl__thread_start(&c->thread, run_call, c) == 0)
		enter(c, RUNNING);
	else
		put_failure(c, TL_E_IO, "there is no thread left for the call; try again");
}

/* The call is done: its answer goes out, and what was read behind its request stays. */
static void end_call(connection *c)
{
	pthread_join(c->thread, NULL);
	close_fd(&c->job.input);
	if (atomic_load(&c->told) && atomic_load(&c->job.total) > 0)
		tell(c); /* how it ended, also of a call that was short */
	if (tl__buf_status(&c->out) != TL_OK)
		put_failure(c, TL_E_NOMEM, "not enough memory for the answer");
	enter(c, WRITING);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Keeps one descriptor that came along. */
static void keep_input(connection *c, struct msghdr *message)
{
	for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head;
		head = CMSG_NXTHDR(message, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		close_fd(&c->job.input);
		memcpy(&c->job.input, CMSG_DATA(head), sizeof(int));
	}
}

static ssize_t receive(connection *c, char *room)
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
static void look_for_request(connection *c)
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

static void read_some(connection *c)
{
	char *room = tl__buf_reserve(&c->line, READ_BYTES);
	ssize_t n = room ? receive(c, room) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(c);
		return;
	}
	c->line.len += (size_t)n;
	look_for_request(c);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void finish_answer(connection *c)
{
	if (c->end == SIZE_MAX) {
		drop(c);
		return;
	}
	tl__buf_free(&c->out);
	c->sent = 0;
	c->line.len -= c->end + 1;
	memmove(c->line.ptr, c->line.ptr + c->end + 1, c->line.len);
	enter(c, READING);
	look_for_request(c);
}

static void write_some(connection *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.ptr + c->sent, c->out.len - c->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			if (now_ms() - c->since > WRITE_PATIENCE_MS)
				drop(c);
			return;
		}
		if (n < 0) {
			drop(c);
			return;
		}
		c->sent += (size_t)n;
		c->since = now_ms();
	}
	finish_answer(c);
}

/* --- places ----------------------------------------------------------------------------------- */

/* The socket's directory lets nobody else in; this is the second lock. */
static bool is_allowed(int fd)
{
	struct ucred who;
	socklen_t len = sizeof who;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == geteuid() || who.uid == 0);
}

static connection *find_place(tl__control *control)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		if (control->at[i].state == FREE)
			return &control->at[i];
	return NULL;
}

static void accept_one(tl__control *control)
{
	connection *c = find_place(control);
	int fd = c ? accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

	if (fd < 0)
		return;
	if (!is_allowed(fd)) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->sent = 0;
	enter(c, READING);
}

/* Drops those that have had their place for so long without a request. */
static void drop_idle(tl__control *control, uint64_t patience)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		if (control->at[i].state == READING && now_ms() - control->at[i].since >= patience)
			drop(&control->at[i]);
}

static bool has_queue(const tl__control *control)
{
	struct pollfd queue = {.fd = control->listener, .events = POLLIN};

	return poll(&queue, 1, 0) > 0;
}

/* --- the thread ------------------------------------------------------------------------------- */

typedef struct round {
	struct pollfd fds[TL_CONTROL_MAX_CONNECTIONS + 2];
	bool full, busy; /* all places are taken; something is to be looked at without an event */
} round;

static void prepare(tl__control *control, round *r)
{
	r->full = true;
	r->busy = false;
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++) {
		const connection *c = &control->at[i];
		short events = c->state == READING ? POLLIN : c->state == WRITING ? POLLOUT : 0;
		bool gone = c->state == RUNNING && atomic_load(&c->job.cancelled);

		r->fds[i + 2] = (struct pollfd){.fd = gone ? -1 : c->fd, .events = events};
		r->full = r->full && c->state != FREE;
		r->busy = r->busy || c->state == RUNNING || c->state == WRITING;
	}
	r->fds[0] = (struct pollfd){.fd = control->wake, .events = POLLIN};
	/* With all places taken the next client waits in the system's queue. */
	r->fds[1] = (struct pollfd){.fd = r->full ? -1 : control->listener, .events = POLLIN};
}

static void look_at(connection *c, short events)
{
	if (c->state == READING && events)
		read_some(c);
	else if (c->state == WRITING)
		write_some(c);
	else if (c->state == RUNNING && events) /* nobody waits for the answer any more */
		atomic_store(&c->job.cancelled, true);
	if (c->state == RUNNING && atomic_load(&c->done))
		end_call(c);
}

static void tell_all(tl__control *control, uint64_t *told)
{
	if (now_ms() - *told < TELL_MS)
		return;
	*told = now_ms();
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++) {
		connection *c = &control->at[i];

		if (c->state == RUNNING && atomic_load(&c->told) && !atomic_load(&c->job.cancelled))
			tell(c);
	}
}

static void turn(tl__control *control, uint64_t *told)
{
	uint64_t count;
	round r;

	prepare(control, &r);
	if (poll(r.fds, TL_CONTROL_MAX_CONNECTIONS + 2,
		    r.full || r.busy || atomic_load(&control->closing) ? TELL_MS / 2 : -1) < 0)
		return;
	if (r.fds[0].revents)
		(void)!read(control->wake, &count, sizeof count);
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		look_at(&control->at[i], r.fds[i + 2].revents);
	if (r.fds[1].revents)
		accept_one(control);
	if (r.full && has_queue(control))
		drop_idle(control, IDLE_PATIENCE_MS);
	tell_all(control, told);
}

/* --- the end ---------------------------------------------------------------------------------- */

static bool is_quiet(const tl__control *control)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		if (control->at[i].state != FREE)
			return false;
	return !has_queue(control);
}

static void cancel_all(tl__control *control)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		atomic_store(&control->at[i].job.cancelled, true);
}

/* Nobody new finds the way here; those that did are served. */
static void drain(tl__control *control, uint64_t *told)
{
	uint64_t begin = now_ms();

	unlinkat(control->dir, TL__CONTROL_FILE, 0);
	while (!is_quiet(control) && now_ms() - begin < TL__CONTROL_DRAIN_MS) {
		cancel_all(control);
		turn(control, told);
		drop_idle(control, LAST_PATIENCE_MS);
	}
	cancel_all(control);
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++) {
		if (control->at[i].state == RUNNING) {
			end_call(&control->at[i]);
			write_some(&control->at[i]);
		}
		drop(&control->at[i]);
	}
}

static void *run(void *ud)
{
	tl__control *control = ud;
	uint64_t told = 0;

	while (!atomic_load(&control->closing))
		turn(control, &told);
	drain(control, &told);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------- */

static ino_t inode_of(const tl__control *control)
{
	struct stat info;

	return fstatat(control->dir, TL__CONTROL_FILE, &info, AT_SYMLINK_NOFOLLOW) == 0
		       ? info.st_ino
		       : 0;
}

static int bind_socket(tl__control *control)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	control->listener = fd;
	control->dir = tl__store_directory(control->node->store);
	if (fd < 0 || tl__control_name(control->dir, control->node->path, &address) != 0)
		return -1;
	/* The directory is ours alone (the store holds its lock): what lies there is left over. */
	unlinkat(control->dir, TL__CONTROL_FILE, 0);
	if (fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
		return -1;
	control->inode = inode_of(control);
	return fchmodat(control->dir, TL__CONTROL_FILE, 0600, 0) == 0 && listen(fd, QUEUE) == 0
		       ? 0
		       : -1;
}

static void control_free(tl__control *control)
{
	close_fd(&control->listener);
	close_fd(&control->wake);
	if (control->inode != 0 && inode_of(control) == control->inode)
		unlinkat(control->dir, TL__CONTROL_FILE, 0);
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
	control->listener = -1;
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++) {
		control->at[i].control = control;
		control->at[i].fd = control->at[i].job.input = -1;
	}
	control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control->wake < 0 || bind_socket(control) != 0) {
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
	if (!control)
		return;
	atomic_store(&control->closing, true);
	wake(control);
	pthread_join(control->thread, NULL);
	control_free(control);
}
