/* The loop for hosts (tidelock/transport.h). */
#include <tidelock/transport.h>
#include "engine/loop.h"

int tl_loop_new(tl_loop **out)
{
	return tl__loop_new(out);
}

void tl_loop_run(tl_loop *loop)
{
	tl__loop_run(loop);
}

void tl_loop_stop(tl_loop *loop)
{
	tl__loop_stop(loop);
}

void tl_loop_free(tl_loop *loop)
{
	tl__loop_free(loop);
}
