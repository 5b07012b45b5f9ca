/* The text of a share: where its node is, what it opens, and the one-time token. Pure: bytes <->
 * struct. Normative text: runtime/wire/README.md, §7. */
#ifndef TL_WIRE_SHARE_H
#define TL_WIRE_SHARE_H

#include <tidelock/auth.h>
#include <tidelock/sync.h>
#include "wire/v1.h"

#define TL__SHARE_START       "tidelock://share/"
#define TL__SHARE_VERSION     "1/"
#define TL__SHARE_TOKEN_BYTES 16
#define TL__SHARE_MAX_BYTES   1400 /* that the text stands for */
#define TL__SHARE_MAX_ADDRESS 529  /* bytes of "type:text" */

typedef struct tl__share_text {
	tl_key node;
	tl_id db;
	tl_permission permission;
	uint8_t token[TL__SHARE_TOKEN_BYTES];
	tl_str addresses[TL__V1_MAX_ADDRESSES]; /* "type:text"; in `bytes` when they were read */
	size_t address_count;
	uint8_t bytes[TL__SHARE_MAX_BYTES];
} tl__share_text;

/* Addresses that do not fit any more are left out, the first ones stay. */
int tl__share_write(char out[TL_SHARE_MAX_TEXT + 1], const tl__share_text *share) TL_MUST_USE;
/* TL_E_BAD_SHARE: it is none, was cut or altered; TL_E_UNSUPPORTED: of another version. */
int tl__share_read(tl__share_text *out, tl_str text) TL_MUST_USE;
void tl__share_wipe(tl__share_text *share); /* the token, and what it was read from */

/* The private key that the token stands for: whoever proves its public key has the token. */
int tl__share_secret(tl_secret *out, const uint8_t token[TL__SHARE_TOKEN_BYTES]) TL_MUST_USE;
/* How a share is called where it is listed: of its public key. */
void tl__share_id(char out[TL_SHARE_ID_LEN + 1], const tl_key *key);

#endif
