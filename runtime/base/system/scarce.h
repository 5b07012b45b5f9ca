/* Whether a system call failed for want of descriptors or memory: to be tried again later, not at
 * once. */
#ifndef TL_BASE_SCARCE_H
#define TL_BASE_SCARCE_H

#include <errno.h>
#include <stdbool.h>

#define TL__SCARCE_REST_MS 100 /* before the next try */

static inline bool tl__scarce(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

#endif
