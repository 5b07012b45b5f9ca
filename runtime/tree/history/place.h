/* The stamps of one path, and what they say. state.c explains the rule. */
#ifndef TL_TREE_PLACE_H
#define TL_TREE_PLACE_H

#include <tidelock/doc.h>
#include "base/buf.h"
#include "tree/tree.h"

/* Containers nest at most TL_DOC_MAX_NESTING deep below the root; the root is one more. */
#define TL__PLACE_DEPTH_MAX (TL_DOC_MAX_NESTING + 1)

typedef struct tl__place {
	bool has[3]; /* by tl__stamp_kind */
	tl__stamp stamps[3];
	tl__buf value; /* of the leaf */
} tl__place;

/* Newest stamp of what replaced something above: what is not newer is gone. */
typedef struct tl__floor {
	bool any;
	tl__stamp stamp;
} tl__floor;

void tl__place_clear(tl__place *place);
/* Adds a row of this path. TL_E_STORE_DAMAGED, TL_E_NOMEM. */
int tl__place_note(tl__place *place, const tl__state_row *row) TL_MUST_USE;
/* Whether that stamp is there and gone. */
bool tl__place_is_dead(const tl__place *place, int kind, const tl__floor *floor);
/* The kind that stands at the place; -1 when all are gone. */
int tl__place_standing(const tl__place *place, const tl__floor *floor);
/* The floor inside the container of this kind at the place. */
tl__floor tl__place_floor(const tl__place *place, int kind, tl__floor floor);

#endif
