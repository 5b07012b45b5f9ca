#include "base/heap.h"

#include <tidelock/error.h>
#include "base/mem.h"

static void put(tl__heap *heap, size_t place, tl__heap_node *node)
{
	heap->nodes[place - 1] = node;
	node->place = place;
}

static tl__heap_node *at(const tl__heap *heap, size_t place)
{
	return heap->nodes[place - 1];
}

static void rise(tl__heap *heap, tl__heap_node *node)
{
	size_t place = node->place;

	for (; place > 1 && at(heap, place / 2)->at > node->at; place /= 2)
		put(heap, place, at(heap, place / 2));
	put(heap, place, node);
}

static void sink(tl__heap *heap, tl__heap_node *node)
{
	size_t place = node->place, child;

	for (; (child = 2 * place) <= heap->count; place = child) {
		if (child < heap->count && at(heap, child + 1)->at < at(heap, child)->at)
			child++;
		if (at(heap, child)->at >= node->at)
			break;
		put(heap, place, at(heap, child));
	}
	put(heap, place, node);
}

int tl__heap_set(tl__heap *heap, tl__heap_node *node, uint64_t when)
{
	if (node->place == 0) {
		tl__heap_node **bigger =
			tl__grow(heap->nodes, heap->count, &heap->cap, sizeof(void *));

		if (!bigger)
			return TL_E_NOMEM;
		heap->nodes = bigger;
	}
	node->at = when;
	if (node->place == 0)
		put(heap, ++heap->count, node);
	rise(heap, node);
	sink(heap, node);
	return TL_OK;
}

void tl__heap_remove(tl__heap *heap, tl__heap_node *node)
{
	tl__heap_node *last;

	if (node->place == 0)
		return;
	last = at(heap, heap->count--);
	if (last != node) {
		put(heap, node->place, last);
		rise(heap, last);
		sink(heap, last);
	}
	node->place = 0;
}

tl__heap_node *tl__heap_first(const tl__heap *heap)
{
	return heap->count > 0 ? heap->nodes[0] : NULL;
}

void tl__heap_free(tl__heap *heap)
{
	tl__free(heap->nodes);
	*heap = (tl__heap){NULL, 0, 0};
}
