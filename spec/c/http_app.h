/* A small application behind an HTTP server. Its paths:
 *
 *   /echo      takes the body whole and answers it
 *   /slow      as /echo, but pauses after each piece for a moment
 *   /count     takes the body and answers the number of its bytes
 *   /bytes/N   answers N patterned bytes of announced length; /chunks/N without a length
 *   /drip/N    as /chunks, but each piece waits a moment
 *   /abort/N   fails after N of 2 N announced bytes; /abortchunks/N without a length
 *   /early     answers 403 before the body; /midway answers 409 at the first piece
 *   /type      415 unless the content type is application/json
 *   /never     never answers; /stuck pauses for ever; /mute answers with a body that waits for ever
 *   /last      as /echo, and the connection ends behind it
 *   /kept      as /echo, from somebody known
 *   /badtype   answers with a content type of two lines
 *   /api/v0    as /echo
 *   others     404
 */
#ifndef SPEC_HTTP_APP_H
#define SPEC_HTTP_APP_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "check.h"
#include "base/buf.h"
#include "base/mem.h"
#include "engine/run/loop.h"
#include "transport/http.h"

typedef struct rig {
	tl_loop *loop;
	tl_transport *http;
	tl_server *server;
	char address[512];
	uint64_t max_body;
	unsigned begun, ended, gone, stopped, dropped; /* of the application */
	uint64_t taken;                                /* bytes of bodies it was given */
	char remote[80], channel[160], method[16], path[64], type[64];
	int64_t body_length;
	bool late;
	int descriptors; /* before anything was made */
} rig;

static inline uint8_t pattern(uint64_t at)
{
	return (uint8_t)(at * 31 + at / 251);
}

static inline int open_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1200; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static inline uint64_t spec_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- the application -------------------------------------------------------------------------- */

typedef struct request {
	rig *rig;
	tl_incoming *in;
	char path[64];
	tl__buf held; /* what it has of the body, or what it still has to answer */
	size_t held_at;
	uint64_t count, limit, given;
	bool over, waits;
	tl_timer *timer;
	unsigned references; /* the request and its answer's body */
} request;

static inline bool is_at(const request *r, const char *path)
{
	return strncmp(r->path, path, strlen(path)) == 0;
}

static inline void release(request *r)
{
	if (--r->references > 0)
		return;
	r->rig->loop->timer_free(r->timer);
	tl__buf_free(&r->held);
	free(r);
}

static inline void drop_answer(void *ud)
{
	request *r = ud;

	r->rig->dropped++;
	release(r);
}

static inline ptrdiff_t read_held(void *ud, void *out, size_t cap)
{
	request *r = ud;
	size_t len = r->held.len - r->held_at;

	if (len > cap)
		len = cap;
	if (len > 0) {
		memcpy(out, r->held.ptr + r->held_at, len);
		r->held_at += len;
		return (ptrdiff_t)len;
	}
	return TL_BODY_END;
}

static inline ptrdiff_t read_pattern(void *ud, void *out, size_t cap)
{
	request *r = ud;
	size_t len = r->limit - r->given < cap ? (size_t)(r->limit - r->given) : cap;

	if (is_at(r, "/drip") && len > 0 && !r->waits) {
		r->waits = true;
		r->rig->loop->timer_start(r->timer, 5);
		return TL_BODY_WAIT;
	}
	if (is_at(r, "/drip") && len > 1000)
		len = 1000;
	r->waits = false;
	if (len == 0)
		return is_at(r, "/abort") ? TL_BODY_ABORT : TL_BODY_END;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = pattern(r->given + i);
	r->given += len;
	return (ptrdiff_t)len;
}

static inline ptrdiff_t read_never(void *ud, void *out, size_t cap)
{
	(void)ud;
	(void)out;
	(void)cap;
	return TL_BODY_WAIT;
}

static inline void give(
	request *r, int status, ptrdiff_t (*read)(void *, void *, size_t), int64_t length)
{
	tl_body body = {read, drop_answer, r, length};

	if (read)
		r->references++;
	r->rig->http->answer(
		r->in, status, read ? "application/octet-stream" : NULL, read ? &body : NULL);
}

static inline void on_pause_over(void *ud)
{
	request *r = ud;

	if (r->over)
		return;
	if (is_at(r, "/drip"))
		r->rig->http->answer_ready(r->in);
	else
		r->rig->http->incoming_resume(r->in);
}

static inline long peak_kib(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

static inline bool known_path(const char *path)
{
	static const char *const paths[] = {"/echo", "/slow", "/count", "/bytes/", "/chunks/",
		"/drip/", "/abort/", "/abortchunks/", "/early", "/midway", "/type", "/never",
		"/stuck", "/mute", "/last", "/kept", "/badtype", "/api/v0"};

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		size_t len = strlen(paths[i]);

		if (strncmp(path, paths[i], len) == 0 &&
			(paths[i][len - 1] == '/' || path[len] == '\0'))
			return true;
	}
	return false;
}

static inline void rig_note(rig *g, const tl_incoming_head *head)
{
	g->begun++;
	g->body_length = head->body_length;
	snprintf(g->remote, sizeof g->remote, "%s", head->remote);
	snprintf(g->channel, sizeof g->channel, "%s", head->channel);
	snprintf(g->method, sizeof g->method, "%s", head->method);
	snprintf(g->path, sizeof g->path, "%s", head->path);
	snprintf(g->type, sizeof g->type, "%.*s",
		head->content_type.ptr ? (int)head->content_type.len : 6,
		head->content_type.ptr ? head->content_type.ptr : "(none)");
}

static inline void app_begin(void *ud, tl_incoming *in, const tl_incoming_head *head,
	void **request_ud, uint64_t *max_body)
{
	rig *g = ud;
	request *r = calloc(1, sizeof *r);

	rig_note(g, head);
	*request_ud = r;
	*max_body = g->max_body;
	r->rig = g;
	r->in = in;
	r->references = 1;
	r->held = TL__BUF_INIT;
	snprintf(r->path, sizeof r->path, "%s", head->path);
	g->loop->timer(g->loop, on_pause_over, r, &r->timer); /* NULL without memory */
	if (strrchr(r->path, '/') != r->path)
		r->limit = strtoull(strrchr(r->path, '/') + 1, NULL, 10);
	if (!known_path(head->path))
		give(r, 404, NULL, 0);
	else if (strcmp(head->method, "POST") != 0)
		return;
	else if (is_at(r, "/early"))
		give(r, 403, NULL, 0);
	else if (is_at(r, "/type") && strcmp(g->type, "application/json") != 0)
		give(r, 415, NULL, 0);
	else if (is_at(r, "/badtype"))
		g->http->answer(in, 200, "text/plain\r\nx: y", NULL);
	else if (is_at(r, "/mute"))
		give(r, 200, read_never, -1);
}

static inline bool app_piece(void *request_ud, tl_incoming *in, const void *bytes, size_t len)
{
	request *r = request_ud;

	(void)in;
	r->count += len;
	r->rig->taken += len;
	if (is_at(r, "/midway"))
		give(r, 409, NULL, 0);
	else if (is_at(r, "/stuck"))
		return false;
	else if (!is_at(r, "/count") && !is_at(r, "/never"))
		tl__buf_append(&r->held, bytes, len);
	if (is_at(r, "/slow")) {
		r->rig->loop->timer_start(r->timer, 2);
		return false;
	}
	return true;
}

static inline void app_end(void *request_ud, tl_incoming *in)
{
	request *r = request_ud;

	r->rig->ended++;
	if (is_at(r, "/count"))
		tl__buf_format(&r->held, "%" PRIu64, r->count);
	if (is_at(r, "/never"))
		return;
	if (is_at(r, "/last"))
		r->rig->http->close_after(in);
	if (is_at(r, "/kept"))
		r->rig->http->keep(in);
	if (is_at(r, "/bytes"))
		give(r, 200, read_pattern, (int64_t)r->limit);
	else if (is_at(r, "/abortchunks") || is_at(r, "/chunks") || is_at(r, "/drip"))
		give(r, 200, read_pattern, -1);
	else if (is_at(r, "/abort"))
		give(r, 200, read_pattern, (int64_t)r->limit * 2);
	else
		give(r, 200, read_held, (int64_t)r->held.len);
}

static inline void app_gone(void *request_ud)
{
	request *r = request_ud;

	r->rig->gone++;
	r->over = true;
	release(r);
}

static const tl_server_calls rig_calls = {
	sizeof rig_calls, app_begin, app_piece, app_end, app_gone, NULL};

#endif
