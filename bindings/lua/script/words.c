#include "script/words.h"

#include <string.h>

size_t tlua_distance(const char *a, const char *b)
{
	size_t row[TLUA_NAME_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > TLUA_NAME_MAX || lb > TLUA_NAME_MAX)
		return TLUA_NAME_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[lb];
}

/* --- UTF-8 ------------------------------------------------------------------------------------ */

static bool is_more(unsigned char byte)
{
	return (byte & 0xC0) == 0x80;
}

size_t tlua_utf8_decode(const char *at, const char *end, uint32_t *code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)at;
	size_t len = b[0] < 0x80 ? 1 : b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : 2;

	if ((size_t)(end - at) < len || (b[0] >= 0x80 && b[0] < 0xC2) || b[0] > 0xF4)
		return 0;
	*code = len == 1 ? b[0] : b[0] & (0xFFu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if (!is_more(b[i]))
			return 0;
		*code = *code << 6 | (b[i] & 0x3F);
	}
	if (*code < least[len] || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000))
		return 0;
	return len;
}

void tlua_copy_part(char *out, size_t size, tl_str text)
{
	const char *at = text.ptr, *end = at + text.len;
	size_t used = 0;

	while (at < end) {
		uint32_t code = 0;
		size_t len = *at ? tlua_utf8_decode(at, end, &code) : 0;
		const char *from = len > 0 ? at : "\xEF\xBF\xBD";
		size_t copied = len > 0 ? len : 3;

		if (used + copied >= size)
			break;
		memcpy(out + used, from, copied);
		used += copied;
		at += len > 0 ? len : 1;
	}
	out[used] = 0;
}

void tlua_copy_text(char *out, size_t size, const char *text)
{
	tlua_copy_part(out, size, (tl_str){text, strlen(text)});
}

/* --- patterns --------------------------------------------------------------------------------- */

static const char *next_char(const char *at, const char *end)
{
	at++;
	while (at < end && is_more((unsigned char)*at))
		at++;
	return at;
}

/* Only the last star is ever tried anew. */
bool tlua_glob(tl_str pattern, tl_str name)
{
	const char *p = pattern.ptr, *p_end = p + pattern.len;
	const char *at = name.ptr, *end = at + name.len;
	const char *star = NULL, *tried = NULL;

	while (at < end) {
		if (p < p_end && *p == '*') {
			star = ++p;
			tried = at;
		} else if (p < p_end && *p == '?') {
			p++;
			at = next_char(at, end);
		} else if (p < p_end && *p == *at) {
			p++;
			at++;
		} else if (star) {
			p = star;
			at = ++tried;
		} else {
			return false;
		}
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}
