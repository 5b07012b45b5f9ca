/* What the core remembers from earlier runs. Nothing is asked for and nobody is answered before it
 * is there. */
#include "sync/in/serve.h"
#include "sync/out/outbound.h"

#include <string.h>
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"

#define AGAIN_MS 1000

static tl_str text_of(const tl_value *doc, const char *name)
{
	const tl_value *value = tl_doc_raw(doc, tl__str_z(name));

	return value && tl_value_type(value) == TL_TEXT ? tl_value_as_text(value) : TL__STR_NULL;
}

static int64_t time_of(const tl_value *doc, const char *name, int64_t otherwise)
{
	tl_str text = text_of(doc, name);
	int64_t out;

	return text.ptr && tl__time_parse(text.ptr, text.len, &out) == TL_OK ? out : otherwise;
}

/* [{"transport_type":…,"address":…}…] */
static int read_addresses(tl__peer *peer, tl_str json)
{
	static const char *const names[] = {"transport_type", "address"};
	tl__arena arena = TL__ARENA_INIT;
	tl__fields f;
	tl__json_token token;
	int rc = TL_OK, whole;

	tl__fields_open(&f, json, &arena, "address list", TL_E_BAD_MESSAGE);
	tl__fields_enter(&f, TL__JSON_ARRAY);
	for (token = tl__fields_token(&f); token == TL__JSON_OBJECT; token = tl__fields_token(&f)) {
		tl_str type = TL__STR_NULL, text = TL__STR_NULL;
		uint32_t seen = 0;
		tl_address address;
		size_t at;

		while (tl__fields_member(&f, names, 2, &seen, &at))
			tl__fields_text(&f, at == 0 ? &type : &text);
		if (f.code != TL_OK || type.len == 0 || type.len >= sizeof address.type ||
			text.len == 0 || text.len >= sizeof address.text)
			continue;
		memset(&address, 0, sizeof address);
		memcpy(address.type, type.ptr, type.len);
		memcpy(address.text, text.ptr, text.len);
		rc = tl__peer_add_address(peer, &address, NULL);
		if (rc != TL_OK)
			break;
	}
	if (token != TL__JSON_ARRAY_END)
		tl__fields_wrong(&f, "addresses");
	tl__arena_free(&arena);
	whole = tl__fields_whole(&f);
	return rc == TL_E_NOMEM ? rc : whole;
}

static int load_peer(tl__sync *sync, tl_str key_text, const tl_value *record)
{
	tl_str name = text_of(record, "display_name"), addresses = text_of(record, "addresses");
	tl__peer_status status = TL__PEER_ACTIVE;
	tl__peer *peer;
	tl_key key;
	int rc = tl_key_parse(&key, key_text);

	if (rc != TL_OK)
		return rc;
	if (tl__sync_find_peer(sync, &key))
		return TL_OK; /* the load is repeated */
	peer = tl__peer_new(&key, name);
	if (!peer)
		return TL_E_NOMEM;
	if (tl__peer_status_parse(&status, text_of(record, "status")))
		peer->status = status;
	peer->first_seen = time_of(record, "first_seen", 0);
	peer->last_seen = time_of(record, "last_seen", 0);
	rc = addresses.ptr ? read_addresses(peer, addresses) : TL_OK;
	if (rc != TL_E_NOMEM) {
		int enlisted = tl__peer_enlist(sync, peer);

		if (enlisted == TL_OK)
			return rc;
		rc = enlisted;
	}
	tl__peer_free(peer);
	return rc;
}

/* ["ed25519:…"…]: the peers that this database is kept in step with. */
static int load_relations(tl__sync *sync, const tl_id *db, tl_str json)
{
	tl__arena arena = TL__ARENA_INIT;
	tl_str *keys = NULL;
	size_t count = 0;
	tl__fields f;
	int rc;

	tl__fields_open(&f, json, &arena, "peer list", TL_E_BAD_MESSAGE);
	tl__fields_texts(&f, &keys, &count, 100000, "peers");
	rc = tl__fields_whole(&f);
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		tl__peer *peer;
		tl_key key;

		if (tl_key_parse(&key, keys[i]) != TL_OK)
			continue;
		peer = tl__sync_find_peer(sync, &key);
		if (peer)
			rc = tl__pair_relate(sync, peer, db, TL__STR("manual"), NULL);
	}
	tl__arena_free(&arena);
	return rc;
}

/* What is unreadable is passed over; only memory that ran out is worth another try. */
static int complain(tl__sync *sync, const char *what, tl_str name, int rc)
{
	if (rc == TL_OK || rc == TL_E_NOMEM)
		return rc;
	tl__log_write(sync->log, TL_LOG_WARNING, "sync", "%s \"%.*s\" is unreadable: %s", what,
		TL__STR_ARG(name), tl_error_message(tl_last_error()));
	return TL_OK;
}

static int load_records(tl__sync *sync, const tl__work_load *load)
{
	size_t count = load->peers ? tl_doc_count(load->peers) : 0;
	tl_value *record;
	int rc = TL_OK;
	tl_str name;

	for (size_t i = 0; rc == TL_OK && i < count; i++)
		if (tl_doc_at(load->peers, i, &name, &record) && tl_value_type(record) == TL_DOC)
			rc = complain(
				sync, "the record of peer", name, load_peer(sync, name, record));
	count = load->trees ? tl_doc_count(load->trees) : 0;
	for (size_t i = 0; rc == TL_OK && i < count; i++) {
		tl_id db;

		if (!tl_doc_at(load->trees, i, &name, &record) || tl_value_type(record) != TL_DOC ||
			!text_of(record, "peer_pubkeys").ptr)
			continue;
		rc = complain(sync, "the relation of", name,
			tl_id_parse(&db, name) != TL_OK
				? TL_E_BAD_ID
				: load_relations(sync, &db, text_of(record, "peer_pubkeys")));
	}
	return rc;
}

/* --- local documents -------------------------------------------------------------------------- */

/* Takes "text/" off the front. */
static bool strip(tl_str *key, const char *text)
{
	tl_str prefix = tl__str_z(text);

	if (!tl__str_starts(*key, prefix))
		return false;
	key->ptr += prefix.len;
	key->len -= prefix.len;
	return true;
}

static tl__peer *peer_of(tl__sync *sync, tl_str text)
{
	tl_key key;

	return tl_key_parse(&key, text) == TL_OK ? tl__sync_find_peer(sync, &key) : NULL;
}

/* "<key>/<id>"; key texts hold slashes (base64), ids do not. */
static bool read_pair_name(tl_str text, tl_key *key, tl_id *db)
{
	return text.len == TL_KEY_TEXT_LEN + 1 + TL_ID_TEXT_LEN &&
	       text.ptr[TL_KEY_TEXT_LEN] == '/' &&
	       tl_key_parse(key, (tl_str){text.ptr, TL_KEY_TEXT_LEN}) == TL_OK &&
	       tl_id_parse(db, (tl_str){text.ptr + TL_KEY_TEXT_LEN + 1, TL_ID_TEXT_LEN}) == TL_OK;
}

/* --- of a pair: one that is not there was of a set of relations, which is made anew -------------- */

static int load_cursor(tl__sync *sync, const tl_key *key, const tl_id *db, tl_str value)
{
	tl__pair *pair = tl__sync_find_pair(sync, key, db);

	return pair ? tl__record_load_cursor(pair, value) : TL_OK;
}

static int load_pair(tl__sync *sync, const tl_key *key, const tl_id *db, tl_str value)
{
	tl__pair *pair = tl__sync_find_pair(sync, key, db);

	return pair ? tl__pair_load_local(sync, pair, value) : tl__rest_load(sync, key, db, value);
}

static int load_pull(tl__sync *sync, const tl_key *key, const tl_id *db, tl_str value)
{
	tl__pair *pair = tl__sync_find_pair(sync, key, db);

	return pair ? tl__pair_load_cursors(pair, value)
		    : tl__rest_load_cursors(sync, key, db, value);
}

static int load_of_pair(tl__sync *sync, tl_str name, tl_str value,
	int (*load)(tl__sync *sync, const tl_key *key, const tl_id *db, tl_str value))
{
	tl_key key;
	tl_id db;

	return read_pair_name(name, &key, &db) ? load(sync, &key, &db, value) : TL_OK;
}

static int load_access(tl__sync *sync, tl_str id, tl_str document)
{
	tl_str key = TL__STR_NULL, name = TL__STR_NULL, permission = TL__STR_NULL;
	tl_str peer = TL__STR_NULL, request = TL__STR_NULL;
	const tl__field members[] = {{"key", TL__FIELD_TEXT, &key, true},
		{"name", TL__FIELD_TEXT, &name, true},
		{"permission", TL__FIELD_TEXT, &permission, true},
		{"peer", TL__FIELD_TEXT, &peer, false},
		{"request", TL__FIELD_TEXT, &request, false}};
	tl__arena arena = TL__ARENA_INIT;
	tl__sync_db *db = NULL;
	tl_id root;
	int rc = TL__FIELDS_READ(document, &arena, "access document", TL_E_BAD_MESSAGE, members);

	if (rc == TL_OK)
		rc = tl_id_parse(&root, id);
	if (rc == TL_OK) {
		db = tl__sync_db_for(sync, &root);
		rc = db ? tl_key_parse(&db->access_key, key) : TL_E_NOMEM;
	}
	if (rc == TL_OK)
		rc = tl_permission_parse(&db->access_permission, permission);
	if (rc == TL_OK) {
		db->has_access = true;
		snprintf(db->access_name, sizeof db->access_name, "%.*s", TL__STR_ARG(name));
		tl__text_copy(db->access_request, sizeof db->access_request, request);
		tl__sync_set_waiting(
			sync, db, peer.ptr && tl_key_parse(&db->access_peer, peer) == TL_OK);
	}
	tl__arena_free(&arena);
	return rc;
}

/* Of one that came to us and is no peer. */
static int load_client(tl__sync *sync, tl_str text, tl_str document)
{
	tl_key key;
	int rc = tl_key_parse(&key, text);

	return rc == TL_OK ? tl__client_load_metadata(sync, &key, document) : rc;
}

static int load_local(tl__sync *sync, tl_str key, tl_str value)
{
	tl_str rest = key;
	tl__peer *peer;

	if (tl__str_starts(key, TL__STR("sync/serve/"))) {
		tl__serve_loaded(sync, key, value);
		return TL_OK;
	}
	if (strip(&rest, "sync/peer/")) {
		peer = peer_of(sync, rest);
		return peer ? tl__peer_load_local(sync, peer, value) : TL_OK;
	}
	if (strip(&rest, "sync/metadata/")) {
		peer = peer_of(sync, rest);
		return peer ? tl__record_load_metadata(&peer->metadata, value)
			    : load_client(sync, rest, value);
	}
	if (strip(&rest, "sync/cursor/"))
		return load_of_pair(sync, rest, value, load_cursor);
	if (strip(&rest, "sync/options/"))
		return load_of_pair(sync, rest, value, tl__pair_options_load);
	if (strip(&rest, "sync/pair/"))
		return load_of_pair(sync, rest, value, load_pair);
	if (strip(&rest, "sync/pull/"))
		return load_of_pair(sync, rest, value, load_pull);
	if (strip(&rest, "sync/access/"))
		return load_access(sync, rest, value);
	if (strip(&rest, "sync/knock/"))
		return tl__knock_load(sync, rest, value);
	return TL_OK;
}

static int load_dbs(tl__sync *sync, const tl__work_load *load)
{
	for (size_t i = 0; i < load->db_count; i++) {
		tl__sync_db *db = tl__sync_db_for(sync, &load->dbs[i].id);

		if (!db)
			return TL_E_NOMEM;
		tl__db_arrived(sync, db, load->dbs[i].arrivals);
	}
	return TL_OK;
}

/* May be repeated: what is there already is not added again. */
static int take(tl__sync *sync, const tl__work_load *load)
{
	int rc = load_dbs(sync, load);

	if (rc == TL_OK)
		rc = load_records(sync, load);
	for (size_t i = 0; rc == TL_OK && i < load->local_count; i++)
		rc = complain(sync, "the local document", load->locals[i].key,
			load_local(sync, load->locals[i].key, load->locals[i].value));
	return rc;
}

/* It is tried again: nothing works without. */
static void failed(tl__sync *sync)
{
	tl__log_write(sync->log, TL_LOG_ERROR, "sync",
		"the state of earlier runs cannot be read, nothing is synchronised yet: %s",
		tl_error_message(tl_last_error()));
	sync->load_at = sync->now + AGAIN_MS;
}

static void loaded(void *ud, tl__work *work)
{
	tl__sync *sync = ud;
	int rc = tl__error_raise(work->error, work->code);

	if (rc == TL_OK) {
		sync->own_db = work->load.sync_db;
		rc = take(sync, &work->load);
	}
	tl__work_free(work);
	if (rc != TL_OK) {
		failed(sync);
		return;
	}
	sync->loaded = true;
	for (tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		tl__pair_changed(sync, pair);
		if (pair->attempts > 0)
			pair->next_attempt = sync->now;
	}
	tl__schedule_timers(sync);
}

void tl__sync_load(tl__sync *sync)
{
	tl__work *work = tl__sync_new_work(sync, TL__WORK_LOAD, NULL, loaded, 0);

	sync->load_at = UINT64_MAX;
	if (work)
		tl__sync_give_work(sync, work);
	else
		failed(sync);
}
