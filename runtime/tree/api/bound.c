/* What store handles are bound to, and reading through them. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/value.h"
#include "tree/api/handles.h"

int tl__bound_init(
	tl__bound *bound, tl_transaction *tx, tl_view *view, tl_database *db, tl_str name)
{
	const tl__bound to = {.tx = tx, .view = view, .db = db};
	int code = tl__bound_check(&to);

	memset(bound, 0, sizeof *bound);
	if (code == TL_OK)
		code = tl__check_store_name(name);
	if (code != TL_OK)
		return code;
	*bound = to;
	bound->name = (tl_str){tl__copy_bytes(name.ptr, name.len), name.len};
	if (!bound->name.ptr) {
		memset(bound, 0, sizeof *bound);
		return TL_E_NOMEM;
	}
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

int tl__bound_check(const tl__bound *bound)
{
	if (bound->tx)
		return tl__transaction_check(bound->tx);
	return tl__database_check(bound->view ? bound->view->db : bound->db);
}

/* --- history ---------------------------------------------------------------------------------- */

/* What is asked of history: the value at literal components, or how many of them lead to a List. */
typedef struct sought {
	const tl_str *components;
	size_t count;
	tl_value **value; /* a copy; NULL when something on the way is no Doc */
	size_t *list;     /* unless `value`: 0 when no List is on the way */
	tl__page *page;   /* of the value, which must be a Doc; NULL: the whole value */
} sought;

/* The node at the components of a Doc, or NULL; *list is how many lead to a List. */
static const tl_value *walk(const tl_value *doc, const sought *q, size_t *list)
{
	*list = 0;
	for (size_t i = 0; doc && i < q->count; i++) {
		doc = tl_value_type(doc) == TL_DOC ? tl_doc_raw(doc, q->components[i]) : NULL;
		if (doc && tl_value_type(doc) == TL_LIST)
			*list = i + 1;
	}
	return doc;
}

static int copy_of(const tl_value *value, tl_value **out)
{
	*out = value ? tl_value_copy(value) : NULL;
	return value && !*out ? TL_E_NOMEM : TL_OK;
}

static int read_present(tl__snapshot *s, const tl_id *db, tl_str store, const sought *q)
{
	if (!q->value)
		return tl__state_list(s, db, store, q->components, q->count, q->list);
	if (q->page)
		return tl__state_page(s, db, store, q->components, q->count, q->page, q->value);
	return tl__state_get(s, db, store, q->components, q->count, q->value);
}

static int read_basis(
	tl__basis *basis, tl__snapshot *s, const tl_id *db, tl_str store, const sought *q)
{
	const tl_value *doc;
	size_t list;
	int code = tl__basis_doc(basis, s, db, store, &doc);

	if (code != TL_OK)
		return code;
	doc = walk(doc, q, &list);
	if (q->page)
		return doc && tl_value_type(doc) == TL_DOC ? tl__doc_page(doc, q->page, q->value)
							   : TL_OK;
	if (q->value)
		return copy_of(doc, q->value);
	*q->list = list;
	return TL_OK;
}

static int read_transaction(tl__bound *bound, const sought *q)
{
	tl_transaction *tx = bound->tx;
	tl__read read;
	int code = tl__transaction_check(tx);

	if (code == TL_OK)
		code = tl__transaction_read(tx, &read);
	if (code != TL_OK)
		return code;
	if (read.present)
		code = read_present(read.snapshot, &tx->db->id, bound->name, q);
	else
		code = read_basis(&tx->basis, read.snapshot, &tx->db->id, bound->name, q);
	tl__transaction_read_end(tx, &read);
	return code;
}

static int read_view(tl__bound *bound, const sought *q)
{
	tl_view *view = bound->view;
	tl__snapshot *s;
	int code = tl__database_snapshot(view->db, &s);

	if (code != TL_OK)
		return code;
	pthread_mutex_lock(&view->mutex);
	code = read_basis(&view->basis, s, &view->db->id, bound->name, q);
	pthread_mutex_unlock(&view->mutex);
	tl__snapshot_close(s);
	return code;
}

static int read_history(tl__bound *bound, const sought *q)
{
	tl__snapshot *s;
	int code;

	if (bound->tx)
		return read_transaction(bound, q);
	if (bound->view)
		return read_view(bound, q);
	code = tl__database_snapshot(bound->db, &s);
	if (code != TL_OK)
		return code;
	code = read_present(s, &bound->db->id, bound->name, q);
	tl__snapshot_close(s);
	return code;
}

int tl__bound_history(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	*out = NULL;
	return read_history(bound, &(sought){components, count, .value = out});
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

/* What is staged at the components: *own NULL when nothing is; *hidden when a staged value above
 * hides everything there. */
static int find_staged(tl__bound *bound, const tl_str *components, size_t count,
	const tl_value **own, bool *hidden)
{
	tl__staged *staged = NULL;
	int code = bound->tx ? tl__transaction_check(bound->tx) : TL_OK;

	if (code == TL_OK && bound->tx)
		staged = tl__transaction_staged(bound->tx, bound->name);
	*own = staged ? staged->doc : NULL;
	*hidden = false;
	for (size_t i = 0; *own && i < count; i++) {
		*hidden = tl_value_type(*own) != TL_DOC;
		*own = *hidden ? NULL : tl_doc_raw(*own, components[i]);
	}
	return code;
}

int tl__bound_value(tl__bound *bound, const tl_str *components, size_t count, tl_value **out)
{
	const tl_value *own;
	bool hidden;
	int code = find_staged(bound, components, count, &own, &hidden);

	*out = NULL;
	if (code != TL_OK || hidden)
		return code;
	if (!own)
		return tl__bound_history(bound, components, count, out);
	if (tl_value_type(own) == TL_DOC || tl_value_type(own) == TL_LIST)
		return merge_history(bound, components, count, own, out);
	return copy_of(own, out);
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Takes out what comes after the key; its own child stays. */
static void cut_behind(tl_value *doc, tl_str key)
{
	bool found;
	size_t at = tl__doc_search(doc, key, &found);

	tl__doc_cut(doc, at + found);
}

/* Both pages end where the shorter one does: behind it the other may lack something. */
static void cut_even(tl_value *a, bool a_more, tl_value *b, bool b_more)
{
	tl_str a_last = TL__STR_NULL, b_last = TL__STR_NULL;
	tl_value *unused;

	if (a_more)
		(void)tl_doc_at(a, tl_doc_count(a) - 1, &a_last, &unused);
	if (b_more)
		(void)tl_doc_at(b, tl_doc_count(b) - 1, &b_last, &unused);
	if (a_more && (!b_more || tl__str_compare(a_last, b_last) < 0))
		cut_behind(b, a_last);
	else if (b_more)
		cut_behind(a, b_last);
}

static int merge_page(tl__bound *bound, const tl_str *components, size_t count, const tl_value *own,
	tl__page *page, tl_value **out)
{
	tl__page staged_page = *page;
	tl_value *staged = NULL;
	int code = read_history(bound, &(sought){components, count, .value = out, .page = page});

	if (code == TL_OK && !*out) {
		*out = tl_value_doc(); /* nothing, or no Doc, is staged over */
		code = *out ? TL_OK : TL_E_NOMEM;
	}
	if (code == TL_OK)
		code = tl__doc_page(own, &staged_page, &staged);
	if (code == TL_OK) {
		cut_even(*out, page->more, staged, staged_page.more);
		page->more = page->more || staged_page.more;
		code = tl_doc_merge(*out, staged);
	}
	tl_value_free(staged);
	if (code != TL_OK) {
		tl_value_free(*out);
		*out = NULL;
	}
	return code;
}

int tl__bound_page(
	tl__bound *bound, const tl_str *components, size_t count, tl__page *page, tl_value **out)
{
	const tl_value *own;
	bool hidden;
	int code = find_staged(bound, components, count, &own, &hidden);

	*out = NULL;
	page->more = false;
	if (code != TL_OK || hidden || (own && tl_value_type(own) != TL_DOC))
		return code;
	if (own)
		return merge_page(bound, components, count, own, page, out);
	return read_history(bound, &(sought){components, count, .value = out, .page = page});
}

/* --- lists on the way ------------------------------------------------------------------------- */

/* How many of the components lead to a visible List. Staged Docs hide what history has there. */
static int find_list(tl__bound *bound, const tl_str *components, size_t count, size_t *at)
{
	tl__staged *staged = tl__transaction_staged(bound->tx, bound->name);
	const tl_value *own = staged ? staged->doc : NULL;
	size_t docs = 0;
	int code;

	*at = 0;
	for (; own && docs < count && tl_value_type(own) == TL_DOC; docs++)
		own = tl_doc_raw(own, components[docs]);
	if (own) {
		*at = tl_value_type(own) == TL_LIST ? docs : 0;
		return TL_OK;
	}
	code = read_history(bound, &(sought){components, count, .list = at});
	if (*at < docs)
		*at = 0;
	return code;
}

int tl__bound_refuse_list(tl__bound *bound, const tl_str *components, size_t count)
{
	size_t at = 0;
	int code = count > 1 ? find_list(bound, components, count - 1, &at) : TL_OK;

	if (code != TL_OK || at == 0)
		return code;
	return tl__fail(TL_E_TYPE_MISMATCH,
		"`%.*s` in store `%.*s` is a list, and no path leads through it to change an item: "
		"get the list, change it by its own set, insert or remove, then set it as a whole",
		TL__STR_ARG(components[at - 1]), TL__STR_ARG(bound->name));
}
