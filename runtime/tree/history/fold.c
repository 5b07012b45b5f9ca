/* State as a fold of history: deltas of good entries in (height, id) order. */
#include <stdlib.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/ids.h"
#include "model/doc_path.h"
#include "tree/history/dag.h"
#include "tree/history/place.h"

/* Entries read at a time: each may be as long as an entry gets. */
#define CHUNK 32

static int by_stamp(const void *a, const void *b)
{
	const tl__stamp *x = &(*(tl__dag_member *const *)a)->stamp;
	const tl__stamp *y = &(*(tl__dag_member *const *)b)->stamp;

	return tl__stamp_compare(x, y);
}

/* --- one delta -------------------------------------------------------------------------------- */

static int merge_delta(const tl__dag_store *store, const tl_entry *entry, tl_value *doc)
{
	ptrdiff_t at = tl_entry_find_store(entry, store->name);
	tl_value *delta = NULL;
	int code;

	if (at < 0)
		return tl__fail(TL_E_STORE_DAMAGED,
			"an entry lacks the store %.*s that its row names; run verify",
			TL__STR_ARG(store->name));
	code = tl_doc_parse(&delta, tl_entry_store_data(entry, (size_t)at));
	if (code == TL_OK)
		code = tl_doc_merge(doc, delta);
	else if (code != TL_E_NOMEM)
		code = tl__fail_cause(TL_E_STORE_DAMAGED,
			"the data of an entry was readable when it was stored and is not now; run "
			"verify");
	tl_value_free(delta);
	return code;
}

typedef struct chunk {
	tl__dag_member **members;
	tl_entry **entries; /* retained */
	size_t count;
} chunk;

static int on_bytes(void *ud, const tl__entry_row *row)
{
	chunk *c = ud;
	size_t at = 0;
	int code;

	while (at < c->count && !tl__id_equal(&c->members[at]->stamp.id, &row->id))
		at++;
	if (at == c->count || c->entries[at])
		return TL_OK;
	code = tl_entry_parse(&c->entries[at], row->bytes, TL_ENTRY_CANONICAL);
	if (code == TL_E_NOMEM)
		return code;
	if (code != TL_OK)
		return tl__fail_cause(
			TL_E_STORE_DAMAGED, "a stored entry cannot be read any more; run verify");
	if (!tl__id_equal(tl_entry_id(c->entries[at]), &row->id))
		return tl__fail(
			TL_E_STORE_DAMAGED, "a stored entry's bytes have changed; run verify");
	return TL_OK;
}

/* Retains the entries of up to CHUNK members. */
static int load_chunk(tl__dag *dag, chunk *c)
{
	tl_id ids[CHUNK];
	size_t stored = 0;
	int code = TL_OK;

	for (size_t i = 0; i < c->count; i++) {
		if (c->members[i]->entry)
			c->entries[i] = tl_entry_retain(c->members[i]->entry);
		else
			ids[stored++] = c->members[i]->stamp.id;
	}
	if (stored > 0)
		code = tl__read_entries(
			dag->snapshot, &dag->db, ids, stored, TL__WITH_BYTES, on_bytes, c);
	for (size_t i = 0; code == TL_OK && i < c->count; i++)
		if (!c->entries[i])
			code = tl__fail(TL_E_STORE_DAMAGED,
				"an entry is missing that its store names; run verify");
	return code;
}

static int merge_chunk(
	tl__dag *dag, tl__dag_store *store, tl__dag_member **members, size_t count, tl_value *doc)
{
	tl_entry *entries[CHUNK] = {NULL};
	chunk c = {members, entries, count};
	int code = load_chunk(dag, &c);

	for (size_t i = 0; code == TL_OK && i < count; i++)
		code = merge_delta(store, entries[i], doc);
	for (size_t i = 0; i < count; i++)
		tl_entry_free(entries[i]);
	return code;
}

int tl__dag_merge(tl__dag *dag, tl__dag_store *store, tl__dag_member *member, tl_value *doc)
{
	if (member->unreadable || member->verdict != TL__VERIFIED)
		return TL_OK;
	return merge_chunk(dag, store, &member, 1, doc);
}

/* --- all -------------------------------------------------------------------------------------- */

static int collect(void *ud, tl__dag_member *member)
{
	if (member->verdict == TL__VERIFIED && !member->unreadable)
		tl__buf_append(ud, (const void *)&member, sizeof(tl__dag_member *));
	return TL_OK;
}

int tl__dag_fold(tl__dag *dag, tl__dag_store *store, const tl_id *ids, size_t count, tl_value **out,
	size_t *newest)
{
	tl_value *doc = tl_value_doc();
	tl__buf found = TL__BUF_INIT;
	tl__dag_member **members;
	size_t met;
	int code = doc ? tl__dag_walk(dag, store, ids, count, collect, &found) : TL_E_NOMEM;

	if (code == TL_OK)
		code = tl__buf_status(&found);
	members = (tl__dag_member **)(void *)found.ptr;
	met = found.len / sizeof(tl__dag_member *);
	if (code == TL_OK && met > 1)
		qsort((void *)members, met, sizeof(tl__dag_member *), by_stamp);
	for (size_t i = 0; code == TL_OK && i < met; i += CHUNK)
		code = merge_chunk(dag, store, members + i, met - i < CHUNK ? met - i : CHUNK, doc);
	for (size_t i = 0; newest && i < met; i++)
		if (members[i]->order > *newest)
			*newest = members[i]->order;
	tl__buf_free(&found);
	if (code == TL_OK) {
		tl__value_reduce(doc);
		*out = doc;
		return TL_OK;
	}
	tl_value_free(doc);
	*out = NULL;
	return code;
}

int tl__state_fold(tl__snapshot *s, const tl_id *db, tl_str store, const tl_id *tips, size_t count,
	tl_value **out)
{
	tl__dag_store *members;
	tl__dag dag;
	int code = tl__dag_init(&dag, s, db);

	*out = NULL;
	if (code == TL_OK)
		code = tl__dag_store_of(&dag, store, &members);
	if (code == TL_OK)
		code = tl__dag_fold(&dag, members, tips, count, out, NULL);
	tl__dag_free(&dag);
	return code;
}
