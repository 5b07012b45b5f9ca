/* The memory of a host. */
#include "base/mem.h"
#include "base/public.h"
#include "base/sized.h"

TL__PUBLIC(tl_set_allocator, allocator, (const tl_allocator *allocator), (allocator))
{
	tl_allocator full = TL_ALLOCATOR_INIT;
	int rc = tl__sized_read(&full, allocator, tl_allocator, ud);

	if (rc == TL_OK && (!full.resize || !full.release))
		rc = tl__fail(TL_E_BAD_ARGUMENT, "an allocator needs resize and release");
	if (rc == TL_OK && !tl__alloc_take(&full))
		rc = tl__fail(TL_E_BUSY,
			"memory was given out already; set the allocator before any other call");
	return rc;
}
