#include "wire/v1_header.h"

#include "crypto/key.h"
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"

void tl__v1_bad(tl__v1_scan *s, const char *what)
{
	if (s->code == TL_OK)
		s->code = tl__fail(TL_E_BAD_MESSAGE, "message is malformed: %s", what);
}

void tl__v1_too_large(tl__v1_scan *s, const char *what, size_t limit)
{
	if (s->code == TL_OK)
		s->code =
			tl__fail(TL_E_TOO_LARGE, "message is over a limit: %s (%zu)", what, limit);
}

bool tl__v1_accept(tl__v1_scan *s, const char *text)
{
	tl_str wanted = tl__str_z(text);

	if (s->code != TL_OK || !tl__str_starts(s->rest, wanted))
		return false;
	s->rest.ptr += wanted.len;
	s->rest.len -= wanted.len;
	return true;
}

void tl__v1_expect(tl__v1_scan *s, const char *text)
{
	if (!tl__v1_accept(s, text) && s->code == TL_OK)
		s->code =
			tl__fail(TL_E_BAD_MESSAGE, "message is malformed: `%s` was expected", text);
}

void tl__v1_text(tl__v1_scan *s, tl_str *out, const char *what)
{
	size_t len = 0;

	*out = TL__STR("");
	tl__v1_expect(s, "\"");
	while (len < s->rest.len && s->rest.ptr[len] != '"' && s->rest.ptr[len] != '\\' &&
		(uint8_t)s->rest.ptr[len] >= 0x20)
		len++;
	*out = (tl_str){s->rest.ptr, len};
	if (s->code == TL_OK && !tl__utf8_valid(*out))
		tl__v1_bad(s, what);
	if (s->code != TL_OK)
		return;
	s->rest.ptr += len;
	s->rest.len -= len;
	tl__v1_expect(s, "\"");
}

void tl__v1_limited(tl__v1_scan *s, tl_str *out, size_t limit, const char *what)
{
	tl__v1_text(s, out, what);
	if (out->len > limit)
		tl__v1_too_large(s, what, limit);
}

void tl__v1_word(tl__v1_scan *s, tl_str *out, const char *what)
{
	tl__v1_limited(s, out, TL__V1_MAX_CODE, what);
	if (s->code == TL_OK && out->len == 0)
		tl__v1_bad(s, what);
	for (size_t i = 0; i < out->len; i++) {
		char c = out->ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '-'))
			tl__v1_bad(s, what);
	}
}

/* Whether `raw` is how the canonical writer puts `text`. */
static bool canonical(tl__v1_scan *s, tl_str raw, tl_str text)
{
	tl__buf again = TL__BUF_INIT;
	bool same;

	tl__json_put_string(&again, text);
	if (tl__buf_status(&again) != TL_OK && s->code == TL_OK)
		s->code = TL_E_NOMEM;
	same = tl__str_eq(tl__buf_view(&again), raw);
	tl__buf_free(&again);
	return same;
}

static void take_string(tl__v1_scan *s, tl__json_reader *reader, tl_str *out, size_t limit,
	tl__arena *memory, const char *what)
{
	tl__json_token token = tl__json_next(reader);
	tl_str raw = {s->rest.ptr, (size_t)reader->offset};

	if (token == TL__JSON_ERROR && reader->code == TL_E_NOMEM) {
		s->code = TL_E_NOMEM;
	} else if (token == TL__JSON_STRING && reader->text.len > limit) {
		tl__v1_too_large(s, what, limit);
	} else if (token != TL__JSON_STRING || !canonical(s, raw, reader->text)) {
		tl__v1_bad(s, what);
	} else {
		if (reader->text.len > 0)
			*out = tl__arena_str(memory, reader->text);
		if (!out->ptr)
			s->code = TL_E_NOMEM;
		s->rest.ptr += raw.len;
		s->rest.len -= raw.len;
	}
}

void tl__v1_string(tl__v1_scan *s, tl_str *out, size_t limit, tl__arena *memory, const char *what)
{
	tl__json_reader reader;

	*out = TL__STR("");
	if (s->code != TL_OK)
		return;
	if (!tl__str_starts(s->rest, TL__STR("\""))) {
		tl__v1_bad(s, what);
		return;
	}
	tl__json_init(&reader, TL__JSON_MAX_DEPTH);
	tl__json_feed(&reader, s->rest.ptr, s->rest.len);
	take_string(s, &reader, out, limit, memory, what);
	tl__json_free(&reader);
}

void tl__v1_u64(tl__v1_scan *s, uint64_t *out)
{
	size_t len = 0;

	while (len < s->rest.len && s->rest.ptr[len] >= '0' && s->rest.ptr[len] <= '9')
		len++;
	if (s->code != TL_OK)
		return;
	if ((len > 1 && s->rest.ptr[0] == '0') ||
		tl__json_u64((tl_str){s->rest.ptr, len}, out) != TL_OK) {
		tl__v1_bad(s, "a non-negative integer was expected");
		return;
	}
	s->rest.ptr += len;
	s->rest.len -= len;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void tl__v1_hex(tl__v1_scan *s, uint8_t *out, size_t len)
{
	tl_str text;

	tl__v1_text(s, &text, "hex digits were expected");
	if (s->code == TL_OK && text.len != 2 * len)
		tl__v1_bad(s, "a hex string has the wrong length");
	for (size_t i = 0; s->code == TL_OK && i < len; i++) {
		int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			tl__v1_bad(s, "lower-case hex digits were expected");
		else
			out[i] = (uint8_t)(high << 4 | low);
	}
}

void tl__v1_key(tl__v1_scan *s, tl_key *out)
{
	tl_str text;

	tl__v1_text(s, &text, "a public key was expected");
	if (s->code == TL_OK && tl_key_parse(out, text) != TL_OK)
		s->code = tl__fail_cause(TL_E_BAD_MESSAGE, "message holds no valid public key");
}

void tl__v1_key_form(tl__v1_scan *s, tl_key *out)
{
	tl_str text;

	tl__v1_text(s, &text, "a public key was expected");
	if (s->code == TL_OK && tl__key_decode(out, text) != TL_OK)
		s->code = tl__fail_cause(TL_E_BAD_MESSAGE, "message holds no valid public key");
}

void tl__v1_id(tl__v1_scan *s, tl_id *out)
{
	tl_str text;

	tl__v1_text(s, &text, "an id was expected");
	if (s->code == TL_OK && tl_id_parse(out, text) != TL_OK)
		s->code = tl__fail_cause(TL_E_BAD_MESSAGE, "message holds no valid id");
}

void tl__v1_bool(tl__v1_scan *s, bool *out)
{
	*out = tl__v1_accept(s, "true");
	if (!*out)
		tl__v1_expect(s, "false");
}

void tl__v1_value(tl__v1_scan *s, tl_str *out)
{
	tl__json_reader reader;
	tl__json_token token = TL__JSON_MORE;

	*out = TL__STR("");
	if (s->code != TL_OK)
		return;
	tl__json_init(&reader, TL__JSON_MAX_DEPTH);
	tl__json_feed(&reader, s->rest.ptr, s->rest.len);
	do
		token = tl__json_next(&reader);
	while (reader.depth > 0 && token > TL__JSON_MORE);
	if (token == TL__JSON_ERROR && reader.code == TL_E_NOMEM) {
		s->code = TL_E_NOMEM;
	} else if (token != TL__JSON_OBJECT_END && token != TL__JSON_ARRAY_END) {
		tl__v1_bad(s, "an object or array was expected");
	} else {
		*out = (tl_str){s->rest.ptr, (size_t)reader.offset};
		s->rest.ptr += reader.offset;
		s->rest.len -= (size_t)reader.offset;
	}
	tl__json_free(&reader);
}

int tl__v1_done(tl__v1_scan *s)
{
	if (s->code == TL_OK && s->rest.len > 0)
		tl__v1_bad(s, "more than was expected");
	return s->code;
}

void tl__v1_put_hex(tl__buf *out, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	tl__buf_byte(out, '"');
	for (size_t i = 0; i < len; i++) {
		tl__buf_byte(out, (uint8_t)digits[bytes[i] >> 4]);
		tl__buf_byte(out, (uint8_t)digits[bytes[i] & 15]);
	}
	tl__buf_byte(out, '"');
}

void tl__v1_put_key(tl__buf *out, const tl_key *key)
{
	char text[TL_KEY_TEXT_LEN + 1];

	tl_key_format(key, text);
	tl__json_put_string(out, tl__str_z(text));
}

void tl__v1_put_id(tl__buf *out, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	tl__json_put_string(out, tl__str_z(text));
}
