#include "base/system/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "base/fail.h"

int tl__descriptors_guard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int got;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* the lowest free one; not closed by exec, as these never are */
		got = open("/dev/null", O_RDWR); /* NOLINT(android-cloexec-open) */
		if (got < 0)
			return tl__fail(TL_E_IO,
				"descriptor %d is closed, and /dev/null cannot be opened for it: "
				"%s; open it before",
				fd, strerror(errno));
		if (got > STDERR_FILENO)
			close(got); /* another thread has filled the place meanwhile */
	}
	return TL_OK;
}
