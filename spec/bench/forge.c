/* Entries as anybody could make them. */
#include "forge.h"
#include <stdio.h>
#include "base/str.h"

tl_id forge_line(tl__buf *body, const tl_id *db, const tl_id *parent, const bare *by,
	uint64_t number, bool good)
{
	char tree[TL_ID_TEXT_LEN + 1], above[TL_ID_TEXT_LEN + 1], data[128];
	tl_entry_builder *builder = NULL;
	tl_entry *entry = NULL;
	tl_secret other;
	tl_id id;

	tl_id_format(db, tree);
	tl_id_format(parent, above);
	snprintf(data, sizeof data, "{\"children\":{\"k%llu\":{\"Text\":\"v\"}}}",
		(unsigned long long)number);
	need(tl_entry_builder_new(&builder), "an entry");
	tl_entry_builder_tree(builder, tl__str_z(tree));
	tl_entry_builder_parent(builder, tl__str_z(above));
	tl_entry_builder_store(builder, TL__STR(STORE), tl__str_z(data));
	tl_entry_builder_key(builder, TL__STR("*"), tl__str_z(by->text));
	need(tl_secret_new(&other), "another key");
	need(tl_entry_builder_finish(builder, good ? &by->secret : &other, &entry), "an entry");
	tl__v1_write_entry(body, tl_entry_bytes(entry));
	id = *tl_entry_id(entry);
	tl_entry_free(entry);
	tl_entry_builder_free(builder);
	return id;
}
