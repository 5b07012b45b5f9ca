/* Rows set aside that the batch of this turn takes away. */
#include "tree/ingest/ingest_run.h"

int tl__run_drop(tl__run *run, const tl_id *id)
{
	void *array = run->drops;

	if (tl__arena_grow(&run->arena, &array, &run->drop_cap, run->drop_count,
		    sizeof *run->drops) != TL_OK)
		return TL_E_NOMEM;
	run->drops = array;
	run->drops[run->drop_count++] = *id;
	return TL_OK;
}
