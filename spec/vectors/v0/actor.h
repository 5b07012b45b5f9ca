/* A 0.2.0 server by script, for what a client makes of answers: its handshakes are real, with what
 * a case bends in them; the rest is said word for word. */
#ifndef SPEC_VECTORS_ACTOR_H
#define SPEC_VECTORS_ACTOR_H

#include "base/buf.h"
#include "../live.h"

/* What is bent in the answer to a handshake. */
typedef struct bend {
	uint32_t version;
	bool flip_signature;
	size_t cut_signature; /* bytes taken off its end */
	bool other_key, junk_key, other_device, strange_order, no_name, no_trees;
	const char *document;     /* said instead of a handshake */
	int status;               /* 0: 200 */
	const char *content_type; /* NULL: application/json; "": none */
	bool chunked, http10, until_close, silent;
} bend;

#define ACTOR_PUSHES 16

typedef struct actor {
	check *c;
	mock server;
	tl__arena arena; /* of the server's thread */
	tl_secret secret;
	tl_key key;
	char key_text[TL_KEY_TEXT_LEN + 1];
	bend handshake;
	tl_str handshake_raw; /* said instead of all that; ptr NULL: not */
	tl_str tree;          /* raw answer to SyncTree */
	tl_str push;          /* raw answer to a push; ptr NULL: Ack or Count as it should be */
	tl_str elsewhere;     /* raw answer to any other path; ptr NULL: 404 */
	/* What was asked; read it when the server has stopped. */
	size_t requests, trees, pushes, entries[ACTOR_PUSHES];
	char first_line[200];
	tl_str first_tree, last_tree; /* bodies of SyncTree */
} actor;

/* seed_hex: of its device key; ptr NULL: some seed. */
bool actor_start(actor *a, check *c, tl_str seed_hex);
void actor_stop(actor *a); /* and waits; the notes can be read */
void actor_free(actor *a);

/* A raw answer in that memory. */
tl_str raw_answer(tl__arena *arena, const bend *how, tl_str body);

#endif
