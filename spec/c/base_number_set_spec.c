/* Set of numbers: against an array, with many numbers that come and go. */
#include <string.h>
#include "base/number_set.h"
#include "check.h"

enum { RANGE = 3000, STEPS = 60000 };

static void numbers_come_and_go(void)
{
	static bool there[RANGE];
	tl__number_set set = {0};
	uint64_t random = 88172645463325252u;
	size_t count = 0;

	memset(there, 0, sizeof there);
	for (int i = 0; i < STEPS; i++) {
		size_t n;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		n = (size_t)(random % RANGE);
		if (random >> 60 < (i < STEPS / 2 ? 11u : 5u)) {
			CHECK_OK(tl__number_set_add(&set, (uint64_t)n << 40));
			count += !there[n];
			there[n] = true;
		} else {
			CHECK(tl__number_set_remove(&set, (uint64_t)n << 40) == there[n]);
			count -= there[n];
			there[n] = false;
		}
		CHECK(set.count == count);
	}
	for (size_t n = 0; n < RANGE; n++)
		CHECK(tl__number_set_remove(&set, (uint64_t)n << 40) == there[n]);
	CHECK(set.count == 0 && !tl__number_set_remove(&set, 7));
	tl__number_set_free(&set);
}

int main(void)
{
	RUN(numbers_come_and_go);
	return spec_end();
}
