/* Args of access, and of its answer. */
#include <string.h>
#include "base/fail.h"
#include "base/json/json.h"
#include "base/str.h"
#include "wire/v1_header.h"

static void put_permission(tl__buf *out, const char *before, tl_permission permission)
{
	char text[24];

	tl_permission_to_json(permission, text);
	tl__buf_text(out, before);
	tl__buf_text(out, text);
}

static void scan_permission(tl__v1_scan *s, const char *before, tl_permission *out)
{
	uint64_t priority = 0;

	tl__v1_expect(s, before);
	*out = (tl_permission){TL_READ, 0};
	if (tl__v1_accept(s, "\"Read\""))
		return;
	if (tl__v1_accept(s, "{\"Write\":")) {
		out->kind = TL_WRITE;
	} else {
		tl__v1_expect(s, "{\"Admin\":");
		out->kind = TL_ADMIN;
	}
	tl__v1_u64(s, &priority);
	if (priority > UINT32_MAX)
		tl__v1_bad(s, "a priority is out of range");
	out->priority = (uint32_t)priority;
	tl__v1_expect(s, "}");
}

void tl__v1_write_access(tl__buf *args, const tl__v1_access *access)
{
	tl__buf_text(args, "{\"key\":");
	tl__v1_put_key(args, &access->key);
	tl__buf_text(args, ",\"name\":");
	tl__json_put_string(args, access->name);
	put_permission(args, ",\"permission\":", access->permission);
	if (access->has_share) {
		tl__buf_text(args, ",\"share\":");
		tl__v1_put_key(args, &access->share);
	}
	tl__buf_byte(args, '}');
}

int tl__v1_read_access(tl__v1_access *out, tl_str args, tl__arena *memory)
{
	tl__v1_scan s = {args, TL_OK};

	memset(out, 0, sizeof *out);
	tl__v1_expect(&s, "{\"key\":");
	tl__v1_key(&s, &out->key);
	tl__v1_expect(&s, ",\"name\":");
	tl__v1_string(&s, &out->name, TL__V1_MAX_TEXT, memory, "a name");
	/* As a path in the settings such a name would replace other records or open them to all. */
	if (s.code == TL_OK && (out->name.len == 0 || tl__str_eq(out->name, TL__STR("*")) ||
				       memchr(out->name.ptr, '.', out->name.len)))
		tl__v1_bad(&s, "a key's name is not empty, not `*` and has no dot");
	scan_permission(&s, ",\"permission\":", &out->permission);
	out->has_share = tl__v1_accept(&s, ",\"share\":");
	if (out->has_share)
		tl__v1_key(&s, &out->share);
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}

void tl__v1_write_access_answer(tl__buf *args, const tl__v1_access_answer *answer)
{
	switch (answer->result) {
	case TL__V1_ACCESS_GRANTED:
		put_permission(args, "{\"access\":\"granted\",\"permission\":", answer->permission);
		break;
	case TL__V1_ACCESS_PENDING:
		tl__buf_text(args, "{\"access\":\"pending\",\"request_id\":");
		tl__json_put_string(args, answer->request_id);
		break;
	default:
		tl__buf_text(args, "{\"access\":\"refused\",\"code\":");
		tl__json_put_string(args, answer->code);
		break;
	}
	tl__buf_byte(args, '}');
}

int tl__v1_read_access_answer(tl__v1_access_answer *out, tl_str args)
{
	tl__v1_scan s = {args, TL_OK};

	memset(out, 0, sizeof *out);
	tl__v1_expect(&s, "{\"access\":");
	if (tl__v1_accept(&s, "\"granted\"")) {
		out->result = TL__V1_ACCESS_GRANTED;
		scan_permission(&s, ",\"permission\":", &out->permission);
	} else if (tl__v1_accept(&s, "\"pending\"")) {
		out->result = TL__V1_ACCESS_PENDING;
		tl__v1_expect(&s, ",\"request_id\":");
		tl__v1_word(&s, &out->request_id, "a request id");
	} else {
		out->result = TL__V1_ACCESS_REFUSED;
		tl__v1_expect(&s, "\"refused\",\"code\":");
		tl__v1_word(&s, &out->code, "a code");
	}
	tl__v1_expect(&s, "}");
	return tl__v1_done(&s);
}
