/* Lists: items ordered by fractions, ties broken by UUID. */
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/public.h"
#include "model/value.h"

__extension__ typedef __int128 wide;

int tl_position_compare(const tl_position *a, const tl_position *b)
{
	wide left, right;

	if (!a || !b)
		return (a != NULL) - (b != NULL);
	left = (wide)a->numerator * (wide)b->denominator;
	right = (wide)b->numerator * (wide)a->denominator;
	if (left != right)
		return left < right ? -1 : 1;
	return memcmp(a->uuid, b->uuid, sizeof a->uuid);
}

/* --- items ------------------------------------------------------------------------------------ */

size_t tl__list_search(const tl_value *list, const tl_position *position, bool *found)
{
	size_t low = 0, high = list->count;

	if (high > 0 && tl_position_compare(&list->as.items[high - 1].position, position) < 0)
		low = high;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tl_position_compare(&list->as.items[middle].position, position) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = low < list->count &&
		 tl_position_compare(&list->as.items[low].position, position) == 0;
	return low;
}

static int insert_item(tl_value *list, size_t at, const tl_position *position, tl_value *value)
{
	if (tl__value_grow(list) != TL_OK) {
		tl_value_free(value);
		return TL_E_NOMEM;
	}
	memmove(list->as.items + at + 1, list->as.items + at,
		(list->count - at) * sizeof *list->as.items);
	list->as.items[at] = (tl__item){*position, value};
	list->count++;
	return TL_OK;
}

int tl__list_append(tl_value *list, const tl_position *position, tl_value *value)
{
	return insert_item(list, list->count, position, value);
}

int tl_list_put(tl_value *list, const tl_position *position, tl_value *value)
{
	TL__NEED_TAKING(list && position, value);

	bool found;
	size_t at;

	if (!value)
		return TL_E_NOMEM;
	at = tl__list_search(list, position, &found);
	if (!found)
		return insert_item(list, at, position, value);
	tl_value_free(list->as.items[at].value);
	list->as.items[at].value = value;
	return TL_OK;
}

/* Read lists are almost always in order; others are put together item by item. */
int tl__list_sort(tl_value *list)
{
	tl_value sorted = {.type = TL_LIST};
	int code = TL_OK;

	for (size_t i = 0; i < list->count; i++) {
		tl__item *item = &list->as.items[i];

		if (code == TL_OK)
			code = tl_list_put(&sorted, &item->position, item->value);
		else
			tl_value_free(item->value);
	}
	tl__free(list->as.items);
	*list = sorted;
	return code;
}

size_t tl_list_raw_len(const tl_value *list)
{
	if (!list)
		return 0;
	return list->count;
}

bool tl_list_raw_at(const tl_value *list, size_t index, tl_position *position, tl_value **value)
{
	if (!list)
		return false;
	if (index >= list->count)
		return false;
	*position = list->as.items[index].position;
	*value = list->as.items[index].value;
	return true;
}

size_t tl_list_len(const tl_value *list)
{
	if (!list)
		return 0;
	size_t visible = 0;

	for (size_t i = 0; i < list->count; i++)
		visible += list->as.items[i].value->type != TL_DELETED;
	return visible;
}

/* Place in the array of the visible item with this index; count when there is none. */
static size_t find_visible(const tl_value *list, size_t index)
{
	size_t at = 0;

	for (; at < list->count; at++)
		if (list->as.items[at].value->type != TL_DELETED && index-- == 0)
			break;
	return at;
}

tl_value *tl_list_get(const tl_value *list, size_t index)
{
	if (!list)
		return NULL;
	size_t at = find_visible(list, index);

	return at < list->count ? list->as.items[at].value : NULL;
}

int tl_list_set(tl_value *list, size_t index, tl_value *value)
{
	TL__NEED_TAKING(list, value);

	size_t at = find_visible(list, index);

	if (!value)
		return TL_E_NOMEM;
	if (at == list->count) {
		size_t len = tl_list_len(list);

		tl_value_free(value);
		return tl__fail(TL_E_INDEX_OUT_OF_BOUNDS,
			"the list has %zu items, and none at this place", len);
	}
	tl_value_free(list->as.items[at].value);
	list->as.items[at].value = value;
	return TL_OK;
}

int tl_list_remove(tl_value *list, size_t index)
{
	TL__NEED(list);

	return tl_list_set(list, index, tl_value_deleted());
}

/* --- adding ----------------------------------------------------------------------------------- */

#define NOWHERE SIZE_MAX

static int put_between(tl_value *list, size_t left, size_t right, tl_value *value)
{
	tl_position position = {0};
	int code = tl__list_place(&position, list, left, right);

	if (code == TL_OK)
		return tl_list_put(list, &position, value);
	tl_value_free(value);
	return code;
}

static size_t last_visible(const tl_value *list)
{
	size_t at = list->count;

	while (at > 0 && list->as.items[at - 1].value->type == TL_DELETED)
		at--;
	return at > 0 ? at - 1 : NOWHERE;
}

/* Behind deleted items too, while there are whole numbers. */
int tl_list_push(tl_value *list, tl_value *value)
{
	TL__NEED_TAKING(list, value);

	size_t last = list->count > 0 ? list->count - 1 : NOWHERE;
	tl_position ignored;

	if (!value)
		return TL_E_NOMEM;
	if (last != NOWHERE && tl__list_place(&ignored, list, last, NOWHERE) != TL_OK)
		last = last_visible(list);
	return put_between(list, last, NOWHERE, value);
}

int tl_list_insert(tl_value *list, size_t index, tl_value *value)
{
	TL__NEED_TAKING(list, value);

	size_t visible = tl_list_len(list);

	if (!value)
		return TL_E_NOMEM;
	if (index > visible) {
		tl_value_free(value);
		return tl__fail(TL_E_INDEX_OUT_OF_BOUNDS,
			"the list has %zu items, and this place is behind them", visible);
	}
	if (index == visible)
		return tl_list_push(list, value);
	return put_between(list, index > 0 ? find_visible(list, index - 1) : NOWHERE,
		find_visible(list, index), value);
}
