/* tidelock/script.h: what other threads ask of a node's scripts. */
#include "host/runner.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- jobs for the thread ---------------------------------------------------------------------- */

static void wait_for_job(tlua_scripts *s, tlua_job *j)
{
	tlua_job **at = &s->jobs;

	while (*at)
		at = &(*at)->next;
	*at = j;
	tlua_scripts_wake(s);
	while (!j->done)
		pthread_cond_wait(&s->turned, &s->lock);
}

static int told(const tlua_job *j)
{
	return j->rc == TL_OK ? TL_OK : tl_error_set(j->rc, j->message);
}

/* Of this name in this folder, however that is written. A link of another name is another script,
 * and so is one elsewhere, beside which other files lie. */
static bool is_same_file(const tl_script *a, const tl_script *b)
{
	struct stat is[2];
	char folder[PATH_MAX];
	const tl_script *const both[] = {a, b};

	if (strcmp(a->source.name, b->source.name) != 0)
		return false;
	for (size_t i = 0; i < 2; i++) {
		snprintf(folder, sizeof folder, "%.*s", (int)(both[i]->source.name - both[i]->path),
			both[i]->path);
		if (stat(folder, &is[i]) != 0)
			return strcmp(a->path, b->path) == 0;
	}
	return is[0].st_dev == is[1].st_dev && is[0].st_ino == is[1].st_ino;
}

/* Whether the script may be one of the node's. */
static int check_place(const tlua_scripts *s, const tl_script *script)
{
	size_t hooks = 0;
	bool same = false;

	for (const tl_script *other = s->list; other; other = other->next) {
		hooks += other->source.kind == TL_SCRIPT_HOOK;
		same |= other->source.kind == script->source.kind &&
			(script->source.kind == TL_SCRIPT_HOOK ? is_same_file(other, script)
							       : other->shadow == script->shadow);
	}
	if (same && script->source.kind == TL_SCRIPT_HOOK)
		return tl_error_set(TL_E_ALREADY_EXISTS,
			"this node has this hook file already: reload or unload that one");
	if (same && script->source.kind == TL_SCRIPT_RULES)
		return tl_error_set(
			TL_E_ALREADY_EXISTS, "this node has rules already: reload or unload those");
	if (same)
		return tl_error_set(TL_E_ALREADY_EXISTS,
			script->shadow ? "this node has a shadow already: unload that one first"
				       : "this node has a policy already: reload or unload that "
					 "one");
	if (script->source.kind == TL_SCRIPT_HOOK && hooks >= TL_SCRIPT_HOOKS_MAX)
		return tl_error_set(
			TL_E_TOO_LARGE, "a node has at most 16 hook files: unload one first");
	return TL_OK;
}

/* Under the lock of the registry. When it went well the node's scripts are locked. */
static int join_list(tl_node *node, tl_script *script, bool *fresh)
{
	tlua_scripts *s = tlua_scripts_of(node);
	int rc;

	*fresh = !s;
	s = s ? s : tlua_scripts_make(node);
	if (!s)
		return tl_error_code(tl_last_error());
	tlua_scripts_lock(s);
	rc = check_place(s, script);
	if (rc != TL_OK) {
		tlua_scripts_unlock(s);
		return rc;
	}
	atomic_fetch_add(&s->owners, 1);
	script->scripts = s;
	tlua_script_retain(script);
	script->next = s->list;
	s->list = script;
	return TL_OK;
}

static int load(tl_node *node, tl_script *script, tlua_seat *seat)
{
	tlua_job j = {.kind = TLUA_JOB_LOAD, .script = script, .seat = seat};
	tlua_scripts *s;
	bool fresh;
	int rc = tl_node_device_key(node, script->source.me_key);

	if (rc == TL_OK)
		rc = tl_node_name(node, script->source.me_name);
	if (rc != TL_OK)
		return rc;
	tlua_registry_lock();
	rc = join_list(node, script, &fresh);
	s = script->scripts;
	if (rc == TL_OK && fresh && tlua_scripts_start(s) != 0) {
		tlua_scripts_take_out(s);
		s->list = NULL;
		tlua_scripts_unlock(s);
		tl_node_remove_hook(s->node, s->close_handle);
		tlua_script_release(script); /* the list's */
		tlua_scripts_release(s);     /* the thread's */
		rc = tl_error_set(TL_E_IO, "the system has no thread for scripts");
	}
	tlua_registry_unlock();
	if (rc != TL_OK)
		return rc;
	wait_for_job(s, &j);
	tlua_scripts_unlock(s);
	return told(&j);
}

static int ask(tl_script *script, tlua_job_kind kind)
{
	tlua_job j = {.kind = kind, .script = script};
	tlua_scripts *s = script->scripts;

	if (s->process != getpid())
		return tl_error_set(
			TL_E_BAD_STATE, "this script belongs to the process that loaded it");
	tlua_scripts_lock(s);
	if (s->alive && !s->lost && script->state != TLUA_SCRIPT_UNLOADED) {
		wait_for_job(s, &j);
	} else {
		j.rc = TL_E_CLOSED;
		snprintf(j.message, sizeof j.message, "this script is no longer loaded");
	}
	tlua_scripts_unlock(s);
	return told(&j);
}

/* --- public ----------------------------------------------------------------------------------- */

static int needs(const char *call, const char *what)
{
	char text[96];

	snprintf(text, sizeof text, "%s was called without %s", call, what);
	return tl_error_set(TL_E_BAD_ARGUMENT, text);
}

static int check_load(tl_node *node, tl_script_kind kind, const char *path,
	const tl_script_options *options, tl_script **out)
{
	if (!node || !path || !out)
		return needs("tl_script_load", !node ? "node" : !path ? "path" : "out");
	*out = NULL;
	if (kind != TL_SCRIPT_POLICY && kind != TL_SCRIPT_RULES && kind != TL_SCRIPT_HOOK)
		return tl_error_set(
			TL_E_UNSUPPORTED, "there are no scripts of this kind in this version");
	if (options && options->size != sizeof *options)
		return tl_error_set(
			TL_E_BAD_ARGUMENT, "tl_script_options begins with TL_SCRIPT_OPTIONS_INIT");
	if (options && options->shadow && kind != TL_SCRIPT_POLICY)
		return tl_error_set(TL_E_BAD_ARGUMENT, "only a policy can be a shadow");
	return TL_OK;
}

int tlua_script_load_into(tl_node *node, tl_script_kind kind, tlua_seat *seat, const char *path,
	const tl_script_options *options, tl_script **out)
{
	const tl_script_options none = TL_SCRIPT_OPTIONS_INIT;
	tl_script *script = tlua_script_new(kind, path, options ? options : &none);
	int rc;

	if (!script)
		return tl_error_set(TL_E_NOMEM, "not enough memory for a script");
	rc = tl_control_set_calls(node, &tlua_script_calls);
	rc = rc == TL_OK ? load(node, script, seat) : rc;
	if (rc == TL_OK)
		*out = script;
	else
		tlua_script_release(script);
	return rc;
}

int tl_script_load(tl_node *node, tl_script_kind kind, const char *path,
	const tl_script_options *options, tl_script **out)
{
	int rc = check_load(node, kind, path, options, out);

	return rc == TL_OK ? tlua_script_load_into(node, kind, NULL, path, options, out) : rc;
}

int tl_script_reload(tl_script *script)
{
	if (!script)
		return needs("tl_script_reload", "script");
	return ask(script, TLUA_JOB_RELOAD);
}

int tl_script_unload(tl_script *script)
{
	if (!script)
		return needs("tl_script_unload", "script");
	return ask(script, TLUA_JOB_UNLOAD);
}

int tl_script_promote(tl_script *script)
{
	if (!script)
		return needs("tl_script_promote", "script");
	return ask(script, TLUA_JOB_PROMOTE);
}

void tl_script_free(tl_script *script)
{
	if (script)
		tlua_script_release(script);
}
