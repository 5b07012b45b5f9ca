/* A loop, an HTTP transport and the application of http_app.h behind its server, turned by the
 * spec's own thread; and exchanges whose outcome is collected. */
#ifndef SPEC_HTTP_RIG_H
#define SPEC_HTTP_RIG_H

#include "http_app.h"

#define RIG_GUARD_MS 60000
/* Of the loop in 400 ms without work. A few are right, and more of them where a slow machine splits
 * what comes in; a timer that is armed for at once makes 400, a loop that spins tens of thousands.
 */
#define RIG_MOST_TURNS 250

/* --- turning ---------------------------------------------------------------------------------- */

static inline void rig_late(void *ud)
{
	((rig *)ud)->late = true;
}

/* Turns until `done` says so, at most `ms`. */
static inline bool rig_turn(rig *g, bool (*done)(void *ud), void *ud, uint64_t ms)
{
	tl_timer *guard;

	if (g->loop->timer(g->loop, rig_late, g, &guard) != TL_OK)
		return false;
	tl__loop_turn(g->loop, false);
	g->late = false;
	g->loop->timer_start(guard, ms);
	while (!done(ud) && !g->late)
		tl__loop_turn(g->loop, true);
	g->loop->timer_free(guard);
	return done(ud);
}

static inline bool never(void *ud)
{
	(void)ud;
	return false;
}

static inline void rig_wait(rig *g, uint64_t ms)
{
	rig_turn(g, never, NULL, ms);
}

static inline bool all_gone(void *ud)
{
	return ((rig *)ud)->gone == ((rig *)ud)->begun;
}

/* A peer that vanished is noticed long before it has been idle for too long. */
static inline void check_all_gone(rig *g)
{
	CHECK(rig_turn(g, all_gone, g, 20000));
}

/* Turns until so many requests have begun. */
static inline bool rig_until_begun(rig *g, unsigned count)
{
	uint64_t until = spec_now_ms() + RIG_GUARD_MS;

	while (g->begun < count && spec_now_ms() < until)
		rig_wait(g, 2);
	return g->begun >= count;
}

/* Turns until something can be taken from this descriptor: a connection, or bytes. */
static inline bool rig_until_readable(rig *g, int fd)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	uint64_t until = spec_now_ms() + RIG_GUARD_MS;

	while (poll(&ready, 1, 0) == 0 && spec_now_ms() < until)
		rig_wait(g, 2);
	return ready.revents != 0;
}

/* A listener that never says anything. */
static inline int listen_mutely(char address[64])
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	socklen_t len = sizeof any;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, len) != 0 || listen(fd, 8) != 0)
		exit(2);
	getsockname(fd, (struct sockaddr *)&any, &len);
	snprintf(address, 64, "127.0.0.1:%u", ntohs(any.sin_port));
	return fd;
}

/* --- life ------------------------------------------------------------------------------------- */

static inline int rig_serve(rig *g, const tl_serve_options *options)
{
	int rc = g->http->serve(g->http, "127.0.0.1:0", options, &rig_calls, g, &g->server);

	if (rc == TL_OK)
		snprintf(g->address, sizeof g->address, "%s", g->http->server_address(g->server));
	return rc;
}

static inline int rig_open(
	rig *g, const tl__http_options *options, const tl_serve_options *serve_options)
{
	int rc;

	memset(g, 0, sizeof *g);
	if (tl__loop_new(&g->loop) == TL_OK) /* libuv keeps a pipe from its first loop on */
		tl__loop_free(g->loop);
	g->descriptors = open_descriptors();
	g->max_body = 64U << 20;
	rc = tl__loop_new(&g->loop);
	if (rc == TL_OK)
		rc = tl__http_new(&g->http, g->loop, options, NULL);
	if (rc == TL_OK)
		rc = rig_serve(g, serve_options);
	return rc;
}

static inline void rig_count_stop(void *ud)
{
	((rig *)ud)->stopped++;
}

static inline bool rig_is_stopped(void *ud)
{
	return ((rig *)ud)->stopped > 0;
}

static inline bool rig_stop(rig *g, uint32_t grace_ms)
{
	g->stopped = 0;
	g->http->stop(g->server, grace_ms, rig_count_stop, g);
	g->server = NULL;
	return rig_turn(g, rig_is_stopped, g, RIG_GUARD_MS);
}

/* Everything must be as before: requests gone, descriptors closed. */
static inline void rig_close(rig *g)
{
	if (g->server && g->http)
		CHECK(rig_stop(g, 0));
	CHECK(g->begun == g->gone);
	if (g->http)
		g->http->free(g->http);
	tl__loop_free(g->loop);
	CHECK(open_descriptors() == g->descriptors);
}

/* --- exchanges -------------------------------------------------------------------------------- */

typedef struct exchange {
	rig *rig;
	tl_exchange *handle;
	/* the request's body */
	uint64_t send_len, sent;
	const char *text; /* instead of the pattern */
	bool no_length, wait_each, waiting, waited, abort_body, never_ends;
	size_t short_by;
	unsigned drops;
	tl_timer *timer;
	/* the response */
	int status, code;
	unsigned heads, pieces, dones;
	uint64_t got;
	bool bad_bytes, keep, pause_each, paused;
	uint32_t pause_ms;
	uint64_t cancel_at; /* bytes received, 0 = never */
	tl__buf body;
	char type[64], channel[160], early_channel[160], message[512];
	uint32_t idle_ms, min_rate, dial_ms, hold_ms;
	void (*rewind)(void *ud);
	uint64_t max_response;
} exchange;

static inline void ex_tick(void *ud)
{
	exchange *e = ud;

	if (e->waiting && !e->never_ends) {
		e->waiting = false;
		e->rig->http->body_ready(e->handle);
	}
	if (e->paused) {
		e->paused = false;
		e->rig->http->resume(e->handle);
	}
}

static inline ptrdiff_t ex_read(void *ud, void *out, size_t cap)
{
	exchange *e = ud;
	uint64_t left = e->send_len - e->short_by - e->sent;
	size_t len = left < cap ? (size_t)left : cap;
	const char *channel = e->rig->http->channel(e->handle);

	snprintf(e->early_channel, sizeof e->early_channel, "%s", channel ? channel : "(none)");
	e->waited = !e->waited;
	if (e->wait_each && e->waited && !e->waiting && left > 0) {
		e->waiting = true;
		e->rig->loop->timer_start(e->timer, 1);
		return TL_BODY_WAIT;
	}
	if (e->waiting || (e->never_ends && left == 0))
		return TL_BODY_WAIT;
	if (e->abort_body && e->sent >= e->send_len / 2)
		return TL_BODY_ABORT;
	if (len == 0)
		return TL_BODY_END;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] =
			e->text ? (uint8_t)e->text[e->sent + i] : pattern(e->sent + i);
	e->sent += len;
	return (ptrdiff_t)len;
}

static inline void ex_drop(void *ud)
{
	((exchange *)ud)->drops++;
}

static inline void ex_head(void *ud, const tl_response_head *head)
{
	exchange *e = ud;

	e->heads++;
	e->status = head->status;
	snprintf(e->channel, sizeof e->channel, "%.*s", (int)head->channel.len, head->channel.ptr);
	if (head->content_type.ptr)
		snprintf(e->type, sizeof e->type, "%.*s", (int)head->content_type.len,
			head->content_type.ptr);
}

static inline bool ex_piece(void *ud, const void *bytes, size_t len)
{
	exchange *e = ud;

	CHECK(!e->paused && e->dones == 0 && e->heads == 1);
	e->pieces++;
	if (e->keep)
		tl__buf_append(&e->body, bytes, len);
	for (size_t i = 0; i < len && !e->keep; i++)
		e->bad_bytes = e->bad_bytes || ((const uint8_t *)bytes)[i] != pattern(e->got + i);
	e->got += len;
	if (e->cancel_at && e->got >= e->cancel_at)
		e->rig->http->cancel(e->handle);
	if (!e->pause_each)
		return true;
	e->paused = true;
	if (e->pause_ms != UINT32_MAX)
		e->rig->loop->timer_start(e->timer, e->pause_ms);
	return false;
}

static inline void ex_done(void *ud, int code)
{
	exchange *e = ud;

	e->dones++;
	e->code = code;
	if (code != TL_OK) {
		snprintf(e->message, sizeof e->message, "%s", tl_error_message(tl_last_error()));
		CHECK(tl_error_code(tl_last_error()) == code);
	}
}

static inline int ex_start(exchange *e, rig *g, const char *address, const char *path)
{
	tl_request what = {
		.size = sizeof what,
		.address = address,
		.path = path,
		.content_type = "application/json",
		.body = {ex_read, ex_drop, e, e->no_length ? -1 : (int64_t)e->send_len},
		.max_response = e->max_response ? e->max_response : 256U << 20,
		.dial_ms = e->dial_ms,
		.idle_ms = e->idle_ms,
		.min_bytes_per_s = e->min_rate,
		.hold_ms = e->hold_ms,
		.rewind = e->rewind,
	};
	tl_response_sink sink = {sizeof sink, ex_head, ex_piece, ex_done, e};
	int rc;

	e->rig = g;
	if (!e->timer && g->loop->timer(g->loop, ex_tick, e, &e->timer) != TL_OK)
		exit(2);
	rc = g->http->send(g->http, &what, &sink, &e->handle);
	return rc;
}

static inline bool ex_is_done(void *ud)
{
	return ((exchange *)ud)->dones > 0;
}

static inline void ex_end(exchange *e)
{
	if (e->timer)
		e->rig->loop->timer_free(e->timer);
	tl__buf_free(&e->body);
	memset(e, 0, sizeof *e);
}

/* Runs to its end: `done` came once, the body was dropped once. */
static inline int ex_run(exchange *e, rig *g, const char *path)
{
	int rc = ex_start(e, g, g->address, path);

	if (rc != TL_OK)
		return rc;
	CHECK(rig_turn(g, ex_is_done, e, RIG_GUARD_MS));
	CHECK(e->dones == 1 && e->drops == 1 && e->heads <= 1);
	return e->code;
}

#endif
