/* How a spool looks inside: a node for each line that waits and each id that is waited for, edges
 * from a node to the lines waiting for it, and the texts one behind the other. Only for the files
 * spool*.c. */
#ifndef TL_TREE_SPOOL_IMPL_H
#define TL_TREE_SPOOL_IMPL_H

#include "v0/spool/spool.h"

#define TL__SPOOL_NONE  UINT32_MAX
#define TL__SPOOL_BLOCK 1024 /* items of a shelf allocated together: whole pages */

struct node {
	uint64_t offset; /* of its text among all texts */
	uint32_t len;    /* of its text; 0: named by a line, not met itself; NONE: out or unused */
	uint32_t waiter; /* the last line that came to wait for this one, or NONE */
	uint32_t edges;  /* those before it: number of an edge, or NONE */
	union {
		uint32_t missing; /* while it waits: parents that have to go out first */
		uint32_t next;    /* list of ready or of unused nodes */
	} is;
};

struct edge {
	uint32_t waiter;
	uint32_t next;
};

/* Items by number, in blocks: growing copies nothing, and a block goes when none of it is used. */
struct shelf {
	struct block {
		void *items; /* NULL: given up */
		uint32_t used;
	} * blocks;
	uint32_t block_count, block_cap;
	uint32_t item_size;
	uint32_t count;  /* numbers given out */
	uint32_t unused; /* of those taken back the first, or NONE */
};

struct tl__spool {
	tl_id db;
	size_t memory_limit;
	uint64_t max_bytes, added;
	char *directory;
	int (*held)(void *ud, const tl_id *db, const tl_id *ids, size_t count, bool *held);
	void *ud;
	struct shelf nodes, edges;
	struct shelf ids; /* of the nodes, by the same numbers */
	uint32_t *table;  /* node numbers by hash of the id */
	size_t table_cap, table_used;
	uint64_t seed[2];
	uint32_t ready_first, ready_last;
	uint32_t *ask; /* absent ids that nobody was asked about */
	uint32_t ask_count, ask_cap;
	int file;
	char **texts; /* blocks of TL__SPOOL_WRITE_BYTES; NULL: in the file, all after it are not */
	uint32_t text_first; /* the first in memory */
	uint32_t text_count, text_cap;
	uint64_t text_end;
	tl__spool_usage usage;
	bool finished, sealed, released;
	struct given {
		tl_str lines[TL__PAGE_MAX_ENTRIES];
		size_t count;
		char *text;
	} pages[2], *page; /* given out last, and the one before it */
	uint64_t page_offsets[TL__PAGE_MAX_ENTRIES];
};

static inline void *tl__shelf_at(const struct shelf *shelf, uint32_t number)
{
	return (char *)shelf->blocks[number / TL__SPOOL_BLOCK].items +
	       (size_t)(number % TL__SPOOL_BLOCK) * shelf->item_size;
}

static inline struct node *tl__spool_node(const tl__spool *spool, uint32_t number)
{
	return tl__shelf_at(&spool->nodes, number);
}

/* Not after tl__spool_seal. */
static inline tl_id *tl__spool_id(const tl__spool *spool, uint32_t number)
{
	return tl__shelf_at(&spool->ids, number);
}

/* --- spool_index.c: counts what it allocates in usage.index_bytes -------------------------- */

/* Makes an array of the spool larger. */
int tl__spool_grow(tl__spool *spool, void **array, uint32_t *cap, size_t size) TL_MUST_USE;
void tl__spool_index_init(tl__spool *spool);
void tl__spool_index_free(tl__spool *spool);
/* The node of an id, or TL__SPOOL_NONE. */
uint32_t tl__spool_find(const tl__spool *spool, const tl_id *id);
int tl__spool_new_node(tl__spool *spool, const tl_id *id, uint32_t *out) TL_MUST_USE;
void tl__spool_forget(tl__spool *spool, uint32_t number);
/* No id will be looked up, no node made: gives up ids and table, and from now on each block of
 * which everything is forgotten. */
void tl__spool_seal(tl__spool *spool);
/* `waiter` goes out after `parent`, unless that went out before. All parents of one waiter are
 * told before the next waiter's. */
int tl__spool_wait(tl__spool *spool, uint32_t waiter, const tl_id *parent) TL_MUST_USE;
/* Nobody waits for this one any more; whoever waits for nothing becomes ready. */
void tl__spool_release(tl__spool *spool, uint32_t number);
/* The same for all that was never sent; after tl__spool_seal. */
void tl__spool_release_absent(tl__spool *spool);
void tl__spool_make_ready(tl__spool *spool, uint32_t number);

/* --- spool_text.c ------------------------------------------------------------------------- */

/* Copies a text behind all others; *offset is its place. May write to the file. */
int tl__spool_keep(tl__spool *spool, tl_str text, uint64_t *offset) TL_MUST_USE;
/* `len` bytes of the texts from `offset` on, which were kept. */
int tl__spool_recall(const tl__spool *spool, uint64_t offset, size_t len, char *out) TL_MUST_USE;
/* No kept text is needed any more: the next one is the first again. */
void tl__spool_clear_texts(tl__spool *spool);
void tl__spool_free_texts(tl__spool *spool);

#endif
