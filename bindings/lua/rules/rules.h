/* The rules of a file: what they say, and whom they mean. Knows no node: whoever has one tells what
 * it asks about (having.h) and carries out what follows. */
#ifndef TL_LUA_RULES_H
#define TL_LUA_RULES_H

#include <tidelock/ext.h>
#include "script/cell.h"

#define TLUA_RULES_MAX 1000

typedef struct tlua_rule {
	char name[TL_PAIR_TEXT_BYTES + 1];
	char where[TLUA_WHERE_MAX]; /* "rules.lua:7"; "" where it is not known */
	tl_direction direction;
	uint32_t every_ms; /* 0: as the node's */
	uint64_t rate;
	bool on_commit, discover;
	bool has_when;
	int priority;
} tlua_rule;

typedef struct tlua_rules tlua_rules;

/* Loads the rules of a file: the options' profile is set here. *out is the caller's, NULL unless
 * TLUA_FINE. As tlua_cell_open. */
tlua_end tlua_rules_open(const tlua_cell_options *options, tlua_rules **out, tlua_failure *why);
void tlua_rules_close(tlua_rules *rules); /* NULL is fine */
size_t tlua_rules_count(const tlua_rules *rules);
const tlua_rule *tlua_rules_at(const tlua_rules *rules, size_t index);

typedef enum tlua_said {
	TLUA_SAID_NO,
	TLUA_SAID_YES,
	TLUA_SAID_NOTHING /* it failed, or was not asked */
} tlua_said;

typedef enum tlua_field { TLUA_PEERS, TLUA_DATABASES } tlua_field;

/* A peer or a database, for a rule. */
typedef struct tlua_asked {
	const char *text; /* key or id */
	const char *name; /* NULL: it has none, or none is known */
	bool listed;      /* a database that a peer offers and the node does not hold */
} tlua_asked;

/* Which rules mean it, into said[count]. Called for each call of the cell, with its failure or
 * NULL. */
typedef void (*tlua_called)(void *ud, tlua_cell *cell, const tlua_failure *why);
void tlua_rules_ask(tlua_rules *rules, tlua_field field, const tlua_asked *asked, uint8_t *said,
	tlua_called called, void *ud);

/* What `when` looks at. */
typedef struct tlua_moment {
	int hour, minute;  /* of the local time */
	int weekday;       /* 1 is Monday */
	int64_t now;       /* seconds since 1970 */
	const char *facts; /* JSON object */
} tlua_moment;

/* Whether the pairs of a rule that has a `when` are kept in step now. */
tlua_said tlua_rules_when(
	tlua_rules *rules, size_t index, const tlua_moment *moment, tlua_called called, void *ud);

#endif
