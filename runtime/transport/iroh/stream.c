/* A stream of the plugin with its two bodies: what the application's body gives goes out, what
 * comes in is delivered, and neither is read further than the other side takes it. */
#include <string.h>
#include "base/fail.h"
#include "transport/iroh/inside.h"

static tl_str key_of(const tl_iroh_id *id)
{
	return (tl_str){(const char *)id, sizeof *id};
}

int tl__iroh_stream_enter(iroh_stream *stream, iroh_connection *connection, tl_iroh_id id)
{
	iroh *h = stream->iroh;

	if (tl__map_set(&h->streams, key_of(&id), stream) != TL_OK) {
		(void)h->calls->reset(h->endpoint, id, TL_IROH_RESET_FAULT);
		return TL_E_NOMEM;
	}
	stream->id = id;
	stream->connection = connection;
	tl__iroh_connection_use(connection);
	return TL_OK;
}

void tl__iroh_stream_leave(iroh_stream *stream)
{
	if (stream->id == 0)
		return;
	(void)tl__map_remove(&stream->iroh->streams, key_of(&stream->id));
	stream->id = 0;
	tl__iroh_connection_unuse(stream->connection);
	stream->connection = NULL;
}

void tl__iroh_stream_reset(iroh_stream *stream, uint64_t code)
{
	/* One that the plugin has ended meanwhile is unknown to it. */
	if (stream->id != 0)
		(void)stream->iroh->calls->reset(stream->iroh->endpoint, stream->id, code);
	tl__iroh_stream_leave(stream);
}

void tl__iroh_stream_free(iroh_stream *stream)
{
	if (stream->body.drop)
		stream->body.drop(stream->body.ud);
	tl__buf_free(&stream->rest);
	tl__buf_free(&stream->held);
}

/* --- our body --------------------------------------------------------------------------------- */

/* As a body's read; sets `last` with what is the last of it. */
static ptrdiff_t read_body(iroh_stream *stream, uint8_t *out, size_t cap)
{
	const tl_body *body = &stream->body;
	ptrdiff_t got;

	if (!body->read || body->length == 0) {
		stream->last = true;
		return TL_BODY_END;
	}
	if (body->length > 0 && cap > (uint64_t)body->length - stream->given)
		cap = (size_t)((uint64_t)body->length - stream->given);
	got = body->read(body->ud, out, cap);
	if (got == TL_BODY_WAIT)
		return got;
	if (got == TL_BODY_END && body->length < 0) {
		stream->last = true;
		return got;
	}
	if (got <= 0 || (size_t)got > cap)
		return TL_BODY_ABORT;
	stream->given += (uint64_t)got;
	stream->last = body->length > 0 && stream->given == (uint64_t)body->length;
	return got;
}

ptrdiff_t tl__iroh_stream_first(iroh_stream *stream, size_t at)
{
	uint8_t *scratch = stream->iroh->scratch;
	ptrdiff_t got = read_body(stream, scratch + at, sizeof stream->iroh->scratch - at);

	if (got == TL_BODY_ABORT)
		return got;
	return (ptrdiff_t)at + (got > 0 ? got : 0);
}

/* What the plugin's write gave for `len` bytes; how many of them went. */
static size_t wrote(iroh_stream *stream, ptrdiff_t took, size_t len)
{
	if (took < 0) {
		stream->finished = stream->refused = true;
		return len;
	}
	if ((size_t)took < len)
		stream->blocked = true;
	else
		stream->finished = stream->last;
	return (size_t)took;
}

static ptrdiff_t give(iroh_stream *stream, const void *bytes, size_t len)
{
	const iroh *h = stream->iroh;

	return h->calls->write(h->endpoint, stream->id, bytes, len, stream->last);
}

int tl__iroh_stream_write(iroh_stream *stream, const void *bytes, size_t len)
{
	size_t went = wrote(stream, give(stream, bytes, len), len);

	stream->writing = true;
	if (went < len)
		tl__buf_append(&stream->rest, (const uint8_t *)bytes + went, len - went);
	return tl__buf_status(&stream->rest);
}

static void write_rest(iroh_stream *stream)
{
	size_t len = stream->rest.len - stream->rest_at;

	stream->rest_at +=
		wrote(stream, give(stream, stream->rest.ptr + stream->rest_at, len), len);
	if (stream->rest_at < stream->rest.len)
		return;
	tl__buf_free(&stream->rest);
	stream->rest_at = 0;
}

int tl__iroh_stream_pump(iroh_stream *stream)
{
	int rc = TL_OK;

	while (rc == TL_OK && stream->id != 0 && stream->writing && !stream->blocked &&
		!stream->finished) {
		ptrdiff_t got;

		if (stream->rest.len > 0) {
			write_rest(stream);
			continue;
		}
		got = read_body(stream, stream->iroh->scratch, sizeof stream->iroh->scratch);
		if (got == TL_BODY_WAIT)
			return TL_OK;
		if (got == TL_BODY_ABORT)
			return tl__fail(TL_E_CANCELLED, "the body failed midway");
		rc = tl__iroh_stream_write(stream, stream->iroh->scratch, (size_t)got);
	}
	return rc;
}

/* --- theirs ----------------------------------------------------------------------------------- */

size_t tl__iroh_stream_feed_head(iroh_stream *stream, const uint8_t *bytes, size_t len)
{
	size_t used = 0;

	while (!stream->head_done) {
		size_t need = stream->head_need(stream->head, stream->head_len);
		size_t more = need - stream->head_len;

		stream->head_done = need <= stream->head_len;
		if (stream->head_done || used == len)
			break;
		more = more < len - used ? more : len - used;
		memcpy(stream->head + stream->head_len, bytes + used, more);
		stream->head_len += more;
		used += more;
	}
	return used;
}

/* Also when there are no bytes: the end may be what is new. */
static void deliver(iroh_stream *stream, const uint8_t *bytes, size_t len)
{
	const iroh *h = stream->iroh;

	stream->calls->deliver(stream, bytes, len);
	if (len > 0 && stream->id != 0 && !stream->fin)
		(void)h->calls->taken(h->endpoint, stream->id, len);
}

int tl__iroh_stream_take(iroh_stream *stream, const tl_iroh_event *event)
{
	stream->fin = event->flags & TL_IROH_FLAG_FIN;
	if (event->flags & TL_IROH_FLAG_OVER)
		tl__iroh_stream_leave(stream);
	if (!stream->paused && stream->held.len == 0) {
		deliver(stream, event->bytes, event->length);
	} else {
		tl__buf_append(&stream->held, event->bytes, event->length);
		if (tl__buf_status(&stream->held) != TL_OK)
			return TL_E_NOMEM;
	}
	if (stream->fin)
		tl__iroh_queue(stream);
	return TL_OK;
}

void tl__iroh_stream_release(iroh_stream *stream)
{
	while (!stream->paused && stream->held_at < stream->held.len) {
		size_t left = stream->held.len - stream->held_at;
		size_t now = left < TL_IROH_PIECE ? left : TL_IROH_PIECE;
		size_t at = stream->held_at;

		stream->held_at += now;
		deliver(stream, (const uint8_t *)stream->held.ptr + at, now);
	}
	if (stream->held_at == stream->held.len) {
		tl__buf_free(&stream->held);
		stream->held_at = 0;
	}
}

bool tl__iroh_stream_is_read(const iroh_stream *stream)
{
	return stream->fin && !stream->paused && stream->held.len == 0;
}
