/* Kahn's order over a stream: nodes by id, and who waits for whom. */
#include <string.h>
#include "base/mem.h"
#include "base/siphash.h"
#include "v0/spool/spool_impl.h"

/* --- shelves ---------------------------------------------------------------------------------- */

int tl__spool_grow(tl__spool *spool, void **array, uint32_t *cap, size_t size)
{
	uint32_t bigger = *cap ? *cap * 2 : 16;
	void *moved = bigger > *cap ? tl__resize(*array, bigger, size) : NULL;

	if (!moved)
		return TL_E_NOMEM;
	spool->usage.index_bytes += (bigger - *cap) * size;
	*array = moved;
	*cap = bigger;
	return TL_OK;
}

static size_t block_bytes(const struct shelf *shelf)
{
	return (size_t)TL__SPOOL_BLOCK * shelf->item_size;
}

static int add_block(tl__spool *spool, struct shelf *shelf)
{
	void *array = shelf->blocks, *items;

	if (shelf->block_count == shelf->block_cap) {
		if (tl__spool_grow(spool, &array, &shelf->block_cap, sizeof *shelf->blocks) !=
			TL_OK)
			return TL_E_NOMEM;
		shelf->blocks = array;
	}
	items = tl__pages_alloc(block_bytes(shelf));
	if (!items)
		return TL_E_NOMEM;
	shelf->blocks[shelf->block_count++] = (struct block){items, 0};
	spool->usage.index_bytes += block_bytes(shelf);
	return TL_OK;
}

static void drop_block(tl__spool *spool, struct shelf *shelf, uint32_t number)
{
	struct block *block = &shelf->blocks[number];

	if (block->items)
		spool->usage.index_bytes -= block_bytes(shelf);
	tl__pages_free(block->items, block_bytes(shelf));
	block->items = NULL;
}

static void drop_shelf(tl__spool *spool, struct shelf *shelf)
{
	for (uint32_t i = 0; i < shelf->block_count; i++)
		drop_block(spool, shelf, i);
	spool->usage.index_bytes -= shelf->block_cap * sizeof *shelf->blocks;
	tl__free(shelf->blocks);
	shelf->blocks = NULL;
	shelf->block_count = shelf->block_cap = 0;
}

/* An item's number: one that was taken back, else a new one. */
static int take(tl__spool *spool, struct shelf *shelf, uint32_t *out)
{
	*out = shelf->unused;
	if (*out != TL__SPOOL_NONE) {
		memcpy(&shelf->unused, tl__shelf_at(shelf, *out), sizeof shelf->unused);
	} else {
		if (shelf->count == TL__SPOOL_NONE)
			return TL_E_NOMEM;
		if (shelf->count / TL__SPOOL_BLOCK == shelf->block_count &&
			add_block(spool, shelf) != TL_OK)
			return TL_E_NOMEM;
		*out = shelf->count++;
	}
	shelf->blocks[*out / TL__SPOOL_BLOCK].used++;
	return TL_OK;
}

/* Its first bytes then link it to other unused ones. */
static void take_back(tl__spool *spool, struct shelf *shelf, uint32_t number)
{
	memcpy(tl__shelf_at(shelf, number), &shelf->unused, sizeof shelf->unused);
	shelf->unused = number;
	if (--shelf->blocks[number / TL__SPOOL_BLOCK].used == 0 && spool->sealed)
		drop_block(spool, shelf, number / TL__SPOOL_BLOCK);
}

/* --- the table -------------------------------------------------------------------------------- */

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
		!tl__id_equal(tl__spool_id(spool, spool->table[at]), id))
		at = (at + 1) & (spool->table_cap - 1);
	return at;
}

static int grow_table(tl__spool *spool)
{
	size_t cap = spool->table_cap ? spool->table_cap * 2 : 1024;
	uint32_t *table = tl__pages_alloc(cap * sizeof *table), *old = spool->table;
	size_t old_cap = spool->table_cap;

	if (!table)
		return TL_E_NOMEM;
	memset(table, 0xff, cap * sizeof *table);
	spool->usage.index_bytes += (cap - old_cap) * sizeof *table;
	spool->table = table;
	spool->table_cap = cap;
	for (size_t i = 0; i < old_cap; i++)
		if (old[i] != TL__SPOOL_NONE)
			table[probe(spool, tl__spool_id(spool, old[i]))] = old[i];
	tl__pages_free(old, old_cap * sizeof *old);
	return TL_OK;
}

/* Leaves no gap: what probing went past the freed place moves up. */
static void remove_from_table(tl__spool *spool, const tl_id *id)
{
	size_t mask = spool->table_cap - 1, hole = probe(spool, id);

	for (size_t at = (hole + 1) & mask; spool->table[at] != TL__SPOOL_NONE;
		at = (at + 1) & mask) {
		size_t home = home_of(spool, tl__spool_id(spool, spool->table[at]));

		if (((at - home) & mask) >= ((at - hole) & mask)) {
			spool->table[hole] = spool->table[at];
			hole = at;
		}
	}
	spool->table[hole] = TL__SPOOL_NONE;
	spool->table_used--;
}

static void drop_table(tl__spool *spool)
{
	spool->usage.index_bytes -= spool->table_cap * sizeof *spool->table;
	tl__pages_free(spool->table, spool->table_cap * sizeof *spool->table);
	spool->table = NULL;
	spool->table_cap = spool->table_used = 0;
}

/* --- nodes ------------------------------------------------------------------------------------ */

uint32_t tl__spool_find(const tl__spool *spool, const tl_id *id)
{
	return spool->table_cap ? spool->table[probe(spool, id)] : TL__SPOOL_NONE;
}

int tl__spool_new_node(tl__spool *spool, const tl_id *id, uint32_t *out)
{
	uint32_t number;

	if ((spool->table_used + 1) * 4 > spool->table_cap * 3 && grow_table(spool) != TL_OK)
		return TL_E_NOMEM;
	if (take(spool, &spool->nodes, &number) != TL_OK)
		return TL_E_NOMEM;
	if (number / TL__SPOOL_BLOCK == spool->ids.block_count &&
		add_block(spool, &spool->ids) != TL_OK) {
		take_back(spool, &spool->nodes, number);
		return TL_E_NOMEM;
	}
	*tl__spool_node(spool, number) =
		(struct node){.waiter = TL__SPOOL_NONE, .edges = TL__SPOOL_NONE};
	*tl__spool_id(spool, number) = *id;
	spool->table[probe(spool, id)] = number;
	spool->table_used++;
	*out = number;
	return TL_OK;
}

void tl__spool_forget(tl__spool *spool, uint32_t number)
{
	if (!spool->sealed)
		remove_from_table(spool, tl__spool_id(spool, number));
	tl__spool_node(spool, number)->len = TL__SPOOL_NONE;
	take_back(spool, &spool->nodes, number);
}

void tl__spool_index_init(tl__spool *spool)
{
	spool->nodes = (struct shelf){.item_size = sizeof(struct node), .unused = TL__SPOOL_NONE};
	spool->edges = (struct shelf){.item_size = sizeof(struct edge), .unused = TL__SPOOL_NONE};
	spool->ids = (struct shelf){.item_size = sizeof(tl_id), .unused = TL__SPOOL_NONE};
	spool->ready_first = spool->ready_last = TL__SPOOL_NONE;
}

static void drop_ask(tl__spool *spool)
{
	spool->usage.index_bytes -= spool->ask_cap * sizeof *spool->ask;
	tl__free(spool->ask);
	spool->ask = NULL;
	spool->ask_count = spool->ask_cap = 0;
}

void tl__spool_seal(tl__spool *spool)
{
	spool->sealed = true;
	drop_ask(spool);
	drop_table(spool);
	drop_shelf(spool, &spool->ids);
}

void tl__spool_index_free(tl__spool *spool)
{
	tl__spool_seal(spool);
	drop_shelf(spool, &spool->nodes);
	drop_shelf(spool, &spool->edges);
}

/* --- waiting ---------------------------------------------------------------------------------- */

void tl__spool_make_ready(tl__spool *spool, uint32_t number)
{
	tl__spool_node(spool, number)->is.next = TL__SPOOL_NONE;
	if (spool->ready_last == TL__SPOOL_NONE)
		spool->ready_first = number;
	else
		tl__spool_node(spool, spool->ready_last)->is.next = number;
	spool->ready_last = number;
}

static void wait_no_longer(tl__spool *spool, uint32_t waiter)
{
	if (--tl__spool_node(spool, waiter)->is.missing == 0)
		tl__spool_make_ready(spool, waiter);
}

void tl__spool_release(tl__spool *spool, uint32_t number)
{
	struct node *node = tl__spool_node(spool, number);
	uint32_t at = node->edges;

	if (node->waiter != TL__SPOOL_NONE)
		wait_no_longer(spool, node->waiter);
	while (at != TL__SPOOL_NONE) {
		struct edge edge = *(struct edge *)tl__shelf_at(&spool->edges, at);

		take_back(spool, &spool->edges, at);
		wait_no_longer(spool, edge.waiter);
		at = edge.next;
	}
	node->waiter = node->edges = TL__SPOOL_NONE;
}

void tl__spool_release_absent(tl__spool *spool)
{
	for (uint32_t i = 0; i < spool->nodes.count; i++) {
		if (!spool->nodes.blocks[i / TL__SPOOL_BLOCK].items ||
			tl__spool_node(spool, i)->len != 0)
			continue;
		tl__spool_release(spool, i);
		tl__spool_forget(spool, i);
	}
	spool->released = true;
}

static int add_waiter(tl__spool *spool, struct node *node, uint32_t waiter)
{
	uint32_t number;

	/* Named twice, as a parent in the tree and in a store. */
	if (node->waiter == waiter)
		return TL_OK;
	if (node->waiter != TL__SPOOL_NONE) {
		if (take(spool, &spool->edges, &number) != TL_OK)
			return TL_E_NOMEM;
		*(struct edge *)tl__shelf_at(&spool->edges, number) =
			(struct edge){node->waiter, node->edges};
		node->edges = number;
	}
	node->waiter = waiter;
	tl__spool_node(spool, waiter)->is.missing++;
	return TL_OK;
}

static int ask_about(tl__spool *spool, uint32_t number)
{
	void *array = spool->ask;

	if (spool->ask_count == spool->ask_cap) {
		if (tl__spool_grow(spool, &array, &spool->ask_cap, sizeof *spool->ask) != TL_OK)
			return TL_E_NOMEM;
		spool->ask = array;
	}
	spool->ask[spool->ask_count++] = number;
	return TL_OK;
}

int tl__spool_wait(tl__spool *spool, uint32_t waiter, const tl_id *parent)
{
	uint32_t number = tl__spool_find(spool, parent);
	int code = TL_OK;

	if (number == TL__SPOOL_NONE) {
		code = tl__spool_new_node(spool, parent, &number);
		if (code == TL_OK && spool->held)
			code = ask_about(spool, number);
	} else if (tl__spool_node(spool, number)->len == TL__SPOOL_NONE) {
		return TL_OK;
	}
	return code == TL_OK ? add_waiter(spool, tl__spool_node(spool, number), waiter) : code;
}
