#include "base/str.h"

int tl__str_compare(tl_str a, tl_str b)
{
	size_t common = a.len < b.len ? a.len : b.len;
	int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

bool tl__str_starts(tl_str text, tl_str prefix)
{
	return text.len >= prefix.len &&
	       (prefix.len == 0 || memcmp(text.ptr, prefix.ptr, prefix.len) == 0);
}

/* Length of the ASCII run at the start, eight bytes at a time. */
static size_t ascii_run(const uint8_t *at, size_t len)
{
	size_t i = 0;
	uint64_t word;

	for (; i + 8 <= len; i += 8) {
		memcpy(&word, at + i, 8);
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	while (i < len && at[i] < 0x80)
		i++;
	return i;
}

static bool is_tail(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Length of the well-formed multi-byte sequence at the start, 0 when there is none. */
static size_t sequence(const uint8_t *at, size_t len)
{
	if (len >= 2 && at[0] >= 0xc2 && at[0] <= 0xdf)
		return is_tail(at[1]) ? 2 : 0;
	if (len >= 3 && (at[0] & 0xf0) == 0xe0) {
		uint8_t low = at[0] == 0xe0 ? 0xa0 : 0x80;  /* no overlong forms */
		uint8_t high = at[0] == 0xed ? 0x9f : 0xbf; /* no surrogates */

		return at[1] >= low && at[1] <= high && is_tail(at[2]) ? 3 : 0;
	}
	if (len >= 4 && at[0] >= 0xf0 && at[0] <= 0xf4) {
		uint8_t low = at[0] == 0xf0 ? 0x90 : 0x80;
		uint8_t high = at[0] == 0xf4 ? 0x8f : 0xbf; /* at most U+10FFFF */

		return at[1] >= low && at[1] <= high && is_tail(at[2]) && is_tail(at[3]) ? 4 : 0;
	}
	return 0;
}

bool tl__utf8_valid(tl_str text)
{
	const uint8_t *at = (const uint8_t *)text.ptr;
	size_t left = text.len;

	while (left > 0) {
		size_t step = ascii_run(at, left);

		if (step == 0)
			step = sequence(at, left);
		if (step == 0)
			return false;
		at += step;
		left -= step;
	}
	return true;
}

size_t tl__utf8_write(uint32_t code_point, char out[4])
{
	static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t len = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;

	for (size_t i = len - 1; i > 0; i--, code_point >>= 6)
		out[i] = (char)(0x80 | (code_point & 0x3f));
	out[0] = (char)(leads[len] | code_point);
	return len;
}

/* What an ASCII byte is shown as. */
static uint8_t shown(uint8_t c, bool one_line)
{
	if (c == '\n' || c == '\t' || c == '\r')
		return one_line ? ' ' : c;
	return c < 0x20 || c == 0x7f ? '?' : c;
}

void tl__text_clean(char *text, bool one_line)
{
	uint8_t *at = (uint8_t *)text;
	size_t left = strlen(text);

	while (left > 0) {
		size_t step = *at < 0x80 ? 1 : sequence(at, left);

		if (step == 0) {
			*at = '?';
			step = 1;
		} else if (step == 1) {
			*at = shown(*at, one_line);
		}
		at += step;
		left -= step;
	}
}

void tl__text_copy(char *out, size_t size, tl_str text)
{
	size_t len = text.len < size ? text.len : size - 1;

	for (size_t i = 0; i < len; i++)
		out[i] = text.ptr[i] ? text.ptr[i] : '?';
	out[len] = '\0';
	tl__text_clean(out, false);
}
