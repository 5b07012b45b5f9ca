#include "tree/history/lines.h"

#include <string.h>

int tl__lines_note(void *ud, const tl__entry_row *row)
{
	tl__lines *lines = ud;
	void *array = lines->at;
	int code =
		tl__arena_grow(&lines->arena, &array, &lines->cap, lines->count, sizeof *lines->at);
	tl__line *at;

	if (code != TL_OK)
		return code;
	lines->at = array;
	at = &lines->at[lines->count];
	*at = (tl__line){.id = row->id,
		.arrival = row->arrival,
		.height = row->height,
		.is_void = row->verdict == TL__VOID,
		.bytes = tl__arena_str(&lines->arena, row->bytes)};
	memcpy(at->chain, row->chain, sizeof at->chain);
	if (!at->bytes.ptr)
		return TL_E_NOMEM;
	lines->count++;
	lines->bytes += row->bytes.len;
	return lines->bytes > TL__LINES_PAGE_BYTES ? TL__STORE_STOP : TL_OK;
}
