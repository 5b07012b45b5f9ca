/* Requests that two readers could take for different requests are refused before their body is
 * read: libmicrohttpd lets them through, and a proxy in front may see something else. */
#include <string.h>
#include <strings.h>
#include "transport/http_serving.h"

#define MAX_LENGTH_DIGITS 18

static bool is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return len > 0;
}

static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static int64_t read_length(const char *text, size_t len)
{
	int64_t value = 0;

	if (len == 0 || len > MAX_LENGTH_DIGITS)
		return -2;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -2;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}

static bool is_named(const char *key, size_t len, const char *name)
{
	return len == strlen(name) && strncasecmp(key, name, len) == 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

/* libmicrohttpd hands out texts where they stand in the head as received, each closed by zeros over
 * the CR and the LF of its line. So the places tell what the texts no longer do: a line that ended
 * with a bare LF, a zero byte within one, and a line folded over two, whose name was copied away. A
 * library that copies everything shows nothing of that, and nothing is judged. */

static bool is_inside(const http_headers *h, const char *at)
{
	return (uintptr_t)at >= h->begin && (uintptr_t)at <= h->end;
}

/* The next line's text begins here, or the head ends. */
static void follow(http_headers *h, uintptr_t next, size_t distance)
{
	if (h->line_end && next - h->line_end != distance)
		h->malformed = true;
	h->line_end = 0;
}

static void note_line(http_headers *h, const char *key, const char *value, size_t len)
{
	if (is_inside(h, key) != is_inside(h, value)) {
		h->malformed = true;
	} else if (is_inside(h, key)) {
		follow(h, (uintptr_t)key, 2);
		h->line_end = (uintptr_t)value + len;
	}
}

static void note_head(
	http_headers *h, struct MHD_Connection *mhd, const char *method, const char *version)
{
	const union MHD_ConnectionInfo *size =
		MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	h->size = size ? size->header_size : 0;
	h->begin = (uintptr_t)method;
	h->end = h->begin + h->size;
	if (is_inside(h, version))
		h->line_end = (uintptr_t)version + strlen(version);
}

/* --- headers ---------------------------------------------------------------------------------- */

/* A line folded behind one of the two names that say where the request ends: the library appends
 * the text to the name and takes the request for one without a body. */
static bool frames_folded(const char *key, size_t len)
{
	static const char *const names[] = {"content-length", "transfer-encoding"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (len > strlen(names[i]) && strncasecmp(key, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static enum MHD_Result on_header(void *ud, enum MHD_ValueKind kind, const char *key, size_t key_len,
	const char *value, size_t len)
{
	http_headers *h = ud;

	(void)kind;
	if (value)
		note_line(h, key, value, len);
	else
		value = "";
	h->count++;
	if (!is_token(key, key_len) || !is_plain(value, len) || frames_folded(key, key_len))
		h->malformed = true;
	if (is_named(key, key_len, "host"))
		h->hosts++;
	if (is_named(key, key_len, "expect"))
		h->expect = true;
	if (is_named(key, key_len, "content-length")) {
		h->lengths++;
		h->length = read_length(value, len);
	}
	if (is_named(key, key_len, "transfer-encoding")) {
		h->encodings++;
		h->chunked = is_named(value, len, "chunked");
	}
	return MHD_YES;
}

int tl__headers_check(
	struct MHD_Connection *mhd, const char *method, const char *version, http_headers *out)
{
	bool http_1_1 = strcmp(version, "HTTP/1.1") == 0;

	memset(out, 0, sizeof *out);
	out->length = -1;
	note_head(out, mhd, method, version);
	MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, on_header, out);
	follow(out, out->end, 4);
	if (out->size > TL__HTTP_MAX_REQUEST_BYTES || out->count > TL__HTTP_MAX_HEADERS)
		return 431;
	if (out->malformed || out->hosts > 1 || (http_1_1 && out->hosts == 0))
		return 400;
	if (out->lengths > 1 || out->length == -2)
		return 400;
	if (out->encodings > 1 || (out->encodings == 1 && (!out->chunked || !http_1_1)))
		return 400;
	if (out->encodings && out->lengths)
		return 400;
	return 0;
}
