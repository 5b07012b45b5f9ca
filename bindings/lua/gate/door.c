#include "gate/door.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_S 5 /* for hook files that are being loaded */

enum { CLOSED, PASSES, REFUSES };

struct tlua_door {
	atomic_uint owners;
	atomic_int state;
	pthread_mutex_t lock;
	pthread_cond_t opened;
};

tlua_door *tlua_door_new(void)
{
	tlua_door *door = calloc(1, sizeof *door);

	if (!door)
		return NULL;
	atomic_init(&door->owners, 1);
	atomic_init(&door->state, CLOSED);
	pthread_mutex_init(&door->lock, NULL);
	pthread_cond_init(&door->opened, NULL);
	return door;
}

void tlua_door_release(tlua_door *door)
{
	if (!door || atomic_fetch_sub(&door->owners, 1) != 1)
		return;
	pthread_cond_destroy(&door->opened);
	pthread_mutex_destroy(&door->lock);
	free(door);
}

void tlua_door_open(tlua_door *door, bool passes)
{
	pthread_mutex_lock(&door->lock);
	atomic_store(&door->state, passes ? PASSES : REFUSES);
	pthread_cond_broadcast(&door->opened);
	pthread_mutex_unlock(&door->lock);
}

static int wait_for_it(tlua_door *door)
{
	struct timespec until;
	int state;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&door->lock);
	while (atomic_load(&door->state) == CLOSED &&
		pthread_cond_timedwait(&door->opened, &door->lock, &until) == 0)
		;
	state = atomic_load(&door->state);
	pthread_mutex_unlock(&door->lock);
	return state;
}

static int before_commit(void *ud, const tl_hook_context *context)
{
	tlua_door *door = ud;
	int state = atomic_load(&door->state);

	if (context->is_system)
		return TL_OK;
	if (state == CLOSED)
		state = wait_for_it(door);
	return state == PASSES ? TL_OK
			       : tl_error_set(TL_E_HOOK_FAILED, "the hook files are not loaded");
}

static void drop(void *ud)
{
	tlua_door_release(ud);
}

tl_hook tlua_door_for_node(tlua_door *door)
{
	tl_hook hook = TL_HOOK_INIT;

	atomic_fetch_add(&door->owners, 1);
	hook.before_commit = before_commit;
	hook.drop = drop;
	hook.ud = door;
	return hook;
}
