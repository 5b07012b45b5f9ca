/* The answer to a SEND while it arrives: what a driver collects for TL__SYNC_ANSWERED. The same for
 * every driver. Pure; one thread at a time. */
#ifndef TL_SYNC_RECEIPT_H
#define TL_SYNC_RECEIPT_H

#include "sync/sync.h"

typedef struct tl__receipt {
	uint64_t exchange;
	const tl__intake_way *intake_way;
	uint64_t limit;
	tl_id db;
	tl__tree *tree;
	int status;
	char *channel;
	tl__buf body;
	tl__intake *intake;
	int code; /* our own failure while receiving; TL_OK: none */
	char error[256];
} tl__receipt;

/* For this SEND; nothing of the action is kept. `tree` is asked what is held already; it must
 * outlive the receipt. */
void tl__receipt_init(tl__receipt *receipt, const tl__sync_action *send, tl__tree *tree);
void tl__receipt_free(tl__receipt *receipt);
/* Status line and connection. A code other than TL_OK: end the exchange, more of it is of no use;
 * what comes all the same is passed over, and the event tells this failure. */
int tl__receipt_head(tl__receipt *receipt, int status, tl_str channel) TL_MUST_USE;
/* The next bytes of the body. TL_E_TOO_LARGE over the limit; TL_E_NETWORK when it is a tree answer
 * that cannot be read. */
int tl__receipt_piece(tl__receipt *receipt, const void *bytes, size_t len) TL_MUST_USE;
/* It is over, `code` being the transport's word (its sentence: the calling thread's last error).
 * Fills the event; texts in it are the receipt's and live as long as it, an intake is the core's
 * from now on. */
void tl__receipt_end(tl__receipt *receipt, int code, tl__sync_event *event);

#endif
