/* Requests: from a core, over the virtual network, to another core or an actor. */
#include <stdio.h>
#include <string.h>
#include "sim/flight.h"
#include "wire/v0_path.h"

#define STATUS_NOT_FOUND 404
#define STATUS_TOO_LARGE 413

/* The member of a handshake by which tidelock peers know each other. */
#define OFFER ",\"tidelock\":{\"versions\":[1]}"

/* --- flights ---------------------------------------------------------------------------------- */

static tl__sim_flight *flight_new(tl__sim *sim)
{
	tl__sim_flight *flight = tl__alloc_zero(1, sizeof *flight);

	if (!flight) {
		tl__sim_broken(sim, TL_E_NOMEM);
		return NULL;
	}
	flight->sim = sim;
	flight->sent = flight->progress = sim->now;
	flight->next = sim->flights;
	sim->flights = flight;
	return flight;
}

static void flight_free(tl__sim_flight *flight)
{
	tl__receipt_free(&flight->receipt);
	tl__buf_free(&flight->body);
	tl__free(flight);
}

void tl__sim_flight_settle(tl__sim_flight *flight)
{
	tl__sim_flight **at = &flight->sim->flights;

	if (flight->items > 0 || !flight->client_over || !flight->server_over)
		return;
	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
	flight_free(flight);
}

void tl__sim_flights_free(tl__sim *sim)
{
	while (sim->flights) {
		tl__sim_flight *flight = sim->flights;

		sim->flights = flight->next;
		flight_free(flight);
	}
}

typedef struct flight_item {
	tl__sim_item item;
	tl__sim_flight *flight;
	void (*happen)(tl__sim_flight *flight);
} flight_item;

static void drop_item(tl__sim_item *item)
{
	tl__free(item);
}

static void happen(tl__sim_item *item)
{
	flight_item *f = (flight_item *)item;
	tl__sim_flight *flight = f->flight;
	void (*call)(tl__sim_flight * flight) = f->happen;

	tl__free(item);
	call(flight);
	flight->items--;
	tl__sim_flight_settle(flight);
}

void tl__sim_flight_plan(tl__sim_flight *flight, uint64_t at, void (*call)(tl__sim_flight *flight))
{
	flight_item *f = tl__sim_plan(flight->sim, sizeof *f, at, happen, drop_item);

	if (!f)
		return;
	f->flight = flight;
	f->happen = call;
	flight->items++;
}

bool tl__sim_client_lives(const tl__sim_flight *flight)
{
	return flight->from && flight->from->core && flight->from->life == flight->from_life;
}

bool tl__sim_server_lives(const tl__sim_flight *flight)
{
	return flight->to && flight->to->core && flight->to->life == flight->to_life;
}

bool tl__sim_reaches(const tl__sim_flight *flight)
{
	unsigned to = flight->to ? flight->to->group : 0;

	if (flight->to && flight->to->mute[flight->way])
		return false;
	return !flight->from || flight->from->group == to;
}

uint64_t tl__sim_latency(tl__sim *sim)
{
	return tl__sim_between(sim, sim->net.latency_min_ms, sim->net.latency_max_ms);
}

/* --- what a 0.2.0 node does not know ---------------------------------------------------------- */

/* It never offers v1, and passes over the member that does. */
void tl__sim_strip_offer(const tl__sim_flight *flight, tl__buf *body)
{
	size_t len = sizeof OFFER - 1;
	char *at = body->len > len ? memmem(body->ptr, body->len, OFFER, len) : NULL;
	bool relic = (flight->from && flight->from->v0_only) || (flight->to && flight->to->v0_only);

	if (!relic || !at || !tl__str_starts(tl__buf_view(body), TL__STR("{\"Handshake\"")))
		return;
	memmove(at, at + len, body->len - (size_t)(at - body->ptr) - len);
	body->len -= len;
}

/* --- arrival ---------------------------------------------------------------------------------- */

static tl__sync_request request_of(const tl__sim_flight *flight)
{
	return (tl__sync_request){.incoming = flight->incoming,
		.path = tl__str_z(flight->path),
		.content_type = flight->has_type ? tl__str_z(flight->content_type) : TL__STR_NULL,
		.remote = tl__str_z(flight->remote),
		.channel = tl__str_z(flight->channel),
		.transport = TL__STR("http"),
		.body = tl__buf_view(&flight->body)};
}

/* What a driver answers without asking the core; 0: the core is asked. */
static int refusal(const tl__sim_flight *flight)
{
	uint64_t most = tl__sync_max_request(tl__str_z(flight->path));

	if (most == 0 || (flight->to->v0_only && strcmp(flight->path, TL__V0_PATH) != 0))
		return STATUS_NOT_FOUND;
	return flight->body.len > most ? STATUS_TOO_LARGE : 0;
}

static void ask_core(tl__sim_flight *flight)
{
	tl__sync_event event = {.kind = TL__SYNC_REQUEST};
	tl__buf none = TL__BUF_INIT;
	int status = refusal(flight);

	flight->incoming = ++flight->to->incoming;
	if (status != 0) {
		tl__sim_reply(flight, status, NULL, &none, status == STATUS_TOO_LARGE);
		return;
	}
	event.request = request_of(flight);
	tl__sim_tell(flight->to, &event);
	tl__buf_free(&flight->body);
}

static void ask_actor(tl__sim_flight *flight)
{
	tl__sync_request request = request_of(flight);
	tl__sim_answer answer = {.status = 200};

	flight->incoming = 1;
	flight->actor->script(flight->actor->ud, &request, &answer);
	if (answer.answered)
		tl__sim_reply(flight, answer.status,
			answer.content_type[0] ? answer.content_type : NULL, &answer.body, false);
	tl__buf_free(&answer.body);
}

static void arrive(tl__sim_flight *flight)
{
	bool copy = !flight->from && !flight->answer;

	if (flight->client_over && !copy) {
		flight->server_over = true; /* given up before it came */
		return;
	}
	if (flight->to && (!flight->to->core || !tl__sim_reaches(flight))) {
		flight->server_over = true;
		tl__sim_flight_broke(flight);
		if (!flight->to->core)
			tl__sim_fail(flight, TL_E_CONNECTION_FAILED, "connection refused");
		return;
	}
	if (flight->to && flight->to->hanging)
		return;
	tl__sim_strip_offer(flight, &flight->body);
	if (flight->to) {
		flight->to_life = flight->to->life;
		ask_core(flight);
	} else {
		ask_actor(flight);
	}
}

/* --- sending ---------------------------------------------------------------------------------- */

/* Time without progress ends it, on both sides. */
static void watch(tl__sim_flight *flight)
{
	uint64_t idle = (uint64_t)flight->sim->net.idle_ms + flight->hold_ms;
	uint64_t cut = flight->sim->net.cut_ms, silent = flight->sim->now - flight->progress;

	if (flight->client_over)
		return;
	if (cut > 0 && cut < idle)
		idle = cut;
	if (silent >= idle && idle == cut)
		tl__sim_fail(flight, TL_E_NETWORK, "cut by something in between");
	else if (silent >= idle)
		tl__sim_fail(flight, TL_E_TIMEOUT, "no progress for 30 s");
	else
		tl__sim_flight_plan(flight, flight->progress + idle, watch);
}

static void unreachable(tl__sim_flight *flight)
{
	flight->server_over = true;
	tl__sim_fail(flight, TL_E_CONNECTION_FAILED, "no way there");
}

static void unknown_address(tl__sim_flight *flight)
{
	flight->server_over = true;
	tl__sim_fail(flight, TL_E_CONNECTION_FAILED, "nobody has that address");
}

static bool find_target(tl__sim_flight *flight, const tl_address *address)
{
	for (tl__sim_peer *peer = flight->sim->peers; peer; peer = peer->next)
		for (unsigned way = 0; way < TL__SIM_WAYS; way++) {
			tl_address own;

			tl__sim_address_by(peer, way, &own);
			if (strcmp(own.text, address->text) != 0)
				continue;
			flight->to = peer;
			flight->way = way;
		}
	for (tl__sim_actor *actor = flight->sim->actors; actor; actor = actor->next)
		if (strcmp(actor->address, address->text) == 0)
			flight->actor = actor;
	return strcmp(address->type, "http") == 0 && (flight->to || flight->actor);
}

/* The same request once more, whoever may have kept it. */
static void duplicate(const tl__sim_flight *flight)
{
	tl__sim *sim = flight->sim;
	tl__sim_flight *copy = flight_new(sim);

	if (!copy)
		return;
	copy->client_over = true;
	copy->to = flight->to;
	copy->way = flight->way;
	copy->actor = flight->actor;
	memcpy(copy->path, flight->path, sizeof copy->path);
	memcpy(copy->content_type, flight->content_type, sizeof copy->content_type);
	copy->has_type = flight->has_type;
	memcpy(copy->remote, flight->remote, sizeof copy->remote);
	memcpy(copy->channel, flight->channel, sizeof copy->channel);
	tl__buf_str(&copy->body, tl__buf_view(&flight->body));
	tl__sim_note(sim, "the network keeps a copy of %s from %s", copy->path, copy->remote);
	tl__sim_flight_plan(copy,
		sim->now + tl__sim_latency(sim) + tl__sim_between(sim, 0, sim->net.replay_ms),
		arrive);
}

static void set_out(tl__sim_flight *flight, const char *name)
{
	tl__sim *sim = flight->sim;
	uint64_t far = tl__sim_latency(sim);
	bool lost = tl__sim_chance(sim, sim->net.loss);

	tl__sim_count_request(sim, flight->from, flight->to, flight->path);
	tl__sim_set_out(flight, &flight->body);
	tl__sim_note(sim, "%s -> %s %s (%zu B)%s", flight->from ? flight->from->name : "-", name,
		flight->path, flight->body.len,
		!tl__sim_reaches(flight) ? " no way"
		: lost                   ? " lost"
					 : "");
	if (!tl__sim_reaches(flight)) {
		tl__sim_flight_plan(flight, sim->now + sim->net.dial_ms, unreachable);
		return;
	}
	if (tl__sim_chance(sim, sim->net.duplicate))
		duplicate(flight);
	watch(flight);
	if (lost) {
		flight->server_over = true;
		tl__sim_flight_broke(flight);
	} else {
		tl__sim_flight_plan(flight, sim->now + far, arrive);
	}
}

void tl__sim_send(tl__sim_peer *from, tl__sync_action *action)
{
	tl__sim_flight *flight = flight_new(from->sim);

	if (!flight)
		return;
	flight->from = from;
	flight->from_life = from->life;
	tl__receipt_init(&flight->receipt, action, &from->tree);
	snprintf(flight->path, sizeof flight->path, "%s", action->send.path);
	flight->has_type = action->send.content_type != NULL;
	snprintf(flight->content_type, sizeof flight->content_type, "%s",
		flight->has_type ? action->send.content_type : "");
	snprintf(flight->remote, sizeof flight->remote, "%s:5%04u", from->name, from->life);
	snprintf(flight->channel, sizeof flight->channel, "none");
	flight->hold_ms = action->send.hold_ms;
	flight->body = action->send.body;
	action->send.body = TL__BUF_INIT;
	if (find_target(flight, &action->send.address))
		set_out(flight, action->send.address.text);
	else
		tl__sim_flight_plan(flight, from->sim->now, unknown_address);
}

/* --- strangers -------------------------------------------------------------------------------- */

static bool is_over(tl__sim *sim, void *ud)
{
	const bool *over = ud;

	(void)sim;
	return *over;
}

void tl__sim_ask(
	tl__sim_peer *peer, const tl__sync_request *request, tl__sim_answer *answer, uint64_t ms)
{
	tl__sim_flight *flight = flight_new(peer->sim);

	memset(answer, 0, sizeof *answer);
	if (!flight)
		return;
	flight->answer = answer;
	flight->to = peer;
	snprintf(flight->path, sizeof flight->path, "%.*s", TL__STR_ARG(request->path));
	flight->has_type = request->content_type.ptr != NULL;
	snprintf(flight->content_type, sizeof flight->content_type, "%.*s",
		TL__STR_ARG(request->content_type));
	snprintf(flight->remote, sizeof flight->remote, "%.*s", TL__STR_ARG(request->remote));
	snprintf(flight->channel, sizeof flight->channel, "%.*s", TL__STR_ARG(request->channel));
	tl__buf_str(&flight->body, request->body);
	flight->items++; /* it stays while we look at it */
	tl__sim_count_request(peer->sim, NULL, peer, flight->path);
	tl__sim_flight_plan(flight, peer->sim->now, arrive);
	(void)tl__sim_run_until(peer->sim, is_over, &flight->client_over, 0, ms);
	flight->answer = NULL;
	if (!flight->client_over)
		tl__sim_fail(flight, TL_E_TIMEOUT, "the stranger goes away");
	flight->items--;
	tl__sim_flight_settle(flight);
}

void tl__sim_add_script(tl__sim *sim, const char *name, tl__sim_script script, void *ud)
{
	tl__sim_actor *actor = tl__alloc_zero(1, sizeof *actor);

	if (!actor) {
		tl__sim_broken(sim, TL_E_NOMEM);
		return;
	}
	snprintf(actor->address, sizeof actor->address, "%s" TL__SIM_PORT, name);
	actor->script = script;
	actor->ud = ud;
	actor->next = sim->actors;
	sim->actors = actor;
}
