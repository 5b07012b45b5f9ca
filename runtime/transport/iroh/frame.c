#include "transport/iroh/frame.h"

#include <string.h>
#include "base/str.h"

size_t tl__iroh_frame_request_need(const uint8_t *head, size_t len)
{
	size_t type_at;

	if (len == 0)
		return 1;
	type_at = 1 + (size_t)head[0];
	return len <= type_at ? type_at + 1 : type_at + 1 + head[type_at];
}

size_t tl__iroh_frame_answer_need(const uint8_t *head, size_t len)
{
	return len < 3 ? 3 : 3 + (size_t)head[2];
}

/* A text with its length in front. */
static size_t write_text(uint8_t *out, const char *given)
{
	tl_str text = tl__str_z(given);

	out[0] = (uint8_t)text.len;
	if (text.len > 0)
		memcpy(out + 1, text.ptr, text.len);
	return 1 + text.len;
}

size_t tl__iroh_frame_request_write(uint8_t *out, const char *path, const char *type)
{
	size_t len = write_text(out, path);

	return len + write_text(out + len, type);
}

size_t tl__iroh_frame_answer_write(uint8_t *out, int status, const char *type)
{
	out[0] = (uint8_t)(status >> 8);
	out[1] = (uint8_t)status;
	return 2 + write_text(out + 2, type);
}

static tl_str read_text(const uint8_t *at)
{
	return (tl_str){at[0] > 0 ? (const char *)at + 1 : NULL, at[0]};
}

static bool printable(tl_str text, const char *but)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e || strchr(but, text.ptr[i]))
			return false;
	return true;
}

bool tl__iroh_frame_path_valid(tl_str path)
{
	return path.len > 0 && path.len <= TL__FRAME_MAX_TEXT && path.ptr[0] == '/' &&
	       printable(path, " ?#\\\"<>");
}

bool tl__iroh_frame_type_valid(tl_str type)
{
	return type.len <= TL__FRAME_MAX_TEXT && printable(type, "");
}

bool tl__iroh_frame_request_read(const uint8_t *head, tl_str *path, tl_str *type)
{
	*path = read_text(head);
	*type = read_text(head + 1 + path->len);
	return tl__iroh_frame_path_valid(*path) && tl__iroh_frame_type_valid(*type);
}

bool tl__iroh_frame_answer_read(const uint8_t *head, int *status, tl_str *type)
{
	*status = head[0] << 8 | head[1];
	*type = read_text(head + 2);
	return *status >= 100 && *status <= 599 && tl__iroh_frame_type_valid(*type);
}
