/* Walks over the children of a Doc: rows of a Table, members of a DocStore. They are read in pages,
 * each from what the handle stands on at that moment; a page of a transaction that has changed
 * since is read anew from behind the last child shown. */
#include <string.h>
#include <tidelock/stores.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"
#include "base/str.h"
#include "model/value.h"
#include "tree/api/handles.h"

#define FIRST_PAGE   16 /* children: the first one shall come at once */
#define LARGEST      512
#define AFTER_CHANGE 4 /* a loop that changes each row reads each page once more */

struct tl_walk {
	tl__bound bound;
	tl__path path;
	char *bytes; /* of the path, the prefix and where to begin */
	tl_str prefix;
	tl__buf last; /* key to go on behind */
	bool has_last;
	uint64_t left; /* how many may still be shown */
	size_t page_size;
	tl_value *page; /* NULL: to be read */
	size_t at;      /* next child of it */
	bool more;
	uint64_t changes; /* of the transaction, when the page was read */
};

/* --- life ------------------------------------------------------------------------------------- */

void tl_walk_free(tl_walk *w)
{
	if (!w)
		return;
	if (w->bound.name.ptr)
		tl__bound_free(&w->bound);
	tl_value_free(w->page);
	tl__buf_free(&w->last);
	tl__free(w->bytes);
	tl__free(w);
}

/* Copies of what is borrowed from the caller. */
static int keep(tl_walk *w, tl_str path, const tl_walk_options *options)
{
	w->bytes = tl__alloc(path.len + options->prefix.len + 1);
	if (!w->bytes)
		return TL_E_NOMEM;
	if (path.len > 0)
		memcpy(w->bytes, path.ptr, path.len);
	if (options->prefix.len > 0)
		memcpy(w->bytes + path.len, options->prefix.ptr, options->prefix.len);
	w->prefix = (tl_str){w->bytes + path.len, options->prefix.len};
	w->has_last = options->after.ptr != NULL;
	tl__buf_str(&w->last, options->after);
	w->left = options->limit > 0 ? options->limit : UINT64_MAX;
	if (path.len == 0)
		return tl__buf_status(&w->last);
	return tl__path_split(&w->path, (tl_str){w->bytes, path.len});
}

static int walk_new(
	tl_walk **out, const tl__bound *bound, tl_str path, const tl_walk_options *given)
{
	tl_walk_options options = TL_WALK_OPTIONS_INIT;
	tl_walk *w;
	int code = given ? tl__sized_read(&options, given, tl_walk_options, limit) : TL_OK;

	*out = NULL;
	if (code != TL_OK)
		return code;
	w = tl__alloc_zero(1, sizeof *w);
	if (!w)
		return TL_E_NOMEM;
	w->page_size = FIRST_PAGE;
	code = tl__bound_init(&w->bound, bound->tx, bound->view, bound->db, bound->name);
	if (code == TL_OK)
		code = keep(w, path, &options);
	if (code != TL_OK) {
		tl_walk_free(w);
		return code;
	}
	*out = w;
	return TL_OK;
}

TL__PUBLIC(tl_table_walk, table && out,
	(tl_table *table, const tl_walk_options *options, tl_walk **out), (table, options, out))
{
	return walk_new(out, &table->bound, TL__STR(""), options);
}

TL__PUBLIC(tl_doc_store_walk, store && out,
	(tl_doc_store *store, tl_str path, const tl_walk_options *options, tl_walk **out),
	(store, path, options, out))
{
	return walk_new(out, &store->bound, path, options);
}

/* --- pages ------------------------------------------------------------------------------------ */

int tl__doc_page(const tl_value *doc, tl__page *page, tl_value **out)
{
	bool found = false, from_after = page->after.ptr != NULL &&
					 tl__str_compare(page->after, page->prefix) >= 0;
	size_t at = tl__doc_search(doc, from_after ? page->after : page->prefix, &found);
	size_t bytes = 0;
	tl_str key;
	tl_value *child;
	int code;

	*out = tl_value_doc();
	code = *out ? TL_OK : TL_E_NOMEM;
	page->more = false;
	for (at += from_after && found; code == TL_OK && tl_doc_at(doc, at, &key, &child); at++) {
		if (!tl__str_starts(key, page->prefix))
			break;
		page->more = tl_doc_count(*out) >= page->limit || bytes >= TL__PAGE_BYTES;
		if (page->more)
			break;
		bytes += tl_value_type(child) == TL_TEXT ? tl_value_as_text(child).len : 0;
		code = tl_doc_put(*out, key, tl_value_copy(child));
	}
	if (code != TL_OK) {
		tl_value_free(*out);
		*out = NULL;
	}
	return code;
}

/* A Doc inside of a List has no rows of its own: it is read as a whole. */
static int read_listed(tl_walk *w, tl__page *page)
{
	tl_value *doc;
	int code = tl__bound_through_list(&w->bound, &w->path, &doc);

	page->limit = SIZE_MAX;
	if (code == TL_OK && doc && tl_value_type(doc) == TL_DOC)
		code = tl__doc_page(doc, page, &w->page);
	tl_value_free(doc);
	return code;
}

static int read_page(tl_walk *w)
{
	tl__page page = {.prefix = w->prefix,
		.after = w->has_last ? tl__buf_view(&w->last) : TL__STR_NULL,
		.limit = w->page_size};
	int code = tl__bound_page(&w->bound, w->path.at, w->path.count, &page, &w->page);

	if (code == TL_OK && !w->page && w->path.count > 1)
		code = read_listed(w, &page);
	if (code == TL_OK && !w->page) {
		w->page = tl_value_doc(); /* nothing is there */
		code = w->page ? TL_OK : TL_E_NOMEM;
	}
	w->at = 0;
	w->more = page.more;
	w->changes = w->bound.tx ? w->bound.tx->changes : 0;
	w->page_size = w->page_size * 2 < LARGEST ? w->page_size * 2 : LARGEST;
	return code;
}

/* Notes where to go on, and lets go of the page. */
static int leave_page(tl_walk *w)
{
	tl_str key;
	tl_value *unused;
	int code = TL_OK;

	if (w->page && w->at > 0 && tl_doc_at(w->page, w->at - 1, &key, &unused)) {
		tl__buf_clear(&w->last);
		tl__buf_str(&w->last, key);
		w->has_last = true;
		code = tl__buf_status(&w->last);
	}
	if (code != TL_OK)
		return code;
	tl_value_free(w->page);
	w->page = NULL;
	return TL_OK;
}

/* Makes sure that the page is what stands there now, and has a next child if there is one. */
static int refresh(tl_walk *w)
{
	tl_transaction *tx = w->bound.tx;
	bool changed = tx && w->page && tx->changes != w->changes;
	int code = tl__bound_check(&w->bound);

	if (code == TL_OK && changed)
		w->page_size = AFTER_CHANGE;
	if (code == TL_OK && (changed || (w->page && w->more && w->at == tl_doc_count(w->page))))
		code = leave_page(w);
	if (code == TL_OK && !w->page)
		code = read_page(w);
	return code;
}

TL__PUBLIC(tl_walk_next, w && key && value,
	(tl_walk *w, tl_str *key, const tl_value **value), (w, key, value))
{
	tl_value *child;
	int code = TL_OK;

	*key = TL__STR_NULL;
	*value = NULL;
	while (code == TL_OK && w->left > 0) {
		code = refresh(w);
		if (code != TL_OK || !tl_doc_at(w->page, w->at, key, &child))
			break;
		w->at++;
		if (tl_value_type(child) == TL_DELETED)
			continue;
		w->left--;
		*value = child;
		return TL_OK;
	}
	*key = TL__STR_NULL;
	return code;
}

/* --- visitors --------------------------------------------------------------------------------- */

TL__PUBLIC(tl_doc_store_each, store && visit,
	(tl_doc_store *store, tl_str path, tl_member_visit visit, void *ud),
	(store, path, visit, ud))
{
	const tl_value *value = NULL;
	tl_walk *walk = NULL;
	tl_str key;
	int code = tl_doc_store_walk(store, path, NULL, &walk);

	while (code == TL_OK && (code = tl_walk_next(walk, &key, &value)) == TL_OK && value)
		code = visit(ud, key, value);
	tl_walk_free(walk);
	return code == TL_STOP ? TL_OK : code;
}

TL__PUBLIC(tl_table_each, table && visit,
	(tl_table *table, tl_row_visit visit, void *ud), (table, visit, ud))
{
	const tl_value *value = NULL;
	tl_walk *walk = NULL;
	tl_str key;
	int code = tl_table_walk(table, NULL, &walk);

	while (code == TL_OK && (code = tl_walk_next(walk, &key, &value)) == TL_OK && value)
		code = visit(ud, key, tl_value_as_text(value));
	tl_walk_free(walk);
	return code == TL_STOP ? TL_OK : code;
}

TL__PUBLIC(tl_table_count_with, table && out,
	(tl_table *table, const tl_walk_options *options, uint64_t *out), (table, options, out))
{
	const tl_value *value = NULL;
	tl_walk *walk = NULL;
	tl_str key;
	int code = tl_table_walk(table, options, &walk);

	*out = 0;
	while (code == TL_OK && (code = tl_walk_next(walk, &key, &value)) == TL_OK && value)
		++*out;
	tl_walk_free(walk);
	return code;
}

TL__PUBLIC(tl_table_count, table && out, (tl_table *table, uint64_t *out), (table, out))
{
	return tl_table_count_with(table, NULL, out);
}
