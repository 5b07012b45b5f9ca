/* An intake as the ingest work sees it. */
#ifndef TL_TREE_INTAKE_H
#define TL_TREE_INTAKE_H

#include "work/work.h"

/* The next lines, canonical, valid until the second call from now; *more says whether others
 * follow. Blocks for the store and the spool's file. Only after tl__intake_finish. */
int tl__intake_next(
	tl__intake *intake, const tl_str **lines, size_t *count, bool *more) TL_MUST_USE;
/* Lines that were none of this database's entries, and why the first one was not. Told once. */
uint64_t tl__intake_refused(tl__intake *intake, int *code);

#endif
