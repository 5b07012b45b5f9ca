#include "base/arena.h"

#include <stdalign.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"

#define FIRST_BYTES 512 /* many hold next to nothing, and for long */
#define BLOCK_BYTES 4096

struct tl__arena_block {
	tl__arena_block *previous;
	size_t used;
	size_t cap;
	alignas(max_align_t) char bytes[];
};

static tl__arena_block *add_block(tl__arena *arena, size_t need)
{
	size_t usual = arena->last ? BLOCK_BYTES : FIRST_BYTES;
	size_t cap = need > usual ? need : usual;
	tl__arena_block *block = tl__alloc(sizeof *block + cap);

	if (!block)
		return NULL;
	block->previous = arena->last;
	block->used = 0;
	block->cap = cap;
	arena->last = block;
	return block;
}

static void *take(tl__arena *arena, size_t size)
{
	const size_t align = alignof(max_align_t);
	tl__arena_block *block = arena->last;
	void *out;

	if (size > SIZE_MAX / 2)
		return tl__fail(TL_E_NOMEM, "a single allocation of this size is refused"), NULL;
	size = (size + align - 1) & ~(align - 1);
	if (!block || block->cap - block->used < size)
		block = add_block(arena, size);
	if (!block)
		return NULL;
	out = block->bytes + block->used;
	block->used += size;
	return out;
}

void *tl__arena_alloc(tl__arena *arena, size_t count, size_t size)
{
	void *out;

	if (size != 0 && count > SIZE_MAX / 2 / size)
		return tl__fail(TL_E_NOMEM, "an array of this size is refused"), NULL;
	out = take(arena, count * size);
	if (out)
		memset(out, 0, count * size);
	return out;
}

tl_str tl__arena_str(tl__arena *arena, tl_str text)
{
	char *copy;

	if (!text.ptr)
		return text;
	copy = take(arena, text.len + 1);
	if (!copy)
		return (tl_str){NULL, 0};
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return (tl_str){copy, text.len};
}

int tl__arena_grow(tl__arena *arena, void **array, size_t *cap, size_t count, size_t size)
{
	size_t bigger = *cap ? *cap * 2 : 8;
	void *moved;

	if (count < *cap)
		return TL_OK;
	moved = tl__arena_alloc(arena, bigger, size);
	if (!moved)
		return TL_E_NOMEM;
	if (count)
		memcpy(moved, *array, count * size);
	*array = moved;
	*cap = bigger;
	return TL_OK;
}

void tl__arena_free(tl__arena *arena)
{
	while (arena->last) {
		tl__arena_block *block = arena->last;

		arena->last = block->previous;
		tl__free(block);
	}
}
