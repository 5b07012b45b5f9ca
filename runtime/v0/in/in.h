/* What the files of v0's inbound half share. */
#ifndef TL_V0_IN_H
#define TL_V0_IN_H

#include "sync/in/serve.h"
#include "v0/work/works.h"

/* Of a request under way: in->own, in its arena. */
typedef struct tl__v0_incoming {
	tl__work *read; /* `request` and the groups belong to it */
	tl__v0_request request;
	bool approved;
	tl_permission granted;
	tl__work *stream; /* between two pieces */
	bool begun;
	uint64_t told; /* entries */
	/* SendEntries: entries by database, one after the other. */
	size_t group;
	uint64_t stored;
} tl__v0_incoming;

static inline tl__v0_incoming *tl__v0_in(const tl__incoming *in)
{
	return in->own;
}

static inline const tl__v0_read *tl__v0_read_of(const tl__incoming *in)
{
	return tl__v0_in(in)->read->other.own;
}

void tl__v0_answer(tl__sync *sync, tl__incoming *in, tl__buf *document);
/* Texts are generic: they tell a stranger nothing about us. */
void tl__v0_answer_error(tl__sync *sync, tl__incoming *in, const char *text);
/* A work of v0, or NULL: answered with internal. */
tl__work *tl__v0_serve_work(tl__sync *sync, tl__incoming *in, const tl__work_way *way, size_t size,
	void (*done)(void *sync, tl__work *work));
void tl__v0_serve_tree(tl__sync *sync, tl__incoming *in);
void tl__v0_drained(tl__sync *sync, tl__incoming *in); /* the tree answer's next piece */
void tl__v0_serve_entries(tl__sync *sync, tl__incoming *in);

/* The table's (v0.c). */
void tl__v0_serve(tl__sync *sync, tl__incoming *in, const tl__sync_request *request);

#endif
