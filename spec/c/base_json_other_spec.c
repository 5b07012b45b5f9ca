/* Our JSON against cJSON, another reader and writer of the same language: what one writes the other
 * reads as the same value. Only what both can hold is compared: cJSON has doubles alone and cuts
 * texts at a NUL, which is why nothing that is stored, sent or shown passes through it. */
#include <cjson/cJSON.h>
#include <tidelock/tidelock.h>
#include "check.h"
#include "base/buf.h"
#include "base/system/env.h"
#include "base/json/json.h"
#include "base/str.h"

#define EXACT INT64_C(9007199254740992) /* 2^53 */

/* --- random documents of cJSON ---------------------------------------------------------------- */

static void random_text(const tl__random *random, char out[64])
{
	static const uint32_t below[] = {0x7f, 0x800, 0x10000, 0x110000};
	size_t len = 0;

	for (uint64_t n = tl__random_below(random, 12); n > 0; n--) {
		uint32_t c = 1 + (uint32_t)tl__random_below(
					 random, below[tl__random_below(random, 4)] - 1);

		len += tl__utf8_write(c >= 0xd800 && c < 0xe000 ? '"' : c, out + len);
	}
	out[len] = '\0';
}

static double random_double(const tl__random *random)
{
	uint64_t pattern = tl__random_below(random, UINT64_MAX);
	double value = (double)(int64_t)pattern / (double)(1 + tl__random_below(random, 1000000));

	return tl__random_below(random, 2) ? value : (double)(int64_t)(pattern % 2000) - 1000;
}

/* NOLINTNEXTLINE(misc-no-recursion): four levels */
static cJSON *random_item(const tl__random *random, int depth)
{
	char text[64];
	cJSON *item;

	switch (tl__random_below(random, depth > 3 ? 4 : 6)) {
	case 0: return cJSON_CreateNull();
	case 1: return cJSON_CreateBool(tl__random_below(random, 2) != 0);
	case 2: return cJSON_CreateNumber(random_double(random));
	case 3: random_text(random, text); return cJSON_CreateString(text);
	case 4:
		item = cJSON_CreateArray();
		for (uint64_t n = tl__random_below(random, 5); n > 0; n--)
			cJSON_AddItemToArray(item, random_item(random, depth + 1));
		return item;
	default:
		item = cJSON_CreateObject();
		for (uint64_t n = tl__random_below(random, 5); n > 0; n--) {
			random_text(random, text + 0);
			if (!cJSON_GetObjectItemCaseSensitive(item, text))
				cJSON_AddItemToObject(item, text, random_item(random, depth + 1));
		}
		return item;
	}
}

/* --- the same value --------------------------------------------------------------------------- */

static bool same(tl_json_reader *r, tl_json_token token, const cJSON *item);

static bool same_members(tl_json_reader *r, const cJSON *item)
{
	const cJSON *child = item->child;
	tl_json_token token = TL_JSON_END;

	for (; tl_json_next(r, &token) == TL_OK && token == TL_JSON_KEY; child = child->next)
		if (!child || !tl__str_eq(tl_json_text(r), tl__str_z(child->string)) ||
			tl_json_next(r, &token) != TL_OK || !same(r, token, child))
			return false;
	return token == TL_JSON_OBJECT_END && !child;
}

static bool same_items(tl_json_reader *r, const cJSON *item)
{
	const cJSON *child = item->child;
	tl_json_token token = TL_JSON_END;

	for (; tl_json_next(r, &token) == TL_OK && token != TL_JSON_ARRAY_END; child = child->next)
		if (!child || !same(r, token, child))
			return false;
	return token == TL_JSON_ARRAY_END && !child;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the documents above */
static bool same(tl_json_reader *r, tl_json_token token, const cJSON *item)
{
	switch (token) {
	case TL_JSON_OBJECT: return cJSON_IsObject(item) && same_members(r, item);
	case TL_JSON_ARRAY: return cJSON_IsArray(item) && same_items(r, item);
	case TL_JSON_STRING:
		return cJSON_IsString(item) &&
		       tl__str_eq(tl_json_text(r), tl__str_z(item->valuestring));
	case TL_JSON_INT:
	case TL_JSON_FLOAT: return cJSON_IsNumber(item) && tl_json_float(r) == item->valuedouble;
	case TL_JSON_TRUE: return cJSON_IsTrue(item);
	case TL_JSON_FALSE: return cJSON_IsFalse(item);
	default: return token == TL_JSON_NULL && cJSON_IsNull(item);
	}
}

static bool reads_the_same(tl_str text, const cJSON *item)
{
	tl_json_reader *r = NULL;
	tl_json_token token = TL_JSON_END;
	bool good = tl_json_reader_new(&r, text) == TL_OK && tl_json_next(r, &token) == TL_OK &&
		    same(r, token, item) && tl_json_next(r, &token) == TL_OK &&
		    token == TL_JSON_END;

	if (!good)
		printf("not the same: %.*s (%s)\n", TL__STR_ARG(text),
			tl_error_message(tl_last_error()));
	tl_json_reader_free(r);
	return good;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the documents above */
static void put_item(tl_json_writer *w, const cJSON *item)
{
	if (item->string)
		CHECK_OK(tl_json_put_key(w, tl__str_z(item->string)));
	if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
		CHECK_OK(cJSON_IsObject(item) ? tl_json_put_object(w) : tl_json_put_array(w));
		for (const cJSON *child = item->child; child; child = child->next)
			put_item(w, child);
		CHECK_OK(tl_json_put_end(w));
	} else if (cJSON_IsString(item)) {
		CHECK_OK(tl_json_put_string(w, tl__str_z(item->valuestring)));
	} else if (cJSON_IsNumber(item)) {
		CHECK_OK(tl_json_put_float(w, item->valuedouble));
	} else if (cJSON_IsNull(item)) {
		CHECK_OK(tl_json_put_null(w));
	} else {
		CHECK_OK(tl_json_put_bool(w, cJSON_IsTrue(item)));
	}
}

/* --- cases ------------------------------------------------------------------------------------ */

static void we_read_what_it_writes(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(31));

	for (int round = 0; round < 2000; round++) {
		cJSON *item = random_item(&random, 0);
		char *text = round % 2 ? cJSON_Print(item) : cJSON_PrintUnformatted(item);
		cJSON *written = cJSON_Parse(text); /* what its number texts stand for */

		REQUIRE(item && text && written);
		CHECK(reads_the_same(tl__str_z(text), written));
		cJSON_Delete(written);
		cJSON_free(text);
		cJSON_Delete(item);
	}
}

static void it_reads_what_we_write(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(32));

	for (int round = 0; round < 2000; round++) {
		cJSON *item = random_item(&random, 0), *back;
		tl_json_writer *w;
		tl_str text;

		CHECK_OK(tl_json_writer_new(&w, (unsigned)(round % 5)));
		put_item(w, item);
		CHECK_OK(tl_json_writer_text(w, &text));
		back = cJSON_ParseWithOpts(text.ptr, NULL, true);
		CHECK(back && cJSON_Compare(item, back, true));
		CHECK(back && reads_the_same(text, back));
		cJSON_Delete(back);
		tl_json_writer_free(w);
		cJSON_Delete(item);
	}
}

static void numbers_are_the_same_to_the_bit(void)
{
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(33));

	for (int round = 0; round < 20000; round++) {
		int64_t integer = (int64_t)tl__random_below(&random, 2 * EXACT) - EXACT;
		double value = round % 2 ? random_double(&random) : (double)integer;
		tl__buf text = TL__BUF_INIT;
		cJSON *item;

		if (round % 2)
			tl__json_put_double(&text, value);
		else
			tl__json_put_i64(&text, integer);
		item = cJSON_ParseWithLength(text.ptr, text.len);
		CHECK(item && item->valuedouble == value);
		cJSON_Delete(item);
		tl__buf_free(&text);
	}
}

/* What only we refuse is what it would lose or change. */
static void damage_never_reads_as_something_else(void)
{
	static const char from[] = "{\"a\":[1,-25e1,null],\"b\":{\"c\":\"x\\n\"},\"d\":true}";
	static const char bytes[] = "{}[]\",:\\nbd81e-.tu ";
	tl__seeded seeded;
	tl__random random = tl__random_seeded(&seeded, spec_seed(34));
	size_t read = 0;

	for (int round = 0; round < 30000; round++) {
		char text[sizeof from];
		cJSON *item;

		memcpy(text, from, sizeof from);
		for (uint64_t n = 1 + tl__random_below(&random, 2); n > 0; n--)
			text[tl__random_below(&random, sizeof from - 1)] =
				bytes[tl__random_below(&random, sizeof bytes - 1)];
		if (tl__json_check(tl__str_z(text)) != TL_OK)
			continue;
		read++;
		item = cJSON_ParseWithOpts(text, NULL, true);
		CHECK(item && reads_the_same(tl__str_z(text), item));
		cJSON_Delete(item);
	}
	CHECK(read > 100);
}

int main(void)
{
	RUN(we_read_what_it_writes);
	RUN(it_reads_what_we_write);
	RUN(numbers_are_the_same_to_the_bit);
	RUN(damage_never_reads_as_something_else);
	return spec_end();
}
