/* A 0.2.0 peer that serves one chain of entries, with a trick if asked. */
#ifndef SPEC_V0_HOST_H
#define SPEC_V0_HOST_H

#include "base/system/env.h"
#include "chain_help.h"
#include "fake_peer.h"
#include "v0/wire/v0.h"

/* What a 0.2.0 node answers to a handshake; false for a document that is none. */
static inline bool fake_handshake(fake_peer *peer, const tl__v0_request *request, tl__buf *out)
{
	uint8_t signature[TL_SIGNATURE_BYTES];
	static const char fresh[TL__V0_CHALLENGE_BYTES];
	tl__v0_handshake_response response = {
		.device_id = tl__str_z(peer->key),
		.public_key = tl__str_z(peer->key),
		.display_name = TL__STR("fake"),
		.challenge_response = {(const char *)signature, sizeof signature},
		.new_challenge = {fresh, sizeof fresh},
	};

	if (request->kind != TL__V0_HANDSHAKE ||
		tl_sign(&peer->secret, request->handshake.challenge.ptr,
			request->handshake.challenge.len, signature) != TL_OK)
		return false;
	tl__v0_write_handshake_response(out, &response);
	return true;
}

typedef enum trick {
	HONEST,
	OTHER_ROOT,    /* root and entries of another database under the id asked for */
	CUT_SHORT,     /* the connection ends in the middle */
	NOT_CLOSED,    /* the length is right, the document is not complete */
	SAYS_ERROR,    /* {"Error":…} */
	SAYS_ACK,      /* an answer to another question */
	FORGED,        /* one entry signed by a stranger */
	BAD_CHALLENGE, /* the handshake's signature is of something else */
	OTHER_VERSION,
	STATUS_500,
	NO_JSON
} trick;

typedef struct host {
	chain chain, other;
	trick trick;
	uint64_t seed; /* order of the answer */
	atomic_int pushed;
	tl_entry *forged;
} host;

static inline void put_entries(const host *h, const chain *c, tl__buf *out)
{
	size_t *order = calloc(c->count, sizeof *order);
	tl__seeded memory;
	tl__random random = tl__random_seeded(&memory, h->seed);

	for (size_t i = 1; i < c->count; i++)
		order[i] = i;
	for (size_t i = c->count - 1; i > 1; i--) {
		size_t j = 1 + (size_t)tl__random_below(&random, i), kept = order[i];

		order[i] = order[j];
		order[j] = kept;
	}
	for (size_t i = 1; i < c->count; i++)
		tl__v0_stream_entry(out, tl_entry_bytes(c->at[order[i]]), i == 1);
	if (h->trick == FORGED)
		tl__v0_stream_entry(out, tl_entry_bytes(h->forged), c->count == 1);
	free(order);
}

static inline void answer_tree(const host *h, const tl__v0_sync_tree *tree, tl__buf *out)
{
	const chain *c = h->trick == OTHER_ROOT ? &h->other : &h->chain;
	char tip[TL_ID_TEXT_LEN + 1];
	tl_str tips[1];

	if (h->trick == SAYS_ACK) {
		tl__v0_write_ack(out);
	} else if (h->trick == SAYS_ERROR || !tl__str_eq(tree->tree_id, tl__str_z(h->chain.id))) {
		tl__v0_write_error(out, TL__STR("no such tree"));
	} else if (tree->tip_count == 0) {
		tl__v0_begin_bootstrap(out, tree->tree_id, tl_entry_bytes(c->at[0]));
		put_entries(h, c, out);
		tl__v0_end_bootstrap(out, false, NULL);
	} else {
		tl_id_format(tl_entry_id(c->at[c->count - 1]), tip);
		tips[0] = tl__str_z(tip);
		tl__v0_begin_incremental(out, tree->tree_id, tips, 1);
		put_entries(h, c, out); /* everything, as 0.2.0 does after a divergence */
		tl__v0_end_incremental(out);
	}
}

static inline int answer_v0(
	fake_peer *peer, tl_str path, tl_str body, tl__buf *out, size_t *announced)
{
	host *h = peer->ud;
	tl__v0_request request;
	tl__v0_refusal refusal;
	char *version;

	if (!tl__str_eq(path, TL__STR("/api/v0")))
		return 404;
	if (h->trick == STATUS_500)
		return 500;
	if (h->trick == NO_JSON) {
		tl__buf_text(out, "<html>");
		return 200;
	}
	if (tl__v0_request_read(&request, body, &refusal) != TL_OK)
		return (int)refusal;
	if (request.kind == TL__V0_HANDSHAKE) {
		if (h->trick == BAD_CHALLENGE)
			request.handshake.challenge.len--;
		(void)fake_handshake(peer, &request, out);
		version = h->trick == OTHER_VERSION ? strstr(out->ptr, "\"protocol_version\":0")
						    : NULL;
		if (version)
			version[strlen("\"protocol_version\":")] = '1';
	} else if (request.kind == TL__V0_SYNC_TREE) {
		answer_tree(h, &request.sync_tree, out);
		if (h->trick == CUT_SHORT || h->trick == NOT_CLOSED) {
			*announced = h->trick == CUT_SHORT ? out->len : 0;
			out->len -= out->len / 3;
		}
	} else {
		atomic_fetch_add(&h->pushed, (int)request.entry_count);
		if (request.entry_count < 2)
			tl__v0_write_ack(out);
		else
			tl__v0_write_count(out, request.entry_count);
	}
	tl__v0_request_free(&request);
	return 200;
}

#endif
