/* What the sync core remembers: its records in `_sync` and its local documents. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/trust/rights.h"
#include "work/work.h"

/* --- the database `_sync` --------------------------------------------------------------------- */

static int make_sync_db(tl__host *host, tl_id *out)
{
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	char text[TL_ID_TEXT_LEN + 1];
	tl__put_local local = {.key = TL__STR(TL__LOCAL_SYNC_DB)};
	tl__batch batch = {.locals = &local, .local_count = 1, .local_commit = true};
	int rc = settings ? TL_OK : TL_E_NOMEM;

	if (rc == TL_OK)
		rc = tl_doc_put(settings, TL__STR("name"), tl_value_text(TL__STR("_sync")));
	if (rc == TL_OK)
		rc = tl_doc_put(settings, TL__STR("type"), tl_value_text(TL__STR("sync_settings")));
	if (rc == TL_OK)
		rc = tl__database_create(host, settings, TL__STR(TL__DEVICE_KEY_NAME), &db);
	if (rc == TL_OK) {
		*out = *tl_database_root_id(db);
		tl_id_format(out, text);
		local.value = tl__str_z(text);
		rc = tl__store_write(host->tree->store, &batch);
	}
	tl_database_free(db);
	tl_value_free(settings);
	return rc;
}

static int find_sync_db(tl__host *host, tl_id *out)
{
	char *text = NULL;
	size_t len = 0;
	int rc = tl__read_local(host->tree->store, TL__STR(TL__LOCAL_SYNC_DB), &text, &len);

	if (rc == TL_E_NOT_FOUND)
		return make_sync_db(host, out);
	if (rc == TL_OK)
		rc = tl_id_parse(out, (tl_str){text, len});
	tl__free(text);
	return rc;
}

/* --- load ------------------------------------------------------------------------------------- */

typedef struct loading {
	tl__work *work;
	size_t cap;
} loading;

static int take_local(void *ud, tl_str key, tl_str value)
{
	loading *to = ud;
	tl__work_load *load = &to->work->load;
	tl__arena *arena = &to->work->arena;
	void *array = load->locals;
	tl__put_local *local;
	int rc = tl__arena_grow(arena, &array, &to->cap, load->local_count, sizeof *local);

	load->locals = array;
	if (rc != TL_OK)
		return rc;
	local = &load->locals[load->local_count];
	local->key = tl__arena_str(arena, key);
	local->value = tl__arena_str(arena, value);
	if (!local->key.ptr || !local->value.ptr)
		return TL_E_NOMEM;
	load->local_count++;
	return TL_OK;
}

static int take_db(void *ud, const tl__db_row *row)
{
	loading *to = ud;
	tl__work_load *load = &to->work->load;
	void *array = load->dbs;
	int rc = tl__arena_grow(
		&to->work->arena, &array, &to->cap, load->db_count, sizeof *load->dbs);

	load->dbs = array;
	if (rc != TL_OK)
		return rc;
	load->dbs[load->db_count++] = (tl__work_db){.id = row->db, .arrivals = row->arrivals};
	return TL_OK;
}

/* Whose rights are to be looked at when somebody asks what there is. */
static void tell_held(tl__tree *tree, const tl__work_load *load)
{
	tl__rights_all_held(tree, true);
	for (size_t i = 0; i < load->db_count; i++)
		tl__rights_held(tree, &load->dbs[i].id);
}

int tl__work_load_run(tl__host *host, tl__work *work)
{
	tl__work_load *load = &work->load;
	tl__snapshot *s = NULL;
	loading locals = {work, 0}, dbs = {work, 0};
	int rc = find_sync_db(host, &load->sync_db);

	if (rc == TL_OK)
		rc = tl__read_locals(
			host->tree->store, TL__STR(TL__LOCAL_SYNC_START), take_local, &locals);
	if (rc == TL_OK)
		rc = tl__snapshot_open(host->tree->store, &s);
	if (rc == TL_OK)
		rc = tl__read_databases(s, take_db, &dbs);
	if (rc == TL_OK)
		tell_held(host->tree, load);
	if (rc == TL_OK)
		rc = tl__state_doc(s, &load->sync_db, TL__STR("peers"), &load->peers);
	if (rc == TL_OK)
		rc = tl__state_doc(s, &load->sync_db, TL__STR("trees"), &load->trees);
	tl__snapshot_close(s);
	return rc;
}

/* --- save ------------------------------------------------------------------------------------- */

static bool same(const tl_value *present, const tl__work_record *record)
{
	if (!present || tl_value_type(present) == TL_DELETED)
		return !record->is_int && !record->text.ptr;
	if (record->is_int)
		return tl_value_type(present) == TL_INT &&
		       tl_value_as_int(present) == record->number;
	return record->text.ptr && tl_value_type(present) == TL_TEXT &&
	       tl__str_eq(tl_value_as_text(present), record->text);
}

static int stage_doc(tl_transaction *tx, const tl__work_record *record, bool *staged)
{
	tl_value *present = NULL;
	tl_doc_store *store;
	int rc = tl_transaction_doc_store(tx, tl__str_z(record->store), &store);

	if (rc != TL_OK)
		return rc;
	rc = tl_doc_store_get_at_path(store, record->path, record->path_len, &present);
	if (rc == TL_E_KEY_NOT_FOUND)
		rc = TL_OK;
	if (rc == TL_OK && !same(present, record)) {
		*staged = true;
		if (!record->is_int && !record->text.ptr)
			rc = tl_doc_store_delete_at_path(
				store, record->path, record->path_len, NULL);
		else
			rc = tl_doc_store_set_at_path(store, record->path, record->path_len,
				record->is_int ? tl_value_int(record->number)
					       : tl_value_text(record->text));
	}
	tl_value_free(present);
	tl_doc_store_free(store);
	return rc;
}

static int stage_row(tl_transaction *tx, const tl__work_record *record, bool *staged)
{
	char *present = NULL;
	size_t len = 0;
	tl_table *table;
	int rc = tl_transaction_table(tx, tl__str_z(record->store), &table);

	if (rc != TL_OK)
		return rc;
	rc = tl_table_get(table, record->path[0], &present, &len);
	if (rc == TL_E_KEY_NOT_FOUND)
		rc = TL_OK;
	if (rc == TL_OK && !record->text.ptr) {
		*staged = *staged || present;
		rc = tl_table_delete(table, record->path[0], NULL);
	} else if (rc == TL_OK && (!present || !tl__str_eq(record->text, (tl_str){present, len}))) {
		*staged = true;
		rc = tl_table_set(table, record->path[0], record->text);
	}
	tl_free(present);
	tl_table_free(table);
	return rc;
}

static int save_records(tl__host *host, const tl__work_save *save)
{
	tl_database *db = NULL;
	tl_transaction *tx = NULL;
	bool staged = false;
	int rc = tl__database_open(host, &save->sync_db, &db);

	if (rc == TL_OK)
		rc = tl_transaction_new(db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_set_auth_key(tx, TL__STR(TL__DEVICE_KEY_NAME));
	for (size_t i = 0; rc == TL_OK && i < save->record_count; i++) {
		const tl__work_record *record = &save->records[i];

		if (strcmp(record->store, TL__SYNC_REQUESTS) == 0)
			rc = stage_row(tx, record, &staged);
		else
			rc = stage_doc(tx, record, &staged);
	}
	if (rc == TL_OK && staged)
		rc = tl_transaction_commit(tx, NULL);
	tl_transaction_free(tx);
	tl_database_free(db);
	return rc;
}

int tl__work_save_run(tl__host *host, tl__work *work)
{
	const tl__work_save *save = &work->save;
	tl__batch batch = {.locals = save->locals, .local_count = save->local_count};
	int rc = TL_OK;

	if (save->record_count > 0)
		rc = save_records(host, save);
	if (rc == TL_OK && save->local_count > 0)
		rc = tl__store_write(host->tree->store, &batch);
	return rc;
}
