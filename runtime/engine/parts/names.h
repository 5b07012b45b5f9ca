/* A list of texts gathered from a walk, so that visitors run after it. */
#ifndef TL_ENGINE_NAMES_H
#define TL_ENGINE_NAMES_H

#include <tidelock/database.h>
#include "base/arena.h"

typedef struct tl__names {
	tl__arena arena;
	tl_str *at;
	size_t count, cap;
} tl__names;

#define TL__NAMES_INIT ((tl__names){TL__ARENA_INIT, NULL, 0, 0})

int tl__names_add(void *names, tl_str name) TL_MUST_USE; /* a name visitor: copies */
/* TL_STOP from the visitor ends with TL_OK, a code is returned. */
int tl__names_each(const tl__names *names, tl_name_visit visit, void *ud) TL_MUST_USE;
void tl__names_free(tl__names *names);

#endif
