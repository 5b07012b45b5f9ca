/* Hooks: lists that may change while a round runs. A hook of one database lies in the node's list
 * and not in a handle: handles come and go. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include "base/fail.h"
#include "base/mem.h"
#include "base/sized.h"
#include "model/ids.h"
#include "tree/api/database.h"

struct tl__hook_node {
	atomic_uint owners; /* the list and each round that runs it */
	tl_hook hook;
	uint64_t handle;
	bool of_db; /* only commits to that database */
	tl_id db;
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

void tl__hooks_clear(tl__hooks *hooks)
{
	tl__hook_node *node, *next;

	pthread_mutex_lock(&hooks->mutex);
	node = hooks->first;
	hooks->first = NULL;
	hooks->over = true;
	pthread_mutex_unlock(&hooks->mutex);
	for (; node; node = next) {
		next = node->next;
		release(node);
	}
}

void tl__hooks_free(tl__hooks *hooks)
{
	tl__hooks_clear(hooks);
	pthread_mutex_destroy(&hooks->mutex);
}

static int make_node(const tl_id *db, const tl_hook *hook, tl__hook_node **out)
{
	tl_hook full = TL_HOOK_INIT;
	tl__hook_node *node;
	int rc = tl__sized_read(&full, hook, tl_hook, ud);

	if (rc != TL_OK)
		return rc;
	node = tl__alloc_zero(1, sizeof *node);
	if (!node)
		return TL_E_NOMEM;
	node->hook = full;
	node->of_db = db != NULL;
	if (db)
		node->db = *db;
	atomic_init(&node->owners, 1);
	*out = node;
	return TL_OK;
}

/* Adds one, or several in a row. */
static void append(tl__hooks *hooks, tl__hook_node *made, uint64_t *handle)
{
	tl__hook_node **end;

	pthread_mutex_lock(&hooks->mutex);
	for (tl__hook_node *node = made; node; node = node->next)
		node->handle = ++hooks->last_handle;
	for (end = &hooks->first; *end; end = &(*end)->next)
		;
	*end = made;
	if (handle)
		*handle = made->handle;
	pthread_mutex_unlock(&hooks->mutex);
}

int tl__hooks_add(tl__hooks *hooks, const tl_id *db, const tl_hook *hook, uint64_t *handle)
{
	tl__hook_node *node = NULL;
	int rc = make_node(db, hook, &node);

	if (rc == TL_OK)
		append(hooks, node, handle);
	return rc;
}

int tl__hooks_make(const tl_hook *const *list, size_t count, tl__hook_node **out)
{
	tl__hook_node *first = NULL, **end = &first;
	int rc = TL_OK;

	for (size_t i = 0; i < count && rc == TL_OK; i++) {
		tl__hook_node *node = NULL;

		rc = list && list[i] ? make_node(NULL, list[i], &node)
				     : tl__fail(TL_E_BAD_ARGUMENT, "a hook of the list is NULL");
		*end = node;
		if (node)
			end = &node->next;
	}
	if (rc != TL_OK) {
		tl__hooks_discard(first);
		first = NULL;
	}
	*out = first;
	return rc;
}

void tl__hooks_add_made(tl__hooks *hooks, tl__hook_node *made)
{
	append(hooks, made, NULL);
}

void tl__hooks_discard(tl__hook_node *made)
{
	for (tl__hook_node *next; made; made = next) {
		next = made->next;
		tl__free(made);
	}
}

static bool belongs_to(const tl__hook_node *node, const tl_id *db)
{
	return node->of_db == (db != NULL) && (!db || tl__id_equal(&node->db, db));
}

void tl__hooks_remove(tl__hooks *hooks, const tl_id *db, uint64_t handle)
{
	tl__hook_node *found = NULL;

	pthread_mutex_lock(&hooks->mutex);
	for (tl__hook_node **at = &hooks->first; *at && !found;) {
		if ((*at)->handle == handle && belongs_to(*at, db)) {
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

/* Under the lock: adds the hooks of one owner that came after `since` to a round, which holds them.
 */
static void take_part(const tl__moment *moment, tl__hooks *hooks, const tl_id *db, uint64_t since,
	tl__hook_node **round, size_t *count)
{
	for (tl__hook_node *node = hooks->first; node; node = node->next) {
		if (node->handle <= since || !belongs_to(node, db) ||
			(moment->by_node && !node->hook.of_node))
			continue;
		atomic_fetch_add(&node->owners, 1);
		round[(*count)++] = node;
	}
}

/* The hooks of one list as of now that came after *since and that a commit to this database
 * concerns, its own last. *out is NULL when there are none. *since is the last one then. */
static int gather(const tl__moment *moment, tl__hooks *hooks, uint64_t *since, tl__hook_node ***out,
	size_t *count)
{
	size_t all = 0;
	bool over;

	*out = NULL;
	*count = 0;
	pthread_mutex_lock(&hooks->mutex);
	over = hooks->over;
	for (tl__hook_node *node = hooks->first; node; node = node->next)
		all += node->handle > *since;
	if (all > 0)
		*out = tl__alloc_zero(all, sizeof(tl__hook_node *));
	if (*out) {
		take_part(moment, hooks, NULL, *since, *out, count);
		take_part(moment, hooks, moment->context->tree_id, *since, *out, count);
	}
	*since = hooks->last_handle;
	pthread_mutex_unlock(&hooks->mutex);
	if (over && moment->by_node && !moment->context->is_system)
		return tl__fail(TL_E_CLOSED, "the node is closed");
	return all == 0 || *out ? TL_OK : TL_E_NOMEM;
}

static void let_go(tl__hook_node **nodes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		release(nodes[i]);
	tl__free(nodes);
}

static int ask(const tl_hook *hook, const tl_hook_context *context)
{
	const char *why;

	if (!hook->before_commit)
		return TL_OK;
	(void)tl_error_set(TL_E_HOOK_FAILED, "the hook gave no reason");
	if (hook->before_commit(hook->ud, context) == TL_OK)
		return TL_OK;
	why = tl_error_message(tl_last_error()); /* the cause says all of it, tracebacks too */
	return tl__fail_cause(TL_E_HOOK_FAILED, "a before_commit hook refused the commit: %.*s",
		(int)strcspn(why, "\n"), why);
}

/* Those that came while one of them waited, as for hook files that were being loaded, are asked as
 * well; once, so that a hook that adds another one each time has an end. */
static int ask_list(const tl__moment *moment, tl__hooks *hooks)
{
	tl__hook_node **nodes;
	uint64_t since = 0;
	size_t count = 1;
	int code = TL_OK;

	for (int round = 0; round < 2 && count > 0 && code == TL_OK; round++) {
		code = gather(moment, hooks, &since, &nodes, &count);
		for (size_t n = 0; n < count && code == TL_OK; n++)
			code = ask(&nodes[n]->hook, moment->context);
		if (nodes)
			let_go(nodes, count);
	}
	return code;
}

int tl__hooks_before(const tl__moment *moment)
{
	int code = TL_OK;

	for (size_t i = 0; i < moment->count && code == TL_OK; i++)
		code = ask_list(moment, moment->lists[i]);
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

void tl__hooks_committed(const tl__moment *moment, const tl__log *log)
{
	for (size_t i = 0; i < moment->count; i++) {
		tl__hook_node **nodes;
		uint64_t since = 0;
		size_t node_count;

		if (gather(moment, moment->lists[i], &since, &nodes, &node_count) != TL_OK)
			tl__log_write(log, TL_LOG_ERROR, "hook",
				"no memory to call on_entry_committed; the commit stands");
		for (size_t n = 0; nodes && n < node_count; n++)
			tell(&nodes[n]->hook, moment->context, log);
		if (nodes)
			let_go(nodes, node_count);
	}
}
