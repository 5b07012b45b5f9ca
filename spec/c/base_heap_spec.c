/* The heap of what is due, against looking at all of it. */
#include "base/heap.h"
#include "base/system/env.h"
#include "check.h"

enum { NODES = 200, ROUNDS = 20000 };

static uint64_t least(const tl__heap_node *nodes)
{
	uint64_t out = UINT64_MAX;

	for (size_t i = 0; i < NODES; i++)
		if (nodes[i].place > 0 && nodes[i].at < out)
			out = nodes[i].at;
	return out;
}

static void the_first_is_the_least(void)
{
	static tl__heap_node nodes[NODES];
	tl__heap heap = {NULL, 0, 0};
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(7));
	size_t in = 0;
	bool good = true;

	CHECK(tl__heap_first(&heap) == NULL);
	for (size_t i = 0; i < ROUNDS; i++) {
		tl__heap_node *node = &nodes[tl__random_below(&random, NODES)];

		in -= node->place > 0;
		if (tl__random_below(&random, 3) == 0) {
			tl__heap_remove(&heap, node);
		} else {
			CHECK_OK(tl__heap_set(&heap, node, tl__random_below(&random, 1000)));
			in++;
		}
		good = good && heap.count == in &&
		       (in == 0 || tl__heap_first(&heap)->at == least(nodes));
	}
	CHECK(good);
	tl__heap_free(&heap);
}

static void they_come_in_order(void)
{
	static tl__heap_node nodes[NODES];
	tl__heap heap = {NULL, 0, 0};
	uint64_t before = 0;

	for (size_t i = 0; i < NODES; i++)
		CHECK_OK(tl__heap_set(&heap, &nodes[i], i * 7919 % NODES));
	for (size_t i = 0; i < NODES; i++) {
		tl__heap_node *first = tl__heap_first(&heap);

		REQUIRE(first != NULL);
		CHECK(first->at >= before);
		before = first->at;
		tl__heap_remove(&heap, first);
	}
	CHECK(tl__heap_first(&heap) == NULL);
	tl__heap_free(&heap);
}

int main(void)
{
	RUN(the_first_is_the_least);
	RUN(they_come_in_order);
	return spec_end();
}
