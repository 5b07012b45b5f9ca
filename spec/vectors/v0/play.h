/* A recorded request being said to a real server. */
#ifndef SPEC_VECTORS_PLAY_H
#define SPEC_VECTORS_PLAY_H

#include "../live.h"
#include "pool.h"
#include "v0/wire/v0.h"

/* A recorded exchange of this section, and what it takes to play it again. */
typedef struct play {
	check *c;
	const pool *pool;
	live live;
	bool claims;       /* the node believes claimed keys, as 0.2.0 does */
	tl_str said, body; /* the request */
	tl__v0_request request;
	bool readable;
	tl__v0_refusal refusal;
	tl_str recorded; /* body of the recorded answer */
	int recorded_status;
	tl__v0_response_kind recorded_kind;
	entry_list recorded_entries;
	tl_id db;
	bool has_db;
	bool *held; /* of the pool: given to the node and in its DAG */
} play;

/* Reads an answer; *reader is the caller's. NULL: it is none. */
const tl__v0_response *read_answer(tl__v0_reader **reader, tl_str body);
tl__v0_response_kind answer_kind(tl_str body);

/* check_serve.c, check_replay.c: the two sides of a recorded exchange. */
void check_served(check *c, const node *section);
void check_replayed(check *c, const node *section);
/* check_answer.c: whether this document answers the request as it must. */
void check_answer(play *p, tl_str body);

#endif
