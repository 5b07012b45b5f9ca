#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/json/json_scan.h"
#include "base/str.h"

enum state {
	WANT_VALUE,
	WANT_VALUE_OR_END,
	WANT_KEY,
	WANT_KEY_OR_END,
	WANT_COLON,
	WANT_COMMA,
	DONE
};
enum lexing { LEX_NONE, LEX_STRING, LEX_NUMBER, LEX_WORD };
enum in_string { PLAIN, ESCAPE, HEX, WANT_BACKSLASH, WANT_U };

#define LONGEST_WORD 5 /* "false" */
#define STACK_LEVELS (sizeof((tl__json_reader *)0)->stack * 8)

void tl__json_init(tl__json_reader *r, unsigned max_depth)
{
	memset(r, 0, sizeof *r);
	r->max_text = SIZE_MAX;
	r->max_depth = max_depth < TL__JSON_MAX_DEPTH ? max_depth : TL__JSON_MAX_DEPTH;
}

void tl__json_free(tl__json_reader *r)
{
	tl__buf_free(&r->scratch);
	tl__buf_free(&r->deep);
}

void tl__json_feed(tl__json_reader *r, const char *ptr, size_t len)
{
	r->before += r->at;
	r->piece = len ? ptr : "";
	r->piece_len = len;
	r->at = 0;
	r->run = 0;
}

void tl__json_finish(tl__json_reader *r)
{
	r->finished = true;
}

void tl__json_whole(tl__json_reader *r, tl_str document, unsigned max_depth)
{
	tl__json_init(r, max_depth);
	tl__json_feed(r, document.ptr, document.len);
	tl__json_finish(r);
}

static tl__json_token fail(tl__json_reader *r, const char *what)
{
	if (r->code == TL_OK)
		r->code = tl__fail(TL_E_BAD_JSON, "JSON is malformed at byte %llu: %s",
			(unsigned long long)(r->before + r->at), what);
	return TL__JSON_ERROR;
}

static tl__json_token fail_code(tl__json_reader *r, int code)
{
	r->code = code;
	return TL__JSON_ERROR;
}

/* --- nesting --- */

static uint8_t *level_byte(tl__json_reader *r, unsigned level)
{
	if (level < STACK_LEVELS)
		return &r->stack[level / 8];
	return (uint8_t *)r->deep.ptr + (level - STACK_LEVELS) / 8;
}

static bool in_object(tl__json_reader *r)
{
	return *level_byte(r, r->depth - 1) >> ((r->depth - 1) % 8) & 1;
}

static tl__json_token open_container(tl__json_reader *r, bool object)
{
	unsigned level = r->depth;
	uint8_t *byte, bit = (uint8_t)(1u << (level % 8));

	if (level >= r->max_depth && !r->skipping)
		return fail(r, "too many nested arrays and objects");
	if (level >= STACK_LEVELS && (level - STACK_LEVELS) / 8 >= r->deep.len)
		tl__buf_byte(&r->deep, 0);
	if (tl__buf_status(&r->deep) != TL_OK)
		return fail_code(r, TL_E_NOMEM);
	byte = level_byte(r, level);
	*byte = (uint8_t)(object ? *byte | bit : *byte & ~bit);
	r->depth++;
	r->state = object ? WANT_KEY_OR_END : WANT_VALUE_OR_END;
	return object ? TL__JSON_OBJECT : TL__JSON_ARRAY;
}

static void value_done(tl__json_reader *r)
{
	r->state = r->depth == 0 ? DONE : WANT_COMMA;
}

static tl__json_token close_container(tl__json_reader *r, bool object)
{
	r->depth--;
	value_done(r);
	return object ? TL__JSON_OBJECT_END : TL__JSON_ARRAY_END;
}

/* --- token texts --- */

static bool move_run(tl__json_reader *r)
{
	tl__buf_append(&r->scratch, r->piece + r->run, r->at - r->run);
	r->run = r->at;
	r->use_scratch = true;
	if (tl__buf_status(&r->scratch) == TL_OK)
		return true;
	r->code = TL_E_NOMEM;
	return false;
}

static size_t token_len(const tl__json_reader *r)
{
	return r->scratch.len + (r->at - r->run);
}

static bool text_fits(tl__json_reader *r)
{
	if (token_len(r) <= r->max_text)
		return true;
	r->code = tl__fail(TL_E_TOO_LARGE, "a text in JSON is longer than %zu bytes", r->max_text);
	return false;
}

/* The token ends before `at`: its text, from the piece itself when it lies in one. */
static bool take_text(tl__json_reader *r)
{
	if (!text_fits(r) || (r->use_scratch && !move_run(r)))
		return false;
	r->text = r->use_scratch ? tl__buf_view(&r->scratch)
				 : (tl_str){r->piece + r->run, r->at - r->run};
	return true;
}

static void begin_text(tl__json_reader *r, enum lexing lexing)
{
	tl__buf_clear(&r->scratch);
	r->use_scratch = false;
	r->run = r->at;
	r->lexing = (uint8_t)lexing;
}

/* The piece ended inside a token. */
static tl__json_token out_of_piece(tl__json_reader *r)
{
	if (r->finished)
		return fail(r, "it ends too early");
	return text_fits(r) && move_run(r) ? TL__JSON_MORE : TL__JSON_ERROR;
}

/* --- strings --- */

static void put_utf8(tl__buf *out, uint32_t code_point)
{
	char bytes[4];

	tl__buf_append(out, bytes, tl__utf8_write(code_point, bytes));
}

/* A \u escape is complete: a character, or half of one. */
static bool end_escape(tl__json_reader *r)
{
	uint32_t c = r->code_point;

	if (r->surrogate) {
		if (c < 0xdc00 || c > 0xdfff)
			return fail(r, "a lone surrogate"), false;
		put_utf8(&r->scratch,
			0x10000 + ((uint32_t)(r->surrogate - 0xd800) << 10) + (c - 0xdc00));
		r->surrogate = 0;
	} else if (c >= 0xd800 && c <= 0xdbff) {
		r->surrogate = (uint16_t)c;
		r->in_string = WANT_BACKSLASH;
		return true;
	} else if (c >= 0xdc00 && c <= 0xdfff) {
		return fail(r, "a lone surrogate"), false;
	} else {
		put_utf8(&r->scratch, c);
	}
	r->in_string = PLAIN;
	return true;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex_char(tl__json_reader *r, char c)
{
	int value = hex_value(c);

	if (value < 0)
		return fail(r, "an escape lacks its four hex digits"), false;
	r->code_point = r->code_point << 4 | (uint32_t)value;
	return --r->hex_left > 0 || end_escape(r);
}

static void begin_hex(tl__json_reader *r)
{
	r->in_string = HEX;
	r->hex_left = 4;
	r->code_point = 0;
}

static bool escape_char(tl__json_reader *r, char c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *found = c ? strchr(from, c) : NULL;

	if (c == 'u') {
		begin_hex(r);
		return true;
	}
	if (!found)
		return fail(r, "an unknown escape"), false;
	tl__buf_byte(&r->scratch, (uint8_t)to[found - from]);
	r->in_string = PLAIN;
	return true;
}

/* One character of an escape sequence. */
static bool escaped(tl__json_reader *r)
{
	char c = r->piece[r->at];
	bool good;

	switch (r->in_string) {
	case ESCAPE: good = escape_char(r, c); break;
	case HEX: good = hex_char(r, c); break;
	case WANT_BACKSLASH:
		good = c == '\\';
		r->in_string = WANT_U;
		break;
	default:
		good = c == 'u';
		begin_hex(r);
		break;
	}
	if (!good)
		return fail(r, "a lone surrogate"), false;
	r->at++;
	r->run = r->at;
	return true;
}

static tl__json_token end_string(tl__json_reader *r)
{
	if (!take_text(r))
		return TL__JSON_ERROR;
	if (!tl__utf8_valid(r->text))
		return fail(r, "a string is not UTF-8");
	r->at++;
	r->lexing = LEX_NONE;
	if (r->state == WANT_KEY || r->state == WANT_KEY_OR_END) {
		r->state = WANT_COLON;
		return TL__JSON_KEY;
	}
	value_done(r);
	return TL__JSON_STRING;
}

static tl__json_token lex_string(tl__json_reader *r)
{
	while (r->at < r->piece_len) {
		if (r->in_string != PLAIN) {
			if (!escaped(r))
				return TL__JSON_ERROR;
			continue;
		}
		r->at += tl__json_plain_run(r->piece + r->at, r->piece_len - r->at);
		if (r->at == r->piece_len)
			break;
		if (r->piece[r->at] == '"')
			return end_string(r);
		if (r->piece[r->at] != '\\')
			return fail(r, "a raw control character in a string");
		if (!text_fits(r) || !move_run(r))
			return TL__JSON_ERROR;
		r->at++;
		r->run = r->at;
		r->in_string = ESCAPE;
	}
	return out_of_piece(r);
}

/* --- numbers and words --- */

static bool in_number(char c)
{
	return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static bool in_word(char c)
{
	return c >= 'a' && c <= 'z';
}

static tl__json_token end_word(tl__json_reader *r)
{
	if (tl__str_eq(r->text, TL__STR("true")))
		return TL__JSON_TRUE;
	if (tl__str_eq(r->text, TL__STR("false")))
		return TL__JSON_FALSE;
	if (tl__str_eq(r->text, TL__STR("null")))
		return TL__JSON_NULL;
	return fail(r, "an unknown word");
}

/* A number or word ends where another character begins, or with the document. */
static tl__json_token lex_run(tl__json_reader *r)
{
	bool number = r->lexing == LEX_NUMBER;
	tl__json_token token = TL__JSON_NUMBER;

	while (r->at < r->piece_len && (number ? in_number : in_word)(r->piece[r->at])) {
		r->at++;
		if (!number && token_len(r) > LONGEST_WORD)
			return fail(r, "an unknown word");
	}
	if (r->at == r->piece_len && !r->finished)
		return out_of_piece(r);
	if (!take_text(r))
		return TL__JSON_ERROR;
	if (!number)
		token = end_word(r);
	else if (!tl__json_number_valid(r->text))
		return fail(r, "a malformed number");
	r->lexing = LEX_NONE;
	value_done(r);
	return token;
}

/* --- grammar --- */

static tl__json_token begin_value(tl__json_reader *r, char c)
{
	if (c == '{' || c == '[') {
		r->at++;
		return open_container(r, c == '{');
	}
	if (c == '"') {
		r->at++;
		begin_text(r, LEX_STRING);
		return lex_string(r);
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		begin_text(r, LEX_NUMBER);
		return lex_run(r);
	}
	if (in_word(c)) {
		begin_text(r, LEX_WORD);
		return lex_run(r);
	}
	return fail(r, "a value was expected");
}

static tl__json_token begin_key(tl__json_reader *r, char c)
{
	if (c != '"')
		return fail(r, "a member name was expected");
	r->at++;
	begin_text(r, LEX_STRING);
	return lex_string(r);
}

/* A comma or the container's end. Returns MORE when a comma was taken: the caller goes on. */
static tl__json_token after_value(tl__json_reader *r, char c)
{
	bool object = in_object(r);

	if (c == ',') {
		r->at++;
		r->state = object ? WANT_KEY : WANT_VALUE;
		return TL__JSON_MORE;
	}
	if (c != (object ? '}' : ']'))
		return fail(r, "a comma or the end of an array or object was expected");
	r->at++;
	return close_container(r, object);
}

static tl__json_token end_of_piece(tl__json_reader *r)
{
	if (!r->finished)
		return TL__JSON_MORE;
	return r->state == DONE ? TL__JSON_END : fail(r, "it ends too early");
}

static void skip_space(tl__json_reader *r)
{
	while (r->at < r->piece_len) {
		char c = r->piece[r->at];

		if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
			return;
		r->at++;
	}
}

static tl__json_token next_token(tl__json_reader *r)
{
	for (;;) {
		tl__json_token token;
		char c;

		skip_space(r);
		if (r->at == r->piece_len)
			return end_of_piece(r);
		c = r->piece[r->at];
		switch (r->state) {
		case WANT_VALUE_OR_END:
			if (c == ']') {
				r->at++;
				return close_container(r, false);
			}
			return begin_value(r, c);
		case WANT_VALUE: return begin_value(r, c);
		case WANT_KEY_OR_END:
			if (c == '}') {
				r->at++;
				return close_container(r, true);
			}
			return begin_key(r, c);
		case WANT_KEY: return begin_key(r, c);
		case WANT_COLON:
			if (c != ':')
				return fail(r, "a colon was expected");
			r->at++;
			r->state = WANT_VALUE;
			break;
		case WANT_COMMA:
			token = after_value(r, c);
			if (token != TL__JSON_MORE)
				return token;
			break;
		default: return fail(r, "data after the document");
		}
	}
}

tl__json_token tl__json_next(tl__json_reader *r)
{
	tl__json_token token;

	if (r->code != TL_OK) {
		tl__fail(r->code, "JSON could not be read further than byte %llu",
			(unsigned long long)r->offset);
		return TL__JSON_ERROR;
	}
	switch (r->lexing) {
	case LEX_STRING: token = lex_string(r); break;
	case LEX_NONE: token = next_token(r); break;
	default: token = lex_run(r); break;
	}
	r->offset = r->before + r->at;
	return token;
}

int tl__json_skip(tl__json_reader *r)
{
	unsigned outside = r->depth;
	tl__json_token token;

	r->skipping = true;
	do
		token = tl__json_next(r);
	while (token > TL__JSON_MORE && r->depth > outside);
	r->skipping = false;
	if (token == TL__JSON_MORE)
		token = fail(r, "it ends too early");
	return token == TL__JSON_ERROR ? r->code : TL_OK;
}
