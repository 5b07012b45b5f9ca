/* libcurl's callbacks for one exchange. None of them may call back into libcurl's handle, so what
 * they find is kept and done in the next turn. */
#include <string.h>
#include <unistd.h>
#include "base/fail.h"
#include "transport/http_exchange.h"

static uint64_t now_of(const tl_exchange *exchange)
{
	tl_loop *loop = exchange->http->loop;

	return loop->now_ms(loop);
}

static bool over(const tl_exchange *exchange)
{
	return exchange->cancelled || exchange->failure != TL_OK;
}

/* Time in which we let the other side wait is not its fault. */
static void hold_pace(tl_exchange *exchange)
{
	if (exchange->paused || exchange->body_held)
		tl__pace_hold(&exchange->pace, now_of(exchange));
	else
		tl__pace_release(&exchange->pace, now_of(exchange));
}

/* --- the request ------------------------------------------------------------------------------ */

/* Now it is the server's turn. */
static size_t end_body(tl_exchange *exchange)
{
	tl__pace_start(&exchange->pace, now_of(exchange) + exchange->hold_ms);
	return 0;
}

static int on_ready(void *ud, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	tl_exchange *exchange = ud;
	long made = 1;
	int rc;

	(void)remote_ip;
	(void)remote_port;
	if (over(exchange))
		return CURL_PREREQFUNC_ABORT;
	rc = tl__exchange_learn_channel(exchange, local_ip, local_port);
	if (rc != TL_OK) {
		tl__exchange_fail(exchange, rc);
		return CURL_PREREQFUNC_ABORT;
	}
	exchange->connected = true;
	exchange->local_port = local_port;
	exchange->kept =
		curl_easy_getinfo(exchange->easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK &&
		made == 0;
	if (exchange->body.length == 0)
		end_body(exchange);
	else
		tl__pace_start(&exchange->pace, now_of(exchange));
	return CURL_PREREQFUNC_OK;
}

static size_t abort_body(tl_exchange *exchange, const char *why)
{
	tl__exchange_fail(exchange,
		tl__fail(TL_E_IO, "the request to %s was given up: %s", exchange->address, why));
	return CURL_READFUNC_ABORT;
}

static size_t on_read(char *out, size_t size, size_t count, void *ud)
{
	tl_exchange *exchange = ud;
	tl_body *body = &exchange->body;
	size_t cap = size * count;
	ptrdiff_t got;

	if (over(exchange))
		return CURL_READFUNC_ABORT;
	if (body->length >= 0 && cap > (uint64_t)body->length - exchange->body_given)
		cap = (size_t)((uint64_t)body->length - exchange->body_given);
	got = cap == 0 || !body->read ? TL_BODY_END : body->read(body->ud, out, cap);
	exchange->body_held = got == TL_BODY_WAIT;
	hold_pace(exchange);
	if (got == TL_BODY_WAIT)
		return CURL_READFUNC_PAUSE;
	if (got == TL_BODY_END && body->length >= 0 &&
		exchange->body_given < (uint64_t)body->length)
		return abort_body(exchange, "its body is shorter than announced");
	if (got == TL_BODY_END)
		return end_body(exchange);
	if (got < 0 || (size_t)got > cap)
		return abort_body(exchange, "its body failed midway");
	exchange->body_given += (uint64_t)got;
	tl__pace_moved(&exchange->pace, now_of(exchange), (uint64_t)got);
	if (body->length >= 0 && exchange->body_given == (uint64_t)body->length)
		end_body(exchange); /* libcurl does not ask again */
	return (size_t)got;
}

/* libcurl repeats by itself what finds its kept connection closed before anything of it was read
 * there, on a new connection or another kept one. */
static int on_seek(void *ud, curl_off_t offset, int origin)
{
	tl_exchange *exchange = ud;

	if (offset != 0 || origin != SEEK_SET || !tl__exchange_rewind(exchange))
		return CURL_SEEKFUNC_FAIL;
	exchange->repeated = !exchange->kept;
	return CURL_SEEKFUNC_OK;
}

/* --- the response ----------------------------------------------------------------------------- */

/* Any return but the length ends the exchange. */
static size_t refuse(tl_exchange *exchange, int code)
{
	tl__exchange_fail(exchange, code);
	return 0;
}

static int tell_head(tl_exchange *exchange)
{
	tl_response_head head = {.size = sizeof head};
	const char *content_type = NULL;
	curl_off_t length = -1;
	long status = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) /* 100 Continue and the like: the real one follows */
		return TL_OK;
	curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_TYPE, &content_type);
	curl_easy_getinfo(exchange->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	if (length > 0 && (uint64_t)length > exchange->max_response)
		return tl__fail(TL_E_TOO_LARGE,
			"the answer of %s announces %lld bytes, %llu are allowed",
			exchange->address, (long long)length,
			(unsigned long long)exchange->max_response);
	head.status = (int)status;
	head.channel = (tl_str){exchange->channel, strlen(exchange->channel)};
	if (content_type)
		head.content_type = (tl_str){content_type, strlen(content_type)};
	exchange->head_told = true;
	exchange->sink.head(exchange->sink.ud, &head);
	return TL_OK;
}

static size_t on_header(char *line, size_t size, size_t count, void *ud)
{
	tl_exchange *exchange = ud;
	size_t len = size * count;
	bool blank = len > 0 && (line[0] == '\r' || line[0] == '\n');
	int rc;

	if (over(exchange))
		return 0;
	exchange->head_bytes += len;
	exchange->head_lines++;
	if (exchange->head_bytes > TL__HTTP_MAX_HEADER_BYTES ||
		exchange->head_lines > TL__HTTP_MAX_HEADERS)
		return refuse(exchange,
			tl__fail(TL_E_NETWORK,
				"%s answers with more than %d bytes or %d lines of headers",
				exchange->address, TL__HTTP_MAX_HEADER_BYTES,
				TL__HTTP_MAX_HEADERS));
	tl__pace_moved(&exchange->pace, now_of(exchange), len);
	if (!blank || exchange->head_told) /* the latter are trailers */
		return len;
	rc = tell_head(exchange);
	return rc == TL_OK ? len : refuse(exchange, rc);
}

static size_t on_write(char *bytes, size_t size, size_t count, void *ud)
{
	tl_exchange *exchange = ud;
	size_t len = size * count;

	if (over(exchange))
		return 0;
	if (exchange->paused) {
		exchange->received_held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (len > exchange->max_response - exchange->received)
		return refuse(exchange,
			tl__fail(TL_E_TOO_LARGE,
				"the answer of %s is longer than the %llu bytes allowed",
				exchange->address, (unsigned long long)exchange->max_response));
	exchange->received += len;
	tl__pace_moved(&exchange->pace, now_of(exchange), len);
	if (!exchange->sink.piece(exchange->sink.ud, bytes, len))
		exchange->paused = true;
	hold_pace(exchange);
	return len;
}

static curl_socket_t on_open_socket(void *ud, curlsocktype purpose, struct curl_sockaddr *address)
{
	curl_socket_t fd = tl__sockets_open(ud, purpose, address);

	if (fd >= 0)
		tl__http_know(ud, fd);
	return fd;
}

static int on_close_socket(void *ud, curl_socket_t fd)
{
	tl__http_forget(ud, fd);
	return close(fd);
}

int tl__exchange_set_callbacks(tl_exchange *exchange)
{
	CURL *easy = exchange->easy;
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);

#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (rc == CURLE_OK)                                                                \
			rc = curl_easy_setopt(easy, option, value);                                \
	} while (0)
	SET(CURLOPT_PREREQFUNCTION, on_ready);
	SET(CURLOPT_PREREQDATA, exchange);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, exchange);
	SET(CURLOPT_SEEKFUNCTION, on_seek);
	SET(CURLOPT_SEEKDATA, exchange);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, exchange);
	SET(CURLOPT_WRITEFUNCTION, on_write);
	SET(CURLOPT_WRITEDATA, exchange);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, exchange->http);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, exchange->http);
#undef SET
	if (rc != CURLE_OK)
		return tl__fail(TL_E_NOMEM, "no memory for a request");
	return TL_OK;
}
