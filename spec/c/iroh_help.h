/* Endpoints of the Iroh plugin without a loop around them: one turn waits for the bell of any,
 * hands their events to what the case wants of them, and begins what that has noted. */
#ifndef SPEC_IROH_HELP_H
#define SPEC_IROH_HELP_H

#include "iroh_path.h"
#include <dlfcn.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include "../../bindings/iroh/tidelock_iroh.h"

#ifndef PROTOCOL
#define PROTOCOL "spec/1"
#endif
#define MOST_STREAMS 600
#define MOST_KEPT    64

static const tl_iroh_calls *iroh;

static inline bool iroh_load(void)
{
	void *library =
		iroh_is_there() ? dlopen(iroh_path(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) : NULL;
	tl_iroh_plugin_call plugin = NULL;

	if (!library)
		return false;
	/* A function's address comes out as one of data. */
	*(void **)&plugin = dlsym(library, TL_IROH_SYMBOL);
	iroh = plugin ? plugin() : NULL;
	return iroh && iroh->abi == TL_IROH_ABI;
}

static inline uint64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What an endpoint does with a request. */
enum manner {
	ECHO,      /* the same body back, as it comes */
	SILENT,    /* takes it and never answers */
	CLOGGED,   /* never takes a byte */
	REJECTING, /* gives it up with 42 */
	EARLY      /* answers with "early" and reads no further */
};

struct stream {
	tl_iroh_id id;
	uint64_t received, taken_back; /* bytes of the other side's body; given back as echo */
	bool fin, over, ended;
	int code;
	uint64_t peer_code;
	/* What echo could not write yet. */
	uint8_t *waiting;
	size_t waiting_length;
	/* What a client still has to send of a long body: `left` bytes. */
	uint64_t left;
	uint64_t sum; /* of the bytes, to compare bodies */
};

struct end {
	tl_iroh *at;
	int bell;
	enum manner manner;
	char address[TL_IROH_MAX_ADDRESS];
	tl_iroh_event kept[MOST_KEPT]; /* those that are not about a stream, without their bytes */
	size_t kept_count;
	struct stream streams[MOST_STREAMS];
	size_t stream_count;
	uint64_t writables, wakes;
	char last_text[256]; /* of the last failure */
	uint32_t hold_ms;    /* of its requests */
};

static inline void end_rings(void *ud)
{
	uint64_t one = 1;
	ssize_t wrote = write(((struct end *)ud)->bell, &one, sizeof(one));

	(void)wrote; /* full: it rings already */
}

static inline struct stream *stream_at(struct end *end, tl_iroh_id id)
{
	for (size_t i = 0; i < end->stream_count; i++)
		if (end->streams[i].id == id)
			return &end->streams[i];
	return NULL;
}

static inline struct stream *stream_new(struct end *end, tl_iroh_id id)
{
	struct stream *stream = NULL;

	/* Over and told: its place is free when the case does not look at it any more. */
	for (size_t i = 0; i < end->stream_count && !stream; i++)
		if (end->streams[i].id == 0)
			stream = &end->streams[i];
	if (!stream && end->stream_count < MOST_STREAMS)
		stream = &end->streams[end->stream_count++];
	if (stream) {
		memset(stream, 0, sizeof(*stream));
		stream->id = id;
	}
	return stream;
}

static inline uint64_t sum_of(uint64_t sum, const uint8_t *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

/* Writes back what came; keeps what finds no room, and takes no more until it did. */
static inline void echo(struct end *end, struct stream *stream, const uint8_t *bytes, size_t length)
{
	ptrdiff_t wrote = iroh->write(end->at, stream->id, bytes, length, stream->fin);

	if (wrote < 0) {
		stream->ended = true;
		return;
	}
	stream->taken_back += (uint64_t)wrote;
	if ((size_t)wrote == length) {
		stream->over = stream->fin;
		if (!stream->fin)
			iroh->taken(end->at, stream->id, length);
		return;
	}
	iroh->taken(end->at, stream->id, (size_t)wrote);
	stream->waiting_length = length - (size_t)wrote;
	stream->waiting = malloc(stream->waiting_length);
	if (stream->waiting)
		memcpy(stream->waiting, bytes + wrote, stream->waiting_length);
}

static inline void wait_too(struct stream *stream, const uint8_t *bytes, size_t length)
{
	uint8_t *more = realloc(stream->waiting, stream->waiting_length + length);

	if (!more)
		return;
	if (length > 0)
		memcpy(more + stream->waiting_length, bytes, length);
	stream->waiting = more;
	stream->waiting_length += length;
}

static inline void echo_on(struct end *end, struct stream *stream)
{
	uint8_t *waiting = stream->waiting;
	size_t length = stream->waiting_length;

	stream->waiting = NULL;
	stream->waiting_length = 0;
	if (waiting)
		echo(end, stream, waiting, length);
	free(waiting);
}

/* The bytes of a long body: a pattern that differs from piece to piece. */
static inline void send_on(struct end *end, struct stream *stream)
{
	uint8_t piece[20000];

	while (stream->left > 0) {
		size_t length = stream->left < sizeof(piece) ? (size_t)stream->left : sizeof(piece);
		for (size_t i = 0; i < length; i++)
			piece[i] = (uint8_t)((stream->left - i) * 2654435761u >> 13);
		ptrdiff_t wrote =
			iroh->write(end->at, stream->id, piece, length, length == stream->left);
		if (wrote < 0) {
			stream->left = 0;
			return;
		}
		stream->taken_back = sum_of(stream->taken_back, piece, (size_t)wrote);
		stream->left -= (uint64_t)wrote;
		if ((size_t)wrote < length)
			return;
	}
}

static inline void on_piece(struct end *end, const tl_iroh_event *event, bool is_request)
{
	struct stream *stream =
		is_request ? stream_new(end, event->stream) : stream_at(end, event->stream);

	if (!stream)
		return;
	stream->received += event->length;
	stream->fin = event->flags & TL_IROH_FLAG_FIN;
	stream->over = event->flags & TL_IROH_FLAG_OVER;
	stream->sum = sum_of(stream->sum, event->bytes, event->length);
	if (end->manner == ECHO) {
		if (stream->waiting)
			wait_too(stream, event->bytes, event->length);
		else
			echo(end, stream, event->bytes, event->length);
	} else if (end->manner == REJECTING) {
		iroh->reset(end->at, stream->id, 42);
	} else if (end->manner == EARLY && is_request) {
		CHECK(iroh->write(end->at, stream->id, "early", 5, 1) == 5);
	} else if (end->manner == SILENT && !stream->fin) {
		iroh->taken(end->at, stream->id, event->length);
	}
}

static inline void keep_text(struct end *end, const tl_iroh_event *event)
{
	size_t length =
		event->length < sizeof(end->last_text) ? event->length : sizeof(end->last_text) - 1;

	memcpy(end->last_text, event->bytes, length);
	end->last_text[length] = 0;
}

static inline void on_ended(struct end *end, const tl_iroh_event *event)
{
	struct stream *stream = stream_at(end, event->stream);

	keep_text(end, event);
	if (!stream)
		return;
	CHECK(!stream->ended && !stream->over); /* only one end */
	stream->ended = true;
	stream->code = event->code;
	stream->peer_code = event->peer_code;
	free(stream->waiting);
	stream->waiting = NULL;
}

static inline void on_writable(struct end *end, tl_iroh_id id)
{
	struct stream *stream = stream_at(end, id);

	end->writables++;
	if (stream && stream->waiting)
		echo_on(end, stream);
	else if (stream)
		send_on(end, stream);
}

static inline void on_event(struct end *end, const tl_iroh_event *event)
{
	switch (event->kind) {
	case TL_IROH_EVENT_REQUEST:
	case TL_IROH_EVENT_DATA: on_piece(end, event, event->kind == TL_IROH_EVENT_REQUEST); break;
	case TL_IROH_EVENT_WRITABLE: on_writable(end, event->stream); break;
	case TL_IROH_EVENT_ENDED: on_ended(end, event); break;
	default:
		if (event->code != TL_IROH_OK)
			keep_text(end, event);
		if (end->kept_count < MOST_KEPT)
			end->kept[end->kept_count++] = *event;
	}
}

static inline void end_drain(struct end *end)
{
	tl_iroh_event events[64];
	size_t count = 64;
	uint64_t rung;

	if (read(end->bell, &rung, sizeof(rung)) == sizeof(rung))
		end->wakes += rung;
	while (end->at && count == 64) {
		count = iroh->next(end->at, events, 64);
		for (size_t i = 0; i < count; i++)
			on_event(end, &events[i]);
	}
	iroh->flush(end->at);
}

/* One turn of both (the other may be NULL). */
static inline void turn(struct end *one, struct end *other)
{
	struct pollfd bells[2] = {{one->bell, POLLIN, 0}, {other ? other->bell : -1, POLLIN, 0}};

	iroh->flush(one->at);
	if (other)
		iroh->flush(other->at);
	poll(bells, 2, 50);
	if (bells[0].revents)
		end_drain(one);
	if (other && bells[1].revents)
		end_drain(other);
}

#define IROH_WAIT_MS 20000

/* Turns until it holds. */
#define TURN_UNTIL(one, other, condition)                                                          \
	do {                                                                                       \
		uint64_t give_up = clock_ms() + IROH_WAIT_MS;                                      \
		while (!(condition) && clock_ms() < give_up)                                       \
			turn(one, other);                                                          \
		CHECK(condition);                                                                  \
	} while (0)

/* The first event of a kind, or NULL. */
static inline const tl_iroh_event *kept(const struct end *end, uint32_t kind)
{
	for (size_t i = 0; i < end->kept_count; i++)
		if (end->kept[i].kind == kind)
			return &end->kept[i];
	return NULL;
}

/* A case's own options, or those that all have: loopback, no relays, no lookup. */
static inline bool end_open(struct end *end, enum manner manner, tl_iroh_options *options)
{
	static const tl_iroh_bytes protocol = {(const uint8_t *)PROTOCOL, sizeof(PROTOCOL) - 1};
	tl_iroh_options usual = {.size = sizeof(usual)};
	char error[256] = "";
	size_t length = sizeof(end->address);

	memset(end, 0, sizeof(*end));
	options = options ? options : &usual;
	options->alpns = &protocol;
	options->alpn_count = 1;
	if (!options->bind)
		options->bind = "127.0.0.1:0";
	else if (strcmp(options->bind, "*") == 0)
		options->bind = NULL; /* every address */
	options->wake = end_rings;
	options->ud = end;
	end->manner = manner;
	end->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (end->bell < 0 || iroh->open(options, &end->at, error, sizeof(error)) != TL_IROH_OK) {
		printf("no endpoint: %s\n", error);
		return false;
	}
	TURN_UNTIL(end, NULL, kept(end, TL_IROH_EVENT_BOUND));
	const tl_iroh_event *bound = kept(end, TL_IROH_EVENT_BOUND);
	return bound && bound->code == TL_IROH_OK &&
	       iroh->address(end->at, TL_IROH_FORM_TICKET, end->address, &length) == TL_IROH_OK;
}

static inline void end_free(struct end *end)
{
	iroh->free(end->at);
	for (size_t i = 0; i < end->stream_count; i++)
		free(end->streams[i].waiting);
	if (end->bell > 0)
		close(end->bell);
	memset(end, 0, sizeof(*end));
}

static inline tl_iroh_id dial(struct end *from, struct end *to, const char *address)
{
	tl_iroh_id operation = 0;

	from->kept_count = 0;
	if (iroh->connect(from->at, address, strlen(address), (const uint8_t *)PROTOCOL,
		    sizeof(PROTOCOL) - 1, 10000, &operation) != TL_IROH_OK)
		return 0;
	TURN_UNTIL(from, to, kept(from, TL_IROH_EVENT_CONNECTED));
	const tl_iroh_event *connected = kept(from, TL_IROH_EVENT_CONNECTED);
	return connected && connected->code == TL_IROH_OK ? connected->connection : 0;
}

static inline struct stream *ask(struct end *end, tl_iroh_id connection, const void *bytes,
	size_t length, uint64_t left, uint64_t most, uint32_t ms)
{
	tl_iroh_request_options options = {sizeof(options), most, ms, end->hold_ms};
	tl_iroh_id id = 0;
	int code = iroh->request(end->at, connection, bytes, length, left == 0, &options, &id);
	struct stream *stream = code == TL_IROH_OK ? stream_new(end, id) : NULL;

	if (stream) {
		stream->left = left;
		send_on(end, stream);
	}
	return stream;
}

#endif
