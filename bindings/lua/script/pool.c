/* Small blocks of a cell: a list of free ones for each size, cut from chunks that are the cell's
 * until it is closed. Scripts make and drop thousands of them, and that is most of what a short
 * call costs. */
#include <string.h>
#include "script/cell_impl.h"

#define CHUNK_BYTES (8 << 10)

typedef struct chunk {
	struct chunk *next;
	max_align_t blocks[];
} chunk;

/* Blocks of one list are so large. */
static size_t list_of(size_t size)
{
	return (size + TLUA_POOL_STEP - 1) / TLUA_POOL_STEP;
}

/* What is left of the last chunk is kept for smaller blocks. */
static bool add_chunk(tlua_cell *cell)
{
	tlua_pool *pool = &cell->pool;
	chunk *fresh = cell->resize(cell->ud, NULL, CHUNK_BYTES);

	if (!fresh)
		return false;
	fresh->next = pool->chunks;
	pool->chunks = fresh;
	while (pool->left >= TLUA_POOL_STEP) {
		size_t size = pool->left < TLUA_POOL_MAX ? pool->left : TLUA_POOL_MAX;

		size -= size % TLUA_POOL_STEP;
		*(void **)pool->at = pool->lists[size / TLUA_POOL_STEP];
		pool->lists[size / TLUA_POOL_STEP] = pool->at;
		pool->at += size;
		pool->left -= size;
	}
	pool->at = (char *)fresh->blocks;
	pool->left = CHUNK_BYTES - offsetof(chunk, blocks);
	return true;
}

static void *take(tlua_cell *cell, size_t size)
{
	tlua_pool *pool = &cell->pool;
	size_t list = list_of(size), bytes = list * TLUA_POOL_STEP;
	void *block = pool->lists[list];

	if (block) {
		pool->lists[list] = *(void **)block;
		return block;
	}
	if (pool->left < bytes && !add_chunk(cell))
		return NULL;
	block = pool->at;
	pool->at += bytes;
	pool->left -= bytes;
	return block;
}

static void give(tlua_cell *cell, void *block, size_t size)
{
	size_t list = list_of(size);

	*(void **)block = cell->pool.lists[list];
	cell->pool.lists[list] = block;
}

void tlua_pool_release(tlua_cell *cell, void *block, size_t size)
{
	if (size <= cell->pooled)
		give(cell, block, size);
	else
		cell->release(cell->ud, block);
}

void *tlua_pool_resize(tlua_cell *cell, void *old, size_t old_size, size_t size)
{
	bool was = old && old_size <= cell->pooled, is = size <= cell->pooled;
	void *block;

	if (!was && !is)
		return cell->resize(cell->ud, old, size);
	if (was && is && list_of(old_size) == list_of(size))
		return old;
	block = is ? take(cell, size) : cell->resize(cell->ud, NULL, size);
	if (!block || !old)
		return block;
	memcpy(block, old, old_size < size ? old_size : size);
	tlua_pool_release(cell, old, old_size);
	return block;
}

void tlua_pool_close(tlua_cell *cell)
{
	chunk *next;

	for (chunk *c = cell->pool.chunks; c; c = next) {
		next = c->next;
		cell->release(cell->ud, c);
	}
}
