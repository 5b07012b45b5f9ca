/* A peer as it is stored: a record of `_sync` in the form of 0.2.0, and a local document for what
 * is ours alone. */
#include "sync/core/core.h"

#include "base/fail.h"
#include "base/json/fields.h"
#include "base/str.h"

static void put_address(tl__buf *out, const tl_address *address)
{
	tl__buf_text(out, "{\"transport_type\":");
	tl__json_put_string(out, tl__str_z(address->type));
	tl__buf_text(out, ",\"address\":");
	tl__json_put_string(out, tl__str_z(address->text));
	tl__buf_text(out, "}");
}

static void put_field(tl__sync *sync, const tl__peer *peer, const char *name, tl_str text)
{
	tl__work_record record = {.store = "peers", .path_len = 2, .text = text};

	record.path[0] = tl__str_z(peer->text);
	record.path[1] = tl__str_z(name);
	tl__sync_put_record(sync, &record);
}

static void put_time(tl__sync *sync, const tl__peer *peer, const char *name, int64_t time)
{
	char text[30];

	tl__time_format(time, text);
	put_field(sync, peer, name, tl__str_z(text));
}

static tl__sync_local_key local_key(const tl__peer *peer)
{
	return tl__peer_local_key("sync/peer", peer);
}

void tl__peer_save(tl__sync *sync, tl__peer *peer)
{
	tl__buf addresses = TL__BUF_INIT;

	tl__buf_text(&addresses, "[");
	for (size_t i = 0; i < peer->address_count; i++) {
		if (i > 0)
			tl__buf_text(&addresses, ",");
		put_address(&addresses, &peer->addresses[i].address);
	}
	tl__buf_text(&addresses, "]");
	put_field(sync, peer, "pubkey", tl__str_z(peer->text));
	put_field(sync, peer, "display_name", peer->name ? tl__str_z(peer->name) : TL__STR_NULL);
	if (peer->first_seen != 0)
		put_time(sync, peer, "first_seen", peer->first_seen);
	if (peer->last_seen != 0)
		put_time(sync, peer, "last_seen", peer->last_seen);
	put_field(sync, peer, "status", tl__str_z(tl__peer_status_name(peer->status)));
	if (tl__buf_status(&addresses) == TL_OK)
		put_field(sync, peer, "addresses", tl__buf_view(&addresses));
	else
		tl__sync_put_lost(sync);
	tl__buf_free(&addresses);
	tl__peer_save_local(sync, peer);
}

static bool is_proven(const tl__peer_address *at)
{
	return at->proven;
}

static bool is_learnt(const tl__peer_address *at)
{
	return at->learnt;
}

/* The texts of those that `is` one. */
static void put_addresses(
	tl__buf *out, const tl__peer *peer, bool (*is)(const tl__peer_address *at))
{
	bool first = true;

	for (size_t i = 0; i < peer->address_count; i++) {
		char text[530];

		if (!is(&peer->addresses[i]))
			continue;
		tl_address_format(&peer->addresses[i].address, text);
		if (!first)
			tl__buf_text(out, ",");
		tl__json_put_string(out, tl__str_z(text));
		first = false;
	}
}

void tl__peer_save_local(tl__sync *sync, const tl__peer *peer)
{
	const char *protocol = tl__peer_protocol_name(peer->protocol);
	tl__sync_local_key key = local_key(peer);
	tl__buf out = TL__BUF_INIT;

	tl__buf_format(&out,
		"{\"protocol\":%s%s%s,\"last_success\":%lld,\"history\":%llu,"
		"\"proven\":[",
		protocol ? "\"" : "", protocol ? protocol : "null", protocol ? "\"" : "",
		(long long)peer->last_success, (unsigned long long)peer->metadata.records);
	put_addresses(&out, peer, is_proven);
	tl__buf_text(&out, "],\"learnt\":[");
	put_addresses(&out, peer, is_learnt);
	tl__buf_text(&out, "],\"said_name\":");
	if (peer->said_name)
		tl__json_put_string(&out, tl__str_z(peer->said_name));
	else
		tl__buf_text(&out, "null");
	tl__buf_text(&out, "}");
	tl__sync_put_text(sync, tl__str_z(key.text), &out);
}

void tl__peer_forget(tl__sync *sync, const tl__peer *peer)
{
	tl__sync_local_key key = tl__peer_local_key("sync/peer", peer);
	tl__work_record record = {.store = "peers", .path_len = 1, .text = TL__STR_NULL};

	record.path[0] = tl__str_z(peer->text);
	tl__sync_put_record(sync, &record);
	tl__sync_put_local(sync, tl__str_z(key.text), TL__STR_NULL);
	tl__record_forget(sync, peer->text, &peer->metadata, TL__SYNC_MAX_HISTORY);
}

static bool is_listed(const tl__peer_address *at, const tl_str *texts, size_t count)
{
	char known[530];

	tl_address_format(&at->address, known);
	for (size_t i = 0; i < count; i++)
		if (tl__str_eq(texts[i], tl__str_z(known)))
			return true;
	return false;
}

int tl__peer_load_local(tl__sync *sync, tl__peer *peer, tl_str document)
{
	static const char *const names[] = {
		"protocol", "last_success", "history", "proven", "learnt", "said_name"};
	tl__arena arena = TL__ARENA_INIT;
	tl__fields f;
	tl_str protocol = TL__STR_NULL, said = TL__STR_NULL, *proven = NULL, *learnt = NULL;
	size_t proven_count = 0, learnt_count = 0, at;
	uint64_t success = 0;
	uint32_t seen = 0;
	int rc;

	(void)sync;
	tl__fields_open(&f, document, &arena, "peer document", TL_E_BAD_MESSAGE);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 6, &seen, &at)) {
		if (at == 0)
			tl__fields_optional_text(&f, &protocol);
		else if (at == 1)
			tl__fields_u64(&f, &success);
		else if (at == 2)
			tl__fields_u64(&f, &peer->metadata.records);
		else if (at == 3)
			tl__fields_texts(
				&f, &proven, &proven_count, TL__SYNC_MAX_ADDRESSES, "addresses");
		else if (at == 5)
			tl__fields_optional_text(&f, &said);
		else
			tl__fields_texts(
				&f, &learnt, &learnt_count, TL__SYNC_MAX_ADDRESSES, "addresses");
	}
	rc = tl__fields_whole(&f);
	if (rc == TL_OK)
		rc = tl__peer_set_said_name(peer, said);
	if (rc == TL_OK) {
		peer->protocol = tl__str_eq(protocol, TL__STR("v1"))   ? TL__PROTOCOL_V1
				 : tl__str_eq(protocol, TL__STR("v0")) ? TL__PROTOCOL_V0
								       : TL__PROTOCOL_UNKNOWN;
		peer->last_success = (int64_t)success;
		for (size_t i = 0; i < peer->address_count; i++) {
			tl__peer_address *known = &peer->addresses[i];

			known->proven = known->proven || is_listed(known, proven, proven_count);
			known->learnt = is_listed(known, learnt, learnt_count);
		}
	}
	tl__arena_free(&arena);
	return rc;
}
