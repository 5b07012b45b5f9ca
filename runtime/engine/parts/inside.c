#include "engine/parts/inside.h"

#include "base/fail.h"

static _Thread_local bool is_inside;

void tl__inside_set(bool inside)
{
	is_inside = inside;
}

bool tl__inside(void)
{
	return is_inside;
}

int tl__inside_refuse(const char *what)
{
	if (!is_inside)
		return TL_OK;
	return tl__fail(TL_E_WOULD_BLOCK,
		"%s waits for the engine and was called on the engine's own thread; call it from "
		"another thread or use an operation",
		what);
}
