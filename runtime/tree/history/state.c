/* Reading the stamped path map.
 *
 * Each path has up to three stamps: the newest entry that put a Doc there, a List, and a leaf. A
 * path is read with a floor, the newest stamp that replaced something above it: what is not newer
 * than the floor is gone. The newest of the three says what stands there; below a container the
 * floor rises to the newest stamp of the other two kinds, since these replaced its contents. */
#include <string.h>
#include "base/buf.h"
#include "base/fail.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/doc_path.h"
#include "model/value.h"
#include "tree/history/place.h"
#include "tree/tree.h"

/* Rows of one question to the store. */
#define PAGE_ROWS 4096

static int leaf_value(const tl__place *p, tl_value **out)
{
	int code = tl__value_parse(out, tl__buf_view(&p->value));

	if (code != TL_OK && code != TL_E_NOMEM)
		code = tl__fail_cause(
			TL_E_STORE_DAMAGED, "a value in the state cannot be read; run verify");
	return code;
}

/* --- building a container --------------------------------------------------------------------- */

/* An open container: the path it stands at, what is inside lies above its floor. */
typedef struct frame {
	size_t path_len;
	tl_value *container;
	tl__floor floor;
} frame;

typedef struct builder {
	frame frames[TL__PLACE_DEPTH_MAX];
	size_t depth;
	tl__buf path; /* of the place being gathered; empty path: none */
	tl__place place;
	tl__buf done; /* path of the last place that is complete */
	tl__buf open; /* path of the innermost container */
	tl__buf scratch;
	size_t rows;  /* of this page */
	size_t bytes; /* of all leaves */
	size_t limit; /* of children, 0: none */
	bool full;    /* it was reached, and there are more rows */
} builder;

static int put_child(builder *b, const frame *parent, tl_str component, tl_value *value)
{
	tl__path_part part;
	int code = tl__path_take(&component, &part, &b->scratch);

	if (code != TL_OK) {
		tl_value_free(value);
		return tl__fail_cause(
			TL_E_STORE_DAMAGED, "a path in the state cannot be read; run verify");
	}
	return part.item ? tl_list_put(parent->container, &part.position, value)
			 : tl_doc_put(parent->container, part.key, value);
}

/* Closes containers that the path does not lie in. */
static frame *parent_of(builder *b, tl_str path)
{
	while (b->depth > 1) {
		size_t len = b->frames[b->depth - 1].path_len;

		if (path.len > len && memcmp(path.ptr, b->open.ptr, len) == 0)
			break;
		b->depth--;
	}
	return &b->frames[b->depth - 1];
}

/* Whether the path is a child of the right kind of the container; else something above it is dead,
 * or was of the other kind. */
static bool is_child(const frame *parent, tl_str path)
{
	tl_str rest = {path.ptr + parent->path_len, path.len - parent->path_len};
	bool item = tl_value_type(parent->container) == TL_LIST;

	return rest.len > 0 && tl__path_first(rest) == rest.len &&
	       (uint8_t)rest.ptr[0] == (item ? TL__PATH_ITEM : TL__PATH_KEY);
}

static int open_container(builder *b, tl_str path, const frame *parent, int kind, tl_value *value)
{
	if (b->depth == TL__PLACE_DEPTH_MAX)
		return tl__fail(TL_E_STORE_DAMAGED,
			"the state nests deeper than a document can; run verify");
	b->frames[b->depth++] =
		(frame){path.len, value, tl__place_floor(&b->place, kind, parent->floor)};
	tl__buf_clear(&b->open);
	tl__buf_str(&b->open, path);
	return tl__buf_status(&b->open);
}

/* Puts the gathered place into the tree, if it is alive. */
static int add_place(builder *b)
{
	tl_str path = tl__buf_view(&b->path);
	frame *parent = parent_of(b, path);
	tl_value *value = NULL;
	int kind, code = TL_OK;

	if (!is_child(parent, path))
		return TL_OK;
	kind = tl__place_standing(&b->place, &parent->floor);
	if (kind < 0)
		return TL_OK;
	if (kind == TL__STAMP_LEAF)
		code = leaf_value(&b->place, &value);
	else
		value = kind == TL__STAMP_DOC ? tl_value_doc() : tl_value_list();
	if (code != TL_OK || !value)
		return code != TL_OK ? code : TL_E_NOMEM;
	code = put_child(b, parent,
		(tl_str){path.ptr + parent->path_len, path.len - parent->path_len}, value);
	if (code == TL_OK && kind != TL__STAMP_LEAF)
		code = open_container(b, path, parent, kind, value);
	return code;
}

static int finish_place(builder *b)
{
	int code = add_place(b);

	tl__buf_clear(&b->done);
	tl__buf_str(&b->done, tl__buf_view(&b->path));
	tl__buf_clear(&b->path);
	tl__place_clear(&b->place);
	return code == TL_OK ? tl__buf_status(&b->done) : code;
}

/* Whether the path begins one child more than there shall be. */
static bool is_beyond(const builder *b, tl_str path)
{
	const frame *root = &b->frames[0];
	size_t count = b->limit > 0 ? tl_doc_count(root->container) : 0;

	return count > 0 && (count >= b->limit || b->bytes >= TL__PAGE_BYTES) &&
	       is_child(root, path);
}

static int on_row(void *ud, const tl__state_row *row)
{
	builder *b = ud;
	int code = TL_OK;

	b->rows++;
	b->bytes += row->value.len;
	if (!tl__str_eq(row->path, tl__buf_view(&b->path))) {
		if (b->path.len > 0)
			code = finish_place(b);
		b->full = code == TL_OK && is_beyond(b, row->path);
		if (b->full)
			return TL__STORE_STOP;
		tl__buf_str(&b->path, row->path);
	}
	if (code == TL_OK)
		code = tl__buf_status(&b->path);
	return code == TL_OK ? tl__place_note(&b->place, row) : code;
}

/* The rows of one path stay together, so a page ends behind a whole place. */
static int read_page(builder *b, tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix)
{
	tl__buf after = TL__BUF_INIT;
	int code;

	b->rows = 0;
	tl__buf_str(&after, tl__buf_view(&b->done));
	code = tl__buf_status(&after);
	if (code == TL_OK)
		code = tl__read_state_range(
			s, db, store, prefix, tl__buf_view(&after), PAGE_ROWS, on_row, b);
	if (code == TL_OK && b->path.len > 0)
		code = finish_place(b);
	tl__buf_free(&after);
	return code;
}

/* A builder for the container that stands at `at`; yours (drop_builder). */
static builder *new_builder(tl_str at, tl_value *container, tl__floor floor)
{
	builder *b = tl__alloc_zero(1, sizeof *b);

	if (!b)
		return NULL;
	b->frames[b->depth++] = (frame){at.len, container, floor};
	tl__buf_str(&b->open, at);
	return b;
}

static void drop_builder(builder *b)
{
	tl__buf_free(&b->path);
	tl__buf_free(&b->place.value);
	tl__buf_free(&b->done);
	tl__buf_free(&b->open);
	tl__buf_free(&b->scratch);
	tl__free(b);
}

/* Reads everything behind b->done whose path begins with `prefix`, or what the limit lets in. */
static int read_all(builder *b, tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix)
{
	int code = b->done.failed || b->open.failed ? TL_E_NOMEM : TL_OK;

	if (code != TL_OK)
		return code;
	do
		code = read_page(b, s, db, store, prefix);
	while (code == TL_OK && b->rows >= PAGE_ROWS && !b->full);
	return code;
}

/* Fills the container that stands at `prefix`. */
static int read_below(tl__snapshot *s, const tl_id *db, tl_str store, tl_str prefix,
	tl_value *container, tl__floor floor)
{
	builder *b = new_builder(prefix, container, floor);
	int code;

	if (!b)
		return TL_E_NOMEM;
	tl__buf_str(&b->done, prefix);
	code = read_all(b, s, db, store, prefix);
	drop_builder(b);
	return code;
}

int tl__state_doc(tl__snapshot *s, const tl_id *db, tl_str store, tl_value **out)
{
	tl_value *doc = tl_value_doc();
	int code = doc ? read_below(s, db, store, TL__STR(""), doc, (tl__floor){.any = false})
		       : TL_E_NOMEM;

	*out = code == TL_OK ? doc : NULL;
	if (code != TL_OK)
		tl_value_free(doc);
	return code;
}

/* --- one path --------------------------------------------------------------------------------- */

/* The path and the paths above it. */
typedef struct lookup {
	tl__buf bytes;
	tl_str paths[TL__PLACE_DEPTH_MAX];
	tl__place places[TL__PLACE_DEPTH_MAX];
	size_t count;
} lookup;

static int encode(lookup *l, const tl_str *components, size_t count)
{
	size_t ends[TL__PLACE_DEPTH_MAX];
	int code;

	for (l->count = 0; l->count < count; l->count++) {
		tl__path_key(&l->bytes, components[l->count]);
		ends[l->count] = l->bytes.len;
	}
	code = tl__buf_status(&l->bytes);
	for (size_t i = 0; code == TL_OK && i < count; i++)
		l->paths[i] = (tl_str){l->bytes.ptr, ends[i]};
	return code;
}

static int on_place(void *ud, const tl__state_row *row)
{
	lookup *l = ud;

	for (size_t i = 0; i < l->count; i++)
		if (l->paths[i].len == row->path.len)
			return tl__place_note(&l->places[i], row);
	return TL_OK;
}

/* Down from the root: every place above must be a Doc. Gives what stands at the end. */
static int descend(const lookup *l, tl__floor *floor)
{
	for (size_t i = 0;; i++) {
		int kind = tl__place_standing(&l->places[i], floor);

		if (i + 1 < l->count && kind != TL__STAMP_DOC)
			return -1;
		if (kind >= 0)
			*floor = tl__place_floor(&l->places[i], kind, *floor);
		if (i + 1 == l->count)
			return kind;
	}
}

static int read_place(tl__snapshot *s, const tl_id *db, tl_str store, const lookup *l, int kind,
	tl__floor floor, tl_value **out)
{
	tl_value *container;
	int code;

	if (kind < 0)
		return TL_OK;
	if (kind == TL__STAMP_LEAF)
		return leaf_value(&l->places[l->count - 1], out);
	container = kind == TL__STAMP_DOC ? tl_value_doc() : tl_value_list();
	if (!container)
		return TL_E_NOMEM;
	code = read_below(s, db, store, l->paths[l->count - 1], container, floor);
	if (code == TL_OK)
		*out = container;
	else
		tl_value_free(container);
	return code;
}

static void lookup_free(lookup *l)
{
	for (size_t i = 0; i < l->count; i++)
		tl__buf_free(&l->places[i].value);
	tl__buf_free(&l->bytes);
	tl__free(l);
}

/* All places on the way, in one question. *out is yours, also on failure; NULL when no document is
 * that deep. */
static int look_up(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, lookup **out)
{
	int code;

	*out = NULL;
	if (count > TL__PLACE_DEPTH_MAX)
		return TL_OK;
	*out = tl__alloc_zero(1, sizeof **out);
	if (!*out)
		return TL_E_NOMEM;
	code = encode(*out, components, count);
	return code == TL_OK ? tl__read_state(s, db, store, (*out)->paths, count, on_place, *out)
			     : code;
}

int tl__state_get(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, tl_value **out)
{
	tl__floor floor = {.any = false};
	lookup *l;
	int code;

	*out = NULL;
	if (count == 0)
		return tl__state_doc(s, db, store, out);
	code = look_up(s, db, store, components, count, &l);
	if (!l)
		return code;
	if (code == TL_OK)
		code = read_place(s, db, store, l, descend(l, &floor), floor, out);
	lookup_free(l);
	return code;
}

int tl__state_list(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, size_t *at)
{
	tl__floor floor = {.any = false};
	int kind = TL__STAMP_DOC;
	lookup *l;
	int code = look_up(s, db, store, components, count, &l);

	*at = 0;
	if (!l)
		return code;
	for (size_t i = 0; code == TL_OK && i < l->count && kind == TL__STAMP_DOC; i++) {
		kind = tl__place_standing(&l->places[i], &floor);
		if (kind == TL__STAMP_LIST)
			*at = i + 1;
		else if (kind >= 0)
			floor = tl__place_floor(&l->places[i], kind, floor);
	}
	lookup_free(l);
	return code;
}

/* --- pages ------------------------------------------------------------------------------------ */

/* The path that keys beginning with `start` begin with: a key without its end. */
static void open_key(tl__buf *path, tl_str at, tl_str start)
{
	tl__buf_str(path, at);
	tl__path_key(path, start);
	if (tl__buf_status(path) == TL_OK)
		path->len -= TL__PATH_KEY_END;
}

/* Where to go on: behind everything in the child `after`. */
static void close_behind(tl__buf *out, tl_str at, tl_str after)
{
	tl__buf child = TL__BUF_INIT;

	tl__buf_str(&child, at);
	tl__path_key(&child, after);
	tl__path_bound(out, tl__buf_view(&child));
	out->failed = out->failed || child.failed;
	tl__buf_free(&child);
}

static int read_some(tl__snapshot *s, const tl_id *db, tl_str store, tl_str at, tl__floor floor,
	tl__page *page, tl_value *doc)
{
	builder *b = new_builder(at, doc, floor);
	tl__buf prefix = TL__BUF_INIT;
	int code;

	if (!b)
		return TL_E_NOMEM;
	b->limit = page->limit;
	open_key(&prefix, at, page->prefix);
	if (page->after.ptr)
		close_behind(&b->done, at, page->after);
	else
		tl__buf_str(&b->done, at);
	code = tl__buf_status(&prefix);
	if (code == TL_OK)
		code = read_all(b, s, db, store, tl__buf_view(&prefix));
	page->more = b->full;
	tl__buf_free(&prefix);
	drop_builder(b);
	return code;
}

int tl__state_page(tl__snapshot *s, const tl_id *db, tl_str store, const tl_str *components,
	size_t count, tl__page *page, tl_value **out)
{
	tl__floor floor = {.any = false};
	lookup *l = NULL;
	int kind = TL__STAMP_DOC, code = TL_OK;

	*out = NULL;
	page->more = false;
	if (count > 0) {
		code = look_up(s, db, store, components, count, &l);
		kind = l && code == TL_OK ? descend(l, &floor) : -1;
	}
	if (code == TL_OK && kind == TL__STAMP_DOC) {
		*out = tl_value_doc();
		code = *out ? read_some(s, db, store, l ? l->paths[l->count - 1] : TL__STR(""),
				      floor, page, *out)
			    : TL_E_NOMEM;
	}
	if (code != TL_OK) {
		tl_value_free(*out);
		*out = NULL;
	}
	if (l)
		lookup_free(l);
	return code;
}
