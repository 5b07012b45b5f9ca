#include "engine/run/turns.h"

#include <string.h>
#include "base/map.h"
#include "base/siphash.h"

void tl__turns_init(tl__turns *turns)
{
	tl__map seeded;

	memset(turns, 0, sizeof *turns);
	/* Names are chosen by strangers. */
	tl__map_init(&seeded);
	memcpy(turns->seed, seeded.seed, sizeof turns->seed);
	tl__map_free(&seeded);
}

/* --- lines by party --------------------------------------------------------------------------- */

static bool same_party(const tl__party *a, const tl__party *b)
{
	return a->rank == b->rank &&
	       (a->rank == TL__PARTY_SELF || memcmp(a->name, b->name, sizeof a->name) == 0);
}

static size_t bucket_of(const tl__turns *turns, const tl__party *party)
{
	size_t len = party->rank == TL__PARTY_SELF ? 0 : sizeof party->name;

	return (size_t)(tl__siphash(turns->seed, party->name, len) % TL__TURNS_BUCKETS);
}

static tl__turn *find_line(const tl__turns *turns, const tl__party *party)
{
	tl__turn *first = turns->buckets[bucket_of(turns, party)];

	while (first && !same_party(&first->party, party))
		first = first->beside;
	return first;
}

/* `now` NULL: the line has ended. */
static void replace_line(tl__turns *turns, tl__turn *before, tl__turn *now)
{
	tl__turn **at = &turns->buckets[bucket_of(turns, &before->party)];

	while (*at != before)
		at = &(*at)->beside;
	if (now)
		now->beside = before->beside;
	*at = now ? now : before->beside;
}

bool tl__turns_waits(const tl__turns *turns, const tl__party *party)
{
	return find_line(turns, party) != NULL;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void await_turn(tl__turns *turns, tl__turn *first)
{
	tl__party_rank rank = first->party.rank;

	first->later = NULL;
	first->earlier = turns->ranks[rank].last;
	if (turns->ranks[rank].last)
		turns->ranks[rank].last->later = first;
	else
		turns->ranks[rank].first = first;
	turns->ranks[rank].last = first;
}

void tl__turns_put(tl__turns *turns, tl__turn *turn)
{
	tl__turn *first = find_line(turns, &turn->party);
	size_t bucket;

	turn->behind = NULL;
	if (first) {
		first->last->behind = turn;
		first->last = turn;
		return;
	}
	turn->last = turn;
	bucket = bucket_of(turns, &turn->party);
	turn->beside = turns->buckets[bucket];
	turns->buckets[bucket] = turn;
	await_turn(turns, turn);
}

static void take_turn_of(tl__turns *turns, tl__turn *first, tl__turn *now)
{
	tl__party_rank rank = first->party.rank;

	now->later = first->later;
	now->earlier = first->earlier;
	*(first->earlier ? &first->earlier->later : &turns->ranks[rank].first) = now;
	*(first->later ? &first->later->earlier : &turns->ranks[rank].last) = now;
}

void tl__turns_put_first(tl__turns *turns, tl__turn *turn)
{
	tl__turn *first = find_line(turns, &turn->party);

	if (!first) {
		tl__turns_put(turns, turn);
		return;
	}
	turn->behind = first;
	turn->last = first->last;
	replace_line(turns, first, turn);
	take_turn_of(turns, first, turn);
}

static bool another_waits(const tl__turns *turns, tl__party_rank rank, const tl__party *party)
{
	const tl__turn *first = turns->ranks[rank].first;

	return first && (first->later || !same_party(&first->party, party));
}

static bool strangers_wait(const tl__turns *turns)
{
	return !turns->resting && turns->ranks[TL__PARTY_STRANGER].first;
}

bool tl__turns_others(const tl__turns *turns, const tl__party *party)
{
	for (int rank = TL__PARTY_SELF; rank <= (int)party->rank; rank++)
		if (another_waits(turns, (tl__party_rank)rank, party))
			return true;
	/* Of peers: strangers have waited for long. */
	return party->rank == TL__PARTY_PEER && turns->of_peers >= TL__TURNS_OF_PEERS &&
	       strangers_wait(turns);
}

void tl__turns_ran(tl__turns *turns, const tl__party *party, uint64_t now, uint64_t took)
{
	if (party->rank == TL__PARTY_PEER)
		turns->peers_until = now + TL__TURNS_PEERS_US;
	else if (party->rank == TL__PARTY_STRANGER)
		turns->rest_until = now + TL__TURNS_REST * took;
}

uint64_t tl__turns_rest(tl__turns *turns, uint64_t now)
{
	uint64_t until =
		turns->rest_until < turns->peers_until ? turns->rest_until : turns->peers_until;

	turns->resting = now < until;
	if (turns->resting && turns->ranks[TL__PARTY_STRANGER].first &&
		!turns->ranks[TL__PARTY_SELF].first && !turns->ranks[TL__PARTY_PEER].first)
		return until;
	return 0;
}

static tl__party_rank next_rank(tl__turns *turns)
{
	bool stranger = strangers_wait(turns);

	if (turns->ranks[TL__PARTY_SELF].first)
		return TL__PARTY_SELF;
	if (turns->ranks[TL__PARTY_PEER].first &&
		(!stranger || turns->of_peers < TL__TURNS_OF_PEERS)) {
		turns->of_peers += stranger;
		return TL__PARTY_PEER;
	}
	if (stranger)
		turns->of_peers = 0;
	return TL__PARTY_STRANGER;
}

tl__turn *tl__turns_take(tl__turns *turns, tl__turn **next)
{
	tl__party_rank rank = next_rank(turns);
	tl__turn *turn = turns->ranks[rank].first;

	*next = NULL;
	if (!turn || (rank == TL__PARTY_STRANGER && turns->resting))
		return NULL;
	turns->ranks[rank].first = turn->later;
	*(turn->later ? &turn->later->earlier : &turns->ranks[rank].last) = NULL;
	*next = turn->behind;
	replace_line(turns, turn, turn->behind);
	if (turn->behind) {
		turn->behind->last = turn->last;
		await_turn(turns, turn->behind);
	}
	return turn;
}
