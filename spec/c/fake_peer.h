/* A peer that answers HTTP on loopback with whatever a spec wants, one connection after the other,
 * and a client that sends whatever it is told. */
#ifndef SPEC_FAKE_PEER_H
#define SPEC_FAKE_PEER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <tidelock/tidelock.h>
#include "base/buf.h"
#include "base/str.h"

typedef struct fake_peer fake_peer;

/* Fills `out` with the answer's body. Fewer bytes than `*announced` (set it; 0 = out->len) cut the
 * answer short. Returns the status. */
typedef int (*fake_answer)(
	fake_peer *peer, tl_str path, tl_str body, tl__buf *out, size_t *announced);

struct fake_peer {
	int listener;
	tl_address at;
	pthread_t thread;
	tl_secret secret;
	char key[TL_KEY_TEXT_LEN + 1];
	fake_answer answer;
	void *ud;
	atomic_int requests;
};

/* Reads one request; false when the connection ends before. */
static inline bool fake_read(int fd, tl__buf *in, tl_str *path, tl_str *body)
{
	size_t head = 0, length = 0;

	for (;;) {
		char *room = tl__buf_reserve(in, 65536);
		ssize_t n = room ? recv(fd, room, 65536, 0) : 0;
		char *end, *at;

		if (n <= 0)
			return false;
		in->len += (size_t)n;
		in->ptr[in->len] = '\0';
		end = strstr(in->ptr, "\r\n\r\n");
		if (!end)
			continue;
		head = (size_t)(end - in->ptr) + 4;
		at = strcasestr(in->ptr, "content-length:");
		length = at && at < end ? (size_t)strtoul(at + 15, NULL, 10) : 0;
		if (in->len < head + length)
			continue;
		at = strchr(in->ptr, ' ');
		if (!at)
			return false;
		*path = (tl_str){at + 1, strcspn(at + 1, " ")};
		*body = (tl_str){in->ptr + head, length};
		return true;
	}
}

static inline void fake_write(int fd, tl_str bytes)
{
	while (bytes.len > 0) {
		ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes.ptr += n;
		bytes.len -= (size_t)n;
	}
}

static inline void *fake_run(void *ud)
{
	fake_peer *peer = ud;
	int fd;

	while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
		tl__buf in = TL__BUF_INIT, out = TL__BUF_INIT, head = TL__BUF_INIT;
		tl_str path, body;
		size_t announced = 0;
		int status;

		if (fake_read(fd, &in, &path, &body)) {
			atomic_fetch_add(&peer->requests, 1);
			status = peer->answer(peer, path, body, &out, &announced);
			tl__buf_format(&head,
				"HTTP/1.1 %d X\r\nContent-Type: application/%s\r\nConnection: "
				"close\r\nContent-Length: %zu\r\n\r\n",
				status, path.len > 9 && path.ptr[1] == 't' ? "tidelock" : "json",
				announced ? announced : out.len);
			fake_write(fd, tl__buf_view(&head));
			fake_write(fd, tl__buf_view(&out));
		}
		close(fd);
		tl__buf_free(&in);
		tl__buf_free(&out);
		tl__buf_free(&head);
	}
	return NULL;
}

static inline bool fake_start(fake_peer *peer, fake_answer answer, void *ud)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof address;
	char text[40];
	tl_key key;

	memset(peer, 0, sizeof *peer);
	peer->answer = answer;
	peer->ud = ud;
	if (tl_secret_new(&peer->secret) != TL_OK)
		return false;
	tl_secret_public(&peer->secret, &key);
	tl_key_format(&key, peer->key);
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (peer->listener < 0 ||
		bind(peer->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
		listen(peer->listener, 16) != 0 ||
		getsockname(peer->listener, (struct sockaddr *)&address, &len) != 0)
		return false;
	snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
	return tl_address_http(&peer->at, tl__str_z(text)) == TL_OK &&
	       pthread_create(&peer->thread, NULL, fake_run, peer) == 0;
}

static inline void fake_stop(fake_peer *peer)
{
	shutdown(peer->listener, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	close(peer->listener);
}

/* Sends bytes to a server and reads until it closes (ask for it); the status, or -1. */
static inline int http_say(const tl_address *at, tl_str bytes, tl__buf *got, tl_str *body)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct timeval patience = {.tv_sec = 20};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), status = -1;
	ssize_t n = 1;
	char *end;

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	address.sin_port = htons((uint16_t)strtol(strrchr(at->text, ':') + 1, NULL, 10));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
		fake_write(fd, bytes);
		while (n > 0) {
			char *room = tl__buf_reserve(got, 65536);

			n = room ? recv(fd, room, 65536, 0) : 0;
			if (n > 0)
				got->len += (size_t)n;
		}
	}
	if (fd >= 0)
		close(fd);
	if (got->len == 0)
		return -1;
	got->ptr[got->len] = '\0';
	end = strstr(got->ptr, "\r\n\r\n");
	if (end && sscanf(got->ptr, "HTTP/1.%*c %d", &status) == 1 && body)
		*body = (tl_str){end + 4, got->len - (size_t)(end + 4 - got->ptr)};
	return status;
}

/* POSTs a v0 document. HTTP/1.0, so that the body comes without chunks and ends with the
 * connection. */
static inline int v0_post(const tl_address *at, tl_str document, tl__buf *got, tl_str *body)
{
	tl__buf request = TL__BUF_INIT;
	int status;

	tl__buf_format(&request,
		"POST /api/v0 HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\n"
		"Content-Length: %zu\r\n\r\n",
		document.len);
	tl__buf_str(&request, document);
	status = http_say(at, tl__buf_view(&request), got, body);
	tl__buf_free(&request);
	return status;
}

#endif
