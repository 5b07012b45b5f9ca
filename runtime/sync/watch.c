/* Our watches: each peer that offers it holds one request of ours and answers when one of the
 * databases moves there. */
#include "sync/outbound.h"

#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/str.h"

static void watch_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result);

/* Whose watch this call or work belongs to; NULL: it is over. */
static tl__peer *find(tl__sync *sync, uint64_t number)
{
	tl__peer *peer = sync->peers;

	while (peer && peer->watch.call != number && peer->watch.ingest != number &&
		peer->watch.look != number)
		peer = peer->next;
	return peer;
}

/* --- which databases -------------------------------------------------------------------------- */

static bool is_pulling(const tl__pair *pair)
{
	return pair->session && pair->session->pulling;
}

/* Its place is known, and no pull is about to move it. */
static bool is_eligible(const tl__pair *pair)
{
	return pair->has_seen && pair->attempts == 0 && !pair->stalled && !pair->watch_barred &&
	       !is_pulling(pair);
}

static bool may_dial(const tl__sync *sync, const tl__peer *peer)
{
	for (size_t i = 0; i < peer->address_count; i++)
		for (size_t k = 0; k < sync->transport_count; k++)
			if (strcmp(peer->addresses[i].address.type, sync->transports[k].type) == 0)
				return true;
	return false;
}

static bool is_usable(const tl__sync *sync, const tl__peer *peer)
{
	return peer->watch.offered && peer->status == TL__PEER_ACTIVE &&
	       peer->protocol == TL__PROTOCOL_V1 && may_dial(sync, peer);
}

static bool any_eligible(const tl__peer *peer)
{
	for (const tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (is_eligible(pair))
			return true;
	return false;
}

/* One that could be watched and is not. */
static bool any_left_out(const tl__peer *peer)
{
	for (const tl__pair *pair = peer->watch.crowded ? NULL : peer->pairs; pair;
		pair = pair->next_of_peer)
		if (!pair->watched && is_eligible(pair))
			return true;
	return false;
}

/* A pull moves a place, so that the watch would have to be asked again behind it. */
static bool any_pull(const tl__peer *peer)
{
	for (const tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		if (is_pulling(pair) || (pair->wanted && pair->attempts == 0))
			return true;
	return false;
}

/* --- asking ----------------------------------------------------------------------------------- */

static int compare_pairs(const void *a, const void *b)
{
	const tl__pair *const *x = a, *const *y = b;

	return memcmp((*x)->db->id.b, (*y)->db->id.b, TL_ID_BYTES);
}

/* Those of the keys that count there must still find room among the proofs. */
static bool fits_proofs(const tl__call *call, const tl__pair *pair)
{
	size_t more = pair->db->has_access;

	for (uint32_t mask = pair->key_mask; mask; mask &= mask - 1)
		more++;
	return call->key_count + more <= TL__V1_MAX_KEYS;
}

static void write_lines(tl__call *call, tl__pair **pairs, size_t count)
{
	tl__v1_line line = {.kind = TL__V1_LINE_WATCH, .has_id = true, .has_cursor = true};

	qsort(pairs, count, sizeof(void *), compare_pairs);
	for (size_t i = 0; i < count; i++) {
		line.id = pairs[i]->db->id;
		line.cursor = pairs[i]->seen;
		tl__v1_write_line(&call->body, &line);
	}
}

static tl__call *new_call(tl__sync *sync, tl__peer *peer)
{
	tl__v1_watch args = {.hold_ms = peer->watch.hold_ms};
	tl__pair *pairs[TL__V1_MAX_WATCH_LINES];
	tl__call *call = tl__call_new(sync, TL__CALL_V1, peer);
	size_t count = 0;

	peer->watch.crowded = false;
	for (tl__pair *pair = call ? peer->pairs : NULL; pair; pair = pair->next_of_peer) {
		bool fits = count < TL__V1_MAX_WATCH_LINES && fits_proofs(call, pair);

		pair->watched = fits && is_eligible(pair);
		peer->watch.crowded = peer->watch.crowded || (!fits && is_eligible(pair));
		if (!pair->watched)
			continue;
		pairs[count++] = pair;
		tl__call_prove(sync, call, pair->db, pair->key_mask);
	}
	if (!call)
		return NULL;
	call->method = TL__V1_WATCH;
	call->hold_ms = peer->watch.hold_ms;
	call->done = watch_done;
	call->owner = call->number;
	tl__v1_write_watch(&call->args, &args);
	write_lines(call, pairs, count);
	if (count > 0 && tl__buf_status(&call->args) == TL_OK &&
		tl__buf_status(&call->body) == TL_OK)
		return call;
	tl__call_free(call);
	return NULL;
}

static void ask(tl__sync *sync, tl__peer *peer)
{
	tl__peer_watch *watch = &peer->watch;
	tl__call *call;

	if (watch->hold_ms == 0)
		watch->hold_ms = TL__WATCH_HOLD_MS;
	call = new_call(sync, peer);
	watch->next_at = sync->now + TL__WATCH_AGAIN_MS; /* when there was no memory */
	if (!call)
		return;
	watch->call = call->number;
	watch->sent_at = sync->now;
	watch->waits_for = 0;
	tl__call_start(sync, call);
}

/* --- when ------------------------------------------------------------------------------------- */

/* When this peer is to be asked; UINT64_MAX: not, or it is being asked. */
static uint64_t due(const tl__sync *sync, const tl__peer *peer)
{
	const tl__peer_watch *watch = &peer->watch;

	if (!is_usable(sync, peer) || watch->ingest != 0)
		return UINT64_MAX;
	if (watch->call != 0)
		return any_left_out(peer) ? watch->sent_at + TL__WATCH_CHANGE_MS : UINT64_MAX;
	if (!any_eligible(peer))
		return UINT64_MAX;
	if (any_pull(peer) && watch->waits_for != 0 &&
		watch->next_at < watch->waits_for + TL__WATCH_PULLS_MS)
		return watch->waits_for + TL__WATCH_PULLS_MS;
	return watch->next_at;
}

uint64_t tl__watch_due(const tl__sync *sync)
{
	uint64_t least = UINT64_MAX;

	if (!sync->loaded || sync->stopping)
		return UINT64_MAX;
	for (const tl__peer *peer = sync->peers; peer; peer = peer->next) {
		uint64_t at = peer->watch.offered ? due(sync, peer) : UINT64_MAX;

		if (at < least)
			least = at;
	}
	return least;
}

static void run(tl__sync *sync, tl__peer *peer)
{
	tl__peer_watch *watch = &peer->watch;

	if (watch->call == 0 && watch->waits_for == 0 && any_pull(peer))
		watch->waits_for = sync->now;
	if (due(sync, peer) > sync->now)
		return;
	if (watch->call != 0)
		tl__watch_end(sync, peer);
	ask(sync, peer);
}

void tl__watch_run(tl__sync *sync)
{
	if (!sync->loaded || sync->stopping)
		return;
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		if (peer->watch.offered)
			run(sync, peer);
}

void tl__watch_end(tl__sync *sync, tl__peer *peer)
{
	if (peer->watch.call != 0)
		tl__call_cancel(sync, peer->watch.call);
	peer->watch.call = 0;
	peer->watch.next_at = sync->now;
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		pair->watched = false;
}

void tl__watches_end(tl__sync *sync)
{
	for (tl__peer *peer = sync->peers; peer; peer = peer->next)
		tl__watch_end(sync, peer);
}

/* --- the answer ------------------------------------------------------------------------------- */

typedef struct answer {
	tl__v1_watched args;
	tl_str *lines;
	size_t count, line_cap;
	tl_id *tips;
	size_t tip_count, tip_cap;
	bool tells; /* anything at all */
} answer;

static void take_word(tl__sync *sync, tl__peer *peer, const tl__v1_line *line)
{
	tl__pair *pair = tl__sync_find_pair(sync, &peer->key, &line->id);

	if (!pair)
		return;
	pair->wanted = true;
	pair->watch_barred = line->kind == TL__V1_LINE_ABSENT;
}

static int take_line(
	tl__sync *sync, tl__peer *peer, answer *out, const tl__v1_line *line, tl__arena *arena)
{
	void *array = line->kind == TL__V1_LINE_ENTRY ? (void *)out->lines : (void *)out->tips;
	int rc = TL_OK;

	out->tells = true;
	switch (line->kind) {
	case TL__V1_LINE_ENTRY:
		rc = tl__arena_grow(arena, &array, &out->line_cap, out->count, sizeof *out->lines);
		out->lines = array;
		if (rc == TL_OK)
			out->lines[out->count++] = tl__arena_str(arena, line->entry);
		return rc;
	case TL__V1_LINE_TIP:
		rc = tl__arena_grow(
			arena, &array, &out->tip_cap, out->tip_count, sizeof *out->tips);
		out->tips = array;
		if (rc == TL_OK)
			out->tips[out->tip_count++] = line->id;
		return rc;
	default: take_word(sync, peer, line); return TL_OK;
	}
}

static int read_answer(tl__sync *sync, tl__peer *peer, answer *out, const tl__call_result *result,
	tl__arena *arena)
{
	tl__v1_body body;
	tl__v1_line line;
	bool end = false;
	int rc = tl__v1_read_watched(&out->args, result->args);

	if (rc == TL_OK)
		rc = tl__v1_body_open(&body, TL__V1_BODY_WATCHED, result->body,
			out->args.has_page ? &out->args.tips : NULL);
	while (rc == TL_OK && (rc = tl__v1_body_next(&body, &line, &end)) == TL_OK && !end)
		rc = take_line(sync, peer, out, &line, arena);
	out->tells = out->tells || out->args.has_page;
	return rc;
}

/* --- a page ----------------------------------------------------------------------------------- */

static void compared(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__peer *peer = find(sync, work->owner);
	tl__pair *pair = peer ? tl__sync_find_pair(sync, &peer->key, &work->db) : NULL;
	bool all = work->code == TL_OK;

	if (peer)
		peer->watch.look = 0;
	for (size_t i = 0; all && i < work->lookup.count; i++)
		all = work->lookup.found[i] != TL__FOUND_NOT;
	if (pair && !all) {
		pair->wanted = true; /* a pull asks for what is missing, or finds what is wrong */
	} else if (pair && work->lookup.same_tips && !pair->gap) {
		pair->level = !tl__pair_dirty(pair);
		pair->level_at = work->lookup.arrivals;
		tl__waiters_level(sync, pair);
	}
	tl__work_free(work);
}

/* Every tip told must be here, as at the end of a pull. */
static void compare(tl__sync *sync, tl__peer *peer, tl__pair *pair, const answer *a)
{
	tl__work *work = tl__sync_new_work(
		sync, TL__WORK_LOOKUP, &pair->db->id, compared, tl__sync_number(sync));
	tl_id *ids = work ? tl__arena_alloc(&work->arena, a->tip_count + 1, sizeof *ids) : NULL;

	if (!ids) {
		tl__work_free(work);
		pair->wanted = true;
		return;
	}
	if (a->tip_count > 0)
		memcpy(ids, a->tips, a->tip_count * sizeof *ids);
	work->lookup.ids = ids;
	work->lookup.count = a->tip_count;
	peer->watch.look = work->owner;
	tl__sync_give_work(sync, work);
}

static bool is_behind(const tl__pair *pair, const tl__v1_cursor *cursor)
{
	return pair->has_seen && pair->seen.n < cursor->n &&
	       memcmp(pair->seen.incarnation, cursor->incarnation, sizeof cursor->incarnation) == 0;
}

/* Where all of the page found its place, ours is behind it. */
static void move_place(
	tl__sync *sync, tl__pair *pair, const tl__v1_cursor *cursor, const tl__work_ingest *in)
{
	bool was_sure = tl__pair_is_sure(pair), declined = in->fates[TL__FATE_DECLINED] > 0;

	if (in->result.missing_count > 0 || is_pulling(pair) || !is_behind(pair, cursor)) {
		pair->wanted = pair->wanted || in->result.missing_count > 0;
		return;
	}
	pair->seen = *cursor;
	if (declined)
		pair->gap = pair->gap || in->declined_code == TL_E_SET_ASIDE_FULL;
	else if (was_sure)
		pair->sure = *cursor;
	tl__pair_save_cursors(sync, pair);
}

static void record(tl__sync *sync, tl__pair *pair, const tl__work_ingest *in)
{
	tl__sync_outcome outcome = {.started = sync->wall, .entries = in->result.entered};

	for (size_t i = 0; in->result.fates && i < in->page.count; i++) {
		outcome.bytes += in->page.lines[i].len;
		if (in->result.fates[i].arrival > in->before) {
			outcome.has_entry = true;
			outcome.entry = in->result.fates[i].id;
		}
	}
	pair->received += in->result.entered;
	tl__record_exchange(sync, pair, &outcome);
	tl__sync_tell(sync, TL_EVENT_SYNC_FINISHED, &pair->peer->key, &pair->db->id,
		in->result.entered, NULL);
}

static void stored(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__peer *peer = find(sync, work->owner);
	tl__pair *pair = peer ? tl__sync_find_pair(sync, &peer->key, &work->db) : NULL;

	if (peer)
		peer->watch.ingest = 0;
	if (peer)
		tl__sync_ingest_ends(sync, pair, &peer->key, work);
	if (pair && work->code == TL_OK) {
		move_place(sync, pair, &peer->watch.cursor, &work->ingest);
		record(sync, pair, &work->ingest);
	} else if (pair) {
		pair->wanted = true;
	}
	tl__work_free(work);
}

static void take_page(tl__sync *sync, tl__peer *peer, tl__work *work, const answer *a)
{
	tl__pair *pair = tl__sync_find_pair(sync, &peer->key, &a->args.db);

	work->db = a->args.db;
	if (!pair || !pair->watched ||
		tl__pull_store(pair, &a->args.cursor, work, a->lines, a->count) != TL_OK) {
		if (pair)
			pair->wanted = true;
		tl__work_free(work);
		return;
	}
	peer->watch.cursor = a->args.cursor;
	peer->watch.ingest = work->owner;
	tl__sync_ingest_begins(sync, pair);
	tl__sync_give_work(sync, work);
	if (a->args.tips.hashed)
		pair->wanted = true;
	else
		compare(sync, peer, pair, a);
}

/* --- how it ended ----------------------------------------------------------------------------- */

static uint64_t back_off(tl__sync *sync, unsigned failures)
{
	uint64_t longest = failures < 20 ? (uint64_t)1000 << failures : UINT32_MAX;

	if (longest > sync->options.retry_max_ms)
		longest = sync->options.retry_max_ms;
	return longest / 2 + tl__random_below(&sync->random, longest - longest / 2 + 1);
}

/* A connection that is cut while nothing is said asks for shorter silence. */
static void was_cut(tl__sync *sync, tl__peer *peer, const tl__call_result *result)
{
	tl__peer_watch *watch = &peer->watch;
	uint64_t held = sync->now - watch->sent_at;

	watch->full = 0;
	if (held >= TL__WATCH_AGAIN_MS) {
		watch->hold_ms /= 2;
		if (watch->hold_ms < TL__WATCH_MIN_HOLD_MS)
			watch->hold_ms = TL__WATCH_MIN_HOLD_MS;
		watch->next_at = sync->now;
		if (++watch->cuts <= TL__WATCH_CUTS)
			return;
	}
	watch->failures++;
	watch->next_at = sync->now + back_off(sync, watch->failures);
	tl__peer_failed(sync, peer, result->code, result->error);
}

static void failed(tl__sync *sync, tl__peer *peer, const tl__call_result *result)
{
	tl__peer_watch *watch = &peer->watch;

	if (result->status == TL__V1_UNKNOWN_METHOD) {
		watch->offered = false;
		return;
	}
	if (result->status != TL__V1_OK || result->code == TL_E_SYNC_PROTOCOL_ERROR) {
		watch->failures++;
		watch->next_at = sync->now + back_off(sync, watch->failures);
	} else {
		was_cut(sync, peer, result);
	}
	if (result->wait_ms > 0 && watch->next_at < sync->now + result->wait_ms)
		watch->next_at = sync->now + (result->wait_ms > sync->options.retry_max_ms
							     ? sync->options.retry_max_ms
							     : result->wait_ms);
}

static void was_held(tl__sync *sync, tl__peer *peer, bool tells)
{
	tl__peer_watch *watch = &peer->watch;
	uint64_t held = sync->now - watch->sent_at;

	watch->failures = watch->cuts = 0;
	watch->next_at = sync->now;
	if (tells)
		return;
	if (held < watch->hold_ms) {
		/* Ended early: what we may read may have changed, or it is being stopped. */
		watch->next_at = sync->now + (held < TL__WATCH_AGAIN_MS ? TL__WATCH_AGAIN_MS : 0);
		return;
	}
	if (++watch->full < TL__WATCH_FULL_TO_RISE)
		return;
	watch->full = 0;
	watch->hold_ms =
		watch->hold_ms < TL__WATCH_HOLD_MS / 2 ? 2 * watch->hold_ms : TL__WATCH_HOLD_MS;
}

static void take_answer(tl__sync *sync, tl__peer *peer, const tl__call_result *result)
{
	tl__work *work =
		tl__sync_new_work(sync, TL__WORK_INGEST, NULL, stored, tl__sync_number(sync));
	answer a = {0};

	if (!work)
		return; /* asked again a second later */
	if (read_answer(sync, peer, &a, result, &work->arena) != TL_OK) {
		const tl__call_result bad = {
			.code = TL_E_SYNC_PROTOCOL_ERROR, .error = "the answer to a watch is none"};

		tl__work_free(work);
		failed(sync, peer, &bad);
		return;
	}
	was_held(sync, peer, a.tells);
	if (a.args.has_page)
		take_page(sync, peer, work, &a);
	else
		tl__work_free(work);
}

static void watch_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = find(sync, owner);

	(void)ud;
	if (!peer)
		return;
	peer->watch.call = 0;
	if (result->code == TL_OK)
		take_answer(sync, peer, result);
	else
		failed(sync, peer, result);
	for (tl__pair *pair = peer->pairs; pair; pair = pair->next_of_peer)
		pair->watched = false;
}
