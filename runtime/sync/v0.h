/* The seam to eidetica 0.2.0: all that the core asks of runtime/v0, which it does not know. A build
 * may lack it (`make V0=0`): then the table is NULL, peers that speak nothing else and requests of
 * theirs are refused with TL_E_V0_NOT_SPOKEN, and first contacts begin with a hello to nobody. */
#ifndef TL_SYNC_V0_H
#define TL_SYNC_V0_H

#include "sync/core/state.h"

typedef struct tl__v0 {
	/* A call that learns who answers at an address; peer NULL: nobody in particular. Its result
	 * has `key`, `name` and `tidelock`, its code is TL_E_V0_NOT_SPOKEN where only tidelock's
	 * protocol is spoken. NULL: no memory. */
	tl__call *(*greet)(tl__sync *sync, tl__peer *peer);
	/* One exchange of a pair, from its begin to tl__session_finish or _fail. */
	void (*exchange)(tl__sync *sync, tl__session *session);
	void (*list)(tl__sync *sync, tl__sync_ask *ask);   /* which databases its peer has */
	void (*access)(tl__sync *sync, tl__sync_ask *ask); /* asks its peer for access */
	/* A request to TL__V0_PATH. */
	void (*serve)(tl__sync *sync, tl__incoming *in, const tl__sync_request *request);
} tl__v0;

#endif
