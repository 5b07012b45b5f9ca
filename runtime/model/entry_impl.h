/* What the rest of the core may know of an entry beyond its public header: its ids in binary form.
 */
#ifndef TL_MODEL_ENTRY_IMPL_H
#define TL_MODEL_ENTRY_IMPL_H

#include <tidelock/entry.h>

/* Only after tl_entry_check passed. Results belong to the entry, in the order of the entry. */
const tl_id *tl__entry_parents(const tl_entry *entry);
const tl_id *tl__entry_store_parents(const tl_entry *entry, size_t store);
/* All ids it names: the main parents, then the parents of each store; one may occur in both. */
const tl_id *tl__entry_names(const tl_entry *entry, size_t *count);
/* The database it belongs to: the id in tree.root, or its own id when it is a root. */
const tl_id *tl__entry_tree_id(const tl_entry *entry);

/* Who signed it, as the entry shows: the public key, else the key's name (of a delegation: the
 * last). */
tl_str tl__entry_author(const tl_entry *entry);
/* The decoded signature; TL_E_BAD_SIGNATURE when it is missing or badly coded. */
int tl__entry_signature(const tl_entry *entry, uint8_t out[TL_SIGNATURE_BYTES]) TL_MUST_USE;

#endif
