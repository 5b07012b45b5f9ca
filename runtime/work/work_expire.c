/* Access requests of `_sync` that nobody decided in time: their rows are taken away. */
#include "base/fail.h"
#include "base/json/fields.h"
#include "base/mem.h"
#include "base/str.h"
#include "work/work.h"

typedef struct finding {
	const tl__work_expire *wish;
	tl__arena *arena;
	tl_str *rows; /* room for max_rows */
	size_t count;
	bool more;
} finding;

/* What cannot be read is left alone: it may be somebody's who knows more. */
static bool is_expired(const tl__work_expire *wish, tl_str row)
{
	tl_str timestamp = TL__STR_NULL, status = TL__STR_NULL;
	const tl__field members[] = {{"timestamp", TL__FIELD_TEXT, &timestamp, true},
		{"status", TL__FIELD_VERBATIM, &status, true}};
	tl__arena arena = TL__ARENA_INIT;
	int rc = TL__FIELDS_READ(row, &arena, "access request", TL_E_STORE_DAMAGED, members);
	int64_t time;
	bool expired = rc == TL_OK && tl__str_eq(status, TL__STR("\"Pending\"")) &&
		       tl__time_parse(timestamp.ptr, timestamp.len, &time) == TL_OK &&
		       time < wish->before;

	tl__arena_free(&arena);
	return expired;
}

static int look_at_row(void *ud, tl_str key, tl_str row)
{
	finding *found = ud;

	if (!is_expired(found->wish, row))
		return TL_OK;
	if (found->count == found->wish->max_rows) {
		found->more = true;
		return TL_STOP;
	}
	found->rows[found->count] = tl__arena_str(found->arena, key);
	return found->rows[found->count++].ptr ? TL_OK : TL_E_NOMEM;
}

static int take_away(tl_transaction *tx, tl_table *table, const finding *found)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < found->count; i++)
		rc = tl_table_delete(table, found->rows[i], NULL);
	if (rc == TL_OK && found->count > 0)
		rc = tl_transaction_commit(tx, NULL);
	return rc;
}

int tl__work_expire_run(tl__host *host, tl__work *work)
{
	tl__work_expire *wish = &work->expire;
	finding found = {.wish = wish, .arena = &work->arena};
	tl_database *db = NULL;
	tl_transaction *tx = NULL;
	tl_table *table = NULL;
	int rc;

	found.rows = tl__arena_alloc(&work->arena, wish->max_rows, sizeof *found.rows);
	rc = found.rows ? tl__database_open(host, &wish->sync_db, &db) : TL_E_NOMEM;
	if (rc == TL_OK)
		rc = tl_transaction_new(db, &tx);
	if (rc == TL_OK)
		rc = tl_transaction_set_auth_key(tx, TL__STR(TL__DEVICE_KEY_NAME));
	if (rc == TL_OK)
		rc = tl_transaction_table(tx, TL__STR(TL__SYNC_REQUESTS), &table);
	if (rc == TL_OK)
		rc = tl_table_each(table, look_at_row, &found);
	if (rc == TL_OK || rc == TL_STOP)
		rc = take_away(tx, table, &found);
	if (rc == TL_OK) {
		wish->removed = found.count;
		wish->more = found.more;
	}
	tl_table_free(table);
	tl_transaction_free(tx);
	tl_database_free(db);
	return rc;
}
