#include "rules/discover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/sync.h>

#define EVERY_MS  300000 /* unless the rule says something else */
#define LOOK_MS   50     /* between looks whether an answer has come */
#define ASKED_MAX 8      /* at the same time */

tlua_offer *tlua_discover_find(const tlua_discover *discover, const char *peer)
{
	for (size_t i = 0; i < discover->count; i++)
		if (strcmp(discover->at[i].peer, peer) == 0)
			return &discover->at[i];
	return NULL;
}

/* --- who is asked ----------------------------------------------------------------------------- */

void tlua_discover_begin(tlua_discover *discover)
{
	for (size_t i = 0; i < discover->count; i++)
		discover->at[i].wanted = false;
}

static tlua_offer *add(tlua_discover *discover, const char *peer)
{
	tlua_offer *offer;

	if (discover->count == discover->cap) {
		tlua_offer *more = tlua_larger(discover->at, &discover->cap, sizeof *more);

		if (!more)
			return NULL;
		discover->at = more;
	}
	offer = &discover->at[discover->count++];
	*offer = (tlua_offer){.next_ms = 0};
	snprintf(offer->peer, sizeof offer->peer, "%s", peer);
	return offer;
}

bool tlua_discover_want(tlua_discover *discover, const char *peer, uint32_t every_ms, bool rests)
{
	tlua_offer *offer = tlua_discover_find(discover, peer);

	if (!offer)
		offer = add(discover, peer);
	if (!offer)
		return false;
	if (offer->rests && !rests)
		offer->next_ms = 0;
	offer->wanted = true;
	offer->rests = rests;
	offer->every_ms = every_ms > 0 ? every_ms : EVERY_MS;
	return true;
}

static void give_up(tlua_discover *discover, tlua_offer *offer)
{
	if (!offer->op)
		return;
	tl_op_cancel(offer->op);
	tl_op_free(offer->op);
	offer->op = NULL;
	discover->asked--;
}

static void drop(tlua_discover *discover, tlua_offer *offer)
{
	give_up(discover, offer);
	tlua_things_clear(&offer->taken);
}

void tlua_discover_end(tlua_discover *discover)
{
	size_t kept = 0;

	for (size_t i = 0; i < discover->count; i++)
		if (discover->at[i].wanted)
			discover->at[kept++] = discover->at[i];
		else
			drop(discover, &discover->at[i]);
	discover->count = kept;
}

void tlua_discover_clear(tlua_discover *discover)
{
	tlua_discover_begin(discover);
	tlua_discover_end(discover);
	free(discover->at);
	*discover = (tlua_discover){NULL, 0, 0, 0};
}

void tlua_discover_met(tlua_discover *discover, const char *peer)
{
	for (size_t i = 0; i < discover->count; i++)
		if (!peer || strcmp(discover->at[i].peer, peer) == 0)
			discover->at[i].next_ms = 0;
}

/* --- asking ----------------------------------------------------------------------------------- */

typedef struct taking {
	tlua_offer *offer;
	bool (*known)(void *ud, const char *id);
	void *ud;
	bool full; /* there is more */
} taking;

static int take_id(void *ud, tl_str text)
{
	taking *t = ud;
	char id[TL_ID_TEXT_LEN + 1];
	tlua_thing *thing;

	if (text.len > TL_ID_TEXT_LEN)
		return TL_OK;
	memcpy(id, text.ptr, text.len);
	id[text.len] = 0;
	thing = tlua_things_find(&t->offer->taken, id);
	if (!thing && t->known(t->ud, id))
		return TL_OK;
	if (!thing && t->offer->taken.count == TLUA_DISCOVERED_MAX) {
		t->full = true;
		return TL_OK;
	}
	if (!thing)
		thing = tlua_things_put(&t->offer->taken, id);
	if (!thing)
		return tlua_no_memory();
	thing->seen = true;
	return TL_OK;
}

/* The answer has come. Whether it is another one than before. */
static bool take(taking *t)
{
	tlua_things *taken = &t->offer->taken;
	const char *json = tl_op_text(t->offer->op);
	bool changed = false;

	for (size_t i = 0; i < taken->count; i++) {
		taken->at[i].was_seen = taken->at[i].seen;
		taken->at[i].seen = false;
	}
	if (tlua_each_text((tl_str){json, strlen(json)}, take_id, t) != TL_OK)
		t->offer->next_ms = 0;
	for (size_t i = 0; i < taken->count; i++)
		changed = changed || taken->at[i].was_seen != taken->at[i].seen;
	return changed;
}

static void ask(tlua_discover *discover, tlua_offer *offer, tl_node *node, uint64_t now_ms)
{
	offer->next_ms = now_ms + offer->every_ms;
	if (tl_sync_discover_peer_trees(node, offer->peer, &offer->op) == TL_OK)
		discover->asked++;
	else
		offer->op = NULL;
}

static void least(uint64_t *due_ms, uint64_t ms)
{
	if (ms < *due_ms)
		*due_ms = ms;
}

bool tlua_discover_turn(tlua_discover *discover, tl_node *node, uint64_t now_ms, uint64_t *due_ms,
	bool (*known)(void *ud, const char *id), void (*full)(void *ud, const char *peer), void *ud)
{
	bool changed = false;

	for (size_t i = 0; i < discover->count; i++) {
		tlua_offer *offer = &discover->at[i];
		taking t = {.offer = offer, .known = known, .ud = ud};

		if (offer->op && tl_op_done(offer->op)) {
			if (tl_op_result(offer->op) == TL_OK)
				changed = take(&t) || changed;
			if (t.full)
				full(ud, offer->peer);
			give_up(discover, offer);
		}
		if (!offer->op && !offer->rests && offer->next_ms <= now_ms &&
			discover->asked < ASKED_MAX)
			ask(discover, offer, node, now_ms);
		if (offer->op)
			least(due_ms, now_ms + LOOK_MS);
		else if (!offer->rests)
			least(due_ms, offer->next_ms > now_ms ? offer->next_ms : now_ms + LOOK_MS);
	}
	return changed;
}
