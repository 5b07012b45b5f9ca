/* Keys and messages that the specifications of v1 share: alice asks, bob answers. */
#ifndef SPEC_V1_FIXTURE_H
#define SPEC_V1_FIXTURE_H

#include "base/buf.h"
#include "base/str.h"
#include "check.h"
#include "wire/v1.h"

static tl_secret alice, bob, carol, keys[TL__V1_MAX_KEYS + 1];
static const tl_secret *provers[TL__V1_MAX_KEYS + 1];
static tl_key alice_key, bob_key, carol_key;

static inline void secret_of(tl_secret *out, tl_key *key, uint8_t seed_byte)
{
	uint8_t seed[TL_SEED_BYTES];

	memset(seed, seed_byte, sizeof seed);
	if (tl_secret_from_seed(out, seed) != TL_OK)
		exit(2);
	if (key)
		tl_secret_public(out, key);
}

static inline void make_keys(void)
{
	secret_of(&alice, &alice_key, 1);
	secret_of(&bob, &bob_key, 2);
	secret_of(&carol, &carol_key, 3);
	for (uint8_t i = 0; i <= TL__V1_MAX_KEYS; i++) {
		secret_of(&keys[i], NULL, (uint8_t)(10 + i));
		provers[i] = &keys[i];
	}
}

/* A pull by alice from bob. */
static inline tl__v1_request plain_request(void)
{
	tl__v1_request m = {.has_to = true,
		.to = bob_key,
		.from = alice_key,
		.method = TL__STR("pull"),
		.has_db = true,
		.time = 1767225600123,
		.has_epoch = true,
		.channel = TL__STR("none"),
		.args = TL__STR("{\"a\":[1,\"x\"]}")};

	tl_id_of(&m.db, "db", 2);
	memset(m.nonce, 0xa5, sizeof m.nonce);
	memset(m.epoch, 0x5a, sizeof m.epoch);
	return m;
}

/* Everything a recipient checks that can be checked without memory of other requests. */
static inline int accept_request(tl_str bytes, const tl_key *us)
{
	tl__v1_frame frame;
	tl__v1_request m;
	tl__v1_method method;
	uint8_t digest[32];
	int code = tl__v1_frame_read(&frame, bytes.ptr, bytes.len);

	if (code == TL_OK)
		code = tl__v1_request_read(&m, frame.header);
	if (code == TL_OK)
		code = tl__v1_request_form(&frame, &m, &method);
	if (code == TL_OK && (!m.has_to || memcmp(&m.to, us, sizeof *us) != 0))
		code = TL_E_BAD_MESSAGE;
	if (code == TL_OK)
		code = tl__v1_verify_request(&frame, &m.from);
	for (size_t i = 0; code == TL_OK && i < m.key_count; i++)
		code = tl__v1_verify_proof(&frame, i, &m.keys[i]);
	if (code == TL_OK && bytes.len - frame.size != m.body_len)
		code = TL_E_BAD_MESSAGE;
	tl_sha256(bytes.ptr + (code == TL_OK ? frame.size : 0),
		code == TL_OK ? bytes.len - frame.size : 0, digest);
	if (code == TL_OK && memcmp(digest, m.body_sha256, 32) != 0)
		code = TL_E_BAD_MESSAGE;
	return code;
}

static inline int write_plain(tl__buf *out, size_t proofs, uint8_t re[32])
{
	tl__v1_request m = plain_request();

	return tl__v1_request_write(out, &m, &alice, provers, proofs, TL__STR("line\n"), re);
}

#endif
