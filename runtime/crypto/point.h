/* The strict rule about encoded curve points, shared by keys and signatures. */
#ifndef TL_CRYPTO_POINT_H
#define TL_CRYPTO_POINT_H

#include <stdbool.h>
#include <stdint.h>

/* Canonical and not of small order. Whether it is on the curve at all is checked where it is used.
 */
bool tl__point_usable(const uint8_t point[32]);

#endif
