/* Cursor, metadata and history in the form of 0.2.0 (README.md), written after each exchange,
 * whoever began it. */
#include "sync/core/core.h"

#include <string.h>
#include "base/json/fields.h"
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

/* Without its end: what is stored says no more. */
static void write_metadata(tl__buf *out, const char *key, const tl__sync_metadata *m)
{
	tl__buf_format(out, "{\"peer_pubkey\":\"%s\"", key);
	put_time(out, "sync_established", m->has, m->established);
	put_time(out, "last_sync_attempt", m->has, m->last_attempt);
	put_time(
		out, "last_successful_sync", m->has && m->last_successful != 0, m->last_successful);
	tl__buf_format(out,
		",\"successful_sync_count\":%llu,\"failed_sync_count\":%llu,"
		"\"total_entries_synced\":%llu,\"total_bytes_synced\":%llu,"
		"\"average_sync_duration_ms\":",
		(unsigned long long)m->ok_count, (unsigned long long)m->failed_count,
		(unsigned long long)m->entries, (unsigned long long)m->bytes);
	tl__json_put_double(out, thousandths(m->average_ms));
}

/* They may be thousands, and their own records tell them too. */
static void write_synced_trees(tl__buf *out, const tl__peer *peer)
{
	bool first = true;

	tl__buf_text(out, ",\"synced_trees\":[");
	for (const tl__pair *pair = peer ? peer->pairs : NULL; pair; pair = pair->next_of_peer) {
		char id[TL_ID_TEXT_LEN + 1];

		if (!pair->has_cursor_record)
			continue;
		tl_id_format(&pair->db->id, id);
		tl__buf_format(out, "%s\"%s\"", first ? "" : ",", id);
		first = false;
	}
	tl__buf_text(out, "]");
}

void tl__sync_cursor_json(const tl__sync *sync, const tl_key *peer, const tl_id *db, tl__buf *out)
{
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(peer, key);
	write_cursor(out, key, db, tl__sync_find_pair(sync, peer, db));
}

void tl__sync_metadata_json(const tl__sync *sync, const tl_key *peer, tl__buf *out)
{
	static const tl__sync_metadata none = {0};
	const tl__peer *known = tl__sync_find_peer(sync, peer);
	const tl__sync_metadata *metadata =
		known ? &known->metadata : tl__client_metadata(sync, peer);
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(peer, key);
	write_metadata(out, key, metadata ? metadata : &none);
	write_synced_trees(out, known);
	tl__buf_text(out, "}");
}

void tl__sync_history_prefix(const tl_key *peer, char out[80])
{
	char key[TL_KEY_TEXT_LEN + 1];

	tl_key_format(peer, key);
	snprintf(out, 80, "%s%s/", TL__LOCAL_HISTORY, key);
}

/* --- after an exchange ------------------------------------------------------------------------ */

/* Whom an exchange was with: a peer, or a key that only came to us. */
typedef struct party {
	tl_key key;
	char text[TL_KEY_TEXT_LEN + 1];
	tl__sync_metadata *metadata;
	tl__peer *peer; /* NULL: it is none */
	unsigned kept;  /* records of its history; the oldest gives way */
} party;

static party of_peer(tl__peer *peer)
{
	party out = {.key = peer->key,
		.metadata = &peer->metadata,
		.peer = peer,
		.kept = TL__SYNC_MAX_HISTORY};

	memcpy(out.text, peer->text, sizeof out.text);
	return out;
}

static void history_key(const tl_key *key, uint64_t number, char out[112])
{
	char prefix[80];

	tl__sync_history_prefix(key, prefix);
	snprintf(out, 112, "%s%03u", prefix, (unsigned)number);
}

static void add_history(
	tl__sync *sync, const party *with, const tl_id *db, const tl__sync_outcome *outcome)
{
	char key[112], uuid[37], id[TL_ID_TEXT_LEN + 1];
	tl__buf out = TL__BUF_INIT;

	history_key(&with->key, with->metadata->records++ % with->kept, key);
	tl__random_uuid(&sync->random, uuid);
	tl_id_format(db, id);
	tl__buf_format(&out, "{\"sync_id\":\"%s\",\"peer_pubkey\":\"%s\",\"tree_id\":\"%s\"", uuid,
		with->text, id);
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
	tl__sync_put_text(sync, tl__str_z(key), &out);
}

static void count(const tl__sync *sync, tl__sync_metadata *m, const tl__sync_outcome *outcome)
{
	if (!m->has) {
		m->has = true;
		m->established = outcome->started;
	}
	m->last_attempt = sync->wall;
	if (outcome->code != TL_OK) {
		m->failed_count++;
		return;
	}
	m->last_successful = sync->wall;
	m->ok_count++;
	m->entries += outcome->entries;
	m->bytes += outcome->bytes;
	m->average_ms += ((double)outcome->milliseconds - m->average_ms) / (double)m->ok_count;
}

static void note_cursor(tl__sync *sync, tl__pair *pair, const tl__sync_outcome *outcome)
{
	tl__sync_local_key key = tl__pair_key("sync/cursor", pair->peer, &pair->db->id);
	tl__buf out = TL__BUF_INIT;

	tl__pair_changed(sync, pair);
	pair->local_changed = true;
	if (outcome->code != TL_OK)
		return;
	pair->has_cursor_record = true;
	pair->last_sync = sync->wall;
	pair->last_count = outcome->entries;
	pair->total_count += outcome->entries;
	if (outcome->has_entry) {
		pair->has_last_entry = true;
		pair->last_entry = outcome->entry;
	}
	write_cursor(&out, pair->peer->text, &pair->db->id, pair);
	tl__sync_put_text(sync, tl__str_z(key.text), &out);
}

static void metadata_key(const char *key, char out[96])
{
	snprintf(out, 96, "sync/metadata/%s", key);
}

static void record(
	tl__sync *sync, const party *with, const tl_id *db, const tl__sync_outcome *outcome)
{
	tl__buf out = TL__BUF_INIT;
	char key[96];

	count(sync, with->metadata, outcome);
	add_history(sync, with, db, outcome);
	if (with->peer && outcome->code == TL_OK)
		with->peer->last_success = sync->wall;
	if (with->peer) {
		with->peer->local_changed = true;
		tl__peer_changed(sync, with->peer);
	}
	metadata_key(with->text, key);
	write_metadata(&out, with->text, with->metadata);
	tl__buf_text(&out, "}");
	tl__sync_put_text(sync, tl__str_z(key), &out);
}

void tl__record_exchange(tl__sync *sync, tl__pair *pair, const tl__sync_outcome *outcome)
{
	party with = of_peer(pair->peer);

	note_cursor(sync, pair, outcome);
	record(sync, &with, &pair->db->id, outcome);
}

void tl__record_served(
	tl__sync *sync, const tl_key *key, const tl_id *db, const tl__sync_outcome *outcome)
{
	tl__peer *peer = tl__sync_find_peer(sync, key);
	tl__pair *pair = tl__sync_find_pair(sync, key, db);
	party with = {.key = *key, .kept = TL__SYNC_CLIENT_HISTORY};

	if (peer) {
		with = of_peer(peer);
	} else {
		with.metadata = tl__client_count(sync, key);
		tl_key_format(key, with.text);
	}
	if (pair)
		note_cursor(sync, pair, outcome);
	if (with.metadata)
		record(sync, &with, db, outcome);
}

void tl__outcome_took(tl__sync_outcome *outcome, const tl__work_ingest *in)
{
	outcome->entries += in->result.entered;
	for (size_t i = 0; in->result.fates && i < in->page.count; i++) {
		outcome->bytes += in->page.lines[i].len;
		if (in->result.fates[i].arrival > in->before) {
			outcome->has_entry = true;
			outcome->entry = in->result.fates[i].id;
		}
	}
}

void tl__record_forget(
	tl__sync *sync, const char *key, const tl__sync_metadata *metadata, unsigned kept)
{
	char text[112];
	tl_key parsed;

	if (!metadata->has || tl_key_parse(&parsed, tl__str_z(key)) != TL_OK)
		return;
	metadata_key(key, text);
	tl__sync_put_local(sync, tl__str_z(text), TL__STR_NULL);
	for (uint64_t i = 0; i < metadata->records && i < kept; i++) {
		history_key(&parsed, i, text);
		tl__sync_put_local(sync, tl__str_z(text), TL__STR_NULL);
	}
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

int tl__record_load_metadata(tl__sync_metadata *out, tl_str document)
{
	static const char *const names[] = {"sync_established", "last_sync_attempt",
		"last_successful_sync", "successful_sync_count", "failed_sync_count",
		"total_entries_synced", "total_bytes_synced", "average_sync_duration_ms"};
	int64_t *const times[] = {&out->established, &out->last_attempt, &out->last_successful};
	uint64_t *const counts[] = {&out->ok_count, &out->failed_count, &out->entries, &out->bytes};
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
			read_fraction(&f, &out->average_ms);
	}
	rc = tl__fields_whole(&f);
	out->has = rc == TL_OK;
	tl__arena_free(&arena);
	return rc;
}
