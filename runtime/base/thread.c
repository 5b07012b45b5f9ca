#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

int tl__thread_start(pthread_t *out, const char *name, void *(*run)(void *ud), void *ud)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = pthread_create(out, NULL, run, ud);
	if (rc == 0)
		(void)pthread_setname_np(*out, name); /* without a name it works as well */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
