/* Connections that say nothing: to a server, or to one that waits for a TLS handshake. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "hostile.h"

#define HELD_TLS 300
#define HELD     2000 /* more than a server takes */

typedef struct silence {
	struct sockaddr_in at;
	double per_s;
	int *fds; /* the newest `held`, in turns */
	size_t held, made;
} silence;

static silence *begin(hostile *h, double per_s, size_t held, const tl_address *at)
{
	silence *s = calloc(1, sizeof *s);

	need_that(s != NULL, "memory");
	s->at = h->hub.bare.at;
	s->at.sin_port = htons((uint16_t)strtoul(strrchr(at->text, ':') + 1, NULL, 10));
	s->per_s = per_s;
	s->held = held;
	s->fds = malloc(held * sizeof *s->fds);
	need_that(s->fds != NULL, "memory");
	memset(s->fds, -1, held * sizeof *s->fds);
	return s;
}

void *silence_begin(hostile *h, const attack *a, double seconds)
{
	(void)seconds;
	return begin(h, a->per_s, HELD, &h->hub.http);
}

void *silence_begin_tls(hostile *h, const attack *a, double seconds)
{
	(void)seconds;
	return begin(h, a->per_s, HELD_TLS, &h->hub.https);
}

/* Does not wait until the connection stands, and takes it as it comes. */
static int open_one(const silence *s, size_t number)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	need_that(fd >= 0, "a socket");
	from.sin_addr.s_addr = htonl(0x7f000301u + (uint32_t)(number % SOURCES));
	need_that(bind(fd, (struct sockaddr *)&from, sizeof from) == 0, "an address to dial from");
	need_that(connect(fd, (const struct sockaddr *)&s->at, sizeof s->at) == 0 ||
			  errno == EINPROGRESS,
		"a connection");
	return fd;
}

void silence_step(void *ud, double since)
{
	silence *s = ud;

	while ((double)s->made < since * s->per_s) {
		int *place = &s->fds[s->made % s->held];

		if (*place >= 0)
			close(*place);
		*place = open_one(s, s->made++);
	}
}

size_t silence_end(void *ud)
{
	silence *s = ud;
	size_t made = s->made;

	for (size_t i = 0; i < s->held; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	free(s->fds);
	free(s);
	return made;
}
