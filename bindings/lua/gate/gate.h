/* A hook file as a node has it: asked on the threads that commit, one at a time, while versions of
 * it come and go. */
#ifndef TL_LUA_GATE_H
#define TL_LUA_GATE_H

#include "gate/hook.h"

#define TLUA_OVERRUNS    10    /* of its budget, within */
#define TLUA_OVERRUNS_MS 60000 /* this time, and it is suspended */

typedef struct tlua_gate tlua_gate;

/* Both are called on a thread that commits, under the gate's lock, and not after tlua_gate_end. */
typedef struct tlua_gate_told {
	void (*asked)(void *ud, tlua_cell *cell, const tlua_ruling *ruling);
	void (*suspended)(void *ud);
	void *ud;
} tlua_gate_told;

/* Takes the hook over, also where it fails: NULL without memory. */
tlua_gate *tlua_gate_new(tlua_hook *hook, const tlua_gate_told *told);
/* For tl_node_add_hook; its drop gives back a reference that is made here. */
tl_hook tlua_gate_for_node(tlua_gate *gate);
/* From now on this hook is asked, with what the one before has saved, and it is not suspended. On a
 * failure the old one stays. Takes it over in any case. Waits for a commit that is being asked
 * about. */
tlua_end tlua_gate_replace(tlua_gate *gate, tlua_hook *hook, tlua_failure *why);
bool tlua_gate_suspended(const tlua_gate *gate);
/* It is asked again. */
void tlua_gate_resume(tlua_gate *gate);
/* Closes the hook: from now on nothing is asked, and what still comes passes. */
void tlua_gate_end(tlua_gate *gate);
void tlua_gate_release(tlua_gate *gate); /* NULL is fine */

#endif
