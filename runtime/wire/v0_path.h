/* Where eidetica 0.2.0 is spoken: what also a build without runtime/v0 knows of it, which refuses
 * there. */
#ifndef TL_WIRE_V0_PATH_H
#define TL_WIRE_V0_PATH_H

#define TL__V0_PATH              "/api/v0"
#define TL__V0_CONTENT_TYPE      "application/json"
#define TL__V0_MAX_REQUEST_BYTES (2u * 1024 * 1024)

#endif
