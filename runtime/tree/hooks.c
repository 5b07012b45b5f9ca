/* Hooks: lists that may change while a round runs. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "tree/database.h"

struct tl__hook_node {
	atomic_uint owners; /* the list and each round that runs it */
	tl_hook hook;
	uint64_t handle;
	tl__hook_node *next;
};

static void release(tl__hook_node *node)
{
	if (atomic_fetch_sub(&node->owners, 1) != 1)
		return;
	if (node->hook.drop)
		node->hook.drop(node->hook.ud);
	tl__free(node);
}

int tl__hooks_init(tl__hooks *hooks)
{
	memset(hooks, 0, sizeof *hooks);
	if (pthread_mutex_init(&hooks->mutex, NULL) != 0)
		return tl__fail(TL_E_NOMEM, "the system gives no more locks");
	return TL_OK;
}

void tl__hooks_free(tl__hooks *hooks)
{
	while (hooks->first) {
		tl__hook_node *node = hooks->first;

		hooks->first = node->next;
		release(node);
	}
	pthread_mutex_destroy(&hooks->mutex);
}

int tl__hooks_add(tl__hooks *hooks, const tl_hook *hook, uint64_t *handle)
{
	tl__hook_node *node, **end;
	tl_hook full = TL_HOOK_INIT;
	int rc = tl__sized_read(&full, hook, tl_hook, ud);

	if (rc != TL_OK)
		return rc;
	node = tl__alloc_zero(1, sizeof *node);
	if (!node)
		return TL_E_NOMEM;
	node->hook = full;
	atomic_init(&node->owners, 1);
	pthread_mutex_lock(&hooks->mutex);
	node->handle = ++hooks->last_handle;
	for (end = &hooks->first; *end; end = &(*end)->next)
		;
	*end = node;
	if (handle)
		*handle = node->handle;
	pthread_mutex_unlock(&hooks->mutex);
	return TL_OK;
}

void tl__hooks_remove(tl__hooks *hooks, uint64_t handle)
{
	tl__hook_node *found = NULL;

	pthread_mutex_lock(&hooks->mutex);
	for (tl__hook_node **at = &hooks->first; *at && !found;) {
		if ((*at)->handle == handle) {
			found = *at;
			*at = found->next;
		} else {
			at = &(*at)->next;
		}
	}
	pthread_mutex_unlock(&hooks->mutex);
	if (found)
		release(found);
}

/* The hooks of one list as of now, each held by the round. *out is NULL when there are none. */
static int gather(tl__hooks *hooks, tl__hook_node ***out, size_t *count)
{
	size_t at = 0;

	*out = NULL;
	*count = 0;
	pthread_mutex_lock(&hooks->mutex);
	for (tl__hook_node *node = hooks->first; node; node = node->next)
		(*count)++;
	if (*count > 0)
		*out = tl__alloc_zero(*count, sizeof(tl__hook_node *));
	for (tl__hook_node *node = hooks->first; *out && node; node = node->next) {
		atomic_fetch_add(&node->owners, 1);
		(*out)[at++] = node;
	}
	pthread_mutex_unlock(&hooks->mutex);
	return *count == 0 || *out ? TL_OK : TL_E_NOMEM;
}

static void let_go(tl__hook_node **nodes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		release(nodes[i]);
	tl__free(nodes);
}

static int ask(const tl_hook *hook, const tl_hook_context *context)
{
	int code;

	if (!hook->before_commit)
		return TL_OK;
	(void)tl_error_set(TL_E_HOOK_FAILED, "the hook gave no reason");
	code = hook->before_commit(hook->ud, context);
	if (code == TL_OK)
		return TL_OK;
	return tl__fail_cause(TL_E_HOOK_FAILED, "a before_commit hook refused the commit: %s",
		tl_error_message(tl_last_error()));
}

int tl__hooks_before(tl__hooks *const *lists, size_t count, const tl_hook_context *context)
{
	int code = TL_OK;

	for (size_t i = 0; i < count && code == TL_OK; i++) {
		tl__hook_node **nodes;
		size_t node_count;

		code = gather(lists[i], &nodes, &node_count);
		for (size_t n = 0; n < node_count && code == TL_OK; n++)
			code = ask(&nodes[n]->hook, context);
		if (nodes)
			let_go(nodes, node_count);
	}
	return code;
}

static void tell(const tl_hook *hook, const tl_hook_context *context, const tl__log *log)
{
	int code;

	if (!hook->on_entry_committed)
		return;
	(void)tl_error_set(TL_E_HOOK_FAILED, "no reason given");
	code = hook->on_entry_committed(hook->ud, context);
	if (code != TL_OK)
		tl__log_write(log, TL_LOG_ERROR, "hook",
			"on_entry_committed failed (%s); the commit stands: %s",
			tl_error_name(code), tl_error_message(tl_last_error()));
}

void tl__hooks_committed(
	tl__hooks *const *lists, size_t count, const tl_hook_context *context, const tl__log *log)
{
	for (size_t i = 0; i < count; i++) {
		tl__hook_node **nodes;
		size_t node_count;

		if (gather(lists[i], &nodes, &node_count) != TL_OK)
			tl__log_write(log, TL_LOG_ERROR, "hook",
				"no memory to call on_entry_committed; the commit stands");
		for (size_t n = 0; nodes && n < node_count; n++)
			tell(&nodes[n]->hook, context, log);
		if (nodes)
			let_go(nodes, node_count);
	}
}
