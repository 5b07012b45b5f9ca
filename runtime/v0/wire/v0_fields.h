/* Members that only v0 documents have: shared by the request reader and the response reader. */
#ifndef TL_WIRE_V0_FIELDS_H
#define TL_WIRE_V0_FIELDS_H

#include "base/json/fields.h"
#include "v0/wire/v0.h"

/* null gives *has = false. */
void tl__v0_optional_permission(tl__fields *f, bool *has, tl_permission *out);

void tl__v0_read_handshake_request(tl__fields *f, tl__v0_handshake_request *out);
void tl__v0_read_handshake_response(tl__fields *f, tl__v0_handshake_response *out);

#endif
