/* A scenario is run again and again, with each of its allocations failing in turn: SURVIVES makes a
 * case of it. */
#ifndef SPEC_SURVIVE_HELP_H
#define SPEC_SURVIVE_HELP_H

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"

/* Does something and describes the result in `out`. */
typedef int (*scenario)(tl__buf *out);

/* Fails the n-th allocation; false when there were fewer. */
static inline bool fail_one(scenario run, size_t n, const tl__buf *wanted)
{
	tl__buf out = TL__BUF_INIT;
	int code, fired;

	(void)tl__alloc_fail_at(n);
	code = run(&out);
	fired = tl__alloc_fail_at(0);
	if (code == TL_OK)
		CHECK(tl__str_eq(tl__buf_view(&out), tl__buf_view(wanted)));
	else if (code != TL_E_NOMEM || !fired || tl_error_code(tl_last_error()) != TL_E_NOMEM)
		printf("allocation %zu: %s (%s)\n", n, tl_error_name(code),
			tl_error_message(tl_last_error()));
	CHECK(code == TL_OK || (code == TL_E_NOMEM && fired));
	CHECK(code == TL_OK || tl_error_code(tl_last_error()) == TL_E_NOMEM);
	tl__buf_free(&out);
	return fired != 0;
}

static inline size_t sweep(scenario run, const tl__buf *wanted)
{
	size_t n = 1;

	while (fail_one(run, n, wanted) && n < 100000)
		n++;
	return n - 1;
}

static inline void survives(scenario run, size_t least)
{
	tl__buf wanted = TL__BUF_INIT;
	long before = tl__alloc_balance();
	size_t count;

	REQUIRE(run(&wanted) == TL_OK);
	count = sweep(run, &wanted);
	CHECK(count >= least); /* else nothing was failed and nothing is shown */
	CHECK(count < 100000);
	tl__buf_free(&wanted);
	CHECK(tl__alloc_balance() == before);
}

#define SURVIVES(name, least)                                                                      \
	static void name##_survives(void)                                                          \
	{                                                                                          \
		survives(name, least);                                                             \
	}

#endif
