/* Value types shared by every public header. Plain data: copy them freely, nothing to release. None
 * of them ever grows. */
#ifndef TIDELOCK_TYPES_H
#define TIDELOCK_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of these headers. tl_version() and tl_version_number() tell that of the library. Before 1.0 a
 * minor version may add, never change: a host built with older headers works with a newer library,
 * and with an older one as long as it uses nothing new. */
#define TL_VERSION_MAJOR  0
#define TL_VERSION_MINOR  3
#define TL_VERSION_PATCH  0
#define TL_VERSION_NUMBER (TL_VERSION_MAJOR * 1000000 + TL_VERSION_MINOR * 1000 + TL_VERSION_PATCH)

#if defined(__GNUC__)
#define TL_API          __attribute__((visibility("default")))
#define TL_MUST_USE     __attribute__((warn_unused_result))
#define TL_FORMAT(f, a) __attribute__((format(printf, f, a)))
#else
#define TL_API
#define TL_MUST_USE
#define TL_FORMAT(f, a)
#endif

/* Borrowed bytes; not terminated. Whoever hands one out says how long it lives.
 * ptr NULL means "absent" (JSON null), which differs from an empty string. */
typedef struct tl_str {
	const char *ptr;
	size_t len;
} tl_str;

/* Id of an entry, and so of a database (the id of its root entry).
 * b[0] is the algorithm, 's' for sha256 or 'b' for blake3, b[1..32] the digest; memcmp order is
 * the order of the text forms ("sha256:" + 64 lower-case hex digits). */
#define TL_ID_BYTES    33
#define TL_ID_TEXT_LEN 71
typedef struct tl_id {
	uint8_t b[TL_ID_BYTES];
} tl_id;

/* Ed25519 public key; its text form is "ed25519:" + padded standard base64 (52 characters). */
#define TL_KEY_BYTES    32
#define TL_KEY_TEXT_LEN 52
typedef struct tl_key {
	uint8_t b[TL_KEY_BYTES];
} tl_key;

#define TL_SIGNATURE_BYTES 64
/* What a private key is made of; its text form is "ed25519-seed:" + padded standard base64. */
#define TL_SEED_BYTES    32
#define TL_SEED_TEXT_LEN 57

#ifdef __cplusplus
}
#endif
#endif
