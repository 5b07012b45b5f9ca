/* Reading a v0 request: one whole, bounded document. */
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "v0/wire/v0_fields.h"

static void read_sync_tree(tl__fields *f, tl__v0_sync_tree *out)
{
	static const char *const names[] = {"tree_id", "our_tips", "peer_pubkey", "requesting_key",
		"requesting_key_name", "requested_permission"};
	uint32_t seen = 0;
	size_t at;

	tl__fields_enter(f, TL__JSON_OBJECT);
	while (tl__fields_member(f, names, 6, &seen, &at)) {
		switch (at) {
		case 0: tl__fields_text(f, &out->tree_id); break;
		case 1:
			tl__fields_texts(
				f, &out->our_tips, &out->tip_count, TL__V0_MAX_TIPS, "tips");
			break;
		case 2: tl__fields_optional_text(f, &out->peer_pubkey); break;
		case 3: tl__fields_optional_text(f, &out->requesting_key); break;
		case 4: tl__fields_optional_text(f, &out->requesting_key_name); break;
		default:
			tl__v0_optional_permission(f, &out->has_permission, &out->permission);
			break;
		}
	}
	tl__fields_need(f, names, seen, 3);
}

/* Takes the element that `token` begins; the text runs from there to the element's end. */
static bool read_entry(tl__fields *f, tl__v0_request *out, size_t *cap)
{
	void *array = out->entries;
	uint64_t from = f->json.offset - 1;
	unsigned outside = f->json.depth - 1;

	while (f->json.depth > outside)
		if (tl__fields_token(f) <= TL__JSON_MORE)
			return false;
	if (tl__arena_grow(f->arena, &array, cap, out->entry_count, sizeof *out->entries)) {
		f->code = TL_E_NOMEM;
		return false;
	}
	out->entries = array;
	out->entries[out->entry_count++] =
		(tl_str){f->document.ptr + from, (size_t)(f->json.offset - from)};
	return true;
}

static void read_entries(tl__fields *f, tl__v0_request *out)
{
	size_t cap = 0;
	tl__json_token token;

	tl__fields_enter(f, TL__JSON_ARRAY);
	while ((token = tl__fields_token(f)) == TL__JSON_OBJECT)
		if (!read_entry(f, out, &cap))
			return;
	if (token != TL__JSON_ARRAY_END)
		tl__fields_wrong(f, "an array of entries was expected");
}

/* As 0.2.0 tells apart: {} and a second variant are "not JSON", other shapes are not. */
static void read_variant(tl__fields *f, tl__v0_request *out)
{
	static const char *const names[] = {"Handshake", "SyncTree", "SendEntries"};
	tl_str name = f->json.text;
	size_t kind = 0;

	while (kind < 3 && !tl__str_eq(name, tl__str_z(names[kind])))
		kind++;
	out->kind = (tl__v0_request_kind)kind;
	switch (kind) {
	case 0: tl__v0_read_handshake_request(f, &out->handshake); break;
	case 1: read_sync_tree(f, &out->sync_tree); break;
	case 2: read_entries(f, out); break;
	default: tl__fields_wrong(f, "the request is none that this protocol knows"); break;
	}
	if (f->code == TL_OK && tl__fields_token(f) != TL__JSON_OBJECT_END && f->code == TL_OK)
		f->code = tl__fail(TL_E_BAD_JSON, "a request holds exactly one variant");
}

static void read_document(tl__fields *f, tl__v0_request *out)
{
	tl__json_token token = tl__fields_token(f);

	if (token == TL__JSON_OBJECT) {
		if (tl__fields_token(f) == TL__JSON_KEY)
			read_variant(f, out);
		else if (f->code == TL_OK)
			f->code = tl__fail(TL_E_BAD_JSON, "a request holds exactly one variant");
	} else if (token == TL__JSON_STRING) {
		tl__fields_wrong(f, "the request is none that this protocol knows");
	} else if (f->code == TL_OK) {
		f->code = tl__fail(TL_E_BAD_JSON, "a request is an object");
	}
	if (f->code == TL_OK && tl__fields_token(f) != TL__JSON_END && f->code == TL_OK)
		f->code = tl__fail(TL_E_BAD_JSON, "data after the request");
}

int tl__v0_request_read(tl__v0_request *out, tl_str document, tl__v0_refusal *refusal)
{
	tl__fields f;
	tl__arena *arena = tl__alloc_zero(1, sizeof *arena);

	memset(out, 0, sizeof *out);
	*refusal = TL__V0_TOO_LONG;
	if (document.len > TL__V0_MAX_REQUEST_BYTES) {
		tl__free(arena);
		return tl__fail(TL_E_TOO_LARGE, "a request has at most %u bytes, not %zu",
			TL__V0_MAX_REQUEST_BYTES, document.len);
	}
	*refusal = TL__V0_NOT_JSON;
	if (!arena)
		return TL_E_NOMEM;
	out->memory = arena;
	tl__fields_open(&f, document, arena, "the request", TL_E_BAD_MESSAGE);
	read_document(&f, out);
	tl__json_free(&f.json);
	if (f.code == TL_OK && out->kind == TL__V0_HANDSHAKE &&
		document.len > TL__V0_MAX_HANDSHAKE) {
		*refusal = TL__V0_TOO_LONG;
		f.code = tl__fail(TL_E_TOO_LARGE, "a handshake has at most %u bytes, not %zu",
			TL__V0_MAX_HANDSHAKE, document.len);
	} else if (f.code != TL_E_BAD_JSON) {
		*refusal = TL__V0_WRONG_SHAPE;
	}
	if (f.code == TL_OK)
		return TL_OK;
	tl__v0_request_free(out);
	return f.code;
}

void tl__v0_request_free(tl__v0_request *request)
{
	if (request->memory)
		tl__arena_free(request->memory);
	tl__free(request->memory);
	memset(request, 0, sizeof *request);
}
