/* A database whose keys another one says. */
#ifndef SPEC_DELEGATION_HELP_H
#define SPEC_DELEGATION_HELP_H

#include "trust_fixture.h"

/* `keys` belongs to k and has the keys laptop (Admin 5) and phone (Write 3). `main` belongs to a
 * and delegates to `keys` under the name team, at most Write(10). `top` delegates to `main`. */
typedef struct delegation {
	world w;
	signer a, k, laptop, phone;
	tl_entry *keys, *main;
} delegation;

static inline tl_entry *make_keys(const delegation *d)
{
	tl_value *settings = tl_value_doc();
	tl_entry *root = NULL;

	if (settings && put_key(settings, d->k.text, d->k.text, admin(0), TL_KEY_ACTIVE) &&
		put_key(settings, "laptop", d->laptop.text, admin(5), TL_KEY_ACTIVE) &&
		put_key(settings, "phone", d->phone.text, writing(3), TL_KEY_ACTIVE))
		root = make(&(draft){.settings = settings, .by = &d->k});
	tl_value_free(settings);
	return root;
}

static inline tl_entry *make_main(const delegation *d, const tl_entry *to, const char *max)
{
	tl_value *settings = tl_value_doc();
	tl_entry *root = NULL;

	if (settings && put_key(settings, d->a.text, d->a.text, admin(0), TL_KEY_ACTIVE) &&
		put_tree(settings, "team", to, max))
		root = make(&(draft){.settings = settings, .by = &d->a});
	tl_value_free(settings);
	return root;
}

static inline bool delegation_open(delegation *d)
{
	memset(d, 0, sizeof *d);
	d->a = signer_of(1);
	d->k = signer_of(2);
	d->laptop = signer_of(3);
	d->phone = signer_of(4);
	if (!world_open(&d->w))
		return false;
	d->keys = make_keys(d);
	d->main = d->keys ? make_main(d, d->keys, "{\"Write\":10}") : NULL;
	return d->main && feed_one(&d->w, d->main, d->main).kind == TL__FATE_VERIFIED;
}

static inline void delegation_close(delegation *d)
{
	world_close(&d->w);
	tl_entry_free(d->keys);
	tl_entry_free(d->main);
}

/* A note in main on `parent`, by a key of the team, citing a state of `keys`. */
static inline tl_entry *by_team(const delegation *d, const tl_entry *parent, const signer *by,
	const char *name, const tl_entry *cited, const char *note)
{
	return make(&(draft){.root = d->main,
		.parents = {parent},
		.parent_count = 1,
		.notes = note,
		.by = by,
		.steps = {"team", name},
		.cited = {{cited}},
		.step_count = 2});
}

/* A settings entry of `keys` on `parent` that sets one key record. */
static inline tl_entry *set_key(const delegation *d, const tl_entry *parent, const char *name,
	const signer *key, tl_key_status status)
{
	tl_value *settings = tl_value_doc();
	tl_entry *entry = NULL;

	if (settings && put_key(settings, name, key->text, writing(3), status))
		entry = make(&(draft){.root = d->keys,
			.parents = {parent},
			.parent_count = 1,
			.settings = settings,
			.settings_parents = {parent},
			.settings_parent_count = 1,
			.by = &d->k});
	tl_value_free(settings);
	return entry;
}

typedef struct sender {
	delegation *d;
	const tl_entry *root;
	tl_entry *entry;
	tl__fate fate;
} sender;

#endif
