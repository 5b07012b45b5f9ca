/* Single rows of the store in memory. */
#include <string.h>
#include "store/memory/memory.h"

uint64_t tl__k_read_long(tl_str key, size_t at)
{
	uint64_t number = 0;

	for (size_t i = 0; i < 8; i++)
		number = number << 8 | (uint8_t)key.ptr[at + i];
	return number;
}

tl_str tl__m_split(const tl__row *row, void *fixed, size_t size)
{
	tl_str value = tl__row_value(row);

	memcpy(fixed, value.ptr, size);
	return (tl_str){value.ptr + size, value.len - size};
}

bool tl__m_find_db(const tl__m_view *view, const tl_id *db, tl__m_db *out)
{
	const tl__row *row = tl__rows_get(
		view->roots[TL__T_DATABASE], (tl_str){(const char *)db->b, TL_ID_BYTES});

	if (row)
		tl__m_split(row, out, sizeof *out);
	return row;
}

bool tl__m_find_scope(
	const tl__m_view *view, tl__buf *key, uint32_t db, tl_str name, uint32_t *scope)
{
	const tl__row *row;

	tl__k_str(tl__k_number(tl__k_start(key), db), name);
	row = tl__rows_get(view->roots[TL__T_SCOPE], tl__buf_view(key));
	if (row)
		tl__m_split(row, scope, sizeof *scope);
	return row;
}

const tl__row *tl__m_entry_row(
	const tl__m_view *view, tl__buf *key, uint32_t db, const tl_id *id, uint64_t *arrival)
{
	const tl__row *row;

	tl__k_id(tl__k_number(tl__k_start(key), db), id);
	row = tl__rows_get(view->roots[TL__T_ARRIVAL], tl__buf_view(key));
	if (!row)
		return NULL;
	tl__m_split(row, arrival, sizeof *arrival);
	tl__k_long(tl__k_number(tl__k_start(key), db), *arrival);
	return tl__rows_get(view->roots[TL__T_ENTRY], tl__buf_view(key));
}

int tl__m_put(tl__m_change *change, tl__table table, tl_str key, const void *fixed, size_t size,
	const tl_str *more, size_t more_count)
{
	size_t total = size;
	tl__row *row;
	char *at;

	for (size_t i = 0; i < more_count; i++)
		total += more[i].len;
	row = tl__row_new(&change->edit, key, total);
	if (!row)
		return TL_E_NOMEM;
	at = row->data + key.len;
	if (size)
		memcpy(at, fixed, size);
	at += size;
	for (size_t i = 0; i < more_count; i++) {
		if (more[i].len)
			memcpy(at, more[i].ptr, more[i].len);
		at += more[i].len;
	}
	if (table == TL__T_KEY)
		row->block.wipe = key.len + total;
	return tl__rows_put(&change->edit, &change->view.roots[table], row);
}
