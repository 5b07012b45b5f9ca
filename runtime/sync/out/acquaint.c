/* A peer of ours is asked for a sign: one that is known by key alone, whose handshake says whether
 * it is tidelock, and one that could not be reached. */
#include "sync/out/outbound.h"

/* Whose answer this is; NULL: the peer is gone. */
static tl__peer *take(tl__sync *sync, uint64_t number)
{
	tl__peer *peer = sync->peers;

	while (peer && peer->check != number)
		peer = peer->next;
	if (!peer)
		return NULL;
	peer->check = 0;
	tl__peer_changed(sync, peer);
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
	tl__peer *peer = take(sync, owner);

	(void)ud;
	if (!peer)
		return;
	if (result->code == TL_OK && tl__hello_read(sync, peer, result->args, peer->epoch) == TL_OK)
		known(sync, peer, TL__PROTOCOL_V1, &result->address);
	else
		failed(sync, peer, result);
}

/* Without a call memory was short: it is tried again with the next tick, or when it is due. */
static void start(tl__sync *sync, tl__peer *peer, tl__call *call, tl__call_done done)
{
	if (!call)
		return;
	call->done = done;
	call->owner = peer->check = call->number;
	tl__peer_changed(sync, peer);
	tl__call_start(sync, call);
}

static void say_hello(tl__sync *sync, tl__peer *peer, const tl_address *address)
{
	tl__call *call = tl__call_hello(sync, peer);

	if (call) {
		call->fixed = true;
		call->address = *address;
	}
	start(sync, peer, call, hello_done);
}

static void greeted(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = take(sync, owner);
	bool tidelock = result->code == TL_E_V0_NOT_SPOKEN || result->tidelock;

	(void)ud;
	if (!peer)
		return;
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
	start(sync, peer, tl__call_greet(sync, peer), sync->v0 ? greeted : hello_done);
}

/* When it comes, waits are over. */
static void checked(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = take(sync, owner);

	(void)ud;
	if (peer && result->code == TL_OK)
		tl__peer_wake(sync, peer);
}

void tl__peer_check(tl__sync *sync, tl__peer *peer)
{
	bool v0 = tl__peer_is_v0(peer);

	if (peer->protocol == TL__PROTOCOL_UNKNOWN || peer->check != 0 ||
		!tl__peer_has_way(sync, peer))
		return;
	start(sync, peer, v0 ? tl__call_greet(sync, peer) : tl__call_hello(sync, peer), checked);
}
