/* What is held of others: no thread and little memory, the places told and what wakes it. Each
 * database lists the lines that name it, so that what moves finds them without looking at the
 * others. */
#include "sync/in/serve_watch.h"

#include <stddef.h>

/* It is in its heap, which never fails. */
void tl__hold_due(tl__sync *sync, tl__hold *hold, uint64_t at)
{
	(void)!tl__heap_set(&sync->serve->hold_dues, &hold->due, at);
}

/* The line behind the last one. */
static bool list_hold(tl__sync_db *db, tl__hold *hold)
{
	struct tl__named *bigger =
		tl__grow(db->holds, db->hold_count, &db->hold_cap, sizeof *bigger);

	if (!bigger)
		return false;
	db->holds = bigger;
	hold->lines[hold->count].place = db->hold_count;
	db->holds[db->hold_count++] = (struct tl__named){hold, hold->count};
	return true;
}

static void unlist_hold(const tl__hold_line *line)
{
	const struct tl__named *last = &line->db->holds[--line->db->hold_count];

	line->db->holds[line->place] = *last;
	last->hold->lines[last->line].place = line->place;
}

static void count_held(tl__sync *sync, const tl__hold *hold, const tl__hold_line *line, bool begins)
{
	tl__pair *pair = tl__sync_change_pair(sync, &hold->in->from, &line->db->id);

	if (!pair)
		return;
	if (begins)
		pair->held++;
	else if (pair->held > 0)
		pair->held--;
}

bool tl__hold_add(tl__sync *sync, tl__hold *hold, tl__sync_db *db, uint64_t at)
{
	tl__hold_line *line = &hold->lines[hold->count];

	*line = (tl__hold_line){.db = db, .at = at};
	if (!list_hold(db, hold))
		return false;
	hold->count++;
	count_held(sync, hold, line, true);
	return true;
}

void tl__serve_watch_drop(tl__sync *sync, tl__hold *hold)
{
	tl__serve *serve = sync->serve;

	if (!hold)
		return;
	for (size_t i = 0; i < hold->count; i++) {
		unlist_hold(&hold->lines[i]);
		count_held(sync, hold, &hold->lines[i], false);
	}
	*hold->link = hold->next;
	if (hold->next)
		hold->next->link = hold->link;
	serve->hold_count--;
	serve->stranger_holds -= hold->stranger;
	hold->in->hold = NULL;
	tl__heap_remove(&serve->hold_dues, &hold->due);
	tl__watcher_ended(sync, hold->watcher);
	tl__free(hold);
}

static void enlist(tl__sync *sync, tl__hold *hold, tl__watcher *watcher, bool stranger)
{
	tl__serve *serve = sync->serve;

	hold->watcher = watcher;
	hold->stranger = stranger;
	tl__watcher_began(sync, watcher);
	hold->next = serve->holds;
	hold->link = &serve->holds;
	if (hold->next)
		hold->next->link = &hold->next;
	serve->holds = hold;
	serve->hold_count++;
	serve->stranger_holds += stranger;
	hold->in->hold = hold;
}

tl__hold *tl__hold_new(tl__sync *sync, tl__incoming *in, size_t count)
{
	const tl__serve *serve = sync->serve;
	bool stranger = tl__sync_find_peer(sync, &in->from) == NULL;
	tl__watcher *watcher;
	tl__hold *hold;

	if (serve->hold_count >= TL__SERVE_MAX_WATCHES ||
		(stranger && serve->stranger_holds >= TL__SERVE_STRANGER_WATCHES))
		return NULL;
	watcher = tl__watcher_for(sync, &in->from);
	if (!watcher || watcher->held >= TL__SERVE_KEY_WATCHES)
		return NULL;
	hold = tl__alloc_zero(1, sizeof *hold + count * sizeof *hold->lines);
	if (!hold || tl__heap_set(&sync->serve->hold_dues, &hold->due, UINT64_MAX) != TL_OK) {
		tl__free(hold);
		return NULL;
	}
	hold->in = in;
	enlist(sync, hold, watcher, stranger);
	return hold;
}

tl__hold *tl__hold_first_due(tl__sync *sync)
{
	tl__heap_node *node = tl__heap_first(&sync->serve->hold_dues);

	return node ? (tl__hold *)((char *)node - offsetof(tl__hold, due)) : NULL;
}

void tl__serve_watch_given(tl__sync *sync, const tl_key *from, const tl_id *id, uint64_t n)
{
	tl__sync_db *db = tl__sync_find_db(sync, id);

	for (size_t i = 0; db && i < db->hold_count; i++) {
		tl__hold *hold = db->holds[i].hold;
		tl__hold_line *line = &hold->lines[db->holds[i].line];

		if (tl__key_equal(&hold->in->from, from) && line->at < n)
			line->at = n;
	}
}
