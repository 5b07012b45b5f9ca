/* The descriptors by which a hub tells a loop that something waits. */
#include <unistd.h>
#include "engine/parts/hub_impl.h"

void tl__hub_raise(int fd)
{
	const uint64_t one = 1;

	/* Can only fail because it is readable already. */
	if (write(fd, &one, sizeof one) < 0)
		return;
}

void tl__hub_lower(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof count) < 0)
		return;
}
