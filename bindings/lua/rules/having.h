/* What a node has that rules speak of: its peers and its databases, as they are called, and which
 * rules mean each. */
#ifndef TL_LUA_HAVING_H
#define TL_LUA_HAVING_H

#include <tidelock/node.h>
#include "rules/rules.h"

/* A peer or a database. */
typedef struct tlua_thing {
	char text[TL_ID_TEXT_LEN + 1]; /* key or id */
	char *name;                    /* NULL: none */
	uint8_t *said;                 /* by each rule, a tlua_said; NULL: not asked yet */
	bool seen, was_seen;           /* in the list that is read, in the one before */
} tlua_thing;

/* Ascending by their texts. */
typedef struct tlua_things {
	tlua_thing *at;
	size_t count, cap;
	bool changed; /* since somebody set this back: one came, went, or is called otherwise */
} tlua_things;

tlua_thing *tlua_things_find(const tlua_things *things, const char *text);
/* The one of this text, new where there was none; NULL: no memory. */
tlua_thing *tlua_things_put(tlua_things *things, const char *text);
void tlua_things_clear(tlua_things *things);
/* Rules are to be asked anew about all, or with `failed` about those of which one of the `rules`
 * said nothing. */
void tlua_things_unsay(tlua_things *things, bool failed, size_t rules);

/* Reads all peers, or all databases of the node: those that are gone leave the list, and what is
 * new or called otherwise is to be asked about. Names of databases that are there already are read
 * only with `names`. A code of the library. */
int tlua_read_peers(tl_node *node, tlua_things *peers);
int tlua_read_databases(tl_node *node, tlua_things *databases, bool names);
/* The name of one database, which is added where it is new. */
int tlua_read_database(tl_node *node, tlua_things *databases, const tl_id *id);

int tlua_no_memory(void); /* TL_E_NOMEM, with its sentence */
/* The full array with more room, and *cap; NULL: no memory, and it stays. */
void *tlua_larger(void *array, size_t *cap, size_t size);

/* Texts in a JSON array, and the member "id" of objects in it. */
int tlua_each_text(tl_str json, int (*visit)(void *ud, tl_str text), void *ud);

#endif
