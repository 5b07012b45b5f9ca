/* What may have changed, so that nobody walks all relations at each event: whoever changes a pair
 * or a peer says so, and it is looked at once more before the event is over. Saying it of one that
 * did not change costs that look; not saying it of one that did is a wake-up lost, which is why
 * tl__sync_overlooked compares in specs and in the simulator. */
#include "sync/core/core.h"

void tl__pair_changed(tl__sync *sync, tl__pair *pair)
{
	tl__list_add(&sync->changed_pairs, &pair->changed);
	tl__list_add(&sync->unsaved_pairs, &pair->unsaved);
	tl__peer_changed(sync, pair->peer);
}

void tl__peer_changed(tl__sync *sync, tl__peer *peer)
{
	if (peer->due.place == 0)
		return; /* a stranger, who may never be one of ours, or gone */
	tl__list_add(&sync->changed_peers, &peer->changed);
	tl__list_add(&sync->unsaved_peers, &peer->unsaved);
}

void tl__peer_pairs_changed(tl__sync *sync, tl__peer *peer)
{
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		tl__pair_changed(sync, pair);
	tl__peer_changed(sync, peer);
}

void tl__db_arrived(tl__sync *sync, tl__sync_db *db, uint64_t arrival)
{
	if (arrival <= db->arrivals)
		return;
	db->arrivals = arrival;
	for (tl__pair *pair = db->pairs; pair; pair = pair->next_of_db)
		tl__pair_changed(sync, pair);
}

tl__peer *tl__changed_peer(tl__link *link)
{
	return (tl__peer *)((char *)link - offsetof(tl__peer, changed));
}

tl__pair *tl__changed_pair(tl__link *link)
{
	return (tl__pair *)((char *)link - offsetof(tl__pair, changed));
}

int tl__pair_expect(tl__sync *sync, tl__pair *pair)
{
	return tl__heap_set(&sync->pair_dues, &pair->due, UINT64_MAX);
}

int tl__peer_expect(tl__sync *sync, tl__peer *peer)
{
	return tl__heap_set(&sync->peer_dues, &peer->due, UINT64_MAX);
}

void tl__pair_leave_line(tl__pair *pair)
{
	tl__list_remove(&pair->peer->ready_pairs[pair->line], &pair->ready);
}

void tl__pair_unlist(tl__sync *sync, tl__pair *pair)
{
	tl__list_remove(&sync->changed_pairs, &pair->changed);
	tl__list_remove(&sync->unsaved_pairs, &pair->unsaved);
	tl__list_remove(&sync->gap_pairs, &pair->gaps);
	tl__pair_leave_line(pair);
	tl__heap_remove(&sync->pair_dues, &pair->due);
	pair->peer->stalled -= pair->gave_up;
}

void tl__peer_unlist(tl__sync *sync, tl__peer *peer)
{
	tl__list_remove(&sync->changed_peers, &peer->changed);
	tl__list_remove(&sync->unsaved_peers, &peer->unsaved);
	tl__list_remove(&sync->ready_peers[peer->line], &peer->ready);
	tl__heap_remove(&sync->peer_dues, &peer->due);
}
