/* Arrays that grow. */
#include "base/mem.h"
#include "check.h"

static void it_grows_by_doubling_and_keeps_what_it_holds(void)
{
	size_t cap = 0, moves = 0;
	unsigned *at = NULL;

	for (unsigned i = 0; i < 1000; i++) {
		size_t before = cap;
		unsigned *grown = tl__grow(at, i, &cap, sizeof *grown);

		REQUIRE(grown != NULL);
		CHECK(cap > i && (cap == before || before == i));
		moves += cap != before;
		at = grown;
		at[i] = i;
	}
	for (unsigned i = 0; i < 1000; i++)
		CHECK(at[i] == i);
	CHECK(moves <= 10);
	tl__free(at);
}

static void with_room_left_nothing_is_allocated(void)
{
	size_t cap = 0;
	char *at = tl__grow(NULL, 0, &cap, 1);
	long blocks = tl__alloc_balance();

	REQUIRE(at != NULL);
	tl__alloc_fail_at(1);
	for (size_t count = 1; count < cap; count++)
		CHECK(tl__grow(at, count, &cap, 1) == at);
	CHECK(tl__alloc_fail_at(0) == 0 && tl__alloc_balance() == blocks);
	tl__free(at);
}

static void without_memory_the_array_stays(void)
{
	size_t cap = 0, before;
	unsigned *at = tl__grow(NULL, 0, &cap, sizeof *at);

	REQUIRE(at != NULL);
	at[0] = 7;
	before = cap;
	tl__alloc_fail_at(1);
	CHECK(tl__grow(at, cap, &cap, sizeof *at) == NULL);
	CHECK(tl__alloc_fail_at(0) == 1);
	CHECK(tl_error_code(tl_last_error()) == TL_E_NOMEM);
	CHECK(cap == before && at[0] == 7);
	cap = SIZE_MAX / sizeof *at; /* no array is so long */
	CHECK(tl__grow(at, cap, &cap, sizeof *at) == NULL);
	CHECK(cap == SIZE_MAX / sizeof *at);
	tl__free(at);
}

int main(void)
{
	RUN(it_grows_by_doubling_and_keeps_what_it_holds);
	RUN(with_room_left_nothing_is_allocated);
	RUN(without_memory_the_array_stays);
	return spec_end();
}
