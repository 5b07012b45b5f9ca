/* A batch as one edit of the rows: published whole, or forgotten. */
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/memory/memory.h"

/* --- rows ------------------------------------------------------------------------------------- */

static int put_fixed(tl__m_change *change, tl__table table, const void *fixed, size_t size)
{
	return tl__m_put(change, table, tl__buf_view(&change->key), fixed, size, NULL, 0);
}

static int take(tl__m_change *change, tl__table table)
{
	return tl__rows_remove(
		&change->edit, &change->view.roots[table], tl__buf_view(&change->key));
}

/* Number of a scope, given when it is new. */
static int scope_number(tl__m_change *change, tl_str name, uint32_t *scope)
{
	if (tl__m_find_scope(&change->view, &change->key, change->db.number, name, scope))
		return TL_OK;
	*scope = ++change->view.scopes;
	return put_fixed(change, TL__T_SCOPE, scope, sizeof *scope);
}

/* --- entries ---------------------------------------------------------------------------------- */

static int intern_frontier(tl__m_change *change, tl_str ids, uint64_t *number)
{
	uint8_t digest[32];
	const tl__row *row;
	int rc;

	*number = change->last_frontier_number;
	if (*number != 0 && tl__str_eq(ids, tl__buf_view(&change->last_frontier)))
		return TL_OK;
	tl_sha256(ids.ptr ? ids.ptr : "", ids.len, digest);
	tl__k_str(tl__k_number(tl__k_start(&change->key), change->db.number),
		(tl_str){(const char *)digest, sizeof digest});
	row = tl__rows_get(change->view.roots[TL__T_FRONTIER], tl__buf_view(&change->key));
	if (row) {
		tl__m_split(row, number, sizeof *number);
	} else {
		*number = ++change->view.frontiers;
		rc = put_fixed(change, TL__T_FRONTIER, number, sizeof *number);
		if (rc != TL_OK)
			return rc;
		tl__k_long(tl__k_number(tl__k_start(&change->key), change->db.number), *number);
		rc = tl__m_put(
			change, TL__T_FRONTIER_IDS, tl__buf_view(&change->key), NULL, 0, &ids, 1);
		if (rc != TL_OK)
			return rc;
	}
	tl__buf_clear(&change->last_frontier);
	tl__buf_str(&change->last_frontier, ids);
	change->last_frontier_number = change->last_frontier.failed ? 0 : *number;
	return TL_OK;
}

/* Takes the parents out of a scope's tips, makes the entry one, and places it by its height. */
static int place(tl__m_change *change, uint32_t scope, uint64_t height, const tl__put_entry *entry,
	const tl_id *parents, size_t parent_count)
{
	int rc;

	for (size_t i = 0; i < parent_count; i++) {
		tl__k_id(tl__k_number(tl__k_start(&change->key), scope), &parents[i]);
		rc = take(change, TL__T_TIP);
		if (rc != TL_OK)
			return rc;
	}
	tl__k_id(tl__k_number(tl__k_start(&change->key), scope), &entry->id);
	rc = put_fixed(change, TL__T_TIP, NULL, 0);
	if (rc != TL_OK)
		return rc;
	tl__k_long(tl__k_number(tl__k_start(&change->key), scope), height);
	tl__k_id(&change->key, &entry->id);
	return put_fixed(change, TL__T_ORDER, &entry->arrival, sizeof entry->arrival);
}

static int put_member(tl__m_change *change, const tl__put_entry *entry, const tl__put_store *store)
{
	tl__m_member member = {
		store->height, entry->verdict, (uint32_t)store->parent_count, store->unreadable};
	tl_str parents = {(const char *)store->parents, store->parent_count * sizeof(tl_id)};
	uint32_t scope;
	int rc = scope_number(change, tl__store_scope(store->name), &scope);

	if (rc != TL_OK)
		return rc;
	tl__k_id(tl__k_number(tl__k_start(&change->key), scope), &entry->id);
	rc = tl__m_put(change, TL__T_MEMBER, tl__buf_view(&change->key), &member, sizeof member,
		&parents, 1);
	if (rc != TL_OK)
		return rc;
	return place(change, scope, store->height, entry, store->parents, store->parent_count);
}

/* Notes the entry as child of each of its parents, which must be in the DAG. */
static int put_children(tl__m_change *change, const tl__put_entry *entry)
{
	for (size_t i = 0; i < entry->parent_count; i++) {
		int rc;

		tl__k_id(tl__k_number(tl__k_start(&change->key), change->db.number),
			&entry->parents[i]);
		if (!tl__rows_get(change->view.roots[TL__T_ARRIVAL], tl__buf_view(&change->key)))
			return tl__fail(TL_E_BAD_ARGUMENT,
				"an entry cannot enter the DAG before its parents");
		tl__k_long(&change->key, entry->arrival);
		rc = put_fixed(change, TL__T_CHILD, NULL, 0);
		if (rc != TL_OK)
			return rc;
	}
	return TL_OK;
}

static int put_row(tl__m_change *change, const tl__put_entry *entry)
{
	tl__m_entry row = {.id = entry->id,
		.height = entry->height,
		.parent_count = (uint32_t)entry->parent_count,
		.size = (uint32_t)entry->bytes.len,
		.verdict = entry->verdict};
	tl_str more[2] = {
		{(const char *)entry->parents, entry->parent_count * sizeof(tl_id)}, entry->bytes};
	int rc = TL_OK;

	memcpy(row.chain, change->db.row.chain, sizeof row.chain);
	if (entry->cited.len > 0)
		rc = intern_frontier(change, entry->cited, &row.cited);
	if (rc == TL_OK)
		rc = intern_frontier(change, entry->frontier, &row.frontier);
	if (rc != TL_OK)
		return rc;
	tl__k_long(tl__k_number(tl__k_start(&change->key), change->db.number), entry->arrival);
	return tl__m_put(
		change, TL__T_ENTRY, tl__buf_view(&change->key), &row, sizeof row, more, 2);
}

static int put_entry(tl__m_change *change, tl__put_entry *entry)
{
	tl__db_row *db = &change->db.row;
	uint32_t scope;
	int rc;

	tl__k_id(tl__k_number(tl__k_start(&change->key), change->db.number), &entry->id);
	if (tl__rows_get(change->view.roots[TL__T_ARRIVAL], tl__buf_view(&change->key)))
		return TL_OK;
	entry->arrival = ++db->arrivals;
	tl__chain_next(db->chain, &entry->id);
	memcpy(entry->chain, db->chain, sizeof entry->chain);
	if (entry->verdict == TL__VOID) {
		db->void_count++;
		db->void_bytes += entry->bytes.len;
	}
	rc = put_fixed(change, TL__T_ARRIVAL, &entry->arrival, sizeof entry->arrival);
	if (rc == TL_OK)
		rc = put_row(change, entry);
	if (rc == TL_OK)
		rc = put_children(change, entry);
	if (rc == TL_OK)
		rc = scope_number(change, TL__STR(""), &scope);
	if (rc == TL_OK)
		rc = place(
			change, scope, entry->height, entry, entry->parents, entry->parent_count);
	for (size_t i = 0; rc == TL_OK && i < entry->store_count; i++)
		rc = put_member(change, entry, &entry->stores[i]);
	return rc == TL_OK ? tl__m_aside_drop(change, &entry->id) : rc;
}

/* Whether the database has one tip. */
static bool is_joined(tl__m_change *change, uint32_t scope)
{
	tl__rows_walk walk;
	tl_str prefix = tl__buf_view(tl__k_number(tl__k_start(&change->key), scope));

	tl__rows_seek(&walk, change->view.roots[TL__T_TIP], prefix, prefix);
	return tl__rows_next(&walk) && !tl__rows_next(&walk);
}

static int note_joint(tl__m_change *change)
{
	tl__m_db *db = &change->db;
	uint32_t scope;
	int rc = TL_OK;

	if (db->row.arrivals < db->joint + TL__STORE_JOINT_EVERY)
		return TL_OK;
	rc = scope_number(change, TL__STR(""), &scope);
	if (rc != TL_OK || !is_joined(change, scope))
		return rc;
	db->joint = db->row.arrivals;
	tl__k_long(tl__k_number(tl__k_start(&change->key), db->number), UINT64_MAX - db->joint);
	return put_fixed(change, TL__T_JOINT, NULL, 0);
}

/* --- state ------------------------------------------------------------------------------------ */

static bool newer(const tl__stamp *a, const tl__stamp *b)
{
	if (a->height != b->height)
		return a->height > b->height;
	return memcmp(a->id.b, b->id.b, TL_ID_BYTES) > 0;
}

static int put_raise(tl__m_change *change, const tl__raise *raise)
{
	tl__m_stamps state = {{false}, {{0}}};
	tl_str value = {"", 0};
	const tl__row *row;
	uint32_t scope;
	int rc = scope_number(change, tl__store_scope(raise->store), &scope);

	if (rc != TL_OK)
		return rc;
	tl__k_str(tl__k_number(tl__k_start(&change->key), scope), raise->path);
	row = tl__rows_get(change->view.roots[TL__T_STATE], tl__buf_view(&change->key));
	if (row)
		value = tl__m_split(row, &state, sizeof state);
	if (state.has[raise->kind] && !newer(&raise->stamp, &state.stamps[raise->kind]))
		return TL_OK;
	state.has[raise->kind] = true;
	state.stamps[raise->kind] = raise->stamp;
	if (raise->kind == TL__STAMP_LEAF)
		value = raise->value;
	return tl__m_put(
		change, TL__T_STATE, tl__buf_view(&change->key), &state, sizeof state, &value, 1);
}

static int drop_stamp(tl__m_change *change, const tl__raise *drop)
{
	tl__m_stamps state;
	const tl__row *row;
	tl_str value, key;
	uint32_t scope;
	int rc = scope_number(change, tl__store_scope(drop->store), &scope);

	if (rc != TL_OK)
		return rc;
	tl__k_str(tl__k_number(tl__k_start(&change->key), scope), drop->path);
	key = tl__buf_view(&change->key);
	row = tl__rows_get(change->view.roots[TL__T_STATE], key);
	if (!row)
		return tl__buf_status(&change->key);
	value = tl__m_split(row, &state, sizeof state);
	if (!state.has[drop->kind] || newer(&state.stamps[drop->kind], &drop->stamp))
		return TL_OK;
	state.has[drop->kind] = false;
	if (!state.has[TL__STAMP_DOC] && !state.has[TL__STAMP_LIST] && !state.has[TL__STAMP_LEAF])
		return tl__rows_remove(&change->edit, &change->view.roots[TL__T_STATE], key);
	if (drop->kind == TL__STAMP_LEAF)
		value = TL__STR("");
	return tl__m_put(change, TL__T_STATE, key, &state, sizeof state, &value, 1);
}

/* --- batches ---------------------------------------------------------------------------------- */

static int put_named(tl__m_change *change, tl__table table, tl_str key, tl_str value)
{
	if (!value.ptr)
		return tl__rows_remove(&change->edit, &change->view.roots[table], key);
	return tl__m_put(change, table, key, NULL, 0, &value, 1);
}

static bool needs_database(const tl__batch *batch)
{
	return batch->entry_count || batch->raise_count || batch->drop_count ||
	       batch->aside_count || batch->drop_aside_count;
}

static int apply_database(tl__m_change *change, tl__batch *batch)
{
	int rc = TL_OK;

	change->db_id = batch->db;
	if (!tl__m_find_db(&change->view, &batch->db, &change->db))
		change->db = (tl__m_db){.row.db = batch->db, .number = ++change->view.databases};
	for (size_t i = 0; rc == TL_OK && i < batch->entry_count; i++)
		rc = put_entry(change, &batch->entries[i]);
	if (rc == TL_OK && batch->entry_count > 0)
		rc = note_joint(change);
	for (size_t i = 0; rc == TL_OK && i < batch->raise_count; i++)
		rc = put_raise(change, &batch->raises[i]);
	for (size_t i = 0; rc == TL_OK && i < batch->drop_count; i++)
		rc = drop_stamp(change, &batch->drops[i]);
	for (size_t i = 0; rc == TL_OK && i < batch->aside_count; i++)
		rc = tl__m_aside_put(change, &batch->asides[i]);
	for (size_t i = 0; rc == TL_OK && i < batch->drop_aside_count; i++)
		rc = tl__m_aside_drop(change, &batch->drop_asides[i]);
	if (rc == TL_OK)
		rc = tl__m_put(change, TL__T_DATABASE,
			(tl_str){(const char *)batch->db.b, TL_ID_BYTES}, &change->db,
			sizeof change->db, NULL, 0);
	return rc;
}

static int apply_batch(tl__m_change *change, tl__batch *batch)
{
	int rc = needs_database(batch) ? apply_database(change, batch) : TL_OK;

	for (size_t i = 0; rc == TL_OK && i < batch->local_count; i++)
		rc = put_named(change, TL__T_LOCAL, batch->locals[i].key, batch->locals[i].value);
	for (size_t i = 0; rc == TL_OK && i < batch->key_count; i++)
		rc = put_named(change, TL__T_KEY, batch->keys[i].name, batch->keys[i].value);
	return rc == TL_OK ? tl__buf_status(&change->key) : rc;
}

/* Only the leader changes `now`, so it may read it without the lock. */
static void change_start(tl__m_change *change, const tl__memory *memory)
{
	memset(change, 0, sizeof *change);
	change->view = memory->now;
	change->view.version++;
	tl__rows_edit_init(&change->edit, change->view.version);
}

static int change_end(tl__m_change *change, tl__memory *memory, int rc)
{
	tl__block_list unseen;

	tl__buf_free(&change->key);
	tl__buf_free(&change->last_frontier);
	if (rc != TL_OK) {
		tl__rows_edit_undo(&change->edit);
		return rc;
	}
	pthread_mutex_lock(&memory->lock);
	memory->now = change->view;
	if (memory->newest)
		tl__blocks_move(
			&memory->newest->dead, &change->edit.retired, memory->newest->view.version);
	pthread_mutex_unlock(&memory->lock);
	/* what no snapshot sees, freed without the lock */
	tl__blocks_init(&unseen);
	tl__blocks_move(&unseen, &change->edit.retired, UINT64_MAX);
	tl__blocks_free(&unseen);
	return TL_OK;
}

int tl__m_apply(tl__store *store, tl__batch *batch)
{
	tl__memory *memory = (tl__memory *)store;
	tl__m_change change;

	change_start(&change, memory);
	return change_end(&change, memory, apply_batch(&change, batch));
}
