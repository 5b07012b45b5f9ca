/* How much passes in a second: a policy holds a peer, options hold a pair. It goes by pages: each
 * is a second's worth at most, and makes a debt that time pays. Until then nothing more is begun,
 * and whoever asks is told when to come. */
#include "sync/core/core.h"

/* NULL: nothing is kept of it. */
static tl__limits *limits_of(const tl__sync *sync, const tl_key *key)
{
	tl__peer *peer = tl__sync_find_peer(sync, key);

	return peer ? &peer->limits : tl__client_limits(sync, key);
}

/* What it owes is bytes: by a higher rate they are paid sooner. */
static void pay_faster(tl__limits *limits, uint64_t now, uint64_t rate)
{
	if (limits->owes_by == 0 || rate <= limits->owes_by)
		return;
	if (limits->free_at > now)
		limits->free_at = now + (limits->free_at - now) / (rate / limits->owes_by);
	limits->owes_by = rate;
}

/* Every request begins with `connect`; what is said later is about a database. */
void tl__rate_hold(
	tl__sync *sync, const tl_policy_question *question, const tl_policy_verdict *verdict)
{
	tl__limits *limits = question->peer ? limits_of(sync, question->peer) : NULL;

	if (!limits)
		return;
	pay_faster(limits, sync->now, verdict->rate);
	if (verdict->rate > 0 || question->kind == TL_POLICY_CONNECT)
		limits->rate = verdict->rate;
	if (verdict->page > 0 || question->kind == TL_POLICY_CONNECT)
		limits->page = verdict->page;
}

void tl__rates_forget(tl__sync *sync)
{
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		peer->limits = (tl__limits){0};
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next)
		pair->wait_until = 0;
	tl__clients_unlimited(sync);
}

static uint64_t least(uint64_t bytes, uint64_t limit)
{
	return limit > 0 && limit < bytes ? limit : bytes;
}

size_t tl__rate_page(const tl__sync *sync, const tl_key *key, const tl__pair *pair, size_t bytes)
{
	const tl__limits *limits = limits_of(sync, key);
	uint64_t page = pair ? least(bytes, pair->options->rate) : bytes;

	return (size_t)(limits ? least(least(page, limits->rate), limits->page) : page);
}

static uint64_t paid_at(uint64_t now, uint64_t free_at, uint64_t bytes, uint64_t rate)
{
	uint64_t since = free_at > now ? free_at : now;

	return rate > 0 ? since + bytes * 1000 / rate : free_at;
}

void tl__rate_spend(tl__sync *sync, const tl_key *key, tl__pair *pair, uint64_t bytes)
{
	tl__limits *limits = limits_of(sync, key);

	if (limits && limits->rate > 0) {
		limits->free_at = paid_at(sync->now, limits->free_at, bytes, limits->rate);
		limits->owes_by = limits->rate;
	}
	if (pair)
		pair->free_at = paid_at(sync->now, pair->free_at, bytes, pair->options->rate);
}

uint64_t tl__rate_free_at(const tl__sync *sync, const tl_key *key, const tl__pair *pair)
{
	const tl__limits *limits = limits_of(sync, key);
	uint64_t peer = limits && limits->rate > 0 ? limits->free_at : 0;
	uint64_t own = pair && pair->options->rate > 0 ? pair->free_at : 0;

	return peer > own ? peer : own;
}
