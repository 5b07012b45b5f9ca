/* A batch as rows. */
#include <stdlib.h>
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "store/sqlite/sqlite.h"

/* --- tips: gathered over the batch, since most entries of a page lose theirs at once ---------- */

enum { TIP_NEW = 1, TIP_GONE = 2 };

static tl_str tip_key(char memory[8 + TL_ID_BYTES], int64_t scope, const tl_id *id)
{
	memcpy(memory, &scope, 8);
	memcpy(memory + 8, id->b, TL_ID_BYTES);
	return (tl_str){memory, 8 + TL_ID_BYTES};
}

static int add_tip(tl__sq_change *change, int64_t scope, const tl_id *id)
{
	char memory[8 + TL_ID_BYTES];

	return tl__map_set(&change->tips, tip_key(memory, scope, id), (void *)(uintptr_t)TIP_NEW);
}

static int end_tip(tl__sq_change *change, int64_t scope, const tl_id *id)
{
	char memory[8 + TL_ID_BYTES];
	tl_str key = tip_key(memory, scope, id);

	if ((uintptr_t)tl__map_get(&change->tips, key) == TIP_NEW) {
		tl__map_remove(&change->tips, key);
		return TL_OK;
	}
	return tl__map_set(&change->tips, key, (void *)(uintptr_t)TIP_GONE);
}

static int write_tips(tl__sq_change *change)
{
	size_t at = 0;
	tl_str key;
	void *what;

	while (tl__map_next(&change->tips, &at, &key, &what)) {
		bool is_new = (uintptr_t)what == TIP_NEW;
		tl__sq_query q;
		int64_t scope;
		int rc;

		memcpy(&scope, key.ptr, sizeof scope);
		tl__sq_start(&q, change->conn, is_new ? TL__SQL_TIP_PUT : TL__SQL_TIP_DROP);
		tl__sq_int(&q, scope);
		tl__sq_blob(&q, (tl_str){key.ptr + 8, TL_ID_BYTES});
		if (is_new)
			tl__sq_sum(&q, 'T');
		rc = tl__sq_run(&q);
		if (rc != TL_OK)
			return rc;
	}
	return TL_OK;
}

/* --- entries ---------------------------------------------------------------------------------- */

static tl__sq_recent *recent_slot(tl__sqlite *store, const tl_id *id)
{
	return &store->recent[(id->b[1] | (unsigned)id->b[2] << 8) % TL__SQ_RECENT];
}

static int parent_number(tl__sq_change *change, const tl_id *id, int64_t *n)
{
	tl__sq_recent *recent = recent_slot(change->store, id);
	int rc;

	if (tl__id_equal(&recent->id, id) && recent->n >> 40 == change->db.db) {
		*n = recent->n;
		return TL_OK;
	}
	rc = tl__sq_entry_number(change->conn, change->db.db, id, n);
	if (rc == TL_OK && *n == 0)
		return tl__fail(
			TL_E_BAD_ARGUMENT, "an entry cannot enter the DAG before its parents");
	return rc;
}

static int put_place(
	tl__sq_change *change, int64_t scope, uint64_t height, const tl_id *id, int64_t n)
{
	tl__sq_query q;

	tl__sq_start(&q, change->conn, TL__SQL_PLACE_PUT);
	tl__sq_int(&q, scope);
	tl__sq_int(&q, (int64_t)height);
	tl__sq_id(&q, id);
	tl__sq_int(&q, n);
	tl__sq_sum(&q, 'P');
	return tl__sq_run(&q);
}

/* Places the entry in a scope, takes its parents out of the tips there and makes it one. */
static int place(tl__sq_change *change, int64_t scope, uint64_t height, const tl__put_entry *entry,
	int64_t n, const tl_id *parents, size_t parent_count)
{
	int rc = put_place(change, scope, height, &entry->id, n);

	for (size_t i = 0; rc == TL_OK && i < parent_count; i++)
		rc = end_tip(change, scope, &parents[i]);
	return rc == TL_OK ? add_tip(change, scope, &entry->id) : rc;
}

/* Packs what the entry carries of its stores. */
static int pack_stores(tl__sq_change *change, const tl__put_entry *entry)
{
	tl__buf_clear(&change->stores);
	for (size_t i = 0; i < entry->store_count; i++) {
		const tl__put_store *store = &entry->stores[i];
		tl__sq_member member = {.height = store->height,
			.parent_count = (uint32_t)store->parent_count,
			.unreadable = store->unreadable,
			.parents = store->parents};
		int rc = tl__sq_scope(change->conn, change->db.db, tl__store_scope(store->name),
			true, &member.scope);

		if (rc != TL_OK)
			return rc;
		tl__sq_pack(&change->stores, &member);
	}
	return tl__buf_status(&change->stores);
}

static int place_in_stores(tl__sq_change *change, const tl__put_entry *entry, int64_t n)
{
	tl__sq_member member;
	size_t at = 0;
	int rc = TL_OK;

	while (rc == TL_OK && tl__sq_unpack(tl__buf_view(&change->stores), &at, &member))
		rc = place(change, member.scope, member.height, entry, n, member.parents,
			member.parent_count);
	return rc;
}

static int put_children(tl__sq_change *change, const tl__put_entry *entry, int64_t n)
{
	for (size_t i = 0; i < entry->parent_count; i++) {
		tl__sq_query q;
		int64_t parent;
		int rc = parent_number(change, &entry->parents[i], &parent);

		if (rc != TL_OK)
			return rc;
		tl__sq_start(&q, change->conn, TL__SQL_CHILD_PUT);
		tl__sq_int(&q, parent);
		tl__sq_int(&q, n);
		tl__sq_sum(&q, 'C');
		rc = tl__sq_run(&q);
		if (rc != TL_OK)
			return rc;
	}
	return TL_OK;
}

/* Puts the row of an entry unless it is known. */
static int put_row(tl__sq_change *change, const tl__put_entry *entry, int64_t n,
	const uint8_t chain[32], bool *known)
{
	tl__sq_query q;
	int64_t frontier;
	int rc = tl__sq_intern(
		change->conn, &change->store->frontier, change->db.db, entry->frontier, &frontier);

	if (rc == TL_OK)
		rc = pack_stores(change, entry);
	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, change->conn, TL__SQL_ENTRY_PUT);
	tl__sq_int(&q, n);
	tl__sq_int(&q, change->db.db);
	tl__sq_id(&q, &entry->id);
	tl__sq_int(&q, (int64_t)entry->height);
	tl__sq_int(&q, entry->verdict);
	tl__sq_int(&q, frontier);
	tl__sq_int(&q, (int64_t)entry->bytes.len);
	tl__sq_blob(
		&q, (tl_str){(const char *)entry->parents, entry->parent_count * sizeof(tl_id)});
	tl__sq_blob(&q, tl__buf_view(&change->stores));
	tl__sq_blob(&q, (tl_str){(const char *)chain, 32});
	tl__sq_sum(&q, 'E');
	tl__sq_blob_free(&q, entry->bytes);
	rc = tl__sq_run(&q);
	*known = rc == TL_OK && sqlite3_changes(change->conn->db) == 0;
	return rc;
}

static int put_cited(tl__sq_change *change, const tl__put_entry *entry, int64_t n)
{
	int64_t number;
	int rc;

	if (entry->cited.len == 0)
		return TL_OK;
	rc = tl__sq_intern(
		change->conn, &change->store->cited, change->db.db, entry->cited, &number);
	return rc == TL_OK ? tl__sq_put_cited(change->conn, n, number) : rc;
}

/* What follows from an entry that is new. */
static int put_derived(tl__sq_change *change, const tl__put_entry *entry, int64_t n)
{
	int64_t scope;
	int rc = put_children(change, entry, n);

	if (rc == TL_OK)
		rc = put_cited(change, entry, n);
	if (rc == TL_OK)
		rc = tl__sq_scope(change->conn, change->db.db, TL__STR(""), true, &scope);
	if (rc == TL_OK)
		rc = place(change, scope, entry->height, entry, n, entry->parents,
			entry->parent_count);
	if (rc == TL_OK)
		rc = place_in_stores(change, entry, n);
	if (rc == TL_OK && change->db.asides > 0)
		rc = tl__sq_aside_drop(change, &entry->id);
	if (rc == TL_OK)
		*recent_slot(change->store, &entry->id) = (tl__sq_recent){entry->id, n};
	return rc;
}

static int put_entry(tl__sq_change *change, tl__put_entry *entry)
{
	tl__db_row *db = &change->db.row;
	int64_t n = tl__sq_n(change->db.db, db->arrivals + 1);
	uint8_t chain[32];
	bool known;
	int rc;

	memcpy(chain, db->chain, sizeof chain);
	tl__chain_next(chain, &entry->id);
	rc = put_row(change, entry, n, chain, &known);
	if (rc != TL_OK || known)
		return rc;
	memcpy(db->chain, chain, sizeof chain);
	memcpy(entry->chain, chain, sizeof chain);
	entry->arrival = ++db->arrivals;
	if (entry->verdict == TL__VOID) {
		db->void_count++;
		db->void_bytes += entry->bytes.len;
	}
	return put_derived(change, entry, n);
}

/* --- state, local documents, keys ------------------------------------------------------------- */

static int put_raise(tl__sq_change *change, const tl__raise *raise)
{
	tl__sq_query q;
	int64_t scope;
	int rc = tl__sq_scope(
		change->conn, change->db.db, tl__store_scope(raise->store), true, &scope);

	if (rc != TL_OK)
		return rc;
	tl__sq_start(&q, change->conn, TL__SQL_STATE_RAISE);
	tl__sq_int(&q, scope);
	tl__sq_blob(&q, raise->path);
	tl__sq_int(&q, raise->kind);
	tl__sq_int(&q, (int64_t)raise->stamp.height);
	tl__sq_id(&q, &raise->stamp.id);
	tl__sq_blob(&q, raise->value);
	tl__sq_sum(&q, 'V');
	return tl__sq_run(&q);
}

static int by_path(const void *a, const void *b)
{
	const tl__raise *left = *(const tl__raise *const *)a;
	const tl__raise *right = *(const tl__raise *const *)b;
	int order = tl__str_compare(left->store, right->store);

	return order != 0 ? order : tl__str_compare(left->path, right->path);
}

/* Stamps may be raised in any order; in that of their paths the pages of the table are visited one
 * after the other. */
static int put_raises(tl__sq_change *change, const tl__raise *raises, size_t count)
{
	const tl__raise **sorted;
	int rc = TL_OK;

	if (count == 0)
		return TL_OK;
	sorted = tl__alloc_zero(count, sizeof(const tl__raise *));
	if (!sorted)
		return TL_E_NOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &raises[i];
	qsort(sorted, count, sizeof(const tl__raise *), by_path);
	for (size_t i = 0; rc == TL_OK && i < count; i++)
		rc = put_raise(change, sorted[i]);
	tl__free(sorted);
	return rc;
}

static int drop_stamp(tl__sq_change *change, const tl__raise *drop)
{
	tl__sq_query q;
	int64_t scope;
	int rc = tl__sq_scope(
		change->conn, change->db.db, tl__store_scope(drop->store), false, &scope);

	if (rc != TL_OK || !scope)
		return rc;
	tl__sq_start(&q, change->conn, TL__SQL_STATE_DROP);
	tl__sq_int(&q, scope);
	tl__sq_blob(&q, drop->path);
	tl__sq_int(&q, drop->kind);
	tl__sq_int(&q, (int64_t)drop->stamp.height);
	tl__sq_id(&q, &drop->stamp.id);
	return tl__sq_run(&q);
}

static int put_named(tl__sq_conn *conn, char table, tl_str name, tl_str value)
{
	bool local = table == 'L';
	tl__sq_query q;

	if (value.ptr) {
		tl__sq_start(&q, conn, local ? TL__SQL_LOCAL_PUT : TL__SQL_KEY_PUT);
		tl__sq_blob(&q, name);
		tl__sq_blob(&q, value);
		tl__sq_sum(&q, table);
	} else {
		tl__sq_start(&q, conn, local ? TL__SQL_LOCAL_DROP : TL__SQL_KEY_DROP);
		tl__sq_blob(&q, name);
	}
	return tl__sq_run(&q);
}

/* --- the batch -------------------------------------------------------------------------------- */

static int next_database(tl__sq_change *change)
{
	tl__sq_query q;
	bool row;
	int rc;

	tl__sq_start(&q, change->conn, TL__SQL_DATABASE_NEXT);
	rc = tl__sq_step(&q, &row);
	if (rc != TL_OK)
		return rc;
	change->db.db = row ? tl__sq_col_int(&q, 0) : 1;
	change->db.row = (tl__db_row){.db = change->batch->db};
	tl__sq_end(&q);
	if (change->db.db >= TL__SQ_MAX_DATABASES)
		return tl__fail(TL_E_TOO_LARGE, "the store holds %d databases, which is the most",
			TL__SQ_MAX_DATABASES - 1);
	return TL_OK;
}

static int load_database(tl__sq_change *change)
{
	tl__sqlite *store = change->store;
	int rc;

	change->db = store->known;
	if (change->db.db && tl__id_equal(&change->db.row.db, &change->batch->db))
		return TL_OK;
	rc = tl__sq_load_database(change->conn, &change->batch->db, &change->db);
	return rc == TL_OK && !change->db.db ? next_database(change) : rc;
}

/* Writes the row if it says anything new, and remembers the database for the next batch. */
static int save_database(tl__sq_change *change)
{
	tl__sq_known *db = &change->db;
	bool is_new = !tl__id_equal(&db->stored.db, &db->row.db);
	int rc = TL_OK;

	if (is_new || db->stored.void_count != db->row.void_count ||
		db->stored_asides != db->asides) {
		tl__sq_query q;

		tl__sq_start(&q, change->conn, TL__SQL_DATABASE_PUT);
		tl__sq_int(&q, db->db);
		tl__sq_id(&q, &db->row.db);
		tl__sq_int(&q, (int64_t)db->row.void_count);
		tl__sq_int(&q, (int64_t)db->row.void_bytes);
		tl__sq_int(&q, db->asides);
		tl__sq_sum(&q, 'D');
		rc = tl__sq_run(&q);
		db->stored = db->row;
		db->stored_asides = db->asides;
	}
	change->store->known = *db;
	return rc;
}

static int write_database(tl__sq_change *change)
{
	const tl__batch *batch = change->batch;
	int rc = load_database(change);

	for (size_t i = 0; rc == TL_OK && i < batch->entry_count; i++)
		rc = put_entry(change, &batch->entries[i]);
	if (rc == TL_OK)
		rc = put_raises(change, batch->raises, batch->raise_count);
	for (size_t i = 0; rc == TL_OK && i < batch->drop_count; i++)
		rc = drop_stamp(change, &batch->drops[i]);
	for (size_t i = 0; rc == TL_OK && i < batch->aside_count; i++)
		rc = tl__sq_aside_put(change, &batch->asides[i]);
	for (size_t i = 0; rc == TL_OK && i < batch->drop_aside_count; i++)
		rc = tl__sq_aside_drop(change, &batch->drop_asides[i]);
	if (rc == TL_OK)
		rc = write_tips(change);
	if (rc == TL_OK && batch->entry_count > 0)
		rc = tl__sq_note_joint(change);
	return rc == TL_OK ? save_database(change) : rc;
}

int tl__sq_write_batch(tl__sqlite *store, tl__batch *batch)
{
	tl__sq_change change = {.store = store, .conn = store->writer, .batch = batch};
	bool has_database = batch->entry_count || batch->raise_count || batch->drop_count ||
			    batch->aside_count || batch->drop_aside_count;
	int rc;

	tl__map_init(&change.tips);
	rc = has_database ? write_database(&change) : TL_OK;
	tl__map_free(&change.tips);
	tl__buf_free(&change.stores);
	for (size_t i = 0; rc == TL_OK && i < batch->local_count; i++)
		rc = put_named(store->writer, 'L', batch->locals[i].key, batch->locals[i].value);
	for (size_t i = 0; rc == TL_OK && i < batch->key_count; i++)
		rc = put_named(store->writer, 'K', batch->keys[i].name, batch->keys[i].value);
	return rc;
}
