#include "wire/share.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "crypto/vault.h"
#include "model/ids.h"

#define CHECK_BYTES 4 /* of the hash over all before them: tells a text that was cut or altered */
#define CHECK_START "tidelock/share/text"
#define TOKEN_START "tidelock/share/token"

/* --- what a token stands for ------------------------------------------------------------------ */

int tl__share_secret(tl_secret *out, const uint8_t token[TL__SHARE_TOKEN_BYTES])
{
	uint8_t bytes[sizeof TOKEN_START + TL__SHARE_TOKEN_BYTES], seed[TL_SEED_BYTES];
	int rc;

	memcpy(bytes, TOKEN_START, sizeof TOKEN_START);
	memcpy(bytes + sizeof TOKEN_START, token, TL__SHARE_TOKEN_BYTES);
	tl_sha256(bytes, sizeof bytes, seed);
	rc = tl_secret_from_seed(out, seed);
	tl__vault_wipe(bytes, sizeof bytes);
	tl__vault_wipe(seed, sizeof seed);
	return rc;
}

void tl__share_id(char out[TL_SHARE_ID_LEN + 1], const tl_key *key)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < TL_SHARE_ID_LEN / 2; i++) {
		out[2 * i] = digits[key->b[i] >> 4];
		out[2 * i + 1] = digits[key->b[i] & 15];
	}
	out[TL_SHARE_ID_LEN] = 0;
}

void tl__share_wipe(tl__share_text *share)
{
	tl__vault_wipe(share, sizeof *share);
}

/* --- bytes ------------------------------------------------------------------------------------ */

static void put_u32(uint8_t out[4], uint32_t number)
{
	for (size_t i = 0; i < 4; i++)
		out[i] = (uint8_t)(number >> (24 - 8 * i));
}

static void check_of(uint8_t out[CHECK_BYTES], const uint8_t *bytes, size_t len)
{
	uint8_t hashed[sizeof CHECK_START + TL__SHARE_MAX_BYTES], digest[32];

	memcpy(hashed, CHECK_START, sizeof CHECK_START);
	memcpy(hashed + sizeof CHECK_START, bytes, len);
	tl_sha256(hashed, sizeof CHECK_START + len, digest);
	memcpy(out, digest, CHECK_BYTES);
	tl__vault_wipe(hashed, sizeof hashed);
}

static void append(uint8_t *bytes, size_t *len, const void *from, size_t count)
{
	memcpy(bytes + *len, from, count);
	*len += count;
}

static size_t gather(uint8_t bytes[TL__SHARE_MAX_BYTES], const tl__share_text *share)
{
	uint8_t number[4], kind = (uint8_t)share->permission.kind, check[CHECK_BYTES];
	size_t len = 0;

	put_u32(number, share->permission.priority);
	append(bytes, &len, share->node.b, TL_KEY_BYTES);
	append(bytes, &len, share->db.b, TL_ID_BYTES);
	append(bytes, &len, share->token, TL__SHARE_TOKEN_BYTES);
	append(bytes, &len, &kind, 1);
	append(bytes, &len, number, sizeof number);
	for (size_t i = 0; i < share->address_count; i++) {
		tl_str address = share->addresses[i];

		if (address.len == 0 || address.len > TL__SHARE_MAX_ADDRESS ||
			len + 2 + address.len + CHECK_BYTES > TL__SHARE_MAX_BYTES)
			continue;
		bytes[len++] = (uint8_t)(address.len >> 8);
		bytes[len++] = (uint8_t)address.len;
		append(bytes, &len, address.ptr, address.len);
	}
	check_of(check, bytes, len);
	append(bytes, &len, check, sizeof check);
	return len;
}

/* The next `count` bytes; NULL: there are not so many. */
static const uint8_t *take(const tl__share_text *share, size_t len, size_t *at, size_t count)
{
	const uint8_t *bytes = share->bytes + *at;

	if (len - *at < count)
		return NULL;
	*at += count;
	return bytes;
}

static bool take_address(tl__share_text *share, size_t len, size_t *at)
{
	const uint8_t *size = take(share, len, at, 2);
	size_t count = size ? (size_t)size[0] << 8 | size[1] : 0;
	const uint8_t *text = take(share, len, at, count);
	tl_str address = {(const char *)text, count};

	if (count == 0 || count > TL__SHARE_MAX_ADDRESS || !text || memchr(text, 0, count) ||
		share->address_count == TL__V1_MAX_ADDRESSES || !tl__utf8_valid(address))
		return false;
	share->addresses[share->address_count++] = address;
	return true;
}

/* Read as texts are, so that no other form of a key or an id enters. */
static bool is_key(const tl_key *key)
{
	char text[TL_KEY_TEXT_LEN + 1];
	tl_key again;

	tl_key_format(key, text);
	return tl_key_parse(&again, tl__str_z(text)) == TL_OK;
}

static bool is_id(const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];
	tl_id again;

	tl_id_format(id, text);
	return tl_id_parse(&again, tl__str_z(text)) == TL_OK && tl__id_equal(id, &again);
}

static bool scatter(tl__share_text *share, size_t len)
{
	enum { FIXED = TL_KEY_BYTES + TL_ID_BYTES + TL__SHARE_TOKEN_BYTES + 1 + 4 };
	const uint8_t *bytes = share->bytes;
	uint8_t check[CHECK_BYTES];
	size_t at = FIXED;

	if (len < FIXED + CHECK_BYTES)
		return false;
	len -= CHECK_BYTES;
	check_of(check, bytes, len);
	if (memcmp(check, bytes + len, CHECK_BYTES) != 0)
		return false;
	memcpy(share->node.b, bytes, TL_KEY_BYTES);
	memcpy(share->db.b, bytes + TL_KEY_BYTES, TL_ID_BYTES);
	memcpy(share->token, bytes + TL_KEY_BYTES + TL_ID_BYTES, TL__SHARE_TOKEN_BYTES);
	bytes += FIXED - 5;
	if (bytes[0] > TL_ADMIN)
		return false;
	share->permission.kind = (tl_permission_kind)bytes[0];
	for (size_t i = 1; i < 5; i++)
		share->permission.priority = share->permission.priority << 8 | bytes[i];
	if (share->permission.kind == TL_READ && share->permission.priority != 0)
		return false;
	while (at < len)
		if (!take_address(share, len, &at))
			return false;
	return share->address_count > 0 && is_key(&share->node) && is_id(&share->db);
}

/* --- text ------------------------------------------------------------------------------------- */

/* Base64 with the letters of URLs, and without the signs at its end. */
static void to_url(char *text)
{
	size_t len = strlen(text);

	for (char *c = text; *c; c++)
		*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
	while (len > 0 && text[len - 1] == '=')
		text[--len] = 0;
}

/* false: it has letters of the other kind. */
static bool from_url(char *out, tl_str text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '+' || c == '/' || c == '=')
			return false;
		out[i] = (char)(c == '-' ? '+' : c == '_' ? '/' : c);
	}
	memset(out + text.len, '=', (4 - text.len % 4) % 4);
	return true;
}

int tl__share_write(char out[TL_SHARE_MAX_TEXT + 1], const tl__share_text *share)
{
	static const char start[] = TL__SHARE_START TL__SHARE_VERSION;
	uint8_t bytes[TL__SHARE_MAX_BYTES];
	size_t len;

	_Static_assert(sizeof start + (TL__SHARE_MAX_BYTES + 2) / 3 * 4 <= TL_SHARE_MAX_TEXT + 1,
		"every share fits its text");
	if (share->address_count == 0 || share->address_count > TL__V1_MAX_ADDRESSES)
		return tl__fail(
			TL_E_BAD_ARGUMENT, "a share has 1 to %d addresses", TL__V1_MAX_ADDRESSES);
	len = gather(bytes, share);
	memcpy(out, start, sizeof start);
	tl_base64_encode(out + sizeof start - 1, bytes, len);
	to_url(out + sizeof start - 1);
	tl__vault_wipe(bytes, sizeof bytes);
	return TL_OK;
}

/* Never says what stands in it: it may be whole but for a letter. */
static int bad(void)
{
	return tl__fail(TL_E_BAD_SHARE,
		"this is no text of a share, or it was cut or altered on its way; copy all of it, "
		"from " TL__SHARE_START " to its end");
}

int tl__share_read(tl__share_text *out, tl_str text)
{
	tl_str start = TL__STR(TL__SHARE_START), version = TL__STR(TL__SHARE_VERSION);
	char base64[TL_SHARE_MAX_TEXT + 4];
	size_t len = 0;
	bool good;

	memset(out, 0, sizeof *out);
	if (text.len > TL_SHARE_MAX_TEXT)
		return tl__fail(TL_E_BAD_SHARE, "the text of a share has at most %d characters",
			TL_SHARE_MAX_TEXT);
	if (!tl__str_starts(text, start))
		return bad();
	text = (tl_str){text.ptr + start.len, text.len - start.len};
	if (!tl__str_starts(text, version))
		return text.len > 0 && text.ptr[0] >= '2' && text.ptr[0] <= '9'
			       ? tl__fail(TL_E_UNSUPPORTED,
					 "this share is of a later version of tidelock; update "
					 "this node to use it")
			       : bad();
	text = (tl_str){text.ptr + version.len, text.len - version.len};
	good = from_url(base64, text) &&
	       tl_base64_decode(out->bytes, sizeof out->bytes, &len,
		       (tl_str){base64, (text.len + 3) / 4 * 4}) == TL_OK &&
	       scatter(out, len);
	tl__vault_wipe(base64, sizeof base64);
	if (good)
		return TL_OK;
	tl__share_wipe(out);
	return bad();
}
