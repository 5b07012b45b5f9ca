/* How a spool looks inside: a node for each line that waits and each id that is waited for, edges
 * from a node to the lines waiting for it. Only for the files spool*.c. */
#ifndef TL_TREE_SPOOL_IMPL_H
#define TL_TREE_SPOOL_IMPL_H

#include "tree/spool.h"

#define TL__SPOOL_NONE UINT32_MAX

enum node_state {
	ABSENT, /* named by a line, not met itself */
	WAITING,
	READY,
	OUT,
	UNUSED
};

struct node {
	tl_id id;
	uint8_t state;
	bool in_file;
	uint32_t len;
	uint32_t missing; /* parents that have to go out first */
	uint32_t edges;   /* lines waiting for this one: first of edges[], or NONE */
	uint32_t next;    /* ready list or list of unused nodes */
	union {
		char *text;
		uint64_t offset;
	} at;
};

struct edge {
	uint32_t node;
	uint32_t next;
};

struct tl__spool {
	tl_id db;
	size_t memory_limit;
	uint64_t max_bytes, added;
	char *directory;
	int (*held)(void *ud, const tl_id *db, const tl_id *ids, size_t count, bool *held);
	void *ud;
	struct node *nodes;
	uint32_t node_count, node_cap, unused_node;
	struct edge *edges;
	uint32_t edge_count, edge_cap, unused_edge;
	uint32_t *table; /* node numbers by hash of the id */
	size_t table_cap, table_used;
	uint64_t seed[2];
	uint32_t ready_first, ready_last;
	uint32_t *ask; /* absent ids that nobody was asked about */
	size_t ask_count, ask_cap;
	int file;
	tl__spool_usage usage;
	bool finished, released;
	tl_str page[TL__PAGE_MAX_ENTRIES];
	size_t page_count;
};

/* The node of an id, or TL__SPOOL_NONE. */
uint32_t tl__spool_find(const tl__spool *spool, const tl_id *id);
int tl__spool_new_node(tl__spool *spool, const tl_id *id, uint32_t *out) TL_MUST_USE;
void tl__spool_forget(tl__spool *spool, uint32_t number);
/* `waiter` goes out after `parent`, unless that went out before. */
int tl__spool_wait(tl__spool *spool, uint32_t waiter, const tl_id *parent) TL_MUST_USE;
/* Nobody waits for this one any more; whoever waits for nothing becomes ready. */
void tl__spool_release(tl__spool *spool, uint32_t number);
void tl__spool_make_ready(tl__spool *spool, uint32_t number);

#endif
