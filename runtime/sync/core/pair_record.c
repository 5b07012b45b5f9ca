/* A relation as it is stored: the list of peers in `_sync`, and local documents for the outbox and
 * the places in the peer's order. */
#include "sync/core/core.h"

#include <string.h>
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "wire/v1_header.h"

void tl__pair_save_relation(tl__sync *sync, const tl_id *id)
{
	tl__sync_db *db = tl__sync_find_db(sync, id);
	tl__work_record record = {.store = "trees", .path_len = 1, .text = TL__STR_NULL};
	tl__buf list = TL__BUF_INIT;
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	record.path[0] = tl__str_z(text);
	for (const tl__pair *pair = db ? db->pairs : NULL; pair; pair = pair->next_of_db) {
		if (!tl__pair_is_stored(pair))
			continue;
		tl__buf_text(&list, list.len > 0 ? "," : "[");
		tl__json_put_string(&list, tl__str_z(pair->peer->text));
	}
	if (list.len == 0) {
		tl__sync_put_record(sync, &record);
		return;
	}
	tl__buf_text(&list, "]");
	record.path_len = 2;
	record.path[1] = TL__STR("tree_id");
	record.text = record.path[0];
	tl__sync_put_record(sync, &record);
	record.path[1] = TL__STR("peer_pubkeys");
	record.text = tl__buf_view(&list);
	if (tl__buf_status(&list) == TL_OK)
		tl__sync_put_record(sync, &record);
	else
		tl__sync_put_lost(sync);
	tl__buf_free(&list);
}

void tl__pair_save(tl__sync *sync, tl__pair *pair)
{
	tl__sync_local_key key = tl__pair_key("sync/pair", pair->peer, &pair->db->id);
	tl__buf out = TL__BUF_INIT;
	bool any = false;

	tl__buf_format(&out,
		"{\"ack\":%llu,\"attempts\":%u,\"stalled\":%s,\"received\":%llu,\"sent\":%llu,",
		(unsigned long long)pair->ack, pair->attempts, pair->stalled ? "true" : "false",
		(unsigned long long)pair->received, (unsigned long long)pair->sent);
	/* What it was sent without a word counts again after a restart; else it is offered anew. */
	if (pair->untold)
		tl__buf_format(&out, "\"offered\":%llu,", (unsigned long long)pair->offered);
	tl__buf_text(&out, "\"error\":");
	if (pair->last_code != TL_OK)
		tl__json_put_string(&out, tl__str_z(pair->last_error));
	else
		tl__buf_text(&out, "null");
	tl__buf_format(&out, ",\"code\":%d,\"tags\":[", -pair->last_code);
	for (const tl__pair_tag *t = pair->tags; t; t = t->next) {
		if (t->set)
			continue;
		tl__buf_text(&out, any ? "," : "");
		tl__json_put_string(&out, tl__str_z(t->text));
		any = true;
	}
	tl__buf_text(&out, "]}");
	tl__sync_put_text(sync, tl__str_z(key.text), &out);
	pair->local_changed = false;
}

/* What the members of a pair document say, before it is believed. */
typedef struct pair_document {
	uint64_t ack, offered, received, sent;
	uint64_t left; /* when the relation went; 0: it is not said */
	uint32_t attempts, code;
	bool stalled, untold;
	tl_str error, *tags;
	size_t tag_count;
} pair_document;

static int read_pair(pair_document *out, tl_str document, tl__arena *arena)
{
	static const char *const names[] = {"ack", "attempts", "stalled", "received", "sent",
		"error", "code", "tags", "offered", "left"};
	tl__fields f;
	uint32_t seen = 0;
	size_t at;

	tl__fields_open(&f, document, arena, "pair document", TL_E_BAD_MESSAGE);
	tl__fields_enter(&f, TL__JSON_OBJECT);
	while (tl__fields_member(&f, names, 10, &seen, &at)) {
		switch (at) {
		case 0: tl__fields_u64(&f, &out->ack); break;
		case 1: tl__fields_u32(&f, &out->attempts); break;
		case 2: tl__fields_bool(&f, &out->stalled); break;
		case 3: tl__fields_u64(&f, &out->received); break;
		case 4: tl__fields_u64(&f, &out->sent); break;
		case 5: tl__fields_optional_text(&f, &out->error); break;
		case 6: tl__fields_u32(&f, &out->code); break;
		case 7: tl__fields_texts(&f, &out->tags, &out->tag_count, 1024, "tags"); break;
		case 8:
			tl__fields_u64(&f, &out->offered);
			out->untold = true;
			break;
		default: tl__fields_u64(&f, &out->left);
		}
	}
	return tl__fields_whole(&f);
}

/* `pair` has the tag "manual" from its record of `_sync`; the document knows better. */
int tl__pair_load_local(tl__sync *sync, tl__pair *pair, tl_str document)
{
	tl__arena arena = TL__ARENA_INIT;
	pair_document read = {0};
	int rc = read_pair(&read, document, &arena);
	bool manual = false;

	for (size_t i = 0; rc == TL_OK && i < read.tag_count; i++) {
		if (tl__str_eq(read.tags[i], TL__STR("manual")))
			manual = true;
		rc = tl__pair_relate(sync, pair->peer, &pair->db->id, read.tags[i], NULL);
	}
	if (rc == TL_OK) {
		if (read.tag_count > 0 && !manual)
			tl__pair_unrelate(sync, pair, TL__STR("manual"));
		/* A store that was rolled back has fewer arrivals than were acknowledged. */
		pair->ack = read.ack > pair->db->arrivals ? 0 : read.ack;
		pair->untold = read.untold;
		pair->offered = read.untold && read.offered > pair->ack &&
						read.offered <= pair->db->arrivals
					? read.offered
					: pair->ack;
		pair->attempts = read.attempts;
		pair->stalled = read.stalled;
		pair->received = read.received;
		pair->sent = read.sent;
		if (read.error.ptr) {
			pair->last_code = -(int)(read.code & 0xffff);
			tl__text_copy(pair->last_error, sizeof pair->last_error, read.error);
		}
		pair->local_changed = false;
	}
	tl__arena_free(&arena);
	return rc;
}

/* --- places in the peer's order --------------------------------------------------------------- */

void tl__pair_write_cursors(tl__buf *out, bool has_sure, const tl__v1_cursor *sure, bool has_seen,
	const tl__v1_cursor *seen, int64_t since)
{
	tl__v1_put_cursor(out, "{\"sure\":", has_sure, sure);
	tl__v1_put_cursor(out, ",\"seen\":", has_seen, seen);
	tl__buf_format(out, ",\"since\":%lld}", (long long)(since < 0 ? 0 : since));
}

void tl__pair_save_cursors(tl__sync *sync, tl__pair *pair)
{
	tl__sync_local_key key = tl__pair_key("sync/pull", pair->peer, &pair->db->id);
	tl__buf out = TL__BUF_INIT;

	tl__pair_write_cursors(
		&out, pair->has_sure, &pair->sure, pair->has_seen, &pair->seen, pair->sure_since);
	tl__sync_put_text(sync, tl__str_z(key.text), &out);
}

static bool hex_bytes(tl_str text, uint8_t *out, size_t len)
{
	if (text.len != 2 * len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
			    : c >= 'a' && c <= 'f' ? c - 'a' + 10
						   : -1;

		if (digit < 0)
			return false;
		out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
	}
	return true;
}

static int read_cursor(tl_str text, bool *has, tl__v1_cursor *out, tl__arena *arena)
{
	tl_str incarnation = TL__STR_NULL, c = TL__STR_NULL;
	const tl__field members[] = {{"incarnation", TL__FIELD_TEXT, &incarnation, true},
		{"n", TL__FIELD_U64, &out->n, true}, {"c", TL__FIELD_TEXT, &c, true}};
	int rc;

	*has = false;
	if (tl__str_eq(text, TL__STR("null")))
		return TL_OK;
	rc = TL__FIELDS_READ(text, arena, "cursor", TL_E_BAD_MESSAGE, members);
	if (rc != TL_OK)
		return rc;
	if (!hex_bytes(incarnation, out->incarnation, sizeof out->incarnation) ||
		!hex_bytes(c, out->c, sizeof out->c))
		return tl__fail(TL_E_BAD_MESSAGE, "a stored cursor is no cursor");
	*has = true;
	return TL_OK;
}

int tl__pair_load_cursors(tl__pair *pair, tl_str document)
{
	tl__arena arena = TL__ARENA_INIT;
	tl_str sure = TL__STR("null"), seen = TL__STR("null");
	uint64_t since = 0;
	const tl__field members[] = {{"sure", TL__FIELD_VERBATIM, &sure, false},
		{"seen", TL__FIELD_VERBATIM, &seen, false},
		{"since", TL__FIELD_U64, &since, false}};
	int rc = TL__FIELDS_READ(document, &arena, "cursor document", TL_E_BAD_MESSAGE, members);

	if (rc == TL_OK)
		rc = read_cursor(sure, &pair->has_sure, &pair->sure, &arena);
	if (rc == TL_OK)
		rc = read_cursor(seen, &pair->has_seen, &pair->seen, &arena);
	pair->sure_since = since <= INT64_MAX ? (int64_t)since : 0;
	if (rc != TL_OK)
		pair->has_sure = pair->has_seen = false;
	/* Policy, rules and room may be others than those of the last process. */
	pair->from_sure = pair->has_seen && !tl__pair_is_sure(pair);
	tl__arena_free(&arena);
	return rc;
}

/* --- relations of sets that are gone ---------------------------------------------------------- */

#define DAY_MS (INT64_C(24) * 3600 * 1000)

void tl__pair_forget_places(tl__sync *sync, const tl__peer *peer, const tl_id *db)
{
	static const char *const kinds[] = {"sync/pair", "sync/pull", "sync/cursor"};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		tl__sync_local_key key = tl__pair_key(kinds[i], peer, db);

		tl__sync_put_local(sync, tl__str_z(key.text), TL__STR_NULL);
	}
}

static tl__rest *find_rest(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair_name name = tl__pair_name_of(peer, db);

	return tl__map_get(&sync->rests, tl__pair_name_str(&name));
}

bool tl__rests_hold(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	return find_rest(sync, peer, db) != NULL;
}

static void drop_rest(tl__sync *sync, tl__rest *rest)
{
	tl__pair_name name = tl__pair_name_of(&rest->peer, &rest->db);

	tl__map_remove(&sync->rests, tl__pair_name_str(&name));
	tl__free(rest);
}

static bool is_over(const tl__sync *sync, const tl__rest *rest)
{
	return sync->wall - rest->since > TL__SYNC_REST_DAYS * DAY_MS;
}

static void forget_rest(tl__sync *sync, tl__rest *rest)
{
	const tl__peer *peer = tl__sync_find_peer(sync, &rest->peer);

	if (peer)
		tl__pair_forget_places(sync, peer, &rest->db);
	drop_rest(sync, rest);
}

void tl__rests_forget_old(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *rest;

	while (tl__map_next(&sync->rests, &at, &key, &rest))
		if (is_over(sync, rest))
			forget_rest(sync, rest);
}

static tl__rest *new_rest(tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair_name name = tl__pair_name_of(peer, db);
	tl__rest *rest = NULL;

	if (sync->rests.count < TL__SYNC_MAX_RESTS)
		rest = tl__alloc_zero(1, sizeof *rest);
	if (!rest || tl__map_set(&sync->rests, tl__pair_name_str(&name), rest) != TL_OK) {
		tl__free(rest);
		return NULL;
	}
	rest->peer = *peer;
	rest->db = *db;
	return rest;
}

static void save_rest(tl__sync *sync, tl__rest *rest)
{
	const tl__peer *peer = tl__sync_find_peer(sync, &rest->peer);
	tl__buf out = TL__BUF_INIT;
	tl__sync_local_key key;

	if (!peer)
		return;
	key = tl__pair_key("sync/pair", peer, &rest->db);
	tl__buf_format(&out, "{\"ack\":%llu,\"tags\":[],\"left\":%lld}",
		(unsigned long long)rest->ack, (long long)rest->since);
	tl__sync_put_text(sync, tl__str_z(key.text), &out);
	rest->saved = true;
}

bool tl__rest_begin(tl__sync *sync, const tl__pair *pair)
{
	tl__rest *rest = new_rest(sync, &pair->peer->key, &pair->db->id);

	if (!rest)
		return false;
	rest->ack = pair->ack;
	rest->has_sure = pair->has_sure;
	rest->sure = pair->sure;
	rest->has_seen = pair->has_seen;
	rest->seen = pair->seen;
	rest->since = tl__sync_time(sync);
	save_rest(sync, rest);
	return true;
}

void tl__rest_over(tl__sync *sync, tl__pair *pair)
{
	tl__rest *rest = find_rest(sync, &pair->peer->key, &pair->db->id);

	if (!rest)
		return;
	pair->ack = pair->offered = rest->ack > pair->db->arrivals ? 0 : rest->ack;
	pair->has_sure = rest->has_sure;
	pair->sure = rest->sure;
	pair->has_seen = rest->has_seen;
	pair->seen = rest->seen;
	pair->from_sure = pair->has_seen && !tl__pair_is_sure(pair);
	pair->local_changed = pair->local_changed || rest->saved;
	drop_rest(sync, rest);
}

int tl__rest_load(tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str document)
{
	tl__arena arena = TL__ARENA_INIT;
	pair_document read = {0};
	tl__rest *rest = find_rest(sync, peer, db);
	int rc = read_pair(&read, document, &arena);

	tl__arena_free(&arena);
	if (rc != TL_OK || !tl__sync_find_peer(sync, peer))
		return rc;
	if (!rest)
		rest = new_rest(sync, peer, db);
	if (!rest)
		return TL_OK; /* then it begins at the start */
	rest->ack = read.ack;
	rest->saved = read.left > 0;
	rest->since =
		rest->saved && read.left <= INT64_MAX ? (int64_t)read.left : tl__sync_time(sync);
	if (is_over(sync, rest))
		forget_rest(sync, rest);
	return TL_OK;
}

int tl__rest_load_cursors(tl__sync *sync, const tl_key *peer, const tl_id *db, tl_str document)
{
	tl__rest *rest = find_rest(sync, peer, db);
	tl__pair read = {0};
	int rc = rest ? tl__pair_load_cursors(&read, document) : TL_OK;

	if (!rest || rc != TL_OK)
		return rc;
	rest->has_sure = read.has_sure;
	rest->sure = read.sure;
	rest->has_seen = read.has_seen;
	rest->seen = read.seen;
	return TL_OK;
}

void tl__rests_forget(tl__sync *sync, const tl__peer *peer)
{
	size_t at = 0;
	tl_str key;
	void *value;

	while (tl__map_next(&sync->rests, &at, &key, &value)) {
		tl__rest *rest = value;

		if (tl__key_equal(&rest->peer, &peer->key))
			forget_rest(sync, rest);
	}
}

/* One that went with its process does not know when. */
void tl__rests_save(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *rest;

	while (tl__map_next(&sync->rests, &at, &key, &rest))
		if (!((tl__rest *)rest)->saved)
			save_rest(sync, rest);
}

void tl__rests_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *rest;

	while (tl__map_next(&sync->rests, &at, &key, &rest))
		tl__free(rest);
	tl__map_free(&sync->rests);
}
