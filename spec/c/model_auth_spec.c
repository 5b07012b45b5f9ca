/* Permissions, key records, and who signed an entry. */
#include "base/buf.h"
#include "base/fail.h"
#include "base/str.h"
#include "check.h"
#include <tidelock/auth.h>

#define TIP "sha256:0000000000000000000000000000000000000000000000000000000000000002"

static tl_key keys[4];
static char texts[4][TL_KEY_TEXT_LEN + 1];

static tl_permission perm(tl_permission_kind kind, uint32_t priority)
{
	return (tl_permission){kind, priority};
}

static bool same(tl_permission a, tl_permission b)
{
	return a.kind == b.kind && a.priority == b.priority;
}

/* --- permissions ------------------------------------------------------------------------------ */

static void permissions_have_an_order(void)
{
	const tl_permission up[] = {perm(TL_READ, 0), perm(TL_WRITE, UINT32_MAX),
		perm(TL_WRITE, 10), perm(TL_WRITE, 0), perm(TL_ADMIN, UINT32_MAX),
		perm(TL_ADMIN, 1), perm(TL_ADMIN, 0)};

	for (int i = 0; i < 7; i++)
		for (int j = 0; j < 7; j++) {
			int order = tl_permission_compare(up[i], up[j]);

			CHECK((order > 0) == (i > j) && (order < 0) == (i < j));
		}
}

static void bounds_clamp(void)
{
	tl_permission min = perm(TL_WRITE, 5), high = perm(TL_ADMIN, 0);

	CHECK(same(tl_permission_clamp(high, perm(TL_WRITE, 3), NULL), perm(TL_WRITE, 3)));
	CHECK(same(tl_permission_clamp(perm(TL_READ, 0), perm(TL_ADMIN, 0), &min), min));
	CHECK(same(tl_permission_clamp(perm(TL_WRITE, 4), perm(TL_ADMIN, 0), &min),
		perm(TL_WRITE, 4)));
	/* A lower bound above the upper one does not count. */
	CHECK(same(
		tl_permission_clamp(perm(TL_READ, 0), perm(TL_READ, 0), &min), perm(TL_READ, 0)));
	CHECK(same(tl_permission_clamp(high, perm(TL_WRITE, 9), &min), perm(TL_WRITE, 9)));
}

static void permission_texts_come_back(void)
{
	static const struct {
		const char *people, *stored;
		tl_permission value;
	} cases[] = {{"read", "\"Read\"", {TL_READ, 0}},
		{"write:10", "{\"Write\":10}", {TL_WRITE, 10}},
		{"admin:0", "{\"Admin\":0}", {TL_ADMIN, 0}},
		{"write:4294967295", "{\"Write\":4294967295}", {TL_WRITE, UINT32_MAX}}};
	tl_permission got;
	char text[24];

	for (size_t i = 0; i < 4; i++) {
		CHECK_OK(tl_permission_parse(&got, tl__str_z(cases[i].people)));
		CHECK(same(got, cases[i].value));
		tl_permission_format(got, text);
		CHECK(strcmp(text, cases[i].people) == 0);
		CHECK_OK(tl_permission_from_json(&got, tl__str_z(cases[i].stored)));
		CHECK(same(got, cases[i].value));
		tl_permission_to_json(got, text);
		CHECK(strcmp(text, cases[i].stored) == 0);
	}
	CHECK_OK(tl_permission_from_json(&got, TL__STR("{\"Read\":null}")));
}

static void other_permission_texts_are_refused(void)
{
	static const char *const people[] = {"", "Read", "read:1", "write", "write:", "write:-1",
		"write:4294967296", "admin:0x1", "owner:1", "write:1 "};
	static const char *const stored[] = {"", "null", "\"read\"", "\"Write\"",
		"{\"Write\":null}", "{\"Write\":-1}", "{\"Write\":4294967296}", "{\"Write\":1.0}",
		"{\"Read\":1}", "{}", "{\"Write\":1,\"Admin\":0}", "[\"Read\"]", "\"Read\" x"};
	tl_permission got;

	for (size_t i = 0; i < sizeof people / sizeof *people; i++)
		CHECK_CODE(tl_permission_parse(&got, tl__str_z(people[i])), TL_E_BAD_ARGUMENT);
	for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
		CHECK(tl_permission_from_json(&got, tl__str_z(stored[i])) != TL_OK);
}

/* --- records ---------------------------------------------------------------------------------- */

typedef struct spec_record {
	const char *name; /* literal */
	const char *text;
} spec_record;

static tl_auth *auth_of(const spec_record *records, size_t count)
{
	tl_value *settings = tl_value_doc();
	tl_auth *auth = NULL;

	for (size_t i = 0; i < count; i++) {
		tl_str path[] = {TL__STR("auth"), tl__str_z(records[i].name)};

		if (tl_doc_set_at(settings, path, 2, tl_value_text(tl__str_z(records[i].text))))
			exit(2);
	}
	if (tl_auth_from_settings(&auth, settings) != TL_OK)
		exit(2);
	tl_value_free(settings);
	return auth;
}

/* Static texts of key records. */
static const char *record_text(int slot, const char *pubkey, tl_permission permission, bool revoked)
{
	static char out[8][256];
	tl_auth_key record = {
		tl__str_z(pubkey), permission, revoked ? TL_KEY_REVOKED : TL_KEY_ACTIVE};
	char *text = NULL;
	size_t len = 0;

	if (tl_auth_key_write(&record, &text, &len) != TL_OK || len >= sizeof out[slot])
		exit(2);
	memcpy(out[slot], text, len + 1);
	tl_free(text);
	return out[slot];
}

static void records_are_found_by_name(void)
{
	spec_record records[] = {{"alice", record_text(0, texts[0], perm(TL_ADMIN, 0), false)},
		{"bob", record_text(1, texts[1], perm(TL_WRITE, 7), true)},
		{"junk", "{\"pubkey\":1}"},
		{"a.b", record_text(2, texts[2], perm(TL_READ, 0), false)},
		{"tree", "{\"permission-bounds\":{\"max\":{\"Write\":5},\"min\":null},"
			 "\"tree\":{\"root\":\"" TIP "\",\"tips\":[]}}"}};
	tl_auth *auth = auth_of(records, 5);
	const tl_auth_key *key;
	tl_str name;

	key = tl_auth_find_key(auth, TL__STR("alice"));
	REQUIRE(key != NULL);
	CHECK(same(key->permission, perm(TL_ADMIN, 0)) && key->status == TL_KEY_ACTIVE);
	CHECK(tl__str_eq(key->pubkey, tl__str_z(texts[0])));
	CHECK(tl_auth_find_key(auth, TL__STR("bob"))->status == TL_KEY_REVOKED);
	CHECK(!tl_auth_find_key(auth, TL__STR("junk")));
	CHECK(!tl_auth_find_key(auth, TL__STR("tree")));
	CHECK(!tl_auth_find_key(auth, TL__STR("")) && !tl_auth_find_key(auth, TL__STR("x")));
	/* A name with a dot is a path, so the literal one is out of reach. */
	CHECK(!tl_auth_find_key(auth, TL__STR("a.b")));
	REQUIRE(tl_auth_find_tree(auth, TL__STR("tree")) != NULL);
	CHECK(same(tl_auth_find_tree(auth, TL__STR("tree"))->max, perm(TL_WRITE, 5)));
	CHECK(!tl_auth_find_tree(auth, TL__STR("alice")));
	CHECK(tl_auth_global(auth) == NULL);
	CHECK(tl_auth_key_count(auth) == 3);
	CHECK(tl_auth_key_at(auth, 0, &name, &key) && tl__str_eq(name, TL__STR("a.b")));
	CHECK(!tl_auth_key_at(auth, 3, &name, &key));
	tl_auth_free(auth);
	tl_auth_free(NULL);
}

static void nested_docs_are_paths(void)
{
	tl_str path[] = {TL__STR("auth"), TL__STR("team"), TL__STR("alice")};
	tl_value *settings = tl_value_doc();
	tl_auth *auth = NULL;
	char dotted[1026];

	CHECK_OK(tl_doc_set_at(settings, path, 3,
		tl_value_text(tl__str_z(record_text(0, texts[0], perm(TL_READ, 0), false)))));
	REQUIRE(tl_auth_from_settings(&auth, settings) == TL_OK);
	CHECK(tl_auth_find_key(auth, TL__STR("team.alice")) != NULL);
	CHECK(tl_auth_find_key(auth, TL__STR(".team..alice.")) != NULL);
	CHECK(tl_auth_find_key(auth, TL__STR("team")) == NULL);
	/* Dots count, up to the longest name that is looked at. */
	memset(dotted, '.', 1025);
	memcpy(dotted + 1015, "team.alice", sizeof "team.alice");
	CHECK(tl_auth_find_key(auth, (tl_str){dotted + 1, 1024}) != NULL);
	CHECK(tl_auth_find_key(auth, (tl_str){dotted, 1025}) == NULL);
	CHECK(tl_auth_key_count(auth) == 0);
	tl_auth_free(auth);
	tl_value_free(settings);
}

/* Hole H5e: the name `*` alone opens nothing. */
static void the_global_record_is_named_and_keyed(void)
{
	spec_record named[] = {{"*", record_text(0, texts[0], perm(TL_ADMIN, 0), false)}};
	spec_record revoked[] = {{"*", record_text(1, "*", perm(TL_READ, 0), true)}};
	spec_record global[] = {{"*", record_text(2, "*", perm(TL_READ, 0), false)}};
	tl_auth *a = auth_of(named, 1), *b = auth_of(revoked, 1), *c = auth_of(global, 1);

	CHECK(!tl_auth_global(a) && !tl_auth_global(b) && tl_auth_global(c));
	tl_auth_free(a);
	tl_auth_free(b);
	tl_auth_free(c);
}

static void the_best_active_record_counts(void)
{
	spec_record records[] = {{"*", record_text(0, "*", perm(TL_READ, 0), false)},
		{"low", record_text(1, texts[0], perm(TL_WRITE, 9), false)},
		{"high", record_text(2, texts[0], perm(TL_WRITE, 2), false)},
		{"top", record_text(3, texts[0], perm(TL_ADMIN, 0), true)},
		{"gone", record_text(4, texts[1], perm(TL_ADMIN, 0), true)}};
	tl_auth *with = auth_of(records, 5), *without = auth_of(records + 1, 4);
	tl_permission got;
	tl_str name;

	CHECK_OK(tl_auth_best(with, tl__str_z(texts[0]), &got, &name));
	CHECK(same(got, perm(TL_WRITE, 2)) && tl__str_eq(name, TL__STR("high")));
	CHECK_OK(tl_auth_best(with, tl__str_z(texts[1]), &got, &name));
	CHECK(same(got, perm(TL_READ, 0)) && tl__str_eq(name, TL__STR("*")));
	CHECK_CODE(tl_auth_best(without, tl__str_z(texts[1]), &got, NULL), TL_E_NOT_FOUND);
	CHECK_CODE(tl_auth_best(without, tl__str_z(texts[2]), &got, NULL), TL_E_NOT_FOUND);
	tl_auth_free(with);
	tl_auth_free(without);
}

/* --- resolving -------------------------------------------------------------------------------- */

static tl_entry *signed_as(const char *name, const char *pubkey)
{
	tl_entry_builder *b;
	tl_entry *entry;

	if (tl_entry_builder_new(&b) != TL_OK)
		exit(2);
	tl_entry_builder_key(b, tl__str_z(name), tl__str_z(pubkey));
	if (tl_entry_builder_finish(b, NULL, &entry) != TL_OK)
		exit(2);
	tl_entry_builder_free(b);
	return entry;
}

static int resolve(tl_signer *out, const tl_auth *auth, const char *name, const char *pubkey)
{
	tl_entry *entry = signed_as(name, pubkey);
	int code = tl_auth_resolve(out, auth, entry, NULL, NULL);

	tl_entry_free(entry);
	return code;
}

static void names_resolve_to_their_keys(void)
{
	spec_record records[] = {{"alice", record_text(0, texts[0], perm(TL_WRITE, 3), false)},
		{"bob", record_text(1, texts[1], perm(TL_ADMIN, 0), true)},
		{"*", record_text(2, "*", perm(TL_WRITE, 20), false)},
		{"odd", record_text(3, "ed25519:x", perm(TL_ADMIN, 0), false)}};
	tl_auth *auth = auth_of(records, 4);
	tl_signer s;

	CHECK_OK(resolve(&s, auth, "alice", NULL));
	CHECK(memcmp(&s.key, &keys[0], sizeof s.key) == 0 && s.status == TL_KEY_ACTIVE);
	CHECK(same(s.permission, perm(TL_WRITE, 3)));
	CHECK_OK(resolve(&s, auth, "alice", texts[0]));
	CHECK_CODE(resolve(&s, auth, "alice", texts[1]), TL_E_BAD_KEY);
	CHECK_OK(resolve(&s, auth, "bob", NULL));
	CHECK(s.status == TL_KEY_REVOKED);
	CHECK_OK(resolve(&s, auth, "*", texts[3]));
	CHECK(memcmp(&s.key, &keys[3], sizeof s.key) == 0);
	CHECK(same(s.permission, perm(TL_WRITE, 20)));
	CHECK_CODE(resolve(&s, auth, "*", NULL), TL_E_BAD_KEY);
	/* H17: an unknown name never becomes the global record. H9: nor does none. */
	CHECK_CODE(resolve(&s, auth, "carol", texts[3]), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(resolve(&s, auth, "", NULL), TL_E_KEY_NOT_FOUND);
	CHECK_CODE(resolve(&s, auth, "odd", NULL), TL_E_BAD_KEY);
	tl_auth_free(auth);
	auth = auth_of(records, 0); /* H10: no record, nobody */
	CHECK_CODE(resolve(&s, auth, "alice", texts[0]), TL_E_KEY_NOT_FOUND);
	tl_auth_free(auth);
}

/* The delegated databases by step. */
typedef struct world {
	const tl_auth *inner[TL_DELEGATION_MAX_STEPS];
	int code;
	size_t calls;
} world;

static int lookup(void *ud, tl_str root, const tl_entry *entry, size_t step, const tl_auth **auth)
{
	world *w = ud;

	w->calls++;
	if (w->code != TL_OK)
		return tl__fail(w->code, "lookup of %.*s at %td tips", TL__STR_ARG(root),
			tl_entry_step_tip_count(entry, step));
	*auth = w->inner[step];
	return TL_OK;
}

static tl_entry *signed_by_path(const char *const *steps, size_t count, size_t with_tips)
{
	tl_str tip = TL__STR(TIP);
	tl_entry_builder *b;
	tl_entry *entry = NULL;

	if (tl_entry_builder_new(&b) != TL_OK)
		exit(2);
	for (size_t i = 0; i < count; i++)
		tl_entry_builder_step(
			b, tl__str_z(steps[i]), i < with_tips ? &tip : NULL, i < with_tips);
	if (tl_entry_builder_finish(b, NULL, &entry) != TL_OK)
		entry = NULL;
	tl_entry_builder_free(b);
	return entry;
}

#define DELEGATES(max, min)                                                                        \
	"{\"permission-bounds\":{\"max\":" max ",\"min\":" min "},\"tree\":{\"root\":\"" TIP       \
	"\",\"tips\":[\"" TIP "\"]}}"

static void delegation_is_bounded_by_every_step(void)
{
	static const char *const two[] = {"team", "alice"}, *const three[] = {
								    "org", "team", "alice"};
	spec_record outer[] = {{"team", DELEGATES("{\"Write\":10}", "\"Read\"")},
		{"org", DELEGATES("{\"Admin\":5}", "{\"Write\":50}")}};
	spec_record middle[] = {{"team", DELEGATES("{\"Write\":30}", "null")}};
	spec_record inner[] = {{"alice", record_text(0, texts[0], perm(TL_ADMIN, 0), false)}};
	spec_record weak[] = {{"alice", record_text(1, texts[0], perm(TL_READ, 0), false)}};
	tl_auth *a = auth_of(outer, 2), *m = auth_of(middle, 1), *i = auth_of(inner, 1);
	tl_auth *l = auth_of(weak, 1);
	tl_entry *by_two = signed_by_path(two, 2, 1), *by_three = signed_by_path(three, 3, 2);
	world w = {.inner = {i}};
	tl_signer s;

	CHECK_OK(tl_auth_resolve(&s, a, by_two, lookup, &w));
	CHECK(same(s.permission, perm(TL_WRITE, 10)) && w.calls == 1);
	CHECK(memcmp(&s.key, &keys[0], sizeof s.key) == 0);
	w = (world){.inner = {m, i}};
	CHECK_OK(tl_auth_resolve(&s, a, by_three, lookup, &w));
	CHECK(same(s.permission, perm(TL_WRITE, 30)) && w.calls == 2);
	/* The lower bound lifts. */
	w = (world){.inner = {m, l}};
	CHECK_OK(tl_auth_resolve(&s, a, by_three, lookup, &w));
	CHECK(same(s.permission, perm(TL_WRITE, 50)));
	tl_entry_free(by_two);
	tl_entry_free(by_three);
	tl_auth_free(a);
	tl_auth_free(m);
	tl_auth_free(i);
	tl_auth_free(l);
}

static void broken_paths_resolve_to_nobody(void)
{
	static const char *const good[] = {"team", "alice"}, *const unknown[] = {"x", "alice"};
	static const char *const stranger[] = {"team", "x"}, *const direct[] = {"alice", "alice"};
	const struct {
		const char *const *steps;
		size_t count, tips;
		int lookup, code;
	} cases[] = {{good, 2, 1, TL_OK, TL_OK}, {good, 2, 0, TL_OK, TL_E_BAD_ENTRY},
		{good, 2, 2, TL_OK, TL_E_BAD_ENTRY}, {unknown, 2, 1, TL_OK, TL_E_KEY_NOT_FOUND},
		{stranger, 2, 1, TL_OK, TL_E_KEY_NOT_FOUND},
		{direct, 2, 1, TL_OK, TL_E_KEY_NOT_FOUND},
		{good, 2, 1, TL_E_DATABASE_NOT_FOUND, TL_E_DATABASE_NOT_FOUND},
		{good, 1, 0, TL_OK, TL_E_KEY_NOT_FOUND}, {good + 1, 1, 0, TL_OK, TL_OK}};
	spec_record records[] = {{"team", DELEGATES("{\"Write\":10}", "null")},
		{"alice", record_text(0, texts[0], perm(TL_WRITE, 1), false)}};
	tl_auth *auth = auth_of(records, 2);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl_entry *e = signed_by_path(cases[i].steps, cases[i].count, cases[i].tips);
		world w = {.inner = {auth}, .code = cases[i].lookup};
		tl_signer s;

		REQUIRE(e != NULL);
		CHECK_CODE(tl_auth_resolve(&s, auth, e, lookup, &w), cases[i].code);
		tl_entry_free(e);
	}
	tl_auth_free(auth);
}

static void settings_need_admin(void)
{
	tl_entry_builder *b;
	tl_entry *plain, *settings;

	REQUIRE(tl_entry_builder_new(&b) == TL_OK);
	tl_entry_builder_store(b, TL__STR("notes"), TL__STR(""));
	REQUIRE(tl_entry_builder_finish(b, NULL, &plain) == TL_OK);
	tl_entry_builder_store(b, TL__STR("_settings"), TL__STR(""));
	REQUIRE(tl_entry_builder_finish(b, NULL, &settings) == TL_OK);
	CHECK(!tl_auth_may_write(perm(TL_READ, 0), plain));
	CHECK(tl_auth_may_write(perm(TL_WRITE, UINT32_MAX), plain));
	CHECK(!tl_auth_may_write(perm(TL_WRITE, 0), settings));
	CHECK(tl_auth_may_write(perm(TL_ADMIN, UINT32_MAX), settings));
	tl_entry_free(plain);
	tl_entry_free(settings);
	tl_entry_builder_free(b);
}

int main(void)
{
	for (uint8_t i = 0; i < 4; i++) {
		uint8_t seed[TL_SEED_BYTES] = {(uint8_t)(i + 1)};
		tl_secret secret;

		if (tl_secret_from_seed(&secret, seed) != TL_OK)
			return 2;
		tl_secret_public(&secret, &keys[i]);
		tl_key_format(&keys[i], texts[i]);
	}
	RUN(permissions_have_an_order);
	RUN(bounds_clamp);
	RUN(permission_texts_come_back);
	RUN(other_permission_texts_are_refused);
	RUN(records_are_found_by_name);
	RUN(nested_docs_are_paths);
	RUN(the_global_record_is_named_and_keyed);
	RUN(the_best_active_record_counts);
	RUN(names_resolve_to_their_keys);
	RUN(delegation_is_bounded_by_every_step);
	RUN(broken_paths_resolve_to_nobody);
	RUN(settings_need_admin);
	return spec_end();
}
