/* Random histories of one store, and their state by a plain fold that knows nothing of paths: it
 * computes heights, sorts and merges Docs. The same seed gives the same history. */
#ifndef SPEC_TREE_RANDOM_H
#define SPEC_TREE_RANDOM_H

#include <tidelock/crypto.h>
#include <tidelock/doc.h>
#include <tidelock/entry.h>
#include "check.h"
#include "base/buf.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"

enum { ENTRIES_MAX = 14 };

typedef struct item {
	tl_entry *entry;
	tl_id id;
	bool is_void;
	bool in_store;
	unsigned parents;       /* bits of items */
	unsigned store_parents; /* bits; some may not carry the store */
	uint64_t height, store_height;
	tl_value *delta; /* NULL: unreadable */
} item;

typedef struct history {
	uint64_t seed;
	tl__seeded memory;
	tl__random random;
	item items[ENTRIES_MAX];
	size_t count;
} history;

static inline size_t below(history *h, size_t bound)
{
	return (size_t)tl__random_below(&h->random, bound);
}

static const tl_str store_name = {"s", 1};

/* --- random deltas ---------------------------------------------------------------------------- */

static inline tl_value *random_value(history *h, int depth);

static inline tl_value *random_doc(history *h, int depth)
{
	static const tl_str keys[] = {TL__STR("a"), TL__STR("b"), TL__STR("a\0"), TL__STR(""),
		TL__STR("c.d"), TL__STR("\xc3\xa9")};
	tl_value *doc = tl_value_doc();

	for (size_t i = below(h, depth == 0 ? 4 : 3); i > 0; i--)
		CHECK_OK(tl_doc_put(doc, keys[below(h, below(h, 3) ? 2 : 6)], //
			random_value(h, depth + 1)));
	return doc;
}

static inline tl_value *random_list(history *h, int depth)
{
	tl_value *list = tl_value_list();

	for (size_t i = below(h, 4); i > 0; i--) {
		tl_position p = {(int64_t)below(h, 5) - 2, 1 + below(h, 3), {0}};

		p.uuid[3] = (uint8_t)below(h, 2);
		CHECK_OK(tl_list_put(list, &p, random_value(h, depth + 1)));
	}
	return list;
}

static inline tl_value *random_value(history *h, int depth)
{
	char text[16];

	switch (below(h, depth < 4 ? 10 : 5)) {
	case 0: return tl_value_deleted();
	case 1: return tl_value_null();
	case 2: return tl_value_bool(below(h, 2));
	case 3: return tl_value_int((int64_t)below(h, 1000) - 500);
	case 4:
		snprintf(text, sizeof text, "t%zu\n", below(h, 1000));
		return tl_value_text(tl__str_z(text));
	case 5:
	case 6: return random_list(h, depth);
	default: return random_doc(h, depth);
	}
}

/* --- random histories ------------------------------------------------------------------------- */

static inline void free_history(history *h)
{
	for (size_t i = 0; i < h->count; i++) {
		tl_entry_free(h->items[i].entry);
		tl_value_free(h->items[i].delta);
	}
}

/* Some of the items so far that pass the filter. */
static inline unsigned some_of(history *h, bool in_store, size_t wanted)
{
	unsigned bits = 0;

	while (wanted-- > 0) {
		size_t at = below(h, h->count);

		if (below(h, 2))
			at = h->count - 1 - below(h, h->count < 3 ? h->count : 3);
		if (!in_store || h->items[at].in_store)
			bits |= 1u << at;
	}
	return bits;
}

static inline uint64_t height_over(const history *h, unsigned parents, bool in_store)
{
	uint64_t height = 0;

	for (size_t i = 0; i < h->count; i++) {
		uint64_t own = in_store ? h->items[i].store_height : h->items[i].height;

		if ((parents >> i & 1) && (!in_store || h->items[i].in_store) && own >= height)
			height = own + 1;
	}
	return height;
}

static inline void id_text(const item *x, char out[TL_ID_TEXT_LEN + 1])
{
	tl_id_format(&x->id, out);
}

static inline void put_store(history *h, item *x, tl_entry_builder *builder)
{
	static const char *const junk[] = {"", "{}", "{\"data\":[0,0]}",
		/* One literal: the parentheses say that it is meant. */
		("{\"children\":{\"l\":{\"List\":[[{\"numerator\":1,\"denominator\":0,"
		 "\"unique_id\":\"6f9619ff-8b86-4d01-b42d-00cf4fc964ff\"},\"Null\"]]}}}")};
	char *text = NULL, id[TL_ID_TEXT_LEN + 1];
	size_t len = 0;

	x->in_store = true;
	if (below(h, 12) == 0) {
		tl_entry_builder_store(builder, store_name, tl__str_z(junk[below(h, 4)]));
	} else {
		x->delta = random_doc(h, 0);
		CHECK_OK(tl_doc_write(x->delta, &text, &len));
		tl_entry_builder_store(builder, store_name, (tl_str){text, len});
		tl_free(text);
	}
	/* One in ten starts the store anew; one in ten names what does not carry it. */
	if (h->count > 0 && below(h, 10) > 0)
		x->store_parents = some_of(h, below(h, 10) > 0, 1 + below(h, 3));
	for (size_t i = 0; i < h->count; i++) {
		id_text(&h->items[i], id);
		if (x->store_parents >> i & 1)
			tl_entry_builder_store_parent(builder, store_name, tl__str_z(id));
	}
	x->store_height = height_over(h, x->store_parents, true);
}

static inline void add_item(history *h)
{
	item *x = &h->items[h->count];
	char id[TL_ID_TEXT_LEN + 1], metadata[64];
	tl_entry_builder *builder = NULL;

	CHECK_OK(tl_entry_builder_new(&builder));
	snprintf(metadata, sizeof metadata, "%" PRIu64 " %zu", h->seed, h->count);
	tl_entry_builder_metadata(builder, tl__str_z(metadata));
	if (h->count == 0) {
		tl_entry_builder_store(builder, TL__STR("_root"), TL__STR(""));
	} else {
		id_text(&h->items[0], id);
		tl_entry_builder_tree(builder, tl__str_z(id));
		x->parents = some_of(h, false, 1 + below(h, 3));
		for (size_t i = 0; i < h->count; i++) {
			id_text(&h->items[i], id);
			if (x->parents >> i & 1)
				tl_entry_builder_parent(builder, tl__str_z(id));
		}
		x->is_void = below(h, 8) == 0;
		if (below(h, 6) > 0)
			put_store(h, x, builder);
	}
	x->height = height_over(h, x->parents, false);
	CHECK_OK(tl_entry_builder_finish(builder, NULL, &x->entry));
	CHECK_OK(tl_entry_check(x->entry));
	x->id = *tl_entry_id(x->entry);
	tl_entry_builder_free(builder);
	h->count++;
}

static inline void make_history(history *h, uint64_t seed)
{
	size_t count;

	memset(h, 0, sizeof *h);
	h->seed = seed;
	h->random = tl__random_seeded(&h->memory, seed);
	count = 2 + below(h, seed % 4 == 0 ? 4 : ENTRIES_MAX - 1);
	while (h->count < count)
		add_item(h);
}

/* --- the plain fold --------------------------------------------------------------------------- */

/* Items of the store behind these, themselves included. */
static inline unsigned closure(const history *h, unsigned tips)
{
	for (size_t i = h->count; i-- > 0;) {
		if (!(tips >> i & 1))
			continue;
		if (h->items[i].in_store)
			tips |= h->items[i].store_parents;
		else
			tips &= ~(1u << i);
	}
	return tips;
}

static inline bool is_before(const item *a, const item *b)
{
	if (a->store_height != b->store_height)
		return a->store_height < b->store_height;
	return memcmp(&a->id, &b->id, sizeof a->id) < 0;
}

static inline tl_value *plain_fold(const history *h, unsigned members)
{
	tl_value *doc = tl_value_doc();

	while (members != 0) {
		size_t first = h->count;

		for (size_t i = 0; i < h->count; i++)
			if ((members >> i & 1) &&
				(first == h->count || is_before(&h->items[i], &h->items[first])))
				first = i;
		members &= ~(1u << first);
		if (h->items[first].delta && !h->items[first].is_void)
			CHECK_OK(tl_doc_merge(doc, h->items[first].delta));
	}
	return doc;
}

#endif
