/* Docs, lists, merging and their texts, as the API shows them. */
#include <limits.h>
#include "base/buf.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "check.h"
#include <tidelock/doc.h>
#include <tidelock/entry.h>

static tl_value *text(const char *z)
{
	return tl_value_text(tl__str_z(z));
}

/* The Doc text equals this one. */
static bool writes_as(const tl_value *doc, const char *wanted)
{
	char *out = NULL;
	size_t len = 0;
	bool same = tl_doc_write(doc, &out, &len) == TL_OK && len == strlen(wanted) &&
		    memcmp(out, wanted, len) == 0 && out[len] == '\0';

	if (!same)
		printf("wrote %s\nnot   %s\n", out ? out : "nothing", wanted);
	tl_free(out);
	return same;
}

static bool exports_as(const tl_value *value, const char *wanted)
{
	char *out = NULL;
	size_t len = 0;
	bool same = tl_value_export(value, &out, &len) == TL_OK &&
		    tl__str_eq((tl_str){out, len}, tl__str_z(wanted));

	if (!same)
		printf("exported %s\nnot      %s\n", out ? out : "nothing", wanted);
	tl_free(out);
	return same;
}

/* --- values ----------------------------------------------------------------------------------- */

static void values_hold_what_they_are_given(void)
{
	tl_value *values[] = {tl_value_null(), tl_value_bool(true), tl_value_int(INT64_MIN),
		text("t\0"), tl_value_doc(), tl_value_list(), tl_value_deleted()};

	for (int type = TL_NULL; type <= TL_DELETED; type++) {
		tl_value *copy = tl_value_copy(values[type]);

		CHECK((int)tl_value_type(values[type]) == type);
		CHECK(tl_value_equal(values[type], copy));
		for (int other = TL_NULL; other <= TL_DELETED; other++)
			CHECK(tl_value_equal(values[type], values[other]) == (type == other));
		tl_value_free(copy);
	}
	CHECK(tl_value_as_bool(values[TL_BOOL]));
	CHECK(tl_value_as_int(values[TL_INT]) == INT64_MIN);
	CHECK(tl__str_eq(tl_value_as_text(values[TL_TEXT]), TL__STR("t")));
	CHECK(strcmp(tl_type_name(TL_DELETED), "deleted") == 0);
	for (int type = TL_NULL; type <= TL_DELETED; type++)
		tl_value_free(values[type]);
	CHECK(tl_value_text(TL__STR("\xff")) == NULL);
	CHECK(tl_error_code(tl_last_error()) == TL_E_BAD_DOC);
	tl_value_free(NULL);
}

static void docs_keep_keys_in_order(void)
{
	static const char *const keys[] = {"b", "", "a", "aa", "\xc3\xa9", "B", "a.b"};
	static const char *const sorted[] = {"", "B", "a", "a.b", "aa", "b", "\xc3\xa9"};
	tl_value *doc = tl_value_doc(), *value;
	tl_str key;

	for (size_t i = 0; i < 7; i++)
		CHECK_OK(tl_doc_put(doc, tl__str_z(keys[i]), tl_value_int((int64_t)i)));
	CHECK(tl_doc_count(doc) == 7);
	for (size_t i = 0; i < 7; i++)
		CHECK(tl_doc_at(doc, i, &key, &value) && tl__str_eq(key, tl__str_z(sorted[i])));
	CHECK(!tl_doc_at(doc, 7, &key, &value));
	CHECK_OK(tl_doc_put(doc, TL__STR("a"), text("new")));
	CHECK(tl_doc_count(doc) == 7);
	CHECK(tl__str_eq(tl_value_as_text(tl_doc_raw(doc, TL__STR("a"))), TL__STR("new")));
	CHECK(tl_doc_raw(doc, TL__STR("c")) == NULL);
	CHECK_CODE(tl_doc_put(doc, TL__STR("x"), NULL), TL_E_NOMEM);
	tl_value_free(doc);
}

static void dots_separate_components(void)
{
	tl_value *doc = tl_value_doc();

	CHECK_OK(tl_doc_set(doc, TL__STR("a.b.c"), tl_value_int(1)));
	CHECK_OK(tl_doc_set(doc, TL__STR("..a..d."), tl_value_int(2)));
	CHECK(writes_as(doc, "{\"children\":{\"a\":{\"Doc\":{\"children\":{\"b\":{\"Doc\":{"
			     "\"children\":{\"c\":{\"Int\":1}}}},\"d\":{\"Int\":2}}}}}}"));
	CHECK(tl_value_as_int(tl_doc_get(doc, TL__STR("a.b.c"))) == 1);
	CHECK(tl_doc_get(doc, TL__STR("a.b.x")) == NULL);
	CHECK(tl_doc_get(doc, TL__STR("a.d.x")) == NULL);
	CHECK_CODE(tl_doc_set(doc, TL__STR(""), tl_value_int(3)), TL_E_BAD_PATH);
	CHECK_CODE(tl_doc_set(doc, TL__STR("..."), tl_value_int(3)), TL_E_BAD_PATH);
	/* What is in the way and is no Doc becomes one. */
	CHECK_OK(tl_doc_set(doc, TL__STR("a.d.e"), text("x")));
	CHECK(tl__str_eq(tl_value_as_text(tl_doc_get(doc, TL__STR("a.d.e"))), TL__STR("x")));
	tl_value_free(doc);
}

static void literal_components_hold_dots(void)
{
	tl_str readme[] = {TL__STR("README.md")}, deep[] = {TL__STR("a.b"), TL__STR("")};
	tl_value *doc = tl_value_doc();

	CHECK_OK(tl_doc_set_at(doc, readme, 1, tl_value_int(1)));
	CHECK_OK(tl_doc_set_at(doc, deep, 2, tl_value_bool(false)));
	CHECK(tl_doc_raw(doc, TL__STR("README.md")) != NULL);
	CHECK(tl_doc_get(doc, TL__STR("README.md")) == NULL);
	CHECK_OK(tl_doc_delete_at(doc, readme, 1));
	CHECK(tl_value_type(tl_doc_raw(doc, TL__STR("README.md"))) == TL_DELETED);
	CHECK(exports_as(doc, "{\"a.b\":{\"\":false}}"));
	CHECK_CODE(tl_doc_set_at(doc, readme, 0, tl_value_int(1)), TL_E_BAD_PATH);
	CHECK_CODE(tl_doc_delete_at(doc, readme, 0), TL_E_BAD_PATH);
	tl_value_free(doc);
}

static void tombstones_read_as_absent(void)
{
	tl_str path[] = {TL__STR("a"), TL__STR("b")};
	tl_value *doc = tl_value_doc();

	CHECK_OK(tl_doc_delete_at(doc, path, 2));
	CHECK(tl_doc_get(doc, TL__STR("a.b")) == NULL);
	CHECK(tl_value_type(tl_doc_get(doc, TL__STR("a"))) == TL_DOC);
	CHECK(writes_as(
		doc, "{\"children\":{\"a\":{\"Doc\":{\"children\":{\"b\":\"Deleted\"}}}}}"));
	tl_value_free(doc);
}

/* --- texts ------------------------------------------------------------------------------------ */

static tl_value *random_value(const tl__random *random, int depth)
{
	tl_value *value;
	uint64_t count = tl__random_below(random, 5);

	switch (tl__random_below(random, depth > 4 ? 5 : 7)) {
	case 0: return tl_value_null();
	case 1: return tl_value_bool(count & 1);
	case 2: return tl_value_int((int64_t)tl__random_u64(random));
	case 3: return text("q\"\\\n\x01 \xf0\x9f\x98\x80");
	case 4: return tl_value_deleted();
	case 5:
		value = tl_value_doc();
		for (uint64_t i = 0; i < count; i++) {
			char key[8];

			(void)snprintf(key, sizeof key, "k%d", (int)tl__random_below(random, 9));
			if (tl_doc_put(value, tl__str_z(key), random_value(random, depth + 1)))
				exit(2);
		}
		return value;
	default:
		value = tl_value_list();
		for (uint64_t i = 0; i < count; i++)
			if (tl_list_push(value, random_value(random, depth + 1)) != TL_OK)
				exit(2);
		return value;
	}
}

static tl_value *random_doc(const tl__random *random)
{
	tl_value *value = NULL;

	while (!value || tl_value_type(value) != TL_DOC) {
		tl_value_free(value);
		value = random_value(random, 0);
	}
	return value;
}

static void written_docs_come_back(void)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(77));

	for (int round = 0; round < 500; round++) {
		tl_value *doc = random_doc(&random), *back = NULL;
		char *first = NULL, *second = NULL;
		size_t len = 0, again = 0;

		REQUIRE(tl_doc_write(doc, &first, &len) == TL_OK);
		CHECK_OK(tl_doc_parse(&back, (tl_str){first, len}));
		CHECK(back && tl_value_equal(doc, back));
		REQUIRE(tl_doc_write(back, &second, &again) == TL_OK);
		CHECK(len == again && memcmp(first, second, len) == 0);
		tl_free(first);
		tl_free(second);
		tl_value_free(doc);
		tl_value_free(back);
	}
}

static void texts_that_are_no_docs(void)
{
	static const char *const texts[] = {"", "null", "[]", "{}", "{\"children\":[]}",
		"{\"children\":{\"a\":1}}", "{\"children\":{\"a\":{\"Int\":1.5}}}",
		"{\"children\":{\"a\":{\"Int\":9223372036854775808}}}",
		"{\"children\":{\"a\":{\"Text\":1}}}", "{\"children\":{\"a\":{\"What\":1}}}",
		"{\"children\":{\"a\":\"Gone\"}}",
		"{\"children\":{\"a\":{\"Int\":1,\"Text\":\"\"}}}", "{\"children\":{}} x",
		"{\"children\":{\"a\":{\"Text\":\"\xff\"}}}"};

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		tl_value *kept = tl_value_null(), *doc = kept;
		int code = tl_doc_parse(&doc, tl__str_z(texts[i]));

		if (code == TL_OK)
			printf("%s\n", texts[i]);
		CHECK(code == TL_E_BAD_DOC || code == TL_E_BAD_JSON);
		CHECK(doc == NULL);
		tl_value_free(kept);
	}
}

/* Docs inside Docs, `depth` of them below the root. */
static tl_value *nested(int depth)
{
	tl_value *value = tl_value_doc();

	for (int i = 0; i < depth; i++) {
		tl_value *outer = tl_value_doc();

		if (tl_doc_put(outer, TL__STR("a"), value) != TL_OK)
			exit(2);
		value = outer;
	}
	return value;
}

static void docs_nest_so_far(void)
{
	tl_value *deep = nested(TL_DOC_MAX_NESTING), *deeper = nested(TL_DOC_MAX_NESTING + 1);
	tl_value *back = NULL;
	char *out = NULL;
	size_t len;

	REQUIRE(tl_doc_write(deep, &out, &len) == TL_OK);
	CHECK_OK(tl_doc_parse(&back, (tl_str){out, len}));
	CHECK(back && tl_value_equal(deep, back));
	tl_value_free(back);
	tl_free(out);
	out = NULL;
	CHECK_CODE(tl_doc_write(deeper, &out, &len), TL_E_BAD_DOC);
	CHECK(out == NULL);
	tl_value_free(deep);
	tl_value_free(deeper);
	deep = tl_value_list();
	CHECK_CODE(tl_doc_write(deep, &out, &len), TL_E_TYPE_MISMATCH);
	tl_value_free(deep);
}

static void too_deep_texts_are_refused(void)
{
	tl__buf doc = TL__BUF_INIT;
	tl_value *value = NULL;

	for (int i = 0; i <= TL_DOC_MAX_NESTING; i++)
		tl__buf_text(&doc, "{\"children\":{\"a\":{\"Doc\":");
	tl__buf_text(&doc, "{\"children\":{}}");
	for (int i = 0; i <= TL_DOC_MAX_NESTING; i++)
		tl__buf_text(&doc, "}}}");
	CHECK(tl_doc_parse(&value, tl__buf_view(&doc)) != TL_OK);
	CHECK(value == NULL);
	tl__buf_free(&doc);
}

static void exports_are_plain_json(void)
{
	tl_value *doc = tl_value_doc(), *list = tl_value_list();

	CHECK_OK(tl_list_push(list, text("a\"\n")));
	CHECK_OK(tl_list_push(list, tl_value_deleted()));
	CHECK_OK(tl_list_push(list, tl_value_null()));
	CHECK_OK(tl_doc_put(doc, TL__STR("l"), list));
	CHECK_OK(tl_doc_put(doc, TL__STR("gone"), tl_value_deleted()));
	CHECK_OK(tl_doc_put(doc, TL__STR("\x01"), tl_value_int(INT64_MAX)));
	CHECK(exports_as(doc, "{\"\\u0001\":9223372036854775807,\"l\":[\"a\\\"\\n\",null]}"));
	tl_value_free(doc);
}

/* --- merging ---------------------------------------------------------------------------------- */

static void later_values_win(void)
{
	tl_value *base = tl_value_doc(), *later = tl_value_doc(), *nothing = tl_value_int(1);

	CHECK_OK(tl_doc_set(base, TL__STR("same"), tl_value_int(1)));
	CHECK_OK(tl_doc_set(base, TL__STR("doc.kept"), tl_value_int(2)));
	CHECK_OK(tl_doc_set(base, TL__STR("gone.below"), tl_value_int(3)));
	CHECK_OK(tl_doc_set(later, TL__STR("same"), text("new")));
	CHECK_OK(tl_doc_set(later, TL__STR("doc.more"), tl_value_null()));
	CHECK_OK(tl_doc_put(later, TL__STR("gone"), tl_value_deleted()));
	CHECK_OK(tl_doc_merge(base, later));
	tl_value_free(later); /* nothing is shared */
	CHECK(writes_as(base, "{\"children\":{\"doc\":{\"Doc\":{\"children\":{\"kept\":{\"Int\":2},"
			      "\"more\":\"Null\"}}},\"gone\":\"Deleted\",\"same\":{\"Text\":"
			      "\"new\"}}}"));
	CHECK_CODE(tl_doc_merge(base, nothing), TL_E_TYPE_MISMATCH);
	CHECK_CODE(tl_doc_merge(nothing, base), TL_E_TYPE_MISMATCH);
	tl_value_free(base);
	tl_value_free(nothing);
}

static void merging_twice_changes_nothing(void)
{
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, spec_seed(12));

	for (int round = 0; round < 300; round++) {
		tl_value *base = random_doc(&random), *later = random_doc(&random), *once;

		CHECK_OK(tl_doc_merge(base, later));
		once = tl_value_copy(base);
		CHECK_OK(tl_doc_merge(base, later));
		CHECK(tl_value_equal(base, once));
		CHECK_OK(tl_doc_merge(base, once));
		CHECK(tl_value_equal(base, once));
		tl_value_free(base);
		tl_value_free(later);
		tl_value_free(once);
	}
}

int main(void)
{
	RUN(values_hold_what_they_are_given);
	RUN(docs_keep_keys_in_order);
	RUN(dots_separate_components);
	RUN(literal_components_hold_dots);
	RUN(tombstones_read_as_absent);
	RUN(written_docs_come_back);
	RUN(texts_that_are_no_docs);
	RUN(docs_nest_so_far);
	RUN(too_deep_texts_are_refused);
	RUN(exports_are_plain_json);
	RUN(later_values_win);
	RUN(merging_twice_changes_nothing);
	return spec_end();
}
