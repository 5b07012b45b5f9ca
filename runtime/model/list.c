/* Lists: items ordered by fractions, ties broken by UUID. */
#include <string.h>
#include <tidelock/crypto.h>
#include "base/fail.h"
#include "base/mem.h"
#include "model/value.h"

__extension__ typedef __int128 wide;

int tl_position_compare(const tl_position *a, const tl_position *b)
{
	wide left = (wide)a->numerator * (wide)b->denominator;
	wide right = (wide)b->numerator * (wide)a->denominator;

	if (left != right)
		return left < right ? -1 : 1;
	return memcmp(a->uuid, b->uuid, sizeof a->uuid);
}

/* --- items
 * ---------------------------------------------------------------------------------------- */

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
	return list->count;
}

bool tl_list_raw_at(const tl_value *list, size_t index, tl_position *position, tl_value **value)
{
	if (index >= list->count)
		return false;
	*position = list->as.items[index].position;
	*value = list->as.items[index].value;
	return true;
}

size_t tl_list_len(const tl_value *list)
{
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
	size_t at = find_visible(list, index);

	return at < list->count ? list->as.items[at].value : NULL;
}

int tl_list_set(tl_value *list, size_t index, tl_value *value)
{
	size_t at = find_visible(list, index);

	if (!value)
		return TL_E_NOMEM;
	if (at == list->count) {
		tl_value_free(value);
		return tl__fail(TL_E_INDEX_OUT_OF_BOUNDS, "the list has no item %zu", index);
	}
	tl_value_free(list->as.items[at].value);
	list->as.items[at].value = value;
	return TL_OK;
}

int tl_list_remove(tl_value *list, size_t index)
{
	return tl_list_set(list, index, tl_value_deleted());
}

/* --- new positions
 * ---------------------------------------------------------------------------------- */

static wide divisor(wide a, wide b)
{
	while (b != 0) {
		wide rest = a % b;

		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

/* The fraction in lowest terms with a fresh UUID, if it fits. */
static int set_position(tl_position *out, wide numerator, wide denominator)
{
	wide common = divisor(numerator, denominator);

	if (common == 0)
		return tl__fail(
			TL_E_POSITION_EXHAUSTED, "a neighbour's position has denominator 0");
	numerator /= common;
	denominator /= common;
	if (numerator < INT64_MIN || numerator > INT64_MAX || denominator > (wide)UINT64_MAX)
		return tl__fail(TL_E_POSITION_EXHAUSTED,
			"no position is left between these items; write the list anew");
	out->numerator = (int64_t)numerator;
	out->denominator = (uint64_t)denominator;
	tl_random_bytes(out->uuid, sizeof out->uuid);
	out->uuid[6] = (uint8_t)((out->uuid[6] & 0x0f) | 0x40);
	out->uuid[8] = (uint8_t)((out->uuid[8] & 0x3f) | 0x80);
	return TL_OK;
}

/* Halfway, cut to an integer over the common denominator while that separates the two. The sum of
 * two products of 64-bit numbers fits 128 bits; twice the denominators' product may not. */
static int between(tl_position *out, const tl_position *left, const tl_position *right)
{
	wide common = divisor((wide)left->denominator, (wide)right->denominator);
	wide scale_left, scale_right, a, b, c, middle;

	if (common == 0)
		return tl__fail(
			TL_E_POSITION_EXHAUSTED, "a neighbour's position has denominator 0");
	scale_left = (wide)right->denominator / common;
	scale_right = (wide)left->denominator / common;
	a = left->numerator * scale_left;
	b = right->numerator * scale_right;
	if (scale_left > (wide)INT64_MAX || scale_right > (wide)INT64_MAX)
		return tl__fail(TL_E_POSITION_EXHAUSTED, "no position is left between these items");
	c = scale_left * (wide)left->denominator;
	if (c > ((wide)1 << 125))
		return tl__fail(TL_E_POSITION_EXHAUSTED, "no position is left between these items");
	middle = (a + b) / 2;
	if (middle == a || middle == b)
		return set_position(out, a + b, 2 * c);
	return set_position(out, middle, c);
}

int tl_list_push(tl_value *list, tl_value *value)
{
	tl_position position = {0};
	int code;

	if (!value)
		return TL_E_NOMEM;
	if (list->count == 0) {
		code = set_position(&position, 0, 1);
	} else {
		/* Whole numbers upwards; after a negative fraction that is still behind it. */
		const tl_position *last = &list->as.items[list->count - 1].position;
		wide whole = last->denominator ? last->numerator / (wide)last->denominator : 0;

		code = set_position(&position, whole + 1, 1);
	}
	if (code == TL_OK)
		return tl_list_put(list, &position, value);
	tl_value_free(value);
	return code;
}

static int place(tl_position *out, const tl_value *list, size_t at)
{
	const tl__item *items = list->as.items;

	if (list->count == 0)
		return set_position(out, 0, 1);
	if (at == 0)
		return set_position(out, (wide)items[0].position.numerator - 1,
			(wide)items[0].position.denominator);
	if (at == list->count)
		return set_position(out, (wide)items[at - 1].position.numerator + 1,
			(wide)items[at - 1].position.denominator);
	return between(out, &items[at - 1].position, &items[at].position);
}

int tl_list_insert(tl_value *list, size_t index, tl_value *value)
{
	size_t visible = tl_list_len(list), at;
	tl_position position = {0};
	int code;

	if (!value)
		return TL_E_NOMEM;
	if (index > visible) {
		tl_value_free(value);
		return tl__fail(TL_E_INDEX_OUT_OF_BOUNDS, "the list has %zu items, no place %zu",
			visible, index);
	}
	at = index == visible ? list->count : find_visible(list, index);
	code = place(&position, list, at);
	if (code == TL_OK)
		return tl_list_put(list, &position, value);
	tl_value_free(value);
	return code;
}
