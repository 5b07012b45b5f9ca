/* Lines that are no use, and how an exchange ends over them. */
#ifndef SPEC_GAIN_HELP_H
#define SPEC_GAIN_HELP_H

#include "sync_rig.h"

static tl_id root;

/* --- lines that are no use -------------------------------------------------------------------- */

/* A child of the root; signed by a key that may not write there, or by none. */
static inline tl_entry *forge(unsigned number, bool is_signed)
{
	char tree[TL_ID_TEXT_LEN + 1], data[80];
	tl_entry_builder *builder = NULL;
	tl_entry *entry = NULL;

	tl_id_format(&root, tree);
	snprintf(data, sizeof data, "{\"children\":{\"n\":{\"Text\":\"forged %u\"}}}", number);
	CHECK_OK(tl_entry_builder_new(&builder));
	tl_entry_builder_tree(builder, z(tree));
	tl_entry_builder_parent(builder, z(tree));
	tl_entry_builder_store(builder, TL__STR("data"), z(data));
	tl_entry_builder_key(builder, z(carol.text), TL__STR_NULL);
	CHECK_OK(tl_entry_builder_finish(builder, is_signed ? &carol.secret : NULL, &entry));
	tl_entry_builder_free(builder);
	return entry;
}

static inline void ended_fruitless(const char *why)
{
	tl__pair *pair = pair_of(&bob, &root);

	CHECK(!pair->session && pair->attempts == 1);
	CHECK(pair->last_code == TL_E_SYNC_PROTOCOL_ERROR && strstr(pair->last_error, why));
	CHECK(peer_of(&bob)->fruitless == 1);
	CHECK(r.events[TL_EVENT_SYNC_FAILED] == 1);
}

#endif
