#include "gate/door.h"

#include <stdlib.h>
#include "clock.h"

#define WAIT_S 5 /* for hook files that are being loaded */

enum { PASSES = 1, REFUSES };

struct tlua_door {
	atomic_uint owners;
	tlua_latch opened; /* PASSES or REFUSES */
};

tlua_door *tlua_door_new(void)
{
	tlua_door *door = calloc(1, sizeof *door);

	if (!door)
		return NULL;
	atomic_init(&door->owners, 1);
	tlua_latch_init(&door->opened);
	return door;
}

void tlua_door_release(tlua_door *door)
{
	if (!door || atomic_fetch_sub(&door->owners, 1) != 1)
		return;
	tlua_latch_destroy(&door->opened);
	free(door);
}

void tlua_door_open(tlua_door *door, bool passes)
{
	tlua_latch_set(&door->opened, passes ? PASSES : REFUSES);
}

static int before_commit(void *ud, const tl_hook_context *context)
{
	tlua_door *door = ud;

	if (context->is_system || tlua_latch_wait(&door->opened, WAIT_S) == PASSES)
		return TL_OK;
	return tl_error_set(TL_E_HOOK_FAILED, "the hook files are not loaded");
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
	hook.of_node = true;
	return hook;
}
