#include "base/json/fields.h"

#include <string.h>
#include "base/fail.h"
#include "base/str.h"

void tl__fields_open(
	tl__fields *f, tl_str document, tl__arena *arena, const char *what, int wrong_shape)
{
	memset(f, 0, sizeof *f);
	f->document = document;
	f->arena = arena;
	f->what = what;
	f->wrong_shape = wrong_shape;
	f->repeated_member = wrong_shape;
	tl__json_whole(&f->json, document, TL__JSON_MAX_DEPTH);
}

static void refuse(tl__fields *f, int code, const char *what)
{
	if (f->code == TL_OK)
		f->code = tl__fail(code, "%s has the wrong shape at byte %llu: %s", f->what,
			(unsigned long long)f->json.offset, what);
}

void tl__fields_wrong(tl__fields *f, const char *what)
{
	refuse(f, f->wrong_shape, what);
}

tl__json_token tl__fields_token(tl__fields *f)
{
	tl__json_token token;

	if (f->code != TL_OK)
		return TL__JSON_ERROR;
	token = tl__json_next(&f->json);
	if (token == TL__JSON_ERROR)
		f->code = tl_error_code(tl_last_error());
	return token;
}

static bool expect(tl__fields *f, tl__json_token wanted, const char *what)
{
	if (tl__fields_token(f) == wanted)
		return true;
	tl__fields_wrong(f, what);
	return false;
}

void tl__fields_enter(tl__fields *f, tl__json_token container)
{
	expect(f, container,
		container == TL__JSON_OBJECT ? "an object was expected" : "an array was expected");
}

static size_t index_of(tl_str name, const char *const *names, size_t count)
{
	size_t i = 0;

	while (i < count && !tl__str_eq(name, tl__str_z(names[i])))
		i++;
	return i;
}

bool tl__fields_member(
	tl__fields *f, const char *const *names, size_t count, uint32_t *seen, size_t *at)
{
	for (;;) {
		tl__json_token token = tl__fields_token(f);

		if (token != TL__JSON_KEY)
			return false;
		*at = index_of(f->json.text, names, count);
		if (*at < count)
			break;
		if (f->unknown_member != TL_OK)
			refuse(f, f->unknown_member, "an unknown member");
		else if (tl__json_skip(&f->json) != TL_OK)
			f->code = tl_error_code(tl_last_error());
	}
	if (*seen & (1u << *at)) {
		refuse(f, f->repeated_member, "the same member twice");
		return false;
	}
	*seen |= 1u << *at;
	return true;
}

void tl__fields_need(tl__fields *f, const char *const *names, uint32_t seen, uint32_t needed)
{
	size_t i = 0;

	if ((seen & needed) == needed || f->code != TL_OK)
		return;
	while (!((needed & ~seen) & (1u << i)))
		i++;
	f->code = tl__fail(f->wrong_shape, "%s lacks the member `%s`", f->what, names[i]);
}

static void keep(tl__fields *f, tl_str *out)
{
	if (f->borrow && !f->json.use_scratch)
		*out = f->json.text;
	else
		*out = tl__arena_str(f->arena, f->json.text);
	if (!out->ptr)
		f->code = TL_E_NOMEM;
}

void tl__fields_text(tl__fields *f, tl_str *out)
{
	if (expect(f, TL__JSON_STRING, "a string was expected"))
		keep(f, out);
}

void tl__fields_optional_text(tl__fields *f, tl_str *out)
{
	tl__json_token token = tl__fields_token(f);

	*out = TL__STR_NULL;
	if (token == TL__JSON_STRING)
		keep(f, out);
	else if (token != TL__JSON_NULL)
		tl__fields_wrong(f, "a string or null was expected");
}

void tl__fields_texts(tl__fields *f, tl_str **out, size_t *count, size_t limit, const char *what)
{
	size_t cap = 0;
	void *array = NULL;
	tl__json_token token;

	*count = 0;
	tl__fields_enter(f, TL__JSON_ARRAY);
	while ((token = tl__fields_token(f)) == TL__JSON_STRING) {
		if (*count == limit) {
			f->code = tl__fail(
				TL_E_TOO_LARGE, "%s holds more than %zu %s", f->what, limit, what);
			return;
		}
		if (tl__arena_grow(f->arena, &array, &cap, *count, sizeof **out) != TL_OK) {
			f->code = TL_E_NOMEM;
			return;
		}
		keep(f, &((tl_str *)array)[(*count)++]);
	}
	if (token != TL__JSON_ARRAY_END)
		tl__fields_wrong(f, "an array of strings was expected");
	*out = array;
}

/* Byte strings are short in every message; the bound keeps a hostile one from costing memory. */
#define MAX_BYTE_STRING 4096

void tl__fields_bytes(tl__fields *f, tl_str *out)
{
	char bytes[MAX_BYTE_STRING];
	size_t count = 0;
	tl__json_token token;
	uint64_t value;

	tl__fields_enter(f, TL__JSON_ARRAY);
	while ((token = tl__fields_token(f)) == TL__JSON_NUMBER) {
		if (count == sizeof bytes) {
			f->code = tl__fail(
				TL_E_TOO_LARGE, "byte string is longer than %zu", sizeof bytes);
			return;
		}
		if (tl__json_u64(f->json.text, &value) != TL_OK || value > 255) {
			tl__fields_wrong(f, "a byte is no integer from 0 to 255");
			return;
		}
		bytes[count++] = (char)(uint8_t)value;
	}
	if (token != TL__JSON_ARRAY_END) {
		tl__fields_wrong(f, "an array of bytes was expected");
		return;
	}
	*out = tl__arena_str(f->arena, (tl_str){bytes, count});
	if (!out->ptr)
		f->code = TL_E_NOMEM;
}

void tl__fields_u64(tl__fields *f, uint64_t *out)
{
	if (!expect(f, TL__JSON_NUMBER, "a number was expected"))
		return;
	if (tl__json_u64(f->json.text, out) != TL_OK)
		tl__fields_wrong(f, "a non-negative integer was expected");
}

void tl__fields_u32(tl__fields *f, uint32_t *out)
{
	uint64_t wide = 0;

	tl__fields_u64(f, &wide);
	if (wide > UINT32_MAX)
		tl__fields_wrong(f, "a number is over 4294967295");
	*out = (uint32_t)wide;
}

void tl__fields_bool(tl__fields *f, bool *out)
{
	tl__json_token token = tl__fields_token(f);

	*out = token == TL__JSON_TRUE;
	if (token != TL__JSON_TRUE && token != TL__JSON_FALSE)
		tl__fields_wrong(f, "true or false was expected");
}

void tl__fields_verbatim(tl__fields *f, tl_str *out)
{
	uint64_t from = f->json.offset;

	if (f->code != TL_OK)
		return;
	if (tl__json_skip(&f->json) != TL_OK) {
		f->code = tl_error_code(tl_last_error());
		return;
	}
	*out = (tl_str){f->document.ptr + from, (size_t)(f->json.offset - from)};
	/* What lies between the name or comma before and the value: separators. */
	while (out->len > 0 && strchr(":, \t\r\n", out->ptr[0])) {
		out->ptr++;
		out->len--;
	}
}

int tl__fields_whole(tl__fields *f)
{
	if (tl__fields_token(f) != TL__JSON_END)
		tl__fields_wrong(f, "more than one value");
	tl__json_free(&f->json);
	return f->code;
}

/* --- a whole document by a table -------------------------------------------------------------- */

static void read_member(tl__fields *f, const tl__field *member)
{
	switch (member->kind) {
	case TL__FIELD_TEXT: tl__fields_text(f, member->out); break;
	case TL__FIELD_VERBATIM: tl__fields_verbatim(f, member->out); break;
	case TL__FIELD_U64: tl__fields_u64(f, member->out); break;
	}
}

int tl__fields_read(tl_str document, tl__arena *arena, const char *what, int wrong_shape,
	const tl__field *members, size_t count)
{
	const char *names[32];
	uint32_t seen = 0, needed = 0;
	tl__fields f;
	size_t at;

	for (at = 0; at < count; at++) {
		names[at] = members[at].name;
		needed |= members[at].needed ? 1u << at : 0;
	}
	tl__fields_open(&f, document, arena, what, wrong_shape);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, count, &seen, &at))
		read_member(&f, &members[at]);
	tl__fields_need(&f, names, seen, needed);
	return tl__fields_whole(&f);
}
