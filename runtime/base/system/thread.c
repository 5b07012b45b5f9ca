#include "base/system/thread.h"

#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

/* Room for what recurs here, which is bounded; the usual 8 MiB a thread are address space that a
 * process with a limit lacks. */
#define STACK_BYTES (1024 * 1024)
#define NAME_BYTES  16 /* of the system's */

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
	char caller[NAME_BYTES] = "";
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		sigdelset(&all, own[i]);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	/* A thread begins with the name of the one that starts it. To name it from outside the C
	 * library opens a file, which a program that is run in that moment would inherit. */
	(void)prctl(PR_GET_NAME, caller);
	(void)prctl(PR_SET_NAME, name);
	rc = start(out, run, ud);
	(void)prctl(PR_SET_NAME, caller);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static sigset_t pipes(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	return set;
}

void tl__thread_block_pipes(sigset_t *before)
{
	const sigset_t set = pipes();

	pthread_sigmask(SIG_BLOCK, &set, before);
}

void tl__thread_unblock_pipes(const sigset_t *before)
{
	const sigset_t set = pipes();

	if (sigismember(before, SIGPIPE))
		return;
	while (sigtimedwait(&set, NULL, &(struct timespec){0, 0}) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, before, NULL);
}
