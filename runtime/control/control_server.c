#include "control/control_connection.h"

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
#include "base/system/env.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/system/scarce.h"
#include "base/system/thread.h"

/* A connection may be without a request for so long while others wait for its place. */
#define IDLE_PATIENCE_MS 2000
/* The same while the node closes. */
#define LAST_PATIENCE_MS 100
/* How often clients are told how their calls go. */
#define TELL_MS 200
#define QUEUE   128

struct tl__control {
	tl_node *node;
	pthread_t thread;
	int dir; /* the store's */
	int listener;
	ino_t inode; /* of the socket's name; 0: not made */
	int wake;    /* a call is done, or everything is to end */
	atomic_bool closing;
	uint64_t rest_until; /* descriptors are out: nobody is taken before that */
	tl__connection at[TL_CONTROL_MAX_CONNECTIONS];
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

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void wake(const tl__control *control)
{
	const uint64_t one = 1;

	/* It is readable already when it takes no more. */
	(void)!write(control->wake, &one, sizeof one);
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

static tl__connection *find_place(tl__control *control)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		if (control->at[i].state == TL__CONNECTION_FREE)
			return &control->at[i];
	return NULL;
}

static void accept_one(tl__control *control)
{
	tl__connection *c = find_place(control);
	int fd = c ? accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK) : -1;

	if (c && fd < 0 && tl__scarce(errno))
		control->rest_until = now_ms() + TL__SCARCE_REST_MS;
	if (fd < 0)
		return;
	if (!is_allowed(fd)) {
		close(fd);
		return;
	}
	tl__connection_take(c, fd);
}

/* Drops those that have had their place for so long without a request. */
static void drop_idle(tl__control *control, uint64_t patience)
{
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		if (control->at[i].state == TL__CONNECTION_READING &&
			now_ms() - control->at[i].since >= patience)
			tl__connection_drop(&control->at[i]);
}

static bool has_queue(const tl__control *control)
{
	struct pollfd queue = {.fd = control->listener, .events = POLLIN};

	return poll(&queue, 1, 0) > 0;
}

/* --- the thread ------------------------------------------------------------------------------- */

typedef struct round {
	struct pollfd fds[TL_CONTROL_MAX_CONNECTIONS + 2];
	bool full, busy; /* nobody can be taken; something is to be looked at without an event */
} round;

static void prepare(tl__control *control, round *r)
{
	r->full = true;
	r->busy = false;
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++) {
		const tl__connection *c = &control->at[i];

		r->fds[i + 2] = tl__connection_waits(c);
		r->full = r->full && c->state != TL__CONNECTION_FREE;
		r->busy = r->busy || c->state == TL__CONNECTION_RUNNING ||
			  c->state == TL__CONNECTION_WRITING;
	}
	r->full = r->full || now_ms() < control->rest_until;
	r->fds[0] = (struct pollfd){.fd = control->wake, .events = POLLIN};
	/* With all places taken the next client waits in the system's queue. */
	r->fds[1] = (struct pollfd){.fd = r->full ? -1 : control->listener, .events = POLLIN};
}

static void tell_all(tl__control *control, uint64_t *told)
{
	if (now_ms() - *told < TELL_MS)
		return;
	*told = now_ms();
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		tl__connection_tell(&control->at[i]);
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
		tl__connection_look(&control->at[i], r.fds[i + 2].revents);
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
		if (control->at[i].state != TL__CONNECTION_FREE)
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
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		tl__connection_end(&control->at[i]);
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
	close_fd(control->listener);
	close_fd(control->wake);
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
	control->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (size_t i = 0; i < TL_CONTROL_MAX_CONNECTIONS; i++)
		tl__connection_init(&control->at[i], node, control->wake);
	if (control->wake < 0 || bind_socket(control) != 0) {
		rc = tl__fail(TL_E_IO, "cannot listen on " TL__CONTROL_FILE " in %s: %s",
			node->path, strerror(errno));
		control_free(control);
		return rc;
	}
	rc = tl__thread_start(&control->thread, "tl-control", run, control);
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
