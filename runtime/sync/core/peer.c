#include "sync/core/core.h"

#include <string.h>
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"

static const char *const status_names[] = {"active", "inactive", "blocked"};

tl__peer *tl__peer_new(const tl_key *key, tl_str name)
{
	tl__peer *peer = tl__alloc_zero(1, sizeof *peer);

	if (!peer)
		return NULL;
	peer->key = *key;
	tl_key_format(key, peer->text);
	peer->max_body_bytes = TL__V1_MAX_BODY_BYTES;
	peer->max_page_entries = TL__V1_MAX_PAGE_ENTRIES;
	if (name.ptr && tl__peer_set_name(peer, name) != TL_OK) {
		tl__peer_free(peer);
		return NULL;
	}
	return peer;
}

void tl__peer_free(tl__peer *peer)
{
	if (!peer)
		return;
	tl__free(peer->name);
	tl__free(peer->said_name);
	tl__free(peer->addresses);
	tl__free(peer);
}

static char *copy_name(tl_str name)
{
	char text[TL__V1_MAX_TEXT + 1];
	size_t len = name.len;

	if (len > TL__V1_MAX_TEXT)
		for (len = TL__V1_MAX_TEXT; len > 0 && (name.ptr[len] & 0xc0) == 0x80;)
			len--; /* whole characters */
	name.len = len;
	if (!memchr(name.ptr, 0, name.len) && tl__utf8_valid(name))
		return tl__copy_bytes(name.ptr, name.len);
	tl_text_escape(name, text, sizeof text);
	return tl__copy_bytes(text, strlen(text));
}

int tl__name_set(char **to, tl_str name)
{
	char *copy = NULL;

	if (name.len > 0) {
		copy = copy_name(name);
		if (!copy)
			return TL_E_NOMEM;
	}
	tl__free(*to);
	*to = copy;
	return TL_OK;
}

int tl__peer_set_name(tl__peer *peer, tl_str name)
{
	return tl__name_set(&peer->name, name);
}

int tl__peer_set_said_name(tl__peer *peer, tl_str name)
{
	return tl__name_set(&peer->said_name, name);
}

static tl_str map_key(const tl_key *key)
{
	return (tl_str){(const char *)key->b, TL_KEY_BYTES};
}

tl__peer *tl__sync_find_peer(const tl__sync *sync, const tl_key *key)
{
	return tl__map_get(&sync->peer_map, map_key(key));
}

int tl__peer_enlist(tl__sync *sync, tl__peer *peer)
{
	if (tl__peer_expect(sync, peer) != TL_OK)
		return TL_E_NOMEM;
	if (tl__map_set(&sync->peer_map, map_key(&peer->key), peer) != TL_OK) {
		tl__peer_unlist(sync, peer);
		return TL_E_NOMEM;
	}
	tl__peer_changed(sync, peer);
	if (sync->last_peer)
		sync->last_peer->next = peer;
	else
		sync->peers = peer;
	sync->last_peer = peer;
	if (peer->first_seen == 0 && sync->loaded) /* else nobody knows any more */
		peer->first_seen = sync->wall;
	tl__client_joins(sync, peer);
	if (sync->loaded)
		tl__sync_tell(sync, TL_EVENT_PEER_CHANGED, &peer->key, NULL, 0, NULL);
	return TL_OK;
}

void tl__peer_remove(tl__sync *sync, tl__peer *peer)
{
	tl__peer *before = NULL;

	while (peer->pairs)
		tl__pair_unrelate(sync, peer->pairs, TL__STR_NULL);
	tl__rests_forget(sync, peer);
	tl__pair_options_forget(sync, peer);
	tl__map_remove(&sync->peer_map, map_key(&peer->key));
	for (tl__peer *p = sync->peers; p && p != peer; p = p->next)
		before = p;
	if (before)
		before->next = peer->next;
	else
		sync->peers = peer->next;
	if (sync->last_peer == peer)
		sync->last_peer = before;
	peer->next = NULL;
	peer->removed = true;
	tl__peer_unlist(sync, peer);
	sync->in->peer_left(sync, &peer->key);
	tl__sync_tell(sync, TL_EVENT_PEER_CHANGED, &peer->key, NULL, 0, NULL);
	tl__peer_release(sync, peer);
}

void tl__peer_release(tl__sync *sync, tl__peer *peer)
{
	(void)sync;
	if (peer->removed && peer->exchanges == 0)
		tl__peer_free(peer);
}

const char *tl__peer_status_name(tl__peer_status status)
{
	return status_names[status];
}

bool tl__peer_status_parse(tl__peer_status *out, tl_str name)
{
	for (size_t i = 0; i < sizeof status_names / sizeof *status_names; i++)
		if (tl__str_eq(name, tl__str_z(status_names[i]))) {
			*out = (tl__peer_status)i;
			return true;
		}
	return false;
}

const char *tl__peer_protocol_name(tl__peer_protocol protocol)
{
	static const char *const names[] = {NULL, "v0", "v1"};

	return names[protocol];
}

/* --- addresses -------------------------------------------------------------------------------- */

int tl__peer_address_at(const tl__peer *peer, const tl_address *address)
{
	for (size_t i = 0; i < peer->address_count; i++)
		if (strcmp(peer->addresses[i].address.type, address->type) == 0 &&
			strcmp(peer->addresses[i].address.text, address->text) == 0)
			return (int)i;
	return -1;
}

/* One KiB each, and most peers have one or two: no room for more is held. NULL: out of memory. */
static tl__peer_address *append(tl__peer *peer, const tl_address *address)
{
	size_t count = peer->address_count;
	tl__peer_address *bigger = tl__resize(peer->addresses, count + 1, sizeof *bigger);

	if (!bigger)
		return NULL;
	peer->addresses = bigger;
	peer->address_count++;
	bigger[count] = (tl__peer_address){.address = *address, .number = ++peer->address_numbers};
	return &bigger[count];
}

/* The last learnt one goes, whether proven or not: the next hello tells it again. */
static void make_room(tl__peer *peer)
{
	size_t i = peer->address_count;

	if (i < TL__SYNC_MAX_ADDRESSES)
		return;
	while (i > 0 && !peer->addresses[i - 1].learnt)
		i--;
	if (i > 0)
		tl__peer_drop_address(peer, i - 1);
}

int tl__peer_add_address(tl__peer *peer, const tl_address *address, size_t *index)
{
	int at = tl__peer_address_at(peer, address);

	if (at < 0) {
		make_room(peer);
		if (peer->address_count == TL__SYNC_MAX_ADDRESSES)
			return tl__fail(TL_E_TOO_LARGE,
				"the peer has %d addresses already; remove one first",
				TL__SYNC_MAX_ADDRESSES);
		if (!append(peer, address))
			return TL_E_NOMEM;
		at = (int)peer->address_count - 1;
	}
	peer->addresses[at].learnt = false;
	if (index)
		*index = (size_t)at;
	return TL_OK;
}

static bool is_among(const tl_address *address, const tl_address *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].type, address->type) == 0 &&
			strcmp(list[i].text, address->text) == 0)
			return true;
	return false;
}

bool tl__peer_learn_addresses(tl__peer *peer, const tl_address *told, size_t count)
{
	bool changed = false;

	for (size_t i = peer->address_count; i-- > 0;)
		if (peer->addresses[i].learnt &&
			!is_among(&peer->addresses[i].address, told, count)) {
			tl__peer_drop_address(peer, i);
			changed = true;
		}
	for (size_t i = 0; i < count && peer->address_count < TL__SYNC_MAX_ADDRESSES; i++) {
		tl__peer_address *at = NULL;

		if (tl__peer_address_at(peer, &told[i]) < 0)
			at = append(peer, &told[i]); /* else the next hello tells it again */
		if (at)
			changed = at->learnt = true;
	}
	return changed;
}

void tl__peer_drop_address(tl__peer *peer, size_t index)
{
	peer->address_count--;
	memmove(&peer->addresses[index], &peer->addresses[index + 1],
		(peer->address_count - index) * sizeof *peer->addresses);
}

/* --- what happens to it ----------------------------------------------------------------------- */

void tl__peer_wake(tl__sync *sync, tl__peer *peer)
{
	peer->wait_until = 0;
	tl__peer_pairs_changed(sync, peer);
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer) {
		pair->wait_until = 0;
		if (pair->stalled) {
			pair->stalled = false;
			pair->local_changed = true;
			pair->wanted = true;
		}
		if (pair->attempts > 0)
			pair->next_attempt = sync->now;
	}
}

void tl__peer_came(tl__sync *sync, tl__peer *peer, const char *address)
{
	if (peer->came_told != 0 && sync->now - peer->came_told < TL__SYNC_CAME_AGAIN_MS)
		return;
	peer->came_told = sync->now + (sync->now == 0);
	tl__log_write(sync->log, TL_LOG_INFO, "peer", "%s came from %s", peer->text, address);
}

/* It can be reached, which says nothing of what it refused: two that refuse each other would go on
 * asking as fast as they can. */
static uint64_t soonest(const tl__sync *sync, const tl__pair *pair)
{
	uint64_t paced = pair->tried + sync->options.retry_max_ms;

	return tl__sync_is_refusal(pair->last_code) && paced > sync->now ? paced : sync->now;
}

void tl__sync_heard_from(tl__sync *sync, const tl_key *key, const char *address)
{
	tl__peer *peer = tl__sync_find_peer(sync, key);

	if (!peer)
		return;
	peer->last_seen = sync->wall;
	if (peer->came_told == 0)
		tl__peer_came(sync, peer, address);
	if (peer->status != TL__PEER_ACTIVE || (peer->stalled == 0 && !peer->changed.listed))
		return;
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (pair->stalled) {
			tl__pair_changed(sync, pair);
			pair->stalled = false;
			pair->local_changed = true;
			pair->wanted = true;
			pair->next_attempt = soonest(sync, pair);
		}
}

void tl__peer_failed(tl__sync *sync, tl__peer *peer, int code, const char *error)
{
	bool told = peer->state == TL__PEER_FAILED;

	peer->state = TL__PEER_FAILED;
	peer->attempts++;
	peer->last_code = code;
	tl__text_copy(peer->last_error, sizeof peer->last_error, tl__str_z(error));
	if (!told)
		tl__sync_tell_failure(
			sync, TL_EVENT_PEER_UNREACHABLE, &peer->key, NULL, code, error);
}

void tl__peer_succeeded(tl__sync *sync, tl__peer *peer, const tl_address *address)
{
	bool told = peer->state == TL__PEER_CONNECTED;
	char text[530];

	peer->state = TL__PEER_CONNECTED;
	peer->attempts = 0;
	peer->last_seen = sync->wall;
	if (told)
		return;
	tl_address_format(address, text);
	tl__sync_tell(sync, TL_EVENT_PEER_CONNECTED, &peer->key, NULL, 0, text);
}

int tl__fail_v0(void)
{
	return tl__fail(TL_E_V0_NOT_SPOKEN,
		"the peer is known as a node of eidetica 0.2.0, whose protocol this build does not "
		"speak (V0=0); use one that does, or remove the peer and connect again if it is "
		"tidelock now");
}
