/* libcurl's multi interface in the loop: sockets are watched, its timer is ours, finished exchanges
 * are told. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "transport/http_exchange.h"

#define MAX_IDLE_CONNECTIONS 64L
#define MAX_PER_HOST         32L
#define MAX_CONNECTIONS      256L

static void collect(http *h);

/* --- the list of exchanges -------------------------------------------------------------------- */

void tl__exchange_queue(tl_exchange *exchange)
{
	http_client *c = &exchange->http->client;

	if (exchange->in_todo)
		return;
	exchange->in_todo = true;
	exchange->todo_next = NULL;
	if (c->todo_last)
		c->todo_last->todo_next = exchange;
	else
		c->todo_first = exchange;
	c->todo_last = exchange;
	exchange->http->loop->timer_start(c->kick, 0);
}

static void leave_todo(tl_exchange *exchange)
{
	http_client *c = &exchange->http->client;
	tl_exchange *before = NULL;

	if (!exchange->in_todo)
		return;
	for (tl_exchange *at = c->todo_first; at != exchange; at = at->todo_next)
		before = at;
	if (before)
		before->todo_next = exchange->todo_next;
	else
		c->todo_first = exchange->todo_next;
	if (c->todo_last == exchange)
		c->todo_last = before;
	exchange->in_todo = false;
}

static void sweep_in(http *h, uint32_t ms)
{
	h->client.sweep_ms = ms;
	h->client.sweep_due = h->loop->now_ms(h->loop) + ms;
	h->loop->timer_start(h->client.sweep, ms);
}

void tl__exchange_enter(tl_exchange *exchange)
{
	http *h = exchange->http;
	http_client *c = &h->client;
	uint32_t sweep = tl__pace_sweep_ms(exchange->idle_ms);

	exchange->next = c->all;
	if (c->all)
		c->all->prev = exchange;
	c->all = exchange;
	if (c->sweep_ms == 0 || sweep < c->sweep_ms)
		sweep_in(h, sweep);
}

static void leave_all(tl_exchange *exchange)
{
	http_client *c = &exchange->http->client;

	if (exchange->prev)
		exchange->prev->next = exchange->next;
	else if (c->all == exchange)
		c->all = exchange->next;
	if (exchange->next)
		exchange->next->prev = exchange->prev;
}

static void leave_curl(tl_exchange *exchange)
{
	if (exchange->added)
		curl_multi_remove_handle(exchange->http->client.multi, exchange->easy);
	exchange->added = false;
}

void tl__exchange_free(tl_exchange *exchange)
{
	leave_curl(exchange);
	leave_todo(exchange);
	leave_all(exchange);
	if (exchange->easy)
		curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->headers);
	if (exchange->body.drop)
		exchange->body.drop(exchange->body.ud);
	tl__error_drop(exchange->cause);
	tl__free(exchange->address);
	tl__free(exchange);
}

/* --- ends ------------------------------------------------------------------------------------- */

static int code_of(CURLcode result, bool answered)
{
	switch (result) {
	case CURLE_OPERATION_TIMEDOUT: return TL_E_TIMEOUT;
	case CURLE_OUT_OF_MEMORY: return TL_E_NOMEM;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS: return TL_E_TLS;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY: return TL_E_NETWORK;
	default: return answered ? TL_E_NETWORK : TL_E_CONNECTION_FAILED;
	}
}

static const char *reason_of(const tl_exchange *exchange, CURLcode result)
{
	if (result == CURLE_SEND_FAIL_REWIND)
		return "it closed the connection in the middle of the request";
	return exchange->reason[0] ? exchange->reason : curl_easy_strerror(result);
}

/* Sets the last error. */
static int explain(const tl_exchange *exchange, CURLcode result)
{
	const char *reason = reason_of(exchange, result);
	int code = code_of(result, exchange->head_told);

	if (result == CURLE_OK && exchange->head_told)
		return TL_OK;
	if (result == CURLE_OK) /* libcurl is content with half a head */
		return tl__fail(TL_E_CONNECTION_FAILED,
			"%s closed the connection in the middle of its answer's head",
			exchange->address);
	/* So it calls a line of the head that is longer than it takes. */
	if (result == CURLE_OUT_OF_MEMORY && exchange->connected && !exchange->head_told)
		return tl__fail(TL_E_NETWORK,
			"the answer of %s has an endless line in its head, or memory is short",
			exchange->address);
	if (code == TL_E_NETWORK)
		return tl__fail(code, "the answer of %s is broken: %s", exchange->address, reason);
	if (code == TL_E_TLS)
		return tl__fail(code, "no trusted connection to %s: %s", exchange->address, reason);
	return tl__fail(code, "cannot reach %s: %s", exchange->address, reason);
}

static void finish(tl_exchange *exchange, int code)
{
	tl_response_sink sink = exchange->sink;
	tl__errors errors;

	/* Releasing runs the body's drop, which may fail at something itself. */
	tl__errors_begin(&errors);
	tl__exchange_free(exchange);
	(void)tl__errors_end(&errors, TL_OK);
	sink.done(sink.ud, code);
}

/* What ends it beside libcurl's result: TL_OK when nothing does. Sets the last error. */
static int own_end(const tl_exchange *exchange)
{
	if (exchange->cancelled)
		return tl__fail(
			TL_E_CANCELLED, "the request to %s was cancelled", exchange->address);
	return tl__error_raise(exchange->cause, exchange->failure);
}

static void on_result(tl_exchange *exchange, CURLcode result)
{
	int code = own_end(exchange);

	leave_curl(exchange);
	if (code == TL_OK && tl__exchange_may_repeat(exchange, result)) {
		exchange->again = true;
		tl__exchange_queue(exchange);
		return;
	}
	if (code == TL_OK)
		code = explain(exchange, result);
	if (code == TL_OK && exchange->paused)
		exchange->ended = true;
	else
		finish(exchange, code);
}

static void collect(http *h)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(h->client.multi, &left))) {
		tl_exchange *exchange = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
		on_result(exchange, message->data.result);
	}
}

/* --- what waits for a turn -------------------------------------------------------------------- */

static void add(tl_exchange *exchange)
{
	CURLMcode rc = curl_multi_add_handle(exchange->http->client.multi, exchange->easy);

	if (rc == CURLM_OK)
		exchange->added = true;
	else
		finish(exchange,
			tl__fail(TL_E_INTERNAL, "libcurl does not take the request to %s: %s",
				exchange->address, curl_multi_strerror(rc)));
}

static void begin_again(tl_exchange *exchange)
{
	int rc;

	leave_curl(exchange);
	rc = tl__exchange_begin_again(exchange);
	if (rc != TL_OK) {
		finish(exchange, rc);
		return;
	}
	tl__log_write(exchange->http->log, TL_LOG_DEBUG, "http",
		"the connection kept to %s is gone: the request is sent once more",
		exchange->address);
	add(exchange);
}

static void go_on(tl_exchange *exchange)
{
	int still = (exchange->paused && exchange->received_held ? CURLPAUSE_RECV : 0);
	CURLcode rc;

	if (exchange->paused && !exchange->body_held)
		return;
	exchange->received_held = exchange->paused && exchange->received_held;
	exchange->body_held = false;
	if (!exchange->paused)
		tl__pace_release(
			&exchange->pace, exchange->http->loop->now_ms(exchange->http->loop));
	rc = curl_easy_pause(exchange->easy, still);
	if (rc != CURLE_OK && exchange->failure == TL_OK)
		finish(exchange, explain(exchange, rc));
}

static void attend(tl_exchange *exchange)
{
	int code = own_end(exchange);

	if (code != TL_OK)
		finish(exchange, code);
	else if (exchange->ended && !exchange->paused)
		finish(exchange, TL_OK);
	else if (exchange->ended)
		return;
	else if (exchange->again && exchange->head_bytes == 0)
		begin_again(exchange); /* no answer has come meanwhile */
	else if (!exchange->added)
		add(exchange);
	else
		go_on(exchange);
}

static void on_kick(void *ud)
{
	http *h = ud;
	http_client *c = &h->client;
	const tl_exchange *last = c->todo_last;
	bool more = last != NULL;

	/* What is queued meanwhile waits for the next turn. */
	while (more && c->todo_first) {
		tl_exchange *exchange = c->todo_first;

		more = exchange != last;
		leave_todo(exchange);
		attend(exchange);
	}
	if (c->todo_first)
		h->loop->timer_start(c->kick, 0);
	collect(h);
}

/* --- peers that do not move ------------------------------------------------------------------- */

static void look_at(tl_exchange *exchange)
{
	http *h = exchange->http;
	tl__pace_verdict verdict;

	if (!exchange->connected || exchange->ended || exchange->failure != TL_OK)
		return;
	if (tl__exchange_is_mute(exchange, h->loop->now_ms(h->loop))) {
		exchange->again = true;
		tl__exchange_queue(exchange);
		return;
	}
	verdict = tl__pace_look(
		&exchange->pace, h->loop->now_ms(h->loop), exchange->idle_ms, exchange->min_rate);
	if (verdict == TL__PACE_SILENT)
		tl__exchange_fail(exchange,
			tl__fail(TL_E_TIMEOUT, "nothing moved between us and %s for %u ms",
				exchange->address, exchange->idle_ms));
	else if (verdict == TL__PACE_SLOW)
		tl__exchange_fail(
			exchange, tl__fail(TL_E_TIMEOUT, "%s is slower than %u bytes a second",
					  exchange->address, exchange->min_rate));
}

static void on_sweep(void *ud)
{
	http *h = ud;
	http_client *c = &h->client;
	bool stalled = tl__pace_stalled(c->sweep_due, h->loop->now_ms(h->loop), c->sweep_ms);
	uint32_t next = 0;

	for (tl_exchange *at = c->all; at; at = at->next) {
		uint32_t sweep = tl__pace_sweep_ms(at->idle_ms);

		if (!stalled)
			look_at(at);
		next = next == 0 || sweep < next ? sweep : next;
	}
	c->sweep_ms = 0;
	if (next != 0)
		sweep_in(h, next);
}

/* --- libcurl <-> loop ------------------------------------------------------------------------- */

static void turn(http *h, curl_socket_t fd, int bits)
{
	int running;

	tl__sockets_begin();
	curl_multi_socket_action(h->client.multi, fd, bits, &running);
	tl__sockets_end();
	collect(h);
}

static void on_socket(void *ud, int fd, unsigned events)
{
	int bits = (events & TL_READABLE ? CURL_CSELECT_IN : 0) |
		   (events & TL_WRITABLE ? CURL_CSELECT_OUT : 0);

	turn(ud, fd, bits);
}

static void on_time(void *ud)
{
	turn(ud, CURL_SOCKET_TIMEOUT, 0);
}

static int want_time(CURLM *multi, long after_ms, void *ud)
{
	http *h = ud;

	(void)multi;
	if (after_ms < 0)
		h->loop->timer_stop(h->client.timer);
	else
		h->loop->timer_start(h->client.timer, (uint64_t)after_ms);
	return 0;
}

static int watch(http *h, curl_socket_t fd, unsigned events, tl_watch *known)
{
	tl_watch *fresh;
	int rc;

	if (known)
		return h->loop->rewatch(known, events);
	tl__sockets_seen(fd);
	rc = h->loop->watch(h->loop, fd, events, on_socket, h, &fresh);
	if (rc == TL_OK)
		curl_multi_assign(h->client.multi, fd, fresh);
	return rc;
}

static int want_socket(CURL *easy, curl_socket_t fd, int what, void *ud, void *known)
{
	http *h = ud;
	unsigned events = (what & CURL_POLL_IN ? TL_READABLE : 0U) |
			  (what & CURL_POLL_OUT ? TL_WRITABLE : 0U);
	tl_exchange *exchange = NULL;
	int rc;

	if (what == CURL_POLL_REMOVE) {
		h->loop->unwatch(known);
		curl_multi_assign(h->client.multi, fd, NULL);
		return 0;
	}
	rc = watch(h, fd, events, known);
	if (rc == TL_OK)
		return 0;
	/* Telling libcurl would end every exchange, not only this one. */
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
	if (exchange)
		tl__exchange_fail(exchange, rc);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------- */

static int set_up_multi(http *h)
{
	CURLM *multi = h->client.multi;
	CURLMcode rc = curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, want_socket);

#define SET(option, value)                                                                         \
	do {                                                                                       \
		if (rc == CURLM_OK)                                                                \
			rc = curl_multi_setopt(multi, option, value);                              \
	} while (0)
	SET(CURLMOPT_SOCKETDATA, h);
	SET(CURLMOPT_TIMERFUNCTION, want_time);
	SET(CURLMOPT_TIMERDATA, h);
	SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	SET(CURLMOPT_MAXCONNECTS, MAX_IDLE_CONNECTIONS);
	SET(CURLMOPT_MAX_HOST_CONNECTIONS, MAX_PER_HOST);
	SET(CURLMOPT_MAX_TOTAL_CONNECTIONS, MAX_CONNECTIONS);
#undef SET
	if (rc != CURLM_OK)
		return tl__fail(
			TL_E_INTERNAL, "libcurl does not start: %s", curl_multi_strerror(rc));
	return TL_OK;
}

int tl__http_client_init(http *h)
{
	http_client *c = &h->client;
	int rc = h->loop->timer(h->loop, on_time, h, &c->timer);

	if (rc == TL_OK)
		rc = h->loop->timer(h->loop, on_kick, h, &c->kick);
	if (rc == TL_OK)
		rc = h->loop->timer(h->loop, on_sweep, h, &c->sweep);
	if (rc != TL_OK)
		return rc;
	tl__sockets_begin();
	c->multi = curl_multi_init();
	if (c->multi)
		tl__sockets_of_multi(c->multi);
	tl__sockets_end();
	if (!c->multi)
		return tl__fail(TL_E_NOMEM, "no memory for an HTTP client");
	return set_up_multi(h);
}

void tl__http_client_free(http *h)
{
	http_client *c = &h->client;

	while (c->all)
		finish(c->all, tl__fail(TL_E_CANCELLED, "the HTTP client was closed"));
	if (c->multi)
		curl_multi_cleanup(c->multi);
	h->loop->timer_free(c->timer);
	h->loop->timer_free(c->kick);
	h->loop->timer_free(c->sweep);
	tl__free(c->seen);
	tl__free(c->sockets);
}

void tl__exchange_fail(tl_exchange *exchange, int code)
{
	if (exchange->failure != TL_OK)
		return;
	exchange->failure = code;
	exchange->cause = tl__error_keep();
	tl__exchange_queue(exchange);
}
