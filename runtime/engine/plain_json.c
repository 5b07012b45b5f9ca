#include "engine/plain_json.h"

#include "base/fail.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static int read_value(tl__json_reader *json, tl__json_token token, unsigned depth, tl_value **out);

static int read_number(tl_str text, tl_value **out)
{
	int64_t number;

	if (tl__json_i64(text, &number) != TL_OK)
		return tl__fail(TL_E_TYPE_MISMATCH,
			"documents hold whole numbers of 64 bits only; write %.*s as a text",
			(int)(text.len < 40 ? text.len : 40), text.ptr);
	*out = tl_value_int(number);
	return *out ? TL_OK : TL_E_NOMEM;
}

static int read_object(tl__json_reader *json, unsigned depth, tl_value **out)
{
	tl_value *doc = tl_value_doc(), *value = NULL;
	int rc = doc ? TL_OK : TL_E_NOMEM;

	while (rc == TL_OK) {
		tl__json_token token = tl__json_next(json);
		char *key;

		if (token != TL__JSON_KEY) {
			rc = token == TL__JSON_OBJECT_END ? TL_OK : TL_E_BAD_JSON;
			break;
		}
		key = tl__copy_bytes(json->text.ptr, json->text.len);
		if (!key) {
			rc = TL_E_NOMEM;
			break;
		}
		tl_str name = {key, json->text.len};

		rc = read_value(json, tl__json_next(json), depth, &value);
		if (rc == TL_OK)
			rc = tl_doc_put(doc, name, value);
		tl__free(key);
	}
	if (rc != TL_OK) {
		tl_value_free(doc);
		doc = NULL;
	}
	*out = doc;
	return rc;
}

static int read_array(tl__json_reader *json, unsigned depth, tl_value **out)
{
	tl_value *list = tl_value_list(), *value = NULL;
	int rc = list ? TL_OK : TL_E_NOMEM;

	while (rc == TL_OK) {
		tl__json_token token = tl__json_next(json);

		if (token == TL__JSON_ARRAY_END)
			break;
		rc = read_value(json, token, depth, &value);
		if (rc == TL_OK)
			rc = tl_list_push(list, value);
	}
	if (rc != TL_OK) {
		tl_value_free(list);
		list = NULL;
	}
	*out = list;
	return rc;
}

static int made(tl_value *value, tl_value **out)
{
	*out = value;
	return value ? TL_OK : TL_E_NOMEM;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by TL_DOC_MAX_NESTING */
static int read_value(tl__json_reader *json, tl__json_token token, unsigned depth, tl_value **out)
{
	*out = NULL;
	if (depth > TL_DOC_MAX_NESTING)
		return tl__fail(
			TL_E_TOO_LARGE, "a value nests at most %d containers", TL_DOC_MAX_NESTING);
	switch (token) {
	case TL__JSON_OBJECT: return read_object(json, depth + 1, out);
	case TL__JSON_ARRAY: return read_array(json, depth + 1, out);
	case TL__JSON_STRING: return made(tl_value_text(json->text), out);
	case TL__JSON_NUMBER: return read_number(json->text, out);
	case TL__JSON_TRUE: return made(tl_value_bool(true), out);
	case TL__JSON_FALSE: return made(tl_value_bool(false), out);
	case TL__JSON_NULL: return made(tl_value_null(), out);
	case TL__JSON_ERROR: return json->code;
	default: return tl__fail(TL_E_BAD_JSON, "a value is missing");
	}
}

int tl__plain_json_read(tl_value **out, tl_str document)
{
	tl__json_reader json;
	int rc;

	tl__json_whole(&json, document, TL__JSON_MAX_DEPTH);
	rc = read_value(&json, tl__json_next(&json), 0, out);
	if (rc == TL_OK && tl__json_next(&json) != TL__JSON_END) {
		tl_value_free(*out);
		*out = NULL;
		rc = TL_E_BAD_JSON;
	}
	tl__json_free(&json);
	return rc;
}

int tl__plain_path_check(tl_str path)
{
	bool empty = true; /* the component that ends here */

	for (size_t i = 0; i < path.len; i++) {
		if (path.ptr[i] == '.' && empty)
			break;
		empty = path.ptr[i] == '.';
	}
	if (!empty)
		return TL_OK;
	return tl__fail(TL_E_BAD_PATH,
		"the path \"%.*s\" has an empty component; write names with one dot between them",
		TL__STR_ARG(path));
}
