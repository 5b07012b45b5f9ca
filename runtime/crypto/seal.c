/* Seeds sealed by a passphrase. Box: "tls1" ‖ 12 zero bytes ‖ 16-byte salt ‖ secretbox of the seed
 * (16-byte tag, 32 bytes). The key is argon2id of the passphrase and the salt; since a salt is used
 * once, the nonce is zero. */
#include <sodium.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/public.h"

#define VERSION_BYTES 16
#define SALT_BYTES    crypto_pwhash_SALTBYTES
#define BOX_BYTES     (TL_SEED_BYTES + crypto_secretbox_MACBYTES)

_Static_assert(VERSION_BYTES + SALT_BYTES + BOX_BYTES <= TL_SEALED_BYTES, "size of a sealed seed");

static const uint8_t version[VERSION_BYTES] = "tls1";
static const uint8_t nonce[crypto_secretbox_NONCEBYTES];

static int derive(uint8_t key[crypto_secretbox_KEYBYTES], const uint8_t *salt,
	const char *passphrase, size_t len)
{
	if (crypto_pwhash(key, crypto_secretbox_KEYBYTES, passphrase, len, salt,
		    crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
		    crypto_pwhash_ALG_ARGON2ID13) != 0)
		return tl__fail(
			TL_E_NOMEM, "no memory to derive a key from the passphrase (64 MiB)");
	return TL_OK;
}

int tl_seal(uint8_t out[TL_SEALED_BYTES], const uint8_t seed[TL_SEED_BYTES], const char *passphrase,
	size_t len)
{
	TL__NEED(out && seed);

	uint8_t key[crypto_secretbox_KEYBYTES];
	uint8_t *salt = out + VERSION_BYTES;
	int code = tl_crypto_init();

	if (code != TL_OK)
		return code;
	memset(out, 0, TL_SEALED_BYTES);
	memcpy(out, version, sizeof version);
	randombytes_buf(salt, SALT_BYTES);
	code = derive(key, salt, passphrase, len);
	if (code == TL_OK)
		crypto_secretbox_easy(salt + SALT_BYTES, seed, TL_SEED_BYTES, nonce, key);
	sodium_memzero(key, sizeof key);
	return code;
}

int tl_unseal(uint8_t seed[TL_SEED_BYTES], const uint8_t sealed[TL_SEALED_BYTES],
	const char *passphrase, size_t len)
{
	TL__NEED(seed && sealed);

	uint8_t key[crypto_secretbox_KEYBYTES];
	const uint8_t *salt = sealed + VERSION_BYTES;
	int code = tl_crypto_init();

	if (code != TL_OK)
		return code;
	if (memcmp(sealed, version, sizeof version) != 0)
		return tl__fail(
			TL_E_UNSUPPORTED, "the key was sealed by a later version of tidelock");
	code = derive(key, salt, passphrase, len);
	if (code == TL_OK &&
		crypto_secretbox_open_easy(seed, salt + SALT_BYTES, BOX_BYTES, nonce, key) != 0)
		code = tl__fail(TL_E_WRONG_PASSPHRASE, "the passphrase does not open this key");
	sodium_memzero(key, sizeof key);
	return code;
}
