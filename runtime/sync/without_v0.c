/* In a build without runtime/v0 this stands for it. */
#include "sync/sync.h"

const tl__v0 *tl__v0_spoken(void)
{
	return NULL;
}
