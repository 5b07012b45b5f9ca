#include "base/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include "base/fail.h"

static atomic_uint forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int failure;
static pthread_mutex_t hold;

void tl__fork_hold(void)
{
	pthread_mutex_lock(&hold);
}

void tl__fork_release(void)
{
	pthread_mutex_unlock(&hold);
}

static int make_hold(void)
{
	pthread_mutexattr_t nests;
	int rc = pthread_mutexattr_init(&nests);

	if (rc != 0)
		return rc;
	pthread_mutexattr_settype(&nests, PTHREAD_MUTEX_RECURSIVE);
	rc = pthread_mutex_init(&hold, &nests);
	pthread_mutexattr_destroy(&nests);
	return rc;
}

/* A lock that nests belongs to its thread, and the child's thread is another one. */
static void in_child(void)
{
	atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
	(void)make_hold();
}

static void watch(void)
{
	failure = make_hold();
	if (failure == 0)
		failure = pthread_atfork(tl__fork_hold, tl__fork_release, in_child);
}

int tl__fork_watch(void)
{
	pthread_once(&once, watch);
	return failure == 0 ? TL_OK : tl__fail(TL_E_NOMEM, "no memory to watch for fork()");
}

unsigned tl__fork_count(void)
{
	return atomic_load_explicit(&forks, memory_order_relaxed);
}

int tl__fork_check(unsigned count)
{
	if (!tl__fork_inherited(count))
		return TL_OK;
	return tl__fail(TL_E_BAD_STATE,
		"this was opened by the process that this one was forked from, and is of use only "
		"there; open another one here, or start a program with exec");
}
