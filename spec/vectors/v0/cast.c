#include "cast.h"

#include <stdio.h>
#include <string.h>
#include <tidelock/entry.h>

typedef struct plan {
	const tl_id *tree; /* NULL: a root */
	const char *parent;
	const char *settings; /* NULL: none */
	bool is_signed;
	uint8_t seed;
} plan;

static const char *auth_text(check *c, uint8_t seed_byte, const char *name)
{
	uint8_t seed[TL_SEED_BYTES];
	tl_secret secret;
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1], *out = tl__arena_alloc(&c->arena, 400, 1);

	memset(seed, seed_byte, sizeof seed);
	if (!out || tl_secret_from_seed(&secret, seed) != TL_OK)
		return "{\"children\":{}}";
	tl_secret_public(&secret, &key);
	tl_key_format(&key, text);
	snprintf(out, 400,
		"{\"children\":{\"name\":{\"Text\":\"%s\"},\"auth\":{\"Doc\":{\"children\":{"
		"\"alice\":{\"Text\":\"{\\\"pubkey\\\":\\\"%s\\\",\\\"permissions\\\":"
		"{\\\"Admin\\\":0},\\\"status\\\":\\\"Active\\\"}\"}}}}}}",
		name, text);
	return out;
}

static tl_str build(check *c, const plan *what, tl_id *id)
{
	char tree[TL_ID_TEXT_LEN + 1];
	uint8_t seed[TL_SEED_BYTES];
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;
	tl_secret secret;
	tl_str out = TL__STR("");

	memset(seed, what->seed, sizeof seed);
	if (tl_entry_builder_new(&b) != TL_OK || tl_secret_from_seed(&secret, seed) != TL_OK)
		return out;
	if (what->tree) {
		tl_id_format(what->tree, tree);
		tl_entry_builder_tree(b, tl__str_z(tree));
		tl_entry_builder_parent(b, tl__str_z(what->parent));
	} else {
		tl_entry_builder_store(b, TL__STR("_root"), TL__STR("\"\""));
	}
	if (what->settings)
		tl_entry_builder_store(b, TL__STR("_settings"), tl__str_z(what->settings));
	tl_entry_builder_key(b, TL__STR("alice"), TL__STR_NULL);
	if (tl_entry_builder_finish(b, what->is_signed ? &secret : NULL, &entry) == TL_OK) {
		out = tl__arena_str(&c->arena, tl_entry_bytes(entry));
		if (id)
			*id = *tl_entry_id(entry);
	} else {
		wrong(c, "an entry of the cast is not made: %s", tl_error_message(tl_last_error()));
	}
	tl_entry_free(entry);
	tl_entry_builder_free(b);
	return out;
}

static tl_str child(check *c, const cast *k, const tl_id *parent, tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];
	plan what = {.tree = &k->id[0], .parent = text, .is_signed = true, .seed = 3};

	tl_id_format(parent, text);
	return build(c, &what, id);
}

/* The text of E1 with a parent that is no id. */
static tl_str spoil(check *c, const cast *k)
{
	char *out = tl__arena_alloc(&c->arena, k->text[1].len + 1, 1);
	const char *at;

	if (!out)
		return TL__STR("{}");
	memcpy(out, k->text[1].ptr, k->text[1].len);
	at = strstr(out, "\"parents\":[\"sha256:");
	if (at)
		for (size_t i = 0; i < 6; i++)
			out[(size_t)(at - out) + 12 + i] = "no5ens"[i];
	return (tl_str){out, k->text[1].len};
}

void cast_make(cast *k, check *c)
{
	const plan root = {.settings = auth_text(c, 3, "todo"), .is_signed = true, .seed = 3};
	const plan stranger = {.settings = auth_text(c, 4, "other"), .is_signed = true, .seed = 4};
	tl_id nobody;
	char text[TL_ID_TEXT_LEN + 1];
	plan forged = {.settings = auth_text(c, 5, "stolen"), .seed = 5};

	memset(k, 0, sizeof *k);
	k->text[0] = build(c, &root, &k->id[0]);
	k->text[1] = child(c, k, &k->id[0], &k->id[1]);
	k->text[2] = child(c, k, &k->id[1], &k->id[2]);
	k->other_root = build(c, &stranger, &k->other_id);
	tl_id_format(&k->id[0], text);
	forged.tree = &k->id[0];
	forged.parent = text;
	k->unsigned_settings = build(c, &forged, NULL);
	k->malformed = spoil(c, k);
	tl_id_of(&nobody, "nobody", 6);
	k->orphan = child(c, k, &nobody, &k->orphan_id);
}
