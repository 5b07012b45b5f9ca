/* A database made entry by entry, without a node that holds it. */
#ifndef SPEC_CHAIN_HELP_H
#define SPEC_CHAIN_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/tidelock.h>
#include "base/str.h"

/* Entries of one database: a chain, each signed by its key. */
typedef struct chain {
	tl_entry **at; /* [0] is the root */
	size_t count;
	tl_secret secret;
	char key[TL_KEY_TEXT_LEN + 1], id[TL_ID_TEXT_LEN + 1];
	tl_id root;
} chain;

static inline void chain_free(chain *c)
{
	for (size_t i = 0; i < c->count; i++)
		tl_entry_free(c->at[i]);
	free(c->at);
}

/* An entry behind `parent` that sets data.n to `number`. */
static inline tl_entry *chain_entry(
	const chain *c, const tl_entry *parent, size_t number, bool first)
{
	tl_entry_builder *b = NULL;
	tl_entry *entry = NULL;
	char id[TL_ID_TEXT_LEN + 1], data[80];

	if (tl_entry_builder_new(&b) != TL_OK)
		return NULL;
	tl_id_format(tl_entry_id(parent), id);
	snprintf(data, sizeof data, "{\"children\":{\"n\":{\"Text\":\"%zu\"}}}", number);
	tl_entry_builder_tree(b, tl__str_z(c->id));
	tl_entry_builder_parent(b, tl__str_z(id));
	tl_entry_builder_store(b, TL__STR("data"), tl__str_z(data));
	if (!first)
		tl_entry_builder_store_parent(b, TL__STR("data"), tl__str_z(id));
	tl_entry_builder_key(b, tl__str_z(c->key), TL__STR_NULL);
	if (tl_entry_builder_finish(b, &c->secret, &entry) != TL_OK)
		printf("entry: %s\n", tl_error_message(tl_last_error()));
	tl_entry_builder_free(b);
	return entry;
}

static inline bool chain_make(chain *c, size_t count, uint8_t seed_byte)
{
	const uint8_t seed[TL_SEED_BYTES] = {seed_byte};
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	tl_node *node = NULL;
	bool good;

	memset(c, 0, sizeof *c);
	c->at = calloc(count, sizeof *c->at);
	config.without_sync = true;
	good = c->at && tl_secret_from_seed(&c->secret, seed) == TL_OK &&
	       tl_node_open(&node, &config) == TL_OK &&
	       tl_node_add_private_key(node, "k", seed, c->key) == TL_OK &&
	       tl_doc_put(settings, TL__STR("name"), tl_value_text(TL__STR("chain"))) == TL_OK &&
	       tl_node_new_database(node, settings, "k", &db) == TL_OK;
	if (good) {
		c->root = *tl_database_root_id(db);
		tl_id_format(&c->root, c->id);
		good = tl_database_get_entry(db, &c->root, &c->at[0]) == TL_OK;
		c->count = good;
	}
	while (good && c->count < count) {
		c->at[c->count] = chain_entry(c, c->at[c->count - 1], c->count, c->count == 1);
		good = c->at[c->count] != NULL;
		c->count += good;
	}
	if (!good)
		printf("chain: %s\n", tl_error_message(tl_last_error()));
	tl_database_free(db);
	tl_value_free(settings);
	tl_node_close(node);
	return good;
}

#endif
