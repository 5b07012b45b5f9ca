/* The public writer: values one after the other, with what stands between them. */
#include <math.h>
#include <string.h>
#include <tidelock/json.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"

#define MAX_INDENT 16

struct tl_json_writer {
	tl__buf text;
	unsigned indent, depth;
	int code;      /* of the first call that failed */
	bool any;      /* the innermost container, or the document, has something in it */
	bool in_value; /* a key waits for its value */
	bool object[TL_JSON_MAX_DEPTH + 1]; /* by depth */
};

int tl_json_writer_new(tl_json_writer **out, unsigned indent)
{
	TL__NEED(out);

	*out = NULL;
	if (indent > MAX_INDENT)
		return tl__fail(TL_E_BAD_ARGUMENT, "JSON is indented by at most %d spaces a level",
			MAX_INDENT);
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	(*out)->text = TL__BUF_INIT;
	(*out)->indent = indent;
	return TL_OK;
}

void tl_json_writer_free(tl_json_writer *w)
{
	if (!w)
		return;
	tl__buf_free(&w->text);
	tl__free(w);
}

static int misuse(tl_json_writer *w, const char *what)
{
	w->code = tl__fail(TL_E_BAD_ARGUMENT, "JSON writer: %s", what);
	return w->code;
}

static int done(tl_json_writer *w)
{
	w->code = tl__buf_status(&w->text);
	return w->code;
}

/* TL_OK, or what spoiled the writer, with its sentence where nothing failed since. */
static int status(const tl_json_writer *w)
{
	if (!w)
		return tl__fail(TL_E_BAD_ARGUMENT, "the JSON writer is missing");
	if (w->code == TL_OK || tl_error_code(tl_last_error()) == w->code)
		return w->code;
	return tl__fail(w->code, "an earlier call of this JSON writer failed");
}

/* --- what stands between ---------------------------------------------------------------------- */

static void put_line(tl_json_writer *w)
{
	if (w->indent == 0)
		return;
	tl__buf_byte(&w->text, '\n');
	for (unsigned i = 0; i < w->indent * w->depth; i++)
		tl__buf_byte(&w->text, ' ');
}

/* Before an item or key. */
static void separate(tl_json_writer *w)
{
	if (w->any)
		tl__buf_byte(&w->text, ',');
	if (w->depth > 0)
		put_line(w);
	w->any = true;
}

static int begin_value(tl_json_writer *w)
{
	int rc = status(w);

	if (rc != TL_OK)
		return rc;
	if (w->in_value) {
		w->in_value = false;
		return TL_OK;
	}
	if (w->depth == 0 && w->any)
		return misuse(w, "the value is complete already");
	if (w->object[w->depth])
		return misuse(w, "a member of an object needs its key first");
	separate(w);
	return TL_OK;
}

static int open_container(tl_json_writer *w, bool object)
{
	int rc = begin_value(w);

	if (rc != TL_OK)
		return rc;
	if (w->depth == TL_JSON_MAX_DEPTH)
		return w->code = tl__fail(TL_E_TOO_LARGE,
			       "JSON nests at most %d arrays and objects", TL_JSON_MAX_DEPTH);
	tl__buf_byte(&w->text, object ? '{' : '[');
	w->object[++w->depth] = object;
	w->any = false;
	return done(w);
}

/* --- values ----------------------------------------------------------------------------------- */

int tl_json_put_object(tl_json_writer *w)
{
	TL__NEED(w);

	return open_container(w, true);
}

int tl_json_put_array(tl_json_writer *w)
{
	TL__NEED(w);

	return open_container(w, false);
}

int tl_json_put_end(tl_json_writer *w)
{
	TL__NEED(w);

	int rc = status(w);

	if (rc != TL_OK)
		return rc;
	if (w->depth == 0 || w->in_value)
		return misuse(w, w->in_value ? "a key has no value" : "nothing is open");
	w->depth--;
	if (w->any)
		put_line(w);
	tl__buf_byte(&w->text, w->object[w->depth + 1] ? '}' : ']');
	w->any = true;
	return done(w);
}

static int put_text(tl_json_writer *w, tl_str text)
{
	if (!tl__utf8_valid(text))
		return misuse(w, "a text is not UTF-8; write bytes as base64");
	tl__json_put_string(&w->text, text);
	return done(w);
}

int tl_json_put_key(tl_json_writer *w, tl_str key)
{
	TL__NEED(w);

	int rc = status(w);

	if (rc != TL_OK)
		return rc;
	if (!w->object[w->depth] || w->in_value)
		return misuse(w, "a key stands in an object, before its value");
	separate(w);
	rc = put_text(w, key);
	tl__buf_text(&w->text, w->indent > 0 ? ": " : ":");
	w->in_value = true;
	return rc == TL_OK ? done(w) : rc;
}

int tl_json_put_string(tl_json_writer *w, tl_str text)
{
	TL__NEED(w);

	int rc = begin_value(w);

	return rc == TL_OK ? put_text(w, text) : rc;
}

int tl_json_put_int(tl_json_writer *w, int64_t value)
{
	TL__NEED(w);

	int rc = begin_value(w);

	if (rc != TL_OK)
		return rc;
	tl__json_put_i64(&w->text, value);
	return done(w);
}

int tl_json_put_float(tl_json_writer *w, double value)
{
	TL__NEED(w);

	int rc = begin_value(w);

	if (rc != TL_OK)
		return rc;
	if (!isfinite(value))
		return misuse(w, isnan(value) ? "JSON has no NaN" : "JSON has no infinity");
	tl__json_put_double(&w->text, value);
	return done(w);
}

static int put_word(tl_json_writer *w, const char *word)
{
	int rc = begin_value(w);

	if (rc != TL_OK)
		return rc;
	tl__buf_text(&w->text, word);
	return done(w);
}

int tl_json_put_bool(tl_json_writer *w, bool value)
{
	TL__NEED(w);

	return put_word(w, value ? "true" : "false");
}

int tl_json_put_null(tl_json_writer *w)
{
	TL__NEED(w);

	return put_word(w, "null");
}

/* --- other texts ------------------------------------------------------------------------------ */

static int put_number(tl_json_writer *w, tl_str text)
{
	int rc = begin_value(w);

	if (rc != TL_OK)
		return rc;
	tl__buf_str(&w->text, text);
	return done(w);
}

static int put_token(tl_json_writer *w, const tl_json_reader *reader, tl_json_token token)
{
	switch (token) {
	case TL_JSON_OBJECT: return tl_json_put_object(w);
	case TL_JSON_ARRAY: return tl_json_put_array(w);
	case TL_JSON_OBJECT_END:
	case TL_JSON_ARRAY_END: return tl_json_put_end(w);
	case TL_JSON_KEY: return tl_json_put_key(w, tl_json_text(reader));
	case TL_JSON_STRING: return tl_json_put_string(w, tl_json_text(reader));
	case TL_JSON_INT:
	case TL_JSON_FLOAT: return put_number(w, tl_json_text(reader));
	case TL_JSON_NULL: return tl_json_put_null(w);
	default: return tl_json_put_bool(w, token == TL_JSON_TRUE);
	}
}

int tl_json_put_json(tl_json_writer *w, tl_str document)
{
	TL__NEED(w);

	tl_json_reader *reader = NULL;
	tl_json_token token = TL_JSON_END;
	int rc = status(w);

	if (rc != TL_OK)
		return rc;
	rc = tl_json_reader_new(&reader, document);
	while (rc == TL_OK && (rc = tl_json_next(reader, &token)) == TL_OK && token != TL_JSON_END)
		rc = put_token(w, reader, token);
	tl_json_reader_free(reader);
	w->code = rc;
	return rc;
}

int tl_json_writer_text(tl_json_writer *w, tl_str *text)
{
	TL__NEED(w && text);

	int rc = status(w);

	*text = TL__STR("");
	if (rc == TL_OK && (w->depth > 0 || !w->any))
		rc = misuse(w, w->depth > 0 ? "an array or object is open still"
					    : "there is no value yet");
	if (rc == TL_OK)
		*text = tl__buf_view(&w->text);
	return rc;
}
