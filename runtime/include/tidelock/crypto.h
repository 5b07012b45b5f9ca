/* Keys, signatures, hashes and their text forms. No function here blocks, except
 * tl_seal and tl_unseal (argon2id: about 0.1 s and 64 MiB). */
#ifndef TIDELOCK_CRYPTO_H
#define TIDELOCK_CRYPTO_H

#include <tidelock/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Ready the cryptographic libraries. Every function that needs it calls it; safe from any thread.
 */
TL_API int tl_crypto_init(void) TL_MUST_USE;

/* Cryptographically secure random bytes. */
TL_API void tl_random_bytes(void *out, size_t len);

/* A private key: its 32-byte seed and what libsodium derives from it. Wipe it when done.
 * Never grows. */
typedef struct tl_secret {
	uint8_t b[64];
} tl_secret;

TL_API int tl_secret_new(tl_secret *out) TL_MUST_USE;
TL_API int tl_secret_from_seed(tl_secret *out, const uint8_t seed[TL_SEED_BYTES]) TL_MUST_USE;
TL_API void tl_secret_seed(const tl_secret *secret, uint8_t seed[TL_SEED_BYTES]);
TL_API void tl_secret_public(const tl_secret *secret, tl_key *out);
TL_API void tl_secret_wipe(tl_secret *secret);

/* Ed25519 over the message itself (RFC 8032, pure). */
TL_API int tl_sign(const tl_secret *secret, const void *message, size_t len,
	uint8_t signature[TL_SIGNATURE_BYTES]) TL_MUST_USE;

/* TL_OK when the signature is good under the strict rule (doc/tidelock/crypto.md), else
 * TL_E_BAD_SIGNATURE. */
TL_API int tl_verify(const tl_key *key, const void *message, size_t len,
	const uint8_t signature[TL_SIGNATURE_BYTES]) TL_MUST_USE;

/* Key text "ed25519:<44 characters>". Parsing is strict about form and base64 (TL_E_BAD_KEY,
 * TL_E_BAD_BASE64 as cause) and about the point: the encoding must be canonical, on the curve and
 * not of small order. `out` has room for TL_KEY_TEXT_LEN + 1. */
TL_API int tl_key_parse(tl_key *out, tl_str text) TL_MUST_USE;
TL_API void tl_key_format(const tl_key *key, char out[TL_KEY_TEXT_LEN + 1]);

/* Seed text "ed25519-seed:<44 characters>": as secret as the key. TL_E_BAD_KEY; `out` of
 * tl_seed_format has room for TL_SEED_TEXT_LEN + 1. Wipe what you no longer need. */
TL_API int tl_seed_parse(uint8_t seed[TL_SEED_BYTES], tl_str text) TL_MUST_USE;
TL_API void tl_seed_format(const uint8_t seed[TL_SEED_BYTES], char out[TL_SEED_TEXT_LEN + 1]);

TL_API void tl_sha256(const void *bytes, size_t len, uint8_t digest[32]);

/* Id text; TL_E_BAD_ID on an unknown algorithm, a wrong length, upper-case or non-hex digits. */
TL_API int tl_id_parse(tl_id *out, tl_str text) TL_MUST_USE;
TL_API void tl_id_format(const tl_id *id, char out[TL_ID_TEXT_LEN + 1]);
/* The id of these bytes: sha256. */
TL_API void tl_id_of(tl_id *out, const void *bytes, size_t len);

/* Standard base64 with padding, strict when read: length a multiple of 4, no white space, unused
 * bits zero (TL_E_BAD_BASE64; more than `cap` bytes: TL_E_TOO_LARGE). */
TL_API int tl_base64_decode(void *out, size_t cap, size_t *len, tl_str text) TL_MUST_USE;
/* Characters needed with the NUL, and the encoding itself. */
TL_API size_t tl_base64_size(size_t len);
TL_API void tl_base64_encode(char *out, const void *bytes, size_t len);

/* Seeds sealed by a passphrase: argon2id (interactive limits) and XSalsa20-Poly1305, in a versioned
 * box of TL_SEALED_BYTES. tl_unseal: TL_E_WRONG_PASSPHRASE when it does not open,
 * TL_E_UNSUPPORTED for another version. Both wipe what they derive. */
#define TL_SEALED_BYTES 80
TL_API int tl_seal(uint8_t out[TL_SEALED_BYTES], const uint8_t seed[TL_SEED_BYTES],
	const char *passphrase, size_t len) TL_MUST_USE;
TL_API int tl_unseal(uint8_t seed[TL_SEED_BYTES], const uint8_t sealed[TL_SEALED_BYTES],
	const char *passphrase, size_t len) TL_MUST_USE;

/* Whether a server of TLS can use the two, both in PEM form: the first certificate in its text, and
 * a key without a passphrase. TL_E_TLS says what is wrong. */
TL_API int tl_tls_key_check(tl_str certificate_pem, tl_str key_pem) TL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
