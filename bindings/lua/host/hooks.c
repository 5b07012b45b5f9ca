/* Hook files of a node: their gates among the node's hooks. */
#include "host/runner.h"

#include <stdio.h>
#include <string.h>

/* --- on threads that commit ------------------------------------------------------------------- */

static void on_asked(void *ud, tlua_cell *cell, const tlua_ruling *ruling)
{
	tlua_tally_note(&((tl_script *)ud)->tally, cell, ruling->end != TLUA_FINE);
}

static void on_suspended(void *ud)
{
	tl_script *script = ud;

	tlua_scripts_lock(script->scripts);
	script->suspended_untold = true;
	tlua_scripts_wake(script->scripts);
	tlua_scripts_unlock(script->scripts);
}

/* --- on the script thread --------------------------------------------------------------------- */

static void set_gate(tl_script *script, tlua_gate *gate)
{
	tlua_scripts_lock(script->scripts);
	script->gate = gate;
	tlua_scripts_unlock(script->scripts);
}

static int begin(tl_script *script, tlua_hook *hook)
{
	const tlua_gate_told told = {on_asked, on_suspended, script};
	tlua_gate *gate = tlua_gate_new(hook, &told);
	tl_hook for_node;
	int rc;

	if (!gate)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a hook file");
	for_node = tlua_gate_for_node(gate);
	rc = tl_node_add_hook(script->scripts->node, &for_node, &script->gate_handle);
	if (rc == TL_OK) {
		set_gate(script, gate);
		return TL_OK;
	}
	for_node.drop(for_node.ud);
	tlua_gate_release(gate);
	return rc;
}

int tlua_script_replace_hook(tl_script *script, tlua_hook *hook, tlua_failure *why)
{
	if (!script->gate)
		return begin(script, hook);
	return tlua_gate_replace(script->gate, hook, why) == TLUA_FINE ? TL_OK : TL_E_BAD_SCRIPT;
}

void tlua_script_end_hook(tl_script *script)
{
	tlua_gate *gate = script->gate;

	if (!gate)
		return;
	set_gate(script, NULL);
	tl_node_remove_hook(script->scripts->node, script->gate_handle);
	tlua_gate_end(gate);
	tlua_gate_release(gate);
}

/* NULL: none is left. */
static tl_script *take_untold(tlua_scripts *s)
{
	tl_script *found = NULL;

	tlua_scripts_lock(s);
	for (tl_script *script = s->list; script && !found; script = script->next)
		if (script->suspended_untold)
			found = script;
	if (found)
		found->suspended_untold = false;
	tlua_scripts_unlock(s);
	return found;
}

void tlua_tell_suspended(tlua_scripts *s)
{
	tl_script *script;

	while ((script = take_untold(s)))
		if (tl_node_tell(s->node, TL_EVENT_SCRIPT_SUSPENDED, script->path) != TL_OK)
			tlua_script_log_named(
				script, TL_LOG_WARNING, "suspended, and nobody can be told");
}
