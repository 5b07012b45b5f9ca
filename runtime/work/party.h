/* On whose behalf something is done: whoever has much to do takes turns between parties. */
#ifndef TL_TREE_PARTY_H
#define TL_TREE_PARTY_H

#include <stdint.h>
#include <tidelock/types.h>

typedef enum tl__party_rank {
	TL__PARTY_SELF = 0, /* the node itself */
	TL__PARTY_PEER,
	TL__PARTY_STRANGER,
	TL__PARTY_RANKS
} tl__party_rank;

typedef struct tl__party {
	tl__party_rank rank;
	/* Key of a peer or stranger, or the SHA-256 of where an unproven one comes from. */
	uint8_t name[TL_KEY_BYTES];
} tl__party;

#endif
