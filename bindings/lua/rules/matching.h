/* Which relations follow from what the rules said of peers and databases. */
#ifndef TL_LUA_MATCHING_H
#define TL_LUA_MATCHING_H

#include "rules/discover.h"

#define TLUA_RELATIONS_MAX 10000

/* How a rule has a pair kept in step, shared by all its pairs. */
typedef struct tlua_shape {
	unsigned owners;
	tl_pair_options options; /* with the texts below */
	char rule[TL_PAIR_TEXT_BYTES + 1], reason[TL_PAIR_TEXT_BYTES + 1];
} tlua_shape;

typedef struct tlua_related {
	char peer[TL_KEY_TEXT_LEN + 1];
	tl_id db;
	tlua_shape *shape;
} tlua_related;

/* By peer, then database. */
typedef struct tlua_relations {
	tlua_related *at;
	size_t count, cap;
} tlua_relations;

void tlua_relations_clear(tlua_relations *relations);
bool tlua_relations_same(const tlua_relations *a, const tlua_relations *b);
size_t tlua_relations_paused(const tlua_relations *relations);

typedef struct tlua_matching {
	const tlua_rules *rules;
	const uint8_t *when; /* of each rule, a tlua_said; YES where it has none */
	tlua_shape **shapes; /* two of each rule, running and paused; NULL: not made yet */
	const tlua_things *peers, *databases;
	const tlua_discover *discover;
	const tlua_relations *had; /* what a pair keeps of which a rule said nothing */
} tlua_matching;

/* For each pair the first rule that means it. TL_E_TOO_LARGE, TL_E_NOMEM; *out is cleared then. */
int tlua_match(const tlua_matching *matching, tlua_relations *out);
void tlua_shape_release(tlua_shape *shape); /* NULL is fine */

#endif
