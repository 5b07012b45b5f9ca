/* Paths as bytes: order, prefixes, positions as numbers, and the walk over a Doc. */
#include "check.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "model/value.h"

static tl__seeded memory;
static tl__random source;

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void order_of_keys_is_kept(void)
{
	static const tl_str keys[] = {TL__STR(""), TL__STR("\0"), TL__STR("\0\0"), TL__STR("\0\1"),
		TL__STR("\0\xc3\xbf"), TL__STR("\1"), TL__STR("a"), TL__STR("a\0"), TL__STR("a\0b"),
		TL__STR("a\1"), TL__STR("aa"), TL__STR("b"), TL__STR("\xc3\xbf")};
	const size_t count = sizeof keys / sizeof *keys;
	tl__buf a = TL__BUF_INIT, b = TL__BUF_INIT, scratch = TL__BUF_INIT;
	tl__path_part part;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			tl__buf_clear(&a);
			tl__buf_clear(&b);
			tl__path_key(&a, keys[i]);
			/* A child of the first comes before every later sibling of it. */
			if (i < j)
				tl__path_key(&a, TL__STR("\xf4\x8f\xbf\xbf"));
			tl__path_key(&b, keys[j]);
			CHECK(sign(tl__str_compare(tl__buf_view(&a), tl__buf_view(&b))) ==
				(i > j) - (i < j));
			CHECK(i == j || !tl__str_starts(tl__buf_view(&b), tl__buf_view(&a)));
		}
		tl_str path;

		tl__buf_clear(&b);
		tl__path_key(&b, keys[i]);
		path = tl__buf_view(&b);
		CHECK(tl__path_first(path) == path.len);
		CHECK_OK(tl__path_take(&path, &part, &scratch));
		CHECK(path.len == 0 && !part.item && tl__str_eq(part.key, keys[i]));
	}
	tl__buf_free(&a);
	tl__buf_free(&b);
	tl__buf_free(&scratch);
}

/* Numbers from every corner: small, near powers of two, near the limits. */
static uint64_t corner(void)
{
	uint64_t x = tl__random_u64(&source);

	switch (tl__random_below(&source, 5)) {
	case 0: return x % 8;
	case 1: return UINT64_MAX - x % 4;
	case 2: return (UINT64_C(1) << (x % 64)) + x / 64 % 3 - 1;
	case 3: return (UINT64_C(1) << 63) + x % 5 - 2;
	default: return x >> (x % 64);
	}
}

static tl_position some_position(void)
{
	tl_position p = {(int64_t)corner(), corner(), {0}};

	p.denominator += p.denominator == 0;
	p.uuid[15] = (uint8_t)tl__random_below(&source, 3);
	p.uuid[0] = (uint8_t)(tl__random_below(&source, 2) * 0xff);
	return p;
}

static void positions_are_encoded_as_numbers(void)
{
	tl__buf a = TL__BUF_INIT, b = TL__BUF_INIT, scratch = TL__BUF_INIT;
	tl_position x = some_position();

	for (int i = 0; i < 200000; i++) {
		tl_position y = some_position();
		tl__path_part part;
		tl_str path;

		/* Often a neighbour, or the same number in other terms. */
		if (i % 3 == 0)
			y = (tl_position){
				x.numerator, x.denominator + (x.denominator < UINT64_MAX), {0}};
		if (i % 7 == 0 && x.denominator < UINT64_MAX / 3 && x.numerator < INT64_MAX / 3 &&
			x.numerator > INT64_MIN / 3) {
			y = x;
			y.numerator *= 3;
			y.denominator *= 3;
		}
		tl__buf_clear(&a);
		tl__buf_clear(&b);
		REQUIRE(tl__path_item(&a, &x) == TL_OK && tl__path_item(&b, &y) == TL_OK);
		REQUIRE(a.len == TL__PATH_ITEM_BYTES);
		REQUIRE(sign(memcmp(a.ptr, b.ptr, a.len)) == sign(tl_position_compare(&x, &y)));
		path = tl__buf_view(&b);
		REQUIRE(tl__path_take(&path, &part, &scratch) == TL_OK);
		REQUIRE(part.item && tl_position_compare(&part.position, &y) == 0);
		REQUIRE(part.position.denominator <= y.denominator);
		x = y;
	}
	tl__buf_free(&a);
	tl__buf_free(&b);
	tl__buf_free(&scratch);
}

static void denominator_zero_has_no_path(void)
{
	tl__buf path = TL__BUF_INIT;
	tl_position p = {1, 0, {0}};

	CHECK_CODE(tl__path_item(&path, &p), TL_E_BAD_DOC);
	CHECK(path.len == 0);
	tl__buf_free(&path);
}

static void damaged_paths_are_refused(void)
{
	static const tl_str bad[] = {TL__STR(""), TL__STR("\3a\0\1"), TL__STR("\1abc"),
		TL__STR("\1abc\0"), TL__STR("\1abc\0\2"), TL__STR("\1\0\xff"), TL__STR("\2short")};
	char item[TL__PATH_ITEM_BYTES];
	tl__buf scratch = TL__BUF_INIT;
	tl__path_part part;
	tl_str path;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		path = bad[i];
		CHECK_CODE(tl__path_take(&path, &part, &scratch), TL_E_BAD_PATH);
		CHECK(tl__path_first(bad[i]) == 0);
	}
	/* Random fractions are almost never those of a 64-bit denominator. */
	for (int i = 0; i < 2000; i++) {
		source.fill(source.ud, item, sizeof item);
		item[0] = TL__PATH_ITEM;
		if (i % 4 == 0)
			memset(item + 9, i % 8 ? 0xff : 0, 15);
		path = (tl_str){item, sizeof item};
		if (tl__path_take(&path, &part, &scratch) == TL_OK)
			CHECK(memcmp(scratch.ptr, item, sizeof item) == 0);
	}
	tl__buf_free(&scratch);
}

static void a_bound_closes_a_prefix(void)
{
	static const struct {
		tl_str prefix, bound;
	} cases[] = {{TL__STR("a"), TL__STR("b")}, {TL__STR("a\xff\xff"), TL__STR("b")},
		{TL__STR("\1a\0\1"), TL__STR("\1a\0\2")}, {TL__STR("\xff"), TL__STR("")},
		{TL__STR(""), TL__STR("")}};
	tl__buf out = TL__BUF_INIT;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		tl__buf_clear(&out);
		tl__path_bound(&out, cases[i].prefix);
		CHECK(tl__str_eq(tl__buf_view(&out), cases[i].bound));
	}
	tl__buf_free(&out);
}

/* --- walking ---------------------------------------------------------------------------------- */

static int show(void *ud, tl_str path, tl__node_kind kind, tl_str value)
{
	tl__buf *out = ud, scratch = TL__BUF_INIT;
	tl__path_part part;

	while (path.len > 0) {
		CHECK_OK(tl__path_take(&path, &part, &scratch));
		if (part.item)
			tl__buf_format(out, "/%lld:%llu", (long long)part.position.numerator,
				(unsigned long long)part.position.denominator);
		else
			tl__buf_format(out, "/%.*s", TL__STR_ARG(part.key));
	}
	tl__buf_format(out, kind == TL__NODE_LEAF ? "=%.*s\n" : " %.*s%s\n", TL__STR_ARG(value),
		kind == TL__NODE_DOC ? "doc" : "list");
	tl__buf_free(&scratch);
	return TL_OK;
}

static void walk_gives(const char *text, int code, const char *wanted)
{
	tl__buf out = TL__BUF_INIT;
	tl_value *doc = NULL;

	REQUIRE(tl_doc_parse(&doc, tl__str_z(text)) == TL_OK);
	CHECK_CODE(tl__doc_walk(doc, show, &out), code);
	if (code == TL_OK)
		CHECK(tl__str_eq(tl__buf_view(&out), tl__str_z(wanted)));
	tl__buf_free(&out);
	tl_value_free(doc);
}

#define AT(n, d)                                                                                   \
	"[{\"numerator\":" #n ",\"denominator\":" #d                                               \
	",\"unique_id\":\"6f9619ff-8b86-4d01-b42d-00cf4fc964ff\"},"

static void a_walk_shows_every_node(void)
{
	walk_gives("{\"children\":{}}", TL_OK, "");
	walk_gives("{\"children\":{\"b\":{\"Int\":1},\"a\":{\"Doc\":{\"children\":{\"x\":"
		   "\"Deleted\",\"y\":{\"Text\":\"\\u0041\\u0001\"}}}},\"b\":\"Null\"}}",
		TL_OK, "/a doc\n/a/x=\"Deleted\"\n/a/y={\"Text\":\"A\\u0001\"}\n/b=\"Null\"\n");
	walk_gives("{\"children\":{\"l\":{\"List\":[" AT(2, 4) "{\"Bool\":true}]," AT(-1, 3) //
		"{\"List\":[]}]]}}}",
		TL_OK, "/l list\n/l/-1:3 list\n/l/1:2={\"Bool\":true}\n");
	walk_gives("{\"children\":{\"l\":{\"List\":[" AT(2, 0) "{\"Bool\":true}]]}}}", TL_E_BAD_DOC,
		"");
}

static int count_nodes(void *ud, tl_str path, tl__node_kind kind, tl_str value)
{
	(void)path;
	(void)kind;
	(void)value;
	++*(size_t *)ud;
	return TL_OK;
}

static tl_value *doc_with_key(size_t key_len, size_t children)
{
	tl_value *doc = tl_value_doc(), *inner = tl_value_doc();
	char *key = tl__alloc(key_len + 1), name[16];

	memset(key, 'k', key_len);
	for (size_t i = 0; i < children; i++) {
		int len = snprintf(name, sizeof name, "%06zu", i);

		CHECK_OK(tl_doc_put(inner, (tl_str){name, (size_t)len}, tl_value_null()));
	}
	CHECK_OK(tl_doc_put(doc, (tl_str){key, key_len}, inner));
	tl__free(key);
	return doc;
}

static void walk_limit(size_t key_len, size_t children, int code)
{
	tl_value *doc = doc_with_key(key_len, children);
	size_t count = 0;

	CHECK_CODE(tl__doc_walk(doc, count_nodes, &count), code);
	CHECK(code != TL_OK || count == children + 1);
	tl_value_free(doc);
}

static void format_limits_of_paths(void)
{
	const size_t one = TL__PATH_FORMAT_BYTES - 3; /* kind and closing bytes */
	/* The container and its children, nine bytes longer each. */
	const size_t half = TL__PATH_FORMAT_BYTES / 2;
	const size_t fit = (TL__DELTA_FORMAT_PATHS_BYTES - half) / (half + 9);

	walk_limit(one, 0, TL_OK);
	walk_limit(one + 1, 0, TL_E_BAD_DOC);
	walk_limit(half - 3, fit, TL_OK);
	walk_limit(half - 3, fit + 1, TL_E_BAD_DOC);
}

static void reducing_keeps_the_number(void)
{
	tl_value *list = tl_value_list(), *copy;
	tl_position position;
	tl_value *value;

	REQUIRE(list);
	for (int i = 0; i < 500; i++) {
		tl_position p = some_position();

		CHECK_OK(tl_list_put(list, &p, tl_value_null()));
	}
	CHECK_OK(tl_list_put(
		list, &(tl_position){INT64_MIN, UINT64_C(1) << 63, {9}}, tl_value_deleted()));
	copy = tl_value_copy(list);
	tl__value_reduce(copy);
	CHECK(tl_value_equal(list, copy));
	for (size_t i = 0; tl_list_raw_at(copy, i, &position, &value); i++)
		if (position.uuid[0] == 9)
			CHECK(position.numerator == -1 && position.denominator == 1);
	tl_value_free(list);
	tl_value_free(copy);
}

static void values_alone_are_read_and_written(void)
{
	static const char *const good[] = {"\"Null\"", "{\"Int\":-5}", "\"Deleted\"",
		"{\"Text\":\"a\"}", "{\"Doc\":{\"children\":{}}}", "{\"List\":[]}"};
	tl_value *value = NULL;
	tl__buf out = TL__BUF_INIT;

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		tl__buf_clear(&out);
		CHECK_OK(tl__value_parse(&value, tl__str_z(good[i])));
		CHECK_OK(tl__value_write(&out, value));
		CHECK(tl__str_eq(tl__buf_view(&out), tl__str_z(good[i])));
		tl_value_free(value);
	}
	CHECK_CODE(tl__value_parse(&value, TL__STR("{\"Int\":1} 2")), TL_E_BAD_JSON);
	CHECK(!value);
	CHECK_CODE(tl__value_parse(&value, TL__STR("{\"Ink\":1}")), TL_E_BAD_DOC);
	tl__buf_free(&out);
}

int main(void)
{
	source = tl__random_seeded(&memory, spec_seed(20));
	RUN(order_of_keys_is_kept);
	RUN(positions_are_encoded_as_numbers);
	RUN(denominator_zero_has_no_path);
	RUN(damaged_paths_are_refused);
	RUN(a_bound_closes_a_prefix);
	RUN(a_walk_shows_every_node);
	RUN(format_limits_of_paths);
	RUN(reducing_keeps_the_number);
	RUN(values_alone_are_read_and_written);
	return spec_end();
}
