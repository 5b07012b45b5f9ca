#include "base/system/fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include "base/fail.h"

static atomic_uint forks;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int failure;
/* Nests by a count of each thread's own. A mutex that nests belongs to a thread of the parent,
 * which the child has not got; this one the child's thread lets go as the parent's does. */
static pthread_mutex_t hold = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local unsigned held;

void tl__fork_hold(void)
{
	if (held++ == 0)
		pthread_mutex_lock(&hold);
}

void tl__fork_release(void)
{
	if (--held == 0)
		pthread_mutex_unlock(&hold);
}

static void in_child(void)
{
	atomic_fetch_add_explicit(&forks, 1, memory_order_relaxed);
	tl__fork_release();
}

static void watch(void)
{
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
