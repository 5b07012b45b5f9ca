/* One exchange on the virtual network, from both ends. */
#ifndef TL_SIM_FLIGHT_H
#define TL_SIM_FLIGHT_H

#include "sim/sim_impl.h"

struct tl__sim_flight {
	tl__sim_flight *next;
	tl__sim *sim;
	unsigned items; /* that will happen to it; freed when there are none and both ends are over
			 */
	/* The requester: a peer, a stranger (`answer`), or nobody: a copy that the network made. */
	tl__sim_peer *from;
	unsigned from_life;
	tl__sim_answer *answer;
	bool client_over;
	tl__receipt receipt; /* of a peer's */
	/* The responder: a peer or an actor. */
	tl__sim_peer *to;
	unsigned to_life, way; /* by which of its addresses */
	tl__sim_actor *actor;
	uint64_t incoming; /* its number there; 0: has not arrived */
	bool broke;        /* it was counted */
	bool server_over;  /* it has said everything, or will say nothing more */
	char path[64], content_type[80], remote[80], channel[80];
	bool has_type;
	tl__buf body;
	uint64_t sent, progress; /* when */
	uint32_t hold_ms;        /* its answer may be held so long */
	uint64_t last_due;       /* pieces of an answer keep their order */
};

/* Frees it when nothing more can happen to it. */
void tl__sim_flight_settle(tl__sim_flight *flight);
/* Something that will happen to it. */
void tl__sim_flight_plan(
	tl__sim_flight *flight, uint64_t at, void (*happen)(tl__sim_flight *flight));
bool tl__sim_reaches(
	const tl__sim_flight *flight); /* no partition between both ends, and its way is not mute */
bool tl__sim_client_lives(const tl__sim_flight *flight);
bool tl__sim_server_lives(const tl__sim_flight *flight);
/* How far away the other end is this time. */
uint64_t tl__sim_latency(tl__sim *sim);

/* Takes the offer of v1 out of a handshake when one end is a 0.2.0 node: it makes none, and passes
 * over the member that does. */
void tl__sim_strip_offer(const tl__sim_flight *flight, tl__buf *body);

/* --- answer.c --------------------------------------------------------------------------------- */

/* Both ends learn that the exchange is broken; `text` is what the requester is told. */
void tl__sim_fail(tl__sim_flight *flight, int code, const char *text);
/* A whole answer sets out; takes the body. */
void tl__sim_reply(
	tl__sim_flight *flight, int status, const char *content_type, tl__buf *body, bool closes);

#endif
