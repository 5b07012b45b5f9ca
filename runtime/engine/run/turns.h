/* Whose turn it is. Those of one party wait in a line, one behind the other, and parties take
 * turns: the node itself first, then peers, then strangers, who get one turn of theirs in so many
 * of peers. So whoever brings much waits for himself alone. Needs no memory, so nothing can fail.
 * Not thread-safe. */
#ifndef TL_ENGINE_TURNS_H
#define TL_ENGINE_TURNS_H

#include <stdbool.h>
#include "work/party.h"

#define TL__TURNS_OF_PEERS 8 /* between two of strangers */
#define TL__TURNS_BUCKETS  256

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
	unsigned of_peers; /* turns since the last one of strangers */
} tl__turns;

void tl__turns_init(tl__turns *turns);
/* Whether somebody of this party waits. */
bool tl__turns_waits(const tl__turns *turns, const tl__party *party);
void tl__turns_put(tl__turns *turns, tl__turn *turn);
/* Before the others of its party. */
void tl__turns_put_first(tl__turns *turns, tl__turn *turn);
/* Whether another party's turn would come before that of this one, if it waited from now on. */
bool tl__turns_others(const tl__turns *turns, const tl__party *party);
/* Whose turn it is, NULL: nobody waits. *next (NULL: none) is the first of the same line now. */
tl__turn *tl__turns_take(tl__turns *turns, tl__turn **next);

#endif
