/* A second way to a server on loopback: what comes to its port goes to the server's, until the way
 * is cut. A mute one keeps all connections, takes more of them and passes nothing. */
#ifndef SPEC_FORWARDER_H
#define SPEC_FORWARDER_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "check.h"

#define FORWARDER_MOST 64

typedef struct forwarder {
	int listener;
	uint16_t to;
	char address[40];
	pthread_t thread;
	struct {
		int ends[2]; /* of a connection: who dialled, the server */
	} pairs[FORWARDER_MOST];
	size_t count;
	atomic_bool mute, over;
	atomic_ullong passed; /* bytes, both ways */
	/* Mute by itself once so many bytes went from the server to who dialled; 0: not. */
	atomic_ullong mute_after;
} forwarder;

static inline struct sockaddr_in forwarder_at(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return at;
}

static inline void forwarder_end(forwarder *f, size_t i)
{
	close(f->pairs[i].ends[0]);
	close(f->pairs[i].ends[1]);
	f->pairs[i] = f->pairs[--f->count];
}

static inline void forwarder_take(forwarder *f)
{
	struct sockaddr_in to = forwarder_at(f->to);
	int from = accept(f->listener, NULL, NULL), server = -1;

	if (from < 0)
		return;
	if (f->count < FORWARDER_MOST)
		server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server < 0 || connect(server, (struct sockaddr *)&to, sizeof to) != 0) {
		close(from);
		if (server >= 0)
			close(server);
		return;
	}
	f->pairs[f->count].ends[0] = from;
	f->pairs[f->count++].ends[1] = server;
}

/* False: the connection is over. */
static inline bool forwarder_pass(forwarder *f, size_t i, int side)
{
	char bytes[16384];
	ssize_t n = recv(f->pairs[i].ends[side], bytes, sizeof bytes, 0), sent = 0;

	if (n <= 0)
		return false;
	if (side == 1 && f->mute_after > 0 && f->passed + (uint64_t)n > f->mute_after) {
		f->mute = true;
		return true;
	}
	f->passed += (uint64_t)n;
	while (sent < n) {
		ssize_t now = send(
			f->pairs[i].ends[1 - side], bytes + sent, (size_t)(n - sent), MSG_NOSIGNAL);

		if (now <= 0)
			return false;
		sent += now;
	}
	return true;
}

static inline void forwarder_turn(forwarder *f)
{
	struct pollfd all[1 + 2 * FORWARDER_MOST] = {{f->listener, POLLIN, 0}};
	size_t count = f->count;

	for (size_t i = 0; i < 2 * count; i++)
		all[1 + i] = (struct pollfd){f->mute ? -1 : f->pairs[i / 2].ends[i % 2], POLLIN, 0};
	if (poll(all, (nfds_t)(1 + 2 * count), 20) <= 0)
		return;
	for (size_t i = count; i-- > 0;)
		for (int side = 0; side < 2; side++)
			if (all[1 + 2 * i + (size_t)side].revents && !f->mute &&
				!forwarder_pass(f, i, side)) {
				forwarder_end(f, i);
				break;
			}
	if (all[0].revents)
		forwarder_take(f);
}

static inline void *forwarder_run(void *ud)
{
	forwarder *f = ud;

	while (!f->over)
		forwarder_turn(f);
	while (f->count > 0)
		forwarder_end(f, f->count - 1);
	return NULL;
}

/* `server` is "127.0.0.1:PORT". */
static inline bool forwarder_start(forwarder *f, const char *server)
{
	struct sockaddr_in at = forwarder_at(0);
	socklen_t len = sizeof at;

	memset(f, 0, sizeof *f);
	f->to = (uint16_t)strtoul(strrchr(server, ':') + 1, NULL, 10);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (f->listener < 0 || bind(f->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
		listen(f->listener, 64) != 0 ||
		getsockname(f->listener, (struct sockaddr *)&at, &len) != 0)
		return false;
	snprintf(f->address, sizeof f->address, "127.0.0.1:%d", ntohs(at.sin_port));
	return pthread_create(&f->thread, NULL, forwarder_run, f) == 0;
}

static inline void forwarder_stop(forwarder *f)
{
	f->over = true;
	pthread_join(f->thread, NULL);
	close(f->listener);
}

#endif
