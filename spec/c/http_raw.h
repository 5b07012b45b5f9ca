/* Clients that say exactly what they are told, right or wrong, to the server of http_rig.h. */
#ifndef SPEC_HTTP_RAW_H
#define SPEC_HTTP_RAW_H

#include "http_rig.h"

/* For what comes sooner or later, also on a busy machine; less than what is idle may stay. */
#define RAW_GUARD_MS 20000

typedef struct raw {
	rig *rig;
	int fd;
	tl__buf got;
	bool closed, reset;
	size_t want; /* answers awaited */
} raw;

/* From this address of the loopback network. */
static inline bool raw_open_from(raw *c, rig *g, const char *source)
{
	struct sockaddr_in address = {.sin_family = AF_INET}, own = {.sin_family = AF_INET};

	memset(c, 0, sizeof *c);
	c->rig = g;
	address.sin_port = htons((uint16_t)atoi(strrchr(g->address, ':') + 1));
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	inet_pton(AF_INET, source, &own.sin_addr);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&own, sizeof own) != 0 ||
		connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
		return false;
	return fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0;
}

static inline bool raw_open(raw *c, rig *g)
{
	return raw_open_from(c, g, "127.0.0.1");
}

static inline void raw_close(raw *c)
{
	close(c->fd);
	tl__buf_free(&c->got);
}

/* Takes what is there. */
static inline void raw_take(raw *c)
{
	char bytes[65536];

	for (;;) {
		ssize_t got = recv(c->fd, bytes, sizeof bytes, 0);

		if (got > 0) {
			tl__buf_append(&c->got, bytes, (size_t)got);
			continue;
		}
		if (got == 0)
			c->closed = true;
		else if (errno != EAGAIN && errno != EINTR)
			c->closed = c->reset = true;
		return;
	}
}

static inline const char *raw_text(const raw *c)
{
	return c->got.ptr ? c->got.ptr : "";
}

/* How many answers have come, judged by their status lines. */
static inline size_t raw_answers(const raw *c)
{
	size_t count = 0;

	for (const char *at = raw_text(c); (at = strstr(at, "HTTP/1.")); at += 7)
		count++;
	return count;
}

static inline int raw_status(const raw *c)
{
	return strncmp(raw_text(c), "HTTP/1.", 7) == 0 ? atoi(raw_text(c) + 9) : 0;
}

/* Sends all of it while the server works; false when the server closed first. */
static inline bool raw_send(raw *c, const void *bytes, size_t len)
{
	uint64_t until = spec_now_ms() + RIG_GUARD_MS;
	size_t at = 0;

	while (at < len && spec_now_ms() < until) {
		ssize_t put = send(
			c->fd, (const char *)bytes + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put > 0)
			at += (size_t)put;
		else if (errno != EAGAIN)
			return false;
		tl__loop_turn(c->rig->loop, false);
	}
	return at == len;
}

static inline bool raw_say(raw *c, const char *text)
{
	return raw_send(c, text, strlen(text));
}

static inline void raw_tick(void *ud)
{
	(void)ud;
}

/* Turns until the connection is closed or `ms` are over. */
static inline bool raw_until_closed(raw *c, uint64_t ms)
{
	uint64_t until = spec_now_ms() + ms;
	tl_timer *tick;

	if (c->rig->loop->timer(c->rig->loop, raw_tick, c, &tick) != TL_OK)
		return false;
	raw_take(c);
	while (!c->closed && spec_now_ms() < until) {
		c->rig->loop->timer_start(tick, 2);
		tl__loop_turn(c->rig->loop, true);
		raw_take(c);
	}
	c->rig->loop->timer_free(tick);
	return c->closed;
}

/* Turns until so many answers are there, the connection is closed or `ms` are over. An answer whose
 * end matters is awaited by raw_until_closed. */
static inline size_t raw_until_answers(raw *c, size_t want, uint64_t ms)
{
	uint64_t until = spec_now_ms() + ms;

	raw_take(c);
	while (!c->closed && raw_answers(c) < want && spec_now_ms() < until)
		raw_until_closed(c, 4);
	return raw_answers(c);
}

/* Sends one text on a fresh connection and gives the status of the first answer, 0 for none. */
static inline int raw_ask(rig *g, const char *text)
{
	raw c;
	int status;

	if (!raw_open(&c, g))
		return -1;
	raw_say(&c, text);
	raw_until_answers(&c, 1, 3000);
	status = raw_status(&c);
	raw_close(&c);
	return status;
}

#endif
