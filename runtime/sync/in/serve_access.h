/* An access request as it is remembered, and its two forms: a local document, by which the bounds
 * are kept, and a record of `_sync` for the owner (core/README.md). */
#ifndef TL_SYNC_SERVE_ACCESS_H
#define TL_SYNC_SERVE_ACCESS_H

#include "sync/in/serve.h"

#define TL__ACCESS_LOCAL       "sync/serve/access/"
#define TL__ACCESS_CLAIM_LOCAL "sync/serve/claim/" /* of one that was not proven */

typedef enum tl__access_state {
	TL__ACCESS_PENDING,
	TL__ACCESS_APPROVED,
	TL__ACCESS_REJECTED
} tl__access_state;

extern const char *const tl__access_states[]; /* their names */

typedef struct tl__access_row {
	tl__access_state state;
	char id[37];
	char key[TL_KEY_TEXT_LEN + 1];
	char name[TL__V1_MAX_TEXT + 1];
	char permission[24];
	tl_id db;
	int64_t time;    /* wall ms */
	uint64_t number; /* of this process; 0: loaded */
	bool proven;
	bool known;                      /* keeps its place */
	char source[TL__SOURCE_LEN + 1]; /* of a stranger; empty: it was not kept */
} tl__access_row;

static inline tl_str tl__access_id(const tl__access_row *row)
{
	return (tl_str){row->id, sizeof row->id - 1};
}

void tl__access_put_local(tl__sync *sync, const tl__access_row *row);
void tl__access_forget_local(tl__sync *sync, const tl__access_row *row);
/* Members and order as core/README.md lists them; the address is where it was asked from. */
void tl__access_put_record(tl__sync *sync, const tl__access_row *row, const tl__access_wish *wish);
/* Of a local document; `row->proven` is set. false: it cannot be read. */
bool tl__access_read(tl__access_row *row, tl_str key, tl_str value);

#endif
