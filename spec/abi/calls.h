/* Every public call, and a node with all that they take. The table of calls is made from the
 * headers (headers calls), so that none is forgotten. */
#ifndef SPEC_ABI_CALLS_H
#define SPEC_ABI_CALLS_H

#include <stdio.h>
#include <stdlib.h>
#include <tidelock/tidelock.h>

static struct handles {
	tl_node *node;
	tl_database *database;
	tl_view *view;
	tl_transaction *transaction;
	tl_doc_store *doc_store;
	tl_table *table;
	tl_settings_store *settings_store;
	tl_store *store;
	tl_walk *walk;
	tl_op *op;
	tl_entry *entry;
	tl_entry_builder *entry_builder;
	tl_value *value;
	tl_auth *auth;
	tl_json_reader *json_reader;
	tl_json_writer *json_writer;
	tl_loop *loop;
} f;

static char room[8192]; /* enough for every result */
static const tl_str no_text, some_text = {"x", 1};
static const tl_permission no_permission;

struct call {
	const char *name;
	bool is_code;
	bool inherited; /* it takes a handle that belongs to the process that made it */
	int (*with[4])(void);
};

/* A visitor, for calls that do not come to it. */
static int never(void)
{
	printf("something was visited\n");
	abort();
}

#pragma GCC diagnostic ignored "-Wnonnull"
#include "calls_table.h"

enum { COUNT = sizeof calls / sizeof calls[0] };

#define NEED(call)                                                                                 \
	do {                                                                                       \
		if ((call) != TL_OK) {                                                             \
			printf("%s: %s\n", #call, tl_error_message(tl_last_error()));              \
			exit(2);                                                                   \
		}                                                                                  \
	} while (0)

static const tl_id *root(void)
{
	return tl_database_root_id(f.database);
}

/* In memory without a path. */
static void make_fixture(const char *path)
{
	const tl_str data = {"data", 4}, rows = {"rows", 4}, json = {"[1]", 3};
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_transaction *tx;

	config.path = path;
	config.log_level = TL_LOG_OFF;
	NEED(tl_node_open(&f.node, &config));
	NEED(tl_node_add_private_key(f.node, "me", NULL, NULL));
	NEED(tl_node_new_database(f.node, NULL, "me", &f.database));
	NEED(tl_transaction_new(f.database, &tx));
	NEED(tl_transaction_doc_store(tx, data, &f.doc_store));
	NEED(tl_doc_store_set_int(f.doc_store, data, 1));
	NEED(tl_transaction_commit(tx, NULL));
	tl_doc_store_free(f.doc_store);
	tl_transaction_free(tx);
	NEED(tl_database_at(f.database, root(), 1, &f.view));
	NEED(tl_database_get_entry(f.database, root(), &f.entry));
	NEED(tl_transaction_new(f.database, &f.transaction));
	NEED(tl_transaction_doc_store(f.transaction, data, &f.doc_store));
	NEED(tl_transaction_table(f.transaction, rows, &f.table));
	NEED(tl_transaction_get_settings(f.transaction, &f.settings_store));
	NEED(tl_table_walk(f.table, NULL, &f.walk));
	NEED(tl_node_store(f.node, &f.store));
	NEED(tl_sync_flush(f.node, 1, &f.op));
	(void)tl_op_wait(f.op, 0);
	NEED(tl_entry_builder_new(&f.entry_builder));
	f.value = tl_value_doc();
	NEED(tl_auth_from_doc(&f.auth, NULL));
	NEED(tl_json_reader_new(&f.json_reader, json));
	NEED(tl_json_writer_new(&f.json_writer, 0));
	NEED(tl_loop_new(&f.loop));
}

#endif
