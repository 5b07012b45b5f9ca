/* Descriptors 0, 1 and 2: a program may have been started without them. */
#ifndef TL_BASE_DESCRIPTORS_H
#define TL_BASE_DESCRIPTORS_H

#include <tidelock/error.h>

/* Puts /dev/null where one of them is missing, so that no file or socket of ours is taken for
 * standard input, output or errors. Due wherever the library begins to open descriptors. */
int tl__descriptors_guard(void) TL_MUST_USE;

#endif
