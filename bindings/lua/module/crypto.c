/* tidelock.crypto: keys, signatures, hashes, random bytes, sealing. */
#include "module/lib.h"

#define SECRET_TYPE "tidelock.secret"

/* A secret is a userdata that holds the key itself; closing wipes it. */
struct secret {
	tl_secret key;
	bool open;
};

static struct secret *check_secret(lua_State *L, int arg)
{
	struct secret *secret = luaL_checkudata(L, arg, SECRET_TYPE);

	luaL_argcheck(L, secret->open, arg, "this secret is closed");
	return secret;
}

const tl_secret *tlua_check_secret(lua_State *L, int arg)
{
	return &check_secret(L, arg)->key;
}

static int secret_drop(lua_State *L)
{
	struct secret *secret = luaL_checkudata(L, 1, SECRET_TYPE);

	tl_secret_wipe(&secret->key);
	secret->open = false;
	return 0;
}

static int secret_tostring(lua_State *L)
{
	struct secret *secret = luaL_checkudata(L, 1, SECRET_TYPE);

	lua_pushfstring(L, "%s (%s)", SECRET_TYPE, secret->open ? "open" : "closed");
	return 1;
}

static struct secret *new_secret(lua_State *L)
{
	struct secret *secret = lua_newuserdatauv(L, sizeof *secret, 0);

	secret->open = false;
	luaL_setmetatable(L, SECRET_TYPE);
	return secret;
}

/* Takes the seed over: it is wiped. */
static int open_secret(lua_State *L, struct secret *secret, uint8_t seed[TL_SEED_BYTES], int rc)
{
	if (rc == TL_OK)
		rc = tl_secret_from_seed(&secret->key, seed);
	tlua_wipe(seed, TL_SEED_BYTES);
	secret->open = rc == TL_OK;
	return tlua_result(L, rc, 1);
}

/* new_secret([seed]) */
static int crypto_new_secret(lua_State *L)
{
	struct secret *secret;
	uint8_t seed[TL_SEED_BYTES];
	int rc;

	lua_settop(L, 1);
	secret = new_secret(L);
	if (lua_isnil(L, 1)) {
		rc = tl_secret_new(&secret->key);
		secret->open = rc == TL_OK;
		return tlua_result(L, rc, 1);
	}
	if (!tlua_read_seed(L, 1, seed))
		return tlua_fail(L);
	return open_secret(L, secret, seed, TL_OK);
}

static int secret_public_key(lua_State *L)
{
	tl_key key;

	tl_secret_public(&check_secret(L, 1)->key, &key);
	tlua_push_key(L, &key);
	return 1;
}

static int secret_sign(lua_State *L)
{
	struct secret *secret = check_secret(L, 1);
	tl_str message = tlua_check_str(L, 2);
	uint8_t signature[TL_SIGNATURE_BYTES];
	int rc = tl_sign(&secret->key, message.ptr, message.len, signature);

	lua_pushlstring(L, (const char *)signature, sizeof signature);
	return tlua_result(L, rc, 1);
}

static int secret_seal(lua_State *L)
{
	struct secret *secret = check_secret(L, 1);
	tl_str passphrase = tlua_check_str(L, 2);
	uint8_t seed[TL_SEED_BYTES], sealed[TL_SEALED_BYTES];
	int rc;

	tl_secret_seed(&secret->key, seed);
	rc = tl_seal(sealed, seed, passphrase.ptr, passphrase.len);
	tlua_wipe(seed, sizeof seed);
	lua_pushlstring(L, (const char *)sealed, sizeof sealed);
	return tlua_result(L, rc, 1);
}

static int crypto_unseal(lua_State *L)
{
	tl_str sealed = tlua_check_str(L, 1), passphrase = tlua_check_str(L, 2);
	struct secret *secret = new_secret(L);
	uint8_t seed[TL_SEED_BYTES];

	if (sealed.len != TL_SEALED_BYTES) {
		(void)tl_error_set(TL_E_BAD_KEY, "a sealed key has 80 bytes");
		return tlua_fail(L);
	}
	return open_secret(L, secret, seed,
		tl_unseal(seed, (const uint8_t *)sealed.ptr, passphrase.ptr, passphrase.len));
}

static int crypto_verify(lua_State *L)
{
	tl_str message = tlua_check_str(L, 2);
	tl_str signature = tlua_check_str(L, 3);
	tl_key key;

	if (!tlua_read_key(L, 1, &key))
		return tlua_fail(L);
	if (signature.len != TL_SIGNATURE_BYTES)
		return tlua_ok(L, tl_error_set(TL_E_BAD_SIGNATURE, "a signature has 64 bytes"));
	return tlua_ok(
		L, tl_verify(&key, message.ptr, message.len, (const uint8_t *)signature.ptr));
}

/* parse_key(text) -> the key's text, once it is known to be one */
static int crypto_parse_key(lua_State *L)
{
	tl_key key;

	if (!tlua_read_key(L, 1, &key))
		return tlua_fail(L);
	tlua_push_key(L, &key);
	return 1;
}

/* parse_id(text) -> the id's text */
static int crypto_parse_id(lua_State *L)
{
	tl_id id;

	if (!tlua_read_id(L, 1, &id))
		return tlua_fail(L);
	tlua_push_id(L, &id);
	return 1;
}

static int crypto_sha256(lua_State *L)
{
	tl_str bytes = tlua_check_str(L, 1);
	uint8_t digest[32];

	tl_sha256(bytes.ptr, bytes.len, digest);
	lua_pushlstring(L, (const char *)digest, sizeof digest);
	return 1;
}

static int crypto_id_of(lua_State *L)
{
	tl_str bytes = tlua_check_str(L, 1);
	tl_id id;

	tl_id_of(&id, bytes.ptr, bytes.len);
	tlua_push_id(L, &id);
	return 1;
}

#define RANDOM_MAX 65536

static int crypto_random(lua_State *L)
{
	lua_Integer len = luaL_checkinteger(L, 1);
	luaL_Buffer buffer;

	luaL_argcheck(L, len >= 0 && len <= RANDOM_MAX, 1, "0 to 65536 bytes at a time");
	tl_random_bytes(luaL_buffinitsize(L, &buffer, (size_t)len), (size_t)len);
	luaL_pushresultsize(&buffer, (size_t)len);
	return 1;
}

static int crypto_base64_encode(lua_State *L)
{
	tl_str bytes = tlua_check_str(L, 1);
	size_t size = tl_base64_size(bytes.len);
	luaL_Buffer buffer;

	tl_base64_encode(luaL_buffinitsize(L, &buffer, size), bytes.ptr, bytes.len);
	luaL_pushresultsize(&buffer, size - 1);
	return 1;
}

static int crypto_base64_decode(lua_State *L)
{
	tl_str text = tlua_check_str(L, 1);
	size_t cap = text.len / 4 * 3 + 3, len = 0;
	luaL_Buffer buffer;
	int rc = tl_base64_decode(luaL_buffinitsize(L, &buffer, cap), cap, &len, text);

	luaL_pushresultsize(&buffer, rc == TL_OK ? len : 0);
	return tlua_result(L, rc, 1);
}

static const luaL_Reg secret_methods[] = {{"public_key", secret_public_key}, {"sign", secret_sign},
	{"seal", secret_seal}, {"close", secret_drop}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"new_secret", crypto_new_secret}, {"unseal", crypto_unseal},
	{"verify", crypto_verify}, {"parse_key", crypto_parse_key}, {"parse_id", crypto_parse_id},
	{"sha256", crypto_sha256}, {"id_of", crypto_id_of}, {"random", crypto_random},
	{"base64_encode", crypto_base64_encode}, {"base64_decode", crypto_base64_decode},
	{NULL, NULL}};

int luaopen_tidelock_crypto(lua_State *L)
{
	tlua_new_type(L, SECRET_TYPE, secret_methods, secret_drop);
	luaL_getmetatable(L, SECRET_TYPE);
	lua_pushcfunction(L, secret_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
