/* Databases and relations: one pair for each database that is kept in step with a peer. */
#include "sync/core/core.h"

#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"

#define PAIR_KEY_BYTES (TL_KEY_BYTES + TL_ID_BYTES)

static void pair_key(const tl_key *peer, const tl_id *db, char out[PAIR_KEY_BYTES])
{
	memcpy(out, peer->b, TL_KEY_BYTES);
	memcpy(out + TL_KEY_BYTES, db->b, TL_ID_BYTES);
}

tl__sync_local_key tl__peer_local_key(const char *kind, const tl__peer *peer)
{
	tl__sync_local_key out;

	snprintf(out.text, sizeof out.text, "%s/%s", kind, peer->text);
	return out;
}

tl__sync_local_key tl__pair_key(const char *kind, const tl__peer *peer, const tl_id *db)
{
	tl__sync_local_key out;
	char id[TL_ID_TEXT_LEN + 1];

	tl_id_format(db, id);
	snprintf(out.text, sizeof out.text, "%s/%s/%s", kind, peer->text, id);
	return out;
}

/* --- databases -------------------------------------------------------------------------------- */

tl__sync_db *tl__sync_find_db(const tl__sync *sync, const tl_id *id)
{
	return tl__map_get(&sync->db_map, tl__map_key_id(id));
}

tl__sync_db *tl__sync_db_for(tl__sync *sync, const tl_id *id)
{
	tl__sync_db *db = tl__sync_find_db(sync, id);

	if (db)
		return db;
	db = tl__alloc_zero(1, sizeof *db);
	if (!db || tl__map_set(&sync->db_map, tl__map_key_id(id), db) != TL_OK) {
		tl__free(db);
		return NULL;
	}
	db->id = *id;
	if (sync->last_db)
		sync->last_db->next = db;
	else
		sync->dbs = db;
	sync->last_db = db;
	return db;
}

/* --- relations -------------------------------------------------------------------------------- */

tl__pair *tl__sync_find_pair(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	char key[PAIR_KEY_BYTES];

	pair_key(peer, db, key);
	return tl__map_get(&sync->pair_map, (tl_str){key, sizeof key});
}

tl__pair *tl__sync_change_pair(tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_find_pair(sync, peer, db);

	if (pair)
		tl__pair_changed(sync, pair);
	return pair;
}

tl__pair *tl__sync_related(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_find_pair(sync, peer, db);

	return pair && pair->peer->status == TL__PEER_ACTIVE ? pair : NULL;
}

bool tl__pair_has_tag(const tl__pair *pair, tl_str tag)
{
	for (const tl__pair_tag *t = pair->tags; t; t = t->next)
		if (tl__str_eq(tag, tl__str_z(t->text)))
			return true;
	return false;
}

tl__pair *tl__sync_gives(const tl__sync *sync, const tl_key *peer, const tl_id *db)
{
	tl__pair *pair = tl__sync_related(sync, peer, db);

	return pair && !pair->pull_only ? pair : NULL;
}

static void judge_direction(tl__pair *pair)
{
	pair->pull_only =
		pair->tags && !pair->tags->next && tl__pair_has_tag(pair, TL__STR("delegated"));
}

static int add_tag(tl__pair *pair, tl_str tag)
{
	tl__pair_tag *t, **end = &pair->tags;

	if (tl__pair_has_tag(pair, tag))
		return TL_OK;
	t = tl__alloc_zero(1, sizeof *t);
	if (!t)
		return TL_E_NOMEM;
	t->text = tl__copy_bytes(tag.ptr, tag.len);
	if (!t->text) {
		tl__free(t);
		return TL_E_NOMEM;
	}
	while (*end)
		end = &(*end)->next;
	*end = t;
	judge_direction(pair);
	return TL_OK;
}

void tl__pair_free(tl__pair *pair)
{
	while (pair->tags) {
		tl__pair_tag *t = pair->tags;

		pair->tags = t->next;
		tl__free(t->text);
		tl__free(t);
	}
	tl__map_free(&pair->left.ids);
	tl__free(pair);
}

static int enlist(tl__sync *sync, tl__pair *pair)
{
	char key[PAIR_KEY_BYTES];
	tl__pair **end;

	pair_key(&pair->peer->key, &pair->db->id, key);
	if (tl__pair_expect(sync, pair) != TL_OK)
		return TL_E_NOMEM;
	if (tl__map_set(&sync->pair_map, (tl_str){key, sizeof key}, pair) != TL_OK) {
		tl__pair_unlist(sync, pair);
		return TL_E_NOMEM;
	}
	end = pair->peer->last_pair ? &pair->peer->last_pair->next_of_peer : &pair->peer->pairs;
	*end = pair->peer->last_pair = pair;
	end = pair->db->last_pair ? &pair->db->last_pair->next_of_db : &pair->db->pairs;
	*end = pair->db->last_pair = pair;
	if (sync->last_pair)
		sync->last_pair->next = pair;
	else
		sync->pairs = pair;
	sync->last_pair = pair;
	sync->pair_count++;
	return TL_OK;
}

int tl__pair_relate(tl__sync *sync, tl__peer *peer, const tl_id *id, tl_str tag, tl__pair **out)
{
	tl__pair *pair = tl__sync_find_pair(sync, &peer->key, id);
	tl__sync_db *db;
	int rc;

	if (peer->removed)
		return tl__fail(TL_E_PEER_NOT_FOUND, "the peer was removed meanwhile");
	if (pair) {
		if (out)
			*out = pair;
		if (tl__pair_has_tag(pair, tag))
			return TL_OK;
		tl__pair_changed(sync, pair);
		pair->local_changed = true;
		pair->offered = pair->ack;
		pair->from_sure = pair->wanted = true;
		return add_tag(pair, tag);
	}
	db = tl__sync_db_for(sync, id);
	pair = db ? tl__alloc_zero(1, sizeof *pair) : NULL;
	if (!pair)
		return TL_E_NOMEM;
	tl__map_init(&pair->left.ids);
	pair->peer = peer;
	pair->db = db;
	pair->wanted = true;
	pair->local_changed = true;
	rc = add_tag(pair, tag);
	if (rc == TL_OK)
		rc = enlist(sync, pair);
	if (rc != TL_OK) {
		tl__pair_free(pair);
		return rc;
	}
	tl__pair_changed(sync, pair);
	sync->in->rights_changed(sync, &peer->key); /* it comes again with others */
	if (out)
		*out = pair;
	return TL_OK;
}

static void unlink_of_peer(tl__pair *pair)
{
	tl__peer *peer = pair->peer;
	tl__pair *before = NULL;

	for (tl__pair *p = peer->pairs; p != pair; p = p->next_of_peer)
		before = p;
	*(before ? &before->next_of_peer : &peer->pairs) = pair->next_of_peer;
	if (peer->last_pair == pair)
		peer->last_pair = before;
}

static void unlink_of_db(tl__pair *pair)
{
	tl__sync_db *db = pair->db;
	tl__pair *before = NULL;

	for (tl__pair *p = db->pairs; p != pair; p = p->next_of_db)
		before = p;
	*(before ? &before->next_of_db : &db->pairs) = pair->next_of_db;
	if (db->last_pair == pair)
		db->last_pair = before;
}

static void unlink_pair(tl__sync *sync, tl__pair *pair)
{
	char key[PAIR_KEY_BYTES];
	tl__pair *before = NULL;

	pair_key(&pair->peer->key, &pair->db->id, key);
	tl__map_remove(&sync->pair_map, (tl_str){key, sizeof key});
	tl__pair_unlist(sync, pair);
	unlink_of_peer(pair);
	unlink_of_db(pair);
	for (tl__pair *p = sync->pairs; p != pair; p = p->next)
		before = p;
	if (before)
		before->next = pair->next;
	else
		sync->pairs = pair->next;
	if (sync->last_pair == pair)
		sync->last_pair = before;
	sync->pair_count--;
}

static void remove_tag(tl__pair *pair, tl_str tag)
{
	tl__pair_tag **at = &pair->tags;

	while (*at) {
		tl__pair_tag *t = *at;

		if (tag.ptr && !tl__str_eq(tag, tl__str_z(t->text))) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		tl__free(t->text);
		tl__free(t);
	}
	judge_direction(pair);
}

void tl__pair_unrelate(tl__sync *sync, tl__pair *pair, tl_str tag)
{
	static const char *const kinds[] = {"sync/pair", "sync/pull", "sync/cursor"};

	remove_tag(pair, tag);
	tl__pair_changed(sync, pair);
	pair->local_changed = true;
	pair->offered = pair->ack;
	pair->from_sure = true;
	if (pair->tags)
		return;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		tl__sync_local_key key = tl__pair_key(kinds[i], pair->peer, &pair->db->id);

		tl__sync_put_local(sync, tl__str_z(key.text), TL__STR_NULL);
	}
	sync->in->rights_changed(sync, &pair->peer->key);
	sync->out->pair_goes(sync, pair);
	unlink_pair(sync, pair);
	tl__pair_free(pair);
}

/* --- what happens to it ----------------------------------------------------------------------- */

bool tl__pair_dirty(const tl__pair *pair)
{
	uint64_t told = pair->offered > pair->ack ? pair->offered : pair->ack;

	return !pair->pull_only && pair->db->arrivals > told;
}

bool tl__pair_is_sure(const tl__pair *pair)
{
	const tl__v1_cursor *a = &pair->sure, *b = &pair->seen;

	return pair->has_sure && pair->has_seen && a->n == b->n &&
	       memcmp(a->c, b->c, sizeof a->c) == 0 &&
	       memcmp(a->incarnation, b->incarnation, sizeof a->incarnation) == 0;
}

void tl__pair_acknowledge(tl__sync *sync, tl__pair *pair, uint64_t upto)
{
	uint64_t before;

	if (!pair)
		return;
	tl__pair_changed(sync, pair);
	before = pair->ack;
	if (upto > pair->ack)
		pair->ack = upto;
	pair->ack = tl__came_after(&pair->came, pair->ack);
	if (pair->offered < pair->ack)
		pair->offered = pair->ack;
	if (pair->ack != before)
		pair->local_changed = true;
}

void tl__pair_restart(tl__sync *sync, tl__pair *pair)
{
	if (!pair)
		return;
	tl__pair_changed(sync, pair);
	pair->ack = pair->offered = 0;
	pair->came.count = 0;
	pair->level = false;
	pair->local_changed = true;
}

uint64_t tl__pair_waits_until(const tl__pair *pair)
{
	uint64_t told = pair->peer->wait_until > pair->wait_until ? pair->peer->wait_until
								  : pair->wait_until;

	return told > pair->useless_until ? told : pair->useless_until;
}

bool tl__sync_is_refusal(int code)
{
	return code == TL_E_NOT_AVAILABLE || code == TL_E_NOT_PERMITTED || code == TL_E_DECLINED ||
	       code == TL_E_REFUSED || code == TL_E_PEER_BLOCKED || code == TL_E_V0_KEY ||
	       code == TL_E_CLEARTEXT_REFUSED;
}
