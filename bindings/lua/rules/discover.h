/* Which databases peers offer that a node does not hold, asked now and then: for rules that
 * discover. The script thread's alone. */
#ifndef TL_LUA_DISCOVER_H
#define TL_LUA_DISCOVER_H

#include "rules/having.h"

#define TLUA_DISCOVERED_MAX 1000 /* databases of a peer that are fetched, in one process */

typedef struct tlua_offer {
	char peer[TL_KEY_TEXT_LEN + 1];
	tlua_things taken; /* `seen`: it is offered still */
	bool wanted, rests;
	uint32_t every_ms;
	uint64_t next_ms; /* when it is asked */
	tl_op *op;        /* while it is */
} tlua_offer;

typedef struct tlua_discover {
	tlua_offer *at;
	size_t count, cap;
	size_t asked; /* peers that are being asked */
} tlua_discover;

/* Around the peers that are to be asked from now on; all others are forgotten. */
void tlua_discover_begin(tlua_discover *discover);
/* `rests`: what is known of it stays, and it is not asked. false: no memory. */
bool tlua_discover_want(tlua_discover *discover, const char *peer, uint32_t every_ms, bool rests);
void tlua_discover_end(tlua_discover *discover);
/* It has just connected; NULL: all are asked soon. */
void tlua_discover_met(tlua_discover *discover, const char *peer);
/* NULL: nothing is asked of it. */
tlua_offer *tlua_discover_find(const tlua_discover *discover, const char *peer);

/* Takes answers that have come and asks those whose turn it is. `known` are all databases that the
 * node has, system ones too: what is offered of these is passed over. `full` is called when a peer
 * offers more than may be fetched. Whether something new is offered, or no longer; *due_ms becomes
 * the least of itself and when it is to be called again. */
bool tlua_discover_turn(tlua_discover *discover, tl_node *node, uint64_t now_ms, uint64_t *due_ms,
	bool (*known)(void *ud, const char *id), void (*full)(void *ud, const char *peer),
	void *ud);
void tlua_discover_clear(tlua_discover *discover);

#endif
