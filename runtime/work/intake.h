/* An intake: an answer that is read while it arrives, and kept until its lines are stored page by
 * page. What it is an answer of says its way; nothing of it may be held in memory beyond a bound.
 */
#ifndef TL_WORK_INTAKE_H
#define TL_WORK_INTAKE_H

#include "tree/tree.h"

typedef struct tl__intake tl__intake;

typedef struct tl__intake_way {
	/* For an answer about this database; max_bytes bounds what is fed (TL_E_TOO_LARGE). *out is
	 * yours. */
	int (*open)(tl__intake **out, tl__tree *tree, const tl_id *db, uint64_t max_bytes);
	/* On the loop's thread; writes at most to a temporary file. TL_E_NETWORK when it is none
	 * that can be read. */
	int (*feed)(tl__intake *intake, const void *bytes, size_t len);
	int (*finish)(tl__intake *intake);
	/* The next lines, canonical, valid until the second call from now; *more says whether
	 * others follow. Blocks for the store and a file. Only after finish. */
	int (*next)(tl__intake *intake, const tl_str **lines, size_t *count, bool *more);
	/* Lines that were none of this database's entries, and why the first one was not, unless
	 * *code says more already. Told once. */
	uint64_t (*refused)(tl__intake *intake, int *code);
	void (*free)(tl__intake *intake);
} tl__intake_way;

struct tl__intake {
	const tl__intake_way *way;
};

static inline void tl__intake_free(tl__intake *intake) /* NULL is fine */
{
	if (intake)
		intake->way->free(intake);
}

#endif
