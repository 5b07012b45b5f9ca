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
/* Sends the request under way once more, at the same address; false: noted why not. */
bool tl__call_repeat(tl__sync *sync, tl__call *call);
/* Sends it to the next address; false when none is left. */
bool tl__call_dial(tl__sync *sync, tl__call *call);

#endif
