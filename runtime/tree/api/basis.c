/* What views and transactions stand on: tips, and the history below them. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/api/handles.h"
#include "tree/history/recent.h"

/* Ids asked for in one read. */
#define CHUNK 512

void tl__basis_init(tl__basis *basis)
{
	memset(basis, 0, sizeof *basis);
	tl__map_init(&basis->closure);
	tl__map_init(&basis->folded);
}

void tl__basis_free(tl__basis *basis)
{
	size_t at = 0;
	tl_str key;
	void *doc;

	while (tl__map_next(&basis->folded, &at, &key, &doc))
		tl_value_free(doc);
	tl__map_free(&basis->folded);
	tl__map_free(&basis->closure);
	tl__ids_free(&basis->seen);
	tl__ids_free(&basis->parents);
	basis->has_closure = false;
}

static int read_tips(tl__snapshot *s, const tl_id *db, tl_str store, tl__ids *out)
{
	int code = tl__read_tips(s, db, store, tl__ids_visit, out);

	if (code == TL_OK)
		tl__ids_sort(out);
	return code;
}

int tl__basis_is_present(const tl__basis *basis, tl__snapshot *s, const tl_id *db, bool *present)
{
	tl__ids tips = {0};
	int code = read_tips(s, db, TL__STR(""), &tips);

	*present = code == TL_OK && tl__ids_equal(&tips, &basis->seen);
	tl__ids_free(&tips);
	return code;
}

/* --- main parents ----------------------------------------------------------------------------- */

typedef struct sorted_out {
	tl__ids good;
	tl__ids below; /* main parents of the void ones */
	size_t seen;
} sorted_out;

static int sort_out(void *ud, const tl__entry_row *row)
{
	sorted_out *out = ud;

	out->seen++;
	if (row->verdict != TL__VOID)
		return tl__ids_add(&out->good, &row->id);
	return tl__ids_add_all(&out->below, row->parents, row->parent_count);
}

static int look_for_good(void *ud, const tl__entry_row *row)
{
	if (row->verdict == TL__VOID)
		return TL_OK;
	*(bool *)ud = true;
	return TL__STORE_STOP;
}

/* Those below void tips on which nothing good builds directly; what others build on is reached from
 * other tips anyway. */
static int add_uncovered(tl__snapshot *s, const tl_id *db, const tl__ids *candidates, tl__ids *out)
{
	int code = TL_OK;

	for (size_t i = 0; i < candidates->count && code == TL_OK; i++) {
		bool covered = false;

		code = tl__read_children(s, db, &candidates->at[i], look_for_good, &covered);
		if (code == TL_OK && !covered)
			code = tl__ids_add(out, &candidates->at[i]);
	}
	return code;
}

/* Goes down from void tips to the nearest entries that are not void. */
static int replace_void(tl__snapshot *s, const tl_id *db, tl__ids *below, tl__ids *out)
{
	int code = TL_OK;

	while (below->count > 0 && code == TL_OK) {
		sorted_out next = {0};

		tl__ids_sort(below);
		code = tl__read_entries(
			s, db, below->at, below->count, TL__WITH_PARENTS, sort_out, &next);
		if (code == TL_OK)
			code = add_uncovered(s, db, &next.good, out);
		tl__ids_free(&next.good);
		tl__ids_free(below);
		*below = next.below;
	}
	tl__ids_free(below);
	return code;
}

int tl__basis_take_tips(tl__basis *basis, tl__tree *tree, tl__snapshot *s, const tl_id *db)
{
	sorted_out tips = {0};
	int code = read_tips(s, db, TL__STR(""), &basis->seen);

	if (code == TL_OK && tl__recent_has(tree->recent, db, basis->seen.at, basis->seen.count))
		code = tl__ids_add_all(&tips.good, basis->seen.at, basis->seen.count);
	else if (code == TL_OK)
		code = tl__read_entries(s, db, basis->seen.at, basis->seen.count, TL__WITH_PARENTS,
			sort_out, &tips);
	if (code == TL_OK)
		code = replace_void(s, db, &tips.below, &tips.good);
	if (code == TL_OK && tips.good.count == 0)
		code = tl__fail(TL_E_DATABASE_NOT_FOUND,
			"the database has no entry that a new one could build on");
	if (code != TL_OK) {
		tl__ids_free(&tips.good);
		tl__ids_free(&tips.below);
		tl__ids_free(&basis->seen);
		return code;
	}
	tl__ids_sort(&tips.good);
	/* More tips than an entry may name are joined by several entries. */
	if (tips.good.count > TL_WRITE_MAX_PARENTS)
		tips.good.count = TL_WRITE_MAX_PARENTS;
	basis->parents = tips.good;
	return TL_OK;
}

int tl__basis_take_given(tl__basis *basis, tl__snapshot *s, const tl_id *db, const tl_id *tips,
	size_t count, bool allow_void)
{
	sorted_out found = {0};
	int code;

	if (count == 0)
		return tl__fail(TL_E_EMPTY_TIPS_NOT_ALLOWED, "name at least one tip");
	if (count > TL_WRITE_MAX_PARENTS)
		return tl__fail(TL_E_TOO_LARGE, "an entry builds on at most %u tips, not %zu",
			TL_WRITE_MAX_PARENTS, count);
	code = tl__ids_add_all(&basis->seen, tips, count);
	if (code != TL_OK)
		return code;
	tl__ids_sort(&basis->seen);
	code = tl__read_entries(
		s, db, basis->seen.at, basis->seen.count, TL__WITH_PARENTS, sort_out, &found);
	if (code == TL_OK && found.seen < basis->seen.count)
		code = tl__fail(TL_E_INVALID_TIP, "a tip is no entry of this database");
	if (code == TL_OK && !allow_void && found.good.count < basis->seen.count)
		code = tl__fail(TL_E_INVALID_TIP,
			"a tip is void: building on it would make others' invalid entries "
			"permanent");
	if (code == TL_OK)
		code = tl__ids_add_all(&basis->parents, basis->seen.at, basis->seen.count);
	tl__ids_free(&found.good);
	tl__ids_free(&found.below);
	return code;
}

/* --- history ---------------------------------------------------------------------------------- */

typedef struct walk {
	tl__basis *basis;
	tl__ids next;
} walk;

static int enter(walk *w, const tl_id *id)
{
	tl_str key = tl__map_key_id(id);
	int code;

	if (tl__map_has(&w->basis->closure, key))
		return TL_OK;
	code = tl__map_set(&w->basis->closure, key, NULL);
	return code == TL_OK ? tl__ids_add(&w->next, id) : code;
}

static int enter_parents(void *ud, const tl__entry_row *row)
{
	int code = TL_OK;

	for (size_t i = 0; i < row->parent_count && code == TL_OK; i++)
		code = enter(ud, &row->parents[i]);
	return code;
}

static int need_closure(tl__basis *basis, tl__snapshot *s, const tl_id *db)
{
	walk w = {basis, {0}};
	int code = TL_OK;

	if (basis->has_closure)
		return TL_OK;
	for (size_t i = 0; i < basis->parents.count && code == TL_OK; i++)
		code = enter(&w, &basis->parents.at[i]);
	while (code == TL_OK && w.next.count > 0) {
		tl__ids turn = w.next;

		w.next = (tl__ids){0};
		for (size_t at = 0; at < turn.count && code == TL_OK; at += CHUNK)
			code = tl__read_entries(s, db, turn.at + at,
				turn.count - at < CHUNK ? turn.count - at : CHUNK, TL__WITH_PARENTS,
				enter_parents, &w);
		tl__ids_free(&turn);
	}
	tl__ids_free(&w.next);
	basis->has_closure = code == TL_OK;
	return code;
}

/* Which entries of a store are named by another one, through void ones too. */
typedef struct member_set {
	tl__ids good, voids;
	tl__map named;        /* ids named by what counts */
	tl__map void_parents; /* id of a void member -> tl__ids *, owned */
} member_set;

static int name_parents(member_set *set, const tl_id *parents, size_t count)
{
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl_str key = tl__map_key_id(&parents[i]);
		tl__ids *through;

		if (tl__map_has(&set->named, key))
			continue;
		code = tl__map_set(&set->named, key, NULL);
		through = tl__map_get(&set->void_parents, key);
		if (code == TL_OK && through)
			code = tl__ids_add(&set->voids, &parents[i]);
	}
	return code;
}

static int note_void(void *ud, const tl__member_row *row)
{
	member_set *set = ud;
	tl__ids *parents;
	int code;

	if (row->verdict != TL__VOID)
		return tl__ids_add(&set->good, &row->id);
	parents = tl__alloc_zero(1, sizeof *parents);
	if (!parents)
		return TL_E_NOMEM;
	code = tl__ids_add_all(parents, row->parents, row->parent_count);
	if (code == TL_OK)
		code = tl__map_set(&set->void_parents, tl__map_key_id(&row->id), parents);
	if (code != TL_OK) {
		tl__ids_free(parents);
		tl__free(parents);
	}
	return code;
}

static int name_good_parents(void *ud, const tl__member_row *row)
{
	return row->verdict == TL__VOID ? TL_OK : name_parents(ud, row->parents, row->parent_count);
}

static int name_through_voids(member_set *set)
{
	int code = TL_OK;

	while (set->voids.count > 0 && code == TL_OK) {
		tl_id id = set->voids.at[--set->voids.count];
		tl__ids *parents = tl__map_get(&set->void_parents, tl__map_key_id(&id));

		code = name_parents(set, parents->at, parents->count);
	}
	return code;
}

static void member_set_free(member_set *set)
{
	size_t at = 0;
	tl_str key;
	void *parents;

	while (tl__map_next(&set->void_parents, &at, &key, &parents)) {
		tl__ids_free(parents);
		tl__free(parents);
	}
	tl__map_free(&set->void_parents);
	tl__map_free(&set->named);
	tl__ids_free(&set->good);
	tl__ids_free(&set->voids);
}

static int visit_members(tl__snapshot *s, const tl_id *db, tl_str store, const tl__ids *ids,
	tl__member_visit visit, void *ud)
{
	int code = TL_OK;

	for (size_t at = 0; at < ids->count && code == TL_OK; at += CHUNK)
		code = tl__read_members(s, db, store, ids->at + at,
			ids->count - at < CHUNK ? ids->count - at : CHUNK, visit, ud);
	return code;
}

static int closure_ids(const tl__basis *basis, tl__ids *out)
{
	size_t at = 0;
	int code = TL_OK;
	tl_str key;
	void *unused;

	while (code == TL_OK && tl__map_next(&basis->closure, &at, &key, &unused)) {
		tl_id id;

		memcpy(id.b, key.ptr, TL_ID_BYTES);
		code = tl__ids_add(out, &id);
	}
	return code;
}

int tl__basis_store_tips(
	tl__basis *basis, tl__snapshot *s, const tl_id *db, tl_str store, tl__ids *out)
{
	member_set set = {0};
	tl__ids all = {0};
	int code = need_closure(basis, s, db);

	tl__map_init(&set.named);
	tl__map_init(&set.void_parents);
	if (code == TL_OK)
		code = closure_ids(basis, &all);
	if (code == TL_OK)
		code = visit_members(s, db, store, &all, note_void, &set);
	if (code == TL_OK)
		code = visit_members(s, db, store, &set.good, name_good_parents, &set);
	if (code == TL_OK)
		code = name_through_voids(&set);
	for (size_t i = 0; i < set.good.count && code == TL_OK; i++)
		if (!tl__map_has(&set.named, tl__map_key_id(&set.good.at[i])))
			code = tl__ids_add(out, &set.good.at[i]);
	if (code == TL_OK)
		tl__ids_sort(out);
	member_set_free(&set);
	tl__ids_free(&all);
	return code;
}

int tl__basis_doc(
	tl__basis *basis, tl__snapshot *s, const tl_id *db, tl_str store, const tl_value **out)
{
	tl_value *doc = tl__map_get(&basis->folded, store);
	tl__ids tips = {0};
	int code;

	*out = doc;
	if (doc)
		return TL_OK;
	code = tl__basis_store_tips(basis, s, db, store, &tips);
	if (code == TL_OK)
		code = tl__state_fold(s, db, store, tips.at, tips.count, &doc);
	tl__ids_free(&tips);
	if (code != TL_OK)
		return code;
	code = tl__map_set(&basis->folded, store, doc);
	if (code != TL_OK) {
		tl_value_free(doc);
		return code;
	}
	*out = doc;
	return TL_OK;
}
