/* Our watches: each peer that offers it holds a request of ours and answers when one of the
 * databases moves there; several, where one does not hold all that we have with it. */
#include "sync/out/session.h"

#include <stdlib.h>
#include <string.h>

uint8_t tl__watch_number(const tl__peer *peer, const tl__peer_watch *watch)
{
	return (uint8_t)(watch - peer->watches + 1);
}

/* --- which databases -------------------------------------------------------------------------- */

bool tl__watch_is_pulled(const tl__pair *pair)
{
	return pair->session && tl__session_pulls(pair->session);
}

bool tl__watch_is_wanted(const tl__pair *pair)
{
	return (pair->does & TL__PULLS) && !pair->options->paused &&
	       pair->options->on_commit != TL_OFF;
}

/* Its place is known, and no pull is about to move it. */
static bool is_eligible(const tl__pair *pair)
{
	return tl__watch_is_wanted(pair) && pair->has_seen && pair->attempts == 0 &&
	       !pair->stalled && !pair->watch_barred && !tl__watch_is_pulled(pair);
}

bool tl__watch_tells(const tl__pair *pair)
{
	return pair->watched || (pair->watch > 0 && is_eligible(pair) &&
					pair->peer->watches[pair->watch - 1].ingest != 0);
}

static bool is_usable(const tl__sync *sync, const tl__peer *peer)
{
	return peer->watch_offered && peer->status == TL__PEER_ACTIVE &&
	       peer->protocol == TL__PROTOCOL_V1 && tl__peer_has_way(sync, peer);
}

/* The first one with room takes in what belongs to none. */
static bool takes_in(const tl__peer *peer, const tl__peer_watch *watch)
{
	for (const tl__peer_watch *before = peer->watches; before < watch; before++)
		if (!before->full)
			return false;
	return !watch->full;
}

/* Something for this watch to name that none names. */
static bool any_left_out(const tl__peer *peer, const tl__peer_watch *watch)
{
	bool more = takes_in(peer, watch);

	if (!more && watch->hold_ms == 0)
		return false; /* it was never needed */
	return peer->unnamed[tl__watch_number(peer, watch)] > 0 || (more && peer->unnamed[0] > 0);
}

static bool all_full(const tl__peer *peer)
{
	for (size_t i = 0; i < TL__PEER_WATCHES; i++)
		if (!peer->watches[i].full)
			return false;
	return true;
}

/* --- counting --------------------------------------------------------------------------------- */

/* It counts among those that no watch names: under this number + 1; 0: it does not. */
static uint8_t unnamed_as(const tl__pair *pair)
{
	return !pair->watched && is_eligible(pair) ? (uint8_t)(pair->watch + 1) : 0;
}

/* A pull moves a place, so that the watch would have to be asked again behind it. */
static bool pulls(const tl__pair *pair)
{
	return tl__watch_is_pulled(pair) ||
	       (pair->wanted && pair->attempts == 0 && (pair->does & TL__PULLS) &&
		       !tl__pair_rests(pair));
}

void tl__watch_uncount(tl__pair *pair)
{
	if (pair->unnamed > 0)
		pair->peer->unnamed[pair->unnamed - 1]--;
	pair->peer->pulls -= pair->pulls;
	pair->unnamed = 0;
	pair->pulls = false;
}

void tl__watch_count(tl__pair *pair)
{
	tl__watch_uncount(pair);
	pair->unnamed = unnamed_as(pair);
	pair->pulls = pulls(pair);
	if (pair->unnamed > 0)
		pair->peer->unnamed[pair->unnamed - 1]++;
	pair->peer->pulls += pair->pulls;
}

bool tl__watch_counted(const tl__pair *pair)
{
	return pair->unnamed == unnamed_as(pair) && pair->pulls == pulls(pair);
}

/* --- asking ----------------------------------------------------------------------------------- */

static int compare_pairs(const void *a, const void *b)
{
	const tl__pair *const *x = a, *const *y = b;

	return memcmp((*x)->db->id.b, (*y)->db->id.b, TL_ID_BYTES);
}

/* Those of the keys that count there must still find room among the proofs. */
static bool fits_proofs(const tl__call *call, const tl__pair *pair)
{
	size_t more = pair->db->has_access;

	for (uint32_t mask = pair->key_mask; mask; mask &= mask - 1)
		more++;
	return call->key_count + more <= TL__V1_MAX_KEYS;
}

static void write_lines(tl__call *call, tl__pair **pairs, size_t count)
{
	tl__v1_line line = {.kind = TL__V1_LINE_WATCH, .has_id = true, .has_cursor = true};

	qsort(pairs, count, sizeof(void *), compare_pairs);
	for (size_t i = 0; i < count; i++) {
		line.id = pairs[i]->db->id;
		line.cursor = pairs[i]->seen;
		tl__v1_write_line(&call->body, &line);
	}
}

/* The one behind that which was named last; behind the last comes the first. */
static tl__pair *first_to_name(const tl__peer *peer)
{
	tl__pair *pair = peer->pairs;

	while (pair && !tl__id_equal(&pair->db->id, &peer->watched_last))
		pair = pair->next_of_peer;
	return pair && pair->next_of_peer ? pair->next_of_peer : peer->pairs;
}

static void name(tl__sync *sync, tl__peer *peer, tl__call *call, tl__pair *pair, uint8_t number)
{
	pair->watch = number;
	pair->watched = true;
	tl__pair_changed(sync, pair);
	peer->watched_last = pair->db->id;
	tl__call_prove(sync, call, pair->db, pair->key_mask);
}

/* What belongs to this watch or to none, all around: where there is no room for all, others have
 * their turn each time. */
static size_t name_pairs(tl__sync *sync, tl__peer *peer, tl__peer_watch *watch, tl__call *call,
	tl__pair **pairs, bool *left_out)
{
	tl__pair *first = first_to_name(peer), *pair = first;
	uint8_t number = tl__watch_number(peer, watch);
	size_t count = 0;

	*left_out = false;
	do {
		tl__pair *next = pair->next_of_peer ? pair->next_of_peer : peer->pairs;
		bool eligible = is_eligible(pair) && (pair->watch == number || pair->watch == 0);

		if (pair->watch == number) {
			pair->watch = 0;
			tl__pair_changed(sync, pair);
		}
		if (eligible && count < TL__V1_MAX_WATCH_LINES && fits_proofs(call, pair)) {
			pairs[count++] = pair;
			name(sync, peer, call, pair, number);
		} else {
			*left_out = *left_out || eligible;
		}
		pair = next;
	} while (pair != first);
	watch->full = *left_out || count == TL__V1_MAX_WATCH_LINES;
	return count;
}

/* The databases are named; NULL: none are. */
static tl__call *new_call(tl__sync *sync, tl__peer *peer, tl__peer_watch *watch)
{
	tl__pair *pairs[TL__V1_MAX_WATCH_LINES];
	tl__call *call = peer->pairs ? tl__call_new(sync, &tl__call_v1, peer) : NULL;
	tl__v1_watch args = {0};
	bool left_out;
	size_t count;

	if (!call)
		return NULL;
	count = name_pairs(sync, peer, watch, call, pairs, &left_out);
	/* There are more than fit all of them: others have their turn. */
	watch->held_ms = left_out && all_full(peer) && watch->hold_ms > TL__WATCH_MIN_HOLD_MS
				 ? TL__WATCH_MIN_HOLD_MS
				 : watch->hold_ms;
	args.hold_ms = call->hold_ms = watch->held_ms;
	call->method = TL__V1_WATCH;
	call->done = tl__watch_done;
	call->ud = peer;
	call->owner = call->number;
	tl__v1_write_watch(&call->args, &args);
	write_lines(call, pairs, count);
	if (count > 0 && tl__buf_status(&call->args) == TL_OK &&
		tl__buf_status(&call->body) == TL_OK)
		return call;
	tl__call_free(call);
	return NULL;
}

void tl__watch_unname(tl__sync *sync, tl__peer *peer, const tl__peer_watch *watch)
{
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (pair->watched && pair->watch == tl__watch_number(peer, watch)) {
			pair->watched = false;
			tl__pair_changed(sync, pair);
		}
}

static void ask(tl__sync *sync, tl__peer *peer, tl__peer_watch *watch)
{
	tl__call *call;

	if (watch->hold_ms == 0)
		watch->hold_ms = TL__WATCH_HOLD_MS;
	call = new_call(sync, peer, watch);
	watch->next_at = sync->now + TL__WATCH_AGAIN_MS; /* when there was no memory */
	if (!call) {
		tl__watch_unname(sync, peer, watch);
		return;
	}
	watch->call = call->number;
	watch->sent_at = sync->now;
	watch->waits_for = 0;
	tl__call_start(sync, call);
}

/* --- when ------------------------------------------------------------------------------------- */

/* When this is to be asked; UINT64_MAX: not, or it is being asked. */
static uint64_t due_of(const tl__sync *sync, const tl__peer *peer, const tl__peer_watch *watch)
{
	if (watch->ingest != 0 || !is_usable(sync, peer) || !any_left_out(peer, watch))
		return UINT64_MAX;
	if (watch->call != 0)
		return watch->sent_at + TL__WATCH_CHANGE_MS;
	if (peer->pulls > 0 && watch->waits_for != 0 &&
		watch->next_at < watch->waits_for + TL__WATCH_PULLS_MS)
		return watch->waits_for + TL__WATCH_PULLS_MS;
	return watch->next_at;
}

uint64_t tl__watch_due(const tl__sync *sync, const tl__peer *peer)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; peer->watch_offered && i < TL__PEER_WATCHES; i++) {
		uint64_t at = due_of(sync, peer, &peer->watches[i]);

		if (at < least)
			least = at;
	}
	return least;
}

static void end(tl__sync *sync, tl__peer *peer, tl__peer_watch *watch)
{
	if (watch->call != 0)
		tl__call_cancel(sync, watch->call);
	watch->call = 0;
	tl__watch_unname(sync, peer, watch);
}

static void run(tl__sync *sync, tl__peer *peer, tl__peer_watch *watch)
{
	if (watch->call == 0 && watch->waits_for == 0 && peer->pulls > 0)
		watch->waits_for = sync->now;
	if (due_of(sync, peer, watch) > sync->now)
		return;
	if (watch->call != 0)
		end(sync, peer, watch);
	ask(sync, peer, watch);
}

void tl__watch_run(tl__sync *sync)
{
	if (!sync->loaded || sync->stopping)
		return;
	for (tl__link *link = sync->changed_peers.first; link; link = link->next) {
		tl__peer *peer = tl__changed_peer(link);

		for (size_t i = 0; peer->watch_offered && i < TL__PEER_WATCHES; i++)
			run(sync, peer, &peer->watches[i]);
	}
}

void tl__watch_end(tl__sync *sync, tl__peer *peer)
{
	for (size_t i = 0; i < TL__PEER_WATCHES; i++) {
		end(sync, peer, &peer->watches[i]);
		peer->watches[i].next_at = sync->now + TL__WATCH_CHANGE_MS;
		peer->watches[i].full = false;
	}
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		pair->watch = 0;
	tl__peer_pairs_changed(sync, peer);
}

void tl__watch_sooner(tl__sync *sync, tl__peer *peer)
{
	for (size_t i = 0; i < TL__PEER_WATCHES; i++) {
		tl__peer_watch *watch = &peer->watches[i];

		if (watch->failures == 0 && watch->next_at > sync->now + TL__WATCH_CHANGE_MS)
			watch->next_at = sync->now + TL__WATCH_CHANGE_MS;
	}
	tl__peer_changed(sync, peer);
}

unsigned tl__watches_held(const tl__peer *peer)
{
	unsigned held = 0;

	for (size_t i = 0; i < TL__PEER_WATCHES; i++)
		held += peer->watches[i].call != 0;
	return held;
}

void tl__watches_end(tl__sync *sync)
{
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		tl__watch_end(sync, peer);
}
