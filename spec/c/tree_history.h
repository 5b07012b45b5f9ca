/* Histories for the specifications of plan and settings: entries made one by one, a memory store
 * and a plan over it. */
#ifndef SPEC_TREE_HISTORY_H
#define SPEC_TREE_HISTORY_H

#include <tidelock/crypto.h>
#include "check.h"
#include "base/buf.h"
#include "base/system/env.h"
#include "base/mem.h"
#include "base/str.h"
#include "tree/history/dag.h"

enum { ENTRIES_MAX = 12 };

static tl__seeded seeded;
static tl__random source;
static tl__store *store;
static tl__tree tree;

static inline void open_all(void)
{
	REQUIRE(tl__store_open_memory(&store, NULL) == TL_OK);
	REQUIRE(tl__tree_init(&tree, store, NULL, &tl__system_clock, source, NULL) == TL_OK);
}

static inline void close_all(void)
{
	tl__tree_free(&tree);
	tl__store_close(store);
}

/* --- making entries --------------------------------------------------------------------------- */

typedef struct item {
	tl_entry *entry;
	tl_id id;
	bool is_void, has_settings;
	unsigned parents, settings_parents; /* bits of items */
	uint64_t settings_height;
	tl_value *delta;
} item;

typedef struct history {
	item items[ENTRIES_MAX];
	size_t count;
	uint64_t number;
} history;

static inline size_t below(size_t bound)
{
	return (size_t)tl__random_below(&source, bound);
}

static inline tl_entry_builder *builder_for(const history *h, unsigned parents)
{
	tl_entry_builder *builder = NULL;
	char text[TL_ID_TEXT_LEN + 1];

	CHECK_OK(tl_entry_builder_new(&builder));
	snprintf(text, sizeof text, "%" PRIu64 "/%zu", h->number, h->count);
	tl_entry_builder_metadata(builder, tl__str_z(text));
	if (h->count == 0) {
		tl_entry_builder_store(builder, TL__STR(TL__STORE_ROOT), TL__STR("\"\""));
		return builder;
	}
	tl_id_format(&h->items[0].id, text);
	tl_entry_builder_tree(builder, tl__str_z(text));
	for (size_t i = 0; i < h->count; i++) {
		tl_id_format(&h->items[i].id, text);
		if (parents >> i & 1)
			tl_entry_builder_parent(builder, tl__str_z(text));
	}
	return builder;
}

static inline item *add_item(history *h, unsigned parents, tl_entry_builder *builder)
{
	item *x = &h->items[h->count++];

	CHECK_OK(tl_entry_builder_finish(builder, NULL, &x->entry));
	CHECK_OK(tl_entry_check(x->entry));
	tl_entry_builder_free(builder);
	x->id = *tl_entry_id(x->entry);
	x->parents = parents;
	return x;
}

/* An entry with `_settings` {key: value}. */
static inline item *add_settings(
	history *h, unsigned parents, unsigned settings_parents, const char *key, int64_t value)
{
	tl_entry_builder *builder = builder_for(h, parents);
	char text[TL_ID_TEXT_LEN + 1], *data = NULL;
	tl_value *doc = tl_value_doc();
	uint64_t height = 0;
	size_t len = 0;
	item *x;

	CHECK_OK(tl_doc_put(doc, tl__str_z(key), tl_value_int(value)));
	CHECK_OK(tl_doc_write(doc, &data, &len));
	tl_entry_builder_store(builder, TL__STR(TL__STORE_SETTINGS), (tl_str){data, len});
	tl_free(data);
	for (size_t i = 0; i < h->count; i++) {
		if (!(settings_parents >> i & 1))
			continue;
		tl_id_format(&h->items[i].id, text);
		tl_entry_builder_store_parent(
			builder, TL__STR(TL__STORE_SETTINGS), tl__str_z(text));
		if (h->items[i].has_settings && h->items[i].settings_height >= height)
			height = h->items[i].settings_height + 1;
	}
	x = add_item(h, parents, builder);
	x->has_settings = true;
	x->settings_parents = settings_parents;
	x->settings_height = height;
	x->delta = doc;
	return x;
}

static inline item *add_plain(history *h, unsigned parents)
{
	tl_entry_builder *builder = builder_for(h, parents);

	tl_entry_builder_store(
		builder, TL__STR("notes"), TL__STR("{\"children\":{\"k\":\"Null\"}}"));
	return add_item(h, parents, builder);
}

static inline void free_history(history *h)
{
	for (size_t i = 0; i < h->count; i++) {
		tl_entry_free(h->items[i].entry);
		tl_value_free(h->items[i].delta);
	}
	h->count = 0;
}

typedef struct fixture {
	history h;
	tl__snapshot *s;
	tl__plan *plan;
} fixture;

static inline void set_up(fixture *f)
{
	memset(f, 0, sizeof *f);
	open_all();
	add_settings(&f->h, 0, 0, "name", 1);
	CHECK_OK(tl__snapshot_open(store, &f->s));
	CHECK_OK(tl__plan_new(&f->plan, &tree, f->s, &f->h.items[0].id));
}

static inline void write_plan(fixture *f)
{
	tl__batch batch;

	CHECK_OK(tl__plan_batch(f->plan, &batch));
	CHECK_OK(tl__store_write(store, &batch));
	tl__plan_free(f->plan);
	tl__snapshot_close(f->s);
	CHECK_OK(tl__snapshot_open(store, &f->s));
	CHECK_OK(tl__plan_new(&f->plan, &tree, f->s, &f->h.items[0].id));
}

static inline void tear_down(fixture *f)
{
	tl__plan_free(f->plan);
	tl__snapshot_close(f->s);
	free_history(&f->h);
	close_all();
}

#endif
