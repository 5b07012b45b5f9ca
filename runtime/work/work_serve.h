/* What the serving works share. */
#ifndef TL_TREE_WORK_SERVE_H
#define TL_TREE_WORK_SERVE_H

#include "base/map.h"
#include "base/str.h"
#include "work/work.h"

/* The place after arrival n; TL_E_NOT_FOUND when there is none. n 0 is the place before all. */
int tl__place_at(tl__snapshot *s, const tl_id *db, uint64_t n, tl__work_place *out) TL_MUST_USE;
/* Whether it is a place of this store's order. */
int tl__place_valid(
	tl__snapshot *s, const tl_id *db, const tl__work_place *place, bool *valid) TL_MUST_USE;
/* All tips of the work's database, ascending, in its memory, with their hash (may be NULL); kept
 * with its tree where they are many. None when nothing is held. */
int tl__tips_read(tl__snapshot *s, tl__work *work, tl_id **ids, size_t *count,
	uint8_t sha256[32]) TL_MUST_USE;
/* What these keys may do by them. */
struct tl__rights;
int tl__work_rights_fill(const struct tl__rights *rights, const tl_key *keys, size_t count,
	tl__arena *arena, tl__work_rights *out) TL_MUST_USE;
/* Which of these keys, in their order, hold an Active record: bit i says keys[i]. */
uint32_t tl__rights_mask(const tl__work_rights *rights);
/* The same of our keys there now. */
int tl__key_mask(tl__tree *tree, tl__work *work, const tl_key *keys, size_t count,
	uint32_t *mask) TL_MUST_USE;
/* The database's row; zeroed, and *held false, when there is none. */
int tl__db_read_or_none(tl__snapshot *s, const tl_id *db, tl__db_row *row, bool *held) TL_MUST_USE;
/* Lines gathered up to a bound. One entry always fits. */
typedef struct tl__piece {
	tl__arena *arena;
	tl_str *lines;
	size_t count, cap;
	size_t bytes; /* with a line feed each */
	size_t max_bytes, max_entries;
	bool full; /* the next one did not fit */
} tl__piece;
int tl__piece_add(tl__piece *piece, tl_str bytes) TL_MUST_USE;

/* A slice of filling `page` with what is behind its cursor in work->db up to `upto`, in the work's
 * memory; work->again when it is not done. */
int tl__page_slice(tl__snapshot *s, tl__work *work, tl__work_page *page, uint64_t upto) TL_MUST_USE;

#endif
