/* Reading Doc texts: what 0.2.0 reads, to the same value. */
#include <string.h>
#include "base/fail.h"
#include "base/public.h"
#include "base/json/json.h"
#include "base/str.h"
#include "model/value.h"

typedef struct doc_reader {
	tl__json_reader json;
	int code; /* sticky */
} doc_reader;

static tl_value *read_doc(doc_reader *r, tl__json_token token);
static tl_value *read_value(doc_reader *r, tl__json_token token);

static void *refuse(doc_reader *r, const char *what)
{
	if (r->code == TL_OK)
		r->code = tl__fail(TL_E_BAD_DOC, "the text is no Doc at byte %llu: %s",
			(unsigned long long)r->json.offset, what);
	return NULL;
}

static tl__json_token next(doc_reader *r)
{
	tl__json_token token = r->code == TL_OK ? tl__json_next(&r->json) : TL__JSON_ERROR;

	if (token == TL__JSON_ERROR && r->code == TL_OK)
		r->code = tl_error_code(tl_last_error());
	return token;
}

static bool expect(doc_reader *r, tl__json_token wanted, const char *what)
{
	if (next(r) == wanted)
		return true;
	refuse(r, what);
	return false;
}

/* Passes over one value; whether that went well. */
static bool skip(doc_reader *r)
{
	if (r->code == TL_OK)
		r->code = tl__json_skip(&r->json);
	return r->code == TL_OK;
}

/* --- lists ------------------------------------------------------------------------------------ */

static void read_position_member(doc_reader *r, size_t which, tl_position *out)
{
	tl__json_token token = next(r);
	bool good;

	if (which == 2)
		good = token == TL__JSON_STRING && tl__uuid_parse(out->uuid, r->json.text);
	else if (token != TL__JSON_NUMBER)
		good = false;
	else if (which == 0)
		good = tl__json_i64(r->json.text, &out->numerator) == TL_OK;
	else
		good = tl__json_u64(r->json.text, &out->denominator) == TL_OK;
	if (!good)
		refuse(r, "a list position is a fraction and a UUID");
}

static void read_position_object(doc_reader *r, tl_position *out)
{
	static const char *const names[] = {"numerator", "denominator", "unique_id"};
	unsigned seen = 0;
	tl__json_token token;

	while ((token = next(r)) == TL__JSON_KEY) {
		size_t which = 0;

		while (which < 3 && !tl__str_eq(r->json.text, tl__str_z(names[which])))
			which++;
		if (which == 3) {
			skip(r);
			continue;
		}
		if (seen & 1u << which)
			refuse(r, "a member of a list position stands twice");
		seen |= 1u << which;
		read_position_member(r, which, out);
	}
	if (token != TL__JSON_OBJECT_END || seen != 7)
		refuse(r, "a list position lacks a member");
}

static void read_position(doc_reader *r, tl_position *out)
{
	tl__json_token token = next(r);

	memset(out, 0, sizeof *out);
	if (token == TL__JSON_OBJECT) {
		read_position_object(r, out);
	} else if (token == TL__JSON_ARRAY) {
		for (size_t i = 0; i < 3; i++)
			read_position_member(r, i, out);
		expect(r, TL__JSON_ARRAY_END, "a list position has three members");
	} else {
		refuse(r, "a list position was expected");
	}
}

static void read_item(doc_reader *r, tl_value *list)
{
	tl_position position;
	tl_value *value;

	read_position(r, &position);
	value = read_value(r, next(r));
	if (!value)
		return;
	if (!expect(r, TL__JSON_ARRAY_END, "a list item is a position and a value"))
		tl_value_free(value);
	else
		r->code = tl__list_append(list, &position, value);
}

static bool ascending(const tl_value *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (tl_position_compare(
			    &list->as.items[i - 1].position, &list->as.items[i].position) >= 0)
			return false;
	return true;
}

static tl_value *read_list(doc_reader *r)
{
	tl_value *list = tl_value_list();
	tl__json_token token;

	if (!list)
		r->code = TL_E_NOMEM;
	if (!expect(r, TL__JSON_ARRAY, "a List is an array")) {
		tl_value_free(list);
		return NULL;
	}
	while ((token = next(r)) == TL__JSON_ARRAY)
		read_item(r, list);
	if (token != TL__JSON_ARRAY_END)
		refuse(r, "a list item was expected");
	if (r->code == TL_OK && !ascending(list))
		r->code = tl__list_sort(list);
	if (r->code == TL_OK)
		return list;
	tl_value_free(list);
	return NULL;
}

/* --- values ----------------------------------------------------------------------------------- */

static tl_value *made(doc_reader *r, tl_value *value)
{
	if (!value && r->code == TL_OK)
		r->code = tl_error_code(tl_last_error());
	return value;
}

static tl_value *read_int(doc_reader *r)
{
	int64_t number;

	if (next(r) != TL__JSON_NUMBER || tl__json_i64(r->json.text, &number) != TL_OK)
		return refuse(r, "an Int is an integer of 64 bits");
	return made(r, tl_value_int(number));
}

static tl_value *read_bool(doc_reader *r)
{
	tl__json_token token = next(r);

	if (token != TL__JSON_TRUE && token != TL__JSON_FALSE)
		return refuse(r, "a Bool is true or false");
	return made(r, tl_value_bool(token == TL__JSON_TRUE));
}

static tl_value *read_text(doc_reader *r)
{
	if (next(r) != TL__JSON_STRING)
		return refuse(r, "a Text is a string");
	return made(r, tl_value_text(r->json.text));
}

static tl_value *read_unit(doc_reader *r, tl_value *(*make)(void))
{
	if (next(r) != TL__JSON_NULL)
		return refuse(r, "a variant without contents holds null");
	return made(r, make());
}

static tl_value *read_payload(doc_reader *r)
{
	tl_str name = r->json.text;

	if (tl__str_eq(name, TL__STR("Text")))
		return read_text(r);
	if (tl__str_eq(name, TL__STR("Int")))
		return read_int(r);
	if (tl__str_eq(name, TL__STR("Bool")))
		return read_bool(r);
	if (tl__str_eq(name, TL__STR("Doc")))
		return read_doc(r, next(r));
	if (tl__str_eq(name, TL__STR("List")))
		return read_list(r);
	if (tl__str_eq(name, TL__STR("Null")))
		return read_unit(r, tl_value_null);
	if (tl__str_eq(name, TL__STR("Deleted")))
		return read_unit(r, tl_value_deleted);
	return refuse(r, "an unknown kind of value");
}

static tl_value *read_value(doc_reader *r, tl__json_token token)
{
	tl_value *value;

	if (token == TL__JSON_STRING && tl__str_eq(r->json.text, TL__STR("Null")))
		return made(r, tl_value_null());
	if (token == TL__JSON_STRING && tl__str_eq(r->json.text, TL__STR("Deleted")))
		return made(r, tl_value_deleted());
	if (token != TL__JSON_OBJECT || next(r) != TL__JSON_KEY)
		return refuse(r, "a value was expected");
	value = read_payload(r);
	if (value && !expect(r, TL__JSON_OBJECT_END, "a value has exactly one kind")) {
		tl_value_free(value);
		return NULL;
	}
	return value;
}

/* --- docs ------------------------------------------------------------------------------------- */

static void read_member(doc_reader *r, tl_value *doc)
{
	tl_value *value;
	int code;

	/* The name lives only until the next token: append it first. */
	code = tl__doc_append(doc, r->json.text, made(r, tl_value_null()));
	if (code != TL_OK || r->code != TL_OK) {
		r->code = r->code == TL_OK ? code : r->code;
		return;
	}
	value = read_value(r, next(r));
	if (!value)
		return;
	tl_value_free(doc->as.members[doc->count - 1].value);
	doc->as.members[doc->count - 1].value = value;
}

static void read_children(doc_reader *r, tl_value *doc)
{
	tl__json_token token;

	if (!expect(r, TL__JSON_OBJECT, "`children` is an object"))
		return;
	while ((token = next(r)) == TL__JSON_KEY)
		read_member(r, doc);
	if (token != TL__JSON_OBJECT_END)
		refuse(r, "a key was expected");
	else
		r->code = tl__doc_sort(doc);
}

static void read_doc_object(doc_reader *r, tl_value *doc)
{
	bool seen = false;
	tl__json_token token;

	while ((token = next(r)) == TL__JSON_KEY) {
		if (!tl__str_eq(r->json.text, TL__STR("children"))) {
			skip(r);
			continue;
		}
		if (seen)
			refuse(r, "`children` stands twice");
		seen = true;
		read_children(r, doc);
	}
	if (token != TL__JSON_OBJECT_END || !seen)
		refuse(r, "a Doc lacks `children`");
}

static tl_value *read_doc(doc_reader *r, tl__json_token token)
{
	tl_value *doc = made(r, tl_value_doc());

	if (!doc)
		return NULL;
	if (token == TL__JSON_OBJECT) {
		read_doc_object(r, doc);
	} else if (token == TL__JSON_ARRAY) {
		read_children(r, doc);
		expect(r, TL__JSON_ARRAY_END, "a Doc written as an array has one member");
	} else {
		refuse(r, "a Doc was expected");
	}
	if (r->code == TL_OK)
		return doc;
	tl_value_free(doc);
	return NULL;
}

static int finish(doc_reader *r, tl_value **out, const char *behind)
{
	if (*out && !expect(r, TL__JSON_END, behind)) {
		tl_value_free(*out);
		*out = NULL;
	}
	tl__json_free(&r->json);
	return r->code;
}

TL__PUBLIC(tl_doc_parse, out, (tl_value **out, tl_str text), (out, text))
{
	doc_reader r = {.code = TL_OK};

	tl__json_whole(&r.json, text.ptr ? text : TL__STR(""), TL__JSON_MAX_DEPTH);
	*out = read_doc(&r, next(&r));
	return finish(&r, out, "data after the Doc");
}

int tl__value_parse(tl_value **out, tl_str text)
{
	doc_reader r = {.code = TL_OK};

	tl__json_whole(&r.json, text.ptr ? text : TL__STR(""), TL__JSON_MAX_DEPTH);
	*out = read_value(&r, next(&r));
	return finish(&r, out, "data after the value");
}
