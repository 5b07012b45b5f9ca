/* Keys as texts, for who verifies with them or compares them anyway. */
#ifndef TL_CRYPTO_KEY_H
#define TL_CRYPTO_KEY_H

#include <tidelock/crypto.h>

/* As tl_key_parse, but does not look whether the bytes are a key: that takes 20 us, and tl_verify
 * looks again. */
int tl__key_decode(tl_key *out, tl_str text) TL_MUST_USE;

#endif
