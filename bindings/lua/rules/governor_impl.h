/* What governor.c and asking.c share. */
#ifndef TL_LUA_GOVERNOR_IMPL_H
#define TL_LUA_GOVERNOR_IMPL_H

#include "clock.h"
#include "rules/noticed.h"
#include "rules/governor.h"

#define TLUA_EXHAUSTED 10 /* calls out of their budget until the rules are suspended */

struct tlua_governor {
	tl_node *node;
	tlua_governor_calls calls;
	tlua_noticed noticed;
	tlua_rules *rules; /* NULL: none were taken yet */
	uint8_t *when;     /* of each rule, a tlua_said */
	tlua_shape **shapes;
	tlua_things peers, databases, system;
	tlua_discover discover;
	tlua_relations had; /* as the core has them, unless `unsure` */
	bool unsure, troubled;
	bool whens; /* are to be asked */
	bool lost;  /* news were not read to their end */
	uint64_t minute_ms, retry_ms;
	uint64_t exhausted[TLUA_EXHAUSTED]; /* when, a ring */
	size_t exhausted_count;
	bool suspended;
	atomic_size_t shown_rules, shown_relations, shown_paused;
	atomic_ullong shown_touched;
};

/* Asks the rules about each of these that they were not asked about. */
int tlua_governor_ask_all(
	tlua_governor *governor, tlua_field field, tlua_things *things, bool listed);
int tlua_governor_ask_offers(tlua_governor *governor);
/* Each `when`, with the time and the facts; one that fails stays as it was. */
int tlua_governor_ask_whens(tlua_governor *governor);
/* Tells which peers are asked what they offer. */
int tlua_governor_want_offers(tlua_governor *governor);

#endif
