/* Texts outside of Lua: how far names are apart, for the one that was meant; UTF-8; patterns. */
#ifndef TL_LUA_WORDS_H
#define TL_LUA_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tidelock/types.h>

#define TLUA_NAME_MAX 40

/* Levenshtein distance of names up to TLUA_NAME_MAX; longer ones are that far apart. */
size_t tlua_distance(const char *a, const char *b);
/* The length of the character at `at` and its code point; 0: no UTF-8. */
size_t tlua_utf8_decode(const char *at, const char *end, uint32_t *code);
/* Copies what fits, as UTF-8: what is none, and zero bytes, become U+FFFD. */
void tlua_copy_part(char *out, size_t size, tl_str text);
void tlua_copy_text(char *out, size_t size, const char *text); /* the same of a whole text */
/* Whether the whole name is like the pattern: `*` is any text, `?` one character, all else itself.
 * Takes as long as one times the other. */
bool tlua_glob(tl_str pattern, tl_str name);

#endif
