/* The rules of a node at work: what it has is read, the rules are asked, and what follows is one
 * set of relations, tag `rules`. The script thread's alone, but for what is said. */
#ifndef TL_LUA_GOVERNOR_H
#define TL_LUA_GOVERNOR_H

#include <stdatomic.h>
#include "rules/matching.h"

typedef struct tlua_governor tlua_governor;

typedef struct tlua_governor_calls {
	/* Something is to be done. Any thread. */
	void (*wake)(void *ud);
	/* A call of the rules' cell has ended, with this failure or NULL. */
	void (*called)(void *ud, tlua_cell *cell, const tlua_failure *why);
	/* What keeps the relations from being as the rules say; NULL: nothing does any more. */
	void (*trouble)(void *ud, const char *text);
	/* They ran out of their budget too often: all stays as it is until others are taken. */
	void (*suspended)(void *ud);
	void (*log)(void *ud, tl_log_level level, const char *text);
	void *ud;
} tlua_governor_calls;

/* *out is the caller's. A code of the library. */
int tlua_governor_new(tl_node *node, const tlua_governor_calls *calls, tlua_governor **out);
/* Puts these rules in place of those that are there, and takes them over in any case. On an error
 * the old ones stay, with their relations. */
int tlua_governor_take(tlua_governor *governor, tlua_rules *rules);
/* Does what is due by now; when something is again. */
uint64_t tlua_governor_turn(tlua_governor *governor, uint64_t now_ms);
/* Takes the relations away. */
int tlua_governor_leave(tlua_governor *governor);
/* Leaves the relations as they are. NULL is fine. */
void tlua_governor_free(tlua_governor *governor);

/* Any thread. */
typedef struct tlua_governor_shown {
	size_t rules, relations, paused;
	uint64_t touched; /* relations that the last change touched */
} tlua_governor_shown;
tlua_governor_shown tlua_governor_show(tlua_governor *governor);

#endif
