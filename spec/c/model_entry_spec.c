/* Entries: one text, one id; built, read, checked, signed. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include <tidelock/entry.h>

#define ROOT   "sha256:0000000000000000000000000000000000000000000000000000000000000001"
#define PARENT "sha256:0000000000000000000000000000000000000000000000000000000000000002"
#define OTHER  "sha256:0000000000000000000000000000000000000000000000000000000000000003"

static tl_secret secret;
static tl_key key;

static tl_entry_builder *plain_builder(void)
{
	tl_entry_builder *b;

	if (tl_entry_builder_new(&b) != TL_OK)
		exit(2);
	tl_entry_builder_tree(b, TL__STR(ROOT));
	tl_entry_builder_parent(b, TL__STR(PARENT));
	tl_entry_builder_metadata(b, TL__STR("{\"m\":1}"));
	tl_entry_builder_store(b, TL__STR("notes"), TL__STR("a \"b\"\n"));
	tl_entry_builder_store_parent(b, TL__STR("notes"), TL__STR(PARENT));
	tl_entry_builder_key(b, TL__STR("alice"), TL__STR_NULL);
	return b;
}

static tl_entry *built(tl_entry_builder *b, const tl_secret *by)
{
	tl_entry *entry;

	if (tl_entry_builder_finish(b, by, &entry) != TL_OK)
		exit(2);
	tl_entry_builder_free(b);
	return entry;
}

/* --- building --------------------------------------------------------------------------------- */

static void entries_hold_what_was_built(void)
{
	tl_entry *e = built(plain_builder(), &secret), *back = NULL;
	tl_id id;

	CHECK(tl__str_starts(tl_entry_bytes(e),
		TL__STR("{\"tree\":{\"root\":\"" ROOT "\",\"parents\":[\"" PARENT "\"],"
			"\"metadata\":\"{\\\"m\\\":1}\"},\"subtrees\":[{\"name\":\"notes\","
			"\"parents\":[\"" PARENT "\"],\"data\":\"a \\\"b\\\"\\n\"}],\"sig\":{"
			"\"sig\":\"")));
	tl_id_of(&id, tl_entry_bytes(e).ptr, tl_entry_bytes(e).len);
	CHECK(memcmp(tl_entry_id(e), &id, sizeof id) == 0);
	CHECK(!tl_entry_is_root(e));
	CHECK(tl__str_eq(tl_entry_tree(e), TL__STR(ROOT)));
	CHECK(tl_entry_parent_count(e) == 1 && tl_entry_store_count(e) == 1);
	CHECK(tl__str_eq(tl_entry_parent(e, 0), TL__STR(PARENT)));
	CHECK(tl__str_eq(tl_entry_store_data(e, 0), TL__STR("a \"b\"\n")));
	CHECK(tl_entry_find_store(e, TL__STR("notes")) == 0);
	CHECK(tl_entry_find_store(e, TL__STR("note")) == -1);
	CHECK(tl__str_eq(tl_entry_key_name(e), TL__STR("alice")));
	CHECK(tl_entry_pubkey(e).ptr == NULL && tl_entry_step_count(e) == 0);
	CHECK_OK(tl_entry_check(e));
	CHECK_OK(tl_entry_verify(e, &key));
	CHECK_OK(tl_entry_parse(&back, tl_entry_bytes(e), TL_ENTRY_CANONICAL));
	CHECK(back && memcmp(tl_entry_id(back), &id, sizeof id) == 0);
	tl_entry_free(back);
	tl_entry_free(e);
}

static void builders_sort_and_drop_repeats(void)
{
	tl_entry_builder *b = plain_builder();
	tl_entry *e;

	tl_entry_builder_parent(b, TL__STR(OTHER));
	tl_entry_builder_parent(b, TL__STR(ROOT));
	tl_entry_builder_parent(b, TL__STR(OTHER));
	tl_entry_builder_store(b, TL__STR("a"), TL__STR("1"));
	tl_entry_builder_store(b, TL__STR("notes"), TL__STR("new"));
	tl_entry_builder_store_parent(b, TL__STR("notes"), TL__STR(ROOT));
	e = built(b, NULL);
	CHECK(tl_entry_parent_count(e) == 3);
	CHECK(tl__str_eq(tl_entry_parent(e, 0), TL__STR(ROOT)));
	CHECK(tl__str_eq(tl_entry_parent(e, 2), TL__STR(OTHER)));
	CHECK(tl_entry_store_count(e) == 2);
	CHECK(tl__str_eq(tl_entry_store_name(e, 0), TL__STR("a")));
	CHECK(tl__str_eq(tl_entry_store_data(e, 1), TL__STR("new")));
	CHECK(tl_entry_store_parent_count(e, 1) == 2);
	CHECK(tl__str_eq(tl_entry_store_parent(e, 1, 0), TL__STR(ROOT)));
	CHECK(tl_entry_signature(e).ptr == NULL);
	CHECK_CODE(tl_entry_verify(e, &key), TL_E_BAD_SIGNATURE);
	CHECK_OK(tl_entry_check(e));
	tl_entry_free(e);
}

static void builders_stay_usable_and_errors_stick(void)
{
	tl_entry_builder *b = plain_builder();
	tl_entry *first, *second, *none = NULL;

	REQUIRE(tl_entry_builder_finish(b, &secret, &first) == TL_OK);
	REQUIRE(tl_entry_builder_finish(b, &secret, &second) == TL_OK);
	CHECK(memcmp(tl_entry_id(first), tl_entry_id(second), sizeof(tl_id)) == 0);
	tl_entry_builder_store(b, TL__STR("x"), TL__STR("\xff"));
	tl_entry_builder_store(b, TL__STR("y"), TL__STR("fine"));
	CHECK(tl_entry_builder_finish(b, &secret, &none) != TL_OK);
	CHECK(none == NULL);
	tl_entry_free(first);
	tl_entry_free(second);
	tl_entry_builder_free(b);
	tl_entry_builder_free(NULL);
}

static void delegation_paths_come_back(void)
{
	tl_str tips[] = {TL__STR(PARENT), TL__STR(OTHER)};
	tl_entry_builder *b = plain_builder();
	tl_entry *e, *back = NULL;

	tl_entry_builder_step(b, TL__STR("team"), tips, 2);
	tl_entry_builder_step(b, TL__STR("alice"), NULL, 0);
	e = built(b, &secret);
	CHECK_OK(tl_entry_parse(&back, tl_entry_bytes(e), TL_ENTRY_CANONICAL));
	REQUIRE(back != NULL);
	CHECK(tl_entry_key_name(back).ptr == NULL);
	CHECK(tl_entry_step_count(back) == 2);
	CHECK(tl__str_eq(tl_entry_step_key(back, 0), TL__STR("team")));
	CHECK(tl_entry_step_tip_count(back, 0) == 2);
	CHECK(tl__str_eq(tl_entry_step_tip(back, 0, 1), TL__STR(OTHER)));
	CHECK(tl_entry_step_tip_count(back, 1) == -1);
	CHECK_OK(tl_entry_verify(back, &key));
	tl_entry_free(e);
	tl_entry_free(back);
}

static void owners_are_counted(void)
{
	tl_entry *e = built(plain_builder(), NULL);

	CHECK(tl_entry_retain(e) == e);
	tl_entry_free(e);
	CHECK(tl__str_eq(tl_entry_key_name(e), TL__STR("alice")));
	tl_entry_free(e);
	tl_entry_free(NULL);
}

/* --- canonical bytes -------------------------------------------------------------------------- */

static void truncated_entries_are_refused(void)
{
	tl_entry *e = built(plain_builder(), &secret);
	tl_str bytes = tl_entry_bytes(e);

	for (size_t len = 0; len < bytes.len; len++) {
		char *copy = tl__copy_bytes(bytes.ptr, len);
		tl_entry *out = NULL;

		CHECK(tl_entry_parse(&out, (tl_str){copy, len}, TL_ENTRY_CANONICAL) != TL_OK);
		CHECK(out == NULL);
		CHECK(tl_entry_parse(&out, (tl_str){copy, len}, TL_ENTRY_FOREIGN) != TL_OK);
		tl__free(copy);
	}
	tl_entry_free(e);
}

/* Any other byte is refused, or makes another entry whose signature does not hold. */
static void altered_entries_do_not_verify(void)
{
	static const char marks[] = "\" \\{}[]:,01an\x01\x7f\x80\xff";
	tl_entry *e = built(plain_builder(), &secret);
	tl_str bytes = tl_entry_bytes(e);
	char *copy = tl__copy_bytes(bytes.ptr, bytes.len);

	for (size_t at = 0; at < bytes.len; at++) {
		for (size_t m = 0; m < sizeof marks - 1; m++) {
			tl_entry *out = NULL;

			copy[at] = marks[m];
			if (copy[at] != bytes.ptr[at] &&
				tl_entry_parse(&out, (tl_str){copy, bytes.len},
					TL_ENTRY_CANONICAL) == TL_OK) {
				CHECK(memcmp(tl_entry_id(out), tl_entry_id(e), sizeof(tl_id)) != 0);
				CHECK(tl__str_eq(tl_entry_bytes(out), (tl_str){copy, bytes.len}));
				CHECK_CODE(tl_entry_verify(out, &key), TL_E_BAD_SIGNATURE);
			}
			tl_entry_free(out);
		}
		copy[at] = bytes.ptr[at];
	}
	tl__free(copy);
	tl_entry_free(e);
}

static void signing_bytes_lack_the_signature_alone(void)
{
	tl_entry *without = built(plain_builder(), NULL), *with = built(plain_builder(), &secret);
	char *bytes = NULL;
	size_t len = 0;

	CHECK_OK(tl_entry_signing_bytes(with, &bytes, &len));
	CHECK(tl__str_eq((tl_str){bytes, len}, tl_entry_bytes(without)));
	tl_free(bytes);
	tl_entry_free(without);
	tl_entry_free(with);
}

#define TREE "\"tree\":{\"root\":\"" ROOT "\",\"parents\":[\"" PARENT "\"],\"metadata\":null}"
#define SUBS "\"subtrees\":[{\"name\":\"s\",\"parents\":[],\"data\":\"/\"}]"
#define SIG  "\"sig\":{\"sig\":null,\"key\":\"k\"}"

/* Forms that 0.2.0 reads, all of the same entry. */
static void foreign_forms_are_one_entry(void)
{
	static const char *const forms[] = {"{" SIG "," SUBS "," TREE "}",
		" {\n" TREE " ,\t" SUBS ", " SIG "} ",
		"{" TREE
		",\"subtrees\":[{\"data\":\"\\/\",\"parents\":[],\"name\":\"\\u0073\"}]," SIG "}"};
	tl_entry *canonical = NULL;

	REQUIRE(tl_entry_parse(&canonical, TL__STR("{" TREE "," SUBS "," SIG "}"),
			TL_ENTRY_CANONICAL) == TL_OK);
	for (size_t i = 0; i < 3; i++) {
		tl_entry *e = NULL;

		CHECK_CODE(tl_entry_parse(&e, tl__str_z(forms[i]), TL_ENTRY_CANONICAL),
			TL_E_NOT_CANONICAL);
		CHECK(e == NULL);
		CHECK_OK(tl_entry_parse(&e, tl__str_z(forms[i]), TL_ENTRY_FOREIGN));
		CHECK(e && tl__str_eq(tl_entry_bytes(e), tl_entry_bytes(canonical)));
		tl_entry_free(e);
	}
	tl_entry_free(canonical);
}

static void unknown_and_repeated_members_are_refused(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {{"{" TREE "," SUBS "," SIG ",\"x\":1}", TL_E_NOT_CANONICAL},
		{"{" TREE "," TREE "," SUBS "," SIG "}", TL_E_NOT_CANONICAL},
		{"{" TREE "," SUBS ",\"sig\":{\"sig\":null,\"key\":\"k\",\"key\":\"k\"}}",
			TL_E_NOT_CANONICAL},
		{"{" TREE "," SUBS ",\"sig\":{\"sig\":null,\"key\":\"k\",\"y\":0}}",
			TL_E_NOT_CANONICAL},
		{"{" TREE "," SUBS "}", TL_E_BAD_ENTRY},
		{"{" TREE ",\"subtrees\":1," SIG "}", TL_E_BAD_ENTRY},
		{"{" TREE "," SUBS ",\"sig\":{\"sig\":1,\"key\":\"k\"}}", TL_E_BAD_ENTRY},
		{"[]", TL_E_BAD_ENTRY}, {"", TL_E_BAD_JSON},
		{"{" TREE "," SUBS "," SIG "}}", TL_E_BAD_JSON},
		{"{" TREE "," SUBS ",\"sig\":{\"sig\":null,\"key\":\"\xff\"}}", TL_E_BAD_JSON}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl_entry *e = NULL;

		CHECK_CODE(tl_entry_parse(&e, tl__str_z(cases[i].text), TL_ENTRY_FOREIGN),
			cases[i].code);
		CHECK(e == NULL);
		CHECK_CODE(tl_entry_parse(&e, tl__str_z(cases[i].text), TL_ENTRY_CANONICAL),
			cases[i].code);
	}
}

/* --- structure -------------------------------------------------------------------------------- */

#define SUBTREE(name, parents) "{\"name\":\"" name "\",\"parents\":[" parents "],\"data\":\"\"}"
#define ENTRY(root, parents, subtrees)                                                             \
	"{\"tree\":{\"root\":\"" root "\",\"parents\":[" parents "],\"metadata\":null},"           \
	"\"subtrees\":[" subtrees "],\"sig\":{\"sig\":null,\"key\":\"\"}}"
#define P "\"" PARENT "\""

static void structure_has_rules(void)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {{ENTRY("", "", SUBTREE("_root", "")), TL_OK},
		{ENTRY("", "", SUBTREE("_root", "") "," SUBTREE("_settings", "")), TL_OK},
		{ENTRY(ROOT, P, ""), TL_OK}, {ENTRY(ROOT, P, SUBTREE("a", P)), TL_OK},
		{ENTRY(ROOT, P, SUBTREE("b", "") "," SUBTREE("a", "")), TL_OK},
		/* a root inside a database, a root whose store has parents */
		{ENTRY(ROOT, "", SUBTREE("_root", "")), TL_E_BAD_ENTRY},
		{ENTRY("", "", SUBTREE("_root", P)), TL_E_BAD_ENTRY},
		/* no root: no database, no parents, the store _root, no ids, repeats */
		{ENTRY("", P, ""), TL_E_BAD_ENTRY}, {ENTRY(ROOT, "", ""), TL_E_BAD_ENTRY},
		{ENTRY(ROOT, P, SUBTREE("_root", "")), TL_E_BAD_ENTRY},
		{ENTRY("x", P, ""), TL_E_BAD_ENTRY}, {ENTRY(ROOT, "\"x\"", ""), TL_E_BAD_ENTRY},
		{ENTRY(ROOT, P, SUBTREE("a", "\"\"")), TL_E_BAD_ENTRY},
		{ENTRY(ROOT, P "," P, ""), TL_E_BAD_ENTRY},
		{ENTRY(ROOT, P, SUBTREE("a", P ",\"" ROOT "\"," P)), TL_E_BAD_ENTRY},
		{ENTRY(ROOT, P, SUBTREE("a", "") "," SUBTREE("b", "") "," SUBTREE("a", "")),
			TL_E_BAD_ENTRY}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl_entry *e = NULL;

		REQUIRE(tl_entry_parse(&e, tl__str_z(cases[i].text), TL_ENTRY_CANONICAL) == TL_OK);
		if (tl_entry_check(e) != cases[i].code)
			printf("%s\n", cases[i].text);
		CHECK_CODE(tl_entry_check(e), cases[i].code);
		tl_entry_free(e);
	}
}

/* --- limits ----------------------------------------------------------------------------------- */

static int parse_of_size(size_t size, tl_entry_form form)
{
	static const char begin[] =
		"{" TREE ",\"subtrees\":[{\"name\":\"s\",\"parents\":[],\"data\":\"";
	static const char end[] = "\"}]," SIG "}";
	tl__buf text = TL__BUF_INIT;
	tl_entry *e = NULL;
	int code;

	tl__buf_text(&text, begin);
	while (text.len < size - (sizeof end - 1))
		tl__buf_byte(&text, 'd');
	tl__buf_text(&text, end);
	code = tl_entry_parse(&e, tl__buf_view(&text), form);
	tl_entry_free(e);
	tl__buf_free(&text);
	return code;
}

static void entries_have_a_largest(void)
{
	CHECK_OK(parse_of_size(TL_ENTRY_MAX_BYTES, TL_ENTRY_CANONICAL));
	CHECK_CODE(parse_of_size(TL_ENTRY_MAX_BYTES + 1, TL_ENTRY_CANONICAL), TL_E_TOO_LARGE);
	CHECK_OK(parse_of_size(TL_ENTRY_MAX_BYTES, TL_ENTRY_FOREIGN));
	CHECK_CODE(parse_of_size(TL_ENTRY_MAX_BYTES + 1, TL_ENTRY_FOREIGN), TL_E_TOO_LARGE);
}

static int parse_with_steps(size_t steps)
{
	tl__buf text = TL__BUF_INIT;
	tl_entry *e = NULL;
	int code;

	tl__buf_text(&text, "{" TREE "," SUBS ",\"sig\":{\"sig\":null,\"key\":[");
	for (size_t i = 0; i < steps; i++)
		tl__buf_format(&text, "%s{\"key\":\"k\",\"tips\":%s}", i ? "," : "",
			i + 1 == steps ? "null" : "[" P "]");
	tl__buf_text(&text, "]}}");
	code = tl_entry_parse(&e, tl__buf_view(&text), TL_ENTRY_FOREIGN);
	tl_entry_free(e);
	tl__buf_free(&text);
	return code;
}

static void delegation_paths_have_a_longest(void)
{
	CHECK_OK(parse_with_steps(TL_DELEGATION_MAX_STEPS));
	CHECK_CODE(parse_with_steps(TL_DELEGATION_MAX_STEPS + 1), TL_E_TOO_LARGE);
}

int main(void)
{
	uint8_t seed[TL_SEED_BYTES] = {5};

	if (tl_secret_from_seed(&secret, seed) != TL_OK)
		return 2;
	tl_secret_public(&secret, &key);
	RUN(entries_hold_what_was_built);
	RUN(builders_sort_and_drop_repeats);
	RUN(builders_stay_usable_and_errors_stick);
	RUN(delegation_paths_come_back);
	RUN(owners_are_counted);
	RUN(truncated_entries_are_refused);
	RUN(altered_entries_do_not_verify);
	RUN(signing_bytes_lack_the_signature_alone);
	RUN(foreign_forms_are_one_entry);
	RUN(unknown_and_repeated_members_are_refused);
	RUN(structure_has_rules);
	RUN(entries_have_a_largest);
	RUN(delegation_paths_have_a_longest);
	return spec_end();
}
