/* A history of a vector, and getting it into a store. */
#ifndef SPEC_VECTORS_HISTORY_H
#define SPEC_VECTORS_HISTORY_H

#include "check.h"
#include "tree/tree.h"

typedef struct member {
	tl_str name;
	tl_id id;
	tl_entry *entry;
	bool in_store;
	bool *parents;       /* main: by index of member */
	bool *store_parents; /* those that carry the store */
	uint64_t height, store_height;
} member;

typedef struct graph {
	check *c;
	const node *item;
	tl_str store_name;
	tl_id tree_id;
	member *members; /* parents first */
	size_t count;
	tl__store *store;
	tl__snapshot *s;
} graph;

/* False when the vector cannot be read (the case has failed then); free in every case. */
bool read_graph(graph *g, check *c, const node *item);
void free_graph(graph *g);
member *find_member(const graph *g, const tl_id *id);

/* Asks after each of several orders of arrival: g->s is a snapshot then. */
void with_orders(graph *g, void (*ask)(graph *g));

#endif
