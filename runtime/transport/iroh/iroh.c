#include "transport/iroh/iroh.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/system/fork.h"
#include "transport/iroh/inside.h"

#define BIND_MS      10000
#define CLOSE_MS     1000
#define MOST_EVENTS  64
#define MAX_TAKEN    1024
#define STREAMS_EACH 4  /* in work: a watch that is held, and some beside it */
#define MOST_BATCHES 16 /* of events in one turn; then others of the loop have theirs */

/* --- the bell --------------------------------------------------------------------------------- */

/* On a thread of the plugin. */
static void ring(void *ud)
{
	const iroh *h = ud;
	uint64_t one = 1;
	ssize_t wrote = write(h->bell, &one, sizeof one);

	(void)wrote; /* full: it rings already */
}

static void hush(const iroh *h)
{
	uint64_t rung;
	ssize_t got = read(h->bell, &rung, sizeof rung);

	(void)got; /* empty: it did not ring */
}

/* --- turns ------------------------------------------------------------------------------------ */

static iroh_stream *stream_of(const iroh *h, const tl_iroh_event *event)
{
	return tl__map_get(
		&h->streams, (tl_str){(const char *)&event->stream, sizeof event->stream});
}

static void on_data(const iroh *h, const tl_iroh_event *event)
{
	iroh_stream *stream = stream_of(h, event);
	int rc = stream ? tl__iroh_stream_take(stream, event) : TL_OK;

	if (rc != TL_OK)
		stream->calls->fail(stream, rc);
}

static void on_writable(const iroh *h, const tl_iroh_event *event)
{
	iroh_stream *stream = stream_of(h, event);

	if (!stream)
		return;
	stream->blocked = false;
	tl__iroh_queue(stream);
}

static void on_ended(const iroh *h, const tl_iroh_event *event)
{
	iroh_stream *stream = stream_of(h, event);

	if (!stream)
		return;
	if (event->code == TL_IROH_LOST || event->code == TL_IROH_CLOSED)
		stream->connection->gone = true;
	tl__iroh_stream_leave(stream);
	stream->calls->ended(stream, event);
}

static void on_broken(iroh *h, const tl_iroh_event *event)
{
	h->broken = true;
	tl__log_write(h->log, TL_LOG_ERROR, "iroh",
		"the plugin failed inside (%.*s); Iroh is out of use until the node is opened "
		"again, other transports go on",
		(int)event->length, event->length > 0 ? (const char *)event->bytes : "");
}

/* Whoever dials us may need the relay, and whom we dial. */
static void on_online(iroh *h, const tl_iroh_event *event)
{
	if (event->operation != h->going_online)
		return;
	h->going_online = 0;
	h->offline[0] = 0;
	if (event->code == TL_IROH_OK || event->code == TL_IROH_CANCELLED ||
		event->code == TL_IROH_CLOSED)
		return;
	(void)tl__iroh_fail(event->code, event->peer_code, event->bytes, event->length);
	snprintf(h->offline, sizeof h->offline, "%s", tl_error_message(tl_last_error()));
	tl__log_write(h->log, TL_LOG_WARNING, "iroh",
		"no relay knows this node, so that only direct ways lead to it: %s", h->offline);
}

static void on_event(iroh *h, const tl_iroh_event *event)
{
	switch (event->kind) {
	case TL_IROH_EVENT_ONLINE: on_online(h, event); return;
	case TL_IROH_EVENT_CONNECTED: tl__iroh_connection_dialled(h, event); return;
	case TL_IROH_EVENT_ACCEPTED: tl__iroh_connection_accepted(h, event); return;
	case TL_IROH_EVENT_DISCONNECTED: tl__iroh_connection_lost(h, event); return;
	case TL_IROH_EVENT_PATH: tl__iroh_connection_moved(h, event); return;
	case TL_IROH_EVENT_REQUEST: tl__iroh_incoming_request(h, event); return;
	case TL_IROH_EVENT_DATA: on_data(h, event); return;
	case TL_IROH_EVENT_WRITABLE: on_writable(h, event); return;
	case TL_IROH_EVENT_ENDED: on_ended(h, event); return;
	case TL_IROH_EVENT_ADDRESS: tl__iroh_server_moved(h); return;
	case TL_IROH_EVENT_BROKEN: on_broken(h, event); return;
	default: return;
	}
}

static void settle(iroh *h)
{
	tl__link *link;

	while ((link = tl__list_take(&h->todo)) != NULL) {
		iroh_stream *stream = (iroh_stream *)link;

		stream->calls->settle(stream);
	}
	tl__iroh_server_settle(h);
	h->calls->flush(h->endpoint);
}

static void turn(iroh *h)
{
	tl_iroh_event events[MOST_EVENTS];
	size_t count = MOST_EVENTS;

	h->busy = true;
	for (size_t batch = 0; batch < MOST_BATCHES && count == MOST_EVENTS; batch++) {
		count = h->calls->next(h->endpoint, events, MOST_EVENTS);
		for (size_t i = 0; i < count; i++)
			on_event(h, &events[i]);
	}
	if (count == MOST_EVENTS)
		ring(h); /* the plugin rings again only once we have found nothing more */
	settle(h);
	h->busy = false;
}

static void on_bell(void *ud, int fd, unsigned events)
{
	iroh *h = ud;

	(void)fd;
	(void)events;
	hush(h);
	turn(h);
}

static void on_kick(void *ud)
{
	iroh *h = ud;

	h->busy = true;
	settle(h);
	h->busy = false;
}

/* --- before and after the loop ---------------------------------------------------------------- */

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits for an event of this kind and passes all others over. */
static int wait_for(const iroh *h, uint32_t kind, int64_t ms)
{
	int64_t until = clock_ms() + ms, left = ms;
	tl_iroh_event event;

	for (; left >= 0; left = until - clock_ms()) {
		struct pollfd bell = {.fd = h->bell, .events = POLLIN};

		while (h->calls->next(h->endpoint, &event, 1) == 1)
			if (event.kind == kind)
				return event.code == TL_IROH_OK
					       ? TL_OK
					       : tl__iroh_fail(event.code, event.peer_code,
							 event.bytes, event.length);
		poll(&bell, 1, (int)left);
		hush(h);
	}
	return tl__fail(
		TL_E_TIMEOUT, "the Iroh endpoint does not come up in %lld ms", (long long)ms);
}

static void close_endpoint(iroh *h)
{
	tl_iroh_id closing;

	if (!h->endpoint)
		return;
	/* Others learn of it at once; without it they would wait for a sign of life. */
	if (h->calls->close(h->endpoint, 0, "closed", 6, CLOSE_MS, &closing) == TL_IROH_OK)
		(void)wait_for(h, TL_IROH_EVENT_CLOSED, 2 * CLOSE_MS);
	h->calls->free(h->endpoint);
}

/* A forked child must not end connections that are its parent's. */
static void iroh_free(tl_transport *transport)
{
	iroh *h = tl__iroh_of(transport);

	if (!h || tl__fork_inherited(h->forks))
		return;
	close_endpoint(h);
	if (h->loop) {
		h->loop->unwatch(h->watch);
		h->loop->timer_free(h->kick);
		h->loop->timer_free(h->sweep);
	}
	tl__iroh_connections_free(h);
	tl__map_free(&h->streams);
	if (h->bell >= 0)
		close(h->bell);
	tl__free(h);
}

/* --- addresses -------------------------------------------------------------------------------- */

static int check_address(tl_transport *transport, const char *address)
{
	const tl_iroh_calls *calls = tl__iroh_of(transport)->calls;
	char id[TL__IROH_ID_TEXT + 1], why[256] = "";
	size_t len = sizeof id;
	int code = calls->convert(
		address, strlen(address), TL_IROH_FORM_ID, id, &len, why, sizeof why);

	return code == TL_IROH_OK ? TL_OK
				  : tl__fail(TL_E_BAD_ADDRESS,
					    "\"%.80s\" is no Iroh address: %s; write a ticket, an "
					    "endpoint id, iroh://id@relay or the JSON with node_id",
					    address, why);
}

/* --- making ----------------------------------------------------------------------------------- */

static const tl_transport vtable = {
	.size = sizeof vtable,
	.type = "iroh",
	.check_address = check_address,
	.send = tl__iroh_send,
	.resume = tl__iroh_resume,
	.body_ready = tl__iroh_body_ready,
	.cancel = tl__iroh_cancel,
	.serve = tl__iroh_serve,
	.server_address = tl__iroh_server_address,
	.stop = tl__iroh_stop,
	.answer = tl__iroh_answer,
	.answer_ready = tl__iroh_answer_ready,
	.incoming_resume = tl__iroh_incoming_resume,
	.free = iroh_free,
	.channel = tl__iroh_channel,
	/* A connection shows who is at its other end, and stays with other streams. */
	.close_after = NULL,
	.hold = tl__iroh_hold,
	.keep = tl__iroh_keep,
	.encrypted = true,
	.agrees = true,
	.connections = tl__iroh_connections,
	.foresee = tl__iroh_foresee,
	.proves_ends = true,
	.tell_paths = tl__iroh_tell_paths,
};

static int open_endpoint(iroh *h, const tl__iroh_options *options)
{
	static const tl_iroh_bytes alpns[] = {
		{(const uint8_t *)TL__IROH_ALPN_V1, sizeof TL__IROH_ALPN_V1 - 1},
		{(const uint8_t *)TL__IROH_ALPN_V0, sizeof TL__IROH_ALPN_V0 - 1},
	};
	const tl_iroh_options full = {
		.size = sizeof full,
		.secret_key = options->secret_key,
		.alpns = alpns,
		.alpn_count = options->without_v0 ? 1 : sizeof alpns / sizeof *alpns,
		.bind = options->bind,
		.relay_mode = options->relay_mode,
		.lookup = options->lookup,
		.relays = options->relays,
		.relay_count = options->relay_count,
		.wake = ring,
		.ud = h,
		.max_connections = h->max_taken,
		.max_streams = STREAMS_EACH * h->max_taken,
	};
	char why[256] = "";
	int code = h->calls->open(&full, &h->endpoint, why, sizeof why);

	return code == TL_IROH_OK ? TL_OK : tl__iroh_fail(code, 0, why, strlen(why));
}

static int read_id(iroh *h)
{
	uint8_t id[TL__IROH_ID_BYTES];
	int code = h->calls->id(h->endpoint, id);

	if (code != TL_IROH_OK)
		return tl__iroh_fail(code, 0, NULL, 0);
	tl__iroh_write_id(id, h->id_text);
	return TL_OK;
}

int tl__iroh_new(tl_transport **out, const tl__iroh_options *options, const tl__log *log)
{
	iroh *h = tl__alloc_zero(1, sizeof *h);
	int rc = tl__fork_watch();

	*out = NULL;
	if (!h)
		return TL_E_NOMEM;
	h->base = vtable;
	h->log = log;
	h->forks = tl__fork_count();
	h->relay_mode = options->relay_mode;
	h->max_taken = options->max_connections ? options->max_connections : MAX_TAKEN;
	tl__map_init(&h->streams);
	h->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rc == TL_OK && h->bell < 0)
		rc = tl__fail(TL_E_IO, "no descriptor for Iroh is left; close what is not needed");
	if (rc == TL_OK)
		rc = tl__iroh_load(&h->calls, options->plugin);
	if (rc == TL_OK)
		rc = open_endpoint(h, options);
	if (rc == TL_OK)
		rc = wait_for(h, TL_IROH_EVENT_BOUND, BIND_MS);
	if (rc == TL_OK)
		rc = read_id(h);
	/* Nobody is served until somebody serves. */
	if (rc == TL_OK && h->calls->accept(h->endpoint, 0) != TL_IROH_OK)
		rc = tl__fail(TL_E_INTERNAL, "the Iroh endpoint cannot be used");
	if (rc != TL_OK) {
		iroh_free(&h->base);
		return rc;
	}
	*out = &h->base;
	return TL_OK;
}

int tl__iroh_attach(tl_transport *transport, tl_loop *loop)
{
	iroh *h = tl__iroh_of(transport);
	int rc = loop->timer(loop, on_kick, h, &h->kick);

	h->loop = loop;
	if (rc == TL_OK)
		rc = loop->timer(loop, tl__iroh_connection_sweep, h, &h->sweep);
	if (rc == TL_OK)
		rc = loop->watch(loop, h->bell, TL_READABLE, on_bell, h, &h->watch);
	if (rc == TL_OK)
		tl__iroh_go_online(h);
	if (rc == TL_OK)
		ring(h); /* what came before */
	return rc;
}
