/* How an entry lies in memory: one block that holds this struct, its lists, the canonical bytes and
 * the texts that had escapes. Texts without escapes point into the bytes. Only for the files
 * entry*.c. */
#ifndef TL_MODEL_ENTRY_LAYOUT_H
#define TL_MODEL_ENTRY_LAYOUT_H

#include <stdatomic.h>
#include <tidelock/entry.h>
#include "base/buf.h"

struct entry_store {
	tl_str name;
	tl_str data;
	size_t first_parent; /* in tl_entry.texts and tl_entry.ids */
	size_t parent_count;
};

struct entry_step {
	tl_str key;
	size_t first_tip; /* in tl_entry.texts */
	ptrdiff_t tip_count;
};

struct tl_entry {
	atomic_uint owners;
	bool is_root;
	tl_id id;
	tl_id database; /* valid when ids is not NULL */
	tl_str bytes;
	tl_str tree;
	tl_str metadata;
	tl_str signature;
	tl_str key_name;
	tl_str pubkey;
	size_t signature_at; /* where the value of sig.sig lies in bytes, quotes included */
	size_t signature_len;
	tl_str *texts; /* main parents, then the parents of each store, then the tips of each step
			*/
	tl_id *ids; /* of the texts that are parents; NULL when one of them, or the tree, is no id
		     */
	size_t parent_count;
	struct entry_store *stores;
	size_t store_count;
	struct entry_step *steps;
	size_t step_count;
	char *decoded;
};

/* Reads bytes that must be canonical: TL_E_NOT_CANONICAL when they are anything else,
 * TL_E_TOO_LARGE, TL_E_NOMEM. */
int tl__entry_read(tl_entry **out, tl_str text) TL_MUST_USE;
/* Appends the canonical bytes of an entry in any form that is read. */
int tl__entry_normalise(tl_str text, tl__buf *out) TL_MUST_USE;

#endif
