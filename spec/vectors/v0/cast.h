/* Entries that the told answers are about: a database of three entries in a row, and what may be
 * wrong with others. Made here: which ones a recording used does not matter. */
#ifndef SPEC_VECTORS_CAST_H
#define SPEC_VECTORS_CAST_H

#include "../check.h"

typedef struct cast {
	tl_str text[3]; /* E0 (root), E1, E2 */
	tl_id id[3];
	tl_str other_root;
	tl_id other_id;
	tl_str unsigned_settings; /* on E0 */
	tl_str malformed;         /* a parent that is no id */
	tl_str orphan;            /* signed, on a parent that nobody has */
	tl_id orphan_id;
} cast;

/* Memory of the case. */
void cast_make(cast *out, check *c);

#endif
