/* What people type: plain JSON to a value (objects become Docs, arrays Lists), and paths. */
#ifndef TL_ENGINE_PLAIN_JSON_H
#define TL_ENGINE_PLAIN_JSON_H

#include <tidelock/doc.h>

/* TL_E_BAD_JSON; TL_E_TYPE_MISMATCH for a number that is no integer of 64 bits. *out is yours. */
int tl__plain_json_read(tl_value **out, tl_str json) TL_MUST_USE;
/* The library lets empty components of a path vanish, as 0.2.0 does; of a person that is a slip,
 * which would reach another value than the one meant: TL_E_BAD_PATH. */
int tl__plain_path_check(tl_str path) TL_MUST_USE;

#endif
