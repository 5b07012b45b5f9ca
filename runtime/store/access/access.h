/* The public store over a backend that somebody else has open. */
#ifndef TL_STORE_ACCESS_H
#define TL_STORE_ACCESS_H

#include <tidelock/backend.h>
#include "store/store.h"

/* For reading only: writes fail with TL_E_STORE_READ_ONLY. `drop` is called with `owner` when *out
 * is closed (not after a failure); until then the backend must stay open. */
int tl__store_lend(
	tl_store **out, tl__store *inner, void (*drop)(void *owner), void *owner) TL_MUST_USE;

#endif
