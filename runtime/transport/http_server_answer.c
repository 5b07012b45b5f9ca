#include <string.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "transport/http_serving.h"

/* Bytes asked from an answer's body at a time. */
#define BLOCK_BYTES 32768
/* An answer up to this length goes out together with its headers. */
#define WHOLE_BYTES 16384

/* A connection that ends without a reset would pass for the end of an answer that has neither a
 * length nor chunks. */
static void reset(const http_conn *conn)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	if (connect(conn->fd, &none, sizeof none) != 0)
		tl__log_write(conn->server->http->log, TL_LOG_DEBUG, "http",
			"%s cannot be reset, only closed", conn->remote);
}

static ssize_t abort_answer(tl_incoming *in)
{
	if (in->http_1_0 && in->body.length < 0)
		reset(in->conn);
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ptrdiff_t read_body(tl_incoming *in, char *out, size_t cap)
{
	uint64_t left = (uint64_t)in->body.length - in->body_given;
	size_t ahead = in->ahead_len - in->ahead_given;

	if (in->body.length >= 0 && cap > left)
		cap = (size_t)left;
	if (ahead == 0)
		return in->body.read(in->body.ud, out, cap);
	cap = cap < ahead ? cap : ahead;
	memcpy(out, in->ahead + in->ahead_given, cap);
	in->ahead_given += cap;
	return (ptrdiff_t)cap;
}

static ssize_t on_read(void *ud, uint64_t at, char *out, size_t cap)
{
	tl_incoming *in = ud;
	ptrdiff_t got;

	(void)at;
	in->conn->server->achieved = true;
	if (in->conn->cut)
		return abort_answer(in);
	got = read_body(in, out, cap);
	if (got == TL_BODY_WAIT) {
		tl__request_suspend(in);
		return 0;
	}
	if (got == TL_BODY_END && in->body.length < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (got <= 0 || (size_t)got > cap)
		return abort_answer(in);
	in->body_given += (uint64_t)got;
	tl__conn_touch(in->conn, (uint64_t)got);
	return got;
}

/* Reads what is there of a short body. *whole: that is all of it. False: it failed. */
static bool read_ahead(tl_incoming *in, bool *whole)
{
	size_t length = (size_t)in->body.length;
	ptrdiff_t got = 1;

	*whole = false;
	if (in->body.length < 0 || in->body.length > WHOLE_BYTES)
		return true;
	in->ahead = tl__alloc(length);
	if (!in->ahead)
		return false;
	while (got > 0 && in->ahead_len < length) {
		size_t left = length - in->ahead_len;

		got = in->body.read(in->body.ud, in->ahead + in->ahead_len, left);
		if (got > 0 && (size_t)got > left)
			got = TL_BODY_ABORT;
		if (got > 0)
			in->ahead_len += (size_t)got;
	}
	*whole = in->ahead_len == length;
	return *whole || got == TL_BODY_WAIT;
}

static struct MHD_Response *new_response(tl_incoming *in)
{
	bool whole;

	if (!in->body.read || in->body.length == 0)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	if (!read_ahead(in, &whole))
		return NULL;
	if (whole) {
		in->conn->server->achieved = true;
		return MHD_create_response_from_buffer(
			in->ahead_len, in->ahead, MHD_RESPMEM_PERSISTENT);
	}
	return MHD_create_response_from_callback(
		in->body.length < 0 ? MHD_SIZE_UNKNOWN : (uint64_t)in->body.length, BLOCK_BYTES,
		on_read, in, NULL);
}

static bool add_headers(
	struct MHD_Response *response, int status, const char *content_type, bool close)
{
	if (content_type &&
		MHD_add_response_header(response, "content-type", content_type) != MHD_YES)
		return false;
	if (status == 405 && MHD_add_response_header(response, "allow", "POST") != MHD_YES)
		return false;
	return !close || MHD_add_response_header(response, "connection", "close") == MHD_YES;
}

static enum MHD_Result queue(http_conn *conn, struct MHD_Response *response, int status,
	const char *content_type, bool close)
{
	enum MHD_Result rc = MHD_NO;

	if (!response)
		return MHD_NO; /* no memory: the connection closes */
	tl__pace_start(&conn->pace, tl__conn_now(conn));
	conn->touched_ms = tl__conn_now(conn);
	if (add_headers(response, status, content_type, close))
		rc = MHD_queue_response(conn->mhd, (unsigned)status, response);
	MHD_destroy_response(response);
	return rc;
}

/* Nothing that follows a chunked body is taken for a request: the library lets chunks end with a
 * bare LF, so that others may see another end. */
enum MHD_Result tl__answer_queue(tl_incoming *in)
{
	bool unread = !in->ended, chunked = in->announced < 0;

	return queue(in->conn, new_response(in), in->status, in->content_type,
		unread || chunked || in->closes || in->conn->server->stopping);
}

enum MHD_Result tl__answer_refuse(http_conn *conn, int status)
{
	return queue(conn, MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT), status,
		NULL, true);
}

static void drop(const tl_body *body)
{
	if (body && body->drop)
		body->drop(body->ud);
}

/* A header's value as the library takes it; with another one it would close the connection without
 * an answer, and whoever asks would ask again. */
static bool is_header(const char *text)
{
	const char *at = text;

	while (*at >= ' ' && *at <= '~')
		at++;
	return at > text && *at == '\0';
}

void tl__http_answer(tl_incoming *in, int status, const char *content_type, const tl_body *body)
{
	if (in->answered) { /* by us: too large a body, no POST */
		drop(body);
		return;
	}
	if (content_type && !is_header(content_type)) {
		drop(body);
		body = NULL;
		content_type = NULL;
		status = 500;
	}
	in->answered = true;
	in->status = status;
	if (body)
		in->body = *body;
	if (content_type) {
		in->content_type = tl__copy_bytes(content_type, strlen(content_type));
		if (!in->content_type)
			tl__conn_cut(in->conn);
	}
	tl__request_wake(in);
}

void tl__http_hold(tl_incoming *in, uint32_t ms)
{
	in->held_until = tl__conn_now(in->conn) + ms;
}

void tl__http_close_after(tl_incoming *in)
{
	in->closes = true;
}

void tl__http_answer_ready(tl_incoming *in)
{
	tl__request_wake(in);
}

void tl__http_incoming_resume(tl_incoming *in)
{
	in->paused = false;
	tl__request_wake(in);
}

void tl__http_keep(tl_incoming *in)
{
	in->conn->known = true;
}
