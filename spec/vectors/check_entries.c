/* Sections about entries, keys, ids and signatures. */
#include <stdio.h>
#include <string.h>
#include <tidelock/entry.h>
#include "base/mem.h"
#include "check.h"

static bool said_true(const check *c, const char *name)
{
	return node_get(c->item, name)->kind == NODE_TRUE;
}

static tl_entry *parse(check *c, tl_str text, tl_entry_form form)
{
	tl_entry *entry = NULL;

	if (tl_entry_parse(&entry, text, form) != TL_OK)
		wrong(c, "not read: %s", tl_error_message(tl_last_error()));
	return entry;
}

static void expect_id(check *c, const tl_entry *entry, tl_str wanted)
{
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(tl_entry_id(entry), id);
	expect_text(c, tl__str_z(id), wanted, "id");
}

static void expect_signing_bytes(check *c, const tl_entry *entry)
{
	uint8_t digest[32];
	char *bytes = NULL;
	size_t len = 0;

	if (tl_entry_signing_bytes(entry, &bytes, &len) != TL_OK) {
		wrong(c, "no signing bytes");
		return;
	}
	expect_text(c, (tl_str){bytes, len}, bytes_of(c, "signing_bytes"), "signing bytes");
	tl_sha256(bytes, len, digest);
	expect_text(c, (tl_str){(char *)digest, 32}, unhex(c, node_text(c->item, "signing_sha256")),
		"SHA-256 of the signing bytes");
	tl_free(bytes);
}

/* Rebuilds the entry from its parts with the builder, signs it anew, and wants the same bytes. */
static void rebuild(check *c, const tl_entry *entry, const tl_secret *secret)
{
	tl_entry_builder *b = NULL;
	tl_entry *again = NULL;

	if (tl_entry_builder_new(&b) != TL_OK) {
		wrong(c, "no builder");
		return;
	}
	tl_entry_builder_tree(b, tl_entry_tree(entry));
	tl_entry_builder_metadata(b, tl_entry_metadata(entry));
	for (size_t i = 0; i < tl_entry_parent_count(entry); i++)
		tl_entry_builder_parent(b, tl_entry_parent(entry, i));
	for (size_t s = 0; s < tl_entry_store_count(entry); s++) {
		tl_str name = tl_entry_store_name(entry, s);

		tl_entry_builder_store(b, name, tl_entry_store_data(entry, s));
		for (size_t i = 0; i < tl_entry_store_parent_count(entry, s); i++)
			tl_entry_builder_store_parent(b, name, tl_entry_store_parent(entry, s, i));
	}
	tl_entry_builder_key(b, tl_entry_key_name(entry), tl_entry_pubkey(entry));
	for (size_t i = 0; i < tl_entry_step_count(entry); i++) {
		ptrdiff_t count = tl_entry_step_tip_count(entry, i);
		tl_str *tips =
			tl__arena_alloc(&c->arena, count > 0 ? (size_t)count : 1, sizeof *tips);

		for (ptrdiff_t t = 0; tips && t < count; t++)
			tips[t] = tl_entry_step_tip(entry, i, (size_t)t);
		tl_entry_builder_step(b, tl_entry_step_key(entry, i), count < 0 ? NULL : tips,
			count < 0 ? 0 : (size_t)count);
	}
	if (tl_entry_builder_finish(b, secret, &again) != TL_OK)
		wrong(c, "not built: %s", tl_error_message(tl_last_error()));
	else
		expect_text(c, tl_entry_bytes(again), tl_entry_bytes(entry), "built anew");
	tl_entry_free(again);
	tl_entry_builder_free(b);
}

static void expect_signature(check *c, const tl_entry *entry)
{
	tl_str seed = node_text(c->item, "seed_hex");
	tl_secret secret;
	tl_key key, derived;

	if (!node_text(c->item, "public_key").ptr)
		return;
	if (tl_key_parse(&key, node_text(c->item, "public_key")) != TL_OK) {
		wrong(c, "public key not read");
		return;
	}
	expect(c, (tl_entry_verify(entry, &key) == TL_OK) == said_true(c, "signature_verifies"),
		"verdict of the signature");
	if (!seed.ptr)
		return;
	seed = unhex(c, seed);
	if (tl_secret_from_seed(&secret, (const uint8_t *)seed.ptr) != TL_OK) {
		wrong(c, "no secret from the seed");
		return;
	}
	tl_secret_public(&secret, &derived);
	expect(c, memcmp(&derived, &key, sizeof key) == 0, "public key of the seed");
	/* Foreign orders are kept as received and never built by us. */
	if (!tl__str_eq(node_text(c->item, "origin"), TL__STR("parsed")))
		rebuild(c, entry, &secret);
	tl_secret_wipe(&secret);
}

void check_entry(check *c, const node *section)
{
	tl_str json = bytes_of(c, "json");
	tl_entry *entry = parse(c, json, TL_ENTRY_CANONICAL);

	(void)section;
	if (!entry)
		return;
	expect_text(c, tl_entry_bytes(entry), json, "canonical bytes");
	expect_id(c, entry, node_text(c->item, "id"));
	expect_text(
		c, tl_entry_signature(entry), node_text(c->item, "signature_base64"), "signature");
	expect(c, tl_entry_is_root(entry) == said_true(c, "is_root"), "is_root");
	expect_signing_bytes(c, entry);
	expect_signature(c, entry);
	if (!node_text(c->item, "seed_hex").ptr &&
		tl__str_eq(node_text(c->item, "origin"), TL__STR("builder")))
		rebuild(c, entry, NULL);
	if (tl__str_eq(node_text(c->item, "structure"), TL__STR("ok")) &&
		tl_entry_check(entry) != TL_OK) {
		/* The only structure we refuse and 0.2.0 does not: holes H21 and H22. */
		differs(c, tl_error_message(tl_last_error()));
	}
	tl_entry_free(entry);
}

/* Which of our stricter rules explains that a text 0.2.0 reads is refused; NULL when none does. */
static const char *stricter_reading(int code, tl_str text)
{
	if (code == TL_E_NOT_CANONICAL)
		return "an unknown member would be dropped before hashing: each holder would keep "
		       "another "
		       "entry";
	if (code == TL_E_BAD_ENTRY && memchr(text.ptr, '[', text.len))
		return "structures written as arrays are refused";
	return NULL;
}

void check_entry_reader(check *c, const node *section)
{
	tl_str text = bytes_of(c, "text");
	bool parsed = said_true(c, "parsed");
	tl_entry *entry = NULL;
	int code = tl_entry_parse(&entry, text, TL_ENTRY_FOREIGN);
	const char *reason;

	(void)section;
	if (!parsed) {
		expect(c, code != TL_OK, "read although 0.2.0 refuses it");
	} else if (code != TL_OK) {
		reason = stricter_reading(code, text);
		if (reason)
			differs(c, reason);
		else
			wrong(c, "not read: %s", tl_error_message(tl_last_error()));
	} else {
		expect_text(c, tl_entry_bytes(entry), bytes_of(c, "canonical"), "canonical bytes");
		expect_id(c, entry, node_text(c->item, "id"));
		expect(c, tl_entry_is_root(entry) == said_true(c, "is_root"), "is_root");
		code = tl_entry_check(entry);
		if (!tl__str_eq(node_text(c->item, "structure"), TL__STR("ok")))
			expect(c, code != TL_OK, "structure accepted although 0.2.0 refuses it");
		else if (code != TL_OK)
			differs(c, tl_error_message(tl_last_error()));
	}
	tl_entry_free(entry);
}

static bool small_order_text(tl_str key)
{
	tl_key parsed;

	return tl_key_parse(&parsed, key) != TL_OK;
}

void check_signature(check *c, const node *section)
{
	tl_entry *entry = parse(c, bytes_of(c, "json"), TL_ENTRY_FOREIGN);
	tl_str text = node_text(c->item, "public_key");
	bool good = said_true(c, "verdict"), ours = false;
	tl_key key;

	(void)section;
	if (!entry)
		return;
	if (tl_key_parse(&key, text) == TL_OK)
		ours = tl_entry_verify(entry, &key) == TL_OK;
	if (good && !ours && small_order_text(text))
		differs(c, "keys of small order and keys not in canonical form are refused");
	else
		expect(c, ours == good, "verdict");
	tl_entry_free(entry);
}

void check_key_string(check *c, const node *section)
{
	tl_str text = bytes_of(c, "text"), seed = node_text(c->item, "seed_hex");
	char formatted[TL_KEY_TEXT_LEN + 1];
	tl_secret secret;
	tl_key key;
	int code = tl_key_parse(&key, text);

	(void)section;
	if (said_true(c, "valid") && code == TL_E_BAD_KEY &&
		strstr(tl_error_message(tl_last_error()), "small order")) {
		differs(c, "keys of small order and keys not in canonical form are refused");
		return;
	}
	expect(c, (code == TL_OK) == said_true(c, "valid"), "verdict");
	if (code != TL_OK)
		return;
	tl_key_format(&key, formatted);
	expect_text(c, tl__str_z(formatted), node_text(c->item, "formatted_again"), "formatted");
	if (!seed.ptr)
		return;
	expect(c, tl_secret_from_seed(&secret, (const uint8_t *)unhex(c, seed).ptr) == TL_OK,
		"seed");
	tl_secret_public(&secret, &key);
	tl_key_format(&key, formatted);
	expect_text(c, tl__str_z(formatted), text, "public key of the seed");
}

void check_id_string(check *c, const node *section)
{
	tl_str text = bytes_of(c, "text");
	tl_id id;
	char formatted[TL_ID_TEXT_LEN + 1];
	int code = tl_id_parse(&id, text);

	(void)section;
	if (text.len == 0) {
		differs(c, "the empty text is no id here; it only marks a root entry");
		expect(c, code == TL_E_BAD_ID, "verdict of the empty text");
		return;
	}
	expect(c, (code == TL_OK) == said_true(c, "valid"), "verdict");
	if (code != TL_OK)
		return;
	tl_id_format(&id, formatted);
	expect_text(c, tl__str_z(formatted), text, "formatted again");
}

static bool handshake_good(tl_str key_text, tl_str challenge, tl_str response)
{
	tl_key key;

	return response.len == TL_SIGNATURE_BYTES && tl_key_parse(&key, key_text) == TL_OK &&
	       tl_verify(&key, challenge.ptr, challenge.len, (const uint8_t *)response.ptr) ==
		       TL_OK;
}

void check_handshake(check *c, const node *section)
{
	tl_str challenge = unhex(c, node_text(c->item, "challenge_hex"));
	tl_str response = unhex(c, node_text(c->item, "response_hex"));
	tl_str key = node_text(c->item, "public_key");
	tl_str seed = unhex(c, node_text(c->item, "seed_hex"));
	uint8_t ours[TL_SIGNATURE_BYTES];
	tl_str flipped, other;
	tl_secret secret;

	(void)section;
	expect(c, tl_secret_from_seed(&secret, (const uint8_t *)seed.ptr) == TL_OK, "seed");
	expect(c, tl_sign(&secret, challenge.ptr, challenge.len, ours) == TL_OK, "sign");
	expect_text(c, (tl_str){(char *)ours, sizeof ours}, response, "response");
	expect(c, handshake_good(key, challenge, response) == said_true(c, "verify"), "verify");
	flipped = tl__arena_str(&c->arena, response);
	((char *)(uintptr_t)flipped.ptr)[5] ^= 1;
	expect(c, !handshake_good(key, challenge, flipped), "flipped bit");
	other = tl__arena_str(&c->arena, (tl_str){"another challenge", 17});
	expect(c, !handshake_good(key, other, response), "other challenge");
	expect(c, !handshake_good(key, challenge, (tl_str){response.ptr, 63}), "63 bytes");
	expect(c, !handshake_good(key, challenge, TL__STR("")), "empty response");
	expect(c, !handshake_good(TL__STR(""), challenge, response), "empty key");
	expect(c, !handshake_good(TL__STR("ed25519:AAAA"), challenge, response), "bad key");
	if (challenge.len != 32)
		differs(c, "we answer challenges of exactly 32 bytes only");
	tl_secret_wipe(&secret);
}

/* --- keys ------------------------------------------------------------------------------------- */

#define SEED "_seed"

/* `X_seed` makes the key `X_key`, with which the other sections are signed. */
static void check_wire_key(check *c, const node *section)
{
	tl_str name = c->item->name, seed = unhex(c, c->item->text);
	char other[64], text[TL_KEY_TEXT_LEN + 1];
	tl_secret secret;
	tl_key key;

	snprintf(other, sizeof other, "%.*s_key", (int)(name.len - strlen(SEED)), name.ptr);
	if (seed.len != TL_SEED_BYTES ||
		tl_secret_from_seed(&secret, (const uint8_t *)seed.ptr) != TL_OK) {
		wrong(c, "the seed is none");
		return;
	}
	tl_secret_public(&secret, &key);
	tl_key_format(&key, text);
	expect_text(c, tl__str_z(text), node_text(section, other), "key of the seed");
}

/* A key without its seed is at least a key. */
static void check_lone_key(check *c, const node *section)
{
	tl_key key;

	(void)section;
	expect(c, tl_key_parse(&key, c->item->text) == TL_OK, "a key");
}

void check_wire_keys(const node *section,
	void (*run)(case_function function, const node *item, const node *section))
{
	for (size_t i = 0; i < section->count; i++) {
		const node *item = &section->children[i];
		bool seed = item->name.len > strlen(SEED) && item->name.len < 50 &&
			    memcmp(item->name.ptr + item->name.len - strlen(SEED), SEED,
				    strlen(SEED)) == 0;

		run(seed ? check_wire_key : check_lone_key, item, section);
	}
}
