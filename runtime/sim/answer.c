/* Answers: whole or piece by piece, back to whoever asked; and exchanges that break. */
#include <stdio.h>
#include <string.h>
#include "sim/flight.h"

typedef enum part_kind { PART_WHOLE, PART_BEGIN, PART_PIECE, PART_END } part_kind;

/* A part of an answer on its way. */
typedef struct part {
	tl__sim_item item;
	tl__sim_flight *flight;
	part_kind kind;
	int status;
	char content_type[80];
	tl__buf body;
	bool ok, closes;
} part;

static void drop_part(tl__sim_item *item)
{
	tl__buf_free(&((part *)item)->body);
	tl__free(item);
}

/* --- the requester's end ---------------------------------------------------------------------- */

static void tell_requester(tl__sim_flight *flight, int code)
{
	tl__sync_event event;

	flight->client_over = true;
	if (flight->answer)
		flight->answer->answered = code == TL_OK;
	if (!flight->from || !tl__sim_client_lives(flight))
		return;
	tl__sim_core_begins(flight->sim);
	tl__receipt_end(&flight->receipt, code, &event);
	tl__sim_core_ends(flight->sim);
	tl__sim_tell(flight->from, &event);
}

/* The responder is told while it may still say something. */
static void tell_gone(tl__sim_flight *flight)
{
	tl__sync_event event = {.kind = TL__SYNC_GONE};

	if (flight->server_over || flight->incoming == 0)
		return;
	flight->server_over = true;
	if (!flight->to || !tl__sim_server_lives(flight))
		return;
	event.incoming = flight->incoming;
	tl__sim_tell(flight->to, &event);
}

void tl__sim_fail(tl__sim_flight *flight, int code, const char *text)
{
	const char *name = flight->from ? flight->from->name : "-";

	if (!flight->client_over) {
		tl__sim_note(flight->sim, "%s: %s failed: %s", name, flight->path, text);
		/* Only now a requester knows that nothing will come of what was lost. */
		if (code != TL_E_CANCELLED || flight->broke)
			tl__sim_flight_broke(flight);
		(void)tl__fail(code, "%s", text);
		tell_requester(flight, code);
	}
	tell_gone(flight);
	if (flight->incoming == 0)
		flight->server_over = true;
}

/* Bytes and head for whoever asked. */
static void take(tl__sim_flight *flight, const part *p)
{
	tl__sim_answer *answer = flight->answer;
	bool head = p->kind == PART_WHOLE || p->kind == PART_BEGIN;

	if (answer) {
		if (head) {
			answer->status = p->status;
			memcpy(answer->content_type, p->content_type, sizeof p->content_type);
		}
		answer->closes = answer->closes || p->closes;
		tl__buf_str(&answer->body, tl__buf_view(&p->body));
	} else if (tl__sim_client_lives(flight)) {
		tl__sim_core_begins(flight->sim);
		/* What is wrong with it is told at the end. */
		if (head)
			(void)!tl__receipt_head(
				&flight->receipt, p->status, tl__str_z(flight->channel));
		(void)!tl__receipt_piece(&flight->receipt, p->body.ptr, p->body.len);
		tl__sim_core_ends(flight->sim);
	}
}

static void tell_drained(tl__sim_flight *flight)
{
	tl__sync_event event = {.kind = TL__SYNC_DRAINED, .incoming = flight->incoming};

	if (!flight->server_over && flight->to && tl__sim_server_lives(flight))
		tl__sim_tell(flight->to, &event);
}

static void note_answer(const tl__sim_flight *flight, const part *p)
{
	char what[80];

	if (p->kind == PART_PIECE || p->kind == PART_END)
		return;
	tl__sim_describe(flight->path, p->status, tl__buf_view(&p->body), what);
	tl__sim_note(flight->sim, "%s <- %s %s: %s", flight->from ? flight->from->name : "-",
		flight->to ? flight->to->name : "actor", flight->path, what);
}

static void come_in(tl__sim_flight *flight, const part *p)
{
	if (flight->client_over) {
		tell_gone(flight);
		return;
	}
	/* The requester's patience ends it. */
	if (!tl__sim_reaches(flight)) {
		tl__sim_flight_broke(flight);
		return;
	}
	flight->progress = flight->sim->now;
	note_answer(flight, p);
	take(flight, p);
	if (p->kind == PART_WHOLE || (p->kind == PART_END && p->ok))
		tell_requester(flight, TL_OK);
	else if (p->kind == PART_END || flight->receipt.code != TL_OK)
		tl__sim_fail(flight, TL_E_CONNECTION_FAILED, "the answer was cut off");
	else if (p->kind == PART_PIECE)
		tell_drained(flight);
}

static void part_happens(tl__sim_item *item)
{
	part *p = (part *)item;
	tl__sim_flight *flight = p->flight;

	come_in(flight, p);
	drop_part(item);
	flight->items--;
	tl__sim_flight_settle(flight);
}

/* --- the responder's end ---------------------------------------------------------------------- */

static part *plan_part(tl__sim_flight *flight, part_kind kind)
{
	tl__sim *sim = flight->sim;
	uint64_t at = sim->now + tl__sim_latency(sim);
	part *p;

	if (at < flight->last_due)
		at = flight->last_due;
	flight->last_due = at;
	p = tl__sim_plan(sim, sizeof *p, at, part_happens, drop_part);
	if (!p)
		return NULL;
	p->flight = flight;
	p->kind = kind;
	flight->items++;
	return p;
}

static bool is_lost(tl__sim_flight *flight)
{
	if (flight->answer || !tl__sim_chance(flight->sim, flight->sim->net.loss))
		return false;
	tl__sim_note(flight->sim, "an answer to %s (%s) is lost",
		flight->from ? flight->from->name : "-", flight->path);
	tl__sim_flight_broke(flight);
	return true;
}

/* What came with such a request was not taken. */
static bool is_refusal(const tl__sim_flight *flight, int status, tl_str body)
{
	tl__v1_frame frame;
	tl__v1_response header;

	if (!tl__str_starts(tl__str_z(flight->path), TL__STR(TL__V1_PATH_PREFIX)))
		return false;
	return status != 200 || tl__v1_frame_read(&frame, body.ptr, body.len) != TL_OK ||
	       tl__v1_response_read(&header, frame.header) != TL_OK || header.status != TL__V1_OK;
}

void tl__sim_reply(
	tl__sim_flight *flight, int status, const char *content_type, tl__buf *body, bool closes)
{
	part *p;

	flight->server_over = true;
	tl__sim_strip_offer(flight, body);
	tl__sim_set_out(flight, body);
	if (is_refusal(flight, status, tl__buf_view(body)))
		tl__sim_flight_broke(flight);
	/* A copy's answer goes nowhere. */
	if (flight->client_over || is_lost(flight))
		return;
	p = plan_part(flight, PART_WHOLE);
	if (!p)
		return;
	p->status = status;
	snprintf(p->content_type, sizeof p->content_type, "%s", content_type ? content_type : "");
	p->closes = closes;
	p->body = *body;
	*body = TL__BUF_INIT;
}

static void reply_part(tl__sim_flight *flight, tl__sync_action *action)
{
	part *p;

	tl__sim_set_out(flight, &action->answer.body);
	if (action->kind == TL__SYNC_ANSWER_END)
		flight->server_over = true;
	/* A piece that does not come breaks the stream: patience ends it on both sides. */
	p = plan_part(flight, action->kind == TL__SYNC_ANSWER_BEGIN   ? PART_BEGIN
			      : action->kind == TL__SYNC_ANSWER_PIECE ? PART_PIECE
								      : PART_END);
	if (!p)
		return;
	p->status = action->answer.status;
	snprintf(p->content_type, sizeof p->content_type, "%s",
		action->answer.content_type ? action->answer.content_type : "");
	p->ok = action->answer.ok;
	p->closes = action->answer.close;
	p->body = action->answer.body;
	action->answer.body = TL__BUF_INIT;
	if (p->kind == PART_END && p->ok && is_lost(flight))
		p->ok = false;
}

static tl__sim_flight *flight_at(tl__sim_peer *by, uint64_t incoming)
{
	tl__sim_flight *flight = by->sim->flights;

	while (flight && !(flight->to == by && flight->to_life == by->life &&
				 flight->incoming == incoming && !flight->server_over))
		flight = flight->next;
	return flight;
}

void tl__sim_answer_with(tl__sim_peer *by, tl__sync_action *action)
{
	tl__sim_flight *flight = flight_at(by, action->answer.incoming);

	if (!flight)
		return; /* gone meanwhile; the core is told so */
	if (action->kind == TL__SYNC_ANSWER)
		tl__sim_reply(flight, action->answer.status, action->answer.content_type,
			&action->answer.body, action->answer.close);
	else
		reply_part(flight, action);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void cancelled(tl__sim_flight *flight)
{
	tl__sim_fail(flight, TL_E_CANCELLED, "cancelled");
}

void tl__sim_cancel(tl__sim_peer *from, uint64_t exchange)
{
	for (tl__sim_flight *flight = from->sim->flights; flight; flight = flight->next)
		if (flight->from == from && flight->from_life == from->life &&
			flight->receipt.exchange == exchange && !flight->client_over) {
			tl__sim_flight_plan(flight, from->sim->now, cancelled);
			return;
		}
}

static void broken(tl__sim_flight *flight)
{
	tl__sim_fail(flight, TL_E_CONNECTION_FAILED, "the connection broke");
}

void tl__sim_cut(tl__sim_peer *peer)
{
	tl__sim *sim = peer->sim;

	tl__sim_peer_broke(peer);
	for (tl__sim_flight *flight = sim->flights; flight; flight = flight->next) {
		if (flight->from == peer || flight->to == peer)
			tl__sim_flight_broke(flight);
		if (flight->to == peer && flight->to_life == peer->life && flight->incoming != 0 &&
			!flight->client_over && !flight->server_over) {
			flight->server_over = true;
			tl__sim_flight_plan(flight, sim->now + tl__sim_latency(sim), broken);
		}
		if (flight->from == peer && !flight->client_over) {
			flight->client_over = true;
			tl__receipt_free(&flight->receipt); /* it points to the tree that goes */
			tl__sim_flight_plan(flight, sim->now + tl__sim_latency(sim), broken);
		}
	}
}
