/* Permissions: order, clamping, text forms. */
#include <stdio.h>
#include <string.h>
#include <tidelock/auth.h>
#include "base/fail.h"
#include "base/public.h"
#include "base/json/json.h"
#include "base/str.h"

static const char *const stored_names[] = {"Read", "Write", "Admin"};
static const char *const people_names[] = {"read", "write", "admin"};

/* Read < any Write < any Admin; inside a kind a smaller number is stronger. A number that is no
 * kind permits no more than Read. */
static uint64_t rank(tl_permission p)
{
	if (p.kind != TL_WRITE && p.kind != TL_ADMIN)
		return 0;
	return (p.kind == TL_WRITE ? 1 : 2 + (uint64_t)UINT32_MAX) + (UINT32_MAX - p.priority);
}

int tl_permission_compare(tl_permission a, tl_permission b)
{
	return rank(a) < rank(b) ? -1 : rank(a) > rank(b);
}

tl_permission tl_permission_clamp(tl_permission p, tl_permission max, const tl_permission *min)
{
	if (min && tl_permission_compare(*min, max) > 0)
		min = NULL;
	if (tl_permission_compare(p, max) > 0)
		return max;
	return min && tl_permission_compare(p, *min) < 0 ? *min : p;
}

static int read_priority(tl_str digits, uint32_t *out)
{
	uint64_t value;

	if (tl__json_u64(digits, &value) != TL_OK || value > UINT32_MAX)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"a priority is an integer from 0 to 4294967295; 0 is the strongest");
	*out = (uint32_t)value;
	return TL_OK;
}

TL__PUBLIC(tl_permission_parse, out, (tl_permission *out, tl_str text), (out, text))
{
	*out = (tl_permission){TL_READ, 0};
	if (tl__str_eq(text, TL__STR("read")))
		return TL_OK;
	for (int kind = TL_WRITE; kind <= TL_ADMIN; kind++) {
		size_t len = strlen(people_names[kind]);

		if (!tl__str_starts(text, tl__str_z(people_names[kind])) || text.len <= len ||
			text.ptr[len] != ':')
			continue;
		out->kind = (tl_permission_kind)kind;
		return read_priority(
			(tl_str){text.ptr + len + 1, text.len - len - 1}, &out->priority);
	}
	return tl__fail(TL_E_BAD_ARGUMENT,
		"a permission is `read`, `write:10` or `admin:0`, not `%.*s`", TL__STR_ARG(text));
}

void tl_permission_format(tl_permission p, char out[24])
{
	if (!out)
		return;
	if (p.kind == TL_READ)
		snprintf(out, 24, "read");
	else if (p.kind != TL_WRITE && p.kind != TL_ADMIN)
		snprintf(out, 24, "unknown");
	else
		snprintf(out, 24, "%s:%u", people_names[p.kind], (unsigned)p.priority);
}

void tl_permission_to_json(tl_permission p, char out[24])
{
	if (!out)
		return;
	if (p.kind == TL_READ)
		snprintf(out, 24, "\"Read\"");
	else if (p.kind != TL_WRITE && p.kind != TL_ADMIN)
		snprintf(out, 24, "null");
	else
		snprintf(out, 24, "{\"%s\":%u}", stored_names[p.kind], (unsigned)p.priority);
}

/* Running out of memory says nothing about the text. */
static int refuse(const tl__json_reader *r)
{
	if (r->code == TL_E_NOMEM)
		return TL_E_NOMEM;
	return tl__fail(TL_E_BAD_MESSAGE,
		"a stored permission is \"Read\", {\"Write\":N} or {\"Admin\":N}");
}

static int read_object(tl__json_reader *r, tl_permission *out)
{
	tl__json_token token = tl__json_next(r);
	int kind = TL_READ;

	if (token != TL__JSON_KEY)
		return refuse(r);
	while (kind <= TL_ADMIN && !tl__str_eq(r->text, tl__str_z(stored_names[kind])))
		kind++;
	if (kind > TL_ADMIN)
		return refuse(r);
	out->kind = (tl_permission_kind)kind;
	token = tl__json_next(r);
	if (kind == TL_READ ? token != TL__JSON_NULL
			    : token != TL__JSON_NUMBER ||
				      read_priority(r->text, &out->priority) != TL_OK)
		return refuse(r);
	return tl__json_next(r) == TL__JSON_OBJECT_END ? TL_OK : refuse(r);
}

TL__PUBLIC(tl_permission_from_json, out, (tl_permission *out, tl_str json), (out, json))
{
	tl__json_reader reader;
	tl__json_token token;
	int code = TL_OK;

	*out = (tl_permission){TL_READ, 0};
	tl__json_whole(&reader, json, TL__JSON_MAX_DEPTH);
	token = tl__json_next(&reader);
	if (token == TL__JSON_OBJECT)
		code = read_object(&reader, out);
	else if (token != TL__JSON_STRING || !tl__str_eq(reader.text, TL__STR("Read")))
		code = refuse(&reader);
	if (code == TL_OK && tl__json_next(&reader) != TL__JSON_END)
		code = refuse(&reader);
	tl__json_free(&reader);
	return code;
}
