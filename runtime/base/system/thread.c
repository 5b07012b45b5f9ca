#include "base/system/thread.h"

#include <signal.h>
#include <stddef.h>

/* Room for what recurs here, which is bounded; the usual 8 MiB a thread are address space that a
 * process with a limit lacks. */
#define STACK_BYTES (1024 * 1024)

static int start(pthread_t *out, void *(*run)(void *ud), void *ud)
{
	pthread_attr_t attributes;
	int rc = pthread_attr_init(&attributes);

	if (rc != 0)
		return rc;
	rc = pthread_attr_setstacksize(&attributes, STACK_BYTES);
	if (rc == 0)
		rc = pthread_create(out, &attributes, run, ud);
	pthread_attr_destroy(&attributes);
	return rc;
}

int tl__thread_start(pthread_t *out, const char *name, void *(*run)(void *ud), void *ud)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	rc = start(out, run, ud);
	if (rc == 0)
		(void)pthread_setname_np(*out, name); /* without a name it works as well */
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
