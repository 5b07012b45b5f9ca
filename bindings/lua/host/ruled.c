/* Rules of a node: what they tell goes to the script's status and log. */
#include "host/runner.h"

#include <stdio.h>

static void wake(void *ud)
{
	tlua_scripts *s = ((tl_script *)ud)->scripts;

	tlua_scripts_lock(s);
	tlua_scripts_wake(s);
	tlua_scripts_unlock(s);
}

static void called(void *ud, tlua_cell *cell, const tlua_failure *why)
{
	tlua_tally_note(&((tl_script *)ud)->tally, cell, why != NULL);
}

/* What a file that does not load says stays. */
static void trouble(void *ud, const char *text)
{
	tl_script *script = ud;

	tlua_scripts_lock(script->scripts);
	if (script->state == TLUA_SCRIPT_RUNNING && !script->suspended)
		snprintf(script->problem, sizeof script->problem, "%s", text ? text : "");
	tlua_scripts_unlock(script->scripts);
	if (text) {
		tlua_script_log(script, TL_LOG_ERROR, text);
		tlua_script_log_named(script, TL_LOG_ERROR, "relations stay as they were");
	}
}

static void suspended(void *ud)
{
	tl_script *script = ud;
	static const char text[] = "suspended: it ran out of its budget 10 times within a minute. "
				   "Relations stay as they are until it is loaded anew";

	tlua_scripts_lock(script->scripts);
	script->suspended = true;
	script->suspended_untold = true;
	snprintf(script->problem, sizeof script->problem, "%s", text);
	tlua_scripts_unlock(script->scripts);
	tlua_script_log_named(script, TL_LOG_ERROR, text);
}

static void log_line(void *ud, tl_log_level level, const char *text)
{
	tlua_script_log(ud, level, text);
}

/* --- on the script thread --------------------------------------------------------------------- */

/* Others look at it, under the lock. */
static tlua_governor *set_governor(tl_script *script, tlua_governor *governor)
{
	tlua_governor *before;

	tlua_scripts_lock(script->scripts);
	before = script->governor;
	script->governor = governor;
	tlua_scripts_unlock(script->scripts);
	return before;
}

/* Whether it was. */
static bool set_suspended(tl_script *script, bool is)
{
	bool before;

	tlua_scripts_lock(script->scripts);
	before = script->suspended;
	script->suspended = is;
	tlua_scripts_unlock(script->scripts);
	return before;
}

int tlua_script_replace_rules(tl_script *script, tlua_rules *rules)
{
	const tlua_governor_calls calls = {wake, called, trouble, suspended, log_line, script};
	tlua_governor *governor = script->governor;
	bool was_suspended;
	int rc = TL_OK;

	if (!governor)
		rc = tlua_governor_new(script->scripts->node, &calls, &governor);
	if (rc != TL_OK) {
		tlua_rules_close(rules);
		return rc;
	}
	was_suspended = set_suspended(script, false);
	rc = tlua_governor_take(governor, rules);
	if (rc == TL_OK) {
		(void)set_governor(script, governor);
		return TL_OK;
	}
	(void)set_suspended(script, was_suspended);
	if (!script->governor)
		tlua_governor_free(governor);
	return rc;
}

void tlua_script_end_rules(tl_script *script)
{
	tlua_governor_free(set_governor(script, NULL));
}
