/* What the specs of entries outside of the DAG share: chains, and feedings. */
#ifndef SPEC_TREE_ASIDE_HELP_H
#define SPEC_TREE_ASIDE_HELP_H

#include <pthread.h>
#include "store/backend.h"
#include "tree/trust/quarantine.h"
#include "trust_fixture.h"

#define OTHER   TL__STR("ed25519:other")
#define NOBODY  TL__STR("anonymous:10.0.0.1")
#define RELATED ((feeding){.stranger = false})

/* A chain: a root and notes, each on the one before. */
typedef struct chain {
	world w;
	signer a;
	tl_entry **at;
	size_t count;
} chain;

static inline bool chain_open(chain *c, size_t count)
{
	char note[32];

	memset(c, 0, sizeof *c);
	c->a = signer_of(1);
	c->at = tl__alloc_zero(count, sizeof(tl_entry *));
	if (!c->at || !world_open(&c->w))
		return false;
	for (; c->count < count; c->count++) {
		tl_entry *before = c->count > 0 ? c->at[c->count - 1] : NULL;

		snprintf(note, sizeof note, "k=%zu", c->count);
		c->at[c->count] = before ? make_note(c->at[0], before, c->count > 1 ? before : NULL,
						   &c->a, note)
					 : make_root(&c->a, NULL);
		if (!c->at[c->count])
			return false;
	}
	return true;
}

static inline void chain_close(chain *c)
{
	world_close(&c->w);
	for (size_t i = 0; i < c->count; i++)
		tl_entry_free(c->at[i]);
	tl__free(c->at);
}

static inline bool missing_is(const tl__ingest_result *r, const tl_entry *entry)
{
	return r->missing_count == 1 &&
	       memcmp(&r->missing[0], tl_entry_id(entry), sizeof(tl_id)) == 0;
}

#endif
