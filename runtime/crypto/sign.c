/* Ed25519 under the strict rule: libsodium's check, and in front of it what it leaves open. */
#include <sodium.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/public.h"
#include "crypto/point.h"

_Static_assert(sizeof(tl_secret) == crypto_sign_SECRETKEYBYTES, "size of a private key");
_Static_assert(TL_SIGNATURE_BYTES == crypto_sign_BYTES, "size of a signature");

int tl_crypto_init(void)
{
	if (sodium_init() < 0)
		return tl__fail(
			TL_E_INTERNAL, "libsodium could not be set up: no source of randomness");
	return TL_OK;
}

void tl_random_bytes(void *out, size_t len)
{
	if (len > 0)
		randombytes_buf(out, len);
}

int tl_secret_new(tl_secret *out)
{
	TL__NEED(out);

	tl_key unused;
	int code = tl_crypto_init();

	if (code == TL_OK)
		crypto_sign_keypair(unused.b, out->b);
	return code;
}

int tl_secret_from_seed(tl_secret *out, const uint8_t seed[TL_SEED_BYTES])
{
	TL__NEED(out && seed);

	tl_key unused;
	int code = tl_crypto_init();

	if (code == TL_OK)
		crypto_sign_seed_keypair(unused.b, out->b, seed);
	return code;
}

void tl_secret_seed(const tl_secret *secret, uint8_t seed[TL_SEED_BYTES])
{
	if (!secret)
		return;
	crypto_sign_ed25519_sk_to_seed(seed, secret->b);
}

void tl_secret_public(const tl_secret *secret, tl_key *out)
{
	if (!secret)
		return;
	crypto_sign_ed25519_sk_to_pk(out->b, secret->b);
}

void tl_secret_wipe(tl_secret *secret)
{
	if (!secret)
		return;
	sodium_memzero(secret, sizeof *secret);
}

int tl_sign(const tl_secret *secret, const void *message, size_t len,
	uint8_t signature[TL_SIGNATURE_BYTES])
{
	TL__NEED(secret && signature);

	if (crypto_sign_detached(signature, NULL, message, len, secret->b) != 0)
		return tl__fail(TL_E_INTERNAL, "the message could not be signed");
	return TL_OK;
}

/* y < 2^255 - 19. The one other form to refuse, x = -0, has y = 1 or -1: small order, refused
 * below. */
static bool is_canonical(const uint8_t point[32])
{
	uint8_t y[32];
	uint8_t middle = 0xff;

	memcpy(y, point, sizeof y);
	y[31] &= 0x7f;
	for (size_t i = 1; i < 31; i++)
		middle &= y[i];
	return !(y[31] == 0x7f && middle == 0xff && y[0] >= 0xed);
}

/* The y coordinates of the eight points of small order; x never matters for the order. */
static bool is_small_order(const uint8_t point[32])
{
	static const uint8_t y[][32] = {
		{0},
		{1},
		{0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
			0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38,
			0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
		{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
			0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7,
			0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	};
	uint8_t plain[32];

	memcpy(plain, point, sizeof plain);
	plain[31] &= 0x7f;
	for (size_t i = 0; i < sizeof y / sizeof *y; i++)
		if (memcmp(plain, y[i], sizeof plain) == 0)
			return true;
	return false;
}

bool tl__point_usable(const uint8_t point[32])
{
	return is_canonical(point) && !is_small_order(point);
}

int tl_verify(const tl_key *key, const void *message, size_t len,
	const uint8_t signature[TL_SIGNATURE_BYTES])
{
	TL__NEED(key && signature);

	/* S < L, the cofactorless equation and the comparison of R as bytes are libsodium's. */
	if (!tl__point_usable(key->b) || !tl__point_usable(signature) ||
		crypto_sign_verify_detached(signature, message, len, key->b) != 0)
		return tl__fail(
			TL_E_BAD_SIGNATURE, "the signature does not belong to this key and text");
	return TL_OK;
}
