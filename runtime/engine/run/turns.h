/* Whose turn it is. Those of one party wait in a line, one behind the other, and parties take
 * turns: the node itself first, then peers, then strangers, who get one turn of theirs in so many
 * of peers. So whoever brings much waits for himself alone. While peers come strangers have a part
 * of the time at most: else the thread would never be at rest when a peer comes. Needs no memory,
 * so nothing can fail. Not thread-safe. */
#ifndef TL_ENGINE_TURNS_H
#define TL_ENGINE_TURNS_H

#include <stdbool.h>
#include "work/party.h"

#define TL__TURNS_OF_PEERS 8 /* between two of strangers */
#define TL__TURNS_BUCKETS  256
#define TL__TURNS_REST     3       /* so many times as long as a stranger's turn took … */
#define TL__TURNS_PEERS_US 1000000 /* … for so long behind the last one of a peer */

/* Part of what waits. */
typedef struct tl__turn tl__turn;
struct tl__turn {
	tl__party party;
	/* private */
	tl__turn *behind; /* in the line of its party */
	tl__turn *last;   /* of that line; at its first only, as the next three */
	tl__turn *later;  /* first of the line whose turn is next */
	tl__turn *earlier;
	tl__turn *beside; /* first of another line, in the same bucket */
};

typedef struct tl__turns {
	struct {
		tl__turn *first, *last;
	} ranks[TL__PARTY_RANKS];
	tl__turn *buckets[TL__TURNS_BUCKETS]; /* lines by party */
	uint64_t seed[2];
	unsigned of_peers;                /* turns since the last one of strangers */
	uint64_t peers_until, rest_until; /* us */
	bool resting;                     /* strangers, at present */
} tl__turns;

void tl__turns_init(tl__turns *turns);
/* Whether somebody of this party waits. */
bool tl__turns_waits(const tl__turns *turns, const tl__party *party);
void tl__turns_put(tl__turns *turns, tl__turn *turn);
/* Before the others of its party. */
void tl__turns_put_first(tl__turns *turns, tl__turn *turn);
/* Whether another party's turn would come before that of this one, if it waited from now on. */
bool tl__turns_others(const tl__turns *turns, const tl__party *party);
/* What a turn took, in us of a clock that never goes back; `now` is behind it. */
void tl__turns_ran(tl__turns *turns, const tl__party *party, uint64_t now, uint64_t took);
/* Whether strangers rest now, for tl__turns_take; until when, where none but them waits, else 0. */
uint64_t tl__turns_rest(tl__turns *turns, uint64_t now);
/* Whose turn it is, NULL: nobody waits but strangers that rest. *next (NULL: none) is the first of
 * the same line now. */
tl__turn *tl__turns_take(tl__turns *turns, tl__turn **next);

#endif
