/* Helpers on borrowed bytes (tl_str). */
#ifndef TL_BASE_STR_H
#define TL_BASE_STR_H

#include <stdbool.h>
#include <string.h>
#include <tidelock/types.h>

#define TL__STR(literal) ((tl_str){"" literal, sizeof(literal) - 1})
#define TL__STR_NULL     ((tl_str){NULL, 0})
/* For printf("%.*s", TL__STR_ARG(s)); longer than INT_MAX is cut. */
#define TL__STR_ARG(s) ((s).len > 0x7fffffff ? 0x7fffffff : (int)(s).len), ((s).ptr ? (s).ptr : "")

static inline tl_str tl__str_z(const char *text)
{
	return (tl_str){text, text ? strlen(text) : 0};
}

static inline bool tl__str_eq(tl_str a, tl_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Text order of the formats: bytes unsigned, shortest prefix first. */
int tl__str_compare(tl_str a, tl_str b);
bool tl__str_starts(tl_str text, tl_str prefix);

/* Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms, at most U+10FFFF). */
bool tl__utf8_valid(tl_str text);

/* Length of the well-formed character at the start and its code point; 0 when there is none. */
size_t tl__utf8_read(tl_str text, uint32_t *code_point);

/* Writes one code point (at most U+10FFFF, no surrogate) and returns its 1 to 4 bytes. */
size_t tl__utf8_write(uint32_t code_point, char out[4]);

/* A copy fit to be shown (as by tl_text_escape, which see, but line feeds and tabs stay), closed by
 * a NUL and cut between characters to `size` bytes with it. `text` may not lie in `out`. */
void tl__text_copy(char *out, size_t size, tl_str text);

#endif
