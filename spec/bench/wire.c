/* Counts what goes over the connections that this process opens, by standing before the C library's
 * own functions: libcurl calls these. */
#undef _FORTIFY_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "bench.h"

#define DESCRIPTORS 4096

/* The program is compiled with hidden names; these must be seen by the libraries. */
#define SEEN __attribute__((visibility("default")))

enum { OTHER, RECEIVED, SENT }; /* a connection opened here, and what came last on it */

static _Atomic unsigned char last[DESCRIPTORS];
static atomic_uint_fast64_t bytes, round_trips, connections;
static atomic_bool refuses_watches;

void wire_refuse_watches(bool refuse)
{
	atomic_store(&refuses_watches, refuse);
}

void wire_reset(void)
{
	atomic_store(&bytes, 0);
	atomic_store(&round_trips, 0);
	atomic_store(&connections, 0);
}

wire_count wire_read(void)
{
	return (wire_count){
		atomic_load(&bytes), atomic_load(&round_trips), atomic_load(&connections)};
}

static void mark(int fd, unsigned char what)
{
	if (fd >= 0 && fd < DESCRIPTORS)
		atomic_store(&last[fd], what);
}

SEEN int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	mark(fd, RECEIVED);
	if (to->sa_family == AF_INET || to->sa_family == AF_INET6)
		atomic_fetch_add(&connections, 1);
	return (int)syscall(SYS_connect, fd, to, len);
}

SEEN int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	int out = (int)syscall(SYS_accept4, fd, from, len, flags);

	mark(out, OTHER);
	return out;
}

SEEN int accept(int fd, struct sockaddr *from, socklen_t *len)
{
	return accept4(fd, from, len, 0);
}

static void moved(int fd, ssize_t n, unsigned char what)
{
	if (n <= 0 || fd >= DESCRIPTORS || atomic_load(&last[fd]) == OTHER)
		return;
	atomic_fetch_add(&bytes, (uint64_t)n);
	if (what == SENT && atomic_load(&last[fd]) == RECEIVED)
		atomic_fetch_add(&round_trips, 1);
	mark(fd, what);
}

static bool is_refused(const void *request, size_t len)
{
	static const char watch[] = "POST /tidelock/v1/watch ";

	return atomic_load(&refuses_watches) && len >= sizeof watch - 1 &&
	       memcmp(request, watch, sizeof watch - 1) == 0;
}

SEEN ssize_t send(int fd, const void *from, size_t len, int flags)
{
	ssize_t n;

	if (is_refused(from, len)) {
		errno = ECONNRESET;
		return -1;
	}
	n = syscall(SYS_sendto, fd, from, len, flags, NULL, 0);

	moved(fd, n, SENT);
	return n;
}

SEEN ssize_t recv(int fd, void *to, size_t len, int flags)
{
	ssize_t n = syscall(SYS_recvfrom, fd, to, len, flags, NULL, NULL);

	moved(fd, n, RECEIVED);
	return n;
}
