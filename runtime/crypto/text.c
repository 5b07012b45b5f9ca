/* Text forms of keys and ids, hashes, base64. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init: see tl_sha256 */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sodium.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/public.h"
#include "base/str.h"
#include "crypto/key.h"
#include "crypto/point.h"

#define KEY_PREFIX  "ed25519:"
#define SEED_PREFIX "ed25519-seed:"

int tl__key_decode(tl_key *out, tl_str text)
{
	tl_str prefix = TL__STR(KEY_PREFIX);
	size_t len = 0;

	if (!tl__str_starts(text, prefix))
		return tl__fail(TL_E_BAD_KEY, "a public key begins with `" KEY_PREFIX "`");
	text.ptr += prefix.len;
	text.len -= prefix.len;
	if (tl_base64_decode(out->b, sizeof out->b, &len, text) != TL_OK)
		return tl__fail_cause(
			TL_E_BAD_KEY, "a public key is 44 characters of padded base64");
	if (len != sizeof out->b)
		return tl__fail(TL_E_BAD_KEY, "a public key has 32 bytes, this one %zu", len);
	return TL_OK;
}

int tl_key_parse(tl_key *out, tl_str text)
{
	TL__NEED(out);

	uint8_t unused[32];
	int rc = tl__key_decode(out, text);

	if (rc != TL_OK)
		return rc;
	if (!tl__point_usable(out->b))
		return tl__fail(TL_E_BAD_KEY, "the public key is of small order or not canonical");
	/* Adding is libsodium's way to ask whether a point lies on the curve, whatever its order.
	 */
	if (crypto_core_ed25519_add(unused, out->b, out->b) != 0)
		return tl__fail(TL_E_BAD_KEY, "the public key is no point of the curve");
	return TL_OK;
}

void tl_key_format(const tl_key *key, char out[TL_KEY_TEXT_LEN + 1])
{
	if (!out)
		return;
	out[0] = '\0';
	if (!key)
		return;
	memcpy(out, KEY_PREFIX, sizeof KEY_PREFIX - 1);
	tl_base64_encode(out + sizeof KEY_PREFIX - 1, key->b, sizeof key->b);
}

int tl_seed_parse(uint8_t seed[TL_SEED_BYTES], tl_str text)
{
	TL__NEED(seed);

	tl_str prefix = TL__STR(SEED_PREFIX);
	size_t len = 0;

	if (text.len == TL_SEED_TEXT_LEN && tl__str_starts(text, prefix) &&
		tl_base64_decode(seed, TL_SEED_BYTES, &len,
			(tl_str){text.ptr + prefix.len, text.len - prefix.len}) == TL_OK &&
		len == TL_SEED_BYTES)
		return TL_OK;
	sodium_memzero(seed, TL_SEED_BYTES);
	/* Nothing of the text is shown: it may be a secret mistyped. */
	return tl__fail(TL_E_BAD_KEY,
		"a private key is `" SEED_PREFIX "` and 44 characters of padded base64");
}

void tl_seed_format(const uint8_t seed[TL_SEED_BYTES], char out[TL_SEED_TEXT_LEN + 1])
{
	if (!out)
		return;
	out[0] = '\0';
	if (!seed)
		return;
	memcpy(out, SEED_PREFIX, sizeof SEED_PREFIX - 1);
	tl_base64_encode(out + sizeof SEED_PREFIX - 1, seed, TL_SEED_BYTES);
}

/* By the calls that need no memory: the others look their algorithm up, and leave the digest as it
 * was when that fails. */
void tl_sha256(const void *bytes, size_t len, uint8_t digest[32])
{
	SHA256_CTX context;

	if (!digest)
		return;
	SHA256_Init(&context);
	SHA256_Update(&context, bytes, bytes ? len : 0);
	SHA256_Final(digest, &context);
}

/* --- ids -------------------------------------------------------------------------------------- */

static const struct {
	const char *prefix;
	uint8_t kind;
} algorithms[] = {{"sha256:", 's'}, {"blake3:", 'b'}};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int tl_id_parse(tl_id *out, tl_str text)
{
	TL__NEED(out);

	size_t prefix = strlen(algorithms[0].prefix);

	if (text.len != TL_ID_TEXT_LEN)
		return tl__fail(TL_E_BAD_ID, "an id has %d characters, `sha256:` and 64 hex digits",
			TL_ID_TEXT_LEN);
	out->b[0] = 0;
	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
		if (memcmp(text.ptr, algorithms[i].prefix, prefix) == 0)
			out->b[0] = algorithms[i].kind;
	if (out->b[0] == 0)
		return tl__fail(TL_E_BAD_ID, "an id begins with `sha256:` or `blake3:`");
	for (size_t i = 0; i < 32; i++) {
		int high = hex_digit(text.ptr[prefix + 2 * i]);
		int low = hex_digit(text.ptr[prefix + 2 * i + 1]);

		if (high < 0 || low < 0)
			return tl__fail(TL_E_BAD_ID, "an id holds 64 lower-case hex digits");
		out->b[1 + i] = (uint8_t)(high << 4 | low);
	}
	return TL_OK;
}

void tl_id_format(const tl_id *id, char out[TL_ID_TEXT_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t prefix = strlen(algorithms[0].prefix);

	if (!out)
		return;
	out[0] = '\0';
	if (!id)
		return;
	memcpy(out, algorithms[id->b[0] == 'b'].prefix, prefix);
	for (size_t i = 0; i < 32; i++) {
		out[prefix + 2 * i] = digits[id->b[1 + i] >> 4];
		out[prefix + 2 * i + 1] = digits[id->b[1 + i] & 15];
	}
	out[TL_ID_TEXT_LEN] = '\0';
}

void tl_id_of(tl_id *out, const void *bytes, size_t len)
{
	if (!out)
		return;
	out->b[0] = 's';
	tl_sha256(bytes, len, out->b + 1);
}

/* --- base64 ----------------------------------------------------------------------------------- */

size_t tl_base64_size(size_t len)
{
	return (len + 2) / 3 * 4 + 1;
}

void tl_base64_encode(char *out, const void *bytes, size_t len)
{
	if (out && (bytes || len == 0))
		sodium_bin2base64(
			out, tl_base64_size(len), bytes, len, sodium_base64_VARIANT_ORIGINAL);
}

int tl_base64_decode(void *out, size_t cap, size_t *len, tl_str text)
{
	TL__NEED(len);

	const char *end = NULL;
	size_t padding = 0;

	*len = 0;
	if (text.len % 4 != 0)
		return tl__fail(TL_E_BAD_BASE64, "base64 has a length that is a multiple of 4");
	while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
		padding++;
	if (text.len / 4 * 3 - padding > cap)
		return tl__fail(TL_E_TOO_LARGE, "base64 of at most %zu bytes was expected", cap);
	/* libsodium 1.0.18 takes every byte from 0x80 on for a `/`. */
	for (size_t i = 0; i < text.len; i++)
		if ((uint8_t)text.ptr[i] >= 0x80)
			return tl__fail(TL_E_BAD_BASE64, "base64 holds a character that is none");
	if (sodium_base642bin(out, cap, text.ptr, text.len, NULL, len, &end,
		    sodium_base64_VARIANT_ORIGINAL) != 0 ||
		end != text.ptr + text.len)
		return tl__fail(TL_E_BAD_BASE64, "base64 holds a character or ending that is none");
	return TL_OK;
}
