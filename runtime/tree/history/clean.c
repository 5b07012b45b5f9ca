/* Taking dead rows out of the state. Floors only rise, so what is dead stays dead, and a drop names
 * the stamp it saw: a row that was raised meanwhile is left alone. */
#include <string.h>
#include "base/arena.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "tree/history/place.h"
#include "tree/tree.h"

/* A place with a Doc or a List, now or once: what lies below it may be dead. */
typedef struct frame {
	size_t path_len;
	tl__floor keys, items; /* of the children of the Doc, of the items of the List */
} frame;

typedef struct cleaner {
	tl_str store;
	frame frames[TL__PLACE_DEPTH_MAX];
	size_t depth;
	tl__buf path; /* of the place being gathered */
	tl__place place;
	tl__buf open; /* path of the innermost frame */
	tl__arena arena;
	tl__raise *drops;
	size_t count, cap;
	size_t rows;
} cleaner;

static void leave(cleaner *c, tl_str path)
{
	while (c->depth > 1) {
		size_t len = c->frames[c->depth - 1].path_len;

		if (path.len > len && memcmp(path.ptr, c->open.ptr, len) == 0)
			return;
		c->depth--;
	}
}

static int drop(cleaner *c, tl_str path, tl__stamp_kind kind)
{
	void *array = c->drops;
	int code = tl__arena_grow(&c->arena, &array, &c->cap, c->count, sizeof *c->drops);

	if (code != TL_OK)
		return code;
	c->drops = array;
	c->drops[c->count] = (tl__raise){.store = c->store,
		.path = tl__arena_str(&c->arena, path),
		.kind = kind,
		.stamp = c->place.stamps[kind],
		.value = TL__STR("")};
	return c->drops[c->count++].path.ptr ? TL_OK : TL_E_NOMEM;
}

static int enter(cleaner *c, tl_str path, tl__floor floor)
{
	if (!c->place.has[TL__STAMP_DOC] && !c->place.has[TL__STAMP_LIST])
		return TL_OK;
	if (c->depth == TL__PLACE_DEPTH_MAX)
		return tl__fail(TL_E_STORE_DAMAGED,
			"the state nests deeper than a document can; run verify");
	c->frames[c->depth++] = (frame){path.len, tl__place_floor(&c->place, TL__STAMP_DOC, floor),
		tl__place_floor(&c->place, TL__STAMP_LIST, floor)};
	tl__buf_clear(&c->open);
	tl__buf_str(&c->open, path);
	return tl__buf_status(&c->open);
}

/* Drops what is dead at the gathered place. A place whose parent has no rows is dead altogether:
 * the parent's were dropped before. */
static int finish_place(cleaner *c)
{
	tl_str path = tl__buf_view(&c->path), rest;
	const frame *parent;
	tl__floor floor;
	bool orphan;
	int code = TL_OK;

	if (path.len == 0)
		return TL_OK;
	leave(c, path);
	parent = &c->frames[c->depth - 1];
	rest = (tl_str){path.ptr + parent->path_len, path.len - parent->path_len};
	orphan = tl__path_first(rest) != rest.len;
	floor = (uint8_t)rest.ptr[0] == TL__PATH_ITEM ? parent->items : parent->keys;
	for (int kind = 0; code == TL_OK && kind < 3; kind++)
		if (c->place.has[kind] && (orphan || tl__place_is_dead(&c->place, kind, &floor)))
			code = drop(c, path, (tl__stamp_kind)kind);
	return code == TL_OK && !orphan ? enter(c, path, floor) : code;
}

static int on_row(void *ud, const tl__state_row *row)
{
	cleaner *c = ud;
	int code = TL_OK;

	c->rows++;
	if (!tl__str_eq(row->path, tl__buf_view(&c->path))) {
		code = finish_place(c);
		tl__place_clear(&c->place);
		tl__buf_clear(&c->path);
		tl__buf_str(&c->path, row->path);
	}
	if (code == TL_OK)
		code = tl__buf_status(&c->path);
	return code == TL_OK ? tl__place_note(&c->place, row) : code;
}

/* The places above where the last call stopped, and that one. What is dead among them was dropped
 * then, so nothing of it is gathered twice. */
static int resume(cleaner *c, tl__snapshot *s, const tl_id *db, tl_str cursor)
{
	tl_str above[TL__PLACE_DEPTH_MAX + 1];
	size_t count = 0, len = 0;
	int code;

	while (len < cursor.len) {
		size_t part = tl__path_first((tl_str){cursor.ptr + len, cursor.len - len});

		if (part == 0 || count > TL__PLACE_DEPTH_MAX)
			return tl__fail(TL_E_BAD_ARGUMENT, "the cursor is none of this call");
		len += part;
		above[count++] = (tl_str){cursor.ptr, len};
	}
	code = tl__read_state(s, db, c->store, above, count, on_row, c);
	if (code == TL_OK)
		code = finish_place(c);
	tl__place_clear(&c->place);
	tl__buf_clear(&c->path);
	c->count = c->rows = 0;
	return code;
}

static int look(cleaner *c, tl__store *store, const tl_id *db, size_t rows, tl__buf *cursor)
{
	tl__snapshot *s = NULL;
	int code = tl__snapshot_open(store, &s);

	if (code == TL_OK)
		code = resume(c, s, db, tl__buf_view(cursor));
	if (code == TL_OK)
		code = tl__read_state_range(
			s, db, c->store, TL__STR(""), tl__buf_view(cursor), rows, on_row, c);
	if (code == TL_OK)
		code = finish_place(c);
	tl__snapshot_close(s);
	return code;
}

int tl__state_clean(tl__tree *tree, const tl_id *db, tl_str store, size_t rows, tl__buf *cursor,
	size_t *dropped)
{
	cleaner c = {.store = store, .depth = 1};
	int code = look(&c, tree->store, db, rows, cursor);

	if (code == TL_OK && c.count > 0) {
		tl__batch batch = {.db = *db, .drops = c.drops, .drop_count = c.count};

		code = tl__store_write(tree->store, &batch);
	}
	if (code == TL_OK) {
		tl__buf_clear(cursor);
		if (c.rows >= rows)
			tl__buf_str(cursor, tl__buf_view(&c.path));
		code = tl__buf_status(cursor);
	}
	if (dropped)
		*dropped = code == TL_OK ? c.count : 0;
	tl__buf_free(&c.path);
	tl__buf_free(&c.open);
	tl__buf_free(&c.place.value);
	tl__arena_free(&c.arena);
	return code;
}

/* --- one stamp -------------------------------------------------------------------------------- */

/* The places above a path. */
typedef struct above {
	tl_str paths[TL__PLACE_DEPTH_MAX];
	tl__place places[TL__PLACE_DEPTH_MAX];
	size_t count;
} above;

static int on_above(void *ud, const tl__state_row *row)
{
	above *a = ud;

	for (size_t i = 0; i < a->count; i++)
		if (a->paths[i].len == row->path.len)
			return tl__place_note(&a->places[i], row);
	return TL_OK;
}

static bool is_gone(const above *a, tl_str path, const tl__stamp *stamp)
{
	tl__floor floor = {.any = false};

	for (size_t i = 0; i < a->count; i++) {
		const tl__place *place = &a->places[i];
		bool item = (uint8_t)path.ptr[a->paths[i].len] == TL__PATH_ITEM;

		if (!place->has[TL__STAMP_DOC] && !place->has[TL__STAMP_LIST] &&
			!place->has[TL__STAMP_LEAF])
			return true; /* and so was dropped */
		floor = tl__place_floor(place, item ? TL__STAMP_LIST : TL__STAMP_DOC, floor);
	}
	return floor.any && tl__stamp_compare(stamp, &floor.stamp) <= 0;
}

int tl__state_is_gone(tl__snapshot *s, const tl_id *db, tl_str store, tl_str path,
	const tl__stamp *stamp, bool *gone)
{
	above *a = tl__alloc_zero(1, sizeof *a);
	size_t len = 0, part;
	int code;

	*gone = false;
	if (!a)
		return TL_E_NOMEM;
	while (a->count < TL__PLACE_DEPTH_MAX &&
		(part = tl__path_first((tl_str){path.ptr + len, path.len - len})) > 0 &&
		len + part < path.len) {
		len += part;
		a->paths[a->count++] = (tl_str){path.ptr, len};
	}
	code = tl__read_state(s, db, store, a->paths, a->count, on_above, a);
	if (code == TL_OK)
		*gone = is_gone(a, path, stamp);
	for (size_t i = 0; i < a->count; i++)
		tl__buf_free(&a->places[i].value);
	tl__free(a);
	return code;
}
