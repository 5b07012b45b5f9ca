/* What the serving works share: places in our order, and who lacks what. */
#ifndef TL_TREE_WORK_SERVE_H
#define TL_TREE_WORK_SERVE_H

#include "base/map.h"
#include "base/str.h"
#include "tree/work.h"

/* The place after arrival n; TL_E_NOT_FOUND when there is none. n 0 is the place before all. */
int tl__place_at(tl__snapshot *s, const tl_id *db, uint64_t n, tl__work_place *out) TL_MUST_USE;
/* Whether it is a place of this store's order. */
int tl__place_valid(
	tl__snapshot *s, const tl_id *db, const tl__work_place *place, bool *valid) TL_MUST_USE;
/* All tips, ascending, in the arena, with their hash (may be NULL). */
int tl__tips_read(tl__snapshot *s, const tl_id *db, tl__arena *arena, tl_id **ids, size_t *count,
	uint8_t sha256[32]) TL_MUST_USE;
/* Fills `page` with what is behind its cursor in work->db up to `upto`, in the work's memory. */
int tl__page_read(tl__snapshot *s, tl__work *work, tl__work_page *page, uint64_t upto) TL_MUST_USE;
/* Appends to the list (which moves, in the arena) up to TL__WORK_OUR_ANCESTORS entries before
 * arrival `head`: the `near` newest, then at doubling distance. */
int tl__checkpoints_add(tl__snapshot *s, const tl_id *db, uint64_t head, uint64_t near,
	tl__arena *arena, tl_id **ids, size_t *count) TL_MUST_USE;
/* Adds to `held` (keys are ids) what has arrived behind `from` of these entries and their
 * ancestors. Gives up quietly at TL__WORK_MAX_FILTER entries: what is left out then is sent though
 * it is known, which does no harm. */
#define TL__WORK_MAX_FILTER 100000
int tl__ancestors_behind(tl__snapshot *s, const tl_id *db, const tl_id *ids, size_t count,
	uint64_t from, tl__map *held) TL_MUST_USE;
/* Arrival numbers, ascending, of what is reachable from `ours` and from no id of `theirs` that we
 * hold. Costs the entries above the newest common ancestors. *out is yours (tl__free). */
int tl__lacks(tl__snapshot *s, const tl_id *db, const tl_id *ours, size_t our_count,
	const tl_id *theirs, size_t their_count, uint64_t **out, size_t *count) TL_MUST_USE;

#endif
