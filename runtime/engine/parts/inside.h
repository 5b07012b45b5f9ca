/* Which threads belong to an engine: calls that wait for the engine would wait for ever there. */
#ifndef TL_ENGINE_INSIDE_H
#define TL_ENGINE_INSIDE_H

#include <stdbool.h>
#include <tidelock/types.h>

/* Marks the calling thread. */
void tl__inside_set(bool inside);
bool tl__inside(void); /* whether it is marked */
/* TL_OK, or TL_E_WOULD_BLOCK on a thread of any engine; `what` names the call. */
int tl__inside_refuse(const char *what) TL_MUST_USE;

#endif
