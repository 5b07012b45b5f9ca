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
/* The same to this one, in place of what is under way. A failure is told with the next event. */
void tl__call_turn_to(tl__sync *sync, tl__call *call, const tl_address *address);
/* The peer has another address that it could be sent to and was not yet. */
bool tl__call_has_other(const tl__sync *sync, const tl__call *call);
/* The address of this number counts as tried. */
void tl__call_leave_out(tl__call *call, uint32_t number);
/* The peer's key answered there just now. */
void tl__peer_proven_at(tl__sync *sync, tl__peer *peer, const tl_address *address);
/* race.c: it was sent; whatever is asked beside it is cancelled. */
void tl__race_expect(tl__sync *sync, tl__call *call);
void tl__race_end(tl__sync *sync, tl__call *call);

#endif
