/* What there is to see: JSON for the application. */
#include "sync/out/outbound.h"
#include "sync/in/serve.h"

#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

/* --- peers ------------------------------------------------------------------------------------ */

static void put_addresses(tl__buf *out, const tl__peer *peer)
{
	char text[530];

	tl__buf_text(out, "\"addresses\":[");
	for (size_t i = 0; i < peer->address_count; i++) {
		const tl__peer_address *at = &peer->addresses[i];

		tl_address_format(&at->address, text);
		tl__buf_text(out, i > 0 ? ",{\"address\":" : "{\"address\":");
		tl__json_put_string(out, tl__str_z(text));
		tl__buf_format(out, ",\"proven\":%s,", at->proven ? "true" : "false");
		tl__put_text(out, "last_error", at->last_error);
		tl__buf_text(out, "}");
	}
	tl__buf_text(out, "],");
}

static void put_state(tl__buf *out, const tl__peer *peer)
{
	static const char *const names[] = {"disconnected", "connecting", "connected", "failed"};

	tl__put_text(out, "connection_state", names[peer->state]);
}

static void put_peer(tl__buf *out, const tl__sync *sync, const tl__peer *peer)
{
	tl__buf_text(out, "{");
	tl__put_text(out, "pubkey", peer->text);
	tl__buf_text(out, ",");
	tl__put_text(out, "display_name", peer->name);
	tl__buf_text(out, ",");
	tl__put_text(out, "said_name", peer->said_name);
	tl__buf_text(out, ",");
	tl__put_time(out, "first_seen", peer->first_seen);
	tl__buf_text(out, ",");
	tl__put_time(out, "last_seen", peer->last_seen);
	tl__buf_text(out, ",");
	tl__put_text(out, "status", tl__peer_status_name(peer->status));
	tl__buf_text(out, ",");
	put_addresses(out, peer);
	put_state(out, peer);
	tl__buf_text(out, ",");
	tl__put_time(out, "last_successful_sync", peer->last_success);
	tl__buf_format(out, ",\"connection_attempts\":%u,\"fruitless\":%u,", peer->attempts,
		peer->fruitless);
	tl__put_text(out, "last_error", peer->attempts > 0 ? peer->last_error : NULL);
	tl__buf_text(out, ",");
	tl__put_text(out, "protocol", tl__peer_protocol_name(peer->protocol));
	tl__buf_format(out, ",\"watches\":%u,\"inbound\":", tl__watches_held(peer));
	if (!tl__sync_put_client(sync, &peer->key, out))
		tl__buf_text(out, "null");
	tl__buf_text(out, "}");
}

static int not_found(void)
{
	return tl__fail(
		TL_E_PEER_NOT_FOUND, "no such peer is known; connect to it or register it first");
}

/* One that came to us and was never registered. */
static bool put_stranger(tl__buf *out, const tl__sync *sync, const tl_key *key)
{
	char text[TL_KEY_TEXT_LEN + 1];
	tl__buf client = TL__BUF_INIT;
	bool came = tl__sync_put_client(sync, key, &client);

	tl_key_format(key, text);
	if (came) {
		tl__buf_format(out, "{\"pubkey\":\"%s\",\"addresses\":[],\"inbound\":", text);
		tl__buf_str(out, tl__buf_view(&client));
		tl__buf_text(out, "}");
	}
	out->failed = out->failed || client.failed;
	tl__buf_free(&client);
	return came;
}

int tl__sync_peer_info(const tl__sync *sync, const tl_key *key, tl__buf *out)
{
	const tl__peer *peer = tl__sync_find_peer(sync, key);

	if (peer)
		put_peer(out, sync, peer);
	else if (!put_stranger(out, sync, key))
		return not_found();
	return tl__buf_status(out);
}

int tl__sync_peer_addresses(
	const tl__sync *sync, const tl_key *key, const char *type, tl_address_visit visit, void *ud)
{
	const tl__peer *peer = tl__sync_find_peer(sync, key);
	int rc = TL_OK;

	if (!peer)
		return not_found();
	for (size_t i = 0; rc == TL_OK && i < peer->address_count; i++)
		if (!type || strcmp(peer->addresses[i].address.type, type) == 0)
			rc = visit(ud, &peer->addresses[i].address);
	return rc;
}

/* --- lists of texts, ascending ---------------------------------------------------------------- */

typedef struct text_list {
	const char **texts;
	char (*ids)[TL_ID_TEXT_LEN + 1];
	size_t count;
} text_list;

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_list(tl__buf *out, text_list *list)
{
	if (!list->texts) {
		out->failed = true;
	} else {
		qsort(list->texts, list->count, sizeof *list->texts, compare_texts);
		tl__buf_text(out, "[");
		for (size_t i = 0; i < list->count; i++) {
			tl__buf_text(out, i > 0 ? "," : "");
			tl__json_put_string(out, tl__str_z(list->texts[i]));
		}
		tl__buf_text(out, "]");
	}
	tl__free(list->texts);
	tl__free(list->ids);
}

static text_list new_list(size_t most)
{
	text_list list = {0};

	list.texts = tl__alloc_zero(most + 1, sizeof *list.texts);
	return list;
}

static void list_peers(const tl__sync *sync, bool with_state, tl__buf *out)
{
	text_list list = new_list(sync->peer_map.count + TL__SYNC_MAX_CLIENTS);

	for (const tl__peer *peer = sync->peers; list.texts && peer; peer = peer->next)
		if (!with_state || peer->metadata.has)
			list.texts[list.count++] = peer->text;
	if (list.texts && with_state)
		list.count += tl__client_texts_with_state(
			sync, list.texts + list.count, TL__SYNC_MAX_CLIENTS);
	put_list(out, &list);
}

void tl__sync_list_peers(const tl__sync *sync, tl__buf *out)
{
	list_peers(sync, false, out);
}

typedef struct listed {
	const tl__peer *peer;
} listed;

static int compare_peers(const void *a, const void *b)
{
	return strcmp(((const listed *)a)->peer->text, ((const listed *)b)->peer->text);
}

void tl__sync_peer_infos(const tl__sync *sync, tl__buf *out)
{
	listed *all = tl__alloc_zero(sync->peer_map.count + 1, sizeof *all);
	size_t count = 0;

	out->failed = out->failed || !all;
	for (const tl__peer *peer = sync->peers; all && peer; peer = peer->next)
		all[count++].peer = peer;
	if (count > 0)
		qsort(all, count, sizeof *all, compare_peers);
	tl__buf_text(out, "[");
	for (size_t i = 0; i < count; i++) {
		tl__buf_text(out, i > 0 ? "," : "");
		put_peer(out, sync, all[i].peer);
	}
	tl__buf_text(out, "]");
	tl__free(all);
}

void tl__sync_list_inbound(const tl__sync *sync, tl__buf *out)
{
	text_list list = new_list(TL__SYNC_MAX_CLIENTS);

	if (list.texts)
		list.count = tl__sync_client_texts(sync, list.texts, TL__SYNC_MAX_CLIENTS);
	put_list(out, &list);
}

void tl__sync_peers_with_state(const tl__sync *sync, tl__buf *out)
{
	list_peers(sync, true, out);
}

int tl__sync_peer_trees(const tl__sync *sync, const tl_key *key, tl__buf *out)
{
	const tl__peer *peer = tl__sync_find_peer(sync, key);
	text_list list;

	if (!peer)
		return not_found();
	list = new_list(sync->pair_count);
	list.ids = tl__alloc_zero(sync->pair_count + 1, sizeof *list.ids);
	for (const tl__pair *pair = peer->pairs; list.texts && list.ids && pair;
		pair = pair->next_of_peer) {
		tl_id_format(&pair->db->id, list.ids[list.count]);
		list.texts[list.count] = list.ids[list.count];
		list.count++;
	}
	put_list(out, &list);
	return tl__buf_status(out);
}

void tl__sync_tree_peers(const tl__sync *sync, const tl_id *id, tl__buf *out)
{
	const tl__sync_db *db = tl__sync_find_db(sync, id);
	text_list list = new_list(sync->pair_count);

	for (const tl__pair *pair = db ? db->pairs : NULL; list.texts && pair;
		pair = pair->next_of_db)
		list.texts[list.count++] = pair->peer->text;
	put_list(out, &list);
}

bool tl__sync_is_related(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	return tl__sync_find_pair(sync, peer, db) != NULL;
}

bool tl__sync_own_db(const tl__sync *sync, tl_id *out)
{
	*out = sync->own_db;
	return sync->loaded;
}

/* --- pairs ------------------------------------------------------------------------------------ */

static const char *pair_state(const tl__sync *sync, const tl__pair *pair, uint64_t now)
{
	if (pair->peer->status != TL__PEER_ACTIVE)
		return tl__peer_status_name(pair->peer->status);
	if (pair->session)
		return "syncing";
	if (pair->attempts > 0 && tl__sync_is_refusal(pair->last_code))
		return "refused";
	if (pair->peer->address_count == 0 && pair->held == 0)
		return "no_address";
	if (!tl__peer_has_way(sync, pair->peer) && pair->held == 0)
		return "no_transport";
	if (tl__pair_rests(pair))
		return "paused";
	if (pair->stalled)
		return "stalled";
	if (pair->attempts > 0 || tl__pair_waits_until(pair) > now)
		return "waiting";
	return tl__pair_dirty(pair) || pair->wanted ? "due" : "idle";
}

static void put_pair(tl__buf *out, const tl__sync *sync, const tl__pair *pair, uint64_t now)
{
	uint64_t until = pair->attempts > 0 ? pair->next_attempt : 0;
	bool waiting;
	char id[TL_ID_TEXT_LEN + 1];

	if (until < tl__pair_waits_until(pair))
		until = tl__pair_waits_until(pair);
	waiting = (pair->attempts > 0 || until > now) && !pair->stalled && !pair->session;
	tl_id_format(&pair->db->id, id);
	tl__buf_text(out, "{");
	tl__put_text(out, "peer", pair->peer->text);
	tl__buf_text(out, ",");
	tl__put_text(out, "db", id);
	tl__buf_text(out, ",");
	tl__put_text(out, "state", pair_state(sync, pair, now));
	tl__buf_format(out, ",\"dirty\":%s,\"attempts\":%u,\"next_attempt_ms\":",
		tl__pair_dirty(pair) ? "true" : "false", pair->attempts);
	if (waiting)
		tl__buf_format(out, "%llu", (unsigned long long)(until > now ? until - now : 0));
	else
		tl__buf_text(out, "null");
	tl__buf_text(out, ",");
	tl__put_text(out, "last_error", pair->last_code != TL_OK ? pair->last_error : NULL);
	tl__buf_text(out, ",");
	tl__put_text(
		out, "last_code", pair->last_code != TL_OK ? tl_error_name(pair->last_code) : NULL);
	tl__buf_format(out,
		",\"acknowledged\":%llu,\"arrivals\":%llu,\"received\":%llu,\"sent\":%llu,"
		"\"to_send\":%llu,\"watched\":%s,\"watches_us\":%s,\"progress\":",
		(unsigned long long)pair->ack, (unsigned long long)pair->db->arrivals,
		(unsigned long long)pair->received, (unsigned long long)pair->sent,
		(unsigned long long)tl__pair_to_send(pair), pair->watched ? "true" : "false",
		pair->held > 0 ? "true" : "false");
	tl__pair_put_progress(out, pair);
	tl__buf_text(out, ",\"options\":");
	tl__pair_put_options(sync, pair, out);
	tl__buf_text(out, ",\"tags\":[");
	for (const tl__pair_tag *tag = pair->tags; tag; tag = tag->next) {
		tl__json_put_string(out, tl__str_z(tag->text));
		tl__buf_text(out, tag->next ? "," : "");
	}
	tl__buf_text(out, "]}");
}

void tl__sync_status(const tl__sync *sync, uint64_t now_mono_ms, tl__buf *out)
{
	tl__buf_text(out, "\"peers\":[");
	for (const tl__peer *peer = sync->peers; peer; peer = peer->next) {
		put_peer(out, sync, peer);
		tl__buf_text(out, peer->next ? "," : "");
	}
	tl__buf_text(out, "],\"pairs\":[");
	for (const tl__pair *pair = sync->pairs; pair; pair = pair->next) {
		put_pair(out, sync, pair, now_mono_ms);
		tl__buf_text(out, pair->next ? "," : "");
	}
	tl__buf_text(out, "],\"refusals\":");
	tl__sync_put_refusals(sync, out);
	tl__buf_text(out, ",\"inbound\":");
	tl__sync_put_clients(sync, out);
}
