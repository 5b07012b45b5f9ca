/* Lists of ids. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "tree/api/handles.h"

int tl__ids_add_all(tl__ids *ids, const tl_id *at, size_t count)
{
	size_t cap = ids->cap > 0 ? ids->cap : 8;
	tl_id *grown;

	if (count == 0)
		return TL_OK;
	while (cap - ids->count < count)
		cap *= 2;
	if (cap != ids->cap) {
		grown = tl__resize(ids->at, cap, sizeof *ids->at);
		if (!grown)
			return TL_E_NOMEM;
		ids->at = grown;
		ids->cap = cap;
	}
	memcpy(ids->at + ids->count, at, count * sizeof *at);
	ids->count += count;
	return TL_OK;
}

int tl__ids_add(tl__ids *ids, const tl_id *id)
{
	return tl__ids_add_all(ids, id, 1);
}

int tl__ids_visit(void *ud, const tl_id *id)
{
	return tl__ids_add(ud, id);
}

static int by_id(const void *a, const void *b)
{
	return memcmp(((const tl_id *)a)->b, ((const tl_id *)b)->b, TL_ID_BYTES);
}

void tl__ids_sort(tl__ids *ids)
{
	size_t kept = 0;

	if (ids->count < 2)
		return;
	qsort(ids->at, ids->count, sizeof *ids->at, by_id);
	for (size_t i = 1; i < ids->count; i++)
		if (by_id(&ids->at[kept], &ids->at[i]) != 0)
			ids->at[++kept] = ids->at[i];
	ids->count = kept + 1;
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
