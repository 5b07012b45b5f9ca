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

static bool is_cited_in(const tl_id *db, const tl__citation *own, size_t count)
{
	size_t i = 0;

	while (i < count && !tl__id_equal(&own[i].db, db))
		i++;
	return i < count;
}

size_t tl__citations_hand_on(tl__citation *at, size_t count, const tl__citation *own,
	size_t own_count, const tl_id *id, size_t most)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!is_cited_in(&at[i].db, own, own_count))
			at[kept++] = at[i];
	kept = tl__citations_unique(at, kept);
	if (kept > most) {
		at[0] = (tl__citation){.tip = *id};
		kept = 1;
	}
	if (own_count > 0)
		memcpy(at + kept, own, own_count * sizeof *own);
	return tl__citations_unique(at, kept + own_count);
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
