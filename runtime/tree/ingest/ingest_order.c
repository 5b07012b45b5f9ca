/* Lines of a page parents first, so that a piece of it needs nothing of a later one. */
#include <string.h>
#include "base/buf.h"
#include "base/mem.h"
#include "model/entry_impl.h"
#include "tree/ingest/ingest_run.h"

typedef struct ordering {
	const tl__line *lines;
	tl__map places; /* id -> place + 1 */
	size_t *next;   /* of the names of each line; SIZE_MAX when it has its place */
	size_t *order, count;
	tl__buf stack;
} ordering;

static size_t place_of(const ordering *o, const tl_id *id)
{
	return (size_t)(uintptr_t)tl__map_get(&o->places, tl__map_key_id(id)) - 1;
}

static int note_places(ordering *o, size_t count, size_t *first)
{
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl_str key;

		first[i] = i;
		if (!o->lines[i].entry || o->lines[i].declined != TL_OK) {
			o->next[i] = SIZE_MAX;
			continue;
		}
		key = tl__map_key_id(tl_entry_id(o->lines[i].entry));
		if (tl__map_has(&o->places, key)) {
			first[i] = (size_t)(uintptr_t)tl__map_get(&o->places, key) - 1;
			o->next[i] = SIZE_MAX;
		} else {
			code = tl__map_set(&o->places, key, (void *)(uintptr_t)(i + 1));
		}
	}
	return code;
}

/* A line that it stands on and that has no place yet; SIZE_MAX: none. */
static size_t below(ordering *o, size_t at)
{
	size_t count;
	const tl_id *names = tl__entry_names(o->lines[at].entry, &count);

	while (o->next[at] < count) {
		size_t place = place_of(o, &names[o->next[at]++]);

		if (place != SIZE_MAX && o->next[place] != SIZE_MAX)
			return place;
	}
	return SIZE_MAX;
}

/* Without recursion. Hashes make no cycles. */
static int put(ordering *o, size_t from)
{
	tl__buf_append(&o->stack, &from, sizeof from);
	while (tl__buf_status(&o->stack) == TL_OK && o->stack.len > 0) {
		size_t top = ((size_t *)(void *)o->stack.ptr)[o->stack.len / sizeof top - 1];
		size_t before = below(o, top);

		if (before != SIZE_MAX) {
			tl__buf_append(&o->stack, &before, sizeof before);
			continue;
		}
		o->next[top] = SIZE_MAX;
		o->order[o->count++] = top;
		o->stack.len -= sizeof top;
	}
	return tl__buf_status(&o->stack);
}

static int order_all(ordering *o, size_t count)
{
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++)
		if (o->next[i] != SIZE_MAX && tl_entry_is_root(o->lines[i].entry))
			code = put(o, i);
	for (size_t i = 0; i < count && code == TL_OK; i++)
		if (o->next[i] != SIZE_MAX)
			code = put(o, i);
	return code;
}

int tl__lines_order(
	const tl__line *lines, size_t count, size_t *order, size_t *ordered, size_t *first)
{
	ordering o = {.lines = lines, .order = order, .stack = TL__BUF_INIT};
	int code;

	tl__map_init(&o.places);
	o.next = tl__alloc_zero(count + 1, sizeof *o.next);
	code = o.next ? note_places(&o, count, first) : TL_E_NOMEM;
	if (code == TL_OK)
		code = order_all(&o, count);
	*ordered = o.count;
	tl__map_free(&o.places);
	tl__buf_free(&o.stack);
	tl__free(o.next);
	return code;
}
