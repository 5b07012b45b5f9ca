/* What the engine's thread calls of the driver. */
#ifndef TL_ENGINE_DRIVER_H
#define TL_ENGINE_DRIVER_H

#include "engine/run/engine_impl.h"

/* Begins to run the core; the call ends when it has loaded what it remembers. */
void tl__engine_begin(tl__engine *engine, tl__call *call);
/* Begins to end everything; the call ends when nothing is under way any more. */
void tl__engine_begin_end(tl__engine *engine, tl__call *call);
void tl__engine_on_timer(void *engine);
void tl__engine_on_upkeep(void *engine);
void tl__engine_take_commits(tl__engine *engine);

#endif
