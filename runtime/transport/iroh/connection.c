/* Connections: one a peer and protocol, dialled or taken, kept while it is used and some time
 * longer. When both sides have dialled at once, that which the smaller id has dialled is kept: both
 * ask over that one, and the other ends when its streams are over. */
#include <stdio.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "transport/iroh/inside.h"

#define SWEEP_MS      1000
#define IDLE_MS       30000 /* one of ours that nobody uses is closed */
#define TAKEN_IDLE_MS 60000 /* one of theirs: they close it, and this is for those who do not */
#define UNSERVED_MS   1000  /* one of theirs, and we serve no more; or of two the other one */
#define DIALS_AT_ONCE 256
#define ONLINE_MS     10000

/* --- one -------------------------------------------------------------------------------------- */

static iroh_connection *new_connection(iroh *h)
{
	iroh_connection *c = tl__alloc_zero(1, sizeof *c);

	if (!c)
		return NULL;
	c->iroh = h;
	c->idle_since = tl__iroh_now(h);
	c->next = h->connections;
	c->link = &h->connections;
	if (c->next)
		c->next->link = &c->next;
	h->connections = c;
	h->connection_count++;
	if (!h->sweeping)
		h->loop->timer_start(h->sweep, SWEEP_MS);
	h->sweeping = true;
	return c;
}

static void free_connection(iroh_connection *c)
{
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	c->iroh->connection_count--;
	tl__free(c->address);
	tl__free(c);
}

/* Gone, and nothing is under way on it any more. */
static void maybe_free(iroh_connection *c)
{
	if (c->gone && c->id == 0 && c->dial == 0 && c->streams == 0 && !c->waiting)
		free_connection(c);
}

void tl__iroh_connection_use(iroh_connection *connection)
{
	connection->streams++;
	connection->used = true;
}

void tl__iroh_connection_unuse(iroh_connection *connection)
{
	if (--connection->streams > 0)
		return;
	connection->idle_since = tl__iroh_now(connection->iroh);
	maybe_free(connection);
}

void tl__iroh_write_id(const uint8_t id[TL__IROH_ID_BYTES], char out[TL__IROH_ID_TEXT + 1])
{
	for (size_t i = 0; i < TL__IROH_ID_BYTES; i++)
		snprintf(out + 2 * i, 3, "%02x", id[i]);
}

void tl__iroh_write_channel(
	char out[TL__IROH_CHANNEL_LEN + 1], const char *dialler, const char *acceptor)
{
	snprintf(out, TL__IROH_CHANNEL_LEN + 1, "iroh:%s:%s", dialler, acceptor);
}

/* What both sides know of it, and what they name it by. */
static void become(iroh_connection *c, const tl_iroh_event *event)
{
	const char *own = c->iroh->id_text;

	c->id = event->connection;
	c->dial = 0;
	c->dialled = event->flags & TL_IROH_FLAG_DIALLED;
	c->preferred = event->flags & TL_IROH_FLAG_PREFERRED;
	c->idle_since = tl__iroh_now(c->iroh);
	memcpy(c->peer, event->peer, sizeof c->peer);
	tl__iroh_write_id(c->peer, c->peer_text);
	tl__iroh_write_channel(
		c->channel, c->dialled ? own : c->peer_text, c->dialled ? c->peer_text : own);
	tl__log_write(c->iroh->log, TL_LOG_DEBUG, "iroh", "connected with %s, %s", c->peer_text,
		c->dialled ? "dialled" : "taken");
}

/* --- finding and dialling --------------------------------------------------------------------- */

iroh_connection *tl__iroh_connection_find(
	const iroh *h, const uint8_t peer[TL__IROH_ID_BYTES], bool v1)
{
	iroh_connection *best = NULL;

	for (iroh_connection *c = h->connections; c; c = c->next)
		if (c->id != 0 && !c->gone && c->v1 == v1 &&
			memcmp(c->peer, peer, sizeof c->peer) == 0 && (!best || c->preferred))
			best = c;
	return best;
}

iroh_connection *tl__iroh_connection_at(const iroh *h, tl_iroh_id id)
{
	for (iroh_connection *c = h->connections; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

static int dial(iroh_connection *c, const char *address, uint32_t ms)
{
	const iroh *h = c->iroh;
	const char *alpn = c->v1 ? TL__IROH_ALPN_V1 : TL__IROH_ALPN_V0;
	int code;

	c->address = tl__copy_bytes(address, strlen(address));
	if (!c->address)
		return TL_E_NOMEM;
	code = h->calls->connect(h->endpoint, address, strlen(address), (const uint8_t *)alpn,
		strlen(alpn), ms, &c->dial);
	return code == TL_IROH_OK ? TL_OK : tl__iroh_fail(code, 0, NULL, 0);
}

iroh_connection *tl__iroh_connection_dial(iroh *h, const char *address, bool v1, uint32_t ms)
{
	unsigned dials = 0;
	iroh_connection *c;

	for (c = h->connections; c; c = c->next) {
		if (c->dial != 0 && c->v1 == v1 && strcmp(c->address, address) == 0)
			return c;
		dials += c->dial != 0;
	}
	if (dials >= DIALS_AT_ONCE) {
		(void)tl__fail(TL_E_BUSY, "%u Iroh addresses are being dialled already", dials);
		return NULL;
	}
	c = new_connection(h);
	if (!c)
		return NULL;
	c->v1 = v1;
	if (dial(c, address, ms) == TL_OK)
		return c;
	free_connection(c);
	return NULL;
}

void tl__iroh_connection_unwait(iroh_connection *connection, const iroh_waiter *waiter)
{
	iroh_waiter **at = &connection->waiting;

	while (*at && *at != waiter)
		at = &(*at)->next;
	if (*at)
		*at = (*at)->next;
}

/* --- events ----------------------------------------------------------------------------------- */

static iroh_connection *dialling(const iroh *h, tl_iroh_id operation)
{
	for (iroh_connection *c = h->connections; c; c = c->next)
		if (c->dial != 0 && c->dial == operation)
			return c;
	return NULL;
}

static iroh_waiter *take_waiting(iroh_connection *c)
{
	iroh_waiter *first = c->waiting;

	if (first)
		c->waiting = first->next;
	return first;
}

/* Whether the address names a relay by which the other side could be reached. */
static bool names_relay(const iroh_connection *c)
{
	char text[TL_IROH_MAX_ADDRESS + 1];
	size_t len = sizeof text;

	return c->iroh->calls->convert(c->address, strlen(c->address), TL_IROH_FORM_JSON, text,
		       &len, NULL, 0) == TL_IROH_OK &&
	       strstr(text, "\"relay_url\"") != NULL;
}

/* Nobody answered: what ways there were, and what is wrong with ours. */
static void say_unreached(const iroh_connection *c)
{
	const iroh *h = c->iroh;
	const char *offline = h->offline[0] ? h->offline : NULL;

	(void)tl__fail(TL_E_TIMEOUT, "nobody answers at this address in time: %s%s%s",
		!names_relay(c) ? "no direct path leads there, and it names no relay"
		: h->relay_mode == TL_IROH_RELAY_DISABLED
			? "no direct path leads there, and relays are disabled here"
			: "neither a direct path nor its relay leads there",
		offline ? "; of our relays: " : "", offline ? offline : "");
}

void tl__iroh_go_online(iroh *h)
{
	if (h->relay_mode != TL_IROH_RELAY_DISABLED && h->going_online == 0)
		(void)h->calls->online(h->endpoint, ONLINE_MS, &h->going_online);
}

static void dial_failed(iroh_connection *c, const tl_iroh_event *event)
{
	iroh_waiter *waiter;

	if (c->iroh->offline[0])
		tl__iroh_go_online(c->iroh);
	c->dial = 0;
	c->gone = true;
	while ((waiter = take_waiting(c)) != NULL) {
		if (event->code == TL_IROH_ALPN && !c->v1)
			(void)tl__fail(TL_E_V0_NOT_SPOKEN,
				"the other side does not speak the protocol of 0.2.0");
		else if (event->code == TL_IROH_TIMEOUT)
			say_unreached(c);
		else
			(void)tl__iroh_fail(
				event->code, event->peer_code, event->bytes, event->length);
		waiter->dialled(waiter, NULL);
	}
	maybe_free(c);
}

void tl__iroh_connection_dialled(iroh *h, const tl_iroh_event *event)
{
	iroh_connection *c = dialling(h, event->operation);
	iroh_waiter *waiter;

	if (!c)
		return;
	if (event->code != TL_IROH_OK) {
		dial_failed(c, event);
		return;
	}
	become(c, event);
	while ((waiter = take_waiting(c)) != NULL)
		waiter->dialled(waiter, c);
}

static bool is_v1(const tl_iroh_event *event)
{
	return event->length == sizeof TL__IROH_ALPN_V1 - 1 &&
	       memcmp(event->bytes, TL__IROH_ALPN_V1, event->length) == 0;
}

static void close_connection(iroh_connection *c, const char *why)
{
	const iroh *h = c->iroh;

	c->gone = true;
	(void)h->calls->connection_close(h->endpoint, c->id, 0, why, strlen(why));
}

/* Of two the one that goes first: without streams, then quiet for longer. */
static bool is_worth_less(const iroh_connection *a, const iroh_connection *b)
{
	if ((a->streams > 0) != (b->streams > 0))
		return a->streams == 0;
	return a->idle_since < b->idle_since;
}

/* Some places stay free, so that a newcomer gets through to show who it is: with fewer left the
 * one among strangers goes that is worth least. */
static void make_room(iroh *h, const iroh_connection *newcomer)
{
	iroh_connection *worst = NULL;
	unsigned taken = 0;

	for (iroh_connection *c = h->connections; c; c = c->next) {
		if (c->id == 0 || c->gone || c->dialled)
			continue;
		taken++;
		if (!c->known && c != newcomer && (!worst || is_worth_less(c, worst)))
			worst = c;
	}
	if (worst && taken > h->max_taken - h->max_taken / 8)
		close_connection(worst, "busy");
}

void tl__iroh_connection_accepted(iroh *h, const tl_iroh_event *event)
{
	iroh_connection *c = new_connection(h);

	if (!c) {
		(void)h->calls->connection_close(h->endpoint, event->connection, 0, "busy", 4);
		return;
	}
	c->v1 = is_v1(event);
	become(c, event);
	make_room(h, c);
}

void tl__iroh_connection_lost(iroh *h, const tl_iroh_event *event)
{
	iroh_connection *c = tl__iroh_connection_at(h, event->connection);

	if (!c)
		return;
	tl__log_write(h->log, TL_LOG_DEBUG, "iroh", "the connection with %s is gone: %.*s",
		c->peer_text, (int)event->length,
		event->length > 0 ? (const char *)event->bytes : "");
	c->id = 0;
	c->gone = true;
	maybe_free(c);
}

/* Calls `visit` with how it stands now. */
static void tell_info(const iroh *h, const iroh_connection *c, tl_connection_visit visit, void *ud)
{
	tl_iroh_connection_info now = {.size = sizeof now};
	tl_connection_info info = {
		.size = sizeof info,
		.remote = c->peer_text,
		.channel = c->channel,
		.path = now.path,
		.dialled = c->dialled,
		.streams = c->streams,
	};

	if (c->id == 0 || h->calls->connection_info(h->endpoint, c->id, &now) != TL_IROH_OK)
		return;
	info.relayed = now.relayed;
	info.round_trip_us = now.round_trip_us;
	info.sent = now.sent;
	info.received = now.received;
	visit(ud, &info);
}

void tl__iroh_connection_moved(iroh *h, const tl_iroh_event *event)
{
	const iroh_connection *c = tl__iroh_connection_at(h, event->connection);

	if (!c)
		return;
	if (h->path_changed && event->flags & (TL_IROH_FLAG_UPGRADED | TL_IROH_FLAG_FELL_BACK))
		tell_info(h, c, h->path_changed, h->path_ud);
	tl__log_write(h->log, TL_LOG_DEBUG, "iroh", "%s is reached %s %.*s", c->peer_text,
		event->flags & TL_IROH_FLAG_RELAYED ? "by the relay" : "directly at",
		(int)event->length, event->length > 0 ? (const char *)event->bytes : "");
}

void tl__iroh_connections(tl_transport *transport, tl_connection_visit visit, void *ud)
{
	const iroh *h = tl__iroh_of(transport);

	for (const iroh_connection *c = h->connections; c; c = c->next)
		tell_info(h, c, visit, ud);
}

void tl__iroh_tell_paths(tl_transport *transport, tl_connection_visit changed, void *ud)
{
	iroh *h = tl__iroh_of(transport);

	h->path_changed = changed;
	h->path_ud = ud;
}

/* --- those that nobody needs ------------------------------------------------------------------ */

/* There is another one with the same peer, and both sides ask over that. */
static bool is_second(const iroh_connection *c)
{
	const iroh_connection *best = tl__iroh_connection_find(c->iroh, c->peer, c->v1);

	return best && best != c && best->preferred && !c->preferred;
}

static uint64_t patience(const iroh_connection *c)
{
	if (is_second(c) || (!c->dialled && !c->iroh->server))
		return UNSERVED_MS;
	return c->dialled ? IDLE_MS : TAKEN_IDLE_MS;
}

void tl__iroh_connection_sweep(void *ud)
{
	iroh *h = ud;
	uint64_t now = tl__iroh_now(h);

	for (iroh_connection *c = h->connections; c; c = c->next)
		if (c->id != 0 && !c->gone && c->streams == 0 && now - c->idle_since >= patience(c))
			close_connection(c, "idle");
	h->sweeping = h->connections != NULL;
	if (h->sweeping)
		h->loop->timer_start(h->sweep, SWEEP_MS);
}

void tl__iroh_connections_free(iroh *h)
{
	while (h->connections)
		free_connection(h->connections);
}
