/* Keys, signatures, text forms, sealing, the verify pool. */
#include <pthread.h>
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include "crypto/pool.h"
#include "crypto_vectors.h"

static size_t unhex(uint8_t *out, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t len = strlen(hex) / 2;

	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)((strchr(digits, hex[2 * i]) - digits) << 4 |
				   (strchr(digits, hex[2 * i + 1]) - digits));
	return len;
}

/* --- signatures ------------------------------------------------------------------------------- */

static void signatures_are_those_of_rfc_8032(void)
{
	static const struct {
		const char *seed, *key, *message, *signature;
	} cases[] = {{"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
			     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8"
			     "821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
		{"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43"
			"e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
		{"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538"
			"d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"}};

	for (size_t i = 0; i < 3; i++) {
		uint8_t seed[32], wanted_key[32], message[8], wanted[64], signature[64], back[32];
		size_t len = unhex(message, cases[i].message);
		tl_secret secret;
		tl_key key;

		unhex(seed, cases[i].seed);
		unhex(wanted_key, cases[i].key);
		unhex(wanted, cases[i].signature);
		REQUIRE(tl_secret_from_seed(&secret, seed) == TL_OK);
		tl_secret_public(&secret, &key);
		CHECK(memcmp(key.b, wanted_key, 32) == 0);
		tl_secret_seed(&secret, back);
		CHECK(memcmp(back, seed, 32) == 0);
		CHECK_OK(tl_sign(&secret, message, len, signature));
		CHECK(memcmp(signature, wanted, 64) == 0);
		CHECK_OK(tl_verify(&key, message, len, signature));
		tl_secret_wipe(&secret);
		for (size_t b = 0; b < sizeof secret.b; b++)
			CHECK(secret.b[b] == 0);
	}
}

static void the_strict_rule_decides(void)
{
	for (size_t i = 0; i < sizeof strict_vectors / sizeof *strict_vectors; i++) {
		uint8_t message[64], signature[64];
		size_t len = unhex(message, strict_vectors[i].message);
		tl_key key;
		int code;

		unhex(key.b, strict_vectors[i].key);
		unhex(signature, strict_vectors[i].signature);
		code = tl_verify(&key, message, len, signature);
		if ((code == TL_OK) != strict_vectors[i].good)
			printf("%s\n", strict_vectors[i].name);
		CHECK(code == (strict_vectors[i].good ? TL_OK : TL_E_BAD_SIGNATURE));
	}
}

/* The pool judges by the same rule. */
static void the_pool_decides_alike(void)
{
	enum { COUNT = sizeof strict_vectors / sizeof *strict_vectors };
	tl__verify_pool *pool;
	tl__verify_job jobs[COUNT];
	uint8_t messages[COUNT][64];

	memset(jobs, 0, sizeof jobs);
	for (size_t i = 0; i < COUNT; i++) {
		size_t len = unhex(messages[i], strict_vectors[i].message);

		jobs[i].message = (tl_str){(const char *)messages[i], len};
		unhex(jobs[i].key.b, strict_vectors[i].key);
		unhex(jobs[i].signature, strict_vectors[i].signature);
	}
	REQUIRE(tl__verify_pool_new(&pool, 3) == TL_OK);
	tl__verify_batch(pool, jobs, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		CHECK(jobs[i].good == strict_vectors[i].good);
	tl__verify_pool_free(pool);
}

static void altered_messages_do_not_verify(void)
{
	uint8_t seed[32] = {4}, signature[64], message[] = "a message";
	tl_secret secret;
	tl_key key;

	REQUIRE(tl_secret_from_seed(&secret, seed) == TL_OK);
	tl_secret_public(&secret, &key);
	REQUIRE(tl_sign(&secret, message, sizeof message, signature) == TL_OK);
	CHECK_CODE(tl_verify(&key, message, sizeof message - 1, signature), TL_E_BAD_SIGNATURE);
	for (size_t bit = 0; bit < 8 * sizeof message; bit++) {
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(tl_verify(&key, message, sizeof message, signature) != TL_OK);
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 512; bit++) {
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(tl_verify(&key, message, sizeof message, signature) != TL_OK);
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 256; bit++) {
		key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		CHECK(tl_verify(&key, message, sizeof message, signature) != TL_OK);
		key.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	CHECK_OK(tl_verify(&key, message, sizeof message, signature));
}

static void new_secrets_differ(void)
{
	tl_secret a, b;
	uint8_t first[64] = {0}, second[64] = {0};

	CHECK_OK(tl_secret_new(&a));
	CHECK_OK(tl_secret_new(&b));
	CHECK(memcmp(&a, &b, sizeof a) != 0);
	tl_random_bytes(first, sizeof first);
	tl_random_bytes(second, sizeof second);
	CHECK(memcmp(first, second, sizeof first) != 0);
}

/* --- pool under load -------------------------------------------------------------------------- */

#define CALLERS 4
#define ROUNDS  20

typedef struct caller {
	tl__verify_pool *pool;
	uint64_t seed;
	size_t wrong; /* results that were not what they had to be */
	pthread_t thread;
} caller;

static void make_job(tl__verify_job *job, const tl_secret *secret, const tl__random *random,
	bool *good, char message[32])
{
	for (size_t i = 0; i < 32; i++)
		message[i] = (char)tl__random_below(random, 256);
	job->message = (tl_str){message, 32};
	tl_secret_public(secret, &job->key);
	*good = tl_sign(secret, message, 32, job->signature) == TL_OK;
	if (tl__random_below(random, 3) == 0) {
		job->signature[tl__random_below(random, 64)] ^= 1;
		*good = false;
	}
	job->good = !*good; /* whatever was there must be overwritten */
}

static void *call_pool(void *ud)
{
	static const size_t sizes[] = {0, 1, 2, 7, 64, 130};
	caller *c = ud;
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, c->seed);
	tl__verify_job jobs[130];
	char messages[130][32];
	bool good[130];
	uint8_t seed[32];
	tl_secret secret;

	memset(seed, (int)c->seed, sizeof seed);
	if (tl_secret_from_seed(&secret, seed) != TL_OK)
		c->wrong++;
	for (int round = 0; round < ROUNDS; round++) {
		size_t count = sizes[round % 6];

		for (size_t i = 0; i < count; i++)
			make_job(&jobs[i], &secret, &random, &good[i], messages[i]);
		tl__verify_batch(c->pool, jobs, count);
		for (size_t i = 0; i < count; i++)
			c->wrong += jobs[i].good != good[i];
	}
	return NULL;
}

static void pool_serves_several_callers(void)
{
	for (unsigned threads = 0; threads <= TL__VERIFY_POOL_MAX_THREADS + 1; threads++) {
		caller callers[CALLERS];
		tl__verify_pool *pool;
		size_t started = 0;

		REQUIRE(tl__verify_pool_new(&pool, threads) == TL_OK);
		for (; started < CALLERS; started++) {
			callers[started] = (caller){.pool = pool, .seed = started + 1};
			if (pthread_create(&callers[started].thread, NULL, call_pool,
				    &callers[started]) != 0)
				break;
		}
		CHECK(started == CALLERS);
		for (size_t i = 0; i < started; i++) {
			pthread_join(callers[i].thread, NULL);
			CHECK(callers[i].wrong == 0);
		}
		tl__verify_pool_free(pool);
	}
	tl__verify_pool_free(NULL);
}

#define BATCHES 5
#define INDICES 500

typedef struct counted {
	tl__pool_batch batch;
	atomic_uint done[INDICES];
} counted;

static void count_index(void *ud, size_t index)
{
	atomic_fetch_add(&((counted *)ud)->done[index], 1);
}

static void start_counted(tl__verify_pool *pool, counted *c, size_t count)
{
	memset(c, 0, sizeof *c);
	c->batch.run = count_index;
	c->batch.ud = c;
	c->batch.count = count;
	tl__pool_start(pool, &c->batch);
}

/* How many indices were run; SIZE_MAX when one was twice. */
static size_t run_once(counted *c)
{
	size_t count = 0;

	for (size_t i = 0; i < INDICES; i++) {
		unsigned done = atomic_load(&c->done[i]);

		if (done > 1)
			return SIZE_MAX;
		count += done;
	}
	return count;
}

/* Several are under way, and end in any order. */
static void each_index_of_a_batch_is_run_once(void)
{
	static const size_t order[BATCHES] = {3, 0, 4, 1, 2};
	static counted batches[BATCHES];

	for (unsigned threads = 1; threads <= 4; threads++) {
		tl__verify_pool *pool;

		REQUIRE(tl__verify_pool_new(&pool, threads) == TL_OK);
		for (size_t i = 0; i < BATCHES; i++)
			start_counted(pool, &batches[i], i == 2 ? 0 : INDICES - i);
		for (size_t i = 0; i < BATCHES; i++) {
			tl__pool_finish(pool, &batches[order[i]].batch);
			CHECK(run_once(&batches[order[i]]) == batches[order[i]].batch.count);
			tl__pool_finish(pool, &batches[order[i]].batch);
		}
		tl__verify_pool_free(pool);
		for (size_t i = 0; i < BATCHES; i++)
			CHECK(run_once(&batches[i]) == batches[i].batch.count);
	}
}

/* What is begun is waited for, and nothing is touched afterwards. */
static void an_abandoned_batch_is_left(void)
{
	tl__verify_pool *pool;

	REQUIRE(tl__verify_pool_new(&pool, 4) == TL_OK);
	for (int round = 0; round < 200; round++) {
		counted *first = malloc(sizeof *first), *second = malloc(sizeof *second);

		CHECK(first && second);
		if (!first || !second) {
			free(first);
			free(second);
			break;
		}
		start_counted(pool, first, INDICES);
		start_counted(pool, second, INDICES);
		tl__pool_abandon(pool, &first->batch);
		CHECK(run_once(first) <= INDICES);
		free(first);
		tl__pool_finish(pool, &second->batch);
		CHECK(run_once(second) == INDICES);
		tl__pool_abandon(pool, &second->batch);
		free(second);
	}
	tl__verify_pool_free(pool);
}

static void unused_pools_end_at_once(void)
{
	for (int i = 0; i < 100; i++) {
		tl__verify_pool *pool;

		REQUIRE(tl__verify_pool_new(&pool, 0) == TL_OK);
		tl__verify_pool_free(pool);
	}
}

/* --- keys and ids as text --------------------------------------------------------------------- */

/* "ed25519:" and the base64 of these bytes. */
static int parse_key_bytes(const uint8_t bytes[32], tl_key *out)
{
	char text[TL_KEY_TEXT_LEN + 1];
	tl_key key;

	memcpy(key.b, bytes, 32);
	tl_key_format(&key, text);
	return tl_key_parse(out, tl__str_z(text));
}

static void keys_are_points_of_the_curve(void)
{
	uint8_t bytes[32];
	tl_key key;

	for (size_t i = 0; i < sizeof strict_vectors / sizeof *strict_vectors; i++) {
		bool small = strncmp(strict_vectors[i].name, "A of small", 10) == 0;

		unhex(bytes, strict_vectors[i].key);
		CHECK_CODE(parse_key_bytes(bytes, &key), small ? TL_E_BAD_KEY : TL_OK);
	}
	for (size_t i = 0; i < sizeof off_curve / sizeof *off_curve; i++) {
		unhex(bytes, off_curve[i]);
		CHECK_CODE(parse_key_bytes(bytes, &key), TL_E_BAD_KEY);
	}
	for (int low = 0xed; low <= 0xff; low++) { /* y from p to 2^255 - 1, both signs */
		memset(bytes, 0xff, sizeof bytes);
		bytes[0] = (uint8_t)low;
		CHECK_CODE(parse_key_bytes(bytes, &key), TL_E_BAD_KEY);
		bytes[31] = 0x7f;
		CHECK_CODE(parse_key_bytes(bytes, &key), TL_E_BAD_KEY);
	}
}

static void key_texts_have_one_form(void)
{
	static const char good[] = "ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrk=";
	static const char *const bad[] = {"", "*",
		"ed25519:", "tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrk=",
		"ED25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrk=",
		"ed25519: tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrk=",
		"ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrk",
		"ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrl=",
		"ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo_rwIfrk=",
		"ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrk=\n",
		"ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfg==",
		"ed25519:tthE14Y1xLfVbE36xec0SSxd59xFA4WIqmPo/rwIfrkB"};
	char again[TL_KEY_TEXT_LEN + 1];
	tl_key key;

	CHECK_OK(tl_key_parse(&key, tl__str_z(good)));
	tl_key_format(&key, again);
	CHECK(strcmp(again, good) == 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_CODE(tl_key_parse(&key, tl__str_z(bad[i])), TL_E_BAD_KEY);
	CHECK_CODE(tl_key_parse(&key, (tl_str){good, sizeof good}), TL_E_BAD_KEY);
}

static void id_texts_have_one_form(void)
{
	char text[TL_ID_TEXT_LEN + 2], again[TL_ID_TEXT_LEN + 1];
	tl_id id;

	tl_id_of(&id, "abc", 3);
	tl_id_format(&id, text);
	CHECK(strcmp(text,
		      "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") ==
		0);
	for (size_t at = 0; at < TL_ID_TEXT_LEN; at++) {
		static const char marks[] = "G/:`g \n\xff";
		char kept = text[at];

		for (size_t m = 0; m < sizeof marks - 1; m++) {
			text[at] = marks[m];
			if (marks[m] != kept)
				CHECK_CODE(tl_id_parse(&id, (tl_str){text, TL_ID_TEXT_LEN}),
					TL_E_BAD_ID);
		}
		text[at] = kept;
	}
	for (size_t len = 0; len < TL_ID_TEXT_LEN; len++)
		CHECK_CODE(tl_id_parse(&id, (tl_str){text, len}), TL_E_BAD_ID);
	text[TL_ID_TEXT_LEN] = 'a';
	CHECK_CODE(tl_id_parse(&id, (tl_str){text, TL_ID_TEXT_LEN + 1}), TL_E_BAD_ID);
	memcpy(text, "blake3:", 7);
	CHECK_OK(tl_id_parse(&id, (tl_str){text, TL_ID_TEXT_LEN}));
	CHECK(id.b[0] == 'b');
	tl_id_format(&id, again);
	CHECK(memcmp(again, text, TL_ID_TEXT_LEN) == 0);
}

/* --- base64 ----------------------------------------------------------------------------------- */

static void base64_comes_back(void)
{
	uint8_t bytes[100], back[100];
	char text[140];
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(9));

	random.fill(random.ud, bytes, sizeof bytes);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		size_t got = 999;

		REQUIRE(tl_base64_size(len) <= sizeof text);
		tl_base64_encode(text, bytes, len);
		CHECK(strlen(text) + 1 == tl_base64_size(len));
		CHECK_OK(tl_base64_decode(back, len, &got, tl__str_z(text)));
		CHECK(got == len && memcmp(back, bytes, len) == 0);
		if (len > 0)
			CHECK_CODE(tl_base64_decode(back, len - 1, &got, tl__str_z(text)),
				TL_E_TOO_LARGE);
	}
}

static void base64_is_strict(void)
{
	static const char *const bad[] = {"A", "AA", "AAA", "A===", "====", "=AAA", "AA=A",
		"AB==", "AAB=", "AA==AA==", "AAAA\n", "AA A", "A\nAA", "-_-_", "AA\xff/",
		"AAAA=", "AA=", "AAAA===="};
	uint8_t out[16];
	size_t len;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		CHECK_CODE(tl_base64_decode(out, sizeof out, &len, tl__str_z(bad[i])),
			TL_E_BAD_BASE64);
	for (int c = 0; c < 256; c++) {
		char text[4] = {'A', 'A', (char)c, 'A'};
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			      (c >= '0' && c <= '9') || c == '+' || c == '/';

		CHECK_CODE(tl_base64_decode(out, sizeof out, &len, (tl_str){text, 4}),
			letter ? TL_OK : TL_E_BAD_BASE64);
	}
	CHECK_OK(tl_base64_decode(out, sizeof out, &len, TL__STR("AA==")));
	CHECK(len == 1);
	CHECK_CODE(tl_base64_decode(out, sizeof out, &len, (tl_str){"AA=\0", 4}), TL_E_BAD_BASE64);
}

/* --- sealing ---------------------------------------------------------------------------------- */

static void sealed_seeds_open_again(void)
{
	uint8_t seed[32] = {1, 2, 3}, back[32], sealed[TL_SEALED_BYTES], again[TL_SEALED_BYTES];

	REQUIRE(tl_seal(sealed, seed, "pass phrase", 11) == TL_OK);
	CHECK_OK(tl_unseal(back, sealed, "pass phrase", 11));
	CHECK(memcmp(back, seed, 32) == 0);
	CHECK_CODE(tl_unseal(back, sealed, "pass phrasf", 11), TL_E_WRONG_PASSPHRASE);
	CHECK_CODE(tl_unseal(back, sealed, "pass phrase", 10), TL_E_WRONG_PASSPHRASE);
	CHECK(memmem(sealed, sizeof sealed, seed, 3) == NULL);
	REQUIRE(tl_seal(again, seed, "", 0) == TL_OK);
	CHECK(memcmp(sealed, again, sizeof sealed) != 0);
	CHECK_OK(tl_unseal(back, again, "", 0));
}

static void altered_boxes_do_not_open(void)
{
	static const size_t places[] = {16, 31, 32, 47, 48, 79};
	uint8_t seed[32] = {9}, back[32], sealed[TL_SEALED_BYTES];

	REQUIRE(tl_seal(sealed, seed, "p", 1) == TL_OK);
	for (size_t i = 0; i < 16; i++) {
		sealed[i] ^= 1;
		CHECK_CODE(tl_unseal(back, sealed, "p", 1), TL_E_UNSUPPORTED);
		sealed[i] ^= 1;
	}
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		sealed[places[i]] ^= 0x80;
		CHECK_CODE(tl_unseal(back, sealed, "p", 1), TL_E_WRONG_PASSPHRASE);
		sealed[places[i]] ^= 0x80;
	}
	CHECK_OK(tl_unseal(back, sealed, "p", 1));
}

static void seeds_have_a_text(void)
{
	uint8_t seed[TL_SEED_BYTES], read[TL_SEED_BYTES], zero[TL_SEED_BYTES] = {0};
	char text[TL_SEED_TEXT_LEN + 2];

	for (size_t i = 0; i < sizeof seed; i++)
		seed[i] = (uint8_t)(i * 37);
	tl_seed_format(seed, text);
	CHECK(strlen(text) == TL_SEED_TEXT_LEN && strncmp(text, "ed25519-seed:", 13) == 0);
	CHECK_OK(tl_seed_parse(read, (tl_str){text, TL_SEED_TEXT_LEN}));
	CHECK(memcmp(read, seed, sizeof seed) == 0);
	/* What is refused leaves nothing behind, and its error shows nothing of it. */
	for (size_t i = 0; i < TL_SEED_TEXT_LEN; i++) {
		char kept = text[i];

		text[i] = '\0';
		CHECK_CODE(tl_seed_parse(read, (tl_str){text, TL_SEED_TEXT_LEN}), TL_E_BAD_KEY);
		CHECK(memcmp(read, zero, sizeof zero) == 0);
		text[i] = kept;
		CHECK_CODE(tl_seed_parse(read, (tl_str){text, i}), TL_E_BAD_KEY);
	}
	CHECK(!strstr(tl_error_message(tl_last_error()), text + 20));
	text[TL_SEED_TEXT_LEN] = 'A';
	CHECK_CODE(tl_seed_parse(read, (tl_str){text, TL_SEED_TEXT_LEN + 1}), TL_E_BAD_KEY);
}

int main(void)
{
	if (tl_crypto_init() != TL_OK)
		return 2;
	RUN(signatures_are_those_of_rfc_8032);
	RUN(the_strict_rule_decides);
	RUN(the_pool_decides_alike);
	RUN(altered_messages_do_not_verify);
	RUN(new_secrets_differ);
	RUN(pool_serves_several_callers);
	RUN(each_index_of_a_batch_is_run_once);
	RUN(an_abandoned_batch_is_left);
	RUN(unused_pools_end_at_once);
	RUN(keys_are_points_of_the_curve);
	RUN(key_texts_have_one_form);
	RUN(id_texts_have_one_form);
	RUN(base64_comes_back);
	RUN(base64_is_strict);
	RUN(sealed_seeds_open_again);
	RUN(altered_boxes_do_not_open);
	RUN(seeds_have_a_text);
	return spec_end();
}
