/* Entries committed here a moment ago, most often the parents of the next one: what they are never
 * changes, so a commit on top of them reads none of it. Any thread. */
#ifndef TL_TREE_RECENT_H
#define TL_TREE_RECENT_H

#include "base/arena.h"
#include "tree/tree.h"

#define TL__RECENT_COUNT      64
#define TL__RECENT_MAX_STORES 16 /* of an entry that is kept */

int tl__recent_new(tl__recent **out) TL_MUST_USE;
void tl__recent_free(tl__recent *recent); /* NULL is fine */
/* Keeps one that was written; those are passed over that are void, carry `_settings` or much, or
 * find no memory. */
void tl__recent_note(tl__recent *recent, const tl_id *db, const tl__put_entry *put);
/* Whether these are all kept, and so in the DAG and good. */
bool tl__recent_has(tl__recent *recent, const tl_id *db, const tl_id *ids, size_t count);
/* A copy of one, in the arena; *found false when it is not kept. It has no bytes and no parents. */
int tl__recent_get(tl__recent *recent, const tl_id *db, const tl_id *id, tl__arena *arena,
	tl__put_entry *out, bool *found) TL_MUST_USE;

#endif
