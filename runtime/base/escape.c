/* Texts that others wrote, made fit to be shown. */
#include <stdio.h>
#include <string.h>
#include <tidelock/log.h>
#include "base/str.h"

#define LONGEST 8 /* of an escape, with its NUL: \u202e */

/* What does not show itself, or changes how its neighbours are shown. All lie below U+10000. */
static const struct {
	uint16_t first, last;
} hidden[] = {
	{0x0000, 0x001f}, {0x007f, 0x009f}, /* controls */
	{0x061c, 0x061c}, {0x200e, 0x200f}, /* marks of direction */
	{0x200b, 0x200b},                   /* a space without width */
	{0x2028, 0x202e},                   /* line ends, embeddings, overrides */
	{0x2060, 0x206f}, /* joiners, isolates, and other formats without a shape */
	{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, /* byte order mark, annotations */
};

static bool is_hidden(uint32_t c)
{
	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (c >= hidden[i].first && c <= hidden[i].last)
			return true;
	return false;
}

/* The escape of one character; none for what is shown as it is. */
static void escape_one(uint32_t c, bool keep_lines, char out[LONGEST])
{
	static const char from[] = "\n\r\t", to[] = "nrt";
	const char *found = c > 0 && c < 0x80 ? strchr(from, (int)c) : NULL;

	out[0] = '\0';
	if (!is_hidden(c) || (keep_lines && (c == '\n' || c == '\t')))
		return;
	if (found)
		snprintf(out, LONGEST, "\\%c", to[found - from]);
	else
		snprintf(out, LONGEST, "\\u%04x", (unsigned)(uint16_t)c);
}

typedef struct result {
	char *out;
	size_t cap, len; /* len goes on when cap is reached */
} result;

/* Whole pieces only: when one does not fit, nothing after it is written either. */
static void put(result *r, const char *piece, size_t len)
{
	if (r->len + len < r->cap) {
		memcpy(r->out + r->len, piece, len);
		r->out[r->len + len] = '\0';
	} else {
		r->cap = 0;
	}
	r->len += len;
}

static size_t escape(tl_str text, bool keep_lines, char *out, size_t cap)
{
	result r = {out, cap, 0};

	if (cap > 0)
		out[0] = '\0';
	while (text.len > 0) {
		char piece[LONGEST];
		uint32_t c;
		size_t step = tl__utf8_read(text, &c);

		if (step == 0) {
			step = 1;
			snprintf(piece, sizeof piece, "\\x%02x", (uint8_t)text.ptr[0]);
		} else {
			escape_one(c, keep_lines, piece);
		}
		if (piece[0])
			put(&r, piece, strlen(piece));
		else
			put(&r, text.ptr, step);
		text.ptr += step;
		text.len -= step;
	}
	return r.len;
}

size_t tl_text_escape(tl_str text, char *out, size_t cap)
{
	return escape(text, false, out, cap);
}

void tl__text_copy(char *out, size_t size, tl_str text)
{
	(void)escape(text, true, out, size);
}
