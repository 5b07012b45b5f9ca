/* Overlong texts of a vector are cut: "… (N bytes in all)". */
#include <string.h>
#include "live.h"

#define CUT "\xe2\x80\xa6"

typedef struct open_text {
	char stack[256]; /* brackets that are open */
	size_t depth;
	bool in_string, escaped, any;
	char last; /* that is no space */
} open_text;

static void look_at(open_text *o, char ch)
{
	if (o->in_string) {
		if (o->escaped)
			o->escaped = false;
		else if (ch == '\\')
			o->escaped = true;
		else if (ch == '"')
			o->in_string = false;
	} else if (ch == '"') {
		o->in_string = true;
	} else if ((ch == '{' || ch == '[') && o->depth < sizeof o->stack) {
		o->stack[o->depth++] = ch;
	} else if ((ch == '}' || ch == ']') && o->depth > 0) {
		o->depth--;
	}
	o->any = true;
	if (ch != ' ')
		o->last = ch;
}

/* Fills up to the length that is told so that the document stays what it is: spaces behind a whole
 * one, one long text in an open one. */
static bool fill(const open_text *o, char *out, size_t from, size_t total)
{
	bool named =
		!o->in_string && o->depth > 0 && o->stack[o->depth - 1] == '{' && o->last != ':';
	const char *begin = o->in_string ? "" : named ? "\"zz\":\"" : "\"";
	size_t at = from, open = strlen(begin), close = o->depth + 1;

	if (o->any && o->depth == 0 && !o->in_string) {
		memset(out + from, ' ', total - from);
		return true;
	}
	if (total - from < open + close)
		return false;
	for (size_t i = 0; i < open; i++)
		out[at++] = begin[i];
	memset(out + at, 'a', total - close - at);
	at = total - close;
	out[at++] = '"';
	for (size_t i = o->depth; i-- > 0;)
		out[at++] = o->stack[i] == '{' ? '}' : ']';
	return true;
}

tl_str whole_text(check *c, tl_str text)
{
	const char *cut = text.ptr ? memmem(text.ptr, text.len, " " CUT " (", 6) : NULL;
	tl_str kept, body;
	open_text o = {0};
	size_t total;
	char *out;

	if (!cut)
		return text;
	kept = (tl_str){text.ptr, (size_t)(cut - text.ptr)};
	total = (size_t)strtoul(cut + 6, NULL, 10);
	body = http_body(kept);
	out = total > kept.len && total < 64u * 1024 * 1024
		      ? tl__arena_alloc(&c->arena, total + 1, 1)
		      : NULL;
	if (!out || !body.ptr) {
		wrong(c, "the cut text cannot be made whole");
		return text;
	}
	for (size_t i = 0; i < body.len; i++)
		look_at(&o, body.ptr[i]);
	memcpy(out, kept.ptr, kept.len);
	if (!fill(&o, out, kept.len, total))
		wrong(c, "the cut text cannot be made whole");
	return (tl_str){out, total};
}
