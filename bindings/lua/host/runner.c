/* The script thread of a node: jobs that others wait for, files that change, versions to close. */
#include "host/runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"

static int run_job(tlua_job *j)
{
	tl_script *script = j->script;
	int rc;

	if (j->kind != TLUA_JOB_LOAD && script->state == TLUA_SCRIPT_UNLOADED)
		return tl_error_set(TL_E_CLOSED, "this script is no longer loaded");
	if (j->kind == TLUA_JOB_UNLOAD)
		return tlua_script_unload_now(script);
	if (j->kind == TLUA_JOB_PROMOTE)
		return tlua_script_promote_now(script);
	rc = tlua_script_reload_now(script, j->seat);
	if (rc != TL_OK && j->kind == TLUA_JOB_LOAD)
		tlua_script_forget(script);
	return rc;
}

/* The lock is held, and let go meanwhile. */
static void run_jobs(tlua_scripts *s)
{
	tlua_job *j;

	while ((j = s->jobs)) {
		s->jobs = j->next;
		tlua_scripts_unlock(s);
		j->rc = run_job(j);
		if (j->rc != TL_OK)
			snprintf(j->message, sizeof j->message, "%s",
				tl_error_message(tl_last_error()));
		tlua_scripts_lock(s);
		j->done = true;
		pthread_cond_broadcast(&s->turned);
	}
}

static void on_changed(void *ud, tl_script *script)
{
	(void)ud;
	script->due_ms = tlua_now_ms() + TLUA_QUIET_MS;
	(void)tlua_version_changed(&script->files); /* as it is now */
}

/* The one that is due first; NULL: none is. */
static tl_script *next_due(tlua_scripts *s)
{
	tl_script *first = NULL;

	tlua_scripts_lock(s);
	for (tl_script *script = s->list; script; script = script->next)
		if (script->due_ms > 0 && (!first || script->due_ms < first->due_ms))
			first = script;
	tlua_scripts_unlock(s);
	return first;
}

/* Loads what is due, when it stays as it is. */
static void look_at_files(tlua_scripts *s)
{
	tl_script *script;

	while ((script = next_due(s)) && script->due_ms <= tlua_now_ms())
		if (tlua_version_changed(&script->files))
			script->due_ms = tlua_now_ms() + TLUA_QUIET_MS;
		else
			(void)tlua_script_reload_now(
				script, NULL); /* its log tells what is wrong */
}

static tl_script *next_of(tlua_scripts *s, const tl_script *script)
{
	tl_script *next;

	tlua_scripts_lock(s);
	next = script ? script->next : s->list;
	tlua_scripts_unlock(s);
	return next;
}

/* Rules do what is due; when something is again, UINT64_MAX: nothing is. Only this thread takes a
 * script out of the list. */
static uint64_t take_turns(tlua_scripts *s)
{
	uint64_t least = UINT64_MAX;

	for (tl_script *script = NULL; (script = next_of(s, script));) {
		uint64_t due =
			script->governor ? tlua_governor_turn(script->governor, tlua_now_ms()) : 0;

		if (due > 0 && due < least)
			least = due;
	}
	return least;
}

static int wait_ms(tlua_scripts *s)
{
	const tl_script *first = next_due(s);
	uint64_t now = tlua_now_ms(), least = first ? first->due_ms : UINT64_MAX;

	if (s->turn_ms < least)
		least = s->turn_ms;
	if (least == UINT64_MAX)
		return -1;
	return least > now ? (int)(least - now) : 0;
}

static void wait_for_something(tlua_scripts *s)
{
	struct pollfd fds[] = {{s->wake, POLLIN, 0}, {tlua_watch_fd(s->watch), POLLIN, 0}};
	uint64_t count;

	if (poll(fds, 2, wait_ms(s)) < 0 && errno != EINTR)
		return;
	if (read(s->wake, &count, sizeof count) < 0)
		count = 0;
	if (fds[1].revents)
		tlua_watch_read(s->watch, on_changed, s);
}

/* Whether nothing is left to do; from then on nobody finds it any more. */
static bool is_over(tlua_scripts *s)
{
	bool over;

	tlua_registry_lock();
	tlua_scripts_lock(s);
	over = !s->jobs && !s->list && s->lives == 0;
	s->over = over;
	tlua_scripts_unlock(s);
	tlua_registry_unlock();
	return over;
}

/* All, or the policies. */
static void forget(tlua_scripts *s, bool policies)
{
	tl_script *script;

	do {
		tlua_scripts_lock(s);
		script = s->list;
		while (policies && script && script->source.kind != TL_SCRIPT_POLICY)
			script = script->next;
		tlua_scripts_unlock(s);
		if (script)
			tlua_script_forget(script);
	} while (script);
}

/* Whoever waits for the end finds the node let go: handles of scripts hold neither it nor
 * descriptors. */
static void end(tlua_scripts *s)
{
	tlua_watch_free(s->watch);
	s->watch = NULL;
	tl_node_free(s->node);
	s->node = NULL;
	tlua_registry_lock();
	tlua_scripts_take_out(s);
	tlua_scripts_lock(s);
	s->alive = false;
	close(s->wake);
	s->wake = -1;
	pthread_cond_broadcast(&s->turned);
	tlua_scripts_unlock(s);
	tlua_registry_unlock();
	tlua_scripts_release(s);
}

static void *run(void *ud)
{
	tlua_scripts *s = ud;

	do {
		bool lost, displaced;

		wait_for_something(s);
		tlua_scripts_lock(s);
		run_jobs(s);
		lost = s->lost;
		displaced = s->displaced;
		s->displaced = false;
		tlua_scripts_unlock(s);
		if (lost || displaced)
			forget(s, !lost);
		look_at_files(s);
		s->turn_ms = take_turns(s);
		tlua_tell_suspended(s);
		tlua_close_dropped(s);
	} while (!is_over(s));
	tl_node_remove_hook(s->node, s->close_handle);
	end(s);
	return NULL;
}

int tlua_scripts_start(tlua_scripts *s)
{
	pthread_attr_t attributes;
	sigset_t every, before;
	pthread_t thread;
	int rc;

	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	rc = pthread_create(&thread, &attributes, run, s);
	if (rc == 0)
		pthread_setname_np(thread, "tl-script");
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}
