/* Ordered rows with versions: a copy-on-write B-tree over byte keys, one root a table.
 *
 * An edit never touches what was there before it: it copies the nodes on its way, so giving up is
 * forgetting, and whoever holds an older root reads on without locks. A block (node or row) carries
 * the version that made it and is retired by the version that dropped it; it may be freed once no
 * reader holds a version from [made, dropped). */
#ifndef TL_STORE_ROWS_H
#define TL_STORE_ROWS_H

#include <stdbool.h>
#include <tidelock/types.h>

typedef struct tl__block {
	uint64_t version; /* that made it */
	struct tl__block *prev, *next;
	size_t wipe; /* bytes to zero before release: rows that hold secrets */
} tl__block;

/* Blocks in a ring; an empty list points at itself. */
typedef struct tl__block_list {
	tl__block head;
} tl__block_list;

void tl__blocks_init(tl__block_list *list);
/* Moves the blocks made by `version` or earlier from one list to the other. */
void tl__blocks_move(tl__block_list *to, tl__block_list *from, uint64_t version);
void tl__blocks_free(tl__block_list *list);

typedef struct tl__row {
	tl__block block;
	size_t key_len;
	size_t value_len;
	char data[]; /* key, then value */
} tl__row;

static inline tl_str tl__row_key(const tl__row *row)
{
	return (tl_str){row->data, row->key_len};
}

static inline tl_str tl__row_value(const tl__row *row)
{
	return (tl_str){row->data + row->key_len, row->value_len};
}

typedef struct tl__rows tl__rows; /* root of a table; NULL is an empty one */

typedef struct tl__rows_edit {
	uint64_t version;
	tl__block_list made;
	tl__block_list retired;
} tl__rows_edit;

void tl__rows_edit_init(tl__rows_edit *edit, uint64_t version);
/* Gives up: releases what the edit made; the roots from before stay good. */
void tl__rows_edit_undo(tl__rows_edit *edit);

/* A row of this edit with room for a value, not in any table yet; NULL with the last error set. */
tl__row *tl__row_new(tl__rows_edit *edit, tl_str key, size_t value_len);
/* Puts a row of this edit into the table, in place of the one with its key. After an error the edit
 * can only be undone. */
int tl__rows_put(tl__rows_edit *edit, tl__rows **root, tl__row *row) TL_MUST_USE;
/* Takes a key out if it is there. After an error the edit can only be undone. */
int tl__rows_remove(tl__rows_edit *edit, tl__rows **root, tl_str key) TL_MUST_USE;

const tl__row *tl__rows_get(const tl__rows *root, tl_str key);

#define TL__ROWS_MAX_DEPTH 20

/* A walk upwards. Valid as long as the root is held. */
typedef struct tl__rows_walk {
	const tl__rows *nodes[TL__ROWS_MAX_DEPTH];
	unsigned at[TL__ROWS_MAX_DEPTH];
	unsigned depth;
	tl_str prefix;
} tl__rows_walk;

/* Starts at the first row whose key is at least `from` (borrowed only now); the walk ends at the
 * first key without `prefix`, which stays borrowed. */
void tl__rows_seek(tl__rows_walk *walk, const tl__rows *root, tl_str from, tl_str prefix);
const tl__row *tl__rows_next(tl__rows_walk *walk); /* NULL at the end */

/* Releases a whole table. Nobody may hold any version of it. */
void tl__rows_free(tl__rows *root);

#endif
