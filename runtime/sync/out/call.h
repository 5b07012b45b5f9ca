/* The two halves of a call: sending (call.c) and its answer (call_answer.c). */
#ifndef TL_SYNC_CALL_H
#define TL_SYNC_CALL_H

#include "sync/out/outbound.h"

/* Tells the result and frees the call. */
void tl__call_finish(tl__sync *sync, tl__call *call, tl__call_result *result);
/* The same with the failure noted last. */
void tl__call_give_up(tl__sync *sync, tl__call *call);
void tl__call_note(tl__call *call, int code, const char *error);
void tl__call_note_last(tl__call *call, int code); /* with the thread's last error */
/* The peer's record of the address dialled; NULL for a first contact. */
tl__peer_address *tl__call_address(const tl__call *call);
/* The address has failed, or answered as it should; `proves`: that the peer's key is there. */
void tl__call_address_failed(tl__sync *sync, tl__call *call);
void tl__call_address_succeeded(tl__sync *sync, tl__call *call, bool proves);
/* Sends the same once more, at the same address, or gives up. */
void tl__call_again(tl__sync *sync, tl__call *call);
/* Whether something in between refused it for its size (HTTP status 413); noted then. */
bool tl__call_refused_for_size(tl__sync *sync, tl__call *call, const tl__sync_answered *answered);
/* call.c: the v1 half of tl__call_v1. */
bool tl__call_v1_needs_greeting(const tl__call *call);
int tl__call_v1_write(tl__sync *sync, tl__call *call, tl__sync_action *send) TL_MUST_USE;
/* Sends the request under way once more, at the same address; false: noted why not. */
bool tl__call_repeat(tl__sync *sync, tl__call *call);
/* Sends it to the next address; false when none is left. */
bool tl__call_dial(tl__sync *sync, tl__call *call);

#endif
