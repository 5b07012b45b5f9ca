/* Which nodes have scripts. */
#include "host/runner.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static tlua_scripts *all;

void tlua_registry_lock(void)
{
	pthread_mutex_lock(&registry);
}

void tlua_registry_unlock(void)
{
	pthread_mutex_unlock(&registry);
}

void tlua_scripts_lock(tlua_scripts *scripts)
{
	pthread_mutex_lock(&scripts->lock);
}

void tlua_scripts_unlock(tlua_scripts *scripts)
{
	pthread_mutex_unlock(&scripts->lock);
}

void tlua_scripts_wake(const tlua_scripts *s)
{
	const uint64_t one = 1;

	if (s->wake >= 0 && write(s->wake, &one, sizeof one) < 0)
		return; /* it is awake already */
}

void tlua_scripts_release(tlua_scripts *s)
{
	if (!s || atomic_fetch_sub(&s->owners, 1) != 1)
		return;
	tlua_watch_free(s->watch);
	tl_node_free(s->node);
	if (s->wake >= 0)
		close(s->wake);
	pthread_cond_destroy(&s->turned);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

tlua_scripts *tlua_scripts_of(const tl_node *node)
{
	tlua_scripts *s = all;

	while (s && (s->of != node || s->process != getpid() || s->over))
		s = s->next;
	return s;
}

static void on_closed(void *ud)
{
	tlua_scripts *s = ud;

	tlua_scripts_lock(s);
	s->lost = true;
	tlua_scripts_wake(s);
	tlua_scripts_unlock(s);
	tlua_scripts_release(s);
}

/* A node that is closed drops its hooks, and so tells us. */
static int await_close(tlua_scripts *s)
{
	tl_hook hook = TL_HOOK_INIT;
	int rc;

	hook.drop = on_closed;
	hook.ud = s;
	atomic_fetch_add(&s->owners, 1);
	rc = tl_node_add_hook(s->node, &hook, &s->close_handle);
	if (rc != TL_OK)
		atomic_fetch_sub(&s->owners, 1);
	return rc;
}

static int make(tlua_scripts *s)
{
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake < 0)
		return tl_error_set(TL_E_IO, "the system has no descriptor for the script thread");
	return await_close(s);
}

tlua_scripts *tlua_scripts_make(tl_node *node)
{
	tlua_scripts *s = calloc(1, sizeof *s);

	if (!s) {
		(void)tl_error_set(TL_E_NOMEM, "not enough memory for scripts");
		return NULL;
	}
	atomic_init(&s->owners, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->turned, NULL);
	s->process = getpid();
	s->node = tl_node_retain(node);
	s->of = node;
	s->turn_ms = UINT64_MAX;
	s->alive = true;
	s->watch = tlua_watch_new(); /* without it scripts are loaded by command */
	if (make(s) != TL_OK) {
		tlua_scripts_release(s);
		return NULL;
	}
	s->next = all;
	all = s;
	return s;
}

void tlua_scripts_take_out(tlua_scripts *s)
{
	tlua_scripts **at = &all;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
}

int tlua_scripts_each(tl_node *node, int (*fn)(void *ud, tl_script *script), void *ud)
{
	tlua_scripts *s;
	int rc = TL_OK;

	pthread_mutex_lock(&registry);
	s = tlua_scripts_of(node);
	if (s)
		tlua_scripts_lock(s);
	for (tl_script *script = s ? s->list : NULL; script && rc == TL_OK; script = script->next)
		rc = fn(ud, script);
	if (s)
		tlua_scripts_unlock(s);
	pthread_mutex_unlock(&registry);
	return rc;
}

/* One whose thread has not ended, held for the caller; NULL: there is none. */
static tlua_scripts *hold_any(const tl_node *node)
{
	tlua_scripts *s;

	pthread_mutex_lock(&registry);
	for (s = all; s && (s->of != node || s->process != getpid()); s = s->next)
		;
	if (s)
		atomic_fetch_add(&s->owners, 1);
	pthread_mutex_unlock(&registry);
	return s;
}

void tlua_scripts_join(tl_node *node)
{
	tlua_scripts *s;

	while ((s = hold_any(node))) {
		tlua_scripts_lock(s);
		s->lost = true;
		tlua_scripts_wake(s);
		while (s->alive)
			pthread_cond_wait(&s->turned, &s->lock);
		tlua_scripts_unlock(s);
		tlua_scripts_release(s);
	}
}
