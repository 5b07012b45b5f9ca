/* Kahn's order over a stream: nodes by id, and who waits for whom. */
#include <string.h>
#include "base/mem.h"
#include "base/siphash.h"
#include "tree/spool_impl.h"

static size_t home_of(const tl__spool *spool, const tl_id *id)
{
	return (size_t)tl__siphash(spool->seed, (const char *)id->b, TL_ID_BYTES) &
	       (spool->table_cap - 1);
}

/* Place of the id in the table, or the free place where it belongs. */
static size_t probe(const tl__spool *spool, const tl_id *id)
{
	size_t at = home_of(spool, id);

	while (spool->table[at] != TL__SPOOL_NONE &&
		memcmp(&spool->nodes[spool->table[at]].id, id, sizeof *id) != 0)
		at = (at + 1) & (spool->table_cap - 1);
	return at;
}

static int grow_table(tl__spool *spool)
{
	size_t cap = spool->table_cap ? spool->table_cap * 2 : 256;
	uint32_t *table = tl__alloc(cap * sizeof *table), *old = spool->table;
	size_t old_cap = spool->table_cap;

	if (!table)
		return TL_E_NOMEM;
	memset(table, 0xff, cap * sizeof *table);
	spool->table = table;
	spool->table_cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i] != TL__SPOOL_NONE)
			table[probe(spool, &spool->nodes[old[i]].id)] = old[i];
	tl__free(old);
	return TL_OK;
}

uint32_t tl__spool_find(const tl__spool *spool, const tl_id *id)
{
	return spool->table_cap ? spool->table[probe(spool, id)] : TL__SPOOL_NONE;
}

static int grow_array(void **array, uint32_t *cap, size_t size)
{
	uint32_t bigger = *cap ? *cap * 2 : 64;
	void *moved = bigger > *cap ? tl__resize(*array, bigger, size) : NULL;

	if (!moved)
		return TL_E_NOMEM;
	*array = moved;
	*cap = bigger;
	return TL_OK;
}

int tl__spool_new_node(tl__spool *spool, const tl_id *id, uint32_t *out)
{
	uint32_t number = spool->unused_node;
	void *array = spool->nodes;

	if ((spool->table_used + 1) * 4 > spool->table_cap * 3 && grow_table(spool) != TL_OK)
		return TL_E_NOMEM;
	if (number != TL__SPOOL_NONE) {
		spool->unused_node = spool->nodes[number].next;
	} else {
		if (spool->node_count == spool->node_cap &&
			grow_array(&array, &spool->node_cap, sizeof *spool->nodes) != TL_OK)
			return TL_E_NOMEM;
		spool->nodes = array;
		number = spool->node_count++;
	}
	spool->nodes[number] =
		(struct node){.id = *id, .edges = TL__SPOOL_NONE, .next = TL__SPOOL_NONE};
	spool->table[probe(spool, id)] = number;
	spool->table_used++;
	*out = number;
	return TL_OK;
}

/* Leaves no gap: what probing went past the freed place moves up. */
void tl__spool_forget(tl__spool *spool, uint32_t number)
{
	size_t mask = spool->table_cap - 1, hole = probe(spool, &spool->nodes[number].id);

	for (size_t at = (hole + 1) & mask; spool->table[at] != TL__SPOOL_NONE;
		at = (at + 1) & mask) {
		size_t home = home_of(spool, &spool->nodes[spool->table[at]].id);

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			spool->table[hole] = spool->table[at];
			hole = at;
		}
	}
	spool->table[hole] = TL__SPOOL_NONE;
	spool->table_used--;
	spool->nodes[number].state = UNUSED;
	spool->nodes[number].next = spool->unused_node;
	spool->unused_node = number;
}

/* --- waiting ------------------------------------------------------------------------------------
 */

void tl__spool_make_ready(tl__spool *spool, uint32_t number)
{
	spool->nodes[number].state = READY;
	spool->nodes[number].next = TL__SPOOL_NONE;
	if (spool->ready_last == TL__SPOOL_NONE)
		spool->ready_first = number;
	else
		spool->nodes[spool->ready_last].next = number;
	spool->ready_last = number;
}

void tl__spool_release(tl__spool *spool, uint32_t number)
{
	uint32_t at = spool->nodes[number].edges, next;

	for (; at != TL__SPOOL_NONE; at = next) {
		uint32_t waiter = spool->edges[at].node;

		next = spool->edges[at].next;
		spool->edges[at].next = spool->unused_edge;
		spool->unused_edge = at;
		if (--spool->nodes[waiter].missing == 0)
			tl__spool_make_ready(spool, waiter);
	}
	spool->nodes[number].edges = TL__SPOOL_NONE;
}

static int add_edge(tl__spool *spool, uint32_t from, uint32_t waiter)
{
	uint32_t number = spool->unused_edge;
	void *array = spool->edges;

	if (number != TL__SPOOL_NONE) {
		spool->unused_edge = spool->edges[number].next;
	} else {
		if (spool->edge_count == spool->edge_cap &&
			grow_array(&array, &spool->edge_cap, sizeof *spool->edges) != TL_OK)
			return TL_E_NOMEM;
		spool->edges = array;
		number = spool->edge_count++;
	}
	spool->edges[number] = (struct edge){waiter, spool->nodes[from].edges};
	spool->nodes[from].edges = number;
	spool->nodes[waiter].missing++;
	return TL_OK;
}

static int ask_about(tl__spool *spool, uint32_t number)
{
	uint32_t cap = (uint32_t)spool->ask_cap;
	void *array = spool->ask;

	if (spool->ask_count == spool->ask_cap) {
		if (grow_array(&array, &cap, sizeof *spool->ask) != TL_OK)
			return TL_E_NOMEM;
		spool->ask = array;
		spool->ask_cap = cap;
	}
	spool->ask[spool->ask_count++] = number;
	return TL_OK;
}

int tl__spool_wait(tl__spool *spool, uint32_t waiter, const tl_id *parent)
{
	uint32_t number = tl__spool_find(spool, parent);
	int code = TL_OK;

	if (number != TL__SPOOL_NONE && spool->nodes[number].state == OUT)
		return TL_OK;
	if (number == TL__SPOOL_NONE) {
		code = tl__spool_new_node(spool, parent, &number);
		if (code == TL_OK && spool->held)
			code = ask_about(spool, number);
	}
	return code == TL_OK ? add_edge(spool, number, waiter) : code;
}
