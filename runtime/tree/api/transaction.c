/* Transactions: their life, and what they stage. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "tree/api/handles.h"

/* --- life ------------------------------------------------------------------------------------- */

TL__PUBLIC(tl_transaction_new, db && out, (tl_database *db, tl_transaction **out), (db, out))
{
	tl_transaction *tx;
	int code = tl__database_check(db);

	*out = NULL;
	if (code != TL_OK)
		return code;
	tx = tl__alloc_zero(1, sizeof *tx);
	if (!tx)
		return TL_E_NOMEM;
	code = tl__hooks_init(&tx->hooks);
	if (code != TL_OK) {
		tl__free(tx);
		return code;
	}
	atomic_init(&tx->owners, 1);
	tl__basis_init(&tx->basis);
	tx->db = tl_database_retain(db);
	code = tl_database_default_auth_key(db, &tx->key_name);
	if (code != TL_OK) {
		tl_transaction_free(tx);
		return code;
	}
	*out = tx;
	return TL_OK;
}

TL__PUBLIC(tl_transaction_new_with_tips, db && out,
	(tl_database *db, const tl_id *tips, size_t count, tl_transaction **out),
	(db, tips, count, out))
{
	tl_transaction *tx = NULL;
	tl__snapshot *s = NULL;
	int code = tl_transaction_new(db, &tx);

	*out = NULL;
	if (!tx)
		return code;
	code = tl__database_snapshot(db, &s);
	if (code == TL_OK)
		code = tl__basis_take_given(&tx->basis, s, &db->id, tips, count, false);
	tl__snapshot_close(s);
	tx->has_basis = code == TL_OK;
	if (code == TL_OK)
		*out = tx;
	else
		tl_transaction_free(tx);
	return code;
}

static void staged_free(tl__staged *staged)
{
	tl__free((char *)(uintptr_t)staged->name.ptr);
	tl_value_free(staged->doc);
	tl__free(staged->data);
}

void tl__transaction_forget_basis(tl_transaction *tx)
{
	tl__transaction_unpin(tx);
	tl__basis_free(&tx->basis);
	tl__basis_init(&tx->basis);
	tx->has_basis = false;
}

void tl__transaction_drop(tl_transaction *tx)
{
	for (size_t i = 0; i < tx->staged_count; i++)
		staged_free(&tx->staged[i]);
	tl__free(tx->staged);
	tx->staged = NULL;
	tx->staged_count = tx->staged_cap = 0;
	tl__transaction_forget_basis(tx);
}

void tl__transaction_release(tl_transaction *tx)
{
	if (tl__database_inherited(tx->db) || atomic_fetch_sub(&tx->owners, 1) != 1)
		return;
	tl__transaction_drop(tx);
	tl__basis_free(&tx->basis);
	tl__error_drop(tx->failure);
	tl__free(tx->key_name);
	tl__hooks_free(&tx->hooks);
	tl_database_free(tx->db);
	tl__free(tx);
}

void tl_transaction_rollback(tl_transaction *tx)
{
	if (!tx || tl__database_inherited(tx->db))
		return;
	if (tx->committing) { /* by one of its hooks */
		tx->refused = true;
		return;
	}
	if (tx->state == TL__TX_OPEN)
		tx->state = TL__TX_CLOSED;
	tl__transaction_drop(tx);
}

void tl_transaction_free(tl_transaction *tx)
{
	if (!tx)
		return;
	if (!tx->committing)
		tl_transaction_rollback(tx);
	tl__transaction_release(tx);
}

int tl__transaction_check(const tl_transaction *tx)
{
	int code = tl__store_own(tx->db->host->tree->store);

	if (code != TL_OK || tx->state == TL__TX_OPEN)
		return code;
	if (tx->state == TL__TX_COMMITTED)
		return tl__fail(TL_E_ALREADY_COMMITTED,
			"the transaction is committed; begin a new one to go on");
	return tl__fail(TL_E_CLOSED, "the transaction was rolled back or freed; begin a new one");
}

int tl__transaction_changeable(const tl_transaction *tx)
{
	if (tx->committing && !tl__database_inherited(tx->db))
		return tl__fail(TL_E_ALREADY_COMMITTED,
			"the transaction is being committed; its hooks may read it, and change "
			"others");
	return tl__transaction_check(tx);
}

int tl__transaction_stick(tl_transaction *tx, int code)
{
	if (code != TL_OK && tx->failed == TL_OK) {
		tx->failed = code;
		tx->failure = tl__error_keep();
	}
	return code;
}

/* --- settings of its own ---------------------------------------------------------------------- */

tl_database *tl_transaction_database(const tl_transaction *tx)
{
	if (!tx)
		return NULL;
	return tx->db;
}

TL__PUBLIC(tl_transaction_set_auth_key, tx, (tl_transaction *tx, tl_str key_name), (tx, key_name))
{
	char *copy;
	int code = tl__transaction_changeable(tx);

	if (code != TL_OK)
		return code;
	if (key_name.len == 0)
		return tl__transaction_stick(
			tx, tl__fail(TL_E_BAD_ARGUMENT, "the name of a private key is missing"));
	copy = tl__copy_bytes(key_name.ptr, key_name.len);
	if (!copy)
		return tl__transaction_stick(tx, TL_E_NOMEM);
	tl__free(tx->key_name);
	tx->key_name = copy;
	return TL_OK;
}

TL__PUBLIC(tl_transaction_auth_key, tx && out, (tl_transaction *tx, char **out), (tx, out))
{
	int code = tl__store_own(tx->db->host->tree->store);

	*out = NULL;
	if (code != TL_OK)
		return code;
	*out = tx->key_name ? tl__copy_bytes(tx->key_name, strlen(tx->key_name)) : NULL;
	return tx->key_name && !*out ? TL_E_NOMEM : TL_OK;
}

TL__PUBLIC(tl_transaction_tips, tx && visit,
	(tl_transaction *tx, tl_id_visit visit, void *ud), (tx, visit, ud))
{
	tl__read read;
	tl__ids ids = {0};
	int code = tl__transaction_check(tx);

	if (code == TL_OK)
		code = tl__transaction_read(tx, &read);
	if (code != TL_OK)
		return code;
	tl__transaction_read_end(tx, &read);
	code = tl__ids_add_all(&ids, tx->basis.parents.at, tx->basis.parents.count);
	for (size_t i = 0; i < ids.count && code == TL_OK; i++)
		code = visit(ud, &ids.at[i]);
	tl__ids_free(&ids);
	return code == TL_STOP ? TL_OK : code;
}

TL__PUBLIC(tl_transaction_add_hook, tx && hook,
	(tl_transaction *tx, const tl_hook *hook), (tx, hook))
{
	int code = tl__transaction_changeable(tx);

	return code == TL_OK ? tl__hooks_add(&tx->hooks, NULL, hook, NULL) : code;
}

/* --- stores ----------------------------------------------------------------------------------- */

int tl__check_store_name(tl_str name)
{
	if (name.len == 0)
		return tl__fail(TL_E_BAD_ARGUMENT, "a store needs a name");
	if (name.len > TL_WRITE_MAX_STORE_NAME)
		return tl__fail(TL_E_TOO_LARGE, "the name of a store has at most %u bytes, not %zu",
			TL_WRITE_MAX_STORE_NAME, name.len);
	if (tl__str_eq(name, TL__STR(TL__STORE_ROOT)))
		return tl__fail(TL_E_BAD_ARGUMENT,
			"`_root` marks the root entry and is no store to read or write");
	if (!tl__utf8_valid(name))
		return tl__fail(TL_E_BAD_ARGUMENT, "the name of a store is not UTF-8");
	return TL_OK;
}

TL__PUBLIC(tl_transaction_doc_store, tx && out,
	(tl_transaction *tx, tl_str name, tl_doc_store **out), (tx, name, out))
{
	int code = tl__transaction_check(tx);

	*out = NULL;
	return code == TL_OK ? tl__doc_store_new(out, tx, NULL, NULL, name) : code;
}

TL__PUBLIC(tl_transaction_table, tx && out,
	(tl_transaction *tx, tl_str name, tl_table **out), (tx, name, out))
{
	int code = tl__transaction_check(tx);

	*out = NULL;
	return code == TL_OK ? tl__table_new(out, tx, NULL, NULL, name) : code;
}

TL__PUBLIC(tl_transaction_get_settings, tx && out,
	(tl_transaction *tx, tl_settings_store **out), (tx, out))
{
	int code = tl__transaction_check(tx);

	*out = NULL;
	return code == TL_OK ? tl__settings_store_new(out, tx, NULL, NULL) : code;
}

/* --- staged ----------------------------------------------------------------------------------- */

/* Index of the first store whose name is not less. */
static size_t search(const tl_transaction *tx, tl_str name, bool *found)
{
	size_t low = 0, high = tx->staged_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tl__str_compare(tx->staged[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < tx->staged_count && tl__str_eq(tx->staged[low].name, name);
	return low;
}

tl__staged *tl__transaction_staged(tl_transaction *tx, tl_str name)
{
	bool found;
	size_t at = search(tx, name, &found);

	return found ? &tx->staged[at] : NULL;
}

static int make_room(tl_transaction *tx)
{
	tl__staged *grown;

	if (tx->staged_count == TL_WRITE_MAX_STORES)
		return tl__fail(
			TL_E_TOO_LARGE, "an entry holds at most %u stores", TL_WRITE_MAX_STORES);
	grown = tl__grow(tx->staged, tx->staged_count, &tx->staged_cap, sizeof *grown);
	if (!grown)
		return TL_E_NOMEM;
	tx->staged = grown;
	return TL_OK;
}

int tl__transaction_stage(tl_transaction *tx, tl_str name, tl__staged **out)
{
	bool found;
	size_t at = search(tx, name, &found);
	char *copy;
	int code = found ? TL_OK : make_room(tx);

	*out = NULL;
	if (code != TL_OK)
		return code;
	if (!found) {
		copy = tl__copy_bytes(name.ptr, name.len);
		if (!copy)
			return TL_E_NOMEM;
		memmove(tx->staged + at + 1, tx->staged + at,
			(tx->staged_count - at) * sizeof *tx->staged);
		tx->staged[at] = (tl__staged){.name = {copy, name.len}};
		tx->staged_count++;
	}
	*out = &tx->staged[at];
	return TL_OK;
}

static int set_data(tl_transaction *tx, tl_str name, tl_str data)
{
	tl__staged *staged;
	char *copy;
	int code = tl__check_store_name(name);

	if (code == TL_OK)
		code = tl__transaction_stage(tx, name, &staged);
	if (code != TL_OK)
		return code;
	if (staged->doc)
		return tl__fail(TL_E_BAD_ARGUMENT,
			"store `%.*s` is changed as a Doc; opaque data would drop that",
			TL__STR_ARG(name));
	if (!tl__utf8_valid(data))
		return tl__fail(TL_E_BAD_ARGUMENT, "the data of a store is UTF-8 text");
	copy = tl__copy_bytes(data.ptr, data.len);
	if (!copy)
		return TL_E_NOMEM;
	tl__free(staged->data);
	staged->data = copy;
	staged->data_len = data.len;
	return TL_OK;
}

TL__PUBLIC(tl_transaction_set_data, tx,
	(tl_transaction *tx, tl_str name, tl_str data), (tx, name, data))
{
	int code = tl__transaction_changeable(tx);

	return code == TL_OK ? tl__transaction_stick(tx, set_data(tx, name, data)) : code;
}
