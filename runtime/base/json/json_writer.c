#include <stdio.h>
#include <string.h>
#include "base/json/json.h"
#include "base/json/json_scan.h"

static void put_escape(tl__buf *out, uint8_t c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c ? strchr(from, c) : NULL;
	char text[7];

	if (found) {
		text[0] = '\\';
		text[1] = to[found - from];
		tl__buf_append(out, text, 2);
		return;
	}
	snprintf(text, sizeof text, "\\u%04x", c);
	tl__buf_append(out, text, 6);
}

void tl__json_put_string(tl__buf *out, tl_str text)
{
	size_t at = 0;

	tl__buf_byte(out, '"');
	while (at < text.len) {
		size_t run = tl__json_plain_run(text.ptr + at, text.len - at);

		tl__buf_append(out, text.ptr + at, run);
		at += run;
		if (at < text.len)
			put_escape(out, (uint8_t)text.ptr[at++]);
	}
	tl__buf_byte(out, '"');
}

void tl__json_put_u64(tl__buf *out, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	tl__buf_append(out, digits + at, sizeof digits - at);
}

void tl__json_put_i64(tl__buf *out, int64_t value)
{
	if (value < 0)
		tl__buf_byte(out, '-');
	tl__json_put_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}
