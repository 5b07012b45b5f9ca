#include "tree/api/fresh.h"

#include <string.h>
#include "base/mem.h"

static bool is_plain(const tl__batch *batch)
{
	const tl__put_entry *entry = batch->entries;

	return batch->entry_count == 1 && entry->arrival > 0 && entry->verdict == TL__VERIFIED &&
	       entry->parent_count == 1 && entry->bytes.len <= TL__FRESH_MAX_BYTES;
}

tl__fresh *tl__fresh_new(tl__tree *tree, const tl__batch *batch)
{
	const tl__put_entry *entry = batch->entries;
	tl__rights *rights = NULL;
	uint64_t generation;
	tl__fresh *fresh;

	if (is_plain(batch)) /* a change of rights has dropped what was kept */
		rights = tl__rights_kept(tree->rights, &batch->db, &generation);
	fresh = rights ? tl__alloc(sizeof *fresh + entry->bytes.len) : NULL;
	if (!fresh) {
		tl__rights_release(rights);
		return NULL;
	}
	*fresh = (tl__fresh){.db = batch->db,
		.id = entry->id,
		.parent = entry->parents[0],
		.arrival = entry->arrival,
		.rights = rights,
		.len = entry->bytes.len};
	memcpy(fresh->chain, entry->chain, sizeof fresh->chain);
	memcpy(fresh->bytes, entry->bytes.ptr, entry->bytes.len);
	return fresh;
}

void tl__fresh_free(tl__fresh *fresh)
{
	if (!fresh)
		return;
	tl__rights_release(fresh->rights);
	tl__free(fresh);
}
