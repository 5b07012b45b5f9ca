/* Reading a v0 response as a stream. Entries are handed on one by one as their text is complete;
 * every other member is small: its text is collected, then read whole. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "v0/wire/v0_fields.h"

typedef enum place {
	AT_DOCUMENT, /* before the variant */
	AT_VARIANT,  /* its value comes next */
	IN_MEMBERS,  /* of a Bootstrap or Incremental */
	IN_ENTRIES,  /* inside their array */
	AT_END
} place;

typedef enum member_id {
	MEMBER_NONE = -1,
	TREE_ID,
	ENTRIES,
	ROOT_ENTRY,
	KEY_APPROVED,
	GRANTED_PERMISSION,
	THEIR_TIPS
} member_id;

struct tl__v0_reader {
	tl__json_reader json;
	tl__arena arena;
	tl__v0_entry_call entry;
	void *ud;
	tl__v0_response response;
	const char *piece;   /* the piece being read */
	uint64_t piece_base; /* offset of its first byte */
	uint64_t piece_len;
	tl__buf captured; /* earlier pieces' part of the value being taken */
	uint64_t from;    /* offset where its untaken rest begins */
	bool capturing;   /* a container is being taken */
	unsigned outside; /* depth around it */
	place at;
	member_id member;
	uint32_t seen;
	int code;
};

static const struct {
	const char *name;
	bool bootstrap, incremental;
} members[] = {
	[TREE_ID] = {"tree_id", true, true},
	[ENTRIES] = {NULL, true, true}, /* all_entries or missing_entries */
	[ROOT_ENTRY] = {"root_entry", true, false},
	[KEY_APPROVED] = {"key_approved", true, false},
	[GRANTED_PERMISSION] = {"granted_permission", true, false},
	[THEIR_TIPS] = {"their_tips", false, true},
};

int tl__v0_reader_new(tl__v0_reader **out, tl__v0_entry_call entry, void *ud)
{
	tl__v0_reader *r = tl__alloc_zero(1, sizeof *r);

	*out = r;
	if (!r)
		return TL_E_NOMEM;
	tl__json_init(&r->json, TL__JSON_MAX_DEPTH);
	r->json.max_text = TL__V0_MAX_MEMBER_BYTES;
	r->entry = entry;
	r->ud = ud;
	r->member = MEMBER_NONE;
	return TL_OK;
}

void tl__v0_reader_free(tl__v0_reader *r)
{
	if (!r)
		return;
	tl__json_free(&r->json);
	tl__buf_free(&r->captured);
	tl__arena_free(&r->arena);
	tl__free(r);
}

const tl__v0_response *tl__v0_reader_response(const tl__v0_reader *r)
{
	return &r->response;
}

static int wrong(const tl__v0_reader *r, const char *what)
{
	return tl__fail(TL_E_BAD_MESSAGE, "the peer's answer has the wrong shape: %s (byte %llu)",
		what, (unsigned long long)r->json.offset);
}

/* --- taking the text of a value --------------------------------------------------------------- */

static bool is_entry(const tl__v0_reader *r)
{
	return r->at == IN_ENTRIES || r->member == ROOT_ENTRY;
}

/* Adds what this piece holds of the container being taken, up to `to`. */
static int capture_until(tl__v0_reader *r, uint64_t to)
{
	const char *begin = r->piece + (r->from - r->piece_base);
	size_t len = (size_t)(to - r->from);

	if (is_entry(r) && r->captured.len + len > TL_ENTRY_MAX_BYTES)
		return tl__fail(TL_E_TOO_LARGE, "the peer's answer holds an entry over %u bytes",
			TL_ENTRY_MAX_BYTES);
	if (r->captured.len + len > TL__V0_MAX_MEMBER_BYTES)
		return tl__fail(TL_E_TOO_LARGE, "the peer's answer holds a member over %u bytes",
			TL__V0_MAX_MEMBER_BYTES);
	tl__buf_append(&r->captured, begin, len);
	r->from = to;
	return tl__buf_status(&r->captured);
}

static void fields_open(tl__v0_reader *r, tl__fields *f)
{
	tl__fields_open(
		f, tl__buf_view(&r->captured), &r->arena, "the peer's answer", TL_E_BAD_MESSAGE);
}

/* --- what a taken value means ----------------------------------------------------------------- */

static void read_pending(tl__fields *f, tl__v0_response *out)
{
	static const char *const names[] = {"request_id", "message"};
	uint32_t seen = 0;
	size_t at;

	tl__fields_enter(f, TL__JSON_OBJECT);
	while (tl__fields_member(f, names, 2, &seen, &at))
		tl__fields_text(f, at == 0 ? &out->request_id : &out->text);
	tl__fields_need(f, names, seen, 3);
}

static int take_variant(tl__v0_reader *r)
{
	tl__fields f;

	fields_open(r, &f);
	switch (r->response.kind) {
	case TL__V0_RESPONSE_HANDSHAKE:
		tl__v0_read_handshake_response(&f, &r->response.handshake);
		break;
	case TL__V0_RESPONSE_PENDING: read_pending(&f, &r->response); break;
	case TL__V0_RESPONSE_COUNT: tl__fields_u64(&f, &r->response.count); break;
	case TL__V0_RESPONSE_ERROR: tl__fields_text(&f, &r->response.text); break;
	default: tl__fields_wrong(&f, "an unknown answer"); break;
	}
	r->at = AT_END;
	return tl__fields_whole(&f);
}

static int take_member(tl__v0_reader *r)
{
	tl__v0_response *out = &r->response;
	tl__fields f;

	fields_open(r, &f);
	switch (r->member) {
	case TREE_ID: tl__fields_text(&f, &out->tree_id); break;
	case KEY_APPROVED: tl__fields_bool(&f, &out->key_approved); break;
	case GRANTED_PERMISSION:
		tl__v0_optional_permission(&f, &out->has_granted, &out->granted);
		break;
	case THEIR_TIPS:
		tl__fields_texts(&f, &out->their_tips, &out->tip_count, SIZE_MAX, "tips");
		break;
	default: tl__fields_wrong(&f, "an unknown member"); break;
	}
	return tl__fields_whole(&f);
}

static int take_entry(tl__v0_reader *r)
{
	r->response.entry_count++;
	return r->entry(r->ud, tl__buf_view(&r->captured), r->at != IN_ENTRIES);
}

static int taken(tl__v0_reader *r)
{
	int code;

	r->capturing = false;
	if (is_entry(r))
		code = take_entry(r);
	else if (r->at == AT_VARIANT)
		code = take_variant(r);
	else if (r->member != MEMBER_NONE)
		code = take_member(r);
	else
		code = TL_OK; /* unknown member: passed over */
	if (r->at == IN_MEMBERS)
		r->member = MEMBER_NONE;
	return code;
}

/* --- tokens ----------------------------------------------------------------------------------- */

static int name_variant(tl__v0_reader *r)
{
	static const struct {
		const char *name;
		tl__v0_response_kind kind;
	} variants[] = {{"Handshake", TL__V0_RESPONSE_HANDSHAKE},
		{"Bootstrap", TL__V0_RESPONSE_BOOTSTRAP},
		{"Incremental", TL__V0_RESPONSE_INCREMENTAL},
		{"BootstrapPending", TL__V0_RESPONSE_PENDING}, {"Count", TL__V0_RESPONSE_COUNT},
		{"Error", TL__V0_RESPONSE_ERROR}};

	for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
		if (tl__str_eq(r->json.text, tl__str_z(variants[i].name)))
			r->response.kind = variants[i].kind;
	if (r->response.kind == TL__V0_RESPONSE_NONE)
		return wrong(r, "an unknown answer");
	r->at = AT_VARIANT;
	return TL_OK;
}

static bool streamed(const tl__v0_reader *r)
{
	return r->response.kind == TL__V0_RESPONSE_BOOTSTRAP ||
	       r->response.kind == TL__V0_RESPONSE_INCREMENTAL;
}

static int on_document(tl__v0_reader *r, tl__json_token token)
{
	if (token == TL__JSON_OBJECT && r->json.depth == 1)
		return TL_OK;
	if (token == TL__JSON_KEY)
		return name_variant(r);
	if (token == TL__JSON_STRING && r->json.depth == 0 &&
		tl__str_eq(r->json.text, TL__STR("Ack"))) {
		r->response.kind = TL__V0_RESPONSE_ACK;
		r->at = AT_END;
		return TL_OK;
	}
	return wrong(r, "an answer was expected");
}

static int name_member(tl__v0_reader *r)
{
	bool bootstrap = r->response.kind == TL__V0_RESPONSE_BOOTSTRAP;
	const char *entries = bootstrap ? "all_entries" : "missing_entries";

	r->member = MEMBER_NONE;
	for (int i = 0; i <= THEIR_TIPS; i++) {
		const char *name = i == ENTRIES ? entries : members[i].name;

		if ((bootstrap ? members[i].bootstrap : members[i].incremental) &&
			tl__str_eq(r->json.text, tl__str_z(name)))
			r->member = (member_id)i;
	}
	if (r->member == MEMBER_NONE)
		return TL_OK;
	if (r->seen & (1u << r->member))
		return wrong(r, "the same member twice");
	r->seen |= 1u << r->member;
	return TL_OK;
}

static int members_done(tl__v0_reader *r)
{
	uint32_t needed = 1u << TREE_ID | 1u << ENTRIES;

	needed |= r->response.kind == TL__V0_RESPONSE_BOOTSTRAP
			  ? 1u << ROOT_ENTRY | 1u << KEY_APPROVED
			  : 1u << THEIR_TIPS;
	if ((r->seen & needed) != needed)
		return wrong(r, "a member is missing");
	r->at = AT_END;
	return TL_OK;
}

/* A scalar may have begun in an earlier piece: its text is written anew. */
static void put_scalar(tl__v0_reader *r, tl__json_token token)
{
	switch (token) {
	case TL__JSON_STRING: tl__json_put_string(&r->captured, r->json.text); break;
	case TL__JSON_NUMBER: tl__buf_str(&r->captured, r->json.text); break;
	case TL__JSON_TRUE: tl__buf_text(&r->captured, "true"); break;
	case TL__JSON_FALSE: tl__buf_text(&r->captured, "false"); break;
	default: tl__buf_text(&r->captured, "null"); break;
	}
}

static int begin_value(tl__v0_reader *r, tl__json_token token)
{
	int code;

	tl__buf_clear(&r->captured);
	if (token == TL__JSON_OBJECT || token == TL__JSON_ARRAY) {
		r->capturing = true;
		r->outside = r->json.depth - 1;
		r->from = r->json.offset - 1;
		return TL_OK;
	}
	put_scalar(r, token);
	code = tl__buf_status(&r->captured);
	return code == TL_OK ? taken(r) : code;
}

static int on_members(tl__v0_reader *r, tl__json_token token)
{
	if (token == TL__JSON_KEY)
		return name_member(r);
	if (token == TL__JSON_OBJECT_END)
		return members_done(r);
	if (r->member == ENTRIES) {
		r->at = IN_ENTRIES;
		return token == TL__JSON_ARRAY ? TL_OK
					       : wrong(r, "an array of entries was expected");
	}
	if (r->member == ROOT_ENTRY && token != TL__JSON_OBJECT)
		return wrong(r, "an entry was expected");
	return begin_value(r, token);
}

static int on_entries(tl__v0_reader *r, tl__json_token token)
{
	if (token == TL__JSON_ARRAY_END) {
		r->at = IN_MEMBERS;
		r->member = MEMBER_NONE;
		return TL_OK;
	}
	if (token != TL__JSON_OBJECT)
		return wrong(r, "an entry was expected");
	return begin_value(r, token);
}

static int on_token(tl__v0_reader *r, tl__json_token token)
{
	if (r->capturing) {
		int code = TL_OK;

		if (r->json.depth == r->outside)
			code = capture_until(r, r->json.offset);
		return code == TL_OK && r->json.depth == r->outside ? taken(r) : code;
	}
	switch (r->at) {
	case AT_DOCUMENT: return on_document(r, token);
	case AT_VARIANT:
		if (!streamed(r))
			return begin_value(r, token);
		r->at = IN_MEMBERS;
		return token == TL__JSON_OBJECT ? TL_OK : wrong(r, "an object was expected");
	case IN_MEMBERS: return on_members(r, token);
	case IN_ENTRIES: return on_entries(r, token);
	default:
		/* The variant is read: only the end of the object around it may follow. */
		return token == TL__JSON_OBJECT_END && r->json.depth == 0
			       ? TL_OK
			       : wrong(r, "an answer holds exactly one variant");
	}
}

static int read_tokens(tl__v0_reader *r, tl__json_token last)
{
	int code = TL_OK;

	while (code == TL_OK) {
		tl__json_token token = tl__json_next(&r->json);

		if (token == last)
			return TL_OK;
		if (token == TL__JSON_MORE || token == TL__JSON_ERROR)
			return tl_error_code(tl_last_error());
		code = on_token(r, token);
	}
	return code;
}

int tl__v0_reader_feed(tl__v0_reader *r, const void *bytes, size_t len)
{
	if (r->code != TL_OK || len == 0)
		return r->code;
	r->piece = bytes;
	r->piece_base += r->piece_len;
	r->piece_len = len;
	r->from = r->piece_base;
	tl__json_feed(&r->json, bytes, len);
	r->code = read_tokens(r, TL__JSON_MORE);
	if (r->code == TL_OK && r->capturing)
		r->code = capture_until(r, r->piece_base + len);
	return r->code;
}

int tl__v0_reader_finish(tl__v0_reader *r)
{
	if (r->code != TL_OK)
		return r->code;
	tl__json_finish(&r->json);
	r->code = read_tokens(r, TL__JSON_END);
	if (r->code == TL_OK && r->at != AT_END)
		r->code = wrong(r, "it is empty");
	return r->code;
}
