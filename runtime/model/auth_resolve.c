/* Who signed an entry: direct names, the wildcard, delegation paths. */
#include <tidelock/auth.h>
#include "base/fail.h"
#include "base/public.h"
#include "base/str.h"

static int use_key(tl_signer *out, tl_str pubkey, const tl_auth_key *record)
{
	out->permission = record->permission;
	out->status = record->status;
	if (tl_key_parse(&out->key, pubkey) != TL_OK)
		return tl__fail_cause(TL_E_BAD_KEY, "the public key of the signer is not usable");
	return TL_OK;
}

/* A signer shows the key it signs with, or none (hole H17). */
static int check_shown_key(const tl_auth_key *record, const tl_entry *entry)
{
	tl_str shown = tl_entry_pubkey(entry);

	if (shown.ptr && !tl__str_eq(shown, record->pubkey))
		return tl__fail(
			TL_E_BAD_KEY, "the entry shows another public key than its name has");
	return TL_OK;
}

static int resolve_name(tl_signer *out, const tl_auth *auth, const tl_entry *entry)
{
	tl_str name = tl_entry_key_name(entry), shown = tl_entry_pubkey(entry);
	const tl_auth_key *record = tl_auth_find_key(auth, name);
	int code;

	if (!record)
		return tl__fail(TL_E_KEY_NOT_FOUND, "the database has no key named `%.*s`",
			TL__STR_ARG(name));
	/* The global record speaks for any key, but only to those who ask for it by its name. */
	if (tl__str_eq(name, TL__STR("*")) && tl__str_eq(record->pubkey, TL__STR("*"))) {
		if (!shown.ptr)
			return tl__fail(TL_E_BAD_KEY, "an entry under `*` shows its public key");
		return use_key(out, shown, record);
	}
	code = check_shown_key(record, entry);
	return code == TL_OK ? use_key(out, record->pubkey, record) : code;
}

typedef struct bounds {
	bool has_max, has_min;
	tl_permission max, min;
} bounds;

/* The first record's bounds as they are; afterwards the narrower ones. */
static void narrow(bounds *b, const tl_auth_tree *tree)
{
	if (!b->has_max || tl_permission_compare(tree->max, b->max) < 0)
		b->max = tree->max;
	b->has_max = true;
	if (tree->has_min && (!b->has_min || tl_permission_compare(tree->min, b->min) > 0))
		b->min = tree->min;
	b->has_min = b->has_min || tree->has_min;
}

static int take_step(const tl_auth **auth, bounds *b, const tl_entry *entry, size_t step,
	tl_delegation_lookup lookup, void *ud)
{
	tl_str name = tl_entry_step_key(entry, step);
	const tl_auth_tree *tree = tl_auth_find_tree(*auth, name);

	if (tl_entry_step_tip_count(entry, step) <= 0)
		return tl__fail(TL_E_BAD_ENTRY, "a delegation step cites the tips it relies on");
	if (!tree)
		return tl__fail(TL_E_KEY_NOT_FOUND,
			"the database delegates to nothing named `%.*s`", TL__STR_ARG(name));
	narrow(b, tree);
	return lookup(ud, tree->root, entry, step, auth);
}

static int resolve_path(tl_signer *out, const tl_auth *auth, const tl_entry *entry,
	tl_delegation_lookup lookup, void *ud)
{
	size_t count = tl_entry_step_count(entry), last = count - 1;
	const tl_auth_key *record;
	bounds b = {0};
	int code = TL_OK;

	if (count == 0 || count > TL_DELEGATION_MAX_STEPS)
		return tl__fail(TL_E_BAD_ENTRY, "a delegation path has 1 to %d steps, not %zu",
			TL_DELEGATION_MAX_STEPS, count);
	for (size_t i = 0; i < last && code == TL_OK; i++)
		code = take_step(&auth, &b, entry, i, lookup, ud);
	if (code != TL_OK)
		return code;
	if (tl_entry_step_tip_count(entry, last) >= 0)
		return tl__fail(
			TL_E_BAD_ENTRY, "the last delegation step names a key and cites no tips");
	record = tl_auth_find_key(auth, tl_entry_step_key(entry, last));
	if (!record)
		return tl__fail(TL_E_KEY_NOT_FOUND,
			"the delegated database has no key named `%.*s`",
			TL__STR_ARG(tl_entry_step_key(entry, last)));
	code = check_shown_key(record, entry);
	if (code == TL_OK)
		code = use_key(out, record->pubkey, record);
	if (code == TL_OK && b.has_max)
		out->permission =
			tl_permission_clamp(out->permission, b.max, b.has_min ? &b.min : NULL);
	return code;
}

TL__PUBLIC(tl_auth_resolve, out && auth && entry,
	(tl_signer *out, const tl_auth *auth, const tl_entry *entry, tl_delegation_lookup lookup,
		void *ud), (out, auth, entry, lookup, ud))
{
	if (tl_entry_key_name(entry).ptr)
		return resolve_name(out, auth, entry);
	return resolve_path(out, auth, entry, lookup, ud);
}

bool tl_auth_may_write(tl_permission permission, const tl_entry *entry)
{
	if (!entry)
		return false;
	if (tl_entry_find_store(entry, TL__STR("_settings")) >= 0)
		return permission.kind == TL_ADMIN;
	return permission.kind != TL_READ;
}
