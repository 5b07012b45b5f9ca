/* Exchanges: a request of ours goes over the connection that there is with this peer, or over one
 * that is dialled for it. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "base/system/fork.h"
#include "transport/iroh/inside.h"
#include "transport/pace.h"

#define DIAL_MS 10000

struct tl_exchange {
	iroh_stream stream; /* first: its stream is the exchange */
	tl_response_sink sink;
	char *address, *path, *type;
	uint8_t peer[TL__IROH_ID_BYTES];
	bool v1;
	uint64_t max_response, received;
	uint32_t dial_ms, idle_ms, hold_ms;
	void (*rewind)(void *body_ud);

	bool begun;
	iroh_connection *awaited; /* until it is dialled */
	iroh_waiter waiter;
	bool kept; /* on a connection that others have used before */
	bool repeated;
	bool head_told;
	bool cancelled;
	int failure; /* what ends it, with... */
	tl_error *cause;
	char channel[TL__IROH_CHANNEL_LEN + 1];
};

static void fail(tl_exchange *exchange, int code)
{
	if (exchange->failure != TL_OK)
		return;
	exchange->failure = code;
	exchange->cause = tl__error_keep();
	if (exchange->awaited)
		tl__iroh_connection_unwait(exchange->awaited, &exchange->waiter);
	exchange->awaited = NULL;
	tl__iroh_stream_reset(&exchange->stream, TL_IROH_RESET_GONE);
	tl__iroh_queue(&exchange->stream);
}

static void free_exchange(tl_exchange *e)
{
	tl__iroh_stream_free(&e->stream);
	tl__error_drop(e->cause);
	tl__free(e->address);
	tl__free(e->path);
	tl__free(e->type);
	tl__free(e);
}

/* The last call, and the end of the exchange. */
static void finish(tl_exchange *e, int code)
{
	const tl_response_sink sink = e->sink;
	tl_error *cause = e->cause;
	iroh *h = e->stream.iroh;

	e->cause = NULL;
	tl__iroh_stream_reset(&e->stream, TL_IROH_RESET_GONE);
	tl__list_remove(&h->todo, &e->stream.todo);
	h->exchanges--;
	free_exchange(e);
	if (code != TL_OK)
		(void)tl__error_restore(cause, code);
	sink.done(sink.ud, code);
}

/* --- on its way ------------------------------------------------------------------------------- */

/* Nothing of an answer came over a connection that others had used: it may have been closed
 * meanwhile, and the other side may be asked anything twice. */
static bool begin_again(tl_exchange *e)
{
	iroh_stream *s = &e->stream;

	if (!e->kept || e->repeated || e->cancelled || s->head_len > 0 || e->head_told ||
		(s->given > 0 && !e->rewind))
		return false;
	if (s->given > 0)
		e->rewind(s->body.ud);
	tl__buf_free(&s->rest);
	s->rest_at = 0;
	s->given = 0;
	s->writing = s->last = s->finished = s->refused = s->blocked = false;
	e->repeated = true;
	e->begun = false;
	tl__iroh_queue(s);
	return true;
}

static void open_stream(tl_exchange *e, iroh_connection *c)
{
	const tl_iroh_request_options options = {
		.size = sizeof options,
		.max_answer = e->max_response < UINT64_MAX - TL__FRAME_MAX_HEAD
				      ? e->max_response + TL__FRAME_MAX_HEAD
				      : UINT64_MAX,
		.stream_ms = e->idle_ms,
		.hold_ms = e->hold_ms,
	};
	iroh *h = e->stream.iroh;
	ptrdiff_t len;
	tl_iroh_id id;
	int code;

	memcpy(e->channel, c->channel, sizeof e->channel);
	e->kept = c->used;
	len = tl__iroh_stream_first(
		&e->stream, e->v1 ? tl__iroh_frame_request_write(h->scratch, e->path, e->type) : 0);
	if (len == TL_BODY_ABORT) {
		fail(e, tl__fail(TL_E_CANCELLED, "the body failed"));
		return;
	}
	code = h->calls->request(
		h->endpoint, c->id, h->scratch, (size_t)len, e->stream.last, &options, &id);
	if (code != TL_IROH_OK) {
		c->gone = c->gone || code == TL_IROH_UNKNOWN_ID;
		if (code != TL_IROH_UNKNOWN_ID || !begin_again(e))
			fail(e, tl__iroh_fail(code, 0, NULL, 0));
		return;
	}
	e->stream.writing = true;
	e->stream.finished = e->stream.last;
	if (tl__iroh_stream_enter(&e->stream, c, id) != TL_OK)
		fail(e, TL_E_NOMEM);
	else
		tl__iroh_queue(&e->stream);
}

static void on_dialled(iroh_waiter *waiter, iroh_connection *connection)
{
	tl_exchange *e = (tl_exchange *)((char *)waiter - offsetof(tl_exchange, waiter));

	e->awaited = NULL;
	if (connection)
		open_stream(e, connection);
	else
		fail(e, tl_error_code(tl_last_error()));
}

static void start(tl_exchange *e)
{
	iroh *h = e->stream.iroh;
	iroh_connection *c = tl__iroh_connection_find(h, e->peer, e->v1);
	iroh_waiter **end;

	if (c) {
		open_stream(e, c);
		return;
	}
	c = tl__iroh_connection_dial(h, e->address, e->v1, e->dial_ms);
	if (!c) {
		fail(e, tl_error_code(tl_last_error()));
		return;
	}
	e->awaited = c;
	end = &c->waiting;
	while (*end)
		end = &(*end)->next;
	e->waiter = (iroh_waiter){NULL, on_dialled};
	*end = &e->waiter;
}

static void on_ended(iroh_stream *stream, const tl_iroh_event *event)
{
	tl_exchange *e = (tl_exchange *)stream;
	bool lost = event->code == TL_IROH_LOST || event->code == TL_IROH_CLOSED;

	if (e->failure == TL_OK && !(lost && begin_again(e)))
		fail(e, tl__iroh_fail(event->code, event->peer_code, event->bytes, event->length));
}

/* --- the answer ------------------------------------------------------------------------------- */

/* False: it is no answer of this protocol. */
static bool tell_head(tl_exchange *e)
{
	tl_response_head head = {
		.size = sizeof head,
		.status = 200,
		.content_type = {"application/json", 16},
		.channel = {e->channel, strlen(e->channel)},
	};

	e->head_told = true;
	if (e->v1 &&
		!tl__iroh_frame_answer_read(e->stream.head, &head.status, &head.content_type)) {
		fail(e, tl__fail(TL_E_UNEXPECTED_RESPONSE,
				"the answer does not begin as one of tidelock/1"));
		return false;
	}
	e->sink.head(e->sink.ud, &head);
	return true;
}

static void on_deliver(iroh_stream *stream, const uint8_t *bytes, size_t len)
{
	tl_exchange *e = (tl_exchange *)stream;
	size_t used = e->v1 ? tl__iroh_stream_feed_head(stream, bytes, len) : 0;

	if (e->failure != TL_OK || e->cancelled || (e->v1 && !stream->head_done))
		return;
	if (!e->head_told && !tell_head(e))
		return;
	len -= used;
	if (len == 0 || e->cancelled)
		return;
	if (len > e->max_response - e->received) {
		fail(e, tl__fail(TL_E_TOO_LARGE, "the answer has more than %llu bytes",
				(unsigned long long)e->max_response));
		return;
	}
	e->received += len;
	stream->paused = !e->sink.piece(e->sink.ud, bytes + used, len);
}

static void complete(tl_exchange *e)
{
	if (e->v1 && !e->stream.head_done) {
		fail(e, tl__fail(TL_E_NETWORK, "the answer ends before it has begun"));
		return;
	}
	if (!e->head_told && !tell_head(e))
		return;
	if (!e->cancelled)
		finish(e, TL_OK);
}

static void on_settle(iroh_stream *stream)
{
	tl_exchange *e = (tl_exchange *)stream;
	int rc;

	if (e->cancelled)
		fail(e, tl__fail(TL_E_CANCELLED, "cancelled"));
	if (e->failure != TL_OK) {
		finish(e, e->failure);
		return;
	}
	if (!e->begun) {
		e->begun = true;
		start(e);
		return;
	}
	tl__iroh_stream_release(stream);
	rc = e->failure == TL_OK ? tl__iroh_stream_pump(stream) : TL_OK;
	if (rc != TL_OK)
		fail(e, rc);
	else if (e->failure == TL_OK && tl__iroh_stream_is_read(stream))
		complete(e);
}

static void on_fail(iroh_stream *stream, int code)
{
	fail((tl_exchange *)stream, code);
}

static const iroh_stream_calls stream_calls = {on_deliver, on_ended, on_fail, on_settle};

/* --- the transport's calls -------------------------------------------------------------------- */

static int check_request(const iroh *h, const tl_request *request)
{
	tl_str path = {request->path, request->path ? strlen(request->path) : 0};
	tl_str type = {
		request->content_type, request->content_type ? strlen(request->content_type) : 0};
	int rc = tl__fork_check(h->forks);

	if (rc != TL_OK)
		return rc;
	if (!tl__iroh_frame_path_valid(path))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a request's path begins with / and has at most %d printable characters",
			TL__FRAME_MAX_TEXT);
	if (!type.ptr || !tl__iroh_frame_type_valid(type))
		return tl__fail(TL_E_BAD_ARGUMENT, "a request needs a content type");
	return h->broken ? tl__iroh_fail(TL_IROH_PANIC, 0, NULL, 0) : TL_OK;
}

static void read_digits(const char *digits, uint8_t out[TL__IROH_ID_BYTES])
{
	for (size_t i = 0; i < 2 * TL__IROH_ID_BYTES; i++) {
		unsigned value =
			(unsigned)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);

		out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
	}
}

/* Whom an address names. One that led to a connection is not read again. */
static int peer_of(iroh *h, const char *address, uint8_t out[TL__IROH_ID_BYTES])
{
	char id[TL__IROH_ID_TEXT + 1], why[256] = "";
	size_t len = sizeof id;
	int code;

	for (const iroh_connection *c = h->connections; c; c = c->next)
		if (c->id != 0 && c->address && strcmp(c->address, address) == 0) {
			memcpy(out, c->peer, sizeof c->peer);
			return TL_OK;
		}
	code = h->calls->convert(
		address, strlen(address), TL_IROH_FORM_ID, id, &len, why, sizeof why);
	if (code != TL_IROH_OK)
		return tl__fail(TL_E_BAD_ADDRESS, "\"%.80s\" is no Iroh address: %s", address, why);
	if (strcmp(id, h->id_text) == 0)
		return tl__iroh_fail(TL_IROH_OWN_ID, 0, NULL, 0);
	read_digits(id, out);
	return TL_OK;
}

/* That of the connection there is, else of one that would be dialled. */
bool tl__iroh_foresee(tl_transport *transport, const char *address, char *out, size_t cap)
{
	iroh *h = tl__iroh_of(transport);
	const iroh_connection *c;
	uint8_t peer[TL__IROH_ID_BYTES];
	char peer_text[TL__IROH_ID_TEXT + 1];

	if (peer_of(h, address, peer) != TL_OK || cap <= TL__IROH_CHANNEL_LEN)
		return false;
	c = tl__iroh_connection_find(h, peer, true);
	tl__iroh_write_id(peer, peer_text);
	if (c)
		memcpy(out, c->channel, sizeof c->channel);
	else
		tl__iroh_write_channel(out, h->id_text, peer_text);
	return true;
}

static int new_exchange(
	iroh *h, const tl_request *request, const tl_response_sink *sink, tl_exchange **out)
{
	tl_exchange *e = tl__alloc_zero(1, sizeof *e);

	*out = e;
	if (!e)
		return TL_E_NOMEM;
	e->stream.iroh = h;
	e->stream.calls = &stream_calls;
	e->stream.head_need = tl__iroh_frame_answer_need;
	e->sink = *sink;
	e->v1 = strcmp(request->path, TL__IROH_PATH_V0) != 0;
	e->max_response = request->max_response;
	e->dial_ms = request->dial_ms ? request->dial_ms : DIAL_MS;
	e->idle_ms = request->idle_ms ? request->idle_ms : TL__PACE_IDLE_MS;
	e->hold_ms = request->hold_ms;
	e->rewind = request->rewind;
	e->address = tl__copy_bytes(request->address, strlen(request->address));
	e->path = tl__copy_bytes(request->path, strlen(request->path));
	e->type = tl__copy_bytes(request->content_type, strlen(request->content_type));
	if (!e->address || !e->path || !e->type) {
		free_exchange(e);
		return TL_E_NOMEM;
	}
	e->stream.body = request->body;
	return TL_OK;
}

int tl__iroh_send(tl_transport *transport, const tl_request *request, const tl_response_sink *sink,
	tl_exchange **out)
{
	iroh *h = tl__iroh_of(transport);
	tl_request full = TL_REQUEST_INIT;
	tl_response_sink calls = {.size = sizeof calls};
	uint8_t peer[TL__IROH_ID_BYTES];
	int rc = tl__sized_read(&full, request, tl_request, min_bytes_per_s);

	*out = NULL;
	if (rc == TL_OK)
		rc = tl__sized_read(&calls, sink, tl_response_sink, ud);
	if (rc == TL_OK)
		rc = check_request(h, &full);
	if (rc == TL_OK)
		rc = peer_of(h, full.address, peer);
	if (rc == TL_OK)
		rc = new_exchange(h, &full, &calls, out);
	if (rc != TL_OK) {
		*out = NULL;
		if (full.body.drop)
			full.body.drop(full.body.ud);
		return rc;
	}
	memcpy((*out)->peer, peer, sizeof peer);
	h->exchanges++;
	tl__iroh_queue(&(*out)->stream);
	return TL_OK;
}

void tl__iroh_resume(tl_exchange *exchange)
{
	if (!exchange->stream.paused)
		return;
	exchange->stream.paused = false;
	tl__iroh_queue(&exchange->stream);
}

void tl__iroh_body_ready(tl_exchange *exchange)
{
	tl__iroh_queue(&exchange->stream);
}

void tl__iroh_cancel(tl_exchange *exchange)
{
	exchange->cancelled = true;
	tl__iroh_queue(&exchange->stream);
}

const char *tl__iroh_channel(tl_exchange *exchange)
{
	return exchange->channel[0] ? exchange->channel : NULL;
}
