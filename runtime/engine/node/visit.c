#include "engine/node/visit.h"

#include "base/system/fork.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t left = PTHREAD_COND_INITIALIZER; /* a call on a closing node */
static tl_node *first_open;                            /* under the lock */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int watching;

static _Thread_local tl__visit *innermost;
static _Thread_local const tl_node *home;

/* --- nodes that are open ---------------------------------------------------------------------- */

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/* A child must find the lock free, also when another thread of its parent was in it. */
static void watch_forks(void)
{
	watching = pthread_atfork(before_fork, after_fork, after_fork);
}

int tl__visit_open(tl_node *node)
{
	pthread_once(&once, watch_forks);
	if (watching != 0)
		return tl__fail(TL_E_NOMEM, "no memory to watch for fork()");
	pthread_mutex_lock(&lock);
	node->next_open = first_open;
	first_open = node;
	pthread_mutex_unlock(&lock);
	return TL_OK;
}

/* Under the lock. The link that leads to the node; NULL when it is not open. */
static tl_node **find(const tl_node *node)
{
	tl_node **at = &first_open;

	while (*at && *at != node)
		at = &(*at)->next_open;
	return *at ? at : NULL;
}

bool tl__visit_close(tl_node *node)
{
	tl_node **at;
	bool found;

	pthread_mutex_lock(&lock);
	at = find(node);
	found = at && !tl__fork_inherited(node->forks);
	if (found)
		*at = node->next_open;
	pthread_mutex_unlock(&lock);
	return found;
}

/* --- calls ------------------------------------------------------------------------------------ */

void tl__visit_belong(tl_node *node)
{
	home = node;
}

bool tl__visit_belongs(const tl_node *node)
{
	return home == node;
}

/* Of this thread in the node. */
static unsigned own_visits(const tl_node *node)
{
	unsigned count = 0;

	for (const tl__visit *at = innermost; at; at = at->outer)
		count += at->node == node;
	return count;
}

void tl__visit_wait(tl_node *node)
{
	unsigned own = own_visits(node);

	pthread_mutex_lock(&lock);
	while (node->visits > own)
		pthread_cond_wait(&left, &lock);
	pthread_mutex_unlock(&lock);
}

static int let_in(tl_node *node)
{
	if (home != node && !find(node))
		return tl__fail(TL_E_CLOSED, "the node has been closed");
	if (tl__fork_inherited(node->forks))
		return tl__fork_check(node->forks);
	node->visits++;
	atomic_fetch_add(&node->refs, 1);
	return TL_OK;
}

int tl__visit_enter(tl__visit *visit, tl_node *node)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = let_in(node);
	pthread_mutex_unlock(&lock);
	if (rc != TL_OK)
		return rc;
	*visit = (tl__visit){innermost, node};
	innermost = visit;
	return TL_OK;
}

int tl__visit_leave(tl__visit *visit, int code)
{
	tl_node *node = visit->node;

	innermost = visit->outer;
	pthread_mutex_lock(&lock);
	node->visits--;
	pthread_cond_broadcast(&left);
	pthread_mutex_unlock(&lock);
	tl__node_release(node);
	return code;
}
