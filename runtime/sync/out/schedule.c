/* Who is due. A pair is dirty when its database's arrival number is above what the peer has
 * acknowledged: there is no queue. */
#include "sync/out/outbound.h"

#include <string.h>
#include "base/str.h"

static bool off(uint32_t option)
{
	return option == TL_NEVER;
}

void tl__schedule_timers(tl__sync *sync)
{
	sync->next_periodic =
		off(sync->options.periodic_ms) ? UINT64_MAX : sync->now + sync->options.periodic_ms;
	sync->next_check = off(sync->options.connection_check_ms)
				   ? UINT64_MAX
				   : sync->now + sync->options.connection_check_ms;
}

/* --- after an exchange ------------------------------------------------------------------------ */

/* Uniform in [1/2, 1] of min(2^n, retry_max) seconds. */
static uint64_t retry_delay(tl__sync *sync, uint32_t attempts)
{
	uint64_t longest = attempts < 20 ? (uint64_t)1000 << attempts : UINT32_MAX;

	if (longest > sync->options.retry_max_ms)
		longest = sync->options.retry_max_ms;
	return longest / 2 + tl__random_below(&sync->random, longest - longest / 2 + 1);
}

void tl__schedule_failed(tl__sync *sync, tl__pair *pair, int code, const char *error)
{
	uint32_t most = sync->options.max_attempts;

	if (pair->attempts == 0 || !tl__waiters_wait_for(sync, pair))
		pair->attempts++;
	pair->last_code = code;
	tl__text_copy(pair->last_error, sizeof pair->last_error, tl__str_z(error));
	pair->next_attempt = sync->now + retry_delay(sync, pair->attempts);
	pair->local_changed = true;
	pair->level = false;
	tl__sync_tell_failure(
		sync, TL_EVENT_SYNC_FAILED, &pair->peer->key, &pair->db->id, code, error);
	if (most != TL_NEVER && pair->attempts >= most && !pair->stalled) {
		pair->stalled = true;
		tl__sync_tell_failure(
			sync, TL_EVENT_SYNC_STALLED, &pair->peer->key, &pair->db->id, code, error);
	}
}

void tl__schedule_put_off(tl__sync *sync, tl__pair *pair, int code, const char *error)
{
	(void)sync;
	pair->wanted = true;
	pair->level = false;
	pair->last_code = code;
	tl__text_copy(pair->last_error, sizeof pair->last_error, tl__str_z(error));
	pair->local_changed = true;
}

void tl__schedule_succeeded(tl__sync *sync, tl__pair *pair)
{
	(void)sync;
	pair->attempts = 0;
	pair->stalled = false;
	pair->last_code = TL_OK;
	pair->last_error[0] = 0;
	pair->local_changed = true;
}

/* --- ticks ------------------------------------------------------------------------------------ */

/* One attempt for everybody, also for those who gave up. */
static void periodic(tl__sync *sync)
{
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		if (pair->peer->status != TL__PEER_ACTIVE)
			continue;
		pair->wanted = true;
		pair->from_sure = pair->from_sure || pair->gap;
		/* A 0.2.0 node that does not tell what it holds is not given all of it every time,
		 * nor one what it is only to be asked about. */
		if (!pair->untold && pair->confirm_by == 0)
			pair->offered = pair->ack;
		if (pair->stalled || pair->attempts > 0)
			pair->next_attempt = sync->now;
	}
}

/* Peers that could not be reached are asked for a sign of life; when it comes, waits are over. */
static void check_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = sync->peers;

	(void)ud;
	while (peer && peer->check != owner)
		peer = peer->next;
	if (!peer)
		return;
	peer->check = 0;
	if (result->code == TL_OK)
		tl__peer_wake(sync, peer);
}

static void check_peer(tl__sync *sync, tl__peer *peer)
{
	bool v1 = peer->protocol == TL__PROTOCOL_V1;
	tl__call *call;

	if (peer->protocol == TL__PROTOCOL_UNKNOWN || peer->check != 0 ||
		!tl__peer_has_way(sync, peer))
		return;
	call = tl__call_new(sync, v1 ? TL__CALL_V1 : TL__CALL_HANDSHAKE, peer);
	if (!call)
		return;
	call->method = TL__V1_HELLO;
	call->done = check_done;
	call->owner = peer->check = call->number;
	tl__call_start(sync, call);
}

/* Nobody tells when what was refused is allowed again. */
static void ask_again(const tl__sync *sync, tl__peer *peer)
{
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (pair->stalled && tl__sync_is_refusal(pair->last_code) &&
			sync->now - pair->tried >= TL__SYNC_REFUSED_PACE_MS) {
			pair->wanted = true;
			pair->next_attempt = sync->now;
		}
}

static void connection_check(tl__sync *sync)
{
	for (tl__peer *peer = sync->peers; peer; peer = peer->next) {
		if (peer->status != TL__PEER_ACTIVE || peer->exchanges > 0)
			continue;
		if (peer->state != TL__PEER_FAILED)
			ask_again(sync, peer);
		else if (peer->pairs)
			check_peer(sync, peer);
	}
}

static void ticks(tl__sync *sync)
{
	if (sync->now >= sync->next_periodic) {
		periodic(sync);
		sync->next_periodic = sync->now + sync->options.periodic_ms;
	}
	if (sync->now >= sync->next_check) {
		connection_check(sync);
		sync->next_check = sync->now + sync->options.connection_check_ms;
	}
}

/* --- who is due ------------------------------------------------------------------------------- */

static bool idle(const tl__sync *sync, const tl__pair *pair)
{
	return !pair->session && pair->ingesting == 0 && pair->peer->status == TL__PEER_ACTIVE &&
	       tl__peer_has_way(sync, pair->peer) &&
	       (pair->peer->protocol != TL__PROTOCOL_UNKNOWN || pair->peer->check == 0);
}

/* When a commit may go out. */
static uint64_t free_at(const tl__pair *pair)
{
	uint64_t at =
		pair->pulling_until > pair->not_before ? pair->pulling_until : pair->not_before;

	if (pair->held > 0)
		return UINT64_MAX; /* its watch is told */
	return pair->told_until > at ? pair->told_until : at;
}

/* When this pair wants an exchange; UINT64_MAX: it does not. */
static uint64_t due(const tl__sync *sync, const tl__pair *pair)
{
	uint64_t at = UINT64_MAX;

	if (!idle(sync, pair))
		return UINT64_MAX;
	if (pair->stalled && !pair->wanted)
		return UINT64_MAX;
	if (pair->wanted)
		at = pair->attempts > 0 ? pair->next_attempt : pair->pulling_until;
	else if (tl__pair_dirty(pair) && sync->options.on_commit)
		at = pair->attempts > 0 ? pair->next_attempt : free_at(pair);
	else if (pair->attempts > 0)
		at = pair->next_attempt;
	if (pair->attempts == 0 && pair->again_at > 0 && pair->again_at < at)
		at = pair->again_at;
	return at != UINT64_MAX && at < tl__pair_waits_until(pair) ? tl__pair_waits_until(pair)
								   : at;
}

uint64_t tl__schedule_due(const tl__sync *sync)
{
	uint64_t least =
		sync->next_periodic < sync->next_check ? sync->next_periodic : sync->next_check;

	if (!sync->loaded || sync->stopping)
		return UINT64_MAX;
	for (const tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		uint64_t at = due(sync, pair);

		/* A pair that is due and waits for a place is started when an exchange ends. */
		if (at < least && (at > sync->now || sync->session_count == 0))
			least = at;
	}
	return least;
}

/* A 0.2.0 node may lock itself up over two requests at once: its pairs take turns. */
static bool has_turn(const tl__sync *sync, const tl__pair *pair)
{
	if (pair->peer->protocol != TL__PROTOCOL_V0)
		return pair->peer->sessions < TL__SYNC_MAX_PEER_EXCHANGES;
	if (pair->peer->sessions > 0)
		return false;
	for (const tl__pair *p = pair->peer->pairs; p; p = p->next_of_peer)
		if (p->not_before < pair->not_before && due(sync, p) <= sync->now)
			return false;
	return true;
}

static void begin(tl__sync *sync, tl__pair *pair)
{
	if (pair->peer->protocol == TL__PROTOCOL_UNKNOWN)
		tl__acquaint(sync, pair->peer);
	else if (has_turn(sync, pair) && tl__session_start(sync, pair) != TL_OK)
		tl__schedule_failed(sync, pair, TL_E_NOMEM, "out of memory");
}

void tl__schedule_run(tl__sync *sync)
{
	if (!sync->loaded || sync->stopping)
		return;
	ticks(sync);
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		if (sync->session_count >= TL__SYNC_MAX_EXCHANGES)
			break;
		if (due(sync, pair) <= sync->now)
			begin(sync, pair);
	}
}
