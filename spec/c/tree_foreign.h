/* Entries as somebody else would write them, and how they come in. */
#ifndef SPEC_TREE_FOREIGN_H
#define SPEC_TREE_FOREIGN_H

#include "tree_help.h"

static inline void ingest_lines(const tl_id *db, const tl_str *lines, size_t count)
{
	tl__ingest_page page = {.db = *db,
		.lines = lines,
		.count = count,
		.sender = z("spec"),
		.related = true,
		.accept_unknown = true};
	tl__ingest_result result;

	CHECK_OK(tl__ingest(&w.tree, &page, &result));
	tl__ingest_result_free(&result);
}

static inline void format_parent(tl_entry_builder *b, const tl_id *id)
{
	char text[TL_ID_TEXT_LEN + 1];

	tl_id_format(id, text);
	tl_entry_builder_parent(b, z(text));
}

/* An entry by that key with one value in store "data", as somebody else would write it. */
static inline tl_entry *foreign_entry(tl_database *db, const char *key, const tl_id *parent,
	const tl_id *store_parent, const char *data)
{
	tl_entry_builder *b;
	tl_entry *entry = NULL;
	tl_secret secret;
	char text[TL_ID_TEXT_LEN + 1];

	CHECK_OK(secret_of(NULL, z(key), &secret));
	CHECK_OK(tl_entry_builder_new(&b));
	tl_id_format(tl_database_root_id(db), text);
	tl_entry_builder_tree(b, z(text));
	format_parent(b, parent);
	tl_entry_builder_store(b, z("data"), z(data));
	if (store_parent) {
		tl_id_format(store_parent, text);
		tl_entry_builder_store_parent(b, z("data"), z(text));
	}
	tl_entry_builder_key(b, z(key_of(key)), TL__STR_NULL);
	CHECK_OK(tl_entry_builder_finish(b, &secret, &entry));
	tl_entry_builder_free(b);
	return entry;
}

#define DATA(key) "{\"children\":{\"" key "\":{\"Int\":1}}}"

#endif
