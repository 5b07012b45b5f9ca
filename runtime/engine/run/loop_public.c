/* The loop for hosts (tidelock/transport.h). */
#include <tidelock/transport.h>
#include "base/public.h"
#include "engine/run/loop.h"

TL__PUBLIC(tl_loop_new, out, (tl_loop **out), (out))
{
	return tl__loop_new(out);
}

void tl_loop_run(tl_loop *loop)
{
	if (!loop)
		return;
	tl__loop_run(loop);
}

int tl_loop_fd(const tl_loop *loop)
{
	TL__NEED(loop);
	return tl__loop_fd(loop);
}

int tl_loop_timeout(tl_loop *loop, int *ms)
{
	TL__NEED(loop && ms);
	return tl__loop_timeout(loop, ms);
}

int tl_loop_turn(tl_loop *loop, bool wait)
{
	TL__NEED(loop);
	return tl__loop_turn(loop, wait);
}

void tl_loop_stop(tl_loop *loop)
{
	if (!loop)
		return;
	tl__loop_stop(loop);
}

void tl_loop_free(tl_loop *loop)
{
	tl__loop_free(loop);
}
