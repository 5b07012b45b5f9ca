/* The Iroh plugin: where TIDELOCK_IROH says, or where `make iroh` has put it. */
#ifndef SPEC_IROH_PATH_H
#define SPEC_IROH_PATH_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include "check.h"

static inline const char *iroh_path(void)
{
	const char *path = getenv("TIDELOCK_IROH");

	return path ? path : "build/libtidelock_iroh.so";
}

/* Whether there is a plugin to specify. The thread sanitizer does not see what its threads do, and
 * takes what they hand over for races. */
static inline bool iroh_is_there(void)
{
#ifdef SPEC_THREAD_SANITIZED
	return false;
#else
	return access(iroh_path(), R_OK) == 0;
#endif
}

#endif
