/* SipHash-2-4: a keyed 64-bit hash, for hash maps and for checksums of derived rows. */
#ifndef TL_BASE_SIPHASH_H
#define TL_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t tl__siphash(const uint64_t key[2], const void *bytes, size_t len);

#endif
