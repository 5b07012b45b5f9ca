/* Who signed lately: a guess at an entry's key before its settings are known. */
#ifndef TL_TREE_SIGNERS_H
#define TL_TREE_SIGNERS_H

#include "tree/tree.h"

int tl__signers_new(tl__signers **out) TL_MUST_USE;
void tl__signers_free(tl__signers *signers); /* NULL is fine */
/* The key that an entry with this database and name had last, or else the one it is named by; false
 * for none. Any thread. */
bool tl__signers_guess(tl__signers *signers, const tl_entry *entry, tl_key *key);
/* This entry's settings gave it that key. Any thread. */
void tl__signers_note(tl__signers *signers, const tl_entry *entry, const tl_key *key);

#endif
