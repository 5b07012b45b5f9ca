/* Rechecking a database: the tips that follow from its entries, and the state. */
#include <string.h>
#include "base/str.h"
#include "model/ids.h"
#include "tree/verify/verify.h"

#define LOOKED_UP_AT_ONCE 256

typedef struct looking {
	tl__verify *verify;
	const tl__verify_store *store;
	uint64_t right;
} looking;

static int on_tip(void *ud, const tl__entry_row *row)
{
	looking *l = ud;

	l->right += tl__number_set_remove(&l->verify->open, tl__verify_tip(l->store, row->arrival));
	return TL_OK;
}

static int look_up(looking *l, const tl__ids *stored)
{
	int code = TL_OK;

	for (size_t i = 0; i < stored->count && code == TL_OK; i += LOOKED_UP_AT_ONCE) {
		size_t count = stored->count - i;

		if (count > LOOKED_UP_AT_ONCE)
			count = LOOKED_UP_AT_ONCE;
		code = tl__read_entries(
			l->verify->snapshot, &l->verify->db, stored->at + i, count, 0, on_tip, l);
	}
	return code;
}

static int compare_tips(tl__verify *v, const tl__verify_store *store)
{
	bool whole = store->index == 0;
	tl__ids stored = {0};
	looking l = {v, store, 0};
	int code = tl__read_tips(v->snapshot, &v->db,
		whole ? TL__STR("") : tl__store_scope(store->name), tl__ids_visit, &stored);

	if (code == TL_OK)
		code = look_up(&l, &stored);
	if (code == TL_OK && (l.right != store->open || stored.count != store->open))
		tl__verify_report(v, NULL,
			"the stored tips of %s%.*s%s are not those of the entries (%zu and %llu)",
			whole ? "the database" : "store `", TL__STR_ARG(store->name),
			whole ? "" : "`", stored.count, (unsigned long long)store->open);
	tl__ids_free(&stored);
	return code;
}

int tl__verify_derived(tl__verify *v)
{
	int code = compare_tips(v, &v->whole);

	for (tl__verify_store *at = v->first_store; at && code == TL_OK; at = at->next) {
		code = compare_tips(v, at);
		if (code == TL_OK && !tl__str_eq(at->name, TL__STR(TL__STORE_ROOT)))
			code = tl__verify_state(v, at);
	}
	return code;
}
