/* When a pair tries again, and ticks: what makes exchanges wanted besides commits (due.c). */
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

	tl__pair_changed(sync, pair);
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
	tl__pair_changed(sync, pair);
	pair->wanted = true;
	pair->level = false;
	pair->last_code = code;
	tl__text_copy(pair->last_error, sizeof pair->last_error, tl__str_z(error));
	pair->local_changed = true;
}

void tl__schedule_succeeded(tl__sync *sync, tl__pair *pair)
{
	tl__pair_changed(sync, pair);
	pair->attempts = 0;
	pair->stalled = false;
	pair->last_code = TL_OK;
	pair->last_error[0] = 0;
	pair->local_changed = true;
}

/* --- ticks ------------------------------------------------------------------------------------ */

/* One attempt, also of those who gave up. */
static void tick(tl__sync *sync, tl__pair *pair)
{
	tl__pair_changed(sync, pair);
	pair->wanted = true;
	pair->from_sure = pair->from_sure || pair->gap;
	/* A 0.2.0 node that does not tell what it holds is not given all of it every time, nor one
	 * what it is only to be asked about. */
	if (!pair->untold && pair->confirm_by == 0)
		pair->offered = pair->ack;
	if (pair->stalled || pair->attempts > 0)
		pair->next_attempt = sync->now;
}

static void periodic(tl__sync *sync)
{
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next)
		if (pair->peer->status == TL__PEER_ACTIVE && pair->options->every_ms == 0)
			tick(sync, pair);
}

void tl__schedule_own_tick(tl__sync *sync, tl__pair *pair)
{
	if (pair->tick_at == 0 || pair->tick_at > sync->now)
		return;
	pair->tick_at = sync->now + pair->options->every_ms;
	tick(sync, pair);
}

/* Nobody tells when what was refused is allowed again. */
static void ask_again(tl__sync *sync, tl__peer *peer)
{
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (pair->stalled && tl__sync_is_refusal(pair->last_code) &&
			sync->now - pair->tried >= TL__SYNC_REFUSED_PACE_MS) {
			tl__pair_changed(sync, pair);
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
		else if (peer->pairs && peer->protocol != TL__PROTOCOL_UNKNOWN)
			tl__contact_peer(sync, peer);
	}
}

void tl__schedule_ticks(tl__sync *sync)
{
	if (!sync->loaded || sync->stopping)
		return;
	if (sync->now >= sync->next_periodic) {
		periodic(sync);
		sync->next_periodic = sync->now + sync->options.periodic_ms;
	}
	if (sync->now >= sync->next_check) {
		connection_check(sync);
		sync->next_check = sync->now + sync->options.connection_check_ms;
	}
}
