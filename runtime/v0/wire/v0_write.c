/* Writers of protocol v0 messages: members in 0.2.0's order, null where a value is absent. */
#include "v0/wire/v0.h"
#include "base/str.h"

static void put_optional(tl__buf *out, tl_str text)
{
	if (text.ptr)
		tl__json_put_string(out, text);
	else
		tl__buf_text(out, "null");
}

/* `"name":` with a comma in front unless it is the first member. */
static void member(tl__buf *out, const char *name)
{
	if (out->len > 0 && out->ptr[out->len - 1] != '{')
		tl__buf_byte(out, ',');
	tl__buf_byte(out, '"');
	tl__buf_text(out, name);
	tl__buf_text(out, "\":");
}

static void member_text(tl__buf *out, const char *name, tl_str text)
{
	member(out, name);
	put_optional(out, text);
}

/* Byte strings are arrays of numbers, never base64. */
static void member_bytes(tl__buf *out, const char *name, tl_str bytes)
{
	member(out, name);
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < bytes.len; i++) {
		if (i)
			tl__buf_byte(out, ',');
		tl__json_put_u64(out, (uint8_t)bytes.ptr[i]);
	}
	tl__buf_byte(out, ']');
}

static void member_texts(tl__buf *out, const char *name, const tl_str *texts, size_t count)
{
	member(out, name);
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (i)
			tl__buf_byte(out, ',');
		tl__json_put_string(out, texts[i]);
	}
	tl__buf_byte(out, ']');
}

static void member_permission(tl__buf *out, const char *name, const tl_permission *permission)
{
	char text[24] = "null";

	if (permission)
		tl_permission_to_json(*permission, text);
	member(out, name);
	tl__buf_text(out, text);
}

/* 0.2.0 ignores unknown members; a tidelock peer learns here that we speak v1. */
static void member_tidelock(tl__buf *out, bool tidelock_v1)
{
	if (!tidelock_v1)
		return;
	member(out, "tidelock");
	tl__buf_text(out, "{\"versions\":[1]}");
}

void tl__v0_write_handshake_request(tl__buf *out, const tl__v0_handshake_request *message)
{
	tl__buf_text(out, "{\"Handshake\":{");
	member_text(out, "device_id", message->device_id);
	member_text(out, "public_key", message->public_key);
	member_text(out, "display_name", message->display_name);
	member(out, "protocol_version");
	tl__json_put_u64(out, message->protocol_version);
	member_bytes(out, "challenge", message->challenge);
	member(out, "listen_addresses");
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < message->address_count; i++) {
		tl__buf_text(out, i ? ",{" : "{");
		member_text(out, "transport_type", message->listen_addresses[i].type);
		member_text(out, "address", message->listen_addresses[i].address);
		tl__buf_byte(out, '}');
	}
	tl__buf_byte(out, ']');
	member_tidelock(out, message->tidelock_v1);
	tl__buf_text(out, "}}");
}

void tl__v0_write_handshake_response(tl__buf *out, const tl__v0_handshake_response *message)
{
	tl__buf_text(out, "{\"Handshake\":{");
	member_text(out, "device_id", message->device_id);
	member_text(out, "public_key", message->public_key);
	member_text(out, "display_name", message->display_name);
	member(out, "protocol_version");
	tl__json_put_u64(out, message->protocol_version);
	member_bytes(out, "challenge_response", message->challenge_response);
	member_bytes(out, "new_challenge", message->new_challenge);
	member(out, "available_trees");
	tl__buf_byte(out, '[');
	for (size_t i = 0; i < message->tree_count; i++) {
		tl__buf_text(out, i ? ",{" : "{");
		member_text(out, "tree_id", message->trees[i].tree_id);
		tl__buf_text(out, ",\"name\":null,\"entry_count\":");
		tl__json_put_u64(out, message->trees[i].entry_count);
		tl__buf_text(out, ",\"last_modified\":0}");
	}
	tl__buf_byte(out, ']');
	member_tidelock(out, message->tidelock_v1);
	tl__buf_text(out, "}}");
}

void tl__v0_write_sync_tree(tl__buf *out, const tl__v0_sync_tree *message)
{
	tl__buf_text(out, "{\"SyncTree\":{");
	member_text(out, "tree_id", message->tree_id);
	member_texts(out, "our_tips", message->our_tips, message->tip_count);
	member_text(out, "peer_pubkey", message->peer_pubkey);
	member_text(out, "requesting_key", message->requesting_key);
	member_text(out, "requesting_key_name", message->requesting_key_name);
	member_permission(
		out, "requested_permission", message->has_permission ? &message->permission : NULL);
	tl__buf_text(out, "}}");
}

void tl__v0_write_send_entries(tl__buf *out, const tl_str *entries, size_t count)
{
	tl__buf_text(out, "{\"SendEntries\":[");
	for (size_t i = 0; i < count; i++)
		tl__v0_stream_entry(out, entries[i], i == 0);
	tl__buf_text(out, "]}");
}

void tl__v0_write_ack(tl__buf *out)
{
	tl__buf_text(out, "\"Ack\"");
}

void tl__v0_write_count(tl__buf *out, uint64_t count)
{
	tl__buf_text(out, "{\"Count\":");
	tl__json_put_u64(out, count);
	tl__buf_byte(out, '}');
}

void tl__v0_write_error(tl__buf *out, tl_str text)
{
	tl__buf_text(out, "{\"Error\":");
	tl__json_put_string(out, text);
	tl__buf_byte(out, '}');
}

void tl__v0_write_pending(tl__buf *out, tl_str request_id, tl_str message)
{
	tl__buf_text(out, "{\"BootstrapPending\":{");
	member_text(out, "request_id", request_id);
	member_text(out, "message", message);
	tl__buf_text(out, "}}");
}

void tl__v0_begin_bootstrap(tl__buf *out, tl_str tree_id, tl_str root_entry)
{
	tl__buf_text(out, "{\"Bootstrap\":{");
	member_text(out, "tree_id", tree_id);
	member(out, "root_entry");
	tl__buf_str(out, root_entry);
	tl__buf_text(out, ",\"all_entries\":[");
}

void tl__v0_stream_entry(tl__buf *out, tl_str entry, bool first)
{
	if (!first)
		tl__buf_byte(out, ',');
	tl__buf_str(out, entry);
}

void tl__v0_end_bootstrap(tl__buf *out, bool key_approved, const tl_permission *granted)
{
	tl__buf_text(out, "],\"key_approved\":");
	tl__buf_text(out, key_approved ? "true" : "false");
	member_permission(out, "granted_permission", granted);
	tl__buf_text(out, "}}");
}

void tl__v0_begin_incremental(tl__buf *out, tl_str tree_id, const tl_str *their_tips, size_t count)
{
	tl__buf_text(out, "{\"Incremental\":{");
	member_text(out, "tree_id", tree_id);
	member_texts(out, "their_tips", their_tips, count);
	tl__buf_text(out, ",\"missing_entries\":[");
}

void tl__v0_end_incremental(tl__buf *out)
{
	tl__buf_text(out, "]}}");
}
