/* A question to a peer that moves no entries, from its command to its completion. */
#ifndef TL_SYNC_ASK_H
#define TL_SYNC_ASK_H

#include "sync/out/outbound.h"

#define TL__ASK_MAX_LISTED 10000 /* databases of one answer to an application */

struct tl__sync_ask {
	uint64_t number, op;
	uint64_t call;
	tl__peer *peer;
	tl__buf json;
	size_t count;
	/* Access. */
	tl_id db;
	tl_secret *secret; /* in the vault; NULL: asks for no access */
	tl_key key;
	char name[TL__V1_MAX_TEXT + 1];
	tl_permission permission;
	tl__sync_ask *next;
};

/* NULL: no memory; `op` has been completed so. An op of 0 is nobody's: nothing hears of it. */
tl__sync_ask *tl__ask_new(tl__sync *sync, uint64_t op);
tl__sync_ask *tl__ask_find(tl__sync *sync, uint64_t number); /* NULL: it is over */
void tl__ask_start(tl__sync *sync, tl__sync_ask *ask, tl__call *call);
/* Completes it with a failure and frees it. error NULL: the last error. */
void tl__ask_fail(tl__sync *sync, tl__sync_ask *ask, int code, const char *error);
void tl__ask_drop(tl__sync *sync, tl__sync_ask *ask);    /* completes nothing */
void tl__ask_succeed(tl__sync *sync, tl__sync_ask *ask); /* with its JSON */

/* ask_access.c: what the peer answered; the ask goes. */
typedef enum tl__access_status {
	TL__ACCESS_GRANTED,
	TL__ACCESS_PENDING,
	TL__ACCESS_REFUSED
} tl__access_status;
void tl__ask_answered(
	tl__sync *sync, tl__sync_ask *ask, tl__access_status status, tl_str request_id);

#endif
