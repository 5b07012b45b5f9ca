/* Small blocks of a cell: a list of free ones for each size, cut from chunks that are the cell's
 * until it is closed. Scripts make and drop thousands of them, and that is most of what a short
 * call costs. */
#include <stdlib.h>
#include <string.h>
#include "script/cell_impl.h"

#define CHUNK_BYTES (8 << 10)

typedef struct chunk {
	struct chunk *next;
	max_align_t blocks[];
} chunk;

#define BLOCK_BYTES (CHUNK_BYTES - offsetof(chunk, blocks))
#define LISTS       (TLUA_POOL_MAX / TLUA_POOL_STEP)

/* Blocks of one list are so large. */
static size_t list_of(size_t size)
{
	return (size + TLUA_POOL_STEP - 1) / TLUA_POOL_STEP;
}

static void give(tlua_cell *cell, void *block, size_t size)
{
	size_t list = list_of(size);

	*(void **)block = cell->pool.lists[list];
	cell->pool.lists[list] = block;
}

/* What is not cut yet goes to the lists. */
static void cut_rest(tlua_cell *cell)
{
	tlua_pool *pool = &cell->pool;

	while (pool->left >= TLUA_POOL_STEP) {
		size_t size = pool->left < TLUA_POOL_MAX ? pool->left : TLUA_POOL_MAX;

		size -= size % TLUA_POOL_STEP;
		give(cell, pool->at, size);
		pool->at += size;
		pool->left -= size;
	}
}

/* --- chunks that are free as a whole ---------------------------------------------------------- */

typedef struct place {
	chunk *at;
	size_t free;
} place;

static int by_address(const void *a, const void *b)
{
	const place *left = a, *right = b;

	return (left->at > right->at) - (left->at < right->at);
}

static place *place_of(place *places, size_t count, const void *block)
{
	size_t low = 0;

	while (count > 1) {
		size_t half = count / 2;

		if ((const void *)places[low + half].at <= block) {
			low += half;
			count -= half;
		} else {
			count = half;
		}
	}
	return &places[low];
}

static bool is_free(const place *p)
{
	return p->free == BLOCK_BYTES;
}

static void count_free(const tlua_pool *pool, place *places, size_t count)
{
	for (size_t list = 1; list <= LISTS; list++)
		for (void *block = pool->lists[list]; block; block = *(void **)block)
			place_of(places, count, block)->free += list * TLUA_POOL_STEP;
}

static void forget_free(tlua_pool *pool, place *places, size_t count)
{
	for (size_t list = 1; list <= LISTS; list++) {
		void **from = &pool->lists[list];

		while (*from)
			if (is_free(place_of(places, count, *from)))
				*from = *(void **)*from;
			else
				from = *from;
	}
}

static void release_free(tlua_cell *cell, const place *places, size_t count)
{
	cell->pool.chunks = NULL;
	for (size_t i = 0; i < count; i++) {
		if (is_free(&places[i])) {
			cell->used -= CHUNK_BYTES;
			cell->release(cell->ud, places[i].at);
		} else {
			places[i].at->next = cell->pool.chunks;
			cell->pool.chunks = places[i].at;
		}
	}
}

/* Small blocks that were many once leave their room to others. */
static void trim(tlua_cell *cell)
{
	size_t count = 0, at = 0;
	place *places;

	for (const chunk *c = cell->pool.chunks; c; c = c->next)
		count++;
	places = count > 0 ? cell->resize(cell->ud, NULL, count * sizeof *places) : NULL;
	if (!places)
		return;
	cut_rest(cell);
	for (chunk *c = cell->pool.chunks; c; c = c->next)
		places[at++] = (place){c, 0};
	qsort(places, count, sizeof *places, by_address);
	count_free(&cell->pool, places, count);
	forget_free(&cell->pool, places, count);
	release_free(cell, places, count);
	cell->release(cell->ud, places);
}

/* --- taking ----------------------------------------------------------------------------------- */

static bool fits(const tlua_cell *cell, size_t before, size_t size)
{
	return size <= before || cell->used + (size - before) <= cell->memory;
}

/* A whole block of the cell's; what it takes and gives back counts as its memory. */
static void *resize(tlua_cell *cell, void *old, size_t before, size_t size)
{
	void *block;

	if (!fits(cell, before, size)) {
		cell->full = true;
		trim(cell);
		if (!fits(cell, before, size))
			return NULL;
	}
	block = cell->resize(cell->ud, old, size);
	if (!block)
		return NULL;
	cell->used += size - before;
	cell->peak = cell->used > cell->peak ? cell->used : cell->peak;
	return block;
}

static bool add_chunk(tlua_cell *cell)
{
	tlua_pool *pool = &cell->pool;
	chunk *fresh = resize(cell, NULL, 0, CHUNK_BYTES);

	if (!fresh)
		return false;
	fresh->next = pool->chunks;
	pool->chunks = fresh;
	cut_rest(cell);
	pool->at = (char *)fresh->blocks;
	pool->left = BLOCK_BYTES;
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

/* --- for the allocator ------------------------------------------------------------------------ */

void tlua_pool_release(tlua_cell *cell, void *block, size_t size)
{
	if (size <= cell->pooled) {
		give(cell, block, size);
		return;
	}
	cell->used -= size;
	cell->release(cell->ud, block);
}

void *tlua_pool_resize(tlua_cell *cell, void *old, size_t old_size, size_t size)
{
	bool was = old && old_size <= cell->pooled, is = size <= cell->pooled;
	void *block;

	if (!was && !is)
		return resize(cell, old, old_size, size);
	if (was && is && list_of(old_size) == list_of(size))
		return old;
	block = is ? take(cell, size) : resize(cell, NULL, 0, size);
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
