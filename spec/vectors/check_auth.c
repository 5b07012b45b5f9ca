/* Sections about permissions and the resolution of keys. */
#include <tidelock/auth.h>
#include "base/json/json.h"
#include "check.h"

static tl_permission permission_of(check *c, const node *value)
{
	tl_permission out = {TL_READ, 0};
	tl_str text = node_sorted(&c->arena, value);

	if (tl_permission_from_json(&out, (tl_str){text.ptr + 1, text.len - 2}) != TL_OK)
		wrong(c, "permission not read: %.*s", TL__STR_ARG(text));
	return out;
}

static void check_clamp(check *c, const node *section)
{
	const node *row = c->item->children;
	tl_permission p = permission_of(c, &row[0]), max = permission_of(c, &row[1]), min = p;
	bool has_min = row[2].kind != NODE_NULL;

	(void)section;
	if (has_min)
		min = permission_of(c, &row[2]);
	expect(c,
		tl_permission_compare(tl_permission_clamp(p, max, has_min ? &min : NULL),
			permission_of(c, &row[3])) == 0,
		"clamp");
}

static void check_ascending(check *c, const node *section)
{
	for (size_t i = 1; i < c->item->count; i++)
		expect(c,
			tl_permission_compare(permission_of(c, &c->item->children[i - 1]),
				permission_of(c, &c->item->children[i])) < 0,
			"ascending");
	(void)section;
}

static void check_permission_text(check *c, const node *section)
{
	tl_permission p;
	char written[24];
	int code = tl_permission_from_json(&p, node_text(c->item, "text"));

	(void)section;
	expect(c, (code == TL_OK) == node_true(c->item, "accepted"), "verdict");
	if (code != TL_OK)
		return;
	tl_permission_to_json(p, written);
	expect(c, tl_permission_compare(p, permission_of(c, node_get(c->item, "written"))) == 0,
		"value");
	expect_json(c, tl__str_z(written),
		(tl_str){node_sorted(&c->arena, node_get(c->item, "written")).ptr + 1,
			node_sorted(&c->arena, node_get(c->item, "written")).len - 2},
		"written");
}

/* An auth Doc with one record `k`. */
static int auth_of_record(tl_auth **out, tl_str record)
{
	tl_value *doc = tl_value_doc();
	int code = doc ? tl_doc_put(doc, TL__STR("k"), tl_value_text(record)) : TL_E_NOMEM;

	if (code == TL_OK)
		code = tl_auth_from_doc(out, doc);
	tl_value_free(doc);
	return code;
}

static void check_status_text(check *c, const node *section)
{
	tl__buf record = TL__BUF_INIT;
	tl_auth *auth = NULL;
	const tl_auth_key *key;

	(void)section;
	tl__buf_format(&record, "{\"pubkey\":\"x\",\"permissions\":\"Read\",\"status\":%.*s}",
		TL__STR_ARG(node_text(c->item, "text")));
	expect(c, auth_of_record(&auth, tl__buf_view(&record)) == TL_OK, "auth Doc");
	key = auth ? tl_auth_find_key(auth, TL__STR("k")) : NULL;
	expect(c, (key != NULL) == node_true(c->item, "accepted"), "verdict");
	if (key)
		expect(c,
			(key->status == TL_KEY_REVOKED) ==
				tl__str_eq(node_text(c->item, "written"), TL__STR("Revoked")),
			"value");
	tl_auth_free(auth);
	tl__buf_free(&record);
}

void check_permissions(const node *section,
	void (*run)(case_function function, const node *item, const node *section))
{
	static const struct {
		const char *name;
		case_function function;
	} lists[] = {{"clamp", check_clamp}, {"permission_texts", check_permission_text},
		{"status_texts", check_status_text}};

	run(check_ascending, node_get(section, "ascending"), section);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const node *list = node_get(section, lists[i].name);

		for (size_t k = 0; k < list->count; k++)
			run(lists[i].function, &list->children[k], section);
	}
}

/* --- auth_checks ------------------------------------------------------------------------------ */

/* The databases that are present: their settings, each of one root entry. */
typedef struct present {
	check *c;
	const node *databases;
	tl_auth *auth; /* of the last look-up */
} present;

static tl_auth *auth_of_root(check *c, tl_str json)
{
	tl_entry *entry = NULL;
	tl_value *settings = NULL;
	tl_auth *auth = NULL;
	ptrdiff_t at = -1;

	if (tl_entry_parse(&entry, json, TL_ENTRY_CANONICAL) == TL_OK)
		at = tl_entry_find_store(entry, TL__STR("_settings"));
	if (at < 0 || tl_doc_parse(&settings, tl_entry_store_data(entry, (size_t)at)) != TL_OK ||
		tl_auth_from_settings(&auth, settings) != TL_OK)
		wrong(c, "a database present during all cases is not readable");
	tl_value_free(settings);
	tl_entry_free(entry);
	return auth;
}

/* Tips count only when they are entries of the delegated database (hole H15). */
static int look_up(void *ud, tl_str root, const tl_entry *entry, size_t step, const tl_auth **auth)
{
	present *p = ud;
	tl_auth *before = p->auth; /* holds `root` */

	for (size_t i = 0; i < p->databases->count; i++) {
		const node *database = &p->databases->children[i];

		if (!tl__str_eq(node_text(database, "id"), root))
			continue;
		for (ptrdiff_t t = 0; t < tl_entry_step_tip_count(entry, step); t++)
			if (!tl__str_eq(tl_entry_step_tip(entry, step, (size_t)t), root))
				return TL_E_ENTRY_NOT_FOUND;
		if (tl_entry_step_tip_count(entry, step) == 0)
			return TL_E_BAD_ENTRY;
		p->auth = auth_of_root(p->c, node_text(database, "json"));
		tl_auth_free(before);
		*auth = p->auth;
		return p->auth ? TL_OK : TL_E_BAD_ENTRY;
	}
	return TL_E_DATABASE_NOT_FOUND;
}

static const char *stricter_key(const tl_entry *entry, const tl_auth *auth)
{
	tl_str name = tl_entry_key_name(entry);

	if (!name.ptr)
		return tl_entry_pubkey(entry).ptr
			       ? "sig.pubkey must be the key that signs (H17)"
			       : "cited tips must be entries of the delegated database (H15)";
	if (name.len == 0)
		return "an empty key name signs nothing (H9)";
	if (tl_auth_key_count(auth) == 0)
		return "without a key record nobody may write (H10)";
	if (tl_entry_pubkey(entry).ptr)
		return "a name its signer does not own resolves to nothing (H17)";
	return NULL;
}

static void expect_signer(check *c, const tl_signer *signer, const node *wanted)
{
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(&signer->key, key);
	expect_text(c, tl__str_z(key), node_text(wanted, "public_key"), "public key");
	expect(c,
		tl_permission_compare(
			signer->permission, permission_of(c, node_get(wanted, "permission"))) == 0,
		"permission");
	expect(c,
		(signer->status == TL_KEY_REVOKED) ==
			tl__str_eq(node_text(wanted, "status"), TL__STR("Revoked")),
		"status");
}

static void judge(check *c, const tl_auth *auth, const tl_entry *entry, present *p)
{
	const node *resolved = node_get(c->item, "resolved");
	bool theirs = node_true(c->item, "valid"), ours;
	tl_signer signer;
	int code = tl_auth_resolve(&signer, auth, entry, look_up, p);

	ours = code == TL_OK && signer.status == TL_KEY_ACTIVE &&
	       tl_entry_verify(entry, &signer.key) == TL_OK;
	if (code == TL_OK && resolved->kind == NODE_OBJECT)
		expect_signer(c, &signer, resolved);
	if (ours == theirs && (code == TL_OK) == (resolved->kind == NODE_OBJECT))
		return;
	/* We may only ever be stricter, and a rule must say why. */
	if (ours || (code == TL_OK && resolved->kind != NODE_OBJECT) || !stricter_key(entry, auth))
		wrong(c, "%s, 0.2.0: %s", ours ? "valid" : tl_error_name(code),
			theirs ? "valid" : "not valid");
	else
		differs(c, stricter_key(entry, auth));
}

void check_auth(check *c, const node *section)
{
	present p = {.c = c};
	tl_value *doc = NULL;
	tl_auth *auth = NULL;
	tl_entry *entry = NULL;

	p.databases = node_get(&section->children[0], "databases_present_during_all_cases");
	if (node_has(c->item, "databases_present_during_all_cases")) {
		for (size_t i = 0; i < p.databases->count; i++)
			tl_auth_free(auth_of_root(c, node_text(&p.databases->children[i], "json")));
		return;
	}
	if (tl_doc_parse(&doc, node_text(c->item, "auth")) != TL_OK ||
		tl_auth_from_doc(&auth, doc) != TL_OK ||
		tl_entry_parse(&entry, node_text(c->item, "entry"), TL_ENTRY_CANONICAL) != TL_OK)
		wrong(c, "not read: %s", tl_error_message(tl_last_error()));
	else
		judge(c, auth, entry, &p);
	tl_auth_free(p.auth);
	tl_entry_free(entry);
	tl_auth_free(auth);
	tl_value_free(doc);
}
