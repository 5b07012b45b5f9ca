/* First contact with a peer that is known by key alone: the handshake says whether it is tidelock.
 */
#include "sync/out/outbound.h"

static tl__peer *find(tl__sync *sync, uint64_t number)
{
	tl__peer *peer = sync->peers;

	while (peer && (number == 0 || peer->check != number))
		peer = peer->next;
	return peer;
}

static void failed(tl__sync *sync, tl__peer *peer, const tl__call_result *result)
{
	tl__pair *pair = peer->pairs;

	tl__peer_failed(sync, peer, result->code, result->error);
	while (pair) {
		tl__pair *next = pair->next_of_peer;

		if (pair->wanted || pair->attempts > 0 || tl__pair_dirty(pair)) {
			pair->wanted = false;
			tl__schedule_failed(sync, pair, result->code, result->error);
			tl__waiters_session(sync, pair, result->code, result->error, NULL);
		}
		pair = next;
	}
}

static void known(
	tl__sync *sync, tl__peer *peer, tl__peer_protocol protocol, const tl_address *address)
{
	int at = tl__peer_address_at(peer, address);

	tl__peer_changed(sync, peer);
	peer->protocol = protocol;
	if (at >= 0)
		peer->addresses[at].proven = true;
	tl__peer_succeeded(sync, peer, address);
	tl__peer_save_local(sync, peer);
}

static void hello_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = find(sync, owner);

	(void)ud;
	if (!peer)
		return;
	peer->check = 0;
	tl__peer_changed(sync, peer);
	if (result->code == TL_OK && tl__hello_read(sync, peer, result->args, peer->epoch) == TL_OK)
		known(sync, peer, TL__PROTOCOL_V1, &result->address);
	else
		failed(sync, peer, result);
}

static void start(tl__sync *sync, tl__peer *peer, tl__call *call)
{
	call->owner = peer->check = call->number;
	tl__peer_changed(sync, peer);
	tl__call_start(sync, call);
}

static void say_hello(tl__sync *sync, tl__peer *peer, const tl_address *address)
{
	tl__call *call = tl__call_hello(sync, peer);

	if (!call)
		return;
	call->fixed = true;
	call->address = *address;
	call->done = hello_done;
	start(sync, peer, call);
}

static void greeted(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = find(sync, owner);
	bool tidelock = result->code == TL_E_V0_NOT_SPOKEN || result->tidelock;

	(void)ud;
	if (!peer)
		return;
	peer->check = 0;
	tl__peer_changed(sync, peer);
	if (tidelock) {
		say_hello(sync, peer, &result->address);
	} else if (result->code != TL_OK) {
		failed(sync, peer, result);
	} else {
		peer->greeted = true;
		known(sync, peer, TL__PROTOCOL_V0, &result->address);
	}
}

void tl__acquaint(tl__sync *sync, tl__peer *peer)
{
	tl__call *call = tl__call_greet(sync, peer);

	if (!call)
		return;
	call->done = sync->v0 ? greeted : hello_done;
	start(sync, peer, call);
}
