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

size_t tl__utf8_read(tl_str text, uint32_t *code_point)
{
	static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const uint8_t *at = (const uint8_t *)text.ptr;
	size_t len = text.len > 0 && at[0] < 0x80 ? 1 : sequence(at, text.len);

	*code_point = len > 0 ? at[0] & lead_bits[len] : 0;
	for (size_t i = 1; i < len; i++)
		*code_point = *code_point << 6 | (at[i] & 0x3fu);
	return len;
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
