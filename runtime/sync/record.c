/* Cursor, metadata and history in the form of 0.2.0 (README.md), written after each exchange. */
#include "sync/outbound.h"

#include "base/fields.h"
#include "base/str.h"

static void put_time(tl__buf *out, const char *name, bool has, int64_t time)
{
	char text[30];

	tl__time_format(time, text);
	if (has)
		tl__buf_format(out, ",\"%s\":\"%s\"", name, text);
	else
		tl__buf_format(out, ",\"%s\":null", name);
}

/* 0.2.0 writes a fraction. Three digits of it are kept, and only what is sane. */
static double thousandths(double value)
{
	return value > 0 && value < 1e12 ? (double)(int64_t)(value * 1000 + 0.5) / 1000 : 0;
}

static void write_cursor(tl__buf *out, const char *peer, const tl_id *db, const tl__pair *pair)
{
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(db, id);
	tl__buf_format(
		out, "{\"peer_pubkey\":\"%s\",\"tree_id\":\"%s\",\"last_synced_entry\":", peer, id);
	if (pair && pair->has_last_entry) {
		tl_id_format(&pair->last_entry, id);
		tl__buf_format(out, "\"%s\"", id);
	} else {
		tl__buf_text(out, "null");
	}
	put_time(
		out, "last_sync_time", pair && pair->has_cursor_record, pair ? pair->last_sync : 0);
	tl__buf_format(out, ",\"last_sync_count\":%llu,\"total_synced_count\":%llu}",
		(unsigned long long)(pair ? pair->last_count : 0),
		(unsigned long long)(pair ? pair->total_count : 0));
}

static void write_metadata(tl__buf *out, const char *key, const tl__peer *peer)
{
	bool has = peer && peer->has_metadata;
	bool first = true;

	tl__buf_format(out, "{\"peer_pubkey\":\"%s\"", key);
	put_time(out, "sync_established", has, has ? peer->sync_established : 0);
	put_time(out, "last_sync_attempt", has, has ? peer->last_attempt : 0);
	put_time(out, "last_successful_sync", has && peer->last_successful != 0,
		has ? peer->last_successful : 0);
	tl__buf_format(out,
		",\"successful_sync_count\":%llu,\"failed_sync_count\":%llu,"
		"\"total_entries_synced\":%llu,\"total_bytes_synced\":%llu,"
		"\"average_sync_duration_ms\":",
		(unsigned long long)(has ? peer->ok_count : 0),
		(unsigned long long)(has ? peer->failed_count : 0),
		(unsigned long long)(has ? peer->total_entries : 0),
		(unsigned long long)(has ? peer->total_bytes : 0));
	tl__json_put_double(out, thousandths(has ? peer->average_ms : 0));
	tl__buf_text(out, ",\"synced_trees\":[");
	for (const tl__pair *pair = peer ? peer->pairs : NULL; pair; pair = pair->next_of_peer) {
		char id[TL_ID_TEXT_LEN + 1];

		if (!pair->has_cursor_record)
			continue;
		tl_id_format(&pair->db->id, id);
		tl__buf_format(out, "%s\"%s\"", first ? "" : ",", id);
		first = false;
	}
	tl__buf_text(out, "]}");
}

void tl__sync_cursor_json(const tl__sync *sync, const tl_key *peer, const tl_id *db, tl__buf *out)
{
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(peer, key);
	write_cursor(out, key, db, tl__sync_find_pair(sync, peer, db));
}

void tl__sync_metadata_json(const tl__sync *sync, const tl_key *peer, tl__buf *out)
{
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(peer, key);
	write_metadata(out, key, tl__sync_find_peer(sync, peer));
}

void tl__sync_history_prefix(const tl_key *peer, char out[80])
{
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(peer, key);
	snprintf(out, 80, "%s%s/", TL__LOCAL_HISTORY, key);
}

/* --- after an exchange ------------------------------------------------------------------------ */

/* The oldest of TL__SYNC_MAX_HISTORY records gives way. */
static void add_history(tl__sync *sync, tl__pair *pair, const tl__sync_outcome *outcome)
{
	tl__peer *peer = pair->peer;
	char prefix[80], key[112], uuid[37], id[TL_ID_TEXT_LEN + 1];
	tl__buf out = TL__BUF_INIT;

	tl__sync_history_prefix(&peer->key, prefix);
	snprintf(key, sizeof key, "%s%03u", prefix,
		(unsigned)(peer->history_count++ % TL__SYNC_MAX_HISTORY));
	tl__random_uuid(&sync->random, uuid);
	tl_id_format(&pair->db->id, id);
	tl__buf_format(&out, "{\"sync_id\":\"%s\",\"peer_pubkey\":\"%s\",\"tree_id\":\"%s\"", uuid,
		peer->text, id);
	put_time(&out, "started_at", true, outcome->started);
	put_time(&out, "completed_at", true, outcome->started + (int64_t)outcome->milliseconds);
	tl__buf_format(&out,
		",\"success\":%s,\"entries_count\":%llu,\"bytes_transferred\":%llu,"
		"\"duration_ms\":%llu.0,\"error_message\":",
		outcome->code == TL_OK ? "true" : "false", (unsigned long long)outcome->entries,
		(unsigned long long)outcome->bytes, (unsigned long long)outcome->milliseconds);
	if (outcome->code == TL_OK)
		tl__buf_text(&out, "null");
	else
		tl__json_put_string(&out, tl__str_z(outcome->error));
	tl__buf_text(&out, "}");
	if (tl__buf_status(&out) == TL_OK)
		tl__sync_put_local(sync, tl__str_z(key), tl__buf_view(&out));
	tl__buf_free(&out);
}

static void count(tl__sync *sync, tl__pair *pair, const tl__sync_outcome *outcome)
{
	tl__peer *peer = pair->peer;

	if (!peer->has_metadata) {
		peer->has_metadata = true;
		peer->sync_established = outcome->started;
	}
	peer->last_attempt = sync->wall;
	if (outcome->code != TL_OK) {
		peer->failed_count++;
		return;
	}
	peer->last_successful = peer->last_success = sync->wall;
	peer->ok_count++;
	peer->total_entries += outcome->entries;
	peer->total_bytes += outcome->bytes;
	peer->average_ms +=
		((double)outcome->milliseconds - peer->average_ms) / (double)peer->ok_count;
	pair->has_cursor_record = true;
	pair->last_sync = sync->wall;
	pair->last_count = outcome->entries;
	pair->total_count += outcome->entries;
	if (outcome->has_entry) {
		pair->has_last_entry = true;
		pair->last_entry = outcome->entry;
	}
}

void tl__record_exchange(tl__sync *sync, tl__pair *pair, const tl__sync_outcome *outcome)
{
	tl__peer *peer = pair->peer;
	tl__sync_local_key key;
	tl__buf out = TL__BUF_INIT;

	count(sync, pair, outcome);
	add_history(sync, pair, outcome);
	peer->local_changed = true;
	pair->local_changed = true;
	key = tl__peer_local_key("sync/metadata", peer);
	write_metadata(&out, peer->text, peer);
	if (tl__buf_status(&out) == TL_OK)
		tl__sync_put_local(sync, tl__str_z(key.text), tl__buf_view(&out));
	if (outcome->code == TL_OK) {
		tl__buf_clear(&out);
		key = tl__pair_key("sync/cursor", peer, &pair->db->id);
		write_cursor(&out, peer->text, &pair->db->id, pair);
		if (tl__buf_status(&out) == TL_OK)
			tl__sync_put_local(sync, tl__str_z(key.text), tl__buf_view(&out));
	}
	tl__buf_free(&out);
}

/* --- reading them back ------------------------------------------------------------------------ */

static void read_time(tl__fields *f, int64_t *out)
{
	tl_str text = TL__STR_NULL;

	tl__fields_optional_text(f, &text);
	if (f->code == TL_OK && text.ptr && tl__time_parse(text.ptr, text.len, out) != TL_OK)
		tl__fields_wrong(f, "a time");
}

int tl__record_load_cursor(tl__pair *pair, tl_str document)
{
	static const char *const names[] = {
		"last_synced_entry", "last_sync_time", "last_sync_count", "total_synced_count"};
	tl__arena arena = TL__ARENA_INIT;
	tl_str entry = TL__STR_NULL;
	uint32_t seen = 0;
	tl__fields f;
	size_t at;
	int rc;

	tl__fields_open(&f, document, &arena, "sync cursor", TL_E_BAD_MESSAGE);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 4, &seen, &at)) {
		if (at == 0)
			tl__fields_optional_text(&f, &entry);
		else if (at == 1)
			read_time(&f, &pair->last_sync);
		else
			tl__fields_u64(&f, at == 2 ? &pair->last_count : &pair->total_count);
	}
	rc = tl__fields_whole(&f);
	pair->has_cursor_record = rc == TL_OK;
	pair->has_last_entry =
		rc == TL_OK && entry.ptr && tl_id_parse(&pair->last_entry, entry) == TL_OK;
	tl__arena_free(&arena);
	return rc;
}

static void read_fraction(tl__fields *f, double *out)
{
	if (tl__fields_token(f) != TL__JSON_NUMBER)
		tl__fields_wrong(f, "a number");
	else if (tl__json_double(f->json.text, out) != TL_OK)
		tl__fields_wrong(f, "a number that is not too large");
}

int tl__record_load_metadata(tl__peer *peer, tl_str document)
{
	static const char *const names[] = {"sync_established", "last_sync_attempt",
		"last_successful_sync", "successful_sync_count", "failed_sync_count",
		"total_entries_synced", "total_bytes_synced", "average_sync_duration_ms"};
	int64_t *const times[] = {
		&peer->sync_established, &peer->last_attempt, &peer->last_successful};
	uint64_t *const counts[] = {
		&peer->ok_count, &peer->failed_count, &peer->total_entries, &peer->total_bytes};
	tl__arena arena = TL__ARENA_INIT;
	uint32_t seen = 0;
	tl__fields f;
	size_t at;
	int rc;

	tl__fields_open(&f, document, &arena, "sync metadata", TL_E_BAD_MESSAGE);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 8, &seen, &at)) {
		if (at < 3)
			read_time(&f, times[at]);
		else if (at < 7)
			tl__fields_u64(&f, counts[at - 3]);
		else
			read_fraction(&f, &peer->average_ms);
	}
	rc = tl__fields_whole(&f);
	peer->has_metadata = rc == TL_OK;
	tl__arena_free(&arena);
	return rc;
}
