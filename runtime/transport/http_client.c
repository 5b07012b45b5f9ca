#include <stdio.h>
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/system/fork.h"
#include "base/sized.h"
#include "base/mem.h"
#include "transport/address.h"
#include "transport/http_exchange.h"

#define DIAL_MS 10000
/* Idle connections are given up before a peer with our own defaults closes them, so that no request
 * meets a connection that is just being closed. */
#define MAX_IDLE_S 20L

static bool printable(const char *text, const char *but)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e || strchr(but, *text))
			return false;
	return true;
}

static int check_request(const tl_request *request)
{
	int rc = tl__address_check(request->address);

	if (rc != TL_OK)
		return rc;
	if (!request->path || request->path[0] != '/' || !printable(request->path, " ?#\\\"<>"))
		return tl__fail(TL_E_BAD_ARGUMENT, "a request's path begins with / and holds "
						   "printable characters only");
	if (!request->content_type || !printable(request->content_type, ""))
		return tl__fail(TL_E_BAD_ARGUMENT, "a request needs a content type");
	return TL_OK;
}

static int add_header(tl_exchange *exchange, const char *line)
{
	struct curl_slist *grown = curl_slist_append(exchange->headers, line);

	if (!grown)
		return tl__fail(TL_E_NOMEM, "no memory for a request");
	exchange->headers = grown;
	return TL_OK;
}

/* Exactly what eidetica 0.2.0 sends; libcurl adds host and the length. */
static int set_headers(tl_exchange *exchange, const char *content_type)
{
	tl__buf line = TL__BUF_INIT;
	int rc;

	tl__buf_format(&line, "content-type: %s", content_type);
	rc = tl__buf_status(&line);
	if (rc == TL_OK)
		rc = add_header(exchange, line.ptr);
	if (rc == TL_OK)
		rc = add_header(exchange, "accept: */*");
	if (rc == TL_OK)
		rc = add_header(exchange, "Expect:");
	if (rc == TL_OK && exchange->body.length < 0)
		rc = add_header(exchange, "transfer-encoding: chunked");
	tl__buf_free(&line);
	return rc;
}

/* The first option that libcurl refuses ends the row; it refuses these only without memory. */
static int set_options(tl_exchange *exchange, const char *url)
{
	const http *h = exchange->http;
	CURL *easy = exchange->easy;
	CURLcode rc = CURLE_OK;

#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (rc == CURLE_OK)                                                                \
			rc = curl_easy_setopt(easy, option, value);                                \
	} while (0)
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_PROTOCOLS_STR, h->tls ? "https" : "http");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, h->proxy ? h->proxy : ""); /* "" also silences the environment */
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)exchange->body.length);
	SET(CURLOPT_HTTPHEADER, exchange->headers);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)exchange->dial_ms);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_MAXAGE_CONN, MAX_IDLE_S);
	SET(CURLOPT_QUICK_EXIT, 1L); /* never wait for a stuck name lookup */
	SET(CURLOPT_ERRORBUFFER, exchange->reason);
	if (h->tls) {
		SET(CURLOPT_SSL_VERIFYPEER, 1L);
		SET(CURLOPT_SSL_VERIFYHOST, 2L);
		SET(CURLOPT_CERTINFO, 1L);
		/* A resumed session would not show its certificate again. */
		SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
		if (h->ca_file) {
			SET(CURLOPT_CAINFO, h->ca_file);
			SET(CURLOPT_CAPATH, NULL);
		}
	}
#undef SET
	if (rc != CURLE_OK)
		return tl__fail(rc == CURLE_OUT_OF_MEMORY ? TL_E_NOMEM : TL_E_INTERNAL,
			"libcurl does not take a request's options: %s", curl_easy_strerror(rc));
	return TL_OK;
}

/* Sets libcurl's handle up; TL_E_NOMEM when it cannot. */
static int prepare(tl_exchange *exchange, const tl_request *request)
{
	tl__buf url = TL__BUF_INIT;
	int rc;

	tl__buf_format(
		&url, "%s://%s%s", exchange->http->base.type, request->address, request->path);
	rc = tl__buf_status(&url);
	exchange->easy = rc == TL_OK ? curl_easy_init() : NULL;
	if (rc == TL_OK && !exchange->easy)
		rc = tl__fail(TL_E_NOMEM, "no memory for a request");
	if (rc == TL_OK)
		rc = set_headers(exchange, request->content_type);
	if (rc == TL_OK)
		rc = set_options(exchange, url.ptr);
	if (rc == TL_OK)
		rc = tl__exchange_set_callbacks(exchange);
	tl__buf_free(&url);
	return rc;
}

/* `sink` has been read: it is all there. */
static int new_exchange(
	http *h, const tl_request *request, const tl_response_sink *sink, tl_exchange **out)
{
	tl_exchange *exchange = tl__alloc_zero(1, sizeof *exchange);
	int rc;

	*out = exchange;
	if (!exchange)
		return TL_E_NOMEM;
	exchange->http = h;
	exchange->sink = *sink;
	exchange->body = request->body;
	exchange->body.drop = NULL; /* the caller's until all is well */
	exchange->max_response = request->max_response;
	exchange->dial_ms = request->dial_ms ? request->dial_ms : DIAL_MS;
	exchange->idle_ms = request->idle_ms ? request->idle_ms : TL__PACE_IDLE_MS;
	exchange->min_rate =
		request->min_bytes_per_s ? request->min_bytes_per_s : TL__PACE_MIN_RATE;
	exchange->hold_ms = request->hold_ms;
	exchange->rewind = request->rewind;
	exchange->address = tl__copy_bytes(request->address, strlen(request->address));
	rc = exchange->address ? prepare(exchange, request) : TL_E_NOMEM;
	if (rc != TL_OK) {
		tl__exchange_free(exchange);
		return rc;
	}
	exchange->body.drop = request->body.drop;
	return TL_OK;
}

int tl__http_send(tl_transport *transport, const tl_request *request, const tl_response_sink *sink,
	tl_exchange **out)
{
	tl_request full = TL_REQUEST_INIT;
	tl_response_sink calls = {.size = sizeof calls};
	int rc = tl__sized_read(&full, request, tl_request, min_bytes_per_s);

	*out = NULL;
	if (rc == TL_OK)
		rc = tl__sized_read(&calls, sink, tl_response_sink, ud);
	if (rc == TL_OK)
		rc = check_request(&full);
	if (rc == TL_OK)
		rc = tl__fork_check(tl__http_of(transport)->forks);
	if (rc == TL_OK)
		rc = new_exchange(tl__http_of(transport), &full, &calls, out);
	if (rc != TL_OK) {
		*out = NULL;
		if (full.body.drop)
			full.body.drop(full.body.ud);
		return rc;
	}
	tl__exchange_enter(*out);
	tl__exchange_queue(*out);
	return TL_OK;
}

void tl__http_resume(tl_exchange *exchange)
{
	if (!exchange->paused)
		return;
	exchange->paused = false;
	tl__exchange_queue(exchange);
}

void tl__http_body_ready(tl_exchange *exchange)
{
	if (exchange->body_held)
		tl__exchange_queue(exchange);
}

void tl__http_cancel(tl_exchange *exchange)
{
	exchange->cancelled = true;
	tl__exchange_queue(exchange);
}

const char *tl__http_channel(tl_exchange *exchange)
{
	return exchange->connected ? exchange->channel : NULL;
}
