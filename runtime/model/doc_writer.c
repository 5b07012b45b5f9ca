/* Doc texts and plain JSON. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/fail.h"
#include "base/public.h"
#include "base/json/json.h"
#include "base/str.h"
#include "model/value.h"

/* --- UUIDs ------------------------------------------------------------------------------------ */

/* Hyphenated lower case, with NUL. */
static void format_uuid(const uint8_t u[16], char out[37])
{
	snprintf(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
		u[13], u[14], u[15]);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_uuid(uint8_t uuid[16], tl_str text, bool hyphens)
{
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		int high, low;

		if (hyphens && (i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[at++] != '-')
			return false;
		high = hex(text.ptr[at++]);
		low = hex(text.ptr[at++]);
		if (high < 0 || low < 0)
			return false;
		uuid[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool tl__uuid_parse(uint8_t uuid[16], tl_str text)
{
	static const char urn[] = "urn:uuid:";

	if (text.len == 45 && strncasecmp(text.ptr, urn, sizeof urn - 1) == 0)
		text = (tl_str){text.ptr + 9, 36};
	else if (text.len == 38 && text.ptr[0] == '{' && text.ptr[37] == '}')
		text = (tl_str){text.ptr + 1, 36};
	if (text.len == 36)
		return take_uuid(uuid, text, true);
	return text.len == 32 && take_uuid(uuid, text, false);
}

/* --- Doc text --------------------------------------------------------------------------------- */

/* Levels of containers left: what is written must be readable. */
static int write_value(tl__buf *out, const tl_value *value, int levels);

static int write_children(tl__buf *out, const tl_value *doc, int levels)
{
	int code = TL_OK;

	tl__buf_text(out, "{\"children\":{");
	for (size_t i = 0; i < doc->count && code == TL_OK; i++) {
		if (i)
			tl__buf_byte(out, ',');
		tl__json_put_string(out, doc->as.members[i].key);
		tl__buf_byte(out, ':');
		code = write_value(out, doc->as.members[i].value, levels);
	}
	tl__buf_text(out, "}}");
	return code;
}

static int write_items(tl__buf *out, const tl_value *list, int levels)
{
	char uuid[37];
	int code = TL_OK;

	tl__buf_byte(out, '[');
	for (size_t i = 0; i < list->count && code == TL_OK; i++) {
		const tl_position *position = &list->as.items[i].position;

		format_uuid(position->uuid, uuid);
		tl__buf_text(out, i ? ",[{\"numerator\":" : "[{\"numerator\":");
		tl__json_put_i64(out, position->numerator);
		tl__buf_text(out, ",\"denominator\":");
		tl__json_put_u64(out, position->denominator);
		tl__buf_format(out, ",\"unique_id\":\"%s\"},", uuid);
		code = write_value(out, list->as.items[i].value, levels);
		tl__buf_byte(out, ']');
	}
	tl__buf_byte(out, ']');
	return code;
}

static int write_container(tl__buf *out, const tl_value *value, int levels)
{
	bool doc = value->type == TL_DOC;
	int code;

	if (levels == 0)
		return tl__fail(TL_E_BAD_DOC, "a document nests at most %d Docs and Lists",
			TL_DOC_MAX_NESTING);
	tl__buf_text(out, doc ? "{\"Doc\":" : "{\"List\":");
	code = doc ? write_children(out, value, levels - 1) : write_items(out, value, levels - 1);
	tl__buf_byte(out, '}');
	return code;
}

static int write_value(tl__buf *out, const tl_value *value, int levels)
{
	switch (value->type) {
	case TL_NULL: tl__buf_text(out, "\"Null\""); return TL_OK;
	case TL_DELETED: tl__buf_text(out, "\"Deleted\""); return TL_OK;
	case TL_BOOL:
		tl__buf_text(out, value->as.boolean ? "{\"Bool\":true}" : "{\"Bool\":false}");
		return TL_OK;
	case TL_INT:
		tl__buf_text(out, "{\"Int\":");
		tl__json_put_i64(out, value->as.integer);
		break;
	case TL_TEXT:
		tl__buf_text(out, "{\"Text\":");
		tl__json_put_string(out, value->as.text);
		break;
	default: return write_container(out, value, levels);
	}
	tl__buf_byte(out, '}');
	return TL_OK;
}

int tl__value_write(tl__buf *out, const tl_value *value)
{
	return write_value(out, value, TL_DOC_MAX_NESTING);
}

static int finish(tl__buf *text, int code, char **out, size_t *len)
{
	*out = NULL;
	if (code == TL_OK)
		code = tl__buf_status(text);
	if (code == TL_OK && !(*out = tl__buf_take(text, len)))
		code = TL_E_NOMEM;
	tl__buf_free(text);
	return code;
}

TL__PUBLIC(tl_doc_write, doc && out,
	(const tl_value *doc, char **out, size_t *len), (doc, out, len))
{
	tl__buf text = TL__BUF_INIT;

	if (doc->type != TL_DOC)
		return tl__fail(TL_E_TYPE_MISMATCH, "only a Doc has a Doc text");
	return finish(&text, write_children(&text, doc, TL_DOC_MAX_NESTING), out, len);
}

/* --- plain JSON ------------------------------------------------------------------------------- */

static void export_value(tl__buf *out, const tl_value *value);

static void export_container(tl__buf *out, const tl_value *value)
{
	bool doc = value->type == TL_DOC, first = true;

	tl__buf_byte(out, doc ? '{' : '[');
	for (size_t i = 0; i < value->count; i++) {
		const tl_value *child = doc ? value->as.members[i].value : value->as.items[i].value;

		if (child->type == TL_DELETED)
			continue;
		if (!first)
			tl__buf_byte(out, ',');
		first = false;
		if (doc) {
			tl__json_put_string(out, value->as.members[i].key);
			tl__buf_byte(out, ':');
		}
		export_value(out, child);
	}
	tl__buf_byte(out, doc ? '}' : ']');
}

static void export_value(tl__buf *out, const tl_value *value)
{
	switch (value->type) {
	case TL_BOOL: tl__buf_text(out, value->as.boolean ? "true" : "false"); break;
	case TL_INT: tl__json_put_i64(out, value->as.integer); break;
	case TL_TEXT: tl__json_put_string(out, value->as.text); break;
	case TL_DOC:
	case TL_LIST: export_container(out, value); break;
	default: tl__buf_text(out, "null"); break;
	}
}

TL__PUBLIC(tl_value_export, value && out,
	(const tl_value *value, char **out, size_t *len), (value, out, len))
{
	tl__buf text = TL__BUF_INIT;

	export_value(&text, value);
	return finish(&text, TL_OK, out, len);
}
