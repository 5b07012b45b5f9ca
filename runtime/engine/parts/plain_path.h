/* Paths that people type. */
#ifndef TL_ENGINE_PLAIN_PATH_H
#define TL_ENGINE_PLAIN_PATH_H

#include <tidelock/types.h>

/* The library lets empty components of a path vanish, as 0.2.0 does; of a person that is a slip,
 * which would reach another value than the one meant: TL_E_BAD_PATH. */
int tl__plain_path_check(tl_str path) TL_MUST_USE;

#endif
