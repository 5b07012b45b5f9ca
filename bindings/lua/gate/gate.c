#include "gate/gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "clock.h"

struct tlua_gate {
	atomic_uint owners; /* whoever made it, and the node */
	tlua_gate_told told;
	pthread_mutex_t lock;  /* of the hook's cell and of what follows; before `names` */
	pthread_mutex_t names; /* held while `hook` changes, and while its names are looked at */
	tlua_hook *hook;       /* NULL: it has ended */
	atomic_bool suspended; /* changes under the lock */
	uint64_t overruns[TLUA_OVERRUNS]; /* when, in turn */
	size_t overrun_count;
};

/* --- its life --------------------------------------------------------------------------------- */

/* A thread that asks, and is in the gate already, is told so rather than held for ever. */
static void init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

tlua_gate *tlua_gate_new(tlua_hook *hook, const tlua_gate_told *told)
{
	tlua_gate *gate = calloc(1, sizeof *gate);

	if (!gate) {
		tlua_hook_close(hook);
		return NULL;
	}
	atomic_init(&gate->owners, 1);
	atomic_init(&gate->suspended, false);
	init_lock(&gate->lock);
	pthread_mutex_init(&gate->names, NULL);
	gate->told = *told;
	gate->hook = hook;
	return gate;
}

void tlua_gate_release(tlua_gate *gate)
{
	if (!gate || atomic_fetch_sub(&gate->owners, 1) != 1)
		return;
	tlua_hook_close(gate->hook);
	pthread_mutex_destroy(&gate->names);
	pthread_mutex_destroy(&gate->lock);
	free(gate);
}

static tlua_hook *put(tlua_gate *gate, tlua_hook *hook)
{
	tlua_hook *before;

	pthread_mutex_lock(&gate->names);
	before = gate->hook;
	gate->hook = hook;
	pthread_mutex_unlock(&gate->names);
	return before;
}

tlua_end tlua_gate_replace(tlua_gate *gate, tlua_hook *hook, tlua_failure *why)
{
	tlua_hook *closed = hook;
	tlua_end end = TLUA_FINE;

	pthread_mutex_lock(&gate->lock);
	if (gate->hook)
		end = tlua_hook_inherit(hook, gate->hook, why);
	if (end == TLUA_FINE) {
		closed = put(gate, hook);
		atomic_store(&gate->suspended, false);
		gate->overrun_count = 0;
	}
	pthread_mutex_unlock(&gate->lock);
	tlua_hook_close(closed);
	return end;
}

void tlua_gate_resume(tlua_gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	atomic_store(&gate->suspended, false);
	gate->overrun_count = 0;
	pthread_mutex_unlock(&gate->lock);
}

bool tlua_gate_suspended(const tlua_gate *gate)
{
	return atomic_load(&gate->suspended);
}

void tlua_gate_end(tlua_gate *gate)
{
	tlua_hook *hook;

	pthread_mutex_lock(&gate->lock);
	hook = put(gate, NULL);
	pthread_mutex_unlock(&gate->lock);
	tlua_hook_close(hook);
}

/* --- asking ----------------------------------------------------------------------------------- */

/* It ran out of its budget. Whether that is once too often. */
static bool note_overrun(tlua_gate *gate)
{
	uint64_t now = tlua_now_ms(),
		 *oldest = &gate->overruns[gate->overrun_count % TLUA_OVERRUNS];
	bool many = gate->overrun_count >= TLUA_OVERRUNS - 1;

	*oldest = now;
	gate->overrun_count++;
	oldest = &gate->overruns[gate->overrun_count % TLUA_OVERRUNS];
	return many && now - *oldest < TLUA_OVERRUNS_MS;
}

/* Under the lock. */
static void ask(tlua_gate *gate, const tl_hook_context *context, tlua_ruling *ruling)
{
	tlua_cell *cell = tlua_hook_cell(gate->hook);

	if (atomic_load(&gate->suspended)) {
		snprintf(ruling->reason, sizeof ruling->reason,
			"%s is suspended, for it ran out of its budget %d times in a minute: "
			"mend it and load it again",
			tlua_cell_name(cell), TLUA_OVERRUNS);
		return;
	}
	tlua_hook_ask(gate->hook, context, ruling);
	gate->told.asked(gate->told.ud, cell, ruling);
	if ((ruling->end == TLUA_NO_UNITS || ruling->end == TLUA_NO_TIME) && note_overrun(gate)) {
		atomic_store(&gate->suspended, true);
		gate->told.suspended(gate->told.ud);
	}
}

static bool means(tlua_gate *gate, const tl_hook_context *context)
{
	bool means;

	pthread_mutex_lock(&gate->names);
	means = gate->hook && tlua_hook_means(gate->hook, context->db_name, context->tree_id);
	pthread_mutex_unlock(&gate->names);
	return means;
}

static int before_commit(void *ud, const tl_hook_context *context)
{
	tlua_ruling ruling = {.passes = false, .end = TLUA_FINE};
	tlua_gate *gate = ud;

	if (context->is_system || !means(gate, context))
		return TL_OK;
	if (pthread_mutex_lock(&gate->lock) != 0)
		return tl_error_set(TL_E_HOOK_FAILED,
			"whoever takes the lines of a hook file cannot commit meanwhile");
	if (means(gate, context)) /* the version that is there now */
		ask(gate, context, &ruling);
	else
		ruling.passes = true;
	pthread_mutex_unlock(&gate->lock);
	return ruling.passes ? TL_OK : tl_error_set(TL_E_HOOK_FAILED, ruling.reason);
}

static void drop(void *ud)
{
	tlua_gate_release(ud);
}

tl_hook tlua_gate_for_node(tlua_gate *gate)
{
	tl_hook hook = TL_HOOK_INIT;

	atomic_fetch_add(&gate->owners, 1);
	hook.before_commit = before_commit;
	hook.drop = drop;
	hook.ud = gate;
	hook.of_node = true;
	return hook;
}
