/* What others ask: from a stream of theirs to `gone`. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "transport/iroh/inside.h"

/* The rest of a request that was answered early is read and dropped up to this much, so that its
 * sender gets to see the answer. */
#define DRAIN_BYTES 8388608

struct tl_server {
	iroh *iroh;
	tl_server_calls calls;
	void *ud;
	tl_incoming *incoming;
	tl_timer *end; /* the grace of a stop */
	bool stopping;
	void (*stopped)(void *ud);
	void *stopped_ud;
	char address[TL__IROH_MAX_SERVER_ADDRESS + 1];
};

/* One request, from its first bytes to `gone`. */
struct tl_incoming {
	iroh_stream stream; /* first: its stream is the incoming */
	tl_server *server;
	tl_incoming *next, **link;
	void *request_ud;
	bool v1;
	bool begun; /* `begin` was called: `gone` must be */
	bool ended; /* the body is whole */
	uint64_t max_body, received, drained;
	bool answered; /* by the application or by us */
	int status;
	char *type;
};

static const iroh_stream_calls stream_calls;

static void give_up(iroh_stream *stream, uint64_t code)
{
	tl__iroh_stream_reset(stream, code);
	tl__iroh_queue(stream);
}

/* --- the request ------------------------------------------------------------------------------ */

static void answer_ourselves(tl_incoming *in, int status)
{
	in->answered = true;
	in->status = status;
	tl__iroh_queue(&in->stream);
}

static void begin(tl_incoming *in)
{
	const iroh_connection *c = in->stream.connection;
	tl_server *server = in->server;
	tl_str path = {TL__IROH_PATH_V0, strlen(TL__IROH_PATH_V0)}, type = {"application/json", 16};
	char text[TL__FRAME_MAX_TEXT + 1];
	tl_incoming_head head = {.size = sizeof head, .body_length = -1, .method = "POST"};

	if (in->v1 && !tl__iroh_frame_request_read(in->stream.head, &path, &type)) {
		answer_ourselves(in, 400);
		return;
	}
	memcpy(text, path.ptr, path.len);
	text[path.len] = '\0';
	head.path = text;
	head.content_type = type;
	head.remote = c ? c->peer_text : "";
	head.channel = c ? c->channel : "";
	in->begun = true;
	server->calls.begin(server->ud, in, &head, &in->request_ud, &in->max_body);
}

static void take_body(tl_incoming *in, const uint8_t *bytes, size_t len)
{
	iroh_stream *s = &in->stream;

	if (!in->answered && len > in->max_body - in->received)
		answer_ourselves(in, 413);
	if (in->answered) {
		in->drained += len;
		if (in->drained > DRAIN_BYTES)
			give_up(s, TL_IROH_RESET_LARGE);
		return;
	}
	in->received += len;
	s->paused = false;
	if (!in->server->calls.piece(in->request_ud, in, bytes, len))
		s->paused = !in->answered;
}

static void on_deliver(iroh_stream *stream, const uint8_t *bytes, size_t len)
{
	tl_incoming *in = (tl_incoming *)stream;
	bool was_done = stream->head_done;
	size_t used = in->v1 && !was_done ? tl__iroh_stream_feed_head(stream, bytes, len) : 0;

	stream->head_done = stream->head_done || !in->v1;
	if (!was_done && stream->head_done)
		begin(in);
	if (stream->head_done && len > used)
		take_body(in, bytes + used, len - used);
}

static tl_incoming *new_incoming(iroh *h, bool v1)
{
	tl_server *server = h->server;
	tl_incoming *in = tl__alloc_zero(1, sizeof *in);

	if (!in)
		return NULL;
	in->stream.iroh = h;
	in->stream.calls = &stream_calls;
	in->stream.head_need = tl__iroh_frame_request_need;
	in->server = server;
	in->v1 = v1;
	in->next = server->incoming;
	in->link = &server->incoming;
	if (in->next)
		in->next->link = &in->next;
	server->incoming = in;
	return in;
}

/* `gone`, and the end of the request. */
static void finish(tl_incoming *in)
{
	tl_server *server = in->server;

	*in->link = in->next;
	if (in->next)
		in->next->link = in->link;
	tl__list_remove(&in->stream.iroh->todo, &in->stream.todo);
	if (in->begun)
		server->calls.gone(in->request_ud);
	tl__iroh_stream_free(&in->stream);
	tl__free(in->type);
	tl__free(in);
}

void tl__iroh_incoming_request(iroh *h, const tl_iroh_event *event)
{
	iroh_connection *c = tl__iroh_connection_at(h, event->connection);
	tl_incoming *in = c && h->server && !h->server->stopping ? new_incoming(h, c->v1) : NULL;

	if (!in) {
		(void)h->calls->reset(h->endpoint, event->stream,
			h->server ? TL_IROH_RESET_FAULT : TL__IROH_RESET_CLOSED);
		return;
	}
	if (tl__iroh_stream_enter(&in->stream, c, event->stream) != TL_OK) {
		finish(in);
		return;
	}
	if (tl__iroh_stream_take(&in->stream, event) != TL_OK)
		give_up(&in->stream, TL_IROH_RESET_FAULT);
}

/* --- the answer ------------------------------------------------------------------------------- */

/* 0.2.0 knows no statuses: where it cannot answer, its stream ends without a byte. */
static int begin_answer(tl_incoming *in)
{
	iroh_stream *s = &in->stream;
	uint8_t *scratch = s->iroh->scratch;
	ptrdiff_t len;

	if (!in->v1 && in->status != 200)
		s->last = true;
	len = s->last ? 0
		      : tl__iroh_stream_first(s,
				in->v1 ? tl__iroh_frame_answer_write(scratch, in->status, in->type)
				       : 0);
	if (len == TL_BODY_ABORT)
		return tl__fail(TL_E_CANCELLED, "the answer's body failed");
	return tl__iroh_stream_write(s, scratch, (size_t)len);
}

static void write_answer(tl_incoming *in)
{
	iroh_stream *s = &in->stream;
	int rc = s->writing ? TL_OK : begin_answer(in);

	if (rc == TL_OK)
		rc = tl__iroh_stream_pump(s);
	if (rc != TL_OK)
		tl__iroh_stream_reset(s, TL_IROH_RESET_FAULT);
	/* Both bodies are complete: the plugin has let go of it. */
	else if (s->finished && !s->refused && s->fin)
		tl__iroh_stream_leave(s);
}

static void tell_end(tl_incoming *in)
{
	if (in->ended || !tl__iroh_stream_is_read(&in->stream))
		return;
	in->ended = true;
	if (in->answered)
		return;
	if (!in->stream.head_done)
		answer_ourselves(in, 400);
	else
		in->server->calls.end(in->request_ud, in);
}

static void on_settle(iroh_stream *stream)
{
	tl_incoming *in = (tl_incoming *)stream;

	if (stream->id != 0)
		tl__iroh_stream_release(stream);
	if (stream->id != 0)
		tell_end(in);
	if (stream->id != 0 && in->answered)
		write_answer(in);
	if (stream->id == 0)
		finish(in);
}

static void on_ended(iroh_stream *stream, const tl_iroh_event *event)
{
	(void)event;
	tl__iroh_queue(stream);
}

static void on_fail(iroh_stream *stream, int code)
{
	(void)code;
	give_up(stream, TL_IROH_RESET_FAULT);
}

static const iroh_stream_calls stream_calls = {on_deliver, on_ended, on_fail, on_settle};

static void drop(const tl_body *body)
{
	if (body && body->drop)
		body->drop(body->ud);
}

void tl__iroh_answer(tl_incoming *in, int status, const char *content_type, const tl_body *body)
{
	const tl_str type = {content_type, content_type ? strlen(content_type) : 0};

	if (in->answered) { /* by us: too large a body */
		drop(body);
		return;
	}
	if (type.ptr && (type.len == 0 || !tl__iroh_frame_type_valid(type))) {
		drop(body);
		body = NULL;
		content_type = NULL;
		status = 500;
	}
	in->answered = true;
	in->status = status;
	in->stream.paused = false;
	if (body)
		in->stream.body = *body;
	if (content_type)
		in->type = tl__copy_bytes(type.ptr, type.len);
	if (content_type && !in->type)
		tl__iroh_stream_reset(&in->stream, TL_IROH_RESET_FAULT);
	tl__iroh_queue(&in->stream);
}

void tl__iroh_answer_ready(tl_incoming *in)
{
	tl__iroh_queue(&in->stream);
}

void tl__iroh_incoming_resume(tl_incoming *in)
{
	in->stream.paused = false;
	tl__iroh_queue(&in->stream);
}

void tl__iroh_hold(tl_incoming *in, uint32_t ms)
{
	const iroh *h = in->stream.iroh;

	if (in->stream.id != 0)
		(void)h->calls->hold(h->endpoint, in->stream.id, ms);
}

void tl__iroh_keep(tl_incoming *in)
{
	if (in->stream.connection)
		in->stream.connection->known = true;
}

/* --- the server ------------------------------------------------------------------------------- */

static void read_address(tl_server *server)
{
	static const uint32_t forms[] = {TL_IROH_FORM_JSON, TL_IROH_FORM_TICKET, TL_IROH_FORM_URI};
	const iroh *h = server->iroh;
	int code = TL_IROH_NO_SPACE;

	for (size_t i = 0; i < sizeof forms / sizeof *forms && code == TL_IROH_NO_SPACE; i++) {
		size_t len = sizeof server->address;

		code = h->calls->address(h->endpoint, forms[i], server->address, &len);
	}
	if (code != TL_IROH_OK)
		memcpy(server->address, h->id_text, sizeof h->id_text);
}

const char *tl__iroh_server_address(tl_server *server)
{
	read_address(server);
	return server->address;
}

void tl__iroh_server_moved(const iroh *h)
{
	const tl_server *server = h->server;

	if (server && !server->stopping && server->calls.moved)
		server->calls.moved(server->ud);
}

static void on_grace_over(void *ud)
{
	tl_server *server = ud;

	for (tl_incoming *in = server->incoming; in; in = in->next)
		give_up(&in->stream, TL_IROH_RESET_GONE);
}

int tl__iroh_serve(tl_transport *transport, const char *bind, const tl_serve_options *options,
	const tl_server_calls *calls, void *ud, tl_server **out)
{
	iroh *h = tl__iroh_of(transport);
	tl_serve_options given = TL_SERVE_OPTIONS_INIT;
	tl_server *server;
	int rc = options ? tl__sized_read(&given, options, tl_serve_options, min_bytes_per_s)
			 : TL_OK;

	(void)bind; /* the endpoint is bound already: its sockets are for both directions */
	*out = NULL;
	if (rc == TL_OK)
		rc = tl__sized_check(calls, tl_server_calls, gone);
	if (rc != TL_OK)
		return rc;
	if (given.certificate_file || given.key_file)
		return tl__fail(TL_E_TLS, "Iroh proves its key itself; leave the certificate out");
	if (h->server)
		return tl__fail(
			TL_E_SERVER_ALREADY_RUNNING, "Iroh is served already; stop that first");
	if (h->broken)
		return tl__iroh_fail(TL_IROH_PANIC, 0, NULL, 0);
	server = tl__alloc_zero(1, sizeof *server);
	if (!server)
		return TL_E_NOMEM;
	server->iroh = h;
	server->ud = ud;
	rc = tl__sized_read(&server->calls, calls, tl_server_calls, gone);
	if (rc == TL_OK)
		rc = h->loop->timer(h->loop, on_grace_over, server, &server->end);
	if (rc != TL_OK) {
		tl__free(server);
		return rc;
	}
	h->server = server;
	(void)h->calls->accept(h->endpoint, 1);
	*out = server;
	return TL_OK;
}

void tl__iroh_stop(tl_server *server, uint32_t grace_ms, void (*stopped)(void *ud), void *ud)
{
	iroh *h = server->iroh;

	server->stopping = true;
	server->stopped = stopped;
	server->stopped_ud = ud;
	(void)h->calls->accept(h->endpoint, 0);
	h->loop->timer_start(server->end, grace_ms);
	tl__iroh_kick(h);
}

void tl__iroh_server_settle(iroh *h)
{
	tl_server *server = h->server;
	tl_server copy;

	if (!server || !server->stopping || server->incoming)
		return;
	copy = *server;
	h->server = NULL;
	h->loop->timer_free(server->end);
	tl__free(server);
	if (copy.stopped)
		copy.stopped(copy.stopped_ud);
}
