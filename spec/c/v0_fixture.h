/* What the specifications of v0 share: documents put together from their members. */
#ifndef SPEC_V0_FIXTURE_H
#define SPEC_V0_FIXTURE_H

#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "v0/wire/v0.h"

/* Not a real entry: the wire does not look into it. Full of what a careless scanner stumbles over.
 */
#define ENTRY(x) "{\"tree\":{\"root\":\"" x "\"},\"s\":[\"]}\\\"{\",1e3,null]}"

/* Members of the object, in the given order. */
static inline void join(tl__buf *out, const char *before, const char *const *parts,
	const size_t *order, size_t count, const char *after)
{
	tl__buf_text(out, before);
	for (size_t i = 0; i < count; i++) {
		if (i)
			tl__buf_byte(out, ',');
		tl__buf_text(out, parts[order ? order[i] : i]);
	}
	tl__buf_text(out, after);
}

static inline void shuffle(const tl__random *random, size_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count; i > 1; i--) {
		size_t j = (size_t)tl__random_below(random, i), kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}

#endif
