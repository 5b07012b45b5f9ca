/* Asking: what we hold, and what a peer named that we hold. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "work/work_serve.h"
#include "wire/v1.h"

uint32_t tl__rights_mask(const tl__work_rights *rights)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < rights->key_count && i < 32; i++)
		if (rights->keys[i].active)
			mask |= 1u << i;
	return mask;
}

int tl__key_mask(tl__tree *tree, tl__work *work, const tl_key *keys, size_t count, uint32_t *mask)
{
	tl__work_rights rights = {0};
	int rc = count > 0 ? tl__work_rights_of(tree, &work->db, keys, count, &work->arena, &rights)
			   : TL_OK;

	*mask = rc == TL_OK ? tl__rights_mask(&rights) : 0;
	return rc;
}

int tl__db_read_or_none(tl__snapshot *s, const tl_id *db, tl__db_row *row, bool *held)
{
	int rc = tl__read_database(s, db, row);

	if (rc == TL_E_DATABASE_NOT_FOUND) {
		memset(row, 0, sizeof *row);
		rc = TL_OK;
	}
	*held = row->arrivals > 0;
	return rc;
}

/* --- tips ------------------------------------------------------------------------------------- */

static int read_our_tips(tl__tree *tree, tl__snapshot *s, tl__work *work)
{
	tl__work_tips *out = &work->tips;
	tl__db_row row;
	int rc = tl__db_read_or_none(s, &work->db, &row, &out->held);

	out->arrivals = row.arrivals;
	if (rc == TL_OK)
		rc = tl__tips_read(s, work, &out->ids, &out->tip_count, out->tips_hash);
	if (rc != TL_OK || !out->held)
		return rc;
	out->id_count = out->tip_count;
	if (out->id_count > out->max_tips)
		out->id_count = 0;
	return tl__key_mask(tree, work, out->keys, out->key_count, &out->key_mask);
}

int tl__work_tips_run(tl__tree *tree, tl__work *work)
{
	tl__snapshot *s;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc != TL_OK)
		return rc;
	rc = read_our_tips(tree, s, work);
	tl__snapshot_close(s);
	return rc;
}

/* --- lookup ----------------------------------------------------------------------------------- */

#define LOOKED_UP_AT_ONCE 64

/* Numbers are kept as pointers: TL__FOUND_NOT is none. */
static int mark(tl__map *marks, const tl_id *id, tl__work_found found)
{
	return tl__map_set(marks, tl__map_key_id(id), (void *)(uintptr_t)found);
}

static int mark_entry(void *ud, const tl__entry_row *row)
{
	return mark(ud, &row->id, TL__FOUND_DAG);
}

static int mark_aside(void *ud, const tl__aside_row *row)
{
	return mark(ud, &row->id,
		row->verdict == TL__PENDING ? TL__FOUND_PENDING : TL__FOUND_QUARANTINE);
}

static int look_up_some(tl__snapshot *s, tl__work *work)
{
	tl__work_lookup *out = &work->lookup;
	const tl_id *ids = out->ids + out->at;
	size_t count = out->count - out->at;
	tl__map marks;
	int rc;

	if (count > LOOKED_UP_AT_ONCE)
		count = LOOKED_UP_AT_ONCE;
	tl__map_init(&marks);
	rc = tl__read_asides(s, &work->db, ids, count, 0, mark_aside, &marks);
	if (rc == TL_OK)
		rc = tl__read_entries(s, &work->db, ids, count, 0, mark_entry, &marks);
	for (size_t i = 0; rc == TL_OK && i < count; i++)
		out->found[out->at + i] =
			(tl__work_found)(uintptr_t)tl__map_get(&marks, tl__map_key_id(&ids[i]));
	tl__map_free(&marks);
	out->at += count;
	work->rows += count;
	return rc;
}

static int compare_tips(tl__snapshot *s, tl__work *work)
{
	tl__work_lookup *out = &work->lookup;
	uint8_t ours[32], given[32];
	tl_id *tips;
	size_t count;
	int rc = tl__tips_read(s, work, &tips, &count, ours);

	if (rc != TL_OK)
		return rc;
	/* Both lists are ascending. */
	tl__v1_tips_hash(out->ids, out->count, given);
	out->same_tips = count == out->count && memcmp(ours, given, sizeof ours) == 0;
	return TL_OK;
}

static int begin_look_up(tl__snapshot *s, tl__work *work)
{
	tl__work_lookup *out = &work->lookup;
	tl__db_row row;
	bool held;
	int rc;

	out->found = tl__arena_alloc(&work->arena, out->count + 1, sizeof *out->found);
	if (!out->found)
		return TL_E_NOMEM;
	rc = tl__db_read_or_none(s, &work->db, &row, &held);
	out->arrivals = row.arrivals;
	return rc == TL_OK ? compare_tips(s, work) : rc;
}

int tl__work_lookup_run(tl__tree *tree, tl__work *work)
{
	tl__work_lookup *out = &work->lookup;
	tl__snapshot *s;
	int rc = tl__snapshot_open(tree->store, &s);

	if (rc != TL_OK)
		return rc;
	if (!out->found)
		rc = begin_look_up(s, work);
	while (rc == TL_OK && out->at < out->count && !tl__work_spent(work))
		rc = look_up_some(s, work);
	work->again = out->at < out->count;
	tl__snapshot_close(s);
	return rc;
}
