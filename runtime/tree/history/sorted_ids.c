#include "tree/history/sorted_ids.h"

#include <string.h>
#include "base/mem.h"
#include "model/ids.h"

/* Place of the first that is not before `id`. */
static size_t place_of(const tl__sorted_ids *list, const tl_id *id)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (tl__id_compare(&list->at[middle], id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool has_id(const tl__sorted_ids *list, size_t place, const tl_id *id)
{
	return place < list->count && tl__id_equal(&list->at[place], id);
}

bool tl__sorted_ids_add(tl__sorted_ids *list, const tl_id *id)
{
	size_t place = place_of(list, id);
	tl_id *at;

	if (has_id(list, place, id))
		return true;
	at = tl__grow(list->at, list->count, &list->cap, sizeof *at);
	if (!at)
		return false;
	list->at = at;
	memmove(&list->at[place + 1], &list->at[place], (list->count - place) * sizeof *id);
	list->at[place] = *id;
	list->count++;
	return true;
}

void tl__sorted_ids_remove(tl__sorted_ids *list, const tl_id *id)
{
	size_t place = place_of(list, id);

	if (!has_id(list, place, id))
		return;
	list->count--;
	memmove(&list->at[place], &list->at[place + 1], (list->count - place) * sizeof *id);
}

void tl__sorted_merge_add(tl__sorted_merge *merge, const tl__sorted_ids *list, const tl_id *after)
{
	size_t at = 0;

	if (!list || list->count == 0 || merge->count == TL__SORTED_MERGE_LISTS)
		return;
	if (after) {
		at = place_of(list, after);
		at += has_id(list, at, after);
	}
	merge->lists[merge->count++] = (struct tl__sorted_reading){list, at};
}

bool tl__sorted_merge_next(tl__sorted_merge *merge, tl_id *out)
{
	bool found = false;

	for (size_t i = 0; i < merge->count; i++) {
		const struct tl__sorted_reading *r = &merge->lists[i];

		if (r->at == r->list->count)
			continue;
		if (!found || tl__id_compare(&r->list->at[r->at], out) < 0)
			*out = r->list->at[r->at];
		found = true;
	}
	for (size_t i = 0; found && i < merge->count; i++)
		merge->lists[i].at += has_id(merge->lists[i].list, merge->lists[i].at, out);
	return found;
}
