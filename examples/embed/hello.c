/* The guide's quick start from C: hello DATA PEER_ADDRESS.
 *
 * The peer lists this node's key in accept_databases_from, so it takes the new database. Build it
 * with `cc hello.c $(pkg-config --cflags --libs tidelock)`. */
#include <stdio.h>
#include <string.h>
#include <tidelock/tidelock.h>

static tl_str text(const char *zero_terminated)
{
	return (tl_str){zero_terminated, strlen(zero_terminated)};
}

static int connect_to(tl_node *node, const char *where, char peer[TL_KEY_TEXT_LEN + 1])
{
	tl_address address;
	tl_op *op = NULL;
	int rc = tl_address_parse(&address, text(where));

	if (rc == TL_OK)
		rc = tl_sync_connect_to_peer(node, &address, NULL, &op);
	if (rc == TL_OK)
		rc = tl_op_wait(op, 10000);
	if (rc == TL_OK)
		snprintf(peer, TL_KEY_TEXT_LEN + 1, "%s", tl_op_text(op));
	tl_op_free(op);
	return rc;
}

static int commit_hello(tl_database *db)
{
	tl_transaction *tx = NULL;
	tl_doc_store *data = NULL;
	tl_id id;
	int rc = tl_transaction_new(db, &tx);

	if (rc == TL_OK)
		rc = tl_transaction_doc_store(tx, text("data"), &data);
	/* Setters are sticky: commit returns their error. */
	if (rc == TL_OK)
		tl_doc_store_set_string(data, text("message"), text("Hello from C!"));
	if (rc == TL_OK)
		rc = tl_transaction_commit(tx, &id);
	tl_doc_store_free(data);
	tl_transaction_free(tx);
	return rc;
}

static int flush(tl_node *node)
{
	tl_op *op = NULL;
	int rc = tl_sync_flush(node, 5000, &op);

	if (rc == TL_OK)
		rc = tl_op_wait(op, 0);
	tl_op_free(op);
	return rc;
}

static int share(tl_node *node, const char *where)
{
	char peer[TL_KEY_TEXT_LEN + 1], key[TL_KEY_TEXT_LEN + 1];
	tl_value *settings = tl_value_doc();
	tl_database *db = NULL;
	int rc = tl_node_add_private_key(node, "notes", NULL, key);

	if (rc == TL_OK)
		rc = tl_sync_enable_http_transport(node, NULL);
	if (rc == TL_OK)
		rc = connect_to(node, where, peer);
	if (rc == TL_OK)
		rc = tl_doc_put(settings, text("name"), tl_value_text(text("notes")));
	if (rc == TL_OK)
		rc = tl_node_new_database(node, settings, "notes", &db);
	if (rc == TL_OK)
		rc = tl_sync_add_tree_sync(node, peer, tl_database_root_id(db));
	if (rc == TL_OK)
		rc = commit_hello(db);
	if (rc == TL_OK)
		rc = flush(node);
	if (rc == TL_OK)
		printf("sent to %s\n", peer);
	tl_database_free(db);
	tl_value_free(settings);
	return rc;
}

int main(int argc, char **argv)
{
	tl_node_config config = TL_NODE_CONFIG_INIT;
	tl_node *node = NULL;
	int rc;

	if (argc != 3) {
		fprintf(stderr, "usage: hello DATA PEER_ADDRESS\n");
		return 2;
	}
	config.path = argv[1];
	rc = tl_node_open(&node, &config);
	if (rc == TL_OK)
		rc = share(node, argv[2]);
	if (rc != TL_OK)
		fprintf(stderr, "hello: %s\n", tl_error_message(tl_last_error()));
	tl_node_close(node);
	return rc != TL_OK;
}
