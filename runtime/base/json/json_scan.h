/* What the JSON reader, writer and numbers share; nobody else includes it. */
#ifndef TL_BASE_JSON_SCAN_H
#define TL_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <tidelock/types.h>

/* Whether the text is a number of the JSON grammar. */
bool tl__json_number_valid(tl_str text);

/* Whether one of eight bytes is a quote, a backslash or below 0x20; bytes from 0x80 on are not. */
static inline uint64_t tl__json_special(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
	uint64_t control = (word - ones * 0x20) & ~word;

	return (control | ((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & tops;
}

/* How many bytes at the start stand for themselves inside a JSON string. */
static inline size_t tl__json_plain_run(const char *ptr, size_t len)
{
	size_t at = 0;
	uint64_t word;

	for (; at + 8 <= len; at += 8) {
		memcpy(&word, ptr + at, 8);
		if (tl__json_special(word))
			break;
	}
	for (; at < len; at++) {
		uint8_t c = (uint8_t)ptr[at];

		if (c == '"' || c == '\\' || c < 0x20)
			break;
	}
	return at;
}

#endif
