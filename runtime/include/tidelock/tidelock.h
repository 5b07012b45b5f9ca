/* tidelock for hosts in C and C++: what is what, and all public headers.
 *
 * WHAT IS WHAT. A node (node.h) is one store, private keys, databases and a background engine; a
 *process may have several. A database (database.h) is a DAG of signed entries, named by the id of
 *its root, and holds named stores (stores.h): documents, tables, settings. A transaction
 *(transaction.h) stages changes and commits them as one entry. A value (doc.h) is what a document
 *holds. Peers, relations and exchanges are in sync.h; keys of databases and permissions in auth.h;
 *hooks, policies and transports of one's own in ext.h. entry.h, doc.h, json.h, crypto.h, backend.h
 *and transport.h are parts that also work alone; control.h talks to the process that has a data
 *directory open.
 *
 * ORDER OF CALLS. Open a node, make or load databases, enable a transport, connect to peers, add
 * relations (tl_sync_add_tree_sync); from then on what is committed is kept in step in the
 *background. Free transactions, stores and databases, close the node. No global set-up: the first
 *call does it. A host with memory of its own sets that first of all (memory.h).
 *
 * OWNERSHIP. What a call hands out in `**out`, and every `char *` of it, is yours: a handle is
 *given back with the free of its type, a text with tl_free; nodes, stores of backend.h and servers
 *also end something, and are closed or stopped. Children keep their parents alive, so the order of
 *freeing does not matter. Results of accessors belong to the object asked. What a visitor or
 *callback is given lives during its call. What you pass is copied, unless the comment says that it
 *is taken over.
 *
 * ERRORS. A call that can fail returns TL_OK or a negative code (error.h) and leaves code, sentence
 *and causes as the last error of its thread. It stays until the next call that fails: calls that
 *succeed do not touch it, whatever they handled inside. A handle that is NULL gives
 *TL_E_BAD_ARGUMENT, or, where a call returns a value, a neutral one (0, false, NULL, an absent
 *text). Running out of memory is TL_E_NOMEM. Nothing that the world can cause ends the process.
 *
 * THREADS. Any function may be called from any thread unless its header says otherwise. A node, a
 * database and a view may be used by several threads at once; a transaction, a store handle, a
 *value, a walk by one at a time. A node has threads of its own; callbacks run where their comment
 *says: hooks on the thread that commits, policies and transports on the engine's, operations on the
 *one that dispatches. A node may be closed at any time and from a callback (tl_node_close).
 *
 * WHAT BLOCKS. Calls on databases and stores wait for the disk. Calls that talk to peers return an
 * operation at once: wait for it (tl_op_wait), or let its callback be dispatched. Calls that wait
 *for the engine say TL_E_WOULD_BLOCK on the engine's own threads.
 *
 * A LOOP OF YOUR OWN. tl_node_fd is readable when there is something to do: then call
 * tl_node_dispatch, and tl_next_event until it returns 0. Without a loop tl_node_run dispatches
 * until tl_node_stop or the closing.
 *
 * FORK. What was opened belongs to the process that opened it. In a child of fork() it is refused
 * with TL_E_BAD_STATE; what the child opens itself is its own. Descriptors are close-on-exec, but
 * for OpenSSL's configuration file in the moment in which it is read, once a process.
 *
 * SIGNALS. The library installs no handlers. Its threads take no signals, and block SIGPIPE; a host
 * whose own threads run a loop of transport.h has SIGPIPE blocked there too (tl_loop_turn:
 * meanwhile). tl_node_stop may be called from a handler, nothing else. It reads no environment
 * variables.
 *
 * EXCEPTIONS. C++ exceptions and longjmp must not leave a callback through the library: catch them
 *there and return a code (tl_error_set keeps the reason).
 *
 * VERSIONS. TL_VERSION_NUMBER is that of the headers, tl_version_number() that of the library. A
 *host works with a newer library of the same name (libtidelock.so.1), and with an older one as long
 *as it uses nothing new. Structs that may grow begin with their `size`: start with their TL_…_INIT,
 *or zero them and set it. The library reads an older one as if the rest were zero, and refuses a
 *later one with something set that it does not know (TL_E_UNSUPPORTED). Enums may gain values:
 *expect ones that you do not know.
 *
 * EXAMPLE. `cc notes.c $(pkg-config --cflags --libs tidelock)`:
 *
 *	#include <stdio.h>
 *	#include <tidelock/tidelock.h>
 *
 *	static int write_note(tl_database *db)
 *	{
 *		tl_transaction *tx = NULL;
 *		tl_doc_store *notes = NULL;
 *		int rc = tl_transaction_new(db, &tx);
 *
 *		if (rc == TL_OK)
 *			rc = tl_transaction_doc_store(tx, (tl_str){"notes", 5}, &notes);
 *		if (rc == TL_OK)
 *			rc = tl_doc_store_set_string(
 *				notes, (tl_str){"today", 5}, (tl_str){"sow beans", 9});
 *		if (rc == TL_OK)
 *			rc = tl_transaction_commit(tx, NULL);
 *		tl_doc_store_free(notes);
 *		tl_transaction_free(tx);
 *		return rc;
 *	}
 *
 *	static int show_note(tl_database *db)
 *	{
 *		tl_doc_store *notes = NULL;
 *		char *text = NULL;
 *		int rc = tl_database_doc_store(db, (tl_str){"notes", 5}, &notes);
 *
 *		if (rc == TL_OK)
 *			rc = tl_doc_store_get_string(notes, (tl_str){"today", 5}, &text, NULL);
 *		if (rc == TL_OK)
 *			puts(text);
 *		tl_free(text);
 *		tl_doc_store_free(notes);
 *		return rc;
 *	}
 *
 *	int main(int argc, char **argv)
 *	{
 *		tl_node_config config = TL_NODE_CONFIG_INIT;
 *		tl_node *node = NULL;
 *		tl_database *db = NULL;
 *		int rc;
 *
 *		config.path = argc > 1 ? argv[1] : NULL;
 *		rc = tl_node_open(&node, &config);
 *		if (rc == TL_OK)
 *			rc = tl_node_add_private_key(node, "me", NULL, NULL);
 *		if (rc == TL_OK)
 *			rc = tl_node_new_database(node, NULL, "me", &db);
 *		if (rc == TL_OK)
 *			rc = write_note(db);
 *		if (rc == TL_OK)
 *			rc = show_note(db);
 *		if (rc != TL_OK)
 *			fprintf(stderr, "%s\n", tl_error_message(tl_last_error()));
 *		tl_database_free(db);
 *		tl_node_close(node);
 *		return rc != TL_OK;
 *	}
 */
#ifndef TIDELOCK_TIDELOCK_H
#define TIDELOCK_TIDELOCK_H

#include <tidelock/auth.h>
#include <tidelock/backend.h>
#include <tidelock/control.h>
#include <tidelock/crypto.h>
#include <tidelock/database.h>
#include <tidelock/doc.h>
#include <tidelock/entry.h>
#include <tidelock/error.h>
#include <tidelock/ext.h>
#include <tidelock/json.h>
#include <tidelock/log.h>
#include <tidelock/memory.h>
#include <tidelock/node.h>
#include <tidelock/stores.h>
#include <tidelock/sync.h>
#include <tidelock/transaction.h>
#include <tidelock/transport.h>
#include <tidelock/types.h>

#endif
