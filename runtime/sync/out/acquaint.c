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

static void handshake_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = find(sync, owner);
	tl__call *call;

	(void)ud;
	if (!peer)
		return;
	peer->check = 0;
	tl__peer_changed(sync, peer);
	if (result->code != TL_OK) {
		failed(sync, peer, result);
		return;
	}
	if (!result->tidelock) {
		peer->greeted = true;
		known(sync, peer, TL__PROTOCOL_V0, &result->address);
		return;
	}
	call = tl__call_new(sync, TL__CALL_V1, peer);
	if (!call)
		return;
	call->method = TL__V1_HELLO;
	call->fixed = true;
	call->address = result->address;
	call->done = hello_done;
	start(sync, peer, call);
}

void tl__acquaint(tl__sync *sync, tl__peer *peer)
{
	tl__call *call = tl__call_new(sync, TL__CALL_HANDSHAKE, peer);

	if (!call)
		return;
	call->done = handshake_done;
	start(sync, peer, call);
}
