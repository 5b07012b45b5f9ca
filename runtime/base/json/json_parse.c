/* The public reader: the pull reader over a whole document, and on top of it numbers as values and
 * the refusal of repeated members. */
#include <stdlib.h>
#include <string.h>
#include <tidelock/json.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"

struct tl_json_reader {
	tl__json_reader json;
	tl_str document;
	tl_json_token token;
	int64_t integer;
	double number;
	/* Member names of the open objects, those of an inner one behind those of its outer one. */
	tl_str *names;
	size_t count, cap;
	size_t first[TL_JSON_MAX_DEPTH + 1]; /* by depth: where the object's names begin */
	tl__arena decoded;                   /* names that had escapes */
};

int tl_json_reader_new(tl_json_reader **out, tl_str document)
{
	TL__NEED(out);

	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	(*out)->document = document;
	(*out)->decoded = TL__ARENA_INIT;
	tl__json_whole(&(*out)->json, document, TL_JSON_MAX_DEPTH);
	return TL_OK;
}

void tl_json_reader_free(tl_json_reader *r)
{
	if (!r)
		return;
	tl__json_free(&r->json);
	tl__arena_free(&r->decoded);
	tl__free(r->names);
	tl__free(r);
}

/* --- member names ----------------------------------------------------------------------------- */

static bool is_borrowed(const tl_json_reader *r, tl_str name)
{
	uintptr_t at = (uintptr_t)name.ptr, from = (uintptr_t)r->document.ptr;

	return at >= from && at < from + r->document.len;
}

static int note_name(tl_json_reader *r)
{
	tl_str name = r->json.text;
	tl_str *grown = tl__grow(r->names, r->count, &r->cap, sizeof *grown);

	if (!grown)
		return TL_E_NOMEM;
	r->names = grown;
	if (!is_borrowed(r, name))
		name = tl__arena_str(&r->decoded, name);
	if (!name.ptr)
		return TL_E_NOMEM;
	r->names[r->count++] = name;
	return TL_OK;
}

static int by_bytes(const void *a, const void *b)
{
	return tl__str_compare(*(const tl_str *)a, *(const tl_str *)b);
}

/* Whether they ascend, as a writer in order leaves them; then none comes twice. */
static bool ascend(const tl_str *names, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (tl__str_compare(names[i - 1], names[i]) >= 0)
			return false;
	return true;
}

static int end_object(tl_json_reader *r)
{
	size_t first = r->first[r->json.depth + 1];
	size_t count = r->count - first;
	tl_str *names;

	r->count = first;
	if (count < 2)
		return TL_OK;
	names = r->names + first;
	if (ascend(names, count))
		return TL_OK;
	qsort(names, count, sizeof *names, by_bytes);
	for (size_t i = 1; i < count; i++)
		if (tl__str_eq(names[i - 1], names[i]))
			return tl__fail(TL_E_BAD_JSON,
				"the member \"%.*s\" comes twice in an object of the JSON that "
				"ends at byte %llu",
				names[i].len < 80 ? (int)names[i].len : 80, names[i].ptr,
				(unsigned long long)r->json.offset);
	return TL_OK;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static bool is_integer(tl_str number)
{
	for (size_t i = 0; i < number.len; i++)
		if (number.ptr[i] == '.' || (number.ptr[i] | 0x20) == 'e')
			return false;
	return !tl__str_eq(number, TL__STR("-0"));
}

static int read_number(tl_json_reader *r)
{
	tl_str text = r->json.text;

	if (!is_integer(text)) {
		r->token = TL_JSON_FLOAT;
		return tl__json_double(text, &r->number);
	}
	r->token = TL_JSON_INT;
	if (tl__json_i64(text, &r->integer) == TL_OK) {
		r->number = (double)r->integer;
		return TL_OK;
	}
	return tl__fail(TL_E_BAD_JSON,
		"the integer %.*s in JSON does not fit 64 bits; write it as a text, or with a "
		"fraction when it may be rounded",
		text.len < 40 ? (int)text.len : 40, text.ptr);
}

static int take(tl_json_reader *r, tl__json_token token)
{
	static const tl_json_token plain[] = {[TL__JSON_OBJECT] = TL_JSON_OBJECT,
		[TL__JSON_OBJECT_END] = TL_JSON_OBJECT_END,
		[TL__JSON_ARRAY] = TL_JSON_ARRAY,
		[TL__JSON_ARRAY_END] = TL_JSON_ARRAY_END,
		[TL__JSON_KEY] = TL_JSON_KEY,
		[TL__JSON_STRING] = TL_JSON_STRING,
		[TL__JSON_NUMBER] = TL_JSON_INT,
		[TL__JSON_TRUE] = TL_JSON_TRUE,
		[TL__JSON_FALSE] = TL_JSON_FALSE,
		[TL__JSON_NULL] = TL_JSON_NULL,
		[TL__JSON_END] = TL_JSON_END};

	r->token = plain[token];
	switch (token) {
	case TL__JSON_OBJECT: r->first[r->json.depth] = r->count; return TL_OK;
	case TL__JSON_OBJECT_END: return end_object(r);
	case TL__JSON_KEY: return note_name(r);
	case TL__JSON_NUMBER: return read_number(r);
	default: return TL_OK;
	}
}

int tl_json_next(tl_json_reader *r, tl_json_token *token)
{
	TL__NEED(r && token);

	tl__json_token next;

	*token = TL_JSON_END;
	if (!r)
		return tl__fail(TL_E_BAD_ARGUMENT, "the JSON reader is missing");
	next = tl__json_next(&r->json);
	r->token = TL_JSON_END;
	r->integer = 0;
	r->number = 0;
	if (next <= TL__JSON_MORE)
		return r->json.code;
	r->json.code = take(r, next);
	*token = r->token;
	return r->json.code;
}

tl_str tl_json_text(const tl_json_reader *r)
{
	if (!r)
		return TL__STR_NULL;
	bool has = r && r->token >= TL_JSON_KEY && r->token <= TL_JSON_FLOAT;

	return has ? r->json.text : TL__STR("");
}

int64_t tl_json_int(const tl_json_reader *r)
{
	if (!r)
		return 0;
	return r ? r->integer : 0;
}

double tl_json_float(const tl_json_reader *r)
{
	if (!r)
		return 0;
	return r ? r->number : 0;
}

int tl_json_skip(tl_json_reader *r)
{
	TL__NEED(r);

	unsigned outside = r ? r->json.depth : 0;
	tl_json_token token;
	int rc;

	do
		rc = tl_json_next(r, &token);
	while (rc == TL_OK && token != TL_JSON_END && r->json.depth > outside);
	return rc;
}

int tl__json_check(tl_str document)
{
	tl_json_reader *reader;
	tl_json_token token;
	int rc = tl_json_reader_new(&reader, document);

	if (rc != TL_OK)
		return rc;
	do
		rc = tl_json_next(reader, &token);
	while (rc == TL_OK && token != TL_JSON_END);
	tl_json_reader_free(reader);
	return rc;
}
