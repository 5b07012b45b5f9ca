/* Plain JSON, as people write it, to a value: objects become Docs, arrays Lists. */
#ifndef TL_ENGINE_PLAIN_JSON_H
#define TL_ENGINE_PLAIN_JSON_H

#include <tidelock/doc.h>

/* TL_E_BAD_JSON; TL_E_TYPE_MISMATCH for a number that is no integer of 64 bits. *out is yours. */
int tl__plain_json_read(tl_value **out, tl_str json) TL_MUST_USE;

#endif
