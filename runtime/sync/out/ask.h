/* What an application asks of an address or a peer, from its command to its completion: to meet
 * whoever is there, which databases there are, access to one. */
#ifndef TL_SYNC_ASK_H
#define TL_SYNC_ASK_H

#include "sync/out/outbound.h"

#define TL__ASK_MAX_LISTED 10000 /* databases of one answer to an application */

/* By a share (join.c); in the vault. */
typedef struct tl__join {
	tl_key node;
	tl_address addresses[TL__SYNC_MAX_ADDRESSES];
	size_t count, next;
	tl_secret token; /* the key that it stands for */
	/* Instead of what an owner's word is followed by; the ask goes. */
	void (*answered)(tl__sync *sync, tl__sync_ask *ask, const tl__call_result *result);
} tl__join;

struct tl__sync_ask {
	uint64_t number, op;
	uint64_t call;
	tl__peer *peer;
	tl__buf json;
	size_t count;
	/* Connecting, where it is about a database, and access. */
	bool has_db, has_key;
	tl_id db;
	tl_secret *secret; /* in the vault; NULL: asks for no access */
	tl_key key;        /* of ours, to be proven */
	char name[TL__V1_MAX_TEXT + 1];
	tl_permission permission;
	tl__join *join; /* NULL: an owner is asked */
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
/* Its parts, for join.c: one that proves the key of this secret (NULL: no memory; `op` has been
 * completed so); asking in v1; what becomes known of the database. */
tl__sync_ask *tl__ask_new_access(tl__sync *sync, uint64_t op, const tl_secret *secret);
void tl__ask_v1(tl__sync *sync, tl__sync_ask *ask);
void tl__ask_remember(
	tl__sync *sync, const tl__sync_ask *ask, tl__access_status status, tl_str request_id);

#endif
