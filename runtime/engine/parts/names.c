#include "engine/parts/names.h"

int tl__names_add(void *ud, tl_str name)
{
	tl__names *names = ud;
	tl_str copy = tl__arena_str(&names->arena, name);
	void *array = names->at;

	if (!copy.ptr || tl__arena_grow(&names->arena, &array, &names->cap, names->count,
				 sizeof *names->at) != TL_OK)
		return TL_E_NOMEM;
	names->at = array;
	names->at[names->count++] = copy;
	return TL_OK;
}

int tl__names_each(const tl__names *names, tl_name_visit visit, void *ud)
{
	int rc = TL_OK;

	for (size_t i = 0; rc == TL_OK && i < names->count; i++)
		rc = visit(ud, names->at[i]);
	return rc == TL_STOP ? TL_OK : rc;
}

void tl__names_free(tl__names *names)
{
	tl__arena_free(&names->arena);
}
