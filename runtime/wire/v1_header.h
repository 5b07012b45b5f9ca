/* Strict reading of v1 JSON texts: exactly the members, in their order, compact. Because the form
 * is fixed, a scanner over expected text is both the shortest and the strictest reader. */
#ifndef TL_WIRE_V1_HEADER_H
#define TL_WIRE_V1_HEADER_H

#include "wire/v1.h"

typedef struct tl__v1_scan {
	tl_str rest;
	int code; /* sticky */
} tl__v1_scan;

void tl__v1_bad(tl__v1_scan *s, const char *what);
void tl__v1_too_large(tl__v1_scan *s, const char *what, size_t limit);
/* Takes this text off, or fails. */
void tl__v1_expect(tl__v1_scan *s, const char *text);
/* Takes it off if it is there. */
bool tl__v1_accept(tl__v1_scan *s, const char *text);
/* A string without escapes: a view, without the quotes. */
void tl__v1_text(tl__v1_scan *s, tl_str *out, const char *what);
/* The same with a limit (TL_E_TOO_LARGE), and one of 1 to TL__V1_MAX_CODE of [A-Za-z0-9_-]. */
void tl__v1_limited(tl__v1_scan *s, tl_str *out, size_t limit, const char *what);
void tl__v1_word(tl__v1_scan *s, tl_str *out, const char *what);
/* A string in canonical form, escapes and all, of at most `limit` bytes: copied into `memory`. */
void tl__v1_string(tl__v1_scan *s, tl_str *out, size_t limit, tl__arena *memory, const char *what);
void tl__v1_u64(tl__v1_scan *s, uint64_t *out);
/* A string of 2 * len lower-case hex digits. */
void tl__v1_hex(tl__v1_scan *s, uint8_t *out, size_t len);
void tl__v1_key(tl__v1_scan *s, tl_key *out);
/* What may be no key, but is verified with or compared. */
void tl__v1_key_form(tl__v1_scan *s, tl_key *out);
void tl__v1_id(tl__v1_scan *s, tl_id *out);
void tl__v1_bool(tl__v1_scan *s, bool *out);
/* One JSON value, verbatim. */
void tl__v1_value(tl__v1_scan *s, tl_str *out);
/* TL_OK when all went well and nothing is left. */
int tl__v1_done(tl__v1_scan *s);

/* What args and lines share (v1_args.c); `before` is the text in front. */
void tl__v1_put_u64(tl__buf *out, const char *before, uint64_t value);
void tl__v1_scan_u64(tl__v1_scan *s, const char *before, uint64_t *out);
void tl__v1_put_cursor(tl__buf *out, const char *before, bool has, const tl__v1_cursor *cursor);
void tl__v1_scan_cursor(tl__v1_scan *s, const char *before, bool *has, tl__v1_cursor *out);
void tl__v1_put_tips(tl__buf *out, const tl__v1_tips *tips);
void tl__v1_scan_tips(tl__v1_scan *s, tl__v1_tips *out);

void tl__v1_put_hex(tl__buf *out, const uint8_t *bytes, size_t len); /* with the quotes */
void tl__v1_put_key(tl__buf *out, const tl_key *key);
void tl__v1_put_id(tl__buf *out, const tl_id *id);

#endif
