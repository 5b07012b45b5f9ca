/* Who wrote what at one path. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "base/str.h"
#include "model/entry_impl.h"
#include "tree/api/handles.h"
#include "tree/history/lines.h"

/* Path and visitor of one question. */
typedef struct question {
	tl_str store;
	const tl_str *components;
	size_t count;
	tl_history_visit visit;
	void *ud;
} question;

static const tl_value *node_at(const tl_value *doc, const question *q)
{
	for (size_t i = 0; doc && i < q->count; i++)
		doc = tl_value_type(doc) == TL_DOC ? tl_doc_raw(doc, q->components[i]) : NULL;
	return doc;
}

/* Data that is no Doc wrote nothing there. */
static int tell(const question *q, const tl__line *at)
{
	tl_value *delta = NULL;
	tl_entry *entry;
	ptrdiff_t store;
	tl_history_step step = {sizeof step, at->id, at->height, TL__STR_NULL, at->is_void, NULL};
	int code = tl_entry_parse(&entry, at->bytes, TL_ENTRY_CANONICAL);

	if (code != TL_OK)
		return code;
	store = tl_entry_find_store(entry, q->store);
	if (store >= 0)
		code = tl_doc_parse(&delta, tl_entry_store_data(entry, (size_t)store));
	if (code == TL_E_BAD_DOC || code == TL_E_BAD_JSON)
		code = TL_OK;
	step.author = tl__entry_author(entry);
	step.value = node_at(delta, q);
	if (code == TL_OK && step.value)
		code = q->visit(q->ud, &step);
	tl_value_free(delta);
	tl_entry_free(entry);
	return code;
}

TL__PUBLIC(tl_database_history_of, db && visit,
	(tl_database *db, tl_str store, const tl_str *components, size_t count,
		tl_history_visit visit, void *ud), (db, store, components, count, visit, ud))
{
	const question q = {store, components, count, visit, ud};
	tl__stamp last, *after = NULL;
	tl__snapshot *s;
	size_t seen;
	int code = tl__database_snapshot(db, &s);

	if (code == TL_OK && store.len == 0)
		code = tl__fail(TL_E_BAD_ARGUMENT, "a store needs a name");
	do {
		tl__lines page = TL__LINES_INIT;

		if (code == TL_OK)
			code = tl__read_by_height(s, &db->id, store, after, TL__LINES_PAGE_ENTRIES,
				TL__WITH_BYTES, tl__lines_note, &page);
		for (size_t i = 0; i < page.count && code == TL_OK; i++)
			code = tell(&q, &page.at[i]);
		seen = page.count;
		if (seen > 0) {
			last = (tl__stamp){page.at[seen - 1].height, page.at[seen - 1].id};
			after = &last;
		}
		tl__lines_free(&page);
	} while (code == TL_OK && seen > 0);
	tl__snapshot_close(s);
	return code == TL_STOP ? TL_OK : code;
}
