#include "v0/wire/v0_fields.h"

#include "base/fail.h"
#include "base/str.h"

void tl__v0_optional_permission(tl__fields *f, bool *has, tl_permission *out)
{
	tl_str text = TL__STR_NULL;
	int code = TL_OK;

	tl__fields_verbatim(f, &text);
	*has = f->code == TL_OK && !tl__str_eq(text, TL__STR("null"));
	if (*has)
		code = tl_permission_from_json(out, text);
	if (code == TL_E_NOMEM)
		f->code = code;
	else if (code != TL_OK)
		tl__fields_wrong(f, "a permission was expected");
}

/* The value of a `tidelock` member: whether its versions hold 1. Anything else is passed over. */
static void read_versions(tl__fields *f, bool *out)
{
	tl_str text = TL__STR_NULL;
	tl__json_reader reader;
	tl__json_token token;
	bool in_versions = false;

	*out = false;
	tl__fields_verbatim(f, &text);
	if (f->code != TL_OK)
		return;
	tl__json_whole(&reader, text, TL__JSON_MAX_DEPTH);
	while ((token = tl__json_next(&reader)) > TL__JSON_MORE && token != TL__JSON_END) {
		if (reader.depth == 1 && token == TL__JSON_KEY)
			in_versions = tl__str_eq(reader.text, TL__STR("versions"));
		else if (reader.depth == 2 && in_versions && token == TL__JSON_NUMBER)
			*out |= tl__str_eq(reader.text, TL__STR("1"));
	}
	if (token == TL__JSON_ERROR)
		f->code = reader.code;
	tl__json_free(&reader);
}

static void read_address(tl__fields *f, tl__v0_address *out)
{
	static const char *const names[] = {"transport_type", "address"};
	uint32_t seen = 0;
	size_t at;

	while (tl__fields_member(f, names, 2, &seen, &at))
		tl__fields_text(f, at == 0 ? &out->type : &out->address);
	tl__fields_need(f, names, seen, 3);
}

static void read_addresses(tl__fields *f, tl__v0_handshake_request *out)
{
	tl__json_token token;

	out->listen_addresses =
		tl__arena_alloc(f->arena, TL__V0_MAX_ADDRESSES, sizeof *out->listen_addresses);
	if (!out->listen_addresses) {
		f->code = TL_E_NOMEM;
		return;
	}
	tl__fields_enter(f, TL__JSON_ARRAY);
	while ((token = tl__fields_token(f)) == TL__JSON_OBJECT) {
		if (out->address_count == TL__V0_MAX_ADDRESSES) {
			f->code = tl__fail(TL_E_TOO_LARGE, "handshake lists more than %d addresses",
				TL__V0_MAX_ADDRESSES);
			return;
		}
		read_address(f, &out->listen_addresses[out->address_count++]);
	}
	if (token != TL__JSON_ARRAY_END)
		tl__fields_wrong(f, "an array of addresses was expected");
}

void tl__v0_read_handshake_request(tl__fields *f, tl__v0_handshake_request *out)
{
	static const char *const names[] = {"device_id", "public_key", "display_name",
		"protocol_version", "challenge", "listen_addresses", "tidelock"};
	uint32_t seen = 0;
	size_t at;

	tl__fields_enter(f, TL__JSON_OBJECT);
	while (tl__fields_member(f, names, 7, &seen, &at)) {
		switch (at) {
		case 0: tl__fields_text(f, &out->device_id); break;
		case 1: tl__fields_text(f, &out->public_key); break;
		case 2: tl__fields_optional_text(f, &out->display_name); break;
		case 3: tl__fields_u32(f, &out->protocol_version); break;
		case 4: tl__fields_bytes(f, &out->challenge); break;
		case 5: read_addresses(f, out); break;
		default: read_versions(f, &out->tidelock_v1); break;
		}
	}
	tl__fields_need(f, names, seen, 0x3b);
}

static void read_tree_info(tl__fields *f, tl__v0_tree_info *out)
{
	static const char *const names[] = {"tree_id", "name", "entry_count", "last_modified"};
	uint32_t seen = 0;
	uint64_t unused;
	tl_str name;
	size_t at;

	while (tl__fields_member(f, names, 4, &seen, &at)) {
		switch (at) {
		case 0: tl__fields_text(f, &out->tree_id); break;
		case 1: tl__fields_optional_text(f, &name); break;
		case 2: tl__fields_u64(f, &out->entry_count); break;
		default: tl__fields_u64(f, &unused); break;
		}
	}
	tl__fields_need(f, names, seen, 0xd);
}

static void read_trees(tl__fields *f, tl__v0_handshake_response *out)
{
	size_t cap = 0;
	void *array = NULL;
	tl__json_token token;

	tl__fields_enter(f, TL__JSON_ARRAY);
	while ((token = tl__fields_token(f)) == TL__JSON_OBJECT) {
		if (tl__arena_grow(f->arena, &array, &cap, out->tree_count, sizeof *out->trees)) {
			f->code = TL_E_NOMEM;
			return;
		}
		read_tree_info(f, &((tl__v0_tree_info *)array)[out->tree_count++]);
	}
	if (token != TL__JSON_ARRAY_END)
		tl__fields_wrong(f, "an array of trees was expected");
	out->trees = array;
}

void tl__v0_read_handshake_response(tl__fields *f, tl__v0_handshake_response *out)
{
	static const char *const names[] = {"device_id", "public_key", "display_name",
		"protocol_version", "challenge_response", "new_challenge", "available_trees",
		"tidelock"};
	uint32_t seen = 0;
	size_t at;

	tl__fields_enter(f, TL__JSON_OBJECT);
	while (tl__fields_member(f, names, 8, &seen, &at)) {
		switch (at) {
		case 0: tl__fields_text(f, &out->device_id); break;
		case 1: tl__fields_text(f, &out->public_key); break;
		case 2: tl__fields_optional_text(f, &out->display_name); break;
		case 3: tl__fields_u32(f, &out->protocol_version); break;
		case 4: tl__fields_bytes(f, &out->challenge_response); break;
		case 5: tl__fields_bytes(f, &out->new_challenge); break;
		case 6: read_trees(f, out); break;
		default: read_versions(f, &out->tidelock_v1); break;
		}
	}
	tl__fields_need(f, names, seen, 0x7b);
}
