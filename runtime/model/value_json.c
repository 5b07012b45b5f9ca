/* Plain JSON to a value: objects become Docs, arrays Lists. */
#include <tidelock/json.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "model/value.h"

typedef struct parse {
	tl_json_reader *reader;
	bool floats; /* as texts; else they are refused */
	unsigned depth;
} parse;

static int read_value(parse *p, tl_json_token token, tl_value **out);

static int read_member(parse *p, tl_value *doc)
{
	tl_str text = tl_json_text(p->reader), key = {tl__copy_bytes(text.ptr, text.len), text.len};
	tl_json_token token;
	tl_value *value = NULL;
	int rc = key.ptr ? tl_json_next(p->reader, &token) : TL_E_NOMEM;

	if (rc == TL_OK)
		rc = read_value(p, token, &value);
	if (rc == TL_OK)
		rc = tl_doc_put(doc, key, value);
	tl__free((char *)(uintptr_t)key.ptr);
	return rc;
}

static int read_item(parse *p, tl_json_token token, tl_value *list)
{
	tl_value *value = NULL;
	int rc = read_value(p, token, &value);

	return rc == TL_OK ? tl_list_push(list, value) : rc;
}

static int read_container(parse *p, bool object, tl_value **out)
{
	tl_value *made = object ? tl_value_doc() : tl_value_list();
	tl_json_token token;
	int rc = made ? TL_OK : TL_E_NOMEM;

	if (p->depth++ == TL_DOC_MAX_NESTING)
		rc = tl__fail(
			TL_E_TOO_LARGE, "a value nests at most %d containers", TL_DOC_MAX_NESTING);
	while (rc == TL_OK && (rc = tl_json_next(p->reader, &token)) == TL_OK) {
		if (token == TL_JSON_OBJECT_END || token == TL_JSON_ARRAY_END)
			break;
		rc = object ? read_member(p, made) : read_item(p, token, made);
	}
	p->depth--;
	if (rc != TL_OK) {
		tl_value_free(made);
		made = NULL;
	}
	*out = made;
	return rc;
}

static int read_float(const parse *p, tl_value **out)
{
	tl_str text = tl_json_text(p->reader);

	if (!p->floats)
		return tl__fail(TL_E_TYPE_MISMATCH,
			"documents hold whole numbers of 64 bits only; write %.*s as a text",
			(int)(text.len < 40 ? text.len : 40), text.ptr);
	*out = tl_value_text(text);
	return *out ? TL_OK : TL_E_NOMEM;
}

/* NOLINTNEXTLINE(misc-no-recursion): bounded by TL_DOC_MAX_NESTING */
static int read_value(parse *p, tl_json_token token, tl_value **out)
{
	switch (token) {
	case TL_JSON_OBJECT:
	case TL_JSON_ARRAY: return read_container(p, token == TL_JSON_OBJECT, out);
	case TL_JSON_FLOAT: return read_float(p, out);
	case TL_JSON_STRING: *out = tl_value_text(tl_json_text(p->reader)); break;
	case TL_JSON_INT: *out = tl_value_int(tl_json_int(p->reader)); break;
	case TL_JSON_NULL: *out = tl_value_null(); break;
	default: *out = tl_value_bool(token == TL_JSON_TRUE); break;
	}
	return *out ? TL_OK : TL_E_NOMEM;
}

static int parse_json(tl_value **out, tl_str document, bool floats)
{
	parse p = {.floats = floats};
	tl_json_token token;
	int rc = tl_json_reader_new(&p.reader, document);

	*out = NULL;
	if (rc == TL_OK)
		rc = tl_json_next(p.reader, &token);
	if (rc == TL_OK)
		rc = read_value(&p, token, out);
	if (rc == TL_OK)
		rc = tl_json_next(p.reader, &token); /* the end, or what should not follow */
	if (rc != TL_OK) {
		tl_value_free(*out);
		*out = NULL;
	}
	tl_json_reader_free(p.reader);
	return rc;
}

TL__PUBLIC(tl_value_parse_json, out, (tl_value **out, tl_str document), (out, document))
{
	return parse_json(out, document, true);
}

int tl__value_parse_whole_json(tl_value **out, tl_str document)
{
	return parse_json(out, document, false);
}
