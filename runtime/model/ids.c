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
