/* What the script thread does with a script: it loads its files, puts them to work in place of what
 * was there, and closes that. */
#include "host/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tidelock/sync.h>
#include "clock.h"

/* --- versions --------------------------------------------------------------------------------- */

/* Whoever asked last has let it go; on any thread. */
static void on_dropped(void *ud, tlua_live *live)
{
	tlua_scripts *s = ((tl_script *)ud)->scripts;

	tlua_scripts_lock(s);
	tlua_live_chain(live, s->closing);
	s->closing = live;
	tlua_scripts_wake(s);
	tlua_scripts_unlock(s);
}

void tlua_close_dropped(tlua_scripts *s)
{
	tlua_live *live, *next;
	size_t count = 0;

	tlua_scripts_lock(s);
	live = s->closing;
	s->closing = NULL;
	tlua_scripts_unlock(s);
	for (; live; live = next, count++) {
		tl_script *script = tlua_live_owner(live);

		next = tlua_live_next(live);
		tlua_live_close(live);
		tlua_script_release(script);
	}
	tlua_scripts_lock(s);
	s->lives -= count;
	tlua_scripts_unlock(s);
}

/* --- the seat --------------------------------------------------------------------------------- */

static void on_gone(void *ud, tlua_seat *seat)
{
	tlua_scripts *s = ud;

	tlua_scripts_lock(s);
	if (s->current == seat) {
		s->current = NULL;
		s->displaced = true;
	}
	tlua_scripts_wake(s);
	tlua_scripts_unlock(s);
	tlua_scripts_release(s);
}

static tlua_seated seated(tlua_scripts *s)
{
	tlua_seated who = {.gone = on_gone, .ud = s};

	tlua_scripts_lock(s);
	for (const tl_script *script = s->list; script; script = script->next)
		if (script->live && script->shadow)
			who.shadow = script->live;
		else if (script->live)
			who.active = script->live;
	tlua_scripts_unlock(s);
	return who;
}

static tlua_seat *set_current(tlua_scripts *s, tlua_seat *seat)
{
	tlua_seat *before;

	tlua_scripts_lock(s);
	before = s->current;
	s->current = seat;
	tlua_scripts_unlock(s);
	return before;
}

static void lose(tlua_scripts *s)
{
	tlua_scripts_lock(s);
	s->lost = true;
	tlua_scripts_wake(s);
	tlua_scripts_unlock(s);
}

/* Gives the core what the scripts of the node are now; on an error it keeps what it has. */
static int put_to_work(tlua_scripts *s)
{
	tlua_seated who = seated(s);
	tlua_seat *seat = NULL, *before;
	tl_policy policy;
	int rc;

	if (who.active || who.shadow) {
		seat = tlua_seat_new(&who, &policy);
		if (!seat)
			return tl_error_set(TL_E_NOMEM, "not enough memory for a script");
		atomic_fetch_add(&s->owners, 1);
	}
	before = set_current(s, seat);
	rc = tl_sync_set_policy(s->node, seat ? &policy : NULL);
	if (rc == TL_OK)
		return TL_OK;
	(void)set_current(s, rc == TL_E_CLOSED ? NULL : before);
	if (seat)
		policy.drop(policy.ud);
	if (rc == TL_E_CLOSED) /* with what it had of us */
		lose(s);
	return rc;
}

static void fill(tlua_scripts *s, tlua_seat *seat)
{
	tlua_seated who = seated(s);

	atomic_fetch_add(&s->owners, 1);
	(void)set_current(s, seat);
	tlua_seat_fill(seat, &who);
}

/* --- loading ---------------------------------------------------------------------------------- */

static void set_state(tl_script *script, tlua_script_state state, const char *problem)
{
	tlua_scripts_lock(script->scripts);
	script->state = state;
	if (!script->suspended || problem[0])
		snprintf(script->problem, sizeof script->problem, "%s", problem);
	if (state == TLUA_SCRIPT_RUNNING) {
		script->loaded_ms = tlua_wall_ms();
		for (size_t i = 0; i < 8; i++)
			snprintf(script->hash + 2 * i, 3, "%02x", script->digest[i]);
	}
	tlua_scripts_unlock(script->scripts);
}

static bool is_loaded(const tl_script *script)
{
	return script->live || script->gate || script->governor;
}

/* It does not load: what was loaded before stays. */
static int stale(tl_script *script, const tlua_failure *why)
{
	char text[TLUA_PROBLEM_MAX];

	snprintf(text, sizeof text, "%.*s: %s", TLUA_WHERE_MAX - 1, why->where, why->text);
	if (is_loaded(script)) {
		set_state(script, TLUA_SCRIPT_STALE, text);
		tlua_script_log(script, TL_LOG_ERROR, text);
		tlua_script_log_named(script, TL_LOG_ERROR, "what was loaded before stays");
	}
	return tl_error_set(why->end == TLUA_UNREADABLE ? TL_E_IO : TL_E_BAD_SCRIPT, text);
}

static int replace_policy(tl_script *script, tlua_policy *policy, tlua_seat *seat)
{
	tlua_live *live = tlua_live_new(policy, &script->tally, on_dropped, script),
		  *before = script->live;
	tlua_scripts *s = script->scripts;
	int rc = TL_OK;

	if (!live) {
		tlua_policy_close(policy);
		return tl_error_set(TL_E_NOMEM, "not enough memory for a script");
	}
	tlua_script_retain(script);
	tlua_scripts_lock(s);
	s->lives++;
	tlua_scripts_unlock(s);
	script->live = live;
	if (seat)
		fill(s, seat);
	else
		rc = put_to_work(s);
	if (rc != TL_OK)
		script->live = before;
	tlua_live_release(rc == TL_OK ? before : live);
	return rc;
}

/* The same bytes: nothing changes, but what was suspended or stale is neither any more. */
static void go_on(tl_script *script, tlua_version *version)
{
	tlua_version_close(version);
	if (script->gate && tlua_gate_suspended(script->gate))
		tlua_gate_resume(script->gate);
	if (script->state == TLUA_SCRIPT_STALE)
		set_state(script, TLUA_SCRIPT_RUNNING, "");
}

/* It loads, and the node does not take it. */
static int not_taken(tl_script *script, int rc)
{
	tlua_failure why = {.end = TLUA_RAISED};

	tlua_copy_text(why.where, sizeof why.where, script->source.name);
	tlua_copy_text(why.text, sizeof why.text, tl_error_message(tl_last_error()));
	(void)stale(script, &why);
	return rc;
}

int tlua_script_reload_now(tl_script *script, tlua_seat *seat)
{
	tlua_version version;
	bool good = tlua_version_load(&script->source, &version), again;
	int rc;

	tlua_version_drop(&script->files);
	script->files = version;
	tlua_watch_files(script->scripts->watch, script);
	/* Until it was watched nothing told of it. */
	script->due_ms = tlua_version_changed(&script->files) ? tlua_now_ms() + TLUA_QUIET_MS : 0;
	again = is_loaded(script);
	if (!good)
		return stale(script, &version.why);
	if (again && !script->suspended &&
		memcmp(script->digest, version.digest, sizeof version.digest) == 0) {
		go_on(script, &version);
		return TL_OK;
	}
	if (script->source.kind == TL_SCRIPT_HOOK)
		rc = tlua_script_replace_hook(script, version.hook, &version.why);
	else if (script->source.kind == TL_SCRIPT_RULES)
		rc = tlua_script_replace_rules(script, version.rules);
	else
		rc = replace_policy(script, version.policy, seat);
	if (rc == TL_E_BAD_SCRIPT) /* it could not take over what the one before has saved */
		return stale(script, &version.why);
	if (rc != TL_OK)
		return again && rc != TL_E_CLOSED ? not_taken(script, rc) : rc;
	memcpy(script->digest, version.digest, sizeof version.digest);
	set_state(script, TLUA_SCRIPT_RUNNING, "");
	if (again)
		tlua_script_log_named(script, TL_LOG_INFO, "loaded anew");
	return TL_OK;
}

/* --- leaving ---------------------------------------------------------------------------------- */

static bool take_out(tl_script *script)
{
	tl_script **at = &script->scripts->list;
	bool found;

	tlua_scripts_lock(script->scripts);
	while (*at && *at != script)
		at = &(*at)->next;
	found = *at != NULL;
	if (found)
		*at = script->next;
	script->state = TLUA_SCRIPT_UNLOADED;
	tlua_scripts_unlock(script->scripts);
	return found;
}

void tlua_script_forget(tl_script *script)
{
	tlua_live *live = script->live;

	if (!take_out(script))
		return;
	tlua_watch_forget(script->scripts->watch, script);
	script->live = NULL;
	tlua_live_release(live);
	tlua_script_end_hook(script);
	tlua_script_end_rules(script);
	tlua_script_release(script);
}

int tlua_script_unload_now(tl_script *script)
{
	tlua_live *live = script->live;
	int rc = TL_OK;

	script->live = NULL;
	if (live)
		rc = put_to_work(script->scripts);
	else if (script->governor)
		rc = tlua_governor_leave(script->governor);
	script->live = live;
	if (rc == TL_OK)
		tlua_script_forget(script);
	return rc;
}

static void set_shadow(tl_script *script, bool shadow)
{
	tlua_scripts_lock(script->scripts);
	script->shadow = shadow;
	tlua_scripts_unlock(script->scripts);
}

static tl_script *active_of(tlua_scripts *s)
{
	tl_script *script;

	tlua_scripts_lock(s);
	script = s->list;
	while (script && (script->source.kind != TL_SCRIPT_POLICY || script->shadow))
		script = script->next;
	tlua_scripts_unlock(s);
	return script;
}

int tlua_script_promote_now(tl_script *script)
{
	tl_script *active = active_of(script->scripts);
	tlua_live *live = active ? active->live : NULL;
	int rc;

	if (!script->shadow)
		return tl_error_set(
			TL_E_BAD_STATE, "this script is no shadow: only one is promoted");
	set_shadow(script, false);
	if (active)
		active->live = NULL;
	rc = put_to_work(script->scripts);
	if (active)
		active->live = live;
	if (rc != TL_OK)
		set_shadow(script, true);
	else if (active)
		tlua_script_forget(active);
	return rc;
}
