/* How many requests of others are under way, with their works: by party, so that nobody takes the
 * places of others, and strangers none of peers. */
#include "sync/in/serve.h"

#include <string.h>

struct tl__asker {
	tl__party party;
	size_t count; /* of its requests */
};

static tl_str name_of(const tl__party *party)
{
	return (tl_str){(const char *)party->name, sizeof party->name};
}

tl__party tl__serve_party(const tl__sync *sync, const tl__incoming *in)
{
	tl__party party = {TL__PARTY_STRANGER, {0}};
	char source[TL__SOURCE_LEN + 1];

	if (in->proven_count > 0) {
		if (tl__serve_is_of_peer(sync, in))
			party.rank = TL__PARTY_PEER;
		memcpy(party.name, in->from.b, sizeof party.name);
	} else {
		tl__source_of(in->remote, source);
		tl_sha256(source, strlen(source), party.name);
	}
	return party;
}

static bool has_room(const tl__sync *sync, const tl__party *party, size_t count)
{
	size_t all = sync->serve->under_way[party->rank];

	if (party->rank == TL__PARTY_STRANGER)
		return all < TL__SERVE_STRANGERS_AT_ONCE && count < TL__SERVE_STRANGER_AT_ONCE;
	return all < TL__SYNC_MAX_INCOMING - TL__SERVE_STRANGERS_AT_ONCE &&
	       count < TL__SERVE_PEER_AT_ONCE;
}

static struct tl__asker *new_asker(tl__sync *sync, const tl__party *party)
{
	struct tl__asker *asker = tl__alloc_zero(1, sizeof *asker);

	if (!asker || tl__map_set(&sync->serve->askers, name_of(party), asker) != TL_OK) {
		tl__free(asker);
		return NULL;
	}
	asker->party = *party;
	return asker;
}

bool tl__serve_admit(tl__sync *sync, tl__incoming *in)
{
	tl__party party = tl__serve_party(sync, in);
	struct tl__asker *asker = tl__map_get(&sync->serve->askers, name_of(&party));

	if (in->asker)
		return true;
	if (has_room(sync, &party, asker ? asker->count : 0))
		in->asker = asker ? asker : new_asker(sync, &party);
	if (!in->asker) {
		in->way->busy(sync, in);
		return false;
	}
	in->rank = party.rank;
	in->asker->count++;
	sync->serve->under_way[in->rank]++;
	return true;
}

void tl__serve_leave(tl__sync *sync, tl__incoming *in)
{
	struct tl__asker *asker = in->asker;

	in->asker = NULL;
	if (!asker)
		return;
	sync->serve->under_way[in->rank]--;
	if (--asker->count > 0)
		return;
	tl__map_remove(&sync->serve->askers, name_of(&asker->party));
	tl__free(asker);
}

void tl__serve_askers_free(tl__sync *sync)
{
	size_t at = 0;
	tl_str key;
	void *asker;

	while (tl__map_next(&sync->serve->askers, &at, &key, &asker))
		tl__free(asker);
	tl__map_free(&sync->serve->askers);
}
