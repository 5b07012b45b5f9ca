/* Inbound requests. The answers of both protocols are not part of this version yet: whoever asks is
 * told that the service is unavailable. */
#include "sync/state.h"

int tl__serve_new(tl__sync *sync)
{
	sync->serve = NULL;
	return TL_OK;
}

void tl__serve_free(tl__sync *sync)
{
	(void)sync;
}

void tl__serve_request(tl__sync *sync, const tl__sync_request *request)
{
	tl__sync_action action = {.kind = TL__SYNC_ANSWER};

	action.answer.incoming = request->incoming;
	action.answer.status = 503;
	action.answer.close = true;
	tl__sync_act(sync, &action);
}

void tl__serve_drained(tl__sync *sync, uint64_t incoming)
{
	(void)sync;
	(void)incoming;
}

void tl__serve_gone(tl__sync *sync, uint64_t incoming)
{
	(void)sync;
	(void)incoming;
}

void tl__serve_timer(tl__sync *sync)
{
	(void)sync;
}

uint64_t tl__serve_due(const tl__sync *sync)
{
	(void)sync;
	return UINT64_MAX;
}

void tl__serve_loaded(tl__sync *sync, tl_str key, tl_str value)
{
	(void)sync;
	(void)key;
	(void)value;
}
