/* Running out of memory at every single allocation of a database's work: the call says so, nothing
 * is written by halves, nothing leaks (run with SAN=address), and the next attempt succeeds. */
#include "tree_help.h"
#include "verify_help.h"

enum { ALLOCATIONS_MAX = 5000 };

static tl_database *db;

/* Reads, replaces and deletes, then commits. */
static int change(void)
{
	tl_transaction *tx;
	tl_doc_store *d = NULL;
	tl_table *rows = NULL;
	tl_value *value = NULL;
	char key[TL_ROW_KEY_LEN + 1];
	int code = tl_transaction_new(db, &tx);

	if (code == TL_OK)
		code = tl_transaction_doc_store(tx, z("data"), &d);
	if (code == TL_OK)
		code = tl_doc_store_get_option(d, z("a"), &value);
	if (code == TL_OK)
		code = tl_doc_store_set_string(d, z("a.b"), z("text"));
	if (code == TL_OK)
		code = tl_doc_store_set(d, z("a"), tl_value_doc());
	if (code == TL_OK)
		code = tl_doc_store_delete(d, z("a"), NULL);
	if (code == TL_OK)
		code = tl_doc_store_set_int(d, z("a.c"), 1);
	if (code == TL_OK)
		code = tl_transaction_table(tx, z("rows"), &rows);
	if (code == TL_OK)
		code = tl_table_insert(rows, z("{}"), key);
	if (code == TL_OK)
		code = tl_transaction_commit(tx, NULL);
	tl_value_free(value);
	tl_table_free(rows);
	tl_doc_store_free(d);
	tl_transaction_free(tx);
	return code;
}

static int change_settings(void)
{
	tl_transaction *tx;
	tl_settings_store *settings = NULL;
	int code = tl_transaction_new(db, &tx);

	if (code == TL_OK)
		code = tl_transaction_get_settings(tx, &settings);
	if (code == TL_OK)
		code = tl_settings_store_set_auth_key(settings, TL__STR_NULL, z(key_of("bob")),
			(tl_permission){TL_WRITE, 1}, TL_KEY_ACTIVE);
	if (code == TL_OK)
		code = tl_settings_store_revoke_auth_key(settings, z(key_of("bob")));
	if (code == TL_OK)
		code = tl_transaction_commit(tx, NULL);
	tl_settings_store_free(settings);
	tl_transaction_free(tx);
	return code;
}

static int note_nothing(void *ud, const tl_entry_info *info)
{
	(void)ud;
	(void)info;
	return TL_OK;
}

static int look(void)
{
	tl_view *view = NULL;
	tl_doc_store *d = NULL;
	tl_value *value = NULL;
	id_list tips = {.count = 0};
	int code = tl_database_tips(db, note_id, &tips);

	if (code == TL_OK)
		code = tl_database_at(db, tips.at, tips.count, &view);
	if (code == TL_OK)
		code = tl_view_doc_store(view, z("data"), &d);
	if (code == TL_OK)
		code = tl_doc_store_get_all(d, &value);
	if (code == TL_OK)
		code = tl_database_log(db, 3, note_nothing, NULL);
	if (code == TL_OK)
		code = tl_database_changes(db, 0, 0, note_nothing, NULL);
	tl_value_free(value);
	tl_doc_store_free(d);
	tl_view_free(view);
	return code;
}

static int create(void)
{
	tl_database *other;
	int code = tl__database_create(&w.host, NULL, z("admin"), &other);

	tl_database_free(other);
	return code;
}

/* Makes the first, second, third … allocation fail until none is left to fail. */
static void sweep(int (*work)(void), bool writes)
{
	uint64_t before, after, findings = 1;
	size_t n;

	for (n = 1; n < ALLOCATIONS_MAX; n++) {
		int code;
		bool fired;

		CHECK_OK(tl_database_arrival(db, &before));
		tl__alloc_fail_at(n);
		code = work();
		fired = tl__alloc_fail_at(0);
		CHECK_OK(tl_database_arrival(db, &after));
		if (!fired) {
			CHECK(code == TL_OK);
			break;
		}
		if (code != TL_OK)
			CHECK_CODE(code, TL_E_NOMEM);
		CHECK(after - before == (code == TL_OK && writes));
	}
	CHECK(n > 5 && n < ALLOCATIONS_MAX);
	CHECK_OK(find_all(db, NULL, &findings));
	CHECK(findings == 0);
}

static void changes_survive(void)
{
	db = new_database("admin");
	write_text(db, "data", "a.old", "1");
	sweep(change, true);
	CHECK_TEXT(now_shows(db, "data", "a"), "{\"c\":1}");
	tl_database_free(db);
}

static void settings_survive(void)
{
	db = new_database("admin");
	sweep(change_settings, true);
	tl_database_free(db);
}

static void reading_survives(void)
{
	db = new_database("admin");
	write_text(db, "data", "a.old", "1");
	write_text(db, "data", "a.new", "2");
	sweep(look, false);
	tl_database_free(db);
}

static void creating_survives(void)
{
	db = new_database("admin");
	sweep(create, false);
	tl_database_free(db);
}

int main(void)
{
	RUN_EACH(changes_survive);
	RUN_EACH(settings_survive);
	RUN_EACH(reading_survives);
	RUN_EACH(creating_survives);
	return spec_end();
}
