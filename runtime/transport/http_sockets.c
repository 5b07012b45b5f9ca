#include "transport/http_exchange.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "base/system/fork.h"

enum { SUSPECTS = 256 };

void tl__sockets_begin(void)
{
	tl__fork_hold();
}

void tl__sockets_end(void)
{
	tl__fork_release();
}

curl_socket_t tl__sockets_open(void *ud, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)ud;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- pairs ------------------------------------------------------------------------------------ */

/* libcurl does not tell the two ends of the pairs that it makes. What is written to one end can be
 * read at the other, which gives it away. */
typedef struct suspect {
	int fd;
	int unread;
} suspect;

typedef struct suspects {
	suspect at[SUSPECTS];
	size_t count;
} suspects;

static bool is_open_pair(int fd)
{
	int flags = fcntl(fd, F_GETFD), domain = 0;
	socklen_t len = sizeof domain;

	return flags >= 0 && !(flags & FD_CLOEXEC) &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

static int unread_of(int fd)
{
	int unread = -1;

	return ioctl(fd, FIONREAD, &unread) == 0 ? unread : -1;
}

static void suspect_one(suspects *s, int fd)
{
	if (s->count < SUSPECTS && is_open_pair(fd))
		s->at[s->count++] = (suspect){fd, unread_of(fd)};
}

/* Sockets of the process that exec would not close and that may be an end of a pair. */
static void gather(suspects *s)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	s->count = 0;
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			suspect_one(s, (int)strtol(entry->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}

static void close_on_exec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags >= 0)
		(void)fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

/* The one at which `more` bytes have arrived since they were gathered; -1 when none did. */
static int find_receiver(const suspects *s, int more)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->at[i].unread >= 0 && unread_of(s->at[i].fd) == s->at[i].unread + more)
			return s->at[i].fd;
	return -1;
}

/* Nobody reads what comes to the other end of an end that is read from. */
static void close_other_end(int fd)
{
	suspects s;
	int other;

	gather(&s);
	if (send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
		return;
	other = find_receiver(&s, 1);
	if (other >= 0)
		close_on_exec(other);
}

void tl__sockets_seen(curl_socket_t fd)
{
	bool pair = is_open_pair(fd);

	close_on_exec(fd);
	if (pair)
		close_other_end(fd);
}

void tl__sockets_of_multi(CURLM *multi)
{
	suspects s;
	int woken, turns = 0;

	gather(&s);
	if (s.count == 0 || curl_multi_wakeup(multi) != CURLM_OK)
		return;
	woken = find_receiver(&s, 1);
	(void)curl_multi_poll(multi, NULL, 0, 0, &turns); /* takes the byte */
	if (woken < 0)
		return;
	close_on_exec(woken);
	close_other_end(woken);
}
