/* Recorded exchanges played against real nodes: a node with a server of its own on loopback, what
 * somebody says to it byte for byte, and a server that says what it is told. */
#ifndef SPEC_VECTORS_LIVE_H
#define SPEC_VECTORS_LIVE_H

#include <pthread.h>
#include <tidelock/tidelock.h>
#include "check.h"
#include "../c/scratch.h"

#define LIVE_PATIENCE_MS 10000

typedef struct live {
	char folder[SCRATCH_PATH]; /* empty: in memory */
	tl_node *node;
	char address[512]; /* of its server; empty without one */
} live;

/* A node whose device key has this seed (hex; ptr NULL: any). options may be NULL. On failure the
 * case has failed and *out is empty; close in every case. */
bool live_open(live *out, check *c, tl_str seed_hex, const tl_sync_options *options, bool serve);
/* The same on disk: live_end ends the node and keeps the folder, live_again opens it once more. */
bool live_open_kept(live *out, check *c);
void live_end(live *l);
bool live_again(live *l, check *c);
void live_close(live *l);

/* Gives entries (as 0.2.0 writes them, any order) to the node's store, as a peer's. */
void live_take(live *l, check *c, const tl_id *db, const tl_str *lines, size_t count);
bool live_has(live *l, const tl_id *db, const tl_id *id);
/* In the DAG or pending. */
bool live_keeps(live *l, const tl_id *db, const tl_id *id);
bool live_is_public(live *l, const tl_id *db);

/* Says these bytes to the node's server; what comes back until `answers` whole answers are there,
 * the server closes, or it is silent for a while. Memory of the case. */
tl_str live_say(check *c, const live *l, tl_str bytes, size_t answers);

/* --- a server by script ----------------------------------------------------------------------- */

/* The raw answer to a raw request, in memory that lives on; ptr NULL: closes without a word. Called
 * on the server's thread. */
typedef tl_str (*mock_script)(void *ud, tl_str request);

typedef struct mock {
	int listener;
	int wake[2];
	pthread_t thread;
	char address[64];
	mock_script script;
	void *ud;
} mock;

bool mock_start(mock *m, check *c, mock_script script, void *ud);
void mock_stop(mock *m);

/* whole.c: a text that was cut, filled up to the length it says, so that it means the same. */
tl_str whole_text(check *c, tl_str text);

/* --- HTTP texts ------------------------------------------------------------------------------- */

/* Behind the blank line; ptr NULL when there is none. */
tl_str http_body(tl_str message);
/* What it means: chunks put together, cut where the length says. Memory of the case. */
tl_str http_document(check *c, tl_str message);
int http_status(tl_str response); /* 0: none */
/* Value of a header, any case of the name; ptr NULL: not there. */
tl_str http_header(tl_str message, const char *name);
/* How many complete messages there are; with head_only ones (answers to HEAD) bodies do not count.
 */
size_t http_complete(tl_str bytes, bool head_only);

#endif
