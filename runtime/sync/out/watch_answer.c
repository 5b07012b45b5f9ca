/* The answers to our watches: a page to store, words that something moved or may not be read, or
 * nothing; and what a cut connection says of the way. */
#include <string.h>
#include "base/fail.h"
#include "base/str.h"
#include "sync/out/session.h"

/* The watch that this call or work belongs to; NULL: it is over. */
static tl__peer_watch *find(tl__peer *peer, uint64_t number)
{
	for (size_t i = 0; peer && i < TL__PEER_WATCHES; i++) {
		tl__peer_watch *watch = &peer->watches[i];

		if (watch->call == number || watch->ingest == number || watch->look == number)
			return watch;
	}
	return NULL;
}

/* Whose work it is, and of which watch; NULL: it is over. */
static tl__peer *find_of_work(tl__sync *sync, const tl__work *work, tl__peer_watch **watch)
{
	tl__peer *peer;
	tl_key key;

	memcpy(key.b, work->party.name, sizeof key.b);
	peer = tl__sync_find_peer(sync, &key);
	*watch = find(peer, work->owner);
	if (*watch)
		tl__peer_changed(sync, peer);
	return *watch ? peer : NULL;
}

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
	tl__pair *pair = tl__sync_change_pair(sync, &peer->key, &line->id);

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

static void found_level(tl__sync *sync, tl__pair *pair, uint64_t arrivals)
{
	if (pair->gap)
		return;
	pair->level = !tl__pair_dirty(pair);
	pair->level_at = arrivals;
	tl__waiters_level(sync, pair);
}

static void compared(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__peer_watch *watch;
	tl__peer *peer = find_of_work(sync, work, &watch);
	tl__pair *pair = peer ? tl__sync_change_pair(sync, &peer->key, &work->db) : NULL;
	bool all = work->code == TL_OK;

	if (peer)
		watch->look = 0;
	for (size_t i = 0; all && i < work->lookup.count; i++)
		all = work->lookup.found[i] != TL__FOUND_NOT;
	if (pair && !all)
		pair->wanted = true; /* a pull asks for what is missing, or finds what is wrong */
	else if (pair && work->lookup.same_tips)
		found_level(sync, pair, work->lookup.arrivals);
	tl__work_free(work);
}

/* Every tip told must be here, as at the end of a pull. */
static void look_up(
	tl__sync *sync, tl__peer_watch *watch, tl__pair *pair, const tl__work_ingest *in)
{
	tl__work *work = tl__sync_new_work(
		sync, TL__WORK_LOOKUP, &pair->db->id, compared, tl__sync_number(sync));
	tl_id *ids = work ? tl__arena_alloc(&work->arena, in->told_count, sizeof *ids) : NULL;

	if (!ids) {
		tl__work_free(work);
		pair->wanted = true;
		return;
	}
	if (in->told_count > 0)
		memcpy(ids, in->told, in->told_count * sizeof *ids);
	work->party = tl__sync_party(pair->peer);
	work->lookup.ids = ids;
	work->lookup.count = in->told_count;
	watch->look = work->owner;
	tl__sync_give_work(sync, work);
}

/* Mostly both hold the same behind the page. */
static void compare(
	tl__sync *sync, tl__peer_watch *watch, tl__pair *pair, const tl__work_ingest *in)
{
	uint8_t told[32];

	tl__v1_tips_hash(in->told, in->told_count, told);
	if (in->told_count == in->tip_count && memcmp(told, in->tips_hash, sizeof told) == 0)
		found_level(sync, pair, in->head);
	else
		look_up(sync, watch, pair, in);
}

static bool is_behind(const tl__pair *pair, const tl__v1_cursor *cursor)
{
	return pair->has_seen && tl__v1_is_before(&pair->seen, cursor);
}

/* Where all of the page found its place, ours is behind it. */
static void move_place(
	tl__sync *sync, tl__pair *pair, const tl__v1_cursor *cursor, const tl__work_ingest *in)
{
	bool was_sure = tl__pair_is_sure(pair), declined = in->fates[TL__FATE_DECLINED] > 0;

	if (in->result.missing_count > 0 || tl__watch_is_pulled(pair) || !is_behind(pair, cursor)) {
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
	tl__sync_outcome outcome = {.started = sync->wall};

	tl__outcome_took(&outcome, in);
	pair->received += in->result.entered;
	tl__record_exchange(sync, pair, &outcome);
	tl__sync_tell(sync, TL_EVENT_SYNC_FINISHED, &pair->peer->key, &pair->db->id,
		in->result.entered, NULL);
}

/* What is of no use, one answer after the other, is asked for less and less often. */
static void judge_use(
	tl__sync *sync, tl__pair *pair, tl__peer_watch *watch, const tl__work_ingest *in)
{
	if (tl__ingest_is_junk(in)) {
		watch->next_at = tl__peer_fruitless(sync, pair->peer);
		pair->useless_until = watch->next_at;
	} else if (in->result.entered > 0) {
		pair->peer->fruitless = 0;
		watch->idle = 0;
	}
}

static void stored(void *core, tl__work *work)
{
	tl__sync *sync = core;
	tl__peer_watch *watch;
	tl__peer *peer = find_of_work(sync, work, &watch);
	tl__pair *pair = peer ? tl__sync_change_pair(sync, &peer->key, &work->db) : NULL;

	if (peer)
		watch->ingest = 0;
	tl__sync_ingest_ends(sync, pair, peer ? &peer->key : NULL, work);
	if (pair && work->code == TL_OK) {
		move_place(sync, pair, &watch->cursor, &work->ingest);
		record(sync, pair, &work->ingest);
		judge_use(sync, pair, watch, &work->ingest);
		if (!pair->wanted)
			compare(sync, watch, pair, &work->ingest);
	} else if (pair) {
		pair->wanted = true;
	}
	tl__work_free(work);
}

static void take_page(
	tl__sync *sync, tl__peer *peer, tl__peer_watch *watch, tl__work *work, const answer *a)
{
	tl__pair *pair = tl__sync_change_pair(sync, &peer->key, &a->args.db);

	work->db = a->args.db;
	if (!pair || !pair->watched || pair->watch != tl__watch_number(peer, watch) ||
		tl__pull_store(pair, &a->args.cursor, work, a->lines, a->count) != TL_OK) {
		if (pair)
			pair->wanted = true;
		tl__work_free(work);
		return;
	}
	watch->cursor = a->args.cursor;
	watch->ingest = work->owner;
	work->ingest.has_since = true; /* our tips are told behind it */
	work->ingest.told = a->tips;
	work->ingest.told_count = a->tip_count;
	pair->wanted = pair->wanted || a->args.tips.hashed;
	tl__sync_ingest_begins(sync, pair);
	tl__sync_give_work(sync, work);
}

/* --- how it ended ----------------------------------------------------------------------------- */

static uint64_t back_off(tl__sync *sync, unsigned failures)
{
	uint64_t longest = failures < 20 ? (uint64_t)1000 << failures : UINT32_MAX;

	if (longest > sync->options.retry_max_ms)
		longest = sync->options.retry_max_ms;
	return longest / 2 + tl__random_below(&sync->random, longest - longest / 2 + 1);
}

/* A connection that is cut while nothing is said asks for shorter silence. The peer was reached:
 * that is no failed attempt, unless nobody answered. */
static void was_cut(
	tl__sync *sync, tl__peer *peer, tl__peer_watch *watch, const tl__call_result *result)
{
	bool held = sync->now - watch->sent_at >= TL__WATCH_AGAIN_MS;

	watch->whole = 0;
	if (held) {
		watch->hold_ms /= 2;
		if (watch->hold_ms < TL__WATCH_MIN_HOLD_MS)
			watch->hold_ms = TL__WATCH_MIN_HOLD_MS;
		watch->next_at = sync->now;
		if (++watch->cuts <= TL__WATCH_CUTS)
			return;
	}
	watch->failures++;
	watch->next_at = sync->now + back_off(sync, watch->failures);
	if (!held || result->code == TL_E_TIMEOUT)
		tl__peer_failed(sync, peer, result->code, result->error);
}

static void failed(
	tl__sync *sync, tl__peer *peer, tl__peer_watch *watch, const tl__call_result *result)
{
	if (result->status == TL__V1_UNKNOWN_METHOD) {
		peer->watch_offered = false;
		return;
	}
	if (result->status != TL__V1_OK || result->code == TL_E_SYNC_PROTOCOL_ERROR) {
		watch->failures++;
		watch->next_at = sync->now + back_off(sync, watch->failures);
	} else {
		was_cut(sync, peer, watch, result);
	}
	if (result->wait_ms > 0 && watch->next_at < sync->now + result->wait_ms)
		watch->next_at = sync->now + (result->wait_ms > sync->options.retry_max_ms
							     ? sync->options.retry_max_ms
							     : result->wait_ms);
}

static void was_held(const tl__sync *sync, tl__peer_watch *watch, bool tells)
{
	uint64_t held = sync->now - watch->sent_at;

	watch->failures = watch->cuts = 0;
	watch->next_at = sync->now;
	if (tells) {
		if (++watch->idle > TL__WATCH_MAX_IDLE)
			watch->next_at += TL__WATCH_IDLE_MS;
		return;
	}
	if (held < watch->held_ms - watch->held_ms / TL__V1_HOLD_EARLY) {
		/* Ended early: what we may read may have changed, or it is being stopped. */
		watch->next_at = sync->now + (held < TL__WATCH_AGAIN_MS ? TL__WATCH_AGAIN_MS : 0);
		return;
	}
	if (watch->held_ms < watch->hold_ms || ++watch->whole < TL__WATCH_FULL_TO_RISE)
		return;
	watch->whole = 0;
	watch->hold_ms =
		watch->hold_ms < TL__WATCH_HOLD_MS / 2 ? 2 * watch->hold_ms : TL__WATCH_HOLD_MS;
}

/* What it told is to be paid before it is asked again. */
static void pay(tl__sync *sync, const tl__peer *peer, tl__peer_watch *watch, const tl_id *db,
	uint64_t bytes)
{
	tl__pair *pair = tl__sync_find_pair(sync, &peer->key, db);
	uint64_t free_at;

	tl__rate_spend(sync, &peer->key, pair, bytes);
	free_at = tl__rate_free_at(sync, &peer->key, pair);
	if (watch->next_at < free_at)
		watch->next_at = free_at;
}

static void take_answer(
	tl__sync *sync, tl__peer *peer, tl__peer_watch *watch, const tl__call_result *result)
{
	tl__work *work =
		tl__sync_new_work(sync, TL__WORK_INGEST, NULL, stored, tl__sync_number(sync));
	answer a = {0};

	if (!work)
		return; /* asked again a second later */
	work->party = tl__sync_party(peer);
	if (read_answer(sync, peer, &a, result, &work->arena) != TL_OK) {
		const tl__call_result bad = {
			.code = TL_E_SYNC_PROTOCOL_ERROR, .error = "the answer to a watch is none"};

		tl__work_free(work);
		failed(sync, peer, watch, &bad);
		return;
	}
	was_held(sync, watch, a.tells);
	if (a.count > 0)
		pay(sync, peer, watch, &a.args.db, result->body.len);
	if (a.args.has_page)
		take_page(sync, peer, watch, work, &a);
	else
		tl__work_free(work);
}

void tl__watch_done(tl__sync *sync, void *ud, uint64_t owner, tl__call_result *result)
{
	tl__peer *peer = ud; /* it stays alive while the call is under way */
	tl__peer_watch *watch = find(peer, owner);

	if (!watch)
		return;
	watch->call = 0;
	tl__peer_changed(sync, peer);
	if (result->code == TL_OK)
		take_answer(sync, peer, watch, result);
	else
		failed(sync, peer, watch, result);
	tl__watch_unname(sync, peer, watch);
}
