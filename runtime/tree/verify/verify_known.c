/* Rechecking a database: what the store's rows say of the entries of a page and of those they name.
 * Most are of the same page or the one before, so a few thousand are kept. */
#include <string.h>
#include "model/entry_impl.h"
#include "tree/verify/verify.h"

#define KEPT 8192

/* --- stores ----------------------------------------------------------------------------------- */

int tl__verify_store_of(tl__verify *v, tl_str name, tl__verify_store **out)
{
	tl__verify_store *store = tl__map_get(&v->stores, name);

	*out = store;
	if (store)
		return TL_OK;
	store = tl__arena_alloc(&v->arena, 1, sizeof *store);
	if (!store)
		return TL_E_NOMEM;
	store->name = tl__arena_str(&v->arena, name);
	store->index = v->stores.count + 1;
	store->next = v->first_store;
	v->first_store = *out = store;
	return store->name.ptr ? tl__map_set(&v->stores, name, store) : TL_E_NOMEM;
}

/* --- entries ---------------------------------------------------------------------------------- */

static int know(tl__verify *v, const tl_id *id, uint64_t arrival, uint64_t height)
{
	tl__verify_known *known = tl__arena_alloc(&v->recent, 1, sizeof *known);

	if (!known)
		return TL_E_NOMEM;
	*known = (tl__verify_known){arrival, height};
	return tl__map_set(&v->known, tl__map_key_id(id), known);
}

static int on_entry(void *ud, const tl__entry_row *row)
{
	return know(ud, &row->id, row->arrival, row->height);
}

const tl__verify_known *tl__verify_known_of(const tl__verify *v, const tl_id *id)
{
	return tl__map_get(&v->known, tl__map_key_id(id));
}

static int look_up_entries(tl__verify *v, const tl__verify_page *page)
{
	tl__buf ids = TL__BUF_INIT;
	int code = TL_OK;

	for (size_t i = 0; i < page->lines.count && code == TL_OK; i++) {
		const tl__line *at = &page->lines.at[i];

		code = know(v, &at->id, at->arrival, at->height);
	}
	for (size_t i = 0; i < page->lines.count && code == TL_OK; i++) {
		size_t count = 0;
		const tl_id *names =
			page->at[i].entry ? tl__entry_names(page->at[i].entry, &count) : NULL;

		for (size_t k = 0; k < count; k++)
			if (!tl__verify_known_of(v, &names[k]))
				tl__buf_append(&ids, &names[k], sizeof names[k]);
	}
	if (code == TL_OK)
		code = tl__buf_status(&ids);
	if (code == TL_OK && ids.len > 0)
		code = tl__read_entries(v->snapshot, &v->db, (const tl_id *)(const void *)ids.ptr,
			ids.len / TL_ID_BYTES, 0, on_entry, v);
	tl__buf_free(&ids);
	return code;
}

/* --- members ---------------------------------------------------------------------------------- */

#define MEMBER_KEY (sizeof(uint64_t) + TL_ID_BYTES)

static tl_str member_key(char memory[MEMBER_KEY], const tl__verify_store *store, const tl_id *id)
{
	memcpy(memory, &store->index, sizeof store->index);
	memcpy(memory + sizeof store->index, id->b, TL_ID_BYTES);
	return (tl_str){memory, MEMBER_KEY};
}

const tl__verify_member *tl__verify_member_of(
	const tl__verify *v, const tl__verify_store *store, const tl_id *id)
{
	char memory[MEMBER_KEY];

	return tl__map_get(&v->members, member_key(memory, store, id));
}

typedef struct asking {
	tl__verify *verify;
	tl__verify_store *store;
} asking;

static int on_member(void *ud, const tl__member_row *row)
{
	const asking *a = ud;
	tl__verify_member *member = tl__arena_alloc(&a->verify->recent, 1, sizeof *member);
	char memory[MEMBER_KEY];

	if (!member)
		return TL_E_NOMEM;
	*member = (tl__verify_member){row->height, row->unreadable};
	return tl__map_set(&a->verify->members, member_key(memory, a->store, &row->id), member);
}

static int ask_members(tl__verify *v, tl__verify_store *store)
{
	asking a = {v, store};
	int code = tl__buf_status(&store->ids);

	if (code == TL_OK && store->ids.len > 0)
		code = tl__read_members(v->snapshot, &v->db, store->name,
			(const tl_id *)(const void *)store->ids.ptr, store->ids.len / TL_ID_BYTES,
			on_member, &a);
	tl__buf_free(&store->ids);
	return code;
}

static int gather_members(tl__verify *v, const tl_entry *entry, tl__buf *touched)
{
	int code = TL_OK;

	for (size_t i = 0; i < tl_entry_store_count(entry) && code == TL_OK; i++) {
		const tl_id *parents = tl__entry_store_parents(entry, i);
		tl__verify_store *store;

		code = tl__verify_store_of(v, tl_entry_store_name(entry, i), &store);
		if (code == TL_OK && store->ids.len == 0) {
			tl__buf_append(touched, (const void *)&store, sizeof(tl__verify_store *));
			code = tl__buf_status(touched);
		}
		if (code != TL_OK)
			break;
		tl__buf_append(&store->ids, tl_entry_id(entry), sizeof(tl_id));
		for (size_t k = 0; k < tl_entry_store_parent_count(entry, i); k++)
			if (!tl__verify_member_of(v, store, &parents[k]))
				tl__buf_append(&store->ids, &parents[k], sizeof parents[k]);
	}
	return code;
}

static int look_up_members(tl__verify *v, const tl__verify_page *page)
{
	tl__buf touched = TL__BUF_INIT;
	int code = TL_OK;

	for (size_t i = 0; i < page->lines.count && code == TL_OK; i++)
		if (page->at[i].entry)
			code = gather_members(v, page->at[i].entry, &touched);
	for (size_t i = 0; i < touched.len / sizeof(tl__verify_store *); i++) {
		tl__verify_store *store = ((tl__verify_store **)(void *)touched.ptr)[i];

		if (code == TL_OK)
			code = ask_members(v, store);
		else
			tl__buf_free(&store->ids);
	}
	tl__buf_free(&touched);
	return code;
}

/* --- all -------------------------------------------------------------------------------------- */

void tl__verify_forget(tl__verify *v)
{
	tl__map_free(&v->known);
	tl__map_free(&v->members);
	tl__arena_free(&v->recent);
	tl__map_init(&v->known);
	tl__map_init(&v->members);
}

int tl__verify_look_up(tl__verify *v, const tl__verify_page *page)
{
	int code;

	if (v->known.count + v->members.count > KEPT)
		tl__verify_forget(v);
	code = look_up_entries(v, page);
	return code == TL_OK ? look_up_members(v, page) : code;
}
