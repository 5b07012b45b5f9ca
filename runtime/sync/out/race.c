/* A request that finds no answer for a while: is its way dead, or is the peer slow? Both this
 * address and the next best one are asked for first words beside it. When only the other one
 * answers, the request goes there, with all others that wait at the same dead address. Whoever
 * answers here ends the race, and what is still under way of it is cancelled.
 *
 * So the peer may get a request twice, by two ways. That changes nothing: requests have numbers of
 * their own, entries and wishes that are there already are the same ones, and questions only ask.
 */
#include <string.h>
#include "base/str.h"
#include "sync/out/call.h"

/* --- when ------------------------------------------------------------------------------------- */

static void expect(tl__sync *sync, tl__call *call, uint64_t ms)
{
	call->look_at = sync->now + ms;
	if (call->look_at < sync->race_look)
		sync->race_look = call->look_at;
}

static bool is_held(const tl__call *call)
{
	return call->hold_ms > 0 && !call->greeting;
}

static void expect_again(tl__sync *sync, tl__call *call)
{
	expect(sync, call, is_held(call) ? TL__RACE_HELD_MS : TL__RACE_AGAIN_MS);
}

void tl__race_expect(tl__sync *sync, tl__call *call)
{
	if (call->fixed || call->unnamed || !tl__call_has_other(sync, call))
		call->look_at = UINT64_MAX;
	else
		expect(sync, call, is_held(call) ? TL__RACE_HELD_MS : TL__RACE_BESIDE_MS);
}

uint64_t tl__race_due(const tl__sync *sync)
{
	return sync->race_look;
}

/* --- whom ------------------------------------------------------------------------------------- */

static bool is_under_way(const tl__call *call)
{
	return call->exchange != 0 && call->done && !call->fixed && !call->unnamed && call->peer &&
	       !call->peer->removed;
}

static bool is_at(const tl__call *call, const tl_address *address)
{
	return strcmp(call->address.type, address->type) == 0 &&
	       strcmp(call->address.text, address->text) == 0;
}

static bool is_racing(const tl__call *call)
{
	return call->here != 0 || call->there != 0 || call->move_at != 0;
}

/* Another request that waits at the same address asks already: it speaks for all of them. */
static bool is_spoken_for(const tl__sync *sync, const tl__call *call)
{
	for (const tl__call *other = sync->call_list; other; other = other->next)
		if (other != call && other->peer == call->peer && is_racing(other) &&
			is_at(other, &call->address))
			return true;
	return false;
}

static tl__call *find(tl__sync *sync, uint64_t number)
{
	tl__call *call = sync->call_list;

	while (call && call->number != number)
		call = call->next;
	return call;
}

/* --- the end of it ---------------------------------------------------------------------------- */

void tl__race_end(tl__sync *sync, tl__call *call)
{
	uint64_t here = call->here, there = call->there;

	call->here = call->there = call->move_at = 0;
	if (here)
		tl__call_cancel(sync, here);
	if (there)
		tl__call_cancel(sync, there);
}

/* It goes to another address, and what comes of the one before is nobody's. */
static void move(tl__sync *sync, tl__call *call, const tl_address *to)
{
	tl__sync_action action = {.kind = TL__SYNC_CANCEL_SEND, .exchange = call->exchange};

	(void)tl__sync_act(sync, &action); /* without memory it ends by itself */
	tl__race_end(sync, call);
	tl__call_turn_to(sync, call, to);
}

static void note_silence(tl__sync *sync, tl__call *call, const tl_address *to)
{
	tl__peer_address *at = tl__call_address(call);

	if (!at)
		return;
	at->failures++;
	at->success = 0;
	snprintf(at->last_error, sizeof at->last_error,
		"no answer, while the peer answers at %s:%.100s", to->type, to->text);
	tl__log_about(sync->log, TL_LOG_INFO, "sync", tl__str_z(call->peer->text),
		"%s does not answer at %s:%s; what waits there goes by %s:%s", call->peer->text,
		call->address.type, call->address.text, to->type, to->text);
}

static void move_all(tl__sync *sync, tl__call *call)
{
	const tl__peer *peer = call->peer;
	tl_address from = call->address, to = call->other;

	note_silence(sync, call, &to);
	for (tl__call *at = sync->call_list; at; at = at->next)
		if (at->peer == peer && is_under_way(at) && is_at(at, &from))
			move(sync, at, &to);
}

/* --- what the probes say ---------------------------------------------------------------------- */

/* First words of either protocol: what they prove of this process and address. */
static bool take_answer(tl__sync *sync, tl__call *call, const tl__call_result *result)
{
	tl__peer *peer = call->peer;

	if (call->way->protocol == 1)
		return result->code == TL_OK &&
		       tl__hello_read(sync, peer, result->args, peer->epoch) == TL_OK;
	/* One that speaks tidelock's protocol alone says so. */
	if (!tl__peer_is_v0(peer))
		return result->code == TL_OK || result->code == TL_E_V0_NOT_SPOKEN;
	if (result->code != TL_OK)
		return false;
	peer->greeted = true;
	tl__peer_proven_at(sync, peer, &result->address);
	return true;
}

static void here_answered(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__call *call = find(sync, owner);

	(void)ud;
	if (!call || call->here == 0)
		return;
	call->here = 0;
	if (take_answer(sync, call, result)) {
		tl__race_end(sync, call);
		expect_again(sync, call);
	} else if (call->move_at != 0) {
		move_all(sync, call);
	}
}

static void there_answered(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__call *call = find(sync, owner);

	(void)ud;
	if (!call || call->there == 0)
		return;
	call->there = 0;
	if (!take_answer(sync, call, result))
		return; /* there is no other way: it waits here until the next look */
	call->other = result->address;
	if (call->here == 0) {
		move_all(sync, call);
		return;
	}
	expect(sync, call, TL__RACE_BESIDE_MS);
	call->move_at = call->look_at;
}

/* --- asking ----------------------------------------------------------------------------------- */

static tl__call *new_probe(tl__sync *sync, const tl__call *call, tl__call_done done)
{
	tl__call *probe = call->way->protocol == 1 ? tl__call_hello(sync, call->peer)
						   : sync->v0->greet(sync, call->peer);

	if (probe) {
		probe->done = done;
		probe->owner = call->number;
	}
	return probe;
}

/* At all others but this one, one after the other. */
static void ask_there(tl__sync *sync, tl__call *call)
{
	const tl__peer_address *at = tl__call_address(call);
	tl__call *probe = new_probe(sync, call, there_answered);

	if (!probe)
		return;
	memcpy(probe->tried, call->tried, sizeof probe->tried);
	probe->tried_count = call->tried_count;
	if (at)
		tl__call_leave_out(probe, at->number);
	call->there = probe->number;
	tl__call_start(sync, probe);
}

static void ask_here(tl__sync *sync, tl__call *call)
{
	tl__call *probe = new_probe(sync, call, here_answered);

	if (!probe)
		return;
	probe->fixed = true;
	probe->address = call->address;
	call->here = probe->number;
	tl__call_start(sync, probe);
}

/* The other one has answered, this one has had its time. */
static bool is_decided(const tl__sync *sync, const tl__call *call)
{
	return call->move_at != 0 && sync->now >= call->move_at;
}

static void look(tl__sync *sync, tl__call *call)
{
	if (is_decided(sync, call)) {
		move_all(sync, call);
		return;
	}
	expect_again(sync, call);
	if (call->move_at != 0 || is_spoken_for(sync, call) || !tl__call_has_other(sync, call))
		return;
	/* First words show by themselves whether anybody answers here. */
	if (call->here == 0 && !call->way->is_greeting(call))
		ask_here(sync, call);
	if (call->there == 0)
		ask_there(sync, call);
}

void tl__race_run(tl__sync *sync)
{
	if (sync->now < sync->race_look)
		return;
	sync->race_look = UINT64_MAX;
	for (tl__call *call = sync->call_list; call && !sync->stopping; call = call->next) {
		if (!is_under_way(call))
			continue;
		if (sync->now >= call->look_at)
			look(sync, call);
		else if (call->look_at < sync->race_look)
			sync->race_look = call->look_at;
	}
}
