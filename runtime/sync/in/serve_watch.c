/* Watches of others: how one begins, and how it ends when nothing it names has moved. */
#include "sync/in/serve_watch.h"

#include <string.h>

/* --- a request -------------------------------------------------------------------------------- */

static int count_lines(const tl__incoming *in, size_t *count)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_body_open(&body, TL__V1_BODY_WATCH, in->body, NULL);

	*count = 0;
	while (rc == TL_OK && (rc = tl__v1_body_next(&body, &line, &end)) == TL_OK && !end)
		++*count;
	return rc;
}

/* Holds what is known here; whoever may read nothing leaves nothing. */
static bool take_line(tl__sync *sync, tl__hold *hold, tl__work *work, const tl__v1_line *line)
{
	tl__sync_db *db = tl__sync_find_db(sync, &line->id);

	if (!db) {
		(void)tl__look_add_named(hold, work, &line->id);
		return true;
	}
	return tl__hold_add(sync, hold, db, line->has_cursor ? line->cursor.n : 0) &&
	       tl__look_add_line(sync, hold, work, hold->count - 1);
}

/* Places, and in the work what is to be checked of them. */
static bool take_lines(tl__sync *sync, tl__hold *hold, tl__work *work)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false, good;

	good = tl__v1_body_open(&body, TL__V1_BODY_WATCH, hold->in->body, NULL) == TL_OK;
	while (good && tl__v1_body_next(&body, &line, &end) == TL_OK && !end) {
		tl__work_watched *to = &work->watch.lines[work->watch.count];

		good = take_line(sync, hold, work, &line);
		to->checks = true;
		to->cursor = tl__serve_place_of(&line.cursor);
		/* A place of another store is none of ours. */
		if (line.has_cursor && !tl__serve_is_ours(sync, &line.cursor))
			to->cursor.n = UINT64_MAX;
	}
	return good;
}

/* What was read of the request is not kept while it is held. */
static bool let_go(tl__incoming *in)
{
	tl__arena kept = TL__ARENA_INIT;
	tl_str channel = tl__arena_str(&kept, in->channel);

	if (!channel.ptr || !tl__incoming_from(in, &kept, in->transport, in->remote)) {
		tl__arena_free(&kept);
		return false;
	}
	tl__arena_free(&in->arena);
	in->arena = kept;
	in->channel = channel;
	in->args = in->body = TL__STR("");
	return true;
}

static void tell_driver(tl__sync *sync, const tl__incoming *in, uint64_t hold_ms)
{
	tl__sync_action action = {.kind = TL__SYNC_HOLD};

	action.answer.incoming = in->number;
	action.answer.body = TL__BUF_INIT;
	action.answer.hold_ms = (uint32_t)hold_ms;
	action.answer.known = tl__serve_is_of_peer(sync, in);
	(void)tl__sync_act(sync, &action); /* without memory it counts as silent, and is cut */
}

static void hold_it(tl__sync *sync, tl__incoming *in, size_t count, uint64_t hold_ms)
{
	tl__hold *hold = tl__hold_new(sync, in, count);
	tl__work *work;

	if (!hold) {
		tl__serve_v1_refuse(sync, in, TL__V1_BUSY, "no_room");
		return;
	}
	tl__serve_leave(sync, in); /* watches have limits of their own */
	hold->until = sync->now + hold_ms;
	hold->early = (uint32_t)(hold_ms / TL__V1_HOLD_EARLY);
	tl__hold_due(sync, hold, hold->until);
	work = tl__look_new(sync, hold, count);
	if (!work)
		return;
	if (!take_lines(sync, hold, work) || !let_go(in)) {
		tl__look_drop(hold, work);
		tl__serve_internal(sync, in, NULL);
		return;
	}
	tl__look_give(sync, hold, work);
	tell_driver(sync, in, hold_ms);
}

void tl__serve_watch(tl__sync *sync, tl__incoming *in)
{
	tl__v1_watch watch;
	size_t count;

	if (tl__v1_read_watch(&watch, in->args) != TL_OK || count_lines(in, &count) != TL_OK ||
		count == 0)
		tl__serve_bad_request(sync, in);
	else
		hold_it(sync, in, count, watch.hold_ms);
}

/* --- ends ------------------------------------------------------------------------------------- */

void tl__serve_end_watches(tl__sync *sync, const tl_key *peer)
{
	for (tl__hold *hold = sync->serve->holds, *next; hold; hold = next) {
		next = hold->next;
		if (peer && !tl__key_equal(&hold->in->from, peer))
			continue;
		hold->watcher->not_before = 0; /* it may owe nothing any more */
		tl__hold_end(sync, hold);
	}
}

static void end_hold(tl__sync *sync, tl__hold *hold)
{
	tl__hold_due(sync, hold, UINT64_MAX); /* what looks at it ends it */
	tl__hold_end_quiet(sync, hold);
}

/* Whose watcher may be told again, and what is over. Those that are nearly over end with them: what
 * it takes to answer one is mostly what it takes to answer several. */
void tl__serve_watches_timer(tl__sync *sync)
{
	tl__hold *hold;
	bool any = false;

	while ((hold = tl__hold_first_due(sync)) && hold->due.at <= sync->now) {
		if (sync->now >= hold->until) {
			end_hold(sync, hold);
			any = true;
			continue;
		}
		tl__hold_due(sync, hold, hold->until);
		if (hold->waits)
			tl__hold_wake(sync, hold);
	}
	while (any && (hold = tl__hold_first_due(sync)) && hold->due.at == hold->until &&
		sync->now + hold->early >= hold->until)
		end_hold(sync, hold);
	tl__watchers_forget(sync);
}

uint64_t tl__serve_watches_due(const tl__sync *sync)
{
	const tl__heap_node *hold = tl__heap_first(&sync->serve->hold_dues);
	const tl__heap_node *watcher = tl__heap_first(&sync->serve->watcher_dues);
	uint64_t due = hold ? hold->at : UINT64_MAX;

	return watcher && watcher->at < due ? watcher->at : due;
}

void tl__serve_watches_free(tl__sync *sync)
{
	while (sync->serve->holds) {
		tl__hold *hold = sync->serve->holds;

		sync->serve->holds = hold->next;
		tl__free(hold);
	}
	tl__heap_free(&sync->serve->hold_dues);
	tl__watchers_free(sync);
}
