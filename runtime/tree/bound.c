/* What store handles are bound to, and reading through them. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/handles.h"

int tl__bound_init(
	tl__bound *bound, tl_transaction *tx, tl_view *view, tl_database *db, tl_str name)
{
	int code = tl__check_store_name(name);

	memset(bound, 0, sizeof *bound);
	if (code != TL_OK)
		return code;
	bound->name = (tl_str){tl__copy_bytes(name.ptr, name.len), name.len};
	if (!bound->name.ptr)
		return TL_E_NOMEM;
	bound->tx = tx;
	bound->view = view;
	bound->db = db;
	if (tx)
		atomic_fetch_add(&tx->owners, 1);
	else if (view)
		atomic_fetch_add(&view->owners, 1);
	else
		tl_database_retain(db);
	return TL_OK;
}

void tl__bound_free(tl__bound *bound)
{
	if (bound->tx)
		tl__transaction_release(bound->tx);
	tl_view_free(bound->view);
	tl_database_free(bound->db);
	tl__free((char *)(uintptr_t)bound->name.ptr);
}

/* --- history ---------------------------------------------------------------------------------- */

/* The node at literal components of a Doc; NULL when something on the way is no Doc. */
static const tl_value *walk(const tl_value *doc, const tl_str *components, size_t count)
{
	for (size_t i = 0; doc && i < count; i++)
		doc = tl_value_type(doc) == TL_DOC ? tl_doc_raw(doc, components[i]) : NULL;
	return doc;
}

static int copy_of(const tl_value *value, tl_value **out)
{
	*out = value ? tl_value_copy(value) : NULL;
	return value && !*out ? TL_E_NOMEM : TL_OK;
}

static int read_present(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, tl_value **out)
{
	return count == 0 ? tl__state_doc(s, db, store, out)
			  : tl__state_get(s, db, store, components, count, out);
}

static int read_basis(tl__basis *basis, tl__snapshot *s, const tl_id *db, tl_str store,
	const tl_str *components, size_t count, tl_value **out)
{
	const tl_value *doc;
	int code = tl__basis_doc(basis, s, db, store, &doc);

	return code == TL_OK ? copy_of(walk(doc, components, count), out) : code;
}

static int read_transaction(
	tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	tl_transaction *tx = bound->tx;
	tl__read read;
	int code = tl__transaction_check(tx);

	if (code == TL_OK)
		code = tl__transaction_read(tx, &read);
	if (code != TL_OK)
		return code;
	if (read.present)
		code = read_present(
			read.snapshot, &tx->db->id, bound->name, components, count, out);
	else
		code = read_basis(&tx->basis, read.snapshot, &tx->db->id, bound->name, components,
			count, out);
	tl__transaction_read_end(tx, &read);
	return code;
}

static int read_view(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	tl_view *view = bound->view;
	tl__snapshot *s;
	int code = tl__database_snapshot(view->db, &s);

	if (code != TL_OK)
		return code;
	pthread_mutex_lock(&view->mutex);
	code = read_basis(&view->basis, s, &view->db->id, bound->name, components, count, out);
	pthread_mutex_unlock(&view->mutex);
	tl__snapshot_close(s);
	return code;
}

int tl__bound_history(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	tl__snapshot *s;
	int code;

	*out = NULL;
	if (bound->tx)
		return read_transaction(bound, components, count, out);
	if (bound->view)
		return read_view(bound, components, count, out);
	code = tl__database_snapshot(bound->db, &s);
	if (code != TL_OK)
		return code;
	code = read_present(s, &bound->db->id, bound->name, components, count, out);
	tl__snapshot_close(s);
	return code;
}

/* --- merged ----------------------------------------------------------------------------------- */

static int merge_lists(tl_value **base, const tl_value *later)
{
	tl_value *left = tl_value_doc(), *right = tl_value_doc(), *moved = *base;
	int code = left && right ? TL_OK : TL_E_NOMEM;

	*base = NULL;
	if (code == TL_OK) {
		code = tl_doc_put(left, TL__STR("v"), moved);
		moved = NULL;
	}
	if (code == TL_OK)
		code = tl_doc_put(right, TL__STR("v"), tl_value_copy(later));
	if (code == TL_OK)
		code = tl_doc_merge(left, right);
	if (code == TL_OK)
		code = copy_of(tl_doc_raw(left, TL__STR("v")), base);
	tl_value_free(moved);
	tl_value_free(left);
	tl_value_free(right);
	return code;
}

int tl__value_merge(tl_value **base, const tl_value *later)
{
	return tl_value_type(*base) == TL_DOC ? tl_doc_merge(*base, later)
					      : merge_lists(base, later);
}

static int merge_history(tl__bound *bound, const tl_str *components, size_t count,
	const tl_value *own, tl_value **out)
{
	tl_value *old;
	int code = tl__bound_history(bound, components, count, &old);

	if (code != TL_OK)
		return code;
	if (!old || tl_value_type(old) != tl_value_type(own)) {
		tl_value_free(old);
		return copy_of(own, out);
	}
	code = tl__value_merge(&old, own);
	if (code == TL_OK)
		*out = old;
	else
		tl_value_free(old);
	return code;
}

int tl__bound_value(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	tl__staged *staged = NULL;
	const tl_value *own;

	*out = NULL;
	if (bound->tx) {
		int code = tl__transaction_check(bound->tx);

		if (code != TL_OK)
			return code;
		staged = tl__transaction_staged(bound->tx, bound->name);
	}
	if (!staged || !staged->doc)
		return tl__bound_history(bound, components, count, out);
	own = staged->doc;
	for (size_t i = 0; i < count; i++) {
		if (tl_value_type(own) != TL_DOC)
			return TL_OK; /* a staged value hides everything below it */
		own = tl_doc_raw(own, components[i]);
		if (!own)
			return tl__bound_history(bound, components, count, out);
	}
	if (tl_value_type(own) == TL_DOC || tl_value_type(own) == TL_LIST)
		return merge_history(bound, components, count, own, out);
	return copy_of(own, out);
}
