#include "model/ids.h"

#include <stdlib.h>
#include <tidelock/error.h>
#include "base/mem.h"

int tl__ids_add(tl__ids *ids, const tl_id *id)
{
	tl_id *at = tl__grow(ids->at, ids->count, &ids->cap, sizeof *at);

	if (!at)
		return TL_E_NOMEM;
	ids->at = at;
	ids->at[ids->count++] = *id;
	return TL_OK;
}

int tl__ids_add_all(tl__ids *ids, const tl_id *at, size_t count)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < count; i++)
		rc = tl__ids_add(ids, &at[i]);
	return rc;
}

int tl__ids_visit(void *ud, const tl_id *id)
{
	return tl__ids_add(ud, id);
}

int tl__id_compare(const void *a, const void *b)
{
	return memcmp(a, b, TL_ID_BYTES);
}

size_t tl__ids_unique(tl_id *ids, size_t count)
{
	size_t kept = 0;

	if (count > 1)
		qsort(ids, count, sizeof *ids, tl__id_compare);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !tl__id_equal(&ids[kept - 1], &ids[i]))
			ids[kept++] = ids[i];
	return kept;
}

static int compare_citations(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(tl__citation));
}

size_t tl__citations_unique(tl__citation *at, size_t count)
{
	size_t kept = 0;

	if (count > 1)
		qsort(at, count, sizeof *at, compare_citations);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || compare_citations(&at[kept - 1], &at[i]) != 0)
			at[kept++] = at[i];
	return kept;
}

tl_id tl__id_turned(const tl_id *id)
{
	tl_id turned;

	for (size_t i = 0; i < sizeof turned.b; i++)
		turned.b[i] = (uint8_t)~id->b[i];
	return turned;
}

/* Citations begin with their database. */
static bool is_cited_in(const tl_id *db, const tl__buf *own)
{
	return own->len > 0 && bsearch(db, own->ptr, own->len / sizeof(tl__citation),
				       sizeof(tl__citation), tl__id_compare);
}

/* Without those that own ones replace. How many of these stand for others. */
static size_t keep_others(tl__buf *all, const tl__buf *own)
{
	tl__citation *at = (tl__citation *)(void *)all->ptr;
	size_t count = all->len / sizeof *at, kept = 0, standing = 0;

	for (size_t i = 0; i < count; i++) {
		tl_id turned = tl__id_turned(&at[i].db);

		if (!is_cited_in(&at[i].db, own) && !is_cited_in(&turned, own))
			at[kept++] = at[i];
	}
	kept = tl__citations_unique(at, kept);
	for (size_t i = 0; i < kept; i++)
		standing += tl__id_is_zero(&at[i].db);
	all->len = kept * sizeof *at;
	return standing;
}

/* The first one, which is in order, may stand for others. */
static void add_own(tl__buf *all, const tl__buf *own)
{
	const tl__citation *at = (const tl__citation *)(const void *)own->ptr;
	tl__citation first = {0};
	bool stands = false;

	if (all->len > 0) {
		memcpy(&first, all->ptr, sizeof first);
		stands = tl__id_is_zero(&first.db);
	}
	for (size_t i = 0; i < own->len / sizeof *at; i++) {
		tl__citation passed = {tl__id_turned(&at[i].db), first.tip};

		if (stands && (i == 0 || !tl__id_equal(&at[i - 1].db, &at[i].db)))
			tl__buf_append(all, &passed, sizeof passed);
		tl__buf_append(all, &at[i], sizeof at[i]);
	}
}

int tl__citations_hand_on(tl__buf *all, tl__buf *own, const tl_id *id, size_t most)
{
	tl__citation one = {.tip = *id};
	size_t standing;

	if (own->len > 0)
		own->len = sizeof one * tl__citations_unique((tl__citation *)(void *)own->ptr,
						own->len / sizeof one);
	standing = keep_others(all, own);
	if (all->len > most * sizeof one || (standing > 1 && own->len > 0)) {
		tl__buf_clear(all);
		tl__buf_append(all, &one, sizeof one);
	}
	add_own(all, own);
	if (tl__buf_status(all) == TL_OK && all->len > 0)
		all->len = sizeof one * tl__citations_unique((tl__citation *)(void *)all->ptr,
						all->len / sizeof one);
	return tl__buf_status(all);
}

void tl__ids_sort(tl__ids *ids)
{
	ids->count = tl__ids_unique(ids->at, ids->count);
}

bool tl__ids_equal(const tl__ids *a, const tl__ids *b)
{
	return a->count == b->count &&
	       (a->count == 0 || memcmp(a->at, b->at, a->count * sizeof *a->at) == 0);
}

void tl__ids_free(tl__ids *ids)
{
	tl__free(ids->at);
	*ids = (tl__ids){0};
}
