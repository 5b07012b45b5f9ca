/* Rechecking a database: the stored state against what the entries say. Each delta that counts must
 * have its stamps there, unless newer ones took their place or stand above them; and no row may be
 * there that no entry accounts for. */
#include <stdlib.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "tree/verify/verify.h"

#define MAX_BYTES (1024 * 1024) /* of paths and values gathered before they are compared */
#define PAGE_ROWS 4096

/* Damage of a store's state is a finding, and nothing more is asked of it. */
static int told(tl__verify *v, tl__verify_store *store, int code)
{
	if (code != TL_E_STORE_DAMAGED)
		return code;
	if (!store->unreadable)
		tl__verify_report(v, NULL, "store `%.*s` cannot be read: %s",
			TL__STR_ARG(store->name), tl_error_message(tl_last_error()));
	store->unreadable = true;
	return TL_OK;
}

/* --- gathering -------------------------------------------------------------------------------- */

typedef struct raise {
	tl__verify_store *store;
	tl_str path, value;
	tl__stamp_kind kind;
	tl__stamp stamp;
	bool there; /* or something newer of its kind */
} raise;

typedef struct gathering {
	tl__verify *verify;
	tl__verify_store *store;
	tl__stamp stamp;
} gathering;

static int on_node(void *ud, tl_str path, tl__node_kind kind, tl_str value)
{
	const gathering *g = ud;
	tl__verify_raises *raises = &g->verify->raises;
	void *array = raises->at;
	raise *at;

	if (tl__arena_grow(&raises->arena, &array, &raises->cap, raises->count, sizeof *at) !=
		TL_OK)
		return TL_E_NOMEM;
	raises->at = array;
	at = &((raise *)array)[raises->count];
	*at = (raise){.store = g->store,
		.path = tl__arena_str(&raises->arena, path),
		.value = tl__arena_str(&raises->arena, value),
		.kind = (tl__stamp_kind)kind,
		.stamp = g->stamp};
	if (!at->path.ptr || !at->value.ptr)
		return TL_E_NOMEM;
	raises->count++;
	raises->bytes += path.len + value.len;
	return TL_OK;
}

static int gather(tl__verify *v, tl__verify_store *store, tl_str data, const tl__stamp *stamp)
{
	gathering g = {v, store, *stamp};
	size_t before = v->raises.count;
	tl_value *doc = NULL;
	int code = tl_doc_parse(&doc, data);

	if (code == TL_OK)
		code = tl__doc_walk(doc, on_node, &g);
	tl_value_free(doc);
	if (code == TL_OK || code == TL_E_NOMEM)
		return code;
	v->raises.count = before;
	return told(v, store,
		tl__fail(TL_E_STORE_DAMAGED,
			"the data of an entry was readable when it was stored and "
			"is not now"));
}

int tl__verify_delta(tl__verify *v, const tl_entry *entry, size_t at, tl__verify_store *store,
	const tl__verify_member *member)
{
	tl__stamp stamp = {member->height, *tl_entry_id(entry)};
	int code = TL_OK;

	if (member->unreadable || store->unreadable ||
		tl__str_eq(store->name, TL__STR(TL__STORE_ROOT)))
		return TL_OK;
	code = gather(v, store, tl_entry_store_data(entry, at), &stamp);
	return code == TL_OK && v->raises.bytes > MAX_BYTES ? tl__verify_deltas(v) : code;
}

/* --- comparing -------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const raise *x = a, *y = b;

	if (x->store->index != y->store->index)
		return x->store->index < y->store->index ? -1 : 1;
	return tl__str_compare(x->path, y->path);
}

/* Raises of one store, by path. */
typedef struct run {
	raise *at;
	size_t count, next;
} run;

static void compare(raise *r, const tl__state_row *row)
{
	int order = tl__stamp_compare(&row->stamp, &r->stamp);

	r->there = order >= 0;
	if (order == 0 && (r->kind != TL__STAMP_LEAF || tl__str_eq(row->value, r->value)))
		r->store->accounted++;
}

/* Rows come in the order of the paths asked for. */
static int on_row(void *ud, const tl__state_row *row)
{
	run *r = ud;

	while (r->next < r->count && tl__str_compare(r->at[r->next].path, row->path) < 0)
		r->next++;
	for (size_t i = r->next; i < r->count && tl__str_eq(r->at[i].path, row->path); i++)
		if (r->at[i].kind == row->kind)
			compare(&r->at[i], row);
	return TL_OK;
}

static int read_rows(tl__verify *v, run *r)
{
	tl_str *paths = tl__alloc_zero(r->count, sizeof *paths);
	size_t count = 0;
	int code;

	if (!paths)
		return TL_E_NOMEM;
	for (size_t i = 0; i < r->count; i++)
		if (i == 0 || !tl__str_eq(r->at[i].path, r->at[i - 1].path))
			paths[count++] = r->at[i].path;
	code = tl__read_state(v->snapshot, &v->db, r->at->store->name, paths, count, on_row, r);
	tl__free(paths);
	return code;
}

static int check_run(tl__verify *v, run *r)
{
	int code = read_rows(v, r);

	for (size_t i = 0; i < r->count && code == TL_OK; i++) {
		const raise *at = &r->at[i];
		bool gone = true;

		if (!at->there)
			code = tl__state_is_gone(
				v->snapshot, &v->db, at->store->name, at->path, &at->stamp, &gone);
		at->store->differs |= code == TL_OK && !gone;
	}
	return told(v, r->at->store, code);
}

int tl__verify_deltas(tl__verify *v)
{
	raise *at = v->raises.at;
	size_t count = v->raises.count;
	int code = TL_OK;

	if (count > 1)
		qsort(at, count, sizeof *at, by_place);
	for (size_t i = 0, n; i < count && code == TL_OK; i += n) {
		run r = {at + i, 0, 0};

		for (n = 0; i + n < count && at[i + n].store == at[i].store; n++)
			;
		r.count = n;
		if (!at[i].store->unreadable && !at[i].store->differs)
			code = check_run(v, &r);
	}
	tl__arena_free(&v->raises.arena);
	v->raises = (tl__verify_raises){.arena = TL__ARENA_INIT};
	return code;
}

/* --- the store as a whole --------------------------------------------------------------------- */

typedef struct counting {
	tl__buf last; /* path */
	size_t page;
	uint64_t all;
} counting;

static int count_row(void *ud, const tl__state_row *row)
{
	counting *c = ud;

	c->page++;
	c->all++;
	tl__buf_clear(&c->last);
	tl__buf_str(&c->last, row->path);
	return tl__buf_status(&c->last);
}

static int count_rows(tl__verify *v, const tl__verify_store *store, uint64_t *rows)
{
	counting c = {TL__BUF_INIT, 0, 0};
	tl__buf after = TL__BUF_INIT;
	int code;

	do {
		tl__buf_clear(&after);
		tl__buf_str(&after, tl__buf_view(&c.last));
		c.page = 0;
		code = tl__buf_status(&after);
		if (code == TL_OK)
			code = tl__read_state_range(v->snapshot, &v->db, store->name, TL__STR(""),
				tl__buf_view(&after), PAGE_ROWS, count_row, &c);
		if (code == TL_OK)
			code = tl__verify_ask(v->task);
	} while (code == TL_OK && c.page >= PAGE_ROWS);
	tl__buf_free(&c.last);
	tl__buf_free(&after);
	*rows = c.all;
	return code;
}

int tl__verify_state(tl__verify *v, tl__verify_store *store)
{
	uint64_t rows = 0;
	int code = TL_OK;

	if (!store->unreadable && !store->differs)
		code = told(v, store, count_rows(v, store, &rows));
	if (code != TL_OK || store->unreadable || (!store->differs && rows == store->accounted))
		return code;
	tl__verify_report(v, NULL,
		"the stored state of store `%.*s` is not the fold of its history",
		TL__STR_ARG(store->name));
	return TL_OK;
}
